//! One call of APIv3: signed, sent, and its answer verified (`docs/protocols/wechat.md#signing-a-request`).
//!
//! Only a 2xx is verified, because errors carry no signature. A 2xx that cannot be verified leaves the
//! outcome unknown.

use super::failure::{judge_v3, ours};
use super::signing::{self, Signed};
use crate::common::body;
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients};
use crypto;
use domain::UnixMs;
use http::Method;
use net::provider_http::{Answer, Http, HttpError, Request};
use serde::Serialize;
use serde_json::Value;

pub(super) const USER_AGENT: &str = concat!("vk-pay-bundle/", env!("CARGO_PKG_VERSION"), " rust");

/// The URL of a target (path with query), and the target as it stands on the request line: another gateway
/// may have a path of its own.
pub(super) fn address(node: &WxpayNode, host: &str, target: &str) -> (String, String) {
    let base = node.api_base.as_deref().unwrap_or(host);
    let prefix = base.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let line = if prefix.is_empty() { target.to_owned() } else { format!("/{prefix}{target}") };
    (format!("{base}{target}"), line)
}

/// What a call asks for.
pub(super) struct Ask<'a> {
    method: Method,
    /// Path with query, percent-encoded.
    target: &'a str,
    body: Vec<u8>,
    /// The serial number of WeChat Pay's key that fields of the body are encrypted to.
    serial: Option<&'a str>,
}

impl<'a> Ask<'a> {
    /// Asks by a target.
    pub(super) const fn get(target: &'a str) -> Self {
        Self { method: Method::GET, target, body: Vec::new(), serial: None }
    }

    /// Posts nothing.
    pub(super) const fn post(target: &'a str) -> Self {
        Self { method: Method::POST, target, body: Vec::new(), serial: None }
    }

    /// Posts a body; its text is signed.
    pub(super) fn json(target: &'a str, body: &impl Serialize) -> Self {
        Self { body: body::text_of(body).into_bytes(), ..Self::post(target) }
    }

    /// The same as a PUT.
    pub(super) fn put(target: &'a str, body: &impl Serialize) -> Self {
        Self { method: Method::PUT, ..Self::json(target, body) }
    }

    /// Asks or tells by a target, in another way.
    pub(super) const fn bare(method: Method, target: &'a str) -> Self {
        Self { method, target, body: Vec::new(), serial: None }
    }

    /// The same with a body.
    pub(super) fn with(method: Method, target: &'a str, body: &impl Serialize) -> Self {
        Self { body: body::text_of(body).into_bytes(), ..Self::bare(method, target) }
    }

    /// With fields that are encrypted to WeChat Pay's key of that serial number.
    pub(super) fn sealed_to(self, serial: &'a str) -> Self {
        Self { serial: Some(serial), ..self }
    }
}

/// Signs and sends; the answer is not verified yet.
pub(super) async fn send(
    http: &Http,
    node: &WxpayNode,
    v3: &V3,
    ask: Ask<'_>,
    now: UnixMs,
) -> Result<Answer, CallError> {
    let Ask { method, target, body, serial } = ask;
    let serial = serial.or(v3.public_key.as_ref().map(|(id, _)| id.as_str()));
    let (url, line) = address(node, v3.scheme.host, target);
    let (timestamp, nonce) = (now.secs(), crypto::nonce());
    let message = signing::request_message(method.as_str(), &line, timestamp, &nonce, &body);
    let signature = v3.private_key.sign(&message).map_err(|_| ours("SIGN", "the request cannot be signed"))?;
    let mut headers = vec![
        ("accept", "application/json".to_owned()),
        ("user-agent", USER_AGENT.to_owned()),
        (
            "authorization",
            signing::authorization_of(v3.scheme, &node.mch_id, &v3.serial_no, timestamp, &nonce, &signature),
        ),
    ];
    if !body.is_empty() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    if let Some(serial) = serial {
        headers.push((v3.scheme.headers[3], serial.to_owned()));
    }
    http.send(Request { method, url: &url, headers, body, identity: None }).await.map_err(|e| not_sent(&e))
}

/// What it means that there is no answer.
pub(super) fn not_sent(error: &HttpError) -> CallError {
    match error {
        HttpError::Identity => ours("CERT_ERROR", "the client certificate cannot be used"),
        HttpError::Connect(_) | HttpError::Lost(_) | HttpError::TooLarge(_) => CallError::unknown(error),
    }
}

/// Calls and verifies. An empty answer (204) is `Value::Null`.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    ask: Ask<'_>,
    now: UnixMs,
) -> Result<Value, CallError> {
    let answer = send(&clients.http, node, v3, ask, now).await?;
    read(clients, node, v3, &answer, now).await
}

/// Judges and verifies an answer.
pub(super) async fn read(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    answer: &Answer,
    now: UnixMs,
) -> Result<Value, CallError> {
    if answer.status == 202 || !(200..300).contains(&answer.status) {
        return Err(judge_v3(answer.status, &answer.body));
    }
    verify(clients, node, v3, answer, now).await.map_err(CallError::unknown)?;
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&answer.body).map_err(|_| CallError::unknown("the answer is not JSON"))
}

async fn verify(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    answer: &Answer,
    now: UnixMs,
) -> Result<(), &'static str> {
    let signed = Signed::read(&answer.headers, v3.scheme).map_err(|_| "the answer is not signed")?;
    let key = clients
        .wxpay
        .key(&clients.http, node, v3, signed.serial, now)
        .await
        .map_err(|_| "the answer is signed with an unknown key")?;
    if !signed.verified_by(&key, &answer.body) {
        return Err("the answer's signature is wrong");
    }
    if !signed.is_fresh(now) {
        return Err("the answer's signed time is outside the window");
    }
    Ok(())
}
