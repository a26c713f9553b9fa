//! Asking about an attempt that nobody has told of, by messages that each send the next one.
//!
//! Nothing is written while it stays unpaid: an order that is asked about has the end of its time in the `due` index,
//! where it is found whatever becomes of its messages.

use super::Context;
use super::query::Asked;
use super::queue::{Lane, Message, Work};
use super::sweep::{self, Counts};
use domain::{Attempt, Failure, Order, Status, UnixMs};
use std::time::Duration;

/// The pauses before each time that an attempt is asked about, s. Most payers pay within the first minute; who pays
/// later is found at most three minutes after, as long as many still do. SQS delays by 900 at most.
const PAUSES: [u64; 6] = [75, 150, 150, 150, 600, 900];
const _: () = {
    let mut i = 0;
    while i < PAUSES.len() {
        assert!(PAUSES[i] <= 900, "no queue delays a message for longer");
        i += 1;
    }
};

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Worked {
    /// It is done with.
    Done,
    /// The provider does not tell: it must come again.
    Again,
    /// This one follows it, and it is done with once that is in its queue.
    Next(Box<Message>),
}

/// The message that asks about an attempt for the `round`th time; `None` after the last, and when the order has ended
/// by then.
fn message(order: &Order, attempt: &Attempt, round: u64, now: UnixMs) -> Option<Message> {
    let pause = PAUSES.get(usize::try_from(round).ok()?).copied()?;
    let pause = Duration::from_secs(pause);
    (now + pause < order.time_expire).then(|| Message {
        lane: Lane::Orders(attempt.provider),
        work: Work::Ask { out_trade_no: order.out_trade_no.clone(), attempt: attempt.n, round },
        delay: pause,
    })
}

/// When an order is first due in the index: at its end where messages ask about it before that.
pub(super) fn first_due(cx: &Context<'_>, order: &Order) -> UnixMs {
    match cx.queues {
        Some(_) => order.time_expire,
        None => domain::ask_again(order.create_date, order.create_date),
    }
}

/// How long a payer waits for a queue at most.
const SENDING: Duration = Duration::from_secs(2);

/// Has an attempt asked about that goes out to its provider now. Where its queue takes nothing, or does not say so in
/// time, the schedule asks.
pub(super) async fn begin(cx: &Context<'_>, order: &Order, attempt: &Attempt) {
    let Some(queues) = cx.queues else { return };
    let Some(message) = message(order, attempt, 0, cx.now()) else { return };
    let due = cx.now() + Duration::from_secs(PAUSES[0]);
    let sent = tokio::time::timeout(SENDING, queues.send(vec![message])).await;
    if sent != Ok(0)
        && let Err(error) = cx.store.look_at(&order.out_trade_no, due).await
    {
        tracing::error!(out_trade_no = %order.out_trade_no, %error, "an order is queried only when it expires");
    }
}

/// Does what a message asks for.
///
/// # Errors
/// A fault of the table, or of what was due: the message must come again.
pub async fn work(cx: &Context<'_>, work: &Work, counts: &Counts) -> Result<Worked, Failure> {
    match work {
        Work::Due { claim, at } => {
            Box::pin(sweep::bring_on(cx, claim, cx.now().max(*at), counts)).await.map(|()| Worked::Done)
        }
        Work::Ask { out_trade_no, attempt, round } => ask(cx, out_trade_no, *attempt, *round, counts).await,
    }
}

async fn ask(cx: &Context<'_>, no: &str, n: u64, round: u64, counts: &Counts) -> Result<Worked, Failure> {
    let Some(order) = cx.store.order(no).await? else { return Ok(Worked::Done) };
    let attempt = order.attempts.iter().find(|attempt| attempt.n == n && attempt.may_be_paid());
    let Some(attempt) = attempt.filter(|_| order.trade_state == Status::NotPay && cx.now() < order.time_expire) else {
        return Ok(Worked::Done);
    };
    match sweep::ask(cx, &order, attempt, counts).await? {
        Asked::Paid => {
            Counts::add(&counts.credited, 1);
            Ok(Worked::Done)
        }
        Asked::Closed | Asked::Misfit { .. } => Ok(Worked::Done),
        Asked::Unknown { .. } => Ok(Worked::Again),
        Asked::Unpaid { .. } => {
            Ok(message(&order, attempt, round + 1, cx.now()).map_or(Worked::Done, |next| Worked::Next(Box::new(next))))
        }
    }
}
