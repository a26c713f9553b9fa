//! `pay/queryPayment` and `pay/queryOrders`.

use super::confirm::confirm_taken_back;
use super::days::{self, Wanted};
use super::{Caller, Confirmed, Context, Fields, Source};
use domain::{Attempt, AttemptState, Code, Failure, Order, Provider, Status, UnixMs, fields as f};
use providers::{CallError, Standing};
use std::time::Duration;
use store::{HistoryEntry, Listing};

/// A provider is asked about one order at most once in this time.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// How many attempts of one order are asked about at once.
const ASKED_AT_ONCE: usize = 4;
/// How long telling a provider of a delivery may take.
const TELL: Duration = Duration::from_secs(3);
/// How often the table is looked at while waiting for a callback.
const POLL: Duration = Duration::from_millis(250);

/// When the client of an unpaid order should ask again: up to an age of its attempt, this pause.
const PACE: [(Duration, Duration); 4] = [
    (Duration::from_secs(30), Duration::from_millis(1_500)),
    (Duration::from_mins(2), Duration::from_secs(3)),
    (Duration::from_mins(10), Duration::from_secs(5)),
    (Duration::MAX, Duration::from_secs(10)),
];
const _: () = assert!(
    PACE[0].1.as_millis() > PAUSE.as_millis(),
    "a client that asks more often than a provider is asked learns nothing"
);

/// After how long an order's client should ask again; `None` when there is nothing to wait for. It
/// grows with the age of what is being paid: most payers pay within the first minute.
pub fn next_poll(order: &Order, now: UnixMs) -> Option<Duration> {
    let age = now.since(order.current().create_date);
    let pause = PACE.iter().find(|(until, _)| age < *until).map(|(_, pause)| *pause);
    pause.filter(|_| order.trade_state == Status::NotPay)
}

/// A `queryPayment` request, read.
pub struct QueryInput<'a> {
    out_trade_no: Option<&'a str>,
    transaction_id: Option<&'a str>,
    provider: Option<Provider>,
    await_notify: bool,
    await_max: Duration,
}

impl<'a> QueryInput<'a> {
    /// Reads the data.
    ///
    /// # Errors
    /// [`Code::OUT_TRADE_NO`] when neither number is there.
    pub fn read(fields: &Fields<'a>) -> Result<Self, Failure> {
        let out_trade_no = fields.number(&f::OUT_TRADE_NO)?;
        let transaction_id = fields.text(&f::TRANSACTION_ID)?;
        if out_trade_no.is_none() && transaction_id.is_none() {
            return Err(Code::OUT_TRADE_NO.into());
        }
        let await_max = fields.integer(&f::AWAIT_MAX_TIME)?;
        Ok(Self {
            out_trade_no,
            transaction_id,
            provider: fields.provider()?,
            await_notify: fields.flag(&f::AWAIT_NOTIFY),
            await_max: Duration::from_secs(await_max.and_then(|s| u64::try_from(s).ok()).unwrap_or(20)),
        })
    }
}

/// Answers how an order stands. An unpaid one is asked at the provider, and what that finds is credited.
/// With `await_notify` it waits until the handler has finished.
///
/// # Errors
/// [`Code::NO_ORDER`], or a fault of the table.
pub async fn query_payment(cx: &Context<'_>, caller: &Caller, input: &QueryInput<'_>) -> Result<Order, Failure> {
    let (no, mut order) = match (input.out_trade_no, input.transaction_id) {
        (Some(no), _) => (no.to_owned(), cx.visible_order(caller, no).await?),
        (None, id) => named_by(cx, caller, input.provider, id.unwrap_or_default()).await?,
    };
    let ends = cx.now() + input.await_max;
    loop {
        if order.trade_state == Status::NotPay
            && order.attempts.iter().any(Attempt::may_be_paid)
            && cx.store.claim_query(&no, cx.now(), PAUSE).await?
        {
            for attempt in to_ask(&order, cx.now()) {
                ask(cx, &order, attempt, Source::Query).await?;
            }
            order = cx.visible_order(caller, &no).await?;
        }
        let settled = order.trade_state == Status::Closed || order.user_order_success.is_some();
        if settled || !input.await_notify || cx.now() >= ends {
            return Ok(order);
        }
        tokio::time::sleep(POLL).await;
        order = cx.visible_order(caller, &no).await?;
    }
}

/// The attempts that one query asks about: the latest, and of the earlier ones each in its turn.
fn to_ask(order: &Order, now: UnixMs) -> Vec<&Attempt> {
    let mut open: Vec<&Attempt> = order.attempts.iter().rev().filter(|a| a.may_be_paid()).collect();
    if open.len() > ASKED_AT_ONCE {
        // The turn changes with each second, as often as a provider may be asked ([`PAUSE`]).
        let turn = usize::try_from(now.secs()).unwrap_or(0) % (open.len() - 1);
        open[1..].rotate_left(turn);
        open.truncate(ASKED_AT_ONCE);
    }
    open
}

/// The order that was credited for a provider's number of a payment, and that the caller may see. Where every site
/// counts for itself, two merchants may have the same.
async fn named_by(
    cx: &Context<'_>,
    caller: &Caller,
    provider: Option<Provider>,
    id: &str,
) -> Result<(String, Order), Failure> {
    let providers = provider.map_or_else(|| Provider::ALL.to_vec(), |p| vec![p]);
    for provider in providers {
        let merchants = if provider == Provider::Vkspay { usize::MAX } else { 1 };
        for merchant in cx.config.merchant_ids().into_iter().take(merchants) {
            let Some(no) = cx.store.order_of_transaction(provider, merchant, id).await? else { continue };
            match cx.visible_order(caller, &no).await {
                Ok(order) => return Ok((no, order)),
                Err(failure) if failure.code == Code::NO_ORDER => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Err(Code::NO_ORDER.into())
}

/// What asking a provider about an attempt has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// It does not tell: it refuses to, or nothing can be made of its answer.
    Unknown { refused: bool },
    /// It is not paid, or not known there; `paying` while the payer is at it.
    Unpaid { paying: bool },
    /// It is closed there, which is noted.
    Closed,
    /// It is paid, and its order is paid by it.
    Paid,
    /// It was paid, but not so that it fits its order: there is an incident, so many of which are new. `whole` when
    /// nothing else of it can be paid.
    Misfit { new: u64, whole: bool },
}

/// Asks the provider about one attempt and takes the answer: paid is credited, closed is noted. An answer
/// that cannot be had changes nothing.
pub(super) async fn ask(cx: &Context<'_>, order: &Order, attempt: &Attempt, source: Source) -> Result<Asked, Failure> {
    ask_as(cx, order, attempt, source, false).await
}

/// The same about a payment that has gone back whole, as the provider has signed: its order is paid and is not
/// delivered.
pub(super) async fn ask_taken_back(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    source: Source,
) -> Result<Asked, Failure> {
    ask_as(cx, order, attempt, source, true).await
}

async fn ask_as(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    source: Source,
    taken_back: bool,
) -> Result<Asked, Failure> {
    let no = &order.out_trade_no;
    let gateway = cx.gateway(attempt).await?;
    if attempt.is_being_reversed(cx.now()) {
        return Ok(Asked::Unknown { refused: false });
    }
    match gateway.query(cx.clients, order, attempt, cx.now()).await {
        Ok(Standing::Paid(payments)) => {
            let whole = payments.len() >= attempt.numbers.len();
            let mut asked = Asked::Paid;
            for payment in &payments {
                let confirmed = match taken_back {
                    true => confirm_taken_back(cx, payment, source).await?,
                    false => super::confirm(cx, payment, source).await?,
                };
                match confirmed {
                    // A provider that sent no callback does not know yet that the order is delivered.
                    Confirmed::Credited if source == Source::Query && !taken_back => {
                        let told = gateway.delivered(cx.clients, attempt, cx.now());
                        if tokio::time::timeout(TELL, told).await.is_err() {
                            tracing::warn!(out_trade_no = %no, "the provider was not notified of the delivery in time");
                        }
                    }
                    Confirmed::Credited | Confirmed::Already => {}
                    Confirmed::Reversed => asked = Asked::Closed,
                    Confirmed::Unsettled | Confirmed::Unknown => asked = Asked::Unknown { refused: false },
                    Confirmed::Incident { name, new } => {
                        let before = if let Asked::Misfit { new, .. } = asked { new } else { 0 };
                        asked = Asked::Misfit { new: before + u64::from(new), whole };
                        tracing::warn!(out_trade_no = %no, ?name, "a payment found by a query does not match its order");
                    }
                }
            }
            Ok(asked)
        }
        Ok(Standing::Closed) if attempt.state == AttemptState::Closed => Ok(Asked::Closed),
        Ok(Standing::Closed) => {
            let entry =
                HistoryEntry::new("attempt closed", attempt.provider.name(), cx.now()).with("attempt", &attempt.n);
            cx.store.end_attempt(order, attempt, AttemptState::Closed, &entry).await?;
            Ok(Asked::Closed)
        }
        Ok(Standing::Unpaid { paying }) => Ok(Asked::Unpaid { paying }),
        Ok(Standing::Missing) => Ok(Asked::Unpaid { paying: false }),
        Err(CallError::Refused(refusal)) => {
            tracing::warn!(out_trade_no = %no, code = refusal.code, message = refusal.message, "the provider refuses to tell");
            Ok(Asked::Unknown { refused: true })
        }
        Err(CallError::Unknown(why)) => {
            tracing::warn!(out_trade_no = %no, why, "the provider does not tell");
            Ok(Asked::Unknown { refused: false })
        }
    }
}

/// Orders of a user, or those that were paid on days, newest first.
///
/// # Errors
/// The field's code for bad input, 403 for another user's orders and for days where the caller is a user.
pub async fn query_orders(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Listing, Failure> {
    if days::are_named(fields) {
        return days::orders(cx, caller, fields).await;
    }
    let named = fields.text(&f::USER_ID)?;
    let user_id = match (&caller.user, named) {
        (Some(user), Some(named)) if !caller.trusted && user != named => {
            return Err(Failure::new(Code::FORBIDDEN).at("user_id").says("user_id"));
        }
        (Some(user), _) if !caller.trusted => user,
        (_, Some(named)) => named,
        (_, None) => return Err(f::USER_ID.wrong("one of user_id, day, or from with to is needed")),
    };
    let wanted = Wanted::read(fields)?;
    let page_size = fields.integer(&f::PAGE_SIZE)?.unwrap_or(20);
    let cursor = fields.text(&f::CURSOR)?;
    let page_size = usize::try_from(page_size).unwrap_or(20);
    cx.store
        .orders_of(user_id, page_size, cursor, |order| wanted.is(order))
        .await?
        .ok_or_else(|| f::CURSOR.wrong("is not one that an earlier page has given"))
}
