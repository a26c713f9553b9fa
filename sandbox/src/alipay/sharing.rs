//! Profit sharing (merchant-operations.md, Profit sharing): who may be given a share, shares, their end, and returns, which
//! are refunds of nothing.

use super::orders::fields;
use super::request::{Wanted, check};
use super::{Account, Cx, PROFILE, Refusal, Reply, Table, notify, trades};
use crate::ids;
use crate::ledger::{Refund, RefundState, Share, ShareReceiver, ShareReturn, Trade};
use crate::outbox::{Notice, SignedRequest};
use crate::provider::Provider;
use crate::sandbox::Sandbox;
use crate::state::State;
use Wanted::{Nested, Text, Word};
use serde_json::{Map, Value, json};

pub(crate) const SETTLE: &str = "alipay.trade.order.settle";
pub(crate) const QUERY: &str = "alipay.trade.order.settle.query";
pub(crate) const LEFT: &str = "alipay.trade.order.onsettle.query";
pub(crate) const BIND: &str = "alipay.trade.royalty.relation.bind";
pub(crate) const UNBIND: &str = "alipay.trade.royalty.relation.unbind";

const SHARE: Table = &[
    ("trade_no", true, Text(64)),
    ("out_request_no", true, Text(32)),
    ("royalty_parameters", false, Nested),
    ("royalty_mode", false, Word(&["sync", "async"])),
    ("extend_params", false, Nested),
    ("operator_id", false, Text(64)),
];
const ASKED: Table =
    &[("trade_no", false, Text(64)), ("out_request_no", false, Text(64)), ("settle_no", false, Text(64))];
const TRADE: Table = &[("trade_no", true, Text(64))];
const RETURN: Table = &[
    ("out_trade_no", false, Text(64)),
    ("trade_no", false, Text(64)),
    ("refund_amount", true, Word(&["0", "0.0", "0.00"])),
    ("out_request_no", true, Text(64)),
    ("refund_reason", false, Text(256)),
    ("refund_royalty_parameters", true, Nested),
    ("query_options", false, Nested),
];
const RECEIVERS: Table = &[("receiver_list", true, Nested), ("out_request_no", true, Text(32))];

/// So many shares can be asked of a payment, with so many receivers each.
const MOST: usize = 50;
/// A share is done so long after it was asked for.
const SECONDS: u64 = 3;

/// Whether an order's money is to be kept for sharing.
pub(crate) fn flagged(biz: &Map<String, Value>) -> bool {
    biz.get("extend_params").is_some_and(|extras| extras["royalty_freeze"] == "true")
}

/// Whether a refund gives nothing to the payer and takes from receivers.
pub(crate) fn is_return(biz: &Map<String, Value>) -> bool {
    let nothing =
        biz.get("refund_amount").and_then(Value::as_str).is_some_and(|yuan| ["0", "0.0", "0.00"].contains(&yuan));
    nothing && biz.contains_key("refund_royalty_parameters")
}

/// The return of this number, whole; it may be booked against several shares.
fn returned(trade: &Trade, number: &str) -> Option<ShareReturn> {
    let shares = trade.sharing.iter().flat_map(|sharing| &sharing.shares);
    let parts = shares.flat_map(|share| &share.returns).filter(|made| made.out_return_no == number).cloned();
    parts.reduce(|whole, part| ShareReturn { amount: whole.amount + part.amount, ..whole })
}

/// Whether a return of this trade has that number.
pub(crate) fn has_returned(trade: &Trade, number: &str) -> bool {
    returned(trade, number).is_some()
}

/// What a refund of nothing is answered.
pub(crate) fn told(trade: &Trade, moved: bool) -> Reply {
    Ok(fields([
        ("trade_no", json!(trade.transaction_id)),
        ("out_trade_no", json!(trade.number)),
        ("fund_change", json!(if moved { "Y" } else { "N" })),
        ("refund_fee", json!(ids::yuan(trade.returned()))),
    ]))
}

fn invalid(what: &str) -> Refusal {
    Refusal::business("INVALID_PARAMETER", &format!("参数无效：{what}"))
}

/// A number that Alipay takes: letters, digits and _, at most 32.
fn number<'a>(cx: &'a Cx<'_>) -> Result<&'a str, Refusal> {
    let good = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    cx.text("out_request_no").filter(good).ok_or_else(|| invalid("out_request_no"))
}

/// The paid trade that is named, as it stands now.
fn shared_trade(cx: &Cx<'_>, state: &mut State) -> Result<usize, Refusal> {
    let at = trades::find(cx, state)?.ok_or_else(trades::missing)?;
    if state.trades[at].paid.is_none() {
        return Err(Refusal::business("TRADE_STATUS_ERROR", "交易状态不合法"));
    }
    state.settle_sharing(at, cx.sandbox.now());
    match state.trades[at].sharing {
        Some(_) => Ok(at),
        None => Err(Refusal::business("TRADE_SETTLE_ERROR", "交易未冻结，不能分账")),
    }
}

fn part(given: &Value, now: i64, i: usize) -> Result<ShareReceiver, Refusal> {
    const KNOWN: [&str; 6] = ["royalty_type", "trans_in_type", "trans_in", "trans_in_name", "amount", "desc"];
    let object = given.as_object().ok_or_else(|| invalid("royalty_parameters"))?;
    if object.keys().any(|name| !KNOWN.contains(&name.as_str())) {
        return Err(invalid("royalty_parameters"));
    }
    let text = |name: &str| given[name].as_str().unwrap_or_default().to_owned();
    let amount = ids::fen(&text("amount")).filter(|fen| *fen > 0).ok_or_else(|| invalid("amount"))?;
    let (kind, account) = (text("trans_in_type"), text("trans_in"));
    let good = match kind.as_str() {
        "userId" => account.len() == 16 && account.starts_with("2088"),
        "openId" => !account.is_empty(),
        _ => false,
    };
    if !good || text("royalty_type") != "transfer" {
        return Err(invalid("trans_in"));
    }
    Ok(ShareReceiver {
        kind,
        account,
        amount,
        description: text("desc"),
        result: "PENDING".to_owned(),
        fail_reason: None,
        detail_id: format!("{}{i}", ids::trade_no(now)),
        own: false,
    })
}

pub(crate) fn share(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[SHARE])?;
    let (now, number) = (cx.sandbox.now(), number(cx)?.to_owned());
    let given = cx.biz.get("royalty_parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let ends = cx.biz.get("extend_params").is_some_and(|extras| extras["royalty_finish"] == "true");
    let parts: Vec<ShareReceiver> =
        given.iter().enumerate().map(|(i, given)| part(given, now, i)).collect::<Result<_, _>>()?;
    let later = cx.text("royalty_mode") == Some("async");
    if parts.is_empty() && !ends || parts.len() > if later { MOST } else { 5 } {
        return Err(invalid("royalty_parameters"));
    }
    let mut state = cx.sandbox.state();
    let at = shared_trade(cx, &mut state)?;
    let request = Value::Object(cx.biz.clone());
    let (ratio, trade) = (state.share_ratio, &state.trades[at]);
    let sharing = trade.sharing.clone().unwrap_or_default();
    let taken = |settle_no: &str| fields([("trade_no", json!(trade.transaction_id)), ("settle_no", json!(settle_no))]);
    if let Some(known) = sharing.shares.iter().find(|share| share.out_order_no == number) {
        return match known.request == request {
            true => Ok(taken(&known.order_id)),
            false => Err(Refusal::business("DISCORDANT_REPEAT_REQUEST", "请求信息不一致")),
        };
    }
    let wanted: u64 = parts.iter().map(|part| part.amount).sum();
    if sharing.unfrozen || wanted > trade.unsplit() {
        return Err(Refusal::business("ALLOC_AMOUNT_VALIDATE_ERROR", "分账金额超过剩余可分金额"));
    }
    if (sharing.given_away() + wanted) * 100 > trade.amount() * ratio {
        return Err(Refusal::business("ROYALTY_RATIO_EXCEED", "分账金额超过最大分账比例"));
    }
    if sharing.shares.len() >= MOST {
        return Err(Refusal::business("TRADE_SETTLE_ERROR", "订单分账次数超限"));
    }
    let settles = if later { now + cx.sandbox.scaled_ms(SECONDS) } else { now };
    let order_id = format!("{}1", ids::trade_no(now));
    let reply = taken(&order_id);
    let share = Share {
        out_order_no: number,
        order_id,
        receivers: parts,
        returns: Vec::new(),
        finished: false,
        created: now,
        settles,
        request,
    };
    if let Some(sharing) = &mut state.trades[at].sharing {
        sharing.unfrozen |= ends;
        sharing.shares.push(share);
    }
    state.settle_sharing(at, now);
    Ok(reply)
}

fn stands(result: &str) -> &'static str {
    match result {
        "SUCCESS" => "SUCCESS",
        "CLOSED" | "FAILED" => "FAIL",
        _ => "PROCESSING",
    }
}

fn shared_detail(part: &ShareReceiver) -> Value {
    let mut told = json!({
        "operation_type": "transfer", "amount": ids::yuan(part.amount), "state": stands(&part.result),
        "detail_id": part.detail_id, "trans_in_type": part.kind,
    });
    told[if part.kind == "openId" { "trans_in_open_id" } else { "trans_in" }] = json!(part.account);
    if let Some(why) = &part.fail_reason {
        told["error_code"] = json!(why);
    }
    told
}

fn returned_detail(made: &ShareReturn) -> Value {
    let mut told = json!({
        "operation_type": "transfer_refund", "amount": ids::yuan(made.amount), "state": stands(&made.result),
        "detail_id": made.return_id, "trans_out": made.return_mchid,
    });
    if let Some(why) = &made.fail_reason {
        told["error_code"] = json!(why);
    }
    told
}

/// Shares and returns alike, by the number of the request.
pub(crate) fn query(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[ASKED])?;
    let number = cx.text("out_request_no").ok_or_else(|| invalid("out_request_no"))?;
    let mut state = cx.sandbox.state();
    let at = shared_trade(cx, &mut state)?;
    let trade = &state.trades[at];
    let shares = trade.sharing.iter().flat_map(|sharing| &sharing.shares);
    let mut shares = shares.filter(|share| share.out_order_no == number);
    let (details, created): (Vec<Value>, i64) = match (shares.next(), returned(trade, number)) {
        (Some(share), _) => (share.receivers.iter().map(shared_detail).collect(), share.created),
        (None, Some(made)) => (vec![returned_detail(&made)], made.created),
        (None, None) => return Err(Refusal::business("TRADE_SETTLE_NOT_EXIST", "分账单不存在")),
    };
    Ok(fields([
        ("out_request_no", json!(number)),
        ("operation_dt", json!(ids::spaced(created))),
        ("royalty_detail_list", json!(details)),
    ]))
}

/// A refund of nothing that takes from one receiver.
pub(crate) fn take_back(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[RETURN])?;
    let now = cx.sandbox.now();
    let number = cx.text("out_request_no").ok_or_else(|| invalid("out_request_no"))?.to_owned();
    let mut state = cx.sandbox.state();
    let at = shared_trade(cx, &mut state)?;
    let list = cx.biz.get("refund_royalty_parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let [given] = list.as_slice() else { return Err(invalid("refund_royalty_parameters")) };
    let account = given["trans_out"].as_str().unwrap_or_default().to_owned();
    let amount = given["amount"].as_str().and_then(ids::fen).filter(|fen| *fen > 0).ok_or_else(|| invalid("amount"))?;
    let trade = &state.trades[at];
    if let Some(known) = returned(trade, &number) {
        return match (known.return_mchid.as_str(), known.amount) == (account.as_str(), amount) {
            true => told(trade, false),
            false => Err(Refusal::business("DISCORDANT_REPEAT_REQUEST", "请求信息不一致")),
        };
    }
    if trade.refunds.iter().any(|refund| refund.out_refund_no == number) {
        return Err(Refusal::business("DISCORDANT_REPEAT_REQUEST", "请求信息不一致"));
    }
    if trade.refunded() >= trade.amount() {
        return Err(Refusal::business("TRADE_HAS_CLOSE", "交易已经关闭"));
    }
    // A receiver gives back what it has of all shares of the payment; it is booked against the newest first.
    let holds = |share: &Share| {
        let got = share.receivers.iter().filter(|r| r.account == account && r.result == "SUCCESS").map(|r| r.amount);
        let back = share.returns.iter().filter(|r| r.return_mchid == account && r.result != "FAILED").map(|r| r.amount);
        got.sum::<u64>().saturating_sub(back.sum())
    };
    let shares = state.trades[at].sharing.iter_mut().flat_map(|sharing| sharing.shares.iter_mut().rev());
    let mut shares: Vec<&mut Share> = shares.collect();
    if shares.iter().map(|share| holds(share)).sum::<u64>() < amount {
        return Err(Refusal::business("REFUND_ROYALTY_AMOUNT_EXCEED", "退分账金额超过已分账金额"));
    }
    let (return_id, mut left) = (ids::trade_no(now), amount);
    for share in &mut shares {
        let part = holds(share).min(left);
        left -= part;
        if part > 0 {
            share.returns.push(ShareReturn {
                out_return_no: number.clone(),
                return_id: return_id.clone(),
                return_mchid: account.clone(),
                amount: part,
                description: given["desc"].as_str().unwrap_or_default().to_owned(),
                result: "PROCESSING".to_owned(),
                fail_reason: None,
                created: now,
            });
        }
    }
    state.settle_sharing(at, now);
    told(&state.trades[at], true)
}

pub(crate) fn unsplit(cx: &Cx<'_>) -> Reply {
    check(cx.biz, &[TRADE])?;
    let mut state = cx.sandbox.state();
    let at = shared_trade(cx, &mut state)?;
    Ok(fields([("unsettled_amount", json!(ids::yuan(state.trades[at].unsplit())))]))
}

/// Adds receivers, or deletes them; twice is once.
pub(crate) fn receivers(cx: &Cx<'_>, add: bool) -> Reply {
    check(cx.biz, &[RECEIVERS])?;
    number(cx)?;
    let list = cx.biz.get("receiver_list").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut state = cx.sandbox.state();
    for receiver in &list {
        let (kind, account) = (receiver["type"].as_str(), receiver["account"].as_str());
        let (Some(kind @ ("userId" | "openId" | "loginName")), Some(account)) = (kind, account) else {
            return Err(invalid("receiver_list"));
        };
        let key = (cx.app_id().to_owned(), kind.to_owned(), account.to_owned());
        if add {
            state.receivers.insert(key);
        } else {
            state.receivers.remove(&key);
        }
    }
    Ok(fields([("result_code", json!("SUCCESS"))]))
}

impl Sandbox {
    /// The message of Alipay's to the application's gateway about a share of the newest paid trade with this number, as
    /// the share stands now (`alipay.trade.order.settle.notify`).
    ///
    /// # Errors
    /// When there is no such trade or share.
    pub fn notice_of_share(&self, number: &str, out_request_no: &str) -> Result<SignedRequest, String> {
        let now = self.now();
        let mut state = self.state();
        let at = state.all(number).iter().copied().find(|at| state.trades[*at].provider == Provider::Alipay);
        let at = at.ok_or("no such trade")?;
        state.settle_sharing(at, now);
        let trade = &state.trades[at];
        let shares = trade.sharing.iter().flat_map(|sharing| &sharing.shares);
        let mut shares = shares.filter(|share| share.out_order_no == out_request_no);
        let share = shares.next().ok_or("no such share")?;
        let details: Vec<Value> = share.receivers.iter().map(shared_detail).collect();
        let content = json!({
            "msg_type": "ASYNC_SETTLE_RESULT", "trade_no": trade.transaction_id, "out_request_no": out_request_no,
            "settle_no": share.order_id, "operation_dt": ids::spaced(share.created), "royalty_detail_list": details,
        });
        let merchant = state.merchant(Provider::Alipay, &trade.merchant).ok_or("no such merchant")?;
        let account: &Account = merchant.keys();
        let url = trade.notify_url.as_deref().ok_or("no address")?;
        Ok(notify::message(account, (url, &(PROFILE.event_id)(now)), "alipay.trade.order.settle.notify", &content, now))
    }

    /// The callback of a refund, about a return of the newest paid trade with this number: a refund of nothing.
    ///
    /// # Errors
    /// When there is no such trade or return.
    pub fn notice_of_return(&self, number: &str, out_return_no: &str) -> Result<SignedRequest, String> {
        let now = self.now();
        let state = self.state();
        let at = state.all(number).iter().copied().find(|at| state.trades[*at].provider == Provider::Alipay);
        let mut trade = state.trades[at.ok_or("no such trade")?].clone();
        let made = returned(&trade, out_return_no).ok_or("no such return")?;
        trade.refunds.push(Refund {
            provider: Provider::Alipay,
            merchant: trade.merchant.clone(),
            number: trade.number.clone(),
            out_refund_no: made.out_return_no,
            refund_id: trade.transaction_id.clone().unwrap_or_default(),
            amount: 0,
            total: trade.amount(),
            state: RefundState::Success,
            reason: None,
            notify_url: trade.notify_url.clone(),
            created: made.created,
            settled: Some(now),
            wire: trade.wire,
        });
        let merchant = state.merchant(Provider::Alipay, &trade.merchant).ok_or("no such merchant")?;
        let notice = Notice {
            trade: &trade,
            refund: Some(trade.refunds.len() - 1),
            transfer: None,
            authorization: None,
            shipping: None,
            complaint: None,
            event_id: &(PROFILE.event_id)(now),
            created: now,
            url: trade.notify_url.as_deref().ok_or("no address")?,
        };
        Ok(notify::form(&notice, merchant.keys(), now))
    }
}
