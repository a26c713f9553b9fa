//! Payment Kit: orders and refunds (`docs/protocols/huawei.md#orders`).

use super::call::call;
use super::canonical::canonical;
use crate::huawei::{HuaweiNode, PaymentKit};
use crate::{
    CallError, CreateRequest, Created, ProviderClients, RefundProgress, RefundRequest, RefundStanding, Standing,
    if_known, text_of,
};
use domain::{Attempt, Fen, Payment, Provider, Refund, UnixMs};
use serde_json::{Map, Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// A `prepayId` lives for so long.
const PREPAY: Duration = Duration::from_mins(10);

fn utc(at: UnixMs) -> Option<String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000+0000");
    OffsetDateTime::from_unix_timestamp(at.secs()).ok()?.format(format).ok()
}

/// Reads `2025-10-09T17:50:12.000+0000`.
pub(super) fn from_utc(text: &str) -> Option<UnixMs> {
    let format = format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond][offset_hour sign:mandatory][offset_minute]"
    );
    UnixMs::from_secs(OffsetDateTime::parse(text, format).ok()?.unix_timestamp())
}

pub(super) async fn create(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let mut body = Map::new();
    body.insert("appId".to_owned(), json!(node.app_id));
    body.insert("mercOrderNo".to_owned(), json!(attempt.number));
    body.insert("mercNo".to_owned(), json!(keys.merc_no));
    body.insert("tradeSummary".to_owned(), json!(order.description.chars().take(128).collect::<String>()));
    body.insert("totalAmount".to_owned(), json!(order.total_fee));
    body.insert("currency".to_owned(), json!("CNY"));
    body.insert("callbackUrl".to_owned(), json!(request.notify_url));
    body.insert("payload".to_owned(), json!(order.out_trade_no));
    if let Some(end) = utc(order.time_expire) {
        body.insert("expireTime".to_owned(), json!(end));
    }
    if let Some(kind) = attempt.goods.get("biz_type") {
        body.insert("bizType".to_owned(), kind.clone());
    }
    let kind = if node.name == "mp-harmony" { "fa" } else { "app" };
    let path = format!("/api/v2/aggr/preorder/create/{kind}");
    let answer = call(clients, node, keys, &path, Some(&Value::Object(body)), request.now).await?;
    let Some(prepay) = text_of(&answer, "prepayId").filter(|id| !id.is_empty()) else {
        return Err(CallError::unknown("preorder: no prepayId"));
    };
    match order_text(node, keys, prepay, request.now) {
        Some(text) => Ok(Created {
            order_info: json!(text),
            code_url: None,
            fresh_until: order.time_expire.min(request.now + PREPAY),
            number: None,
            payment: None,
        }),
        None => Err(CallError::unknown("the client's text cannot be signed")),
    }
}

/// `orderStr`: one JSON text, signed for the client.
fn order_text(node: &HuaweiNode, keys: &PaymentKit, prepay_id: &str, now: UnixMs) -> Option<String> {
    let mut text = Map::new();
    text.insert("app_id".to_owned(), json!(node.app_id));
    text.insert("merc_no".to_owned(), json!(keys.merc_no));
    text.insert("prepay_id".to_owned(), json!(prepay_id));
    text.insert("timestamp".to_owned(), json!(now.to_string()));
    text.insert("noncestr".to_owned(), json!(hex::encode(crypto::random::<16>())));
    text.insert("auth_id".to_owned(), json!(keys.auth_id));
    if node.sandbox {
        text.insert("reserved".to_owned(), json!(r#"{"sandbox_flag": true}"#));
    }
    let signed = canonical(&Value::Object(text.clone()).to_string())?;
    text.insert("sign".to_owned(), json!(keys.private_key.sign_pss(signed.as_bytes()).ok()?));
    Some(Value::Object(text).to_string())
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    merchant: &str,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let path = format!("/api/v2/aggr/transactions/merc-orders/{}?mercNo={}", attempt.number, keys.merc_no);
    let answer = call(clients, node, keys, &path, None, now).await;
    let Some(answer) = if_known(answer)? else { return Ok(Standing::Missing) };
    if text_of(&answer, "mercOrderNo").is_some_and(|own| own != attempt.number) {
        return Err(CallError::unknown("query: another order"));
    }
    match text_of(&answer, "orderStatus") {
        Some("TRX_SUCCESS") => match payment(merchant, &answer) {
            Some(payment) => Ok(Standing::Paid(vec![payment])),
            None => Err(CallError::unknown("query: an incomplete order")),
        },
        Some("TRX_PROC") => Ok(Standing::Unpaid { paying: true }),
        Some("TRX_APPLY" | "TRX_FAILED") => Ok(Standing::Unpaid { paying: false }),
        other => Err(CallError::Unknown(format!("query: orderStatus {}", other.unwrap_or("is missing")))),
    }
}

/// The payment that an order object states.
pub(super) fn payment(merchant: &str, object: &Map<String, Value>) -> Option<Payment> {
    let text = |name: &str| text_of(object, name).filter(|text| !text.is_empty());
    const KEPT: [&str; 10] = [
        "sysTransOrderNo",
        "mercOrderNo",
        "orderStatus",
        "totalAmount",
        "payerAmount",
        "promotionAmount",
        "currency",
        "finishTime",
        "paymentTools",
        "callbackId",
    ];
    Some(Payment {
        total: Some(Fen(object.get("totalAmount")?.as_u64()?)),
        currency: text("currency")?.to_owned(),
        app_id: Some(text("appId")?.to_owned()),
        mch_id: Some(text("mercNo")?.to_owned()),
        paid_at: text("finishTime").and_then(from_utc),
        info: crate::kept(&KEPT, object),
        ..Payment::new(Provider::Huawei, merchant, text("mercOrderNo")?, text("sysTransOrderNo")?)
    })
}

pub(super) async fn refund(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let mut body = Map::new();
    body.insert("mercOrderNo".to_owned(), json!(request.attempt.number));
    body.insert("mercRefundOrderNo".to_owned(), json!(request.out_refund_no));
    if !request.reason.is_empty() {
        body.insert("reason".to_owned(), json!(request.reason));
    }
    body.insert("callbackUrl".to_owned(), json!(request.notify_url));
    body.insert("refundAmount".to_owned(), json!(request.refund));
    let path = "/api/v1/aggr/transactions/refunds";
    let answer = call(clients, node, keys, path, Some(&Value::Object(body)), request.now).await;
    let answer = answer.map_err(|error| match error {
        CallError::Refused(refusal) if refusal.code == "RETRY_TOO_MANY" => CallError::Unknown(refusal.message),
        other => other,
    })?;
    if text_of(&answer, "mercRefundOrderNo").is_some_and(|own| own != request.out_refund_no) {
        return Err(CallError::unknown("refund: another refund"));
    }
    Ok(standing(RefundProgress::Processing(None), &answer))
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let number = crate::common::url::segment(&refund.out_refund_no);
    let path = format!("/api/v1/aggr/transactions/refunds/merc-orders/{number}?mercNo={}", keys.merc_no);
    let answer = call(clients, node, keys, &path, None, now).await;
    let Some(answer) = if_known(answer)? else { return Ok(standing(RefundProgress::Missing, &Map::new())) };
    if text_of(&answer, "mercRefundOrderNo").is_some_and(|own| own != refund.out_refund_no) {
        return Err(CallError::unknown("refund query: another refund"));
    }
    Ok(standing(progress(&answer), &answer))
}

pub(super) fn progress(object: &Map<String, Value>) -> RefundProgress {
    match text_of(object, "refundOrderStatus") {
        Some("REFUND_SUCCESS") => RefundProgress::Success,
        Some("REFUND_FAILED") => RefundProgress::Closed("REFUND_FAILED".to_owned()),
        _ => RefundProgress::Processing(None),
    }
}

/// A repeat after a full refund comes without amounts.
pub(super) fn standing(progress: RefundProgress, object: &Map<String, Value>) -> RefundStanding {
    let id = text_of(object, "sysRefundOrderNo").or_else(|| text_of(object, "sysRefundNo"));
    RefundStanding {
        progress,
        refund_id: id.map(str::to_owned),
        refund: object.get("refundAmount").and_then(Value::as_u64).map(Fen),
        refunded_at: text_of(object, "finishTime").and_then(from_utc),
    }
}
