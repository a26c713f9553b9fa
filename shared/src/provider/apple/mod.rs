//! Apple in-app purchase (`protocols/apple.md`).

use super::{
    CallbackError, CallbackRequest, CreateRequest, Created, Goods, GoodsRequest, Notice, Outcome, Outside, Proof,
    ProviderReply, Purchase, Standing, Verdict,
};
use crate::code::Failure;
use crate::config::{AppleNode, Merchant};
use crate::order::{Attempt, Order};

pub(super) fn goods(_node: &AppleNode, _request: &GoodsRequest<'_>) -> Result<Goods, Failure> {
    Ok(Goods::default())
}

pub(super) fn check(_node: &AppleNode, _request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    Ok(())
}

pub(super) async fn create(
    _outside: &Outside,
    _node: &AppleNode,
    _merchant: &str,
    _request: &CreateRequest<'_>,
) -> Outcome<Created> {
    Outcome::Unknown("not built".to_owned())
}

pub(super) async fn query(
    _outside: &Outside,
    _node: &AppleNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _now: i64,
) -> Outcome<Standing> {
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
    _node: &AppleNode,
    _merchant: &str,
    _order: &Order,
    _attempt: &Attempt,
    _proof: Proof<'_>,
    _now: i64,
) -> Outcome<Purchase> {
    Outcome::Unknown("not built".to_owned())
}

/// A fresh `appAccountToken`: a random UUID (version 4), lower case.
pub(super) fn account_token() -> String {
    let mut bytes = crate::crypto::random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
