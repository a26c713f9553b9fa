//! The forms in which merchants bring a configuration along: VK-Pay's sample with blank keys, key files of every tool,
//! byte order marks, addresses of scripts.

use crate::config_faults::{certificate_mode, document, judged, keys, with};
use crate::world::World;
use sandbox::{Epay, Mode};
use serde_json::{Value, json};
use shared::config::{Config, Source};
use std::path::Path;

const BOM: &str = "\u{feff}";

fn read(document: &Value, base: &Path) -> (Config, Vec<shared::config::Fault>) {
    Config::parse(&document.to_string(), base).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// VK-Pay's `config.js` after `JSON.stringify`, with WeChat Pay's QR node and Alipay's mini program filled in: its keys,
/// its files, which stay where they are also when they are blank, and what Node makes of a file that is read.
fn vk_pays_sample(folder: &Path) -> Value {
    let own = &keys()[0];
    std::fs::create_dir_all(folder.join("wxpay")).unwrap();
    std::fs::create_dir_all(folder.join("alipay")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("wxpay/apiclient_cert.pem", &own.wechat.merchant_cert);
    write("wxpay/apiclient_key.pem", &own.wechat.merchant_key);
    write("wxpay/apiclient_cert.p12", "");
    write("wxpay/pub_key.pem", "");
    for name in ["alipayCertPublicKey_RSA2.crt", "alipayRootCert.crt", "appCertPublicKey.crt"] {
        write(&format!("alipay/{name}"), "");
    }
    let path = |name: &str| json!(folder.join(name));
    let wxpay = |app_id: &str, mch_id: &str, v3_key: &str| {
        json!({
            "appId": app_id, "secret": "", "mchId": mch_id, "key": "", "pfx": { "type": "Buffer", "data": [] },
            "v3Key": v3_key, "appCertPath": path("wxpay/apiclient_cert.pem"),
            "appPrivateKeyPath": path("wxpay/apiclient_key.pem"), "wxpayPublicKeyPath": path("wxpay/pub_key.pem"),
            "wxpayPublicKeyId": "", "version": 3,
        })
    };
    let alipay = |app_id: &str, private_key: &str, public_key: &str| {
        json!({
            "mchId": "", "appId": app_id, "privateKey": private_key, "alipayPublicKey": public_key,
            "alipayPublicCertPath": path("alipay/alipayCertPublicKey_RSA2.crt"),
            "alipayRootCertPath": path("alipay/alipayRootCert.crt"),
            "appCertPath": path("alipay/appCertPublicKey.crt"), "sandbox": false,
        })
    };
    let mut mweb = wxpay("", "", "");
    mweb["sceneInfo"] =
        json!({ "h5_info": { "type": "Wap", "wap_url": "https://www.xxxxxx.com", "wap_name": "网站名称" } });
    json!({
        "notifyUrl": {
            "b267e273": "https://b267e273.bspapp.com/http/vk-pay",
            "499e2a37": "https://fc-mp-499e2a37.next.bspapp.com/http/vk-pay",
        },
        "notifyKey": "k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7k9Zs1Qw7",
        "autoDeleteExpiredOrders": 0,
        "alipayAppPayToH5Pay": false,
        "wxpay": {
            "mp-weixin": wxpay("", "", ""), "app-plus": wxpay("", "", ""),
            "h5": wxpay(&own.wechat.mp_appid, &own.wechat.mchid, &own.wechat.v3_key),
            "h5-weixin": wxpay("", "", ""), "mweb": mweb,
            "transfer": { "appId": "", "mchId": "", "v3Key": "", "appCertPath": "", "appPrivateKeyPath": "" },
        },
        "alipay": {
            "mp-alipay": alipay(&own.alipay.app_id, &own.alipay.app_private_key, &own.alipay.alipay_public_key),
            "app-plus": alipay("", "", ""), "h5": alipay("", "", ""),
            "transfer": alipay("", "", ""),
        },
        "appleiap": { "app-plus": { "password": "", "timeout": 10000, "receiptExpiresIn": 86400, "sandbox": true } },
        "vkspay": { "mchId": "", "key": "" },
        "wxpay-virtual": { "mp-weixin": {
            "appId": "", "secret": "", "mchId": "", "offerId": "", "appKey": "", "sandboxAppKey": "", "rate": 100,
            "token": "", "encodingAESKey": "", "sandbox": false,
        } },
        "douyin": { "mp-toutiao": {
            "appId": "", "secret": "", "mchId": "", "salt": "", "token": "", "sandbox": false,
        } },
        "huawei": { "mp-harmony": {
            "appId": "", "mchId": "", "mchAuthId": "", "mchPrivateKey": "", "platformPublicKey": "",
            "clientType": "mp-harmony",
        } },
        "auth": { "keys": { "shop": "the-shop-calls-with-this" } },
    })
}

#[test]
fn f2_vk_pays_own_sample_with_blank_keys_and_a_blank_pub_key_loads() {
    let folder = tempfile::tempdir().unwrap();
    let (config, remarks) = read(&vk_pays_sample(folder.path()), folder.path());
    let merchant = config.merchant("default").unwrap();
    assert_eq!(merchant.wxpay.keys().collect::<Vec<_>>(), ["h5"]);
    assert_eq!(merchant.alipay.keys().collect::<Vec<_>>(), ["mp-alipay"]);
    let node = &merchant.wxpay["h5"];
    assert!(node.secret.is_none());
    let shared::providers::wxpay::Api::V3(v3) = &node.api else { panic!("APIv3") };
    assert!(v3.public_key.is_none());
    assert!(merchant.alipay["mp-alipay"].certificates.is_none(), "key mode");
    assert!(merchant.vkspay.is_empty() && merchant.apple.is_empty() && merchant.virtual_pay.is_empty());
    assert!(merchant.douyin.is_empty() && merchant.huawei.is_empty());
    assert_eq!(config.notify_url, None, "none of the old system's URLs");
    let paths: Vec<&str> = remarks.iter().map(|remark| remark.path.as_str()).collect();
    assert_eq!(paths, ["notifyUrl"], "nothing of the sample is unknown");
}

#[test]
fn f2_the_sample_in_apiv2_loads_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut sample = vk_pays_sample(folder.path());
    let node = &mut sample["wxpay"]["h5"];
    node["version"] = json!(2);
    node["key"] = json!(keys()[0].wechat.v2_key);
    node["v3Key"] = json!("");
    for name in ["appCertPath", "appPrivateKeyPath"] {
        node[name] = json!(folder.path().join("wxpay/pub_key.pem"));
    }
    let (config, _) = read(&sample, folder.path());
    let shared::providers::wxpay::Api::V2(v2) = &config.merchant("default").unwrap().wxpay["h5"].api else {
        panic!("APIv2")
    };
    assert!(v2.identity.is_none());
}

#[test]
fn a_file_that_node_read_into_a_buffer_is_the_file() {
    let buffer = |text: &str| json!({ "type": "Buffer", "data": text.as_bytes() });
    let own = &keys()[0];
    let changed = with(document(Mode::default()), "/wxpay/h5/appCertContent", Some(buffer(&own.wechat.merchant_cert)));
    let changed = with(changed, "/alipay/h5/privateKey", Some(buffer(&own.alipay.app_private_key)));
    read(&changed, Path::new("."));
}

/// Every place of the providers' sections that holds a text, a number or a flag.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| places(value, &format!("{at}/{key}"), into)),
        Value::Array(_) | Value::Null => {}
        Value::String(_) | Value::Number(_) | Value::Bool(_) => into.push(at.to_owned()),
    }
}

#[test]
fn f2_what_is_blank_is_absent_everywhere_alike() {
    for mode in [Mode::default(), certificate_mode()] {
        let mut whole = document(mode);
        // Nodes of one kind are read by the same code; one of each kind will do.
        for (section, kinds) in [("wxpay", &["h5", "mweb", "codepay", "transfer"][..]), ("alipay", &["h5", "transfer"])]
        {
            whole[section].as_object_mut().unwrap().retain(|node, _| kinds.contains(&node.as_str()));
        }
        let mut found = Vec::new();
        for section in sandbox::Provider::ALL.map(sandbox::Provider::name) {
            places(&whole[section], &format!("/{section}"), &mut found);
        }
        assert!(found.len() > 60, "{found:?}");
        for place in found {
            let judged = |value: Option<Value>| {
                let (faults, remarks) = judged(&with(whole.clone(), &place, value));
                [faults, remarks]
                    .map(|lines| lines.iter().map(|l| l.replace("is empty", "is missing")).collect::<Vec<_>>())
            };
            let absent = judged(None);
            for blank in [Value::Null, json!(""), json!("  \n"), json!(BOM)] {
                assert_eq!(judged(Some(blank.clone())), absent, "{place}: {blank}");
            }
        }
    }
}

#[test]
fn f2_a_blank_that_would_open_a_door_is_a_fault() {
    for (pointer, value, path) in [
        ("/notifyKey", json!(""), "notifyKey: is empty"),
        ("/auth/keys/shop", json!(" "), "auth.keys.shop: is empty"),
        ("/auth/jwt", json!({ "hs256": "" }), "auth.jwt.hs256: is empty"),
        ("/auth/quote", json!({ "hs256": "" }), "auth.quote.hs256: is empty"),
        ("/auth/createPayment", json!(""), "auth.createPayment: must be none, key, iam or jwt"),
        ("/auth/requireQuote", json!(""), "auth.requireQuote: must be a list"),
        ("/auth/iam", json!({ "allow": "" }), "auth.iam.allow: must be a list"),
        ("/userWhitelist", json!(""), "userWhitelist: must be a list"),
        ("/wxpay/transfer/dailyLimit", json!(""), "wxpay.transfer.dailyLimit: is empty"),
        (
            "/handlers",
            json!({ "a": { "http": { "url": "https://a.test/", "key": "" } } }),
            "handlers.a.http.key: is empty",
        ),
        (
            "/handlers",
            json!({ "a": { "http": { "url": "https://a.test/", "encrypt": "" } } }),
            "handlers.a.http.encrypt: must be true",
        ),
    ] {
        let (faults, _) = judged(&with(document(Mode::default()), pointer, Some(value)));
        let named: Vec<_> = faults.iter().filter(|fault| fault.starts_with(path)).collect();
        assert_eq!(named.len(), 1, "{path}: {faults:?}");
    }
}

/// What `openssl pkcs12 -nodes` writes: attributes, the certificate, an authority's certificate, and the key; here with
/// the authority first.
fn openssl_pkcs12(certificate: &str, authority: &str, key: &str) -> String {
    format!(
        "Bag Attributes: <No Attributes>\nsubject=CN = Tenpay.com Root CA\nissuer=CN = Tenpay.com Root CA\n{authority}\
         Bag Attributes\n    friendlyName: Tenpay Certificate\n    localKeyID: 54 69 6D 65\nsubject=CN = 1900000001\n\
         {certificate}Bag Attributes\n    localKeyID: 54 69 6D 65\nKey Attributes: <No Attributes>\n{key}"
    )
}

#[test]
fn f12_key_files_of_every_tool_are_read() {
    let own = &keys()[0];
    let literal = |text: &str| text.trim_end().replace('\n', "\\n");
    let windows = |text: &str| text.trim_end().replace('\n', "\\r\\n");
    let encoded = |text: &str| shared::crypto::base64(text.as_bytes());
    let marked = |text: &str| format!("{BOM}{text}");
    let quoted = |text: &str| format!("\"{}\"", literal(text));
    let bundle = openssl_pkcs12(&own.wechat.merchant_cert, &own.alipay.alipay_root_cert, &own.wechat.merchant_key);
    let mut forms: Vec<[String; 3]> = Vec::new();
    let plain = [&own.wechat.merchant_cert, &own.wechat.merchant_key, &own.wechat.wxpay_public_key];
    let ways: [&dyn Fn(&str) -> String; 7] =
        [&literal, &windows, &encoded, &marked, &quoted, &|text| encoded(&marked(text)), &|text| {
            text.lines().collect::<Vec<_>>().join(" ")
        }];
    for way in ways {
        forms.push(plain.map(|text| way(text)));
    }
    for bundle in [bundle.clone(), literal(&bundle), encoded(&bundle), marked(&bundle)] {
        forms.push([bundle.clone(), bundle, own.wechat.wxpay_public_key.clone()]);
    }
    for [certificate, private, public] in forms {
        for codepay in [false, true] {
            let mut changed = document(Mode::default());
            let node = &mut changed["wxpay"][if codepay { "codepay" } else { "h5" }];
            node["appCertContent"] = json!(certificate);
            node["appPrivateKeyContent"] = json!(private);
            if !codepay {
                node["wxpayPublicKeyContent"] = json!(public);
            }
            let (config, _) = read(&changed, Path::new("."));
            match &config.merchant("default").unwrap().wxpay[if codepay { "codepay" } else { "h5" }].api {
                shared::providers::wxpay::Api::V3(v3) => assert_eq!(v3.serial_no, own.wechat.merchant_serial),
                shared::providers::wxpay::Api::V2(v2) => {
                    let identity = v2.identity.as_ref().expect("a client certificate").expose().to_owned();
                    let first = identity.find("-----BEGIN CERTIFICATE").expect("a certificate");
                    let first = shared::crypto::cert::Certificate::parse(
                        identity[first..].split_inclusive("-----END CERTIFICATE-----").next().unwrap(),
                    );
                    assert_eq!(first.unwrap().serial_hex(), own.wechat.merchant_serial);
                    assert!(!identity.contains("\\n") && !identity.contains("Bag"));
                }
            }
        }
    }
}

#[test]
fn f12_alipays_certificates_and_bare_keys_are_read_in_these_forms_too() {
    let own = &keys()[0];
    let ways: [&dyn Fn(&str) -> String; 4] = [
        &|text| text.trim_end().replace('\n', "\\n"),
        &|text| shared::crypto::base64(text.as_bytes()),
        &|text| format!("{BOM}{text}"),
        &|text| text.trim_end().replace('\n', "\r\n"),
    ];
    for way in ways {
        let mut changed = document(certificate_mode());
        for node in ["h5", "transfer"] {
            let node = &mut changed["alipay"][node];
            node["privateKey"] = json!(format!("{BOM}{}", own.alipay.app_private_key));
            node["appCertContent"] = json!(way(&own.alipay.app_cert));
            node["alipayPublicCertContent"] = json!(way(&own.alipay.alipay_cert));
            node["alipayRootCertContent"] = json!(way(&own.alipay.alipay_root_cert));
        }
        changed["appleiap"]["app-plus"]["privateKeyContent"] = json!(way(&own.apple.private_key));
        let (config, _) = read(&changed, Path::new("."));
        let node = &config.merchant("default").unwrap().alipay["h5"];
        let numbers = node.certificates.as_ref().unwrap();
        assert_eq!(
            (&numbers.app_cert_sn, &numbers.alipay_cert_sn, &numbers.root_cert_sn),
            (&own.alipay.app_cert_sn, &own.alipay.alipay_cert_sn, &own.alipay.alipay_root_cert_sn)
        );
    }
}

#[test]
fn f12_a_key_under_a_pass_phrase_is_told_as_one() {
    for text in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkqhkiG9w0BBQ0wQTApBgkq\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        let (faults, _) = judged(&with(document(Mode::default()), "/wxpay/h5/appPrivateKeyContent", Some(json!(text))));
        let [fault] = faults.as_slice() else { panic!("{faults:?}") };
        assert!(fault.starts_with("wxpay.h5.appPrivateKeyContent: is under a pass phrase"), "{fault}");
    }
}

#[test]
fn f12_a_byte_order_mark_before_the_configuration_is_nothing() {
    let text = format!("{BOM}{}", document(Mode::default()));
    assert!(Config::parse(&text, Path::new(".")).is_ok());
    assert!(matches!(Source::parse(&text), Ok(Source::Inline(own)) if own.starts_with('{')));
    assert_eq!(Source::parse(&format!("{BOM}file:pay.json")), Source::parse("file:pay.json"));
}

#[tokio::test]
async fn e16_the_address_of_a_script_of_the_site_is_used_as_the_site() {
    for (epay, ends) in
        [(Epay::Md5, ["/mapi.php", "/submit.php", "/api.php/"]), (Epay::Rsa, ["/api/pay/create", "/mapi.php", "/"])]
    {
        for (n, end) in ends.into_iter().enumerate() {
            let world = World::with(Mode { epay, ..Mode::default() }, |config| {
                let base = config["vkspay"]["apiBase"].as_str().unwrap().to_owned();
                config["vkspay"]["apiBase"] = json!(format!("{base}{end}"));
            })
            .await;
            let no = format!("E16_{n}");
            let (status, answer) = world.create(&no, json!({ "provider": "vkspay", "vk_platform": "h5" })).await;
            assert_eq!(status, 200, "{end}: {answer}");
            world.pay_silently(&no).await;
            let (status, answer) = world.call("query-payment", json!({ "out_trade_no": no })).await;
            assert_eq!((status, &answer["data"]["trade_state"]), (200, &json!("SUCCESS")), "{end}: {answer}");
        }
    }
}
