//! What an operator does at a terminal, on the stack of this machine or on AWS.
//!
//! Reads go to the table, with read rights only. What changes anything goes through the functions, with the rules and the
//! history that they keep. The exit status tells a script how it went: see [`Failure`].
//!
//! | module | what |
//! |---|---|
//! | `args`, `text` | options that all have, amounts and days as they are typed; tables, yuan and times as they are shown |
//! | `confirm` | the question before money moves |
//! | `accounts` | whose payments are listed |
//! | `rows` | orders and payments as rows |
//! | `progress`, `due` | how far something is that takes long; all that is due |
//! | the others | one command each |

mod accounts;
mod args;
mod authorizations;
mod balance;
mod close;
mod complaints;
mod confirm;
mod console;
mod due;
mod export;
mod incidents;
mod mend;
mod order;
mod orders;
mod payments;
mod progress;
mod query;
mod refund;
mod requests;
mod rerun;
mod resend;
mod resolve;
mod rows;
mod shares;
mod shipping;
mod text;
mod totals;
mod transfers;
mod trigger;

use crate::lang::Lang;
use args::Common;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use shared::domain::action::Action;
use shared::domain::{Code, UnixMs};
use shared::store::StoreError;
use std::io::Write;
use std::process::ExitCode;
use vk_pay_local::Target;
use vk_pay_local::client::{Answer, CallError};
use vk_pay_local::target::{Place, Secrets};

/// It was refused, or it failed before anything happened.
const REFUSED: u8 = 1;
/// The command line is wrong, or nobody confirmed: nothing was sent.
pub(crate) const USAGE: u8 = 2;
/// It may have happened, and the provider has not said.
const UNKNOWN: u8 = 3;

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List orders: those paid on days, of a user, or still unpaid
    Orders(orders::Arguments),
    /// Show an order: attempts, refunds, tasks, incidents and all that happened to it
    Order(order::Arguments),
    /// List the payments and refunds of a day
    Payments(payments::Arguments),
    /// Refund an order, in full or in part
    Refund(refund::Arguments),
    /// Redirect a refund that the payer's account did not accept to a bank card
    MendRefund(mend::Arguments),
    /// List incidents: payments that match no order, undelivered orders, and the like
    Incidents(incidents::Arguments),
    /// Complaints of payers at the providers: list, show, answer, refund, complete
    Complaints(complaints::Arguments),
    /// Decide an incident: accept, refund or close
    Resolve(resolve::Arguments),
    /// Run the handler of a paid order again
    Rerun(rerun::Arguments),
    /// Ask the provider for an order's current state
    Query(query::Arguments),
    /// Close an unpaid order, at the provider too
    Close(close::Arguments),
    /// Open the web console on a table: read-only unless --write
    Console(console::Arguments),
    /// Show totals by day, provider and merchant
    Totals(totals::Arguments),
    /// Export the orders paid in a range of days to a file
    Export(export::Arguments),
    /// List transfers that have not ended, or show one
    Transfers(transfers::Arguments),
    /// List authorisations that payees have not confirmed yet, or show one
    Authorizations(authorizations::Arguments),
    /// List the other provider calls that were made (pay/request)
    Requests(requests::Arguments),
    /// Show the merchant's balance at a provider
    Balance(balance::Arguments),
    /// Show an order's profit sharing; share, finish, or return a share
    Shares(shares::Arguments),
    /// List orders whose shipping has to be reported to WeChat, report it, or query its state
    Shipping(shipping::Arguments),
    /// Play a scene with the simulated providers of this machine: a new order is paid, refunded, …
    Trigger(trigger::Arguments),
    /// Have the simulated providers of this machine send an order's last callback again
    Resend(resend::Arguments),
}

/// Runs a command.
pub(crate) async fn run(command: Command) -> ExitCode {
    let common = command.common().clone();
    let done = match command {
        Command::Orders(arguments) => orders::run(arguments).await,
        Command::Order(arguments) => order::run(arguments).await,
        Command::Payments(arguments) => payments::run(arguments).await,
        Command::Refund(arguments) => refund::run(arguments).await,
        Command::MendRefund(arguments) => mend::run(arguments).await,
        Command::Incidents(arguments) => incidents::run(arguments).await,
        Command::Complaints(arguments) => Box::pin(complaints::run(arguments)).await,
        Command::Resolve(arguments) => resolve::run(arguments).await,
        Command::Rerun(arguments) => rerun::run(arguments).await,
        Command::Query(arguments) => query::run(arguments).await,
        Command::Close(arguments) => close::run(arguments).await,
        Command::Console(arguments) => console::run(arguments).await,
        Command::Totals(arguments) => totals::run(arguments).await,
        Command::Export(arguments) => export::run(arguments).await,
        Command::Transfers(arguments) => transfers::run(arguments).await,
        Command::Authorizations(arguments) => authorizations::run(arguments).await,
        Command::Requests(arguments) => requests::run(arguments).await,
        Command::Balance(arguments) => balance::run(arguments).await,
        Command::Shares(arguments) => shares::run(arguments).await,
        Command::Shipping(arguments) => shipping::run(arguments).await,
        Command::Trigger(arguments) => trigger::run(arguments).await,
        Command::Resend(arguments) => resend::run(arguments).await,
    };
    let Err(failure) = done else { return ExitCode::SUCCESS };
    note(&failure.text);
    if common.json {
        print_failure(failure.code, &failure.text, failure.status, failure.reply.as_ref());
    }
    ExitCode::from(failure.status)
}

/// A failure as the one JSON document on stdout, of every command that takes `--json`.
pub(crate) fn print_failure(code: Option<i64>, text: &str, status: u8, reply: Option<&Value>) {
    let error = json!({ "error": { "code": code, "msg": text, "exit": status, "reply": reply } });
    let _ = print(&format!("{error:#}"));
}

impl Command {
    const fn common(&self) -> &Common {
        match self {
            Self::Orders(arguments) => &arguments.common,
            Self::Order(arguments) => &arguments.common,
            Self::Payments(arguments) => &arguments.common,
            Self::Refund(arguments) => &arguments.common,
            Self::MendRefund(arguments) => &arguments.common,
            Self::Incidents(arguments) => &arguments.common,
            Self::Complaints(arguments) => &arguments.common,
            Self::Resolve(arguments) => &arguments.common,
            Self::Rerun(arguments) => &arguments.common,
            Self::Query(arguments) => &arguments.common,
            Self::Close(arguments) => &arguments.common,
            Self::Console(arguments) => &arguments.common,
            Self::Totals(arguments) => &arguments.common,
            Self::Export(arguments) => &arguments.common,
            Self::Transfers(arguments) => &arguments.common,
            Self::Authorizations(arguments) => &arguments.common,
            Self::Requests(arguments) => &arguments.common,
            Self::Balance(arguments) => &arguments.common,
            Self::Shares(arguments) => &arguments.common,
            Self::Shipping(arguments) => arguments.common(),
            Self::Trigger(arguments) => &arguments.common,
            Self::Resend(arguments) => &arguments.common,
        }
    }
}

/// Why a command did not do what was wanted, and the exit status that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    code: Option<i64>,
    text: String,
    reply: Option<Value>,
}

impl Failure {
    fn refused(text: impl Into<String>) -> Self {
        Self { status: REFUSED, code: None, text: text.into(), reply: None }
    }

    fn usage(text: impl Into<String>) -> Self {
        Self { status: USAGE, code: None, text: text.into(), reply: None }
    }

    fn unknown(text: impl Into<String>) -> Self {
        Self { status: UNKNOWN, code: Some(Code::OUTCOME_UNKNOWN.number), text: text.into(), reply: None }
    }

    /// Adds a line.
    fn and(mut self, line: &str) -> Self {
        self.text = format!("{}\n{line}", self.text);
        self
    }

    const fn is_unknown(&self) -> bool {
        self.status == UNKNOWN
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::refused(format!("the table cannot be read: {error}"))
    }
}

/// A line for whoever sits there, beside the result.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The result. Whoever reads it may have had enough.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::refused(error.to_string())),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// A command at work: where, in which language, and how its result is wanted.
struct Session {
    target: Target,
    lang: Lang,
    json: bool,
    /// The options that lead here, for commands that are named.
    options: String,
}

impl Session {
    async fn open(common: &Common) -> Result<Self, Failure> {
        let secrets = Secrets::from_env();
        let found = match common.aws() {
            Some(options) => Target::aws(options, secrets).await,
            None => Target::local(&common.data_dir, secrets).await,
        };
        let target = found.map_err(|error| Failure::refused(error.to_string()))?;
        Ok(Self { target, lang: common.language(), json: common.json, options: common.place() })
    }

    fn t<'a>(&self, zh: &'a str, en: &'a str) -> &'a str {
        self.lang.t(zh, en)
    }

    fn now(&self) -> UnixMs {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMs::EPOCH + now
    }

    /// Prints the result: one JSON document, or lines.
    fn show(&self, document: &Value, lines: impl FnOnce() -> Vec<String>) -> Result<(), Failure> {
        if self.json { print(&format!("{document:#}")) } else { print(&lines().join("\n")) }
    }

    /// Where this is, as a confirmation says it.
    fn place(&self) -> String {
        match &self.target.place {
            Place::Local { url, simulated: true } => {
                format!("{} {url}", self.t("本机，模拟渠道", "LOCAL, simulated providers,"))
            }
            Place::Local { url, simulated: false } => {
                format!(
                    "{} {url}",
                    self.t(
                        "本机，自己的配置（可能是真实渠道）",
                        "LOCAL, your own configuration (providers may be real),"
                    )
                )
            }
            Place::Aws { account, region, table } => {
                let account = account.as_deref().unwrap_or("?");
                format!("AWS {account} {region} {table}")
            }
        }
    }

    /// Calls an action; what is not a success is a failure with the function's own words.
    async fn call(&self, action: impl Into<Action>, data: Map<String, Value>) -> Result<Answer, Failure> {
        let action = action.into();
        self.judge(self.target.functions.call(action, data, self.lang.tag()).await, action.name())
    }

    /// Tells the stack of this machine to do something.
    async fn control(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        if let Place::Aws { .. } = self.target.place {
            let what = self.t("只能用于本机的模拟渠道", "this only works with the simulated providers on this machine");
            return Err(Failure::usage(what));
        }
        self.judge(self.target.functions.control(path, body, self.lang.tag()).await, path)
    }

    fn judge(&self, answer: Result<Answer, CallError>, what: &str) -> Result<Answer, Failure> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(CallError::NotDone(why)) => return Err(Failure::refused(format!("{what}: {why}"))),
            Err(CallError::Unknown(why)) => {
                let text = self.t("没有收到结果，可能已经执行", "no result came back; it may have been done");
                return Err(Failure::unknown(format!("{what}: {text} ({why})")));
            }
        };
        let code = answer.code();
        // A state that VK-Pay answers with a code of its own comes with HTTP 200.
        if answer.status == 200 && code.is_some() {
            return Ok(answer);
        }
        let says = answer.body.get("msg").and_then(Value::as_str).unwrap_or("no reason given");
        let mut failure = match code {
            Some(code) => Failure::refused(format!("{what}: {} ({code})", text::clean(says))),
            None => Failure::refused(format!("{what}: HTTP {}", answer.status)),
        };
        let unknown = code == Some(Code::OUTCOME_UNKNOWN.number) || (code.is_none() && answer.status >= 500);
        if unknown || code == Some(Code::INTERNAL.number) {
            failure.status = UNKNOWN;
        }
        failure.code = code;
        let on_aws = matches!(self.target.place, Place::Aws { .. });
        failure.reply = Some(answer.body);
        if on_aws && matches!(code, Some(401 | 403)) {
            failure = failure.and(self.t(
                "函数要让当前登录的身份进来，auth 里这个接口要有 iam（auth.iam.allow 可以限定是谁）；或者用 VK_PAY_KEY 给出 auth.keys 中的一个密钥。",
                "For the identity that is signed in to be let in, auth must name iam for this action (auth.iam.allow narrows it); or set VK_PAY_KEY to one of auth.keys.",
            ));
        }
        Err(failure)
    }

    /// What to do after an outcome that is not known.
    fn ask_again(&self, failure: Failure, no: &str) -> Failure {
        if !failure.is_unknown() {
            return failure;
        }
        let at = format!("{}{}", args::quoted(no), self.options);
        failure.and(&match self.lang {
            Lang::Zh => format!("结果未知，不要换单号重做。先看 `vk-pay order {at}`，或用 `vk-pay query {at}` 再问渠道。"),
            Lang::En => format!(
                "The outcome is not known: do not do it again under another number. Look with `vk-pay order {at}`, or ask again with `vk-pay query {at}`."
            ),
        })
    }
}

/// The data of an action about one order.
fn numbered(out_trade_no: &str) -> Map<String, Value> {
    Map::from_iter([("out_trade_no".to_owned(), json!(out_trade_no))])
}
