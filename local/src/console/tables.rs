//! `/tables`: what stands in the tables, read-only, newest first.

use super::layout;
use super::text::{Lang, in_order, json, moment, parsed};
use super::view::{Console, View};
use crate::dynamo::{BUSINESS_TABLES, TABLE};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde_json::{Map, Value};
use shared::domain::UnixMs;
use std::sync::Arc;

/// How many items are shown.
const SHOWN: usize = 100;
/// How many columns stand beside the drawer.
const COLUMNS: usize = 7;

/// The first table.
pub(super) async fn index() -> Redirect {
    Redirect::to("/tables/uni-id-users")
}

/// One table. A small one is read whole and shown newest first; a large one as it comes, page by page.
pub(super) async fn page(State(console): State<Arc<Console>>, Path(name): Path<String>, view: View) -> Response {
    let lang = view.lang;
    let names: Vec<&str> = BUSINESS_TABLES.into_iter().chain([console.table.as_str()]).collect();
    if console.local.is_none() || !names.contains(&name.as_str()) {
        return (StatusCode::NOT_FOUND, layout::bare(&view, lang.t("没有这张表", "There is no such table")))
            .into_response();
    }
    let after = view.field("after").map(|text| parsed(&text));
    let number = view.field("from").map_or(Ok(0), |text| text.parse::<usize>());
    let key = |key: &Value| key.as_object().is_some_and(|key| !key.is_empty() && key.values().all(Value::is_string));
    let Some(from) = number.ok().filter(|_| after.as_ref().is_none_or(key)) else {
        return layout::wrong(&view, layout::not_of_this_list(lang));
    };
    let (mut items, next) = match console.scan(&name, None, after.as_ref().and_then(Value::as_object)).await {
        Ok(page) => page,
        Err(what) => return (StatusCode::BAD_GATEWAY, layout::bare(&view, &what)).into_response(),
    };
    let whole = after.is_none() && next.is_none();
    if whole {
        items.sort_by_key(|item| std::cmp::Reverse(date(item)));
    }
    let columns = columns(&name, &items);
    let shown = items.get(from..).unwrap_or_default();
    let more = shown.len() > SHOWN;
    let onward = match (&next, more) {
        (_, true) => Some(view.link(&view.path, &[("from", Some(&(from + SHOWN).to_string()))])),
        (Some(key), false) => {
            let key = Value::Object(key.clone()).to_string();
            Some(view.link(&view.path, &[("from", None), ("after", Some(&key))]))
        }
        (None, false) => None,
    };
    let body = html! {
        nav.tabs aria-label=(lang.t("数据表", "Tables")) {
            @for table in &names { a href=(format!("/tables/{table}")) aria-current=[(*table == name).then_some("page")] { (table) } }
        }
        section.card data-testid="table" data-table=(name) {
            header.card-head {
                h2 { (name) }
                span.muted {
                    @if whole { (items.len()) " " (lang.t("行，只读，新的在前", "items, read-only, newest first")) }
                    @else { (lang.t("只读；表很大，按存储顺序分页", "read-only; a large table, page by page in the order that it is stored")) }
                }
            }
            @if shown.is_empty() { div.empty { p.muted { (lang.t("还没有数据。", "Nothing here yet.")) } } }
            @else { (table(lang, &columns, shown, &name)) }
            @if onward.is_some() || from > 0 || after.is_some() {
                nav.pages aria-label=(lang.t("分页", "Pages")) {
                    @if from > 0 || after.is_some() { a href=(view.path) { (lang.t("回到开头", "From the beginning")) } }
                    @if let Some(onward) = &onward { a rel="next" data-testid="next" href=(onward) { (lang.t("下一页", "Next page")) } }
                }
            }
        }
    };
    layout::page(&console, &view, &name, &body).await
}

fn table(lang: Lang, columns: &[String], items: &[Map<String, Value>], name: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(name) {
            table {
                caption.sr { (name) }
                thead { tr { @for column in columns { th scope="col" { (column) } } th scope="col" { span.sr { (lang.t("全部字段", "All fields")) } } } }
                tbody {
                    @for item in items.iter().take(SHOWN) {
                        tr {
                            @for column in columns {
                                td data-field=(column) { @if let Some(value) = field(item, column) { (cell(column, value)) } }
                            }
                            td.end { details.drawer { summary { "JSON" } (json(&in_order(&Value::Object(item.clone())))) } }
                        }
                    }
                }
            }
        }
    }
}

/// An item's field; `what` and `amount` are what the orders table's kinds of items call differently.
fn field<'a>(item: &'a Map<String, Value>, column: &'a str) -> Option<&'a Value> {
    let names: &[&str] = match column {
        "what" => &["trade_state", "event", "state", "incident"],
        "amount" => &["refund_fee", "total_fee"],
        "create_date" => &["create_date", "time"],
        other => return item.get(other),
    };
    let names = names.iter().filter(|name| **name != "refund_fee" || !item.contains_key("total_fee"));
    names.copied().find_map(|name| item.get(name))
}

fn cell(column: &str, value: &Value) -> Markup {
    match value {
        Value::Number(number) if column.ends_with("_date") || column == "time" => {
            html! { time title=(number) { (moment(UnixMs::new(number.as_i64().unwrap_or_default()))) } }
        }
        Value::String(text) => {
            html! { (text.chars().take(48).collect::<String>()) @if text.chars().count() > 48 { "…" } }
        }
        value => html! { (value) },
    }
}

fn date(item: &Map<String, Value>) -> i64 {
    ["time", "create_date", "register_date", "list_date"]
        .iter()
        .find_map(|name| item.get(*name).and_then(Value::as_i64))
        .unwrap_or_default()
}

/// The columns worth seeing at once: the key first, then what most items have.
fn columns(table: &str, items: &[Map<String, Value>]) -> Vec<String> {
    if table == TABLE {
        return ["kind", "out_trade_no", "what", "amount", "create_date"].map(str::to_owned).to_vec();
    }
    let mut columns = vec!["_id".to_owned()];
    let mut counted: Vec<(String, usize)> = Vec::new();
    for (name, value) in items.iter().flat_map(|item| item.iter()) {
        if name == "_id" || value.is_object() || value.is_array() {
            continue;
        }
        match counted.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => *count += 1,
            None => counted.push((name.clone(), 1)),
        }
    }
    // An order number that is the key already says nothing twice.
    counted.retain(|(name, _)| name != "out_trade_no" || table == "uni-id-users");
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    columns.extend(counted.into_iter().take(COLUMNS - 1).map(|(name, _)| name));
    columns
}
