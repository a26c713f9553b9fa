//! What keeps other web pages out: the console stands on loopback, but any page that the browser shows can send
//! requests there.
//!
//! A request must name the bound address as its `Host` (a name of somebody else's that resolves to 127.0.0.1 does
//! not), a form must carry this process's token and come from the console itself, and no page may load, run or
//! frame anything from outside.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// The name of the hidden field.
pub const TOKEN: &str = "_token";
/// No form of ours is larger.
const MAX_FORM: usize = 256 * 1024;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What requests are compared with.
pub struct Guard {
    hosts: [String; 2],
    token: String,
}

impl Guard {
    /// A guard of a bound address, with a new token.
    pub fn new(address: SocketAddr) -> Self {
        let port = address.port();
        Self {
            hosts: [format!("127.0.0.1:{port}"), format!("localhost:{port}")],
            token: hex::encode(shared::crypto::random::<24>()),
        }
    }

    /// The token that forms carry.
    pub fn token(&self) -> &str {
        &self.token
    }

    fn names_us(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|h| h.to_str().ok());
        hosts.next().is_none() && host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }

    /// `Origin` and `Sec-Fetch-Site`, where a browser sends them, name the page itself.
    fn same_origin(headers: &HeaderMap) -> bool {
        let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or_default());
        let own = format!("http://{}", text("host").unwrap_or_default());
        text("origin").is_none_or(|origin| origin.eq_ignore_ascii_case(&own))
            && text("sec-fetch-site").is_none_or(|site| site == "same-origin")
    }

    fn has_token(&self, form: &Form) -> bool {
        let given = form.get(TOKEN).as_bytes();
        bool::from(given.ct_eq(self.token.as_bytes()))
    }
}

/// The fields of a form that was let in.
#[derive(Debug, Clone, Default)]
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// A field's text without the blanks around it; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }

    /// The same, if it is not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|text| !text.is_empty())
    }
}

fn refuse(what: &'static str) -> Response {
    (StatusCode::FORBIDDEN, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], what).into_response()
}

/// Refuses requests for another host. Callbacks are exempt: their signature alone decides (a tunnel to a real
/// provider has a host name of its own).
pub async fn host(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let callback = path.starts_with("/notify/") || path.starts_with("/http/vk-pay/");
    if callback || guard.names_us(request.headers()) {
        next.run(request).await
    } else {
        refuse("403: this server answers to its own loopback address only\n")
    }
}

/// Lets only the console's own forms change anything, and hands their fields on as [`Form`]. Pages get the headers
/// that keep everything from outside out of them.
pub async fn pages(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads {
        if !Guard::same_origin(request.headers()) {
            return refuse("403: this form comes from another page\n");
        }
        let body = std::mem::replace(request.body_mut(), Body::empty());
        let Ok(bytes) = to_bytes(body, MAX_FORM).await else { return refuse("403: the form is too large\n") };
        let form = Form(form_urlencoded::parse(&bytes).into_owned().collect());
        if !guard.has_token(&form) {
            return refuse("403: the form's token is missing or of an earlier start; load the page again\n");
        }
        request.extensions_mut().insert(form);
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // `no-referrer` would make browsers send `Origin: null` with the console's own forms.
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets pages of the listed origins call the functions.
pub async fn cors(State(origins): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = origin.filter(|o| origins.iter().any(|own| o.as_bytes() == own.as_bytes()));
    let Some(origin) = allowed else { return next.run(request).await };
    let asks =
        request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    if asks {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, authorization, accept-language"),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn only_the_bound_address_is_ours() {
        let guard = Guard::new(([127, 0, 0, 1], 8787).into());
        for host in ["127.0.0.1:8787", "localhost:8787", "LOCALHOST:8787"] {
            assert!(guard.names_us(&headers(&[("host", host)])), "{host}");
        }
        for host in ["127.0.0.1", "evil.example:8787", "127.0.0.1:87", "127.0.0.1:8787.evil.example", ""] {
            assert!(!guard.names_us(&headers(&[("host", host)])), "{host}");
        }
        assert!(!guard.names_us(&headers(&[])));
    }

    #[test]
    fn another_origin_is_told_by_either_header() {
        let host = ("host", "127.0.0.1:8787");
        assert!(Guard::same_origin(&headers(&[host])));
        assert!(Guard::same_origin(&headers(&[host, ("origin", "http://127.0.0.1:8787")])));
        assert!(!Guard::same_origin(&headers(&[host, ("origin", "http://localhost:8787")])));
        assert!(!Guard::same_origin(&headers(&[host, ("origin", "null")])));
        assert!(!Guard::same_origin(&headers(&[host, ("sec-fetch-site", "same-site")])));
    }

    #[test]
    fn a_token_is_of_one_guard() {
        let (guard, other) = (Guard::new(([127, 0, 0, 1], 1).into()), Guard::new(([127, 0, 0, 1], 1).into()));
        let form = Form(BTreeMap::from([(TOKEN.to_owned(), guard.token().to_owned())]));
        assert!(guard.has_token(&form));
        assert!(!other.has_token(&form));
        assert!(!guard.has_token(&Form::default()));
    }
}
