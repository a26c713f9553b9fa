//! Closed is not forgotten: what a provider cannot close is asked about as long as it takes money. And how far ahead an
//! order may end.

use crate::provider_doubts::{NO, begun, close, pay_silently, ways};
use crate::world::{TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{DouyinProduct, Mode, Pay};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

async fn late_payment(world: &World, name: &str) {
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1, "{name}: {incidents:?}");
    assert_eq!(incidents[0]["incident"], "late_payment", "{name}");
    assert_eq!(world.order(NO).await["trade_state"], "CLOSED", "{name}");
}

#[tokio::test]
async fn what_is_paid_after_the_order_has_ended_is_found_though_no_notice_comes() {
    for way in ways() {
        let (world, made) = begun(&way).await;
        assert_eq!(world.reconcile(121 * MINUTE).await["closed"], 1, "{}", way.name);
        pay_silently(&world, &way, &made).await;
        let run = world.reconcile(121 * MINUTE + 3 * HOUR).await;
        assert_eq!(run["incidents"], 1, "{}: {run}", way.name);
        late_payment(&world, way.name).await;
        world.dispatch().await;
        assert_eq!(world.sandbox.refunds().len(), 1, "{}: and goes back", way.name);
        let order = world.order(NO).await;
        assert!(order["due_shard"].is_null(), "{}: nothing else can be paid: {order}", way.name);
    }
}

#[tokio::test]
async fn what_is_paid_after_the_order_was_closed_by_hand_is_found_within_minutes() {
    for way in ways() {
        let (world, made) = begun(&way).await;
        assert_eq!(close(&world).await.0, 200, "{}", way.name);
        pay_silently(&world, &way, &made).await;
        assert_eq!(world.reconcile(11 * MINUTE).await["incidents"], 1, "{}", way.name);
        late_payment(&world, way.name).await;
    }
}

#[tokio::test]
async fn another_link_is_watched_though_one_was_paid_by_a_wrong_amount_before_the_closing() {
    let way = ways().remove(0);
    let (world, first) = begun(&way).await;
    let update = world.tables.update_item().table_name(TABLE);
    let update = update.key("pk", Av::S(format!("O#{NO}"))).key("sk", Av::S("P#1".to_owned()));
    let update = update.update_expression("SET fresh_until = :v");
    update.expression_attribute_values(":v", Av::N("1".to_owned())).send().await.expect("written");
    let (status, second) = world.create(NO, json!({ "provider": "vkspay", "vk_platform": null })).await;
    assert_eq!(status, 200, "{second}");
    assert_ne!(first["orderInfo"], second["orderInfo"], "a link of its own");
    let pay = async |made: &Value, amount| {
        let how = Pay { merchant: Some("shop".to_owned()), notify: false, amount, ..Pay::default() };
        world.sandbox.client_pay(way.provider, &made["orderInfo"], how).await.expect("paid");
    };
    pay(&first, Some(101)).await;
    assert_eq!(close(&world).await.0, 200);
    pay(&second, None).await;
    world.reconcile(11 * MINUTE).await;
    let incidents = world.kind("incident").await;
    let names: std::collections::BTreeSet<&str> = incidents.iter().filter_map(|i| i["incident"].as_str()).collect();
    assert_eq!(names, ["amount_mismatch", "late_payment"].into());
}

/// The times, ms after the closing, at which an order is asked about until it is let go.
async fn asked_at(world: &World) -> Vec<i64> {
    let mut times = Vec::new();
    let order = world.order(NO).await;
    let closed = order["cancel_date"].as_i64().expect("closed");
    let mut due = order["due"].as_i64();
    while let Some(at) = due {
        assert_eq!(world.reconcile_at(at).await["asked"], 1);
        times.push(at - closed);
        due = world.order(NO).await["due"].as_i64();
        assert!(times.len() < 40, "it is watched for ever: {times:?}");
    }
    times
}

#[tokio::test]
async fn a_closed_order_is_watched_with_growing_pauses_as_long_as_its_provider_takes_money_and_a_day() {
    for way in ways() {
        let (world, _) = begun(&way).await;
        assert_eq!(close(&world).await.0, 200, "{}", way.name);
        let times = asked_at(&world).await;
        let pauses: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let full = &pauses[..pauses.len() - 1];
        assert!(full.windows(2).all(|pair| pair[0] <= pair[1]), "{}: {pauses:?}", way.name);
        let life = match way.name {
            "vkspay" | "epay md5" | "epay rsa" => 7 * DAY,
            "virtual" => 3 * DAY,
            _ => 0,
        };
        let last = *times.last().expect("asked");
        let wanted = 2 * HOUR + life + DAY;
        assert!((wanted - 2 * MINUTE..=wanted).contains(&last), "{}: {last} of {wanted}", way.name);
        assert!(times.len() < 20, "{}: {} calls", way.name, times.len());
    }
}

#[tokio::test]
async fn f14_an_end_in_seconds_or_as_a_date_is_refused_with_the_unit() {
    let world = World::start().await;
    let seconds = (shared::app::system_clock())().get() / 1_000 + 3_600;
    for end in [json!(seconds), json!(seconds.to_string()), json!("2027-01-01T00:00:00Z"), json!(seconds * 1_000_000)] {
        for provider in ["wxpay", "alipay", "vkspay", "huawei", "appleiap", "douyin"] {
            let data = json!({ "provider": provider, "time_expire": end, "product_id": "coins_1", "vk_platform": match provider {
                "appleiap" => "app-plus",
                "huawei" => "mp-harmony",
                _ => "h5",
            } });
            refused(&world, data).await;
        }
    }
}

async fn refused(world: &World, data: Value) -> String {
    let (status, answer) = world.create(NO, data.clone()).await;
    assert_eq!((status, &answer["code"]), (400, &json!(1030)), "{data}: {answer}");
    let message = answer["msg"].as_str().expect("a text").to_owned();
    assert!(message.contains("time_expire") && message.contains("Unix ms"), "{data}: {message}");
    assert!(world.order(NO).await.is_null(), "{data}: nothing is written");
    message
}

#[tokio::test]
async fn every_provider_has_a_latest_end() {
    let coins = json!({ "code": "login", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } });
    let usual = Mode::default();
    let trade = Mode { douyin: DouyinProduct::Trade, ..usual };
    let latest = [
        (usual, "wxpay", 7, json!({})),
        (usual, "alipay", 15, json!({})),
        (usual, "vkspay", 7, json!({})),
        (usual, "appleiap", 7, json!({ "vk_platform": "app-plus", "product_id": "coins_1" })),
        (usual, "wxpay-virtual", 7, coins),
        (usual, "douyin", 2, json!({})),
        (trade, "douyin", 2, json!({})),
        (usual, "huawei", 180, json!({ "vk_platform": "mp-harmony" })),
    ];
    crate::world::names_all(&latest.each_ref().map(|(_, provider, ..)| *provider), |_| true);
    for (mode, provider, days, data) in latest {
        let world = World::with(mode, |_| {}).await;
        let now = (shared::app::system_clock())().get();
        let mut data = data;
        data["provider"] = json!(provider);
        if data["vk_platform"].is_null() {
            data["vk_platform"] = if provider == "wxpay-virtual" { json!("mp-weixin") } else { json!("h5") };
        }
        data["time_expire"] = json!(now + days * DAY + MINUTE);
        let message = refused(&world, data.clone()).await;
        assert!(message.contains("days"), "{message}");
        data["time_expire"] = json!(now + days * DAY - MINUTE);
        let (status, answer) = world.create(NO, data).await;
        assert_eq!(status, 200, "{provider}: {answer}");
    }
}

#[tokio::test]
async fn an_end_by_the_policy_is_never_later_than_the_provider_allows() {
    let world = World::with(Mode::default(), |c| c["policy"] = json!({ "orderExpireMinutes": 10_080 })).await;
    let (status, answer) = world.create(NO, json!({ "provider": "douyin" })).await;
    assert_eq!(status, 200, "{answer}");
    let order = world.order(NO).await;
    let life = order["time_expire"].as_i64().unwrap() - order["create_date"].as_i64().unwrap();
    assert_eq!(life, 2 * DAY);
}
