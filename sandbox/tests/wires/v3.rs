//! APIv3 as a merchant sees it.

use crate::client::{Bench, bench, bench_with, keys, now_ms, open, sign, signed_by_wxpay};
use sandbox::{CallbackKind, DeliveryState, Fault, Forgery, Misbehaviour, Op, Options, Pay, RefundOutcome, TradeState};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

pub(crate) struct Answer {
    pub status: u16,
    headers: axum::http::HeaderMap,
    text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or("OK").to_owned()
    }
}

fn authorization(method: &str, target: &str, body: &str, seconds: i64) -> String {
    let (keys, nonce) = (keys(), "0123456789abcdef0123456789abcdef");
    let signature = sign(&keys.wechat.merchant_key, &format!("{method}\n{target}\n{seconds}\n{nonce}\n{body}\n"));
    format!(
        "WECHATPAY2-SHA256-RSA2048 mchid=\"{}\",nonce_str=\"{nonce}\",signature=\"{signature}\",timestamp=\"{seconds}\",serial_no=\"{}\"",
        keys.wechat.mchid, keys.wechat.merchant_serial
    )
}

async fn raw(bench: &Bench, method: &str, target: &str, body: &str, auth: &str) -> Result<Answer, reqwest::Error> {
    let mut request = bench
        .http
        .request(method.parse().unwrap(), format!("{}{target}", bench.base))
        .header("authorization", auth)
        .header("accept", "application/json")
        .header("user-agent", "test")
        .header("wechatpay-serial", &keys().wechat.wxpay_public_key_id);
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    let answer = request.send().await?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Ok(Answer { status, headers, text: answer.text().await? })
}

pub(crate) async fn call(bench: &Bench, method: &str, target: &str, body: Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let auth = authorization(method, target, &body, now_ms() / 1000);
    let answer = raw(bench, method, target, &body, &auth).await.unwrap();
    if answer.status < 300 {
        assert!(signed_by_wxpay(&answer.headers, &answer.text), "{target}: {}", answer.text);
    }
    answer
}

fn native(bench: &Bench, number: &str, total: u64) -> Value {
    json!({
        "appid": keys().wechat.mp_appid, "mchid": keys().wechat.mchid, "description": "测试", "out_trade_no": number,
        "notify_url": bench.shop.url, "amount": {"total": total, "currency": "CNY"},
    })
}

async fn query(bench: &Bench, number: &str) -> Answer {
    let target = format!("/v3/pay/transactions/out-trade-no/{number}?mchid={}", keys().wechat.mchid);
    call(bench, "GET", &target, Value::Null).await
}

pub(crate) async fn ordered(bench: &Bench, number: &str, total: u64) {
    let answer = call(bench, "POST", "/v3/pay/transactions/native", native(bench, number, total)).await;
    assert!(answer.json()["code_url"].as_str().unwrap().starts_with("weixin://wxpay/bizpayurl?pr="));
}

pub(crate) async fn paid(bench: &Bench, number: &str, total: u64) {
    ordered(bench, number, total).await;
    bench.sandbox.pay(number, Pay::default()).await.unwrap();
}

fn refund(bench: &Bench, number: &str, refund: &str, amount: u64, total: u64) -> Value {
    json!({
        "out_trade_no": number, "out_refund_no": refund, "notify_url": bench.shop.url,
        "amount": {"refund": amount, "total": total, "currency": "CNY"},
    })
}

#[tokio::test]
async fn an_order_is_created_paid_and_told() {
    let bench = bench().await;
    let mut body = native(&bench, "order-0001", 100);
    body["payer"] = json!({"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"});
    let answer = call(&bench, "POST", "/v3/pay/transactions/jsapi", body.clone()).await;
    let first = answer.json()["prepay_id"].as_str().unwrap().to_owned();
    assert!(first.starts_with("wx") && first.len() == 36);
    let again = call(&bench, "POST", "/v3/pay/transactions/jsapi", body.clone()).await;
    assert_ne!(again.json()["prepay_id"], first, "the same order gets a fresh prepay_id");
    body["amount"]["total"] = json!(101);
    let other = call(&bench, "POST", "/v3/pay/transactions/jsapi", body.clone()).await;
    assert_eq!((other.status, other.code().as_str()), (403, "OUT_TRADE_NO_USED"));
    assert_eq!(query(&bench, "order-0001").await.json()["trade_state"], "NOTPAY");
    let paid = bench.sandbox.pay("order-0001", Pay::default()).await.unwrap();
    assert_eq!(paid.transaction_id.len(), 28);
    assert!(bench.sandbox.pay("order-0001", Pay::default()).await.is_err());
    let order = query(&bench, "order-0001").await.json();
    assert_eq!(order["trade_state"], "SUCCESS");
    assert_eq!(order["payer"]["openid"], "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o");
    assert_eq!(bench.sandbox.deliver_due(now_ms()).await, 1);
    let (headers, text) = bench.shop.last();
    assert!(signed_by_wxpay(&headers, &text));
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(event["event_type"], "TRANSACTION.SUCCESS");
    let told = open(&keys().wechat.v3_key, &event["resource"]);
    assert_eq!((&told["transaction_id"], &told["amount"]["total"]), (&json!(paid.transaction_id), &json!(100)));
    assert_eq!(bench.sandbox.outbox()[0].state, DeliveryState::Accepted);
}

#[tokio::test]
async fn a_wrong_request_is_refused_with_the_right_code() {
    let bench = bench().await;
    let target = format!("/v3/pay/transactions/out-trade-no/nothing-here?mchid={}", keys().wechat.mchid);
    let now = now_ms() / 1000;
    for (auth, code) in [
        (authorization("GET", &target, "", now), "ORDER_NOT_EXIST"),
        (authorization("GET", &target, "", now - 301), "SIGN_ERROR"),
        (authorization("POST", &target, "", now), "SIGN_ERROR"),
        (
            authorization("GET", &target, "", now)
                .replace(&keys().wechat.merchant_serial, &keys().wechat.platform_serial),
            "SIGN_ERROR",
        ),
        (authorization("GET", &target, "", now).replace(&keys().wechat.mchid, "1900000001"), "SIGN_ERROR"),
        ("Bearer x".to_owned(), "SIGN_ERROR"),
    ] {
        assert_eq!(raw(&bench, "GET", &target, "", &auth).await.unwrap().code(), code, "{auth}");
    }
    let mut body = native(&bench, "order-0002", 1);
    body["appid"] = json!("wx0000000000000000");
    let answer = call(&bench, "POST", "/v3/pay/transactions/native", body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "APPID_MCHID_NOT_MATCH"));
    let mut body = native(&bench, "order-0002", 1);
    body["nonsense"] = json!(1);
    assert_eq!(call(&bench, "POST", "/v3/pay/transactions/native", body).await.code(), "PARAM_ERROR");
    assert_eq!(call(&bench, "GET", "/v3/nothing", Value::Null).await.status, 404);
    let bare = bench.http.get(format!("{}/v3/certificates", bench.base)).header("accept", "*/*").send().await.unwrap();
    assert_eq!(bare.status(), 400, "no User-Agent");
}

#[tokio::test]
async fn an_order_closes_once_and_for_all() {
    let bench = bench().await;
    let close = json!({"mchid": keys().wechat.mchid});
    let body = native(&bench, "order-0003", 1);
    call(&bench, "POST", "/v3/pay/transactions/native", body.clone()).await;
    for _ in 0..2 {
        let target = "/v3/pay/transactions/out-trade-no/order-0003/close";
        assert_eq!(call(&bench, "POST", target, close.clone()).await.status, 204);
    }
    assert_eq!(query(&bench, "order-0003").await.json()["trade_state"], "CLOSED");
    assert_eq!(call(&bench, "POST", "/v3/pay/transactions/native", body).await.code(), "ORDER_CLOSED");
    assert!(bench.sandbox.pay("order-0003", Pay::default()).await.is_err());
    paid(&bench, "order-0004", 1).await;
    let target = "/v3/pay/transactions/out-trade-no/order-0004/close";
    assert_eq!(call(&bench, "POST", target, close).await.code(), "ORDERPAID");
}

#[tokio::test]
async fn refunds_never_exceed_the_payment() {
    let bench = bench().await;
    let path = "/v3/refund/domestic/refunds";
    paid(&bench, "order-0005", 100).await;
    let first = call(&bench, "POST", path, refund(&bench, "order-0005", "r1", 60, 100)).await.json();
    assert_eq!(first["status"], "PROCESSING");
    let again = call(&bench, "POST", path, refund(&bench, "order-0005", "r1", 60, 100)).await.json();
    assert_eq!(again["refund_id"], first["refund_id"]);
    assert_eq!(query(&bench, "order-0005").await.json()["trade_state"], "REFUND");
    for (number, amount, total) in [("r1", 50, 100), ("r2", 41, 100), ("r3", 1, 101)] {
        let answer = call(&bench, "POST", path, refund(&bench, "order-0005", number, amount, total)).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_REQUEST"), "{number}");
    }
    let unpaid = call(&bench, "POST", path, refund(&bench, "order-none", "r4", 1, 1)).await;
    assert_eq!((unpaid.status, unpaid.code().as_str()), (404, "RESOURCE_NOT_EXISTS"));
    bench.sandbox.deliver_due(now_ms() + 10_000).await;
    let settled = call(&bench, "GET", &format!("{path}/r1"), Value::Null).await.json();
    assert_eq!(settled["status"], "SUCCESS");
    let (headers, text) = bench.shop.last();
    assert!(signed_by_wxpay(&headers, &text));
    let event: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(event["event_type"], "REFUND.SUCCESS");
    assert_eq!(open(&keys().wechat.v3_key, &event["resource"])["amount"]["refund"], 60);
}

#[tokio::test]
async fn a_held_refund_waits_for_its_outcome() {
    let bench = bench().await;
    let path = "/v3/refund/domestic/refunds";
    paid(&bench, "order-0006", 100).await;
    bench.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    call(&bench, "POST", path, refund(&bench, "order-0006", "held", 100, 100)).await;
    bench.sandbox.deliver_due(now_ms() + 100_000_000).await;
    let status = || async { call(&bench, "GET", &format!("{path}/held"), Value::Null).await.json()["status"].clone() };
    assert_eq!(status().await, "PROCESSING");
    bench.sandbox.settle_refund("held", RefundOutcome::Closed);
    assert_eq!(status().await, "CLOSED");
    assert_eq!(bench.sandbox.trade("order-0006").unwrap().state, TradeState::Success);
    let callback = bench.sandbox.build_callback("held", CallbackKind::Refund);
    assert!(callback.body.contains("REFUND.CLOSED"));
}

#[tokio::test]
async fn callbacks_climb_the_ladder_until_accepted() {
    let bench = bench().await;
    bench.shop.answers(500, "{\"code\":\"FAIL\"}");
    paid(&bench, "order-0007", 1).await;
    let start = bench.sandbox.outbox()[0].next_due.unwrap();
    assert_eq!(bench.sandbox.deliver_due(start).await, 1);
    assert_eq!(bench.sandbox.deliver_due(start + 14_999).await, 0);
    assert_eq!(bench.sandbox.deliver_due(start + 15_000).await, 1);
    bench.shop.answers(204, "");
    assert_eq!(bench.sandbox.deliver_due(start + 30_000).await, 1);
    assert_eq!(bench.sandbox.deliver_due(start + 900_000_000).await, 0);
    let delivery = &bench.sandbox.outbox()[0];
    assert_eq!((delivery.attempts, delivery.state), (3, DeliveryState::Accepted));
}

#[tokio::test]
async fn an_order_expires_by_the_sandbox_s_clock() {
    let time = Arc::new(AtomicI64::new(now_ms()));
    let clock = Arc::clone(&time);
    let bench = bench_with(Options {
        retry_divisor: 1,
        clock: Some(Arc::new(move || clock.load(Ordering::Relaxed))),
        auto_deliver: false,
    })
    .await;
    let mut body = native(&bench, "order-0008", 1);
    body["time_expire"] = json!("2000-01-01T00:00:00+08:00");
    assert_eq!(call(&bench, "POST", "/v3/pay/transactions/native", body).await.code(), "PARAM_ERROR");
    call(&bench, "POST", "/v3/pay/transactions/native", native(&bench, "order-0008", 1)).await;
    time.fetch_add(7 * 24 * 3600 * 1000, Ordering::Relaxed);
    assert_eq!(bench.sandbox.trade("order-0008").unwrap().state, TradeState::Closed);
}

#[tokio::test]
async fn forgeries_do_not_verify() {
    let bench = bench().await;
    paid(&bench, "order-0009", 1).await;
    let genuine = bench.sandbox.build_callback("order-0009", CallbackKind::Payment);
    let verifies = |request: &sandbox::SignedRequest| {
        let message = format!(
            "{}\n{}\n{}\n",
            request.header("wechatpay-timestamp").unwrap(),
            request.header("wechatpay-nonce").unwrap(),
            request.body
        );
        crate::client::verifies(
            &keys().wechat.wxpay_public_key,
            &message,
            request.header("wechatpay-signature").unwrap_or(""),
        )
    };
    assert!(verifies(&genuine));
    for how in [
        Forgery::BadSignature,
        Forgery::OtherKey,
        Forgery::AlteredAmount,
        Forgery::NoSignature,
        Forgery::EmptySignature,
        Forgery::SignTest,
        Forgery::UnknownSerial,
    ] {
        assert!(!verifies(&bench.sandbox.forge(genuine.clone(), how)), "{how:?}");
    }
    let old = bench.sandbox.forge(genuine.clone(), Forgery::OldTimestamp);
    assert!(verifies(&old), "rightly signed, only old");
    let seconds = |r: &sandbox::SignedRequest| r.header("wechatpay-timestamp").unwrap().parse::<i64>().unwrap();
    assert_eq!(seconds(&genuine) - seconds(&old), 600);
    let altered = bench.sandbox.forge(genuine, Forgery::AlteredAmount);
    let event: Value = serde_json::from_str(&altered.body).unwrap();
    assert_eq!(open(&keys().wechat.v3_key, &event["resource"])["amount"]["total"], 2);
}

#[tokio::test]
async fn faults_strike_where_they_are_told_to() {
    let bench = bench().await;
    let body = native(&bench, "order-0010", 1).to_string();
    let path = "/v3/pay/transactions/native";
    let auth = authorization("POST", path, &body, now_ms() / 1000);
    let post = || raw(&bench, "POST", path, &body, &auth);
    for (what, status) in [(Misbehaviour::SystemError, 500), (Misbehaviour::TooMany, 429), (Misbehaviour::Http5xx, 502)]
    {
        bench.sandbox.misbehave(Fault::once(Op::Create, what));
        assert_eq!(post().await.unwrap().status, status);
        assert!(bench.sandbox.trade("order-0010").is_none());
    }
    for what in [Misbehaviour::DropConnection, Misbehaviour::TimeoutBefore(5)] {
        bench.sandbox.misbehave(Fault::once(Op::Create, what));
        assert!(post().await.is_err());
        assert!(bench.sandbox.trade("order-0010").is_none());
    }
    bench.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::TimeoutAfterCommit(5)));
    assert!(post().await.is_err());
    assert!(bench.sandbox.trade("order-0010").is_some());
    bench.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::BadSignature));
    let answer = post().await.unwrap();
    assert!(!signed_by_wxpay(&answer.headers, &answer.text));
    bench.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::NoSignature));
    assert!(post().await.unwrap().headers.get("wechatpay-signature").is_none());
    assert_eq!(post().await.unwrap().status, 200);
    assert_eq!(bench.sandbox.requests().len(), 9);
}

#[tokio::test]
async fn certificates_come_under_the_apiv3_key() {
    let bench = bench().await;
    let list = call(&bench, "GET", "/v3/certificates", Value::Null).await.json();
    let entry = &list["data"][0];
    assert_eq!(entry["serial_no"], keys().wechat.platform_serial);
    assert_eq!(open(&keys().wechat.v3_key, &entry["encrypt_certificate"]), json!(keys().wechat.platform_cert));
}

#[tokio::test]
async fn a_partner_orders_for_its_sub_merchant() {
    let bench = bench().await;
    let keys = keys();
    let body = json!({
        "sp_appid": keys.wechat.mp_appid, "sp_mchid": keys.wechat.mchid, "sub_mchid": keys.wechat.sub_mchid, "description": "测试",
        "out_trade_no": "order-0011", "notify_url": bench.shop.url, "amount": {"total": 5},
        "payer": {"sp_openid": "oUpF8uMuAJO"},
    });
    let answer = call(&bench, "POST", "/v3/pay/partner/transactions/jsapi", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    bench.sandbox.pay("order-0011", Pay::default()).await.unwrap();
    let base = "/v3/pay/partner/transactions/out-trade-no/order-0011";
    let target = format!("{base}?sp_mchid={}&sub_mchid={}", keys.wechat.mchid, keys.wechat.sub_mchid);
    let order = call(&bench, "GET", &target, Value::Null).await.json();
    assert_eq!(
        (&order["sub_mchid"], &order["payer"]["sp_openid"]),
        (&json!(keys.wechat.sub_mchid), &json!("oUpF8uMuAJO"))
    );
}

#[tokio::test]
async fn the_background_task_delivers_by_itself() {
    let bench = bench_with(Options { retry_divisor: 1000, clock: None, auto_deliver: true }).await;
    bench.shop.answers(500, "");
    paid(&bench, "order-0012", 1).await;
    for _ in 0..200 {
        if bench.shop.count() >= 3 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert!(bench.shop.count() >= 3, "{:?}", bench.sandbox.outbox());
}
