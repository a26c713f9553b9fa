//! What lies between the functions and the world, in this process: the table, the providers, the receiver.
//! Every exchange can be held up, lost before or after it took effect, or refused.

use crate::chance::chance;
use crate::ops::{ORDERS, number};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, HttpClient, Region, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::{Body, to_bytes};
use dynoxide::Database;
use futures::future::{BoxFuture, FutureExt};
use sandbox::Provider;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use shared::net::provider_http::{Answer, Carrier, HttpError, Request};
use shared::payments::{Message, Queues};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tower::ServiceExt;
use vk_pay_local::queues::MemoryQueues;

/// How bad the weather is, in faults per thousand exchanges.
#[derive(Debug, Default)]
pub struct Weather {
    /// Of the table.
    pub table: AtomicUsize,
    /// Of the providers and the receiver.
    pub wire: AtomicUsize,
    /// The functions have no right to the users' table.
    pub denied: AtomicBool,
    /// How long a provider takes, ms.
    pace: AtomicU64,
    /// Providers were called so often.
    asked: AtomicU64,
    /// The provider that answers nobody.
    down: Mutex<Option<Provider>>,
    /// How long a transaction holds its items, ms; 0 while nothing takes any time.
    holding: AtomicU64,
    /// Transactions that were sent, and that were cancelled because another one held an item of theirs.
    transactions: [AtomicU64; 2],
}

impl Weather {
    /// Every provider takes so long for an answer.
    pub fn pace(&self, time: Duration) {
        self.pace.store(u64::try_from(time.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// From now on a transaction holds its items for so long, and one that comes meanwhile and touches any of them is
    /// cancelled, as DynamoDB does. Everything else that the table is asked takes [`CALL`].
    pub fn hold_items(&self, time: Duration) {
        self.holding.store(u64::try_from(time.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// How many transactions were sent since items are held, and how many of them were cancelled for a conflict.
    pub fn transactions(&self) -> [u64; 2] {
        [0, 1].map(|which: usize| self.transactions[which].load(Ordering::Relaxed))
    }

    /// How often providers were called.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// A provider goes down, or none is down any more.
    pub fn set_down(&self, provider: Option<Provider>) {
        *self.down.lock().expect("not poisoned") = provider;
    }

    /// Whether a provider is down.
    pub fn is_down(&self, provider: Provider) -> bool {
        *self.down.lock().expect("not poisoned") == Some(provider)
    }

    /// Whether the provider that an address belongs to is down.
    fn is_dead(&self, url: &str) -> bool {
        let alipay = url.contains("gateway.do");
        let vkspay = url.contains("/vkspay");
        let whose = if alipay {
            Provider::Alipay
        } else if vkspay {
            Provider::Vkspay
        } else {
            Provider::Wxpay
        };
        self.is_down(whose)
    }

    /// No faults any more.
    pub fn clear(&self) {
        self.table.store(0, Ordering::Relaxed);
        self.wire.store(0, Ordering::Relaxed);
        self.denied.store(false, Ordering::Relaxed);
    }
}

/// Lets others go first, now and then: this is where interleavings and deaths happen.
async fn hold() {
    for _ in 0..chance(|c| c.below(4)) {
        tokio::task::yield_now().await;
    }
}

/// Which orders were written since somebody looked.
#[derive(Debug, Default)]
pub struct Written([AtomicBool; ORDERS]);

impl Written {
    /// Whether an order was written since this was last asked.
    pub fn take(&self, order: usize) -> bool {
        self.0[order].swap(false, Ordering::Relaxed)
    }

    fn note(&self, body: &[u8]) {
        let body = String::from_utf8_lossy(body);
        for (i, written) in self.0.iter().enumerate() {
            if body.contains(&format!("\"O#{}\"", number(i))) {
                written.store(true, Ordering::Relaxed);
            }
        }
    }
}

/// How long the table takes for what is no transaction, and to cancel one.
pub const CALL: Duration = Duration::from_millis(3);

/// Items that transactions under way hold.
#[derive(Debug, Clone, Default)]
struct Busy(Arc<Mutex<BTreeSet<String>>>);

/// The items that one transaction holds, for as long as it lives.
struct Held(Busy, Vec<String>);

impl Busy {
    /// Holds the items of a transaction; else the place of the first that another one holds.
    fn hold(&self, items: Vec<String>) -> Result<Held, usize> {
        let mut busy = self.0.lock().expect("not poisoned");
        match items.iter().position(|item| busy.contains(item)) {
            Some(at) => Err(at),
            None => {
                busy.extend(items.iter().cloned());
                drop(busy);
                Ok(Held(self.clone(), items))
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut busy = self.0.0.lock().expect("not poisoned");
        for item in &self.1 {
            busy.remove(item);
        }
    }
}

/// The items that a transaction touches, each by its table and key.
fn touched(body: &[u8]) -> Vec<String> {
    let request: Value = serde_json::from_slice(body).expect("a request of the SDK");
    let writes = request["TransactItems"].as_array().into_iter().flatten();
    let names = |write: &Value| {
        let write = write.as_object().and_then(|kinds| kinds.values().next()).cloned().unwrap_or_default();
        let key = if write["Key"].is_null() { &write["Item"] } else { &write["Key"] };
        format!("{} {} {} {}", write["TableName"], key["pk"], key["sk"], key["_id"])
    };
    writes.map(names).collect()
}

/// The table's wire.
#[derive(Clone)]
pub struct TableWire {
    database: Database,
    weather: Arc<Weather>,
    written: Arc<Written>,
    busy: Busy,
}

impl std::fmt::Debug for TableWire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TableWire")
    }
}

/// A client of a database in this process.
pub fn table_client(database: &Database, weather: &Arc<Weather>, written: &Arc<Written>) -> Client {
    let wire = TableWire {
        database: database.clone(),
        weather: weather.clone(),
        written: written.clone(),
        busy: Busy::default(),
    };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("sim", "sim", None, None, "sim"))
        .endpoint_url("http://127.0.0.1:1")
        .retry_config(RetryConfig::disabled())
        .http_client(wire)
        .build();
    Client::from_conf(config)
}

impl HttpClient for TableWire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for TableWire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move { wire.exchange(request).await })
    }
}

enum Fault {
    LostBefore,
    LostAfter,
    Throttled,
    Conflict,
    Broken,
}

impl TableWire {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        hold().await;
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let permille = self.weather.table.load(Ordering::Relaxed);
        let fault = chance(|c| {
            c.permille(permille).then(|| match c.below(5) {
                0 => Fault::LostBefore,
                1 => Fault::LostAfter,
                2 => Fault::Throttled,
                3 => Fault::Conflict,
                _ => Fault::Broken,
            })
        });
        let lost = || ConnectorError::io("the connection was lost".into());
        let denied = self.weather.denied.load(Ordering::Relaxed)
            && String::from_utf8_lossy(&body).contains("\"TableName\":\"uni-id-users\"");
        let answer = match fault {
            None if denied => refusal("AccessDeniedException"),
            Some(Fault::LostBefore) => return Err(lost()),
            Some(Fault::LostAfter) => {
                self.perform(&operation, &body);
                return Err(lost());
            }
            Some(Fault::Throttled) => refusal("ProvisionedThroughputExceededException"),
            Some(Fault::Conflict) if operation == "TransactWriteItems" => conflict(&body, 0),
            Some(Fault::Conflict) => refusal("ThrottlingException"),
            Some(Fault::Broken) => (500, json!({ "__type": "InternalServerError", "message": "broken" }).to_string()),
            None => self.perform_in_time(&operation, &body).await,
        };
        hold().await;
        let status = answer.0.try_into().map_err(|_| ConnectorError::user("status".into()))?;
        let mut response = HttpResponse::new(status, SdkBody::from(answer.1));
        response.headers_mut().append("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }

    /// The same, in the time that it takes.
    async fn perform_in_time(&self, operation: &str, body: &[u8]) -> (u16, String) {
        let holding = self.weather.holding.load(Ordering::Relaxed);
        if holding == 0 {
            return self.perform(operation, body);
        }
        if operation != "TransactWriteItems" {
            tokio::time::sleep(CALL).await;
            return self.perform(operation, body);
        }
        self.weather.transactions[0].fetch_add(1, Ordering::Relaxed);
        match self.busy.hold(touched(body)) {
            Ok(_held) => {
                tokio::time::sleep(Duration::from_millis(holding)).await;
                self.perform(operation, body)
            }
            Err(at) => {
                self.weather.transactions[1].fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(CALL).await;
                conflict(body, at)
            }
        }
    }

    fn perform(&self, operation: &str, body: &[u8]) -> (u16, String) {
        let db = &self.database;
        if !matches!(operation, "BatchGetItem" | "GetItem" | "Query") {
            self.written.note(body);
        }
        match operation {
            "GetItem" => answered(body, |r| db.get_item(r)),
            "BatchGetItem" => answered(body, |r| db.batch_get_item(r)),
            "PutItem" => answered(body, |r| db.put_item(r)),
            "UpdateItem" => answered(body, |r| db.update_item(r)),
            "Query" => answered(body, |r| db.query(r)),
            "TransactWriteItems" => answered(body, |r| db.transact_write_items(r)),
            "CreateTable" => answered(body, |r| db.create_table(r)),
            "ListTables" => answered(body, |r| db.list_tables(r)),
            "UpdateTimeToLive" => answered(body, |r| db.update_time_to_live(r)),
            other => panic!("the functions have no right to {other}"),
        }
    }
}

fn answered<R: DeserializeOwned, A: Serialize>(
    body: &[u8],
    perform: impl FnOnce(R) -> Result<A, dynoxide::DynoxideError>,
) -> (u16, String) {
    let request = serde_json::from_slice(body).expect("a request of the SDK");
    match perform(request) {
        Ok(answer) => (200, serde_json::to_string(&answer).expect("an answer as JSON")),
        Err(error) => (error.status_code(), error.to_json()),
    }
}

fn refusal(kind: &str) -> (u16, String) {
    (400, json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "injected" }).to_string())
}

/// A transaction is cancelled because the item at this place is another one's.
fn conflict(body: &[u8], at: usize) -> (u16, String) {
    let request: Value = serde_json::from_slice(body).expect("a request of the SDK");
    let items = request["TransactItems"].as_array().map_or(1, Vec::len);
    let reasons: Vec<Value> =
        (0..items).map(|i| json!({ "Code": if i == at { "TransactionConflict" } else { "None" } })).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    (400, json!({ "__type": kind, "Message": "injected", "CancellationReasons": reasons }).to_string())
}

/// The providers' wire: the sandbox's own router.
pub struct ProviderWire {
    /// The sandbox.
    pub router: Router,
    /// Its faults.
    pub weather: Arc<Weather>,
}

impl Carrier for ProviderWire {
    fn carry<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        async move {
            hold().await;
            let lost = || HttpError::Lost("the sandbox".to_owned());
            self.weather.asked.fetch_add(1, Ordering::Relaxed);
            if self.weather.is_dead(request.url) {
                // Longer than anybody waits.
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            let permille = self.weather.wire.load(Ordering::Relaxed);
            let fault = chance(|c| c.permille(permille).then(|| c.below(4)));
            if fault == Some(0) {
                return Err(HttpError::Connect("the sandbox".to_owned()));
            }
            let mut builder = http::Request::builder().method(request.method.clone()).uri(request.url);
            for (name, value) in &request.headers {
                builder = builder.header(*name, value);
            }
            let sent = builder.body(Body::from(request.body)).map_err(|_| lost())?;
            let answer = self.router.clone().oneshot(sent).await.map_err(|_| lost())?;
            if fault == Some(1) {
                return Err(lost());
            }
            // Longer than anybody waits, or long enough for others to be first.
            let slow = match fault {
                Some(2) => 30_000,
                Some(3) => chance(|c| c.below(4_000)) as u64,
                _ => self.weather.pace.load(Ordering::Relaxed),
            };
            tokio::time::sleep(Duration::from_millis(slow)).await;
            let (parts, body) = answer.into_parts();
            let body = to_bytes(body, 1 << 24).await.map_err(|_| lost())?;
            hold().await;
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.to_vec() })
        }
        .boxed()
    }
}

/// A handler by configuration, which takes each order once and may be down.
#[derive(Default)]
pub struct Receiver {
    /// Whether it is down.
    pub down: AtomicBool,
    /// Orders by `Idempotency-Key`, with what it was told, and how often.
    pub taken: Mutex<BTreeMap<String, (String, usize)>>,
    /// Deliveries that run at this moment, by order.
    pub running: Mutex<BTreeMap<String, usize>>,
    /// Two deliveries of one order ran at once.
    pub overlapped: AtomicBool,
    /// Its faults.
    pub weather: Arc<Weather>,
}

impl Carrier for Receiver {
    fn carry<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        async move {
            let lost = || HttpError::Lost("the receiver".to_owned());
            let order: Value = serde_json::from_slice(&request.body).map_err(|_| lost())?;
            let no = order["out_trade_no"].as_str().unwrap_or_default().to_owned();
            let key = request.headers.iter().find(|(name, _)| *name == "idempotency-key").map(|(_, v)| v.clone());
            let _here = Here::enter(self, &no);
            hold().await;
            let answer = |status: u16, body: &str| {
                Ok(Answer { status, headers: http::HeaderMap::new(), body: body.as_bytes().to_vec() })
            };
            if self.down.load(Ordering::Relaxed) {
                return answer(503, "");
            }
            let permille = self.weather.wire.load(Ordering::Relaxed);
            if chance(|c| c.permille(permille)) {
                return Err(lost());
            }
            self.taken.lock().expect("not poisoned").entry(key.unwrap_or_default()).or_insert((no, 0)).1 += 1;
            hold().await;
            if chance(|c| c.permille(permille)) {
                return Err(lost());
            }
            answer(200, r#"{"code":0}"#)
        }
        .boxed()
    }
}

/// Queues that now and then take nothing, or take it and do not say so.
pub struct FaultyQueues {
    /// The queues.
    pub queues: Arc<MemoryQueues>,
    /// The faults.
    pub weather: Arc<Weather>,
}

impl Queues for FaultyQueues {
    fn send(&self, messages: Vec<Message>) -> BoxFuture<'_, usize> {
        let permille = self.weather.wire.load(Ordering::Relaxed);
        let fault = chance(|c| c.permille(permille).then(|| c.below(2)));
        let all = messages.len();
        async move {
            hold().await;
            if fault == Some(0) {
                return all;
            }
            let lost = self.queues.send(messages).await;
            if fault.is_some() { all } else { lost }
        }
        .boxed()
    }

    fn hide<'a>(&'a self, queue: &'a str, receipt: &'a str, time: Duration) -> BoxFuture<'a, ()> {
        self.queues.hide(queue, receipt, time)
    }
}

/// Notices when two deliveries of one order run at once; a delivery that dies leaves.
struct Here<'a>(&'a Receiver, String);

impl<'a> Here<'a> {
    fn enter(receiver: &'a Receiver, no: &str) -> Self {
        let mut running = receiver.running.lock().expect("not poisoned");
        let here = running.entry(no.to_owned()).or_default();
        *here += 1;
        if *here > 1 {
            receiver.overlapped.store(true, Ordering::Relaxed);
        }
        Self(receiver, no.to_owned())
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        if let Some(here) = self.0.running.lock().expect("not poisoned").get_mut(&self.1) {
            *here -= 1;
        }
    }
}
