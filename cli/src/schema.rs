//! `vk-pay config schema`: the schema by which editors complete and check a configuration.

use std::io::Write;
use std::process::ExitCode;

/// The schema as it is committed; a test compares it with the reader.
const SCHEMA: &str = include_str!("../../docs/config.schema.json");

/// Prints the schema of the configuration.
pub(crate) fn print() -> ExitCode {
    match std::io::stdout().write_all(SCHEMA.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
