//! How an incident comes to be: recorded once, and rung. Everything that meets one stands above this.

use super::holder::suffixed;
use super::{Confirmed, Context};
use domain::{Attempt, Order, Payment, Refund};
use serde_json::Value;
use store::{Incident, IncidentName, Recording, StoreError};
use telemetry::Metric;

/// How often a refund's number may be taken before we give up.
const NUMBERS: usize = 12;

/// How something does not fit: the name of the incident, what was expected, what came.
pub(super) type Misfit = (IncidentName, Value, Value);

/// Whether the provider said how much was paid, in fen: only that can be sent back.
pub(super) fn has_amount(payment: &Payment) -> bool {
    payment.total.is_some_and(|total| total.0 > 0) && payment.currency == "CNY"
}

/// Whether a payment can be sent back: the provider says how much it was, and takes refunds.
///
/// # Errors
/// That the merchant's document cannot be read now.
pub(super) async fn can_go_back(cx: &Context<'_>, attempt: &Attempt, payment: &Payment) -> Result<bool, StoreError> {
    if !has_amount(payment) {
        return Ok(false);
    }
    Ok(cx.find_gateway(attempt).await?.is_some_and(|gateway| gateway.can_refund(attempt).is_ok()))
}

/// The refund of a payment that no order was credited for: all of it, at the provider that took it, under
/// `<out_trade_no>X<n>`.
///
/// # Errors
/// That the merchant's document cannot be read now.
pub(super) async fn refund_of(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
    incident: &str,
    n: usize,
) -> Result<Refund, StoreError> {
    let limit = cx.find_gateway(attempt).await?.map_or(32, |gateway| gateway.refund_number_limit());
    let number = suffixed(&order.out_trade_no, &format!("X{n}"), limit);
    Ok(Refund {
        refund_desc: "订单未能入账，原路退回".to_owned(),
        incident: Some(incident.to_owned()),
        transaction_id: Some(payment.transaction_id.clone()),
        total_fee: payment.total,
        ..Refund::begun(order, attempt, number, payment.total.unwrap_or_default(), cx.now())
    })
}

/// The incident of a payment that does not fit.
pub(super) fn incident_about(payment: &Payment, order: Option<&Order>, (name, expected, actual): Misfit) -> Incident {
    let no = order.map_or(&payment.number, |order| &order.out_trade_no);
    Incident {
        out_trade_no: Some(no.clone()),
        transaction_id: Some(payment.transaction_id.clone()),
        expected: Some(expected).filter(|v| !v.is_null()),
        actual: Some(actual).filter(|v| !v.is_null()),
        payment: Some(payment.clone()),
        ..Incident::new(name, payment.provider, &payment.merchant)
    }
}

/// Records a payment that does not fit.
pub(super) async fn record(
    cx: &Context<'_>,
    payment: &Payment,
    order: Option<&Order>,
    misfit: Misfit,
) -> Result<Confirmed, StoreError> {
    let name = misfit.0;
    let incident = incident_about(payment, order, misfit);
    let new = alarm(cx, &incident, order.is_some()).await?;
    Ok(Confirmed::Incident { name, new })
}

/// Records a payment that an order has no use for; with `back`, the attempt it came through, it goes back.
pub(super) async fn record_of(
    cx: &Context<'_>,
    payment: &Payment,
    order: &Order,
    misfit: Misfit,
    back: Option<&Attempt>,
) -> Result<Confirmed, StoreError> {
    let name = misfit.0;
    let incident = incident_about(payment, Some(order), misfit);
    let back = match back {
        Some(attempt) if can_go_back(cx, attempt, payment).await? => Some(attempt),
        Some(_) | None => None,
    };
    let Some(attempt) = back else {
        let new = alarm(cx, &incident, true).await?;
        return Ok(Confirmed::Incident { name, new });
    };
    for n in 1..=NUMBERS {
        let refund = refund_of(cx, order, attempt, payment, &incident.id(), n).await?;
        let new = match cx.store.record_incident(&incident, true, Some(&refund), cx.now()).await? {
            Recording::New => {
                ring(&incident);
                true
            }
            Recording::Known => false,
            Recording::NumberTaken => continue,
            // Another order was credited for it: it stays there.
            Recording::Credited => alarm(cx, &incident, true).await?,
        };
        return Ok(Confirmed::Incident { name, new });
    }
    Err(StoreError::new("incident", "no refund number is free"))
}

/// Records an incident and logs it as an alarm, once: true for the first time.
pub(super) async fn alarm(cx: &Context<'_>, incident: &Incident, known: bool) -> Result<bool, StoreError> {
    let new = cx.store.record_incident(incident, known, None, cx.now()).await? == Recording::New;
    if new {
        ring(incident);
    }
    Ok(new)
}

/// The line of the log that the alarm listens for.
pub(super) fn ring(incident: &Incident) {
    let number = incident.out_trade_no.as_ref().or(incident.out_bill_no.as_ref());
    let number = number.map_or("-", String::as_str);
    let name = incident.incident.name();
    telemetry::alarm!(name, out_trade_no = number, provider = %incident.provider);
    telemetry::count(Metric::Incidents, Some(name));
    if incident.incident == IncidentName::Undelivered {
        telemetry::count(Metric::Undelivered, None);
    }
}
