//! `vk-pay order`: one order and all that happened to it.

use super::args::Common;
use super::text::{Table, clean, moment, moment_or_dash, money, state, zone};
use super::{Failure, Session, rows};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::{AttemptState, Fen, Order, Provider, Refund, RefundState, Task, TaskState, UnixMs};
use shared::store::{Holder, Incident, IncidentName, Recorded};
use std::collections::BTreeSet;

/// Which order.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Its number; a later attempt's, or the provider's number of its payment, finds it too
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
    let order = find(&session, &arguments.no).await?;
    let found = read(&session, order).await?;
    session.show(&found.document(&session), || found.lines(&session))
}

/// The order that a number means: its own, an attempt's, or the provider's of a payment.
pub(super) async fn find(session: &Session, no: &str) -> Result<Order, Failure> {
    let store = &session.target.store;
    let named = match store.holder(no).await? {
        Some(Holder::Order(order)) => return Ok(*order),
        Some(Holder::Attempt(order)) => Some(order),
        None => None,
    };
    let named = match named {
        Some(order) => Some(order),
        None => by_transaction(session, no).await?,
    };
    let order = match &named {
        Some(order) => store.order(order).await?,
        None => None,
    };
    order.ok_or_else(|| {
        let no = clean(no);
        Failure::refused(match session.lang {
            Lang::Zh => format!("没有这笔订单：{no}（转账用 `vk-pay transfers 单号` 查看）"),
            Lang::En => format!("there is no order {no} (a transfer is shown by `vk-pay transfers NO`)"),
        })
    })
}

async fn by_transaction(session: &Session, id: &str) -> Result<Option<String>, Failure> {
    let default = ["default".to_owned()];
    let merchants = session.target.merchants.as_deref().unwrap_or(&default);
    for provider in Provider::ALL {
        for merchant in merchants {
            if let Some(order) = session.target.store.order_of_transaction(provider, merchant, id).await? {
                return Ok(Some(order));
            }
        }
    }
    Ok(None)
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
    detail.iter().map(|(name, own)| format!("{name}={}", value(name, own))).collect::<Vec<_>>().join(" ")
}
