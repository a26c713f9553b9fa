//! Shipping of what was paid in a mini program
//! (`docs/protocols/merchant-operations.md#shipping-of-mini-programs`).
//!
//! An order is named by WeChat Pay's number of its payment, which is the same in every mode.

use super::config::WxpayNode;
use super::failure::ours;
use super::text::upload_time;
use crate::common::body;
use crate::common::wechat_api::{Answer, post};
use crate::common::wechat_login::App;
use crate::driver::Cx;
use crate::{CallError, Meaning, ShippingRequest, ShippingStanding};
use domain::{Logistics, Parcel, ShippingState, UnixMs};
use serde::Serialize;
use serde_json::{Map, Value};

const UPLOAD: &str = "/wxa/sec/order/upload_shipping_info";
const QUERY: &str = "/wxa/sec/order/get_order";
const REMIND: &str = "/wxa/sec/order/notify_confirm_receive";

/// What was sent is what WeChat has already.
const UNCHANGED: i64 = 10_060_023;
/// There is no such payment, or not yet.
const NO_PAYMENT: i64 = 10_060_001;
/// Busy, a limit of calls: nothing is known.
const LATER: [i64; 5] = [-1, 10_060_012, 10_060_019, 45_009, 44_990];

#[derive(Serialize)]
struct OrderKey<'a> {
    order_number_type: u8,
    transaction_id: &'a str,
}

#[derive(Serialize)]
struct Payer<'a> {
    openid: &'a str,
}

#[derive(Serialize)]
struct Upload<'a> {
    order_key: OrderKey<'a>,
    logistics_type: Logistics,
    delivery_mode: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_all_delivered: Option<bool>,
    shipping_list: &'a [Parcel],
    upload_time: String,
    payer: Payer<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    transaction_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    received_time: Option<i64>,
}

/// The mini program of a node, whose secret the access token needs.
fn app(node: &WxpayNode) -> Result<App<'_>, CallError> {
    let secret = node.secret.as_ref();
    let secret = secret.ok_or_else(|| ours("NO_SECRET", "wxpay.mp-weixin.secret is missing: no access token"))?;
    Ok(App { base: node.api_base.as_ref(), app_id: &node.app_id, secret })
}

async fn call(
    cx: Cx<'_>,
    node: &WxpayNode,
    path: &str,
    body: &impl Serialize,
) -> Result<Map<String, Value>, CallError> {
    let answer = post(cx.clients, &app(node)?, path, &[], body::text_of(body).as_bytes(), cx.now).await?;
    match answer.code {
        0 | UNCHANGED => Ok(answer.body),
        code => Err(judge(code, &answer)),
    }
}

/// What an `errcode` means; one that the pages do not list says nothing.
fn judge(code: i64, answer: &Answer) -> CallError {
    let refused = |meaning| CallError::Refused(answer.refusal(meaning));
    match code {
        NO_PAYMENT => refused(Meaning::Missing),
        code if LATER.contains(&code) => CallError::Unknown(code.to_string()),
        // The request, the application, its rights; the state of the payment.
        47_001 | 40_013 | 40_097 | 48_001 | 61_003 | 61_004 | 61_011 => refused(Meaning::Unheard),
        10_060_002..=10_060_009 | 10_060_014 | 10_060_020 | 10_060_024..=10_060_026 | 10_060_028..=10_060_032 => {
            refused(Meaning::No)
        }
        268_485_194..=268_485_197 | 268_485_216 | 268_485_224 | 268_485_226..=268_485_228 => refused(Meaning::No),
        other => CallError::Unknown(other.to_string()),
    }
}

/// Reports what a request says. The same again changes nothing there.
pub(super) async fn ship(cx: Cx<'_>, node: &WxpayNode, request: &ShippingRequest<'_>) -> Result<(), CallError> {
    let report = request.report;
    let Some(upload_time) = upload_time(cx.now) else { return Err(ours("TIME", "no time of day")) };
    let body = Upload {
        order_key: OrderKey { order_number_type: 2, transaction_id: request.transaction_id },
        logistics_type: report.logistics_type,
        delivery_mode: if report.split { 2 } else { 1 },
        is_all_delivered: report.split.then_some(report.all),
        shipping_list: &report.parcels,
        upload_time,
        payer: Payer { openid: request.openid },
    };
    call(cx, node, UPLOAD, &body).await.map(|_| ())
}

/// How WeChat has the shipping of a payment.
pub(super) async fn query(cx: Cx<'_>, node: &WxpayNode, transaction_id: &str) -> Result<ShippingStanding, CallError> {
    let answer = call(cx, node, QUERY, &Named { transaction_id, received_time: None }).await?;
    let order = answer.get("order").unwrap_or(&Value::Null);
    if order["transaction_id"].as_str() != Some(transaction_id) {
        return Err(CallError::unknown("get_order: another order, or none"));
    }
    let number = order["order_state"].as_u64().ok_or_else(|| CallError::unknown("get_order: no order_state"))?;
    let shipping = &order["shipping"];
    let finished = shipping["finish_shipping_count"].as_u64().unwrap_or(0);
    let state = match number {
        1 if shipping["shipping_list"].as_array().is_some_and(|list| !list.is_empty()) => ShippingState::Part,
        1 => ShippingState::Due,
        2 if finished > 1 => ShippingState::Corrected,
        2 => ShippingState::Reported,
        // The money of what was received is about to be paid out.
        3 | 6 => ShippingState::Received,
        4 => ShippingState::Settled,
        5 => ShippingState::Refunded,
        other => return Err(CallError::Unknown(format!("get_order: order_state {other}"))),
    };
    let logistics = shipping["logistics_type"].as_u64().and_then(|n| Logistics::try_from(u8::try_from(n).ok()?).ok());
    Ok(ShippingStanding {
        state,
        number,
        finished,
        logistics: logistics.filter(|_| state != ShippingState::Due),
        in_complaint: order["in_complaint"].as_bool().unwrap_or(false),
    })
}

/// Asks the payer to confirm that the goods have come, which is possible once.
pub(super) async fn confirm_receive(
    cx: Cx<'_>,
    node: &WxpayNode,
    transaction_id: &str,
    received: UnixMs,
) -> Result<(), CallError> {
    call(cx, node, REMIND, &Named { transaction_id, received_time: Some(received.secs()) }).await.map(|_| ())
}
