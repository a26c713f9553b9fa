//! A refund that the payer's account did not take, and a bank card that takes it instead.

use crate::world::{TABLE, World};
use sandbox::{Fault, Misbehaviour, Mode, Op, RefundOutcome};
use serde_json::{Value, json};

const CARD: &str = "6222021234567890123";
const HOLDER: &str = "欧阳持卡人";

async fn stuck(world: &World, no: &str, refund: &str) {
    let (status, answer) = world.create(no, json!({})).await;
    assert_eq!(status, 200, "{answer}");
    world.pay(no).await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    let own = json!({ "out_trade_no": no, "out_refund_no": refund, "refund_fee": 60 });
    assert_eq!(world.call("refund", own).await.1["status"], "PROCESSING");
    world.sandbox.settle_refund(refund, RefundOutcome::Abnormal);
    for _ in 0..100 {
        if !incidents(world).await.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nobody was told");
}

async fn incidents(world: &World) -> Vec<Value> {
    world.kind("incident").await.into_iter().filter(|i| i["incident"] == "refund_abnormal").collect()
}

/// Waits until every incident of a stuck refund is resolved.
async fn resolved(world: &World) -> Vec<Value> {
    for _ in 0..100 {
        let told = incidents(world).await;
        if told.iter().all(|incident| incident["status"] == "resolved") {
            return told;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("still open: {:?}", incidents(world).await);
}

async fn apply(world: &World, data: Value) -> (u16, Value) {
    world.call("refund", json!({ "action": "pay/applyAbnormalRefund", "data": data })).await
}

fn to_card(no: &str, refund: &str) -> Value {
    json!({
        "out_trade_no": no, "out_refund_no": refund, "type": "USER_BANK_CARD",
        "bank_type": "ICBC_DEBIT", "bank_account": CARD, "real_name": HOLDER,
    })
}

fn sent(world: &World) -> usize {
    world.sandbox.requests().iter().filter(|r| r.path.ends_with("/apply-abnormal-refund")).count()
}

#[tokio::test]
async fn a_refund_that_got_stuck_is_paid_to_the_payers_card_once_and_ends_its_incident() {
    for mode in [Mode::default(), Mode { wxpay_public_key: false, ..Mode::default() }] {
        let world = World::with(mode, |_| {}).await;
        stuck(&world, "CARD_1", "CARD_R").await;
        let (status, answer) = apply(&world, to_card("CARD_1", "CARD_R")).await;
        assert_eq!((status, &answer["code"], &answer["status"]), (200, &json!(0), &json!("PROCESSING")), "{answer}");
        assert_eq!(answer["reason"], Value::Null, "it is under way again");
        world.until(|order| order["refund_fee"] == 60, "CARD_1").await;
        let told = resolved(&world).await;
        assert_eq!((told.len(), &told[0]["status"], &told[0]["resolved_by"]), (1, &json!("resolved"), &json!("wxpay")));
        let (status, answer) = apply(&world, to_card("CARD_1", "CARD_R")).await;
        assert_eq!((status, &answer["status"]), (200, &json!("SUCCESS")), "the same again is answered as it stands");
        assert_eq!(sent(&world), 1);
        assert_eq!(world.order("CARD_1").await["refund_reserved"], 0);
    }
}

#[tokio::test]
async fn a_refund_that_got_stuck_is_paid_back_to_the_merchant() {
    let world = World::start().await;
    stuck(&world, "CARD_2", "CARD_R2").await;
    let own = json!({ "out_trade_no": "CARD_2", "out_refund_no": "CARD_R2", "type": "MERCHANT_BANK_CARD" });
    assert_eq!(apply(&world, own).await.0, 200);
    world.until(|order| order["refund_fee"] == 60, "CARD_2").await;
}

#[tokio::test]
async fn a_card_and_its_holder_are_in_no_item_and_no_history() {
    let world = World::start().await;
    stuck(&world, "CARD_3", "CARD_R3").await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::Refuse));
    let (status, answer) = apply(&world, to_card("CARD_3", "CARD_R3")).await;
    assert_eq!((status, &answer["code"]), (422, &json!(3002)), "{answer}");
    assert_eq!(apply(&world, to_card("CARD_3", "CARD_R3")).await.0, 200, "what was refused may be tried again");
    let all = json!([world.items(TABLE).await, answer]).to_string();
    assert!(!all.contains(CARD) && !all.contains(HOLDER));
}

#[tokio::test]
async fn an_unknown_outcome_of_a_card_is_504_and_the_same_again_tells() {
    for what in [Misbehaviour::SystemErrorAfterCommit, Misbehaviour::BadSignature, Misbehaviour::DropConnection] {
        let world = World::start().await;
        stuck(&world, "CARD_4", "CARD_R4").await;
        world.sandbox.misbehave(Fault::once(Op::Refund, what));
        let (status, answer) = apply(&world, to_card("CARD_4", "CARD_R4")).await;
        assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{what:?}: {answer}");
        assert_eq!(world.order("CARD_4").await["refund_reserved"], 60, "{what:?}");
        assert_eq!(apply(&world, to_card("CARD_4", "CARD_R4")).await.0, 200, "{what:?}");
        world.until(|order| order["refund_fee"] == 60, "CARD_4").await;
        assert_eq!(world.sandbox.refunds().len(), 1, "{what:?}");
    }
}

#[tokio::test]
async fn what_is_not_stuck_goes_to_no_card_and_nobody_is_called() {
    let world = World::start().await;
    let (status, _) = world.create("CARD_5", json!({})).await;
    assert_eq!(status, 200);
    world.pay("CARD_5").await;
    assert_eq!(apply(&world, to_card("CARD_5", "NONE")).await.1["code"], 2003, "no such refund");
    let own = json!({ "out_trade_no": "CARD_5", "out_refund_no": "CARD_R5", "refund_fee": 60 });
    world.call("refund", own).await;
    let (status, answer) = apply(&world, to_card("CARD_5", "CARD_R5")).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2023)), "{answer}");
    world.until(|order| order["refund_fee"] == 60, "CARD_5").await;
    let (status, answer) = apply(&world, to_card("CARD_5", "CARD_R5")).await;
    assert_eq!((status, &answer["code"], &answer["status"]), (409, &json!(2023), &json!("SUCCESS")), "{answer}");
    // Another provider has no such call, and neither has APIv2.
    world.create("CARD_6", json!({ "provider": "alipay" })).await;
    world.pay("CARD_6").await;
    world.call("refund", json!({ "out_trade_no": "CARD_6", "out_refund_no": "CARD_R6", "refund_fee": 60 })).await;
    assert_eq!(apply(&world, to_card("CARD_6", "CARD_R6")).await.1["code"], 2005);
    assert_eq!(sent(&world), 0);
}

#[tokio::test]
async fn a_card_that_is_none_is_refused_before_anything_is_asked() {
    let world = World::start().await;
    for (field, value) in [
        ("type", json!("MY_CARD")),
        ("bank_type", json!("")),
        ("bank_type", json!("icbc")),
        ("bank_account", json!("6222 0212 3456")),
        ("bank_account", json!("1234567")),
        ("real_name", Value::Null),
    ] {
        let mut data = to_card("CARD_7", "CARD_R7");
        data[field] = value.clone();
        let (status, answer) = apply(&world, data).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{value}: {answer}");
    }
    let mut both = to_card("CARD_7", "CARD_R7");
    both["type"] = json!("MERCHANT_BANK_CARD");
    assert_eq!(apply(&world, both).await.0, 400);
}

#[tokio::test]
async fn a_card_that_does_not_take_it_either_is_told_anew() {
    let world = World::start().await;
    stuck(&world, "CARD_8", "CARD_R8").await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    assert_eq!(apply(&world, to_card("CARD_8", "CARD_R8")).await.0, 200);
    world.sandbox.settle_refund("CARD_R8", RefundOutcome::Abnormal);
    for _ in 0..100 {
        if incidents(&world).await.len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(incidents(&world).await.len(), 2);
    assert_eq!(apply(&world, to_card("CARD_8", "CARD_R8")).await.0, 200);
    world.until(|order| order["refund_fee"] == 60, "CARD_8").await;
    assert_eq!(resolved(&world).await.len(), 2);
}
