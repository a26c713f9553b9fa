//! `vk-pay shipping`: orders of mini programs whose money waits until their shipping is reported; how one stands, reported,
//! corrected, asked about (`docs/shipping.md`).

use super::accounts::Which;
use super::args::Common;
use super::confirm::confirm;
use super::order::{find, find_to_show};
use super::text::{Table, clean, moment, moment_or_dash, money, zone};
use super::{Failure, Session, numbered, rows};
use crate::lang::Lang;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Logistics, Order, Shipping, ShippingMode, ShippingState, UnixMs};

/// What is looked at or done; without a word, the orders that wait.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the orders that wait, those whose time is over first
    List(List),
    /// Report how an order is shipped; what is reported already is corrected by it, once
    Report(Report),
    /// Ask WeChat how an order's shipping stands
    Query(Query),
}

/// Which orders.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// One order, or those that wait.
#[derive(Debug, Args)]
struct Shown {
    /// The number of an order: the state and history of its shipping
    no: Option<String>,
    #[command(flatten)]
    list: List,
}

/// How it is shipped.
#[derive(Debug, Args)]
struct Report {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    /// The carrier, by WeChat's code: SF, YTO, ZTO
    #[arg(long, value_name = "CODE", requires = "tracking", conflicts_with_all = ["nothing", "pick_up"])]
    carrier: Option<String>,
    /// The carrier's number of the parcel
    #[arg(long, value_name = "NUMBER", requires = "carrier")]
    tracking: Option<String>,
    /// Nothing is carried
    #[arg(long = "virtual", conflicts_with_all = ["pick_up", "same_city"])]
    nothing: bool,
    /// The payer fetches it
    #[arg(long, conflicts_with = "same_city")]
    pick_up: bool,
    /// It is carried within the city
    #[arg(long)]
    same_city: bool,
    /// What is in it (default: the order's subject)
    #[arg(long, value_name = "TEXT")]
    item: Option<String>,
    /// The receiver's telephone, masked: 189****1234. SF wants this or the sender's
    #[arg(long, value_name = "PHONE", requires = "carrier")]
    receiver: Option<String>,
    /// The sender's telephone, masked
    #[arg(long, value_name = "PHONE", requires = "carrier")]
    sender: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    common: Common,
}

/// Which order.
#[derive(Debug, Args)]
struct Query {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    #[command(flatten)]
    common: Common,
}

impl Arguments {
    pub(super) const fn common(&self) -> &Common {
        match &self.what {
            None => &self.shown.list.common,
            Some(What::List(list)) => &list.common,
            Some(What::Report(report)) => &report.common,
            Some(What::Query(query)) => &query.common,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(arguments.common()).await?;
    match (&arguments.what, &arguments.shown.no) {
        (None, None) => list(&session, &arguments.shown.list).await,
        (None, Some(no)) => show(&session, no).await,
        (Some(What::List(wanted)), _) => list(&session, wanted).await,
        (Some(What::Report(wanted)), _) => report(&session, wanted).await,
        (Some(What::Query(wanted)), _) => query(&session, &wanted.no).await,
    }
}

async fn list(session: &Session, wanted: &List) -> Result<(), Failure> {
    wanted.which.check(session).await?;
    let found = session.target.store.unshipped().await?;
    let mut orders = found.orders;
    orders.retain(|order| wanted.which.has(order.provider, &order.merchant));
    let (count, limit) = (orders.len(), usize::try_from(wanted.limit).unwrap_or(usize::MAX));
    orders.truncate(limit);
    let whole = found.whole && count <= limit;
    let columns = |order: &Order| {
        let mut columns = rows::columns(order);
        columns["shipping"] = order.shipping.as_ref().map_or(Value::Null, Shipping::shown);
        columns
    };
    let list: Vec<Value> = orders.iter().map(columns).collect();
    let document = json!({ "list": list, "whole": whole, "place": rows::place(session) });
    session.show(&document, || {
        let mut lines = vec![format!("{} · {}", session.t("待录入发货信息", "shipping not reported"), session.place())];
        let table = table(session, &orders);
        match table.is_empty() {
            true => lines.push(session.t("没有待录入的订单。", "No orders are waiting.").to_owned()),
            false => lines.extend(table.lines()),
        }
        if !whole {
            lines.push(session.t("还有更多，未全部列出（--limit）。", "There are more (--limit).").to_owned());
        }
        let hint = session.t(
            "录入：vk-pay shipping report 订单号 --carrier SF --tracking 运单号，或 --virtual、--pick-up",
            "To report: vk-pay shipping report NO --carrier SF --tracking NUMBER, or --virtual, --pick-up",
        );
        lines.push(hint.to_owned());
        lines.push(zone(session.lang).to_owned());
        lines
    })
}

fn table(session: &Session, orders: &[Order]) -> Table {
    let mut table = Table::new(&[
        session.t("订单号", "order"),
        session.t("期限", "before"),
        session.t("剩余", "left"),
        session.t("状态", "state"),
        session.t("由谁录入", "reported"),
        session.t(">金额", ">amount"),
        session.t("商户", "merchant"),
        session.t("类型", "type"),
        session.t("标题", "subject"),
    ]);
    for (order, shipping) in orders.iter().filter_map(|order| Some((order, order.shipping.as_ref()?))) {
        table.row([
            order.out_trade_no.clone(),
            moment(shipping.deadline),
            left(session, shipping.deadline),
            state(session.lang, shipping.state).to_owned(),
            mode(session.lang, shipping.mode).to_owned(),
            money(order.total_fee),
            order.merchant.clone(),
            order.kind.clone(),
            order.description.clone(),
        ]);
    }
    table
}

/// How long there is still time.
fn left(session: &Session, deadline: UnixMs) -> String {
    let now = session.now();
    if now > deadline {
        return session.t("已超时", "OVER").to_owned();
    }
    let minutes = deadline.since(now).as_secs() / 60;
    match session.lang {
        Lang::Zh => format!("{} 小时 {} 分", minutes / 60, minutes % 60),
        Lang::En => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

const fn state(lang: Lang, state: ShippingState) -> &'static str {
    match state {
        ShippingState::Due => lang.t("未录入", "nothing reported"),
        ShippingState::Part => lang.t("部分录入", "a part reported"),
        ShippingState::Reported => lang.t("已录入", "reported"),
        ShippingState::Corrected => lang.t("已更正", "corrected"),
        ShippingState::Received => lang.t("已收货", "received"),
        ShippingState::Settled => lang.t("已结算", "settled"),
        ShippingState::Refunded => lang.t("已退款", "refunded"),
    }
}

const fn mode(lang: Lang, mode: ShippingMode) -> &'static str {
    match mode {
        ShippingMode::Virtual => lang.t("自动（虚拟）", "automatic, virtual"),
        ShippingMode::PickUp => lang.t("自动（自提）", "automatic, pick-up"),
        ShippingMode::Manual => lang.t("手工", "by you"),
    }
}

const fn carried(lang: Lang, logistics: Logistics) -> &'static str {
    match logistics {
        Logistics::Express => lang.t("快递", "express"),
        Logistics::SameCity => lang.t("同城配送", "within the city"),
        Logistics::Virtual => lang.t("虚拟，无需物流", "virtual goods"),
        Logistics::PickUp => lang.t("用户自提", "pick-up by the payer"),
    }
}

/// How an order's shipping stands, as the table has it.
async fn show(session: &Session, no: &str) -> Result<(), Failure> {
    let order = find_to_show(session, no).await?;
    let history = session.target.store.history(&order.out_trade_no).await?;
    let history: Vec<_> = history.into_iter().filter(|line| line.get("event") == Some(&json!("shipping"))).collect();
    let Some(shipping) = &order.shipping else {
        return Err(Failure::refused(session.t(
            "这笔订单没有发货信息：只有小程序内的微信支付需要，并且要在配置里写 shipping（docs/shipping.zh-CN.md）",
            "nothing is to be reported of this order: only payments in WeChat mini programs are, where the configuration has `shipping` (docs/shipping.md)",
        )));
    };
    let document = json!({
        "out_trade_no": order.out_trade_no,
        "transaction_id": order.transaction_id,
        "shipping": shipping.shown(),
        "history": history,
        "place": rows::place(session),
    });
    session.show(&document, || {
        let mut lines = vec![clean(&format!("{} · {}", order.out_trade_no, session.place()))];
        lines.extend(facts(session, shipping).into_iter().map(|line| format!("  {line}")));
        for line in &history {
            let detail = line.get("detail").and_then(Value::as_object);
            let says = detail.map_or_else(|| "-".to_owned(), |detail| rows::field(detail, "outcome"));
            let at = line.get("time").and_then(Value::as_i64).map(UnixMs::new);
            lines.push(clean(&format!("  {}  {}  {says}", moment_or_dash(at), rows::field(line, "source"))));
        }
        lines.push(zone(session.lang).to_owned());
        lines
    })
}

fn facts(session: &Session, shipping: &Shipping) -> Vec<String> {
    let lang = session.lang;
    let mut table = Table::new(&["", ""]);
    let mut fact = |zh: &str, en: &str, value: String| table.row([session.t(zh, en).to_owned(), value]);
    fact("状态", "state", state(lang, shipping.state).to_owned());
    fact("由谁录入", "reported", mode(lang, shipping.mode).to_owned());
    if shipping.state.is_due() {
        fact("期限", "before", format!("{} ({})", moment(shipping.deadline), left(session, shipping.deadline)));
    }
    if let Some(logistics) = shipping.logistics_type {
        fact("物流", "carried", carried(lang, logistics).to_owned());
    }
    for (zh, en, at) in
        [("录入时间", "reported at", shipping.reported_at), ("提醒收货", "payer asked at", shipping.reminded_at)]
    {
        if let Some(at) = at {
            fact(zh, en, moment(at));
        }
    }
    table.lines().into_iter().skip(1).collect()
}

impl Report {
    /// How it goes, as far as it was said.
    const fn logistics(&self) -> Option<Logistics> {
        match (self.nothing, self.pick_up, self.same_city, self.carrier.is_some()) {
            (true, ..) => Some(Logistics::Virtual),
            (_, true, ..) => Some(Logistics::PickUp),
            (_, _, true, _) => Some(Logistics::SameCity),
            (_, _, _, true) => Some(Logistics::Express),
            _ => None,
        }
    }

    /// The fields of `pay/uploadShipping`.
    fn data(&self, order: &Order) -> Map<String, Value> {
        let mut data = numbered(&order.out_trade_no);
        if let Some(logistics) = self.logistics() {
            data.insert("logistics_type".to_owned(), json!(logistics));
        }
        let mut contact = Map::new();
        for (name, phone) in [("receiver_contact", &self.receiver), ("consignor_contact", &self.sender)] {
            contact.extend(phone.as_ref().map(|phone| (name.to_owned(), json!(phone))));
        }
        let mut parcel = Map::new();
        for (name, text) in
            [("tracking_no", &self.tracking), ("express_company", &self.carrier), ("item_desc", &self.item)]
        {
            parcel.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
        }
        if !contact.is_empty() {
            parcel.insert("contact".to_owned(), Value::Object(contact));
        }
        if !parcel.is_empty() {
            data.insert("shipping_list".to_owned(), json!([parcel]));
        }
        data
    }
}

async fn report(session: &Session, wanted: &Report) -> Result<(), Failure> {
    let order = find(session, &wanted.no).await?;
    let shipping = order.shipping.as_ref();
    let by_itself = shipping.and_then(|shipping| shipping.mode.logistics());
    let Some(logistics) = wanted.logistics().or(by_itself) else {
        return Err(Failure::usage(session.t(
            "请说明如何发货：--carrier 与 --tracking，或 --same-city、--virtual、--pick-up",
            "say how it is shipped: --carrier with --tracking, or --same-city, --virtual, --pick-up",
        )));
    };
    let corrects = shipping.is_some_and(|shipping| !shipping.state.is_due());
    let what = match corrects {
        true => session.t("更正（只有一次机会）", "CORRECT what is reported; WeChat takes one correction"),
        false => session.t("录入发货信息（之后只能更正一次）", "report; it can be corrected once"),
    };
    let mut facts = vec![
        (session.t("发货", "shipping"), what.to_owned()),
        (session.t("订单", "order"), format!("{} · {}", order.out_trade_no, order.description)),
        (session.t("金额", "amount"), money(order.total_fee)),
        (session.t("物流", "carried"), carried(session.lang, logistics).to_owned()),
    ];
    if let Some((carrier, tracking)) = wanted.carrier.as_ref().zip(wanted.tracking.as_ref()) {
        facts.push((session.t("快递公司与运单号", "carrier and number"), format!("{carrier} {tracking}")));
    }
    if let Some(shipping) = shipping {
        facts.push((session.t("现在", "now"), state(session.lang, shipping.state).to_owned()));
    }
    confirm(session, &facts, wanted.yes)?;
    let data = wanted.data(&order);
    let answer = session.call(Refunds::UploadShipping, data).await.map_err(|failure| repeat(session, failure))?;
    answered(session, answer.body)
}

/// What to do after an outcome that is not known: here the same again is done once.
fn repeat(session: &Session, failure: Failure) -> Failure {
    match failure.is_unknown() {
        false => failure,
        true => failure.and(session.t(
            "结果未知：原样再执行一次是安全的，不会重复录入。",
            "The outcome is not known: the same command again is safe, and reports once.",
        )),
    }
}

async fn query(session: &Session, no: &str) -> Result<(), Failure> {
    let order = find(session, no).await?;
    let answer = session.call(Refunds::QueryShipping, numbered(&order.out_trade_no)).await?;
    answered(session, answer.body)
}

/// What the function answers: the shipping, and what WeChat says where it was asked.
fn answered(session: &Session, mut document: Value) -> Result<(), Failure> {
    document["place"] = rows::place(session);
    session.show(&document, || {
        let shipping = document.get("shipping").and_then(Value::as_object).cloned().unwrap_or_default();
        let read = |name: &str| shipping.get(name).cloned().unwrap_or_default();
        let mut table = Table::new(&["", ""]);
        let mut fact = |zh: &str, en: &str, value: String| table.row([session.t(zh, en).to_owned(), value]);
        fact("订单", "order", document.get("out_trade_no").and_then(Value::as_str).unwrap_or("-").to_owned());
        let stands = serde_json::from_value(read("state")).ok();
        fact(
            "状态",
            "state",
            stands.map_or_else(|| rows::field(&shipping, "state"), |own| state(session.lang, own).to_owned()),
        );
        if let Ok(logistics) = serde_json::from_value(read("logistics_type")) {
            fact("物流", "carried", carried(session.lang, logistics).to_owned());
        }
        if let Some(there) = document.get("platform").and_then(Value::as_object) {
            fact("微信的订单状态", "WeChat's order_state", rows::field(there, "order_state"));
            fact("微信已收到的次数", "WeChat's finish_shipping_count", rows::field(there, "finish_shipping_count"));
        }
        table.lines().into_iter().skip(1).collect()
    })
}
