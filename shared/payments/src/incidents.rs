//! `pay/queryIncidents` and `pay/resolveIncident`: money that fits no order, and what is done about it.

use super::confirm::Late;
use super::incident_record::{can_go_back, has_amount, refund_of};
use super::{Caller, Confirmed, Context, Fields, Source};
use domain::{Attempt, Code, Failure, Fen, Payment, Refund, RefundState, Sale, fields as f};
use providers::{CallError, Stands};
use serde_json::Value;
use store::{Action, IncidentName, IncidentPage, IncidentStatus, Recorded, Store, StoreError};

/// Incidents, newest first.
///
/// # Errors
/// The field's code for bad input.
pub async fn query_incidents(cx: &Context<'_>, fields: &Fields<'_>) -> Result<IncidentPage, Failure> {
    let status = fields.choice(&f::INCIDENT_STATUS)?;
    let incident = fields.text(&f::INCIDENT)?;
    let known = |name: &str| serde_json::from_value::<IncidentName>(Value::String(name.to_owned())).is_ok();
    if incident.is_some_and(|name| !known(name)) {
        return Err(f::INCIDENT.wrong("is the name of no incident; docs/incidents.md has them"));
    }
    let out_trade_no = fields.number(&f::OUT_TRADE_NO)?;
    let page_size = usize::try_from(fields.integer(&f::PAGE_SIZE)?.unwrap_or(20)).unwrap_or(20);
    let is = |item: &serde_json::Map<String, Value>, name: &str, wanted: Option<&str>| {
        wanted.is_none_or(|wanted| item.get(name).and_then(Value::as_str) == Some(wanted))
    };
    let page = cx.store.incidents(page_size, fields.text(&f::CURSOR)?, |item| {
        is(item, "status", status) && is(item, "incident", incident) && is(item, "out_trade_no", out_trade_no)
    });
    page.await?.ok_or_else(|| f::CURSOR.wrong("is not one that an earlier page has given"))
}

/// Decides about an incident: credits its payment after all, sends it back, or closes it.
///
/// # Errors
/// 404 no such incident; 409 when it is resolved, or the action does not fit; 422 when the provider takes no
/// refunds.
pub async fn resolve_incident(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<(Recorded, Option<Refund>), Failure> {
    let id = fields.needed_text(&f::INCIDENT_ID)?;
    let note = fields.text(&f::NOTE)?;
    let action = match fields.choice(&f::INCIDENT_ACTION)? {
        Some("accept") => Action::Accept,
        Some("refund") => Action::Refund,
        Some("close") => Action::Close,
        _ => return Err(fields.fault(&f::INCIDENT_ACTION)),
    };
    let recorded = find(cx, id).await?;
    if recorded.status == IncidentStatus::Resolved {
        return Err(Code::INCIDENT_RESOLVED.into());
    }
    let mut refund = None;
    match action {
        Action::Close => {
            if recorded.action == Some(Action::Accept)
                || !cx.store.resolve_incident(&recorded, action, &caller.source, note, cx.now()).await?
            {
                return Err(Code::INCIDENT_ACTION.into());
            }
        }
        Action::Accept => Box::pin(accept(cx, caller, &recorded, note)).await?,
        Action::Refund => refund = Box::pin(send_back(cx, caller, &recorded)).await?,
    }
    Ok((find(cx, id).await?, refund))
}

/// Whether an incident's payment may be credited after all: it came too late, and nothing else was decided.
fn may_be_accepted(recorded: &Recorded) -> bool {
    let late = matches!(recorded.incident.incident, IncidentName::LatePayment | IncidentName::UnusedReceipt);
    late && recorded.incident.payment.is_some() && matches!(recorded.action, None | Some(Action::Accept))
}

/// Whether the refund that was decided is under way, or has brought the money back.
async fn is_going_back(store: &Store, recorded: &Recorded) -> Result<bool, StoreError> {
    let incident = &recorded.incident;
    let decided = incident.out_trade_no.as_ref().zip(incident.out_refund_no.as_ref());
    let Some((no, number)) = decided.filter(|_| recorded.action == Some(Action::Refund)) else { return Ok(false) };
    let refund = store.refund(no, number).await?;
    Ok(refund.is_some_and(|refund| matches!(refund.state, RefundState::Processing | RefundState::Success)))
}

/// What may still be decided about an open incident. What its provider says of the payment then has the last word.
///
/// # Errors
/// When the table cannot be read.
pub async fn possible_actions(cx: &Context<'_>, recorded: &Recorded) -> Result<Vec<Action>, StoreError> {
    let mut actions = actions_by_table(cx.store, recorded).await?;
    if actions.contains(&Action::Refund) {
        let back = match paid_by(cx.store, recorded).await? {
            Some((attempt, payment)) => can_go_back(cx, &attempt, payment).await?,
            None => false,
        };
        actions.retain(|action| back || *action != Action::Refund);
    }
    Ok(actions)
}

/// The same as far as the table tells, for whoever has no configuration: whether the provider's product takes refunds is
/// not looked at.
///
/// # Errors
/// When the table cannot be read.
pub async fn actions_by_table(store: &Store, recorded: &Recorded) -> Result<Vec<Action>, StoreError> {
    let open = recorded.action != Some(Action::Accept) && !is_going_back(store, recorded).await?;
    let returns = open && paid_by(store, recorded).await?.is_some();
    let all = [(may_be_accepted(recorded), Action::Accept), (returns, Action::Refund), (open, Action::Close)];
    Ok(all.into_iter().filter_map(|(may, action)| may.then_some(action)).collect())
}

/// The payment of an incident with the attempt that it was made by, where it may go back the way it came.
async fn paid_by<'a>(store: &Store, recorded: &'a Recorded) -> Result<Option<(Attempt, &'a Payment)>, StoreError> {
    let incident = &recorded.incident;
    let Some((payment, no)) = incident.payment.as_ref().zip(incident.out_trade_no.as_ref()) else { return Ok(None) };
    if payment.provider.sale() == Sale::Store || !has_amount(payment) {
        return Ok(None);
    }
    let order = store.order(no).await?;
    let attempt =
        order.as_ref().and_then(|order| order.attempt_for(payment.provider, &payment.merchant, &payment.number));
    Ok(attempt.map(|attempt| (attempt.clone(), payment)))
}

async fn find(cx: &Context<'_>, id: &str) -> Result<Recorded, Failure> {
    cx.store.incident(id).await?.ok_or_else(|| Code::NO_INCIDENT.into())
}

/// Credits a payment that came too late. The incident is claimed first, so that nobody sends the payment back
/// meanwhile; then the provider is asked whether the money is still there.
async fn accept(cx: &Context<'_>, caller: &Caller, recorded: &Recorded, note: Option<&str>) -> Result<(), Failure> {
    let payment = recorded.incident.payment.as_ref().filter(|_| may_be_accepted(recorded));
    let payment = payment.ok_or(Code::INCIDENT_ACTION)?;
    if !cx.store.claim_acceptance(recorded).await? {
        return Err(Code::INCIDENT_ACTION.into());
    }
    let accepted = Recorded { action: Some(Action::Accept), ..recorded.clone() };
    match stands(cx, recorded, payment).await {
        Ok(Stands::Paid | Stands::CannotAsk) => {}
        Ok(Stands::Back) => {
            went_back(cx, &accepted, payment).await?;
            return Err(Failure::new(Code::INCIDENT_ACTION).says(BACK));
        }
        Ok(Stands::PartlyBack) => return Err(dropped(cx, recorded, PARTLY_BACK).await?),
        Ok(Stands::Closed) => return Err(dropped(cx, recorded, CLOSED).await?),
        Ok(Stands::Absent) => return Err(dropped(cx, recorded, ABSENT).await?),
        Err(failure) => {
            cx.store.drop_acceptance(recorded).await?;
            return Err(failure);
        }
    }
    let late = Late::Operator { recorded, by: &caller.source, note };
    match super::confirm::confirm_under(cx, payment, Source::Query, late).await? {
        Confirmed::Credited | Confirmed::Already => {}
        Confirmed::Reversed | Confirmed::Unsettled | Confirmed::Unknown => {
            cx.store.drop_acceptance(recorded).await?;
            return Err(Code::OUTCOME_UNKNOWN.into());
        }
        Confirmed::Incident { .. } => {
            cx.store.drop_acceptance(recorded).await?;
            return Err(Code::INCIDENT_ACTION.into());
        }
    }
    // A credit that was made before ends it now.
    cx.store.resolve_incident(&accepted, Action::Accept, &caller.source, note, cx.now()).await?;
    Ok(())
}

const BACK: &str = "the provider has given the payment back";
const PARTLY_BACK: &str = "the provider has refunds of this payment: look at its console";
const CLOSED: &str = "the provider has closed the payment: look at its console";
const ABSENT: &str = "the provider does not have this payment";

/// The failure of an acceptance that is given up.
async fn dropped(cx: &Context<'_>, recorded: &Recorded, says: &str) -> Result<Failure, Failure> {
    cx.store.drop_acceptance(recorded).await?;
    Ok(Failure::new(Code::INCIDENT_ACTION).says(says))
}

/// Asks the provider how an incident's payment stands now. An order that is not known cannot be asked about.
async fn stands(cx: &Context<'_>, recorded: &Recorded, payment: &Payment) -> Result<Stands, Failure> {
    let no = recorded.incident.out_trade_no.as_deref().unwrap_or_default();
    let order = cx.store.order(no).await?.ok_or(Code::INCIDENT_ACTION)?;
    let attempt = order.attempt_for(payment.provider, &payment.merchant, &payment.number);
    let attempt = attempt.ok_or(Code::INCIDENT_ACTION)?;
    let stands = cx.gateway(attempt).await?.stands(cx.clients, &order, attempt, payment, cx.now()).await;
    Ok(match stands.map_err(CallError::unanswered)? {
        // The refunds that it has are those that we know.
        Stands::PartlyBack if recorded.incident.out_refund_no.is_some() || recorded.returned_fee > Fen::ZERO => {
            Stands::Paid
        }
        stands => stands,
    })
}

/// The money is back already, so the incident has ended, by whom gave it back.
async fn went_back(cx: &Context<'_>, recorded: &Recorded, payment: &Payment) -> Result<(), Failure> {
    let by = payment.provider.name();
    match cx.store.resolve_incident(recorded, Action::Refund, by, Some("refunded at the provider"), cx.now()).await? {
        true => Ok(()),
        false => Err(Code::INCIDENT_ACTION.into()),
    }
}

/// How often a number may be taken before we give up.
const ROUNDS: usize = 16;

/// Sends an incident's payment back; what of it was refunded elsewhere is gone already. `None` when all of it is.
async fn send_back(cx: &Context<'_>, caller: &Caller, recorded: &Recorded) -> Result<Option<Refund>, Failure> {
    let unfit = || Failure::from(Code::INCIDENT_ACTION);
    let incident = &recorded.incident;
    let (payment, no) = incident.payment.as_ref().zip(incident.out_trade_no.as_ref()).ok_or_else(unfit)?;
    let order = cx.store.order(no).await?.ok_or_else(unfit)?;
    let attempt = order.attempt_for(payment.provider, &payment.merchant, &payment.number).ok_or_else(unfit)?;
    // What was credited is refunded as an order.
    let credited =
        async || cx.store.order_of_transaction(payment.provider, &payment.merchant, &payment.transaction_id).await;
    if credited().await?.is_some() || recorded.action == Some(Action::Accept) || payment.provider.sale() == Sale::Store
    {
        return Err(unfit());
    }
    if is_going_back(cx.store, recorded).await? {
        return Err(unfit());
    }
    cx.gateway(attempt).await?.can_refund(attempt)?;
    if !can_go_back(cx, attempt, payment).await? {
        return Err(unfit());
    }
    match stands(cx, recorded, payment).await? {
        Stands::Paid | Stands::CannotAsk => {}
        Stands::Back => {
            went_back(cx, recorded, payment).await?;
            return Ok(None);
        }
        Stands::PartlyBack => return Err(unfit().says(PARTLY_BACK)),
        Stands::Closed => return Err(unfit().says(CLOSED)),
        Stands::Absent => return Err(unfit().says(ABSENT)),
    }
    for n in 1..=ROUNDS {
        let mut refund = refund_of(cx, &order, attempt, payment, &recorded.incident_id, n).await?;
        refund.refund_fee = refund.refund_fee.minus(recorded.returned_fee).ok_or_else(unfit)?;
        if refund.refund_fee == Fen::ZERO {
            return Err(unfit());
        }
        if cx.store.refund(no, &refund.out_refund_no).await?.is_some() {
            continue;
        }
        if cx.store.send_back(recorded, &refund, &caller.source, cx.now()).await? {
            return run(cx, &refund).await.map(Some);
        }
        let now = find(cx, &recorded.incident_id).await?;
        if now.status != recorded.status
            || now.incident.out_refund_no != incident.out_refund_no
            || now.returned_fee != recorded.returned_fee
            || credited().await?.is_some()
        {
            return Err(unfit());
        }
    }
    Err(Code::BUSY.into())
}

/// Makes the first attempt at once; what it does not achieve, the task does later.
async fn run(cx: &Context<'_>, refund: &Refund) -> Result<Refund, Failure> {
    let no = &refund.out_trade_no;
    let task = cx.store.task(no, &format!("refund#{}", refund.out_refund_no)).await?;
    if let Some(task) = task {
        Box::pin(super::tasks::run_task(cx, &task, cx.now())).await?;
    }
    Ok(cx.store.refund(no, &refund.out_refund_no).await?.unwrap_or_else(|| refund.clone()))
}
