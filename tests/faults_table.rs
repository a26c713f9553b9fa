//! A DynamoDB that conflicts, throttles, loses answers, fails or is gone, under the real `notify`.

use crate::binaries_kit::{Shop, refund_of, until};
use futures::future::join_all;
use sandbox::{CallbackKind, Mode};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tests::dynamo_proxy::{Act, Call};
use tokio::sync::Barrier;

const CONFLICT: [&str; 5] = ["TransactionConflict", "None", "None", "None", "None"];

#[tokio::test]
async fn an_ordinary_payment_callback_reads_once_and_writes_once() {
    let shop = Shop::open(Mode::default()).await;
    for (kind, custom) in [
        ("recharge", json!({ "user_id": "user_001" })),
        ("goods", json!({ "goods_id": "goods_001", "user_id": "user_001" })),
        ("custom", json!({})),
    ] {
        for provider in ["wxpay", "alipay"] {
            let no = format!("COUNT_{kind}_{provider}");
            let data = json!({ "type": kind, "custom": custom, "provider": provider });
            let callback = shop.paid_there(&no, data).await;
            shop.proxy.forget();
            assert!(shop.taken(&callback).await);
            let calls: Vec<String> = shop.proxy.calls().into_iter().map(|c| c.operation).collect();
            // Goods say beforehand whether they are sold from shards.
            let reads = if kind == "goods" { 2 } else { 1 };
            let wanted: Vec<&str> = std::iter::repeat_n("GetItem", reads).chain(["TransactWriteItems"]).collect();
            assert_eq!(calls, wanted, "{kind} {provider}");
            assert_eq!(shop.world.order(&no).await["user_order_success"], true);
            shop.proxy.forget();
            assert!(shop.taken(&callback).await);
            assert_eq!(shop.proxy.calls().len(), 1, "a duplicate only reads");
        }
    }
}

#[tokio::test]
async fn conflicts_and_throttling_are_tried_again() {
    let shop = Shop::open(Mode::default()).await;
    let throttled = ["ThrottlingError", "None", "None", "None", "None"];
    let acts = [
        ("CONFLICT", Act::cancelled(&CONFLICT), 5),
        ("THROTTLED_A", Act::cancelled(&throttled), 3),
        ("THROTTLED_B", Act::error("ProvisionedThroughputExceededException"), 2),
        ("THROTTLED_C", Act::error("ThrottlingException"), 2),
        ("IN_PROGRESS", Act::error("TransactionInProgressException"), 2),
        ("OURS_500", Act::error("InternalServerError"), 1),
    ];
    for (no, act, times) in acts {
        let callback = shop.paid_there(no, json!({})).await;
        shop.proxy.forget();
        shop.proxy.spoil(times, Call::pays, act);
        assert!(shop.taken(&callback).await, "{no}\n{}", shop.log());
        assert_eq!(shop.proxy.calls().iter().filter(|c| c.pays()).count(), times + 1, "{no}");
        assert!(shop.whole(no).await);
    }
    let callback = shop.paid_there("READ_THROTTLED", json!({})).await;
    shop.proxy.spoil(1, |call| call.is("GetItem"), Act::error("ProvisionedThroughputExceededException"));
    assert!(shop.taken(&callback).await);
    assert!(shop.whole("READ_THROTTLED").await);
    shop.balanced().await;
}

#[tokio::test]
async fn a_conflict_that_lasts_is_a_failure_in_time_and_a_success_later() {
    let shop = Shop::open(Mode::default()).await;
    let acts = [
        ("LASTING_1", Act::cancelled(&CONFLICT)),
        ("LASTING_2", Act::error("ProvisionedThroughputExceededException")),
        ("LASTING_3", Act::error("InternalServerError")),
    ];
    for (no, act) in acts {
        let callback = shop.paid_there(no, json!({})).await;
        shop.proxy.rule(move |call| if call.pays() { act.clone() } else { Act::Pass });
        let start = Instant::now();
        let (status, body) = shop.world.sandbox.send(&callback).await.expect("an answer before the provider hangs up");
        assert!(status >= 500, "{no}: {status} {body}");
        assert!(start.elapsed() < Duration::from_secs(5), "{no} took {:?}", start.elapsed());
        assert!(!shop.whole(no).await, "nothing is written");
        shop.proxy.behave();
        assert!(shop.taken(&callback).await, "{no}");
        assert!(shop.whole(no).await);
    }
    shop.balanced().await;
}

#[tokio::test]
async fn a_lost_answer_of_a_committed_transaction_credits_once_and_is_a_success() {
    let shop = Shop::open(Mode::default()).await;
    for times in [1, 2] {
        for provider in ["wxpay", "alipay"] {
            let no = format!("LOST_{times}_{provider}");
            let callback = shop.paid_there(&no, json!({ "provider": provider })).await;
            shop.proxy.forget();
            shop.proxy.spoil(times, Call::pays, Act::LoseReply);
            assert!(shop.taken(&callback).await, "{no}\n{}", shop.log());
            assert!(shop.whole(&no).await);
            let tokens: Vec<_> = shop
                .proxy
                .calls()
                .into_iter()
                .filter(Call::pays)
                .map(|c| c.body["ClientRequestToken"].clone())
                .collect();
            assert_eq!(tokens.len(), times + 1);
            assert!(tokens.iter().all(|token| *token == tokens[0] && token.is_string()), "the same transaction again");
        }
    }
    shop.balanced().await;
}

#[tokio::test]
async fn an_answer_that_comes_too_late_credits_once() {
    let shop = Shop::open(Mode::default()).await;
    let callback = shop.paid_there("SLOW_1", json!({})).await;
    shop.proxy.spoil(1, Call::pays, Act::HoldReply);
    assert!(shop.taken(&callback).await, "the second try is in time\n{}", shop.log());
    assert!(shop.whole("SLOW_1").await);
    shop.balanced().await;
}

#[tokio::test]
async fn a_dead_table_fails_the_callback_writes_nothing_and_succeeds_later() {
    let shop = Shop::open(Mode::default()).await;
    for (no, act, data) in [
        ("DEAD_DROP", Act::Drop, json!({})),
        ("DEAD_ERROR", Act::error("InternalServerError"), json!({ "provider": "alipay" })),
        ("DEAD_GONE", Act::error("ResourceNotFoundException"), json!({})),
        ("DEAD_DENIED", Act::error("AccessDeniedException"), json!({})),
        ("DEAD_HANGS", Act::Hold, json!({})),
    ] {
        let callback = shop.paid_there(no, data).await;
        shop.proxy.rule(move |_| act.clone());
        let start = Instant::now();
        let answer = shop.world.sandbox.send(&callback).await;
        assert!(start.elapsed() < Duration::from_millis(4_900), "{no} took {:?}", start.elapsed());
        let (status, body) = answer.expect("an answer in time");
        assert!(status >= 500, "{no}: {status} {body}");
        assert_ne!(body, "success");
        let (status, answer) = shop.world.call("query-payment", json!({ "out_trade_no": no })).await;
        assert_eq!((status, &answer["code"]), (500, &json!(500)), "{no}: {answer}");
        shop.proxy.behave();
        assert!(!shop.whole(no).await, "{no}");
        assert!(shop.taken(&callback).await, "{no}");
        assert!(shop.whole(no).await, "{no}");
    }
    shop.balanced().await;
}

#[tokio::test]
async fn two_vip_orders_paid_at_once_both_extend() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("notify", 1).await;
    let running = 4_000_000_000_000_i64;
    for (round, old) in [(0, None), (1, Some(running))] {
        let user = format!("vip_{round}");
        shop.world.put("uni-id-users", &user, old.map_or(json!({}), |date| json!({ "vip_expire_date": date }))).await;
        let mut callbacks = Vec::new();
        for i in 0..2 {
            let no = format!("VIP_{round}_{i}_00");
            let custom = json!({ "user_id": user, "vip_type": "year", "vip_days": 10 });
            callbacks.push(shop.paid_there(&no, json!({ "type": "vip", "custom": custom })).await);
        }
        // Neither gets to write before both have read the same expiry.
        let barrier = Arc::new(Barrier::new(2));
        let reads = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&reads);
        shop.proxy.rule(move |call| {
            let reads_user = call.is("GetItem") && call.table() == "uni-id-users";
            match reads_user && seen.fetch_add(1, Ordering::SeqCst) < 2 {
                true => Act::Meet(Arc::clone(&barrier)),
                false => Act::Pass,
            }
        });
        let before = now_ms();
        let taken = join_all(callbacks.iter().map(|c| shop.taken(c))).await;
        assert_eq!(taken, [true, true], "{}", shop.log());
        assert_eq!(reads.load(Ordering::SeqCst), 3, "the second reads again");
        let expiry = shop.world.row("uni-id-users", &user).await["vip_expire_date"].as_i64().unwrap();
        let days = 20 * 86_400_000;
        let from = old.unwrap_or(before);
        assert!((from + days..=from + days + 60_000).contains(&expiry), "{expiry} is not 20 days after {from}");
    }
    assert_eq!(shop.world.items("vip_purchase_logs").await.len(), 4);
}

fn now_ms() -> i64 {
    (shared::app::system_clock())().get()
}

#[tokio::test]
async fn a_refused_condition_of_the_handler_runs_it_again() {
    let shop = Shop::open(Mode::default()).await;
    let goods = json!({ "type": "goods", "custom": { "goods_id": "goods_001" } });
    let callback = shop.paid_there("AGAIN_1", goods).await;
    shop.proxy.forget();
    let refused = ["None", "None", "None", "ConditionalCheckFailed", "None"];
    shop.proxy.spoil(2, Call::pays, Act::cancelled(&refused));
    assert!(shop.taken(&callback).await);
    let calls = shop.proxy.calls();
    assert_eq!(calls.iter().filter(|c| c.is("GetItem") && c.table() == "goods").count(), 3, "fresh reads each time");
    let order = shop.world.order("AGAIN_1").await;
    assert_eq!((&order["trade_state"], &order["user_order_success"]), (&json!("SUCCESS"), &json!(true)));
    assert_eq!(shop.world.row("goods", "goods_001").await["stock"], 9);
}

#[tokio::test]
async fn eight_orders_for_a_stock_of_three_never_make_it_negative() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("notify", 3).await;
    shop.world.put("goods", "rare", json!({ "stock": 3, "sales": 0, "price": 100 })).await;
    let mut callbacks = Vec::new();
    for i in 0..8 {
        let data = json!({ "type": "goods", "custom": { "goods_id": "rare", "user_id": "user_001" } });
        callbacks.push(shop.paid_there(&format!("RARE_{i}_0"), data).await);
    }
    let taken = join_all(callbacks.iter().map(|c| shop.taken(c))).await;
    assert_eq!(taken, [true; 8], "every payment is kept\n{}", shop.log());
    let goods = shop.world.row("goods", "rare").await;
    assert_eq!((&goods["stock"], &goods["sales"]), (&json!(0), &json!(3)));
    assert_eq!(shop.world.items("goods_orders").await.len(), 3);
    let orders = shop.world.kind("order").await;
    assert!(orders.iter().all(|o| o["trade_state"] == "SUCCESS"));
    let refused: Vec<_> = orders.iter().filter(|o| o["user_order_success"] == false).collect();
    assert_eq!(refused.len(), 5);
    assert!(refused.iter().all(|o| o["user_order_reason"] == "库存不足"));
}

#[tokio::test]
async fn lost_answers_in_a_refund_take_its_amount_once() {
    let shop = Shop::open(Mode::default()).await;
    for k in 0..3 {
        let no = format!("RLOST_{k}_00");
        let callback = shop.paid_there(&no, json!({})).await;
        assert!(shop.taken(&callback).await);
        let mut nth = 0;
        shop.proxy.rule(move |call| {
            let writes = call.is("TransactWriteItems");
            nth += usize::from(writes);
            if writes && nth == k + 1 { Act::LoseReply } else { Act::Pass }
        });
        let (status, answer) = shop.world.call("refund", refund_of(&no, &format!("{no}R"), 60)).await;
        assert_eq!(status, 200, "{answer}\n{}", shop.log());
        shop.proxy.behave();
        let order = shop.world.until(|order| order["refund_fee"] == 60, &no).await;
        assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(40)));
        assert_eq!(shop.world.sandbox.trade(&no).unwrap().refunds.len(), 1);
    }
}

#[tokio::test]
async fn a_refund_whose_settlement_fails_is_settled_by_the_next_that_tells() {
    let shop = Shop::open(Mode::default()).await;
    let settles = |call: &Call| call.is("TransactWriteItems") && call.body.to_string().contains("\"refunded\"");
    let lost = sandbox::Fault::new(sandbox::Op::Notify, sandbox::Misbehaviour::Lose);
    shop.world.sandbox.misbehave(lost);
    let money = |order: &serde_json::Value| {
        ["refund_fee", "refund_reserved", "refundable"].map(|name| order[name].as_u64().unwrap())
    };
    for (no, provider) in [("UNSETTLED_W", "wxpay"), ("UNSETTLED_A", "alipay")] {
        let number = format!("{no}_R");
        let callback = shop.paid_there(no, json!({ "provider": provider })).await;
        assert!(shop.taken(&callback).await);
        shop.proxy.rule(move |call| if settles(call) { Act::Drop } else { Act::Pass });
        let (status, _) = shop.world.call("refund", refund_of(no, &number, 60)).await;
        let there = async || shop.world.sandbox.refunds().iter().all(|r| r.state == sandbox::RefundState::Success);
        until("the refund at the provider", there).await;
        if provider == "wxpay" {
            let callback = shop.world.sandbox.build_callback(&number, CallbackKind::Refund);
            let (status, _) = shop.world.sandbox.send(&callback).await.expect("an answer");
            assert!(status >= 500, "{status}");
            assert_eq!(money(&shop.world.order(no).await), [0, 60, 40]);
            shop.proxy.behave();
            assert!(shop.taken(&callback).await);
        } else {
            assert_eq!(status, 500);
            assert_eq!(money(&shop.world.order(no).await), [0, 60, 40]);
            shop.proxy.behave();
            assert_eq!(shop.world.call("refund", refund_of(no, &number, 60)).await.0, 200);
        }
        assert_eq!(money(&shop.world.order(no).await), [60, 0, 40]);
        assert_eq!(shop.world.sandbox.trade(no).unwrap().refunds.len(), 1);
    }
}
