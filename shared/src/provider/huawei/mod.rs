//! Huawei: Payment Kit and IAP Kit of HarmonyOS (`protocols/huawei.md`).

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Notice, Outcome, Outside, Proof,
    ProviderReply, Purchase, RefundRequest, RefundStanding, Standing, Verdict,
};
use crate::code::Failure;
use crate::config::{HuaweiNode, Merchant};
use crate::order::{Attempt, Order, Refund};

pub(super) fn goods(_node: &HuaweiNode, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    Ok(Goods::default())
}

pub(super) fn check(_node: &HuaweiNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn create(
    _outside: &Outside,
    _node: &HuaweiNode,
    _merchant: &str,
    _request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query(
    _outside: &Outside,
    _node: &HuaweiNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn refund(
    _outside: &Outside,
    _node: &HuaweiNode,
    _request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query_refund(
    _outside: &Outside,
    _node: &HuaweiNode,
    _order: &Order,
    _attempt: &Attempt,
    _refund: &Refund,
    _now: i64,
) -> Outcome<RefundStanding> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn read_callback(
    _merchant: &Merchant,
    _outside: &Outside,
    _request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    Err(CallbackError::Malformed("not built"))
}

pub(super) fn reply(_request: &CallbackRequest<'_>, _verdict: Verdict) -> ProviderReply {
    ProviderReply { status: 500, content_type: "text/plain", body: String::new() }
}

pub(super) async fn purchase(
    _outside: &Outside,
    _node: &HuaweiNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _proof: Proof<'_>,
    _now: i64,
) -> Outcome<Purchase> {
    Outcome::Unknown("not built".to_owned())
}

/// True for an attempt in IAP Kit, which names a product.
pub(super) fn is_iap(attempt: &Attempt) -> bool {
    attempt.goods.contains_key("product_id")
}
