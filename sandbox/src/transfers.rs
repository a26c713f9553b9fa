//! The books of transfers: who was paid out, and how far it is. No wire format here.

use crate::ledger::{Due, Provider, State, Trade, Wire};
use crate::{Sandbox, ids};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The product of a [`Trade`] that stands for a transfer in the outbox.
pub(crate) const PRODUCT: &str = "transfer";

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

impl TransferState {
    /// The word on WeChat's wire.
    pub(crate) fn wxpay(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::WaitUserConfirm => "WAIT_USER_CONFIRM",
            Self::Canceling => "CANCELING",
            Self::Success => "SUCCESS",
            Self::Fail | Self::Returned => "FAIL",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The word on Alipay's wire.
    pub(crate) fn alipay(self) -> &'static str {
        match self {
            Self::Accepted | Self::WaitUserConfirm | Self::Canceling => "DEALING",
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
            Self::Cancelled => "CLOSED",
            Self::Returned => "REFUND",
        }
    }
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The parameters of the request, decrypted, for comparison with a repetition.
    pub request: Value,
}

impl Transfer {
    /// As WeChat's callback tells it, in the shape of the outbox.
    pub(crate) fn told(&self) -> Trade {
        let mut told = Trade::begin(
            self.provider,
            self.wire,
            &self.merchant,
            &self.number,
            self.amount,
            self.notify_url.clone(),
            self.updated,
        );
        told.product = PRODUCT.to_owned();
        told.request = json!({
            "out_bill_no": self.number,
            "transfer_bill_no": self.id,
            "state": self.state.wxpay(),
            "mch_id": self.merchant,
            "transfer_amount": self.amount,
            "openid": self.payee,
            "create_time": ids::rfc3339(self.created),
            "update_time": ids::rfc3339(self.updated),
        });
        if let Some(reason) = &self.fail_reason {
            told.request["fail_reason"] = json!(reason);
        }
        told
    }
}

impl State {
    /// Enters a transfer, or finds the same one again; `None` when the number has another content.
    pub(crate) fn transfer(&mut self, transfer: Transfer) -> Option<usize> {
        let same = |known: &Transfer| {
            (known.provider, &known.merchant, &known.number)
                == (transfer.provider, &transfer.merchant, &transfer.number)
        };
        match self.transfers.iter().position(same) {
            Some(at) => (self.transfers[at].request == transfer.request).then_some(at),
            None => {
                self.transfers.push(transfer);
                Some(self.transfers.len() - 1)
            }
        }
    }

    /// Begins to take one back; it is done after some time.
    pub(crate) fn cancel_transfer(&mut self, at: usize, now: i64, done: i64) {
        let transfer = &mut self.transfers[at];
        transfer.state = TransferState::Canceling;
        transfer.updated = now;
        self.schedule(done, Due::Cancel(at));
    }

    /// Ends a transfer and queues WeChat's callback.
    pub(crate) fn settle_transfer(&mut self, at: usize, outcome: &TransferOutcome, now: i64) -> Result<(), String> {
        let transfer = &mut self.transfers[at];
        let comes_back = *outcome == TransferOutcome::Returned && transfer.state == TransferState::Success;
        if transfer.ended.is_some() && !comes_back {
            return Err(format!("{}: the transfer is {:?}", transfer.number, transfer.state));
        }
        transfer.state = match outcome {
            TransferOutcome::Success => TransferState::Success,
            TransferOutcome::Fail(_) => TransferState::Fail,
            TransferOutcome::Cancelled => TransferState::Cancelled,
            TransferOutcome::Returned => TransferState::Returned,
        };
        if let TransferOutcome::Fail(reason) = outcome {
            transfer.fail_reason = Some(reason.clone());
        }
        transfer.updated = now;
        transfer.ended = Some(now);
        if transfer.provider == Provider::Wxpay {
            let told = transfer.told();
            self.outbox.transfer(told, now);
        }
        Ok(())
    }
}

impl Sandbox {
    /// All transfers, oldest first.
    pub fn transfers(&self) -> Vec<Transfer> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        state.transfers.clone()
    }

    /// The newest transfer with this number.
    pub fn transfer(&self, number: &str) -> Option<Transfer> {
        self.transfers().into_iter().rev().find(|transfer| transfer.number == number)
    }

    /// The payee of WeChat Pay's confirms: the transfer succeeds, and its callback is queued.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    pub fn confirm_transfer(&self, number: &str) -> Result<(), String> {
        self.settle_transfer(number, &TransferOutcome::Success)
    }

    /// Ends the newest transfer with this number.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    pub fn settle_transfer(&self, number: &str, outcome: &TransferOutcome) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = state.transfers.iter().rposition(|transfer| transfer.number == number);
        let at = at.ok_or_else(|| format!("no transfer {number}"))?;
        state.settle_transfer(at, outcome, now)
    }
}
