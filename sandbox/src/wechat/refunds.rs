//! APIv3 refunds (wechat.md 2.5).

use super::v3::{Cx, Refusal, Reply};
use super::{auth, objects, rules};
use crate::faults::Misbehaviour;
use crate::ids;
use crate::ledger::{Refund, RefundState, Trade};
use crate::provider::{Provider, Wire};
use crate::state::State;
use serde_json::Value;

/// A trade can be refunded for so long after its payment, and so often.
const WINDOW_MS: i64 = 365 * 24 * 3600 * 1000;
const MOST_REFUNDS: usize = 50;
/// A refund settles after this (the provider's time, divided by the options' divisor).
pub(crate) const SETTLE_SECONDS: u64 = 3;

/// A refund as both protocols ask for it.
pub(crate) struct Wanted {
    pub(crate) out_refund_no: String,
    pub(crate) amount: u64,
    pub(crate) total: u64,
    pub(crate) reason: Option<String>,
    pub(crate) notify_url: Option<String>,
    pub(crate) wire: Wire,
}

/// Why a refund is refused, in neither protocol's words yet.
pub(crate) enum No {
    /// No such trade, or not paid.
    Missing,
    /// The number was used with other amounts or for another trade.
    Mismatch,
    /// The total is not the trade's.
    WrongTotal,
    /// More than is left.
    TooMuch,
    /// The fifty-first.
    TooMany,
    /// More than a year after payment.
    TooLate,
}

/// Enters a refund, or finds the same one again. `settles` is absent when a rule holds it.
pub(crate) fn enter(
    state: &mut State,
    mchid: &str,
    at: Option<usize>,
    wanted: Wanted,
    now: i64,
    settles: Option<i64>,
) -> Result<(usize, usize), No> {
    let at = at.ok_or(No::Missing)?;
    if let Some((t, r)) = state.find_refund(Provider::Wxpay, mchid, &wanted.out_refund_no) {
        let known = &state.trades[t].refunds[r];
        let same = t == at && known.amount == wanted.amount && known.total == wanted.total;
        return if same { Ok((t, r)) } else { Err(No::Mismatch) };
    }
    let trade = &state.trades[at];
    let paid = trade.paid.ok_or(No::Missing)?;
    if now - paid > WINDOW_MS {
        return Err(No::TooLate);
    }
    if wanted.total != trade.amount() {
        return Err(No::WrongTotal);
    }
    if trade.refunded().saturating_add(wanted.amount) > trade.amount() {
        return Err(No::TooMuch);
    }
    if trade.refunds.len() >= MOST_REFUNDS {
        return Err(No::TooMany);
    }
    let refund = Refund {
        provider: Provider::Wxpay,
        merchant: mchid.to_owned(),
        number: trade.number.clone(),
        out_refund_no: wanted.out_refund_no,
        refund_id: ids::refund_id(now),
        amount: wanted.amount,
        total: wanted.total,
        state: RefundState::Processing,
        reason: wanted.reason,
        notify_url: wanted.notify_url,
        created: now,
        settled: None,
        wire: wanted.wire,
    };
    Ok((at, state.refund(at, refund, settles)))
}

fn refusal(no: &No) -> Refusal {
    match no {
        No::Missing => Refusal::new(404, "RESOURCE_NOT_EXISTS", "订单不存在", 268_512_771),
        No::Mismatch => {
            Refusal::new(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试", 268_435_461)
        }
        No::WrongTotal => Refusal::new(400, "INVALID_REQUEST", "订单金额与原订单不一致", 268_435_461),
        No::TooMuch => Refusal::new(400, "INVALID_REQUEST", "累计退款金额大于支付金额", 268_435_461),
        No::TooMany => Refusal::new(403, "RULE_LIMIT", "订单退款次数超过50次", 268_435_461),
        No::TooLate => Refusal::new(403, "TRADE_OVERDUE", "订单已经超过可退款的最大期限", 268_435_461),
    }
}

fn same_sub(trade: &Trade, sub: Option<&str>) -> bool {
    trade.sub_merchant.as_deref() == sub
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::REFUND)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let amount = |name: &str| body.get("amount").and_then(|a| a.get(name)).and_then(Value::as_u64).unwrap_or_default();
    if text("transaction_id").is_some() == text("out_trade_no").is_some() {
        return Err(Refusal::param("transaction_id和out_trade_no二选一"));
    }
    if amount("refund") > amount("total") {
        return Err(Refusal::param("退款金额不能大于订单金额").field("/amount/refund", "body"));
    }
    let now = cx.sandbox.now();
    let by_public_key = cx.inbound.header("wechatpay-serial").is_some_and(|id| id.starts_with("PUB_KEY_ID_"));
    let held = cx.fault == Some(Misbehaviour::HoldRefund);
    let settles = (!held).then(|| now + cx.sandbox.scaled_ms(SETTLE_SECONDS));
    let mut state = cx.sandbox.state();
    let at = match (text("transaction_id"), text("out_trade_no")) {
        (Some(id), _) => state.find_transaction(cx.mchid(), id),
        (_, number) => number.and_then(|number| state.find(Provider::Wxpay, cx.mchid(), number)),
    };
    let at = at.filter(|at| same_sub(&state.trades[*at], text("sub_mchid")));
    let wanted = Wanted {
        out_refund_no: text("out_refund_no").unwrap_or_default().to_owned(),
        amount: amount("refund"),
        total: amount("total"),
        reason: text("reason").map(str::to_owned),
        notify_url: text("notify_url").map(str::to_owned),
        wire: if by_public_key { Wire::V3 } else { Wire::V3_CERT },
    };
    let (t, r) = enter(&mut state, cx.mchid(), at, wanted, now, settles).map_err(|no| refusal(&no))?;
    let trade = &state.trades[t];
    Ok(Some(objects::refund(trade, &trade.refunds[r])))
}

pub(crate) fn query(cx: &Cx<'_>, number: &str) -> Reply {
    let missing = || Refusal::new(404, "RESOURCE_NOT_EXISTS", "退款单不存在", 268_512_771);
    let state = cx.sandbox.state();
    let (t, r) = state.find_refund(Provider::Wxpay, cx.mchid(), number).ok_or_else(missing)?;
    let trade = &state.trades[t];
    if !same_sub(trade, cx.inbound.arg("sub_mchid").as_deref()) {
        return Err(missing());
    }
    Ok(Some(objects::refund(trade, &trade.refunds[r])))
}

/// An abnormal refund is sent to a bank card: it is PROCESSING again, and settles.
pub(crate) fn abnormal(cx: &Cx<'_>, refund_id: &str) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::ABNORMAL)?;
    let number = body.get("out_refund_no").and_then(Value::as_str).unwrap_or_default();
    let wanted = cx.inbound.header("wechatpay-serial");
    let (key, serial) = auth::signer(cx.merchant, wanted);
    for name in ["bank_account", "real_name"] {
        let Some(sealed) = body.get(name).and_then(Value::as_str) else {
            continue;
        };
        if wanted != Some(serial) || key.oaep_open(sealed).is_none() {
            return Err(Refusal::param("敏感字段解密失败，请检查Wechatpay-Serial").field(name, "body"));
        }
    }
    let now = cx.sandbox.now();
    let settles = now + cx.sandbox.scaled_ms(SETTLE_SECONDS);
    let mut state = cx.sandbox.state();
    let found = state.find_refund(Provider::Wxpay, cx.mchid(), number);
    let (t, r) = found
        .filter(|(t, r)| state.trades[*t].refunds[*r].refund_id == refund_id)
        .ok_or_else(|| Refusal::new(404, "RESOURCE_NOT_EXISTS", "退款单不存在", 268_512_771))?;
    let refund = &mut state.trades[t].refunds[r];
    if refund.state != RefundState::Abnormal {
        return Err(Refusal::new(400, "INVALID_REQUEST", "退款单状态不是ABNORMAL", 268_435_461));
    }
    refund.state = RefundState::Processing;
    refund.settled = None;
    if cx.fault != Some(Misbehaviour::HoldRefund) {
        state.schedule(settles, crate::state::Due::Refund(t, r));
    }
    let trade = &state.trades[t];
    Ok(Some(objects::refund(trade, &trade.refunds[r])))
}
