//! The index `listing`: what a user, a day or the operator has, by time.
//!
//! The index has keys only, because every write of an order would be paid twice otherwise; the items are read from the
//! table. A list may miss what was written in the last moment, and what it gives is as it is now.

use super::item::{Item, attribute, json, shape_of};
use super::{Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, KeysAndAttributes};
use domain::UnixMs;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;

/// Items of one read, as DynamoDB has it.
const BATCH: usize = 100;
/// Reads at once.
const AT_ONCE: usize = 4;
/// How often what one read left over is read again.
const RETRIES: u32 = 6;

impl Store {
    /// A page of a listing, the newest first: what of its items is wanted, as `read` reads it.
    pub(super) async fn listed<T>(
        &self,
        list_key: &str,
        page_size: usize,
        cursor: Option<&str>,
        read: impl Fn(&Item) -> Result<T, StoreError>,
        wanted: impl Fn(&T) -> bool,
    ) -> Result<Option<(Vec<T>, Option<String>)>, StoreError> {
        let mut start = match cursor.map(|c| decode_cursor(c, list_key)) {
            Some(None) => return Ok(None),
            Some(Some(key)) => Some(key),
            None => None,
        };
        let mut page = Vec::new();
        loop {
            let (keys, next) = self.listing_page(list_key, start).await?;
            // No more than the page may need: each item is read from the table, and paid for.
            for keys in keys.chunks(page_size.max(1)) {
                for item in self.whole(keys).await? {
                    let shape = read(&item)?;
                    if wanted(&shape) {
                        page.push(shape);
                        if page.len() == page_size {
                            return Ok(Some((page, Some(encode_cursor(&item)))));
                        }
                    }
                }
            }
            match next {
                Some(key) => start = Some(key),
                None => return Ok(Some((page, None))),
            }
        }
    }

    async fn listing_page(&self, list_key: &str, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let page = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("listing")
            .key_condition_expression("list_key = :key")
            .expression_attribute_values(":key", Av::S(list_key.to_owned()))
            .scan_index_forward(false)
            .limit(100)
            .set_exclusive_start_key(start)
            .send()
            .boxed()
            .await
            .map_err(|e| StoreError::sdk("listing", &e))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|k| !k.is_empty())))
    }

    /// Everything under a key of the listing from a time on.
    pub(super) async fn all_listed<T: DeserializeOwned>(
        &self,
        list_key: &str,
        since: UnixMs,
    ) -> Result<Vec<T>, StoreError> {
        let keys = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("listing")
            .key_condition_expression("list_key = :key AND list_date >= :since")
            .expression_attribute_values(":key", Av::S(list_key.to_owned()))
            .expression_attribute_values(":since", Av::N(since.to_string()))
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>()
            .await
            .map_err(|e| StoreError::sdk("listing", &e))?;
        self.whole(&keys).await?.iter().map(shape_of).collect()
    }

    /// The items that an index named, in its order.
    pub(super) async fn whole(&self, keys: &[Item]) -> Result<Vec<Item>, StoreError> {
        let batches: Vec<BoxFuture<'_, Result<Vec<Item>, StoreError>>> =
            keys.chunks(BATCH).map(|batch| self.whole_batch(batch).boxed()).collect();
        let batches: Vec<Vec<Item>> = stream::iter(batches).buffered(AT_ONCE).try_collect().await?;
        Ok(batches.into_iter().flatten().collect())
    }

    async fn whole_batch(&self, keys: &[Item]) -> Result<Vec<Item>, StoreError> {
        let key_of = |item: &Item| -> Item {
            ["pk", "sk"].iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
        };
        let mut left: Vec<Item> = keys.iter().map(key_of).collect();
        let mut found: HashMap<(String, String), Item> = HashMap::new();
        let mut round = 0;
        while !left.is_empty() {
            let wanted = KeysAndAttributes::builder().set_keys(Some(left)).build().expect("keys are set");
            let sent = self.client.batch_get_item().request_items(&self.table, wanted).send().boxed().await;
            let answer = sent.map_err(|e| StoreError::sdk("listing", &e))?;
            let items = answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default();
            found.extend(items.into_iter().filter_map(|item| Some((name_of(&item)?, item))));
            let unread = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
            left = unread.map(|unread| unread.keys).unwrap_or_default();
            if !left.is_empty() {
                if round == RETRIES {
                    return Err(StoreError::new("listing", "the table gives some items only"));
                }
                round += 1;
                let pause = u64::from((self.pauses)()) % (50 << round);
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        }
        Ok(keys.iter().filter_map(|key| found.remove(&name_of(key)?)).collect())
    }
}

/// The key of an item, as it can be compared.
fn name_of(item: &Item) -> Option<(String, String)> {
    Some((item.get("pk")?.as_s().ok()?.clone(), item.get("sk")?.as_s().ok()?.clone()))
}

/// A cursor is the index key of the last item, as base64 of JSON.
fn encode_cursor(item: &Item) -> String {
    let key: Map<String, Value> = ["pk", "sk", "list_key", "list_date"]
        .iter()
        .filter_map(|name| item.get(*name).map(|a| ((*name).to_owned(), json(a))))
        .collect();
    crypto::base64(Value::Object(key).to_string().as_bytes())
}

fn decode_cursor(cursor: &str, list_key: &str) -> Option<Item> {
    let bytes = crypto::from_base64(cursor).ok()?;
    let key: Map<String, Value> = serde_json::from_slice(&bytes).ok()?;
    let said = |name: &str| key.get(name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
    let right = key.get("list_key")?.as_str()? == list_key
        && key.len() == 4
        && said("pk")
        && said("sk")
        && key.get("list_date")?.is_i64();
    right.then(|| key.iter().map(|(k, v)| (k.clone(), attribute(v))).collect())
}
