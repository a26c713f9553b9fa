//! Asking for a trade, and ending it (`docs/protocols/alipay.md#query-close-cancel`).

use super::answer::word;
use super::call::Call;
use super::payment;
use crate::alipay::AlipayNode;
use crate::driver::Driver;
use crate::{CallError, Closing, Meaning, ProviderClients, Refusal, Standing, if_known};
use domain::{Fen, UnixMs};
use serde_json::{Map, Value};

/// Asks how a number stands.
pub(super) async fn query(
    clients: &ProviderClients,
    node: &AlipayNode,
    merchant: &str,
    number: &str,
    now: UnixMs,
) -> Result<Standing, CallError> {
    let answer = Call::new("alipay.trade.query", by_number(number)).send(clients, node, now).await;
    let Some(fields) = if_known(answer)? else { return Ok(Standing::Missing) };
    if word(&fields, "out_trade_no") != Some(number) {
        return Err(CallError::unknown("alipay.trade.query answered for another order"));
    }
    let paid = match word(&fields, "trade_status") {
        Some("TRADE_SUCCESS" | "TRADE_FINISHED") => true,
        Some("TRADE_CLOSED") => was_paid(&fields),
        // Money that moved denies the word.
        Some("WAIT_BUYER_PAY") if moved(&fields) => {
            return Err(CallError::unknown("alipay.trade.query: WAIT_BUYER_PAY, and yet money moved"));
        }
        Some("WAIT_BUYER_PAY") => return Ok(Standing::Unpaid { paying: false }),
        Some(_) => return Ok(Standing::Unpaid { paying: true }),
        None => return Err(CallError::unknown("alipay.trade.query: no trade_status")),
    };
    if !paid {
        return Ok(Standing::Closed);
    }
    let payment = payment::of(&fields, merchant);
    let payment = payment.map_err(|what| CallError::Unknown(format!("alipay.trade.query: {what}")))?;
    Ok(Standing::Paid(vec![payment]))
}

/// What of a trade has gone back in all, where its state says so: one that was paid and is closed has been refunded
/// whole. The query states no sum of its own.
pub(super) async fn returned(
    clients: &ProviderClients,
    node: &AlipayNode,
    number: &str,
    now: UnixMs,
) -> Result<Option<Fen>, CallError> {
    let answer = Call::new("alipay.trade.query", by_number(number)).send(clients, node, now).await;
    let Some(fields) = if_known(answer)? else { return Ok(None) };
    if word(&fields, "out_trade_no") != Some(number) {
        return Err(CallError::unknown("alipay.trade.query answered for another order"));
    }
    if word(&fields, "trade_status") != Some("TRADE_CLOSED") || !was_paid(&fields) {
        return Ok(None);
    }
    let total = word(&fields, "total_amount").and_then(Fen::from_yuan);
    total.map(Some).ok_or_else(|| CallError::unknown("alipay.trade.query: no total_amount"))
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
pub(super) async fn close(
    clients: &ProviderClients,
    node: &AlipayNode,
    number: &str,
    now: UnixMs,
) -> Result<Closing, CallError> {
    if node.reverses() {
        return cancel(clients, node, number, now).await;
    }
    match Call::new("alipay.trade.close", by_number(number)).send(clients, node, now).await {
        Ok(fields) if word(&fields, "out_trade_no").is_some_and(|n| n != number) => {
            Err(CallError::unknown("alipay.trade.close answered for another order"))
        }
        Ok(_) => Ok(Closing::Closed),
        Err(CallError::Refused(refusal)) if speaks_of_state(&refusal) => {
            let standing = query(clients, node, "", number, now).await;
            explained(refusal, standing)
        }
        Err(error) => Err(error),
    }
}

/// `alipay.trade.cancel`: closes an unpaid trade, refunds a paid one (`action`), and is asked once more
/// when it says so (`retry_flag`). Works within 24 hours of the creation. Without `action` there was no trade to end: the
/// payment may be on its way, and come after the cancellation.
async fn cancel(clients: &ProviderClients, node: &AlipayNode, number: &str, now: UnixMs) -> Result<Closing, CallError> {
    let call = Call::new("alipay.trade.cancel", by_number(number));
    for _ in 0..2 {
        let fields = call.send(clients, node, now).await?;
        if word(&fields, "out_trade_no").is_some_and(|n| n != number) {
            return Err(CallError::unknown("alipay.trade.cancel answered for another order"));
        }
        if word(&fields, "retry_flag") != Some("Y") {
            return Ok(if word(&fields, "action").is_some() { Closing::Closed } else { Closing::LeftOpen });
        }
    }
    Err(CallError::unknown("alipay.trade.cancel: retry_flag stays Y"))
}

/// The refusals of a close that say the trade is not waiting for its payer, but not how it stands.
fn speaks_of_state(refusal: &Refusal) -> bool {
    ["TRADE_STATUS_ERROR", "REASON_TRADE_STATUS_INVALID", "REASON_ILLEGAL_STATUS"]
        .iter()
        .any(|code| refusal.code.ends_with(code))
}

fn explained(refusal: Refusal, standing: Result<Standing, CallError>) -> Result<Closing, CallError> {
    let meaning = match standing.map_err(|error| error.as_unknown("alipay.trade.query"))? {
        Standing::Paid(_) => Meaning::Paid,
        Standing::Closed => Meaning::Closed,
        Standing::Missing => Meaning::Missing,
        Standing::Unpaid { paying: true } => return Ok(Closing::Paying),
        Standing::Unpaid { paying: false } => refusal.meaning,
    };
    Err(CallError::Refused(Refusal { meaning, ..refusal }))
}

/// `biz_content` that names a trade by the merchant's number.
pub(super) fn by_number(number: &str) -> Map<String, Value> {
    Map::from_iter([("out_trade_no".to_owned(), Value::from(number))])
}
