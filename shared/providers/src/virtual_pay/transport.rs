//! One call of the server API `/xpay/…`: signed with the AppKey, under a shared access token.

use super::{env, pay_sig};
use crate::common::body;
use crate::common::wechat_login::host;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, Meaning, ProviderClients, Refusal, says_no_such_order};
use crypto::hash;
use domain::{Secret, UnixMs};
use net::provider_http::Request;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// What the answer's `errcode` says that is neither done nor refused.
const LATER: [i64; 6] = [-1, 268_490_011, 268_490_012, 268_490_014, 268_490_015, 45_009];
/// The same call succeeded before.
pub(super) const DUPLICATE: i64 = 268_490_004;
/// A parameter is wrong; what is wrong with it, an order that does not exist among others, only the text says.
const PARAMETERS: i64 = 268_490_002;

/// A body with what all of them end with.
#[derive(Serialize)]
struct Signed<'a, B> {
    #[serde(flatten)]
    body: &'a B,
    env: u64,
}

/// Calls `/xpay/<name>`. `session` signs too, for the calls that need the payer's session. A duplicate of a
/// call that succeeded is a success.
pub(super) async fn xpay(
    clients: &ProviderClients,
    node: &VirtualNode,
    name: &str,
    body: &impl Serialize,
    session: Option<&Secret>,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let bytes = body::text_of(&Signed { body, env: env(node) }).into_bytes();
    let mut stale = None;
    loop {
        let token = token(clients, node, stale.as_ref(), now).await;
        let token = token.map_err(|error| error.as_unknown("no access token"))?;
        let answer = sent(clients, node, name, &bytes, session, &token).await?;
        return match answer.get("errcode").and_then(Value::as_i64) {
            Some(0 | DUPLICATE) => Ok(answer),
            Some(40_001 | 40_014 | 42_001) if stale.is_none() => {
                stale = Some(token);
                continue;
            }
            Some(40_001 | 40_014 | 42_001) | None => Err(CallError::Unknown(format!("{name}: no access"))),
            Some(code) if LATER.contains(&code) => Err(CallError::Unknown(format!("{name}: {code}"))),
            Some(code) => Err(CallError::Refused(refusal(code, &answer))),
        };
    }
}

/// Sends a body to `/xpay/<name>` under a token, signed; the answer is not judged yet.
pub(super) async fn sent(
    clients: &ProviderClients,
    node: &VirtualNode,
    name: &str,
    bytes: &[u8],
    session: Option<&Secret>,
    token: &Secret,
) -> Result<Map<String, Value>, CallError> {
    let path = format!("/xpay/{name}");
    let mut query = vec![("access_token", token.expose().to_owned()), ("pay_sig", pay_sig(node, &path, bytes))];
    if let Some(session) = session {
        query.push(("signature", hash::hmac_sha256_hex(session.expose().as_bytes(), bytes)));
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let url = format!("{}{path}?{query}", host(node.api_base.as_ref()));
    let answer = clients.http.send(Request::post_json(&url, bytes.to_vec())).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("{name}: HTTP {}", answer.status))),
    }
}

pub(crate) fn refusal(code: i64, answer: &Map<String, Value>) -> Refusal {
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    let meaning = match code {
        PARAMETERS if says_no_such_order(message) => Meaning::Missing,
        268_490_016 => Meaning::TooSoon,
        _ => Meaning::No,
    };
    Refusal { code: code.to_string(), message: message.chars().take(200).collect(), meaning }
}

/// The access token that all instances share. One that WeChat refused is fetched anew, and forced if WeChat
/// gives the same again.
async fn token(
    clients: &ProviderClients,
    node: &VirtualNode,
    stale: Option<&Secret>,
    now: UnixMs,
) -> Result<Secret, CallError> {
    let name = format!("token:{}", node.app_id);
    let fetch = async || match fetch(clients, node, false).await {
        Ok((token, _)) if stale.is_some_and(|stale| stale.matches(token.expose())) => fetch(clients, node, true).await,
        fetched => fetched,
    };
    clients.tokens.token(&name, &node.secret, stale, now, fetch).await
}

/// A fresh access token, or the one that is good already; with `force` another.
pub(super) async fn fetch(
    clients: &ProviderClients,
    node: &VirtualNode,
    force: bool,
) -> Result<(Secret, Duration), CallError> {
    let body = json!({
        "grant_type": "client_credential",
        "appid": node.app_id,
        "secret": node.secret.expose(),
        "force_refresh": force,
    });
    let url = format!("{}/cgi-bin/stable_token", host(node.api_base.as_ref()));
    let request = Request::post_json(&url, body.to_string().into_bytes());
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    if answer.status != 200 {
        return Err(CallError::Unknown(format!("stable_token: HTTP {}", answer.status)));
    }
    let Ok(Value::Object(answer)) = serde_json::from_slice(&answer.body) else {
        return Err(CallError::unknown("stable_token: not JSON"));
    };
    let token = answer.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let lives = answer.get("expires_in").and_then(Value::as_u64).filter(|s| (1..=86_400).contains(s));
    match (token, lives, answer.get("errcode").and_then(Value::as_i64)) {
        (Some(token), Some(seconds), _) => Ok((Secret::new(token), Duration::from_secs(seconds))),
        (_, _, Some(code)) if code != -1 => Err(CallError::Refused(refusal(code, &answer))),
        _ => Err(CallError::unknown("stable_token: no token in the answer")),
    }
}
