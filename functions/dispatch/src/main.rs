//! The function `dispatch`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::app::App;
use shared::telemetry;
use std::convert::Infallible;
use tracing::Instrument;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &App::from_env(Box::new(handlers::Registry)).await;
    run(service_fn(async |event: LambdaEvent<Value>| {
        let span = telemetry::batch("dispatch", &event.context.request_id, event.context.xray_trace_id.as_deref());
        Ok::<Value, Infallible>(dispatch::handle(app, &event.payload).instrument(span).await)
    }))
    .await
}
