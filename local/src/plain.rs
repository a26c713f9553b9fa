//! Texts that strangers wrote, where a terminal, a page or a spreadsheet shows them.

/// A text without control characters and marks of direction: a terminal obeys the former, and the latter make it read
/// otherwise than it is.
pub fn clean(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|c| if harmful(c) { '\u{fffd}' } else { c }).collect()
}

/// A text as a cell of a spreadsheet: without marks of direction, and behind an apostrophe where it would be run as a
/// formula (owasp.org, "CSV Injection").
pub fn cell(text: &str) -> String {
    let first = text.chars().find(|c| !c.is_whitespace());
    let formula = first.is_some_and(|c| matches!(c, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'));
    let apostrophe = if formula || text.starts_with(['\t', '\r', '\n']) { "'" } else { "" };
    let shown =
        text.chars().map(|c| if matches!(c, '\t' | '\r' | '\n') { c.to_string() } else { clean(&c.to_string()) });
    format!("{apostrophe}{}", shown.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_stranger_is_a_formula_or_reads_backwards() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =cmd|x", "\r=1", "＝1"] {
            assert!(cell(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(cell("余额充值, \"a\"\nb"), "余额充值, \"a\"\nb");
        assert_eq!(cell("\u{202e}moc"), "\u{fffd}moc");
        assert_eq!(clean("a\u{1b}[2J\u{202e}b"), "a\u{fffd}[2J\u{fffd}b");
    }
}
