//! The books of payees' authorisations: who takes transfers without confirming each. No wire format here.

use crate::ledger::{NewTrade, Trade};
use crate::provider::{Provider, Wire};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// States of an authorisation, in WeChat Pay's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthorizationState {
    /// The payee has yet to give it.
    WaitUserConfirm,
    /// It was given.
    TakingEffect,
    /// It was closed, or never given in time.
    Closed,
}

/// What becomes of an authorisation by [`crate::Sandbox::settle_authorization`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthorizationOutcome {
    /// The payee gives it.
    Confirmed,
    /// The payee takes it back.
    Closed,
    /// The payee never gave it in time; nobody is told.
    Overdue,
}

/// An authorisation in the books. Times are unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Authorization {
    pub provider: Provider,
    /// mchid.
    pub merchant: String,
    pub appid: String,
    pub wire: Wire,
    /// out_authorization_no.
    pub number: String,
    /// authorization_id, once it was given.
    pub id: Option<String>,
    /// openid.
    pub payee: String,
    pub scene: String,
    pub display_name: String,
    pub state: AuthorizationState,
    pub package_info: String,
    pub notify_url: Option<String>,
    pub created: i64,
    pub authorized: Option<i64>,
    pub closed: Option<i64>,
    pub close_reason: Option<String>,
    /// The parameters of the request, for comparison with a repetition.
    pub request: Value,
}

impl Authorization {
    /// As the outbox keeps it.
    pub(crate) fn as_trade(&self, now: i64) -> Trade {
        Trade::begin(NewTrade {
            provider: self.provider,
            wire: self.wire,
            merchant: &self.merchant,
            number: &self.number,
            total: 0,
            notify_url: self.notify_url.clone(),
            now,
        })
    }
}
