//! Signatures, ciphers, hashes and certificate facts: the only module that names a crypto crate.
//!
//! Private-key operations and every verification are `aws-lc-rs` (constant time, and already linked by
//! TLS). Symmetric ciphers and hashes are RustCrypto. Nothing here knows what is signed: what bytes a
//! provider signs is composed in that provider's module.

pub mod aes;
pub mod cert;
pub mod hash;
pub mod jws;
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
    /// A private-key operation failed.
    #[error("cannot be signed")]
    Sign,
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
pub fn from_base64(text: &str) -> Result<Vec<u8>, CryptoError> {
    use base64::Engine;
    let compact: String = text.split_ascii_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(compact).map_err(|_| CryptoError::Encoding("base64"))
}

/// The DER bytes of a PEM block, of bare base64, in either case with surrounding white space.
/// Of several PEM blocks the first counts.
pub(crate) fn der_of(text: &str) -> Result<Vec<u8>, CryptoError> {
    match pem_blocks(text).into_iter().next() {
        Some(block) => Ok(block),
        None if text.contains("-----BEGIN") => Err(CryptoError::Encoding("PEM")),
        None => from_base64(text.trim_start_matches('\u{feff}')),
    }
}

/// The DER bytes of each PEM block in a text, in its order; blocks that do not decode are skipped.
pub fn pem_blocks(text: &str) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        let after = &rest[start..];
        let Some(head_end) = after[11..].find("-----").map(|i| i + 16) else { break };
        let Some(body_end) = after[head_end..].find("-----END ").map(|i| i + head_end) else { break };
        if let Ok(der) = from_base64(&after[head_end..body_end]) {
            blocks.push(der);
        }
        rest = &after[body_end + 9..];
    }
    blocks
}
