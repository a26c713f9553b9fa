//! What a refusal or a silence of WeChat Pay means (`docs/protocols/wechat.md#errors-and-retries`).
//!
//! Codes decide; the HTTP status of a code and the wording of its text vary.

use crate::{CallError, Meaning, Refusal};
use serde_json::Value;

/// A refusal of ours, before anything was sent.
pub(super) fn ours(code: &str, message: &str) -> CallError {
    CallError::Refused(refusal(code, message))
}

/// True when the payer is paying at this moment.
pub(super) fn is_paying(error: &CallError) -> bool {
    matches!(error, CallError::Unknown(code) if ["USERPAYING", "USER_PAYING"].contains(&code.as_str()))
}

pub(super) fn refusal(code: &str, message: &str) -> Refusal {
    let message: String = message.chars().take(200).collect();
    Refusal { code: code.to_owned(), meaning: meaning(code, &message), message }
}

/// Judges an answer of APIv3 that is not a 2xx. Only a 4xx that names a code is a refusal. A rate limit
/// (429) is not: of a refund it does not mean "not accepted", so the number is asked for first.
pub(super) fn judge_v3(status: u16, body: &[u8]) -> CallError {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = answer["code"].as_str().unwrap_or_default();
    let message = answer["message"].as_str().unwrap_or_default();
    match status {
        400..=499 if status != 429 && !code.is_empty() => judge(code, message),
        _ => CallError::Unknown(format!("HTTP {status} {code}").trim_end().to_owned()),
    }
}

/// Judges a code of either version: some leave the outcome open.
pub(super) fn judge(code: &str, message: &str) -> CallError {
    const OPEN: [&str; 12] = [
        "SYSTEM_ERROR",
        "SYSTEMERROR",
        "BIZERR_NEED_RETRY",
        "BANKERROR",
        "BANK_ERROR",
        "USERPAYING",
        "USER_PAYING",
        "SERVICE_UNAVAILABLE",
        "FREQUENCY_LIMITED",
        "FREQUENCY_LIMIT_EXCEED",
        "RATELIMIT_EXCEEDED",
        "RATELIMIT_EXCEED",
    ];
    if OPEN.contains(&code) {
        return CallError::Unknown(code.to_owned());
    }
    CallError::Refused(refusal(code, message))
}

/// Whether a refusal is about the address that the request came from. That has no code of its own: it is
/// `INVALID_REQUEST` of transfers, `NO_AUTH` of APIv2, and told by its words alone
/// (`docs/protocols/merchant-operations.md#transfers-and-the-callers-address`).
pub(super) fn is_of_the_address(message: &str) -> bool {
    message.contains("IP地址") && message.contains("不允许") || message.contains("白名单")
}

fn meaning(code: &str, message: &str) -> Meaning {
    match code {
        _ if is_of_the_address(message) => Meaning::Address,
        "ORDERPAID" | "ORDER_PAID" => Meaning::Paid,
        "ORDERCLOSED" | "ORDER_CLOSED" | "ORDERREVERSED" | "ORDER_REVERSED" => Meaning::Closed,
        "OUT_TRADE_NO_USED" => Meaning::NumberUsed,
        "ORDERNOTEXIST" | "ORDER_NOT_EXIST" | "RESOURCE_NOT_EXISTS" | "REFUNDNOTEXIST" => Meaning::Missing,
        "INVALID_REQ_TOO_MUCH" => Meaning::TooSoon,
        "SIGN_ERROR" | "SIGNERROR" | "NO_AUTH" | "NOAUTH" => Meaning::Unheard,
        // The pause of a minute between two refunds has no code of its own in APIv3; either reading is a refusal.
        "RULE_LIMIT" | "INVALID_REQUEST" if message.contains("分钟") => Meaning::TooSoon,
        _ => Meaning::No,
    }
}
