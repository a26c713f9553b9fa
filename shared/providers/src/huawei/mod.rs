//! Huawei: Payment Kit and IAP Kit of HarmonyOS (`docs/protocols/huawei.md`).
//!
//! Requests are signed with RSASSA-PSS, answers and callbacks with SM2 whatever the merchant uses. An attempt
//! that names a product is one of IAP Kit.

mod call;
mod canonical;
mod event;
mod iap;
mod notify;
mod pay;

use crate::common::raw;
pub use canonical::canonical;
pub(super) use iap::{brought, purchase};
pub(super) use notify::{read as read_callback, reply};

use super::{
    CallError, CreateRequest, Created, Goods, GoodsRequest, Meaning, Outside, RefundRequest, RefundStanding, Refusal,
    Standing,
};
use config::HuaweiNode;
use domain::{Attempt, Code, Failure, Order, Refund};
use serde_json::{Map, Value, json};

/// True for an attempt in IAP Kit, which names a product.
pub(super) fn is_iap(attempt: &Attempt) -> bool {
    attempt.goods.contains_key("product_id")
}

/// A product for IAP Kit; for Payment Kit the kind of business (`biz_type`).
pub(super) fn goods(node: &HuaweiNode, request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    if let Some(iap) = &node.iap
        && (node.pay.is_none() || request.named("product_id")?.is_some())
    {
        return super::apple::product(iap.products.as_ref(), request);
    }
    let mut goods = Map::new();
    match request.data.get("biz_type").filter(|value| !value.is_null()) {
        None => {}
        Some(Value::String(kind)) if (1..=16).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_digit()) => {
            goods.insert("biz_type".to_owned(), json!(kind));
        }
        Some(Value::Number(kind)) if kind.is_u64() => {
            goods.insert("biz_type".to_owned(), json!(kind.to_string()));
        }
        Some(_) => return Err(Failure::new(Code::FIELD).says("biz_type")),
    }
    Ok(Goods { total: None, named: goods })
}

pub(super) fn check(_node: &HuaweiNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    let number = &request.attempt.number;
    match number.len() <= 46 && number.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        true if is_iap(request.attempt) => Ok(()),
        true => raw::check("subject", &request.order.description),
        false => Err(("out_trade_no", "at most 46 letters, digits, _ and -".to_owned())),
    }
}

/// Payment Kit signs the reason as it stands.
pub(super) fn check_refund(reason: &str) -> Result<(), (&'static str, String)> {
    raw::check("refund_desc", reason)
}

pub(super) async fn create(
    outside: &Outside,
    node: &HuaweiNode,
    _merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    match &node.pay {
        _ if is_iap(request.attempt) => Ok(iap::sheet(request)),
        Some(keys) => pay::create(outside, node, keys, request).await,
        None => unconfigured(),
    }
}

pub(super) async fn query(
    outside: &Outside,
    node: &HuaweiNode,
    merchant: &str,
    _order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Standing, CallError> {
    match &node.pay {
        // The store cannot be asked by our number.
        _ if is_iap(attempt) => Ok(Standing::Unpaid { paying: false }),
        Some(keys) => pay::query(outside, node, keys, merchant, attempt, now).await,
        None => unconfigured(),
    }
}

pub(super) async fn refund(
    outside: &Outside,
    node: &HuaweiNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    match &node.pay {
        Some(keys) => pay::refund(outside, node, keys, request).await,
        None => unconfigured(),
    }
}

pub(super) async fn query_refund(
    outside: &Outside,
    node: &HuaweiNode,
    _order: &Order,
    _attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Result<RefundStanding, CallError> {
    match &node.pay {
        Some(keys) => pay::query_refund(outside, node, keys, refund, now).await,
        None => unconfigured(),
    }
}

fn unconfigured<T>() -> Result<T, CallError> {
    refused("CONFIG", "the node has no keys of Payment Kit")
}

/// Huawei does not look at what it is asked: the set-up is wrong, and will be until somebody mends it.
fn set_up<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::Unheard }))
}

fn refused<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::No }))
}
