//! How the console calls the functions: in this process, or wherever else they run.
//!
//! A page shows what is in the table; whatever it changes, it asks a function for, with a request like any client's. The
//! one who calls is the merchant: each way has its own credential, and puts it on the request by itself.

use crate::functions;
use axum::http::{HeaderValue, header};
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use shared::api::{Request, Response};
use shared::app::App;
use std::sync::Arc;

/// A way to call the functions as the merchant.
pub trait Calls: Send + Sync {
    /// Calls a function, by the name of its package. The error says why there is no answer; what the call has done
    /// is not known then.
    fn call<'a>(&'a self, function: &'static str, request: Request) -> BoxFuture<'a, Result<Response, String>>;

    /// Runs one that takes events, such as `reconcile`.
    fn run<'a>(&'a self, function: &'static str, event: &'a Value) -> BoxFuture<'a, Result<Value, String>>;
}

/// The functions of this process, called with the first of the configured keys.
pub struct InProcess(pub Arc<App>);

impl Calls for InProcess {
    fn call<'a>(&'a self, _: &'static str, mut request: Request) -> BoxFuture<'a, Result<Response, String>> {
        async move {
            let key = self.0.config().await.auth.keys.first().map(|(_, secret)| secret.expose().to_owned());
            if let Some(Ok(value)) = key.map(|key| HeaderValue::from_str(&format!("Bearer {key}"))) {
                request.headers.insert(header::AUTHORIZATION, value);
            }
            Ok(functions::dispatch(&self.0, request).await)
        }
        .boxed()
    }

    fn run<'a>(&'a self, function: &'static str, event: &'a Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            match function {
                "reconcile" => reconcile::handle(&self.0, event).await,
                other => Err(format!("{other} takes no events here")),
            }
        }
        .boxed()
    }
}
