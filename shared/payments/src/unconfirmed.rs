//! Notices that are signed and say "paid", while the provider's own answer does not: they are refused, so that they come
//! again, and from the third time on the payment is an incident.

use super::holder::find_order;
use super::incident_record::alarm;
use super::{Confirmed, Context};
use domain::{AttemptState, Code, Failure, Payment, Provider};
use providers::Hint;
use serde_json::json;
use store::{Action, Incident, IncidentName, IncidentStatus, StoreError};

/// The time from which on an operator is called.
const CALLED_AT: u64 = 3;

/// Counts a notice that could not be confirmed, and records the incident when it is the third of its payment. The
/// failure is what the notice is answered with.
pub(super) async fn unconfirmed(cx: &Context<'_>, hint: &Hint, out_trade_no: &str, number: &str, why: &str) -> Failure {
    let failure = Failure::new(Code::OUTCOME_UNKNOWN).private(format!("a signed notice says that it is paid: {why}"));
    let counted = cx.store.count_unconfirmed(hint.provider, &hint.merchant, number, cx.now()).await;
    let recorded = match counted {
        Ok(times) if times < CALLED_AT => return failure,
        Ok(_) => call(cx, hint, out_trade_no, number).await,
        Err(error) => Err(error),
    };
    recorded.map_or_else(Failure::from, |()| failure)
}

/// Records the incident. That the payment is doubted is noted on its attempt first, in a write that nobody's credit
/// passes unseen; somebody may have credited it before that.
async fn call(cx: &Context<'_>, hint: &Hint, out_trade_no: &str, number: &str) -> Result<(), StoreError> {
    let (provider, merchant) = (hint.provider, &hint.merchant);
    if let Some(order) = find_order(cx, provider, merchant, number).await?
        && let Some(attempt) = order.attempt_for(provider, merchant, number).filter(|attempt| !attempt.doubted)
    {
        cx.store.note_doubt(&order, attempt).await?;
    }
    alarm(cx, &incident(provider, merchant, out_trade_no, number), true).await?;
    let now = find_order(cx, provider, merchant, number).await?;
    let paid = now.as_ref().and_then(|order| order.attempt_for(provider, merchant, number));
    // Of an attempt with several numbers, another may have been paid.
    match paid.is_some_and(|attempt| attempt.state == AttemptState::Paid && attempt.numbers.len() < 2) {
        true => end(cx, &incident(provider, merchant, out_trade_no, number), CREDITED).await,
        false => Ok(()),
    }
}

fn incident(provider: Provider, merchant: &str, out_trade_no: &str, number: &str) -> Incident {
    Incident {
        out_trade_no: Some(out_trade_no.to_owned()),
        actual: Some(json!({ "number": number })),
        ..Incident::new(IncidentName::UnconfirmedNotice, provider, merchant)
    }
}

const CREDITED: &str = "the payment is credited";

/// Ends the incident of a payment that was doubted, when it is known what became of it.
pub(super) async fn settled(
    cx: &Context<'_>,
    out_trade_no: &str,
    payment: &Payment,
    confirmed: Confirmed,
) -> Result<(), StoreError> {
    let note = match confirmed {
        Confirmed::Credited | Confirmed::Already => CREDITED.to_owned(),
        Confirmed::Reversed => "the payment has gone back".to_owned(),
        Confirmed::Incident { name, .. } => format!("the payment has its own incident: {}", name.name()),
        Confirmed::Unsettled | Confirmed::Unknown => return Ok(()),
    };
    end(cx, &incident(payment.provider, &payment.merchant, out_trade_no, &payment.number), &note).await
}

async fn end(cx: &Context<'_>, incident: &Incident, note: &str) -> Result<(), StoreError> {
    let open = cx.store.incident(&incident.id()).await?.filter(|known| known.status == IncidentStatus::Open);
    if let Some(recorded) = open {
        let by = incident.provider.name();
        cx.store.resolve_incident(&recorded, Action::Close, by, Some(note), cx.now()).await?;
    }
    Ok(())
}
