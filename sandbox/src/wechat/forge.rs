//! Callbacks as an attacker, or WeChat Pay's own probe, would send them.

use super::{Account, xml};
use crate::common::mini_program::{Spoilt, spoil_push};
use crate::crypto::{self, RsaKey, gcm_open, gcm_seal};
use crate::forgery::{Forgery, spoil};
use crate::outbox::SignedRequest;
use crate::sandbox::Sandbox;
use serde_json::{Value, json};
use std::sync::Arc;

impl Sandbox {
    /// A genuine callback of APIv3 under another event and with another content, sealed and signed anew as WeChat Pay
    /// would: for what it has never said, or says of things that are not in the sandbox.
    ///
    /// # Panics
    /// If the request is no APIv3 callback of a registered merchant.
    pub fn reseal(
        &self,
        callback: &SignedRequest,
        event: &str,
        content: impl FnOnce(Value) -> String,
    ) -> SignedRequest {
        let serial = callback.header("Wechatpay-Serial").expect("a callback of APIv3");
        let account = account_of(self, serial).expect("a callback of a registered merchant");
        let mut body: Value = serde_json::from_str(&callback.body).expect("an envelope");
        let text = |name: &str| body["resource"][name].as_str().unwrap_or_default().to_owned();
        let (key, nonce, associated) = (&account.keys.v3_key, text("nonce"), text("associated_data"));
        let plain = gcm_open(key, &nonce, &associated, &text("ciphertext")).expect("its own ciphertext");
        let content = content(serde_json::from_slice(&plain).expect("an object"));
        body["event_type"] = json!(event);
        body["resource"]["ciphertext"] = json!(gcm_seal(key, &nonce, &associated, content.as_bytes()));
        let mut resealed = SignedRequest { body: body.to_string(), ..callback.clone() };
        sign_again(&mut resealed, signer_of(callback, &account), 0);
        resealed
    }
}

/// Whose callbacks have this serial.
pub(super) fn account_of(sandbox: &Sandbox, serial: &str) -> Option<Arc<Account>> {
    let own = |account: &Account| serial == account.keys.wxpay_public_key_id || serial == account.keys.platform_serial;
    let state = sandbox.state();
    state.merchants.iter().filter_map(|m| m.account::<Account>()).find(|account| own(account))
}

/// The key under whose serial a callback was signed.
fn signer_of<'a>(request: &SignedRequest, merchant: &'a Account) -> &'a RsaKey {
    let public = request.header("Wechatpay-Serial") == Some(&merchant.keys.wxpay_public_key_id);
    if public { &merchant.wxpay } else { &merchant.platform }
}

/// Spoils a callback of APIv3.
pub(super) fn v3(sandbox: &Sandbox, request: &mut SignedRequest, merchant: &Account, how: Forgery) {
    const SIGNATURE: &str = "Wechatpay-Signature";
    match how {
        Forgery::BadSignature => {
            let spoilt = request.header(SIGNATURE).map(spoil).unwrap_or_default();
            request.set_header(SIGNATURE, &spoilt);
        }
        Forgery::OtherKey => sign_again(request, sandbox.stranger(), 0),
        Forgery::AlteredAmount => alter_v3(request, merchant),
        Forgery::NoSignature => request.drop_header(SIGNATURE),
        Forgery::EmptySignature => request.set_header(SIGNATURE, ""),
        Forgery::OldTimestamp => {
            let key = signer_of(request, merchant);
            sign_again(request, key, -600);
        }
        Forgery::SignTest => {
            let probe = format!("WECHATPAY/SIGNTEST/{}", request.header(SIGNATURE).unwrap_or_default());
            request.set_header(SIGNATURE, &probe[..344.min(probe.len())]);
        }
        Forgery::UnknownSerial => {
            let serial = hex::encode_upper(crypto::random::<20>());
            request.set_header("Wechatpay-Serial", &serial);
            sign_again(request, sandbox.stranger(), 0);
        }
        Forgery::Downgrade => request.set_header("Wechatpay-Signature-Type", "WECHATPAY2-SM2-WITH-SM3"),
    }
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
fn alter_v3(request: &mut SignedRequest, merchant: &Account) {
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
    let named = plain.get("out_authorization_no").is_some();
    if let Some(amount) = plain.get_mut("transfer_amount") {
        *amount = json!(amount.as_u64().unwrap_or_default() + 1);
    }
    // Of an authorisation, which has no amount: who gave it.
    if let Some(openid) = plain.get_mut("openid").filter(|_| named) {
        *openid = json!(format!("{}x", openid.as_str().unwrap_or_default()));
    }
    let sealed = gcm_seal(&merchant.keys.v3_key, &nonce, &associated, plain.to_string().as_bytes());
    body["resource"]["ciphertext"] = json!(sealed);
    request.body = body.to_string();
}

/// Spoils a callback of APIv2.
pub(super) fn v2(request: &mut SignedRequest, how: Forgery) {
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
            let sign = super::v2::sign(&fields, &key, false);
            fields.insert("sign".to_owned(), sign);
        }
        (Forgery::BadSignature | Forgery::SignTest, None) => {
            fields.insert("sign".to_owned(), crypto::md5_hex(&crypto::random::<16>()).to_uppercase());
        }
    }
    request.body = xml::write("xml", &fields);
}

/// Spoils a message push.
pub(super) fn push(request: &mut SignedRequest, how: Forgery) {
    let Some((url, query)) = request.url.split_once('?') else { return };
    let how = match how {
        Forgery::BadSignature | Forgery::SignTest | Forgery::OtherKey | Forgery::UnknownSerial => Spoilt::Signature,
        Forgery::NoSignature => Spoilt::Unsigned,
        Forgery::EmptySignature => Spoilt::Empty,
        Forgery::Downgrade => Spoilt::Downgraded,
        Forgery::AlteredAmount => Spoilt::Altered,
        Forgery::OldTimestamp => unreachable!("nobody is told to look at the time of a push"),
    };
    let (query, body) = spoil_push(query, &request.body, how);
    request.url = format!("{url}?{query}");
    request.body = body;
}
