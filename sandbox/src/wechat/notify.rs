//! Callbacks as WeChat Pay writes them (wechat.md sections 3 and 5.3).

use super::Account;
use super::objects::refund_word_v2;
use super::{auth, authorizations, complaints, objects, transfers, v2, xml};
use crate::authorizations::AuthorizationState;
use crate::crypto::{ALNUM, ecb_seal, gcm_seal, md5_hex, random_text};
use crate::ids;
use crate::ledger::RefundState;
use crate::outbox::{Notice, SignedRequest};
use crate::provider::Wire;
use serde_json::{Value, json};

/// APIv3: JSON, sealed with the APIv3 key, signed in headers.
pub(crate) fn v3(notice: &Notice<'_>, merchant: &Account, now: i64) -> SignedRequest {
    let (event, summary, original, plain, wire) = match notice.refund {
        None if let (Some((event, summary, plain)), Some(told)) = (complaints::told(notice), notice.complaint) => {
            (event, summary, "complaint", plain, told.wire)
        }
        None if let Some(transfer) = notice.transfer => (
            "MCHTRANSFER.BILL.FINISHED",
            "商家转账单据终态通知",
            "mch_payment",
            transfers::told(transfer),
            transfer.wire,
        ),
        None if let Some(authorization) = notice.authorization => {
            let (event, summary) = match authorization.state {
                AuthorizationState::Closed => {
                    ("MCHTRANSFER.AUTHORIZATION.CLOSED", "商家转账用户免确认收款授权关闭通知")
                }
                _ => ("MCHTRANSFER.AUTHORIZATION.CONFIRMED", "商家转账用户免确认收款授权确认通知"),
            };
            (event, summary, "mch_payment", authorizations::shown(authorization), authorization.wire)
        }
        None => ("TRANSACTION.SUCCESS", "支付成功", "transaction", objects::order(notice.trade), notice.trade.wire),
        Some(r) => {
            let refund = &notice.trade.refunds[r];
            let (event, summary) = match refund.state {
                RefundState::Closed => ("REFUND.CLOSED", "退款关闭"),
                RefundState::Abnormal => ("REFUND.ABNORMAL", "退款异常"),
                _ => ("REFUND.SUCCESS", "退款成功"),
            };
            (event, summary, "refund", objects::refund_event(notice.trade, refund), refund.wire)
        }
    };
    let body = envelope(notice, (event, summary, original), &plain, &merchant.keys.v3_key);
    let wanted = (wire == Wire::V3).then_some(merchant.keys.wxpay_public_key_id.as_str());
    let (key, serial) = auth::signer(merchant, wanted);
    let mut request = SignedRequest {
        method: "POST".to_owned(),
        url: notice.url.to_owned(),
        headers: vec![
            ("Content-Type".to_owned(), "application/json".to_owned()),
            ("Accept".to_owned(), "*/*".to_owned()),
            ("User-Agent".to_owned(), "Mozilla/4.0".to_owned()),
        ],
        body: body.to_string(),
    };
    for (name, value) in auth::sign(key, serial, request.body.as_bytes(), now) {
        request.set_header(name, &value);
    }
    request
}

fn envelope(notice: &Notice<'_>, names: (&str, &str, &str), plain: &Value, v3_key: &str) -> Value {
    let (event, summary, original) = names;
    let nonce = random_text(12, ALNUM);
    json!({
        "id": notice.event_id,
        "create_time": ids::rfc3339(notice.created),
        "resource_type": "encrypt-resource",
        "event_type": event,
        "summary": summary,
        "resource": {
            "original_type": original,
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": gcm_seal(v3_key, &nonce, original, plain.to_string().as_bytes()),
            "associated_data": original,
            "nonce": nonce,
        },
    })
}

/// APIv2: a payment is signed XML; a refund is sealed `req_info` without a signature.
pub(crate) fn v2(notice: &Notice<'_>, merchant: &Account) -> SignedRequest {
    let trade = notice.trade;
    let mut fields = xml::Fields::new();
    let mut set = |name: &str, value: &str| {
        fields.insert(name.to_owned(), value.to_owned());
    };
    set("return_code", "SUCCESS");
    set("appid", &trade.appid);
    set("mch_id", &trade.merchant);
    set("nonce_str", &random_text(32, ALNUM));
    if let Some(r) = notice.refund {
        let refund = &trade.refunds[r];
        let mut inner = xml::Fields::new();
        let mut put = |name: &str, value: &str| {
            inner.insert(name.to_owned(), value.to_owned());
        };
        put("out_refund_no", &refund.out_refund_no);
        put("out_trade_no", &trade.number);
        put("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS");
        put("refund_fee", &refund.amount.to_string());
        put("refund_id", &refund.refund_id);
        put("refund_recv_accout", "支付用户零钱");
        put("refund_request_source", "API");
        put("refund_status", refund_word_v2(refund.state));
        put("settlement_refund_fee", &refund.amount.to_string());
        put("settlement_total_fee", &refund.total.to_string());
        if refund.state == RefundState::Success {
            put("success_time", &ids::spaced(refund.settled.unwrap_or(notice.created)));
        }
        put("total_fee", &refund.total.to_string());
        put("transaction_id", trade.transaction_id.as_deref().unwrap_or_default());
        let key = md5_hex(merchant.keys.v2_key.as_bytes());
        set("req_info", &ecb_seal(key.as_bytes(), xml::write("root", &inner).as_bytes()));
    } else {
        v2::order_fields(trade, &mut set);
        set("result_code", "SUCCESS");
        let sign = v2::sign(&fields, &merchant.keys.v2_key, trade.wire == Wire::V2_HMAC);
        fields.insert("sign".to_owned(), sign);
    }
    SignedRequest {
        method: "POST".to_owned(),
        url: notice.url.to_owned(),
        headers: vec![("Content-Type".to_owned(), "text/xml; charset=utf-8".to_owned())],
        body: xml::write("xml", &fields),
    }
}
