//! How a payment stands that was told before: asked before it is credited or sent back after all.

use super::Standing;
use domain::Payment;
use serde_json::Value;

/// How a payment stands at its provider now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    /// As it was told: paid.
    Paid,
    /// Paid, and some of it was refunded or is about to be; the provider does not say how much.
    PartlyBack,
    /// All of it went back.
    Back,
    /// The provider has closed its number: it went back, or the provider does not have it.
    Closed,
    /// The provider does not have it.
    Absent,
    /// The provider has no call that tells; what it signed stands.
    CannotAsk,
}

/// Reads an answer to the query of the payment's number.
pub(super) fn of(standing: Standing, payment: &Payment) -> Stands {
    match standing {
        Standing::Paid(all) => match all.iter().find(|own| own.identity() == payment.identity()) {
            Some(own) => refunded(&own.info),
            None => Stands::Absent,
        },
        Standing::Closed => Stands::Closed,
        Standing::Unpaid { .. } | Standing::Missing => Stands::Absent,
    }
}

/// The providers' words for a payment of which something was refunded.
fn refunded(info: &Value) -> Stands {
    let word = |name: &str| info.get(name).and_then(Value::as_str);
    let number = |name: &str| info.get(name).and_then(Value::as_i64);
    match (word("trade_state"), word("trade_status"), number("status")) {
        // WeChat Pay: some refund, in whatever state.
        (Some("REFUND"), ..) => Stands::PartlyBack,
        // Alipay: a trade that was paid is closed by refunding all of it.
        (_, Some("TRADE_CLOSED"), _) => Stands::Back,
        // Virtual payment: refunded, and something is left of it.
        (.., Some(5 | 8)) => Stands::PartlyBack,
        _ => Stands::Paid,
    }
}
