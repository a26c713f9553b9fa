//! What happens in a run: things that callers, payers, providers, operators and AWS do, at random.

use crate::chance::chance;
use crate::world::{USERS, World};
use futures::future::join_all;
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Op, Pay, Provider, RefundOutcome, TransferOutcome};
use serde_json::{Value, json};
use shared::api::Response;
use std::sync::atomic::Ordering;

/// How many orders a run has.
pub const ORDERS: usize = 8;

/// What an order under a guessed number is for.
pub const GUESSED: &str = "guessed";

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
    /// The schedule.
    Reconcile(u64),
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
    /// A provider misbehaves for its next calls.
    Misbehave(Op, Misbehaviour),
    /// Somebody who is not trusted creates an order, or goes on with one, and chooses who is paid.
    Choose(Value),
    /// The payer of a trade splits its signed callback so that it speaks of another order.
    Resplit(Provider, String, String),
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

fn any_order() -> String {
    number(chance(|c| c.below(ORDERS)))
}

fn creation() -> Value {
    let i = chance(|c| c.below(ORDERS));
    let kind = ["recharge", "recharge", "mine", "mine", "goods", "vip", "custom", "recharge"][i % 8];
    let custom = json!({
        "user_id": format!("user_{}", i % USERS), "goods_id": "goods_001", "vip_type": "gold", "vip_days": 30,
    });
    let mut data = json!({
        "out_trade_no": number(i), "total_fee": 100 * (i % 3 + 1), "subject": "sim", "type": kind,
        "vk_platform": "h5", "needQRcode": true, "custom": custom,
    });
    match chance(|c| c.below(8)) {
        0..=2 => data["provider"] = json!("wxpay"),
        3 => {
            data["provider"] = json!("wxpay");
            data["pid"] = json!("second");
        }
        4 | 5 => data["provider"] = json!("alipay"),
        _ => data["provider"] = json!("vkspay"),
    }
    // A pay code, paid at once or after the payer's password; one is closed by a reversal.
    let code = match data["provider"].as_str() {
        Some("wxpay") if data["pid"].is_null() => chance(|c| *c.pick(&["130000000000000006", "130000000000000001"])),
        Some("alipay") => chance(|c| *c.pick(&["2800000000000000006", "2800000000000000001"])),
        _ => "",
    };
    if !code.is_empty() && chance(|c| c.permille(150)) {
        data["auth_code"] = json!(code);
    }
    if chance(|c| c.permille(30)) {
        data["total_fee"] = json!(7);
    }
    data
}

/// Somebody else's order under a number that another attempt has, or may have next, at some provider.
fn guess(world: &World) -> Value {
    let trades = world.sandbox.trades();
    let (number, total) = match trades.is_empty() || chance(|c| c.permille(400)) {
        true => (format!("{}_{}", any_order(), chance(|c| c.below(2)) + 2), 100 * (chance(|c| c.below(3)) + 1)),
        false => {
            let trade = chance(|c| c.pick(&trades).clone());
            (trade.number, usize::try_from(trade.total).unwrap_or(100))
        }
    };
    let provider = chance(|c| *c.pick(&["wxpay", "alipay", "vkspay"]));
    json!({
        "out_trade_no": number, "total_fee": total, "subject": GUESSED, "type": "recharge", "provider": provider,
        "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": format!("user_{}", chance(|c| c.below(USERS))) },
    })
}

/// An order that is to be paid to somebody whom its merchant never named.
fn choosing(world: &World) -> Value {
    let mut data = creation();
    if let Some(data) = data.as_object_mut() {
        data.remove("pid");
    }
    match chance(|c| c.below(5)) {
        0 | 1 => data["pid"] = json!("stranger"),
        2 => {
            data["provider"] = json!("wxpay");
            data["sub_mchid"] = json!(world.sub_mchid());
        }
        3 => {
            data["provider"] = json!("alipay");
            data["other"] = json!({ "seller_id": "2088999999999999" });
        }
        _ => data["other"] = json!({ "settle_info": { "profit_sharing": true } }),
    }
    data
}

fn refund() -> Value {
    let no = any_order();
    let mut data = json!({ "out_trade_no": no });
    if chance(|c| c.permille(800)) {
        data["out_refund_no"] = json!(format!("{no}_R{}", chance(|c| c.below(4))));
    }
    if chance(|c| c.permille(850)) {
        data["refund_fee"] = json!(chance(|c| c.below(120)) + 1);
    }
    data
}

/// A number of a transfer, and who pays it out.
fn payout() -> (Value, bool) {
    let i = chance(|c| c.below(4));
    let wxpay = i % 2 == 0;
    let data = match wxpay {
        true => json!({ "out_bill_no": format!("PAYOUT{i}"), "provider": "wxpay", "pid": "second" }),
        false => json!({ "out_bill_no": format!("PAYOUT{i}"), "provider": "alipay" }),
    };
    (data, wxpay)
}

fn transfer() -> Value {
    let (mut data, wxpay) = payout();
    data["transfer_amount"] = json!(if chance(|c| c.permille(50)) { 77 } else { 250 });
    data["transfer_remark"] = json!("sim");
    match wxpay {
        true => data["openid"] = json!("payee-1"),
        false => data["payee_info"] = json!({ "identity": "2088000000000001", "identity_type": "ALIPAY_USER_ID" }),
    }
    data
}

fn any_transfer(world: &World) -> Step {
    match chance(|c| c.below(8)) {
        0..=2 => Step::Transfer(transfer()),
        3 => Step::QueryTransfer(payout().0),
        4 => Step::CancelTransfer(payout().0),
        5 => match world.sandbox.transfers().iter().find(|t| t.ended.is_some() && t.provider == Provider::Wxpay) {
            Some(ended) => Step::ToldTransfer(ended.number.clone()),
            None => Step::QueryTransfer(payout().0),
        },
        _ => {
            let open: Vec<_> = world.sandbox.transfers().into_iter().filter(|t| t.ended.is_none()).collect();
            if open.is_empty() {
                return Step::Transfer(transfer());
            }
            let number = chance(|c| c.pick(&open).number.clone());
            let failed = chance(|c| c.permille(300));
            let outcome = if failed { TransferOutcome::Fail("OTHER".to_owned()) } else { TransferOutcome::Success };
            Step::SettleTransfer(number, outcome)
        }
    }
}

/// A refund in Alipay's console of a payment that an order was credited with, or the telling of one.
fn elsewhere(world: &World) -> Step {
    let made = world.elsewhere.lock().expect("not poisoned").clone();
    if !made.is_empty() && chance(|c| c.permille(500)) {
        let (number, place) = chance(|c| c.pick(&made).clone());
        return Step::ToldElsewhere(number, place);
    }
    let orders = world.orders();
    let credited = |t: &sandbox::Trade| {
        t.provider == Provider::Alipay
            && t.refunded() < t.amount()
            && orders
                .iter()
                .any(|o| o["transaction_id"].as_str().is_some_and(|id| t.transaction_id.as_deref() == Some(id)))
    };
    let trades: Vec<_> = world.sandbox.trades().into_iter().filter(credited).collect();
    if trades.is_empty() {
        return Step::Create(creation());
    }
    let trade = chance(|c| c.pick(&trades).clone());
    let left = trade.amount() - trade.refunded();
    match chance(|c| c.permille(400)) {
        true => Step::Elsewhere(trade.number, None, left),
        false => {
            let amount = chance(|c| c.below(usize::try_from(left).unwrap_or(1))) as u64 + 1;
            Step::Elsewhere(trade.number, Some(chance(|c| *c.pick(&["1", "2"]))), amount)
        }
    }
}

/// Every payment of the order that one payment belongs to.
fn rivals(world: &World, number: &str) -> Vec<(Provider, String)> {
    let orders = world.orders();
    let whole = orders.iter().find(|order| order["attempts"].to_string().contains(number));
    let attempts = whole.map(|order| order["attempts"].to_string()).unwrap_or_default();
    let trades = world.sandbox.trades().into_iter();
    let own = trades.filter(|t| t.paid.is_some() && (t.number == number || attempts.contains(&t.number)));
    own.map(|t| (t.provider, t.number)).collect()
}

impl Step {
    /// The next thing that happens.
    pub fn any(world: &World) -> Self {
        let paid = || -> Option<(Provider, String)> {
            let trades: Vec<_> = world.sandbox.trades().into_iter().filter(|t| t.paid.is_some()).collect();
            (!trades.is_empty()).then(|| chance(|c| c.pick(&trades).clone())).map(|t| (t.provider, t.number))
        };
        match chance(|c| c.below(128)) {
            122..=124 => Self::Choose(choosing(world)),
            125.. => match paid() {
                Some((provider, number)) => Self::Resplit(provider, number, any_order()),
                None => Self::Choose(choosing(world)),
            },
            118..=121 => elsewhere(world),
            115..=117 => Self::Create(guess(world)),
            109 | 110 => Self::Denied(chance(|c| c.permille(500))),
            111 => Self::Goods(chance(|c| c.permille(500))),
            112..=114 => match paid() {
                // Of a console's refund of a pay code only the bill tells.
                Some((provider, number)) if provider != Provider::Vkspay && world.is_told(provider, &number) => {
                    let amount = chance(|c| *c.pick(&[40, 100, 200, 300])) as u64;
                    Self::GiveBack(provider, number, amount)
                }
                _ => Self::Goods(true),
            },
            108 => Self::Rotate(chance(|c| c.permille(500))),
            100..=107 => any_transfer(world),
            0..=17 => Self::Create(creation()),
            18..=34 => {
                let force = chance(|c| c.permille(120));
                let trades: Vec<_> = world
                    .sandbox
                    .trades()
                    .into_iter()
                    // A pay code that is closed cannot be paid, and nobody would be told.
                    .filter(|t| t.paid.is_none() && world.was_handed_out(t))
                    .filter(|t| t.payable() || force && t.notify_url.is_some())
                    .collect();
                if trades.is_empty() {
                    return Self::Create(creation());
                }
                let trade = chance(|c| c.pick(&trades).clone());
                let wrong = chance(|c| c.permille(25)).then_some(trade.total + 1);
                Self::Pay(trade.provider, trade.number, force, wrong)
            }
            35..=51 => match paid() {
                Some((provider, number)) if chance(|c| c.permille(800)) => Self::Told(provider, number),
                Some((_, number)) => Self::ToldAtOnce(rivals(world, &number)),
                None => Self::Query(any_order()),
            },
            52..=57 => Self::Query(any_order()),
            58..=67 => Self::Refund(refund()),
            68..=71 => {
                // Alipay says nothing of a refund that failed.
                let told =
                    |r: &sandbox::Refund| r.provider != Provider::Alipay || r.state == sandbox::RefundState::Success;
                let refunds: Vec<_> =
                    world.sandbox.refunds().into_iter().filter(|r| r.settled.is_some() && told(r)).collect();
                match refunds.is_empty() {
                    true => Self::QueryRefund(any_order()),
                    false => Self::ToldRefund(chance(|c| c.pick(&refunds).out_refund_no.clone())),
                }
            }
            72..=74 => Self::QueryRefund(any_order()),
            75..=78 => Self::Close(any_order()),
            79..=83 => Self::Reconcile(chance(|c| *c.pick(&[2, 200, 200]))),
            84..=88 => Self::Dispatch(chance(|c| c.below(10)) + 1, chance(|c| c.permille(200))),
            89 | 90 => match paid() {
                Some((provider, number)) => Self::Forged(provider, number, forgery()),
                None => Self::Reconcile(200),
            },
            91 | 92 => {
                let refunds = world.sandbox.refunds();
                let open: Vec<_> = refunds.iter().filter(|r| r.settled.is_none()).collect();
                match open.is_empty() {
                    true => Self::QueryRefund(any_order()),
                    false => {
                        let refund = chance(|c| (*c.pick(&open)).clone());
                        // Only WeChat Pay has a refund that ends without the money going back.
                        let closed = chance(|c| c.permille(200)) && refund.provider == Provider::Wxpay;
                        let outcome = if closed { RefundOutcome::Closed } else { RefundOutcome::Success };
                        Self::Settle(refund.out_refund_no, outcome)
                    }
                }
            }
            93 | 94 => {
                let incidents: Vec<_> =
                    world.items(crate::world::TABLE).into_iter().filter(|i| i["kind"] == "incident").collect();
                match incidents.is_empty() {
                    true => Self::Query(any_order()),
                    false => {
                        let id = chance(|c| c.pick(&incidents)["incident_id"].as_str().unwrap_or_default().to_owned());
                        Self::Resolve(id, chance(|c| *c.pick(&["accept", "refund", "close"])))
                    }
                }
            }
            95 => Self::Rerun(any_order()),
            96 => Self::Receiver(chance(|c| c.permille(500))),
            _ => {
                let ops = [
                    Op::Create,
                    Op::Query,
                    Op::Close,
                    Op::Reverse,
                    Op::Refund,
                    Op::RefundQuery,
                    Op::Transfer,
                    Op::TransferQuery,
                ];
                let op = chance(|c| *c.pick(&ops));
                let what = chance(|c| {
                    *c.pick(&[
                        Misbehaviour::SystemError,
                        Misbehaviour::SystemErrorAfterCommit,
                        Misbehaviour::TooMany,
                        Misbehaviour::Refuse,
                        Misbehaviour::Contradict,
                        Misbehaviour::BadSignature,
                        Misbehaviour::Http5xx,
                        Misbehaviour::Garbage,
                        Misbehaviour::HoldRefund,
                    ])
                });
                Self::Misbehave(op, what)
            }
        }
    }

    /// Does it. An answer is looked at, whatever it is.
    pub async fn run(self, world: &World) {
        let call = |action: &str, data: Value| world.call(&json!({ "action": format!("pay/{action}"), "data": data }));
        match self {
            Self::Create(data) => {
                look(world, &create_payment::handle(&world.app, call("createPayment", data)).await);
            }
            Self::Close(no) => {
                let request = call("closePayment", json!({ "out_trade_no": no }));
                look(world, &create_payment::handle(&world.app, request).await);
            }
            Self::Query(no) => {
                let request = call("queryPayment", json!({ "out_trade_no": no }));
                look(world, &query_payment::handle(&world.app, request).await);
            }
            Self::Refund(data) => look(world, &refund::handle(&world.app, call("refund", data)).await),
            Self::QueryRefund(no) => {
                let request = call("queryRefund", json!({ "out_trade_no": no }));
                look(world, &refund::handle(&world.app, request).await);
            }
            Self::Pay(provider, number, force, amount) => {
                let trades = world.sandbox.trades();
                if trades.iter().any(|t| t.provider == provider && t.number == number && !t.payable()) {
                    world.forced.lock().expect("not poisoned").insert((provider, number.clone()));
                }
                let how = Pay { provider: Some(provider), amount, force, notify: false, ..Pay::default() };
                let _ = world.sandbox.pay(&number, how).await;
            }
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
                if let Ok(callback) = world.sandbox.callback_of_refund(Provider::Alipay, &number, place) {
                    look(world, &world.notify(&callback).await);
                }
            }
            Self::ToldRefund(number) => {
                told_of_refund(world, &number).await;
            }
            Self::Forged(provider, number, forgery) => {
                let genuine = world.sandbox.callback_of(Some(provider), &number, CallbackKind::Payment);
                let Ok(genuine) = genuine else { return };
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
            Self::Settle(number, outcome) => world.sandbox.settle_refund(&number, outcome),
            Self::Reconcile(max_calls) => {
                let event = json!({ "time": rfc3339(world.now()), "maxCalls": max_calls });
                let _ = reconcile::handle(&world.app, &event).await;
            }
            Self::Dispatch(records, again) => {
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
            Self::Resolve(id, action) => {
                let request = call("resolveIncident", json!({ "incident_id": id, "action": action }));
                look(world, &refund::handle(&world.app, request).await);
            }
            Self::Rerun(no) => {
                let request = call("rerunHandler", json!({ "out_trade_no": no }));
                look(world, &query_payment::handle(&world.app, request).await);
            }
            Self::Rotate(forth) => world.rotate(forth),
            Self::Transfer(data) => look(world, &transfer::handle(&world.app, call("transfer", data)).await),
            Self::QueryTransfer(data) => {
                look(world, &transfer::handle(&world.app, call("queryTransfer", data)).await);
            }
            Self::CancelTransfer(data) => {
                look(world, &transfer::handle(&world.app, call("cancelTransfer", data)).await);
            }
            Self::SettleTransfer(number, outcome) => {
                let _ = world.sandbox.settle_transfer(&number, &outcome);
            }
            Self::ToldTransfer(number) => {
                if let Ok(callback) = world.sandbox.callback_of(None, &number, CallbackKind::Transfer) {
                    look(world, &world.notify(&callback).await);
                }
            }
            Self::Denied(denied) => world.weather.denied.store(denied, Ordering::Relaxed),
            Self::Goods(there) => world.goods(there),
            Self::GiveBack(provider, number, amount) => {
                if let Some(made) = world.sandbox.give_back(Some(provider), &number, amount)
                    && !world.silent
                {
                    told_of_refund(world, &made).await;
                }
            }
            Self::Choose(data) => {
                let body = json!({ "action": "pay/createPayment", "data": data });
                let answer = create_payment::handle(&world.app, world.ask(&body)).await;
                assert!(answer.status >= 400, "an untrusted caller chose who is paid: {data} {answer:?}");
                look(world, &answer);
            }
            Self::Resplit(provider, number, other) => {
                let Ok(split) = world.sandbox.resplit(provider, &number, &other) else { return };
                let answer = world.notify(&split).await;
                assert!(!(200..300).contains(&answer.status), "a callback split otherwise was taken: {answer:?}");
            }
            Self::Receiver(down) => world.receiver.down.store(down, Ordering::Relaxed),
            Self::Misbehave(op, what) => world.sandbox.misbehave(Fault::once(op, what)),
        }
    }
}

fn forgery() -> Forgery {
    chance(|c| {
        *c.pick(&[
            Forgery::BadSignature,
            Forgery::OtherKey,
            Forgery::AlteredAmount,
            Forgery::NoSignature,
            Forgery::EmptySignature,
        ])
    })
}

/// No answer has a secret in it.
fn look(world: &World, response: &Response) {
    for secret in &world.secrets {
        assert!(!response.body.contains(secret.as_str()), "a reply has a secret in it: {}", response.body);
    }
}

/// RFC 3339 of Unix ms.
pub fn rfc3339(ms: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).expect("a time");
    at.format(&time::format_description::well_known::Rfc3339).expect("a text")
}
