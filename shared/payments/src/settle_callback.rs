//! What a verified callback says, beyond a payment: hints that something changed, events, refunds. Refunds that
//! were made elsewhere are taken into the table.

use super::Confirmed;
use super::confirm::confirm;
use super::holder::find_order;
use super::incident_record::alarm;
use super::query::Asked;
use super::settle_refund::{contradicts, ended_as, settle_refund};
use super::settled::{Settled, raised, unanswered};
use super::{Context, Source};
use domain::{AttemptState, Code, Failure, Order};
use providers::{Alert, Event, Hint, Notice};
use serde_json::json;
use store::{HistoryEntry, Incident, IncidentName, StoreError};

/// Takes what a verified callback says. `source` is how it came: by the provider's call, or because we asked for it.
///
/// # Errors
/// When the table or, for a refund whose payment is not known yet, the provider cannot be reached;
/// [`Code::NO_ORDER`] for a transfer that is not known, which is the sender's fault.
pub async fn settle_callback(cx: &Context<'_>, notice: &Notice, source: Source) -> Result<Settled, Failure> {
    match notice {
        Notice::Payment(payment) => Ok(match Box::pin(confirm(cx, payment, source)).await? {
            Confirmed::Credited => Settled { credited: true, ..Settled::default() },
            Confirmed::Already | Confirmed::Reversed => Settled::default(),
            Confirmed::Unsettled => Settled { later: true, ..Settled::default() },
            Confirmed::Unknown => return Err(unanswered(cx, payment).await),
            Confirmed::Incident { new, .. } => Settled { incident: new, ..Settled::default() },
        }),
        Notice::Refund(refund) => Box::pin(settle_refund(cx, refund, source)).await,
        Notice::Transfer(transfer) => super::transfer::settle_transfer(cx, transfer).await.map(|()| Settled::default()),
        Notice::Authorization(notice) => {
            super::authorization::settle_authorization(cx, notice).await.map(|()| Settled::default())
        }
        Notice::Hint(hint) => Box::pin(settle_hint(cx, hint)).await.map(|()| Settled::default()),
        Notice::Event(event) => settle_event(cx, event, source).await,
        Notice::Shipping(notice) => super::shipping::settle_shipping(cx, notice).await,
        Notice::Complaint(notice) => super::complaints::settle_complaint(cx, notice).await,
        Notice::Share(notice) => super::sharing::settle_share(cx, notice).await.map(|()| Settled::default()),
        Notice::Echo(_) => Ok(Settled::default()),
        Notice::Other(name) => {
            tracing::info!(name, "a callback that asks for nothing");
            Ok(Settled::default())
        }
    }
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
        return unknown_number(cx, hint, number).await;
    };
    let Some(attempt) = order.attempt_for(hint.provider, &hint.merchant, number) else {
        return unknown_number(cx, hint, number).await;
    };
    for round in 0..HINT_ROUNDS {
        if round > 0 {
            tokio::time::sleep(HINT_PAUSE).await;
        }
        if cx.store.claim_query(&order.out_trade_no, cx.now(), super::query::PAUSE).await? {
            // What was credited by this number before needs no second proof.
            let known = attempt.state == AttemptState::Paid && attempt.numbers.len() < 2;
            let doubt = match super::query::ask(cx, &order, attempt, Source::Callback).await? {
                Asked::Paid | Asked::Misfit { .. } => return Ok(()),
                _ if known => return Ok(()),
                Asked::Unknown { refused: true } => "the provider refuses to tell",
                Asked::Unknown { refused: false } => "the provider does not tell",
                Asked::Unpaid { .. } | Asked::Closed if !hint.says_paid => return Ok(()),
                Asked::Unpaid { .. } => "the provider says that it is not",
                Asked::Closed => "the provider says that it is closed",
            };
            if !hint.says_paid {
                return Err(Failure::new(Code::OUTCOME_UNKNOWN).private(doubt));
            }
            return Err(super::unconfirmed::unconfirmed(cx, hint, &order.out_trade_no, number, doubt).await);
        }
    }
    // Somebody else asks all the time; what they found may be this.
    match cx.store.order(&order.out_trade_no).await? {
        Some(order) if order.paid_attempt().is_some_and(|a| a.n == attempt.n && a.numbers.len() < 2) => Ok(()),
        // Anybody can send what nobody signs, and the others' questions are as good as one for this.
        _ if !hint.says_paid => Ok(()),
        _ => Err(Failure::new(Code::BUSY).private("too many messages about one order")),
    }
}

/// A message about a number that the table does not know. One that its sender signed and that says "paid" is an
/// incident: there is a payment that nobody here waits for.
async fn unknown_number(cx: &Context<'_>, hint: &Hint, number: &str) -> Result<(), Failure> {
    let shaped = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@.".contains(&b);
    if !hint.says_paid || !(1..=64).contains(&number.len()) || !number.bytes().all(shaped) {
        tracing::info!(provider = %hint.provider, length = number.len(), "a message about a number that is not known");
        return Ok(());
    }
    let incident = Incident {
        out_trade_no: Some(number.to_owned()),
        actual: Some(json!(number)),
        ..Incident::new(IncidentName::UnknownOrder, hint.provider, &hint.merchant)
    };
    alarm(cx, &incident, false).await?;
    Ok(())
}

async fn settle_refund_hint(cx: &Context<'_>, hint: &Hint, out_refund_no: &str) -> Result<(), Failure> {
    let Some(no) = cx.store.order_of_refund_number(hint.provider, &hint.merchant, out_refund_no).await? else {
        return Ok(());
    };
    let (Some(order), Some(refund)) = (cx.store.order(&no).await?, cx.store.refund(&no, out_refund_no).await?) else {
        return Ok(());
    };
    let Some(attempt) = order.attempt(refund.attempt) else { return Ok(()) };
    match cx.gateway(attempt).await?.query_refund(cx.clients, &order, attempt, &refund, cx.now()).await {
        Ok(standing) if contradicts(&refund, &standing.progress) => {
            let incident = Incident {
                out_trade_no: Some(no),
                out_refund_no: Some(refund.out_refund_no.clone()),
                expected: Some(json!(refund.state)),
                actual: Some(ended_as(&standing.progress)),
                ..Incident::new(IncidentName::RefundMismatch, hint.provider, &hint.merchant)
            };
            raised(cx, &incident, true).await.map(|_| ())
        }
        Ok(standing) => super::refund::apply(cx, &order, &refund, &standing, Source::Callback).await.map(|_| ()),
        Err(error) => Err(error.unanswered()),
    }
}

async fn order_of_event(cx: &Context<'_>, event: &Event) -> Result<Option<Order>, StoreError> {
    let mut found = None;
    for id in &event.transactions {
        if let Some(no) = cx.store.order_of_transaction(event.provider, &event.merchant, id).await? {
            found = cx.store.order(&no).await?;
            break;
        }
    }
    if found.is_none()
        && let Some(number) = &event.number
    {
        found = find_order(cx, event.provider, &event.merchant, number).await?;
    }
    Ok(found)
}

/// Records an event on its order, once; the order's state stays. What was taken back before an order was credited for
/// it is credited to none.
async fn settle_event(cx: &Context<'_>, event: &Event, source: Source) -> Result<Settled, Failure> {
    let mut found = order_of_event(cx, event).await?;
    if let (Some(Alert::TakenBack), Some(id)) = (event.alert, event.transactions.first())
        && !cx.store.take_back(event.provider, &event.merchant, id, cx.now()).await?
        && found.is_none()
    {
        found = order_of_event(cx, event).await?;
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
        Some(Alert::TakenBack | Alert::Doubtful) => IncidentName::Chargeback,
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
