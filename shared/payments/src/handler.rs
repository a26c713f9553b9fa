//! What the house expects of type handlers: effects as data.

use domain::{Fen, Order, UnixMs};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use store::{Store, StoreError, Write};
use thiserror::Error;

/// What is known of an order before it is created, for a handler's first look.
pub struct Draft<'a> {
    /// What is to be paid.
    pub total_fee: Fen,
    /// The handler's data.
    pub custom: &'a Map<String, Value>,
    /// The order's user.
    pub user_id: Option<&'a str>,
}

/// An order that is about to become paid.
pub struct PaidOrder<'a> {
    /// The order, with its columns.
    pub order: &'a Order,
    /// Now.
    pub now: UnixMs,
}

impl PaidOrder<'_> {
    /// The user to credit: `custom.user_id`, else the order's.
    pub fn user_id(&self) -> Option<&str> {
        self.order.custom.get("user_id").and_then(Value::as_str).or(self.order.user_id.as_deref())
    }
}

/// The business tables, for reading.
pub struct Tables<'a> {
    store: &'a Store,
    contested: bool,
}

impl<'a> Tables<'a> {
    pub(super) const fn new(store: &'a Store, contested: bool) -> Self {
        Self { store, contested }
    }

    /// An item by its `_id`, strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read; hand it on with `?`, and the provider will call again.
    pub async fn get(&self, table: &str, id: &str) -> Result<Option<Map<String, Value>>, HandlerError> {
        Ok(self.store.row(table, id).await?)
    }

    /// True when writes that this handler returned before were refused by one of their conditions: now is
    /// the time to read and to say why, or to return writes that fit what is there.
    pub const fn contested(&self) -> bool {
        self.contested
    }
}

/// Why a handler returns no writes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandlerError {
    /// The order cannot be delivered: out of stock, user unknown. The payment is kept, and the reason
    /// stands on the order (`user_order_reason`, 200 characters).
    #[error("{0}")]
    Refused(String),
    /// A table could not be read. Nothing is committed, and the provider will call again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HandlerError {
    /// A refusal with its reason.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }
}

/// The registry of type handlers.
pub trait Handlers: Send + Sync {
    /// True when a type has a handler.
    fn knows(&self, kind: &str) -> bool;

    /// Whether a handler could ever accept this data; checked when the order is created.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, kind: &str, draft: &Draft<'_>) -> Result<(), String>;

    /// True when this data names a credit larger than what is paid, which only the merchant may do.
    fn exceeds(&self, kind: &str, draft: &Draft<'_>) -> bool;

    /// The writes that deliver an order.
    fn run<'a>(
        &'a self,
        order: &'a PaidOrder<'a>,
        tables: &'a Tables<'a>,
    ) -> BoxFuture<'a, Result<Vec<Write>, HandlerError>>;
}
