//! How an event becomes a line.

use std::fmt::{self, Write};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::{Format, FormatEvent, FormatFields, Json, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The longest line, bytes. CloudWatch takes more, but a terminal, and whoever reads, does not.
const LONGEST: usize = 16_384;

/// Characters that hide what follows, or turn it round, in a terminal and in a browser.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A text as a part of one line, in its order: nothing in it breaks the line, hides or turns round what follows.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if line.len() >= LONGEST {
            // Writing to a string does not fail.
            let _ = write!(line, "… {} bytes more", text.len() - at);
            break;
        }
        match c {
            c if is_invisible(c) => line.extend(c.escape_unicode()),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// JSON as one line: the same document, with what is invisible in it escaped. One that is too long is told of by its
/// beginning, as text, under the same level and target.
pub(crate) fn json_line(metadata: &Metadata<'_>, json: &str) -> String {
    let json = json.trim_end();
    if json.len() > LONGEST {
        let mut time = String::new();
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        return serde_json::json!({
            "timestamp": time,
            "level": metadata.level().as_str(),
            "fields": { "message": one_line(json) },
            "target": metadata.target(),
        })
        .to_string();
    }
    let mut line = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        match c {
            // All of them have four digits. JSON has escaped what is below a space.
            c if is_invisible(c) || c.is_control() => {
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line
}

/// `time LEVEL target message field=value … span{field=value}`.
pub(crate) struct TextLine;

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut said = String::new();
        cx.format_fields(Writer::new(&mut said), event)?;
        for span in cx.event_scope().into_iter().flat_map(|scope| scope.from_root()) {
            write!(said, " {}", span.name())?;
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                write!(said, "{{{fields}}}")?;
            }
        }
        SystemTime.format_time(&mut writer)?;
        writeln!(writer, " {} {} {}", metadata.level(), metadata.target(), one_line(&said))
    }
}

/// One JSON object.
pub(crate) struct JsonLine(Format<Json>);

impl Default for JsonLine {
    fn default() -> Self {
        Self(Format::default().json().with_current_span(true).with_span_list(false))
    }
}

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, cx: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut json = String::new();
        self.0.format_event(cx, Writer::new(&mut json), event)?;
        writeln!(writer, "{}", json_line(event.metadata(), &json))
    }
}
