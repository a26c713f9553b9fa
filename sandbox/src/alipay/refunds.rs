//! Refunds at Alipay (alipay.md 2.2): settled at once, told by `fund_change`.

use super::orders::fields;
use super::request::{Wanted, check};
use super::{Cx, Refusal, Reply, Table, sharing, trades};
use crate::faults::Misbehaviour;
use crate::ids;
use crate::ledger::{Refund, RefundOutcome, RefundState};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::state::State;
use Wanted::{Nested, Text, Yuan};
use serde_json::{Value, json};

const REFUND: Table = &[
    ("out_trade_no", false, Text(64)),
    ("trade_no", false, Text(64)),
    ("refund_amount", true, Yuan),
    ("out_request_no", false, Text(64)),
    ("refund_reason", false, Text(256)),
    ("refund_currency", false, Text(8)),
    ("goods_detail", false, Nested),
    ("refund_goods_detail", false, Nested),
    ("operator_id", false, Text(30)),
    ("store_id", false, Text(32)),
    ("terminal_id", false, Text(32)),
    ("refund_royalty_parameters", false, Nested),
    ("query_options", false, Nested),
];
const QUERY: Table = &[
    ("out_trade_no", false, Text(64)),
    ("trade_no", false, Text(64)),
    ("out_request_no", true, Text(64)),
    ("query_options", false, Nested),
];

/// A trade can be refunded for three months; then it is finished.
const WINDOW_MS: i64 = 90 * 24 * 3_600_000;

/// Money that goes back.
pub(crate) struct Back {
    pub(crate) out_request_no: String,
    pub(crate) amount: u64,
    pub(crate) reason: Option<String>,
    /// It does not settle by itself.
    pub(crate) held: bool,
}

/// Enters a refund of a paid trade and, unless held, settles it.
pub(crate) fn returned(state: &mut State, at: usize, back: Back, now: i64) {
    let trade = &state.trades[at];
    let refund = Refund {
        provider: Provider::Alipay,
        merchant: trade.merchant.clone(),
        number: trade.number.clone(),
        out_refund_no: back.out_request_no,
        refund_id: trade.transaction_id.clone().unwrap_or_default(),
        amount: back.amount,
        total: trade.amount(),
        state: RefundState::Processing,
        reason: back.reason,
        notify_url: trade.notify_url.clone(),
        created: now,
        settled: None,
        wire: trade.wire,
    };
    let r = state.refund(at, refund, None);
    if !back.held {
        state.settle(at, r, RefundOutcome::Success, now);
    }
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    if sharing::is_return(cx.biz) {
        return sharing::take_back(cx);
    }
    check(cx.biz, &[REFUND])?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = trades::find(cx, &mut state)?.ok_or_else(trades::missing)?;
    let amount = cx.text("refund_amount").and_then(ids::fen).unwrap_or_default();
    let trade = &state.trades[at];
    let paid = trade.paid.ok_or_else(|| match trade.payable() {
        true => Refusal::business("TRADE_STATUS_ERROR", "交易状态不合法"),
        false => Refusal::business("TRADE_HAS_CLOSE", "交易已经关闭"),
    })?;
    let number = match cx.text("out_request_no") {
        Some(number) => number.to_owned(),
        None if amount == trade.amount() => trade.number.clone(),
        None => {
            return Err(Refusal::business("INVALID_PARAMETER", "参数无效：部分退款必传out_request_no"));
        }
    };
    // A refund and a return are of one kind: the same number is the same request.
    if sharing::has_returned(trade, &number) {
        return sharing::told(trade, false);
    }
    let known = trade.refunds.iter().find(|refund| refund.out_refund_no == number);
    let mut moved = false;
    match known.map(|known| (known.amount, known.state)) {
        Some((known, _)) if known != amount => {
            return Err(Refusal::business("DISCORDANT_REPEAT_REQUEST", "请求信息不一致"));
        }
        Some(_) => {}
        None if now - paid > WINDOW_MS => {
            return Err(Refusal::business("TRADE_HAS_FINISHED", "交易已完结"));
        }
        None if trade.refunded() >= trade.amount() => {
            return Err(Refusal::business("TRADE_HAS_CLOSE", "交易已经关闭"));
        }
        None if trade.refunded() + amount > trade.amount() => {
            return Err(Refusal::business("REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限"));
        }
        None => {
            let held = cx.fault == Some(Misbehaviour::HoldRefund);
            let reason = cx.text("refund_reason").map(str::to_owned);
            returned(&mut state, at, Back { out_request_no: number, amount, reason, held }, now);
            moved = !held;
        }
    }
    let trade = &state.trades[at];
    let mut node = trades::described(trade);
    node.retain(|name, _| {
        ["trade_no", "out_trade_no", "buyer_logon_id", "buyer_user_id", "buyer_open_id"].contains(&name.as_str())
    });
    node.extend(fields([
        ("fund_change", json!(if moved { "Y" } else { "N" })),
        ("refund_fee", json!(ids::yuan(trade.returned()))),
        ("gmt_refund_pay", json!(ids::spaced(now))),
    ]));
    if asks(cx.biz.get("query_options"), "refund_detail_item_list") {
        node.insert("refund_detail_item_list".to_owned(), channels(amount));
    }
    Ok(node)
}

impl Sandbox {
    /// Refunds a paid trade in Alipay's own console, at once: under a number, which the refund query then knows, or
    /// under none. A callback follows. The refund's place among those of the trade.
    ///
    /// # Errors
    /// When there is no such trade, or less is left of it.
    pub fn console_refund(&self, number: &str, out_request_no: Option<&str>, amount: u64) -> Result<usize, String> {
        let now = self.now();
        let mut state = self.state();
        let at = state.all(number).iter().copied().find(|at| state.trades[*at].provider == Provider::Alipay);
        let at = at.filter(|at| state.trades[*at].paid.is_some()).ok_or("no such paid trade")?;
        let trade = &state.trades[at];
        if trade.refunded() + amount > trade.amount() {
            return Err("less is left".to_owned());
        }
        if out_request_no.is_some_and(|number| trade.refunds.iter().any(|refund| refund.out_refund_no == number)) {
            return Err("the number is used".to_owned());
        }
        let out_request_no = out_request_no.unwrap_or_default().to_owned();
        returned(&mut state, at, Back { out_request_no, amount, reason: None, held: false }, now);
        Ok(state.trades[at].refunds.len() - 1)
    }
}

/// What a refund goes back through: of more than five yuan one is a coupon, which is no money.
fn channels(amount: u64) -> Value {
    let coupon = if amount > 500 { 100 } else { 0 };
    let mut items = vec![json!({"fund_channel": "ALIPAYACCOUNT", "amount": ids::yuan(amount - coupon)})];
    if coupon > 0 {
        items.push(json!({"fund_channel": "COUPON", "amount": ids::yuan(coupon)}));
    }
    Value::Array(items)
}

fn asks(options: Option<&Value>, name: &str) -> bool {
    options.and_then(Value::as_array).is_some_and(|list| list.iter().any(|option| option == name))
}

pub(crate) fn query(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[QUERY])?;
    let mut state = cx.sandbox.state();
    let at = trades::find(cx, &mut state)?.ok_or_else(trades::missing)?;
    let trade = &state.trades[at];
    let number = cx.text("out_request_no").filter(|_| cx.fault != Some(Misbehaviour::KnowsNothing));
    let refund = trade.refunds.iter().find(|r| Some(r.out_refund_no.as_str()) == number);
    let Some(refund) = refund.filter(|refund| refund.state == RefundState::Success) else {
        return Ok(serde_json::Map::new());
    };
    let mut node = fields([
        ("trade_no", json!(trade.transaction_id)),
        ("out_trade_no", json!(trade.number)),
        ("out_request_no", json!(refund.out_refund_no)),
        ("total_amount", json!(ids::yuan(trade.amount()))),
        ("refund_amount", json!(ids::yuan(refund.amount))),
        ("refund_status", json!("REFUND_SUCCESS")),
    ]);
    if let Some(reason) = &refund.reason {
        node.insert("refund_reason".to_owned(), json!(reason));
    }
    if asks(cx.biz.get("query_options"), "refund_detail_item_list") {
        node.insert("refund_detail_item_list".to_owned(), channels(refund.amount));
    }
    if asks(cx.biz.get("query_options"), "gmt_refund_pay") {
        node.insert("gmt_refund_pay".to_owned(), json!(ids::spaced(refund.settled.unwrap_or_default())));
    }
    Ok(node)
}
