//! Orders over APIv2: unified order, pay code, query, close and reverse (`docs/protocols/wechat.md#apiv2-operations`).

use super::super::client::{self, Product, client_app, fresh_until};
use super::super::failure::ours;
use super::super::text;
use super::super::v3::code_paid;
use super::{Params, call, params, required, sign, sign_type};
use crate::common::raw;
use crate::driver::Driver;
use crate::wxpay::{V2, WxpayNode};
use crate::{CallError, CreateRequest, Created, Meaning, ProviderClients, Standing, if_known};
use crypto;
use domain::{Attempt, Order, Parties, Payment, Provider};
use serde_json::{Value, json};
use std::net::IpAddr;
use std::time::Duration;

/// How often a reversal is sent while WeChat Pay asks for it again.
const REVERSALS: usize = 3;
const REVERSAL_PAUSE: Duration = Duration::from_millis(400);

pub(crate) async fn create(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let product = Product::of(node).ok_or_else(|| ours("UNSUPPORTED", "this node takes no payments"))?;
    if product == Product::CodePay {
        return micropay(clients, node, v2, merchant, request).await;
    }
    let attempt = request.attempt;
    let mut fields = order_fields(request)?;
    let trade_type = match product {
        Product::Jsapi => "JSAPI",
        Product::App => "APP",
        Product::Native => "NATIVE",
        Product::Mweb | Product::CodePay => "MWEB",
    };
    fields.insert("trade_type".to_owned(), trade_type.to_owned());
    fields.insert("notify_url".to_owned(), request.notify_url.to_owned());
    if product == Product::Jsapi
        && let Some(openid) = &attempt.openid
    {
        let own = attempt.sub_mchid.is_none() || attempt.sub_appid.is_none();
        fields.insert(if own { "openid" } else { "sub_openid" }.to_owned(), openid.clone());
    }
    if product == Product::Native {
        fields.entry("product_id".to_owned()).or_insert_with(|| attempt.number.clone());
    }
    if product == Product::Mweb {
        let info = node.h5_info.as_ref();
        let h5_info = json!({
            "type": info.map_or("Wap", |i| i.kind.as_str()),
            "wap_url": info.and_then(|i| i.url.as_deref()),
            "wap_name": info.and_then(|i| i.name.as_deref()),
        });
        fields.insert("scene_info".to_owned(), raw::escaped_json(&text::without_nulls(&json!({ "h5_info": h5_info }))));
    }
    let answer = call(clients, node, v2, "/pay/unifiedorder", fields, false).await?;
    match product {
        Product::Native => Ok(client::native(required(&answer, "code_url")?, request)),
        Product::Mweb => Ok(client::mweb(required(&answer, "mweb_url")?, request)),
        _ => Ok(invocation(node, v2, product, request, required(&answer, "prepay_id")?)),
    }
}

/// The fields that unified order and pay code share.
fn order_fields(request: &CreateRequest<'_>) -> Result<Params, CallError> {
    let (order, attempt) = (request.order, request.attempt);
    let expire = text::compact(order.time_expire).ok_or_else(|| ours("PARAM_ERROR", "time_expire"))?;
    let address = if attempt.client_ip.parse::<IpAddr>().is_ok() { attempt.client_ip.as_str() } else { "127.0.0.1" };
    let mut fields = other_fields(order);
    fields.extend(asked_by(attempt));
    fields.extend(params([
        ("body", order.description.as_str()),
        ("out_trade_no", attempt.number.as_str()),
        ("total_fee", &order.total_fee.to_string()),
        ("fee_type", "CNY"),
        ("spbill_create_ip", address),
        ("time_expire", &expire),
    ]));
    Ok(fields)
}

/// The app and, in partner mode, the sub-merchant; [`call`] adds the merchant.
pub(super) fn asked_by(attempt: &Attempt) -> Params {
    let sub_appid = attempt.sub_mchid.as_ref().and(attempt.sub_appid.as_deref());
    params([
        ("appid", attempt.app_id.as_str()),
        ("sub_mch_id", attempt.sub_mchid.as_deref().unwrap_or_default()),
        ("sub_appid", sub_appid.unwrap_or_default()),
    ])
}

/// What the order's `other` adds, as APIv2's texts; APIv3's names of the same things are understood. As over APIv3, an
/// order that is not to be shared has nothing frozen.
fn other_fields(order: &Order) -> Params {
    let mut fields = Params::new();
    for (key, value) in order.other.iter().filter(|(key, _)| !text::is_ours(key)) {
        let yes = text::flag(value).map(|flag| if flag { "Y" } else { "N" });
        let (key, text) = match (key.as_str(), value) {
            ("profit_sharing", _) => ("profit_sharing", yes.unwrap_or_default().to_owned()),
            ("support_fapiao" | "receipt", _) => ("receipt", yes.unwrap_or_default().to_owned()),
            ("settle_info", settle) => {
                let flag = text::object(settle).and_then(|s| text::flag(s.get("profit_sharing")?));
                ("profit_sharing", flag.map(|f| if f { "Y" } else { "N" }).unwrap_or_default().to_owned())
            }
            ("limit_pay", Value::Array(list)) => {
                (key.as_str(), list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","))
            }
            (_, Value::Null) => continue,
            (_, Value::String(text)) => match text::object(value) {
                Some(object) => (key.as_str(), raw::escaped_json(&Value::Object(object))),
                None => (key.as_str(), text.clone()),
            },
            (_, other) => (key.as_str(), raw::escaped_json(&text::without_nulls(other))),
        };
        if !text.is_empty() && (key != "profit_sharing" || order.sharing.is_some()) {
            fields.insert(key.to_owned(), text);
        }
    }
    fields
}

/// Checks what is signed as it stands and is not JSON.
pub(in crate::wxpay) fn check(request: &CreateRequest<'_>) -> Result<(), (&'static str, String)> {
    raw::check("openid", request.attempt.openid.as_deref().unwrap_or_default())?;
    for (key, value) in other_fields(request.order) {
        if raw::unfit(&key) || raw::unfit(&value) {
            let key: String = key.chars().take(64).collect();
            return Err(("other", format!("{key} {}, because it is signed as it stands", raw::UNFIT)));
        }
    }
    Ok(())
}

/// The second sign, for the client, of the same kind as the order's.
fn invocation(node: &WxpayNode, v2: &V2, product: Product, request: &CreateRequest<'_>, prepay_id: &str) -> Created {
    let app_id = client_app(request.attempt);
    let (timestamp, nonce) = (request.now.secs(), crypto::nonce());
    let order_info = if product == Product::App {
        // In partner mode the sub-merchant's, whosever application it is (pay.weixin.qq.com/doc/v2/partner/4011986561).
        let partner = request.attempt.sub_mchid.as_deref().unwrap_or(&node.mch_id);
        let signed = params([
            ("appid", app_id),
            ("partnerid", partner),
            ("prepayid", prepay_id),
            ("package", "Sign=WXPay"),
            ("noncestr", &nonce),
            ("timestamp", &timestamp.to_string()),
        ]);
        let pay = client::AppPay {
            scheme: &crate::wxpay::WECHAT_PAY,
            app_id,
            partner_id: partner,
            prepay_id,
            nonce: &nonce,
            timestamp,
            sign: &sign(&signed, &v2.key, v2.hmac),
        };
        pay.parameters()
    } else {
        let package = format!("prepay_id={prepay_id}");
        let signed = params([
            ("appId", app_id),
            ("timeStamp", &timestamp.to_string()),
            ("nonceStr", &nonce),
            ("package", &package),
            ("signType", sign_type(v2)),
        ]);
        client::jsapi(app_id, timestamp, &nonce, &package, sign_type(v2), &sign(&signed, &v2.key, v2.hmac))
    };
    Created { order_info, code_url: None, fresh_until: fresh_until(product, request), number: None, payment: None }
}

/// Pay code. While the payer is at it, or nobody knows, there is no payment and the caller asks.
async fn micropay(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let mut fields = order_fields(request)?;
    fields.insert("auth_code".to_owned(), request.auth_code.unwrap_or_default().to_owned());
    let payment = match call(clients, node, v2, "/pay/micropay", fields, false).await {
        Ok(answer) => payment(node, request.attempt, merchant, &answer).ok(),
        Err(CallError::Unknown(_)) => None,
        Err(refused) => return Err(refused),
    };
    Ok(code_paid(payment, request))
}

pub(crate) async fn query(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    merchant: &str,
    attempt: &Attempt,
) -> Result<Standing, CallError> {
    let mut fields = asked_by(attempt);
    fields.insert("out_trade_no".to_owned(), attempt.number.clone());
    let answer = call(clients, node, v2, "/pay/orderquery", fields, false).await;
    let Some(answer) = if_known(answer)? else { return Ok(Standing::Missing) };
    let state = required(&answer, "trade_state")?;
    if matches!(state, "SUCCESS" | "REFUND") {
        // Whom it names beside the number is compared where it is credited, as a callback's.
        is_of(attempt, &answer)?;
        let payment = payment_of(&answer, merchant).ok_or_else(|| CallError::unknown("the answer is incomplete"))?;
        return Ok(Standing::Paid(vec![payment]));
    }
    is_about(attempt, &answer)?;
    Ok(match state {
        "NOTPAY" | "PAYERROR" => Standing::Unpaid { paying: false },
        "CLOSED" | "REVOKED" => Standing::Closed,
        _ => Standing::Unpaid { paying: true },
    })
}

fn is_of(attempt: &Attempt, answer: &Params) -> Result<(), CallError> {
    match answer.get("out_trade_no") == Some(&attempt.number) {
        true => Ok(()),
        false => Err(CallError::unknown("the answer is about another order")),
    }
}

fn is_about(attempt: &Attempt, answer: &Params) -> Result<(), CallError> {
    is_of(attempt, answer)?;
    let same = |name: &str, wanted: Option<&str>| answer.get(name).map(String::as_str) == wanted;
    let ours = same("appid", Some(&attempt.app_id))
        && (attempt.sub_mchid.is_none() || same("sub_mch_id", attempt.sub_mchid.as_deref()));
    if ours { Ok(()) } else { Err(CallError::unknown("the answer is about another order")) }
}

fn payment(node: &WxpayNode, attempt: &Attempt, merchant: &str, answer: &Params) -> Result<Payment, CallError> {
    is_about(attempt, answer)?;
    payment_of(answer, merchant)
        .filter(|p| p.mch_id.as_deref() == Some(&node.mch_id))
        .ok_or_else(|| CallError::unknown("the answer is incomplete"))
}

/// The payment that verified parameters state; `None` when a field that must be there is not, or is of
/// another shape.
pub(super) fn payment_of(message: &Params, merchant: &str) -> Option<Payment> {
    let field = |name: &str| message.get(name).filter(|t| !t.is_empty());
    // Where the state is said too, it must not deny the payment.
    if field("trade_state").is_some_and(|state| !["SUCCESS", "REFUND"].contains(&state.as_str())) {
        return None;
    }
    Some(Payment {
        total: Some(text::fen(field("total_fee")?)?),
        currency: field("fee_type").map_or_else(|| "CNY".to_owned(), Clone::clone),
        app_id: Some(field("appid")?.clone()),
        mch_id: Some(field("mch_id")?.clone()),
        parties: Parties {
            sub_mch_id: Some(field("sub_mch_id").cloned().unwrap_or_default()),
            sub_app_id: field("sub_appid").cloned(),
            ..Parties::default()
        },
        payer: field("sub_openid").or_else(|| field("openid")).cloned(),
        paid_at: field("time_end").and_then(|t| text::from_v2_time(t)),
        info: redacted(message),
        ..Payment::new(Provider::Wxpay, merchant, field("out_trade_no")?.as_str(), field("transaction_id")?.as_str())
    })
}

/// What is kept of the provider's words: all but what only serves the sign.
pub(super) fn redacted(message: &Params) -> Value {
    const DROPPED: [&str; 6] = ["sign", "sign_type", "nonce_str", "req_info", "return_msg", "auth_code"];
    let kept = message.iter().filter(|(name, value)| !DROPPED.contains(&name.as_str()) && !value.is_empty());
    kept.take(64).map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

/// Closes; a pay-code order is reversed instead, which gives back what may have been paid.
pub(crate) async fn close(
    clients: &ProviderClients,
    node: &WxpayNode,
    v2: &V2,
    attempt: &Attempt,
) -> Result<(), CallError> {
    let mut fields = asked_by(attempt);
    fields.insert("out_trade_no".to_owned(), attempt.number.clone());
    if node.reverses() {
        return reverse(clients, node, v2, fields).await;
    }
    match call(clients, node, v2, "/pay/closeorder", fields, false).await {
        Ok(_) => Ok(()),
        Err(error) if error.means(Meaning::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sends the reversal again while WeChat Pay says `recall=Y`, a few times.
async fn reverse(clients: &ProviderClients, node: &WxpayNode, v2: &V2, fields: Params) -> Result<(), CallError> {
    for round in 0..REVERSALS {
        if round > 0 {
            tokio::time::sleep(REVERSAL_PAUSE).await;
        }
        match call(clients, node, v2, "/secapi/pay/reverse", fields.clone(), true).await {
            Ok(answer) if answer.get("recall").is_some_and(|r| r == "Y") => {}
            Ok(_) => return Ok(()),
            Err(error) if error.means(Meaning::Closed) => return Ok(()),
            Err(CallError::Unknown(_)) if round + 1 < REVERSALS => {}
            Err(error) => return Err(error),
        }
    }
    Err(CallError::unknown("the reversal is to be sent again"))
}
