//! Douyin: ecpay, the trade system, and the open product (`docs/protocols/douyin.md`).
//!
//! Three products under one name, chosen by `product` in the configuration. The open product is WeChat Pay's
//! APIv3 under another scheme, and is served by that module.

mod config;
mod driver;
mod ecpay;
mod examine;
mod open;
mod trade;

use super::{
    CallError, CallbackRequest, Login, Meaning, ProviderClients, ProviderReply, Refusal, Verdict, says_no_such_order,
    text_of,
};
use crate::login::{answer, known, refused_with};
use net::provider_http::Request;
use serde_json::{Map, Value, json};

pub use self::config::{DOUYIN_PAY, DouyinNode, DouyinPay, DouyinProduct, Ecpay, Trade};
pub use ecpay::signing_text;

pub(super) fn reply(request: &CallbackRequest<'_>, verdict: Verdict) -> ProviderReply {
    let (status, code, text) = match verdict {
        Verdict::Accepted => (200, 0, "success"),
        Verdict::Rejected => (400, 1, "refused"),
        Verdict::Retry => (500, 1, "try again"),
    };
    let body = match request.headers.contains_key("douyinpay-signature") {
        true if status == 200 => r#"{"code":"SUCCESS","message":"OK"}"#.to_owned(),
        true => format!(r#"{{"code":"FAIL","message":"{text}"}}"#),
        false => format!(r#"{{"err_no":{code},"err_tips":"{text}"}}"#),
    };
    ProviderReply { status, content_type: "application/json; charset=utf-8", body }
}

/// Host of mini-program calls: ecpay and login.
pub(super) fn app_host(node: &DouyinNode) -> &str {
    let real = if node.sandbox { "https://open-sandbox.douyin.com" } else { "https://developer.toutiao.com" };
    node.api_base.as_deref().unwrap_or(real)
}

/// `jscode2session`; its session key is of no use here.
async fn login(clients: &ProviderClients, node: &DouyinNode, code: &str) -> Result<Login, CallError> {
    let Some(secret) = &node.secret else {
        return refused_with("SECRET", Some(&json!("douyin.mp-toutiao.secret is not configured")));
    };
    let url = format!("{}/api/apps/v2/jscode2session", app_host(node));
    let request = Request::post_json(
        &url,
        json!({ "appid": node.app_id, "secret": secret.expose(), "code": code }).to_string().into_bytes(),
    );
    let answer = answer(clients, "jscode2session", request).await?;
    match answer.get("err_no").and_then(Value::as_i64) {
        Some(0) => {
            let data = answer.get("data").and_then(Value::as_object).and_then(known);
            data.map(|(login, _)| login).ok_or_else(|| CallError::unknown("jscode2session: no openid"))
        }
        Some(-1) | None => Err(CallError::unknown("jscode2session: Douyin is busy")),
        Some(code) => refused_with(&code.to_string(), answer.get("err_tips")),
    }
}

/// What an answer says that is not `err_no` 0. No table of the numbers is public, so the words decide what is
/// no refusal at all, and which number is taken.
fn judged<T>(what: &str, answer: &Map<String, Value>) -> Result<T, CallError> {
    let Some(code) = answer.get("err_no").and_then(Value::as_i64) else {
        return Err(CallError::Unknown(format!("{what}: no err_no")));
    };
    let tips = text_of(answer, "err_tips").or_else(|| text_of(answer, "err_msg")).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| tips.to_ascii_lowercase().contains(word));
    if code < 0 || says(&["系统", "超时", "繁忙", "频繁", "system", "timeout", "busy", "internal"]) {
        return Err(CallError::Unknown(format!("{what}: {code} {tips}")));
    }
    let meaning = match () {
        () if says_no_such_order(tips) => Meaning::Missing,
        () if says(&["重复", "已存在", "exist", "duplicate"]) && !says(&["不存在", "not exist"]) => {
            Meaning::NumberUsed
        }
        () => Meaning::No,
    };
    let message = tips.chars().take(200).collect();
    Err(CallError::Refused(Refusal { code: code.to_string(), message, meaning }))
}
