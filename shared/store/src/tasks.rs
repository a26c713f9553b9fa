//! Tasks in the table, beside their order: written with what causes them, claimed by one conditional write.

use super::item::{Expression, Item, Key, item_of, plain};
use super::{Action, HistoryEntry, Incident, Refused, Store, StoreError, Write};
use aws_sdk_dynamodb::types::{AttributeValue as Av, TransactWriteItem};
use domain::{LEASE, Order, Task, TaskName, TaskState, UnixMs};
use serde_json::{Value, json};
use std::time::Duration;

/// How an attempt at a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd {
    /// It is done.
    Done,
    /// It failed and is due again then.
    Again(UnixMs, String),
    /// It failed and is given up.
    Parked(String),
}

/// How an attempt at delivering an order ends.
pub struct Delivery<'a> {
    /// The task, with its claim.
    pub claimed: &'a Task,
    /// How the attempt ended.
    pub end: &'a TaskEnd,
    /// The version that the order must have, where its handler's writes commit with it.
    pub version: Option<u64>,
    /// Those writes.
    pub writes: &'a [Write],
    /// What becomes of the incident.
    pub incident: IncidentChange<'a>,
    /// Whether the dead-letter queue is told.
    pub given_up: bool,
    /// The history.
    pub entry: HistoryEntry,
}

/// What becomes of the incident of an order that is not delivered.
#[derive(Debug, Clone, Copy)]
pub enum IncidentChange<'a> {
    /// Nothing.
    None,
    /// It is written, over what is there.
    Written(&'a Incident),
    /// The open one with this id is ended.
    Ended(&'a str),
}

/// How ending an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivered {
    /// All of it is written.
    Done,
    /// The claim was lost.
    Lost,
    /// The order or its incident is no longer as it was read.
    Moved,
    /// The handler's writes were refused by one of their conditions.
    HandlerRefused,
    /// The table cannot take the handler's writes.
    HandlerInvalid(String),
}

impl Store {
    /// A task of an order, by its name.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn task(&self, out_trade_no: &str, name: &str) -> Result<Option<Task>, StoreError> {
        self.get(&Key::task(out_trade_no, name)).await?.map(|item| task_of(&item)).transpose()
    }

    /// The tasks of an order, the oldest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn tasks(&self, out_trade_no: &str) -> Result<Vec<Task>, StoreError> {
        let items = self.partition(&Key::order(out_trade_no).pk, "K#").await?;
        let mut tasks = items.iter().map(task_of).collect::<Result<Vec<_>, _>>()?;
        tasks.sort_by_key(|task| task.create_date);
        Ok(tasks)
    }

    pub(super) fn task_insertion(&self, task: &Task) -> TransactWriteItem {
        let mut item = item_of(&Key::task(&task.out_trade_no, &task.name()), "task", task);
        item.insert("due_shard".to_owned(), Av::S(self.due_shard(&task.out_trade_no)));
        self.insertion(item)
    }

    /// Writes a task by itself. False when there is one by its name.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn insert_task(&self, task: &Task) -> Result<bool, StoreError> {
        self.commit_order(vec![self.task_insertion(task)]).await
    }

    /// Takes a task that is due, or parked where an operator runs it again, for the time of a lease. `None`
    /// when somebody else has it or it has moved on. What is given carries the claim.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn claim_task(&self, task: &Task, at: UnixMs) -> Result<Option<Task>, StoreError> {
        let mut claimed = task.clone();
        claimed.due = (at + LEASE).max(task.due + Duration::from_millis(1));
        claimed.attempts += 1;
        claimed.lease = Some(claimed.due);
        let mut update = Expression::default();
        update
            .when("state", "=", task.state)
            .when("due", "=", task.due)
            .set("due", claimed.due)
            .set("lease", claimed.due)
            .set("due_shard", self.due_shard(&task.out_trade_no))
            .set("attempts", claimed.attempts);
        let key = Key::task(&task.out_trade_no, &task.name());
        Ok(self.update_if(&key, &update).await?.then_some(claimed))
    }

    /// Writes, before an order is handed over, that it may have been. False when the claim was lost.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn mark_handed(&self, claimed: &Task) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update.when("state", "=", claimed.state).when("due", "=", claimed.due).set("handed", true);
        self.update_if(&Key::task(&claimed.out_trade_no, &claimed.name()), &update).await
    }

    fn task_update(&self, claimed: &Task, end: &TaskEnd) -> TransactWriteItem {
        let mut update = Expression::default();
        // Whoever did it has done it; a failure counts only while the claim lasts.
        match end {
            TaskEnd::Done => update.when("state", "<>", TaskState::Done),
            TaskEnd::Again(..) | TaskEnd::Parked(_) => {
                update.when("state", "=", claimed.state).when("due", "=", claimed.due)
            }
        };
        match end {
            TaskEnd::Done => update.set("state", TaskState::Done).remove("last_error").remove("due_shard"),
            TaskEnd::Again(due, why) => update.set("due", due).set("last_error", why),
            TaskEnd::Parked(why) => update.set("state", TaskState::Parked).set("last_error", why).remove("due_shard"),
        };
        update.remove("lease");
        self.updating(&Key::task(&claimed.out_trade_no, &claimed.name()), &update)
    }

    /// Ends an attempt at a task that changes nothing else. False when the claim was lost.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn end_task(&self, claimed: &Task, end: &TaskEnd) -> Result<bool, StoreError> {
        self.commit_order(vec![self.task_update(claimed, end)]).await
    }

    /// Ends an attempt at delivering an order: the task, what the order says of it, the history, the handler's writes,
    /// the incident; and when it is given up the task that tells the dead-letter queue, all together.
    ///
    /// # Errors
    /// When the table cannot be written; then nothing is.
    pub async fn end_delivery(&self, delivery: &Delivery<'_>) -> Result<Delivered, StoreError> {
        let (claimed, end, entry) = (delivery.claimed, delivery.end, &delivery.entry);
        let no = &claimed.out_trade_no;
        let mut order = Expression::default();
        let success = order.name("user_order_success");
        let yes = order.value(Av::Bool(true));
        order.when_raw(format!("(attribute_not_exists({success}) OR {success} <> {yes})"));
        if let Some(version) = delivery.version {
            order.when("version", "=", version);
        }
        match end {
            TaskEnd::Done => order.set("user_order_success", true).remove("user_order_reason"),
            TaskEnd::Again(_, why) | TaskEnd::Parked(why) => {
                order.set("user_order_success", false).set("user_order_reason", why)
            }
        };
        order.change("version", 1);
        let mut writes = vec![
            self.task_update(claimed, end),
            self.updating(&Key::order(no), &order),
            self.history_insertion(no, entry),
        ];
        match delivery.incident {
            IncidentChange::None => {}
            IncidentChange::Written(incident) => writes.push(self.putting(incident.item(entry.at))),
            IncidentChange::Ended(id) => {
                let mut ended = Self::resolution(Action::Close, entry.at);
                ended.set("resolved_by", "handler").set("note", "delivered");
                writes.push(self.updating(&Key::incident(id), &ended));
                let resolved = HistoryEntry::new("incident resolved", "handler", entry.at).with("incident_id", &id);
                writes.push(self.history_insertion(no, &resolved));
            }
        }
        if delivery.given_up {
            let mut alarm = Task::new(TaskName::Alarm, no, Some("handler"), entry.at);
            alarm.last_error.clone_from(&claimed.last_error);
            writes.push(self.task_insertion(&alarm));
        }
        let ours = writes.len();
        writes.extend(delivery.writes.iter().map(|write| write.to_item(&self.prefix)));
        match self.commit(writes).await? {
            Ok(()) => Ok(Delivered::Done),
            Err(Refused::Conditions(at)) if at.contains(&0) => Ok(Delivered::Lost),
            Err(Refused::Conditions(at)) if at.iter().any(|i| *i < ours) => Ok(Delivered::Moved),
            Err(Refused::Conditions(_)) => Ok(Delivered::HandlerRefused),
            Err(Refused::Invalid(what)) if !delivery.writes.is_empty() => Ok(Delivered::HandlerInvalid(what)),
            Err(Refused::Invalid(what)) => Err(StoreError::new("delivery", what)),
        }
    }

    /// Marks an order as one whose delivery begins anew.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin_delivery(&self, order: &Order, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let task = Task::new(TaskName::Handler, &order.out_trade_no, None, entry.at);
        let no = &order.out_trade_no;
        self.commit_order(vec![self.task_insertion(&task), self.history_insertion(no, entry)]).await
    }
}

/// A task out of its item; `due` is one of its fields and an index's key at once.
pub(super) fn task_of(item: &Item) -> Result<Task, StoreError> {
    let mut fields = plain(item);
    let due = item.get("due").map_or(Value::Null, super::item::json);
    fields.insert("due".to_owned(), due);
    serde_json::from_value(json!(fields)).map_err(|e| StoreError::new("task", format!("a task cannot be read: {e}")))
}
