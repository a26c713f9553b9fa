//! `pay/request` and `pay/queryBalance`: a provider's calls that have no action of their own, and what the merchant has
//! there (`docs/requests.md`).

use super::{Caller, Context, Fields};
use config::DEFAULT_MERCHANT;
use domain::{Code, Day, Failure, Fen, Provider, fields as f};
use providers::{BalanceRequest, CallError, Gateway, Merchant, RawRequest, RawTarget};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use store::{RequestEnd, RequestRecord};

/// How much of a body is kept, bytes of its JSON.
const KEPT: usize = 4096;

async fn merchant_of(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Arc<Merchant>, Failure> {
    let id = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    cx.merchant(id).await?.ok_or_else(|| f::PID.wrong("names no merchant of the configuration"))
}

/// The node that is named; else that for transfers, which is the merchant's own account, or the first.
fn gateway_of(merchant: &Merchant, provider: Provider, node: Option<&str>) -> Result<(String, Gateway), Failure> {
    let nodes = merchant.nodes(provider);
    let name = match node {
        Some(name) => nodes.iter().find(|own| **own == name).copied(),
        None => nodes.iter().find(|own| **own == "transfer").or_else(|| nodes.first()).copied(),
    };
    let fault = || match node {
        Some(_) => f::NODE.wrong("names no node of the merchant's section"),
        None => Failure::new(Code::PROVIDER).says(provider.name()),
    };
    let name = name.ok_or_else(fault)?;
    let gateway = Gateway::find(merchant, provider, name).ok_or_else(fault)?;
    Ok((name.to_owned(), gateway))
}

/// Makes a provider's call by its name, where the configuration allows it and it moves no money. It is kept before it is
/// made, and what came of it after.
///
/// # Errors
/// The field's code for bad input; 403 it is not allowed; 422 the provider refused; 504 its outcome is not known.
pub async fn raw_request(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<Map<String, Value>, Failure> {
    let provider = fields.needed_provider()?;
    let method = fields.needed_text(&f::REQUEST_METHOD)?;
    let (path, action) = (fields.text(&f::REQUEST_PATH)?, fields.text(&f::REQUEST_ACTION)?);
    if path.is_some() && action.is_some() {
        return Err(f::REQUEST_ACTION.wrong("is another name of path; give one of them"));
    }
    let data = fields.object(&f::REQUEST_DATA)?;
    let (node, merchant) = (fields.text(&f::NODE)?, merchant_of(cx, fields).await?);
    let target = RawTarget::read(provider, method, path.or(action)).map_err(|(field, what)| match field {
        "provider" => f::PROVIDER.wrong(what),
        "path" => f::REQUEST_PATH.wrong(what),
        _ => f::REQUEST_METHOD.wrong(what),
    })?;
    if !merchant.requests.permits(provider, &target) {
        let why = match target.moves_money(provider) {
            true => "moves money and is never made here",
            false => "is not in request of the configuration",
        };
        tracing::warn!(source = %caller.source, target = %target.text(), why, "a request to a provider was not made");
        return Err(Failure::new(Code::FORBIDDEN).says(format!("{}: {why}", target.text())));
    }
    let (node, gateway) = gateway_of(&merchant, provider, node)?;
    let record = RequestRecord {
        record_id: hex::encode(crypto::random::<16>()),
        source: caller.source.clone(),
        provider,
        merchant: merchant.id.clone(),
        node,
        target: target.text(),
        data: bounded(masked(&Value::Object(data.clone()))),
        state: "sent".to_owned(),
        create_date: cx.now(),
    };
    cx.store.keep_request(&record).await?;
    let outcome = gateway.request(cx.clients, &RawRequest { target, data: &data }, cx.now()).await;
    let (state, answer) = match &outcome.answer {
        Ok(answer) => ("done", bounded(masked(answer))),
        Err(CallError::Refused(refusal)) => ("refused", json!(refusal.to_string())),
        Err(CallError::Unknown(why)) => ("unknown", json!(why)),
    };
    let end =
        RequestEnd { state, http_status: outcome.status, provider_request_id: outcome.request_id.as_deref(), answer };
    let id = &record.record_id;
    if let Err(error) = cx.store.end_request(id, &end, cx.now()).await {
        // The provider has answered, and that counts.
        tracing::error!(record_id = %id, %error, "the result of a provider call could not be recorded");
    }
    let tell = |failure: Failure| {
        failure.with("record_id", id.as_str()).with("provider_request_id", json!(outcome.request_id))
    };
    let result = outcome.answer.map_err(|error| tell(error.for_client()))?;
    Ok(Map::from_iter([
        ("provider".to_owned(), json!(provider)),
        ("record_id".to_owned(), json!(id)),
        ("provider_request_id".to_owned(), json!(outcome.request_id)),
        ("http_status".to_owned(), json!(outcome.status)),
        ("result".to_owned(), result),
    ]))
}

/// A body without what names or reaches a person, and without what opens anything.
fn masked(value: &Value) -> Value {
    const WITHIN: [&str; 19] = [
        "account", "address", "buyer", "card", "cert", "contact", "email", "idcard", "key", "mobile", "name", "openid",
        "password", "payer", "phone", "secret", "sign", "token", "unionid",
    ];
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| {
                let plain: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
                let shown = match (WITHIN.iter().any(|word| plain.contains(word)), value) {
                    (false, value) | (true, value @ Value::Object(_)) => masked(value),
                    (true, Value::Array(list)) => list.iter().map(hidden).collect(),
                    (true, _) => json!("***"),
                };
                (name.clone(), shown)
            })
            .collect(),
        Value::Array(list) => Value::Array(list.iter().map(masked).collect()),
        // What is encrypted for the provider, or a certificate.
        Value::String(text) if text.len() > 512 => json!(format!("… {} bytes", text.len())),
        other => other.clone(),
    }
}

/// What stands in a list under a name that is masked.
fn hidden(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(hidden).collect(),
        Value::Object(_) => masked(value),
        _ => json!("***"),
    }
}

/// A body that can be kept; of a larger one its beginning, as text.
fn bounded(value: Value) -> Value {
    let text = value.to_string();
    match text.len() <= KEPT && is_shallow(&value, 16) {
        true => value,
        false => json!(text.chars().take(KEPT / 4).chain("…".chars()).collect::<String>()),
    }
}

fn is_shallow(value: &Value, left: usize) -> bool {
    match value {
        _ if left == 0 => false,
        Value::Array(list) => list.iter().all(|value| is_shallow(value, left - 1)),
        Value::Object(map) => map.iter().all(|(name, value)| !name.is_empty() && is_shallow(value, left - 1)),
        Value::Number(number) => !number.is_f64(),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// Asks for the merchant's balance at a provider.
///
/// # Errors
/// The field's code for bad input; 422 the provider has no such call, or refuses; 504 it does not tell.
pub async fn query_balance(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Map<String, Value>, Failure> {
    let provider = fields.needed_provider()?;
    let account = fields.choice(&f::ACCOUNT_TYPE)?;
    let day = match fields.text(&f::BALANCE_DATE)? {
        Some(text) => Some(Day::parse(text).ok_or_else(|| fields.fault(&f::BALANCE_DATE))?),
        None => None,
    };
    let node = fields.text(&f::NODE)?.or(fields.text(&f::PLATFORM)?);
    let merchant = merchant_of(cx, fields).await?;
    let (_, gateway) = gateway_of(&merchant, provider, node)?;
    let balance = gateway.balance(cx.clients, &BalanceRequest { account, day }, cx.now()).await;
    let balance = balance.map_err(|error| match error {
        CallError::Refused(refusal) if refusal.code == "UNSUPPORTED" => Code::UNSUPPORTED.into(),
        error => error.for_client(),
    })?;
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("provider", json!(provider));
    put("merchant", json!(merchant.id));
    put("available_amount", json!(balance.available));
    put("pending_amount", json!(balance.pending));
    put("total_amount", json!(balance.total));
    // VK-Pay's names are of amounts in yuan.
    put("availableAmount", json!(balance.available.to_yuan()));
    if let Some(pending) = balance.pending {
        put("freezeAmount", json!(Fen::to_yuan(pending)));
    }
    if provider == Provider::Wxpay {
        put("account_type", json!(account.unwrap_or("BASIC")));
    }
    if let Some(day) = day {
        put("date", json!(day.to_string()));
    }
    Ok(shown)
}
