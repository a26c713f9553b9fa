//! The open product (`docs/protocols/douyin.md#open-product`): WeChat Pay's APIv3 by another name.

use crate::douyin::{DOUYIN_PAY, DouyinPay};
use crate::wxpay::{Api, V3, WxpayNode};
use crate::{CallbackError, CallbackRequest, Notice, ProviderClients, Standing, text_of, wxpay};
use domain::{Attempt, Provider};
use serde_json::{Map, Value};

/// The way to pay for a client: by QR code where one is asked for, by browser, by app, else in the mini
/// program.
pub(super) fn way(data: &Map<String, Value>) -> &'static str {
    let flag = |name: &str| match data.get(name) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true" || text == "1" || text == "image",
        Some(Value::Number(number)) => number.as_u64() == Some(1),
        _ => false,
    };
    if flag("needQRcode") || flag("isPC") {
        return "native";
    }
    match text_of(data, "vk_platform").or_else(|| text_of(data, "platform")) {
        Some("h5" | "web" | "mweb") => "mweb",
        Some("app-plus" | "app" | "app-android" | "app-ios" | "app-harmony") => "app",
        _ => "jsapi",
    }
}

/// The keys, as a node of the product that an attempt uses.
pub(super) fn node<'a>(pay: &'a DouyinPay, attempt: &Attempt) -> &'a WxpayNode {
    match text_of(&attempt.goods, "way") {
        Some("native") => &pay.native,
        Some("mweb") => &pay.mweb,
        Some("app") => &pay.app,
        _ => &pay.jsapi,
    }
}

/// Payments found by asking are Douyin's.
pub(super) fn relabel(standing: Standing) -> Standing {
    match standing {
        Standing::Paid(mut payments) => {
            for payment in &mut payments {
                payment.provider = Provider::Douyin;
            }
            Standing::Paid(payments)
        }
        other => other,
    }
}

/// Reads a callback.
pub(super) async fn read(
    pay: &DouyinPay,
    merchant: &str,
    clients: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let nodes: Vec<(&WxpayNode, &V3)> = match &pay.jsapi.api {
        Api::V3(v3) => vec![(&pay.jsapi, v3)],
        Api::V2(_) => Vec::new(),
    };
    let mut notice = wxpay::read_v3_callback(merchant, nodes, &DOUYIN_PAY, clients, request).await?;
    match &mut notice {
        Notice::Payment(payment) => payment.provider = Provider::Douyin,
        Notice::Refund(refund) => refund.provider = Provider::Douyin,
        Notice::Transfer(_) | Notice::Authorization(_) => return Err(CallbackError::Malformed("a transfer")),
        Notice::Complaint(_) => return Err(CallbackError::Malformed("a complaint")),
        Notice::Hint(_)
        | Notice::Event(_)
        | Notice::Shipping(_)
        | Notice::Share(_)
        | Notice::Echo(_)
        | Notice::Other(_) => {}
    }
    Ok(notice)
}
