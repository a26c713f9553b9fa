//! Merchant transfers (`docs/protocols/wechat.md#transfers`). The payee's name travels encrypted to WeChat Pay's key.

use super::failure::ours;
use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients, TransferRequest, TransferStanding};
use domain::{Fen, ReportInfo, TransferState};
use serde::Serialize;
use serde_json::Value;

const BILLS: &str = "/v3/fund-app/mch-transfer/transfer-bills";
const UNDER_AUTHORIZATION: &str = "/v3/fund-app/mch-transfer/transfer-bills/transfer";

/// The body of a transfer: only what is set.
#[derive(Serialize)]
struct TransferBody<'a> {
    appid: &'a str,
    out_bill_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_scene_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    out_authorization_no: Option<&'a str>,
    transfer_amount: Fen,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_remark: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_recv_perception: Option<&'a str>,
    transfer_scene_report_infos: &'a [ReportInfo],
    /// Encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
}

pub(super) async fn transfer(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<TransferStanding, CallError> {
    let transfer = request.transfer;
    // Under an authorisation the payee is who gave it, and confirms nothing.
    let authorized = transfer.out_authorization_no.as_deref();
    let target = if authorized.is_some() { UNDER_AUTHORIZATION } else { BILLS };
    let mut body = TransferBody {
        appid: &transfer.app_id,
        out_bill_no: &transfer.out_bill_no,
        transfer_scene_id: transfer.transfer_scene.as_deref(),
        openid: Some(transfer.payee.as_str()).filter(|_| authorized.is_none()),
        out_authorization_no: authorized,
        transfer_amount: transfer.transfer_amount,
        transfer_remark: transfer.transfer_remark.as_deref(),
        notify_url: transfer.notify_url.as_deref(),
        user_recv_perception: transfer.user_recv_perception.as_deref(),
        transfer_scene_report_infos: &transfer.transfer_scene_report_infos,
        user_name: None,
    };
    let answer = match request.name {
        None => call(clients, node, v3, Ask::json(target, &body), request.now).await?,
        Some(name) => {
            let key = clients.wxpay.sealing_key(&clients.http, node, v3, request.now).await;
            let (serial, key) =
                key.map_err(|_| CallError::unknown("there is no key to encrypt the payee's name to"))?;
            let sealed = key.encrypt_oaep(name.as_bytes());
            body.user_name = Some(sealed.map_err(|_| ours("PARAM_ERROR", "user_name cannot be encrypted"))?);
            call(clients, node, v3, Ask::json(target, &body).sealed_to(&serial), request.now).await?
        }
    };
    judge(node, request, &answer)
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    let target = format!("{BILLS}/out-bill-no/{}", segment(&request.transfer.out_bill_no));
    found(node, request, call(clients, node, v3, Ask::get(&target), request.now).await)
}

/// Takes a transfer back that the payee has not confirmed.
pub(super) async fn cancel(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    let target = format!("{BILLS}/out-bill-no/{}/cancel", segment(&request.transfer.out_bill_no));
    found(node, request, call(clients, node, v3, Ask::post(&target), request.now).await)
}

/// Whether a code says that WeChat Pay does not know the number. The page's own table of codes could not be read, so
/// every spelling of it counts.
pub(super) fn says_unknown(code: &str) -> bool {
    ["NOT_FOUND", "NOT_EXIST", "NOT_EXISTS", "NOTEXIST"].iter().any(|end| code.ends_with(end))
}

/// `None` when WeChat Pay does not know the number.
fn found(
    node: &WxpayNode,
    request: &TransferRequest<'_>,
    answer: Result<Value, CallError>,
) -> Result<Option<TransferStanding>, CallError> {
    match answer {
        Ok(answer) => judge(node, request, &answer).map(Some),
        Err(CallError::Refused(refusal)) if says_unknown(&refusal.code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// How a bill stands, when it is the bill that was asked for.
fn judge(node: &WxpayNode, request: &TransferRequest<'_>, answer: &Value) -> Result<TransferStanding, CallError> {
    let transfer = request.transfer;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let amount = answer.get("transfer_amount");
    let ours = text("out_bill_no") == Some(transfer.out_bill_no.as_str())
        && amount.is_none_or(|amount| amount.as_u64() == Some(transfer.transfer_amount.0))
        && mch_id(answer).is_none_or(|id| id == node.mch_id)
        && text("openid").is_none_or(|openid| openid == transfer.payee)
        && text("appid").is_none_or(|id| id == transfer.app_id);
    if !ours {
        return Err(CallError::unknown("the answer is about another transfer"));
    }
    if text("state").is_none() {
        return Err(CallError::unknown("the answer is incomplete"));
    }
    Ok(standing(answer))
}

/// The merchant of a bill: its callback's samples spell it in two ways.
pub(super) fn mch_id(bill: &Value) -> Option<&str> {
    ["mch_id", "mchid"].iter().find_map(|key| bill.get(*key).and_then(Value::as_str)).filter(|id| !id.is_empty())
}

/// The amount of a bill.
pub(super) fn amount(bill: &Value) -> Option<Fen> {
    bill.get("transfer_amount").and_then(Value::as_u64).map(Fen)
}

/// How a bill object stands, out of an answer or a callback.
pub(super) fn standing(bill: &Value) -> TransferStanding {
    let text = |key: &str| bill.get(key).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let state = match text("state").as_deref() {
        Some("SUCCESS") => TransferState::Success,
        Some("FAIL") => TransferState::Fail,
        Some("CANCELLED") => TransferState::Cancelled,
        Some("CANCELING") => TransferState::Canceling,
        Some("WAIT_USER_CONFIRM") => TransferState::WaitUserConfirm,
        // ACCEPTED, TRANSFERING, PROCESSING, and what may be new.
        _ => TransferState::Processing,
    };
    TransferStanding {
        state,
        provider_state: text("state"),
        transfer_bill_no: text("transfer_bill_no"),
        fail_reason: text("fail_reason"),
        package_info: text("package_info"),
        result: redacted(bill),
    }
}

/// What is kept of a bill: not who gets it, nor what it is confirmed with.
fn redacted(bill: &Value) -> Value {
    const KEPT: [&str; 11] = [
        "mch_id",
        "mchid",
        "appid",
        "out_bill_no",
        "transfer_bill_no",
        "state",
        "fail_reason",
        "transfer_amount",
        "transfer_remark",
        "create_time",
        "update_time",
    ];
    KEPT.iter().filter_map(|key| Some(((*key).to_owned(), bill.get(*key)?.clone()))).collect()
}
