//! The request's envelope: VK-Pay's two dialects, the module call's own shape, and the bare data object.

use super::{MAX_BODY, Request};
use domain::action::{Action, Actions};
use domain::{Code, Failure, fields};
use http::Method;
use payments::{Caller, Environment, Fields};
use providers::Config;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which of VK-Pay's dialects the request speaks; it decides how an unpaid query is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `url`, or no routing key: string trade states (`docs/protocols/vkpay.md#the-url-dialect`).
    Url,
    /// `action` or `$url`: the plugin's own, integer states and code 2002.
    Action,
}

/// A request, read: the action, its data, and who calls.
pub struct Call {
    /// What is asked for.
    pub action: Action,
    /// The dialect.
    pub dialect: Dialect,
    /// The data.
    pub data: Map<String, Value>,
    /// `uniIdToken`, beside the data.
    pub uni_id_token: Option<String>,
    /// Who calls; nobody until `auth` has looked.
    pub caller: Caller,
    /// The names in the data that a signed quote fixed; none where there was no quote.
    pub quoted: Vec<&'static str>,
    /// The HTTP request.
    pub request: Request,
    /// The configuration that the whole request is served with.
    pub config: Arc<Config>,
}

impl Call {
    /// The data, for reading.
    pub fn fields(&self) -> Fields<'_> {
        Fields::new(&self.data, fields::of(self.action))
    }

    /// The client. The merchant's own systems call for somebody else, so they may say for whom
    /// (`client_ip` and `client_ua`, or `CLIENTIP` and `CLIENTUA` of VK-Pay's context).
    ///
    /// # Errors
    /// [`Code::FIELD`] when their `client_ip` is not one address: their own must not stand in for the payer's.
    pub fn environment(&self) -> Result<Environment, Failure> {
        let named = self.fields().raw(&fields::CLIENT_IP).filter(|_| self.caller.trusted);
        let address = match named {
            None => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) if text.parse::<std::net::IpAddr>().is_ok() => Some(text.as_str()),
            Some(_) => return Err(fields::CLIENT_IP.fault()),
        };
        let said = self.fields().raw(&fields::CLIENT_UA).and_then(Value::as_str).filter(|_| self.caller.trusted);
        let agent = said.or_else(|| self.request.header("user-agent"));
        Ok(Environment {
            client_ip: address.unwrap_or(&self.request.source_ip).to_owned(),
            user_agent: agent.unwrap_or_default().to_owned(),
        })
    }
}

/// Keys of the envelope that are no data.
const ENVELOPE: [&str; 6] = ["action", "url", "$url", "data", "uniIdToken", "context"];

/// Reads a request of a function that has these actions.
pub(super) fn read<A: Actions>(request: Request, config: Arc<Config>) -> Result<(A, Call), Failure> {
    if request.method != Method::POST {
        return Err(Code::METHOD.into());
    }
    if request.body.len() > MAX_BODY {
        return Err(Failure::new(Code::BAD_REQUEST).says("body"));
    }
    let body: Map<String, Value> = match serde_json::from_slice(&request.body) {
        Ok(Value::Object(body)) => body,
        _ => return Err(Failure::new(Code::BAD_REQUEST).says("JSON")),
    };
    let routed = [("action", Dialect::Action), ("$url", Dialect::Action), ("url", Dialect::Url)]
        .into_iter()
        .find_map(|(key, dialect)| body.get(key).filter(|v| !v.is_null()).map(|v| (v, dialect)));
    let (action, dialect) = match routed {
        None => (A::ALL.first(), Dialect::Url),
        Some((Value::String(name), dialect)) => (A::ALL.iter().find(|a| (**a).into().is_named(name)), dialect),
        Some(_) => (None, Dialect::Url),
    };
    let action = *action.ok_or(Code::UNKNOWN_ACTION)?;
    let uni_id_token = body.get("uniIdToken").and_then(Value::as_str).map(str::to_owned);
    let nests = fields::of(action.into()).iter().any(|field| field.name == "data");
    let data = data_of(body, &request.query, nests)?;
    let caller = Caller { source: String::new(), user: None, trusted: false };
    let call = Call { action: action.into(), dialect, data, uni_id_token, caller, quoted: Vec::new(), request, config };
    Ok((action, call))
}

/// True for the data of a module call: an order's number, or a transfer's.
fn names_a_number(data: &Value) -> bool {
    ["out_trade_no", "out_bill_no"].iter().any(|name| data.get(*name).is_some())
}

/// The data: `data` with the outer fields of the module call, or the body itself; then the query string.
/// What is in the body is never overwritten from outside of it. `nests`: the action has a field `data` of its own.
fn data_of(mut body: Map<String, Value>, query: &str, nests: bool) -> Result<Map<String, Value>, Failure> {
    let context = body.get("context").and_then(Value::as_object).cloned();
    let inner = body.remove("data");
    body.retain(|key, _| !ENVELOPE.contains(&key.as_str()));
    let mut data = match inner {
        None | Some(Value::Null) => std::mem::take(&mut body),
        Some(Value::Object(data)) => data,
        Some(_) => return Err(Failure::new(Code::BAD_REQUEST).says("data")),
    };
    // A module call inside a routed one: {"action", "data": {"provider", "data": {...}}}.
    if let Some(Value::Object(nested)) = data.get("data").filter(|v| !nests && names_a_number(v)).cloned() {
        data.remove("data");
        for (key, value) in nested {
            data.entry(key).or_insert(value);
        }
    }
    for (key, value) in body {
        data.entry(key).or_insert(value);
    }
    let mut outside = |key: &str, value: Value| {
        data.entry(key).or_insert(value);
    };
    let names =
        [("PLATFORM", "vk_platform"), ("APPID", "vk_appid"), ("CLIENTIP", "client_ip"), ("CLIENTUA", "client_ua")];
    for (name, key) in names {
        if let Some(value) = context.as_ref().and_then(|c| c.get(name)) {
            outside(key, value.clone());
        }
    }
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        outside(&key, Value::String(value.into_owned()));
    }
    Ok(data)
}
