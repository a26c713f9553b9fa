//! How trades begin: precreate, create, pay, and what a browser or a wallet opens (alipay.md 2.1).

use super::request::{Wanted, check, timeout_ms};
use super::{Cx, Refusal, Reply, Table, sharing, trades};
use crate::ids;
use crate::ledger::{Trade, TradeState};
use crate::provider::Provider;
use crate::state::{Due, State};
use Wanted::{Nested, OutTradeNo, Text, Time, Timeout, Word, Yuan};
use serde_json::{Map, Value, json};

const COMMON: Table = &[
    ("out_trade_no", true, OutTradeNo),
    ("total_amount", true, Yuan),
    ("subject", true, Text(256)),
    ("body", false, Text(128)),
    ("time_expire", false, Time),
    ("timeout_express", false, Timeout),
    ("passback_params", false, Text(512)),
    ("goods_detail", false, Nested),
    ("extend_params", false, Nested),
    ("seller_id", false, Text(28)),
    ("enable_pay_channels", false, Text(128)),
    ("disable_pay_channels", false, Text(128)),
    ("query_options", false, Nested),
    ("merchant_order_no", false, Text(32)),
    ("store_id", false, Text(32)),
    ("operator_id", false, Text(30)),
    ("terminal_id", false, Text(32)),
    ("royalty_info", false, Nested),
    ("settle_info", false, Nested),
    ("sub_merchant", false, Nested),
    ("ext_user_info", false, Nested),
    ("business_params", false, Nested),
    ("promo_params", false, Text(512)),
    ("invoice_info", false, Nested),
    ("discountable_amount", false, Yuan),
    ("undiscountable_amount", false, Yuan),
];
const PRECREATE: Table =
    &[("product_code", false, Word(&["FACE_TO_FACE_PAYMENT"])), ("qr_code_timeout_express", false, Timeout)];
const CREATE: Table = &[
    ("product_code", false, Word(&["JSAPI_PAY", "FACE_TO_FACE_PAYMENT"])),
    ("op_app_id", false, Text(32)),
    ("buyer_id", false, Text(28)),
    ("buyer_open_id", false, Text(128)),
    ("op_buyer_open_id", false, Text(128)),
    ("buyer_logon_id", false, Text(100)),
];
const PAY: Table = &[
    ("product_code", false, Word(&["FACE_TO_FACE_PAYMENT"])),
    ("auth_code", true, Text(64)),
    ("scene", true, Word(&["bar_code", "wave_code", "security_code"])),
    ("buyer_id", false, Text(28)),
];
const APP: Table = &[("product_code", false, Word(&["QUICK_MSECURITY_PAY"]))];
const WAP: Table = &[("product_code", true, Word(&["QUICK_WAP_WAY"])), ("quit_url", false, Text(400))];
const PAGE: Table = &[
    ("product_code", true, Word(&["FAST_INSTANT_TRADE_PAY"])),
    ("qr_pay_mode", false, Word(&["0", "1", "2", "3", "4"])),
    ("qrcode_width", false, Text(4)),
    ("integration_type", false, Word(&["ALIAPP", "PCWEB"])),
    ("request_from_url", false, Text(256)),
];

/// Lives of trades that name no time: 3 hours face to face, 15 days elsewhere.
const FACE_MS: i64 = 3 * 3_600_000;
const LONG_MS: i64 = 15 * 24 * 3_600_000;

/// Checks what all trades have in common, and when this one ends.
fn checked(cx: &Cx<'_>, table: Table, life: i64) -> Result<i64, Refusal> {
    check(cx.biz, &[COMMON, table])?;
    if cx.text("subject").is_some_and(|subject| subject.contains(['/', '=', '&'])) {
        return Err(Refusal::business("INVALID_PARAMETER", "参数无效：subject含有特殊字符"));
    }
    let now = cx.sandbox.now();
    let by_timeout = cx.text("timeout_express").and_then(timeout_ms).unwrap_or(life);
    let expires = cx.text("time_expire").and_then(ids::from_spaced).unwrap_or(now + by_timeout);
    if expires <= now {
        return Err(Refusal::business("NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "当前时间已超过允许支付的时间"));
    }
    if expires > now + LONG_MS + 60_000 {
        return Err(Refusal::business("INVALID_PARAMETER", "参数无效：time_expire超过15天"));
    }
    Ok(expires)
}

/// Finds the trade that goes by this number, if it is the same one, or enters a new one.
fn enter(cx: &Cx<'_>, state: &mut State, product: &str, expires: i64) -> Result<usize, Refusal> {
    let now = cx.sandbox.now();
    let text = |name: &str| cx.text(name).map(str::to_owned);
    let number = text("out_trade_no").unwrap_or_default();
    let total = cx.text("total_amount").and_then(ids::fen).unwrap_or_default();
    if let Some(at) = state.find(Provider::Alipay, cx.app_id(), &number) {
        let trade = state.current(at, now);
        if trade.paid.is_some() {
            return Err(Refusal::business("TRADE_HAS_SUCCESS", "交易已被支付"));
        }
        if trade.state == TradeState::Closed && trade.transaction_id.is_some() {
            return Err(Refusal::business("TRADE_HAS_CLOSE", "交易已经关闭"));
        }
        let same_subject = cx.text("subject") == Some(&trade.subject);
        if trade.total != total || !same_subject || trade.product != product {
            return Err(Refusal::business("CONTEXT_INCONSISTENT", "交易信息被篡改"));
        }
        if trade.state == TradeState::Closed {
            trade.state = TradeState::Unseen;
        }
        trade.expires = expires;
        trade.notify_url = cx.request.get("notify_url").map(str::to_owned);
        return Ok(at);
    }
    let payer = ["buyer_open_id", "op_buyer_open_id", "buyer_id"].iter().find_map(|name| text(name));
    Ok(state.add(Trade {
        provider: Provider::Alipay,
        merchant: cx.app_id().to_owned(),
        sub_merchant: None,
        sub_appid: None,
        appid: cx.app_id().to_owned(),
        product: product.to_owned(),
        wire: cx.request.wire(),
        number,
        total,
        paid_amount: None,
        state: TradeState::Unseen,
        transaction_id: None,
        prepay_id: None,
        code_url: None,
        notify_url: cx.request.get("notify_url").map(str::to_owned),
        subject: text("subject").unwrap_or_default(),
        attach: text("passback_params"),
        payer,
        created: now,
        expires,
        paid: None,
        closed: None,
        refunds: Vec::new(),
        sharing: sharing::flagged(cx.biz).then(Default::default),
        shipment: None,
        request: Value::Object(cx.biz.clone()),
    }))
}

pub(crate) fn precreate(cx: &Cx<'_>) -> Reply {
    let expires = checked(cx, PRECREATE, FACE_MS)?;
    let mut state = cx.sandbox.state();
    let at = enter(cx, &mut state, "precreate", expires)?;
    let qr_code = ids::qr_code();
    let trade = &mut state.trades[at];
    trade.code_url = Some(qr_code.clone());
    Ok(fields([("out_trade_no", json!(trade.number)), ("qr_code", json!(qr_code))]))
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    let expires = checked(cx, CREATE, LONG_MS)?;
    let buyer = ["buyer_id", "buyer_open_id", "op_buyer_open_id"].iter().any(|name| cx.text(name).is_some());
    if cx.text("product_code") == Some("JSAPI_PAY") {
        if cx.text("op_app_id").is_none() {
            return Err(Refusal::business("INVALID_PARAMETER", "参数无效：JSAPI_PAY必传op_app_id"));
        }
        if !buyer {
            return Err(Refusal::business("INVALID_PARAMETER", "参数无效：buyer_open_id缺失"));
        }
    } else if !buyer && cx.text("buyer_logon_id").is_none() {
        return Err(Refusal::business("INVALID_PARAMETER", "参数无效：buyer_id缺失"));
    }
    let mut state = cx.sandbox.state();
    let at = enter(cx, &mut state, "create", expires)?;
    state.scan(at, cx.sandbox.now());
    let trade = &state.trades[at];
    Ok(fields([("out_trade_no", json!(trade.number)), ("trade_no", json!(trade.transaction_id))]))
}

/// The answer of `alipay.trade.pay`.
pub(crate) struct PayReply {
    pub(crate) code: &'static str,
    pub(crate) fields: Map<String, Value>,
}

/// By the code's last digit: 6 pays after the password, 7 never types it, 8 has no money, 9 has expired, others pay.
pub(crate) fn pay(cx: &Cx<'_>) -> Result<PayReply, Refusal> {
    let expires = checked(cx, PAY, FACE_MS)?;
    let code = cx.text("auth_code").unwrap_or_default();
    let digits = (16..=24).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_digit());
    let head: u32 = code.get(..2).and_then(|head| head.parse().ok()).unwrap_or_default();
    let shaped = code.starts_with("fp") || (digits && (25..=30).contains(&head));
    if !shaped || code.ends_with('9') {
        return Err(Refusal::business(
            "PAYMENT_AUTH_CODE_INVALID",
            "支付失败，获取顾客账户信息失败，请顾客刷新付款码后重新收款",
        ));
    }
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = enter(cx, &mut state, "pay", expires)?;
    let fresh = state.trades[at].state == TradeState::Unseen;
    state.scan(at, now);
    match code.as_bytes().last() {
        _ if !fresh => {}
        Some(b'8') => {
            let trade = &mut state.trades[at];
            trade.state = TradeState::Closed;
            trade.closed = Some(now);
            return Err(Refusal::business("BUYER_BALANCE_NOT_ENOUGH", "买家余额不足"));
        }
        Some(b'6') => {
            state.trades[at].state = TradeState::UserPaying;
            state.schedule(now + cx.sandbox.scaled_ms(5), Due::Pay(at));
        }
        Some(b'7') => state.trades[at].state = TradeState::UserPaying,
        _ => {
            let _ = state.paid(at, None, None, now);
            let state = &mut *state;
            state.outbox.payment(&state.trades[at], now);
        }
    }
    let trade = &state.trades[at];
    let code = if trade.paid.is_some() { "10000" } else { "10003" };
    Ok(PayReply { code, fields: trades::described(trade) })
}

/// A browser or a wallet opens the cashier: the trade exists, unpaid. Answers its number.
pub(crate) fn opened(cx: &Cx<'_>) -> Result<String, Refusal> {
    let (product, table) = match cx.request.get("method") {
        Some("alipay.trade.app.pay") => ("app", APP),
        Some("alipay.trade.wap.pay") => ("wap", WAP),
        _ => ("page", PAGE),
    };
    let expires = checked(cx, table, LONG_MS)?;
    let mut state = cx.sandbox.state();
    let at = enter(cx, &mut state, product, expires)?;
    state.scan(at, cx.sandbox.now());
    Ok(state.trades[at].number.clone())
}

pub(crate) fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
