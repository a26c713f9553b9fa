//! The books of transfers: who was paid out, and how far it is. No wire format here.

use crate::ledger::{NewTrade, Trade};
use crate::provider::{Provider, Wire};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// States of a transfer, of both providers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TransferState {
    /// Accepted (Alipay: `DEALING`).
    Accepted,
    /// WeChat Pay: the payee must confirm.
    WaitUserConfirm,
    /// WeChat Pay: being taken back.
    Canceling,
    /// The payee has it.
    Success,
    /// Failed.
    Fail,
    /// WeChat Pay: taken back.
    Cancelled,
    /// Alipay: the money came back (`REFUND`).
    Returned,
}

/// How [`crate::Sandbox::settle_transfer`] ends a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransferOutcome {
    /// The payee has it.
    Success,
    /// It fails, for this reason.
    Fail(String),
    /// It is taken back, or the payee let it expire.
    Cancelled,
    /// The money comes back, also after a success.
    Returned,
}

/// A transfer in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Transfer {
    pub provider: Provider,
    /// mchid, or Alipay's app id.
    pub merchant: String,
    pub appid: String,
    pub wire: Wire,
    /// out_bill_no, out_biz_no.
    pub number: String,
    /// transfer_bill_no, order_id.
    pub id: String,
    pub amount: u64,
    /// openid, identity.
    pub payee: String,
    /// The real name, decrypted.
    pub name: Option<String>,
    pub remark: Option<String>,
    pub state: TransferState,
    pub fail_reason: Option<String>,
    pub package_info: Option<String>,
    pub notify_url: Option<String>,
    pub created: i64,
    pub updated: i64,
    pub ended: Option<i64>,
    /// When its receipt was asked for.
    pub receipt: Option<i64>,
    /// The parameters of the request, decrypted, for comparison with a repetition.
    pub request: Value,
}

impl Transfer {
    /// As the outbox keeps it.
    pub(crate) fn as_trade(&self) -> Trade {
        Trade::begin(NewTrade {
            provider: self.provider,
            wire: self.wire,
            merchant: &self.merchant,
            number: &self.number,
            total: self.amount,
            notify_url: self.notify_url.clone(),
            now: self.updated,
        })
    }
}
