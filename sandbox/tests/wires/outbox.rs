//! Callbacks under bad conditions, and the JSON control.

use crate::client::{Bench, bench, now_ms};
use sandbox::{DeliveryState, Fault, Misbehaviour, Op};
use serde_json::{Value, json};

/// Orders over the control API need no wire signature; these tests only need trades, so they go through v3 once.
async fn paid(bench: &Bench, number: &str) {
    crate::v3::paid(bench, number, 1).await;
}

async fn post(bench: &Bench, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/sandbox/api/{path}", bench.base);
    let request = bench.http.post(url).header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), serde_json::from_str(&answer.text().await.unwrap()).unwrap())
}

async fn get(bench: &Bench, path: &str) -> Value {
    let answer = bench.http.get(format!("{}/sandbox/api/{path}", bench.base)).send().await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// The event ids in the order in which the shop got them.
fn ids(bench: &Bench) -> Vec<String> {
    let got = bench.shop.got.lock().unwrap();
    let id = |body: &String| serde_json::from_str::<Value>(body).unwrap()["id"].as_str().unwrap().to_owned();
    got.iter().map(|(_, body)| id(body)).collect()
}

#[tokio::test]
async fn a_lost_callback_is_sent_again() {
    let bench = bench().await;
    bench.sandbox.misbehave(Fault::once(Op::Notify, Misbehaviour::Lose));
    bench.sandbox.misbehave(Fault::once(Op::Notify, Misbehaviour::TimeoutAfterCommit(0)));
    paid(&bench, "lost-01").await;
    let now = now_ms();
    assert_eq!((bench.sandbox.deliver_due(now).await, bench.shop.count()), (1, 0));
    assert_eq!((bench.sandbox.deliver_due(now + 15_000).await, bench.shop.count()), (1, 1));
    assert_eq!(bench.sandbox.outbox()[0].state, DeliveryState::Queued, "its answer was lost");
    assert_eq!((bench.sandbox.deliver_due(now + 30_000).await, bench.shop.count()), (1, 2));
    assert_eq!(bench.sandbox.outbox()[0].state, DeliveryState::Accepted);
    let ids = ids(&bench);
    assert_eq!(ids[0], ids[1], "a repetition keeps its id");
}

#[tokio::test]
async fn callbacks_come_twice_late_and_in_the_wrong_order() {
    let bench = bench().await;
    bench.sandbox.misbehave(Fault::once(Op::Notify, Misbehaviour::Duplicate(2)).number("twice-1"));
    paid(&bench, "twice-1").await;
    bench.sandbox.deliver_due(now_ms()).await;
    assert_eq!(bench.shop.count(), 3);

    bench.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Delay(60_000)).number("late-01"));
    paid(&bench, "late-01").await;
    let now = now_ms();
    assert_eq!(bench.sandbox.deliver_due(now).await, 0);
    assert_eq!(bench.sandbox.deliver_due(now + 60_000).await, 1);

    bench.sandbox.misbehave(Fault::once(Op::Notify, Misbehaviour::Reorder).number("swap-01"));
    paid(&bench, "swap-01").await;
    paid(&bench, "swap-02").await;
    assert_eq!(bench.sandbox.deliver_due(now_ms()).await, 2);
    let outbox = bench.sandbox.outbox();
    let ids = ids(&bench);
    let place = |number: &str| {
        let delivery = outbox.iter().find(|delivery| delivery.number == number).unwrap();
        ids.iter().position(|id| *id == delivery.event_id).unwrap()
    };
    assert!(place("swap-02") < place("swap-01"));
}

#[tokio::test]
async fn a_callback_that_nobody_takes_is_given_up_after_a_day() {
    let bench = bench().await;
    bench.shop.answers(500, "");
    paid(&bench, "never-01").await;
    let mut now = bench.sandbox.outbox()[0].next_due.unwrap();
    let start = now;
    while let Some(due) = bench.sandbox.outbox()[0].next_due {
        now = due;
        assert_eq!(bench.sandbox.deliver_due(now).await, 1);
    }
    assert_eq!((now - start) / 60_000, 24 * 60 + 4, "24 h 4 min");
    let delivery = &bench.sandbox.outbox()[0];
    assert_eq!((delivery.attempts, delivery.state), (16, DeliveryState::GivenUp));
}

#[tokio::test]
async fn the_control_speaks_json() {
    let bench = bench().await;
    let rule = json!({"on": {"provider": "wxpay", "op": "create"}, "times": 1, "what": "system_error"});
    assert_eq!(post(&bench, "misbehave", rule).await.0, 200);
    assert_eq!(post(&bench, "misbehave", json!({"on": {"op": "notify"}, "what": {"delay": 5}})).await.0, 200);
    assert_eq!(post(&bench, "behave", json!({})).await.0, 200);
    crate::v3::ordered(&bench, "ctl-0001", 7).await;
    let (status, paid) = post(&bench, "pay", json!({"number": "ctl-0001", "amount": 8, "notify": false})).await;
    assert_eq!((status, &paid["amount"]), (200, &json!(8)));
    assert_eq!(get(&bench, "outbox").await, json!([]));
    assert_eq!(post(&bench, "pay", json!({"number": "ctl-0001"})).await.0, 422);
    assert_eq!(get(&bench, "trade/ctl-0001").await["state"], "SUCCESS");
    assert_eq!(get(&bench, "trades").await[0]["number"], "ctl-0001");
    assert_eq!(get(&bench, "requests").await[0]["op"], "create");
    let wish = json!({"number": "ctl-0001", "kind": "payment", "forgery": "sign_test", "times": 2});
    let (_, sent) = post(&bench, "callback", wish).await;
    assert_eq!((sent["answers"][1]["status"].as_u64(), bench.shop.count()), (Some(200), 2));
    let signature = bench.shop.last().0["wechatpay-signature"].to_str().unwrap().to_owned();
    assert!(signature.starts_with("WECHATPAY/SIGNTEST/"));
}
