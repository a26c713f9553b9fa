//! What a message changed, and the two ways in which it is left to others.

use super::Context;
use super::holder::find_order;
use super::incident_record::alarm;
use domain::{Failure, Fen, Payment};
use providers::{Hint, RefundNotice};
use serde_json::Value;
use store::{Incident, IncidentName};

/// What a message changed by itself; what a hint made us ask for is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// An order was paid.
    pub credited: bool,
    /// A refund ended, or one that was made elsewhere was counted.
    pub refunded: bool,
    /// An incident is new.
    pub incident: bool,
    /// Nothing is known yet, because the payment may just be reversed: the message is to come again. That is no fault,
    /// and a payer can bring it about.
    pub later: bool,
}

/// A signed payment whose reversal was asked for, and of which its provider does not tell: it comes again, and from the
/// third time on it is an incident.
pub(super) async fn unanswered(cx: &Context<'_>, payment: &Payment) -> Failure {
    let hint = Hint {
        says_paid: true,
        provider: payment.provider,
        merchant: payment.merchant.clone(),
        number: Some(payment.number.clone()),
        out_refund_no: None,
    };
    let order = match find_order(cx, payment.provider, &payment.merchant, &payment.number).await {
        Ok(order) => order,
        Err(error) => return error.into(),
    };
    let no = order.map_or_else(|| payment.number.clone(), |order| order.out_trade_no);
    super::unconfirmed::unconfirmed(cx, &hint, &no, &payment.number, "the provider does not tell of its reversal").await
}

/// A message that is an incident.
pub(super) async fn raised(cx: &Context<'_>, incident: &Incident, known: bool) -> Result<Settled, Failure> {
    Ok(Settled { incident: alarm(cx, incident, known).await?, ..Settled::default() })
}

/// The description of a refund that was not made through here.
pub(super) const ELSEWHERE: &str = "refunded elsewhere";

pub(super) fn incident_of(
    notice: &RefundNotice,
    no: &str,
    name: IncidentName,
    expected: Value,
    actual: Value,
) -> Incident {
    Incident {
        out_trade_no: Some(no.to_owned()),
        transaction_id: notice.transaction_id.clone(),
        out_refund_no: Some(notice.out_refund_no.clone()),
        expected: Some(expected).filter(|v| !v.is_null()),
        actual: Some(actual).filter(|v| !v.is_null()),
        ..Incident::new(name, notice.provider, &notice.merchant)
    }
}

/// So many 1/100 000 of an amount, in fen, rounded up.
pub(super) fn share_of(total: Fen, share: u32) -> Fen {
    let fen = (u128::from(total.0) * u128::from(share.min(100_000))).div_ceil(100_000);
    Fen(u64::try_from(fen).unwrap_or(total.0))
}
