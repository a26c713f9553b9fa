//! Reading the fields of a request, each with the code that its fault has.

use domain::{Code, Failure, Fen, Provider, UnixMs};
use serde_json::{Map, Value};
use std::time::Duration;

/// The `data` of a request.
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The raw value; `null` counts as absent.
    pub fn raw(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    /// A text of 1 to `max` characters without control characters; an empty one counts as absent.
    ///
    /// # Errors
    /// [`Code::FIELD`] when it is something else.
    pub fn text(&self, name: &str, max: usize) -> Result<Option<&'a str>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= max && !text.chars().any(char::is_control) => {
                Ok(Some(text))
            }
            Some(_) => Err(Failure::new(Code::FIELD).says(name)),
        }
    }

    /// A flag; VK's clients also send `"true"` and 1.
    pub fn flag(&self, name: &str) -> bool {
        match self.raw(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            _ => false,
        }
    }

    /// A whole number in a range, as integer or canonical text.
    ///
    /// # Errors
    /// [`Code::FIELD`] when it is something else.
    pub fn integer(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, Failure> {
        let number = match self.raw(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok().filter(|n: &i64| n.to_string() == *text),
            Some(_) => None,
        };
        match number.filter(|n| range.contains(n)) {
            Some(number) => Ok(Some(number)),
            None => Err(Failure::new(Code::FIELD).says(name)),
        }
    }

    /// `time_expire`.
    ///
    /// # Errors
    /// [`Code::FIELD`], with the unit, when it is a date or no number.
    pub fn time_expire(&self) -> Result<Option<UnixMs>, Failure> {
        let not_ms = "time_expire: must be Unix ms (milliseconds), not a date and not seconds";
        let end = self.integer("time_expire", 1..=9_999_999_999_999).map_err(|failure| failure.says(not_ms))?;
        Ok(end.map(UnixMs::new))
    }

    /// An object of bounded size.
    ///
    /// # Errors
    /// `code` when it is something else, too large or too deep.
    pub fn object(&self, name: &str, code: Code) -> Result<Map<String, Value>, Failure> {
        match self.raw(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) if fits(self.raw(name).unwrap_or(&Value::Null)) => Ok(map.clone()),
            Some(_) => Err(Failure::new(code).says(name)),
        }
    }

    /// The order number: 1 to 64 letters, digits and `_-|*@.`.
    ///
    /// # Errors
    /// [`Code::OUT_TRADE_NO`].
    pub fn out_trade_no(&self) -> Result<&'a str, Failure> {
        self.optional_number("out_trade_no", Code::OUT_TRADE_NO)?.ok_or_else(|| Code::OUT_TRADE_NO.into())
    }

    /// A number of ours of the same shape, when it is there.
    ///
    /// # Errors
    /// `code` when it is malformed.
    pub fn optional_number(&self, name: &str, code: Code) -> Result<Option<&'a str>, Failure> {
        match self.raw(name) {
            None => Ok(None),
            Some(Value::String(text)) if is_number(text) => Ok(Some(text)),
            Some(_) => Err(code.into()),
        }
    }

    /// An amount that must be there.
    ///
    /// # Errors
    /// `code` when it is absent or anything but an integer amount.
    pub fn amount(&self, name: &str, code: Code) -> Result<Fen, Failure> {
        self.0.get(name).and_then(Fen::from_json).ok_or_else(|| code.into())
    }

    /// The provider that is named, when one is.
    ///
    /// # Errors
    /// [`Code::PROVIDER`].
    pub fn provider(&self) -> Result<Option<Provider>, Failure> {
        match self.raw("provider") {
            None => Ok(None),
            Some(value) => value.as_str().and_then(Provider::parse).map(Some).ok_or_else(|| Code::PROVIDER.into()),
        }
    }
}

/// Checks the end that a request gives its order: later than now, and at most `longest` ahead.
pub(super) fn check_end(end: Option<UnixMs>, longest: Duration, now: UnixMs) -> Result<(), Failure> {
    let bad = |what: &str| {
        Err(Failure::new(Code::FIELD).says(format!("time_expire: must be Unix ms (milliseconds), {what}")))
    };
    match end {
        Some(end) if end <= now => bad("later than now; seconds are not taken"),
        Some(end) if end.since(now) > longest => {
            bad(&format!("at most {} days from now with this provider", longest.as_secs() / 86_400))
        }
        _ => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'*' | b'@' | b'.'))
}

/// Whether two values are the same to the table, which keeps `1.0` as `1` and `-0.0` as `0`.
pub(super) fn same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    fn equal(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
            (Value::Object(a), Value::Object(b)) => same(a, b),
            (a, b) => a == b,
        }
    }
    a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
}

/// What the table can keep: at most 16 kB and 16 levels, keys that are not empty, numbers within DynamoDB's range.
fn fits(value: &Value) -> bool {
    fn shape(value: &Value, depth: usize) -> bool {
        match value {
            _ if depth == 0 => false,
            Value::Array(list) => list.iter().all(|v| shape(v, depth - 1)),
            Value::Object(map) => map.iter().all(|(key, v)| !key.is_empty() && shape(v, depth - 1)),
            Value::Number(number) => {
                number.is_i64()
                    || number.is_u64()
                    || number.as_f64().is_some_and(|f| f.abs() < 1e100 && (f == 0.0 || f.abs() > 1e-100))
            }
            _ => true,
        }
    }
    shape(value, 16) && value.to_string().len() <= 16_384
}
