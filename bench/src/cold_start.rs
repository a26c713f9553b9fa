//! Start of the process to its first answer, through the Runtime API.

use crate::thousandths;
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};
use tests::runtime_api::{Emulator, Fault};

/// One function's figures.
pub(crate) struct Figures {
    /// Start to the first `next`.
    pub next: Spread,
    /// Start to the first answer.
    pub answer: Spread,
    /// The largest peak of resident memory after the first answer, KiB.
    pub peak_rss: u64,
}

/// Least, middle and largest, µs.
pub(crate) struct Spread {
    pub least: u64,
    /// The middle value.
    pub median: u64,
    pub largest: u64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<Duration>) -> Self {
        values.sort_unstable();
        let at = |n: usize| values.get(n).map_or(0, |v| u64::try_from(v.as_micros()).unwrap_or(u64::MAX));
        Self { least: at(0), median: at(values.len() / 2), largest: at(values.len().saturating_sub(1)) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {} / {}", thousandths(self.least), thousandths(self.median), thousandths(self.largest))
    }
}

/// Starts the function `runs` times with an event that waits for it already, as Lambda does on a cold start.
///
/// # Errors
/// When it does not answer.
pub(crate) async fn measure(
    binary: &Path,
    function: &str,
    config: &str,
    table: &str,
    runs: usize,
) -> Result<Figures, Fault> {
    let envs =
        [("PAY_CONFIG", config), ("AWS_ENDPOINT_URL_DYNAMODB", table), ("PAY_NOTIFY_URL", "https://notify.example")];
    let event = first_event(function);
    let (mut next, mut answer, mut peak_rss) = (Vec::new(), Vec::new(), 0);
    for run in 0..=runs {
        let emulator = Emulator::with_timeout(Duration::from_secs(10)).await;
        let waiting = tokio::spawn({
            let (emulator, event) = (emulator.clone(), event.clone());
            async move { (emulator.invoke(event).await, Instant::now()) }
        });
        let start = Instant::now();
        let mut process = emulator.spawn(binary, &envs).await;
        let ready = process.ready().await?;
        let (answered, at) = waiting.await.map_err(|e| Fault::other(e.to_string()))?;
        answered?;
        if run > 0 {
            next.push(ready);
            answer.push(at.duration_since(start));
            peak_rss = peak_rss.max(process.peak_rss().unwrap_or_default());
        }
        process.kill().await;
    }
    Ok(Figures { next: Spread::of(next), answer: Spread::of(answer), peak_rss })
}

/// The event that a function answers first; of `events/`, so that it is one that users send.
fn first_event(function: &str) -> Value {
    let text = match function {
        "create-payment" => include_str!("../../events/close-payment.json"),
        "query-payment" => include_str!("../../events/query-payment.json"),
        "refund" => include_str!("../../events/query-refund.json"),
        "transfer" => include_str!("../../events/wxpay-virtual-balance.json"),
        "login" => include_str!("../../events/code2session.json"),
        "dispatch" => include_str!("../../events/dispatch-due-task.json"),
        "worker" => include_str!("../../events/worker-ask.json"),
        "reconcile" => include_str!("../../events/reconcile-due.json"),
        _ => include_str!("../../events/notify-wxpay-forged.json"),
    };
    let text = text.replace("replace-with-one-of-auth.keys", crate::setup::KEY);
    serde_json::from_str(&text).expect("an event of this repository")
}
