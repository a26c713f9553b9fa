//! APIv3 signatures: the request's is checked, the answer's is made (wechat.md 1.2, 1.4).

use super::v3::Refusal;
use crate::Sandbox;
use crate::crypto::{self, ALNUM, RsaKey, random_text};
use crate::keys::Merchant;
use crate::ledger::Provider;
use crate::server::Inbound;
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

/// Whose request this is. The time is looked at before the signature, as the real service does.
pub(crate) fn merchant(sandbox: &Sandbox, inbound: &Inbound) -> Result<Arc<Merchant>, Refusal> {
    let header = inbound
        .header("authorization")
        .ok_or_else(|| sign_error("Http头缺少Authorization信息", "Authorization"))?;
    let fields = fields(header).ok_or_else(|| {
        sign_error(
            "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》",
            "Authorization",
        )
    })?;
    let get = |name: &str| {
        let value = fields.get(name).copied().filter(|value| !value.is_empty());
        value.ok_or_else(|| sign_error(&format!("Http头Authorization缺少{name}"), name))
    };
    let (mchid, nonce, signature) = (get("mchid")?, get("nonce_str")?, get("signature")?);
    let (timestamp, serial) = (get("timestamp")?, get("serial_no")?);
    let seconds: i64 = timestamp
        .parse()
        .map_err(|_| sign_error("Http头Authorization中的timestamp格式错误", "timestamp"))?;
    if (sandbox.now().div_euclid(1000) - seconds).abs() > SKEW_SECONDS {
        return Err(sign_error(
            "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟",
            "timestamp",
        ));
    }
    if nonce.len() > 32 {
        return Err(sign_error(
            "Http头Authorization中的nonce_str长度错误",
            "nonce_str",
        ));
    }
    let merchant = sandbox.state().merchant(Provider::Wxpay, mchid);
    let merchant = merchant.ok_or_else(|| sign_error("商户号不存在", "mchid"))?;
    if !serial.eq_ignore_ascii_case(&merchant.keys.merchant_serial) {
        return Err(sign_error("商户证书序列号有误", "serial_no"));
    }
    let body = String::from_utf8_lossy(&inbound.body);
    let message = format!(
        "{}\n{}\n{timestamp}\n{nonce}\n{body}\n",
        inbound.method,
        inbound.target()
    );
    if !crypto::verify(&merchant.merchant_spki, message.as_bytes(), signature) {
        return Err(sign_error("错误的签名，验签失败", "signature"));
    }
    Ok(merchant)
}

/// The key and serial that a `Wechatpay-Serial` asks for: the public key if it names that, else the platform certificate.
pub(crate) fn signer<'a>(merchant: &'a Merchant, wanted: Option<&str>) -> (&'a RsaKey, &'a str) {
    if wanted == Some(&merchant.keys.wxpay_public_key_id) {
        (&merchant.wxpay, &merchant.keys.wxpay_public_key_id)
    } else {
        (&merchant.platform, &merchant.keys.platform_serial)
    }
}

/// The five `Wechatpay-…` headers over a body.
pub(crate) fn sign(
    key: &RsaKey,
    serial: &str,
    body: &[u8],
    now_ms: i64,
) -> Vec<(&'static str, String)> {
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
