//! Requests by name (`pay/request`) on the page of the developers: what is kept of them in the table
//! (`docs/requests.md`), which is masked there already. They outlive a start, and those that others made are there too.

use super::copies::copied;
use super::layout::Part;
use super::text::{Lang, ago, json};
use super::view::{Console, View};
use super::ways;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::config::DEFAULT_MERCHANT;
use shared::domain::{Provider, UnixMs};
use shared::store::StoreError;

/// How many are shown.
const SHOWN: usize = 40;

/// The part of the page.
pub(super) async fn part(console: &Console, view: &View) -> Result<Part<'static>, StoreError> {
    let lang = view.lang;
    let page = console.store.requests(SHOWN, None).await?;
    let (all, more) = page.map_or((Vec::new(), false), |(all, cursor)| (all, cursor.is_some()));
    let shown: Vec<_> = all.iter().filter(|request| is_wanted(view, request)).collect();
    let inner = html! {
        header.card-head { h2 { (lang.t("按名称调用", "Requests by name")) } }
        @if shown.is_empty() { div.empty { p.muted { (lang.t("没有按名称的调用。", "No requests by name.")) } } }
        ul.calls { @for request in &shown { (one(console, lang, request)) } }
        @if more { p.muted { (lang.t("更早的见 vk-pay requests。", "Earlier ones: vk-pay requests.")) } }
    };
    Ok(Part { name: "requests", class: "card", inner })
}

fn text<'a>(request: &'a Map<String, Value>, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether the filter of the page leaves it: by its target or `pay/request`, and by how it ended. It is about no order.
fn is_wanted(view: &View, request: &Map<String, Value>) -> bool {
    let named = |part: &String| {
        let part = part.to_lowercase();
        "pay/request".contains(&part) || text(request, "target").to_lowercase().contains(&part)
    };
    view.field("order").is_none()
        && view.field("method").as_ref().is_none_or(named)
        && view.field("result").as_deref().is_none_or(|result| (result == "bad") == is_bad(request))
}

fn is_bad(request: &Map<String, Value>) -> bool {
    text(request, "state") != "done"
}

fn state(lang: Lang, state: &str) -> &str {
    match state {
        "done" => lang.t("成功", "done"),
        "refused" => lang.t("被拒绝", "refused"),
        "unknown" => lang.t("结果未知", "unknown"),
        "sent" => lang.t("已发出", "sent"),
        other => other,
    }
}

fn one(console: &Console, lang: Lang, request: &Map<String, Value>) -> Markup {
    let provider = Provider::parse(text(request, "provider"));
    let at = request.get("create_date").and_then(Value::as_i64).map(UnixMs::new);
    let (id, target) = (text(request, "record_id"), text(request, "target"));
    let (sent, answer) = (request.get("data").unwrap_or(&Value::Null), request.get("answer").unwrap_or(&Value::Null));
    let number = request.get("http_status").and_then(Value::as_u64);
    html! {
        li data-testid="request" data-state=(text(request, "state")) data-record=(id) {
            details.drawer {
                summary {
                    @if let Some(provider) = provider { span.way data-provider=(provider.name()) { (ways::provider_name(lang, provider)) } }
                    code { (target) }
                    span.status data-tone=(if is_bad(request) { "bad" } else { "good" }) { (state(lang, text(request, "state"))) @if let Some(number) = number { " · " (number) } }
                    @if let Some(at) = at { (ago(lang, at, console.now())) }
                }
                dl.facts {
                    div.wide { dt { "record_id" } dd { code { (id) } } }
                    div { dt { (lang.t("调用方", "Caller")) } dd { (text(request, "source")) } }
                    div { dt { (lang.t("商户", "Merchant")) } dd { (text(request, "merchant")) } }
                    @if !text(request, "provider_request_id").is_empty() {
                        div.wide { dt { (lang.t("渠道请求号", "The provider's number")) } dd { code { (text(request, "provider_request_id")) } } }
                    }
                }
                div.pair {
                    div { h4 { (target) } (json(sent)) }
                    div { h4 { @if let Some(number) = number { "HTTP " (number) } @else { (lang.t("应答", "Answer")) } } (json(answer)) }
                }
                (copied(lang, id, "/transfer", &again(request)))
            }
        }
    }
}

/// The call that makes the same request, with what is masked left masked.
fn again(request: &Map<String, Value>) -> Value {
    let mut data = json!({ "provider": text(request, "provider") });
    match text(request, "target").split_once(' ') {
        Some((method, path)) => (data["method"], data["path"]) = (json!(method), json!(path)),
        None => data["method"] = json!(text(request, "target")),
    }
    if text(request, "merchant") != DEFAULT_MERCHANT {
        data["pid"] = json!(text(request, "merchant"));
    }
    if let Some(sent) = request.get("data").filter(|sent| sent.as_object().is_some_and(|sent| !sent.is_empty())) {
        data["data"] = sent.clone();
    }
    json!({ "action": "pay/request", "data": data })
}
