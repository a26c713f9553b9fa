//! The trade system, 通用交易系统 (`docs/protocols/douyin.md#trade-system`): the client places the order with a
//! text that we sign; the server asks and refunds under a token; callbacks are signed with the platform's key.

use super::judged;
use crate::common::body;
use crate::douyin::{DouyinNode, Trade};
use crate::login::refused_with;
use crate::{
    CallError, CallbackError, CallbackRequest, CreateRequest, Created, Notice, ProviderClients, RefundNotice,
    RefundProgress, RefundRequest, RefundStanding, Standing, if_known, text_of,
};
use domain::{Attempt, Fen, Parties, Payment, Provider, Refund, Secret, UnixMs};
use http::Method;
use net::provider_http::Request;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// Tokens that are void: `err_no` of the open platform.
const VOID: [i64; 4] = [2_190_002, 2_190_008, 28_001_003, 28_001_008];

/// The five lines that a request of the client is signed over.
pub(super) fn signing_text(timestamp: i64, nonce: &str, data: &str) -> String {
    format!("POST\n/requestOrder\n{timestamp}\n{nonce}\n{data}\n")
}

/// What is sold, where the order's `other` does not say it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sku<'a> {
    sku_id: &'a str,
    price: Fen,
    quantity: u64,
    title: &'a str,
    image_list: [&'static str; 0],
    #[serde(rename = "type")]
    kind: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag_group_id: Option<&'a str>,
}

/// `data`: the very text that is signed and handed out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OrderData<'a> {
    sku_list: Value,
    out_order_no: &'a str,
    total_amount: Fen,
    pay_expire_seconds: u64,
    pay_notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    merchant_uid: Option<&'a str>,
    order_entry_schema: EntrySchema<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_pay_way_list: Option<&'a Value>,
}

/// Which page of the mini program shows the order.
#[derive(Serialize)]
struct EntrySchema<'a> {
    path: &'a str,
    params: &'a str,
}

/// Signs what the client hands to `tt.requestOrder`. Douyin is not asked.
pub(super) fn create(node: &DouyinNode, keys: &Trade, request: &CreateRequest<'_>) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let own = Sku {
        sku_id: text_of(&order.custom, "goods_id").unwrap_or(&order.out_trade_no),
        price: order.total_fee,
        quantity: 1,
        title: &order.description,
        image_list: [],
        kind: keys.sku_type,
        tag_group_id: keys.tag_group_id.as_deref(),
    };
    let data = body::text_of(&OrderData {
        sku_list: order.other.get("skuList").cloned().unwrap_or_else(|| json!([own])),
        out_order_no: &attempt.number,
        total_amount: order.total_fee,
        pay_expire_seconds: order.time_expire.since(request.now).as_secs().max(60),
        pay_notify_url: request.notify_url,
        merchant_uid: node.mch_id.as_deref(),
        order_entry_schema: EntrySchema { path: &keys.entry.0, params: &keys.entry.1 },
        limit_pay_way_list: order.other.get("limitPayWayList"),
    });
    let (timestamp, nonce) = (request.now.secs(), crypto::nonce());
    let Ok(signature) = keys.private_key.sign(signing_text(timestamp, &nonce, &data).as_bytes()) else {
        return Err(CallError::unknown("the order cannot be signed"));
    };
    let authorization = format!(
        "SHA256-RSA2048 appid={},nonce_str={nonce},timestamp={timestamp},key_version={},signature={signature}",
        node.app_id, keys.key_version
    );
    Ok(Created {
        order_info: json!({ "data": data, "byteAuthorization": authorization }),
        code_url: None,
        fresh_until: order.time_expire,
        number: None,
        payment: None,
    })
}

fn host(node: &DouyinNode) -> &str {
    let real = if node.sandbox { "https://open-sandbox.douyin.com" } else { "https://open.douyin.com" };
    node.api_base.as_deref().unwrap_or(real)
}

async fn post(
    clients: &ProviderClients,
    node: &DouyinNode,
    path: &str,
    token: Option<&Secret>,
    body: &Value,
) -> Result<Map<String, Value>, CallError> {
    let mut headers = vec![("content-type", "application/json".to_owned())];
    if let Some(token) = token {
        headers.push(("access-token", token.expose().to_owned()));
    }
    let url = format!("{}{path}", host(node));
    let request =
        Request { method: Method::POST, url: &url, headers, body: body.to_string().into_bytes(), identity: None };
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("{path}: HTTP {}", answer.status))),
    }
}

/// The client token that all instances share.
async fn token(
    clients: &ProviderClients,
    node: &DouyinNode,
    stale: Option<&Secret>,
    now: UnixMs,
) -> Result<Secret, CallError> {
    let Some(secret) = &node.secret else { return Err(CallError::unknown("secret is not configured")) };
    let fetch = async || fetch_token(clients, node, secret).await.map_err(|error| error.as_unknown("client_token"));
    clients.tokens.token(&format!("client_token:{}", node.app_id), secret, stale, now, fetch).await
}

/// A fresh client token, with how long it lives.
pub(super) async fn fetch_token(
    clients: &ProviderClients,
    node: &DouyinNode,
    secret: &Secret,
) -> Result<(Secret, Duration), CallError> {
    let body = json!({
        "client_key": node.app_id,
        "client_secret": secret.expose(),
        "grant_type": "client_credential",
    });
    let answer = post(clients, node, "/oauth/client_token/", None, &body).await?;
    let data = answer.get("data").and_then(Value::as_object).unwrap_or(&answer);
    let lives = data.get("expires_in").and_then(Value::as_u64).filter(|s| (1..=2_592_000).contains(s));
    if let Some((token, seconds)) = text_of(data, "access_token").filter(|token| !token.is_empty()).zip(lives) {
        return Ok((Secret::new(token), Duration::from_secs(seconds)));
    }
    let code =
        data.get("error_code").or_else(|| answer.get("err_no")).and_then(Value::as_i64).filter(|code| *code != 0);
    match code {
        Some(code) => {
            let words = text_of(data, "description").or_else(|| text_of(&answer, "err_msg"));
            refused_with(&code.to_string(), words.map(Value::from).as_ref())
        }
        None => Err(CallError::unknown("client_token: no token in the answer")),
    }
}

/// Asks for an order under a token, and says whether Douyin took the question.
pub(super) async fn ask(
    clients: &ProviderClients,
    node: &DouyinNode,
    token: &Secret,
    number: &str,
) -> Result<(), CallError> {
    let path = "/api/trade_basic/v1/developer/order_query/";
    let answer = post(clients, node, path, Some(token), &json!({ "out_order_no": number })).await?;
    match answer.get("err_no").and_then(Value::as_i64) {
        Some(0) => Ok(()),
        _ => judged("order_query", &answer),
    }
}

/// Calls the open platform; a void token is fetched anew once. The answer is the object in `data`.
async fn call(
    clients: &ProviderClients,
    node: &DouyinNode,
    name: &str,
    body: &Value,
    now: UnixMs,
) -> Result<Map<String, Value>, CallError> {
    let mut stale = None;
    loop {
        let token = token(clients, node, stale.as_ref(), now).await;
        let token = token.map_err(|error| error.as_unknown("no client token"))?;
        let path = format!("/api/trade_basic/v1/developer/{name}/");
        let mut answer = post(clients, node, &path, Some(&token), body).await?;
        return match answer.get("err_no").and_then(Value::as_i64) {
            Some(0) => match answer.remove("data") {
                Some(Value::Object(data)) => Ok(data),
                _ => Err(CallError::Unknown(format!("{name}: no data"))),
            },
            Some(code) if VOID.contains(&code) && stale.is_none() => {
                stale = Some(token);
                continue;
            }
            Some(code) if VOID.contains(&code) => Err(CallError::Unknown(format!("{name}: no access"))),
            _ => judged(name, &answer),
        };
    }
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &DouyinNode,
    merchant: &str,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let data = call(clients, node, "order_query", &json!({ "out_order_no": attempt.number }), now).await;
    let Some(data) = if_known(data)? else { return Ok(Standing::Missing) };
    if text_of(&data, "out_order_no").is_some_and(|own| own != attempt.number) {
        return Err(CallError::unknown("order_query: another order"));
    }
    const UNPAID: [&str; 6] = ["INIT", "PROCESS", "PROCESSING", "FAIL", "CANCEL", "TIMEOUT"];
    let words = [text_of(&data, "pay_status"), text_of(&data, "status"), text_of(&data, "order_status")];
    let says = |wanted: &dyn Fn(&str) -> bool| words.iter().flatten().any(|word| wanted(word));
    let (paid, unpaid) = (says(&|word| word == "SUCCESS"), says(&|word| UNPAID.contains(&word)));
    match (words[0], paid, unpaid) {
        (Some("SUCCESS"), true, false) => {}
        // The word for an order that nobody has begun to pay is not public; none of these is one of a payment.
        (Some(word), false, true) if UNPAID.contains(&word) => {
            return Ok(Standing::Unpaid { paying: false });
        }
        (word, ..) => {
            return Err(CallError::Unknown(format!(
                "order_query: pay_status {}, or other words",
                word.unwrap_or("is missing")
            )));
        }
    }
    match payment(node, merchant, &attempt.number, &data) {
        Some(payment) => Ok(Standing::Paid(vec![payment])),
        None => Err(CallError::unknown("order_query: no order_id or no total_amount")),
    }
}

fn payment(node: &DouyinNode, merchant: &str, number: &str, data: &Map<String, Value>) -> Option<Payment> {
    const KEPT: [&str; 7] =
        ["order_id", "pay_status", "status", "total_amount", "discount_amount", "pay_channel", "channel_pay_id"];
    let at = data.get("event_time").and_then(Value::as_i64).map(UnixMs::new);
    Some(Payment {
        total: Some(Fen(data.get("total_amount")?.as_u64()?)),
        app_id: Some(node.app_id.clone()),
        paid_at: at,
        info: crate::kept(&KEPT, data),
        ..Payment::new(Provider::Douyin, merchant, number, text_of(data, "order_id").filter(|id| !id.is_empty())?)
    })
}

/// Refunds parts of the order's items, the first ones first.
pub(super) async fn refund(
    clients: &ProviderClients,
    node: &DouyinNode,
    keys: &Trade,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let asked = json!({ "order_id": request.transaction_id });
    let data = call(clients, node, "order_query", &asked, request.now).await;
    let data = data.map_err(|error| error.as_unknown("order_query"))?;
    let items = data.get("item_order_list").and_then(Value::as_array);
    let mut left = request.refund.0;
    let mut detail = Vec::new();
    for item in items.into_iter().flatten() {
        let amount = item.get("item_order_amount").and_then(Value::as_u64).unwrap_or(0);
        let part = amount.min(left);
        if part > 0 {
            detail.push(json!({ "item_order_id": item.get("item_order_id"), "refund_amount": part }));
            left -= part;
        }
    }
    if left > 0 {
        return Err(CallError::unknown("order_query: the items are worth less than the refund"));
    }
    let body = json!({
        "order_id": request.transaction_id,
        "out_refund_no": request.out_refund_no,
        "order_entry_schema": { "path": keys.entry.0, "params": keys.entry.1 },
        "refund_total_amount": request.refund,
        "item_order_detail": detail,
        "notify_url": request.notify_url,
    });
    let data = call(clients, node, "refund_create", &body, request.now).await?;
    let refund_id = text_of(&data, "refund_id").map(str::to_owned);
    Ok(standing(RefundProgress::Processing(None), refund_id, None))
}

pub(super) async fn query_refund(
    clients: &ProviderClients,
    node: &DouyinNode,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let asked = json!({ "out_refund_no": refund.out_refund_no });
    let data = call(clients, node, "refund_query", &asked, now).await?;
    // The shape of the answer is not public: the object itself, or a list with one.
    let listed = data.get("refund_list").and_then(Value::as_array).and_then(|list| list.first()?.as_object());
    let object = listed.unwrap_or(&data);
    let status = text_of(object, "refund_status").or_else(|| text_of(object, "status"));
    let amount = object.get("refund_total_amount").and_then(Value::as_u64).map(Fen);
    Ok(standing(progress(status), text_of(object, "refund_id").map(str::to_owned), amount))
}

fn progress(status: Option<&str>) -> RefundProgress {
    match status {
        Some("SUCCESS") => RefundProgress::Success,
        Some("FAIL") => RefundProgress::Closed("FAIL".to_owned()),
        _ => RefundProgress::Processing(None),
    }
}

fn standing(progress: RefundProgress, refund_id: Option<String>, refund: Option<Fen>) -> RefundStanding {
    RefundStanding { refund_id, refund, ..RefundStanding::new(progress) }
}

/// Reads a callback; here its `type` is signed.
pub(super) fn read(
    node: &DouyinNode,
    keys: &Trade,
    merchant: &str,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let header = |name: &str| {
        let mut values = request.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok().filter(|value| !value.is_empty())?;
        values.next().is_none().then_some(value)
    };
    let (Some(timestamp), Some(nonce), Some(signature)) =
        (header("byte-timestamp"), header("byte-nonce-str"), header("byte-signature"))
    else {
        return Err(CallbackError::Forged("not signed"));
    };
    let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
    text.extend_from_slice(request.body);
    text.push(b'\n');
    if !keys.platform_key.verify(&text, signature) {
        return Err(CallbackError::Forged("Byte-Signature"));
    }
    let Ok(Value::Object(body)) = serde_json::from_slice(request.body) else {
        return Err(CallbackError::Malformed("not a JSON object"));
    };
    let message = text_of(&body, "msg").and_then(|msg| serde_json::from_str(msg).ok());
    let Some(Value::Object(message)) = message else { return Err(CallbackError::Malformed("msg")) };
    let field = |name: &str| text_of(&message, name).filter(|text| !text.is_empty());
    if field("app_id") != Some(&node.app_id) {
        return Err(CallbackError::Forged("another application's message"));
    }
    match text_of(&body, "type") {
        Some("payment") if field("status") == Some("SUCCESS") => {
            let number = field("out_order_no").ok_or(CallbackError::Malformed("out_order_no"))?;
            let payment = payment(node, merchant, number, &message);
            Ok(Notice::Payment(Box::new(payment.ok_or(CallbackError::Malformed("order_id or total_amount"))?)))
        }
        Some("refund") => {
            let amount = message.get("refund_total_amount").and_then(Value::as_u64).map(Fen);
            Ok(Notice::Refund(Box::new(RefundNotice {
                provider: Provider::Douyin,
                merchant: merchant.to_owned(),
                number: None,
                transaction_id: field("order_id").map(str::to_owned),
                share: None,
                returned: None,
                out_refund_no: field("out_refund_no").ok_or(CallbackError::Malformed("out_refund_no"))?.to_owned(),
                standing: standing(
                    progress(field("status")),
                    field("refund_id").map(str::to_owned),
                    Some(amount.ok_or(CallbackError::Malformed("refund_total_amount"))?),
                ),
                mch_id: None,
                parties: Parties::default(),
                payment: None,
                signed: true,
                info: json!({ "refund_id": field("refund_id"), "status": field("status") }),
            })))
        }
        kind => Ok(Notice::Other(format!(
            "trade system, {}",
            kind.unwrap_or("no type").chars().take(32).collect::<String>()
        ))),
    }
}
