//! `/transfers`: money that goes out. What is unfinished stands in the schedule's index; what has ended is found by its
//! number, or in a small table.

use super::layout::{self, Part};
use super::text::{Lang, ago, json, money};
use super::view::{Console, View};
use super::ways;
use axum::extract::State;
use axum::response::Response;
use futures::stream::{self, StreamExt, TryStreamExt};
use maud::{Markup, html};
use serde_json::{Value, json};
use shared::domain::{Authorization, AuthorizationState, Transfer, TransferState};
use shared::store::{Due, StoreError};
use std::sync::Arc;

/// How many of what is due are looked at in each shard.
const DUE: u8 = 40;
/// How many are shown.
const SHOWN: usize = 200;
/// How many are read at once.
const AT_ONCE: usize = 16;

const STATES: [TransferState; 9] = [
    TransferState::Processing,
    TransferState::WaitUserConfirm,
    TransferState::Canceling,
    TransferState::Unknown,
    TransferState::Success,
    TransferState::Fail,
    TransferState::Cancelled,
    TransferState::Returned,
    TransferState::Refused,
];

/// The page.
pub(super) async fn page(State(console): State<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let (part, given) = match futures::try_join!(part(&console, &view), authorizations(&console, &view)) {
        Ok((Some(part), given)) => (part, given),
        Ok((None, _)) => return wrong_state(&view),
        Err(error) => return layout::unreadable(&view, &error),
    };
    let (number, chosen) = (view.field("q").unwrap_or_default(), view.field("state").unwrap_or_default());
    let body = html! {
        header.hero {
            h1 { (lang.t("转账", "Transfers")) }
            p { (lang.t("付给个人的款项。未完成的在这里；已结束的按单号查找。", "Money paid out to people. Unfinished transfers are listed; find others by number.")) }
        }
        form.filters.short method="get" action="/transfers" role="search" data-testid="filters" {
            label { span { (lang.t("单号", "Number")) } input type="search" name="q" value=(number) maxlength="128" placeholder=(lang.t("商户单号或渠道单号", "The merchant's or the provider's")) autocomplete="off" spellcheck="false"; }
            label { span { (lang.t("状态", "State")) }
                select name="state" {
                    option value="" { (lang.t("全部", "All")) }
                    @for state in STATES { option value=(state.name()) selected[state.name() == chosen] { (title(lang, state)) } }
                }
            }
            div.actions { button.primary type="submit" { (lang.t("查找", "Find")) } a.button href="/transfers" { (lang.t("清除", "Clear")) } }
        }
        (layout::refreshing(&view.link("/transfers/live", &[])))
        (part.render(lang))
        (given.render(lang))
    };
    layout::page(&console, &view, lang.t("转账", "Transfers"), &body).await
}

/// What has changed on the page.
pub(super) async fn live(State(console): State<Arc<Console>>, view: View) -> Response {
    match futures::try_join!(part(&console, &view), authorizations(&console, &view)) {
        Ok((Some(part), given)) => layout::news(&view, &[part, given]),
        Ok((None, _)) => wrong_state(&view),
        Err(error) => layout::unreadable(&view, &error),
    }
}

/// A state that no transfer has.
fn wrong_state(view: &View) -> Response {
    let names = STATES.map(TransferState::name).join(", ");
    let (zh, en) = (format!("没有这种状态：{names}"), format!("there is no such state: {names}"));
    layout::wrong(view, view.lang.t(&zh, &en))
}

/// The list; `None` where a state is asked for that there is not.
async fn part(console: &Console, view: &View) -> Result<Option<Part<'static>>, StoreError> {
    let lang = view.lang;
    let state = view.field("state");
    if state.as_ref().is_some_and(|name| !STATES.iter().any(|state| state.name() == name)) {
        return Ok(None);
    }
    let (mut list, whole) = match view.field("q") {
        Some(number) => (by_number(console, &number).await?, true),
        None => all(console).await?,
    };
    if let Some(state) = state {
        list.retain(|transfer| transfer.state.name() == state);
    }
    list.sort_by_key(|transfer| std::cmp::Reverse(transfer.create_date));
    list.truncate(SHOWN);
    let caption = lang.t("转账", "Transfers");
    let inner = html! {
        @if !whole { p.muted { (lang.t("这里只有未完成的转账，最先到期的在内。已结束的请按单号查找。", "Only unfinished transfers are listed, earliest due first. Find ended ones by number.")) } }
        @if list.is_empty() { div.empty { p { (lang.t("没有转账。", "No transfers.")) } } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.list {
                    caption.sr { (caption) }
                    thead { tr {
                        th scope="col" { (lang.t("单号", "Number")) }
                        th scope="col" { (lang.t("创建", "Created")) }
                        th.minor scope="col" { (lang.t("渠道", "Provider")) }
                        th.number scope="col" { (lang.t("金额", "Amount")) }
                        th scope="col" { (lang.t("状态", "State")) }
                    } }
                    tbody { @for transfer in &list { (row(console, lang, transfer)) } }
                }
            }
        }
    };
    Ok(Some(Part { name: "transfers", class: "card", inner }))
}

fn row(console: &Console, lang: Lang, transfer: &Transfer) -> Markup {
    let mut shown = crate::mask::masked(&json!(transfer));
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    html! {
        tr data-testid="transfer" data-state=(transfer.state.name()) {
            th scope="row" {
                code { (transfer.out_bill_no) }
                details.drawer { summary { (lang.t("全部字段", "All fields")) } (json(&shown)) }
            }
            td { (ago(lang, transfer.create_date, console.now())) }
            td.minor { span.way data-provider=(transfer.provider.name()) { (ways::provider_name(lang, transfer.provider)) } small { (transfer.merchant) } }
            td.number { (money(transfer.transfer_amount)) }
            td { span.badge data-tone=(tone(transfer.state)) { (title(lang, transfer.state)) } @if let Some(why) = &transfer.fail_reason { small { (why) } } }
        }
    }
}

/// Payees who take transfers without confirming each: who has yet to say so, or all of a small table.
async fn authorizations(console: &Console, view: &View) -> Result<Part<'static>, StoreError> {
    let lang = view.lang;
    let mut list = match view.field("q") {
        Some(number) => authorizations_by_number(console, &number).await?,
        None => all_authorizations(console).await?,
    };
    list.sort_by_key(|authorization| std::cmp::Reverse(authorization.create_date));
    list.truncate(SHOWN);
    let caption = lang.t("免确认收款授权", "Authorisations of payees");
    let inner = html! {
        h2 { (caption) }
        @if list.is_empty() { div.empty { p { (lang.t("没有授权。", "No authorisations.")) } } }
        @else {
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.list {
                    caption.sr { (caption) }
                    thead { tr {
                        th scope="col" { (lang.t("授权单号", "Number")) }
                        th scope="col" { (lang.t("创建", "Created")) }
                        th.minor scope="col" { (lang.t("商户", "Merchant")) }
                        th scope="col" { (lang.t("状态", "State")) }
                    } }
                    tbody { @for authorization in &list { (authorization_row(console, lang, authorization)) } }
                }
            }
        }
    };
    Ok(Part { name: "authorizations", class: "card", inner })
}

fn authorization_row(console: &Console, lang: Lang, authorization: &Authorization) -> Markup {
    let (tone, title) = match authorization.state {
        AuthorizationState::Unknown => ("bad", lang.t("结果未知", "Outcome unknown")),
        AuthorizationState::WaitUserConfirm => ("wait", lang.t("待收款人授权", "Waits for the payee")),
        AuthorizationState::TakingEffect => ("good", lang.t("生效中", "In effect")),
        AuthorizationState::Closed => ("past", lang.t("已关闭", "Closed")),
        AuthorizationState::Refused => ("bad", lang.t("被拒绝", "Refused")),
    };
    let mut shown = crate::mask::masked(&json!(authorization));
    if let Some(fields) = shown.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let why = authorization.close_reason.as_ref().or(authorization.fail_reason.as_ref());
    html! {
        tr data-testid="authorization" data-state=(authorization.state.name()) {
            th scope="row" {
                code { (authorization.out_authorization_no) }
                details.drawer { summary { (lang.t("全部字段", "All fields")) } (json(&shown)) }
            }
            td { (ago(lang, authorization.create_date, console.now())) }
            td.minor { (authorization.merchant) }
            td { span.badge data-tone=(tone) { (title) } @if let Some(why) = why { small { (why) } } }
        }
    }
}

async fn all_authorizations(console: &Console) -> Result<Vec<Authorization>, StoreError> {
    if console.local.is_some()
        && let Ok((items, None)) = console.scan(&console.table, Some("authorization"), None).await
    {
        return Ok(items.into_iter().filter_map(|item| serde_json::from_value(Value::Object(item)).ok()).collect());
    }
    let (due, _) = console.store.soonest_due(DUE).await?;
    let mut list = Vec::new();
    for item in due {
        if let Due::Authorization(key) = item.what {
            list.extend(console.store.authorization_by_key(&key).await?);
        }
    }
    Ok(list)
}

async fn authorizations_by_number(console: &Console, number: &str) -> Result<Vec<Authorization>, StoreError> {
    let mut found = Vec::new();
    for merchant in merchants(console).await {
        found.extend(console.store.authorization(&merchant, number).await?);
        found.extend(console.store.authorization_of_id(&merchant, number).await?);
    }
    found.dedup();
    Ok(found)
}

/// Those that are unfinished, or all of a small table; and whether there are no others.
async fn all(console: &Console) -> Result<(Vec<Transfer>, bool), StoreError> {
    if console.local.is_some()
        && let Ok((items, None)) = console.scan(&console.table, Some("transfer"), None).await
    {
        let read = |item| serde_json::from_value(Value::Object(item)).ok();
        return Ok((items.into_iter().filter_map(read).collect(), true));
    }
    let (due, _) = console.store.soonest_due(DUE).await?;
    let keys = due.into_iter().filter_map(|item| match item.what {
        Due::Transfer(key) => Some(key),
        Due::Order(_) | Due::Refund(..) | Due::Share(..) | Due::Return(..) | Due::Task(..) | Due::Authorization(_) => {
            None
        }
    });
    let read: Vec<_> = keys.map(|key| async move { console.store.transfer_by_key(&key).await }).collect();
    let list: Vec<Option<Transfer>> = stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok((list.into_iter().flatten().collect(), false))
}

/// A number is one merchant's: each is asked.
async fn by_number(console: &Console, number: &str) -> Result<Vec<Transfer>, StoreError> {
    let ask = |merchant: String| async move {
        let (by_number, of_bill) =
            tokio::join!(console.store.transfer(&merchant, number), console.store.transfer_of_bill(&merchant, number));
        Ok::<_, StoreError>([by_number?, of_bill?])
    };
    let asked: Vec<_> = merchants(console).await.into_iter().map(ask).collect();
    let found: Vec<[Option<Transfer>; 2]> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut found: Vec<Transfer> = found.into_iter().flatten().flatten().collect();
    found.dedup();
    Ok(found)
}

async fn merchants(console: &Console) -> Vec<String> {
    let mut merchants: Vec<String> = console.listed_accounts().await.into_iter().map(|own| own.merchant).collect();
    merchants.sort();
    merchants.dedup();
    merchants
}

const fn tone(state: TransferState) -> &'static str {
    match state {
        TransferState::Processing | TransferState::WaitUserConfirm | TransferState::Canceling => "wait",
        TransferState::Success => "good",
        TransferState::Unknown | TransferState::Fail | TransferState::Refused => "bad",
        TransferState::Cancelled | TransferState::Returned => "past",
    }
}

const fn title(lang: Lang, state: TransferState) -> &'static str {
    match state {
        TransferState::Processing => lang.t("处理中", "Processing"),
        TransferState::WaitUserConfirm => lang.t("待收款人确认", "Waits for the payee"),
        TransferState::Canceling => lang.t("撤销中", "Being cancelled"),
        TransferState::Unknown => lang.t("结果未知", "Outcome unknown"),
        TransferState::Success => lang.t("成功", "Done"),
        TransferState::Fail => lang.t("失败", "Failed"),
        TransferState::Cancelled => lang.t("已撤销", "Cancelled"),
        TransferState::Returned => lang.t("已退回", "Returned"),
        TransferState::Refused => lang.t("被拒绝", "Refused"),
    }
}
