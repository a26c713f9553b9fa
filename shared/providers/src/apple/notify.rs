//! App Store Server Notifications V2 (`docs/protocols/apple.md#notifications`): verify, compare, and say what it means.

use super::transaction::{Transaction, allowed, signed_date};
use crate::Merchant;
use crate::apple::AppleNode;
use crate::{
    Alert, CallError, CallbackError, CallbackRequest, Event, Notice, ProviderClients, ProviderReply, RefundNotice,
    RefundProgress, RefundStanding, Verdict,
};
use domain::{Parties, Provider, UnixMs};
use serde_json::{Map, Value};

/// Reads a notification.
pub(crate) async fn read(
    merchant: &Merchant,
    _outside: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let node = merchant.apple.values().next().ok_or(CallbackError::Forged("appleiap is not configured"))?;
    let body: Value = serde_json::from_slice(request.body).map_err(|_| CallbackError::Malformed("not JSON"))?;
    let signed = body.get("signedPayload").and_then(Value::as_str).ok_or(CallbackError::Malformed("signedPayload"))?;
    let payload = node
        .anchor
        .open(signed, |claims| signed_date(claims).map(UnixMs::get))
        .map_err(|_| CallbackError::Forged("not signed by Apple"))?;
    let name = payload.get("notificationType").and_then(Value::as_str).unwrap_or_default();
    let data =
        ["data", "summary", "externalPurchaseToken", "appData"].iter().find_map(|key| payload.get(*key)?.as_object());
    let Some(data) = data else { return Err(CallbackError::Malformed("no data")) };
    addressed(node, data)?;
    let Some(info) = data.get("signedTransactionInfo").and_then(Value::as_str) else {
        return Ok(Notice::Other(format!("appleiap {name}")));
    };
    let transaction = match Transaction::signed(node, info) {
        Ok(transaction) => transaction,
        Err(CallError::Refused(refusal)) if refusal.code == "OWNERSHIP" => {
            return Ok(Notice::Other(format!("appleiap {name} of a family member")));
        }
        Err(_) => {
            return Err(CallbackError::Forged("the transaction inside is not this app's"));
        }
    };
    Ok(meaning(node, &merchant.id, name, &payload, transaction))
}

/// Compares bundle, environment and, in production, the app's number.
fn addressed(node: &AppleNode, data: &Map<String, Value>) -> Result<(), CallbackError> {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    if text("bundleId") != Some(&node.bundle_id) {
        return Err(CallbackError::Forged("another app's bundle"));
    }
    // The token of an external purchase says its environment by its own name.
    let environment = match text("externalPurchaseId") {
        Some(id) if id.starts_with("SANDBOX") => Some("Sandbox"),
        Some(_) => Some("Production"),
        None => text("environment"),
    };
    if !allowed(node, environment) {
        return Err(CallbackError::Forged("another environment"));
    }
    let app = data.get("appAppleId").and_then(Value::as_u64);
    if environment == Some("Production") && (app.is_none() || app != node.app_apple_id) {
        return Err(CallbackError::Forged("another app's number"));
    }
    Ok(())
}

fn meaning(
    node: &AppleNode,
    merchant: &str,
    name: &str,
    payload: &Map<String, Value>,
    transaction: Transaction,
) -> Notice {
    let id = payload.get("notificationUUID").and_then(Value::as_str).unwrap_or(&transaction.id).to_owned();
    match (name, transaction.token.clone()) {
        ("ONE_TIME_CHARGE" | "SUBSCRIBED", Some(token)) if !transaction.revoked => {
            Notice::Payment(Box::new(transaction.payment_of(merchant, node.bundle_id.clone(), token)))
        }
        ("REFUND", _) => Notice::Refund(Box::new(RefundNotice {
            provider: Provider::Appleiap,
            merchant: merchant.to_owned(),
            number: transaction.token.clone(),
            transaction_id: Some(transaction.identity().to_owned()),
            share: Some(transaction.share),
            returned: None,
            out_refund_no: id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect(),
            standing: RefundStanding {
                refunded_at: transaction.revoked_at,
                ..RefundStanding::new(RefundProgress::Success)
            },
            mch_id: None,
            parties: Parties::default(),
            signed: true,
            info: transaction.info.clone(),
            payment: transaction
                .token
                .clone()
                .map(|token| transaction.payment_of(merchant, node.bundle_id.clone(), token)),
        })),
        (_, number) => {
            let mut transactions = vec![transaction.identity().to_owned()];
            for number in [Some(transaction.id), transaction.original_id].into_iter().flatten() {
                if !transactions.contains(&number) {
                    transactions.push(number);
                }
            }
            Notice::Event(Box::new(Event {
                provider: Provider::Appleiap,
                merchant: merchant.to_owned(),
                name: name.to_owned(),
                id,
                at: signed_date(payload).unwrap_or_default(),
                number,
                transactions,
                alert: match name {
                    "REVOKE" => Some(Alert::TakenBack),
                    "REFUND_REVERSED" => Some(Alert::RefundUndone),
                    _ => None,
                },
            }))
        }
    }
}

/// Apple reads the status only.
pub(crate) fn reply(_request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let status = match verdict {
        Verdict::Accepted => 200,
        Verdict::Rejected => 400,
        Verdict::Retry => 500,
    };
    ProviderReply { status, content_type: "", body: String::new() }
}
