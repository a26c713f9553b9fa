//! The outgoing HTTP client for providers: bounded in time and size, no redirects, no proxies.
//!
//! It is built on first use, because most callbacks never call out. A connection that could not be made is
//! tried once more, because nothing was sent; everything else is the caller's to judge.

use crate::tls::{self, Clients};
use crypto::hash;
use domain::Secret;
use futures::future::BoxFuture;
use http::{HeaderMap, Method};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// The largest answer that is read, bytes.
const MAX_ANSWER: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(10);
const DOWNLOAD: Duration = Duration::from_secs(30);
/// A frozen Lambda does not see a connection die, so an old one is not trusted.
const IDLE: Duration = Duration::from_secs(20);

/// A request to a provider.
pub struct Request<'a> {
    /// `GET` or `POST`.
    pub method: Method,
    /// The whole URL, percent-encoded as it was signed.
    pub url: &'a str,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// A TLS client certificate with its key, in PEM.
    pub identity: Option<&'a Secret>,
}

impl<'a> Request<'a> {
    /// A GET without further headers.
    pub const fn get(url: &'a str) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: Vec::new(), identity: None }
    }

    /// A POST of JSON, as it was signed.
    pub fn post_json(url: &'a str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { method: Method::POST, url, headers, body, identity: None }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Vec<u8>,
}

/// A large answer, read in pieces.
pub struct Download {
    /// HTTP status.
    pub status: u16,
    host: String,
    left: usize,
    answer: reqwest::Response,
}

impl Download {
    /// The next piece; `None` after the last.
    ///
    /// # Errors
    /// When the answer breaks off, or is larger than it may be.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let chunk = self.answer.chunk().await.map_err(|_| HttpError::Lost(self.host.clone()))?;
        let Some(chunk) = chunk else { return Ok(None) };
        match self.left.checked_sub(chunk.len()) {
            Some(left) => self.left = left,
            None => return Err(HttpError::TooLarge(self.host.clone())),
        }
        Ok(Some(chunk.into()))
    }
}

/// Why there is no answer. In every case but [`HttpError::Identity`] the outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HttpError {
    /// No connection; nothing was sent.
    #[error("no connection to {0}")]
    Connect(String),
    /// Sent, and no whole answer in time.
    #[error("no answer from {0}")]
    Lost(String),
    /// More than a megabyte, or than a download may have.
    #[error("too large an answer from {0}")]
    TooLarge(String),
    /// The client certificate cannot be used.
    #[error("the client certificate cannot be used")]
    Identity,
}

/// What carries requests out in place of the network: a simulation, with faults of its own.
pub trait Carrier: Send + Sync {
    /// Carries one request, without any time-out.
    fn carry<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer, HttpError>>;
}

/// The client, for the process's lifetime.
#[derive(Default)]
pub struct Http {
    anonymous: OnceLock<Clients>,
    /// By the digest of the certificate that they show.
    identified: Mutex<HashMap<String, reqwest::Client>>,
    carrier: Option<Arc<dyn Carrier>>,
}

impl Http {
    /// A client whose requests are carried by something else than the network.
    pub fn through(carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), ..Self::default() }
    }

    /// Sends a request and reads the answer.
    ///
    /// # Errors
    /// When there is no whole answer; see [`HttpError`].
    pub async fn send(&self, request: Request<'_>) -> Result<Answer, HttpError> {
        self.send_within(request, WHOLE).await
    }

    /// The same, with another time for the whole exchange.
    ///
    /// # Errors
    /// When there is no whole answer; see [`HttpError`].
    pub async fn send_within(&self, request: Request<'_>, whole: Duration) -> Result<Answer, HttpError> {
        if let Some(carrier) = &self.carrier {
            let carried = tokio::time::timeout(whole, carrier.carry(request)).await;
            return carried.unwrap_or_else(|_| Err(HttpError::Lost("the other side".to_owned())));
        }
        let (mut answer, host) = self.begin(&request, whole).await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| HttpError::Lost(host.clone()))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(HttpError::TooLarge(host));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request whose answer is large and is read in pieces, at most `limit` bytes in all.
    ///
    /// # Errors
    /// When no answer begins; see [`HttpError`].
    pub async fn download(&self, request: Request<'_>, limit: usize) -> Result<Download, HttpError> {
        let (answer, host) = self.begin(&request, DOWNLOAD).await?;
        Ok(Download { status: answer.status().as_u16(), host, left: limit, answer })
    }

    async fn begin(&self, request: &Request<'_>, whole: Duration) -> Result<(reqwest::Response, String), HttpError> {
        let client = self.client(request)?;
        let url = reqwest::Url::parse(request.url).map_err(|_| HttpError::Connect("an invalid URL".to_owned()))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let mut tries = 0;
        loop {
            let mut builder = client.request(request.method.clone(), url.clone()).timeout(whole);
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
            }
            if !request.body.is_empty() || request.method == Method::POST {
                builder = builder.body(request.body.clone());
            }
            tries += 1;
            match builder.send().await {
                Ok(answer) => return Ok((answer, host)),
                Err(error) if error.is_connect() && tries < 2 => {}
                Err(error) if error.is_connect() => return Err(HttpError::Connect(host)),
                Err(_) => return Err(HttpError::Lost(host)),
            }
        }
    }

    fn client(&self, request: &Request<'_>) -> Result<reqwest::Client, HttpError> {
        let Some(identity) = request.identity else {
            return Ok(self.anonymous.get_or_init(|| Clients::new(settings)).of(request.url).clone());
        };
        let id = hash::sha256_hex(identity.expose().as_bytes());
        let mut clients = self.identified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&id) {
            return Ok(client.clone());
        }
        let tls = tls::identified(identity.expose()).ok_or(HttpError::Identity)?;
        let client = settings().tls_backend_preconfigured(tls).build().map_err(|_| HttpError::Identity)?;
        clients.insert(id, client.clone());
        Ok(client)
    }
}

fn settings() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .timeout(WHOLE)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_idle_timeout(IDLE)
}
