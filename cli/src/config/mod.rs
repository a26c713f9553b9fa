//! `vk-pay config`: checks a configuration as a function does at its start, makes one of VK-Pay's `config.js`, and prints
//! its schema.
//!
//! | module | what |
//! |---|---|
//! | `files` | the key files that a `config.js` may name |
//! | `script` | what a `config.js` exports, without running it |
//! | `migrate` | that, as our configuration |
//! | `said` | what is told of it, in Chinese and English |
//! | `check` | `vk-pay config check` |
//! | `import` | `vk-pay config import` |

mod check;
mod files;
mod import;
mod migrate;
mod said;
mod script;

use crate::lang::Lang;
use clap::{Args, Subcommand};
use std::io::Write;
use std::process::ExitCode;

/// What is done with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// The language of what is printed; by default that of the terminal
    #[arg(long, value_enum, global = true)]
    lang: Option<Lang>,
}

#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
enum Command {
    /// Check a configuration as the functions do at their start, and print all faults and remarks by path
    Check(check::Arguments),
    /// Make a configuration of VK-Pay's or uni-pay's config.js, without running it
    Import(import::Arguments),
    /// Print the JSON Schema by which editors complete and check config.json
    Schema,
}

/// The schema as it is committed; a test compares it with the reader.
const SCHEMA: &str = include_str!("../../../docs/config.schema.json");

/// The exit status of what could not be read.
const UNREADABLE: u8 = 2;

/// Runs a subcommand. The exit status is 0 for a configuration that is right, 1 for one with faults, 2 for one that
/// cannot be read.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let lang = Lang::of(arguments.lang);
    match arguments.command {
        Command::Check(arguments) => check::run(arguments, lang).await,
        Command::Import(arguments) => import::run(arguments, lang).await,
        Command::Schema => {
            print(SCHEMA);
            ExitCode::SUCCESS
        }
    }
}

/// Prints a result. Whoever reads it may have closed the pipe.
fn print(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints what is told beside the result.
fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
