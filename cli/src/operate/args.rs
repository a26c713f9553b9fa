//! What all commands take, and how amounts and days are read.

use crate::lang::Lang;
use clap::Args;
use shared::domain::{Day, Fen, Provider, Status};
use std::path::PathBuf;
use vk_pay_local::target::AwsOptions;

/// Where the stack of this machine keeps its data when nothing else is said.
const DATA_DIR: &str = ".vk-pay";

/// Where a command works, and how it speaks.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Common {
    /// The data folder of the stack that runs on this machine
    #[arg(long, value_name = "DIR", default_value = DATA_DIR, help_heading = "Where")]
    pub(crate) data_dir: PathBuf,
    /// Work on AWS, with this profile of ~/.aws/config
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub(crate) profile: Option<String>,
    /// Work on AWS, in this region instead of the profile's
    #[arg(long, value_name = "REGION", help_heading = "Where")]
    pub(crate) region: Option<String>,
    /// Work on AWS, on this orders table; by default the stack's
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub(crate) table: Option<String>,
    /// Work on AWS, on this CloudFormation stack; required for changes
    #[arg(long, value_name = "NAME", help_heading = "Where")]
    pub(crate) stack: Option<String>,
    /// Print one JSON document on stdout
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// The language; by default what LANG says
    #[arg(long, value_name = "LANG", help_heading = "Output")]
    pub(crate) lang: Option<Lang>,
}

impl Common {
    /// Which deployment on AWS is meant; `None` is the stack on this machine. Only an option leads away from it: that
    /// AWS_PROFILE is set for something else must not.
    pub(crate) fn aws(&self) -> Option<AwsOptions> {
        let options = AwsOptions {
            profile: self.profile.clone(),
            region: self.region.clone(),
            table: self.table.clone(),
            stack: self.stack.clone(),
        };
        (options != AwsOptions::default()).then_some(options)
    }

    /// The options that lead to the same place, as a shell takes them, each after a space.
    pub(crate) fn place(&self) -> String {
        let data_dir = self.data_dir.to_string_lossy();
        let named = [
            ("--data-dir", Some(&*data_dir).filter(|dir| *dir != DATA_DIR)),
            ("--profile", self.profile.as_deref()),
            ("--region", self.region.as_deref()),
            ("--table", self.table.as_deref()),
            ("--stack", self.stack.as_deref()),
        ];
        named.iter().filter_map(|(name, value)| Some(format!(" {name} {}", quoted((*value)?)))).collect()
    }

    pub(crate) fn language(&self) -> Lang {
        self.lang.unwrap_or_else(Lang::from_env)
    }
}

/// A word as a POSIX shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// An amount, as it is typed: yuan, or fen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
#[group(multiple = false)]
pub(crate) struct Amount {
    /// Yuan with at most two decimals: 1, 1.5, 1.00
    #[arg(long, value_name = "YUAN", value_parser = yuan)]
    pub(crate) amount: Option<Fen>,
    /// The same in fen: 100
    #[arg(long, value_name = "N", value_parser = fen)]
    pub(crate) fen: Option<Fen>,
}

impl Amount {
    /// What was typed.
    pub(crate) fn typed(self) -> Option<Fen> {
        self.amount.or(self.fen)
    }
}

fn yuan(text: &str) -> Result<Fen, String> {
    let amount = Fen::from_yuan(text).filter(|amount| (Fen(1)..=Fen::MAX).contains(amount));
    amount.ok_or_else(|| "not an amount in yuan with at most two decimals, 0.01 to 100000000.00".to_owned())
}

fn fen(text: &str) -> Result<Fen, String> {
    let amount = Fen::from_json(&serde_json::Value::String(text.to_owned()));
    amount.ok_or_else(|| "not a whole number of fen, 1 to 10000000000".to_owned())
}

/// A day in Asia/Shanghai.
pub(crate) fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "not a day such as 2026-01-31".to_owned())
}

/// A provider by its name.
pub(crate) fn provider(text: &str) -> Result<Provider, String> {
    let names = || Provider::ALL.map(Provider::name).join(", ");
    Provider::parse(text).ok_or_else(|| format!("not a provider: {}", names()))
}

/// An order's state by its name.
pub(crate) fn state(text: &str) -> Result<Status, String> {
    Status::parse(&text.to_ascii_uppercase()).ok_or_else(|| "not a state: NOTPAY, SUCCESS, REFUND, CLOSED".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_split_or_run_it() {
        for (word, shown) in [("T1", "T1"), ("a b", "'a b'"), ("$(rm)", "'$(rm)'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(quoted(word), shown);
        }
    }

    #[test]
    fn an_amount_is_read_whole_or_refused() {
        for (text, amount) in [("1", 100), ("1.5", 150), ("1.00", 100), ("0.01", 1), ("100000000", 10_000_000_000)] {
            assert_eq!(yuan(text), Ok(Fen(amount)), "{text}");
        }
        for text in
            ["", "0", "0.00", "1.005", "1.", ".5", "-1", "+1", "1e2", "1,000", "¥1", "1 ", "100000000.01", "NaN"]
        {
            assert!(yuan(text).is_err(), "{text}");
        }
        assert_eq!(fen("100"), Ok(Fen(100)));
        for text in ["0", "01", "1.0", "-1", "1e2", "10000000001"] {
            assert!(fen(text).is_err(), "{text}");
        }
    }
}
