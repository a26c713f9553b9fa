//! Log lines and metrics: one event is one line, and nobody but this crate rings the alarm.
//!
//! A function writes JSON, one object a line: `timestamp`, `level`, `target`, what the event says under `fields`, and
//! the call that it belongs to under `span`. Level and target are never anything that came in: the target is a path of
//! this code, and `alarm` for what [`alarm!`](crate::alarm) writes. The metric filters of `template.yaml` match on
//! these two alone. When a call has ended, one line with the target `request` says how it went, and carries its
//! metrics in CloudWatch's embedded format (see [`Metric`]). A console gets the same events as text.

mod lines;
mod metrics;
mod request;

pub use metrics::{Metric, count, measure, measure_time};
pub use request::{batch, item, note, note_number, request};

use crypto::hash;
use lines::{JsonLine, TextLine};
use request::Requests;
use tracing::{Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The target of alarms.
pub const ALARM: &str = "alarm";
/// The target of calls: their spans, and the line at their end.
const REQUEST: &str = "request";
/// The target of what is counted and measured.
const METRIC: &str = "metric";

/// Rings: `alarm!(kind, field = %value, …)` writes a line at ERROR with the target `alarm`, the kind in its field
/// `alarm`, and the number that it is about. This is the one way to ring.
#[macro_export]
macro_rules! alarm {
    ($kind:expr, $($fields:tt)+) => {
        tracing::error!(target: $crate::ALARM, alarm = $kind, $($fields)+)
    };
}

/// A name that somebody made up, as a line may show it: its length and the beginning of its digest.
pub fn digest(name: &str) -> String {
    format!("{} bytes, sha256 {}", name.len(), &hash::sha256_hex(name.as_bytes())[..16])
}

/// Everything but what is only counted: that has no line of its own.
fn lines_only<S>(layer: impl Layer<S> + Send + Sync + 'static) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    layer.with_filter(filter_fn(|metadata| metadata.target() != METRIC))
}

/// JSON to a writer, and the metrics of each call in a namespace of CloudWatch; without one they are only written down.
pub fn json<S, W>(writer: W, namespace: Option<String>) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLine::default());
    lines_only(lines.with_writer(writer.clone())).and_then(Requests::new(writer, namespace))
}

/// Text to a writer.
pub fn text<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    lines_only(tracing_subscriber::fmt::layer().with_ansi(false).event_format(TextLine).with_writer(writer))
}

/// What `RUST_LOG` asks for, else the usual. Alarms, and calls with their metrics, pass in any case.
fn filter(usual: Targets) -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let wanted = wanted.unwrap_or(usual).with_target(ALARM, Level::ERROR);
    wanted.with_target(REQUEST, Level::INFO).with_target(METRIC, Level::INFO)
}

/// Sends lines to a layer ([`json`], [`text`]) from now on; `RUST_LOG` filters by target and level. A second call in
/// one process (tests) changes nothing. Never more than `debug`: at `trace` the Lambda runtime and the SDK write whole
/// events and requests, with the keys and tokens in them. A panic is a line like any other.
pub fn start(usual: Targets, layer: impl Layer<Registry> + Send + Sync + 'static) {
    let subscriber =
        tracing_subscriber::registry().with(layer.with_filter(filter(usual)).with_filter(LevelFilter::DEBUG));
    if subscriber.try_init().is_err() {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let payload = panic.payload();
        let why = payload.downcast_ref::<&str>().copied();
        let why = why.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
        tracing::error!(place = panic.location().map(ToString::to_string), why, "a panic");
    }));
}
