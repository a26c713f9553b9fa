//! What a caller without any credential may learn and prove.

use crate::binaries_auth::{QUOTES, USERS, hs256, now, token};
use crate::world::{KEY, World, merge};
use sandbox::{Mode, Pay, Provider};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A world that lets anybody pay and ask, and users with a token too.
async fn open() -> World {
    World::with(Mode::default(), |config| {
        config["auth"] = json!({
            "default": "key", "keys": { "shop": KEY }, "jwt": { "hs256": USERS }, "quote": { "hs256": QUOTES },
            "createPayment": ["none", "key", "jwt"], "queryPayment": ["none", "key", "jwt"],
            "verifyReceipt": ["none", "key"],
        });
    })
    .await
}

fn names(answer: &Value) -> BTreeSet<&str> {
    answer.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// What everybody may see, and what makes a reply one.
fn may_be_shown() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "code",
        "msg",
        "request_id",
        "data",
        "next_poll_ms",
        "payOrder",
        "out_trade_no",
        "status",
        "trade_state",
        "orderPaid",
        "user_order_success",
        "total_fee",
        "refund_fee",
        "create_date",
        "time_expire",
        "time_end",
        "pay_date",
        "notify_date",
        "cancel_date",
    ])
}

fn shows_nothing_of_the_payer(answer: &Value) {
    let all = [answer, &answer["data"], &answer["payOrder"], &answer["data"]["payOrder"]];
    for part in all.into_iter().filter(|part| part.is_object()) {
        let more: Vec<_> = names(part).difference(&may_be_shown()).copied().collect();
        assert!(more.is_empty(), "{more:?} in {answer}");
    }
    let text = answer.to_string();
    for private in ["user_001", "小明", "203.0.113.9", "a private note", "o-payer"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
}

#[tokio::test]
async fn whoever_has_no_credential_sees_number_state_amounts_and_times_only() {
    let world = open().await;
    let no = "ANYONE_1";
    let data = json!({
        "user_id": "user_001", "nickname": "小明", "client_ip": "203.0.113.9", "openid": "o-payer",
        "custom": { "user_id": "user_001", "note": "a private note" },
    });
    assert_eq!(world.create(no, data).await.0, 200);
    let ask = |key: Option<&'static str>| {
        let body = json!({ "url": "pay/queryPayment", "data": { "out_trade_no": no, "pay_order_info": true } });
        let url = world.url("query-payment");
        let world = &world;
        async move { world.post(&url, body, key).await }
    };
    let (status, unpaid) = ask(None).await;
    assert_eq!((status, &unpaid["trade_state"], &unpaid["total_fee"]), (200, &json!("NOTPAY"), &json!(100)));
    shows_nothing_of_the_payer(&unpaid);
    world.pay(no).await;
    let (_, paid) = ask(None).await;
    assert_eq!((&paid["trade_state"], &paid["user_order_success"]), (&json!("SUCCESS"), &json!(true)));
    assert!(paid["pay_date"].is_i64() && paid["payOrder"]["out_trade_no"] == no, "{paid}");
    shows_nothing_of_the_payer(&paid);
    let (_, own) = ask(Some(KEY)).await;
    for name in ["transaction_id", "provider", "pay_type", "type"] {
        assert!(own[name].is_string(), "the merchant's own systems see {name}: {own}");
    }
    for name in ["user_id", "nickname", "openid", "client_ip", "custom", "notify_info"] {
        assert!(!own["payOrder"][name].is_null(), "the merchant's own systems see {name}: {own}");
    }
}

#[tokio::test]
async fn the_answer_to_a_purchases_proof_shows_no_more_than_that() {
    let world = open().await;
    let data = json!({
        "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1", "user_id": "user_001",
        "nickname": "小明",
    });
    let (status, created) = world.create("ANYONE_2", data).await;
    assert_eq!(status, 200, "{created}");
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    let result = world.sandbox.client_pay(Provider::Appleiap, &created["orderInfo"], how).await.unwrap().result;
    let proof = json!({ "out_trade_no": "ANYONE_2", "signed_transaction": result["signedTransaction"] });
    let call = json!({ "action": "pay/appleiap/verifyReceipt", "data": proof });
    let (status, answer) = world.post(&world.url("query-payment"), call, None).await;
    assert_eq!((status, &answer["orderPaid"]), (200, &json!(true)), "{answer}");
    shows_nothing_of_the_payer(&answer);
}

#[tokio::test]
async fn what_anybody_creates_answers_only_what_the_client_pays_with() {
    let world = open().await;
    let order = json!({
        "provider": "wxpay", "out_trade_no": "ANYONE_3", "total_fee": 100, "subject": "茶", "type": "recharge",
        "vk_platform": "h5", "custom": { "user_id": "user_001", "note": "a private note" },
    });
    let call = json!({ "action": "pay/createPayment", "data": order });
    let (status, answer) = world.post(&world.url("create-payment"), call, None).await;
    assert_eq!(status, 200, "{answer}");
    let needed = BTreeSet::from([
        "code",
        "msg",
        "request_id",
        "data",
        "provider",
        "pay_type",
        "out_trade_no",
        "total_fee",
        "subject",
        "platform",
        "orderInfo",
        "needQRcode",
        "time_expire",
        "trade_state",
        "status",
        "qrcodeImage",
    ]);
    assert!(names(&answer).is_subset(&needed), "{answer}");
    assert!(!answer.to_string().contains("a private note"));
}

/// A user's token, or a quote, whose header has one more member.
fn with_header(member: &str, value: &Value, claims: &Value, secret: &str) -> String {
    let mut header = json!({ "alg": "HS256", "typ": "JWT" });
    header[member] = value.clone();
    token(&header, claims, hs256(secret))
}

#[tokio::test]
async fn a_token_that_says_what_must_be_understood_is_not_understood() {
    let world = open().await;
    world.create("CRITICAL_1", json!({ "user_id": "user_001" })).await;
    let claims = json!({ "uid": "user_001", "exp": now() + 600 });
    let query = |token: String| {
        let world = &world;
        async move {
            let body = json!({ "out_trade_no": "CRITICAL_1" });
            world.post(&world.url("query-payment"), body, Some(&token)).await.0
        }
    };
    assert_eq!(query(with_header("cty", &json!("JWT"), &claims, USERS)).await, 200, "another header has no say");
    for crit in
        [json!(["exp"]), json!(["b64"]), json!(["http://example.com/UNDEFINED"]), json!([]), json!("exp"), Value::Null]
    {
        assert_eq!(query(with_header("crit", &crit, &claims, USERS)).await, 401, "crit: {crit}");
    }
}

#[tokio::test]
async fn a_quote_that_says_what_must_be_understood_is_refused() {
    let world = open().await;
    let claims = json!({
        "out_trade_no": "CRITICAL_2", "total_fee": 100, "type": "recharge", "custom": { "user_id": "user_001" },
        "exp": now() + 600,
    });
    let create = |quote: String| {
        let world = &world;
        async move {
            let mut order = json!({ "provider": "wxpay", "subject": "s", "vk_platform": "h5" });
            merge(&mut order, json!({ "quote": quote }));
            let call = json!({ "action": "pay/createPayment", "data": order });
            world.post(&world.url("create-payment"), call, None).await.0
        }
    };
    for crit in [json!(["exp"]), json!([]), Value::Null] {
        assert_eq!(create(with_header("crit", &crit, &claims, QUOTES)).await, 403, "crit: {crit}");
    }
    assert_eq!(world.order("CRITICAL_2").await, Value::Null);
    assert_eq!(create(with_header("cty", &json!("JWT"), &claims, QUOTES)).await, 200);
}
