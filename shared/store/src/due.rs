//! What is due: the sparse index of unfinished orders, refunds, shares and their returns, transfers and tasks.
//!
//! `due` is an item's next time and, while somebody is at it, the end of their claim: so claiming is one
//! conditional write of the value that was seen, and a claim of a process that died ends by itself.

use super::item::{Expression, Item, Key};
use super::{SHARDS, Store, StoreError, shard_name};
use aws_sdk_dynamodb::types::{AttributeValue as Av, ReturnValue};
use domain::{Provider, UnixMs};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::time::Duration;

/// Shards that are read at once.
const SHARDS_AT_ONCE: usize = 8;

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
    /// A share: its order and its number.
    Share(String, String),
    /// A return of a share that no refund waits for, or whose refund has ended: its order and its number.
    Return(String, String),
    /// A task: its order and its name.
    Task(String, String),
    /// A transfer, by the key of its item.
    Transfer(String),
    /// An authorisation of a payee that they have not given yet, by the key of its item.
    Authorization(String),
}

/// An item that one run has to itself for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub item: DueItem,
    /// Its end, by which it is recognized.
    until: UnixMs,
    /// Whom it is asked of, where the item says.
    pub provider: Option<Provider>,
}

impl Claim {
    /// What nobody has claimed yet, for tasks: who runs one claims it by itself.
    pub fn none(item: &DueItem) -> Self {
        Self { item: item.clone(), until: item.due, provider: None }
    }

    /// As a queue carries it.
    pub fn to_json(&self) -> Value {
        json!({ "pk": self.item.key.pk, "sk": self.item.key.sk, "due": self.item.due, "until": self.until })
    }

    /// As [`Self::to_json`] gave it.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        let moment = |name: &str| value[name].as_i64().map(UnixMs::new);
        let item = DueItem::of(text("pk")?, text("sk")?, moment("due")?)?;
        Some(Self { item, until: moment("until")?, provider: None })
    }
}

/// Items of one shard, and where the next page begins.
pub type DuePage = (Vec<DueItem>, Option<DueCursor>);

/// Where a shard's next page begins.
pub struct DueCursor(Item);

impl Store {
    /// How many shards of the index may hold something: those that items are put into now, and the usual ones.
    pub fn due_shards(&self) -> u8 {
        self.due_shards.max(SHARDS)
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
            .expression_attribute_values(":shard", Av::S(shard_name(shard)))
            .expression_attribute_values(":at", Av::N(at.to_string()))
            .limit(50)
            .set_exclusive_start_key(cursor.map(|c| c.0))
            .send()
            .boxed()
            .await
            .map_err(|e| StoreError::sdk("due", &e))?;
        let items = page.items.unwrap_or_default().iter().filter_map(read).collect();
        Ok((items, page.last_evaluated_key.filter(|key| !key.is_empty()).map(DueCursor)))
    }

    /// What is due next, now or later: at most so many of each shard, the soonest first; and whether that is all.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn soonest_due(&self, of_each: u8) -> Result<(Vec<DueItem>, bool), StoreError> {
        let pages = (0..self.due_shards()).map(|shard| async move {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .index_name("due")
                .key_condition_expression("due_shard = :shard")
                .expression_attribute_values(":shard", Av::S(shard_name(shard)))
                .limit(i32::from(of_each.max(1)))
                .send()
                .boxed()
                .await
                .map_err(|e| StoreError::sdk("due", &e))?;
            let whole = page.last_evaluated_key.is_none_or(|key| key.is_empty());
            Ok((page.items.unwrap_or_default(), whole))
        });
        let pages: Vec<(Vec<Item>, bool)> = stream::iter(pages).buffered(SHARDS_AT_ONCE).try_collect().await?;
        let whole = pages.iter().all(|(_, whole)| *whole);
        let mut items: Vec<DueItem> = pages.iter().flat_map(|(items, _)| items).filter_map(read).collect();
        items.sort_by_key(|item| item.due);
        Ok((items, whole))
    }

    /// Claims an item for so long. `None` when somebody else has it or it is not due any more.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn claim_due(&self, item: &DueItem, at: UnixMs, lease: Duration) -> Result<Option<Claim>, StoreError> {
        let until = at + lease;
        let mut update = Expression::default();
        update.when("due", "=", item.due).set("due", until);
        let shard = update.name("due_shard");
        update.when_raw(format!("attribute_exists({shard})"));
        let Some(was) = self.update_giving(&item.key, &update, ReturnValue::AllOld).await? else { return Ok(None) };
        let provider = was.get("provider").and_then(|name| Provider::parse(name.as_s().ok()?));
        Ok(Some(Claim { item: item.clone(), until, provider }))
    }

    /// What is due without a claim, with whom each is asked of: two may be at it at once. What is not there is left out.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn unclaimed(&self, items: &[DueItem]) -> Result<Vec<Claim>, StoreError> {
        let keys: Vec<Item> = items.iter().map(|item| item.key.attributes()).collect();
        let found = self.whole(&keys).await?;
        let provider = |key: &Key| {
            let own = |item: &&Item| key.attributes().iter().all(|(name, value)| item.get(name) == Some(value));
            Provider::parse(found.iter().find(own)?.get("provider")?.as_s().ok()?)
        };
        let claim = |item: &DueItem| Some(Claim { provider: Some(provider(&item.key)?), ..Claim::none(item) });
        Ok(items.iter().filter_map(claim).collect())
    }

    /// Says when a claimed item that is still unfinished is due next; never, when `next` is `None`.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn due_next(&self, claim: &Claim, next: Option<UnixMs>) -> Result<(), StoreError> {
        let mut update = Expression::default();
        update.when("due", "=", claim.until);
        let shard = update.name("due_shard");
        update.when_raw(format!("attribute_exists({shard})"));
        match next {
            Some(next) => update.set("due", next),
            None => update.remove("due_shard").remove("due"),
        };
        self.update_if(&claim.item.key, &update).await.map(|_| ())
    }
}

impl DueItem {
    fn of(pk: String, sk: String, due: UnixMs) -> Option<Self> {
        let order = pk.strip_prefix("O#").map(str::to_owned);
        let what = match (order, sk.split_once('#')) {
            (Some(no), None) => Due::Order(no),
            (Some(no), Some(("R", number))) => Due::Refund(no, number.to_owned()),
            (Some(no), Some(("S", number))) => Due::Share(no, number.to_owned()),
            (Some(no), Some(("SR", number))) => Due::Return(no, number.to_owned()),
            (Some(no), Some(("K", name))) => Due::Task(no, name.to_owned()),
            (None, _) if pk.starts_with("X#") => Due::Transfer(pk.clone()),
            (None, _) if pk.starts_with("A#") => Due::Authorization(pk.clone()),
            _ => return None,
        };
        Some(Self { key: Key { pk, sk }, due, what })
    }
}

fn read(item: &Item) -> Option<DueItem> {
    let text = |name: &str| item.get(name).and_then(|a| a.as_s().ok()).cloned();
    DueItem::of(text("pk")?, text("sk")?, item.get("due")?.as_n().ok()?.parse().ok()?)
}
