//! Orders: idempotency, attempts, closing, paying late or twice, and what does not fit.

use crate::world::{KEY, World};
use futures::future::join_all;
use sandbox::{CallbackKind, Endpoint, Fault, Misbehaviour, Mode, Op, Pay};
use serde_json::{Value, json};

#[tokio::test]
async fn another_content_under_the_same_number_is_a_conflict() {
    let world = World::start().await;
    assert_eq!(world.create("CONFLICT_1", json!({})).await.0, 200);
    for other in [
        json!({ "total_fee": 101 }),
        json!({ "type": "custom" }),
        json!({ "user_id": "somebody" }),
        json!({ "custom": { "user_id": "user_002" } }),
    ] {
        let (status, answer) = world.create("CONFLICT_1", other.clone()).await;
        assert_eq!(status, 409, "{other} -> {answer}");
    }
    assert_eq!(world.order("CONFLICT_1").await["total_fee"], 100);
}

#[tokio::test]
async fn two_creations_at_once_end_as_one_order() {
    let world = World::start().await;
    let answers = join_all((0..8).map(|_| world.create("AT_ONCE_1", json!({})))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    assert_eq!(world.sandbox.trades().len(), 1);
    assert_eq!(world.kind("order").await.len(), 1);
}

#[tokio::test]
async fn paying_on_another_way_closes_the_first_and_keeps_it_on_record() {
    let world = World::start().await;
    world.create("SWITCH_1", json!({ "vk_platform": "h5" })).await;
    let (status, app) = world.create("SWITCH_1", json!({ "vk_platform": "app-plus" })).await;
    assert_eq!(status, 200, "{app}");
    let (status, alipay) = world.create("SWITCH_1", json!({ "provider": "alipay" })).await;
    assert_eq!(status, 200, "{alipay}");
    let order = world.order("SWITCH_1").await;
    let states: Vec<&Value> = order["attempts"].as_array().unwrap().iter().map(|a| &a["state"]).collect();
    assert_eq!(states, ["closed", "closed", "open"]);
    assert_eq!(order["provider"], "alipay");
    let closed = world.sandbox.trades().iter().filter(|t| format!("{:?}", t.state).contains("Closed")).count();
    assert_eq!(closed, 2, "the earlier attempts are closed at the provider");
    world.pay("SWITCH_1").await;
    assert_eq!(world.order("SWITCH_1").await["provider"], "alipay");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn a_second_attempt_at_the_same_provider_is_credited_by_its_own_number() {
    let world = World::start().await;
    for no in ["SECOND_1", "A_NUMBER_OF_EXACTLY_32_CHARACTER"] {
        world.create(no, json!({ "vk_platform": "h5" })).await;
        let (status, made) = world.create(no, json!({ "vk_platform": "app-plus" })).await;
        assert_eq!(status, 200, "{made}");
        let number = world.order(no).await["attempts"][1]["number"].as_str().unwrap().to_owned();
        assert_ne!(number, no);
        world.sandbox.pay(&number, Pay::default()).await.expect("paid");
        world.until(|order| order["trade_state"] == "SUCCESS", no).await;
    }
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn fresh_parameters_are_given_when_the_old_ones_cannot_be_had() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Create), times: Some(1), what: Misbehaviour::Garbage });
    let (status, answer) = world.create("UNKNOWN_1", json!({})).await;
    assert_eq!(status, 504, "an answer that cannot be verified is an unknown outcome: {answer}");
    assert_eq!(world.order("UNKNOWN_1").await["trade_state"], "NOTPAY");
    let (status, answer) = world.create("UNKNOWN_1", json!({})).await;
    assert_eq!(status, 200, "the same again is the same order: {answer}");
    assert_eq!(world.sandbox.trades().len(), 1);
}

#[tokio::test]
async fn a_lost_callback_is_found_by_asking() {
    let world = World::start().await;
    for (no, data) in [("LOST_1", json!({})), ("LOST_2", json!({ "provider": "alipay" }))] {
        world.create(no, data).await;
        world.pay_silently(no).await;
        let (status, paid) = world.call("query-payment", json!({ "out_trade_no": no, "pay_order_info": true })).await;
        assert_eq!((status, &paid["trade_state"]), (200, &json!("SUCCESS")), "{paid}");
        assert_eq!(paid["user_order_success"], true);
        assert_eq!(paid["payOrder"]["notify_mode"], 0);
        let id = paid["transaction_id"].clone();
        let (_, again) = world.call("query-payment", json!({ "transaction_id": id })).await;
        assert_eq!(again["out_trade_no"], no);
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
}

#[tokio::test]
async fn a_provider_is_asked_at_most_once_in_a_second_for_one_order() {
    let world = World::start().await;
    world.create("POLLED_1", json!({})).await;
    let before = world.sandbox.requests().len();
    join_all((0..10).map(|_| world.call("query-payment", json!({ "out_trade_no": "POLLED_1" })))).await;
    assert_eq!(world.sandbox.requests().len() - before, 1);
}

#[tokio::test]
async fn closing_closes_at_the_provider_first_and_again_is_a_success() {
    let world = World::start().await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "CLOSE_1" } });
    world.create("CLOSE_1", json!({})).await;
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Close), times: Some(1), what: Misbehaviour::Http5xx });
    assert_eq!(world.call("create-payment", close.clone()).await.0, 504);
    assert_eq!(world.order("CLOSE_1").await["trade_state"], "NOTPAY", "an unknown outcome closes nothing");
    for _ in 0..2 {
        let (status, answer) = world.call("create-payment", close.clone()).await;
        assert_eq!((status, &answer["trade_state"]), (200, &json!("CLOSED")), "{answer}");
    }
    assert!(world.sandbox.pay("CLOSE_1", Pay::default()).await.is_err(), "it cannot be paid any more");
    assert_eq!(world.create("CLOSE_1", json!({})).await.0, 409);
}

#[tokio::test]
async fn an_order_that_turns_out_to_be_paid_is_credited_instead_of_closed() {
    let world = World::start().await;
    world.create("CLOSE_2", json!({})).await;
    world.pay_silently("CLOSE_2").await;
    let (status, _) = world
        .call("create-payment", json!({ "action": "pay/closePayment", "data": { "out_trade_no": "CLOSE_2" } }))
        .await;
    assert_eq!(status, 409);
    assert_eq!(world.order("CLOSE_2").await["trade_state"], "SUCCESS");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn an_order_whose_earlier_attempt_turns_out_to_be_paid_is_credited_instead_of_closed() {
    let world = World::start().await;
    world.create("CLOSE_3", json!({ "provider": "alipay" })).await;
    let (status, _) = world.create("CLOSE_3", json!({ "provider": "wxpay" })).await;
    assert_eq!(status, 200, "Alipay does not know the first attempt yet, so it stays open there");
    let how = Pay { provider: Some(sandbox::Provider::Alipay), notify: false, ..Pay::default() };
    world.sandbox.pay("CLOSE_3", how).await.expect("paid, and nobody tells");
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "CLOSE_3" } });
    assert_eq!(world.call("create-payment", close).await.0, 409);
    let order = world.order("CLOSE_3").await;
    assert_eq!((&order["trade_state"], &order["provider"]), (&json!("SUCCESS"), &json!("alipay")));
}

#[tokio::test]
async fn what_no_provider_could_close_is_looked_after_until_the_time_of_its_order_is_over() {
    for provider in ["alipay", "vkspay"] {
        let world = World::start().await;
        world.create("CLOSE_4", json!({ "provider": provider })).await;
        let number = world.sandbox.trades().pop().expect("a trade").number;
        let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "CLOSE_4" } });
        let (status, answer) = world.call("create-payment", close).await;
        assert_eq!((status, &answer["trade_state"]), (200, &json!("CLOSED")), "{answer}");
        world.pay_silently(&number).await;
        assert_eq!(world.reconcile(2 * 3_600_000 + 1_000).await["incidents"], 1, "{provider}");
        world.dispatch().await;
        assert_eq!(world.incident("late_payment").await["out_trade_no"], "CLOSE_4");
        assert_eq!(world.sandbox.refunds().len(), 1, "{provider}: it went back");
        assert_eq!(world.reconcile(9 * 3_600_000).await["asked"], 0, "{provider}: nothing is left to ask");
    }
}

#[tokio::test]
async fn an_order_is_not_closed_even_after_its_time_while_its_provider_does_not_tell() {
    let world = World::start().await;
    let ends = (time::OffsetDateTime::now_utc().unix_timestamp() + 3) * 1_000;
    let (status, made) = world.create("CLOSE_5", json!({ "provider": "vkspay", "time_expire": ends })).await;
    assert_eq!(status, 200, "{made}");
    world.pay_silently(&world.sandbox.trades().pop().expect("a trade").number).await;
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Query), times: None, what: Misbehaviour::Http5xx });
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "CLOSE_5" } });
    let (status, answer) = world.call("create-payment", close).await;
    assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{answer}");
    assert_eq!(world.order("CLOSE_5").await["trade_state"], "NOTPAY");
    world.sandbox.behave();
    assert_eq!(world.reconcile(10_000).await["credited"], 1, "it was paid in time, and is credited");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn a_payment_after_closing_is_an_incident_and_never_ignored() {
    let world = World::start().await;
    world.create("LATE_1", json!({})).await;
    world.call("create-payment", json!({ "action": "pay/closePayment", "data": { "out_trade_no": "LATE_1" } })).await;
    world.sandbox.pay("LATE_1", Pay { force: true, ..Pay::default() }).await.expect("paid");
    let incident = world.incident("late_payment").await;
    assert_eq!(incident["out_trade_no"], "LATE_1");
    assert_eq!(world.order("LATE_1").await["trade_state"], "CLOSED");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
}

#[tokio::test]
async fn a_late_payment_is_delivered_when_the_policy_accepts_it() {
    let world = World::with(Mode::default(), |c| c["policy"] = json!({ "latePayment": "accept" })).await;
    world.create("LATE_2", json!({})).await;
    world.call("create-payment", json!({ "action": "pay/closePayment", "data": { "out_trade_no": "LATE_2" } })).await;
    world.sandbox.pay("LATE_2", Pay { force: true, ..Pay::default() }).await.expect("paid");
    world.until(|order| order["trade_state"] == "SUCCESS", "LATE_2").await;
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn a_second_payment_of_a_paid_order_is_an_incident() {
    let world = World::start().await;
    world.create("TWICE_1", json!({ "provider": "alipay" })).await;
    let (status, _) = world.create("TWICE_1", json!({ "provider": "wxpay" })).await;
    assert_eq!(status, 200);
    world.sandbox.pay("TWICE_1", Pay { provider: Some(sandbox::Provider::Wxpay), ..Pay::default() }).await.unwrap();
    world.until(|order| order["trade_state"] == "SUCCESS", "TWICE_1").await;
    let how = Pay { provider: Some(sandbox::Provider::Alipay), force: true, ..Pay::default() };
    world.sandbox.pay("TWICE_1", how).await.expect("paid again");
    let incident = world.incident("second_payment").await;
    assert_eq!((&incident["provider"], &incident["status"]), (&json!("alipay"), &json!("open")));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "credited once");
}

#[tokio::test]
async fn a_wrong_amount_is_an_incident_and_never_credits() {
    let world = World::start().await;
    for (no, data) in [("AMOUNT_1", json!({})), ("AMOUNT_2", json!({ "provider": "alipay" }))] {
        world.create(no, data).await;
        world.sandbox.pay(no, Pay { amount: Some(1), ..Pay::default() }).await.expect("paid");
        let incident = world.incident_of("amount_mismatch", no).await;
        assert_eq!((&incident["expected"], &incident["actual"]), (&json!(100), &json!(1)));
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
}

#[tokio::test]
async fn eight_identical_callbacks_at_once_credit_once() {
    let world = World::start().await;
    for (no, data) in [("EIGHT_1", json!({})), ("EIGHT_2", json!({ "provider": "alipay" }))] {
        world.create(no, data).await;
        world.pay_silently(no).await;
        let callback = world.sandbox.build_callback(no, CallbackKind::Payment);
        let answers = join_all((0..8).map(|_| world.sandbox.send(&callback))).await;
        for answer in answers {
            let (status, body) = answer.expect("an answer");
            assert!(matches!((status, body.as_str()), (204, "") | (200, "success")), "{status} {body}");
        }
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
    assert_eq!(world.items("recharge_logs").await.len(), 2);
}

#[tokio::test]
async fn a_callback_for_an_order_that_nobody_knows_is_an_incident() {
    let world = World::start().await;
    world.create("GONE_12345", json!({})).await;
    world.pay_silently("GONE_12345").await;
    let key = [("pk", "O#GONE_12345"), ("sk", "O")];
    let key = key.map(|(k, v)| (k.to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(v.to_owned()))).into();
    world.tables.delete_item().table_name(crate::world::TABLE).set_key(Some(key)).send().await.unwrap();
    let (status, _) =
        world.sandbox.send(&world.sandbox.build_callback("GONE_12345", CallbackKind::Payment)).await.unwrap();
    assert!(status < 500);
    assert_eq!(world.incident("unknown_order").await["out_trade_no"], "GONE_12345");
}

#[tokio::test]
async fn orders_of_a_user_come_newest_first_page_by_page() {
    let world = World::start().await;
    for i in 0..5 {
        world.create(&format!("LISTED_{i}"), json!({ "user_id": "user_001" })).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    world.pay("LISTED_2").await;
    let list = |data: Value| world.call("query-payment", json!({ "action": "pay/queryOrders", "data": data }));
    let numbers = |page: &Value| -> Vec<String> {
        page["data"]["list"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["out_trade_no"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, first) = list(json!({ "user_id": "user_001", "pageSize": 2 })).await;
    assert_eq!(numbers(&first), ["LISTED_4", "LISTED_3"]);
    let (_, second) = list(json!({ "user_id": "user_001", "pageSize": 2, "cursor": first["cursor"] })).await;
    assert_eq!(numbers(&second), ["LISTED_2", "LISTED_1"]);
    let (_, paid) = list(json!({ "user_id": "user_001", "status": "SUCCESS" })).await;
    assert_eq!(numbers(&paid), ["LISTED_2"]);
    let (_, unpaid) = list(json!({ "user_id": "user_001", "status": 0, "type": "recharge" })).await;
    assert_eq!(numbers(&unpaid).len(), 4);
    for bad in [
        json!({}),
        json!({ "user_id": "u", "cursor": "zzzz" }),
        json!({ "user_id": "u", "cursor": shared::crypto::base64(br#"{"list_key":"user#u","pk":"","sk":"","list_date":1}"#) }),
        json!({ "user_id": "u", "status": 9 }),
        json!({ "user_id": "u", "pageSize": 0 }),
    ] {
        assert_eq!(list(bad.clone()).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_page_of_orders_goes_on_where_the_last_one_ended_whatever_came_meanwhile() {
    let world = World::start().await;
    let create = async |n: u32| {
        world.create(&format!("PAGED_{n}"), json!({ "user_id": "user_001" })).await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    };
    for n in 0..4 {
        create(n).await;
    }
    let page = async |cursor: &Value| {
        let data = json!({ "user_id": "user_001", "pageSize": 2, "status": "NOTPAY", "cursor": cursor });
        let (status, page) = world.call("query-payment", json!({ "url": "pay/queryOrders", "data": data })).await;
        assert_eq!(status, 200, "{page}");
        let list = page["list"].as_array().expect("a list").clone();
        (
            list.iter().map(|o| o["out_trade_no"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            page["cursor"].clone(),
        )
    };
    let (first, cursor) = page(&Value::Null).await;
    assert_eq!(first, ["PAGED_3", "PAGED_2"]);
    // What was on the first page leaves the set, and others join it.
    world.pay("PAGED_3").await;
    world.pay("PAGED_2").await;
    create(4).await;
    assert_eq!(page(&cursor).await.0, ["PAGED_1", "PAGED_0"]);
}

#[tokio::test]
async fn another_merchants_payment_never_pays_this_order() {
    let other = sandbox::MerchantKeys::generate("other");
    let world = World::with(Mode::default(), |config| {
        let base = config["wxpay"]["h5"]["apiBase"].as_str().unwrap().to_owned();
        config["merchants"] = json!({ "other": other.config(&base) });
    })
    .await;
    world.sandbox.register(&other);
    world.create("TENANT_A", json!({})).await;
    world.create("TENANT_B", json!({ "pid": "other" })).await;
    world.pay_silently("TENANT_B").await;
    let mut callback = world.sandbox.build_callback("TENANT_B", CallbackKind::Payment);
    callback.url = callback.url.replace("/wxpay/other", "/wxpay/default");
    let (status, _) = world.sandbox.send(&callback).await.unwrap();
    assert!((400..500).contains(&status), "another merchant's keys do not verify here: {status}");
    assert_eq!(world.order("TENANT_B").await["trade_state"], "NOTPAY");
    let (status, _) =
        world.sandbox.send(&world.sandbox.build_callback("TENANT_B", CallbackKind::Payment)).await.unwrap();
    assert_eq!(status, 204);
    assert_eq!(world.order("TENANT_A").await["trade_state"], "NOTPAY");
    let (status, _) =
        world.post(&format!("{}/query-payment", world.base), json!({ "out_trade_no": "TENANT_B" }), Some(KEY)).await;
    assert_eq!(status, 200);
}

impl World {
    /// Waits for the one incident of that name.
    pub async fn incident(&self, name: &str) -> Value {
        for _ in 0..100 {
            if let Some(found) = self.kind("incident").await.into_iter().find(|i| i["incident"] == name) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no incident {name}: {:?}", self.kind("incident").await);
    }

    /// Waits for the incident of that name of an order.
    pub async fn incident_of(&self, name: &str, no: &str) -> Value {
        for _ in 0..100 {
            let all = self.kind("incident").await;
            if let Some(found) = all.into_iter().find(|i| i["incident"] == name && i["out_trade_no"] == no) {
                return found;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no incident {name} of {no}");
    }
}

#[tokio::test]
async fn the_same_pay_code_again_is_the_same_attempt() {
    let world = World::start().await;
    for (provider, code) in [("wxpay", "130000000000000006"), ("alipay", "2800000000000000006")] {
        let no = format!("CODE_{provider}");
        let data = json!({ "provider": provider, "auth_code": code });
        for _ in 0..2 {
            let (status, made) = world.create(&no, data.clone()).await;
            assert_eq!((status, &made["pay_type"]), (200, &json!(format!("{provider}_codepay"))), "{made}");
        }
        assert_eq!(world.order(&no).await["attempts"].as_array().unwrap().len(), 1);
        let (_, paid) = world.call("query-payment", json!({ "out_trade_no": no, "await_notify": true })).await;
        assert_eq!(paid["trade_state"], "SUCCESS", "the payer has entered the password: {paid}");
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
}

#[tokio::test]
async fn a_pay_code_that_is_paid_at_once_is_credited_at_once() {
    let world = World::start().await;
    for (provider, code) in [("wxpay", "130000000000000001"), ("alipay", "2800000000000000001")] {
        let (status, made) =
            world.create(&format!("NOW_{provider}"), json!({ "provider": provider, "auth_code": code })).await;
        assert_eq!((status, &made["trade_state"]), (200, &json!("SUCCESS")), "{made}");
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
}

#[tokio::test]
async fn a_pay_code_that_is_refused_leaves_room_for_another() {
    let world = World::start().await;
    for (provider, bad, good) in [
        ("wxpay", "130000000000000008", "130000000000000001"),
        ("alipay", "2800000000000000008", "2800000000000000001"),
    ] {
        let no = format!("AGAIN_{provider}");
        assert_eq!(world.create(&no, json!({ "provider": provider, "auth_code": bad })).await.0, 422);
        let (status, made) = world.create(&no, json!({ "provider": provider, "auth_code": good })).await;
        assert_eq!((status, &made["trade_state"]), (200, &json!("SUCCESS")), "{made}");
    }
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 200);
}

#[tokio::test]
async fn custom_data_that_the_table_writes_otherwise_are_the_same_data() {
    let world = World::start().await;
    let custom = json!({ "user_id": "user_001", "a": -0.0, "b": 1.0, "c": [1e3, 0.1], "d": { "e": 1e44 } });
    for _ in 0..2 {
        let (status, made) = world.create("NUMBERS_1", json!({ "custom": custom })).await;
        assert_eq!(status, 200, "{made}");
    }
    let mut other = custom.clone();
    other["c"] = json!([1e3, 0.2]);
    assert_eq!(world.create("NUMBERS_1", json!({ "custom": other })).await.0, 409);
    assert_eq!(world.create("NUMBERS_2", json!({ "custom": { "": 1 } })).await.0, 400);
    assert_eq!(world.create("NUMBERS_3", json!({ "custom": { "a": [{ "": 1 }] } })).await.0, 400);
}

#[tokio::test]
async fn the_merchants_backend_may_say_for_whom_it_calls() {
    let world = World::start().await;
    let data = json!({ "vk_platform": "mweb", "client_ip": "203.0.113.7" });
    assert_eq!(world.create("BACKEND_1", data).await.0, 200);
    assert_eq!(world.order("BACKEND_1").await["client_ip"], "203.0.113.7");
}

#[tokio::test]
async fn a_handler_that_refused_runs_again_when_its_reason_is_mended() {
    let world = World::start().await;
    let rerun =
        |no: &str| world.call("query-payment", json!({ "action": "pay/rerunHandler", "data": { "out_trade_no": no } }));
    world.create("RERUN_1", json!({ "custom": { "user_id": "nobody_yet" } })).await;
    assert_eq!(rerun("RERUN_1").await.0, 409, "it is not paid");
    world.pay("RERUN_1").await;
    let order = world.order("RERUN_1").await;
    assert_eq!((&order["user_order_success"], &order["user_order_reason"]), (&json!(false), &json!("用户不存在")));
    let (status, again) = rerun("RERUN_1").await;
    assert_eq!((status, &again["user_order_success"]), (200, &json!(false)), "{again}");
    world.put("uni-id-users", "nobody_yet", json!({ "balance": 1 })).await;
    let (status, done) = rerun("RERUN_1").await;
    assert_eq!(
        (status, &done["user_order_success"], &done["user_order_reason"]),
        (200, &json!(true), &Value::Null),
        "{done}"
    );
    assert_eq!(world.row("uni-id-users", "nobody_yet").await["balance"], 101);
    assert_eq!(rerun("RERUN_1").await.0, 409, "and never twice");
    assert_eq!(world.row("uni-id-users", "nobody_yet").await["balance"], 101);
}

#[tokio::test]
async fn an_orders_history_is_one_list_wherever_its_lines_stand() {
    let world = World::start().await;
    world.create("LINES_0001", json!({})).await;
    world.pay("LINES_0001").await;
    let history = world.history("LINES_0001").await;
    let events: Vec<&str> = history.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["created", "issued", "paid"], "{history:?}");
    assert_eq!(history[0]["source"], "key:shop");
    assert_eq!(history[0]["detail"], json!({ "total_fee": 100, "pay_type": "wxpay_h5" }));
    assert_eq!(history[1]["detail"], json!({ "attempt": 1, "pay_type": "wxpay_h5", "number": "LINES_0001" }));
    assert!(history.iter().all(|line| line["out_trade_no"] == "LINES_0001"), "{history:?}");
}

#[tokio::test]
async fn parameters_that_are_given_again_leave_the_line_of_those_before() {
    let world = World::start().await;
    for return_url in ["https://shop.example/a", "https://shop.example/b"] {
        let data = json!({ "provider": "alipay", "vk_platform": "pc", "return_url": return_url });
        assert_eq!(world.create("AGAIN_0001", data).await.0, 200);
    }
    let history = world.history("AGAIN_0001").await;
    let events: Vec<&str> = history.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events.iter().filter(|event| **event == "issued").count(), 2, "{history:?}");
}

#[tokio::test]
async fn a_page_of_orders_reads_no_more_items_than_it_gives() {
    let table = crate::world::TABLE;
    let world = World::start().await;
    for i in 0..9 {
        world.create(&format!("PAGE_000{i}"), json!({ "user_id": "user_001" })).await;
    }
    let proxy = tests::dynamo_proxy::DynamoProxy::start(&world.dynamodb).await;
    let store = shared::store::Store::new(vk_pay_local::dynamo::client(proxy.base()), table, "");
    let (page, next) = store.orders_of("user_001", 3, None, |_| true).await.unwrap().expect("a page");
    assert_eq!((page.len(), next.is_some()), (3, true));
    let calls = proxy.calls();
    let read = calls.iter().filter(|call| call.operation == "BatchGetItem");
    let items: usize = read.map(|call| call.body["RequestItems"][table]["Keys"].as_array().map_or(0, Vec::len)).sum();
    assert_eq!(items, 3);
}

#[tokio::test]
async fn a_link_that_a_provider_numbers_itself_is_not_handed_out_once_the_order_is_paid_or_closed() {
    let world = World::start().await;
    let store = shared::store::Store::new(vk_pay_local::dynamo::client(&world.dynamodb), crate::world::TABLE, "");
    let parameters = shared::domain::Parameters {
        order_info: "{}".to_owned(),
        code_url: None,
        return_url: None,
        fresh_until: shared::domain::UnixMs::EPOCH,
    };
    for no in ["LINK_PAID", "LINK_CLOSED"] {
        world.create(no, json!({ "provider": "vkspay" })).await;
        // Read before: the provider makes another link meanwhile.
        let order = store.order(no).await.expect("read").expect("an order");
        let number = order.current().numbers[0].clone();
        if no == "LINK_PAID" {
            world.pay(&number).await;
            world.until(|order| order["trade_state"] == "SUCCESS", no).await;
        } else {
            let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } });
            assert_eq!(world.call("create-payment", close).await.0, 200);
        }
        let entry = shared::store::HistoryEntry::new("issued", "vkspay", shared::domain::UnixMs::new(1));
        let kept = store.keep_numbered(&order, order.current(), &parameters, "V_ANOTHER", &entry).await.expect("asked");
        assert_eq!(kept, shared::store::Kept::Over, "{no}");
        let now = store.order(no).await.expect("read").expect("an order");
        assert_eq!(now.current().numbers, [number], "{no}");
    }
}
