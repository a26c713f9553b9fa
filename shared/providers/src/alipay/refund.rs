//! Refunds (`docs/protocols/alipay.md#refunds`).
//!
//! Code 10000 says that the call worked, not that money moved: `fund_change=Y` does, and `N` is also what a
//! repeat of a refund that succeeded is told, so it is confirmed by the refund query. `refund_fee` is what
//! the whole trade has refunded so far, never this refund's amount; it is told on as that, so that the ledger can see
//! whether a refund is in it of which the refund query knows nothing.

use super::answer::word;
use super::call::Call;
use super::{clock, trade};
use crate::alipay::AlipayNode;
use crate::{CallError, ProviderClients, RefundProgress, RefundRequest, RefundStanding, Refusal, if_known};
use domain::{Fen, Refund, UnixMs};
use serde_json::{Map, Value};
use std::time::Duration;

/// A refund may be unknown to the query for 10 s after its call.
const SETTLING: Duration = Duration::from_secs(10);

/// The option that names the channels of a refund, and the field that has them.
const CHANNELS: &str = "refund_detail_item_list";

/// The longest `refund_reason`, characters.
const LONGEST_REASON: usize = 256;

/// Refunds under `out_refund_no`, which makes a repeat harmless.
pub(super) async fn refund(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &RefundRequest<'_>,
) -> Result<RefundStanding, CallError> {
    let number = request.attempt.number.as_str();
    let mut biz = trade::by_number(number);
    let mut put = |name: &str, text: String| {
        if !text.is_empty() {
            biz.insert(name.to_owned(), text.into());
        }
    };
    put("trade_no", request.transaction_id.to_owned());
    put("refund_amount", request.refund.to_yuan());
    put("out_request_no", request.out_refund_no.to_owned());
    put("refund_reason", request.reason.chars().take(LONGEST_REASON).collect());
    biz.insert("query_options".to_owned(), Value::from(vec![CHANNELS]));
    let confirm = || ask(clients, node, number, request.out_refund_no, request.now);
    match Call::new("alipay.trade.refund", biz).send(clients, node, request.now).await {
        Ok(fields) if word(&fields, "out_trade_no").is_some_and(|n| n != number) => {
            Err(CallError::unknown("alipay.trade.refund answered for another order"))
        }
        Ok(fields) if word(&fields, "fund_change") == Some("Y") && !denied(&fields, request.refund) => {
            Ok(RefundStanding { returned: sum(&fields), ..succeeded(&fields) })
        }
        Ok(fields) => {
            let waits =
                |why| RefundStanding { returned: sum(&fields), ..RefundStanding::new(RefundProgress::Processing(why)) };
            Ok(match confirm().await {
                Ok(Answered::Standing(standing)) => standing,
                Ok(Answered::Empty | Answered::Missing) => waits(None),
                Err(CallError::Refused(refusal)) => waits(Some(refusal.code)),
                Err(CallError::Unknown(why)) => waits(Some(why)),
            })
        }
        Err(CallError::Refused(refusal)) if may_be_done_already(&refusal) => match confirm().await {
            Ok(Answered::Standing(standing)) => Ok(standing),
            Ok(Answered::Empty | Answered::Missing) | Err(CallError::Refused(_)) => {
                unless_all_is_back(clients, node, number, refusal, request.now).await
            }
            Err(unknown) => Err(unknown),
        },
        Err(error) => Err(error),
    }
}

/// A refusal of a refund that the refund query does not know. Where the trade has gone back whole, the refund's amount
/// is in that, and a refusal does not say that it failed.
async fn unless_all_is_back(
    clients: &ProviderClients,
    node: &AlipayNode,
    number: &str,
    refusal: Refusal,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    let returned = trade::returned(clients, node, number, now).await;
    match returned.map_err(|error| error.as_unknown("alipay.trade.query"))? {
        None => Err(CallError::Refused(refusal)),
        returned => Ok(RefundStanding {
            returned,
            ..RefundStanding::new(RefundProgress::Processing(Some(refusal.to_string())))
        }),
    }
}

/// Asks how a refund stands.
pub(super) async fn query(
    clients: &ProviderClients,
    node: &AlipayNode,
    number: &str,
    refund: &Refund,
    now: UnixMs,
) -> Result<RefundStanding, CallError> {
    Ok(match ask(clients, node, number, &refund.out_refund_no, now).await? {
        Answered::Standing(standing) => standing,
        Answered::Missing => RefundStanding::new(RefundProgress::Missing),
        Answered::Empty if now.since(refund.create_date) > SETTLING => RefundStanding::new(RefundProgress::Missing),
        Answered::Empty => RefundStanding::new(RefundProgress::Processing(None)),
    })
}

/// What the refund query says.
enum Answered {
    /// A standing.
    Standing(RefundStanding),
    /// Neither a status nor an amount: not received, not yet known, or failed.
    Empty,
    /// The trade is not known.
    Missing,
}

async fn ask(
    clients: &ProviderClients,
    node: &AlipayNode,
    number: &str,
    out_refund_no: &str,
    now: UnixMs,
) -> Result<Answered, CallError> {
    let mut biz = trade::by_number(number);
    biz.insert("out_request_no".to_owned(), out_refund_no.into());
    biz.insert("query_options".to_owned(), Value::from(vec!["gmt_refund_pay", CHANNELS]));
    let answer = Call::new("alipay.trade.fastpay.refund.query", biz).send(clients, node, now).await;
    let Some(fields) = if_known(answer)? else { return Ok(Answered::Missing) };
    let other = |name: &str, ours: &str| word(&fields, name).is_some_and(|theirs| theirs != ours);
    if other("out_trade_no", number) || other("out_request_no", out_refund_no) {
        return Err(CallError::unknown("alipay.trade.fastpay.refund.query answered for another refund"));
    }
    let amount = word(&fields, "refund_amount");
    let progress = match (word(&fields, "refund_status"), amount) {
        (Some("REFUND_SUCCESS"), _) => RefundProgress::Success,
        (Some(status), _) => RefundProgress::Processing(Some(status.to_owned())),
        (None, Some(_)) => RefundProgress::Processing(None),
        (None, None) => return Ok(Answered::Empty),
    };
    let refund = match amount.map(Fen::from_yuan) {
        Some(None) => return Err(CallError::unknown("refund_amount is not an amount in yuan")),
        Some(refund) => refund,
        None => None,
    };
    Ok(Answered::Standing(RefundStanding { progress, refund, ..succeeded(&fields) }))
}

/// Whether what the trade has refunded so far denies that this refund was made.
fn denied(fields: &Map<String, Value>, refund: Fen) -> bool {
    word(fields, "refund_fee").is_some_and(|yuan| Fen::from_yuan(yuan).is_none_or(|sum| sum < refund))
}

/// Refusals that a repeat of a refund that succeeded could get, because the trade is at its end by it.
fn may_be_done_already(refusal: &Refusal) -> bool {
    const STATES: [&str; 8] = [
        "TRADE_HAS_CLOSE",
        "TRADE_HAS_FINISHED",
        "TRADE_STATUS_ERROR",
        "TRADE_NOT_ALLOW_REFUND",
        "REASON_TRADE_STATUS_INVALID",
        "REFUND_AMT_NOT_EQUAL_TOTAL",
        "REASON_TRADE_REFUND_FEE_ERR",
        "REFUND_FEE_ERROR",
    ];
    STATES.iter().any(|state| refusal.code.ends_with(state))
}

fn succeeded(fields: &Map<String, Value>) -> RefundStanding {
    let refunded_at = word(fields, "gmt_refund_pay").and_then(clock::read);
    RefundStanding { refunded_at, cash: cash(fields), ..RefundStanding::new(RefundProgress::Success) }
}

/// What the trade has refunded so far.
fn sum(fields: &Map<String, Value>) -> Option<Fen> {
    word(fields, "refund_fee").and_then(Fen::from_yuan)
}

/// What of a refund is the payer's own money: as stated, or by the channels that it goes back through.
fn cash(fields: &Map<String, Value>) -> Option<Fen> {
    const COUPONS: [&str; 4] = ["COUPON", "DISCOUNT", "MCOUPON", "MDISCOUNT"];
    if let Some(stated) = word(fields, "present_refund_buyer_amount").and_then(Fen::from_yuan) {
        return Some(stated);
    }
    let items = fields.get(CHANNELS)?.as_array().filter(|items| !items.is_empty())?;
    let mut sum = 0_u64;
    for item in items {
        let item = item.as_object()?;
        let amount = word(item, "amount").and_then(Fen::from_yuan)?;
        if !COUPONS.contains(&word(item, "fund_channel")?) {
            sum = sum.checked_add(amount.0)?;
        }
    }
    Some(Fen(sum))
}
