//! `/shipping`: orders of mini programs whose money waits until their shipping is reported; and on an order's page how it
//! stands, with the form that reports it, or corrects it once (`docs/shipping.md`).

use super::forms::choice;
use super::layout::{self, Part};
use super::lookup;
use super::text::{Lang, kind_name, moment, money, stamp};
use super::view::{Console, Posted, View, back_to, order_path};
use crate::guard::Form;
use crate::journal::Exchange;
use crate::plain;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Logistics, Order, Shipping, ShippingMode, ShippingState, UnixMs};
use shared::store::{StoreError, Unshipped};
use std::sync::Arc;

/// How many are shown.
const SHOWN: usize = 200;

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let part = match part(&console, &view).await {
        Ok(part) => part,
        Err(error) => return layout::unreadable(&view, &error),
    };
    let body = html! {
        header.hero {
            h1 { (lang.t("发货", "Shipping")) }
            p { (lang.t("小程序内的微信支付在录入发货信息之前不会结算。期限最近的在前。", "WeChat does not settle payments made in a mini program until shipping is reported. Earliest deadline first.")) }
        }
        (layout::refreshing("/shipping/live"))
        (part.render(lang))
    };
    layout::page(&console, &view, lang.t("发货", "Shipping"), &body).await
}

/// What has changed on the page.
pub(super) async fn live(State(console): State<Arc<Console>>, view: View) -> Response {
    match part(&console, &view).await {
        Ok(part) => layout::news(&view, &[part]),
        Err(error) => layout::unreadable(&view, &error),
    }
}

async fn part(console: &Console, view: &View) -> Result<Part<'static>, StoreError> {
    let lang = view.lang;
    let Unshipped { orders, whole } = console.store.unshipped().await?;
    let shown = &orders[..orders.len().min(SHOWN)];
    let caption = lang.t("待录入发货信息的订单", "Orders whose shipping is not reported");
    let inner = html! {
        @if !whole || orders.len() > SHOWN { p.muted { (lang.t("还有更多，未全部列出。", "There are more than these.")) } }
        @if shown.is_empty() {
            div.empty {
                p { (lang.t("没有待录入的订单。", "No orders are waiting.")) }
                p.muted { (lang.t("这里只有配置了 shipping 的订单。", "Only orders with `shipping` in the configuration are listed.")) }
            }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.list {
                    caption.sr { (caption) }
                    thead { tr {
                        th scope="col" { (lang.t("订单", "Order")) }
                        th scope="col" { (lang.t("期限", "Before")) }
                        th.minor scope="col" { (lang.t("商户", "Merchant")) }
                        th.minor scope="col" { (lang.t("由谁录入", "Reported")) }
                        th.number scope="col" { (lang.t("金额", "Amount")) }
                        th scope="col" { (lang.t("状态", "State")) }
                    } }
                    tbody { @for order in shown { @if let Some(shipping) = &order.shipping { (row(lang, order, shipping, console.now())) } } }
                }
            }
        }
    };
    Ok(Part { name: "shipping", class: "card", inner })
}

fn row(lang: Lang, order: &Order, shipping: &Shipping, now: UnixMs) -> Markup {
    html! {
        tr data-testid="unshipped" data-order=(order.out_trade_no) data-state=(shipping.state.name()) data-late=(now > shipping.deadline) {
            th scope="row" {
                a href=(format!("{}#part-shipping", order_path(&order.out_trade_no))) { (plain::clean(&order.description)) }
                code { (order.out_trade_no) }
            }
            td { (deadline(lang, shipping.deadline, now)) }
            td.minor { (order.merchant) span.kind { (kind_name(lang, &order.kind)) } }
            td.minor { (mode(lang, shipping.mode)) }
            td.number { (money(order.total_fee)) }
            td { (badge(lang, shipping.state)) }
        }
    }
}

/// When the platform's time is over, and how much of it is left.
fn deadline(lang: Lang, deadline: UnixMs, now: UnixMs) -> Markup {
    let minutes = deadline.since(now).as_secs() / 60;
    html! {
        time title=(stamp(deadline)) { (moment(deadline)) }
        @if now > deadline {
            small.late { (lang.t("已超时", "over")) }
        } @else {
            small { (lang.t("还有 ", "")) (minutes / 60) (lang.t(" 小时 ", " h ")) (minutes % 60) (lang.t(" 分", " min left")) }
        }
    }
}

fn badge(lang: Lang, state: ShippingState) -> Markup {
    let (tone, zh, en) = match state {
        ShippingState::Due => ("wait", "未录入", "Not reported"),
        ShippingState::Part => ("part", "部分录入", "A part reported"),
        ShippingState::Reported => ("good", "已录入", "Reported"),
        ShippingState::Corrected => ("good", "已更正", "Corrected"),
        ShippingState::Received => ("good", "已收货", "Received"),
        ShippingState::Settled => ("good", "已结算", "Settled"),
        ShippingState::Refunded => ("past", "已退款", "Refunded"),
    };
    html! { span.badge data-tone=(tone) data-state=(state.name()) { (lang.t(zh, en)) } }
}

const fn mode(lang: Lang, mode: ShippingMode) -> &'static str {
    match mode {
        ShippingMode::Virtual => lang.t("自动（虚拟）", "automatic (virtual)"),
        ShippingMode::PickUp => lang.t("自动（自提）", "automatic (pick-up)"),
        ShippingMode::Manual => lang.t("手工", "by you"),
    }
}

const fn carried(lang: Lang, logistics: Logistics) -> &'static str {
    match logistics {
        Logistics::Express => lang.t("快递", "Express"),
        Logistics::SameCity => lang.t("同城配送", "Within the city"),
        Logistics::Virtual => lang.t("虚拟，无需物流", "Virtual goods"),
        Logistics::PickUp => lang.t("用户自提", "Pick-up by the payer"),
    }
}

const ALL: [Logistics; 4] = [Logistics::Express, Logistics::SameCity, Logistics::Virtual, Logistics::PickUp];

/// How an order's shipping stands, and the forms; nothing where nothing is to be reported of it.
pub(super) fn of_order(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    let Some(shipping) = &order.shipping else { return html! {} };
    let no = &order.out_trade_no;
    let query = format!("{}/shipping/query", order_path(no));
    html! {
        header.card-head { h2 { (lang.t("发货", "Shipping")) } (badge(lang, shipping.state)) }
        dl.facts {
            div { dt { (lang.t("由谁录入", "Reported")) } dd { (mode(lang, shipping.mode)) } }
            @if shipping.state.is_due() { div data-testid="deadline" { dt { (lang.t("期限", "Before")) } dd { (deadline(lang, shipping.deadline, console.now())) } } }
            @if let Some(logistics) = shipping.logistics_type { div { dt { (lang.t("物流", "Carried")) } dd { (carried(lang, logistics)) } } }
            @if let Some(at) = shipping.reported_at { div { dt { (lang.t("录入于", "Reported at")) } dd { (moment(at)) } } }
            @if let Some(at) = shipping.reminded_at { div { dt { (lang.t("已提醒收货", "Payer asked at")) } dd { (moment(at)) } } }
        }
        @match shipping.state {
            ShippingState::Due | ShippingState::Part => { (form(console, view, order, shipping)) }
            ShippingState::Reported => {
                details.more open[typed(console, view, no).is_some()] {
                    summary { (lang.t("更正（只有一次）", "Correct it, once")) }
                    (form(console, view, order, shipping))
                }
            }
            ShippingState::Corrected | ShippingState::Received | ShippingState::Settled | ShippingState::Refunded => {}
        }
        div.actions {
            form method="post" action=(query) { (layout::token(console)) button type="submit" data-testid="query-shipping" { (lang.t("向微信查询", "Ask WeChat")) } }
        }
    }
}

fn form(console: &Console, view: &View, order: &Order, shipping: &Shipping) -> Markup {
    let lang = view.lang;
    let was = typed(console, view, &order.out_trade_no).unwrap_or_default();
    let parcel = was.get("shipping_list").and_then(|list| list.get(0)).cloned().unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let usual = shipping.logistics_type.or(shipping.mode.logistics()).unwrap_or(Logistics::Express);
    let chosen = was.get("logistics_type").and_then(Value::as_u64).unwrap_or_else(|| u64::from(u8::from(usual)));
    let ways = ALL.map(|own| (u8::from(own).to_string(), carried(lang, own).to_owned()));
    let corrects = !shipping.state.is_due();
    html! {
        form.shipping method="post" action=(format!("{}/shipping", order_path(&order.out_trade_no))) data-testid="shipping-form" {
            (layout::token(console))
            (choice("logistics_type", lang.t("物流", "How it is carried"), &chosen.to_string(), &ways))
            div.row {
                label { span { (lang.t("快递公司编码", "Carrier's code")) } input name="express_company" value=(text(parcel.get("express_company"))) maxlength="128" placeholder="SF" autocomplete="off" spellcheck="false"; }
                label { span { (lang.t("运单号", "Tracking number")) } input name="tracking_no" value=(text(parcel.get("tracking_no"))) maxlength="128" autocomplete="off" spellcheck="false"; }
            }
            label { span { (lang.t("收件人电话（掩码，顺丰必填）", "Receiver's telephone, masked (SF wants it)")) } input name="receiver_contact" value=(text(parcel.get("contact").and_then(|own| own.get("receiver_contact")))) placeholder="189****1234" autocomplete="off"; }
            label { span { (lang.t("商品信息", "What is in it")) } input name="item_desc" value=(text(parcel.get("item_desc"))) maxlength="120" placeholder=(plain::clean(&order.description)) autocomplete="off"; }
            @if corrects {
                label.sure { input type="checkbox" name="corrects" value="yes" required; span { (lang.t("我要用掉唯一的一次更正", "Use the only correction")) } }
            }
            button.primary type="submit" data-testid="report-shipping" { @if corrects { (lang.t("更正发货信息", "Correct it")) } @else { (lang.t("录入发货信息", "Report the shipping")) } }
        }
        p.muted { (lang.t("快递需要编码与运单号。多件分批发货用接口 pay/uploadShipping。", "Express needs code and number. Several parcels: by the action pay/uploadShipping.")) }
    }
}

/// What was typed for a report that was refused just now.
fn typed(console: &Console, view: &View, no: &str) -> Option<Map<String, Value>> {
    let did = view.did.and_then(|did| console.journal.find(did))?;
    let own = did.status >= 400 && did.out_trade_no == no && did.title == REPORT;
    did.request.get("data").and_then(Value::as_object).filter(|_| own).cloned()
}

/// The action's name, under which the journal has it.
const REPORT: &str = "pay/uploadShipping";

/// The fields of `pay/uploadShipping` that a form names.
fn data(no: &str, form: &Form) -> Map<String, Value> {
    let mut data = Map::from_iter([("out_trade_no".to_owned(), json!(no))]);
    if let Some(logistics) = form.filled("logistics_type").and_then(|text| text.parse::<u8>().ok()) {
        data.insert("logistics_type".to_owned(), json!(logistics));
    }
    let mut parcel = Map::new();
    for name in ["tracking_no", "express_company", "item_desc"] {
        parcel.extend(form.filled(name).map(|text| (name.to_owned(), json!(text))));
    }
    if let Some(phone) = form.filled("receiver_contact") {
        parcel.insert("contact".to_owned(), json!({ "receiver_contact": phone }));
    }
    if !parcel.is_empty() {
        data.insert("shipping_list".to_owned(), json!([parcel]));
    }
    data
}

/// Reports, or corrects once, through the function. A correction that nobody meant is not sent.
pub(super) async fn report(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let Ok(Some(order)) = console.store.order(&no).await else { return lookup::missing(&view) };
    let reported = order.shipping.as_ref().is_some_and(|shipping| !shipping.state.is_due());
    let data = data(&no, &form);
    if reported && form.get("corrects") != "yes" {
        let what = view.lang.t(
            "已经录入过：再次提交会用掉唯一的一次更正，请勾选确认",
            "it is reported already: another report spends the one correction; say so by the check box",
        );
        let id = console.journal.exchange(Exchange {
            at: console.now(),
            out_trade_no: no.clone(),
            title: REPORT.to_owned(),
            path: lookup::UNSENT.to_owned(),
            request: json!({ "data": data }),
            status: 409,
            response: json!({ "msg": what }),
            ..Exchange::default()
        });
        return back_to(&format!("{}?did={id}", order_path(&no)));
    }
    lookup::done(&console, &view, &no, Refunds::UploadShipping, data).await
}

/// Asks how it stands.
pub(super) async fn query(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    _: Posted,
) -> Response {
    let data = Map::from_iter([("out_trade_no".to_owned(), json!(no))]);
    lookup::done(&console, &view, &no, Refunds::QueryShipping, data).await
}
