//! The use cases: create, query, close, refund, transfer, tasks, incidents, bills, missed notices; and `confirm`, the one room in which an order becomes paid.

mod ask;
mod bills;
mod close;
mod coins;
mod confirm;
mod create;
mod delivery;
mod handler;
mod holder;
mod incident_record;
mod incidents;
mod login;
mod missed;
mod payee;
mod purchase;
mod query;
mod queue;
mod refund;
mod request;
mod rerun;
mod return_url;
mod returned;
mod settle_callback;
mod settle_refund;
mod settled;
mod source;
mod sweep;
mod tasks;
mod transfer;
mod unconfirmed;
mod wanted;
mod watch;

pub use ask::{Worked, work};
pub use bills::{BillsReply, check_bills};
pub use close::close_payment;
pub use coins::coins;
pub use confirm::confirm;
pub use create::{CreateInput, CreateReply, Environment, create_payment};
pub use handler::{Draft, HandlerError, Handlers, PaidOrder, Tables};
pub use incidents::{possible_actions, query_incidents, resolve_incident};
pub use login::login;
pub use missed::missed_notices;
pub use providers::virtual_pay::Coin;
pub use purchase::verify_purchase;
pub use query::{QueryInput, next_poll, query_orders, query_payment};
pub use queue::{Lane, Message, Queues, Work};
pub use refund::{RefundInput, query_refund, refund};
pub use request::Fields;
pub use rerun::rerun_handler;
pub use settle_callback::settle_callback;
pub use settled::Settled;
pub use source::{Confirmed, Source};
pub use sweep::{Counts, Sweep, sweep};
pub use tasks::{Ran, run_task};
pub use transfer::{cancel_transfer, pursue_transfer, query_transfer, transfer};

use domain::{Attempt, Code, Failure, Order, UnixMs};
use providers::Config;
use providers::{Gateway, ProviderClients};
use std::sync::Arc;
use store::Store;

/// What a use case works with, for the time of one request.
pub struct Context<'a> {
    /// The configuration as it is now.
    pub config: Arc<Config>,
    /// The table.
    pub store: &'a Store,
    /// What the providers keep.
    pub clients: &'a ProviderClients,
    /// The type handlers.
    pub handlers: &'a dyn Handlers,
    /// The clock.
    pub clock: &'a (dyn Fn() -> UnixMs + Send + Sync),
    /// Where callbacks go when the configuration does not say.
    pub notify_base: Option<&'a str>,
    /// The queue that is told of deliveries that are given up: its URL.
    pub dead_letters: Option<&'a str>,
    /// The queues of work; without them the schedule does it all.
    pub queues: Option<&'a dyn Queues>,
    /// When the request began.
    pub began: tokio::time::Instant,
}

/// Who calls, after `auth` has let them pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// As the history names them: `key:shop`, `iam:<arn>`, `user:<id>`, `anyone`.
    pub source: String,
    /// The user, when a token names one.
    pub user: Option<String>,
    /// The merchant's own systems, or an admin: may see every order and name every credit.
    pub trusted: bool,
}

impl Caller {
    /// Whether it is anybody: no token, no key, nobody's name.
    pub const fn is_anyone(&self) -> bool {
        self.user.is_none() && !self.trusted
    }
}

impl Context<'_> {
    /// Now.
    pub fn now(&self) -> UnixMs {
        (self.clock)()
    }

    /// The gateway that an attempt went through.
    fn gateway(&self, attempt: &Attempt) -> Result<Gateway, Failure> {
        self.config
            .merchant(&attempt.merchant)
            .and_then(|m| Gateway::find(m, attempt.provider, &attempt.node))
            .ok_or_else(|| {
                Failure::new(Code::PROVIDER)
                    .says(format!("{}.{}", attempt.provider, attempt.node))
                    .private("the configuration no longer has the node that this order was made with")
            })
    }

    /// Whether an order of this type can be delivered.
    fn delivers(&self, kind: &str) -> bool {
        self.handlers.knows(kind) || self.config.handlers.contains_key(kind)
    }

    /// An order that this caller may see; another user's order is as one that is not there.
    async fn visible_order(&self, caller: &Caller, out_trade_no: &str) -> Result<Order, Failure> {
        let order = self.store.order(out_trade_no).await?.ok_or(Code::NO_ORDER)?;
        match &caller.user {
            Some(user) if !caller.trusted && order.user_id.as_ref() != Some(user) => Err(Code::NO_ORDER.into()),
            _ => Ok(order),
        }
    }

    /// Where the provider sends its callbacks: base and path.
    fn callback(&self, kind: &str, provider: domain::Provider, merchant: &str) -> Result<(String, String), Failure> {
        let base = self.config.notify_url.as_deref().or(self.notify_base).ok_or(Code::NOTIFY_URL)?;
        Ok((base.to_owned(), format!("/{kind}/{provider}/{merchant}")))
    }
}
