//! Orders and refunds over the server API (`docs/protocols/wxpay-virtual.md#server-api`).

use super::transport::xpay;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, ProviderClients, RefundProgress, RefundRequest, RefundStanding, Standing, if_known};
use domain::{Attempt, Fen, Order, Payment, Provider, Refund, UnixMs};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Names an order, ours or a refund's.
#[derive(Serialize)]
struct OrderBody<'a> {
    openid: Option<&'a str>,
    order_id: &'a str,
}

/// The body of a refund.
#[derive(Serialize)]
struct RefundBody<'a> {
    openid: Option<&'a str>,
    order_id: &'a str,
    refund_order_id: &'a str,
    left_fee: u64,
    refund_fee: Fen,
    biz_meta: &'a str,
    refund_reason: &'static str,
    req_from: &'static str,
}

/// The body that says what was delivered.
#[derive(Serialize)]
struct DeliveredBody<'a> {
    order_id: &'a str,
}

/// The order object of a number, ours or a refund's.
async fn ask(
    clients: &ProviderClients,
    node: &VirtualNode,
    attempt: &Attempt,
    number: &str,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let body = OrderBody { openid: attempt.openid.as_deref(), order_id: number };
    let mut answer = xpay(clients, node, "query_order", &body, None, now).await?;
    let Some(Value::Object(order)) = answer.remove("order") else {
        return Err(CallError::unknown("query_order: no order in the answer"));
    };
    match order.get("order_id").and_then(Value::as_str) {
        Some(own) if own != number => Err(CallError::unknown("query_order: another order")),
        _ => Ok(order),
    }
}

fn number_of(order: &Map<String, Value>, name: &str) -> Option<u64> {
    let value = order.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

pub(crate) async fn query(
    clients: &ProviderClients,
    node: &VirtualNode,
    merchant: &str,
    _order: &Order,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let order = ask(clients, node, attempt, &attempt.number, now).await;
    let Some(order) = if_known(order)? else { return Ok(Standing::Missing) };
    let left = number_of(&order, "left_fee").unwrap_or(0);
    let status = number_of(&order, "status");
    if contradicts(&order, status) {
        return Err(CallError::unknown("query_order: the answer contradicts itself"));
    }
    match status {
        Some(2..=4 | 7 | 10) => paid(node, merchant, attempt, &order),
        // Refunded there: what is left of it counts as paid, nothing left as over.
        Some(5 | 8) if left > 0 => paid(node, merchant, attempt, &order),
        Some(5 | 6 | 8) => Ok(Standing::Closed),
        Some(0 | 1) => Ok(Standing::Unpaid { paying: false }),
        Some(other) => Err(CallError::Unknown(format!("query_order: status {other}"))),
        None => Err(CallError::unknown("query_order: no status in the answer")),
    }
}

/// Whether another word of the order denies its status: when it was paid, what was paid, and that it is a payment.
fn contradicts(order: &Map<String, Value>, status: Option<u64>) -> bool {
    let refund = number_of(order, "order_type").is_some_and(|kind| kind != 0);
    let paid_time = number_of(order, "paid_time");
    match status {
        Some(0 | 1 | 6) => refund || paid_time.is_some_and(|at| at > 0),
        Some(2..=4 | 7 | 10) => refund || paid_time == Some(0),
        _ => refund,
    }
}

fn paid(
    node: &VirtualNode,
    merchant: &str,
    attempt: &Attempt,
    order: &Map<String, Value>,
) -> Result<Standing, CallError> {
    let text = |name: &str| order.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(id), Some(fee), Some(env)) = (
        text("wxpay_order_id").or_else(|| text("wx_order_id")),
        number_of(order, "order_fee"),
        number_of(order, "env_type"),
    ) else {
        return Err(CallError::unknown("query_order: an incomplete order"));
    };
    let mut goods = Map::new();
    // 1 live, 2 sandbox; the request has 0 and 1.
    goods.insert("env".to_owned(), json!(env.checked_sub(1)));
    goods.insert("openid".to_owned(), json!(text("openid").or(attempt.openid.as_deref())));
    const KEPT: [&str; 7] =
        ["status", "order_fee", "paid_fee", "coupon_fee", "env_type", "wx_order_id", "wxpay_order_id"];
    let info = crate::kept(&KEPT, order);
    Ok(Standing::Paid(vec![Payment {
        total: Some(Fen(fee)),
        goods,
        app_id: Some(node.app_id.clone()),
        payer: attempt.openid.clone(),
        paid_at: number_of(order, "paid_time").and_then(|s| UnixMs::from_secs(i64::try_from(s).ok()?)),
        info: Value::Object(info),
        ..Payment::new(Provider::WxpayVirtual, merchant, attempt.number.as_str(), id)
    }]))
}

/// Starts a refund. What is left there must be named, so it is asked for just before.
pub(crate) async fn refund(
    clients: &ProviderClients,
    node: &VirtualNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let attempt = request.attempt;
    // Where it is refused nothing was sent yet, but whether the refund can be made is not known either.
    let order = ask(clients, node, attempt, &attempt.number, request.now).await;
    let order = order.map_err(|error| error.as_unknown("query_order"))?;
    let Some(left) = number_of(&order, "left_fee") else {
        return Err(CallError::unknown("query_order: no left_fee"));
    };
    let body = RefundBody {
        openid: attempt.openid.as_deref(),
        order_id: &attempt.number,
        refund_order_id: request.out_refund_no,
        left_fee: left,
        refund_fee: request.refund,
        biz_meta: request.reason,
        // "Other reason", "other source": WeChat's own words for neither fault nor complaint.
        refund_reason: "5",
        req_from: "3",
    };
    let answer = xpay(clients, node, "refund_order", &body, None, request.now).await?;
    let refund_id = answer.get("refund_wx_order_id").and_then(Value::as_str).map(str::to_owned);
    Ok(RefundStanding { refund_id, ..RefundStanding::new(RefundProgress::Processing(None)) })
}

pub(crate) async fn query_refund(
    clients: &ProviderClients,
    node: &VirtualNode,
    _order: &Order,
    attempt: &Attempt,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let order = ask(clients, node, attempt, &refund.out_refund_no, now).await;
    // The same number again is the same refund there, so it may be sent again.
    let Some(order) = if_known(order)? else { return Ok(RefundStanding::new(RefundProgress::Missing)) };
    // The number of a payment is not the number of a refund.
    if number_of(&order, "order_type").is_some_and(|kind| kind != 1) {
        return Err(CallError::unknown("query_order: not a refund"));
    }
    let progress = match number_of(&order, "status") {
        Some(5 | 8) => RefundProgress::Success,
        Some(7) => RefundProgress::Closed("the refund failed".to_owned()),
        _ => RefundProgress::Processing(None),
    };
    let fee = number_of(&order, "refund_fee").filter(|fee| *fee > 0).map(Fen);
    Ok(RefundStanding { refund: fee, ..RefundStanding::new(progress) })
}

/// Tells WeChat that the goods were delivered, where its push did not come or was not confirmed.
pub(crate) async fn delivered(clients: &ProviderClients, node: &VirtualNode, attempt: &Attempt, now: UnixMs) {
    let body = DeliveredBody { order_id: &attempt.number };
    match xpay(clients, node, "notify_provide_goods", &body, None, now).await {
        Ok(_) => {}
        Err(CallError::Refused(refusal)) => {
            tracing::warn!(number = attempt.number, code = refusal.code, "WeChat does not take the delivery");
        }
        Err(CallError::Unknown(why)) => {
            tracing::warn!(number = attempt.number, why, "WeChat was not told of the delivery");
        }
    }
}
