//! `vk-pay rerun`. Runs the handler of a paid order again. It moves no money, and an order that was delivered is refused.

use super::args::Common;
use super::order::find;
use super::rows::{place, standing};
use super::text::clean;
use super::{Failure, Session, numbered};
use clap::Args;
use shared::domain::action::Queries;

/// Which order.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let order = find(&session, &arguments.no).await?;
    let no = &order.out_trade_no;
    let answer =
        session.call(Queries::RerunHandler, numbered(no)).await.map_err(|failure| session.ask_again(failure, no))?;
    let mut document = answer.body;
    document["place"] = place(&session);
    let order = session.target.store.order(no).await?.unwrap_or(order);
    if order.user_order_success == Some(false) {
        let reason = order.user_order_reason.as_deref().unwrap_or("-");
        let what = session.t("处理程序仍然没有完成：", "the handler has not done its work:");
        return Err(Failure::refused(format!("{what} {}", clean(reason))));
    }
    session.show(&document, || standing(&session, &order))
}
