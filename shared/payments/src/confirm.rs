//! The one room: callback, active query and reconciliation all make an order paid here.
//!
//! Compare everything, then one transaction: the order to SUCCESS under the condition that it is as it was
//! read, the provider's number made unique, the history, and the handler's writes. Whoever comes second finds
//! the condition refused, which is a result. What does not fit the order is an incident and never credits.

use super::holder::find_order;
use super::incident_record::{Misfit, incident_about, record, record_of, ring};
use super::{Confirmed, Context, Source, delivery};
use config::{DuplicatePayment, LatePayment};
use domain::{Attempt, AttemptState, Order, Parties, Payment, Status, Task};
use providers::Stands;
use serde_json::{Value, json};
use store::{
    Accepted, Action, Claimed, Committed, HistoryEntry, Incident, IncidentName, IncidentStatus, PaymentCommit,
    Recorded, StoreError, Verdict,
};
use telemetry::Metric;

/// Credits a payment to its order, at most once.
///
/// # Errors
/// When the table cannot be read or written; then nothing is, and the provider shall call again.
pub async fn confirm(cx: &Context<'_>, payment: &Payment, source: Source) -> Result<Confirmed, StoreError> {
    confirm_under(cx, payment, source, late_by_policy(cx)).await
}

fn late_by_policy(cx: &Context<'_>) -> Late<'static> {
    match cx.config.policy.late_payment {
        LatePayment::Accept => Late::Policy,
        LatePayment::Refund | LatePayment::Wait => Late::No,
    }
}

/// Who decides that a payment is credited that came too late.
#[derive(Clone, Copy)]
pub(super) enum Late<'a> {
    /// Nobody.
    No,
    /// The policy.
    Policy,
    /// An operator, about this incident.
    Operator { recorded: &'a Recorded, by: &'a str, note: Option<&'a str> },
}

/// The incident that a credit ends.
struct Acceptance<'a> {
    incident: Incident,
    recorded: Option<Recorded>,
    by: &'a str,
    note: Option<&'a str>,
}

impl<'a> Acceptance<'a> {
    /// What a credit of this payment ends; nothing in the ordinary case. An incident that was decided otherwise
    /// forbids the credit: its name.
    async fn of(
        cx: &Context<'_>,
        order: &Order,
        payment: &Payment,
        late: Late<'a>,
    ) -> Result<Result<Option<Self>, IncidentName>, StoreError> {
        let (by, note) = match late {
            Late::Operator { by, note, .. } => (by, note),
            Late::Policy | Late::No if order.trade_state == Status::NotPay => return Ok(Ok(None)),
            Late::Policy | Late::No => ("policy", Some("latePayment")),
        };
        let recorded = match late {
            Late::Operator { recorded, .. } => cx.store.incident(&recorded.incident_id).await?,
            Late::Policy | Late::No => cx.store.incident_about(payment, &order.out_trade_no).await?,
        };
        if let Some(known) = &recorded
            && (known.status != IncidentStatus::Open || known.action == Some(Action::Refund))
        {
            return Ok(Err(known.incident.incident));
        }
        let (expected, actual) = (json!(order.trade_state), json!(payment.total));
        let incident = match late {
            Late::Operator { recorded, .. } => recorded.incident.clone(),
            Late::Policy | Late::No => {
                incident_about(payment, Some(order), (IncidentName::LatePayment, expected, actual))
            }
        };
        Ok(Ok(Some(Self { incident, recorded, by, note })))
    }

    fn accepted(&self) -> Accepted<'_> {
        Accepted { incident: &self.incident, recorded: self.recorded.as_ref(), by: self.by, note: self.note }
    }
}

/// The same for a payment that went back whole before it was credited: its order is paid and is not delivered.
pub(super) async fn confirm_taken_back(
    cx: &Context<'_>,
    payment: &Payment,
    source: Source,
) -> Result<Confirmed, StoreError> {
    let withheld = Some("付款已全额退回，不再交付");
    confirm_as(cx, payment, How { source, late: late_by_policy(cx), withheld }).await
}

/// The same, where it is said whether a payment of a closed order is credited after all.
pub(super) async fn confirm_under(
    cx: &Context<'_>,
    payment: &Payment,
    source: Source,
    late: Late<'_>,
) -> Result<Confirmed, StoreError> {
    confirm_as(cx, payment, How { source, late, withheld: None }).await
}

/// How a payment is to be taken.
#[derive(Clone, Copy)]
struct How<'a> {
    /// How it was learnt of.
    source: Source,
    /// Whether a payment of a closed order is credited after all.
    late: Late<'a>,
    /// Why the order is not delivered, where it is not.
    withheld: Option<&'a str>,
}

async fn confirm_as(cx: &Context<'_>, payment: &Payment, how: How<'_>) -> Result<Confirmed, StoreError> {
    if payment.is_of_a_store()
        && cx.store.claimed(payment.provider, &payment.merchant, &payment.transaction_id).await?
            == Some(Claimed::TakenBack)
    {
        return Ok(gone(payment));
    }
    let Some(order) = order_of(cx, payment).await? else {
        return record(cx, payment, None, (IncidentName::UnknownOrder, Value::Null, json!(payment.number))).await;
    };
    let Some(attempt) = order.attempt_for(payment.provider, &payment.merchant, &payment.number) else {
        let expected = json!(order.current().merchant);
        return record(cx, payment, Some(&order), (IncidentName::MerchantMismatch, expected, json!(payment.merchant)))
            .await;
    };
    let confirmed = confirm_of(cx, &order, attempt, payment, how).await?;
    if attempt.doubted {
        super::unconfirmed::settled(cx, &order.out_trade_no, payment, confirmed).await?;
    }
    Ok(confirmed)
}

/// The same of a payment whose order and attempt are known.
async fn confirm_of(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
    how: How<'_>,
) -> Result<Confirmed, StoreError> {
    let known = order.trade_state.is_paid() && order.transaction_id.as_ref() == Some(&payment.transaction_id);
    if attempt.reversing.is_some()
        && !known
        && let Some(ended) = reversed(cx, order, attempt, payment).await?
    {
        return Ok(ended);
    }
    if let Some(misfit) = mismatch(order, attempt, payment) {
        return record(cx, payment, Some(order), misfit).await;
    }
    match order.trade_state {
        Status::Success | Status::Refund if order.transaction_id.as_ref() == Some(&payment.transaction_id) => {
            Ok(Confirmed::Already)
        }
        // A number there is paid once, and has two names: the payment's and the store's.
        Status::Success | Status::Refund
            if payment.provider.gives_two_numbers() && attempt.state == AttemptState::Paid =>
        {
            Ok(Confirmed::Already)
        }
        Status::Success | Status::Refund => {
            let (expected, actual) = (json!(order.transaction_id), json!(payment.transaction_id));
            let back = (cx.config.policy.duplicate_payment == DuplicatePayment::Refund).then_some(attempt);
            record_of(cx, payment, order, (IncidentName::SecondPayment, expected, actual), back).await
        }
        Status::NotPay | Status::Closed
            if order.trade_state.may_become(Status::Success, !matches!(how.late, Late::No)) =>
        {
            credit(cx, order, attempt, payment, how).await
        }
        Status::NotPay | Status::Closed => {
            let expected = json!(order.trade_state);
            let back = (cx.config.policy.late_payment == LatePayment::Refund).then_some(attempt);
            record_of(cx, payment, order, (IncidentName::LatePayment, expected, json!(payment.total)), back).await
        }
    }
}

/// What the store has taken back before anybody was credited. It was told as a refund.
fn gone(payment: &Payment) -> Confirmed {
    let (provider, transaction_id) = (payment.provider, &payment.transaction_id);
    tracing::info!(%provider, transaction_id, "a purchase that was taken back before it was credited");
    Confirmed::Incident { name: IncidentName::UnknownOrder, new: false }
}

/// What became of a payment whose reversal was asked for; `None` when its provider, asked after that, has it still.
async fn reversed(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
) -> Result<Option<Confirmed>, StoreError> {
    if attempt.is_being_reversed(cx.now()) {
        return Ok(Some(Confirmed::Unsettled));
    }
    let Some(gateway) = cx.find_gateway(attempt).await? else { return Ok(Some(Confirmed::Unknown)) };
    Ok(match gateway.stands(cx.clients, order, attempt, payment, cx.now()).await {
        Ok(Stands::Paid | Stands::PartlyBack) => None,
        Ok(Stands::Back | Stands::Closed | Stands::Absent) => Some(Confirmed::Reversed),
        Ok(Stands::CannotAsk) | Err(_) => Some(Confirmed::Unknown),
    })
}

/// The order that a payment speaks of: by its own number, or by the number of a later attempt.
async fn order_of(cx: &Context<'_>, payment: &Payment) -> Result<Option<Order>, StoreError> {
    find_order(cx, payment.provider, &payment.merchant, &payment.number).await
}

/// Where a payment differs from the order: currency, amount, goods, merchant, application.
fn mismatch(order: &Order, attempt: &Attempt, payment: &Payment) -> Option<Misfit> {
    if payment.currency != order.currency {
        return Some((IncidentName::CurrencyMismatch, json!(order.currency), json!(payment.currency)));
    }
    if payment.total.is_some_and(|total| total != order.total_fee) {
        return Some((IncidentName::AmountMismatch, json!(order.total_fee), json!(payment.total)));
    }
    for (name, bought) in &payment.goods {
        let wanted = attempt.goods.get(name);
        if wanted != Some(bought) {
            return Some((IncidentName::AmountMismatch, json!({ name: wanted }), json!({ name: bought })));
        }
    }
    if payment.mch_id.is_some() && payment.mch_id != attempt.mch_id {
        return Some((IncidentName::MerchantMismatch, json!(attempt.mch_id), json!(payment.mch_id)));
    }
    if let Some(app_id) = payment.app_id.as_ref().filter(|id| **id != attempt.app_id) {
        return Some((IncidentName::AppMismatch, json!(attempt.app_id), json!(app_id)));
    }
    other_party(attempt, &payment.parties)
}

/// Whom a payment names who is not the attempt's: the sub-merchant, the receiving account, their applications.
pub(super) fn other_party(attempt: &Attempt, named: &Parties) -> Option<(IncidentName, Value, Value)> {
    let differs = |told: &Option<String>, own: Option<&str>| told.as_deref().is_some_and(|told| Some(told) != own);
    let sub_mchid = attempt.sub_mchid.as_deref().unwrap_or_default();
    if differs(&named.sub_mch_id, Some(sub_mchid)) {
        let expected = json!({ "sub_mchid": sub_mchid });
        return Some((IncidentName::MerchantMismatch, expected, json!({ "sub_mchid": named.sub_mch_id })));
    }
    // What was not written down with the order cannot be compared.
    if attempt.mch_id.is_some() && differs(&named.seller_id, attempt.mch_id.as_deref()) {
        let expected = json!({ "seller_id": attempt.mch_id });
        return Some((IncidentName::MerchantMismatch, expected, json!({ "seller_id": named.seller_id })));
    }
    if differs(&named.auth_app_id, Some(&attempt.app_id)) {
        let expected = json!({ "auth_app_id": attempt.app_id });
        return Some((IncidentName::AppMismatch, expected, json!({ "auth_app_id": named.auth_app_id })));
    }
    if attempt.sub_appid.is_some() && differs(&named.sub_app_id, attempt.sub_appid.as_deref()) {
        let expected = json!({ "sub_appid": attempt.sub_appid });
        return Some((IncidentName::AppMismatch, expected, json!({ "sub_appid": named.sub_app_id })));
    }
    None
}

/// Runs the handler and commits. A refused condition of the handler runs it again on fresh reads; a handler
/// that refuses, or cannot do its work, has its reason written instead of its writes, an incident, and a task that
/// tries again; somebody who was first is looked at anew.
async fn credit(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
    how: How<'_>,
) -> Result<Confirmed, StoreError> {
    let How { source, late, withheld } = how;
    let (forwarded, mut refused) = (cx.config.handlers.contains_key(&order.kind), withheld);
    let acceptance = match Acceptance::of(cx, order, payment, late).await? {
        Ok(acceptance) => acceptance,
        Err(name) => return Ok(Confirmed::Incident { name, new: false }),
    };
    let shipping = if withheld.is_some() { None } else { super::ship::begun(cx, order, attempt, payment).await? };
    for round in 0..delivery::ROUNDS {
        let verdict = match refused {
            Some(reason) => delivery::refusal(reason),
            None if forwarded => Verdict::default(),
            None => delivery::verdict(cx, order, round > 0).await?,
        };
        let reason = verdict.reason.as_deref();
        let undelivered = (verdict.success == Some(false))
            .then(|| delivery::incident_of(IncidentName::Undelivered, order, attempt, reason));
        let task = match (forwarded, &undelivered) {
            // What went back whole is delivered to nobody; the incident ends with its refund.
            _ if withheld.is_some() => None,
            (true, _) => Some(Task::handing(&order.out_trade_no, cx.now())),
            (false, Some(_)) => Some(Task::redelivery(&order.out_trade_no, reason, cx.now())),
            (false, None) => None,
        };
        let entry = HistoryEntry::new("paid", source.name(), cx.now())
            .with("transaction_id", &payment.transaction_id)
            .with("attempt", &attempt.n)
            .with("total_fee", &order.total_fee)
            .with("user_order_success", &verdict.success)
            .with("reason", &verdict.reason)
            .with("writes", &verdict.writes.iter().map(|w| format!("{}/{}", w.table(), w.id())).collect::<Vec<_>>());
        let commit = PaymentCommit {
            order,
            attempt,
            payment,
            notify_mode: source.notify_mode(),
            verdict: &verdict,
            task: task.as_ref(),
            shipping: shipping.as_ref().map(|(shipping, task)| (shipping, task)),
            undelivered: undelivered.as_ref(),
            accepted: acceptance.as_ref().map(Acceptance::accepted),
            entry,
        };
        match cx.store.commit_payment(&commit).await? {
            Committed::Done => {
                let no = &order.out_trade_no;
                tracing::info!(out_trade_no = %no, transaction_id = %payment.transaction_id, source = source.name(), "order {no} is paid");
                telemetry::count(Metric::Paid, Some(payment.provider.name()));
                if let Some(incident) = undelivered.as_ref().filter(|_| withheld.is_none()) {
                    ring(incident);
                }
                if let (Some(task), true, Source::Callback) = (&task, forwarded, source) {
                    super::tasks::deliver_inline(cx, task).await;
                }
                return Ok(Confirmed::Credited);
            }
            Committed::OrderMoved | Committed::IncidentMoved => {
                return Box::pin(confirm_as(cx, payment, how)).await;
            }
            Committed::TransactionTaken => {
                let holder =
                    match cx.store.claimed(payment.provider, &payment.merchant, &payment.transaction_id).await? {
                        Some(Claimed::TakenBack) => return Ok(gone(payment)),
                        Some(Claimed::Order(no)) => Some(no),
                        Some(Claimed::SentBack) | None => None,
                    };
                let (expected, actual) = (json!(order.out_trade_no), json!(holder));
                if holder.is_none()
                    && let Some(known) = cx.store.incident_about(payment, &order.out_trade_no).await?
                {
                    // It goes back.
                    return Ok(Confirmed::Incident { name: known.incident.incident, new: false });
                }
                return record(cx, payment, Some(order), (IncidentName::SecondPayment, expected, actual)).await;
            }
            Committed::HandlerRefused if round + 2 >= delivery::ROUNDS => refused = Some(delivery::CONTESTED),
            Committed::HandlerRefused => {}
            Committed::HandlerInvalid(what) => refused = Some(delivery::unable(order, &what)),
        }
    }
    Err(StoreError::new("payment", "the handler's conditions keep being refused"))
}
