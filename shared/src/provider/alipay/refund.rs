//! Refunds (`docs/protocols/alipay.md#refunds`).
//!
//! Code 10000 says that the call worked, not that money moved: `fund_change=Y` does, and `N` is also what a
//! repeat of a refund that succeeded is told, so it is confirmed by the refund query. `refund_fee` is what
//! the whole trade has refunded so far, never this refund's amount.

use super::answer::word;
use super::call::Call;
use super::{clock, trade};
use crate::config::AlipayNode;
use crate::order::{Fen, Refund};
use crate::provider::{Meaning, Outcome, Outside, RefundProgress, RefundRequest, RefundStanding, Refusal};
use serde_json::{Map, Value};

/// A refund may be unknown to the query for 10 s after its call, ms.
const SETTLING: i64 = 10_000;

/// The longest `refund_reason`, characters.
const LONGEST_REASON: usize = 256;

/// Refunds under `out_refund_no`, which makes a repeat harmless.
pub(super) async fn refund(
    outside: &Outside,
    node: &AlipayNode,
    request: &RefundRequest<'_>,
) -> Outcome<RefundStanding> {
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
    let confirm = || ask(outside, node, number, request.out_refund_no, request.now);
    match Call::new("alipay.trade.refund", biz).send(outside, node, request.now).await {
        Outcome::Done(fields) if word(&fields, "out_trade_no").is_some_and(|n| n != number) => {
            Outcome::Unknown("alipay.trade.refund answered for another order".to_owned())
        }
        Outcome::Done(fields) if word(&fields, "fund_change") == Some("Y") && !denied(&fields, request.refund) => {
            Outcome::Done(succeeded(&fields))
        }
        Outcome::Done(_) => Outcome::Done(match confirm().await {
            Outcome::Done(Answered::Standing(standing)) => standing,
            Outcome::Done(Answered::Empty | Answered::Missing) => standing(RefundProgress::Processing(None)),
            Outcome::Refused(refusal) => standing(RefundProgress::Processing(Some(refusal.code))),
            Outcome::Unknown(why) => standing(RefundProgress::Processing(Some(why))),
        }),
        Outcome::Refused(refusal) if may_be_done_already(&refusal) => match confirm().await {
            Outcome::Done(Answered::Standing(standing)) => Outcome::Done(standing),
            Outcome::Done(Answered::Empty | Answered::Missing) | Outcome::Refused(_) => Outcome::Refused(refusal),
            Outcome::Unknown(why) => Outcome::Unknown(why),
        },
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    }
}

/// Asks how a refund stands.
pub(super) async fn query(
    outside: &Outside,
    node: &AlipayNode,
    number: &str,
    refund: &Refund,
    now: i64,
) -> Outcome<RefundStanding> {
    match ask(outside, node, number, &refund.out_refund_no, now).await {
        Outcome::Done(Answered::Standing(standing)) => Outcome::Done(standing),
        Outcome::Done(Answered::Missing) => Outcome::Done(standing(RefundProgress::Missing)),
        Outcome::Done(Answered::Empty) if now.saturating_sub(refund.create_date) > SETTLING => {
            Outcome::Done(standing(RefundProgress::Missing))
        }
        Outcome::Done(Answered::Empty) => Outcome::Done(standing(RefundProgress::Processing(None))),
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    }
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

async fn ask(outside: &Outside, node: &AlipayNode, number: &str, out_refund_no: &str, now: i64) -> Outcome<Answered> {
    let mut biz = trade::by_number(number);
    biz.insert("out_request_no".to_owned(), out_refund_no.into());
    biz.insert("query_options".to_owned(), Value::from(vec!["gmt_refund_pay"]));
    let fields = match Call::new("alipay.trade.fastpay.refund.query", biz).send(outside, node, now).await {
        Outcome::Done(fields) => fields,
        Outcome::Refused(refusal) if refusal.meaning == Meaning::Missing => return Outcome::Done(Answered::Missing),
        Outcome::Refused(refusal) => return Outcome::Refused(refusal),
        Outcome::Unknown(why) => return Outcome::Unknown(why),
    };
    let other = |name: &str, ours: &str| word(&fields, name).is_some_and(|theirs| theirs != ours);
    if other("out_trade_no", number) || other("out_request_no", out_refund_no) {
        return Outcome::Unknown("alipay.trade.fastpay.refund.query answered for another refund".to_owned());
    }
    let amount = word(&fields, "refund_amount");
    let progress = match (word(&fields, "refund_status"), amount) {
        (Some("REFUND_SUCCESS"), _) => RefundProgress::Success,
        (Some(status), _) => RefundProgress::Processing(Some(status.to_owned())),
        (None, Some(_)) => RefundProgress::Processing(None),
        (None, None) => return Outcome::Done(Answered::Empty),
    };
    let refund = match amount.map(Fen::from_yuan) {
        Some(None) => return Outcome::Unknown("refund_amount is not an amount in yuan".to_owned()),
        Some(refund) => refund,
        None => None,
    };
    Outcome::Done(Answered::Standing(RefundStanding { progress, refund, ..succeeded(&fields) }))
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

fn standing(progress: RefundProgress) -> RefundStanding {
    RefundStanding { progress, refund_id: None, refund: None, refunded_at: None }
}

fn succeeded(fields: &Map<String, Value>) -> RefundStanding {
    let refunded_at = word(fields, "gmt_refund_pay").and_then(clock::read);
    RefundStanding { refunded_at, ..standing(RefundProgress::Success) }
}
