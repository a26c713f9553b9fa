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
use std::sync::{Arc, OnceLock};
use x509_cert::der::asn1::{ObjectIdentifier, OctetStringRef, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};

/// A private RSA key of 2048 to 8192 bits. It cannot be printed or written out.
///
/// Whether its numbers belong together takes aws-lc a millisecond of arithmetic, which most starts of a function never
/// need. So [`PrivateKey::parse`] reads the key's form and its public half, and the first use checks the rest.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<OnceLock<Option<KeyPair>>>,
    pkcs8: Arc<zeroize::Zeroizing<Vec<u8>>>,
    spki: Arc<Vec<u8>>,
    /// Where it was read, for the log.
    place: Arc<str>,
}

impl PrivateKey {
    /// Reads a key as the providers' tools write it: PKCS#8 or PKCS#1, in PEM or as bare base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        Self::parse_from(text, "a private key")
    }

    /// The same with the place that it was read from, which the log names should the key turn out to be damaged.
    ///
    /// # Errors
    /// [`CryptoError::Key`], or what else the text is ([`CryptoError::Mistaken`]).
    pub fn parse_from(text: &str, place: &str) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("RSA private key");
        let der = der_of(text, Kind::PrivateKey).map_err(|error| error.or(BAD))?;
        let place = Arc::from(place);
        if let Some((pkcs8, public)) = outline(&der) {
            let public = PublicKey::from_der(&public)?;
            return Ok(Self { pair: Arc::default(), pkcs8: Arc::new(pkcs8), spki: public.spki, place });
        }
        // Of an unusual form, or no private key: aws-lc says which.
        let pair =
            KeyPair::from_pkcs8(&der).or_else(|_| KeyPair::from_der(&der)).map_err(|_| {
                match PublicKey::from_der(&der) {
                    Ok(_) => CryptoError::Mistaken("is a public key; the private key belongs here"),
                    Err(_) => BAD,
                }
            })?;
        let spki = Arc::new(spki_of(&pair)?);
        let pkcs8 = match KeyPair::from_pkcs8(&der) {
            Ok(_) => der,
            Err(_) => zeroize::Zeroizing::new(pkcs8_of_pkcs1(&der)),
        };
        Ok(Self { pair: Arc::new(OnceLock::from(Some(pair))), pkcs8: Arc::new(pkcs8), spki, place })
    }

    /// Checks that its numbers belong together, which every use does too. It is calculated once.
    ///
    /// # Errors
    /// [`CryptoError::Damaged`].
    pub fn check(&self) -> Result<(), CryptoError> {
        self.pair().map(|_| ())
    }

    /// Where it was read, as a path in the configuration.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The key, checked.
    fn pair(&self) -> Result<&KeyPair, CryptoError> {
        let pair = self.pair.get_or_init(|| {
            let pair = KeyPair::from_pkcs8(&self.pkcs8).ok();
            if pair.is_none() {
                let place = &*self.place;
                tracing::error!("{place}: {}; nothing can be signed with it", CryptoError::Damaged);
            }
            pair
        });
        pair.as_ref().ok_or(CryptoError::Damaged)
    }

    /// Signs a message: RSASSA-PKCS1-v1_5 with SHA-256, standard base64.
    ///
    /// # Errors
    /// [`CryptoError::Damaged`], [`CryptoError::Sign`].
    pub fn sign(&self, message: &[u8]) -> Result<String, CryptoError> {
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &aws_lc_rs::rand::SystemRandom::new(), message, &mut signature)
            .map_err(|_| CryptoError::Sign)?;
        Ok(base64(&signature))
    }

    /// Signs a message: RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, standard base64.
    ///
    /// # Errors
    /// [`CryptoError::Damaged`], [`CryptoError::Sign`]: also a key that is too short for the salt.
    pub fn sign_pss(&self, message: &[u8]) -> Result<String, CryptoError> {
        let pair = self.pair()?;
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PSS_SHA256, &aws_lc_rs::rand::SystemRandom::new(), message, &mut signature)
            .map_err(|_| CryptoError::Sign)?;
        Ok(base64(&signature))
    }

    /// Decrypts an OAEP field (SHA-1, MGF1-SHA-1, empty label), given in base64.
    ///
    /// # Errors
    /// [`CryptoError::Damaged`], [`CryptoError::Encoding`] for what is no base64, [`CryptoError::Decrypt`] for what was sealed to another key.
    pub fn decrypt_oaep(&self, ciphertext: &str) -> Result<Vec<u8>, CryptoError> {
        let key = PrivateDecryptingKey::from_pkcs8(&self.pkcs8)
            .map_err(|_| self.pair().err().unwrap_or(CryptoError::Decrypt))?;
        let key = OaepPrivateDecryptingKey::new(key).map_err(|_| CryptoError::Decrypt)?;
        let mut out = vec![0; key.min_output_size()];
        let plain = key
            .decrypt(&OAEP_SHA1_MGF1SHA1, &from_base64(ciphertext)?, &mut out, None)
            .map_err(|_| CryptoError::Decrypt)?;
        Ok(plain.to_vec())
    }

    /// True when this private key belongs to that public key.
    pub fn belongs_to(&self, public: &PublicKey) -> bool {
        self.spki == public.spki
    }

    /// The public half, as SubjectPublicKeyInfo.
    pub fn public_spki(&self) -> &[u8] {
        &self.spki
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

fn spki_of(pair: &KeyPair) -> Result<Vec<u8>, CryptoError> {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| CryptoError::Key("RSA private key"))?;
    Ok(der.as_ref().to_vec())
}

/// A key of the usual form, as PKCS#8, with its public half as PKCS#1; `None` for everything else, good or bad.
fn outline(der: &[u8]) -> Option<(zeroize::Zeroizing<Vec<u8>>, Vec<u8>)> {
    match pkcs1_in_pkcs8(der) {
        Ok(pkcs1) => Some((zeroize::Zeroizing::new(der.to_vec()), public_of_pkcs1(pkcs1).ok()?)),
        Err(_) => {
            let public = public_of_pkcs1(der).ok()?;
            Some((zeroize::Zeroizing::new(pkcs8_of_pkcs1(der)), public))
        }
    }
}

/// The `RSAPrivateKey` in a `PrivateKeyInfo` of RFC 5208: version 0, rsaEncryption with NULL, nothing behind it.
fn pkcs1_in_pkcs8(der: &[u8]) -> der::Result<&[u8]> {
    const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
    let mut reader = SliceReader::new(der)?;
    let key = reader.sequence(|info| {
        let version = u8::decode(info)?;
        let algorithm = info.sequence(|algorithm| {
            let oid = ObjectIdentifier::decode(algorithm)?;
            der::asn1::Null::decode(algorithm)?;
            Ok::<_, der::Error>(oid)
        })?;
        let key = <&OctetStringRef>::decode(info)?;
        match version == 0 && algorithm == RSA_ENCRYPTION {
            true => Ok(key.as_bytes()),
            false => Err(der::Error::from(der::ErrorKind::Failed)),
        }
    })?;
    reader.finish()?;
    Ok(key)
}

/// The public half of an `RSAPrivateKey` with two primes whose eight numbers are all there, as `RSAPublicKey`.
fn public_of_pkcs1(der: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(der)?;
    let public = reader.sequence(|key| {
        let version = u8::decode(key)?;
        let mut public = Vec::new();
        let mut there = version == 0;
        for place in 0..8 {
            let number = UintRef::decode(key)?;
            there &= number.as_bytes().iter().any(|byte| *byte != 0);
            // The modulus and the public exponent.
            if place < 2 {
                number.encode_to_vec(&mut public)?;
            }
        }
        if there { Ok(public) } else { Err(der::Error::from(der::ErrorKind::Failed)) }
    })?;
    reader.finish()?;
    let mut out = vec![0x30];
    out.extend(der_length(public.len()));
    out.extend(public);
    Ok(out)
}

/// A length as DER writes it, below 64 KiB.
fn der_length(n: usize) -> Vec<u8> {
    match n {
        0..=0x7f => vec![n as u8],
        0x80..=0xff => vec![0x81, n as u8],
        _ => vec![0x82, (n >> 8) as u8, n as u8],
    }
}

/// Wraps a PKCS#1 `RSAPrivateKey` in PKCS#8: version 0, rsaEncryption with NULL, the key as octets.
fn pkcs8_of_pkcs1(pkcs1: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] =
        [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let mut inner = vec![0x02, 0x01, 0x00];
    inner.extend(RSA_ENCRYPTION);
    inner.push(0x04);
    inner.extend(der_length(pkcs1.len()));
    inner.extend(pkcs1);
    let mut outer = vec![0x30];
    outer.extend(der_length(inner.len()));
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

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::rsa::KeySize;

    fn key() -> Vec<u8> {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("its form");
        der.as_ref().to_vec()
    }

    #[test]
    fn a_key_of_the_usual_form_is_read_without_its_arithmetic_and_signs() {
        let pkcs8 = key();
        let pkcs1 = pkcs1_in_pkcs8(&pkcs8).expect("PKCS#1 inside").to_vec();
        let read = [&pkcs8, &pkcs1].map(|der| PrivateKey::parse(&base64(der)).expect("a key"));
        for key in &read {
            assert!(key.pair.get().is_none(), "nothing was calculated yet");
            let public = PublicKey::from_der(key.public_spki()).expect("its public half");
            assert!(key.belongs_to(&public) && public.verify(b"text", &key.sign(b"text").expect("a signature")));
        }
        assert_eq!(read[0].pkcs8, read[1].pkcs8);
    }

    #[test]
    fn a_key_whose_numbers_do_not_belong_together_is_read_and_signs_nothing() {
        let mut der = key();
        *der.last_mut().expect("bytes") ^= 0x10;
        let key = PrivateKey::parse(&base64(&der)).expect("its form is right");
        for _ in 0..2 {
            assert_eq!(key.sign(b"text"), Err(CryptoError::Damaged));
            assert_eq!(key.sign_pss(b"text"), Err(CryptoError::Damaged));
        }
        assert_eq!(key.decrypt_oaep(&base64(&[0; 256])), Err(CryptoError::Damaged));
    }

    #[test]
    fn a_key_of_another_form_is_left_to_aws_lc_and_one_that_is_cut_off_refused_at_once() {
        let der = key();
        let cut = &der[..der.len() - 1];
        let long = [der.as_slice(), &[0]].concat();
        assert!(outline(cut).is_none() && outline(&long).is_none());
        assert!(PrivateKey::parse(&base64(cut)).is_err());
        assert!(PrivateKey::parse(&base64(&long)).is_ok_and(|key| key.pair.get().is_some()));
    }
}
