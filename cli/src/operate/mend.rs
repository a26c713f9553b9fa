//! `vk-pay mend-refund`: a refund that the payer's account did not take is paid to a bank card.
//!
//! The card is asked for and not an option: what stands on a command line stands in the shell's history too.

use super::args::Common;
use super::confirm::confirm;
use super::order::find;
use super::text::{Table, money};
use super::{Failure, Session, note, numbered, rows};
use clap::Args;
use serde_json::{Value, json};
use shared::domain::action::Refunds;
use std::io::BufRead;

/// Which refund, and where to.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    /// The refund's number
    #[arg(allow_hyphen_values = true)]
    refund_no: String,
    /// To a debit card of the payer's at this bank: ICBC_DEBIT … Its number and its holder are two lines of stdin
    #[arg(long, value_name = "BANK", conflicts_with = "to_merchant", required_unless_present = "to_merchant")]
    to_payer: Option<String>,
    /// To the merchant's own account; you settle with the payer
    #[arg(long)]
    to_merchant: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let order = find(&session, &arguments.no).await?;
    let refund = session.target.store.refund(&order.out_trade_no, &arguments.refund_no).await?;
    let refund =
        refund.ok_or_else(|| Failure::refused(session.t("订单没有这笔退款", "the order has no such refund")))?;
    let mut data = numbered(&order.out_trade_no);
    data.insert("out_refund_no".to_owned(), json!(refund.out_refund_no));
    let to = match &arguments.to_payer {
        None => {
            data.insert("type".to_owned(), json!("MERCHANT_BANK_CARD"));
            session.t("商户银行账户", "the merchant's own account").to_owned()
        }
        Some(bank) => {
            let card = line(&session, session.t("收款卡号：", "The card's number:"))?;
            let holder = line(&session, session.t("持卡人姓名：", "Who holds it:"))?;
            let end: String = card.chars().skip(card.chars().count().saturating_sub(4)).collect();
            for (name, value) in [
                ("type", "USER_BANK_CARD"),
                ("bank_type", bank.as_str()),
                ("bank_account", card.as_str()),
                ("real_name", holder.as_str()),
            ] {
                data.insert(name.to_owned(), json!(value));
            }
            format!("{bank} …{end}")
        }
    };
    let facts = [
        (session.t("退款", "refund"), money(refund.refund_fee)),
        (session.t("退款单号", "number"), refund.out_refund_no.clone()),
        (session.t("订单", "order"), order.out_trade_no.clone()),
        (session.t("退到", "to"), to),
    ];
    confirm(&session, &facts, arguments.yes)?;
    let no = &order.out_trade_no;
    let answer = session.call(Refunds::ApplyAbnormal, data).await.map_err(|failure| session.ask_again(failure, no))?;
    let mut document = answer.body;
    document["place"] = rows::place(&session);
    session.show(&document, || {
        let status = document.get("status").and_then(Value::as_str).unwrap_or("-").to_owned();
        let mut table = Table::new(&["", ""]);
        table.row([session.t("退款", "refund").to_owned(), money(refund.refund_fee)]);
        table.row([session.t("状态", "state").to_owned(), status]);
        table.lines().into_iter().skip(1).collect()
    })
}

/// A line of the input.
fn line(session: &Session, question: &str) -> Result<String, Failure> {
    note(question);
    let mut text = String::new();
    let read = std::io::stdin().lock().read_line(&mut text);
    match read {
        Ok(_) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        Ok(_) | Err(_) => Err(Failure::usage(session.t("没有执行。", "Nothing was done."))),
    }
}
