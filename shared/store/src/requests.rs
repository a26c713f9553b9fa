//! Calls of providers that have no action of their own: who made which, and what came of it. They are kept for a while.

use super::item::{Expression, Item, Key, attribute, item_of, plain};
use super::{Store, StoreError};
use domain::{Provider, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long a call is kept.
const KEPT: Duration = Duration::from_hours(90 * 24);

/// A call, as it is kept: bodies masked and cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRecord {
    /// Its number here.
    pub record_id: String,
    /// Who asked for it, as histories name them.
    pub source: String,
    /// Whose call.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// Its node.
    pub node: String,
    /// Verb and path, or the method's name.
    pub target: String,
    /// What was sent.
    pub data: Value,
    /// `sent`, `done`, `refused` or `unknown`.
    pub state: String,
    /// When it was made.
    pub create_date: UnixMs,
}

/// What came of a call.
pub struct RequestEnd<'a> {
    /// `done`, `refused` or `unknown`.
    pub state: &'a str,
    /// The HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// The provider's number of it.
    pub provider_request_id: Option<&'a str>,
    /// What it answered.
    pub answer: Value,
}

impl Store {
    /// Keeps a call, before it is made.
    ///
    /// # Errors
    /// When the table cannot be written: then it must not be made.
    pub async fn keep_request(&self, record: &RequestRecord) -> Result<(), StoreError> {
        let mut item = item_of(&Key::request(&record.record_id), "request", record);
        let at = record.create_date;
        for (name, value) in
            [("list_key", json!("request")), ("list_date", json!(at)), ("expire_at", json!((at + KEPT).secs()))]
        {
            item.insert(name.to_owned(), attribute(&value));
        }
        self.commit_order(vec![self.insertion(item)]).await.and_then(|new| match new {
            true => Ok(()),
            false => Err(StoreError::new("request", "the number is taken")),
        })
    }

    /// Keeps what came of it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn end_request(&self, record_id: &str, end: &RequestEnd<'_>, at: UnixMs) -> Result<(), StoreError> {
        let mut update = Expression::default();
        update
            .when("state", "=", "sent")
            .set("state", end.state)
            .set_some("http_status", end.http_status)
            .set_some("provider_request_id", end.provider_request_id)
            .set("answer", &end.answer)
            .set("end_date", at);
        self.update_if(&Key::request(record_id), &update).await.map(|_| ())
    }

    /// Calls, newest first; `cursor` is what the page before gave.
    ///
    /// # Errors
    /// When the table cannot be read. `Ok(None)` when the cursor is none of ours.
    pub async fn requests(
        &self,
        page_size: usize,
        cursor: Option<&str>,
    ) -> Result<Option<(Vec<Map<String, Value>>, Option<String>)>, StoreError> {
        let read = |item: &Item| {
            let mut shown = plain(item);
            shown.remove("expire_at");
            Ok(shown)
        };
        self.listed("request", page_size, cursor, read, |_| true).await
    }
}
