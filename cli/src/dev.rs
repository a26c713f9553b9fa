//! `vk-pay dev`: everything that a payment needs, on this machine.

use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing_subscriber::filter::Targets;
use vk_pay_local::{Options, start};

/// How the stack is started. RUST_LOG filters the log, which goes to stderr (default warn).
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Arguments {
    /// Port of the console and the functions on 127.0.0.1; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8787)]
    port: u16,
    /// Where the tables and the demo keys are kept
    #[arg(long, value_name = "DIR", default_value = ".vk-pay")]
    data_dir: PathBuf,
    /// A merchant's own configuration instead of the demo: the nodes then speak to the real providers unless they name
    /// an apiBase
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// How often unfinished orders are queried; 0 never (on AWS every minute)
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    schedule: u64,
    /// Port of the tables on 127.0.0.1; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    dynamodb_port: u16,
    /// Hand orders of this type to the function js-handlers at AWS_ENDPOINT_URL_LAMBDA (may be repeated). For the demo;
    /// in a configuration of your own, name the function in `handlers`
    #[arg(long = "js-handler", value_name = "TYPE", conflicts_with = "config")]
    js_handlers: Vec<String>,
    /// Let pages of this origin call the functions (may be repeated)
    #[arg(long = "cors-origin", value_name = "ORIGIN", value_parser = origin)]
    cors_origins: Vec<String>,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        Self {
            port: arguments.port,
            data_dir: arguments.data_dir,
            config: arguments.config,
            schedule: (arguments.schedule > 0).then(|| Duration::from_secs(arguments.schedule)),
            dynamodb_port: arguments.dynamodb_port,
            js_handlers: arguments.js_handlers,
            cors_origins: arguments.cors_origins,
        }
    }
}

/// `scheme://host[:port]`, as browsers write it.
fn origin(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let trimmed = text.trim_end_matches('/');
    match trimmed.split_once("://") {
        Some(("http" | "https", host)) if !host.is_empty() && host.chars().all(plain) => Ok(trimmed.to_lowercase()),
        _ => Err("not an origin such as https://shop.example".to_owned()),
    }
}

/// Runs the stack until it is asked to stop.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let held = Held::default();
    log_to(held.clone());
    let running = match start(arguments.into()).await {
        Ok(running) => running,
        Err(error) => {
            held.release();
            let _ = writeln!(std::io::stderr(), "{error}");
            return ExitCode::FAILURE;
        }
    };
    say(&running.greeting());
    held.release();
    asked_to_stop().await;
    say("stopping");
    running.stop().await;
    ExitCode::SUCCESS
}

/// Whoever started it may have closed its output; it serves nevertheless.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Stderr, which keeps what is written until the greeting stands: remarks on the configuration come after what one waits
/// for, and nothing of them is left out.
#[derive(Clone)]
struct Held(Arc<Mutex<Option<Vec<u8>>>>);

impl Default for Held {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Held {
    /// Writes what was kept; from now on nothing is.
    fn release(&self) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = std::io::stderr().write_all(&kept.unwrap_or_default());
    }
}

impl Write for Held {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(kept) => kept.write(bytes),
            None => std::io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn log_to(held: Held) {
    // The table warns of every condition that is refused, and refusing is what conditions are for.
    let usual = Targets::new().with_default(tracing::Level::WARN).with_target("dynoxide", tracing::Level::ERROR);
    shared::telemetry::start(usual, shared::telemetry::text(move || held.clone()));
}

/// Ctrl-C, or SIGTERM where there is one.
pub(crate) async fn asked_to_stop() {
    let interrupt = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn read(arguments: &[&str]) -> Result<Options, String> {
        let line = std::iter::once("vk-pay").chain(arguments.iter().copied());
        Line::try_parse_from(line).map(|line| line.arguments.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_said_before_the_greeting_is_kept_and_not_lost() {
        let held = Held::default();
        held.clone().write_all(b"a remark\n").expect("kept");
        assert_eq!(held.0.lock().expect("one thread").as_deref(), Some(&b"a remark\n"[..]));
        held.release();
        assert!(held.0.lock().expect("one thread").is_none(), "what comes later is written at once");
    }

    #[test]
    fn without_options_it_is_what_the_library_starts_by_default() {
        assert_eq!(read(&[]), Ok(Options::default()));
    }

    #[test]
    fn both_ways_to_write_a_value_are_read() {
        let options =
            read(&["--port=0", "--data-dir", "d", "--cors-origin", "http://LOCALHOST:5173/"]).expect("options");
        assert_eq!((options.port, options.data_dir), (0, PathBuf::from("d")));
        assert_eq!(options.cors_origins, ["http://localhost:5173"]);
        assert_eq!(options.schedule, Some(Duration::from_secs(15)));
        assert_eq!(read(&["--schedule", "0"]).expect("an option").schedule, None);
    }

    #[test]
    fn what_is_no_option_is_named() {
        for (line, named) in [
            (&["--prot", "1"][..], "--prot"),
            (&["--port"], "--port"),
            (&["--port", "70000"], "70000"),
            (&["--schedule=1s"], "1s"),
            (&["--cors-origin", "*"], "not an origin"),
            (&["--config", "c.json", "--js-handler", "recharge"], "cannot be used with"),
        ] {
            let why = read(line).expect_err("no such option");
            assert!(why.contains(named), "{why}");
        }
    }
}
