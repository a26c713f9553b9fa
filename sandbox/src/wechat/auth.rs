//! APIv3 signatures: the request's is checked, the answer's is made (wechat.md 1.2, 1.4).

use super::Account;
use super::v3::Refusal;
use crate::crypto::{self, ALNUM, RsaKey, random_text};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::wire::Inbound;
use std::collections::HashMap;
use std::sync::Arc;

/// The scheme, of requests and of `Wechatpay-Signature-Type`.
pub(crate) const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// Clocks may differ by less than this.
const SKEW_SECONDS: i64 = 300;

fn sign_error(message: &str, field: &str) -> Refusal {
    Refusal::new(401, "SIGN_ERROR", message, 268_443_699).field(field, "header")
}

/// The fields of an Authorization header.
fn fields(header: &str) -> Option<HashMap<&str, &str>> {
    let mut found = HashMap::new();
    for part in header.strip_prefix(SCHEME)?.strip_prefix(' ')?.split(',') {
        let (name, value) = part.split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?;
        if found.insert(name, value).is_some() {
            return None;
        }
    }
    Some(found)
}

/// The five signed lines of a request.
fn signed(method: &str, target: &str, timestamp: &str, nonce: &str, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{method}\n{target}\n{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    message
}

/// Whose request this is. The time is looked at before the signature, as the real service does.
pub(crate) fn merchant(sandbox: &Sandbox, inbound: &Inbound) -> Result<Arc<Account>, Refusal> {
    let header =
        inbound.header("authorization").ok_or_else(|| sign_error("Http头缺少Authorization信息", "Authorization"))?;
    let fields = fields(header).ok_or_else(|| {
        sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》", "Authorization")
    })?;
    let get = |name: &str| {
        let value = fields.get(name).copied().filter(|value| !value.is_empty());
        value.ok_or_else(|| sign_error(&format!("Http头Authorization缺少{name}"), name))
    };
    let (mchid, nonce, signature) = (get("mchid")?, get("nonce_str")?, get("signature")?);
    let (timestamp, serial) = (get("timestamp")?, get("serial_no")?);
    let seconds: i64 =
        timestamp.parse().map_err(|_| sign_error("Http头Authorization中的timestamp格式错误", "timestamp"))?;
    if (sandbox.now().div_euclid(1000) - seconds).abs() > SKEW_SECONDS {
        return Err(sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟", "timestamp"));
    }
    if nonce.len() > 32 {
        return Err(sign_error("Http头Authorization中的nonce_str长度错误", "nonce_str"));
    }
    let merchant = sandbox.state().account::<Account>(Provider::Wxpay, mchid);
    let merchant = merchant.ok_or_else(|| sign_error("商户号不存在", "mchid"))?;
    if !serial.eq_ignore_ascii_case(&merchant.keys.merchant_serial) {
        return Err(sign_error("商户证书序列号有误", "serial_no"));
    }
    let message = signed(&inbound.method, &inbound.target(), timestamp, nonce, &inbound.body);
    if !crypto::verify(&merchant.merchant_spki, &message, signature) {
        return Err(sign_error("错误的签名，验签失败", "signature"));
    }
    Ok(merchant)
}

/// The key and serial that a `Wechatpay-Serial` asks for: the public key if it names that, else the platform certificate.
pub(crate) fn signer<'a>(merchant: &'a Account, wanted: Option<&str>) -> (&'a RsaKey, &'a str) {
    if wanted == Some(&merchant.keys.wxpay_public_key_id) {
        (&merchant.wxpay, &merchant.keys.wxpay_public_key_id)
    } else {
        (&merchant.platform, &merchant.keys.platform_serial)
    }
}

/// The five `Wechatpay-…` headers over a body.
pub(crate) fn sign(key: &RsaKey, serial: &str, body: &[u8], now_ms: i64) -> Vec<(&'static str, String)> {
    let timestamp = now_ms.div_euclid(1000).to_string();
    let nonce = random_text(32, ALNUM);
    let mut message = format!("{timestamp}\n{nonce}\n").into_bytes();
    message.extend_from_slice(body);
    message.push(b'\n');
    vec![
        ("Wechatpay-Timestamp", timestamp),
        ("Wechatpay-Nonce", nonce),
        ("Wechatpay-Signature", key.sign(&message)),
        ("Wechatpay-Serial", serial.to_owned()),
        ("Wechatpay-Signature-Type", SCHEME.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The merchant key of the official pages 4012365334 and 4012365336.
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAptpm+qvIDCh/9wjU26SQ
CK26ogYkBhDrYxnAaw2JbbBsp1oDbHKk+1r381NeBUG2HEFAuU+Fr72u5ot3yKdz
oF/FajAzQNKnm569/D3upKoi8mYBaST15Uig8j8qoUW1U217LL0jEHlSnHV3lcaD
TXqDpTRR4Bfz9IqOgJgFZ8/oTfEomSrjrLYef81Eyxr7ZIMQXEKKEK7V4UXKS0+/
fDsiG/cXidhzt8UbTL9vqXqxM2+IDImyO+FAc/tkBG55LmzxPto1Nq0WbnZzRM/w
Tzrd0I/8NlevxtFbphg4evlHjFNI7+GrqR87ViEwuAJJ9Je5QQjct5YJfFRWiZ5C
MQIDAQAB
-----END PUBLIC KEY-----";

    #[test]
    fn the_official_requests_verify() {
        let (time, nonce) = ("1554208460", "593BEC0C930BF1AFEB40B4A08C8FB242");
        let spki = crypto::der(KEY).unwrap();
        let post = r#"{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"Image形象店-深圳腾大-QQ公仔","out_trade_no":"1217752501201407033233368018","notify_url":"https://www.weixin.qq.com/wxpay/pay.php","amount":{"total":100,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}"#;
        for (method, path, body, signature) in [
            (
                "POST",
                "/v3/pay/transactions/jsapi",
                post,
                "jnks4dlrPw3ZX+ozVvSK39oa0t7OMBsg83BHAwd8BRdUFiVaQNTLTvci+wURgP1OQBbKYhFGvt7iqYpDSTQkp7Uq1sltaQKyncCyrA1g88m5bsKERQfPyT0ahSwKTYJ1CAn9QiJuSJRq1QsQs07eehbU/k9BCS51jTyc1Jpsi2H77HF9f/BnjXAOP3/sPObg6V5Ee4EzwLox684hhuMuIwHo7D8KFk3LIHOKDcNI4It1aCXydFWNpNK+SG86VUDe5kwoDpw4Ulqfu9z8OFDGbDs9TCxEv8iqQzbpxOlEVoOe2kalSYM5kApQb3nZcxdUtoE0liJGW3RGUNE0t4v01A==",
            ),
            (
                "GET",
                "/v3/refund/domestic/refunds/123123123123",
                "",
                "Lc9VXxmeonkdV8Xk9tmigQFLhl0vRWTerdmoRu01aAnYwIrD/5nsSwE1WlmZGLRlAFTNQ3QsMa0+VRDlJp1Wp5p0nO8EK68b5sJBbjouxaFciIfq1zfDWWz+jqhcMoKXI1A6dPm1AW7D4d30WsMTNzp6g23OXakIsh9LO3lUmwvTuE0BY8ncf6tNGk4wKmvXwERd/ZpoQY3MAVKz+Nakwc+2XBmzT66KcUehU5kr4IvGa/lEU5RZb/q00zP9VLdBhC/jQSX3X1UcJLCtEc4gTmib4tnmAT+bHF/e17ZAuxDNcx6rqT8gNEXqaJGG+1OflMSTU2tpyG65G4dMKdFcoA==",
            ),
        ] {
            let message = signed(method, path, time, nonce, body.as_bytes());
            assert!(crypto::verify(&spki, &message, signature), "{method}");
            assert!(!crypto::verify(&spki, &message[1..], signature), "{method}");
        }
    }

    #[test]
    fn the_header_is_read_strictly() {
        let good = "WECHATPAY2-SHA256-RSA2048 mchid=\"1\",nonce_str=\"a=b\",serial_no=\"2\"";
        assert_eq!(fields(good).unwrap()["nonce_str"], "a=b");
        for bad in [
            "WECHATPAY2-SM2-WITH-SM3 mchid=\"1\"",
            "WECHATPAY2-SHA256-RSA2048 mchid=1",
            "WECHATPAY2-SHA256-RSA2048 mchid=\"1\", nonce_str=\"2",
            "WECHATPAY2-SHA256-RSA2048 mchid=\"1\",mchid=\"2\"",
        ] {
            assert!(fields(bad).is_none(), "{bad}");
        }
    }
}
