//! JSON Web Tokens (RFC 7519) of callers: whose key, which algorithm, which claims. The algorithm is the key's and never
//! the token's.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

/// A key that verifies tokens, with the algorithm that its type pins.
pub struct VerifyingKey {
    key: DecodingKey,
    algorithm: Algorithm,
}

impl VerifyingKey {
    /// A shared secret, for HS256.
    pub fn hs256(secret: &[u8]) -> Self {
        Self { key: DecodingKey::from_secret(secret), algorithm: Algorithm::HS256 }
    }
}

/// What a token must say. It must not have ended, in any case.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules<'a> {
    /// `iss`, where one is wanted.
    pub issuer: Option<&'a str>,
    /// `aud`, where one is wanted.
    pub audience: Option<&'a str>,
    /// How far clocks may differ, s.
    pub leeway: u64,
}

/// The `kid` of a token's header. `None` for what is no token, and for one that brings its own key or names extensions
/// that must be understood (RFC 7515, 4.1.11), of which none is.
pub fn key_id(token: &str) -> Option<Option<String>> {
    let header = jsonwebtoken::decode_header(token).ok()?;
    let brings_key = header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some();
    (!brings_key && !has_critical(token)).then_some(header.kid)
}

/// The claims of a token that a key signed and that says what it must.
pub fn claims(token: &str, key: &VerifyingKey, rules: &Rules<'_>) -> Option<Map<String, Value>> {
    if has_critical(token) {
        return None;
    }
    let mut validation = Validation::new(key.algorithm);
    validation.leeway = rules.leeway;
    validation.validate_nbf = true;
    validation.validate_aud = rules.audience.is_some();
    let mut required = vec!["exp"];
    if let Some(audience) = rules.audience {
        validation.set_audience(&[audience]);
        required.push("aud");
    }
    if let Some(issuer) = rules.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation).ok().map(|data| data.claims)
}

/// Whether a token's header names extensions that must be understood; an unreadable header does as well.
fn has_critical(token: &str) -> bool {
    use base64::Engine;
    let header = token.split('.').next().unwrap_or_default();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    serde_json::from_slice::<Map<String, Value>>(&header).map_or(true, |header| header.contains_key("crit"))
}

/// Whether a document is a JSON Web Key Set with a key.
pub fn is_key_set(document: &Value) -> bool {
    serde_json::from_value::<JwkSet>(document.clone()).is_ok_and(|set| !set.keys.is_empty())
}

/// The key of a set: by `kid`, or the only one; never one that is for encryption. RSA keys are RS256, P-256 keys ES256;
/// others are none.
pub fn key_of(set: &Value, kid: Option<&str>) -> Option<VerifyingKey> {
    let set: JwkSet = serde_json::from_value(set.clone()).ok()?;
    let key = match kid {
        Some(kid) => {
            set.find(kid).or_else(|| set.keys.first().filter(|k| set.keys.len() == 1 && k.common.key_id.is_none()))?
        }
        None => set.keys.first().filter(|_| set.keys.len() == 1)?,
    };
    if key.common.public_key_use == Some(PublicKeyUse::Encryption) {
        return None;
    }
    let algorithm = match &key.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    Some(VerifyingKey { key: DecodingKey::from_jwk(key).ok()?, algorithm })
}
