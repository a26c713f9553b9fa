//! Tasks: handing paid orders to handlers by configuration, making decided refunds, telling the dead-letter
//! queue. They run from notify (once, within a small budget), from the stream and from the schedule; whoever
//! claims a task by one conditional write runs it, and nobody else does while the claim lasts.

use super::{Caller, Context};
use crate::aws;
use crate::code::{Code, Failure};
use crate::config::{Forward, Target};
use crate::crypto::{aes, hash};
use crate::order::{Order, Task, TaskName, TaskState};
use crate::store::{HistoryEntry, Incident, IncidentName, StoreError, TaskEnd};
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::time::Duration;

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
/// The longest `user_order_reason`, characters.
const REASON: usize = 200;

/// Runs a task that is due, at the clock of the run.
///
/// # Errors
/// When the table cannot be reached; a receiver or provider that fails is an ending, not an error.
pub async fn run_task(cx: &Context<'_>, task: &Task, at: i64) -> Result<Ran, StoreError> {
    if task.state != TaskState::Due || task.due > at {
        return Ok(Ran::Skipped);
    }
    let Some(claimed) = cx.store.claim_task(task, at).await? else { return Ok(Ran::Skipped) };
    match claimed.task {
        TaskName::Handler => deliver(cx, &claimed, at, None).await,
        TaskName::Refund => send_back(cx, &claimed, at).await,
        TaskName::Alarm => tell(cx, &claimed, at).await,
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
            Some(claimed) => deliver(cx, &claimed, at, Some(budget)).await,
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
    deliver(cx, &claimed, at, None).await?;
    Ok(())
}

/// One attempt at handing an order over.
async fn deliver(cx: &Context<'_>, claimed: &Task, at: i64, budget: Option<Duration>) -> Result<Ran, StoreError> {
    let Some(order) = cx.store.order(&claimed.out_trade_no).await? else {
        cx.store.end_task(claimed, &TaskEnd::Done).await?;
        return Ok(Ran::Done);
    };
    // Nothing is handed over any more that was paid back in full.
    if order.user_order_success == Some(true) || order.refund_fee >= order.total_fee {
        cx.store.end_task(claimed, &TaskEnd::Done).await?;
        return Ok(Ran::Done);
    }
    let sent = match cx.config.handlers.get(&order.kind) {
        Some(forward) => send(cx, forward, &order, budget).await,
        None => Err(format!("没有类型 {} 的处理程序", order.kind)),
    };
    let (end, ran) = match sent {
        Ok(()) => (TaskEnd::Done, Ran::Done),
        Err(why) => after_failure(claimed, at, why),
    };
    let reason = match &end {
        TaskEnd::Done => None,
        TaskEnd::Again(_, why) | TaskEnd::Parked(why) => Some(why),
    };
    let entry = HistoryEntry::new("handler", "dispatch", cx.now())
        .with("user_order_success", &reason.is_none())
        .with("attempt", &claimed.attempts)
        .with("reason", &reason);
    let given_up = (ran == Ran::Parked && claimed.state == TaskState::Due).then(|| Incident {
        out_trade_no: Some(order.out_trade_no.clone()),
        ..Incident::new(IncidentName::HandlerParked, order.provider, &order.merchant)
    });
    match cx.store.end_delivery(claimed, &end, given_up.as_ref(), &entry).await? {
        true => {
            if let Some(incident) = &given_up {
                super::confirm::sound(incident);
            }
            Ok(ran)
        }
        false => Ok(Ran::Skipped),
    }
}

fn after_failure(claimed: &Task, at: i64, why: String) -> (TaskEnd, Ran) {
    // Spread over the orders, not over chance: the same attempt has the same pause.
    let spread = hash::sha256_hex(format!("{}#{}", claimed.out_trade_no, claimed.attempts).as_bytes());
    let jitter = i64::from_str_radix(&spread[..8], 16).unwrap_or(0) % 1_000;
    match claimed.next_due(at, jitter) {
        // What was given up stays so when an operator's own attempt fails.
        Some(due) if claimed.state == TaskState::Due => (TaskEnd::Again(due, why), Ran::Failed),
        _ => (TaskEnd::Parked(why), Ran::Parked),
    }
}

/// Hands an order over. The error is the reason, as the order will show it.
async fn send(cx: &Context<'_>, forward: &Forward, order: &Order, budget: Option<Duration>) -> Result<(), String> {
    let mut body = order.custom.clone();
    body.extend(order.columns());
    let mut secrets: Vec<&str> = cx.config.notify_key.iter().map(crate::secret::Secret::expose).collect();
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
            let sent = cx.outside.receivers.post(url, *allow_private, &headers, body.to_string().into_bytes(), timeout);
            let (status, answer) = sent.await.map_err(|error| format!("处理程序无应答: {error}"))?;
            if status != 200 {
                return Err(format!("处理程序返回 HTTP {status}"));
            }
            answer
        }
        Target::Lambda { function, url } => {
            if let Value::Object(body) = &mut body {
                body.insert("idempotency_key".to_owned(), json!(key));
            }
            let payload = match url {
                Some(url) => json!({ "$url": url, "data": body }),
                None => body,
            };
            aws::invoke(&cx.outside.http, function, &payload, timeout)
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
async fn send_back(cx: &Context<'_>, claimed: &Task, at: i64) -> Result<Ran, StoreError> {
    let number = claimed.subject.as_deref().unwrap_or_default();
    let found = (cx.store.order(&claimed.out_trade_no).await?, cx.store.refund(&claimed.out_trade_no, number).await?);
    let (Some(order), Some(refund)) = found else {
        cx.store.end_task(claimed, &TaskEnd::Done).await?;
        return Ok(Ran::Done);
    };
    let made = match claimed.attempts {
        1 => super::refund::begin(cx, &order, &refund).await,
        _ => super::refund::pursue(cx, &order, &refund, "policy").await,
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
        let fields: [(_, &dyn Display); 2] = [("out_trade_no", &claimed.out_trade_no), ("out_refund_no", &number)];
        crate::log::alarm("refund_parked", &fields);
    }
    Ok(if ended { ran } else { Ran::Skipped })
}

/// Puts the message of a delivery that was given up into the dead-letter queue.
async fn tell(cx: &Context<'_>, claimed: &Task, at: i64) -> Result<Ran, StoreError> {
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
        Some(queue) => aws::send_message(&cx.outside.http, queue, &message).await,
        None => Ok(()),
    };
    let (end, ran) = match sent {
        Ok(()) => (TaskEnd::Done, Ran::Done),
        Err(why) => {
            tracing::error!(out_trade_no = %no, why, "the dead-letter queue cannot be told");
            after_failure(claimed, at, why)
        }
    };
    Ok(if cx.store.end_task(claimed, &end).await? { ran } else { Ran::Skipped })
}
