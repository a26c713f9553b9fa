//! What must always hold, and what must hold when all is quiet (`docs/invariants.md`).

use crate::authorizations;
use crate::complaints;
use crate::sharing;
use crate::shipping::{self, rank};
use crate::stores::sold;
use crate::world::{MOVING, PRICE, PolicyOf, TABLE, USERS, World};
use sandbox::Trade;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

/// How long, ms, it takes at most from closing an order at its provider to closing it here.
const CLOSING: i64 = 120_000;

/// What was seen so far, for laws about moves.
#[derive(Default)]
pub struct Seen {
    states: BTreeMap<String, String>,
    shipping: BTreeMap<String, usize>,
    /// Orders that were not delivered while all of them was on its way back or back.
    returning: BTreeSet<String>,
    /// How often each complaint was made, as the table had it.
    complaints: BTreeMap<String, u64>,
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

fn fen(item: &Value, name: &str) -> u64 {
    item[name].as_u64().unwrap_or_default()
}

fn kinds<'a>(items: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    items.iter().filter(move |item| item["kind"] == kind)
}

macro_rules! law {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err(format!($($what)+));
        }
    };
}

/// What holds at every moment.
///
/// # Errors
/// Which law is broken, and by what.
pub fn always(world: &World, seen: &mut Seen) -> Result<(), String> {
    for order in &world.orders() {
        let (no, state) = (text(order, "out_trade_no"), text(order, "trade_state"));
        let before = seen.states.insert(no.to_owned(), state.to_owned()).unwrap_or_default();
        let legal = match (before.as_str(), state) {
            (a, b) if a == b => true,
            ("", "NOTPAY") | ("NOTPAY" | "", _) | ("SUCCESS", "REFUND") => true,
            ("CLOSED", "SUCCESS" | "REFUND") => {
                world.policy == PolicyOf::Accept
                    || kinds(&world.items(TABLE), "incident")
                        .any(|i| i["out_trade_no"] == *no && i["action"] == "accept")
            }
            _ => false,
        };
        law!(legal, "{no} moved from {before} to {state}");
        let shipped = rank(text(&order["shipping"], "state"));
        let before = seen.shipping.insert(no.to_owned(), shipped).unwrap_or(0);
        law!(shipped >= before, "the shipping of {no} moved back: {}", order["shipping"]);
        let (total, refunded) = (fen(order, "total_fee"), fen(order, "refund_fee"));
        let (reserved, left) = (fen(order, "refund_reserved"), fen(order, "refundable"));
        law!(refunded + reserved <= total, "{no}: {refunded} + {reserved} > {total}");
        let paid = matches!(state, "SUCCESS" | "REFUND");
        law!(!paid || refunded + reserved + left == total, "{no}: {refunded} + {reserved} + {left} is not {total}");
        law!(paid || refunded + reserved == 0, "{no}: refunded though it is {state}");
        // A receiver may have been told just before.
        if text(order, "type") != "mine" && !world.was_taken(no) {
            let (all, success) = (refunded + reserved >= total, order["user_order_success"] == true);
            // Between two looks a refund may have been refused, the order delivered, and all of it gone back elsewhere.
            let broken = all && success && seen.returning.contains(no) && {
                let items = world.items(TABLE);
                let released = |r: &Value| matches!(text(r, "state"), "REFUSED" | "CLOSED");
                !kinds(&items, "refund").any(|r| r["out_trade_no"] == *no && released(r))
            };
            law!(!broken, "{no} was delivered while all of it went back");
            match all && !success {
                true => seen.returning.insert(no.to_owned()),
                false => seen.returning.remove(no),
            };
        }
    }
    for order in world.orders().iter().filter(|order| order["provider"] == "appleiap") {
        let gone = &world.sales.lock().expect("not poisoned").gone;
        let given = order["user_order_success"] == true && gone.contains(text(order, "transaction_id"));
        law!(!given, "{} was delivered after the store had told that it takes it back", text(order, "out_trade_no"));
    }
    let trades = world.sandbox.trades();
    if world.ships {
        let orders = world.orders();
        shipping::always(world, &orders.iter().map(|order| &**order).collect::<Vec<_>>(), &trades)?;
    }
    if world.shares {
        sharing::always(world)?;
    }
    for trade in trades {
        law!(!world.pays_a_stranger(&trade), "{} pays somebody whom its merchant never named", trade.number);
        law!(trade.refunded() <= trade.amount(), "{}: more went back than was paid", trade.number);
    }
    if world.complains {
        complaints::always(world, &mut seen.complaints)?;
    }
    let items = world.items(TABLE);
    authorizations::always(&items)?;
    not_stuck(&items)?;
    law!(!world.receiver.overlapped.load(Ordering::Relaxed), "two deliveries of one order ran at once");
    Ok(())
}

/// What holds at every moment too, and takes longer to look at: every credit stands for one payment.
///
/// # Errors
/// Which law is broken, and by what.
pub fn credited_once(world: &World) -> Result<(), String> {
    credits(world, &world.items(TABLE))
}

/// How many pieces an order is for.
fn quantity(order: &Value) -> i64 {
    order["custom"]["quantity"].as_i64().unwrap_or(1)
}

/// How many pieces there are, on the goods item and in its shards.
fn pieces(world: &World) -> i64 {
    world.shelves().iter().filter_map(|shelf| shelf["stock"].as_i64()).sum()
}

/// Nowhere is less than nothing in stock, what is in stock and what was sold is what was put in, and nobody was refused
/// for want of stock while there was enough. Nothing is put in during a run, so what is there now was there then.
fn stock(world: &World, items: &[Value], sold: &[Value]) -> Result<(), String> {
    let (mut left, mut sales) = (0, 0);
    for shelf in world.shelves() {
        let [stock, own] = ["stock", "sales"].map(|name| shelf[name].as_i64().unwrap_or_default());
        law!(stock >= 0 && own >= 0, "less than nothing in stock: {shelf}");
        left += stock;
        sales += own;
    }
    let put_in = world.put_in.load(Ordering::Relaxed);
    law!(left + sales == put_in, "{put_in} pieces were put in: {left} are left and {sales} sold");
    let taken: i64 = sold.iter().filter_map(|row| row["quantity"].as_i64()).sum();
    law!(taken == sales, "the goods orders are for {taken} pieces, and {sales} were sold");
    for line in kinds(items, "history").filter(|line| line["detail"]["reason"] == "库存不足") {
        let of = |order: &&Value| order["out_trade_no"] == line["out_trade_no"];
        let wanted = kinds(items, "order").find(of).map_or(1, quantity);
        law!(left < wanted, "{wanted} pieces were refused, and {left} are left: {line}");
    }
    Ok(())
}

/// Every credit stands for one paid order, and the sums agree.
fn credits(world: &World, items: &[Value]) -> Result<(), String> {
    let logs = world.items("recharge_logs");
    let mut by_user: BTreeMap<String, u64> = BTreeMap::new();
    for log in &logs {
        *by_user.entry(text(log, "user_id").to_owned()).or_default() += fen(log, "recharge_balance");
    }
    for user in world.items("uni-id-users") {
        let (id, balance) = (text(&user, "_id"), fen(&user, "balance"));
        let sum = by_user.get(id).copied().unwrap_or_default();
        law!(balance == sum, "{id} has {balance}, the log says {sum}");
    }
    law!(by_user.len() <= USERS, "users were made up");
    let sold = world.items("goods_orders");
    stock(world, items, &sold)?;
    let members = world.items("vip_purchase_logs");
    for order in kinds(items, "order") {
        let no = text(order, "out_trade_no");
        let count = |rows: &[Value]| rows.iter().filter(|row| row["out_trade_no"] == *no).count();
        let delivered = count(&logs) + count(&sold) + count(&members);
        let success = order["user_order_success"] == true;
        let taken = world.was_taken(no);
        law!(!taken || delivered == 0, "{no} was taken by the receiver, and delivered by its handler in Rust too");
        let wanted = usize::from(success && !taken && !matches!(text(order, "type"), "mine" | "custom"));
        law!(delivered == wanted, "{no} was delivered {delivered} times, success {success}");
        let paid = matches!(text(order, "trade_state"), "SUCCESS" | "REFUND");
        let own = |name: &str| kinds(items, "incident").find(|i| i["out_trade_no"] == *no && i["incident"] == name);
        if order["user_order_success"] == false && fen(order, "refund_fee") < fen(order, "total_fee") {
            let told = own("undelivered").or_else(|| own("handler_parked"));
            // An operator may have closed it.
            let stands = told.is_some_and(|i| i["status"] == "open" || text(i, "resolved_by").starts_with("key:"));
            law!(stands, "{no} is paid and not delivered, and no incident says so: {told:?}");
        }
        let entries = kinds(items, "history").filter(|h| h["out_trade_no"] == *no && h["event"] == "paid").count();
        law!(entries == usize::from(paid), "{no}: {entries} entries of a payment, paid {paid}");
        let claims = kinds(items, "transaction").filter(|t| t["out_trade_no"] == *no).count();
        law!(claims == usize::from(paid), "{no}: {claims} transactions, paid {paid}");
    }
    let mut bought: BTreeSet<&str> = BTreeSet::new();
    for order in kinds(items, "order").filter(|o| o["provider"] == "appleiap" && !o["transaction_id"].is_null()) {
        law!(bought.insert(text(order, "transaction_id")), "two orders by one purchase: {order}");
    }
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    for incident in kinds(items, "incident").filter(|incident| !incident["payment"].is_null()) {
        let payment = (text(incident, "provider"), text(incident, "transaction_id"));
        law!(told.insert(payment), "two incidents of one payment: {incident}");
    }
    for refund in kinds(items, "refund").filter(|refund| !refund["incident"].is_null() && refund["state"] == "SUCCESS")
    {
        let same = |order: &&Value| {
            order["transaction_id"] == refund["transaction_id"] && order["provider"] == refund["provider"]
        };
        let credited = kinds(items, "order").find(same);
        law!(credited.is_none(), "a payment was credited and went back: {refund}");
    }
    Ok(())
}

/// What holds when all is quiet: the table equals the providers' ledgers.
///
/// # Errors
/// Which law is broken, and by what.
pub fn quiet(world: &World) -> Result<(), String> {
    let items = world.items(TABLE);
    let orders: Vec<&Value> = kinds(&items, "order").collect();
    let trades = world.sandbox.trades();
    for trade in trades.iter().filter(|trade| trade.paid.is_some()) {
        if sold(trade) {
            purchased(&items, &orders, trade)?;
            continue;
        }
        settled(world, &items, &orders, trade)?;
    }
    for order in &orders {
        let no = text(order, "out_trade_no");
        let state = text(order, "trade_state");
        law!(state != "NOTPAY", "{no} is still unpaid when all is quiet: {order}");
        let untold: u64 = kinds(&items, "refund")
            .filter(|r| r["out_trade_no"] == *no && r["incident"].is_null() && is_untold(r))
            .map(|r| fen(r, "refund_fee"))
            .sum();
        law!(fen(order, "refund_reserved") == untold, "{no} has {} reserved for ever", fen(order, "refund_reserved"));
        if state == "CLOSED" {
            continue;
        }
        let id = text(order, "transaction_id");
        let there = trades.iter().any(|t| t.paid.is_some() && paid_under(t, id));
        law!(there, "{no} was credited by {id}, which nobody paid");
        law!(
            order["user_order_success"].is_boolean() || delivered_late(world, order),
            "{no} was never delivered: {order}"
        );
        // What an untold refund holds is not handed over, and given up in the end.
        if text(order, "type") == "mine" && fen(order, "refund_fee") + untold < fen(order, "total_fee") {
            law!(
                world.was_taken(no) && order["user_order_success"] == true,
                "{no} never reached its receiver: {order}"
            );
        }
        // Without the money or the pieces, nobody gets any.
        let covered = i64::try_from(fen(order, "total_fee")).unwrap_or(0) / quantity(order);
        let for_sale = text(order, "type") == "goods" && covered >= PRICE && quantity(order) <= pieces(world);
        if for_sale || matches!(text(order, "type"), "recharge" | "vip" | "custom") {
            let back = fen(order, "refund_fee") >= fen(order, "total_fee");
            let given_up = kinds(&items, "task").any(|t| t["out_trade_no"] == *no && t["state"] == "parked");
            law!(order["user_order_success"] == true || back || given_up, "{no} was refused: {order}");
        }
    }
    for refund in kinds(&items, "refund") {
        let (no, state) = (text(refund, "out_refund_no"), text(refund, "state"));
        law!(state != "PROCESSING" || is_untold(refund), "the refund {no} never ended: {refund}");
    }
    transfers(world, &items)?;
    authorizations::quiet(world, &items)?;
    if world.ships {
        shipping::quiet(&items, &orders, &trades)?;
    }
    if world.shares {
        sharing::quiet(&items, &trades)?;
    }
    if world.complains {
        complaints::quiet(world, &items)?;
    }
    for task in kinds(&items, "task") {
        law!(task["state"] != "due", "a task is still due: {task}");
    }
    let due = items.iter().find(|item| !item["due_shard"].is_null() && !is_untold(item));
    law!(due.is_none(), "something is still due: {due:?}");
    for item in &items {
        let text = item.to_string();
        law!(!world.secrets.iter().any(|secret| text.contains(secret.as_str())), "a secret in an item: {text}");
    }
    Ok(())
}

/// Nobody is told to pay a refund by hand whose money has arrived.
fn not_stuck(items: &[Value]) -> Result<(), String> {
    let open = kinds(items, "incident").filter(|i| i["incident"] == "refund_abnormal" && i["status"] == "open");
    for incident in open {
        let arrived = |r: &&Value| {
            r["state"] == "SUCCESS"
                && r["out_refund_no"] == incident["out_refund_no"]
                && r["out_trade_no"] == incident["out_trade_no"]
        };
        let refund = kinds(items, "refund").find(arrived);
        law!(refund.is_none(), "a refund has arrived, and counts as stuck: {refund:?} {incident}");
    }
    Ok(())
}

/// Every transfer in the provider's books is in the ledger as it ended there, and the day's counters hold what
/// went out and no more than their limit.
fn transfers(world: &World, items: &[Value]) -> Result<(), String> {
    let there = world.sandbox.transfers();
    for transfer in &there {
        let number = &transfer.number;
        let own = kinds(items, "transfer").find(|item| item["out_bill_no"] == **number);
        let state = own.map(|item| text(item, "state")).unwrap_or_default();
        let wanted = match transfer.state {
            sandbox::TransferState::Success => "SUCCESS",
            sandbox::TransferState::Fail => "FAIL",
            sandbox::TransferState::Cancelled => "CANCELLED",
            sandbox::TransferState::Returned => "RETURNED",
            _ => return Err(format!("{number} never ended at its provider")),
        };
        law!(state == wanted, "{number} is {wanted} at its provider and {state} here");
    }
    for item in kinds(items, "transfer") {
        let known = there.iter().any(|t| t.number == text(item, "out_bill_no"));
        law!(known == (text(item, "state") != "REFUSED"), "a transfer that its provider does not have: {item}");
    }
    let gone: u64 = there.iter().filter(|t| is_gone(t)).map(|t| t.amount).sum();
    let counted: u64 = items.iter().filter(|i| i["kind"] == "transfer_limit").map(|i| fen(i, "reserved")).sum();
    law!(counted == gone, "{gone} went out, the counters say {counted}");
    Ok(())
}

fn is_gone(transfer: &sandbox::Transfer) -> bool {
    transfer.provider == sandbox::Provider::Wxpay && transfer.state == sandbox::TransferState::Success
}

/// An order that was fully refunded before its receiver took it is not handed over any more.
fn delivered_late(world: &World, order: &Value) -> bool {
    let moves = world.moves && text(order, "type") == MOVING;
    (moves || text(order, "type") == "mine") && fen(order, "refund_fee") >= fen(order, "total_fee")
}

/// Whether a trade's payment has this number in the table.
fn paid_under(trade: &Trade, id: &str) -> bool {
    trade.transaction_id.as_deref() == Some(id) || trade.number == id
}

/// Whether closing a pay code has given back what was paid: WeChat Pay's reversal, Alipay's cancellation.
fn is_reversed(trade: &Trade) -> bool {
    trade.state == sandbox::TradeState::Revoked || trade.refunds.iter().any(|r| r.out_refund_no.starts_with("cancel_"))
}

/// A payment is credited to its order or is an incident, and what went back is what the table says.
fn settled(world: &World, items: &[Value], orders: &[&Value], trade: &Trade) -> Result<(), String> {
    let number = &trade.number;
    let credited = orders.iter().find(|order| {
        paid_under(trade, text(order, "transaction_id")) && text(order, "provider") == trade.provider.name()
    });
    let incidents: Vec<&Value> = kinds(items, "incident")
        .filter(|i| paid_under(trade, text(i, "transaction_id")) && text(i, "provider") == trade.provider.name())
        // What its payer says of it is not what it is.
        .filter(|i| i["incident"] != "complaint")
        .collect();
    if is_reversed(trade) {
        law!(credited.is_none(), "{number} at {} was credited, and has been reversed", trade.provider.name());
        return Ok(());
    }
    // All of it went back in the console before it was reversed, and before anybody was told.
    if trade.product == "pay" && trade.refunded() == trade.amount() && credited.is_none() {
        return Ok(());
    }
    law!(
        credited.is_some() || !incidents.is_empty(),
        "{number} at {} was paid, and is neither credited nor an incident",
        trade.provider.name()
    );
    let back: u64 = trade.refunds.iter().filter(|r| r.state == sandbox::RefundState::Success).map(|r| r.amount).sum();
    let own_payment = |refund: &Value| credited.is_some_and(|order| is_of_order(refund, order));
    let known: u64 = kinds(items, "refund")
        .filter(|r| r["state"] == "SUCCESS" && text(r, "provider") == trade.provider.name())
        .filter(|r| trade.refunds.iter().any(|own| is_refund(own, r)) || (own_payment(r) && is_in_the_sum(trade, back)))
        // Where numbers are a payment's, another payment has refunds of the same ones.
        .filter(|r| orders_of(orders, trade).contains(&text(r, "out_trade_no")))
        .map(|r| fen(r, "refund_fee"))
        .sum();
    if kinds(items, "refund").any(|r| is_untold(r) && orders_of(orders, trade).contains(&text(r, "out_trade_no"))) {
        return Ok(());
    }
    law!(back == known, "{number}: {back} went back, the table says {known}");
    if let Some(order) = credited {
        let no = text(order, "out_trade_no");
        let (paid, total) = (trade.amount(), fen(order, "total_fee"));
        law!(paid == total, "{no} over {total} was credited by a payment of {paid}");
        law!(is_of(order, trade), "{no} was credited by {number}, which is none of its numbers");
        // VksPay is told nothing of what is sold.
        let sold = trade.provider == sandbox::Provider::Vkspay || trade.subject == text(order, "description");
        law!(sold, "{no} was credited by a payment for another order: {}", trade.subject);
        law!(fen(order, "refund_fee") == back, "{no}: {back} went back, the order says {}", fen(order, "refund_fee"));
        return Ok(());
    }
    let sent_back = incidents.iter().find(|i| i["action"] == "refund");
    if let Some(incident) = sent_back {
        let gone = back == trade.amount();
        law!(
            gone == (incident["status"] == "resolved"),
            "{number}: {back} of {} went back: {incident}",
            trade.amount()
        );
        let refund = kinds(items, "refund").find(|r| r["out_refund_no"] == incident["out_refund_no"]);
        let refused = refund.is_some_and(|r| matches!(text(r, "state"), "REFUSED" | "CLOSED"));
        law!(gone || refused, "{number} never went back, and nobody refused it: {incident}");
    }
    let own = |name: &str| incidents.iter().any(|i| i["incident"] == name);
    in_time(world, orders, trade)?;
    // Unless the provider refused that, and an operator let it rest.
    let closed = incidents.iter().any(|i| i["action"] == "close");
    if world.policy == PolicyOf::Refund && !closed && (own("late_payment") || own("second_payment")) {
        law!(sent_back.is_some(), "{number} should go back by the policy: {incidents:?}");
    }
    Ok(())
}

/// What the store sold is credited to an order or is an incident, and what it took back is never silent.
fn purchased(items: &[Value], orders: &[&Value], trade: &Trade) -> Result<(), String> {
    let id = trade.transaction_id.as_deref().unwrap_or_default();
    let own = |item: &&Value| text(item, "transaction_id") == id && item["provider"] == "appleiap";
    let incidents: Vec<&Value> = kinds(items, "incident").filter(own).collect();
    let claim = format!("T#appleiap#{id}");
    let taken = kinds(items, "taken_back").any(|claimed| claimed["pk"] == *claim);
    let share = trade.refunds.first().map(|refund| refund.amount);
    let Some(order) = orders.iter().copied().find(own) else {
        law!(taken || !incidents.is_empty(), "{id} was bought, and is neither credited nor an incident: {trade:?}");
        let told = incidents.iter().any(|i| {
            let named = matches!(text(i, "incident"), "unknown_order" | "refund_elsewhere");
            named || i["status"] == "resolved" || fen(i, "returned_fee") > 0
        });
        law!(share.is_none() || told, "{id} was taken back, and nobody is told: {incidents:?}");
        let ended = incidents.iter().any(|i| i["status"] == "resolved" && i["action"] == "refund");
        law!(!ended || share == Some(100_000), "{id} counts as sent back, and {share:?} of 100000 is: {incidents:?}");
        return Ok(());
    };
    let (no, total) = (text(order, "out_trade_no"), fen(order, "total_fee"));
    let attempts = order["attempts"].as_array().into_iter().flatten();
    let named = attempts.filter(|a| a["provider"] == "appleiap").any(|a| a["goods"]["product_id"] == *trade.product);
    law!(named, "{no} was credited with other goods: {}", trade.product);
    let back = share.map_or(0, |share| (total * share).div_ceil(100_000));
    law!(fen(order, "refund_fee") == back, "{no}: {back} went back, the order says {}", fen(order, "refund_fee"));
    Ok(())
}

/// An order is closed at its provider first, so no payment that fits is older than the closing of its order.
/// VksPay closes nothing and is asked instead; and what was paid though it was closed there is not in time.
fn in_time(world: &World, orders: &[&Value], trade: &Trade) -> Result<(), String> {
    let key = (trade.provider, trade.number.clone());
    let late = world.forced.lock().expect("not poisoned").contains(&key);
    if late || trade.amount() != trade.total {
        return Ok(());
    }
    let own = orders_of(orders, trade);
    for order in orders.iter().filter(|o| text(o, "trade_state") == "CLOSED" && own.contains(&text(o, "out_trade_no")))
    {
        let (paid, closed) = (trade.paid.unwrap_or(i64::MAX), order["cancel_date"].as_i64().unwrap_or_default());
        law!(
            paid.saturating_add(CLOSING) >= closed,
            "{} was closed {} ms after it had been paid",
            text(order, "out_trade_no"),
            closed - paid
        );
    }
    Ok(())
}

/// VksPay makes the number of a refund itself: one whose answer was lost is nobody's to ask about, and stays
/// reserved until the operator has looked into the provider's console.
pub(crate) fn is_untold(item: &Value) -> bool {
    item["kind"] == "refund"
        && item["provider"] == "vkspay"
        && item["state"] == "PROCESSING"
        && item["refund_id"].is_null()
}

/// The orders that a trade belongs to: by the number that was sent to its provider, or at VksPay by the given one.
fn orders_of<'a>(orders: &[&'a Value], trade: &Trade) -> Vec<&'a str> {
    orders.iter().filter(|order| is_of(order, trade)).map(|order| text(order, "out_trade_no")).collect()
}

fn is_of(order: &Value, trade: &Trade) -> bool {
    let number = trade.number.as_str();
    let given =
        |attempt: &Value| attempt["numbers"].as_array().is_some_and(|all| all.iter().any(|own| *own == *number));
    let sent = |attempt: &Value| attempt["number"] == *number && attempt["numbered_there"] != true;
    let there = |attempt: &Value| attempt["provider"] == *trade.provider.name() && (sent(attempt) || given(attempt));
    order["attempts"].as_array().is_some_and(|all| all.iter().any(there))
}

/// Whether what went back of a trade is told as a sum that is the whole payment: a refund that is under way is then taken
/// to be in it, whoever made the refunds of which it consists.
fn is_in_the_sum(trade: &Trade, back: u64) -> bool {
    trade.provider == sandbox::Provider::Alipay && back == trade.amount()
}

/// Whether a refund is one of the payment that its order was credited by.
fn is_of_order(refund: &Value, order: &Value) -> bool {
    refund["out_trade_no"] == order["out_trade_no"] && refund.get("incident").is_none()
}

fn is_refund(own: &sandbox::Refund, item: &Value) -> bool {
    // A refund of the console without a number goes by the trade's, and so does what is left of a payment that went
    // back whole before all of its refunds were told.
    let (number, rest) = text(item, "out_refund_no").split_once("-REST").unwrap_or((text(item, "out_refund_no"), ""));
    let unnumbered = (own.out_refund_no.is_empty() || !rest.is_empty()) && number == own.number;
    unnumbered || own.out_refund_no == text(item, "out_refund_no") || own.refund_id == text(item, "refund_id")
}
