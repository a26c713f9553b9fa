//! JSON Web Key Sets by URL: fetched on use, kept 10 minutes, one fetch at a time.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use net::provider_http::{Http, Request};
use serde_json::Value;
use tokio::sync::Mutex;

/// How long a set is kept, ms.
const KEEP_MS: i64 = 600_000;
/// How often an unknown `kid` may cause a fetch, ms.
const PAUSE_MS: i64 = 60_000;

#[derive(Default)]
struct Kept {
    url: String,
    set: Option<Value>,
    fetched_at: i64,
    tried_at: i64,
}

/// The set that was fetched last.
#[derive(Default)]
pub(crate) struct Jwks(Mutex<Kept>);

impl Jwks {
    /// The key of that `kid` with the algorithm that its type pins.
    ///
    /// # Errors
    /// When there is no set and it cannot be fetched; never a pass.
    pub(crate) async fn key(
        &self,
        http: &Http,
        url: &str,
        kid: Option<&str>,
        now: i64,
    ) -> Result<Option<(DecodingKey, Algorithm)>, String> {
        let mut kept = self.0.lock().await;
        if kept.url != url {
            *kept = Kept { url: url.to_owned(), ..Kept::default() };
        }
        let fresh = kept.set.is_some() && now - kept.fetched_at < KEEP_MS;
        let known = kept.set.as_ref().and_then(|set| pick(set, kid));
        if fresh && (known.is_some() || now - kept.tried_at < PAUSE_MS) {
            return Ok(known);
        }
        kept.tried_at = now;
        let set = fetch(http, url).await?;
        let found = pick(&set, kid);
        kept.set = Some(set);
        kept.fetched_at = now;
        Ok(found)
    }
}

async fn fetch(http: &Http, url: &str) -> Result<Value, String> {
    let request = Request::get(url);
    let answer = http.send(request).await.map_err(|e| format!("jwksUrl: {e}"))?;
    if answer.status != 200 {
        return Err(format!("jwksUrl: HTTP {}", answer.status));
    }
    let set: Value = serde_json::from_slice(&answer.body).map_err(|_| "jwksUrl: no JSON".to_owned())?;
    // An answer that is no set does not take the place of one that is.
    match serde_json::from_value::<JwkSet>(set.clone()) {
        Ok(keys) if !keys.keys.is_empty() => Ok(set),
        _ => Err("jwksUrl: no JSON Web Key Set with a key".to_owned()),
    }
}

/// The key of a set: by `kid`, or the only one; never one that is for encryption. RSA keys are RS256, P-256 keys ES256; others are none.
pub(crate) fn pick(set: &Value, kid: Option<&str>) -> Option<(DecodingKey, Algorithm)> {
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
    Some((DecodingKey::from_jwk(key).ok()?, algorithm))
}
