//! Notices: VksPay's, which anybody can write, and an epay site's, which is signed.

use super::epay;
use crate::Merchant;
use crate::vkspay::VkspayProtocol;
use crate::{CallbackError, CallbackRequest, Hint, Notice, ProviderClients, ProviderReply, Verdict};
use domain::Provider;
use serde_json::Value;

/// Reads a notice. Of VksPay's only the number counts, and it proves nothing.
pub(crate) async fn read(
    merchant: &Merchant,
    _outside: &ProviderClients,
    request: &CallbackRequest<'_>,
) -> Result<Notice, CallbackError> {
    let node = merchant.vkspay.values().next().ok_or(CallbackError::Forged("vkspay is not configured"))?;
    if !matches!(node.protocol, VkspayProtocol::Vkspay { .. }) {
        return epay::read(node, &merchant.id, request);
    }
    if request.method != http::Method::POST {
        return Err(CallbackError::Malformed("not a POST"));
    }
    let number = number(request.body).ok_or(CallbackError::Malformed("out_trade_no"))?;
    Ok(hint(&merchant.id, number, false))
}

/// `says_paid` when the site signed the notice; VksPay's are not signed.
pub(super) fn hint(merchant: &str, number: String, says_paid: bool) -> Notice {
    Notice::Hint(Hint {
        says_paid,
        provider: Provider::Vkspay,
        merchant: merchant.to_owned(),
        number: Some(number),
        out_refund_no: None,
    })
}

/// `out_trade_no` of a JSON object or of a form; nothing when it is there twice.
fn number(body: &[u8]) -> Option<String> {
    let found = match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => map.get("out_trade_no")?.as_str()?.to_owned(),
        Ok(_) => return None,
        Err(_) => {
            let mut found = form_urlencoded::parse(body).filter(|(name, _)| name == "out_trade_no");
            let first = found.next()?.1.into_owned();
            if found.next().is_some() {
                return None;
            }
            first
        }
    };
    let shaped = (1..=64).contains(&found.len()) && found.bytes().all(|b| b.is_ascii_graphic());
    shaped.then_some(found)
}

/// VksPay reads JSON, an epay site the word.
pub(crate) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let has = |text: &[u8], wanted: &str| form_urlencoded::parse(text).any(|(name, _)| name == wanted);
    let epay = ["pid", "sign"].iter().all(|name| has(request.query.as_bytes(), name) || has(request.body, name));
    let (status, word) = match verdict {
        Verdict::Accepted => (200, "SUCCESS"),
        Verdict::Rejected => (400, "FAIL"),
        Verdict::Retry => (500, "FAIL"),
    };
    if epay {
        let body = if status == 200 { "success" } else { "fail" };
        return ProviderReply { status, content_type: "text/plain; charset=utf-8", body: body.to_owned() };
    }
    let body = format!(r#"{{"code":"{word}","msg":"{word}"}}"#);
    ProviderReply { status, content_type: "application/json; charset=utf-8", body }
}
