//! The one room: callback, active query and reconciliation all make an order paid here.
//!
//! Compare everything, then one transaction: the order to SUCCESS under the condition that it is as it was
//! read, the provider's number made unique, the history, and the handler's writes. Whoever comes second finds
//! the condition refused, which is a result. What does not fit the order is an incident and never credits.

use super::{Caller, Context, HandlerError, PaidOrder, Tables};
use crate::code::{Code, Failure};
use crate::config::{DuplicatePayment, LatePayment};
use crate::order::{Attempt, AttemptState, Order, Provider, Status, Task, TaskName};
use crate::provider::Payment;
use crate::store::{Committed, HistoryEntry, Incident, IncidentName, PaymentCommit, Recording, StoreError, Verdict};
use serde_json::{Value, json};

/// How the bundle learnt of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The provider's callback.
    Callback,
    /// Asking the provider.
    Query,
}

impl Source {
    /// As the history names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Query => "query",
        }
    }

    /// VK-Pay's `notify_mode`.
    const fn notify_mode(self) -> u8 {
        match self {
            Self::Callback => 1,
            Self::Query => 0,
        }
    }
}

/// What became of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// The order is paid now, by this.
    Credited,
    /// It was, by the same payment.
    Already,
    /// It does not fit, and is recorded.
    Incident {
        /// In what.
        name: IncidentName,
        /// Whether this is the first record of it.
        new: bool,
    },
}

/// How often the handler may run again on fresh reads.
const HANDLER_ROUNDS: usize = 12;

/// Credits a payment to its order, at most once.
///
/// # Errors
/// When the table cannot be read or written; then nothing is, and the provider shall call again.
pub async fn confirm(cx: &Context<'_>, payment: &Payment, source: Source) -> Result<Confirmed, StoreError> {
    confirm_under(cx, payment, source, cx.config.policy.late_payment == LatePayment::Accept).await
}

/// The same, where it is said whether a payment of a closed order is credited after all.
pub(super) async fn confirm_under(
    cx: &Context<'_>,
    payment: &Payment,
    source: Source,
    late: bool,
) -> Result<Confirmed, StoreError> {
    let Some(order) = order_of(cx, payment).await? else {
        return record(cx, payment, None, IncidentName::UnknownOrder, Value::Null, json!(payment.number)).await;
    };
    let Some(attempt) = order.attempt_for(payment.provider, &payment.merchant, &payment.number) else {
        let expected = json!(order.current().merchant);
        return record(cx, payment, Some(&order), IncidentName::MerchantMismatch, expected, json!(payment.merchant))
            .await;
    };
    if let Some((name, expected, actual)) = mismatch(&order, attempt, payment) {
        return record(cx, payment, Some(&order), name, expected, actual).await;
    }
    match order.trade_state {
        Status::Success | Status::Refund if order.transaction_id.as_ref() == Some(&payment.transaction_id) => {
            Ok(Confirmed::Already)
        }
        // A number there is paid once, and has two names: the payment's and the store's.
        Status::Success | Status::Refund
            if payment.provider == Provider::WxpayVirtual && attempt.state == AttemptState::Paid =>
        {
            Ok(Confirmed::Already)
        }
        Status::Success | Status::Refund => {
            let (expected, actual) = (json!(order.transaction_id), json!(payment.transaction_id));
            let back = (cx.config.policy.duplicate_payment == DuplicatePayment::Refund).then_some(attempt);
            record_of(cx, payment, &order, IncidentName::SecondPayment, expected, actual, back).await
        }
        Status::NotPay | Status::Closed if order.trade_state.may_become(Status::Success, late) => {
            credit(cx, &order, attempt, payment, source, late).await
        }
        Status::NotPay | Status::Closed => {
            let expected = json!(order.trade_state);
            let back = (cx.config.policy.late_payment == LatePayment::Refund).then_some(attempt);
            record_of(cx, payment, &order, IncidentName::LatePayment, expected, json!(payment.total), back).await
        }
    }
}

/// The order that a payment speaks of: by its own number, or by the number of a later attempt.
async fn order_of(cx: &Context<'_>, payment: &Payment) -> Result<Option<Order>, StoreError> {
    find_order(cx, payment.provider, &payment.merchant, &payment.number).await
}

pub(super) async fn find_order(
    cx: &Context<'_>,
    provider: Provider,
    merchant: &str,
    number: &str,
) -> Result<Option<Order>, StoreError> {
    let direct = cx.store.order(number).await?;
    if direct.as_ref().is_some_and(|o| o.attempt_for(provider, merchant, number).is_some()) {
        return Ok(direct);
    }
    match cx.store.order_of_number(provider, merchant, number).await? {
        Some(no) => cx.store.order(&no).await,
        None => Ok(direct),
    }
}

/// Where a payment differs from the order: currency, amount, goods, merchant, application.
fn mismatch(order: &Order, attempt: &Attempt, payment: &Payment) -> Option<(IncidentName, Value, Value)> {
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
    match &payment.app_id {
        Some(app_id) if *app_id != attempt.app_id => {
            Some((IncidentName::AppMismatch, json!(attempt.app_id), json!(app_id)))
        }
        _ => None,
    }
}

fn incident_about(
    payment: &Payment,
    order: Option<&Order>,
    name: IncidentName,
    expected: Value,
    actual: Value,
) -> Incident {
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

async fn record(
    cx: &Context<'_>,
    payment: &Payment,
    order: Option<&Order>,
    name: IncidentName,
    expected: Value,
    actual: Value,
) -> Result<Confirmed, StoreError> {
    let incident = incident_about(payment, order, name, expected, actual);
    let new = alarm(cx, &incident, order.is_some()).await?;
    Ok(Confirmed::Incident { name, new })
}

/// Records a payment that an order has no use for; with `back`, the attempt it came through, it goes back.
async fn record_of(
    cx: &Context<'_>,
    payment: &Payment,
    order: &Order,
    name: IncidentName,
    expected: Value,
    actual: Value,
    back: Option<&Attempt>,
) -> Result<Confirmed, StoreError> {
    let incident = incident_about(payment, Some(order), name, expected, actual);
    let back = back.filter(|attempt| super::incidents::can_go_back(cx, attempt, payment));
    let Some(attempt) = back else {
        let new = alarm(cx, &incident, true).await?;
        return Ok(Confirmed::Incident { name, new });
    };
    for n in 1..=HANDLER_ROUNDS {
        let refund = super::incidents::refund_of(cx, order, attempt, payment, &incident.id(), n);
        let new = match cx.store.record_incident(&incident, true, Some(&refund), cx.now()).await? {
            Recording::New => true,
            Recording::Known => false,
            Recording::NumberTaken => continue,
        };
        if new {
            sound(&incident);
        }
        return Ok(Confirmed::Incident { name, new });
    }
    Err(StoreError::new("incident", "no refund number is free"))
}

/// Records an incident and logs it as an alarm, once: true for the first time.
pub(super) async fn alarm(cx: &Context<'_>, incident: &Incident, known: bool) -> Result<bool, StoreError> {
    let new = cx.store.record_incident(incident, known, None, cx.now()).await? == Recording::New;
    if new {
        sound(incident);
    }
    Ok(new)
}

/// The line of the log that the alarm listens for.
pub(super) fn sound(incident: &Incident) {
    let number = incident.out_trade_no.as_ref().or(incident.out_bill_no.as_ref());
    let number = number.map_or("-", String::as_str);
    crate::log::alarm(incident.incident.name(), &[("out_trade_no", &number), ("provider", &incident.provider)]);
}

/// Runs the handler and commits. A refused condition of the handler runs it again on fresh reads; a handler
/// that refuses has its reason written instead of its writes; somebody who was first is looked at anew.
async fn credit(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
    source: Source,
    late: bool,
) -> Result<Confirmed, StoreError> {
    let forwarded = cx.config.handlers.contains_key(&order.kind);
    let task = forwarded.then(|| Task::new(TaskName::Handler, &order.out_trade_no, None, cx.now()));
    let mut refused: Option<String> = None;
    for round in 0..HANDLER_ROUNDS {
        let verdict = match refused.take() {
            Some(reason) => refusal(&reason),
            None if forwarded => Verdict::default(),
            None => deliver(cx, order, round > 0).await?,
        };
        let entry = HistoryEntry::new("paid", source.name(), cx.now())
            .with("transaction_id", &payment.transaction_id)
            .with("attempt", &attempt.n)
            .with("total_fee", &order.total_fee)
            .with("user_order_success", &verdict.success)
            .with("reason", &verdict.reason)
            .with("writes", &verdict.writes.iter().map(|w| format!("{}/{}", w.table(), w.id())).collect::<Vec<_>>());
        let notify_mode = source.notify_mode();
        let commit =
            PaymentCommit { order, attempt, payment, notify_mode, verdict: &verdict, task: task.as_ref(), entry };
        match cx.store.commit_payment(&commit).await? {
            Committed::Done => {
                let no = &order.out_trade_no;
                tracing::info!(out_trade_no = %no, transaction_id = %payment.transaction_id, source = source.name(), "order {no} is paid");
                if let (Some(task), Source::Callback) = (&task, source) {
                    super::tasks::deliver_inline(cx, task).await;
                }
                return Ok(Confirmed::Credited);
            }
            Committed::OrderMoved => return Box::pin(confirm_under(cx, payment, source, late)).await,
            Committed::TransactionTaken => {
                let holder = cx.store.order_of_transaction(payment.provider, &payment.transaction_id).await?;
                let (expected, actual) = (json!(order.out_trade_no), json!(holder));
                return record(cx, payment, Some(order), IncidentName::SecondPayment, expected, actual).await;
            }
            Committed::HandlerRefused => {}
            Committed::HandlerInvalid(what) => {
                tracing::error!(out_trade_no = %order.out_trade_no, what, "the table cannot take the handler's writes");
                refused = Some("处理程序的写入无法执行".to_owned());
            }
        }
    }
    Err(StoreError::new("payment", "the handler's conditions keep being refused"))
}

/// Runs the handler of a paid order again, when it has not done its work.
///
/// # Errors
/// 409 when it has, or when the order is not paid or is fully refunded.
pub async fn rerun_handler(cx: &Context<'_>, caller: &Caller, out_trade_no: &str) -> Result<Order, Failure> {
    let mut refused: Option<String> = None;
    let mut contested = false;
    for _ in 0..HANDLER_ROUNDS {
        let order = cx.visible_order(caller, out_trade_no).await?;
        if !order.trade_state.is_paid() {
            return Err(Code::NOT_PAID.into());
        }
        if order.user_order_success == Some(true) {
            return Err(Code::ALREADY_HANDLED.into());
        }
        if order.refund_fee >= order.total_fee {
            return Err(Failure::new(Code::ALREADY_HANDLED).says("refunded"));
        }
        if cx.config.handlers.contains_key(&order.kind) {
            super::tasks::deliver_again(cx, caller, &order).await?;
            return cx.visible_order(caller, out_trade_no).await;
        }
        let verdict = match refused.take() {
            Some(reason) => refusal(&reason),
            None => deliver(cx, &order, contested).await?,
        };
        let entry = HistoryEntry::new("handler", &caller.source, cx.now())
            .with("user_order_success", &verdict.success)
            .with("reason", &verdict.reason);
        match cx.store.commit_delivery(&order, &verdict, &entry).await? {
            Committed::Done => return cx.visible_order(caller, out_trade_no).await,
            Committed::HandlerInvalid(what) => {
                tracing::error!(out_trade_no, what, "the table cannot take the handler's writes");
                refused = Some("处理程序的写入无法执行".to_owned());
            }
            Committed::OrderMoved | Committed::TransactionTaken => {}
            Committed::HandlerRefused => contested = true,
        }
    }
    Err(Code::BUSY.into())
}

async fn deliver(cx: &Context<'_>, order: &Order, contested: bool) -> Result<Verdict, StoreError> {
    if !cx.handlers.knows(&order.kind) {
        return Ok(refusal(&format!("没有类型 {} 的处理程序", order.kind)));
    }
    let paid = PaidOrder { order, now: cx.now() };
    match cx.handlers.run(&paid, &Tables::new(cx.store, contested)).await {
        Ok(writes) => Ok(Verdict { success: Some(true), reason: None, writes }),
        Err(HandlerError::Refused(reason)) => Ok(refusal(&reason)),
        Err(HandlerError::Store(error)) => Err(error),
    }
}

fn refusal(reason: &str) -> Verdict {
    let reason = reason.chars().filter(|c| !c.is_control()).take(200).collect();
    Verdict { success: Some(false), reason: Some(reason), writes: Vec::new() }
}
