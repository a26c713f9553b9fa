//! Profit sharing over APIv3 (`docs/protocols/merchant-operations.md#profit-sharing`). A share is taken and done
//! later; a return is done at once, or later.

use super::failure::ours;
use super::text;
use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::driver::Cx;
use crate::wxpay::{V3, WxpayNode};
use crate::{CallError, ProviderClients, ReceiverRequest, ReturnRequest, ShareRequest, if_known};
use domain::{
    Attempt, Fen, RECEIVER_MERCHANT, ReceiverResult, ReceiverStanding, ReturnStanding, ReturnState, ShareStanding,
};
use serde::Serialize;
use serde_json::{Map, Value};

const ORDERS: &str = "/v3/profitsharing/orders";
const UNFREEZE: &str = "/v3/profitsharing/orders/unfreeze";
const RETURNS: &str = "/v3/profitsharing/return-orders";
const TRANSACTIONS: &str = "/v3/profitsharing/transactions";
const ADD: &str = "/v3/profitsharing/receivers/add";
const DELETE: &str = "/v3/profitsharing/receivers/delete";

/// The kinds of receivers, the usual one first; persons return nothing.
pub(super) const RECEIVERS: [&str; 3] = [RECEIVER_MERCHANT, "PERSONAL_OPENID", "PERSONAL_SUB_OPENID"];

/// Whether `other` of an order has its money kept: by the flag of APIv2, or as it stands in APIv3.
pub(super) fn is_shared(other: &Map<String, Value>) -> bool {
    let settle = || text::flag(text::object(other.get("settle_info")?)?.get("profit_sharing")?);
    other.get("profit_sharing").and_then(text::flag).or_else(settle) == Some(true)
}

/// Has it say so.
pub(super) fn mark_shared(other: &mut Map<String, Value>) {
    other.insert("profit_sharing".to_owned(), true.into());
}

#[derive(Serialize)]
struct ShareBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    appid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<&'a str>,
    transaction_id: &'a str,
    out_order_no: &'a str,
    receivers: Vec<Receiver<'a>>,
    unfreeze_unsplit: bool,
}

#[derive(Serialize)]
struct Receiver<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    account: &'a str,
    amount: Fen,
    description: &'a str,
}

#[derive(Serialize)]
struct UnfreezeBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    transaction_id: &'a str,
    out_order_no: &'a str,
    description: &'a str,
}

#[derive(Serialize)]
struct ReturnBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    out_order_no: &'a str,
    out_return_no: &'a str,
    return_mchid: &'a str,
    amount: Fen,
    description: &'a str,
}

#[derive(Serialize)]
struct ReceiverBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    appid: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    account: &'a str,
    /// Encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_relation: Option<&'a str>,
}

pub(super) async fn share(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ShareRequest<'_>,
) -> Result<ShareStanding, CallError> {
    let (share, attempt) = (request.share, request.attempt);
    let sub_mchid = attempt.sub_mchid.as_deref();
    let (transaction_id, out_order_no) = (share.transaction_id.as_str(), share.out_order_no.as_str());
    let answer = if share.receivers.is_empty() {
        let description = share.description.as_deref().unwrap_or_default();
        let body = UnfreezeBody { sub_mchid, transaction_id, out_order_no, description };
        call(clients, node, v3, Ask::json(UNFREEZE, &body), request.now).await
    } else {
        let has = |kind: &str| share.receivers.iter().any(|receiver| receiver.kind == kind);
        let body = ShareBody {
            appid: has("PERSONAL_OPENID").then_some(attempt.app_id.as_str()),
            sub_mchid,
            sub_appid: attempt.sub_appid.as_deref().filter(|_| has("PERSONAL_SUB_OPENID")),
            transaction_id,
            out_order_no,
            receivers: share
                .receivers
                .iter()
                .map(|r| Receiver { kind: &r.kind, account: &r.account, amount: r.amount, description: &r.description })
                .collect(),
            unfreeze_unsplit: share.unfreeze_unsplit,
        };
        call(clients, node, v3, Ask::json(ORDERS, &body), request.now).await
    };
    judge(request, &answer.map_err(not_yet)?)
}

/// A payment that WeChat Pay has not settled yet, and a share that it is working on, are refused in words that ask for the
/// same again later.
fn not_yet(error: CallError) -> CallError {
    match error {
        CallError::Refused(refusal) if refusal.message.contains("处理中") => CallError::Unknown(refusal.to_string()),
        error => error,
    }
}

pub(super) async fn query(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ShareRequest<'_>,
) -> Result<Option<ShareStanding>, CallError> {
    let share = request.share;
    let target = format!(
        "{ORDERS}/{}?transaction_id={}{}",
        segment(&share.out_order_no),
        segment(&share.transaction_id),
        of_sub("&", request.attempt)
    );
    let answer = call(clients, node, v3, Ask::get(&target), request.now).await;
    if_known(answer)?.map(|answer| judge(request, &answer)).transpose()
}

/// The sub-merchant as a parameter.
fn of_sub(before: &str, attempt: &Attempt) -> String {
    attempt.sub_mchid.as_deref().map(|sub| format!("{before}sub_mchid={}", segment(sub))).unwrap_or_default()
}

/// How a share stands, when it is the share that was asked for.
fn judge(request: &ShareRequest<'_>, answer: &Value) -> Result<ShareStanding, CallError> {
    let share = request.share;
    let words = |object: &Value, key: &str| {
        object.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if words(answer, "out_order_no").as_ref() != Some(&share.out_order_no)
        || words(answer, "transaction_id").is_some_and(|id| id != share.transaction_id)
    {
        return Err(CallError::unknown("the answer is about another share"));
    }
    let finished = match words(answer, "state").as_deref() {
        Some("FINISHED") => true,
        Some(_) => false,
        None => return Err(CallError::unknown("the answer is incomplete")),
    };
    let receivers = answer.get("receivers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let receivers = receivers.iter().filter_map(|told| {
        let result = match words(told, "result").as_deref() {
            Some("SUCCESS") => ReceiverResult::Success,
            Some("CLOSED") => ReceiverResult::Closed,
            _ => ReceiverResult::Pending,
        };
        Some(ReceiverStanding {
            kind: words(told, "type")?,
            account: words(told, "account")?,
            amount: Fen(told.get("amount")?.as_u64()?),
            result,
            fail_reason: words(told, "fail_reason"),
            detail_id: words(told, "detail_id"),
        })
    });
    Ok(ShareStanding { finished, order_id: words(answer, "order_id"), receivers: receivers.collect() })
}

pub(super) async fn take_back(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ReturnRequest<'_>,
) -> Result<ReturnStanding, CallError> {
    let made = request.made;
    let body = ReturnBody {
        sub_mchid: request.attempt.sub_mchid.as_deref(),
        out_order_no: &made.out_order_no,
        out_return_no: &made.out_return_no,
        return_mchid: &made.return_mchid,
        amount: made.amount,
        description: &made.description,
    };
    let answer = call(clients, node, v3, Ask::json(RETURNS, &body), request.now).await;
    judge_return(request, &answer.map_err(not_yet)?)
}

pub(super) async fn query_return(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ReturnRequest<'_>,
) -> Result<Option<ReturnStanding>, CallError> {
    let made = request.made;
    let target = format!(
        "{RETURNS}/{}?out_order_no={}{}",
        segment(&made.out_return_no),
        segment(&made.out_order_no),
        of_sub("&", request.attempt)
    );
    let answer = call(clients, node, v3, Ask::get(&target), request.now).await;
    if_known(answer)?.map(|answer| judge_return(request, &answer)).transpose()
}

/// How a return stands, when it is the return that was asked for.
fn judge_return(request: &ReturnRequest<'_>, answer: &Value) -> Result<ReturnStanding, CallError> {
    let made = request.made;
    let words = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let amount = answer.get("amount").and_then(Value::as_u64);
    let ours = words("out_return_no") == Some(made.out_return_no.as_str())
        && words("out_order_no").is_none_or(|no| no == made.out_order_no)
        && amount.is_none_or(|amount| amount == made.amount.0);
    if !ours {
        return Err(CallError::unknown("the answer is about another return"));
    }
    let state = match words("result") {
        Some("SUCCESS") => ReturnState::Success,
        Some("FAILED") => ReturnState::Failed,
        Some(_) => ReturnState::Processing,
        None => return Err(CallError::unknown("the answer is incomplete")),
    };
    Ok(ReturnStanding {
        state,
        return_id: words("return_id").map(str::to_owned),
        fail_reason: words("fail_reason").map(str::to_owned),
    })
}

pub(super) async fn unsplit(
    cx: Cx<'_>,
    node: &WxpayNode,
    v3: &V3,
    attempt: &Attempt,
    transaction_id: &str,
) -> Result<Fen, CallError> {
    let target = format!("{TRANSACTIONS}/{}/amounts{}", segment(transaction_id), of_sub("?", attempt));
    let answer = call(cx.clients, node, v3, Ask::get(&target), cx.now).await?;
    if answer.get("transaction_id").and_then(Value::as_str).is_some_and(|id| id != transaction_id) {
        return Err(CallError::unknown("the answer is about another payment"));
    }
    let left = answer.get("unsplit_amount").and_then(Value::as_u64).map(Fen);
    left.ok_or_else(|| CallError::unknown("the answer is incomplete"))
}

pub(super) async fn add_receiver(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ReceiverRequest<'_>,
) -> Result<(), CallError> {
    let mut body = ReceiverBody {
        sub_mchid: request.sub_mchid,
        appid: request.app_id.unwrap_or(&node.app_id),
        kind: request.kind,
        account: request.account,
        name: None,
        relation_type: Some(request.relation_type.unwrap_or("PARTNER")),
        custom_relation: request.custom_relation,
    };
    let answer = match request.name {
        None => call(clients, node, v3, Ask::json(ADD, &body), request.now).await?,
        Some(name) => {
            let key = clients.wxpay.sealing_key(&clients.http, node, v3, request.now).await;
            let (serial, key) =
                key.map_err(|_| CallError::unknown("there is no key to encrypt the receiver's name to"))?;
            let sealed = key.encrypt_oaep(name.as_bytes());
            body.name = Some(sealed.map_err(|_| ours("PARAM_ERROR", "name cannot be encrypted"))?);
            call(clients, node, v3, Ask::json(ADD, &body).sealed_to(&serial), request.now).await?
        }
    };
    judge_receiver(request, &answer)
}

pub(super) async fn delete_receiver(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &ReceiverRequest<'_>,
) -> Result<(), CallError> {
    let body = ReceiverBody {
        sub_mchid: request.sub_mchid,
        appid: request.app_id.unwrap_or(&node.app_id),
        kind: request.kind,
        account: request.account,
        name: None,
        relation_type: None,
        custom_relation: None,
    };
    let answer = call(clients, node, v3, Ask::json(DELETE, &body), request.now).await?;
    judge_receiver(request, &answer)
}

fn judge_receiver(request: &ReceiverRequest<'_>, answer: &Value) -> Result<(), CallError> {
    match answer.get("account").and_then(Value::as_str) == Some(request.account) {
        true => Ok(()),
        false => Err(CallError::unknown("the answer is about another receiver")),
    }
}
