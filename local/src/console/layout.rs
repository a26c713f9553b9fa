//! The frame of every page, and the parts that pages share.

use super::text::{Lang, json, moment};
use super::view::{Console, View};
use crate::guard::TOKEN;
use crate::journal::Exchange;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use shared::crypto::hash::sha256_hex;
use std::collections::HashMap;

/// htmx under a strict policy: no inline styles, no eval.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// A page of the console.
pub(super) fn page(console: &Console, view: &View, title: &str, body: &Markup) -> Response {
    let lang = view.lang;
    let entries = [
        ("/", lang.t("控制台", "Console"), view.path == "/" || view.path.starts_with("/orders")),
        ("/incidents", lang.t("异常", "Incidents"), view.path.starts_with("/incidents")),
        ("/demo", lang.t("演示商店", "Demo shop"), view.path.starts_with("/demo")),
        ("/tables", lang.t("数据表", "Tables"), view.path.starts_with("/tables")),
        ("/sandbox", lang.t("沙箱", "Sandbox"), view.path == "/sandbox"),
    ];
    let content = html! {
        header.top {
            @if console.sandbox.is_none() {
                p.real data-testid="real-money" {
                    b { (lang.t("真实渠道", "Real providers")) }
                    " " (lang.t("使用您自己的配置：这里的退款与支付会动用真实的钱。", "Your own configuration is in use: refunds and payments made here move real money."))
                    " " code { (console.config_path.display()) }
                }
            }
            div.wrap {
                a.brand href="/" { img src="/assets/icon.svg" alt="" width="26" height="26"; b { "VK Pay" } }
                nav aria-label=(lang.t("主导航", "Main")) {
                    @for (href, name, here) in entries {
                        a href=(href) aria-current=[here.then_some("page")] { (name) }
                    }
                }
                (language(view))
            }
        }
        main.wrap {
            (notice(console, view))
            (body)
        }
        footer.wrap {
            (lang.t("时间均为北京时间。", "Times are Shanghai's. "))
            @if console.sandbox.is_some() {
                (lang.t("演示模式：支付渠道由本机沙箱模拟，不会产生真实扣款。", "Demo: the providers are simulated on this machine; no real money moves."))
            } @else {
                (lang.t("正在使用您自己的配置，支付渠道为真实渠道。", "Your own configuration is in use; the providers are real."))
            }
        }
    };
    document(view, title, "", &content)
}

/// A page of the payer's or shop's: no console around it.
pub(super) fn alone(view: &View, title: &str, class: &str, body: &Markup) -> Response {
    document(view, title, class, body)
}

/// A page that only says something.
pub(super) fn bare(view: &View, what: &str) -> Response {
    let body = html! { main.wrap.empty-page { h1 { (what) } p { a href="/" { (view.lang.t("回到控制台", "To the console")) } } } };
    document(view, what, "", &body)
}

fn document(view: &View, title: &str, class: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang=(view.lang.tag()) {
            head {
                meta charset="utf-8";
                title { (title) " · VK Pay" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/console.css";
                script src="/assets/htmx.min.js" defer {}
                script src="/assets/console.js" defer {}
            }
            body class=[(!class.is_empty()).then_some(class)] { (content) }
        }
    };
    Html(page.into_string()).into_response()
}

/// The link to the same page in the other language.
pub(super) fn language(view: &View) -> Markup {
    let other = view.lang.other();
    html! {
        a.lang href=(format!("{}?lang={}", view.path, other.tag())) hreflang=(other.tag()) lang=(other.tag()) {
            (other.t("中文", "English"))
        }
    }
}

/// How the call that led here went.
fn notice(console: &Console, view: &View) -> Markup {
    let Some(did) = view.did.and_then(|id| console.journal.find(id)) else { return html! {} };
    let good = did.status < 400;
    let says = did.response.get("msg").and_then(|v| v.as_str()).unwrap_or_default();
    html! {
        div.notice data-tone=(if good { "good" } else { "bad" }) role="status" data-testid="notice" data-status=(did.status) {
            div { b { (did.title) } span.status { (did.status) } span { (says) } }
            (drawer(view, &did))
        }
    }
}

/// Request and answer of a call, folded.
pub(super) fn drawer(view: &View, exchange: &Exchange) -> Markup {
    html! {
        details.drawer {
            summary { (view.lang.t("请求与响应", "Request and response")) }
            div.pair {
                div { h4 { "POST " (exchange.path) } (json(&exchange.request)) }
                div { h4 { "HTTP " (exchange.status) } (json(&exchange.response)) }
            }
        }
    }
}

/// A list of calls.
pub(super) fn calls(view: &View, exchanges: &[Exchange]) -> Markup {
    html! {
        ul.calls {
            @for exchange in exchanges {
                li {
                    details.drawer {
                        summary {
                            code { (exchange.title) }
                            span.status data-tone=(if exchange.status < 400 { "good" } else { "bad" }) { (exchange.status) }
                            time { (moment(exchange.at)) }
                        }
                        div.pair {
                            div { h4 { (view.lang.t("请求", "Request")) } (json(&exchange.request)) }
                            div { h4 { (view.lang.t("响应", "Response")) } (json(&exchange.response)) }
                        }
                    }
                }
            }
        }
    }
}

/// The hidden field that every form carries.
pub(super) fn token(console: &Console) -> Markup {
    html! { input type="hidden" name=(TOKEN) value=(console.guard.token()); }
}

/// A part of a page that refreshes itself.
pub(super) struct Live<'a> {
    /// The reader's language.
    pub lang: Lang,
    /// Where it is by itself.
    pub url: &'a str,
    /// Its name for tests.
    pub testid: &'a str,
    /// Its classes.
    pub class: &'a str,
    /// How often it is looked at: `2s`.
    pub every: &'a str,
}

impl Live<'_> {
    /// The part as it stands on the page. It carries the digest of what it shows, so that what did not change is not
    /// swapped and nothing that a reader has opened closes. A part whose form is in use stays as it is (`console.js`), and
    /// says so.
    pub(super) fn render(&self, inner: &Markup) -> Markup {
        let Self { lang, url, testid, class, every } = self;
        let digest = digest(inner);
        html! {
            section class=(class) data-testid=(testid) data-held-note=(lang.t("有新内容；表单填写完后刷新", "There is news; it appears when the form is done")) hx-get=(format!("{url}?v={digest}")) hx-trigger=(format!("every {every}")) hx-swap="outerHTML" {
                (inner)
            }
        }
    }

    /// The part anew, or 204 when it is as the reader has it.
    pub(super) fn refreshed(&self, query: &HashMap<String, String>, inner: &Markup) -> Response {
        if query.get("v").is_some_and(|seen| *seen == digest(inner)) {
            return StatusCode::NO_CONTENT.into_response();
        }
        Html(self.render(inner).into_string()).into_response()
    }
}

/// What tells two renderings apart.
fn digest(inner: &Markup) -> String {
    sha256_hex(inner.0.as_bytes())[..16].to_owned()
}

/// A QR code as SVG, black on white in any theme.
pub(super) fn qr(text: &str, testid: &str) -> Markup {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M) else {
        return html! { p.muted { (text) } };
    };
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == qrcode::Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + 4, at / width + 4));
        }
    }
    let side = width + 8;
    html! {
        div.qr data-testid=(testid) data-text=(text) {
            (PreEscaped(format!(
                r##"<svg viewBox="0 0 {side} {side}" role="img" aria-label="QR" shape-rendering="crispEdges"><rect width="{side}" height="{side}" fill="#fff"/><path d="{path}" fill="#000"/></svg>"##
            )))
        }
    }
}
