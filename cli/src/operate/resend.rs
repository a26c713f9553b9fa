//! `vk-pay resend`: the simulated provider sends an order's last callback again.

use super::args::Common;
use super::trigger::answered;
use super::{Failure, Session, rows};
use clap::Args;
use serde_json::{Value, json};

/// Which callback.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    /// That of this refund
    #[arg(long, value_name = "NO")]
    refund: Option<String>,
    /// This many copies at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    times: u32,
    /// Signed now, and not byte for byte as it was sent before: what is older than five minutes is refused where its
    /// provider signs a time
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let wish = json!({
        "out_trade_no": arguments.no,
        "out_refund_no": arguments.refund,
        "times": arguments.times,
        "fresh": arguments.fresh,
    });
    let mut document = session.control("/control/resend", &wish).await?.body;
    document["place"] = rows::place(&session);
    session.show(&document, || {
        let how = match document.get("fresh").and_then(Value::as_bool) {
            Some(true) => session.t("重新签名", "signed now"),
            _ => session.t("与上次发送的逐字节相同", "byte for byte as it was sent before"),
        };
        let url = document.get("url").and_then(Value::as_str).unwrap_or_default();
        let answers = document.get("answers").and_then(Value::as_array).into_iter().flatten();
        let head = format!("{url} ({how})");
        std::iter::once(head).chain(answers.map(|answer| format!("  {}", answered(answer)))).collect()
    })
}
