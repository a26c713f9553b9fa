//! What every page works with: the console, who looks at it, and the forms that were let in.

use super::text::Lang;
use super::wishes::Wishes;
use crate::guard::{Form, Guard};
use crate::journal::Journal;
use crate::receiver::Receiver;
use aws_sdk_dynamodb::Client;
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sandbox::{Fault, Sandbox};
use shared::app::App;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

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
    pub wishes: Wishes,
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
pub(super) struct Posted(pub Form);

impl<S: Sync> FromRequestParts<S> for Posted {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        // Without the guard there is no form: nothing is ever changed by an unchecked request.
        parts.extensions.remove::<Form>().map(Self).ok_or(StatusCode::FORBIDDEN)
    }
}

/// The way back after a form.
pub(super) fn back_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// An order's page; its number as a path segment.
pub(super) fn order_path(out_trade_no: &str) -> String {
    format!("/orders/{}", segment(out_trade_no))
}

/// A text as one path segment.
pub(super) fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
