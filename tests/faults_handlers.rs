//! The built-in handlers: what each writes, what each refuses, and that a refusal writes nothing and keeps the payment.

use crate::binaries_kit::Shop;
use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::Mode;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

fn now_ms() -> i64 {
    (shared::app::system_clock())().get()
}

/// Creates, pays and gives the order.
async fn bought(world: &World, no: &str, kind: &str, custom: Value) -> Value {
    let (status, made) = world.create(no, json!({ "type": kind, "custom": custom })).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
    world.order(no).await
}

#[tokio::test]
async fn recharge_adds_to_the_balance_and_writes_its_log() {
    let world = World::start().await;
    let before = now_ms();
    bought(&world, "RECHARGE_1", "recharge", json!({ "user_id": "user_001" })).await;
    bought(&world, "RECHARGE_2", "recharge", json!({ "user_id": "user_001", "recharge_balance": 250 })).await;
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 350);
    let log = world.row("recharge_logs", "RECHARGE_2").await;
    for (name, value) in [
        ("_id", json!("RECHARGE_2")),
        ("out_trade_no", json!("RECHARGE_2")),
        ("user_id", json!("user_001")),
        ("recharge_balance", json!(250)),
        ("total_fee", json!(100)),
    ] {
        assert_eq!(log[name], value, "{name}");
    }
    assert!((before..=now_ms()).contains(&log["create_date"].as_i64().unwrap()));
    world.put("uni-id-users", "poor", json!({})).await;
    bought(&world, "RECHARGE_3", "recharge", json!({ "user_id": "poor" })).await;
    assert_eq!(world.row("uni-id-users", "poor").await["balance"], 100, "no balance counts as none");
}

#[tokio::test]
async fn goods_take_stock_and_write_their_order() {
    let world = World::start().await;
    world.put("goods", "cheap", json!({ "stock": 5 })).await;
    let custom = json!({ "goods_id": "cheap", "quantity": 3, "user_id": "user_001" });
    bought(&world, "GOODS_1", "goods", custom).await;
    let goods = world.row("goods", "cheap").await;
    assert_eq!((&goods["stock"], &goods["sales"]), (&json!(2), &json!(3)));
    let order = world.row("goods_orders", "GOODS_1").await;
    for (name, value) in [
        ("out_trade_no", json!("GOODS_1")),
        ("user_id", json!("user_001")),
        ("goods_id", json!("cheap")),
        ("quantity", json!(3)),
        ("status", json!("paid")),
    ] {
        assert_eq!(order[name], value, "{name}");
    }
    bought(&world, "GOODS_2", "goods", json!({ "goods_id": "goods_001" })).await;
    assert_eq!(world.row("goods", "goods_001").await["stock"], 9, "one by default");
}

#[tokio::test]
async fn vip_makes_a_member_and_extends_a_running_membership() {
    let world = World::start().await;
    let custom = |days: i64| json!({ "user_id": "user_001", "vip_type": "gold", "vip_days": days });
    let before = now_ms();
    bought(&world, "VIP_NEW_1", "vip", custom(30)).await;
    let user = world.row("uni-id-users", "user_001").await;
    let first = user["vip_expire_date"].as_i64().unwrap();
    assert_eq!((&user["is_vip"], &user["vip_type"]), (&json!(true), &json!("gold")));
    assert!((before + 30 * DAY_MS..=now_ms() + 30 * DAY_MS).contains(&first));
    bought(&world, "VIP_NEW_2", "vip", custom(1)).await;
    assert_eq!(world.row("uni-id-users", "user_001").await["vip_expire_date"], first + DAY_MS);
    let log = world.row("vip_purchase_logs", "VIP_NEW_1").await;
    assert_eq!((&log["user_id"], &log["vip_type"], &log["vip_days"]), (&json!("user_001"), &json!("gold"), &json!(30)));
    world.put("uni-id-users", "lapsed", json!({ "vip_expire_date": 1000 })).await;
    let custom = json!({ "user_id": "lapsed", "vip_type": 2, "vip_days": 1 });
    bought(&world, "VIP_NEW_3", "vip", custom).await;
    let lapsed = world.row("uni-id-users", "lapsed").await;
    assert!(lapsed["vip_expire_date"].as_i64().unwrap() >= before + DAY_MS, "a membership that ended begins anew");
    assert_eq!(lapsed["vip_type"], 2);
}

#[tokio::test]
async fn a_refusal_keeps_the_payment_says_why_and_writes_nothing() {
    let world = World::start().await;
    world.put("goods", "short", json!({ "stock": 1, "sales": 0 })).await;
    world.put("goods", "dear", json!({ "stock": 9, "sales": 0, "price": 60 })).await;
    world.put("goods", "odd", json!({ "stock": "many" })).await;
    world.put("uni-id-users", "textual", json!({ "balance": "100" })).await;
    let cases = [
        ("NO_USER_R", "recharge", json!({ "user_id": "nobody" }), "用户不存在"),
        ("NO_USER_V", "vip", json!({ "user_id": "nobody", "vip_type": "a", "vip_days": 1 }), "用户不存在"),
        ("NO_GOODS", "goods", json!({ "goods_id": "nothing" }), "商品不存在"),
        ("SHORT_1", "goods", json!({ "goods_id": "short", "quantity": 2 }), "库存不足"),
        ("DEAR_1", "goods", json!({ "goods_id": "dear", "quantity": 2 }), "支付金额低于商品价格"),
        ("ODD_STOCK", "goods", json!({ "goods_id": "odd" }), ""),
        ("ODD_BALANCE", "recharge", json!({ "user_id": "textual" }), ""),
    ];
    let tables = ["uni-id-users", "goods", "recharge_logs", "goods_orders", "vip_purchase_logs"];
    let picture = async || {
        let mut all = Vec::new();
        for table in tables {
            let mut items = world.items(table).await;
            items.sort_by_key(|item| item["_id"].to_string());
            all.push(items);
        }
        all
    };
    let before = picture().await;
    for (no, kind, custom, reason) in cases {
        let order = bought(&world, no, kind, custom).await;
        assert_eq!((&order["trade_state"], &order["status"]), (&json!("SUCCESS"), &json!(1)), "{no}");
        assert_eq!(order["user_order_success"], false, "{no}");
        let said = order["user_order_reason"].as_str().expect("a reason");
        assert!(!said.is_empty() && said.chars().count() <= 200 && said.contains(reason), "{no}: {said}");
        let (_, asked) = world.call("query-payment", json!({ "out_trade_no": no })).await;
        assert_eq!((&asked["user_order_success"], &asked["user_order_reason"]), (&json!(false), &json!(said)), "{no}");
        assert_eq!(picture().await, before, "{no}");
        let (status, refund) = world.call("refund", json!({ "out_trade_no": no })).await;
        assert_eq!(status, 200, "the money can be given back: {refund}");
    }
}

#[tokio::test]
async fn a_price_that_is_no_integer_is_not_compared() {
    let world = World::start().await;
    world.put("goods", "label", json!({ "stock": 9, "price": "on request" })).await;
    let order = bought(&world, "LABEL_1", "goods", json!({ "goods_id": "label" })).await;
    assert_eq!(order["user_order_success"], true, "{order}");
}

#[tokio::test]
async fn custom_writes_nothing_and_never_refuses() {
    let world = World::start().await;
    let order = bought(&world, "CUSTOM_1", "custom", json!({ "anything": [1, { "a": null }] })).await;
    assert_eq!(order["user_order_success"], true);
    assert!(world.items("recharge_logs").await.is_empty() && world.items("goods_orders").await.is_empty());
}

#[tokio::test]
async fn a_type_that_is_gone_at_the_time_of_payment_keeps_the_payment() {
    let shop = Shop::open(Mode::default()).await;
    let callback = shop.paid_there("GONE_TYPE_1", json!({})).await;
    let key = [("pk", "O#GONE_TYPE_1"), ("sk", "O")].map(|(k, v)| (k.to_owned(), Av::S(v.to_owned()))).into();
    let update = shop.world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key));
    update
        .update_expression("SET #t = :t")
        .expression_attribute_names("#t", "type")
        .expression_attribute_values(":t", Av::S("lottery".to_owned()))
        .send()
        .await
        .expect("changed");
    assert!(shop.taken(&callback).await, "{}", shop.log());
    let order = shop.world.order("GONE_TYPE_1").await;
    assert_eq!((&order["trade_state"], &order["user_order_success"]), (&json!("SUCCESS"), &json!(false)));
    assert!(order["user_order_reason"].as_str().unwrap().contains("lottery"));
    assert!(shop.world.items("recharge_logs").await.is_empty());
}

#[tokio::test]
async fn business_tables_have_the_prefix() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    vk_pay_local::dynamo::create_tables(&shop.world.tables, crate::world::TABLE, "shop-").await.expect("tables");
    shop.world.put("shop-uni-id-users", "user_001", json!({ "balance": 5 })).await;
    shop.environment.push(("PAY_TABLE_PREFIX", "shop-".to_owned()));
    shop.start("create-payment", 1).await;
    shop.start("notify", 1).await;
    let callback = shop.paid_there("PREFIX_1", json!({})).await;
    assert!(shop.taken(&callback).await);
    assert_eq!(shop.world.row("shop-uni-id-users", "user_001").await["balance"], 105);
    assert_eq!(shop.world.row("uni-id-users", "user_001").await["balance"], 0);
    assert_eq!(shop.world.items("shop-recharge_logs").await.len(), 1);
}

#[tokio::test]
async fn a_missing_business_table_keeps_the_payment_and_says_so() {
    let shop = Shop::open(Mode::default()).await;
    let callback = shop.paid_there("NO_TABLE_1", json!({})).await;
    shop.world.tables.delete_table().table_name("recharge_logs").send().await.expect("deleted");
    let (status, body) = shop.world.sandbox.send(&callback).await.expect("an answer");
    let order = shop.world.order("NO_TABLE_1").await;
    assert_eq!(shop.world.row("uni-id-users", "user_001").await["balance"], 0);
    assert_eq!((status, order["user_order_success"].clone()), (204, json!(false)), "{body} {order}");
}
