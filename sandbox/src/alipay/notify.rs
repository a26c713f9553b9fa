//! Callbacks as Alipay writes them.
use crate::callbacks::{Notice, SignedRequest};
use crate::crypto::RsaKey;
use crate::keys::Merchant;
pub(crate) fn form(notice: &Notice<'_>, _: &Merchant, _: i64) -> SignedRequest {
    SignedRequest {
        method: "POST".into(),
        url: notice.url.into(),
        headers: vec![],
        body: String::new(),
    }
}
pub(crate) fn sign_fields(_: &mut Vec<(String, String)>, _: &RsaKey) {}
