//! What a paid order's handler says, and the incident of an order that is paid and not delivered.
//!
//! A handler that refuses, and one that cannot do its work (no right to its table, no such table, writes that the
//! table does not take), leave the payment credited and the order undelivered: that is never silent. It is an
//! incident, and it is tried again like a delivery to a handler by configuration.

use super::{Context, HandlerError, PaidOrder, Tables};
use domain::{Attempt, Order};
use serde_json::json;
use store::{Action, Incident, IncidentName, IncidentStatus, StoreError, Verdict};

/// How often the handler may run again on fresh reads.
pub(super) const ROUNDS: usize = 12;

/// Runs the handler of an order, which knows whether its writes were refused before.
///
/// # Errors
/// When a table cannot be read now; what lasts until somebody mends it is a refusal.
pub(super) async fn verdict(cx: &Context<'_>, order: &Order, contested: bool) -> Result<Verdict, StoreError> {
    if !cx.handlers.knows(&order.kind) {
        return Ok(refusal(&format!("没有类型 {} 的处理程序", order.kind)));
    }
    let paid = PaidOrder { order, now: cx.now() };
    match cx.handlers.run(&paid, &Tables::new(cx.store, contested)).await {
        Ok(writes) => Ok(Verdict { success: Some(true), reason: None, writes }),
        Err(HandlerError::Refused(reason)) => Ok(refusal(&reason)),
        Err(HandlerError::Store(error)) if error.lasts() => Ok(refusal(unable(order, &error.to_string()))),
        Err(HandlerError::Store(error)) => Err(error),
    }
}

/// A verdict that says no.
pub(super) fn refusal(reason: &str) -> Verdict {
    let reason = reason.chars().filter(|c| !c.is_control()).take(200).collect();
    Verdict { success: Some(false), reason: Some(reason), writes: Vec::new() }
}

/// The reason that payers may read, for what only the log may say whole.
pub(super) fn unable(order: &Order, what: &str) -> &'static str {
    tracing::error!(out_trade_no = %order.out_trade_no, what, "the handler's tables cannot be used");
    match what {
        what if what.contains("AccessDenied") => "处理程序无权访问业务表",
        what if what.contains("ResourceNotFound") => "处理程序的业务表不存在",
        _ => "处理程序的写入无法执行",
    }
}

/// A handler in Rust whose order another one, by configuration, may have delivered before the configuration changed.
pub(super) const HANDED: &str = "此前已交给配置的处理程序，结果未知，不再由内置处理程序交付，请核对后处理";

/// A handler whose conditions are refused however often it runs on fresh reads.
pub(super) const CONTESTED: &str = "处理程序的写入条件始终不满足";

/// The incident of an order that is paid and not delivered, or whose delivery is given up.
pub(super) fn incident_of(name: IncidentName, order: &Order, attempt: &Attempt, reason: Option<&str>) -> Incident {
    Incident {
        out_trade_no: Some(order.out_trade_no.clone()),
        actual: reason.map(|reason| json!(reason)),
        ..Incident::new(name, attempt.provider, &attempt.merchant)
    }
}

/// Ends the incident of an order that is not delivered and of which all has gone back.
pub(super) async fn end_by_refund(cx: &Context<'_>, order: &Order) -> Result<(), StoreError> {
    let attempt = order.paid_attempt().unwrap_or(order.current());
    let id = incident_of(IncidentName::Undelivered, order, attempt, None).id();
    if let Some(recorded) = cx.store.incident(&id).await?.filter(|known| known.status == IncidentStatus::Open) {
        cx.store.resolve_incident(&recorded, Action::Close, "refund", Some("refunded in full"), cx.now()).await?;
    }
    Ok(())
}
