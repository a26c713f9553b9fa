//! Creating a payment: which product a node means, what it is told, and what the client gets
//! (`docs/protocols/alipay.md#creating-an-order`, `docs/protocols/vkpay.md#client-parameters`).

use super::answer::word;
use super::call::{self, Call};
use super::{clock, payment, sharing, signing};
use crate::alipay::AlipayNode;
use crate::{CallError, CreateRequest, Created, Meaning, ProviderClients, Refusal, text_of};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How long the text of a precreate QR code can be scanned.
const QR_LIFE: Duration = Duration::from_hours(2);

/// Keys of `other` that never reach `biz_content`: ours to say, or meant for us. A currency would change what
/// the amount means.
const OURS: [&str; 13] = [
    "out_trade_no",
    "trade_no",
    "total_amount",
    "subject",
    "time_expire",
    "notify_url",
    "return_url",
    "app_id",
    "app_auth_token",
    "auth_code",
    "trans_currency",
    "settle_currency",
    "method",
];

/// Alipay's products for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// Mini-program.
    Create,
    /// The app's SDK.
    App,
    /// A QR code of ours that the payer scans.
    Precreate,
    /// A pay code of the payer's that the shop scans.
    Pay,
    /// A page in a desktop browser.
    Page,
    /// A page in a mobile browser.
    Wap,
}

impl Product {
    /// The product of a node; `other.method` chooses page or wap pay on `h5`.
    pub(super) fn of(node: &AlipayNode, other: &Map<String, Value>) -> Option<Self> {
        let method = text_of(other, "method");
        match (node.name.as_str(), method) {
            ("h5", Some("alipay.trade.page.pay")) => Some(Self::Page),
            ("h5", Some("alipay.trade.wap.pay")) => Some(Self::Wap),
            (name, method) => {
                let product = match name {
                    "mp-alipay" => Self::Create,
                    "app-plus" => Self::App,
                    "h5" => Self::Precreate,
                    "codepay" => Self::Pay,
                    "pc" => Self::Page,
                    "wap" => Self::Wap,
                    _ => return None,
                };
                method.is_none_or(|method| method == product.method()).then_some(product)
            }
        }
    }

    const fn method(self) -> &'static str {
        match self {
            Self::Create => "alipay.trade.create",
            Self::App => "alipay.trade.app.pay",
            Self::Precreate => "alipay.trade.precreate",
            Self::Pay => "alipay.trade.pay",
            Self::Page => "alipay.trade.page.pay",
            Self::Wap => "alipay.trade.wap.pay",
        }
    }

    /// The documented `product_code`; the merchant's contract may want another, which `other` gives.
    const fn code(self) -> &'static str {
        match self {
            Self::Create => "JSAPI_PAY",
            Self::App => "QUICK_MSECURITY_PAY",
            Self::Precreate | Self::Pay => "FACE_TO_FACE_PAYMENT",
            Self::Page => "FAST_INSTANT_TRADE_PAY",
            Self::Wap => "QUICK_WAP_WAY",
        }
    }
}

/// Creates the payment. The order string and the page URLs need no call: the trade comes into being when the
/// payer opens them.
pub(super) async fn create(
    clients: &ProviderClients,
    node: &AlipayNode,
    merchant: &str,
    request: &CreateRequest<'_>,
) -> Result<Created, CallError> {
    let Some(product) = Product::of(node, &request.order.other) else {
        let message = format!("alipay.{} takes no payments", node.name);
        return Err(CallError::Refused(Refusal { code: "node".to_owned(), message, meaning: Meaning::No }));
    };
    let mut call = Call::new(product.method(), content(node, product, request));
    call.notify_url = Some(request.notify_url);
    match product {
        Product::App => carried(&call, node, request, |params| json!(signing::encoded(params))),
        Product::Page | Product::Wap => {
            call.return_url = request.return_url;
            carried(&call, node, request, |params| {
                let url = signing::page_url(call::gateway(node), params);
                json!({ "mwebUrl": url, "payUrl": url })
            })
        }
        Product::Create | Product::Precreate => {
            answered(product, request, &call.send(clients, node, request.now).await?)
        }
        // Unknown, and 10003 "the payer is at it", are the caller's to ask about: the code was spent.
        Product::Pay => match call.send(clients, node, request.now).await {
            Ok(fields) => {
                let payment = payment::of(&fields, merchant).ok().filter(|p| p.number == request.attempt.number);
                Ok(Created { payment, ..created(request, json!({})) })
            }
            Err(CallError::Unknown(_)) => Ok(created(request, json!({}))),
            Err(refused) => Err(refused),
        },
    }
}

/// What a client carries to Alipay itself.
fn carried(
    call: &Call<'_>,
    node: &AlipayNode,
    request: &CreateRequest<'_>,
    order_info: impl FnOnce(&[(&'static str, String)]) -> Value,
) -> Result<Created, CallError> {
    let params = call.signed(node, request.now, false);
    let params = params.map_err(|error| CallError::Unknown(format!("the request {error}")))?;
    Ok(created(request, order_info(&params)))
}

fn answered(product: Product, request: &CreateRequest<'_>, fields: &Map<String, Value>) -> Result<Created, CallError> {
    if word(fields, "out_trade_no") != Some(request.attempt.number.as_str()) {
        return Err(CallError::Unknown(format!("{} answered for another order", product.method())));
    }
    let created = match product {
        Product::Precreate => word(fields, "qr_code").map(|code| {
            let fresh_until = (request.now + QR_LIFE).min(request.order.time_expire);
            let code_url = Some(code.to_owned());
            Created { code_url, fresh_until, ..created(request, json!({ "codeUrl": code })) }
        }),
        _ => word(fields, "trade_no").map(|trade_no| created(request, json!(trade_no))),
    };
    let lacks = || CallError::Unknown(format!("{}: the answer lacks what the payer needs", product.method()));
    created.ok_or_else(lacks)
}

fn created(request: &CreateRequest<'_>, order_info: Value) -> Created {
    Created { order_info, code_url: None, fresh_until: request.order.time_expire, number: None, payment: None }
}

/// `biz_content`: the caller's `other`, then what is ours to say.
fn content(node: &AlipayNode, product: Product, request: &CreateRequest<'_>) -> Map<String, Value> {
    let (order, attempt) = (request.order, request.attempt);
    let mut biz: Map<String, Value> = order
        .other
        .iter()
        .filter(|(name, value)| !OURS.contains(&name.as_str()) && !value.is_null() && *value != "")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    sharing::write_flag(node, order, &mut biz);
    biz.entry("product_code").or_insert_with(|| product.code().into());
    // To be percent-encoded by whom it belongs to; a bare & would make the callback's text ambiguous.
    if let Some(raw) = text_of(&biz, "passback_params").filter(|text| text.contains('&')) {
        let escaped = signing::escaped(raw);
        biz.insert("passback_params".to_owned(), escaped.into());
    }
    let mut put = |name: &str, text: &str| biz.insert(name.to_owned(), text.into());
    put("out_trade_no", &attempt.number);
    put("total_amount", &order.total_fee.to_yuan());
    put("subject", &order.description);
    put("time_expire", &clock::text_of(order.time_expire));
    match product {
        Product::Create => {
            biz.entry("op_app_id").or_insert_with(|| node.app_id.as_str().into());
            let named = biz.contains_key("op_buyer_open_id");
            if let Some(payer) = attempt.openid.as_deref().filter(|payer| !payer.is_empty() && !named) {
                let (name, not) =
                    if is_user_id(payer) { ("buyer_id", "buyer_open_id") } else { ("buyer_open_id", "buyer_id") };
                biz.shift_remove(not);
                biz.insert(name.to_owned(), payer.into());
            }
        }
        Product::Pay => {
            let code = request.auth_code.unwrap_or_default();
            let scene = if code.starts_with("fp") { "security_code" } else { "bar_code" };
            biz.insert("auth_code".to_owned(), code.into());
            biz.entry("scene").or_insert_with(|| scene.into());
            if let Some(store) = request.store_id {
                biz.insert("store_id".to_owned(), store.into());
            }
        }
        Product::App | Product::Precreate | Product::Page | Product::Wap => {}
    }
    biz
}

/// A user id of the old kind: 16 digits beginning 2088. Newer applications see an open id.
pub(super) fn is_user_id(payer: &str) -> bool {
    payer.len() == 16 && payer.starts_with("2088") && payer.bytes().all(|b| b.is_ascii_digit())
}
