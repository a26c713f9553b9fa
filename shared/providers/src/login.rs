//! Login codes for payer ids: mini program, official account
//! (`docs/protocols/wxpay-virtual.md#access-tokens-and-sessions`), Alipay (`docs/protocols/alipay.md#login`), Douyin
//! (`docs/protocols/douyin.md#login`).
//!
//! What comes with the id — session key, access token, refresh token — stays here; only a mini program's
//! session key is kept, sealed, for virtual payment.

use super::virtual_pay::keep_session;
use super::{CallError, Meaning, Outside, Refusal, alipay};
use config::{DouyinNode, Merchant, VirtualNode};
use domain::{Provider, Secret};
use http::Method;
use net::provider_http::Request;
use serde_json::{Map, Value, json};

/// For how long a session key is kept where no node of virtual payment says, s.
const SESSION_TTL: u64 = 259_200;

/// Who logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The payer at the provider.
    pub openid: String,
    /// The payer across the provider's applications of one owner.
    pub unionid: Option<String>,
}

/// Exchanges a login code. A session key that comes with it is kept for as long as it is good, and never
/// leaves the server. `None` when the merchant has no node for it.
pub async fn exchange(
    outside: &Outside,
    merchant: &Merchant,
    provider: Provider,
    platform: &str,
    code: &str,
    now: i64,
) -> Option<Result<Login, CallError>> {
    match provider {
        Provider::WxpayVirtual => {
            Some(mini_program(outside, merchant.wxpay_virtual.get("mp-weixin")?, code, now).await)
        }
        Provider::Wxpay if matches!(platform, "h5" | "h5-weixin") => {
            let node = merchant.wxpay.get("h5-weixin")?;
            let site = WechatApp { base: node.api_base.as_ref(), app_id: &node.app_id, secret: node.secret.as_ref()? };
            Some(site.ask(outside, "/sns/oauth2/access_token", "code", code).await.map(|(login, _)| login))
        }
        Provider::Wxpay => {
            let node = merchant.wxpay.get("mp-weixin")?;
            let app = WechatApp { base: node.api_base.as_ref(), app_id: &node.app_id, secret: node.secret.as_ref()? };
            let virtual_node = merchant.wxpay_virtual.values().find(|other| other.app_id == node.app_id);
            let ttl = virtual_node.map_or(SESSION_TTL, |other| other.session_ttl);
            Some(app.session(outside, code, ttl, now).await)
        }
        Provider::Alipay => {
            let node = merchant.alipay.get("mp-alipay")?;
            Some(alipay::login(outside, node, code, now).await)
        }
        Provider::Douyin => Some(douyin(outside, merchant.douyin.get("mp-toutiao")?, code).await),
        Provider::Appleiap | Provider::Vkspay | Provider::Huawei => None,
    }
}

/// The login of a mini program with virtual payment.
pub(super) async fn mini_program(
    outside: &Outside,
    node: &VirtualNode,
    code: &str,
    now: i64,
) -> Result<Login, CallError> {
    let app = WechatApp { base: node.api_base.as_ref(), app_id: &node.app_id, secret: &node.secret };
    app.session(outside, code, node.session_ttl, now).await
}

struct WechatApp<'a> {
    base: Option<&'a String>,
    app_id: &'a str,
    secret: &'a Secret,
}

impl WechatApp<'_> {
    /// `jscode2session`, with the session key kept.
    async fn session(&self, outside: &Outside, code: &str, ttl: u64, now: i64) -> Result<Login, CallError> {
        let (login, key) = self.ask(outside, "/sns/jscode2session", "js_code", code).await?;
        let Some(key) = key else { return Err(CallError::unknown("jscode2session: no session key")) };
        let until = now.saturating_add(i64::try_from(ttl).unwrap_or(0) * 1_000);
        let kept = keep_session(outside, self.app_id, self.secret, &login.openid, &key, until).await;
        kept.map(|()| login).map_err(CallError::unknown)
    }

    async fn ask(
        &self,
        outside: &Outside,
        path: &str,
        name: &str,
        code: &str,
    ) -> Result<(Login, Option<Secret>), CallError> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("appid", self.app_id)
            .append_pair("secret", self.secret.expose())
            .append_pair(name, code)
            .append_pair("grant_type", "authorization_code")
            .finish();
        let url = format!("{}{path}?{query}", super::virtual_pay::host(self.base));
        let request = Request { method: Method::GET, url: &url, headers: Vec::new(), body: Vec::new(), identity: None };
        let answer = answer(outside, path, request).await?;
        let number = answer.get("errcode").and_then(Value::as_i64).unwrap_or(0);
        match number {
            0 => known(&answer).ok_or_else(|| CallError::Unknown(format!("{path}: no openid"))),
            -1 | 45_011 => Err(CallError::Unknown(format!("{path}: {number}"))),
            _ => refused(&number.to_string(), answer.get("errmsg")),
        }
    }
}

/// Douyin's `jscode2session`; its session key is of no use here.
async fn douyin(outside: &Outside, node: &DouyinNode, code: &str) -> Result<Login, CallError> {
    let Some(secret) = &node.secret else {
        return refused("SECRET", Some(&json!("douyin.mp-toutiao.secret is not configured")));
    };
    let url = format!("{}/api/apps/v2/jscode2session", super::douyin::app_host(node));
    let request = Request {
        method: Method::POST,
        url: &url,
        headers: vec![("content-type", "application/json".to_owned())],
        body: json!({ "appid": node.app_id, "secret": secret.expose(), "code": code }).to_string().into_bytes(),
        identity: None,
    };
    let answer = answer(outside, "jscode2session", request).await?;
    match answer.get("err_no").and_then(Value::as_i64) {
        Some(0) => {
            let data = answer.get("data").and_then(Value::as_object).and_then(known);
            data.map(|(login, _)| login).ok_or_else(|| CallError::unknown("jscode2session: no openid"))
        }
        Some(-1) | None => Err(CallError::unknown("jscode2session: Douyin is busy")),
        Some(code) => refused(&code.to_string(), answer.get("err_tips")),
    }
}

async fn answer(outside: &Outside, what: &str, request: Request<'_>) -> Result<Map<String, Value>, CallError> {
    let answer = outside.http.send(request).await.map_err(CallError::unknown)?;
    match serde_json::from_slice(&answer.body) {
        Ok(Value::Object(map)) if answer.status == 200 => Ok(map),
        _ => Err(CallError::Unknown(format!("{what}: HTTP {}", answer.status))),
    }
}

fn known(answer: &Map<String, Value>) -> Option<(Login, Option<Secret>)> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let login = Login { openid: text("openid")?.to_owned(), unionid: text("unionid").map(str::to_owned) };
    Some((login, text("session_key").map(Secret::new)))
}

fn refused<T>(code: &str, message: Option<&Value>) -> Result<T, CallError> {
    let message = message.and_then(Value::as_str).unwrap_or_default().chars().take(200).collect();
    Err(CallError::Refused(Refusal { code: code.to_owned(), message, meaning: Meaning::No }))
}
