//! Texts that are signed as they stand: `name=value&…`, nothing escaped.
//!
//! Such a text does not tell a separator from the same character in a value, so one signature covers every way
//! to split it. Who can choose a value, say a subject `x&out_trade_no=T2&type=`, could have a genuine signature
//! speak of another order, with the real fields hidden at the end of a value. So nothing with a separator goes
//! into such a text, and a message in which a value holds one of the message's own fields is not believed.

use serde_json::Value;

/// What is wrong with a text that is about to be signed as it stands.
pub fn unfit(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '&' | '=') || c.is_control())
}

/// Checks a field of a request that is signed as it stands.
///
/// # Errors
/// The field, and what is wrong with it.
pub fn check(field: &'static str, text: &str) -> Result<(), (&'static str, String)> {
    match unfit(text) {
        true => Err((field, format!("{UNFIT}, because it is signed as it stands"))),
        false => Ok(()),
    }
}

/// The rule, in the words of a fault.
pub const UNFIT: &str = "must not hold & = or control characters";

/// True when a value holds `&name=` with one of these names: the signature could be of other fields.
pub fn hides(value: &str, names: &[&str]) -> bool {
    value.split('&').skip(1).any(|piece| piece.split_once('=').is_some_and(|(name, _)| names.contains(&name)))
}

/// JSON in which no text holds a bare `&` or `=`: the same value to every reader, and no separator to be seen.
pub fn escaped_json(value: &Value) -> String {
    // Outside of its texts JSON has neither character.
    value.to_string().replace('&', "\\u0026").replace('=', "\\u003d")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_could_be_read_as_a_separator_is_unfit() {
        for text in ["a&b", "a=b", "a\nb", "a\u{0}"] {
            assert!(unfit(text), "{text:?}");
        }
        assert!(!unfit("一杯咖啡 + 100% ＆ more?"));
    }

    #[test]
    fn a_value_hides_a_field_only_by_its_name() {
        let names = ["out_trade_no", "money"];
        assert!(hides("x&out_trade_no=T2", &names));
        assert!(hides("x&&a=1&money=", &names));
        for value in ["满100&立减", "a=1&b=2", "out_trade_no=T2", "x&money", "x&moneys=1"] {
            assert!(!hides(value, &names), "{value}");
        }
    }

    #[test]
    fn escaped_json_is_the_same_value_without_separators() {
        let value = json!({ "a&b=": ["x&y=z", "\\u0026", "\"&\""], "n": 1 });
        let text = escaped_json(&value);
        assert!(!text.contains(['&', '=']));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
