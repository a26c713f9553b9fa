//! What makes an order paid, in one transaction; and who has a provider's number of a payment.

use super::item::{Expression, Item, Key};
use super::orders::order_named;
use super::{Accepted, FIRST_LOOK, HistoryEntry, Incident, Refused, Store, StoreError, Write};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{Attempt, AttemptState, Order, Payment, Provider, Shipping, Status, Task, UnixMs};

/// What the handler's run means for the order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Verdict {
    /// `user_order_success`; `None` while it is not known.
    pub success: Option<bool>,
    /// `user_order_reason`, when it is false.
    pub reason: Option<String>,
    /// The writes that commit with the order.
    pub writes: Vec<Write>,
}

/// Everything that makes an order paid.
pub struct PaymentCommit<'a> {
    /// The order as it was read.
    pub order: &'a Order,
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The payment.
    pub payment: &'a Payment,
    /// 0 found by asking, 1 by callback.
    pub notify_mode: u8,
    /// The handler's part.
    pub verdict: &'a Verdict,
    /// The task that hands the order to a handler by configuration, or tries again what a handler refused.
    pub task: Option<&'a Task>,
    /// How its shipping is reported, and the task that does it or looks after it.
    pub shipping: Option<(&'a Shipping, &'a Task)>,
    /// The incident of an order whose handler refuses.
    pub undelivered: Option<&'a Incident>,
    /// The incident of a payment that is credited after all.
    pub accepted: Option<Accepted<'a>>,
    /// The history.
    pub entry: HistoryEntry,
}

/// How a payment's transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// All of it is written.
    Done,
    /// The order is no longer as it was read: somebody else was first.
    OrderMoved,
    /// The provider's number was credited to another order, or the payment was sent back.
    TransactionTaken,
    /// What is known of the payment as an incident is no longer as it was read.
    IncidentMoved,
    /// The handler's writes were refused by one of their conditions.
    HandlerRefused,
    /// The table cannot take the handler's writes.
    HandlerInvalid(String),
}

/// Who has a payment's number, so that no other can be credited for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The order that was credited.
    Order(String),
    /// Nobody: the payment goes back by its incident.
    SentBack,
    /// Nobody: the store had taken the purchase back before anybody was credited.
    TakenBack,
}

/// The kind of what claims a purchase that was taken back.
const TAKEN_BACK: &str = "taken_back";

impl Store {
    /// The order that a provider's payment was credited to.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn order_of_transaction(
        &self,
        provider: Provider,
        merchant: &str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.transaction(provider, merchant, id).await?.as_ref().and_then(order_named))
    }

    /// The item that makes a provider's number of a payment unique.
    async fn transaction(&self, provider: Provider, merchant: &str, id: &str) -> Result<Option<Item>, StoreError> {
        match self.get(&Key::transaction(provider, merchant, id)).await? {
            Some(item) => Ok(Some(item)),
            None => self.transaction_before(provider, merchant, id).await,
        }
    }

    /// The same, written before numbers were told apart by the merchant: only the day's list that it is on names one.
    async fn transaction_before(
        &self,
        provider: Provider,
        merchant: &str,
        id: &str,
    ) -> Result<Option<Item>, StoreError> {
        let Some(key) = Key::transaction_before(provider, id) else { return Ok(None) };
        let own = format!("paid#{provider}#{merchant}#");
        Ok(self.get(&key).await?.filter(|item| {
            item.get("list_key").and_then(|list| list.as_s().ok()).is_none_or(|list| list.starts_with(&own))
        }))
    }

    /// Who has a provider's number of a payment.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn claimed(&self, provider: Provider, merchant: &str, id: &str) -> Result<Option<Claimed>, StoreError> {
        let Some(item) = self.transaction(provider, merchant, id).await? else { return Ok(None) };
        let kind = item.get("kind").and_then(|kind| kind.as_s().ok());
        Ok(Some(match order_named(&item) {
            Some(no) => Claimed::Order(no),
            None if kind.is_some_and(|kind| kind == TAKEN_BACK) => Claimed::TakenBack,
            None => Claimed::SentBack,
        }))
    }

    /// Claims the number of a purchase that its store took back whole, so that nobody is credited for it any more.
    /// False when an order was.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn take_back(
        &self,
        provider: Provider,
        merchant: &str,
        id: &str,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut item = Key::transaction(provider, merchant, id).attributes();
        item.insert("kind".to_owned(), Av::S(TAKEN_BACK.to_owned()));
        item.insert("create_date".to_owned(), Av::N(at.to_string()));
        if self.commit_order(vec![self.insertion(item)]).await? {
            return Ok(true);
        }
        Ok(!matches!(self.claimed(provider, merchant, id).await?, Some(Claimed::Order(_))))
    }

    /// Makes an order paid: the order, the provider's number, the history and the handler's writes, in one
    /// transaction. The order must be as it was read: its state, and which of its attempts may be paid.
    ///
    /// # Errors
    /// When the table cannot be written; then nothing is.
    pub async fn commit_payment(&self, commit: &PaymentCommit<'_>) -> Result<Committed, StoreError> {
        let (order, attempt, payment) = (commit.order, commit.attempt, commit.payment);
        let no = &order.out_trade_no;
        if self.transaction_before(payment.provider, &payment.merchant, &payment.transaction_id).await?.is_some() {
            return Ok(Committed::TransactionTaken);
        }
        let mut update = Expression::default();
        update
            .when("version", "=", order.version)
            .when_as_read(&format!("attempts[{}].reversing", attempt.n - 1), attempt.reversing)
            .set("trade_state", Status::Success)
            .set("status", Status::Success.vk(order.refund_fee, order.total_fee))
            .set("provider", payment.provider)
            .set("pay_type", &attempt.pay_type)
            .set("provider_appid", &attempt.app_id)
            .set("merchant", &attempt.merchant)
            .set_some("mch_id", attempt.mch_id.as_ref())
            .set("transaction_id", &payment.transaction_id)
            .set("pay_date", payment.paid_at.unwrap_or(commit.entry.at))
            .set("notify_date", commit.entry.at)
            .set("notify_mode", commit.notify_mode)
            .set("notify_info", &payment.info)
            .set("refundable", order.total_fee)
            .set_some("openid", payment.payer.as_ref())
            .set_some("shipping", commit.shipping.map(|(shipping, _)| shipping))
            .set_some("user_order_success", commit.verdict.success)
            .set_some("user_order_reason", commit.verdict.reason.as_ref())
            .set(&format!("attempts[{}].state", attempt.n - 1), AttemptState::Paid)
            .change("version", 1);
        // What else may be paid is looked after until the order's time is over.
        match order.attempts.iter().any(|a| if a.n == attempt.n { a.numbers.len() > 1 } else { a.may_be_paid() }) {
            true => update.set("due_shard", self.due_shard(no)).set("due", commit.entry.at + FIRST_LOOK),
            false => update.remove("due_shard").remove("due"),
        };
        let claim = Key::transaction(payment.provider, &payment.merchant, &payment.transaction_id);
        let mut writes = vec![
            self.updating(&Key::order(no), &update),
            self.insertion(super::bills::paid_item(&claim, commit)),
            self.history_insertion(no, &commit.entry),
        ];
        writes.extend(commit.task.map(|task| self.task_insertion(task)));
        writes.extend(commit.shipping.map(|(_, task)| self.task_insertion(task)));
        writes.extend(commit.undelivered.map(|incident| self.putting(incident.item(commit.entry.at))));
        let beside = writes.len();
        writes.extend(self.incident_of_credit(commit));
        let ours = writes.len();
        writes.extend(commit.verdict.writes.iter().map(|w| w.to_item(&self.prefix)));
        Ok(match self.commit(writes).await? {
            Ok(()) => Committed::Done,
            Err(Refused::Conditions(at)) if at.contains(&0) => Committed::OrderMoved,
            Err(Refused::Conditions(at)) if at.contains(&1) => Committed::TransactionTaken,
            // The incident of the payment was decided otherwise, or there is one now.
            Err(Refused::Conditions(at)) if at.iter().any(|i| (beside..ours).contains(i)) => Committed::IncidentMoved,
            Err(Refused::Conditions(at)) if at.iter().any(|i| *i >= ours) => Committed::HandlerRefused,
            Err(Refused::Invalid(what)) if !commit.verdict.writes.is_empty() => Committed::HandlerInvalid(what),
            Err(Refused::Conditions(_)) => {
                return Err(StoreError::new("payment", "the key of a line of history or of a task was taken"));
            }
            Err(Refused::Invalid(what)) => return Err(StoreError::new("payment", what)),
        })
    }
}
