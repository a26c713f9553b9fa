//! IAP Kit of HarmonyOS, virtual goods (`docs/protocols/huawei.md#iap-kit`): signed orders, as Apple has them.

use super::{refused, set_up};
use crate::common::body;
use crate::driver::Cx;
use crate::huawei::{HuaweiNode, IapKit};
use crate::{
    CallError, CreateRequest, Created, Held, Proof, ProviderClients, Purchase, Stands, is_dated, is_said, text_of,
};
use crypto::hash;
use domain::{Attempt, Fen, Payment, Provider, UnixMs};
use http::Method;
use net::provider_http::Request;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::time::Duration;

const LIVE: &str = "https://iap.cloud.huawei.com";
/// How long a token to Huawei is good.
const TOKEN: Duration = Duration::from_mins(5);

/// What the client's `createPurchase` takes; our number travels as `developerPayload`.
pub(super) fn sheet(request: &CreateRequest<'_>) -> Created {
    let goods = &request.attempt.goods;
    Created {
        order_info: json!({
            "productId": goods.get("product_id"),
            "quantity": goods.get("quantity"),
            "developerPayload": request.attempt.number,
        }),
        code_url: None,
        fresh_until: request.order.time_expire,
        number: None,
        payment: None,
    }
}

pub(super) fn signed_time(claims: &Map<String, Value>) -> Option<UnixMs> {
    claims.get("signedTime")?.as_i64().map(UnixMs::new)
}

/// Verifies what a client brings.
pub(crate) async fn purchase(
    cx: Cx<'_>,
    node: &HuaweiNode,
    attempt: &Attempt,
    proof: Proof<'_>,
) -> Result<Purchase, CallError> {
    let Some(kit) = &node.iap else { return refused("CONFIG", "the node has no iap") };
    let fetched;
    let signed = match proof {
        Proof::Signed(signed) => signed,
        Proof::Order { id, token } => {
            fetched = ask(cx.clients, node, kit, id, token, cx.now).await?;
            &fetched
        }
        Proof::Receipt { .. } | Proof::Transaction(_) => {
            return refused("PROOF", "Huawei takes a signed order, or an order's id and token");
        }
    };
    let claims = match kit.anchor.open(signed, |claims| signed_time(claims).map(UnixMs::get)) {
        Ok(claims) => claims,
        Err(error) => return refused("NOT_AUTHENTIC", &error.to_string()),
    };
    if let Proof::Order { id, .. } = proof
        && text_of(&claims, "purchaseOrderId") != Some(id)
    {
        return refused("ORDER", "Huawei names another order");
    }
    read(node, cx.merchant, Some(&attempt.number), &claims).map(|purchase| {
        let age = cx.now.since(purchase.payment.paid_at.unwrap_or_default());
        let token = text_of(&claims, "purchaseToken").filter(|_| matches!(proof, Proof::Signed(_)));
        let held = signed_time(&claims).zip(token).map(|(at, token)| Held { at, key: token.to_owned() });
        Purchase { too_old: age.as_secs() > kit.receipt_expires_in, held, ..purchase }
    })
}

/// How an order stands that its client brought. Without a key of the server API nobody can be asked.
pub(crate) async fn brought(
    clients: &ProviderClients,
    node: &HuaweiNode,
    merchant: &str,
    names: (&str, &str),
    now: UnixMs,
) -> Result<Stands, CallError> {
    match &node.iap {
        Some(kit) if kit.api.is_some() => stands(clients, node, kit, merchant, names, now)
            .await
            .map(|(purchase, _)| if purchase.revoked { Stands::Back } else { Stands::Paid }),
        Some(_) | None => Ok(Stands::CannotAsk),
    }
}

/// An order of this application, in an environment that counts. Where it carries no number of ours it is of the
/// `attempt` that it is brought for, else of nobody's: then it goes by its own.
pub(super) fn read(
    node: &HuaweiNode,
    merchant: &str,
    attempt: Option<&str>,
    claims: &Map<String, Value>,
) -> Result<Purchase, CallError> {
    let text = |name: &str| match claims.get(name) {
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => text_of(claims, name).map(str::to_owned),
    };
    if text("applicationId").as_deref() != Some(&node.app_id) {
        return refused("APP", "the order is of another application");
    }
    if !allowed(node, text("environment").as_deref()) {
        return refused("ENVIRONMENT", "the order is of another environment");
    }
    let (Some(id), Some(product)) = (text("purchaseOrderId"), text("productId")) else {
        return refused("INCOMPLETE", "the order names no product");
    };
    // Where nothing was bought yet, no time says when.
    let Some(paid_at) = claims.get("purchaseTime").and_then(Value::as_i64).filter(|at| *at > 0).map(UnixMs::new) else {
        return refused("UNPAID", "the purchase is not completed");
    };
    let total = price(claims, text("productType").as_deref(), text("currency").as_deref())?;
    let mut goods = Map::new();
    goods.insert("product_id".to_owned(), json!(product));
    goods.insert("quantity".to_owned(), json!(claims.get("quantity").and_then(Value::as_u64).unwrap_or(1)));
    const KEPT: [&str; 9] = [
        "purchaseOrderId",
        "productId",
        "productType",
        "quantity",
        "environment",
        "price",
        "currency",
        "finishStatus",
        "purchaseTime",
    ];
    let payment = Payment {
        total,
        goods,
        app_id: Some(node.app_id.clone()),
        paid_at: Some(paid_at),
        info: crate::kept(&KEPT, claims),
        ..Payment::new(
            Provider::Huawei,
            merchant,
            text("developerPayload").or_else(|| attempt.map(str::to_owned)).unwrap_or_else(|| id.clone()),
            id,
        )
    };
    let revoked = is_said(claims, "purchaseOrderRevocationReasonCode") || is_dated(claims, "revocationTime");
    Ok(Purchase { payment, revoked, too_old: false, held: None })
}

/// What was paid for all of it, where it can be compared with an order: in yuan, and at once. A subscription may have
/// a trial or an offer, and what is sold in another currency has the price that the merchant gave it there.
fn price(claims: &Map<String, Value>, kind: Option<&str>, currency: Option<&str>) -> Result<Option<Fen>, CallError> {
    let subscription = matches!(kind, Some("2" | "3"));
    if subscription || currency.is_some_and(|currency| currency != "CNY") {
        return Ok(None);
    }
    match claims.get("price").filter(|price| !price.is_null()) {
        None => Ok(None),
        Some(price) => match price.as_u64().or_else(|| price.as_str()?.trim().parse().ok()) {
            Some(fen) => Ok(Some(Fen(fen))),
            None => refused("PRICE", "the order's price is no whole number of fen"),
        },
    }
}

/// Whether an environment counts: `NORMAL`, with `sandbox: true` also `SANDBOX`, never another.
pub(super) fn allowed(node: &HuaweiNode, environment: Option<&str>) -> bool {
    match environment {
        Some("NORMAL") => true,
        Some("SANDBOX") => node.sandbox,
        _ => false,
    }
}

/// What Huawei's server says of an order now, verified: a signed order.
pub(super) async fn stands(
    clients: &ProviderClients,
    node: &HuaweiNode,
    kit: &IapKit,
    merchant: &str,
    (id, token): (&str, &str),
    now: UnixMs,
) -> Result<(Purchase, Map<String, Value>), CallError> {
    let signed = ask(clients, node, kit, id, token, now).await?;
    match kit.anchor.open(&signed, |claims| signed_time(claims).map(UnixMs::get)) {
        Ok(claims) if text_of(&claims, "purchaseOrderId") == Some(id) => {
            read(node, merchant, None, &claims).map(|purchase| (purchase, claims))
        }
        Ok(_) => Err(CallError::unknown("IAP Kit names another order")),
        Err(error) => Err(CallError::Unknown(format!("IAP Kit: {error}"))),
    }
}

/// The body of a query; its digest is signed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusBody<'a> {
    purchase_order_id: &'a str,
    purchase_token: &'a str,
}

/// The header of a token.
#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

/// What a token says.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'static str,
    iat: i64,
    exp: i64,
    aid: &'a str,
    digest: String,
}

/// Asks for an order by its id and token; the answer is a signed order.
pub(super) async fn ask(
    clients: &ProviderClients,
    node: &HuaweiNode,
    kit: &IapKit,
    id: &str,
    token: &str,
    now: UnixMs,
) -> Result<String, CallError> {
    let Some(key) = &kit.api else {
        return refused("NO_KEY", "purchase_order_id needs issuerId, keyId and privateKeyContent");
    };
    let body = body::text_of(&StatusBody { purchase_order_id: id, purchase_token: token });
    let claims = Claims {
        iss: &key.issuer_id,
        aud: "iap-v1",
        iat: now.secs(),
        exp: (now + TOKEN).secs(),
        aid: &node.app_id,
        digest: hash::sha256_hex(body.as_bytes()),
    };
    let header = Header { alg: "ES256", typ: "JWT", kid: &key.key_id };
    let Ok(token) = key.private_key.sign_jwt(&header, &claims) else {
        return Err(CallError::unknown("the token cannot be signed"));
    };
    let base = node.api_base.as_deref().unwrap_or(LIVE);
    let request = Request {
        method: Method::POST,
        url: &format!("{base}/order/harmony/v1/application/order/status/query"),
        headers: vec![
            ("content-type", "application/json; charset=UTF-8".to_owned()),
            ("authorization", format!("Bearer {token}")),
        ],
        body: body.into_bytes(),
        identity: None,
    };
    let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
    match answer.status {
        200 => {}
        401 | 403 => {
            return set_up(&answer.status.to_string(), "Huawei takes no key of iap.issuerId, keyId, privateKeyContent");
        }
        status => return Err(CallError::Unknown(format!("IAP Kit: HTTP {status}"))),
    }
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["responseCode"]
        .as_str()
        .map(str::to_owned)
        .or_else(|| body["responseCode"].as_i64().map(|c| c.to_string()));
    match (code.as_deref(), body["jwsPurchaseOrder"].as_str()) {
        (Some("0"), Some(signed)) => Ok(signed.to_owned()),
        (Some(code @ "1001880005"), _) => set_up(code, "in-app purchases are not switched on for the application"),
        // Not owned, no record.
        (Some(code @ ("1001880008" | "1001880012")), _) => refused(code, "Huawei does not know the order"),
        (code, _) => Err(CallError::Unknown(format!("IAP Kit: {}", code.unwrap_or("no code")))),
    }
}
