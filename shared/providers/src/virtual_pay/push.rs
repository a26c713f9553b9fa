//! Message push (`docs/protocols/wxpay-virtual.md#message-push`): the URL's probe, plain mode, safe mode.
//!
//! In plain mode the signature covers neither body nor event, so such a push is only a reason to ask. In safe
//! mode `msg_signature` covers the ciphertext, and the application at its end is compared; a `signature`
//! beside it proves nothing.

use super::env;
use crate::Merchant;
use crate::common::xml;
use crate::virtual_pay::VirtualNode;
use crate::{
    CallbackError, CallbackRequest, Hint, Notice, ProviderClients, ProviderReply, RefundNotice, RefundProgress,
    RefundStanding, Verdict, missing_key,
};
use crypto::{aes, from_base64, hash};
use domain::{Fen, Parties, Payment, Provider, UnixMs};
use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The text fields of a message, by their path: `GoodsInfo.ProductId`.
type Fields = BTreeMap<String, String>;

const GOODS: &str = "xpay_goods_deliver_notify";
const COINS: &str = "xpay_coin_pay_notify";
const REFUND: &str = "xpay_refund_notify";

/// Reads a push.
pub(crate) async fn read(
    merchant: &Merchant,
    _outside: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let node = merchant.virtual_pay.values().next().ok_or(CallbackError::Forged("wxpay-virtual is not configured"))?;
    let mut query = Fields::new();
    for (name, value) in form_urlencoded::parse(request.query.as_bytes()) {
        if query.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(CallbackError::Malformed("a parameter is there twice"));
        }
    }
    let parameter = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let signed_by = |more: Option<&str>, signature: &str| {
        let Some(token) = &node.token else { return false };
        let mut parts = vec![token.expose(), parameter("timestamp"), parameter("nonce")];
        parts.extend(more);
        parts.sort_unstable();
        !signature.is_empty() && hash::same(&hash::sha1_hex(parts.concat().as_bytes()), signature)
    };
    if request.method == Method::GET {
        let echo = parameter("echostr");
        let plain = (1..=256).contains(&echo.len()) && echo.bytes().all(|b| b.is_ascii_graphic());
        return match signed_by(None, parameter("signature")) {
            true if plain => Ok(Notice::Echo(echo.to_owned())),
            true => Err(CallbackError::Malformed("echostr")),
            false => Err(CallbackError::Forged("signature")),
        };
    }
    let Some(key) = &node.push_key else {
        if !signed_by(None, parameter("signature")) {
            return Err(CallbackError::Forged("signature"));
        }
        let message = fields(request.body).ok_or(CallbackError::Malformed("neither JSON nor XML"))?;
        if message.contains_key("Encrypt") && !message.contains_key("Event") {
            let missing = "a push in safe mode, and encodingAESKey is missing";
            missing_key::warn("wxpay-virtual", &merchant.id, "mp-weixin", missing);
            return Err(CallbackError::Forged("in safe mode, and no key opens it"));
        }
        return Ok(hinted(&merchant.id, &message));
    };
    let outer = fields(request.body).ok_or(CallbackError::Malformed("neither JSON nor XML"))?;
    let sealed = outer.get("Encrypt").ok_or_else(|| {
        let missing =
            "a push in plain mode, and encodingAESKey is there: set the console to safe mode, or leave it out";
        missing_key::warn("wxpay-virtual", &merchant.id, "mp-weixin", missing);
        CallbackError::Forged("not in safe mode")
    })?;
    if !signed_by(Some(sealed), parameter("msg_signature")) {
        return Err(CallbackError::Forged("msg_signature"));
    }
    let sealed = from_base64(sealed).map_err(|_| CallbackError::Malformed("Encrypt"))?;
    let plain = aes::cbc256_decrypt(key.expose(), &sealed).map_err(|_| CallbackError::Forged("does not decrypt"))?;
    let message = unpack(&plain, &node.app_id).ok_or(CallbackError::Forged("another application's message"))?;
    let message = fields(message).ok_or(CallbackError::Malformed("the message inside"))?;
    proven(node, &merchant.id, &message)
}

/// 16 random bytes, the length, the message, the application: the message, if the application is ours.
fn unpack<'a>(plain: &'a [u8], app_id: &str) -> Option<&'a [u8]> {
    let (_, rest) = plain.split_at_checked(16)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (message, receiver) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    (receiver == app_id.as_bytes()).then_some(message)
}

/// A message in JSON or XML, as its texts and numbers by their path.
fn fields(body: &[u8]) -> Option<Fields> {
    fn walk(prefix: &str, map: &Map<String, Value>, into: &mut Fields, depth: usize) {
        for (name, value) in map {
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                Value::String(text) => drop(into.insert(path, text.clone())),
                Value::Number(number) => drop(into.insert(path, number.to_string())),
                Value::Object(map) if depth > 0 => walk(&path, map, into, depth - 1),
                _ => {}
            }
        }
    }
    if is_xml(body) {
        return xml::read_nested(body, 3).ok().map(|document| document.fields);
    }
    match serde_json::from_slice(body).ok()? {
        Value::Object(map) => {
            let mut into = Fields::new();
            walk("", &map, &mut into, 3);
            Some(into)
        }
        _ => None,
    }
}

fn is_xml(body: &[u8]) -> bool {
    body.trim_ascii_start().first() == Some(&b'<')
}

fn other(message: &Fields) -> Notice {
    let name = message.get("Event").map(String::as_str).unwrap_or("a message without an event");
    Notice::Other(name.chars().filter(char::is_ascii_graphic).take(64).collect())
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
            whole: None,
            out_refund_no: text("MchRefundId").ok_or(CallbackError::Malformed("MchRefundId"))?.to_owned(),
            standing: RefundStanding {
                progress: RefundProgress::Success,
                refund_id: text("WxRefundId").map(str::to_owned),
                refund: number("RefundFee").map(Fen),
                refunded_at: number("RefundSuccTimestamp").and_then(|s| UnixMs::from_secs(i64::try_from(s).ok()?)),
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

/// In the push's own format, unencrypted.
pub(crate) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let (status, code, text) = match verdict {
        Verdict::Accepted => (200, 0, "success"),
        Verdict::Rejected => (403, 1, "refused"),
        Verdict::Retry => (500, 1, "try again"),
    };
    match is_xml(request.body) {
        true => ProviderReply {
            status,
            content_type: "application/xml; charset=utf-8",
            body: format!("<xml><ErrCode>{code}</ErrCode><ErrMsg><![CDATA[{text}]]></ErrMsg></xml>"),
        },
        false => ProviderReply {
            status,
            content_type: "application/json; charset=utf-8",
            body: format!(r#"{{"ErrCode":{code},"ErrMsg":"{text}"}}"#),
        },
    }
}
