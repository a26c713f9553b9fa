//! Callbacks of APIv2 (`docs/protocols/wechat.md#apiv2-callbacks`).
//!
//! A payment is authenticated by its sign over everything received; a refund has none and is authenticated
//! by its decryption. APIv2 signs no time, so there is no window.

use super::super::text;
use super::order::{payment_of, redacted};
use super::refund::progress;
use super::{Params, is_signed};
use crate::Merchant;
use crate::common::raw;
use crate::common::xml;
use crate::wxpay::{Api, V2, WxpayNode};
use crate::{CallbackError, Notice, RefundNotice, RefundStanding, missing_key};
use crypto::aes::ecb256_decrypt;
use crypto::{from_base64, hash};
use domain::{Parties, Provider};

/// The fields of a payment's notice.
const FIELDS: [&str; 26] = [
    "appid",
    "attach",
    "bank_type",
    "cash_fee",
    "cash_fee_type",
    "coupon_count",
    "coupon_fee",
    "device_info",
    "err_code",
    "err_code_des",
    "fee_type",
    "is_subscribe",
    "mch_id",
    "nonce_str",
    "openid",
    "out_trade_no",
    "result_code",
    "return_code",
    "settlement_total_fee",
    "sign",
    "sign_type",
    "sub_mch_id",
    "time_end",
    "total_fee",
    "trade_type",
    "transaction_id",
];

pub(crate) fn read(merchant: &Merchant, body: &[u8]) -> Result<Notice, CallbackError> {
    let document = xml::read(body).map_err(|_| CallbackError::Malformed("not flat XML"))?;
    let message = document.fields;
    if message.get("req_info").is_some_and(|text| !text.is_empty()) {
        return read_refund(merchant, &message);
    }
    let signed = nodes(merchant).any(|(_, v2)| is_signed(&message, &v2.key, v2.hmac));
    if !signed {
        warn_of_missing_key(merchant, &message);
        return Err(CallbackError::Forged("no APIv2 key of this merchant made the sign"));
    }
    if message.values().any(|value| raw::hides(value, &FIELDS)) {
        return Err(CallbackError::Malformed("a value that reads as further fields"));
    }
    let field = |name: &str| message.get(name).map(String::as_str);
    match (field("return_code"), field("result_code")) {
        (Some("SUCCESS"), Some("SUCCESS")) => {}
        (Some("SUCCESS"), Some("FAIL")) => return Ok(Notice::Other("a payment that failed".to_owned())),
        _ => return Err(CallbackError::Malformed("return_code and result_code")),
    }
    let payment = payment_of(&message, &merchant.id);
    Ok(Notice::Payment(Box::new(payment.ok_or(CallbackError::Malformed("the payment's fields"))?)))
}

/// Says which key or setting would be needed, when the message is of APIv2 and no node is, or when it is signed with
/// a node's key by the other algorithm than `signType` pins.
fn warn_of_missing_key(merchant: &Merchant, message: &Params) {
    if nodes(merchant).next().is_none() {
        missing_key::warn("wxpay", &merchant.id, "", "an APIv2 callback, and no node has version 2: key is missing");
    }
    if let Some((node, v2)) = nodes(merchant).find(|(_, v2)| is_signed(message, &v2.key, !v2.hmac)) {
        let missing = match v2.hmac {
            true => "signed with MD5, and signType of the node is HMAC-SHA256",
            false => "signed with HMAC-SHA256, and signType of the node is MD5, its default",
        };
        missing_key::warn("wxpay", &merchant.id, &node.name, missing);
    }
}

fn nodes(merchant: &Merchant) -> impl Iterator<Item = (&WxpayNode, &V2)> {
    merchant.wxpay.values().filter_map(|node| match &node.api {
        Api::V2(v2) => Some((&**node, v2)),
        Api::V3(_) => None,
    })
}

/// `req_info` is AES-256-ECB under the lower-case hex of the key's MD5. The merchant number beside it is not
/// authenticated, so it must be the number of the very node whose key opens it.
fn read_refund(merchant: &Merchant, outer: &Params) -> Result<Notice, CallbackError> {
    const FORGED: CallbackError = CallbackError::Forged("no APIv2 key of this merchant opens req_info");
    let field = |name: &str| outer.get(name).map(String::as_str);
    if field("return_code") != Some("SUCCESS") {
        return Err(CallbackError::Malformed("return_code"));
    }
    let sealed = field("req_info").and_then(|t| from_base64(t).ok()).ok_or(FORGED)?;
    let (node, info) = nodes(merchant)
        .filter(|(node, _)| field("mch_id") == Some(&node.mch_id))
        .find_map(|(node, v2)| Some((node, open(v2, &sealed)?)))
        .ok_or(FORGED)?;
    let text = |name: &str| info.get(name).filter(|t| !t.is_empty());
    let amount = |name: &str| text(name).and_then(|t| text::fen(t));
    let missing = CallbackError::Malformed("the refund's fields");
    let (Some(number), Some(out_refund_no), Some(refund), Some(_)) =
        (text("out_trade_no"), text("out_refund_no"), amount("refund_fee"), amount("total_fee"))
    else {
        return Err(missing);
    };
    let status = text("refund_status").ok_or(missing)?;
    Ok(Notice::Refund(Box::new(RefundNotice {
        provider: Provider::Wxpay,
        merchant: merchant.id.clone(),
        number: Some(number.clone()),
        share: None,
        returned: None,
        transaction_id: text("transaction_id").cloned(),
        out_refund_no: out_refund_no.clone(),
        standing: RefundStanding {
            refund_id: text("refund_id").cloned(),
            refund: Some(refund),
            refunded_at: text("success_time").and_then(|t| text::from_v2_time(t)),
            ..RefundStanding::new(progress(Some(status)))
        },
        mch_id: Some(node.mch_id.clone()),
        // `req_info` names nobody, and what stands beside it is not authenticated.
        parties: Parties::default(),
        payment: None,
        signed: false,
        info: redacted(&info),
    })))
}

/// Opens `req_info`; what does not become a document of refund fields was not sealed with this key.
fn open(v2: &V2, sealed: &[u8]) -> Option<Params> {
    let key = zeroize::Zeroizing::new(hash::md5_hex(v2.key.expose().as_bytes()));
    let plain = ecb256_decrypt(key.as_bytes().try_into().ok()?, sealed).ok()?;
    xml::read(&plain).ok().filter(|document| document.root == "root").map(|document| document.fields)
}
