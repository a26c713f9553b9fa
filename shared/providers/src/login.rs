//! Login codes for payer ids.
//!
//! What comes with the id — session key, access token, refresh token — stays here; only a mini program's session key is
//! kept, sealed, for virtual payment.

use crate::{CallError, Meaning, ProviderClients, Refusal};
use domain::Secret;
use net::provider_http::Request;
use serde_json::{Map, Value};

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The payer at the provider.
    pub openid: String,
    /// The payer across the provider's applications of one owner.
    pub unionid: Option<String>,
}

pub(crate) async fn answer(
    clients: &ProviderClients,
    what: &str,
    request: Request<'_>,
) -> Result<Map<String, Value>, CallError> {
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("{what}: HTTP {}", answer.status))),
    }
}

pub(crate) fn known(answer: &Map<String, Value>) -> Option<(Login, Option<Secret>)> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let login = Login { openid: text("openid")?.to_owned(), unionid: text("unionid").map(str::to_owned) };
    Some((login, text("session_key").map(Secret::new)))
}

pub(crate) fn refused_with<T>(code: &str, message: Option<&Value>) -> Result<T, CallError> {
    let message = message.and_then(Value::as_str).unwrap_or_default().chars().take(200).collect();
    Err(CallError::Refused(Refusal { code: code.to_owned(), message, meaning: Meaning::No }))
}
