//! The public vectors of Alipay's protocol, and ours: byte for byte.

use super::alipay_kit::{fixture, fixture_json, pairs, read};
use crypto::{aes, cert, from_base64, rsa::PublicKey};
use domain::{Fen, UnixMs};
use providers::alipay::answer::{self, Answer, AnswerError, Keys};
use providers::{CallbackError, Notice, alipay::signing};
use serde_json::{Value, json};

fn certified(path: &Value) -> PublicKey {
    PublicKey::parse(&fixture(path.as_str().expect("a path"))).expect("a certificate")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[test]
fn the_text_of_a_request_is_what_a_published_signature_covers() {
    let vector = fixture_json("request/yansongda_trade_query_cert_mode.json");
    let text_to_sign = signing::request_text(&pairs(&vector["params"]));
    assert_eq!(text_to_sign, text(&vector["string_to_sign"]));
    assert!(certified(&vector["app_cert"]).verify(text_to_sign.as_bytes(), text(&vector["sign"])));
}

#[test]
fn certificates_have_the_serial_numbers_that_alipay_gives_them() {
    let mut checked = 0;
    for vector in fixture_json("certs/sn_expected.json").as_array().expect("a list") {
        let path = format!("certs/{}", text(&vector["file"]));
        if let Some(expected) = vector.get("expected_root_sn") {
            assert_eq!(cert::alipay_root_sn(&fixture(&path)), text(expected));
            assert_eq!(cert::alipay_root_sn(&fixture("certs/prod_alipayRootCert_crlf_or_variant.crt")), text(expected));
            checked += 1;
        } else if !text(&vector["file"]).starts_with("net_") {
            let certificate = cert::Certificate::parse(&fixture(&path)).expect("a certificate");
            assert_eq!(certificate.alipay_sn(), text(&vector["expected_sn"]), "{path}");
            checked += 1;
        }
    }
    assert_eq!(checked, 4, "the certificates prefixed net_ are not public files");
}

#[test]
fn callbacks_and_return_urls_of_alipay_verify() {
    for path in ["notify/yansongda_sandbox_plus_sign_in_subject.json", "notify/yansongda_page_pay_return_url.json"] {
        let vector = fixture_json(path);
        let params = pairs(&vector["params"]);
        assert_eq!(signing::notify_text(&params), text(&vector["string_to_sign"]), "{path}");
        assert!(signing::verify_notify(&params, &certified(&vector["alipay_cert"])), "{path}");
    }
    let vector = fixture_json("selfmade/notify_trade_success.json");
    let params = pairs(&vector["params"]);
    assert_eq!(signing::notify_text(&params), text(&vector["string_to_sign"]));
    assert!(signing::verify_notify(&params, &PublicKey::parse(&fixture("selfmade/throwaway_public_key.pem")).unwrap()));
}

/// The published sandbox application in certificate mode, with an application key and certificate of our own.
fn sandbox_application() -> Value {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let params = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    let certificate = params.self_signed(&key).expect("a certificate");
    json!({ "h5": {
        "appId": "9021000122682882", "sandbox": true, "sellerId": "2088721003899159",
        "privateKey": key.serialize_pem(),
        "appCertContent": certificate.pem(),
        "alipayPublicCertContent": fixture("certs/yansongda_alipayPublicCert.crt"),
        "alipayRootCertContent": fixture("certs/prod_alipayRootCert_unix.crt"),
    } })
}

#[test]
fn a_genuine_callback_is_read_whole_in_certificate_mode() {
    let vector = fixture_json("notify/yansongda_sandbox_plus_sign_in_subject.json");
    let body = text(&vector["form_body"]);
    super::alipay_kit::with_merchant(sandbox_application(), |merchant| {
        let Ok(Notice::Payment(payment)) = read(merchant, body.as_bytes()) else { panic!("not a payment") };
        assert_eq!(payment.number, "1703147160");
        assert_eq!(payment.transaction_id, "2023122122001499160501589436");
        assert_eq!(payment.total, Some(Fen(1)));
        assert_eq!(payment.currency, "CNY");
        assert_eq!(payment.app_id.as_deref(), Some("9021000122682882"));
        assert_eq!(payment.mch_id.as_deref(), Some("2088721003899159"));
        assert_eq!(payment.payer.as_deref(), Some("2088722003899169"));
        assert_eq!(payment.paid_at, Some(UnixMs::new(1_703_147_203_000)));
        assert_eq!(payment.info["subject"], "yansongda+测试 - 1");
    });
}

#[test]
fn a_callback_decoded_twice_does_not_verify() {
    let vector = fixture_json("notify/yansongda_sandbox_plus_sign_in_subject.json");
    let body = text(&vector["form_body"]);
    let twice = body.replace("yansongda%2B", "yansongda+");
    assert_ne!(body, twice);
    super::alipay_kit::with_merchant(sandbox_application(), |merchant| {
        assert_eq!(read(merchant, twice.as_bytes()), Err(CallbackError::Forged("sign")));
    });
}

#[test]
fn a_callback_that_names_another_certificate_is_forged() {
    let vector = fixture_json("notify/yansongda_sandbox_plus_sign_in_subject.json");
    let named = |serial: &str| format!("{}&alipay_cert_sn={serial}", text(&vector["form_body"]));
    super::alipay_kit::with_merchant(sandbox_application(), |merchant| {
        assert!(read(merchant, named("6f1e366a31d9575cd546914add04f4af").as_bytes()).is_ok());
        let other = read(merchant, named("687b59193f3f462dd5336e5abf83c5d8").as_bytes());
        assert_eq!(other, Err(CallbackError::Forged("sign")));
    });
}

#[test]
fn signed_answers_verify_over_their_raw_characters() {
    let vectors = fixture_json("response/signed_responses.json");
    let mut verified = 0;
    for vector in vectors.as_array().expect("a list") {
        let (key, body) = match (vector.get("alipay_cert"), vector.get("public_key_b64"), vector.get("public_key")) {
            (Some(path), ..) => (certified(path), text(&vector["rebuilt_body"]).to_owned()),
            (_, Some(key), _) => {
                let (node, sign) = (text(&vector["signed_node"]), text(&vector["sign"]));
                let body = format!(r#"{{"alipay_trade_pay_response":{node},"sign":"{sign}"}}"#);
                (PublicKey::parse(text(key)).expect("a key"), body)
            }
            (.., Some(path)) if text(path).ends_with("nodejs_alipay-public-key.pem") => {
                (certified(path), text(&vector["raw_body"]).to_owned())
            }
            _ => continue,
        };
        let method = vector.get("method").map_or("alipay.trade.pay", text);
        let keys = Keys { alipay_key: &key, alipay_cert_sn: None, encrypt_key: None };
        let Ok(Answer::Success(fields)) = answer::read(body.as_bytes(), method, keys) else { panic!("{method}") };
        assert_eq!(Value::Object(fields), serde_json::from_str::<Value>(text(&vector["signed_node"])).unwrap());
        let forged = body.replacen("10000", "10003", 1);
        assert_eq!(answer::read(forged.as_bytes(), method, keys), Err(AnswerError::Forged));
        verified += 1;
    }
    assert_eq!(verified, 3, "the key of the failure's vector is not among the files");
}

#[test]
fn a_published_answer_counts_only_for_the_certificate_it_names() {
    let vectors = fixture_json("response/signed_responses.json");
    let (body, key) = (text(&vectors[0]["rebuilt_body"]), certified(&vectors[0]["alipay_cert"]));
    let read = |serial| {
        let keys = Keys { alipay_key: &key, alipay_cert_sn: Some(serial), encrypt_key: None };
        answer::read(body.as_bytes(), "alipay.fund.trans.common.query", keys)
    };
    assert!(matches!(read("6f1e366a31d9575cd546914add04f4af"), Ok(Answer::Success(_))));
    assert_eq!(read("687b59193f3f462dd5336e5abf83c5d8"), Err(AnswerError::Certificate));
}

#[test]
fn an_order_string_is_what_the_official_sdk_makes() {
    let vector = fixture_json("selfmade/app_pay_order_string.json");
    let mut params = pairs(&vector["params"]);
    assert_eq!(signing::request_text(&params), text(&vector["string_to_sign"]));
    params.push(("sign".to_owned(), text(&vector["sign"]).to_owned()));
    assert_eq!(signing::encoded(&params), text(&vector["order_string"]));
}

#[test]
fn content_encryption_is_the_sdks() {
    for vector in fixture_json("aes/aes_vectors.json")["vectors"].as_array().expect("a list") {
        if vector.get("encrypt_type").is_some() {
            continue;
        }
        let key: [u8; 16] = from_base64(text(&vector["key_b64"])).unwrap().try_into().expect("16 bytes");
        let (plain, sealed) = (text(&vector["plaintext"]), text(&vector["ciphertext_b64"]));
        assert_eq!(aes::cbc128_encrypt(&key, plain.as_bytes()), sealed);
        assert_eq!(aes::cbc128_decrypt(&key, sealed).unwrap(), plain.as_bytes());
    }
}

#[test]
fn an_encrypted_answer_is_verified_with_its_quotes_and_then_opened() {
    let vector = fixture_json("selfmade/encrypted_roundtrip.json");
    let key: [u8; 16] = from_base64(text(&vector["aes_key_b64"])).unwrap().try_into().expect("16 bytes");
    let request = &vector["request"];
    let sealed = aes::cbc128_encrypt(&key, text(&request["biz_content_plain"]).as_bytes());
    assert_eq!(sealed, text(&request["params"]["biz_content"]));
    assert_eq!(signing::request_text(&pairs(&request["params"])), text(&request["string_to_sign"]));

    let alipay_key = PublicKey::parse(&fixture("selfmade/throwaway_public_key.pem")).unwrap();
    let body = text(&vector["response"]["body"]);
    let read = |encrypt_key| {
        let keys = Keys { alipay_key: &alipay_key, alipay_cert_sn: None, encrypt_key };
        answer::read(body.as_bytes(), "alipay.trade.query", keys)
    };
    let Ok(Answer::Success(fields)) = read(Some(&key)) else { panic!("not opened") };
    assert_eq!(Value::Object(fields), serde_json::from_str::<Value>(text(&vector["response"]["plain"])).unwrap());
    assert_eq!(read(None), Err(AnswerError::Encrypted));
    assert_eq!(read(Some(&[7; 16])), Err(AnswerError::Encrypted));
}

#[test]
fn yuan_is_an_edge_of_integer_fen() {
    for (fen, yuan) in [(1, "0.01"), (10, "0.10"), (100, "1.00"), (8880, "88.80"), (10_000_000_000, "100000000.00")] {
        assert_eq!(Fen(fen).to_yuan(), yuan);
        assert_eq!(Fen::from_yuan(yuan), Some(Fen(fen)));
    }
    for (yuan, fen) in [("88.8", 8880), ("88", 8800), ("0", 0)] {
        assert_eq!(Fen::from_yuan(yuan), Some(Fen(fen)));
    }
    for bad in ["", ".1", "1.", "1.001", "-1", "+1", "1e3", " 1", "1,00", "１", "99999999999999999999"] {
        assert_eq!(Fen::from_yuan(bad), None, "{bad:?}");
    }
}

#[tokio::test]
async fn certificate_mode_signs_the_serial_numbers_along() {
    let vector = fixture_json("request/yansongda_trade_query_cert_mode.json");
    let order = super::alipay_kit::order(json!({}));
    let application = sandbox_application()["h5"].clone();
    let certificate = cert::Certificate::parse(text(&application["appCertContent"])).expect("a certificate");
    let public = PublicKey::parse(text(&application["appCertContent"])).expect("a key");
    let created = super::alipay_kit::gateway("pc", application)
        .create(&Default::default(), &super::alipay_kit::request(&order))
        .await;
    let Ok(created) = created else { panic!("{created:?}") };
    let query = text(&created.order_info["payUrl"]).split_once('?').expect("a query").1;
    let params: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let of = |name: &str| params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!(of("app_cert_sn"), Some(certificate.alipay_sn().as_str()));
    assert_eq!(of("alipay_root_cert_sn"), vector["params"]["alipay_root_cert_sn"].as_str());
    let signed = signing::request_text(&params);
    assert!(public.verify(signed.as_bytes(), of("sign").expect("a sign")));
}
