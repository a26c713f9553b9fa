//! The frame of every page, and the parts that pages share.

use super::text::{Lang, json, moment};
use super::view::{Console, View};
use crate::guard::TOKEN;
use crate::journal::Exchange;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use shared::crypto::hash::sha256_hex;

/// htmx under a strict policy: no inline styles, no eval.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// A page of the console.
pub(super) async fn page(console: &Console, view: &View, title: &str, body: &Markup) -> Response {
    let lang = view.lang;
    let content = html! {
        a.skip href="#main" { (lang.t("跳到正文", "Skip to content")) }
        header.top {
            (bars(console, lang))
            div.wrap {
                a.brand href="/" { img src="/assets/icon.svg" alt="" width="26" height="26"; b { "VK Pay" } }
                (navigation(console, view).await)
                (language(view))
            }
        }
        main.wrap #main tabindex="-1" {
            // A page that shows no title has one for those who do not see it.
            @if !body.0.contains("<h1") { h1.sr { (title) } }
            (notice(console, view))
            (body)
        }
        footer.wrap {
            (lang.t("时间均为北京时间。", "All times are Beijing time (UTC+08:00). "))
            @if console.sandbox().is_some() {
                (lang.t("演示模式：支付渠道由本机沙箱模拟，不会产生真实扣款。", "Demo: the providers are simulated on this machine; no real money moves."))
            } @else if console.rights.real_money {
                (lang.t("支付渠道为真实渠道。", "The providers are real."))
            }
        }
    };
    let class = if console.rights.write { "" } else { "read-only" };
    document(view, title, class, &content)
}

/// The pages that this console has, and where one is.
async fn navigation(console: &Console, view: &View) -> Markup {
    let lang = view.lang;
    let path = view.path.as_str();
    let open = console.open_incidents().await;
    let at = |prefix: &str| path.starts_with(prefix);
    let entries = [
        ("/", lang.t("首页", "Home"), path == "/", true),
        ("/orders", lang.t("支付与订单", "Payments"), at("/orders"), true),
        ("/incidents", lang.t("异常", "Incidents"), at("/incidents"), true),
        ("/transfers", lang.t("转账", "Transfers"), at("/transfers"), true),
        ("/shipping", lang.t("发货", "Shipping"), at("/shipping"), true),
        ("/bills", lang.t("对账", "Bills"), at("/bills"), true),
        ("/developers", lang.t("开发者", "Developers"), at("/developers"), true),
        ("/demo", lang.t("演示商店", "Demo shop"), at("/demo"), console.local.is_some()),
        ("/tables", lang.t("数据表", "Tables"), at("/tables"), console.local.is_some()),
        ("/sandbox", lang.t("沙箱", "Sandbox"), path == "/sandbox", console.sandbox().is_some()),
    ];
    html! {
        nav aria-label=(lang.t("主导航", "Main")) {
            @for (href, name, here, _) in entries.iter().filter(|entry| entry.3) {
                a href=(href) aria-current=[here.then_some("page")] {
                    (name)
                    @if *href == "/incidents" && (open.count > 0 || !open.whole) {
                        " " span.count data-testid="incident-count" title=(lang.t("待处理", "Open")) { (open.count) @if !open.whole { "+" } }
                    }
                }
            }
        }
    }
}

/// What must not be overlooked on any page.
fn bars(console: &Console, lang: Lang) -> Markup {
    let rules = console.sandbox().map(|sandbox| sandbox.rules().len()).unwrap_or_default();
    html! {
        @if console.rights.real_money {
            p.real data-testid="real-money" {
                b { (lang.t("真实渠道", "Real providers")) }
                " "
                @if console.rights.write {
                    (lang.t("这里的退款与支付会动用真实的钱。", "Refunds and payments made here move real money."))
                } @else {
                    (lang.t("只读：这里什么都不能更改。", "Read-only: nothing can be changed here."))
                }
                " " code { (console.rights.of) }
            }
        } @else if !console.rights.write {
            p.bar data-testid="read-only" { (lang.t("只读：这里什么都不能更改。", "Read-only: nothing can be changed here.")) " " code { (console.rights.of) } }
        }
        @if rules > 0 {
            p.bar data-testid="misbehaving" {
                (lang.t("沙箱正按规则出错：", "Failure rules are active: "))
                a href="/sandbox" { (rules) " " (lang.t("条规则生效中", if rules == 1 { "rule in force" } else { "rules in force" })) }
            }
        }
    }
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
        a.lang href=(view.link(&view.path, &[("lang", Some(other.tag()))])) hreflang=(other.tag()) lang=(other.tag()) {
            (other.t("中文", "English"))
        }
    }
}

/// How the call that led here went.
fn notice(console: &Console, view: &View) -> Markup {
    let Some(did) = view.did.and_then(|id| console.journal.find(id)) else { return html! {} };
    let says = did.response.get("msg").and_then(|v| v.as_str()).unwrap_or_default();
    said(&did.title, did.status, says, &drawer(view, &did))
}

/// What came of something, above the page that it is about.
pub(super) fn said(title: &str, status: u16, says: &str, more: &Markup) -> Markup {
    html! {
        div.notice data-tone=(if status < 400 { "good" } else { "bad" }) role=(if status < 400 { "status" } else { "alert" }) data-testid="notice" data-status=(status) {
            div { b { (title) } span.status { (status) } span { (says) } }
            (more)
        }
    }
}

/// The same status with a page that says why.
pub(super) fn with_status(status: u16, page: Response) -> Response {
    (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST), page).into_response()
}

/// A page that was asked for wrongly, and what is wrong.
pub(super) fn wrong(view: &View, what: &str) -> Response {
    (StatusCode::BAD_REQUEST, bare(view, what)).into_response()
}

/// What is said of a place in a list that is none of it.
pub(super) const fn not_of_this_list(lang: Lang) -> &'static str {
    lang.t("这个分页地址不属于这个列表", "this page link belongs to another list")
}

/// A page that could not be had.
pub(super) fn unreadable(view: &View, why: &dyn std::fmt::Display) -> Response {
    (StatusCode::BAD_GATEWAY, bare(view, &why.to_string())).into_response()
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

/// A part of a page that is kept up to date. One request for the page asks for all of its parts (`console.js`); each is
/// sent again only when it is another than the reader has, so that nothing that a reader has opened closes. A part whose
/// form is in use stays as it is, and says so.
pub(super) struct Part<'a> {
    /// Its name on the page, and for tests.
    pub name: &'a str,
    /// Its classes.
    pub class: &'a str,
    /// What it shows.
    pub inner: Markup,
}

impl Part<'_> {
    /// The part as it stands on the page.
    pub(super) fn render(&self, lang: Lang) -> Markup {
        self.section(lang, false)
    }

    fn section(&self, lang: Lang, anew: bool) -> Markup {
        let held = lang.t("有新内容；表单填写完后刷新", "There are updates; they appear once the form is finished");
        html! {
            section class=(self.class) id=(format!("part-{}", self.name)) data-testid=(self.name) data-part=(self.name) data-v=(digest(&self.inner)) data-held-note=(held) hx-swap-oob=[anew.then_some("true")] {
                (self.inner)
            }
        }
    }
}

/// What asks for the parts of a page, at an address of its own.
pub(super) fn refreshing(url: &str) -> Markup {
    html! { div #refreshing hidden hx-get=(url) hx-trigger="refresh-parts" hx-swap="none" {} }
}

/// The parts that are not as the reader has them, or 204 when all are.
pub(super) fn news(view: &View, parts: &[Part<'_>]) -> Response {
    let changed = |part: &&Part<'_>| view.field(part.name).is_none_or(|seen| seen != digest(&part.inner));
    let news: Vec<Markup> = parts.iter().filter(changed).map(|part| part.section(view.lang, true)).collect();
    if news.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    Html(news.into_iter().map(PreEscaped::<String>::into_string).collect::<String>()).into_response()
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
