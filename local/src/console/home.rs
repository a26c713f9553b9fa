//! `/`: what was paid and refunded, what waits for somebody; and locally the form that creates an order, and the recent
//! ones.

use super::layout::Part;
use super::text::kind_name;
use super::view::{Console, Posted, View, back_to, order_path};
use super::{figures, forms, layout, rows};
use crate::demo;
use crate::guard::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;
use shared::domain::action::Payments;
use shared::domain::{Day, Order};
use shared::store::{Due, PaidEntry, StoreError};
use std::sync::Arc;

/// How many orders are listed.
const RECENT: usize = 20;

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    render(&console, &view, None, &html! {}).await
}

async fn render(console: &Console, view: &View, typed: Option<&Form>, said: &Markup) -> Response {
    let lang = view.lang;
    let parts = parts(console, view).await;
    let body = html! {
        (said)
        (layout::refreshing("/live"))
        @if console.local.is_some() {
            div.split.home {
                aside.card {
                    h2 { (lang.t("创建订单", "Create an order")) }
                    (create_form(console, view, typed).await)
                }
                div.stack {
                    (parts[0].render(lang))
                    @if let Some(orders) = parts.get(1) { (orders.render(lang)) }
                    (health(console, view).await)
                }
            }
        } @else {
            (parts[0].render(lang))
        }
    };
    layout::page(console, view, lang.t("首页", "Home"), &body).await
}

/// What moves on the page.
async fn parts(console: &Console, view: &View) -> Vec<Part<'static>> {
    let recent = match &console.local {
        Some(_) => Some(recent(console, view).await),
        None => None,
    };
    let sample = recent.as_ref().and_then(|recent| recent.sample);
    let mut parts = vec![Part { name: "figures", class: "stack", inner: figures::render(console, view, sample).await }];
    parts.extend(recent.map(|recent| Part { name: "orders", class: "card", inner: recent.shown }));
    parts
}

async fn create_form(console: &Console, view: &View, typed: Option<&Form>) -> Markup {
    let lang = view.lang;
    let (offer, kinds) = (forms::Offer::of(console).await, forms::kinds(console).await);
    let was =
        |name: &str, usual: &'static str| typed.map_or_else(|| usual.to_owned(), |form| form.get(name).to_owned());
    let (way, kind, unit) = (was("pay_type", "wxpay_h5"), was("type", "recharge"), was("unit", "yuan"));
    let more = typed.is_some_and(|form| {
        ["out_trade_no", "subject", "custom", "auth_code"].iter().any(|name| form.filled(name).is_some())
    });
    html! {
        form method="post" action="/orders" data-testid="create" {
            (layout::token(console))
            label { span { (lang.t("支付方式", "Payment method")) } (forms::ways_select(lang, &offer, &way)) }
            label { span { (lang.t("商户", "Merchant")) } (forms::merchant_select(lang, console.sandbox().is_some(), &offer, &was("pid", ""))) }
            div.row {
                label { span { (lang.t("金额", "Amount")) }
                    span.joined {
                        input name="amount" value=(was("amount", "1.00")) inputmode="decimal" required autocomplete="off";
                        select name="unit" aria-label=(lang.t("单位", "Unit")) {
                            @for (value, title) in [("yuan", lang.t("元", "yuan")), ("fen", lang.t("分", "fen"))] {
                                option value=(value) selected[value == unit] { (title) }
                            }
                        }
                    }
                }
                label { span { (lang.t("类型", "Type")) }
                    select name="type" {
                        @for own in &kinds { option value=(own) selected[*own == kind] { (kind_name(lang, own)) } }
                    }
                }
            }
            details.more open[more] {
                summary { (lang.t("更多字段", "More fields")) }
                label { span { "out_trade_no" } input name="out_trade_no" value=(was("out_trade_no", "")) maxlength="64" placeholder=(lang.t("自动生成", "generated")) autocomplete="off" spellcheck="false"; }
                label { span { "subject" } input name="subject" value=(was("subject", "")) maxlength="200" placeholder=(lang.t("按类型", "by type")) autocomplete="off"; }
                label { span { "user_id" } input name="user_id" value=(was("user_id", demo::USER)) autocomplete="off" spellcheck="false"; }
                label { span { "custom (JSON)" } textarea name="custom" rows="3" spellcheck="false" placeholder=r#"{"goods_id":"demo-tea","quantity":1}"# { (was("custom", "")) } }
                label { span { "auth_code" } input name="auth_code" value=(was("auth_code", "")) inputmode="numeric" placeholder=(lang.t("付款码：尾号 7 等待钱包确认，8 余额不足，9 已失效，其他立即支付", "Pay code: one ending in 7 waits for the wallet, 8 has too little balance, 9 has expired, others pay at once")) autocomplete="off"; }
            }
            button.primary type="submit" data-testid="create-order" { (lang.t("创建订单", "Create order")) }
        }
    }
}

async fn health(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let Some(local) = &console.local else { return html! {} };
    let merchants = local.app.config().await.merchant_ids().len();
    let table = console.dynamodb.describe_table().table_name(&console.table).send().await;
    let table = table.ok().and_then(|t| t.table).and_then(|t| t.table_status).map(|s| s.as_str().to_owned());
    html! {
        dl.health {
            div {
                dt { (lang.t("配置", "Configuration")) }
                dd {
                    span.dot data-tone="good" {}
                    @if console.sandbox().is_some() { (lang.t("演示商户", "Demo merchants")) " × " (merchants) } @else { (lang.t("你的商户", "Your merchants")) " × " (merchants) }
                    code { (local.config_path.display()) }
                }
            }
            div {
                dt { (lang.t("订单表", "Orders table")) }
                dd {
                    @match &table {
                        Some(status) => { span.dot data-tone="good" {} (status) }
                        None => { span.dot data-tone="bad" {} (lang.t("无法访问", "cannot be reached")) }
                    }
                    code { (local.data_dir.join("dynamodb.sqlite").display()) }
                }
            }
            div {
                dt { (lang.t("支付渠道", "Providers")) }
                dd {
                    @match console.sandbox() {
                        Some(sandbox) => {
                            span.dot data-tone="good" {}
                            (lang.t("沙箱", "Sandbox")) " · " (sandbox.trades().len()) " " (lang.t("笔交易", "trades"))
                            code { (lang.t("账本只在内存中，重启后清空", "its ledger is in memory and is lost when this process ends")) }
                        }
                        None => { span.dot data-tone="wait" {} (lang.t("真实渠道", "Real")) code { (lang.t("除非节点写了 apiBase", "unless a node names an apiBase")) } }
                    }
                }
            }
        }
    }
}

/// What moves on the page by itself, for refreshing.
pub(super) async fn live(State(console): State<Arc<Console>>, view: View) -> Response {
    layout::news(&view, &parts(&console, &view).await)
}

/// The recent orders, and how many there are of today and how many of them are paid, where that is known.
struct Recent {
    shown: Markup,
    sample: Option<figures::Sample>,
}

/// The recent orders of a stack on this machine. A small table is read whole. A large one shows what is unpaid and what
/// was paid in the last days.
async fn recent_orders(console: &Console) -> Result<(Vec<Order>, bool), StoreError> {
    let failed = |why: String| StoreError::new("recent orders", why);
    let (items, more) = console.scan(&console.table, Some("order"), None).await.map_err(failed)?;
    let mut orders: Vec<Order> = Vec::new();
    let whole = more.is_none();
    if whole {
        let order = |item| serde_json::from_value(Value::Object(item)).ok();
        orders.extend(items.into_iter().filter_map(order));
    } else {
        let accounts = console.listed_accounts().await;
        let today = Day::of(console.now());
        let mut list = console.store.paid_on_days(&accounts, (today.before(6), today), None, RECENT);
        let paid = list.next::<PaidEntry>(RECENT).await?;
        let (due, _) = console.store.soonest_due(2).await?;
        let open = due.iter().filter_map(|item| match &item.what {
            Due::Order(no) => Some(no.as_str()),
            Due::Refund(..)
            | Due::Share(..)
            | Due::Return(..)
            | Due::Task(..)
            | Due::Transfer(_)
            | Due::Authorization(_) => None,
        });
        let numbers: Vec<&str> = paid.iter().map(|found| found.entry.out_trade_no.as_str()).chain(open).collect();
        orders = console.store.orders(&numbers).await?;
    }
    orders.sort_by_key(|order| std::cmp::Reverse(order.create_date));
    Ok((orders, whole))
}

async fn recent(console: &Console, view: &View) -> Recent {
    let lang = view.lang;
    let (orders, whole) = match recent_orders(console).await {
        Ok(found) => found,
        Err(error) => return Recent { shown: html! { p.muted { (error) } }, sample: None },
    };
    let today = Day::of(console.now());
    let sample = whole.then(|| {
        let of_today: Vec<&Order> = orders.iter().filter(|order| Day::of(order.create_date) == today).collect();
        let paid = of_today.iter().filter(|order| order.trade_state.is_paid()).count();
        figures::Sample { created: of_today.len(), paid }
    });
    let undelivered = orders.iter().filter(|order| rows::is_undelivered(order)).count();
    let count = orders.len();
    let listed = &orders[..count.min(RECENT)];
    let shown = html! {
        header.card-head {
            h2 { (lang.t("最近订单", "Recent orders")) }
            span.muted {
                @if whole { (count) " " (lang.t("笔", "in all")) }
                @if undelivered > 0 {
                    " · " a.badge href="/incidents" data-tone="bad" data-testid="undelivered-count" { (undelivered) " " (lang.t("笔已收款未交付", "paid and not delivered")) }
                }
            }
        }
        @if orders.is_empty() {
            div.empty {
                p { (lang.t("还没有订单。", "No orders yet.")) }
                p.muted { (lang.t("在左侧创建一笔，或到", "Create one here, or buy something in the ")) a href="/demo" { (lang.t("演示商店", "demo shop")) } (lang.t("下单。", ".")) }
            }
        } @else {
            (rows::table(lang, console.now(), listed, lang.t("最近的订单", "Recent orders")))
            p.more-link { a href="/orders" { (lang.t("全部支付与订单", "All payments and orders")) } }
        }
    };
    Recent { shown, sample }
}

/// Creates an order through the function and shows it. Where that is refused, the form stands there again as it was
/// filled in.
pub(super) async fn create(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let lang = view.lang;
    let view = View { path: "/".to_owned(), query: String::new(), ..view };
    let title = lang.t("没有创建订单", "No order was created");
    let data = match forms::create_data(&form, lang, console.now()) {
        Ok(data) => data,
        Err(what) => {
            let said = layout::said(title, 400, &what, &html! {});
            return (StatusCode::BAD_REQUEST, render(&console, &view, Some(&form), &said).await).into_response();
        }
    };
    let did = console.call(&view, Payments::Create, data).await;
    // An order whose creation has no known outcome stands in the table all the same.
    let stands = console.store.order(&did.out_trade_no).await.is_ok_and(|order| order.is_some());
    if stands {
        return back_to(&format!("{}?did={}", order_path(&did.out_trade_no), did.id));
    }
    let says = did.response.get("msg").and_then(Value::as_str).unwrap_or_default();
    let said = layout::said(title, did.status, says, &layout::drawer(&view, &did));
    layout::with_status(did.status.max(400), render(&console, &view, Some(&form), &said).await)
}
