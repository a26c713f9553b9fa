//! VksPay, and the epay family behind the same section (`protocols/vkspay.md`).

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Notice, Outcome, Outside,
    ProviderReply, RefundRequest, RefundStanding, Standing, Verdict,
};
use crate::code::Failure;
use crate::config::{Merchant, VkspayNode};
use crate::order::{Attempt, Order, Refund};

pub(super) fn goods(_node: &VkspayNode, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    Ok(Goods::default())
}

pub(super) fn check(_node: &VkspayNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn create(
    _outside: &Outside,
    _node: &VkspayNode,
    _merchant: &str,
    _request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query(
    _outside: &Outside,
    _node: &VkspayNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn refund(
    _outside: &Outside,
    _node: &VkspayNode,
    _request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query_refund(
    _outside: &Outside,
    _node: &VkspayNode,
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
