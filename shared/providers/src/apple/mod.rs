//! Apple in-app purchase (`docs/protocols/apple.md`): the store sells, and tells of it by signed objects.
//!
//! | file | what |
//! |---|---|
//! | `transaction` | a purchase as the store states it, whichever way it came |
//! | `receipt` | `verifyReceipt`, VK-Pay's way |
//! | `api` | the App Store Server API: transactions, and notifications that did not arrive |
//! | `notify` | App Store Server Notifications V2 |
//! | `examine` | whether the set-up is right, by harmless questions |

mod api;
mod config;
mod driver;
mod examine;
mod notify;
mod receipt;
mod transaction;

pub use self::config::AppleNode;
pub use api::{Mailbox, Missed};

use super::{CallError, Refusal};

fn refused<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: super::Meaning::No }))
}

/// Apple does not look at what it is asked: the set-up is wrong, and will be until somebody mends it.
fn set_up<T>(code: &str, message: &str) -> Result<T, CallError> {
    Err(CallError::Refused(Refusal {
        code: code.to_owned(),
        message: message.to_owned(),
        meaning: super::Meaning::Unheard,
    }))
}

/// One of Apple's hosts, or its place below `apiBase`.
fn host(node: &AppleNode, below: &str, apple: &str) -> String {
    node.api_base.as_ref().map_or_else(|| apple.to_owned(), |base| format!("{base}/{below}"))
}

/// A fresh `appAccountToken`: a random UUID (version 4), lower case.
pub(super) fn account_token() -> String {
    let mut bytes = crypto::random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
