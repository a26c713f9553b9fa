//! Key material and configuration.

use crate::client::{keys, sign, verifies};
use sandbox::{MerchantKeys, Mode};

#[test]
fn keys_survive_a_file_and_fit_each_other() {
    let keys = keys();
    let text = serde_json::to_string(keys).unwrap();
    let again: MerchantKeys = serde_json::from_str(&text).unwrap();
    assert_eq!(again.wechat.mchid, keys.wechat.mchid);
    for (private, public) in [
        (&keys.wechat.wxpay_key, &keys.wechat.wxpay_public_key),
        (&keys.alipay.app_private_key, &keys.alipay.app_public_key),
        (&keys.alipay.alipay_private_key, &keys.alipay.alipay_public_key),
    ] {
        assert!(verifies(public, "message", &sign(private, "message")));
    }
    assert_eq!(keys.wechat.merchant_serial.len(), 40);
    assert!(keys.wechat.wxpay_public_key_id.starts_with("PUB_KEY_ID_"));
    assert_eq!((keys.wechat.v3_key.len(), keys.wechat.v2_key.len(), keys.alipay.app_cert_sn.len()), (32, 32, 32));
}

#[test]
fn the_configuration_follows_its_mode() {
    let keys = keys();
    let default = keys.config("http://127.0.0.1:1/");
    let node = &default["wxpay"]["mp-weixin"];
    assert_eq!((&node["version"], &node["apiBase"]), (&3.into(), &"http://127.0.0.1:1".into()));
    assert_eq!(default["wxpay"]["codepay"]["version"], 2);
    assert_eq!(default["alipay"]["h5"]["apiBase"], "http://127.0.0.1:1/gateway.do");
    let mode = Mode { wxpay_public_key: false, alipay_cert: true, alipay_aes: true, ..Mode::default() };
    let other = keys.config_with("http://127.0.0.1:1", mode);
    assert!(other["wxpay"]["h5"].get("wxpayPublicKeyId").is_none());
    assert!(other["alipay"]["h5"].get("alipayPublicKey").is_none());
    assert!(other["alipay"]["h5"]["alipayRootCertContent"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
    let two = keys.config_with("http://127.0.0.1:1", Mode { wxpay_version: 2, v2_hmac: true, ..Mode::default() });
    assert_eq!(two["wxpay"]["h5"]["signType"], "HMAC-SHA256");
}
