//! What happens in a run: things that callers, payers, providers, operators and AWS do.

use crate::authorizations::Authorizing;
use crate::complaints::Complaining;
use crate::stores::Sale;
use crate::world::{TABLE, World};
use futures::future::join_all;
use sandbox::{
    CallbackKind, Fault, Forgery, Misbehaviour, Op, Pay, Provider, RefundOutcome, RefundState, SignedRequest,
    TransferOutcome,
};
use serde_json::{Value, json};
use shared::api::{Request, Response};
use shared::payments::Lane;
use std::sync::atomic::Ordering;

/// How many orders a run has.
pub const ORDERS: usize = 8;

/// What an order under a guessed number is for.
pub const GUESSED: &str = "guessed";

/// What becomes of a queue's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luck {
    /// They are handed out once.
    Good,
    /// They are handed out twice at one moment.
    Twice,
    /// They are lost.
    Lost,
}

/// One thing that happens, with everything about it decided.
#[derive(Debug, Clone)]
pub enum Step {
    /// `pay/createPayment`.
    Create(Value),
    /// `pay/closePayment`.
    Close(String),
    /// `pay/queryPayment`.
    Query(String),
    /// `pay/refund`.
    Refund(Value),
    /// `pay/queryRefund`.
    QueryRefund(String),
    /// A payer pays a trade, as it stands or though it is closed, or another amount.
    Pay(Provider, String, bool, Option<u64>),
    /// A provider tells of a payment.
    Told(Provider, String),
    /// All payments of one order are told at one moment.
    ToldAtOnce(Vec<(Provider, String)>),
    /// A provider tells of a refund.
    ToldRefund(String),
    /// Somebody refunds a payment in Alipay's console, under a number that other payments have too, or all that is
    /// left under none.
    Elsewhere(String, Option<&'static str>, u64),
    /// Alipay tells of such a refund.
    ToldElsewhere(String, usize),
    /// Somebody forges a payment's callback.
    Forged(Provider, String, Forgery),
    /// A refund that was under way ends.
    Settle(String, RefundOutcome),
    /// An operator sends a refund of an order that got stuck to a bank card.
    Card(String, String),
    /// The schedule.
    Reconcile(u64),
    /// The queues hand out what is there to be seen.
    Work(Luck),
    /// The stream, with so many records, and whether they come again.
    Dispatch(usize, bool),
    /// An operator decides.
    Resolve(String, &'static str),
    /// An operator runs a handler again.
    Rerun(String),
    /// The receiver goes down, or comes up.
    Receiver(bool),
    /// The functions lose their right to the users' table, or have it again.
    Denied(bool),
    /// The goods are there, or not.
    Goods(bool),
    /// The merchant has a type's orders taken by the receiver, or by its handler in Rust again.
    Moved(bool),
    /// The merchant changes how many shards the goods are sold from.
    Shards(i64),
    /// A refund in the provider's own console, and its callback.
    GiveBack(Provider, String, u64),
    /// WeChat Pay's platform certificate changes.
    Rotate(bool),
    /// `pay/transfer`.
    Transfer(Value),
    /// `pay/queryTransfer`.
    QueryTransfer(Value),
    /// `pay/cancelTransfer`.
    CancelTransfer(Value),
    /// A transfer that is under way ends.
    SettleTransfer(String, TransferOutcome),
    /// A provider tells of a transfer.
    ToldTransfer(String),
    /// Something happens to a payee's authorisation.
    Authorization(Authorizing),
    /// A provider misbehaves for its next calls.
    Misbehave(Op, Misbehaviour),
    /// Somebody who is not trusted creates an order, or goes on with one, and chooses who is paid.
    Choose(Value),
    /// The payer of a trade splits its signed callback so that it speaks of another order.
    Resplit(Provider, String, String),
    /// `pay/uploadShipping`.
    Ship(Value),
    /// `pay/queryShipping`.
    QueryShipping(String),
    /// `pay/confirmReceive`.
    ConfirmReceive(String),
    /// The platform tells of the shipping of a trade.
    ToldShipping(String),
    /// The payer confirms that what was shipped has come.
    Received(String),
    /// `pay/profitShare`.
    Share(Value),
    /// `pay/unfreezeShare`.
    Unfreeze(Value),
    /// `pay/returnShare`.
    ReturnShare(Value),
    /// `pay/queryShare`.
    QueryShare(String),
    /// Alipay tells of a share of an order.
    ToldShare(String, String),
    /// A receiver's shares fail from now on, or its returns do; or no longer.
    FailReceiver(&'static str, bool, bool),
    /// Something happens in the store.
    Sale(Sale),
    /// Something happens about complaints.
    Complaint(Complaining),
}

/// Every queue hands out a batch, where it has one.
async fn worked(world: &World, luck: Luck) {
    let Some(queues) = &world.queues else { return };
    for lane in Lane::all() {
        let batch = queues.receive(lane);
        if batch.is_empty() {
            continue;
        }
        let event = json!({ "Records": batch });
        let answer = match luck {
            Luck::Good => worker::handle(&world.app, &event).await,
            Luck::Twice => futures::join!(worker::handle(&world.app, &event), worker::handle(&world.app, &event)).0,
            Luck::Lost => Value::Null,
        };
        queues.delete(lane, &batch, &answer);
    }
}

async fn told(world: &World, provider: Provider, number: &str) {
    if world.silent && !world.no_query_finds(provider, number) {
        return;
    }
    if let Ok(callback) = world.sandbox.callback_of(Some(provider), number, CallbackKind::Payment) {
        look(world, &world.notify(&callback).await);
    }
}

/// A provider tells of a refund. Whether it was taken.
pub async fn told_of_refund(world: &World, number: &str) -> bool {
    let Ok(callback) = world.sandbox.callback_of(None, number, CallbackKind::Refund) else { return true };
    let answer = world.notify(&callback).await;
    look(world, &answer);
    (200..300).contains(&answer.status)
}

/// The number of an order.
pub fn number(i: usize) -> String {
    format!("ORDER_{i}")
}

impl Step {
    /// Does it. An answer is looked at, whatever it is.
    pub async fn run(self, world: &World) {
        match self {
            Self::Create(data) => {
                look(world, &create_payment::handle(&world.app, call(world, "createPayment", &data)).await)
            }
            Self::Close(no) => {
                look(world, &create_payment::handle(&world.app, call(world, "closePayment", &of(&no))).await)
            }
            Self::Query(no) => {
                look(world, &query_payment::handle(&world.app, call(world, "queryPayment", &of(&no))).await)
            }
            Self::Refund(data) => look(world, &refund::handle(&world.app, call(world, "refund", &data)).await),
            Self::QueryRefund(no) => refunds(world, "queryRefund", &of(&no)).await,
            Self::Pay(provider, number, force, amount) => pay(world, provider, &number, force, amount).await,
            Self::Told(provider, number) => told(world, provider, &number).await,
            Self::ToldAtOnce(payments) => {
                join_all(payments.iter().map(|(provider, number)| told(world, *provider, number))).await;
            }
            Self::ToldRefund(_) | Self::ToldTransfer(_) if world.silent => {}
            Self::Elsewhere(number, refund, amount) => {
                if let Ok(place) = world.sandbox.console_refund(&number, refund, amount) {
                    world.elsewhere.lock().expect("not poisoned").push((number, place));
                }
            }
            Self::ToldElsewhere(number, place) => {
                taken(world, world.sandbox.callback_of_refund(Provider::Alipay, &number, place)).await;
            }
            Self::ToldRefund(number) => drop(told_of_refund(world, &number).await),
            Self::Forged(provider, number, forgery) => forged(world, provider, &number, forgery).await,
            Self::Card(no, number) => refunds(world, "applyAbnormalRefund", &to_card(&no, &number)).await,
            Self::Settle(number, outcome) => world.sandbox.settle_refund(&number, outcome),
            Self::Reconcile(max_calls) => reconciled(world, max_calls).await,
            Self::Work(luck) => worked(world, luck).await,
            Self::Dispatch(records, again) => dispatched(world, records, again).await,
            Self::Resolve(id, action) => {
                refunds(world, "resolveIncident", &json!({ "incident_id": id, "action": action })).await;
            }
            Self::Rerun(no) => {
                look(world, &query_payment::handle(&world.app, call(world, "rerunHandler", &of(&no))).await)
            }
            Self::Rotate(forth) => world.rotate(forth),
            Self::Transfer(data) => look(world, &transfer::handle(&world.app, call(world, "transfer", &data)).await),
            Self::QueryTransfer(data) => transfers(world, "queryTransfer", &data).await,
            Self::CancelTransfer(data) => transfers(world, "cancelTransfer", &data).await,
            Self::SettleTransfer(number, outcome) => drop(world.sandbox.settle_transfer(&number, &outcome)),
            Self::ToldTransfer(number) => {
                taken(world, world.sandbox.callback_of(None, &number, CallbackKind::Transfer)).await
            }
            Self::Authorization(step) => step.run(world).await,
            Self::Denied(denied) => world.weather.denied.store(denied, Ordering::Relaxed),
            Self::Goods(there) => world.goods(there),
            Self::Shards(shards) => world.shards(shards),
            Self::Moved(to_receiver) => world.moved(to_receiver),
            Self::GiveBack(provider, number, amount) => {
                let made = world.sandbox.give_back(Some(provider), &number, amount);
                if let Some(made) = made.filter(|_| !world.silent) {
                    told_of_refund(world, &made).await;
                }
            }
            Self::Choose(data) => chosen(world, &data).await,
            Self::Resplit(provider, number, other) => resplit(world, provider, &number, &other).await,
            Self::Ship(data) => shipped(world, &data).await,
            Self::QueryShipping(no) => refunds(world, "queryShipping", &of(&no)).await,
            Self::ConfirmReceive(no) => refunds(world, "confirmReceive", &of(&no)).await,
            Self::ToldShipping(number) => {
                taken(world, world.sandbox.callback_of(None, &number, CallbackKind::Shipping)).await
            }
            Self::Received(number) => drop(world.sandbox.receive(&number)),
            step @ (Self::Share(_) | Self::Unfreeze(_) | Self::ReturnShare(_) | Self::QueryShare(_)) => {
                share(world, step).await;
            }
            Self::ToldShare(no, share) => taken(world, world.sandbox.notice_of_share(&no, &share)).await,
            Self::FailReceiver(account, fails, returns) => fail_receiver(world, account, fails, returns),
            Self::Sale(sale) => sale.run(world).await,
            Self::Complaint(step) => step.run(world).await,
            Self::Receiver(down) => world.receiver.down.store(down, Ordering::Relaxed),
            Self::Misbehave(op, what) => world.sandbox.misbehave(Fault::once(op, what)),
        }
    }
}

/// A run of the schedule, by its calls at most.
async fn reconciled(world: &World, max_calls: u64) {
    let event = json!({ "time": rfc3339(world.now()), "maxCalls": max_calls });
    let _ = reconcile::handle(&world.app, &event).await;
}

/// A callback whose fields are split otherwise under the same signature.
async fn resplit(world: &World, provider: Provider, number: &str, other: &str) {
    let Ok(split) = world.sandbox.resplit(provider, number, other) else { return };
    let answer = world.notify(&split).await;
    assert!(!(200..300).contains(&answer.status), "a callback split otherwise was taken: {answer:?}");
}

/// The merchant reports what it has sent.
async fn shipped(world: &World, data: &Value) {
    let no = data["out_trade_no"].as_str().unwrap_or_default().to_owned();
    world.reported.lock().expect("not poisoned").insert(no);
    refunds(world, "uploadShipping", data).await;
}

/// The merchant shares, ends sharing, takes back or asks.
async fn share(world: &World, step: Step) {
    match step {
        Step::Share(data) => refunds(world, "profitShare", &data).await,
        Step::Unfreeze(data) => refunds(world, "unfreezeShare", &data).await,
        Step::ReturnShare(data) => refunds(world, "returnShare", &data).await,
        Step::QueryShare(no) => refunds(world, "queryShare", &of(&no)).await,
        _ => {}
    }
}

/// A receiver's shares fail, or its returns do; or no longer.
fn fail_receiver(world: &World, account: &str, fails: bool, returns: bool) {
    let why = fails.then_some("BALANCE_NOT_ENOUGH");
    match returns {
        true => world.sandbox.fail_returns_by(account, why),
        false => world.sandbox.fail_shares_to(account, why),
    }
}

/// A call of the function `refund`, whose answer is looked at.
async fn refunds(world: &World, action: &str, data: &Value) {
    look(world, &refund::handle(&world.app, call(world, action, data)).await);
}

/// A refund and the card that it is sent to.
fn to_card(no: &str, number: &str) -> Value {
    json!({
        "out_trade_no": no, "out_refund_no": number, "type": "USER_BANK_CARD",
        "bank_type": "ICBC_DEBIT", "bank_account": "6222021234567890123", "real_name": "n",
    })
}

/// The refunds at WeChat Pay that got stuck, each with its order.
pub fn stuck(world: &World) -> Vec<Step> {
    let stuck = |refund: &sandbox::Refund| refund.state == RefundState::Abnormal;
    let numbers: Vec<String> =
        world.sandbox.refunds().into_iter().filter(stuck).map(|refund| refund.out_refund_no).collect();
    let known = world.items(TABLE).into_iter().filter(|item| item["kind"] == "refund");
    let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    known
        .map(|item| (text(&item, "out_trade_no"), text(&item, "out_refund_no")))
        .filter(|(_, number)| numbers.contains(number))
        .map(|(no, number)| Step::Card(no, number))
        .collect()
}

/// A call of the function `transfer`, whose answer is looked at.
async fn transfers(world: &World, action: &str, data: &Value) {
    look(world, &transfer::handle(&world.app, call(world, action, data)).await);
}

/// A call of the merchant's own.
fn call(world: &World, action: &str, data: &Value) -> Request {
    world.call(&json!({ "action": format!("pay/{action}"), "data": data }))
}

/// An order by its number.
fn of(no: &str) -> Value {
    json!({ "out_trade_no": no })
}

/// A callback arrives, if there is one.
async fn taken(world: &World, callback: Result<SignedRequest, String>) {
    if let Ok(callback) = callback {
        look(world, &world.notify(&callback).await);
    }
}

async fn pay(world: &World, provider: Provider, number: &str, force: bool, amount: Option<u64>) {
    let trades = world.sandbox.trades();
    if trades.iter().any(|t| t.provider == provider && t.number == number && !t.payable()) {
        world.forced.lock().expect("not poisoned").insert((provider, number.to_owned()));
    }
    let how = Pay { provider: Some(provider), amount, force, notify: false, ..Pay::default() };
    let _ = world.sandbox.pay(number, how).await;
}

async fn forged(world: &World, provider: Provider, number: &str, forgery: Forgery) {
    let Ok(genuine) = world.sandbox.callback_of(Some(provider), number, CallbackKind::Payment) else { return };
    let forged = world.sandbox.forge(genuine.clone(), forgery);
    if forged.body == genuine.body && forged.headers == genuine.headers {
        return;
    }
    let answer = world.notify(&forged).await;
    // VksPay's notices prove nothing, genuine or not: the provider is asked.
    if provider == Provider::Vkspay {
        return;
    }
    assert!(!(200..300).contains(&answer.status), "a forged callback was taken: {forgery:?} {answer:?}");
}

async fn dispatched(world: &World, records: usize, again: bool) {
    world.collect_records();
    let batch: Vec<Value> = {
        let mut all = world.records.lock().expect("not poisoned");
        let n = records.min(all.len());
        let batch: Vec<Value> = all.drain(..n).collect();
        if again {
            all.extend(batch.iter().cloned());
        }
        batch
    };
    let answer = dispatch::handle(&world.app, &json!({ "Records": batch })).await;
    if answer["batchItemFailures"].as_array().is_some_and(|failed| !failed.is_empty()) {
        world.records.lock().expect("not poisoned").extend(batch);
    }
}

async fn chosen(world: &World, data: &Value) {
    let body = json!({ "action": "pay/createPayment", "data": data });
    let answer = create_payment::handle(&world.app, world.ask(&body)).await;
    assert!(answer.status >= 400, "an untrusted caller chose who is paid: {data} {answer:?}");
    look(world, &answer);
}

/// No answer has a secret in it.
pub(crate) fn look(world: &World, response: &Response) {
    for secret in &world.secrets {
        assert!(!response.body.contains(secret.as_str()), "a reply has a secret in it: {}", response.body);
    }
}

/// RFC 3339 of Unix ms.
pub fn rfc3339(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).expect("a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("a text")
}
