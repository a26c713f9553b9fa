//! `vk-pay shares`: what of an order is shared; and a share, its end, or a return, after a question.
//!
//! As with a refund, the number is chosen here and said before the call: the same number again is the same share.

use super::args::{Amount, Common, quoted};
use super::confirm::confirm;
use super::order::{find, merchant_of};
use super::text::{Table, clean, moment, money, zone};
use super::{Failure, Session, note, numbered, rows};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Order, Share, ShareReturn};

/// What is shared, or taken back.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    /// Share it with this merchant (its number at WeChat Pay, its user id at Alipay), with --fen or --amount
    #[arg(long, value_name = "MCHID", conflicts_with_all = ["unfreeze", "take_back"])]
    to: Option<String>,
    /// Finish sharing: the rest goes to the merchant
    #[arg(long, conflicts_with = "take_back")]
    unfreeze: bool,
    /// Return a share from this merchant, with --of and --fen or --amount
    #[arg(long, value_name = "MCHID", requires = "of")]
    take_back: Option<String>,
    /// The number of the share to return
    #[arg(long, value_name = "NO")]
    of: Option<String>,
    #[command(flatten)]
    amount: Amount,
    /// Why, as the receiver sees it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The number of the share or return: one of before repeats it (default: a new one)
    #[arg(long, value_name = "NO")]
    number: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let order = find(&session, &arguments.no).await?;
    if arguments.to.is_some() || arguments.unfreeze || arguments.take_back.is_some() {
        change(&session, &arguments, &order).await?;
    }
    let order = find(&session, &arguments.no).await?;
    let shares = session.target.store.shares(&order.out_trade_no).await?;
    let returns = session.target.store.share_returns(&order.out_trade_no).await?;
    let document = json!({
        "out_trade_no": order.out_trade_no,
        "sharing": order.sharing,
        "unshared": order.unshared(),
        "shares": shares,
        "returns": returns,
        "place": rows::place(&session),
    });
    session.show(&document, || lines(&session, &order, &shares, &returns))
}

/// Shares, ends sharing, or takes back, after the question.
async fn change(session: &Session, arguments: &Arguments, order: &Order) -> Result<(), Failure> {
    let number = arguments.number.clone().unwrap_or_else(|| new_number(session));
    let no = &order.out_trade_no;
    let mut data = numbered(no);
    let amount = arguments.amount.typed();
    let needed = || {
        amount.ok_or_else(|| {
            Failure::usage(session.t("缺少金额：--fen 或 --amount", "the amount is missing: --fen or --amount"))
        })
    };
    let (action, what, whom, options) = match (&arguments.to, &arguments.take_back) {
        (Some(to), _) => {
            let amount = needed()?;
            let mut receiver = json!({ "account": to, "amount": amount });
            if let Some(reason) = &arguments.reason {
                receiver["description"] = json!(reason);
            }
            data.insert("receivers".to_owned(), json!([receiver]));
            let options = format!("--to {} --fen {amount}", quoted(to));
            (Refunds::ProfitShare, session.t("分账", "share"), format!("{} → {to}", money(amount)), options)
        }
        (None, Some(from)) => {
            let (amount, of) = (needed()?, arguments.of.as_deref().unwrap_or_default());
            data.insert("return_mchid".to_owned(), json!(from));
            data.insert("amount".to_owned(), json!(amount));
            data.insert("out_return_no".to_owned(), json!(number));
            data.insert("out_order_no".to_owned(), json!(of));
            let options = format!("--take-back {} --of {} --fen {amount}", quoted(from), quoted(of));
            (
                Refunds::ReturnShare,
                session.t("回退", "take back"),
                format!("{} ← {from} ({of})", money(amount)),
                options,
            )
        }
        (None, None) => {
            let whole = session.t("剩余的全部", "all that is left").to_owned();
            (Refunds::UnfreezeShare, session.t("解冻", "unfreeze"), whole, "--unfreeze".to_owned())
        }
    };
    if action != Refunds::ReturnShare {
        data.insert("out_order_no".to_owned(), json!(number));
    }
    if let (Some(reason), true) = (&arguments.reason, action != Refunds::ProfitShare) {
        data.insert("description".to_owned(), json!(reason));
    }
    let facts = [
        (what, whom),
        (session.t("单号", "number"), number.clone()),
        (session.t("订单", "order"), format!("{} · {}", order.out_trade_no, order.description)),
        (
            session.t("订单金额", "of"),
            format!("{} · {} {}", money(order.total_fee), session.t("可分", "left"), money(order.unshared())),
        ),
        (session.t("商户", "merchant"), merchant_of(order)),
    ];
    confirm(session, &facts, arguments.yes)?;
    let place = arguments.common.place();
    let again = format!("vk-pay shares {} {options} --number {}{place}", quoted(no), quoted(&number));
    note(&match session.lang {
        Lang::Zh => format!("单号 {number}。中断或结果未知时，用同一个单号重做：{again}"),
        Lang::En => {
            format!(
                "Number {number}. If it is interrupted or its outcome is unknown, repeat it under this number: {again}"
            )
        }
    });
    session.call(action, data).await.map_err(|failure| session.ask_again(failure, no)).map(|_| ())
}

/// Letters and digits that no two shares have.
fn new_number(session: &Session) -> String {
    let time: String = moment(session.now()).chars().filter(char::is_ascii_digit).collect();
    format!("S{time}{}", hex::encode(shared::crypto::random::<4>()))
}

fn lines(session: &Session, order: &Order, shares: &[Share], returns: &[ShareReturn]) -> Vec<String> {
    let Some(sharing) = order.sharing else {
        let why = session.t(
            "该订单创建时没有要求分账（other.profit_sharing）。",
            "The order was not made to be shared (other.profit_sharing).",
        );
        return vec![why.to_owned()];
    };
    let mut table = Table::new(&[
        session.t("单号", "number"),
        session.t("接收方", "receiver"),
        session.t(">金额", ">amount"),
        session.t("状态", "state"),
        session.t("结果", "result"),
        session.t("发起", "begun"),
    ]);
    for share in shares {
        let state = share.state.name().to_owned();
        if share.receivers.is_empty() {
            let whom = session.t("解冻剩余资金", "unfreezes the rest").to_owned();
            let why = clean(share.reason.as_deref().unwrap_or("-"));
            table.row([
                share.out_order_no.clone(),
                whom,
                "-".to_owned(),
                state.clone(),
                why,
                moment(share.create_date),
            ]);
        }
        for receiver in &share.receivers {
            let result = serde_json::to_value(receiver.result).unwrap_or(Value::Null);
            let result =
                [result.as_str().unwrap_or("-"), receiver.fail_reason.as_deref().unwrap_or_default()].join(" ");
            table.row([
                share.out_order_no.clone(),
                clean(&receiver.account),
                money(receiver.amount),
                state.clone(),
                clean(result.trim()),
                moment(share.create_date),
            ]);
        }
    }
    for made in returns {
        table.row([
            made.out_return_no.clone(),
            format!("← {}", clean(&made.return_mchid)),
            money(made.amount),
            made.state.name().to_owned(),
            clean(made.fail_reason.as_deref().unwrap_or("-")),
            moment(made.create_date),
        ]);
    }
    let mut lines = table.lines();
    lines.push(format!(
        "{} {} · {} {} · {} {}",
        session.t("已分", "shared"),
        money(sharing.shared),
        session.t("处理中", "under way"),
        money(sharing.reserved),
        session.t("可分", "left"),
        money(order.unshared()),
    ));
    lines.push(zone(session.lang).to_owned());
    lines
}
