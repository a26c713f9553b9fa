//! WeChat's logins: of mini programs, and of pages in its browser
//! (`docs/protocols/wxpay-virtual.md#access-tokens-and-sessions`).

use crate::diagnosis::Trouble;
use crate::login::{Login, answer, known, refused_with};
use crate::{CallError, ProviderClients};
use domain::{Secret, TokenStoreError, UnixMs};
use net::provider_http::Request;
use serde_json::Value;
use std::time::Duration;

/// For how long a session key is kept where no node of virtual payment says, s.
pub(crate) const SESSION_TTL: u64 = 259_200;

const WECHAT: &str = "https://api.weixin.qq.com";

/// WeChat's host, or what a configuration has in its place.
pub(crate) fn host(api_base: Option<&String>) -> &str {
    api_base.map_or(WECHAT, String::as_str)
}

/// Under which name a payer's session key is kept.
pub(crate) fn session_name(app_id: &str, openid: &str) -> String {
    format!("session:{app_id}:{openid}")
}

/// Keeps a session key for `ttl` seconds, sealed under the application's secret.
///
/// # Errors
/// When the table cannot be written.
async fn keep_session(
    clients: &ProviderClients,
    app_id: &str,
    secret: &Secret,
    openid: &str,
    key: &Secret,
    until: UnixMs,
) -> Result<(), TokenStoreError> {
    clients.tokens.put(&session_name(app_id, openid), secret, key, until).await
}

/// What a refusal of WeChat's that has to do with an application's secret shows: only a code that is not one shows that
/// application and secret are right.
pub(crate) fn refused_secret(code: &str, _words: &str) -> Result<(), (&'static str, Trouble)> {
    match code {
        // Not a code, used before, missing.
        "40029" | "40163" | "41008" => Ok(()),
        "40013" => Err(("appId", Trouble::AppUnknown)),
        "40001" | "40125" | "41004" => Err(("secret", Trouble::AppSecretWrong)),
        "40164" => Err(("", Trouble::AddressNotAllowed)),
        "45009" => Err(("", Trouble::RateLimited)),
        _ => Err(("", Trouble::NotUnderstood)),
    }
}

/// An application with its secret.
pub(crate) struct App<'a> {
    /// Another host than WeChat's.
    pub base: Option<&'a String>,
    pub app_id: &'a str,
    pub secret: &'a Secret,
}

impl App<'_> {
    /// The login of a page in WeChat's browser.
    pub(crate) async fn page(&self, clients: &ProviderClients, code: &str) -> Result<Login, CallError> {
        self.ask(clients, "/sns/oauth2/access_token", "code", code).await.map(|(login, _)| login)
    }

    /// `jscode2session`, with the session key kept.
    pub(crate) async fn session(
        &self,
        clients: &ProviderClients,
        code: &str,
        ttl: u64,
        now: UnixMs,
    ) -> Result<Login, CallError> {
        let (login, key) = self.ask(clients, "/sns/jscode2session", "js_code", code).await?;
        let Some(key) = key else { return Err(CallError::unknown("jscode2session: no session key")) };
        let until = now + Duration::from_secs(ttl);
        let kept = keep_session(clients, self.app_id, self.secret, &login.openid, &key, until).await;
        kept.map(|()| login).map_err(CallError::unknown)
    }

    async fn ask(
        &self,
        clients: &ProviderClients,
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
        let url = format!("{}{path}?{query}", host(self.base));
        let request = Request::get(&url);
        let answer = answer(clients, path, request).await?;
        let number = answer.get("errcode").and_then(Value::as_i64).unwrap_or(0);
        match number {
            0 => known(&answer).ok_or_else(|| CallError::Unknown(format!("{path}: no openid"))),
            -1 | 45_011 => Err(CallError::Unknown(format!("{path}: {number}"))),
            _ => refused_with(&number.to_string(), answer.get("errmsg")),
        }
    }
}
