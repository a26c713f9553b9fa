//! Shipping of what was paid in the mini program: `/wxa/sec/order/…` (merchant-operations.md).
//!
//! The money of such a trade is kept until all of it is reported as shipped, and paid out some days after.

use super::Account;
use crate::common::mini_program::{self, PushKeys};
use crate::faults::{Misbehaviour, Op};
use crate::ids;
use crate::ledger::{Shipment, Trade};
use crate::outbox::{Notice, ShippingPush, SignedRequest};
use crate::sandbox::Sandbox;
use crate::state::State;
use crate::wire::{Answer, Inbound};
use serde_json::{Value, json};
use std::sync::Arc;

/// Who does not confirm is taken to have so long after the shipping, s; the money is paid out as long after that again.
const CONFIRMED_AFTER: u64 = 172_800;
const PREFIX: &str = "/wxa/sec/order/";

type Refused = (i64, &'static str);
const NO_PAYMENT: Refused = (10_060_001, "支付单不存在");
const BAD_JSON: Refused = (47_001, "data format error");

/// What a path asks for; `None` if it is none of these.
pub(super) fn op(path: &str) -> Option<Op> {
    Some(match path.strip_prefix(PREFIX)? {
        "upload_shipping_info" => Op::Ship,
        "get_order" => Op::ShipQuery,
        "notify_confirm_receive" => Op::ConfirmReceive,
        "is_trade_managed" => Op::Unknown,
        _ => return None,
    })
}

/// The numbers that a request names.
pub(super) fn numbers(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let key = &body["order_key"];
    let named = [&key["transaction_id"], &key["out_trade_no"], &body["transaction_id"], &body["merchant_trade_no"]];
    named.iter().filter_map(|value| value.as_str()).map(str::to_owned).collect()
}

fn answer(body: &Value) -> Answer {
    let verdict = match body["errcode"].as_i64() {
        None | Some(0) => "SUCCESS".to_owned(),
        Some(code) => format!("{code} {}", body["errmsg"].as_str().unwrap_or_default()),
    };
    Answer::new(200, "application/json; encoding=utf-8", body.to_string(), &verdict)
}

/// Refuses without looking.
pub(super) fn refuse(what: Misbehaviour) -> Answer {
    let (code, message) = match what {
        Misbehaviour::Refuse => (48_001, "api unauthorized"),
        Misbehaviour::TooMany => (45_009, "reach max api daily quota limit"),
        _ => (-1, "system error"),
    };
    answer(&json!({ "errcode": code, "errmsg": message }))
}

pub(super) fn handle(sandbox: &Sandbox, inbound: &Inbound) -> Answer {
    let served = serve(sandbox, inbound);
    answer(&served.unwrap_or_else(|(code, message)| {
        json!({ "errcode": code, "errmsg": format!("{message} rid: {}", hex::encode(crate::crypto::random::<12>())) })
    }))
}

fn serve(sandbox: &Sandbox, inbound: &Inbound) -> Result<Value, Refused> {
    if inbound.method != "POST" {
        return Err((43_002, "require POST method"));
    }
    let now = sandbox.now();
    let confirmed = now + sandbox.scaled_ms(CONFIRMED_AFTER);
    let mut state = sandbox.state();
    let known_from = now - sandbox.scaled_ms(state.known_after);
    let token = inbound.arg("access_token").unwrap_or_default();
    let own = |account: &Arc<Account>| account.access_token(state.token_generation) == token;
    let account = state.merchants.iter().filter_map(|merchant| merchant.account::<Account>()).find(own);
    let account = account.ok_or((40_001, "invalid credential, access_token is invalid or not latest"))?;
    let body: Value = serde_json::from_slice(&inbound.body).map_err(|_| BAD_JSON)?;
    if !body.is_object() {
        return Err(BAD_JSON);
    }
    let find = |state: &State, key: &Value, merchant: &str, number: &str| {
        let text = |name: &str| key[name].as_str().filter(|text| !text.is_empty());
        let at = match text("transaction_id") {
            Some(id) => state.find_transaction(&account.keys.mchid, id),
            None => text(number)
                .filter(|_| text(merchant) == Some(&account.keys.mchid))
                .and_then(|no| state.find(crate::provider::Provider::Wxpay, &account.keys.mchid, no)),
        };
        let kept = |at: &usize| {
            let trade = &state.trades[*at];
            trade.shipment.is_some() && trade.paid.is_some_and(|paid| paid <= known_from)
        };
        at.filter(kept).ok_or(NO_PAYMENT)
    };
    match inbound.path.strip_prefix(PREFIX).unwrap_or_default() {
        "upload_shipping_info" => {
            let key = &body["order_key"];
            match key["order_number_type"].as_u64() {
                Some(2) if key["transaction_id"].as_str().is_none_or(str::is_empty) => {
                    return Err((268_485_195, "微信支付单号形式下 transaction_id 字段不能为空"));
                }
                Some(2) => {}
                Some(1) if key["mchid"].as_str().is_none_or(str::is_empty) => {
                    return Err((268_485_196, "商户侧单号形式下 mchid 字段不能为空"));
                }
                Some(1) if key["out_trade_no"].as_str().is_none_or(str::is_empty) => {
                    return Err((268_485_197, "商户侧单号形式下 out_trade_no 字段不能为空"));
                }
                Some(1) => {}
                _ => return Err((268_485_194, "订单单号类型非法")),
            }
            check(&body)?;
            let at = find(&state, key, "mchid", "out_trade_no")?;
            upload(&mut state, at, &body, now, confirmed)?;
            Ok(json!({ "errcode": 0, "errmsg": "ok" }))
        }
        "get_order" => {
            let at = find(&state, &body, "merchant_id", "merchant_trade_no")?;
            Ok(json!({ "errcode": 0, "errmsg": "ok", "order": order(&state.trades[at]) }))
        }
        "notify_confirm_receive" => {
            let at = find(&state, &body, "merchant_id", "merchant_trade_no")?;
            remind(&mut state.trades[at], body["received_time"].as_i64())?;
            Ok(json!({ "errcode": 0, "errmsg": "ok" }))
        }
        _ if body["appid"] == json!(account.keys.mp_appid) => {
            Ok(json!({ "errcode": 0, "errmsg": "ok", "is_trade_managed": true }))
        }
        _ => Err((40_013, "invalid appid")),
    }
}

/// The shape of what is reported.
fn check(body: &Value) -> Result<(), Refused> {
    let logistics =
        body["logistics_type"].as_u64().filter(|n| (1..=4).contains(n)).ok_or((10_060_005, "物流类型有误"))?;
    let mode = body["delivery_mode"].as_u64().filter(|n| (1..=2).contains(n)).ok_or((268_485_224, "发货模式非法"))?;
    if mode == 2 && logistics != 1 {
        return Err((10_060_006, "非快递发货时不允许分拆发货"));
    }
    if mode == 2 && !body["is_all_delivered"].is_boolean() {
        return Err((10_060_007, "分拆发货模式下必须填写 is_all_delivered 字段"));
    }
    let list = body["shipping_list"].as_array().ok_or(BAD_JSON)?;
    if mode == 1 && list.len() != 1 {
        return Err((268_485_228, "统一发货模式下，物流信息列表长度必须为 1"));
    }
    if list.is_empty() {
        return Err((10_060_014, "参数错误"));
    }
    if list.len() > 15 {
        return Err((10_060_024, "物流信息列表太长"));
    }
    for parcel in list {
        let text = |name: &str| parcel[name].as_str().unwrap_or_default();
        match text("item_desc").chars().count() {
            0 => return Err((10_060_008, "商品描述 item_desc 字段不能为空")),
            1..=120 => {}
            _ => return Err((10_060_009, "商品描述 item_desc 字段太长")),
        }
        match (text("tracking_no").len(), text("express_company").len()) {
            (0, _) if logistics == 1 => return Err((268_485_226, "物流单号不能为空")),
            (_, 0) if logistics == 1 => return Err((268_485_227, "物流公司编码不能为空")),
            (129.., _) => return Err((10_060_026, "物流单号太长")),
            (_, 129..) => return Err((10_060_025, "物流公司编码太长")),
            _ => {}
        }
        let contact = &parcel["contact"];
        let named = ["consignor_contact", "receiver_contact"].iter().any(|name| contact[*name].is_string());
        if text("express_company") == "SF" && !named {
            return Err((10_060_014, "参数错误"));
        }
    }
    let time = body["upload_time"].as_str().ok_or(BAD_JSON)?;
    if ids::from_rfc3339(time).is_none() {
        return Err((268_485_216, "上传时间非法，请按照 RFC 3339 格式填写"));
    }
    body["payer"]["openid"].as_str().map(|_| ()).ok_or(BAD_JSON)
}

/// Enters what is reported, and what follows of it.
fn upload(state: &mut State, at: usize, body: &Value, now: i64, confirmed: i64) -> Result<(), Refused> {
    let trade = &mut state.trades[at];
    if body["payer"]["openid"].as_str() != trade.payer.as_deref() {
        return Err((10_060_031, "该笔支付单不属于 openid 所指定的用户"));
    }
    let back = trade.returned() >= trade.amount();
    let Some(shipment) = &mut trade.shipment else { return Err(NO_PAYMENT) };
    let report =
        json!([body["logistics_type"], body["delivery_mode"], body["is_all_delivered"], body["shipping_list"]]);
    match (shipment.finished, &shipment.report) {
        _ if back => return Err((10_060_004, "支付单处于不可发货的状态")),
        _ if shipment.received.is_some() => return Err((10_060_002, "支付单已完成发货，无法继续发货")),
        (2.., _) => return Err((10_060_003, "支付单已使用重新发货机会")),
        // The page does not say whether the same again is a correction: at worst it is.
        (0, Some(before)) if *before == report => return Err((10_060_023, "发货信息未更新")),
        _ => {}
    }
    shipment.uploads += 1;
    shipment.logistics_type = body["logistics_type"].as_u64();
    shipment.parcels = body["shipping_list"].as_array().cloned().unwrap_or_default();
    shipment.delivery_mode = body["delivery_mode"].as_u64();
    shipment.report = Some(report);
    shipment.uploaded = Some(now);
    if body["delivery_mode"] == 1 || body["is_all_delivered"] == true {
        shipment.finished += 1;
        if shipment.shipped.is_none() {
            shipment.shipped = Some(now);
            state.schedule(confirmed, crate::state::Due::Confirm(at));
            state.tell_shipping(at, crate::outbox::ShippingEvent::Settlement, now);
        }
    }
    Ok(())
}

fn remind(trade: &mut Trade, received: Option<i64>) -> Result<(), Refused> {
    let number = order_state(trade);
    let Some(shipment) = &mut trade.shipment else { return Err(NO_PAYMENT) };
    let received = received.ok_or(BAD_JSON)?;
    if number != 2 {
        return Err((10_060_028, "支付单不是已发货状态"));
    }
    if shipment.logistics_type != Some(1) {
        return Err((10_060_032, "只有物流快递发货时允许提醒用户确认收货"));
    }
    if shipment.shipped.is_some_and(|shipped| received < shipped / 1_000) {
        return Err((10_060_029, "签收时间非法"));
    }
    if shipment.reminded {
        return Err((10_060_030, "支付单已使用提醒收货机会"));
    }
    shipment.reminded = true;
    Ok(())
}

/// 1 to ship, 2 shipped, 3 confirmed, 4 done, 5 refunded, 6 about to be paid out.
fn order_state(trade: &Trade) -> u64 {
    let back = trade.paid.is_some() && trade.returned() >= trade.amount();
    match &trade.shipment {
        _ if back => 5,
        Some(Shipment { settled: Some(_), .. }) => 4,
        Some(Shipment { received: Some(_), by_itself: true, .. }) => 6,
        Some(Shipment { received: Some(_), .. }) => 3,
        Some(Shipment { finished: 1.., .. }) => 2,
        _ => 1,
    }
}

fn order(trade: &Trade) -> Value {
    let shipment = trade.shipment.clone().unwrap_or_default();
    let seconds = |at: Option<i64>| at.unwrap_or_default() / 1_000;
    let mut order = json!({
        "transaction_id": trade.transaction_id,
        "merchant_id": trade.merchant,
        "merchant_trade_no": trade.number,
        "description": trade.subject,
        "paid_amount": trade.amount(),
        "openid": trade.payer,
        "trade_create_time": trade.created / 1_000,
        "pay_time": seconds(trade.paid),
        "order_state": order_state(trade),
        "in_complaint": false,
    });
    if let Some(sub) = &trade.sub_merchant {
        order["sub_merchant_id"] = json!(sub);
    }
    if shipment.uploads > 0 {
        let parcel = |parcel: &Value| {
            json!({
                "tracking_no": parcel["tracking_no"], "express_company": parcel["express_company"],
                "goods_desc": parcel["item_desc"], "upload_time": seconds(shipment.uploaded),
                "contact": parcel["contact"],
            })
        };
        order["shipping"] = json!({
            "delivery_mode": shipment.delivery_mode,
            "logistics_type": shipment.logistics_type,
            "finish_shipping": shipment.finished > 0,
            "finish_shipping_count": shipment.finished,
            "shipping_list": shipment.parcels.iter().map(parcel).collect::<Vec<_>>(),
        });
    }
    order
}

/// A push about a trade.
pub(super) fn notify(notice: &Notice<'_>, push: ShippingPush, account: &Account, now: i64) -> SignedRequest {
    let keys = PushKeys {
        app_id: &account.keys.mp_appid,
        token: &account.keys.mp_push_token,
        key: (!push.plain).then_some(account.keys.mp_push_key.as_str()),
    };
    let (query, body) = mini_program::push(&keys, &message(notice, push), now);
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    SignedRequest { method: "POST".to_owned(), url: format!("{}?{query}", notice.url), headers, body }
}

fn message(notice: &Notice<'_>, push: ShippingPush) -> Value {
    use crate::outbox::ShippingEvent;
    let trade = notice.trade;
    let seconds = |at: Option<i64>| at.unwrap_or_default() / 1_000;
    let mut message = json!({
        "ToUserName": "gh_0000", "FromUserName": "o0000", "CreateTime": notice.created / 1_000, "MsgType": "event",
        "Event": push.event.name(),
    });
    if push.event == ShippingEvent::Access {
        message["msg"] = json!("请尽快接入发货信息管理服务 API");
        return message;
    }
    message["transaction_id"] = json!(trade.transaction_id);
    message["merchant_id"] = json!(trade.merchant);
    message["sub_merchant_id"] = json!(trade.sub_merchant.as_deref().unwrap_or_default());
    message["merchant_trade_no"] = json!(trade.number);
    message["pay_time"] = json!(seconds(trade.paid));
    if push.event == ShippingEvent::Overdue {
        message["msg"] = json!("你有一笔订单超过 48 小时未发货，请尽快录入发货信息");
        return message;
    }
    let shipment = trade.shipment.clone().unwrap_or_default();
    message["shipped_time"] = json!(seconds(shipment.shipped));
    match shipment.settled {
        None => message["estimated_settlement_time"] = json!(seconds(shipment.shipped) + 2 * 86_400),
        Some(settled) => {
            // As it arrives, which is the other way round than the page has it.
            message["confirm_receive_method"] = json!(if shipment.by_itself { 2 } else { 1 });
            message["confirm_receive_time"] = json!(seconds(shipment.received));
            message["settlement_time"] = json!(settled / 1_000);
        }
    }
    message
}
