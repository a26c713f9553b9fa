//! How the bundle learnt of something, and what became of a payment.

use store::IncidentName;

/// How the bundle learnt of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The provider's callback.
    Callback,
    /// Asking the provider.
    Query,
    /// The bill of a day, where asking the provider tells nothing.
    Bill,
}

impl Source {
    /// As the history names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Query => "query",
            Self::Bill => "bill",
        }
    }

    /// VK-Pay's `notify_mode`.
    pub(super) const fn notify_mode(self) -> u8 {
        match self {
            Self::Callback => 1,
            Self::Query | Self::Bill => 0,
        }
    }
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// The order is paid now, by this.
    Credited,
    /// It was, by the same payment.
    Already,
    /// It was reversed, and has gone back.
    Reversed,
    /// Its reversal may be on its way: nothing is known yet.
    Unsettled,
    /// Its reversal was asked for some time ago, and its provider does not tell what became of it.
    Unknown,
    /// It does not fit, and is recorded.
    Incident {
        /// In what.
        name: IncidentName,
        /// Whether this is the first record of it.
        new: bool,
    },
}
