//! `handlers.<type>`: type handlers of the merchant's own, reached by HTTP, as a Lambda function, or
//! by a bus of EventBridge.

use super::asked::Kind;
use super::reader::{LONGEST_TYPE, Reader};
use super::weakness::weakness;
use crypto::aes;
use domain::Secret;
use net::egress;
use serde_json::json;
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
    /// It delivers instead of the handler in Rust that its type has.
    pub replaces: bool,
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
    /// A bus of EventBridge. What it takes is delivered: it keeps the event, and tries its targets by itself.
    EventBus {
        /// Its name or ARN.
        bus: String,
        /// `Source` of the event.
        source: String,
        /// `DetailType` of the event.
        detail_type: String,
    },
}

/// What a handler may be, by the name of its object.
const KINDS: [&str; 3] = ["http", "lambda", "eventBridge"];

pub(super) fn read(handlers: &Reader<'_>, name: &str) -> Option<Forward> {
    if name.is_empty() || name.len() > LONGEST_TYPE {
        handlers.fault(name, "must be 1 to 64 bytes");
    }
    let kinds = handlers.object(name)?;
    kinds.asks("", || Kind::OneOf(KINDS.map(str::to_owned).to_vec()));
    let replaces = kinds.flag("replaces").unwrap_or(false);
    let forward = match KINDS.map(|kind| kinds.has(kind)) {
        [true, false, false] => read_http(&kinds.object("http")?),
        [false, true, false] => read_lambda(&kinds.object("lambda")?),
        [false, false, true] => read_event_bus(&kinds.object("eventBridge")?),
        _ => {
            KINDS.iter().for_each(|kind| kinds.asks(kind, || Kind::Object));
            handlers.fault(name, "must have one of http, lambda and eventBridge");
            return None;
        }
    };
    kinds.refuse_unknown();
    forward.map(|forward| Forward { replaces, ..forward })
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
    Some(Forward { target, encrypt, timeout, replaces: false })
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
    Some(Forward { target: Target::Lambda { function: function?, url }, encrypt, timeout, replaces: false })
}

fn read_event_bus(node: &Reader<'_>) -> Option<Forward> {
    let bus = node.required("bus");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if bus.as_ref().is_some_and(|name| name.len() > 1600 || !name.chars().all(plain)) {
        node.fault("bus", "must be the name or the ARN of an event bus");
    }
    let source = node.text("source").unwrap_or_else(|| "vk-pay".to_owned());
    // EventBridge keeps that beginning to itself.
    if source.len() > 256 || source.starts_with("aws.") {
        node.fault("source", "must be 1 to 256 bytes, and not begin with aws.");
    }
    let detail_type = node.text("detailType").unwrap_or_else(|| "order.delivery".to_owned());
    if detail_type.len() > 128 {
        node.fault("detailType", "must be 1 to 128 bytes");
    }
    let (encrypt, timeout) = read_common(node);
    node.refuse_unknown();
    Some(Forward { target: Target::EventBus { bus: bus?, source, detail_type }, encrypt, timeout, replaces: false })
}

fn read_common(node: &Reader<'_>) -> (Option<aes::Mode>, Duration) {
    let timeout = node.integer("timeoutMs", 100..=10_000).unwrap_or(5_000);
    node.asks("encrypt", || {
        let form = json!({ "enum": [true, false, "aes192", "aes-256-ecb", null] });
        Kind::Form(form, vec![json!(true)])
    });
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
        KINDS
            .map(kind)
            .into_iter()
            .flatten()
            .any(|value| value.as_bool() == Some(true) || value.as_str().is_some_and(|text| weakness(text).is_none()))
    })
}
