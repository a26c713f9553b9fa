//! `vk-pay complaints`: what payers complain of at the providers, and what is done about it.
//!
//! The list is the table's. One complaint, and whatever is done about it, goes through the functions, which ask the provider.

use super::accounts::Which;
use super::args::{Amount, Common};
use super::confirm::confirm;
use super::text::{Table, clean, moment_or_dash, money, zone};
use super::{Failure, Session, rows};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use shared::domain::action::{Action, Queries, Refunds};
use shared::domain::{ComplaintRecord, Fen, Provider, UnixMs};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Those that are not done with
    List,
    /// One as its provider has it now, with what was said
    Show,
    /// Answer the payer (--text)
    Answer,
    /// Tell the provider that it is done with
    Complete,
    /// Refund the order, once, and complete the complaint when the money is back
    Refund,
    /// Have the provider send notices of complaints
    Subscribe,
}

/// Which complaints, and what is done.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What is done
    #[arg(value_enum, default_value = "list")]
    what: What,
    /// The complaint, by the provider's id of it
    #[arg(value_name = "COMPLAINT", required_if_eq_any([("what", "show"), ("what", "answer"), ("what", "complete"), ("what", "refund")]))]
    id: Option<String>,
    /// The answer to the payer; with complete, a remark
    #[arg(long, value_name = "TEXT", required_if_eq("what", "answer"))]
    text: Option<String>,
    /// Alipay, complete: how it was resolved, such as CONSENSUS_WITH_CLIENT
    #[arg(long, value_name = "CODE")]
    process_code: Option<String>,
    /// Refund: which order, where the complaint is about several
    #[arg(long, value_name = "NO")]
    order: Option<String>,
    #[command(flatten)]
    amount: Amount,
    /// List completed ones too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Continue where the last list ended
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    match arguments.what {
        What::List => list(&session, &arguments).await,
        What::Show => act(&session, &arguments, Queries::Complaints).await,
        What::Answer => act(&session, &arguments, Refunds::AnswerComplaint).await,
        What::Complete => act(&session, &arguments, Refunds::CompleteComplaint).await,
        What::Refund => act(&session, &arguments, Refunds::RefundComplaint).await,
        What::Subscribe => act(&session, &arguments, Refunds::SubscribeComplaints).await,
    }
}

async fn list(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let wanted = |record: &ComplaintRecord| {
        (arguments.all || record.complaint.state.is_open()) && arguments.which.has(record.provider, &record.merchant)
    };
    let page = session.target.store.complaints(limit, arguments.cursor.as_deref(), wanted).await?;
    let foreign = || Failure::usage(session.t("--cursor 不属于这个列表", "--cursor: not of this list"));
    let (found, cursor) = page.ok_or_else(foreign)?;
    let shown: Vec<Value> = found.iter().map(ComplaintRecord::shown).collect();
    let document = json!({ "list": shown, "cursor": cursor, "place": rows::place(session) });
    session.show(&document, || {
        let mut lines = vec![session.place()];
        match shown.is_empty() {
            true => lines.push(session.t("没有待处理的投诉。", "No open complaints.").to_owned()),
            false => lines.extend(table(session, &shown).lines()),
        }
        lines.push(zone(session.lang).to_owned());
        if let Some(cursor) = &cursor {
            lines.push(format!("{} --cursor {cursor}", session.t("还有更多：", "There are more:")));
        }
        lines
    })
}

fn table(session: &Session, list: &[Value]) -> Table {
    let mut table = Table::new(&[
        "id",
        session.t("状态", "state"),
        session.t("最晚处理", "due"),
        session.t("订单", "order"),
        session.t(">金额", ">amount"),
        session.t("渠道", "provider"),
        session.t("商户", "merchant"),
        session.t("电话", "telephone"),
        session.t("用户说", "the payer says"),
    ]);
    for complaint in list {
        let text = |name: &str| complaint[name].as_str().map_or_else(|| "-".to_owned(), clean);
        table.row([
            text("complaint_id"),
            text("state"),
            moment_or_dash(complaint["deadline"].as_i64().map(UnixMs::new)),
            text("out_trade_no"),
            money(Fen(complaint["amount"].as_u64().unwrap_or_default())),
            text("provider"),
            text("merchant"),
            text("phone"),
            text("detail").chars().take(40).collect(),
        ]);
    }
    table
}

/// What the action gets.
fn data(arguments: &Arguments) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("provider", json!(arguments.which.provider.unwrap_or(Provider::Wxpay)));
    if let Some(merchant) = arguments.which.merchant.first().filter(|id| *id != "default") {
        put("pid", json!(merchant));
    }
    if let Some(id) = &arguments.id {
        put("complaint_id", json!(id));
    }
    let text = arguments.text.as_ref().filter(|_| matches!(arguments.what, What::Answer | What::Complete));
    if let Some(text) = text {
        put("response_content", json!(text));
    }
    if let Some(code) = arguments.process_code.as_ref().filter(|_| arguments.what == What::Complete) {
        put("process_code", json!(code));
    }
    if arguments.what == What::Refund {
        if let Some(order) = &arguments.order {
            put("out_trade_no", json!(order));
        }
        if let Some(amount) = arguments.amount.typed() {
            put("refund_fee", json!(amount));
        }
    }
    data
}

async fn act(session: &Session, arguments: &Arguments, action: impl Into<Action>) -> Result<(), Failure> {
    let data = data(arguments);
    if arguments.what == What::Refund {
        confirm(session, &facts(session, arguments, &data), arguments.yes)?;
    }
    let answer = session.call(action, data).await?;
    let mut document = answer.body;
    document["place"] = rows::place(session);
    session.show(&document, || lines(session, &document))
}

fn facts<'a>(session: &'a Session, arguments: &Arguments, data: &Map<String, Value>) -> Vec<(&'a str, String)> {
    let all = session.t("订单剩余的可退金额，全部", "all that is left of the order").to_owned();
    let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or("default").to_owned();
    vec![
        (session.t("退款并完成投诉", "refund, and end the complaint"), text("complaint_id")),
        (session.t("金额", "amount"), arguments.amount.typed().map_or(all, money)),
        (session.t("渠道", "provider"), text("provider")),
        (session.t("商户", "merchant"), text("pid")),
    ]
}

fn lines(session: &Session, reply: &Value) -> Vec<String> {
    // The dialect of the functions has what matters flat; VK-Pay's has it in `data`.
    let of = |name: &str| if reply[name].is_null() { &reply["data"][name] } else { &reply[name] };
    let mut lines = Vec::new();
    let shown = match of("list").as_array() {
        Some(list) => list.clone(),
        None => of("complaint").is_object().then(|| of("complaint").clone()).into_iter().collect(),
    };
    if !shown.is_empty() {
        lines.extend(table(session, &shown).lines());
    }
    for line in of("history").as_array().into_iter().flatten() {
        let text = |name: &str| line[name].as_str().map_or_else(|| "-".to_owned(), clean);
        let at = moment_or_dash(line["at"].as_i64().map(UnixMs::new));
        lines.push(format!("{at}  {}  {}  {}", text("operator"), text("type"), text("text")));
    }
    for (zh, en, name) in [
        ("退款单号", "refund", "out_refund_no"),
        ("退款状态", "refund's state", "status"),
        ("回调地址", "notices go to", "url"),
    ] {
        if let Some(value) = of(name).as_str() {
            lines.push(format!("{}: {}", session.t(zh, en), clean(value)));
        }
    }
    lines
}
