//! `/orders.csv`: what the page of orders lists, as a file for spreadsheets, written while it is read.

use super::filter::{Filter, MOST_DAYS_OF_FILE, State};
use super::layout;
use super::orders::with_orders;
use super::text::stamp;
use super::view::{Console, View};
use crate::plain;
use axum::body::{Body, Bytes};
use axum::extract::State as Of;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use shared::domain::{Fen, Order, UnixMs};
use shared::store::{PaidEntry, StoreError};
use std::sync::Arc;
use tokio::sync::mpsc::{self, Sender};

/// How many orders are read at once.
const READ: usize = 500;

/// The columns, by the API's names where it has them.
const COLUMNS: [&str; 18] = [
    "out_trade_no",
    "trade_state",
    "pay_date",
    "create_date",
    "provider",
    "pay_type",
    "merchant",
    "type",
    "subject",
    "user_id",
    "total_fee_yuan",
    "refund_fee_yuan",
    "total_fee_fen",
    "refund_fee_fen",
    "currency",
    "transaction_id",
    "user_order_success",
    "user_order_reason",
];

type Lines = Sender<Result<Bytes, StoreError>>;

/// The file.
pub(super) async fn file(Of(console): Of<Arc<Console>>, view: View) -> Response {
    let filter = match Filter::read(&view, console.now(), MOST_DAYS_OF_FILE) {
        Ok(filter) => filter,
        Err(what) => return (StatusCode::BAD_REQUEST, layout::bare(&view, &what)).into_response(),
    };
    if filter.state == Some(State::Open) {
        let what = view
            .lang
            .t("待支付的订单不能导出：它们不按日列出", "unpaid orders cannot be exported: they are not listed by day");
        return (StatusCode::BAD_REQUEST, layout::bare(&view, what)).into_response();
    }
    if let Some(what) = filter.strange_merchant(&console.listed_accounts().await, view.lang) {
        return layout::wrong(&view, &what);
    }
    let name = format!("attachment; filename=\"orders-{}-{}.csv\"", filter.from, filter.to);
    let (lines, taken) = mpsc::channel(2);
    tokio::spawn(async move {
        // One who hangs up ends the reading. What cannot be read ends the file without its end, so that it is seen.
        if let Err(error) = write(&console, &filter, &lines).await {
            tracing::error!("a file of orders ended early: {error}");
            let _ = lines.send(Err(error)).await;
        }
    });
    let body = stream::unfold(taken, |mut taken| async move { Some((taken.recv().await?, taken)) });
    let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    (kind, Body::from_stream(body)).into_response()
}

async fn write(console: &Console, filter: &Filter, lines: &Lines) -> Result<(), StoreError> {
    // Spreadsheets take a file for UTF-8 by this mark.
    let mut text = format!("\u{feff}{}\r\n", COLUMNS.join(","));
    let wanted = |order: &Order| filter.fits(order) && filter.speaks_of(order);
    if let Some(user) = &filter.user {
        let mut cursor = None;
        loop {
            let page = console.store.orders_of(user, 100, cursor.as_deref(), wanted).await?;
            let (orders, next) = page.unwrap_or_default();
            text.extend(orders.iter().map(line));
            if lines.send(Ok(std::mem::take(&mut text).into())).await.is_err() || next.is_none() {
                return Ok(());
            }
            cursor = next;
        }
    }
    let accounts = filter.accounts(console.listed_accounts().await);
    let mut list = console.store.paid_on_days(&accounts, (filter.from, filter.to), None, 250);
    loop {
        let entries = list.next::<PaidEntry>(READ).await?;
        let orders = with_orders(console, entries).await?;
        text.extend(orders.iter().map(|(order, _)| order).filter(|order| wanted(order)).map(line));
        let sent = text.is_empty() || lines.send(Ok(std::mem::take(&mut text).into())).await.is_ok();
        if !sent || list.position().is_none() {
            return Ok(());
        }
    }
}

fn line(order: &Order) -> String {
    let yuan = |fee: Fen| fee.to_yuan();
    let when = |at: Option<UnixMs>| at.map(stamp).unwrap_or_default();
    let cells = [
        order.out_trade_no.clone(),
        order.trade_state.name().to_owned(),
        when(order.pay_date),
        when(Some(order.create_date)),
        order.provider.name().to_owned(),
        order.pay_type.clone(),
        order.merchant.clone(),
        order.kind.clone(),
        order.description.clone(),
        order.user_id.clone().unwrap_or_default(),
        yuan(order.total_fee),
        yuan(order.refund_fee),
        order.total_fee.0.to_string(),
        order.refund_fee.0.to_string(),
        order.currency.clone(),
        order.transaction_id.clone().unwrap_or_default(),
        order.user_order_success.map(|done| done.to_string()).unwrap_or_default(),
        order.user_order_reason.clone().unwrap_or_default(),
    ];
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    format!("{}\r\n", cells.join(","))
}

/// A text as a cell (RFC 4180), which no spreadsheet runs.
fn cell(text: &str) -> String {
    let text = plain::cell(text);
    if text.contains([',', '"', '\n', '\r', '\t', '\'']) {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_and_keeps_commas_quotes_and_lines() {
        for (text, expected) in [
            ("tea", "tea"),
            ("=1+1", "\"'=1+1\""),
            ("+86", "\"'+86\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\tx", "\"'\tx\""),
            ("a,\"b\"\nc", "\"a,\"\"b\"\"\nc\""),
            ("", ""),
            ("订单=1", "订单=1"),
        ] {
            assert_eq!(cell(text), expected, "{text}");
        }
    }
}
