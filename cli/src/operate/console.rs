//! `vk-pay console`: the pages of the console, on a deployment's table.

use super::accounts::Which;
use super::args::Common;
use super::{Failure, Session, note};
use crate::dev::asked_to_stop;
use clap::Args;
use shared::store::ListedAccount;
use vk_pay_local::{ConsoleOptions, serve_console};

/// How it is served.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Port on 127.0.0.1; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 8788)]
    port: u16,
    /// Allow changes through its forms: refunds, incidents, handlers. Without it the console is read-only
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let accounts: Vec<ListedAccount> = arguments.which.accounts(&session).await?;
    let place = session.place();
    let (lang, write) = (session.lang, arguments.write);
    let options = ConsoleOptions { port: arguments.port, write, accounts };
    let served = serve_console(session.target, options).await.map_err(|error| Failure::refused(error.to_string()))?;
    let may = match write {
        true => lang.t("可以操作：退款和事件处理会动真实的资金", "its forms change things, and refunds move money"),
        false => lang.t("只读；加 --write 才能操作", "read-only; --write lets its forms change things"),
    };
    note(&format!(
        "{} {}\n{place}\n{may}\n{}",
        lang.t("控制台", "Console"),
        served.url,
        lang.t("按 Ctrl-C 结束", "Ctrl-C stops.")
    ));
    asked_to_stop().await;
    served.stop().await;
    Ok(())
}
