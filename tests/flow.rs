//! Create, pay, callback, query, refund: the main job of every pay type, through the functions' own door.

use crate::world::World;
use sandbox::Mode;
use serde_json::{Value, json};

/// Creates with `data`, pays at the wallet, and checks the whole life of the order.
async fn lives(world: &World, no: &str, data: Value) {
    let (status, made) = world.create(no, data).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["code"], 0);
    assert_eq!(made["total_fee"], 100);
    assert_eq!(made["data"]["orderInfo"], made["orderInfo"]);
    if let Some(order_string) = made["orderInfo"].as_str().filter(|text| text.contains("method=alipay")) {
        world.sandbox.open_order_string(order_string).expect("an order string that the wallet takes");
    }
    if let Some(url) = made["orderInfo"]["payUrl"].as_str() {
        reqwest::get(url).await.expect("a page");
    }
    let before = world.row("uni-id-users", "user_001").await["balance"].as_i64().expect("a balance");
    world.pay(no).await;
    let (status, paid) = world.call("query-payment", json!({ "out_trade_no": no, "await_notify": true })).await;
    assert_eq!((status, &paid["code"]), (200, &json!(0)), "{paid}");
    assert_eq!(paid["data"]["trade_state"], "SUCCESS");
    assert_eq!(paid["user_order_success"], true);
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], before + 100);
    refunds_twice_and_never_more(world, no).await;
}

async fn refunds_twice_and_never_more(world: &World, no: &str) {
    for (number, amount, total, state) in [("a", 30, 30, 2), ("b", 70, 100, 3)] {
        let body = json!({ "out_trade_no": no, "out_refund_no": format!("{no}{number}"), "refund_fee": amount });
        let (status, refund) = world.call("refund", body.clone()).await;
        assert_eq!(status, 200, "{refund}");
        let order = world.until_asked(no, |order| order["refund_fee"] == total).await;
        assert_eq!(order["trade_state"], "REFUND");
        assert_eq!(order["status"], state);
        let (status, again) = world.call("refund", body).await;
        assert_eq!((status, &again["refund_fee"]), (200, &json!(amount)), "the same number is the same refund");
    }
    let (status, over) = world.call("refund", json!({ "out_trade_no": no, "refund_fee": 1 })).await;
    assert_eq!(status, 409, "{over}");
    assert_eq!(world.order(no).await["refund_reserved"], 0);
}

impl World {
    /// Asks for the refunds until the order is as wanted.
    async fn until_asked(&self, no: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..100 {
            self.call("refund", json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } })).await;
            let order = self.order(no).await;
            if wanted(&order) {
                return order;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the refund never ended: {}", self.order(no).await);
    }
}

/// What the client says for each node of WeChat Pay.
fn wxpay_nodes() -> Vec<(&'static str, Value)> {
    vec![
        ("mp-weixin", json!({ "vk_platform": "mp-weixin", "openid": "o_user_1" })),
        ("h5-weixin", json!({ "vk_platform": "h5-weixin", "openid": "o_user_1" })),
        ("app-plus", json!({ "vk_platform": "app-plus" })),
        ("h5", json!({ "vk_platform": "h5" })),
        ("mweb", json!({ "vk_platform": "mweb" })),
    ]
}

#[tokio::test]
async fn every_wxpay_v3_product_is_credited_once_and_refunded() {
    let world = World::start().await;
    for (i, (node, data)) in wxpay_nodes().into_iter().enumerate() {
        lives(&world, &format!("V3_{i}_{node}_0001"), data).await;
    }
}

#[tokio::test]
async fn every_wxpay_v3_product_works_with_platform_certificates() {
    let world = World::with(Mode { wxpay_public_key: false, ..Mode::default() }, |_| {}).await;
    lives(&world, "CERT_MODE_0001", json!({ "vk_platform": "h5" })).await;
}

#[tokio::test]
async fn every_wxpay_v2_product_is_credited_once_and_refunded() {
    for v2_hmac in [false, true] {
        let world = World::with(Mode { wxpay_version: 2, v2_hmac, ..Mode::default() }, |_| {}).await;
        for (i, (node, data)) in wxpay_nodes().into_iter().enumerate() {
            lives(&world, &format!("V2_{i}_{node}_{v2_hmac}"), data).await;
        }
    }
}

#[tokio::test]
async fn every_alipay_product_is_credited_once_and_refunded() {
    for (alipay_cert, alipay_aes) in [(false, false), (true, false), (false, true)] {
        let world = World::with(Mode { alipay_cert, alipay_aes, ..Mode::default() }, |_| {}).await;
        let products = [
            ("mp", json!({ "vk_platform": "mp-alipay", "openid": "o_user_1" })),
            ("app", json!({ "vk_platform": "app-plus" })),
            ("h5", json!({ "vk_platform": "h5" })),
            ("pc", json!({ "vk_platform": "pc" })),
            ("wap", json!({ "vk_platform": "wap" })),
        ];
        for (name, mut data) in products {
            data["provider"] = json!("alipay");
            lives(&world, &format!("ALI_{name}_{alipay_cert}_{alipay_aes}"), data).await;
        }
    }
}
