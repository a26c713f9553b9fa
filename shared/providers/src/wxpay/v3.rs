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
use domain::{Attempt, Fen, Order, UnixMs};
use serde::Serialize;
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
#[derive(Serialize)]
#[serde(untagged)]
enum Parties<'a> {
    Merchant {
        #[serde(skip_serializing_if = "Option::is_none")]
        appid: Option<&'a str>,
        mchid: &'a str,
    },
    Partner {
        #[serde(skip_serializing_if = "Option::is_none")]
        sp_appid: Option<&'a str>,
        sp_mchid: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub_appid: Option<&'a str>,
        sub_mchid: &'a str,
    },
}

impl<'a> Parties<'a> {
    fn of(node: &'a WxpayNode, attempt: &'a Attempt) -> Self {
        match &attempt.sub_mchid {
            Some(sub_mchid) => Self::Partner {
                sp_appid: Some(&attempt.app_id),
                sp_mchid: &node.mch_id,
                sub_appid: attempt.sub_appid.as_deref(),
                sub_mchid,
            },
            None => Self::Merchant { appid: Some(&attempt.app_id), mchid: &node.mch_id },
        }
    }

    /// The merchants alone.
    fn without_apps(self) -> Self {
        match self {
            Self::Merchant { mchid, .. } => Self::Merchant { appid: None, mchid },
            Self::Partner { sp_mchid, sub_mchid, .. } => {
                Self::Partner { sp_appid: None, sp_mchid, sub_appid: None, sub_mchid }
            }
        }
    }
}

/// The payer, by the one name that the product wants.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Payer<'a> {
    Openid(Option<&'a str>),
    SpOpenid(Option<&'a str>),
    SubOpenid(Option<&'a str>),
    AuthCode(Option<&'a str>),
}

impl<'a> Payer<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        let openid = attempt.openid.as_deref();
        match (&attempt.sub_mchid, &attempt.sub_appid) {
            (Some(_), Some(_)) => Self::SubOpenid(openid),
            (Some(_), None) => Self::SpOpenid(openid),
            (None, _) => Self::Openid(openid),
        }
    }
}

#[derive(Serialize)]
struct Amount {
    total: Fen,
    currency: &'static str,
}

impl Amount {
    const fn of(order: &Order) -> Self {
        Self { total: order.total_fee, currency: "CNY" }
    }
}

/// The body of an order: only what is set, because null and unknown fields are refused.
#[derive(Serialize)]
struct OrderBody<'a> {
    #[serde(flatten)]
    parties: Parties<'a>,
    description: &'a str,
    out_trade_no: &'a str,
    time_expire: String,
    notify_url: &'a str,
    amount: Amount,
    #[serde(skip_serializing_if = "Option::is_none")]
    payer: Option<Payer<'a>>,
    /// What the order's `other` adds, and the scene.
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// The body of a payment by pay code.
#[derive(Serialize)]
struct CodePayBody<'a> {
    #[serde(flatten)]
    parties: Parties<'a>,
    description: &'a str,
    out_trade_no: &'a str,
    payer: Payer<'a>,
    amount: Amount,
    /// What the order's `other` adds, and the scene.
    #[serde(flatten)]
    more: Map<String, Value>,
}

#[derive(Serialize)]
struct H5Info<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_url: Option<&'a str>,
}

fn order_body<'a>(
    node: &'a WxpayNode,
    product: Product,
    request: &CreateRequest<'a>,
) -> Result<OrderBody<'a>, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let mut more = more_of(order);
    // A scene without the payer's address is refused.
    let mut scene = scene(&more);
    if product == Product::Mweb || !scene.is_empty() {
        scene.insert("payer_client_ip".to_owned(), attempt.client_ip.as_str().into());
    }
    if product == Product::Mweb {
        let info = node.h5_info.as_ref();
        let h5_info = H5Info {
            kind: info.map_or("Wap", |i| i.kind.as_str()),
            app_name: info.and_then(|i| i.name.as_deref()),
            app_url: info.and_then(|i| i.url.as_deref()),
        };
        scene.insert("h5_info".to_owned(), json!(h5_info));
    }
    if !scene.is_empty() {
        more.insert("scene_info".to_owned(), Value::Object(scene));
    }
    Ok(OrderBody {
        parties: Parties::of(node, attempt),
        description: &order.description,
        out_trade_no: &attempt.number,
        time_expire: text::rfc3339(order.time_expire).ok_or_else(|| ours("PARAM_ERROR", "time_expire"))?,
        notify_url: request.notify_url,
        amount: Amount::of(order),
        payer: (product == Product::Jsapi).then(|| Payer::of(attempt)),
        more,
    })
}

fn scene(more: &Map<String, Value>) -> Map<String, Value> {
    more.get("scene_info").and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What the order's `other` says, by WeChat Pay's names; never a field of ours. The money of an order that is not to be
/// shared here, because another provider's attempt began it, is not frozen there: no action could free it.
fn more_of(order: &Order) -> Map<String, Value> {
    let mut more = Map::new();
    for (key, value) in order.other.iter().filter(|(key, value)| !value.is_null() && !text::is_ours(key)) {
        let value = text::without_nulls(value);
        match key.as_str() {
            "profit_sharing" => {
                if let Some(flag) = text::flag(&value) {
                    let mut settle = more.get("settle_info").and_then(Value::as_object).cloned().unwrap_or_default();
                    settle.insert("profit_sharing".to_owned(), flag.into());
                    more.insert("settle_info".to_owned(), Value::Object(settle));
                }
            }
            "settle_info" => {
                let mut settle = text::object(&value).unwrap_or_default();
                settle.extend(more.get("settle_info").and_then(Value::as_object).cloned().unwrap_or_default());
                more.insert(key.clone(), Value::Object(settle));
            }
            "detail" | "scene_info" => {
                if let Some(object) = text::object(&value) {
                    more.insert(key.clone(), Value::Object(object));
                }
            }
            "limit_pay" if value.is_string() => {
                more.insert(key.clone(), json!([value]));
            }
            "support_fapiao" => {
                if let Some(flag) = text::flag(&value) {
                    more.insert(key.clone(), flag.into());
                }
            }
            _ => {
                more.insert(key.clone(), value);
            }
        }
    }
    if order.sharing.is_none()
        && let Some(settle) = more.get_mut("settle_info").and_then(Value::as_object_mut)
    {
        settle.shift_remove("profit_sharing");
        if settle.is_empty() {
            more.shift_remove("settle_info");
        }
    }
    more
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
    let mut more = more_of(order);
    let mut scene = scene(&more);
    if let Some(store) = request.store_id {
        scene.insert("store_info".to_owned(), json!({ "id": store }));
    }
    if !scene.is_empty() {
        more.insert("scene_info".to_owned(), Value::Object(scene));
    }
    let body = CodePayBody {
        parties: Parties::of(node, attempt),
        description: &order.description,
        out_trade_no: &attempt.number,
        payer: Payer::AuthCode(request.auth_code),
        amount: Amount::of(order),
        more,
    };
    let target = format!("{}/codepay", base(v3, attempt));
    let answer = call(clients, node, v3, Ask::json(&target, &body), request.now).await;
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
    let parties = Parties::of(node, attempt);
    let body = if reverse { parties } else { parties.without_apps() };
    match call(clients, node, v3, Ask::json(&target, &body), now).await {
        Ok(_) => Ok(()),
        Err(error) if error.means(Meaning::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}
