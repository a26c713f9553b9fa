//! One payment at a provider credits one order, whatever the provider says of the second.

use crate::payee::twin;
use crate::world::{TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{CallbackKind, Epay, Mode, Op};
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

/// Two sites of the epay family, each of which a merchant has; and two orders at each of them, unpaid.
async fn two_sites() -> World {
    let mode = Mode { epay: Epay::Md5, ..Mode::default() };
    let world = World::with(mode, |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway").to_owned();
        config["merchants"] = json!({ "twin": { "vkspay": twin().config_with(&gateway, mode)["vkspay"] } });
    })
    .await;
    world.sandbox.register(twin());
    for (no, site) in [("HERE_1", "default"), ("HERE_2", "default"), ("THERE_1", "twin"), ("THERE_2", "twin")] {
        let (status, made) = world.create(no, json!({ "provider": "vkspay", "pid": site })).await;
        assert_eq!(status, 200, "{made}");
        let numbered = |trade: &mut sandbox::Trade| trade.prepay_id = Some("20261129000001".to_owned());
        world.sandbox.alter(sandbox::Provider::Vkspay, no, numbered).expect("a trade");
    }
    world
}

#[tokio::test]
async fn two_sites_that_give_the_same_number_are_two_payments_and_one_site_is_one() {
    let world = two_sites().await;
    for no in ["HERE_1", "THERE_1"] {
        world.pay(no).await;
        let order = world.order(no).await;
        assert_eq!(
            (&order["trade_state"], &order["transaction_id"]),
            (&json!("SUCCESS"), &json!("20261129000001")),
            "{no}"
        );
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
    assert!(world.kind("incident").await.is_empty());
    for no in ["HERE_2", "THERE_2"] {
        world.pay_silently(no).await;
        let callback = world.sandbox.build_callback(no, CallbackKind::Payment);
        world.sandbox.send(&callback).await.expect("an answer");
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY", "{no}");
    }
    let incidents = world.kind("incident").await;
    let facts: Vec<_> = incidents.iter().map(|i| (&i["incident"], &i["actual"])).collect();
    assert!(facts.contains(&(&json!("second_payment"), &json!("HERE_1"))), "{facts:?}");
    assert!(facts.contains(&(&json!("second_payment"), &json!("THERE_1"))), "{facts:?}");
    // Asked by that number, each is found by whoever may see it.
    let by_number = json!({ "action": "pay/queryPayment", "data": { "transaction_id": "20261129000001" } });
    assert_eq!(world.call("query-payment", by_number).await.0, 200);
}

#[tokio::test]
async fn a_number_that_was_credited_before_sites_were_told_apart_is_its_own_sites_still() {
    let world = two_sites().await;
    world.pay("HERE_1").await;
    // The row as an earlier version wrote it.
    let key = |pk: &str| [("pk", pk), ("sk", "T")].map(|(k, v)| (k.to_owned(), Av::S(v.to_owned())));
    let own = "T#vkspay#default#20261129000001";
    let row = world.tables.get_item().table_name(TABLE).set_key(Some(key(own).into())).send().await.expect("read");
    let mut row = row.item.expect("a row");
    world.tables.delete_item().table_name(TABLE).set_key(Some(key(own).into())).send().await.expect("deleted");
    row.extend(key("T#vkspay#20261129000001"));
    world.tables.put_item().table_name(TABLE).set_item(Some(row)).send().await.expect("written");
    world.pay_silently("HERE_2").await;
    let callback = world.sandbox.build_callback("HERE_2", CallbackKind::Payment);
    world.sandbox.send(&callback).await.expect("an answer");
    assert_eq!(world.order("HERE_2").await["trade_state"], "NOTPAY");
    assert_eq!(world.incident_of("second_payment", "HERE_2").await["actual"], "HERE_1");
    world.pay("THERE_1").await;
    assert_eq!(world.order("THERE_1").await["trade_state"], "SUCCESS", "another site's is another payment");
    let by_number = json!({ "action": "pay/queryPayment", "data": { "transaction_id": "20261129000001" } });
    assert_eq!(world.call("query-payment", by_number).await.1["out_trade_no"], "HERE_1");
}
