//! Reading the fields of a request, each with the code that its fault has.

use domain::{Failure, Fen, Field, Provider, Shape, UnixMs, fields};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The `data` of a request, read by the fields that its action declares ([`domain::fields`]) and by nothing else.
pub struct Fields<'a> {
    data: &'a Map<String, Value>,
    declared: &'static [Field],
    /// The name of the object that holds them, where that is not `data` itself.
    within: Option<&'static str>,
}

impl<'a> Fields<'a> {
    /// The data of an action that declares these fields.
    pub const fn new(data: &'a Map<String, Value>, declared: &'static [Field]) -> Self {
        Self { data, declared, within: None }
    }

    /// Fields of an object in the data.
    pub(super) const fn within(name: &'static str, object: &'a Map<String, Value>, declared: &'static [Field]) -> Self {
        Self { data: object, declared, within: Some(name) }
    }

    /// The data as it came, for what a driver reads of it.
    pub(super) const fn data(&self) -> &'a Map<String, Value> {
        self.data
    }

    /// Whether the name is there, with whatever value.
    pub fn has(&self, field: &Field) -> bool {
        self.data.contains_key(self.declared(field).name)
    }

    /// The raw value; `null` counts as absent.
    pub fn raw(&self, field: &Field) -> Option<&'a Value> {
        self.data.get(self.declared(field).name).filter(|v| !v.is_null())
    }

    /// A text; an empty one counts as absent.
    ///
    /// # Errors
    /// The field's fault when it is something else, longer, or holds control characters.
    pub fn text(&self, field: &Field) -> Result<Option<&'a str>, Failure> {
        let most = match field.shape {
            Shape::Text(most) => most,
            _ => usize::MAX,
        };
        match self.raw(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= most && !text.chars().any(char::is_control) => {
                Ok(Some(text))
            }
            Some(_) => Err(self.fault(field)),
        }
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// As [`Fields::text`], and when there is none.
    pub fn needed_text(&self, field: &Field) -> Result<&'a str, Failure> {
        self.text(field)?.ok_or_else(|| self.fault(field))
    }

    /// One of a few words.
    ///
    /// # Errors
    /// The field's fault when it is none of them.
    pub fn choice(&self, field: &Field) -> Result<Option<&'a str>, Failure> {
        let Shape::Choice(words) = field.shape else { return self.text(field) };
        match self.raw(field) {
            None => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if words.contains(&text.as_str()) => Ok(Some(text)),
            Some(_) => Err(self.fault(field)),
        }
    }

    /// A flag; VK's clients also send `"true"` and 1.
    pub fn flag(&self, field: &Field) -> bool {
        match self.raw(field) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text == "true" || text == "1",
            Some(Value::Number(number)) => number.as_u64() == Some(1),
            _ => false,
        }
    }

    /// A whole number of the field's range, as integer or canonical text.
    ///
    /// # Errors
    /// The field's fault when it is something else.
    pub fn integer(&self, field: &Field) -> Result<Option<i64>, Failure> {
        let range: RangeInclusive<i64> = match field.shape {
            Shape::Integer { least, most, .. } => least..=most,
            _ => i64::MIN..=i64::MAX,
        };
        let number = match self.raw(field) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_i64(),
            Some(Value::String(text)) => text.parse().ok().filter(|n: &i64| n.to_string() == *text),
            Some(_) => None,
        };
        number.filter(|n| range.contains(n)).map(Some).ok_or_else(|| self.fault(field))
    }

    /// `time_expire`.
    ///
    /// # Errors
    /// Its fault, with the unit, when it is a date or no number.
    pub fn time_expire(&self) -> Result<Option<UnixMs>, Failure> {
        Ok(self.integer(&fields::TIME_EXPIRE)?.map(UnixMs::new))
    }

    /// An object of bounded size.
    ///
    /// # Errors
    /// The field's fault when it is something else, too large or too deep.
    pub fn object(&self, field: &Field) -> Result<Map<String, Value>, Failure> {
        match self.raw(field) {
            None => Ok(Map::new()),
            Some(value @ Value::Object(map)) if fits(value) => Ok(map.clone()),
            Some(_) => Err(self.fault(field)),
        }
    }

    /// The order's number.
    ///
    /// # Errors
    /// Its fault when it is malformed or missing.
    pub fn out_trade_no(&self) -> Result<&'a str, Failure> {
        self.number(&fields::OUT_TRADE_NO)?.ok_or_else(|| self.fault(&fields::OUT_TRADE_NO))
    }

    /// A number of ours ([`Shape::Number`]), when it is there.
    ///
    /// # Errors
    /// The field's fault when it is malformed.
    pub fn number(&self, field: &Field) -> Result<Option<&'a str>, Failure> {
        match self.raw(field) {
            None => Ok(None),
            Some(Value::String(text)) if is_number(text) => Ok(Some(text)),
            Some(_) => Err(self.fault(field)),
        }
    }

    /// An amount that must be there.
    ///
    /// # Errors
    /// The field's fault when it is absent or anything but an integer amount.
    pub fn amount(&self, field: &Field) -> Result<Fen, Failure> {
        self.raw(field).and_then(Fen::from_json).ok_or_else(|| self.fault(field))
    }

    /// An amount where its name is there at all: `null` and blank ones are faults.
    ///
    /// # Errors
    /// The field's fault when it is anything but an integer amount.
    pub fn given_amount(&self, field: &Field) -> Result<Option<Fen>, Failure> {
        match self.has(field) {
            true => self.amount(field).map(Some),
            false => Ok(None),
        }
    }

    /// The provider that is named, when one is.
    ///
    /// # Errors
    /// The field's fault when there is no such provider.
    pub fn provider(&self) -> Result<Option<Provider>, Failure> {
        let field = &fields::PROVIDER;
        match self.raw(field) {
            None => Ok(None),
            Some(value) => value.as_str().and_then(Provider::parse).map(Some).ok_or_else(|| self.fault(field)),
        }
    }

    /// The provider that must be named.
    ///
    /// # Errors
    /// The field's fault when there is none, or no such provider.
    pub fn needed_provider(&self) -> Result<Provider, Failure> {
        self.provider()?.ok_or_else(|| self.fault(&fields::PROVIDER))
    }

    /// Fields that must be left out.
    ///
    /// # Errors
    /// The fault of the first of these that is there.
    pub(super) fn refuse(&self, refused: &[Field]) -> Result<(), Failure> {
        match refused.iter().find(|field| self.raw(field).is_some()) {
            Some(field) => Err(self.fault(field)),
            None => Ok(()),
        }
    }

    /// The failure of a field that is not as it must be, or is missing.
    pub fn fault(&self, field: &Field) -> Failure {
        self.wrong(field, &field.shape.wants())
    }

    /// The same for another reason.
    pub fn wrong(&self, field: &Field, what: &str) -> Failure {
        match self.within {
            None => field.wrong(what),
            Some(within) => {
                let name = format!("{within}.{}", field.name);
                Failure::new(field.code).says(format!("{name}: {what}")).at(name)
            }
        }
    }

    /// The field, which this action must declare: what it does not is in no document.
    fn declared<'f>(&self, field: &'f Field) -> &'f Field {
        debug_assert!(
            self.declared.iter().any(|own| Field { needed: field.needed, ..*own } == *field),
            "{} is read and not declared for this action in domain::fields",
            field.name
        );
        field
    }
}

/// Checks the end that a request gives its order: later than now, and at most `longest` ahead.
pub(super) fn check_end(end: Option<UnixMs>, longest: Duration, now: UnixMs) -> Result<(), Failure> {
    let bad = |what: &str| Err(fields::TIME_EXPIRE.wrong(&format!("must be Unix ms (milliseconds), {what}")));
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
