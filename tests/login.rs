//! Login codes for payer ids, and what virtual payment needs of them.

use crate::world::World;
use sandbox::Mode;
use serde_json::{Value, json};

async fn login(world: &World, data: Value) -> (u16, Value) {
    world.call("login", json!({ "action": "pay/code2Session", "data": data })).await
}

#[tokio::test]
async fn a_code_becomes_an_openid_and_nothing_else_leaves_the_server() {
    let world = World::with(Mode::default(), |_| {}).await;
    for data in [
        json!({ "provider": "wxpay", "code": "c1" }),
        json!({ "provider": "wxpay", "code": "c1", "vk_platform": "h5" }),
        json!({ "provider": "wxpay-virtual", "code": "c1" }),
        json!({ "provider": "douyin", "code": "c1" }),
    ] {
        let (status, body) = login(&world, data.clone()).await;
        assert_eq!((status, &body["code"]), (200, &json!(0)), "{data}: {body}");
        assert!(body["openid"].as_str().is_some_and(|id| id.len() > 10), "{body}");
        let text = body.to_string();
        for word in ["session_key", "access_token", "refresh_token", "sessionKey"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        let (status, body) = login(&world, {
            let mut bad = data;
            bad["code"] = json!("bad");
            bad
        })
        .await;
        assert_eq!(status, 422, "{body}");
    }
    for (action, known) in
        [("pay/code2SessionWeixin", true), ("pay/code2SessionWeixinH5", true), ("pay/code2SessionDouyin", true)]
    {
        let (status, _) = world.call("login", json!({ "action": action, "data": { "code": "c1" } })).await;
        assert_eq!(status == 200, known, "{action}");
    }
    assert_eq!(login(&world, json!({ "provider": "wxpay" })).await.1["code"], 1013);
    assert_eq!(login(&world, json!({ "provider": "wxpay", "code": "" })).await.1["code"], 1013);
    assert_eq!(login(&world, json!({ "code": "c1" })).await.0, 400);
    assert_eq!(login(&world, json!({ "provider": "vkspay", "code": "c1" })).await.0, 400);
    let (status, _) = world.post(&world.url("login"), json!({ "provider": "wxpay", "code": "c1" }), None).await;
    assert_eq!(status, 401, "a key is needed unless auth opens it");
}

fn coins(no: &str, more: Value) -> Value {
    let mut data = json!({
        "provider": "wxpay-virtual", "vk_platform": "mp-weixin", "out_trade_no": no,
        "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 },
    });
    crate::world::merge(&mut data, more);
    data
}

#[tokio::test]
async fn virtual_payment_needs_a_live_session_and_keeps_its_key_sealed() {
    let world = World::with(Mode::default(), |_| {}).await;
    let (status, body) = world.create("SESSION_0001", coins("SESSION_0001", json!({ "openid": "o-nobody" }))).await;
    assert_eq!((status, &body["code"]), (409, &json!(1021)), "{body}");
    assert_eq!(world.order("SESSION_0001").await, Value::Null, "nothing is stored");
    let (_, known) = login(&world, json!({ "provider": "wxpay-virtual", "code": "c1" })).await;
    let openid = &known["openid"];
    let (status, created) = world.create("SESSION_0001", coins("SESSION_0001", json!({ "openid": openid }))).await;
    assert_eq!(status, 200, "{created}");
    let kept = world.kind("kept").await;
    assert!(kept.iter().any(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with("V#session:"))), "{kept:?}");
    let data: Value = serde_json::from_str(created["orderInfo"]["signData"].as_str().unwrap()).unwrap();
    let names: Vec<&String> = data.as_object().unwrap().keys().collect();
    assert_eq!(names, ["offerId", "buyQuantity", "env", "currencyType", "outTradeNo", "attach"]);
    assert_eq!(
        (&data["buyQuantity"], &data["outTradeNo"], &data["env"]),
        (&json!(100), &json!("SESSION_0001"), &json!(0))
    );
}

#[tokio::test]
async fn what_is_bought_by_virtual_payment_is_computed_and_its_faults_have_codes() {
    let world = World::with(Mode::default(), |config| {
        config["wxpay-virtual"]["mp-weixin"]["rate"] = json!(300);
    })
    .await;
    let cases = [
        (Value::Null, 1017),
        (json!("x"), 1017),
        (json!({ "mode": "short_series_coin", "buy_quantity": 0 }), 1018),
        (json!({ "mode": "short_series_coin", "buy_quantity": "1.5" }), 1018),
        (json!({ "mode": "short_series_coin", "buy_quantity": 100 }), 1018),
        (json!({ "mode": "other", "buy_quantity": 3 }), 1019),
        (json!({ "buy_quantity": 3 }), 1019),
        (json!({ "mode": "short_series_goods", "buy_quantity": 3 }), 1020),
        (json!({ "mode": "short_series_goods", "buy_quantity": 3, "product_id": "p", "goods_price": 0 }), 1020),
        (
            json!({ "mode": "short_series_goods", "buy_quantity": 9_999_999_999_u64, "product_id": "p", "goods_price": 9_999_999_999_u64 }),
            1018,
        ),
    ];
    for (wanted, code) in cases {
        let data = coins("VIRTUAL_0001", json!({ "code": "c", "wxpay_virtual": wanted }));
        let (status, body) = world.create("VIRTUAL_0001", data).await;
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{wanted}: {body}");
    }
    let data = coins(
        "VIRTUAL_0001",
        json!({ "code": "c", "total_fee": 7, "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 300 } }),
    );
    let (status, body) = world.create("VIRTUAL_0001", data).await;
    assert_eq!((status, &body["total_fee"]), (200, &json!(100)), "the request's total_fee is void: {body}");
    for no in ["SHORT_1", "_VIRTUAL_0001"] {
        let (status, body) = world.create(no, coins(no, json!({ "code": "c" }))).await;
        assert_eq!(status, 400, "{no}: {body}");
    }
}

#[tokio::test]
async fn coins_move_only_where_auth_names_them() {
    let closed = World::with(Mode::default(), |_| {}).await;
    let ask = |action: &str, data: Value| json!({ "action": format!("pay/wxpayVirtual/{action}"), "data": data });
    let (_, known) = login(&closed, json!({ "provider": "wxpay-virtual", "code": "c1" })).await;
    let (status, body) = closed.call("transfer", ask("queryUserBalance", json!({ "openid": known["openid"] }))).await;
    assert!(status == 401 || status == 403, "default does not open them: {body}");
    let open = World::with(Mode::default(), |config| config["auth"]["wxpayVirtual"] = json!("key")).await;
    let (_, known) = login(&open, json!({ "provider": "wxpay-virtual", "code": "c1" })).await;
    let openid = &known["openid"];
    let (status, body) = open.call("transfer", ask("queryUserBalance", json!({ "openid": openid }))).await;
    assert_eq!((status, &body["balance"], &body["sumBalance"]), (200, &json!(1000), &json!(1000)), "{body}");
    let spend = json!({ "openid": openid, "amount": 10, "outTradeNo": "COINS_0001", "userIp": "203.0.113.9" });
    let (status, body) = open.call("transfer", ask("currencyPay", spend)).await;
    assert_eq!((status, &body["outTradeNo"]), (200, &json!("COINS_0001")), "{body}");
    let back = json!({ "openid": openid, "amount": 10, "outTradeNo": "COINS_0001", "outRefundNo": "BACK_0001" });
    let (status, body) = open.call("transfer", ask("cancelCurrencyPay", back)).await;
    assert_eq!((status, &body["outRefundNo"]), (200, &json!("BACK_0001")), "{body}");
    let present = json!({ "openid": openid, "amount": 10, "out_trade_no": "GIFT_0001" });
    assert_eq!(open.call("transfer", ask("presentCurrency", present)).await.0, 200);
    let much = json!({ "openid": openid, "amount": 5000, "out_trade_no": "COINS_0002" });
    assert_eq!(open.call("transfer", ask("currencyPay", much)).await.0, 422);
    for (action, data, code) in [
        ("currencyPay", json!({ "openid": "o-nobody", "amount": 1, "out_trade_no": "COINS_0003" }), 1021),
        ("currencyPay", json!({ "amount": 1, "out_trade_no": "COINS_0003" }), 1006),
        ("currencyPay", json!({ "openid": openid, "amount": "1.0", "out_trade_no": "COINS_0003" }), 1030),
        ("currencyPay", json!({ "openid": openid, "amount": 1, "out_trade_no": "x" }), 1001),
    ] {
        assert_eq!(open.call("transfer", ask(action, data)).await.1["code"], code, "{action}");
    }
}
