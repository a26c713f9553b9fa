//! The asynchronous callback (`docs/protocols/alipay.md#callbacks`): decode once, verify, then read.
//!
//! The message's `app_id` only chooses whose key must verify it, among this merchant's nodes; it is believed
//! after that. Alipay signs no time of sending, so there is no age to check: the order's state makes a
//! repeat harmless.

use super::answer::word;
use super::{clock, payment, signing};
use crate::Merchant;
use crate::alipay::AlipayNode;
use crate::common::raw;
use crate::{
    CallbackError, ComplaintNotice, Notice, ProviderReply, RefundNotice, RefundProgress, RefundStanding, ShareNotice,
    Verdict, missing_key,
};
use domain::{Fen, Payment, Provider};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Reads a callback with the keys of one merchant.
pub(super) fn read(merchant: &Merchant, body: &[u8]) -> Result<Notice, CallbackError> {
    let params = decode(body)?;
    let node = verified(merchant, &params)?;
    let fields: Map<String, Value> =
        params.into_iter().filter(|(_, value)| !value.is_empty()).map(|(n, v)| (n, v.into())).collect();
    if let Some(method) = word(&fields, "msg_method") {
        return message(merchant, node, method, &fields);
    }
    if fields.get("charset").is_some_and(|c| !c.as_str().unwrap_or_default().eq_ignore_ascii_case("utf-8")) {
        return Err(CallbackError::Malformed("charset"));
    }
    let kind = word(&fields, "notify_type");
    let status = match (kind, word(&fields, "trade_status")) {
        (_, Some(status)) => status,
        (Some(kind), None) if kind != "trade_status_sync" => return Ok(Notice::Other(kind.to_owned())),
        (_, None) => return Err(CallbackError::Malformed("trade_status")),
    };
    let payment = stated(merchant, node, &fields)?;
    let refunded = word(&fields, "gmt_refund").is_some()
        || word(&fields, "refund_fee").is_some_and(|fee| Fen::from_yuan(fee) != Some(Fen::ZERO));
    match status {
        "TRADE_SUCCESS" | "TRADE_FINISHED" | "TRADE_CLOSED" if refunded => {
            Ok(Notice::Refund(Box::new(refund_of(&fields, payment))))
        }
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Ok(Notice::Payment(Box::new(payment))),
        other => Ok(Notice::Other(other.to_owned())),
    }
}

/// Messages to the application's gateway that are read.
const COMPLAINED: &str = "alipay.merchant.tradecomplain.changed";
const SHARED: &str = "alipay.trade.order.settle.notify";

/// A message to the application's gateway. It says only what it is about.
fn message(
    merchant: &Merchant,
    node: &AlipayNode,
    method: &str,
    fields: &Map<String, Value>,
) -> Result<Notice, CallbackError> {
    if ![COMPLAINED, SHARED].contains(&method) {
        return Ok(Notice::Other(method.chars().filter(char::is_ascii_graphic).take(64).collect()));
    }
    let content: Value = serde_json::from_str(word(fields, "biz_content").unwrap_or_default())
        .map_err(|_| CallbackError::Malformed("biz_content"))?;
    if method == SHARED {
        return shared(merchant, node, &content);
    }
    let id = content["complain_event_id"].as_str().filter(|id| ComplaintNotice::is_id(id));
    Ok(Notice::Complaint(ComplaintNotice {
        provider: Provider::Alipay,
        merchant: merchant.id.clone(),
        account: node.app_id.clone(),
        complaint_id: id.ok_or(CallbackError::Malformed("complain_event_id"))?.to_owned(),
        event: method.to_owned(),
    }))
}

/// What became of a share, or that the time to share is over. It proves nothing: Alipay is asked.
fn shared(merchant: &Merchant, node: &AlipayNode, content: &Value) -> Result<Notice, CallbackError> {
    let number = |name: &str| content[name].as_str().filter(|text| (1..=64).contains(&text.len()));
    Ok(Notice::Share(ShareNotice {
        provider: Provider::Alipay,
        merchant: merchant.id.clone(),
        mch_id: None,
        app_id: Some(node.app_id.clone()),
        transaction_id: number("trade_no").ok_or(CallbackError::Malformed("trade_no"))?.to_owned(),
        out_order_no: number("out_request_no").unwrap_or_default().to_owned(),
    }))
}

/// The answer to a callback: seven bytes, or anything else.
pub(super) fn reply(verdict: Verdict) -> ProviderReply {
    let (status, body) = match verdict {
        Verdict::Accepted => (200, "success"),
        Verdict::Rejected => (400, "fail"),
        Verdict::Retry => (500, "fail"),
    };
    ProviderReply { status, content_type: "text/plain", body: body.to_owned() }
}

/// The node whose key verifies the message, of this merchant's nodes with the message's `app_id`.
fn verified<'a>(merchant: &'a Merchant, params: &[(String, String)]) -> Result<&'a AlipayNode, CallbackError> {
    let of = |name: &str| params.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str());
    of("sign").ok_or(CallbackError::Forged("no sign"))?;
    if of("sign_type") != Some("RSA2") {
        return Err(CallbackError::Forged("sign_type is not RSA2"));
    }
    let app_id = of("app_id").ok_or(CallbackError::Malformed("app_id"))?;
    let mut nodes = merchant.alipay.values().filter(|node| node.app_id == app_id).peekable();
    if nodes.peek().is_none() {
        return Err(CallbackError::Forged("app_id is not this merchant's"));
    }
    let serial = of("alipay_cert_sn");
    let named = |node: &AlipayNode| match (&node.certificates, serial) {
        (Some(ours), Some(theirs)) => ours.alipay_cert_sn == theirs,
        (Some(_), None) | (None, _) => true,
    };
    let found = nodes.find(|node| named(node) && signing::verify_notify(params, &node.alipay_key));
    found.map(AsRef::as_ref).ok_or_else(|| {
        warn_of_missing_key(merchant, app_id, serial.is_some());
        CallbackError::Forged("sign")
    })
}

/// Says which key would be needed, when a message does not go with the mode of the application it names. It is refused
/// all the same, and it may be a forgery: no alarm, and nothing of the message.
fn warn_of_missing_key(merchant: &Merchant, app_id: &str, certified: bool) {
    for node in merchant.alipay.values().filter(|node| node.app_id == app_id) {
        let missing = match (&node.certificates, certified) {
            (Some(_), true) => {
                "signed under another certificate than alipayPublicCertContent, or forged: the current \
                 alipayCertPublicKey_RSA2.crt of the Alipay console belongs there"
            }
            (None, true) => {
                "signed under a certificate (alipay_cert_sn), and the node is in key mode: appCertContent, \
                 alipayPublicCertContent and alipayRootCertContent are missing"
            }
            (Some(_), false) => {
                "names no certificate, and the node is in certificate mode: if the application is in key mode, \
                 alipayPublicKey is missing, in place of the three certificates"
            }
            (None, false) => continue,
        };
        missing_key::warn("alipay", &merchant.id, &node.name, missing);
    }
}

/// The payment that the message states. A callback always says the application; the receiving account is
/// compared only where the configuration names one, because then it was written down with the order.
fn stated(merchant: &Merchant, node: &AlipayNode, fields: &Map<String, Value>) -> Result<Payment, CallbackError> {
    let mch_id = match &node.seller_id {
        Some(_) => Some(word(fields, "seller_id").ok_or(CallbackError::Malformed("seller_id"))?.to_owned()),
        None => None,
    };
    let mut payment = payment::of(fields, &merchant.id).map_err(CallbackError::Malformed)?;
    if node.app_auth_token.is_some() {
        // An application that acts for a merchant does not know the merchant's own.
        payment.parties.auth_app_id = None;
    }
    Ok(Payment { app_id: Some(node.app_id.clone()), mch_id, ..payment })
}

/// A refund: `refund_fee` is cumulative and so not this refund's amount. A refund made elsewhere without a
/// number of its own goes by the trade's.
fn refund_of(fields: &Map<String, Value>, payment: Payment) -> RefundNotice {
    RefundNotice {
        provider: Provider::Alipay,
        merchant: payment.merchant.clone(),
        number: Some(payment.number.clone()),
        share: None,
        returned: word(fields, "refund_fee").and_then(Fen::from_yuan),
        transaction_id: Some(payment.transaction_id.clone()),
        out_refund_no: word(fields, "out_biz_no").unwrap_or(&payment.number).to_owned(),
        standing: RefundStanding {
            refunded_at: word(fields, "gmt_refund").and_then(clock::read),
            ..RefundStanding::new(RefundProgress::Success)
        },
        mch_id: payment.mch_id.clone(),
        parties: payment.parties.clone(),
        info: payment.info.clone(),
        payment: Some(payment),
        signed: true,
    }
}

/// The fields of Alipay's notices.
const FIELDS: [&str; 38] = [
    "alipay_cert_sn",
    "app_id",
    "auth_app_id",
    "body",
    "buyer_id",
    "buyer_logon_id",
    "buyer_open_id",
    "buyer_pay_amount",
    "charset",
    "fund_bill_list",
    "gmt_close",
    "gmt_create",
    "gmt_payment",
    "gmt_refund",
    "invoice_amount",
    "notify_id",
    "notify_time",
    "notify_type",
    "out_biz_no",
    "out_trade_no",
    "passback_params",
    "pay_currency",
    "point_amount",
    "receipt_amount",
    "refund_fee",
    "refund_reason",
    "seller_email",
    "seller_id",
    "settle_currency",
    "sign",
    "sign_type",
    "subject",
    "total_amount",
    "trade_no",
    "trade_status",
    "trans_currency",
    "version",
    "voucher_detail_list",
];

/// Decodes a form, once: `+` is a space, `%XX` a byte of UTF-8. What two parsers could read differently is
/// refused: repeated or strange names, broken escapes, and values that hide a field of such a message. A voucher's
/// or a reason's own `&` hides none.
fn decode(body: &[u8]) -> Result<Vec<(String, String)>, CallbackError> {
    let mut params = Vec::new();
    let mut names = BTreeSet::new();
    for piece in body.split(|&byte| byte == b'&') {
        let equals = piece.iter().position(|&b| b == b'=').ok_or(CallbackError::Malformed("a field without ="))?;
        let name = unescaped(&piece[..equals])?;
        let value = unescaped(&piece[equals + 1..])?;
        if !signing::is_name(&name) {
            return Err(CallbackError::Malformed("a field's name"));
        }
        if !names.insert(name.clone()) {
            return Err(CallbackError::Malformed("a repeated field"));
        }
        params.push((name, value));
    }
    let own: Vec<&str> = names.iter().map(String::as_str).collect();
    if params.iter().any(|(_, value)| raw::hides(value, &FIELDS) || raw::hides(value, &own)) {
        return Err(CallbackError::Malformed("a value that reads as further fields"));
    }
    Ok(params)
}

fn unescaped(text: &[u8]) -> Result<String, CallbackError> {
    const BROKEN: CallbackError = CallbackError::Malformed("form encoding");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || rest.next().and_then(|&d| char::from(d).to_digit(16)).ok_or(BROKEN);
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| CallbackError::Malformed("not UTF-8"))
}
