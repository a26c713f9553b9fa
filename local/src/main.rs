//! `cargo run`: everything that a payment needs, on this machine.

#![warn(clippy::unwrap_used, unreachable_pub)]

use std::io::Write;
use std::process::ExitCode;
use tracing_subscriber::filter::Targets;
use vk_pay_local::options::{self, Command};
use vk_pay_local::start;

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(Command::Run(options)) => options,
        Ok(Command::Help) => return say(options::HELP),
        Err(what) => return fail(&format!("{what}\n\n{}", options::HELP)),
    };
    log_to_stderr();
    let running = match start(options).await {
        Ok(running) => running,
        Err(error) => return fail(&error.to_string()),
    };
    say(&running.greeting());
    asked_to_stop().await;
    say("stopping");
    running.stop().await;
    ExitCode::SUCCESS
}

fn say(text: &str) -> ExitCode {
    match writeln!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn fail(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::FAILURE
}

fn log_to_stderr() {
    // The table warns of every condition that is refused, and refusing is what conditions are for.
    let usual = Targets::new().with_default(tracing::Level::WARN).with_target("dynoxide", tracing::Level::ERROR);
    shared::telemetry::start(usual, shared::telemetry::text(std::io::stderr));
}

/// Ctrl-C, or SIGTERM where there is one.
async fn asked_to_stop() {
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
