//! Apple's notifications that never arrive: the schedule fetches them.

use crate::world::World;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op, Pay, Provider};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A world in which no notification of Apple's arrives.
async fn deaf() -> World {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    world
}

/// Orders and buys; the client never comes back. The token.
async fn buy(world: &World, no: &str) -> String {
    let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let how = Pay { merchant: Some("shop".to_owned()), ..Pay::default() };
    world.sandbox.client_pay(Provider::Appleiap, &created["orderInfo"], how).await.unwrap().paid.number
}

/// Waits until so many notifications were sent, in vain.
pub async fn sent(world: &World, count: usize) {
    for _ in 0..200 {
        if world.sandbox.outbox().iter().filter(|delivery| delivery.attempts > 0).count() >= count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{count} notifications were never sent");
}

async fn notices(world: &World) -> Value {
    world.run(json!({ "job": "notices" })).await
}

#[tokio::test]
async fn a_purchase_whose_notification_never_arrived_is_credited_once() {
    let world = deaf().await;
    let token = buy(&world, "MISSED_PAID").await;
    sent(&world, 1).await;
    assert_eq!(world.reconcile(60_000).await["credited"], 0, "Apple cannot be asked by the order's number");
    assert_eq!(world.order("MISSED_PAID").await["trade_state"], "NOTPAY");
    let run = notices(&world).await;
    assert_eq!(
        (&run["job"], &run["credited"], &run["errors"], &run["more"]),
        (&json!("notices"), &json!(1), &json!(0), &json!(false))
    );
    let order = world.order("MISSED_PAID").await;
    assert_eq!(
        (&order["trade_state"], &order["notify_mode"]),
        (&json!("SUCCESS"), &json!(0)),
        "found without a callback"
    );
    let again = notices(&world).await;
    assert_eq!((&again["asked"], &again["credited"]), (&json!(1), &json!(0)));
    let late = world.sandbox.build_callback(&token, CallbackKind::Payment);
    assert_eq!(world.sandbox.send(&late).await.unwrap().0, 200, "Apple's own repetition");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
    assert_eq!(world.kind("incident").await.len(), 0);
}

#[tokio::test]
async fn a_refund_whose_notification_never_arrived_is_counted_once() {
    let world = World::start().await;
    let token = buy(&world, "MISSED_BACK").await;
    world.until(|order| order["trade_state"] == "SUCCESS", "MISSED_BACK").await;
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    world.sandbox.store_refund(&token, Some(33_333)).unwrap();
    sent(&world, 2).await;
    let run = notices(&world).await;
    assert_eq!((&run["refunds"], &run["incidents"]), (&json!(1), &json!(1)), "refunded elsewhere: {run}");
    let order = world.order("MISSED_BACK").await;
    assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("REFUND"), &json!(34)));
    let again = notices(&world).await;
    assert_eq!((&again["refunds"], &again["incidents"]), (&json!(0), &json!(0)));
    assert_eq!(world.order("MISSED_BACK").await["refund_fee"], 34);
}

#[tokio::test]
async fn a_purchase_that_was_taken_back_meanwhile_is_not_credited_by_its_old_notification() {
    let world = deaf().await;
    let token = buy(&world, "MISSED_BOTH").await;
    sent(&world, 1).await;
    world.sandbox.store_refund(&token, None).unwrap();
    sent(&world, 2).await;
    let run = notices(&world).await;
    assert_eq!((&run["credited"], &run["errors"]), (&json!(0), &json!(0)), "{run}");
    assert_eq!(world.order("MISSED_BOTH").await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
}

#[tokio::test]
async fn a_run_reads_every_page_and_stops_at_its_budget() {
    let world = deaf().await;
    for n in 0..23 {
        buy(&world, &format!("MISSED_PAGE_{n}")).await;
    }
    sent(&world, 23).await;
    let short = world.run(json!({ "job": "notices", "maxCalls": 6 })).await;
    assert_eq!((&short["asked"], &short["credited"], &short["more"]), (&json!(6), &json!(5), &json!(true)));
    let run = notices(&world).await;
    assert_eq!((&run["credited"], &run["asked"], &run["more"]), (&json!(18), &json!(20), &json!(false)));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 2300);
}

#[tokio::test]
async fn only_a_week_and_only_the_merchants_that_are_named_are_looked_at() {
    let world = deaf().await;
    buy(&world, "MISSED_OLD").await;
    sent(&world, 1).await;
    let run = |more: Value| {
        let mut event = json!({ "job": "notices" });
        crate::world::merge(&mut event, more);
        world.run(event)
    };
    assert_eq!(run(json!({ "provider": "wxpay" })).await["asked"], 0);
    assert_eq!(run(json!({ "time": "2020-01-01T00:00:00Z" })).await["credited"], 0);
    assert_eq!(run(json!({ "merchant": "default", "provider": "appleiap" })).await["credited"], 1);
    let app = world.app.as_ref().unwrap();
    assert!(reconcile::handle(app, &json!({ "job": "notices", "merchant": "nobody" })).await.is_err());
}

#[tokio::test]
async fn runs_that_end_early_begin_at_different_merchants() {
    let empty = json!({ "hasMore": false, "notificationHistory": [] });
    let stores = [scripted(200, empty.clone()).await, scripted(200, empty).await];
    let world = World::with(Mode::default(), |config| {
        let mut own = config["appleiap"].clone();
        config["appleiap"]["app-plus"]["apiBase"] = json!(stores[0].0);
        own["app-plus"]["apiBase"] = json!(stores[1].0);
        config["merchants"] = json!({ "second": { "appleiap": own } });
    })
    .await;
    for time in ["2026-03-12T10:00:00Z", "2026-03-12T10:01:00Z"] {
        let run = world.run(json!({ "job": "notices", "maxCalls": 1, "time": time })).await;
        assert_eq!((&run["asked"], &run["more"]), (&json!(1), &json!(true)), "{time}");
    }
    assert_eq!(stores.map(|(_, asked)| asked.lock().unwrap().len()), [1, 1]);
}

/// A store that answers every request for missed notifications with the same, and notes what it was asked.
async fn scripted(status: u16, answer: Value) -> (String, Arc<Mutex<Vec<String>>>) {
    type Script = (StatusCode, Value, Arc<Mutex<Vec<String>>>);
    async fn answer_all(State((status, answer, asked)): State<Script>, uri: Uri) -> (StatusCode, axum::Json<Value>) {
        asked.lock().unwrap().push(uri.to_string());
        (status, axum::Json(answer))
    }
    let asked = Arc::new(Mutex::new(Vec::new()));
    let script: Script = (StatusCode::from_u16(status).unwrap(), answer, asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer_all).with_state(script)).into_future());
    (base, asked)
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_an_error_and_one_that_does_not_know_an_unpublished_app_is_none() {
    let refusal = json!({ "errorCode": 4040003, "errorMessage": "App not found." });
    for (status, answer, tried, errors, calls) in [
        (500, json!({ "errorCode": 5000000 }), false, 1, 1),
        (429, json!({ "errorCode": 4290000 }), false, 1, 1),
        (200, json!({}), false, 1, 1),
        (401, Value::Null, false, 1, 1),
        (404, refusal.clone(), false, 1, 1),
        // Production need not know an app that is tried out; Apple's sandbox must.
        (404, refusal, true, 1, 2),
        (401, Value::Null, true, 1, 2),
        (200, json!({ "hasMore": true, "notificationHistory": [] }), false, 1, 1),
        (200, json!({ "hasMore": false, "notificationHistory": [{}] }), false, 1, 1),
        (200, json!({ "hasMore": false, "notificationHistory": [] }), true, 0, 2),
    ] {
        let (base, asked) = scripted(status, answer.clone()).await;
        let world = World::with(Mode::default(), |config| {
            config["appleiap"]["app-plus"]["apiBase"] = json!(base);
            config["appleiap"]["app-plus"]["sandbox"] = json!(tried);
        })
        .await;
        let run = notices(&world).await;
        assert_eq!((&run["errors"], &run["asked"]), (&json!(errors), &json!(calls)), "{status} {answer}");
        let asked = asked.lock().unwrap().clone();
        assert_eq!(asked[0], "/storekit/inApps/v1/notifications/history");
        assert!(!tried || asked[1] == "/storekit-sandbox/inApps/v1/notifications/history", "{asked:?}");
    }
    let keyless = World::with(Mode::default(), |config| {
        for name in ["issuerId", "keyId", "privateKeyContent"] {
            config["appleiap"]["app-plus"].as_object_mut().unwrap().remove(name);
        }
    })
    .await;
    assert_eq!(notices(&keyless).await["asked"], 0, "without a key nobody is asked");
}

#[tokio::test]
async fn what_is_handed_out_is_verified_like_a_callback() {
    let real = deaf().await;
    let token = buy(&real, "MISSED_FORGED").await;
    let right = real.sandbox.build_callback(&token, CallbackKind::Payment);
    let forgeries = [Forgery::BadSignature, Forgery::OtherKey, Forgery::AlteredAmount, Forgery::Downgrade];
    let mut handed_out: Vec<_> = forgeries.iter().map(|how| (real.sandbox.forge(right.clone(), *how), 1)).collect();
    // This store knows no transactions; that it is asked for one says that the notification was believed.
    handed_out.push((right, 2));
    for (notification, calls) in handed_out {
        let body: Value = serde_json::from_str(&notification.body).unwrap();
        let record = json!({ "signedPayload": body["signedPayload"], "sendAttempts": [] });
        let (base, asked) = scripted(200, json!({ "hasMore": false, "notificationHistory": [record] })).await;
        let world = World::with(Mode::default(), |config| {
            config["appleiap"] = real.config["appleiap"].clone();
            config["appleiap"]["app-plus"]["apiBase"] = json!(base);
        })
        .await;
        let run = notices(&world).await;
        assert_eq!((&run["errors"], &run["credited"], &run["incidents"]), (&json!(1), &json!(0), &json!(0)));
        assert_eq!(asked.lock().unwrap().len(), calls);
    }
}
