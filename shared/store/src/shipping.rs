//! The shipping of an order: written only where it is as it was read, with the line of history that says so.

use super::item::{Expression, Key};
use super::{Action, Due, HistoryEntry, IncidentName, Refused, Store, StoreError};
use domain::{Order, Shipping, UnixMs};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;

/// Shards and batches of orders that are read at once.
const AT_ONCE: usize = 16;
/// Orders of one batch.
const BATCH: usize = 100;
/// The most pages of a shard that are read for its tasks, of fifty keys each.
const PAGES: usize = 20;
/// The most incidents that are read.
const INCIDENTS: usize = 200;
/// The name of a task that reports shipping.
const SHIP: &str = "ship";

/// A write of an order's shipping, and what goes with it.
pub struct ShippingChange<'a> {
    /// The order.
    pub out_trade_no: &'a str,
    /// The shipping as it was read; `None` where the order has none yet.
    pub read: Option<&'a Shipping>,
    /// What it becomes. Its count of writes is made here.
    pub becomes: &'a Shipping,
    /// The history.
    pub entry: Option<&'a HistoryEntry>,
    /// The open incident that ends with it, by its id.
    pub ends: Option<&'a str>,
}

/// How such a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShippingWritten {
    /// All of it is written.
    Done,
    /// Somebody else has written meanwhile: the shipping, or the incident.
    Moved,
}

/// Orders whose shipping is not reported, or not all of it.
#[derive(Debug, Clone, Default)]
pub struct Unshipped {
    /// The orders, whose time is over first in front.
    pub orders: Vec<Order>,
    /// Whether those are all of them.
    pub whole: bool,
}

impl Store {
    /// The orders whose shipping waits: those that have a task for it, and those of which an open incident says that
    /// nobody reported it. What went back to its payer waits no longer.
    ///
    /// It reads the keys of all that is due, up to 1 000 in each shard, and each order that it finds.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn unshipped(&self) -> Result<Unshipped, StoreError> {
        let shards: Vec<_> = (0..self.due_shards()).map(|shard| self.to_ship(shard)).collect();
        let found: Vec<(Vec<String>, bool)> = stream::iter(shards).buffer_unordered(AT_ONCE).try_collect().await?;
        let name = json!(IncidentName::Unshipped.name());
        let told = self.incidents(INCIDENTS, None, |item| {
            item.get("status") == Some(&json!("open")) && item.get("incident") == Some(&name)
        });
        let (told, more) = told.await?.unwrap_or_default();
        let whole = more.is_none() && found.iter().all(|(_, whole)| *whole);
        let mut numbers: Vec<String> = found.into_iter().flat_map(|(numbers, _)| numbers).collect();
        numbers.extend(told.iter().filter_map(|item| item.get("out_trade_no")?.as_str().map(str::to_owned)));
        numbers.sort();
        numbers.dedup();
        let batches = numbers.chunks(BATCH).map(|batch| batch.iter().map(String::as_str).collect::<Vec<_>>());
        let batches: Vec<_> = batches.map(|batch| async move { self.orders(&batch).await }).collect();
        let batches: Vec<Vec<Order>> = stream::iter(batches).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut orders: Vec<Order> = batches.into_iter().flatten().filter(Order::waits_for_shipping).collect();
        let ends = |order: &Order| order.shipping.as_ref().map_or(UnixMs::EPOCH, |shipping| shipping.deadline);
        orders.sort_by_key(|order| (ends(order), order.out_trade_no.clone()));
        Ok(Unshipped { orders, whole })
    }

    /// The orders of a shard that have a task for their shipping, and whether those are all.
    async fn to_ship(&self, shard: u8) -> Result<(Vec<String>, bool), StoreError> {
        let (mut numbers, mut cursor) = (Vec::new(), None);
        for _ in 0..PAGES {
            let (items, next) = self.due(shard, UnixMs::new(i64::MAX), cursor).await?;
            numbers.extend(items.into_iter().filter_map(|item| match item.what {
                Due::Task(no, name) if name == SHIP => Some(no),
                Due::Task(..)
                | Due::Order(_)
                | Due::Refund(..)
                | Due::Share(..)
                | Due::Return(..)
                | Due::Transfer(_)
                | Due::Authorization(_) => None,
            }));
            if next.is_none() {
                return Ok((numbers, true));
            }
            cursor = next;
        }
        Ok((numbers, false))
    }

    /// Writes the shipping of an order, where it is as it was read. The order's version stays: nothing else depends on it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn change_shipping(&self, change: &ShippingChange<'_>) -> Result<ShippingWritten, StoreError> {
        let no = change.out_trade_no;
        let mut becomes = change.becomes.clone();
        becomes.n = change.read.map_or(0, |read| read.n) + 1;
        let mut update = Expression::default();
        match change.read {
            Some(read) => update.when("shipping.n", "=", read.n),
            None => {
                let (there, none) = (update.name("pk"), update.name("shipping"));
                update.when_raw(format!("attribute_exists({there}) AND attribute_not_exists({none})"))
            }
        };
        update.set("shipping", &becomes);
        let mut writes = vec![self.updating(&Key::order(no), &update)];
        writes.extend(change.entry.map(|entry| self.history_insertion(no, entry)));
        if let (Some(id), Some(entry)) = (change.ends, change.entry) {
            let mut ended = Self::resolution(Action::Close, entry.at);
            ended.set("resolved_by", &entry.source).set("note", entry.event);
            writes.push(self.updating(&Key::incident(id), &ended));
            let resolved = HistoryEntry::new("incident resolved", &entry.source, entry.at).with("incident_id", &id);
            writes.push(self.history_insertion(no, &resolved));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(ShippingWritten::Done),
            Err(Refused::Conditions(_)) => Ok(ShippingWritten::Moved),
            Err(Refused::Invalid(what)) => Err(StoreError::new("shipping", what)),
        }
    }
}
