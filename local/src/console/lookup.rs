//! An order, its trade at the sandbox and its pay parameters, for the pages that are about one.

use super::text::{Lang, parsed};
use super::view::{Console, View, back_to, order_path};
use super::{layout, ways};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use shared::domain::action::Action;
use shared::domain::{Attempt, Order, Parameters};

/// The path of what the console refused by itself: no call was made.
pub(super) const UNSENT: &str = "-";

/// The trade at the sandbox that the current attempt became.
pub(super) fn simulated(console: &Console, order: &Order) -> Option<::sandbox::Trade> {
    let attempt = order.paid_attempt().unwrap_or_else(|| order.current());
    let sandbox = console.sandbox()?;
    let provider = ways::at_sandbox(attempt.provider);
    let numbers = attempt.numbers.iter().rev().chain([&attempt.number]);
    numbers.into_iter().find_map(|number| sandbox.trade_at(provider, number))
}

/// The pay parameters of an attempt, where it has any.
pub(super) async fn parameters(console: &Console, order: &Order, n: u64) -> Option<Parameters> {
    console.store.parameters(&order.out_trade_no, n).await.ok().flatten()
}

/// What the payer's client would carry to the wallet, where wallets open texts: an order string, or a page's URL.
pub(super) fn carried(order: &Order, parameters: Option<&Parameters>) -> Option<String> {
    if !ways::face(order.current().provider).carries_text {
        return None;
    }
    let info = parsed(&parameters?.order_info);
    match (&info, info.get("payUrl").and_then(Value::as_str)) {
        (_, Some(url)) => Some(url.to_owned()),
        (Value::String(text), _) if text.contains("sign=") => Some(text.clone()),
        _ => None,
    }
}

/// Why the sandbox does not have an attempt: it keeps its books in memory, or never made it.
pub(super) fn why_gone(console: &Console, lang: Lang, attempt: &Attempt) -> &'static str {
    let before = console.local.as_ref().is_some_and(|local| attempt.create_date < local.started);
    match before {
        true => lang.t(
            "沙箱重启后账本已清空，不认识这笔交易。",
            "The sandbox has been restarted since and no longer knows this trade.",
        ),
        false => lang.t(
            "渠道没有这笔交易：下单没有成功，或结果未知。",
            "The provider does not have this trade: it was not created there, or its outcome is not known.",
        ),
    }
}

pub(super) fn missing(view: &View) -> Response {
    (StatusCode::NOT_FOUND, layout::bare(view, view.lang.t("没有这笔订单", "There is no such order"))).into_response()
}

/// Calls an action about an order, and goes back to its page.
pub(super) async fn done(
    console: &Console,
    view: &View,
    no: &str,
    action: impl Into<Action>,
    data: Map<String, Value>,
) -> Response {
    let did = console.call(view, action, data).await;
    back_to(&format!("{}?did={}", order_path(no), did.id))
}
