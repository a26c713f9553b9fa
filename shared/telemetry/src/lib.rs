//! Log lines: one event is one line, and nobody but this crate rings the alarm.
//!
//! A line is `time LEVEL target message field=value … span{field=value}`, one space between the parts. The first
//! three are never anything that came in: the target is a path of this code, and `alarm` for what [`alarm`] writes.
//! The metric filters of `template.yaml` match on level and target alone. Control characters are written as escapes,
//! so that no value can begin a line of its own, and `alarm=`, which operators search for, stands in alarms only.

use crypto::hash;
use std::fmt::{self, Display, Write};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The target of alarms, the third word of their lines.
const ALARM: &str = "alarm";
/// The longest message with its fields, bytes: what collects logs splits longer lines, and the second half of a line
/// would begin with whatever stands there.
const LONGEST: usize = 16_384;

/// Writes the line that the alarm listens for: `alarm=<kind>`, then the fields. This is the one way to ring it.
pub fn alarm(kind: &'static str, fields: &[(&'static str, &dyn Display)]) {
    tracing::error!(target: ALARM, "alarm={kind}{}", Listed(fields));
}

/// A name that somebody made up, as a line may show it: its length and the beginning of its digest.
pub fn digest(name: &str) -> String {
    format!("{} bytes, sha256 {}", name.len(), &hash::sha256_hex(name.as_bytes())[..16])
}

/// Fields behind a message. A plain value stands as it is, so that it can be searched for; any other is quoted.
struct Listed<'a>(&'a [(&'static str, &'a dyn Display)]);

impl Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'@' | b'|' | b'*');
        for (name, value) in self.0 {
            let value = value.to_string();
            match !value.is_empty() && value.bytes().all(plain) {
                true => write!(f, " {name}={value}")?,
                false => write!(f, " {name}={value:?}")?,
            }
        }
        Ok(())
    }
}

/// How events are written; see the module.
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
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
        write!(writer, " {} {} ", metadata.level(), metadata.target())?;
        let said = one_line(&said);
        match metadata.target() {
            ALARM => writeln!(writer, "{said}"),
            _ => writeln!(writer, "{}", said.replace("alarm=", "alarm\\u{3d}")),
        }
    }
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
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
                line.extend(c.escape_unicode());
            }
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// Lines to a writer, as one layer of a subscriber.
pub fn layer<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().with_ansi(false).event_format(Lines).with_writer(writer)
}

/// What `RUST_LOG` asks for, else the usual. Alarms pass in any case.
fn filter(usual: Targets) -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    wanted.unwrap_or(usual).with_target(ALARM, Level::ERROR)
}

/// Sends lines to a writer from now on; `RUST_LOG` filters by target and level. A second call in one process (tests)
/// changes nothing. Never more than `debug`: at `trace` the Lambda runtime and the SDK write whole events and
/// requests, with the keys and tokens in them. A panic is a line like any other.
pub fn start<W>(usual: Targets, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let subscriber = tracing_subscriber::registry().with(LevelFilter::DEBUG).with(filter(usual)).with(layer(writer));
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
