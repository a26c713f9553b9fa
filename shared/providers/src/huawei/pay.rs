//! Payment Kit: orders and refunds (`docs/protocols/huawei.md#orders`).

use super::call::call;
use super::canonical::canonical;
use crate::common::body;
use crate::huawei::{HuaweiNode, PaymentKit};
use crate::{
    CallError, CreateRequest, Created, ProviderClients, RefundProgress, RefundRequest, RefundStanding, Standing,
    if_known, text_of,
};
use domain::{Attempt, Fen, Payment, Provider, Refund, UnixMs};
use serde::Serialize;
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

/// The body of an order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreorderBody<'a> {
    app_id: &'a str,
    merc_order_no: &'a str,
    merc_no: &'a str,
    trade_summary: String,
    total_amount: Fen,
    currency: &'static str,
    callback_url: &'a str,
    payload: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_type: Option<&'a Value>,
}

/// What the client hands to Huawei.
#[derive(Serialize)]
struct OrderText<'a> {
    app_id: &'a str,
    merc_no: &'a str,
    prepay_id: &'a str,
    timestamp: String,
    noncestr: String,
    auth_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reserved: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<String>,
}

/// The body of a refund.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundBody<'a> {
    merc_order_no: &'a str,
    merc_refund_order_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    callback_url: &'a str,
    refund_amount: Fen,
}

pub(super) async fn create(
    clients: &ProviderClients,
    node: &HuaweiNode,
    keys: &PaymentKit,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let body = PreorderBody {
        app_id: &node.app_id,
        merc_order_no: &attempt.number,
        merc_no: &keys.merc_no,
        trade_summary: order.description.chars().take(128).collect(),
        total_amount: order.total_fee,
        currency: "CNY",
        callback_url: request.notify_url,
        payload: &order.out_trade_no,
        expire_time: utc(order.time_expire),
        biz_type: attempt.goods.get("biz_type"),
    };
    let kind = if node.name == "mp-harmony" { "fa" } else { "app" };
    let path = format!("/api/v2/aggr/preorder/create/{kind}");
    let answer = call(clients, node, keys, &path, Some(body::text_of(&body)), request.now).await?;
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
    let mut text = OrderText {
        app_id: &node.app_id,
        merc_no: &keys.merc_no,
        prepay_id,
        timestamp: now.to_string(),
        noncestr: hex::encode(crypto::random::<16>()),
        auth_id: &keys.auth_id,
        reserved: node.sandbox.then_some(r#"{"sandbox_flag": true}"#),
        sign: None,
    };
    let signed = canonical(&body::text_of(&text))?;
    text.sign = Some(keys.private_key.sign_pss(signed.as_bytes()).ok()?);
    Some(body::text_of(&text))
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
    let body = RefundBody {
        merc_order_no: &request.attempt.number,
        merc_refund_order_no: request.out_refund_no,
        reason: Some(request.reason).filter(|reason| !reason.is_empty()),
        callback_url: request.notify_url,
        refund_amount: request.refund,
    };
    let path = "/api/v1/aggr/transactions/refunds";
    let answer = call(clients, node, keys, path, Some(body::text_of(&body)), request.now).await;
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
        refund_id: id.map(str::to_owned),
        refund: object.get("refundAmount").and_then(Value::as_u64).map(Fen),
        refunded_at: text_of(object, "finishTime").and_then(from_utc),
        ..RefundStanding::new(progress)
    }
}
