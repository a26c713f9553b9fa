//! What one payment costs in the table: items, bytes, read and write units, by the rules of DynamoDB's pricing.
//!
//! A write costs one unit for each KiB of the item, twice that in a transaction; each index that the item is in,
//! or leaves, costs the same again without the doubling. A strongly consistent read costs one unit for each
//! 4 KiB, of the table or of what an index gives. The sizes are those of the items as they are after the call.

use crate::callback::{self, TABLE};
use serde_json::{Value, json};
use shared::app::App;
use std::collections::{BTreeMap, BTreeSet};
use tests::dynamo_proxy::{Call, DynamoProxy};
use vk_pay_local::dynamo;

/// The units of one step of a payment.
pub(crate) struct Step {
    /// What was called.
    pub name: &'static str,
    /// DynamoDB operations, in their order.
    pub operations: Vec<String>,
    /// Read units.
    pub reads: u64,
    /// Write units.
    pub writes: u64,
    /// How long the function took, µs, with the embedded table and the simulated provider on loopback.
    pub micros: u64,
}

/// The whole of it.
pub(crate) struct Figures {
    /// Creation, callback, query, refund.
    pub steps: Vec<Step>,
    /// Items that stay, by kind: how many, and their bytes.
    pub items: BTreeMap<String, (u64, u64)>,
    /// Payments by the shard of the due index, of a thousand numbers.
    pub shards: (usize, usize, usize),
}

/// Makes one payment and counts.
///
/// # Panics
/// When the shop cannot be set up.
pub(crate) async fn measure() -> Figures {
    let shop = callback::Shop::open().await;
    let proxy = DynamoProxy::start(&shop.dynamodb).await;
    let app = callback::app(&shop.config, proxy.base()).await;
    // The first call loads what later ones keep.
    step(&shop, &app, &proxy, "warm", callback::creation("UNITS_WARM"), Function::Create).await;
    let mut steps = Vec::new();
    steps.push(step(&shop, &app, &proxy, "createPayment", callback::creation("UNITS_1"), Function::Create).await);
    callback::pay(&shop.sandbox, "UNITS_1").await;
    let told = callback::request_of(&shop.sandbox.build_callback("UNITS_1", sandbox::CallbackKind::Payment));
    steps.push(step(&shop, &app, &proxy, "callback", told, Function::Notify).await);
    let query = callback::call(&json!({ "out_trade_no": "UNITS_1" }));
    steps.push(step(&shop, &app, &proxy, "queryPayment (paid)", query, Function::Query).await);
    let refund = callback::call(&json!({ "out_trade_no": "UNITS_1", "refund_fee": 40 }));
    steps.push(step(&shop, &app, &proxy, "refund", refund, Function::Refund).await);
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

enum Function {
    Create,
    Notify,
    Query,
    Refund,
}

async fn step(
    shop: &callback::Shop,
    app: &App,
    proxy: &DynamoProxy,
    name: &'static str,
    request: shared::api::Request,
    function: Function,
) -> Step {
    let before = by_key(shop.items().await);
    proxy.forget();
    let start = std::time::Instant::now();
    let answer = match function {
        Function::Create => create_payment::handle(app, request).await,
        Function::Notify => notify::handle(app, request).await,
        Function::Query => query_payment::handle(app, request).await,
        Function::Refund => refund::handle(app, request).await,
    };
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    assert!(answer.status < 300, "{name}: {}", answer.body);
    let calls = proxy.calls();
    let after = by_key(shop.items().await);
    let (mut reads, mut writes) = (0, 0);
    for call in &calls {
        match call.operation.as_str() {
            "GetItem" => {
                reads += read_units(before.get(&key(&call.body["Key"])).or(after.get(&key(&call.body["Key"]))))
            }
            "TransactWriteItems" => {
                for action in call.body["TransactItems"].as_array().into_iter().flatten() {
                    writes += written(action, &before, &after, 2);
                }
            }
            "UpdateItem" => writes += written(&json!({ "Update": call.body }), &before, &after, 1),
            "PutItem" => writes += written(&json!({ "Put": call.body }), &before, &after, 1),
            _ => reads += 1,
        }
    }
    Step { name, operations: calls.into_iter().map(|c: Call| c.operation).collect(), reads, writes, micros }
}

type Items = BTreeMap<String, Value>;

fn by_key(items: Vec<Value>) -> Items {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

fn key(item: &Value) -> String {
    format!("{}|{}", item["pk"]["S"].as_str().unwrap_or_default(), item["sk"]["S"].as_str().unwrap_or_default())
}

fn read_units(item: Option<&Value>) -> u64 {
    item.map_or(1, |item| size(item).div_ceil(4_096).max(1))
}

fn written(action: &Value, before: &Items, after: &Items, times: u64) -> u64 {
    let key = match (action.get("Put"), action.get("Update"), action.get("ConditionCheck")) {
        (Some(put), _, _) => key(&put["Item"]),
        (_, Some(update), _) => key(&update["Key"]),
        (_, _, Some(check)) => key(&check["Key"]),
        _ => return 0,
    };
    let now = after.get(&key);
    let units = now.map_or(1, |item| size(item).div_ceil(1_024).max(1));
    let indexed = |attribute: &str| {
        let has = |items: &Items| items.get(&key).is_some_and(|item| !item[attribute].is_null());
        u64::from(has(before) || has(after))
    };
    // `listing` holds whole items, `due` their keys.
    units * times + indexed("list_key") * units + indexed("due_shard")
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
        *shards.entry(shared::store::due_shard(&number)).or_default() += 1;
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
