//! The way out to the providers, watched: how long an answer took, what it says the time is, and which host gave none.

use futures::future::BoxFuture;
use shared::domain::UnixMs;
use shared::net::provider_http::{Answer, Carrier, Http, HttpError, Request};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one answer is waited for.
const ANSWER: Duration = Duration::from_millis(4_500);

/// One request that was sent.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// The URL without its query, which may hold secrets.
    pub(super) url: String,
    /// How long its answer took.
    pub(super) took: Duration,
    /// By how much the provider's clock is ahead of ours, s; where it says the time.
    pub(super) ahead: Option<i64>,
    /// HTTP status; nothing where there was no answer.
    pub(super) status: Option<u16>,
}

/// See the module.
pub(super) struct Recorder {
    http: Arc<Http>,
    seen: Mutex<Vec<Seen>>,
}

impl Recorder {
    /// One that sends through this client.
    pub(super) fn new(http: Arc<Http>) -> Self {
        Self { http, seen: Mutex::default() }
    }

    /// What was sent so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Carrier for Recorder {
    fn carry<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Result<Answer, HttpError>> {
        Box::pin(async move {
            let url = request.url.split('?').next().unwrap_or_default().to_owned();
            let began = Instant::now();
            let answer = self.http.send_within(request, ANSWER).await;
            let took = began.elapsed();
            let ahead = answer.as_ref().ok().and_then(|answer| ahead(answer, took));
            let status = answer.as_ref().ok().map(|answer| answer.status);
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(Seen { url, took, ahead, status });
            answer
        })
    }
}

/// By how much the `Date` of an answer is ahead of the middle of the time that it took.
fn ahead(answer: &Answer, took: Duration) -> Option<i64> {
    let date = answer.headers.get("date")?.to_str().ok()?;
    let format = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let theirs = time::PrimitiveDateTime::parse(date, format).ok()?.assume_utc().unix_timestamp();
    Some(theirs - (system_time() - took / 2).secs())
}

/// What the clocks of the providers say together: the difference that half of them exceed, so that one wrong clock among
/// many does not count.
pub(super) fn skew(seen: &[Seen]) -> Option<i64> {
    let mut ahead: Vec<i64> = seen.iter().filter_map(|seen| seen.ahead).collect();
    ahead.sort_unstable();
    ahead.get(ahead.len() / 2).copied()
}

/// The system's time.
pub(super) fn system_time() -> UnixMs {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMs::EPOCH + now
}
