//! `/demo`: a small shop. It names prices itself, as a merchant's server does; a client that did would be cheated.

use super::text::{Lang, kind_name, money};
use super::{Console, Posted, View, back_to, forms, layout, order_path, segment, ways};
use crate::demo;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use serde_json::{Map, Value, json};
use shared::order::{Fen, Order, Provider};
use std::sync::Arc;

struct Product {
    kind: &'static str,
    price: Fen,
    art: &'static str,
    zh: [&'static str; 2],
    en: [&'static str; 2],
}

const PRODUCTS: [Product; 3] = [
    Product {
        kind: "recharge",
        price: Fen(1_000),
        art: r#"<svg viewBox="0 0 24 24"><rect x="3" y="6" width="18" height="13" rx="2.5"/><path d="M3 10h18M15.5 14.5h2.5M6 6l9-2.6 1 2.6"/></svg>"#,
        zh: ["余额充值 10 元", "支付后余额立即增加"],
        en: ["Balance, 10 yuan", "Added to the balance at once"],
    },
    Product {
        kind: "goods",
        price: Fen(100),
        art: r#"<svg viewBox="0 0 24 24"><path d="M5 19C4 10 9 5 20 4c0 10-5 16-13 14M5 20c2-6 5-9 9-11"/></svg>"#,
        zh: ["明前龙井 50 g", "扣减库存并生成商品订单"],
        en: ["Longjing tea, 50 g", "Takes stock and writes a goods order"],
    },
    Product {
        kind: "vip",
        price: Fen(3_000),
        art: r#"<svg viewBox="0 0 24 24"><path d="M4 18h16M4 15.5 3 7l5 4 4-6 4 6 5-4-1 8.5z"/></svg>"#,
        zh: ["黄金会员 30 天", "在现有到期日上顺延"],
        en: ["Gold membership, 30 days", "Extends a running membership"],
    },
];

impl Product {
    const fn words(&self, lang: Lang) -> [&'static str; 2] {
        match lang {
            Lang::Zh => self.zh,
            Lang::En => self.en,
        }
    }
}

/// The shop window.
pub async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let user = console.app.store.row("uni-id-users", demo::USER).await.ok().flatten().unwrap_or_default();
    let tea = console.app.store.row("goods", demo::GOODS).await.ok().flatten().unwrap_or_default();
    let number = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_u64);
    let body = html! {
        header.hero {
            h1 { (lang.t("演示商店", "Demo shop")) }
            p { (lang.t("三件商品，对应三种订单类型。下单走真实的 createPayment 函数，支付在模拟钱包里完成。", "Three products, one for each type of order. Buying calls the real createPayment function; paying happens in the simulated wallet.")) }
            dl.facts {
                div { dt { (lang.t("顾客", "Customer")) } dd { code { (demo::USER) } } }
                div { dt { (lang.t("余额", "Balance")) } dd data-testid="balance" data-fen=[number(&user, "balance")] { (money(Fen(number(&user, "balance").unwrap_or_default()))) } }
                div { dt { (lang.t("会员", "Member")) } dd { @if user.get("is_vip").is_some_and(|v| v == true) { (user.get("vip_type").and_then(Value::as_str).unwrap_or("-")) } @else { "—" } } }
                div { dt { (lang.t("库存", "Stock")) } dd { (number(&tea, "stock").map_or("—".to_owned(), |n| n.to_string())) } }
            }
        }
        div.products {
            @for product in &PRODUCTS {
                @let [title, says] = product.words(lang);
                article.card.product data-kind=(product.kind) {
                    div.art aria-hidden="true" { (PreEscaped(product.art)) }
                    h2 { (title) }
                    p.muted { (says) }
                    (money(product.price))
                    form method="post" action="/demo/buy" {
                        (layout::token(&console))
                        input type="hidden" name="product" value=(product.kind);
                        fieldset.choice {
                            legend.sr { (lang.t("支付渠道", "Provider")) }
                            @for provider in [Provider::Wxpay, Provider::Alipay, Provider::Vkspay] {
                                label { input type="radio" name="provider" value=(provider.name()) checked[provider == Provider::Wxpay]; span data-provider=(provider.name()) { (ways::provider_name(lang, provider)) } }
                            }
                        }
                        button.primary type="submit" data-testid=(format!("buy-{}", product.kind)) { (lang.t("立即购买", "Buy now")) }
                    }
                }
            }
        }
    };
    layout::page(&console, &view, lang.t("演示商店", "Demo shop"), &body)
}

/// Creates the order, as the shop's own server would.
pub async fn buy(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let Some(product) = PRODUCTS.iter().find(|p| p.kind == form.get("product")) else {
        return (StatusCode::BAD_REQUEST, layout::bare(&view, "product")).into_response();
    };
    let mut data = Map::new();
    let mut put = |name: &str, value: Value| data.insert(name.to_owned(), value);
    put("out_trade_no", json!(forms::new_number((console.app.clock)())));
    put("total_fee", json!(product.price));
    put("subject", json!(product.words(view.lang)[0]));
    put("type", json!(product.kind));
    put("user_id", json!(demo::USER));
    put("custom", Value::Object(forms::custom_of(product.kind)));
    let way = match form.get("provider") {
        "alipay" => "alipay_h5",
        "vkspay" => "vkspay_h5",
        _ => "wxpay_h5",
    };
    if let Some(way) = ways::find(way) {
        way.fill(&mut data, None);
    }
    let did = console.call(&view, "pay/createPayment", data).await;
    if did.status >= 400 {
        return back_to(&format!("/demo?did={}", did.id));
    }
    back_to(&format!("/demo/orders/{}", segment(&did.out_trade_no)))
}

async fn find(console: &Console, no: &str) -> Option<Order> {
    console.app.store.order(no).await.ok().flatten()
}

/// The checkout: a QR code until it is paid, then the result.
pub async fn order(State(console): State<Arc<Console>>, Path(no): Path<String>, view: View) -> Response {
    let lang = view.lang;
    let Some(order) = find(&console, &no).await else {
        return (StatusCode::NOT_FOUND, layout::bare(&view, lang.t("没有这笔订单", "There is no such order")))
            .into_response();
    };
    let body = html! {
        p.crumb { a href="/demo" { "← " (lang.t("继续逛", "Back to the shop")) } }
        section.card.checkout {
            header { p.muted { (kind_name(lang, &order.kind)) } h1 { (order.description) } div.sum { (money(order.total_fee)) } }
            (state(&view, &order))
        }
        noscript { p.muted { a href=(view.path) { (lang.t("刷新支付结果", "Look again whether it is paid")) } } }
    };
    layout::page(&console, &view, lang.t("收银台", "Checkout"), &body)
}

fn state(view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let no = segment(&order.out_trade_no);
    if order.trade_state.is_paid() {
        let delivered = order.user_order_success == Some(true);
        return html! {
            div.result data-testid="result" data-out-trade-no=(order.out_trade_no) data-delivered=(delivered) {
                span.tick aria-hidden="true" {}
                h2 { (lang.t("支付成功", "Paid")) }
                p { @if delivered { (lang.t("已到账，感谢惠顾。", "It has been delivered. Thank you.")) } @else { (order.user_order_reason.as_deref().unwrap_or(lang.t("正在交付", "Being delivered"))) } }
                p { a href=(order_path(&order.out_trade_no)) { (lang.t("在控制台查看", "See it in the console")) } }
            }
        };
    }
    html! {
        div.waiting hx-get=(format!("/demo/orders/{no}/status")) hx-trigger="every 1s" hx-swap="outerHTML" {
            @if let Some(text) = &order.current().code_url { (layout::qr(text, "qrcode")) }
            p data-provider=(order.provider.name()) { (lang.t("请使用", "Scan with ")) (ways::provider_name(lang, order.provider)) (lang.t("扫一扫", "")) }
            a.button.primary href=(format!("/sandbox/cashier/{no}")) target="_blank" rel="noopener" data-testid="open-wallet" { (lang.t("打开模拟钱包", "Open the simulated wallet")) }
            p.muted { span.pulse {} (lang.t("等待支付……", "Waiting for the payment…")) }
        }
    }
}

/// Asks whether it is paid, as the shop's page does while it is looked at.
pub async fn status(State(console): State<Arc<Console>>, Path(no): Path<String>, view: View) -> Response {
    let data = Map::from_iter([("out_trade_no".to_owned(), json!(no))]);
    console.call_quietly(&view, "pay/queryPayment", data).await;
    match find(&console, &no).await {
        Some(order) if order.trade_state.is_paid() => Html(state(&view, &order).into_string()).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}
