//! Refunds: reserve, call, settle or release; at once, unknown, refused, elsewhere.

use crate::world::World;
use futures::future::join_all;
use sandbox::{CallbackKind, Endpoint, Fault, Misbehaviour, Mode, Op, RefundOutcome};
use serde_json::{Value, json};
use shared::domain::{Refund, RefundState};
use shared::store::HistoryEntry;

async fn paid(no: &str) -> World {
    let world = World::start().await;
    world.create(no, json!({})).await;
    world.pay(no).await;
    world
}

fn fault(op: Op, what: Misbehaviour) -> Fault {
    Fault { on: Endpoint::op(op), times: Some(1), what }
}

#[tokio::test]
async fn eight_refunds_of_60_on_100_at_once_never_exceed_100() {
    for numbered in [true, false] {
        let world = paid("RACE_1").await;
        let answers = join_all((0..8).map(|i| {
            let mut body = json!({ "out_trade_no": "RACE_1", "refund_fee": 60 });
            if numbered {
                body["out_refund_no"] = json!(format!("RACE_1_{i}"));
            }
            world.call("refund", body)
        }))
        .await;
        let done = answers.iter().filter(|(status, _)| *status == 200).count();
        assert_eq!(done, 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409)), "{answers:?}");
        let sum: u64 = world.sandbox.refunds().iter().map(|r| r.amount).sum();
        assert_eq!(sum, 60);
        let order = world.order("RACE_1").await;
        let taken = order["refund_fee"].as_u64().unwrap() + order["refund_reserved"].as_u64().unwrap();
        assert_eq!((taken, &order["refundable"]), (60, &json!(40)));
    }
}

#[tokio::test]
async fn only_leaving_refund_fee_out_means_all() {
    let world = paid("STRICT_1").await;
    for amount in ["0", "\"\"", "null", "-1", "1.5", "\"1.0\"", "true", "\"all\"", "[]", "1e2"] {
        let fee: Value = serde_json::from_str(amount).unwrap();
        let (status, answer) = world.call("refund", json!({ "out_trade_no": "STRICT_1", "refund_fee": fee })).await;
        assert_eq!(status, 400, "{amount} -> {answer}");
    }
    assert!(world.sandbox.refunds().is_empty());
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "STRICT_1" })).await;
    assert_eq!(
        (status, &answer["refundFee"], &answer["outRefundNo"]),
        (200, &json!(100), &json!("STRICT_1-1")),
        "{answer}"
    );
    assert_eq!(answer["data"]["refund_fee"], 100);
}

#[tokio::test]
async fn an_unpaid_order_cannot_be_refunded() {
    let world = World::start().await;
    world.create("UNPAID_1", json!({})).await;
    assert_eq!(world.call("refund", json!({ "out_trade_no": "UNPAID_1" })).await.0, 409);
    assert_eq!(world.call("refund", json!({ "out_trade_no": "NOBODY_KNOWS" })).await.0, 404);
    assert!(world.sandbox.refunds().is_empty());
}

#[tokio::test]
async fn an_unknown_outcome_stays_reserved_until_the_same_number_tells() {
    for what in [
        Misbehaviour::SystemErrorAfterCommit,
        Misbehaviour::Garbage,
        Misbehaviour::BadSignature,
        Misbehaviour::Http5xx,
        Misbehaviour::TooMany,
        Misbehaviour::DropConnection,
    ] {
        let world = paid("DOUBT_1").await;
        world.sandbox.misbehave(fault(Op::Refund, what));
        let body = json!({ "out_trade_no": "DOUBT_1", "out_refund_no": "DOUBT_1_R", "refund_fee": 60 });
        let (status, answer) = world.call("refund", body.clone()).await;
        assert_eq!(status, 504, "{what:?}: {answer}");
        assert_ne!(answer["code"], 0);
        let order = world.order("DOUBT_1").await;
        let (reserved, refunded) = (order["refund_reserved"].as_u64(), order["refund_fee"].as_u64());
        assert!(matches!((reserved, refunded), (Some(60), Some(0)) | (Some(0), Some(60))), "{what:?}: {order}");
        assert_eq!(order["refundable"], 40, "{what:?}");
        assert_eq!(world.call("refund", json!({ "out_trade_no": "DOUBT_1", "refund_fee": 60 })).await.0, 409);
        let (status, answer) = world.call("refund", body).await;
        assert_eq!(status, 200, "{what:?}: {answer}");
        assert_eq!(world.sandbox.refunds().len(), 1, "{what:?}: refunded once");
    }
}

#[tokio::test]
async fn a_refused_refund_releases_its_amount() {
    let world = paid("REFUSED_1").await;
    // The provider knows of a refund that the bundle does not: it refuses what exceeds the rest.
    let keys = &world.keys;
    assert!(!keys.wechat.mchid.is_empty());
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::NoSignature));
    let body = json!({ "out_trade_no": "REFUSED_1", "out_refund_no": "bad number", "refund_fee": 60 });
    assert_eq!(world.call("refund", body).await.0, 400);
    assert_eq!(world.order("REFUSED_1").await["refund_reserved"], 0);
}

#[tokio::test]
async fn the_same_number_with_another_amount_is_a_conflict() {
    let world = paid("SAME_1").await;
    let refund = |amount: u64| {
        world.call("refund", json!({ "out_trade_no": "SAME_1", "out_refund_no": "SAME_R", "refund_fee": amount }))
    };
    assert_eq!(refund(30).await.0, 200);
    assert_eq!(refund(30).await.0, 200);
    assert_eq!(refund(31).await.0, 409);
    assert_eq!(world.sandbox.refunds().len(), 1);
    world.create("SAME_2", json!({})).await;
    world.pay("SAME_2").await;
    let (status, _) =
        world.call("refund", json!({ "out_trade_no": "SAME_2", "out_refund_no": "SAME_R", "refund_fee": 30 })).await;
    assert_eq!(status, 409, "a refund number belongs to one order");
    assert_eq!(world.order("SAME_2").await["refund_reserved"], 0);
}

#[tokio::test]
async fn a_pending_refund_stays_reserved_and_its_callback_settles_it() {
    let world = paid("HELD_1").await;
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::HoldRefund));
    let (status, answer) =
        world.call("refund", json!({ "out_trade_no": "HELD_1", "out_refund_no": "HELD_R", "refund_fee": 60 })).await;
    assert_eq!((status, &answer["status"]), (200, &json!("PROCESSING")), "{answer}");
    assert_eq!(world.order("HELD_1").await["refund_reserved"], 60);
    world.sandbox.settle_refund("HELD_R", RefundOutcome::Success);
    let order = world.until(|order| order["refund_fee"] == 60, "HELD_1").await;
    assert_eq!(
        (&order["refund_reserved"], &order["trade_state"], &order["status"]),
        (&json!(0), &json!("REFUND"), &json!(2))
    );
}

#[tokio::test]
async fn a_refusal_that_comes_after_the_refund_was_sent_again_releases_nothing() {
    let world = paid("AGAIN_1").await;
    let refund = async || {
        let data = json!({ "out_trade_no": "AGAIN_1", "out_refund_no": "AGAIN_R", "refund_fee": 60 });
        world.call("refund", data).await
    };
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::DropConnection));
    assert_eq!(refund().await.0, 504);
    let store = &world.app.as_ref().unwrap().store;
    let first = store.refund("AGAIN_1", "AGAIN_R").await.unwrap().unwrap();
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::HoldRefund));
    assert_eq!(refund().await.1["status"], "PROCESSING", "the provider never got it, so it is sent again");
    // Only now the first call hears that it was refused.
    let order = store.order("AGAIN_1").await.unwrap().unwrap();
    let refused = Refund { state: RefundState::Refused, ..first };
    let entry = HistoryEntry::new("refund refused", "wxpay", refused.create_date);
    assert!(!store.end_refund(&order, &refused, &entry).await.unwrap());
    assert_eq!(world.order("AGAIN_1").await["refund_reserved"], 60);
    world.sandbox.settle_refund("AGAIN_R", RefundOutcome::Success);
    world.until(|order| order["refund_fee"] == 60, "AGAIN_1").await;
}

#[tokio::test]
async fn a_closed_refund_gives_its_amount_back() {
    let world = paid("BACK_1").await;
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::HoldRefund));
    world.call("refund", json!({ "out_trade_no": "BACK_1", "out_refund_no": "BACK_R", "refund_fee": 60 })).await;
    world.sandbox.settle_refund("BACK_R", RefundOutcome::Closed);
    let order = world.until(|order| order["refundable"] == 100, "BACK_1").await;
    assert_eq!(
        (&order["refund_reserved"], &order["refund_fee"], &order["trade_state"]),
        (&json!(0), &json!(0), &json!("SUCCESS"))
    );
    let (status, _) =
        world.call("refund", json!({ "out_trade_no": "BACK_1", "out_refund_no": "BACK_R", "refund_fee": 60 })).await;
    assert_eq!(status, 422, "a closed refund needs a new number");
    assert_eq!(
        world.call("refund", json!({ "out_trade_no": "BACK_1", "out_refund_no": "BACK_S", "refund_fee": 60 })).await.0,
        200
    );
}

#[tokio::test]
async fn a_refund_callback_before_the_payment_callback_applies_both() {
    let world = World::start().await;
    world.create("EARLY_1", json!({})).await;
    world.pay_silently("EARLY_1").await;
    world.console_refund("EARLY_1", 40).await;
    let order = world.until(|order| order["refund_fee"] == 40, "EARLY_1").await;
    assert_eq!((&order["trade_state"], &order["transaction_id"].is_string()), (&json!("REFUND"), &true));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "the payment was credited");
    assert_eq!(world.incident("refund_elsewhere").await["actual"], 40);
}

#[tokio::test]
async fn a_payment_that_went_back_whole_before_it_was_told_is_recorded_and_not_delivered() {
    let world = World::start().await;
    world.create("BACK_1", json!({})).await;
    world.pay_silently("BACK_1").await;
    world.console_refund("BACK_1", 100).await;
    let order = world.until(|order| order["refund_fee"] == 100, "BACK_1").await;
    assert_eq!((&order["trade_state"], &order["user_order_success"]), (&json!("REFUND"), &json!(false)));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    assert!(world.kind("task").await.is_empty(), "nothing is tried again");
}

#[tokio::test]
async fn a_refund_made_in_the_console_is_counted_once() {
    let world = paid("ELSEWHERE_1").await;
    world.console_refund("ELSEWHERE_1", 70).await;
    let order = world.until(|order| order["refund_fee"] == 70, "ELSEWHERE_1").await;
    assert_eq!(order["refundable"], 30);
    let number = world.sandbox.refunds()[0].out_refund_no.clone();
    let callback = world.sandbox.build_callback(&number, CallbackKind::Refund);
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    assert_eq!(world.order("ELSEWHERE_1").await["refund_fee"], 70, "a repeat changes nothing");
    assert_eq!(world.call("refund", json!({ "out_trade_no": "ELSEWHERE_1", "refund_fee": 31 })).await.0, 409);
}

#[tokio::test]
async fn an_amount_under_the_replys_name_is_refused_and_does_not_mean_all() {
    let world = paid("SPELLED_1").await;
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "SPELLED_1", "refundFee": 1 })).await;
    assert_eq!((status, &answer["code"]), (400, &json!(1031)), "{answer}");
    assert_eq!(world.order("SPELLED_1").await["refund_reserved"], 0);
}

#[tokio::test]
async fn apiv2_without_a_client_certificate_reserves_nothing() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |config| {
        for key in ["appCertContent", "appPrivateKeyContent"] {
            config["wxpay"]["h5"].as_object_mut().unwrap().remove(key);
        }
    })
    .await;
    world.create("NO_CERT_1", json!({})).await;
    world.pay("NO_CERT_1").await;
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "NO_CERT_1" })).await;
    assert_eq!(status, 422, "{answer}");
    let order = world.order("NO_CERT_1").await;
    assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(100)));
}

#[tokio::test]
async fn query_refund_lists_and_settles() {
    let world = paid("ASK_123").await;
    let ask = json!({ "action": "pay/queryRefund", "data": { "out_trade_no": "ASK_123" } });
    let (_, none) = world.call("refund", ask.clone()).await;
    assert_eq!(none["code"], 2003);
    world.sandbox.misbehave(fault(Op::Refund, Misbehaviour::HoldRefund));
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Notify), times: None, what: Misbehaviour::Lose });
    world.call("refund", json!({ "out_trade_no": "ASK_123", "out_refund_no": "ASK_123R", "refund_fee": 60 })).await;
    let (_, pending) = world.call("refund", ask.clone()).await;
    assert_eq!(pending["data"]["refunds"][0]["status"], "PROCESSING");
    world.sandbox.settle_refund("ASK_123R", RefundOutcome::Success);
    let (_, done) = world.call("refund", ask).await;
    assert_eq!(done["data"]["refunds"][0]["status"], "SUCCESS", "{done}");
    assert_eq!(world.order("ASK_123").await["refund_fee"], 60);
}

impl World {
    /// A refund in the provider's own console: the bundle learns of it by callback only.
    pub async fn console_refund(&self, no: &str, amount: u64) {
        let trade = self.sandbox.trade(no).expect("a trade");
        let keys = &self.keys;
        let key = shared::crypto::rsa::PrivateKey::parse(&keys.wechat.merchant_key).unwrap();
        let body = json!({
            "transaction_id": trade.transaction_id, "out_refund_no": format!("{no}_CONSOLE"),
            "notify_url": format!("{}/notify/refund-notify/wxpay/default", self.base),
            "amount": { "refund": amount, "total": trade.total, "currency": "CNY" },
        })
        .to_string();
        let path = "/v3/refund/domestic/refunds";
        let (seconds, nonce) = ((shared::app::system_clock())().get() / 1000, shared::crypto::nonce());
        let signature = key.sign(format!("POST\n{path}\n{seconds}\n{nonce}\n{body}\n").as_bytes()).unwrap();
        let authorization = format!(
            "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{seconds}\",serial_no=\"{}\"",
            keys.wechat.mchid, keys.wechat.merchant_serial
        );
        let base = self.config["wxpay"]["h5"]["apiBase"].as_str().unwrap();
        let answer = reqwest::Client::new()
            .post(format!("{base}{path}"))
            .header("authorization", authorization)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("user-agent", "console")
            .header("wechatpay-serial", &keys.wechat.wxpay_public_key_id)
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        // The sandbox settles a refund on the next request or delivery.
        for _ in 0..20 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            self.sandbox.deliver_due((shared::app::system_clock())().get()).await;
        }
    }
}
