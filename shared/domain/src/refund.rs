//! Refunds of an order.

use super::{Attempt, Fen, Order, Provider, UnixMs};
use serde::{Deserialize, Serialize};

/// How a refund stands. Only `Processing` is not final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundState {
    /// Its amount is reserved; the provider has it, or it is not known whether it does.
    Processing,
    /// The money went back.
    Success,
    /// The provider took it and then closed it; the reservation is released.
    Closed,
    /// The provider did not take it; the reservation is released, and the same number may be sent again.
    Refused,
}

impl RefundState {
    /// The name, as in `data.status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processing => "PROCESSING",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
            Self::Refused => "REFUSED",
        }
    }

    /// Whether a refund may move to a state: an unfinished one to any end, a refused one may be sent again.
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Processing, Self::Success | Self::Closed | Self::Refused) => true,
            (Self::Refused, Self::Processing) => true,
            (Self::Processing, Self::Processing)
            | (Self::Refused, Self::Refused | Self::Success | Self::Closed)
            | (Self::Success | Self::Closed, _) => false,
        }
    }
}

/// One refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// The order.
    pub out_trade_no: String,
    /// The merchant's refund number; the idempotency key of `refund`.
    pub out_refund_no: String,
    /// The provider's refund number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// The amount.
    pub refund_fee: Fen,
    /// Why, as the payer may see it.
    pub refund_desc: String,
    /// How it stands.
    pub state: RefundState,
    /// The provider that was paid.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The attempt that was paid, by its number.
    pub attempt: u64,
    /// The incident that it answers: a payment that no order was credited for goes back. It then stands beside
    /// the order's own sums, with the payment's number and amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The provider's number of that payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// What that payment paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_fee: Option<Fen>,
    /// Whether its provider was called for it more than once: then a refusal that says nothing of its number does
    /// not end it, because another call may have been taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// What of the amount goes back to the payer in money and not as a coupon, where the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cash_refund_fee: Option<Fen>,
    /// How often it was sent to a bank card, because the payer's account did not take it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sent_to_card: u64,
    /// The returns of shares that it waits for: it is sent to the provider when each of them has ended well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub returns: Vec<String>,
    /// What the provider last said, when it was not a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was begun.
    pub create_date: UnixMs,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_date: Option<UnixMs>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Refund {
    /// A refund of an order through the attempt that was paid, under way since `now`.
    pub fn begun(order: &Order, attempt: &Attempt, out_refund_no: String, refund_fee: Fen, now: UnixMs) -> Self {
        Self {
            out_trade_no: order.out_trade_no.clone(),
            out_refund_no,
            refund_id: None,
            refund_fee,
            refund_desc: String::new(),
            state: RefundState::Processing,
            provider: attempt.provider,
            merchant: attempt.merchant.clone(),
            attempt: attempt.n,
            incident: None,
            transaction_id: None,
            total_fee: None,
            repeated: false,
            cash_refund_fee: None,
            sent_to_card: 0,
            returns: Vec::new(),
            reason: None,
            create_date: now,
            refund_date: None,
        }
    }
}
