//! `vk-pay order`: one order and all that happened to it.

use super::accounts::{Which, busy_days, first_of};
use super::args::Common;
use super::progress::{Count, shown};
use super::text::{Table, clean, moment, moment_or_dash, money, state, zone};
use super::{Failure, Session, rows};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::{AttemptState, Day, Fen, Order, Refund, RefundState, Task, TaskState, UnixMs};
use shared::store::{Holder, Incident, IncidentName, ListedAccount, Recorded, RefundedEntry, StoreError};
use std::collections::BTreeSet;

/// Of how many days, today included, the refunds are read for a provider's number of one.
const REFUND_DAYS: i64 = 7;
/// Refunds that are read at once.
const REFUNDS: usize = 100;

/// Which order.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its number; a later attempt's, the provider's number of its payment, or a refund's number finds it too
    #[arg(allow_hyphen_values = true)]
    no: String,
    #[command(flatten)]
    pub(super) common: Common,
}

/// All that the table has of an order.
struct Found {
    order: Order,
    refunds: Vec<Refund>,
    tasks: Vec<Task>,
    incidents: Vec<Recorded>,
    history: Vec<Map<String, Value>>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let order = find_to_show(&session, &arguments.no).await?;
    let found = read(&session, order).await?;
    session.show(&found.document(&session), || found.lines(&session))
}

/// The order that a number means: its own, an attempt's, or one that its provider gave. What changes an order takes no
/// refund's number for it: it may have been meant for something else.
pub(super) async fn find(session: &Session, no: &str) -> Result<Order, Failure> {
    let found = match held(session, no).await? {
        Some(order) => Some(order),
        None => {
            let accounts = Which::all().accounts(session).await?;
            match by_number(session, &accounts, no).await? {
                Some(order) => session.target.store.order(&order).await?,
                None => None,
            }
        }
    };
    found.ok_or_else(|| {
        let no = clean(no);
        Failure::refused(match session.lang {
            Lang::Zh => format!("没有这笔订单：{no}（`vk-pay order` 也按退款单号查找；转账用 `vk-pay transfers 单号` 查看）"),
            Lang::En => format!(
                "there is no order {no} (`vk-pay order` looks for refunds' numbers too; a transfer is shown by `vk-pay transfers NO`)"
            ),
        })
    })
}

/// The same, or the order of which a refund is, to be looked at.
pub(super) async fn find_to_show(session: &Session, no: &str) -> Result<Order, Failure> {
    if let Some(order) = held(session, no).await? {
        return Ok(order);
    }
    let accounts = Which::all().accounts(session).await?;
    let named = match by_number(session, &accounts, no).await? {
        Some(order) => Some(order),
        None => by_refund(session, accounts, no).await?,
    };
    let order = match &named {
        Some(order) => session.target.store.order(order).await?,
        None => None,
    };
    order.ok_or_else(|| {
        let (no, since) = (clean(no), Day::of(session.now()).before(REFUND_DAYS - 1));
        Failure::refused(match session.lang {
            Lang::Zh => format!(
                "没有这笔订单：{no}（渠道的退款单号只在 {since} 以来的退款中查找；转账用 `vk-pay transfers 单号` 查看）"
            ),
            Lang::En => format!(
                "there is no order {no} (a provider's number of a refund was looked for in the refunds since {since} only; a transfer is shown by `vk-pay transfers NO`)"
            ),
        })
    })
}

/// The order that a number is, or one of whose attempts it is.
async fn held(session: &Session, no: &str) -> Result<Option<Order>, Failure> {
    let store = &session.target.store;
    Ok(match store.holder(no).await? {
        Some(Holder::Order(order)) => Some(*order),
        Some(Holder::Attempt(order)) => store.order(&order).await?,
        None => None,
    })
}

/// The order of which a provider's number of the payment, or of the order, is.
async fn by_number(session: &Session, accounts: &[ListedAccount], number: &str) -> Result<Option<String>, Failure> {
    let store = &session.target.store;
    let ask = |ListedAccount { provider, merchant }| async move {
        let (transaction, given) = tokio::join!(
            store.order_of_transaction(provider, &merchant, number),
            store.order_of_number(provider, &merchant, number),
        );
        Ok::<_, StoreError>(transaction?.or(given?))
    };
    first_of(accounts, ask).await
}

/// The order of which a refund is, by the merchant's number of it or the provider's. No index has the latter, nor the former
/// where a provider numbers refunds for each payment: the refunds of the last days are read through.
async fn by_refund(session: &Session, accounts: Vec<ListedAccount>, number: &str) -> Result<Option<String>, Failure> {
    let store = &session.target.store;
    let ask = |ListedAccount { provider, merchant }| async move {
        store.order_of_refund_number(provider, &merchant, number).await
    };
    if let Some(order) = first_of(&accounts, ask).await? {
        return Ok(Some(order));
    }
    let today = Day::of(session.now());
    let busy = busy_days(session).await;
    let is_busy = |account: &ListedAccount| {
        busy.as_ref()
            .is_none_or(|busy| busy.iter().any(|(own, day)| own == account && today.before(REFUND_DAYS) < *day))
    };
    let accounts: Vec<ListedAccount> = accounts.into_iter().filter(is_busy).collect();
    let count = Count::of(accounts.len());
    let ask = |account: ListedAccount| {
        let count = &count;
        async move {
            let days = (today.before(REFUND_DAYS - 1), today);
            let mut list = store.refunded_on_days(std::slice::from_ref(&account), days, None, 25);
            while list.position().is_some() {
                let entries = list.next::<RefundedEntry>(REFUNDS).await?;
                let is = |entry: &&RefundedEntry| {
                    entry.refund_id.as_deref() == Some(number) || entry.out_refund_no == number
                };
                if let Some(found) = entries.iter().map(|found| &found.entry).find(is) {
                    return Ok(Some(found.out_trade_no.clone()));
                }
            }
            count.add();
            Ok::<_, StoreError>(None)
        }
    };
    shown(session, &count, first_of(&accounts, ask)).await
}

async fn read(session: &Session, order: Order) -> Result<Found, Failure> {
    let store = &session.target.store;
    let no = order.out_trade_no.as_str();
    let history = store.history(no).await?;
    // Incidents of an order stand in its history, but for the one that is written when the order is paid and not delivered.
    let told = history.iter().filter_map(|line| line.get("detail")?.get("incident_id")?.as_str());
    let mut ids: BTreeSet<String> = told.map(str::to_owned).collect();
    let mut undelivered = Incident::new(IncidentName::Undelivered, order.provider, &order.merchant);
    undelivered.out_trade_no = Some(no.to_owned());
    ids.insert(undelivered.id());
    let mut incidents = Vec::new();
    for id in ids {
        incidents.extend(store.incident(&id).await?);
    }
    let (refunds, tasks) = (store.refunds(no).await?, store.tasks(no).await?);
    Ok(Found { refunds, tasks, incidents, history, order })
}

/// An incident in JSON, without the provider's words on the payment.
pub(super) fn incident(recorded: &Recorded) -> Value {
    let mut fields = match serde_json::to_value(&recorded.incident) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    fields.remove("payment");
    fields.insert("incident_id".to_owned(), json!(recorded.incident_id));
    fields.insert("status".to_owned(), json!(recorded.status));
    fields.insert("action".to_owned(), json!(recorded.action));
    Value::Object(fields)
}

impl Found {
    fn document(&self, session: &Session) -> Value {
        json!({
            "order": self.order,
            "refunds": self.refunds,
            "tasks": self.tasks,
            "incidents": self.incidents.iter().map(incident).collect::<Vec<_>>(),
            "history": self.history,
            "place": rows::place(session),
        })
    }

    fn lines(&self, session: &Session) -> Vec<String> {
        let mut lines = self.head(session);
        let mut part = |title: &str, table: Table| {
            if !table.is_empty() {
                lines.push(String::new());
                lines.push(title.to_owned());
                lines.extend(table.lines().into_iter().map(|line| format!("  {line}")));
            }
        };
        part(session.t("异常", "Incidents"), self.incidents(session));
        part(session.t("支付尝试", "Attempts"), self.attempts(session));
        part(session.t("退款", "Refunds"), self.refunds(session));
        part(session.t("任务", "Tasks"), self.tasks(session));
        part(session.t("时间线", "Timeline"), self.timeline(session));
        lines.push(String::new());
        lines.push(zone(session.lang).to_owned());
        lines
    }

    fn head(&self, session: &Session) -> Vec<String> {
        let order = &self.order;
        let stands = state(session.lang, order.trade_state, order.refund_fee >= order.total_fee);
        let mut table = Table::new(&["", ""]);
        let mut fact = |zh: &str, en: &str, value: String| table.row([session.t(zh, en).to_owned(), value]);
        fact("金额", "amount", money(order.total_fee));
        if order.refund_fee > Fen::ZERO || order.refund_reserved > Fen::ZERO {
            fact("已退", "refunded", money(order.refund_fee));
            fact("退款中", "reserved", money(order.refund_reserved));
        }
        if order.trade_state.is_paid() {
            fact("可退", "refundable", money(order.refundable));
            let reason = order.user_order_reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            fact("交付", "delivered", format!("{}{reason}", rows::delivered(session, order)));
        }
        fact("渠道", "provider", order.pay_type.clone());
        fact("商户", "merchant", merchant_of(order));
        if let Some(id) = &order.transaction_id {
            fact("渠道单号", "transaction", id.clone());
        }
        fact("类型", "type", order.kind.clone());
        fact("标题", "subject", order.description.clone());
        if let Some(user) = &order.user_id {
            fact("用户", "user", user.clone());
        }
        fact("创建", "created", moment(order.create_date));
        for (zh, en, at) in [
            ("支付", "paid", order.pay_date),
            ("得知", "learnt", order.notify_date),
            ("关闭", "closed", order.cancel_date),
        ] {
            if let Some(at) = at {
                fact(zh, en, moment(at));
            }
        }
        let title = format!("{} {} · {stands} · {}", session.t("订单", "Order"), order.out_trade_no, session.place());
        std::iter::once(clean(&title))
            .chain(table.lines().into_iter().skip(1).map(|line| format!("  {line}")))
            .collect()
    }

    fn incidents(&self, session: &Session) -> Table {
        let mut table = Table::new(&[
            "id",
            session.t("异常", "incident"),
            session.t("状态", "status"),
            session.t("处理", "action"),
        ]);
        for recorded in &self.incidents {
            let fields = incident(recorded);
            let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
            table.row([recorded.incident_id.clone(), text("incident"), text("status"), text("action")]);
        }
        table
    }

    fn attempts(&self, session: &Session) -> Table {
        let mut table = Table::new(&[
            ">n",
            session.t("支付方式", "way"),
            session.t("商户", "merchant"),
            session.t("渠道侧单号", "number there"),
            session.t("状态", "state"),
            session.t("创建", "created"),
        ]);
        for attempt in &self.order.attempts {
            let stands = match attempt.state {
                AttemptState::Open => session.t("可支付", "open"),
                AttemptState::Failed => session.t("渠道未受理", "refused"),
                AttemptState::Closed => session.t("已关闭", "closed"),
                AttemptState::Abandoned => session.t("已放弃，仍可能被支付", "given up, may still be paid"),
                AttemptState::Paid => session.t("已支付", "paid"),
            };
            let number = attempt.numbers.last().unwrap_or(&attempt.number);
            table.row([
                attempt.n.to_string(),
                attempt.pay_type.clone(),
                attempt.merchant.clone(),
                number.clone(),
                stands.to_owned(),
                moment(attempt.create_date),
            ]);
        }
        table
    }

    fn refunds(&self, session: &Session) -> Table {
        let mut table = Table::new(&[
            session.t("退款单号", "refund"),
            session.t(">金额", ">amount"),
            session.t("状态", "state"),
            session.t("发起", "begun"),
            session.t("结束", "ended"),
            session.t("说明", "reason"),
        ]);
        for refund in &self.refunds {
            table.row([
                refund.out_refund_no.clone(),
                money(refund.refund_fee),
                refund_state(session, refund.state).to_owned(),
                moment(refund.create_date),
                moment_or_dash(refund.refund_date),
                refund.reason.clone().unwrap_or_else(|| refund.refund_desc.clone()),
            ]);
        }
        table
    }

    fn tasks(&self, session: &Session) -> Table {
        let mut table = Table::new(&[
            session.t("任务", "task"),
            session.t("状态", "state"),
            session.t(">次数", ">tries"),
            session.t("下次", "next"),
            session.t("最近一次错误", "last error"),
        ]);
        for task in &self.tasks {
            let (stands, next) = match task.state {
                TaskState::Due => (session.t("待执行", "due"), moment(task.due)),
                TaskState::Done => (session.t("已完成", "done"), "-".to_owned()),
                TaskState::Parked => (session.t("已搁置", "given up"), "-".to_owned()),
            };
            let error = task.last_error.clone().unwrap_or_else(|| "-".to_owned());
            table.row([task.name(), stands.to_owned(), task.attempts.to_string(), next, error]);
        }
        table
    }

    fn timeline(&self, session: &Session) -> Table {
        let mut table = Table::new(&[
            session.t("时间", "time"),
            session.t("事件", "event"),
            session.t("来源", "source"),
            session.t("详情", "detail"),
        ]);
        for line in &self.history {
            let at = line.get("time").and_then(Value::as_i64).map(UnixMs::new);
            let detail = line.get("detail").and_then(Value::as_object).map(summary).unwrap_or_default();
            table.row([moment_or_dash(at), rows::field(line, "event"), rows::field(line, "source"), detail]);
        }
        table
    }
}

/// How a refund stands, in words.
pub(super) fn refund_state(session: &Session, state: RefundState) -> &'static str {
    match state {
        RefundState::Processing => session.lang.t("处理中", "under way"),
        RefundState::Success => session.lang.t("成功", "done"),
        RefundState::Closed => session.lang.t("渠道已关闭", "closed by the provider"),
        RefundState::Refused => session.lang.t("渠道拒绝", "refused"),
    }
}

/// Who is paid: here, and at the provider.
pub(super) fn merchant_of(order: &Order) -> String {
    match &order.mch_id {
        Some(id) => format!("{} ({id})", order.merchant),
        None => order.merchant.clone(),
    }
}

/// The details of a line of history; amounts as yuan.
fn summary(detail: &Map<String, Value>) -> String {
    const AMOUNTS: [&str; 2] = ["total_fee", "refund_fee"];
    let value = |name: &str, value: &Value| match (AMOUNTS.contains(&name), value.as_u64(), value) {
        (true, Some(fen), _) => money(Fen(fen)),
        (_, _, Value::String(text)) => text.clone(),
        (_, _, value) => value.to_string(),
    };
    // A map of the table comes in no order.
    let mut fields: Vec<(&String, &Value)> = detail.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields.into_iter().map(|(name, own)| format!("{name}={}", value(name, own))).collect::<Vec<_>>().join(" ")
}
