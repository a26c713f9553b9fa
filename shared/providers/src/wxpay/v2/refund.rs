//! Refunds over APIv2 (`docs/protocols/wechat.md#apiv2-operations`); they need the merchant's client certificate.

use super::super::text;
use super::order::asked_by;
use super::{Params, call, required};
use crate::wxpay::{V2, WxpayNode};
use crate::{ABNORMAL, CallError, ProviderClients, RefundProgress, RefundRequest, RefundStanding, if_known};
use domain::Attempt;

pub(crate) async fn refund(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let mut fields = asked_by(request.attempt);
    fields.extend(super::params([
        ("transaction_id", request.transaction_id),
        ("out_refund_no", request.out_refund_no),
        ("total_fee", &request.total.to_string()),
        ("refund_fee", &request.refund.to_string()),
        ("refund_fee_type", "CNY"),
        ("refund_desc", &text::cut(request.reason, 80)),
        ("notify_url", request.notify_url),
    ]));
    let answer = call(clients, node, v2, "/secapi/pay/refund", fields, true).await?;
    let other = answer.get("transaction_id").is_some_and(|id| id != request.transaction_id);
    if other || required(&answer, "out_refund_no")? != request.out_refund_no {
        return Err(CallError::unknown("the answer is about another refund"));
    }
    Ok(RefundStanding {
        refund_id: answer.get("refund_id").cloned(),
        refund: answer.get("refund_fee").and_then(|t| text::fen(t)),
        cash: answer.get("cash_refund_fee").and_then(|t| text::fen(t)),
        ..RefundStanding::new(RefundProgress::Processing(None))
    })
}

pub(crate) async fn query_refund(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    attempt: &Attempt,
    out_refund_no: &str,
) -> Result<RefundStanding, CallError> {
    let mut fields = asked_by(attempt);
    fields.insert("out_refund_no".to_owned(), out_refund_no.to_owned());
    let answer = call(clients, node, v2, "/pay/refundquery", fields, false).await;
    let Some(answer) = if_known(answer)? else {
        return Ok(RefundStanding::new(RefundProgress::Missing));
    };
    standing_in(&answer, out_refund_no)
}

/// Picks the refund out of the numbered ones of the answer.
fn standing_in(answer: &Params, out_refund_no: &str) -> Result<RefundStanding, CallError> {
    let n = answer
        .iter()
        .filter(|(_, value)| *value == out_refund_no)
        .find_map(|(name, _)| name.strip_prefix("out_refund_no_"))
        .ok_or_else(|| CallError::unknown("the answer is about another refund"))?;
    let field = |name: &str| answer.get(&format!("{name}_{n}")).filter(|t| !t.is_empty());
    Ok(RefundStanding {
        refund_id: field("refund_id").cloned(),
        refund: field("refund_fee").and_then(|t| text::fen(t)),
        transaction_id: answer.get("transaction_id").cloned().filter(|id| !id.is_empty()),
        refunded_at: field("refund_success_time").and_then(|t| text::from_v2_time(t)),
        ..RefundStanding::new(progress(field("refund_status").map(String::as_str)))
    })
}

/// Only an explicit end is one; `CHANGE` is APIv2's word for a refund that needs the operator.
pub(super) fn progress(status: Option<&str>) -> RefundProgress {
    match status {
        Some("SUCCESS") => RefundProgress::Success,
        Some("REFUNDCLOSE") => RefundProgress::Closed("REFUNDCLOSE".to_owned()),
        Some("CHANGE") => RefundProgress::Processing(Some(ABNORMAL.to_owned())),
        _ => RefundProgress::Processing(None),
    }
}
