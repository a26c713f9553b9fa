//! Moments, as the bundle counts them everywhere: whole milliseconds since 1970.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment: milliseconds since 1970-01-01T00:00:00Z. In JSON and in the table it is the number.
///
/// Spans of time are [`Duration`]s, so that a moment cannot be taken for a span, nor milliseconds for seconds.
/// Arithmetic ends at the first and last moment that can be counted, and never overflows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(i64);

impl UnixMs {
    /// The beginning of 1970; where a moment is not optional, it stands for "never yet".
    pub const EPOCH: Self = Self(0);

    /// A moment by its milliseconds.
    pub const fn new(ms: i64) -> Self {
        Self(ms)
    }

    /// Its milliseconds.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// A moment by its seconds, as most providers count; `None` when it is out of reach.
    pub const fn from_secs(secs: i64) -> Option<Self> {
        match secs.checked_mul(1_000) {
            Some(ms) => Some(Self(ms)),
            None => None,
        }
    }

    /// Its whole seconds, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// How long it is after an earlier moment; nothing, when it is before it.
    pub const fn since(self, earlier: Self) -> Duration {
        if self.0 <= earlier.0 { Duration::ZERO } else { self.abs_diff(earlier) }
    }

    /// How far two moments are apart, whichever is the earlier.
    pub const fn abs_diff(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

/// The milliseconds of a span; the most that can be counted, when it is longer.
fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for UnixMs {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(ms(span)))
    }
}

impl Sub<Duration> for UnixMs {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(ms(span)))
    }
}

impl From<UnixMs> for Value {
    fn from(at: UnixMs) -> Self {
        at.0.into()
    }
}

impl std::fmt::Display for UnixMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Debug for UnixMs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for UnixMs {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_its_number_in_json_and_in_text() {
        let at = UnixMs::new(1_767_283_200_001);
        assert_eq!(serde_json::to_string(&at).unwrap(), "1767283200001");
        assert_eq!(serde_json::from_str::<UnixMs>("1767283200001").unwrap(), at);
        assert_eq!(Value::from(at), serde_json::json!(1_767_283_200_001_i64));
        assert_eq!((format!("{at}"), format!("{at:?}")), ("1767283200001".to_owned(), "1767283200001".to_owned()));
        assert_eq!("1767283200001".parse(), Ok(at));
    }

    #[test]
    fn seconds_are_rounded_down_also_before_1970_and_never_overflow() {
        assert_eq!((UnixMs::new(1_999).secs(), UnixMs::new(-1).secs()), (1, -1));
        assert_eq!(UnixMs::from_secs(-2), Some(UnixMs::new(-2_000)));
        assert_eq!(UnixMs::from_secs(i64::MAX / 999), None);
    }

    #[test]
    fn a_moment_that_is_still_to_come_is_no_time_ago() {
        let (early, late) = (UnixMs::new(1_000), UnixMs::new(3_500));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.abs_diff(late), late.abs_diff(early));
    }

    #[test]
    fn sums_end_at_the_last_moment_and_differences_at_the_first() {
        let (first, last) = (UnixMs::new(i64::MIN), UnixMs::new(i64::MAX));
        assert_eq!((last + Duration::from_millis(1), first - Duration::MAX), (last, first));
        assert_eq!(last.since(first), Duration::from_millis(u64::MAX));
    }
}
