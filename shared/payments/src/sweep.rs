//! The scheduled run: whatever is unfinished is asked about at the provider, and ended when its time is over.
//!
//! What a run finds goes through the same doors as a callback. The clock of the run decides what is due,
//! expired or given up; signatures and histories have the system's. Two runs at once claim different items.

use super::close::Ended;
use super::query::Asked;
use super::queue::{Message, Queues};
use super::refund::Answered;
use super::share::Paid;
use super::watch::watched_until;
use super::{Context, Ran, Source};
use domain::{Attempt, AttemptState, Code, Failure, LEASE, Order, RefundState, Status, UnixMs, ask_again, watch_again};
use futures::StreamExt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use store::{Claim, Due, DueItem, HistoryEntry};
use telemetry::Metric;
use tokio::time::Instant;
use tracing::Instrument;

/// What a run counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Provider calls.
    pub asked: AtomicU64,
    /// Orders that were found paid.
    pub credited: AtomicU64,
    /// Orders that were closed.
    pub closed: AtomicU64,
    /// Refunds that ended.
    pub refunds: AtomicU64,
    /// Transfers that ended.
    pub transfers: AtomicU64,
    /// Shares, and returns of them, that ended.
    pub shares: AtomicU64,
    /// Tasks that were done.
    pub tasks: AtomicU64,
    /// Tasks that were given up.
    pub parked: AtomicU64,
    /// Incidents that were found.
    pub incidents: AtomicU64,
    /// Items that could not be brought on.
    pub errors: AtomicU64,
    /// Items that were put into queues.
    pub queued: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }
}

/// The source of what the schedule does, in histories.
const SCHEDULE: &str = "reconcile";
/// How long a run takes at most.
pub(super) const BUDGET: Duration = Duration::from_secs(45);
/// From then on what no provider ends is the operator's business; it is asked about once a day then.
const TOO_LONG: Duration = Duration::from_hours(7 * 24);
/// So long after its end an order's provider may be silent before somebody is called.
const SILENCE: Duration = Duration::from_mins(30);
/// Items that are brought on at once.
const AT_ONCE: usize = 8;
/// Items that are claimed and put into queues at once.
const QUEUED_AT_ONCE: usize = 32;
/// How often the schedule runs.
const PERIOD: Duration = Duration::from_mins(1);
/// How long what waits in a queue is nobody else's. After that it is put into it again.
const QUEUED: Duration = Duration::from_mins(10);

/// Which part of what is due a run looks at, and how much of it.
pub struct Sweep {
    /// What decides what is due, expired or given up.
    pub at: UnixMs,
    /// The shards of the `due` index; all of them, when nothing is said. Several runs can share them.
    pub shards: Option<RangeInclusive<u8>>,
    /// Provider calls at most, where there are no queues.
    pub max_calls: u64,
}

/// Brings on what is due: where there are queues by putting it into them, else itself, up to so many provider calls.
/// True when something is left.
///
/// # Errors
/// When the index cannot be read; an item that cannot be brought on is counted, and never stops the run.
pub async fn sweep(cx: &Context<'_>, sweep: &Sweep, counts: &Counts) -> Result<bool, Failure> {
    // No start looks, and each payer would be the first to learn of it.
    for path in cx.config.damaged_keys() {
        telemetry::alarm!("damaged_key", path);
    }
    telemetry::count(Metric::SweepRuns, None);
    if let Some(end) = cx.config.first_certificate_end {
        telemetry::measure(Metric::CertificateDays, None, end.since(sweep.at).as_secs() / 86_400);
    }
    let mut backlog = Backlog { items: 0, oldest: Duration::ZERO };
    let swept = bring_on_all(cx, sweep, counts, &mut backlog).await;
    telemetry::measure(Metric::DueBacklog, None, backlog.items);
    telemetry::measure(Metric::OldestDueS, None, backlog.oldest.as_secs());
    swept
}

/// What a run has found due.
struct Backlog {
    items: u64,
    /// For how long the first of them has been due.
    oldest: Duration,
}

async fn bring_on_all(
    cx: &Context<'_>,
    sweep: &Sweep,
    counts: &Counts,
    backlog: &mut Backlog,
) -> Result<bool, Failure> {
    let at = sweep.at;
    let ends = Instant::now() + BUDGET;
    let spent = || counts.asked.load(Ordering::Relaxed) >= sweep.max_calls || Instant::now() >= ends;
    let shards = sweep.shards.clone().unwrap_or(0..=cx.store.due_shards() - 1);
    // Runs begin at different shards, so that a run that ends early starves none of them.
    let count = shards.clone().count().max(1);
    let first = usize::try_from(at.secs().div_euclid(60)).unwrap_or(0) % count;
    for shard in shards.clone().skip(first).chain(shards.take(first)) {
        let mut cursor = None;
        loop {
            let (items, next) = cx.store.due(shard, at, cursor).await?;
            backlog.items += items.len() as u64;
            backlog.oldest = items.iter().map(|item| at.since(item.due)).fold(backlog.oldest, Duration::max);
            let left = match cx.queues {
                Some(queues) => {
                    queue(cx, queues, &items, at, counts).await;
                    false
                }
                None => {
                    let work = items.iter().map(|item| async {
                        if spent() {
                            return true;
                        }
                        claim_and_bring_on(cx, item, at, counts).instrument(telemetry::item("due")).await;
                        false
                    });
                    let work: Vec<_> = work.collect();
                    let left: Vec<bool> = futures::stream::iter(work).buffered(AT_ONCE).collect().await;
                    left.contains(&true)
                }
            };
            if left {
                return Ok(true);
            }
            match next {
                Some(_) if spent() => return Ok(true),
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
    }
    Ok(false)
}

/// Puts what is due into queues. An order that is due since this minute is not claimed, which spares the two writes that
/// most orders would have beside their end: a second message for it does no harm. What is still due then, and money that
/// is under way, is claimed, so that nothing is put into a queue each minute; what a queue does not take is due again
/// when its claim ends.
async fn queue(cx: &Context<'_>, queues: &dyn Queues, items: &[DueItem], at: UnixMs, counts: &Counts) {
    let new = |item: &&DueItem| matches!(item.what, Due::Order(_)) && at.since(item.due) < PERIOD;
    let (orders, others): (Vec<&DueItem>, Vec<&DueItem>) = items.iter().partition(new);
    let orders: Vec<DueItem> = orders.into_iter().cloned().collect();
    let mut claims = cx.store.unclaimed(&orders).await.unwrap_or_else(|error| {
        Counts::add(&counts.errors, orders.len() as u64);
        tracing::error!(%error, "unfinished orders could not be read");
        Vec::new()
    });
    let claiming: Vec<_> = others
        .into_iter()
        .map(|item| async move {
            // Who runs a task claims it by itself.
            if matches!(item.what, Due::Task(..)) {
                return Some(Claim::none(item));
            }
            cx.store.claim_due(item, at, QUEUED).await.unwrap_or_else(|error| {
                Counts::add(&counts.errors, 1);
                tracing::error!(what = ?item.what, %error, "an unfinished item could not be claimed");
                None
            })
        })
        .collect();
    let claimed: Vec<Option<Claim>> = futures::stream::iter(claiming).buffered(QUEUED_AT_ONCE).collect().await;
    claims.extend(claimed.into_iter().flatten());
    let messages: Vec<Message> = claims.into_iter().map(|claim| Message::due(claim, at)).collect();
    let all = messages.len() as u64;
    let lost = if all == 0 { 0 } else { queues.send(messages).await as u64 };
    Counts::add(&counts.queued, all - lost.min(all));
    if lost > 0 {
        Counts::add(&counts.errors, lost);
        tracing::error!(lost, "items could not be put into their queues");
    }
}

async fn claim_and_bring_on(cx: &Context<'_>, item: &DueItem, at: UnixMs, counts: &Counts) {
    let done = match item.what {
        Due::Task(..) => Box::pin(bring_on(cx, &Claim::none(item), at, counts)).await,
        Due::Order(_)
        | Due::Refund(..)
        | Due::Share(..)
        | Due::Return(..)
        | Due::Transfer(_)
        | Due::Authorization(_) => match cx.store.claim_due(item, at, LEASE).await {
            Ok(Some(claim)) => Box::pin(bring_on(cx, &claim, at, counts)).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error.into()),
        },
    };
    if let Err(failure) = done {
        Counts::add(&counts.errors, 1);
        let detail = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
        tracing::error!(what = ?item.what, detail, "an unfinished item could not be processed");
    }
}

/// Brings on what was claimed, at a clock.
pub(super) async fn bring_on(cx: &Context<'_>, claim: &Claim, at: UnixMs, counts: &Counts) -> Result<(), Failure> {
    match &claim.item.what {
        Due::Task(no, name) => task(cx, no, name, at, counts).await,
        Due::Order(no) => Box::pin(order(cx, claim, no, at, counts)).await,
        Due::Refund(no, number) => Box::pin(refund(cx, claim, no, number, at, counts)).await,
        Due::Share(no, number) => share(cx, claim, no, number, at, counts).await,
        Due::Return(no, number) => share_return(cx, claim, no, number, at, counts).await,
        Due::Transfer(key) => transfer(cx, claim, key, at, counts).await,
        Due::Authorization(key) => authorization(cx, claim, key, at, counts).await,
    }
}

async fn task(cx: &Context<'_>, no: &str, name: &str, at: UnixMs, counts: &Counts) -> Result<(), Failure> {
    let Some(task) = cx.store.task(no, name).await? else { return Ok(()) };
    match Box::pin(super::run_task(cx, &task, at)).await? {
        Ran::Done => Counts::add(&counts.tasks, 1),
        Ran::Parked => Counts::add(&counts.parked, 1),
        Ran::Failed | Ran::Skipped => {}
    }
    Ok(())
}

async fn refund(
    cx: &Context<'_>,
    claim: &Claim,
    no: &str,
    number: &str,
    at: UnixMs,
    counts: &Counts,
) -> Result<(), Failure> {
    let (Some(order), Some(refund)) = (cx.store.order(no).await?, cx.store.refund(no, number).await?) else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    if refund.state != RefundState::Processing {
        return Ok(cx.store.due_next(claim, None).await?);
    }
    Counts::add(&counts.asked, 1);
    let pursued = Box::pin(super::refund::pursue(cx, &order, &refund, SCHEDULE, Answered::ToNobody)).await;
    let ended = match &pursued {
        Ok((_, refund)) => refund.state != RefundState::Processing,
        Err(failure) => [Code::REFUND_REFUSED, Code::SHARE_NOT_RETURNED].contains(&failure.code),
    };
    if ended {
        Counts::add(&counts.refunds, 1);
        return Ok(());
    }
    cx.store.due_next(claim, Some(ask_again(refund.create_date, at))).await?;
    if at.since(refund.create_date) > TOO_LONG {
        telemetry::alarm!("refund_pending", out_trade_no = %no, out_refund_no = %number);
    }
    match pursued {
        Err(failure) if failure.code != Code::OUTCOME_UNKNOWN => Err(failure),
        _ => Ok(()),
    }
}

async fn share(
    cx: &Context<'_>,
    claim: &Claim,
    no: &str,
    number: &str,
    at: UnixMs,
    counts: &Counts,
) -> Result<(), Failure> {
    let (Some(order), Some(share)) = (cx.store.order(no).await?, cx.store.share(no, number).await?) else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    if !share.state.is_open() {
        return Ok(cx.store.due_next(claim, None).await?);
    }
    Counts::add(&counts.asked, 1);
    let pursued = match Paid::of(cx, &order).await {
        Ok(paid) => super::share::pursue(cx, &paid, &share).await.map(|now| now.state.is_open()),
        Err(failure) => Err(failure),
    };
    shared(cx, claim, (share.create_date, number), &pursued, at, counts).await
}

async fn share_return(
    cx: &Context<'_>,
    claim: &Claim,
    no: &str,
    number: &str,
    at: UnixMs,
    counts: &Counts,
) -> Result<(), Failure> {
    let (Some(order), Some(made)) = (cx.store.order(no).await?, cx.store.share_return(no, number).await?) else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    if !made.state.is_open() {
        return Ok(cx.store.due_next(claim, None).await?);
    }
    if let Some(refund) = &made.out_refund_no
        && cx.store.refund(no, refund).await?.is_some_and(|refund| refund.state == RefundState::Processing)
    {
        // It is about to end; until then the return is its own.
        return Ok(cx.store.due_next(claim, Some(ask_again(made.create_date, at))).await?);
    }
    Counts::add(&counts.asked, 1);
    let pursued = match Paid::of(cx, &order).await {
        Ok(paid) => super::share_return::pursue_return(cx, &paid, &made).await.map(|now| now.state.is_open()),
        Err(failure) => Err(failure),
    };
    shared(cx, claim, (made.create_date, number), &pursued, at, counts).await
}

/// What a look at a share or a return has brought: `pursued` says whether it is still open.
async fn shared(
    cx: &Context<'_>,
    claim: &Claim,
    (begun, number): (UnixMs, &str),
    pursued: &Result<bool, Failure>,
    at: UnixMs,
    counts: &Counts,
) -> Result<(), Failure> {
    let refused = |failure: &Failure| failure.code == Code::SHARE_REFUSED;
    if matches!(pursued, Ok(false)) || pursued.as_ref().is_err_and(refused) {
        Counts::add(&counts.shares, 1);
        return Ok(());
    }
    cx.store.due_next(claim, Some(ask_again(begun, at))).await?;
    if at.since(begun) > TOO_LONG {
        telemetry::alarm!("share_pending", number);
    }
    match pursued {
        Err(failure) if failure.code != Code::OUTCOME_UNKNOWN => Err(failure.clone()),
        _ => Ok(()),
    }
}

async fn transfer(cx: &Context<'_>, claim: &Claim, key: &str, at: UnixMs, counts: &Counts) -> Result<(), Failure> {
    let Some(transfer) = cx.store.transfer_by_key(key).await?.filter(|t| t.state.is_open()) else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    Counts::add(&counts.asked, 1);
    let pursued = super::transfer::pursue_transfer(cx, &transfer, SCHEDULE).await;
    if pursued.as_ref().is_ok_and(|now| !now.state.is_open()) {
        Counts::add(&counts.transfers, 1);
        return Ok(());
    }
    cx.store.due_next(claim, Some(ask_again(transfer.create_date, at))).await?;
    if at.since(transfer.create_date) > TOO_LONG {
        telemetry::alarm!("transfer_pending", out_bill_no = %transfer.out_bill_no);
    }
    match pursued {
        Err(failure) if failure.code != Code::OUTCOME_UNKNOWN => Err(failure),
        _ => Ok(()),
    }
}

/// Asks about an authorisation that its payee has yet to give. They have a day for it; then its provider closes it.
async fn authorization(cx: &Context<'_>, claim: &Claim, key: &str, at: UnixMs, counts: &Counts) -> Result<(), Failure> {
    let Some(authorization) = cx.store.authorization_by_key(key).await?.filter(|a| a.state.is_open()) else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    Counts::add(&counts.asked, 1);
    let watched = super::authorization::watch(cx, &authorization).await;
    if watched.as_ref().is_ok_and(|now| !now.state.is_open()) {
        return Ok(());
    }
    cx.store.due_next(claim, Some(ask_again(authorization.create_date, at))).await?;
    match watched {
        Err(failure) if failure.code != Code::OUTCOME_UNKNOWN => Err(failure),
        _ => Ok(()),
    }
}

/// What a look at an order has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// What there was to do is done.
    Done,
    /// It cannot be ended yet: the provider does not tell, or refuses to, or the payer is paying.
    Waits { refused: bool },
}

async fn order(cx: &Context<'_>, claim: &Claim, no: &str, at: UnixMs, counts: &Counts) -> Result<(), Failure> {
    let Some(order) = cx.store.order(no).await? else {
        return Ok(cx.store.due_next(claim, None).await?);
    };
    let over = at >= order.time_expire;
    let looked = match order.trade_state {
        Status::NotPay if over => expire(cx, &order, counts).await,
        Status::NotPay => ask_all(cx, &order, counts).await.map(|()| Looked::Done),
        // It is paid or closed, and some attempt may still be paid.
        Status::Success | Status::Refund | Status::Closed => {
            end_others(cx, &order, counts).await.map(|()| Looked::Done)
        }
    };
    let now = cx.store.order(no).await?.unwrap_or(order.clone());
    if !order.trade_state.is_paid() && now.trade_state.is_paid() {
        Counts::add(&counts.credited, 1);
    }
    if order.trade_state == Status::NotPay && now.trade_state == Status::Closed {
        Counts::add(&counts.closed, 1);
    }
    let next = next_look(cx, &now, looked.is_ok(), at).await?;
    cx.store.due_next(claim, next).await?;
    let late = at.since(order.time_expire);
    let unpaid = now.trade_state == Status::NotPay;
    if over && unpaid && next.is_some() && is_stuck(&looked, late) {
        telemetry::alarm!("order_untold", out_trade_no = %no, provider = %now.provider);
    }
    if next.is_some() && late > TOO_LONG && (unpaid || looked.is_err()) {
        telemetry::alarm!("order_unsettled", out_trade_no = %no);
    }
    looked.map(|_| ())
}

/// Whether somebody must look why an order cannot be ended: at once when its provider refuses, after a while when it is
/// silent or the payer never gets on.
fn is_stuck(looked: &Result<Looked, Failure>, late: Duration) -> bool {
    match looked {
        Ok(Looked::Waits { refused }) => *refused || late >= SILENCE,
        Ok(Looked::Done) => false,
        // The table's faults have their own alarm.
        Err(failure) => failure.code != Code::INTERNAL,
    }
}

/// When an order is looked at next: while it is unpaid, then as long as some attempt of it may be paid.
async fn next_look(cx: &Context<'_>, order: &Order, told: bool, at: UnixMs) -> Result<Option<UnixMs>, Failure> {
    let over = at >= order.time_expire;
    // From the end on the pauses begin anew.
    let usual = match over {
        true => ask_again(order.time_expire, at),
        false => ask_again(order.create_date, at).min(order.time_expire),
    };
    if order.trade_state == Status::NotPay {
        return Ok(Some(usual));
    }
    let open: Vec<&Attempt> = order.attempts.iter().filter(|a| a.may_be_paid_again()).collect();
    let until = watched_until(cx, order, &open).await?;
    let closed = order.trade_state == Status::Closed;
    Ok(match () {
        () if open.is_empty() || told && at >= until => None,
        () if until <= order.time_expire || !over && !closed => Some(usual),
        () => {
            let ended = order.cancel_date.filter(|_| closed).unwrap_or(order.time_expire);
            let next = watch_again(ended, at);
            Some(if at < until { next.min(until) } else { next })
        }
    })
}

/// Asks about every attempt that may be paid.
async fn ask_all(cx: &Context<'_>, order: &Order, counts: &Counts) -> Result<(), Failure> {
    for attempt in order.attempts.iter().rev().filter(|a| a.may_be_paid()) {
        ask(cx, order, attempt, counts).await?;
    }
    Ok(())
}

/// Asks about one attempt, and counts that and what it brings.
pub(super) async fn ask(cx: &Context<'_>, order: &Order, attempt: &Attempt, counts: &Counts) -> Result<Asked, Failure> {
    Counts::add(&counts.asked, 1);
    let asked = super::query::ask(cx, order, attempt, Source::Query).await?;
    if let Asked::Misfit { new, .. } = asked {
        Counts::add(&counts.incidents, new);
    }
    Ok(asked)
}

/// How an attempt of an order stands whose time is over.
enum Over {
    /// Nothing can be paid any more.
    Ended,
    /// It is not paid, and its provider closes nothing.
    LeftOpen,
    /// It was paid, and the order with it.
    Paid,
    /// Nobody knows, or the payer is paying.
    Waits { refused: bool },
}

/// Ends an unpaid order whose time is over: every attempt is closed at its provider first. One that turns out
/// to be paid is credited; an answer that cannot be had leaves the order as it is.
async fn expire(cx: &Context<'_>, order: &Order, counts: &Counts) -> Result<Looked, Failure> {
    let mut left_open = Vec::new();
    for attempt in order.attempts.iter().filter(|a| a.may_be_paid()) {
        match certainly_unpaid(cx, order, attempt, counts).await? {
            Over::Ended => {}
            Over::LeftOpen => left_open.push(attempt.n),
            Over::Paid => return Ok(Looked::Done),
            Over::Waits { refused } => return Ok(Looked::Waits { refused }),
        }
    }
    let entry = HistoryEntry::new("closed", SCHEDULE, cx.now()).with("reason", &"expired");
    cx.store.close_order(order, &left_open, None, cx.now(), &entry).await?;
    Ok(Looked::Done)
}

/// Closes an attempt at its provider, or asks about it where the provider has no close.
async fn certainly_unpaid(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    counts: &Counts,
) -> Result<Over, Failure> {
    let gateway = cx.gateway(attempt).await?;
    if !gateway.closes() {
        let watched = gateway.watched_until(order, attempt) > order.time_expire;
        return Ok(match ask(cx, order, attempt, counts).await? {
            Asked::Unknown { refused } => Over::Waits { refused },
            Asked::Unpaid { paying: true } => Over::Waits { refused: false },
            Asked::Unpaid { paying: false } | Asked::Misfit { whole: false, .. } if watched => Over::LeftOpen,
            Asked::Unpaid { paying: false } | Asked::Misfit { .. } | Asked::Closed => Over::Ended,
            Asked::Paid => Over::Paid,
        });
    }
    Counts::add(&counts.asked, 1);
    match super::close::close_attempt(cx, order, attempt, SCHEDULE).await {
        Ok(ended) => {
            Counts::add(&counts.incidents, ended.incidents);
            Ok(Over::Ended)
        }
        Err(failure) if failure.code == Code::ALREADY_PAID => Ok(Over::Paid),
        Err(failure) if [Code::OUTCOME_UNKNOWN, Code::PAYING, Code::BUSY].contains(&failure.code) => {
            Ok(Over::Waits { refused: false })
        }
        Err(failure) => Err(failure),
    }
}

/// Closes what else of an ended order may be paid, or asks about it where it cannot be closed.
async fn end_others(cx: &Context<'_>, order: &Order, counts: &Counts) -> Result<(), Failure> {
    for attempt in order.attempts.iter().filter(|a| a.may_be_paid_again()) {
        let entry = || HistoryEntry::new("attempt closed", SCHEDULE, cx.now()).with("attempt", &attempt.n);
        if cx.gateway(attempt).await?.closes() {
            Counts::add(&counts.asked, 1);
            match super::close::close_attempt(cx, order, attempt, SCHEDULE).await {
                Ok(Ended { state, incidents }) => {
                    Counts::add(&counts.incidents, incidents);
                    if state == AttemptState::Closed {
                        cx.store.end_attempt(order, attempt, state, &entry()).await?;
                    }
                }
                Err(failure) if failure.code == Code::ALREADY_PAID => {}
                Err(failure) => return Err(failure),
            }
            continue;
        }
        match ask(cx, order, attempt, counts).await? {
            Asked::Unknown { .. } => return Err(Code::OUTCOME_UNKNOWN.into()),
            // Nothing else of it can be paid.
            Asked::Misfit { whole: true, .. } if attempt.state != AttemptState::Paid => {
                cx.store.end_attempt(order, attempt, AttemptState::Closed, &entry()).await?;
            }
            Asked::Misfit { .. } | Asked::Unpaid { .. } | Asked::Closed | Asked::Paid => {}
        }
    }
    Ok(())
}
