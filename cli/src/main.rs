//! `vk-pay`: what an operator and a developer do at a terminal. Without a subcommand it is `vk-pay dev`, which is
//! what `cargo run` starts.
//!
//! | module | what |
//! |---|---|
//! | `dev` | the local stack: functions, tables, simulated providers, console |
//! | `doctor` | whether a configuration, its providers, the callbacks' address and the table are right |
//! | `lang` | the two languages that commands speak |

mod dev;
mod doctor;
mod lang;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::process::ExitCode;

/// Payments for uni-app and VK-Pay clients: run them here, look after them on AWS.
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
    /// Ask every provider of a configuration one harmless question, and name what is wrong with its cause and remedy
    Doctor(doctor::Arguments),
    /// Print a script that completes commands and options in a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        None => dev::run(cli.dev).await,
        Some(Command::Dev(arguments)) => dev::run(arguments).await,
        Some(Command::Doctor(arguments)) => doctor::run(arguments).await,
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "vk-pay", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
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
