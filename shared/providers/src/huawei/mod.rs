//! Huawei: Payment Kit and IAP Kit of HarmonyOS (`docs/protocols/huawei.md`).
//!
//! Requests are signed with RSASSA-PSS, answers and callbacks with SM2 whatever the merchant uses. An attempt
//! that names a product is one of IAP Kit.

mod call;
mod canonical;
mod config;
mod driver;
mod event;
mod examine;
mod iap;
mod notify;
mod pay;

pub use self::config::{HuaweiNode, IapKit, PaymentKit};
pub use canonical::canonical;

use super::{CallError, Meaning, Refusal};
use domain::Attempt;

/// True for an attempt in IAP Kit, which names a product.
pub(super) fn is_iap(attempt: &Attempt) -> bool {
    attempt.goods.contains_key("product_id")
}

fn unconfigured<T>() -> Result<T, CallError> {
    refused("CONFIG", "the node has no keys of Payment Kit")
}

/// Huawei does not look at what it is asked: the set-up is wrong, and will be until somebody mends it.
fn set_up<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::Unheard }))
}

fn refused<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::No }))
}
