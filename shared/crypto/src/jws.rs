//! Signed objects of app stores: compact JWS under an `x5c` chain to a pinned root; and ES256 tokens to them.
//!
//! Trust comes from the pinned root alone: the third certificate of `x5c` is ignored, and so is every other
//! key or algorithm that a header names. Dates are judged at the time that the payload itself was signed, as
//! Apple's own verifier does offline (`docs/protocols/apple.md#signed-objects`).

use super::CryptoError;
use super::cert::{Certificate, authority, extension};
use super::pem::{Kind, der_of};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P256_SHA384_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, EcdsaKeyPair, EcdsaVerificationAlgorithm, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;
use thiserror::Error;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};

/// What is longer is no signed object of a store, bytes.
const LONGEST: usize = 64 * 1024;
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// Why a signed object was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum JwsError {
    /// Not a compact JWS with the header that the stores write.
    #[error("not a signed object: {0}")]
    Malformed(&'static str),
    /// The chain does not lead to the pinned root.
    #[error("the certificates are not the store's: {0}")]
    Chain(&'static str),
    /// The signature is not of the leaf's key.
    #[error("the signature is wrong")]
    Signature,
}

/// A pinned root, and what the certificates below it must carry.
#[derive(Clone)]
pub struct Anchor {
    root: Arc<x509_cert::Certificate>,
    leaf: ObjectIdentifier,
    intermediate: Option<ObjectIdentifier>,
}

impl Anchor {
    /// A root with the marker extensions of leaf and intermediate, as dotted numbers.
    ///
    /// # Panics
    /// When a marker is not a dotted number; they are constants.
    pub fn new(root: &Certificate, leaf: &'static str, intermediate: Option<&'static str>) -> Self {
        let number = ObjectIdentifier::new_unwrap;
        Self { root: Arc::new(root.inner().clone()), leaf: number(leaf), intermediate: intermediate.map(number) }
    }

    /// Verifies a compact JWS and gives its payload. `signed_at` reads the time of signing from the payload,
    /// Unix ms; it is used for nothing before the signature is verified but the certificates' dates.
    ///
    /// # Errors
    /// [`JwsError`]; it fails closed and never panics.
    pub fn open(
        &self,
        compact: &str,
        signed_at: impl Fn(&Map<String, Value>) -> Option<i64>,
    ) -> Result<Map<String, Value>, JwsError> {
        if compact.len() > LONGEST {
            return Err(JwsError::Malformed("too long"));
        }
        let mut parts = compact.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JwsError::Malformed("not three parts"));
        };
        let fields = object(header).ok_or(JwsError::Malformed("header"))?;
        if fields.get("alg").and_then(Value::as_str) != Some("ES256") {
            return Err(JwsError::Malformed("alg"));
        }
        // Extensions that must be understood (RFC 7515, 4.1.11): none is.
        if fields.contains_key("crit") {
            return Err(JwsError::Malformed("crit"));
        }
        let content = object(payload).ok_or(JwsError::Malformed("payload"))?;
        let at = signed_at(&content).ok_or(JwsError::Malformed("the time of signing"))?;
        let leaf = self.leaf_key(fields.get("x5c").unwrap_or(&Value::Null), at.div_euclid(1_000))?;
        let raw = URL_SAFE_NO_PAD.decode(signature).map_err(|_| JwsError::Signature)?;
        let signed = &compact[..header.len() + 1 + payload.len()];
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, leaf)
            .verify(signed.as_bytes(), &raw)
            .map_err(|_| JwsError::Signature)?;
        Ok(content)
    }

    /// The leaf's public point, after the path to the root has been checked at a time, Unix seconds. `x5c` is
    /// the header's list: leaf, intermediate, root.
    ///
    /// # Errors
    /// [`JwsError::Malformed`], [`JwsError::Chain`].
    pub fn leaf_key(&self, x5c: &Value, at: i64) -> Result<Vec<u8>, JwsError> {
        let list = x5c.as_array().ok_or(JwsError::Malformed("x5c"))?;
        let [leaf, intermediate, _root] = list.as_slice() else {
            return Err(JwsError::Chain("not three certificates"));
        };
        let read = |value: &Value| {
            let der = STANDARD.decode(value.as_str()?).ok()?;
            x509_cert::Certificate::from_der(&der).ok()
        };
        let leaf = read(leaf).ok_or(JwsError::Malformed("x5c"))?;
        let intermediate = read(intermediate).ok_or(JwsError::Malformed("x5c"))?;
        if !has(&leaf, self.leaf) || self.intermediate.is_some_and(|oid| !has(&intermediate, oid)) {
            return Err(JwsError::Chain("a marker is missing"));
        }
        if authority(&intermediate) != Some(true) {
            return Err(JwsError::Chain("the intermediate is no authority"));
        }
        if authority(&leaf) == Some(true) {
            return Err(JwsError::Chain("the leaf is an authority"));
        }
        for (child, parent) in [(&leaf, &intermediate), (&intermediate, &*self.root)] {
            if child.tbs_certificate().issuer() != parent.tbs_certificate().subject() || !signed_by(child, parent) {
                return Err(JwsError::Chain("not issued by the one above"));
            }
        }
        if [&leaf, &intermediate, &*self.root].iter().any(|certificate| !valid_at(certificate, at)) {
            return Err(JwsError::Chain("not valid at the time of signing"));
        }
        let (curve, point) = ec_key(&leaf).ok_or(JwsError::Chain("not an EC key"))?;
        if curve == P256 { Ok(point) } else { Err(JwsError::Chain("not a P-256 key")) }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn has(certificate: &x509_cert::Certificate, oid: ObjectIdentifier) -> bool {
    extension(certificate, oid).is_some()
}

fn valid_at(certificate: &x509_cert::Certificate, at: i64) -> bool {
    let validity = certificate.tbs_certificate().validity();
    let seconds = |t: x509_cert::time::Time| i64::try_from(t.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    (seconds(validity.not_before)..=seconds(validity.not_after)).contains(&at)
}

/// Curve and uncompressed point of a certificate's key.
fn ec_key(certificate: &x509_cert::Certificate) -> Option<(ObjectIdentifier, Vec<u8>)> {
    let key = certificate.tbs_certificate().subject_public_key_info();
    if key.algorithm.oid != EC_PUBLIC_KEY {
        return None;
    }
    let curve = key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok()?;
    Some((curve, key.subject_public_key.as_bytes()?.to_vec()))
}

fn signed_by(child: &x509_cert::Certificate, parent: &x509_cert::Certificate) -> bool {
    let outer = child.signature_algorithm();
    let Some((curve, point)) = ec_key(parent) else { return false };
    let algorithm: &'static EcdsaVerificationAlgorithm = match (curve, outer.oid) {
        (P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (P256, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
        (P384, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
        (P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        _ => return false,
    };
    let (Ok(signed), Some(signature)) = (child.tbs_certificate().to_der(), child.signature().as_bytes()) else {
        return false;
    };
    child.tbs_certificate().signature() == outer
        && UnparsedPublicKey::new(algorithm, point).verify(&signed, signature).is_ok()
}

/// A part of a token, before it is signed.
fn part(value: &impl Serialize) -> Result<String, CryptoError> {
    serde_json::to_vec(value).map(|text| URL_SAFE_NO_PAD.encode(text)).map_err(|_| CryptoError::Sign)
}

/// A private P-256 key that signs tokens (`.p8`).
#[derive(Clone)]
pub struct EcKey(Arc<EcdsaKeyPair>);

impl EcKey {
    /// Reads a private key: PKCS#8 or SEC1, in PEM or as bare base64.
    ///
    /// # Errors
    /// [`CryptoError::Key`] when it is none, or of another curve.
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        const BAD: CryptoError = CryptoError::Key("P-256 private key");
        let der = der_of(text, Kind::PrivateKey).map_err(|error| error.or(BAD))?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
            .or_else(|_| EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der))
            .map_err(|_| BAD)?;
        Ok(Self(Arc::new(pair)))
    }

    /// The public point, uncompressed.
    pub fn public_point(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// A compact JWS, ES256: the fields of header and claims in their own order.
    ///
    /// # Errors
    /// [`CryptoError::Sign`].
    pub fn sign_jwt(&self, header: &impl Serialize, claims: &impl Serialize) -> Result<String, CryptoError> {
        let signed = format!("{}.{}", part(header)?, part(claims)?);
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| CryptoError::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}
