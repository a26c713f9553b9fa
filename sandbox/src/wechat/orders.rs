//! APIv3 orders: create, query, close, reverse (wechat.md 2.1–2.4).

use super::v3::{Cx, Refusal, Reply};
use super::{objects, rules, sharing};
use crate::ids;
use crate::ledger::{Trade, TradeState};
use crate::provider::{Provider, Wire};
use crate::state::{Due, State};
use serde_json::{Value, json};

/// An order lives this long if it names no time.
const LIFE_MS: i64 = 7 * 24 * 3600 * 1000;

pub(crate) fn create(cx: &Cx<'_>, partner: bool, product: &str) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::order(product, partner))?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (mch_name, app_name) = if partner { ("sp_mchid", "sp_appid") } else { ("mchid", "appid") };
    cx.same_mchid(text(mch_name), mch_name)?;
    let appid = text(app_name).unwrap_or_default();
    if !cx.merchant.owns_appid(appid) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试", 268_445_527));
    }
    if partner {
        cx.known_sub(text("sub_mchid").unwrap_or_default())?;
    }
    let payer = body.get("payer");
    let openid = |name: &str| payer.and_then(|payer| payer.get(name)).and_then(Value::as_str).map(str::to_owned);
    if partner && product == "jsapi" {
        match (openid("sp_openid"), openid("sub_openid")) {
            (Some(_), None) => {}
            (None, Some(_)) if text("sub_appid").is_some() => {}
            _ => {
                return Err(Refusal::param("sp_openid和sub_openid二选一，传sub_openid时sub_appid必填"));
            }
        }
    }
    if product == "jsapi" {
        check_openids(["openid", "sp_openid", "sub_openid"].map(openid))?;
    }
    let now = cx.sandbox.now();
    let expires = text("time_expire").and_then(ids::from_rfc3339).unwrap_or(now + LIFE_MS);
    if expires <= now || expires > now + LIFE_MS {
        return Err(Refusal::param("time_expire时间过早或过晚，请检查后再试").field("/time_expire", "body"));
    }
    let number = text("out_trade_no").unwrap_or_default().to_owned();
    let total = body.get("amount").and_then(|a| a.get("total")).and_then(Value::as_u64).unwrap_or_default();
    let auth_code = openid("auth_code");
    let by_public_key = cx.inbound.header("wechatpay-serial").is_some_and(|id| id.starts_with("PUB_KEY_ID_"));
    let (prepay_id, mut state) = (ids::prepay_id(now), cx.sandbox.state());
    let request = Value::Object(body.clone());
    if let Some(at) = state.find(Provider::Wxpay, cx.mchid(), &number) {
        repeated(state.current(at, now), product, &request)?;
        if auth_code.is_some() {
            return Ok(Some(objects::order(&state.trades[at])));
        }
        let trade = &mut state.trades[at];
        trade.prepay_id = Some(prepay_id);
        trade.code_url = trade.code_url.is_some().then(ids::code_url);
        return Ok(Some(handed_out(trade)));
    }
    let at = state.add(Trade {
        provider: Provider::Wxpay,
        merchant: cx.mchid().to_owned(),
        sub_merchant: text("sub_mchid").map(str::to_owned),
        sub_appid: text("sub_appid").map(str::to_owned),
        appid: appid.to_owned(),
        product: product.to_owned(),
        wire: if by_public_key { Wire::V3 } else { Wire::V3_CERT },
        number,
        total,
        paid_amount: None,
        state: TradeState::NotPay,
        transaction_id: None,
        prepay_id: Some(prepay_id),
        code_url: (product == "native").then(ids::code_url),
        notify_url: text("notify_url").map(str::to_owned),
        subject: text("description").unwrap_or_default().to_owned(),
        attach: text("attach").map(str::to_owned),
        payer: openid("openid").or_else(|| openid("sp_openid")).or_else(|| openid("sub_openid")),
        created: now,
        expires,
        paid: None,
        closed: None,
        refunds: Vec::new(),
        sharing: sharing::flagged(&request).then(Default::default),
        shipment: cx.merchant.keeps(product, appid),
        request,
    });
    if let Some(code) = auth_code {
        micropay(&mut state, at, &code, now, cx.sandbox.scaled_ms(5))
            .map_err(|(code, message)| Refusal::new(403, code, message, 268_435_457))?;
        return Ok(Some(objects::order(&state.trades[at])));
    }
    Ok(Some(handed_out(&state.trades[at])))
}

/// No openid has other characters than letters, digits, `_` and `-`.
fn check_openids(openids: [Option<String>; 3]) -> Result<(), Refusal> {
    let plain = |id: &String| id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    match openids.iter().flatten().all(plain) {
        true => Ok(()),
        false => Err(Refusal::param("无效的openid").field("/payer/openid", "body")),
    }
}

/// What the payer's code does, by its last digit: 6 pays after the password, 7 never types it, 8 has no money,
/// 9 has expired, all others pay at once.
pub(crate) fn micropay(
    state: &mut State,
    at: usize,
    code: &str,
    now: i64,
    later: i64,
) -> Result<(), (&'static str, &'static str)> {
    let mut fail = |code, message| {
        state.trades[at].state = TradeState::PayError;
        Err((code, message))
    };
    match code.as_bytes().last() {
        Some(b'8') => return fail("NOTENOUGH", "余额不足"),
        Some(b'9') => return fail("AUTHCODEEXPIRE", "二维码已过期，请用户在微信上刷新后再试"),
        Some(b'6') => {
            state.trades[at].state = TradeState::UserPaying;
            state.schedule(now + later, Due::Pay(at));
        }
        Some(b'7') => state.trades[at].state = TradeState::UserPaying,
        _ => {
            let _ = state.paid(at, None, None, now);
        }
    }
    Ok(())
}

/// Whether a number may be used again: only for the very same order, and only while it waits.
fn repeated(trade: &Trade, product: &str, request: &Value) -> Result<(), Refusal> {
    if trade.product != product || trade.request != *request || !matches!(trade.wire, Wire::V3 | Wire::V3_CERT) {
        return Err(Refusal::new(403, "OUT_TRADE_NO_USED", "商户订单号重复", 268_498_688));
    }
    match trade.state {
        TradeState::Closed | TradeState::Revoked | TradeState::PayError => {
            Err(Refusal::new(400, "ORDER_CLOSED", "订单已关闭", 268_447_914))
        }
        TradeState::Success | TradeState::Refund if product != "codepay" => {
            Err(Refusal::new(400, "ORDERPAID", "该订单已支付", 268_498_689))
        }
        _ => Ok(()),
    }
}

fn handed_out(trade: &Trade) -> Value {
    let prepay_id = trade.prepay_id.as_deref().unwrap_or_default();
    match trade.product.as_str() {
        "native" => json!({"code_url": trade.code_url}),
        "h5" => json!({"h5_url": ids::h5_url(prepay_id)}),
        _ => json!({"prepay_id": prepay_id}),
    }
}

fn missing() -> Refusal {
    Refusal::new(404, "ORDER_NOT_EXIST", "订单不存在", 268_512_771)
}

/// The sub-merchant must be the trade's, and there must be none in merchant mode.
fn same_sub(trade: &Trade, partner: bool, sub: Option<&str>) -> Result<(), Refusal> {
    let fits =
        if partner { sub.is_some() && trade.sub_merchant.as_deref() == sub } else { trade.sub_merchant.is_none() };
    if fits { Ok(()) } else { Err(missing()) }
}

pub(crate) fn query(cx: &Cx<'_>, partner: bool, number: Option<&str>, id: Option<&str>) -> Reply {
    let name = if partner { "sp_mchid" } else { "mchid" };
    cx.same_mchid(cx.inbound.arg(name).as_deref(), name)?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let by_number = number.and_then(|number| state.find(Provider::Wxpay, cx.mchid(), number));
    let at = by_number.or_else(|| state.find_transaction(cx.mchid(), id?)).ok_or_else(missing)?;
    let trade = state.current(at, now);
    same_sub(trade, partner, cx.inbound.arg("sub_mchid").as_deref())?;
    Ok(Some(objects::order(trade)))
}

pub(crate) fn close(cx: &Cx<'_>, partner: bool, number: &str) -> Reply {
    let (rules, name) = if partner { (rules::PARTNER_CLOSE, "sp_mchid") } else { (rules::CLOSE, "mchid") };
    let body = rules::check(&cx.inbound.body, rules)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    cx.same_mchid(text(name), name)?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = state.find(Provider::Wxpay, cx.mchid(), number).ok_or_else(missing)?;
    let trade = state.current(at, now);
    same_sub(trade, partner, text("sub_mchid"))?;
    match trade.state {
        _ if trade.product == "codepay" => {
            Err(Refusal::new(403, "TRADE_ERROR", "付款码订单请调用撤销接口", 268_449_641))
        }
        TradeState::Success | TradeState::Refund => Err(Refusal::new(400, "ORDERPAID", "该订单已支付", 268_449_538)),
        TradeState::Closed => Ok(None),
        _ => {
            trade.state = TradeState::Closed;
            trade.closed = Some(now);
            Ok(None)
        }
    }
}

/// v3 codepay only (wechat.md 2.4): a paid trade is refunded whole, an unpaid one closed.
pub(crate) fn reverse(cx: &Cx<'_>, number: &str) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::REVERSE)?;
    cx.same_mchid(body.get("mchid").and_then(Value::as_str), "mchid")?;
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = state.find(Provider::Wxpay, cx.mchid(), number).ok_or_else(missing)?;
    let trade = state.current(at, now);
    if trade.product != "codepay" {
        return Err(Refusal::new(403, "TRADE_ERROR", "仅付款码订单可撤销", 268_435_457));
    }
    trade.state = TradeState::Revoked;
    trade.closed = Some(now);
    Ok(Some(json!({"appid": trade.appid, "mchid": trade.merchant, "out_trade_no": trade.number})))
}
