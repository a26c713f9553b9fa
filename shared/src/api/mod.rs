//! The door: a request in any of VK-Pay's shapes in, one reply out.

mod auth;
mod envelope;
mod origin;
mod reply;
mod view;

pub use envelope::{Call, Dialect};
pub use origin::Origin;
pub use reply::Reply;
pub use view::{order_columns, payment_result, qrcode_image, refund_result, return_fields, share_fields};

use crate::app::App;
use domain::action::Actions;
use domain::{Code, Failure};
use http::{HeaderMap, Method};
use std::future::Future;

/// The largest body that is read, bytes.
const MAX_BODY: usize = 256 * 1024;

/// An HTTP request as a function gets it, base64 undone.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The raw path.
    pub path: String,
    /// The raw query string.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The raw body.
    pub body: Vec<u8>,
    /// The client's address as the platform saw it; behind CloudFront, as CloudFront did.
    pub source_ip: String,
    /// The caller that Lambda verified (`requestContext.authorizer.iam.userArn`).
    pub iam_arn: Option<String>,
    /// The platform's id of this request.
    pub request_id: String,
}

/// The span of a call that Lambda brought, for the function's lines.
pub fn span(function: &'static str, request: &lambda_http::Request) -> tracing::Span {
    use lambda_http::RequestExt;
    let context = request.lambda_context_ref();
    let id = context.map_or("", |context| &context.request_id);
    telemetry::request(function, id, context.and_then(|context| context.xray_trace_id.as_deref()))
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// `Content-Type`; empty for none.
    pub content_type: &'static str,
    /// `Retry-After`, seconds.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: String,
}

impl Response {
    /// `Allow`, which a 405 must name (RFC 9110, 15.5.6).
    pub fn allow(&self) -> Option<&'static str> {
        (self.status == Code::METHOD.status).then_some("POST")
    }
}

impl Request {
    /// A header's text; nothing when it is not ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
}

impl From<lambda_http::Request> for Request {
    fn from(request: lambda_http::Request) -> Self {
        use lambda_http::RequestExt;
        let context = match request.request_context_ref() {
            Some(lambda_http::request::RequestContext::ApiGatewayV2(context)) => Some(context),
            _ => None,
        };
        let source_ip = context.and_then(|c| c.http.source_ip.clone()).unwrap_or_default();
        let iam = context.and_then(|c| c.authorizer.as_ref()).and_then(|a| a.iam.as_ref());
        let iam_arn = iam.and_then(|iam| iam.user_arn.clone()).filter(|arn| !arn.is_empty());
        let request_id = match request.lambda_context_ref() {
            Some(context) if !context.request_id.is_empty() => context.request_id.clone(),
            _ => hex::encode(crypto::random::<16>()),
        };
        let path = request.raw_http_path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path,
            query,
            headers: parts.headers,
            body: body.to_vec(),
            source_ip,
            iam_arn,
            request_id,
        }
    }
}

impl From<Response> for lambda_http::Response<lambda_http::Body> {
    fn from(response: Response) -> Self {
        let mut builder = Self::builder_of(response.status);
        if !response.content_type.is_empty() {
            builder = builder.header("content-type", response.content_type);
        }
        if let Some(seconds) = response.retry_after {
            builder = builder.header("retry-after", seconds);
        }
        if let Some(methods) = response.allow() {
            builder = builder.header("allow", methods);
        }
        let body = match response.body.is_empty() {
            true => lambda_http::Body::Empty,
            false => lambda_http::Body::Text(response.body),
        };
        builder.body(body).unwrap_or_default()
    }
}

trait BuilderOf {
    fn builder_of(status: u16) -> http::response::Builder;
}

impl<T> BuilderOf for http::Response<T> {
    fn builder_of(status: u16) -> http::response::Builder {
        http::Response::builder().status(status)
    }
}

/// Lets a request in: each does this before anything else. Where the function stands behind CloudFront, what came
/// another way is refused, and the client's address is taken from what CloudFront says.
///
/// # Errors
/// The answer to what is refused.
pub fn admit(app: &App, request: Request) -> Result<Request, Response> {
    match &app.origin {
        Some(origin) => origin.admit(request),
        None => Ok(request),
    }
}

/// Serves one request of the function that has these actions. Every fault is a reply.
pub async fn serve<A: Actions, F, R>(app: &App, request: Request, handle: F) -> Response
where
    F: AsyncFnOnce(A, Call) -> R,
    R: Into<Result<Reply, Failure>>,
{
    let request = match admit(app, request) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let request_id = request.request_id.clone();
    let english = reply::prefers_english(request.header("accept-language"));
    let result = async {
        let config = app.config().await;
        let (action, mut call) = envelope::read(request, config.clone())?;
        telemetry::note("action", call.action.short_name());
        call.caller = auth::authenticate(&config, &app.jwks, &app.clients.http, &call, (app.clock)()).await?;
        call.quoted = auth::apply_quote(&config, &mut call, (app.clock)())?;
        handle(action, call).await.into()
    };
    let response = match boxed(result).await {
        Ok(reply) => reply.into_response(&request_id, english),
        Err(failure) => {
            if let Some(detail) = &failure.private {
                tracing::error!(code = failure.code.number, detail, "the request failed");
            }
            telemetry::note_number("code", failure.code.number);
            reply::failed(&failure, &request_id, english)
        }
    };
    telemetry::note_number("status", response.status);
    response
}

async fn boxed<T>(future: impl Future<Output = T>) -> T {
    Box::pin(future).await
}

/// The answer to a request that no function takes.
pub fn not_found(request: &Request) -> Response {
    let english = reply::prefers_english(request.header("accept-language"));
    reply::failed(&Failure::new(Code::UNKNOWN_ACTION), &request.request_id, english)
}
