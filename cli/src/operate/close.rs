//! `vk-pay close`. Closes an unpaid order, at the provider too.

use super::args::Common;
use super::order::find;
use super::rows::{place, standing};
use super::{Failure, Session, numbered};
use clap::Args;
use shared::domain::action::Payments;

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
    let answer = session.call(Payments::Close, numbered(no)).await.map_err(|failure| session.ask_again(failure, no))?;
    let mut document = answer.body;
    document["place"] = place(&session);
    let order = session.target.store.order(no).await?.unwrap_or(order);
    session.show(&document, || standing(&session, &order))
}
