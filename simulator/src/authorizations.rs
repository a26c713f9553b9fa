//! Payees who take transfers without confirming each: what they, WeChat Pay and the merchant do, and what must hold.

use crate::chance::chance;
use crate::ops::{Step, look};
use crate::world::{TABLE, World};
use sandbox::{AuthorizationOutcome, CallbackKind, SignedRequest};
use serde_json::{Value, json};

/// One thing that happens to an authorisation.
#[derive(Debug, Clone)]
pub enum Authorizing {
    /// `pay/createUserConfirmAuthorization`.
    Ask(Value),
    /// `pay/queryUserConfirmAuthorization`.
    Query(Value),
    /// `pay/closeUserConfirmAuthorization`.
    Close(Value),
    /// Its payee gives it, takes it back, or lets the time for it pass.
    Settle(String, AuthorizationOutcome),
    /// WeChat Pay tells of it, in words that it had at some time.
    Told(Box<SignedRequest>),
}

impl Authorizing {
    /// Does it. An answer is looked at, whatever it is.
    pub(crate) async fn run(self, world: &World) {
        let (action, data) = match self {
            Self::Ask(data) => ("create", data),
            Self::Query(data) => ("query", data),
            Self::Close(data) => ("close", data),
            Self::Settle(number, outcome) => return settle(world, &number, outcome),
            Self::Told(callback) => {
                if !world.silent {
                    look(world, &world.notify(&callback).await);
                }
                return;
            }
        };
        let body = json!({ "action": format!("pay/{action}UserConfirmAuthorization"), "data": data });
        look(world, &transfer::handle(&world.app, world.call(&body)).await);
    }
}

/// A payee decides; what WeChat Pay tells of it is kept, because it may arrive late.
fn settle(world: &World, number: &str, outcome: AuthorizationOutcome) {
    if world.sandbox.settle_authorization(number, outcome).is_err() || outcome == AuthorizationOutcome::Overdue {
        return;
    }
    if let Ok(callback) = world.sandbox.callback_of(None, number, CallbackKind::Authorization) {
        world.authorized.lock().expect("not poisoned").push(callback);
    }
}

/// An authorisation, what becomes of it, or a transfer under it.
pub(crate) fn any(world: &World) -> Step {
    let number = format!("AUTH_{}", chance(|c| c.below(2)));
    let named = json!({ "out_authorization_no": number, "pid": "second" });
    Step::Authorization(match chance(|c| c.below(9)) {
        0 | 1 => Authorizing::Ask(asking(&number)),
        2 => Authorizing::Query(named),
        3 => Authorizing::Close(named),
        4 => Authorizing::Settle(number, AuthorizationOutcome::Confirmed),
        5 => Authorizing::Settle(number, AuthorizationOutcome::Closed),
        6 => {
            let told = world.authorized.lock().expect("not poisoned").clone();
            match told.is_empty() {
                true => Authorizing::Ask(asking(&number)),
                false => Authorizing::Told(Box::new(chance(|c| c.pick(&told).clone()))),
            }
        }
        _ => return Step::Transfer(payout(&number)),
    })
}

/// What asks a payee for an authorisation.
pub(crate) fn asking(number: &str) -> Value {
    json!({
        "provider": "wxpay", "pid": "second", "out_authorization_no": number, "openid": "payee-1",
        "user_display_name": number,
    })
}

/// A transfer under one.
pub(crate) fn payout(number: &str) -> Value {
    json!({
        "provider": "wxpay", "pid": "second", "out_bill_no": number.replace('_', "PAID"),
        "out_authorization_no": number, "transfer_amount": 100, "transfer_remark": "sim",
    })
}

/// What payees have not given by now they never give, and of the rest WeChat Pay tells until it is taken.
pub(crate) async fn end(world: &World) {
    for authorization in world.sandbox.authorizations() {
        let number = &authorization.number;
        settle(world, number, AuthorizationOutcome::Overdue);
        let known = world.items(TABLE).into_iter().any(|item| {
            item["kind"] == "authorization"
                && item["out_authorization_no"] == **number
                && item["state"] == "TAKING_EFFECT"
        });
        // No query of the schedule finds that one was closed.
        if known
            && authorization.closed.is_some()
            && let Ok(callback) = world.sandbox.callback_of(None, number, CallbackKind::Authorization)
        {
            let _ = world.notify(&callback).await;
        }
    }
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

fn kinds<'a>(items: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    items.iter().filter(move |item| item["kind"] == kind)
}

/// When an item was in which state.
fn states(item: &Value) -> Vec<(i64, &str)> {
    let lines = item["history"].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().map(|line| (line["at"].as_i64().unwrap_or_default(), text(line, "state"))).collect()
}

/// Nothing leaves the end of an authorisation, and transfers under one begin only while it is in effect.
///
/// # Errors
/// Which law is broken, and by what.
pub(crate) fn always(items: &[Value]) -> Result<(), String> {
    for item in kinds(items, "authorization") {
        let states = states(item);
        let closed = states.iter().position(|(_, state)| *state == "CLOSED");
        if closed.is_some_and(|at| at + 1 != states.len()) {
            return Err(format!("an authorisation went on after it was closed: {item}"));
        }
    }
    for transfer in kinds(items, "transfer").filter(|item| !item["out_authorization_no"].is_null()) {
        let (number, merchant) = (text(transfer, "out_authorization_no"), text(transfer, "merchant"));
        let own = |a: &&Value| text(a, "out_authorization_no") == number && text(a, "merchant") == merchant;
        let given = kinds(items, "authorization").find(own).map(states).unwrap_or_default();
        let at = |wanted: &str| given.iter().find(|(_, state)| *state == wanted).map(|(at, _)| *at);
        let begun = states(transfer).first().map_or(0, |(at, _)| *at);
        let in_effect = at("TAKING_EFFECT").is_some_and(|at| at <= begun) && at("CLOSED").is_none_or(|at| begun <= at);
        if !in_effect {
            return Err(format!(
                "a transfer was begun while its authorisation was not in effect: {transfer} {given:?}"
            ));
        }
    }
    Ok(())
}

/// Every authorisation stands as its provider has it.
///
/// # Errors
/// Which law is broken, and by what.
pub(crate) fn quiet(world: &World, items: &[Value]) -> Result<(), String> {
    let there = world.sandbox.authorizations();
    for item in kinds(items, "authorization") {
        let (number, state) = (text(item, "out_authorization_no"), text(item, "state"));
        let wanted = match there.iter().find(|a| a.number == number).map(|a| a.state) {
            None => "REFUSED",
            Some(sandbox::AuthorizationState::WaitUserConfirm) => "WAIT_USER_CONFIRM",
            Some(sandbox::AuthorizationState::TakingEffect) => "TAKING_EFFECT",
            Some(sandbox::AuthorizationState::Closed) => "CLOSED",
        };
        if state != wanted {
            return Err(format!("the authorisation {number} is {wanted} at its provider and {state} here"));
        }
    }
    Ok(())
}
