//! WeChat's virtual payment of mini programs (`protocols/wechat.md section 6`).

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Notice, Outcome, Outside,
    ProviderReply, RefundRequest, RefundStanding, Standing, Verdict,
};
use crate::code::Failure;
use crate::config::{Merchant, VirtualNode};
use crate::order::{Attempt, Order, Refund};

pub(super) fn goods(_node: &VirtualNode, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    Ok(Goods::default())
}

pub(super) fn check(_node: &VirtualNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn create(
    _outside: &Outside,
    _node: &VirtualNode,
    _merchant: &str,
    _request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query(
    _outside: &Outside,
    _node: &VirtualNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn refund(
    _outside: &Outside,
    _node: &VirtualNode,
    _request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query_refund(
    _outside: &Outside,
    _node: &VirtualNode,
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

pub(super) async fn payer(
    _outside: &Outside,
    _node: &VirtualNode,
    _openid: Option<&str>,
    _code: Option<&str>,
    _now: i64,
) -> Result<String, Failure> {
    Err(Failure::new(crate::code::Code::SESSION))
}

pub(super) fn check_refund_number(_out_refund_no: &str) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn delivered(_outside: &Outside, _node: &VirtualNode, _attempt: &Attempt, _now: i64) {}
