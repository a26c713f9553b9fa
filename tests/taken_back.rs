//! Purchases of the stores that were taken back, or are old: proofs that once were right.

use crate::apple_restored::{
    DAY, apple_signs, balance, keyless, notify, now, order, prove, refunded, sign, told, transaction,
};
use crate::world::{World, merge};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::{Fault, Misbehaviour, Mode, Op, Pay, Provider};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;

fn huawei_signs(world: &World, claims: &Value) -> String {
    let authority = &world.keys.huawei.authority;
    sign(&authority.leaf_key, &authority.x5c, claims)
}

/// An order of Huawei's that carries no number of ours.
fn purchase(world: &World, id: &str, more: Value) -> Value {
    let mut claims = json!({
        "environment": "NORMAL", "purchaseOrderId": id, "purchaseToken": format!("token-{id}"),
        "applicationId": world.keys.huawei.app_id, "productId": "coins_1", "productType": "1", "quantity": 1,
        "purchaseTime": now() - 1_000, "finishStatus": "2", "price": 100, "currency": "CNY", "signedTime": now(),
        "purchaseOrderRevocationReasonCode": "",
    });
    merge(&mut claims, more);
    claims
}

async fn revoke(world: &World, id: &str) -> u16 {
    let event = json!({
        "notificationType": "REVOKE", "notificationRequestId": format!("request-{id}"), "notificationVersion": "v3",
        "signedTime": now(),
        "notificationMetaData": {
            "environment": "NORMAL", "applicationId": world.keys.huawei.app_id, "packageName": "x", "type": 1,
            "purchaseToken": format!("token-{id}"), "purchaseOrderId": id,
        },
    });
    let body = json!({ "jwsNotification": huawei_signs(world, &event) });
    world.post(&format!("{}/notify/pay-notify/huawei/default", world.base), body, None).await.0
}

#[tokio::test]
async fn a_purchase_that_apple_took_back_before_it_was_proved_credits_nobody() {
    let world = keyless().await;
    let bought = transaction(&world, "40001", json!({}));
    let stale = apple_signs(&world, &bought);
    for _ in 0..2 {
        assert_eq!(notify(&world, "REFUND", &refunded(&bought)).await, 200);
    }
    for no in ["GONE_1", "GONE_2"] {
        order(&world, "appleiap", no).await;
        assert_eq!(told(&prove(&world, "appleiap", no, &stale).await), (422, 1016));
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
    }
    assert_eq!(balance(&world).await, 0);
    let incidents = world.kind("incident").await;
    assert_eq!((incidents.len(), &incidents[0]["incident"]), (1, &json!("unknown_order")), "{incidents:?}");
    // Its own notification comes late, for an order that has the number now.
    let info = order(&world, "appleiap", "GONE_3").await;
    let mut named = bought.clone();
    named["appAccountToken"] = info["appAccountToken"].clone();
    assert_eq!(notify(&world, "ONE_TIME_CHARGE", &named).await, 200);
    assert_eq!(notify(&world, "REFUND", &refunded(&named)).await, 200);
    assert_eq!(world.order("GONE_3").await["trade_state"], "NOTPAY");
    assert_eq!(world.kind("incident").await.len(), 1, "it was told before");
    // A part that went back leaves a purchase.
    let part = transaction(&world, "40002", json!({}));
    let mut back = refunded(&part);
    merge(&mut back, json!({ "revocationType": "REFUND_PRORATED", "revocationPercentage": 50_000 }));
    assert_eq!(notify(&world, "REFUND", &back).await, 200);
    order(&world, "appleiap", "GONE_4").await;
    assert_eq!(told(&prove(&world, "appleiap", "GONE_4", &apple_signs(&world, &part)).await), (200, 0));
}

#[tokio::test]
async fn a_revoked_purchase_of_apple_that_nobody_was_credited_for_is_credited_to_nobody() {
    let world = keyless().await;
    for (no, id, named) in [("REVOKED_1", "41001", false), ("REVOKED_2", "41002", true)] {
        let token = order(&world, "appleiap", no).await["appAccountToken"].clone();
        let bought = transaction(&world, id, if named { json!({ "appAccountToken": token }) } else { json!({}) });
        assert_eq!(notify(&world, "REVOKE", &refunded(&bought)).await, 200);
        assert_eq!(told(&prove(&world, "appleiap", no, &apple_signs(&world, &bought)).await), (422, 1016), "{named}");
    }
    assert_eq!(balance(&world).await, 0);
}

#[tokio::test]
async fn a_purchase_that_huawei_took_back_before_it_was_proved_credits_nobody() {
    let world = keyless().await;
    for id in ["70001", "70002"] {
        let stale = huawei_signs(&world, &purchase(&world, id, json!({})));
        assert_eq!(revoke(&world, id).await, 200);
        let no = format!("GONE_{id}");
        order(&world, "huawei", &no).await;
        assert_eq!(told(&prove(&world, "huawei", &no, &stale).await), (422, 1016));
        assert_eq!(world.order(&no).await["trade_state"], "NOTPAY");
    }
    assert_eq!(balance(&world).await, 0);
    assert!(world.kind("incident").await.iter().all(|i| i["incident"] == "unknown_order"));
}

#[tokio::test]
async fn a_proof_and_a_refund_at_once_leave_nothing_that_is_credited_and_not_refunded() {
    let world = keyless().await;
    let mut credited = 0;
    for n in 0..16 {
        let (id, no) = (format!("5000{n}"), format!("RACE_{n}"));
        order(&world, "appleiap", &no).await;
        let bought = transaction(&world, &id, json!({}));
        let signed = apple_signs(&world, &bought);
        let back = refunded(&bought);
        let (proof, notice) = match n % 2 {
            0 => tokio::join!(prove(&world, "appleiap", &no, &signed), notify(&world, "REFUND", &back)),
            _ => {
                let (notice, proof) =
                    tokio::join!(notify(&world, "REFUND", &back), prove(&world, "appleiap", &no, &signed));
                (proof, notice)
            }
        };
        assert_eq!(notice, 200);
        let order = world.order(&no).await;
        match told(&proof) {
            (200, 0) => {
                credited += 1;
                assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("REFUND"), &json!(100)), "{order}");
            }
            (422, 1016) => assert_eq!(order["trade_state"], "NOTPAY"),
            other => panic!("{other:?}: {}", proof.1),
        }
    }
    assert_eq!(balance(&world).await, credited * 100);
}

#[tokio::test]
async fn a_proof_of_huawei_that_is_older_than_the_shop_takes_is_unused() {
    let world = World::with(Mode::default(), |config| {
        let iap = config["huawei"]["app-harmony"]["iap"].as_object_mut().expect("a node");
        iap.retain(|name, _| name == "rootCertContent");
        iap.insert("receiptExpiresIn".to_owned(), json!(172_800));
    })
    .await;
    for (n, (age, wanted)) in
        [(200 * DAY, (422, 1016)), (DAY * 3, (422, 1016)), (DAY, (200, 0))].into_iter().enumerate()
    {
        let (id, no) = (format!("8000{n}"), format!("HUAWEI_OLD_{n}"));
        order(&world, "huawei", &no).await;
        // What the device signs anew is bought no later.
        let signed = huawei_signs(&world, &purchase(&world, &id, json!({ "purchaseTime": now() - age })));
        assert_eq!(told(&prove(&world, "huawei", &no, &signed).await), wanted, "{age}");
    }
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.iter().filter(|i| i["incident"] == "unused_receipt").count(), 2, "{incidents:?}");
    assert_eq!(balance(&world).await, 100);
}

#[tokio::test]
async fn the_store_is_asked_about_a_proof_that_its_client_has_had_for_a_while() {
    for provider in ["appleiap", "huawei"] {
        let world = World::start().await;
        let own = if provider == "huawei" { Provider::Huawei } else { Provider::Appleiap };
        let buy = async |no: &str| {
            let info = order(&world, provider, no).await;
            let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
            world.sandbox.client_pay(own, &info, how).await.expect("bought").result
        };
        // The same purchase, signed so long ago.
        let signed = |result: &Value, ago: i64| {
            let name = if provider == "huawei" { "jwsPurchaseOrder" } else { "signedTransaction" };
            let claims = result[name].as_str().expect("signed").split('.').nth(1).expect("claims").to_owned();
            let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
            let mut claims: Value = serde_json::from_slice(&claims).expect("JSON");
            if provider == "huawei" {
                claims["signedTime"] = json!(now() - ago);
                return huawei_signs(&world, &claims);
            }
            claims["signedDate"] = json!(now() - ago);
            apple_signs(&world, &claims)
        };
        let asked = || world.sandbox.requests().iter().filter(|request| request.op == Op::Query).count();
        let bought = buy("HELD_1").await;
        assert_eq!(told(&prove(&world, provider, "HELD_1", &signed(&bought, 5 * MINUTE)).await), (200, 0));
        assert_eq!(asked(), 0, "{provider}: what is signed just now is not asked about");
        let bought = buy("HELD_2").await;
        let old = signed(&bought, 20 * MINUTE);
        world.sandbox.misbehave(Fault::once(Op::Query, Misbehaviour::Http5xx).of(own));
        assert_eq!(told(&prove(&world, provider, "HELD_2", &old).await), (504, 5040), "{provider}");
        assert_eq!(world.order("HELD_2").await["trade_state"], "NOTPAY");
        for _ in 0..2 {
            assert_eq!(told(&prove(&world, provider, "HELD_2", &old).await), (200, 0), "{provider}");
        }
        assert_eq!(asked(), 2, "{provider}: what is credited is not asked about again");
        // It was taken back, and nobody told.
        let bought = buy("HELD_3").await;
        let old = signed(&bought, 20 * MINUTE);
        world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
        if provider == "huawei" {
            world.sandbox.iap_revoke("HELD_3").expect("revoked");
        } else {
            let token = world.order("HELD_3").await["attempts"][0]["number"].as_str().expect("a token").to_owned();
            world.sandbox.store_refund(&token, None).expect("refunded");
        }
        assert_eq!(told(&prove(&world, provider, "HELD_3", &old).await), (422, 1016), "{provider}");
        assert_eq!(world.order("HELD_3").await["trade_state"], "NOTPAY");
        // The store does not know it.
        order(&world, provider, "HELD_4").await;
        let unknown = match provider {
            "huawei" => huawei_signs(&world, &purchase(&world, "90001", json!({ "signedTime": now() - 20 * MINUTE }))),
            _ => apple_signs(&world, &transaction(&world, "90001", json!({ "signedDate": now() - 20 * MINUTE }))),
        };
        assert_eq!(told(&prove(&world, provider, "HELD_4", &unknown).await), (504, 5040), "{provider}");
        assert_eq!(balance(&world).await, 200);
    }
}

#[tokio::test]
async fn a_part_that_the_store_took_back_of_a_purchase_that_nobody_has_leaves_its_incident_open() {
    let world = keyless().await;
    order(&world, "appleiap", "PART_1").await;
    let token = world.order("PART_1").await["attempts"][0]["number"].clone();
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "PART_1" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    let bought = |id: &str| {
        transaction(&world, id, json!({ "originalTransactionId": "95001", "appAccountToken": token.clone() }))
    };
    assert_eq!(notify(&world, "ONE_TIME_CHARGE", &bought("95001")).await, 200);
    let mut part = refunded(&bought("95001"));
    part["revocationType"] = json!("REFUND_PRORATED");
    part["revocationPercentage"] = json!(40_000);
    for _ in 0..2 {
        assert_eq!(notify(&world, "REFUND", &part).await, 200);
        let incident = world.incident_of("late_payment", "PART_1").await;
        assert_eq!((&incident["status"], &incident["returned_fee"]), (&json!("open"), &json!(40)), "{incident}");
    }
    // The rest; and the same told anew after it was reversed.
    for id in ["95002", "95003"] {
        assert_eq!(notify(&world, "REFUND", &refunded(&bought(id))).await, 200, "{id}");
        let incident = world.incident_of("late_payment", "PART_1").await;
        let facts = (&incident["status"], &incident["action"], &incident["returned_fee"]);
        assert_eq!(facts, (&json!("resolved"), &json!("refund"), &json!(100)), "{incident}");
    }
    assert_eq!(world.order("PART_1").await["trade_state"], "CLOSED");
    assert_eq!(balance(&world).await, 0);
}

#[tokio::test]
async fn accepting_a_purchase_of_which_a_part_was_taken_back_does_not_end_it_as_sent_back() {
    let world = World::start().await;
    let info = order(&world, "appleiap", "PART_2").await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "PART_2" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    let bought = world.sandbox.client_pay(Provider::Appleiap, &info, how).await.expect("bought").result;
    let signed = bought["signedTransaction"].as_str().expect("signed");
    assert_eq!(prove(&world, "appleiap", "PART_2", signed).await.0, 409);
    // The store takes a part back, and its message is lost.
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    let token = info["appAccountToken"].as_str().expect("a token");
    world.sandbox.store_refund(token, Some(40_000)).expect("refunded");
    let incident = world.incident_of("late_payment", "PART_2").await;
    let accept = json!({ "incident_id": incident["incident_id"], "action": "accept" });
    let answer = world.call("refund", json!({ "action": "pay/resolveIncident", "data": accept })).await;
    assert!((400..500).contains(&answer.0), "{answer:?}");
    let incident = world.incident_of("late_payment", "PART_2").await;
    assert_eq!((&incident["status"], &incident["action"]), (&json!("open"), &Value::Null), "{incident}");
    assert_eq!(balance(&world).await, 0);
}
