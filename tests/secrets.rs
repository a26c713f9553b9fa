//! No secret in any log line, reply or item: not as it is, not in base64, hex or percent-encoding.

use crate::binaries_kit::{Shop, refund_of, secrets};
use crate::world::{Answer, KEY, TABLE};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op};
use serde_json::{Value, json};
use std::fmt::Write;

/// What a secret could look like: itself, parts of it, and encodings that a log or a reply might use.
fn guises(secret: &str) -> Vec<String> {
    // A PEM key stands in lines: the first, the last, and one between.
    let lines: Vec<&str> = secret.lines().filter(|l| !l.contains("-----") && l.len() >= 16).collect();
    let whole = lines.concat();
    let mut all = vec![whole.clone()];
    all.extend(
        [lines.first(), lines.get(lines.len() / 2), lines.last()].into_iter().flatten().map(|l| (*l).to_owned()),
    );
    for text in [secret, &whole] {
        all.push(STANDARD.encode(text));
        all.push(URL_SAFE_NO_PAD.encode(text));
        all.push(text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }));
    }
    // The middle of a long key, as a cut log line would have it.
    if whole.len() > 200 {
        all.push(whole[100..140].to_owned());
    }
    all.retain(|text| text.len() >= 16);
    all.sort();
    all.dedup();
    all
}

fn free_of_secrets(what: &str, text: &str, secrets: &[(&str, String)]) {
    for (name, secret) in secrets {
        for guise in guises(secret) {
            if let Some(at) = text.find(&guise) {
                let line = text.lines().find(|line| line.contains(&guise)).unwrap_or_default();
                let head: String = line.chars().take(300).collect();
                panic!("{what} holds the {name} at {at}: {head}");
            }
        }
    }
}

/// A shop that has seen good and bad days, with everything that it answered.
async fn eventful(mode: Mode, level: &str) -> (Shop, String) {
    let mut shop = Shop::closed(mode, |config| config["notifyKey"] = json!("k9Zs1".repeat(13))).await;
    shop.environment.retain(|(name, _)| *name != "RUST_LOG");
    shop.environment.push(("RUST_LOG", level.to_owned()));
    for function in tests::binaries::FUNCTIONS {
        shop.start(function, 1).await;
    }
    let mut said = String::new();
    let mut hear = |answer: Answer| said.push_str(&answer.1.to_string());
    for provider in ["wxpay", "alipay"] {
        let sandbox = shop.world.sandbox.clone();
        let no = format!("EVENT_{provider}");
        hear(shop.world.create(&no, json!({ "provider": provider })).await);
        hear(shop.world.call("query-payment", json!({ "out_trade_no": no, "pay_order_info": true })).await);
        shop.world.pay_silently(&no).await;
        let callback = sandbox.build_callback(&no, CallbackKind::Payment);
        let mut answers = Vec::new();
        for forgery in [Forgery::BadSignature, Forgery::NoSignature] {
            answers.push(sandbox.send(&sandbox.forge(callback.clone(), forgery)).await);
        }
        answers.push(sandbox.send(&callback).await);
        for answer in answers {
            hear((0, json!(answer.expect("an answer").1)));
        }
        for what in
            [Misbehaviour::BadSignature, Misbehaviour::Garbage, Misbehaviour::Http5xx, Misbehaviour::DropConnection]
        {
            sandbox.misbehave(Fault::once(Op::Any, what));
            hear(shop.world.create(&format!("{no}_{what:?}"), json!({ "provider": provider })).await);
            sandbox.misbehave(Fault::once(Op::Refund, what));
            hear(shop.world.call("refund", refund_of(&no, &format!("{no}R"), 30)).await);
        }
        sandbox.behave();
        hear(shop.world.call("refund", json!({ "out_trade_no": no, "refund_fee": 10 })).await);
        hear(shop.world.call("query-payment", json!({ "out_trade_no": no, "pay_order_info": true })).await);
        let orders = json!({ "action": "pay/queryOrders", "data": { "user_id": "user_001" } });
        hear(shop.world.call("query-payment", orders).await);
        hear(shop.world.call("refund", json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } })).await);
        let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": format!("{no}_Garbage") } });
        hear(shop.world.call("create-payment", close).await);
        hear(shop.world.call("create-payment", json!({ "key": KEY.len(), "data": 7 })).await);
        shop.proxy.spoil(3, |call| call.is("GetItem"), tests::dynamo_proxy::Act::error("AccessDeniedException"));
        hear(shop.world.call("query-payment", json!({ "out_trade_no": no })).await);
        shop.proxy.behave();
    }
    let at_client = [
        ("appleiap", json!({ "product_id": "coins_1" })),
        ("vkspay", json!({})),
        (
            "wxpay-virtual",
            json!({ "code": "c", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } }),
        ),
        ("douyin", json!({})),
        ("huawei", json!({ "vk_platform": "app-harmony" })),
    ];
    crate::world::names_all(&at_client.each_ref().map(|(provider, _)| *provider), |provider| {
        !["wxpay", "alipay"].contains(&provider.name())
    });
    for (provider, more) in at_client {
        let sandbox = shop.world.sandbox.clone();
        let no = format!("EVENT_{}", provider.replace('-', "_"));
        let mut data = json!({ "provider": provider, "vk_platform": null });
        crate::world::merge(&mut data, more);
        let (status, created) = shop.world.create(&no, data.clone()).await;
        let at = sandbox::Provider::parse(provider).expect("a provider");
        let how = sandbox::Pay { merchant: Some("shop".to_owned()), notify: false, ..Default::default() };
        let paid = sandbox.client_pay(at, &created["orderInfo"], how).await.expect("paid");
        hear((status, created));
        let callback = sandbox.build_callback(&paid.paid.number, CallbackKind::Payment);
        for forgery in [Forgery::BadSignature, Forgery::NoSignature] {
            hear((0, json!(sandbox.send(&sandbox.forge(callback.clone(), forgery)).await.expect("an answer").1)));
        }
        let receipt = json!({
            "out_trade_no": no, "transaction_receipt": paid.result["transactionReceipt"], "transaction_identifier": "1",
        });
        let bring = json!({ "action": "pay/appleiap/verifyReceipt", "data": receipt });
        hear(shop.world.call("query-payment", bring).await);
        for what in [Misbehaviour::Garbage, Misbehaviour::Http5xx, Misbehaviour::DropConnection] {
            sandbox.misbehave(Fault::once(Op::Any, what));
            data["out_trade_no"] = json!(format!("{no}_{what:?}"));
            hear(shop.world.create(&format!("{no}_{what:?}"), data.clone()).await);
            sandbox.misbehave(Fault::once(Op::Query, what));
            hear(shop.world.call("query-payment", json!({ "out_trade_no": no, "pay_order_info": true })).await);
        }
        sandbox.behave();
        hear((0, json!(sandbox.send(&callback).await.expect("an answer").1)));
        hear(shop.world.call("query-payment", json!({ "out_trade_no": no, "await_notify": true })).await);
        hear(
            shop.world
                .call("refund", json!({ "out_trade_no": no, "out_refund_no": "REFUND-0001", "refund_fee": 10 }))
                .await,
        );
        hear(shop.world.call("refund", json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } })).await);
    }
    for provider in ["wxpay", "wxpay-virtual", "alipay", "douyin"] {
        for code in ["good", "bad"] {
            hear(shop.world.call("login", json!({ "provider": provider, "code": code })).await);
        }
    }
    (shop, said)
}

async fn scanned(mode: Mode, level: &str) {
    let (mut shop, said) = eventful(mode, level).await;
    let mut known = secrets(&shop.world.keys);
    known.push(("notify key", "k9Zs1".repeat(13)));
    for function in tests::binaries::FUNCTIONS {
        shop.kill(function).await;
    }
    let log = shop.log();
    assert!(log.contains("is paid"), "there is a log to scan");
    assert!(said.contains("orderInfo"), "there are replies to scan");
    free_of_secrets("a log", &log, &known);
    free_of_secrets("a reply", &said, &known);
    let tables = [TABLE].into_iter().chain(vk_pay_local::dynamo::BUSINESS_TABLES);
    for table in tables {
        let items: Vec<Value> = shop.world.items(table).await;
        free_of_secrets(table, &json!(items).to_string(), &known);
    }
    assert!(!shop.world.items(TABLE).await.is_empty());
}

#[tokio::test]
async fn no_secret_is_in_any_log_reply_or_item() {
    scanned(Mode::default(), "info").await;
    scanned(Mode { wxpay_version: 2, alipay_cert: true, alipay_aes: true, ..Mode::default() }, "debug").await;
}

#[tokio::test]
async fn no_secret_is_in_the_most_talkative_log() {
    scanned(Mode::default(), "trace").await;
    scanned(
        Mode { wxpay_public_key: false, ..Mode::default() },
        "off,create_payment=trace,hyper=trace,aws_smithy_runtime=trace,lambda_runtime=trace,shared=trace,payments=trace,providers=trace,store=trace,net=trace",
    )
    .await;
}

#[test]
fn the_scan_finds_what_it_looks_for() {
    let secret = [("key", "-----BEGIN-----\nabcdefghijklmnopqrstuvwxyz\n-----END-----".to_owned())];
    for text in ["x abcdefghijklmnopqrstuvwxyz y", &STANDARD.encode("abcdefghijklmnopqrstuvwxyz")] {
        assert!(std::panic::catch_unwind(|| free_of_secrets("a text", text, &secret)).is_err());
    }
}
