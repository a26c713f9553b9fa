//! Shipping of what is paid in a mini program: reported by itself or by the merchant, once and corrected once, and never
//! silently left undone, because WeChat keeps the money until then.

use crate::world::World;
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op, ShippingEvent, Trade};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const OPENID: &str = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o";

/// A shop whose recharges are virtual and whose goods the merchant ships.
async fn shop() -> World {
    World::with(Mode::default(), |config| config["shipping"] = json!({ "recharge": "virtual", "goods": "manual" }))
        .await
}

/// An order of a mini program, paid.
pub async fn bought_as(world: &World, no: &str, data: Value) -> Value {
    let mut order = json!({ "vk_platform": "mp-weixin", "openid": OPENID });
    crate::world::merge(&mut order, data);
    let (status, made) = world.create(no, order).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
    // A payment is known to who takes reports only after a while.
    tokio::time::sleep(std::time::Duration::from_millis(120)).await;
    world.order(no).await
}

/// A recharge that is paid.
async fn recharged(world: &World, no: &str) -> Value {
    bought_as(world, no, json!({})).await
}

/// Goods that are paid.
async fn sold(world: &World, no: &str) -> Value {
    bought_as(world, no, json!({ "type": "goods", "custom": { "user_id": "user_001", "goods_id": "goods_001" } })).await
}

fn trade(world: &World, no: &str) -> Trade {
    world.sandbox.trade(no).expect("a trade")
}

fn uploads(world: &World, no: &str) -> (u32, u32) {
    let shipment = trade(world, no).shipment.expect("kept money");
    (shipment.uploads, shipment.finished)
}

async fn task(world: &World, no: &str) -> Value {
    let tasks = world.kind("task").await;
    tasks.into_iter().find(|t| t["out_trade_no"] == no && t["task"] == "ship").unwrap_or_default()
}

async fn call(world: &World, action: &str, data: Value) -> (u16, Value) {
    world.call("refund", json!({ "action": format!("pay/{action}"), "data": data })).await
}

async fn upload(world: &World, no: &str, more: Value) -> (u16, Value) {
    let mut data = json!({ "out_trade_no": no });
    crate::world::merge(&mut data, more);
    call(world, "uploadShipping", data).await
}

fn parcel(tracking_no: &str) -> Value {
    json!({
        "tracking_no": tracking_no, "express_company": "SF", "item_desc": "抱枕*1",
        "contact": { "receiver_contact": "189****1234" },
    })
}

fn express(tracking_no: &str) -> Value {
    json!({ "logistics_type": 1, "shipping_list": [parcel(tracking_no)] })
}

async fn incidents(world: &World, no: &str) -> Vec<Value> {
    let all = world.kind("incident").await.into_iter();
    all.filter(|incident| incident["incident"] == "unshipped" && incident["out_trade_no"] == no).collect()
}

async fn shipping_lines(world: &World, no: &str) -> Vec<String> {
    let lines = world.history(no).await.into_iter().filter(|line| line["event"] == "shipping");
    lines.map(|line| line["detail"]["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_virtual_order_is_reported_by_itself_after_a_minute_and_its_money_is_free() {
    let world = shop().await;
    let order = recharged(&world, "VIRTUAL_1").await;
    assert_eq!(
        (&order["shipping"]["state"], &order["shipping"]["mode"]),
        (&json!("due"), &json!("virtual")),
        "{order}"
    );
    assert!(trade(&world, "VIRTUAL_1").is_kept_unshipped());
    world.dispatch().await;
    world.reconcile(30_000).await;
    assert_eq!(uploads(&world, "VIRTUAL_1"), (0, 0), "WeChat would not know the payment yet");
    world.reconcile(MINUTE + 1_000).await;
    let shipment = trade(&world, "VIRTUAL_1").shipment.expect("kept money");
    assert_eq!((shipment.uploads, shipment.logistics_type), (1, Some(3)));
    assert_eq!(shipment.parcels[0]["item_desc"], "测试商品");
    assert!(!trade(&world, "VIRTUAL_1").is_kept_unshipped());
    let order = world.order("VIRTUAL_1").await;
    assert_eq!((&order["shipping"]["state"], &order["shipping"]["logistics_type"]), (&json!("reported"), &json!(3)));
    assert_eq!((&task(&world, "VIRTUAL_1").await["state"], order["version"].as_i64()), (&json!("done"), Some(2)));
    assert_eq!(shipping_lines(&world, "VIRTUAL_1").await, ["taken"]);
    world.reconcile(48 * HOUR).await;
    assert_eq!((uploads(&world, "VIRTUAL_1"), incidents(&world, "VIRTUAL_1").await.len()), ((1, 1), 0), "once");
}

#[tokio::test]
async fn a_payment_that_wechat_does_not_have_yet_is_tried_again_and_is_no_incident() {
    let world = shop().await;
    world.sandbox.know_payments_after(1_000_000);
    recharged(&world, "NOT_YET_1").await;
    for at in [2, 4, 8] {
        world.reconcile(at * MINUTE).await;
    }
    assert_eq!((uploads(&world, "NOT_YET_1"), incidents(&world, "NOT_YET_1").await.len()), ((0, 0), 0));
    assert_eq!(task(&world, "NOT_YET_1").await["attempts"], 3);
    let (status, answer) = upload(&world, "NOT_YET_1", json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2042)), "{answer}");
    world.sandbox.know_payments_after(0);
    world.reconcile(30 * MINUTE).await;
    assert_eq!(uploads(&world, "NOT_YET_1"), (1, 1));
}

#[tokio::test]
async fn a_report_whose_answer_was_lost_is_asked_about_and_not_sent_twice() {
    for what in [
        Misbehaviour::TimeoutAfterCommit(20),
        Misbehaviour::SystemErrorAfterCommit,
        Misbehaviour::Garbage,
        Misbehaviour::DropConnection,
        Misbehaviour::Http5xx,
        Misbehaviour::TooMany,
    ] {
        let world = shop().await;
        recharged(&world, "LOST_1").await;
        world.sandbox.misbehave(Fault::once(Op::Ship, what));
        world.reconcile(MINUTE + 1_000).await;
        assert_eq!(incidents(&world, "LOST_1").await.len(), 0, "{what:?}");
        world.reconcile(3 * MINUTE).await;
        assert_eq!(world.order("LOST_1").await["shipping"]["state"], "reported", "{what:?}");
        assert_eq!(uploads(&world, "LOST_1"), (1, 1), "{what:?}");
    }
}

#[tokio::test]
async fn an_access_token_that_has_ended_is_fetched_anew() {
    let world = shop().await;
    recharged(&world, "TOKEN_1").await;
    recharged(&world, "TOKEN_2").await;
    world.reconcile(MINUTE + 1_000).await;
    world.sandbox.end_tokens();
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let (status, answer) = call(&world, "queryShipping", json!({ "out_trade_no": "TOKEN_1" })).await;
    assert_eq!((status, &answer["data"]["platform"]["order_state"]), (200, &json!(2)), "{answer}");
}

#[tokio::test]
async fn what_wechat_refuses_is_an_incident_at_once_and_ends_by_itself_when_it_goes_through() {
    let world = shop().await;
    recharged(&world, "REFUSED_1").await;
    world.sandbox.misbehave(Fault::once(Op::Ship, Misbehaviour::Refuse));
    world.reconcile(MINUTE + 1_000).await;
    let incident = &incidents(&world, "REFUSED_1").await[0];
    assert_eq!((&incident["status"], &incident["provider"]), (&json!("open"), &json!("wxpay")));
    assert!(incident["actual"].as_str().unwrap().contains("48001"), "{incident}");
    world.reconcile(5 * MINUTE).await;
    assert_eq!(world.order("REFUSED_1").await["shipping"]["state"], "reported");
    let incident = &incidents(&world, "REFUSED_1").await[0];
    assert_eq!((&incident["status"], &incident["action"]), (&json!("resolved"), &json!("close")), "{incident}");
}

#[tokio::test]
async fn what_cannot_be_reported_for_a_day_is_given_up_loudly_and_the_merchant_may_report_it_still() {
    let world = shop().await;
    world.sandbox.know_payments_after(1_000_000);
    recharged(&world, "PARKED_1").await;
    for at in [1, 2, 6, 12, 20, 24, 25] {
        world.reconcile(at * HOUR + MINUTE).await;
    }
    assert_eq!(task(&world, "PARKED_1").await["state"], "parked");
    assert_eq!(incidents(&world, "PARKED_1").await[0]["status"], "open");
    world.sandbox.know_payments_after(0);
    let (status, answer) = upload(&world, "PARKED_1", json!({})).await;
    assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("reported")), "{answer}");
    assert_eq!(incidents(&world, "PARKED_1").await[0]["status"], "resolved");
}

#[tokio::test]
async fn what_went_back_whole_before_it_was_shipped_is_not_shipped() {
    let world = shop().await;
    recharged(&world, "BACK_1").await;
    let (status, answer) =
        call(&world, "refund", json!({ "out_trade_no": "BACK_1", "out_refund_no": "BACK_1_R" })).await;
    assert_eq!(status, 200, "{answer}");
    world.until(|order| order["refund_fee"] == 100, "BACK_1").await;
    world.reconcile(2 * MINUTE).await;
    assert_eq!(uploads(&world, "BACK_1"), (0, 0));
    assert_eq!(world.order("BACK_1").await["shipping"]["state"], "refunded");
    assert_eq!(task(&world, "BACK_1").await["state"], "done");
    assert_eq!(upload(&world, "BACK_1", json!({})).await.0, 409);
}

#[tokio::test]
async fn goods_that_nobody_ships_are_an_incident_well_before_48_hours_and_shipping_them_ends_it() {
    let world = shop().await;
    let order = sold(&world, "GOODS_1").await;
    assert_eq!((&order["shipping"]["mode"], &order["shipping"]["state"]), (&json!("manual"), &json!("due")));
    world.reconcile(35 * HOUR).await;
    assert_eq!((uploads(&world, "GOODS_1"), incidents(&world, "GOODS_1").await.len()), ((0, 0), 0), "there is time");
    let (status, answer) = upload(&world, "GOODS_1", json!({})).await;
    assert_eq!((status, answer["code"].as_i64()), (400, Some(1030)), "nobody knows how: {answer}");
    world.reconcile(36 * HOUR + MINUTE).await;
    assert_eq!(incidents(&world, "GOODS_1").await[0]["status"], "open");
    let (status, answer) = upload(&world, "GOODS_1", express("SF1234567890")).await;
    assert_eq!((status, &answer["data"]["shipping"]["logistics_type"]), (200, &json!(1)), "{answer}");
    let incident = &incidents(&world, "GOODS_1").await[0];
    assert_eq!((&incident["status"], &incident["resolved_by"]), (&json!("resolved"), &json!("key:shop")));
    let shipment = trade(&world, "GOODS_1").shipment.unwrap();
    assert_eq!(shipment.parcels[0]["contact"]["receiver_contact"], "189****1234");
}

#[tokio::test]
async fn what_is_shipped_in_time_is_no_incident_wherever_it_was_reported() {
    let world = shop().await;
    sold(&world, "GOODS_2").await;
    upload(&world, "GOODS_2", express("SF0000000001")).await;
    world.reconcile(37 * HOUR).await;
    assert_eq!(incidents(&world, "GOODS_2").await.len(), 0);
}

#[tokio::test]
async fn the_same_report_again_is_done_once_another_corrects_it_once_and_a_third_is_refused_in_clear_words() {
    let world = shop().await;
    sold(&world, "CORRECT_1").await;
    for _ in 0..3 {
        let (status, answer) = upload(&world, "CORRECT_1", express("SF1111111111")).await;
        assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("reported")), "{answer}");
    }
    assert_eq!(uploads(&world, "CORRECT_1"), (1, 1));
    for _ in 0..2 {
        let (status, answer) = upload(&world, "CORRECT_1", express("SF2222222222")).await;
        assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("corrected")), "{answer}");
    }
    assert_eq!(uploads(&world, "CORRECT_1"), (2, 2));
    let (status, answer) = upload(&world, "CORRECT_1", express("SF3333333333")).await;
    assert_eq!((status, answer["code"].as_i64()), (409, Some(2040)), "{answer}");
    assert!(answer["msg"].as_str().unwrap().contains("更正"), "{answer}");
    assert_eq!(uploads(&world, "CORRECT_1"), (2, 2));
    assert_eq!(world.order("CORRECT_1").await["shipping"]["state"], "corrected", "and nothing has moved back");
}

#[tokio::test]
async fn a_correction_whose_answer_was_lost_is_the_same_correction_when_it_is_sent_again() {
    let world = shop().await;
    sold(&world, "CORRECT_2").await;
    upload(&world, "CORRECT_2", express("SF1111111111")).await;
    world.sandbox.misbehave(Fault::once(Op::Ship, Misbehaviour::SystemErrorAfterCommit));
    let (status, answer) = upload(&world, "CORRECT_2", express("SF2222222222")).await;
    assert_eq!((status, answer["code"].as_i64()), (504, Some(5040)), "{answer}");
    let (status, answer) = upload(&world, "CORRECT_2", express("SF2222222222")).await;
    assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("corrected")), "{answer}");
    assert_eq!(uploads(&world, "CORRECT_2"), (2, 2));
}

#[tokio::test]
async fn parcels_that_go_one_by_one_are_shipped_when_the_last_is_named() {
    let world = shop().await;
    sold(&world, "SPLIT_1").await;
    let split = |all: bool, list: Value| json!({ "logistics_type": 1, "delivery_mode": 2, "is_all_delivered": all, "shipping_list": list });
    let (status, answer) = upload(&world, "SPLIT_1", split(false, json!([parcel("SF1")]))).await;
    assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("part")), "{answer}");
    assert!(trade(&world, "SPLIT_1").is_kept_unshipped());
    let (status, answer) = upload(&world, "SPLIT_1", split(true, json!([parcel("SF1"), parcel("SF2")]))).await;
    assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("reported")), "{answer}");
    assert!(!trade(&world, "SPLIT_1").is_kept_unshipped());
}

#[tokio::test]
async fn a_report_that_wechat_would_not_take_is_refused_by_its_field() {
    let world = shop().await;
    sold(&world, "FIELDS_1").await;
    let with = |change: Value| {
        let mut one = parcel("SF1");
        crate::world::merge(&mut one, change);
        json!({ "logistics_type": 1, "shipping_list": [one] })
    };
    let many = |n: usize| json!((0..n).map(|_| parcel("SF1")).collect::<Vec<_>>());
    for (data, field) in [
        (json!({}), "logistics_type"),
        (json!({ "logistics_type": 5 }), "logistics_type"),
        (json!({ "logistics_type": 1 }), "shipping_list"),
        (json!({ "logistics_type": 1, "shipping_list": {} }), "shipping_list"),
        (json!({ "logistics_type": 1, "shipping_list": [] }), "shipping_list"),
        (json!({ "logistics_type": 1, "shipping_list": many(2) }), "shipping_list"),
        (json!({ "logistics_type": 1, "delivery_mode": 2, "shipping_list": many(2) }), "is_all_delivered"),
        (
            json!({ "logistics_type": 1, "delivery_mode": 2, "is_all_delivered": true, "shipping_list": many(16) }),
            "shipping_list",
        ),
        (json!({ "logistics_type": 3, "delivery_mode": 2, "is_all_delivered": true }), "delivery_mode"),
        (json!({ "logistics_type": 3, "delivery_mode": 3 }), "delivery_mode"),
        (json!({ "logistics_type": 3, "is_all_delivered": false }), "is_all_delivered"),
        (with(json!({ "tracking_no": "" })), "shipping_list[0].tracking_no"),
        (with(json!({ "tracking_no": "1".repeat(129) })), "shipping_list[0].tracking_no"),
        (with(json!({ "express_company": null })), "shipping_list[0].express_company"),
        (with(json!({ "item_desc": "抱".repeat(121) })), "shipping_list[0].item_desc"),
        (with(json!({ "contact": null })), "shipping_list[0].contact"),
        (
            with(json!({ "contact": { "receiver_contact": "18912341234" } })),
            "shipping_list[0].contact.receiver_contact",
        ),
        (
            with(json!({ "contact": { "receiver_contact": "189****12*4" } })),
            "shipping_list[0].contact.receiver_contact",
        ),
        (json!({ "logistics_type": 3, "shipping_list": [parcel("SF1")] }), "shipping_list[0].tracking_no"),
    ] {
        let (status, answer) = upload(&world, "FIELDS_1", data.clone()).await;
        assert_eq!((status, answer["code"].as_i64()), (400, Some(1030)), "{data}: {answer}");
        assert!(answer["msg"].as_str().unwrap().contains(field), "{data}: {answer}");
    }
    assert_eq!(uploads(&world, "FIELDS_1"), (0, 0));
    assert_eq!(call(&world, "uploadShipping", json!({})).await.1["code"], 1001);
    assert_eq!(upload(&world, "NOBODYS_1", express("SF1")).await.0, 404);
    world.create("UNPAID_1", json!({ "vk_platform": "mp-weixin", "openid": OPENID })).await;
    assert_eq!(upload(&world, "UNPAID_1", express("SF1")).await.1["code"], 2002);
    world.create("QR_CODE_1", json!({})).await;
    world.pay("QR_CODE_1").await;
    assert_eq!(upload(&world, "QR_CODE_1", express("SF1")).await.1["code"], 2005, "its money is not kept");
}

#[tokio::test]
async fn the_type_says_who_reports_before_the_node_does_and_where_neither_says_nothing_happens_by_itself() {
    let world = World::with(Mode::default(), |config| {
        config["wxpay"]["mp-weixin"]["shipping"] = json!("pick-up");
        config["shipping"] = json!({ "goods": "manual" });
    })
    .await;
    assert_eq!(recharged(&world, "NODE_1").await["shipping"]["mode"], "pick-up");
    assert_eq!(sold(&world, "TYPE_1").await["shipping"]["mode"], "manual");
    world.create("OTHER_NODE_1", json!({})).await;
    world.pay("OTHER_NODE_1").await;
    assert_eq!(world.order("OTHER_NODE_1").await["shipping"], Value::Null, "only a mini program's money is kept");
    world.reconcile(MINUTE + 1_000).await;
    assert_eq!(trade(&world, "NODE_1").shipment.unwrap().logistics_type, Some(4));

    let quiet = World::start().await;
    assert_eq!(recharged(&quiet, "SILENT_1").await["shipping"], Value::Null);
    quiet.reconcile(50 * HOUR).await;
    assert_eq!((task(&quiet, "SILENT_1").await, incidents(&quiet, "SILENT_1").await.len()), (Value::Null, 0));
    let (status, answer) = upload(&quiet, "SILENT_1", json!({ "logistics_type": 3 })).await;
    assert_eq!((status, &answer["data"]["shipping"]["state"]), (200, &json!("reported")), "{answer}");
}

#[tokio::test]
async fn a_configuration_that_could_report_nothing_does_not_start() {
    use shared::config::Fault as ConfigFault;
    let world = shop().await;
    let faults = |change: &dyn Fn(&mut Value)| -> Vec<String> {
        let mut config = world.config.clone();
        change(&mut config);
        match shared::providers::Config::parse(&config.to_string(), std::path::Path::new(".")) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(|ConfigFault { path, .. }| path.clone()).collect(),
        }
    };
    assert_eq!(faults(&|_| {}), Vec::<String>::new());
    assert_eq!(faults(&|c| c["shipping"]["recharge"] = json!("by air")), ["shipping.recharge"]);
    assert_eq!(faults(&|c| c["wxpay"]["mp-weixin"]["shipping"] = json!(3)), ["wxpay.mp-weixin.shipping"]);
    let without_secret = |c: &mut Value| {
        c["wxpay"]["mp-weixin"]["shipping"] = json!("virtual");
        c["wxpay"]["mp-weixin"]["secret"] = json!("");
    };
    assert_eq!(faults(&without_secret), ["wxpay.mp-weixin.secret"]);
    let without_token = |c: &mut Value| c["wxpay"]["mp-weixin"]["token"] = json!("");
    assert_eq!(faults(&without_token), ["wxpay.mp-weixin.token"]);
}

#[tokio::test]
async fn two_reports_at_one_moment_are_one() {
    let world = shop().await;
    sold(&world, "AT_ONCE_1").await;
    let both = [express("SF1111111111"), express("SF2222222222")];
    let [first, second] = both.map(|data| upload(&world, "AT_ONCE_1", data));
    let (first, second) = futures::join!(first, second);
    let won = [&first, &second].iter().filter(|(status, _)| *status == 200).count();
    assert!((1..=2).contains(&won), "{first:?} {second:?}");
    assert_eq!(uploads(&world, "AT_ONCE_1").0 as usize, won, "{first:?} {second:?}");
}

#[tokio::test]
async fn the_payer_is_asked_to_confirm_once_and_only_about_what_went_by_express() {
    let world = shop().await;
    recharged(&world, "CONFIRM_1").await;
    sold(&world, "CONFIRM_2").await;
    let confirm = async |no: &str| call(&world, "confirmReceive", json!({ "out_trade_no": no })).await;
    assert_eq!(confirm("CONFIRM_2").await.1["code"], 2041, "nothing is shipped yet");
    world.reconcile(MINUTE + 1_000).await;
    assert_eq!(confirm("CONFIRM_1").await.1["code"], 2041, "nothing is carried");
    upload(&world, "CONFIRM_2", express("SF1234567890")).await;
    let early = json!({ "out_trade_no": "CONFIRM_2", "received_time": 1_700_000_000_000_i64 });
    assert_eq!(call(&world, "confirmReceive", early).await.1["code"], 1030, "before it was shipped");
    world.sandbox.misbehave(Fault::once(Op::ConfirmReceive, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(confirm("CONFIRM_2").await.0, 504);
    for _ in 0..2 {
        let (status, answer) = confirm("CONFIRM_2").await;
        assert_eq!(status, 200, "{answer}");
        assert!(answer["data"]["shipping"]["reminded_at"].is_i64(), "{answer}");
    }
}

#[tokio::test]
async fn a_query_keeps_what_has_moved_and_moves_nothing_back() {
    let world = shop().await;
    recharged(&world, "QUERY_1").await;
    let query = async || {
        tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
        let (status, answer) = call(&world, "queryShipping", json!({ "out_trade_no": "QUERY_1" })).await;
        assert_eq!(status, 200, "{answer}");
        answer["data"].clone()
    };
    assert_eq!(query().await["platform"]["order_state"], 1);
    world.reconcile(MINUTE + 2_000).await;
    world.sandbox.receive("QUERY_1").unwrap();
    let received = query().await;
    assert_eq!((&received["shipping"]["state"], &received["platform"]["order_state"]), (&json!("received"), &json!(3)));
    let (status, answer) = upload(&world, "QUERY_1", json!({ "logistics_type": 4 })).await;
    assert_eq!((status, answer["code"].as_i64()), (409, Some(2041)), "{answer}");
    assert_eq!(world.order("QUERY_1").await["shipping"]["state"], "received");
}

#[tokio::test]
async fn pushes_remind_of_what_is_not_shipped_and_tell_when_the_money_is_paid_out() {
    for plain in [false, true] {
        let world = World::with(Mode { virtual_plain: plain, ..Mode::default() }, |config| {
            config["shipping"] = json!({ "goods": "manual" });
        })
        .await;
        sold(&world, "PUSH_1").await;
        world.sandbox.push_shipping("PUSH_1", ShippingEvent::Overdue).unwrap();
        let open = async || incidents(&world, "PUSH_1").await.iter().any(|incident| incident["status"] == "open");
        for _ in 0..100 {
            if open().await {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert!(open().await, "plain {plain}");
        world.sandbox.push_shipping("PUSH_1", ShippingEvent::Access).unwrap();
        upload(&world, "PUSH_1", express("SF1234567890")).await;
        assert!(!open().await);
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        world.sandbox.settle_shipping("PUSH_1").unwrap();
        let order = world.until(|order| order["shipping"]["state"] == "settled", "PUSH_1").await;
        assert_eq!(order["trade_state"], "SUCCESS");
        let refused = world.sandbox.outbox().into_iter().filter(|told| {
            told.kind == CallbackKind::Shipping && told.last_status.is_some_and(|status| status != 200 && status != 409)
        });
        assert_eq!(refused.count(), 0, "plain {plain}");
    }
}

#[tokio::test]
async fn a_push_that_is_forged_altered_or_of_another_application_is_refused_and_changes_nothing() {
    let world = shop().await;
    sold(&world, "HOSTILE_1").await;
    let genuine = world.sandbox.build_callback("HOSTILE_1", CallbackKind::Shipping);
    for how in Forgery::ALL.into_iter().filter(|how| how.fits(&genuine)) {
        let forged = world.sandbox.forge(genuine.clone(), how);
        let (status, body) = world.sandbox.send(&forged).await.expect("an answer");
        assert!((400..500).contains(&status), "{how:?}: {status} {body}");
    }
    let mut twice = genuine.clone();
    twice.url = format!("{}&timestamp=1", twice.url);
    assert_eq!(world.sandbox.send(&twice).await.expect("an answer").0, 403);
    let mut elsewhere = genuine.clone();
    elsewhere.url = elsewhere.url.replace("/default", "/nobody");
    assert!((400..500).contains(&world.sandbox.send(&elsewhere).await.expect("an answer").0));
    // The same keys, and another mini program.
    let config = {
        let mut config = world.config.clone();
        config["wxpay"]["mp-weixin"]["appId"] = json!("wx0000000000000000");
        config
    };
    let read = crate::addressees::read(&config, "wxpay", &genuine).await;
    assert!(matches!(read, Err(shared::providers::CallbackError::Forged(_))), "{read:?}");
    let none = {
        let mut config = world.config.clone();
        config["wxpay"]["mp-weixin"]["token"] = json!(null);
        config["wxpay"]["mp-weixin"]["encodingAESKey"] = json!(null);
        config
    };
    let read = crate::addressees::read(&none, "wxpay", &genuine).await;
    assert!(
        matches!(read, Err(shared::providers::CallbackError::Forged(_))),
        "without a token nothing is taken: {read:?}"
    );
    assert!(incidents(&world, "HOSTILE_1").await.is_empty());
    assert_eq!(world.order("HOSTILE_1").await["shipping"]["state"], "due");
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0, 200);
    assert_eq!(incidents(&world, "HOSTILE_1").await.len(), 1);
}

#[tokio::test]
async fn an_old_push_that_is_sent_again_says_nothing_that_is_no_longer_so() {
    let world = shop().await;
    sold(&world, "REPLAY_1").await;
    let reminder = world.sandbox.build_callback("REPLAY_1", CallbackKind::Shipping);
    upload(&world, "REPLAY_1", express("SF1234567890")).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert!(matches!(world.sandbox.send(&reminder).await.expect("an answer").0, 200 | 409));
    assert!(incidents(&world, "REPLAY_1").await.is_empty(), "it was shipped since");
}

#[tokio::test]
async fn the_url_of_a_push_is_checked_by_its_probe() {
    let world = shop().await;
    let token = world.keys.wechat.mp_push_token.clone();
    let mut parts = [token.as_str(), "1700000000", "nonce1"];
    parts.sort_unstable();
    let signature = shared::crypto::hash::sha1_hex(parts.concat().as_bytes());
    let url = |signature: &str| {
        let base = format!("{}/notify/pay-notify/wxpay/default", world.base);
        format!("{base}?signature={signature}&timestamp=1700000000&nonce=nonce1&echostr=4375120948345356249")
    };
    let answer = reqwest::get(url(&signature)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "4375120948345356249".to_owned()));
    assert_eq!(reqwest::get(url(&"0".repeat(40))).await.unwrap().status().as_u16(), 403);
}

#[tokio::test]
async fn a_mini_program_with_virtual_payment_has_one_url_that_takes_both_kinds_of_pushes() {
    let world = shop().await;
    sold(&world, "SHARED_1").await;
    let mut config = world.config.clone();
    for key in ["appId", "token", "encodingAESKey"] {
        config["wxpay-virtual"]["mp-weixin"][key] = config["wxpay"]["mp-weixin"][key].clone();
    }
    let push = world.sandbox.build_callback("SHARED_1", CallbackKind::Shipping);
    let read = crate::addressees::read(&config, "wxpay-virtual", &push).await;
    assert!(matches!(read, Ok(shared::providers::Notice::Shipping(_))), "{read:?}");
}
