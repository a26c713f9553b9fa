//! The published vectors of Apple, Douyin, Huawei, VksPay and WeChat's virtual payment.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crypto::{aes, cert::Certificate, hash, jws::Anchor, sm2::Sm2Key};
use domain::{Fen, Provider, Secret, UnixMs};
use http::{HeaderMap, Method};
use providers::Config;
use providers::{
    CallbackError, CallbackRequest, Notice, ProviderClients, douyin, huawei, read_callback, virtual_pay, vkspay,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

const APPLE_LEAF: &str = "1.2.840.113635.100.6.11.1";
const APPLE_INTERMEDIATE: &str = "1.2.840.113635.100.6.2.1";
const HUAWEI_LEAF: &str = "1.3.6.1.4.1.2011.2.415.1.1";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap().trim().to_owned()
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn document(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap()
}

fn anchor(root: &str, leaf: &'static str, intermediate: Option<&'static str>) -> Anchor {
    Anchor::new(&Certificate::from_der(&bytes(root)).unwrap(), leaf, intermediate)
}

/// Reads a callback with the keys of a document that has one section.
pub async fn read(
    provider: Provider,
    section: Value,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Notice, CallbackError> {
    let mut document = json!({ "auth": { "keys": { "shop": "the-shop-calls-with-this" } } });
    document[provider.name()] = section;
    let (config, _) =
        Config::parse(&document.to_string(), Path::new(".")).unwrap_or_else(|faults| panic!("{faults:?}"));
    let method = if body.is_empty() { Method::GET } else { Method::POST };
    let request = CallbackRequest { method: &method, headers, query, body, now: UnixMs::new(1_760_000_000_000) };
    read_callback(provider, config.merchant("default").unwrap(), &ProviderClients::default(), &request).await
}

fn signed_date(claims: &Map<String, Value>) -> Option<i64> {
    claims.get("signedDate")?.as_i64()
}

#[test]
fn apples_own_signed_objects_open_under_its_test_root_and_no_other() {
    let test = anchor("apple/testCA.der", APPLE_LEAF, Some(APPLE_INTERMEDIATE));
    let real = anchor("apple/x509_chain/real_apple_root.der", APPLE_LEAF, Some(APPLE_INTERMEDIATE));
    for name in ["testNotification", "transactionInfo", "renewalInfo"] {
        let signed = text(&format!("apple/mock_signed_data/{name}"));
        assert!(test.open(&signed, signed_date).is_ok(), "{name}");
        assert!(real.open(&signed, signed_date).is_err(), "{name} under the real root");
    }
    for name in ["missingX5CHeaderClaim", "wrongBundleId"] {
        assert!(test.open(&text(&format!("apple/mock_signed_data/{name}")), signed_date).is_err(), "{name}");
    }
}

fn x5c(names: &[&str]) -> Value {
    names.iter().map(|name| json!(STANDARD.encode(bytes(&format!("apple/x509_chain/{name}.der"))))).collect()
}

#[test]
fn apples_real_chain_is_taken_and_its_spoilt_ones_are_not() {
    const THEN: i64 = 1_761_962_975;
    let real = anchor("apple/x509_chain/real_apple_root.der", APPLE_LEAF, Some(APPLE_INTERMEDIATE));
    let chain = x5c(&["real_apple_signing_certificate", "real_apple_intermediate", "real_apple_root"]);
    assert!(real.leaf_key(&chain, THEN).is_ok());
    assert!(real.leaf_key(&chain, THEN + 20 * 31_557_600).is_err(), "twenty years later");
    assert!(real.leaf_key(&chain, 1_000_000_000).is_err(), "before it was issued");
    let test = anchor("apple/x509_chain/root_ca.der", APPLE_LEAF, Some(APPLE_INTERMEDIATE));
    assert!(test.leaf_key(&x5c(&["leaf_cert", "intermediate_ca", "root_ca"]), THEN).is_ok());
    for spoilt in [
        x5c(&["leaf_cert_invalid_oid", "intermediate_ca", "root_ca"]),
        x5c(&["leaf_cert_for_intermediate_ca_invalid_oid", "intermediate_ca_invalid_oid", "root_ca"]),
        x5c(&["leaf_cert", "intermediate_ca"]),
        x5c(&["leaf_cert"]),
        x5c(&["leaf_cert", "intermediate_ca", "root_ca", "root_ca"]),
        x5c(&["intermediate_ca", "intermediate_ca", "root_ca"]),
        x5c(&["leaf_cert", "root_ca", "intermediate_ca"]),
        x5c(&["real_apple_signing_certificate", "real_apple_intermediate", "root_ca"]),
        json!(["x", "y", "z"]),
        json!([]),
        json!(null),
    ] {
        assert!(test.leaf_key(&spoilt, THEN).is_err());
    }
}

#[test]
fn the_root_that_is_built_in_is_apple_root_ca_g3() {
    let digest = "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179";
    let built_in = include_bytes!("../../src/apple/AppleRootCA-G3.der");
    assert_eq!(hash::sha256_hex(built_in), digest);
}

fn apple_section(bundle: &str) -> Value {
    json!({ "app-plus": {
        "bundleId": bundle, "sandbox": true, "appAppleId": 1234,
        "rootCertContent": STANDARD.encode(bytes("apple/testCA.der")),
    } })
}

#[tokio::test]
async fn apples_test_notification_is_taken_for_its_bundle_only() {
    let body = json!({ "signedPayload": text("apple/mock_signed_data/testNotification") }).to_string();
    let headers = HeaderMap::new();
    let read = |bundle: &'static str| {
        let (body, headers) = (body.clone(), headers.clone());
        async move { read(Provider::Appleiap, apple_section(bundle), "", &headers, body.as_bytes()).await }
    };
    assert_eq!(read("com.example").await, Ok(Notice::Other("appleiap TEST".to_owned())));
    assert!(matches!(read("com.example.other").await, Err(CallbackError::Forged(_))));
}

#[tokio::test]
async fn ecpays_signatures_and_its_real_callback_are_the_published_ones() {
    let vectors = document("douyin/ecpay_v1.json");
    let salt = Secret::new(vectors["salt"].as_str().unwrap());
    for case in vectors["create_order"].as_array().unwrap() {
        let joined = douyin::signing_text(case["params"].as_object().unwrap(), &salt);
        assert_eq!(joined, case["joined"].as_str().unwrap());
        assert_eq!(hash::md5_hex(joined.as_bytes()), case["sign"].as_str().unwrap());
    }
    let section = json!({ "mp-toutiao": {
        "appId": "tt226e54d3bd581bf801", "salt": vectors["salt"], "token": vectors["token"],
    } });
    let body = vectors["callback"]["raw_body"].as_str().unwrap();
    let headers = HeaderMap::new();
    let notice = read(Provider::Douyin, section.clone(), "", &headers, body.as_bytes()).await.unwrap();
    let Notice::Payment(payment) = notice else { panic!("{notice:?}") };
    assert_eq!((payment.number.as_str(), payment.total), ("202408041111312119", Some(Fen(1))));
    assert_eq!(payment.transaction_id, "7398108028895054107");
    // The type is not signed, and says nothing.
    let flipped = body.replace(r#""type":"payment""#, r#""type":"refund""#);
    let notice = read(Provider::Douyin, section.clone(), "", &headers, flipped.as_bytes()).await.unwrap();
    assert!(matches!(notice, Notice::Payment(_)));
    for spoilt in [body.replace("\"5280\"", "\"5281\""), body.replace("total_amount\\\":1", "total_amount\\\":2")] {
        assert_ne!(spoilt, body);
        let refused = read(Provider::Douyin, section.clone(), "", &headers, spoilt.as_bytes()).await;
        assert!(matches!(refused, Err(CallbackError::Forged(_))));
    }
    let mut other = section;
    other["mp-toutiao"]["appId"] = json!("tt0000000000000000");
    assert!(read(Provider::Douyin, other, "", &headers, body.as_bytes()).await.is_err(), "another application");
}

#[test]
fn vkspays_signatures_are_those_of_its_own_client() {
    let vectors = document("vkspay/vkspay_requests.json");
    let key = Secret::new(vectors["config"]["key"].as_str().unwrap());
    let mut checked = 0;
    for case in vectors["cases"].as_array().unwrap() {
        let Some(body) = case["request"]["body"].as_object() else { continue };
        let signed = vkspay::signing_text(body, &key);
        assert_eq!(signed, case["signed_text"].as_str().unwrap(), "{}", case["name"]);
        assert_eq!(hash::md5_hex(signed.as_bytes()), body["sign"].as_str().unwrap(), "{}", case["name"]);
        checked += 1;
    }
    assert!(checked >= 9, "{checked}");
}

#[test]
fn huaweis_canonical_texts_are_the_published_ones() {
    let vectors = document("huawei/requests.json");
    for case in vectors["canonical"].as_array().unwrap() {
        assert_eq!(
            huawei::canonical(&case["body"].to_string()).as_deref(),
            case["canonical"].as_str(),
            "{}",
            case["name"]
        );
    }
    for case in vectors["requests"].as_array().unwrap() {
        if case["body"].is_object() {
            let text = huawei::canonical(&case["body"].to_string());
            assert_eq!(text.as_deref(), case["body_signed_text"].as_str(), "{}", case["name"]);
        }
    }
    // As received: the digits of a number stay, and no name stands twice.
    assert_eq!(huawei::canonical(r#"{"b":1.0,"a":1e3,"c":[1,null,"x"]}"#).as_deref(), Some("a=1e3&b=1.0&c=1,x"));
    assert_eq!(huawei::canonical(r#"{"a":1,"a":2}"#), None);
    assert_eq!(huawei::canonical(r#"{"o":{"a":1,"a":2}}"#), None);
    for none in ["", "[]", "1", "{", "null"] {
        assert_eq!(huawei::canonical(none), None, "{none}");
    }
    let deep = format!("{}1{}", r#"{"a":"#.repeat(40), "}".repeat(40));
    assert_eq!(huawei::canonical(&deep), None);
}

#[test]
fn huaweis_public_key_is_read_in_every_form() {
    let hex = text("huawei/platform_sm2_pub_hex.txt");
    let pem = text("huawei/platform_sm2_pub.pem");
    let bare: String = pem.lines().filter(|line| !line.contains("---")).collect();
    for form in [hex.as_str(), &hex[2..], &hex.to_lowercase(), &pem, &bare, &text("huawei/platform_sm2_cert.pem")] {
        assert!(Sm2Key::parse(form).is_ok(), "{form:.30}");
    }
    for wrong in ["", "04", &hex[..120], "not a key", &text("huawei/merchant_rsa_pub.pem")] {
        assert!(Sm2Key::parse(wrong).is_err(), "{wrong:.30}");
    }
}

#[test]
fn iap_kits_signed_orders_open_only_as_they_should() {
    let anchor = anchor("huawei/iap_root.der", HUAWEI_LEAF, None);
    for case in document("huawei/iap_jws.json")["cases"].as_array().unwrap() {
        let opened = anchor.open(case["jws"].as_str().unwrap(), |claims| claims.get("signedTime")?.as_i64());
        assert_eq!(opened.is_ok(), case["valid"].as_bool().unwrap(), "{}", case["name"]);
    }
    let example = document("huawei/iap_jwt_example.json");
    let digest = hash::sha256_hex(example["body"].as_str().unwrap().as_bytes());
    assert_eq!(json!(digest), example["claims"]["digest"]);
}

#[test]
fn virtual_payments_signatures_are_wechats() {
    for case in document("wechat/xpay-sign.json")["cases"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let body = text("body").as_bytes();
        assert_eq!(virtual_pay::signature(text("appkey"), text("uri"), body), text("pay_sig"), "{}", text("name"));
        assert_eq!(hash::hmac_sha256_hex(text("session_key").as_bytes(), body), text("signature"), "{}", text("name"));
    }
}

#[test]
fn message_push_opens_as_wechats_pages_say() {
    let vectors = document("wechat/message-push.json");
    for case in vectors["decrypt"].as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap_or_default();
        let mut parts = [text("token"), text("timestamp"), text("nonce"), text("encrypt")];
        parts.sort_unstable();
        assert_eq!(hash::sha1_hex(parts.concat().as_bytes()), text("msg_signature"), "{}", text("name"));
        let Some(key) = aes::encoding_aes_key(text("encoding_aes_key")) else { continue };
        let plain = aes::cbc256_decrypt(&key, &STANDARD.decode(text("encrypt")).unwrap()).unwrap();
        let (length, rest) = plain[16..].split_first_chunk::<4>().unwrap();
        let (message, receiver) = rest.split_at(u32::from_be_bytes(*length) as usize);
        assert_eq!(std::str::from_utf8(message).unwrap(), text("plaintext"), "{}", text("name"));
        assert_eq!(std::str::from_utf8(receiver).unwrap(), text("receiver"), "{}", text("name"));
    }
}

fn push_section() -> Value {
    json!({ "mp-weixin": {
        "appId": "wx5823bf96d3bd56c7", "secret": "0123456789abcdef", "offerId": "1", "appKey": "k1234567",
        "token": "QDG6eK", "encodingAESKey": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    } })
}

#[tokio::test]
async fn a_push_in_safe_mode_is_taken_by_its_msg_signature_alone() {
    let vectors = document("wechat/message-push.json");
    let case = vectors["decrypt"].as_array().unwrap().iter().find(|c| c["token"] == "QDG6eK").unwrap();
    let text = |name: &str| case[name].as_str().unwrap();
    let body = json!({ "ToUserName": "x", "Encrypt": text("encrypt") }).to_string();
    let headers = HeaderMap::new();
    let at = format!("timestamp={}&nonce={}", text("timestamp"), text("nonce"));
    let right = format!("{at}&msg_signature={}", text("msg_signature"));
    let ask = |query: String, section: Value, body: String| {
        let headers = headers.clone();
        async move { read(Provider::WxpayVirtual, section, &query, &headers, body.as_bytes()).await }
    };
    assert!(matches!(ask(right.clone(), push_section(), body.clone()).await, Ok(Notice::Other(_))));
    let mut parts = ["QDG6eK", text("timestamp"), text("nonce")];
    parts.sort_unstable();
    let plain = hash::sha1_hex(parts.concat().as_bytes());
    for query in [
        format!("{at}&signature={plain}"),
        format!("{at}&msg_signature={plain}"),
        at.clone(),
        format!("{right}&nonce=1"),
    ] {
        assert!(ask(query.clone(), push_section(), body.clone()).await.is_err(), "{query}");
    }
    let mut other = push_section();
    other["mp-weixin"]["appId"] = json!("wx0000000000000000");
    assert!(ask(right.clone(), other, body).await.is_err(), "another application at the end");
    let bare = json!({ "Event": "xpay_goods_deliver_notify", "OutTradeNo": "ORDER0001" }).to_string();
    let signed = format!("{at}&signature={plain}");
    assert!(ask(signed.clone(), push_section(), bare.clone()).await.is_err(), "plain, where safe mode is configured");
    let mut plain_mode = push_section();
    plain_mode["mp-weixin"].as_object_mut().unwrap().remove("encodingAESKey");
    let hint = ask(signed, plain_mode.clone(), bare).await.unwrap();
    assert!(matches!(hint, Notice::Hint(_)), "a plain push is only a reason to ask");
    let xml = "<xml><Event><![CDATA[xpay_coin_pay_notify]]></Event><OutTradeNo>ORDER0001</OutTradeNo>\
               <CoinInfo><Quantity>3</Quantity></CoinInfo></xml>";
    let hint = ask(format!("{at}&signature={plain}"), plain_mode.clone(), xml.to_owned()).await.unwrap();
    assert!(matches!(hint, Notice::Hint(hint) if hint.number.as_deref() == Some("ORDER0001")));
    let echo =
        ask(format!("{at}&signature={plain}&echostr=4375120948345356249"), plain_mode.clone(), String::new()).await;
    assert_eq!(echo, Ok(Notice::Echo("4375120948345356249".to_owned())));
    let forged = ask(format!("{at}&signature={plain}0&echostr=1"), plain_mode, String::new()).await;
    assert!(forged.is_err());
}
