//! Numbers and times in the shapes that the providers give them.

use crate::crypto::{ALNUM, DIGITS, random, random_text};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// The providers' time zone.
fn shanghai(ms: i64) -> OffsetDateTime {
    let offset = UtcOffset::from_hms(8, 0, 0).expect("+8 is an offset");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .to_offset(offset)
}

/// `2018-06-08T10:34:56+08:00`.
pub(crate) fn rfc3339(ms: i64) -> String {
    let t = shanghai(ms);
    t.replace_nanosecond(0).unwrap_or(t).format(&Rfc3339).unwrap_or_default()
}

/// Unix milliseconds of an RFC 3339 time.
pub(crate) fn from_rfc3339(text: &str) -> Option<i64> {
    let t = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(t.unix_timestamp_nanos() / 1_000_000).ok()
}

/// `Fri, 08 Jun 2018 02:34:56 GMT`, as HTTP writes a time.
pub(crate) fn http_date(ms: i64) -> String {
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let at = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000));
    at.ok().and_then(|at| at.format(format).ok()).unwrap_or_default()
}

/// `20180608103456`.
pub(crate) fn compact(ms: i64) -> String {
    let t = shanghai(ms);
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    let (hour, minute, second) = (t.hour(), t.minute(), t.second());
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// `2018-06-08 10:34:56`.
pub(crate) fn spaced(ms: i64) -> String {
    let t = shanghai(ms);
    let (year, month, day) = (t.year(), u8::from(t.month()), t.day());
    let (hour, minute, second) = (t.hour(), t.minute(), t.second());
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn in_shanghai(text: &str, format: &[time::format_description::BorrowedFormatItem<'_>]) -> Option<i64> {
    let local = PrimitiveDateTime::parse(text, format).ok()?;
    let t = local.assume_offset(UtcOffset::from_hms(8, 0, 0).ok()?);
    Some(t.unix_timestamp() * 1000)
}

/// Unix milliseconds of `2018-06-08 10:34:56` in Shanghai.
pub(crate) fn from_spaced(text: &str) -> Option<i64> {
    let format = time::macros::format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    in_shanghai(text, format)
}

/// Unix milliseconds of `20180608103456` in Shanghai.
pub(crate) fn from_compact(text: &str) -> Option<i64> {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]");
    in_shanghai(text, format)
}

fn day(ms: i64) -> String {
    compact(ms)[..8].to_owned()
}

/// WeChat's `transaction_id`, 28 digits.
pub(crate) fn transaction_id(ms: i64) -> String {
    format!("4200{}{}{}", random_text(6, DIGITS), day(ms), random_text(10, DIGITS))
}

/// WeChat's `refund_id`, 29 digits.
pub(crate) fn refund_id(ms: i64) -> String {
    format!("5030{}{}{}", random_text(6, DIGITS), day(ms), random_text(11, DIGITS))
}

/// WeChat's `prepay_id`, 36 characters.
pub(crate) fn prepay_id(ms: i64) -> String {
    let head = &compact(ms)[6..];
    format!("wx{head}{:03}{}0000", ms.rem_euclid(1000), &hex::encode(random::<10>())[..19])
}

/// The path part of a WeChat QR code.
pub(crate) fn code_url() -> String {
    format!("weixin://wxpay/bizpayurl?pr={}zz", random_text(7, ALNUM))
}

/// The address that a phone's browser opens for H5 payment.
pub(crate) fn h5_url(prepay_id: &str) -> String {
    let package = random_text(10, DIGITS);
    format!("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id={prepay_id}&package={package}")
}

/// Alipay's `trade_no`, 28 digits.
pub(crate) fn trade_no(ms: i64) -> String {
    format!("{}22001{}", day(ms), random_text(15, DIGITS))
}

/// What an Alipay QR code says.
pub(crate) fn qr_code() -> String {
    const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    format!("https://qr.alipay.com/bax{}", random_text(20, LOWER))
}

/// A payer: an openid of WeChat's shape.
pub(crate) fn openid() -> String {
    format!("o{}", random_text(27, ALNUM))
}

/// A random (version 4) UUID.
pub(crate) fn uuid() -> String {
    let mut b: [u8; 16] = random();
    b[6] = b[6] & 0x0f | 0x40;
    b[8] = b[8] & 0x3f | 0x80;
    let h = hex::encode(b);
    format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])
}

/// `1234` fen as `12.34`.
pub(crate) fn yuan(fen: u64) -> String {
    format!("{}.{:02}", fen / 100, fen % 100)
}

/// Fen of `12.34`, `12.3` or `12`; nothing else.
pub(crate) fn fen(yuan: &str) -> Option<u64> {
    let (whole, part) = yuan.split_once('.').unwrap_or((yuan, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 || yuan.ends_with('.') {
        return None;
    }
    let cents: u64 = format!("{part:0<2}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(cents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_published_lengths() {
        let now = 1_735_660_800_123;
        assert_eq!(transaction_id(now).len(), 28);
        assert_eq!(refund_id(now).len(), 29);
        assert_eq!(prepay_id(now).len(), 36);
        assert_eq!(trade_no(now).len(), 28);
        assert_eq!(openid().len(), 28);
    }

    #[test]
    fn times_are_shanghai_s() {
        assert_eq!(rfc3339(1_528_425_296_000), "2018-06-08T10:34:56+08:00");
        assert_eq!(from_rfc3339("2018-06-08T10:34:56+08:00"), Some(1_528_425_296_000));
        assert_eq!(spaced(1_528_425_296_000), "2018-06-08 10:34:56");
        assert_eq!(from_spaced("2018-06-08 10:34:56"), Some(1_528_425_296_000));
        assert_eq!(from_compact("20180608103456"), Some(1_528_425_296_000));
    }

    #[test]
    fn yuan_and_fen_are_integers() {
        for (text, value) in [
            ("0.01", Some(1)),
            ("12.3", Some(1230)),
            ("7", Some(700)),
            ("1.234", None),
            ("1.", None),
            ("-1", None),
            ("", None),
            ("1e2", None),
        ] {
            assert_eq!(fen(text), value, "{text}");
        }
        assert_eq!(yuan(1205), "12.05");
    }
}
