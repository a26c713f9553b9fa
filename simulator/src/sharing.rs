//! Orders that are shared: what happens to them, and what must hold.

use crate::chance::chance;
use crate::choice::fault;
use crate::ops::{ORDERS, Step, number};
use crate::world::{TABLE, World};
use sandbox::{Op, Trade};
use serde_json::{Value, json};

/// Who may be given a share: two merchants and a person.
pub const RECEIVERS: [(&str, &str); 3] =
    [("MERCHANT_ID", "1900000100"), ("MERCHANT_ID", "1900000200"), ("PERSONAL_OPENID", "oReceiver0000000001")];

/// Who may be given a share of what Alipay was paid.
pub const ALIPAY_RECEIVERS: [(&str, &str); 2] = [("userId", "2088000000000100"), ("openId", "o_receiver_1")];

/// Has an order made to be shared; at Alipay in a mini program, because what is paid face to face is not shared there.
pub fn may_be_shared(data: &mut Value) {
    data["other"] = json!({ "profit_sharing": true });
    if data["provider"] == "alipay" {
        data["vk_platform"] = json!("mp-alipay");
        data["openid"] = json!("o_user_1");
        data["needQRcode"] = json!(false);
    }
}

/// Who may be given a share of an order, by who is paid for it.
fn receivers_of(world: &World, no: &str) -> &'static [(&'static str, &'static str)] {
    let orders = world.items(TABLE);
    let order = orders.iter().find(|item| item["kind"] == "order" && item["out_trade_no"] == no);
    match order.is_some_and(|order| order["provider"] == "alipay") {
        true => &ALIPAY_RECEIVERS,
        false => &RECEIVERS,
    }
}

/// The next thing that happens to shared orders.
pub fn any(world: &World) -> Step {
    match chance(|c| c.below(12)) {
        0..=4 => {
            let (i, s) = chance(|c| (c.below(ORDERS), c.below(4)));
            let receivers = receivers_of(world, &number(i));
            Step::Share(share_to(
                i,
                s,
                receivers[chance(|c| c.below(receivers.len()))],
                chance(|c| c.below(90)) as u64 + 1,
            ))
        }
        5 => Step::Unfreeze(json!({
            "out_trade_no": number(chance(|c| c.below(ORDERS))), "out_order_no": format!("U{}", chance(|c| c.below(8))),
        })),
        6 | 7 => returning(world),
        8 if chance(|c| c.permille(300)) => {
            let i = chance(|c| c.below(ORDERS));
            Step::ToldShare(number(i), format!("{}_S{}", number(i), chance(|c| c.below(4))))
        }
        8 => Step::QueryShare(number(chance(|c| c.below(ORDERS)))),
        9 => {
            let account = chance(|c| {
                *c.pick(&[RECEIVERS[0], RECEIVERS[1], RECEIVERS[2], ALIPAY_RECEIVERS[0], ALIPAY_RECEIVERS[1]])
            })
            .1;
            let fails = chance(|c| c.permille(400));
            Step::FailReceiver(account, fails, chance(|c| c.permille(500)))
        }
        _ => Step::Misbehave(
            chance(|c| *c.pick(&[Op::Share, Op::ShareQuery, Op::ShareReturn, Op::ShareReturnQuery])),
            fault(),
        ),
    }
}

/// A share of an order under one of a few numbers.
pub fn share(i: usize, s: usize, receiver: usize, amount: u64) -> Value {
    share_to(i, s, RECEIVERS[receiver], amount)
}

/// The same to a receiver.
pub fn share_to(i: usize, s: usize, (kind, account): (&str, &str), amount: u64) -> Value {
    json!({
        "out_trade_no": number(i), "out_order_no": format!("{}_S{s}", number(i)),
        "receivers": [{ "type": kind, "account": account, "amount": amount, "description": "sim" }],
    })
}

/// A return of some share, where there is one.
fn returning(world: &World) -> Step {
    let shares: Vec<Value> = world.items(TABLE).into_iter().filter(|item| item["kind"] == "share").collect();
    let of = |share: &Value| share["receivers"].as_array().is_some_and(|all| !all.is_empty());
    let shares: Vec<Value> = shares.into_iter().filter(of).collect();
    if shares.is_empty() {
        return Step::QueryShare(number(chance(|c| c.below(ORDERS))));
    }
    let share = chance(|c| c.pick(&shares).clone());
    Step::ReturnShare(json!({
        "out_trade_no": share["out_trade_no"], "out_order_no": share["out_order_no"],
        "out_return_no": return_number(&share),
        "return_mchid": share["receivers"][0]["account"], "amount": chance(|c| c.below(60)) as u64 + 1,
    }))
}

/// The number of a return; now and then one that a refund may have.
fn return_number(share: &Value) -> String {
    match chance(|c| c.permille(100)) {
        true => format!("{}_R{}", text(share, "out_trade_no"), chance(|c| c.below(2))),
        false => format!("{}_B{}", text(share, "out_order_no"), chance(|c| c.below(3))),
    }
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

fn fen(item: &Value, name: &str) -> u64 {
    item[name].as_u64().unwrap_or_default()
}

fn own<'a>(items: &'a [Value], kind: &'a str, no: &'a str) -> impl Iterator<Item = &'a Value> {
    items.iter().filter(move |item| item["kind"] == kind && item["out_trade_no"] == *no)
}

fn receivers(share: &Value) -> impl Iterator<Item = &Value> {
    share["receivers"].as_array().into_iter().flatten()
}

/// Whether somebody refunded it in the provider's console, which asks nobody.
fn went_back_elsewhere(trade: &Trade) -> bool {
    // In Alipay's console under a number that is none of ours, or under none.
    let elsewhere = |number: &str| number.contains("_BACK") || !number.starts_with("ORDER_");
    trade.refunds.iter().any(|refund| elsewhere(&refund.out_refund_no))
}

/// All that was shared and refunded never exceeds what was paid, at the provider and in the table; and an order's sums are
/// those of its shares and returns.
///
/// # Errors
/// Which law is broken, and by what.
pub fn always(world: &World) -> Result<(), String> {
    let items = world.items(TABLE);
    let trades = world.sandbox.trades();
    for trade in trades.iter().filter(|trade| !went_back_elsewhere(trade)) {
        let Some(sharing) = &trade.sharing else { continue };
        let (taken, back) = (sharing.taken(), trade.refunded());
        if taken + back > trade.amount() {
            return Err(format!("{}: {taken} shared and {back} refunded of {}", trade.number, trade.amount()));
        }
        for share in &sharing.shares {
            let known = items.iter().any(|i| i["kind"] == "share" && i["out_order_no"] == *share.out_order_no);
            if !known {
                return Err(format!(
                    "{} is shared by {}, which the table does not know",
                    trade.number, share.out_order_no
                ));
            }
        }
    }
    for order in items.iter().filter(|item| item["kind"] == "order" && !item["sharing"].is_null()) {
        let (no, sharing) = (text(order, "out_trade_no"), &order["sharing"]);
        let (mut pending, mut held) = (0, 0);
        for share in own(&items, "share", no).filter(|share| share["state"] != "REFUSED") {
            for receiver in receivers(share) {
                match text(receiver, "result") {
                    "PENDING" => pending += fen(receiver, "amount"),
                    "SUCCESS" => held += fen(receiver, "amount") - fen(receiver, "returned"),
                    _ => {}
                }
                let gone = fen(receiver, "returned") + fen(receiver, "returning");
                if gone > fen(receiver, "amount") {
                    return Err(format!("{no}: more is returned than a receiver got: {share}"));
                }
            }
        }
        let open = |made: &&Value| matches!(text(made, "state"), "UNKNOWN" | "PROCESSING");
        let returning: u64 = own(&items, "share_return", no)
            .filter(|made| !made["out_refund_no"].is_null())
            .filter(open)
            .map(|made| fen(made, "amount"))
            .sum();
        let sums = (fen(sharing, "reserved"), fen(sharing, "shared") + returning, fen(sharing, "returning"));
        if sums != (pending, held, returning) {
            return Err(format!("{no}: {sharing}, and its shares say {pending}, {held} and {returning}"));
        }
        let (taken, left) = (sums.0 + fen(sharing, "shared"), fen(order, "refundable"));
        let back = trades.iter().any(|trade| paid(order, trade) && went_back_elsewhere(trade));
        if taken > left && !back {
            return Err(format!("{no}: {taken} is shared or about to be, of {left}"));
        }
    }
    Ok(())
}

fn paid(order: &Value, trade: &Trade) -> bool {
    trade.transaction_id.as_deref() == order["transaction_id"].as_str()
}

/// What holds when all is quiet: the shares and returns of the table are those of the provider, and none is under way.
///
/// # Errors
/// Which law is broken, and by what.
pub fn quiet(items: &[Value], trades: &[Trade]) -> Result<(), String> {
    for item in items.iter().filter(|item| matches!(text(item, "kind"), "share" | "share_return")) {
        if matches!(text(item, "state"), "UNKNOWN" | "PROCESSING") {
            return Err(format!("a share or a return never ended: {item}"));
        }
    }
    for share in items.iter().filter(|item| item["kind"] == "share") {
        let there = trades.iter().filter_map(|trade| trade.sharing.as_ref()).flat_map(|sharing| &sharing.shares);
        let there = there.clone().find(|own| own.out_order_no == text(share, "out_order_no"));
        let refused = share["state"] == "REFUSED";
        let Some(there) = there.filter(|_| !refused) else {
            if there.is_some() || !refused {
                return Err(format!("the provider and the table differ in whether it is shared: {share}"));
            }
            continue;
        };
        for receiver in receivers(share) {
            let same = there.receivers.iter().any(|own| {
                own.account == text(receiver, "account")
                    && own.amount == fen(receiver, "amount")
                    && own.result == text(receiver, "result")
            });
            // Alipay takes from a receiver whatever share it came by.
            let whole = share["provider"] == "alipay";
            let back = came_back(trades, there, text(receiver, "account"), whole);
            let returned = match whole {
                true => returned_of(items, text(share, "out_trade_no"), text(receiver, "account")),
                false => fen(receiver, "returned"),
            };
            if !same || back != returned || fen(receiver, "returning") > 0 {
                return Err(format!("a receiver has another end at the provider: {receiver} {there:?}"));
            }
        }
    }
    Ok(())
}

/// What a receiver has returned of a share at the provider, or of all shares of its trade.
fn came_back(trades: &[Trade], share: &sandbox::Share, account: &str, whole: bool) -> u64 {
    let own = |other: &&sandbox::Share| other.out_order_no == share.out_order_no;
    let of =
        trades.iter().filter_map(|trade| trade.sharing.as_ref()).find(|sharing| sharing.shares.iter().any(|s| own(&s)));
    let shares = of.iter().flat_map(|sharing| &sharing.shares).filter(|other| whole || own(other));
    let returns = shares.flat_map(|share| &share.returns);
    returns.filter(|made| made.result == "SUCCESS" && made.return_mchid == account).map(|made| made.amount).sum()
}

/// What a receiver has returned of all shares of an order, as the table has it.
fn returned_of(items: &[Value], no: &str, account: &str) -> u64 {
    let all = own(items, "share", no).flat_map(receivers);
    all.filter(|receiver| text(receiver, "account") == account).map(|receiver| fen(receiver, "returned")).sum()
}
