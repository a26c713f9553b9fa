//! VksPay, and the epay family behind the same section (`docs/protocols/vkspay.md`).
//!
//! Neither answers under our own keys what money was paid: a notice is only a reason to ask. VksPay gives its
//! own number for every link, so an order may have several, and all of them are asked before it counts as
//! unpaid.

mod call;
mod config;
mod driver;
mod epay;
mod examine;
mod link;
mod notice;
mod words;

pub use self::config::{VkspayNode, VkspayProtocol};
pub use call::signing_text;

use super::{
    CallError, CreateRequest, Created, Meaning, ProviderClients, RefundProgress, RefundRequest, RefundStanding,
    Refusal, Standing, text_of,
};
use call::call;
use domain::{Attempt, Fen, Order, Payment, Provider, Refund, UnixMs};
use serde_json::{Map, Value, json};
use std::time::Duration;
use words::Said;

/// A link is handed out again for so long.
const LINK: Duration = Duration::from_mins(5);

pub(super) async fn create(
    clients: &ProviderClients,
    node: &VkspayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let VkspayProtocol::Vkspay { key } = &node.protocol else { return epay::create(clients, node, request).await };
    if let Some(code) = request.auth_code {
        return micropay(clients, node, merchant, request, code).await;
    }
    let fields = [("total_fee", request.order.total_fee.to_yuan()), ("notify_url", request.notify_url.to_owned())];
    let answer = call(clients, node, key, "webpay", &fields, request.now).await?;
    if let Some(refusal) = refusal(&answer) {
        return Err(CallError::Refused(refusal));
    }
    let data = answer.get("data").and_then(Value::as_object);
    let text = |name: &str| data.and_then(|data| text_or_number(data.get(name)?));
    let link = text("qrcode").and_then(|link| link::payable(&link, &node.api_base));
    let (Some(number), Some(link)) = (text("out_trade_no"), link) else {
        return Err(CallError::unknown("webpay: no number or no link in the answer"));
    };
    Ok(Created {
        order_info: json!({ "codeUrl": link }),
        code_url: Some(link),
        fresh_until: (request.now + LINK).min(request.order.time_expire),
        number: Some(number),
        payment: None,
    })
}

/// The payer's pay code. Whether it was paid is asked, as always.
async fn micropay(
    clients: &ProviderClients,
    node: &VkspayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
    code: &str,
) -> Result<Created, CallError> {
    let VkspayProtocol::Vkspay { key } = &node.protocol else {
        return Err(CallError::unknown("not VksPay"));
    };
    let prefix: u32 = code.get(..2).and_then(|text| text.parse().ok()).unwrap_or_default();
    let channel = if (25..=30).contains(&prefix) { "alipay" } else { "wxpay" };
    let word = || "default".to_owned();
    let fields = [
        ("total_fee", request.order.total_fee.to_yuan()),
        ("pay_chnl", channel.to_owned()),
        ("client_ip", request.attempt.client_ip.clone()),
        ("auth_code", code.to_owned()),
        ("cashier", word()),
        ("kuantai", word()),
        ("source", word()),
        ("pay_cate", "pay".to_owned()),
    ];
    let answer = call(clients, node, key, "micropay", &fields, request.now).await?;
    if let Some(refusal) = refusal(&answer) {
        return Err(CallError::Refused(refusal));
    }
    let data = answer.get("data").and_then(Value::as_object).unwrap_or(&answer);
    let Some(number) = data.get("out_trade_no").and_then(text_or_number) else {
        return Err(CallError::unknown("micropay: no number in the answer"));
    };
    let payment = match ask(clients, node, merchant, &number, request.now).await {
        Ok(Asked::Paid(payment)) => Some(*payment),
        Ok(Asked::Unpaid { .. }) | Err(_) => None,
    };
    Ok(Created {
        order_info: json!({ "paid": payment.is_some() }),
        code_url: None,
        fresh_until: request.order.time_expire,
        number: Some(number),
        payment,
    })
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &VkspayNode,
    merchant: &str,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<Standing, CallError> {
    if !matches!(node.protocol, VkspayProtocol::Vkspay { .. }) {
        return epay::query(clients, node, merchant, &attempt.number, now).await;
    }
    let mut paid = Vec::new();
    let mut failed = None;
    let mut at_it = false;
    for number in &attempt.numbers {
        match ask(clients, node, merchant, number, now).await {
            Ok(Asked::Paid(payment)) => paid.push(*payment),
            Ok(Asked::Unpaid { paying }) => at_it |= paying,
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        _ if !paid.is_empty() => Ok(Standing::Paid(paid)),
        Some(error) => Err(error),
        None => Ok(Standing::Unpaid { paying: at_it }),
    }
}

/// What VksPay says of one of its numbers.
enum Asked {
    Paid(Box<Payment>),
    Unpaid { paying: bool },
}

/// Whether one of VksPay's numbers is paid.
async fn ask(
    clients: &ProviderClients,
    node: &VkspayNode,
    merchant: &str,
    number: &str,
    now: UnixMs,
) -> Result<Asked, CallError> {
    let unknown = |why: &str| CallError::Unknown(format!("orderquery: {why}"));
    let VkspayProtocol::Vkspay { key } = &node.protocol else { return Err(unknown("not VksPay")) };
    let answer = call(clients, node, key, "orderquery", &[("out_trade_no", number.to_owned())], now).await?;
    match words::vkspay(&answer, &node.unpaid_messages) {
        Said::Paid | Said::Refunded => {}
        Said::Unpaid { paying } => return Ok(Asked::Unpaid { paying }),
        Said::Nothing(why) => {
            return Err(refusal(&answer).map_or_else(|| unknown(&why), CallError::Refused));
        }
    }
    let data = answer.get("data").and_then(Value::as_object).unwrap_or(&answer);
    let named = |name: &str| data.get(name).or_else(|| answer.get(name)).and_then(text_or_number);
    if named("out_trade_no").is_some_and(|own| own != number) {
        return Err(unknown("the answer is about another number"));
    }
    let total = match named("total_fee") {
        None => None,
        Some(text) => match Fen::from_yuan(&text) {
            Some(total) => Some(total),
            None => return Err(unknown("total_fee is no amount")),
        },
    };
    Ok(Asked::Paid(Box::new(Payment {
        total,
        mch_id: Some(node.mch_id.clone()),
        info: json!({ "out_trade_no": number, "return_code": "SUCCESS" }),
        ..Payment::new(Provider::Vkspay, merchant, number, number)
    })))
}

/// VksPay has no merchant's refund number, so this must never be sent twice.
pub(super) async fn refund(
    clients: &ProviderClients,
    node: &VkspayNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let VkspayProtocol::Vkspay { key } = &node.protocol else { return epay::refund(clients, node, request).await };
    let fields = [("out_trade_no", request.transaction_id.to_owned()), ("refund_fee", request.refund.to_yuan())];
    let answer = call(clients, node, key, "orderrefund", &fields, request.now).await?;
    if let Some(refusal) = refusal(&answer) {
        return Err(CallError::Refused(refusal));
    }
    let data = answer.get("data").and_then(Value::as_object).unwrap_or(&answer);
    let refund_id = answer.get("out_refund_no").or_else(|| data.get("out_refund_no")).and_then(text_or_number);
    let Some(refund_id) = refund_id else { return Ok(standing(None, false)) };
    let done = refunded(clients, node, request.transaction_id, &refund_id, request.now).await;
    Ok(standing(Some(refund_id), done == Ok(true)))
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &VkspayNode,
    order: &Order,
    attempt: &Attempt,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    if !matches!(node.protocol, VkspayProtocol::Vkspay { .. }) {
        return epay::query_refund(clients, node, order, attempt, refund, now).await;
    }
    let paid = refund.transaction_id.as_ref().or(order.transaction_id.as_ref());
    let (Some(id), Some(number)) = (&refund.refund_id, paid) else {
        return Err(CallError::unknown("VksPay gave no number for this refund; see its console"));
    };
    let done = refunded(clients, node, number, id, now).await?;
    Ok(standing(Some(id.clone()), done))
}

async fn refunded(
    clients: &ProviderClients,
    node: &VkspayNode,
    number: &str,
    id: &str,
    now: UnixMs,
) -> Result<bool, CallError> {
    let VkspayProtocol::Vkspay { key } = &node.protocol else { return Err(CallError::unknown("not VksPay")) };
    let fields = [("out_trade_no", number.to_owned()), ("out_refund_no", id.to_owned())];
    let answer = call(clients, node, key, "orderrefundquery", &fields, now).await?;
    match words::vkspay(&answer, &[]) {
        Said::Paid | Said::Refunded => Ok(true),
        Said::Nothing(why) if refusal(&answer).is_none() => Err(CallError::Unknown(format!("orderrefundquery: {why}"))),
        Said::Unpaid { .. } | Said::Nothing(_) => Ok(false),
    }
}

fn standing(refund_id: Option<String>, done: bool) -> RefundStanding {
    let progress = if done { RefundProgress::Success } else { RefundProgress::Processing(None) };
    RefundStanding { refund_id, ..RefundStanding::new(progress) }
}

/// An answer other than SUCCESS.
fn refusal(answer: &Map<String, Value>) -> Option<Refusal> {
    let code = text_of(answer, "return_code").unwrap_or_default();
    if code == "SUCCESS" {
        return None;
    }
    let message = text_of(answer, "return_msg").or_else(|| text_of(answer, "msg")).unwrap_or_default();
    Some(Refusal { code: code.to_owned(), message: message.to_owned(), meaning: Meaning::No })
}

/// A text, or a number by its digits.
fn text_or_number(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
