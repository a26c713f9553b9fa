//! An order's timeline: its history in the table, and the callbacks that arrived at the door, in order of time.

use super::text::{Lang, clock, in_order, json, money, rfc3339, stamp};
use super::view::{Console, View};
use super::{callbacks, incidents};
use crate::journal::Receipt;
use maud::{Markup, html};
use serde_json::{Map, Value};
use shared::domain::{Fen, Order, UnixMs};
use shared::store::{Incident, IncidentName};

struct Line {
    at: UnixMs,
    tone: &'static str,
    event: String,
    title: String,
    source: String,
    note: Markup,
    detail: Value,
    times: usize,
}

/// The timeline, oldest first.
pub(super) async fn render(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let history = console.store.history(&order.out_trade_no).await;
    let mut lines: Vec<Line> = match history {
        Ok(items) => items.into_iter().map(|item| from_history(lang, item)).collect(),
        Err(error) => return html! { h2 { (lang.t("时间线", "Timeline")) } p.muted { (error) } },
    };
    lines.extend(receipts_of(console, order).into_iter().map(|receipt| from_receipt(lang, receipt)));
    lines.sort_by_key(|line| line.at);
    // The same callback again, answered alike, is one line with a count.
    lines.dedup_by(|later, line| {
        let alike = line.event.starts_with("callback") && line.title == later.title && line.note.0 == later.note.0;
        line.times += if alike { later.times } else { 0 };
        alike
    });
    let found = incidents_of(console, order).await;
    html! {
        header.card-head {
            h2 { (lang.t("时间线", "Timeline")) }
            span.muted { span.pulse {} (lang.t("实时", "live")) }
        }
        @for incident in &found {
            div.incident data-testid="incident" {
                a href=(incidents::link(incident)) { b { (incidents::name_of(lang, incident.get("incident").and_then(Value::as_str).unwrap_or_default())) } }
                @for (key, name) in [("expected", lang.t("应为", "expected")), ("actual", lang.t("实为", "actual"))] {
                    @if let Some(value) = incident.get(key) { span { (name) " " (incidents::said(value)) } }
                }
                details.drawer { summary { (lang.t("异常记录", "Incident")) } (json(&in_order(&Value::Object(incident.clone())))) }
            }
        }
        ol.timeline {
            @for line in &lines {
                li data-tone=(line.tone) data-event=(line.event) data-times=(line.times) {
                    div.line { b { (line.title) @if line.times > 1 { span.times { " × " (line.times) } } } span.source { (line.source) } time datetime=[rfc3339(line.at)] title=(stamp(line.at)) { (clock(line.at)) } }
                    (line.note)
                    @if line.detail.as_object().is_some_and(|map| !map.is_empty()) {
                        details.drawer { summary { (lang.t("详情", "Details")) } (json(&in_order(&line.detail))) }
                    }
                }
            }
        }
    }
}

fn receipts_of(console: &Console, order: &Order) -> Vec<Receipt> {
    console.journal.receipts(|receipt| {
        receipt.out_trade_no.as_ref() == Some(&order.out_trade_no)
            || receipt.verified.as_ref().is_ok_and(|(number, _)| {
                order.attempts.iter().any(|a| a.provider == receipt.provider && a.number == *number)
            })
    })
}

/// The incidents about an order: its history names them, but for the one of an order that is not delivered, which has a
/// name of its own.
pub(super) async fn incidents_of(console: &Console, order: &Order) -> Vec<Map<String, Value>> {
    let history = console.store.history(&order.out_trade_no).await.unwrap_or_default();
    let mut ids: Vec<String> =
        history.iter().filter_map(|line| Some(line.get("detail")?.get("incident_id")?.as_str()?.to_owned())).collect();
    let mut undelivered = Incident::new(IncidentName::Undelivered, order.provider, &order.merchant);
    undelivered.out_trade_no = Some(order.out_trade_no.clone());
    ids.push(undelivered.id());
    ids.sort();
    ids.dedup();
    console.store.incidents_named(&ids).await.unwrap_or_default()
}

fn from_receipt(lang: Lang, receipt: Receipt) -> Line {
    let refund = receipt.verified.as_ref().ok().and_then(|(_, refund)| refund.clone());
    let accepted = receipt.status < 300;
    let what = match (&receipt.label, &refund) {
        (Some(label), _) => callbacks::title(lang, label).to_owned(),
        (None, Some(_)) => lang.t("收到退款回调", "Refund callback received").to_owned(),
        (None, None) => lang.t("收到支付回调", "Payment callback received").to_owned(),
    };
    let note = html! {
        p {
            @match &receipt.verified {
                Ok(_) => span.check data-tone="good" { (lang.t("验签通过", "signature verified")) },
                Err(why) => span.check data-tone="bad" { (refusal(lang, why)) },
            }
            span.check data-tone=(if accepted { "good" } else { "bad" }) {
                "HTTP " (receipt.status) @if !receipt.answer.is_empty() { " " code { (receipt.answer.chars().take(80).collect::<String>()) } }
            }
        }
    };
    Line {
        at: receipt.at,
        tone: if accepted { "note" } else { "bad" },
        event: if receipt.verified.is_ok() { "callback".to_owned() } else { "callback-refused".to_owned() },
        title: what,
        source: receipt.provider.name().to_owned(),
        note,
        detail: Value::Null,
        times: 1,
    }
}

fn from_history(lang: Lang, mut item: Map<String, Value>) -> Line {
    let mut take = |name: &str| item.remove(name).unwrap_or_default();
    let event = take("event").as_str().unwrap_or_default().to_owned();
    let source = take("source").as_str().unwrap_or_default().to_owned();
    let at = UnixMs::new(take("time").as_i64().unwrap_or_default());
    let detail = take("detail");
    let (tone, zh, en) = match event.as_str() {
        "created" => ("note", "订单已创建", "Order created"),
        "issued" => ("note", "渠道已下单，支付参数已签发", "Provider accepted the order; pay parameters issued"),
        "attempt" => ("note", "换一种方式支付", "Another way to pay"),
        "retried" => ("note", "再次尝试", "Tried again"),
        "paid" => ("good", "订单已支付（一个事务）", "Order paid (one transaction)"),
        "closed" => ("past", "订单已关闭", "Order closed"),
        "attempt closed" => ("past", "渠道已关闭此尝试", "Attempt closed at the provider"),
        "refused" => ("bad", "渠道拒绝", "The provider refused"),
        "close refused" => ("bad", "渠道拒绝关闭", "The provider refused to close"),
        "unknown" => ("bad", "渠道结果未知", "The provider's outcome is not known"),
        "incident" => ("bad", "异常已记录", "Incident recorded"),
        "incident refund" => ("part", "异常款项退回", "The incident's payment goes back"),
        "incident resolved" => ("note", "异常已处理", "Incident resolved"),
        "handler" if detail.get("user_order_success").and_then(Value::as_bool) == Some(true) => {
            ("good", "处理程序已接收", "The handler accepted the order")
        }
        "handler" if detail.get("reason").is_some_and(Value::is_string) => {
            ("bad", "处理程序未接收", "The handler did not accept the order")
        }
        "handler" => ("note", "开始交付", "Delivery started"),
        "shipping" => ("note", "发货信息", "Shipping"),
        "refund reserved" => ("part", "退款已预占", "Refund reserved"),
        "refunded" => ("part", "退款成功", "Refunded"),
        "refund refused" => ("bad", "退款被拒绝，预占已释放", "Refund refused; reservation released"),
        "refund closed" => ("bad", "退款关闭，预占已释放", "Refund closed; reservation released"),
        other => ("note", other, other),
    };
    let title = lang.t(zh, en).to_owned();
    let note = match event.as_str() {
        "paid" => paid_note(lang, &detail),
        "refund reserved" | "refunded" => match detail.get("refund_fee").and_then(Value::as_u64) {
            Some(fee) => html! { p { (money(Fen(fee))) } },
            None => html! {},
        },
        "shipping" => match detail.get("outcome").and_then(Value::as_str) {
            Some(outcome) => html! { p { (outcome) } },
            None => html! {},
        },
        "handler" => match detail.get("reason").and_then(Value::as_str) {
            Some(reason) => html! { p { (reason) } },
            None => html! {},
        },
        "refused" | "refund refused" | "close refused" => {
            let text = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
            html! { p { code { (text("code")) } " " (text("message")) } }
        }
        _ => html! {},
    };
    Line { at, tone, event, title, source, note, detail, times: 1 }
}

/// Why a callback was not taken, in words.
fn refusal(lang: Lang, why: &str) -> String {
    let known = [
        ("the signature is not the provider's", "签名不是渠道的"),
        ("the signed time is outside the window of 300 s", "签名时间超出 300 秒窗口"),
        ("a signature probe of the provider", "渠道的签名探测"),
        ("the message is malformed", "报文格式错误"),
        ("the message could not be checked", "无法核验"),
    ];
    match (lang, known.iter().find_map(|(en, zh)| Some((zh, why.strip_prefix(en)?)))) {
        (Lang::Zh, Some((zh, rest))) => format!("拒绝：{zh}{rest}"),
        (Lang::Zh, None) => format!("拒绝：{why}"),
        (Lang::En, _) => format!("refused: {why}"),
    }
}

/// The handler's writes, which committed with the payment.
fn paid_note(lang: Lang, detail: &Value) -> Markup {
    let writes: Vec<&str> =
        detail.get("writes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    html! {
        @if !writes.is_empty() {
            p { (lang.t("处理程序写入", "The handler wrote")) }
            ul.writes { @for write in writes {
                @let table = write.split('/').next().unwrap_or_default();
                li { a href=(format!("/tables/{table}")) { code { (write) } } }
            } }
        }
        @if let Some(reason) = detail.get("reason").and_then(Value::as_str) {
            p.check data-tone="bad" { (lang.t("处理程序拒绝：", "The handler refused: ")) (reason) }
        }
    }
}
