//! `vk-pay export csv`: the orders that were paid on days, one a line, as they are now.
//!
//! Lines are written as they are read, so that a year takes no more memory than a day. A text of somebody else's that a
//! spreadsheet would run as a formula is written behind an apostrophe (CSV injection, OWASP).

use super::accounts::Which;
use super::args::{Common, day};
use super::text::moment;
use super::totals::days;
use super::{Failure, Session, note, print, rows};
use clap::{Args, ValueEnum};
use csv::{Terminator, Writer, WriterBuilder};
use serde_json::json;
use shared::domain::{Day, Order};
use shared::store::{OnDay, PaidEntry};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use vk_pay_local::plain;

/// Payments that are read at once.
const PAGE: usize = 200;
/// The longest number that a spreadsheet keeps whole.
const DIGITS: usize = 15;

/// As what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// RFC 4180, UTF-8
    Csv,
}

/// Which orders, and where they are written.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// As what
    format: Format,
    /// Paid on this day or later, Beijing time
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    from: Day,
    /// Paid on this day or earlier
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    to: Day,
    #[command(flatten)]
    which: Which,
    /// A new file, which only you may read; without it the lines go to stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For Excel: with a byte order mark, CR LF, and long numbers as text
    #[arg(long)]
    excel: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// The columns. Amounts are in yuan, times Beijing time.
const COLUMNS: [&str; 18] = [
    "out_trade_no",
    "trade_state",
    "total_fee_yuan",
    "refund_fee_yuan",
    "currency",
    "provider",
    "pay_type",
    "merchant",
    "mch_id",
    "transaction_id",
    "type",
    "subject",
    "user_id",
    "user_order_success",
    "created",
    "paid",
    "learnt",
    "attempt_number",
];

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let Format::Csv = arguments.format;
    days(&session, arguments.from, arguments.to)?;
    let lines = match &arguments.output {
        Some(path) => {
            let partial = Partial::create(&session, path)?;
            let file = partial.file.try_clone().map_err(|error| partial.fault(&error))?;
            let lines = write(&session, &arguments, BufWriter::new(file)).await?;
            partial.keep()?;
            lines
        }
        None if session.json => {
            let what =
                session.t("--json 需要 --output：CSV 写到 stdout", "--json needs --output: the lines go to stdout");
            return Err(Failure::usage(what));
        }
        None => write(&session, &arguments, BufWriter::new(std::io::stdout())).await?,
    };
    match &arguments.output {
        Some(path) if session.json => {
            let document = json!({ "lines": lines, "output": path, "place": rows::place(&session) });
            print(&format!("{document:#}"))
        }
        Some(path) => print(&format!("{lines} {} {}", session.t("笔订单写入", "orders written to"), path.display())),
        None => {
            note(&format!("{lines} {}", session.t("笔订单", "orders")));
            Ok(())
        }
    }
}

/// A file on its way: it has its name once it is whole.
struct Partial<'a> {
    file: File,
    partial: PathBuf,
    path: &'a Path,
    kept: bool,
}

impl<'a> Partial<'a> {
    fn create(session: &Session, path: &'a Path) -> Result<Self, Failure> {
        if path.exists() {
            let what = session.t("文件已存在，不会覆盖", "exists already, and is not overwritten");
            return Err(Failure::refused(format!("{} {what}", path.display())));
        }
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&partial) {
            Ok(file) => Ok(Self { file, partial, path, kept: false }),
            Err(error) => Err(Failure::refused(format!("{}: {error}", partial.display()))),
        }
    }

    fn fault(&self, error: &std::io::Error) -> Failure {
        Failure::refused(format!("{}: {error}", self.path.display()))
    }

    fn keep(mut self) -> Result<(), Failure> {
        let kept = self.file.sync_all().and_then(|()| std::fs::rename(&self.partial, self.path));
        kept.map_err(|error| self.fault(&error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_file(&self.partial);
        }
    }
}

async fn write(session: &Session, arguments: &Arguments, mut out: impl Write) -> Result<u64, Failure> {
    if arguments.excel {
        out.write_all("\u{feff}".as_bytes()).map_err(|error| Failure::refused(error.to_string()))?;
    }
    let terminator = if arguments.excel { Terminator::CRLF } else { Terminator::Any(b'\n') };
    let mut csv = WriterBuilder::new().terminator(terminator).from_writer(out);
    match lines(session, arguments, &mut csv).await {
        // Whoever reads it may have had enough.
        Err(Ended::Closed) => Ok(0),
        Err(Ended::Failed(failure)) => Err(failure),
        Ok(lines) => {
            csv.flush().map_err(|error| Failure::refused(error.to_string()))?;
            Ok(lines)
        }
    }
}

enum Ended {
    Closed,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

async fn lines(session: &Session, arguments: &Arguments, csv: &mut Writer<impl Write>) -> Result<u64, Ended> {
    record(csv, COLUMNS.map(str::to_owned))?;
    let store = &session.target.store;
    let accounts = arguments.which.accounts(session).await?;
    let mut list = store.paid_on_days(&accounts, (arguments.from, arguments.to), None, PAGE);
    let mut written = 0;
    while list.position().is_some() {
        let entries: Vec<OnDay<PaidEntry>> = list.next(PAGE).await?;
        let numbers: Vec<&str> = entries.iter().map(|found| found.entry.out_trade_no.as_str()).collect();
        for order in store.orders(&numbers).await? {
            record(csv, cells(&order, arguments.excel))?;
            written += 1;
        }
    }
    Ok(written)
}

fn record(csv: &mut Writer<impl Write>, cells: [String; COLUMNS.len()]) -> Result<(), Ended> {
    csv.write_record(cells).map_err(|error| match error.kind() {
        csv::ErrorKind::Io(error) if error.kind() == ErrorKind::BrokenPipe => Ended::Closed,
        _ => Ended::Failed(Failure::refused(error.to_string())),
    })
}

fn cells(order: &Order, excel: bool) -> [String; COLUMNS.len()] {
    let text = |text: &str| cell(text, excel);
    let maybe = |value: &Option<String>| value.as_deref().map(text).unwrap_or_default();
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    [
        text(&order.out_trade_no),
        order.trade_state.name().to_owned(),
        order.total_fee.to_yuan(),
        order.refund_fee.to_yuan(),
        text(&order.currency),
        order.provider.name().to_owned(),
        text(&order.pay_type),
        text(&order.merchant),
        maybe(&order.mch_id),
        maybe(&order.transaction_id),
        text(&order.kind),
        text(&order.description),
        maybe(&order.user_id),
        order.user_order_success.map(|done| done.to_string()).unwrap_or_default(),
        moment(order.create_date),
        order.pay_date.map(moment).unwrap_or_default(),
        order.notify_date.map(moment).unwrap_or_default(),
        text(attempt.numbers.last().unwrap_or(&attempt.number)),
    ]
}

/// A text that no spreadsheet runs; with `excel`, a long number that it does not round either, as Alipay's own bills
/// have them: with a tab behind.
fn cell(text: &str, excel: bool) -> String {
    let shown = plain::cell(text);
    let long = text.len() > DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    if excel && long { format!("{shown}\t") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_text_of_a_stranger_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1"] {
            assert!(cell(text, false).starts_with('\''), "{text:?}");
            assert!(cell(text, true).starts_with('\''), "{text:?}");
        }
        assert_eq!(cell("余额充值, \"a\"", true), "余额充值, \"a\"");
    }

    #[test]
    fn a_spreadsheet_rounds_no_number() {
        assert_eq!(cell("4200002026113012345678901234", true), "4200002026113012345678901234\t");
        assert_eq!(cell("4200002026113012345678901234", false), "4200002026113012345678901234");
        assert_eq!(cell("123456789012345", true), "123456789012345");
    }
}
