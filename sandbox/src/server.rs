//! The door: one pipeline for every wire request — classify, apply a rule, serve, log.

use crate::faults::{Misbehaviour, Op};
use crate::ledger::Provider;
use crate::{LoggedRequest, Sandbox, alipay, apple, bills, control, douyin, huawei, virtual_pay, vkspay, wechat};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::time::Duration;

/// A wire request, read whole.
pub(crate) struct Inbound {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Inbound {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
    }

    /// Path and query as they stood on the request line.
    pub(crate) fn target(&self) -> String {
        if self.query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query) }
    }
}

/// What a request is about, as far as can be told before it is verified.
pub(crate) struct Call {
    pub(crate) provider: Provider,
    pub(crate) op: Op,
    pub(crate) numbers: Vec<String>,
}

/// What goes back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// For the log.
    pub(crate) verdict: String,
}

impl Answer {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>, verdict: &str) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into(), verdict: verdict.to_owned() }
    }

    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        if !self.body.is_empty() {
            response = response.header("content-type", self.content_type);
        }
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}

/// What is larger than this is no request of this protocol.
const LARGEST_BODY: usize = 1 << 20;

pub(crate) fn router(sandbox: Sandbox) -> Router {
    Router::new().nest("/sandbox/api", control::routes()).fallback(wire).with_state(sandbox)
}

async fn wire(State(sandbox): State<Sandbox>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return Answer::new(413, "text/plain", "", "too large").into_response();
    };
    let inbound = Inbound {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    let call = classify(&inbound);
    let fault = {
        let numbers: Vec<&str> = call.numbers.iter().map(String::as_str).collect();
        sandbox.state().rules.take(call.provider, call.op, &numbers)
    };
    let refuse = |what| {
        let refuse = match call.provider {
            Provider::Wxpay => wechat::refuse,
            Provider::Alipay => alipay::refuse,
            Provider::Appleiap => apple::refuse,
            Provider::Vkspay => vkspay::refuse,
            Provider::WxpayVirtual => virtual_pay::refuse,
            Provider::Douyin => douyin::refuse,
            Provider::Huawei => huawei::refuse,
        };
        refuse(&sandbox, &inbound, what)
    };
    let serve = || {
        let now = sandbox.now();
        sandbox.state().tick(now);
        let handle = match call.provider {
            Provider::Wxpay => wechat::handle,
            Provider::Alipay => alipay::handle,
            Provider::Appleiap => apple::handle,
            Provider::Vkspay => vkspay::handle,
            Provider::WxpayVirtual => virtual_pay::handle,
            Provider::Douyin => douyin::handle,
            Provider::Huawei => huawei::handle,
        };
        handle(&sandbox, &inbound, fault)
    };
    let (answer, pause) = match fault {
        Some(Misbehaviour::TimeoutBefore(ms)) => (None, ms),
        Some(Misbehaviour::DropConnection) => (None, 0),
        Some(Misbehaviour::TimeoutAfterCommit(ms)) => {
            serve();
            (None, ms)
        }
        Some(what @ (Misbehaviour::SystemError | Misbehaviour::TooMany | Misbehaviour::Refuse)) => {
            (Some(refuse(what)), 0)
        }
        Some(Misbehaviour::SystemErrorAfterCommit) => {
            serve();
            (Some(refuse(Misbehaviour::SystemError)), 0)
        }
        Some(Misbehaviour::Http5xx) => {
            (Some(Answer::new(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>", "502")), 0)
        }
        Some(Misbehaviour::Garbage) => {
            serve();
            (Some(Answer::new(200, "text/html", "<html>\u{fffd}{\"code\":", "garbage")), 0)
        }
        _ => (Some(serve()), 0),
    };
    sandbox.log(LoggedRequest {
        at: sandbox.now(),
        provider: call.provider,
        op: call.op,
        method: inbound.method.clone(),
        path: inbound.path.clone(),
        number: call.numbers.into_iter().next(),
        status: answer.as_ref().map_or(0, |answer| answer.status),
        verdict: answer.as_ref().map_or_else(|| "no answer".to_owned(), |answer| answer.verdict.clone()),
        fault,
    });
    if pause > 0 {
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    answer.map_or_else(hang_up, Answer::into_response)
}

/// Whose request it is: by its path, and for paths that two share by its headers.
fn classify(inbound: &Inbound) -> Call {
    if inbound.path == "/gateway.do" || inbound.path == bills::FILE {
        return alipay::call(inbound);
    }
    [apple::call, vkspay::call, virtual_pay::call, douyin::call, huawei::call]
        .iter()
        .find_map(|call| call(inbound))
        .unwrap_or_else(|| wechat::call(inbound))
}

/// A response whose body breaks off before its first byte: the server closes the connection.
fn hang_up() -> Response {
    let broken = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("hung up")) });
    Response::builder().header("content-length", "1000").body(Body::from_stream(broken)).unwrap_or_default()
}
