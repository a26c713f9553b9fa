//! The question before money moves: what, whose, where; and a word that has to be typed.

use super::text::clean;
use super::{Failure, Session, note};
use std::io::{BufRead, IsTerminal};

/// The word.
const WORD: &str = "yes";

/// Shows what is about to happen and asks. `yes` was given on the command line. Without it and without a terminal
/// nothing happens.
///
/// # Errors
/// That nobody confirmed.
pub(super) fn confirm(session: &Session, facts: &[(&str, String)], yes: bool) -> Result<(), Failure> {
    let mut table = super::text::Table::new(&["", ""]);
    for (name, value) in facts {
        table.row([(*name).to_owned(), clean(value)]);
    }
    table.row([session.t("位置", "where").to_owned(), session.place()]);
    for line in table.lines().iter().skip(1) {
        note(line);
    }
    if yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::usage(session.t(
            "没有执行：不在终端里运行时，需要用 --yes 确认。",
            "Nothing was done: without a terminal, confirm with --yes.",
        )));
    }
    note(session.t("输入 yes 继续：", "Type yes to go on:"));
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    match read {
        Ok(_) if line.trim() == WORD => Ok(()),
        Ok(_) | Err(_) => Err(Failure::usage(session.t("没有执行。", "Nothing was done."))),
    }
}
