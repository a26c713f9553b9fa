//! Callbacks of Payment Kit and IAP Kit (`docs/protocols/huawei.md#callbacks`, `docs/protocols/huawei.md#iap-kit`).

use super::{call::verified, event, pay};
use crate::Merchant;
use crate::common::raw;
use crate::huawei::{HuaweiNode, PaymentKit};
use crate::{
    CallbackError, CallbackRequest, Event, Notice, ProviderClients, ProviderReply, RefundNotice, Verdict, text_of,
};
use domain::{Parties, Provider};
use serde_json::{Map, Value, json};

/// Reads a callback. The section may have several nodes: whose keys verify is found first, then the
/// application inside is compared with it.
pub(crate) async fn read(
    merchant: &Merchant,
    clients: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let Ok(Value::Object(body)) = serde_json::from_slice(request.body) else {
        return Err(CallbackError::Malformed("not a JSON object"));
    };
    if let Some(signed) = text_of(&body, "jwsNotification") {
        return event::read(merchant, clients, signed, request.now).await;
    }
    let mut of_another = false;
    for node in merchant.huawei.values() {
        let Some(keys) = &node.pay else { continue };
        let Some(message) = verified(keys, request.body) else { continue };
        if message.values().any(hides_a_field) {
            return Err(CallbackError::Malformed("a value that reads as further fields"));
        }
        match text_of(&message, "appId") {
            Some(app_id) if app_id != node.app_id => of_another = true,
            _ => return notice(&merchant.id, node, keys, &message),
        }
    }
    Err(CallbackError::Forged(if of_another { "another application's message" } else { "sign" }))
}

/// The canonical text does not tell a member from the same characters inside a text.
fn hides_a_field(value: &Value) -> bool {
    const FIELDS: [&str; 20] = [
        "appId",
        "callbackId",
        "callbackTime",
        "currency",
        "dataType",
        "finishTime",
        "mercNo",
        "mercOrderNo",
        "mercRefundNo",
        "mercRefundOrderNo",
        "orderStatus",
        "payload",
        "refundAmount",
        "refundOrderStatus",
        "signType",
        "sysRefundNo",
        "sysRefundOrderNo",
        "sysTransOrderNo",
        "totalAmount",
        "tradeSummary",
    ];
    match value {
        Value::String(text) => raw::hides(text, &FIELDS),
        Value::Array(list) => list.iter().any(hides_a_field),
        Value::Object(map) => map.values().any(hides_a_field),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn notice(
    merchant: &str,
    _node: &HuaweiNode,
    keys: &PaymentKit,
    message: &Map<String, Value>,
) -> Result<Notice, CallbackError> {
    if text_of(message, "signType").is_some_and(|kind| kind != "SM2") {
        return Err(CallbackError::Malformed("another signType"));
    }
    if text_of(message, "dataType").is_some_and(|kind| kind.eq_ignore_ascii_case("encrypt")) {
        return Err(CallbackError::Malformed("an encrypted message, whose form is not public"));
    }
    if text_of(message, "mercNo").is_some_and(|own| own != keys.merc_no) {
        return Err(CallbackError::Forged("another merchant's message"));
    }
    let refund = text_of(message, "mercRefundNo").or_else(|| text_of(message, "mercRefundOrderNo"));
    match (text_of(message, "orderStatus"), refund) {
        (Some(_), Some(_)) => Err(CallbackError::Malformed("both an order and a refund")),
        (Some("TRX_SUCCESS"), None) => {
            let payment = pay::payment(merchant, message).ok_or(CallbackError::Malformed("the payment's fields"))?;
            Ok(Notice::Payment(Box::new(payment)))
        }
        (Some(status), None) => Ok(history(merchant, status, message)),
        (None, Some(number)) => {
            let standing = pay::standing(pay::progress(message), message);
            if standing.refund.is_none() {
                return Err(CallbackError::Malformed("refundAmount"));
            }
            Ok(Notice::Refund(Box::new(RefundNotice {
                provider: Provider::Huawei,
                merchant: merchant.to_owned(),
                number: None,
                transaction_id: None,
                share: None,
                returned: None,
                out_refund_no: number.to_owned(),
                standing,
                mch_id: text_of(message, "mercNo").map(str::to_owned),
                parties: Parties::default(),
                payment: None,
                signed: true,
                info: json!({ "mercRefundNo": number, "refundOrderStatus": text_of(message, "refundOrderStatus") }),
            })))
        }
        (None, None) => Ok(Notice::Other("huawei, another kind".to_owned())),
    }
}

/// A try that failed is history; the order can still be paid.
fn history(merchant: &str, status: &str, message: &Map<String, Value>) -> Notice {
    let number = text_of(message, "mercOrderNo").map(str::to_owned);
    let id = text_of(message, "callbackId").or(number.as_deref()).unwrap_or(status);
    Notice::Event(Box::new(Event {
        provider: Provider::Huawei,
        merchant: merchant.to_owned(),
        name: status.chars().take(64).collect(),
        id: id.chars().take(64).collect(),
        at: text_of(message, "callbackTime").and_then(pay::from_utc).unwrap_or_default(),
        number,
        transactions: Vec::new(),
        alert: None,
    }))
}

/// Exactly these words.
pub(crate) fn reply(_request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let (status, body) = match verdict {
        Verdict::Accepted => (200, r#"{"resultCode":"000000","resultDesc":"Success."}"#),
        Verdict::Rejected => (400, r#"{"resultCode":"200002","resultDesc":"Refused."}"#),
        Verdict::Retry => (500, r#"{"resultCode":"500000","resultDesc":"Try again."}"#),
    };
    ProviderReply { status, content_type: "application/json", body: body.to_owned() }
}
