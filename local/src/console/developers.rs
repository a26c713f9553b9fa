//! `/developers`: every call of a function, from anywhere, with its bodies, the callbacks beside them, and below what was
//! requested by name.

use super::copies::copied;
use super::layout::{self, Part};
use super::text::{Lang, ago, json};
use super::view::{Console, View, order_path};
use super::{lookup, raw_requests, ways};
use crate::journal::{Caller, Exchange, Receipt};
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::Value;
use shared::store::StoreError;
use std::sync::Arc;

/// How many calls are on a page.
const PAGE: usize = 40;
/// How many callbacks stand beside them.
const CALLBACKS: usize = 40;

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    if let Some(what) = wrong(&view) {
        return layout::wrong(&view, what);
    }
    let parts = match parts(&console, &view).await {
        Ok(parts) => parts,
        Err(error) => return layout::unreadable(&view, &error),
    };
    let [calls, receipts, requests] = &parts;
    let body = html! {
        header.hero {
            h1 { (lang.t("开发者", "Developers")) }
            p { (lang.t("本次运行以来的函数调用与回调，最多各 1000 条。密钥、令牌与付款人标识已隐去。", "Calls of the functions and callbacks since this start, at most 1000 of each. Secrets, tokens and payers' ids are masked.")) }
        }
        form.filters.short method="get" action="/developers" role="search" data-testid="filters" {
            label { span { (lang.t("方法", "Method")) } input name="method" value=(view.field("method").unwrap_or_default()) placeholder="createPayment" autocomplete="off" spellcheck="false"; }
            label { span { (lang.t("订单", "Order")) } input name="order" value=(view.field("order").unwrap_or_default()) autocomplete="off" spellcheck="false"; }
            label { span { (lang.t("结果", "Result")) }
                select name="result" {
                    @let chosen = view.field("result").unwrap_or_default();
                    @for (value, title) in [("", lang.t("全部", "All")), ("good", lang.t("成功", "Good")), ("bad", lang.t("失败", "Bad"))] {
                        option value=(value) selected[value == chosen] { (title) }
                    }
                }
            }
            div.actions { button type="submit" { (lang.t("筛选", "Filter")) } }
        }
        @if view.field("before").is_none() { (layout::refreshing(&view.link("/developers/live", &[]))) }
        div.split.developers { (calls.render(lang)) (receipts.render(lang)) }
        (requests.render(lang))
    };
    layout::page(&console, &view, lang.t("开发者", "Developers"), &body).await
}

/// What has changed on the page.
pub(super) async fn live(State(console): State<Arc<Console>>, view: View) -> Response {
    if let Some(what) = wrong(&view) {
        return layout::wrong(&view, what);
    }
    match parts(&console, &view).await {
        Ok(parts) => layout::news(&view, &parts),
        Err(error) => layout::unreadable(&view, &error),
    }
}

/// What is wrong with the filter.
fn wrong(view: &View) -> Option<&'static str> {
    let lang = view.lang;
    if view.field("result").is_some_and(|result| !["good", "bad"].contains(&result.as_str())) {
        return Some(lang.t("没有这种结果：good 或 bad", "there is no such result: good or bad"));
    }
    let before = view.field("before");
    before.is_some_and(|id| id.parse::<u64>().is_err()).then(|| layout::not_of_this_list(lang))
}

async fn parts(console: &Console, view: &View) -> Result<[Part<'static>; 3], StoreError> {
    Ok([
        Part { name: "calls", class: "card", inner: calls(console, view) },
        Part { name: "receipts", class: "card", inner: callbacks(console, view) },
        raw_requests::part(console, view).await?,
    ])
}

fn calls(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let before = view.field("before").and_then(|id| id.parse().ok()).unwrap_or(u64::MAX);
    let (method, order, result) = (view.field("method"), view.field("order"), view.field("result"));
    let wanted = |own: &Exchange| {
        own.path != lookup::UNSENT
            && !own.path.starts_with("/sandbox")
            && method.as_ref().is_none_or(|part| own.title.to_lowercase().contains(&part.to_lowercase()))
            && order.as_ref().is_none_or(|no| own.out_trade_no == *no)
            && result.as_deref().is_none_or(|result| (result == "bad") == is_bad(own))
    };
    let found = console.journal.exchanges_before(before, PAGE + 1, wanted);
    let (shown, more) = (&found[..found.len().min(PAGE)], found.len() > PAGE);
    html! {
        header.card-head { h2 { (lang.t("函数调用", "Calls")) } }
        @if shown.is_empty() { div.empty { p.muted { (lang.t("还没有调用。", "No calls yet.")) } } }
        ul.calls { @for exchange in shown { (call(console, view, exchange)) } }
        @if more || view.field("before").is_some() {
            nav.pages aria-label=(lang.t("分页", "Pages")) {
                @if view.field("before").is_some() { a href=(view.link("/developers", &[("before", None)])) { (lang.t("回到最新", "Newest")) } }
                @if let Some(last) = shown.last().filter(|_| more) { a rel="next" data-testid="next" href=(view.link("/developers", &[("before", Some(&last.id.to_string()))])) { (lang.t("更早的", "Older")) } }
            }
        }
    }
}

/// Whether a call did not do what it was for: by its status, or by a code that is no state of an order.
fn is_bad(exchange: &Exchange) -> bool {
    exchange.status >= 400
}

fn call(console: &Console, view: &View, exchange: &Exchange) -> Markup {
    let lang = view.lang;
    let code = exchange.response.get("code").and_then(Value::as_i64);
    let request_id = exchange.response.get("request_id").and_then(Value::as_str);
    html! {
        li data-testid="call" data-status=(exchange.status) data-caller=(exchange.caller.name()) {
            details.drawer {
                summary {
                    code { (exchange.title) }
                    span.status data-tone=(if is_bad(exchange) { "bad" } else { "good" }) { (exchange.status) @if let Some(code) = code.filter(|code| *code != 0) { " · " (code) } }
                    span.muted { (caller(lang, exchange.caller)) @if let Some(ms) = exchange.millis { " · " (ms) " ms" } }
                    (ago(lang, exchange.at, console.now()))
                }
                dl.facts {
                    @if let Some(id) = request_id { div.wide { dt { "request_id" } dd { code { (id) } } } }
                    @if !exchange.out_trade_no.is_empty() { div { dt { (lang.t("订单", "Order")) } dd { a href=(order_path(&exchange.out_trade_no)) { (exchange.out_trade_no) } } } }
                }
                div.pair {
                    div { h4 { "POST " (exchange.path) } (json(&exchange.request)) }
                    div { h4 { "HTTP " (exchange.status) } (json(&exchange.response)) }
                }
                @if exchange.request.is_object() && exchange.path.starts_with('/') {
                    (copied(lang, &exchange.id.to_string(), &exchange.path, &exchange.request))
                }
            }
        }
    }
}

const fn caller(lang: Lang, caller: Caller) -> &'static str {
    match caller {
        Caller::Console => lang.t("控制台", "console"),
        Caller::Key => "key",
        Caller::Token => "jwt",
        Caller::Anyone => lang.t("无凭证", "no credential"),
    }
}

fn callbacks(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let mut found: Vec<Receipt> = console.journal.receipts(|_| true);
    let count = found.len();
    found.reverse();
    found.truncate(CALLBACKS);
    html! {
        header.card-head { h2 { (lang.t("回调", "Callbacks")) } span.muted { (count) } }
        @if found.is_empty() { div.empty { p.muted { (lang.t("还没有回调。", "No callbacks yet.")) } } }
        ul.calls { @for receipt in &found {
            li data-testid="receipt" data-status=(receipt.status) {
                details.drawer {
                    summary {
                        span.way data-provider=(receipt.provider.name()) { (ways::provider_name(lang, receipt.provider)) }
                        span.status data-tone=(if receipt.status < 300 { "good" } else { "bad" }) { (receipt.status) }
                        @match &receipt.verified {
                            Ok((number, _)) => { code { (number) } }
                            Err(_) => { span.check data-tone="bad" { (lang.t("验签未通过", "not verified")) } }
                        }
                        (ago(lang, receipt.at, console.now()))
                    }
                    dl.facts {
                        div { dt { (lang.t("商户", "Merchant")) } dd { (receipt.merchant) } }
                        @match &receipt.verified {
                            Ok((number, about)) => {
                                div.wide { dt { (lang.t("单号", "Number")) } dd { code { (number) } } }
                                @if let Some(about) = about { div { dt { (lang.t("内容", "About")) } dd { code { (about) } } } }
                            }
                            Err(why) => { div.wide { dt { (lang.t("原因", "Why")) } dd { (why) } } }
                        }
                        div.wide { dt { (lang.t("应答", "Answer")) } dd { code { (receipt.answer.chars().take(200).collect::<String>()) } } }
                    }
                }
            }
        } }
    }
}
