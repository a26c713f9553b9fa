//! The stream of the orders table: runs the tasks that were written with what causes them, and announces what happened.
//!
//! An image in the stream may be old, so it only says where to look. Only a fault of ours fails a record; a
//! receiver that does not take its order is a recorded attempt.

mod announcements;

use announcements::Announcement;
use futures::StreamExt;
use serde_json::{Value, json};
use shared::app::App;
use shared::config::Config;
use shared::net::aws::{self, BusEvent};
use shared::payments::run_task;
use shared::telemetry;
use std::sync::Arc;
use std::time::Duration;
use tracing::Instrument;

/// Tasks of one batch that run at once.
const AT_ONCE: usize = 8;

/// Serves one batch of records; answers which of them must come again.
pub async fn handle(app: &App, event: &Value) -> Value {
    let config = app.config().await;
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let looks: Vec<_> = records
        .iter()
        .map(|record| {
            let span = telemetry::item(record["eventID"].as_str().unwrap_or_default());
            look(app, config.clone(), record).instrument(span)
        })
        .collect();
    let looked: Vec<Option<Value>> = futures::stream::iter(looks).buffered(AT_ONCE).collect().await;
    json!({ "batchItemFailures": looked.into_iter().flatten().collect::<Vec<_>>() })
}

/// How long a bus may take.
const ANNOUNCING: Duration = Duration::from_secs(5);

/// Does what a record asks for; what is given must come again.
async fn look(app: &App, config: Arc<Config>, record: &Value) -> Option<Value> {
    if let Some(bus) = app.event_bus()
        && let Some(said) = Announcement::of(record)
        && let Err(why) = announce(app, bus, &said).await
    {
        tracing::error!(kind = said.kind, why, "an event was not accepted by its bus");
        return Some(json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }));
    }
    run(app, config, record).await
}

async fn announce(app: &App, bus: &str, said: &Announcement) -> Result<(), String> {
    let event = BusEvent { bus, source: "vk-pay", detail_type: said.kind, detail: &said.detail };
    aws::put_event(&app.clients.http, &event, ANNOUNCING).await
}

/// Runs the task that a record tells of.
async fn run(app: &App, config: Arc<Config>, record: &Value) -> Option<Value> {
    let (no, name) = due_task(record)?;
    let context = app.context(config);
    let ran = match context.store.task(no, name).await {
        Ok(Some(task)) => run_task(&context, &task, context.now()).await,
        Ok(None) => return None,
        Err(error) => Err(error),
    };
    match ran {
        Ok(ran) => {
            tracing::info!(out_trade_no = no, task = name, ?ran, "a record of a task was seen");
            None
        }
        Err(error) => {
            tracing::error!(out_trade_no = no, task = name, %error, "a task could not be read");
            Some(json!({ "itemIdentifier": record["dynamodb"]["SequenceNumber"] }))
        }
    }
}

/// The order and name of a task that was due when the record was written.
fn due_task(record: &Value) -> Option<(&str, &str)> {
    let image = &record["dynamodb"]["NewImage"];
    if image["kind"]["S"] != "task" || image["state"]["S"] != "due" {
        return None;
    }
    let no = image["pk"]["S"].as_str()?.strip_prefix("O#")?;
    let name = image["sk"]["S"].as_str()?.strip_prefix("K#")?;
    Some((no, name))
}
