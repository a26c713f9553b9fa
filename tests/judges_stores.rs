//! Independent implementations judge Apple's, Huawei's and WeChat's virtual payment: see `judges.rs`.

use crate::judges::{Script, installed};
use crate::world::World;
use axum::Router;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op, Pay, Provider};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A request that a listener in front of the sandbox saw.
#[derive(Clone)]
struct Seen {
    target: String,
    headers: axum::http::HeaderMap,
    body: String,
}

/// A world whose calls pass a listener that writes them down.
async fn watched(mode: Mode) -> (World, Arc<Mutex<Vec<Seen>>>) {
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let real: Arc<Mutex<String>> = Arc::default();
    let (log, to) = (seen.clone(), real.clone());
    let router = Router::new().fallback(move |request: Request| {
        let (log, to) = (log.clone(), to.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let target = parts.uri.path_and_query().unwrap().to_string();
            let url = format!("{}{target}", to.lock().unwrap());
            let text = String::from_utf8_lossy(&body).into_owned();
            log.lock().unwrap().push(Seen { target, headers: parts.headers.clone(), body: text });
            let mut headers = parts.headers;
            headers.remove("host");
            headers.remove("content-length");
            let sent =
                reqwest::Client::new().request(parts.method, url).headers(headers).body(body).send().await.unwrap();
            let kind = sent.headers().get("content-type").cloned();
            let headers: axum::http::HeaderMap = kind.map(|kind| (CONTENT_TYPE, kind)).into_iter().collect();
            (sent.status(), headers, sent.bytes().await.unwrap())
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    let world = World::with(mode, |config| {
        for section in ["appleiap", "wxpay-virtual", "huawei"] {
            for node in config[section].as_object_mut().unwrap().values_mut() {
                *real.lock().unwrap() = node["apiBase"].as_str().unwrap().to_owned();
                node["apiBase"] = json!(base);
            }
        }
    })
    .await;
    (world, seen)
}

async fn bought(world: &World, provider: Provider, no: &str, more: Value) -> (Value, sandbox::ClientPaid) {
    let mut data = json!({ "provider": provider.name(), "vk_platform": null });
    crate::world::merge(&mut data, more);
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    let paid = world.sandbox.client_pay(provider, &created["orderInfo"], how).await.unwrap();
    (created, paid)
}

#[tokio::test]
async fn apples_own_library_takes_what_the_sandbox_signs_and_our_tokens() {
    let Some(()) = installed() else { return };
    let (world, seen) = watched(Mode::default()).await;
    let (_, paid) = bought(&world, Provider::Appleiap, "JUDGE_APPLE", json!({ "product_id": "coins_1" })).await;
    let result = &paid.result;
    let data = json!({ "out_trade_no": "JUDGE_APPLE", "transaction_identifier": result["transactionIdentifier"] });
    let (status, body) =
        world.call("query-payment", json!({ "action": "pay/appleiap/verifyReceipt", "data": data })).await;
    assert_eq!(status, 200, "{body}");
    let token = seen.lock().unwrap()[0].headers["authorization"].to_str().unwrap().replace("Bearer ", "");
    let callback = world.sandbox.build_callback(&paid.paid.number, CallbackKind::Payment);
    let payload = |request: &sandbox::SignedRequest| -> Value {
        serde_json::from_str::<Value>(&request.body).unwrap()["signedPayload"].clone()
    };
    let forged: Vec<Value> = [Forgery::BadSignature, Forgery::OtherKey, Forgery::AlteredAmount, Forgery::Downgrade]
        .into_iter()
        .map(|how| payload(&world.sandbox.forge(callback.clone(), how)))
        .collect();
    let keys = &world.keys.apple;
    let job = json!({
        "do": "apple_verify", "root": keys.authority.root, "bundle": keys.id, "app": keys.app_apple_id,
        "transaction": result["signedTransaction"], "transaction_id": result["transactionIdentifier"],
        "token": paid.paid.number, "notification": payload(&callback), "forged": forged, "jwt": token,
        "point": keys.public_point, "issuer": keys.issuer_id, "kid": keys.key_id,
    });
    assert_eq!(Script::Python("stores.py").judge(job).await.len(), 3);
}

#[tokio::test]
async fn a_transaction_that_apples_own_library_takes_pays_an_order_here() {
    let Some(()) = installed() else { return };
    let made = Script::Python("stores.py").judge(json!({ "do": "apple_make" })).await;
    let made: Value = serde_json::from_str(&made[0]).unwrap();
    let world = World::with(Mode::default(), |config| {
        config["appleiap"]["app-plus"] =
            json!({ "bundleId": "com.example.judge", "appAppleId": 1, "rootCertContent": made["root"] });
    })
    .await;
    let data = json!({ "provider": "appleiap", "vk_platform": null, "product_id": "coins_1" });
    assert_eq!(world.create("JUDGE_APPLE", data).await.0, 200);
    let signed = made["signed"].as_str().unwrap();
    let verify = |signed: String| {
        let data = json!({ "out_trade_no": "JUDGE_APPLE", "signed_transaction": signed });
        world.call("query-payment", json!({ "action": "pay/appleiap/verifyReceipt", "data": data }))
    };
    let (head, tail) = signed.rsplit_once('.').unwrap();
    let spoilt = format!("{head}.{}", tail.chars().rev().collect::<String>());
    assert_eq!(verify(spoilt).await.0, 422);
    let (status, body) = verify(signed.to_owned()).await;
    assert_eq!((status, &body["transaction_id"]), (200, &json!("70001")), "{body}");
}

#[tokio::test]
async fn apples_own_client_gets_the_notifications_that_we_missed_by_the_request_that_we_send() {
    let Some(()) = installed() else { return };
    let (world, seen) = watched(Mode::default()).await;
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    let mut tokens = Vec::new();
    for n in 0..23 {
        let data = json!({ "provider": "appleiap", "vk_platform": null, "product_id": "coins_1" });
        let (_, created) = world.create(&format!("JUDGE_MISSED_{n}"), data).await;
        let how = Pay { merchant: Some("shop".to_owned()), ..Pay::default() };
        let paid = world.sandbox.client_pay(Provider::Appleiap, &created["orderInfo"], how).await.unwrap();
        tokens.push(paid.paid.number);
    }
    crate::apple_notices::sent(&world, tokens.len()).await;
    let run = world.run(json!({ "job": "notices" })).await;
    assert_eq!((&run["credited"], &run["errors"]), (&json!(23), &json!(0)));
    let asked = seen.lock().unwrap()[0].body.clone();
    let keys = &world.config["appleiap"]["app-plus"];
    let job = json!({ "do": "apple_history", "keys": keys, "asked": asked, "tokens": tokens });
    assert_eq!(Script::Python("stores.py").judge(job).await.len(), 3);
}

#[tokio::test]
async fn sm_crypto_and_cryptography_agree_on_huaweis_signatures() {
    let Some(()) = installed() else { return };
    let (world, seen) = watched(Mode::default()).await;
    let more = json!({ "vk_platform": "app-harmony" });
    let (created, paid) = bought(&world, Provider::Huawei, "JUDGE_HUAWEI", more).await;
    world.call("query-payment", json!({ "out_trade_no": "JUDGE_HUAWEI" })).await;
    world.call("refund", json!({ "out_trade_no": "JUDGE_HUAWEI", "out_refund_no": "R1", "refund_fee": 10 })).await;
    let requests: Vec<Value> = seen
        .lock()
        .unwrap()
        .iter()
        .map(|s| json!({ "target": s.target, "body": s.body, "auth": s.headers["paymercauth"].to_str().unwrap() }))
        .collect();
    assert!(requests.len() >= 3);
    let keys = &world.keys.huawei;
    let job = json!({
        "do": "huawei_pss", "key": keys.mch_public_key, "requests": requests, "order": created["orderInfo"],
    });
    assert_eq!(Script::Python("stores.py").judge(job).await.len(), 1);
    let callback = world.sandbox.build_callback(&paid.paid.number, CallbackKind::Payment);
    let job = json!({ "do": "verify", "body": callback.body, "key": keys.platform_public_key });
    assert_eq!(Script::Node("huawei_sm2.mjs").judge(job).await.len(), 1);
    let mut body: Value = serde_json::from_str(&callback.body).unwrap();
    body.as_object_mut()
        .unwrap()
        .retain(|name, _| !["sign", "signType", "dataType", "callbackId"].contains(&name.as_str()));
    let made = Script::Node("huawei_sm2.mjs").judge(json!({ "do": "sign", "body": body })).await;
    let made: Value = serde_json::from_str(&made[0]).unwrap();
    let key = made["key"].as_str().unwrap();
    for form in [key, &key[2..]] {
        let world = World::with(Mode::default(), |config| {
            let node = &mut config["huawei"]["app-harmony"];
            *node = json!({
                "appId": body["appId"], "mchId": body["mercNo"], "mchAuthId": "1", "platformPublicKey": form,
                "mchPrivateKey": node["mchPrivateKey"], "apiBase": node["apiBase"],
            });
        })
        .await;
        let url = format!("{}/notify/pay-notify/huawei/default", world.base);
        let send = |text: String| {
            let url = url.clone();
            async move { reqwest::Client::new().post(url).body(text).send().await.unwrap().status().as_u16() }
        };
        let text = made["body"].as_str().unwrap();
        assert_eq!(send(text.to_owned()).await, 200, "unknown fields are in the signature");
        assert_eq!(send(text.replace("\"b\":1", "\"b\":2")).await, 400);
        assert_eq!(send(text.replace("\"totalAmount\":100", "\"totalAmount\":100.0")).await, 400);
    }
}

#[tokio::test]
async fn wechat_xpay_and_wechatpy_agree_on_virtual_payment() {
    let Some(()) = installed() else { return };
    let (world, seen) = watched(Mode::default()).await;
    let coins = json!({ "code": "c", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } });
    let (created, paid) = bought(&world, Provider::WxpayVirtual, "JUDGE_VIRTUAL", coins).await;
    let openid = world.order("JUDGE_VIRTUAL").await["openid"].as_str().unwrap().to_owned();
    world.call("query-payment", json!({ "out_trade_no": "JUDGE_VIRTUAL" })).await;
    let refund = json!({ "out_trade_no": "JUDGE_VIRTUAL", "out_refund_no": "REFUND-01", "refund_fee": 10 });
    assert_eq!(world.call("refund", refund).await.0, 200);
    let requests: Vec<Value> = seen
        .lock()
        .unwrap()
        .iter()
        .filter(|s| s.target.starts_with("/xpay/"))
        .map(|s| {
            let (uri, query) = s.target.split_once('?').unwrap();
            let sig = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "pay_sig").unwrap().1;
            assert!(s.headers.contains_key("content-length"), "a chunked body is answered 412");
            json!({ "uri": uri, "body": s.body, "pay_sig": sig })
        })
        .collect();
    assert!(requests.len() >= 3);
    let keys = &world.keys.virtual_pay;
    let info = &created["orderInfo"];
    let job = json!({
        "do": "xpay", "requests": requests, "app_key": keys.app_key, "session_key": keys.session_of(&openid),
        "sign_data": info["signData"], "paySig": info["paySig"], "signature": info["signature"],
    });
    assert_eq!(Script::Python("stores.py").judge(job).await.len(), 1);
    let callback = world.sandbox.build_callback(&paid.paid.number, CallbackKind::Payment);
    let (url, query) = callback.url.split_once('?').unwrap();
    let get =
        |name: &str| form_urlencoded::parse(query.as_bytes()).find(|(own, _)| own == name).unwrap().1.into_owned();
    let job = json!({
        "do": "push", "token": keys.token, "key": keys.encoding_aes_key, "app_id": keys.id,
        "body": serde_json::from_str::<Value>(&callback.body).unwrap(), "number": "JUDGE_VIRTUAL",
        "msg_signature": get("msg_signature"), "timestamp": get("timestamp"), "nonce": get("nonce"),
    });
    let said = Script::Python("stores.py").judge(job).await;
    let made: Value = serde_json::from_str(&said[1]).unwrap();
    let xml = made["xml"].as_str().unwrap();
    let signature = xml.split("<MsgSignature><![CDATA[").nth(1).unwrap().split(']').next().unwrap().to_owned();
    let send = |signature: String| {
        let url = format!(
            "{url}?encrypt_type=aes&msg_signature={signature}&timestamp={}&nonce={}",
            made["timestamp"].as_str().unwrap(),
            made["nonce"].as_str().unwrap()
        );
        async move {
            let answer = reqwest::Client::new().post(url).body(xml.to_owned()).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    assert_eq!(send(signature.replace(|c: char| c.is_ascii_digit(), "0")).await.0, 403);
    let (status, body) = send(signature).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("<ErrCode>0</ErrCode>"), "in the push's own format: {body}");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "the same payment twice is one");
}
