//! Message push (`docs/protocols/wxpay-virtual.md#message-push`), as far as it is of virtual payment. A mini program has one
//! URL for its pushes, so those of shipping come here too.

use super::env;
use crate::Merchant;
use crate::common::wechat_push::{Fields, Push, Receiver, open, other, shipping};
use crate::virtual_pay::VirtualNode;
use crate::{
    CallbackError, CallbackRequest, ComplaintNotice, Hint, Notice, ProviderClients, RefundNotice, RefundProgress,
    RefundStanding,
};
use domain::{Fen, Parties, Payment, Provider, UnixMs};
use serde_json::{Map, json};

const GOODS: &str = "xpay_goods_deliver_notify";
const COINS: &str = "xpay_coin_pay_notify";
const REFUND: &str = "xpay_refund_notify";
const COMPLAINT: &str = "xpay_complaint_notify";

/// Reads a push.
pub(crate) async fn read(
    merchant: &Merchant,
    _outside: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let node = merchant.virtual_pay.values().next().ok_or(CallbackError::Forged("wxpay-virtual is not configured"))?;
    let receiver = Receiver {
        section: "wxpay-virtual",
        merchant: &merchant.id,
        app_id: &node.app_id,
        token: node.token.as_ref(),
        key: node.push_key.as_ref(),
    };
    let (message, safe) = match open(&receiver, request)? {
        Push::Probe(echo) => return Ok(Notice::Echo(echo)),
        Push::Plain(message) => (message, false),
        Push::Safe(message) => (message, true),
    };
    match shipping(&merchant.id, &node.app_id, &message) {
        Some(notice) => notice,
        None if message.get("Event").is_some_and(|event| event == COMPLAINT) => {
            complained(node, &merchant.id, &message)
        }
        None if safe => proven(node, &merchant.id, &message),
        None => Ok(hinted(&merchant.id, &message)),
    }
}

/// A complaint, which is asked for in either mode.
fn complained(node: &VirtualNode, merchant: &str, message: &Fields) -> Result<Notice, CallbackError> {
    let id = message.get("ComplaintId").filter(|id| ComplaintNotice::is_id(id));
    Ok(Notice::Complaint(ComplaintNotice {
        provider: Provider::WxpayVirtual,
        merchant: merchant.to_owned(),
        account: node.app_id.clone(),
        complaint_id: id.ok_or(CallbackError::Malformed("ComplaintId"))?.clone(),
        event: COMPLAINT.to_owned(),
    }))
}

/// What an unproven message is a reason to ask for.
fn hinted(merchant: &str, message: &Fields) -> Notice {
    let event = message.get("Event").map(String::as_str);
    let text = |name: &str| message.get(name).cloned();
    let (number, out_refund_no) = match event {
        Some(GOODS | COINS) => (text("OutTradeNo"), None),
        Some(REFUND) => (None, text("MchRefundId")),
        _ => return other(message),
    };
    let (provider, merchant) = (Provider::WxpayVirtual, merchant.to_owned());
    Notice::Hint(Hint { says_paid: number.is_some(), provider, merchant, number, out_refund_no })
}

/// What a message in safe mode says. One that lacks WeChat Pay's number is asked about instead.
fn proven(node: &VirtualNode, merchant: &str, message: &Fields) -> Result<Notice, CallbackError> {
    let text = |name: &str| message.get(name).map(String::as_str).filter(|text| !text.is_empty());
    let number = |name: &str| text(name)?.parse::<u64>().ok();
    let event = text("Event").unwrap_or_default();
    match event {
        GOODS | COINS => {
            let Some(id) = text("WeChatPayInfo.TransactionId") else { return Ok(hinted(merchant, message)) };
            let no = text("OutTradeNo").ok_or(CallbackError::Malformed("OutTradeNo"))?;
            let list = if event == GOODS { "GoodsInfo" } else { "CoinInfo" };
            let mut goods = Map::new();
            goods.insert("env".to_owned(), json!(number("Env")));
            goods.insert("openid".to_owned(), json!(text("OpenId")));
            goods.insert("buy_quantity".to_owned(), json!(number(&format!("{list}.Quantity"))));
            let mode = if event == GOODS { "short_series_goods" } else { "short_series_coin" };
            goods.insert("mode".to_owned(), json!(mode));
            if event == GOODS {
                goods.insert("product_id".to_owned(), json!(text("GoodsInfo.ProductId")));
            }
            let info = json!({
                "event": event,
                "env": env(node),
                "transaction_id": id,
                "orig_price": number(&format!("{list}.OrigPrice")),
                "actual_price": number(&format!("{list}.ActualPrice")),
            });
            Ok(Notice::Payment(Box::new(Payment {
                goods,
                app_id: Some(node.app_id.clone()),
                payer: text("OpenId").map(str::to_owned),
                paid_at: number("WeChatPayInfo.PaidTime").and_then(|s| UnixMs::from_secs(i64::try_from(s).ok()?)),
                info,
                ..Payment::new(Provider::WxpayVirtual, merchant, no, id)
            })))
        }
        // A failure may be tried again there, so it is asked for.
        REFUND if number("RetCode") != Some(0) => Ok(hinted(merchant, message)),
        REFUND => Ok(Notice::Refund(Box::new(RefundNotice {
            provider: Provider::WxpayVirtual,
            merchant: merchant.to_owned(),
            number: text("MchOrderId").map(str::to_owned),
            transaction_id: None,
            share: None,
            returned: None,
            out_refund_no: text("MchRefundId").ok_or(CallbackError::Malformed("MchRefundId"))?.to_owned(),
            standing: RefundStanding {
                refund_id: text("WxRefundId").map(str::to_owned),
                refund: number("RefundFee").map(Fen),
                refunded_at: number("RefundSuccTimestamp").and_then(|s| UnixMs::from_secs(i64::try_from(s).ok()?)),
                ..RefundStanding::new(RefundProgress::Success)
            },
            mch_id: None,
            parties: Parties::default(),
            payment: None,
            signed: true,
            info: json!({ "event": event, "wx_refund_id": text("WxRefundId") }),
        }))),
        _ => Ok(other(message)),
    }
}
