//! HTTP to addresses that a merchant wrote into the configuration: receivers of forwarded orders.
//!
//! Such an address could point at this machine, at the metadata service or into the private network. So the
//! URL's shape and a literal address are checked before anything is sent, a name is resolved here, what it
//! resolves to is checked, and the connection is made to exactly what was checked. No redirects, no proxies,
//! small answers.

use crate::literal;
use crate::provider_http::{Carrier, Request};
use crate::tls::Clients;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use thiserror::Error;

/// The largest answer that is read, bytes.
pub const MAX_ANSWER: usize = 10_000;
const CONNECT: Duration = Duration::from_secs(3);

/// Why a URL is not called. The texts never repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refused {
    /// Not a URL.
    #[error("is not a URL")]
    Url,
    /// Neither https nor http to a literal loopback address.
    #[error("must be https, or http to a literal loopback address")]
    Scheme,
    /// `user:password@`.
    #[error("must not hold a user or a password")]
    UserInfo,
    /// An address of this machine, of its network, or of no single receiver.
    #[error("is an address that must not be called")]
    Address,
    /// The address of the Lambda runtime.
    #[error("is the address of the Lambda runtime")]
    Runtime,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EgressError {
    /// The URL is not called.
    #[error("the URL {0}")]
    Refused(Refused),
    /// The name resolves to nothing that may be called, or there is no connection.
    #[error("no connection")]
    Connect,
    /// No answer in time, or a broken one.
    #[error("no answer in time")]
    Lost,
    /// More than 10 kB.
    #[error("too large an answer")]
    TooLarge,
}

/// Checks a URL without resolving its name.
///
/// # Errors
/// See [`Refused`].
pub fn check(url: &str, allow_private: bool) -> Result<reqwest::Url, Refused> {
    let url = reqwest::Url::parse(url).map_err(|_| Refused::Url)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::UserInfo);
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(Refused::Url)?;
    let literal = literal(&url);
    let loopback = literal.is_some_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(Refused::Scheme),
    }
    if let Ok(runtime) = std::env::var("AWS_LAMBDA_RUNTIME_API") {
        let own = reqwest::Url::parse(&format!("http://{runtime}/"));
        let same = own.is_ok_and(|own| {
            own.host_str() == Some(host) && own.port_or_known_default() == url.port_or_known_default()
        });
        if same {
            return Err(Refused::Runtime);
        }
    }
    match literal {
        Some(ip) if !loopback && !may_be_called(ip, allow_private) => Err(Refused::Address),
        _ if host.trim_end_matches('.').eq_ignore_ascii_case("localhost") => Err(Refused::Address),
        _ => Ok(url),
    }
}

/// Whether an address may be called that is not a loopback literal in the URL.
pub fn may_be_called(ip: IpAddr, allow_private: bool) -> bool {
    match ip {
        IpAddr::V4(ip) => may_be_called_v4(ip, allow_private),
        IpAddr::V6(ip) => may_be_called_v6(ip, allow_private),
    }
}

fn may_be_called_v4(ip: Ipv4Addr, allow_private: bool) -> bool {
    let within = |net: [u8; 4], bits: u32| (u32::from(ip) ^ u32::from(Ipv4Addr::from(net))) >> (32 - bits) == 0;
    let private = within([10, 0, 0, 0], 8)
        || within([100, 64, 0, 0], 10)
        || within([172, 16, 0, 0], 12)
        || within([192, 168, 0, 0], 16);
    let never = within([0, 0, 0, 0], 8)
        || within([127, 0, 0, 0], 8)
        || within([169, 254, 0, 0], 16)
        || within([192, 0, 0, 0], 24)
        || within([198, 18, 0, 0], 15)
        || within([224, 0, 0, 0], 4)
        || within([240, 0, 0, 0], 4);
    !never && (allow_private || !private)
}

fn may_be_called_v6(ip: Ipv6Addr, allow_private: bool) -> bool {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if [a, b, c, d, e] == [0; 5] && f == 0xffff {
        return may_be_called_v4(v4(g, h), allow_private);
    }
    // Other ways to write an IPv4 address; nobody needs them to reach a private one.
    let embedded = match () {
        () if [a, b, c, d, e, f] == [0; 6] => Some(v4(g, h)),
        () if a == 0x2002 => Some(v4(b, c)),
        () if a == 0x64 && b == 0xff9b => Some(v4(g, h)),
        () => None,
    };
    if let Some(ip) = embedded {
        return may_be_called_v4(ip, false);
    }
    let never = a & 0xffc0 == 0xfe80 || a & 0xffc0 == 0xfec0 || a >> 8 == 0xff || (a == 0x2001 && b == 0);
    let private = a & 0xfe00 == 0xfc00;
    let metadata = a == 0xfd00 && b == 0x0ec2;
    !never && !metadata && (allow_private || !private)
}

/// Resolves names to what may be called, and to nothing else.
struct Checked {
    allow_private: bool,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses: Vec<SocketAddr> = found.collect();
            // A name with one bad address is a trap, not a receiver.
            if addresses.is_empty() || !addresses.iter().all(|a| may_be_called(a.ip(), allow_private)) {
                return Err("the name resolves to an address that must not be called".into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The clients for receivers, for the process's lifetime.
#[derive(Default)]
pub struct Receivers {
    public: OnceLock<Clients>,
    private: OnceLock<Clients>,
    carrier: Option<Arc<dyn Carrier>>,
}

impl Receivers {
    /// Clients whose requests are carried by something else than the network.
    pub fn through(carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), ..Self::default() }
    }

    fn clients(&self, allow_private: bool) -> &Clients {
        let cell = if allow_private { &self.private } else { &self.public };
        let settings = move || {
            reqwest::Client::builder()
                .connect_timeout(CONNECT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                // An address is checked when it is connected to, so no connection is kept.
                .pool_max_idle_per_host(0)
                .dns_resolver(Arc::new(Checked { allow_private }))
        };
        cell.get_or_init(|| Clients::new(settings))
    }

    /// Posts JSON and reads the small answer: its status and body.
    ///
    /// # Errors
    /// See [`EgressError`].
    pub async fn post(
        &self,
        url: &str,
        allow_private: bool,
        headers: &[(&'static str, &str)],
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<(u16, Vec<u8>), EgressError> {
        let url = check(url, allow_private).map_err(EgressError::Refused)?;
        if let Some(carrier) = &self.carrier {
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let request = Request { method: http::Method::POST, url: url.as_str(), headers, body, identity: None };
            let carried = tokio::time::timeout(timeout, carrier.carry(request)).await;
            let answer = carried.ok().and_then(Result::ok).ok_or(EgressError::Lost)?;
            return Ok((answer.status, answer.body));
        }
        let client = self.clients(allow_private).of(url.as_str());
        let mut request = client.post(url).timeout(timeout).body(body);
        request = request.header("content-type", "application/json; charset=utf-8");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.send().await.map_err(|error| match error.is_connect() {
            true => EgressError::Connect,
            false => EgressError::Lost,
        })?;
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| EgressError::Lost)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(EgressError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}
