//! Purchases in Apple's store: the store sells, its payer's client brings the proof, and the store takes back.

use crate::chance::chance;
use crate::ops::{ORDERS, Step, look, number};
use crate::world::{USERS, World};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::{CallbackKind, Forgery, Pay, Provider, SignedRequest, Trade};
use serde_json::{Value, json};
use shared::crypto::jws::EcKey;
use std::collections::BTreeSet;

/// For how long the word that a client was given is taken without asking the store, ms.
const FRESH: i64 = 600_000;
/// Longer than any call takes, ms.
const CALL: i64 = 300_000;

/// A purchase as its payer's device has it.
#[derive(Debug, Clone)]
pub struct Bought {
    /// The order that it was bought for.
    pub order: String,
    /// The token that the store knows it by.
    pub token: String,
    /// The store's own number.
    pub id: String,
    /// The device did not pass the token on: the store's words do not name the order.
    bare: bool,
    /// When, Unix ms.
    at: i64,
    signed: String,
    notice: SignedRequest,
    /// What the store tells of it, since it has taken it back: the same each time.
    back: Option<SignedRequest>,
}

/// What a client brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// What it was given when it bought.
    Held,
    /// What the store signs now.
    Fresh,
    /// The same purchase, restored: a number of its own.
    Restored,
    /// Another order's token under the old signature.
    Forged,
}

/// Something that happens in a store.
#[derive(Debug, Clone)]
pub enum Sale {
    /// A payer buys for an order; the device may lose the token that names it.
    Buy(String, bool),
    /// A client brings the proof of a purchase, perhaps for another order.
    Prove(usize, Option<String>, Shape),
    /// The store tells of a purchase.
    Told(usize),
    /// Somebody forges that.
    Forged(usize, Forgery),
    /// The store takes a purchase back, whole or in part.
    TakeBack(usize, Option<u64>),
    /// The store tells of that.
    ToldTakenBack(usize),
}

impl Sale {
    /// Does it.
    pub async fn run(self, world: &World) {
        match self {
            Self::Buy(no, bare) => buy(world, &no, bare).await,
            Self::Prove(place, thief, shape) => drop(prove(world, place, thief.as_deref(), shape).await),
            Self::Told(_) | Self::ToldTakenBack(_) if world.silent => {}
            Self::Told(place) => drop(told(world, place).await),
            Self::Forged(place, forgery) => forged(world, place, forgery).await,
            Self::TakeBack(place, share) => take_back(world, place, share),
            Self::ToldTakenBack(place) => drop(told_taken_back(world, place).await),
        }
    }
}

/// What a run remembers of its store.
#[derive(Debug, Default)]
pub struct Sales {
    /// Oldest first.
    pub bought: Vec<Bought>,
    /// Numbers of purchases of which it was told and answered that they were taken back whole, when nobody had been
    /// given anything for them.
    pub gone: BTreeSet<String>,
}

/// What this order's goods are.
fn product(i: usize) -> String {
    format!("coins_{}", i % 3 + 1)
}

/// `pay/createPayment` at the store.
pub fn creation(i: usize, kind: &str) -> Value {
    json!({
        "out_trade_no": number(i), "total_fee": 100 * (i % 3 + 1), "subject": "sim", "type": kind,
        "vk_platform": "app-plus", "provider": "appleiap", "product_id": product(i),
        "custom": { "user_id": format!("user_{}", i % USERS) },
    })
}

fn place(sales: &Sales) -> Option<usize> {
    (!sales.bought.is_empty()).then(|| chance(|c| c.below(sales.bought.len())))
}

/// What happens next in the store.
pub fn any(world: &World) -> Step {
    let create = || {
        let i = chance(|c| c.below(ORDERS));
        Step::Create(creation(i, ["recharge", "mine", "recharge", "custom"][i % 4]))
    };
    let choice = chance(|c| c.below(20));
    let place = place(&world.sales.lock().expect("not poisoned"));
    match (choice, place) {
        (0..=3, _) | (8.., None) => create(),
        (4..=7, _) => Step::Sale(Sale::Buy(number(chance(|c| c.below(ORDERS))), chance(|c| c.permille(250)))),
        (8..=13, Some(place)) => {
            let shape = chance(|c| *c.pick(&[Shape::Held, Shape::Held, Shape::Fresh, Shape::Restored, Shape::Forged]));
            let thief = chance(|c| c.permille(300)).then(|| number(chance(|c| c.below(ORDERS))));
            Step::Sale(Sale::Prove(place, thief, shape))
        }
        (14 | 15, Some(place)) => Step::Sale(Sale::Told(place)),
        (16 | 17, Some(place)) => Step::Sale(Sale::TakeBack(place, chance(|c| c.permille(300)).then_some(40_000))),
        (18, Some(place)) => Step::Sale(Sale::ToldTakenBack(place)),
        (_, Some(place)) => {
            let forgery = chance(|c| *c.pick(&[Forgery::OtherKey, Forgery::AlteredAmount]));
            Step::Sale(Sale::Forged(place, forgery))
        }
    }
}

/// Whether a trade is a purchase in the store.
pub fn sold(trade: &Trade) -> bool {
    trade.provider == Provider::Appleiap
}

/// The trade of a purchase.
fn trade(world: &World, bought: &Bought) -> Trade {
    world.sandbox.trade_at(Provider::Appleiap, &bought.token).expect("a purchase")
}

fn at(world: &World, place: usize) -> Bought {
    world.sales.lock().expect("not poisoned").bought[place].clone()
}

/// What a signed text says.
fn claims(signed: &str) -> Value {
    let middle = signed.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap_or_default()).expect("claims")
}

/// Signs as the store does.
fn sign(world: &World, claims: &Value) -> String {
    let (key, x5c) = world.store_key();
    let key = EcKey::parse(key).expect("a key");
    key.sign_jwt(&json!({ "alg": "ES256", "x5c": x5c }), claims).expect("signed")
}

/// The same notice of a purchase whose device did not pass its token on.
fn bare(world: &World, notice: SignedRequest) -> SignedRequest {
    let body: Value = serde_json::from_str(&notice.body).expect("a notice");
    let mut payload = claims(body["signedPayload"].as_str().expect("signed"));
    let mut inner = claims(payload["data"]["signedTransactionInfo"].as_str().expect("signed"));
    inner.as_object_mut().expect("claims").remove("appAccountToken");
    payload["data"]["signedTransactionInfo"] = json!(sign(world, &inner));
    SignedRequest { body: json!({ "signedPayload": sign(world, &payload) }).to_string(), ..notice }
}

/// A payer buys what an order's client was told to buy. The store asks nobody whether the order is still open.
pub async fn buy(world: &World, no: &str, without_token: bool) {
    let orders = world.orders();
    let order = orders.iter().find(|order| order["out_trade_no"] == *no);
    let mut attempts = order.and_then(|order| order["attempts"].as_array()).into_iter().flatten();
    let Some(attempt) = attempts.rfind(|attempt| attempt["provider"] == "appleiap") else { return };
    let token = attempt["number"].as_str().expect("a number").to_owned();
    let info = json!({ "appAccountToken": token, "productid": attempt["goods"]["product_id"], "quantity": 1 });
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    // One order is bought once: the device has what it was given.
    let Ok(paid) = world.sandbox.client_pay(Provider::Appleiap, &info, how).await else { return };
    let mut signed = paid.result["signedTransaction"].as_str().expect("signed").to_owned();
    let notice = world.sandbox.callback_of(Some(Provider::Appleiap), &token, CallbackKind::Payment);
    let mut notice = notice.expect("a purchase has a notice");
    if without_token {
        let mut inner = claims(&signed);
        inner.as_object_mut().expect("claims").remove("appAccountToken");
        signed = sign(world, &inner);
        notice = bare(world, notice);
    }
    let id = paid.paid.transaction_id;
    let bought =
        Bought { order: no.to_owned(), token, id, bare: without_token, at: world.now(), signed, notice, back: None };
    world.sales.lock().expect("not poisoned").bought.push(bought);
}

/// What the store says of a purchase now.
fn fresh(world: &World, bought: &Bought, restored: bool) -> String {
    let mut said = claims(&bought.signed);
    said["signedDate"] = json!(world.now());
    if restored {
        said["transactionId"] = json!(format!("{}9", bought.id));
        said["purchaseDate"] = json!(world.now());
    }
    if let Some(refund) = trade(world, bought).refunds.first() {
        said["revocationDate"] = json!(refund.created);
        said["revocationReason"] = json!(0);
        if refund.amount < refund.total {
            said["revocationType"] = json!("REFUND_PRORATED");
            said["revocationPercentage"] = json!(refund.amount);
        }
    }
    sign(world, &said)
}

/// A token that is another order's, under the signature of this one.
fn altered(world: &World, bought: &Bought, no: &str) -> String {
    let parts: Vec<&str> = bought.signed.split('.').collect();
    let mut said = claims(&bought.signed);
    let orders = world.orders();
    let order = orders.iter().find(|order| order["out_trade_no"] == *no);
    said["appAccountToken"] = order.map_or(Value::Null, |order| order["attempts"][0]["number"].clone());
    said["transactionId"] = json!(format!("{}8", bought.id));
    said["originalTransactionId"] = said["transactionId"].clone();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(said.to_string()), parts[2])
}

/// Whether an order stands credited with a purchase, by a proof that a client brought.
fn credited(world: &World, no: &str, id: &str) -> bool {
    let orders = world.orders();
    orders.iter().any(|o| o["out_trade_no"] == *no && o["transaction_id"] == *id && o["notify_mode"] == 0)
}

/// A client brings a purchase's proof, for its own order or for another. Whether that was answered for good.
async fn prove(world: &World, place: usize, thief: Option<&str>, shape: Shape) -> bool {
    let bought = at(world, place);
    let no = thief.unwrap_or(&bought.order);
    let signed = match shape {
        Shape::Held => bought.signed.clone(),
        Shape::Fresh => fresh(world, &bought, false),
        Shape::Restored => fresh(world, &bought, true),
        Shape::Forged => altered(world, &bought, no),
    };
    let begin = world.now();
    let back = trade(world, &bought).refunds.first().is_some_and(|refund| refund.created + CALL < begin);
    // The store is asked about what was signed long ago, and says what it signs now.
    let knows = shape != Shape::Held || bought.at + FRESH < begin;
    let before = credited(world, no, &bought.id);
    let data = json!({ "out_trade_no": no, "signed_transaction": signed });
    let request = world.call(&json!({ "action": "pay/appleiap/verifyReceipt", "data": data }));
    let answer = query_payment::handle(&world.app, request).await;
    look(world, &answer);
    assert!(shape != Shape::Forged || answer.status >= 400, "a forged proof was taken: {answer:?}");
    let after = credited(world, no, &bought.id);
    assert!(!(back && knows && after && !before), "{no} was credited with what its store had taken back: {bought:?}");
    let theirs = thief.is_some_and(|no| *no != *bought.order) && !bought.bare;
    assert!(!(theirs && answer.status == 200), "{no} was credited with the purchase of another order: {bought:?}");
    let code = serde_json::from_str::<Value>(&answer.body).unwrap_or_default()["code"].as_i64();
    // 2013: the order is being changed.
    let ended = answer.status < 500 && code != Some(2013);
    if !ended && std::env::var_os("SIMULATE_TRACE").is_some() {
        eprintln!("{} {no} is not answered: {answer:?}", world.now());
    }
    ended
}

/// The store tells of a purchase, as it stood then. Whether that was taken.
async fn told(world: &World, place: usize) -> bool {
    let answer = world.notify(&at(world, place).notice).await;
    look(world, &answer);
    (200..300).contains(&answer.status)
}

/// Somebody tells of it who is not the store.
async fn forged(world: &World, place: usize, forgery: Forgery) {
    let forged = world.sandbox.forge(at(world, place).notice, forgery);
    let answer = world.notify(&forged).await;
    assert!(!(200..300).contains(&answer.status), "a forged notice was taken: {forgery:?} {answer:?}");
}

/// The store takes a purchase back, once: whole, or a share in 1/100 000.
fn take_back(world: &World, place: usize, share: Option<u64>) {
    let bought = at(world, place);
    if trade(world, &bought).refunds.is_empty() {
        world.sandbox.store_refund(&bought.token, share).expect("a purchase");
        let told = world.sandbox.callback_of_refund(Provider::Appleiap, &bought.token, 0).expect("a refund");
        let told = if bought.bare { bare(world, told) } else { told };
        world.sales.lock().expect("not poisoned").bought[place].back = Some(told);
    }
}

/// The store tells of that. Whether it was taken.
async fn told_taken_back(world: &World, place: usize) -> bool {
    let bought = at(world, place);
    let Some(notice) = &bought.back else { return true };
    let answer = world.notify(notice).await;
    look(world, &answer);
    let taken = (200..300).contains(&answer.status);
    let whole = trade(world, &bought).refunds.first().is_some_and(|refund| refund.amount == refund.total);
    let orders = world.orders();
    let order = orders.iter().find(|order| order["transaction_id"] == *bought.id);
    // A receiver may have been told of a paid order just before.
    let given = order.is_some_and(|order| order["user_order_success"] == true || order["type"] == "mine");
    if taken && whole && !given {
        world.sales.lock().expect("not poisoned").gone.insert(bought.id);
    }
    taken
}

/// What is still to be told of each purchase when the weather clears: by the client or the store, in any order.
pub fn untold(world: &World) -> Vec<(usize, bool)> {
    let bought = world.sales.lock().expect("not poisoned").bought.len();
    let both = |place| match chance(|c| c.permille(500)) {
        true => [(place, false), (place, true)],
        false => [(place, true), (place, false)],
    };
    (0..bought).flat_map(both).collect()
}

/// Tells of a purchase, or that it was taken back. Whether nobody needs to be told of it again.
pub async fn tell(world: &World, (place, back): (usize, bool)) -> bool {
    match (back, at(world, place).bare || world.silent || chance(|c| c.permille(500))) {
        (true, _) => told_taken_back(world, place).await,
        // The client brings it until it may finish the transaction; of one without a token nobody else tells.
        (false, true) => prove(world, place, None, Shape::Held).await,
        (false, false) => told(world, place).await,
    }
}
