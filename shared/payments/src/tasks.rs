//! Tasks: delivering paid orders, to handlers by configuration or again by a handler that refused, making decided
//! refunds, reporting shipping, telling the dead-letter queue. They run from notify (once, within a small budget), from the stream and from the schedule; whoever
//! claims a task by one conditional write runs it, and nobody else does while the claim lasts.

use super::incident_record::alarm;
use super::refund::Answered;
use super::ship::{self, Kept, Outcome};
use super::{Caller, Context, delivery};
use config::{Forward, Target};
use crypto::{aes, hash};
use domain::{Code, Failure, Order, ShippingReport, Task, TaskName, TaskState, UnixMs};
use net::aws;
use serde_json::{Map, Value, json};
use std::time::Duration;
use store::{
    Delivered, Delivery, HistoryEntry, IncidentChange, IncidentName, IncidentStatus, StoreError, TaskEnd, Verdict,
};

/// How an attempt at a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// It is done.
    Done,
    /// It failed and will be tried again.
    Failed,
    /// It failed and is given up.
    Parked,
    /// Somebody else has it, or it has moved on.
    Skipped,
}

/// What the attempt inside a callback may take, and what is left to the provider's answer in all.
const INLINE: Duration = Duration::from_secs(2);
const CALLBACK: Duration = Duration::from_secs(3);
/// Room to write down how the attempt ended.
const MARGIN: Duration = Duration::from_millis(250);
/// How long a delivery waits at least for the end of a refund.
const WAIT: Duration = Duration::from_mins(1);
/// The longest `user_order_reason`, characters.
const REASON: usize = 200;

/// Runs a task that is due, at the clock of the run.
///
/// # Errors
/// When the table cannot be reached; a receiver or provider that fails is an ending, not an error.
pub async fn run_task(cx: &Context<'_>, task: &Task, at: UnixMs) -> Result<Ran, StoreError> {
    if task.state != TaskState::Due || task.due > at {
        return Ok(Ran::Skipped);
    }
    let Some(claimed) = cx.store.claim_task(task, at).await? else { return Ok(Ran::Skipped) };
    match claimed.task {
        TaskName::Handler => Box::pin(deliver(cx, &claimed, at, None, "dispatch")).await,
        TaskName::Refund => Box::pin(send_back(cx, &claimed, at)).await,
        TaskName::Alarm => tell(cx, &claimed, at).await,
        TaskName::Ship => Box::pin(ship(cx, &claimed, at)).await,
    }
}

/// The one attempt within a callback. Whatever comes of it, the callback is answered.
pub(super) async fn deliver_inline(cx: &Context<'_>, task: &Task) {
    let left = CALLBACK.saturating_sub(cx.began.elapsed());
    let budget = INLINE.min(left).saturating_sub(MARGIN);
    if budget < MARGIN {
        return;
    }
    let attempt = async {
        let at = cx.now();
        match cx.store.claim_task(task, at).await? {
            Some(claimed) => Box::pin(deliver(cx, &claimed, at, Some(budget), "dispatch")).await,
            None => Ok(Ran::Skipped),
        }
    };
    match tokio::time::timeout(left, attempt).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::warn!(out_trade_no = %task.out_trade_no, %error, "an attempt at a task ended without a trace")
        }
        Err(_) => {
            tracing::warn!(out_trade_no = %task.out_trade_no, "an attempt at a task took too long for a callback")
        }
    }
}

/// An operator runs the delivery of an order again.
///
/// # Errors
/// 409 while another attempt runs.
pub(super) async fn deliver_again(cx: &Context<'_>, caller: &Caller, order: &Order) -> Result<(), Failure> {
    let (no, at) = (&order.out_trade_no, cx.now());
    let name = Task::new(TaskName::Handler, no, None, at).name();
    let task = match cx.store.task(no, &name).await? {
        Some(task) => task,
        None => {
            let entry = HistoryEntry::new("handler", &caller.source, at);
            cx.store.begin_delivery(order, &entry).await?;
            cx.store.task(no, &name).await?.ok_or(Code::BUSY)?
        }
    };
    if task.state == TaskState::Done || task.lease.is_some_and(|until| until > at) {
        return Err(Code::BUSY.into());
    }
    let claimed = cx.store.claim_task(&task, at).await?.ok_or(Code::BUSY)?;
    Box::pin(deliver(cx, &claimed, at, None, &caller.source)).await?;
    Ok(())
}

/// One attempt at delivering an order: by its handler's writes, or by handing it over.
async fn deliver(
    cx: &Context<'_>,
    claimed: &Task,
    at: UnixMs,
    budget: Option<Duration>,
    by: &str,
) -> Result<Ran, StoreError> {
    let mut handed: Option<Result<(), String>> = None;
    let mut refused: Option<&str> = None;
    let mut contested = false;
    for round in 0..delivery::ROUNDS {
        let Some(order) = cx.store.order(&claimed.out_trade_no).await? else {
            cx.store.end_task(claimed, &TaskEnd::Done).await?;
            return Ok(Ran::Done);
        };
        if order.user_order_success == Some(true) {
            cx.store.end_task(claimed, &TaskEnd::Done).await?;
            return Ok(Ran::Done);
        }
        // Nothing is delivered any more that was paid back in full, and nothing while that is under way.
        if order.refund_fee >= order.total_fee {
            return nothing_to_deliver(cx, claimed, &order).await;
        }
        // A refund whose end nobody tells is not waited for longer than a delivery is tried.
        let held = order.goes_back() && handed.is_none();
        if held && (claimed.state != TaskState::Due || claimed.next_due(at, 0).is_some()) {
            return postpone(cx, claimed, at).await;
        }
        let forward = cx.config.handlers.get(&order.kind);
        let verdict = match (forward, refused) {
            _ if held => delivery::refusal("全额退款处理中，结果未知，未交付"),
            (Some(forward), _) => {
                let sent = match handed.take() {
                    Some(sent) => sent,
                    None if !may_be_handed(cx, claimed).await? => return Ok(Ran::Skipped),
                    None => send(cx, forward, &order, budget).await,
                };
                handed = Some(sent.clone());
                Verdict { success: Some(sent.is_ok()), reason: sent.err(), writes: Vec::new() }
            }
            (None, Some(reason)) => delivery::refusal(reason),
            (None, None) if claimed.handed => delivery::refusal(delivery::HANDED),
            (None, None) => delivery::verdict(cx, &order, contested).await?,
        };
        let attempt = order.paid_attempt().unwrap_or(order.current());
        let (end, ran) = match &verdict.reason {
            None => (TaskEnd::Done, Ran::Done),
            Some(why) => after_failure(claimed, at, why.clone()),
        };
        let given_up = ran == Ran::Parked && claimed.state == TaskState::Due;
        let name = if given_up { IncidentName::HandlerParked } else { IncidentName::Undelivered };
        let incident = delivery::incident_of(name, &order, attempt, verdict.reason.as_deref());
        let id = incident.id();
        // Of a first delivery that succeeds nothing was ever said.
        let silent = ran == Ran::Done && order.user_order_success.is_none();
        let known = if silent { None } else { cx.store.incident(&id).await? };
        let change = match (ran, &known) {
            (Ran::Done, Some(known)) if known.status == IncidentStatus::Open => IncidentChange::Ended(&id),
            (Ran::Done, _) => IncidentChange::None,
            (_, Some(_)) if !given_up => IncidentChange::None,
            _ => IncidentChange::Written(&incident),
        };
        let entry = tried(by, claimed, &verdict, cx.now());
        let done = Delivery {
            claimed,
            end: &end,
            version: forward.is_none().then_some(order.version),
            writes: &verdict.writes,
            incident: change,
            given_up,
            entry,
        };
        match cx.store.end_delivery(&done).await? {
            Delivered::Done => {
                if let IncidentChange::Written(incident) = change {
                    super::incident_record::ring(incident);
                }
                return Ok(ran);
            }
            Delivered::Lost => return Ok(Ran::Skipped),
            Delivered::Moved => {}
            Delivered::HandlerRefused if round + 3 >= delivery::ROUNDS => refused = Some(delivery::CONTESTED),
            Delivered::HandlerRefused => contested = true,
            Delivered::HandlerInvalid(what) => refused = Some(delivery::unable(&order, &what)),
        }
    }
    Err(StoreError::new("delivery", "the order changes all the time"))
}

/// Whether an order may be handed over: the task says so already, or, if it is of before its type had a handler by
/// configuration, says so from now on.
async fn may_be_handed(cx: &Context<'_>, claimed: &Task) -> Result<bool, StoreError> {
    if claimed.handed { Ok(true) } else { cx.store.mark_handed(claimed).await }
}

/// The history of an attempt at a delivery.
fn tried(by: &str, claimed: &Task, verdict: &Verdict, now: UnixMs) -> HistoryEntry {
    HistoryEntry::new("handler", by, now)
        .with("user_order_success", &verdict.reason.is_none())
        .with("attempt", &claimed.attempts)
        .with("reason", &verdict.reason)
}

/// An order that was paid back in full is not delivered, and its incident has ended.
async fn nothing_to_deliver(cx: &Context<'_>, claimed: &Task, order: &Order) -> Result<Ran, StoreError> {
    delivery::end_by_refund(cx, order).await?;
    cx.store.end_task(claimed, &TaskEnd::Done).await?;
    Ok(Ran::Done)
}

/// An order of which all is on its way back, where how the refund ends decides, or that somebody else is at.
async fn postpone(cx: &Context<'_>, claimed: &Task, at: UnixMs) -> Result<Ran, StoreError> {
    let why = claimed.last_error.clone().unwrap_or_else(|| "全额退款处理中".to_owned());
    let end = match claimed.state {
        TaskState::Parked => TaskEnd::Parked(why),
        TaskState::Due | TaskState::Done => TaskEnd::Again(claimed.next_due(at, 0).unwrap_or(at).max(at + WAIT), why),
    };
    let ended = cx.store.end_task(claimed, &end).await?;
    Ok(if ended { Ran::Failed } else { Ran::Skipped })
}

fn after_failure(claimed: &Task, at: UnixMs, why: String) -> (TaskEnd, Ran) {
    // Spread over the orders, not over chance: the same attempt has the same pause.
    let spread = hash::sha256_hex(format!("{}#{}", claimed.out_trade_no, claimed.attempts).as_bytes());
    let jitter = u32::from_str_radix(&spread[..8], 16).unwrap_or(0) % 1_000;
    match claimed.next_due(at, jitter) {
        // What was given up stays so when an operator's own attempt fails.
        Some(due) if claimed.state == TaskState::Due => (TaskEnd::Again(due, why), Ran::Failed),
        _ => (TaskEnd::Parked(why), Ran::Parked),
    }
}

/// Hands an order over. The error is the reason, as the order will show it.
async fn send(cx: &Context<'_>, forward: &Forward, order: &Order, budget: Option<Duration>) -> Result<(), String> {
    let mut body = order.custom.clone();
    // What a payer's own data names so would be taken for the order's, or for ours.
    body.retain(|name, _| !domain::COLUMNS.contains(&name.as_str()) && !["key", "encrypted"].contains(&name.as_str()));
    body.extend(order.columns());
    let mut secrets: Vec<&str> = cx.config.notify_key.iter().map(domain::Secret::expose).collect();
    if let Target::Http { key: Some(key), .. } = &forward.target {
        body.insert("key".to_owned(), json!(key.expose()));
        secrets.push(key.expose());
    }
    let mut body = Value::Object(body);
    if let Some(mode) = forward.encrypt {
        let key = secrets.first().copied().ok_or("未配置 notifyKey")?;
        let sealed = aes::encrypt(mode, key, body.to_string().as_bytes()).map_err(|_| "notifyKey 无法用于加密")?;
        body = json!({ "encrypted": sealed });
    }
    let key = hash::sha256_hex(order.out_trade_no.as_bytes());
    let timeout = budget.map_or(forward.timeout, |budget| budget.min(forward.timeout));
    let answer = match &forward.target {
        Target::Http { url, allow_private, .. } => {
            let headers = [("idempotency-key", key.as_str())];
            let sent = cx.clients.receivers.post(url, *allow_private, &headers, body.to_string().into_bytes(), timeout);
            let (status, answer) = sent.await.map_err(|error| format!("处理程序无应答: {error}"))?;
            if status != 200 {
                return Err(format!("处理程序返回 HTTP {status}"));
            }
            answer
        }
        Target::EventBus { bus, source, detail_type } => {
            if let Value::Object(body) = &mut body {
                body.insert("idempotency_key".to_owned(), json!(key));
            }
            let event = aws::BusEvent { bus, source, detail_type, detail: &body };
            let put = aws::put_event(&cx.clients.http, &event, timeout).await;
            return put.map_err(|error| format!("事件总线未接收: {error}"));
        }
        Target::Lambda { function, url } => {
            if let Value::Object(body) = &mut body {
                body.insert("idempotency_key".to_owned(), json!(key));
            }
            let payload = match url {
                Some(url) => json!({ "$url": url, "data": body }),
                None => body,
            };
            aws::invoke(&cx.clients.http, function, &payload, timeout)
                .await
                .map_err(|error| format!("处理程序无应答: {error}"))?
        }
    };
    let answer: Map<String, Value> = match serde_json::from_slice(&answer) {
        Ok(Value::Object(answer)) => proxied(answer),
        _ => return Err("处理程序返回的不是 JSON 对象".to_owned()),
    };
    if answer.get("code").and_then(Value::as_i64) == Some(0) {
        return Ok(());
    }
    let said = answer.get("msg").and_then(Value::as_str).filter(|msg| !msg.trim().is_empty());
    let mut reason = said.unwrap_or("处理程序未返回 code 0").to_owned();
    for secret in secrets {
        reason = reason.replace(secret, "***");
    }
    Err(reason.chars().filter(|c| !c.is_control()).take(REASON).collect())
}

/// The object itself, or the one in the body of a proxy's reply with status 200.
fn proxied(answer: Map<String, Value>) -> Map<String, Value> {
    match (answer.get("statusCode"), answer.get("body")) {
        (Some(status), Some(Value::String(body))) if !answer.contains_key("code") => {
            let inner = serde_json::from_str(body).ok().filter(|_| status.as_i64() == Some(200));
            inner.unwrap_or_default()
        }
        (Some(status), Some(Value::Object(body))) if !answer.contains_key("code") => {
            if status.as_i64() == Some(200) {
                body.clone()
            } else {
                Map::new()
            }
        }
        _ => answer,
    }
}

/// Makes a refund that was decided, or finds that it is made. What the provider has taken is followed up as
/// any refund; what it refuses is tried again.
async fn send_back(cx: &Context<'_>, claimed: &Task, at: UnixMs) -> Result<Ran, StoreError> {
    let number = claimed.subject.as_deref().unwrap_or_default();
    let found = (cx.store.order(&claimed.out_trade_no).await?, cx.store.refund(&claimed.out_trade_no, number).await?);
    let (Some(order), Some(refund)) = found else {
        cx.store.end_task(claimed, &TaskEnd::Done).await?;
        return Ok(Ran::Done);
    };
    let made = match claimed.attempts {
        1 => Box::pin(super::refund::begin(cx, &order, &refund)).await,
        _ => Box::pin(super::refund::pursue(cx, &order, &refund, "policy", Answered::ToWhoAsks)).await,
    };
    let (end, ran) = match made {
        Ok(_) => (TaskEnd::Done, Ran::Done),
        // The refund is followed up on its own.
        Err(failure) if failure.code == Code::OUTCOME_UNKNOWN => (TaskEnd::Done, Ran::Done),
        Err(failure) => {
            let why = failure.says.or(failure.private).unwrap_or_else(|| failure.code.zh.to_owned());
            after_failure(claimed, at, why.chars().take(REASON).collect())
        }
    };
    let ended = cx.store.end_task(claimed, &end).await?;
    if ended && ran == Ran::Parked {
        telemetry::alarm!("refund_parked", out_trade_no = %claimed.out_trade_no, out_refund_no = %number);
    }
    Ok(if ended { ran } else { Ran::Skipped })
}

/// Reports the shipping of an order that is reported by itself; of one that the merchant reports, looks whether that was
/// done. It is given up when its time is over, and somebody is told of it.
async fn ship(cx: &Context<'_>, claimed: &Task, at: UnixMs) -> Result<Ran, StoreError> {
    let done = async || cx.store.end_task(claimed, &TaskEnd::Done).await.map(|_| Ran::Done);
    let Some(order) = cx.store.order(&claimed.out_trade_no).await? else { return done().await };
    let Some(shipping) = order.shipping.as_ref().filter(|shipping| shipping.state.is_due()) else {
        return done().await;
    };
    // A node that the configuration has no more cannot be asked.
    let Some(kept) = Kept::of(cx, &order).await? else {
        return end_ship(cx, claimed, at, "its node is not configured any more").await;
    };
    // A refund whose end nobody tells is not waited for longer than shipping is tried.
    if order.goes_back() && !ship::went_back(&order) {
        return match claimed.next_due(at, 0) {
            Some(_) => postpone(cx, claimed, at).await,
            None => end_ship(cx, claimed, at, "a refund of all of it does not end").await,
        };
    }
    let Some(held) = ship::hold(cx, &kept).await? else { return postpone(cx, claimed, at).await };
    if ship::went_back(&order) {
        held.refunded(cx, "dispatch").await?;
        return done().await;
    }
    let Some(logistics) = shipping.mode.logistics() else {
        let why = match kept.ask(cx).await {
            Ok(standing) if !standing.state.is_due() => {
                held.sync(cx, &standing, "dispatch").await?;
                return done().await;
            }
            Ok(standing) => format!("the platform has it as {}", standing.state.name()),
            Err(error) => format!("the platform does not tell: {error}"),
        };
        held.tell(cx, &why).await?;
        return done().await;
    };
    let report = ShippingReport::whole(logistics, &order.description);
    let (outcome, _) = ship::report(cx, held, &report, false, "dispatch").await?;
    match outcome {
        Outcome::Taken | Outcome::Over(_) => done().await,
        Outcome::NotYet | Outcome::Refused(_) | Outcome::Unknown(_) | Outcome::Spent => {
            end_ship(cx, claimed, at, &outcome.words()).await
        }
    }
}

/// Ends an attempt at reporting shipping that came to nothing; who gives it up has somebody told.
async fn end_ship(cx: &Context<'_>, claimed: &Task, at: UnixMs, why: &str) -> Result<Ran, StoreError> {
    let why: String = why.chars().take(REASON).collect();
    let (end, ran) = match after_failure(claimed, at, why.clone()) {
        (TaskEnd::Again(due, why), ran) => (TaskEnd::Again(due.max(at + WAIT), why), ran),
        other => other,
    };
    if ran == Ran::Parked {
        let Some(order) = cx.store.order(&claimed.out_trade_no).await? else { return Ok(Ran::Skipped) };
        match Kept::of(cx, &order).await? {
            None => drop(alarm(cx, &ship::incident_of(&order, &why), true).await?),
            Some(kept) => match ship::hold(cx, &kept).await? {
                Some(held) if held.shipping.state.is_due() => drop(held.tell(cx, &why).await?),
                Some(held) => held.release(cx).await?,
                None => return postpone(cx, claimed, at).await,
            },
        }
    }
    Ok(if cx.store.end_task(claimed, &end).await? { ran } else { Ran::Skipped })
}

/// Puts the message of a delivery that was given up into the dead-letter queue.
async fn tell(cx: &Context<'_>, claimed: &Task, at: UnixMs) -> Result<Ran, StoreError> {
    let no = &claimed.out_trade_no;
    let (order, task) = (cx.store.order(no).await?, cx.store.task(no, "handler").await?);
    let message = json!({
        "kind": "handler",
        "out_trade_no": no,
        "type": order.map(|order| order.kind),
        "reason": task.as_ref().and_then(|task| task.last_error.clone()),
        "attempts": task.as_ref().map(|task| task.attempts),
    });
    let sent = match cx.dead_letters {
        Some(queue) => aws::send_message(&cx.clients.http, queue, &message).await,
        None => Ok(()),
    };
    let (end, ran) = match sent {
        Ok(()) => (TaskEnd::Done, Ran::Done),
        Err(why) => {
            tracing::error!(out_trade_no = %no, why, "the dead-letter queue cannot be notified");
            after_failure(claimed, at, why)
        }
    };
    Ok(if cx.store.end_task(claimed, &end).await? { ran } else { Ran::Skipped })
}
