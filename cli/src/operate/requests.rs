//! `vk-pay requests`: providers' calls that were made by name, newest first.

use super::args::Common;
use super::text::{Table, moment_or_dash, zone};
use super::{Failure, Session, rows};
use clap::Args;
use serde_json::{Map, Value, json};
use shared::domain::UnixMs;

/// How many, and from where on.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
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
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let page = session.target.store.requests(limit, arguments.cursor.as_deref()).await?;
    let foreign = || Failure::usage(session.t("--cursor 不属于这个列表", "--cursor: not of this list"));
    let (list, cursor) = page.ok_or_else(foreign)?;
    let document = json!({ "list": list, "cursor": cursor, "place": rows::place(&session) });
    session.show(&document, || lines(&session, &list))
}

fn lines(session: &Session, list: &[Map<String, Value>]) -> Vec<String> {
    let mut table = Table::new(&[
        session.t("时间", "when"),
        session.t("接口", "call"),
        session.t("结果", "state"),
        "HTTP",
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t("调用方", "by"),
        session.t("渠道请求号", "number there"),
    ]);
    for request in list {
        let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
        let status =
            request.get("http_status").and_then(Value::as_u64).map_or_else(|| "-".to_owned(), |s| s.to_string());
        table.row([
            moment_or_dash(request.get("create_date").and_then(Value::as_i64).map(UnixMs::new)),
            text("target"),
            text("state"),
            status,
            text("provider"),
            text("merchant"),
            text("source"),
            text("provider_request_id"),
        ]);
    }
    let mut lines = vec![session.place()];
    match table.is_empty() {
        true => lines.push(session.t("没有直接调用过渠道接口。", "No other provider calls have been made.").to_owned()),
        false => lines.extend(table.lines()),
    }
    lines.push(zone(session.lang).to_owned());
    lines
}
