//! Alipay, open platform v2: mini-program, app, QR, pay-code, page and wap pay (`docs/protocols/alipay.md`).
//!
//! [`signing`] composes what is signed and [`answer`] reads what the gateway says; both are public, so that
//! a test or a simulator speaks with the same words. Every answer is verified over its raw characters, every
//! callback over its fields decoded once; only then is anything parsed.

use crate::common::raw;
use domain::UnixMs;
pub mod answer;
pub mod bill;
mod call;
mod check;
pub(super) mod clock;
mod complaint;
mod config;
mod create;
mod driver;
mod examine;
mod notify;
mod payment;
mod refund;
mod request;
mod sharing;
pub mod signing;
mod trade;
mod transfer;

pub use self::config::{AlipayNode, CertificateMode, EncryptKey};
use super::{CallError, Meaning, ProviderClients, Refusal};

/// Exchanges a login code (`alipay.system.oauth.token`): `user_id`, or `open_id` where the application is
/// in openid mode.
async fn login(
    clients: &ProviderClients,
    node: &AlipayNode,
    code: &str,
    now: UnixMs,
) -> Result<super::login::Login, CallError> {
    if raw::unfit(code) {
        let message = format!("code {}", raw::UNFIT);
        return Err(CallError::Refused(Refusal { code: "code".to_owned(), message, meaning: Meaning::No }));
    }
    let mut call = call::Call::new(answer::LOGIN, serde_json::Map::new());
    call.plain = vec![("grant_type", "authorization_code".to_owned()), ("code", code.to_owned())];
    let fields = call.send(clients, node, now).await?;
    match answer::word(&fields, "user_id").or_else(|| answer::word(&fields, "open_id")) {
        Some(id) => Ok(super::login::Login { openid: id.to_owned(), unionid: None }),
        None => Err(CallError::unknown("alipay.system.oauth.token: no payer in the answer")),
    }
}
