//! What was paid and refunded today and in the last days, and what waits for somebody.

use super::text::{Lang, ago, money, stamp};
use super::view::{Console, View};
use super::ways;
use maud::{Markup, PreEscaped, html};
use shared::domain::{Day, Fen, Provider, UnixMs};
use shared::store::{DayTotals, ListedAccount};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many days are shown.
const DAYS: i64 = 30;
/// How long a page waits for sums that are not added up yet.
const PATIENCE: Duration = Duration::from_millis(120);

/// The size of the picture, and of a day in it.
const WIDTH: u64 = 600;
const HEIGHT: u64 = 120;
const STEP: u64 = 20;
const BAR: u64 = 14;

/// Orders of today, where the table is small enough to count them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Created today.
    pub created: usize,
    /// Of these, paid.
    pub paid: usize,
}

/// The figures.
pub(super) async fn render(console: &Console, view: &View, sample: Option<Sample>) -> Markup {
    let lang = view.lang;
    let accounts = console.listed_accounts().await;
    let now = console.now();
    let today = Day::of(now);
    let adding = console.totals.refresh(&console.store, accounts.clone(), now, DAYS);
    let _ = tokio::time::timeout(PATIENCE, adding).await;
    let known = console.totals.known(&accounts, today, DAYS);
    let sum =
        |of: &[(ListedAccount, DayTotals)]| of.iter().map(|(_, own)| *own).fold(DayTotals::default(), DayTotals::and);
    let days: Vec<(Day, DayTotals)> = known.days.iter().map(|(day, of)| (*day, sum(of))).collect();
    let month = days.iter().map(|(_, own)| *own).fold(DayTotals::default(), DayTotals::and);
    let of_today = days.last().map(|(_, own)| *own).unwrap_or_default();
    html! {
        section.card data-testid="totals" data-today=(of_today.paid_fee) data-month=(month.paid_fee) data-missing=(known.missing) {
            dl.figures {
                (amount(lang.t("今日支付", "Paid today"), of_today.paid_fee, of_today.paid, lang, "payment"))
                (amount(lang.t("今日退款", "Refunded today"), of_today.refunded_fee, of_today.refunded, lang, "refund"))
                (amount(lang.t("近 30 天支付", "Paid in 30 days"), month.paid_fee, month.paid, lang, "payment"))
                (amount(lang.t("近 30 天退款", "Refunded in 30 days"), month.refunded_fee, month.refunded, lang, "refund"))
                (success(lang, sample))
                (waiting(console, lang, now).await)
            }
            @if let Some(why) = &known.failed { p.verdict data-tone="bad" { (lang.t("合计没有算完：", "The sums are not complete: ")) (why) } }
            @else if known.missing > 0 { p.muted { (lang.t("正在合计，数字会逐日补齐。", "Still adding up: days appear one by one.")) } }
            (chart(lang, &days))
        }
        (by_provider(lang, &known.days, today))
    }
}

fn amount(title: &str, fee: Fen, count: u64, lang: Lang, what: &str) -> Markup {
    let plural = if count == 1 || lang == Lang::Zh { "" } else { "s" };
    html! { div { dt { (title) } dd { (money(fee)) small { (count) " " (lang.t("笔", what)) (plural) } } } }
}

/// How many of today's orders are paid. No index knows what was never paid, so that a large table does not tell.
fn success(lang: Lang, sample: Option<Sample>) -> Markup {
    html! {
        div data-testid="success" {
            dt { (lang.t("今日支付成功率", "Success rate today")) }
            @match sample {
                Some(Sample { created: 0, .. }) => { dd { "–" small { (lang.t("今日没有订单", "no orders today")) } } }
                Some(Sample { created, paid }) => { dd { (paid * 100 / created) " %" small { (paid) " / " (created) } } }
                None => { dd { "–" small { (lang.t("见指标 paid / created", "see the metrics paid and created")) } } }
            }
        }
    }
}

/// Incidents that are open, and what has been due the longest.
async fn waiting(console: &Console, lang: Lang, now: UnixMs) -> Markup {
    let open = console.open_incidents().await;
    let oldest = console.store.soonest_due(1).await.ok().and_then(|(due, _)| due.first().map(|item| item.due));
    let late = oldest.filter(|due| now.since(*due) > Duration::from_mins(2));
    html! {
        div { dt { (lang.t("待处理异常", "Open incidents")) } dd { a href="/incidents" data-testid="open-incidents" { (open.count) @if !open.whole { "+" } } } }
        div data-testid="oldest-due" data-late=(late.is_some()) {
            dt { (lang.t("最早到期的待办", "Oldest task due")) }
            dd {
                @match (late, oldest) {
                    (Some(due), _) => { span.late { (ago(lang, due, now)) } small { (lang.t("定时任务是否在运行？", "is the schedule running?")) } }
                    (None, Some(due)) => { (lang.t("没有逾期", "nothing overdue")) small { (lang.t("下一项 ", "next ")) (stamp(due)) } }
                    (None, None) => { (lang.t("没有待办", "nothing is due")) }
                }
            }
        }
    }
}

/// Each day as a bar of what was paid, with what was refunded in it; the same as a table for whoever sees no picture.
fn chart(lang: Lang, days: &[(Day, DayTotals)]) -> Markup {
    let most = days.iter().map(|(_, own)| own.paid_fee.0.max(own.refunded_fee.0)).max().unwrap_or_default();
    let height = |fee: Fen| {
        let height = u64::try_from(u128::from(fee.0) * u128::from(HEIGHT) / u128::from(most.max(1))).unwrap_or(HEIGHT);
        if fee.0 > 0 { height.max(2) } else { 0 }
    };
    let mut bars = String::new();
    for (at, (day, own)) in (0u64..).zip(days) {
        let (paid, back) = (height(own.paid_fee), height(own.refunded_fee));
        let x = at * STEP + (STEP - BAR) / 2;
        bars.push_str(&format!(
            r#"<g><title>{day} ¥{} −¥{}</title><rect class="all" x="{}" y="0" width="{STEP}" height="{HEIGHT}"/><rect class="in" x="{x}" y="{}" width="{BAR}" height="{paid}" rx="2"/><rect class="out" x="{x}" y="{}" width="{BAR}" height="{back}" rx="2"/></g>"#,
            own.paid_fee.to_yuan(), own.refunded_fee.to_yuan(), at * STEP, HEIGHT - paid, HEIGHT - back,
        ));
    }
    let summary = format!("{} ¥{}", lang.t("最高一日", "Highest day"), Fen(most).to_yuan());
    let title = lang.t("近 30 天每日支付与退款", "Paid and refunded on each of the last 30 days");
    html! {
        figure.chart {
            (PreEscaped(format!(r#"<svg viewBox="0 0 {WIDTH} {}" role="img" aria-label="{title}" preserveAspectRatio="none"><desc>{summary}</desc>{bars}<line x1="0" x2="{WIDTH}" y1="{HEIGHT}" y2="{HEIGHT}"/></svg>"#, HEIGHT + 1)))
            figcaption {
                span { (days.first().map(|(day, _)| day.to_string()).unwrap_or_default()) }
                span.key { span.swatch.in aria-hidden="true" {} (lang.t("支付", "paid")) " " span.swatch.out aria-hidden="true" {} (lang.t("退款", "refunded")) " · " (summary) }
                span { (days.last().map(|(day, _)| day.to_string()).unwrap_or_default()) }
            }
            details.drawer {
                summary { (lang.t("以表格查看", "As a table")) }
                div.scroll {
                    table.list {
                        caption.sr { (title) }
                        thead { tr { th scope="col" { (lang.t("日期", "Day")) } th.number scope="col" { (lang.t("支付", "Paid")) } th.number scope="col" { (lang.t("笔数", "Number")) } th.number scope="col" { (lang.t("退款", "Refunded")) } th.number scope="col" { (lang.t("笔数", "Number")) } } }
                        tbody {
                            @for (day, own) in days.iter().rev() {
                                tr { th scope="row" { a href=(format!("/orders?day={day}")) { (day) } } td.number { (money(own.paid_fee)) } td.number { (own.paid) } td.number { (money(own.refunded_fee)) } td.number { (own.refunded) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn by_provider(lang: Lang, days: &BTreeMap<Day, Vec<(ListedAccount, DayTotals)>>, today: Day) -> Markup {
    let mut sums: BTreeMap<(Provider, &str), (DayTotals, DayTotals)> = BTreeMap::new();
    for (day, of) in days {
        for (account, own) in of {
            let sum = sums.entry((account.provider, &account.merchant)).or_default();
            sum.1 = sum.1.and(*own);
            if *day == today {
                sum.0 = sum.0.and(*own);
            }
        }
    }
    sums.retain(|_, (_, month)| *month != DayTotals::default());
    let title = lang.t("按渠道与商户", "By provider and merchant");
    html! {
        @if !sums.is_empty() {
            section.card data-testid="by-provider" {
                header.card-head { h2 { (title) } }
                div.scroll tabindex="0" role="region" aria-label=(title) {
                    table.list {
                        caption.sr { (title) }
                        thead { tr {
                            th scope="col" { (lang.t("渠道", "Provider")) }
                            th.minor scope="col" { (lang.t("商户", "Merchant")) }
                            th.number scope="col" { (lang.t("今日", "Today")) }
                            th.number scope="col" { (lang.t("近 30 天", "30 days")) }
                            th.number.minor scope="col" { (lang.t("退款", "Refunded")) }
                        } }
                        tbody {
                            @for ((provider, merchant), (day, month)) in &sums {
                                tr data-provider=(provider.name()) {
                                    th scope="row" { a.way data-provider=(provider.name()) href=(format!("/orders?provider={}&merchant={merchant}", provider.name())) { (ways::provider_name(lang, *provider)) } }
                                    td.minor { (merchant) }
                                    td.number { (money(day.paid_fee)) }
                                    td.number { (money(month.paid_fee)) small { (month.paid) } }
                                    td.number.minor { (money(month.refunded_fee)) small { (month.refunded) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
