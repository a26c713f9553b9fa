//! Orders as rows of a table.

use super::Session;
use super::text::{Table, clean, moment, moment_or_dash, money, state, zone};
use serde_json::{Map, Value, json};
use shared::domain::{Fen, Order};

/// A table of orders.
pub(super) fn orders(session: &Session, list: &[Order]) -> Table {
    let mut table = Table::new(&[
        session.t("订单号", "order"),
        session.t("状态", "state"),
        session.t(">金额", ">amount"),
        session.t(">已退", ">refunded"),
        session.t("支付方式", "way"),
        session.t("商户", "merchant"),
        session.t("类型", "type"),
        session.t("交付", "delivered"),
        session.t("创建", "created"),
        session.t("支付", "paid"),
        session.t("标题", "subject"),
    ]);
    for order in list {
        table.row([
            order.out_trade_no.clone(),
            state(session.lang, order.trade_state, order.refund_fee >= order.total_fee).to_owned(),
            money(order.total_fee),
            if order.refund_fee > Fen::ZERO { money(order.refund_fee) } else { "-".to_owned() },
            order.pay_type.clone(),
            order.merchant.clone(),
            order.kind.clone(),
            delivered(session, order).to_owned(),
            moment(order.create_date),
            moment_or_dash(order.pay_date),
            short(&order.description),
        ]);
    }
    table
}

/// Whether the handler has done its work.
pub(super) fn delivered(session: &Session, order: &Order) -> &'static str {
    match (order.trade_state.is_paid(), order.user_order_success) {
        (false, _) => "-",
        (true, Some(true)) => session.lang.t("是", "yes"),
        (true, Some(false)) => session.lang.t("否", "NO"),
        (true, None) => session.lang.t("进行中", "not yet"),
    }
}

/// An order as a list in JSON has it: VK-Pay's columns.
pub(super) fn columns(order: &Order) -> Value {
    Value::Object(order.columns())
}

/// Where all that is, in JSON.
pub(super) fn place(session: &Session) -> Value {
    json!(session.target.place)
}

/// The beginning of a text.
fn short(text: &str) -> String {
    const MOST: usize = 24;
    if text.chars().count() <= MOST { text.to_owned() } else { text.chars().take(MOST - 1).chain(['…']).collect() }
}

/// The text of a field, or a dash.
pub(super) fn field(item: &Map<String, Value>, name: &str) -> String {
    match item.get(name) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        _ => "-".to_owned(),
    }
}

/// How an order stands, in a line or two.
pub(super) fn standing(session: &Session, order: &Order) -> Vec<String> {
    let mut lines = orders(session, std::slice::from_ref(order)).lines();
    if let Some(reason) = order.user_order_reason.as_deref().filter(|_| order.user_order_success == Some(false)) {
        lines.push(format!("{} {}", session.t("未交付：", "not delivered:"), clean(reason)));
    }
    lines.push(zone(session.lang).to_owned());
    lines
}
