//! Texts that are signed as they stand are read one way: nothing with a separator goes into one, and what comes
//! back is not believed where it could be split otherwise.

use crate::world::{World, merge};
use sandbox::{CallbackKind, DouyinProduct, Epay, Mode, Provider, TradeState};
use serde_json::{Value, json};

fn usual() -> Mode {
    Mode::default()
}

/// Everything that signs the subject as it stands.
fn raw_signers() -> Vec<(&'static str, Mode, Value)> {
    vec![
        ("epay md5", Mode { epay: Epay::Md5, ..usual() }, json!({ "provider": "vkspay" })),
        ("epay rsa", Mode { epay: Epay::Rsa, ..usual() }, json!({ "provider": "vkspay" })),
        ("wxpay v2", Mode { wxpay_version: 2, ..usual() }, json!({ "provider": "wxpay" })),
        (
            "ecpay",
            Mode { douyin: DouyinProduct::Ecpay, ..usual() },
            json!({ "provider": "douyin", "vk_platform": "mp-toutiao" }),
        ),
        ("huawei", usual(), json!({ "provider": "huawei", "vk_platform": "app-harmony" })),
        ("alipay", usual(), json!({ "provider": "alipay" })),
    ]
}

#[tokio::test]
async fn a_subject_that_could_be_read_as_fields_is_refused_where_it_is_signed_as_it_stands() {
    for (name, mode, way) in raw_signers() {
        let world = World::with(mode, |_| {}).await;
        for subject in ["x&out_trade_no=T2&trade_no=9&type=", "a&b", "a=b"] {
            let mut data = way.clone();
            merge(&mut data, json!({ "subject": subject }));
            let (status, made) = world.create("RAW_0001", data).await;
            assert_eq!((status, &made["code"]), (400, &json!(1004)), "{name} {subject}: {made}");
            assert!(made["msg"].as_str().is_some_and(|msg| msg.contains("subject")), "{made}");
        }
        assert_eq!(world.order("RAW_0001").await, Value::Null, "{name}: nothing is stored");
        assert!(world.sandbox.trades().is_empty(), "{name}: nobody was asked");
        let mut data = way.clone();
        merge(&mut data, json!({ "subject": "咖啡 ＆ 蛋糕 + 100%" }));
        assert_eq!(world.create("RAW_0001", data).await.0, 200, "{name}");
    }
    // JSON says where a text ends.
    let world = World::start().await;
    assert_eq!(world.create("JSON_0001", json!({ "subject": "A&B=C" })).await.0, 200);
}

#[tokio::test]
async fn other_texts_of_version_2_are_refused_by_name() {
    let world = World::with(Mode { wxpay_version: 2, ..usual() }, |_| {}).await;
    for (other, name) in [
        (json!({ "attach": "x&out_trade_no=T2" }), "attach"),
        (json!({ "attach": "a=1" }), "attach"),
        (json!({ "device_info": "a\nb" }), "device_info"),
        (json!({ "goods_tag": "a&b" }), "goods_tag"),
    ] {
        let (status, made) = world.create("ATTACHED_1", json!({ "other": other })).await;
        assert_eq!(status, 400, "{other}: {made}");
        assert!(made["msg"].as_str().is_some_and(|msg| msg.contains(name)), "{made}");
    }
    assert_eq!(world.order("ATTACHED_1").await, Value::Null);
    let (status, made) = world.create("ATTACHED_1", json!({ "other": { "attach": "plain" } })).await;
    assert_eq!(status, 200, "{made}");
}

#[tokio::test]
async fn an_address_to_return_to_names_no_field_of_what_it_is_signed_with() {
    let epay = World::with(Mode { epay: Epay::Rsa, ..usual() }, |_| {}).await;
    let back = json!({ "provider": "vkspay", "return_url": "https://shop.example/?a=1&type=wxpay" });
    let (status, made) = epay.create("BACK_0001", back).await;
    assert_eq!((status, &made["code"]), (400, &json!(1022)), "{made}");
    let world = World::start().await;
    let back = json!({
        "provider": "alipay", "vk_platform": "pc", "return_url": "https://shop.example/?a=1&timestamp=0",
    });
    let (status, made) = world.create("BACK_0002", back).await;
    assert_eq!((status, &made["code"]), (400, &json!(1022)), "{made}");
}

#[tokio::test]
async fn a_refunds_reason_is_refused_where_it_is_signed_as_it_stands_and_escaped_where_it_can_be() {
    for (name, mode, way) in raw_signers() {
        if name.starts_with("epay") {
            continue; // It is not sent.
        }
        let world = World::with(mode, |_| {}).await;
        let (status, made) = world.create("REASON_0001", way).await;
        assert_eq!(status, 200, "{name}: {made}");
        world.pay("REASON_0001").await;
        let refund = json!({ "out_trade_no": "REASON_0001", "out_refund_no": "REASON-R1", "refund_fee": 40,
            "refund_desc": "尺码&颜色=不符" });
        let (status, answer) = world.call("refund", json!({ "action": "pay/refund", "data": refund })).await;
        let order = world.order("REASON_0001").await;
        if name == "alipay" {
            assert_eq!(status, 200, "the gateway checked the signature of the escaped text: {answer}");
            continue;
        }
        // APIv2 asks for a client certificate first, which this merchant has.
        assert_eq!((status, &answer["code"]), (400, &json!(1030)), "{name}: {answer}");
        assert!(answer["msg"].as_str().is_some_and(|msg| msg.contains("refund_desc")), "{answer}");
        assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(100)), "nothing is reserved");
    }
}

#[tokio::test]
async fn a_signed_text_that_the_payer_splits_otherwise_credits_no_other_order() {
    let ways = [
        ("epay md5", Mode { epay: Epay::Md5, ..usual() }, Provider::Vkspay),
        ("epay rsa", Mode { epay: Epay::Rsa, ..usual() }, Provider::Vkspay),
        ("wxpay v2", Mode { wxpay_version: 2, ..usual() }, Provider::Wxpay),
        ("wxpay v2 hmac", Mode { wxpay_version: 2, v2_hmac: true, ..usual() }, Provider::Wxpay),
        ("alipay", usual(), Provider::Alipay),
    ];
    for (name, mode, provider) in ways {
        let world = World::with(mode, |_| {}).await;
        for no in ["PAID_0001", "VICTIM_0001"] {
            let (status, made) = world.create(no, json!({ "provider": provider.name() })).await;
            assert_eq!(status, 200, "{name}: {made}");
        }
        world.pay_silently("PAID_0001").await;
        let genuine = world.sandbox.build_callback("PAID_0001", CallbackKind::Payment);
        let split = world.sandbox.resplit(provider, "PAID_0001", "VICTIM_0001").expect("a callback");
        let (status, body) = world.sandbox.send(&split).await.expect("an answer");
        assert!((400..500).contains(&status), "{name}: {status} {body}");
        assert_eq!(world.order("VICTIM_0001").await["trade_state"], "NOTPAY", "{name}: nobody paid it");
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0, "{name}");
        world.sandbox.send(&genuine).await.expect("an answer");
        assert_eq!(world.order("PAID_0001").await["trade_state"], "SUCCESS", "{name}: the genuine one is taken");
    }
}

/// The payer is sent back to the page with the same signed fields, so a site's signature alone proves nothing.
#[tokio::test]
async fn an_epay_site_is_asked_before_its_signed_notice_credits() {
    for epay in [Epay::Md5, Epay::Rsa] {
        let world = World::with(Mode { epay, ..usual() }, |_| {}).await;
        world.create("ASKED_0001", json!({ "provider": "vkspay" })).await;
        world.pay_silently("ASKED_0001").await;
        let signed = world.sandbox.build_callback("ASKED_0001", CallbackKind::Payment);
        let paid = |is: bool| {
            let change = |trade: &mut sandbox::Trade| {
                trade.state = if is { TradeState::Success } else { TradeState::NotPay };
            };
            world.sandbox.alter(Provider::Vkspay, "ASKED_0001", change).expect("a trade");
        };
        paid(false);
        world.sandbox.send(&signed).await.expect("an answer");
        assert_eq!(world.order("ASKED_0001").await["trade_state"], "NOTPAY", "{epay:?}: the site says unpaid");
        paid(true);
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        world.sandbox.send(&signed).await.expect("an answer");
        assert_eq!(world.order("ASKED_0001").await["trade_state"], "SUCCESS", "{epay:?}");
    }
}
