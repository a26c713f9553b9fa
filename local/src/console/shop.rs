//! `/demo`: a small shop, as a merchant's would be. Its server names number and price of each order and signs them as
//! a quote; the page only carries them to `createPayment`, which refuses what was changed on the way.

use super::text::{Lang, money};
use super::view::{Console, View, order_path};
use super::{forms, layout, ways};
use crate::demo;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonwebtoken::{EncodingKey, Header};
use maud::{Markup, PreEscaped, html};
use serde_json::{Map, Value, json};
use shared::config::{Config, Mode};
use shared::domain::action::{Action, Payments, Queries};
use shared::domain::{Fen, Order, Provider, UnixMs};
use std::sync::Arc;
use std::time::Duration;

/// How long a quoted price holds, seconds.
const QUOTED_FOR: Duration = Duration::from_hours(2);

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

/// How many pieces there are: on the goods item, and in the shards that it is sold from.
async fn in_stock(console: &Console, goods: &str) -> Option<u64> {
    let stock = |row: &Map<String, Value>| row.get("stock").and_then(Value::as_u64);
    let item = console.store.row("goods", goods).await.ok().flatten()?;
    let mut all = stock(&item)?;
    for id in handlers::shard_ids(goods, &item) {
        let shard = console.store.row("goods", &id).await.ok().flatten();
        all += shard.filter(|row| row.contains_key("shard_of")).as_ref().and_then(stock).unwrap_or(0);
    }
    Some(all)
}

/// The shop window. `?out_trade_no=` is the order that a payer comes back from, as `return_url` has it.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    view: View,
) -> Response {
    let lang = view.lang;
    let inside = Inside::of(&headers);
    let Some(config) = console.config().await else {
        return (StatusCode::NOT_FOUND, layout::bare(&view, lang.t("没有这个页面", "There is no such page")))
            .into_response();
    };
    let offer = forms::Offer::of(&console).await;
    let providers: Vec<Provider> =
        ways::by_qr_code().filter(|provider| offer.has_provider(*provider) && inside.has(*provider)).collect();
    let user = console.store.row("uni-id-users", demo::USER).await.ok().flatten().unwrap_or_default();
    let stock = in_stock(&console, demo::GOODS).await;
    let query = query.unwrap_or_default();
    let back = match form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "out_trade_no") {
        Some((_, no)) => console.store.order(&no).await.ok().flatten(),
        None => None,
    };
    // What is not paid yet is asked about by the button of its product.
    let (paid, open) = match back {
        Some(order) if order.trade_state.is_paid() => (Some(order), None),
        other => (None, other.map(|order| order.kind)),
    };
    let counter =
        Counter { console: &console, config: &config, lang, providers: &providers, inside, open: open.as_deref() };
    let number = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_u64);
    let body = html! {
        header.hero {
            h1 { (lang.t("演示商店", "Demo shop")) }
            p { (lang.t("三件商品，对应三种订单类型。每个按钮都是一个 <vk-pay-button>，直接调用真实的函数，支付在模拟钱包里完成。", "Three products, one for each type of order. Each button is a <vk-pay-button> that calls the real functions; paying happens in the simulated wallet.")) }
            dl.facts #facts {
                div { dt { (lang.t("顾客", "Customer")) } dd { code { (demo::USER) } } }
                div { dt { (lang.t("余额", "Balance")) } dd data-testid="balance" data-fen=[number(&user, "balance")] { (money(Fen(number(&user, "balance").unwrap_or_default()))) } }
                div { dt { (lang.t("会员", "Member")) } dd { @if user.get("is_vip").is_some_and(|v| v == true) { (user.get("vip_type").and_then(Value::as_str).unwrap_or("-")) } @else { "—" } } }
                div { dt { (lang.t("库存", "Stock")) } dd { (stock.map_or("—".to_owned(), |n| n.to_string())) } }
            }
        }
        div #outcome role="status" {
            @if let Some(order) = &paid { (result(lang, order)) }
        }
        p.verdict #said role="status" data-tone="wait" hidden
            data-cancel=(lang.t("你取消了支付。订单仍然有效，可以继续支付。", "You cancelled. Your order is still open, and you can still pay for it."))
            data-pending=(lang.t("暂未收到支付结果。如已付款，请勿重复支付，到账后会自动处理。", "Payment not confirmed yet. If you have paid, do not pay again: your order will be delivered automatically."))
            data-ended=(lang.t("该订单已失效，请重新购买。", "That order is no longer valid. Please buy again.")) {}
        div.products {
            @for product in &PRODUCTS {
                @let [title, says] = product.words(lang);
                article.card.product data-kind=(product.kind) {
                    div.art aria-hidden="true" { (PreEscaped(product.art)) }
                    h2 { (title) }
                    p.muted { (says) }
                    (money(product.price))
                    @if providers.is_empty() { p.muted { (lang.t("没有配置能在网页上支付的渠道。", "No provider is configured that can be paid on a page.")) } }
                    @else if open_to_pages(&config) { (counter.of(product)) }
                    @else { p.muted { (lang.t("你的配置不允许网页匿名下单（auth.createPayment、auth.queryPayment）。", "Your configuration does not let pages create orders anonymously (auth.createPayment, auth.queryPayment).")) } }
                }
            }
        }
        @if !providers.is_empty() && open_to_pages(&config) {
            section.cashier {
                h2 { (lang.t("收银台", "Cashier")) }
                p.muted { (lang.t("<vk-cashier>：服务器告诉这个客户端可以用哪些钱包（pay/methods），同一个订单可以换一种方式支付。", "<vk-cashier>: the server says by which wallets this client can pay (pay/methods); one order can be paid another way.")) }
                (counter.cashier(&PRODUCTS[1]))
            }
        }
        noscript { p.muted { (lang.t("这个页面需要脚本；控制台不需要。", "This page needs scripts; the console does not.")) } }
        script type="module" src="/assets/vk-pay-button.js" {}
        script type="module" src="/assets/vk-cashier.js" {}
        script type="module" src="/assets/shop.js" {}
    };
    layout::page(&console, &view, lang.t("演示商店", "Demo shop"), &body).await
}

/// The wallet that the browser says it is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Neither,
    WeChat,
    Alipay,
}

impl Inside {
    fn of(headers: &HeaderMap) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        match agent.to_ascii_lowercase() {
            agent if agent.contains("micromessenger") => Self::WeChat,
            agent if agent.contains("alipayclient") => Self::Alipay,
            _ => Self::Neither,
        }
    }

    /// Whether a payer in there can pay by it: a wallet opens no other one.
    fn has(self, provider: Provider) -> bool {
        match self {
            Self::Neither => true,
            Self::WeChat => provider == Provider::Wxpay,
            Self::Alipay => provider == Provider::Alipay,
        }
    }

    /// The payer there, as a merchant's server has got it by the wallet's login.
    fn payer(self) -> Option<&'static str> {
        match self {
            Self::Neither => None,
            Self::WeChat => ways::payer("wxpay_h5-weixin"),
            Self::Alipay => ways::payer("alipay_mp-alipay"),
        }
    }
}

/// What the buttons of the shop are made of.
struct Counter<'a> {
    console: &'a Console,
    config: &'a Config,
    lang: Lang,
    providers: &'a [Provider],
    inside: Inside,
    /// The type of the order that a payer comes back from unpaid.
    open: Option<&'a str>,
}

impl Counter<'_> {
    /// The simulated wallet, which stands in for every place that a payer is sent to.
    fn wallet(&self) -> Option<&'static str> {
        self.console.sandbox().map(|_| "/sandbox/cashier/{out_trade_no}?from=shop")
    }

    fn order(&self, product: &Product) -> String {
        order_of(self.config, self.lang, product, self.console.now(), self.inside)
    }

    /// The choice of a provider and the button.
    fn of(&self, product: &Product) -> Markup {
        let lang = self.lang;
        let first = self.providers.first().copied().unwrap_or(Provider::Wxpay);
        html! {
            fieldset.choice {
                legend.sr { (lang.t("支付渠道", "Provider")) }
                @for provider in self.providers.iter().copied() {
                    label { input type="radio" autocomplete="off" name=(product.kind) value=(provider.name()) checked[provider == first]; span data-provider=(provider.name()) { (ways::provider_name(lang, provider)) } }
                }
            }
            vk-pay-button base-url="" provider=(first.name()) order=(self.order(product)) wallet-url=[self.wallet()]
                resume[self.open == Some(product.kind)] await-notify data-testid=(format!("buy-{}", product.kind)) { (lang.t("立即购买", "Buy now")) }
        }
    }

    /// The same order at a cashier.
    fn cashier(&self, product: &Product) -> Markup {
        html! {
            vk-cashier base-url="" order=(self.order(product)) wallet-url=[self.wallet()] await-notify data-testid="cashier" {}
        }
    }
}

/// Whether the configuration lets a page without a credential pay.
fn open_to_pages(config: &Config) -> bool {
    [Action::Payments(Payments::Create), Action::Queries(Queries::Payment)]
        .into_iter()
        .all(|action| config.auth.modes(action).contains(&Mode::None))
}

/// A new order: what `createPayment` is sent, with the shop's signature where there is a secret for it.
fn order_of(config: &Config, lang: Lang, product: &Product, now: UnixMs, inside: Inside) -> String {
    let mut order = json!({
        "out_trade_no": forms::new_number(now),
        "total_fee": product.price,
        "type": product.kind,
        "custom": forms::custom_of(product.kind),
    });
    let quote = config.auth.quote.as_ref().and_then(|secret| {
        let mut claims = order.clone();
        claims["exp"] = json!((now + QUOTED_FOR).secs());
        jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.expose().as_bytes())).ok()
    });
    if let Some(quote) = quote {
        order["quote"] = json!(quote);
    }
    order["subject"] = json!(product.words(lang)[0]);
    order["user_id"] = json!(demo::USER);
    if let Some(payer) = inside.payer() {
        order["openid"] = json!(payer);
    }
    order.to_string()
}

/// What the shop says of a paid order.
fn result(lang: Lang, order: &Order) -> Markup {
    let delivered = order.user_order_success == Some(true);
    html! {
        div.card.result data-testid="result" data-out-trade-no=(order.out_trade_no) data-delivered=(delivered) {
            span.tick aria-hidden="true" {}
            h2 { (lang.t("支付成功", "Paid")) }
            p { (order.description) " · " (money(order.total_fee)) }
            p.muted { @if delivered { (lang.t("已到账，感谢惠顾。", "It has been delivered. Thank you.")) } @else { (order.user_order_reason.as_deref().unwrap_or(lang.t("正在交付", "Being delivered"))) } }
            p { a href=(order_path(&order.out_trade_no)) { (lang.t("在控制台查看", "See it in the console")) } }
        }
    }
}
