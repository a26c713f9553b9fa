//! The five providers' sections of the configuration: what is refused, and at which path.

use sandbox::{DouyinProduct, Epay, MerchantKeys, Mode};
use serde_json::{Value, json};
use shared::config::Config;
use std::path::Path;
use std::sync::OnceLock;

fn keys() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("shop"))
}

fn document(mode: Mode) -> Value {
    let mut document = keys().config_with("http://127.0.0.1:9", mode);
    document["auth"] = json!({ "keys": { "shop": "the-shop-calls-with-this" } });
    document
}

fn faults(document: &Value) -> Vec<String> {
    match Config::parse(&document.to_string(), Path::new(".")) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

fn ways() -> [Mode; 3] {
    let usual = Mode::default();
    [
        usual,
        Mode { epay: Epay::Md5, virtual_plain: true, ..usual },
        Mode { epay: Epay::Rsa, douyin: DouyinProduct::Trade, ..usual },
    ]
}

#[test]
fn every_variant_that_the_sandbox_writes_is_right() {
    for mode in ways() {
        assert_eq!(faults(&document(mode)), Vec::<String>::new());
    }
}

#[test]
fn what_is_missing_weak_or_wrong_is_named_by_its_path() {
    let [usual, md5, rsa] = ways();
    let short = json!("0000000000");
    let cases: Vec<(Mode, &str, Value, &str)> = vec![
        (usual, "/appleiap/app-plus/bundleId", Value::Null, "appleiap.app-plus.bundleId: is missing"),
        (usual, "/appleiap/app-plus/appAppleId", Value::Null, "appleiap.app-plus.appAppleId: is missing"),
        (usual, "/appleiap/app-plus/password", short.clone(), "appleiap.app-plus.password: is one repeated"),
        (usual, "/appleiap/app-plus/keyId", Value::Null, "appleiap.app-plus.keyId: is missing"),
        (
            usual,
            "/appleiap/app-plus/privateKeyContent",
            json!("x"),
            "appleiap.app-plus.privateKeyContent: is not a usable",
        ),
        (usual, "/appleiap/app-plus/rootCertContent", json!("x"), "appleiap.app-plus.rootCertContent: is not"),
        (usual, "/appleiap/app-plus/sandbox", json!("yes"), "appleiap.app-plus.sandbox: must be true or false"),
        (
            usual,
            "/appleiap/app-plus/products",
            json!({ "a": { "total_fee": 0 } }),
            "appleiap.app-plus.products.a.total_fee",
        ),
        (usual, "/vkspay/key", short.clone(), "vkspay.key: is one repeated"),
        (usual, "/vkspay/key", Value::Null, "vkspay.key: is missing"),
        (usual, "/vkspay/protocol", json!("other"), "vkspay.protocol: must be one of"),
        (usual, "/vkspay/apiBase", json!("http://pay.example"), "vkspay.apiBase: must be https"),
        (md5, "/vkspay/apiBase", Value::Null, "vkspay.apiBase: is missing"),
        (rsa, "/vkspay/platformPublicKey", Value::Null, "vkspay.platformPublicKey: is missing"),
        (rsa, "/vkspay/mchPrivateKey", json!("x1"), "vkspay.mchPrivateKey: is not a usable"),
        (usual, "/wxpay-virtual/mp-weixin/secret", short.clone(), "wxpay-virtual.mp-weixin.secret: is one repeated"),
        (usual, "/wxpay-virtual/mp-weixin/appKey", json!(""), "wxpay-virtual.mp-weixin.appKey: is missing"),
        (usual, "/wxpay-virtual/mp-weixin/offerId", Value::Null, "wxpay-virtual.mp-weixin.offerId: is missing"),
        (
            usual,
            "/wxpay-virtual/mp-weixin/encodingAESKey",
            json!("abc"),
            "wxpay-virtual.mp-weixin.encodingAESKey: must be 43",
        ),
        (usual, "/wxpay-virtual/mp-weixin/token", Value::Null, "wxpay-virtual.mp-weixin.token: is missing"),
        (usual, "/wxpay-virtual/mp-weixin/rate", json!(0), "wxpay-virtual.mp-weixin.rate: must be a whole number"),
        (usual, "/douyin/mp-toutiao/salt", Value::Null, "douyin.mp-toutiao.salt: is missing"),
        (usual, "/douyin/mp-toutiao/token", short, "douyin.mp-toutiao.token: is one repeated"),
        (usual, "/douyin/mp-toutiao/product", json!("gold"), "douyin.mp-toutiao.product: must be one of"),
        (rsa, "/douyin/mp-toutiao/secret", Value::Null, "douyin.mp-toutiao.secret: is missing"),
        (rsa, "/douyin/mp-toutiao/platformPublicKeyContent", Value::Null, "douyin.mp-toutiao.platformPublicKeyContent"),
        (usual, "/huawei/mp-harmony/mchAuthId", Value::Null, "huawei.mp-harmony.mchAuthId: is missing"),
        (usual, "/huawei/mp-harmony/platformPublicKey", Value::Null, "huawei.mp-harmony.platformPublicKey: is missing"),
        (
            usual,
            "/huawei/mp-harmony/platformPublicKey",
            json!("04ab"),
            "huawei.mp-harmony.platformPublicKey: is not a usable",
        ),
        (usual, "/huawei/mp-harmony/mchPrivateKey", json!("x1"), "huawei.mp-harmony.mchPrivateKey: is not a usable"),
        (
            usual,
            "/huawei/app-harmony/iap/rootCertContent",
            Value::Null,
            "huawei.app-harmony.iap.rootCertContent: is missing",
        ),
    ];
    for (mode, pointer, value, wanted) in cases {
        let mut document = document(mode);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value.clone();
        let found = faults(&document);
        assert!(found.iter().any(|fault| fault.starts_with(wanted)), "{pointer} {value}: {found:?}");
        if let Some(text) = value.as_str().filter(|text| text.len() > 3) {
            assert!(found.iter().all(|fault| !fault.contains(text)), "{found:?}");
        }
        let mut second = document.clone();
        second["merchants"] = json!({ "second": document });
        let path = format!("merchants.second.{wanted}");
        assert!(faults(&second).iter().any(|fault| fault.starts_with(&path)), "{pointer} of a second merchant");
    }
}

#[test]
fn the_empty_sections_of_vk_pays_sample_are_left_out() {
    let mut document = document(Mode::default());
    document["vkspay"] = json!({ "mchId": "", "key": "" });
    document["douyin"] = json!({ "mp-toutiao": { "appId": "", "secret": "", "mchId": "", "salt": "", "token": "" } });
    document["huawei"] = json!({ "mp-harmony": { "appId": "", "mchId": "", "clientType": "mp-harmony" } });
    document["appleiap"] = json!({ "app-plus": { "password": "", "timeout": 10000, "sandbox": true } });
    document["wxpay-virtual"] = json!({ "mp-weixin": { "appId": "", "mchId": "", "rate": 100 } });
    assert_eq!(faults(&document), Vec::<String>::new());
}
