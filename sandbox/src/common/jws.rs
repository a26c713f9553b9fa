//! JWS as app stores use it: a certificate authority that signs like theirs, root and intermediate on P-384, leaf on
//! P-256; and the tokens that their server APIs are called with.

use crate::crypto::{b64, der as der_of};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Certificates and the leaf's key.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Authority {
    /// PEM.
    pub root: String,
    /// base64 DER: leaf, intermediate, root.
    pub x5c: Vec<String>,
    /// The leaf's key, PKCS#8 in PEM.
    pub leaf_key: String,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "sandbox");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2050, 1, 1);
    // Apple's own verifier wants it.
    params.use_authority_key_identifier_extension = true;
    params
}

fn mark(oid: &[u64]) -> CustomExtension {
    CustomExtension::from_oid_content(oid, vec![5, 0])
}

impl Authority {
    /// Makes a root, an intermediate and a leaf with these marker extensions.
    pub(crate) fn generate(name: &str, leaf_mark: &[u64], middle_mark: Option<&[u64]>) -> Self {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a P-384 key");
        let root_key = key();
        let mut root = params(name);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_cert = root.self_signed(&root_key).expect("a root");
        let root_issuer = Issuer::new(root, root_key);
        let middle_key = key();
        let mut middle = params(&format!("{name}, intermediate"));
        middle.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        middle.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        middle.custom_extensions.extend(middle_mark.map(mark));
        let middle_cert = middle.signed_by(&middle_key, &root_issuer).expect("an intermediate");
        let middle_issuer = Issuer::new(middle, middle_key);
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a P-256 key");
        let mut leaf = params(&format!("{name}, leaf"));
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.custom_extensions.push(mark(leaf_mark));
        let leaf_cert = leaf.signed_by(&leaf_key, &middle_issuer).expect("a leaf");
        let x5c = [leaf_cert.der(), middle_cert.der(), root_cert.der()].map(|der| b64(der));
        Self { root: root_cert.pem(), x5c: x5c.to_vec(), leaf_key: leaf_key.serialize_pem() }
    }

    /// A compact JWS over claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&json!({ "alg": "ES256", "x5c": self.x5c })), part(claims));
        let der = der_of(&self.leaf_key).expect("a key that the sandbox made");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("a P-256 key");
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("a signature");
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

/// A key pair for a server API: PKCS#8 in PEM, and the public point in hex.
pub(crate) fn ec_pair() -> (String, String) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a P-256 key");
    let pem = key.serialize_pem();
    let der = der_of(&pem).expect("a key that was just made");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).expect("a P-256 key");
    (pem, hex::encode(pair.public_key().as_ref()))
}

/// Verifies an ES256 signature, base64url.
fn verify_p256(point: &str, message: &[u8], signature: &str) -> bool {
    let (Ok(point), Ok(signature)) = (hex::decode(point), URL_SAFE_NO_PAD.decode(signature)) else { return false };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, &signature).is_ok()
}

/// A token in a request, taken apart and not yet verified.
pub(crate) struct Token<'a> {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    signed: String,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// The token of `authorization: Bearer …`.
    pub(crate) fn read(token: &'a str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let read = |part: &str| -> Value {
            URL_SAFE_NO_PAD.decode(part).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default()
        };
        Some(Self { header: read(header), claims: read(claims), signed: format!("{header}.{claims}"), signature })
    }

    /// Whether it ends within the hour, and not before `now` (Unix ms).
    pub(crate) fn is_fresh(&self, now: i64) -> bool {
        self.claims["exp"].as_i64().is_some_and(|exp| exp > now / 1000 && exp <= now / 1000 + 3600)
    }

    /// Whether the key of this public point signed it with ES256.
    pub(crate) fn is_signed_by(&self, point: &str) -> bool {
        self.header["alg"] == "ES256" && verify_p256(point, self.signed.as_bytes(), self.signature)
    }
}
