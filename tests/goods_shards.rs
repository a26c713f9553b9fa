//! Goods that are sold from shards: what is written where, what is found again, and what nobody gets past.

use crate::binaries_kit::Shop;
use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use futures::future::join_all;
use sandbox::Mode;
use serde_json::{Value, json};

/// Creates, pays and gives an order for so many pieces at 1 yuan each.
async fn bought(world: &World, no: &str, goods: &str, quantity: u64) -> Value {
    let custom = json!({ "goods_id": goods, "quantity": quantity, "user_id": "user_001" });
    let data = json!({ "type": "goods", "total_fee": 100 * quantity, "custom": custom });
    let (status, made) = world.create(no, data).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
    world.order(no).await
}

async fn offer(world: &World, goods: &str, stock: i64, shards: u64) {
    let item = json!({ "stock": stock, "sales": 0, "price": 100, "stock_shards": shards });
    world.put("goods", goods, item).await;
}

/// A number on the goods item, and the sum of it over the product's shards.
async fn sums(world: &World, goods: &str, name: &str) -> (i64, i64) {
    let (mut main, mut shards) = (0, 0);
    for item in world.items("goods").await {
        let number = item[name].as_i64().unwrap_or(0);
        assert!(number >= 0, "{item}");
        if item["shard_of"] == *goods {
            shards += number;
        } else if item["_id"] == *goods {
            main = number;
        }
    }
    (main, shards)
}

async fn set_shards(world: &World, goods: &str, shards: Option<u64>) {
    let update = world.tables.update_item().table_name("goods").key("_id", Av::S(goods.to_owned()));
    let update = match shards {
        Some(shards) => update
            .update_expression("SET stock_shards = :n")
            .expression_attribute_values(":n", Av::N(shards.to_string())),
        None => update.update_expression("REMOVE stock_shards"),
    };
    update.send().await.expect("changed");
}

#[tokio::test]
async fn a_shard_draws_a_share_and_the_next_orders_leave_the_goods_item_alone() {
    let world = World::start().await;
    offer(&world, "tea", 1_000, 2).await;
    let mut untouched = 0;
    for n in 0..12 {
        let before = world.row("goods", "tea").await;
        let order = bought(&world, &format!("SHARE_{n}"), "tea", 1).await;
        assert_eq!(order["user_order_success"], true, "{order}");
        untouched += i32::from(world.row("goods", "tea").await == before);
    }
    assert_eq!(untouched, 10, "each of the two shards was filled once");
    let main = world.row("goods", "tea").await;
    assert_eq!((&main["stock"], &main["sales"], &main["stock_shards_most"]), (&json!(250), &json!(0), &json!(2)));
    assert_eq!(sums(&world, "tea", "stock").await, (250, 738));
    assert_eq!(sums(&world, "tea", "sales").await, (0, 12));
    let shard = world.row("goods", "tea#0").await;
    assert_eq!((&shard["shard_of"], &shard["price"]), (&json!("tea"), &Value::Null));
    assert_eq!(world.items("goods_orders").await.len(), 12);
}

#[tokio::test]
async fn the_last_pieces_are_found_wherever_they_are_and_then_it_is_short() {
    let world = World::start().await;
    offer(&world, "rest", 7, 4).await;
    // 3 + 3 are sold from shards, and the last piece is less than what is asked for, wherever it is.
    for (no, quantity, delivered) in
        [("REST_1", 3, true), ("REST_2", 3, true), ("REST_3", 2, false), ("REST_4", 1, true), ("REST_5", 1, false)]
    {
        let order = bought(&world, no, "rest", quantity).await;
        assert_eq!(order["user_order_success"], delivered, "{order}");
        assert!(delivered || order["user_order_reason"] == "库存不足", "{order}");
    }
    assert_eq!((sums(&world, "rest", "stock").await, sums(&world, "rest", "sales").await.1), ((0, 0), 7));
}

#[tokio::test]
async fn an_order_for_more_than_any_place_has_takes_from_several() {
    let world = World::start().await;
    world.put("goods", "few", json!({ "stock": 0, "price": 100, "stock_shards": 3, "stock_shards_most": 3 })).await;
    for n in 0..3 {
        world.put("goods", &format!("few#{n}"), json!({ "stock": 2, "sales": 0, "shard_of": "few" })).await;
    }
    let order = bought(&world, "FEW_01", "few", 5).await;
    assert_eq!(order["user_order_success"], true, "{order}");
    assert_eq!((sums(&world, "few", "stock").await, sums(&world, "few", "sales").await), ((0, 1), (0, 5)));
}

#[tokio::test]
async fn fewer_shards_or_none_strand_nothing() {
    for fewer in [Some(2), None, Some(0), Some(1000)] {
        let world = World::start().await;
        offer(&world, "less", 40, 16).await;
        for n in 0..16 {
            assert_eq!(bought(&world, &format!("LESS_{n}"), "less", 1).await["user_order_success"], true);
        }
        set_shards(&world, "less", fewer).await;
        for n in 16..40 {
            let order = bought(&world, &format!("LESS_{n}"), "less", 1).await;
            assert_eq!(order["user_order_success"], true, "{n} {fewer:?}: {order}");
        }
        assert_eq!(bought(&world, "LESS_NONE", "less", 1).await["user_order_reason"], "库存不足");
        assert_eq!(sums(&world, "less", "stock").await, (0, 0));
    }
}

#[tokio::test]
async fn what_is_put_in_later_is_sold_and_a_price_counts_for_every_piece() {
    let world = World::start().await;
    offer(&world, "more", 1, 2).await;
    assert_eq!(bought(&world, "MORE_1", "more", 1).await["user_order_success"], true);
    assert_eq!(bought(&world, "MORE_2", "more", 1).await["user_order_reason"], "库存不足");
    let add = world.tables.update_item().table_name("goods").key("_id", Av::S("more".to_owned()));
    let add = add.update_expression("ADD stock :n SET price = :p");
    let add = add.expression_attribute_values(":n", Av::N("3".to_owned()));
    add.expression_attribute_values(":p", Av::N("101".to_owned())).send().await.expect("added");
    assert_eq!(bought(&world, "MORE_3", "more", 1).await["user_order_reason"], "支付金额低于商品价格");
    assert_eq!(sums(&world, "more", "stock").await.0, 3, "nothing was drawn");
}

#[tokio::test]
async fn a_shard_is_no_product_and_other_goods_are_no_shard() {
    let world = World::start().await;
    world.put("goods", "cup#0", json!({ "stock": 5, "sales": 0, "price": 100 })).await;
    world.put("goods", "cup#1", json!({ "stock": 5, "sales": 0, "price": 100 })).await;
    offer(&world, "cup", 3, 2).await;
    for n in 0..3 {
        assert_eq!(bought(&world, &format!("CUP_0{n}"), "cup", 1).await["user_order_success"], true);
    }
    assert_eq!(bought(&world, "CUP_03", "cup", 1).await["user_order_reason"], "库存不足");
    for id in ["cup#0", "cup#1"] {
        assert_eq!(world.row("goods", id).await["stock"], 5, "goods of another kind");
    }
    assert_eq!(bought(&world, "CUP_OWN", "cup#0", 1).await["user_order_success"], true, "which can be bought");
    offer(&world, "tea", 10, 2).await;
    bought(&world, "TEA_01", "tea", 1).await;
    for id in ["tea#0", "tea#1"] {
        let order = bought(&world, &format!("TEA_FREE_{}", &id[4..]), id, 1).await;
        assert_eq!(order["user_order_reason"], "商品不存在", "a shard has no price, and nobody gets it for nothing");
    }
}

#[tokio::test]
async fn thirty_orders_at_once_for_twenty_pieces_in_shards_sell_exactly_twenty() {
    let mut shop = Shop::open(Mode::default()).await;
    shop.start("notify", 3).await;
    offer(&shop.world, "rush", 20, 4).await;
    let mut callbacks = Vec::new();
    for i in 0..30 {
        let data = json!({ "type": "goods", "custom": { "goods_id": "rush", "user_id": "user_001" } });
        callbacks.push(shop.paid_there(&format!("RUSH_{i:02}"), data).await);
    }
    let taken = join_all(callbacks.iter().map(|c| shop.taken(c))).await;
    assert_eq!(taken, [true; 30], "every payment is kept\n{}", shop.log());
    assert_eq!(sums(&shop.world, "rush", "stock").await, (0, 0));
    assert_eq!(sums(&shop.world, "rush", "sales").await.1, 20);
    assert_eq!(shop.world.items("goods_orders").await.len(), 20);
    let orders = shop.world.kind("order").await;
    let refused: Vec<_> = orders.iter().filter(|o| o["user_order_success"] == false).collect();
    assert_eq!(refused.len(), 10);
    assert!(refused.iter().all(|o| o["user_order_reason"] == "库存不足"));
}
