//! RSA: PKCS#1 v1.5 signatures with SHA-256, and OAEP for single fields.

use super::cert::Certificate;
use super::pem::{Kind, der_of};
use super::{CryptoError, base64, from_base64};
use aws_lc_rs::rsa::{
    KeyPair, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey,
    PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use std::sync::Arc;

/// A private RSA key of 2048 to 8192 bits. It cannot be printed or written out.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<KeyPair>,
    pkcs8: Arc<zeroize::Zeroizing<Vec<u8>>>,
}

impl PrivateKey {
    /// Reads a key as the providers' tools write it: PKCS#8 or PKCS#1, in PEM or as bare base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("RSA private key");
        let der = der_of(text, Kind::PrivateKey).map_err(|error| error.or(BAD))?;
        if let Ok(pair) = KeyPair::from_pkcs8(&der) {
            return Ok(Self { pair: Arc::new(pair), pkcs8: Arc::new(der) });
        }
        let pair = KeyPair::from_der(&der).map_err(|_| match PublicKey::from_der(&der) {
            Ok(_) => CryptoError::Mistaken("is a public key; the private key belongs here"),
            Err(_) => BAD,
        })?;
        Ok(Self { pair: Arc::new(pair), pkcs8: Arc::new(zeroize::Zeroizing::new(pkcs8_of_pkcs1(&der))) })
    }

    /// Signs a message: RSASSA-PKCS1-v1_5 with SHA-256, standard base64.
    ///
    /// # Errors
    /// [`CryptoError::Sign`].
    pub fn sign(&self, message: &[u8]) -> Result<String, CryptoError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &aws_lc_rs::rand::SystemRandom::new(), message, &mut signature)
            .map_err(|_| CryptoError::Sign)?;
        Ok(base64(&signature))
    }

    /// Signs a message: RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, standard base64.
    ///
    /// # Errors
    /// [`CryptoError::Sign`]: also a key that is too short for the salt.
    pub fn sign_pss(&self, message: &[u8]) -> Result<String, CryptoError> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PSS_SHA256, &aws_lc_rs::rand::SystemRandom::new(), message, &mut signature)
            .map_err(|_| CryptoError::Sign)?;
        Ok(base64(&signature))
    }

    /// Decrypts an OAEP field (SHA-1, MGF1-SHA-1, empty label), given in base64.
    ///
    /// # Errors
    /// [`CryptoError::Encoding`] for what is no base64, [`CryptoError::Decrypt`] for what was sealed to another key.
    pub fn decrypt_oaep(&self, ciphertext: &str) -> Result<Vec<u8>, CryptoError> {
        let key = PrivateDecryptingKey::from_pkcs8(&self.pkcs8).map_err(|_| CryptoError::Decrypt)?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::Decrypt)?;
        let mut out = vec![0; key.min_output_size()];
        let plain = key
            .decrypt(&OAEP_SHA1_MGF1SHA1, &from_base64(ciphertext)?, &mut out, None)
            .map_err(|_| CryptoError::Decrypt)?;
        Ok(plain.to_vec())
    }

    /// True when this private key belongs to that public key.
    pub fn belongs_to(&self, public: &PublicKey) -> bool {
        self.public_spki().is_ok_and(|own| own == *public.spki)
    }

    /// The public half, as SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`CryptoError::Key`].
    pub fn public_spki(&self) -> Result<Vec<u8>, CryptoError> {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> =
            self.pair.public_key().as_der().map_err(|_| CryptoError::Key("RSA private key"))?;
        Ok(der.as_ref().to_vec())
    }

    /// A symmetric key of 32 bytes that follows from this private key, another for each label.
    pub fn derived_key(&self, label: &str) -> [u8; 32] {
        super::hash::hmac_sha256(&self.pkcs8, label.as_bytes())
    }

    /// PKCS#8 in PEM, for a TLS client identity.
    pub fn to_pkcs8_pem(&self) -> zeroize::Zeroizing<String> {
        let body = zeroize::Zeroizing::new(base64(&self.pkcs8));
        zeroize::Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *body))
    }
}

/// Wraps a PKCS#1 `RSAPrivateKey` in PKCS#8: version 0, rsaEncryption with NULL, the key as octets.
fn pkcs8_of_pkcs1(pkcs1: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let length = |n: usize| -> Vec<u8> {
        match n {
            0..=0x7f => vec![n as u8],
            0x80..=0xff => vec![0x81, n as u8],
            _ => vec![0x82, (n >> 8) as u8, n as u8],
        }
    };
    let mut inner = vec![0x02, 0x01, 0x00];
    inner.extend(RSA_ENCRYPTION);
    inner.push(0x04);
    inner.extend(length(pkcs1.len()));
    inner.extend(pkcs1);
    let mut outer = vec![0x30];
    outer.extend(length(inner.len()));
    outer.extend(inner);
    outer
}

/// A public RSA key of 2048 to 8192 bits, parsed once, for verification and for encrypting single fields.
#[derive(Clone)]
pub struct PublicKey {
    key: Arc<ParsedPublicKey>,
    spki: Arc<Vec<u8>>,
}

impl PublicKey {
    /// Reads a public key: SubjectPublicKeyInfo or PKCS#1, or the key of a certificate, in PEM or as bare base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("RSA public key");
        let der = der_of(text, Kind::PublicKey).map_err(|error| error.or(BAD))?;
        if let Ok(key) = Self::from_der(&der) {
            return Ok(key);
        }
        if let Ok(certificate) = Certificate::parse(text) {
            return Self::of_certificate(&certificate);
        }
        match KeyPair::from_pkcs8(&der).is_ok() || KeyPair::from_der(&der).is_ok() {
            true => Err(CryptoError::Mistaken("is a private key; the public key belongs here")),
            false => Err(BAD),
        }
    }

    /// The key of a certificate.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when the certificate holds another kind of key.
    pub fn of_certificate(certificate: &Certificate) -> Result<Self, CryptoError> {
        Self::from_der(&certificate.spki()?)
    }

    /// Reads a public key from DER: SubjectPublicKeyInfo or PKCS#1.
    ///
    /// # Errors
    /// [`CryptoError::Key`]: also under 2048 bits.
    pub fn from_der(der: &[u8]) -> Result<Self, CryptoError> {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        const BAD: CryptoError = CryptoError::Key("RSA public key");
        let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(|_| BAD)?;
        let public = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| BAD)?;
        let spki: PublicKeyX509Der<'_> = public.as_der().map_err(|_| BAD)?;
        // The parsers take any size; this one refuses what nothing could be verified with.
        PublicEncryptingKey::from_der(spki.as_ref()).map_err(|_| BAD)?;
        Ok(Self { key: Arc::new(key), spki: Arc::new(spki.as_ref().to_vec()) })
    }

    /// Verifies a base64 signature (RSASSA-PKCS1-v1_5, SHA-256). What does not decode is not a signature.
    pub fn verify(&self, message: &[u8], signature: &str) -> bool {
        use base64::Engine;
        match base64::engine::general_purpose::STANDARD.decode(signature) {
            Ok(signature) => self.key.verify_sig(message, &signature).is_ok(),
            Err(_) => false,
        }
    }

    /// Encrypts one field with OAEP (SHA-1, MGF1-SHA-1, empty label), standard base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`]: also when the text is too long for the key.
    pub fn encrypt_oaep(&self, plaintext: &[u8]) -> Result<String, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("RSA public key");
        let key = PublicEncryptingKey::from_der(&self.spki).map_err(|_| BAD)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| BAD)?;
        let mut out = vec![0; key.ciphertext_size()];
        let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut out, None).map_err(|_| BAD)?;
        Ok(base64(sealed))
    }
}
