//! Refunds over APIv3 (`docs/protocols/wechat.md#refunds`). An accepted refund is on its way, not done.

use super::failure::ours;
use super::text;
use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::wxpay::{V3, WxpayNode};
use crate::{
    ABNORMAL, AbnormalRefund, CallError, ProviderClients, RefundCard, RefundProgress, RefundRequest, RefundStanding,
    if_known,
};
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
        None => Ok(RefundStanding::new(RefundProgress::Missing)),
    }
}

/// The body that has an abnormal refund paid elsewhere; account and name are encrypted to WeChat Pay's key.
#[derive(Serialize)]
struct AbnormalBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    out_refund_no: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_name: Option<String>,
}

/// Has a refund in `ABNORMAL` paid to a card (<https://pay.weixin.qq.com/doc/v3/partner/4017150905>).
pub(super) async fn apply_abnormal(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &AbnormalRefund<'_>,
) -> Result<RefundStanding, CallError> {
    let target = format!("{}/{}/apply-abnormal-refund", v3.scheme.refunds, segment(request.refund_id));
    let mut body = AbnormalBody {
        sub_mchid: request.attempt.sub_mchid.as_deref(),
        out_refund_no: request.out_refund_no,
        kind: request.to.name(),
        bank_type: None,
        bank_account: None,
        real_name: None,
    };
    let answer = match &request.to {
        RefundCard::Merchant => call(clients, node, v3, Ask::json(&target, &body), request.now).await?,
        RefundCard::Payer { bank_type, bank_account, real_name } => {
            let key = clients.wxpay.sealing_key(&clients.http, node, v3, request.now).await;
            // Nothing was sent yet.
            let (serial, key) = key.map_err(|_| ours("NO_KEY", "there is no key to encrypt the account to"))?;
            let seal = |text: &str| {
                key.encrypt_oaep(text.as_bytes()).map_err(|_| ours("PARAM_ERROR", "the account cannot be encrypted"))
            };
            body.bank_type = Some(bank_type);
            body.bank_account = Some(seal(bank_account)?);
            body.real_name = Some(seal(real_name)?);
            call(clients, node, v3, Ask::json(&target, &body).sealed_to(&serial), request.now).await?
        }
    };
    let other = |name: &str, ours: &str| answer.get(name).and_then(Value::as_str).is_some_and(|theirs| theirs != ours);
    if other("refund_id", request.refund_id) {
        return Err(CallError::unknown("the answer is about another refund"));
    }
    judge_refund(&answer, request.out_refund_no)
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
    let amount = |key: &str| object.get("amount").and_then(|a| a.get(key)).and_then(Value::as_u64).map(Fen);
    RefundStanding {
        refund_id: text("refund_id").map(str::to_owned),
        refund: amount("refund"),
        transaction_id: text("transaction_id").map(str::to_owned),
        cash: amount("payer_refund"),
        refunded_at: text("success_time").and_then(text::from_rfc3339),
        ..RefundStanding::new(progress)
    }
}
