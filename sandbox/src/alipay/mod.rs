//! Alipay: the gateway of OpenAPI v2.
pub(crate) mod notify;
use crate::Sandbox;
use crate::faults::{Misbehaviour, Op};
use crate::ledger::Provider;
use crate::server::{Answer, Call, Inbound};
pub(crate) fn call(_: &Inbound) -> Call {
    Call {
        provider: Provider::Alipay,
        op: Op::Unknown,
        numbers: vec![],
    }
}
pub(crate) fn handle(_: &Sandbox, _: &Inbound, _: Option<Misbehaviour>) -> Answer {
    Answer::new(501, "text/plain", "", "501")
}
pub(crate) fn refuse(_: &Sandbox, _: &Inbound, _: Misbehaviour) -> Answer {
    Answer::new(501, "text/plain", "", "501")
}
pub(crate) fn open(_: &Sandbox, _: &str) -> Result<String, String> {
    Err(String::new())
}
