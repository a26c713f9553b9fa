//! `pay/appleiap/verifyReceipt` and `pay/huaweiiap/verifyPurchase`: a client brings the proof of a purchase.

use super::{Caller, Confirmed, Context, Fields, Source};
use crate::code::{Code, Failure};
use crate::order::{Attempt, Order, Provider};
use crate::provider::{CallError, Meaning, Proof, Refusal};
use crate::store::{Incident, IncidentName};
use serde_json::{Value, json};

/// Verifies a purchase and credits its order. What is checked, in this order: authenticity and environment,
/// whose it is, that it was not taken back, its age.
///
/// # Errors
/// 1014, 1015 for a missing proof, 1016 for one that is not good, 2006 for another order's, 502 when the provider
/// does not accept the set-up, 504 when it does not answer; then nothing is written but, for a purchase that came
/// too late and for a broken set-up, an incident.
pub async fn verify_purchase(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
    provider: Provider,
) -> Result<Order, Failure> {
    let out_trade_no = fields.out_trade_no()?;
    let proof = proof(fields)?;
    let order = cx.visible_order(caller, out_trade_no).await?;
    let last = order.attempts.iter().rev().find(|a| a.provider == provider);
    let attempt = last.ok_or_else(|| Failure::new(Code::PROVIDER).says("the order is not paid this way"))?;
    let bought = match cx.gateway(attempt)?.purchase(cx.outside, &order, attempt, proof, cx.now()).await {
        Ok(bought) => bought,
        Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Unheard => {
            return Err(broken_set_up(cx, &order, attempt, &refusal).await);
        }
        Err(CallError::Refused(refusal)) => return Err(Failure::new(Code::PURCHASE).says(refusal.to_string())),
        Err(unknown) => return Err(unknown.unanswered()),
    };
    let payment = &bought.payment;
    let fits = order
        .attempt_for(provider, &attempt.merchant, &payment.number)
        .is_some_and(|a| payment.goods.iter().all(|(name, value)| a.goods.get(name) == Some(value)));
    if !fits {
        return Err(Code::OTHER_ORDER.into());
    }
    match cx.store.order_of_transaction(provider, &payment.transaction_id).await? {
        Some(no) if no == order.out_trade_no => return Ok(order),
        Some(_) => return Err(Code::OTHER_ORDER.into()),
        None => {}
    }
    if bought.revoked {
        return Err(Failure::new(Code::PURCHASE).says("the purchase was taken back"));
    }
    if bought.too_old {
        let incident = Incident {
            out_trade_no: Some(order.out_trade_no.clone()),
            transaction_id: Some(payment.transaction_id.clone()),
            actual: Some(json!({ "paid_at": payment.paid_at })),
            payment: Some(payment.clone()),
            ..Incident::new(IncidentName::UnusedReceipt, provider, &attempt.merchant)
        };
        super::confirm::alarm(cx, &incident, true).await?;
        return Err(Failure::new(Code::PURCHASE).says("the purchase is older than receiptExpiresIn"));
    }
    match super::confirm(cx, payment, Source::Query).await? {
        Confirmed::Credited | Confirmed::Already => Ok(cx.store.order(out_trade_no).await?.unwrap_or(order)),
        Confirmed::Reversed | Confirmed::Unsettled => Err(Code::OUTCOME_UNKNOWN.into()),
        Confirmed::Incident { name: IncidentName::LatePayment, .. } => Err(Code::ORDER_CLOSED.into()),
        Confirmed::Incident { name: IncidentName::SecondPayment, .. } if order.trade_state.is_paid() => {
            Err(Code::ALREADY_PAID.into())
        }
        Confirmed::Incident { .. } => Err(Code::OTHER_ORDER.into()),
    }
}

/// The store does not look at proofs, because it does not accept the set-up: payers have paid and are not credited
/// until somebody mends it, so that it is told at once, for every order that it keeps waiting.
async fn broken_set_up(cx: &Context<'_>, order: &Order, attempt: &Attempt, refusal: &Refusal) -> Failure {
    let no = &order.out_trade_no;
    let (provider, merchant) = (attempt.provider, &attempt.merchant);
    tracing::error!(out_trade_no = %no, %provider, merchant, code = refusal.code, "the set-up is wrong: {}", refusal.message);
    let incident = Incident {
        out_trade_no: Some(no.clone()),
        actual: Some(json!({ "code": refusal.code, "message": refusal.message })),
        ..Incident::new(IncidentName::ProviderSetup, provider, merchant)
    };
    match super::confirm::alarm(cx, &incident, true).await {
        Ok(_) => Failure::new(Code::PROVIDER_SETUP).private(refusal.to_string()),
        Err(error) => error.into(),
    }
}

/// What the client brings; the first that is there counts.
fn proof<'a>(fields: &Fields<'a>) -> Result<Proof<'a>, Failure> {
    let text = |name: &str| fields.raw(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    if let Some(signed) = text("signed_transaction").or_else(|| text("signedTransaction")) {
        return Ok(Proof::Signed(signed));
    }
    if let (Some(id), Some(token)) = (text("purchase_order_id"), text("purchase_token")) {
        return Ok(Proof::Order { id, token });
    }
    match (text("transaction_receipt"), text("transaction_identifier")) {
        (Some(receipt), Some(transaction_id)) => Ok(Proof::Receipt { receipt, transaction_id }),
        (None, Some(id)) => Ok(Proof::Transaction(id)),
        (Some(_), None) => Err(Code::TRANSACTION.into()),
        (None, None) => Err(Code::RECEIPT.into()),
    }
}
