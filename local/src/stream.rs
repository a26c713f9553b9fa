//! What AWS does between the table and the functions `dispatch` and `reconcile`: hands the stream's records
//! over in batches, and keeps the schedule.

use dynoxide::Database;
use dynoxide::actions::describe_stream::DescribeStreamRequest;
use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::GetShardIteratorRequest;
use dynoxide::actions::list_streams::ListStreamsRequest;
use serde_json::{Value, json};
use shared::app::App;
use std::sync::Arc;
use std::time::Duration;

/// Records of one batch, as `template.yaml` has it.
const BATCH: usize = 10;
/// How often the stream is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The stream of a table.
pub struct Stream {
    database: Database,
    iterator: String,
}

impl Stream {
    /// The stream of a table, from now on.
    ///
    /// # Errors
    /// What the database says.
    pub fn open(database: Database, table: &str) -> Result<Self, String> {
        let said = |e: dynoxide::DynoxideError| e.to_string();
        let request: ListStreamsRequest = request(json!({ "TableName": table }));
        let streams = json!(database.list_streams(request).map_err(said)?);
        let arn = &streams["Streams"][0]["StreamArn"];
        let request: DescribeStreamRequest = self::request(json!({ "StreamArn": arn }));
        let stream = json!(database.describe_stream(request).map_err(said)?);
        let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
        let request: GetShardIteratorRequest =
            self::request(json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "LATEST" }));
        let iterator = database.get_shard_iterator(request).map_err(said)?.shard_iterator;
        Ok(Self { database, iterator: iterator.ok_or("the table has no stream")? })
    }

    /// The next records, as Lambda gets them.
    ///
    /// # Errors
    /// What the database says.
    pub fn batch(&mut self) -> Result<Vec<Value>, String> {
        let request = request(json!({ "ShardIterator": self.iterator, "Limit": BATCH }));
        let request: GetRecordsRequest = request;
        let answer = self.database.get_records(request).map_err(|e| e.to_string())?;
        if let Some(next) = answer.next_shard_iterator {
            self.iterator = next;
        }
        Ok(answer.records.iter().map(|record| json!(record)).collect())
    }
}

fn request<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a request of this API")
}

/// Feeds `dispatch` until it is stopped. A batch that fails in part comes once more, as on AWS; what then
/// still fails is found by the schedule.
pub async fn feed(app: Arc<App>, mut stream: Stream, ended: impl Future<Output = ()>) {
    let mut ended = std::pin::pin!(ended);
    loop {
        let records = match stream.batch() {
            Ok(records) => records,
            Err(why) => {
                tracing::error!(why, "the stream cannot be read");
                Vec::new()
            }
        };
        if records.is_empty() {
            tokio::select! {
                () = &mut ended => return,
                () = tokio::time::sleep(LOOK) => continue,
            }
        }
        let event = json!({ "Records": records });
        let answer = dispatch::handle(&app, &event).await;
        if answer["batchItemFailures"].as_array().is_some_and(|failed| !failed.is_empty()) {
            dispatch::handle(&app, &event).await;
        }
    }
}

/// Keeps the schedule of `reconcile` until it is stopped: `due` each period, `notices` and `complaints` each 30th, much as `template.yaml`
/// has it. Without a period nothing runs.
pub async fn schedule(app: Arc<App>, period: Option<Duration>, ended: impl Future<Output = ()>) {
    let Some(period) = period else { return };
    let mut ended = std::pin::pin!(ended);
    for n in 1_u64.. {
        tokio::select! {
            () = &mut ended => return,
            () = tokio::time::sleep(period) => {}
        }
        let jobs: &[&str] = if n.is_multiple_of(30) { &["due", "notices", "complaints"] } else { &["due"] };
        for job in jobs {
            if let Err(why) = reconcile::handle(&app, &json!({ "job": job })).await {
                tracing::error!(job, why, "the scheduled run has failed");
            }
        }
    }
}
