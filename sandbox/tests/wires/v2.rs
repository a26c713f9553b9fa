//! APIv2 as a merchant sees it.

use crate::client::{Bench, bench, keys, now_ms};
use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sandbox::{CallbackKind, DeliveryState, Fault, Forgery, Misbehaviour, Op, Pay, Provider};
use std::collections::BTreeMap;

type Fields = BTreeMap<String, String>;

fn sign(fields: &Fields, hmac256: bool) -> String {
    let key = &keys().wechat.v2_key;
    let mut text: Vec<String> = fields
        .iter()
        .filter(|(name, value)| *name != "sign" && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    text.push(format!("key={key}"));
    let text = text.join("&");
    let digest = if hmac256 {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), text.as_bytes()).as_ref().to_vec()
    } else {
        Md5::digest(text.as_bytes()).to_vec()
    };
    hex::encode_upper(digest)
}

/// Flat XML, by hand: an independent reader.
fn parse(xml: &str) -> Fields {
    let mut fields = Fields::new();
    let mut rest = xml.trim_start_matches(|c| c != '<');
    while let Some(start) = rest.find('<') {
        let Some(end) = rest[start..].find('>').map(|at| at + start) else {
            break;
        };
        let name = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if name == "xml" || name == "root" || name.starts_with('/') {
            continue;
        }
        let close = format!("</{name}>");
        let at = rest.find(&close).unwrap();
        let value = rest[..at].trim_start_matches("<![CDATA[").trim_end_matches("]]>");
        fields.insert(name.to_owned(), value.to_owned());
        rest = &rest[at + close.len()..];
    }
    fields
}

async fn call(bench: &Bench, path: &str, fields: &[(&str, &str)], hmac256: bool) -> Fields {
    let keys = keys();
    let mut all: Fields = fields.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    all.insert("appid".to_owned(), keys.wechat.mp_appid.clone());
    all.insert("mch_id".to_owned(), keys.wechat.mchid.clone());
    all.insert("nonce_str".to_owned(), "5K8264ILTKCH16CQ2502SI8ZNMTM67VS".to_owned());
    if hmac256 {
        all.insert("sign_type".to_owned(), "HMAC-SHA256".to_owned());
    }
    all.insert("sign".to_owned(), sign(&all, hmac256));
    let xml: String = all.iter().map(|(k, v)| format!("<{k}><![CDATA[{v}]]></{k}>")).collect();
    let answer =
        bench.http.post(format!("{}{path}", bench.base)).body(format!("<xml>{xml}</xml>")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let fields = parse(&answer.text().await.unwrap());
    if fields["return_code"] == "SUCCESS" {
        assert_eq!(fields["sign"], sign(&fields, hmac256), "{fields:?}");
    }
    fields
}

fn order<'a>(number: &'a str, url: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("body", "测试"),
        ("out_trade_no", number),
        ("total_fee", "100"),
        ("spbill_create_ip", "127.0.0.1"),
        ("notify_url", url),
        ("trade_type", "NATIVE"),
        ("product_id", "1"),
    ]
}

#[tokio::test]
async fn an_order_is_paid_told_and_refunded() {
    for hmac256 in [false, true] {
        let bench = bench().await;
        let url = bench.shop.url.clone();
        let made = call(&bench, "/pay/unifiedorder", &order("v2-1", &url), hmac256).await;
        assert!(made["code_url"].starts_with("weixin://"), "{made:?}");
        let asked = call(&bench, "/pay/orderquery", &[("out_trade_no", "v2-1")], hmac256).await;
        assert_eq!(asked["trade_state"], "NOTPAY");
        let paid = bench.sandbox.pay("v2-1", Pay::default()).await.unwrap();
        bench.shop.answers(200, "<xml><return_code><![CDATA[SUCCESS]]></return_code></xml>");
        bench.sandbox.deliver_due(now_ms()).await;
        assert_eq!(bench.sandbox.outbox()[0].state, DeliveryState::Accepted);
        let told = parse(&bench.shop.last().1);
        assert_eq!(told["sign"], sign(&told, hmac256));
        assert_eq!((told["transaction_id"].as_str(), told["total_fee"].as_str()), (&*paid.transaction_id, "100"));
        let again = call(&bench, "/pay/unifiedorder", &order("v2-1", &url), hmac256).await;
        assert_eq!(again["err_code"], "ORDERPAID");

        let wish = |number: &'static str, fee: &'static str| {
            [("out_trade_no", "v2-1"), ("out_refund_no", number), ("total_fee", "100"), ("refund_fee", fee)]
        };
        let mut first = wish("r1", "40").to_vec();
        first.push(("notify_url", &url));
        let refund = call(&bench, "/secapi/pay/refund", &first, hmac256).await;
        assert_eq!(refund["result_code"], "SUCCESS");
        assert_eq!(call(&bench, "/secapi/pay/refund", &first, hmac256).await["refund_id"], refund["refund_id"]);
        assert_eq!(call(&bench, "/secapi/pay/refund", &wish("r2", "61"), hmac256).await["err_code"], "ERROR");
        bench.sandbox.deliver_due(now_ms() + 10_000).await;
        let asked = call(&bench, "/pay/refundquery", &[("out_refund_no", "r1")], hmac256).await;
        assert_eq!((asked["refund_status_0"].as_str(), asked["refund_fee_0"].as_str()), ("SUCCESS", "40"));
        let told = parse(&bench.shop.last().1);
        let key = hex::encode(Md5::digest(keys().wechat.v2_key.as_bytes()));
        let key = UnboundCipherKey::new(&AES_256, key.as_bytes()).unwrap();
        let mut sealed = STANDARD.decode(&told["req_info"]).unwrap();
        let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).unwrap();
        let plain = key.decrypt(&mut sealed, DecryptionContext::None).unwrap();
        let inner = parse(std::str::from_utf8(plain).unwrap());
        assert_eq!((inner["out_refund_no"].as_str(), inner["refund_fee"].as_str()), ("r1", "40"));
    }
}

#[tokio::test]
async fn a_payer_s_code_decides_by_its_last_digit() {
    let bench = bench().await;
    let pay = |number: &'static str, code: &'static str| {
        [
            ("body", "测试"),
            ("out_trade_no", number),
            ("total_fee", "100"),
            ("spbill_create_ip", "127.0.0.1"),
            ("auth_code", code),
        ]
    };
    let state = async |number: &'static str| {
        call(&bench, "/pay/orderquery", &[("out_trade_no", number)], false).await["trade_state"].clone()
    };
    let done = call(&bench, "/pay/micropay", &pay("c0", "134500000000000000"), false).await;
    assert_eq!(done["transaction_id"].len(), 28);
    let later = call(&bench, "/pay/micropay", &pay("c6", "134500000000000006"), false).await;
    assert_eq!((later["err_code"].as_str(), state("c6").await.as_str()), ("USERPAYING", "USERPAYING"));
    bench.sandbox.deliver_due(now_ms() + 6000).await;
    assert_eq!(state("c6").await, "SUCCESS");
    call(&bench, "/pay/micropay", &pay("c7", "134500000000000007"), false).await;
    assert_eq!(call(&bench, "/secapi/pay/reverse", &[("out_trade_no", "c7")], false).await["recall"], "N");
    assert_eq!(state("c7").await, "REVOKED");
    assert_eq!(call(&bench, "/pay/micropay", &pay("c8", "134500000000000008"), false).await["err_code"], "NOTENOUGH");
    assert_eq!(
        call(&bench, "/pay/micropay", &pay("c9", "999500000000000000"), false).await["err_code"],
        "AUTH_CODE_INVALID"
    );
}

#[tokio::test]
async fn a_system_error_is_signed_and_does_nothing() {
    let bench = bench().await;
    let url = bench.shop.url.clone();
    bench.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::SystemError).of(Provider::Wxpay));
    let answer = call(&bench, "/pay/unifiedorder", &order("v2-8", &url), true).await;
    assert_eq!((answer["return_code"].as_str(), answer["err_code"].as_str()), ("SUCCESS", "SYSTEMERROR"));
    assert!(bench.sandbox.trade("v2-8").is_none());
}

#[tokio::test]
async fn a_wrong_signature_gets_an_unsigned_failure() {
    let bench = bench().await;
    let body = format!(
        "<xml><appid>{}</appid><mch_id>{}</mch_id><nonce_str>a</nonce_str><out_trade_no>x</out_trade_no><sign>00</sign></xml>",
        keys().wechat.mp_appid,
        keys().wechat.mchid
    );
    let answer = bench.http.post(format!("{}/pay/orderquery", bench.base)).body(body).send().await.unwrap();
    let fields = parse(&answer.text().await.unwrap());
    assert_eq!((fields["return_code"].as_str(), fields["return_msg"].as_str()), ("FAIL", "签名错误"));
    assert!(!fields.contains_key("sign"));
}

#[tokio::test]
async fn forgeries_do_not_verify() {
    let bench = bench().await;
    let url = bench.shop.url.clone();
    call(&bench, "/pay/unifiedorder", &order("v2-9", &url), false).await;
    bench.sandbox.pay("v2-9", Pay::default()).await.unwrap();
    let genuine = bench.sandbox.build_callback("v2-9", CallbackKind::Payment);
    for how in [
        Forgery::BadSignature,
        Forgery::OtherKey,
        Forgery::AlteredAmount,
        Forgery::NoSignature,
        Forgery::EmptySignature,
    ] {
        let fields = parse(&bench.sandbox.forge(genuine.clone(), how).body);
        assert_ne!(fields.get("sign"), Some(&sign(&fields, false)), "{how:?}");
    }
}
