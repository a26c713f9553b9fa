//! The function `worker`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::app::App;
use std::convert::Infallible;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &App::from_env(Box::new(handlers::Registry)).await;
    run(service_fn(async |event: LambdaEvent<Value>| {
        Ok::<Value, Infallible>(worker::handle(app, &event.payload).await)
    }))
    .await
}
