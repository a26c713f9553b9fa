//! Alipay.
#![allow(unused_variables, clippy::unused_async)]
use super::*;
use crate::config::{AlipayNode, Merchant};
use crate::order::Refund;

pub(super) fn check(node: &AlipayNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}
pub(super) async fn create(
    outside: &Outside,
    node: &AlipayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown(String::new())
}
pub(super) async fn query(
    outside: &Outside,
    node: &AlipayNode,
    merchant: &str,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Outcome<Standing> {
    Outcome::Unknown(String::new())
}
pub(super) async fn close(
    outside: &Outside,
    node: &AlipayNode,
    order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Outcome<()> {
    Outcome::Unknown(String::new())
}
pub(super) async fn refund(
    outside: &Outside,
    node: &AlipayNode,
    request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
    Outcome::Unknown(String::new())
}
pub(super) async fn query_refund(
    outside: &Outside,
    node: &AlipayNode,
    attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Outcome<RefundStanding> {
    Outcome::Unknown(String::new())
}
pub(super) fn read_callback(merchant: &Merchant, request: &CallbackRequest<'_>) -> Result<Notice, CallbackError> {
    Err(CallbackError::Forged("not written"))
}
pub(super) fn reply(verdict: Verdict) -> ProviderReply {
    ProviderReply { status: 500, content_type: "", body: String::new() }
}
