//! One try to have an order paid, at one provider and product.

use super::{Provider, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptState {
    /// The provider may know it and it may be paid.
    Open,
    /// The provider refused to create it; nothing can be paid.
    Failed,
    /// The provider closed it.
    Closed,
    /// It was given up before the provider knew of it, and may still be paid until it expires.
    Abandoned,
    /// It was paid, and credited.
    Paid,
}

/// How long a reversal that was asked for may take: longer than all of its calls together may last.
pub const REVERSAL: Duration = Duration::from_mins(1);

/// An attempt keeps what was sent to the provider, so that the same can be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// 1, 2, 3 …
    pub n: u64,
    /// The provider.
    pub provider: Provider,
    /// The configuration node: `mp-weixin`, `h5` …
    pub node: String,
    /// `{provider}_{node}`.
    pub pay_type: String,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The `out_trade_no` that the provider knows: the order's own, with a suffix from the second attempt
    /// at the same provider on, because a provider never reuses a closed number. For Apple it is the
    /// `appAccountToken`. It is this attempt's alone: see `Store::holder`.
    pub number: String,
    /// True when the provider never learns `number` and knows the attempt only by `numbers` (VksPay).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub numbered_there: bool,
    /// Numbers that the provider itself gave for this attempt, oldest first (VksPay: one for each link).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// What is bought, where the provider sells goods by name: `product_id`, `quantity` … A payment that
    /// names other goods does not fit.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub goods: Map<String, Value>,
    /// The application at the provider.
    pub app_id: String,
    /// The merchant at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// Partner mode: the sub-merchant's application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_appid: Option<String>,
    /// Partner mode: the sub-merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_mchid: Option<String>,
    /// The payer at the provider, where the product names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// A digest of the payer's pay code, where there is one: the same code again is the same attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_code_digest: Option<String>,
    /// How it stands.
    pub state: AttemptState,
    /// When its provider was last asked to reverse it: what was paid by then goes back, whoever tells of it
    /// later. See [`Attempt::is_being_reversed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversing: Option<UnixMs>,
    /// True when signed notices of its payment could not be confirmed, and an operator was called: what becomes of the
    /// payment ends that incident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
    /// When it was made.
    pub create_date: UnixMs,
    /// The payer's address that was sent.
    pub client_ip: String,
}

/// The pay parameters of an attempt. They are an item of their own, so that no write of the order pays for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// `orderInfo`, as JSON text.
    pub order_info: String,
    /// The text of the QR code, where the product has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_url: Option<String>,
    /// Where the payer's browser returns to, as they say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Until when they can be used.
    #[serde(default)]
    pub fresh_until: UnixMs,
}

impl Attempt {
    /// Whether a reversal may be on its way to the provider: until it is over, nothing that was said of a payment holds.
    pub fn is_being_reversed(&self, now: UnixMs) -> bool {
        self.reversing.is_some_and(|asked| now < asked + REVERSAL)
    }

    /// The note of a reversal that is over.
    pub fn reversal_over(&self) -> Option<UnixMs> {
        self.reversing.map(|asked| asked - REVERSAL)
    }

    /// True while money may still come through this attempt.
    pub const fn may_be_paid(&self) -> bool {
        matches!(self.state, AttemptState::Open | AttemptState::Abandoned)
    }

    /// True while a further payment may come through it: before the first, and after it through another of the links
    /// that the provider gave numbers to.
    pub fn may_be_paid_again(&self) -> bool {
        self.may_be_paid() || (self.state == AttemptState::Paid && self.numbers.len() > 1)
    }

    /// True when the provider means this attempt by a number: one that it was sent, or that it gave.
    pub fn has_number(&self, number: &str) -> bool {
        (self.number == number && !self.numbered_there) || self.numbers.iter().any(|own| own == number)
    }

    /// How many payments may come through it: one, or one for each number that the provider gave.
    pub fn ways(&self) -> usize {
        self.numbers.len().max(1)
    }
}
