//! The callback toolbox: genuine, repeated, late and forged callbacks, and how each was answered.

use super::text::{Lang, json};
use super::view::{Console, Posted, View, back_to, order_path};
use super::{layout, lookup};
use crate::journal::Exchange;
use axum::extract::{Path, State};
use axum::response::Response;
use maud::{Markup, html};
use sandbox::{CallbackKind, Forgery};
use serde_json::{Value, json};
use shared::domain::Order;
use std::sync::Arc;

/// What can be sent: name, title, explanation, and how it is spoilt.
struct Kind {
    name: &'static str,
    zh: &'static str,
    en: &'static str,
    forgery: Option<Forgery>,
    times: usize,
}

const KINDS: [Kind; 8] = [
    Kind { name: "again", zh: "再发一次", en: "Send again", forgery: None, times: 1 },
    Kind { name: "duplicate", zh: "同时重复 5 次", en: "Five at once", forgery: None, times: 5 },
    Kind { name: "late", zh: "十分钟前的", en: "Ten minutes old", forgery: Some(Forgery::OldTimestamp), times: 1 },
    Kind { name: "bad", zh: "错误签名", en: "Bad signature", forgery: Some(Forgery::BadSignature), times: 1 },
    Kind { name: "altered", zh: "篡改金额", en: "Altered amount", forgery: Some(Forgery::AlteredAmount), times: 1 },
    Kind { name: "unsigned", zh: "没有签名", en: "Unsigned", forgery: Some(Forgery::NoSignature), times: 1 },
    Kind {
        name: "stranger", zh: "他人密钥", en: "Somebody else's key", forgery: Some(Forgery::OtherKey), times: 1
    },
    Kind { name: "probe", zh: "渠道探测", en: "Provider's probe", forgery: Some(Forgery::SignTest), times: 1 },
];

/// What a callback that the console sent is called.
pub(super) fn title(lang: Lang, name: &str) -> &'static str {
    KINDS.iter().find(|kind| kind.name == name).map_or("-", |kind| lang.t(kind.zh, kind.en))
}

/// The panel on the order's page.
pub(super) fn toolbox(console: &Console, view: &View, order: &Order) -> Markup {
    let lang = view.lang;
    if console.sandbox().is_none() {
        return html! {};
    }
    let trade = lookup::simulated(console, order);
    let paid = trade.as_ref().is_some_and(|trade| trade.paid.is_some());
    let refunded = trade.as_ref().is_some_and(|trade| !trade.refunds.is_empty());
    let sample = console.sandbox().zip(trade.as_ref().filter(|_| paid));
    let sample =
        sample.and_then(|(sandbox, trade)| sandbox.try_build_callback(&trade.number, CallbackKind::Payment).ok());
    let fits = |kind: &&Kind| match (kind.forgery, &sample) {
        (Some(how), Some(sample)) => how.fits(sample),
        (Some(_), None) | (None, _) => true,
    };
    html! {
        section.card data-testid="callbacks" {
            header.card-head { h2 { (lang.t("发送回调", "Send callbacks")) } }
            p.muted {
                (lang.t("由沙箱按渠道的线上格式签名后发往 notify 函数。伪造的应被拒绝，重复的应被接受且只入账一次。", "Signed by the sandbox in the provider's own wire format and sent to the notify function. Forged ones must be refused; repeated ones are accepted and credit once."))
            }
            @if !paid {
                p.verdict data-tone="wait" { (lang.t("渠道侧支付后可用（可在钱包中选择“支付但丢失回调”）。", "Available once it is paid at the provider (the wallet can pay and lose the callback).")) }
            }
            form.tools method="post" action=(format!("{}/callback", order_path(&order.out_trade_no))) {
                (layout::token(console))
                @if refunded {
                    label.inline-label { span { (lang.t("内容", "About")) }
                        select name="about" {
                            option value="payment" { (lang.t("支付", "the payment")) }
                            option value="refund" { (lang.t("最近一次退款", "the latest refund")) }
                        }
                    }
                }
                div.grid {
                    @for kind in KINDS.iter().filter(fits) {
                        button type="submit" name="kind" value=(kind.name) data-testid=(format!("callback-{}", kind.name)) data-tone=(if kind.forgery.is_some() { "bad" } else { "good" }) disabled[!paid] {
                            (lang.t(kind.zh, kind.en))
                        }
                    }
                }
            }
            (answers(console, view, order))
        }
    }
}

fn answers(console: &Console, view: &View, order: &Order) -> Markup {
    let sent: Vec<Exchange> = console
        .journal
        .exchanges_of(&order.out_trade_no)
        .into_iter()
        .filter(|e| e.path.starts_with("/notify"))
        .collect();
    html! {
        @if !sent.is_empty() {
            ul.calls data-testid="callback-answers" {
                @for exchange in sent.iter().take(12) {
                    @let refused = exchange.status >= 400;
                    @let name = exchange.request.get("kind").and_then(Value::as_str).unwrap_or_default();
                    li data-kind=(name) data-status=(exchange.status) {
                        details.drawer {
                            summary {
                                span { (title(view.lang, name)) }
                                span.badge data-tone=(if refused { "bad" } else { "good" }) {
                                    (if refused { view.lang.t("已拒绝", "Refused") } else { view.lang.t("已接受", "Accepted") }) " " (exchange.status)
                                }
                            }
                            div.pair {
                                div { h4 { (view.lang.t("回调", "Callback")) } (json(&exchange.request)) }
                                div { h4 { (view.lang.t("应答", "Answers")) } (json(&exchange.response)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Builds, spoils and sends one, and writes down how it was answered.
pub(super) async fn send(
    State(console): State<Arc<Console>>,
    Path(no): Path<String>,
    view: View,
    Posted(form): Posted,
) -> Response {
    let back = order_path(&no);
    let kind = KINDS.iter().find(|kind| kind.name == form.get("kind"));
    let (Some(sandbox), Some(kind), Ok(Some(order))) = (console.sandbox(), kind, console.store.order(&no).await) else {
        return back_to(&back);
    };
    let about = if form.get("about") == "refund" { CallbackKind::Refund } else { CallbackKind::Payment };
    let title = view.lang.t(kind.zh, kind.en);
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    let built = sandbox.try_build_callback(&attempt.number, about);
    let (status, request, response) = match built {
        Err(what) => (409, json!({ "kind": kind.name }), json!({ "msg": what })),
        Ok(genuine) if kind.forgery.is_some_and(|how| !how.fits(&genuine)) => {
            let what =
                view.lang.t("该渠道的回调没有这种伪造方式", "a callback of this provider cannot be forged this way");
            (409, json!({ "kind": kind.name }), json!({ "msg": what }))
        }
        Ok(genuine) => {
            let request = match kind.forgery {
                Some(how) => sandbox.forge(genuine, how),
                None => genuine,
            };
            let mut sending = tokio::task::JoinSet::new();
            for _ in 0..kind.times {
                let (sandbox, request) = (sandbox.clone(), request.clone());
                sending.spawn(async move { sandbox.send(&request).await });
            }
            let answers = sending.join_all().await;
            console.journal.label(&request.body, kind.times, &no, kind.name);
            let worst = answers.iter().map(|a| a.as_ref().map_or(502, |(status, _)| *status)).max().unwrap_or(502);
            let told: Vec<Value> = answers
                .into_iter()
                .map(|answer| match answer {
                    Ok((status, body)) => json!({ "status": status, "body": super::text::parsed(&body) }),
                    Err(what) => json!({ "error": what }),
                })
                .collect();
            let headers: serde_json::Map<String, Value> =
                request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let wire = json!({ "kind": kind.name, "url": request.url, "headers": headers, "body": super::text::parsed(&request.body) });
            (worst, wire, json!(told))
        }
    };
    let exchange = Exchange {
        at: console.now(),
        out_trade_no: no.clone(),
        title: format!("{}：{title}", view.lang.t("回调", "Callback")),
        path: "/notify".to_owned(),
        request,
        status,
        response,
        ..Exchange::default()
    };
    let id = console.journal.exchange(exchange);
    back_to(&format!("{back}?did={id}"))
}
