//! Small readings that both API versions share: amounts, times, texts, and what `other` may add.

use domain::{Fen, UnixMs};
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// WeChat Pay writes and reads Beijing time.
const BEIJING: UtcOffset = offset!(+8);

/// RFC 3339 at +08:00 in whole seconds, as `time_expire` of APIv3.
pub(super) fn rfc3339(at: UnixMs) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(at.secs()).ok()?.to_offset(BEIJING);
    time.format(&Rfc3339).ok()
}

/// RFC 3339 at +08:00 with milliseconds, as `upload_time` of shipping.
pub(super) fn upload_time(at: UnixMs) -> Option<String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+08:00");
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.get()) * 1_000_000).ok()?.to_offset(BEIJING);
    time.format(format).ok()
}

/// Reads RFC 3339.
pub(super) fn from_rfc3339(text: &str) -> Option<UnixMs> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(UnixMs::new)
}

/// `yyyyMMddHHmmss`, Beijing time, as APIv2 writes it.
pub(super) fn compact(at: UnixMs) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp(at.secs()).ok()?.to_offset(BEIJING);
    time.format(format_description!("[year][month][day][hour][minute][second]")).ok()
}

/// Reads `yyyyMMddHHmmss` or `yyyy-MM-dd HH:mm:ss`, Beijing time.
pub(super) fn from_v2_time(text: &str) -> Option<UnixMs> {
    let compact = format_description!("[year][month][day][hour][minute][second]");
    let spaced = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let time = PrimitiveDateTime::parse(text, compact).or_else(|_| PrimitiveDateTime::parse(text, spaced)).ok()?;
    UnixMs::from_secs(time.assume_offset(BEIJING).unix_timestamp())
}

/// An amount of APIv2: the canonical decimal text of fen.
pub(super) fn fen(text: &str) -> Option<Fen> {
    let canonical = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.len() <= 15 && text.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { text.parse().ok().map(Fen) } else { None }
}

/// The longest beginning of a text that has at most so many bytes, without characters that the protocol
/// does not carry (more than three bytes of UTF-8, and controls).
pub(super) fn cut(text: &str, bytes: usize) -> String {
    let mut out = String::new();
    for c in text.chars().filter(|c| c.len_utf8() <= 3 && !c.is_control()) {
        if out.len() + c.len_utf8() > bytes {
            break;
        }
        out.push(c);
    }
    out
}

/// The value without nulls at any depth: WeChat Pay wants absent rather than null.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v))).collect()
        }
        Value::Array(list) => list.iter().filter(|v| !v.is_null()).map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Truth as merchants write it: `true`, `"Y"`, `"true"`, 1.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.as_str() {
            "Y" | "y" | "true" => Some(true),
            "N" | "n" | "false" => Some(false),
            _ => None,
        },
        Value::Number(number) => number.as_u64().filter(|n| *n <= 1).map(|n| n == 1),
        _ => None,
    }
}

/// An object, given as such or as VK-Pay's JSON text.
pub(super) fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// True for the fields of a request that are the bundle's own: `other` never sets them, in either version.
pub(super) fn is_ours(key: &str) -> bool {
    const OURS: [&str; 29] = [
        "appid",
        "mchid",
        "mch_id",
        "sp_appid",
        "sp_mchid",
        "sub_appid",
        "sub_mchid",
        "sub_mch_id",
        "description",
        "body",
        "out_trade_no",
        "time_start",
        "time_expire",
        "notify_url",
        "amount",
        "total_fee",
        "fee_type",
        "payer",
        "openid",
        "sub_openid",
        "auth_code",
        "trade_type",
        "spbill_create_ip",
        "nonce_str",
        "sign",
        "sign_type",
        "return_url",
        "key",
        "store_id",
    ];
    OURS.contains(&key)
}
