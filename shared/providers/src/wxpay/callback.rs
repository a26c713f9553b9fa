//! Callbacks: verify the raw bytes, check the age, decrypt, parse (`docs/protocols/wechat.md#callbacks`).
//!
//! Which version a message is of is told by its signature headers, else by the signature in its query (message push), else
//! by the first byte of its body; no other header, path, host or query has a say.

use super::signing::{HeaderFault, Signed};
use super::{authorization, certificates::NoKey, push, transaction, transfer, v2, v3_refund};
use crate::Merchant;
use crate::common::wechat_push;
use crate::wxpay::{Api, Scheme, V3, WECHAT_PAY, WxpayNode};
use crate::{
    AuthorizationNotice, CallbackError, CallbackRequest, ComplaintNotice, Notice, ProviderClients, ProviderReply,
    RefundNotice, RefundProgress, ShareNotice, TransferNotice, Verdict, missing_key,
};
use crypto::aes::open_gcm;
use domain::{AuthorizationState, Parties, Provider};
use http::Method;
use serde_json::Value;

/// The versions, as messages show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V2,
    V3,
    Push,
    None,
}

fn version(request: &CallbackRequest<'_>) -> Version {
    const HEADERS: [&str; 4] = ["wechatpay-signature", "wechatpay-serial", "wechatpay-timestamp", "wechatpay-nonce"];
    // Nothing but the probe of a push is a GET.
    if request.method == Method::GET {
        return Version::Push;
    }
    if HEADERS.iter().any(|name| request.headers.contains_key(*name)) {
        return Version::V3;
    }
    if push::is_push(request) {
        return Version::Push;
    }
    let body = request.body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(request.body);
    match body.trim_ascii_start().first() {
        Some(b'<') => Version::V2,
        _ => Version::None,
    }
}

pub(crate) async fn read(
    merchant: &Merchant,
    clients: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    match version(request) {
        Version::V3 => read_v3(&merchant.id, nodes(merchant), &WECHAT_PAY, clients, request).await,
        Version::V2 => v2::callback::read(merchant, request.body),
        Version::Push => push::read(merchant, request),
        Version::None => Err(CallbackError::Forged("not signed")),
    }
}

/// Reads a callback of APIv3 or of a look-alike, with the keys of these nodes.
pub(crate) async fn read_v3(
    merchant: &str,
    nodes: Vec<(&WxpayNode, &V3)>,
    scheme: &Scheme,
    clients: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let signed = Signed::read(request.headers, scheme).map_err(|fault| match fault {
        HeaderFault::Probe => CallbackError::Probe,
        HeaderFault::Bad(what) => CallbackError::Forged(what),
    })?;
    let mut opened = None;
    let mut verified = false;
    let mut unavailable = None;
    for (node, v3) in &nodes {
        let (node, v3) = (*node, *v3);
        let key = match clients.wxpay.key(&clients.http, node, v3, signed.serial, request.now).await {
            Ok(key) => key,
            // With a public key configured, a message under a key that cannot be had is not the provider's;
            // it is sent again after a 4xx just as after a 5xx.
            Err(NoKey::Unavailable(what)) if v3.public_key.is_none() => {
                unavailable = Some(what);
                continue;
            }
            Err(_) => continue,
        };
        if !signed.verified_by(&key, request.body) {
            continue;
        }
        verified = true;
        if !signed.is_fresh(request.now) {
            return Err(CallbackError::Stale);
        }
        opened = open(v3, request.body)?.map(|(event, resource)| (event, resource, node.mch_id.as_str()));
        if opened.is_some() {
            break;
        }
    }
    match (opened, verified, unavailable) {
        (Some((event, resource, mch_id)), ..) => notice(merchant, mch_id, &event, &resource),
        (None, true, _) => Err(CallbackError::Malformed("the resource does not open")),
        (None, false, Some(what)) => Err(CallbackError::Unavailable(what)),
        (None, false, None) => {
            warn_of_missing_key(merchant, &nodes, scheme, signed.serial);
            Err(CallbackError::Forged("no key of this merchant made the signature"))
        }
    }
}

/// Says which key would be needed, when a message names a kind of key that is not configured, or another public key
/// than the configured one. It is refused all the same, and it may be a forgery: no alarm, and nothing of the message.
fn warn_of_missing_key(merchant: &str, nodes: &[(&WxpayNode, &V3)], scheme: &Scheme, serial: &str) {
    let section = if scheme.host == WECHAT_PAY.host { "wxpay" } else { "douyin" };
    let missing = match (nodes.iter().any(|(_, v3)| v3.public_key.is_some()), serial.starts_with("PUB_KEY_ID_")) {
        _ if nodes.is_empty() => {
            "an APIv3 callback, and no node has version 3: v3Key, appCertContent and appPrivateKeyContent are missing"
        }
        (false, true) => {
            "signed under a public key (PUB_KEY_ID_…), and none is configured: wxpayPublicKeyId and \
             wxpayPublicKeyContent (pub_key.pem) of the merchant console are missing"
        }
        (true, true) if nodes.iter().all(|(_, v3)| v3.public_key.as_ref().is_none_or(|(id, _)| id != serial)) => {
            "signed under another public key (PUB_KEY_ID_…) than wxpayPublicKeyId names: wxpayPublicKeyId and \
             wxpayPublicKeyContent must be those that the merchant console shows now"
        }
        (true, false) => {
            "signed under a platform certificate, and only the public key is configured: the certificates cannot be \
             downloaded by this merchant; let the console finish the change to the public key, or leave out \
             wxpayPublicKeyId and wxpayPublicKeyContent until then"
        }
        (true, true) | (false, false) => return,
    };
    let nodes = nodes.iter().map(|(node, _)| node.name.as_str()).collect::<Vec<_>>().join(",");
    missing_key::warn(section, merchant, &nodes, missing);
}

/// The APIv3 nodes, those without a public key first: a certificate of theirs is the likelier to be held.
fn nodes(merchant: &Merchant) -> Vec<(&WxpayNode, &V3)> {
    let mut nodes: Vec<(&WxpayNode, &V3)> = merchant
        .wxpay
        .values()
        .filter_map(|node| match &node.api {
            Api::V3(v3) => Some((&**node, v3)),
            Api::V2(_) => None,
        })
        .collect();
    nodes.sort_by_key(|(_, v3)| v3.public_key.is_some());
    nodes
}

/// Opens the resource with one node's APIv3 key: the event's name and the object inside. `Ok(None)` when
/// this key is not the one.
fn open(v3: &V3, body: &[u8]) -> Result<Option<(String, Value)>, CallbackError> {
    let event: Value = serde_json::from_slice(body).map_err(|_| CallbackError::Malformed("not JSON"))?;
    let resource = &event["resource"];
    let (Some(name), Some(nonce), Some(ciphertext)) =
        (event["event_type"].as_str(), resource["nonce"].as_str(), resource["ciphertext"].as_str())
    else {
        return Err(CallbackError::Malformed("the event's fields"));
    };
    if resource["algorithm"].as_str() != Some("AEAD_AES_256_GCM") {
        return Err(CallbackError::Malformed("another algorithm"));
    }
    let aad = match &resource["associated_data"] {
        Value::Null => "",
        Value::String(text) => text,
        _ => return Err(CallbackError::Malformed("the event's fields")),
    };
    let Ok(plain) = open_gcm(v3.key.expose().as_bytes(), nonce.as_bytes(), aad.as_bytes(), ciphertext) else {
        return Ok(None);
    };
    let object = serde_json::from_slice(&plain).map_err(|_| CallbackError::Malformed("the resource is not JSON"))?;
    Ok(Some((name.to_owned(), object)))
}

fn notice(merchant: &str, mch_id: &str, event: &str, object: &Value) -> Result<Notice, CallbackError> {
    if is_of_a_share(event, object) {
        return share_notice(merchant, object);
    }
    if event == "TRANSACTION.SUCCESS" {
        if object["trade_state"].as_str() != Some("SUCCESS") {
            return Err(CallbackError::Malformed("trade_state"));
        }
        let payment = transaction::payment(object, merchant);
        return Ok(Notice::Payment(Box::new(payment.ok_or(CallbackError::Malformed("the payment's fields"))?)));
    }
    if event.starts_with("REFUND.") {
        return refund_notice(merchant, event, object);
    }
    if event == "MCHTRANSFER.BILL.FINISHED" {
        return transfer_notice(merchant, object);
    }
    if let Some(what) = event.strip_prefix("MCHTRANSFER.AUTHORIZATION.") {
        return authorization_notice(merchant, what, object);
    }
    if matches!(event, "COMPLAINT.CREATE" | "COMPLAINT.STATE_CHANGE") {
        return complaint_notice(merchant, mch_id, object);
    }
    Ok(Notice::Other(event.chars().filter(|c| c.is_ascii_graphic()).take(64).collect()))
}

/// What tells a receiver of a share, or of its return, has the event of a payment, or one of its own
/// (`docs/protocols/merchant-operations.md#profit-sharing`). It has no state, and names a receiver.
fn is_of_a_share(event: &str, object: &Value) -> bool {
    event.starts_with("PROFITSHARING.")
        || event == "TRANSACTION.SUCCESS" && object["receiver"].is_object() && object.get("trade_state").is_none()
}

fn share_notice(merchant: &str, object: &Value) -> Result<Notice, CallbackError> {
    const MISSING: CallbackError = CallbackError::Malformed("the share's fields");
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    Ok(Notice::Share(ShareNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        mch_id: Some(text("sp_mchid").or_else(|| text("mchid")).ok_or(MISSING)?),
        app_id: None,
        transaction_id: text("transaction_id").ok_or(MISSING)?,
        out_order_no: text("out_order_no").ok_or(MISSING)?,
    }))
}

fn refund_notice(merchant: &str, event: &str, object: &Value) -> Result<Notice, CallbackError> {
    const MISSING: CallbackError = CallbackError::Malformed("the refund's fields");
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let standing = v3_refund::standing(object, "refund_status");
    let ends = matches!(standing.progress, RefundProgress::Success | RefundProgress::Closed(_));
    if text("refund_status").is_none_or(|status| ends && event != format!("REFUND.{status}")) {
        return Err(CallbackError::Malformed("refund_status"));
    }
    if standing.refund.is_none() || object["amount"]["total"].as_u64().is_none() {
        return Err(MISSING);
    }
    Ok(Notice::Refund(Box::new(RefundNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        number: Some(text("out_trade_no").ok_or(MISSING)?.to_owned()),
        share: None,
        returned: None,
        transaction_id: text("transaction_id").map(str::to_owned),
        out_refund_no: text("out_refund_no").ok_or(MISSING)?.to_owned(),
        mch_id: Some(transaction::mch_id(object).ok_or(MISSING)?.to_owned()),
        parties: Parties { sub_mch_id: text("sub_mchid").map(str::to_owned), ..Parties::default() },
        payment: None,
        signed: true,
        info: redacted(object),
        standing,
    })))
}

fn transfer_notice(merchant: &str, object: &Value) -> Result<Notice, CallbackError> {
    const MISSING: CallbackError = CallbackError::Malformed("the transfer's fields");
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    text("state").ok_or(MISSING)?;
    Ok(Notice::Transfer(Box::new(TransferNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        out_bill_no: text("out_bill_no").ok_or(MISSING)?,
        mch_id: transfer::mch_id(object).ok_or(MISSING)?.to_owned(),
        amount: transfer::amount(object).ok_or(MISSING)?,
        payee: text("openid").ok_or(MISSING)?,
        standing: transfer::standing(object),
    })))
}

/// A payee's authorisation: the event's name and its state must say the same.
fn authorization_notice(merchant: &str, event: &str, object: &Value) -> Result<Notice, CallbackError> {
    const MISSING: CallbackError = CallbackError::Malformed("the authorisation's fields");
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let standing = authorization::standing(object).ok_or(MISSING)?;
    match (event, standing.state) {
        ("CONFIRMED", AuthorizationState::TakingEffect) | ("CLOSED", AuthorizationState::Closed) => {}
        _ => return Err(CallbackError::Malformed("the authorisation's state")),
    }
    if standing.app_id.is_none() || standing.payee.is_none() {
        return Err(MISSING);
    }
    Ok(Notice::Authorization(Box::new(AuthorizationNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        out_authorization_no: text("out_authorization_no").ok_or(MISSING)?,
        mch_id: transfer::mch_id(object).map(str::to_owned),
        standing,
    })))
}

/// A complaint's notice says only which one it is about.
fn complaint_notice(merchant: &str, mch_id: &str, object: &Value) -> Result<Notice, CallbackError> {
    let text = |key: &str| object.get(key).and_then(Value::as_str).filter(|text| ComplaintNotice::is_id(text));
    Ok(Notice::Complaint(ComplaintNotice {
        provider: Provider::Wxpay,
        merchant: merchant.to_owned(),
        account: mch_id.to_owned(),
        complaint_id: text("complaint_id").ok_or(CallbackError::Malformed("complaint_id"))?.to_owned(),
        event: text("action_type").unwrap_or_default().to_owned(),
    }))
}

/// What is kept of a refund: not the account that the money went to.
fn redacted(object: &Value) -> Value {
    const KEPT: [&str; 10] = [
        "mchid",
        "sp_mchid",
        "sub_mchid",
        "out_trade_no",
        "transaction_id",
        "out_refund_no",
        "refund_id",
        "refund_status",
        "success_time",
        "amount",
    ];
    KEPT.iter().filter_map(|key| Some(((*key).to_owned(), object.get(*key)?.clone()))).collect()
}

/// The answer in the words of the version that asked.
pub(crate) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    if version(request) == Version::Push {
        return wechat_push::reply(request, verdict);
    }
    let status = match verdict {
        Verdict::Accepted => 200,
        Verdict::Rejected => 401,
        Verdict::Retry => 500,
    };
    let message = match verdict {
        Verdict::Accepted => "OK",
        Verdict::Rejected => "REFUSED",
        Verdict::Retry => "RETRY",
    };
    if version(request) == Version::V2 {
        let code = if verdict == Verdict::Accepted { "SUCCESS" } else { "FAIL" };
        let body = format!(
            "<xml><return_code><![CDATA[{code}]]></return_code><return_msg><![CDATA[{message}]]></return_msg></xml>"
        );
        return ProviderReply { status, content_type: "text/xml; charset=utf-8", body };
    }
    match verdict {
        Verdict::Accepted => ProviderReply { status: 204, content_type: "", body: String::new() },
        Verdict::Rejected | Verdict::Retry => ProviderReply {
            status,
            content_type: "application/json",
            body: format!(r#"{{"code":"FAIL","message":"{message}"}}"#),
        },
    }
}
