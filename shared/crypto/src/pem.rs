//! PEM, and what people make of it on its way into a configuration.
//!
//! Accepted beside a plain PEM text: a byte order mark before it, quotes around it, line ends written as `\n`, the
//! whole text in base64, and a text of several blocks with other lines between them, as `openssl pkcs12` writes
//! (`Bag Attributes`, the certificate, its chain, the key). Of several blocks the first of the right kind counts.

use super::{CryptoError, from_base64};
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";

/// What is looked for in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A private key without a pass phrase.
    PrivateKey,
    /// A public key, or the certificate of one.
    PublicKey,
    /// A certificate.
    Certificate,
}

/// One block of a text.
struct Block {
    label: String,
    /// A private key under a pass phrase.
    encrypted: bool,
    der: Zeroizing<Vec<u8>>,
}

impl Block {
    fn is(&self, kind: Kind) -> bool {
        match kind {
            Kind::PrivateKey => self.label.ends_with("PRIVATE KEY") && !self.encrypted,
            Kind::PublicKey => self.label.ends_with("PUBLIC KEY"),
            Kind::Certificate => self.label.ends_with("CERTIFICATE"),
        }
    }
}

/// The text as it was meant: without byte order mark and quotes, with real line ends, out of base64 when it is the
/// base64 of a PEM text.
fn meant(text: &str) -> Zeroizing<String> {
    let plain = unescaped(text);
    if !plain.contains(BEGIN)
        && let Ok(bytes) = from_base64(&plain).map(Zeroizing::new)
        && let Ok(inner) = std::str::from_utf8(&bytes)
        && inner.contains(BEGIN)
    {
        return unescaped(inner);
    }
    plain
}

/// Neither PEM nor base64 has a backslash of its own, so each is part of a line end that was written out.
fn unescaped(text: &str) -> Zeroizing<String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '"' | '\''));
    let mut plain = Zeroizing::new(String::with_capacity(text.len()));
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\\' => escaped = true,
            'n' | 'r' if escaped => {
                escaped = false;
                plain.push('\n');
            }
            c => {
                escaped = false;
                plain.push(c);
            }
        }
    }
    plain
}

/// The blocks of a text in its order; blocks that do not decode are left out.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(BEGIN) {
        let after = &rest[start + BEGIN.len()..];
        let Some(label_end) = after.find("-----") else { break };
        let body = &after[label_end + 5..];
        let Some(body_end) = body.find("-----END ") else { break };
        let label = after[..label_end].trim().to_owned();
        // The old way to encrypt has header lines before the base64.
        let encrypted = label.starts_with("ENCRYPTED") || body[..body_end].contains("ENCRYPTED");
        match from_base64(&body[..body_end]) {
            Ok(der) => blocks.push(Block { label, encrypted, der: Zeroizing::new(der) }),
            Err(_) if encrypted => blocks.push(Block { label, encrypted, der: Zeroizing::default() }),
            Err(_) => {}
        }
        rest = &body[body_end..];
    }
    blocks
}

/// The DER bytes of the first block of a kind, or of bare base64. A text whose only blocks have other labels
/// gives the first of them, unless they are well known for something else.
///
/// # Errors
/// [`CryptoError::Encoding`], or [`CryptoError::Mistaken`] with what the text is instead.
pub(crate) fn der_of(text: &str, kind: Kind) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let text = meant(text);
    let mut blocks = blocks(&text);
    if blocks.is_empty() {
        return match text.contains(BEGIN) {
            true => Err(CryptoError::Encoding("PEM")),
            false => from_base64(&text).map(Zeroizing::new),
        };
    }
    let found = blocks.iter().position(|block| block.is(kind)).or_else(|| match kind {
        Kind::PublicKey => blocks.iter().position(|block| block.is(Kind::Certificate)),
        Kind::PrivateKey | Kind::Certificate => None,
    });
    match found {
        Some(at) => Ok(blocks.swap_remove(at).der),
        None => match mistaken(&blocks, kind) {
            Some(what) => Err(CryptoError::Mistaken(what)),
            None => Ok(blocks.swap_remove(0).der),
        },
    }
}

/// What a text without a block of the right kind is instead.
fn mistaken(blocks: &[Block], kind: Kind) -> Option<&'static str> {
    let has = |kind| blocks.iter().any(|block| block.is(kind));
    match kind {
        Kind::PrivateKey if blocks.iter().any(|block| block.encrypted) => {
            Some("is under a pass phrase; write it out without one (openssl pkey -in old.pem -out new.pem)")
        }
        Kind::PrivateKey if has(Kind::Certificate) => Some("is a certificate; the private key belongs here"),
        Kind::PrivateKey if has(Kind::PublicKey) => Some("is a public key; the private key belongs here"),
        Kind::PublicKey if has(Kind::PrivateKey) => Some("is a private key; the public key belongs here"),
        Kind::Certificate if has(Kind::PrivateKey) => Some("is a private key; the certificate belongs here"),
        Kind::Certificate if has(Kind::PublicKey) => Some("is a public key; the certificate belongs here"),
        _ => None,
    }
}

/// The DER bytes of every block of a kind, in their order; of bare base64 the one.
pub(crate) fn all_of(text: &str, kind: Kind) -> Vec<Vec<u8>> {
    let text = meant(text);
    let blocks = blocks(&text);
    if blocks.is_empty() && !text.contains(BEGIN) {
        return from_base64(&text).into_iter().collect();
    }
    blocks.iter().filter(|block| block.is(kind)).map(|block| block.der.to_vec()).collect()
}
