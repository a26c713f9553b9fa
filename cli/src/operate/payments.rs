//! `vk-pay payments`: what was paid and refunded on a day.

use super::accounts::Which;
use super::args::{Common, day};
use super::progress::{AT_ONCE, Count, shown};
use super::text::{Table, moment, money, zone};
use super::{Failure, Session, rows};
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use shared::domain::{Day, Fen};
use shared::store::{ByDay, DayList, DayTotals, OnDay, PaidEntry, RefundedEntry, StoreError};

/// Which day.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The day, Beijing time (default: today)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    day: Option<Day>,
    #[command(flatten)]
    which: Which,
    /// How many of each; the sums are of all
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let day = arguments.day.unwrap_or_else(|| Day::of(session.now()));
    let accounts = arguments.which.accounts(&session).await?;
    let store = &session.target.store;
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let paid: Vec<OnDay<PaidEntry>> = take(store.paid_on_days(&accounts, (day, day), None, 25), limit).await?;
    let refunded: Vec<OnDay<RefundedEntry>> =
        take(store.refunded_on_days(&accounts, (day, day), None, 25), limit).await?;
    let count = Count::of(accounts.len());
    let of_accounts = accounts.iter().map(|account| {
        let count = &count;
        async move {
            let sums = store.day_totals(account, day).await?;
            count.add();
            Ok::<_, StoreError>(sums)
        }
    });
    let read = stream::iter(of_accounts).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
    let sums = shown(&session, &count, read).await?.into_iter().fold(DayTotals::default(), DayTotals::and);
    let document = json!({
        "day": day.to_string(),
        "payments": paid.iter().map(|own| entry(own, &own.entry)).collect::<Vec<_>>(),
        "refunds": refunded.iter().map(|own| entry(own, &own.entry)).collect::<Vec<_>>(),
        "totals": sums,
        "place": rows::place(&session),
    });
    session.show(&document, || lines(&session, day, &paid, &refunded, sums))
}

/// The newest of a list.
async fn take<T: ByDay>(mut list: DayList<'_>, limit: usize) -> Result<Vec<OnDay<T>>, Failure> {
    let mut taken = Vec::new();
    while taken.len() < limit && list.position().is_some() {
        taken.extend(list.next(limit - taken.len()).await?);
    }
    Ok(taken)
}

fn entry<T>(own: &OnDay<T>, fields: &impl serde::Serialize) -> Value {
    let mut value = json!(fields);
    value["provider"] = json!(own.account.provider);
    value["merchant"] = json!(own.account.merchant);
    value["time"] = json!(own.position.at());
    value
}

fn lines(
    session: &Session,
    day: Day,
    paid: &[OnDay<PaidEntry>],
    refunded: &[OnDay<RefundedEntry>],
    sums: DayTotals,
) -> Vec<String> {
    let heads = |what| {
        Table::new(&[
            session.t("时间", "time"),
            session.t("订单号", "order"),
            session.t(">金额", ">amount"),
            session.t("渠道", "provider"),
            session.t("商户", "merchant"),
            what,
        ])
    };
    let mut payments = heads(session.t("渠道单号", "transaction"));
    for own in paid {
        payments.row(cells(own, own.entry.total_fee, own.entry.transaction_id.clone()));
    }
    let mut refunds = heads(session.t("退款单号", "refund"));
    for own in refunded {
        refunds.row(cells(own, own.entry.refund_fee, own.entry.out_refund_no.clone()));
    }
    let mut lines = vec![format!("{day} · {}", session.place())];
    let part = |title: &str, count: u64, sum: Fen, table: &Table| {
        let more = count.saturating_sub(u64::try_from(table.lines().len() - 1).unwrap_or(u64::MAX));
        let mut part = vec![String::new(), format!("{title}: {count}, {}", money(sum))];
        if !table.is_empty() {
            part.extend(table.lines().into_iter().map(|line| format!("  {line}")));
        }
        if more > 0 {
            part.push(format!("  … {more} {}", session.t("条未列出（--limit）", "more (--limit)")));
        }
        part
    };
    lines.extend(part(session.t("支付", "Payments"), sums.paid, sums.paid_fee, &payments));
    let all = Fen(sums.refunded_fee.0.saturating_add(sums.returned_fee.0));
    lines.extend(part(session.t("退款", "Refunds"), sums.refunded + sums.returned, all, &refunds));
    if sums.returned > 0 {
        let what = session.t("其中退回没有订单入账的付款", "of which for payments not credited to an order");
        lines.push(format!("  {what}: {}, {}", sums.returned, money(sums.returned_fee)));
    }
    lines.push(String::new());
    lines.push(zone(session.lang).to_owned());
    lines
}

fn cells<T: ByDay>(own: &OnDay<T>, amount: Fen, number: String) -> [String; 6] {
    [
        moment(own.position.at()),
        own.entry.out_trade_no().to_owned(),
        money(amount),
        own.account.provider.name().to_owned(),
        own.account.merchant.clone(),
        number,
    ]
}
