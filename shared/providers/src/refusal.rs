//! Why a call to a provider has no result, and what a refusal means.

use domain::{Code, Failure};
use std::fmt::Display;

/// Why a call to a provider has no result. A result is an answer that was verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[must_use]
pub enum CallError {
    /// The provider definitely refused: nothing happened there.
    #[error("{0}")]
    Refused(Refusal),
    /// Nobody knows: a time-out, a lost connection, a 5xx, an answer that cannot be verified. Never to be
    /// treated as a failure.
    #[error("{0}")]
    Unknown(String),
}

impl CallError {
    /// Nobody knows, and why.
    pub fn unknown(why: impl Display) -> Self {
        Self::Unknown(why.to_string())
    }

    /// Whether this is a refusal that means so.
    pub fn means(&self, meaning: Meaning) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.meaning == meaning)
    }

    /// The same of a call that asks something first: a refusal of the question is none of the call.
    pub fn as_unknown(self, question: &str) -> Self {
        match self {
            Self::Refused(refusal) => Self::Unknown(format!("{question}: {refusal}")),
            Self::Unknown(why) => Self::Unknown(why),
        }
    }

    /// The failure of who must know how something stands: who refuses to tell has told as little as who is silent.
    pub fn unanswered(self) -> Failure {
        Failure::new(Code::OUTCOME_UNKNOWN).private(self.to_string())
    }

    /// The failure of what a client asked for: the provider's refusal in its words, or that nobody knows.
    pub fn for_client(self) -> Failure {
        match self {
            Self::Refused(refusal) => Failure::new(Code::PROVIDER_REFUSED).says(refusal.to_string()),
            Self::Unknown(why) => Failure::new(Code::OUTCOME_UNKNOWN).private(why),
        }
    }
}

/// What was asked for by its number; `None` where the provider says in its listed words that it has no such number.
/// Every other refusal leaves the question open.
///
/// # Errors
/// Every other refusal, and no answer.
pub fn if_known<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.means(Meaning::Missing) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A provider's refusal, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The provider's code, `OUT_TRADE_NO_USED`, `ACQ.TRADE_HAS_SUCCESS` …
    pub code: String,
    /// Its text.
    pub message: String,
    /// What it means for us, where it means more than no.
    pub meaning: Meaning,
}

/// Refusals that say how the order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Just no.
    No,
    /// The order is paid already (`ORDERPAID`, `ACQ.TRADE_HAS_SUCCESS`): ask, and credit it.
    Paid,
    /// The order is closed (`ORDER_CLOSED`, `ACQ.TRADE_HAS_CLOSE`).
    Closed,
    /// The provider does not know the number.
    Missing,
    /// The number is taken with other parameters (`OUT_TRADE_NO_USED`, `ACQ.CONTEXT_INCONSISTENT`).
    NumberUsed,
    /// Not now: the provider wants a pause (VK code 2004 for refunds).
    TooSoon,
    /// The provider did not look at what was asked: a signature, a permission, a parameter. Of an app store this
    /// is a set-up that it does not accept.
    Unheard,
    /// The provider takes no such request from the address that it came from: nothing was looked at.
    Address,
}

impl Meaning {
    /// Whether the refusal of a call that repeats an earlier one says anything of the earlier one.
    pub const fn speaks_of_the_number(self) -> bool {
        match self {
            Self::TooSoon | Self::Unheard | Self::Address => false,
            Self::No | Self::Paid | Self::Closed | Self::Missing | Self::NumberUsed => true,
        }
    }
}
