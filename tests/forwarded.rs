//! Handlers by configuration: a paid order is handed to them at least once, whatever happens to them.

use crate::binaries_kit::{Aws, Shop};
use crate::world::World;
use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use sandbox::Mode;
use serde_json::{Value, json};
use shared::crypto::aes;
use std::sync::{Arc, Mutex};

const HOUR: i64 = 3_600_000;
const NOTIFY_KEY: &str = "kJ8mN2pQ5rT7vX9zB4dF6gH1sL3wY0aC";
const KEY: &str = "the-shops-own-key";

/// What a receiver got: headers and body.
type Got = (axum::http::HeaderMap, Value);

/// A receiver of orders, which answers as it is told.
struct Receiver {
    base: String,
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Mutex<Reply>>,
}

#[derive(Clone)]
struct Reply {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    after: std::time::Duration,
}

impl Reply {
    fn of(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), after: std::time::Duration::ZERO }
    }
}

impl Receiver {
    async fn start() -> Self {
        let (got, answer) = (Arc::<Mutex<Vec<Got>>>::default(), Arc::new(Mutex::new(Reply::of(200, r#"{"code":0}"#))));
        let (log, told) = (got.clone(), answer.clone());
        let app = Router::new().fallback(move |request: Request| {
            let (log, told) = (log.clone(), told.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                log.lock().unwrap().push((parts.headers, serde_json::from_slice(&body).unwrap()));
                let reply = told.lock().unwrap().clone();
                tokio::time::sleep(reply.after).await;
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(axum::body::Body::from(reply.body)).unwrap().into_response()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, got, answer }
    }

    fn answers(&self, reply: Reply) {
        *self.answer.lock().unwrap() = reply;
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }
}

/// A world in which orders of type `recharge` go to a receiver, instead of to the handler in Rust.
async fn replaced() -> (Receiver, World) {
    let receiver = Receiver::start().await;
    let world = World::with(Mode::default(), |config| {
        config["handlers"] = json!({ "recharge": { "replaces": true, "http": { "url": receiver.base } } });
    })
    .await;
    (receiver, world)
}

/// A world in which orders of type `mine` go to a receiver.
async fn world(http: Value) -> (Receiver, World) {
    let receiver = Receiver::start().await;
    let mut http = http;
    http["url"] = json!(receiver.base);
    let world = World::with(Mode::default(), |config| {
        config["notifyKey"] = json!(NOTIFY_KEY);
        config["handlers"] = json!({ "mine": { "http": http } });
    })
    .await;
    (receiver, world)
}

async fn paid(world: &World, no: &str) {
    let custom = json!({ "user_id": "user_001", "colour": "red", "total_fee": 1, "status": 9 });
    let (status, made) = world.create(no, json!({ "type": "mine", "custom": custom })).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
}

async fn task(world: &World) -> Value {
    world.kind("task").await.into_iter().find(|t| t["task"] == "handler").expect("a task")
}

#[tokio::test]
async fn a_paid_order_is_handed_over_within_its_callback() {
    let (receiver, world) = world(json!({ "key": KEY })).await;
    paid(&world, "FWD_001").await;
    let order = world.until(|order| order["user_order_success"] == true, "FWD_001").await;
    assert!(order["user_order_reason"].is_null());
    let got = receiver.got();
    assert_eq!(got.len(), 1);
    let (headers, body) = &got[0];
    assert_eq!(headers["content-type"], "application/json; charset=utf-8");
    let id = headers["idempotency-key"].to_str().unwrap();
    // Receivers compare it: a copy of a delivery under another key would count as another order.
    assert_eq!(id, shared::crypto::hash::sha256_hex(b"FWD_001"));
    assert_eq!(body["key"], KEY);
    assert_eq!((&body["out_trade_no"], &body["trade_state"]), (&json!("FWD_001"), &json!("SUCCESS")));
    assert_eq!((&body["colour"], &body["total_fee"]), (&json!("red"), &json!(100)), "an order's column wins");
    assert_eq!(body["status"], 1);
    assert!(body.get("original_data").is_none() && body.get("attempts").is_none());
    assert_eq!(task(&world).await["state"], "done");
    world.dispatch().await;
    world.reconcile(HOUR).await;
    assert_eq!(receiver.got().len(), 1, "a record seen again after the task is done delivers nothing");
    paid(&world, "FWD_002").await;
    world.until(|order| order["user_order_success"] == true, "FWD_002").await;
    assert_ne!(receiver.got()[1].0["idempotency-key"], got[0].0["idempotency-key"]);
}

#[tokio::test]
async fn a_handler_by_configuration_that_replaces_the_one_in_rust_delivers_alone() {
    let (receiver, world) = replaced().await;
    world.create("REP_001", json!({ "type": "recharge", "custom": { "user_id": "user_001", "words": "any" } })).await;
    world.pay("REP_001").await;
    world.until(|order| order["user_order_success"] == true, "REP_001").await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0, "the handler in Rust did not run");
}

#[tokio::test]
async fn what_was_handed_elsewhere_is_not_delivered_by_the_handler_in_rust_when_the_configuration_changes() {
    let (receiver, mut world) = replaced().await;
    // It has taken the order, for all that is known.
    receiver.answers(Reply::of(502, ""));
    world.create("REP_002", json!({ "type": "recharge", "custom": { "user_id": "user_001" } })).await;
    world.pay("REP_002").await;
    world.until(|order| order["user_order_success"] == false, "REP_002").await;
    let handlers = world.config["handlers"].clone();
    world.reconfigure(|config| config["handlers"] = json!({})).await;
    world.reconcile(HOUR).await;
    let order = world.order("REP_002").await;
    assert_eq!(order["user_order_success"], false);
    assert!(order["user_order_reason"].as_str().unwrap().contains("此前已交给配置的处理程序"), "{order}");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    // As it is handed over again, it is delivered.
    receiver.answers(Reply::of(200, r#"{"code":0}"#));
    world.reconfigure(|config| config["handlers"] = handlers).await;
    world.reconcile(3 * HOUR).await;
    assert_eq!(world.order("REP_002").await["user_order_success"], true);
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn both_modes_of_encryption_hide_the_order_and_nothing_else_is_sent() {
    for (name, mode) in [(json!(true), aes::Mode::Aes192), (json!("aes-256-ecb"), aes::Mode::Aes256Ecb)] {
        let (receiver, world) = world(json!({ "encrypt": name })).await;
        paid(&world, "SEALED_1").await;
        world.until(|order| order["user_order_success"] == true, "SEALED_1").await;
        let (_, body) = &receiver.got()[0];
        let sealed = body["encrypted"].as_str().unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        let plain: Value = serde_json::from_slice(&aes::decrypt(mode, NOTIFY_KEY, sealed).unwrap()).unwrap();
        assert_eq!((&plain["out_trade_no"], &plain["colour"]), (&json!("SEALED_1"), &json!("red")));
    }
}

#[tokio::test]
async fn whatever_is_not_code_0_is_a_failed_attempt_with_its_reason() {
    let (receiver, world) = world(json!({ "key": KEY, "timeoutMs": 300 })).await;
    let slow = Reply { after: std::time::Duration::from_secs(1), ..Reply::of(200, r#"{"code":0}"#) };
    let moved = Reply { headers: vec![("location", "/elsewhere")], ..Reply::of(307, "") };
    let long = format!(r#"{{"code":0,"msg":"{}"}}"#, "x".repeat(10_000));
    let said = format!(r#"{{"code":7,"msg":"no\u0000 stock, key {KEY} {}"}}"#, "y".repeat(300));
    let cases = [
        (Reply::of(500, r#"{"code":0}"#), "HTTP 500"),
        (Reply::of(201, r#"{"code":0}"#), "HTTP 201"),
        (Reply::of(200, "ok"), "JSON"),
        (Reply::of(200, "[0]"), "JSON"),
        (Reply::of(200, r#"{"code":"0"}"#), "code 0"),
        (Reply::of(200, r#"{"code":0.0}"#), "code 0"),
        (Reply::of(200, "{}"), "code 0"),
        (Reply::of(200, said), "no stock, key ***"),
        (Reply::of(200, long), "too large"),
        (moved, "HTTP 307"),
        (slow, "no answer in time"),
    ];
    for (i, (reply, reason)) in cases.into_iter().enumerate() {
        let no = format!("BAD_00{i}");
        receiver.answers(reply);
        paid(&world, &no).await;
        let order = world.until(|order| order["user_order_success"] == false, &no).await;
        let said = order["user_order_reason"].as_str().unwrap();
        assert!(said.contains(reason), "{no}: {said} has no {reason}");
        assert!(said.chars().count() <= 200 && !said.contains(KEY) && !said.chars().any(char::is_control));
        assert_eq!(order["trade_state"], "SUCCESS");
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_for_ten_hours_gets_the_order_once() {
    let (receiver, world) = world(json!({})).await;
    receiver.answers(Reply::of(503, ""));
    paid(&world, "DOWN_10").await;
    world.until(|order| order["user_order_success"] == false, "DOWN_10").await;
    assert_eq!(receiver.got().len(), 1, "the attempt within the callback");
    world.dispatch().await;
    assert_eq!(receiver.got().len(), 2, "the attempt of the stream");
    let mut at = 0;
    while at < 10 * HOUR {
        at += 60_000;
        world.reconcile(at).await;
        world.dispatch().await;
    }
    let tries = receiver.got().len();
    assert!((13..=19).contains(&tries), "10 s, 30 s, 1, 2, 5, 10, 30 minutes, then hourly: {tries}");
    let ids: std::collections::BTreeSet<_> =
        receiver.got().iter().map(|(h, _)| h["idempotency-key"].clone().to_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "every delivery has the same key");
    assert_eq!(world.order("DOWN_10").await["user_order_success"], false);
    assert_eq!(world.incident_of("undelivered", "DOWN_10").await["status"], "open");
    receiver.answers(Reply::of(200, r#"{"code":0}"#));
    for _ in 0..200 {
        at += 60_000;
        world.reconcile(at).await;
    }
    assert_eq!(receiver.got().len(), tries + 1, "delivered once");
    let order = world.order("DOWN_10").await;
    assert_eq!(order["user_order_success"], true);
    assert!(order["user_order_reason"].is_null());
    assert_eq!(task(&world).await["state"], "done");
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1, "told of once while it was undelivered: {incidents:?}");
    assert_eq!((&incidents[0]["incident"], &incidents[0]["status"]), (&json!("undelivered"), &json!("resolved")));
}

#[tokio::test]
async fn what_a_payer_writes_never_stands_for_a_column_of_the_order() {
    let (receiver, world) = world(json!({})).await;
    let mut custom = json!({ "colour": "red" });
    for name in shared::domain::COLUMNS.into_iter().chain(["key", "encrypted"]) {
        custom[name] = json!("made up");
    }
    // An order without a user.
    custom.as_object_mut().unwrap().remove("user_id");
    let (status, made) = world.create("FWD_NAMES", json!({ "type": "mine", "custom": custom })).await;
    assert_eq!(status, 200, "{made}");
    world.pay("FWD_NAMES").await;
    world.until(|order| order["user_order_success"] == true, "FWD_NAMES").await;
    let got = receiver.got();
    let mut body = got[0].1.clone();
    assert_eq!(body["colour"], "red");
    // The custom data themselves are a column.
    body.as_object_mut().unwrap().remove("custom");
    assert!(!body.to_string().contains("made up"), "{body}");
    let columns = world.order("FWD_NAMES").await;
    for name in columns.as_object().unwrap().keys().filter(|name| !["pk", "sk", "kind"].contains(&name.as_str())) {
        let listing = ["created_by", "list_key", "list_date", "due_shard", "due", "expire_at"].contains(&name.as_str());
        assert!(listing || shared::domain::COLUMNS.contains(&name.as_str()), "{name} is a column too");
    }
}

#[tokio::test]
async fn a_delivery_that_comes_late_tells_how_the_order_stands_then() {
    let (receiver, world) = world(json!({})).await;
    receiver.answers(Reply::of(503, ""));
    paid(&world, "DOWN_AND_40").await;
    world.until(|order| order["user_order_success"] == false, "DOWN_AND_40").await;
    let body = json!({ "out_trade_no": "DOWN_AND_40", "out_refund_no": "DOWN_AND_40_R", "refund_fee": 40 });
    assert_eq!(world.call("refund", body).await.0, 200);
    world.until(|order| order["refund_fee"] == 40, "DOWN_AND_40").await;
    receiver.answers(Reply::of(200, r#"{"code":0}"#));
    world.reconcile(HOUR).await;
    let got = receiver.got();
    let body = &got.last().expect("a delivery").1;
    assert_eq!((&got[0].1["trade_state"], &got[0].1["refund_fee"]), (&json!("SUCCESS"), &json!(0)));
    assert_eq!((&body["trade_state"], &body["refund_fee"], &body["status"]), (&json!("REFUND"), &json!(40), &json!(2)));
}

#[tokio::test]
async fn a_receiver_that_stays_down_is_given_up_after_a_day_and_an_operator_can_run_it_again() {
    let (receiver, world) = world(json!({})).await;
    receiver.answers(Reply::of(200, r#"{"code":1,"msg":"closed for ever"}"#));
    paid(&world, "NEVER_1").await;
    world.dispatch().await;
    let mut parked = 0;
    for minute in (0..26 * 60).step_by(10) {
        parked += world.reconcile(minute * 60_000).await["parked"].as_i64().unwrap();
    }
    assert_eq!(parked, 1);
    assert_eq!(task(&world).await["state"], "parked");
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(incidents[0]["incident"], "handler_parked");
    assert_eq!(incidents[0]["out_trade_no"], "NEVER_1");
    let tries = receiver.got().len();
    world.reconcile(40 * HOUR).await;
    world.dispatch().await;
    assert_eq!(receiver.got().len(), tries, "nothing is tried any more");

    let again = json!({ "action": "pay/rerunHandler", "data": { "out_trade_no": "NEVER_1" } });
    let (status, reply) = world.call("query-payment", again.clone()).await;
    assert_eq!((status, &reply["user_order_success"]), (200, &json!(false)));
    assert_eq!(reply["user_order_reason"], "closed for ever");
    receiver.answers(Reply::of(200, r#"{"code":0}"#));
    let (status, reply) = world.call("query-payment", again.clone()).await;
    assert_eq!((status, &reply["user_order_success"]), (200, &json!(true)), "{reply}");
    assert_eq!(receiver.got().len(), tries + 2);
    assert_eq!(world.call("query-payment", again).await.0, 409, "true never goes back");
    assert_eq!(world.kind("incident").await.len(), 1);
}

#[tokio::test]
async fn a_lease_that_a_dead_process_left_ends_by_itself() {
    let (receiver, world) = world(json!({ "timeoutMs": 1_000 })).await;
    receiver.answers(Reply { after: std::time::Duration::from_millis(600), ..Reply::of(200, r#"{"code":1}"#) });
    paid(&world, "TWICE_1").await;
    world.until(|order| order["user_order_success"] == false, "TWICE_1").await;
    let records = world.records();
    let event = json!({ "Records": records });
    let app = world.app.clone().unwrap();
    let before = receiver.got().len();
    let all = futures::future::join_all((0..8).map(|_| dispatch::handle(&app, &event))).await;
    assert!(all.iter().all(|answer| answer["batchItemFailures"] == json!([])));
    assert_eq!(receiver.got().len(), before + 1, "two attempts of one task never run at once");
}

#[tokio::test]
async fn an_order_found_paid_by_asking_is_handed_over_by_the_stream() {
    let (receiver, world) = world(json!({})).await;
    world.create("ASKED_1", json!({ "type": "mine" })).await;
    world.pay_silently("ASKED_1").await;
    let (_, reply) = world.call("query-payment", json!({ "data": { "out_trade_no": "ASKED_1" } })).await;
    assert_eq!(reply["trade_state"], "SUCCESS");
    assert!(reply["user_order_success"].is_null() && receiver.got().is_empty());
    world.dispatch().await;
    assert_eq!(receiver.got().len(), 1);
    assert_eq!(world.order("ASKED_1").await["user_order_success"], true);
}

#[tokio::test]
async fn records_that_are_no_due_tasks_are_skipped() {
    let world = World::start().await;
    let app = world.app.clone().unwrap();
    let image = |kind: &str, state: &str| json!({ "kind": { "S": kind }, "state": { "S": state }, "pk": { "S": "O#X" }, "sk": { "S": "K#handler" } });
    let records: Vec<Value> = [
        json!({}),
        json!({ "dynamodb": { "SequenceNumber": "1" } }),
        json!({ "dynamodb": { "SequenceNumber": "2", "NewImage": image("order", "due") } }),
        json!({ "dynamodb": { "SequenceNumber": "3", "NewImage": image("task", "done") } }),
        json!({ "dynamodb": { "SequenceNumber": "4", "NewImage": image("task", "due") } }),
    ]
    .into();
    for event in [json!({ "Records": records }), json!({}), json!([]), json!({ "Records": "x" })] {
        assert_eq!(dispatch::handle(&app, &event).await, json!({ "batchItemFailures": [] }));
    }
}

#[tokio::test]
async fn a_lambda_function_gets_the_order_and_the_queue_learns_of_what_is_given_up() {
    let aws = Aws::start().await;
    let mut shop = Shop::closed(Mode::default(), |config| {
        config["notifyKey"] = json!(NOTIFY_KEY);
        config["handlers"] = json!({
            "plain": { "lambda": { "function": "deliver-goods" } },
            "routed": { "lambda": { "function": "arn:aws:lambda:us-east-1:123456789012:function:router", "url": "service/pay", "encrypt": true } },
        });
    })
    .await;
    shop.environment.push(("AWS_ENDPOINT_URL_LAMBDA", aws.base.clone()));
    shop.environment.push(("PAY_DEAD_LETTER_QUEUE", format!("{}/123456789012/dead", aws.base)));
    for function in ["create-payment", "notify", "dispatch", "reconcile"] {
        shop.start(function, 1).await;
    }
    for (no, kind) in [("LAMBDA_1", "plain"), ("LAMBDA_2", "routed")] {
        let callback = shop.paid_there(no, json!({ "type": kind })).await;
        assert!(shop.taken(&callback).await);
        assert_eq!(shop.world.order(no).await["user_order_success"], true, "{}", shop.log());
    }
    let plain = aws.calls("/2015-03-31/functions/deliver-goods/invocations");
    assert_eq!(plain.len(), 1);
    assert_eq!((&plain[0].1["out_trade_no"], &plain[0].1["trade_state"]), (&json!("LAMBDA_1"), &json!("SUCCESS")));
    assert_eq!(plain[0].1["idempotency_key"].as_str().unwrap().len(), 64);
    assert!(plain[0].0["authorization"].to_str().unwrap().contains("/lambda/aws4_request"));
    let routed = aws.calls("function%3Arouter/invocations");
    assert_eq!(routed[0].1["$url"], "service/pay");
    let sealed = routed[0].1["data"]["encrypted"].as_str().unwrap();
    let order: Value = serde_json::from_slice(&aes::decrypt(aes::Mode::Aes192, NOTIFY_KEY, sealed).unwrap()).unwrap();
    assert_eq!(order["out_trade_no"], "LAMBDA_2");

    *aws.answer.lock().unwrap() = (true, r#"{"code":0}"#.to_owned());
    let callback = shop.paid_there("LAMBDA_3", json!({ "type": "plain" })).await;
    assert!(shop.taken(&callback).await);
    let order = shop.world.order("LAMBDA_3").await;
    assert_eq!((&order["user_order_success"], &order["trade_state"]), (&json!(false), &json!("SUCCESS")));
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::hours(25);
    let time = tomorrow.format(&time::format_description::well_known::Rfc3339).unwrap();
    let run = shop.emulators["reconcile"].invoke(json!({ "time": time, "job": "due" })).await.unwrap();
    assert_eq!((&run["parked"], &run["errors"], &run["more"]), (&json!(1), &json!(0), &json!(false)), "{}", shop.log());
    let batch = json!({ "Records": shop.world.records() });
    for _ in 0..2 {
        let answer = shop.emulators["dispatch"].invoke(batch.clone()).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [] }));
    }
    *aws.answer.lock().unwrap() = (false, "{}".to_owned());
    let told: Vec<Value> =
        aws.calls("").into_iter().filter(|(h, _)| h.get("x-amz-target").is_some()).map(|(_, b)| b).collect();
    assert_eq!(told.len(), 1, "one message: {told:?}");
    assert!(told[0]["QueueUrl"].as_str().unwrap().ends_with("/dead"));
    let message: Value = serde_json::from_str(told[0]["MessageBody"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&message["kind"], &message["out_trade_no"], &message["type"]),
        (&json!("handler"), &json!("LAMBDA_3"), &json!("plain"))
    );
    assert!(message["attempts"].as_u64().unwrap() >= 2 && message["reason"].is_string());
    assert!(shop.log().contains(r#""alarm":"handler_parked","out_trade_no":"LAMBDA_3""#));
}
