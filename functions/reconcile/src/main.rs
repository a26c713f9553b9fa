//! The function `reconcile`.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;
use shared::app::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let app = &App::from_env(Box::new(handlers::Registry)).await;
    run(service_fn(async |event: LambdaEvent<Value>| reconcile::handle(app, &event.payload).await.map_err(Error::from)))
        .await
}
