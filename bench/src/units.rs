//! What one payment costs: items, bytes, read and write units, by the rules of DynamoDB's pricing, and the dollars of a
//! million payments.
//!
//! A write costs one unit for each KiB of the item as it was or is, whichever is larger, and twice that in a
//! transaction. An index whose key the item gets or loses costs one more, one whose key changes two; our indexes hold
//! keys only, so no other change of an item touches them. A strongly consistent read costs one unit for each 4 KiB, of
//! an item or of what a query gives, an eventually consistent one half of that.

use crate::callback::{self, TABLE};
use serde_json::{Value, json};
use shared::app::App;
use shared::payments::{Lane, Queues};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tests::dynamo_proxy::{Call, DynamoProxy};
use vk_pay_local::dynamo;
use vk_pay_local::queues::MemoryQueues;

/// The units of one step of a payment.
pub(crate) struct Step {
    /// What was called.
    pub name: &'static str,
    /// DynamoDB operations, in their order.
    pub operations: Vec<String>,
    /// Read units, in halves.
    pub half_reads: u64,
    /// Write units.
    pub writes: u64,
    /// How long the function took, µs, with the embedded table and the simulated provider on loopback.
    pub micros: u64,
}

/// The whole of it.
pub(crate) struct Figures {
    /// Creation, callback, queries, messages, end, refund.
    pub steps: Vec<Step>,
    /// Items that stay, by kind: how many, and their bytes.
    pub items: BTreeMap<String, (u64, u64)>,
    /// Payments by the shard of the due index, of a thousand numbers.
    pub shards: (usize, usize, usize),
}

/// The shop's own time, which can be moved.
struct Time(Arc<AtomicU64>);

impl Time {
    fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

/// Makes one payment, leaves another order unpaid, and counts.
///
/// # Panics
/// When the shop cannot be set up.
pub(crate) async fn measure() -> Figures {
    let ahead = Arc::new(AtomicU64::new(0));
    let time = Time(ahead.clone());
    let system = shared::app::system_clock();
    let clock: shared::app::Clock = Arc::new(move || system() + Duration::from_millis(ahead.load(Ordering::Relaxed)));
    let shop = callback::Shop::open_at(clock.clone()).await;
    let proxy = DynamoProxy::start(&shop.dynamodb).await;
    let queues = Arc::new(MemoryQueues::new(clock.clone(), Duration::from_mins(1)));
    let app = callback::app_with(&shop.config, proxy.base(), clock, Some(queues.clone() as Arc<dyn Queues>)).await;
    let measure = async |name, call| step(&shop, &app, &proxy, name, call).await;
    // The first call loads what later ones keep.
    measure("warm", Calls::Create(callback::creation("UNITS_WARM"))).await;
    let mut steps = vec![measure("createPayment", Calls::Create(callback::creation("UNITS_1"))).await];
    let query = || callback::call(&json!({ "out_trade_no": "UNITS_1" }));
    steps.push(measure("queryPayment, unpaid", Calls::Query(query())).await);
    callback::pay(&shop.sandbox, "UNITS_1").await;
    let told = callback::request_of(&shop.sandbox.build_callback("UNITS_1", sandbox::CallbackKind::Payment));
    steps.push(measure("callback", Calls::Notify(told)).await);
    steps.push(measure("queryPayment, paid", Calls::Query(query())).await);
    queues.lose();
    let ask = |no| json!({ "ask": no, "attempt": 1, "round": 0 });
    steps.push(measure("message, paid", Calls::Work(vec![ask("UNITS_1")])).await);
    steps.push(measure("message, unpaid", Calls::Work(vec![ask("UNITS_WARM")])).await);
    let refund = callback::call(&json!({ "out_trade_no": "UNITS_1", "refund_fee": 40 }));
    steps.push(measure("refund", Calls::Refund(refund)).await);
    queues.lose();
    // Nobody pays the other one, and its two hours end.
    time.pass(2 * 3_600_000 + 1_000);
    steps.push(measure("the schedule", Calls::Reconcile).await);
    let ended: Vec<Value> = queues.receive(Lane::Orders(shared::domain::Provider::Wxpay));
    let ended = ended.iter().filter_map(|m| serde_json::from_str(m["body"].as_str()?).ok()).collect();
    steps.push(measure("its end", Calls::Work(ended)).await);
    let mut items = BTreeMap::new();
    for item in shop.items().await {
        if item.to_string().contains("UNITS_1") {
            let kind = item["kind"]["S"].as_str().unwrap_or("other").to_owned();
            let entry: &mut (u64, u64) = items.entry(kind).or_default();
            entry.0 += 1;
            entry.1 += size(&item);
        }
    }
    Figures { steps, items, shards: spread() }
}

/// What a step calls.
enum Calls {
    Create(shared::api::Request),
    Notify(shared::api::Request),
    Query(shared::api::Request),
    Refund(shared::api::Request),
    Work(Vec<Value>),
    Reconcile,
}

async fn perform(app: &App, call: Calls) -> (u16, String) {
    let answer = match call {
        Calls::Create(request) => create_payment::handle(app, request).await,
        Calls::Notify(request) => notify::handle(app, request).await,
        Calls::Query(request) => query_payment::handle(app, request).await,
        Calls::Refund(request) => refund::handle(app, request).await,
        Calls::Work(bodies) => {
            let record = |(i, body): (usize, &Value)| json!({ "messageId": i.to_string(), "body": body.to_string() });
            let records: Vec<Value> = bodies.iter().enumerate().map(record).collect();
            let answer = worker::handle(app, &json!({ "Records": records })).await;
            let failed = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
            return (if failed == 0 && !bodies.is_empty() { 200 } else { 500 }, answer.to_string());
        }
        Calls::Reconcile => {
            let answer = reconcile::handle(app, &json!({ "job": "due" })).await;
            return (if answer.is_ok() { 200 } else { 500 }, format!("{answer:?}"));
        }
    };
    (answer.status, answer.body.to_string())
}

async fn step(shop: &callback::Shop, app: &App, proxy: &DynamoProxy, name: &'static str, call: Calls) -> Step {
    let before = by_key(shop.items().await);
    proxy.forget();
    let start = std::time::Instant::now();
    let (status, body) = perform(app, call).await;
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    assert!(status < 300, "{name}: {body}");
    let calls = proxy.calls();
    let after = by_key(shop.items().await);
    let (mut half_reads, mut writes) = (0, 0);
    for call in &calls {
        match call.operation.as_str() {
            "GetItem" => {
                let halves = if call.body["ConsistentRead"] == true { 2 } else { 1 };
                half_reads += halves * read_units(&before, &after, &call.body["Key"]);
            }
            "BatchGetItem" => {
                for wanted in call.body["RequestItems"].as_object().into_iter().flat_map(|tables| tables.values()) {
                    for key in wanted["Keys"].as_array().into_iter().flatten() {
                        half_reads += read_units(&before, &after, key);
                    }
                }
            }
            "TransactWriteItems" => {
                for action in call.body["TransactItems"].as_array().into_iter().flatten() {
                    writes += written(action, &before, &after, 2);
                }
            }
            "UpdateItem" => writes += written(&json!({ "Update": call.body }), &before, &after, 1),
            "PutItem" => writes += written(&json!({ "Put": call.body }), &before, &after, 1),
            // What it gives here is smaller than 4 KiB.
            _ => half_reads += 1,
        }
    }
    Step { name, operations: calls.into_iter().map(|c: Call| c.operation).collect(), half_reads, writes, micros }
}

type Items = BTreeMap<String, Value>;

fn by_key(items: Vec<Value>) -> Items {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

fn key(item: &Value) -> String {
    format!("{}|{}", item["pk"]["S"].as_str().unwrap_or_default(), item["sk"]["S"].as_str().unwrap_or_default())
}

fn read_units(before: &Items, after: &Items, wanted: &Value) -> u64 {
    let key = key(wanted);
    before.get(&key).or(after.get(&key)).map_or(1, |item| size(item).div_ceil(4_096).max(1))
}

fn written(action: &Value, before: &Items, after: &Items, times: u64) -> u64 {
    let key = match (action.get("Put"), action.get("Update"), action.get("ConditionCheck")) {
        (Some(put), _, _) => key(&put["Item"]),
        (_, Some(update), _) => key(&update["Key"]),
        (_, _, Some(check)) => key(&check["Key"]),
        _ => return 0,
    };
    let sized = |items: &Items| items.get(&key).map_or(1, |item| size(item).div_ceil(1_024).max(1));
    let units = sized(before).max(sized(after));
    let index = |hash: &str, range: &str| {
        let of =
            |items: &Items| items.get(&key).map(|i| (i[hash].clone(), i[range].clone())).filter(|(h, _)| !h.is_null());
        match (of(before), of(after)) {
            (None, None) => 0,
            (Some(was), Some(is)) if was == is => 0,
            (Some(_), Some(_)) => 2,
            (Some(_), None) | (None, Some(_)) => 1,
        }
    };
    units * times + index("list_key", "list_date") + index("due_shard", "due")
}

/// The size of an item as DynamoDB counts it: names, and values by their kind.
fn size(item: &Value) -> u64 {
    fn value(of: &Value) -> u64 {
        let Some((kind, inner)) = of.as_object().and_then(|o| o.iter().next()) else { return 1 };
        match (kind.as_str(), inner) {
            ("S", Value::String(text)) => text.len() as u64,
            ("N", Value::String(digits)) => digits.trim_start_matches('-').len().div_ceil(2) as u64 + 1,
            ("L", Value::Array(list)) => 3 + list.iter().map(|v| value(v) + 1).sum::<u64>(),
            ("M", Value::Object(map)) => 3 + map.iter().map(|(k, v)| k.len() as u64 + value(v) + 1).sum::<u64>(),
            _ => 1,
        }
    }
    item.as_object().into_iter().flatten().map(|(name, inner)| name.len() as u64 + value(inner)).sum()
}

/// How a thousand order numbers of one second fall into the shards of the due index: the fewest, the median
/// and the most in one.
fn spread() -> (usize, usize, usize) {
    let numbers = (0..1_000).map(|i| format!("20261121101530{i:06}"));
    let mut shards: BTreeMap<String, usize> = BTreeMap::new();
    let mut partitions = BTreeSet::new();
    for number in numbers {
        *shards.entry(shared::store::due_shard(&number, shared::store::SHARDS)).or_default() += 1;
        partitions.insert(number);
    }
    assert_eq!(partitions.len(), 1_000, "every payment has a partition of its own");
    let mut counts: Vec<usize> = shards.into_values().collect();
    counts.sort_unstable();
    (counts[0], counts[counts.len() / 2], counts[counts.len() - 1])
}

/// The table, as its scan gives it.
pub(crate) async fn scan(dynamodb: &str) -> Vec<Value> {
    let page = dynamo::client(dynamodb).scan().table_name(TABLE).send().await.expect("read");
    page.items
        .unwrap_or_default()
        .iter()
        .map(|item| {
            let fields = item.iter().map(|(k, v)| (k.clone(), attribute(v)));
            Value::Object(fields.collect())
        })
        .collect()
}

fn attribute(value: &aws_sdk_dynamodb::types::AttributeValue) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue as Av;
    match value {
        Av::S(text) => json!({ "S": text }),
        Av::N(number) => json!({ "N": number }),
        Av::Bool(flag) => json!({ "BOOL": flag }),
        Av::L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        Av::M(map) => {
            json!({ "M": map.iter().map(|(k, v)| (k.clone(), attribute(v))).collect::<serde_json::Map<_, _>>() })
        }
        _ => json!({ "NULL": true }),
    }
}
