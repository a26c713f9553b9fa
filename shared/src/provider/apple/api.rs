//! The App Store Server API (`protocols/apple.md` 2): a transaction by its number.

use super::transaction::Transaction;
use super::{host, refused};
use crate::config::AppleNode;
use crate::http::Request;
use crate::provider::{Outcome, Outside};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// How long a token to Apple is good, s; Apple's own client uses the same.
const TOKEN_S: i64 = 300;

enum Answered {
    Signed(String),
    /// Apple does not know the number in this environment.
    NotHere,
}

/// Asks for a transaction: production first, then the sandbox where it counts (App Review buys there).
pub(super) async fn transaction(outside: &Outside, node: &AppleNode, id: &str, now: i64) -> Outcome<Transaction> {
    if !(1..=64).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return refused("4000006", "not a transaction's number");
    }
    let mut places = vec![host(node, "storekit", "https://api.storekit.apple.com")];
    if node.sandbox {
        places.push(host(node, "storekit-sandbox", "https://api.storekit-sandbox.apple.com"));
    }
    for place in places {
        let signed = match ask(outside, node, &place, id, now).await {
            Outcome::Done(Answered::Signed(signed)) => signed,
            Outcome::Done(Answered::NotHere) => continue,
            Outcome::Refused(refusal) => return Outcome::Refused(refusal),
            Outcome::Unknown(why) => return Outcome::Unknown(why),
        };
        return match Transaction::signed(node, &signed) {
            Outcome::Done(found) if found.id != id => refused("TRANSACTION", "Apple names another transaction"),
            found => found,
        };
    }
    refused("4040010", "Apple does not know the transaction")
}

async fn ask(outside: &Outside, node: &AppleNode, place: &str, id: &str, now: i64) -> Outcome<Answered> {
    let Some(key) = &node.api else {
        return refused("NO_KEY", "a transaction_identifier alone needs issuerId, keyId and privateKeyContent");
    };
    let seconds = now / 1_000;
    let header = json!({ "alg": "ES256", "kid": key.key_id, "typ": "JWT" });
    let claims = json!({
        "iss": key.issuer_id,
        "iat": seconds,
        "exp": seconds + TOKEN_S,
        "aud": "appstoreconnect-v1",
        "bid": node.bundle_id,
    });
    let Ok(token) = key.private_key.sign_jwt(&header, &claims) else {
        return Outcome::Unknown("the token cannot be signed".to_owned());
    };
    let request = Request {
        method: Method::GET,
        url: &format!("{place}/inApps/v1/transactions/{id}"),
        headers: vec![("authorization", format!("Bearer {token}")), ("accept", "application/json".to_owned())],
        body: Vec::new(),
        identity: None,
    };
    let answer = match tokio::time::timeout(Duration::from_millis(node.timeout), outside.http.send(request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Outcome::Unknown(error.to_string()),
        Err(_) => return Outcome::Unknown("App Store Server API: no answer in time".to_owned()),
    };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let unknown = || Outcome::Unknown(format!("App Store Server API: HTTP {} {}", answer.status, body["errorCode"]));
    match (answer.status, body["errorCode"].as_i64()) {
        (200, _) => match body["signedTransactionInfo"].as_str() {
            Some(signed) => Outcome::Done(Answered::Signed(signed.to_owned())),
            None => unknown(),
        },
        (404, Some(4_040_010)) => Outcome::Done(Answered::NotHere),
        // The account, app or transaction cannot be found just now.
        (404, Some(4_040_002 | 4_040_004 | 4_040_006)) => unknown(),
        (400 | 404, Some(code)) => refused(&code.to_string(), "Apple refuses the transaction"),
        _ => unknown(),
    }
}
