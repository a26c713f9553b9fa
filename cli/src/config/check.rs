//! `vk-pay config check`: all that is wrong with a configuration, and what is odd in it.

use super::{UNREADABLE, print, said, tell};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Value, json};
use shared::app::{check, system_clock};
use shared::config::{Fault, Merchant, Source, parse_merchant};
use shared::crypto::CryptoError;
use shared::domain::UnixMs;
use shared::net::provider_http::Http;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// What is checked.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(super) struct Arguments {
    /// A file, or as in PAY_CONFIG: file:PATH, ssm:/name, secretsmanager:ID (with the credentials and the region of the
    /// environment)
    #[arg(value_name = "SOURCE", value_parser = source)]
    source: Source,
    /// Check as of this day (2027-01-31, UTC): which certificates will have ended by then
    #[arg(long, value_name = "DATE", value_parser = day)]
    at: Option<UnixMs>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A source as in `PAY_CONFIG`; what does not begin with a kind of source is the name of a file.
fn source(text: &str) -> Result<Source, String> {
    match ["file:", "ssm:", "secretsmanager:"].iter().any(|kind| text.starts_with(kind)) {
        true => Source::parse(text).map_err(|error| plain(&error)),
        false => Ok(Source::File(PathBuf::from(text))),
    }
}

fn day(text: &str) -> Result<UnixMs, String> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .and_then(|date| UnixMs::from_secs(date.midnight().assume_utc().unix_timestamp()))
        .ok_or_else(|| "not a day such as 2027-01-31".to_owned())
}

/// An error of a source without the name of the variable that functions take it from.
fn plain(error: &impl ToString) -> String {
    let text = error.to_string();
    text.strip_prefix("PAY_CONFIG: ").unwrap_or(&text).to_owned()
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Vec<Fault>,
    pub(super) remarks: Vec<Fault>,
    merchants: Vec<String>,
    first_certificate_end: Option<UnixMs>,
}

impl Findings {
    /// Checks a document, and the documents of its merchants.
    pub(super) async fn of(text: &str, source: &Source, now: UnixMs, http: &Http) -> Self {
        let mut checked = check(text, source.base(), &handlers::Registry, now);
        let damaged = checked.damaged_keys().into_iter().map(damaged).collect::<Vec<_>>();
        let merchants = checked.merchant_ids().into_iter().map(str::to_owned).collect();
        let documents = checked.merchant_documents().cloned();
        checked.faults.extend(damaged);
        let mut found = Self {
            faults: checked.faults,
            remarks: checked.remarks,
            merchants,
            first_certificate_end: checked.first_certificate_end,
        };
        let sources = documents.iter().flat_map(|all| all.ids().filter_map(|id| Some((id, all.source(id)?))));
        for (id, source) in sources {
            found.add_merchant(id, &source, now, http).await;
        }
        found
    }

    async fn add_merchant(&mut self, id: &str, source: &Source, now: UnixMs, http: &Http) {
        let text = match source.fetch(http).await {
            Ok(text) => text,
            Err(error) => {
                return self.faults.push(Fault { path: format!("merchants.{id}"), what: plain(&error) });
            }
        };
        match parse_merchant::<Merchant>(id, &text, source.base(), now) {
            Ok(read) => {
                self.remarks.extend(read.remarks);
                self.faults.extend(read.damaged_keys.iter().map(|path| damaged(path)));
                let ends = [self.first_certificate_end, read.first_certificate_end];
                self.first_certificate_end = ends.into_iter().flatten().min_by_key(|end| end.get());
            }
            Err(faults) => self.faults.extend(faults),
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Value {
        let list = |faults: &[Fault]| -> Vec<Value> {
            faults.iter().map(|fault| json!({ "path": fault.path, "what": fault.what })).collect()
        };
        json!({
            "faults": list(&self.faults),
            "remarks": list(&self.remarks),
            "merchants": self.merchants,
            "first_certificate_end": self.first_certificate_end.and_then(moment).and_then(|at| at.format(&Rfc3339).ok()),
        })
    }

    /// For people: faults first, one a line.
    pub(super) fn text(&self, lang: Lang) -> String {
        let mut text = String::new();
        let mut list = |title: String, faults: &[Fault]| {
            let _ = writeln!(text, "{title}");
            for fault in faults {
                let _ = writeln!(text, "{}", said::clean(&fault.to_string()));
            }
        };
        match self.faults.len() {
            0 => list(lang.t("配置正确", "The configuration is valid").to_owned(), &[]),
            count => list(
                said::count(lang, count, "处错误，函数不能启动", "fault", ": the functions do not start"),
                &self.faults,
            ),
        }
        if !self.remarks.is_empty() {
            list(said::count(lang, self.remarks.len(), "条提示", "remark", ""), &self.remarks);
        }
        if lang == Lang::Zh && !(self.faults.is_empty() && self.remarks.is_empty()) {
            let _ = writeln!(text, "以上各条与函数日志一致，为英文；括号内的中文是渠道后台的名称");
        }
        if !self.merchants.is_empty() {
            let _ = writeln!(text, "{}: {}", lang.t("商户", "Merchants"), self.merchants.join(", "));
        }
        if let Some(end) = self.first_certificate_end.and_then(moment) {
            let _ = writeln!(text, "{}: {}", lang.t("最早到期的证书", "First certificate ends"), end.date());
        }
        text
    }

    /// The exit status.
    pub(super) fn status(&self) -> ExitCode {
        ExitCode::from(u8::from(!self.faults.is_empty()))
    }
}

fn damaged(path: &str) -> Fault {
    Fault { path: path.to_owned(), what: CryptoError::Damaged.to_string() }
}

fn moment(at: UnixMs) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(at.secs()).ok()
}

/// Checks and prints.
pub(super) async fn run(arguments: Arguments, lang: Lang) -> ExitCode {
    let http = Http::default();
    let text = match arguments.source.fetch(&http).await {
        Ok(text) => text,
        Err(error) => {
            tell(&format!("{}\n", plain(&error)));
            if arguments.json {
                crate::operate::print_failure(None, &plain(&error), UNREADABLE, None);
            }
            return ExitCode::from(UNREADABLE);
        }
    };
    let now = arguments.at.unwrap_or_else(|| system_clock()());
    let found = Findings::of(&text, &arguments.source, now, &http).await;
    match arguments.json {
        true => print(&format!("{:#}\n", found.json())),
        false => print(&found.text(lang)),
    }
    found.status()
}
