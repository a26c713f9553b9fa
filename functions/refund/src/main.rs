//! The function `refund`.

use lambda_http::{Body, Error, Request, Response, run, service_fn};
use shared::api;
use shared::app::App;
use std::convert::Infallible;
use tracing::Instrument;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &App::from_env(Box::new(handlers::Registry)).await;
    run(service_fn(async |request: Request| {
        let span = api::span("refund", &request);
        Ok::<Response<Body>, Infallible>(refund::handle(app, request.into()).instrument(span).await.into())
    }))
    .await
}
