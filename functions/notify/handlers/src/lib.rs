//! The type handlers: what happens when an order is paid. This crate is yours to extend.
//!
//! The order's `type` names its handler. To add one: write a file with a function like those here, and add
//! its line to each `match` below; the compiler tells when one is missing.

mod custom;
mod goods;
mod recharge;
mod vip;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use shared::payment::{Draft, HandlerError, Handlers, PaidOrder, Tables};
use shared::store::Write;

/// The registry.
pub struct Registry;

/// The types that have a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Recharge,
    Goods,
    Vip,
    Custom,
}

impl Type {
    fn parse(kind: &str) -> Option<Self> {
        match kind {
            "recharge" => Some(Self::Recharge),
            "goods" => Some(Self::Goods),
            "vip" => Some(Self::Vip),
            "custom" => Some(Self::Custom),
            _ => None,
        }
    }
}

impl Handlers for Registry {
    fn knows(&self, kind: &str) -> bool {
        Type::parse(kind).is_some()
    }

    fn check(&self, kind: &str, draft: &Draft<'_>) -> Result<(), String> {
        match Type::parse(kind) {
            Some(Type::Recharge) => recharge::check(draft),
            Some(Type::Goods) => goods::check(draft),
            Some(Type::Vip) => vip::check(draft),
            Some(Type::Custom) => Ok(()),
            None => Err(format!("type {kind}")),
        }
    }

    fn exceeds(&self, kind: &str, draft: &Draft<'_>) -> bool {
        match Type::parse(kind) {
            Some(Type::Recharge) => recharge::exceeds(draft),
            Some(Type::Goods | Type::Vip | Type::Custom) | None => false,
        }
    }

    fn run<'a>(
        &'a self,
        order: &'a PaidOrder<'a>,
        tables: &'a Tables<'a>,
    ) -> BoxFuture<'a, Result<Vec<Write>, HandlerError>> {
        Box::pin(async move {
            match Type::parse(&order.order.kind) {
                Some(Type::Recharge) => recharge::recharge(order, tables).await,
                Some(Type::Goods) => goods::goods(order, tables).await,
                Some(Type::Vip) => vip::vip(order, tables).await,
                Some(Type::Custom) => custom::custom(order, tables).await,
                None => Err(HandlerError::refused("没有该类型的处理程序")),
            }
        })
    }
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
