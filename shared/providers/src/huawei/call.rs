//! One call of Payment Kit: signed with RSASSA-PSS, its answer verified with SM2 (`docs/protocols/huawei.md#signing`).

use super::canonical::{canonical, canonical_without};
use crate::common::body;
use crate::huawei::{HuaweiNode, PaymentKit};
use crate::{CallError, Meaning, ProviderClients, Refusal, text_of};
use domain::UnixMs;
use http::Method;
use net::provider_http::{Answer, Request};
use serde::Serialize;
use serde_json::{Map, Value};

/// `resultCode` of refusals that say by `subCode` what they mean.
const BUSINESS: &str = "400000";
const LIVE: &str = "https://petalpay-developer.cloud.huawei.com.cn";
const SANDBOX: &str = "https://petalpay-developer-sandbox.cloud.huawei.com.cn";

fn host(node: &HuaweiNode) -> &str {
    node.api_base.as_deref().unwrap_or(if node.sandbox { SANDBOX } else { LIVE })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PayMercAuth<'a> {
    caller_id: &'a str,
    trace_id: String,
    time: UnixMs,
    auth_id: &'a str,
    body_sign: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    header_sign: Option<String>,
}

/// `PayMercAuth`: who calls, and two signatures, the second over the first.
fn authorization(keys: &PaymentKit, signed: &str, now: UnixMs) -> Option<String> {
    let mut header = PayMercAuth {
        caller_id: &keys.merc_no,
        trace_id: format!("{now}{}", hex::encode(crypto::random::<8>())),
        time: now,
        auth_id: &keys.auth_id,
        body_sign: keys.private_key.sign_pss(signed.as_bytes()).ok()?,
        header_sign: None,
    };
    let text = canonical_without(&body::text_of(&header), "headerSign")?;
    header.header_sign = Some(keys.private_key.sign_pss(text.as_bytes()).ok()?);
    Some(body::text_of(&header))
}

/// Calls a path (with its query, as sent); a body is signed as it stands. Without a right signature an answer proves nothing.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    path: &str,
    body: Option<String>,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let answer = post(clients, node, keys, path, body, now).await?;
    if answer.status != 200 {
        return Err(CallError::Unknown(format!("{path}: HTTP {}", answer.status)));
    }
    let Some(answer) = verified(keys, &answer.body) else {
        return Err(CallError::Unknown(format!("{path}: the answer is not signed by Huawei")));
    };
    judge(path, answer)
}

/// Signs and sends; the answer is neither verified nor judged.
pub(super) async fn post(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    path: &str,
    body: Option<String>,
    now: UnixMs,
) -> Result<Answer, CallError> {
    let signed = body.as_deref().map_or_else(|| Some(path.to_owned()), canonical);
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
        body: body.unwrap_or_default().into_bytes(),
        identity: None,
    };
    clients.http.send(request).await.map_err(CallError::unknown)
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
