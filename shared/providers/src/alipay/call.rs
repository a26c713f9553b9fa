//! One call of the gateway: system parameters, signature, transport, and what became of it.

use super::answer::{self, Answer, Failure, Keys};
use super::{clock, signing};
use crate::alipay::AlipayNode;
use crate::common::raw;
use crate::{CallError, Meaning, ProviderClients, Refusal};
use crypto::{CryptoError, aes};
use domain::UnixMs;
use http::Method;
use net::provider_http::Request;
use serde_json::{Map, Value};

const PRODUCTION: &str = "https://openapi.alipay.com/gateway.do";
const SANDBOX: &str = "https://openapi-sandbox.dl.alipaydev.com/gateway.do";

/// The longest of the gateway's texts that is passed on, characters: for a wrong signature it repeats the
/// whole request.
const LONGEST_MESSAGE: usize = 200;

/// A call as it is signed.
pub(super) struct Call<'a> {
    /// `alipay.trade.query` …
    pub method: &'a str,
    /// `biz_content`.
    pub biz: Map<String, Value>,
    /// Where Alipay sends its callback.
    pub notify_url: Option<&'a str>,
    /// Where a browser returns to.
    pub return_url: Option<&'a str>,
    /// Parameters beside `biz_content`, for the calls that have none.
    pub plain: Vec<(&'static str, String)>,
}

impl<'a> Call<'a> {
    /// A call without URLs.
    pub(super) fn new(method: &'a str, biz: Map<String, Value>) -> Self {
        Self { method, biz, notify_url: None, return_url: None, plain: Vec::new() }
    }

    /// All parameters, signed. `biz_content` of calls that go through [`Call::send`] is encrypted when the
    /// node has a key; what a browser or an app carries is not. No text in it shows a separator of the signed text.
    pub(super) fn signed(
        &self,
        node: &AlipayNode,
        now: UnixMs,
        encrypt: bool,
    ) -> Result<Vec<(&'static str, String)>, CryptoError> {
        let mut params = vec![
            ("app_id", node.app_id.clone()),
            ("method", self.method.to_owned()),
            ("format", "JSON".to_owned()),
            ("charset", "utf-8".to_owned()),
            ("sign_type", "RSA2".to_owned()),
            ("timestamp", clock::text_of(now)),
            ("version", "1.0".to_owned()),
        ];
        if let Some(url) = self.return_url {
            params.push(("return_url", url.to_owned()));
        }
        if let Some(url) = self.notify_url {
            params.push(("notify_url", url.to_owned()));
        }
        if let Some(certificates) = &node.certificates {
            params.push(("app_cert_sn", certificates.app_cert_sn.clone()));
            params.push(("alipay_root_cert_sn", certificates.root_cert_sn.clone()));
        }
        if let Some(token) = &node.app_auth_token {
            params.push(("app_auth_token", token.expose().to_owned()));
        }
        params.extend(self.plain.iter().cloned());
        let biz = raw::escaped_json(&Value::Object(self.biz.clone()));
        match node.encrypt_key.as_ref().filter(|_| encrypt && self.plain.is_empty()) {
            Some(key) => {
                params.push(("encrypt_type", "AES".to_owned()));
                params.push(("biz_content", aes::cbc128_encrypt(key.expose(), biz.as_bytes())));
            }
            None if self.biz.is_empty() && !self.plain.is_empty() => {}
            None => params.push(("biz_content", biz)),
        }
        signing::sign(&mut params, &node.private_key)?;
        Ok(params)
    }

    /// Sends the call and judges the answer. Everything but a verified success (code 10000) and a
    /// definite refusal is [`CallError::Unknown`].
    pub(super) async fn send(
        &self,
        clients: &ProviderClients,
        node: &AlipayNode,
        now: UnixMs,
    ) -> Result<Map<String, Value>, CallError> {
        let answer = self.post(clients, node, now).await?;
        self.judge(node, &answer)
    }

    /// Verifies and judges an answer to the call.
    pub(super) fn judge(
        &self,
        node: &AlipayNode,
        answer: &net::provider_http::Answer,
    ) -> Result<Map<String, Value>, CallError> {
        if answer.status != 200 {
            return Err(CallError::Unknown(format!("{}: HTTP {}", self.method, answer.status)));
        }
        match answer::read(&answer.body, self.method, Keys::of(node)) {
            Ok(Answer::Success(fields)) => Ok(fields),
            Ok(Answer::Pending(_)) => Err(CallError::Unknown(format!("{}: 10003, the payer is at it", self.method))),
            Ok(Answer::Failure(failure)) => judged(node, failure),
            Err(error) => Err(CallError::Unknown(format!("{}: {error}", self.method))),
        }
    }

    /// Sends the call; the answer is neither verified nor read.
    pub(super) async fn post(
        &self,
        clients: &ProviderClients,
        node: &AlipayNode,
        now: UnixMs,
    ) -> Result<net::provider_http::Answer, CallError> {
        let params = self.signed(node, now, true);
        let params = params.map_err(|error| CallError::Unknown(format!("the request {error}")))?;
        let url = format!("{}?charset=utf-8", gateway(node));
        let request = Request {
            method: Method::POST,
            url: &url,
            headers: vec![("content-type", "application/x-www-form-urlencoded;charset=utf-8".to_owned())],
            body: signing::encoded(&params).into_bytes(),
            identity: None,
        };
        let answer = clients.http.send(request).await.map_err(CallError::unknown)?;
        let trace = answer.headers.get("trace_id").and_then(|t| t.to_str().ok()).unwrap_or_default();
        tracing::debug!(method = self.method, status = answer.status, trace_id = trace, "Alipay answered");
        Ok(answer)
    }
}

/// The gateway's URL.
pub(super) fn gateway(node: &AlipayNode) -> &str {
    match &node.api_base {
        Some(url) => url,
        None if node.sandbox => SANDBOX,
        None => PRODUCTION,
    }
}

/// A failure as a definite refusal, or as unknown: only the codes by which the gateway says that it did
/// nothing are a refusal (`docs/protocols/alipay.md#result-codes`).
fn judged<T>(node: &AlipayNode, failure: Failure) -> Result<T, CallError> {
    let Failure { code, sub_code, message } = failure;
    let definite = matches!(code.as_str(), "20001" | "40001" | "40002" | "40003" | "40004" | "40005" | "40006");
    let troubled = ["SYSTEM_ERROR", "unknow-error", "REQUEST_PROCESSING"].iter().any(|end| sub_code.ends_with(end));
    let message = presentable(node, &message);
    if !definite || troubled {
        return Err(CallError::Unknown(format!("{code} {sub_code} {message}")));
    }
    let meaning = match code.as_str() {
        "40004" => meaning(&sub_code),
        "40005" => Meaning::TooSoon,
        _ => Meaning::Unheard,
    };
    let code = if sub_code.is_empty() { code } else { sub_code };
    Err(CallError::Refused(Refusal { code, message, meaning }))
}

/// What a sub code says about the order. refund.query leaves the prefix out.
fn meaning(sub_code: &str) -> Meaning {
    match sub_code.strip_prefix("ACQ.").unwrap_or(sub_code) {
        "TRADE_HAS_SUCCESS" | "TRADE_HAS_FINISHED" => Meaning::Paid,
        "TRADE_HAS_CLOSE" => Meaning::Closed,
        "TRADE_NOT_EXIST" => Meaning::Missing,
        "CONTEXT_INCONSISTENT" | "DISCORDANT_REPEAT_REQUEST" => Meaning::NumberUsed,
        _ => Meaning::No,
    }
}

pub(super) fn presentable(node: &AlipayNode, message: &str) -> String {
    let message = match &node.app_auth_token {
        Some(token) => message.replace(token.expose(), "***"),
        None => message.to_owned(),
    };
    message.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect()
}
