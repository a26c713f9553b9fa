//! A Function URL in front of an emulated function: HTTP in, payload 2.0 event, reply out.
//!
//! Reference: docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html, "Request and response payloads". Auth
//! type is `NONE`: `requestContext.authorizer` is absent, whatever the client sends.

use crate::runtime_api::Emulator;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The largest request that Lambda takes, bytes.
const MAX_BODY: usize = 6 * 1024 * 1024;

/// A function's URL that listens on loopback; dropping it closes the port.
pub struct FunctionUrl {
    base: String,
    server: JoinHandle<()>,
}

impl FunctionUrl {
    /// Listens on a free port.
    ///
    /// # Panics
    /// When loopback has none.
    pub async fn start(emulator: &Emulator) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port on loopback");
        let base = format!("http://{}", listener.local_addr().expect("the port"));
        let routes = function_url(emulator.clone());
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, routes).await;
        });
        Self { base, server }
    }

    /// `http://127.0.0.1:<port>`, without a trailing slash.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for FunctionUrl {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Every path and method, as events of the emulator's function.
pub fn function_url(emulator: Emulator) -> Router {
    Router::new().fallback(forward).with_state(emulator)
}

async fn forward(State(emulator): State<Emulator>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let event = Event {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        version: parts.version,
        headers: &parts.headers,
        body: &body,
    };
    match emulator.invoke(event.to_json()).await {
        Ok(payload) => reply(payload).unwrap_or_else(|| message(StatusCode::BAD_GATEWAY, "Internal Server Error")),
        Err(_) => message(StatusCode::BAD_GATEWAY, "Internal Server Error"),
    }
}

/// What Lambda itself answers when the function has no answer.
fn message(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({ "Message": text }))).into_response()
}

/// A request on its way to becoming an event.
pub struct Event<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path, percent-encoded as it came.
    pub path: &'a str,
    /// Query string without `?`, as it came.
    pub query: &'a str,
    /// HTTP version.
    pub version: Version,
    /// Headers; several of one name are joined by commas.
    pub headers: &'a HeaderMap,
    /// The body's bytes.
    pub body: &'a [u8],
}

impl Event<'_> {
    /// The event in Function URL format 2.0.
    pub fn to_json(&self) -> Value {
        let host = self.text("host").unwrap_or("emulated.lambda-url.us-east-1.on.aws");
        let now = OffsetDateTime::now_utc();
        let clf = format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": self.joined_headers(),
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "emulated",
                "domainName": host,
                "domainPrefix": host.split('.').next(),
                "http": {
                    "method": self.method,
                    "path": self.path,
                    "protocol": format!("{:?}", self.version),
                    "sourceIp": Ipv4Addr::LOCALHOST.to_string(),
                    "userAgent": self.text("user-agent"),
                },
                "requestId": format!("{:032x}", now.unix_timestamp_nanos()),
                "routeKey": "$default",
                "stage": "$default",
                "time": now.format(clf).unwrap_or_default(),
                "timeEpoch": i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
            },
            "isBase64Encoded": false,
        });
        let cookies: Vec<&str> = self.headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).collect();
        if !cookies.is_empty() {
            event["cookies"] = cookies.iter().flat_map(|line| line.split("; ")).collect();
        }
        if !self.query.is_empty() {
            event["queryStringParameters"] = self.joined_query();
        }
        if !self.body.is_empty() {
            let text = self.is_text().then(|| std::str::from_utf8(self.body).ok()).flatten();
            event["isBase64Encoded"] = text.is_none().into();
            event["body"] = text.map_or_else(|| STANDARD.encode(self.body), str::to_owned).into();
        }
        event
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    /// Lower-case names, values of one name joined; what Lambda's front adds, and without what it takes away.
    fn joined_headers(&self) -> Value {
        let mut joined = Map::new();
        for name in self.headers.keys() {
            if [header::COOKIE, header::CONNECTION, header::TRANSFER_ENCODING].contains(name) {
                continue;
            }
            let values: Vec<_> =
                self.headers.get_all(name).iter().map(|v| String::from_utf8_lossy(v.as_bytes())).collect();
            joined.insert(name.as_str().to_owned(), values.join(",").into());
        }
        joined.insert("x-forwarded-for".to_owned(), Ipv4Addr::LOCALHOST.to_string().into());
        joined.insert("x-forwarded-port".to_owned(), "443".into());
        joined.insert("x-forwarded-proto".to_owned(), "https".into());
        joined.into()
    }

    fn joined_query(&self) -> Value {
        let mut joined = Map::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            match joined.get_mut(name.as_ref()) {
                Some(Value::String(text)) => {
                    text.push(',');
                    text.push_str(&value);
                }
                _ => {
                    joined.insert(name.into_owned(), value.into_owned().into());
                }
            }
        }
        joined.into()
    }

    /// Whether Lambda passes a body of this type as text; a form arrives in base64.
    fn is_text(&self) -> bool {
        let essence = self.text("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        essence.starts_with("text/")
            || essence.ends_with("+json")
            || essence.ends_with("+xml")
            || ["application/json", "application/javascript", "application/xml"].contains(&essence.as_str())
    }
}

/// The function's payload as HTTP. An object without `statusCode` is itself the body.
fn reply(payload: Value) -> Option<Response> {
    let Some(status) = payload.get("statusCode") else {
        return Some(axum::Json(payload).into_response());
    };
    let status = StatusCode::from_u16(status.as_u64()?.try_into().ok()?).ok()?;
    let body = payload["body"].as_str().unwrap_or_default();
    let body = match payload["isBase64Encoded"] == true {
        true => Bytes::from(STANDARD.decode(body).ok()?),
        false => Bytes::copy_from_slice(body.as_bytes()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in payload["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    for cookie in payload["cookies"].as_array().into_iter().flatten() {
        headers.append(header::SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    Some(response)
}
