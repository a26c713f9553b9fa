//! One call of Payment Kit: signed with RSASSA-PSS, its answer verified with SM2 (`docs/protocols/huawei.md#signing`).

use super::canonical::{canonical, canonical_without};
use crate::huawei::{HuaweiNode, PaymentKit};
use crate::{CallError, Meaning, ProviderClients, Refusal, text_of};
use domain::UnixMs;
use http::Method;
use net::provider_http::Request;
use serde_json::{Map, Value, json};

/// `resultCode` of refusals that say by `subCode` what they mean.
const BUSINESS: &str = "400000";
const LIVE: &str = "https://petalpay-developer.cloud.huawei.com.cn";
const SANDBOX: &str = "https://petalpay-developer-sandbox.cloud.huawei.com.cn";

fn host(node: &HuaweiNode) -> &str {
    node.api_base.as_deref().unwrap_or(if node.sandbox { SANDBOX } else { LIVE })
}

/// `PayMercAuth`: who calls, and two signatures, the second over the first.
fn authorization(keys: &PaymentKit, signed: &str, now: UnixMs) -> Option<String> {
    let body_sign = keys.private_key.sign_pss(signed.as_bytes()).ok()?;
    let mut header = Map::new();
    header.insert("callerId".to_owned(), json!(keys.merc_no));
    header.insert("traceId".to_owned(), json!(format!("{now}{}", hex::encode(crypto::random::<8>()))));
    header.insert("time".to_owned(), json!(now));
    header.insert("authId".to_owned(), json!(keys.auth_id));
    header.insert("bodySign".to_owned(), json!(body_sign));
    let text = canonical_without(&Value::Object(header.clone()).to_string(), "headerSign")?;
    header.insert("headerSign".to_owned(), json!(keys.private_key.sign_pss(text.as_bytes()).ok()?));
    Some(Value::Object(header).to_string())
}

/// Calls a path (with its query, as sent). Without a right signature an answer proves nothing.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    path: &str,
    body: Option<&Value>,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let text = body.map(Value::to_string).unwrap_or_default();
    let signed = if body.is_some() { canonical(&text) } else { Some(path.to_owned()) };
    let Some(authorization) = signed.and_then(|signed| authorization(keys, &signed, now)) else {
        return Err(CallError::unknown("the request cannot be signed"));
    };
    let request = Request {
        method: if body.is_some() { Method::POST } else { Method::GET },
        url: &format!("{}{path}", host(node)),
        headers: vec![
            ("content-type", "application/json; charset=UTF-8".to_owned()),
            ("accept", "application/json".to_owned()),
            ("paymercauth", authorization),
        ],
        body: text.into_bytes(),
        identity: None,
    };
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    if answer.status != 200 {
        return Err(CallError::Unknown(format!("{path}: HTTP {}", answer.status)));
    }
    let Some(answer) = verified(keys, &answer.body) else {
        return Err(CallError::Unknown(format!("{path}: the answer is not signed by Huawei")));
    };
    judge(path, answer)
}

/// The object of a text that Huawei signed.
pub(super) fn verified(keys: &PaymentKit, body: &[u8]) -> Option<Map<String, Value>> {
    let text = std::str::from_utf8(body).ok()?;
    let Value::Object(object) = serde_json::from_str(text).ok()? else { return None };
    let sign = text_of(&object, "sign")?;
    keys.platform_key.verify(canonical(text)?.as_bytes(), sign).then_some(object)
}

fn judge(path: &str, answer: Map<String, Value>) -> Result<Map<String, Value>, CallError> {
    let code = text_of(&answer, "resultCode").unwrap_or_default();
    let sub = text_of(&answer, "subCode").unwrap_or_default();
    match (code, sub) {
        ("000000", _) => return Ok(answer),
        ("" | "300000" | "500000", _) | (_, "UNKNOW_ERROR") => {
            return Err(CallError::Unknown(format!("{path}: {code} {sub}")));
        }
        _ => {}
    }
    let meaning = match sub {
        "CHECK_ORDER_STATUS" | "CHECK_TRANSACTION_ORDER_STATUS" | "NEED_CHANGE_ORDER" => Meaning::NumberUsed,
        "ORDER_CONCURRENT_ERROR" => Meaning::TooSoon,
        // Of an order the two words of the public table; how a refund that is not known is called is not public.
        "MERC_ORDER_NOT_EXIST" | "PAY_ORDER_NOT_EXIST" if code == BUSINESS => Meaning::Missing,
        sub if code == BUSINESS && sub.contains("REFUND") && sub.ends_with("NOT_EXIST") => Meaning::Missing,
        _ => Meaning::No,
    };
    let message = text_of(&answer, "subDesc").or_else(|| text_of(&answer, "resultDesc")).unwrap_or_default();
    let message = message.chars().take(200).collect();
    Err(CallError::Refused(Refusal { code: if sub.is_empty() { code } else { sub }.to_owned(), message, meaning }))
}
