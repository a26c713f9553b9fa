//! `verifyReceipt` (`docs/protocols/apple.md#verifyreceipt`): production first, and the sandbox where the
//! answer points there.

use super::transaction::{Transaction, allowed, first_bought, line_of};
use super::{host, refused, set_up};
use crate::apple::AppleNode;
use crate::{CallError, ProviderClients, is_dated, is_said, text_of};
use domain::UnixMs;
use net::provider_http::Request;
use serde_json::{Map, Value, json};
use std::time::Duration;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Production,
    Sandbox,
}

/// Verifies a receipt and picks the transaction that is meant.
pub(super) async fn verify(
    clients: &ProviderClients,
    node: &AppleNode,
    receipt: &str,
    id: &str,
) -> Result<Transaction, CallError> {
    let mut place = Place::Production;
    let mut tries = 0;
    loop {
        tries += 1;
        let answer = ask(clients, node, place, receipt).await?;
        let retryable = match answer.get("is-retryable") {
            Some(Value::Bool(yes)) => *yes,
            Some(Value::Number(n)) => n.as_u64() == Some(1),
            Some(Value::String(text)) => text == "1" || text == "true",
            _ => false,
        };
        let status = answer.get("status").and_then(|status| status.as_i64().or_else(|| status.as_str()?.parse().ok()));
        return match status {
            Some(0 | 21006) => pick(node, place, &answer, id),
            Some(21007) if tries > 2 => Err(CallError::unknown("the two environments point at each other")),
            Some(21007) if place == Place::Production && node.sandbox => {
                place = Place::Sandbox;
                continue;
            }
            Some(21007) => refused("21007", "a receipt of the sandbox"),
            Some(21008) if place == Place::Sandbox && tries < 3 => {
                place = Place::Production;
                continue;
            }
            // Malformed, or some trouble at Apple's: once more, then no.
            Some(21002) if tries < 2 => continue,
            Some(21002) => refused("21002", "the receipt is malformed"),
            Some(21003) => refused("21003", "the receipt is not authentic"),
            Some(21010) => refused("21010", "the account is gone"),
            Some(21000) => set_up("21000", "Apple does not read the request as one"),
            Some(21004) => set_up("21004", "the shared secret (password) is not the app's"),
            Some(code @ 21100..=21199) if !retryable => refused(&code.to_string(), "Apple cannot read the receipt"),
            Some(21005 | 21008 | 21009 | 21100..=21199) => {
                Err(CallError::Unknown(format!("verifyReceipt: {status:?}")))
            }
            Some(code) => set_up(&code.to_string(), "a status of verifyReceipt that is not known"),
            None => Err(CallError::unknown("verifyReceipt: no status")),
        };
    }
}

/// Whether Apple answers; refused is only a wrong shared secret.
pub(super) async fn is_served(clients: &ProviderClients, node: &AppleNode) -> Result<(), CallError> {
    let answer = ask(clients, node, Place::Production, "bm9ib2R5").await?;
    match answer.get("status").and_then(Value::as_i64) {
        Some(21004) => set_up("21004", "the shared secret (password) is not the app's"),
        Some(_) => Ok(()),
        None => Err(CallError::unknown("verifyReceipt: no status")),
    }
}

async fn ask(
    clients: &ProviderClients,
    node: &AppleNode,
    place: Place,
    receipt: &str,
) -> Result<Map<String, Value>, CallError> {
    let url = match place {
        Place::Production => host(node, "buy", "https://buy.itunes.apple.com"),
        Place::Sandbox => host(node, "sandbox", "https://sandbox.itunes.apple.com"),
    };
    let mut body = json!({ "receipt-data": receipt, "exclude-old-transactions": false });
    if let Some(password) = &node.password {
        body["password"] = json!(password.expose());
    }
    let url = format!("{url}/verifyReceipt");
    let request = Request::post_json(&url, body.to_string().into_bytes());
    let patience = Duration::from_millis(node.timeout);
    let answer = clients.http.send_within(request, patience).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("verifyReceipt: HTTP {}", answer.status))),
    }
}

/// The item with this transaction, in a receipt of the app or in an old receipt of a single purchase.
fn pick(node: &AppleNode, place: Place, answer: &Map<String, Value>, id: &str) -> Result<Transaction, CallError> {
    let by_place = match place {
        Place::Production => "Production",
        Place::Sandbox => "Sandbox",
    };
    let environment = answer.get("environment").and_then(Value::as_str).unwrap_or(by_place);
    if !allowed(node, Some(environment)) {
        return refused("ENVIRONMENT", "the receipt is of another environment");
    }
    let Some(receipt) = answer.get("receipt").and_then(Value::as_object) else {
        return Err(CallError::unknown("verifyReceipt: no receipt in the answer"));
    };
    let bundle = receipt.get("bundle_id").or_else(|| receipt.get("bid")).and_then(Value::as_str);
    if bundle != Some(&node.bundle_id) {
        return refused("BUNDLE", "the receipt is of another app");
    }
    // A transaction may stand in several lists, and each may say what the others do not.
    let lists = [receipt.get("in_app"), answer.get("latest_receipt_info"), answer.get("latest_expired_receipt_info")];
    let items = lists.into_iter().flatten().flat_map(|list| match list {
        Value::Array(items) => items.iter().filter_map(Value::as_object).collect(),
        Value::Object(item) => vec![item],
        _ => Vec::new(),
    });
    let flat = Some(receipt).filter(|receipt| !receipt.contains_key("in_app"));
    let own = items.chain(flat).filter(|item| item.get("transaction_id").is_some_and(|own| is(own, id)));
    let (mut found, mut broken): (Option<Transaction>, _) = (None, None);
    let mut revoked = false;
    for item in own {
        revoked |= is_cancelled(item);
        let read = match read(item, environment) {
            Ok(read) => read,
            Err(CallError::Refused(refusal)) if refusal.code == "INCOMPLETE" => {
                broken = Some(refusal);
                continue;
            }
            other => return other,
        };
        found = match found {
            None => Some(read),
            Some(before) => match before.with(read) {
                Some(both) => Some(both),
                None => return refused("CONTRADICTION", "the receipt tells of the transaction in two ways"),
            },
        };
    }
    match (found, broken) {
        (Some(found), _) => Ok(Transaction { revoked: found.revoked || revoked, ..found }),
        (None, Some(refusal)) => Err(CallError::Refused(refusal)),
        (None, None) => refused("TRANSACTION", "the transaction is not in the receipt"),
    }
}

fn is(value: &Value, id: &str) -> bool {
    value.as_str() == Some(id) || value.as_u64().is_some_and(|n| n.to_string() == id)
}

/// Whether a list says that a purchase was taken back, by any of its words for it.
fn is_cancelled(item: &Map<String, Value>) -> bool {
    is_dated(item, "cancellation_date_ms")
        || ["cancellation_date", "cancellation_date_pst", "cancellation_reason"].iter().any(|name| is_said(item, name))
}

fn read(item: &Map<String, Value>, environment: &str) -> Result<Transaction, CallError> {
    let text = |name: &str| text_of(item, name);
    // Every number is a text here, and in old receipts a number now and then.
    let number = |name: &str| item.get(name).and_then(|v| v.as_i64().or_else(|| v.as_str()?.parse::<i64>().ok()));
    let time = |name: &str| number(name).map(UnixMs::new);
    if text("in_app_ownership_type").is_some_and(|kind| kind != "PURCHASED") {
        return refused("OWNERSHIP", "the purchase is another person's (family sharing)");
    }
    let named = |name: &str| is_said(item, name).then(|| item.get(name)).flatten();
    let named = |name: &str| named(name).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
    let id = named("transaction_id");
    let (Some(id), Some(product_id), Some(purchased_at)) = (id, text("product_id"), time("purchase_date_ms")) else {
        return refused("INCOMPLETE", "the receipt names no product or no date");
    };
    let quantity = match is_said(item, "quantity") {
        false => Some(1),
        true => number("quantity").and_then(|n| u64::try_from(n).ok()),
    };
    let Some(quantity) = quantity else { return refused("INCOMPLETE", "the receipt names no quantity") };
    // Only these have an end and a renewal.
    const RENEWS: [&str; 4] =
        ["expires_date_ms", "expires_date", "web_order_line_item_id", "subscription_group_identifier"];
    let renews = RENEWS.iter().any(|name| is_said(item, name));
    const KEPT: [&str; 9] = [
        "transaction_id",
        "original_transaction_id",
        "web_order_line_item_id",
        "product_id",
        "quantity",
        "purchase_date_ms",
        "expires_date_ms",
        "is_trial_period",
        "is_in_intro_offer_period",
    ];
    let mut info: Map<String, Value> = crate::kept(&KEPT, item);
    info.insert("environment".to_owned(), json!(environment));
    Ok(Transaction {
        id,
        original_id: named("original_transaction_id"),
        renews,
        line: named("web_order_line_item_id").as_deref().map(line_of),
        product_id: product_id.to_owned(),
        quantity,
        token: text("app_account_token").map(str::to_ascii_lowercase),
        purchased_at: first_bought(renews, purchased_at, time("original_purchase_date_ms")),
        signed_at: None,
        revoked: is_cancelled(item),
        revoked_at: time("cancellation_date_ms"),
        share: 100_000,
        info: Value::Object(info),
    })
}
