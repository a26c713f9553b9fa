//! One payment at a provider credits one order, whatever the provider says of the second.

use crate::world::World;
use sandbox::{CallbackKind, Op};
use serde_json::{Value, json};

/// Two orders, the first paid and credited; then the second is paid by a payment of the same number.
async fn second_by_the_same_payment(provider: &str) -> (World, String) {
    let world = World::start().await;
    for no in ["SAME_1", "SAME_2"] {
        let (status, made) = world.create(no, json!({ "provider": provider })).await;
        assert_eq!(status, 200, "{made}");
    }
    world.pay("SAME_1").await;
    let number = world.order("SAME_1").await["transaction_id"].as_str().expect("a number").to_owned();
    world.sandbox.number_payment("SAME_2", &number).unwrap();
    world.pay_silently("SAME_2").await;
    (world, number)
}

async fn credited_the_first_alone(world: &World, number: &str) {
    assert_eq!(world.order("SAME_1").await["trade_state"], "SUCCESS");
    let second = world.order("SAME_2").await;
    assert_eq!((&second["trade_state"], &second["transaction_id"]), (&json!("NOTPAY"), &Value::Null));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "credited once");
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let incident = &incidents[0];
    assert_eq!((&incident["incident"], &incident["out_trade_no"]), (&json!("second_payment"), &json!("SAME_2")));
    assert_eq!((&incident["transaction_id"], &incident["actual"]), (&json!(number), &json!("SAME_1")));
    let refunds = world.sandbox.requests().into_iter().filter(|request| request.op == Op::Refund).count();
    assert_eq!(refunds, 0, "sending it back would take the first order's money");
}

#[tokio::test]
async fn a_callback_with_the_number_of_another_orders_payment_credits_nothing_and_is_an_incident() {
    for provider in ["wxpay", "alipay"] {
        let (world, number) = second_by_the_same_payment(provider).await;
        let callback = world.sandbox.build_callback("SAME_2", CallbackKind::Payment);
        for _ in 0..2 {
            let (status, body) = world.sandbox.send(&callback).await.expect("an answer");
            assert!((200..500).contains(&status), "{provider}: {status} {body}");
            credited_the_first_alone(&world, &number).await;
        }
    }
}

#[tokio::test]
async fn asking_finds_the_same_and_credits_nothing_either() {
    let (world, number) = second_by_the_same_payment("wxpay").await;
    let asked = json!({ "action": "pay/queryPayment", "data": { "out_trade_no": "SAME_2" } });
    let (status, answer) = world.call("query-payment", asked).await;
    assert_eq!((status, &answer["trade_state"]), (200, &json!("NOTPAY")), "{answer}");
    credited_the_first_alone(&world, &number).await;
}
