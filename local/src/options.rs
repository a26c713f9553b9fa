//! The command line.

use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub const HELP: &str = "\
vk-pay-local: the payment functions, their table, the simulated providers and a web console, in one process

USAGE: cargo run [--] [OPTIONS]

  --port N              port of the console and the functions on 127.0.0.1 (default 8787; 0 picks a free one)
  --data-dir DIR        where the tables and the demo keys are kept (default ./.vk-pay)
  --config PATH         a merchant's own configuration instead of the demo: the nodes then speak to the real
                        providers unless they name an apiBase
  --schedule SECONDS    how often unfinished orders are asked about (default 15; 0 never; on AWS it is a minute)
  --dynamodb-port N     port of the tables on 127.0.0.1 (default 0 picks a free one)
  --js-handler TYPE     hand orders of this type to the function js-handlers at AWS_ENDPOINT_URL_LAMBDA (may be repeated)
  --cors-origin ORIGIN  let pages of this origin call the functions (may be repeated; default none)
  -h, --help            this text

RUST_LOG filters the log, which goes to stderr (default warn).";

/// How the stack is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where tables and demo keys are kept; made when it is not there.
    pub data_dir: PathBuf,
    /// A merchant's own configuration; the demo's when absent.
    pub config: Option<PathBuf>,
    /// How often the schedule runs: sooner than on AWS, so that a visitor sees it. Never when `None`.
    pub schedule: Option<Duration>,
    /// Port of the tables on 127.0.0.1; 0 picks a free one.
    pub dynamodb_port: u16,
    /// Types of orders that the function js-handlers delivers.
    pub js_handlers: Vec<String>,
    /// Origins whose pages may call the functions.
    pub cors_origins: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 8787,
            data_dir: PathBuf::from(".vk-pay"),
            config: None,
            schedule: Some(Duration::from_secs(15)),
            dynamodb_port: 0,
            js_handlers: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Start.
    Run(Options),
    /// Print [`HELP`].
    Help,
}

/// Reads the arguments after the program's name; `--name value` and `--name=value`.
///
/// # Errors
/// A sentence that names the argument.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        if name == "-h" || name == "--help" {
            return Ok(Command::Help);
        }
        let mut value = || inline.clone().or_else(|| arguments.next()).ok_or(format!("{name} needs a value"));
        match name.as_str() {
            "--port" => {
                let text = value()?;
                options.port = text.parse().map_err(|_| format!("--port {text}: not a port"))?;
            }
            "--dynamodb-port" => {
                let text = value()?;
                options.dynamodb_port = text.parse().map_err(|_| format!("--dynamodb-port {text}: not a port"))?;
            }
            "--js-handler" => options.js_handlers.push(value()?),
            "--data-dir" => options.data_dir = PathBuf::from(value()?),
            "--config" => options.config = Some(PathBuf::from(value()?)),
            "--schedule" => {
                let text = value()?;
                let seconds: u64 = text.parse().map_err(|_| format!("--schedule {text}: not a number of seconds"))?;
                options.schedule = (seconds > 0).then(|| Duration::from_secs(seconds));
            }
            "--cors-origin" => {
                let text = value()?;
                options.cors_origins.push(origin(&text).ok_or(format!("--cors-origin {text}: not an origin"))?);
            }
            _ => return Err(format!("{name}: no such option")),
        }
    }
    if options.config.is_some() && !options.js_handlers.is_empty() {
        return Err(
            "--js-handler is for the demo; in a configuration of your own, name the function in `handlers`".into()
        );
    }
    Ok(Command::Run(options))
}

/// `scheme://host[:port]`, as browsers write it.
fn origin(text: &str) -> Option<String> {
    let text = text.trim_end_matches('/');
    let (scheme, host) = text.split_once("://")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (matches!(scheme, "http" | "https") && !host.is_empty() && host.chars().all(plain)).then(|| text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(arguments: &[&str]) -> Result<Command, String> {
        parse(arguments.iter().map(|a| (*a).to_owned()))
    }

    #[test]
    fn both_ways_to_write_a_value_are_read() {
        let Ok(Command::Run(options)) =
            run(&["--port=0", "--data-dir", "d", "--cors-origin", "http://localhost:5173/"])
        else {
            panic!("these are options")
        };
        assert_eq!((options.port, options.data_dir), (0, PathBuf::from("d")));
        assert_eq!(options.cors_origins, ["http://localhost:5173"]);
        assert_eq!(options.schedule, Some(Duration::from_secs(15)));
        let Ok(Command::Run(options)) = run(&["--schedule", "0"]) else { panic!("an option") };
        assert_eq!(options.schedule, None);
        assert_eq!(run(&["--port", "1", "--help"]), Ok(Command::Help));
    }

    #[test]
    fn what_is_no_option_is_named() {
        assert_eq!(run(&["--prot", "1"]), Err("--prot: no such option".to_owned()));
        assert_eq!(run(&["--port"]), Err("--port needs a value".to_owned()));
        assert_eq!(run(&["--port", "70000"]), Err("--port 70000: not a port".to_owned()));
        assert_eq!(run(&["--schedule=1s"]), Err("--schedule 1s: not a number of seconds".to_owned()));
        assert_eq!(run(&["--cors-origin", "*"]), Err("--cors-origin *: not an origin".to_owned()));
        let both = run(&["--config", "c.json", "--js-handler", "recharge"]);
        assert!(both.is_err_and(|why| why.starts_with("--js-handler is for the demo")));
    }
}
