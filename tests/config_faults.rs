//! What is wrong with a configuration is said at start, and not by the first payer: keys in each other's place,
//! misspelt names, placeholders, certificates that end. Cases of merchants stand under their ids.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use sandbox::{DouyinProduct, Epay, MerchantKeys, Mode};
use serde_json::{Value, json};
use shared::config::Config;
use shared::domain::UnixMs;
use std::path::Path;
use std::sync::OnceLock;

pub fn keys() -> &'static [MerchantKeys; 2] {
    static KEYS: OnceLock<[MerchantKeys; 2]> = OnceLock::new();
    KEYS.get_or_init(|| ["one", "two"].map(MerchantKeys::generate))
}

/// A right configuration.
pub fn document(mode: Mode) -> Value {
    let mut document = keys()[0].config_with("http://127.0.0.1:9", mode);
    document["auth"] = json!({ "keys": { "shop": "the-shop-calls-with-this" } });
    document
}

pub fn certificate_mode() -> Mode {
    Mode { alipay_cert: true, epay: Epay::Rsa, douyin: DouyinProduct::Trade, ..Mode::default() }
}

/// The document with a value at a JSON pointer; `None` takes it out.
pub fn with(mut document: Value, pointer: &str, value: Option<Value>) -> Value {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => drop(parent.insert(key.to_owned(), value)),
        None => drop(parent.shift_remove(key)),
    }
    document
}

/// Faults and remarks at a time, Unix ms.
pub fn judged_at(document: &Value, now: i64) -> (Vec<String>, Vec<String>) {
    let lines = |list: Vec<shared::config::Fault>| {
        let lines: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert!(lines.iter().all(|line| is_english(line)), "{lines:#?}");
        lines
    };
    match Config::parse_at(&document.to_string(), Path::new("."), UnixMs::new(now)) {
        Ok((_, remarks)) => (Vec::new(), lines(remarks)),
        Err(faults) => (lines(faults), Vec::new()),
    }
}

/// Whether a line is in English; what a provider's console calls something may stand in brackets.
fn is_english(line: &str) -> bool {
    let mut depth = 0_usize;
    line.chars().all(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 0 || !('\u{2e80}'..='\u{ffef}').contains(&c)
    })
}

/// Faults and remarks.
pub fn judged(document: &Value) -> (Vec<String>, Vec<String>) {
    judged_at(document, at(2026, 11, 29))
}

fn at(year: i32, month: u8, day: u8) -> i64 {
    date_time_ymd(year, month, day).unix_timestamp() * 1_000
}

/// Exactly these faults, by the beginnings of their lines.
fn faulty(document: &Value, wanted: &[&str]) {
    let (faults, _) = judged(document);
    assert_eq!(faults.len(), wanted.len(), "{faults:#?}");
    for line in wanted {
        assert!(faults.iter().any(|fault| fault.starts_with(line)), "{line}\n{faults:#?}");
    }
}

#[test]
fn the_configurations_that_the_faults_are_put_into_are_right() {
    for mode in [Mode::default(), certificate_mode()] {
        let (faults, remarks) = judged(&document(mode));
        assert_eq!(faults, Vec::<String>::new());
        assert!(remarks.iter().all(|remark| remark.starts_with("appleiap.app-plus.products")), "{remarks:?}");
    }
}

#[test]
fn f3_ones_own_key_in_the_providers_place_is_a_fault_at_start() {
    let own = &keys()[0];
    let cases = [
        (Mode::default(), "/alipay/h5/alipayPublicKey", json!(own.alipay.app_public_key), "支付宝公钥"),
        (
            Mode::default(),
            "/wxpay/h5/wxpayPublicKeyContent",
            json!(own.wechat.merchant_cert),
            "WeChat Pay's public key",
        ),
        (
            certificate_mode(),
            "/alipay/h5/alipayPublicCertContent",
            json!(own.alipay.app_cert),
            "alipayCertPublicKey_RSA2.crt",
        ),
        (certificate_mode(), "/vkspay/platformPublicKey", json!(own.vkspay.mch_public_key), "the site's public key"),
        (
            certificate_mode(),
            "/douyin/mp-toutiao/platformPublicKeyContent",
            json!(own.douyin.app_public_key),
            "Douyin's public key",
        ),
        (
            Mode::default(),
            "/huawei/mp-harmony/platformPublicKey",
            json!(own.huawei.mch_public_key),
            "Huawei's SM2 public key",
        ),
    ];
    for (mode, pointer, value, belongs) in cases {
        let path = pointer[1..].replace('/', ".");
        let changed = with(document(mode), pointer, Some(value));
        let (faults, _) = judged(&changed);
        let [fault] = faults.as_slice() else { panic!("{pointer}: {faults:#?}") };
        assert!(fault.starts_with(&format!("{path}: is your own key; ")) && fault.contains(belongs), "{fault}");
    }
}

#[test]
fn f3_the_key_of_the_own_certificate_in_a_public_key_file_is_a_fault_too() {
    let own = shared::crypto::rsa::PrivateKey::parse(&keys()[0].wechat.merchant_key).unwrap().public_spki().to_vec();
    let changed =
        with(document(Mode::default()), "/wxpay/h5/wxpayPublicKeyContent", Some(json!(shared::crypto::base64(&own))));
    faulty(&changed, &["wxpay.h5.wxpayPublicKeyContent: is your own key; "]);
}

#[test]
fn f3_a_leaf_where_a_root_is_expected_is_a_fault() {
    let own = &keys()[0];
    for leaf in [&own.alipay.alipay_cert, &own.alipay.app_cert] {
        let changed = with(document(certificate_mode()), "/alipay/h5/alipayRootCertContent", Some(json!(leaf)));
        faulty(&changed, &["alipay.h5.alipayRootCertContent: holds no root certificate; "]);
    }
    for (pointer, path) in [
        ("/appleiap/app-plus/rootCertContent", "appleiap.app-plus.rootCertContent"),
        ("/huawei/app-harmony/iap/rootCertContent", "huawei.app-harmony.iap.rootCertContent"),
    ] {
        let changed = with(document(Mode::default()), pointer, Some(json!(own.alipay.alipay_cert)));
        faulty(&changed, &[&format!("{path}: is not a root certificate")]);
    }
}

#[test]
fn f3_private_and_public_keys_in_each_others_place_are_told_apart() {
    let own = &keys()[0];
    for (pointer, value, wanted) in [
        ("/alipay/h5/alipayPublicKey", &own.alipay.app_private_key, "is a private key; the public key belongs here"),
        ("/alipay/h5/privateKey", &own.alipay.app_public_key, "is a public key; the private key belongs here"),
        ("/wxpay/h5/appPrivateKeyContent", &own.wechat.merchant_cert, "is a certificate; the private key belongs here"),
        ("/wxpay/h5/appCertContent", &own.wechat.merchant_key, "is a private key; the certificate belongs here"),
        ("/wxpay/h5/wxpayPublicKeyContent", &own.wechat.merchant_key, "is a private key; the public key belongs here"),
    ] {
        let path = pointer[1..].replace('/', ".");
        faulty(&with(document(Mode::default()), pointer, Some(json!(value))), &[&format!("{path}: {wanted}")]);
    }
}

#[test]
fn f5_a_public_key_id_without_its_key_is_a_fault_and_so_is_a_key_without_its_id() {
    for blank in [None, Some(json!("")), Some(json!(" \n"))] {
        let changed = with(document(Mode::default()), "/wxpay/h5/wxpayPublicKeyContent", blank.clone());
        faulty(&changed, &["wxpay.h5.wxpayPublicKeyContent: is missing; wxpayPublicKeyId is of no use without it"]);
        let changed = with(document(Mode::default()), "/wxpay/h5/wxpayPublicKeyId", blank);
        faulty(&changed, &["wxpay.h5.wxpayPublicKeyId: is missing"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pub_key.pem");
    std::fs::write(&file, "\u{feff} \n").unwrap();
    let changed = with(document(Mode::default()), "/wxpay/h5/wxpayPublicKeyContent", None);
    let changed = with(changed, "/wxpay/h5/wxpayPublicKeyPath", Some(json!(file)));
    faulty(&changed, &["wxpay.h5.wxpayPublicKeyPath: names an empty file"]);
}

#[test]
fn f6_a_misspelt_name_in_a_node_that_is_otherwise_complete_is_a_fault_that_names_the_right_one() {
    for (pointer, wrong) in [
        ("/wxpay/h5/appId", "appid"),
        ("/wxpay/h5/appId", "app_id"),
        ("/wxpay/h5/mchId", "mchid"),
        ("/wxpay/h5/mchId", "mcihId"),
        ("/wxpay/h5/v3Key", "v3key"),
        ("/wxpay/h5/appCertContent", "appCertContnet"),
        ("/alipay/h5/appId", "AppId"),
        ("/alipay/h5/alipayPublicKey", "aliPayPublicKey"),
        ("/alipay/h5/privateKey", "privatekey"),
        ("/douyin/mp-toutiao/salt", "slat"),
        ("/vkspay/mchId", "mchid"),
        ("/wxpay-virtual/mp-weixin/offerId", "offerid"),
        ("/appleiap/app-plus/bundleId", "bundleID"),
        ("/huawei/mp-harmony/mchAuthId", "mchAuthID"),
    ] {
        let document = document(Mode::default());
        let value = document.pointer(pointer).unwrap().clone();
        let (parent, right) = pointer.rsplit_once('/').unwrap();
        let changed = with(with(document, pointer, None), &format!("{parent}/{wrong}"), Some(value));
        let (faults, _) = judged(&changed);
        let wanted = format!("{}.{wrong}: is not known here; did you mean {right}?", parent[1..].replace('/', "."));
        assert!(faults.contains(&wanted), "{wanted}\n{faults:#?}");
    }
}

#[test]
fn f6_both_ids_in_small_letters_do_not_make_the_node_vanish() {
    let mut changed = document(Mode::default());
    let node = changed["wxpay"]["h5"].as_object_mut().unwrap();
    for (right, wrong) in [("appId", "appid"), ("mchId", "mchid")] {
        let value = node.shift_remove(right).unwrap();
        node.insert(wrong.to_owned(), value);
    }
    faulty(
        &changed,
        &[
            "wxpay.h5.appid: is not known here; did you mean appId?",
            "wxpay.h5.mchid: is not known here; did you mean mchId?",
            "wxpay.h5.appId: is missing",
            "wxpay.h5.mchId: is missing",
        ],
    );
}

#[test]
fn f6_a_node_with_keys_and_without_any_id_is_not_taken_for_a_leftover() {
    let changed = with(with(document(Mode::default()), "/wxpay/h5/appId", None), "/wxpay/h5/mchId", None);
    faulty(&changed, &["wxpay.h5.appId: is missing", "wxpay.h5.mchId: is missing"]);
}

#[test]
fn f6_a_misspelling_beside_the_right_name_and_a_name_of_another_sort_are_remarks() {
    let mut changed = document(Mode::default());
    changed["wxpay"]["h5"]["appid"] = json!("wx-of-old");
    changed["wxpay"]["h5"]["colour"] = json!("blue");
    changed["somethingElse"] = json!(1);
    let (faults, remarks) = judged(&changed);
    assert_eq!(faults, Vec::<String>::new());
    for path in ["wxpay.h5.appid", "wxpay.h5.colour", "somethingElse"] {
        assert!(remarks.contains(&format!("{path}: is not known and is ignored")), "{path}: {remarks:#?}");
    }
}

#[test]
fn s1_misspelt_names_of_sections_and_nodes_are_faults_that_ask_whether_another_was_meant() {
    for (pointer, value, wanted) in [
        ("/polcy", json!({ "latePayment": "wait" }), "polcy: is not known here; did you mean policy?"),
        ("/notifyURL", json!("https://a.example"), "notifyURL: is not known here; did you mean notifyUrl?"),
        ("/handler", json!({}), "handler: is not known here; did you mean handlers?"),
        ("/Auth", json!({}), ""),
        ("/userWhiteList", json!(["u"]), "userWhitelist"),
        (
            "/wxpay/mp_weixinn",
            json!({ "appId": "wx1", "mchId": "1" }),
            "wxpay.mp_weixinn: is not known here; did you mean mp-weixin?",
        ),
        ("/auth/refnud", json!("key"), "auth.refnud: is not known here; did you mean refund?"),
        (
            "/policy",
            json!({ "latePaiment": "wait" }),
            "policy.latePaiment: is not known here; did you mean latePayment?",
        ),
    ] {
        let (faults, remarks) = judged(&with(document(Mode::default()), pointer, Some(value)));
        match wanted {
            "" => assert!(faults.is_empty() && remarks.iter().any(|r| r.starts_with("Auth: ")), "{faults:?}"),
            wanted => assert!(faults.iter().any(|fault| fault.contains(wanted)), "{pointer}: {faults:?}"),
        }
    }
    let mut moved = document(Mode::default());
    let section = moved.as_object_mut().unwrap().shift_remove("wxpay-virtual").unwrap();
    moved["wxpay_virtual"] = section;
    faulty(&moved, &["wxpay_virtual: is not known here; did you mean wxpay-virtual?"]);
    let second = json!({ "second": { "aliPay": document(Mode::default())["alipay"] } });
    let moved = with(document(Mode::default()), "/merchants", Some(second));
    faulty(&moved, &["merchants.second.aliPay: is not known here; did you mean alipay?"]);
}

#[test]
fn s1_placeholders_and_published_samples_are_no_secrets() {
    let secrets = [
        "<at least 16 random bytes>",
        "<至少 16 字节的随机串>",
        "<32 bytes>",
        "<a secret of your own>",
        "${SHOP_KEY_OF_THE_STAGE}",
        "{{ shop_key_of_the_stage }}",
        "your_secret_of_16_bytes",
        "your-api-v3-key-32-characters-long",
        "YOUR_SECRET_GOES_HERE",
        "changeme-changeme-changeme",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
        "与你后端约定的口令",
        "你的密钥，请自己填一个足够长的",
        "tokenSecret-demo",
        "passwordSecret-demo",
        "5FB2CD73C7B53918728417C50762E6D4",
        "3q2-wkT8rVd0m5yXhZ7uJw",
        "a-secret-of-your-own-uni-id",
        "84119e740cc4e98b84e088c5051d05bb",
    ];
    let places = [
        ("/auth/keys/shop", "auth.keys.shop"),
        ("/auth/jwt", "auth.jwt.hs256"),
        ("/handlers", "handlers.mine.http.key"),
        ("/vkspay/key", "vkspay.key"),
        ("/wxpay/h5/secret", "wxpay.h5.secret"),
        ("/douyin/mp-toutiao/salt", "douyin.mp-toutiao.salt"),
    ];
    for secret in secrets {
        for (pointer, path) in places {
            let value = match pointer {
                "/auth/jwt" => json!({ "hs256": secret }),
                "/handlers" => json!({ "mine": { "http": { "url": "https://a.test/", "key": secret } } }),
                _ => json!(secret),
            };
            let (faults, _) = judged(&with(document(Mode::default()), pointer, Some(value)));
            let [fault] = faults.as_slice() else { panic!("{path} {secret}: {faults:?}") };
            let named = [": is a placeholder", ": is a published sample"].map(|what| format!("{path}{what}"));
            assert!(named.iter().any(|named| fault.starts_with(named)), "{secret}: {fault}");
            assert!(!fault.contains(secret), "{fault}");
        }
    }
    for (pointer, path) in [("/wxpay/h5/appId", "wxpay.h5.appId"), ("/alipay/h5/appId", "alipay.h5.appId")] {
        for id in ["wx…", "<appid>", "your_app_id"] {
            faulty(&with(document(Mode::default()), pointer, Some(json!(id))), &[&format!("{path}: is a placeholder")]);
        }
    }
}

#[test]
fn s1_the_examples_of_our_own_pages_do_not_start_as_they_are() {
    for page in ["../README.md", "../README.zh-CN.md", "../docs/deploy.md", "../docs/configuration.md"] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
        let mut examples = 0;
        for line in text.lines().filter(|line| line.contains("\"keys\": {")) {
            let Some(secret) = line.split("\"shop\": \"").nth(1).and_then(|rest| rest.split('"').next()) else {
                continue;
            };
            examples += 1;
            let (faults, _) = judged(&with(document(Mode::default()), "/auth/keys/shop", Some(json!(secret))));
            assert!(faults.iter().any(|fault| fault.starts_with("auth.keys.shop: is a p")), "{page}: {line}");
        }
        assert!(examples > 0, "{page}");
    }
}

#[test]
fn s1_a_callback_url_of_the_old_system_is_a_remark() {
    let old = "https://fc-mp-1.next.bspapp.com/http/vk-pay";
    for (value, used) in [
        (json!(old), Some(old)),
        (json!("https://a4f90532.bspapp.com/uni-pay-co"), Some("https://a4f90532.bspapp.com/uni-pay-co")),
        (json!("https://pay.shop.example/http/vk-pay"), Some("https://pay.shop.example/http/vk-pay")),
        (json!({ "mp-1": old }), Some(old)),
        (json!({ "mp-1": old, "mp-2": old.replace("fc-mp-1", "fc-mp-2") }), None),
    ] {
        let changed = with(document(Mode::default()), "/notifyUrl", Some(value.clone()));
        let (config, remarks) = Config::parse(&changed.to_string(), Path::new(".")).unwrap_or_else(|f| panic!("{f:?}"));
        assert_eq!(config.notify_url.as_deref(), used);
        assert!(remarks.iter().any(|r| r.path == "notifyUrl" && r.what.contains("the old system")), "{value}");
    }
    for value in ["https://pay.shop.example/notify", "https://notbspapp.com"] {
        let (faults, remarks) = judged(&with(document(Mode::default()), "/notifyUrl", Some(json!(value))));
        assert!(faults.is_empty() && !remarks.iter().any(|remark| remark.starts_with("notifyUrl")), "{value}");
    }
}

/// A key with a certificate of it that ends on a day, and is a root or not.
fn ending(name: &str, year: i32, month: u8, day: u8, root: bool) -> (String, String) {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key");
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, month, day);
    if root {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    (key.serialize_pem(), params.self_signed(&key).expect("a certificate").pem())
}

#[test]
fn f10_a_certificate_that_ends_within_thirty_days_is_a_remark_and_one_that_ended_a_fault() {
    let (key, certificate) = ending("mine", 2026, 12, 20, false);
    let mut wxpay = document(Mode::default());
    wxpay["wxpay"]["h5"]["appCertContent"] = json!(certificate);
    wxpay["wxpay"]["h5"]["appPrivateKeyContent"] = json!(key);
    let mut alipay = document(certificate_mode());
    alipay["alipay"]["h5"]["appCertContent"] = json!(certificate);
    alipay["alipay"]["h5"]["privateKey"] = json!(key);
    let providers = with(document(certificate_mode()), "/alipay/h5/alipayPublicCertContent", Some(json!(certificate)));
    let (_, root) = ending("root", 2026, 12, 20, true);
    let roots = with(document(certificate_mode()), "/alipay/h5/alipayRootCertContent", Some(json!(root)));
    for (document, path) in [
        (&wxpay, "wxpay.h5.appCertContent"),
        (&alipay, "alipay.h5.appCertContent"),
        (&providers, "alipay.h5.alipayPublicCertContent"),
        (&roots, "alipay.h5.alipayRootCertContent"),
    ] {
        let of = |lines: Vec<String>| lines.into_iter().filter(|l| l.starts_with(path)).collect::<Vec<_>>();
        let (faults, remarks) = judged_at(document, at(2026, 11, 19));
        assert!(faults.is_empty() && of(remarks.clone()).is_empty(), "31 days before: {faults:?} {remarks:?}");
        for day in [21, 29] {
            let (faults, remarks) = judged_at(document, at(2026, 11, day));
            assert_eq!(faults, Vec::<String>::new());
            assert_eq!(
                of(remarks),
                [format!("{path}: is a certificate that ends on 2026-12-20; put its successor in its place")]
            );
        }
        let (faults, _) = judged_at(document, at(2026, 12, 21));
        assert_eq!(
            faults,
            [format!("{path}: is a certificate that ended on 2026-12-20; put its successor in its place")]
        );
    }
    providers_in_the_sandbox_end_without_harm(providers);
}

/// Alipay's sandbox hands out certificates of one year; no money waits for them.
fn providers_in_the_sandbox_end_without_harm(mut document: Value) {
    document["alipay"]["h5"]["sandbox"] = json!(true);
    let (faults, remarks) = judged_at(&document, at(2026, 12, 21));
    assert_eq!(faults, Vec::<String>::new());
    assert!(remarks.iter().any(|remark| remark.contains("ended on 2026-12-20")), "{remarks:?}");
}

#[test]
fn f10_the_client_certificate_of_apiv2_ends_too() {
    let (key, certificate) = ending("mine", 2026, 12, 20, false);
    let mut changed = document(Mode::default());
    changed["wxpay"]["codepay"]["appCertContent"] = json!(certificate);
    changed["wxpay"]["codepay"]["appPrivateKeyContent"] = json!(key);
    let (_, remarks) = judged_at(&changed, at(2026, 12, 1));
    assert!(remarks.iter().any(|remark| remark.starts_with("wxpay.codepay.appCertContent: ")), "{remarks:?}");
    let (faults, _) = judged_at(&changed, at(2027, 1, 1));
    assert!(faults[0].starts_with("wxpay.codepay.appCertContent: is a certificate that ended"), "{faults:?}");
}

#[test]
fn transfers_that_no_one_will_serve_are_remarked_on() {
    let mut changed = document(Mode::default());
    changed["alipay"]["transfer"] = changed["alipay"]["h5"].clone();
    changed["wxpay"]["transfer"] = changed["wxpay"]["codepay"].clone();
    let (faults, remarks) = judged(&changed);
    assert_eq!(faults, Vec::<String>::new());
    for line in ["alipay.transfer.appCertContent: is missing: Alipay serves transfers", "wxpay.transfer.version: is 2"]
    {
        assert!(remarks.iter().any(|remark| remark.starts_with(line)), "{line}: {remarks:#?}");
    }
}

#[test]
fn a8_an_app_of_the_sandbox_without_its_number_is_remarked_on() {
    let mut changed = with(document(Mode::default()), "/appleiap/app-plus/appAppleId", None);
    changed["appleiap"]["app-plus"]["sandbox"] = json!(true);
    let (faults, remarks) = judged(&changed);
    assert_eq!(faults, Vec::<String>::new());
    let line = remarks.iter().find(|remark| remark.starts_with("appleiap.app-plus.appAppleId: is missing"));
    assert!(line.is_some_and(|line| line.contains("production") && line.contains("400")), "{remarks:?}");
}

#[test]
fn of_several_certificates_the_one_that_issued_no_other_is_the_own() {
    let issuer_key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Class 2");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&issuer_key).unwrap().pem();
    let issuer = Issuer::new(params, issuer_key);
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "leaf");
    let leaf = params.signed_by(&key, &issuer).unwrap().pem();
    let number = |text: &str| shared::crypto::cert::Certificate::parse(text).unwrap().serial_hex();
    assert_eq!(number(&format!("{authority}{leaf}")), number(&leaf));
    assert_eq!(number(&format!("{leaf}{authority}")), number(&leaf));
    let chain = with(
        document(certificate_mode()),
        "/alipay/h5/alipayPublicCertContent",
        Some(json!(format!("{authority}{leaf}"))),
    );
    let (config, _) = Config::parse(&chain.to_string(), Path::new(".")).unwrap_or_else(|faults| panic!("{faults:?}"));
    let node = &config.merchant("default").unwrap().alipay["h5"];
    let wanted = shared::crypto::cert::Certificate::parse(&leaf).unwrap().alipay_sn();
    assert_eq!(node.certificates.as_ref().unwrap().alipay_cert_sn, wanted);
}
