//! A sale day in virtual time: orders by the second, payers who take their time or never pay, callbacks that are lost, a
//! provider that is down. It shows whether what is forgotten is found soon, and whether a backlog grows.

use crate::chance::chance;
use crate::ops::rfc3339;
use crate::virtually;
use crate::world::{TABLE, World};
use sandbox::{CallbackKind, Pay, Provider};
use serde_json::{Value, json};
use shared::domain::UnixMs;
use shared::payments::Lane;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The providers that are paid at, each by a third of the orders.
const PROVIDERS: [Provider; 3] = [Provider::Wxpay, Provider::Alipay, Provider::Vkspay];
/// The one that goes down after a minute, and comes back when no more orders are made.
const DOWN: Provider = Provider::Alipay;
/// Batches of one queue at once: `WorkerConcurrency` of the template.
const CONCURRENCY: usize = 10;
/// How long a provider takes for an answer.
const ANSWER: Duration = Duration::from_millis(200);
/// A lost callback is found within so long after its payment, ms.
const FOUND_MS: i64 = 180_000;
/// How long a run goes on after the last order: the orders' two hours, and some time to end them.
const AFTER: Duration = Duration::from_mins(150);

/// What is due since longer than this is overdue: the schedule runs as often.
const MINUTE: Duration = Duration::from_mins(1);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Orders a second.
    pub rate: u64,
    /// For so many minutes.
    pub minutes: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Orders that were created.
    pub created: u64,
    /// Payments.
    pub paid: usize,
    /// After how long lost callbacks of the providers that were up were made good, ms, in order.
    pub found: Vec<i64>,
    /// Each minute: messages in the queues of the providers that are up, in that of the one that is down, and items of
    /// the index that are overdue.
    pub backlog: Vec<[usize; 3]>,
    /// Provider calls that asked, while orders were made and in all.
    pub calls: [u64; 2],
}

struct Shop {
    world: World,
    /// When a number was paid, Unix ms, and whether its callback was lost.
    payments: Mutex<BTreeMap<String, (Provider, i64, bool)>>,
    created: AtomicU64,
}

/// Makes such a run.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run(load: Load) -> Result<Loaded, String> {
    virtually(move || async move {
        let world = World::with_queues(2, 0, true).await;
        // Nothing here is sent back or delivered elsewhere, which is what the stream is for.
        world.without_stream();
        world.weather.pace(ANSWER);
        let shop = Arc::new(Shop { world, payments: Mutex::default(), created: AtomicU64::new(0) });
        for lane in Lane::all() {
            for _ in 0..CONCURRENCY {
                tokio::spawn(work(shop.clone(), lane));
            }
        }
        tokio::spawn(schedule(shop.clone()));
        let begin = Instant::now();
        let customers = tokio::spawn(customers(shop.clone(), load));
        let mut loaded = Loaded::default();
        for minute in 1..=load.minutes {
            tokio::time::sleep_until(begin + Duration::from_mins(minute)).await;
            if minute == 1 {
                shop.world.weather.set_down(Some(DOWN));
            }
            loaded.backlog.push(backlog(&shop.world).await?);
        }
        customers.await.map_err(|error| error.to_string())?;
        loaded.calls[0] = shop.world.weather.asked();
        shop.world.weather.set_down(None);
        sleep(AFTER).await;
        loaded.calls[1] = shop.world.weather.asked();
        ended(&shop, &mut loaded)?;
        Ok(loaded)
    })
}

/// Serves a queue for ever.
async fn work(shop: Arc<Shop>, lane: Lane) {
    let Some(queues) = &shop.world.queues else { return };
    loop {
        if !queues.serve(&shop.world.app, lane).await {
            sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Runs the schedule each minute for ever.
async fn schedule(shop: Arc<Shop>) {
    loop {
        sleep(Duration::from_mins(1)).await;
        let event = json!({ "time": rfc3339(shop.world.now()) });
        let _ = reconcile::handle(&shop.world.app, &event).await;
    }
}

/// Orders as they come, each with its payer.
async fn customers(shop: Arc<Shop>, load: Load) {
    let begin = Instant::now();
    for i in 0..load.rate * 60 * load.minutes {
        let comes = Duration::from_millis(i * 1_000 / load.rate);
        tokio::time::sleep_until(begin + comes).await;
        tokio::spawn(customer(shop.clone(), i));
    }
}

async fn customer(shop: Arc<Shop>, i: u64) {
    let provider = chance(|c| *c.pick(&PROVIDERS));
    let no = format!("SALE_{i:08}");
    let order = json!({
        "provider": provider.name(), "out_trade_no": no, "total_fee": 100, "subject": "sale", "type": "custom",
        "vk_platform": "h5", "needQRcode": true, "custom": { "user_id": "user_0" },
    });
    let request = shop.world.call(&json!({ "action": "pay/createPayment", "data": order }));
    let made = create_payment::handle(&shop.world.app, request).await;
    shop.created.fetch_add(1, Ordering::Relaxed);
    if made.status != 200 || chance(|c| c.permille(300)) {
        return;
    }
    let takes = chance(|c| match c.below(10) {
        0..=5 => 5_000 + c.below(35_000),
        6..=8 => 40_000 + c.below(50_000),
        _ => 90_000 + c.below(400_000),
    });
    sleep(Duration::from_millis(takes as u64)).await;
    // VksPay gives the number itself.
    let order = shop.world.app.store.order(&no).await.ok().flatten();
    let given = order.and_then(|order| order.current().numbers.last().cloned());
    let known = given.unwrap_or_else(|| no.clone());
    let how = Pay { provider: Some(provider), notify: false, ..Pay::default() };
    if shop.world.sandbox.pay(&known, how).await.is_err() {
        return;
    }
    let lost = chance(|c| c.permille(10)) || shop.world.weather.is_down(provider);
    let payment = (provider, shop.world.now(), lost);
    shop.payments.lock().expect("not poisoned").insert(no, payment);
    if !lost && let Ok(callback) = shop.world.sandbox.callback_of(Some(provider), &known, CallbackKind::Payment) {
        sleep(Duration::from_secs(1)).await;
        shop.world.notify(&callback).await;
    }
}

async fn backlog(world: &World) -> Result<[usize; 3], String> {
    let Some(queues) = &world.queues else { return Ok([0; 3]) };
    let down = Lane::Orders(shared::domain::Provider::parse(DOWN.name()).ok_or("a provider")?);
    let ready = |lane| queues.ready(lane);
    let up = Lane::all().filter(|lane| *lane != down).map(ready).sum();
    let mut overdue = 0;
    for shard in 0..world.app.store.due_shards() {
        let mut cursor = None;
        loop {
            let page = world.app.store.due(shard, UnixMs::new(world.now()) - MINUTE, cursor).await;
            let (items, next) = page.map_err(|error| error.to_string())?;
            overdue += items.len();
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
    }
    Ok([up, ready(down), overdue])
}

/// Everything that was paid is credited, and soon where its provider was up; nothing else is.
fn ended(shop: &Shop, loaded: &mut Loaded) -> Result<(), String> {
    let payments = shop.payments.lock().expect("not poisoned");
    let items = shop.world.items(TABLE);
    let orders: BTreeMap<&str, &Value> = items
        .iter()
        .filter(|item| item["kind"] == "order")
        .filter_map(|item| Some((item["out_trade_no"].as_str()?, item)))
        .collect();
    for (no, (provider, paid, lost)) in &*payments {
        let order = orders.get(no.as_str()).ok_or_else(|| format!("the order {no} is gone"))?;
        if order["trade_state"] != "SUCCESS" {
            return Err(format!("{no} was paid and is not credited: {order}"));
        }
        let after = order["notify_date"].as_i64().unwrap_or(i64::MAX) - paid;
        if *lost && *provider != DOWN {
            if after > FOUND_MS {
                return Err(format!("the lost callback of {no} was made good after {after} ms"));
            }
            loaded.found.push(after);
        }
    }
    for (no, order) in &orders {
        if payments.contains_key(*no) {
            continue;
        }
        if order["trade_state"] == "SUCCESS" {
            return Err(format!("{no} was not paid and is credited"));
        }
        if order["trade_state"] != "CLOSED" {
            return Err(format!("{no} was not paid and is still open: {order}"));
        }
    }
    loaded.found.sort_unstable();
    loaded.created = shop.created.load(Ordering::Relaxed);
    loaded.paid = payments.len();
    let mut claims: BTreeMap<&str, usize> = BTreeMap::new();
    for no in items.iter().filter(|item| item["kind"] == "transaction").filter_map(|item| item["out_trade_no"].as_str())
    {
        *claims.entry(no).or_default() += 1;
    }
    match claims.iter().find(|(no, count)| **count != 1 || !payments.contains_key(**no)) {
        Some((no, count)) => Err(format!("{no} was credited {count} times")),
        None if claims.len() != payments.len() => Err("a payment has no transaction".to_owned()),
        None => Ok(()),
    }
}
