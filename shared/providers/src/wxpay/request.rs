//! Calls of APIv3 without an action of their own, and balances: signed and verified as every other call.

use super::failure::ours;
use super::transport::{Ask, read, send};
use crate::wxpay::{V3, WxpayNode};
use crate::{Balance, BalanceRequest, CallError, ProviderClients, RawOutcome, RawRequest, RawTarget};
use domain::{Fen, UnixMs};
use http::Method;
use serde_json::Value;

/// Makes a call. Of a GET and a DELETE the data is the query, which has texts, numbers and flags only.
pub(super) async fn request(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    raw: &RawRequest<'_>,
    now: UnixMs,
) -> RawOutcome {
    let RawTarget::Path { method, path } = &raw.target else {
        return RawOutcome::not_made(ours("PARAM_ERROR", "the call has no path"));
    };
    let mut target = path.clone();
    let ask = match *method == Method::GET || *method == Method::DELETE {
        true => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            for (name, value) in raw.data {
                let text = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    Value::Bool(flag) => flag.to_string(),
                    Value::Null | Value::Array(_) | Value::Object(_) => {
                        return RawOutcome::not_made(ours("PARAM_ERROR", "a query has texts, numbers and flags only"));
                    }
                };
                query.append_pair(name, &text);
            }
            let query = query.finish();
            if !query.is_empty() {
                target = format!("{target}?{query}");
            }
            Ask::bare(method.clone(), &target)
        }
        false => Ask::with(method.clone(), &target, raw.data),
    };
    let answer = match send(&clients.http, node, v3, ask, now).await {
        Ok(answer) => answer,
        Err(error) => return RawOutcome::not_made(error),
    };
    let request_id = answer.headers.get("request-id").and_then(|id| id.to_str().ok());
    RawOutcome {
        status: Some(answer.status),
        request_id: request_id.map(|id| id.chars().take(128).collect()),
        answer: read(clients, node, v3, &answer, now).await,
    }
}

/// A balance: of now, or of the end of a day (<https://pay.weixin.qq.com/doc/v3/partner/4012720926>).
pub(super) async fn balance(
    clients: &ProviderClients,
    node: &WxpayNode,
    v3: &V3,
    request: &BalanceRequest<'_>,
    now: UnixMs,
) -> Result<Balance, CallError> {
    let account = request.account.unwrap_or("BASIC");
    let target = match request.day {
        None => format!("/v3/merchant/fund/balance/{account}"),
        Some(day) => format!("/v3/merchant/fund/dayendbalance/{account}?date={day}"),
    };
    let answer = super::transport::call(clients, node, v3, Ask::get(&target), now).await?;
    let amount = |name: &str| answer.get(name).map(|value| value.as_u64().map(Fen));
    let unreadable = || CallError::unknown("the balance is no whole number of fen");
    Ok(Balance {
        available: amount("available_amount").flatten().ok_or_else(unreadable)?,
        pending: amount("pending_amount").map(|fen| fen.ok_or_else(unreadable)).transpose()?,
        total: None,
    })
}
