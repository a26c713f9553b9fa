//! The main job by the real binaries: create, pay, callback, query, refund, refund callback; and all at once.

use crate::binaries_kit::{Shop, refund_of, until};
use futures::future::join_all;
use sandbox::{CallbackKind, DeliveryState, Mode};
use serde_json::{Value, json};

/// The whole life of an order, every callback over HTTP to the real `notify`.
async fn lives(shop: &Shop, no: &str, data: Value) {
    let world = &shop.world;
    let before = world.row("uni-id-users", "user_001").await["balance"].as_u64().unwrap();
    let (status, made) = world.create(no, data).await;
    assert_eq!((status, &made["code"]), (200, &json!(0)), "{made}\n{}", shop.log());
    world.pay(no).await;
    assert!(shop.whole(no).await);
    let (status, paid) = world.call("query-payment", json!({ "out_trade_no": no, "pay_order_info": true })).await;
    assert_eq!((status, &paid["data"]["trade_state"]), (200, &json!("SUCCESS")), "{paid}");
    assert_eq!(paid["payOrder"]["notify_mode"], 1, "the callback told of it");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], before + 100);

    for (number, fee, total, state) in [("R1", 30, 30, 2), ("R2", 70, 100, 3)] {
        let number = format!("{no}{number}");
        let (status, refund) = world.call("refund", refund_of(no, &number, fee)).await;
        assert_eq!(status, 200, "{refund}\n{}", shop.log());
        // APIv2 tells of a refund's end by callback and query only; Alipay in the answer itself.
        until("the refund", async || {
            world.call("refund", json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } })).await;
            world.order(no).await["refund_fee"] == total
        })
        .await;
        let order = world.order(no).await;
        assert_eq!((&order["trade_state"], &order["status"]), (&json!("REFUND"), &json!(state)));
    }
    assert_eq!(world.call("refund", json!({ "out_trade_no": no, "refund_fee": 1 })).await.0, 409);
    let order = world.order(no).await;
    assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(0)));
    until("the last callback", async || world.sandbox.outbox().iter().all(|d| d.state == DeliveryState::Accepted))
        .await;
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn the_real_functions_take_an_order_of_each_protocol_through_its_life() {
    let mut shop = Shop::open(Mode::default()).await;
    lives(&shop, "REAL_V3_1", json!({ "vk_platform": "mp-weixin", "openid": "o_user_1" })).await;
    lives(&shop, "REAL_ALI_1", json!({ "provider": "alipay", "vk_platform": "h5" })).await;
    assert!(shop.log().contains("order REAL_V3_1 is paid"));
    for process in shop.processes.values().flatten() {
        assert!(process.peak_rss().is_some(), "no process died");
    }
    shop.kill("notify").await;
    let mut shop = Shop::open(Mode { wxpay_version: 2, alipay_cert: true, alipay_aes: true, ..Mode::default() }).await;
    lives(&shop, "REAL_V2_1", json!({ "vk_platform": "h5" })).await;
    lives(&shop, "REAL_ALI_2", json!({ "provider": "alipay", "vk_platform": "h5" })).await;
    shop.kill("notify").await;
}

#[tokio::test]
async fn a_refund_callback_alone_settles_a_refund() {
    let shop = Shop::open(Mode::default()).await;
    let world = &shop.world;
    shop.paid_there("BY_CALLBACK_1", json!({})).await;
    let callback = world.sandbox.build_callback("BY_CALLBACK_1", CallbackKind::Payment);
    assert!(shop.taken(&callback).await);
    world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Refund, sandbox::Misbehaviour::HoldRefund));
    let (status, held) = world.call("refund", refund_of("BY_CALLBACK_1", "BY_CALLBACK_R", 60)).await;
    assert_eq!((status, &held["status"]), (200, &json!("PROCESSING")), "{held}");
    world.sandbox.settle_refund("BY_CALLBACK_R", sandbox::RefundOutcome::Success);
    let order = world.until(|order| order["refund_fee"] == 60, "BY_CALLBACK_1").await;
    assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(40)));
    let repeat = world.sandbox.build_callback("BY_CALLBACK_R", CallbackKind::Refund);
    assert!(join_all((0..4).map(|_| shop.taken(&repeat))).await.into_iter().all(|taken| taken));
    assert_eq!(world.order("BY_CALLBACK_1").await["refund_fee"], 60);
}

#[tokio::test]
async fn eight_identical_callbacks_at_once_over_four_processes_credit_once() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("notify", 3).await;
    for (no, data) in [("FOUR_V3_1", json!({})), ("FOUR_ALI_1", json!({ "provider": "alipay" }))] {
        let callback = shop.paid_there(no, data).await;
        let taken = join_all((0..8).map(|_| shop.taken(&callback))).await;
        assert_eq!(taken, [true; 8], "a duplicate is a success\n{}", shop.log());
        assert!(shop.whole(no).await);
    }
    assert_eq!(shop.world.row("uni-id-users", "user_001").await["balance"], 200);
    assert!(shop.world.kind("incident").await.is_empty(), "a duplicate is no second payment");
    let took = |p: &&tests::runtime_api::Function| p.log().contains(r#""message":"answered""#);
    assert!(shop.processes["notify"].iter().filter(took).count() > 1, "more than one process took part");
}

#[tokio::test]
async fn a_callback_and_a_query_at_once_credit_once() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("notify", 1).await;
    for i in 0..6 {
        let no = format!("BOTH_{i}_00");
        let callback = shop.paid_there(&no, json!({})).await;
        let ask = shop.world.call("query-payment", json!({ "out_trade_no": no }));
        let (one, two, (status, asked)) = tokio::join!(shop.taken(&callback), shop.taken(&callback), ask);
        assert!(one && two && status == 200, "{asked}\n{}", shop.log());
        assert!(shop.whole(&no).await);
    }
    shop.balanced().await;
}

#[tokio::test]
async fn eight_refunds_of_60_on_100_at_once_over_four_processes_never_exceed_100() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("refund", 3).await;
    for (no, data, numbered) in [
        ("LIMIT_V3_1", json!({}), true),
        ("LIMIT_V3_2", json!({}), false),
        ("LIMIT_ALI_1", json!({ "provider": "alipay" }), true),
    ] {
        let callback = shop.paid_there(no, data).await;
        assert!(shop.taken(&callback).await);
        let answers = join_all((0..8).map(|i| {
            let mut body = json!({ "out_trade_no": no, "refund_fee": 60 });
            if numbered {
                body["out_refund_no"] = json!(format!("{no}_{i}"));
            }
            shop.world.call("refund", body)
        }))
        .await;
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1, "{answers:?}");
        assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 409)), "{answers:?}");
        let there: u64 = shop.world.sandbox.trade(no).unwrap().refunds.iter().map(|r| r.amount).sum();
        let order = shop.world.order(no).await;
        let here = order["refund_fee"].as_u64().unwrap() + order["refund_reserved"].as_u64().unwrap();
        assert_eq!((there, here, &order["refundable"]), (60, 60, &json!(40)));
    }
}
