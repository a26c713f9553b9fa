//! Creating Alipay payments: what each product is told, and what the client gets.

use super::alipay_kit::{
    APP_ID, MINUTE, NOW, NUMBER, OURS, Script, TRADE_NO, attempt, failure, gateway, node, order, request, success,
};
use domain::{Fen, Order, UnixMs};
use providers::{CallError, CreateRequest, Created, Meaning, ProviderClients, alipay::signing};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Creates at a script's gateway.
async fn create_at(
    script: &Script,
    name: &str,
    more: Value,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let mut more = more;
    more["apiBase"] = script.url.clone().into();
    gateway(name, node(more)).create(&script.clients, request).await
}

/// Creates where no call may be made.
async fn create_offline(name: &str, more: Value, request: &CreateRequest<'_>) -> Created {
    match gateway(name, node(more)).create(&ProviderClients::default(), request).await {
        Ok(created) => created,
        other => panic!("{other:?}"),
    }
}

fn verified(query: &str) -> BTreeMap<String, String> {
    let form: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let params: Vec<_> = form.iter().collect();
    assert!(OURS.public.verify(signing::request_text(&params).as_bytes(), &form["sign"]));
    form
}

fn biz(form: &BTreeMap<String, String>) -> Value {
    serde_json::from_str(&form["biz_content"]).expect("JSON")
}

fn mini(openid: &str, other: Value) -> Order {
    order(json!({ "other": other, "attempts": [attempt(json!({ "node": "mp-alipay", "openid": openid }))] }))
}

#[tokio::test]
async fn a_mini_program_gets_the_trade_number_to_pay() {
    let method = "alipay.trade.create";
    let answer = || success(method, json!({ "out_trade_no": NUMBER, "trade_no": TRADE_NO }));
    let script = Script::of(vec![answer(), answer(), answer()]).await;

    let open = mini("074a1CcTG1LelxKe4xQC0zgNdId0nx", json!({}));
    let Ok(created) = create_at(&script, "mp-alipay", json!({}), &request(&open)).await else { panic!() };
    assert_eq!(created.order_info, json!(TRADE_NO));
    assert_eq!(created.fresh_until, open.time_expire);
    assert_eq!((created.code_url, created.payment), (None, None));
    let biz = script.biz(0);
    assert_eq!(biz["buyer_open_id"], "074a1CcTG1LelxKe4xQC0zgNdId0nx");
    assert_eq!((&biz["op_app_id"], &biz["product_code"]), (&json!(APP_ID), &json!("JSAPI_PAY")));
    assert_eq!((&biz["total_amount"], &biz["time_expire"]), (&json!("12.30"), &json!("2026-01-02 11:34:05")));

    let old = mini("2088000000000001", json!({ "op_app_id": "2021000000000777", "buyer_open_id": "someone else" }));
    assert!(create_at(&script, "mp-alipay", json!({}), &request(&old)).await.is_ok());
    let biz = script.biz(1);
    assert_eq!((&biz["buyer_id"], &biz["op_app_id"]), (&json!("2088000000000001"), &json!("2021000000000777")));
    assert_eq!(biz.get("buyer_open_id"), None);

    let partner = mini("074a1CcTG1LelxKe4xQC0zgNdId0nx", json!({ "op_buyer_open_id": "op-buyer" }));
    assert!(create_at(&script, "mp-alipay", json!({}), &request(&partner)).await.is_ok());
    assert_eq!(script.biz(2)["op_buyer_open_id"], "op-buyer");
    assert_eq!(script.biz(2).get("buyer_open_id"), None);
}

#[tokio::test]
async fn a_request_carries_the_system_parameters() {
    let answer =
        success("alipay.trade.precreate", json!({ "out_trade_no": NUMBER, "qr_code": "https://qr.alipay.com/x" }));
    let script = Script::of(vec![answer]).await;
    let order = order(json!({}));
    let more = json!({ "appAuthToken": "202601BBisv0token" });
    assert!(create_at(&script, "h5", more, &request(&order)).await.is_ok());
    let form = &script.asked()[0];
    for (name, value) in [
        ("app_id", APP_ID),
        ("method", "alipay.trade.precreate"),
        ("format", "JSON"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", "2026-01-02 11:04:05"),
        ("version", "1.0"),
        ("notify_url", "https://shop.example/pay-notify/alipay/default"),
        ("app_auth_token", "202601BBisv0token"),
    ] {
        assert_eq!(form[name], value, "{name}");
    }
    assert_eq!(form["sign"].len(), 344);
    assert!(!form.contains_key("app_cert_sn"));
}

#[tokio::test]
async fn h5_is_a_qr_code_that_lives_two_hours_or_as_long_as_the_order() {
    let method = "alipay.trade.precreate";
    let answer = || success(method, json!({ "out_trade_no": NUMBER, "qr_code": "https://qr.alipay.com/bax1" }));
    let script = Script::of(vec![answer(), answer()]).await;
    for (minutes, fresh) in [(30, 30), (300, 120)] {
        let order = order(json!({ "time_expire": NOW + minutes * MINUTE }));
        let Ok(created) = create_at(&script, "h5", json!({}), &request(&order)).await else { panic!() };
        assert_eq!(created.order_info, json!({ "codeUrl": "https://qr.alipay.com/bax1" }));
        assert_eq!(created.code_url.as_deref(), Some("https://qr.alipay.com/bax1"));
        assert_eq!(created.fresh_until.get(), NOW + fresh * MINUTE);
    }
}

#[tokio::test]
async fn an_answer_about_another_order_or_without_its_product_is_unknown() {
    let method = "alipay.trade.precreate";
    for fields in [json!({ "out_trade_no": "another", "qr_code": "x" }), json!({ "out_trade_no": NUMBER })] {
        let script = Script::of(vec![success(method, fields)]).await;
        let order = order(json!({}));
        assert!(matches!(create_at(&script, "h5", json!({}), &request(&order)).await, Err(CallError::Unknown(_))));
    }
}

#[tokio::test]
async fn an_app_gets_a_signed_order_string_without_a_call() {
    let order = order(json!({}));
    let created = create_offline("app-plus", json!({}), &request(&order)).await;
    let form = verified(created.order_info.as_str().expect("a text"));
    assert_eq!(form["method"], "alipay.trade.app.pay");
    assert_eq!(form["notify_url"], order.notify_url);
    assert_eq!(biz(&form)["product_code"], "QUICK_MSECURITY_PAY");
    assert_eq!(biz(&form)["subject"], "一杯咖啡 100%");
    assert_eq!(created.fresh_until, order.time_expire);
}

#[tokio::test]
async fn page_and_wap_pay_are_signed_urls_without_a_call() {
    let pages = [
        ("pc", None, "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
        ("wap", None, "alipay.trade.wap.pay", "QUICK_WAP_WAY"),
        ("h5", Some("alipay.trade.page.pay"), "alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY"),
        ("h5", Some("alipay.trade.wap.pay"), "alipay.trade.wap.pay", "QUICK_WAP_WAY"),
    ];
    for (name, chosen, method, code) in pages {
        let order = order(json!({ "other": { "method": chosen, "quit_url": "https://shop.example/" } }));
        let request = CreateRequest { return_url: Some("https://shop.example/back?a=1&b=2"), ..request(&order) };
        let created = create_offline(name, json!({ "sandbox": true }), &request).await;
        assert_eq!(created.order_info["mwebUrl"], created.order_info["payUrl"]);
        let url = created.order_info["payUrl"].as_str().expect("a text");
        let (gateway, query) = url.split_once('?').expect("a query");
        assert_eq!(gateway, "https://openapi-sandbox.dl.alipaydev.com/gateway.do");
        let form = verified(query);
        assert_eq!(form["method"], method);
        assert_eq!(form["return_url"], "https://shop.example/back?a=1&b=2");
        assert_eq!(biz(&form)["product_code"], code);
        assert_eq!(biz(&form)["quit_url"], "https://shop.example/");
        assert_eq!(biz(&form).get("method"), None);
    }
}

#[tokio::test]
async fn other_goes_along_but_cannot_say_what_is_ours() {
    let order = order(json!({ "other": {
        "out_trade_no": "x", "total_amount": "0.01", "subject": "x", "notify_url": "https://evil.example",
        "time_expire": "2030-01-01 00:00:00", "app_id": "x", "trans_currency": "JPY", "app_auth_token": "x",
        "product_code": "QR_CODE_OFFLINE", "goods_type": "0", "timeout_express": "90m", "empty": "",
        "promo_params": { "deep": [1] }, "passback_params": "a=1&b=2",
    } }));
    let created = create_offline("app-plus", json!({}), &request(&order)).await;
    let form = verified(created.order_info.as_str().expect("a text"));
    let biz = biz(&form);
    assert_eq!(form["notify_url"], order.notify_url);
    assert_eq!((&form["app_id"], form.get("app_auth_token")), (&APP_ID.to_owned(), None));
    for (name, value) in [
        ("out_trade_no", NUMBER),
        ("total_amount", "12.30"),
        ("subject", "一杯咖啡 100%"),
        ("time_expire", "2026-01-02 11:34:05"),
        ("product_code", "QR_CODE_OFFLINE"),
        ("goods_type", "0"),
        ("timeout_express", "90m"),
        ("passback_params", "a%3D1%26b%3D2"),
    ] {
        assert_eq!(biz[name], value, "{name}");
    }
    assert_eq!(biz["promo_params"], json!({ "deep": [1] }));
    for name in ["notify_url", "app_id", "trans_currency", "app_auth_token", "empty"] {
        assert_eq!(biz.get(name), None, "{name}");
    }
}

fn shop<'a>(order: &'a Order, code: &'a str) -> CreateRequest<'a> {
    CreateRequest { auth_code: Some(code), store_id: Some("NJ_001"), ..request(order) }
}

#[tokio::test]
async fn a_pay_code_pays_at_once() {
    let fields = json!({
        "out_trade_no": NUMBER, "trade_no": TRADE_NO, "total_amount": "12.30", "buyer_user_id": "2088000000000001",
        "gmt_payment": "2026-01-02 11:04:06", "buyer_logon_id": "158****1234",
    });
    let script = Script::of(vec![success("alipay.trade.pay", fields)]).await;
    let order = order(json!({}));
    let Ok(created) = create_at(&script, "codepay", json!({}), &shop(&order, "281234567890123456")).await else {
        panic!("not created")
    };
    let payment = created.payment.expect("a payment");
    assert_eq!((payment.number.as_str(), payment.total), (NUMBER, Some(Fen(1230))));
    assert_eq!((payment.merchant.as_str(), payment.paid_at), ("default", Some(UnixMs::new(1_767_323_046_000))));
    let biz = script.biz(0);
    assert_eq!((&biz["scene"], &biz["auth_code"]), (&json!("bar_code"), &json!("281234567890123456")));
    assert_eq!(biz["store_id"], "NJ_001");
}

#[tokio::test]
async fn a_pay_code_whose_end_is_open_is_left_to_the_query() {
    let method = "alipay.trade.pay";
    let paid = json!({ "out_trade_no": NUMBER, "trade_no": TRADE_NO, "total_amount": "12.30" });
    let mut other = paid.clone();
    other["out_trade_no"] = "another".into();
    let unsigned = r#"{"alipay_trade_pay_response":{"code":"10000","out_trade_no":"order_20260102_1"}}"#;
    let open = [
        (200, failure(method, "10003", "")),
        (200, failure(method, "20000", "aop.unknow-error")),
        (200, failure(method, "40004", "ACQ.SYSTEM_ERROR")),
        (200, success(method, other)),
        (200, unsigned.to_owned()),
        (502, success(method, paid)),
    ];
    for answer in open {
        let script = Script::with(vec![answer.clone()]).await;
        let order = order(json!({}));
        let Ok(created) = create_at(&script, "codepay", json!({}), &shop(&order, "281234567890123456")).await else {
            panic!("{answer:?}")
        };
        assert_eq!(created.payment, None, "{answer:?}");
    }
}

#[tokio::test]
async fn refusals_say_what_they_mean() {
    let method = "alipay.trade.precreate";
    for (code, sub_code, meaning) in [
        ("40004", "ACQ.TRADE_HAS_SUCCESS", Meaning::Paid),
        ("40004", "ACQ.TRADE_HAS_CLOSE", Meaning::Closed),
        ("40004", "ACQ.CONTEXT_INCONSISTENT", Meaning::NumberUsed),
        ("40004", "ACQ.ACCESS_FORBIDDEN", Meaning::No),
        ("40005", "isv.limit-call", Meaning::TooSoon),
        ("40002", "isv.invalid-signature", Meaning::Unheard),
    ] {
        let script = Script::of(vec![failure(method, code, sub_code)]).await;
        let order = order(json!({}));
        let Err(CallError::Refused(refusal)) = create_at(&script, "h5", json!({}), &request(&order)).await else {
            panic!("{sub_code}")
        };
        assert_eq!((refusal.code.as_str(), refusal.meaning), (sub_code, meaning));
    }
}

#[tokio::test]
async fn no_text_of_the_gateways_repeats_a_token() {
    let token = "202601BBisv0token";
    let text = format!("验签出错: app_auth_token={token}&{}", "x".repeat(2000));
    let node = json!({ "code": "40002", "sub_code": "isv.invalid-signature", "sub_msg": text });
    let script = Script::of(vec![json!({ "error_response": node }).to_string()]).await;
    let order = order(json!({}));
    let more = json!({ "appAuthToken": token });
    let Err(CallError::Refused(refusal)) = create_at(&script, "h5", more, &request(&order)).await else { panic!() };
    assert!(!refusal.message.contains(token));
    assert_eq!(refusal.message.chars().count(), 200);
}

#[tokio::test]
async fn encrypted_content_goes_out_sealed_and_comes_back_sealed() {
    let key = [5; 16];
    let inner = json!({ "code": "10000", "out_trade_no": NUMBER, "qr_code": "https://qr.alipay.com/bax1" });
    let raw = json!(crypto::aes::cbc128_encrypt(&key, inner.to_string().as_bytes())).to_string();
    let answer = super::alipay_kit::signed_answer("alipay.trade.precreate", &raw, &crate::alipay_kit::ALIPAY.private);
    let script = Script::of(vec![answer]).await;
    let order = order(json!({}));
    let more = json!({ "encryptKey": crypto::base64(&key[..]) });
    let Ok(created) = create_at(&script, "h5", more, &request(&order)).await else { panic!() };
    assert_eq!(created.code_url.as_deref(), Some("https://qr.alipay.com/bax1"));
    let form = &script.asked()[0];
    assert_eq!(form["encrypt_type"], "AES");
    let plain = crypto::aes::cbc128_decrypt(&key, &form["biz_content"]).expect("it opens");
    assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap()["out_trade_no"], NUMBER);
}

fn fault(name: &str, request: &CreateRequest<'_>) -> Option<&'static str> {
    gateway(name, node(json!({}))).check(request).err().map(|(field, _)| field)
}

#[test]
fn what_the_gateway_would_refuse_is_found_before_by_its_field() {
    let good = order(json!({}));
    for name in ["h5", "app-plus", "pc", "wap"] {
        assert_eq!(fault(name, &request(&good)), None, "{name}");
    }
    for subject in ["a/b", "a=b", "a&b", "", "  ", "a\nb", &"长".repeat(257)] {
        assert_eq!(fault("h5", &request(&order(json!({ "description": subject })))), Some("subject"), "{subject}");
    }
    assert_eq!(fault("h5", &request(&order(json!({ "description": "长".repeat(256) })))), None);
    for number in ["a-b", "a b", "号", "", &"1".repeat(65)] {
        let order = order(json!({ "attempts": [attempt(json!({ "number": number }))] }));
        assert_eq!(fault("h5", &request(&order)), Some("out_trade_no"), "{number}");
    }
    for (end, expected) in [(999, Some("time_expire")), (1_000, None), (15 * 24 * 60 * MINUTE, None)] {
        assert_eq!(fault("h5", &request(&order(json!({ "time_expire": NOW + end })))), expected, "{end}");
    }
    let late = order(json!({ "time_expire": NOW + 15 * 24 * 60 * MINUTE + 1 }));
    assert_eq!(fault("h5", &request(&late)), Some("time_expire"));
    for url in ["", "/relative", "ftp://a.example", &format!("https://a.example/{}", "x".repeat(256))] {
        assert_eq!(fault("h5", &request(&order(json!({ "notify_url": url })))), Some("notify_url"), "{url}");
    }
    for fen in [0, 10_000_000_001_u64] {
        assert_eq!(fault("h5", &request(&order(json!({ "total_fee": fen })))), Some("total_fee"));
    }
    assert_eq!(fault("h5", &request(&order(json!({ "other": { "body": "x&total_amount=1" } })))), Some("other"));
    assert_eq!(fault("h5", &request(&order(json!({ "other": { "method": "alipay.trade.refund" } })))), Some("other"));
    assert_eq!(fault("transfer", &request(&good)), Some("platform"));
}

#[test]
fn a_mini_program_needs_a_payer() {
    assert_eq!(fault("mp-alipay", &request(&order(json!({})))), Some("openid"));
    assert_eq!(fault("mp-alipay", &request(&mini("", json!({})))), Some("openid"));
    assert_eq!(fault("mp-alipay", &request(&mini("2088000000000001", json!({})))), None);
    assert_eq!(fault("mp-alipay", &request(&mini("", json!({ "op_buyer_open_id": "x" })))), None);
}

#[test]
fn a_pay_code_has_its_shape() {
    let order = order(json!({}));
    for code in ["2512345678901234", "301234567890123456789012", "fp0123abcd"] {
        assert_eq!(fault("codepay", &shop(&order, code)), None, "{code}");
    }
    for code in [
        "",
        "251234567890123",
        "3012345678901234567890123",
        "2412345678901234",
        "31123456789012345",
        "１".repeat(16).as_str(),
        "é512345678901234",
        "fp",
        "fp-1",
    ] {
        assert_eq!(fault("codepay", &shop(&order, code)), Some("auth_code"), "{code}");
    }
    assert_eq!(fault("codepay", &request(&order)), Some("auth_code"));
}
