//! IAP Kit of Huawei: key events, and what a signed order says.

use crate::world::World;
use sandbox::{Fault, Misbehaviour, Mode, Op, Pay, Provider};
use serde_json::{Value, json};

async fn shop(keyed: bool) -> World {
    World::with(Mode::default(), |config| {
        if !keyed {
            let iap = config["huawei"]["app-harmony"]["iap"].as_object_mut().unwrap();
            iap.retain(|name, _| name == "rootCertContent");
        }
    })
    .await
}

/// Orders and buys; what the client has in its hands.
async fn buy(world: &World, no: &str) -> Value {
    let data = json!({ "provider": "huawei", "vk_platform": "app-harmony", "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    world.sandbox.client_pay(Provider::Huawei, &created["orderInfo"], how).await.unwrap().result
}

async fn prove(world: &World, no: &str, proof: Value) -> (u16, Value) {
    let mut data = json!({ "out_trade_no": no });
    crate::world::merge(&mut data, proof);
    world.call("query-payment", json!({ "action": "pay/huaweiiap/verifyPurchase", "data": data })).await
}

/// Sends a key event; the status that it is answered with.
async fn event(world: &World, no: &str, kind: &str) -> u16 {
    let event = world.sandbox.iap_event(no, kind).expect("an event");
    world.sandbox.send(&event).await.expect("an answer").0
}

async fn balance(world: &World) -> Value {
    world.row("uni-id-users", "user_001").await["balance"].clone()
}

#[tokio::test]
async fn h1b_a_purchase_whose_client_is_lost_is_asked_about_and_credited_once() {
    let world = shop(true).await;
    buy(&world, "H1B_LOST").await;
    for _ in 0..2 {
        assert_eq!(event(&world, "H1B_LOST", "DID_NEW_TRANSACTION").await, 200);
        let order = world.order("H1B_LOST").await;
        assert_eq!((&order["trade_state"], &order["notify_mode"]), (&json!("SUCCESS"), &json!(1)));
        assert_eq!(balance(&world).await, 100);
    }
    assert_eq!(world.kind("incident").await.len(), 0);
    assert_eq!(event(&world, "H1B_LOST", "DID_CHANGE_RENEWAL_STATUS").await, 200, "history");
    assert_eq!(world.order("H1B_LOST").await["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn h1b_an_event_that_cannot_be_checked_comes_again() {
    let world = shop(true).await;
    buy(&world, "H1B_AGAIN").await;
    for what in [Misbehaviour::Http5xx, Misbehaviour::DropConnection, Misbehaviour::Garbage] {
        world.sandbox.misbehave(Fault::once(Op::Query, what).of(Provider::Huawei));
        assert_eq!(event(&world, "H1B_AGAIN", "DID_NEW_TRANSACTION").await, 500, "{what:?}");
        assert_eq!(world.order("H1B_AGAIN").await["trade_state"], "NOTPAY");
    }
    assert_eq!(event(&world, "H1B_AGAIN", "DID_NEW_TRANSACTION").await, 200);
    assert_eq!(world.order("H1B_AGAIN").await["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn h1b_a_purchase_that_was_taken_back_is_refunded_once() {
    for keyed in [true, false] {
        let world = shop(keyed).await;
        let bought = buy(&world, "H1B_BACK").await;
        let proof = json!({ "signed_transaction": bought["jwsPurchaseOrder"] });
        assert_eq!(prove(&world, "H1B_BACK", proof).await.0, 200);
        world.sandbox.iap_revoke("H1B_BACK").unwrap();
        for _ in 0..2 {
            assert_eq!(event(&world, "H1B_BACK", "REVOKE").await, 200);
        }
        let order = world.order("H1B_BACK").await;
        assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("REFUND"), &json!(100)), "key: {keyed}");
        assert_eq!(world.kind("refund").await.len(), 1);
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        assert_eq!((&incidents[0]["incident"], &incidents[0]["actual"]), (&json!("refund_elsewhere"), &json!(100)));
    }
}

#[tokio::test]
async fn h1b_a_refund_that_huawei_tells_of_before_the_payment_applies_both_and_delivers_nothing() {
    // Whichever event comes first: the server is asked, and says that it was taken back.
    for kind in ["REVOKE", "DID_NEW_TRANSACTION"] {
        let world = shop(true).await;
        buy(&world, "H1B_EARLY").await;
        world.sandbox.iap_revoke("H1B_EARLY").unwrap();
        assert_eq!(event(&world, "H1B_EARLY", kind).await, 200);
        let order = world.order("H1B_EARLY").await;
        assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("REFUND"), &json!(100)), "{kind}");
        assert_eq!((&order["user_order_success"], balance(&world).await), (&json!(false), json!(0)), "{kind}");
    }
    // Nobody can be asked: the event is all there is, and it names no order of ours.
    let world = shop(false).await;
    buy(&world, "H1B_EARLY").await;
    world.sandbox.iap_revoke("H1B_EARLY").unwrap();
    assert_eq!(event(&world, "H1B_EARLY", "REVOKE").await, 200);
    assert_eq!(world.kind("incident").await[0]["incident"], "unknown_order");
    assert_eq!(event(&world, "H1B_EARLY", "DID_NEW_TRANSACTION").await, 200);
    assert_eq!(world.order("H1B_EARLY").await["trade_state"], "NOTPAY");
}

#[tokio::test]
async fn h1b_a_revocation_that_the_server_does_not_confirm_is_an_incident() {
    let world = shop(true).await;
    let bought = buy(&world, "H1B_DOUBT").await;
    assert_eq!(prove(&world, "H1B_DOUBT", json!({ "signed_transaction": bought["jwsPurchaseOrder"] })).await.0, 200);
    assert_eq!(event(&world, "H1B_DOUBT", "REVOKE").await, 200);
    assert_eq!(world.order("H1B_DOUBT").await["trade_state"], "SUCCESS");
    let incidents = world.kind("incident").await;
    assert_eq!((incidents.len(), &incidents[0]["incident"]), (1, &json!("chargeback")));
}

#[tokio::test]
async fn h2_a_blank_reason_of_revocation_is_none() {
    let world = shop(true).await;
    let bought = buy(&world, "H2_BLANK").await;
    let claims = bought["jwsPurchaseOrder"].as_str().unwrap().split('.').nth(1).unwrap();
    let claims = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["purchaseOrderRevocationReasonCode"], "", "what this is about");
    let (status, body) = prove(&world, "H2_BLANK", json!({ "signed_transaction": bought["jwsPurchaseOrder"] })).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(balance(&world).await, 100);
    // A reason that is one counts, also the reason 0.
    let bought = buy(&world, "H2_BACK").await;
    world.sandbox.iap_revoke("H2_BACK").unwrap();
    let proof = json!({ "purchase_order_id": bought["purchaseOrderId"], "purchase_token": bought["purchaseToken"] });
    let (status, body) = prove(&world, "H2_BACK", proof).await;
    assert_eq!((status, &body["code"]), (422, &json!(1016)), "{body}");
}

#[tokio::test]
async fn a_key_that_huawei_turns_away_is_a_broken_set_up() {
    let world = World::with(Mode::default(), |config| {
        config["huawei"]["app-harmony"]["iap"]["keyId"] = json!("another");
    })
    .await;
    let bought = buy(&world, "HUAWEI_KEY").await;
    let proof = json!({ "purchase_order_id": bought["purchaseOrderId"], "purchase_token": bought["purchaseToken"] });
    let (status, body) = prove(&world, "HUAWEI_KEY", proof).await;
    assert_eq!((status, &body["code"]), (502, &json!(5020)), "{body}");
    assert_eq!(world.kind("incident").await[0]["incident"], "provider_setup");
}

#[tokio::test]
async fn a_purchase_for_another_price_than_the_orders_is_an_incident_whoever_tells_of_it() {
    for (no, paid) in [("PRICE_LOW", 1), ("PRICE_HIGH", 101), ("PRICE_FREE", 0)] {
        let world = shop(true).await;
        let data = json!({ "provider": "huawei", "vk_platform": "app-harmony", "product_id": "coins_1" });
        let (status, created) = world.create(no, data).await;
        assert_eq!(status, 200, "{created}");
        let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
        let bought = world.sandbox.client_pay(Provider::Huawei, &created["orderInfo"], how).await.unwrap().result;
        world.sandbox.alter(Provider::Huawei, no, |trade| trade.paid_amount = Some(paid)).expect("a trade");
        let proof =
            json!({ "purchase_order_id": bought["purchaseOrderId"], "purchase_token": bought["purchaseToken"] });
        let (status, body) = prove(&world, no, proof).await;
        assert_eq!((status, &body["code"]), (409, &json!(2006)), "{body}");
        assert_eq!(event(&world, no, "DID_NEW_TRANSACTION").await, 200);
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
        assert_eq!(balance(&world).await, 0);
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        let differs = (&incidents[0]["incident"], &incidents[0]["expected"], &incidents[0]["actual"]);
        assert_eq!(differs, (&json!("amount_mismatch"), &json!(100), &json!(paid)));
    }
}

#[tokio::test]
async fn a_price_that_cannot_be_compared_with_the_order_is_not() {
    let world = shop(false).await;
    for (n, (more, credited)) in [
        (json!({ "price": 15, "currency": "HKD" }), true),
        (json!({ "price": 0, "productType": "2" }), true),
        (json!({ "price": null }), true),
        (json!({ "price": "100" }), true),
        (json!({ "price": 100.5 }), false),
        (json!({ "price": -100 }), false),
        (json!({ "price": "1.00" }), false),
    ]
    .into_iter()
    .enumerate()
    {
        let no = format!("PRICED_{n}");
        buy(&world, &no).await;
        let mut claims = json!({
            "environment": "NORMAL", "purchaseOrderId": format!("7700{n}"), "purchaseToken": format!("token-{n}"),
            "applicationId": world.keys.huawei.app_id, "productId": "coins_1", "productType": "0", "quantity": 1,
            "purchaseTime": crate::binaries_auth::now() * 1_000, "finishStatus": "2", "price": 100, "currency": "CNY",
            "developerPayload": no, "signedTime": crate::binaries_auth::now() * 1_000,
        });
        crate::world::merge(&mut claims, more.clone());
        let authority = &world.keys.huawei.authority;
        let signed = crate::apple_restored::sign(&authority.leaf_key, &authority.x5c, &claims);
        let (status, body) = prove(&world, &no, json!({ "signed_transaction": signed })).await;
        assert_eq!(status, if credited { 200 } else { 422 }, "{more}: {body}");
    }
    assert!(world.kind("incident").await.is_empty());
}
