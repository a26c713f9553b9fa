//! `pay/…/verifyReceipt` and `pay/…/verifyPurchase`: a client brings the proof of a purchase.

use super::{Caller, Confirmed, Context, Fields, Source};
use domain::{Attempt, Code, Day, Failure, Field, Order, Payment, Provider, fields as f, other_number};
use providers::{CallError, Held, Meaning, Proof, Refusal, Stands};
use serde_json::{Value, json};
use std::time::Duration;
use store::{Claimed, Incident, IncidentName};

/// For how long what a store signed is taken for what it would say now.
const FRESH: Duration = Duration::from_mins(10);

/// Verifies a purchase and credits its order. What is checked, in this order: authenticity and environment,
/// whose it is, that it was not taken back, its age; an old proof is
/// asked about.
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
    let bought = match cx.gateway(attempt).await?.purchase(cx.clients, attempt, proof, cx.now()).await {
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
    let other = other_number(provider, &payment.info, &payment.transaction_id);
    for number in [Some(payment.transaction_id.clone()), other].into_iter().flatten() {
        match cx.store.claimed(provider, &attempt.merchant, &number).await? {
            Some(Claimed::Order(no)) if no == order.out_trade_no => return Ok(order),
            Some(Claimed::Order(_)) => return Err(Code::OTHER_ORDER.into()),
            Some(Claimed::SentBack | Claimed::TakenBack) => return Err(taken_back()),
            None => {}
        }
    }
    if bought.revoked {
        return Err(taken_back());
    }
    if bought.too_old {
        let incident = Incident {
            out_trade_no: Some(order.out_trade_no.clone()),
            transaction_id: Some(payment.transaction_id.clone()),
            actual: Some(json!({ "paid_at": payment.paid_at })),
            payment: Some(payment.clone()),
            ..Incident::new(IncidentName::UnusedReceipt, provider, &attempt.merchant)
        };
        super::incident_record::alarm(cx, &incident, true).await?;
        return Err(Failure::new(Code::PURCHASE).says("the purchase is older than receiptExpiresIn"));
    }
    if let Some(held) = bought.held.as_ref().filter(|held| cx.now().since(held.at) > FRESH) {
        still_stands(cx, &order, attempt, payment, held).await?;
    }
    match super::confirm(cx, payment, Source::Query).await? {
        Confirmed::Credited | Confirmed::Already => Ok(cx.store.order(out_trade_no).await?.unwrap_or(order)),
        Confirmed::Reversed | Confirmed::Unsettled | Confirmed::Unknown => Err(Code::OUTCOME_UNKNOWN.into()),
        Confirmed::Incident { name: IncidentName::LatePayment, .. } => Err(Code::ORDER_CLOSED.into()),
        Confirmed::Incident { name: IncidentName::SecondPayment, .. } if order.trade_state.is_paid() => {
            Err(Code::ALREADY_PAID.into())
        }
        // Taken back while it was looked at.
        Confirmed::Incident { name: IncidentName::UnknownOrder, .. } => Err(taken_back()),
        Confirmed::Incident { .. } => Err(Code::OTHER_ORDER.into()),
    }
}

fn taken_back() -> Failure {
    Failure::new(Code::PURCHASE).says("the purchase was taken back")
}

/// Asks the store about a proof that its client has had for a while: a refund may have come between, and its message
/// may be lost. Without the key of the store's server API the signed word stands.
async fn still_stands(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
    held: &Held,
) -> Result<(), Failure> {
    match cx.gateway(attempt).await?.brought(cx.clients, payment, held, cx.now()).await {
        Ok(Stands::Paid | Stands::CannotAsk) => Ok(()),
        Ok(Stands::Back | Stands::PartlyBack | Stands::Closed | Stands::Absent) => Err(taken_back()),
        Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Unheard => {
            Err(broken_set_up(cx, order, attempt, &refusal).await)
        }
        Err(CallError::Refused(refusal)) => {
            Err(Failure::new(Code::OUTCOME_UNKNOWN).private(format!("{}: {}", refusal.code, refusal.message)))
        }
        Err(CallError::Unknown(why)) => Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why)),
    }
}

/// The store does not look at proofs, because it does not accept the set-up: payers have paid and are not credited
/// until somebody mends it, so that it is told at once. Anybody may bring anything as a proof: one fault is one incident
/// a day, of the first order that met it.
async fn broken_set_up(cx: &Context<'_>, order: &Order, attempt: &Attempt, refusal: &Refusal) -> Failure {
    let no = &order.out_trade_no;
    let (provider, merchant) = (attempt.provider, &attempt.merchant);
    tracing::warn!(out_trade_no = %no, %provider, merchant, code = refusal.code, "the set-up is wrong: {}", refusal.message);
    let incident = Incident {
        out_trade_no: Some(no.clone()),
        actual: Some(json!({ "code": refusal.code, "message": refusal.message, "day": Day::of(cx.now()).to_string() })),
        ..Incident::new(IncidentName::ProviderSetup, provider, merchant)
    };
    match super::incident_record::alarm(cx, &incident, true).await {
        Ok(_) => Failure::new(Code::PROVIDER_SETUP).private(refusal.to_string()),
        Err(error) => error.into(),
    }
}

/// What the client brings; the first that is there counts.
fn proof<'a>(fields: &Fields<'a>) -> Result<Proof<'a>, Failure> {
    let text = |field: &Field| fields.raw(field).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    if let Some(signed) = text(&f::SIGNED_TRANSACTION).or_else(|| text(&f::SIGNED_TRANSACTION_CAMEL)) {
        return Ok(Proof::Signed(signed));
    }
    if let (Some(id), Some(token)) = (text(&f::PURCHASE_ORDER_ID), text(&f::PURCHASE_TOKEN)) {
        return Ok(Proof::Order { id, token });
    }
    match (text(&f::TRANSACTION_RECEIPT), text(&f::TRANSACTION_IDENTIFIER)) {
        (Some(receipt), Some(transaction_id)) => Ok(Proof::Receipt { receipt, transaction_id }),
        (None, Some(id)) => Ok(Proof::Transaction(id)),
        (Some(_), None) => Err(Code::TRANSACTION.into()),
        (None, None) => Err(Code::RECEIPT.into()),
    }
}
