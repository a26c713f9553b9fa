//! Shipping: WeChat keeps what is paid in a mini program until it is told that the goods are on their way
//! (`docs/protocols/merchant-operations.md#shipping-of-mini-programs`).

use crate::UnixMs;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Who reports the shipping of an order, and as what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShippingMode {
    /// Nothing is carried: it is reported by itself.
    Virtual,
    /// The payer fetches it: it is reported by itself.
    PickUp,
    /// The merchant reports it, by `pay/uploadShipping`.
    Manual,
}

impl ShippingMode {
    /// The words of the configuration.
    pub const WORDS: [&str; 3] = ["virtual", "pick-up", "manual"];

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "virtual" => Some(Self::Virtual),
            "pick-up" => Some(Self::PickUp),
            "manual" => Some(Self::Manual),
            _ => None,
        }
    }

    /// How it is carried, where that is reported by itself.
    pub const fn logistics(self) -> Option<Logistics> {
        match self {
            Self::Virtual => Some(Logistics::Virtual),
            Self::PickUp => Some(Logistics::PickUp),
            Self::Manual => None,
        }
    }
}

/// How goods are carried, with WeChat's number of it (`logistics_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Logistics {
    /// By a carrier, with a tracking number.
    Express = 1,
    /// Within the city.
    SameCity = 2,
    /// Nothing is carried.
    Virtual = 3,
    /// The payer fetches it.
    PickUp = 4,
}

impl From<Logistics> for u8 {
    fn from(logistics: Logistics) -> Self {
        logistics as Self
    }
}

impl TryFrom<u8> for Logistics {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            1 => Ok(Self::Express),
            2 => Ok(Self::SameCity),
            3 => Ok(Self::Virtual),
            4 => Ok(Self::PickUp),
            _ => Err("logistics_type is none of 1, 2, 3 and 4"),
        }
    }
}

/// How the shipping of an order stands. It moves down this list only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShippingState {
    /// Nothing is reported.
    Due,
    /// A part of it is reported.
    Part,
    /// All of it is reported.
    Reported,
    /// It was reported anew, which is possible once.
    Corrected,
    /// The payer has confirmed it, or so much time has passed.
    Received,
    /// The merchant has the money.
    Settled,
    /// All of the money went back to the payer.
    Refunded,
}

impl ShippingState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Part => "part",
            Self::Reported => "reported",
            Self::Corrected => "corrected",
            Self::Received => "received",
            Self::Settled => "settled",
            Self::Refunded => "refunded",
        }
    }

    /// Whether the money is still kept because nothing, or not all, is reported.
    pub const fn is_due(self) -> bool {
        matches!(self, Self::Due | Self::Part)
    }
}

/// One parcel, in WeChat's fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The carrier's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking_no: Option<String>,
    /// The carrier, by WeChat's code of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub express_company: Option<String>,
    /// What is in it.
    pub item_desc: String,
    /// Masked telephone numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
}

/// Telephone numbers, masked but for the last four digits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contact {
    /// The sender's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consignor_contact: Option<String>,
    /// The receiver's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_contact: Option<String>,
}

/// What is reported of the shipping of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShippingReport {
    /// How it is carried.
    pub logistics_type: Logistics,
    /// Whether it goes in several parcels, which are reported one by one.
    pub split: bool,
    /// Whether these are the last.
    pub all: bool,
    /// The parcels: one, unless it is split.
    pub parcels: Vec<Parcel>,
}

impl ShippingReport {
    /// The most characters of [`Parcel::item_desc`].
    pub const ITEM_DESC: usize = 120;

    /// The report of what is carried by nobody.
    pub fn whole(logistics_type: Logistics, subject: &str) -> Self {
        let parcel =
            Parcel { tracking_no: None, express_company: None, item_desc: Self::item_desc(subject), contact: None };
        Self { logistics_type, split: false, all: true, parcels: vec![parcel] }
    }

    /// What a subject says in as many characters as fit.
    pub fn item_desc(subject: &str) -> String {
        subject.chars().filter(|c| !c.is_control()).take(Self::ITEM_DESC).collect()
    }
}

/// The shipping of an order, as the order's item has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipping {
    /// How it stands.
    pub state: ShippingState,
    /// Who reports it.
    pub mode: ShippingMode,
    /// Since when it stands so.
    pub at: UnixMs,
    /// When the platform's 48 hours from the payment are over.
    pub deadline: UnixMs,
    /// How it is carried, once that is reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logistics_type: Option<Logistics>,
    /// When all of it was first reported, or found to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<UnixMs>,
    /// When the payer was asked to confirm that it has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reminded_at: Option<UnixMs>,
    /// A digest of what was reported last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<String>,
    /// A digest of what was sent and may have been taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sending: Option<String>,
    /// True when the payer may have been asked to confirm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reminding: bool,
    /// Until when somebody is at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<UnixMs>,
    /// Counts the writes of this.
    pub n: u64,
}

impl Shipping {
    /// When the platform begins to act on an order that is not shipped, after the payment.
    pub const NORM: Duration = Duration::from_hours(48);
    /// When somebody is told of it: while there is still time.
    pub const TOLD: Duration = Duration::from_hours(36);
    /// How long WeChat takes at least to know a payment.
    pub const FIRST_TRY: Duration = Duration::from_mins(1);

    /// The shipping of an order that was just paid.
    pub fn begun(mode: ShippingMode, paid_at: UnixMs, now: UnixMs) -> Self {
        Self {
            state: ShippingState::Due,
            mode,
            at: now,
            deadline: paid_at + Self::NORM,
            logistics_type: None,
            reported_at: None,
            reminded_at: None,
            reported: None,
            sending: None,
            reminding: false,
            lease: None,
            n: 1,
        }
    }

    /// Whether somebody is at it.
    pub fn is_held(&self, now: UnixMs) -> bool {
        self.lease.is_some_and(|until| until > now)
    }

    /// The same in another state, unless that would be a step back.
    pub fn moved(&self, state: ShippingState, at: UnixMs) -> Self {
        let mut moved = self.clone();
        if state > self.state {
            moved.state = state;
            moved.at = at;
        }
        if !moved.state.is_due() && moved.state != ShippingState::Refunded {
            moved.reported_at = moved.reported_at.or(Some(at));
        }
        moved
    }

    /// What callers see of it.
    pub fn shown(&self) -> Value {
        let mut shown = json!({ "state": self.state, "mode": self.mode, "at": self.at, "deadline": self.deadline });
        let more = [
            ("logistics_type", self.logistics_type.map(|l| json!(l))),
            ("reported_at", self.reported_at.map(|at| json!(at))),
            ("reminded_at", self.reminded_at.map(|at| json!(at))),
        ];
        for (name, value) in more {
            if let Some(value) = value {
                shown[name] = value;
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipping_never_moves_back() {
        let at = UnixMs::new(1_000);
        let begun = Shipping::begun(ShippingMode::Virtual, at, at);
        let settled = begun.moved(ShippingState::Settled, UnixMs::new(2_000));
        assert_eq!((settled.state, settled.reported_at), (ShippingState::Settled, Some(UnixMs::new(2_000))));
        let again = settled.moved(ShippingState::Reported, UnixMs::new(3_000));
        assert_eq!((again.state, again.at), (ShippingState::Settled, UnixMs::new(2_000)));
    }

    #[test]
    fn a_long_subject_is_cut_to_120_characters() {
        let report = ShippingReport::whole(Logistics::Virtual, &"年卡\n".repeat(100));
        assert_eq!(report.parcels[0].item_desc.chars().count(), 120);
        assert!(!report.parcels[0].item_desc.contains('\n'));
    }

    #[test]
    fn the_words_of_the_configuration_are_those_of_the_table() {
        for word in ShippingMode::WORDS {
            let mode = ShippingMode::parse(word).map(|mode| json!(mode));
            assert_eq!(mode, Some(json!(word)));
        }
        assert_eq!(json!(Logistics::PickUp), json!(4));
    }
}
