//! Douyin's open product (`docs/protocols/douyin.md#open-product`), end to end against a server in its place:
//! WeChat Pay's APIv3 under its own scheme, header names and paths.

use super::world::World;
use super::wxpay_kit::*;
use http::HeaderMap;
use sandbox::Mode;
use serde_json::{Value, json};
use shared::crypto::rsa::PublicKey;
use shared::providers::wxpay::signing::{answer_message, request_message};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NUMBER: &str = "T202601010001";

fn now() -> i64 {
    i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}

/// Headers as the product sends them.
fn signed(key: &shared::crypto::rsa::PrivateKey, at: i64, body: &[u8]) -> HeaderMap {
    let (timestamp, nonce) = ((at / 1000).to_string(), "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz");
    let signature = key.sign(&answer_message(&timestamp, nonce, body)).unwrap();
    let fields = [
        ("douyinpay-timestamp", timestamp.as_str()),
        ("douyinpay-nonce", nonce),
        ("douyinpay-signature", &signature),
        ("douyinpay-serial", PUB_KEY_ID),
        ("douyinpay-signature-type", "DouyinPay-RSA"),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

fn answer(body: &Value) -> Canned {
    let body = body.to_string().into_bytes();
    Canned { status: 200, headers: signed(&PLATFORM.private, now(), &body), body }
}

fn assert_signed(seen: &Seen) {
    let value = seen.headers["authorization"].to_str().unwrap();
    let fields = value.strip_prefix("DouyinPay-RSA ").expect("the product's own scheme");
    let field = |name: &str| {
        let mut pairs = fields.split(',').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).unwrap().1.trim_matches('"').to_owned()
    };
    let seconds: i64 = field("timestamp").parse().unwrap();
    let message = request_message(&seen.method, &seen.target, seconds, &field("nonce_str"), &seen.body);
    assert!(PublicKey::parse(&MERCHANT.public_pem).unwrap().verify(&message, &field("signature")));
    assert_eq!(field("mchid"), MCH);
}

fn refund_of(body: &Value) -> Value {
    json!({
        "refund_id": "50300000001", "out_refund_no": body["out_refund_no"], "transaction_id": "4200000001",
        "out_trade_no": NUMBER, "status": "SUCCESS", "success_time": "2026-01-01T08:00:00+08:00",
        "amount": { "total": 100, "refund": body["amount"]["refund"], "currency": "CNY" },
    })
}

async fn shop(paid: Arc<AtomicBool>) -> (Server, World) {
    let server = Server::start(move |seen| match seen.target.split('?').next().unwrap() {
        "/v1/trade/transactions/native" => answer(&json!({ "code_url": "https://pay.test/q/1" })),
        "/v1/trade/transactions/jsapi" => answer(&json!({ "prepay_id": "dy261153585405162d4d02642eabe7000000" })),
        "/v1/trade/refund/domestic/refunds" => answer(&refund_of(&seen.json())),
        target if target.ends_with("/close") => {
            Canned { status: 204, headers: signed(&PLATFORM.private, now(), b""), body: Vec::new() }
        }
        _ if paid.load(Ordering::SeqCst) => answer(&paid_order()),
        _ => answer(&json!({ "appid": APP, "mchid": MCH, "out_trade_no": NUMBER, "trade_state": "NOTPAY" })),
    })
    .await;
    let base = server.base.clone();
    let world = World::with(Mode::default(), |config| {
        let mut node = v3_node(&base);
        node["product"] = json!("douyinpay");
        config["douyin"]["mp-toutiao"] = node;
    })
    .await;
    (server, world)
}

async fn create(world: &World, more: Value) -> (u16, Value) {
    let mut data = json!({ "provider": "douyin", "vk_platform": "mp-toutiao", "openid": "payer-1" });
    super::world::merge(&mut data, more);
    world.create(NUMBER, data).await
}

async fn notify(world: &World, headers: HeaderMap, body: Vec<u8>) -> u16 {
    let url = format!("{}/notify/pay-notify/douyin/default", world.base);
    reqwest::Client::new().post(url).headers(headers).body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn the_open_product_is_created_called_back_queried_and_refunded_under_its_own_scheme() {
    let (server, world) = shop(Arc::default()).await;
    let (status, reply) = create(&world, json!({ "needQRcode": true })).await;
    assert_eq!((status, &reply["orderInfo"]["codeUrl"]), (200, &json!("https://pay.test/q/1")));
    assert_signed(&server.last());

    let body = event("TRANSACTION.SUCCESS", &paid_order()).to_string().into_bytes();
    for (what, headers) in [
        ("the look-alike's headers", signed_by(&PLATFORM.private, PUB_KEY_ID, now(), &body)),
        ("another key", signed(&STRANGER.private, now(), &body)),
        ("too long ago", signed(&PLATFORM.private, now() - 301_000, &body)),
        ("no signature", HeaderMap::new()),
    ] {
        let status = notify(&world, headers, body.clone()).await;
        assert!((400..500).contains(&status), "{what}: {status}");
    }
    assert_eq!(world.order(NUMBER).await["trade_state"], "NOTPAY");

    for _ in 0..2 {
        let taken = notify(&world, signed(&PLATFORM.private, now(), &body), body.clone()).await;
        assert!((200..300).contains(&taken), "{taken}");
    }
    let order = world.order(NUMBER).await;
    assert_eq!((&order["trade_state"], &order["provider"]), (&json!("SUCCESS"), &json!("douyin")));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "credited once");

    let (status, reply) = world.call("refund", json!({ "data": { "out_trade_no": NUMBER, "refund_fee": 40 } })).await;
    assert_eq!((status, &reply["data"]["status"]), (200, &json!("SUCCESS")), "{reply}");
    assert_eq!(server.last().target, "/v1/trade/refund/domestic/refunds");
    assert_signed(&server.last());
    assert_eq!(world.order(NUMBER).await["refund_fee"], 40);
}

#[tokio::test]
async fn the_open_product_finds_a_payment_by_asking() {
    let paid = Arc::new(AtomicBool::new(false));
    let (server, world) = shop(paid.clone()).await;
    let (status, reply) = create(&world, json!({})).await;
    assert_eq!(status, 200, "{reply}");
    assert_eq!(reply["orderInfo"]["package"], "prepay_id=dy261153585405162d4d02642eabe7000000");
    paid.store(true, Ordering::SeqCst);
    let (_, reply) = world.call("query-payment", json!({ "data": { "out_trade_no": NUMBER } })).await;
    assert_eq!((&reply["trade_state"], &reply["provider"]), (&json!("SUCCESS"), &json!("douyin")));
    assert!(server.last().target.starts_with(&format!("/v1/trade/transactions/out-trade-no/{NUMBER}")));
}

#[tokio::test]
async fn the_open_product_is_closed_at_the_provider() {
    let (server, world) = shop(Arc::default()).await;
    create(&world, json!({})).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": NUMBER } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    assert_eq!(server.last().target, format!("/v1/trade/transactions/out-trade-no/{NUMBER}/close"));
    assert_eq!(world.order(NUMBER).await["trade_state"], "CLOSED");
}
