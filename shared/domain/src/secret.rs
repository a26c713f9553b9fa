//! Secrets that cannot be printed.
//!
//! A [`Secret`] has no `Debug`, `Display` or `Serialize`, so a struct that holds one cannot derive
//! them either: that is the point. The text is wiped when the value is dropped. `.expose()` is the one
//! place where a secret is spent; grep for it to audit.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text: an API key, a shared secret, a private key in PEM.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text as a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, at the point where it is spent.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares with a text from outside in time that does not depend on where they differ.
    pub fn matches(&self, candidate: &str) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}
