//! WeChat Pay.
#![allow(unused_variables, clippy::unused_async)]
use super::*;
use crate::config::{Merchant, WxpayNode};
use crate::order::Refund;

/// Platform certificates.
#[derive(Default)]
pub struct Certificates;

pub(super) fn check(node: &WxpayNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}
pub(super) async fn create(
    outside: &Outside,
    node: &WxpayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown(String::new())
}
pub(super) async fn query(
    outside: &Outside,
    node: &WxpayNode,
    merchant: &str,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown(String::new())
}
pub(super) async fn close(
    outside: &Outside,
    node: &WxpayNode,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Outcome<()> {
    Outcome::Unknown(String::new())
}
pub(super) fn can_refund(node: &WxpayNode) -> Result<(), Refusal> {
    Ok(())
}
pub(super) async fn refund(
    outside: &Outside,
    node: &WxpayNode,
    request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown(String::new())
}
pub(super) async fn query_refund(
    outside: &Outside,
    node: &WxpayNode,
    attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Outcome<RefundStanding> {
    Outcome::Unknown(String::new())
}
pub(super) async fn read_callback(
    merchant: &Merchant,
    outside: &Outside,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    Err(CallbackError::Forged("not written"))
}
pub(super) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    ProviderReply { status: 500, content_type: "", body: String::new() }
}
