//! Prints the documents that are committed: `cargo run -p contracts -- config > docs/config.schema.json`, and
//! `cargo run -p contracts -- openapi > docs/openapi.json`.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let document = match std::env::args().nth(1).as_deref() {
        Some("config") => contracts::config_schema(),
        Some("openapi") => contracts::openapi(),
        _ => {
            eprintln!("usage: contracts config|openapi");
            return ExitCode::FAILURE;
        }
    };
    match std::io::stdout().write_all(contracts::pretty(&document).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
