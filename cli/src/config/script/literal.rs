//! Texts and numbers as they are written.

use serde_json::Number;

/// What an escape sequence stands for, in UTF-16, as JavaScript has its texts; `None` where it has no meaning today.
pub(super) fn escape(sequence: &str) -> Option<Vec<u16>> {
    let rest = sequence.strip_prefix('\\')?;
    let unit = |text: &str| u16::from_str_radix(text, 16).ok().map(|unit| vec![unit]);
    let character = |c: char| Some(c.encode_utf16(&mut [0; 2]).to_vec());
    let first = rest.chars().next()?;
    match first {
        'n' => character('\n'),
        'r' => character('\r'),
        't' => character('\t'),
        'b' => character('\u{8}'),
        'f' => character('\u{c}'),
        'v' => character('\u{b}'),
        '0' if rest.len() == 1 => character('\0'),
        '0'..='9' => None,
        // A line that goes on in the next one.
        '\n' | '\r' | '\u{2028}' | '\u{2029}' => Some(Vec::new()),
        'x' => unit(&rest[1..]),
        'u' => match rest.strip_prefix("u{").and_then(|code| code.strip_suffix('}')) {
            Some(code) => character(char::from_u32(u32::from_str_radix(code, 16).ok()?)?),
            None => unit(&rest[1..]),
        },
        other => character(other),
    }
}

/// The largest number up to which JavaScript counts without gaps.
pub(super) const LARGEST: i64 = (1 << 53) - 1;

/// A number as it is written. A whole one of any spelling is given as such.
pub(super) fn number(text: &str) -> Option<Number> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(Number::from);
        }
    }
    // `1n` is a big integer, `010` an octal number of old.
    let digits = plain.bytes().all(|b| b.is_ascii_digit());
    if plain.ends_with('n') || (digits && plain.len() > 1 && plain.starts_with('0')) {
        return None;
    }
    if digits && let Ok(whole) = plain.parse::<u64>() {
        return Some(Number::from(whole));
    }
    real(plain.parse().ok()?)
}

/// A number of any size; whole where it is one.
pub(super) fn real(value: f64) -> Option<Number> {
    let whole = format!("{value:.0}").parse::<i64>().ok();
    match whole.filter(|whole| value.fract() == 0.0 && whole.abs() <= LARGEST) {
        Some(whole) => Some(Number::from(whole)),
        None => Number::from_f64(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_javascript_reads_them() {
        for (text, wanted) in [
            ("10000", "10000"),
            ("1_000", "1000"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("0o17", "15"),
            ("1e4", "10000"),
            ("1.5", "1.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("2088000000000000", "2088000000000000"),
        ] {
            assert_eq!(number(text).map(|n| n.to_string()).as_deref(), Some(wanted), "{text}");
        }
        assert_eq!(number("1n"), None);
        assert_eq!(number("010"), None);
    }

    #[test]
    fn escape_sequences_stand_for_what_javascript_says() {
        let text = |sequence: &str| escape(sequence).map(|units| String::from_utf16_lossy(&units));
        for (sequence, wanted) in
            [("\\n", "\n"), ("\\x41", "A"), ("\\u652f", "支"), ("\\u{1F4B0}", "💰"), ("\\'", "'"), ("\\\n", "")]
        {
            assert_eq!(text(sequence).as_deref(), Some(wanted), "{sequence}");
        }
        assert_eq!(text("\\12"), None);
    }
}
