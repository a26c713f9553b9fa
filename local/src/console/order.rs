//! `/orders/{out_trade_no}`: how an order stands, what happened to it, and what can be done with it.

use super::forms::{self, Offer};
use super::layout::{self, Part};
use super::text::{badge, json, kind_name, moment, money, parsed};
use super::view::{Console, Posted, View, back_to, order_path, segment};
use super::{callbacks, incidents, lookup, refund, shipping, timeline, ways};
use crate::guard::Form;
use crate::plain;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::action::{Payments, Queries};
use shared::domain::{
    AttemptState, Fen, Order, Parameters, ReceiverResult, RefundState, ReturnState, ShareState, Status, Task, TaskName,
    TaskState,
};
use std::sync::Arc;

/// The parts of the page that refresh themselves.
const PARTS: [&str; 7] = ["head", "pay", "shipping", "timeline", "refunds", "tasks", "refunding"];

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, Path(no): Path<String>, view: View) -> Response {
    match console.store.order(&no).await {
        Ok(Some(order)) => show(&console, &view, &order, None, &html! {}).await,
        Ok(None) => lookup::missing(&view),
        Err(error) => layout::unreadable(&view, &error),
    }
}

/// The page with what was typed into its form for a refund, and what came of it.
async fn show(console: &Console, view: &View, order: &Order, typed: Option<&Form>, said: &Markup) -> Response {
    let lang = view.lang;
    let no = &order.out_trade_no;
    let parts = parts(console, view, order, typed).await;
    let part =
        |name: &str| html! { @for part in parts.iter().filter(|part| part.name == name) { (part.render(lang)) } };
    let body = html! {
        (said)
        p.crumb { a href="/orders" { "← " (lang.t("支付与订单", "Payments and orders")) } }
        (layout::refreshing(&format!("{}/live", order_path(no))))
        (part("head"))
        div.split.order {
            div.stack { (part("pay")) (part("shipping")) (part("tasks")) (part("refunds")) (part("refunding")) (callbacks::toolbox(console, view, order)) }
            div.stack { (part("timeline")) (calls(console, view, order)) (raw(view, order)) }
        }
    };
    layout::page(console, view, &format!("{} {no}", lang.t("订单", "Order")), &body).await
}

/// What moves on the page.
async fn parts(console: &Console, view: &View, order: &Order, typed: Option<&Form>) -> Vec<Part<'static>> {
    let mut parts = Vec::new();
    for name in PARTS {
        let inner = render(console, view, order, name, typed).await;
        parts.push(Part { name, class: if name == "head" { "card summary" } else { "card" }, inner });
    }
    parts
}

/// What has changed on the page.
pub(super) async fn live(State(console): State<Arc<Console>>, Path(no): Path<String>, view: View) -> Response {
    match console.store.order(&no).await {
        Ok(Some(order)) => layout::news(&view, &parts(&console, &view, &order, None).await),
        Ok(None) => lookup::missing(&view),
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

/// Takes what was asked for as a refund, and shows it to be confirmed; or the page again, with the form as it was filled
/// in.
pub(super) async fn refund(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let Ok(Some(order)) = console.store.order(&no).await else { return lookup::missing(&view) };
    match refund::asked(&console, &view, &form, &order) {
        Ok(confirmation) => back_to(&confirmation),
        Err((status, what)) => {
            let said = layout::said(view.lang.t("没有退款", "Nothing was refunded"), status, &what, &html! {});
            let view = View { path: order_path(&no), query: String::new(), did: None, ..view };
            layout::with_status(status, show(&console, &view, &order, Some(&form), &said).await)
        }
    }
}

async fn render(console: &Console, view: &View, order: &Order, part: &str, typed: Option<&Form>) -> Markup {
    match part {
        "head" => head(console, view, order).await,
        "pay" => {
            let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
            let offer = Offer::of(console).await;
            pay(console, view, order, lookup::parameters(console, order, attempt.n).await.as_ref(), &offer)
        }
        "tasks" => tasks(console, view, order).await,
        "timeline" => timeline::render(console, view, order).await,
        "shipping" => shipping::of_order(console, view, order),
        "refunding" => refund::form(console, view, order, typed),
        _ => refunds(console, view, order).await,
    }
}

async fn head(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let forwarded = console.config().await.is_some_and(|config| config.handlers.contains_key(&order.kind));
    let incidents = timeline::incidents_of(console, order).await;
    let taken = match forwarded {
        true => lang.t("已交付：处理程序已接收这笔订单", "Delivered: the handler has accepted the order"),
        false => lang.t(
            "已交付：类型处理程序的写入与订单在同一事务中提交",
            "Delivered: the handler's writes committed in the order's own transaction",
        ),
    };
    let facts: [(&str, Option<String>); 7] = [
        (lang.t("支付方式", "Payment method"), Some(ways::name(lang, &order.pay_type))),
        (lang.t("类型", "Type"), Some(format!("{} · {}", kind_name(lang, &order.kind), order.kind))),
        (lang.t("商户", "Merchant"), Some(order.merchant.clone())),
        (lang.t("用户", "User"), order.user_id.clone()),
        (lang.t("创建", "Created"), Some(moment(order.create_date))),
        (lang.t("支付", "Paid"), order.notify_date.map(moment)),
        (lang.t("渠道单号", "Provider's number"), order.transaction_id.clone()),
    ];
    html! {
        div.lead {
            div.amount {
                (badge(lang, order.trade_state, order.refund_fee >= order.total_fee))
                div.sum data-testid="amount" { (money(order.total_fee)) }
                p { (plain::clean(&order.description)) }
            }
            div.ids {
                code #out-trade-no { (order.out_trade_no) }
                button.copy type="button" data-copy="out-trade-no" { (lang.t("复制", "Copy")) }
            }
        }
        dl.facts {
            @for (name, value) in facts {
                @if let Some(value) = value { div class=[(value.len() > 24 && value.is_ascii()).then_some("wide")] { dt { (name) } dd { (value) } } }
            }
            @if order.refund_fee > Fen::ZERO || order.refund_reserved > Fen::ZERO {
                div { dt { (lang.t("已退", "Refunded")) } dd data-testid="refunded" { (money(order.refund_fee)) } }
            }
            @if order.refund_reserved > Fen::ZERO {
                div { dt { (lang.t("退款预占", "Reserved")) } dd { (money(order.refund_reserved)) } }
            }
        }
        @match (order.user_order_success, order.trade_state.is_paid()) {
            (Some(true), _) => { p.verdict data-tone="good" data-testid="delivered" { (taken) } }
            (Some(false), _) => { p.verdict data-tone="bad" data-testid="undelivered" { (lang.t("已收款但未交付：", "Paid but not delivered: ")) (order.user_order_reason.as_deref().unwrap_or("-")) } }
            (None, true) => { p.verdict data-tone="wait" { (lang.t("已收款，等待交付", "Paid, delivery under way")) } }
            (None, false) => {}
        }
        @for incident in incidents.iter().filter(|incident| incident.get("status").is_some_and(|status| status == "open")) {
            p.verdict data-tone="bad" data-testid="head-incident" {
                (lang.t("待处理异常：", "Open incident: "))
                a href=(incidents::link(incident)) { (incidents::name_of(lang, incident.get("incident").and_then(Value::as_str).unwrap_or_default())) }
            }
        }
    }
}

fn pay(console: &Console, view: &View, order: &Order, parameters: Option<&Parameters>, offer: &Offer) -> Markup {
    let lang = view.lang;
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    let unpaid = order.trade_state == Status::NotPay;
    let gone = console.sandbox().is_some()
        && lookup::simulated(console, order).is_none()
        && lookup::carried(order, parameters).is_none();
    let wallet = format!("/sandbox/cashier/{}", segment(&order.out_trade_no));
    html! {
        header.card-head { h2 { (lang.t("支付", "Payment")) } span.muted { (lang.t("第", "attempt ")) (attempt.n) (lang.t("次尝试", "")) " · " code { (attempt.number) } } }
        @if unpaid {
            @if let Some(text) = parameters.and_then(|own| own.code_url.as_deref()) { (layout::qr(text, "qrcode")) }
            @if console.sandbox().is_some() {
                @if gone {
                    p.verdict data-tone="wait" data-testid="gone" { (lookup::why_gone(console, lang, attempt)) " " (lang.t("请换一种方式，或关闭订单。", "Pay another way, or close the order.")) }
                } @else {
                    a.button.primary href=(wallet) data-testid="open-wallet" { (lang.t("扫码并支付（模拟钱包）", "Scan and pay (simulated wallet)")) }
                }
            }
        } @else if console.sandbox().is_some() && !gone {
            p { a href=(wallet) { (lang.t("打开模拟钱包中的这笔交易", "This trade in the simulated wallet")) } }
        }
        @if let Some(own) = parameters {
            details.drawer open[unpaid && own.code_url.is_none()] {
                summary { "orderInfo" }
                div { div #order-info { (json(&parsed(&own.order_info))) } button.copy.below type="button" data-copy="order-info" { (lang.t("复制", "Copy")) } }
            }
        }
        @if order.attempts.len() > 1 {
            ul.attempts {
                @for attempt in &order.attempts {
                    li { b { (attempt.n) } span { (ways::name(lang, &attempt.pay_type)) } code { (attempt.number) } span.muted { (attempt_state(view, attempt.state)) } }
                }
            }
        }
        @if unpaid {
            div.actions {
                form method="post" action=(format!("{}/query", order_path(&order.out_trade_no))) { (layout::token(console)) button type="submit" data-testid="query" { (lang.t("立即查询", "Query now")) } }
                form method="post" action=(format!("{}/close", order_path(&order.out_trade_no))) { (layout::token(console)) button type="submit" data-testid="close" { (lang.t("关闭订单", "Close order")) } }
            }
            details.more {
                summary { (lang.t("换一种方式支付", "Pay another way")) }
                form.inline method="post" action=(format!("{}/pay", order_path(&order.out_trade_no))) {
                    (layout::token(console))
                    (forms::ways_select(lang, offer, &attempt.pay_type))
                    button type="submit" { (lang.t("换用", "Use it")) }
                }
                p.muted { (lang.t("先在渠道关闭旧的尝试，再发起新的；同一订单号，同一金额。", "The earlier attempt is closed at its provider first; the order keeps its number and amount.")) }
            }
        }
    }
}

fn attempt_state(view: &View, state: AttemptState) -> &'static str {
    let (zh, en) = match state {
        AttemptState::Open => ("进行中", "open"),
        AttemptState::Failed => ("被拒绝", "refused"),
        AttemptState::Closed => ("已关闭", "closed"),
        AttemptState::Abandoned => ("已放弃", "abandoned"),
        AttemptState::Paid => ("已支付", "paid"),
    };
    view.lang.t(zh, en)
}

async fn refunds(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let list = console.store.refunds(&order.out_trade_no).await.unwrap_or_default();
    html! {
        header.card-head {
            h2 { (lang.t("退款", "Refunds")) }
            span.muted data-testid="refundable" data-fen=(order.refundable) { (lang.t("可退 ", "left ")) (money(order.refundable)) }
        }
        @if list.is_empty() { p.muted { (lang.t("没有退款。", "None.")) } }
        ul.refunds {
            @for refund in &list {
                li data-testid="refund-item" data-state=(refund.state.name()) {
                    span.what { code { (refund.out_refund_no) } @if let Some(reason) = &refund.reason { span.muted { (reason) } } }
                    time { (moment(refund.create_date)) }
                    (money(refund.refund_fee))
                    span.badge data-tone=(refund_tone(refund.state)) { (refund_state(view, refund.state)) }
                }
            }
        }
        @if !order.trade_state.is_paid() {
            p.muted { (lang.t("支付后才能退款。", "Only a paid order can be refunded.")) }
        }
        (shares(console, view, order).await)
    }
}

/// What is shared of an order; nothing where it was not made to be.
async fn shares(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let Some(sharing) = order.sharing else { return html! {} };
    let list = console.store.shares(&order.out_trade_no).await.unwrap_or_default();
    let returns = console.store.share_returns(&order.out_trade_no).await.unwrap_or_default();
    html! {
        header.card-head {
            h2 { (lang.t("分账", "Shares")) }
            span.muted data-testid="unshared" data-fen=(order.unshared()) {
                @if sharing.ended { (lang.t("已结束 ", "ended ")) } @else { (lang.t("可分 ", "left ")) (money(order.unshared())) }
            }
        }
        @if list.is_empty() { p.muted { (lang.t("没有分账。", "None.")) } }
        ul.refunds {
            @for share in &list {
                li data-testid="share-item" data-state=(share.state.name()) {
                    span.what {
                        code { (share.out_order_no) }
                        @for receiver in &share.receivers {
                            span.muted {
                                (receiver.account) " " (money(receiver.amount)) " " (receiver_result(view, receiver.result))
                                @if let Some(why) = &receiver.fail_reason { " " (why) }
                            }
                        }
                        @if share.receivers.is_empty() { span.muted { (lang.t("解冻剩余资金", "unfreezes the rest")) } }
                        @if let Some(reason) = &share.reason { span.muted { (reason) } }
                    }
                    time { (moment(share.create_date)) }
                    (money(share.amount()))
                    span.badge data-tone=(share_tone(share.state)) { (share_state(view, share.state)) }
                }
            }
            @for made in &returns {
                li data-testid="return-item" data-state=(made.state.name()) {
                    span.what {
                        code { (made.out_return_no) }
                        span.muted { (lang.t("回退自 ", "returned by ")) (made.return_mchid) }
                        @if let Some(why) = &made.fail_reason { span.muted { (why) } }
                    }
                    time { (moment(made.create_date)) }
                    (money(made.amount))
                    span.badge data-tone=(return_tone(made.state)) { (return_state(view, made.state)) }
                }
            }
        }
    }
}

const fn share_tone(state: ShareState) -> &'static str {
    match state {
        ShareState::Unknown | ShareState::Processing => "wait",
        ShareState::Finished => "good",
        ShareState::Refused => "bad",
    }
}

fn share_state(view: &View, state: ShareState) -> &'static str {
    let (zh, en) = match state {
        ShareState::Unknown => ("结果未知", "Unknown"),
        ShareState::Processing => ("处理中", "Processing"),
        ShareState::Finished => ("已完成", "Finished"),
        ShareState::Refused => ("被拒绝", "Refused"),
    };
    view.lang.t(zh, en)
}

fn receiver_result(view: &View, result: ReceiverResult) -> &'static str {
    let (zh, en) = match result {
        ReceiverResult::Pending => ("待分账", "pending"),
        ReceiverResult::Success => ("成功", "has it"),
        ReceiverResult::Closed => ("已关闭", "closed"),
    };
    view.lang.t(zh, en)
}

const fn return_tone(state: ReturnState) -> &'static str {
    match state {
        ReturnState::Unknown | ReturnState::Processing => "wait",
        ReturnState::Success => "good",
        ReturnState::Failed | ReturnState::Refused => "bad",
    }
}

fn return_state(view: &View, state: ReturnState) -> &'static str {
    let (zh, en) = match state {
        ReturnState::Unknown => ("结果未知", "Unknown"),
        ReturnState::Processing => ("处理中", "Processing"),
        ReturnState::Success => ("已回退", "Returned"),
        ReturnState::Failed => ("失败", "Failed"),
        ReturnState::Refused => ("未执行", "Not made"),
    };
    view.lang.t(zh, en)
}

/// What must still happen for the order, or has happened, and the button that runs its handler again. Nothing
/// where there is neither.
async fn tasks(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let list = console.store.tasks(&order.out_trade_no).await.unwrap_or_default();
    let undelivered = order.trade_state.is_paid() && !order.goes_back();
    let handed = list.iter().any(|task| task.task == TaskName::Handler);
    let again =
        undelivered && (order.user_order_success == Some(false) || handed && order.user_order_success.is_none());
    if list.is_empty() && !again {
        return html! {};
    }
    html! {
        header.card-head { h2 { (lang.t("任务", "Tasks")) } }
        ul.refunds {
            @for task in &list {
                li data-testid="task" data-task=(task.name()) data-state=(task_state(view, task.state).0) data-attempts=(task.attempts) {
                    span.what {
                        span { (task_title(view, task)) }
                        @if let Some(why) = &task.last_error { span.muted { (why) } }
                        @if task.state == TaskState::Due && task.attempts > 0 {
                            span.muted { (lang.t("下次 ", "next ")) (moment(task.due)) }
                        }
                    }
                    time { (moment(task.create_date)) }
                    span.muted { (task.attempts) " " (lang.t("次", "×")) }
                    span.badge data-tone=(task_state(view, task.state).1) { (task_state(view, task.state).2) }
                }
            }
        }
        @if again {
            div.actions {
                form method="post" action=(format!("{}/rerun", order_path(&order.out_trade_no))) { (layout::token(console)) button type="submit" data-testid="rerun" { (lang.t("重新运行处理程序", "Run the handler again")) } }
            }
        }
    }
}

fn task_title(view: &View, task: &Task) -> Markup {
    let lang = view.lang;
    html! {
        @match task.task {
            TaskName::Handler => { (lang.t("交付给处理程序", "Hand it to the handler")) }
            TaskName::Refund => { (lang.t("原路退回 ", "Send back ")) code { (task.subject.as_deref().unwrap_or_default()) } }
            TaskName::Ship => { (lang.t("录入发货信息", "Report its shipping")) }
            TaskName::Alarm => { (lang.t("通知死信队列", "Tell the dead-letter queue")) }
        }
    }
}

/// A task's state: its name, its tone, its title.
const fn task_state(view: &View, state: TaskState) -> (&'static str, &'static str, &'static str) {
    match state {
        TaskState::Due => ("due", "wait", view.lang.t("待执行", "Due")),
        TaskState::Done => ("done", "good", view.lang.t("已完成", "Done")),
        TaskState::Parked => ("parked", "bad", view.lang.t("已搁置", "Parked")),
    }
}

const fn refund_tone(state: RefundState) -> &'static str {
    match state {
        RefundState::Processing => "wait",
        RefundState::Success => "good",
        RefundState::Closed | RefundState::Refused => "bad",
    }
}

fn refund_state(view: &View, state: RefundState) -> &'static str {
    let (zh, en) = match state {
        RefundState::Processing => ("处理中", "Processing"),
        RefundState::Success => ("已退回", "Returned"),
        RefundState::Closed => ("已关闭", "Closed"),
        RefundState::Refused => ("被拒绝", "Refused"),
    };
    view.lang.t(zh, en)
}

fn calls(console: &Console, view: &View, order: &Order) -> Markup {
    let mut list = console.journal.exchanges_of(&order.out_trade_no);
    list.retain(|exchange| exchange.path != "/notify" && exchange.path != lookup::UNSENT);
    html! {
        @if !list.is_empty() {
            section.card {
                header.card-head { h2 { (view.lang.t("接口调用", "Calls")) } span.muted { (view.lang.t("来自控制台与客户端", "by this console and by clients")) } }
                (layout::calls(view, &list))
            }
        }
    }
}

fn raw(view: &View, order: &Order) -> Markup {
    html! {
        details.card.drawer {
            summary { (view.lang.t("订单数据", "The order's item")) }
            (json(&json!(order)))
        }
    }
}

fn numbered(no: &str) -> Map<String, Value> {
    Map::from_iter([("out_trade_no".to_owned(), json!(no))])
}

/// Closes.
pub(super) async fn close(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    _: Posted,
) -> Response {
    lookup::done(&console, &view, &no, Payments::Close, numbered(&no)).await
}

/// Runs the handler again.
pub(super) async fn rerun(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    _: Posted,
) -> Response {
    lookup::done(&console, &view, &no, Queries::RerunHandler, numbered(&no)).await
}

/// Asks how it stands.
pub(super) async fn query(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    _: Posted,
) -> Response {
    lookup::done(&console, &view, &no, Queries::Payment, numbered(&no)).await
}

/// Creates the same order again for another way to pay.
pub(super) async fn pay_another_way(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let Ok(Some(order)) = console.store.order(&no).await else { return lookup::missing(&view) };
    let mut data = numbered(&no);
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("total_fee", json!(order.total_fee));
    put("subject", json!(order.description));
    put("type", json!(order.kind));
    put("custom", Value::Object(order.custom.clone()));
    if let Some(user) = &order.user_id {
        put("user_id", json!(user));
    }
    if let Some(pid) = &order.pid {
        put("pid", json!(pid));
    }
    ways::fill(form.get("pay_type"), &mut data, None);
    lookup::done(&console, &view, &no, Payments::Create, data).await
}
