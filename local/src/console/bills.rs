//! `/bills`: how each day's bill of a provider was compared with the table, and running it again.

use super::layout;
use super::text::{Lang, ago, money};
use super::view::{Console, Posted, View, back_to};
use super::ways;
use crate::journal::Exchange;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde_json::json;
use shared::domain::{Day, Fen, Provider};
use shared::store::{BillReport, BillState};
use std::sync::Arc;
use std::time::Instant;

/// How many days are on a page.
const DAYS: i64 = 31;

/// The page: the reports of some days up to one.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let today = Day::of(console.now());
    let to = match view.field("to") {
        None => today,
        Some(text) => match Day::parse(&text) {
            Some(day) => day,
            None => return layout::wrong(&view, lang.t("to：日期须为 YYYY-MM-DD", "to: a day is written YYYY-MM-DD")),
        },
    };
    let from = to.before(DAYS - 1);
    let reports = match console.store.bill_reports_since(from).await {
        Ok(reports) => reports,
        Err(error) => return layout::unreadable(&view, &error),
    };
    let last = to.to_string();
    let mut reports: Vec<BillReport> = reports.into_iter().filter(|report| report.bill_date <= last).collect();
    reports.sort_by(|a, b| (&b.bill_date, a.provider, &a.merchant).cmp(&(&a.bill_date, b.provider, &b.merchant)));
    let body = html! {
        header.hero {
            h1 { (lang.t("对账", "Bills")) }
            p { (lang.t("渠道账单与订单表逐日比对的结果。差异都是异常。", "How each day's bill of a provider was compared with the table. Every difference is an incident.")) }
        }
        section.card {
            header.card-head { h2 { (lang.t("比对一天", "Compare a day")) } }
            form.filters.short method="post" action="/bills" data-testid="run-bills" {
                (layout::token(&console))
                label { span { (lang.t("账单日", "Day of the bill")) } input type="date" name="bill_date" value=(today.before(1)) max=(today.before(1)) required; }
                div.actions { button.primary type="submit" { (lang.t("比对", "Compare")) } }
            }
        }
        section.card data-testid="bills" {
            header.card-head { h2 { (from) " – " (to) } }
            @if reports.is_empty() { div.empty { p { (lang.t("这些天没有比对过账单。", "No bills have been compared for these days.")) } } }
            @else { (table(&console, lang, &reports)) }
            nav.pages aria-label=(lang.t("分页", "Pages")) {
                @if to < today { a href="/bills" { (lang.t("回到最新", "Newest")) } }
                a rel="next" href=(format!("/bills?to={}", from.before(1))) { (lang.t("更早的", "Older")) }
            }
        }
    };
    layout::page(&console, &view, lang.t("对账", "Bills"), &body).await
}

fn table(console: &Console, lang: Lang, reports: &[BillReport]) -> Markup {
    let title = lang.t("账单比对结果", "Bills that were compared");
    html! {
        div.scroll tabindex="0" role="region" aria-label=(title) {
            table.list {
                caption.sr { (title) }
                thead { tr {
                    th scope="col" { (lang.t("账单日", "Day")) }
                    th scope="col" { (lang.t("渠道", "Provider")) }
                    th scope="col" { (lang.t("结果", "Result")) }
                    th.number.minor scope="col" { (lang.t("笔数", "Lines")) }
                    th.number scope="col" { (lang.t("支付", "Paid")) }
                    th.number.minor scope="col" { (lang.t("退款", "Refunded")) }
                    th.number.minor scope="col" { (lang.t("手续费", "Fees")) }
                    th.number.minor scope="col" { (lang.t("提现与转账", "Paid out")) }
                    th.number scope="col" { (lang.t("差异", "Differences")) }
                    th.minor scope="col" { (lang.t("比对于", "Compared")) }
                    th scope="col" { span.sr { (lang.t("再次比对", "Compare again")) } }
                } }
                tbody { @for report in reports {
                    tr data-testid="bill" data-state=(state(lang, report.state).0) data-day=(report.bill_date) {
                        th scope="row" { (report.bill_date) }
                        td { span.way data-provider=(report.provider.name()) { (ways::provider_name(lang, report.provider)) } small { (report.merchant) } }
                        td { span.badge data-tone=(state(lang, report.state).1) title=(report.reason.as_deref().unwrap_or_default()) { (state(lang, report.state).2) } @if let Some(why) = &report.reason { small { (why) } } }
                        td.number.minor { (report.lines) }
                        td.number { (money(report.total_fee)) }
                        td.number.minor { (money(report.refund_fee)) }
                        (funds(lang, report))
                        td.number { @if report.differences > 0 { a href="/incidents" { (report.differences) } } @else { "0" } }
                        td.minor { (ago(lang, report.check_date, console.now())) }
                        td {
                            form method="post" action="/bills" {
                                (layout::token(console))
                                input type="hidden" name="bill_date" value=(report.bill_date);
                                input type="hidden" name="provider" value=(report.provider.name());
                                input type="hidden" name="merchant" value=(report.merchant);
                                button.small type="submit" aria-label=(format!("{} {} {}", lang.t("再次比对", "Compare again"), report.bill_date, report.provider.name())) { (lang.t("再次比对", "Again")) }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// What the fund-flow bill says: fees, and what was withdrawn and paid out.
fn funds(lang: Lang, report: &BillReport) -> Markup {
    html! {
        @match &report.funds {
            None => { td.number.minor { "–" } td.number.minor { "–" } }
            Some(funds) if matches!(funds.state, BillState::Pending | BillState::Failed) => {
                td.minor colspan="2" title=(funds.reason.as_deref().unwrap_or_default()) { (state(lang, funds.state).2) }
            }
            Some(funds) => {
                td.number.minor { (money(funds.fees)) }
                td.number.minor { (money(Fen(funds.withdrawn.0.saturating_add(funds.paid_out.0)))) }
            }
        }
    }
}

/// A state's name, tone and title.
const fn state(lang: Lang, state: BillState) -> (&'static str, &'static str, &'static str) {
    match state {
        BillState::Checked => ("checked", "good", lang.t("已比对", "Compared")),
        BillState::Empty => ("empty", "past", lang.t("没有交易", "Empty")),
        BillState::Pending => ("pending", "wait", lang.t("渠道生成中", "Not made yet")),
        BillState::Failed => ("failed", "bad", lang.t("失败", "Failed")),
    }
}

/// Runs the comparison of a day again.
pub(super) async fn run(State(console): State<Arc<Console>>, view: View, Posted(form): Posted) -> Response {
    let lang = view.lang;
    let Some(day) = Day::parse(form.get("bill_date")) else {
        let what = lang.t("账单日须为 YYYY-MM-DD", "the day of the bill is written YYYY-MM-DD");
        return (StatusCode::BAD_REQUEST, layout::bare(&view, what)).into_response();
    };
    let mut event = json!({ "job": "bills", "bill_date": day.to_string() });
    if let Some(provider) = Provider::parse(form.get("provider")) {
        event["provider"] = json!(provider);
    }
    if let Some(merchant) = form.filled("merchant") {
        event["merchant"] = json!(merchant);
    }
    let (at, began) = (console.now(), Instant::now());
    let (status, response) = match console.calls.run("reconcile", &event).await {
        Ok(reply) => (200, reply),
        Err(why) => (502, json!({ "msg": why })),
    };
    let did = console.journal.exchange(Exchange {
        at,
        title: lang.t("对账", "Bills").to_owned(),
        path: "reconcile".to_owned(),
        request: event,
        status,
        response,
        millis: u64::try_from(began.elapsed().as_millis()).ok(),
        ..Exchange::default()
    });
    back_to(&format!("/bills?did={did}"))
}
