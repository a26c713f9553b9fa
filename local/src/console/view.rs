//! What every page works with: the console, who looks at it, and the forms that were let in.

use super::text::Lang;
use super::totals::{OpenIncidents, Totals};
use super::wishes::Wishes;
use crate::calls::Calls;
use crate::guard::{Form, Guard};
use crate::journal::Journal;
use crate::receiver::Receiver;
use aws_sdk_dynamodb::Client;
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use sandbox::Sandbox;
use shared::app::{App, Clock};
use shared::domain::UnixMs;
use shared::providers::Config;
use shared::store::{ListedAccount, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the pages show and work on: a table, and a way to call the functions that change it.
pub struct Console {
    /// The table.
    pub store: Store,
    /// For looking into tables as they are.
    pub dynamodb: Client,
    /// The orders table's name.
    pub table: String,
    /// The clock.
    pub clock: Clock,
    /// How the functions are called.
    pub calls: Arc<dyn Calls>,
    /// Whose payments are listed, where no stack of this process knows it by its configuration.
    pub accounts: Vec<ListedAccount>,
    /// What may be done here.
    pub rights: Rights,
    /// Holds the forms' token.
    pub guard: Arc<Guard>,
    /// Calls and callbacks of this run.
    pub journal: Arc<Journal>,
    /// The stack of this process; not there where the console looks at a table elsewhere.
    pub local: Option<Local>,
    /// Refunds that wait to be confirmed.
    pub wishes: Wishes,
    /// Sums of days that were added up.
    pub totals: Arc<Totals>,
}

/// What may be done with a console, and what it is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// Whether forms are taken at all.
    pub write: bool,
    /// Whether real money can move; it is said on every page.
    pub real_money: bool,
    /// What the console works on, in a word: a file, or a table and its region.
    pub of: String,
}

/// The stack that a console runs in.
pub struct Local {
    /// What the functions share.
    pub app: Arc<App>,
    /// When it was started.
    pub started: UnixMs,
    /// The simulated providers; not there with a configuration of the merchant's own.
    pub sandbox: Option<Sandbox>,
    /// The demo's receiver of forwarded orders.
    pub receiver: Option<Arc<Receiver>>,
    /// The configuration that is in use.
    pub config_path: PathBuf,
    /// Where the tables are kept.
    pub data_dir: PathBuf,
}

impl Console {
    /// Now.
    pub fn now(&self) -> UnixMs {
        (self.clock)()
    }

    /// The simulated providers, where there are any.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        self.local.as_ref()?.sandbox.as_ref()
    }

    /// The demo's receiver of forwarded orders, where there is one.
    pub fn receiver(&self) -> Option<&Arc<Receiver>> {
        self.local.as_ref()?.receiver.as_ref()
    }

    /// The configuration, where this process has it.
    pub async fn config(&self) -> Option<Arc<Config>> {
        match &self.local {
            Some(local) => Some(local.app.config().await),
            None => None,
        }
    }

    /// The incidents that wait for somebody: counted often where it costs nothing.
    pub async fn open_incidents(&self) -> OpenIncidents {
        let fresh = if self.local.is_some() { Duration::from_secs(1) } else { Duration::from_secs(30) };
        self.totals.open_incidents(&self.store, fresh).await
    }

    /// Whose payments are listed.
    pub async fn listed_accounts(&self) -> Vec<ListedAccount> {
        let Some(local) = &self.local else { return self.accounts.clone() };
        let config = local.app.config().await;
        let context = local.app.context(config);
        shared::payments::listed_accounts(&context, None, None).await.unwrap_or_default()
    }
}

/// Who looks at a page: their language, and where they are.
pub(super) struct View {
    /// The language.
    pub lang: Lang,
    /// The path.
    pub path: String,
    /// What stands behind it, without `?`.
    pub query: String,
    /// The id of the call that led here, `?did=`.
    pub did: Option<u64>,
}

impl View {
    /// A field of the query; blank is absent.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let found = form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// The same page with some fields of its query set anew, or left out where there is no value.
    pub(super) fn link(&self, path: &str, fields: &[(&str, Option<&str>)]) -> String {
        let named = |name: &str| fields.iter().any(|(own, _)| *own == name);
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            if !named(&name) && !value.is_empty() && name != "did" {
                query.append_pair(&name, &value);
            }
        }
        for (name, value) in fields {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

impl<S: Sync> FromRequestParts<S> for View {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let header = |name| parts.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok());
        let cookie = header(header::COOKIE)
            .and_then(|text| text.split(';').find_map(|pair| pair.trim().strip_prefix("lang=")).and_then(Lang::parse));
        let mut view = Self {
            lang: Lang::accepted(header(header::ACCEPT_LANGUAGE)),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            did: None,
        };
        view.lang = view.field("lang").and_then(|text| Lang::parse(&text)).or(cookie).unwrap_or(view.lang);
        view.did = view.field("did").and_then(|id| id.parse().ok());
        Ok(view)
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
