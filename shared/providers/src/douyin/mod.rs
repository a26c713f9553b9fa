//! Douyin: ecpay, the trade system, and the open product (`docs/protocols/douyin.md`).
//!
//! Three products under one name, chosen by `product` in the configuration. The open product is WeChat Pay's
//! APIv3 under another scheme, and is served by that module.

mod ecpay;
mod open;
mod trade;

use super::{
    CallError, CallbackError, CallbackRequest, Closing, CreateRequest, Created, Goods, GoodsRequest, Meaning, Notice,
    Outside, ProviderReply, RefundRequest, RefundStanding, Refusal, Standing, Verdict, says_no_such_order, text_of,
};
use crate::common::raw;
use config::{DouyinNode, DouyinProduct, Merchant};
use domain::{Attempt, Failure, Order, Refund};
use serde_json::{Map, Value, json};

pub use ecpay::signing_text;

/// The open product pays in four ways; which one the client's platform tells.
pub(super) fn goods(node: &DouyinNode, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    let mut named = Map::new();
    if matches!(node.product, DouyinProduct::Douyinpay(_)) {
        named.insert("way".to_owned(), json!(open::way(request.data)));
    }
    Ok(Goods { total: None, named })
}

pub(super) fn check(node: &DouyinNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    if let DouyinProduct::Douyinpay(pay) = &node.product {
        return super::wxpay::check(open::node(pay, request.attempt), request);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-*".contains(&b);
    if !request.attempt.number.bytes().all(plain) {
        return Err(("out_trade_no", "letters, digits and _-* only".to_owned()));
    }
    if request.notify_url.len() > 256 {
        return Err(("notify_url", "at most 256 characters".to_owned()));
    }
    match node.product {
        DouyinProduct::Ecpay(_) => raw::check("subject", &request.order.description),
        DouyinProduct::Trade(_) | DouyinProduct::Douyinpay(_) => Ok(()),
    }
}

/// ecpay signs the reason as it stands.
pub(super) fn check_refund(node: &DouyinNode, reason: &str) -> Result<(), (&'static str, String)> {
    match node.product {
        DouyinProduct::Ecpay(_) => raw::check("refund_desc", reason),
        DouyinProduct::Trade(_) | DouyinProduct::Douyinpay(_) => Ok(()),
    }
}

pub(super) async fn create(
    outside: &Outside,
    node: &DouyinNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    match &node.product {
        DouyinProduct::Ecpay(keys) => ecpay::create(outside, node, keys, request).await,
        DouyinProduct::Trade(keys) => trade::create(node, keys, request),
        DouyinProduct::Douyinpay(pay) => {
            super::wxpay::create(outside, open::node(pay, request.attempt), merchant, request).await
        }
    }
}

pub(super) async fn query(
    outside: &Outside,
    node: &DouyinNode,
    merchant: &str,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Standing, CallError> {
    match &node.product {
        DouyinProduct::Ecpay(keys) => ecpay::query(outside, node, keys, merchant, attempt).await,
        DouyinProduct::Trade(_) => trade::query(outside, node, merchant, attempt, now).await,
        DouyinProduct::Douyinpay(pay) => {
            let standing = super::wxpay::query(outside, open::node(pay, attempt), merchant, order, attempt, now).await;
            standing.map(open::relabel)
        }
    }
}

pub(super) async fn close(
    outside: &Outside,
    node: &DouyinNode,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Closing, CallError> {
    match &node.product {
        DouyinProduct::Douyinpay(pay) => {
            super::wxpay::close(outside, open::node(pay, attempt), order, attempt, now).await
        }
        DouyinProduct::Ecpay(_) | DouyinProduct::Trade(_) => refused("CLOSE", "the product has no close"),
    }
}

pub(super) async fn refund(
    outside: &Outside,
    node: &DouyinNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    match &node.product {
        DouyinProduct::Ecpay(keys) => ecpay::refund(outside, node, keys, request).await,
        DouyinProduct::Trade(keys) => trade::refund(outside, node, keys, request).await,
        DouyinProduct::Douyinpay(pay) => super::wxpay::refund(outside, open::node(pay, request.attempt), request).await,
    }
}

pub(super) async fn query_refund(
    outside: &Outside,
    node: &DouyinNode,
    _order: &Order,
    attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Result<RefundStanding, CallError> {
    match &node.product {
        DouyinProduct::Ecpay(keys) => ecpay::query_refund(outside, node, keys, refund).await,
        DouyinProduct::Trade(_) => trade::query_refund(outside, node, refund, now).await,
        DouyinProduct::Douyinpay(pay) => {
            super::wxpay::query_refund(outside, open::node(pay, attempt), attempt, refund, now).await
        }
    }
}

pub(super) async fn read_callback(
    merchant: &Merchant,
    outside: &Outside,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let node = merchant.douyin.values().next().ok_or(CallbackError::Forged("douyin is not configured"))?;
    match &node.product {
        DouyinProduct::Ecpay(keys) => ecpay::read(node, keys, &merchant.id, request),
        DouyinProduct::Trade(keys) => trade::read(node, keys, &merchant.id, request),
        DouyinProduct::Douyinpay(pay) => open::read(pay, &merchant.id, outside, request).await,
    }
}

pub(super) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let (status, code, text) = match verdict {
        Verdict::Accepted => (200, 0, "success"),
        Verdict::Rejected => (400, 1, "refused"),
        Verdict::Retry => (500, 1, "try again"),
    };
    let body = match request.headers.contains_key("douyinpay-signature") {
        true if status == 200 => r#"{"code":"SUCCESS","message":"OK"}"#.to_owned(),
        true => format!(r#"{{"code":"FAIL","message":"{text}"}}"#),
        false => format!(r#"{{"err_no":{code},"err_tips":"{text}"}}"#),
    };
    ProviderReply { status, content_type: "application/json; charset=utf-8", body }
}

/// Host of mini-program calls: ecpay and login.
pub(super) fn app_host(node: &DouyinNode) -> &str {
    let real = if node.sandbox { "https://open-sandbox.douyin.com" } else { "https://developer.toutiao.com" };
    node.api_base.as_deref().unwrap_or(real)
}

fn refused<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::No }))
}

/// What an answer says that is not `err_no` 0. No table of the numbers is public, so the words decide what is
/// no refusal at all, and which number is taken.
fn judged<T>(what: &str, answer: &Map<String, Value>) -> Result<T, CallError> {
    let Some(code) = answer.get("err_no").and_then(Value::as_i64) else {
        return Err(CallError::Unknown(format!("{what}: no err_no")));
    };
    let tips = text_of(answer, "err_tips").or_else(|| text_of(answer, "err_msg")).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| tips.to_ascii_lowercase().contains(word));
    if code < 0 || says(&["系统", "超时", "繁忙", "频繁", "system", "timeout", "busy", "internal"]) {
        return Err(CallError::Unknown(format!("{what}: {code} {tips}")));
    }
    let meaning = match () {
        () if says_no_such_order(tips) => Meaning::Missing,
        () if says(&["重复", "已存在", "exist", "duplicate"]) && !says(&["不存在", "not exist"]) => {
            Meaning::NumberUsed
        }
        () => Meaning::No,
    };
    let message = tips.chars().take(200).collect();
    Err(CallError::Refused(Refusal { code: code.to_string(), message, meaning }))
}
