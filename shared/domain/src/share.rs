//! Profit sharing: what of a paid order goes to receivers, what of it comes back, and what an order has shared in all.
//!
//! A share and a return are items of their own, beside their order. What the order has in [`Sharing`] are their sums.

use super::{Fen, Order, Provider, UnixMs};
use serde::{Deserialize, Serialize};

/// How many shares may be asked of one order, the end of sharing included; the least that a provider allows.
pub const MAX_SHARES: u64 = 50;
/// How many receivers a share may have; the least that a provider allows.
pub const MAX_RECEIVERS: usize = 50;

/// What an order shares, in sums. It is there from the beginning where the provider was told that the order may be
/// shared, because it keeps the money of such an order until it is shared or unfrozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sharing {
    /// In shares whose end is not known yet.
    pub reserved: Fen,
    /// With receivers: what ended well, less what was returned.
    pub shared: Fen,
    /// What is being returned because a refund waits for it. It is not in `shared` any more, nor in what is left.
    pub returning: Fen,
    /// Nothing more can be shared: the rest is the merchant's, or is about to be.
    #[serde(default)]
    pub ended: bool,
    /// Shares begun so far, the end of sharing included.
    #[serde(default)]
    pub num: u64,
}

impl Sharing {
    /// What receivers have, or are about to have.
    pub const fn taken(&self) -> Fen {
        Fen(self.reserved.0.saturating_add(self.shared.0))
    }
}

impl Order {
    /// What may still be shared of it, and what a refund can take without anything being returned first: what is paid,
    /// less what is refunded, less what is shared, both with what is reserved.
    pub fn unshared(&self) -> Fen {
        Fen(self.refundable.0.saturating_sub(self.sharing.map_or(0, |sharing| sharing.taken().0)))
    }
}

/// How a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ShareState {
    /// Written here; whether the provider has it is not known.
    Unknown,
    /// The provider has it.
    Processing,
    /// Every receiver has an end.
    Finished,
    /// The provider did not take it; the same number may be sent again.
    Refused,
}

impl ShareState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Processing => "PROCESSING",
            Self::Finished => "FINISHED",
            Self::Refused => "REFUSED",
        }
    }

    /// Whether it has not ended.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::Processing)
    }
}

/// How a receiver of a share stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReceiverResult {
    /// On its way, or not known.
    Pending,
    /// The receiver has the money.
    Success,
    /// The receiver does not get it; the merchant has it.
    Closed,
}

/// A receiver of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareReceiver {
    /// One of [`RECEIVER_TYPES`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The account: a merchant's number, an openid.
    pub account: String,
    /// How much.
    pub amount: Fen,
    /// Why, as the provider shows it.
    pub description: String,
    /// How it stands.
    pub result: ReceiverResult,
    /// Why it gets nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_reason: Option<String>,
    /// The provider's number of this part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail_id: Option<String>,
    /// What it has returned.
    #[serde(default)]
    pub returned: Fen,
    /// What it is asked to return, and may have.
    #[serde(default)]
    pub returning: Fen,
}

/// The kind of receiver that is a merchant, by its number.
pub const RECEIVER_MERCHANT: &str = "MERCHANT_ID";
/// All kinds of receivers. Which of them a provider has, its driver says.
pub const RECEIVER_TYPES: [&str; 5] = [RECEIVER_MERCHANT, PERSONS[0], PERSONS[1], "userId", "openId"];
/// The kinds that return nothing: persons, where the provider tells them from merchants.
const PERSONS: [&str; 2] = ["PERSONAL_OPENID", "PERSONAL_SUB_OPENID"];

/// What a receiver can be to the merchant (`docs/protocols/merchant-operations.md#profit-sharing`).
pub const RELATION_TYPES: [&str; 11] = [
    "STORE",
    "STAFF",
    "STORE_OWNER",
    "PARTNER",
    "HEADQUARTER",
    "BRAND",
    "DISTRIBUTOR",
    "USER",
    "SUPPLIER",
    "SERVICE_PROVIDER",
    "CUSTOM",
];

impl ShareReceiver {
    /// What it has of the share now.
    pub fn holds(&self) -> Fen {
        match self.result {
            ReceiverResult::Success => Fen(self.amount.0.saturating_sub(self.returned.0)),
            ReceiverResult::Pending | ReceiverResult::Closed => Fen::ZERO,
        }
    }

    /// What it can still be asked to return.
    pub fn returnable(&self) -> Fen {
        match PERSONS.contains(&self.kind.as_str()) {
            true => Fen::ZERO,
            false => Fen(self.holds().0.saturating_sub(self.returning.0)),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.account == other.account
            && self.amount == other.amount
            && self.description == other.description
    }
}

/// A share of an order among receivers, or, without any, the end of sharing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The order.
    pub out_trade_no: String,
    /// The merchant's number of the share; the idempotency key.
    pub out_order_no: String,
    /// The provider that was paid.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The attempt that was paid, by its number.
    pub attempt: u64,
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// Who gets what; nobody, where sharing ends.
    pub receivers: Vec<ShareReceiver>,
    /// Whether the rest is unfrozen with it, so that nothing more is shared.
    pub unfreeze_unsplit: bool,
    /// Why, where there is no receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// How it stands.
    pub state: ShareState,
    /// The provider's number of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<String>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the provider was last called for it.
    pub sent_at: UnixMs,
    /// When it was begun.
    pub create_date: UnixMs,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<UnixMs>,
    /// Counts the writes of this item.
    pub version: u64,
}

/// How a receiver stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverStanding {
    /// As [`ShareReceiver::kind`].
    pub kind: String,
    /// The account.
    pub account: String,
    /// How much.
    pub amount: Fen,
    /// How it stands.
    pub result: ReceiverResult,
    /// Why it gets nothing.
    pub fail_reason: Option<String>,
    /// The provider's number of this part.
    pub detail_id: Option<String>,
}

/// How a share stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareStanding {
    /// Whether the provider is done with it.
    pub finished: bool,
    /// The provider's number of it.
    pub order_id: Option<String>,
    /// How each receiver stands; perhaps also the merchant itself, to whom the rest was unfrozen.
    pub receivers: Vec<ReceiverStanding>,
}

impl Share {
    /// What its receivers get in all.
    pub fn amount(&self) -> Fen {
        Fen(self.receivers.iter().map(|r| r.amount.0).sum())
    }

    /// What is reserved for receivers that have no end yet.
    pub fn pending(&self) -> Fen {
        match self.state {
            ShareState::Refused => Fen::ZERO,
            ShareState::Unknown | ShareState::Processing | ShareState::Finished => {
                let open = self.receivers.iter().filter(|r| r.result == ReceiverResult::Pending);
                Fen(open.map(|r| r.amount.0).sum())
            }
        }
    }

    /// What its receivers have.
    pub fn held(&self) -> Fen {
        Fen(self.receivers.iter().map(|r| r.holds().0).sum())
    }

    /// Whether another request asks for the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.out_trade_no == other.out_trade_no
            && self.unfreeze_unsplit == other.unfreeze_unsplit
            && self.description == other.description
            && self.receivers.len() == other.receivers.len()
            && self.receivers.iter().zip(&other.receivers).all(|(own, other)| own.is_same(other))
    }

    /// The share after what the provider says of it; `None` when that changes nothing. An end stays an end.
    pub fn taken(&self, standing: &ShareStanding, now: UnixMs) -> Option<Self> {
        if !self.state.is_open() {
            return None;
        }
        let mut next = self.clone();
        for receiver in next.receivers.iter_mut().filter(|r| r.result == ReceiverResult::Pending) {
            let told = standing.receivers.iter().find(|told| {
                told.kind == receiver.kind && told.account == receiver.account && told.amount == receiver.amount
            });
            if let Some(told) = told {
                receiver.result = told.result;
                receiver.detail_id = told.detail_id.clone().or(receiver.detail_id.take());
                receiver.fail_reason = told.fail_reason.clone();
            }
        }
        let done = next.receivers.iter().all(|r| r.result != ReceiverResult::Pending);
        next.state = if standing.finished && done { ShareState::Finished } else { ShareState::Processing };
        next.order_id = standing.order_id.clone().or(next.order_id);
        next.reason = None;
        next.end_date = (next.state == ShareState::Finished).then_some(now);
        (next != *self).then(|| Self { version: self.version + 1, ..next })
    }
}

/// How a return stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ReturnState {
    /// Written here; whether the provider has it is not known. It may wait for its turn.
    Unknown,
    /// The provider has it.
    Processing,
    /// The merchant has the money.
    Success,
    /// The provider took it and it failed; another needs a number of its own.
    Failed,
    /// The provider did not take it, or it was never asked to.
    Refused,
}

impl ReturnState {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Failed => "FAILED",
            Self::Refused => "REFUSED",
        }
    }

    /// Whether it has not ended.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Unknown | Self::Processing)
    }
}

/// A return of what a receiver got by a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShareReturn {
    /// The order.
    pub out_trade_no: String,
    /// The merchant's number of the return; the idempotency key.
    pub out_return_no: String,
    /// The share.
    pub out_order_no: String,
    /// The receiver's account: a merchant number of WeChat Pay, an account of Alipay.
    pub return_mchid: String,
    /// How much.
    pub amount: Fen,
    /// Why, as the provider shows it.
    pub description: String,
    /// The refund that waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_refund_no: Option<String>,
    /// The provider that was paid.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The attempt that was paid, by its number.
    pub attempt: u64,
    /// How it stands.
    pub state: ReturnState,
    /// The provider's number of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_id: Option<String>,
    /// Why it failed, or was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_reason: Option<String>,
    /// When the provider was last called for it; 0 when never.
    pub sent_at: UnixMs,
    /// When it was begun.
    pub create_date: UnixMs,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<UnixMs>,
    /// Counts the writes of this item.
    pub version: u64,
}

/// How a return stands at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnStanding {
    /// How it stands.
    pub state: ReturnState,
    /// The provider's number of it.
    pub return_id: Option<String>,
    /// Why it failed.
    pub fail_reason: Option<String>,
}

impl ShareReturn {
    /// Whether another request asks for the same.
    pub fn is_same(&self, other: &Self) -> bool {
        self.out_trade_no == other.out_trade_no
            && self.out_order_no == other.out_order_no
            && self.return_mchid == other.return_mchid
            && self.amount == other.amount
    }

    /// The return after what the provider says of it; `None` when that changes nothing.
    pub fn taken(&self, standing: &ReturnStanding, now: UnixMs) -> Option<Self> {
        if !self.state.is_open() || standing.state == ReturnState::Unknown {
            return None;
        }
        let next = Self {
            state: standing.state,
            return_id: standing.return_id.clone().or_else(|| self.return_id.clone()),
            fail_reason: standing.fail_reason.clone(),
            end_date: (!standing.state.is_open()).then_some(now),
            ..self.clone()
        };
        (next != *self).then(|| Self { version: self.version + 1, ..next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(account: &str, amount: u64) -> ShareReceiver {
        ShareReceiver {
            kind: RECEIVER_MERCHANT.to_owned(),
            account: account.to_owned(),
            amount: Fen(amount),
            description: "d".to_owned(),
            result: ReceiverResult::Pending,
            fail_reason: None,
            detail_id: None,
            returned: Fen::ZERO,
            returning: Fen::ZERO,
        }
    }

    fn share() -> Share {
        Share {
            out_trade_no: "O".to_owned(),
            out_order_no: "S".to_owned(),
            provider: Provider::Wxpay,
            merchant: "default".to_owned(),
            attempt: 1,
            transaction_id: "4200".to_owned(),
            receivers: vec![receiver("1", 10), receiver("2", 20)],
            unfreeze_unsplit: false,
            description: None,
            state: ShareState::Unknown,
            order_id: None,
            reason: None,
            sent_at: UnixMs::EPOCH,
            create_date: UnixMs::EPOCH,
            end_date: None,
            version: 1,
        }
    }

    fn told(account: &str, amount: u64, result: ReceiverResult) -> ReceiverStanding {
        ReceiverStanding {
            kind: RECEIVER_MERCHANT.to_owned(),
            account: account.to_owned(),
            amount: Fen(amount),
            result,
            fail_reason: None,
            detail_id: None,
        }
    }

    #[test]
    fn each_receiver_ends_by_itself_and_an_end_stays() {
        let mut standing = ShareStanding {
            finished: false,
            order_id: Some("300".to_owned()),
            receivers: vec![told("1", 10, ReceiverResult::Success), told("2", 20, ReceiverResult::Pending)],
        };
        let one = share().taken(&standing, UnixMs::EPOCH).expect("a change");
        assert_eq!((one.state, one.pending(), one.held()), (ShareState::Processing, Fen(20), Fen(10)));
        standing.receivers = vec![
            told("1", 10, ReceiverResult::Closed),
            told("2", 20, ReceiverResult::Closed),
            told("me", 70, ReceiverResult::Success),
        ];
        standing.finished = true;
        let both = one.taken(&standing, UnixMs::EPOCH).expect("a change");
        assert_eq!((both.state, both.pending(), both.held()), (ShareState::Finished, Fen::ZERO, Fen(10)));
        assert_eq!(both.taken(&standing, UnixMs::EPOCH), None);
    }

    #[test]
    fn a_receiver_that_the_provider_does_not_name_or_with_another_amount_is_no_end() {
        let standing =
            ShareStanding { finished: true, order_id: None, receivers: vec![told("1", 11, ReceiverResult::Success)] };
        let next = share().taken(&standing, UnixMs::EPOCH).expect("a change");
        assert_eq!((next.state, next.pending()), (ShareState::Processing, Fen(30)));
    }
}
