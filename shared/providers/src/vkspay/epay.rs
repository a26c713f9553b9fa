//! epay (彩虹易支付): v1 with MD5 (`docs/protocols/vkspay.md#epay-v1`), v2 with RSA
//! (`docs/protocols/vkspay.md#epay-v2`).

use super::link;
use super::notice::hint;
use super::words::{self, Said};
use crate::common::raw;
use crate::vkspay::{VkspayNode, VkspayProtocol};
use crate::{
    CallError, CallbackError, CallbackRequest, CreateRequest, Created, Meaning, Notice, ProviderClients,
    RefundProgress, RefundRequest, RefundStanding, Refusal, Standing, if_known, missing_key, says_no_such_order,
    text_of,
};
use crypto::hash;
use domain::{Attempt, Fen, Order, Payment, Provider, Refund, UnixMs};
use http::Method;
use net::provider_http::Request;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

type Fields = BTreeMap<String, String>;

/// How far a signed time may be off (v2).
const WINDOW: Duration = Duration::from_mins(5);
/// A link is handed out again for so long.
const LINK: Duration = Duration::from_mins(5);

/// The fields of requests and notices.
const FIELDS: [&str; 19] = [
    "addtime",
    "api_trade_no",
    "buyer",
    "clientip",
    "device",
    "endtime",
    "method",
    "money",
    "name",
    "notify_url",
    "param",
    "pid",
    "return_url",
    "sign",
    "sign_type",
    "timestamp",
    "trade_no",
    "trade_status",
    "type",
];

/// Everything is signed as it stands. The address to return to has a query of its own, so only what would read as
/// a field of epay's is refused in it; its `out_trade_no` is ours.
pub(super) fn check(request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    raw::check("subject", &request.order.description)?;
    match request.return_url {
        Some(url) if raw::hides(url, &FIELDS) => Err((
            "return_url",
            "its query must not name a field of epay's, because it is signed as it stands".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// The text that is signed: sorted, unencoded, without `sign`, `sign_type` and what is empty.
pub(super) fn signing_text(fields: &Fields) -> String {
    let signed =
        fields.iter().filter(|(name, value)| !["sign", "sign_type"].contains(&name.as_str()) && !value.is_empty());
    signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn sign(node: &VkspayNode, fields: &mut Fields) -> Result<(), CallError> {
    let text = signing_text(fields);
    let (kind, sign) = match &node.protocol {
        VkspayProtocol::EpayRsa { private_key, .. } => {
            ("RSA", private_key.sign(text.as_bytes()).map_err(CallError::unknown)?)
        }
        VkspayProtocol::EpayMd5 { key, .. } | VkspayProtocol::Vkspay { key } => {
            ("MD5", hash::md5_hex(format!("{text}{}", key.expose()).as_bytes()))
        }
    };
    fields.insert("sign".to_owned(), sign);
    fields.insert("sign_type".to_owned(), kind.to_owned());
    Ok(())
}

fn verified(node: &VkspayNode, fields: &Fields) -> bool {
    let (Some(sign), kind) = (fields.get("sign"), fields.get("sign_type").map(String::as_str)) else { return false };
    let text = signing_text(fields);
    match &node.protocol {
        VkspayProtocol::EpayRsa { platform_key, .. } => {
            kind.is_none_or(|kind| kind == "RSA") && platform_key.verify(text.as_bytes(), sign)
        }
        VkspayProtocol::EpayMd5 { key, .. } => {
            let own = hash::md5_hex(format!("{text}{}", key.expose()).as_bytes());
            kind.is_none_or(|kind| kind == "MD5") && hash::same(&own, sign)
        }
        VkspayProtocol::Vkspay { .. } => false,
    }
}

/// Says which key would be needed, when a notice claims the other kind of signature than `signType` pins.
fn warn_of_missing_key(node: &VkspayNode, merchant: &str, fields: &Fields) {
    let missing = match (fields.get("sign_type").map(String::as_str), is_rsa(node)) {
        (Some("RSA"), false) => "signed with RSA, and signType is MD5: mchPrivateKey and platformPublicKey are missing",
        (Some("MD5"), true) => "signed with MD5, and signType is RSA: key is missing, or the site must use RSA",
        _ => return,
    };
    missing_key::warn("vkspay", merchant, "", missing);
}

const fn is_rsa(node: &VkspayNode) -> bool {
    matches!(node.protocol, VkspayProtocol::EpayRsa { .. })
}

/// Calls the site. A success of v2 must be signed by the site; a refusal may come without a signature.
async fn call(
    clients: &ProviderClients,
    node: &VkspayNode,
    path: &str,
    method: Method,
    fields: &Fields,
) -> Result<Map<String, Value>, CallError> {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let get = method == Method::GET;
    let joint = if path.contains('?') { "&" } else { "?" };
    let url = if get { format!("{}/{path}{joint}{form}", node.api_base) } else { format!("{}/{path}", node.api_base) };
    let request = Request {
        method,
        url: &url,
        headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
        body: if get { Vec::new() } else { form.into_bytes() },
        identity: None,
    };
    let answer = clients.http.send_within(request, Duration::from_secs(node.timeout)).await;
    let answer = answer.map_err(CallError::unknown)?;
    let body = match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => map,
        _ => return Err(CallError::Unknown(format!("{path}: HTTP {}, not an answer of epay", answer.status))),
    };
    let good = code(&body) == Some(0);
    if is_rsa(node) && (good || body.contains_key("sign")) && !verified(node, &scalars(&body)) {
        return Err(CallError::Unknown(format!("{path}: the answer is not signed by the site")));
    }
    Ok(body)
}

/// The values that a signature covers.
fn scalars(body: &Map<String, Value>) -> Fields {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    body.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect()
}

fn code(body: &Map<String, Value>) -> Option<i64> {
    let code = body.get("code")?;
    code.as_i64().or_else(|| code.as_str()?.parse().ok())
}

fn refusal(body: &Map<String, Value>) -> Refusal {
    let code = code(body).map_or_else(String::new, |code| code.to_string());
    Refusal { code, message: text_of(body, "msg").unwrap_or_default().to_owned(), meaning: Meaning::No }
}

fn fields_of(node: &VkspayNode, more: &[(&str, String)], now: UnixMs) -> Fields {
    let mut fields: Fields = more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    fields.insert("pid".to_owned(), node.mch_id.clone());
    if is_rsa(node) {
        fields.insert("timestamp".to_owned(), now.secs().to_string());
    }
    fields
}

pub(super) async fn create(
    clients: &ProviderClients,
    node: &VkspayNode,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    if let Err((field, what)) = check(request) {
        // An order from before this was checked.
        let message = format!("{field}: {what}");
        return Err(CallError::Refused(Refusal { code: "FIELD".to_owned(), message, meaning: Meaning::Unheard }));
    }
    let mut name = order.description.clone();
    while name.len() > 127 {
        name.pop();
    }
    let mut more = vec![
        ("type", text_of(&attempt.goods, "pay_method").unwrap_or("alipay").to_owned()),
        ("out_trade_no", attempt.number.clone()),
        ("notify_url", request.notify_url.to_owned()),
        ("return_url", request.return_url.unwrap_or_default().to_owned()),
        ("name", name),
        ("money", order.total_fee.to_yuan()),
        ("clientip", attempt.client_ip.clone()),
    ];
    let path = match is_rsa(node) {
        true => {
            more.push(("method", "web".to_owned()));
            "api/pay/create"
        }
        false => "mapi.php",
    };
    let mut fields = fields_of(node, &more, request.now);
    fields.retain(|_, value| !value.is_empty());
    sign(node, &mut fields)?;
    let body = call(clients, node, path, Method::POST, &fields).await?;
    if code(&body) != Some(if is_rsa(node) { 0 } else { 1 }) {
        return Err(CallError::Refused(refusal(&body)));
    }
    let Some(link) = link::of(&body, &node.api_base) else {
        return Err(CallError::Unknown(format!("{path}: no link that can be paid at in the answer")));
    };
    Ok(Created {
        order_info: json!({ "codeUrl": link }),
        code_url: Some(link),
        fresh_until: (request.now + LINK).min(order.time_expire),
        number: None,
        payment: None,
    })
}

/// The order object of the site. A refusal means [`Meaning::Missing`] only by a site's words for "no such order":
/// code -1 and the text of the public source, or a text of the configuration.
pub(super) async fn order(
    clients: &ProviderClients,
    node: &VkspayNode,
    number: &str,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let more = [("out_trade_no", number.to_owned())];
    let mut fields = fields_of(node, &more, now);
    let (body, good) = match &node.protocol {
        VkspayProtocol::EpayMd5 { key, .. } => {
            fields.insert("key".to_owned(), key.expose().to_owned());
            (flattened(call(clients, node, "api.php?act=order", Method::GET, &fields).await?)?, 1)
        }
        // What is not at the top level is not signed.
        _ => {
            sign(node, &mut fields)?;
            (call(clients, node, "api/pay/query", Method::POST, &fields).await?, 0)
        }
    };
    match code(&body) {
        Some(code) if code == good => {}
        Some(code) => {
            let refusal = refusal(&body);
            let text = refusal.message.trim();
            let missing = code == -1 && says_no_such_order(text) || node.unpaid_messages.iter().any(|own| own == text);
            let meaning = if missing { Meaning::Missing } else { Meaning::No };
            return Err(CallError::Refused(Refusal { meaning, ..refusal }));
        }
        None => return Err(CallError::unknown("query: no code in the answer")),
    }
    let fields = scalars(&body);
    if fields.get("out_trade_no").is_some_and(|own| own != number) {
        return Err(CallError::unknown("query: the answer is about another number"));
    }
    if fields.get("pid").is_some_and(|pid| *pid != node.mch_id) {
        return Err(CallError::unknown("query: the answer is about another merchant"));
    }
    Ok(body)
}

/// Some sites put the order's fields into `data`: both levels are one object, unless they say different things.
fn flattened(mut body: Map<String, Value>) -> Result<Map<String, Value>, CallError> {
    let Some(Value::Object(inner)) = body.get("data").cloned() else { return Ok(body) };
    let (clients, inside) = (scalars(&body), scalars(&inner));
    // The texts of the two levels may differ: one is about the call.
    let differ = |(name, value): (&String, &String)| name != "msg" && inside.get(name).is_some_and(|own| own != value);
    if clients.iter().any(differ) {
        return Err(CallError::unknown("query: the answer says two things"));
    }
    body.remove("data");
    for (name, value) in inner {
        body.entry(name).or_insert(value);
    }
    Ok(body)
}

/// `refundquery`: 1 refunded.
fn status(body: &Map<String, Value>) -> Option<i64> {
    let status = body.get("status")?;
    status.as_i64().or_else(|| status.as_str()?.parse().ok())
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &VkspayNode,
    merchant: &str,
    number: &str,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let body = order(clients, node, number, now).await;
    let Some(body) = if_known(body)? else { return Ok(Standing::Missing) };
    match words::epay(&body) {
        Said::Paid | Said::Refunded => {}
        Said::Unpaid { paying } => return Ok(Standing::Unpaid { paying }),
        Said::Nothing(why) => return Err(CallError::Unknown(format!("query: {why}"))),
    }
    match payment(node, merchant, number, &scalars(&body)) {
        Some(payment) => Ok(Standing::Paid(vec![payment])),
        None => Err(CallError::unknown("query: no trade_no or no money in the answer")),
    }
}

/// `money` is text that a script may have cut (`1.00` to `1`): compared as a decimal.
fn payment(node: &VkspayNode, merchant: &str, number: &str, fields: &Fields) -> Option<Payment> {
    let trade_no = fields.get("trade_no").filter(|no| !no.is_empty())?;
    const KEPT: [&str; 8] =
        ["trade_no", "api_trade_no", "type", "money", "trade_status", "status", "addtime", "endtime"];
    let info = KEPT.iter().filter_map(|name| Some(((*name).to_owned(), json!(fields.get(*name)?)))).collect();
    Some(Payment {
        total: Some(Fen::from_yuan(fields.get("money")?)?),
        mch_id: Some(node.mch_id.clone()),
        info: Value::Object(info),
        ..Payment::new(Provider::Vkspay, merchant, number, trade_no.as_str())
    })
}

pub(super) async fn refund(
    clients: &ProviderClients,
    node: &VkspayNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let more = [("out_trade_no", request.attempt.number.clone()), ("money", request.refund.to_yuan())];
    let mut fields = fields_of(node, &more, request.now);
    let VkspayProtocol::EpayMd5 { key, refund_success } = &node.protocol else {
        fields.insert("out_refund_no".to_owned(), request.out_refund_no.to_owned());
        sign(node, &mut fields)?;
        let body = call(clients, node, "api/pay/refund", Method::POST, &fields).await?;
        return match code(&body) {
            Some(0) => {
                let state = refund_state(clients, node, request.out_refund_no, request.now).await;
                Ok(state.unwrap_or_else(|_| standing(false)))
            }
            Some(_) => Err(CallError::Refused(refusal(&body))),
            None => Err(CallError::unknown("refund: no code in the answer")),
        };
    };
    fields.insert("key".to_owned(), key.expose().to_owned());
    let body = call(clients, node, "api.php?act=refund", Method::POST, &fields).await?;
    let good = match (code(&body), refund_success) {
        (Some(code), Some(wanted)) => u64::try_from(code) == Ok(*wanted),
        (Some(code), None) => code == 0 || code == 1,
        (None, _) => return Err(CallError::unknown("refund: no code in the answer")),
    };
    if !good {
        return Err(CallError::Refused(refusal(&body)));
    }
    const TROUBLE: [&str; 8] = ["失败", "不足", "错误", "不支持", "不存在", "关闭", "fail", "error"];
    let text = text_of(&body, "msg").unwrap_or_default().to_lowercase();
    if TROUBLE.iter().any(|words| text.contains(words)) {
        return Err(CallError::Unknown(format!("refund: the answer contradicts itself: {text}")));
    }
    // The site tells of a whole refund by the order's state, of a part not at all.
    if request.refund < request.total {
        return Ok(standing(true));
    }
    let state = order(clients, node, &request.attempt.number, request.now).await;
    Ok(standing(matches!(state, Ok(body) if words::epay(&body) == Said::Refunded)))
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &VkspayNode,
    paid: &Order,
    attempt: &Attempt,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    if is_rsa(node) {
        return refund_state(clients, node, &refund.out_refund_no, now).await;
    }
    match order(clients, node, &attempt.number, now).await {
        Ok(body) if words::epay(&body) == Said::Refunded && refund.refund_fee == paid.total_fee => Ok(standing(true)),
        Ok(_) | Err(CallError::Refused(_)) => {
            Err(CallError::unknown("epay v1 does not tell of refunds; see the site's console"))
        }
        Err(unknown) => Err(unknown),
    }
}

async fn refund_state(
    clients: &ProviderClients,
    node: &VkspayNode,
    number: &str,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let mut fields = fields_of(node, &[("out_refund_no", number.to_owned())], now);
    sign(node, &mut fields)?;
    let body = call(clients, node, "api/pay/refundquery", Method::POST, &fields).await?;
    match code(&body) {
        Some(0) => Ok(standing(status(&body) == Some(1))),
        _ => Err(CallError::unknown("refundquery: the site does not tell")),
    }
}

fn standing(done: bool) -> RefundStanding {
    let progress = if done { RefundProgress::Success } else { RefundProgress::Processing(None) };
    RefundStanding::new(progress)
}

/// Reads a notice: GET, or a form.
///
/// What it says is only a reason to ask. The payer brings the same signed text back to the page, and it does not
/// tell a separator from the same character in a value; and with MD5 the key that signs also travels in query URLs.
pub(super) fn read(node: &VkspayNode, merchant: &str, request: &CallbackRequest<'_>) -> Result<Notice, CallbackError> {
    let text = if request.method == Method::GET { request.query.as_bytes() } else { request.body };
    let mut fields = Fields::new();
    for (name, value) in form_urlencoded::parse(text) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(CallbackError::Malformed("a field is there twice"));
        }
    }
    if !verified(node, &fields) {
        warn_of_missing_key(node, merchant, &fields);
        return Err(CallbackError::Forged("sign"));
    }
    if fields.values().any(|value| raw::hides(value, &FIELDS) || raw::hides(value, &["out_trade_no"])) {
        return Err(CallbackError::Malformed("a value that reads as further fields"));
    }
    if fields.get("pid") != Some(&node.mch_id) {
        return Err(CallbackError::Forged("pid is another merchant's"));
    }
    let number = fields.get("out_trade_no").cloned().ok_or(CallbackError::Malformed("out_trade_no"))?;
    if is_rsa(node) {
        let at: i64 =
            fields.get("timestamp").and_then(|t| t.parse().ok()).ok_or(CallbackError::Malformed("timestamp"))?;
        if request.now.secs().abs_diff(at) > WINDOW.as_secs() {
            return Err(CallbackError::Stale);
        }
    }
    if fields.get("trade_status").map(String::as_str) != Some("TRADE_SUCCESS") {
        return Ok(Notice::Other("epay, not paid".to_owned()));
    }
    if is_rsa(node) && !words::notice_denies(&fields) {
        payment(node, merchant, &number, &fields).ok_or(CallbackError::Malformed("trade_no or money"))?;
    }
    // It is asked before it is believed: the key that signs v1 also travels in query URLs.
    Ok(hint(merchant, number, true))
}
