//! Alipay as a merchant sees it.

use crate::client::{Bench, bench, keys, now_ms, sign, verifies};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::{CallbackKind, DeliveryState, Fault, Forgery, Misbehaviour, Op, Pay, RefundOutcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;
use time::macros::{format_description, offset};

type Fields = BTreeMap<String, String>;

#[derive(Clone, Copy, Default)]
struct Style {
    cert: bool,
    aes: bool,
}

fn timestamp() -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    OffsetDateTime::now_utc().to_offset(offset!(+8)).format(format).unwrap()
}

fn text(fields: &Fields, without: &[&str]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .filter(|(name, value)| !without.contains(&name.as_str()) && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

fn aes(data: &[u8], decrypt: bool) -> Vec<u8> {
    use aws_lc_rs::cipher::*;
    let key = UnboundCipherKey::new(&AES_128, &STANDARD.decode(&keys().alipay.encrypt_key).unwrap()).unwrap();
    let iv = aws_lc_rs::iv::FixedLength::from([0; 16]);
    let mut data = data.to_vec();
    if decrypt {
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).unwrap();
        return key.decrypt(&mut data, DecryptionContext::Iv128(iv)).unwrap().to_vec();
    }
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).unwrap();
    key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(iv)).unwrap();
    data
}

fn request(bench: &Bench, method: &str, biz: &Value, style: Style) -> Fields {
    let keys = keys();
    let mut biz = biz.to_string();
    let mut fields: Fields = [
        ("app_id", keys.alipay.app_id.as_str()),
        ("method", method),
        ("format", "JSON"),
        ("charset", "utf-8"),
        ("sign_type", "RSA2"),
        ("timestamp", &timestamp()),
        ("version", "1.0"),
        ("notify_url", &bench.shop.url),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    if style.cert {
        fields.insert("app_cert_sn".to_owned(), keys.alipay.app_cert_sn.clone());
        fields.insert("alipay_root_cert_sn".to_owned(), keys.alipay.alipay_root_cert_sn.clone());
    }
    if style.aes {
        fields.insert("encrypt_type".to_owned(), "AES".to_owned());
        biz = STANDARD.encode(aes(biz.as_bytes(), false));
    }
    fields.insert("biz_content".to_owned(), biz);
    fields.insert("sign".to_owned(), sign(&keys.alipay.app_private_key, &text(&fields, &["sign"])));
    fields
}

fn encoded(fields: &Fields) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

async fn post(bench: &Bench, fields: &Fields) -> String {
    let answer = bench
        .http
        .post(format!("{}/gateway.do?charset=utf-8", bench.base))
        .header("content-type", "application/x-www-form-urlencoded;charset=utf-8")
        .body(encoded(fields))
        .send()
        .await
        .unwrap();
    answer.text().await.unwrap()
}

/// The node, after its signature over the raw characters was checked.
fn node(answer: &str, name: &str, style: Style) -> Value {
    let rest = answer.strip_prefix(&format!("{{\"{name}\":")).unwrap_or_else(|| panic!("{answer}"));
    let end = rest.find(if style.cert { ",\"alipay_cert_sn\"" } else { ",\"sign\"" }).unwrap();
    let whole: Value = serde_json::from_str(answer).unwrap();
    let raw = &rest[..end];
    assert!(verifies(&keys().alipay.alipay_public_key, raw, whole["sign"].as_str().unwrap()), "{answer}");
    if style.cert {
        assert_eq!(whole["alipay_cert_sn"], keys().alipay.alipay_cert_sn);
    }
    match &whole[name] {
        Value::String(sealed) => serde_json::from_slice(&aes(&STANDARD.decode(sealed).unwrap(), true)).unwrap(),
        value => value.clone(),
    }
}

async fn call(bench: &Bench, method: &str, biz: Value) -> Value {
    styled(bench, method, biz, Style::default()).await
}

async fn styled(bench: &Bench, method: &str, biz: Value, style: Style) -> Value {
    let answer = post(bench, &request(bench, method, &biz, style)).await;
    node(&answer, &format!("{}_response", method.replace('.', "_")), style)
}

fn order(number: &str) -> Value {
    json!({"out_trade_no": number, "total_amount": "1.00", "subject": "测试 a+b"})
}

fn notice(body: &str) -> Fields {
    form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

fn genuine(fields: &Fields) -> bool {
    let sign = fields.get("sign").map_or("", String::as_str);
    verifies(&keys().alipay.alipay_public_key, &text(fields, &["sign", "sign_type"]), sign)
}

#[tokio::test]
async fn a_qr_code_is_scanned_paid_told_and_refunded_in_every_mode() {
    for (cert, aes) in [(false, false), (true, false), (true, true)] {
        let style = Style { cert, aes };
        let bench = bench().await;
        bench.shop.answers(200, "success");
        let named = json!({"out_trade_no": "ali1"});
        let made = styled(&bench, "alipay.trade.precreate", order("ali1"), style).await;
        assert!(made["qr_code"].as_str().unwrap().starts_with("https://qr.alipay.com/bax"), "{made}");
        let early = styled(&bench, "alipay.trade.query", named.clone(), style).await;
        assert_eq!(early["sub_code"], "ACQ.TRADE_NOT_EXIST", "nobody has scanned");
        bench.sandbox.scan("ali1").unwrap();
        let scanned = styled(&bench, "alipay.trade.query", named.clone(), style).await;
        assert_eq!(scanned["trade_status"], "WAIT_BUYER_PAY");
        bench.sandbox.pay("ali1", Pay::default()).await.unwrap();
        let paid = styled(&bench, "alipay.trade.query", named.clone(), style).await;
        assert_eq!((&paid["trade_status"], &paid["total_amount"]), (&json!("TRADE_SUCCESS"), &json!("1.00")));
        bench.sandbox.deliver_due(now_ms()).await;
        assert_eq!(bench.sandbox.outbox()[0].state, DeliveryState::Accepted);
        let told = notice(&bench.shop.last().1);
        assert!(genuine(&told));
        assert_eq!((told["subject"].as_str(), told["trade_status"].as_str()), ("测试 a+b", "TRADE_SUCCESS"));
        assert_eq!(told["seller_id"], keys().alipay.seller_id);

        let refund = |number: &str, amount: &str| json!({"out_trade_no": "ali1", "out_request_no": number, "refund_amount": amount});
        let method = "alipay.trade.refund";
        let one = styled(&bench, method, refund("r1", "0.40"), style).await;
        assert_eq!((&one["fund_change"], &one["refund_fee"]), (&json!("Y"), &json!("0.40")));
        let again = styled(&bench, method, refund("r1", "0.4"), style).await;
        assert_eq!(again["fund_change"], "N");
        let other = styled(&bench, method, refund("r1", "0.41"), style).await;
        assert_eq!(other["sub_code"], "ACQ.DISCORDANT_REPEAT_REQUEST");
        let much = styled(&bench, method, refund("r2", "0.61"), style).await;
        assert_eq!(much["sub_code"], "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL");
        let rest = styled(&bench, method, refund("r2", "0.60"), style).await;
        assert_eq!(rest["refund_fee"], "1.00", "cumulative");
        let asked = json!({"out_trade_no": "ali1", "out_request_no": "r2"});
        let asked = styled(&bench, "alipay.trade.fastpay.refund.query", asked, style).await;
        assert_eq!((&asked["refund_status"], &asked["refund_amount"]), (&json!("REFUND_SUCCESS"), &json!("0.60")));
        assert_eq!(styled(&bench, "alipay.trade.query", named, style).await["trade_status"], "TRADE_CLOSED");
        bench.sandbox.deliver_due(now_ms()).await;
        let told = notice(&bench.shop.last().1);
        assert!(genuine(&told));
        assert_eq!((told["out_biz_no"].as_str(), told["refund_fee"].as_str()), ("r2", "1.00"));
        assert_eq!(told["trade_status"], "TRADE_CLOSED");
    }
}

#[tokio::test]
async fn the_same_number_is_the_same_trade_or_none() {
    let bench = bench().await;
    let mut biz = order("ali2");
    biz["product_code"] = json!("JSAPI_PAY");
    let create = "alipay.trade.create";
    assert_eq!(call(&bench, create, biz.clone()).await["sub_code"], "ACQ.INVALID_PARAMETER");
    biz["op_app_id"] = json!("2021000000000000");
    biz["buyer_open_id"] = json!("074a1CcTG1LelxKe4xQC0zgNdId0nxi95b5lsNpazWYoCo5");
    let first = call(&bench, create, biz.clone()).await;
    assert_eq!(call(&bench, create, biz.clone()).await["trade_no"], first["trade_no"]);
    let mut dear = biz.clone();
    dear["total_amount"] = json!("2.00");
    assert_eq!(call(&bench, create, dear).await["sub_code"], "ACQ.CONTEXT_INCONSISTENT");
    bench.sandbox.pay("ali2", Pay::default()).await.unwrap();
    assert_eq!(call(&bench, create, biz).await["sub_code"], "ACQ.TRADE_HAS_SUCCESS");
    let close = "alipay.trade.close";
    assert_eq!(call(&bench, close, json!({"out_trade_no": "none"})).await["sub_code"], "ACQ.TRADE_NOT_EXIST");
    assert_eq!(
        call(&bench, close, json!({"out_trade_no": "ali2"})).await["sub_code"],
        "ACQ.REASON_TRADE_STATUS_INVALID"
    );
    let cancelled = call(&bench, "alipay.trade.cancel", json!({"out_trade_no": "ali2"})).await;
    assert_eq!(cancelled["action"], "refund");
}

#[tokio::test]
async fn a_payer_s_code_decides_by_its_last_digit() {
    let bench = bench().await;
    let pay = async |number: &str, code: &str| {
        let mut biz = order(number);
        biz["auth_code"] = json!(code);
        biz["scene"] = json!("bar_code");
        call(&bench, "alipay.trade.pay", biz).await
    };
    let done = pay("bar0", "280000000000000000").await;
    assert_eq!((&done["code"], &done["total_amount"]), (&json!("10000"), &json!("1.00")));
    assert_eq!(pay("bar6", "280000000000000006").await["code"], "10003");
    bench.sandbox.deliver_due(now_ms() + 6000).await;
    assert_eq!(
        call(&bench, "alipay.trade.query", json!({"out_trade_no": "bar6"})).await["trade_status"],
        "TRADE_SUCCESS"
    );
    assert_eq!(pay("bar7", "280000000000000007").await["code"], "10003");
    assert_eq!(call(&bench, "alipay.trade.cancel", json!({"out_trade_no": "bar7"})).await["action"], "close");
    assert_eq!(pay("bar8", "280000000000000008").await["sub_code"], "ACQ.BUYER_BALANCE_NOT_ENOUGH");
    assert_eq!(pay("bar9", "130000000000000000").await["sub_code"], "ACQ.PAYMENT_AUTH_CODE_INVALID");
}

#[tokio::test]
async fn an_order_string_and_a_page_make_their_trades() {
    let bench = bench().await;
    let string = encoded(&request(&bench, "alipay.trade.app.pay", &order("app1"), Style::default()));
    assert_eq!(
        call(&bench, "alipay.trade.query", json!({"out_trade_no": "app1"})).await["sub_code"],
        "ACQ.TRADE_NOT_EXIST"
    );
    let paid = bench.sandbox.pay_order_string(&string).await.unwrap();
    assert_eq!(paid.number, "app1");
    assert!(
        bench.sandbox.open_order_string(&string.replace("1.00", "0.01")).unwrap_err().contains("invalid-signature")
    );
    let mut biz = order("page1");
    biz["product_code"] = json!("FAST_INSTANT_TRADE_PAY");
    let query = encoded(&request(&bench, "alipay.trade.page.pay", &biz, Style::default()));
    let url = format!("{}/gateway.do?{query}", bench.base);
    let html = bench.http.get(&url).send().await.unwrap().text().await.unwrap();
    assert!(html.contains("page1"), "{html}");
    assert_eq!(
        call(&bench, "alipay.trade.query", json!({"out_trade_no": "page1"})).await["trade_status"],
        "WAIT_BUYER_PAY"
    );
}

#[tokio::test]
async fn a_wrong_request_is_refused_by_the_gateway() {
    let bench = bench().await;
    let good = request(&bench, "alipay.trade.query", &json!({"out_trade_no": "x1"}), Style::default());
    let resign = |mut fields: Fields| {
        fields.insert("sign".to_owned(), sign(&keys().alipay.app_private_key, &text(&fields, &["sign"])));
        fields
    };
    let with = |name: &str, value: &str| {
        let mut fields = good.clone();
        fields.insert(name.to_owned(), value.to_owned());
        fields
    };
    for (fields, code) in [
        (with("version", "1.1"), "isv.invalid-parameter"),
        (resign(with("timestamp", "2020-01-01 00:00:00")), "isv.invalid-timestamp"),
        (with("biz_content", "{\"out_trade_no\":\"x2\"}"), "isv.invalid-signature"),
        (resign(with("sign_type", "RSA")), "isv.invalid-signature-type"),
        (resign(with("app_cert_sn", "00")), "isv.invalid-app-cert-sn"),
        (resign(with("method", "alipay.nothing")), "isv.invalid-method"),
    ] {
        let answer = post(&bench, &fields).await;
        let cert = fields.contains_key("app_cert_sn");
        assert_eq!(node(&answer, "error_response", Style { cert, aes: false })["sub_code"], code);
    }
    let answer = post(&bench, &with("app_id", "2021000000000000")).await;
    assert!(answer.contains("isv.invalid-app-id") && !answer.contains("\"sign\""), "{answer}");
    let extra = call(&bench, "alipay.trade.query", json!({"out_trade_no": "x1", "nonsense": "1"})).await;
    assert_eq!(extra["sub_code"], "ACQ.INVALID_PARAMETER");
}

#[tokio::test]
async fn forgeries_do_not_verify_and_faults_strike() {
    let bench = bench().await;
    call(&bench, "alipay.trade.precreate", order("ali9")).await;
    bench.sandbox.pay("ali9", Pay { amount: Some(99), ..Pay::default() }).await.unwrap();
    let callback = bench.sandbox.build_callback("ali9", CallbackKind::Payment);
    assert!(genuine(&notice(&callback.body)));
    assert_eq!(notice(&callback.body)["total_amount"], "0.99", "the wrong amount, rightly signed");
    for how in
        [Forgery::BadSignature, Forgery::OtherKey, Forgery::AlteredAmount, Forgery::NoSignature, Forgery::UnknownSerial]
    {
        assert!(!genuine(&notice(&bench.sandbox.forge(callback.clone(), how).body)), "{how:?}");
    }
    let named = json!({"out_trade_no": "ali9"});
    bench.sandbox.misbehave(Fault::once(Op::Query, Misbehaviour::SystemError).number("ali9"));
    assert_eq!(call(&bench, "alipay.trade.query", named.clone()).await["code"], "20000");
    bench.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    let refund = json!({"out_trade_no": "ali9", "out_request_no": "h1", "refund_amount": "0.99"});
    assert_eq!(call(&bench, "alipay.trade.refund", refund).await["fund_change"], "N");
    let ask = json!({"out_trade_no": "ali9", "out_request_no": "h1"});
    let method = "alipay.trade.fastpay.refund.query";
    assert!(call(&bench, method, ask.clone()).await.get("refund_status").is_none());
    bench.sandbox.settle_refund("h1", RefundOutcome::Success);
    assert_eq!(call(&bench, method, ask).await["refund_status"], "REFUND_SUCCESS");
}
