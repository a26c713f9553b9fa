//! `vk-pay doctor`: whether a configuration, its providers, the address of callbacks and the table are right, before the
//! first payer finds out (`docs/doctor.md`).
//!
//! It moves no money and writes nothing. What is asked goes out at once, so that the whole takes less than ten seconds.
//!
//! | module | what |
//! |---|---|
//! | `codes` | every code with its texts |
//! | `finding` | findings, and the report |
//! | `reach` | why a host gives no answer |
//! | `recorder` | the way out to the providers, watched |
//! | `document` | the configuration as it is written, and what its check says |
//! | `questions` | asks each node's provider |
//! | `callbacks` | the address of callbacks |
//! | `table` | the table's description |
//! | `print` | the report as text |

mod callbacks;
mod codes;
mod document;
mod finding;
mod print;
mod questions;
mod reach;
mod recorder;
mod table;

use crate::lang::Lang;
use clap::Args;
use codes::Code;
use document::Read;
use finding::{Checked, Finding, Report};
use recorder::{Seen, system_time};
use shared::config::Source;
use shared::domain::Provider;
use shared::net::aws;
use shared::net::provider_http::Http;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;
use vk_pay_local::{Address, dynamo};

/// A clock that differs by more seconds than this is remarked on.
const DRIFT: u64 = 60;
/// With more, signatures are refused.
const SKEW: u64 = 300;
/// The exit status when nothing could be checked.
const COULD_NOT_RUN: u8 = 2;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Arguments {
    /// The configuration: FILE, file:PATH, ssm:/NAME, secretsmanager:ID; without it that of the local stack
    #[arg(long, value_name = "SOURCE", env = "PAY_CONFIG", hide_env_values = true)]
    config: Option<String>,
    /// Where the local stack keeps its tables and its configuration
    #[arg(long, value_name = "DIR", default_value = ".vk-pay")]
    data_dir: PathBuf,
    /// Where providers send their callbacks, where the configuration does not say (the output NotifyUrl of the stack)
    #[arg(long, value_name = "URL")]
    notify_url: Option<String>,
    /// The orders table; without it that of a local stack that runs
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// The table's region; without it AWS_REGION
    #[arg(long, value_name = "REGION", requires = "table")]
    region: Option<String>,
    /// Only these providers
    #[arg(long, value_name = "PROVIDER", value_delimiter = ',', value_parser = provider)]
    only: Vec<Provider>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// In which language; without it by LC_ALL, LC_MESSAGES, LANG
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,
}

fn provider(name: &str) -> Result<Provider, String> {
    let all = || Provider::ALL.map(Provider::name).join(", ");
    Provider::parse(name).ok_or_else(|| format!("not one of {}", all()))
}

/// Checks, prints the report, and says by the exit status whether there are errors.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    let lang = arguments.lang.unwrap_or_else(Lang::from_env);
    let report = match examine(&arguments, lang).await {
        Ok(report) => report,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "{why}");
            if arguments.json {
                crate::operate::print_failure(None, &why, COULD_NOT_RUN, None);
            }
            return ExitCode::from(COULD_NOT_RUN);
        }
    };
    let mut out = std::io::stdout().lock();
    let written = match arguments.json {
        true => serde_json::to_string_pretty(&report).map_err(Into::into).and_then(|text| writeln!(out, "{text}")),
        false => print::write(&report, lang, &mut out),
    };
    match (written, report.errors) {
        (Err(_), _) => ExitCode::from(COULD_NOT_RUN),
        (Ok(()), 0) => ExitCode::SUCCESS,
        (Ok(()), _) => ExitCode::FAILURE,
    }
}

async fn examine(arguments: &Arguments, lang: Lang) -> Result<Report, String> {
    let began = Instant::now();
    let http = Arc::new(Http::default());
    let source = source(arguments, lang)?;
    let text = source.fetch(&http).await.map_err(|error| unreadable(&source, &error.to_string(), lang))?;
    let read = document::read(&text, &source, &http, system_time()).await;
    let (asked, (called, callbacks), (tables, table)) = futures::join!(
        questions::ask_all(&read.merchants, &read.documents, &arguments.only, &http),
        callback_findings(arguments, &read, &http),
        table_findings(arguments)
    );
    let (mut nodes, mut findings, mut seen) = (Vec::new(), table, Vec::new());
    findings.extend(callbacks);
    for answer in asked {
        nodes.push(answer.node);
        findings.extend(answer.findings);
        seen.extend(answer.seen);
    }
    findings.extend(clock(&seen));
    findings.extend(read.findings);
    let secrets = read.documents.secrets();
    for finding in &mut findings {
        for secret in secrets.iter().filter(|secret| finding.words.contains(**secret)).copied().collect::<Vec<_>>() {
            finding.words = finding.words.replace(secret, "***");
        }
    }
    Ok(Report::of(nodes, called.into_iter().chain(tables).collect(), findings, began.elapsed()))
}

/// The configuration that is meant: a bare name is a file's.
fn source(arguments: &Arguments, lang: Lang) -> Result<Source, String> {
    let Some(text) = &arguments.config else {
        let file = arguments.data_dir.join("config.json");
        return match file.is_file() {
            true => Ok(Source::File(file)),
            false => Err(format!(
                "{} ({})",
                lang.t(
                    "没有配置可检查：用 --config 指明，或先启动 vk-pay dev",
                    "there is no configuration: name one by --config, or start vk-pay dev first"
                ),
                file.display()
            )),
        };
    };
    match Source::parse(text) {
        Ok(source) => Ok(source),
        Err(_) if std::path::Path::new(text).is_file() => Ok(Source::File(PathBuf::from(text))),
        Err(_) => Err(match lang {
            Lang::Zh => format!("--config {text}：没有这个文件。可以是文件名、file:路径、ssm:/名称、secretsmanager:ID"),
            Lang::En => format!(
                "--config {text}: there is no such file. It may be a file, file:PATH, ssm:/NAME or secretsmanager:ID"
            ),
        }),
    }
}

/// Why a configuration could not be read, in the words of the option that named it.
fn unreadable(source: &Source, why: &str, lang: Lang) -> String {
    let why = why.strip_prefix("PAY_CONFIG: ").unwrap_or(why);
    match source {
        Source::File(path) if !path.exists() => {
            format!("{}: {}", path.display(), lang.t("没有这个文件", "there is no such file"))
        }
        _ => format!("{} {why}", lang.t("配置读取失败：", "the configuration cannot be read:")),
    }
}

/// What the clocks of those who answered say of ours.
fn clock(seen: &[Seen]) -> Option<Finding> {
    let ahead = recorder::skew(seen)?;
    let code = match ahead.unsigned_abs() {
        off if off > SKEW => Code::ClockSkew,
        off if off > DRIFT => Code::ClockDrift,
        _ => return None,
    };
    let word = if ahead > 0 { "behind" } else { "ahead of" };
    Some(Finding::new("clock", code, format!("{} s {word} the providers' Date", ahead.unsigned_abs())))
}

async fn callback_findings(arguments: &Arguments, read: &Read, http: &Http) -> (Option<Checked>, Vec<Finding>) {
    let Some(url) = arguments.notify_url.as_ref().or(read.notify_url.as_ref()) else {
        // Without merchants the configuration has faults, and those are told.
        let faulty = read.merchants.is_empty();
        let none = (!faulty).then(|| Finding::new("notifyUrl", Code::NotifyUrlNotGiven, ""));
        return (None, none.into_iter().collect());
    };
    let simulated = questions::are_all_simulated(&read.merchants, &read.documents);
    let findings = callbacks::examine(url, &read.merchants, !simulated, http).await;
    // Without merchants nobody was asked for.
    ((!read.merchants.is_empty()).then(|| Checked::new("notifyUrl", url)), findings)
}

/// The table that is named, or the one of a local stack that runs.
async fn table_findings(arguments: &Arguments) -> (Option<Checked>, Vec<Finding>) {
    let (client, name) = match &arguments.table {
        Some(name) => {
            let region = arguments.region.clone().map_or_else(aws::region, Ok);
            match region.and_then(|region| Ok((region, aws::credentials()?))) {
                Ok((region, credentials)) => {
                    (shared::store::client::dynamodb(region, credentials, aws::endpoint("DYNAMODB")), name.as_str())
                }
                Err(variable) => {
                    let why = format!("{variable} is not set");
                    return (None, vec![Finding::new("table", Code::TableUnreachable, why)]);
                }
            }
        }
        None => match Address::read(&arguments.data_dir) {
            Ok(Some(found)) if arguments.config.is_none() => (dynamo::client(&found.dynamodb), dynamo::TABLE),
            _ => return (None, Vec::new()),
        },
    };
    let findings = table::findings(shared::store::examine_table(&client, name).await);
    (Some(Checked::new("table", name)), findings)
}
