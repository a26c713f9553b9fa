//! One number at a provider is one order's, and what callers do keeps orders small enough to be paid and closed.

use crate::world::World;
use sandbox::Provider;
use serde_json::{Value, json};

/// A recharge of somebody else's, at the amount of the first.
fn stranger(more: Value) -> Value {
    let mut data = json!({ "custom": { "user_id": "user_002" } });
    crate::world::merge(&mut data, more);
    data
}

async fn with_a_stranger() -> World {
    let world = World::start().await;
    world.put("uni-id-users", "user_002", json!({ "balance": 0 })).await;
    world
}

async fn close(world: &World, no: &str) -> (u16, Value) {
    world.call("create-payment", json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } })).await
}

fn last_attempt(order: &Value) -> &Value {
    order["attempts"].as_array().and_then(|all| all.last()).expect("an attempt")
}

#[tokio::test]
async fn an_order_under_the_number_of_anothers_later_attempt_cannot_be_created() {
    let world = World::start().await;
    world.create("VICTIM_1", json!({ "vk_platform": "h5" })).await;
    world.create("VICTIM_1", json!({ "vk_platform": "app-plus" })).await;
    let number = last_attempt(&world.order("VICTIM_1").await)["number"].as_str().expect("a number").to_owned();
    assert_eq!(number, "VICTIM_1_2");
    for provider in ["wxpay", "alipay"] {
        let (status, answer) = world.create(&number, stranger(json!({ "provider": provider }))).await;
        assert_eq!((status, &answer["code"]), (409, &json!(2010)), "{answer}");
    }
    world.sandbox.pay(&number, sandbox::Pay::default()).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", "VICTIM_1").await;
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
    assert_eq!(world.kind("order").await.len(), 1);
    let asked = world.call("query-payment", json!({ "out_trade_no": number })).await;
    assert_eq!(asked.0, 404, "a number of an attempt is no order: {asked:?}");
}

#[tokio::test]
async fn an_order_under_a_number_that_another_would_have_next_neither_takes_its_payment_nor_stops_it() {
    let world = with_a_stranger().await;
    assert_eq!(world.create("VICTIM_2_2", stranger(json!({}))).await.0, 200);
    world.create("VICTIM_2", json!({ "vk_platform": "h5" })).await;
    let (status, made) = world.create("VICTIM_2", json!({ "vk_platform": "app-plus" })).await;
    assert_eq!(status, 200, "{made}");
    let number = last_attempt(&world.order("VICTIM_2").await)["number"].as_str().expect("a number").to_owned();
    assert_ne!(number, "VICTIM_2_2");
    world.sandbox.pay(&number, sandbox::Pay::default()).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", "VICTIM_2").await;
    assert_eq!(world.order("VICTIM_2_2").await["trade_state"], "NOTPAY");
    world.pay("VICTIM_2_2").await;
    let balances = [world.row("uni-id-users", "user_001").await, world.row("uni-id-users", "user_002").await];
    assert_eq!(balances.map(|user| user["balance"].clone()), [json!(100), json!(100)]);
}

#[tokio::test]
async fn an_order_under_a_number_that_vkspay_gave_to_another_takes_nothing() {
    let world = with_a_stranger().await;
    world.create("VICTIM_3", json!({ "provider": "vkspay" })).await;
    let number = last_attempt(&world.order("VICTIM_3").await)["numbers"][0].as_str().expect("a number").to_owned();
    let (status, made) = world.create(&number, stranger(json!({ "provider": "vkspay" }))).await;
    assert_eq!(status, 200, "VksPay never learns our number, so it is free: {made}");
    world.sandbox.pay(&number, sandbox::Pay::default()).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", "VICTIM_3").await;
    assert_eq!(world.order(&number).await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_002").await["balance"], 0);
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn an_order_has_twenty_attempts_and_is_paid_or_closed_with_all_of_them() {
    let world = World::start().await;
    for no in ["MANY_1", "MANY_2"] {
        world.create(no, json!({ "vk_platform": "h5" })).await;
        for n in 2..=20 {
            let way = if n % 2 == 0 { "app-plus" } else { "h5" };
            let (status, made) = world.create(no, json!({ "vk_platform": way, "provider": "alipay" })).await;
            assert_eq!(status, 200, "attempt {n}: {made}");
        }
        let before = world.order(no).await;
        let (status, refused) = world.create(no, json!({ "vk_platform": "h5" })).await;
        assert_eq!((status, &refused["code"]), (409, &json!(2020)), "{refused}");
        assert_eq!(world.order(no).await, before, "what is refused changes nothing");
        let (status, again) = world.create(no, json!({ "vk_platform": "app-plus", "provider": "alipay" })).await;
        assert_eq!(status, 200, "the open attempt is still answered: {again}");
        let size = before.to_string().len();
        assert!(size < 20_000, "{size} bytes");
    }
    let (status, closed) = close(&world, "MANY_1").await;
    assert_eq!((status, &closed["trade_state"]), (200, &json!("CLOSED")), "{closed}");
    let text = world
        .call(
            "create-payment",
            json!({ "action": "pay/createPayment", "data": {
        "provider": "alipay", "out_trade_no": "MANY_2", "total_fee": 100, "subject": "测试商品", "type": "recharge",
        "vk_platform": "app-plus", "custom": { "user_id": "user_001" } } }),
        )
        .await;
    let info = text.1["orderInfo"].as_str().expect("an order string");
    world.sandbox.open_order_string(info).expect("opened");
    let number = last_attempt(&world.order("MANY_2").await)["number"].as_str().expect("a number").to_owned();
    world.sandbox.pay(&number, sandbox::Pay::default()).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", "MANY_2").await;
}

#[tokio::test]
async fn a_query_asks_about_few_attempts_and_about_each_in_its_turn() {
    let world = World::start().await;
    world.create("TURNS_1", json!({ "vk_platform": "app-plus", "provider": "alipay" })).await;
    // Alipay knows a trade only once its payer has opened it, so that these stay open.
    for n in 2..=9 {
        let way = if n % 2 == 0 { "h5" } else { "app-plus" };
        let data = json!({ "vk_platform": way, "provider": "alipay", "needQRcode": false });
        assert_eq!(world.create("TURNS_1", data).await.0, 200);
    }
    let open = |order: &Value| {
        let all = order["attempts"].as_array().expect("attempts").iter();
        all.filter(|a| a["state"] == "open" || a["state"] == "abandoned").count()
    };
    let before = world.order("TURNS_1").await;
    assert!(open(&before) > 4, "{before}");
    let asked = world.sandbox.requests().len();
    assert_eq!(world.call("query-payment", json!({ "out_trade_no": "TURNS_1" })).await.0, 200);
    assert_eq!(world.sandbox.requests().len() - asked, 4);
}

#[tokio::test]
async fn a_way_to_pay_that_cannot_be_taken_leaves_the_open_one_alive() {
    let world = World::start().await;
    world.create("ALIVE_1", json!({ "vk_platform": "h5" })).await;
    let (status, refused) = world.create("ALIVE_1", json!({ "vk_platform": "mp-weixin" })).await;
    assert_eq!(status, 400, "a mini program's payment needs an openid: {refused}");
    assert_eq!(last_attempt(&world.order("ALIVE_1").await)["state"], "open");
    let trade = world.sandbox.trade_at(Provider::Wxpay, "ALIVE_1").expect("a trade");
    assert!(trade.payable(), "the QR code that the payer looks at can be paid: {trade:?}");
    world.pay("ALIVE_1").await;
}

#[tokio::test]
async fn pay_parameters_are_kept_beside_the_order_and_answered_again() {
    let world = World::start().await;
    let (_, first) = world.create("BESIDE_1", json!({ "provider": "alipay", "vk_platform": "app-plus" })).await;
    let info = first["orderInfo"].as_str().expect("an order string");
    let order = world.order("BESIDE_1").await.to_string();
    assert!(!order.contains("alipay_sdk") && !order.contains(&info[..40]), "{order}");
    assert_eq!(world.kind("parameters").await.len(), 1);
    let (_, again) = world.create("BESIDE_1", json!({ "provider": "alipay", "vk_platform": "app-plus" })).await;
    assert_eq!(again["orderInfo"], first["orderInfo"]);
}
