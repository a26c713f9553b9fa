//! Money that no order has a use for: recorded, sent back or kept as the policy or the operator says.

use crate::world::World;
use futures::future::join_all;
use sandbox::{Fault, Misbehaviour, Mode, Op, Pay};
use serde_json::{Value, json};

fn forced(provider: sandbox::Provider) -> Pay {
    Pay { provider: Some(provider), force: true, ..Pay::default() }
}

/// An order that was closed and then paid; the incident of it.
async fn late(world: &World, no: &str) -> Value {
    world.create(no, json!({})).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    world.sandbox.pay(no, forced(sandbox::Provider::Wxpay)).await.expect("paid");
    world.incident_of("late_payment", no).await
}

/// An order that was paid through one provider and then through another; the incident of it.
async fn twice(world: &World, no: &str) -> Value {
    world.create(no, json!({ "provider": "alipay" })).await;
    assert_eq!(world.create(no, json!({ "provider": "wxpay" })).await.0, 200);
    world.sandbox.pay(no, Pay { provider: Some(sandbox::Provider::Wxpay), ..Pay::default() }).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", no).await;
    world.sandbox.pay(no, forced(sandbox::Provider::Alipay)).await.expect("paid again");
    world.incident_of("second_payment", no).await
}

async fn waiting() -> World {
    World::with(Mode::default(), |config| {
        config["policy"] = json!({ "latePayment": "wait", "duplicatePayment": "wait" });
    })
    .await
}

async fn resolve(world: &World, id: &Value, action: &str) -> (u16, Value) {
    let data = json!({ "incident_id": id, "action": action, "note": "by hand" });
    world.call("refund", json!({ "action": "pay/resolveIncident", "data": data })).await
}

fn sent_back(world: &World) -> Vec<(String, u64)> {
    let refunds = world.sandbox.refunds();
    refunds.iter().map(|r| (r.out_refund_no.clone(), r.amount)).collect()
}

#[tokio::test]
async fn a_late_payment_goes_back_by_itself_and_the_order_stays_closed() {
    let world = World::start().await;
    let incident = late(&world, "LATE_BACK").await;
    assert_eq!((&incident["action"], &incident["status"]), (&json!("refund"), &json!("open")));
    assert_eq!(sent_back(&world), []);
    world.dispatch().await;
    assert_eq!(sent_back(&world), [("LATE_BACKX1".to_owned(), 100)]);
    world.sandbox.settle_refund("LATE_BACKX1", sandbox::RefundOutcome::Success);
    world.reconcile(10_000).await;
    let order = world.order("LATE_BACK").await;
    assert_eq!(
        (&order["trade_state"], &order["refund_fee"], &order["status"]),
        (&json!("CLOSED"), &json!(0), &json!(-1))
    );
    let incident = world.incident_of("late_payment", "LATE_BACK").await;
    assert_eq!((&incident["status"], &incident["out_refund_no"]), (&json!("resolved"), &json!("LATE_BACKX1")));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    world.dispatch().await;
    world.reconcile(86_400_000).await;
    assert_eq!(sent_back(&world).len(), 1, "once");
}

#[tokio::test]
async fn a_second_payment_goes_back_at_the_provider_that_took_it_and_the_first_one_stays() {
    let world = World::start().await;
    let incident = twice(&world, "TWICE_BACK").await;
    assert_eq!(incident["out_refund_no"], "TWICE_BACKX1");
    world.dispatch().await;
    let refunds = world.sandbox.refunds();
    assert_eq!(refunds.len(), 1);
    assert_eq!((refunds[0].provider, refunds[0].amount), (sandbox::Provider::Alipay, 100));
    let order = world.order("TWICE_BACK").await;
    assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("SUCCESS"), &json!(0)));
    assert_eq!(order["refundable"], 100, "the credited payment can still be refunded whole");
    assert_eq!(world.incident_of("second_payment", "TWICE_BACK").await["status"], "resolved");
    let (status, made) = world.call("refund", json!({ "data": { "out_trade_no": "TWICE_BACK" } })).await;
    assert_eq!((status, &made["refund_fee"]), (200, &json!(100)), "{made}");
}

#[tokio::test]
async fn the_same_payment_told_again_and_again_is_one_incident_and_one_refund() {
    let world = World::start().await;
    late(&world, "TOLD_MANY").await;
    let callback = world.sandbox.build_callback("TOLD_MANY", sandbox::CallbackKind::Payment);
    join_all((0..6).map(|_| world.sandbox.send(&callback))).await;
    world.dispatch().await;
    join_all((0..3).map(|_| world.sandbox.send(&callback))).await;
    world.dispatch().await;
    assert_eq!(world.kind("incident").await.len(), 1);
    assert_eq!(sent_back(&world).len(), 1);
    assert_eq!(world.kind("refund").await.len(), 1);
}

#[tokio::test]
async fn a_refund_of_an_incident_whose_outcome_is_unknown_is_followed_up_under_the_same_number() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::SystemErrorAfterCommit));
    late(&world, "UNKNOWN_BK").await;
    world.dispatch().await;
    world.sandbox.settle_refund("UNKNOWN_BKX1", sandbox::RefundOutcome::Success);
    world.reconcile(10_000).await;
    assert_eq!(sent_back(&world), [("UNKNOWN_BKX1".to_owned(), 100)]);
    assert_eq!(world.incident_of("late_payment", "UNKNOWN_BK").await["status"], "resolved");

    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::SystemError));
    late(&world, "UNKNOWN_B2").await;
    world.dispatch().await;
    assert_eq!(sent_back(&world).len(), 1, "it did not arrive");
    world.reconcile(10_000).await;
    assert_eq!(sent_back(&world).len(), 2, "so it is sent again");
    assert_eq!(sent_back(&world)[1].0, "UNKNOWN_B2X1");
}

#[tokio::test]
async fn a_policy_that_waits_leaves_it_to_the_operator_who_accepts_refunds_or_closes_once() {
    let world = waiting().await;
    let incident = late(&world, "WAIT_ACC").await;
    world.dispatch().await;
    assert_eq!((sent_back(&world).len(), &incident["action"]), (0, &Value::Null));
    let (status, reply) = resolve(&world, &incident["incident_id"], "accept").await;
    assert_eq!((status, &reply["status"], &reply["action"]), (200, &json!("resolved"), &json!("accept")), "{reply}");
    assert_eq!(world.order("WAIT_ACC").await["trade_state"], "SUCCESS");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
    for action in ["accept", "refund", "close"] {
        assert_eq!(resolve(&world, &incident["incident_id"], action).await.0, 409, "{action} again");
    }

    let incident = late(&world, "WAIT_REF").await;
    let (status, reply) = resolve(&world, &incident["incident_id"], "refund").await;
    assert_eq!((status, &reply["out_refund_no"]), (200, &json!("WAIT_REFX1")), "{reply}");
    for action in ["accept", "refund", "close"] {
        assert_eq!(resolve(&world, &incident["incident_id"], action).await.0, 409, "{action} while it goes back");
    }
    world.sandbox.settle_refund("WAIT_REFX1", sandbox::RefundOutcome::Success);
    world.reconcile(10_000).await;
    assert_eq!(world.incident_of("late_payment", "WAIT_REF").await["status"], "resolved");

    let incident = twice(&world, "WAIT_TWO").await;
    assert_eq!(resolve(&world, &incident["incident_id"], "accept").await.0, 409, "nobody buys twice");
    let (status, reply) = resolve(&world, &incident["incident_id"], "close").await;
    assert_eq!((status, &reply["action"]), (200, &json!("close")));
    let known = world.incident_of("second_payment", "WAIT_TWO").await;
    assert_eq!((&known["note"], &known["resolved_by"]), (&json!("by hand"), &json!("key:shop")));
    assert_eq!(sent_back(&world).len(), 1);
}

#[tokio::test]
async fn accepting_and_refunding_at_once_ends_as_one_of_them() {
    for round in 0..4 {
        let world = waiting().await;
        let no = format!("RACE_{round:03}");
        let incident = late(&world, &no).await;
        let id = &incident["incident_id"];
        let answers =
            join_all(["accept", "refund", "accept", "refund"].map(|action| resolve(&world, id, action))).await;
        world.dispatch().await;
        let credited = world.order(&no).await["trade_state"] == "SUCCESS";
        assert_eq!(sent_back(&world).len(), usize::from(!credited), "{answers:?}");
    }
}

#[tokio::test]
async fn a_mismatch_never_delivers_but_can_be_sent_back() {
    let world = World::start().await;
    world.create("WRONG_SUM", json!({})).await;
    world.sandbox.pay("WRONG_SUM", Pay { amount: Some(1), ..Pay::default() }).await.expect("paid");
    let incident = world.incident_of("amount_mismatch", "WRONG_SUM").await;
    world.dispatch().await;
    assert_eq!(sent_back(&world).len(), 0, "it waits for the operator");
    assert_eq!(resolve(&world, &incident["incident_id"], "accept").await.0, 409);
    assert_eq!(resolve(&world, &incident["incident_id"], "refund").await.0, 200);
    assert_eq!(sent_back(&world), [("WRONG_SUMX1".to_owned(), 1)]);
    assert_eq!(world.order("WRONG_SUM").await["trade_state"], "NOTPAY");
}

#[tokio::test]
async fn a_refund_that_the_provider_refuses_can_be_decided_again() {
    let world = waiting().await;
    let incident = late(&world, "REFUSED_1").await;
    world.sandbox.trade("REFUSED_1").expect("a trade");
    // The payer's card is gone: the provider takes the refund and closes it.
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    assert_eq!(resolve(&world, &incident["incident_id"], "refund").await.0, 200);
    world.sandbox.settle_refund("REFUSED_1X1", sandbox::RefundOutcome::Closed);
    world.reconcile(10_000).await;
    let refund = world.kind("refund").await.remove(0);
    assert_eq!(refund["state"], "CLOSED");
    let (status, reply) = resolve(&world, &incident["incident_id"], "refund").await;
    assert_eq!((status, &reply["out_refund_no"]), (200, &json!("REFUSED_1X2")), "{reply}");
}

#[tokio::test]
async fn incidents_are_listed_newest_first_filtered_and_without_what_is_the_bundles_own() {
    let world = waiting().await;
    for no in ["LIST_A1", "LIST_A2", "LIST_A3"] {
        late(&world, no).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    let list = |data: Value| world.call("query-payment", json!({ "action": "pay/queryIncidents", "data": data }));
    let (status, page) = list(json!({ "pageSize": 2 })).await;
    assert_eq!(status, 200, "{page}");
    let numbers: Vec<&Value> = page["data"]["list"].as_array().unwrap().iter().map(|i| &i["out_trade_no"]).collect();
    assert_eq!(numbers, ["LIST_A3", "LIST_A2"]);
    assert!(page["data"]["list"][0].get("payment").is_none());
    let (_, rest) = list(json!({ "pageSize": 2, "cursor": page["cursor"] })).await;
    assert_eq!(rest["data"]["list"].as_array().unwrap().len(), 1);
    let (_, one) = list(json!({ "out_trade_no": "LIST_A2", "status": "open", "incident": "late_payment" })).await;
    assert_eq!(one["data"]["list"].as_array().unwrap().len(), 1);
    let (_, none) = list(json!({ "status": "resolved" })).await;
    assert_eq!(none["data"]["list"], json!([]));
    for bad in
        [json!({ "status": "shut" }), json!({ "incident": "x" }), json!({ "pageSize": 0 }), json!({ "cursor": "x" })]
    {
        assert_eq!(list(bad.clone()).await.0, 400, "{bad}");
    }
    let closed = json!({ "action": "pay/queryIncidents", "data": {} });
    assert_eq!(world.post(&world.url("query-payment"), closed, None).await.0, 401);
    let (status, _) = resolve(&world, &json!("0".repeat(32)), "close").await;
    assert_eq!(status, 404);
    assert_eq!(resolve(&world, &json!("x"), "burn").await.0, 400);
}
