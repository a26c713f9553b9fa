//! Orders as rows of a table.

use super::text::{Lang, ago, badge, kind_name, money};
use super::view::order_path;
use super::ways;
use crate::plain;
use maud::{Markup, html};
use shared::domain::{Fen, Order, UnixMs};

/// A table of orders, for eyes and for screen readers.
pub(super) fn table(lang: Lang, now: UnixMs, orders: &[Order], caption: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.list data-testid="order-table" {
                caption.sr { (caption) }
                thead { tr {
                    th scope="col" { (lang.t("订单", "Order")) }
                    th scope="col" { (lang.t("时间", "When")) }
                    th.minor scope="col" { (lang.t("支付方式", "Payment method")) }
                    th.minor scope="col" { (lang.t("商户", "Merchant")) }
                    th.minor scope="col" { (lang.t("用户", "User")) }
                    th.number scope="col" { (lang.t("金额", "Amount")) }
                    th scope="col" { (lang.t("状态", "State")) }
                } }
                tbody { @for order in orders { (row(lang, now, order)) } }
            }
        }
    }
}

fn row(lang: Lang, now: UnixMs, order: &Order) -> Markup {
    html! {
        tr data-order=(order.out_trade_no) {
            th scope="row" {
                a href=(order_path(&order.out_trade_no)) { (plain::clean(&order.description)) }
                code { (order.out_trade_no) }
            }
            td { (ago(lang, order.pay_date.unwrap_or(order.create_date), now)) }
            td.minor {
                span.way data-provider=(order.provider.name()) { (ways::name(lang, &order.pay_type)) }
                span.kind { (kind_name(lang, &order.kind)) }
            }
            td.minor { (order.merchant) }
            td.minor { (order.user_id.as_deref().unwrap_or("–")) }
            td.number {
                (money(order.total_fee))
                @if order.refund_fee > Fen::ZERO { span.back { "− " (money(order.refund_fee)) } }
            }
            td {
                @if is_undelivered(order) {
                    span.badge data-tone="bad" data-state=(order.trade_state.name()) title=(order.user_order_reason.as_deref().unwrap_or_default()) { (lang.t("未交付", "Not delivered")) }
                } @else {
                    (badge(lang, order.trade_state, order.refund_fee >= order.total_fee))
                }
            }
        }
    }
}

/// Paid, and the handler has not done its work: somebody waits for it, unless all of the money went back.
pub(super) fn is_undelivered(order: &Order) -> bool {
    order.trade_state.is_paid() && order.user_order_success == Some(false) && order.refund_fee < order.total_fee
}
