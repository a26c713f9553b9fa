//! A flash sale in virtual time: payments of one product by the second, at a table that cancels a transaction while another one
//! holds an item of it. It shows what shards of the stock are for.

use crate::chance::chance;
use crate::ops::rfc3339;
use crate::virtually;
use crate::world::{GOODS, PRICE, World};
use serde_json::{Value, json};
use shared::domain::{Order, Payment, Provider, UnixMs};
use shared::payments::{Confirmed, Source, confirm};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// How long a transaction holds its items.
pub const HOLDING: Duration = Duration::from_millis(10);
/// When WeChat Pay calls again that was not answered with success, seconds after the call before.
const AGAIN: [u64; 8] = [15, 15, 30, 180, 600, 1_200, 1_800, 1_800];
/// For how many minutes the schedule goes on after that.
const AFTER: u64 = 90;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Hot {
    /// Payments a second, at moments by chance.
    pub rate: u64,
    /// For so many seconds.
    pub seconds: u64,
    /// Pieces in stock; each payment is for one.
    pub stock: i64,
    /// Shards that the stock is sold from; 0 is none.
    pub shards: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sold {
    /// Payments.
    pub payments: usize,
    /// Delivered within the first call of their provider.
    pub at_once: usize,
    /// Delivered at last.
    pub delivered: usize,
    /// Refused for want of stock.
    pub refused: usize,
    /// Calls of the provider beyond the first of each payment.
    pub called_again: usize,
    /// Transactions that were sent.
    pub transactions: u64,
    /// Those that were cancelled for a conflict.
    pub conflicts: u64,
    /// From the provider's first call to the delivery, ms, in order.
    pub times: Vec<i64>,
}

impl Sold {
    /// The time, ms, within which so many in a thousand of what was delivered is.
    pub fn within(&self, permille: usize) -> i64 {
        let at = (self.times.len() * permille).div_ceil(1_000).saturating_sub(1);
        self.times.get(at).copied().unwrap_or(0)
    }

    /// How many in a thousand payments were delivered within the provider's first call.
    pub const fn at_once_permille(&self) -> usize {
        match self.payments {
            0 => 0,
            all => self.at_once * 1_000 / all,
        }
    }
}

/// How a payment ended.
struct Ended {
    no: String,
    calls: usize,
    /// From the first call to the delivery, ms; absent where it is not delivered yet.
    took: Option<i64>,
    began: i64,
}

/// Makes such a sale.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run(hot: Hot) -> Result<Sold, String> {
    virtually(move || async move {
        let world = Arc::new(World::with_queues(0, 0, false).await);
        world.offer(hot.stock, hot.shards, &[]);
        let count = hot.rate * hot.seconds;
        for i in 0..count {
            let order = order(i, world.now())?;
            let due = UnixMs::new(world.now()) + Duration::from_hours(2);
            let inserted = world.app.store.insert_order(&order, due, "key:shop").await;
            inserted.map_err(|error| error.to_string())?;
        }
        world.weather.hold_items(HOLDING);
        let begin = Instant::now();
        let last = usize::try_from(hot.seconds * 1_000).unwrap_or(usize::MAX);
        let payers: Vec<_> = (0..count)
            .map(|i| {
                let comes = Duration::from_millis(chance(|c| c.below(last)) as u64);
                let world = world.clone();
                tokio::spawn(async move {
                    sleep_until(begin + comes).await;
                    payer(&world, i).await
                })
            })
            .collect();
        let mut ended = Vec::new();
        for payer in payers {
            ended.push(payer.await.map_err(|error| error.to_string())??);
        }
        summed(&world, hot, ended).await
    })
}

/// The order of a payer, who is about to pay.
fn order(i: u64, now: i64) -> Result<Order, String> {
    let no = number(i);
    let attempt = json!({
        "n": 1, "provider": "wxpay", "node": "h5", "pay_type": "wxpay_h5", "merchant": "default", "number": no,
        "app_id": "wx0000000000000000", "state": "open", "create_date": now, "client_ip": "203.0.113.7",
    });
    let order = json!({
        "out_trade_no": no, "provider": "wxpay", "pay_type": "wxpay_h5", "platform": "h5", "uni_platform": "h5",
        "type": "goods", "trade_state": "NOTPAY", "status": 0, "total_fee": PRICE, "currency": "CNY", "refund_fee": 0,
        "refund_reserved": 0, "refundable": 0, "refund_num": 0, "user_id": format!("user_{i}"),
        "provider_appid": "wx0000000000000000", "merchant": "default", "description": "flash sale",
        "custom": { "goods_id": GOODS }, "notify_url": "https://pay.test", "notify_path": "/pay-notify/wxpay/default",
        "create_date": now, "time_expire": now + 7_200_000, "attempts": [attempt], "version": 1,
    });
    serde_json::from_value(order).map_err(|error| error.to_string())
}

fn number(i: u64) -> String {
    format!("FLASH_{i:06}")
}

/// A payment, of which its provider tells until it is taken.
async fn payer(world: &World, i: u64) -> Result<Ended, String> {
    let no = number(i);
    let payment = Payment {
        total: Some(shared::domain::Fen(PRICE.unsigned_abs())),
        app_id: Some("wx0000000000000000".to_owned()),
        ..Payment::new(Provider::Wxpay, "default", no.clone(), format!("42{i:026}"))
    };
    let began = world.now();
    let mut pauses = AGAIN.iter();
    for calls in 1.. {
        let context = world.app.context(world.app.config().await);
        match confirm(&context, &payment, Source::Callback).await {
            Ok(Confirmed::Credited | Confirmed::Already) => {
                let took = world.now() - began;
                let took = delivered(world, &no).await?.then_some(took);
                return Ok(Ended { no, calls, took, began });
            }
            Ok(other) => return Err(format!("{no} is no ordinary payment: {other:?}")),
            Err(_) => match pauses.next() {
                Some(pause) => sleep(Duration::from_secs(*pause)).await,
                None => return Err(format!("{no} was paid, and its provider has given up telling")),
            },
        }
    }
    Err(format!("{no} was never told of"))
}

/// Whether a paid order is delivered.
async fn delivered(world: &World, no: &str) -> Result<bool, String> {
    let order = world.app.store.order(no).await.map_err(|error| error.to_string())?;
    Ok(order.is_some_and(|order| order.user_order_success == Some(true)))
}

/// The schedule takes what the callbacks left; then the books are compared.
async fn summed(world: &World, hot: Hot, mut ended: Vec<Ended>) -> Result<Sold, String> {
    let at_once = ended.iter().filter(|one| one.calls == 1 && one.took.is_some()).count();
    let [transactions, conflicts] = world.weather.transactions();
    let enough = usize::try_from(hot.stock).unwrap_or(0).min(ended.len());
    for _ in 0..AFTER {
        if ended.iter().filter(|one| one.took.is_some()).count() >= enough {
            break;
        }
        sleep(Duration::from_mins(1)).await;
        let event = json!({ "time": rfc3339(world.now()) });
        let _ = reconcile::handle(&world.app, &event).await;
        for one in ended.iter_mut().filter(|one| one.took.is_none()) {
            if delivered(world, &one.no).await? {
                one.took = Some(world.now() - one.began);
            }
        }
    }
    let mut times: Vec<i64> = ended.iter().filter_map(|one| one.took).collect();
    times.sort_unstable();
    let delivered = times.len();
    if delivered != enough {
        return Err(format!("{enough} pieces can be delivered, {delivered} were"));
    }
    let shelves = world.shelves();
    let sum = |name: &str| shelves.iter().filter_map(|shelf| shelf[name].as_i64()).sum::<i64>();
    let below = |shelf: &&Value| shelf["stock"].as_i64().is_none_or(|stock| stock < 0);
    if let Some(shelf) = shelves.iter().find(below) {
        return Err(format!("less than nothing in stock: {shelf}"));
    }
    let sold = i64::try_from(delivered).unwrap_or(i64::MAX);
    if sum("sales") != sold || sum("stock") != hot.stock - sold {
        return Err(format!("{sold} of {} pieces were delivered: {shelves:?}", hot.stock));
    }
    if world.items("goods_orders").len() != delivered {
        return Err("not every piece has its order".to_owned());
    }
    Ok(Sold {
        payments: ended.len(),
        at_once,
        delivered,
        refused: ended.len() - delivered,
        called_again: ended.iter().map(|one| one.calls - 1).sum(),
        transactions,
        conflicts,
        times,
    })
}
