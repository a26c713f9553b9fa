//! WeChat Pay: APIv3 below `/v3/`, APIv2 below `/pay/` and `/secapi/`.

mod auth;
pub(crate) mod notify;
mod objects;
mod orders;
mod refunds;
mod rules;
mod transfers;
mod v2;
mod v2_desk;
mod v3;
pub(crate) mod xml;

use crate::Sandbox;
use crate::faults::{Misbehaviour, Op};
use crate::ledger::Provider;
use crate::server::{Answer, Call, Inbound};
use serde_json::Value;
pub(crate) use v3::{Desk, Refusal, Reply};

/// What a request is about.
pub(crate) fn call(inbound: &Inbound) -> Call {
    let (op, numbers) = if inbound.path.starts_with("/v3/") {
        let op = v3::Route::of(&inbound.path).map_or(Op::Unknown, |route| route.op(&inbound.method));
        let mut numbers: Vec<String> = Vec::new();
        if let Ok(Value::Object(body)) = serde_json::from_slice(&inbound.body) {
            let named = ["out_refund_no", "out_trade_no", "transaction_id", "out_bill_no"];
            let named = named.iter().filter_map(|name| body.get(*name));
            numbers.extend(named.filter_map(Value::as_str).map(str::to_owned));
        }
        numbers.extend(v3::Route::of(&inbound.path).and_then(|route| route.number()));
        (op, numbers)
    } else {
        let map = xml::parse(&inbound.body).unwrap_or_default();
        let names = ["out_refund_no", "out_trade_no", "transaction_id"];
        (v2::op(&inbound.path), names.iter().filter_map(|name| map.get(*name).cloned()).collect())
    };
    Call { provider: Provider::Wxpay, op, numbers }
}

/// Serves a request.
pub(crate) fn handle(sandbox: &Sandbox, inbound: &Inbound, fault: Option<Misbehaviour>) -> Answer {
    if inbound.path.starts_with("/v3/") {
        v3::handle(sandbox, inbound, fault)
    } else {
        v2::handle(sandbox, inbound, fault)
    }
}

/// Refuses a request without looking at it.
pub(crate) fn refuse(sandbox: &Sandbox, inbound: &Inbound, what: Misbehaviour) -> Answer {
    if inbound.path.starts_with("/v3/") { v3::refuse(what) } else { v2::refuse(sandbox, inbound, what) }
}

/// A signature over APIv2 fields.
pub(crate) fn v2_signed(fields: &xml::Fields, key: &str, hmac: bool) -> String {
    v2::sign(fields, key, hmac)
}

/// An MD5 signature over APIv2 fields, for forgeries.
pub(crate) fn v2_sign(fields: &xml::Fields, key: &str) -> String {
    v2::sign(fields, key, false)
}
