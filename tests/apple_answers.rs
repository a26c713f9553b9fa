//! Apple's answers that are easily misread: two environments, several lists, a refund before its payment.

use crate::apple_purchases::{Chain, verify};
use crate::world::World;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use sandbox::{Mode, Pay, Provider};
use serde_json::{Value, json};
use shared::store::{Incident, IncidentName};
use std::sync::{Arc, Mutex};

const BUNDLE: &str = "com.example";

fn now() -> i64 {
    (shared::app::system_clock())().get()
}

/// A store whose environments each answer everything with one thing; with what it was asked.
async fn store(production: (u16, Value), sandbox: (u16, Value)) -> (String, Arc<Mutex<Vec<String>>>) {
    type Script = (Arc<[(u16, Value); 2]>, Arc<Mutex<Vec<String>>>);
    async fn answer(State((answers, asked)): State<Script>, uri: Uri) -> (StatusCode, String) {
        let tried = ["/storekit-sandbox/", "/sandbox/"].iter().any(|path| uri.path().starts_with(path));
        asked.lock().unwrap().push(if tried { "sandbox" } else { "production" }.to_owned());
        let (status, body) = &answers[usize::from(tried)];
        let body = if body.is_null() { "Unauthenticated".to_owned() } else { body.to_string() };
        (StatusCode::from_u16(*status).unwrap(), body)
    }
    let asked = Arc::new(Mutex::new(Vec::new()));
    let script: Script = (Arc::new([production, sandbox]), asked.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer).with_state(script)).into_future());
    (base, asked)
}

/// A world whose app is at this store, with an order.
async fn shop(base: &str, root: Option<&str>, tried: bool, no: &str) -> World {
    let world = World::with(Mode::default(), |config| {
        let node = &mut config["appleiap"]["app-plus"];
        node["bundleId"] = json!(BUNDLE);
        node["apiBase"] = json!(base);
        node["sandbox"] = json!(tried);
        if let Some(root) = root {
            node["rootCertContent"] = json!(root);
        }
    })
    .await;
    let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
    assert_eq!(world.create(no, data).await.0, 200);
    world
}

#[tokio::test]
async fn a1_an_app_that_is_not_in_the_store_yet_is_asked_about_in_the_sandbox_where_that_counts() {
    let chain = Chain::default().make();
    let claims = json!({
        "transactionId": "2000000001", "originalTransactionId": "2000000001", "bundleId": BUNDLE,
        "productId": "coins_1", "purchaseDate": now(), "quantity": 1, "type": "Consumable",
        "inAppOwnershipType": "PURCHASED", "signedDate": now(), "environment": "Sandbox",
    });
    let signed = chain.sign(&json!({ "alg": "ES256", "x5c": chain.x5c }), &claims);
    let bought = (200, json!({ "signedTransactionInfo": signed }));
    let away = || (401, Value::Null);
    let unknown = || (404, json!({ "errorCode": 4_040_010 }));
    let both = vec!["production", "sandbox"];
    for (n, (production, tried_out, tried, wanted, asked)) in [
        // App Review.
        (away(), bought.clone(), true, (200, 0), both.clone()),
        (unknown(), bought.clone(), true, (200, 0), both.clone()),
        // A node of production never takes what the sandbox says.
        (away(), bought.clone(), false, (502, 5020), vec!["production"]),
        (unknown(), bought.clone(), false, (422, 1016), vec!["production"]),
        (bought.clone(), bought, false, (422, 1016), vec!["production"]),
        // Nobody takes the key.
        (away(), away(), true, (502, 5020), both.clone()),
        // One does not say, and the other does not know.
        (away(), unknown(), true, (504, 5040), both.clone()),
        (unknown(), away(), true, (504, 5040), both.clone()),
        (unknown(), unknown(), true, (422, 1016), both),
        ((500, Value::Null), away(), true, (504, 5040), vec!["production"]),
    ]
    .into_iter()
    .enumerate()
    {
        let (base, calls) = store(production, tried_out).await;
        let no = format!("A1_APPLE_{n}");
        let world = shop(&base, Some(&chain.x5c[2]), tried, &no).await;
        for round in 1..=2 {
            let (status, body) = verify(&world, &no, json!({ "transaction_identifier": "2000000001" })).await;
            assert_eq!((status, &body["code"]), (wanted.0, &json!(wanted.1)), "{n}, {round}: {body}");
        }
        assert_eq!(calls.lock().unwrap()[..asked.len()], asked, "{n}");
        let paid = if wanted.0 == 200 { "SUCCESS" } else { "NOTPAY" };
        assert_eq!(world.order(&no).await["trade_state"], paid, "{n}");
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), usize::from(wanted.0 == 502), "{n}: one, however often it is asked");
        if let Some(incident) = incidents.first() {
            assert_eq!((&incident["incident"], &incident["out_trade_no"]), (&json!("provider_setup"), &json!(no)));
            assert_eq!(incident["actual"]["code"], "401");
        }
    }
}

#[tokio::test]
async fn proofs_that_apple_does_not_look_at_ring_once_a_day() {
    let status = |code: i64| (200, json!({ "status": code }));
    let (base, _) = store(status(21004), status(21004)).await;
    let world = shop(&base, None, false, "RINGS_0").await;
    for n in 0..3 {
        let no = format!("RINGS_{n}");
        let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
        assert_eq!(world.create(&no, data).await.0, 200);
        for receipt in ["QUFBQQ==", "cmVjZWlwdA=="] {
            let proof = json!({ "transaction_receipt": receipt, "transaction_identifier": "1" });
            let (status, body) = verify(&world, &no, proof).await;
            assert_eq!((status, &body["code"]), (502, &json!(5020)), "{body}");
        }
    }
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let told = &incidents[0];
    assert_eq!((&told["incident"], &told["out_trade_no"]), (&json!("provider_setup"), &json!("RINGS_0")));
    assert_eq!((&told["actual"]["code"], &told["said"]), (&json!("21004"), &Value::Null));
    // Another fault, and the same one on another day, are others.
    let fault = |code: &str, day: &str| Incident {
        out_trade_no: Some("RINGS_9".to_owned()),
        actual: Some(json!({ "code": code, "message": "m", "day": day })),
        ..Incident::new(IncidentName::ProviderSetup, shared::domain::Provider::Appleiap, "default")
    };
    let today = told["actual"]["day"].as_str().expect("a day");
    assert_eq!(fault("21004", today).id(), told["incident_id"]);
    assert_ne!(fault("21000", today).id(), fault("21004", today).id());
    assert_ne!(fault("21004", "2026-01-01").id(), fault("21004", today).id());
}

#[tokio::test]
async fn a2_every_list_of_a_receipt_is_read_and_a_cancellation_in_any_of_them_counts() {
    let item = |more: Value| {
        let mut item = json!({
            "quantity": "1", "product_id": "coins_1", "transaction_id": "77", "purchase_date_ms": now().to_string(),
        });
        crate::world::merge(&mut item, more);
        item
    };
    let other = item(json!({ "transaction_id": "78" }));
    let plain = item(json!({}));
    let cancelled = |name: &str, value: Value| item(json!({ name: value }));
    let cases = [
        ("in one list", json!([plain]), json!([]), 200),
        ("in both lists", json!([plain]), json!([plain]), 200),
        ("only in the other list", json!([other]), json!([plain]), 200),
        ("only in the other list, as an object", json!([other]), plain.clone(), 200),
        ("in none", json!([other]), json!([other]), 422),
        ("taken back in the other list", json!([plain]), json!([cancelled("cancellation_date_ms", json!("1"))]), 422),
        ("taken back in the first list", json!([cancelled("cancellation_date_ms", json!(1))]), json!([plain]), 422),
        ("taken back by a date", json!([plain]), json!([cancelled("cancellation_date", json!("2026-01-01"))]), 422),
        ("taken back by a reason", json!([plain]), json!([cancelled("cancellation_reason", json!("0"))]), 422),
        (
            "taken back beside a blank date",
            json!([item(json!({ "cancellation_date": null, "cancellation_date_ms": "1700000000000" }))]),
            json!([]),
            422,
        ),
        (
            "taken back, though it is incomplete there",
            json!([plain]),
            json!([
                { "transaction_id": "77", "cancellation_date_ms": "1" }
            ]),
            422,
        ),
        (
            "a blank is no date",
            json!([cancelled("cancellation_date_ms", json!(""))]),
            json!([cancelled("cancellation_date", json!(" "))]),
            200,
        ),
        (
            "another's cancellation",
            json!([plain]),
            json!([item(json!({ "transaction_id": "78", "cancellation_date_ms": "1" }))]),
            200,
        ),
        ("another product in the other list", json!([plain]), json!([item(json!({ "product_id": "coins_2" }))]), 422),
        (
            "another person's in the other list",
            json!([plain]),
            json!([item(json!({ "in_app_ownership_type": "FAMILY_SHARED" }))]),
            422,
        ),
        (
            "another order's token in the other list",
            json!([plain]),
            json!([item(json!({ "app_account_token": "00000000-0000-4000-8000-000000000000" }))]),
            409,
        ),
        (
            "two tokens",
            json!([item(json!({ "app_account_token": "00000000-0000-4000-8000-000000000001" }))]),
            json!([item(json!({ "app_account_token": "00000000-0000-4000-8000-000000000000" }))]),
            422,
        ),
    ];
    for (n, (what, in_app, latest, wanted)) in cases.into_iter().enumerate() {
        let answer = json!({
            "status": 0, "environment": "Production", "receipt": { "bundle_id": BUNDLE, "in_app": in_app },
            "latest_receipt_info": latest,
        });
        let (base, _) = store((200, answer.clone()), (200, answer)).await;
        let no = format!("A2_APPLE_{n}");
        let world = shop(&base, None, false, &no).await;
        let proof = json!({ "transaction_receipt": "cmVjZWlwdA==", "transaction_identifier": "77" });
        let (status, body) = verify(&world, &no, proof).await;
        assert_eq!(status, wanted, "{what}: {body}");
        let paid = if wanted == 200 { "SUCCESS" } else { "NOTPAY" };
        assert_eq!(world.order(&no).await["trade_state"], paid, "{what}");
    }
}

/// Buys on a device whose client never comes back; the store tells of nothing. The token.
async fn buy_silently(world: &World, no: &str) -> String {
    let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    world.sandbox.client_pay(Provider::Appleiap, &created["orderInfo"], how).await.unwrap().paid.number
}

#[tokio::test]
async fn a_refund_that_apple_tells_of_before_the_payment_applies_both() {
    // A part that went back leaves an order to deliver, the whole does not.
    for (share, fee, balance) in [(None, 100, 0), (Some(33_333), 34, 100)] {
        let world = World::start().await;
        let token = buy_silently(&world, "EARLY_APPLE").await;
        world.sandbox.store_refund(&token, share).unwrap();
        let order = world.until(|order| order["trade_state"] == "REFUND", "EARLY_APPLE").await;
        assert_eq!(order["refund_fee"], fee);
        assert_eq!(order["transaction_id"], json!(world.sandbox.trade(&token).unwrap().transaction_id));
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], balance, "{share:?}");
        assert_eq!(order["user_order_success"], balance > 0);
        assert_eq!(world.kind("refund").await.len(), 1);
        let incidents = world.kind("incident").await;
        assert!(incidents.iter().any(|i| i["incident"] == "refund_elsewhere"), "{incidents:?}");
        // The payment's own notification comes late, and changes nothing.
        let late = world.sandbox.build_callback(&token, sandbox::CallbackKind::Payment);
        assert_eq!(world.sandbox.send(&late).await.unwrap().0, 200);
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], balance);
        let rerun = json!({ "action": "pay/rerunHandler", "data": { "out_trade_no": "EARLY_APPLE" } });
        assert_eq!(world.call("query-payment", rerun).await.0, 409, "what went back whole is not delivered after all");
    }
}
