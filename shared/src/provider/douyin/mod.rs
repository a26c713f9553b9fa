//! Douyin: ecpay, the trade system, and the open product (`protocols/douyin.md`).

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Notice, Outcome, Outside,
    ProviderReply, RefundRequest, RefundStanding, Standing, Verdict,
};
use crate::code::Failure;
use crate::config::{DouyinNode, Merchant};
use crate::order::{Attempt, Order, Refund};

pub(super) fn goods(_node: &DouyinNode, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    Ok(Goods::default())
}

pub(super) fn check(_node: &DouyinNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn create(
    _outside: &Outside,
    _node: &DouyinNode,
    _merchant: &str,
    _request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query(
    _outside: &Outside,
    _node: &DouyinNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn refund(
    _outside: &Outside,
    _node: &DouyinNode,
    _request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query_refund(
    _outside: &Outside,
    _node: &DouyinNode,
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

pub(super) async fn close(_outside: &Outside, _node: &DouyinNode, _attempt: &Attempt, _now: i64) -> Outcome<()> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) fn app_host(_node: &DouyinNode) -> &str {
    ""
}
