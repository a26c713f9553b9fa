//! AES: VK-Pay's two modes for handler data, and the providers' own uses.
//!
//! [`encrypt`] and [`decrypt`] are `vkPay.crypto.aes` (`docs/protocols/vkpay.md#aes`), byte-compatible with
//! Node's `createCipher('aes192', key)`, and with Java's and PHP's `AES/ECB/PKCS5Padding`. Neither mode
//! has integrity of its own: whoever decrypts must still check what the text says.

use super::{CryptoError, base64, from_base64};
use ::aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use md5::{Digest, Md5};

/// One of VK-Pay's two modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// AES-192-CBC, key and IV by `EVP_BytesToKey` (MD5, one round, no salt), lower-case hex.
    Aes192,
    /// AES-256-ECB under the first 32 bytes of the key, base64.
    Aes256Ecb,
}

/// Encrypts a text under a pass phrase (`notifyKey`) in one of VK-Pay's modes.
///
/// # Errors
/// [`CryptoError::Key`] when `Aes256Ecb` gets a key of fewer than 32 bytes.
pub fn encrypt(mode: Mode, key: &str, plaintext: &[u8]) -> Result<String, CryptoError> {
    match mode {
        Mode::Aes192 => {
            let (key, iv) = evp_bytes_to_key(key.as_bytes());
            let sealed = cbc::Encryptor::<Aes192>::new(&key.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(plaintext);
            Ok(hex::encode(sealed))
        }
        Mode::Aes256Ecb => Ok(base64(&ecb256_encrypt(&key_32(key)?, plaintext))),
    }
}

/// Decrypts what [`encrypt`] made, in the same mode and under the same key.
///
/// # Errors
/// [`CryptoError::Encoding`] when the text is not hex or base64, [`CryptoError::Decrypt`] when it does
/// not decrypt.
pub fn decrypt(mode: Mode, key: &str, ciphertext: &str) -> Result<Vec<u8>, CryptoError> {
    match mode {
        Mode::Aes192 => {
            let sealed = hex::decode(ciphertext).map_err(|_| CryptoError::Encoding("hex"))?;
            let (key, iv) = evp_bytes_to_key(key.as_bytes());
            cbc::Decryptor::<Aes192>::new(&key.into(), &iv.into())
                .decrypt_padded_vec::<Pkcs7>(&sealed)
                .map_err(|_| CryptoError::Decrypt)
        }
        Mode::Aes256Ecb => ecb256_decrypt(&key_32(key)?, &from_base64(ciphertext)?),
    }
}

fn key_32(key: &str) -> Result<[u8; 32], CryptoError> {
    key.as_bytes().get(..32).and_then(|k| k.try_into().ok()).ok_or(CryptoError::Key("key of 32 bytes"))
}

/// OpenSSL's `EVP_BytesToKey` with MD5, one round and no salt: 24 bytes of key, then 16 of IV.
fn evp_bytes_to_key(pass: &[u8]) -> ([u8; 24], [u8; 16]) {
    let mut stream = Vec::with_capacity(48);
    let mut last: Vec<u8> = Vec::new();
    while stream.len() < 40 {
        let mut hasher = Md5::new();
        hasher.update(&last);
        hasher.update(pass);
        last = hasher.finalize().to_vec();
        stream.extend_from_slice(&last);
    }
    let mut key = [0; 24];
    let mut iv = [0; 16];
    key.copy_from_slice(&stream[..24]);
    iv.copy_from_slice(&stream[24..40]);
    (key, iv)
}

fn ecb256_encrypt(key: &[u8; 32], plaintext: &[u8]) -> Vec<u8> {
    ecb::Encryptor::<Aes256>::new(key.into()).encrypt_padded_vec::<Pkcs7>(plaintext)
}

/// AES-256-ECB with PKCS#7, as in the `req_info` of WeChat Pay's v2 refund callback.
///
/// # Errors
/// [`CryptoError::Decrypt`]: a wrong key, length or padding.
pub fn ecb256_decrypt(key: &[u8; 32], ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
    ecb::Decryptor::<Aes256>::new(key.into()).decrypt_padded_vec::<Pkcs7>(ciphertext).map_err(|_| CryptoError::Decrypt)
}

/// Opens AEAD_AES_256_GCM as WeChat Pay's v3 sends it: `ciphertext` is base64 of text and 16-byte tag,
/// `nonce` the 12 bytes of a text.
///
/// # Errors
/// Every wrong length and every failed tag is an error, never a panic.
pub fn open_gcm(key: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &str) -> Result<Vec<u8>, CryptoError> {
    let cipher = Aes256Gcm::new_from_slice(key).map_err(|_| CryptoError::Key("key of 32 bytes"))?;
    let nonce: [u8; 12] = nonce.try_into().map_err(|_| CryptoError::Encoding("nonce of 12 bytes"))?;
    let sealed = from_base64(ciphertext)?;
    cipher.decrypt(&Nonce::from(nonce), Payload { msg: &sealed, aad }).map_err(|_| CryptoError::Decrypt)
}

/// Seals with AES-256-GCM under a fresh nonce; the answer is base64 of nonce, text and tag.
pub fn seal_gcm(key: &[u8; 32], aad: &[u8], plaintext: &[u8]) -> String {
    let nonce: [u8; 12] = super::random();
    let cipher = Aes256Gcm::new(key.into());
    let sealed = cipher
        .encrypt(&Nonce::from(nonce), Payload { msg: plaintext, aad })
        .expect("AES-GCM seals anything shorter than 64 GiB");
    base64(&[nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal_gcm`] sealed.
///
/// # Errors
/// [`CryptoError::Encoding`] when it is not base64 of that shape, [`CryptoError::Decrypt`] when it does not open.
pub fn unseal_gcm(key: &[u8; 32], aad: &[u8], sealed: &str) -> Result<Vec<u8>, CryptoError> {
    let bytes = from_base64(sealed)?;
    let (nonce, sealed) = bytes.split_first_chunk::<12>().ok_or(CryptoError::Encoding("nonce of 12 bytes"))?;
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad }).map_err(|_| CryptoError::Decrypt)
}

/// Opens AES-256-CBC whose IV is the key's first half, and takes PKCS#7 padding of up to 32 bytes off, as
/// WeChat's message push has it.
///
/// # Errors
/// [`CryptoError::Decrypt`] for a wrong length or padding.
pub fn cbc256_decrypt(key: &[u8; 32], sealed: &[u8]) -> Result<Vec<u8>, CryptoError> {
    use cbc::cipher::block_padding::NoPadding;
    let iv: [u8; 16] = key[..16].try_into().expect("half of 32 bytes");
    let mut plain = cbc::Decryptor::<Aes256>::new(key.into(), &iv.into())
        .decrypt_padded_vec::<NoPadding>(sealed)
        .map_err(|_| CryptoError::Decrypt)?;
    let pad = usize::from(*plain.last().ok_or(CryptoError::Decrypt)?);
    let text = plain.len().checked_sub(pad).filter(|_| (1..=32).contains(&pad)).ok_or(CryptoError::Decrypt)?;
    if plain[text..].iter().any(|byte| usize::from(*byte) != pad) {
        return Err(CryptoError::Decrypt);
    }
    plain.truncate(text);
    Ok(plain)
}

/// The 32 bytes of WeChat's `EncodingAESKey`: 43 characters of base64 without padding.
pub fn encoding_aes_key(text: &str) -> Option<[u8; 32]> {
    use base64::Engine;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let config = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone);
    let engine = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    (text.len() == 43).then(|| engine.decode(text).ok()?.try_into().ok()).flatten()
}

/// AES-128-CBC with a zero IV and PKCS#7, base64: Alipay's content encryption (`encrypt_type=AES`).
pub fn cbc128_encrypt(key: &[u8; 16], plaintext: &[u8]) -> String {
    base64(&cbc::Encryptor::<Aes128>::new(key.into(), &[0; 16].into()).encrypt_padded_vec::<Pkcs7>(plaintext))
}

/// Opens what [`cbc128_encrypt`] sealed.
///
/// # Errors
/// [`CryptoError::Encoding`] for what is no base64, [`CryptoError::Decrypt`] for a wrong key, length or padding.
pub fn cbc128_decrypt(key: &[u8; 16], ciphertext: &str) -> Result<Vec<u8>, CryptoError> {
    cbc::Decryptor::<Aes128>::new(key.into(), &[0; 16].into())
        .decrypt_padded_vec::<Pkcs7>(&from_base64(ciphertext)?)
        .map_err(|_| CryptoError::Decrypt)
}
