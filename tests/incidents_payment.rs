//! One payment is one incident, whoever tells of it and under whichever name; and it is credited or goes back, never
//! both.

use crate::world::{TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{CallbackKind, Mode, Pay, Provider};
use serde_json::{Value, json};
use shared::crypto::{aes, hash};
use shared::domain::Payment;
use shared::payments::{Confirmed, Source, confirm};

async fn waiting(mode: Mode) -> World {
    World::with(mode, |config| {
        config["policy"] = json!({ "latePayment": "wait", "duplicatePayment": "wait" });
    })
    .await
}

/// An order that was closed and then paid; the incident of it.
async fn late(world: &World, no: &str) -> Value {
    world.create(no, json!({})).await;
    close(world, no).await;
    world.sandbox.pay(no, Pay { force: true, ..Pay::default() }).await.expect("paid");
    world.incident_of("late_payment", no).await
}

async fn close(world: &World, no: &str) {
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
}

async fn resolve(world: &World, id: &Value, action: &str) -> (u16, Value) {
    let data = json!({ "incident_id": id, "action": action });
    world.call("refund", json!({ "action": "pay/resolveIncident", "data": data })).await
}

/// The payment of an incident, as it is kept.
async fn payment_of(world: &World, incident: &Value) -> Payment {
    let store = &world.app.as_ref().unwrap().store;
    let recorded = store.incident(incident["incident_id"].as_str().unwrap()).await.unwrap().expect("an incident");
    recorded.incident.payment.expect("a payment")
}

/// The same is told of again.
async fn told(world: &World, payment: &Payment, source: Source) -> Confirmed {
    let app = world.app.as_ref().unwrap();
    confirm(&app.context(app.config().await), payment, source).await.expect("an outcome")
}

async fn set(world: &World, no: &str, sk: &str, name: &str, value: &str) {
    let update = world.tables.update_item().table_name(TABLE);
    let update = update.key("pk", Av::S(format!("O#{no}"))).key("sk", Av::S(sk.to_owned()));
    let update = update.update_expression("SET #n = :v").expression_attribute_names("#n", name);
    update.expression_attribute_values(":v", Av::S(value.to_owned())).send().await.expect("written");
}

#[tokio::test]
async fn two_names_of_one_virtual_payment_are_one_incident_and_it_is_not_credited_by_one_after_going_back_by_the_other()
{
    let world = waiting(Mode::default()).await;
    let no = "VIRTUAL_TWO_NAMES";
    let coins = json!({ "code": "login", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } });
    let mut data = json!({ "provider": "wxpay-virtual", "vk_platform": null });
    crate::world::merge(&mut data, coins);
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    close(&world, no).await;
    let how = Pay { merchant: Some("shop".to_owned()), force: true, ..Pay::default() };
    world.sandbox.client_pay(Provider::WxpayVirtual, &created["orderInfo"], how).await.expect("paid");
    let incident = world.incident_of("late_payment", no).await;
    let pushed = payment_of(&world, &incident).await;
    // The query names the store's own number, and the amount.
    let queried = Payment {
        transaction_id: "STORE-ORDER-1".to_owned(),
        total: Some(shared::domain::Fen(100)),
        info: json!({ "status": 2 }),
        ..pushed.clone()
    };
    assert!(matches!(told(&world, &queried, Source::Query).await, Confirmed::Incident { new: false, .. }));
    let all = world.kind("incident").await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["said"][0]["transaction_id"], "STORE-ORDER-1", "what else was said stands on it");
    let said = all[0]["said"].clone();
    told(&world, &queried, Source::Query).await;
    assert_eq!(world.kind("incident").await[0]["said"], said, "and the same words once");
    let (status, reply) = resolve(&world, &incident["incident_id"], "accept").await;
    assert_eq!((status, &reply["status"]), (200, &json!("resolved")), "{reply}");
    assert_eq!(world.order(no).await["trade_state"], "SUCCESS");
    assert_eq!(resolve(&world, &incident["incident_id"], "refund").await.0, 409);
}

#[tokio::test]
async fn a_payment_that_goes_back_is_credited_to_nobody_even_where_its_order_appears_later() {
    let world = waiting(Mode::default()).await;
    let incident = late(&world, "BACK_FIRST").await;
    let payment = payment_of(&world, &incident).await;
    assert_eq!(resolve(&world, &incident["incident_id"], "refund").await.0, 200);
    // Somebody mends the table by hand: the order is unpaid again, and the provider tells once more.
    set(&world, "BACK_FIRST", "O", "trade_state", "NOTPAY").await;
    assert!(matches!(told(&world, &payment, Source::Callback).await, Confirmed::Incident { new: false, .. }));
    assert_eq!(world.order("BACK_FIRST").await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0, "refunded or delivered, never both");
}

#[tokio::test]
async fn another_mismatch_of_the_same_payment_is_added_to_its_incident() {
    let world = World::start().await;
    world.create("TWO_FAULTS", json!({})).await;
    world.sandbox.pay("TWO_FAULTS", Pay { amount: Some(1), ..Pay::default() }).await.expect("paid");
    let incident = world.incident_of("amount_mismatch", "TWO_FAULTS").await;
    let payment = payment_of(&world, &incident).await;
    told(
        &world,
        &Payment { app_id: Some("wx-another".into()), total: Some(shared::domain::Fen(100)), ..payment.clone() },
        Source::Query,
    )
    .await;
    told(&world, &Payment { total: Some(shared::domain::Fen(2)), ..payment }, Source::Query).await;
    let all = world.kind("incident").await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!((&all[0]["said"][0]["incident"], &all[0]["said"][1]["actual"]), (&json!("app_mismatch"), &json!(2)));
    assert_eq!(resolve(&world, &all[0]["incident_id"], "refund").await.0, 200);
    assert_eq!(world.sandbox.refunds().len(), 1);
}

#[tokio::test]
async fn a_refund_in_the_console_of_a_payment_that_waits_ends_its_incident_and_is_never_an_error() {
    let world = waiting(Mode::default()).await;
    let incident = late(&world, "CONSOLE_ALL").await;
    world.console_refund("CONSOLE_ALL", 100).await;
    let callback = world.sandbox.build_callback("CONSOLE_ALL_CONSOLE", CallbackKind::Refund);
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    let known = world.incident_of("late_payment", "CONSOLE_ALL").await;
    assert_eq!((&known["status"], &known["resolved_by"]), (&json!("resolved"), &json!("wxpay")), "{known}");
    assert_eq!((&known["action"], &known["returned_fee"]), (&json!("refund"), &json!(100)));
    assert_eq!(world.kind("incident").await.len(), 1, "no second one of the refund");
    for action in ["accept", "refund", "close"] {
        assert_eq!(resolve(&world, &incident["incident_id"], action).await.0, 409);
    }
    let order = world.order("CONSOLE_ALL").await;
    assert_eq!((&order["trade_state"], &order["refund_fee"]), (&json!("CLOSED"), &json!(0)));

    let incident = late(&world, "CONSOLE_40").await;
    world.console_refund("CONSOLE_40", 40).await;
    let callback = world.sandbox.build_callback("CONSOLE_40_CONSOLE", CallbackKind::Refund);
    for _ in 0..2 {
        assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    }
    let known = world.incident_of("late_payment", "CONSOLE_40").await;
    assert_eq!((&known["status"], &known["returned_fee"]), (&json!("open"), &json!(40)), "60 are still there");
    let (status, reply) = resolve(&world, &incident["incident_id"], "refund").await;
    assert_eq!(status, 200, "{reply}");
    let sent = world.sandbox.refunds().into_iter().find(|r| r.out_refund_no == "CONSOLE_40X1").expect("a refund");
    assert_eq!(sent.amount, 60, "what is left of it");
}

#[tokio::test]
async fn a_payment_that_the_provider_has_given_back_is_neither_delivered_nor_sent_back_again() {
    // Its callback is lost, so only asking tells.
    for (provider, expected) in [("wxpay", "open"), ("alipay", "resolved")] {
        for action in ["accept", "refund"] {
            let world = waiting(Mode::default()).await;
            let no = format!("GIVEN_BACK_{action}");
            world.create(&no, json!({ "provider": provider })).await;
            close(&world, &no).await;
            world.sandbox.pay(&no, Pay { force: true, ..Pay::default() }).await.expect("paid");
            let incident = world.incident_of("late_payment", &no).await;
            world.sandbox.give_back(None, &no, 100).expect("given back");
            let (status, reply) = resolve(&world, &incident["incident_id"], action).await;
            let known = world.incident_of("late_payment", &no).await;
            assert_eq!(known["status"], expected, "{provider} {action}: {status} {reply}");
            let fits = if provider == "alipay" && action == "refund" { 200 } else { 409 };
            assert_eq!(status, fits, "{provider} {action}: {reply}");
            assert_eq!(world.order(&no).await["trade_state"], "CLOSED");
            assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
            assert_eq!(world.sandbox.refunds().len(), 1, "only the provider's own");
            assert_eq!(known["action"], if expected == "resolved" { json!("refund") } else { Value::Null });
        }
    }
}

#[tokio::test]
async fn a_provider_that_does_not_tell_how_a_payment_stands_leaves_its_incident_undecided() {
    let world = waiting(Mode::default()).await;
    let incident = late(&world, "NOT_TOLD").await;
    for action in ["accept", "refund"] {
        world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Query, sandbox::Misbehaviour::Http5xx));
        let (status, reply) = resolve(&world, &incident["incident_id"], action).await;
        assert_eq!(status, 504, "{action}: {reply}");
        let known = world.incident_of("late_payment", "NOT_TOLD").await;
        assert_eq!((&known["status"], &known["action"]), (&json!("open"), &Value::Null), "{action}");
    }
    assert_eq!(resolve(&world, &incident["incident_id"], "accept").await.0, 200);
}

#[tokio::test]
async fn a_late_payment_that_the_policy_accepts_leaves_its_resolved_incident() {
    let world = World::with(Mode::default(), |c| c["policy"] = json!({ "latePayment": "accept" })).await;
    let incident = late(&world, "BY_POLICY").await;
    assert_eq!(
        (&incident["status"], &incident["action"], &incident["resolved_by"]),
        (&json!("resolved"), &json!("accept"), &json!("policy"))
    );
    let order = world.order("BY_POLICY").await;
    assert_eq!((&order["trade_state"], &order["transaction_id"]), (&json!("SUCCESS"), &incident["transaction_id"]));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
    assert_eq!(world.kind("incident").await.len(), 1);
}

#[tokio::test]
async fn a_policy_that_accepts_ends_the_incident_that_had_waited_and_leaves_one_that_was_closed_by_hand() {
    let world = waiting(Mode::default()).await;
    let waited = late(&world, "WAITED_1").await;
    let closed = late(&world, "CLOSED_BY_HAND").await;
    assert_eq!(resolve(&world, &closed["incident_id"], "close").await.0, 200);
    let mut config = world.config.clone();
    config["policy"] = json!({ "latePayment": "accept" });
    let app = world.app.as_ref().unwrap();
    let parsed = shared::config::Config::parse(&config.to_string(), std::path::Path::new(""));
    let accepting = std::sync::Arc::new(parsed.expect("a configuration").0);
    for (incident, credited) in [(&waited, true), (&closed, false)] {
        let payment = payment_of(&world, incident).await;
        let outcome = confirm(&app.context(accepting.clone()), &payment, Source::Callback).await.expect("an outcome");
        assert_eq!(outcome == Confirmed::Credited, credited, "{outcome:?}");
    }
    assert_eq!(world.incident_of("late_payment", "WAITED_1").await["action"], "accept");
    assert_eq!(world.order("CLOSED_BY_HAND").await["trade_state"], "CLOSED", "what an operator has closed stays so");
}

#[tokio::test]
async fn a_signed_success_of_a_refund_that_is_held_as_refused_is_an_incident() {
    for state in ["REFUSED", "CLOSED"] {
        let world = World::start().await;
        let no = format!("CONTRA_{state}");
        world.create(&no, json!({})).await;
        world.pay(&no).await;
        let number = format!("{no}_R");
        let (status, _) =
            world.call("refund", json!({ "out_trade_no": no, "out_refund_no": number, "refund_fee": 60 })).await;
        assert_eq!(status, 200);
        // The provider takes a refund first and pays it back later.
        world.until(|order| order["refund_fee"] == 60, &no).await;
        let callback = world.sandbox.build_callback(&number, CallbackKind::Refund);
        assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
        assert!(world.kind("incident").await.is_empty(), "what both say is nothing");
        set(&world, &no, &format!("R#{number}"), "state", state).await;
        for _ in 0..2 {
            assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
        }
        let all = world.kind("incident").await;
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((&all[0]["incident"], &all[0]["out_refund_no"]), (&json!("refund_mismatch"), &json!(number)));
        assert_eq!((&all[0]["expected"], &all[0]["actual"]), (&json!(state), &json!("SUCCESS")));
    }
}

/// A refund callback of APIv2 with the merchant's own key.
async fn sealed(world: &World, fields: &[(&str, &str)]) -> u16 {
    let mut info = String::from("<root>");
    for (name, value) in fields {
        info.push_str(&format!("<{name}><![CDATA[{value}]]></{name}>"));
    }
    info.push_str("</root>");
    let key = hash::md5_hex(world.keys.wechat.v2_key.as_bytes());
    let sealed = aes::encrypt(aes::Mode::Aes256Ecb, &key, info.as_bytes()).expect("sealed");
    let body = format!(
        "<xml><return_code>SUCCESS</return_code><mch_id>{}</mch_id><nonce_str>n</nonce_str><req_info><![CDATA[{sealed}]]></req_info></xml>",
        world.keys.wechat.mchid
    );
    let url = format!("{}/notify/refund-notify/wxpay/default", world.base);
    let sent = reqwest::Client::new().post(url).header("content-type", "text/xml").body(body).send().await;
    sent.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_v2_refund_that_is_not_known_is_asked_about_before_it_counts_and_a_misfit_is_never_a_5xx() {
    let world = waiting(Mode { wxpay_version: 2, ..Mode::default() }).await;
    world.create("V2_PAID", json!({})).await;
    world.pay("V2_PAID").await;
    let id = world.order("V2_PAID").await["transaction_id"].as_str().unwrap().to_owned();
    let refund = |no: &'static str, number: &'static str, id: &str| {
        vec![
            ("out_trade_no", no.to_owned()),
            ("out_refund_no", number.to_owned()),
            ("transaction_id", id.to_owned()),
            ("refund_id", "5000000001".to_owned()),
            ("refund_fee", "40".to_owned()),
            ("total_fee", "100".to_owned()),
            ("refund_status", "SUCCESS".to_owned()),
        ]
    };
    let send = async |fields: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
        sealed(&world, &fields).await
    };
    // The provider has no such refund.
    assert_eq!(send(refund("V2_PAID", "MADE_UP_1", &id)).await, 200);
    let order = world.order("V2_PAID").await;
    assert_eq!((&order["refund_fee"], &order["trade_state"]), (&json!(0), &json!("SUCCESS")), "it does not count");
    assert_eq!(world.incident_of("refund_mismatch", "V2_PAID").await["out_refund_no"], "MADE_UP_1");
    // Another payment than the order's.
    assert_eq!(send(refund("V2_PAID", "MADE_UP_2", "4200000000000000000000000000")).await, 200);
    assert_eq!(world.order("V2_PAID").await["refund_fee"], 0);
    // An order that was never paid.
    world.create("V2_OPEN", json!({})).await;
    assert_eq!(send(refund("V2_OPEN", "MADE_UP_3", &id)).await, 200);
    assert_eq!(world.order("V2_OPEN").await["trade_state"], "NOTPAY");
    assert_eq!(world.incident_of("refund_mismatch", "V2_OPEN").await["expected"], "NOTPAY");
    // A payment that waits, and a refund that its provider does not have.
    let incident = late(&world, "V2_LATE").await;
    let own = incident["transaction_id"].as_str().unwrap();
    assert_eq!(send(refund("V2_LATE", "MADE_UP_4", own)).await, 200);
    let known = world.incident_of("late_payment", "V2_LATE").await;
    assert_eq!((&known["status"], &known["returned_fee"]), (&json!("open"), &Value::Null));
    // One that the provider has.
    let number = world.sandbox.give_back(None, "V2_PAID", 40).expect("given back");
    let mut genuine = refund("V2_PAID", "", &id);
    genuine[1].1 = number;
    assert_eq!(send(genuine).await, 200);
    assert_eq!(world.order("V2_PAID").await["refund_fee"], 40);
}
