//! Callbacks that were signed under a kind of key which is not configured: refused, and the log says what is missing.

use crate::binaries_kit::Shop;
use sandbox::{Forgery, Mode, SignedRequest};
use serde_json::{Value, json};

const LINE: &str = "a callback was signed in a way that is not configured";

/// A callback of a paid order, by the shop's configuration; then `notify` is started with a changed one.
async fn changed(mode: Mode, provider: &str, change: impl FnOnce(&mut Value)) -> (Shop, SignedRequest) {
    let mut shop = Shop::closed(mode, |_| {}).await;
    shop.start("create-payment", 1).await;
    let callback = shop.paid_there("MISSING_KEY_1", json!({ "provider": provider })).await;
    let mut config = shop.world.config.clone();
    change(&mut config);
    shop.configure(&config.to_string());
    shop.start("notify", 1).await;
    (shop, callback)
}

/// The line in the log of `notify`, which must be no alarm.
async fn line(shop: &Shop, words: &str) -> String {
    let process = &shop.processes["notify"][0];
    process.logged(LINE).await;
    let log = process.log();
    let line = log.lines().find(|line| line.contains(LINE)).expect("the line").to_owned();
    assert!(line.contains("WARN") && line.contains(words), "{words}: {line}");
    assert!(!log.contains("\"alarm\"") && !log.contains("ERROR"), "{log}");
    line
}

fn nodes(config: &mut Value) -> impl Iterator<Item = &mut Value> {
    config["wxpay"].as_object_mut().expect("nodes").values_mut().filter(|node| node["version"] == 3)
}

#[tokio::test]
async fn f9_a_callback_under_the_public_key_says_that_the_public_key_is_not_configured() {
    let (shop, callback) = changed(Mode::default(), "wxpay", |config| {
        for node in nodes(config) {
            node.as_object_mut().unwrap().retain(|key, _| !key.starts_with("wxpayPublicKey"));
        }
    })
    .await;
    assert!(callback.header("wechatpay-serial").unwrap().starts_with("PUB_KEY_ID_"));
    assert!(!shop.taken(&callback).await);
    let line = line(&shop, "wxpayPublicKeyId and wxpayPublicKeyContent").await;
    assert!(
        line.contains(r#""section":"wxpay""#) && line.contains(r#""merchant":"default""#) && line.contains("h5"),
        "{line}"
    );
    assert!(!line.contains(callback.header("wechatpay-serial").unwrap()));
}

#[tokio::test]
async fn f9_a_callback_under_another_public_key_says_that_the_id_is_another() {
    let (shop, callback) = changed(Mode::default(), "wxpay", |config| {
        nodes(config).for_each(|node| node["wxpayPublicKeyId"] = json!("PUB_KEY_ID_0000000000002024000000000000"));
    })
    .await;
    assert!(!shop.taken(&callback).await);
    line(&shop, "another public key").await;
}

#[tokio::test]
async fn f9_a_callback_under_a_platform_certificate_says_that_only_the_public_key_is_configured() {
    let mode = Mode { wxpay_public_key: false, ..Mode::default() };
    let (shop, callback) = changed(mode, "wxpay", |config| {
        let keys = &sandbox::MerchantKeys::generate("another");
        for node in nodes(config) {
            node["wxpayPublicKeyId"] = json!(keys.wechat.wxpay_public_key_id);
            node["wxpayPublicKeyContent"] = json!(keys.wechat.wxpay_public_key);
            // The certificates cannot be had.
            node["apiBase"] = json!("http://127.0.0.1:9");
        }
    })
    .await;
    assert!(!shop.taken(&callback).await);
    line(&shop, "signed under a platform certificate").await;
}

#[tokio::test]
async fn f9_an_alipay_callback_under_another_certificate_says_which_belongs_there() {
    let mode = Mode { alipay_cert: true, ..Mode::default() };
    let (shop, callback) = changed(mode, "alipay", |_| {}).await;
    let other = shop.world.sandbox.forge(callback.clone(), Forgery::UnknownSerial);
    assert!(!shop.taken(&other).await);
    line(&shop, "another certificate than alipayPublicCertContent").await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
}

#[tokio::test]
async fn f9_a_forgery_under_the_right_key_is_told_from_a_missing_key_and_rings_nothing() {
    let (shop, callback) = changed(Mode::default(), "wxpay", |_| {}).await;
    let forged = shop.world.sandbox.forge(callback.clone(), Forgery::OtherKey);
    assert!(!shop.taken(&forged).await);
    let process = &shop.processes["notify"][0];
    process.logged("a callback was refused").await;
    assert!(!process.log().contains(LINE), "{}", process.log());
    // What a stranger writes into the serial number stands nowhere.
    let mut shouted = callback.clone();
    for (name, value) in &mut shouted.headers {
        if name.eq_ignore_ascii_case("wechatpay-serial") {
            *value = "PUB_KEY_ID_ERROR alarm=late_payment".to_owned();
        }
    }
    assert!(!shop.taken(&shouted).await);
    let line = line(&shop, "another public key").await;
    assert!(!line.contains("late_payment"));
    assert!(shop.taken(&callback).await, "{}", shop.log());
}
