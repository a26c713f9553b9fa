//! A call: what all its lines say of it, and the line at its end.

use crate::lines::json_line;
use crate::metrics::Measured;
use crate::{METRIC, REQUEST};
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tracing::field::{Empty, display};
use tracing::span::{Attributes, Id};
use tracing::{Event, Span, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FormattedFields, MakeWriter, time};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// The longest value that a call is described by, bytes; a longer one is no number, and no name of ours.
const LONGEST: usize = 128;

/// The span of one call of a function. Its lines carry what [`note`] adds; when it ends, a line says how it went.
pub fn request(function: &'static str, request_id: &str, xray_trace_id: Option<&str>) -> Span {
    tracing::info_span!(
        target: REQUEST,
        "request",
        function,
        request_id,
        xray_trace_id,
        action = Empty,
        provider = Empty,
        merchant = Empty,
        out_trade_no = Empty,
        status = Empty,
        code = Empty,
    )
}

/// The span of one call that deals with many orders, by messages, by a stream or by the schedule.
pub fn batch(function: &'static str, request_id: &str, xray_trace_id: Option<&str>) -> Span {
    tracing::info_span!(target: REQUEST, "request", function, request_id, xray_trace_id)
}

/// The span of one of several things that a call does at once: a message of a queue by its id, a record of a stream. Its
/// lines carry its own numbers.
pub fn item(item: &str) -> Span {
    tracing::info_span!(
        target: REQUEST,
        "item",
        item,
        action = Empty,
        provider = Empty,
        merchant = Empty,
        out_trade_no = Empty,
    )
}

/// Adds to the call that this is a part of: `action`, `provider`, `merchant`, `out_trade_no`. Merchants and numbers by
/// their name in the configuration or the table, never as somebody sent them.
pub fn note(field: &'static str, value: impl Display) {
    let value = value.to_string();
    let value = if value.len() <= LONGEST { value } else { super::digest(&value) };
    Span::current().record(field, display(value));
}

/// Adds a number to the call that this is a part of: `status`, `code`.
pub fn note_number(field: &'static str, value: impl Into<i64>) {
    Span::current().record(field, value.into());
}

/// What is kept of a call until it ends.
struct Kept {
    began: Instant,
    measured: Measured,
}

/// Gathers what calls count and measure, and writes the line at their end.
pub(crate) struct Requests<W> {
    writer: W,
    namespace: Option<String>,
}

impl<W> Requests<W> {
    pub(crate) const fn new(writer: W, namespace: Option<String>) -> Self {
        Self { writer, namespace }
    }
}

impl<W: for<'a> MakeWriter<'a> + 'static> Requests<W> {
    fn write(&self, line: &str) {
        // Like every subscriber: there is nobody to tell.
        let _ = self.writer.make_writer().write_all(line.as_bytes());
    }
}

impl<S, W> Layer<S> for Requests<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let metadata = attributes.metadata();
        if (metadata.target(), metadata.name()) == (REQUEST, "request")
            && let Some(span) = cx.span(id)
        {
            span.extensions_mut().insert(Kept { began: Instant::now(), measured: Measured::default() });
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target() != METRIC {
            return;
        }
        for span in cx.event_scope(event).into_iter().flatten() {
            if let Some(kept) = span.extensions_mut().get_mut::<Kept>() {
                kept.measured.add(event);
                return;
            }
        }
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id) else { return };
        let Some(kept) = span.extensions_mut().remove::<Kept>() else { return };
        let said = span.extensions().get::<FormattedFields<JsonFields>>().map(|fields| fields.fields.clone());
        let said: Map<String, Value> = said.and_then(|said| serde_json::from_str(&said).ok()).unwrap_or_default();
        let mut timestamp = String::new();
        let _ = time::SystemTime.format_time(&mut Writer::new(&mut timestamp));
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut of_the_call = json!({
            "timestamp": timestamp,
            "level": "INFO",
            "fields": { "message": "answered", "ms": millis(kept.began.elapsed()) },
            "target": REQUEST,
            "span": said,
        });
        for members in kept.measured.lines(self.namespace.as_deref(), millis(at)) {
            let mut line = std::mem::take(&mut of_the_call);
            match line.as_object_mut() {
                Some(line) => line.extend(members),
                // The further ones only count.
                None => line = Value::Object(members),
            }
            self.write(&format!("{}\n", json_line(span.metadata(), &line.to_string())));
        }
    }
}
