//! `vk-pay refund`: money of an order goes back.
//!
//! The refund's number is chosen here and said before the call, because it is what makes a repetition harmless: the same
//! number again is the same refund, whatever became of the first call.

use super::args::{Amount, Common, quoted};
use super::confirm::confirm;
use super::order::{find, merchant_of};
use super::text::{Table, clean, moment, money};
use super::{Failure, Session, note, numbered, rows};
use crate::lang::Lang;
use clap::Args;
use serde_json::{Value, json};
use shared::domain::action::Refunds;
use shared::domain::{Fen, Order, Refund, RefundState};

/// What goes back.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The order's number
    #[arg(allow_hyphen_values = true)]
    no: String,
    #[command(flatten)]
    amount: Amount,
    /// Why, as the payer may see it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The refund's number: one of before repeats that refund (default: a new one)
    #[arg(long, value_name = "NO")]
    refund_no: Option<String>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Failure> {
    let session = Session::open(&arguments.common).await?;
    let order = find(&session, &arguments.no).await?;
    let refunds = session.target.store.refunds(&order.out_trade_no).await?;
    let known = arguments.refund_no.as_ref().and_then(|no| refunds.iter().find(|refund| refund.out_refund_no == *no));
    let amount = amount_of(&session, &order, known, arguments.amount.typed())?;
    if arguments.refund_no.is_none() {
        refuse_a_second(&session, &refunds, amount)?;
    }
    let number = arguments.refund_no.clone().unwrap_or_else(|| new_number(&session));
    ask(&session, &order, &number, amount, known, arguments.yes)?;
    let no = &order.out_trade_no;
    let place = arguments.common.place();
    let again = format!("vk-pay refund {} --fen {amount} --refund-no {}{place}", quoted(no), quoted(&number));
    note(&match session.lang {
        Lang::Zh => format!("退款单号 {number}。中断或结果未知时，用同一个单号重做：{again}"),
        Lang::En => {
            format!(
                "Refund {number}. If it is interrupted or its outcome is unknown, repeat it under this number: {again}"
            )
        }
    });
    let mut data = numbered(no);
    data.insert("out_refund_no".to_owned(), json!(number));
    data.insert("refund_fee".to_owned(), json!(amount));
    data.insert("total_fee".to_owned(), json!(order.total_fee));
    if let Some(reason) = arguments.reason.as_deref().or(known.map(|refund| refund.refund_desc.as_str())) {
        data.insert("refund_desc".to_owned(), json!(reason));
    }
    let answer = session.call(Refunds::Refund, data).await.map_err(|failure| session.ask_again(failure, no))?;
    let mut document = answer.body;
    document["place"] = rows::place(&session);
    session.show(&document, || lines(&session, &document, amount))
}

fn amount_of(session: &Session, order: &Order, known: Option<&Refund>, typed: Option<Fen>) -> Result<Fen, Failure> {
    if let Some(known) = known {
        return match typed {
            Some(typed) if typed != known.refund_fee => Err(Failure::refused(format!(
                "{} {} ({})",
                session.t("该退款单号的金额是", "the refund of that number is of"),
                money(known.refund_fee),
                clean(&known.out_refund_no)
            ))),
            _ => Ok(known.refund_fee),
        };
    }
    if !order.trade_state.is_paid() {
        return Err(Failure::refused(
            session.t("订单没有支付，没有可退的款", "the order is not paid: there is nothing to send back"),
        ));
    }
    let amount = typed.unwrap_or(order.refundable);
    if amount == Fen::ZERO || amount > order.refundable {
        return Err(Failure::refused(format!(
            "{} {}",
            session.t("超过可退金额", "more than what is left to send back, which is"),
            money(order.refundable)
        )));
    }
    Ok(amount)
}

/// A refund of the same amount that is under way was perhaps meant: under another number, money would go back twice.
fn refuse_a_second(session: &Session, refunds: &[Refund], amount: Fen) -> Result<(), Failure> {
    let same = |refund: &&Refund| {
        refund.state == RefundState::Processing && refund.refund_fee == amount && refund.incident.is_none()
    };
    let Some(refund) = refunds.iter().find(same) else { return Ok(()) };
    let (number, begun) = (clean(&refund.out_refund_no), moment(refund.create_date));
    Err(Failure::refused(match session.lang {
        Lang::Zh => format!(
            "同样金额 {} 的退款 {number} 正在处理（{begun} 发起）。要继续它：--refund-no {number}；确实要再退一笔：用 --refund-no 给出一个新单号。",
            money(amount)
        ),
        Lang::En => format!(
            "a refund of the same {}, {number}, is under way since {begun}. To go on with it: --refund-no {number}. To send back as much again: --refund-no with a number of your own.",
            money(amount)
        ),
    }))
}

/// Letters and digits that every provider takes, and no two refunds share.
fn new_number(session: &Session) -> String {
    let time: String = moment(session.now()).chars().filter(char::is_ascii_digit).collect();
    format!("R{time}{}", hex::encode(shared::crypto::random::<4>()))
}

fn ask(
    session: &Session,
    order: &Order,
    number: &str,
    amount: Fen,
    known: Option<&Refund>,
    yes: bool,
) -> Result<(), Failure> {
    let again = match known {
        Some(_) => session.t("（该单号已有退款，重做不会多退）", " (known: repeating it refunds nothing twice)"),
        None => "",
    };
    let facts = [
        (session.t("退款", "refund"), money(amount)),
        (session.t("退款单号", "number"), format!("{number}{again}")),
        (session.t("订单", "order"), format!("{} · {}", order.out_trade_no, order.description)),
        (
            session.t("订单金额", "of"),
            format!("{} · {} {}", money(order.total_fee), session.t("可退", "left"), money(order.refundable)),
        ),
        (session.t("商户", "merchant"), merchant_of(order)),
        (session.t("渠道", "provider"), order.pay_type.clone()),
    ];
    confirm(session, &facts, yes)
}

fn lines(session: &Session, reply: &Value, amount: Fen) -> Vec<String> {
    let text = |name: &str| reply.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let stands = match text("status").as_str() {
        "SUCCESS" => session.t("退款成功", "sent back").to_owned(),
        "PROCESSING" => session
            .t(
                "渠道已受理，尚未到账；稍后用 vk-pay order 查看",
                "the provider has accepted it and not finished it; check later with vk-pay order",
            )
            .to_owned(),
        other => other.to_owned(),
    };
    let mut table = Table::new(&["", ""]);
    table.row([session.t("退款", "refund").to_owned(), money(amount)]);
    table.row([session.t("结果", "result").to_owned(), stands]);
    table.row([session.t("退款单号", "number").to_owned(), text("out_refund_no")]);
    table.row([session.t("渠道退款单号", "provider's number").to_owned(), text("refund_id")]);
    table.lines().into_iter().skip(1).collect()
}
