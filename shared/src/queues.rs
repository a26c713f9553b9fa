//! The queues of work at SQS.

use futures::future::{BoxFuture, join_all};
use net::aws;
use net::provider_http::Http;
use payments::{Lane, Message, Queues};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Messages of one call, as SQS has it.
const BATCH: usize = 10;

/// SQS's queues whose URLs begin alike: `https://sqs.<region>.amazonaws.com/<account>/<stack>-`.
pub(crate) struct Sqs {
    prefix: String,
    /// The queue of transfers, where they have one of their own; else they are in that of refunds.
    transfers: Option<String>,
    http: Http,
}

impl Sqs {
    pub(crate) fn new(prefix: String, transfers: Option<String>) -> Self {
        Self { prefix, transfers, http: Http::default() }
    }

    /// The URL of a queue.
    fn url(&self, lane: Lane) -> String {
        match (lane, &self.transfers) {
            (Lane::Transfers, Some(own)) => own.clone(),
            (Lane::Transfers, None) => format!("{}{}", self.prefix, Lane::Money.name()),
            (Lane::Orders(_) | Lane::Money | Lane::Tasks, _) => format!("{}{}", self.prefix, lane.name()),
        }
    }

    /// Puts up to ten messages into one queue; says how many could not be.
    async fn put(&self, lane: Lane, messages: &[(Value, u64)]) -> usize {
        let queue = self.url(lane);
        match aws::send_messages(&self.http, &queue, messages).await {
            Ok(failed) => failed.len(),
            Err(why) => {
                tracing::error!(queue = lane.name(), why, "a queue accepts no messages");
                messages.len()
            }
        }
    }
}

impl Queues for Sqs {
    fn send(&self, messages: Vec<Message>) -> BoxFuture<'_, usize> {
        let mut lanes: BTreeMap<Lane, Vec<(Value, u64)>> = BTreeMap::new();
        for message in messages {
            lanes.entry(message.lane).or_default().push((message.work.to_json(), message.delay.as_secs()));
        }
        Box::pin(async move {
            let batches = lanes.iter().flat_map(|(lane, all)| all.chunks(BATCH).map(|batch| self.put(*lane, batch)));
            join_all(batches).await.into_iter().sum()
        })
    }

    fn hide<'a>(&'a self, queue: &'a str, receipt: &'a str, time: Duration) -> BoxFuture<'a, ()> {
        // The last part of `arn:aws:sqs:<region>:<account>:<name>`, below the place where all of them are.
        let place = self.prefix.rsplit_once('/').map_or("", |(place, _)| place);
        let queue = format!("{place}/{}", queue.rsplit(':').next().unwrap_or_default());
        Box::pin(async move {
            if let Err(why) = aws::hide_message(&self.http, &queue, receipt, time.as_secs()).await {
                tracing::warn!(why, "a message comes again sooner than it should");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_are_in_the_queue_of_refunds_unless_they_have_one_of_their_own() {
        let all = Sqs::new("https://sqs/1/pay-".to_owned(), None);
        assert_eq!(all.url(Lane::Transfers), "https://sqs/1/pay-money");
        let apart = Sqs::new("https://sqs/1/pay-".to_owned(), Some("https://sqs/1/pay-transfers".to_owned()));
        assert_eq!(apart.url(Lane::Transfers), "https://sqs/1/pay-transfers");
        assert_eq!(apart.url(Lane::Money), "https://sqs/1/pay-money");
    }
}
