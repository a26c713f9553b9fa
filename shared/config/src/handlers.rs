//! `handlers.<type>`: type handlers of the merchant's own, reached by HTTP or as a Lambda function.

use super::reader::Reader;
use super::weakness::weakness;
use crypto::aes;
use domain::Secret;
use net::egress;
use std::time::Duration;

/// A handler that is told of paid orders.
#[derive(Clone)]
pub struct Forward {
    /// Where it is.
    pub target: Target,
    /// The order is sent encrypted with `notifyKey`, in one of VK-Pay's modes.
    pub encrypt: Option<aes::Mode>,
    /// How long its answer may take.
    pub timeout: Duration,
}

/// Where a handler is.
#[derive(Clone)]
pub enum Target {
    /// Behind a URL.
    Http {
        /// https, or http to a literal loopback address.
        url: String,
        /// Sent along as `key`.
        key: Option<Secret>,
        /// Private addresses are allowed: a receiver in the VPC.
        allow_private: bool,
    },
    /// A Lambda function.
    Lambda {
        /// Its name or ARN.
        function: String,
        /// The order is wrapped as `{"$url": url, "data": order}`, for VK's router.
        url: Option<String>,
    },
}

const LONGEST_TYPE: usize = 64;

pub(super) fn read(handlers: &Reader<'_>, name: &str) -> Option<Forward> {
    if name.is_empty() || name.len() > LONGEST_TYPE {
        handlers.fault(name, "must be 1 to 64 bytes");
    }
    let kinds = handlers.object(name)?;
    let forward = match (kinds.has("http"), kinds.has("lambda")) {
        (true, false) => read_http(&kinds.object("http")?),
        (false, true) => read_lambda(&kinds.object("lambda")?),
        _ => {
            handlers.fault(name, "must have either http or lambda");
            return None;
        }
    };
    kinds.refuse_unknown();
    forward
}

fn read_http(http: &Reader<'_>) -> Option<Forward> {
    let url = http.required("url");
    let allow_private = http.flag("allowPrivate").unwrap_or(false);
    let checked = url.as_deref().map(|url| egress::check(url, allow_private));
    if let Some(Err(refused)) = &checked {
        http.fault("url", refused.to_string());
    }
    let key = http.entered_secret("key");
    let (encrypt, timeout) = read_common(http);
    if encrypt.is_some() && key.is_some() {
        http.fault("key", "stands beside encrypt; only one of them is sent");
    }
    http.refuse_unknown();
    let target = Target::Http { url: url?, key, allow_private };
    checked?.ok()?;
    Some(Forward { target, encrypt, timeout })
}

fn read_lambda(lambda: &Reader<'_>) -> Option<Forward> {
    let function = lambda.required("function");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_:$.".contains(c);
    if function.as_ref().is_some_and(|name| name.len() > 256 || !name.chars().all(plain)) {
        lambda.fault("function", "must be the name or the ARN of a function");
    }
    let url = lambda.text("url");
    let (encrypt, timeout) = read_common(lambda);
    lambda.refuse_unknown();
    Some(Forward { target: Target::Lambda { function: function?, url }, encrypt, timeout })
}

fn read_common(node: &Reader<'_>) -> (Option<aes::Mode>, Duration) {
    let timeout = node.integer("timeoutMs", 100..=10_000).unwrap_or(5_000);
    let encrypt = match node.given("encrypt") {
        None | Some(serde_json::Value::Bool(false)) => None,
        Some(serde_json::Value::Bool(true)) => Some(aes::Mode::Aes192),
        Some(value) => match value.as_str() {
            Some("aes192") => Some(aes::Mode::Aes192),
            Some("aes-256-ecb") => Some(aes::Mode::Aes256Ecb),
            _ => {
                node.fault("encrypt", "must be true, aes192 or aes-256-ecb");
                None
            }
        },
    };
    (encrypt, Duration::from_millis(timeout))
}

/// Whether a `notifyKey` that is absent is needed by one of the handlers.
pub(super) fn needs_key(handlers: &Reader<'_>) -> bool {
    handlers.keys().any(|name| {
        let kind = |kind: &str| handlers.raw(name).and_then(|h| h.get(kind)).and_then(|h| h.get("encrypt"));
        [kind("http"), kind("lambda")]
            .into_iter()
            .flatten()
            .any(|value| value.as_bool() == Some(true) || value.as_str().is_some_and(|text| weakness(text).is_none()))
    })
}
