//! A refund by hand: asked for, shown with its amount, its order and what is left, and made when that is confirmed.
//!
//! What is shown is kept here under a token that counts once, so that neither a page that is loaded again nor a second
//! click makes another refund, and what is made is what was shown. Works without script.

use super::text::{badge, money};
use super::view::{Console, Posted, View, back_to, order_path, segment};
use super::wishes::Wish;
use super::{layout, lookup, ways};
use crate::guard::Form;
use crate::journal::Exchange;
use crate::plain;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Fen, Order};
use std::sync::Arc;

/// The form on the order's page: an amount, or all that is left, each by a button of its own.
pub(super) fn form(console: &Console, view: &View, order: &Order, typed: Option<&Form>) -> Markup {
    let lang = view.lang;
    let was = |name: &str| typed.map(|form| form.get(name)).unwrap_or_default();
    if !order.trade_state.is_paid() {
        return html! {};
    }
    html! {
        header.card-head { h2 { (lang.t("发起退款", "Refund")) } }
        @if order.refundable == Fen::ZERO {
            p.muted { (lang.t("没有可退的金额。", "Nothing is left to refund.")) }
        } @else {
            form.refunding method="post" action=(format!("{}/refund", order_path(&order.out_trade_no))) data-testid="refund-form" {
                (layout::token(console))
                div.inline {
                    input name="amount" value=(was("amount")) inputmode="decimal" placeholder=(lang.t("金额（元）", "Yuan")) autocomplete="off" aria-label=(lang.t("退款金额（元）", "Amount in yuan"));
                    input name="refund_desc" value=(was("refund_desc")) maxlength="80" placeholder=(lang.t("原因", "Reason")) autocomplete="off" aria-label=(lang.t("原因", "Reason"));
                    button type="submit" name="scope" value="part" data-testid="refund" { (lang.t("退这一金额…", "Refund this amount…")) }
                }
                button type="submit" name="scope" value="all" data-testid="refund-all" { (lang.t("退全部剩余 ", "Refund all that is left, ")) (money(order.refundable)) "…" }
            }
            p.muted { (lang.t("下一页会列出金额与订单，确认后才退款。", "The next page names amount and order; nothing is refunded before it is confirmed there.")) }
        }
    }
}

/// What the form asks for, in fen; or the status and the sentence of what is wrong with it.
fn wanted(view: &View, form: &Form, order: &Order) -> Result<Fen, (u16, String)> {
    let bad = |zh: &str, en: &str| (400, view.lang.t(zh, en).to_owned());
    let left = order.refundable;
    let amount = match (form.get("scope"), form.filled("amount")) {
        ("all", None) => left,
        ("all", Some(_)) => {
            return Err(bad(
                "既填了金额又选了全部剩余，请只用其一",
                "an amount is filled in and all that is left was chosen: use one",
            ));
        }
        (_, None) => return Err(bad("请填写退款金额", "fill in an amount")),
        (_, Some(text)) => Fen::from_yuan(text).ok_or_else(|| {
            bad("金额须以元填写，最多两位小数", "the amount must be in yuan with at most two decimals")
        })?,
    };
    match amount {
        amount if amount > left => {
            let (amount, left) = (amount.to_yuan(), left.to_yuan());
            let zh = format!("¥{amount} 超过可退的 ¥{left}");
            Err((409, view.lang.t(&zh, &format!("¥{amount} is more than the ¥{left} that is left")).to_owned()))
        }
        Fen::ZERO => Err(bad("退款金额必须大于 0", "the amount must be above 0")),
        amount => Ok(amount),
    }
}

/// Back to the order, with a sentence about what was not done.
fn not_done(console: &Console, view: &View, no: &str, status: u16, what: &str) -> Response {
    let id = console.journal.exchange(Exchange {
        at: console.now(),
        out_trade_no: no.to_owned(),
        title: view.lang.t("没有退款", "Nothing was refunded").to_owned(),
        path: lookup::UNSENT.to_owned(),
        request: Value::Null,
        status,
        response: json!({ "msg": what }),
        ..Exchange::default()
    });
    back_to(&format!("{}?did={id}", order_path(no)))
}

fn confirmation_path(no: &str, token: &str) -> String {
    format!("{}/refund/{}", order_path(no), segment(token))
}

/// Keeps what was asked for, and answers where it is confirmed.
///
/// # Errors
/// The status and the sentence of what is wrong with it.
pub(super) fn asked(console: &Console, view: &View, form: &Form, order: &Order) -> Result<String, (u16, String)> {
    let amount = wanted(view, form, order)?;
    let no = &order.out_trade_no;
    let wish = Wish {
        out_trade_no: no.clone(),
        amount,
        left: order.refundable,
        reason: form.filled("refund_desc").map(str::to_owned),
        out_refund_no: format!("C{}", hex::encode(shared::crypto::random::<12>())),
    };
    let token = console.wishes.keep(wish);
    Ok(confirmation_path(no, &token))
}

/// What would be refunded.
pub(super) async fn confirmation(
    State(console): State<Arc<Console>>,
    Path((no, token)): Path<(String, String)>,
    view: View,
) -> Response {
    let lang = view.lang;
    let Some(wish) = console.wishes.look(&token).filter(|wish| wish.out_trade_no == no) else {
        let what = lang
            .t("这次确认已经用过，或属于更早的启动", "this confirmation has been used, or is from before a restart");
        return (StatusCode::GONE, layout::bare(&view, what)).into_response();
    };
    let Ok(Some(order)) = console.store.order(&no).await else { return lookup::missing(&view) };
    let after = wish.left.minus(wish.amount).unwrap_or(Fen::ZERO);
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    let body = html! {
        section.card.confirm data-testid="confirm-refund" data-fen=(wish.amount) data-order=(no) data-left=(wish.left) {
            header.card-head { h1 { (lang.t("确认退款", "Confirm the refund")) } (badge(lang, order.trade_state, false)) }
            div.sum { (money(wish.amount)) }
            @if after == Fen::ZERO {
                p.verdict data-tone="bad" { (lang.t("这是全部剩余金额，退款后这笔订单不再有款。", "This is all that is left of the order.")) }
            }
            @if console.rights.real_money {
                p.verdict data-tone="bad" { (lang.t("使用你自己的配置：确认后会退出真实的钱，不能撤回。", "Your own configuration is in use: real money goes out, and this cannot be undone.")) }
            }
            dl.facts {
                div.wide { dt { (lang.t("订单", "Order")) } dd { (no) } }
                div { dt { (lang.t("商品", "Subject")) } dd { (plain::clean(&order.description)) } }
                div { dt { (lang.t("支付方式", "Payment method")) } dd { (ways::name(lang, &attempt.pay_type)) " · " (order.merchant) } }
                @if let Some(user) = &order.user_id { div { dt { (lang.t("用户", "User")) } dd { (user) } } }
                div { dt { (lang.t("订单金额", "Paid")) } dd { (money(order.total_fee)) } }
                div { dt { (lang.t("已退与在途", "Refunded and under way")) } dd { (money(Fen(order.refund_fee.0.saturating_add(order.refund_reserved.0)))) } }
                div { dt { (lang.t("现在可退", "Refundable now")) } dd { (money(wish.left)) } }
                div { dt { (lang.t("退后剩余", "Left after this refund")) } dd { (money(after)) } }
                @if let Some(reason) = &wish.reason { div.wide { dt { (lang.t("原因", "Reason")) } dd { (reason) } } }
                div.wide { dt { (lang.t("退款单号", "The refund's number")) } dd { code { (wish.out_refund_no) } } }
            }
            div.actions {
                form method="post" action=(confirmation_path(&no, &token)) {
                    (layout::token(&console))
                    button.danger type="submit" data-testid="confirm" { (lang.t("确认退款 ", "Refund ")) (money(wish.amount)) }
                }
                a.button href=(order_path(&no)) data-testid="cancel" { (lang.t("返回，不退款", "Go back, refund nothing")) }
            }
        }
    };
    layout::page(&console, &view, lang.t("确认退款", "Confirm the refund"), &body).await
}

/// Refunds what was shown, once. When something else was refunded since, it is shown anew.
pub(super) async fn make(
    State(console): State<Arc<Console>>,
    Path((no, token)): Path<(String, String)>,
    view: View,
    _: Posted,
) -> Response {
    let lang = view.lang;
    let Some(wish) = console.wishes.look(&token).filter(|wish| wish.out_trade_no == no) else {
        let what = lang
            .t("这次确认已经用过，或属于更早的启动", "this confirmation has been used, or is from before a restart");
        return not_done(&console, &view, &no, 409, what);
    };
    let Ok(Some(order)) = console.store.order(&no).await else { return lookup::missing(&view) };
    let Some(_) = console.wishes.take(&token) else {
        return not_done(&console, &view, &no, 409, lang.t("这次确认已经用过", "this confirmation has been used"));
    };
    if order.refundable != wish.left && wish.amount <= order.refundable {
        let token = console.wishes.keep(Wish { left: order.refundable, ..wish });
        return back_to(&confirmation_path(&no, &token));
    }
    let mut data = Map::new();
    data.insert("out_trade_no".to_owned(), json!(no));
    data.insert("out_refund_no".to_owned(), json!(wish.out_refund_no));
    data.insert("refund_fee".to_owned(), json!(wish.amount));
    if let Some(reason) = wish.reason {
        data.insert("refund_desc".to_owned(), json!(reason));
    }
    lookup::done(&console, &view, &no, Refunds::Refund, data).await
}
