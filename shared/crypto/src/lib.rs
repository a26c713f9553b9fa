//! Signatures, ciphers, hashes and certificate facts: the only module that names a crypto crate.
//!
//! Private-key operations and every verification are `aws-lc-rs` (constant time, and already linked by
//! TLS). Symmetric ciphers and hashes are RustCrypto. Nothing here knows what is signed: what bytes a
//! provider signs is composed in that provider's module.

pub mod aes;
pub mod cert;
pub mod hash;
pub mod jws;
pub mod jwt;
pub(crate) mod pem;
pub mod rsa;
pub mod sm2;

use thiserror::Error;

/// Why a key could not be read, a text not decrypted, or a signature not accepted.
///
/// The texts say what is wrong with the shape of the input and never repeat any part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CryptoError {
    /// The text is not a key of the kind that is needed.
    #[error("is not a usable {0}")]
    Key(&'static str),
    /// The text is not a certificate.
    #[error("is not an X.509 certificate")]
    Certificate,
    /// The text is not base64 or hex, or has the wrong length.
    #[error("is not well-formed {0}")]
    Encoding(&'static str),
    /// The ciphertext does not decrypt under this key: wrong key or altered text.
    #[error("does not decrypt")]
    Decrypt,
    /// The text is readable, and is another thing than the one that is needed.
    #[error("{0}")]
    Mistaken(&'static str),
    /// The numbers of a private key do not belong together.
    #[error("is a damaged private key: its numbers do not belong together")]
    Damaged,
    /// A private-key operation failed.
    #[error("cannot be signed")]
    Sign,
}

impl CryptoError {
    /// This error where it says what the text is instead, else another.
    pub const fn or(self, other: Self) -> Self {
        match self {
            Self::Mistaken(_) => self,
            _ => other,
        }
    }
}

/// Random bytes from the operating system, by way of aws-lc.
///
/// # Panics
/// When the operating system has no randomness to give, which no payment may survive.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// A nonce of 32 upper-case hex digits, as the providers' own SDKs send.
pub fn nonce() -> String {
    hex::encode_upper(random::<16>())
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// Decodes standard base64; white space inside is skipped, as PEM bodies and consoles have it.
///
/// # Errors
/// [`CryptoError::Encoding`].
pub fn from_base64(text: &str) -> Result<Vec<u8>, CryptoError> {
    use base64::Engine;
    let compact: String = text.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(compact).map_err(|_| CryptoError::Encoding("base64"))
}
