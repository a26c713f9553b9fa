//! The type handlers: what happens when an order is paid. This crate is yours to extend.
//!
//! The order's `type` names its handler. To add one, write a file with a function like those here, and add
//! its line to [`handler_of`].

mod custom;
mod goods;
mod recharge;
mod stock;
mod vip;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use shared::payments::{Draft, HandlerError, Handlers, PaidOrder, Tables};
use shared::store::Write;

/// The registry: one line for each `type`.
fn handler_of(kind: &str) -> Option<Handler> {
    Some(match kind {
        "recharge" => run!(recharge::recharge).check(recharge::check).exceeds(recharge::exceeds),
        "goods" => run!(goods::goods).check(goods::check),
        "vip" => run!(vip::vip).check(vip::check),
        "custom" => run!(custom::custom),
        _ => return None,
    })
}

type Run = for<'a> fn(&'a PaidOrder<'a>, &'a Tables<'a>) -> BoxFuture<'a, Result<Vec<Write>, HandlerError>>;

/// A handler: the function that delivers, and what it knows of an order before that is created.
#[derive(Clone, Copy)]
struct Handler {
    run: Run,
    check: fn(&Draft<'_>) -> Result<(), String>,
    exceeds: fn(&Draft<'_>) -> bool,
}

impl Handler {
    fn new(run: Run) -> Self {
        Self { run, check: |_| Ok(()), exceeds: |_| false }
    }

    /// Refuses, when an order is created, data that the handler could never accept.
    fn check(self, check: fn(&Draft<'_>) -> Result<(), String>) -> Self {
        Self { check, ..self }
    }

    /// Tells data that names a larger credit than what is paid: only the merchant's own systems may send it.
    fn exceeds(self, exceeds: fn(&Draft<'_>) -> bool) -> Self {
        Self { exceeds, ..self }
    }
}

/// A handler of an `async fn(&PaidOrder, &Tables) -> Result<Vec<Write>, HandlerError>`.
macro_rules! run {
    ($function:path) => {
        Handler::new(|order, tables| Box::pin($function(order, tables)))
    };
}
use run;

/// The registry, for the functions.
pub struct Registry;

impl Handlers for Registry {
    fn knows(&self, kind: &str) -> bool {
        handler_of(kind).is_some()
    }

    fn check(&self, kind: &str, draft: &Draft<'_>) -> Result<(), String> {
        match handler_of(kind) {
            Some(handler) => (handler.check)(draft),
            None => Err(format!("type {kind}")),
        }
    }

    fn exceeds(&self, kind: &str, draft: &Draft<'_>) -> bool {
        handler_of(kind).is_some_and(|handler| (handler.exceeds)(draft))
    }

    fn run<'a>(
        &'a self,
        order: &'a PaidOrder<'a>,
        tables: &'a Tables<'a>,
    ) -> BoxFuture<'a, Result<Vec<Write>, HandlerError>> {
        match handler_of(&order.order.kind) {
            Some(handler) => (handler.run)(order, tables),
            None => Box::pin(async { Err(HandlerError::refused("没有该类型的处理程序")) }),
        }
    }
}

/// The ids of the items beside a goods item that may hold some of its stock: a shop shows the sum of `stock` over all of
/// them and the goods item, of those that have `shard_of`. None for a product that is not sold from shards.
pub fn shard_ids(goods_id: &str, item: &Map<String, Value>) -> Vec<String> {
    (0..stock::Layout::of(item).count()).map(|n| stock::shard_id(goods_id, n)).collect()
}

/// A whole number of `custom`, in a range, as integer or canonical text.
fn integer(
    custom: &Map<String, Value>,
    name: &str,
    range: std::ops::RangeInclusive<i64>,
) -> Result<Option<i64>, String> {
    let number = match custom.get(name).filter(|v| !v.is_null()) {
        None => return Ok(None),
        Some(Value::String(text)) => text.parse().ok().filter(|n: &i64| n.to_string() == *text),
        Some(value) => value.as_i64(),
    };
    match number.filter(|n| range.contains(n)) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("custom.{name}")),
    }
}

/// A text of `custom` that must be there.
fn text<'a>(custom: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    custom
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty() && text.len() <= 512)
        .ok_or_else(|| format!("custom.{name}"))
}

/// The user must be named somewhere.
fn names_a_user(draft: &Draft<'_>) -> Result<(), String> {
    match (draft.custom.get("user_id").filter(|v| !v.is_null()), draft.user_id) {
        (Some(Value::String(id)), _) if !id.is_empty() && id.len() <= 512 => Ok(()),
        (Some(_), _) => Err("custom.user_id".to_owned()),
        (None, Some(_)) => Ok(()),
        (None, None) => Err("custom.user_id".to_owned()),
    }
}
