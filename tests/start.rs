//! Refusing to start: every fault named by its path, no secret repeated, no work asked for. And reloading.

use crate::binaries_kit::{Shop, until};
use crate::world::merge;
use sandbox::{MerchantKeys, Mode};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tests::binaries::{FUNCTIONS, binaries};
use tests::runtime_api::{Emulator, Function};

/// A key that no fault may repeat, not even in part.
const SHORT: &str = "zq7-Xw!2kP";
const LONG: &str = "a-secret-of-the-shop-0815";

fn keys() -> &'static [MerchantKeys; 2] {
    static KEYS: OnceLock<[MerchantKeys; 2]> = OnceLock::new();
    KEYS.get_or_init(|| ["one", "two"].map(MerchantKeys::generate))
}

/// A configuration that is right: APIv3, APIv2 for pay codes, Alipay by certificates.
fn right() -> Value {
    let mut config = keys()[0].config_with("http://127.0.0.1:9", Mode { alipay_cert: true, ..Mode::default() });
    merge(&mut config, json!({ "notifyUrl": "https://shop.example/notify", "auth": { "keys": { "shop": LONG } } }));
    config
}

/// The right configuration with one value of it, or several, replaced.
fn with(changes: &[(&str, Value)]) -> Value {
    let mut config = right();
    for (path, value) in changes {
        let mut at = &mut config;
        for part in path.split('/') {
            at = &mut at[part];
        }
        *at = value.clone();
    }
    config
}

struct Refusal {
    lines: Vec<String>,
    message: String,
    log: String,
}

/// Starts a function with this `PAY_CONFIG`; it must refuse.
async fn refused(function: &str, source: &str) -> Refusal {
    let emulator = Emulator::start().await;
    let environment = [("PAY_CONFIG", source), ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")];
    let start = Instant::now();
    let process = emulator.spawn(binaries().path(function), &environment).await;
    let fault = process.ready().await.expect_err("it must not ask for work");
    let ended = process.ended().await;
    assert!(start.elapsed() < Duration::from_secs(5), "{function} took {:?}", start.elapsed());
    assert!(ended.message.contains("exit status: ") && !ended.message.contains("exit status: 0"), "{ended}");
    assert_eq!(process.init_error().expect("an init error").error_type, "PayConfig");
    let log = process.log();
    let lines = fault.message.lines().map(str::to_owned).collect();
    Refusal { lines, message: fault.message, log }
}

/// Checks one faulty document: exactly these paths, in the log and in the report, and no secret.
async fn names(function: &str, config: &Value, wanted: &[(&str, &str)]) {
    let Refusal { lines, message, log } = refused(function, &config.to_string()).await;
    let mut paths: Vec<&str> = lines.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let mut expected: Vec<&str> = wanted.iter().map(|(path, _)| *path).collect();
    paths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paths, expected, "{message}");
    for (path, what) in wanted {
        let line = format!("{path}: {what}");
        assert!(lines.iter().any(|own| own.contains(&line)), "{line}\nis not in\n{message}");
        assert!(log.lines().any(|own| own.contains(&line)), "{line}\nis not in the log\n{log}");
    }
    let mut texts = Vec::new();
    collect(config, "", &mut texts);
    for (key, secret) in texts.iter().filter(|(_, text)| text.len() >= 8) {
        // PEM heads are public.
        let core = secret.lines().find(|line| !line.contains("-----")).unwrap_or(secret);
        assert!(!log.contains(core) && !message.contains(core), "{key} is repeated:\n{log}");
    }
    assert!(!log.contains(SHORT) && !message.contains(SHORT) && !log.contains(&SHORT[..5]));
}

/// The values of a document that are secrets, by the name of their key.
fn collect(value: &Value, key: &str, into: &mut Vec<(String, String)>) {
    const SECRET: [&str; 8] =
        ["v3Key", "key", "appPrivateKeyContent", "privateKey", "hs256", "notifyKey", "encryptKey", "secret"];
    match value {
        Value::Object(map) => {
            let all = key == "keys";
            for (name, value) in map {
                collect(value, if all { "hs256" } else { name }, into);
            }
        }
        Value::String(text) if SECRET.contains(&key) && !text.trim().is_empty() => {
            into.push((key.to_owned(), text.clone()));
        }
        _ => {}
    }
}

#[tokio::test]
async fn the_configuration_that_the_faults_are_put_into_is_right() {
    let config = right().to_string();
    for function in FUNCTIONS {
        let emulator = Emulator::start().await;
        let environment = [("PAY_CONFIG", config.as_str()), ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")];
        let process = emulator.spawn(binaries().path(function), &environment).await;
        process.ready().await.unwrap_or_else(|fault| panic!("{fault}"));
    }
}

#[tokio::test]
async fn a_faulty_configuration_is_refused_and_the_fault_named_by_its_path() {
    let other = &keys()[1];
    let sample = "5FB2CD73C7B53918728417C50762E6D4".repeat(2);
    let cases: Vec<(&str, Value, &str, &str)> = vec![
        ("notifyKey", json!(SHORT), "notifyKey", "10 characters, needs at least 32"),
        ("notifyKey", json!(sample), "notifyKey", "is a published sample"),
        ("notifyKey", json!(sample.to_lowercase()), "notifyKey", "is a published sample"),
        ("notifyKey", json!("your_notify_key"), "notifyKey", "is a published sample"),
        ("notifyKey", json!("k".repeat(64)), "notifyKey", "is one repeated character"),
        ("notifyKey", json!(""), "notifyKey", "is empty"),
        ("wxpay/mp-weixin/v3Key", json!(""), "wxpay.mp-weixin.v3Key", "is empty"),
        ("wxpay/mp-weixin/v3Key", json!("   "), "wxpay.mp-weixin.v3Key", "is empty"),
        ("wxpay/mp-weixin/v3Key", json!("0".repeat(32)), "wxpay.mp-weixin.v3Key", "is one repeated character"),
        (
            "wxpay/mp-weixin/v3Key",
            json!("abcdefghijklmnopqrstuvwxyz01234"),
            "wxpay.mp-weixin.v3Key",
            "31 bytes, needs 32",
        ),
        ("wxpay/codepay/key", json!(""), "wxpay.codepay.key", "is empty"),
        ("alipay/h5/privateKey", json!(""), "alipay.h5.privateKey", "is empty"),
        ("alipay/h5/privateKey", json!("AAAA"), "alipay.h5.privateKey", "is one repeated character"),
        (
            "wxpay/mp-weixin/appPrivateKeyContent",
            json!(other.wechat.merchant_key),
            "wxpay.mp-weixin.appPrivateKeyContent",
            "does not match appCertContent",
        ),
        (
            "alipay/h5/privateKey",
            json!(other.alipay.app_private_key),
            "alipay.h5.privateKey",
            "does not match appCertContent",
        ),
        ("wxpay/transfer/dailyLimit", json!(0), "wxpay.transfer.dailyLimit", "must be a whole number from 1"),
        ("wxpay/transfer/dailyLimit", json!("100"), "wxpay.transfer.dailyLimit", "must be a whole number from 1"),
        (
            "wxpay/transfer/dailyLimitPerPayee",
            json!(1.5),
            "wxpay.transfer.dailyLimitPerPayee",
            "must be a whole number",
        ),
        ("wxpay/transfer/transferSceneId", json!({}), "wxpay.transfer.transferSceneId", "must be a text"),
        ("wxpay/transfer/userRecvPerception", json!([]), "wxpay.transfer.userRecvPerception", "must be a text"),
        (
            "wxpay/transfer/transferSceneReportInfos",
            json!([{ "info_type": "a" }]),
            "wxpay.transfer.transferSceneReportInfos",
            "must be a list of {info_type, info_content}",
        ),
        ("alipay/transfer/dailyLimit", json!(-1), "alipay.transfer.dailyLimit", "must be a whole number from 1"),
        ("alipay/transfer/transferSceneName", json!(true), "alipay.transfer.transferSceneName", "must be a text"),
        ("auth/refund", json!("none"), "auth.refund", "must not be none"),
        ("auth/queryRefund", json!(["key", "none"]), "auth.queryRefund", "must not be none"),
        ("auth/queryOrders", json!("none"), "auth.queryOrders", "must not be none"),
        ("auth/queryIncidents", json!("none"), "auth.queryIncidents", "must not be none"),
        ("auth/resolveIncident", json!("none"), "auth.resolveIncident", "must not be none"),
        ("auth/rerunHandler", json!("none"), "auth.rerunHandler", "must not be none"),
        ("auth/transfer", json!("none"), "auth.transfer", "must not be none"),
        ("auth/queryTransfer", json!("none"), "auth.queryTransfer", "must not be none"),
        ("auth/cancelTransfer", json!("none"), "auth.cancelTransfer", "must not be none"),
        ("auth/wxpayVirtual", json!("none"), "auth.wxpayVirtual", "must not be none"),
        ("auth/default", json!("none"), "auth.default", "must not be none"),
        ("auth", json!({}), "auth.keys", "is missing"),
        ("auth", json!({ "default": "iam", "createPayment": "key" }), "auth.keys", "is missing"),
        ("auth", json!({ "keys": {} }), "auth.keys", "is empty"),
        ("auth/createPayment", json!("jwt"), "auth.jwt", "is missing"),
        ("auth/createPayment", json!("password"), "auth.createPayment", "must be none, key, iam or jwt"),
        ("auth/createPayment", json!([]), "auth.createPayment", "must be none, key, iam or jwt"),
        ("auth/refnud", json!("none"), "auth.refnud", "is not known here"),
        ("auth/jwt", json!({ "hs256": LONG, "isuer": "x" }), "auth.jwt.isuer", "is not known here"),
        ("auth/iam", json!({ "alow": [] }), "auth.iam.alow", "is not known here"),
        ("auth/keys", json!({ "shop": SHORT }), "auth.keys.shop", "10 bytes, needs at least 16"),
        ("auth/keys", json!({ "shop": "aaaaaaaaaaaaaaaaaaaa" }), "auth.keys.shop", "is one repeated character"),
        ("auth/keys", json!({ "shop": "" }), "auth.keys.shop", "is empty"),
        ("auth/jwt", json!({ "hs256": SHORT }), "auth.jwt.hs256", "10 bytes, needs at least 16"),
        ("auth/quote", json!({ "hs256": SHORT }), "auth.quote.hs256", "10 bytes, needs at least 16"),
        ("policy", json!({ "latePayment": "keep" }), "policy.latePayment", "must be one of"),
        ("policy", json!({ "duplicatePayment": "accept" }), "policy.duplicatePayment", "must be one of"),
        ("policy", json!({ "latepayment": "wait" }), "policy.latepayment", "is not known here"),
        (
            "handlers",
            json!({ "mine": { "ftp": {} } }),
            "handlers.mine",
            "must have one of http, lambda and eventBridge",
        ),
        (
            "handlers",
            json!({ "recharge": { "lambda": { "function": "f" } } }),
            "handlers.recharge",
            "the type has a handler in Rust",
        ),
        (
            "handlers",
            json!({ "crm": { "lambda": { "function": "f", "replaces": true } } }),
            "handlers.crm.lambda.replaces",
            "is not known here",
        ),
        (
            "handlers",
            json!({ "mine": { "http": { "url": "https://a.test/", "kee": "x" } } }),
            "handlers.mine.http.kee",
            "is not known here",
        ),
        (
            "handlers",
            json!({ "mine": { "http": { "url": "http://a.test/" } } }),
            "handlers.mine.http.url",
            "must be https",
        ),
        (
            "handlers",
            json!({ "mine": { "http": { "url": "https://10.0.0.1/" } } }),
            "handlers.mine.http.url",
            "is an address",
        ),
        (
            "handlers",
            json!({ "mine": { "http": { "url": "https://a.test/", "key": "  " } } }),
            "handlers.mine.http.key",
            "is empty",
        ),
        (
            "handlers",
            json!({ "mine": { "http": { "url": "https://a.test/", "timeoutMs": 10_001 } } }),
            "handlers.mine.http.timeoutMs",
            "must be a whole number",
        ),
        ("handlers", json!({ "mine": { "lambda": { "function": "f", "encrypt": true } } }), "notifyKey", "is missing"),
        (
            "handlers",
            json!({ "mine": { "lambda": { "function": "f", "encrypt": 1 } } }),
            "handlers.mine.lambda.encrypt",
            "must be true",
        ),
    ];
    for (i, (place, value, path, what)) in cases.iter().enumerate() {
        names(FUNCTIONS[i % FUNCTIONS.len()], &with(&[(place, value.clone())]), &[(path, what)]).await;
    }
}

#[tokio::test]
async fn a_quote_secret_that_is_the_users_secret_is_refused() {
    let config = with(&[("auth/jwt", json!({ "hs256": LONG })), ("auth/quote", json!({ "hs256": LONG }))]);
    names("notify", &config, &[("auth.quote.hs256", "must differ from auth.jwt.hs256")]).await;
}

#[tokio::test]
async fn all_faults_are_listed_also_those_of_parts_that_the_function_does_not_use() {
    let config = with(&[
        ("notifyKey", json!(SHORT)),
        ("wxpay/app-plus/v3Key", json!("tooshort-v3-key")),
        ("wxpay/h5/appPrivateKeyContent", json!(keys()[1].wechat.merchant_key)),
        ("alipay/mp-alipay/privateKey", json!(keys()[1].alipay.app_private_key)),
        (
            "merchants",
            json!({ "second": { "wxpay": { "h5": { "appId": "wx1", "mchId": "1900000001", "v3Key": "" } } } }),
        ),
        ("auth", json!({ "keys": { "shop": SHORT }, "refund": "none", "queryOrders": "sesame" })),
        ("policy", json!({ "latePayment": "keep", "x": 1 })),
    ]);
    let wanted = [
        ("notifyKey", "10 characters"),
        ("wxpay.app-plus.v3Key", "15 bytes, needs 32"),
        ("wxpay.h5.appPrivateKeyContent", "does not match appCertContent"),
        ("alipay.mp-alipay.privateKey", "does not match appCertContent"),
        ("merchants.second.wxpay.h5.v3Key", "is empty"),
        ("merchants.second.wxpay.h5.appCertContent", "is missing"),
        ("merchants.second.wxpay.h5.appPrivateKeyContent", "is missing"),
        ("auth.refund", "must not be none"),
        ("auth.queryOrders", "must be none, key, iam or jwt"),
        ("auth.keys.shop", "10 bytes"),
        ("policy.latePayment", "must be one of"),
        ("policy.x", "is not known here"),
    ];
    for function in FUNCTIONS {
        names(function, &config, &wanted).await;
    }
}

#[tokio::test]
async fn a_document_that_is_none_is_refused() {
    let half = right().to_string();
    let half = &half[..half.len() / 2];
    let missing = "file:/nowhere/pay.json";
    for (source, path) in
        [(half, "config: is not JSON"), ("{}", "auth.keys: "), (missing, "PAY_CONFIG: "), ("x", "PAY_CONFIG: ")]
    {
        let refusal = refused("notify", source).await;
        assert!(refusal.lines.iter().any(|line| line.starts_with(path)), "{source:.20}: {}", refusal.message);
        assert!(!refusal.log.contains(&keys()[0].wechat.v3_key));
    }
    let emulator = Emulator::start().await;
    let process = emulator.spawn(binaries().path("refund"), &[]).await;
    assert_eq!(process.ready().await.unwrap_err().message, "PAY_CONFIG: is missing");
}

#[tokio::test]
async fn unknown_keys_elsewhere_are_logged_and_ignored() {
    let config = with(&[("wxpay/h5/colour", json!("blue")), ("somethingElse", json!(1))]).to_string();
    let emulator = Emulator::start().await;
    let environment = [("PAY_CONFIG", config.as_str()), ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9")];
    let process = emulator.spawn(binaries().path("notify"), &environment).await;
    process.ready().await.expect("a start");
    process.logged("wxpay.h5.colour: is not known").await;
    process.logged("somethingElse: is not known").await;
}

#[tokio::test]
async fn remarks_are_logged_once_at_start_and_once_for_each_changed_configuration() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    let mut config = shop.world.config.clone();
    config["appleiap"]["app-plus"].as_object_mut().unwrap().shift_remove("appAppleId");
    config["appleiap"]["app-plus"]["sandbox"] = json!(true);
    shop.configure(&config.to_string());
    shop.environment.push(("PAY_CONFIG_TTL", "0".to_owned()));
    shop.start("query-payment", 1).await;
    let ask = async || shop.world.call("query-payment", json!({ "out_trade_no": "NOBODY_KNOWS" })).await.0;
    let remark = "appleiap.app-plus.appAppleId: is missing";
    for _ in 0..3 {
        assert_eq!(ask().await, 404);
    }
    until("the remark", async || times(&shop, remark) > 0).await;
    assert_eq!(times(&shop, remark), 1, "{}", shop.log());
    assert!(shop.log().lines().any(|line| line.contains("WARN") && line.contains(remark)));
    config["notifyUrl"] = json!("https://fc-mp-1.next.bspapp.com/http/vk-pay");
    shop.configure(&config.to_string());
    for _ in 0..3 {
        assert_eq!(ask().await, 404);
    }
    until("the remark", async || times(&shop, "notifyUrl: still points at the old system") > 0).await;
    assert_eq!((times(&shop, "notifyUrl: still points"), times(&shop, remark)), (1, 2), "{}", shop.log());
}

/// How often a text stands in the logs of the processes that answer calls.
fn times(shop: &Shop, text: &str) -> usize {
    shop.processes["query-payment"].iter().map(|p: &Function| p.log().matches(text).count()).sum()
}

#[tokio::test]
async fn a_changed_configuration_is_picked_up_and_a_broken_one_keeps_the_last_good() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.environment.push(("PAY_CONFIG_TTL", "0".to_owned()));
    shop.start("query-payment", 1).await;
    let ask = async |key: &str| {
        let body = json!({ "out_trade_no": "NOBODY_KNOWS" });
        shop.world.post(&shop.world.url("query-payment"), body, Some(key)).await.0
    };
    let old = crate::world::KEY;
    let new = "another-key-of-the-shop";
    assert_eq!((ask(old).await, ask(new).await), (404, 401));
    let good = shop.world.config.clone();
    let mut changed = good.clone();
    changed["auth"]["keys"]["shop"] = json!(new);
    shop.configure(&changed.to_string());
    assert_eq!((ask(old).await, ask(new).await), (401, 404), "picked up without a restart");

    let mut broken = changed.clone();
    broken["auth"]["refund"] = json!("none");
    broken["auth"]["keys"]["shop"] = json!("tooshort");
    let half = &changed.to_string()[..2000].to_owned();
    for (text, fault) in [
        (broken.to_string(), "auth.refund: must not be none"),
        (half.clone(), "config: is not JSON"),
        (String::new(), "config: is not JSON"),
    ] {
        let before = times(&shop, fault);
        shop.configure(&text);
        for _ in 0..5 {
            assert_eq!((ask(old).await, ask(new).await), (401, 404), "the last good one stays");
        }
        until("the fault", async || times(&shop, fault) > before).await;
        assert_eq!(times(&shop, fault), before + 1, "once for one content:\n{}", shop.log());
    }
    assert!(shop.log().lines().any(|l| l.contains("ERROR") && l.contains("auth.keys.shop: 8 bytes")), "all its faults");
    shop.configure(&good.to_string());
    assert_eq!((ask(old).await, ask(new).await), (404, 401), "and a good one is used again");
}

#[tokio::test]
async fn a_configuration_that_is_gone_keeps_the_last_good_and_is_logged_once() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.environment.push(("PAY_CONFIG_TTL", "0".to_owned()));
    shop.start("query-payment", 1).await;
    let ask = async || shop.world.call("query-payment", json!({ "out_trade_no": "NOBODY_KNOWS" })).await.0;
    assert_eq!(ask().await, 404);
    shop.remove_config();
    for _ in 0..5 {
        assert_eq!(ask().await, 404);
    }
    until("the fault", async || times(&shop, "cannot be read") > 0).await;
    assert_eq!(times(&shop, "cannot be read"), 1, "{}", shop.log());
    shop.configure(&shop.world.config.to_string());
    assert_eq!(ask().await, 404);
    shop.remove_config();
    assert_eq!(ask().await, 404);
    until("the fault again", async || times(&shop, "cannot be read") == 2).await;
}

#[tokio::test]
async fn a_configuration_that_is_looked_at_later_is_not_looked_at_before() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.start("query-payment", 1).await;
    shop.configure("{}");
    let (status, _) = shop.world.call("query-payment", json!({ "out_trade_no": "NOBODY_KNOWS" })).await;
    assert_eq!(status, 404, "300 s by default");
    assert!(!shop.log().contains("ERROR"));
}
