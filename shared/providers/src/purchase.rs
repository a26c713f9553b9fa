//! In-app purchases: what a client brings as proof, and what the provider says of it.

use domain::{Payment, UnixMs};
/// What a client brings as proof of an in-app purchase.
#[derive(Clone, Copy)]
pub enum Proof<'a> {
    /// A signed transaction: StoreKit 2's `jwsRepresentation`, HarmonyOS's `jwsPurchaseOrder`.
    Signed(&'a str),
    /// An App Store receipt, and which of its transactions is meant.
    Receipt {
        /// `transactionReceipt`, base64.
        receipt: &'a str,
        /// `transactionIdentifier`.
        transaction_id: &'a str,
    },
    /// A transaction by its number alone: the provider is asked.
    Transaction(&'a str),
    /// A HarmonyOS order by its id and token: the provider is asked.
    Order {
        /// `purchaseOrderId`.
        id: &'a str,
        /// `purchaseToken`.
        token: &'a str,
    },
}

/// A purchase that is authentic and of this merchant's app.
#[derive(Debug, Clone, PartialEq)]
pub struct Purchase {
    /// The payment. Its `number` is the order's when the purchase names none.
    pub payment: Payment,
    /// The store took it back.
    pub revoked: bool,
    /// Older than the merchant takes (`receiptExpiresIn`).
    pub too_old: bool,
    /// Where the proof is what the store signed some time ago, and not what it says now.
    pub held: Option<Held>,
}

/// A signed purchase that its client had in hand; the store may have taken it back since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// When it was signed.
    pub at: UnixMs,
    /// By what the store can be asked about it: a number of the transaction, a token of the purchase.
    pub key: String,
}
