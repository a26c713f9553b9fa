//! Days as the providers' books have them: Asia/Shanghai, which has been UTC+8 all year since 1991.

use super::UnixMs;
use time::macros::{format_description, offset};
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

/// A calendar day in Asia/Shanghai, written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

impl Day {
    /// The day of a moment.
    pub fn of(at: UnixMs) -> Self {
        let time = OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Self(time.to_offset(offset!(+8)).date())
    }

    /// Reads `YYYY-MM-DD`, and nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits =
            text.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() });
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
        (digits && text.len() == 10).then_some(Self(date))
    }

    /// When it begins.
    pub fn begins(self) -> UnixMs {
        let midnight = PrimitiveDateTime::new(self.0, Time::MIDNIGHT).assume_offset(offset!(+8));
        UnixMs::new(midnight.unix_timestamp() * 1000)
    }

    /// So many days earlier.
    #[must_use]
    pub fn before(self, days: i64) -> Self {
        Self(self.0.saturating_sub(time::Duration::days(days)))
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.0.year(), u8::from(self.0.month()), self.0.day())
    }
}
