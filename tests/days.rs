//! `pay/queryOrders` by day: what was paid, of everybody, for the merchant's own systems alone.

use crate::binaries_auth::{USERS, user};
use crate::world::{KEY, TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::Mode;
use serde_json::{Value, json};
use shared::domain::{Day, Fen, Provider, UnixMs};
use shared::store::{DayTotals, ListedAccount, PaidEntry, Store};
use std::collections::{BTreeSet, HashMap};
use vk_pay_local::dynamo;

type Item = HashMap<String, Av>;

fn text(text: &str) -> Av {
    Av::S(text.to_owned())
}

/// A paid order and its payment as the table holds them, to make more of their kind.
struct Model {
    order: Item,
    payment: Item,
}

impl World {
    async fn model(&self) -> Model {
        self.create("MODEL_1", json!({})).await;
        self.pay("MODEL_1").await;
        let page = self.tables.scan().table_name(TABLE).send().await.unwrap();
        let of = |kind: &str| {
            let found = page.items().iter().find(|item| item.get("kind") == Some(&text(kind)));
            found.expect("an item of that kind").clone()
        };
        Model { order: of("order"), payment: of("transaction") }
    }

    /// Another order that was paid at a time, with the fields of the model.
    async fn paid_like(&self, model: &Model, no: &str, at: UnixMs, change: &[(&str, Av)]) {
        let mut order = model.order.clone();
        order.extend([("pk".to_owned(), text(&format!("O#{no}"))), ("out_trade_no".to_owned(), text(no))]);
        order.extend(change.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut payment = model.payment.clone();
        let shard = no.bytes().map(u32::from).sum::<u32>() % 16;
        for (name, value) in [
            ("pk", text(&format!("T#wxpay#{no}"))),
            ("out_trade_no", text(no)),
            ("list_key", text(&format!("paid#wxpay#default#{}#{shard:02}", Day::of(at)))),
            ("list_date", Av::N(at.to_string())),
        ] {
            payment.insert(name.to_owned(), value);
        }
        for item in [order, payment] {
            self.tables.put_item().table_name(TABLE).set_item(Some(item)).send().await.unwrap();
        }
    }

    /// A page of orders by day.
    async fn by_day(&self, data: Value) -> (Vec<String>, Value) {
        let (status, page) = self.call("query-payment", json!({ "url": "pay/queryOrders", "data": data })).await;
        assert_eq!(status, 200, "{page}");
        let list = page["list"].as_array().expect("a list");
        (list.iter().map(|o| o["out_trade_no"].as_str().unwrap().to_owned()).collect(), page["cursor"].clone())
    }

    /// All pages of a list, each as the one before said; `between` runs after each.
    async fn all_by_day(&self, data: Value, between: impl AsyncFn(usize)) -> Vec<String> {
        let (mut found, mut cursor) = (Vec::new(), Value::Null);
        for page in 0.. {
            let mut asked = data.clone();
            asked["cursor"] = cursor;
            let (list, next) = self.by_day(asked).await;
            found.extend(list);
            if next.is_null() {
                break;
            }
            cursor = next;
            between(page).await;
        }
        found
    }
}

/// Midday of a day in January, Shanghai, and so many milliseconds.
fn january(day: i64, ms: i64) -> UnixMs {
    UnixMs::new(Day::parse("2026-01-01").unwrap().before(1 - day).begins().get() + 12 * 3_600_000 + ms)
}

const JANUARY: [(&str, &str); 2] = [("from", "2026-01-01"), ("to", "2026-01-03")];

fn january_list(page_size: usize) -> Value {
    let mut data = json!({ "provider": "wxpay", "pageSize": page_size });
    for (name, day) in JANUARY {
        data[name] = json!(day);
    }
    data
}

#[tokio::test]
async fn every_page_size_gives_every_paid_order_once_and_the_newest_first() {
    let world = World::start().await;
    let model = world.model().await;
    let mut expected = Vec::new();
    for n in 0..30_i64 {
        // Many at the same moment, in the same shard and in others.
        let (no, at) = (format!("EVERY_{n:02}"), january(1 + n % 3, n / 9));
        world.paid_like(&model, &no, at, &[]).await;
        expected.push((at, no));
    }
    let whole: BTreeSet<&String> = expected.iter().map(|(_, no)| no).collect();
    let times: HashMap<&String, UnixMs> = expected.iter().map(|(at, no)| (no, *at)).collect();
    for page_size in 1..=31 {
        let found = world.all_by_day(january_list(page_size), async |_| {}).await;
        assert_eq!(found.len(), 30, "pages of {page_size}");
        assert_eq!(found.iter().collect::<BTreeSet<_>>(), whole, "pages of {page_size}");
        assert!(found.is_sorted_by(|a, b| times[a] >= times[b]), "pages of {page_size}: {found:?}");
    }
    let (day, _) = world.by_day(json!({ "day": "2026-01-02", "pageSize": 100 })).await;
    assert_eq!(day.len(), 10, "one day by itself, at every provider");
}

#[tokio::test]
async fn what_is_paid_while_somebody_pages_is_never_given_twice_and_hides_nothing() {
    let world = World::start().await;
    let model = world.model().await;
    for n in 0..20_i64 {
        world.paid_like(&model, &format!("BEFORE_{n:02}"), january(1 + n % 3, n), &[]).await;
    }
    for page_size in [1, 3, 7] {
        let found = world
            .all_by_day(january_list(page_size), async |page| {
                // A list that grows below as fast as it is read has no end.
                let Some(n) = i64::try_from(page).ok().filter(|n| *n < 12) else { return };
                for (kind, day) in [("NEWER", 3), ("OLDER", 1)] {
                    let no = format!("{kind}_{page_size}_{page}");
                    world.paid_like(&model, &no, january(day, 500 - n), &[]).await;
                }
            })
            .await;
        let unique: BTreeSet<&String> = found.iter().collect();
        assert_eq!(unique.len(), found.len(), "pages of {page_size}: {found:?}");
        let before = found.iter().filter(|no| no.starts_with("BEFORE_")).count();
        assert_eq!(before, 20, "pages of {page_size}: {found:?}");
    }
}

#[tokio::test]
async fn a_day_lists_real_payments_and_refunds_by_their_state_and_type() {
    let world = World::start().await;
    for n in 1..=3 {
        world.create(&format!("REAL_{n}"), json!({ "type": if n == 3 { "custom" } else { "recharge" } })).await;
        world.pay(&format!("REAL_{n}")).await;
    }
    world.create("REAL_OPEN", json!({})).await;
    world.call("refund", json!({ "out_trade_no": "REAL_2", "out_refund_no": "REAL_R", "refund_fee": 30 })).await;
    world.until(|order| order["refund_fee"] == 30, "REAL_2").await;
    let today = Day::of(world.app.as_ref().map(|app| (app.clock)()).unwrap());
    let list = async |over: Value| {
        let mut data = json!({ "day": today.to_string() });
        crate::world::merge(&mut data, over);
        let (mut list, _) = world.by_day(data).await;
        list.sort();
        list
    };
    assert_eq!(list(json!({})).await, ["REAL_1", "REAL_2", "REAL_3"], "one that is open was not paid");
    assert_eq!(list(json!({ "trade_state": "REFUND" })).await, ["REAL_2"]);
    assert_eq!(list(json!({ "status": 1 })).await, ["REAL_1", "REAL_3"]);
    assert_eq!(list(json!({ "type": "custom", "merchant": "default" })).await, ["REAL_3"]);
    assert!(list(json!({ "provider": "alipay" })).await.is_empty());
    let store = Store::new(dynamo::client(&world.dynamodb), TABLE, "");
    let account = ListedAccount { provider: Provider::Wxpay, merchant: "default".to_owned() };
    let totals = store.day_totals(&account, today).await.unwrap();
    assert_eq!(
        totals,
        DayTotals { paid: 3, paid_fee: Fen(300), refunded: 1, refunded_fee: Fen(30), ..DayTotals::default() }
    );
    let mut payments = store.paid_on_days(&[account], (today, today), None, 10);
    assert_eq!(payments.next::<PaidEntry>(10).await.unwrap().len(), 3);
    assert_eq!(payments.position(), None, "nothing follows");
}

#[tokio::test]
async fn a_list_by_day_says_what_it_cannot_list_and_where_a_request_is_wrong() {
    let world = World::start().await;
    for (data, field) in [
        (json!({ "day": "2026-1-1" }), "day"),
        (json!({ "day": 20260101 }), "day"),
        (json!({ "day": "2026-01-01", "from": "2026-01-01", "to": "2026-01-01" }), "day"),
        (json!({ "from": "2026-01-01" }), "to"),
        (json!({ "to": "2026-01-01" }), "from"),
        (json!({ "from": "2026-01-02", "to": "2026-01-01" }), "from"),
        (json!({ "from": "2026-01-01", "to": "2026-02-01" }), "from"),
        (json!({ "day": "2026-01-01", "trade_state": "NOTPAY" }), "trade_state"),
        (json!({ "day": "2026-01-01", "trade_state": "CLOSED" }), "trade_state"),
        (json!({ "day": "2026-01-01", "status": -1 }), "trade_state"),
        (json!({ "day": "2026-01-01", "trade_state": "PAID" }), "trade_state"),
        (json!({ "day": "2026-01-01", "merchant": "nobody" }), "merchant"),
        (json!({ "day": "2026-01-01", "user_id": "user_001" }), "user_id"),
        (json!({ "day": "2026-01-01", "cursor": "zzzz" }), "cursor"),
        (json!({}), "user_id, day"),
    ] {
        let (status, answer) = world.call("query-payment", json!({ "url": "pay/queryOrders", "data": data })).await;
        assert_eq!(status, 400, "{data}");
        assert!(answer["msg"].as_str().unwrap().contains(field), "{data}: {}", answer["msg"]);
    }
    let model = world.model().await;
    for n in 0..3 {
        world.paid_like(&model, &format!("BOUND_{n}"), january(1, n), &[]).await;
    }
    let (_, cursor) = world.by_day(json!({ "day": "2026-01-01", "pageSize": 1 })).await;
    let other = json!({ "day": "2026-01-02", "pageSize": 1, "cursor": cursor });
    let (status, answer) = world.call("query-payment", json!({ "url": "pay/queryOrders", "data": other })).await;
    assert_eq!((status, answer["msg"].as_str().unwrap().contains("cursor")), (400, true), "a cursor is one list's");
}

#[tokio::test]
async fn a_filter_that_fits_few_orders_gives_short_pages_that_go_on() {
    let world = World::start().await;
    let model = world.model().await;
    for n in 0..1_100_i64 {
        let kind = if n == 0 { "rare" } else { "recharge" };
        world.paid_like(&model, &format!("FEW_{n:04}"), january(1, n), &[("type", text(kind))]).await;
    }
    let data = json!({ "day": "2026-01-01", "provider": "wxpay", "type": "rare", "pageSize": 100 });
    let (first, cursor) = world.by_day(data.clone()).await;
    assert!(
        first.is_empty() && cursor.is_string(),
        "what one request reads is bounded, and it says that there is more"
    );
    assert_eq!(world.all_by_day(data, async |_| {}).await, ["FEW_0000"]);
}

#[tokio::test]
async fn a_user_never_lists_a_day_not_even_an_admin() {
    let world = World::with(Mode::default(), |config| {
        config["auth"]["queryOrders"] = json!(["key", "jwt"]);
        config["auth"]["jwt"] = json!({ "hs256": USERS });
    })
    .await;
    world.create("OTHERS_1", json!({})).await;
    world.pay("OTHERS_1").await;
    let today = Day::of(UnixMs::new(i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()));
    let body = json!({ "url": "pay/queryOrders", "data": { "day": today.to_string() } });
    for role in [json!(null), json!("user"), json!("admin"), json!(["admin"])] {
        let token = user(json!({ "uid": "user_002", "role": role }));
        let (status, answer) = world.post(&world.url("query-payment"), body.clone(), Some(&token)).await;
        assert_eq!(status, 403, "{role}");
        assert!(!answer.to_string().contains("OTHERS_1"), "{role}");
    }
    assert_eq!(world.post(&world.url("query-payment"), body.clone(), None).await.0, 401);
    let (status, answer) = world.post(&world.url("query-payment"), body, Some(KEY)).await;
    assert_eq!((status, answer["list"].as_array().unwrap().len()), (200, 1));
}
