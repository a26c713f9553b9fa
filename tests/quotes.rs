//! What a signed quote says of the goods: the price that it signs buys nothing else, at whichever provider.

use crate::binaries_auth::{QUOTES, hs256, now, token};
use crate::world::{Answer, KEY, World, merge};
use sandbox::Mode;
use serde_json::{Value, json};

const NO: &str = "GOODS_1";

/// A shop whose pages create orders by quotes only; `change` is laid over its configuration.
async fn shop(change: impl FnOnce(&mut Value)) -> World {
    World::with(Mode::default(), |config| {
        config["auth"] = json!({
            "default": "key", "keys": { "shop": KEY }, "createPayment": ["none", "key"], "code2Session": "none",
            "quote": { "hs256": QUOTES }, "requireQuote": true,
        });
        change(config);
    })
    .await
}

fn quote(claims: Value) -> String {
    let mut all = json!({
        "out_trade_no": NO, "total_fee": 9900, "type": "recharge", "custom": { "user_id": "user_001" },
        "exp": now() + 600,
    });
    merge(&mut all, claims);
    token(&json!({ "alg": "HS256" }), &all, hs256(QUOTES))
}

/// Custom content that names the goods, as the quote signs it.
fn custom(product: &str, quantity: Value) -> Value {
    json!({ "custom": { "user_id": "user_001", "product_id": product, "quantity": quantity } })
}

async fn ask(world: &World, key: Option<&str>, provider: &str, claims: Value, data: Value) -> Answer {
    let mut order = json!({ "provider": provider, "subject": "s", "quote": quote(claims) });
    if provider == "huawei" {
        order["vk_platform"] = json!("app-harmony");
    }
    merge(&mut order, data);
    let body = json!({ "action": "pay/createPayment", "data": order });
    world.post(&world.url("create-payment"), body, key).await
}

fn sheet(provider: &str, answer: &Answer) -> (String, u64) {
    let info = &answer.1["orderInfo"];
    let product = if provider == "huawei" { &info["productId"] } else { &info["productid"] };
    (product.as_str().unwrap_or_default().to_owned(), info["quantity"].as_u64().unwrap_or_default())
}

#[tokio::test]
async fn what_a_quote_says_of_the_goods_is_what_the_store_sells() {
    for provider in ["appleiap", "huawei"] {
        let claims = json!({ "product_id": "dear.hundred", "quantity": 10 });
        // Where both say something, the quote's own claim counts.
        let both = {
            let mut both = custom("another", json!(1));
            merge(&mut both, claims.clone());
            both
        };
        for signed in [claims, custom("dear.hundred", json!(10)), custom("dear.hundred", json!("10")), both] {
            let world = shop(|_| {}).await;
            for data in [
                json!({ "product_id": "cheap.one", "quantity": 1 }),
                json!({ "product_id": "cheap.one" }),
                json!({ "quantity": 1 }),
                json!({ "quantity": "x" }),
                json!({ "product_id": 7 }),
                json!({ "product_id": ["dear.hundred"] }),
            ] {
                let answer = ask(&world, None, provider, signed.clone(), data.clone()).await;
                assert_eq!((answer.0, &answer.1["code"]), (403, &json!(403)), "{provider} {data}: {}", answer.1);
                assert_eq!(world.order(NO).await, Value::Null, "nothing is stored");
            }
            let answer = ask(&world, Some(KEY), provider, signed.clone(), json!({ "product_id": "cheap.one" })).await;
            assert_eq!(answer.0, 403, "the shop's own server says nothing else either: {}", answer.1);
            for data in [json!({}), json!({ "product_id": "dear.hundred", "quantity": "10" })] {
                let answer = ask(&world, None, provider, signed.clone(), data).await;
                assert_eq!(answer.0, 200, "{provider}: {}", answer.1);
                assert_eq!(sheet(provider, &answer), ("dear.hundred".to_owned(), 10), "{provider}");
            }
        }
    }
}

#[tokio::test]
async fn a_quote_that_names_no_goods_sells_none_in_a_store_without_a_list_of_prices() {
    for provider in ["appleiap", "huawei"] {
        let world = shop(|_| {}).await;
        let named = json!({ "product_id": "cheap.one" });
        let answer = ask(&world, None, provider, json!({}), named.clone()).await;
        assert_eq!((answer.0, &answer.1["code"]), (403, &json!(403)), "{provider}: {}", answer.1);
        assert_eq!(world.order(NO).await, Value::Null);
        // How many is one where the quote does not say.
        let one = json!({ "product_id": "dear.hundred" });
        let answer = ask(&world, None, provider, one.clone(), json!({ "quantity": 2 })).await;
        assert_eq!(answer.0, 403, "{provider}: {}", answer.1);
        assert_eq!(ask(&world, None, provider, one, json!({ "quantity": 1 })).await.0, 200);
        // The shop's own server may name what its quote leaves open.
        let world = shop(|_| {}).await;
        assert_eq!(ask(&world, Some(KEY), provider, json!({}), named).await.0, 200, "{provider}");
    }
    // An order that was quoted for WeChat Pay is not bought in a store instead.
    let world = shop(|_| {}).await;
    let (status, made) = ask(&world, None, "wxpay", json!({}), json!({ "vk_platform": "h5" })).await;
    assert_eq!(status, 200, "{made}");
    let (status, _) = ask(&world, None, "appleiap", json!({}), json!({ "product_id": "cheap.one" })).await;
    assert_eq!(status, 403);
    assert_eq!(world.order(NO).await["attempts"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn with_a_list_of_prices_a_quote_need_not_name_the_goods() {
    for provider in ["appleiap", "huawei"] {
        let prices = json!({ "cheap.one": { "total_fee": 100 }, "dear.hundred": { "total_fee": 9900 } });
        let world = shop(|config| match provider {
            "huawei" => config["huawei"]["app-harmony"]["iap"]["products"] = prices.clone(),
            _ => config["appleiap"]["app-plus"]["products"] = prices.clone(),
        })
        .await;
        let product = |id: &str| json!({ "product_id": id });
        assert_eq!(ask(&world, None, provider, json!({}), product("cheap.one")).await.1["code"], 1020);
        let (status, body) = ask(&world, None, provider, product("dear.hundred"), product("cheap.one")).await;
        assert_eq!(status, 403, "{provider}: {body}");
        let many = json!({ "product_id": "cheap.one", "quantity": 99 });
        let (status, body) = ask(&world, None, provider, json!({}), many).await;
        assert_eq!(status, 200, "{provider}, as many as the price asks for: {body}");
    }
}

#[tokio::test]
async fn coins_that_a_quote_does_not_sign_are_not_sold_beside_its_goods() {
    let world = shop(|_| {}).await;
    let coins = json!({ "mode": "short_series_coin", "buy_quantity": 9900 });
    let goods = json!({ "mode": "short_series_goods", "buy_quantity": 1, "product_id": "vip", "goods_price": 9900 });
    let bought = |wanted: &Value| json!({ "openid": "payer", "wxpay_virtual": wanted });
    let (status, body) = ask(&world, None, "wxpay-virtual", json!({}), bought(&coins)).await;
    assert_eq!((status, &body["code"]), (403, &json!(403)), "{body}");
    let signed = json!({ "wxpay_virtual": goods });
    assert_eq!(ask(&world, None, "wxpay-virtual", signed, bought(&coins)).await.0, 403, "it signs something else");
    let cheap = json!({ "mode": "short_series_goods", "buy_quantity": 1, "product_id": "vip", "goods_price": 1 });
    assert_eq!(ask(&world, None, "wxpay-virtual", json!({}), bought(&cheap)).await.0, 403, "another price");
    // No login here: what is bought has passed.
    for (claims, data) in [
        (json!({ "wxpay_virtual": coins }), bought(&coins)),
        (json!({ "wxpay_virtual": coins }), json!({ "openid": "payer" })),
        (json!({}), bought(&goods)),
    ] {
        let (status, body) = ask(&world, None, "wxpay-virtual", claims, data.clone()).await;
        assert_eq!((status, &body["code"]), (409, &json!(1021)), "{data}: {body}");
    }
}
