//! Where tokens are kept that instances share.

use super::UnixMs;
use futures::future::BoxFuture;
use thiserror::Error;

/// Where sealed texts are kept. The table is one.
pub trait TokenStore: Send + Sync {
    /// The sealed text of a name, and until when it is good.
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<(String, UnixMs)>, TokenStoreError>>;

    /// Keeps a sealed text until a time.
    fn save<'a>(&'a self, name: &'a str, sealed: &'a str, until: UnixMs) -> BoxFuture<'a, Result<(), TokenStoreError>>;

    /// Takes the right to renew a name until a time; false when somebody else has it at `now`.
    fn claim<'a>(&'a self, name: &'a str, now: UnixMs, until: UnixMs) -> BoxFuture<'a, Result<bool, TokenStoreError>>;
}

/// The store cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("what instances share cannot be reached: {0}")]
pub struct TokenStoreError(pub String);
