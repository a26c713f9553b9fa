//! A purchase of Apple's that was restored is the payment that it was, under whichever of its numbers it comes.

use crate::world::{Answer, World, merge};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sandbox::Mode;
use serde_json::{Value, json};

pub const DAY: i64 = 86_400_000;

pub fn now() -> i64 {
    (shared::app::system_clock())().get()
}

/// What the store itself would sign.
pub fn sign(leaf_key: &str, x5c: &[String], claims: &Value) -> String {
    let bare = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let x5c: Vec<String> = x5c.iter().map(|certificate| bare(certificate)).collect();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "ES256", "x5c": x5c })), part(claims));
    let der = STANDARD.decode(bare(leaf_key)).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("a key");
    let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

pub fn apple_signs(world: &World, claims: &Value) -> String {
    let authority = &world.keys.apple.authority;
    sign(&authority.leaf_key, &authority.x5c, claims)
}

/// A transaction of Apple's without a token: anybody's order could be its.
pub fn transaction(world: &World, id: &str, more: Value) -> Value {
    let mut claims = json!({
        "transactionId": id, "originalTransactionId": id, "bundleId": world.keys.apple.id, "productId": "coins_1",
        "purchaseDate": now() - 1_000, "originalPurchaseDate": now() - 1_000, "quantity": 1, "type": "Non-Consumable",
        "inAppOwnershipType": "PURCHASED", "signedDate": now(), "environment": "Production",
    });
    merge(&mut claims, more);
    claims
}

/// Sends a notification of Apple's.
pub async fn notify(world: &World, kind: &str, claims: &Value) -> u16 {
    let keys = &world.keys.apple;
    let payload = json!({
        "notificationType": kind, "notificationUUID": format!("{kind}-{}", claims["transactionId"]), "version": "2.0",
        "signedDate": now(),
        "data": {
            "appAppleId": keys.app_apple_id, "bundleId": keys.id, "environment": "Production",
            "signedTransactionInfo": apple_signs(world, claims),
        },
    });
    let body = json!({ "signedPayload": apple_signs(world, &payload) });
    world.post(&format!("{}/notify/pay-notify/appleiap/default", world.base), body, None).await.0
}

pub fn refunded(claims: &Value) -> Value {
    let mut claims = claims.clone();
    merge(&mut claims, json!({ "revocationDate": now(), "revocationReason": 0, "signedDate": now() }));
    claims
}

/// A shop whose node has no key of either store's server.
pub async fn keyless() -> World {
    World::with(Mode::default(), |config| {
        for name in ["issuerId", "keyId", "privateKeyContent"] {
            config["appleiap"]["app-plus"].as_object_mut().expect("a node").remove(name);
            config["huawei"]["app-harmony"]["iap"].as_object_mut().expect("a node").remove(name);
        }
    })
    .await
}

pub async fn order(world: &World, provider: &str, no: &str) -> Value {
    let platform = if provider == "huawei" { "app-harmony" } else { "app-plus" };
    let data = json!({ "provider": provider, "vk_platform": platform, "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    created["orderInfo"].clone()
}

pub async fn prove(world: &World, provider: &str, no: &str, signed: &str) -> Answer {
    let action = if provider == "huawei" { "pay/huaweiiap/verifyPurchase" } else { "pay/appleiap/verifyReceipt" };
    let data = json!({ "out_trade_no": no, "signed_transaction": signed });
    world.call("query-payment", json!({ "action": action, "data": data })).await
}

pub fn told(answer: &Answer) -> (u16, i64) {
    (answer.0, answer.1["code"].as_i64().unwrap_or_default())
}

pub async fn balance(world: &World) -> Value {
    world.row("uni-id-users", "user_001").await["balance"].clone()
}

/// A receipt's item of a purchase that was restored: its own number and date beside the first ones.
fn restored(id: &str, original: &str, bought: i64, more: Value) -> Value {
    let mut item = json!({
        "quantity": "1", "product_id": "coins_1", "transaction_id": id, "original_transaction_id": original,
        "purchase_date_ms": (now() - 1_000).to_string(), "original_purchase_date_ms": bought.to_string(),
        "in_app_ownership_type": "PURCHASED", "is_trial_period": "false",
    });
    merge(&mut item, more);
    item
}

/// A world at an Apple that answers each receipt with the items that it is.
async fn receipts() -> World {
    async fn answer(axum::Json(asked): axum::Json<Value>) -> axum::Json<Value> {
        let items = STANDARD.decode(asked["receipt-data"].as_str().unwrap_or_default()).unwrap_or_default();
        let items: Value = serde_json::from_slice(&items).unwrap_or_default();
        axum::Json(json!({
            "status": 0, "environment": "Production", "receipt": { "bundle_id": "com.example", "in_app": items },
        }))
    }
    let router = axum::Router::new().route("/buy/verifyReceipt", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, router).into_future());
    World::with(Mode::default(), |config| {
        config["appleiap"]["app-plus"] = json!({ "bundleId": "com.example", "appAppleId": 1, "apiBase": base });
    })
    .await
}

async fn show(world: &World, no: &str, item: &Value) -> Answer {
    if world.order(no).await.is_null() {
        order(world, "appleiap", no).await;
    }
    let data = json!({
        "out_trade_no": no, "transaction_receipt": STANDARD.encode(json!([item]).to_string()),
        "transaction_identifier": item["transaction_id"].as_str().map_or_else(|| item["transaction_id"].to_string(), str::to_owned),
    });
    world.call("query-payment", json!({ "action": "pay/appleiap/verifyReceipt", "data": data })).await
}

#[tokio::test]
async fn a_restored_purchase_is_the_payment_that_it_was_in_receipts_of_apple() {
    let world = receipts().await;
    let bought = now() - 2_000;
    let first = restored("1000001", "1000001", bought, json!({ "is_in_intro_offer_period": "true" }));
    let again = restored("1000002", "1000001", bought, json!({}));
    assert_eq!(told(&show(&world, "RESTORED_1", &first).await), (200, 0));
    for item in [&first, &again, &restored("1000003", "x", bought, json!({ "original_transaction_id": 1_000_001 }))] {
        assert_eq!(told(&show(&world, "RESTORED_1", item).await), (200, 0), "{item}: the same order again");
        assert_eq!(told(&show(&world, "RESTORED_2", item).await), (409, 2006), "{item}");
    }
    let order_1 = world.order("RESTORED_1").await;
    assert_eq!(order_1["transaction_id"], "1000001");
    // What an offer cost is for the shop to look at.
    let info = &order_1["notify_info"];
    assert_eq!((&info["is_trial_period"], &info["is_in_intro_offer_period"]), (&json!("false"), &json!("true")));
    // Shown the other way round.
    let again = restored("1000012", "1000011", bought, json!({}));
    assert_eq!(told(&show(&world, "RESTORED_3", &again).await), (200, 0));
    assert_eq!(world.order("RESTORED_3").await["transaction_id"], "1000011");
    let first = restored("1000011", "1000011", bought, json!({}));
    assert_eq!(told(&show(&world, "RESTORED_2", &first).await), (409, 2006));
    // One that was bought long ago is not bought anew by being restored.
    let old = restored("1000022", "1000021", now() - 300 * DAY, json!({}));
    assert_eq!(told(&show(&world, "RESTORED_2", &old).await), (422, 1016));
    assert_eq!(balance(&world).await, 200);
    // A renewal of a subscription is a payment of its own.
    let renewal = |id: &str| {
        let more = json!({ "expires_date_ms": (now() + DAY).to_string(), "web_order_line_item_id": id });
        restored(id, "1000031", now() - 300 * DAY, more)
    };
    for (no, id) in [("RENEWED_1", "1000031"), ("RENEWED_2", "1000032"), ("RENEWED_3", "1000033")] {
        assert_eq!(told(&show(&world, no, &renewal(id)).await), (200, 0), "{id}");
        // Apple's number of the line, which a restoration has too.
        assert_eq!(world.order(no).await["transaction_id"], json!(format!("line-{id}")));
    }
    assert_eq!(told(&show(&world, "RESTORED_2", &renewal("1000032")).await), (409, 2006));
}

#[tokio::test]
async fn a_restored_period_of_a_subscription_is_the_payment_that_it_was() {
    let world = receipts().await;
    let period = |id: &str, line: &str| {
        let more = json!({ "expires_date_ms": (now() + DAY).to_string(), "web_order_line_item_id": line });
        restored(id, "1000041", now() - 40 * DAY, more)
    };
    assert_eq!(told(&show(&world, "PERIOD_1", &period("1000041", "2000041")).await), (200, 0));
    for id in ["1000041", "1000042", "1000043"] {
        assert_eq!(told(&show(&world, "PERIOD_1", &period(id, "2000041")).await), (200, 0), "{id}: the same order");
        assert_eq!(told(&show(&world, "PERIOD_2", &period(id, "2000041")).await), (409, 2006), "{id}");
    }
    assert_eq!(told(&show(&world, "PERIOD_2", &period("1000044", "2000042")).await), (200, 0), "the next period");
    assert_eq!(balance(&world).await, 200);

    let world = keyless().await;
    let period = |id: &str, line: &str| {
        transaction(
            &world,
            id,
            json!({ "originalTransactionId": "33001", "type": "Auto-Renewable Subscription", "webOrderLineItemId": line }),
        )
    };
    let shown =
        async |no: &str, claims: &Value| told(&prove(&world, "appleiap", no, &apple_signs(&world, claims)).await);
    for no in ["PERIOD_1", "PERIOD_2", "PERIOD_3"] {
        order(&world, "appleiap", no).await;
    }
    assert_eq!(shown("PERIOD_1", &period("33001", "43001")).await, (200, 0));
    assert_eq!(shown("PERIOD_2", &period("33002", "43001")).await, (409, 2006), "restored");
    assert_eq!(shown("PERIOD_2", &period("33003", "43002")).await, (200, 0), "renewed");
    // A refund names it by the number of a restoration.
    assert_eq!(notify(&world, "REFUND", &refunded(&period("33005", "43001"))).await, 200);
    assert_eq!(world.order("PERIOD_1").await["trade_state"], "REFUND");
    assert_eq!(world.order("PERIOD_2").await["trade_state"], "SUCCESS");
    // One that was taken back before anybody was credited for it stays so under each of its numbers.
    assert_eq!(notify(&world, "REFUND", &refunded(&period("33006", "43003"))).await, 200);
    assert_eq!(shown("PERIOD_3", &period("33007", "43003")).await, (422, 1016));
    assert_eq!(balance(&world).await, 200);
}

#[tokio::test]
async fn a_restored_purchase_is_the_payment_that_it_was_in_signed_transactions_of_apple() {
    let world = keyless().await;
    let claims = |id: &str, more: Value| {
        let mut claims = transaction(&world, id, json!({ "originalTransactionId": "30001" }));
        merge(&mut claims, more);
        claims
    };
    order(&world, "appleiap", "AGAIN_1").await;
    order(&world, "appleiap", "AGAIN_2").await;
    let free = json!({ "price": 0, "offerType": 1, "offerDiscountType": "FREE_TRIAL" });
    let shown =
        async |no: &str, claims: &Value| told(&prove(&world, "appleiap", no, &apple_signs(&world, claims)).await);
    assert_eq!(shown("AGAIN_1", &claims("30002", free.clone())).await, (200, 0));
    for (name, value) in free.as_object().expect("an object") {
        assert_eq!(world.order("AGAIN_1").await["notify_info"][name], *value, "for the shop to look at");
    }
    for id in ["30001", "30002", "30003"] {
        assert_eq!(shown("AGAIN_2", &claims(id, json!({}))).await, (409, 2006), "{id}");
    }
    let old = json!({ "originalTransactionId": "30009", "originalPurchaseDate": now() - 300 * DAY });
    assert_eq!(shown("AGAIN_2", &claims("30010", old)).await, (422, 1016));
    // A notification names it by a number of its own.
    assert_eq!(notify(&world, "CONSUMPTION_REQUEST", &claims("30004", json!({}))).await, 200);
    let events = world.kind("history").await.into_iter().filter(|h| h["event"] == "event").count();
    assert_eq!(events, 1);
    assert_eq!(notify(&world, "REFUND", &refunded(&claims("30004", json!({})))).await, 200);
    let order_1 = world.order("AGAIN_1").await;
    assert_eq!((&order_1["trade_state"], &order_1["refund_fee"]), (&json!("REFUND"), &json!(100)));
    // The renewals of a subscription are paid one by one, and refunded one by one.
    let renewal =
        |id: &str| claims(id, json!({ "type": "Auto-Renewable Subscription", "originalTransactionId": "31001" }));
    for (no, id) in [("RENEWAL_1", "31001"), ("RENEWAL_2", "31002")] {
        order(&world, "appleiap", no).await;
        assert_eq!(shown(no, &renewal(id)).await, (200, 0), "{id}");
    }
    assert_eq!(notify(&world, "REFUND", &refunded(&renewal("31002"))).await, 200);
    assert_eq!(world.order("RENEWAL_1").await["trade_state"], "SUCCESS");
    assert_eq!(world.order("RENEWAL_2").await["trade_state"], "REFUND");
}

#[tokio::test]
async fn an_order_that_was_credited_under_the_number_of_a_restoration_is_found_by_either() {
    use aws_sdk_dynamodb::types::AttributeValue as Av;
    let world = keyless().await;
    order(&world, "appleiap", "EITHER_1").await;
    order(&world, "appleiap", "EITHER_2").await;
    let bought = transaction(&world, "32002", json!({}));
    assert_eq!(told(&prove(&world, "appleiap", "EITHER_1", &apple_signs(&world, &bought)).await), (200, 0));
    // As it was written before a restoration was known as one.
    let claim = world.kind("transaction").await;
    assert_eq!((claim.len(), &claim[0]["pk"]), (1, &json!("T#appleiap#32002")));
    let mut same = bought.clone();
    same["originalTransactionId"] = json!("32001");
    assert_eq!(told(&prove(&world, "appleiap", "EITHER_1", &apple_signs(&world, &same)).await), (200, 0));
    assert_eq!(told(&prove(&world, "appleiap", "EITHER_2", &apple_signs(&world, &same)).await), (409, 2006));
    assert_eq!(notify(&world, "REFUND", &refunded(&same)).await, 200);
    assert_eq!(world.order("EITHER_1").await["trade_state"], "REFUND");
    let free = world.tables.get_item().table_name(crate::world::TABLE);
    let free = free.key("pk", Av::S("T#appleiap#32001".to_owned())).key("sk", Av::S("T".to_owned())).send().await;
    assert!(free.expect("read").item.is_none());
}
