//! The published vectors: what we compose is what WeChat Pay's own samples signed and sealed.

use super::wxpay_kit::*;
use crypto::aes::{self, Mode, open_gcm};
use crypto::hash::md5_hex;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::Secret;
use providers::common::url::segment;
use providers::wxpay::signing::{answer_message, authorization, invoke_message, request_message};
use providers::wxpay::v2;
use serde_json::Value;

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

fn cases(name: &str) -> Vec<Value> {
    fixture(name)["cases"].as_array().unwrap().clone()
}

fn official_merchant() -> PublicKey {
    PublicKey::parse(&fixture_text("keys/official-doc-merchant-public.pem")).unwrap()
}

#[test]
fn the_five_lines_of_a_request_are_the_documentations() {
    let key = official_merchant();
    for case in cases("v3-request-sign.json") {
        let seconds = text(&case, "timestamp").parse().unwrap();
        let body = text(&case, "body").as_bytes();
        let message = request_message(text(&case, "method"), text(&case, "path"), seconds, text(&case, "nonce"), body);
        assert!(key.verify(&message, text(&case, "signature")), "{}", case["name"]);
        let longer = [message.as_slice(), b"\n"].concat();
        assert!(!key.verify(&longer, text(&case, "signature")));
    }
}

#[test]
fn the_four_lines_for_the_client_are_the_documentations() {
    let key = official_merchant();
    for case in cases("v3-invoke-sign.json") {
        let seconds = text(&case, "timestamp").parse().unwrap();
        let message = invoke_message(text(&case, "appid"), seconds, text(&case, "nonce"), text(&case, "line4"));
        assert!(key.verify(&message, text(&case, "signature")), "{}", case["name"]);
    }
}

#[test]
fn raw_signatures_of_other_sdks_verify() {
    for case in cases("v3-rsa-sha256-raw.json") {
        let key = PublicKey::parse(&fixture_text(text(&case, "public_key"))).unwrap();
        assert!(key.verify(text(&case, "message").as_bytes(), text(&case, "signature")), "{}", case["name"]);
        assert!(!key.verify(b"another message", text(&case, "signature")));
    }
}

#[test]
fn the_whole_notification_of_wechatpay_go_is_signed_over_our_three_lines() {
    let case = &cases("v3-notification.json")[0];
    let headers = &case["headers"];
    let key = PublicKey::parse(&fixture_text(text(case, "platform_certificate"))).unwrap();
    let body = text(case, "body").as_bytes();
    let message = answer_message(text(headers, "Wechatpay-Timestamp"), text(headers, "Wechatpay-Nonce"), body);
    assert!(key.verify(&message, text(headers, "Wechatpay-Signature")));
    let event: Value = serde_json::from_slice(body).unwrap();
    let resource = &event["resource"];
    let key = text(case, "apiv3_key").as_bytes();
    assert_eq!(key.len(), 16, "the sample's key is too short for us on purpose");
    let nonce = text(resource, "nonce").as_bytes();
    assert!(open_gcm(key, nonce, b"payscore", text(resource, "ciphertext")).is_err());
}

#[test]
fn gcm_opens_the_published_texts_and_refuses_other_lengths() {
    for case in cases("v3-aead-aes-gcm.json") {
        let (key, nonce) = (text(&case, "key"), text(&case, "nonce"));
        let opened =
            open_gcm(key.as_bytes(), nonce.as_bytes(), text(&case, "aad").as_bytes(), text(&case, "ciphertext"));
        if key.len() != 32 || nonce.len() != 12 {
            assert!(opened.is_err(), "{}", case["name"]);
            continue;
        }
        let opened = String::from_utf8(opened.unwrap()).unwrap();
        match case["plaintext"].as_str() {
            Some(plain) => assert!(opened.starts_with(plain.trim_end()), "{}", case["name"]),
            None => assert!(opened.starts_with(text(&case, "plaintext_prefix"))),
        }
    }
}

#[test]
fn gcm_refuses_every_altered_tag_nonce_and_aad_without_panicking() {
    let sealed = seal(V3_KEY, "Kj7QIyUiYx1q", "transaction", b"{}");
    let bytes = crypto::from_base64(&sealed).unwrap();
    let open = |nonce: &[u8], aad: &[u8], bytes: &[u8]| open_gcm(V3_KEY.as_bytes(), nonce, aad, &crypto::base64(bytes));
    let nonce = b"Kj7QIyUiYx1q";
    assert_eq!(open(nonce, b"transaction", &bytes).unwrap(), b"{}");
    for length in [0, 11, 13, 16] {
        assert!(open(&vec![b'a'; length], b"transaction", &bytes).is_err(), "a nonce of {length} bytes");
    }
    for length in 0..bytes.len() {
        assert!(open(nonce, b"transaction", &bytes[..length]).is_err(), "cut to {length} bytes");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(open(nonce, b"transaction", &flipped).is_err(), "byte {at} flipped");
    }
    let mut zeroed = bytes.clone();
    zeroed[2..].fill(0);
    assert!(open(nonce, b"transaction", &zeroed).is_err());
    assert!(open(nonce, b"", &bytes).is_err());
    assert!(open(nonce, b"refund", &bytes).is_err());
}

#[test]
fn a_sensitive_field_makes_the_round_trip_and_a_published_one_is_not_ours() {
    let public = PublicKey::parse(&MERCHANT.certificate_pem).unwrap();
    let sealed = public.encrypt_oaep("张三".as_bytes()).unwrap();
    assert_eq!(MERCHANT.private.decrypt_oaep(&sealed).unwrap(), "张三".as_bytes());
    assert!(STRANGER.private.decrypt_oaep(&sealed).is_err());
    for case in cases("v3-sensitive-field-oaep.json") {
        assert!(MERCHANT.private.decrypt_oaep(text(&case, "ciphertext")).is_err());
    }
}

#[test]
fn v2_signs_are_the_documentations() {
    for case in cases("v2-sign.json") {
        let hmac = case["sign_type"] == "HMAC-SHA256";
        let key = Secret::new(text(&case, "key"));
        let mut params = params(&case["params"]);
        assert_eq!(v2::sign(&params, &key, hmac), text(&case, "sign"), "{}", case["name"]);
        params.insert("sign".to_owned(), text(&case, "sign").to_owned());
        assert!(v2::is_signed(&params, &key, hmac));
        assert!(!v2::is_signed(&params, &key, !hmac), "the other kind of sign");
        params.insert("extra".to_owned(), "1".to_owned());
        assert!(!v2::is_signed(&params, &key, hmac), "a field more");
        params.remove("extra");
        params.insert("sign".to_owned(), String::new());
        assert!(!v2::is_signed(&params, &key, hmac), "an empty sign");
    }
}

#[test]
fn names_sort_by_their_bytes_in_v2() {
    let params = params(&serde_json::json!({ "a_b": "1", "aB": "2", "ab": "3", "a": "4", "sign": "x", "empty": "" }));
    assert_eq!(v2::canonical(&params), "a=4&aB=2&a_b=1&ab=3");
}

#[test]
fn req_info_opens_under_the_md5_of_the_key() {
    for case in cases("v2-refund-req-info-aes-ecb.json") {
        let key = text(&case, "key_raw");
        if let Some(api_key) = case["apiv2_key"].as_str() {
            assert_eq!(md5_hex(api_key.as_bytes()), key);
        }
        let plain = aes::decrypt(Mode::Aes256Ecb, key, text(&case, "ciphertext")).unwrap();
        assert_eq!(String::from_utf8(plain).unwrap(), text(&case, "plaintext"));
    }
}

#[test]
fn paths_keep_only_unreserved_characters() {
    assert_eq!(segment("a|b*c-d_e/f"), "a%7Cb%2Ac-d_e%2Ff");
    let line = authorization("1900007291", "408B", 1_554_208_460, "593BEC", "c2ln");
    assert_eq!(
        line,
        "WECHATPAY2-SHA256-RSA2048 mchid=\"1900007291\",nonce_str=\"593BEC\",signature=\"c2ln\",timestamp=\"1554208460\",serial_no=\"408B\""
    );
}

#[test]
fn a_signature_that_does_not_decode_is_no_signature() {
    let key = PublicKey::parse(&PLATFORM.public_pem).unwrap();
    for signature in ["", "=", "WECHATPAY/SIGNTEST/abc", "YQ", "中文", "AAAA"] {
        assert!(!key.verify(b"x", signature));
    }
    assert!(PrivateKey::parse("").is_err());
}
