//! `vk-pay`: what an operator and a developer do at a terminal. Without a subcommand it is `vk-pay dev`, which is
//! what `cargo run` starts.
//!
//! | module | what |
//! |---|---|
//! | `lang` | the two languages that commands speak |
//! | `config` | a configuration checked, made of VK-Pay's `config.js`, and its schema |
//! | `dev` | the local stack: functions, tables, simulated providers, console |
//! | `doctor` | whether a configuration, its providers, the callbacks' address and the table are right |
//! | `operate` | what an operator does: orders, refunds, incidents, sums, and scripts of the local stack |

mod config;
mod dev;
mod doctor;
mod lang;
mod operate;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use std::process::ExitCode;

/// Payments for uni-app and VK-Pay clients: run the bundle on this machine, operate it on AWS.
///
/// Without a command it starts the local stack, as `vk-pay dev` does.
#[derive(Debug, Parser)]
#[command(name = "vk-pay", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    dev: dev::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the functions, their tables, the simulated providers and a web console, in one process
    Dev(dev::Arguments),
    /// Check a configuration, convert VK-Pay's config.js, or print the schema
    Config(config::Arguments),
    /// Check keys, callback URL and table with every provider; report each problem with its cause and remedy
    Doctor(doctor::Arguments),
    #[command(flatten)]
    Operate(Box<operate::Command>),
    /// Print a script that completes commands and options in a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let read = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match read {
        Ok(cli) => cli,
        Err(error) => return refuse(&error, std::env::args_os().any(|word| word == "--json")),
    };
    match cli.command {
        None => dev::run(cli.dev).await,
        Some(Command::Dev(arguments)) => dev::run(arguments).await,
        Some(Command::Config(arguments)) => config::run(arguments).await,
        Some(Command::Doctor(arguments)) => doctor::run(arguments).await,
        Some(Command::Operate(command)) => operate::run(*command).await,
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut command(), "vk-pay", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}

/// Options that lead to AWS, where a command cannot go.
const ELSEWHERE: [&str; 4] = ["profile", "region", "table", "stack"];

/// The command line. What works on this machine only does not list the options that lead away from it; who gives one all
/// the same is told why.
fn command() -> clap::Command {
    let hide = |command: clap::Command| {
        ELSEWHERE.into_iter().fold(command, |command, option| command.mut_arg(option, |own| own.hide(true)))
    };
    ["trigger", "resend"].into_iter().fold(Cli::command(), |all, name| all.mut_subcommand(name, hide))
}

/// Says what is wrong with the command line, in JSON too where that is asked for; or prints what `--help` and `--version`
/// ask for.
fn refuse(error: &clap::Error, json: bool) -> ExitCode {
    let _ = error.print();
    if json && error.use_stderr() {
        operate::print_failure(None, &words(&error.to_string()), operate::USAGE, None);
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(operate::USAGE))
}

/// An error of the command line without what stands around it: the word before, and how the command is used.
fn words(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let ends = ["\n\nUsage:", "\n\nFor more information"].iter().filter_map(|end| text.find(end)).min();
    text[..ends.unwrap_or(text.len())].trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn an_error_of_the_command_line_is_told_without_how_the_command_is_used() {
        let error = command().try_get_matches_from(["vk-pay", "orders", "--day", "yesterday"]).expect_err("no day");
        let words = words(&error.to_string());
        assert!(words.contains("yesterday") && words.contains("not a day such as 2026-01-31"), "{words}");
        assert!(!words.contains("error:") && !words.contains("Usage") && !words.contains("--help"), "{words}");
    }

    #[test]
    fn without_a_command_the_options_are_those_of_dev() {
        let plain = Cli::try_parse_from(["vk-pay", "--port", "0", "--schedule=0"]).expect("options");
        let named = Cli::try_parse_from(["vk-pay", "dev", "--port", "0", "--schedule=0"]).expect("options");
        let Some(Command::Dev(dev)) = named.command else { panic!("a command was named") };
        assert!(plain.command.is_none());
        assert_eq!(plain.dev, dev);
    }
}
