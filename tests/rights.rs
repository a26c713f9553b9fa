//! What each function asks of the table is what its role of `template.yaml` may ask, and `infra.yaml` has the same roles.
//!
//! IAM compares the hash key of every item that a request names (`dynamodb:LeadingKeys`), of a transaction those of each
//! of its parts, and takes an index for a resource of its own.

use crate::transfers::{OPENID, wxpay};
use crate::world::{TABLE, World};
use sandbox::{AuthorizationOutcome, CallbackKind, ComplaintWish, Mode, Pay};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tests::dynamo_proxy::{Call, DynamoProxy};
use vk_pay_local::dynamo::BUSINESS_TABLES;

/// One right that a request needs: the operation, the table or its index, and of the orders table the beginning of the
/// hash key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Need {
    operation: String,
    resource: String,
    prefix: Option<String>,
}

fn need(operation: &str, table: &str, key: Option<&Value>) -> Need {
    let prefix = key.and_then(Value::as_str).filter(|_| table == TABLE);
    let prefix = prefix.and_then(|pk| pk.split_once('#')).map(|(prefix, _)| format!("{prefix}#"));
    Need { operation: operation.to_owned(), resource: table.to_owned(), prefix }
}

/// What IAM asks of a call.
fn needs(call: &Call) -> Vec<Need> {
    let (body, pk) = (&call.body, |key: &Value| key["pk"]["S"].clone());
    match call.operation.as_str() {
        "TransactWriteItems" | "TransactGetItems" => {
            let parts = body["TransactItems"].as_array().expect("parts").iter();
            let of = |part: &Value| {
                let (kind, own) = part.as_object().and_then(|part| part.iter().next()).expect("a part");
                let operation = if kind == "ConditionCheck" { "ConditionCheckItem" } else { &format!("{kind}Item") };
                let key = if kind == "Put" { &own["Item"] } else { &own["Key"] };
                need(operation, own["TableName"].as_str().expect("a table"), Some(&pk(key)))
            };
            parts.map(of).collect()
        }
        "BatchGetItem" => {
            let tables = body["RequestItems"].as_object().expect("tables").iter();
            let keys = |(table, own): (&String, &Value)| {
                let keys = own["Keys"].as_array().expect("keys").clone().into_iter();
                let table = table.clone();
                keys.map(move |key| need("BatchGetItem", &table, Some(&key["pk"]["S"])))
            };
            tables.flat_map(keys).collect()
        }
        "Query" if body["IndexName"].is_string() => {
            let index = format!("{}/index/{}", call.table(), body["IndexName"].as_str().expect("a text"));
            vec![need("Query", &index, None)]
        }
        "Query" => {
            let values = body["ExpressionAttributeValues"].as_object().expect("values").values();
            let key = values.filter_map(|value| value["S"].as_str()).find(|text| text.contains('#'));
            vec![need("Query", call.table(), key.map(|key| json!(key)).as_ref())]
        }
        "PutItem" => vec![need("PutItem", call.table(), Some(&pk(&body["Item"])))],
        other => vec![need(other, call.table(), Some(&pk(&body["Key"])))],
    }
}

/// What a policy lets do, as far as the tables go.
#[derive(Debug, Default, PartialEq, Eq)]
struct Policy {
    operations: BTreeSet<String>,
    resources: BTreeSet<String>,
    prefixes: Option<BTreeSet<String>>,
}

impl Policy {
    fn allows(&self, need: &Need) -> bool {
        let key = |prefixes: &BTreeSet<String>| need.prefix.as_ref().is_some_and(|prefix| prefixes.contains(prefix));
        self.operations.contains(&need.operation)
            && self.resources.contains(&need.resource)
            && self.prefixes.as_ref().is_none_or(key)
    }
}

fn template() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml")).expect("the template")
}

/// A resource of the template, by its name.
fn resource<'a>(template: &'a str, name: &str) -> &'a str {
    let start = template.find(&format!("\n  {name}:\n")).unwrap_or_else(|| panic!("{name}")) + 1;
    let rest = &template[start..];
    let end = rest
        .match_indices("\n  ")
        .find(|(at, _)| rest[at + 3..].starts_with(|c: char| c.is_ascii_uppercase() || c == '#'));
    &rest[..end.map_or(rest.len(), |(at, _)| at)]
}

/// The rights on tables that a policy's text gives.
fn policy(text: &str) -> Policy {
    let mut own = Policy::default();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let word = line.trim_start_matches("- ").trim_start_matches("Action: ");
        if let Some(operation) = word.strip_prefix("dynamodb:").filter(|word| !word.contains(':')) {
            own.operations.insert(operation.to_owned());
        }
        for index in ["listing", "due"] {
            if line.contains(&format!("/index/{index}\"")) {
                own.resources.insert(format!("{TABLE}/index/{index}"));
            }
        }
        if let Some((_, table)) = line.split_once("table/${TablePrefix}") {
            own.resources.insert(table.to_owned());
        }
        if line.ends_with("!GetAtt OrdersTable.Arn, !Ref TableArn]") {
            own.resources.insert(TABLE.to_owned());
        }
        if let Some(list) = line.strip_prefix("dynamodb:LeadingKeys: ") {
            let list: Vec<String> = serde_json::from_str(list).expect("a list");
            own.prefixes = Some(list.iter().map(|key| key.trim_end_matches('*').to_owned()).collect());
        }
    }
    own
}

/// What a function may do: the managed policies of its role, and those of its own.
fn role(name: &str) -> Vec<Policy> {
    let template = template();
    let role = resource(&template, &format!("{name}Role"));
    let managed = role.lines().filter_map(|line| line.trim().strip_prefix("- !Ref ").filter(|n| n.ends_with("Policy")));
    let managed = managed.map(|name| policy(resource(&template, name)));
    let own = role.split("- PolicyName: ").skip(1).map(policy);
    managed.chain(own).filter(|policy| !policy.operations.is_empty()).collect()
}

/// A world whose functions reach the table through a proxy; the callbacks that the sandbox sends by itself do not.
async fn watched() -> (World, DynamoProxy) {
    let mut world = World::with(Mode::default(), |config| {
        config["auth"]["request"] = json!("key");
        config["auth"]["wxpayVirtual"] = json!("key");
        config["request"] = json!({ "wxpay": ["GET /v3/merchant/fund/balance/"] });
        config["shipping"] = json!({ "recharge": "virtual", "goods": "manual" });
        config["wxpay"]["transfer"]["dailyLimit"] = json!(1_000_000);
        for node in config["wxpay"].as_object_mut().expect("nodes").values_mut() {
            node["complaints"] = json!(true);
        }
    })
    .await;
    let proxy = DynamoProxy::start(&world.dynamodb).await;
    proxy.base().clone_into(&mut world.dynamodb);
    world.reconfigure(|_| {}).await;
    (world, proxy)
}

struct Watch<'a> {
    proxy: &'a DynamoProxy,
    seen: BTreeSet<Need>,
}

impl Watch<'_> {
    /// What was asked since the last time, which the role must allow.
    fn allowed(&mut self, function: &str, what: &str) {
        let role = role(function);
        for need in self.proxy.calls().iter().flat_map(needs) {
            assert!(role.iter().any(|policy| policy.allows(&need)), "{function} may not, for {what}: {need:?}");
            self.seen.insert(need);
        }
        self.proxy.forget();
    }
}

/// Every action of `transfer` that touches the table.
async fn transfers(world: &World, watch: &mut Watch<'_>) {
    let (_, known) = world
        .call(
            "login",
            json!({ "action": "pay/code2Session", "data": {
        "provider": "wxpay-virtual", "code": "c1",
    } }),
        )
        .await;
    watch.allowed("Login", "login");
    watch.seen.clear();
    let payee = json!({
        "provider": "wxpay", "out_authorization_no": "AUTH_0001", "openid": OPENID, "user_display_name": "会员001",
    });
    let mut of_name = wxpay("RIGHT1", 100);
    of_name["user_name"] = json!(crate::transfers::NAME);
    for (action, data) in [
        ("transfer", of_name),
        ("queryTransfer", json!({ "out_bill_no": "RIGHT1" })),
        ("transferReceipt", json!({ "out_bill_no": "RIGHT1" })),
        ("cancelTransfer", json!({ "out_bill_no": "RIGHT1" })),
        ("createUserConfirmAuthorization", payee),
        ("queryUserConfirmAuthorization", json!({ "out_authorization_no": "AUTH_0001" })),
        ("request", json!({ "provider": "wxpay", "method": "GET", "path": "/v3/merchant/fund/balance/BASIC" })),
        ("queryBalance", json!({ "provider": "wxpay" })),
        ("queryAccountBalance", json!({ "provider": "wxpay" })),
        ("wxpayVirtual/queryUserBalance", json!({ "openid": known["openid"] })),
        ("wxpayVirtual/currencyPay", json!({ "openid": known["openid"], "amount": 1, "outTradeNo": "COINS_0001" })),
    ] {
        let (status, answer) = world.call("transfer", json!({ "action": format!("pay/{action}"), "data": data })).await;
        assert!(status == 200 || action == "transferReceipt" && status == 409, "{action}: {answer}");
        watch.allowed("Transfer", action);
    }
    world.sandbox.settle_authorization("AUTH_0001", AuthorizationOutcome::Confirmed).expect("it waits");
    let close = json!({ "out_authorization_no": "AUTH_0001" });
    for action in ["queryUserConfirmAuthorization", "closeUserConfirmAuthorization"] {
        world.call("transfer", json!({ "action": format!("pay/{action}"), "data": close })).await;
        watch.allowed("Transfer", action);
    }
    let id = world.kind("authorization").await[0]["authorization_id"].clone();
    watch.proxy.forget();
    let by_id = json!({ "authorization_id": id });
    world.call("transfer", json!({ "action": "pay/queryUserConfirmAuthorization", "data": by_id })).await;
    watch.allowed("Transfer", "an authorisation by WeChat Pay's number");
    for no in ["RIGHT2", "RIGHT3"] {
        world.transfer(wxpay(no, 100)).await;
    }
    let bill = world.ledger("RIGHT2").await["transfer_bill_no"].clone();
    watch.proxy.forget();
    world.query_transfer(json!({ "transfer_bill_no": bill })).await;
    watch.allowed("Transfer", "a transfer by WeChat Pay's number");
}

/// The worker that asks about transfers from their address.
async fn transfers_worker(world: &World, watch: &mut Watch<'_>) {
    let payee = json!({
        "provider": "wxpay", "out_authorization_no": "AUTH_0002", "openid": OPENID, "user_display_name": "会员002",
    });
    world.call("transfer", json!({ "action": "pay/createUserConfirmAuthorization", "data": payee })).await;
    world.sandbox.confirm_transfer("RIGHT3").expect("it waits");
    for (pk, sk) in [("X#default#RIGHT3", "X"), ("A#default#AUTH_0002", "A")] {
        let items = world.items(TABLE).await;
        let due = items.iter().find(|item| item["pk"] == pk).map(|item| item["due"].clone()).unwrap_or(json!(1));
        let due = if due.is_null() { json!(1) } else { due };
        watch.proxy.forget();
        let body = json!({ "due": { "pk": pk, "sk": sk, "due": due, "until": due }, "at": due });
        let record = json!({ "messageId": "m-1", "receiptHandle": "r-1", "body": body.to_string() });
        worker::handle(world.app.as_ref().expect("functions"), &json!({ "Records": [record] })).await;
        assert!(!watch.proxy.calls().is_empty(), "{pk} is read");
        watch.allowed("TransferWorker", pk);
    }
}

#[tokio::test]
async fn transfer_may_touch_the_keys_that_it_uses_and_no_others() {
    let (world, proxy) = watched().await;
    let mut watch = Watch { proxy: &proxy, seen: BTreeSet::new() };
    transfers(&world, &mut watch).await;
    transfers_worker(&world, &mut watch).await;
    let mut used: BTreeSet<String> = watch.seen.iter().filter_map(|need| need.prefix.clone()).collect();
    // Written where a provider names two ends of one transfer between two reads of it.
    used.insert("I#".to_owned());
    let transfer = role("Transfer").into_iter().find(|policy| policy.prefixes.is_some()).expect("by keys");
    assert_eq!(transfer.prefixes.as_ref(), Some(&used));
    let template = template();
    assert_eq!(role("TransferWorker"), [policy(resource(&template, "TransferPolicy"))]);
}

#[tokio::test]
async fn each_function_of_orders_may_do_what_it_does() {
    let (world, proxy) = watched().await;
    let mut watch = Watch { proxy: &proxy, seen: BTreeSet::new() };
    let (mchid, supplier) = (world.keys.wechat.mchid.clone(), "1900000100");
    world.sandbox.let_share(&mchid, "MERCHANT_ID", supplier);
    world.sandbox.know_payments_after(0);
    let jsapi = json!({ "vk_platform": "mp-weixin", "openid": OPENID });
    for (no, more) in [
        ("RIGHT_1", json!({ "other": { "profit_sharing": true }, "total_fee": 1000 })),
        ("RIGHT_2", jsapi),
        ("RIGHT_3", json!({ "type": "goods", "custom": { "user_id": "user_001", "goods_id": "goods_001" } })),
    ] {
        let (status, made) = world.create(no, more).await;
        assert_eq!(status, 200, "{made}");
        watch.allowed("CreatePayment", no);
        world.pay_silently(no).await;
        let mut callback = world.sandbox.build_callback(no, CallbackKind::Payment);
        callback.url = callback.url.replace(callback.url.split("/notify").next().expect("a base"), &world.base);
        assert_eq!(world.sandbox.send(&callback).await.expect("an answer").0, 204);
        watch.allowed("Notify", no);
    }
    world.create("RIGHT_4", json!({})).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "RIGHT_4" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    watch.allowed("CreatePayment", "closePayment");
    world.dispatch().await;
    watch.allowed("Dispatch", "the stream");
    assert_eq!(
        world.call("refund", json!({ "action": "pay/subscribeComplaints", "data": { "provider": "wxpay" } })).await.0,
        200
    );
    watch.allowed("Refund", "subscribeComplaints");
    let complaint = world.sandbox.complain("RIGHT_1", &ComplaintWish::default()).expect("a complaint");
    for job in ["complaints", "due", "notices", "bills"] {
        world.run(json!({ "job": job, "direct": true })).await;
        watch.allowed("Reconcile", job);
    }
    let named = json!({ "provider": "wxpay", "complaint_id": complaint });
    let about = |action: &str, data: &Value| json!({ "action": format!("pay/{action}"), "data": data });
    for (action, data) in [
        ("queryPayment", json!({ "out_trade_no": "RIGHT_1" })),
        ("queryOrders", json!({ "user_id": "user_001" })),
        ("queryIncidents", json!({})),
        ("queryComplaints", json!({})),
        ("queryComplaints", named.clone()),
        ("rerunHandler", json!({ "out_trade_no": "RIGHT_1" })),
    ] {
        world.call("query-payment", about(action, &data)).await;
        assert!(!proxy.calls().is_empty(), "{action} reads");
        watch.allowed("QueryPayment", action);
    }
    let to = json!([{ "type": "MERCHANT_ID", "account": supplier, "amount": 10, "description": "分" }]);
    for (action, data) in [
        (
            "addReceiver",
            json!({ "provider": "wxpay", "type": "MERCHANT_ID", "account": supplier, "name": "某公司", "relation_type": "SUPPLIER" }),
        ),
        ("profitShare", json!({ "out_trade_no": "RIGHT_1", "out_order_no": "S1", "receivers": to })),
        ("queryShare", json!({ "out_trade_no": "RIGHT_1" })),
        ("unfreezeShare", json!({ "out_trade_no": "RIGHT_1", "out_order_no": "S2" })),
        (
            "returnShare",
            json!({ "out_trade_no": "RIGHT_1", "out_order_no": "S1", "out_return_no": "B1", "return_mchid": supplier, "amount": 10 }),
        ),
        ("refund", json!({ "out_trade_no": "RIGHT_1", "out_refund_no": "R1", "refund_fee": 10 })),
        ("queryRefund", json!({ "out_trade_no": "RIGHT_1" })),
        ("answerComplaint", json!({ "provider": "wxpay", "complaint_id": complaint, "response_content": "好的" })),
        ("refundComplaint", named.clone()),
        ("completeComplaint", named.clone()),
        ("uploadShipping", json!({ "out_trade_no": "RIGHT_2" })),
        ("queryShipping", json!({ "out_trade_no": "RIGHT_2" })),
        (
            "applyAbnormalRefund",
            json!({ "out_trade_no": "RIGHT_1", "out_refund_no": "R1", "type": "MERCHANT_BANK_CARD" }),
        ),
    ] {
        let (_, answer) = world.call("refund", about(action, &data)).await;
        assert!(action == "addReceiver" || !proxy.calls().is_empty(), "{action} reads: {answer}");
        watch.allowed("Refund", action);
    }
    world.create("RIGHT_5", json!({})).await;
    world.sandbox.pay("RIGHT_5", Pay { notify: false, ..Pay::default() }).await.expect("paid");
    proxy.forget();
    let ask = json!({ "ask": "RIGHT_5", "attempt": 1, "round": 0 });
    let record = json!({ "messageId": "m-1", "receiptHandle": "r-1", "body": ask.to_string() });
    worker::handle(world.app.as_ref().expect("functions"), &json!({ "Records": [record] })).await;
    assert_eq!(world.order("RIGHT_5").await["trade_state"], "SUCCESS");
    watch.allowed("Worker", "an order that is asked about");
    let prefixes: BTreeSet<&str> = watch.seen.iter().filter_map(|need| need.prefix.as_deref()).collect();
    for prefix in ["O#", "T#", "S#", "CP#", "I#", "F#"] {
        assert!(prefixes.contains(prefix), "{prefix} was used: {prefixes:?}");
    }
}

#[test]
fn every_beginning_of_a_key_is_in_the_list_of_the_tables_items() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("a file");
    let item = read("shared/store/src/item.rs");
    let keys: BTreeSet<&str> = item
        .split("format!(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once("#{").map(|(prefix, _)| prefix))
        .filter(|prefix| !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_uppercase()))
        .collect();
    assert!(keys.len() > 15, "{keys:?}");
    for page in ["docs/operations.md", "docs/operations.zh-CN.md", "docs/architecture.md", "docs/architecture.zh-CN.md"]
    {
        let page_text = read(page);
        for key in &keys {
            assert!(page_text.contains(&format!("`{key}#")), "{page} lacks {key}#");
        }
    }
    let granted = policy(resource(&template(), "TransferPolicy")).prefixes.expect("by keys");
    for prefix in &granted {
        assert!(keys.contains(prefix.trim_end_matches('#')), "no item begins with {prefix}");
    }
    // What is made of the template says the same.
    let list = granted_list(&template());
    assert!(read("infra.yaml").contains(&format!("dynamodb:LeadingKeys: [{}]", list.join(", "))), "deploy/infra.py");
    assert!(
        BUSINESS_TABLES.iter().all(|table| policy(resource(&template(), "CreditPolicy")).resources.contains(*table))
    );
}

/// The keys of the transfers' policy, in the template's order.
fn granted_list(template: &str) -> Vec<String> {
    let text = resource(template, "TransferPolicy");
    let (_, rest) = text.split_once("dynamodb:LeadingKeys: ").expect("keys");
    serde_json::from_str(rest.lines().next().expect("a line")).expect("a list")
}
