//! One call of VksPay: JSON to one endpoint, MD5 over the sorted fields (`docs/protocols/vkspay.md#vkspay`).

use crate::vkspay::VkspayNode;
use crate::{CallError, ProviderClients};
use crypto::hash;
use domain::{Secret, UnixMs};
use http::Method;
use net::provider_http::Request;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The text that is signed: fields sorted by name, joined as they are sent, empty ones too, then the key.
pub fn signing_text(fields: &Map<String, Value>, key: &Secret) -> String {
    let mut names: Vec<&String> = fields.keys().filter(|name| *name != "sign").collect();
    names.sort();
    let mut text = String::new();
    for name in names {
        let value = &fields[name];
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("{name}={value}&"));
    }
    text.push_str("key=");
    text.push_str(key.expose());
    text
}

/// Calls a method. The answer is not signed; it is taken for what TLS is worth.
///
/// # Errors
/// When there is no answer, or one that is none.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &VkspayNode,
    key: &Secret,
    method: &str,
    fields: &[(&str, String)],
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let digits: String = crypto::random::<8>().iter().map(|b| char::from(b'1' + b % 9)).collect();
    let mut body = Map::new();
    body.insert("method".to_owned(), json!(method));
    body.insert("merchantno".to_owned(), json!(node.mch_id));
    body.insert("signaturenonce".to_owned(), json!(digits));
    body.insert("timestamp".to_owned(), json!(now.secs()));
    body.insert("version".to_owned(), json!("2.0"));
    body.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    let sign = hash::md5_hex(signing_text(&body, key).as_bytes());
    body.insert("sign".to_owned(), json!(sign));
    let request = Request {
        method: Method::POST,
        url: &node.api_base,
        headers: vec![("content-type", "application/json; charset=utf-8".to_owned())],
        body: Value::Object(body).to_string().into_bytes(),
        identity: None,
    };
    let answer = clients.http.send_within(request, Duration::from_secs(node.timeout)).await;
    let answer = answer.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 && map.get("return_code").is_some_and(Value::is_string) => {
            Ok(map)
        }
        _ => Err(CallError::Unknown(format!("{method}: HTTP {}, not an answer of VksPay", answer.status))),
    }
}
