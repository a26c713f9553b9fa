//! The function `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::app::App;
use shared::telemetry;
use tracing::Instrument;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &App::from_env(Box::new(handlers::Registry)).await;
    run(service_fn(async |event: LambdaEvent<Value>| {
        let span = telemetry::batch("reconcile", &event.context.request_id, event.context.xray_trace_id.as_deref());
        reconcile::handle(app, &event.payload).instrument(span).await.map_err(Error::from)
    }))
    .await
}
