//! `vk-pay orders`: those paid on days, of a user, or still unpaid.
//!
//! What is listed by day is the payment, so a day has the orders that were paid on it. What is unpaid stands among what is
//! due, until it is closed. A closed order is in the list of its user, and nowhere else.

use super::accounts::Which;
use super::args::{Common, day, state};
use super::progress::{AT_ONCE, Count, shown};
use super::text::{clean, zone};
use super::{Failure, Session, rows};
use crate::lang::Lang;
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::json;
use shared::domain::{Day, Order, Status};
use shared::payments::Handlers;
use shared::store::{DayPosition, Due, PaidEntry, StoreError};

/// Orders that are read at once.
const BATCH: usize = 100;

/// Which orders.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Paid on this day, Beijing time (default: today)
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, conflicts_with_all = ["from", "to", "user"])]
    day: Option<Day>,
    /// Paid on this day or later
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "to", conflicts_with = "user")]
    from: Option<Day>,
    /// Paid on this day or earlier
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day, requires = "from")]
    to: Option<Day>,
    /// Of this user, in every state
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only in this state. NOTPAY without --user lists all that wait for their payers
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<Status>,
    #[command(flatten)]
    which: Which,
    /// Only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

impl Arguments {
    fn wants(&self, order: &Order) -> bool {
        self.state.is_none_or(|state| order.trade_state == state)
            && self.kind.as_deref().is_none_or(|kind| order.kind == kind)
            && self.which.has(order.provider, &order.merchant)
    }

    fn days(&self, session: &Session) -> (Day, Day) {
        let today = || Day::of(session.now());
        match (self.day, self.from, self.to) {
            (Some(day), ..) => (day, day),
            (None, Some(from), Some(to)) => (from, to),
            (None, ..) => (today(), today()),
        }
    }

    /// Each day is a query for each shard of each account, whether it has orders or not.
    fn check_days(&self, session: &Session) -> Result<(), Failure> {
        let (from, to) = self.days(session);
        super::totals::days(session, from, to).map(drop)
    }
}

/// A page, where the next begins, and what it is a list of.
type Page = (Vec<Order>, Option<String>, String);

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    if arguments.user.is_some() || arguments.state == Some(Status::NotPay) {
        arguments.which.check(&session).await?;
    }
    let (list, cursor, about) = match (&arguments.user, arguments.state) {
        (Some(user), _) => of_user(&session, &arguments, user).await?,
        (None, Some(Status::NotPay)) => unpaid(&session, &arguments).await?,
        (None, Some(Status::Closed)) => {
            return Err(Failure::usage(session.t(
                "已关闭的订单没有按日期的列表：请用 --user，或用 `vk-pay order 订单号` 查看一笔。",
                "Closed orders are not listed by day: give a --user, or look at one with `vk-pay order NO`.",
            )));
        }
        (None, _) => {
            arguments.check_days(&session)?;
            paid(&session, &arguments).await?
        }
    };
    if list.is_empty() {
        check_type(&session, arguments.kind.as_deref())?;
    }
    let document = json!({
        "list": list.iter().map(rows::columns).collect::<Vec<_>>(),
        "cursor": cursor,
        "place": rows::place(&session),
    });
    session.show(&document, || {
        let table = rows::orders(&session, &list);
        let mut lines = vec![format!("{about} · {}", session.place())];
        match table.is_empty() {
            true => lines.push(session.t("没有订单。", "No orders.").to_owned()),
            false => lines.extend(table.lines()),
        }
        lines.push(zone(session.lang).to_owned());
        if let Some(cursor) = &cursor {
            lines.push(format!("{} --cursor {cursor}", session.t("还有更多：", "There are more:")));
        }
        lines
    })
}

/// Where nothing was found of a type that the stack of this machine does not have, that type was probably mistyped. An order
/// of a type that was taken out since is found all the same; on AWS the types are not known here.
fn check_type(session: &Session, kind: Option<&str>) -> Result<(), Failure> {
    let Some((kind, known)) = kind.zip(session.target.types.as_ref()) else { return Ok(()) };
    let known_here = handlers::Registry.knows(kind) || known.iter().any(|own| own == kind);
    if known.is_empty() || known_here {
        return Ok(());
    }
    let (kind, names) = (clean(kind), known.join(", "));
    Err(Failure::usage(match session.lang {
        Lang::Zh => format!("--type {kind}：没有这个类型。已有：{names}"),
        Lang::En => format!("--type {kind}: there is no such type. There are: {names}"),
    }))
}

async fn of_user(session: &Session, arguments: &Arguments, user: &str) -> Result<Page, Failure> {
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let cursor = arguments.cursor.as_deref();
    let page = session.target.store.orders_of(user, limit, cursor, |order| arguments.wants(order)).await?;
    let (list, cursor) = page.ok_or_else(|| foreign_cursor(session))?;
    Ok((list, cursor, format!("{} {user}", session.t("用户", "user"))))
}

fn foreign_cursor(session: &Session) -> Failure {
    Failure::usage(session.t("--cursor 不属于这个列表", "--cursor: does not belong to this list"))
}

async fn paid(session: &Session, arguments: &Arguments) -> Result<Page, Failure> {
    let days = arguments.days(session);
    if days.0 > days.1 {
        return Err(Failure::usage(session.t("--from 晚于 --to", "--from is after --to")));
    }
    let after = match &arguments.cursor {
        None => None,
        Some(text) => {
            let bytes = shared::crypto::from_base64(text).map_err(|_| foreign_cursor(session))?;
            Some(serde_json::from_slice::<DayPosition>(&bytes).map_err(|_| foreign_cursor(session))?)
        }
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let accounts = arguments.which.accounts(session).await?;
    let mut days_list = session.target.store.paid_on_days(&accounts, days, after.as_ref(), limit.min(25));
    let about = match days.0 == days.1 {
        true => format!("{} {}", session.t("支付日期", "paid on"), days.0),
        false => format!("{} {} – {}", session.t("支付日期", "paid on"), days.0, days.1),
    };
    let mut page = Vec::new();
    loop {
        let entries = days_list.next::<PaidEntry>(limit.min(100)).await?;
        let numbers: Vec<&str> = entries.iter().map(|found| found.entry.out_trade_no.as_str()).collect();
        let mut orders = session.target.store.orders(&numbers).await?.into_iter().peekable();
        for found in &entries {
            let Some(order) = orders.next_if(|order| order.out_trade_no == found.entry.out_trade_no) else { continue };
            if arguments.wants(&order) {
                page.push(order);
                if page.len() == limit {
                    let position = serde_json::to_vec(&found.position).unwrap_or_default();
                    return Ok((page, Some(shared::crypto::base64(&position)), about));
                }
            }
        }
        if days_list.position().is_none() {
            return Ok((page, None, about));
        }
    }
}

/// Orders that wait for their payers: they are due until they are paid or closed.
async fn unpaid(session: &Session, arguments: &Arguments) -> Result<Page, Failure> {
    if arguments.cursor.is_some() {
        return Err(foreign_cursor(session));
    }
    let days = (arguments.day.is_some() || arguments.from.is_some()).then(|| arguments.days(session));
    let store = &session.target.store;
    let numbers: Vec<String> = super::due::all(session)
        .await?
        .into_iter()
        .filter_map(|due| match due {
            Due::Order(no) => Some(no),
            Due::Refund(..)
            | Due::Share(..)
            | Due::Return(..)
            | Due::Task(..)
            | Due::Transfer(_)
            | Due::Authorization(_) => None,
        })
        .collect();
    let count = Count::of(numbers.len().div_ceil(BATCH));
    let batches = numbers.chunks(BATCH).map(|batch| {
        let count = &count;
        async move {
            let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
            let orders = store.orders(&batch).await?;
            count.add();
            Ok::<_, StoreError>(orders)
        }
    });
    let read = stream::iter(batches).buffer_unordered(AT_ONCE).try_collect::<Vec<_>>();
    let orders = shown(session, &count, read).await?;
    let created = |order: &Order| {
        let day = Day::of(order.create_date);
        days.is_none_or(|(from, to)| (from..=to).contains(&day))
    };
    let wanted = |order: &Order| arguments.wants(order) && created(order);
    let mut list: Vec<Order> = orders.into_iter().flatten().filter(wanted).collect();
    list.sort_by(|a, b| (b.create_date, &b.out_trade_no).cmp(&(a.create_date, &a.out_trade_no)));
    let (found, limit) = (list.len(), usize::try_from(arguments.limit).unwrap_or(usize::MAX));
    list.truncate(limit);
    let about = match days {
        Some((from, to)) => format!("{} {from} – {to}", session.t("待支付，创建于", "unpaid, created")),
        None => session.t("待支付", "unpaid").to_owned(),
    };
    let about = if found > limit { format!("{about} ({limit} / {found}, --limit)") } else { about };
    Ok((list, None, about))
}
