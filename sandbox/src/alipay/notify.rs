//! Callbacks as Alipay writes them: a form, signed over its decoded fields (alipay.md 1.7).

use super::Account;
use super::request::signed_text;
use super::trades::trade_status;
use crate::crypto::{self, RsaKey};
use crate::forgery::{Forgery, spoil};
use crate::ids;
use crate::ledger::RefundState;
use crate::outbox::{Notice, SignedRequest};
use crate::sandbox::Sandbox;
use serde_json::json;
use std::collections::BTreeMap;

/// Signs fields afresh: `sign` and `sign_type` stay outside of the text.
fn sign_fields(fields: &mut Vec<(String, String)>, key: &RsaKey) {
    fields.retain(|(name, _)| name != "sign");
    let sorted: BTreeMap<String, String> = fields.iter().cloned().collect();
    let sign = key.sign(signed_text(&sorted, &["sign", "sign_type"]).as_bytes());
    fields.push(("sign".to_owned(), sign));
}

/// A message about a complaint.
fn complained(notice: &Notice<'_>, id: &str, merchant: &Account, now: i64) -> SignedRequest {
    let method = "alipay.merchant.tradecomplain.changed";
    message(merchant, (notice.url, notice.event_id), method, &json!({ "complain_event_id": id }), now)
}

/// A message, as the application's gateway gets it.
pub(super) fn message(
    merchant: &Account,
    (url, event_id): (&str, &str),
    method: &str,
    content: &serde_json::Value,
    now: i64,
) -> SignedRequest {
    let mut fields: Vec<(String, String)> = [
        ("notify_id", event_id),
        ("utc_timestamp", &now.to_string()),
        ("msg_method", method),
        ("app_id", &merchant.keys.app_id),
        ("version", "1.1"),
        ("biz_content", &content.to_string()),
        ("charset", "GBK"),
        ("sign_type", "RSA2"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    sign_fields(&mut fields, &merchant.alipay);
    SignedRequest {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded; charset=GBK".to_owned())],
        body: form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish(),
    }
}

/// A payment's or a refund's notice.
pub(crate) fn form(notice: &Notice<'_>, merchant: &Account, now: i64) -> SignedRequest {
    if let Some(told) = notice.complaint {
        return complained(notice, &told.complaint.id, merchant, now);
    }
    let trade = notice.trade;
    let amount = ids::yuan(trade.amount());
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
    set("gmt_create", &ids::spaced(trade.created));
    set("charset", "utf-8");
    set("gmt_payment", &ids::spaced(trade.paid.unwrap_or(notice.created)));
    set("notify_time", &ids::spaced(now));
    set("subject", &trade.subject);
    let buyer = trade.payer.as_deref().unwrap_or("2088102146225135");
    set(if buyer.starts_with("2088") { "buyer_id" } else { "buyer_open_id" }, buyer);
    set("buyer_logon_id", "159****5620");
    if let Some(body) = trade.request.get("body").and_then(|body| body.as_str()) {
        set("body", body);
    }
    if let Some(passback) = &trade.attach {
        set("passback_params", passback);
    }
    set("version", "1.0");
    set("notify_id", notice.event_id);
    set("notify_type", "trade_status_sync");
    set("out_trade_no", &trade.number);
    set("total_amount", &amount);
    set("trade_status", trade_status(trade));
    set("trade_no", trade.transaction_id.as_deref().unwrap_or_default());
    set("auth_app_id", trade.sub_appid.as_ref().unwrap_or(&trade.appid));
    set("receipt_amount", &amount);
    set("invoice_amount", &amount);
    set("buyer_pay_amount", &amount);
    set("point_amount", "0.00");
    set("app_id", &trade.appid);
    set("seller_id", trade.request["seller_id"].as_str().unwrap_or(&merchant.keys.seller_id));
    set("fund_bill_list", &json!([{"amount": amount, "fundChannel": "ALIPAYACCOUNT"}]).to_string());
    if let Some(r) = notice.refund {
        let refund = &trade.refunds[r];
        let done = trade.refunds[..=r].iter().filter(|r| r.state == RefundState::Success);
        set("refund_fee", &ids::yuan(done.map(|r| r.amount).sum()));
        set("gmt_refund", &format!("{}.000", ids::spaced(refund.settled.unwrap_or(now))));
        // A refund of the console may have no number.
        if !refund.out_refund_no.is_empty() {
            set("out_biz_no", &refund.out_refund_no);
        }
    }
    set("sign_type", "RSA2");
    sign_fields(&mut fields, &merchant.alipay);
    SignedRequest {
        method: "POST".to_owned(),
        url: notice.url.to_owned(),
        headers: vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body: form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish(),
    }
}

/// Spoils a callback.
pub(super) fn forge(sandbox: &Sandbox, request: &mut SignedRequest, how: Forgery) {
    let mut fields: Vec<(String, String)> = form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
    let set = |fields: &mut Vec<(String, String)>, name: &str, value: &str| {
        fields.retain(|(own, _)| own != name);
        fields.push((name.to_owned(), value.to_owned()));
    };
    let sign = fields.iter().find(|(name, _)| name == "sign").map(|(_, value)| value.clone()).unwrap_or_default();
    match how {
        Forgery::BadSignature | Forgery::SignTest => set(&mut fields, "sign", &spoil(&sign)),
        Forgery::OtherKey => sign_fields(&mut fields, sandbox.stranger()),
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
            sign_fields(&mut fields, sandbox.stranger());
        }
        Forgery::Downgrade => {
            set(&mut fields, "sign_type", "RSA");
            set(&mut fields, "sign", &spoil(&sign));
        }
    }
    request.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
}
