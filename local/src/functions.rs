//! The functions behind one address: `/create-payment`, `/query-payment`, `/refund`, `/transfer`, `/login`,
//! `/notify/…`, and
//! VK-Pay's single `/http/vk-pay` for unmodified clients.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::routing::any;
use shared::api;
use shared::app::App;
use shared::domain::action::Action;
use std::net::SocketAddr;
use std::sync::Arc;

/// A Function URL takes up to 6 MB.
const MAX_BODY: usize = 6 << 20;

/// The routes of all functions.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/create-payment", any(create_payment))
        .route("/query-payment", any(query_payment))
        .route("/refund", any(refund))
        .route("/transfer", any(transfer))
        .route("/login", any(login))
        .route("/notify/{*path}", any(notify))
        .route("/http/vk-pay", any(vk_pay))
        .route("/http/vk-pay/{*path}", any(notify))
        .with_state(app)
}

async fn create_payment(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(create_payment::handle(&app, read(request).await).await)
}

async fn query_payment(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(query_payment::handle(&app, read(request).await).await)
}

async fn refund(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(refund::handle(&app, read(request).await).await)
}

async fn transfer(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(transfer::handle(&app, read(request).await).await)
}

async fn login(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(login::handle(&app, read(request).await).await)
}

async fn notify(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(notify::handle(&app, read(request).await).await)
}

/// VK-Pay's one endpoint: the routing key in the body names the function.
async fn vk_pay(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    answer(dispatch(&app, read(request).await).await)
}

/// Serves a request by the action that it names.
pub async fn dispatch(app: &App, request: api::Request) -> api::Response {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let action = ["action", "$url", "url"].iter().find_map(|key| body.get(*key)?.as_str()).unwrap_or_default();
    match Action::named(action) {
        Some(Action::Payments(_)) => create_payment::handle(app, request).await,
        Some(Action::Queries(_)) => query_payment::handle(app, request).await,
        Some(Action::Refunds(_)) => refund::handle(app, request).await,
        Some(Action::Transfers(_)) => transfer::handle(app, request).await,
        Some(Action::Logins(_)) => login::handle(app, request).await,
        None => api::not_found(&request),
    }
}

async fn read(request: Request<Body>) -> api::Request {
    let source_ip = match request.extensions().get::<ConnectInfo<SocketAddr>>() {
        Some(ConnectInfo(address)) => address.ip().to_string(),
        None => "127.0.0.1".to_owned(),
    };
    let (parts, body) = request.into_parts();
    api::Request {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: to_bytes(body, MAX_BODY).await.map(|b| b.to_vec()).unwrap_or_default(),
        source_ip,
        iam_arn: None,
        request_id: hex::encode(shared::crypto::random::<16>()),
    }
}

fn answer(response: api::Response) -> Response<Body> {
    let allow = response.allow();
    let mut built = Response::new(Body::from(response.body));
    *built.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(value) = response.content_type.parse()
        && !response.content_type.is_empty()
    {
        built.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    if let Some(seconds) = response.retry_after {
        built.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(methods) = allow {
        built.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    }
    built
}
