//! WeChat Pay, APIv3 and APIv2 (`docs/protocols/wechat.md`).
//!
//! | file | what |
//! |---|---|
//! | `signing` | the bytes that APIv3 signs, and its signature headers |
//! | `transport` | one call of APIv3: signed, sent, verified |
//! | `certificates` | the keys that verify WeChat Pay |
//! | `v3`, `v3_refund`, `transaction` | orders, refunds and the order object of APIv3 |
//! | `transfer` | merchant transfers |
//! | `v2` | the same over XML |
//! | `client` | `orderInfo`, for each product |
//! | `bill` | the bill of a day: asked for, downloaded, read |
//! | `callback` | verify, check the age, decrypt, parse; and the replies |
//! | `failure` | what a refusal means, and what leaves the outcome open |
//! | `check`, `text` | shapes that are refused early; small readings |

use crate::common::raw;
pub mod bill;
mod callback;
mod certificates;
mod check;
mod client;
mod failure;
pub mod signing;
mod text;
mod transaction;
mod transfer;
mod transport;
pub mod v2;
mod v3;
mod v3_refund;

pub(super) use callback::{read as read_callback, read_v3, reply};
pub use certificates::{Certificates, KEEP_MS, PAUSE_MS};
pub(super) use check::check;

use super::{
    CallError, Closing, CreateRequest, Created, Outside, RefundRequest, RefundStanding, Refusal, Standing,
    TransferRequest, TransferStanding,
};
use config::{Api, V3, WxpayNode};
use domain::{Attempt, Order, Refund};
use failure::is_paying;

pub(super) async fn create(
    outside: &Outside,
    node: &WxpayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    match &node.api {
        Api::V3(v3) => v3::create(outside, node, v3, merchant, request).await,
        Api::V2(v2) => v2::order::create(outside, node, v2, merchant, request).await,
    }
}

pub(super) async fn query(
    outside: &Outside,
    node: &WxpayNode,
    merchant: &str,
    _order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Standing, CallError> {
    match &node.api {
        Api::V3(v3) => v3::query(outside, node, v3, merchant, attempt, now).await,
        Api::V2(v2) => v2::order::query(outside, node, v2, merchant, attempt).await,
    }
}

/// Whether closing an order of this node is a reversal, which gives back what was paid.
pub(super) fn reverses(node: &WxpayNode) -> bool {
    client::Product::of(node) == Some(client::Product::CodePay)
}

pub(super) async fn close(
    outside: &Outside,
    node: &WxpayNode,
    _order: &Order,
    attempt: &Attempt,
    now: i64,
) -> Result<Closing, CallError> {
    let closed = match &node.api {
        Api::V3(v3) => v3::close(outside, node, v3, attempt, now).await,
        Api::V2(v2) => v2::order::close(outside, node, v2, attempt).await,
    };
    match closed {
        Ok(()) => Ok(Closing::Closed),
        Err(error) if is_paying(&error) => Ok(Closing::Paying),
        Err(error) => Err(error),
    }
}

pub(super) fn can_refund(node: &WxpayNode) -> Result<(), Refusal> {
    match &node.api {
        Api::V2(v2) if v2.identity.is_none() => Err(v2::no_certificate()),
        Api::V2(_) | Api::V3(_) => Ok(()),
    }
}

/// APIv2 signs the reason as it stands.
pub(super) fn check_refund(node: &WxpayNode, reason: &str) -> Result<(), (&'static str, String)> {
    match &node.api {
        Api::V2(_) => raw::check("refund_desc", reason),
        Api::V3(_) => Ok(()),
    }
}

pub(super) async fn refund(
    outside: &Outside,
    node: &WxpayNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    match &node.api {
        Api::V3(v3) => v3_refund::refund(outside, node, v3, request).await,
        Api::V2(v2) => v2::refund::refund(outside, node, v2, request).await,
    }
}

pub(super) async fn query_refund(
    outside: &Outside,
    node: &WxpayNode,
    attempt: &Attempt,
    refund: &Refund,
    now: i64,
) -> Result<RefundStanding, CallError> {
    match &node.api {
        Api::V3(v3) => v3_refund::query_refund(outside, node, v3, attempt, &refund.out_refund_no, now).await,
        Api::V2(v2) => v2::refund::query_refund(outside, node, v2, attempt, &refund.out_refund_no).await,
    }
}

/// Transfers are APIv3's alone; `None` where the node speaks APIv2.
pub(super) const fn transfer_keys(node: &WxpayNode) -> Option<&V3> {
    match &node.api {
        Api::V3(v3) => Some(v3),
        Api::V2(_) => None,
    }
}

pub(super) async fn transfer(
    outside: &Outside,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<TransferStanding, CallError> {
    transfer::transfer(outside, node, v3, request).await
}

pub(super) async fn query_transfer(
    outside: &Outside,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    transfer::query(outside, node, v3, request).await
}

pub(super) async fn cancel_transfer(
    outside: &Outside,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    transfer::cancel(outside, node, v3, request).await
}
