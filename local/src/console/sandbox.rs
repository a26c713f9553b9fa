//! `/sandbox`: let the simulated providers misbehave, and see what they sent and received.

use super::layout::Part;
use super::text::{Lang, json, moment, rfc3339};
use super::view::{Console, Posted, View, back_to, order_path};
use super::{layout, ways};
use crate::guard::Form;
use crate::journal::Exchange;
use crate::receiver::{self, Answer};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sandbox::{DeliveryState, Fault, Misbehaviour, Op, Provider};
use serde_json::json;
use shared::domain::UnixMs;
use std::sync::Arc;
use std::time::Duration;

/// How many entries of each list are shown.
const SHOWN: usize = 20;

const OPS: [(Op, &str, &str, &str); 7] = [
    (Op::Notify, "notify", "回调", "Callbacks"),
    (Op::Create, "create", "下单", "Create"),
    (Op::Query, "query", "查询", "Query"),
    (Op::Close, "close", "关闭", "Close"),
    (Op::Refund, "refund", "退款", "Refund"),
    (Op::RefundQuery, "refund_query", "退款查询", "Refund query"),
    (Op::Any, "any", "任意请求", "Any request"),
];

const FAULTS: [(Misbehaviour, &str, &str, &str); 16] = [
    (Misbehaviour::Lose, "lose", "回调：丢失", "Callback: lost on the way"),
    (Misbehaviour::Delay(3_000), "delay", "回调：晚 3 秒", "Callback: three seconds late"),
    (Misbehaviour::Duplicate(3), "duplicate", "回调：多发 3 次", "Callback: three times more"),
    (Misbehaviour::Reorder, "reorder", "回调：乱序", "Callback: out of order"),
    (Misbehaviour::BadSignature, "bad_signature", "签名错误", "Bad signature"),
    (Misbehaviour::NoSignature, "no_signature", "没有签名", "No signature"),
    (Misbehaviour::TimeoutAfterCommit(8_000), "timeout_after", "已执行，但超时", "Takes effect, then times out"),
    (Misbehaviour::TimeoutBefore(8_000), "timeout_before", "未执行，超时", "Times out, nothing happens"),
    (Misbehaviour::SystemError, "system_error", "系统错误 SYSTEM_ERROR", "SYSTEM_ERROR"),
    (
        Misbehaviour::SystemErrorAfterCommit,
        "system_error_after",
        "已执行，但答系统错误",
        "Takes effect, answers SYSTEM_ERROR",
    ),
    (Misbehaviour::TooMany, "too_many", "限流 429", "429, too many requests"),
    (Misbehaviour::Refuse, "refuse", "拒绝（签名或参数错误）", "Refused: signature or parameter"),
    (Misbehaviour::Contradict, "contradict", "查询：自相矛盾", "Query: contradicts itself"),
    (Misbehaviour::Garbage, "garbage", "答非所问", "Answers garbage"),
    (
        Misbehaviour::KnowsNothing,
        "knows_nothing",
        "退款查询：查无此退款（支付宝）",
        "Refund query: knows nothing (Alipay)",
    ),
    (Misbehaviour::HoldRefund, "hold_refund", "退款：一直处理中", "Refund: stays in PROCESSING"),
];

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    show(&console, &view, None, &html! {}).await
}

async fn show(console: &Console, view: &View, typed: Option<&Form>, said: &Markup) -> Response {
    let lang = view.lang;
    let title = lang.t("沙箱", "Sandbox");
    if console.sandbox().is_none() {
        let body = html! { section.card { div.empty { p { (lang.t("使用自己的配置时没有沙箱。", "There is no sandbox with a configuration of your own.")) } } } };
        return layout::page(console, view, title, &body).await;
    }
    let parts = parts(console, view);
    let body = html! {
        (said)
        (layout::refreshing("/sandbox/live"))
        div.split.home {
            aside.stack {
                section.card {
                    h2 { (lang.t("让渠道出错", "Make providers fail")) }
                    p.muted { (lang.t("像真实渠道偶尔那样。规则按顺序匹配。", "As real providers sometimes do. Rules are matched in order.")) }
                    (form(console, lang, typed))
                }
                (parts[0].render(lang))
                (receiving(console, lang))
                (clock(console, lang))
            }
            (parts[1].render(lang))
        }
    };
    layout::page(console, view, title, &body).await
}

/// What moves on the page.
fn parts(console: &Console, view: &View) -> [Part<'static>; 2] {
    [
        Part { name: "rules", class: "card", inner: rules(console, view.lang) },
        Part { name: "sandbox", class: "stack", inner: lists(console, view) },
    ]
}

fn form(console: &Console, lang: Lang, typed: Option<&Form>) -> Markup {
    let was = |name: &str, usual: &'static str| typed.map_or(usual, |form| form.get(name)).to_owned();
    let (what, op, provider, times) = (was("what", ""), was("op", ""), was("provider", ""), was("times", "1"));
    html! {
        form method="post" action="/sandbox/misbehave" {
            (layout::token(console))
            label { span { (lang.t("怎样", "What")) } select name="what" { @for (_, name, zh, en) in &FAULTS { option value=(name) selected[*name == what] { (lang.t(zh, en)) } } } }
            label { span { (lang.t("何处", "Where")) } select name="op" { @for (_, name, zh, en) in &OPS { option value=(name) selected[*name == op] { (lang.t(zh, en)) } } } }
            div.row {
                label { span { (lang.t("渠道", "Provider")) }
                    select name="provider" { option value="" { (lang.t("全部", "All")) } @for own in shared::domain::Provider::ALL { option value=(own.name()) selected[own.name() == provider] { (ways::provider_name(lang, own)) } } }
                }
                label { span { (lang.t("次数", "Times")) } input name="times" type="number" min="1" max="1000" value=(times) placeholder="∞"; }
            }
            button.primary type="submit" data-testid="misbehave" { (lang.t("添加规则", "Add the rule")) }
        }
    }
}

/// The rules that still apply. Nothing where there are none.
fn rules(console: &Console, lang: Lang) -> Markup {
    let rules = console.sandbox().map(|sandbox| sandbox.rules()).unwrap_or_default();
    if rules.is_empty() {
        return html! {};
    }
    let op = |of: Op| {
        OPS.iter().find(|own| own.0 == of).map_or_else(|| format!("{of:?}"), |own| lang.t(own.2, own.3).to_owned())
    };
    let fault = |of: Misbehaviour| {
        FAULTS.iter().find(|own| own.0 == of).map_or_else(|| format!("{of:?}"), |own| lang.t(own.2, own.3).to_owned())
    };
    html! {
        header.card-head { h2 { (lang.t("生效中的规则", "Rules in force")) } }
        ul.attempts { @for rule in &rules { li data-testid="rule" {
            span { (op(rule.on.op)) @if let Some(provider) = rule.on.provider { " · " (provider.name()) } }
            b { (fault(rule.what)) }
            span.muted { @match rule.times { Some(times) => { (lang.t("还剩 ", "left: ")) (times) (lang.t(" 次", "")) } None => { (lang.t("一直", "until dropped")) } } }
        } } }
        form method="post" action="/sandbox/behave" { (layout::token(console)) button type="submit" data-testid="behave" { (lang.t("全部清除", "Drop all rules")) } }
    }
}

/// The demo's receiver, and the switch that makes it fail.
fn receiving(console: &Console, lang: Lang) -> Markup {
    let Some(receiver) = console.receiver() else { return html! {} };
    let fails = receiver.fails();
    html! {
        section.card data-testid="receiver" data-fails=(fails) {
            header.card-head {
                h2 { (lang.t("订单接收方", "Receiver of orders")) }
                span.badge data-tone=(if fails { "bad" } else { "good" }) { (if fails { lang.t("总是失败", "Fails") } else { lang.t("正常", "Works") }) }
            }
            p.muted { (lang.t("类型为 notify-me 的订单支付后转发到 ", "Orders of type notify-me are handed to ")) code { (receiver::PATH) } (lang.t("；失败的会越来越慢地重试，24 小时后搁置。", " when they are paid; failures are retried at growing intervals for 24 hours.")) }
            form method="post" action="/sandbox/receiver" {
                (layout::token(console))
                input type="hidden" name="fails" value=(!fails);
                button type="submit" data-testid="receiver-switch" { (if fails { lang.t("让它恢复正常", "Let it work") } else { lang.t("让它失败", "Let it fail") }) }
            }
        }
    }
}

/// A run of the schedule with another clock.
fn clock(console: &Console, lang: Lang) -> Markup {
    html! {
        section.card {
            h2 { (lang.t("定时任务", "Schedule")) }
            p.muted { (lang.t("把运行时钟拨到 25 小时后执行一次：未支付的订单到期关闭，一直失败的交付被搁置。", "One run with the clock 25 hours ahead: unpaid orders end, and deliveries that kept failing are given up.")) }
            form method="post" action="/sandbox/tomorrow" {
                (layout::token(console))
                button type="submit" data-testid="tomorrow" { (lang.t("按明天的时钟运行", "Run it with tomorrow's clock")) }
            }
        }
    }
}

/// What has changed on the page.
pub(super) async fn live(State(console): State<Arc<Console>>, view: View) -> Response {
    if console.sandbox().is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    layout::news(&view, &parts(&console, &view))
}

/// How many entries of a list are shown: more of one whose name the query has.
fn shown(view: &View, list: &str) -> usize {
    if view.field("all").as_deref() == Some(list) { usize::MAX } else { SHOWN }
}

/// The way to the rest of a list.
fn rest(view: &View, list: &str, count: usize) -> Markup {
    html! {
        @if count > shown(view, list) {
            p.more-link { a href=(view.link("/sandbox", &[("all", Some(list))])) data-testid=(format!("all-{list}")) { (view.lang.t("全部 ", "All ")) (count) } }
        }
    }
}

fn lists(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let Some(sandbox) = console.sandbox() else { return html! {} };
    let (outbox, wire) = (sandbox.outbox(), sandbox.requests());
    let deliveries = console.receiver().map(|receiver| receiver.deliveries()).unwrap_or_default();
    html! {
        @if !deliveries.is_empty() {
            section.card data-testid="deliveries" {
                header.card-head { h2 { (lang.t("转发给接收方的订单", "Orders handed to the receiver")) } span.muted { (deliveries.len()) } }
                ul.attempts { @for delivery in deliveries.iter().take(shown(view, "deliveries")) { li data-order=(delivery.out_trade_no) data-answer=(answer(lang, delivery.answer).0) {
                    time.muted { (moment(delivery.at)) }
                    a href=(order_path(&delivery.out_trade_no)) { (delivery.out_trade_no) }
                    span.badge data-tone=(answer(lang, delivery.answer).1) { (answer(lang, delivery.answer).2) }
                    code.muted title="Idempotency-Key" { (delivery.key.chars().take(12).collect::<String>()) "…" }
                } } }
                (rest(view, "deliveries", deliveries.len()))
            }
        }
        section.card data-testid="outbox" {
            header.card-head { h2 { (lang.t("回调发件箱", "Callback outbox")) } span.muted { (outbox.len()) " · " (lang.t("重发间隔为真实的十分之一", "retries after a tenth of the real intervals")) } }
            @if outbox.is_empty() { div.empty { p.muted { (lang.t("还没有回调。", "No callbacks yet.")) } } }
            ul.calls { @for delivery in outbox.iter().rev().take(shown(view, "outbox")) { li {
                details.drawer {
                    summary {
                        code { (delivery.number) }
                        span { (kind(lang, delivery.out_refund_no.is_some())) }
                        span.muted { (delivery.attempts) " " (lang.t("次", "sent")) }
                        span.badge data-tone=(tone(delivery.state)) { (delivery_state(lang, delivery.state)) @if let Some(status) = delivery.last_status { " " (status) } }
                    }
                    (json(&json!(delivery)))
                }
            } } }
            (rest(view, "outbox", outbox.len()))
        }
        section.card data-testid="wire" {
            header.card-head { h2 { (lang.t("渠道收到的请求", "Requests at the providers")) } span.muted { (wire.len()) } }
            @if wire.is_empty() { div.empty { p.muted { (lang.t("还没有请求。", "No requests yet.")) } } }
            ul.wire { @for request in wire.iter().rev().take(shown(view, "wire")) { li {
                time { (moment(UnixMs::new(request.at))) }
                span.way data-provider=(request.provider.name()) { (request.provider.name()) }
                code { (request.method) " " (request.path) }
                span.status data-tone=(if request.verdict == "SUCCESS" { "good" } else { "wait" }) { (request.status) }
                span.muted { (request.verdict.chars().take(60).collect::<String>()) }
            } } }
            (rest(view, "wire", wire.len()))
        }
    }
}

/// A delivery's answer: its name, its tone, its title.
const fn answer(lang: Lang, answer: Answer) -> (&'static str, &'static str, &'static str) {
    match answer {
        Answer::Taken => ("taken", "good", lang.t("已接收", "taken")),
        Answer::Known => ("known", "past", lang.t("重复，未再处理", "repeat, nothing done again")),
        Answer::Failed => ("failed", "bad", lang.t("失败", "failed")),
    }
}

const fn kind(lang: Lang, refund: bool) -> &'static str {
    if refund { lang.t("退款", "refund") } else { lang.t("支付", "payment") }
}

const fn tone(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued | DeliveryState::Sending => "wait",
        DeliveryState::Accepted => "good",
        DeliveryState::GivenUp => "bad",
    }
}

const fn delivery_state(lang: Lang, state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Queued => lang.t("待发送", "Queued"),
        DeliveryState::Sending => lang.t("发送中", "Sending"),
        DeliveryState::Accepted => lang.t("已被接受", "Accepted"),
        DeliveryState::GivenUp => lang.t("已放弃", "Given up"),
    }
}

/// Adds a rule; no number of times is for ever.
pub(super) async fn misbehave(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let lang = view.lang;
    let what = FAULTS.iter().find(|fault| fault.1 == form.get("what"));
    let op = OPS.iter().find(|op| op.1 == form.get("op"));
    let times = form.filled("times").map(|text| text.parse::<u32>().ok().filter(|times| (1..=1000).contains(times)));
    let wrong = match (what, op, times) {
        (None, ..) | (_, None, _) => lang.t("没有这种规则", "there is no such rule"),
        (_, _, Some(None)) => lang.t(
            "次数须为 1 到 1000 的整数，留空表示一直",
            "times must be a whole number from 1 to 1000, or empty for ever",
        ),
        (Some(what), Some(op), times) => {
            if let Some(sandbox) = console.sandbox() {
                let mut fault = Fault::new(op.0, what.0);
                fault.times = times.flatten();
                fault.on.provider = Provider::parse(form.get("provider"));
                sandbox.misbehave(fault);
            }
            return back_to("/sandbox");
        }
    };
    let said = layout::said(lang.t("没有添加规则", "No rule was added"), 400, wrong, &html! {});
    let view = View { path: "/sandbox".to_owned(), query: String::new(), did: None, ..view };
    layout::with_status(400, show(&console, &view, Some(&form), &said).await)
}

/// Tells the receiver to fail, or to work again.
pub(super) async fn receiver(State(console): State<Arc<Console>>, Posted(form): Posted) -> Response {
    if let Some(receiver) = console.receiver() {
        receiver.fail(form.get("fails") == "true");
    }
    back_to("/sandbox")
}

/// Runs the schedule as of tomorrow.
pub(super) async fn tomorrow(State(console): State<Arc<Console>>, _: Posted) -> Response {
    // With a merchant's own configuration it would close orders that the real providers still take money for.
    if console.sandbox().is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let now = console.now();
    let event = json!({ "job": "due", "time": rfc3339(now + Duration::from_hours(25)), "direct": true });
    let (status, response) = match console.calls.run("reconcile", &event).await {
        Ok(reply) => (200, reply),
        Err(why) => (500, json!({ "msg": why })),
    };
    let did = console.journal.exchange(Exchange {
        at: now,
        out_trade_no: String::new(),
        title: "reconcile".to_owned(),
        path: "reconcile".to_owned(),
        request: event,
        status,
        response,
        ..Exchange::default()
    });
    back_to(&format!("/sandbox?did={did}"))
}

/// Drops all rules.
pub(super) async fn behave(State(console): State<Arc<Console>>, _: Posted) -> Response {
    if let Some(sandbox) = console.sandbox() {
        sandbox.behave();
    }
    back_to("/sandbox")
}
