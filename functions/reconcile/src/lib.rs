//! The schedule: asks about what is unfinished (`job` `due`, the default), takes notifications that never arrived
//! (`notices`), looks for complaints (`complaints`), checks bills (`bills`).

use serde_json::{Value, json};
use shared::app::App;
use shared::domain::{Provider, UnixMs};
use shared::payments::{Counts, Sweep, check_bills, look_for_complaints, missed_notices, sweep};
use shared::store::MOST_DUE_SHARDS;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Provider calls of one run, where the event does not say.
const MAX_CALLS: u64 = 200;

/// What the schedule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Job {
    /// Asks about what is unfinished.
    Due,
    /// Takes notifications that never arrived.
    Notices,
    /// Looks for complaints.
    Complaints,
    /// Checks bills.
    Bills,
}

impl Job {
    const ALL: [Self; 4] = [Self::Due, Self::Notices, Self::Complaints, Self::Bills];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Notices => "notices",
            Self::Complaints => "complaints",
            Self::Bills => "bills",
        }
    }
}

/// Serves one event of EventBridge.
///
/// # Errors
/// What of the event cannot be read, or that the table cannot; the schedule comes again.
pub async fn handle(app: &App, event: &Value) -> Result<Value, String> {
    // At the top level, or in the detail of an event of one's own.
    let field = |name: &str| event.get(name).or_else(|| event["detail"].get(name)).filter(|v| !v.is_null());
    let text = |name: &str| field(name).and_then(Value::as_str);
    let clock = match event.get("time").filter(|v| !v.is_null()) {
        None => (app.clock)(),
        Some(time) => time.as_str().and_then(moment).ok_or("time is not RFC 3339")?,
    };
    let max_calls = match field("maxCalls") {
        None => MAX_CALLS,
        Some(number) => number.as_u64().ok_or("maxCalls is not a number")?,
    };
    let provider = match text("provider") {
        None => None,
        Some(name) => Some(Provider::parse(name).ok_or("provider is not known")?),
    };
    let shards = match field("shards") {
        None => None,
        Some(range) => Some(range.as_str().and_then(shards).ok_or("shards is no range, as 0-7")?),
    };
    let direct = match field("direct") {
        None => false,
        Some(flag) => flag.as_bool().ok_or("direct is neither true nor false")?,
    };
    let mut counts = Counts::default();
    let mut context = app.context(app.config().await);
    if direct {
        context.queues = None;
    }
    let queues = context.queues.is_some();
    let job = Job::named(text("job").unwrap_or(Job::Due.name()))
        .ok_or("job is none of due, notices, complaints and bills")?;
    let more = match job {
        Job::Due => sweep(&context, &Sweep { at: clock, shards, max_calls }, &counts).await,
        Job::Notices => missed_notices(&context, clock, max_calls, text("merchant"), provider, &counts).await,
        Job::Complaints => look_for_complaints(&context, clock, max_calls, text("merchant"), provider, &counts).await,
        Job::Bills => {
            let checked = check_bills(&context, clock, text("bill_date"), text("merchant"), provider).await;
            checked.map(|bills| {
                counts = Counts {
                    asked: bills.asked.into(),
                    credited: bills.credited.into(),
                    refunds: bills.refunds.into(),
                    incidents: bills.incidents.into(),
                    errors: bills.errors.into(),
                    ..Counts::default()
                };
                bills.more
            })
        }
    };
    let more =
        more.map_err(|failure| failure.private.or(failure.says).unwrap_or_else(|| failure.code.en.to_owned()))?;
    let count = |counter: &AtomicU64| counter.load(Relaxed);
    let mut reply = json!({
        "job": job.name(),
        "time": rfc3339(clock),
        "asked": count(&counts.asked),
        "credited": count(&counts.credited),
        "closed": count(&counts.closed),
        "refunds": count(&counts.refunds),
        "transfers": count(&counts.transfers),
        "shares": count(&counts.shares),
        "tasks": count(&counts.tasks),
        "parked": count(&counts.parked),
        "incidents": count(&counts.incidents),
        "errors": count(&counts.errors),
    });
    if queues {
        reply["queued"] = json!(count(&counts.queued));
    }
    reply["more"] = json!(more);
    tracing::info!(%reply, "a run has ended");
    Ok(reply)
}

/// `0-7`: the shards of the index that a run looks at.
fn shards(text: &str) -> Option<RangeInclusive<u8>> {
    let (from, to) = text.split_once('-')?;
    let (from, to): (u8, u8) = (from.parse().ok()?, to.parse().ok()?);
    (from <= to && to < MOST_DUE_SHARDS).then_some(from..=to)
}

fn moment(text: &str) -> Option<UnixMs> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(UnixMs::new)
}

fn rfc3339(at: UnixMs) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.get()) * 1_000_000).ok()?.format(&Rfc3339).ok()
}
