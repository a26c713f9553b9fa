//! Message push of a mini program at WeChat Pay's URL (`docs/protocols/merchant-operations.md#message-pushes`).

use super::config::MINI_PROGRAM;
use crate::common::wechat_push::{Push, Receiver, open, other, shipping};
use crate::{CallbackError, CallbackRequest, Merchant, Notice};

/// Whether a message is a push by its shape: its signature stands in the query, and no other header or body has a say.
pub(super) fn is_push(request: &CallbackRequest<'_>) -> bool {
    let named = |wanted: &str| form_urlencoded::parse(request.query.as_bytes()).any(|(name, _)| name == wanted);
    named("signature") && named("timestamp") && named("nonce")
}

/// Reads a push with the keys of the mini program.
pub(super) fn read(merchant: &Merchant, request: &CallbackRequest<'_>) -> Result<Notice, CallbackError> {
    let node = merchant.wxpay.get(MINI_PROGRAM);
    let node = node.filter(|node| node.token.is_some());
    let node = node.ok_or(CallbackError::Forged("wxpay.mp-weixin has no token of message push"))?;
    let receiver = Receiver {
        section: "wxpay",
        merchant: &merchant.id,
        app_id: &node.app_id,
        token: node.token.as_ref(),
        key: node.push_key.as_ref(),
    };
    let message = match open(&receiver, request)? {
        Push::Probe(echo) => return Ok(Notice::Echo(echo)),
        Push::Plain(message) | Push::Safe(message) => message,
    };
    if message.get("Event").is_some_and(|event| event.starts_with("xpay_")) {
        return Err(CallbackError::Malformed(
            "a push of virtual payment: the URL in the console must be …/pay-notify/wxpay-virtual/…, which takes both",
        ));
    }
    shipping(&merchant.id, &node.app_id, &message).unwrap_or_else(|| Ok(other(&message)))
}
