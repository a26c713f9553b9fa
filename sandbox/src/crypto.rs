//! The providers' half of the cryptography. RSA, AES and HMAC come from aws-lc-rs; only MD5 does not.

use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey};
use aws_lc_rs::{aead, hmac, rand, rsa};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};

/// Standard base64 with padding.
pub(crate) fn b64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The inverse of [`b64`]; white space (PEM line ends) is skipped.
pub(crate) fn unb64(text: &str) -> Option<Vec<u8>> {
    let dense: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(dense).ok()
}

/// A PEM block with 64-column lines.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = b64(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// The DER of the first PEM block, or of bare base64.
pub(crate) fn der(text: &str) -> Option<Vec<u8>> {
    let inner = match text.split_once("-----BEGIN ") {
        None => text,
        Some((_, rest)) => rest.split_once("-----\n")?.1.split_once("-----END")?.0,
    };
    unb64(inner)
}

/// An RSA key pair that signs `SHA256withRSA` (PKCS#1 v1.5).
pub(crate) struct RsaKey(rsa::KeyPair);

impl RsaKey {
    pub(crate) fn generate() -> Self {
        Self(rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("the RSA generator works"))
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let der = der(text)?;
        rsa::KeyPair::from_pkcs8(&der).or_else(|_| rsa::KeyPair::from_der(&der)).ok().map(Self)
    }

    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a generated key is encodable");
        der.as_ref().to_vec()
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().expect("a generated key is encodable");
        der.as_ref().to_vec()
    }

    /// RSAES-OAEP with SHA-1, as sensitive fields are sealed (wechat.md 1.7).
    pub(crate) fn oaep_open(&self, sealed: &str) -> Option<Vec<u8>> {
        let key = rsa::PrivateDecryptingKey::from_pkcs8(&self.pkcs8()).ok()?;
        let key = rsa::OaepPrivateDecryptingKey::new(key).ok()?;
        let mut plain = vec![0; key.min_output_size()];
        let opened = key.decrypt(&rsa::OAEP_SHA1_MGF1SHA1, &unb64(sealed)?, &mut plain, None).ok()?;
        Some(opened.to_vec())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> String {
        let mut out = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message, &mut out).expect("an RSA-2048 key signs");
        b64(&out)
    }
}

/// True if `signature` (base64) is the key's over `message`; `spki` is DER.
pub(crate) fn verify(spki: &[u8], message: &[u8], signature: &str) -> bool {
    STANDARD.decode(signature).is_ok_and(|signature| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki).verify(message, &signature).is_ok()
    })
}

/// AEAD_AES_256_GCM: base64 of ciphertext and tag.
pub(crate) fn gcm_seal(key: &str, nonce: &str, associated: &str, plain: &[u8]) -> String {
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_bytes()).expect("a 32-byte APIv3 key");
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce.as_bytes()).expect("a 12-byte nonce");
    let mut data = plain.to_vec();
    aead::LessSafeKey::new(key)
        .seal_in_place_append_tag(nonce, aead::Aad::from(associated.as_bytes()), &mut data)
        .expect("a short message");
    b64(&data)
}

/// The inverse of [`gcm_seal`].
pub(crate) fn gcm_open(key: &str, nonce: &str, associated: &str, sealed: &str) -> Option<Vec<u8>> {
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_bytes()).ok()?;
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
    let mut data = unb64(sealed)?;
    let plain =
        aead::LessSafeKey::new(key).open_in_place(nonce, aead::Aad::from(associated.as_bytes()), &mut data).ok()?;
    Some(plain.to_vec())
}

/// AES-256-ECB with PKCS#7, key given as 32 bytes (WeChat `req_info`).
pub(crate) fn ecb_seal(key: &[u8], plain: &[u8]) -> String {
    let key = UnboundCipherKey::new(&AES_256, key).expect("32 bytes");
    let mut data = plain.to_vec();
    PaddedBlockEncryptingKey::ecb_pkcs7(key).and_then(|key| key.encrypt(&mut data)).expect("AES encrypts");
    b64(&data)
}

/// Seals for the holder of a key what [`RsaKey::oaep_open`] opens.
pub(crate) fn oaep_seal(spki: &[u8], plain: &[u8]) -> Option<String> {
    let key = rsa::PublicEncryptingKey::from_der(spki).ok()?;
    let key = rsa::OaepPublicEncryptingKey::new(key).ok()?;
    let mut sealed = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(&rsa::OAEP_SHA1_MGF1SHA1, plain, &mut sealed, None).ok()?;
    Some(b64(sealed))
}

/// The inverse of [`ecb_seal`].
/// SHA-256, lower-case hex.
pub(crate) fn sha256_hex(data: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data))
}

/// SHA-1, lower-case hex.
pub(crate) fn sha1_hex(data: &[u8]) -> String {
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, data))
}

#[cfg(test)]
pub(crate) fn ecb_open(key: &[u8], sealed: &str) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&AES_256, key).ok()?;
    let mut data = unb64(sealed)?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(key).ok()?;
    key.decrypt(&mut data, DecryptionContext::None).ok().map(|plain| plain.to_vec())
}

/// AES-128-CBC with a zero IV and PKCS#7 (Alipay content encryption); `key` is base64.
pub(crate) fn cbc_seal(key: &str, plain: &[u8]) -> Option<String> {
    let key = UnboundCipherKey::new(&AES_128, &unb64(key)?).ok()?;
    let mut data = plain.to_vec();
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?;
    key.less_safe_encrypt(&mut data, EncryptionContext::Iv128(FixedLength::from([0; 16]))).ok()?;
    Some(b64(&data))
}

/// The inverse of [`cbc_seal`].
pub(crate) fn cbc_open(key: &str, sealed: &str) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&AES_128, &unb64(key)?).ok()?;
    let mut data = unb64(sealed)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?;
    key.decrypt(&mut data, DecryptionContext::Iv128(FixedLength::from([0; 16]))).ok().map(|plain| plain.to_vec())
}

/// Lower-case hex MD5.
pub(crate) fn md5_hex(data: &[u8]) -> String {
    hex::encode(Md5::digest(data))
}

/// Lower-case hex HMAC-SHA256.
pub(crate) fn hmac_hex(key: &[u8], data: &[u8]) -> String {
    hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data))
}

/// `N` random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system has entropy");
    bytes
}

/// `length` random characters of `alphabet` (which must not be longer than 256).
pub(crate) fn random_text(length: usize, alphabet: &[u8]) -> String {
    let mut bytes = vec![0; length];
    rand::fill(&mut bytes).expect("the system has entropy");
    bytes.iter().map(|b| char::from(alphabet[usize::from(*b) % alphabet.len()])).collect()
}

/// Digits and letters.
pub(crate) const ALNUM: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits.
pub(crate) const DIGITS: &[u8] = b"0123456789";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_verifies_with_its_own_key_only() {
        let (one, two) = (RsaKey::generate(), RsaKey::generate());
        let signature = one.sign(b"message");
        assert!(verify(&one.spki(), b"message", &signature));
        assert!(!verify(&one.spki(), b"massage", &signature));
        assert!(!verify(&two.spki(), b"message", &signature));
        assert!(!verify(&one.spki(), b"message", "not base64"));
        let again = RsaKey::from_text(&pem("PRIVATE KEY", &one.pkcs8())).unwrap();
        assert_eq!(again.sign(b"message"), signature, "PKCS#1 v1.5 is deterministic");
    }

    #[test]
    fn a_sealed_field_opens_with_its_key_only() {
        let (one, two) = (RsaKey::generate(), RsaKey::generate());
        let public = rsa::PublicEncryptingKey::from_der(&one.spki()).unwrap();
        let public = rsa::OaepPublicEncryptingKey::new(public).unwrap();
        let mut sealed = vec![0; public.ciphertext_size()];
        public.encrypt(&rsa::OAEP_SHA1_MGF1SHA1, "张三".as_bytes(), &mut sealed, None).unwrap();
        assert_eq!(one.oaep_open(&b64(&sealed)).unwrap(), "张三".as_bytes());
        assert!(two.oaep_open(&b64(&sealed)).is_none());
    }

    /// wechatpay-php and SKIT publish these.
    #[test]
    fn published_ecb_texts_come_out_alike() {
        let key = b"0123456789abcdef0123456789abcdef";
        assert_eq!(ecb_seal(key, b"hello"), "pZwJZBLuy3mDACEQT4YTBw==");
        assert_eq!(ecb_seal(b"01234567890abcdefedcba9876543210", b"SKIT is great!"), "l/aL5GyVfl/tw3Lww6GvCQ==");
    }

    #[test]
    fn ciphers_round_trip() {
        let key = "0123456789abcdef0123456789abcdef";
        let sealed = gcm_seal(key, "abcdefghijkl", "transaction", "支付".as_bytes());
        assert_eq!(gcm_open(key, "abcdefghijkl", "transaction", &sealed).unwrap(), "支付".as_bytes());
        assert!(gcm_open(key, "abcdefghijkl", "refund", &sealed).is_none());
        let sealed = ecb_seal(key.as_bytes(), b"<root/>");
        assert_eq!(ecb_open(key.as_bytes(), &sealed).unwrap(), b"<root/>");
        let key = b64(b"0123456789abcdef");
        let sealed = cbc_seal(&key, b"{}").unwrap();
        assert_eq!(cbc_open(&key, &sealed).unwrap(), b"{}");
    }
}
