//! `vk-pay trigger`: the simulated providers of this machine do something with a new order.

use super::args::{Amount, Common, provider};
use super::rows::field;
use super::text::{Table, money, state};
use super::{Failure, Session, print, rows};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::{Fen, Provider, Status};
use vk_pay_local::console::{TRIGGERS, Trigger};

/// What is triggered.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What happens: see --list
    #[arg(required_unless_present = "list", value_parser = named)]
    name: Option<Trigger>,
    /// List what can be triggered
    #[arg(long)]
    list: bool,
    /// At this provider
    #[arg(long, value_name = "NAME", value_parser = provider, default_value = "wxpay")]
    provider: Provider,
    #[command(flatten)]
    amount: Amount,
    /// The order's type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// The merchant: default, v2, cert
    #[arg(long, value_name = "ID")]
    merchant: Option<String>,
    /// This many orders, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

fn named(text: &str) -> Result<Trigger, String> {
    let found = TRIGGERS.into_iter().find(|trigger| trigger.name == text);
    found.ok_or_else(|| format!("one of: {}", TRIGGERS.map(|trigger| trigger.name).join(", ")))
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Some(trigger) = arguments.name.filter(|_| !arguments.list) else {
        return list(arguments.common.language(), arguments.common.json);
    };
    let session = Session::open(&arguments.common).await?;
    let wish = json!({
        "name": trigger.name,
        "provider": arguments.provider,
        "amount": arguments.amount.typed(),
        "type": arguments.kind,
        "merchant": arguments.merchant,
    });
    let mut done = Vec::new();
    for _ in 0..arguments.count {
        let answer = session.control("/control/trigger", &wish).await?;
        // One line for each order, as they come; JSON is one document at the end.
        if !session.json {
            let lines = lines(&session, trigger, &answer.body);
            print(&lines.join("\n"))?;
        }
        done.push(answer.body);
    }
    if session.json {
        let document = json!({ "orders": done, "place": rows::place(&session) });
        print(&format!("{document:#}"))?;
    }
    Ok(())
}

fn list(lang: Lang, json: bool) -> Result<(), Failure> {
    if json {
        let list = TRIGGERS.map(|trigger| json!({ "name": trigger.name, "zh": trigger.zh, "en": trigger.en }));
        return print(&format!("{:#}", json!({ "triggers": list })));
    }
    let mut table = Table::new(&[lang.t("名称", "name"), lang.t("发生什么", "what happens")]);
    for trigger in TRIGGERS {
        table.row([trigger.name.to_owned(), lang.t(trigger.zh, trigger.en).to_owned()]);
    }
    print(&table.lines().join("\n"))
}

fn lines(session: &Session, trigger: Trigger, reply: &Value) -> Vec<String> {
    let empty = Map::new();
    let fields = reply.as_object().unwrap_or(&empty);
    let fen = |name: &str| Fen(fields.get(name).and_then(Value::as_u64).unwrap_or(0));
    let (total, back) = (fen("total_fee"), fen("refund_fee"));
    let stands = Status::parse(&field(fields, "trade_state"));
    let stands = stands.map_or("-", |stands| state(session.lang, stands, back >= total));
    let delivered = match fields.get("user_order_success").and_then(Value::as_bool) {
        Some(true) => session.t("，已交付", ", delivered"),
        Some(false) => session.t("，未交付", ", not delivered"),
        None => "",
    };
    let no = field(fields, "out_trade_no");
    let mut lines = vec![format!("{no}  {} {}: {stands}{delivered}", trigger.name, money(total))];
    for incident in fields.get("incidents").and_then(Value::as_array).into_iter().flatten() {
        let own = incident.as_object().unwrap_or(&empty);
        lines.push(format!(
            "  {} {} {} ({})",
            session.t("异常", "incident"),
            field(own, "incident"),
            field(own, "incident_id"),
            field(own, "status")
        ));
    }
    for answer in fields.get("callbacks").and_then(Value::as_array).into_iter().flatten() {
        lines.push(format!("  {} {}", session.t("回调被应答", "the callback was answered"), answered(answer)));
    }
    if fields.get("settled").and_then(Value::as_bool) == Some(false) {
        lines.push(format!(
            "  {} vk-pay order {no}",
            session.t("还没有到达预期的结果，稍后再看：", "it has not ended as expected yet; check again:")
        ));
    }
    lines
}

/// How a callback was answered: status and words.
pub(super) fn answered(answer: &Value) -> String {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).unwrap_or_default().trim();
    match answer.get("status").and_then(Value::as_u64) {
        Some(status) => {
            let body: String = text("body").chars().take(120).collect();
            super::text::clean(format!("HTTP {status} {body}").trim())
        }
        None => super::text::clean(text("error")),
    }
}
