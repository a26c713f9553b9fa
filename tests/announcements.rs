//! What happens is put on a bus of EventBridge: paid orders for a handler by configuration, and, where there is a bus,
//! every payment, closed order, refund, incident and ended transfer.

use crate::binaries_kit::{Aws, Shop};
use sandbox::{CallbackKind, Mode, Pay, RefundOutcome};
use serde_json::{Value, json};

/// The entries of all calls to `PutEvents`.
fn entries(aws: &Aws) -> Vec<Value> {
    let puts = aws.calls("").into_iter().filter(|(headers, _)| {
        headers.get("x-amz-target").is_some_and(|target| target == "AWSEvents.PutEvents")
            && headers["authorization"].to_str().is_ok_and(|value| value.contains("/events/aws4_request"))
    });
    puts.flat_map(|(_, body)| body["Entries"].as_array().expect("entries").clone()).collect()
}

fn detail(entry: &Value) -> Value {
    serde_json::from_str(entry["Detail"].as_str().expect("a text")).expect("JSON")
}

async fn shop(aws: &Aws, change: impl FnOnce(&mut Value)) -> Shop {
    let mut shop = Shop::closed(Mode::default(), change).await;
    shop.environment.push(("AWS_ENDPOINT_URL_EVENTBRIDGE", aws.base.clone()));
    shop.environment.push(("PAY_EVENT_BUS", "shop-events".to_owned()));
    for function in ["create-payment", "query-payment", "refund", "notify", "dispatch"] {
        shop.start(function, 1).await;
    }
    *aws.answer.lock().unwrap() = (false, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#.to_owned());
    shop
}

/// Hands what the stream has to `dispatch`; answers what must come again.
async fn dispatched(shop: &Shop) -> Value {
    let batch = json!({ "Records": shop.world.records() });
    shop.emulators["dispatch"].invoke(batch).await.expect("an answer")["batchItemFailures"].clone()
}

#[tokio::test]
async fn a_paid_order_is_delivered_when_the_bus_of_its_handler_has_taken_it() {
    let aws = Aws::start().await;
    let shop = shop(&aws, |config| {
        config["handlers"] = json!({ "shipped": { "eventBridge": { "bus": "orders", "source": "shop.pay" } } });
    })
    .await;
    let callback = shop.paid_there("BUS_DELIVERED", json!({ "type": "shipped", "custom": { "box": "red" } })).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    assert_eq!(shop.world.order("BUS_DELIVERED").await["user_order_success"], true, "{}", shop.log());
    let put = entries(&aws);
    assert_eq!(put.len(), 1, "{put:?}");
    assert_eq!(
        [&put[0]["EventBusName"], &put[0]["Source"], &put[0]["DetailType"]],
        ["orders", "shop.pay", "order.delivery"]
    );
    let said = detail(&put[0]);
    assert_eq!((&said["out_trade_no"], &said["box"]), (&json!("BUS_DELIVERED"), &json!("red")));
    assert_eq!(said["idempotency_key"].as_str().map(str::len), Some(64));

    let full = r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"ThrottlingException","ErrorMessage":"x"}]}"#;
    *aws.answer.lock().unwrap() = (false, full.to_owned());
    let callback = shop.paid_there("BUS_THROTTLED", json!({ "type": "shipped" })).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    let order = shop.world.order("BUS_THROTTLED").await;
    assert_eq!((&order["user_order_success"], &order["trade_state"]), (&json!(false), &json!("SUCCESS")));
    assert!(order["user_order_reason"].as_str().is_some_and(|why| why.contains("ThrottlingException")), "{order}");
}

#[tokio::test]
async fn whatever_happens_is_announced_without_the_payer_and_again_until_it_is_taken() {
    let aws = Aws::start().await;
    let shop = shop(&aws, |_| {}).await;
    for no in ["TOLD_PAID", "TOLD_CLOSED", "TOLD_ODD"] {
        let (status, made) = shop.world.create(no, json!({})).await;
        assert_eq!(status, 200, "{made}");
    }
    assert_eq!(dispatched(&shop).await, json!([]), "{}", shop.log());
    assert!(entries(&aws).is_empty(), "nothing has happened yet");
    shop.world.pay("TOLD_PAID").await;
    let (status, closed) =
        shop.world.call("create-payment", json!({ "action": "closePayment", "out_trade_no": "TOLD_CLOSED" })).await;
    assert_eq!(status, 200, "{closed}");
    let pay = Pay { notify: false, amount: Some(1), ..Pay::default() };
    shop.world.sandbox.pay("TOLD_ODD", pay).await.expect("paid");
    let odd = shop.world.sandbox.build_callback("TOLD_ODD", CallbackKind::Payment);
    shop.world.sandbox.send(&odd).await.expect("an answer");
    for action in ["refund", "queryRefund"] {
        let refund = json!({ "action": action, "out_trade_no": "TOLD_PAID", "out_refund_no": "TOLD_BACK" });
        let (status, refund) = shop.world.call("refund", refund).await;
        assert_eq!(status, 200, "{refund}");
        shop.world.sandbox.settle_refund("TOLD_BACK", RefundOutcome::Success);
    }

    let records = json!({ "Records": shop.world.records() });
    *aws.answer.lock().unwrap() = (false, "{}".to_owned());
    let answer = shop.emulators["dispatch"].invoke(records.clone()).await.expect("an answer");
    let failed = answer["batchItemFailures"].as_array().expect("failures").len();
    assert!(failed >= 4, "{answer}");
    *aws.answer.lock().unwrap() = (false, r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#.to_owned());
    let refused = entries(&aws).len();
    assert_eq!(
        shop.emulators["dispatch"].invoke(records).await.expect("an answer"),
        json!({ "batchItemFailures": [] })
    );
    let put = entries(&aws).split_off(refused);
    let mut kinds: Vec<&str> = put.iter().map(|entry| entry["DetailType"].as_str().expect("a kind")).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["incident.opened", "order.closed", "payment.paid", "refund.succeeded"], "{put:?}");
    for entry in &put {
        assert_eq!([&entry["EventBusName"], &entry["Source"]], ["shop-events", "vk-pay"]);
        let said = detail(entry);
        assert_eq!(said["id"].as_str().map(str::len), Some(64), "{said}");
        for private in ["openid", "client_ip", "notify_info", "attempts"] {
            assert!(!said.to_string().contains(&format!("\"{private}\"")), "{private}: {said}");
        }
    }
    let of = |kind: &str| detail(put.iter().find(|entry| entry["DetailType"] == kind).expect("the event"));
    assert_eq!(of("payment.paid")["order"]["out_trade_no"], "TOLD_PAID");
    assert!(of("payment.paid")["order"]["transaction_id"].is_string());
    assert_eq!(of("order.closed")["order"]["out_trade_no"], "TOLD_CLOSED");
    assert_eq!(of("refund.succeeded")["refund"]["refund_fee"], 100);
    assert_eq!(of("incident.opened")["incident"]["incident"], "amount_mismatch");
}
