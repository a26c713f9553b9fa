//! `pay/methods`: by which wallets a client can pay.

use crate::world::{KEY, World};
use sandbox::Mode;
use serde_json::{Value, json};

const PHONE: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36";

/// What a client is told: `pay_type`, and `vk_platform` to say.
async fn told(world: &World, data: Value) -> Vec<(String, String)> {
    let (status, reply) = world.call("query-payment", json!({ "action": "pay/methods", "data": data })).await;
    assert_eq!((status, &reply["code"]), (200, &json!(0)), "{reply}");
    assert_eq!(reply["cache_ms"], json!(300_000));
    let text = |row: &Value, name: &str| row[name].as_str().expect(name).to_owned();
    let rows = reply["methods"].as_array().expect("a list");
    rows.iter().map(|row| (text(row, "pay_type"), text(row, "vk_platform"))).collect()
}

async fn types(world: &World, data: Value) -> Vec<String> {
    told(world, data).await.into_iter().map(|(pay_type, _)| pay_type).collect()
}

#[tokio::test]
async fn a_client_is_told_of_the_wallets_that_are_configured_for_its_kind() {
    let world = World::start().await;
    let desk = types(&world, json!({ "vk_platform": "h5", "isPC": true, "client_ua": "Chrome" })).await;
    assert_eq!(desk, ["wxpay_h5", "alipay_h5", "vkspay_h5"]);
    let phone = told(&world, json!({ "client_ua": PHONE })).await;
    let wanted = [("wxpay_mweb", "h5"), ("alipay_wap", "wap"), ("vkspay_mweb", "h5")];
    assert_eq!(phone, wanted.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let in_wechat = types(&world, json!({ "client_ua": format!("{PHONE} MicroMessenger/8.0") })).await;
    assert_eq!(in_wechat[0], "wxpay_h5-weixin");
    assert!(!in_wechat.contains(&"alipay_wap".to_owned()), "Alipay's page does not open in WeChat: {in_wechat:?}");
    assert_eq!(types(&world, json!({ "vk_platform": "mp-toutiao" })).await, ["douyin_mp-toutiao"]);
    let app = types(&world, json!({ "vk_platform": "app-plus", "client_ua": "iPhone" })).await;
    assert!(app.contains(&"appleiap_app-plus".to_owned()), "{app:?}");
    let android = types(&world, json!({ "vk_platform": "app-plus", "client_ua": "Android" })).await;
    assert!(!android.contains(&"appleiap_app-plus".to_owned()), "{android:?}");
}

#[tokio::test]
async fn a_wallet_that_is_not_configured_is_not_told_of_and_each_that_is_can_be_paid_by() {
    let world = World::with(Mode::default(), |config| {
        config["alipay"].as_object_mut().expect("a section").remove("wap");
        config.as_object_mut().expect("a document").remove("vksPay");
        config.as_object_mut().expect("a document").remove("vkspay");
    })
    .await;
    let types = types(&world, json!({ "client_ua": PHONE })).await;
    assert_eq!(types, ["wxpay_mweb", "alipay_h5"]);
    for (at, (pay_type, platform)) in told(&world, json!({ "client_ua": PHONE })).await.into_iter().enumerate() {
        let provider = pay_type.split('_').next().expect("a provider").to_owned();
        let order = json!({
            "provider": provider, "vk_platform": platform, "client_ua": PHONE, "client_ip": "203.0.113.9",
            "out_trade_no": format!("METHOD_000{at}"), "total_fee": 100, "subject": "s", "type": "recharge",
            "custom": { "user_id": "user_001" }, "user_id": "user_001",
        });
        let (status, reply) =
            world.call("create-payment", json!({ "action": "pay/createPayment", "data": order })).await;
        assert_eq!((status, &reply["pay_type"], &reply["subject"]), (200, &json!(pay_type), &json!("s")), "{reply}");
    }
}

#[tokio::test]
async fn what_is_told_holds_no_secret_and_no_account() {
    let world = World::start().await;
    let (_, reply) = world.call("query-payment", json!({ "action": "pay/methods", "data": { "isPC": true } })).await;
    let row = reply["methods"][0].as_object().expect("a row");
    let mut names: Vec<&str> = row.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["needs_openid", "pay_type", "provider", "vk_platform"]);
}

#[tokio::test]
async fn a_stranger_may_ask_where_he_may_pay_but_names_no_other_merchant() {
    let world = World::with(Mode::default(), |config| {
        config["auth"] = json!({ "default": "key", "keys": { "shop": KEY }, "createPayment": ["none", "key"] });
    })
    .await;
    let ask = async |data: Value| {
        world.post(&world.url("query-payment"), json!({ "action": "pay/methods", "data": data }), None).await
    };
    assert_eq!(ask(json!({})).await.0, 200, "where `auth` opens createPayment");
    let (status, reply) = ask(json!({ "pid": "another" })).await;
    assert_eq!((status, &reply["field"]), (403, &json!("pid")), "{reply}");
    let (status, reply) =
        world.call("query-payment", json!({ "action": "pay/methods", "data": { "pid": "another" } })).await;
    assert_eq!((status, &reply["field"]), (400, &json!("pid")), "the merchant's own slip: {reply}");
}
