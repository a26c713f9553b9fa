//! Notices that are signed and say "paid", while the provider's own answer does not: they are refused, so that they come
//! again, and from the third time on the payment is an incident.

use super::Context;
use super::confirm::alarm;
use domain::{Code, Failure};
use providers::Hint;
use serde_json::json;
use store::{Incident, IncidentName};

/// The time from which on an operator is called.
const CALLED_AT: u64 = 3;

/// Counts a notice that could not be confirmed, and records the incident when it is the third of its payment. The
/// failure is what the notice is answered with.
pub(super) async fn unconfirmed(cx: &Context<'_>, hint: &Hint, out_trade_no: &str, number: &str, why: &str) -> Failure {
    let failure = Failure::new(Code::OUTCOME_UNKNOWN).private(format!("a signed notice says that it is paid: {why}"));
    let counted = cx.store.count_unconfirmed(hint.provider, &hint.merchant, number, cx.now()).await;
    let recorded = match counted {
        Ok(times) if times < CALLED_AT => return failure,
        Ok(_) => {
            let incident = Incident {
                out_trade_no: Some(out_trade_no.to_owned()),
                actual: Some(json!({ "number": number })),
                ..Incident::new(IncidentName::UnconfirmedNotice, hint.provider, &hint.merchant)
            };
            alarm(cx, &incident, true).await.map(|_| ())
        }
        Err(error) => Err(error),
    };
    recorded.map_or_else(Failure::from, |()| failure)
}
