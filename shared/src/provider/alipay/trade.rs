//! Asking for a trade, and ending it (`docs/protocols/alipay.md#query-close-cancel`).

use super::answer::word;
use super::call::Call;
use super::payment;
use crate::config::AlipayNode;
use crate::order::Fen;
use crate::provider::{Closing, Meaning, Outcome, Outside, Refusal, Standing};
use serde_json::{Map, Value};

/// Asks how a number stands.
pub(super) async fn query(
    outside: &Outside,
    node: &AlipayNode,
    merchant: &str,
    number: &str,
    now: i64,
) -> Outcome<Standing> {
    let fields = match Call::new("alipay.trade.query", by_number(number)).send(outside, node, now).await {
        Outcome::Done(fields) => fields,
        Outcome::Refused(refusal) if refusal.meaning == Meaning::Missing => return Outcome::Done(Standing::Missing),
        Outcome::Refused(refusal) => return Outcome::Refused(refusal),
        Outcome::Unknown(why) => return Outcome::Unknown(why),
    };
    if word(&fields, "out_trade_no") != Some(number) {
        return Outcome::Unknown("alipay.trade.query answered for another order".to_owned());
    }
    let paid = match word(&fields, "trade_status") {
        Some("TRADE_SUCCESS" | "TRADE_FINISHED") => true,
        Some("TRADE_CLOSED") => was_paid(&fields),
        // Money that moved denies the word.
        Some("WAIT_BUYER_PAY") if moved(&fields) => {
            return Outcome::Unknown("alipay.trade.query: WAIT_BUYER_PAY, and yet money moved".to_owned());
        }
        Some("WAIT_BUYER_PAY") => return Outcome::Done(Standing::Unpaid { paying: false }),
        Some(_) => return Outcome::Done(Standing::Unpaid { paying: true }),
        None => return Outcome::Unknown("alipay.trade.query: no trade_status".to_owned()),
    };
    if !paid {
        return Outcome::Done(Standing::Closed);
    }
    match payment::of(&fields, merchant) {
        Ok(payment) => Outcome::Done(Standing::Paid(vec![payment])),
        Err(what) => Outcome::Unknown(format!("alipay.trade.query: {what}")),
    }
}

/// Whether a closed trade had been paid: a full refund closes it too.
fn was_paid(fields: &Map<String, Value>) -> bool {
    let dated = ["send_pay_date", "gmt_payment"].iter().any(|name| word(fields, name).is_some());
    dated || moved(fields)
}

/// Whether amounts or funds say that money moved.
fn moved(fields: &Map<String, Value>) -> bool {
    let amounts = ["receipt_amount", "buyer_pay_amount", "invoice_amount"]
        .iter()
        .any(|name| word(fields, name).is_some_and(|yuan| Fen::from_yuan(yuan) != Some(Fen::ZERO)));
    let funded = fields.get("fund_bill_list").and_then(Value::as_array).is_some_and(|bills| !bills.is_empty());
    amounts || funded
}

/// Ends a number: a pay-code trade is cancelled, every other is closed.
pub(super) async fn close(outside: &Outside, node: &AlipayNode, number: &str, now: i64) -> Outcome<Closing> {
    if super::reverses(node) {
        return cancel(outside, node, number, now).await.map(|()| Closing::Closed);
    }
    match Call::new("alipay.trade.close", by_number(number)).send(outside, node, now).await {
        Outcome::Done(fields) if word(&fields, "out_trade_no").is_some_and(|n| n != number) => {
            Outcome::Unknown("alipay.trade.close answered for another order".to_owned())
        }
        Outcome::Done(_) => Outcome::Done(Closing::Closed),
        Outcome::Refused(refusal) if speaks_of_state(&refusal) => {
            let standing = query(outside, node, "", number, now).await;
            explained(refusal, standing)
        }
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    }
}

/// `alipay.trade.cancel`: closes an unpaid trade, refunds a paid one (`action`), and is asked once more
/// when it says so (`retry_flag`). Works within 24 hours of the creation.
async fn cancel(outside: &Outside, node: &AlipayNode, number: &str, now: i64) -> Outcome<()> {
    let call = Call::new("alipay.trade.cancel", by_number(number));
    for _ in 0..2 {
        match call.send(outside, node, now).await {
            Outcome::Done(fields) if word(&fields, "out_trade_no").is_some_and(|n| n != number) => {
                return Outcome::Unknown("alipay.trade.cancel answered for another order".to_owned());
            }
            Outcome::Done(fields) if word(&fields, "retry_flag") == Some("Y") => {}
            Outcome::Done(_) => return Outcome::Done(()),
            Outcome::Refused(refusal) => return Outcome::Refused(refusal),
            Outcome::Unknown(why) => return Outcome::Unknown(why),
        }
    }
    Outcome::Unknown("alipay.trade.cancel: retry_flag stays Y".to_owned())
}

/// The refusals of a close that say the trade is not waiting for its payer, but not how it stands.
fn speaks_of_state(refusal: &Refusal) -> bool {
    ["TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS"]
        .iter()
        .any(|code| refusal.code.ends_with(code))
}

fn explained(refusal: Refusal, standing: Outcome<Standing>) -> Outcome<Closing> {
    let meaning = match standing {
        Outcome::Done(Standing::Paid(_)) => Meaning::Paid,
        Outcome::Done(Standing::Closed) => Meaning::Closed,
        Outcome::Done(Standing::Missing) => Meaning::Missing,
        Outcome::Done(Standing::Unpaid { paying: true }) => return Outcome::Done(Closing::Paying),
        Outcome::Done(Standing::Unpaid { paying: false }) => refusal.meaning,
        Outcome::Refused(untold) => return Outcome::Unknown(format!("alipay.trade.query: {}", untold.code)),
        Outcome::Unknown(why) => return Outcome::Unknown(why),
    };
    Outcome::Refused(Refusal { meaning, ..refusal })
}

/// `biz_content` that names a trade by the merchant's number.
pub(super) fn by_number(number: &str) -> Map<String, Value> {
    Map::from_iter([("out_trade_no".to_owned(), Value::from(number))])
}
