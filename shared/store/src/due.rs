//! What is due: the sparse index of unfinished orders, refunds, transfers and tasks.
//!
//! `due` is an item's next time and, while somebody is at it, the end of their claim: so claiming is one
//! conditional write of the value that was seen, and a claim of a process that died ends by itself.

use super::item::{Expression, Item, Key};
use super::{SHARDS, Store, StoreError};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{LEASE, UnixMs};

/// An item that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueItem {
    key: Key,
    /// When it was due.
    pub due: UnixMs,
    /// What it is.
    pub what: Due,
}

/// What is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// An unfinished order, by its number.
    Order(String),
    /// A refund: its order and its number.
    Refund(String, String),
    /// A task: its order and its name.
    Task(String, String),
    /// A transfer, by the key of its item.
    Transfer(String),
}

/// Items of one shard, and where the next page begins.
pub type DuePage = (Vec<DueItem>, Option<DueCursor>);

/// Where a shard's next page begins.
pub struct DueCursor(Item);

impl Store {
    /// How many shards the index has.
    pub const fn due_shards() -> u8 {
        SHARDS
    }

    /// A page of what is due in a shard at a time, the longest due first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn due(&self, shard: u8, at: UnixMs, cursor: Option<DueCursor>) -> Result<DuePage, StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("due")
            .key_condition_expression("due_shard = :shard AND #due <= :at")
            .expression_attribute_names("#due", "due")
            .expression_attribute_values(":shard", Av::S(format!("due#{:02}", shard % SHARDS)))
            .expression_attribute_values(":at", Av::N(at.to_string()))
            .limit(50)
            .set_exclusive_start_key(cursor.map(|c| c.0))
            .send()
            .await
            .map_err(|e| StoreError::sdk("due", &e))?;
        let items = page.items.unwrap_or_default().iter().filter_map(read).collect();
        Ok((items, page.last_evaluated_key.filter(|key| !key.is_empty()).map(DueCursor)))
    }

    /// Claims an item for the time of a lease. The claim, or `None` when somebody else has it or it is not due
    /// any more.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn claim_due(&self, item: &DueItem, at: UnixMs) -> Result<Option<UnixMs>, StoreError> {
        let claim = at + LEASE;
        let mut update = Expression::default();
        update.when("due", "=", item.due).set("due", claim);
        let shard = update.name("due_shard");
        update.when_raw(format!("attribute_exists({shard})"));
        Ok(self.update_if(&item.key, &update).await?.then_some(claim))
    }

    /// Says when a claimed item that is still unfinished is due next; never, when `next` is `None`.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn due_next(&self, item: &DueItem, claim: UnixMs, next: Option<UnixMs>) -> Result<(), StoreError> {
        let mut update = Expression::default();
        update.when("due", "=", claim);
        let shard = update.name("due_shard");
        update.when_raw(format!("attribute_exists({shard})"));
        match next {
            Some(next) => update.set("due", next),
            None => update.remove("due_shard").remove("due"),
        };
        self.update_if(&item.key, &update).await.map(|_| ())
    }
}

fn read(item: &Item) -> Option<DueItem> {
    let text = |name: &str| item.get(name).and_then(|a| a.as_s().ok()).cloned();
    let (pk, sk) = (text("pk")?, text("sk")?);
    let due = item.get("due")?.as_n().ok()?.parse().ok()?;
    let order = pk.strip_prefix("O#").map(str::to_owned);
    let what = match (order, sk.split_once('#')) {
        (Some(no), None) => Due::Order(no),
        (Some(no), Some(("R", number))) => Due::Refund(no, number.to_owned()),
        (Some(no), Some(("K", name))) => Due::Task(no, name.to_owned()),
        (None, _) if pk.starts_with("X#") => Due::Transfer(pk.clone()),
        _ => return None,
    };
    Some(DueItem { key: Key { pk, sk }, due, what })
}
