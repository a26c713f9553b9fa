//! The web console: server-rendered pages whose forms work without script; htmx only refreshes what moves.
//!
//! Everything that changes an order goes through the functions themselves, with a request like any client's, so that
//! what one sees here is what the API does.

mod assets;
mod call;
mod callbacks;
mod forms;
mod home;
mod incidents;
mod layout;
mod order;
mod refund;
mod sandbox;
mod shop;
mod tables;
mod text;
mod timeline;
mod wallet;
mod ways;

use crate::guard::{Form, Guard};
use crate::journal::Journal;
use crate::receiver::Receiver;
use ::sandbox::{Fault, Sandbox};
use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use shared::app::App;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use text::Lang;

/// What the pages show and work on.
pub struct Console {
    /// What the functions share.
    pub app: Arc<App>,
    /// For looking into tables.
    pub dynamodb: Client,
    /// The simulated providers; not there with a configuration of the merchant's own.
    pub sandbox: Option<Sandbox>,
    /// The demo's receiver of forwarded orders.
    pub receiver: Option<Arc<Receiver>>,
    /// Holds the forms' token.
    pub guard: Arc<Guard>,
    /// Calls and callbacks of this run.
    pub journal: Arc<Journal>,
    /// `http://127.0.0.1:<port>`.
    pub base_url: String,
    /// The configuration that is in use.
    pub config_path: PathBuf,
    /// Where the tables are kept.
    pub data_dir: PathBuf,
    /// The misbehaviour asked for since the sandbox was last told to behave.
    pub rules: Mutex<Vec<Fault>>,
    /// Refunds that wait to be confirmed.
    pub wishes: refund::Wishes,
}

/// The routes of all pages.
pub fn router(console: Arc<Console>) -> Router {
    Router::new()
        .route("/", get(home::page))
        .route("/live/orders", get(home::live))
        .route("/orders", post(home::create))
        .route("/orders/{no}", get(order::page))
        .route("/orders/{no}/live/{part}", get(order::live))
        .route("/orders/{no}/pay", post(order::pay_another_way))
        .route("/orders/{no}/refund", post(refund::ask))
        .route("/orders/{no}/refund/{token}", get(refund::confirmation).post(refund::make))
        .route("/orders/{no}/close", post(order::close))
        .route("/orders/{no}/query", post(order::query))
        .route("/orders/{no}/rerun", post(order::rerun))
        .route("/orders/{no}/callback", post(callbacks::send))
        .route("/incidents", get(incidents::page))
        .route("/incidents/live/{status}", get(incidents::live))
        .route("/incidents/{id}", post(incidents::resolve))
        .route("/sandbox/cashier/{no}", get(wallet::page).post(wallet::pay))
        .route("/tables", get(tables::index))
        .route("/tables/{name}", get(tables::page))
        .route("/demo", get(shop::page))
        .route("/sandbox", get(sandbox::page))
        .route("/sandbox/live", get(sandbox::live))
        .route("/sandbox/misbehave", post(sandbox::misbehave))
        .route("/sandbox/behave", post(sandbox::behave))
        .route("/sandbox/receiver", post(sandbox::receiver))
        .route("/sandbox/tomorrow", post(sandbox::tomorrow))
        .route("/assets/{file}", get(assets::serve))
        .fallback(missing)
        .layer(from_fn(remember_language))
        .with_state(console)
}

async fn missing(view: View) -> Response {
    let what = view.lang.t("没有这个页面", "There is no such page");
    (StatusCode::NOT_FOUND, layout::bare(&view, what)).into_response()
}

/// Who looks at a page: their language, and where they are.
pub struct View {
    /// The language.
    pub lang: Lang,
    /// The path.
    pub path: String,
    /// The id of the call that led here, `?did=`.
    pub did: Option<u64>,
}

impl<S: Sync> FromRequestParts<S> for View {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let header = |name| parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let cookie = header(header::COOKIE)
            .and_then(|text| text.split(';').find_map(|pair| pair.trim().strip_prefix("lang=")).and_then(Lang::parse));
        let query = |name: &str| {
            let query = parts.uri.query().unwrap_or_default().as_bytes();
            form_urlencoded::parse(query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
        };
        let lang = query("lang")
            .and_then(|text| Lang::parse(&text))
            .or(cookie)
            .unwrap_or_else(|| Lang::accepted(header(header::ACCEPT_LANGUAGE)));
        Ok(Self { lang, path: parts.uri.path().to_owned(), did: query("did").and_then(|id| id.parse().ok()) })
    }
}

/// A form that the guard let in.
pub struct Posted(pub Form);

impl<S: Sync> FromRequestParts<S> for Posted {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Without the guard there is no form: nothing is ever changed by an unchecked request.
        parts.extensions.remove::<Form>().map(Self).ok_or(StatusCode::FORBIDDEN)
    }
}

/// `?lang=` is kept in a cookie.
async fn remember_language(request: Request, next: Next) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let chosen = form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == "lang")
        .and_then(|(_, value)| Lang::parse(&value));
    let mut response = next.run(request).await;
    if let Some(lang) = chosen
        && let Ok(cookie) = format!("lang={}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly", lang.tag()).parse()
    {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The way back after a form.
fn back_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// An order's page; its number as a path segment.
fn order_path(out_trade_no: &str) -> String {
    format!("/orders/{}", segment(out_trade_no))
}

/// A text as one path segment.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
