//! Calls below `/xpay/` without an action of their own: under the access token and signed as every other.

use super::transport::xpay;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, Meaning, ProviderClients, RawOutcome, RawRequest, RawTarget, Refusal};
use domain::UnixMs;
use serde_json::Value;

/// Makes a call. Which environment is meant the configuration says.
pub(super) async fn request(
    clients: &ProviderClients,
    node: &VirtualNode,
    raw: &RawRequest<'_>,
    now: UnixMs,
) -> RawOutcome {
    let refused = |message: &str| {
        let refusal =
            Refusal { code: "PARAM_ERROR".to_owned(), message: message.to_owned(), meaning: Meaning::Unheard };
        RawOutcome::not_made(CallError::Refused(refusal))
    };
    let RawTarget::Named(name) = &raw.target else { return refused("the call has a path") };
    if raw.data.contains_key("env") {
        return refused("env is the configuration's");
    }
    let answer = xpay(clients, node, name, raw.data, None, now).await;
    let status = match &answer {
        Ok(_) | Err(CallError::Refused(_)) => Some(200),
        Err(CallError::Unknown(_)) => None,
    };
    RawOutcome { status, request_id: None, answer: answer.map(Value::Object) }
}
