//! What a verified callback says, beyond a payment: hints that something changed, events, refunds. Refunds that
//! were made elsewhere are taken into the table.

use super::confirm::{Confirmed, alarm, confirm, find_order};
use super::query::Asked;
use super::{Context, Source};
use crate::code::{Code, Failure};
use crate::order::{Attempt, AttemptState, Fen, Order, Refund, RefundState};
use crate::provider::{Alert, Event, Hint, Notice, Outcome, RefundNotice, RefundProgress};
use crate::store::{HistoryEntry, Incident, IncidentName, StoreError};
use serde_json::{Value, json};

/// How often an order may change under our hands before we give up.
const ROUNDS: usize = 12;
/// The description of a refund that was not made through here.
pub(super) const ELSEWHERE: &str = "refunded elsewhere";

/// Takes what a verified callback says. `source` is how it came: by the provider's call, or because we asked for it.
///
/// # Errors
/// When the table or, for a refund whose payment is not known yet, the provider cannot be reached;
/// [`Code::NO_ORDER`] for a transfer that is not known, which is the sender's fault.
pub async fn settle_notice(cx: &Context<'_>, notice: &Notice, source: Source) -> Result<Settled, Failure> {
    match notice {
        Notice::Payment(payment) => Ok(match confirm(cx, payment, source).await? {
            Confirmed::Credited => Settled { credited: true, ..Settled::default() },
            Confirmed::Already => Settled::default(),
            Confirmed::Incident { new, .. } => Settled { incident: new, ..Settled::default() },
        }),
        Notice::Refund(refund) => settle_refund(cx, refund, source).await,
        Notice::Transfer(transfer) => super::transfer::settle_transfer(cx, transfer).await.map(|()| Settled::default()),
        Notice::Hint(hint) => settle_hint(cx, hint).await.map(|()| Settled::default()),
        Notice::Event(event) => settle_event(cx, event, source).await,
        Notice::Echo(_) => Ok(Settled::default()),
        Notice::Other(name) => {
            tracing::info!(name, "a callback that asks for nothing");
            Ok(Settled::default())
        }
    }
}

/// What a message changed by itself; what a hint made us ask for is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// An order was paid.
    pub credited: bool,
    /// A refund ended, or one that was made elsewhere was counted.
    pub refunded: bool,
    /// An incident is new.
    pub incident: bool,
}

/// How often and how long an unproven message waits for its turn to ask the provider.
const HINT_ROUNDS: usize = 5;
const HINT_PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

/// Asks the provider because a message said so. What the table does not know is nobody's business.
async fn settle_hint(cx: &Context<'_>, hint: &Hint) -> Result<(), Failure> {
    if let Some(number) = &hint.out_refund_no {
        return settle_refund_hint(cx, hint, number).await;
    }
    let Some(number) = &hint.number else { return Ok(()) };
    let Some(order) = find_order(cx, hint.provider, &hint.merchant, number).await? else {
        // Whoever sent it has proved nothing.
        let number = crate::log::digest(number);
        tracing::info!(number, provider = %hint.provider, "a message about a number that is not known");
        return Ok(());
    };
    let Some(attempt) = order.attempt_for(hint.provider, &hint.merchant, number) else { return Ok(()) };
    for round in 0..HINT_ROUNDS {
        if round > 0 {
            tokio::time::sleep(HINT_PAUSE).await;
        }
        if cx.store.claim_query(&order.out_trade_no, cx.now(), super::query::PAUSE_MS).await? {
            return match super::query::ask(cx, &order, attempt, Source::Callback).await? {
                Asked::Told | Asked::Misfit { .. } => Ok(()),
                Asked::Untold => Err(Failure::new(Code::OUTCOME_UNKNOWN).private("the provider does not tell")),
            };
        }
    }
    // Somebody else asks all the time; what they found may be this.
    match cx.store.order(&order.out_trade_no).await? {
        Some(order) if order.paid_attempt().is_some_and(|a| a.n == attempt.n && a.numbers.len() < 2) => Ok(()),
        _ => Err(Failure::new(Code::BUSY).private("too many messages about one order")),
    }
}

async fn settle_refund_hint(cx: &Context<'_>, hint: &Hint, out_refund_no: &str) -> Result<(), Failure> {
    let Some(no) = cx.store.order_of_refund_number(hint.provider, &hint.merchant, out_refund_no).await? else {
        return Ok(());
    };
    let (Some(order), Some(refund)) = (cx.store.order(&no).await?, cx.store.refund(&no, out_refund_no).await?) else {
        return Ok(());
    };
    let Some(attempt) = order.attempts.iter().find(|a| a.n == refund.attempt) else { return Ok(()) };
    match cx.gateway(attempt)?.query_refund(cx.outside, &order, attempt, &refund, cx.now()).await {
        Outcome::Done(standing) => {
            super::refund::apply(cx, &order, &refund, &standing, Source::Callback).await.map(|_| ())
        }
        Outcome::Refused(refusal) => Err(Failure::new(Code::OUTCOME_UNKNOWN).private(refusal.message)),
        Outcome::Unknown(why) => Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why)),
    }
}

/// Records an event on its order, once; the order's state stays.
async fn settle_event(cx: &Context<'_>, event: &Event, source: Source) -> Result<Settled, Failure> {
    let mut found = None;
    for id in &event.transactions {
        if let Some(no) = cx.store.order_of_transaction(event.provider, id).await? {
            found = cx.store.order(&no).await?;
            break;
        }
    }
    if found.is_none()
        && let Some(number) = &event.number
    {
        found = find_order(cx, event.provider, &event.merchant, number).await?;
    }
    let Some(order) = found else {
        tracing::info!(name = event.name, provider = %event.provider, "an event of no order that is known");
        return Ok(Settled::default());
    };
    let no = order.out_trade_no;
    let transaction_id = event.transactions.first();
    let entry = HistoryEntry::new("event", source.name(), event.at)
        .with("name", &event.name)
        .with("transaction_id", &transaction_id);
    cx.store.append_event(&no, &event.id, &entry).await?;
    let name = match event.alert {
        None => return Ok(Settled::default()),
        Some(Alert::TakenBack) => IncidentName::Chargeback,
        Some(Alert::RefundUndone) => IncidentName::RefundMismatch,
    };
    let incident = Incident {
        out_trade_no: Some(no),
        transaction_id: transaction_id.cloned(),
        actual: Some(json!({ "event": event.name, "id": event.id })),
        ..Incident::new(name, event.provider, &event.merchant)
    };
    raised(cx, &incident, true).await
}

async fn raised(cx: &Context<'_>, incident: &Incident, known: bool) -> Result<Settled, Failure> {
    Ok(Settled { incident: alarm(cx, incident, known).await?, ..Settled::default() })
}

/// The order and attempt of a refund: by the number that the provider knows, else by the refund's own number,
/// else by the payment.
async fn refunded_order(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<(Order, Attempt)>, StoreError> {
    if let Some(number) = &notice.number {
        let order = find_order(cx, notice.provider, &notice.merchant, number).await?;
        return Ok(order.and_then(|order| {
            let attempt = order.attempt_for(notice.provider, &notice.merchant, number).cloned()?;
            Some((order, attempt))
        }));
    }
    let by_refund = cx.store.order_of_refund_number(notice.provider, &notice.merchant, &notice.out_refund_no).await?;
    let no = match (by_refund, &notice.transaction_id) {
        (Some(no), _) => Some(no),
        (None, Some(id)) => cx.store.order_of_transaction(notice.provider, id).await?,
        (None, None) => None,
    };
    let Some(no) = no else { return Ok(None) };
    let Some(order) = cx.store.order(&no).await? else { return Ok(None) };
    let refund = cx.store.refund(&no, &notice.out_refund_no).await?;
    let attempt = match &refund {
        Some(refund) => order.attempts.iter().find(|a| a.n == refund.attempt),
        None => order.paid_attempt().filter(|_| notice.transaction_id == order.transaction_id),
    };
    let attempt = attempt.filter(|a| a.provider == notice.provider && a.merchant == notice.merchant).cloned();
    Ok(attempt.map(|attempt| (order, attempt)))
}

async fn settle_refund(cx: &Context<'_>, notice: &RefundNotice, source: Source) -> Result<Settled, Failure> {
    let Some((mut order, mut attempt)) = refunded_order(cx, notice).await? else {
        let number = notice.number.as_deref().or(notice.transaction_id.as_deref()).unwrap_or(&notice.out_refund_no);
        let incident = incident_of(notice, number, IncidentName::UnknownOrder, Value::Null, Value::Null);
        return raised(cx, &incident, false).await;
    };
    let no = order.out_trade_no.clone();
    if notice.mch_id.is_some() && notice.mch_id != attempt.mch_id {
        let (expected, actual) = (json!(attempt.mch_id), json!(notice.mch_id));
        return raised(cx, &incident_of(notice, &no, IncidentName::MerchantMismatch, expected, actual), true).await;
    }
    // A payment that was sent back leaves its order as it is.
    let sent_back = cx.store.refund(&no, &notice.out_refund_no).await?.is_some_and(|r| r.incident.is_some());
    if !order.trade_state.is_paid() && !sent_back {
        match &notice.payment {
            Some(payment) => {
                confirm(cx, payment, source).await?;
            }
            None => {
                super::query::ask(cx, &order, &attempt, Source::Query).await?;
            }
        }
        order = match cx.store.order(&no).await? {
            Some(order) if order.trade_state.is_paid() => order,
            _ => return Err(Code::OUTCOME_UNKNOWN.into()),
        };
        attempt = order.attempts.iter().find(|a| a.n == attempt.n).cloned().unwrap_or(attempt);
    }
    match cx.store.refund(&no, &notice.out_refund_no).await? {
        Some(refund) if notice.standing.refund.is_some_and(|amount| amount != refund.refund_fee) => {
            let (expected, actual) = (json!(refund.refund_fee), json!(notice.standing.refund));
            raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await
        }
        Some(refund) => {
            let (_, now) = super::refund::apply(cx, &order, &refund, &notice.standing, source).await?;
            let refunded = refund.state == RefundState::Processing && now.state != RefundState::Processing;
            Ok(Settled { refunded, ..Settled::default() })
        }
        None => adopt(cx, &order, &attempt, notice, source).await,
    }
}

/// A refund that was not asked for here: recorded as an incident, and counted when it is of the credited
/// payment and its amount is known.
async fn adopt(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    notice: &RefundNotice,
    source: Source,
) -> Result<Settled, Failure> {
    if notice.standing.progress != RefundProgress::Success {
        return Ok(Settled::default());
    }
    let amount = notice.standing.refund.or_else(|| share_of(order, notice)).unwrap_or_default();
    let mut refund = Refund {
        refund_id: notice.standing.refund_id.clone(),
        refund_desc: ELSEWHERE.to_owned(),
        state: RefundState::Success,
        refund_date: notice.standing.refunded_at.or(Some(cx.now())),
        ..Refund::begun(order, attempt, notice.out_refund_no.clone(), amount, cx.now())
    };
    if notice.standing.refund.is_none() && notice.share.is_none() {
        match cx.gateway(attempt)?.query_refund(cx.outside, order, attempt, &refund, cx.now()).await {
            Outcome::Done(standing) => refund.refund_fee = standing.refund.unwrap_or_default(),
            Outcome::Refused(_) => {}
            Outcome::Unknown(why) => {
                return Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why));
            }
        }
    }
    let actual = json!(refund.refund_fee);
    let incident = incident_of(notice, &order.out_trade_no, IncidentName::RefundElsewhere, Value::Null, actual);
    let told = raised(cx, &incident, true).await?;
    // The order may change meanwhile; then the sum is taken anew.
    let mut order = order.clone();
    for _ in 0..ROUNDS {
        if attempt.state != AttemptState::Paid || refund.refund_fee.0 == 0 {
            return Ok(told);
        }
        let entry = HistoryEntry::new("refunded", source.name(), cx.now())
            .with("out_refund_no", &refund.out_refund_no)
            .with("refund_fee", &refund.refund_fee)
            .with("elsewhere", &true);
        let known = cx.store.refund(&order.out_trade_no, &refund.out_refund_no);
        if cx.store.adopt_refund(&order, &refund, &entry).await? {
            return Ok(Settled { refunded: true, ..told });
        }
        if known.await?.is_some() {
            return Ok(told);
        }
        order = cx.store.order(&order.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
        if notice.share.is_some() {
            refund.refund_fee = share_of(&order, notice).unwrap_or_default();
        } else if refund.refund_fee > order.refundable {
            // More than is left: the incident tells, and the operator decides.
            return Ok(told);
        }
    }
    Err(Code::BUSY.into())
}

/// The share of a payment that went back, in fen, rounded up; never more than is left.
fn share_of(order: &Order, notice: &RefundNotice) -> Option<Fen> {
    let share = u128::from(notice.share?.min(100_000));
    let fen = (u128::from(order.total_fee.0) * share).div_ceil(100_000);
    Some(Fen(u64::try_from(fen).ok()?).min(order.refundable))
}

fn incident_of(notice: &RefundNotice, no: &str, name: IncidentName, expected: Value, actual: Value) -> Incident {
    Incident {
        out_trade_no: Some(no.to_owned()),
        transaction_id: notice.transaction_id.clone(),
        out_refund_no: Some(notice.out_refund_no.clone()),
        expected: Some(expected).filter(|v| !v.is_null()),
        actual: Some(actual).filter(|v| !v.is_null()),
        ..Incident::new(name, notice.provider, &notice.merchant)
    }
}
