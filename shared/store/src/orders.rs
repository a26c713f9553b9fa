//! Orders, their attempts and their history in the table.

use super::item::{Expression, Item, Key, attribute, item_of, plain, shape_of};
use super::{Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, Put, TransactWriteItem};
use domain::{Attempt, AttemptState, MAX_ATTEMPTS, Order, Parameters, Provider, Status, UnixMs};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::Duration;

/// One line of an order's history: what happened, when, by whom, with a redacted summary.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    /// What happened: `created`, `params`, `paid`, `refused`, `closed`, `callback` …
    pub event: &'static str,
    /// By whom: `callback`, `query`, `key:<name>`, `user:<id>` …
    pub source: String,
    /// When.
    pub at: UnixMs,
    detail: Map<String, Value>,
}

impl HistoryEntry {
    /// An entry without details.
    pub fn new(event: &'static str, source: impl Into<String>, at: UnixMs) -> Self {
        Self { event, source: source.into(), at, detail: Map::new() }
    }

    /// Adds a detail; nothing that is `null`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Null) | Err(_) => {}
            Ok(value) => {
                self.detail.insert(name.to_owned(), value);
            }
        }
        self
    }
}

/// Whose a number is that goes out to a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum Holder {
    /// An order's own.
    Order(Box<Order>),
    /// A later attempt's, or one that is not made from the order's: the order that it belongs to.
    Attempt(String),
}

/// How adding an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is added.
    Done,
    /// The order has changed meanwhile.
    OrderMoved,
    /// Its number is another order's, or another attempt's.
    NumberTaken,
}

/// What became of pay parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are kept.
    Done,
    /// The order has as many numbers as it may.
    TooMany,
    /// The order has been paid or closed meanwhile: a link of its own would be paid, and nobody would look.
    Over,
}

/// A page of a listing, and where the next one begins.
pub type Listing = (Vec<Order>, Option<String>);

impl Store {
    /// An order, strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn order(&self, out_trade_no: &str) -> Result<Option<Order>, StoreError> {
        Ok(match self.holder(out_trade_no).await? {
            Some(Holder::Order(order)) => Some(*order),
            Some(Holder::Attempt(_)) | None => None,
        })
    }

    /// Whose a number of ours is. Orders and attempts share the numbers that go out to providers, and so they share
    /// their keys here: inserting either claims its number, whichever provider and merchant it goes to.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn holder(&self, number: &str) -> Result<Option<Holder>, StoreError> {
        let Some(item) = self.get(&Key::order(number)).await? else { return Ok(None) };
        if item.get("kind").and_then(|kind| kind.as_s().ok()).is_some_and(|kind| kind == "number") {
            return Ok(order_named(&item).map(Holder::Attempt));
        }
        let order: Order = shape_of(&item)?;
        note(&order);
        Ok(Some(Holder::Order(Box::new(order))))
    }

    /// The pay parameters of an attempt, where it has any.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn parameters(&self, out_trade_no: &str, n: u64) -> Result<Option<Parameters>, StoreError> {
        self.get(&Key::parameters(out_trade_no, n)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// The order that a number stands for which the provider itself gave.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn order_of_number(
        &self,
        provider: Provider,
        merchant: &str,
        number: &str,
    ) -> Result<Option<String>, StoreError> {
        self.named_order(&Key::number(provider.name(), merchant, number)).await
    }

    pub(super) async fn named_order(&self, key: &Key) -> Result<Option<String>, StoreError> {
        Ok(self.get(key).await?.as_ref().and_then(order_named))
    }

    /// Inserts a new order that somebody made and that is first due at a time. The first line of its history is
    /// in it. False when its number is taken.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn insert_order(&self, order: &Order, due: UnixMs, source: &str) -> Result<bool, StoreError> {
        note(order);
        let mut item = item_of(&Key::order(&order.out_trade_no), "order", order);
        let mut put = |name: &str, value: Av| item.insert(name.to_owned(), value);
        if let Some(user_id) = &order.user_id {
            put("list_key", Av::S(format!("user#{user_id}")));
            put("list_date", Av::N(order.create_date.to_string()));
        }
        put("due_shard", Av::S(self.due_shard(&order.out_trade_no)));
        put("due", Av::N(due.to_string()));
        put("created_by", Av::S(source.to_owned()));
        match self.number_claim(&order.out_trade_no, order.current()) {
            Some(claim) => self.commit_order(vec![self.insertion(item), claim]).await,
            None => self.insert(item).await,
        }
    }

    /// Adds an attempt, when the order is as it was read and nobody has its number. `ended` tells how the one
    /// before it ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn add_attempt(
        &self,
        order: &Order,
        attempt: &Attempt,
        ended: AttemptState,
        entry: &HistoryEntry,
    ) -> Result<Added, StoreError> {
        let mut update = Expression::default();
        update
            .when("version", "=", order.version)
            .when("trade_state", "=", Status::NotPay)
            .set(&format!("attempts[{}].state", order.attempts.len() - 1), ended)
            .set(&format!("attempts[{}]", order.attempts.len()), attempt)
            .set("provider", attempt.provider)
            .set("pay_type", &attempt.pay_type)
            .set("provider_appid", &attempt.app_id)
            .set_some("mch_id", attempt.mch_id.as_ref())
            .set("merchant", &attempt.merchant)
            .set("version", order.version + 1);
        let key = Key::order(&order.out_trade_no);
        let mut writes = vec![self.updating(&key, &update), self.history_insertion(&order.out_trade_no, entry)];
        writes.extend(self.number_claim(&order.out_trade_no, attempt));
        Ok(match self.commit(writes).await? {
            Ok(()) => Added::Done,
            Err(Refused::Conditions(at)) if at == [2] => Added::NumberTaken,
            Err(Refused::Conditions(_)) => Added::OrderMoved,
            Err(Refused::Invalid(what)) => return Err(StoreError::new("attempt", what)),
        })
    }

    /// Keeps the pay parameters of an attempt, where there are none yet or others, with the line of history that says so.
    /// A line of before is kept by itself.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn keep_parameters(
        &self,
        order: &Order,
        attempt: &Attempt,
        parameters: &Parameters,
        entry: &HistoryEntry,
    ) -> Result<(), StoreError> {
        let no = &order.out_trade_no;
        let mut item = item_of(&Key::parameters(no, attempt.n), "parameters", parameters);
        item.extend(history_fields(entry));
        if self.insert(item.clone()).await? {
            return Ok(());
        }
        let before = self.get(&Key::parameters(no, attempt.n)).await?;
        if before.as_ref() == Some(&item) {
            return Ok(());
        }
        if let Some(before) = before.as_ref().and_then(line_of) {
            let mut line = Key::history(no, before.time).attributes();
            line.extend(before.fields);
            self.put(line, "history").await?;
        }
        self.put(item, "parameters").await
    }

    /// The same with a number that the provider itself gave: that is the attempt's alone from then on.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn keep_numbered(
        &self,
        order: &Order,
        attempt: &Attempt,
        parameters: &Parameters,
        number: &str,
        entry: &HistoryEntry,
    ) -> Result<Kept, StoreError> {
        let path = format!("attempts[{}]", attempt.n - 1);
        let mut update = Expression::default();
        update.when(&format!("{path}.n"), "=", attempt.n).change("version", 1);
        let numbers = update.name(&format!("{path}.numbers"));
        let most = update.value(Av::N(MAX_ATTEMPTS.to_string()));
        update.when_raw(format!("(attribute_not_exists({numbers}) OR size({numbers}) < {most})"));
        update.grow(&format!("{path}.numbers"), &number);
        if attempt.numbered_there {
            update.when("trade_state", "=", Status::NotPay);
        }
        let no = &order.out_trade_no;
        let kept = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item_of(&Key::parameters(no, attempt.n), "parameters", parameters)))
            .build()
            .expect("table and item are set");
        let claim = Key::number(attempt.provider.name(), &attempt.merchant, number);
        let writes = vec![
            self.updating(&Key::order(no), &update),
            self.history_insertion(no, entry),
            TransactWriteItem::builder().put(kept).build(),
            self.insertion(number_item(&claim, no)),
        ];
        match self.commit(writes).await? {
            Ok(()) => Ok(Kept::Done),
            Err(Refused::Conditions(at)) if at.contains(&0) => {
                let unpaid = self.order(no).await?.is_some_and(|order| order.trade_state == Status::NotPay);
                Ok(if unpaid || !attempt.numbered_there { Kept::TooMany } else { Kept::Over })
            }
            Err(Refused::Conditions(_)) => Err(StoreError::new("number", "the provider's number is another order's")),
            Err(Refused::Invalid(what)) => Err(StoreError::new("parameters", what)),
        }
    }

    /// Marks how an attempt ended, while it stands as it was read.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn end_attempt(
        &self,
        order: &Order,
        attempt: &Attempt,
        state: AttemptState,
        entry: &HistoryEntry,
    ) -> Result<bool, StoreError> {
        let path = format!("attempts[{}].state", attempt.n - 1);
        let mut update = Expression::default();
        update.when(&path, "=", attempt.state).set(&path, state).change("version", 1);
        self.write_with_history(order, &update, entry).await
    }

    /// Notes that an attempt is about to be reversed, while its order is as it was read: from then on no payment is
    /// credited to it that was stated before. False when the order has changed. The order's version stays.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin_reversal(
        &self,
        order: &Order,
        attempt: &Attempt,
        now: UnixMs,
        entry: &HistoryEntry,
    ) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update
            .when("version", "=", order.version)
            .when(&format!("attempts[{}].state", attempt.n - 1), "=", attempt.state)
            .when_as_read(&format!("attempts[{}].reversing", attempt.n - 1), attempt.reversing)
            .set(&format!("attempts[{}].reversing", attempt.n - 1), now);
        self.write_with_history(order, &update, entry).await
    }

    /// Changes the note of an attempt's reversal, if it is as given. The order's version stays.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn change_reversal(
        &self,
        order: &Order,
        noted: &Attempt,
        reversing: Option<UnixMs>,
    ) -> Result<bool, StoreError> {
        let path = format!("attempts[{}].reversing", noted.n - 1);
        let mut update = Expression::default();
        update.when_as_read(&path, noted.reversing).set(&path, reversing);
        self.update_if(&Key::order(&order.out_trade_no), &update).await
    }

    /// Marks an attempt that its provider refused to create, unless somebody else had to do with the order since
    /// it was read, or has parameters for it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn fail_attempt(&self, order: &Order, n: u64, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let path = format!("attempts[{}].state", n - 1);
        let mut update = Expression::default();
        update
            .when(&path, "=", AttemptState::Open)
            .when("version", "=", order.version)
            .set(&path, AttemptState::Failed)
            .change("version", 1);
        let no = &order.out_trade_no;
        let mut none = Expression::default();
        let there = none.name("pk");
        none.when_raw(format!("attribute_not_exists({there})"));
        let writes = vec![
            self.updating(&Key::order(no), &update),
            self.history_insertion(no, entry),
            self.checking(&Key::parameters(no, n), &none),
        ];
        self.commit_order(writes).await
    }

    /// Opens an attempt again that the provider had refused to create.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn reopen_attempt(&self, order: &Order, n: u64, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let path = format!("attempts[{}].state", n - 1);
        let mut update = Expression::default();
        update
            .when(&path, "=", AttemptState::Failed)
            .when("trade_state", "=", Status::NotPay)
            .set(&path, AttemptState::Open)
            .change("version", 1);
        self.write_with_history(order, &update, entry).await
    }

    /// Takes the right to ask the provider about an order: at most once in `pause`.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn claim_query(&self, out_trade_no: &str, now: UnixMs, pause: Duration) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update.when("queried_at", "<=", now - pause).set("queried_at", now);
        self.update_if(&Key::order(out_trade_no), &update).await
    }

    /// Has the schedule look at an order at a time, whoever is at it now.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn look_at(&self, out_trade_no: &str, due: UnixMs) -> Result<(), StoreError> {
        let mut update = Expression::default();
        let key = Key::order(out_trade_no);
        let there = update.name("pk");
        update.when_raw(format!("attribute_exists({there})"));
        update.set("due_shard", self.due_shard(out_trade_no)).set("due", due);
        self.update_if(&key, &update).await.map(|_| ())
    }

    /// Closes an unpaid order. The attempts that are `left_open`, by their `n`, may have been or still be paid, and
    /// the order is due for them at `due`, or as it was. False when it is not unpaid any more.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn close_order(
        &self,
        order: &Order,
        left_open: &[u64],
        due: Option<UnixMs>,
        at: UnixMs,
        entry: &HistoryEntry,
    ) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update
            .when("trade_state", "=", Status::NotPay)
            .when("version", "=", order.version)
            .set("trade_state", Status::Closed)
            .set("status", Status::Closed.vk(order.refund_fee, order.total_fee))
            .set("cancel_date", at)
            .change("version", 1);
        match left_open.is_empty() {
            true => update.remove("due_shard").remove("due"),
            false => update.set_some("due", due),
        };
        for attempt in order.attempts.iter().filter(|a| a.may_be_paid()) {
            let left = left_open.contains(&attempt.n);
            let state = if left { AttemptState::Abandoned } else { AttemptState::Closed };
            update.set(&format!("attempts[{}].state", attempt.n - 1), state);
        }
        self.write_with_history(order, &update, entry).await
    }

    /// The history of an order, oldest first: lines of their own, and those that stand in its item and in those of pay
    /// parameters.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn history(&self, out_trade_no: &str) -> Result<Vec<Map<String, Value>>, StoreError> {
        let items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", Av::S(Key::order(out_trade_no).pk))
            .expression_attribute_values(":from", Av::S("H#".to_owned()))
            .expression_attribute_values(":to", Av::S("P#~".to_owned()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>()
            .await
            .map_err(|e| StoreError::sdk("history", &e))?;
        let mut lines: Vec<Line> = items.iter().filter_map(line_of).collect();
        lines.sort_by_key(|line| line.time);
        Ok(lines.iter().map(|line| plain(&line.fields)).collect())
    }

    /// Claims an attempt's number, where it is not its order's own.
    fn number_claim(&self, out_trade_no: &str, attempt: &Attempt) -> Option<TransactWriteItem> {
        let own = attempt.number == out_trade_no;
        (!own).then(|| self.insertion(number_item(&Key::order(&attempt.number), out_trade_no)))
    }

    /// Adds an event of the provider's to an order's history, once for its id. `entry.at` is the time that
    /// the provider signed. True when it is new.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn append_event(&self, out_trade_no: &str, id: &str, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let mut item = history_item(out_trade_no, entry);
        item.extend(Key::event(out_trade_no, entry.at, id).attributes());
        self.commit_order(vec![self.insertion(item)]).await
    }

    /// Adds an entry to an order's history, by itself.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn append_history(&self, out_trade_no: &str, entry: &HistoryEntry) -> Result<(), StoreError> {
        self.put(history_item(out_trade_no, entry), "history").await
    }

    /// Orders of a user, newest first, filtered; `cursor` is what the page before gave.
    ///
    /// # Errors
    /// When the table cannot be read. `Ok(None)` when the cursor is none of ours.
    pub async fn orders_of(
        &self,
        user_id: &str,
        page_size: usize,
        cursor: Option<&str>,
        wanted: impl Fn(&Order) -> bool,
    ) -> Result<Option<Listing>, StoreError> {
        self.listed(&format!("user#{user_id}"), page_size, cursor, shape_of, wanted).await
    }

    pub(super) fn history_insertion(&self, out_trade_no: &str, entry: &HistoryEntry) -> TransactWriteItem {
        self.insertion(history_item(out_trade_no, entry))
    }

    /// Updates the order with a line of history; false when a condition refused it.
    pub(super) async fn write_with_history(
        &self,
        order: &Order,
        update: &Expression,
        entry: &HistoryEntry,
    ) -> Result<bool, StoreError> {
        let no = &order.out_trade_no;
        self.commit_order(vec![self.updating(&Key::order(no), update), self.history_insertion(no, entry)]).await
    }

    pub(super) async fn commit_order(&self, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("order", what)),
        }
    }
}

fn number_item(key: &Key, out_trade_no: &str) -> Item {
    let mut item = key.attributes();
    item.insert("kind".to_owned(), Av::S("number".to_owned()));
    item.insert("out_trade_no".to_owned(), Av::S(out_trade_no.to_owned()));
    item
}

/// The order that an item belongs to.
pub(super) fn order_named(item: &Item) -> Option<String> {
    item.get("out_trade_no").and_then(|a| a.as_s().ok().cloned())
}

fn history_item(out_trade_no: &str, entry: &HistoryEntry) -> Item {
    let mut item = Key::history(out_trade_no, entry.at).attributes();
    item.insert("kind".to_owned(), Av::S("history".to_owned()));
    item.insert("out_trade_no".to_owned(), Av::S(out_trade_no.to_owned()));
    item.extend(history_fields(entry));
    item
}

fn history_fields(entry: &HistoryEntry) -> [(String, Av); 4] {
    let fields = [
        ("event", Av::S(entry.event.to_owned())),
        ("source", Av::S(entry.source.clone())),
        ("time", Av::N(entry.at.to_string())),
        ("detail", attribute(&Value::Object(entry.detail.clone()))),
    ];
    fields.map(|(name, value)| (name.to_owned(), value))
}

/// A line of an order's history.
struct Line {
    time: UnixMs,
    fields: Item,
}

/// The line of history that an item is or holds.
/// Has the call's lines say which order it is about.
fn note(order: &Order) {
    let attempt = order.current();
    telemetry::note("out_trade_no", &order.out_trade_no);
    telemetry::note("provider", attempt.provider);
    telemetry::note("merchant", &attempt.merchant);
}

fn line_of(item: &Item) -> Option<Line> {
    let text = |name: &str| item.get(name).and_then(|a| a.as_s().ok());
    if text("kind").is_some_and(|kind| kind == "order") {
        let source = text("created_by")?.clone();
        let order: Order = shape_of(item).ok()?;
        let first = order.attempts.first()?;
        let entry = HistoryEntry::new("created", source, order.create_date)
            .with("total_fee", &order.total_fee)
            .with("pay_type", &first.pay_type);
        return Some(Line { time: order.create_date, fields: history_item(&order.out_trade_no, &entry) });
    }
    let time = item.get("time")?.as_n().ok()?.parse().ok()?;
    let mut fields = Item::new();
    for name in ["event", "source", "time", "detail"] {
        fields.insert(name.to_owned(), item.get(name)?.clone());
    }
    let no = text("out_trade_no").cloned().or_else(|| Some(text("pk")?.strip_prefix("O#")?.to_owned()))?;
    fields.insert("kind".to_owned(), Av::S("history".to_owned()));
    fields.insert("out_trade_no".to_owned(), Av::S(no));
    Some(Line { time, fields })
}
