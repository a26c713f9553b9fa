//! The schedule: what no callback told is found, what is over is ended at the provider first.

use crate::world::World;
use futures::future::join_all;
use sandbox::{Fault, Misbehaviour, Mode, Op, Pay};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn asked(world: &World, path: &str) -> usize {
    world.sandbox.requests().iter().filter(|r| r.path.contains(path)).count()
}

#[tokio::test]
async fn a_lost_callback_is_credited_once() {
    for data in [json!({}), json!({ "provider": "alipay" }), json!({ "provider": "vkspay" })] {
        let world = World::start().await;
        let (status, made) = world.create("LOST_001", data).await;
        assert_eq!(status, 200, "{made}");
        let number = world.sandbox.trades().pop().expect("a trade").number;
        world.pay_silently(&number).await;
        let run = world.reconcile(6_000).await;
        assert_eq!(
            (&run["job"], &run["credited"], &run["errors"], &run["more"]),
            (&json!("due"), &json!(1), &json!(0), &json!(false)),
            "{run}"
        );
        let order = world.order("LOST_001").await;
        assert_eq!((&order["trade_state"], &order["notify_mode"]), (&json!("SUCCESS"), &json!(0)));
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
        assert_eq!(world.reconcile(2 * HOUR).await["asked"], 0, "it is finished");
    }
}

#[tokio::test]
async fn an_unpaid_order_is_asked_about_at_growing_pauses_and_not_between_them() {
    let world = World::start().await;
    world.create("PAUSES_1", json!({})).await;
    let created = world.order("PAUSES_1").await["create_date"].as_i64().unwrap();
    for second in [5, 30, 60, 180, 300, 600, 1_800, 5_400] {
        for (ms, asked) in [(-1, 0), (0, 1), (1, 0)] {
            let run = world.reconcile_at(created + second * 1_000 + ms).await;
            assert_eq!(run["asked"], asked, "{second} s and {ms} ms");
        }
    }
}

#[tokio::test]
async fn an_order_whose_time_is_over_is_closed_at_the_provider_first() {
    for provider in ["wxpay", "alipay"] {
        let world = World::start().await;
        world.create("OVER_001", json!({ "provider": provider })).await;
        assert_eq!(world.reconcile(119 * MINUTE).await["closed"], 0);
        let run = world.reconcile(121 * MINUTE).await;
        assert_eq!((&run["closed"], &run["credited"]), (&json!(1), &json!(0)), "{provider}: {run}");
        assert_eq!(world.order("OVER_001").await["trade_state"], "CLOSED");
        // Alipay knows a trade only once its payer has opened it, so there is nothing to close there.
        if provider == "wxpay" {
            assert!(world.sandbox.pay("OVER_001", Pay::default()).await.is_err(), "nobody can pay it any more");
        }
    }
}

#[tokio::test]
async fn an_order_that_is_paid_when_its_time_is_over_is_credited() {
    for provider in ["wxpay", "alipay"] {
        let world = World::start().await;
        world.create("OVER_PAID", json!({ "provider": provider })).await;
        world.pay_silently("OVER_PAID").await;
        let run = world.reconcile(3 * HOUR).await;
        assert_eq!((&run["credited"], &run["closed"]), (&json!(1), &json!(0)), "{run}");
        assert_eq!(world.order("OVER_PAID").await["trade_state"], "SUCCESS");
    }
}

#[tokio::test]
async fn a_repeated_creation_that_is_refused_does_not_hide_what_the_first_one_made() {
    let world = World::start().await;
    let create = async |status: u16| {
        let answer = world.create("TWICE_001", json!({ "provider": "alipay" })).await;
        assert_eq!(answer.0, status, "{}", answer.1);
    };
    world.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::SystemErrorAfterCommit));
    create(504).await;
    world.sandbox.misbehave(Fault::once(Op::Create, Misbehaviour::TooMany));
    create(422).await;
    world.pay_silently("TWICE_001").await;
    assert_eq!(world.reconcile(3 * HOUR).await["credited"], 1);
    assert_eq!(world.order("TWICE_001").await["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn a_close_whose_answer_is_lost_leaves_the_order_open_and_due_again() {
    let world = World::start().await;
    world.create("CLOSE_UNK", json!({})).await;
    world.sandbox.misbehave(Fault::new(Op::Close, Misbehaviour::SystemErrorAfterCommit));
    world.reconcile(121 * MINUTE).await;
    assert_eq!(world.order("CLOSE_UNK").await["trade_state"], "NOTPAY", "only its \"closed\" closes");
    world.sandbox.behave();
    assert_eq!(world.reconcile(124 * MINUTE).await["closed"], 1);
    assert_eq!(world.order("CLOSE_UNK").await["trade_state"], "CLOSED");
}

#[tokio::test]
async fn an_order_of_a_provider_without_a_close_ends_only_when_the_provider_can_be_asked() {
    let world = World::start().await;
    world.create("NO_CLOSE1", json!({ "provider": "vkspay" })).await;
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Http5xx));
    world.reconcile(121 * MINUTE).await;
    assert_eq!(world.order("NO_CLOSE1").await["trade_state"], "NOTPAY");
    world.sandbox.behave();
    world.reconcile(123 * MINUTE).await;
    assert_eq!(world.order("NO_CLOSE1").await["trade_state"], "CLOSED");
}

#[tokio::test]
async fn an_attempt_that_was_left_open_is_looked_after_when_the_order_is_paid_otherwise() {
    let world = World::start().await;
    world.create("LEFT_001", json!({ "provider": "alipay" })).await;
    world.create("LEFT_001", json!({ "provider": "wxpay" })).await;
    world.sandbox.pay("LEFT_001", Pay { provider: Some(sandbox::Provider::Wxpay), ..Pay::default() }).await.unwrap();
    world.until(|order| order["trade_state"] == "SUCCESS", "LEFT_001").await;
    let how = Pay { provider: Some(sandbox::Provider::Alipay), force: true, notify: false, ..Pay::default() };
    world.sandbox.pay("LEFT_001", how).await.expect("paid again, and nobody tells");
    assert_eq!(world.reconcile(10_000).await["incidents"], 1);
    world.dispatch().await;
    let incidents = world.kind("incident").await;
    assert_eq!(incidents[0]["incident"], "second_payment", "{incidents:?}");
    assert_eq!(world.sandbox.refunds().len(), 1, "and it went back");
    assert_eq!(world.reconcile(60_000).await["incidents"], 0, "one payment, one incident");
    world.reconcile(3 * HOUR).await;
    assert_eq!(world.reconcile(9 * HOUR).await["asked"], 0, "after the order's time nothing is left to ask");
}

#[tokio::test]
async fn a_second_payment_that_its_provider_does_not_tell_more_of_is_asked_about_until_it_does() {
    let world = World::start().await;
    world.create("MUTE_001", json!({ "provider": "alipay" })).await;
    world.create("MUTE_001", json!({ "provider": "wxpay" })).await;
    for provider in [sandbox::Provider::Wxpay, sandbox::Provider::Alipay] {
        let notify = provider == sandbox::Provider::Alipay;
        world.sandbox.pay("MUTE_001", Pay { provider: Some(provider), notify, ..Pay::default() }).await.expect("paid");
    }
    world.until(|order| order["trade_state"] == "SUCCESS", "MUTE_001").await;
    // WeChat Pay refuses to close what is paid, and says no more than that.
    world.sandbox.misbehave(Fault::new(Op::Query, Misbehaviour::Http5xx));
    assert_eq!(world.reconcile(3 * HOUR).await["incidents"], 0);
    world.sandbox.behave();
    assert_eq!(world.reconcile(4 * HOUR).await["incidents"], 1);
    assert_eq!(world.kind("incident").await[0]["incident"], "second_payment");
}

#[tokio::test]
async fn a_refund_that_no_callback_ends_is_ended_and_one_that_never_arrived_is_sent_again() {
    let world = World::start().await;
    world.create("REF_LOST", json!({})).await;
    world.pay("REF_LOST").await;
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::TimeoutBefore(1)));
    let body = json!({ "data": { "out_trade_no": "REF_LOST", "out_refund_no": "REF_LOST_1", "refund_fee": 60 } });
    let (status, _) = world.call("refund", body).await;
    assert_eq!(status, 504);
    assert_eq!(world.order("REF_LOST").await["refund_reserved"], 60);
    assert!(world.sandbox.refunds().is_empty());
    world.reconcile(10_000).await;
    assert_eq!(world.sandbox.refunds().len(), 1, "the same number, sent again");
    world.sandbox.settle_refund("REF_LOST_1", sandbox::RefundOutcome::Success);
    world.reconcile(40_000).await;
    let order = world.until(|order| order["refund_fee"] == 60, "REF_LOST").await;
    assert_eq!((&order["refund_reserved"], &order["refundable"]), (&json!(0), &json!(40)));
    assert_eq!(world.sandbox.refunds().len(), 1);
}

#[tokio::test]
async fn a_refund_that_never_arrived_is_sent_again_wherever_its_number_makes_that_harmless() {
    for way in crate::providers_flow::ways()
        .iter()
        .filter(|way| ["plain", "ecpay", "trade", "app-harmony"].contains(&way.name))
    {
        let world = World::with(way.mode, |_| {}).await;
        let made = crate::providers_flow::create(&world, way, "LOST_ON_THE_WAY").await;
        crate::providers_flow::pay(&world, way, &made, true).await;
        world.until(|order| order["trade_state"] == "SUCCESS", "LOST_ON_THE_WAY").await;
        world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::TimeoutBefore(1)));
        let body = json!({ "out_trade_no": "LOST_ON_THE_WAY", "out_refund_no": "LOST_REFUND_1", "refund_fee": 60 });
        assert_eq!(world.call("refund", body).await.0, 504, "{}", way.name);
        assert!(world.sandbox.refunds().is_empty(), "{}", way.name);
        world.reconcile(10_000).await;
        assert_eq!(world.sandbox.refunds().len(), 1, "{}: the same number, sent again", way.name);
        for ms in [40_000, 100_000] {
            world.reconcile(ms).await;
        }
        let order = world.until(|order| order["refund_fee"] == 60, "LOST_ON_THE_WAY").await;
        assert_eq!(order["refund_reserved"], 0, "{}", way.name);
        assert_eq!(world.sandbox.refunds().len(), 1, "{}", way.name);
    }
}

#[tokio::test]
async fn a_run_stops_at_its_budget_and_says_that_more_is_left() {
    let world = World::start().await;
    for i in 0..9 {
        world.create(&format!("BUDGET_{i}"), json!({})).await;
    }
    let app = world.app.clone().unwrap();
    let run = async |calls: u64| {
        let event = json!({ "time": "2999-01-01T00:00:00Z", "maxCalls": calls });
        reconcile::handle(&app, &event).await.expect("a run")
    };
    let first = run(4).await;
    assert_eq!(first["more"], true);
    assert!(first["asked"].as_u64().unwrap() < 9, "{first}");
    let rest = run(200).await;
    assert_eq!(rest["more"], false);
    let sum: u64 = [&first, &rest].iter().map(|r| r["closed"].as_u64().unwrap()).sum();
    assert_eq!(sum, 9, "a far future closes them all: {first} {rest}");
}

#[tokio::test]
async fn two_runs_at_once_do_not_ask_the_same_thing_twice() {
    let world = World::start().await;
    for i in 0..6 {
        world.create(&format!("BOTH_00{i}"), json!({})).await;
    }
    let runs = join_all((0..4).map(|_| world.reconcile(6_000))).await;
    let sum: u64 = runs.iter().map(|run| run["asked"].as_u64().unwrap()).sum();
    assert_eq!(sum, 6, "{runs:?}");
    assert_eq!(asked(&world, "/v3/pay/transactions/out-trade-no/"), 6);
}

#[tokio::test]
async fn an_error_of_one_order_never_stops_the_run() {
    let world = World::with(Mode::default(), |_| {}).await;
    world.create("ERR_0001", json!({ "provider": "alipay" })).await;
    world.create("ERR_0002", json!({})).await;
    world.pay_silently("ERR_0002").await;
    let key = [("pk", "O#ERR_0001"), ("sk", "O")];
    let key = key.map(|(k, v)| (k.to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(v.to_owned()))).into();
    let broken = world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key));
    broken.update_expression("REMOVE total_fee").send().await.expect("written");
    let run = world.reconcile(6_000).await;
    assert_eq!((&run["errors"], &run["credited"]), (&json!(1), &json!(1)), "{run}");
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_refused_and_nothing_is_asked() {
    let world = World::start().await;
    world.create("EVENT_01", json!({})).await;
    let app = world.app.clone().unwrap();
    for bad in [json!({ "time": "tomorrow" }), json!({ "job": "dance" }), json!({ "maxCalls": "many" })] {
        assert!(reconcile::handle(&app, &bad).await.is_err(), "{bad}");
    }
    let run = reconcile::handle(&app, &json!({ "detail": { "job": "due" }, "source": "aws.events" })).await.unwrap();
    assert_eq!((&run["job"], &run["asked"]), (&json!("due"), &json!(0)));
    let keys: Vec<&String> = run.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "job",
            "time",
            "asked",
            "credited",
            "closed",
            "refunds",
            "transfers",
            "shares",
            "tasks",
            "parked",
            "incidents",
            "errors",
            "more"
        ]
    );
}

#[tokio::test]
async fn a_transfer_that_nobody_tells_of_is_ended_and_one_that_never_arrived_is_sent_again_once() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TimeoutBefore(1)));
    let body = json!({ "action": "pay/transfer", "data": {
        "provider": "wxpay", "out_bill_no": "SWEEP0001", "transfer_amount": 50, "openid": "payer-1",
        "transfer_remark": "佣金", "transfer_scene_id": "1005",
        "transfer_scene_report_infos": [{ "info_type": "岗位类型", "info_content": "推广" }],
    } });
    let (status, reply) = world.call("transfer", body).await;
    assert_eq!((status, &reply["data"]["state"]), (504, &json!("UNKNOWN")), "{reply}");
    assert!(world.sandbox.transfers().is_empty());
    world.reconcile(10_000).await;
    assert_eq!(world.sandbox.transfers().len(), 1, "sent again under the same number");
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    world.sandbox.confirm_transfer("SWEEP0001").expect("confirmed");
    let run = world.reconcile(40_000).await;
    assert_eq!((&run["transfers"], &run["errors"]), (&json!(1), &json!(0)), "{run}");
    let item = world.kind("transfer").await.remove(0);
    assert_eq!((&item["state"], &item["due_shard"]), (&json!("SUCCESS"), &Value::Null));
    assert_eq!(world.reconcile(2 * HOUR).await["asked"], 0);
}

#[tokio::test]
async fn bills_are_a_job_of_the_schedule_with_the_same_reply() {
    let world = World::start().await;
    world.create("BILLED_01", json!({})).await;
    world.pay("BILLED_01").await;
    let app = world.app.clone().unwrap();
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    let time = tomorrow.format(&time::format_description::well_known::Rfc3339).unwrap();
    let run = reconcile::handle(&app, &json!({ "time": time, "job": "bills", "provider": "wxpay" })).await.unwrap();
    assert_eq!((&run["job"], &run["incidents"], &run["errors"]), (&json!("bills"), &json!(0), &json!(0)), "{run}");
    let reports = world.kind("bill_report").await;
    assert_eq!((reports.len(), &reports[0]["lines"], &reports[0]["total_fee"]), (1, &json!(1), &json!(100)));
    world.sandbox.spoil_bill(sandbox::Provider::Wxpay, sandbox::BillTamper::Amount("BILLED_01".to_owned(), 101));
    for incidents in [1, 0] {
        let run = reconcile::handle(&app, &json!({ "time": time, "detail": { "job": "bills" } })).await.unwrap();
        assert_eq!(run["incidents"], incidents, "{run}");
    }
    assert_eq!(world.kind("incident").await[0]["incident"], "bill_amount");
    for bad in [json!({ "job": "bills", "bill_date": "yesterday" }), json!({ "job": "bills", "provider": "cash" })] {
        assert!(reconcile::handle(&app, &bad).await.is_err(), "{bad}");
    }
}
