//! A purchase as the store states it, in a signed transaction or in a receipt.

use super::refused;
use crate::apple::AppleNode;
use crate::{CallError, is_dated, is_said, text_of};
use domain::{Attempt, Payment, Provider, UnixMs};
use serde_json::{Map, Value, json};

/// A transaction of this app, in an environment that counts.
#[derive(Clone)]
pub(super) struct Transaction {
    pub id: String,
    /// The first of those that belong together: of the renewals of a subscription, of the restorations of a purchase.
    pub original_id: Option<String>,
    /// Of an auto-renewable subscription, whose renewals are payments of their own.
    pub renews: bool,
    /// `webOrderLineItemId`, marked so that it is no number of a transaction: one for each period of a subscription,
    /// the same wherever that is restored.
    pub line: Option<String>,
    pub product_id: String,
    pub quantity: u64,
    /// `appAccountToken`, lower case.
    pub token: Option<String>,
    pub purchased_at: UnixMs,
    /// When the store said this, where it signed it.
    pub signed_at: Option<UnixMs>,
    pub revoked: bool,
    /// When it was taken back, and the part of it in 1/100 000.
    pub revoked_at: Option<UnixMs>,
    pub share: u32,
    pub info: Value,
}

impl Transaction {
    /// Names the payment. A restoration is the same payment under a number of its own: what does not renew was paid
    /// once, and goes by its original number; a period of a subscription goes by the number of its line.
    pub(super) fn identity(&self) -> &str {
        match (self.renews, &self.line, &self.original_id) {
            (true, Some(line), _) => line,
            (false, _, Some(original)) => original,
            (true, None, _) | (false, _, None) => &self.id,
        }
    }

    /// Verifies a signed transaction and checks whose it is.
    pub(super) fn signed(node: &AppleNode, compact: &str) -> Result<Self, CallError> {
        match node.anchor.open(compact.trim(), |claims| signed_date(claims).map(UnixMs::get)) {
            Ok(claims) => Self::of_claims(node, &claims),
            Err(error) => refused("NOT_AUTHENTIC", &error.to_string()),
        }
    }

    fn of_claims(node: &AppleNode, claims: &Map<String, Value>) -> Result<Self, CallError> {
        let text = |name: &str| text_of(claims, name);
        if text("bundleId") != Some(&node.bundle_id) {
            return refused("BUNDLE", "the transaction is of another app");
        }
        if !allowed(node, text("environment")) {
            return refused("ENVIRONMENT", "the transaction is of another environment");
        }
        if text("inAppOwnershipType").is_some_and(|kind| kind != "PURCHASED") {
            return refused("OWNERSHIP", "the purchase is another person's (family sharing)");
        }
        let (Some(id), Some(product_id)) = (text("transactionId"), text("productId")) else {
            return refused("INCOMPLETE", "the transaction names no product");
        };
        let time = |name: &str| claims.get(name).and_then(Value::as_i64).map(UnixMs::new);
        let renews = match text("type") {
            Some(kind) => kind == "Auto-Renewable Subscription",
            None => is_dated(claims, "expiresDate"),
        };
        let purchased_at = time("purchaseDate").unwrap_or(UnixMs::EPOCH);
        let whole = text("revocationType") != Some("REFUND_PRORATED");
        let percentage = claims.get("revocationPercentage").and_then(Value::as_u64).filter(|_| !whole);
        const KEPT: [&str; 15] = [
            "transactionId",
            "originalTransactionId",
            "webOrderLineItemId",
            "productId",
            "quantity",
            "type",
            "environment",
            "purchaseDate",
            "expiresDate",
            "price",
            "offerType",
            "offerDiscountType",
            "currency",
            "storefront",
            "transactionReason",
        ];
        let info = crate::kept(&KEPT, claims);
        Ok(Self {
            id: id.to_owned(),
            original_id: text("originalTransactionId").map(str::to_owned),
            renews,
            line: text("webOrderLineItemId").map(line_of),
            product_id: product_id.to_owned(),
            quantity: claims.get("quantity").and_then(Value::as_u64).unwrap_or(1),
            token: text("appAccountToken").map(str::to_ascii_lowercase),
            purchased_at: first_bought(renews, purchased_at, time("originalPurchaseDate")),
            signed_at: signed_date(claims),
            revoked: is_dated(claims, "revocationDate")
                || is_said(claims, "revocationReason")
                || is_said(claims, "revocationType"),
            revoked_at: time("revocationDate"),
            share: percentage.map_or(100_000, |n| u32::try_from(n).unwrap_or(100_000)),
            info: Value::Object(info),
        })
    }

    /// The same transaction by what two lists say of it; `None` when they contradict each other.
    pub(super) fn with(self, other: Self) -> Option<Self> {
        let same_token = match (&self.token, &other.token) {
            (Some(own), Some(other)) => own == other,
            (None, _) | (_, None) => true,
        };
        let same_original = match (&self.original_id, &other.original_id) {
            (Some(own), Some(other)) => own == other,
            (None, _) | (_, None) => true,
        };
        let same_line = match (&self.line, &other.line) {
            (Some(own), Some(other)) => own == other,
            (None, _) | (_, None) => true,
        };
        let same_goods = self.product_id == other.product_id && self.quantity == other.quantity;
        if !same_goods || !same_token || !same_original || !same_line {
            return None;
        }
        Some(Self {
            renews: self.renews || other.renews,
            original_id: self.original_id.or(other.original_id),
            line: self.line.or(other.line),
            token: self.token.or(other.token),
            purchased_at: self.purchased_at.min(other.purchased_at),
            revoked: self.revoked || other.revoked,
            revoked_at: self.revoked_at.or(other.revoked_at),
            ..self
        })
    }

    /// As a payment: of the order that its token names, else of the attempt that the client brings it for.
    pub(super) fn payment(self, merchant: &str, attempt: &Attempt) -> Payment {
        let number = self.token.clone().unwrap_or_else(|| attempt.number.clone());
        self.payment_of(merchant, attempt.app_id.clone(), number)
    }

    /// As a payment of the order that a token stands for.
    pub(super) fn payment_of(self, merchant: &str, bundle_id: String, number: String) -> Payment {
        let mut goods = Map::new();
        goods.insert("product_id".to_owned(), json!(self.product_id));
        goods.insert("quantity".to_owned(), json!(self.quantity));
        let id = self.identity().to_owned();
        Payment {
            goods,
            app_id: Some(bundle_id),
            paid_at: Some(self.purchased_at),
            info: self.info,
            ..Payment::new(Provider::Appleiap, merchant, number, id)
        }
    }
}

/// A line's number, as it names a payment.
pub(super) fn line_of(number: &str) -> String {
    format!("line-{number}")
}

/// When it was paid: a restoration has a date of its own.
pub(super) fn first_bought(renews: bool, at: UnixMs, original: Option<UnixMs>) -> UnixMs {
    original.filter(|first| !renews && *first > UnixMs::EPOCH).map_or(at, |first| first.min(at))
}

/// `signedDate`, or of an app's own receipt `receiptCreationDate`.
pub(super) fn signed_date(claims: &Map<String, Value>) -> Option<UnixMs> {
    claims.get("signedDate").or_else(|| claims.get("receiptCreationDate"))?.as_i64().map(UnixMs::new)
}

/// Whether an environment counts: `Production`, with `sandbox: true` also `Sandbox`, never another.
pub(super) fn allowed(node: &AppleNode, environment: Option<&str>) -> bool {
    match environment {
        Some("Production") => true,
        Some("Sandbox") => node.sandbox,
        _ => false,
    }
}
