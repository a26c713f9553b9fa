//! Paid and not delivered is never silent: whichever handler refuses, there is an incident, an alarm, and another try.

use crate::binaries_kit::Shop;
use crate::world::{TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{Fault, Misbehaviour, Mode, Op, RefundOutcome};
use serde_json::{Value, json};
use tests::dynamo_proxy::{Act, Call};

const HOUR: i64 = 3_600_000;

async fn refused(world: &World, no: &str, kind: &str, custom: Value) -> Value {
    let (status, made) = world.create(no, json!({ "type": kind, "custom": custom })).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
    let order = world.order(no).await;
    assert_eq!((&order["trade_state"], &order["user_order_success"]), (&json!("SUCCESS"), &json!(false)), "{order}");
    world.incident_of("undelivered", no).await
}

async fn rerun(world: &World, no: &str) -> (u16, Value) {
    world.call("query-payment", json!({ "action": "pay/rerunHandler", "data": { "out_trade_no": no } })).await
}

async fn task(world: &World, no: &str) -> Value {
    let tasks = world.kind("task").await;
    tasks.into_iter().find(|t| t["out_trade_no"] == no && t["task"] == "handler").expect("a task")
}

async fn incidents_of(world: &World, no: &str) -> Vec<Value> {
    world.kind("incident").await.into_iter().filter(|incident| incident["out_trade_no"] == no).collect()
}

#[tokio::test]
async fn d1_goods_that_are_not_there_are_an_incident_and_delivered_by_themselves_once_they_are() {
    let world = World::start().await;
    let custom = json!({ "user_id": "user_001", "goods_id": "not_yet" });
    let incident = refused(&world, "D1_GOODS", "goods", custom).await;
    assert_eq!((&incident["status"], &incident["actual"]), (&json!("open"), &json!("商品不存在")));
    assert_eq!((&incident["provider"], &incident["merchant"]), (&json!("wxpay"), &json!("default")));
    let ask = json!({ "action": "pay/queryIncidents", "data": { "incident": "undelivered", "status": "open" } });
    let (_, listed) = world.call("query-payment", ask).await;
    assert_eq!(listed["data"]["list"][0]["out_trade_no"], "D1_GOODS", "{listed}");
    // It stays refused: one incident, however often it is tried.
    for at in [11_000, 40_000, 90_000] {
        world.reconcile(at).await;
    }
    assert_eq!(
        (incidents_of(&world, "D1_GOODS").await.len(), task(&world, "D1_GOODS").await["attempts"].as_i64()),
        (1, Some(4))
    );
    world.put("goods", "not_yet", json!({ "stock": 3, "sales": 0, "price": 100 })).await;
    world.reconcile(HOUR).await;
    let order = world.order("D1_GOODS").await;
    assert_eq!((&order["user_order_success"], &order["user_order_reason"]), (&json!(true), &Value::Null), "{order}");
    assert_eq!(world.row("goods", "not_yet").await["stock"], 2);
    let incident = world.incident_of("undelivered", "D1_GOODS").await;
    assert_eq!((&incident["status"], &incident["resolved_by"]), (&json!("resolved"), &json!("handler")));
    assert_eq!(task(&world, "D1_GOODS").await["state"], "done");
    world.reconcile(2 * HOUR).await;
    assert_eq!(rerun(&world, "D1_GOODS").await.0, 409, "true never goes back");
    assert_eq!(world.row("goods", "not_yet").await["stock"], 2, "once");
}

#[tokio::test]
async fn d1_a_recharge_for_a_user_who_is_not_there_waits_for_the_user() {
    let world = World::start().await;
    let incident = refused(&world, "D1_USER", "recharge", json!({ "user_id": "late_comer" })).await;
    assert_eq!(incident["actual"], "用户不存在");
    world.put("uni-id-users", "late_comer", json!({ "balance": 5 })).await;
    world.reconcile(11_000).await;
    assert_eq!(world.row("uni-id-users", "late_comer").await["balance"], 105);
    assert_eq!(world.incident_of("undelivered", "D1_USER").await["status"], "resolved");
}

#[tokio::test]
async fn an_order_that_is_delivered_at_once_leaves_neither_incident_nor_task() {
    let world = World::start().await;
    world.create("FINE_1", json!({})).await;
    world.pay("FINE_1").await;
    assert_eq!(world.order("FINE_1").await["user_order_success"], true);
    assert_eq!((world.kind("incident").await.len(), world.kind("task").await.len()), (0, 0));
}

#[tokio::test]
async fn what_stays_refused_for_a_day_is_parked_and_its_incident_says_so() {
    let world = World::start().await;
    refused(&world, "PARKED_1", "recharge", json!({ "user_id": "nobody" })).await;
    let mut parked = 0;
    for minute in (0..26 * 60).step_by(20) {
        parked += world.reconcile(minute * 60_000).await["parked"].as_i64().unwrap();
    }
    assert_eq!((parked, task(&world, "PARKED_1").await["state"].clone()), (1, json!("parked")));
    let incidents = incidents_of(&world, "PARKED_1").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!((&incidents[0]["incident"], &incidents[0]["status"]), (&json!("handler_parked"), &json!("open")));
    world.put("uni-id-users", "nobody", json!({ "balance": 0 })).await;
    let (status, done) = rerun(&world, "PARKED_1").await;
    assert_eq!((status, &done["user_order_success"]), (200, &json!(true)), "{done}");
    assert_eq!(incidents_of(&world, "PARKED_1").await[0]["status"], "resolved");
}

#[tokio::test]
async fn nothing_is_delivered_while_all_of_it_is_on_its_way_back_or_is_back() {
    let world = World::start().await;
    refused(&world, "GOING_1", "recharge", json!({ "user_id": "comes_later" })).await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    let refund = json!({ "out_trade_no": "GOING_1", "out_refund_no": "GOING_1R" });
    let (status, made) = world.call("refund", refund).await;
    assert_eq!((status, &made["status"]), (200, &json!("PROCESSING")), "{made}");
    world.put("uni-id-users", "comes_later", json!({ "balance": 0 })).await;
    assert_eq!(rerun(&world, "GOING_1").await.0, 409);
    world.reconcile(30_000).await;
    assert_eq!(world.row("uni-id-users", "comes_later").await["balance"], 0, "the money is on its way back");
    assert_eq!(task(&world, "GOING_1").await["state"], "due");
    world.sandbox.settle_refund("GOING_1R", RefundOutcome::Closed);
    world.reconcile(HOUR).await;
    world.reconcile(3 * HOUR).await;
    assert_eq!(world.row("uni-id-users", "comes_later").await["balance"], 100, "the refund has failed");

    refused(&world, "GONE_1", "recharge", json!({ "user_id": "never" })).await;
    let (status, _) = world.call("refund", json!({ "out_trade_no": "GONE_1" })).await;
    assert_eq!(status, 200);
    // WeChat Pay tells the end by a callback, which may come later than the next line.
    world.until(|order| order["refund_fee"] == 100, "GONE_1").await;
    world.reconcile(30_000).await;
    world.put("uni-id-users", "never", json!({ "balance": 0 })).await;
    world.reconcile(HOUR).await;
    assert_eq!(rerun(&world, "GONE_1").await.0, 409);
    assert_eq!(world.row("uni-id-users", "never").await["balance"], 0);
    assert_eq!(world.incident_of("undelivered", "GONE_1").await["status"], "resolved", "nothing is owed any more");
    assert_eq!(task(&world, "GONE_1").await["state"], "done");
}

/// The calls that need a right to a table.
fn touches(call: &Call, table: &str) -> bool {
    call.table() == table || call.tables().contains(&table)
}

#[tokio::test]
async fn a_table_that_the_handler_may_not_use_is_a_refusal_and_the_payment_is_credited() {
    let shop = Shop::open(Mode::default()).await;
    let vip = json!({ "type": "vip", "custom": { "user_id": "user_001", "vip_type": "gold", "vip_days": 30 } });
    for (no, data) in [("DENIED_WRITE", json!({})), ("DENIED_READ", vip)] {
        let callback = shop.paid_there(no, data).await;
        shop.proxy.rule(|call| match touches(call, "uni-id-users") {
            true => Act::error("AccessDeniedException"),
            false => Act::Pass,
        });
        assert!(shop.taken(&callback).await, "{no}: {}", shop.log());
        let order = shop.world.order(no).await;
        assert_eq!(
            (&order["trade_state"], &order["user_order_success"]),
            (&json!("SUCCESS"), &json!(false)),
            "{order}"
        );
        assert_eq!(order["user_order_reason"], "处理程序无权访问业务表");
        assert_eq!(shop.world.incident_of("undelivered", no).await["status"], "open");
        let lines = shop.log();
        let rung = lines.lines().filter(|l| l.contains("alarm") && l.contains("undelivered") && l.contains(no)).count();
        assert_eq!(rung, 1, "the alarm rings once");
        shop.proxy.rule(|_| Act::Pass);
        let (status, done) = rerun(&shop.world, no).await;
        assert_eq!((status, &done["user_order_success"]), (200, &json!(true)), "{done}");
        assert_eq!(shop.world.incident_of("undelivered", no).await["status"], "resolved");
    }
    assert_eq!(shop.world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn a_log_row_that_is_taken_is_a_refusal_and_the_payment_is_credited() {
    let world = World::start().await;
    world.put("recharge_logs", "TAKEN_LOG", json!({ "user_id": "somebody" })).await;
    refused(&world, "TAKEN_LOG", "recharge", json!({ "user_id": "user_001" })).await;
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    world.tables.delete_item().table_name("recharge_logs").key("_id", Av::S("TAKEN_LOG".into())).send().await.unwrap();
    world.reconcile(11_000).await;
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn an_incident_that_an_operator_has_closed_stays_closed_while_delivery_is_tried_on() {
    let world = World::start().await;
    let incident = refused(&world, "BY_HAND", "recharge", json!({ "user_id": "later" })).await;
    let data = json!({ "incident_id": incident["incident_id"], "action": "close", "note": "told the user" });
    let (status, _) = world.call("refund", json!({ "action": "pay/resolveIncident", "data": data })).await;
    assert_eq!(status, 200);
    for action in ["accept", "refund"] {
        let data = json!({ "incident_id": incident["incident_id"], "action": action });
        assert_eq!(world.call("refund", json!({ "action": "pay/resolveIncident", "data": data })).await.0, 409);
    }
    world.reconcile(11_000).await;
    let known = world.incident_of("undelivered", "BY_HAND").await;
    assert_eq!((&known["status"], &known["resolved_by"]), (&json!("resolved"), &json!("key:shop")));
    world.put("uni-id-users", "later", json!({ "balance": 0 })).await;
    world.reconcile(HOUR).await;
    assert_eq!(world.order("BY_HAND").await["user_order_success"], true);
    assert_eq!(world.items(TABLE).await.iter().filter(|i| i["kind"] == "incident").count(), 1);
}
