//! A payment that no order was credited for, refunded by others than us: in the provider's console, mostly.
//!
//! It is recorded on the payment's own incident, which ends when all of it is back; the order keeps its state.

use super::settled::{ELSEWHERE, Settled, incident_of as told_of, raised, share_of};
use super::{Context, Source};
use domain::{Attempt, AttemptState, Code, Failure, Fen, Order, Provider, Refund, RefundState, payment_identity};
use providers::{CallError, RefundNotice, RefundProgress};
use serde_json::{Value, json};
use store::{Action, HistoryEntry, Incident, IncidentName, Recorded, Returned, StoreError};

/// How often the incident may change under our hands before we give up.
const ROUNDS: usize = 6;

/// The order and attempt of a refund whose message names only a payment that no order was credited for.
pub(super) async fn order_of(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<(Order, Attempt)>, StoreError> {
    let Some(id) = notice.transaction_id.as_deref().filter(|_| notice.number.is_none()) else { return Ok(None) };
    let identity = payment_identity(notice.provider, &notice.merchant, "", id);
    let Some(recorded) = recorded(cx, notice, &identity).await? else { return Ok(None) };
    let incident = recorded.incident;
    let Some((payment, no)) = incident.payment.zip(incident.out_trade_no) else { return Ok(None) };
    let order = cx.store.order(&no).await?;
    Ok(order.and_then(|order| {
        let attempt = order.attempt_for(payment.provider, &payment.merchant, &payment.number).cloned()?;
        (attempt.merchant == notice.merchant).then_some((order, attempt))
    }))
}

async fn recorded(cx: &Context<'_>, notice: &RefundNotice, identity: &str) -> Result<Option<Recorded>, StoreError> {
    match cx.store.incident_of_payment(notice.provider, identity).await? {
        Some(id) => cx.store.incident(&id).await,
        None => Ok(None),
    }
}

/// Takes a refund of a payment whose order is not known, when the payment is an incident: it is added to that, which
/// ends when all of the payment is back.
pub(super) async fn of_nobody(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<Settled>, Failure> {
    let (number, id) = (notice.number.as_deref(), notice.transaction_id.as_deref());
    let identity = payment_identity(notice.provider, &notice.merchant, number.unwrap_or(""), id.unwrap_or(""));
    let Some(known) = recorded(cx, notice, &identity).await? else { return Ok(None) };
    let (Some(payment), Some(no)) = (&known.incident.payment, &known.incident.out_trade_no) else { return Ok(None) };
    if notice.standing.progress != RefundProgress::Success || !notice.signed {
        return Ok(None);
    }
    let said = Incident {
        payment: Some(payment.clone()),
        ..told_of(notice, no, IncidentName::RefundElsewhere, Value::Null, json!(notice.standing.refund))
    };
    let settled = raised(cx, &said, false).await?;
    if notice.standing.refund.is_some() && notice.standing.refund == payment.total {
        let (by, why) = (notice.provider.name(), Some("refunded at the provider"));
        cx.store.resolve_incident(&known, Action::Refund, by, why, cx.now()).await?;
    }
    Ok(Some(settled))
}

/// The incident of the payment that a refund is of, when no order was credited for that.
pub(super) async fn incident_of(
    cx: &Context<'_>,
    notice: &RefundNotice,
    order: &Order,
    attempt: &Attempt,
) -> Result<Option<Recorded>, StoreError> {
    let two_names = notice.provider.gives_two_numbers();
    let stated = notice.payment.as_ref().map(|payment| payment.transaction_id.as_str());
    let id = notice.transaction_id.as_deref().or(stated);
    let credited = match id {
        _ if two_names => attempt.state == AttemptState::Paid,
        Some(id) => order.transaction_id.as_deref() == Some(id),
        None => true,
    };
    if credited {
        return Ok(None);
    }
    let id = id.unwrap_or_default();
    let number = notice.number.as_deref().unwrap_or(&attempt.number);
    let identity = payment_identity(notice.provider, &notice.merchant, number, id);
    let found = recorded(cx, notice, &identity).await?.filter(|found| found.incident.payment.is_some());
    match (found, id) {
        (None, _) => Ok(None),
        (found, "") => Ok(found),
        // What another order was credited for is that order's.
        (found, id) => {
            Ok(cx.store.order_of_transaction(notice.provider, &notice.merchant, id).await?.map_or(found, |_| None))
        }
    }
}

/// Records the refund on the incident.
pub(super) async fn settle(
    cx: &Context<'_>,
    recorded: &Recorded,
    order: &Order,
    attempt: &Attempt,
    notice: &RefundNotice,
    source: Source,
) -> Result<Settled, Failure> {
    if notice.standing.progress != RefundProgress::Success {
        return Ok(Settled::default());
    }
    let misfit = |expected: Value, actual: Value| {
        told_of(notice, &order.out_trade_no, IncidentName::RefundMismatch, expected, actual)
    };
    let payment = recorded.incident.payment.as_ref();
    let mut refund = Refund {
        refund_id: notice.standing.refund_id.clone(),
        refund_desc: ELSEWHERE.to_owned(),
        state: RefundState::Success,
        refund_date: notice.standing.refunded_at.or(Some(cx.now())),
        incident: Some(recorded.incident_id.clone()),
        transaction_id: payment.map(|payment| payment.transaction_id.clone()),
        // A store tells no amount: what it sold is what the order costs.
        total_fee: payment.and_then(|payment| payment.total).or_else(|| notice.share.map(|_| order.total_fee)),
        ..Refund::begun(order, attempt, notice.out_refund_no.clone(), Fen::ZERO, cx.now())
    };
    let mut amount = notice.standing.refund;
    let share = notice.share.map(|share| share_of(order.total_fee, share));
    if !notice.signed || amount.is_none() && share.is_none() {
        match cx.gateway(attempt).await?.query_refund(cx.clients, order, attempt, &refund, cx.now()).await {
            Ok(standing) if standing.progress == RefundProgress::Success => {
                amount = standing.refund.or(amount);
            }
            Ok(_) | Err(CallError::Refused(_)) if notice.signed => {}
            Ok(_) => return raised(cx, &misfit(Value::Null, json!(amount)), true).await,
            Err(error) => return Err(error.unanswered()),
        }
    }
    let mut now = recorded.clone();
    for _ in 0..ROUNDS {
        let total = refund.total_fee;
        let left = total.and_then(|total| total.minus(now.returned_fee));
        // Without an amount the message tells the sum (Alipay), or speaks of all that is left.
        let rest = || sum_of(notice).map(|sum| sum.minus(now.returned_fee).unwrap_or_default());
        let shared = || share.map(|share| left.map_or(share, |left| share.min(left)));
        refund.refund_fee = amount.or_else(rest).or_else(shared).or(left).unwrap_or_default();
        if refund.refund_fee == Fen::ZERO && sum_of(notice).is_some() {
            // The sum is counted already.
            return Ok(Settled::default());
        }
        let whole = left.is_none_or(|left| refund.refund_fee >= left);
        let entry = HistoryEntry::new("refunded", source.name(), cx.now())
            .with("out_refund_no", &refund.out_refund_no)
            .with("refund_fee", &refund.refund_fee)
            .with("incident_id", &now.incident_id)
            .with("elsewhere", &true);
        match cx.store.record_return(&now, order, &refund, whole, &entry).await? {
            Returned::Done => return Ok(Settled { refunded: true, ..Settled::default() }),
            Returned::Known => return Ok(Settled::default()),
            Returned::NumberTaken => {
                return raised(cx, &misfit(Value::Null, json!(refund.refund_fee)), true).await;
            }
            Returned::Moved => now = cx.store.incident(&now.incident_id).await?.ok_or(Code::BUSY)?,
        }
    }
    Err(Code::BUSY.into())
}

/// What was refunded of the payment in all, where the message says that instead of the refund's own amount.
fn sum_of(notice: &RefundNotice) -> Option<Fen> {
    let sum = notice.info.get("refund_fee").and_then(Value::as_str);
    sum.filter(|_| notice.provider == Provider::Alipay).and_then(Fen::from_yuan)
}

/// Whether a refund's number belongs to another order.
pub(super) async fn number_of_another(cx: &Context<'_>, refund: &Refund) -> Result<bool, StoreError> {
    Ok(cx.store.order_of_refund(refund).await?.is_some_and(|no| no != refund.out_trade_no))
}
