//! Orders over APIv3: create, query, close (`docs/protocols/wechat.md#creating-an-order`).

use super::client::{self, Product, client_app, fresh_until};
use super::failure::ours;
use super::signing;
use super::transport::{Ask, call};
use super::{text, transaction};
use crate::common::url::segment;
use crate::driver::Driver;
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, CreateRequest, Created, Meaning, ProviderClients, Standing, if_known};
use crypto;
use domain::{Attempt, UnixMs};
use serde_json::{Map, Value, json};

pub(super) async fn create(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let product = Product::of(node).ok_or_else(|| ours("UNSUPPORTED", "this node takes no payments"))?;
    let attempt = request.attempt;
    let name = match product {
        Product::Jsapi => "jsapi",
        Product::App => "app",
        Product::Native => "native",
        Product::Mweb => "h5",
        Product::CodePay => return code_pay(clients, node, v3, merchant, request).await,
    };
    let target = format!("{}/{name}", base(v3, attempt));
    let body = order_body(node, product, request)?;
    let answer = call(clients, node, v3, Ask::json(&target, &body), request.now).await?;
    let field = |key: &str| {
        let text = answer.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
        text.ok_or_else(|| CallError::unknown(format!("the answer has no {key}")))
    };
    match product {
        Product::Native => Ok(client::native(field("code_url")?, request)),
        Product::Mweb => Ok(client::mweb(field("h5_url")?, request)),
        Product::Jsapi | Product::App | Product::CodePay => invocation(node, v3, product, request, field("prepay_id")?),
    }
}

/// The second signature, for the client.
fn invocation(
    node: &WxpayNode,
    v3: &V3,
    product: Product,
    request: &CreateRequest<'_>,
    prepay_id: &str,
) -> Result<Created, CallError> {
    let app_id = client_app(request.attempt);
    let (timestamp, nonce) = (request.now.secs(), crypto::nonce());
    let package = format!("prepay_id={prepay_id}");
    let line4 = if product == Product::App { prepay_id } else { &package };
    let sign = v3.private_key.sign(&signing::invoke_message(app_id, timestamp, &nonce, line4));
    let sign = sign.map_err(|_| CallError::unknown("the client's parameters cannot be signed"))?;
    let order_info = match product {
        Product::App => {
            let partner = request.attempt.sub_appid.as_ref().and(request.attempt.sub_mchid.as_deref());
            let partner_id = partner.unwrap_or(&node.mch_id);
            let (scheme, nonce, sign) = (v3.scheme, nonce.as_str(), sign.as_str());
            client::AppPay { scheme, app_id, partner_id, prepay_id, nonce, timestamp, sign }.parameters()
        }
        _ => client::jsapi(app_id, timestamp, &nonce, &package, "RSA", &sign),
    };
    Ok(Created { order_info, code_url: None, fresh_until: fresh_until(product, request), number: None, payment: None })
}

/// The paths of merchants and of service providers differ.
fn base(v3: &V3, attempt: &Attempt) -> &'static str {
    match attempt.sub_mchid {
        Some(_) => v3.scheme.partner_transactions,
        None => v3.scheme.transactions,
    }
}

/// Who asks: the merchant, or the service provider for a sub-merchant.
fn parties(node: &WxpayNode, attempt: &Attempt) -> Map<String, Value> {
    let mut body = Map::new();
    let mut set = |key: &str, value: &str| body.insert(key.to_owned(), value.into());
    match &attempt.sub_mchid {
        Some(sub_mchid) => {
            set("sp_appid", &attempt.app_id);
            set("sp_mchid", &node.mch_id);
            if let Some(sub_appid) = &attempt.sub_appid {
                set("sub_appid", sub_appid);
            }
            set("sub_mchid", sub_mchid);
        }
        None => {
            set("appid", &attempt.app_id);
            set("mchid", &node.mch_id);
        }
    }
    body
}

fn payer(attempt: &Attempt) -> Value {
    let key = match (&attempt.sub_mchid, &attempt.sub_appid) {
        (Some(_), Some(_)) => "sub_openid",
        (Some(_), None) => "sp_openid",
        (None, _) => "openid",
    };
    json!({ key: attempt.openid })
}

/// The body of an order: only what is set, because null and unknown fields are refused.
fn order_body(node: &WxpayNode, product: Product, request: &CreateRequest<'_>) -> Result<Value, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let mut body = parties(node, attempt);
    let expire = text::rfc3339(order.time_expire).ok_or_else(|| ours("PARAM_ERROR", "time_expire"))?;
    body.insert("description".to_owned(), order.description.as_str().into());
    body.insert("out_trade_no".to_owned(), attempt.number.as_str().into());
    body.insert("time_expire".to_owned(), expire.into());
    body.insert("notify_url".to_owned(), request.notify_url.into());
    body.insert("amount".to_owned(), json!({ "total": order.total_fee, "currency": "CNY" }));
    if product == Product::Jsapi {
        body.insert("payer".to_owned(), payer(attempt));
    }
    merge_other(&mut body, &order.other);
    // A scene without the payer's address is refused.
    let mut scene = scene(&body);
    if product == Product::Mweb || !scene.is_empty() {
        scene.insert("payer_client_ip".to_owned(), attempt.client_ip.as_str().into());
    }
    if product == Product::Mweb {
        let info = node.h5_info.as_ref();
        let h5_info = json!({
            "type": info.map_or("Wap", |i| i.kind.as_str()),
            "app_name": info.and_then(|i| i.name.as_deref()),
            "app_url": info.and_then(|i| i.url.as_deref()),
        });
        scene.insert("h5_info".to_owned(), text::without_nulls(&h5_info));
    }
    if !scene.is_empty() {
        body.insert("scene_info".to_owned(), Value::Object(scene));
    }
    Ok(Value::Object(body))
}

fn scene(body: &Map<String, Value>) -> Map<String, Value> {
    body.get("scene_info").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Adds what the order's `other` says, by WeChat Pay's names, without ever touching a field of ours.
fn merge_other(body: &mut Map<String, Value>, other: &Map<String, Value>) {
    for (key, value) in other.iter().filter(|(key, value)| !value.is_null() && !text::is_ours(key)) {
        let value = text::without_nulls(value);
        match key.as_str() {
            "profit_sharing" => {
                if let Some(flag) = text::flag(&value) {
                    let mut settle = body.get("settle_info").and_then(Value::as_object).cloned().unwrap_or_default();
                    settle.insert("profit_sharing".to_owned(), flag.into());
                    body.insert("settle_info".to_owned(), Value::Object(settle));
                }
            }
            "settle_info" => {
                let mut settle = text::object(&value).unwrap_or_default();
                settle.extend(body.get("settle_info").and_then(Value::as_object).cloned().unwrap_or_default());
                body.insert(key.clone(), Value::Object(settle));
            }
            "detail" | "scene_info" => {
                if let Some(object) = text::object(&value) {
                    body.insert(key.clone(), Value::Object(object));
                }
            }
            "limit_pay" if value.is_string() => {
                body.insert(key.clone(), json!([value]));
            }
            "support_fapiao" => {
                if let Some(flag) = text::flag(&value) {
                    body.insert(key.clone(), flag.into());
                }
            }
            _ => {
                body.insert(key.clone(), value);
            }
        }
    }
}

/// A payment by the payer's code, made at once; a payer who must still enter a password leaves it open.
async fn code_pay(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let mut body = parties(node, attempt);
    body.insert("description".to_owned(), order.description.as_str().into());
    body.insert("out_trade_no".to_owned(), attempt.number.as_str().into());
    body.insert("payer".to_owned(), json!({ "auth_code": request.auth_code }));
    body.insert("amount".to_owned(), json!({ "total": order.total_fee, "currency": "CNY" }));
    merge_other(&mut body, &order.other);
    let mut scene = scene(&body);
    if let Some(store) = request.store_id {
        scene.insert("store_info".to_owned(), json!({ "id": store }));
    }
    if !scene.is_empty() {
        body.insert("scene_info".to_owned(), Value::Object(scene));
    }
    let target = format!("{}/codepay", base(v3, attempt));
    let answer = call(clients, node, v3, Ask::json(&target, &Value::Object(body)), request.now).await;
    let payment = match answer {
        Ok(object) => match judge_order(node, attempt, merchant, &object) {
            Ok(Standing::Paid(payments)) => payments.into_iter().next(),
            Ok(_) | Err(_) => None,
        },
        Err(CallError::Unknown(_)) => None,
        Err(refused) => return Err(refused),
    };
    Ok(code_paid(payment, request))
}

/// The answer of a pay-code product. Without a payment the caller asks until it is decided.
pub(super) fn code_paid(payment: Option<domain::Payment>, request: &CreateRequest<'_>) -> Created {
    let order_info = if payment.is_some() { json!({ "paid": true }) } else { json!({ "paying": true }) };
    Created { order_info, code_url: None, fresh_until: fresh_until(Product::CodePay, request), number: None, payment }
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    merchant: &str,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let number = segment(&attempt.number);
    let mch_id = segment(&node.mch_id);
    let target = match &attempt.sub_mchid {
        Some(sub) => {
            format!("{}/out-trade-no/{number}?sp_mchid={mch_id}&sub_mchid={}", base(v3, attempt), segment(sub))
        }
        None => format!("{}/out-trade-no/{number}?mchid={mch_id}", base(v3, attempt)),
    };
    let answer = call(clients, node, v3, Ask::get(&target), now).await;
    match if_known(answer)? {
        Some(object) => judge_order(node, attempt, merchant, &object),
        None => Ok(Standing::Missing),
    }
}

/// How an order object stands, when it is the object that was asked for.
fn judge_order(node: &WxpayNode, attempt: &Attempt, merchant: &str, object: &Value) -> Result<Standing, CallError> {
    let another = || CallError::unknown("the answer is about another order");
    if object.get("out_trade_no").and_then(Value::as_str) != Some(attempt.number.as_str()) {
        return Err(another());
    }
    let standing =
        transaction::standing(object, merchant).ok_or_else(|| CallError::unknown("the answer is incomplete"))?;
    let ours = transaction::mch_id(object) == Some(node.mch_id.as_str())
        && transaction::app_id(object).is_none_or(|id| id == attempt.app_id)
        && object.get("sub_mchid").and_then(Value::as_str) == attempt.sub_mchid.as_deref();
    // Whom a payment names is compared where it is credited, as a callback's.
    match ours || matches!(standing, Standing::Paid(_)) {
        true => Ok(standing),
        false => Err(another()),
    }
}

/// Closes; a pay-code order is reversed instead. Closing twice is closing once.
pub(super) async fn close(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    attempt: &Attempt,
    now: UnixMs,
) -> Result<(), CallError> {
    let reverse = node.reverses();
    let verb = if reverse { "reverse" } else { "close" };
    let target = format!("{}/out-trade-no/{}/{verb}", base(v3, attempt), segment(&attempt.number));
    let mut body = parties(node, attempt);
    if !reverse {
        body.retain(|key, _| key.ends_with("mchid"));
    }
    match call(clients, node, v3, Ask::json(&target, &Value::Object(body)), now).await {
        Ok(_) => Ok(()),
        Err(error) if error.means(Meaning::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}
