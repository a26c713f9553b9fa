//! The table: keys, items, conditional writes and transactions. The only crate that names DynamoDB.
//!
//! One table holds everything of an order in one partition (`pk` `O#<out_trade_no>`): the order, its
//! refunds, its history and its pay parameters; beside them small items that make a number unique (a provider's
//! transaction, a refund number, a number that a provider gave). A number that goes out to a provider is the
//! `pk` `O#<number>`, be it an order's own or a later attempt's, so that nobody can have it twice. Two sparse indexes: `listing` (`list_key`, `list_date`)
//! lists a user's orders, the incidents, and what was paid and refunded on a day; `due` (`due_shard`, `due`)
//! holds what is unfinished. There is no read-modify-write and no lock: a write names what it saw. No function scans;
//! [`Store::days_if_few`] is for whoever looks at a table by hand.

mod authorizations;
mod bills;
pub mod client;
mod complaints;
mod credit;
mod days;
mod doubt;
mod due;
mod examine;
mod incident;
mod incident_payment;
mod item;
mod listing;
mod orders;
mod refunds;
mod requests;
mod shares;
mod shipping;
mod tasks;
mod tokens;
mod transfers;
mod write;

pub use bills::{BillReport, BillState, FundsReport, PaidEntry, RefundedEntry, SHARDS};
pub use complaints::{ComplaintChange, ComplaintList, ComplaintWritten, IncidentMove};
pub use credit::{Claimed, Committed, PaymentCommit, Verdict};
pub use days::{ByDay, DayList, DayPosition, DayTotals, ListedAccount, OnDay};
pub use due::{Claim, Due, DueCursor, DueItem, DuePage};
pub use examine::{TableDiagnosis, TableTrouble, examine as examine_table};
pub use incident::{Action, Incident, IncidentName, IncidentPage, IncidentStatus, Recorded, Recording, Said};
pub use incident_payment::{Accepted, Returned};
pub use orders::{Added, HistoryEntry, Holder, Kept, Listing};
pub use refunds::Reserved;
pub use requests::{RequestEnd, RequestRecord};
pub use shares::{OrderSums, RefundMove, SharingChange, SharingWritten};
pub use shipping::{ShippingChange, ShippingWritten, Unshipped};
pub use tasks::{Delivered, Delivery, IncidentChange, TaskEnd};
pub use transfers::Begun;
pub use write::{Condition, Write};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue as Av, ConditionCheck, Put, ReturnValue, TransactWriteItem, Update};
use futures::FutureExt as _;
use item::{Expression, Item, Key};
use serde_json::{Map, Value};
use std::time::Duration;
use thiserror::Error;

/// The table could not be read or written. The outcome of a write is then unknown; every write is
/// conditional, so doing it again is safe.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{operation}: {detail}")]
pub struct StoreError {
    operation: &'static str,
    detail: String,
    lasting: bool,
}

impl StoreError {
    /// A failure that nothing lasting explains: the operation, and what went wrong with it.
    pub fn new(operation: &'static str, detail: impl Into<String>) -> Self {
        Self { operation, detail: detail.into(), lasting: false }
    }

    /// Whether the same again fails again until somebody mends it: no right to the table, no such table, a request
    /// that it does not take.
    pub const fn lasts(&self) -> bool {
        self.lasting
    }

    fn sdk<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self {
        let detail = match error.as_service_error() {
            Some(service) => {
                format!("{}: {}", service.code().unwrap_or("error"), service.message().unwrap_or("no message"))
            }
            None => "no answer from DynamoDB".to_owned(),
        };
        let code = error.as_service_error().and_then(|service| service.code());
        Self { operation, detail, lasting: code.is_some_and(|code| LASTING.contains(&code)) }
    }
}

/// What DynamoDB answers as long as nobody mends it.
const LASTING: [&str; 3] = ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"];

/// What refused a transaction.
enum Refused {
    /// Conditions of the writes at these positions.
    Conditions(Vec<usize>),
    /// A write that the table cannot take, a table that is not there or that we have no right to.
    Invalid(String),
}

/// How often a transaction is tried again after a conflict or throttling.
const RETRIES: u32 = 8;
/// How long a transaction is tried in all: providers hang up on a callback after five seconds.
const PATIENCE: Duration = Duration::from_millis(3_500);

/// When the schedule first looks at what has just begun, so that whoever began it may end it.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// The orders table and the business tables of the handlers.
#[derive(Clone)]
pub struct Store {
    client: Client,
    table: String,
    prefix: String,
    pauses: fn() -> u32,
    due_shards: u8,
}

impl Store {
    /// A store on a table; `prefix` stands before the names of business tables.
    pub fn new(client: Client, table: impl Into<String>, prefix: impl Into<String>) -> Self {
        let pauses = || u32::from_be_bytes(crypto::random());
        Self { client, table: table.into(), prefix: prefix.into(), pauses, due_shards: SHARDS }
    }

    /// The same with another source of chance for the pauses between two tries.
    #[must_use]
    pub fn pausing(self, pauses: fn() -> u32) -> Self {
        Self { pauses, ..self }
    }

    /// The same that puts what is due into so many shards of its index, 1 to [`MOST_DUE_SHARDS`].
    #[must_use]
    pub fn with_due_shards(self, count: u8) -> Self {
        Self { due_shards: count.clamp(1, MOST_DUE_SHARDS), ..self }
    }

    /// The shard of the `due` index that what belongs to a number falls into.
    fn due_shard(&self, number: &str) -> String {
        due_shard(number, self.due_shards)
    }

    /// Opens the connection, so that the first callback does not wait for it.
    pub async fn warm(&self) {
        let key = Key::order("");
        if let Err(error) =
            self.client.get_item().table_name(&self.table).set_key(Some(key.attributes())).send().boxed().await
        {
            tracing::debug!(error = %StoreError::sdk("warm", &error), "the table does not answer yet");
        }
    }

    /// An item of a business table, by its `_id`; strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn row(&self, table: &str, id: &str) -> Result<Option<Map<String, Value>>, StoreError> {
        if id.is_empty() {
            return Ok(None);
        }
        let answer = self
            .client
            .get_item()
            .table_name(format!("{}{table}", self.prefix))
            .key("_id", Av::S(id.to_owned()))
            .consistent_read(true)
            .send()
            .boxed()
            .await
            .map_err(|e| StoreError::sdk("row", &e))?;
        Ok(answer.item.map(|item| item.iter().map(|(k, v)| (k.clone(), item::json(v))).collect()))
    }

    async fn get(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .send()
            .boxed()
            .await
            .map_err(|e| StoreError::sdk("get", &e))?;
        Ok(answer.item)
    }

    /// The items of a partition whose sort key begins so, in its order.
    async fn partition(&self, pk: &str, begins: &str) -> Result<Vec<Item>, StoreError> {
        self.client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
            .expression_attribute_values(":pk", Av::S(pk.to_owned()))
            .expression_attribute_values(":sk", Av::S(begins.to_owned()))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send()
            .collect::<Result<Vec<Item>, _>>()
            .await
            .map_err(|e| StoreError::sdk("partition", &e))
    }

    /// Inserts an item unless its key is taken.
    fn insertion(&self, item: Item) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// Inserts an item by itself; false when its key is taken.
    async fn insert(&self, item: Item) -> Result<bool, StoreError> {
        let sent = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .boxed()
            .await;
        match sent {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(StoreError::sdk("insert", &error)),
        }
    }

    /// Writes an item over what is there.
    async fn put(&self, item: Item, operation: &'static str) -> Result<(), StoreError> {
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().boxed().await;
        sent.map(|_| ()).map_err(|e| StoreError::sdk(operation, &e))
    }

    fn updating(&self, key: &Key, expression: &Expression) -> TransactWriteItem {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression(expression.update())
            .set_condition_expression(expression.condition())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .build()
            .expect("table and key are set");
        TransactWriteItem::builder().update(update).build()
    }

    /// Looks at an item in a transaction, without writing it.
    fn checking(&self, key: &Key, expression: &Expression) -> TransactWriteItem {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .condition_expression(expression.condition().unwrap_or_default())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .build()
            .expect("table, key and condition are set");
        TransactWriteItem::builder().condition_check(check).build()
    }

    /// Commits writes together. `Ok(Err(..))` is a refusal, which is a result; conflicts and throttling are
    /// tried again with growing, jittered pauses.
    async fn commit(&self, writes: Vec<TransactWriteItem>) -> Result<Result<(), Refused>, StoreError> {
        let tried = tokio::time::timeout(PATIENCE, self.try_commit(writes)).await;
        tried.unwrap_or_else(|_| Err(StoreError::new("commit", "no result in time")))
    }

    async fn try_commit(&self, writes: Vec<TransactWriteItem>) -> Result<Result<(), Refused>, StoreError> {
        let token = hex::encode(crypto::random::<16>());
        let mut round = 0;
        loop {
            let sent = self
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .client_request_token(&token)
                .send()
                .boxed()
                .await;
            let Err(error) = sent else { return Ok(Ok(())) };
            match judge(&error) {
                Judged::Refused(refused) => return Ok(Err(refused)),
                Judged::Again if round < RETRIES => {
                    round += 1;
                    let most = 10u64 << round.min(6);
                    let pause = u64::from((self.pauses)()) % most + 5;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                Judged::Again | Judged::Failed => return Err(StoreError::sdk("commit", &error)),
            }
        }
    }

    /// One conditional update; false when its condition refused it.
    async fn update_if(&self, key: &Key, expression: &Expression) -> Result<bool, StoreError> {
        Ok(self.update_giving(key, expression, ReturnValue::None).await?.is_some())
    }

    /// The same, which gives the item as it was or is, or none of it; `None` when its condition refused it.
    async fn update_giving(
        &self,
        key: &Key,
        expression: &Expression,
        gives: ReturnValue,
    ) -> Result<Option<Item>, StoreError> {
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression(expression.update())
            .set_condition_expression(expression.condition())
            .set_expression_attribute_names(expression.names())
            .set_expression_attribute_values(expression.values())
            .return_values(gives)
            .send()
            .boxed()
            .await;
        match sent {
            Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => {
                Ok(None)
            }
            Err(error) => Err(StoreError::sdk("update", &error)),
        }
    }
}

enum Judged {
    Refused(Refused),
    Again,
    Failed,
}

fn judge<R>(error: &SdkError<TransactWriteItemsError, R>) -> Judged {
    let Some(service) = error.as_service_error() else { return Judged::Failed };
    if let TransactWriteItemsError::TransactionCanceledException(cancelled) = service {
        let codes: Vec<&str> = cancelled.cancellation_reasons().iter().map(|r| r.code().unwrap_or("None")).collect();
        let conditions: Vec<usize> =
            codes.iter().enumerate().filter(|(_, c)| **c == "ConditionalCheckFailed").map(|(i, _)| i).collect();
        if let Some(index) = codes.iter().position(|c| *c == "ValidationError") {
            let reason = cancelled.cancellation_reasons()[index].message().unwrap_or("not acceptable");
            return Judged::Refused(Refused::Invalid(reason.to_owned()));
        }
        return if conditions.is_empty() { Judged::Again } else { Judged::Refused(Refused::Conditions(conditions)) };
    }
    match service.code() {
        Some(code) if LASTING.contains(&code) => {
            Judged::Refused(Refused::Invalid(format!("{code}: {}", service.message().unwrap_or("not acceptable"))))
        }
        Some(
            "TransactionInProgressException"
            | "ProvisionedThroughputExceededException"
            | "ThrottlingException"
            | "RequestLimitExceeded",
        ) => Judged::Again,
        _ => Judged::Failed,
    }
}

/// The most shards that the `due` index can have.
pub const MOST_DUE_SHARDS: u8 = 128;

/// The shard of the `due` index that what belongs to a number falls into, of so many.
pub fn due_shard(number: &str, of: u8) -> String {
    shard_name(shard(number, of))
}

/// A shard's name in the `due` index.
fn shard_name(shard: u8) -> String {
    format!("due#{shard:02}")
}

/// The shard of a number, of so many.
fn shard(number: &str, of: u8) -> u8 {
    let hash = crypto::hash::sha256_hex(number.as_bytes());
    u8::from_str_radix(&hash[..2], 16).unwrap_or(0) % of
}

impl From<StoreError> for domain::Failure {
    fn from(error: StoreError) -> Self {
        Self::new(domain::Code::INTERNAL).private(error.to_string())
    }
}
