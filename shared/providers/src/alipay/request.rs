//! Calls of the gateway without an action of their own, and the balance: signed and verified as every other call.

use super::answer::word;
use super::call::Call;
use crate::alipay::AlipayNode;
use crate::{Balance, CallError, Meaning, ProviderClients, RawOutcome, RawRequest, RawTarget, Refusal};
use domain::{Fen, UnixMs};
use serde_json::{Map, Value};

/// Makes a call; its data is `biz_content`.
pub(super) async fn request(
    clients: &ProviderClients,
    node: &AlipayNode,
    raw: &RawRequest<'_>,
    now: UnixMs,
) -> RawOutcome {
    let RawTarget::Named(method) = &raw.target else {
        let (code, message) = ("PARAM_ERROR".to_owned(), "the call has a path".to_owned());
        return RawOutcome::not_made(CallError::Refused(Refusal { code, message, meaning: Meaning::Unheard }));
    };
    let call = Call::new(method, raw.data.clone());
    let answer = match call.post(clients, node, now).await {
        Ok(answer) => answer,
        Err(error) => return RawOutcome::not_made(error),
    };
    let trace = answer.headers.get("trace_id").and_then(|id| id.to_str().ok());
    RawOutcome {
        status: Some(answer.status),
        request_id: trace.map(|id| id.chars().take(128).collect()),
        answer: call.judge(node, &answer).map(Value::Object),
    }
}

/// The balance of the merchant's account. All amounts are in yuan there.
pub(super) async fn balance(clients: &ProviderClients, node: &AlipayNode, now: UnixMs) -> Result<Balance, CallError> {
    let fields = Call::new("alipay.data.bill.balance.query", Map::new()).send(clients, node, now).await?;
    let amount = |name: &str| word(&fields, name).map(Fen::from_yuan);
    let unreadable = || CallError::unknown("alipay.data.bill.balance.query: no amount in yuan");
    let some = |name: &str| amount(name).map(|fen| fen.ok_or_else(unreadable)).transpose();
    Ok(Balance {
        available: amount("available_amount").flatten().ok_or_else(unreadable)?,
        pending: some("freeze_amount")?,
        total: some("total_amount")?,
    })
}
