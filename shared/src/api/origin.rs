//! The door's outer door: with `PAY_ORIGIN_SECRET`, only what came through CloudFront (`edge.yaml`) is let in.
//!
//! CloudFront's own way of signing calls to a Function URL wants a digest of the body from whoever calls, which no
//! provider sends with its callbacks. So CloudFront adds a secret header instead.

use super::{Request, Response, reply};
use domain::{Code, Failure, Secret};
use std::net::IpAddr;

/// The header that CloudFront adds.
const SECRET_HEADER: &str = "x-pay-origin-secret";
/// What is shorter could be guessed.
const SHORTEST: usize = 32;

/// The secrets by which CloudFront is known: one, or two while one replaces the other.
pub struct Origin(Vec<Secret>);

impl Origin {
    /// Reads the value of `PAY_ORIGIN_SECRET`: a secret, or several with commas between.
    ///
    /// # Errors
    /// When one of them is blank or short; a blank one would let everybody in.
    pub fn parse(text: &str) -> Result<Self, String> {
        let secrets: Vec<&str> = text.split(',').map(str::trim).collect();
        if secrets.iter().any(|secret| secret.len() < SHORTEST) {
            return Err(format!("a secret of it is shorter than {SHORTEST} bytes"));
        }
        Ok(Self(secrets.into_iter().map(Secret::new).collect()))
    }

    /// Lets a request in, with the client's address instead of CloudFront's. The header goes no further.
    ///
    /// # Errors
    /// The answer to a request that did not come through CloudFront: 403.
    pub(crate) fn admit(&self, mut request: Request) -> Result<Request, Response> {
        let shown = request.header(SECRET_HEADER).unwrap_or_default();
        // Every secret is compared, so that the time does not tell which one matched.
        let known = self.0.iter().fold(false, |known, secret| secret.matches(shown) | known);
        if !known {
            let english = reply::prefers_english(request.header("accept-language"));
            tracing::warn!("a request did not come through CloudFront");
            return Err(reply::failed(&Failure::new(Code::FORBIDDEN), &request.request_id, english));
        }
        request.headers.remove(SECRET_HEADER);
        if let Some(address) = viewer(&request) {
            request.source_ip = address.to_string();
        }
        Ok(request)
    }
}

/// The address that CloudFront was called from.
///
/// CloudFront always puts it behind what the client sent as `X-Forwarded-For`, and the front of the function may put
/// CloudFront's own behind that. `CloudFront-Viewer-Address` is there only if an origin request policy asks for it; where
/// none does, it could be the client's word.
fn viewer(request: &Request) -> Option<IpAddr> {
    let proxy = request.source_ip.parse().ok();
    let values = request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let chain: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let told = chain.into_iter().map(|part| part.parse::<IpAddr>().ok()).rfind(|part| part.is_none() || *part != proxy);
    match told {
        Some(address) => address,
        // An address and a port; of IPv6, without brackets.
        None => request.header("cloudfront-viewer-address")?.rsplit_once(':')?.0.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "old-0123456789-0123456789-0123456789";
    const NEW: &str = "new-0123456789-0123456789-0123456789";
    const EDGE: &str = "130.176.0.1";

    fn request(headers: &[(&'static str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).expect("a header"))
        });
        Request { headers: headers.collect(), source_ip: EDGE.to_owned(), ..Request::default() }
    }

    /// Where a request with these headers comes from; `None` when it is refused.
    fn from(headers: &[(&'static str, &str)]) -> Option<String> {
        let origin = Origin::parse(&format!("{OLD}, {NEW}")).expect("two secrets");
        origin.admit(request(headers)).ok().map(|request| request.source_ip)
    }

    #[test]
    fn either_of_two_secrets_lets_in_and_nothing_else_does() {
        assert!(from(&[(SECRET_HEADER, OLD)]).is_some());
        assert!(from(&[(SECRET_HEADER, NEW)]).is_some());
        for wrong in ["", "wrong", &NEW[1..], &format!("{OLD}, {NEW}"), &format!("{NEW}0")] {
            assert!(from(&[(SECRET_HEADER, wrong)]).is_none(), "{wrong}");
        }
        assert!(from(&[]).is_none());
    }

    #[test]
    fn a_blank_or_short_secret_is_a_fault_and_opens_nothing() {
        for text in ["", " ", "short", &format!("{OLD},"), &format!(",{OLD}")] {
            assert!(Origin::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_client_is_who_called_cloudfront_and_not_who_it_says_it_is() {
        let from = |name: &'static str, value: &str| from(&[(SECRET_HEADER, NEW), (name, value)]).expect("let in");
        assert_eq!(from("x-forwarded-for", "203.0.113.7"), "203.0.113.7");
        assert_eq!(from("x-forwarded-for", "198.51.100.1, 203.0.113.7, 130.176.0.1"), "203.0.113.7");
        assert_eq!(from("x-forwarded-for", "198.51.100.1, 2001:db8::7"), "2001:db8::7");
        assert_eq!(from("x-forwarded-for", EDGE), EDGE);
        assert_eq!(from("x-forwarded-for", "203.0.113.7, unknown"), EDGE, "what cannot be read is not skipped");
        assert_eq!(from("cloudfront-viewer-address", "203.0.113.7:46532"), "203.0.113.7");
        assert_eq!(from("cloudfront-viewer-address", "2001:db8::7:46532"), "2001:db8::7");
        assert_eq!(from("cloudfront-viewer-address", "nonsense"), EDGE);
    }

    #[test]
    fn the_secret_goes_no_further_than_the_door() {
        let origin = Origin::parse(NEW).expect("a secret");
        let request = origin.admit(request(&[(SECRET_HEADER, NEW)])).expect("let in");
        assert_eq!(request.header(SECRET_HEADER), None);
    }
}
