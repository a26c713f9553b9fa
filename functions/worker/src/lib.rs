//! The queues of work: asks about unpaid orders, brings on what is due.
//!
//! A provider that does not tell, and a fault of ours, leave a message in its queue, which shows it again after a pause
//! that grows. Nothing depends on a message: what is forgotten stands in the `due` index.

use futures::future::join_all;
use serde_json::{Value, json};
use shared::app::App;
use shared::payments::{Counts, Work, Worked, work};
use shared::telemetry;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tracing::Instrument;

/// After how long a message that failed comes again, s: this, and each time twice as much.
const PAUSE: u64 = 60;
/// At most so long, s.
const LONGEST: u64 = 900;

/// Serves one batch of messages; answers which of them must come again.
pub async fn handle(app: &App, event: &Value) -> Value {
    let messages = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let counts = Counts::default();
    let worked = join_all(messages.iter().map(|message| {
        let span = telemetry::item(message["messageId"].as_str().unwrap_or_default());
        serve(app, message, &counts).instrument(span)
    }))
    .await;
    let mut again: Vec<&Value> = Vec::new();
    let mut next = Vec::new();
    let mut followed = Vec::new();
    for (message, worked) in messages.iter().zip(worked) {
        match worked {
            Worked::Done => {}
            Worked::Again => again.push(message),
            Worked::Next(follower) => {
                next.push(*follower);
                followed.push(message);
            }
        }
    }
    // In one call, which costs a tenth. Where one of them is not taken, all of what they follow comes again.
    if !next.is_empty() && app.send(next).await > 0 {
        again.extend(followed);
    }
    join_all(again.iter().map(|message| hide(app, message))).await;
    tracing::info!(
        messages = messages.len(),
        again = again.len(),
        asked = counts.asked.load(Relaxed),
        credited = counts.credited.load(Relaxed),
        closed = counts.closed.load(Relaxed),
        "a batch has ended"
    );
    let failed = again.iter().map(|message| json!({ "itemIdentifier": message["messageId"] }));
    json!({ "batchItemFailures": failed.collect::<Vec<_>>() })
}

/// Does what a message asks for.
async fn serve(app: &App, message: &Value, counts: &Counts) -> Worked {
    let body = message["body"].as_str().and_then(|body| serde_json::from_str(body).ok());
    let Some(wanted) = body.as_ref().and_then(Work::from_json) else {
        tracing::error!(bytes = message["body"].as_str().map_or(0, str::len), "a message that is none of ours");
        return Worked::Done;
    };
    let context = app.context(app.config().await);
    work(&context, &wanted, counts).await.unwrap_or_else(|failure| {
        let detail = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
        tracing::error!(work = %wanted.to_json(), detail, "a message could not be processed");
        Worked::Again
    })
}

/// Has a message come again after a pause that grows with how often it came.
async fn hide(app: &App, message: &Value) {
    let received = message["attributes"]["ApproximateReceiveCount"].as_str().and_then(|n| n.parse::<u32>().ok());
    let pause = PAUSE.saturating_mul(1 << received.unwrap_or(1).clamp(1, 6).saturating_sub(1)).min(LONGEST);
    if let (Some(queue), Some(receipt)) = (message["eventSourceARN"].as_str(), message["receiptHandle"].as_str()) {
        app.hide(queue, receipt, Duration::from_secs(pause)).await;
    }
}
