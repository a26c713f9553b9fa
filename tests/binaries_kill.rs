//! SIGKILL at any moment of a callback or of a refund: what the provider or the merchant does next ends right.

use crate::binaries_kit::{Shop, refund_of, until};
use sandbox::{Mode, Pay};
use serde_json::{Value, json};
use std::time::Duration;
use tests::dynamo_proxy::Act;

/// Kills `notify` while it holds the callback of `no`, `when` says so; then a new process and the same again.
async fn killed_and_sent_again(shop: &mut Shop, no: &str, when: Duration) -> bool {
    let callback = shop.paid_there(no, json!({})).await;
    let sandbox = shop.world.sandbox.clone();
    let sent = tokio::spawn(async move { sandbox.send(&callback).await });
    tokio::time::sleep(when).await;
    shop.kill("notify").await;
    let answered = sent.await.unwrap().is_ok_and(|(status, _)| status < 300);
    let paid = shop.whole(no).await;
    assert!(paid || !answered, "{no}: what was acknowledged is there");
    shop.start("notify", 1).await;
    let again = shop.world.sandbox.build_callback(no, sandbox::CallbackKind::Payment);
    assert!(shop.taken(&again).await, "{no}\n{}", shop.log());
    assert!(shop.whole(no).await, "{no}");
    paid
}

#[tokio::test]
async fn a_callback_killed_after_any_delay_is_credited_once_by_the_next() {
    let mut shop = Shop::open(Mode::default()).await;
    let mut before = 0;
    for delay in [0, 2, 4, 6, 8, 10, 13, 16, 20, 25, 30, 35, 40, 80] {
        let no = format!("KILL_{delay:03}_MS");
        before += usize::from(!killed_and_sent_again(&mut shop, &no, Duration::from_millis(delay)).await);
    }
    assert!(before > 0, "some were killed before the transaction");
    shop.balanced().await;
}

#[tokio::test]
async fn a_callback_killed_at_any_call_to_the_table_is_credited_once_by_the_next() {
    let mut shop = Shop::open(Mode::default()).await;
    for (data, name) in [(json!({}), "V3"), (json!({ "provider": "alipay" }), "ALI")] {
        // The k-th call to the table is held: before it is carried out, or after.
        for k in 1.. {
            let mut reached = false;
            for act in [Act::Hold, Act::HoldReply] {
                let no = format!("KILL_{name}_{k}_{act:?}");
                let callback = shop.paid_there(&no, data.clone()).await;
                let mut nth = 0;
                let carried_out = matches!(act, Act::HoldReply);
                let own = no.clone();
                shop.proxy.rule(move |call| {
                    nth += usize::from(call.names(&own));
                    if nth == k && call.names(&own) { act.clone() } else { Act::Pass }
                });
                shop.proxy.forget();
                let sandbox = shop.world.sandbox.clone();
                let sent = tokio::spawn(async move { sandbox.send(&callback).await });
                let calls = || shop.proxy.calls().into_iter().filter(|call| call.names(&no)).collect::<Vec<_>>();
                until("the call or the answer", async || sent.is_finished() || calls().len() >= k).await;
                if sent.is_finished() {
                    assert!(sent.await.unwrap().is_ok_and(|(status, _)| status < 300));
                    shop.proxy.behave();
                    continue;
                }
                reached = true;
                shop.proxy.held().await;
                let pays = calls()[k - 1].pays();
                shop.kill("notify").await;
                assert!(sent.await.unwrap().is_ok_and(|(status, _)| status >= 500), "the provider knows it failed");
                assert_eq!(shop.whole(&no).await, pays && carried_out, "{no}: all writes or none");
                shop.proxy.behave();
                shop.start("notify", 1).await;
                let again = shop.world.sandbox.build_callback(&no, sandbox::CallbackKind::Payment);
                assert!(shop.taken(&again).await, "{no}\n{}", shop.log());
                assert!(shop.whole(&no).await);
            }
            if !reached {
                assert!(k > 2, "a callback reads and writes");
                break;
            }
        }
    }
    shop.balanced().await;
}

#[tokio::test]
async fn the_providers_own_retries_reach_the_process_that_comes_after() {
    let mut shop = Shop::open(Mode::default()).await;
    for (no, act) in [("LADDER_1", Act::Hold), ("LADDER_2", Act::HoldReply)] {
        shop.world.create(no, json!({})).await;
        shop.proxy.spoil(1, |call| call.pays(), act);
        shop.world.sandbox.pay(no, Pay::default()).await.unwrap();
        shop.proxy.held().await;
        shop.kill("notify").await;
        shop.start("notify", 1).await;
        shop.world.until(|order| order["user_order_success"] == true, no).await;
        let delivered =
            async || shop.world.sandbox.outbox().iter().all(|d| d.state == sandbox::DeliveryState::Accepted);
        until("the acknowledgement", delivered).await;
        assert!(shop.world.sandbox.outbox().last().unwrap().attempts > 1, "it was sent again");
        assert!(shop.whole(no).await);
    }
    shop.balanced().await;
}

#[tokio::test]
async fn a_refund_killed_at_any_call_to_the_table_is_made_once_by_the_same_number() {
    let mut shop = Shop::open(Mode::default()).await;
    let mut after_the_provider = 0;
    for (data, name) in [(json!({}), "V3"), (json!({ "provider": "alipay" }), "ALI")] {
        for k in 1.. {
            let mut reached = false;
            for act in [Act::Hold, Act::HoldReply] {
                let no = format!("RKILL_{name}_{k}_{act:?}");
                let number = format!("{no}_R");
                let callback = shop.paid_there(&no, data.clone()).await;
                assert!(shop.taken(&callback).await);
                // Only `refund` is slowed: its calls name this order. `notify` may still be told of earlier refunds.
                let mut nth = 0;
                let own = no.clone();
                shop.proxy.forget();
                shop.proxy.rule(move |call| {
                    nth += usize::from(call.names(&own));
                    if nth == k && call.names(&own) { act.clone() } else { Act::Pass }
                });
                shop.world.sandbox.misbehave(lost_callbacks());
                let (url, body) = (shop.world.url("refund"), refund_of(&no, &number, 60));
                let sent = tokio::spawn(post(url, body.clone()));
                let calls = || shop.proxy.calls().iter().filter(|call| call.names(&no)).count();
                until("the call or the answer", async || sent.is_finished() || calls() >= k).await;
                if !sent.is_finished() {
                    reached = true;
                    shop.proxy.held().await;
                    shop.kill("refund").await;
                    assert!(sent.await.unwrap() >= 500);
                    shop.start("refund", 1).await;
                }
                shop.proxy.behave();
                let order = shop.world.order(&no).await;
                let taken = |order: &Value| {
                    ["refund_fee", "refund_reserved", "refundable"].map(|name| order[name].as_u64().unwrap())
                };
                let there = money(&shop, &no);
                assert_eq!(taken(&order).iter().sum::<u64>(), 100, "{no}: {order}");
                assert!(there <= taken(&order)[0] + taken(&order)[1], "{no}: what left the provider is reserved");
                after_the_provider += usize::from(there == 60 && taken(&order)[0] == 0);
                until("the refund", async || {
                    let (status, answer) = shop.world.call("refund", body.clone()).await;
                    assert_eq!(status, 200, "{no}: {answer}\n{}", shop.log());
                    answer["status"] == "SUCCESS"
                })
                .await;
                assert_eq!(money(&shop, &no), 60, "{no}: refunded once");
                assert_eq!(taken(&shop.world.order(&no).await), [60, 0, 40], "{no}");
                let history = shop.world.kind("history").await;
                let refunded = history.iter().filter(|h| h["out_trade_no"] == no.as_str() && h["event"] == "refunded");
                assert_eq!(refunded.count(), 1, "{no}");
                shop.world.sandbox.behave();
            }
            if !reached {
                assert!(k > 4, "a refund reads, reserves, settles");
                break;
            }
        }
    }
    assert!(after_the_provider > 0, "some were killed after the provider was called and before the settlement");
}

fn lost_callbacks() -> sandbox::Fault {
    sandbox::Fault::new(sandbox::Op::Notify, sandbox::Misbehaviour::Lose)
}

/// What the provider has given back.
fn money(shop: &Shop, no: &str) -> u64 {
    shop.world.sandbox.trade(no).unwrap().refunds.iter().map(|r| r.amount).sum()
}

async fn post(url: String, body: Value) -> u16 {
    let request = reqwest::Client::new().post(url).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", crate::world::KEY));
    request.body(body.to_string()).send().await.map_or(599, |answer| answer.status().as_u16())
}
