//! Key events of IAP Kit (`docs/protocols/huawei.md#iap-kit`, notification v3). An event says that something
//! happened to an order; how the order stands is asked for, because events come late and out of order.

use super::iap;
use crate::Merchant;
use crate::huawei::{HuaweiNode, IapKit};
use crate::{
    Alert, CallError, CallbackError, Event, Notice, ProviderClients, RefundNotice, RefundProgress, RefundStanding,
    text_of,
};
use domain::{Parties, Payment, Provider, UnixMs};
use serde_json::{Value, json};

/// The kind of product that is a subscription, which renews and is asked about elsewhere.
const SUBSCRIPTION: i64 = 2;

/// A signed event about an order of this application.
struct Told<'a> {
    name: &'a str,
    id: &'a str,
    at: UnixMs,
    order: &'a str,
    token: Option<&'a str>,
    subscription: bool,
}

/// Reads a key event with the keys of one merchant.
pub(super) async fn read(
    merchant: &Merchant,
    clients: &ProviderClients,
    signed: &str,
    now: UnixMs,
) -> Result<Notice, CallbackError> {
    let mut why = "not signed by Huawei";
    for node in merchant.huawei.values() {
        let Some(kit) = &node.iap else { continue };
        let Ok(claims) = kit.anchor.open(signed, |claims| iap::signed_time(claims).map(UnixMs::get)) else { continue };
        let name = text_of(&claims, "notificationType").unwrap_or("no type");
        let Some(meta) = claims.get("notificationMetaData").and_then(Value::as_object) else {
            return Ok(other(name));
        };
        // One root signs for every application.
        if text_of(meta, "applicationId") != Some(node.app_id.as_str()) {
            why = "another application's message";
            continue;
        }
        if !iap::allowed(node, text_of(meta, "environment")) {
            return Err(CallbackError::Forged("another environment"));
        }
        let Some(order) = text_of(meta, "purchaseOrderId") else { return Ok(other(name)) };
        let kind = meta.get("type").and_then(|kind| kind.as_i64().or_else(|| kind.as_str()?.parse().ok()));
        let told = Told {
            name,
            id: text_of(&claims, "notificationRequestId").unwrap_or(order),
            at: iap::signed_time(&claims).unwrap_or_default(),
            order,
            token: text_of(meta, "purchaseToken"),
            subscription: kind == Some(SUBSCRIPTION),
        };
        return meaning(clients, node, kit, &merchant.id, &told, now).await;
    }
    Err(CallbackError::Forged(why))
}

/// What it means: a purchase is credited, one that was taken back is refunded, by what Huawei's server says.
async fn meaning(
    clients: &ProviderClients,
    node: &HuaweiNode,
    kit: &IapKit,
    merchant: &str,
    told: &Told<'_>,
    now: UnixMs,
) -> Result<Notice, CallbackError> {
    let back = match told.name {
        "DID_NEW_TRANSACTION" | "SYNC" => false,
        "REVOKE" => true,
        name => return Ok(event(merchant, name, told, None)),
    };
    let token = match (told.token, told.subscription) {
        (Some(token), false) if kit.api.is_some() => token,
        // Nobody can be asked: the signed word is all there is.
        (_, false) if back => return Ok(refund(merchant, told, None, None)),
        (_, true) if back => return Ok(event(merchant, told.name, told, Some(Alert::TakenBack))),
        _ => {
            tracing::warn!(order = told.order, "a purchase of IAP Kit cannot be asked about; its client must bring it");
            return Ok(event(merchant, told.name, told, None));
        }
    };
    match iap::stands(clients, node, kit, merchant, (told.order, token), now).await {
        Ok((purchase, claims)) if purchase.revoked => {
            let at = claims.get("revocationTime").and_then(Value::as_i64).filter(|at| *at > 0).map(UnixMs::new);
            Ok(refund(merchant, told, Some(purchase.payment), at))
        }
        Ok((purchase, _)) if !back => Ok(Notice::Payment(Box::new(purchase.payment))),
        // It was taken back by its signed word, and not by the server's: somebody must look.
        Ok(_) => Ok(event(merchant, told.name, told, Some(Alert::Doubtful))),
        Err(CallError::Refused(refusal)) if back => {
            tracing::warn!(order = told.order, code = refusal.code, "Huawei does not tell of what it took back");
            Ok(refund(merchant, told, None, None))
        }
        Err(error) => Err(CallbackError::Unavailable(error.to_string())),
    }
}

/// A purchase that was taken back whole, with the purchase itself where it is known.
fn refund(merchant: &str, told: &Told<'_>, payment: Option<Payment>, at: Option<UnixMs>) -> Notice {
    Notice::Refund(Box::new(RefundNotice {
        provider: Provider::Huawei,
        merchant: merchant.to_owned(),
        number: payment.as_ref().map(|payment| payment.number.clone()),
        transaction_id: Some(told.order.to_owned()),
        share: Some(100_000),
        returned: None,
        // The store takes a purchase back once, and gives that no number.
        out_refund_no: format!("REVOKE-{}", told.order),
        standing: RefundStanding { refunded_at: at.or(Some(told.at)), ..RefundStanding::new(RefundProgress::Success) },
        mch_id: None,
        parties: Parties::default(),
        payment,
        signed: true,
        info: json!({ "notificationType": told.name, "purchaseOrderId": told.order }),
    }))
}

fn event(merchant: &str, name: &str, told: &Told<'_>, alert: Option<Alert>) -> Notice {
    Notice::Event(Box::new(Event {
        provider: Provider::Huawei,
        merchant: merchant.to_owned(),
        name: name.chars().take(64).collect(),
        id: told.id.chars().take(64).collect(),
        at: told.at,
        number: None,
        transactions: vec![told.order.to_owned()],
        alert,
    }))
}

fn other(name: &str) -> Notice {
    Notice::Other(format!("huawei iap {}", name.chars().take(64).collect::<String>()))
}
