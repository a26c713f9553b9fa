//! `/sandbox/cashier/{out_trade_no}`: the payer's wallet, as far as a sandbox needs one.

use super::text::{money, parsed};
use super::view::{Console, Posted, View, back_to, order_path, segment};
use super::ways::Proof;
use super::{layout, lookup, ways};
use crate::journal::Exchange;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use sandbox::{Pay, Sandbox};
use serde_json::{Map, Value, json};
use shared::domain::{Order, Status};
use std::sync::Arc;

/// Whether a payer came from the demo shop, and goes back there.
fn from_shop(query: Option<&str>) -> bool {
    form_urlencoded::parse(query.unwrap_or_default().as_bytes()).any(|(name, value)| name == "from" && value == "shop")
}

/// The payment sheet.
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    RawQuery(query): RawQuery,
    view: View,
) -> Response {
    let lang = view.lang;
    let shop = from_shop(query.as_deref());
    let (Some(_), Ok(Some(order))) = (console.sandbox(), console.store.order(&no).await) else {
        return (StatusCode::NOT_FOUND, layout::bare(&view, lang.t("没有这笔订单", "There is no such order")))
            .into_response();
    };
    let trade = lookup::simulated(&console, &order);
    let paid = trade.as_ref().is_some_and(|trade| trade.paid.is_some());
    let begins = ways::at_sandbox(order.current().provider).begins_at_client();
    let parameters = lookup::parameters(&console, &order, order.current().n).await;
    let gone = trade.is_none() && lookup::carried(&order, parameters.as_ref()).is_none() && !begins;
    let provider = order.current().provider;
    let problem = view.did.and_then(|id| console.journal.find(id)).filter(|did| did.status >= 400);
    let body = html! {
        main.wallet data-provider=(provider.name()) {
            h1.sr { (lang.t("模拟钱包", "Simulated wallet")) }
            header { b { (ways::provider_name(lang, provider)) } span { (lang.t("模拟钱包", "simulated")) } (layout::language(&view)) }
            div.sheet {
                p.payee { (lang.t("付款给", "Pay to")) " " b { (lang.t("VK Pay 演示商户", "VK Pay demo merchant")) } }
                p.sum data-testid="wallet-amount" { (money(order.total_fee)) }
                p.subject { (order.description) br; code { (order.current().number) } }
                @if let Some(problem) = &problem {
                    p.verdict data-tone="bad" data-testid="wallet-error" { (problem.response.get("msg").and_then(|m| m.as_str()).unwrap_or("?")) }
                }
                (sheet(&console, &view, &order, paid, gone, shop))
            }
            @if shop {
                p.back { a.button href=(format!("/demo?return=1&out_trade_no={}", segment(&no))) data-testid="back-to-shop" { (lang.t("返回商店", "Back to the shop")) } }
            }
            footer { a href=(order_path(&no)) data-testid="back-to-order" { (lang.t("在控制台查看订单", "See the order in the console")) } }
        }
    };
    layout::alone(&view, lang.t("模拟钱包", "Simulated wallet"), "phone", &body)
}

fn sheet(console: &Console, view: &View, order: &Order, paid: bool, gone: bool, shop: bool) -> Markup {
    let lang = view.lang;
    let from = if shop { "?from=shop" } else { "" };
    let action = format!("/sandbox/cashier/{}{from}", segment(&order.out_trade_no));
    let other = [
        ("lost", lang.t("支付，但丢失回调", "Pay, but lose the callback")),
        ("wrong", lang.t("少付 1 分", "Pay one fen less")),
        ("duplicate", lang.t("支付，回调重复 3 次", "Pay, and send the callback three times")),
    ];
    html! {
        @if paid {
            div.paid data-testid="wallet-paid" { span.tick aria-hidden="true" {} b { (lang.t("支付成功", "Paid")) } p.muted { (lang.t("可以回到商户页面了", "You can go back to the merchant now")) } }
        } @else if gone {
            p.verdict data-tone="wait" data-testid="gone" { (lookup::why_gone(console, lang, order.current())) " " (lang.t("请在控制台换一种方式支付或关闭订单。", "Pay another way in the console, or close the order.")) }
        } @else if order.trade_state == Status::NotPay {
            form method="post" action=(action) {
                (layout::token(console))
                button.pay type="submit" name="how" value="pay" data-testid="wallet-pay" { (lang.t("立即支付", "Pay now")) }
                details.more {
                    summary { (lang.t("其他结局", "Other endings")) }
                    @for (how, name) in other {
                        button type="submit" name="how" value=(how) data-testid=(format!("wallet-{how}")) { (name) }
                    }
                }
            }
        } @else {
            p.muted { (lang.t("这笔订单已关闭。", "This order is closed.")) }
            form method="post" action=(action) {
                (layout::token(console))
                button type="submit" name="how" value="late" data-testid="wallet-late" { (lang.t("仍然支付（迟到的付款）", "Pay anyway (a late payment)")) }
            }
        }
    }
}

/// Pays.
pub(super) async fn pay(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    RawQuery(query): RawQuery,
    view: View,
    Posted(form): Posted,
) -> Response {
    let from = if from_shop(query.as_deref()) { "?from=shop" } else { "" };
    let here = format!("/sandbox/cashier/{}{from}", segment(&no));
    let (Some(sandbox), Ok(Some(order))) = (console.sandbox(), console.store.order(&no).await) else {
        return back_to(&here);
    };
    match settle(sandbox, &console, &view, &order, form.get("how")).await {
        Ok(()) => back_to(&here),
        Err(what) => {
            let id = console.journal.exchange(Exchange {
                at: console.now(),
                out_trade_no: no,
                title: view.lang.t("模拟钱包", "Simulated wallet").to_owned(),
                path: here.clone(),
                request: json!({ "how": form.get("how") }),
                status: 422,
                response: json!({ "msg": what }),
                ..Exchange::default()
            });
            let and = if from.is_empty() { '?' } else { '&' };
            back_to(&format!("{here}{and}did={id}"))
        }
    }
}

async fn settle(sandbox: &Sandbox, console: &Console, view: &View, order: &Order, how: &str) -> Result<(), String> {
    let attempt = order.current();
    let parameters = lookup::parameters(console, order, attempt.n).await;
    if lookup::simulated(console, order).is_none()
        && let Some(text) = lookup::carried(order, parameters.as_ref())
    {
        sandbox.open_order_string(&text)?;
    }
    let provider = ways::at_sandbox(attempt.provider);
    let mut wish = Pay { provider: Some(provider), ..Pay::default() };
    match how {
        "lost" => wish.notify = false,
        "wrong" => wish.amount = Some(order.total_fee.0.saturating_sub(1).max(1)),
        "duplicate" => {
            use sandbox::{Fault, Misbehaviour, Op};
            let mut fault = Fault::once(Op::Notify, Misbehaviour::Duplicate(2)).of(provider);
            fault.on.number = Some(attempt.numbers.last().unwrap_or(&attempt.number).clone());
            sandbox.misbehave(fault);
        }
        "late" => wish.force = true,
        _ => {}
    }
    if !provider.begins_at_client() {
        return sandbox.pay(&attempt.number, wish).await.map(|_| ());
    }
    if how == "late" {
        let number = attempt.numbers.last().unwrap_or(&attempt.number);
        if sandbox.trade_at(provider, number).is_some() {
            return sandbox.pay(number, wish).await.map(|_| ());
        }
    }
    wish.merchant = Some(order.merchant.clone());
    let info = parsed(parameters.as_ref().map_or("", |own| &own.order_info));
    let paid = sandbox.client_pay(provider, &info, wish).await?;
    if let Some(proof) = &ways::face(attempt.provider).proof {
        bring_proof(console, view, order, proof, &paid.result).await;
    }
    Ok(())
}

/// What the app does after a purchase: it brings its proof to the server, whatever became of the notification.
pub(super) async fn bring_proof(console: &Console, view: &View, order: &Order, proof: &Proof, result: &Value) {
    let mut data = Map::from_iter([("out_trade_no".to_owned(), json!(order.out_trade_no))]);
    data.extend(proof.fields.iter().map(|(name, of_result)| ((*name).to_owned(), result[*of_result].clone())));
    console.call(view, proof.action, data).await;
}
