//! What a terminal shows: aligned tables, yuan, times of Shanghai. Texts of strangers are shown without what a terminal
//! would obey.

use crate::lang::Lang;
use shared::domain::{Fen, Status, UnixMs};
use time::macros::{format_description, offset};
use unicode_width::UnicodeWidthStr;
pub(crate) use vk_pay_local::plain::clean;

/// `¥12.30`.
pub(crate) fn money(amount: Fen) -> String {
    format!("¥{}", amount.to_yuan())
}

/// `2026-10-03 14:05:09` in Shanghai.
pub(crate) fn moment(at: UnixMs) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let utc = time::OffsetDateTime::from_unix_timestamp(at.secs()).ok();
    utc.and_then(|at| at.to_offset(offset!(+8)).format(format).ok()).unwrap_or_else(|| at.to_string())
}

/// The same, or a dash.
pub(crate) fn moment_or_dash(at: Option<UnixMs>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

/// What is said once of all times.
pub(crate) const fn zone(lang: Lang) -> &'static str {
    lang.t("时间均为 +08:00（北京时间），金额单位为元。", "Times are Beijing time (UTC+8), amounts are in yuan.")
}

/// An order's state in words.
pub(crate) fn state(lang: Lang, state: Status, refunded_all: bool) -> &'static str {
    match state {
        Status::NotPay => lang.t("待支付", "unpaid"),
        Status::Success => lang.t("已支付", "paid"),
        Status::Refund if refunded_all => lang.t("已全额退款", "refunded"),
        Status::Refund => lang.t("部分退款", "partly refunded"),
        Status::Closed => lang.t("已关闭", "closed"),
    }
}

#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}

/// A table in the making.
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Its columns; a name that begins with `>` is of numbers, which stand to the right.
    pub(crate) fn new(heads: &[&str]) -> Self {
        let head = |name: &&str| match name.strip_prefix('>') {
            Some(name) => (name.to_owned(), Align::Right),
            None => ((*name).to_owned(), Align::Left),
        };
        Self { heads: heads.iter().map(head).collect(), rows: Vec::new() }
    }

    /// Adds a row, its texts made harmless.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(&cell)).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// One line for each row, the heads first.
    pub(crate) fn lines(&self) -> Vec<String> {
        let heads: Vec<String> = self.heads.iter().map(|(name, _)| name.clone()).collect();
        let all = || std::iter::once(&heads).chain(&self.rows);
        let width = |at: usize| all().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.heads.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&self.heads).zip(&widths).map(|((cell, (_, align)), width)| {
                let blanks = " ".repeat(width.saturating_sub(cell.width()));
                match align {
                    Align::Left => format!("{cell}{blanks}"),
                    Align::Right => format!("{blanks}{cell}"),
                }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let mut table = Table::new(&["what", ">amount"]);
        table.row(["余额充值".to_owned(), money(Fen(100))]);
        table.row(["tea".to_owned(), money(Fen(1_234_500))]);
        assert_eq!(table.lines(), ["what         amount", "余额充值      ¥1.00", "tea       ¥12345.00"]);
    }

    #[test]
    fn a_terminal_obeys_nothing_that_a_stranger_wrote() {
        assert_eq!(clean("a\u{1b}[2J\r\nb\u{202e}c"), "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}c");
        assert_eq!(clean("明前龙井 50 g · ¥1"), "明前龙井 50 g · ¥1");
    }

    #[test]
    fn times_are_shanghais() {
        assert_eq!(moment(UnixMs::new(1_767_225_600_123)), "2026-01-01 08:00:00");
    }
}
