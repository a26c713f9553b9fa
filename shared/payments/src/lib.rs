//! The use cases: create, query, close, refund, transfer, ship, complaints, tasks, incidents, bills, missed notices; and `confirm`, the one room in which an order becomes paid.

mod abnormal;
mod ask;
mod authorization;
mod bills;
mod close;
mod coins;
mod complain;
mod complaint_poll;
mod complaints;
mod confirm;
mod create;
mod days;
mod delivery;
mod handler;
mod holder;
mod incident_record;
mod incidents;
mod login;
mod methods;
mod missed;
mod payee;
mod purchase;
mod query;
mod queue;
mod raw_request;
mod refund;
mod request;
mod rerun;
mod return_url;
mod returned;
mod settle_callback;
mod settle_refund;
mod settled;
mod share;
mod share_return;
mod sharing;
mod ship;
mod shipping;
mod source;
mod sweep;
mod tasks;
mod transfer;
mod unconfirmed;
mod wanted;
mod watch;

pub use abnormal::{apply_abnormal_refund, is_stuck};
pub use ask::{Worked, work};
pub use authorization::{close_authorization, create_authorization, query_authorization};
pub use bills::{BillsReply, check_bills};
pub use close::close_payment;
pub use coins::coins;
pub use complaint_poll::look_for_complaints;
pub use complaints::{
    ComplaintRefunded, Complaints, Subscribed, answer_complaint, complete_complaint, query_complaints,
    refund_complaint, subscribe_complaints,
};
pub use confirm::confirm;
pub use create::{CreateInput, CreateReply, Environment, create_payment};
pub use days::listed_accounts;
pub use handler::{Draft, HandlerError, Handlers, PaidOrder, Tables};
pub use incidents::{actions_by_table, possible_actions, query_incidents, resolve_incident};
pub use login::login;
pub use methods::{Method, methods};
pub use missed::missed_notices;
pub use providers::virtual_pay::Coin;
pub use purchase::verify_purchase;
pub use query::{QueryInput, next_poll, query_orders, query_payment};
pub use queue::{Lane, Message, Queues, Work};
pub use raw_request::{query_balance, raw_request};
pub use refund::{RefundInput, query_refund, refund};
pub use request::Fields;
pub use rerun::rerun_handler;
pub use settle_callback::settle_callback;
pub use settled::Settled;
pub use sharing::{change_receiver, profit_share, query_share, return_share, unfreeze_share};
pub use shipping::{confirm_receive, query_shipping, upload_shipping};
pub use source::{Confirmed, Source};
pub use sweep::{Counts, Sweep, sweep};
pub use tasks::{Ran, run_task};
pub use transfer::{cancel_transfer, pursue_transfer, query_transfer, transfer, transfer_receipt};

use domain::{Attempt, Code, Failure, Order, UnixMs};
use futures::StreamExt;
use futures::future::BoxFuture;
use providers::{Config, Gateway, Merchant, ProviderClients};
use std::sync::Arc;
use store::{Store, StoreError};
use telemetry::Metric;

/// The merchants that have documents of their own.
pub trait Merchants: Send + Sync {
    /// The merchant of that id, where the configuration lists it; `None` where it does not. The error says why its
    /// document cannot be had now.
    fn find<'a>(&'a self, config: &'a Config, id: &'a str) -> BoxFuture<'a, Result<Option<Arc<Merchant>>, String>>;
}

/// Documents that are read at once.
const READ_AT_ONCE: usize = 8;

/// What a use case works with, for the time of one request.
pub struct Context<'a> {
    /// The configuration as it is now.
    pub config: Arc<Config>,
    /// The merchants that it only lists.
    pub merchants: &'a dyn Merchants,
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

    /// A merchant by its id.
    ///
    /// # Errors
    /// That it has a document of its own which cannot be read now.
    pub async fn merchant(&self, id: &str) -> Result<Option<Arc<Merchant>>, StoreError> {
        match self.config.merchant(id) {
            Some(merchant) => Ok(Some(merchant.clone())),
            None => {
                let found = self.merchants.find(&self.config, id).await;
                found.map_err(|why| StoreError::new("merchant", format!("merchants.{id}: {why}")))
            }
        }
    }

    /// All merchants, or the one that is wanted, in the order of their ids. Whose document cannot be read is rung for
    /// and left out: none of the others waits for it.
    async fn all_merchants(&self, wanted: Option<&str>) -> Vec<Arc<Merchant>> {
        let ids: Vec<&str> =
            self.config.merchant_ids().into_iter().filter(|id| wanted.is_none_or(|w| w == *id)).collect();
        let reading: Vec<_> = ids.into_iter().map(|id| async move { (id, self.merchant(id).await) }).collect();
        let read: Vec<_> = futures::stream::iter(reading).buffered(READ_AT_ONCE).collect().await;
        let mut merchants = Vec::new();
        for (merchant, found) in read {
            match found {
                Ok(found) => merchants.extend(found),
                Err(error) => telemetry::alarm!("merchant_unavailable", merchant, why = %error),
            }
        }
        // The sweep, which reads no documents, measures the configuration's.
        if let Some(end) = merchants.iter().filter_map(|merchant: &Arc<Merchant>| merchant.certificate_end).min() {
            telemetry::measure(Metric::CertificateDays, None, end.since(self.now()).as_secs() / 86_400);
        }
        merchants
    }

    /// The gateway that an attempt went through, where the configuration still has it.
    ///
    /// # Errors
    /// As [`Context::merchant`].
    async fn find_gateway(&self, attempt: &Attempt) -> Result<Option<Gateway>, StoreError> {
        let merchant = self.merchant(&attempt.merchant).await?;
        Ok(merchant.and_then(|merchant| Gateway::find(&merchant, attempt.provider, &attempt.node)))
    }

    /// The gateway that an attempt went through.
    async fn gateway(&self, attempt: &Attempt) -> Result<Gateway, Failure> {
        self.find_gateway(attempt).await?.ok_or_else(|| {
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
