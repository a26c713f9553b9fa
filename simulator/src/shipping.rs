//! A mini program, whose platform keeps the money until shipping is reported: what happens there, what must hold, and a
//! thousand virtual orders of it.

use crate::chance::chance;
use crate::ops::{Step, number, rfc3339};
use crate::virtually;
use crate::world::{TABLE, World};
use sandbox::{CallbackKind, Misbehaviour, Op, Pay, Provider, Trade};
use serde_json::{Value, json};
use std::time::Duration;

/// Who pays in the mini program.
pub const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// Who reports the shipping of which orders. Of other types nobody does.
pub fn modes() -> Value {
    json!({ "recharge": "virtual", "mine": "virtual", "vip": "pick-up", "goods": "manual" })
}

/// Whether orders of a type are reported by themselves.
fn reports_itself(kind: &str) -> bool {
    matches!(modes()[kind].as_str(), Some("virtual" | "pick-up"))
}

/// Has an order paid in the mini program.
pub fn in_mini_program(data: &mut Value) {
    data["vk_platform"] = json!("mp-weixin");
    data["openid"] = json!(OPENID);
    if let Some(data) = data.as_object_mut() {
        data.remove("needQRcode");
    }
}

/// The next thing that happens in the mini program.
pub fn any(world: &World) -> Step {
    let kept: Vec<Trade> =
        world.sandbox.trades().into_iter().filter(|t| t.shipment.is_some() && t.paid.is_some()).collect();
    let pushed = |c: &mut crate::chance::Chance| c.pick(&kept).number.clone();
    match chance(|c| c.below(10)) {
        0..=2 => {
            let i = chance(|c| c.below(crate::ops::ORDERS));
            Step::Ship(upload(&number(i), chance(|c| c.below(3))))
        }
        3 | 4 => Step::QueryShipping(number(chance(|c| c.below(crate::ops::ORDERS)))),
        5 => Step::ConfirmReceive(number(chance(|c| c.below(crate::ops::ORDERS)))),
        6 | 7 if !kept.is_empty() => Step::ToldShipping(chance(pushed)),
        8 if !kept.is_empty() => Step::Received(chance(pushed)),
        _ => {
            let op = chance(|c| *c.pick(&[Op::Ship, Op::Ship, Op::ShipQuery, Op::ConfirmReceive]));
            let what = chance(|c| {
                *c.pick(&[
                    Misbehaviour::SystemError,
                    Misbehaviour::SystemErrorAfterCommit,
                    Misbehaviour::TooMany,
                    Misbehaviour::Refuse,
                    Misbehaviour::Http5xx,
                    Misbehaviour::Garbage,
                ])
            });
            Step::Misbehave(op, what)
        }
    }
}

/// What a merchant reports, under one of a few tracking numbers.
fn upload(no: &str, tracking: usize) -> Value {
    json!({
        "out_trade_no": no, "logistics_type": 1,
        "shipping_list": [{ "tracking_no": format!("SF{tracking}"), "express_company": "YTO", "item_desc": "sim" }],
    })
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// How far a state is: it never moves back.
pub fn rank(state: &str) -> usize {
    let states = ["due", "part", "reported", "corrected", "received", "settled", "refunded"];
    states.iter().position(|own| *own == state).unwrap_or(0)
}

/// The order that a trade's payment was credited to.
fn order_of<'a>(orders: &[&'a Value], trade: &Trade) -> Option<&'a Value> {
    let id = trade.transaction_id.as_deref()?;
    orders.iter().copied().find(|order| order["provider"] == "wxpay" && text(order, "transaction_id") == id)
}

/// Nothing counts as shipped that is not, and nothing was reported twice that nobody corrected.
///
/// # Errors
/// Which law is broken, and by what.
pub fn always(world: &World, orders: &[&Value], trades: &[Trade]) -> Result<(), String> {
    for trade in trades.iter().filter(|trade| trade.shipment.is_some() && trade.paid.is_some()) {
        let Some(shipment) = &trade.shipment else { continue };
        let Some(order) = order_of(orders, trade) else {
            if shipment.uploads > 0 {
                return Err(format!("{} was reported as shipped, and is credited to no order", trade.number));
            }
            continue;
        };
        let (no, state) = (text(order, "out_trade_no"), text(&order["shipping"], "state"));
        let shipped = matches!(state, "reported" | "corrected" | "received" | "settled");
        if shipped && shipment.finished == 0 {
            return Err(format!("{no} counts as {state}, and nothing was reported"));
        }
        let corrected = world.reported.lock().expect("not poisoned").contains(no);
        if !corrected && shipment.uploads > 1 {
            return Err(format!("{no} was reported {} times, and nobody has corrected it", shipment.uploads));
        }
    }
    Ok(())
}

/// What holds when all is quiet: no order that reports itself is left with its money kept, and of the others somebody is
/// told.
///
/// # Errors
/// Which law is broken, and by what.
pub fn quiet(items: &[Value], orders: &[&Value], trades: &[Trade]) -> Result<(), String> {
    for trade in trades.iter().filter(|trade| trade.is_kept_unshipped()) {
        let Some(order) = order_of(orders, trade) else { continue };
        let (no, kind) = (text(order, "out_trade_no"), text(order, "type"));
        if modes()[kind].is_null() {
            continue;
        }
        let mut incidents = items.iter().filter(|item| item["kind"] == "incident" && item["incident"] == "unshipped");
        let told = incidents.any(|incident| incident["out_trade_no"] == *no);
        let parked = items
            .iter()
            .any(|i| i["kind"] == "task" && i["task"] == "ship" && i["state"] == "parked" && i["out_trade_no"] == *no);
        if !told || reports_itself(kind) && !parked {
            return Err(format!("the money of {no} is kept, and nothing is reported: {order}"));
        }
    }
    Ok(())
}

/// What became of many virtual orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shipped {
    /// Orders that were paid.
    pub paid: usize,
    /// Whose money is kept at the end.
    pub kept: usize,
    /// That were reported more than once.
    pub twice: usize,
}

/// Many virtual orders of a mini program, each paid and told of, in bad weather; then the schedule, for a day.
///
/// # Errors
/// That an order could not be made, paid or told of.
pub fn run(orders: usize, seed: u64, faults: usize) -> Result<Shipped, String> {
    virtually(|| async {
        let world = World::shipping(seed, faults).await;
        world.without_stream();
        for i in 0..orders {
            bought(&world, &format!("SHIP_{i:05}")).await?;
        }
        for _ in 0..60 {
            let event = json!({ "time": rfc3339(world.now()), "maxCalls": 1_000_000 });
            let _ = reconcile::handle(&world.app, &event).await;
            tokio::time::advance(Duration::from_mins(2)).await;
        }
        world.weather.clear();
        for _ in 0..30 {
            let event = json!({ "time": rfc3339(world.now()), "maxCalls": 1_000_000 });
            reconcile::handle(&world.app, &event).await?;
            if world.items(TABLE).iter().all(|item| item["kind"] != "task" || item["state"] != "due") {
                break;
            }
            tokio::time::advance(Duration::from_hours(1)).await;
        }
        let trades = world.sandbox.trades();
        let paid = trades.iter().filter(|trade| trade.paid.is_some());
        Ok(Shipped {
            paid: paid.clone().count(),
            kept: paid.clone().filter(|trade| trade.is_kept_unshipped()).count(),
            twice: paid.filter(|trade| trade.shipment.as_ref().is_some_and(|shipment| shipment.uploads > 1)).count(),
        })
    })
}

/// How often something is tried in bad weather.
const TRIES: usize = 30;

async fn bought(world: &World, no: &str) -> Result<(), String> {
    let mut data = json!({
        "provider": "wxpay", "out_trade_no": no, "total_fee": 100, "subject": "sim", "type": "recharge",
        "custom": { "user_id": "user_0" },
    });
    in_mini_program(&mut data);
    let request = json!({ "action": "pay/createPayment", "data": data });
    let mut made = false;
    for _ in 0..TRIES {
        made = create_payment::handle(&world.app, world.call(&request)).await.status == 200;
        if made {
            break;
        }
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    if !made {
        return Err(format!("{no} could not be made"));
    }
    let how = Pay { provider: Some(Provider::Wxpay), notify: false, ..Pay::default() };
    world.sandbox.pay(no, how).await?;
    for _ in 0..TRIES {
        let callback = world.sandbox.callback_of(Some(Provider::Wxpay), no, CallbackKind::Payment)?;
        if (200..300).contains(&world.notify(&callback).await.status) {
            return Ok(());
        }
        tokio::time::advance(Duration::from_secs(2)).await;
    }
    Err(format!("nobody could be told that {no} is paid"))
}
