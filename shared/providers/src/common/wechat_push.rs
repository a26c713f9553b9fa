//! Message push of a mini program (`docs/protocols/wxpay-virtual.md#message-push`): the URL's probe, plain mode, safe mode.
//!
//! In plain mode the signature covers neither body nor event, so such a push is only a reason to ask. In safe
//! mode `msg_signature` covers the ciphertext, and the application at its end is compared; a `signature`
//! beside it proves nothing. A mini program has one URL for all of its pushes, whoever they are for.

use crate::common::xml;
use crate::{
    CallbackError, CallbackRequest, Notice, ProviderReply, ShippingEvent, ShippingNotice, Verdict, missing_key,
};
use config::Reader;
use crypto::{aes, from_base64, hash};
use domain::{Provider, Secret};
use http::Method;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The AES-256 key of message push. It cannot be printed.
#[derive(Clone)]
pub struct PushKey([u8; 32]);

impl PushKey {
    /// The key itself, at the point where it is spent.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

/// What the console of a mini program says of its message push: the token, and the key of safe mode.
pub(crate) fn read_keys(node: &Reader<'_>) -> (Option<Secret>, Option<PushKey>) {
    let key = node.secret("encodingAESKey").and_then(|text| {
        let key = aes::encoding_aes_key(text.expose());
        if key.is_none() {
            node.fault("encodingAESKey", "must be 43 letters and digits");
        }
        key.map(PushKey)
    });
    let token = node.secret("token");
    if key.is_some() && token.is_none() && !node.has("token") {
        node.fault("token", "is missing, and encodingAESKey is of no use without it");
    }
    (token, key)
}

/// The text fields of a message, by their path: `GoodsInfo.ProductId`.
pub(crate) type Fields = BTreeMap<String, String>;

/// Whose push it must be.
pub(crate) struct Receiver<'a> {
    /// The section of the configuration, for the log.
    pub section: &'static str,
    /// The merchant in the configuration.
    pub merchant: &'a str,
    /// The mini program.
    pub app_id: &'a str,
    /// Without it no push is taken.
    pub token: Option<&'a Secret>,
    /// With it only safe mode is taken.
    pub key: Option<&'a PushKey>,
}

/// A push whose signature is right.
pub(crate) enum Push {
    /// The probe of the URL, with the text that answers it.
    Probe(String),
    /// A message that proves nothing.
    Plain(Fields),
    /// A message that only WeChat can have sealed, for this application.
    Safe(Fields),
}

/// Reads a push: its signature first.
pub(crate) fn open(receiver: &Receiver<'_>, request: &CallbackRequest<'_>) -> Result<Push, CallbackError> {
    let mut query = Fields::new();
    for (name, value) in form_urlencoded::parse(request.query.as_bytes()) {
        if query.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(CallbackError::Malformed("a parameter is there twice"));
        }
    }
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let signed_by = |more: Option<&str>, signature: &str| {
        let Some(token) = receiver.token else { return false };
        let mut parts = vec![token.expose(), parameter("timestamp"), parameter("nonce")];
        parts.extend(more);
        parts.sort_unstable();
        !signature.is_empty() && hash::same(&hash::sha1_hex(parts.concat().as_bytes()), signature)
    };
    if request.method == Method::GET {
        let echo = parameter("echostr");
        let plain = (1..=256).contains(&echo.len()) && echo.bytes().all(|b| b.is_ascii_graphic());
        return match signed_by(None, parameter("signature")) {
            true if plain => Ok(Push::Probe(echo.to_owned())),
            true => Err(CallbackError::Malformed("echostr")),
            false => Err(CallbackError::Forged("signature")),
        };
    }
    let warn = |missing| missing_key::warn(receiver.section, receiver.merchant, "mp-weixin", missing);
    let Some(key) = receiver.key else {
        if !signed_by(None, parameter("signature")) {
            return Err(CallbackError::Forged("signature"));
        }
        let message = fields(request.body).ok_or(CallbackError::Malformed("neither JSON nor XML"))?;
        if message.contains_key("Encrypt") && !message.contains_key("Event") {
            warn("a push in safe mode, and encodingAESKey is missing");
            return Err(CallbackError::Forged("in safe mode, and no key opens it"));
        }
        return Ok(Push::Plain(message));
    };
    let outer = fields(request.body).ok_or(CallbackError::Malformed("neither JSON nor XML"))?;
    let sealed = outer.get("Encrypt").ok_or_else(|| {
        warn("a push in plain mode, and encodingAESKey is there: set the console to safe mode, or leave it out");
        CallbackError::Forged("not in safe mode")
    })?;
    if !signed_by(Some(sealed), parameter("msg_signature")) {
        return Err(CallbackError::Forged("msg_signature"));
    }
    let sealed = from_base64(sealed).map_err(|_| CallbackError::Malformed("Encrypt"))?;
    let plain = aes::cbc256_decrypt(key.expose(), &sealed).map_err(|_| CallbackError::Forged("does not decrypt"))?;
    let message = unpack(&plain, receiver.app_id).ok_or(CallbackError::Forged("another application's message"))?;
    Ok(Push::Safe(fields(message).ok_or(CallbackError::Malformed("the message inside"))?))
}

/// 16 random bytes, the length, the message, the application: the message, if the application is ours.
fn unpack<'a>(plain: &'a [u8], app_id: &str) -> Option<&'a [u8]> {
    let (_, rest) = plain.split_at_checked(16)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (message, receiver) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (receiver == app_id.as_bytes()).then_some(message)
}

/// A message in JSON or XML, as its texts and numbers by their path.
fn fields(body: &[u8]) -> Option<Fields> {
    fn walk(prefix: &str, map: &Map<String, Value>, into: &mut Fields, depth: usize) {
        for (name, value) in map {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::String(text) => drop(into.insert(path, text.clone())),
                Value::Number(number) => drop(into.insert(path, number.to_string())),
                Value::Object(map) if depth > 0 => walk(&path, map, into, depth - 1),
                _ => {}
            }
        }
    }
    if is_xml(body) {
        return xml::read_nested(body, 3).ok().map(|document| document.fields);
    }
    match serde_json::from_slice(body).ok()? {
        Value::Object(map) => {
            let mut into = Fields::new();
            walk("", &map, &mut into, 3);
            Some(into)
        }
        _ => None,
    }
}

fn is_xml(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

/// A message that asks for nothing, by the name of its event.
pub(crate) fn other(message: &Fields) -> Notice {
    let name = message.get("Event").map(String::as_str).unwrap_or("a message without an event");
    Notice::Other(name.chars().filter(char::is_ascii_graphic).take(64).collect())
}

/// What a push of shipping speaks of (`docs/protocols/merchant-operations.md#message-pushes`); `None` for other events. In
/// either mode it makes us ask, so that an old one that is sent again says nothing that is no longer so. Who has
/// confirmed (`confirm_receive_method`) is not read: it arrives opposite to its documentation.
pub(crate) fn shipping(merchant: &str, app_id: &str, message: &Fields) -> Option<Result<Notice, CallbackError>> {
    let event = match message.get("Event").map(String::as_str)? {
        "trade_manage_remind_shipping" => ShippingEvent::Overdue,
        "trade_manage_order_settlement" => ShippingEvent::Moved,
        _ => return None,
    };
    let text = |name: &str| message.get(name).filter(|text| !text.trim().is_empty()).cloned();
    let Some(transaction_id) = text("transaction_id") else {
        return Some(Err(CallbackError::Malformed("transaction_id")));
    };
    Some(Ok(Notice::Shipping(ShippingNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        app_id: app_id.to_owned(),
        transaction_id,
        event,
    })))
}

/// In the push's own format, unencrypted.
pub(crate) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let (status, code, text) = match verdict {
        Verdict::Accepted => (200, 0, "success"),
        Verdict::Rejected => (403, 1, "refused"),
        Verdict::Retry => (500, 1, "try again"),
    };
    match is_xml(request.body) {
        true => ProviderReply {
            status,
            content_type: "application/xml; charset=utf-8",
            body: format!("<xml><ErrCode>{code}</ErrCode><ErrMsg><![CDATA[{text}]]></ErrMsg></xml>"),
        },
        false => ProviderReply {
            status,
            content_type: "application/json; charset=utf-8",
            body: format!(r#"{{"ErrCode":{code},"ErrMsg":"{text}"}}"#),
        },
    }
}
