//! What SQS does between the functions: queues in memory, which hand batches to `worker` as AWS does.

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use shared::app::{App, Clock};
use shared::domain::UnixMs;
use shared::payments::{Lane, Message, Queues};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Messages of one batch, as `template.yaml` has it.
const BATCH: usize = 10;
/// How long a message is hidden that was handed out, as `template.yaml` has it.
const HIDDEN: Duration = Duration::from_mins(6);
/// How often an empty queue is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The queues. What waits in them is lost when the process ends; the table remembers what was unfinished.
pub struct MemoryQueues {
    clock: Clock,
    /// What stands for a minute of a delay.
    minute: Duration,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    lanes: BTreeMap<Lane, BTreeMap<u64, Stored>>,
}

struct Stored {
    body: String,
    /// From when it is handed out.
    from: UnixMs,
    received: u32,
}

impl MemoryQueues {
    /// Empty queues that go by a clock; what is to be delayed by a minute is delayed by `minute`.
    pub fn new(clock: Clock, minute: Duration) -> Self {
        Self { clock, minute, waiting: Mutex::default() }
    }

    fn delayed(&self, delay: Duration) -> UnixMs {
        let ms = delay.as_millis() * self.minute.as_millis() / 60_000;
        (self.clock)() + Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages of a queue could be handed out now.
    pub fn ready(&self, lane: Lane) -> usize {
        let now = (self.clock)();
        self.waiting().lanes.get(&lane).map_or(0, |lane| lane.values().filter(|stored| stored.from <= now).count())
    }

    /// When the next message of any queue is handed out.
    pub fn next(&self) -> Option<UnixMs> {
        self.waiting().lanes.values().flat_map(|lane| lane.values().map(|stored| stored.from)).min()
    }

    /// Takes every message away, as if they had been lost.
    pub fn lose(&self) {
        self.waiting().lanes.clear();
    }

    /// Hands out up to a batch of what is there to be seen.
    pub fn receive(&self, lane: Lane) -> Vec<Value> {
        let now = (self.clock)();
        let mut waiting = self.waiting();
        let Some(stored) = waiting.lanes.get_mut(&lane) else { return Vec::new() };
        let ready = stored.iter_mut().filter(|(_, stored)| stored.from <= now).take(BATCH);
        ready
            .map(|(id, stored)| {
                stored.from = now + HIDDEN;
                stored.received += 1;
                json!({
                    "messageId": id.to_string(), "receiptHandle": id.to_string(), "body": stored.body,
                    "attributes": { "ApproximateReceiveCount": stored.received.to_string() },
                    "eventSource": "aws:sqs", "eventSourceARN": format!("arn:aws:sqs:local:000000000000:{}", lane.name()),
                })
            })
            .collect()
    }

    /// Takes away the messages of a batch that were not reported as failed.
    pub fn delete(&self, lane: Lane, batch: &[Value], answer: &Value) {
        let failed = answer["batchItemFailures"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut waiting = self.waiting();
        let Some(stored) = waiting.lanes.get_mut(&lane) else { return };
        for message in batch {
            let failed = failed.iter().any(|failure| failure["itemIdentifier"] == message["messageId"]);
            if let Some(id) = id_of(&message["messageId"]).filter(|_| !failed) {
                stored.remove(&id);
            }
        }
    }

    /// Hands one batch of a queue to `worker`. False when there is none.
    pub async fn serve(&self, app: &App, lane: Lane) -> bool {
        let batch = self.receive(lane);
        if batch.is_empty() {
            return false;
        }
        let answer = worker::handle(app, &json!({ "Records": batch })).await;
        self.delete(lane, &batch, &answer);
        true
    }
}

fn id_of(value: &Value) -> Option<u64> {
    value.as_str()?.parse().ok()
}

impl Queues for MemoryQueues {
    fn send(&self, messages: Vec<Message>) -> BoxFuture<'_, usize> {
        let mut waiting = self.waiting();
        for message in messages {
            waiting.last += 1;
            let id = waiting.last;
            let from = self.delayed(message.delay);
            let stored = Stored { body: message.work.to_json().to_string(), from, received: 0 };
            waiting.lanes.entry(message.lane).or_default().insert(id, stored);
        }
        Box::pin(std::future::ready(0))
    }

    fn hide<'a>(&'a self, _: &'a str, receipt: &'a str, time: Duration) -> BoxFuture<'a, ()> {
        let from = self.delayed(time);
        if let Ok(id) = receipt.parse::<u64>() {
            let mut waiting = self.waiting();
            for lane in waiting.lanes.values_mut() {
                if let Some(stored) = lane.get_mut(&id) {
                    stored.from = from;
                }
            }
        }
        Box::pin(std::future::ready(()))
    }
}

/// Feeds `worker` until it is stopped; each queue by itself, so that none waits for another.
pub async fn feed(app: Arc<App>, queues: Arc<MemoryQueues>, ended: impl Future<Output = ()>) {
    let lanes = join_all(Lane::all().map(|lane| {
        let (app, queues) = (&app, &queues);
        async move {
            loop {
                if !queues.serve(app, lane).await {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }));
    tokio::select! {
        () = ended => {}
        _ = lanes => {}
    }
}
