//! Alipay's times: `yyyy-MM-dd HH:mm:ss` in Asia/Shanghai, which has been UTC+8 all year since 1991.

use domain::UnixMs;
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, PrimitiveDateTime};

const FORMAT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// A time as text; fractions of a second are cut, so that a limit never moves later.
pub(super) fn text_of(at: UnixMs) -> String {
    OffsetDateTime::from_unix_timestamp(at.secs())
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset!(+8))
        .format(FORMAT)
        .unwrap_or_default()
}

/// Reads a text; the fraction that `gmt_refund` has is left out.
pub(crate) fn read(text: &str) -> Option<UnixMs> {
    let whole = text.split_once('.').map_or(text, |(whole, _)| whole);
    let time = PrimitiveDateTime::parse(whole, FORMAT).ok()?;
    UnixMs::from_secs(time.assume_offset(offset!(+8)).unix_timestamp())
}
