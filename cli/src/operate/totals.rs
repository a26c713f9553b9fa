//! `vk-pay totals`: days added up, by provider and merchant.

use super::accounts::{Which, busy_days};
use super::args::{Common, day};
use super::progress::{AT_ONCE, Count, shown};
use super::text::{Table, money, zone};
use super::{Failure, Session, rows};
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use shared::domain::{Day, Fen};
use shared::store::{DayTotals, ListedAccount};

/// The most days that are added up: each payment of them is read.
const MOST_DAYS: i64 = 366;

/// Which days.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The first day, Beijing time (default: today)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    from: Option<Day>,
    /// The last day (default: the first)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "from")]
    to: Option<Day>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) common: Common,
}

/// One row: a day of an account.
type Row = (Day, ListedAccount, DayTotals);

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let from = arguments.from.unwrap_or_else(|| Day::of(session.now()));
    let days = days(&session, from, arguments.to.unwrap_or(from))?;
    let accounts = arguments.which.accounts(&session).await?;
    let store = &session.target.store;
    let busy = busy_days(&session).await;
    let mut wanted: Vec<(Day, ListedAccount)> =
        days.iter().flat_map(|day| accounts.iter().map(|account| (*day, account.clone()))).collect();
    wanted.retain(|(day, account)| busy.as_ref().is_none_or(|busy| busy.contains(&(account.clone(), *day))));
    let count = Count::of(wanted.len());
    let sums = stream::iter(wanted).map(|(day, account)| {
        let count = &count;
        async move {
            let sums = store.day_totals(&account, day).await?;
            count.add();
            Ok::<Row, Failure>((day, account, sums))
        }
    });
    let rows: Vec<Row> = shown(&session, &count, sums.buffered(AT_ONCE).try_collect()).await?;
    let rows: Vec<Row> = rows.into_iter().filter(|(.., sums)| *sums != DayTotals::default()).collect();
    let all = rows.iter().fold(DayTotals::default(), |sum, (.., own)| sum.and(*own));
    let document = json!({
        "days": rows.iter().map(row).collect::<Vec<_>>(),
        "totals": all,
        "place": rows::place(&session),
    });
    session.show(&document, || lines(&session, &rows, all))
}

/// The days of a span, oldest first.
pub(super) fn days(session: &Session, from: Day, to: Day) -> Result<Vec<Day>, Failure> {
    if from > to {
        return Err(Failure::usage(session.t("--from 晚于 --to", "--from is after --to")));
    }
    if to.before(MOST_DAYS - 1) > from {
        return Err(Failure::usage(format!("{} {MOST_DAYS}", session.t("天数最多", "--from and --to: days at most"))));
    }
    Ok((0..MOST_DAYS).map(|n| from.before(-n)).take_while(|day| *day <= to).collect())
}

fn row((day, account, sums): &Row) -> Value {
    let mut row = json!(sums);
    row["day"] = json!(day.to_string());
    row["provider"] = json!(account.provider);
    row["merchant"] = json!(account.merchant);
    row
}

fn lines(session: &Session, rows: &[Row], all: DayTotals) -> Vec<String> {
    let mut table = Table::new(&[
        session.t("日期", "day"),
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t(">支付笔数", ">payments"),
        session.t(">支付", ">paid"),
        session.t(">退款笔数", ">refunds"),
        session.t(">退款", ">refunded"),
        session.t(">净额", ">net"),
        session.t(">未入账退回", ">returned"),
    ]);
    let mut add = |day: String, provider: &str, merchant: &str, sums: &DayTotals| {
        table.row([
            day,
            provider.to_owned(),
            merchant.to_owned(),
            sums.paid.to_string(),
            money(sums.paid_fee),
            sums.refunded.to_string(),
            money(sums.refunded_fee),
            net(sums),
            money(sums.returned_fee),
        ]);
    };
    for (day, account, sums) in rows {
        add(day.to_string(), account.provider.name(), &account.merchant, sums);
    }
    add(session.t("合计", "all").to_owned(), "", "", &all);
    let mut lines = vec![session.place()];
    lines.extend(table.lines());
    lines.push(zone(session.lang).to_owned());
    if all.returned > 0 {
        let what = session.t(
            "未入账退回：没有订单入账的付款（迟到、重复等）已退回，不计入退款和净额。",
            "returned: payments that no order was credited for (late, second and the like) and that went back; in neither refunds nor net.",
        );
        lines.push(what.to_owned());
    }
    lines
}

/// What came in, less what went back; more may go back on a day than came in.
fn net(sums: &DayTotals) -> String {
    match sums.paid_fee.minus(sums.refunded_fee) {
        Some(net) => money(net),
        None => format!("-{}", money(Fen(sums.refunded_fee.0.saturating_sub(sums.paid_fee.0)))),
    }
}
