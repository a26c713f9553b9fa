//! The documents say what the code does.

use domain::Code;

#[test]
fn the_table_of_codes_in_the_docs_is_the_one_in_the_code() {
    let page = include_str!("../../../docs/codes.md");
    let rows: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit()).collect();
    let table: Vec<String> =
        Code::ALL.iter().map(|c| format!("| {} | {} | {} | {} |", c.number, c.status, c.zh, c.en)).collect();
    for row in &table {
        assert!(rows.contains(&row.as_str()), "docs/codes.md lacks {row}");
    }
    assert_eq!(rows.len(), table.len(), "and it has no others");
}

#[test]
fn no_two_codes_share_a_number() {
    let mut numbers: Vec<i64> = Code::ALL.iter().map(|c| c.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), Code::ALL.len());
}
