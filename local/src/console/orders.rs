//! `/orders`: the payments of days, a user's orders, what is unpaid; found by number, transaction, user or subject.

use super::filter::{Filter, MOST_DAYS, State};
use super::text::{Lang, parsed, stamp};
use super::view::{Console, View};
use super::{forms, layout, rows, ways};
use axum::extract::State as Of;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::future::join_all;
use maud::{Markup, html};
use shared::crypto;
use shared::domain::{Order, Provider, UnixMs};
use shared::store::{DayPosition, Due, Holder, ListedAccount, PaidEntry, StoreError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many orders are on a page.
const PAGE: usize = 50;
/// How many a page reads at most, whatever its filter leaves of them.
const MOST_READ: usize = 400;
/// The same while a subject is looked for.
const MOST_SEARCHED: usize = 200;
/// How long a page reads on for what its filter leaves over: a subject is answered within a tenth of a second, and goes on
/// where that ended.
const SEARCHING: Duration = Duration::from_millis(40);
const FILTERING: Duration = Duration::from_millis(160);
/// How many of what is due are looked at in each shard for those that are unpaid.
const DUE: u8 = 40;

/// What a page shows.
#[derive(Default)]
struct Found {
    /// What has the very number, transaction or user that was looked for.
    exact: Vec<Order>,
    /// The list.
    list: Vec<Order>,
    /// Where the next page begins.
    next: Option<String>,
    /// What has to be said of it.
    note: Option<String>,
}

/// The page.
pub(super) async fn page(Of(console): Of<Arc<Console>>, view: View) -> Response {
    let lang = view.lang;
    let accounts = console.listed_accounts().await;
    let (filter, found) = match Filter::read(&view, console.now(), MOST_DAYS) {
        Ok(filter) => {
            let found = find(&console, &view, &filter, accounts.clone()).await;
            (Some(filter), found)
        }
        Err(what) => (None, Ok(Err(what))),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => return layout::unreadable(&view, &error),
    };
    let kinds = forms::kinds(&console).await;
    let body = html! {
        header.hero {
            h1 { (lang.t("支付与订单", "Payments and orders")) }
        }
        (form(&view, filter.as_ref(), &accounts, &kinds))
        @match &found {
            Ok(found) => { (result(&console, &view, filter.as_ref(), found)) }
            Err(what) => { p.verdict role="alert" data-tone="bad" data-testid="filter-fault" { (what) } }
        }
    };
    let page = layout::page(&console, &view, lang.t("支付与订单", "Payments and orders"), &body).await;
    if found.is_err() { (StatusCode::BAD_REQUEST, page).into_response() } else { page }
}

fn form(view: &View, filter: Option<&Filter>, accounts: &[ListedAccount], kinds: &[String]) -> Markup {
    let lang = view.lang;
    let typed = |name: &str| view.field(name).unwrap_or_default();
    let mut merchants: Vec<&str> = accounts.iter().map(|account| account.merchant.as_str()).collect();
    merchants.dedup();
    let day = |name: &str, of: fn(&Filter) -> String| filter.map_or_else(|| typed(name), of);
    html! {
        form.filters method="get" action="/orders" role="search" data-testid="filters" {
            label.search { span { (lang.t("搜索", "Search")) }
                input type="search" name="q" value=(typed("q")) maxlength="128" placeholder=(lang.t("单号、渠道单号、退款单号、用户或商品", "Number, transaction, refund, user or subject")) autocomplete="off" spellcheck="false";
            }
            label { span { (lang.t("从", "From")) } input type="date" name="from" value=(day("from", |own| own.from.to_string())); }
            label { span { (lang.t("到", "To")) } input type="date" name="to" value=(day("to", |own| own.to.to_string())); }
            (choice("state", lang.t("状态", "State"), lang, &typed("state"), State::ALL.iter().map(|state| (state.name(), state.title(lang).to_owned()))))
            (choice("provider", lang.t("渠道", "Provider"), lang, &typed("provider"), Provider::ALL.into_iter().filter(|own| accounts.iter().any(|account| account.provider == *own)).map(|own| (own.name(), ways::provider_name(lang, own).to_owned()))))
            @if merchants.len() > 1 {
                (choice("merchant", lang.t("商户", "Merchant"), lang, &typed("merchant"), merchants.iter().map(|id| (*id, (*id).to_owned()))))
            }
            (choice("type", lang.t("类型", "Type"), lang, &typed("type"), kinds.iter().map(|kind| (kind.as_str(), super::text::kind_name(lang, kind).to_owned()))))
            label { span { (lang.t("用户", "User")) } input name="user" value=(typed("user")) maxlength="128" autocomplete="off" spellcheck="false"; }
            div.actions {
                button.primary type="submit" { (lang.t("查找", "Find")) }
                a.button href="/orders" { (lang.t("清除", "Clear")) }
            }
        }
    }
}

fn choice<'a>(
    name: &str,
    title: &str,
    lang: Lang,
    chosen: &str,
    options: impl Iterator<Item = (&'a str, String)>,
) -> Markup {
    html! {
        label { span { (title) }
            select name=(name) {
                option value="" { (lang.t("全部", "All")) }
                @for (value, title) in options { option value=(value) selected[value == chosen] { (title) } }
            }
        }
    }
}

fn result(console: &Console, view: &View, filter: Option<&Filter>, found: &Found) -> Markup {
    let lang = view.lang;
    let now = console.now();
    let Some(filter) = filter else { return html! {} };
    let caption = match (filter.state, &filter.user) {
        (Some(State::Open), _) => lang.t("待支付的订单", "Unpaid orders").to_owned(),
        (_, Some(user)) => format!("{} {user}", lang.t("用户的订单", "Orders of")),
        (_, None) if filter.from == filter.to => format!("{} {}", lang.t("支付于", "Paid on"), filter.to),
        (_, None) => format!("{} {} – {}", lang.t("支付于", "Paid"), filter.from, filter.to),
    };
    html! {
        @if !found.exact.is_empty() {
            section.card data-testid="exact" {
                header.card-head { h2 { (lang.t("按号码与用户找到", "Found by number or user")) } }
                (rows::table(lang, now, &found.exact, lang.t("找到的订单", "Orders that were found")))
                @if view.field("subjects").is_none() { p.more-link { a href=(view.link("/orders", &[("subjects", Some("1"))])) { (lang.t("也在商品名中查找", "Look in subjects too")) } } }
            }
        }
        @if found.exact.is_empty() || view.field("subjects").is_some() { (list(view, now, &caption, found)) }
    }
}

fn list(view: &View, now: UnixMs, caption: &str, found: &Found) -> Markup {
    let lang = view.lang;
    html! {
        section.card data-testid="orders" {
            header.card-head {
                h2 { (caption) }
                a.button href=(view.link("/orders.csv", &[("cursor", None), ("lang", Some(lang.tag()))])) download data-testid="csv" { "CSV" }
            }
            @if let Some(note) = &found.note { p.muted data-testid="list-note" { (note) } }
            @if found.list.is_empty() {
                div.empty { p { (lang.t("没有找到订单。", "No orders found.")) } p.muted { (lang.t("未支付和已关闭的订单不按日列出：用状态“待支付”，或按单号、用户查找。", "Unpaid and closed orders are not listed by day: choose the state Unpaid, or search by number or user.")) } }
            } @else {
                (rows::table(lang, now, &found.list, caption))
            }
            @if found.next.is_some() || view.field("cursor").is_some() {
                nav.pages aria-label=(lang.t("分页", "Pages")) {
                    @if view.field("cursor").is_some() { a href=(view.link("/orders", &[("cursor", None)])) { (lang.t("回到最新", "Newest")) } }
                    @if let Some(next) = &found.next { a rel="next" data-testid="next" href=(view.link("/orders", &[("cursor", Some(next))])) { (lang.t("更早的", "Older")) } }
                }
            }
        }
    }
}

/// Finds what a page shows. The inner error is a sentence for whoever asked.
async fn find(
    console: &Console,
    view: &View,
    filter: &Filter,
    accounts: Vec<ListedAccount>,
) -> Result<Result<Found, String>, StoreError> {
    let lang = view.lang;
    let cursor = view.field("cursor");
    let not_ours = || layout::not_of_this_list(lang).to_owned();
    if let Some(what) = filter.strange_merchant(&accounts, lang) {
        return Ok(Err(what));
    }
    let mut found = Found::default();
    if filter.state == Some(State::Open) {
        open_orders(console, lang, filter, &mut found).await?;
        return Ok(Ok(found));
    }
    if let Some(user) = &filter.user {
        let wanted = |order: &Order| filter.fits(order) && filter.speaks_of(order);
        let Some((list, next)) = console.store.orders_of(user, PAGE, cursor.as_deref(), wanted).await? else {
            return Ok(Err(not_ours()));
        };
        (found.list, found.next) = (list, next);
        return Ok(Ok(found));
    }
    let after = match cursor.as_deref().map(read_cursor) {
        Some(None) => return Ok(Err(not_ours())),
        Some(after) => after,
        None => None,
    };
    if let (Some(search), None) = (&filter.search, &after) {
        found.exact = exact(console, search, &accounts).await?;
        // Who looks for a number means that number. Subjects are read through for what is none, or when it is asked for.
        if !found.exact.is_empty() && view.field("subjects").is_none() {
            return Ok(Ok(found));
        }
    }
    let accounts = filter.accounts(accounts);
    let mut list = console.store.paid_on_days(&accounts, (filter.from, filter.to), after.as_ref(), 25);
    let (most, patience) = match filter.search {
        Some(_) => (MOST_SEARCHED, SEARCHING),
        None => (MOST_READ, FILTERING),
    };
    let began = Instant::now();
    let mut read = 0;
    loop {
        let entries = list.next::<PaidEntry>(PAGE).await?;
        read += entries.len();
        for (order, position) in with_orders(console, entries).await? {
            let shown = found.exact.iter().any(|own| own.out_trade_no == order.out_trade_no);
            if !shown && filter.fits(&order) && filter.speaks_of(&order) {
                found.list.push(order);
                if found.list.len() == PAGE {
                    found.next = Some(write_cursor(&position));
                    return Ok(Ok(found));
                }
            }
        }
        let Some(position) = list.position() else { return Ok(Ok(found)) };
        if read >= most || read >= PAGE && began.elapsed() > patience {
            found.next = Some(write_cursor(position));
            let back = stamp(position.at());
            let zh = format!("已查看 {read} 笔，查到 {back} 为止；更早的还没有查找。");
            let en = format!("{read} payments were looked at, back to {back}; older ones were not.");
            found.note = filter.is_narrow().then(|| lang.t(&zh, &en).to_owned());
            return Ok(Ok(found));
        }
    }
}

/// Payments with the orders that were credited for them.
pub(super) async fn with_orders(
    console: &Console,
    entries: Vec<shared::store::OnDay<PaidEntry>>,
) -> Result<Vec<(Order, DayPosition)>, StoreError> {
    let numbers: Vec<&str> = entries.iter().map(|found| found.entry.out_trade_no.as_str()).collect();
    let mut orders = console.store.orders(&numbers).await?.into_iter().peekable();
    let mut found = Vec::new();
    for entry in &entries {
        if let Some(order) = orders.next_if(|order| order.out_trade_no == entry.entry.out_trade_no) {
            found.push((order, entry.position.clone()));
        }
    }
    Ok(found)
}

/// The orders that are not paid yet: the schedule has each of them in its index until it ends.
async fn open_orders(console: &Console, lang: Lang, filter: &Filter, found: &mut Found) -> Result<(), StoreError> {
    let (due, whole) = console.store.soonest_due(DUE).await?;
    let mut numbers: Vec<&str> = due
        .iter()
        .filter_map(|item| match &item.what {
            Due::Order(no) => Some(no.as_str()),
            Due::Refund(..)
            | Due::Share(..)
            | Due::Return(..)
            | Due::Task(..)
            | Due::Transfer(_)
            | Due::Authorization(_) => None,
        })
        .collect();
    numbers.dedup();
    found.list = console.store.orders(&numbers).await?;
    found.list.retain(|order| filter.fits(order) && filter.speaks_of(order));
    found.list.sort_by_key(|order| std::cmp::Reverse(order.create_date));
    if !whole {
        let what = lang.t(
            "还有更多：这里是最先到期的。其余请按单号或用户查找。",
            "There are more: these are due first. Look for others by number or user.",
        );
        found.note = Some(what.to_owned());
    }
    Ok(())
}

/// What has the very number that was looked for: an order's, an attempt's, a payment's, a refund's; or the user.
async fn exact(console: &Console, search: &str, accounts: &[ListedAccount]) -> Result<Vec<Order>, StoreError> {
    let store = &console.store;
    let mut numbers = Vec::new();
    match store.holder(search).await? {
        Some(Holder::Order(order)) => numbers.push(order.out_trade_no),
        Some(Holder::Attempt(no)) => numbers.push(no),
        None => {}
    }
    let asked = accounts.iter().map(|ListedAccount { provider, merchant }| async move {
        let (transaction, refund, number) = tokio::join!(
            store.order_of_transaction(*provider, merchant, search),
            store.order_of_refund_number(*provider, merchant, search),
            store.order_of_number(*provider, merchant, search),
        );
        Ok::<_, StoreError>([transaction?, refund?, number?])
    });
    for told in join_all(asked).await {
        numbers.extend(told?.into_iter().flatten());
    }
    numbers.sort();
    numbers.dedup();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut orders = store.orders(&numbers).await?;
    let of_user = store.orders_of(search, 10, None, |_| true).await?.unwrap_or_default().0;
    orders.extend(of_user.into_iter().filter(|order| !numbers.contains(&order.out_trade_no.as_str())));
    Ok(orders)
}

fn read_cursor(text: &str) -> Option<DayPosition> {
    let bytes = crypto::from_base64(text).ok()?;
    serde_json::from_value(parsed(std::str::from_utf8(&bytes).ok()?)).ok()
}

fn write_cursor(position: &DayPosition) -> String {
    crypto::base64(serde_json::json!(position).to_string().as_bytes())
}
