//! Requests that the sandbox receives, and its answers.

use crate::faults::{Misbehaviour, Op};
use crate::provider::Provider;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// A wire request, read whole.
pub(crate) struct Inbound {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Inbound {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
    }

    /// Path and query as they stood on the request line.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }

    /// A parameter of the query.
    pub(crate) fn arg(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
    }
}

/// What a request is about, as far as can be told before it is verified.
pub(crate) struct Call {
    pub(crate) provider: Provider,
    pub(crate) op: Op,
    pub(crate) numbers: Vec<String>,
}

/// What goes back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// For the log.
    pub(crate) verdict: String,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>, verdict: &str) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), verdict: verdict.to_owned() }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        if !self.body.is_empty() {
            response = response.header("content-type", self.content_type);
        }
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}

/// A wire request that the sandbox received.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LoggedRequest {
    pub at: i64,
    pub provider: Provider,
    pub op: Op,
    pub method: String,
    pub path: String,
    pub number: Option<String>,
    /// The HTTP status that was answered.
    pub status: u16,
    /// `SUCCESS`, or the provider's error code and text.
    pub verdict: String,
    /// The rule that was applied.
    pub fault: Option<Misbehaviour>,
}
