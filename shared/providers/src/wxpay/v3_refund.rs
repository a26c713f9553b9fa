//! Refunds over APIv3 (`docs/protocols/wechat.md#refunds`). An accepted refund is on its way, not done.

use super::text;
use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::wxpay::{V3, WxpayNode};
use crate::{ABNORMAL, CallError, ProviderClients, RefundProgress, RefundRequest, RefundStanding, if_known};
use domain::{Attempt, Fen, UnixMs};
use serde::Serialize;
use serde_json::Value;

/// The body of a refund: only what is set.
#[derive(Serialize)]
struct RefundBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    transaction_id: &'a str,
    out_refund_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    notify_url: &'a str,
    amount: Amount,
}

#[derive(Serialize)]
struct Amount {
    refund: Fen,
    total: Fen,
    currency: &'static str,
}

pub(super) async fn refund(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let reason = text::cut(request.reason, 80);
    let body = RefundBody {
        sub_mchid: request.attempt.sub_mchid.as_deref(),
        transaction_id: request.transaction_id,
        out_refund_no: request.out_refund_no,
        reason: (!reason.is_empty()).then_some(reason),
        notify_url: request.notify_url,
        amount: Amount { refund: request.refund, total: request.total, currency: "CNY" },
    };
    let answer = call(clients, node, v3, Ask::json(v3.scheme.refunds, &body), request.now).await?;
    let transaction = answer.get("transaction_id").and_then(Value::as_str);
    if transaction.is_some_and(|id| id != request.transaction_id) {
        return Err(CallError::unknown("the answer is about another payment"));
    }
    judge_refund(&answer, request.out_refund_no)
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    attempt: &Attempt,
    out_refund_no: &str,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let mut target = format!("{}/{}", v3.scheme.refunds, segment(out_refund_no));
    if let Some(sub) = &attempt.sub_mchid {
        target.push_str(&format!("?sub_mchid={}", segment(sub)));
    }
    let answer = call(clients, node, v3, Ask::get(&target), now).await;
    match if_known(answer)? {
        Some(answer) => judge_refund(&answer, out_refund_no),
        None => {
            Ok(RefundStanding { progress: RefundProgress::Missing, refund_id: None, refund: None, refunded_at: None })
        }
    }
}

fn judge_refund(answer: &Value, out_refund_no: &str) -> Result<RefundStanding, CallError> {
    if answer.get("out_refund_no").and_then(Value::as_str) != Some(out_refund_no) {
        return Err(CallError::unknown("the answer is about another refund"));
    }
    Ok(standing(answer, "status"))
}

/// How a refund object stands: the callback calls the field `refund_status`. Only an explicit end is one.
pub(super) fn standing(object: &Value, field: &str) -> RefundStanding {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let progress = match text(field) {
        Some("SUCCESS") => RefundProgress::Success,
        Some("CLOSED") => RefundProgress::Closed("CLOSED".to_owned()),
        Some(ABNORMAL) => RefundProgress::Processing(Some(ABNORMAL.to_owned())),
        _ => RefundProgress::Processing(None),
    };
    RefundStanding {
        progress,
        refund_id: text("refund_id").map(str::to_owned),
        refund: object.get("amount").and_then(|a| a.get("refund")).and_then(Value::as_u64).map(Fen),
        refunded_at: text("success_time").and_then(text::from_rfc3339),
    }
}
