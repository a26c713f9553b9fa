//! Incidents: money that does not fit an order, for the operator.

use super::item::{Key, attribute, item_of, plain};
use super::{HistoryEntry, Refused, Store, StoreError};
use crate::crypto::hash;
use crate::order::Provider;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The name of an incident, as in the contract's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentName {
    /// A payment of an order that was closed.
    LatePayment,
    /// A second payment of a paid order.
    SecondPayment,
    /// Another amount than the order's.
    AmountMismatch,
    /// Another currency.
    CurrencyMismatch,
    /// Another merchant.
    MerchantMismatch,
    /// Another application.
    AppMismatch,
    /// A payment of an order that the table does not know.
    UnknownOrder,
    /// A refund that was not asked for here.
    RefundElsewhere,
    /// A refund of another amount than was asked for here, or one that was taken back.
    RefundMismatch,
    /// The provider took back what was bought.
    Chargeback,
    /// A right in-app purchase that came too late to be credited.
    UnusedReceipt,
}

/// One incident. The same fact again has the same `incident_id` and is recorded once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// What happened.
    pub incident: IncidentName,
    /// Who said so.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The order, also one that the table does not know.
    pub out_trade_no: String,
    /// The provider's number of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The refund number, for refunds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_refund_no: Option<String>,
    /// What the order says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
}

impl Incident {
    /// The id: a digest of what makes two incidents the same fact.
    pub fn id(&self) -> String {
        let facts = json!([
            self.incident,
            self.provider,
            self.merchant,
            self.out_trade_no,
            self.transaction_id,
            self.out_refund_no,
            self.actual,
        ]);
        hash::sha256_hex(facts.to_string().as_bytes())[..32].to_owned()
    }
}

impl Store {
    /// Records an incident, and in the order's history when `known`. True when it is new.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_incident(&self, incident: &Incident, known: bool, at: i64) -> Result<bool, StoreError> {
        let id = incident.id();
        let mut item = item_of(&Key::incident(&id), "incident", incident);
        for (name, value) in [
            ("incident_id", json!(id)),
            ("status", json!("open")),
            ("create_date", json!(at)),
            ("list_key", json!("incident")),
            ("list_date", json!(at)),
        ] {
            item.insert(name.to_owned(), attribute(&value));
        }
        let mut writes = vec![self.insertion(item)];
        if known {
            let entry = HistoryEntry::new("incident", "provider", at)
                .with("incident", &incident.incident)
                .with("incident_id", &id)
                .with("transaction_id", &incident.transaction_id);
            writes.push(self.history_insertion(&incident.out_trade_no, &entry));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("incident", what)),
        }
    }

    /// Incidents, newest first; at most `limit`.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn incidents(&self, limit: i32) -> Result<Vec<Map<String, Value>>, StoreError> {
        let page = self.listing_page("incident", limit, None).await?;
        Ok(page.0.iter().map(plain).collect())
    }
}
