//! Callbacks as an attacker, or the provider's own probe, would send them.

use crate::Sandbox;
use crate::callbacks::SignedRequest;
use crate::crypto::{self, RsaKey, gcm_open, gcm_seal};
use crate::ids;
use crate::keys::Merchant;
use crate::wechat::xml;
use crate::{alipay, apple, douyin, huawei, virtual_pay, vkspay};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// How a genuine callback is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgery {
    /// A signature of the right shape that fits nothing. (`req_info` of an APIv2 refund: broken ciphertext.)
    BadSignature,
    /// Signed with a key that belongs to nobody, under the right serial.
    OtherKey,
    /// Another amount inside, under the old signature.
    AlteredAmount,
    /// No signature at all.
    NoSignature,
    /// An empty signature.
    EmptySignature,
    /// Rightly signed, ten minutes ago. Only where the receiver is told to look at the time: WeChat Pay v3, epay RSA.
    OldTimestamp,
    /// v3: WeChat Pay's own probe, `WECHATPAY/SIGNTEST/…` (wechat.md 1.4); elsewhere a bad signature.
    SignTest,
    /// v3: signed with a stranger's key under a serial that nobody knows; Alipay: an unknown `alipay_cert_sn`.
    UnknownSerial,
    /// v3: another `Wechatpay-Signature-Type`; Alipay: `sign_type` RSA, which is SHA-1; v2: another key. Not for plain
    /// pushes of virtual payment, which have nothing to fall back from.
    Downgrade,
}

impl Forgery {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::BadSignature,
        Self::OtherKey,
        Self::AlteredAmount,
        Self::NoSignature,
        Self::EmptySignature,
        Self::OldTimestamp,
        Self::SignTest,
        Self::UnknownSerial,
        Self::Downgrade,
    ];

    /// Whether a callback can be spoilt this way.
    pub fn fits(self, callback: &SignedRequest) -> bool {
        match self {
            Self::OldTimestamp => callback.header("wechatpay-timestamp").is_some() || vkspay::signs_a_time(callback),
            Self::Downgrade => !virtual_pay::wrote(callback) || callback.url.contains("msg_signature="),
            _ => true,
        }
    }
}

/// In which protocol a callback is written.
enum Shape {
    V3(Arc<Merchant>),
    V2,
    Alipay,
}

impl Sandbox {
    /// Spoils a callback made by [`Self::build_callback`].
    ///
    /// # Panics
    /// If the request is no callback of a registered merchant, or cannot be spoilt this way: see [`Forgery::fits`]. A
    /// forgery that changes nothing would prove nothing.
    pub fn forge(&self, request: SignedRequest, how: Forgery) -> SignedRequest {
        assert!(how.fits(&request), "{how:?} does not fit this callback");
        let forged = self.spoilt(request.clone(), how);
        let parts = |r: &SignedRequest| (r.url.clone(), r.headers.clone(), r.body.clone());
        assert_ne!(parts(&forged), parts(&request), "{how:?} has changed nothing");
        forged
    }

    fn spoilt(&self, mut request: SignedRequest, how: Forgery) -> SignedRequest {
        type Wrote = fn(&SignedRequest) -> bool;
        type Forge = fn(&Sandbox, &mut SignedRequest, Forgery);
        let others: [(Wrote, Forge); 5] = [
            (apple::wrote, apple::forge),
            (vkspay::wrote, vkspay::forge),
            (virtual_pay::wrote, virtual_pay::forge),
            (douyin::wrote, douyin::forge),
            (huawei::wrote, huawei::forge),
        ];
        if let Some((_, forge)) = others.iter().find(|(wrote, _)| wrote(&request)) {
            forge(self, &mut request, how);
            return request;
        }
        match self.shape(&request).expect("a callback of a registered merchant") {
            Shape::V3(merchant) => self.forge_v3(&mut request, &merchant, how),
            Shape::V2 => forge_v2(&mut request, how),
            Shape::Alipay => self.forge_alipay(&mut request, how),
        }
        request
    }

    fn shape(&self, request: &SignedRequest) -> Option<Shape> {
        let state = self.state();
        let find = |fits: &dyn Fn(&Merchant) -> bool| state.merchants.iter().find(|m| fits(m)).cloned();
        if let Some(serial) = request.header("wechatpay-serial") {
            let own = |m: &Merchant| serial == m.keys.wxpay_public_key_id || serial == m.keys.platform_serial;
            return find(&own).map(Shape::V3);
        }
        if let Ok(fields) = xml::parse(request.body.as_bytes()) {
            let mchid = fields.get("mch_id")?;
            return find(&|m| m.keys.mchid == *mchid).map(|_| Shape::V2);
        }
        let app_id = form_urlencoded::parse(request.body.as_bytes()).find(|(name, _)| name == "app_id")?.1;
        find(&|m| m.keys.app_id == app_id).map(|_| Shape::Alipay)
    }

    fn forge_v3(&self, request: &mut SignedRequest, merchant: &Merchant, how: Forgery) {
        const SIGNATURE: &str = "Wechatpay-Signature";
        match how {
            Forgery::BadSignature => {
                let spoilt = request.header(SIGNATURE).map(spoil).unwrap_or_default();
                request.set_header(SIGNATURE, &spoilt);
            }
            Forgery::OtherKey => sign_again(request, self.stranger(), 0),
            Forgery::AlteredAmount => alter_v3(request, merchant),
            Forgery::NoSignature => request.drop_header(SIGNATURE),
            Forgery::EmptySignature => request.set_header(SIGNATURE, ""),
            Forgery::OldTimestamp => {
                let public = request.header("Wechatpay-Serial") == Some(&merchant.keys.wxpay_public_key_id);
                sign_again(request, if public { &merchant.wxpay } else { &merchant.platform }, -600);
            }
            Forgery::SignTest => {
                let probe = format!("WECHATPAY/SIGNTEST/{}", request.header(SIGNATURE).unwrap_or_default());
                request.set_header(SIGNATURE, &probe[..344.min(probe.len())]);
            }
            Forgery::UnknownSerial => {
                let serial = hex::encode_upper(crypto::random::<20>());
                request.set_header("Wechatpay-Serial", &serial);
                sign_again(request, self.stranger(), 0);
            }
            Forgery::Downgrade => request.set_header("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
        }
    }

    fn forge_alipay(&self, request: &mut SignedRequest, how: Forgery) {
        let mut fields: Vec<(String, String)> = form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
        let set = |fields: &mut Vec<(String, String)>, name: &str, value: &str| {
            fields.retain(|(own, _)| own != name);
            fields.push((name.to_owned(), value.to_owned()));
        };
        let sign = fields.iter().find(|(name, _)| name == "sign").map(|(_, value)| value.clone()).unwrap_or_default();
        match how {
            Forgery::BadSignature | Forgery::SignTest => set(&mut fields, "sign", &spoil(&sign)),
            Forgery::OtherKey => alipay::notify::sign_fields(&mut fields, self.stranger()),
            Forgery::AlteredAmount => {
                let total = fields.iter().find(|(name, _)| name == "total_amount");
                let fen = total.and_then(|(_, yuan)| ids::fen(yuan)).unwrap_or_default();
                for name in ["total_amount", "buyer_pay_amount", "receipt_amount", "invoice_amount"] {
                    set(&mut fields, name, &ids::yuan(fen + 1));
                }
            }
            Forgery::NoSignature => fields.retain(|(name, _)| name != "sign"),
            Forgery::EmptySignature => set(&mut fields, "sign", ""),
            Forgery::OldTimestamp => unreachable!("Alipay signs no time that is looked at"),
            Forgery::UnknownSerial => {
                set(&mut fields, "alipay_cert_sn", &hex::encode(crypto::random::<16>()));
                alipay::notify::sign_fields(&mut fields, self.stranger());
            }
            Forgery::Downgrade => {
                set(&mut fields, "sign_type", "RSA");
                set(&mut fields, "sign", &spoil(&sign));
            }
        }
        request.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    }
}

/// A signature with its first byte changed.
fn spoil(signature: &str) -> String {
    let mut bytes = crypto::unb64(signature).unwrap_or_default();
    if let Some(byte) = bytes.get_mut(7) {
        *byte ^= 1;
    }
    crypto::b64(&bytes)
}

fn sign_again(request: &mut SignedRequest, key: &RsaKey, shift_seconds: i64) {
    let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
    let seconds: i64 = header("Wechatpay-Timestamp").parse().unwrap_or_default();
    let timestamp = (seconds + shift_seconds).to_string();
    let message = format!("{timestamp}\n{}\n{}\n", header("Wechatpay-Nonce"), request.body);
    request.set_header("Wechatpay-Timestamp", &timestamp);
    request.set_header("Wechatpay-Signature", &key.sign(message.as_bytes()));
}

/// Opens the envelope with the APIv3 key, changes the amount, seals it again; the signature stays.
fn alter_v3(request: &mut SignedRequest, merchant: &Merchant) {
    let Ok(mut body) = serde_json::from_str::<Value>(&request.body) else {
        return;
    };
    let text = |name: &str| body["resource"][name].as_str().unwrap_or_default().to_owned();
    let (nonce, associated) = (text("nonce"), text("associated_data"));
    let plain = gcm_open(&merchant.keys.v3_key, &nonce, &associated, &text("ciphertext")).unwrap_or_default();
    let mut plain: Value = serde_json::from_slice(&plain).unwrap_or_default();
    for name in ["total", "payer_total", "refund", "payer_refund"] {
        if let Some(amount) = plain.pointer_mut(&format!("/amount/{name}")) {
            *amount = json!(amount.as_u64().unwrap_or_default() + 1);
        }
    }
    if let Some(amount) = plain.get_mut("transfer_amount") {
        *amount = json!(amount.as_u64().unwrap_or_default() + 1);
    }
    let sealed = gcm_seal(&merchant.keys.v3_key, &nonce, &associated, plain.to_string().as_bytes());
    body["resource"]["ciphertext"] = json!(sealed);
    request.body = body.to_string();
}

fn forge_v2(request: &mut SignedRequest, how: Forgery) {
    let Ok(mut fields) = xml::parse(request.body.as_bytes()) else {
        return;
    };
    let sealed = fields.get("req_info").cloned();
    match (how, sealed) {
        (Forgery::OldTimestamp, _) => unreachable!("APIv2 signs no time"),
        (Forgery::NoSignature, Some(_)) => {
            fields.remove("req_info");
        }
        (Forgery::EmptySignature, Some(_)) => {
            fields.insert("req_info".to_owned(), String::new());
        }
        (Forgery::OtherKey, Some(_)) => {
            let other =
                crypto::ecb_seal(&crypto::random::<32>(), b"<root><refund_status>SUCCESS</refund_status></root>");
            fields.insert("req_info".to_owned(), other);
        }
        (_, Some(sealed)) => {
            fields.insert("req_info".to_owned(), spoil(&sealed));
        }
        (Forgery::AlteredAmount, None) => {
            let fee: u64 = fields.get("total_fee").and_then(|fee| fee.parse().ok()).unwrap_or_default();
            fields.insert("total_fee".to_owned(), (fee + 1).to_string());
        }
        (Forgery::NoSignature, None) => {
            fields.remove("sign");
        }
        (Forgery::EmptySignature, None) => {
            fields.insert("sign".to_owned(), String::new());
        }
        (Forgery::OtherKey | Forgery::UnknownSerial | Forgery::Downgrade, None) => {
            let key = crypto::random_text(32, crypto::ALNUM);
            let sign = crate::wechat::v2_sign(&fields, &key);
            fields.insert("sign".to_owned(), sign);
        }
        (Forgery::BadSignature | Forgery::SignTest, None) => {
            fields.insert("sign".to_owned(), crypto::md5_hex(&crypto::random::<16>()).to_uppercase());
        }
    }
    request.body = xml::write("xml", &fields);
}
