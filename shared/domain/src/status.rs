//! The states of an order and its legal moves.

use super::Fen;
use serde::{Deserialize, Serialize};

/// The state of an order, as `trade_state` names it (`docs/api.md#dialects`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Not paid.
    NotPay,
    /// Paid.
    Success,
    /// Paid, and refunded in part or whole.
    Refund,
    /// Ended without a payment.
    Closed,
}

impl Status {
    /// The name, as in `trade_state`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotPay => "NOTPAY",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::Closed => "CLOSED",
        }
    }

    /// The state of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::NotPay, Self::Success, Self::Refund, Self::Closed].into_iter().find(|s| s.name() == name)
    }

    /// True when the order was paid, refunded or not.
    pub const fn is_paid(self) -> bool {
        matches!(self, Self::Success | Self::Refund)
    }

    /// Whether an order may move to a state. Nothing moves back; a closed order moves only when the
    /// merchant's policy accepts a late payment, which is a move of its own: `late`.
    pub const fn may_become(self, next: Self, late: bool) -> bool {
        match (self, next) {
            (Self::NotPay, Self::Success | Self::Closed) => true,
            (Self::Success | Self::Refund, Self::Refund) => true,
            (Self::Closed, Self::Success) => late,
            (Self::NotPay, Self::NotPay | Self::Refund)
            | (Self::Success, Self::NotPay | Self::Success | Self::Closed)
            | (Self::Refund, Self::NotPay | Self::Success | Self::Closed)
            | (Self::Closed, Self::NotPay | Self::Refund | Self::Closed) => false,
        }
    }

    /// VK-Pay's integer: -1 closed, 0 unpaid, 1 paid, 2 partly refunded, 3 refunded.
    pub fn vk(self, refunded: Fen, total: Fen) -> i8 {
        match self {
            Self::Closed => -1,
            Self::NotPay => 0,
            Self::Success => 1,
            Self::Refund if refunded < total => 2,
            Self::Refund => 3,
        }
    }
}
