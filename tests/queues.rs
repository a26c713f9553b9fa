//! The queues of work, by the functions' own binaries and SQS's wire; what they must do whatever becomes of a message
//! is the simulator's.

use crate::binaries_kit::{Aws, Shop};
use crate::world::{KEY, TABLE, World};
use futures::future::BoxFuture;
use sandbox::Mode;
use serde_json::{Value, json};
use shared::api::Request;
use shared::app::{App, Settings, system_clock};
use shared::config::Source;
use shared::payments::{Message, Queues};
use shared::store::Store;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A shop whose functions put work into queues at `aws`.
async fn shop(aws: &Aws) -> Shop {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.environment.push(("PAY_QUEUES", format!("{}/123456789012/pay-", aws.base)));
    for function in ["create-payment", "reconcile", "worker"] {
        shop.start(function, 1).await;
    }
    shop
}

/// What was sent to a queue, with its delay, in the order of sending.
fn sent(aws: &Aws, queue: &str) -> Vec<(Value, u64)> {
    let calls =
        aws.calls("").into_iter().filter(|(headers, _)| headers["x-amz-target"] == "AmazonSQS.SendMessageBatch");
    let to =
        calls.filter(|(_, body)| body["QueueUrl"].as_str().unwrap().ends_with(&format!("/123456789012/pay-{queue}")));
    to.flat_map(|(_, body)| body["Entries"].as_array().unwrap().clone())
        .map(|entry| {
            let body = serde_json::from_str(entry["MessageBody"].as_str().unwrap()).unwrap();
            (body, entry["DelaySeconds"].as_u64().unwrap())
        })
        .collect()
}

/// Hands a message to `worker` for the `received`th time.
async fn worked(shop: &Shop, body: &Value, received: u32) -> Value {
    let record = json!({
        "messageId": "m-1", "receiptHandle": "r-1", "body": body.to_string(), "eventSource": "aws:sqs",
        "attributes": { "ApproximateReceiveCount": received.to_string() },
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:pay-orders-wxpay",
    });
    shop.emulators["worker"].invoke(json!({ "Records": [record] })).await.unwrap()
}

fn nothing_failed() -> Value {
    json!({ "batchItemFailures": [] })
}

#[tokio::test]
async fn an_order_is_asked_about_by_one_message_after_the_other_until_it_is_paid() {
    let aws = Aws::start().await;
    let shop = shop(&aws).await;
    shop.world.create("QUEUED_1", json!({})).await;
    let first = sent(&aws, "orders-wxpay");
    assert_eq!(first, [(json!({ "ask": "QUEUED_1", "attempt": 1, "round": 0 }), 75)]);
    let item = shop.world.order("QUEUED_1").await;
    assert_eq!(item["due"], item["time_expire"], "the index has its end: {item}");

    assert_eq!(worked(&shop, &first[0].0, 1).await, nothing_failed());
    let second = sent(&aws, "orders-wxpay")[1].clone();
    assert_eq!(second, (json!({ "ask": "QUEUED_1", "attempt": 1, "round": 1 }), 150));
    assert_eq!(shop.world.order("QUEUED_1").await, item, "nothing is written while it is unpaid");

    shop.world.pay_silently("QUEUED_1").await;
    for _ in 0..2 {
        assert_eq!(worked(&shop, &second.0, 1).await, nothing_failed());
    }
    assert_eq!(shop.world.order("QUEUED_1").await["trade_state"], "SUCCESS");
    assert_eq!(shop.world.row("uni-id-users", "user_001").await["balance"], 100, "once, though the message came twice");
    assert_eq!(sent(&aws, "orders-wxpay").len(), 2, "and no message follows");
}

#[tokio::test]
async fn a_provider_that_does_not_tell_is_asked_again_after_a_pause_that_grows() {
    let aws = Aws::start().await;
    let shop = shop(&aws).await;
    shop.world.create("QUEUED_2", json!({})).await;
    let message = sent(&aws, "orders-wxpay")[0].0.clone();
    for (received, pause) in [(1, 60), (2, 120), (5, 900), (40, 900)] {
        shop.world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Query, sandbox::Misbehaviour::SystemError));
        let answer = worked(&shop, &message, received).await;
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-1" }] }), "{}", shop.log());
        let hidden = aws.calls("").into_iter().rfind(|(h, _)| h["x-amz-target"] == "AmazonSQS.ChangeMessageVisibility");
        let hidden = hidden.expect("it is hidden").1;
        assert_eq!((&hidden["VisibilityTimeout"], &hidden["ReceiptHandle"]), (&json!(pause), &json!("r-1")));
        assert!(hidden["QueueUrl"].as_str().unwrap().ends_with("/123456789012/pay-orders-wxpay"), "{hidden}");
    }
}

#[tokio::test]
async fn the_schedule_puts_what_is_overdue_into_the_queue_of_its_provider_and_asks_nobody() {
    let aws = Aws::start().await;
    let shop = shop(&aws).await;
    for no in ["QUEUED_3", "QUEUED_4"] {
        shop.world.create(no, json!({})).await;
    }
    let later = time::OffsetDateTime::now_utc() + time::Duration::hours(3);
    let time = later.format(&time::format_description::well_known::Rfc3339).unwrap();
    let halves = [json!("0-7"), json!("8-15")].map(|shards| json!({ "job": "due", "time": time, "shards": shards }));
    let mut queued = 0;
    for event in halves {
        let run = shop.emulators["reconcile"].invoke(event).await.unwrap();
        assert_eq!((&run["asked"], &run["errors"], &run["more"]), (&json!(0), &json!(0), &json!(false)), "{run}");
        queued += run["queued"].as_u64().unwrap();
    }
    assert_eq!(queued, 2);
    let again = shop.emulators["reconcile"].invoke(json!({ "job": "due", "time": time })).await.unwrap();
    assert_eq!(again["queued"], 0, "what waits in a queue is not put into it twice: {again}");
    let due: Vec<Value> =
        sent(&aws, "orders-wxpay").into_iter().map(|(body, _)| body).filter(|b| !b["due"].is_null()).collect();
    assert_eq!(due.len(), 2);
    for message in &due {
        assert_eq!(worked(&shop, message, 1).await, nothing_failed(), "{}", shop.log());
    }
    for no in ["QUEUED_3", "QUEUED_4"] {
        assert_eq!(shop.world.order(no).await["trade_state"], "CLOSED", "{}", shop.log());
    }
}

#[tokio::test]
async fn an_order_whose_message_no_queue_takes_is_asked_about_by_the_schedule() {
    let aws = Aws::start().await;
    *aws.answer.lock().unwrap() = (false, r#"{"Failed":[{"Id":"0","Code":"InternalError"}]}"#.to_owned());
    let shop = shop(&aws).await;
    shop.world.create("QUEUED_5", json!({})).await;
    let item = shop.world.order("QUEUED_5").await;
    let after = item["due"].as_i64().unwrap() - item["create_date"].as_i64().unwrap();
    assert!((75_000..80_000).contains(&after), "{after}");
}

/// Queues that take messages and say nothing.
struct Silent;

impl Queues for Silent {
    fn send(&self, _: Vec<Message>) -> BoxFuture<'_, usize> {
        Box::pin(std::future::pending())
    }

    fn hide<'a>(&'a self, _: &'a str, _: &'a str, _: Duration) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_queue_that_says_nothing_holds_up_no_payer_for_long_and_the_schedule_asks() {
    let world = World::start().await;
    let settings = Settings {
        source: Source::Inline(world.config.to_string()),
        config_ttl: 300,
        notify_base: None,
        dead_letters: None,
        queues: Some(Arc::new(Silent)),
    };
    let store = Store::new(vk_pay_local::dynamo::client(&world.dynamodb), TABLE, "");
    let app = App::new(settings, store, Box::new(handlers::Registry), system_clock()).await;
    let app = app.unwrap_or_else(|faults| panic!("the configuration is right: {faults:?}"));
    let body = json!({
        "provider": "wxpay", "out_trade_no": "QUEUED_6", "total_fee": 100, "subject": "测试", "type": "custom",
        "vk_platform": "h5",
    });
    let method = http::Method::POST;
    let mut request = Request { method, body: body.to_string().into_bytes(), ..Request::default() };
    request.headers.insert("authorization", format!("Bearer {KEY}").parse().unwrap());
    let began = Instant::now();
    let answer = create_payment::handle(&app, request).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let order = world.order("QUEUED_6").await;
    let after = order["due"].as_i64().unwrap() - order["create_date"].as_i64().unwrap();
    assert!((75_000..85_000).contains(&after), "{after}");
}
