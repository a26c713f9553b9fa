//! Work that waits in queues: one for each provider that is asked about unpaid orders, so that one that is down holds
//! up none of the others, one for refunds, one for transfers, one for tasks.
//!
//! A queue says only when to look. A message that is lost, late or comes twice changes when something is asked, and
//! nothing else: what is forgotten stands in the `due` index.

use domain::{Provider, UnixMs};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use std::time::Duration;
use store::{Claim, Due};

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Unpaid orders of a provider.
    Orders(Provider),
    /// Refunds that have not ended.
    Money,
    /// Transfers that have not ended, and authorisations that payees have not given: asked about from the address that
    /// transfers are made from.
    Transfers,
    /// What is delivered to handlers.
    Tasks,
}

impl Lane {
    /// Every queue.
    pub fn all() -> impl Iterator<Item = Self> {
        Provider::ALL.iter().copied().map(Self::Orders).chain([Self::Money, Self::Transfers, Self::Tasks])
    }

    /// The end of its queue's name: `orders-wxpay`, `money`, `transfers`, `tasks`.
    pub fn name(self) -> String {
        match self {
            Self::Orders(provider) => format!("orders-{provider}"),
            Self::Money => "money".to_owned(),
            Self::Transfers => "transfers".to_owned(),
            Self::Tasks => "tasks".to_owned(),
        }
    }
}

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Ask about one attempt of an order, by its `n`, for the time `round` (0 is the first).
    Ask {
        /// The order.
        out_trade_no: String,
        /// The attempt.
        attempt: u64,
        /// How often it was asked about before.
        round: u64,
    },
    /// Bring on what the `due` index had.
    Due {
        /// What it had.
        claim: Claim,
        /// The clock of the run that found it.
        at: UnixMs,
    },
}

impl Work {
    /// The message's body.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Ask { out_trade_no, attempt, round } => {
                json!({ "ask": out_trade_no, "attempt": attempt, "round": round })
            }
            Self::Due { claim, at } => json!({ "due": claim.to_json(), "at": at }),
        }
    }

    /// A message's body, read; `None` when it is none of ours.
    pub fn from_json(body: &Value) -> Option<Self> {
        if let Some(claim) = body.get("due") {
            return Some(Self::Due { claim: Claim::from_json(claim)?, at: UnixMs::new(body["at"].as_i64()?) });
        }
        Some(Self::Ask {
            out_trade_no: body["ask"].as_str()?.to_owned(),
            attempt: body["attempt"].as_u64()?,
            round: body["round"].as_u64()?,
        })
    }
}

/// A message for a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Which queue.
    pub lane: Lane,
    /// What it asks for.
    pub work: Work,
    /// How long nobody sees it: at most 15 minutes, as SQS has it.
    pub delay: Duration,
}

impl Message {
    /// One that brings on, at once, what the `due` index had.
    pub(crate) fn due(claim: Claim, at: UnixMs) -> Self {
        let lane = match claim.item.what {
            Due::Order(_) => claim.provider.map_or(Lane::Money, Lane::Orders),
            Due::Refund(..) | Due::Share(..) | Due::Return(..) => Lane::Money,
            Due::Transfer(_) | Due::Authorization(_) => Lane::Transfers,
            Due::Task(..) => Lane::Tasks,
        };
        Self { lane, work: Work::Due { claim, at }, delay: Duration::ZERO }
    }
}

/// The queues.
pub trait Queues: Send + Sync {
    /// Puts messages into their queues; says how many could not be.
    fn send(&self, messages: Vec<Message>) -> BoxFuture<'_, usize>;

    /// Hides a message that was received, by its queue's ARN and its receipt, for so long from now.
    fn hide<'a>(&'a self, queue: &'a str, receipt: &'a str, time: Duration) -> BoxFuture<'a, ()>;
}
