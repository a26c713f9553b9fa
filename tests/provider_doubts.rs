//! What is not told is not "unpaid", and one word is no proof while another denies it.

use crate::world::World;
use sandbox::{
    CallbackKind, DouyinProduct, Epay, Fault, Forgery, Misbehaviour, Mode, Op, Pay, Provider, SignedRequest,
};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;

/// A way to pay at a provider that closes nothing.
pub struct Way {
    pub name: &'static str,
    pub provider: Provider,
    pub mode: Mode,
    pub data: Value,
}

/// All of them that can be asked.
pub fn ways() -> Vec<Way> {
    let usual = Mode::default();
    let coins = json!({ "code": "login", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } });
    let way = |name, provider, mode, data| Way { name, provider, mode, data };
    vec![
        way("vkspay", Provider::Vkspay, usual, json!({})),
        way("epay md5", Provider::Vkspay, Mode { epay: Epay::Md5, ..usual }, json!({})),
        way("epay rsa", Provider::Vkspay, Mode { epay: Epay::Rsa, ..usual }, json!({})),
        way("virtual", Provider::WxpayVirtual, usual, coins),
        way("ecpay", Provider::Douyin, usual, json!({})),
        way("trade", Provider::Douyin, Mode { douyin: DouyinProduct::Trade, ..usual }, json!({})),
        way("huawei", Provider::Huawei, usual, json!({ "vk_platform": "mp-harmony" })),
    ]
}

/// One of them by its name.
fn named(name: &str) -> Way {
    ways().into_iter().find(|way| way.name == name).expect("a way of that name")
}

pub const NO: &str = "DOUBT_2026_0001";

/// An order by a way, and what its client got.
pub async fn begun(way: &Way) -> (World, Value) {
    let world = World::with(way.mode, |_| {}).await;
    let mut data = json!({ "provider": way.provider.name(), "vk_platform": null });
    crate::world::merge(&mut data, way.data.clone());
    let (status, made) = world.create(NO, data).await;
    assert_eq!(status, 200, "{}: {made}", way.name);
    (world, made)
}

/// The payer pays, and nobody tells.
pub async fn pay_silently(world: &World, way: &Way, made: &Value) {
    let how = Pay { merchant: Some("shop".to_owned()), notify: false, ..Pay::default() };
    let paid = world.sandbox.client_pay(way.provider, &made["orderInfo"], how).await;
    paid.unwrap_or_else(|error| panic!("{}: {error}", way.name));
}

pub async fn close(world: &World) -> (u16, Value) {
    world.call("create-payment", json!({ "action": "pay/closePayment", "data": { "out_trade_no": NO } })).await
}

async fn query(world: &World) -> Value {
    world.call("query-payment", json!({ "action": "pay/queryPayment", "data": { "out_trade_no": NO } })).await.1
}

async fn notice(world: &World) -> SignedRequest {
    let order = world.order(NO).await;
    let attempt = &order["attempts"][0];
    let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number");
    world.sandbox.build_callback(number, CallbackKind::Payment)
}

async fn unconfirmed(world: &World) -> usize {
    world.kind("incident").await.iter().filter(|i| i["incident"] == "unconfirmed_notice").count()
}

async fn epay_md5() -> (World, Value, Way) {
    let way = named("epay md5");
    let (world, made) = begun(&way).await;
    (world, made, way)
}

async fn virtual_plain() -> (World, Value, Way) {
    let mut way = named("virtual");
    way.mode.virtual_plain = true;
    let (world, made) = begun(&way).await;
    (world, made, way)
}

#[tokio::test]
async fn e13_an_order_whose_query_is_refused_is_not_closed() {
    for what in [Misbehaviour::Refuse, Misbehaviour::Garbage, Misbehaviour::TooMany] {
        for way in ways() {
            let (world, made) = begun(&way).await;
            pay_silently(&world, &way, &made).await;
            world.sandbox.misbehave(Fault::new(Op::Query, what));
            let (status, answer) = close(&world).await;
            assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{} {what:?}: {answer}", way.name);
            assert_eq!(world.order(NO).await["trade_state"], "NOTPAY", "{} {what:?}", way.name);
            world.sandbox.behave();
            assert_eq!(close(&world).await.0, 409, "{}: it turns out to be paid", way.name);
            assert_eq!(world.order(NO).await["trade_state"], "SUCCESS", "{}", way.name);
            assert!(world.kind("incident").await.is_empty(), "{}: and nothing goes back", way.name);
        }
    }
}

#[tokio::test]
async fn e3c_an_order_whose_query_is_refused_when_its_time_is_over_stays_open_and_due() {
    for way in ways() {
        let (world, made) = begun(&way).await;
        pay_silently(&world, &way, &made).await;
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
        for minutes in [121, 200, 3_000] {
            let run = world.reconcile(minutes * MINUTE).await;
            let order = world.order(NO).await;
            assert_eq!((&run["closed"], &order["trade_state"]), (&json!(0), &json!("NOTPAY")), "{}: {run}", way.name);
            assert!(order["due_shard"].is_string(), "{}: it is asked about again", way.name);
        }
        world.sandbox.behave();
        assert_eq!(world.reconcile(5_000 * MINUTE).await["credited"], 1, "{}", way.name);
    }
}

#[tokio::test]
async fn e3_v1_a_signed_notice_whose_query_is_refused_comes_again_and_the_third_is_an_incident() {
    for (world, made, way) in [epay_md5().await, virtual_plain().await] {
        pay_silently(&world, &way, &made).await;
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
        let notice = notice(&world).await;
        for (time, incidents) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
            let (status, body) = world.sandbox.send(&notice).await.expect("an answer");
            assert_eq!(status, 500, "{} {time}: {body}", way.name);
            assert!(!body.contains("success"), "{} {time}: {body}", way.name);
            assert_eq!(unconfirmed(&world).await, incidents, "{} {time}", way.name);
            tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        }
        let incident = world.kind("incident").await.remove(0);
        assert_eq!((&incident["out_trade_no"], &incident["status"]), (&json!(NO), &json!("open")));
        assert_eq!(world.order(NO).await["trade_state"], "NOTPAY", "{}", way.name);
        world.sandbox.behave();
        assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 200, "{}", way.name);
        assert_eq!(world.order(NO).await["trade_state"], "SUCCESS", "{}", way.name);
        let incident = world.incident_of("unconfirmed_notice", NO).await;
        let ended = (&incident["status"], &incident["resolved_by"], &incident["note"]);
        let wanted = (&json!("resolved"), &json!(way.provider.name()), &json!("the payment is credited"));
        assert_eq!(ended, wanted, "{}", way.name);
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "{}", way.name);
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 200, "a repeat of what is credited");
    }
}

#[tokio::test]
async fn an_unconfirmed_notice_ends_when_it_is_known_what_became_of_its_payment() {
    for (by, paid, note) in [
        ("query", 100, "the payment is credited"),
        ("schedule", 100, "the payment is credited"),
        ("query", 1, "the payment has its own incident: amount_mismatch"),
    ] {
        let (world, made, way) = epay_md5().await;
        pay_silently(&world, &way, &made).await;
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
        let notice = notice(&world).await;
        for _ in 0..3 {
            assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 500);
            tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        }
        assert_eq!(world.incident_of("unconfirmed_notice", NO).await["status"], "open");
        world.sandbox.behave();
        world.sandbox.alter(way.provider, NO, |trade| trade.paid_amount = Some(paid)).expect("a trade");
        match by {
            "query" => drop(query(&world).await),
            _ => drop(world.reconcile(MINUTE).await),
        }
        assert_eq!(world.order(NO).await["trade_state"], if paid == 100 { "SUCCESS" } else { "NOTPAY" }, "{by}");
        let incident = world.incident_of("unconfirmed_notice", NO).await;
        assert_eq!((&incident["status"], &incident["note"]), (&json!("resolved"), &json!(note)), "{by}");
        assert_eq!(unconfirmed(&world).await, 1);
        let told = world.items(crate::world::TABLE).await;
        let told = told.iter().filter(|item| item["event"] == "incident resolved").count();
        assert_eq!(told, 1, "{by}: the order's history says so");
    }
}

#[tokio::test]
async fn e3_a_signed_notice_that_the_answer_denies_is_answered_with_an_error() {
    for what in [Misbehaviour::Contradict, Misbehaviour::Paying] {
        let (world, made, way) = epay_md5().await;
        pay_silently(&world, &way, &made).await;
        world.sandbox.misbehave(Fault::new(Op::Query, what));
        let notice = notice(&world).await;
        assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 500, "{what:?}");
        assert_eq!(world.order(NO).await["trade_state"], "NOTPAY", "{what:?}");
    }
}

#[tokio::test]
async fn e3_notices_that_nobody_signed_are_not_counted() {
    let (world, made, way) = epay_md5().await;
    pay_silently(&world, &way, &made).await;
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
    let forged = world.sandbox.forge(notice(&world).await, Forgery::OtherKey);
    for _ in 0..4 {
        assert_eq!(world.sandbox.send(&forged).await.expect("an answer").0, 400);
    }
    assert!(world.kind("unconfirmed").await.is_empty(), "and nothing is written for them");
    // VksPay's own notices are not signed: they come again, and call nobody.
    let way = named("vkspay");
    let (world, made) = begun(&way).await;
    pay_silently(&world, &way, &made).await;
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
    let notice = notice(&world).await;
    for _ in 0..4 {
        assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 500);
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    }
    assert!(world.kind("unconfirmed").await.is_empty() && world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn many_unsigned_notices_of_an_unpaid_order_at_once_ring_no_alarm() {
    let way = named("vkspay");
    let (world, made) = begun(&way).await;
    pay_silently(&world, &way, &made).await;
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Paying));
    let notice = notice(&world).await;
    let sent = (0..24).map(|_| world.sandbox.send(&notice));
    for answer in futures::future::join_all(sent).await {
        assert_eq!(answer.expect("an answer").0, 200, "an error would be counted by the alarm of failed callbacks");
    }
}

#[tokio::test]
async fn a_signed_notice_of_a_number_that_nobody_knows_is_an_incident() {
    let (world, made, way) = epay_md5().await;
    pay_silently(&world, &way, &made).await;
    let notice = notice(&world).await;
    let key = [("pk", format!("O#{NO}")), ("sk", "O".to_owned())];
    let key = key.map(|(k, v)| (k.to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(v))).into();
    world.tables.delete_item().table_name(crate::world::TABLE).set_key(Some(key)).send().await.expect("gone");
    assert_eq!(world.sandbox.send(&notice).await.expect("an answer").0, 200);
    let incident = world.kind("incident").await.remove(0);
    assert_eq!((&incident["incident"], &incident["out_trade_no"]), (&json!("unknown_order"), &json!(NO)));
}

#[tokio::test]
async fn e15_an_answer_that_contradicts_itself_neither_credits_nor_closes() {
    for way in ways().into_iter().filter(|way| way.name != "huawei") {
        let (world, made) = begun(&way).await;
        if way.name == "trade" || way.name == "virtual" {
            // Before the client has begun there is no order to contradict.
            let how = Pay { merchant: Some("shop".to_owned()), notify: false, ..Pay::default() };
            world.sandbox.client_pay(way.provider, &made["orderInfo"], how).await.expect("paid");
        }
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Contradict));
        let seen = query(&world).await;
        assert_eq!(seen["trade_state"], "NOTPAY", "{}: {seen}", way.name);
        assert_eq!(close(&world).await.0, 504, "{}", way.name);
        world.reconcile(121 * MINUTE).await;
        assert_eq!(world.order(NO).await["trade_state"], "NOTPAY", "{}", way.name);
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0, "{}", way.name);
    }
}

#[tokio::test]
async fn e11_an_answer_whose_fields_stand_in_data_is_read() {
    let (world, made, way) = epay_md5().await;
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Nest));
    assert_eq!(query(&world).await["trade_state"], "NOTPAY");
    pay_silently(&world, &way, &made).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    let (status, body) = world.sandbox.send(&notice(&world).await).await.expect("an answer");
    assert_eq!((status, body.as_str()), (200, "success"));
    assert_eq!(world.order(NO).await["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn an_order_is_not_closed_while_its_payer_is_paying() {
    for way in ways().into_iter().filter(|way| way.provider == Provider::Vkspay) {
        let (world, _) = begun(&way).await;
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Paying));
        let (status, answer) = close(&world).await;
        assert_eq!((status, &answer["code"]), (409, &json!(2022)), "{}: {answer}", way.name);
        let run = world.reconcile(121 * MINUTE).await;
        assert_eq!((&run["closed"], &run["errors"]), (&json!(0), &json!(0)), "{}: {run}", way.name);
        assert_eq!(world.order(NO).await["trade_state"], "NOTPAY", "{}: its end waits", way.name);
        world.sandbox.behave();
        assert_eq!(world.reconcile(125 * MINUTE).await["closed"], 1, "{}", way.name);
    }
}

#[tokio::test]
async fn an_unpaid_order_is_closed_by_the_words_that_the_configuration_knows() {
    for (words, status) in [(json!([]), 504), (json!(["签名错误"]), 200)] {
        let world = World::with(Mode::default(), |c| c["vkspay"]["unpaidMessages"] = words.clone()).await;
        world.create(NO, json!({ "provider": "vkspay" })).await;
        world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Refuse));
        assert_eq!(close(&world).await.0, status, "{words}");
    }
}
