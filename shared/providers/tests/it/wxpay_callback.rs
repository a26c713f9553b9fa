//! Callbacks: only what WeChat Pay signed for this merchant, just now, is taken; everything else is refused.

use super::wxpay_kit::*;
use crypto::aes::{Mode, encrypt};
use crypto::hash::md5_hex;
use domain::{Fen, Provider, UnixMs};
use http::HeaderMap;
use proptest::prelude::*;
use providers::Config;
use providers::{
    CallbackError, CallbackRequest, Notice, ProviderClients, RefundProgress, Verdict, read_callback, reply,
};
use serde_json::{Value, json};

const NOWHERE: &str = "http://127.0.0.1:1";

fn v3_config() -> Config {
    config_of("h5", v3_node(NOWHERE))
}

async fn read(config: &Config, headers: &HeaderMap, body: &[u8]) -> Result<Notice, CallbackError> {
    let merchant = config.merchant("default").unwrap();
    read_callback(Provider::Wxpay, merchant, &ProviderClients::default(), &callback(headers, body)).await
}

fn headers_of(body: &[u8]) -> HeaderMap {
    signed_by(&PLATFORM.private, PUB_KEY_ID, NOW, body)
}

fn paid_event() -> Vec<u8> {
    event("TRANSACTION.SUCCESS", &paid_order()).to_string().into_bytes()
}

async fn resource(name: &str, resource: &Value) -> Result<Notice, CallbackError> {
    let body = event(name, resource).to_string().into_bytes();
    read(&v3_config(), &headers_of(&body), &body).await
}

#[tokio::test]
async fn a_signed_payment_is_read_whole() {
    let body = paid_event();
    let Ok(Notice::Payment(payment)) = read(&v3_config(), &headers_of(&body), &body).await else { panic!() };
    assert_eq!(payment.number, "T202601010001");
    assert_eq!(payment.transaction_id, "4200000001");
    assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(100)), "CNY"));
    assert_eq!(payment.app_id.as_deref(), Some(APP));
    assert_eq!(payment.mch_id.as_deref(), Some(MCH));
    assert_eq!(payment.payer.as_deref(), Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"));
    assert_eq!(payment.paid_at, Some(UnixMs::new(NOW)));
    assert_eq!(payment.info["bank_type"], "CMC");
    assert!(payment.info.get("trade_state_desc").is_none());
}

#[tokio::test]
async fn a_message_under_another_key_is_forged() {
    let body = paid_event();
    let headers = signed_by(&STRANGER.private, PUB_KEY_ID, NOW, &body);
    assert!(matches!(read(&v3_config(), &headers, &body).await, Err(CallbackError::Forged(_))));
    for serial in ["PUB_KEY_ID_1", "", "AA", "../../etc", PUB_KEY_ID.to_lowercase().as_str()] {
        let headers = signed_by(&PLATFORM.private, serial, NOW, &body);
        assert!(matches!(read(&v3_config(), &headers, &body).await, Err(CallbackError::Forged(_))), "{serial}");
    }
}

#[tokio::test]
async fn every_byte_of_the_body_and_every_header_counts() {
    let body = paid_event();
    let headers = headers_of(&body);
    for at in (0..body.len()).step_by(7) {
        let mut altered = body.clone();
        altered[at] ^= 1;
        assert!(read(&v3_config(), &headers, &altered).await.is_err(), "byte {at}");
    }
    let respaced = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&body).unwrap()).unwrap();
    assert!(matches!(read(&v3_config(), &headers, &respaced).await, Err(CallbackError::Forged(_))));
    for name in ["wechatpay-signature", "wechatpay-timestamp", "wechatpay-nonce", "wechatpay-serial"] {
        let mut without = headers.clone();
        without.remove(name);
        assert!(matches!(read(&v3_config(), &without, &body).await, Err(CallbackError::Forged(_))), "no {name}");
        let mut empty = headers.clone();
        empty.insert(name, "".parse().unwrap());
        assert!(matches!(read(&v3_config(), &empty, &body).await, Err(CallbackError::Forged(_))), "empty {name}");
        let mut doubled = headers.clone();
        doubled.append(name, headers[name].clone());
        assert!(matches!(read(&v3_config(), &doubled, &body).await, Err(CallbackError::Forged(_))), "two {name}");
    }
    assert!(matches!(read(&v3_config(), &HeaderMap::new(), &body).await, Err(CallbackError::Forged(_))));
}

#[tokio::test]
async fn the_signature_type_is_pinned_and_may_be_absent() {
    let body = paid_event();
    let mut headers = headers_of(&body);
    for other in ["WECHATPAY2-SM2-WITH-SM3", "none", ""] {
        headers.insert("wechatpay-signature-type", other.parse().unwrap());
        assert!(matches!(read(&v3_config(), &headers, &body).await, Err(CallbackError::Forged(_))));
    }
    headers.remove("wechatpay-signature-type");
    assert!(read(&v3_config(), &headers, &body).await.is_ok());
}

#[tokio::test]
async fn the_window_is_five_minutes_to_either_side() {
    let body = paid_event();
    for (off, fresh) in [(-299_000, true), (299_000, true), (-300_000, false), (300_000, false), (-86_400_000, false)] {
        let headers = signed_by(&PLATFORM.private, PUB_KEY_ID, NOW + off, &body);
        let read = read(&v3_config(), &headers, &body).await;
        assert_eq!(read.is_ok(), fresh, "{off}");
        assert!(fresh || read == Err(CallbackError::Stale));
    }
    let old_and_forged = signed_by(&STRANGER.private, PUB_KEY_ID, NOW - 600_000, &body);
    assert!(matches!(read(&v3_config(), &old_and_forged, &body).await, Err(CallbackError::Forged(_))));
    for timestamp in ["-1", "+1767225600", "1767225600.0", "99999999999999999999", "x"] {
        let mut headers = headers_of(&body);
        headers.insert("wechatpay-timestamp", timestamp.parse().unwrap());
        assert!(matches!(read(&v3_config(), &headers, &body).await, Err(CallbackError::Forged(_))));
    }
}

#[tokio::test]
async fn a_probe_is_refused_as_a_probe() {
    let body = paid_event();
    let mut headers = headers_of(&body);
    headers.insert("wechatpay-signature", "WECHATPAY/SIGNTEST/mI35pfNEQV6777ke".parse().unwrap());
    assert_eq!(read(&v3_config(), &headers, &body).await, Err(CallbackError::Probe));
}

#[tokio::test]
async fn content_type_host_and_query_have_no_say() {
    let body = paid_event();
    let config = v3_config();
    let merchant = config.merchant("default").unwrap();
    for (name, value) in [("content-type", "text/xml"), ("host", "localhost"), ("x-forwarded-for", "127.0.0.1")] {
        let mut headers = headers_of(&body);
        headers.insert(name, value.parse().unwrap());
        assert!(read(&config, &headers, &body).await.is_ok());
        let mut forged = signed_by(&STRANGER.private, PUB_KEY_ID, NOW, &body);
        forged.insert(name, value.parse().unwrap());
        let request = CallbackRequest {
            method: &http::Method::POST,
            headers: &forged,
            query: "debug=1",
            body: &body,
            now: UnixMs::new(NOW),
        };
        let read = read_callback(Provider::Wxpay, merchant, &ProviderClients::default(), &request).await;
        assert!(matches!(read, Err(CallbackError::Forged(_))));
    }
}

#[tokio::test]
async fn the_cipher_is_pinned_and_a_wrong_tag_nonce_or_aad_opens_nothing() {
    let good = event("TRANSACTION.SUCCESS", &paid_order());
    let sealed = good["resource"]["ciphertext"].as_str().unwrap().to_owned();
    let zeroed = {
        let mut bytes = crypto::from_base64(&sealed).unwrap();
        let end = bytes.len();
        bytes[end - 16..].fill(0);
        crypto::base64(&bytes)
    };
    for (key, value) in [
        ("algorithm", json!("AEAD_SM4_GCM")),
        ("algorithm", json!(null)),
        ("nonce", json!("")),
        ("nonce", json!("Kj7QIyUiYx1")),
        ("nonce", json!("Kj7QIyUiYx1qa")),
        ("nonce", json!("Kj7QIyUiYx1qKj7Q")),
        ("nonce", json!(["Kj7QIyUiYx1q"])),
        ("associated_data", json!("")),
        ("associated_data", json!(null)),
        ("associated_data", json!(["transaction"])),
        ("ciphertext", json!("")),
        ("ciphertext", json!("AAAA")),
        ("ciphertext", json!("not base64")),
        ("ciphertext", json!(zeroed)),
        ("ciphertext", json!(sealed[..sealed.len() - 8])),
    ] {
        let mut bad = good.clone();
        bad["resource"][key] = value.clone();
        let body = bad.to_string().into_bytes();
        let read = read(&v3_config(), &headers_of(&body), &body).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{key} {value}: {read:?}");
    }
    for body in [&b""[..], b"[]", b"{}", b"null", b"{\"resource\":[]}", b"\xff", b"<xml/>"] {
        let read = read(&v3_config(), &headers_of(body), body).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))));
    }
}

#[tokio::test]
async fn a_message_sealed_for_another_merchant_does_not_open() {
    let mut node = v3_node(NOWHERE);
    node["v3Key"] = json!("0123456789abcdef0123456789abcdeg");
    let body = paid_event();
    let read = read(&config_of("h5", node), &headers_of(&body), &body).await;
    assert!(matches!(read, Err(CallbackError::Malformed(_))));
}

#[tokio::test]
async fn of_several_nodes_the_one_whose_key_opens_it_counts() {
    let mut other = v3_node(NOWHERE);
    other["mchId"] = json!("1900000002");
    other["v3Key"] = json!("0123456789abcdef0123456789abcdeg");
    let nodes = json!({ "app-plus": other, "h5": v3_node(NOWHERE), "mp-weixin": v2_node(NOWHERE, "MD5") });
    let body = paid_event();
    assert!(matches!(read(&config(nodes), &headers_of(&body), &body).await, Ok(Notice::Payment(_))));
}

#[tokio::test]
async fn every_field_that_must_be_there_must_be_there() {
    for key in ["appid", "mchid", "out_trade_no", "transaction_id", "amount", "trade_state"] {
        let mut order = paid_order();
        order.as_object_mut().unwrap().remove(key);
        assert!(matches!(resource("TRANSACTION.SUCCESS", &order).await, Err(CallbackError::Malformed(_))), "{key}");
        for ill in [json!(null), json!(""), json!([]), json!(["x"]), json!({})] {
            order[key] = ill.clone();
            let read = resource("TRANSACTION.SUCCESS", &order).await;
            assert!(matches!(read, Err(CallbackError::Malformed(_))), "{key} {ill}");
        }
    }
    for total in [json!(-1), json!(1.5), json!(100.0), json!("100"), json!(null), json!(true)] {
        let mut order = paid_order();
        order["amount"]["total"] = total.clone();
        let read = resource("TRANSACTION.SUCCESS", &order).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{total}");
    }
    let mut order = paid_order();
    order["amount"].as_object_mut().unwrap().remove("currency");
    assert!(matches!(resource("TRANSACTION.SUCCESS", &order).await, Err(CallbackError::Malformed(_))));
    let mut order = paid_order();
    order["trade_state"] = json!("NOTPAY");
    assert!(matches!(resource("TRANSACTION.SUCCESS", &order).await, Err(CallbackError::Malformed(_))));
}

#[tokio::test]
async fn a_partner_payment_names_the_service_provider() {
    let mut order = paid_order();
    let fields = order.as_object_mut().unwrap();
    fields.remove("appid");
    fields.remove("mchid");
    fields.extend(
        json!({ "sp_appid": APP, "sp_mchid": MCH, "sub_mchid": "19000109", "sub_appid": "wxsub" })
            .as_object()
            .unwrap()
            .clone(),
    );
    order["payer"] = json!({ "sp_openid": "sp", "sub_openid": "sub" });
    let Ok(Notice::Payment(payment)) = resource("TRANSACTION.SUCCESS", &order).await else { panic!() };
    assert_eq!((payment.app_id.as_deref(), payment.mch_id.as_deref()), (Some(APP), Some(MCH)));
    assert_eq!(payment.payer.as_deref(), Some("sub"));
    assert_eq!(payment.info["sub_mchid"], "19000109");
}

fn refund(status: &str) -> Value {
    json!({
        "mchid": MCH, "out_trade_no": "T202601010001", "transaction_id": "4200000001", "out_refund_no": "R1",
        "refund_id": "5030", "refund_status": status, "success_time": "2026-01-01T08:00:00+08:00",
        "user_received_account": "招商银行信用卡0403",
        "amount": { "total": 100, "refund": 40, "payer_total": 100, "payer_refund": 40 },
    })
}

#[tokio::test]
async fn refunds_are_read_by_their_status() {
    for (event, status, progress) in [
        ("REFUND.SUCCESS", "SUCCESS", RefundProgress::Success),
        ("REFUND.CLOSED", "CLOSED", RefundProgress::Closed("CLOSED".to_owned())),
        ("REFUND.ABNORMAL", "ABNORMAL", RefundProgress::Processing(Some("ABNORMAL".to_owned()))),
        ("REFUND.SOMETHING", "SOMETHING", RefundProgress::Processing(None)),
    ] {
        let Ok(Notice::Refund(notice)) = resource(event, &refund(status)).await else { panic!("{event}") };
        assert_eq!(notice.standing.progress, progress);
        assert_eq!(notice.standing.refund, Some(Fen(40)));
        assert_eq!(notice.out_refund_no, "R1");
        assert_eq!(notice.mch_id.as_deref(), Some(MCH));
        assert!(!notice.info.to_string().contains("招商"), "the payer's account is not kept");
    }
    assert!(resource("REFUND.CLOSED", &refund("SUCCESS")).await.is_err(), "event and status disagree");
    for key in ["mchid", "out_trade_no", "out_refund_no", "refund_status", "amount"] {
        let mut without = refund("SUCCESS");
        without.as_object_mut().unwrap().remove(key);
        assert!(matches!(resource("REFUND.SUCCESS", &without).await, Err(CallbackError::Malformed(_))), "{key}");
    }
}

#[tokio::test]
async fn another_event_asks_for_nothing() {
    let read = resource("PAYSCORE.USER_OPEN_SERVICE", &json!({ "mchid": MCH })).await;
    assert_eq!(read, Ok(Notice::Other("PAYSCORE.USER_OPEN_SERVICE".to_owned())));
}

// APIv2

fn paid_v2() -> Value {
    json!({
        "appid": APP, "mch_id": MCH, "nonce_str": "5d2b6c2a8db53831f7eda20af46e531c", "result_code": "SUCCESS",
        "return_code": "SUCCESS", "out_trade_no": "T202601010001", "transaction_id": "4200000001",
        "total_fee": "100", "fee_type": "CNY", "openid": "oUpF8", "time_end": "20260101080000",
        "trade_type": "JSAPI", "bank_type": "CFT", "cash_fee": "100",
    })
}

async fn read_v2(sign_type: &str, body: &[u8]) -> Result<Notice, CallbackError> {
    read(&config_of("h5", v2_node(NOWHERE, sign_type)), &HeaderMap::new(), body).await
}

#[tokio::test]
async fn a_signed_v2_payment_is_read_whole() {
    for (sign_type, hmac) in [("MD5", false), ("HMAC-SHA256", true)] {
        let Ok(Notice::Payment(payment)) = read_v2(sign_type, &signed_xml(&paid_v2(), hmac)).await else { panic!() };
        assert_eq!((payment.total, payment.currency.as_str()), (Some(Fen(100)), "CNY"));
        assert_eq!(payment.paid_at, Some(UnixMs::new(NOW)));
        assert_eq!(payment.mch_id.as_deref(), Some(MCH));
        assert!(payment.info.get("sign").is_none());
    }
}

#[tokio::test]
async fn the_kind_of_sign_is_the_configurations_not_the_messages() {
    for (sign_type, hmac) in [("HMAC-SHA256", false), ("MD5", true)] {
        let mut message = paid_v2();
        for claimed in ["MD5", "HMAC-SHA256"] {
            message["sign_type"] = json!(claimed);
            let read = read_v2(sign_type, &signed_xml(&message, hmac)).await;
            assert!(matches!(read, Err(CallbackError::Forged(_))), "{sign_type} pinned, {claimed} claimed");
        }
    }
    let mut message = paid_v2();
    message["sign_type"] = json!("HMAC-SHA256");
    assert!(read_v2("MD5", &signed_xml(&message, false)).await.is_ok(), "what it claims is not read");
}

#[tokio::test]
async fn deleted_emptied_altered_or_doubled_v2_fields_are_refused() {
    let signed = providers::common::xml::read(&signed_xml(&paid_v2(), false)).unwrap().fields;
    for name in signed.keys() {
        let mut without = signed.clone();
        without.remove(name);
        assert!(read_v2("MD5", &to_xml(&without)).await.is_err(), "without {name}");
        let mut empty = signed.clone();
        empty.insert(name.clone(), String::new());
        assert!(read_v2("MD5", &to_xml(&empty)).await.is_err(), "empty {name}");
        let mut altered = signed.clone();
        altered.insert(name.clone(), "1".to_owned());
        assert!(read_v2("MD5", &to_xml(&altered)).await.is_err(), "altered {name}");
        let text = String::from_utf8(to_xml(&signed)).unwrap();
        let doubled = text.replace("</xml>", &format!("<{name}>1</{name}></xml>"));
        assert!(read_v2("MD5", doubled.as_bytes()).await.is_err(), "two {name}");
    }
    let mut more = signed.clone();
    more.insert("coupon_fee".to_owned(), "1".to_owned());
    assert!(matches!(read_v2("MD5", &to_xml(&more)).await, Err(CallbackError::Forged(_))));
    let mut lower = signed.clone();
    lower.insert("sign".to_owned(), signed["sign"].to_lowercase());
    assert!(matches!(read_v2("MD5", &to_xml(&lower)).await, Err(CallbackError::Forged(_))));
}

#[tokio::test]
async fn return_code_alone_is_never_paid() {
    for (key, value) in [("result_code", "FAIL"), ("result_code", ""), ("return_code", "FAIL"), ("return_code", "")] {
        let mut message = paid_v2();
        message[key] = json!(value);
        let read = read_v2("MD5", &signed_xml(&message, false)).await;
        assert!(!matches!(read, Ok(Notice::Payment(_))), "{key}={value}");
    }
    let unsigned = to_xml(&params(&json!({ "return_code": "SUCCESS" })));
    assert!(matches!(read_v2("MD5", &unsigned).await, Err(CallbackError::Forged(_))));
}

#[tokio::test]
async fn v2_fields_and_amounts_must_be_canonical() {
    for key in ["appid", "mch_id", "out_trade_no", "transaction_id", "total_fee"] {
        let mut message = paid_v2();
        message.as_object_mut().unwrap().remove(key);
        let read = read_v2("MD5", &signed_xml(&message, false)).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{key}");
    }
    for amount in ["-1", "+1", "01", "1.0", "1e2", " 1", "0x1", "1 ", "99999999999999999999"] {
        let mut message = paid_v2();
        message["total_fee"] = json!(amount);
        let read = read_v2("MD5", &signed_xml(&message, false)).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{amount}");
    }
}

#[tokio::test]
async fn a_merchant_without_v2_takes_no_v2_message_and_the_other_way_round() {
    let body = signed_xml(&paid_v2(), false);
    assert!(matches!(read(&v3_config(), &HeaderMap::new(), &body).await, Err(CallbackError::Forged(_))));
    let body = paid_event();
    let v2_only = config_of("h5", v2_node(NOWHERE, "MD5"));
    assert!(matches!(read(&v2_only, &headers_of(&body), &body).await, Err(CallbackError::Forged(_))));
    let xml = signed_xml(&paid_v2(), false);
    let mut headers = HeaderMap::new();
    headers.insert("wechatpay-signature", "x".parse().unwrap());
    assert!(matches!(read(&v2_only, &headers, &xml).await, Err(CallbackError::Forged(_))));
}

fn refund_v2(key: &str, mch_id: &str, amount: &str) -> Vec<u8> {
    let info = format!(
        "<root><out_refund_no><![CDATA[R1]]></out_refund_no><out_trade_no>T202601010001</out_trade_no>\
         <refund_fee>{amount}</refund_fee><refund_id>5030</refund_id><refund_status>SUCCESS</refund_status>\
         <success_time>2026-01-01 08:00:00</success_time><total_fee>100</total_fee>\
         <transaction_id>4200000001</transaction_id></root>"
    );
    let sealed = encrypt(Mode::Aes256Ecb, &md5_hex(key.as_bytes()), info.as_bytes()).unwrap();
    to_xml(&params(&json!({
        "return_code": "SUCCESS", "appid": APP, "mch_id": mch_id, "nonce_str": "x", "req_info": sealed,
    })))
}

#[tokio::test]
async fn a_v2_refund_is_authenticated_by_its_decryption() {
    let Ok(Notice::Refund(notice)) = read_v2("MD5", &refund_v2(V2_KEY, MCH, "40")).await else { panic!() };
    assert_eq!(notice.standing.progress, RefundProgress::Success);
    assert_eq!((notice.standing.refund, notice.standing.refunded_at), (Some(Fen(40)), Some(UnixMs::new(NOW))));
    assert_eq!(notice.mch_id.as_deref(), Some(MCH));
    let other_key = refund_v2("exposed_your_key_here_have_risks", MCH, "40");
    assert!(matches!(read_v2("MD5", &other_key).await, Err(CallbackError::Forged(_))));
    let other_merchant = refund_v2(V2_KEY, "1900000002", "40");
    assert!(matches!(read_v2("MD5", &other_merchant).await, Err(CallbackError::Forged(_))));
    for amount in ["", "-40", "040", "4.0"] {
        let read = read_v2("MD5", &refund_v2(V2_KEY, MCH, amount)).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{amount}");
    }
    for garbage in ["", "AAAA", "not base64", "5pzk7fRqt5wHzEg46jL7HgkzQ8F2HzWugP+nOGvOFeU="] {
        let body = to_xml(&params(&json!({ "return_code": "SUCCESS", "mch_id": MCH, "req_info": garbage })));
        assert!(matches!(read_v2("MD5", &body).await, Err(CallbackError::Forged(_))));
    }
}

#[tokio::test]
async fn hostile_xml_is_malformed() {
    let fixture = fixture("v2-xml-samples.json");
    for (name, text) in fixture["hostile_samples"].as_object().unwrap() {
        let read = read_v2("MD5", text.as_str().unwrap().as_bytes()).await;
        assert!(matches!(read, Err(CallbackError::Malformed(_))), "{name}");
    }
}

// Replies

#[test]
fn replies_are_in_the_words_of_the_version_that_asked() {
    let empty = HeaderMap::new();
    let body = paid_event();
    let headers = headers_of(&body);
    let v3 = |verdict| reply(Provider::Wxpay, &callback(&headers, &body), verdict);
    assert_eq!((v3(Verdict::Accepted).status, v3(Verdict::Accepted).body.as_str()), (204, ""));
    for (verdict, status) in [(Verdict::Rejected, 401), (Verdict::Retry, 500)] {
        let reply = v3(verdict);
        assert_eq!(reply.status, status);
        assert_eq!(serde_json::from_str::<Value>(&reply.body).unwrap()["code"], "FAIL");
    }
    let v2 = |verdict| reply(Provider::Wxpay, &callback(&empty, b"\n<xml/>"), verdict);
    let accepted = v2(Verdict::Accepted);
    assert_eq!(accepted.status, 200);
    assert_eq!(
        accepted.body,
        "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"
    );
    for (verdict, statuses) in [(Verdict::Rejected, 400..500), (Verdict::Retry, 500..600)] {
        let reply = v2(verdict);
        assert!(statuses.contains(&reply.status));
        assert_eq!(providers::common::xml::read(reply.body.as_bytes()).unwrap().fields["return_code"], "FAIL");
    }
}

fn refused_whatever_it_is(config: &Config, headers: &HeaderMap, body: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(read(config, headers, body)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_are_ever_accepted(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let config = config(json!({ "h5": v3_node(NOWHERE), "mp-weixin": v2_node(NOWHERE, "MD5") }));
        refused_whatever_it_is(&config, &HeaderMap::new(), &body);
        let mut headers = headers_of(b"another body");
        refused_whatever_it_is(&config, &headers, &body);
        headers.insert("wechatpay-signature", crypto::base64(&body).parse().unwrap());
        refused_whatever_it_is(&config, &headers, &body);
        let xml = [b"<xml><return_code>SUCCESS</return_code>".as_slice(), &body, b"</xml>"].concat();
        refused_whatever_it_is(&config, &HeaderMap::new(), &xml);
    }

    #[test]
    fn signed_nonsense_never_panics(body in proptest::collection::vec(any::<u8>(), 0..100)) {
        refused_whatever_it_is(&v3_config(), &headers_of(&body), &body);
    }
}

/// What a receiver of a share is told, under the event of a payment.
fn share_told() -> Value {
    json!({
        "mchid": MCH, "transaction_id": "4200000001", "order_id": "3008450740201411110007820472",
        "out_order_no": "S0001", "success_time": "2026-01-01T08:00:00+08:00",
        "receiver": { "type": "MERCHANT_ID", "account": "1900000100", "amount": 20, "description": "d" },
    })
}

#[tokio::test]
async fn a_notice_of_a_share_is_a_reason_to_ask_and_no_payment() {
    for name in ["TRANSACTION.SUCCESS", "PROFITSHARING.SUCCESS", "PROFITSHARING.RETURN"] {
        let Ok(Notice::Share(notice)) = resource(name, &share_told()).await else { panic!("{name}") };
        assert_eq!((notice.mch_id.as_deref().unwrap_or_default(), notice.out_order_no.as_str()), (MCH, "S0001"));
        assert_eq!((notice.transaction_id.as_str(), notice.merchant.as_str()), ("4200000001", "default"));
    }
    for field in ["mchid", "transaction_id", "out_order_no"] {
        let mut told = share_told();
        told[field] = Value::Null;
        assert!(matches!(resource("TRANSACTION.SUCCESS", &told).await, Err(CallbackError::Malformed(_))), "{field}");
    }
    // A payment stays one, whatever else it names; without a state and a receiver it is nothing.
    let mut payment = paid_order();
    payment["receiver"] = share_told()["receiver"].clone();
    assert!(matches!(resource("TRANSACTION.SUCCESS", &payment).await, Ok(Notice::Payment(_))));
    let mut told = share_told();
    told["receiver"] = Value::Null;
    assert!(matches!(resource("TRANSACTION.SUCCESS", &told).await, Err(CallbackError::Malformed(_))));
    let body = event("TRANSACTION.SUCCESS", &share_told()).to_string().into_bytes();
    let stranger = signed_by(&STRANGER.private, PUB_KEY_ID, NOW, &body);
    assert!(matches!(read(&v3_config(), &stranger, &body).await, Err(CallbackError::Forged(_))));
}
