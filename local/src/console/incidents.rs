//! `/incidents`: money that fits no order, and what is done about it.

use super::layout::Part;
use super::text::{Lang, ago, in_order, json, money};
use super::view::{Console, Posted, View, back_to, order_path, segment};
use super::{complaints, layout, ways};
use crate::guard::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Fen, Provider, UnixMs};
use shared::payments::{actions_by_table, is_stuck, possible_actions};
use shared::store::{Action, IncidentStatus};
use std::sync::Arc;

/// How many are on a page.
const PAGE: usize = 30;
/// How many of them are looked up at once.
const AT_ONCE: usize = 8;

/// The list.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let status = match view.field("status") {
        None => IncidentStatus::Open,
        Some(text) => match status_of(&text) {
            Some(status) => status,
            None => return layout::wrong(&view, no_such_status(lang)),
        },
    };
    let cursor = view.field("cursor");
    let inner = match render(&console, &view, status, cursor.as_deref()).await {
        Ok(inner) => inner,
        Err(response) => return response,
    };
    let list = Part { name: "incidents", class: "stack", inner };
    let tabs = [
        (IncidentStatus::Open, "open", lang.t("待处理", "Open")),
        (IncidentStatus::Resolved, "resolved", lang.t("已处理", "Resolved")),
    ];
    let body = html! {
        header.hero {
            h1 { (lang.t("异常", "Incidents")) }
            p { (lang.t("对不上订单的钱：迟到的、重复的、金额不符的付款，以及已收款而未交付的订单。", "Payments that match no order: late, duplicate and mismatched ones, and orders that are paid but not delivered.")) }
        }
        nav.tabs aria-label=(lang.t("筛选", "Filter")) {
            @for (value, name, title) in tabs {
                a href=(format!("/incidents?status={name}")) aria-current=[(value == status).then_some("page")] { (title) }
            }
        }
        @if cursor.is_none() { (layout::refreshing(&format!("/incidents/live/{}", status_name(status)))) }
        (list.render(lang))
    };
    layout::page(&console, &view, lang.t("异常", "Incidents"), &body).await
}

/// The first page of the list, where it has changed.
pub(super) async fn live(State(console): State<Arc<Console>>, Path(status): Path<String>, view: View) -> Response {
    let Some(status) = status_of(&status) else { return layout::wrong(&view, no_such_status(view.lang)) };
    match render(&console, &view, status, None).await {
        Ok(inner) => layout::news(&view, &[Part { name: "incidents", class: "stack", inner }]),
        Err(response) => response,
    }
}

fn status_of(text: &str) -> Option<IncidentStatus> {
    [IncidentStatus::Open, IncidentStatus::Resolved].into_iter().find(|status| status_name(*status) == text)
}

const fn no_such_status(lang: Lang) -> &'static str {
    lang.t("没有这种状态：open 或 resolved", "there is no such status: open or resolved")
}

const fn status_name(status: IncidentStatus) -> &'static str {
    match status {
        IncidentStatus::Open => "open",
        IncidentStatus::Resolved => "resolved",
    }
}

/// Where an incident stands on the page.
pub(super) fn link(incident: &Map<String, Value>) -> String {
    let text = |name: &str| incident.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("/incidents?status={}#i-{}", segment(text("status")), segment(text("incident_id")))
}

/// The list, or the page that says why there is none.
async fn render(
    console: &Console,
    view: &View,
    status: IncidentStatus,
    cursor: Option<&str>,
) -> Result<Markup, Response> {
    let lang = view.lang;
    let wanted = |incident: &Map<String, Value>| incident.get("status") == Some(&json!(status));
    let (list, next) = match console.store.incidents(PAGE, cursor, wanted).await {
        Ok(Some(page)) => page,
        Ok(None) => return Err(layout::wrong(view, layout::not_of_this_list(lang))),
        Err(error) => return Err(layout::unreadable(view, &error)),
    };
    let items: Vec<_> = list.iter().map(|incident| item(console, view, incident)).collect();
    let items: Vec<Markup> = stream::iter(items).buffered(AT_ONCE).collect().await;
    Ok(html! {
        @if items.is_empty() { section.card { div.empty { p { (lang.t("没有异常。", "None.")) } } } }
        @for item in &items { (item) }
        @if let Some(next) = next {
            p { a href=(format!("/incidents?status={}&cursor={}", status_name(status), segment(&next))) { (lang.t("更早的", "Older")) } }
        }
    })
}

async fn item(console: &Console, view: &View, incident: &Map<String, Value>) -> Markup {
    let lang = view.lang;
    let text = |name: &str| incident.get(name).and_then(Value::as_str);
    let (id, name) = (text("incident_id").unwrap_or_default(), text("incident").unwrap_or_default());
    let open = text("status") == Some("open");
    let fitting = if open { fitting(console, id).await } else { Vec::new() };
    let note = noted(console, view, id);
    let card = open && name == "refund_abnormal" && may_be_sent_to_card(console, id).await;
    let provider = text("provider").and_then(Provider::parse);
    let time =
        |name: &str| incident.get(name).and_then(Value::as_i64).map(|at| ago(lang, UnixMs::new(at), console.now()));
    html! {
        article.card #(format!("i-{id}")) data-testid="incident-item" data-incident=(name) data-order=[text("out_trade_no")] data-action=[text("action")] {
            header.card-head {
                h2 { (name_of(lang, name)) }
                span.badge data-tone=(if open { "bad" } else { "past" }) { (if open { lang.t("待处理", "Open") } else { lang.t("已处理", "Resolved") }) }
            }
            dl.facts {
                @if let Some(no) = text("out_trade_no") { div.wide { dt { (lang.t("订单", "Order")) } dd { a href=(order_path(no)) { (no) } } } }
                @if let Some(provider) = provider { div { dt { (lang.t("渠道", "Provider")) } dd { (ways::provider_name(lang, provider)) " · " (text("merchant").unwrap_or_default()) } } }
                @if let Some(number) = text("transaction_id") { div.wide { dt { (lang.t("渠道单号", "Provider's number")) } dd { (number) } } }
                @if name == "complaint" { (complaints::facts(console, lang, incident)) }
                @for (key, title) in [("expected", lang.t("应为", "Expected")), ("actual", lang.t("实为", "Actual"))] {
                    @if let Some(value) = incident.get(key).filter(|_| name != "complaint") { div { dt { (title) } dd { (said(value)) } } }
                }
                @if let Some(action) = text("action") { div { dt { (lang.t("处理方式", "Action")) } dd { (action_name(lang, action)) @if let Some(number) = text("out_refund_no") { " " code { (number) } } } } }
                @if let Some(at) = time("create_date") { div { dt { (lang.t("发现", "Found")) } dd { (at) } } }
                @if let Some(at) = time("resolve_date") { div { dt { (lang.t("处理时间", "Resolved")) } dd { (at) } } }
                @if let Some(by) = text("resolved_by") { div { dt { (lang.t("处理人", "By")) } dd { (by) } } }
                @if let Some(note) = text("note") { div { dt { (lang.t("备注", "Note")) } dd { (note) } } }
            }
            @if open && name == "complaint" { (complaints::forms(console, lang, incident)) }
            @if open && fitting.is_empty() {
                p.verdict data-tone="wait" { (lang.t("已决定，正在执行。", "Decided, and under way.")) }
            }
            @if !fitting.is_empty() {
                form.resolve method="post" action=(format!("/incidents/{}", segment(id))) {
                    (layout::token(console))
                    input name="note" value=(note) maxlength="200" placeholder=(lang.t("备注（可不填）", "Note (optional)")) autocomplete="off" aria-label=(lang.t("备注", "Note"));
                    @for action in &fitting {
                        button type="submit" name="action" value=(action) data-testid=(format!("resolve-{action}")) { (verb(lang, action)) }
                    }
                }
            }
            @if card { (card_form(console, lang, id, text("out_trade_no"), text("out_refund_no"))) }
            details.drawer { summary { (lang.t("异常记录", "The incident's item")) } (json(&in_order(&Value::Object(incident.clone())))) }
        }
    }
}

/// Whether the refund of an incident can be sent to a bank card; elsewhere the function says whether it can.
async fn may_be_sent_to_card(console: &Console, id: &str) -> bool {
    let (Some(local), Ok(Some(recorded))) = (&console.local, console.store.incident(id).await) else { return true };
    is_stuck(&local.app.context(local.app.config().await), &recorded).await.unwrap_or(false)
}

/// The form by which a refund that got stuck is sent to a card. What is typed goes to the function and is kept nowhere.
fn card_form(console: &Console, lang: Lang, id: &str, no: Option<&str>, refund: Option<&str>) -> Markup {
    html! {
        form.filters method="post" action=(format!("/incidents/{}/card", segment(id))) autocomplete="off" data-testid="card-form" {
            (layout::token(console))
            input type="hidden" name="out_trade_no" value=(no.unwrap_or_default());
            input type="hidden" name="out_refund_no" value=(refund.unwrap_or_default());
            label { span { (lang.t("退到", "To")) } select name="type" {
                option value="USER_BANK_CARD" { (lang.t("用户银行卡", "a card of the payer's")) }
                option value="MERCHANT_BANK_CARD" { (lang.t("商户银行账户", "the merchant's account")) }
            } }
            label { span { (lang.t("开户银行", "Bank")) } input name="bank_type" placeholder="ICBC_DEBIT" maxlength="16"; }
            label { span { (lang.t("卡号", "Card")) } input name="bank_account" inputmode="numeric" maxlength="32" autocomplete="off"; }
            label { span { (lang.t("持卡人", "Holder")) } input name="real_name" maxlength="64" autocomplete="off"; }
            div.actions { button.danger type="submit" { (lang.t("发起异常退款", "Send the refund there")) } }
        }
    }
}

/// Sends a refund that got stuck to a bank card, through the function.
pub(super) async fn card(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let merchants = form.get("type") == "MERCHANT_BANK_CARD";
    let names = ["out_trade_no", "out_refund_no", "type", "bank_type", "bank_account", "real_name"];
    let names = if merchants { &names[..3] } else { &names[..] };
    let data: Map<String, Value> =
        names.iter().filter_map(|name| Some(((*name).to_owned(), json!(form.filled(name)?)))).collect();
    let did = console.call(&view, Refunds::ApplyAbnormal, data).await;
    back_to(&format!("/incidents?did={}", did.id))
}

/// The note that was typed for an incident whose decision was refused just now.
fn noted(console: &Console, view: &View, id: &str) -> String {
    let did = view.did.and_then(|did| console.journal.find(did)).filter(|did| did.status >= 400);
    let data = did.as_ref().map(|did| &did.request["data"]).filter(|data| data["incident_id"] == id);
    data.and_then(|data| data["note"].as_str()).unwrap_or_default().to_owned()
}

/// What an order or a provider says: numbers are amounts.
pub(super) fn said(value: &Value) -> Markup {
    match value {
        Value::Number(fen) => html! { (money(Fen(fen.as_u64().unwrap_or_default()))) },
        Value::String(text) => html! { code { (text) } },
        value => html! { code { (in_order(value)) } },
    }
}

/// The actions that an open incident may still take.
async fn fitting(console: &Console, id: &str) -> Vec<&'static str> {
    let Ok(Some(recorded)) = console.store.incident(id).await else { return Vec::new() };
    let possible = match &console.local {
        Some(local) => {
            let context = local.app.context(local.app.config().await);
            possible_actions(&context, &recorded).await.unwrap_or_default()
        }
        // Elsewhere the table says what fits, and the function has the last word.
        None => actions_by_table(&console.store, &recorded).await.unwrap_or_default(),
    };
    possible.into_iter().map(name_of_action).collect()
}

const fn name_of_action(action: Action) -> &'static str {
    match action {
        Action::Accept => "accept",
        Action::Refund => "refund",
        Action::Close => "close",
    }
}

fn verb(lang: Lang, action: &str) -> &'static str {
    match action {
        "accept" => lang.t("入账交付", "Credit it after all"),
        "refund" => lang.t("原路退回", "Send it back"),
        _ => lang.t("结案", "Close"),
    }
}

fn action_name(lang: Lang, action: &str) -> &str {
    match action {
        "accept" => lang.t("入账", "credited"),
        "refund" => lang.t("退回", "sent back"),
        "close" => lang.t("结案", "closed"),
        other => other,
    }
}

/// What an incident is called.
pub(super) fn name_of(lang: Lang, name: &str) -> &str {
    match name {
        "late_payment" => lang.t("关闭后到账", "Paid after it was closed"),
        "second_payment" => lang.t("重复支付", "Paid a second time"),
        "amount_mismatch" => lang.t("金额不符", "Amount differs"),
        "currency_mismatch" => lang.t("币种不符", "Currency differs"),
        "merchant_mismatch" => lang.t("商户不符", "Merchant differs"),
        "app_mismatch" => lang.t("应用不符", "Application differs"),
        "unknown_order" => lang.t("未知订单", "Unknown order"),
        "refund_elsewhere" => lang.t("他处退款", "Refunded elsewhere"),
        "refund_mismatch" => lang.t("退款金额不符", "Refund amount differs"),
        "refund_abnormal" => lang.t("退款异常", "Refund stuck at the provider"),
        "provider_setup" => lang.t("渠道配置有误", "The provider does not accept the set-up"),
        "transfer_mismatch" => lang.t("转账不符", "Transfer differs from the request"),
        "chargeback" => lang.t("渠道撤回了款项", "Charged back by the provider"),
        "complaint" => lang.t("用户投诉", "A payer complains"),
        "undelivered" => lang.t("已收款未交付", "Paid and not delivered"),
        "handler_parked" => lang.t("一天内未能交付", "Not delivered within a day"),
        "unshipped" => lang.t("发货信息未录入", "Shipping not reported"),
        "unconfirmed_notice" => lang.t("通知未获渠道证实", "A notice that the provider does not confirm"),
        "unused_receipt" => lang.t("内购凭证未能入账", "In-app purchase came too late"),
        "bill_missing_here" => lang.t("账单有而订单表没有", "In the bill, not in the table"),
        "bill_missing_there" => lang.t("订单表有而账单没有", "In the table, not in the bill"),
        "bill_amount" => lang.t("与账单金额不符", "Amount differs in the bill"),
        "bill_refund" => lang.t("与账单退款不符", "Refund differs in the bill"),
        "bill_payout" => lang.t("资金账单有而转账表没有", "A payout in the fund-flow bill, not in the table"),
        "bill_fees" => lang.t("手续费与资金账单不符", "Other fees in the fund-flow bill"),
        other => other,
    }
}

/// What a decision that moves money would do, to be confirmed. Loading it again decides nothing; the function takes one
/// decision of an incident.
async fn confirmation(console: &Console, view: &View, id: &str, form: &Form) -> Response {
    let lang = view.lang;
    let recorded = match console.store.incident(id).await {
        Ok(Some(recorded)) => recorded,
        Ok(None) => {
            return (StatusCode::NOT_FOUND, layout::bare(view, lang.t("没有这个异常", "No such incident")))
                .into_response();
        }
        Err(error) => return (StatusCode::BAD_GATEWAY, layout::bare(view, &error.to_string())).into_response(),
    };
    let incident = &recorded.incident;
    let action = form.get("action");
    let total = incident.payment.as_ref().and_then(|payment| payment.total);
    let body = html! {
        section.card.confirm data-testid="confirm-incident" data-action=(action) data-fen=[total] {
            header.card-head { h1 { (lang.t("确认：", "Confirm: ")) (verb(lang, action)) } span.badge data-tone="bad" { (name_of(lang, incident.incident.name())) } }
            @if let Some(total) = total { div.sum { (money(total)) } }
            p.verdict data-tone="bad" {
                @if action == "refund" {
                    (lang.t("这笔付款会原路退给付款人，不能撤回。", "This payment goes back to its payer. This cannot be undone."))
                } @else {
                    (lang.t("这笔付款会入账到订单并交付，不能撤回。", "This payment is credited to the order, and the order is delivered. This cannot be undone."))
                }
            }
            dl.facts {
                @if let Some(no) = &incident.out_trade_no { div.wide { dt { (lang.t("订单", "Order")) } dd { (no) } } }
                div { dt { (lang.t("渠道", "Provider")) } dd { (ways::provider_name(lang, incident.provider)) " · " (incident.merchant) } }
                @if let Some(number) = &incident.transaction_id { div.wide { dt { (lang.t("渠道单号", "Provider's number")) } dd { (number) } } }
                @if let Some(note) = form.filled("note") { div.wide { dt { (lang.t("备注", "Note")) } dd { (note) } } }
            }
            div.actions {
                form method="post" action=(format!("/incidents/{}", segment(id))) {
                    (layout::token(console))
                    input type="hidden" name="confirmed" value=(id);
                    input type="hidden" name="note" value=(form.get("note"));
                    button.danger type="submit" name="action" value=(action) data-testid="confirm" { (verb(lang, action)) }
                }
                a.button href="/incidents" data-testid="cancel" { (lang.t("返回，什么都不做", "Go back, change nothing")) }
            }
        }
    };
    layout::page(console, view, lang.t("确认", "Confirm"), &body).await
}

/// Decides about an incident through the function; what moves money only after it was confirmed.
pub(super) async fn resolve(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let moves_money = matches!(form.get("action"), "refund" | "accept");
    if moves_money && form.get("confirmed") != id {
        return confirmation(&console, &view, &id, &form).await;
    }
    let mut data = Map::new();
    data.insert("incident_id".to_owned(), json!(id));
    data.insert("action".to_owned(), json!(form.get("action")));
    if let Some(note) = form.filled("note") {
        data.insert("note".to_owned(), json!(note));
    }
    let did = console.call(&view, Refunds::ResolveIncident, data).await;
    let status = did.response.get("status").and_then(Value::as_str).filter(|_| did.status < 400).unwrap_or("open");
    back_to(&format!("/incidents?status={}&did={}", segment(status), did.id))
}
