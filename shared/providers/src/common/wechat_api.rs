//! WeChat's server API of an application, under the access token that all instances share
//! (`docs/protocols/wxpay-virtual.md#access-tokens-and-sessions`).

use crate::common::wechat_login::{App, host};
use crate::{CallError, Meaning, ProviderClients, Refusal};
use domain::{Secret, UnixMs};
use net::provider_http::Request;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The access token has ended, or another one was made since.
const STALE: [i64; 3] = [40_001, 40_014, 42_001];

/// An answer: its `errcode`, and all of it.
pub(crate) struct Answer {
    pub code: i64,
    pub body: Map<String, Value>,
}

impl Answer {
    /// It as a refusal, in WeChat's words.
    pub(crate) fn refusal(&self, meaning: Meaning) -> Refusal {
        let message = self.body.get("errmsg").and_then(Value::as_str).unwrap_or_default();
        Refusal { code: self.code.to_string(), message: message.chars().take(200).collect(), meaning }
    }
}

/// Posts JSON to a path. A token that WeChat refuses is fetched anew, once. `query` are the parameters beside it.
///
/// # Errors
/// [`CallError::Unknown`] always: where there is no token nothing was sent, and what an answer means the caller knows.
pub(crate) async fn post(
    clients: &ProviderClients,
    app: &App<'_>,
    path: &str,
    query: &[(&str, String)],
    body: &[u8],
    now: UnixMs,
) -> Result<Answer, CallError> {
    let mut stale = None;
    loop {
        let token = token(clients, app, stale.as_ref(), now).await;
        let token = token.map_err(|error| error.as_unknown("no access token"))?;
        let answer = sent(clients, app, path, query, body, &token).await?;
        match STALE.contains(&answer.code) {
            false => return Ok(answer),
            true if stale.is_none() => stale = Some(token),
            true => return Err(CallError::Unknown(format!("{path}: no access"))),
        }
    }
}

/// Posts JSON to a path under a token, whatever WeChat says of that.
///
/// # Errors
/// [`CallError::Unknown`] where there is no answer, or one without `errcode`.
pub(crate) async fn sent(
    clients: &ProviderClients,
    app: &App<'_>,
    path: &str,
    query: &[(&str, String)],
    body: &[u8],
    token: &Secret,
) -> Result<Answer, CallError> {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("access_token", token.expose())
        .extend_pairs(query)
        .finish();
    let url = format!("{}{path}?{query}", host(app.base));
    let answer = clients.http.send(Request::post_json(&url, body.to_vec())).await.map_err(CallError::unknown)?;
    let body: Map<String, Value> = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => map,
        _ => return Err(CallError::Unknown(format!("{path}: HTTP {}", answer.status))),
    };
    match body.get("errcode").and_then(Value::as_i64) {
        Some(code) => Ok(Answer { code, body }),
        None => Err(CallError::Unknown(format!("{path}: no errcode"))),
    }
}

/// The access token that all instances share. One that WeChat refused is fetched anew, and forced if WeChat gives the
/// same again.
async fn token(
    clients: &ProviderClients,
    app: &App<'_>,
    stale: Option<&Secret>,
    now: UnixMs,
) -> Result<Secret, CallError> {
    let name = format!("token:{}", app.app_id);
    let fetch = async || match fetch(clients, app, false).await {
        Ok((token, _)) if stale.is_some_and(|stale| stale.matches(token.expose())) => fetch(clients, app, true).await,
        fetched => fetched,
    };
    clients.tokens.token(&name, app.secret, stale, now, fetch).await
}

/// A fresh access token, or the one that is good already; with `force` another. And how long it lives.
pub(crate) async fn fetch(
    clients: &ProviderClients,
    app: &App<'_>,
    force: bool,
) -> Result<(Secret, Duration), CallError> {
    let body = json!({
        "grant_type": "client_credential",
        "appid": app.app_id,
        "secret": app.secret.expose(),
        "force_refresh": force,
    });
    let url = format!("{}/cgi-bin/stable_token", host(app.base));
    let request = Request::post_json(&url, body.to_string().into_bytes());
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    if answer.status != 200 {
        return Err(CallError::Unknown(format!("stable_token: HTTP {}", answer.status)));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(&answer.body) else {
        return Err(CallError::unknown("stable_token: not JSON"));
    };
    let token = body.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let lives = body.get("expires_in").and_then(Value::as_u64).filter(|s| (1..=86_400).contains(s));
    match (token, lives, body.get("errcode").and_then(Value::as_i64)) {
        (Some(token), Some(seconds), _) => Ok((Secret::new(token), Duration::from_secs(seconds))),
        (_, _, Some(code)) if code != -1 => Err(CallError::Refused(Answer { code, body }.refusal(Meaning::No))),
        _ => Err(CallError::unknown("stable_token: no token in the answer")),
    }
}
