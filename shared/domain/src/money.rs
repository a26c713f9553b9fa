//! Money: integer fen, and yuan only as text at the edge of providers that speak it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An amount in fen (1/100 yuan).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub u64);

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount any provider takes: 100 million yuan (Alipay's `total_amount`).
    pub const MAX: Self = Self(10_000_000_000);

    /// Reads an amount from a request: a JSON integer from 1 to [`Fen::MAX`], or its canonical decimal
    /// text (`"100"`). Everything else is `None`; nothing is rounded.
    pub fn from_json(value: &Value) -> Option<Self> {
        let amount = match value {
            Value::Number(number) => number.as_u64()?,
            Value::String(text) => {
                let canonical = !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
                if !canonical {
                    return None;
                }
                text.parse().ok()?
            }
            _ => return None,
        };
        (1..=Self::MAX.0).contains(&amount).then_some(Self(amount))
    }

    /// Reads yuan with at most two decimals (`1`, `1.5`, `1.50`) as providers write it.
    pub fn from_yuan(text: &str) -> Option<Self> {
        let (whole, cents) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(cents) || text.ends_with('.') {
            return None;
        }
        let cents = match cents.len() {
            0 => 0,
            1 => cents.parse::<u64>().ok()? * 10,
            2 => cents.parse::<u64>().ok()?,
            _ => return None,
        };
        whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(cents).map(Self)
    }

    /// Yuan with two decimals: `12.30`.
    pub fn to_yuan(self) -> String {
        format!("{}.{:02}", self.0 / 100, self.0 % 100)
    }

    /// The difference, if it is not negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl std::fmt::Display for Fen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
