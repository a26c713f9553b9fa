//! The App Store Server API (`docs/protocols/apple.md#app-store-server-api`): a transaction by its number, and the
//! notifications that did not arrive.

use super::transaction::Transaction;
use super::{host, refused, set_up};
use crate::Merchant;
use crate::apple::AppleNode;
use crate::common::store::StoreKey;
use crate::{CallError, CallbackError, CallbackRequest, Notice, ProviderClients};
use domain::UnixMs;
use http::{HeaderMap, Method};
use net::provider_http::Request;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long a token to Apple is good, s; Apple's own client uses the same.
const TOKEN: Duration = Duration::from_mins(5);

/// One of Apple's two worlds, each with its own host and its own transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    Production,
    Sandbox,
}

/// Those that count for a node. Production is asked first; App Review buys in the sandbox.
pub(super) fn environments(node: &AppleNode) -> &'static [Environment] {
    if node.sandbox { &[Environment::Production, Environment::Sandbox] } else { &[Environment::Production] }
}

impl Environment {
    pub(super) fn host(self, node: &AppleNode) -> String {
        match self {
            Self::Production => host(node, "storekit", "https://api.storekit.apple.com"),
            Self::Sandbox => host(node, "storekit-sandbox", "https://api.storekit-sandbox.apple.com"),
        }
    }
}

/// Asks for a transaction, in one environment after the other. An app that is not in the store yet is unknown to
/// production, which turns its key away (401): then the sandbox tells, where it counts. A key that nobody takes is
/// a broken set-up.
pub(super) async fn transaction(
    clients: &ProviderClients,
    node: &AppleNode,
    id: &str,
    now: UnixMs,
) -> Result<Transaction, CallError> {
    if !(1..=64).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return refused("4000006", "not a transaction's number");
    }
    let Some(key) = &node.api else {
        return refused("NO_KEY", "a transaction_identifier alone needs issuerId, keyId and privateKeyContent");
    };
    let mut away = 0;
    for environment in environments(node) {
        let url = format!("{}/inApps/v1/transactions/{id}", environment.host(node));
        let answer = call(clients, node, key, &url, None, now).await?;
        return match (answer.status, answer.error) {
            (200, _) => match answer.body["signedTransactionInfo"].as_str() {
                Some(signed) => match Transaction::signed(node, signed) {
                    Ok(found) if found.id != id => refused("TRANSACTION", "Apple names another transaction"),
                    found => found,
                },
                None => Err(CallError::Unknown(answer.text())),
            },
            (404, Some(4_040_010)) => continue,
            (401, _) => {
                away += 1;
                continue;
            }
            // The account, app or transaction cannot be found just now.
            (404, Some(4_040_002 | 4_040_004 | 4_040_006)) => Err(CallError::Unknown(answer.text())),
            (400 | 404, Some(code)) => refused(&code.to_string(), "Apple refuses the transaction"),
            _ => Err(CallError::Unknown(answer.text())),
        };
    }
    match away {
        0 => refused("4040010", "Apple does not know the transaction"),
        n if n == environments(node).len() => set_up("401", "Apple takes no key of issuerId, keyId, privateKeyContent"),
        _ => Err(CallError::unknown("App Store Server API: HTTP 401 in one environment, unknown in the other")),
    }
}

/// Where Apple keeps an app's notifications, for 180 days (30 in its sandbox).
pub struct Mailbox {
    node: Arc<AppleNode>,
    environment: Environment,
}

/// Up to 20 of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Missed {
    /// Bodies, as they would have been posted.
    pub bodies: Vec<Vec<u8>>,
    /// Where the next page begins.
    pub next: Option<String>,
}

impl Mailbox {
    /// A merchant's: those whose app has a key of the App Store Server API.
    pub fn of(merchant: &Merchant) -> Vec<Self> {
        let nodes = merchant.apple.values().filter(|node| node.api.is_some());
        nodes
            .flat_map(|node| {
                environments(node).iter().map(|environment| Self { node: node.clone(), environment: *environment })
            })
            .collect()
    }

    /// Whether Apple may know nothing of the app here: one that is still tried out is not in the store.
    pub fn may_be_absent(&self) -> bool {
        self.node.sandbox && self.environment == Environment::Production
    }

    /// Reads what [`Missed::bodies`] has, as the door of the callbacks does.
    ///
    /// # Errors
    /// See [`CallbackError`]; it fails closed.
    pub async fn read(
        &self,
        merchant: &Merchant,
        clients: &ProviderClients,
        body: &[u8],
        now: UnixMs,
    ) -> Result<Notice, CallbackError> {
        let (method, headers) = (Method::POST, HeaderMap::new());
        let request = CallbackRequest { method: &method, headers: &headers, query: "", body, now };
        super::notify::read(merchant, clients, &request).await
    }

    /// Whether a purchase still counts: a notification says how it stood when it was signed.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn stands(
        &self,
        clients: &ProviderClients,
        transaction_id: &str,
        now: UnixMs,
    ) -> Result<bool, CallError> {
        transaction(clients, &self.node, transaction_id, now).await.map(|found| !found.revoked)
    }

    /// Asks for a page of the notifications of a time that never arrived, or that Apple still tries to
    /// deliver.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn missed(
        &self,
        clients: &ProviderClients,
        from: UnixMs,
        to: UnixMs,
        page: Option<&str>,
        now: UnixMs,
    ) -> Result<Missed, CallError> {
        let Some(key) = &self.node.api else { return Ok(Missed::default()) };
        let query = page.map(|token| {
            let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
            format!("?paginationToken={token}")
        });
        let query = query.unwrap_or_default();
        let url = format!("{}/inApps/v1/notifications/history{query}", self.environment.host(&self.node));
        let body = json!({ "startDate": from, "endDate": to, "onlyFailures": true });
        let answer = call(clients, &self.node, key, &url, Some(&body), now).await?;
        match (answer.status, answer.error) {
            (200, _) => {}
            (400..=428, code) => {
                let code = code.unwrap_or_else(|| answer.status.into());
                return refused(&code.to_string(), "Apple does not hand its notifications out");
            }
            _ => return Err(CallError::Unknown(answer.text())),
        }
        let more = answer.body["hasMore"] == true;
        let next = answer.body["paginationToken"].as_str().filter(|_| more).map(str::to_owned);
        let Some(list) = answer.body["notificationHistory"].as_array().filter(|_| next.is_some() == more) else {
            return Err(CallError::Unknown(answer.text()));
        };
        let body = |item: &Value| json!({ "signedPayload": item["signedPayload"] }).to_string().into_bytes();
        Ok(Missed { bodies: list.iter().map(body).collect(), next })
    }
}

/// An answer of the API.
pub(super) struct Answered {
    /// HTTP status.
    pub(super) status: u16,
    /// Apple's `errorCode`.
    pub(super) error: Option<i64>,
    body: Value,
}

impl Answered {
    /// Of a message about it.
    pub(super) fn text(&self) -> String {
        format!("App Store Server API: HTTP {} {}", self.status, self.body["errorCode"])
    }
}

/// The header of a token.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    kid: &'a str,
    typ: &'static str,
}

/// What a token says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
    aud: &'static str,
    bid: &'a str,
}

/// Calls with a fresh token: a body is posted. No answer is an error.
pub(super) async fn call(
    clients: &ProviderClients,
    node: &AppleNode,
    key: &StoreKey,
    url: &str,
    body: Option<&Value>,
    now: UnixMs,
) -> Result<Answered, CallError> {
    let header = Header { alg: "ES256", kid: &key.key_id, typ: "JWT" };
    let claims = Claims {
        iss: &key.issuer_id,
        iat: now.secs(),
        exp: (now + TOKEN).secs(),
        aud: "appstoreconnect-v1",
        bid: &node.bundle_id,
    };
    let token = key.private_key.sign_jwt(&header, &claims);
    let token = token.map_err(|_| CallError::unknown("the token cannot be signed"))?;
    let mut headers = vec![("authorization", format!("Bearer {token}")), ("accept", "application/json".to_owned())];
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    let body = body.map(Value::to_string).unwrap_or_default().into_bytes();
    let method = if body.is_empty() { Method::GET } else { Method::POST };
    let request = Request { method, url, headers, body, identity: None };
    let patience = Duration::from_millis(node.timeout);
    let answer = clients.http.send_within(request, patience).await.map_err(CallError::unknown)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    Ok(Answered { status: answer.status, error: body["errorCode"].as_i64(), body })
}
