//! ecpay, 担保支付 (`docs/protocols/douyin.md#ecpay`): MD5 over sorted values and the salt; callbacks under SHA-1
//! with the token. The callback's `type` is not signed, so the fields inside `msg` say what it is.

use super::{app_host, judged};
use crate::alipay::clock;
use crate::douyin::{DouyinNode, Ecpay};
use crate::{
    CallError, CallbackError, CallbackRequest, CreateRequest, Created, Notice, ProviderClients, RefundNotice,
    RefundProgress, RefundRequest, RefundStanding, Standing, if_known, text_of,
};
use crypto::hash;
use domain::{Attempt, Fen, Parties, Payment, Provider, Refund, Secret, UnixMs};
use net::provider_http::Request;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long an order may live there.
const VALID: std::ops::RangeInclusive<Duration> = Duration::from_mins(5)..=Duration::from_hours(48);

/// The text whose MD5 is `sign`: the values that are not empty, and the salt among them, sorted by bytes.
pub fn signing_text(body: &Map<String, Value>, salt: &Secret) -> String {
    const SKIPPED: [&str; 4] = ["sign", "app_id", "thirdparty_id", "other_settle_params"];
    let mut values: Vec<String> = body
        .iter()
        .filter(|(name, _)| !SKIPPED.contains(&name.as_str()))
        .map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .map(|text| {
            let text = text.trim();
            let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
            inner.trim().to_owned()
        })
        .filter(|text| !text.is_empty() && text != "null")
        .collect();
    values.push(salt.expose().to_owned());
    values.sort_unstable();
    values.join("&")
}

pub(super) async fn call(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Ecpay,
    name: &str,
    fields: Vec<(&str, Value)>,
) -> Result<Map<String, Value>, CallError> {
    let mut body = Map::new();
    body.insert("app_id".to_owned(), json!(node.app_id));
    body.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let sign = hash::md5_hex(signing_text(&body, &keys.salt).as_bytes());
    body.insert("sign".to_owned(), json!(sign));
    let url = format!("{}/api/apps/ecpay/v1/{name}", app_host(node));
    let request = Request::post_json(&url, Value::Object(body).to_string().into_bytes());
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("{name}: HTTP {}", answer.status))),
    }
}

pub(super) fn done(answer: &Map<String, Value>) -> bool {
    answer.get("err_no").and_then(Value::as_i64) == Some(0)
}

/// At most 42 characters and 128 bytes.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(42).collect();
    while cut.len() > 128 {
        cut.pop();
    }
    cut
}

pub(super) async fn create(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Ecpay,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    // In whole seconds, as it is sent.
    let left = Duration::from_secs(order.time_expire.since(request.now).as_secs());
    let valid = left.clamp(*VALID.start(), *VALID.end());
    let subject = cut(&order.description);
    let fields = vec![
        ("out_order_no", json!(attempt.number)),
        ("total_amount", json!(order.total_fee)),
        ("subject", json!(subject)),
        ("body", json!(subject)),
        ("valid_time", json!(valid.as_secs())),
        ("notify_url", json!(request.notify_url)),
    ];
    let answer = call(clients, node, keys, "create_order", fields).await?;
    if !done(&answer) {
        return judged("create_order", &answer);
    }
    let data = answer.get("data").and_then(Value::as_object);
    let text = |name: &str| data.and_then(|data| text_of(data, name)).filter(|text| !text.is_empty());
    let (Some(id), Some(token)) = (text("order_id"), text("order_token")) else {
        return Err(CallError::unknown("create_order: no order_id or order_token"));
    };
    Ok(Created {
        order_info: json!({ "order_id": id, "order_token": token }),
        code_url: None,
        fresh_until: order.time_expire.min(request.now + valid),
        number: None,
        payment: None,
    })
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Ecpay,
    merchant: &str,
    attempt: &Attempt,
) -> Result<Standing, CallError> {
    let fields = vec![("out_order_no", json!(attempt.number))];
    let answer = call(clients, node, keys, "query_order", fields).await?;
    if !done(&answer) {
        return if_known(judged("query_order", &answer)).map(|standing| standing.unwrap_or(Standing::Missing));
    }
    if text_of(&answer, "out_order_no").is_some_and(|own| own != attempt.number) {
        return Err(CallError::unknown("query_order: another order"));
    }
    let empty = Map::new();
    let info = answer.get("payment_info").and_then(Value::as_object).unwrap_or(&empty);
    let dated = text_of(info, "pay_time").and_then(clock::read).is_some();
    match text_of(info, "order_status") {
        Some("SUCCESS") => {}
        Some(status) if dated => return Err(CallError::Unknown(format!("query_order: {status}, and yet a pay_time"))),
        Some("TIMEOUT") => return Ok(Standing::Closed),
        // Also the word for an order that nobody has begun to pay.
        Some("PROCESSING" | "FAIL") => return Ok(Standing::Unpaid { paying: false }),
        other => {
            return Err(CallError::Unknown(format!("query_order: order_status {}", other.unwrap_or("is missing"))));
        }
    }
    let total = info.get("total_fee").and_then(Value::as_u64);
    let (Some(id), Some(total)) = (text_of(&answer, "order_id"), total) else {
        return Err(CallError::unknown("query_order: no order_id or no total_fee"));
    };
    let kept = ["total_fee", "order_status", "pay_time", "way", "channel_no"];
    Ok(Standing::Paid(vec![Payment {
        total: Some(Fen(total)),
        paid_at: text_of(info, "pay_time").and_then(clock::read),
        info: crate::kept(&kept, info),
        ..Payment::new(Provider::Douyin, merchant, attempt.number.as_str(), id)
    }]))
}

pub(super) async fn refund(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Ecpay,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let reason = if request.reason.is_empty() { "refund" } else { request.reason };
    let fields = vec![
        ("out_order_no", json!(request.attempt.number)),
        ("out_refund_no", json!(request.out_refund_no)),
        ("reason", json!(reason)),
        ("refund_amount", json!(request.refund)),
        ("notify_url", json!(request.notify_url)),
    ];
    let answer = call(clients, node, keys, "create_refund", fields).await?;
    if !done(&answer) {
        return judged("create_refund", &answer);
    }
    let refund_id = text_of(&answer, "refund_no").map(str::to_owned);
    Ok(standing(RefundProgress::Processing(None), refund_id, None, None))
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Ecpay,
    refund: &Refund,
) -> Result<RefundStanding, CallError> {
    let fields = vec![("out_refund_no", json!(refund.out_refund_no))];
    let answer = call(clients, node, keys, "query_refund", fields).await?;
    if !done(&answer) {
        return judged("query_refund", &answer);
    }
    let Some(info) = answer.get("refundInfo").and_then(Value::as_object) else {
        return Err(CallError::unknown("query_refund: no refundInfo"));
    };
    let amount = info.get("refund_amount").and_then(Value::as_u64).map(Fen);
    let at = info.get("refunded_at").and_then(Value::as_i64);
    let progress = progress(text_of(info, "refund_status"), text_of(info, "msg"));
    Ok(standing(progress, text_of(info, "refund_no").map(str::to_owned), amount, at))
}

fn progress(status: Option<&str>, message: Option<&str>) -> RefundProgress {
    match status {
        Some("SUCCESS") => RefundProgress::Success,
        Some("FAIL") => RefundProgress::Closed(message.unwrap_or("FAIL").chars().take(100).collect()),
        _ => RefundProgress::Processing(None),
    }
}

fn standing(
    progress: RefundProgress,
    refund_id: Option<String>,
    refund: Option<Fen>,
    seconds: Option<i64>,
) -> RefundStanding {
    let refunded_at = seconds.filter(|s| *s > 0).and_then(UnixMs::from_secs);
    RefundStanding { refund_id, refund, refunded_at, ..RefundStanding::new(progress) }
}

/// Reads a callback.
pub(super) fn read(
    node: &DouyinNode,
    keys: &Ecpay,
    merchant: &str,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let Ok(Value::Object(body)) = serde_json::from_slice(request.body) else {
        return Err(CallbackError::Malformed("not a JSON object"));
    };
    let field = |name: &str| match body.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (Some(timestamp), Some(nonce), Some(msg), Some(signature)) =
        (field("timestamp"), field("nonce"), field("msg"), field("msg_signature"))
    else {
        return Err(CallbackError::Forged("not signed"));
    };
    // The parts are signed without anything between them, so none may hold a piece of the message.
    if [&timestamp, &nonce].iter().any(|part| part.contains(['{', '}', '"'])) {
        return Err(CallbackError::Malformed("timestamp or nonce"));
    }
    let mut parts = [keys.token.expose(), &timestamp, &nonce, &msg];
    parts.sort_unstable();
    if !hash::same(&hash::sha1_hex(parts.concat().as_bytes()), &signature) {
        return Err(CallbackError::Forged("msg_signature"));
    }
    let Ok(Value::Object(message)) = serde_json::from_str(&msg) else {
        return Err(CallbackError::Malformed("msg is not a JSON object"));
    };
    let text = |name: &str| text_of(&message, name).filter(|text| !text.is_empty());
    if text("appid").or_else(|| text("app_id")) != Some(&node.app_id) {
        return Err(CallbackError::Forged("another application's message"));
    }
    let amount = |name: &str| message.get(name).and_then(Value::as_u64).map(Fen);
    let seconds = |name: &str| message.get(name).and_then(Value::as_i64);
    match (text("cp_orderno"), text("cp_refundno")) {
        (Some(_), Some(_)) => Err(CallbackError::Malformed("both an order and a refund")),
        (Some(_), None) if text("status") != Some("SUCCESS") => Ok(Notice::Other("ecpay, not paid".to_owned())),
        (Some(number), None) => {
            const KEPT: [&str; 7] =
                ["cp_orderno", "order_id", "way", "channel_no", "payment_order_no", "total_amount", "paid_at"];
            Ok(Notice::Payment(Box::new(Payment {
                total: Some(amount("total_amount").ok_or(CallbackError::Malformed("total_amount"))?),
                app_id: Some(node.app_id.clone()),
                paid_at: seconds("paid_at").and_then(UnixMs::from_secs),
                info: crate::kept(&KEPT, &message),
                ..Payment::new(
                    Provider::Douyin,
                    merchant,
                    number,
                    text("order_id").ok_or(CallbackError::Malformed("order_id"))?,
                )
            })))
        }
        (None, Some(refund)) => Ok(Notice::Refund(Box::new(RefundNotice {
            provider: Provider::Douyin,
            merchant: merchant.to_owned(),
            number: None,
            transaction_id: text("order_id").map(str::to_owned),
            share: None,
            returned: None,
            out_refund_no: refund.to_owned(),
            standing: standing(
                progress(text("status"), text("message")),
                text("refund_no").map(str::to_owned),
                Some(amount("refund_amount").ok_or(CallbackError::Malformed("refund_amount"))?),
                seconds("refunded_at"),
            ),
            mch_id: None,
            parties: Parties::default(),
            payment: None,
            signed: true,
            info: json!({ "cp_refundno": refund, "status": text("status"), "order_id": text("order_id") }),
        }))),
        (None, None) => Ok(Notice::Other("ecpay, another kind".to_owned())),
    }
}
