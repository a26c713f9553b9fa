//! One call of the server API `/xpay/…`: signed with the AppKey, under a shared access token.

use super::session::app;
use super::{env, pay_sig};
use crate::common::wechat_api::Answer;
use crate::common::{body, wechat_api};
use crate::virtual_pay::VirtualNode;
use crate::{CallError, Meaning, ProviderClients, says_no_such_order};
use crypto::hash;
use domain::{Secret, UnixMs};
use serde::Serialize;
use serde_json::{Map, Value};

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
    let path = path(name);
    let bytes = body::text_of(&Signed { body, env: env(node) }).into_bytes();
    let mut query = vec![("pay_sig", pay_sig(node, &path, &bytes))];
    if let Some(session) = session {
        query.push(("signature", hash::hmac_sha256_hex(session.expose().as_bytes(), &bytes)));
    }
    let answer = wechat_api::post(clients, &app(node), &path, &query, &bytes, now).await?;
    match answer.code {
        0 | DUPLICATE => Ok(answer.body),
        code if LATER.contains(&code) => Err(CallError::Unknown(format!("{name}: {code}"))),
        code => Err(CallError::Refused(answer.refusal(meaning(code, &answer.body)))),
    }
}

/// Calls `/xpay/<name>` under a token of the caller's own, and gives the answer as it is.
pub(super) async fn under(
    token: &Secret,
    clients: &ProviderClients,
    node: &VirtualNode,
    name: &str,
    bytes: &[u8],
) -> Result<Answer, CallError> {
    let path = path(name);
    let query = [("pay_sig", pay_sig(node, &path, bytes))];
    wechat_api::sent(clients, &app(node), &path, &query, bytes, token).await
}

fn path(name: &str) -> String {
    format!("/xpay/{name}")
}

fn meaning(code: i64, answer: &Map<String, Value>) -> Meaning {
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    match code {
        PARAMETERS if says_no_such_order(message) => Meaning::Missing,
        268_490_016 => Meaning::TooSoon,
        _ => Meaning::No,
    }
}
