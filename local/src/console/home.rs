//! `/`: create an order, see the recent ones, see that everything is well.

use super::layout::Live;
use super::text::{Lang, badge, kind_name, moment, money};
use super::view::{Console, Posted, View, back_to, order_path};
use super::{forms, layout, ways};
use crate::demo;
use crate::dynamo::TABLE;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::Value;
use shared::domain::Order;
use shared::domain::action::Payments;
use std::collections::HashMap;
use std::sync::Arc;

/// How many orders are listed.
const RECENT: usize = 20;

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let list = recent(&console, &view).await;
    let kinds = forms::kinds(&console).await;
    let body = html! {
        div.split.home {
            aside.card {
                h2 { (lang.t("创建订单", "Create an order")) }
                (create_form(&console, &view, &kinds))
            }
            div.stack {
                (health(&console, &view).await)
                (orders(lang).render(&list))
            }
        }
    };
    layout::page(&console, &view, lang.t("控制台", "Console"), &body)
}

fn create_form(console: &Console, view: &View, kinds: &[String]) -> Markup {
    let lang = view.lang;
    html! {
        form method="post" action="/orders" data-testid="create" {
            (layout::token(console))
            label { span { (lang.t("支付方式", "Way to pay")) } (forms::ways_select(lang, "wxpay_h5")) }
            label { span { (lang.t("商户", "Merchant")) } (forms::merchant_select(lang, console.sandbox.is_some())) }
            div.row {
                label { span { (lang.t("金额", "Amount")) }
                    span.joined {
                        input name="amount" value="1.00" inputmode="decimal" required autocomplete="off";
                        select name="unit" aria-label=(lang.t("单位", "Unit")) {
                            option value="yuan" { (lang.t("元", "yuan")) }
                            option value="fen" { (lang.t("分", "fen")) }
                        }
                    }
                }
                label { span { (lang.t("类型", "Type")) }
                    select name="type" {
                        @for kind in kinds {
                            option value=(kind) { (kind_name(lang, kind)) }
                        }
                    }
                }
            }
            details.more {
                summary { (lang.t("更多字段", "More fields")) }
                label { span { "out_trade_no" } input name="out_trade_no" maxlength="64" placeholder=(lang.t("自动生成", "made up")) autocomplete="off" spellcheck="false"; }
                label { span { "subject" } input name="subject" maxlength="200" placeholder=(lang.t("按类型", "by type")) autocomplete="off"; }
                label { span { "user_id" } input name="user_id" value=(demo::USER) autocomplete="off" spellcheck="false"; }
                label { span { "custom (JSON)" } textarea name="custom" rows="3" spellcheck="false" placeholder=r#"{"goods_id":"demo-tea","quantity":1}"# {} }
                label { span { "auth_code" } input name="auth_code" inputmode="numeric" placeholder=(lang.t("付款码：尾号 7 等待钱包确认，8 余额不足，9 已失效，其他立即支付", "Pay code: ends in 7 waits for the wallet, 8 no money, 9 expired, else pays at once")) autocomplete="off"; }
            }
            button.primary type="submit" data-testid="create-order" { (lang.t("创建订单", "Create order")) }
        }
    }
}

async fn health(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let config = console.app.config().await;
    let table = console.dynamodb.describe_table().table_name(TABLE).send().await;
    let table = table.ok().and_then(|t| t.table).and_then(|t| t.table_status).map(|s| s.as_str().to_owned());
    let merchants = ["default", demo::V2, demo::CERT].iter().filter(|id| config.merchant(id).is_some()).count();
    html! {
        dl.health {
            div {
                dt { (lang.t("配置", "Configuration")) }
                dd {
                    span.dot data-tone="good" {}
                    @if console.sandbox.is_some() { (lang.t("演示商户", "Demo merchants")) " × " (merchants) } @else { (lang.t("您的商户", "Your merchant")) }
                    code { (console.config_path.display()) }
                }
            }
            div {
                dt { (lang.t("订单表", "Orders table")) }
                dd {
                    @match &table {
                        Some(status) => { span.dot data-tone="good" {} (status) }
                        None => { span.dot data-tone="bad" {} (lang.t("无法访问", "cannot be reached")) }
                    }
                    code { (console.data_dir.join("dynamodb.sqlite").display()) }
                }
            }
            div {
                dt { (lang.t("支付渠道", "Providers")) }
                dd {
                    @match &console.sandbox {
                        Some(sandbox) => {
                            span.dot data-tone="good" {}
                            (lang.t("沙箱", "Sandbox")) " · " (sandbox.trades().len()) " " (lang.t("笔交易", "trades"))
                            code { (lang.t("账本只在内存中，重启后清空", "its ledger is in memory and ends with this process")) }
                        }
                        None => { span.dot data-tone="wait" {} (lang.t("真实渠道", "Real")) code { (lang.t("除非节点写了 apiBase", "unless a node names an apiBase")) } }
                    }
                }
            }
        }
    }
}

const fn orders(lang: Lang) -> Live<'static> {
    Live { lang, url: "/live/orders", testid: "orders", class: "card", every: "2s" }
}

/// The list by itself, for refreshing; nothing when it has not changed.
pub(super) async fn live(
    State(console): State<Arc<Console>>,
    Query(query): Query<HashMap<String, String>>,
    view: View,
) -> Response {
    let list = recent(&console, &view).await;
    orders(view.lang).refreshed(&query, &list)
}

async fn recent(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let found = console.scan(TABLE, &[("kind", "order")]).await;
    let mut orders: Vec<Order> = match found {
        Ok(items) => items.into_iter().filter_map(|item| serde_json::from_value(Value::Object(item)).ok()).collect(),
        Err(what) => return html! { h2 { (lang.t("最近订单", "Recent orders")) } p.muted { (what) } },
    };
    orders.sort_by_key(|order| std::cmp::Reverse(order.create_date));
    let undelivered = orders.iter().filter(|order| is_undelivered(order)).count();
    html! {
        header.card-head {
            h2 { (lang.t("最近订单", "Recent orders")) }
            span.muted {
                (orders.len()) " " (lang.t("笔", "in all"))
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
            ul.orders {
                @for order in orders.iter().take(RECENT) {
                    li {
                        a href=(order_path(&order.out_trade_no)) {
                            span.what { b { (order.description) } code { (order.out_trade_no) } }
                            span.how {
                                span.way data-provider=(order.provider.name()) { (ways::name(lang, &order.pay_type)) }
                                span.kind { (kind_name(lang, &order.kind)) }
                            }
                            time { (moment(order.create_date)) }
                            (money(order.total_fee))
                            @if is_undelivered(order) {
                                span.badge data-tone="bad" data-state=(order.trade_state.name()) title=(order.user_order_reason.as_deref().unwrap_or_default()) { (lang.t("未交付", "Not delivered")) }
                            } @else {
                                (badge(lang, order.trade_state, order.refund_fee >= order.total_fee))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Paid, and the handler has not done its work: somebody waits for it, unless all of the money went back.
fn is_undelivered(order: &Order) -> bool {
    order.trade_state.is_paid() && order.user_order_success == Some(false) && order.refund_fee < order.total_fee
}

/// Creates an order through the function and shows it.
pub(super) async fn create(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let data = match forms::create_data(&form, view.lang, (console.app.clock)()) {
        Ok(data) => data,
        Err(what) => return (StatusCode::BAD_REQUEST, layout::bare(&view, &what)).into_response(),
    };
    let did = console.call(&view, Payments::Create, data).await;
    // An order whose creation has no known outcome stands in the table all the same.
    let stands = console.app.store.order(&did.out_trade_no).await.is_ok_and(|order| order.is_some());
    let path = if stands { order_path(&did.out_trade_no) } else { "/".to_owned() };
    back_to(&format!("{path}?did={}", did.id))
}
