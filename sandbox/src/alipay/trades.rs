//! Query, close, cancel of trades that exist (alipay.md 2.2, 2.3).

use super::orders::fields;
use super::refunds::{Back, returned};
use super::request::{Wanted, check};
use super::{Cx, Refusal, Reply, Table};
use crate::crypto::b64;
use crate::ids;
use crate::ledger::{Trade, TradeState};
use crate::provider::Provider;
use crate::state::State;
use Wanted::{Nested, Text};
use serde_json::{Map, Value, json};

const NAMED: Table = &[
    ("out_trade_no", false, Text(64)),
    ("trade_no", false, Text(64)),
    ("query_options", false, Nested),
    ("operator_id", false, Text(30)),
];

/// A cancel is possible for so long after creation.
const CANCEL_MS: i64 = 24 * 3_600_000;

/// The trade that `trade_no` (which wins) or `out_trade_no` names, if anybody has made it exist.
pub(crate) fn find(cx: &Cx<'_>, state: &mut State) -> Result<Option<usize>, Refusal> {
    let at = match (cx.text("trade_no"), cx.text("out_trade_no")) {
        (Some(id), _) => state.find_transaction(cx.app_id(), id),
        (None, Some(number)) => state.find(Provider::Alipay, cx.app_id(), number),
        (None, None) => {
            return Err(Refusal::business("INVALID_PARAMETER", "参数无效：out_trade_no和trade_no不能同时为空"));
        }
    };
    let now = cx.sandbox.now();
    Ok(at.filter(|at| state.current(*at, now).transaction_id.is_some()))
}

pub(crate) fn missing() -> Refusal {
    Refusal::business("TRADE_NOT_EXIST", "交易不存在")
}

/// A trade as query and pay answer it.
pub(crate) fn described(trade: &Trade) -> Map<String, Value> {
    let amount = ids::yuan(trade.amount());
    let mut node = fields([
        ("trade_no", json!(trade.transaction_id)),
        ("out_trade_no", json!(trade.number)),
        ("buyer_logon_id", json!("159****5620")),
        ("total_amount", json!(amount)),
    ]);
    let buyer = trade.payer.as_deref().unwrap_or("2088102146225135");
    let name = if buyer.starts_with("2088") { "buyer_user_id" } else { "buyer_open_id" };
    node.insert(name.to_owned(), json!(buyer));
    if let Some(paid) = trade.paid {
        node.extend(fields([
            ("buyer_pay_amount", json!(amount)),
            ("receipt_amount", json!(amount)),
            ("invoice_amount", json!(amount)),
            ("point_amount", json!("0.00")),
            ("send_pay_date", json!(ids::spaced(paid))),
            ("gmt_payment", json!(ids::spaced(paid))),
            ("fund_bill_list", json!([{"fund_channel": "ALIPAYACCOUNT", "amount": amount}])),
        ]));
    }
    node
}

pub(crate) fn query(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[NAMED])?;
    let mut state = cx.sandbox.state();
    let at = find(cx, &mut state)?.ok_or_else(missing)?;
    let trade = &state.trades[at];
    let mut node = described(trade);
    node.remove("gmt_payment");
    node.insert("trade_status".to_owned(), json!(trade_status(trade)));
    if let Some(passback) = &trade.attach {
        node.insert("passback_params".to_owned(), json!(passback));
    }
    Ok(node)
}

pub(crate) fn close(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[NAMED])?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = find(cx, &mut state)?.ok_or_else(missing)?;
    let trade = &mut state.trades[at];
    match trade.state {
        TradeState::NotPay | TradeState::UserPaying => {
            trade.state = TradeState::Closed;
            trade.closed = Some(now);
            Ok(fields([("trade_no", json!(trade.transaction_id)), ("out_trade_no", json!(trade.number))]))
        }
        TradeState::Closed => Err(Refusal::business("REASON_ILLEGAL_STATUS", "交易状态异常")),
        _ => Err(Refusal::business("REASON_TRADE_STATUS_INVALID", "交易状态不合法")),
    }
}

pub(crate) fn cancel(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[NAMED])?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let mut node = fields([("retry_flag", json!("N"))]);
    for name in ["trade_no", "out_trade_no"] {
        if let Some(value) = cx.text(name) {
            node.insert(name.to_owned(), json!(value));
        }
    }
    let Some(at) = find(cx, &mut state)? else {
        return Ok(node);
    };
    let trade = &state.trades[at];
    if now - trade.created > CANCEL_MS {
        return Err(Refusal::business("TRADE_CANCEL_TIME_OUT", "超过撤销时间范围"));
    }
    node.insert("trade_no".to_owned(), json!(trade.transaction_id));
    node.insert("out_trade_no".to_owned(), json!(trade.number));
    if trade.payable() {
        let trade = &mut state.trades[at];
        trade.state = TradeState::Closed;
        trade.closed = Some(now);
        node.insert("action".to_owned(), json!("close"));
    } else if trade.paid.is_some() && trade.refunded() < trade.amount() {
        let (rest, number) = (trade.amount() - trade.refunded(), format!("cancel_{}", trade.number));
        let back = Back { out_request_no: number, amount: rest, reason: None, held: false };
        returned(&mut state, at, back, now);
        node.insert("action".to_owned(), json!("refund"));
        node.insert("gmt_refund_pay".to_owned(), json!(ids::spaced(now)));
    }
    Ok(node)
}

const CERTIFICATE: Table = &[("alipay_cert_sn", true, Text(64))];

/// `alipay.open.app.alipaycert.download` (alipay.md 1.4).
pub(crate) fn certificate(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[CERTIFICATE])?;
    let keys = &cx.merchant.keys;
    if cx.text("alipay_cert_sn") != Some(&keys.alipay_cert_sn) {
        return Err(Refusal::new("40004", "CERT_NOT_EXIST", "证书不存在"));
    }
    Ok(fields([("alipay_cert_content", json!(b64(keys.alipay_cert.as_bytes())))]))
}

/// `trade_status` (alipay.md 2.3).
pub(crate) fn trade_status(trade: &Trade) -> &'static str {
    match trade.state {
        TradeState::Unseen | TradeState::NotPay | TradeState::UserPaying => "WAIT_BUYER_PAY",
        TradeState::Success => "TRADE_SUCCESS",
        TradeState::Refund if trade.returned() < trade.amount() => "TRADE_SUCCESS",
        _ => "TRADE_CLOSED",
    }
}
