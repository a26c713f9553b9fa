//! `pay/closePayment`: close at the provider first, then here.

use super::query::Asked;
use super::{Caller, Context, Source};
use domain::{Attempt, AttemptState, Code, Failure, Order, Status, UnixMs};
use providers::{CallError, Closing, Meaning};
use std::time::Duration;
use store::HistoryEntry;

/// Closes an unpaid order at every provider that may still take its money, then here. What a provider cannot
/// close is looked after as long as that provider takes money for it. A closed one is closed again with success.
///
/// # Errors
/// 409 when it is or turns out to be paid, or the payer is paying; 422 when a provider refuses to close, 504 when one
/// does not answer, or refuses to tell how the order stands.
pub async fn close_payment(cx: &Context<'_>, caller: &Caller, out_trade_no: &str) -> Result<Order, Failure> {
    'round: for _ in 0..5 {
        let order = cx.visible_order(caller, out_trade_no).await?;
        match order.trade_state {
            Status::Success | Status::Refund => return Err(Code::ALREADY_PAID.into()),
            Status::Closed => return Ok(order),
            Status::NotPay => {}
        }
        let mut left_open = Vec::new();
        for attempt in order.attempts.iter().filter(|a| a.may_be_paid()) {
            match close_attempt(cx, &order, attempt, &caller.source).await {
                Ok(ended) if ended.state == AttemptState::Abandoned => left_open.push(attempt.n),
                Ok(_) => {}
                Err(moved) if moved.code == Code::BUSY => continue 'round,
                Err(failure) => return Err(failure),
            }
        }
        let entry = HistoryEntry::new("closed", &caller.source, cx.now());
        let due = Some(super::watch::first_watch(cx, &order, &left_open, cx.now()).await?);
        if cx.store.close_order(&order, &left_open, due, cx.now(), &entry).await? {
            return Ok(cx.store.order(out_trade_no).await?.unwrap_or(order));
        }
    }
    Err(Code::BUSY.into())
}

/// How an attempt ended at its provider.
pub(super) struct Ended {
    pub(super) state: AttemptState,
    /// New incidents, of payments that were found there and do not fit.
    pub(super) incidents: u64,
}

impl From<AttemptState> for Ended {
    fn from(state: AttemptState) -> Self {
        Self { state, incidents: 0 }
    }
}

/// Closes one attempt at its provider, and tells how it ended: closed there, or abandoned because the
/// provider never saw it (Alipay knows a trade only once the payer has opened it) or has no close.
///
/// A pay code is closed by a reversal, which gives back what was paid. So it is noted first, under the condition that
/// the order is as it was read, that nothing may be credited to the attempt by what was said before: else one request
/// credits and delivers what another gives back. What a reversal does not end, because its provider refuses it or does
/// not answer, is asked about: at once after a refusal, else before the next reversal.
///
/// # Errors
/// 409 when it turns out to be paid (it is credited) or the payer is paying, 422 when the provider refuses, 409
/// ([`Code::BUSY`]) when the order changed since it was read, 504 when the outcome is not known; then nothing changes
/// here.
pub(super) async fn close_attempt(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    source: &str,
) -> Result<Ended, Failure> {
    let gateway = cx.gateway(attempt).await?;
    let mut noted = None;
    if gateway.reverses() {
        // An earlier reversal is over and has not ended it: if it was paid, that is found now, and not put off by
        // another reversal each time.
        if attempt.reversing.is_some()
            && !attempt.is_being_reversed(cx.now())
            && let Some(ended) = ended(super::query::ask(cx, order, attempt, Source::Query).await?)
        {
            return ended;
        }
        let asked = cx.now().max(attempt.reversing.map_or(UnixMs::EPOCH, |before| before + Duration::from_millis(1)));
        let entry = HistoryEntry::new("reversal", source, cx.now()).with("attempt", &attempt.n);
        if !cx.store.begin_reversal(order, attempt, asked, &entry).await? {
            return Err(Code::BUSY.into());
        }
        noted = Some(Attempt { reversing: Some(asked), ..attempt.clone() });
    }
    let closed = gateway.close(cx.clients, order, attempt, cx.now()).await;
    let entry = |event| HistoryEntry::new(event, source, cx.now()).with("attempt", &attempt.n);
    match closed {
        Ok(Closing::Closed) => Ok(AttemptState::Closed.into()),
        Ok(Closing::LeftOpen) => Ok(AttemptState::Abandoned.into()),
        Ok(Closing::Paying) => Err(Code::PAYING.into()),
        Err(CallError::Refused(refusal)) => match refusal.meaning {
            Meaning::Closed => Ok(AttemptState::Closed.into()),
            Meaning::Missing => Ok(AttemptState::Abandoned.into()),
            Meaning::Paid => {
                let attempt = match noted {
                    Some(noted) => not_reversed(cx, order, attempt, noted).await?,
                    None => attempt.clone(),
                };
                // Paid by one answer and not by the next: nothing is known.
                match super::query::ask(cx, order, &attempt, Source::Query).await? {
                    Asked::Closed => Err(Code::OUTCOME_UNKNOWN.into()),
                    asked => ended(asked).unwrap_or(Err(Code::OUTCOME_UNKNOWN.into())),
                }
            }
            Meaning::No | Meaning::NumberUsed | Meaning::TooSoon | Meaning::Unheard | Meaning::Address => {
                let entry = entry("close refused").with("code", &refusal.code).with("message", &refusal.message);
                cx.store.append_history(&order.out_trade_no, &entry).await?;
                if let Some(noted) = noted {
                    let attempt = not_reversed(cx, order, attempt, noted).await?;
                    if let Some(ended) = ended(super::query::ask(cx, order, &attempt, Source::Query).await?) {
                        return ended;
                    }
                }
                Err(Failure::new(Code::PROVIDER_REFUSED).says(refusal.to_string()))
            }
        },
        Err(CallError::Unknown(why)) => {
            let entry = entry("unknown").with("call", &"close").with("why", &why);
            cx.store.append_history(&order.out_trade_no, &entry).await?;
            Err(Code::OUTCOME_UNKNOWN.into())
        }
    }
}

/// Notes that a reversal is over, because its provider has refused it, and gives the attempt as it stands then. It stays
/// noted that there was one: a payment is asked about before it is credited. An earlier reversal that may be on its way
/// still, and one that somebody else has asked for meanwhile, go on.
async fn not_reversed(cx: &Context<'_>, order: &Order, before: &Attempt, noted: Attempt) -> Result<Attempt, Failure> {
    let over = Attempt { reversing: noted.reversal_over().max(before.reversing), ..noted.clone() };
    Ok(match cx.store.change_reversal(order, &noted, over.reversing).await? {
        true => over,
        false => noted,
    })
}

/// What asking about an attempt says of its end; `None` when it is not paid, or nothing is known.
fn ended(asked: Asked) -> Option<Result<Ended, Failure>> {
    match asked {
        // What was paid is an incident. Other links of the attempt may still be paid (VksPay).
        Asked::Misfit { new, whole } => {
            let state = if whole { AttemptState::Closed } else { AttemptState::Abandoned };
            Some(Ok(Ended { state, incidents: new }))
        }
        Asked::Paid => Some(Err(Code::ALREADY_PAID.into())),
        Asked::Closed => Some(Ok(AttemptState::Closed.into())),
        Asked::Unknown { .. } | Asked::Unpaid { .. } => None,
    }
}
