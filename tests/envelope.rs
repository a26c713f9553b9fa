//! The envelope, the two dialects, the reply shape, amounts, languages.

use crate::world::World;
use sandbox::Mode;
use serde_json::{Value, json};

fn order(no: &str) -> Value {
    json!({
        "provider": "wxpay", "out_trade_no": no, "total_fee": 100, "subject": "测试", "type": "custom",
        "vk_platform": "h5",
    })
}

#[tokio::test]
async fn all_accepted_bodies_mean_the_same() {
    let world = World::start().await;
    let data = order("ENVELOPE_1");
    let mut module = json!({ "provider": "wxpay", "data": data });
    module["data"].as_object_mut().unwrap().remove("provider");
    let bodies = [
        data.clone(),
        json!({ "data": data }),
        json!({ "action": "pay/createPayment", "data": data }),
        json!({ "url": "pay/createPayment", "data": data }),
        json!({ "$url": "pay/createPayment", "data": data }),
        module,
    ];
    let mut code_urls = Vec::new();
    for body in bodies {
        let (status, made) = world.call("create-payment", body.clone()).await;
        assert_eq!((status, &made["code"]), (200, &json!(0)), "{body} -> {made}");
        code_urls.push(made["orderInfo"]["codeUrl"].clone());
    }
    code_urls.dedup();
    assert_eq!(code_urls.len(), 1, "the same request answers the same order with the same parameters");
    assert_eq!(world.sandbox.trades().len(), 1);
}

#[tokio::test]
async fn query_strings_are_merged_and_never_overwrite_the_body() {
    let world = World::start().await;
    world.create("QUERY_STRING_1", json!({})).await;
    let url = format!("{}/query-payment?out_trade_no=QUERY_STRING_1", world.base);
    let (status, found) = world.post(&url, json!({}), Some(crate::world::KEY)).await;
    assert_eq!((status, &found["out_trade_no"]), (200, &json!("QUERY_STRING_1")));
    let (status, _) = world.post(&url, json!({ "out_trade_no": "ANOTHER" }), Some(crate::world::KEY)).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn an_action_that_a_function_does_not_serve_is_404() {
    let world = World::start().await;
    for action in ["pay/refund", "pay/../refund", "", "pay-notify/goods"] {
        let (status, answer) = world.call("create-payment", json!({ "action": action, "data": order("X_1") })).await;
        assert_eq!((status, &answer["code"]), (404, &json!(404)), "{action}");
    }
    let (status, _) =
        world.call("http/vk-pay", json!({ "action": "pay/createPayment", "data": order("X_12345") })).await;
    assert_eq!(status, 200, "VK-Pay's single endpoint routes by the action");
}

#[tokio::test]
async fn what_is_no_request_gets_a_400_and_the_process_goes_on() {
    let world = World::start().await;
    let client = reqwest::Client::new();
    let deep = "[".repeat(100_000);
    for body in ["", "{", "[]", "1", "null", "\"x\"", "{\"data\":1}", "{\"data\":[]}", "\u{0}", deep.as_str()] {
        let answer = client
            .post(format!("{}/create-payment", world.base))
            .header("authorization", format!("Bearer {}", crate::world::KEY))
            .body(body.to_owned())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 400, "{body:.20}");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).expect("a JSON reply");
        assert_ne!(answer["code"], 0);
    }
    let answer = client.get(format!("{}/create-payment", world.base)).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers().get("allow").map(|methods| methods.as_bytes()), Some(&b"POST"[..]));
    assert_eq!(world.create("STILL_HERE_1", json!({})).await.0, 200);
}

#[tokio::test]
async fn every_fault_has_its_code_and_writes_nothing() {
    let world = World::start().await;
    let cases = [
        (json!({ "out_trade_no": "" }), 1001),
        (json!({ "out_trade_no": "a b" }), 1001),
        (json!({ "out_trade_no": 12 }), 1001),
        (json!({ "out_trade_no": null }), 1001),
        (json!({ "out_trade_no": "short" }), 1001),
        (json!({ "type": "" }), 1002),
        (json!({ "type": "nothing-handles-this" }), 1002),
        (json!({ "type": "goods", "custom": {} }), 1002),
        (json!({ "type": "goods", "custom": { "goods_id": "g", "quantity": 0 } }), 1002),
        (json!({ "type": "goods", "custom": { "goods_id": "g", "quantity": 1.5 } }), 1002),
        (json!({ "type": "vip", "custom": { "user_id": "u", "vip_type": "year", "vip_days": 0 } }), 1002),
        (json!({ "type": "recharge", "custom": {} }), 1002),
        (json!({ "custom": [] }), 1002),
        (json!({ "subject": "" }), 1004),
        (json!({ "provider": "paypal" }), 1005),
        (json!({ "provider": null }), 1005),
        (json!({ "vk_platform": "mp-weixin" }), 1006),
        (json!({ "vk_platform": "watch" }), 1011),
    ];
    for (data, code) in cases {
        let (status, answer) = world.create("BAD_INPUT_1", data.clone()).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{data} -> {answer}");
    }
    for amount in [
        "0",
        "-1",
        "1.5",
        "1.0",
        "1e3",
        "\"\"",
        "\"1.0\"",
        "\"01\"",
        "\"+1\"",
        "\" 1\"",
        "\"1e3\"",
        "null",
        "true",
        "[]",
        "99999999999999999999",
    ] {
        let fee: Value = serde_json::from_str(amount).unwrap();
        let (status, answer) = world.create("BAD_INPUT_1", json!({ "total_fee": fee })).await;
        assert_eq!((status, &answer["code"]), (400, &json!(1003)), "{amount} -> {answer}");
    }
    assert!(world.items(crate::world::TABLE).await.is_empty(), "nothing is written");
    assert!(world.sandbox.requests().is_empty(), "nothing is sent");
    let (status, made) = world.create("GOOD_TEXT_1", json!({ "total_fee": "100" })).await;
    assert_eq!((status, &made["total_fee"]), (200, &json!(100)), "canonical text is an amount");
}

#[tokio::test]
async fn an_unpaid_query_follows_the_dialect() {
    let world = World::start().await;
    world.create("DIALECT_1", json!({})).await;
    for key in ["action", "$url"] {
        let (_, answer) = world
            .call(
                "query-payment",
                json!({ key: "pay/queryPayment", "data": { "out_trade_no": "DIALECT_1", "pay_order_info": true } }),
            )
            .await;
        assert_eq!(answer["code"], 2002);
        assert_eq!(answer["payOrder"]["status"], 0);
        assert_eq!(answer["orderPaid"], false);
    }
    for body in [
        json!({ "url": "pay/queryPayment", "data": { "out_trade_no": "DIALECT_1" } }),
        json!({ "out_trade_no": "DIALECT_1" }),
    ] {
        let (status, answer) = world.call("query-payment", body).await;
        assert_eq!((status, &answer["code"]), (200, &json!(0)));
        assert_eq!(answer["data"]["trade_state"], "NOTPAY");
        assert_eq!(answer["data"]["status"], 0);
    }
}

#[tokio::test]
async fn replies_speak_the_language_that_is_asked_for() {
    let world = World::start().await;
    let client = reqwest::Client::new();
    for (header, chinese) in [
        ("", true),
        ("en-US,en;q=0.9", false),
        ("zh-CN,en;q=0.8", true),
        ("fr, en;q=0.5", false),
        ("en;q=0.1, zh;q=0.9", true),
    ] {
        let answer = client
            .post(format!("{}/query-payment", world.base))
            .header("authorization", format!("Bearer {}", crate::world::KEY))
            .header("accept-language", header)
            .body(json!({ "out_trade_no": "NOBODY_KNOWS" }).to_string())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 404);
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["code"], 2001);
        assert_eq!(answer["msg"] == "订单不存在", chinese, "{header}: {}", answer["msg"]);
        assert!(answer["request_id"].as_str().is_some_and(|id| !id.is_empty()));
    }
}

#[tokio::test]
async fn a_qr_image_comes_when_it_is_asked_for() {
    let world = World::start().await;
    let routes = [json!({ "action": "pay/createPayment" }), json!({ "url": "pay/createPayment" }), json!({})];
    for (i, mut body) in routes.into_iter().enumerate() {
        let mut data = order(&format!("QR_IMAGE_{i}"));
        crate::world::merge(&mut data, json!({ "needQRcode": "image", "vk_platform": "app-plus" }));
        body["data"] = data;
        let (_, made) = world.call("create-payment", body).await;
        assert_eq!(made["pay_type"], "wxpay_h5", "a QR is forced on any platform: {made}");
        assert_eq!(made["needQRcode"], true);
        assert!(made["qrcodeImage"].as_str().is_some_and(|image| image.starts_with("data:image/png;base64,iVBOR")));
        assert_eq!(made["data"]["qrcodeImage"], made["qrcodeImage"]);
    }
    let (_, made) = world.create("QR_TEXT_1", json!({ "needQRcode": true })).await;
    assert!(made.get("qrcodeImage").is_none() && made["orderInfo"]["codeUrl"].is_string(), "{made}");
}

#[tokio::test]
async fn the_client_decides_the_product_as_in_vk_pay() {
    let world = World::with(Mode::default(), |config| config["alipayAppPayToH5Pay"] = json!(true)).await;
    let wechat = "Mozilla/5.0 (iPhone) MicroMessenger/8.0";
    let phone = "Mozilla/5.0 (Linux; Android 14; Mobile)";
    let desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36";
    let cases = [
        ("wxpay", json!({ "vk_platform": "h5" }), wechat, "wxpay_h5-weixin"),
        ("wxpay", json!({ "vk_platform": "h5" }), phone, "wxpay_mweb"),
        ("wxpay", json!({ "vk_platform": "h5", "isPC": true }), phone, "wxpay_h5"),
        ("wxpay", json!({ "vk_platform": "h5", "isPC": true }), wechat, "wxpay_h5"),
        ("wxpay", json!({ "vk_platform": "mp-weixin", "isPC": true }), wechat, "wxpay_h5"),
        ("wxpay", json!({ "vk_platform": "mp-weixin" }), phone, "wxpay_mp-weixin"),
        ("wxpay", json!({ "vk_platform": "web" }), "", "wxpay_h5"),
        ("wxpay", json!({ "context": { "PLATFORM": "h5", "CLIENTUA": wechat } }), "", "wxpay_h5-weixin"),
        ("wxpay", json!({ "context": { "PLATFORM": "h5" } }), desktop, "wxpay_h5"),
        ("wxpay", json!({}), "", "wxpay_mp-weixin"),
        ("alipay", json!({ "vk_platform": "h5" }), phone, "alipay_h5"),
        ("alipay", json!({ "vk_platform": "app-plus" }), phone, "alipay_h5"),
        ("alipay", json!({ "vk_platform": "mp-alipay" }), phone, "alipay_mp-alipay"),
    ];
    for (i, (provider, mut data, agent, pay_type)) in cases.into_iter().enumerate() {
        let mut body = order(&format!("PRODUCT_{i}"));
        body.as_object_mut().unwrap().remove("vk_platform");
        data["provider"] = json!(provider);
        data["openid"] = json!("o_user_1");
        crate::world::merge(&mut body, data);
        let answer = reqwest::Client::new()
            .post(format!("{}/create-payment", world.base))
            .header("authorization", format!("Bearer {}", crate::world::KEY))
            .header("user-agent", agent)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["pay_type"], pay_type, "{body} -> {answer}");
    }
}
