//! Alipay, open platform v2: mini-program, app, QR, pay-code, page and wap pay (`docs/protocols/alipay.md`).
//!
//! [`signing`] composes what is signed and [`answer`] reads what the gateway says; both are public, so that
//! a test or a simulator speaks with the same words. Every answer is verified over its raw characters, every
//! callback over its fields decoded once; only then is anything parsed.

use crate::common::raw;
pub mod answer;
pub mod bill;
mod call;
mod check;
pub(super) mod clock;
mod create;
mod notify;
mod payment;
mod refund;
pub mod signing;
mod trade;
mod transfer;

use super::{
    CallError, CallbackError, CallbackRequest, Closing, CreateRequest, Created, Meaning, Notice, Outside,
    ProviderReply, RefundRequest, RefundStanding, Refusal, Standing, TransferRequest, TransferStanding, Verdict,
};
use config::{AlipayNode, Merchant};
use domain::{Attempt, Order, Refund};

pub(super) fn check(node: &AlipayNode, request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    check::check(node, request)
}

pub(super) async fn create(
    outside: &Outside,
    node: &AlipayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    create::create(outside, node, merchant, request).await
}

pub(super) async fn query(
    outside: &Outside,
    node: &AlipayNode,
    merchant: &str,
    _order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Standing, CallError> {
    trade::query(outside, node, merchant, &attempt.number, now).await
}

/// Whether ending a trade of this node is a cancellation, which gives back what was paid.
pub(super) fn reverses(node: &AlipayNode) -> bool {
    node.name == "codepay"
}

pub(super) async fn close(
    outside: &Outside,
    node: &AlipayNode,
    _order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Closing, CallError> {
    trade::close(outside, node, &attempt.number, now).await
}

pub(super) async fn refund(
    outside: &Outside,
    node: &AlipayNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    refund::refund(outside, node, request).await
}

pub(super) async fn query_refund(
    outside: &Outside,
    node: &AlipayNode,
    attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Result<RefundStanding, CallError> {
    refund::query(outside, node, &attempt.number, refund, now).await
}

pub(super) async fn transfer(
    outside: &Outside,
    node: &AlipayNode,
    request: &TransferRequest<'_>,
) -> Result<TransferStanding, CallError> {
    transfer::transfer(outside, node, request).await
}

pub(super) async fn query_transfer(
    outside: &Outside,
    node: &AlipayNode,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    transfer::query(outside, node, request).await
}

pub(super) fn read_callback(merchant: &Merchant, request: &CallbackRequest<'_>) -> Result<Notice, CallbackError> {
    notify::read(merchant, request.body)
}

pub(super) fn reply(verdict: Verdict) -> ProviderReply {
    notify::reply(verdict)
}

/// Exchanges a login code (`alipay.system.oauth.token`): `user_id`, or `open_id` where the application is
/// in openid mode.
pub(super) async fn login(
    outside: &Outside,
    node: &AlipayNode,
    code: &str,
    now: i64,
) -> Result<super::login::Login, CallError> {
    if raw::unfit(code) {
        let message = format!("code {}", raw::UNFIT);
        return Err(CallError::Refused(Refusal { code: "code".to_owned(), message, meaning: Meaning::No }));
    }
    let mut call = call::Call::new(answer::LOGIN, serde_json::Map::new());
    call.plain = vec![("grant_type", "authorization_code".to_owned()), ("code", code.to_owned())];
    let fields = call.send(outside, node, now).await?;
    match answer::word(&fields, "user_id").or_else(|| answer::word(&fields, "open_id")) {
        Some(id) => Ok(super::login::Login { openid: id.to_owned(), unionid: None }),
        None => Err(CallError::unknown("alipay.system.oauth.token: no payer in the answer")),
    }
}
