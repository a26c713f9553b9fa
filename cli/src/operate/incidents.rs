//! `vk-pay incidents`: what does not fit and waits for a decision.

use super::accounts::Which;
use super::args::Common;
use super::rows::field;
use super::text::{Table, moment_or_dash, money, zone};
use super::{Failure, Session, rows};
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::{Fen, Provider, UnixMs};

/// Which incidents.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Also those that are resolved
    #[arg(long)]
    all: bool,
    /// Only of this name: late_payment, undelivered …
    #[arg(long, value_name = "NAME")]
    incident: Option<String>,
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    arguments.which.check(&session).await?;
    let text = |incident: &Map<String, Value>, name: &str| {
        incident.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let wanted = |incident: &Map<String, Value>| {
        let provider = Provider::parse(&text(incident, "provider"));
        (arguments.all || text(incident, "status") == "open")
            && arguments.incident.as_ref().is_none_or(|name| text(incident, "incident") == *name)
            && provider.is_none_or(|provider| arguments.which.has(provider, &text(incident, "merchant")))
    };
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let page = session.target.store.incidents(limit, arguments.cursor.as_deref(), wanted).await?;
    let foreign = || Failure::usage(session.t("--cursor 不属于这个列表", "--cursor: does not belong to this list"));
    let (list, cursor) = page.ok_or_else(foreign)?;
    let document = json!({ "list": list, "cursor": cursor, "place": rows::place(&session) });
    session.show(&document, || {
        let mut lines = vec![session.place()];
        let table = table(&session, &list);
        match table.is_empty() {
            true => lines.push(session.t("没有待处理的异常。", "No open incidents.").to_owned()),
            false => {
                lines.extend(table.lines());
                lines.push(
                    session
                        .t(
                            "处理：vk-pay resolve ID accept|refund|close",
                            "To decide: vk-pay resolve ID accept|refund|close",
                        )
                        .to_owned(),
                );
            }
        }
        lines.push(zone(session.lang).to_owned());
        if let Some(cursor) = &cursor {
            lines.push(format!("{} --cursor {cursor}", session.t("还有更多：", "There are more:")));
        }
        lines
    })
}

fn table(session: &Session, list: &[Map<String, Value>]) -> Table {
    let mut table = Table::new(&[
        "id",
        session.t("异常", "incident"),
        session.t("状态", "status"),
        session.t("订单", "order"),
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t("应为", "expected"),
        session.t("实为", "actual"),
        session.t("时间", "time"),
    ]);
    for incident in list {
        let value = |name: &str| match incident.get(name) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            // What was to be paid, and what was.
            Some(value) => value.as_u64().map_or_else(|| value.to_string(), |fen| money(Fen(fen))),
        };
        let number = if incident.contains_key("out_trade_no") { "out_trade_no" } else { "out_bill_no" };
        let stands = match field(incident, "action").as_str() {
            "-" => field(incident, "status"),
            action => format!("{} ({action})", field(incident, "status")),
        };
        table.row([
            field(incident, "incident_id"),
            field(incident, "incident"),
            stands,
            field(incident, number),
            field(incident, "provider"),
            field(incident, "merchant"),
            value("expected"),
            value("actual"),
            moment_or_dash(incident.get("create_date").and_then(Value::as_i64).map(UnixMs::new)),
        ]);
    }
    table
}
