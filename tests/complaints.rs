//! Complaints of payers: told once however they are told, answered once, refunded once, and open as long as the provider
//! waits for the merchant.

use crate::alarms::Log;
use crate::binaries_kit::{Shop, refund_of};
use crate::providers_flow;
use crate::world::World;
use futures::future::join_all;
use sandbox::{CallbackKind, Complaint, ComplaintWish, Fault, Forgery, Misbehaviour, Mode, Op, Pay, Provider};
use serde_json::{Value, json};
use shared::app::system_clock;
use shared::domain::Day;
use std::time::Duration;
use tests::dynamo_proxy::{Act, Call};

const HOUR: i64 = 3_600_000;

/// A shop that is told of complaints at WeChat Pay.
async fn told() -> World {
    let world = World::start().await;
    let (status, answer) = call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    assert_eq!(status, 200, "{answer}");
    let url = answer["data"]["url"].as_str().expect("a URL");
    assert!(url.ends_with("/complaint-notify/wxpay/default"), "{url}");
    world
}

/// A shop that looks for complaints by itself, at these providers.
async fn looking(mode: Mode) -> World {
    World::with(mode, |config| {
        for provider in ["wxpay", "alipay", "wxpay-virtual"] {
            for node in config[provider].as_object_mut().expect("nodes").values_mut() {
                node["complaints"] = json!(true);
            }
        }
    })
    .await
}

async fn call(world: &World, action: &str, data: Value) -> (u16, Value) {
    let function = if action == "queryComplaints" { "query-payment" } else { "refund" };
    world.call(function, json!({ "action": format!("pay/{action}"), "data": data })).await
}

/// An action about a complaint at WeChat Pay.
async fn about(world: &World, action: &str, id: &str, more: Value) -> (u16, Value) {
    let mut data = json!({ "provider": "wxpay", "complaint_id": id });
    crate::world::merge(&mut data, more);
    call(world, action, data).await
}

/// An order that is paid.
async fn sold(world: &World, no: &str, data: Value) {
    let (status, made) = world.create(no, data).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
}

fn wish(problem_type: &str) -> ComplaintWish {
    ComplaintWish { problem_type: problem_type.to_owned(), ..ComplaintWish::default() }
}

/// A complaint about an order of WeChat Pay that is paid.
async fn complained(world: &World, no: &str, problem_type: &str) -> String {
    sold(world, no, json!({})).await;
    world.sandbox.complain(no, &wish(problem_type)).expect("a complaint")
}

/// A complaint of the table, when it is there and as wanted.
async fn until(world: &World, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    for _ in 0..200 {
        let all = world.kind("complaint").await;
        found = all.into_iter().find(|own| own["complaint_id"] == id).unwrap_or_default();
        if !found.is_null() && wanted(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{id} never came so: {found:#}");
}

async fn incidents(world: &World) -> Vec<Value> {
    world.kind("incident").await.into_iter().filter(|incident| incident["incident"] == "complaint").collect()
}

fn there(world: &World, id: &str) -> Complaint {
    world.sandbox.complaint(id).expect("a complaint")
}

fn count(world: &World, id: &str, kind: &str) -> usize {
    there(world, id).lines.iter().filter(|line| line.kind == kind).count()
}

fn sent_back(world: &World) -> Vec<u64> {
    world.sandbox.refunds().iter().map(|refund| refund.amount).collect()
}

/// Asks for the refund again until the complaint has ended.
async fn refunded(world: &World, id: &str) -> Value {
    for _ in 0..100 {
        let (_, answer) = about(world, "refundComplaint", id, json!({})).await;
        if answer["data"]["complaint"]["state"] == "processed" {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", there(world, id));
}

#[tokio::test]
async fn a_notice_becomes_an_incident_with_what_the_payer_says_and_its_deadline() {
    let world = told().await;
    let id = complained(&world, "TOLD_1", "OTHERS").await;
    let complaint = until(&world, &id, |_| true).await;
    assert_eq!((&complaint["state"], &complaint["out_trade_no"]), (&json!("pending"), &json!("TOLD_1")));
    let all = incidents(&world).await;
    let [incident] = all.as_slice() else { panic!("{all:#?}") };
    assert_eq!((&incident["status"], &incident["out_trade_no"]), (&json!("open"), &json!("TOLD_1")), "{incident}");
    let said = &incident["actual"];
    assert_eq!(
        (&said["detail"], &said["phone"], &said["amount"]),
        (&json!("付了款，没有收到"), &json!("138****5678"), &json!(100))
    );
    let deadline = said["deadline"].as_i64().expect("a deadline") - there(&world, &id).created;
    assert!((24 * HOUR - 1000..=24 * HOUR).contains(&deadline), "{deadline}");
    let items = world.items(crate::world::TABLE).await;
    assert!(!items.iter().any(|item| item.to_string().contains("13812345678")), "no whole telephone number is kept");
    let history = world.history("TOLD_1").await;
    assert_eq!(history.iter().filter(|line| line["event"] == "complaint").count(), 1);
    let (status, page) = call(&world, "queryComplaints", json!({ "state": "pending" })).await;
    assert_eq!((status, &page["data"]["list"][0]["complaint_id"]), (200, &json!(id)), "{page}");
    let (status, one) = call(&world, "queryComplaints", json!({ "provider": "wxpay", "complaint_id": id })).await;
    assert_eq!((status, &one["data"]["history"][0]["text"]), (200, &json!("付了款，没有收到")), "{one}");
}

#[tokio::test]
async fn two_notices_at_one_moment_and_ten_more_make_one_incident() {
    let world = World::start().await;
    let id = complained(&world, "TWICE_1", "OTHERS").await;
    call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    let notice = world.sandbox.callback_of(Some(Provider::Wxpay), &id, CallbackKind::Complaint).expect("a notice");
    for _ in 0..3 {
        let sent = join_all((0..4).map(|_| world.sandbox.send(&notice))).await;
        for answer in sent {
            // Whoever came second while the first wrote may have it sent again.
            let (status, _) = answer.expect("an answer");
            assert!(status < 500 && status != 401, "{status}");
        }
    }
    assert_eq!((incidents(&world).await.len(), world.kind("complaint").await.len()), (1, 1));
}

#[tokio::test]
async fn a_forged_notice_is_refused_and_says_nothing() {
    let world = World::start().await;
    let id = complained(&world, "FORGED_1", "OTHERS").await;
    call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    let genuine = world.sandbox.callback_of(Some(Provider::Wxpay), &id, CallbackKind::Complaint).expect("a notice");
    let forgeries = [
        Forgery::BadSignature,
        Forgery::OtherKey,
        Forgery::NoSignature,
        Forgery::EmptySignature,
        Forgery::UnknownSerial,
        Forgery::SignTest,
        Forgery::OldTimestamp,
    ];
    for how in forgeries {
        let forged = world.sandbox.forge(genuine.clone(), how);
        let (status, body) = world.sandbox.send(&forged).await.expect("an answer");
        assert!((400..500).contains(&status), "{how:?}: {status} {body}");
    }
    assert_eq!((incidents(&world).await.len(), world.kind("complaint").await.len()), (0, 0));
    let mut other = genuine.clone();
    other.url = other.url.replace("/wxpay/default", "/wxpay/nobody");
    assert!((400..500).contains(&world.sandbox.send(&other).await.expect("an answer").0));
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0 / 100, 2);
    assert_eq!(incidents(&world).await.len(), 1);
}

#[tokio::test]
async fn another_url_of_notices_is_replaced_and_the_same_is_left_as_it_is() {
    let mut world = told().await;
    let asked = |world: &World| -> Vec<String> {
        let own = world.sandbox.requests().into_iter().filter(|r| r.path.ends_with("/complaint-notifications"));
        own.map(|r| format!("{} {}", r.method, r.status)).collect()
    };
    assert_eq!(asked(&world), ["GET 404", "POST 200"]);
    assert_eq!(call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await.0, 200);
    assert_eq!(asked(&world)[2..], ["GET 200"], "it stands there already");
    world.reconfigure(|config| config["notifyUrl"] = json!("https://moved.example.com/notify")).await;
    // Who does not know what stands there changes nothing.
    for _ in 0..2 {
        world.sandbox.misbehave(Fault::once(Op::ComplaintUrl, Misbehaviour::Http5xx));
    }
    let (status, answer) = call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{answer}");
    assert!(asked(&world)[3..].iter().all(|asked| asked.starts_with("GET 5")), "{:?}", asked(&world));
    let before = asked(&world).len();
    world.sandbox.behave();
    let (status, answer) = call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    let moved = "https://moved.example.com/notify/complaint-notify/wxpay/default";
    assert_eq!((status, &answer["data"]["url"]), (200, &json!(moved)), "{answer}");
    assert_eq!(asked(&world)[before..], ["GET 200", "POST 400", "PUT 200"]);
    assert_eq!(call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await.0, 200);
    assert_eq!(asked(&world)[before + 3..], ["GET 200"], "one URL, which is the new one");
}

#[tokio::test]
async fn a_lost_notice_is_found_by_the_schedule() {
    let world = looking(Mode::default()).await;
    let id = complained(&world, "LOOKED_1", "OTHERS").await;
    for _ in 0..3 {
        let run = world.run(json!({ "job": "complaints" })).await;
        assert_eq!(
            (&run["job"], &run["more"], &run["errors"]),
            (&json!("complaints"), &json!(false), &json!(0)),
            "{run}"
        );
    }
    assert_eq!(incidents(&world).await.len(), 1);
    assert_eq!(until(&world, &id, |_| true).await["state"], "pending");
    let quiet = World::start().await;
    complained(&quiet, "LOOKED_2", "OTHERS").await;
    quiet.run(json!({ "job": "complaints" })).await;
    assert_eq!(quiet.kind("complaint").await.len(), 0, "nobody wanted it");
    assert!(!quiet.sandbox.requests().iter().any(|request| request.path.contains("complaints-v2")));
}

#[tokio::test]
async fn a_provider_that_does_not_list_stops_no_run() {
    let world = looking(Mode::default()).await;
    complained(&world, "BUSY_1", "OTHERS").await;
    for what in [Misbehaviour::Refuse, Misbehaviour::TooMany, Misbehaviour::Garbage, Misbehaviour::Http5xx] {
        world.sandbox.misbehave(Fault::once(Op::Complaints, what));
        let run = world.run(json!({ "job": "complaints", "provider": "wxpay" })).await;
        assert_eq!(run["errors"], 1, "{what:?}: {run}");
    }
    world.run(json!({ "job": "complaints" })).await;
    assert_eq!(incidents(&world).await.len(), 1);
}

#[tokio::test]
async fn the_same_answer_is_sent_once_until_the_payer_writes_again() {
    let world = told().await;
    let id = complained(&world, "ANSWER_1", "OTHERS").await;
    until(&world, &id, |_| true).await;
    for _ in 0..3 {
        let (status, answer) =
            about(&world, "answerComplaint", &id, json!({ "response_content": "您好，已补发" })).await;
        assert_eq!((status, &answer["data"]["complaint"]["state"]), (200, &json!("processing")), "{answer}");
    }
    assert_eq!(count(&world, &id, "MERCHANT_RESPONSE"), 1);
    let deadline =
        until(&world, &id, |own| own["state"] == "processing").await["deadline"].as_i64().expect("a deadline");
    assert!(deadline - there(&world, &id).created > 71 * HOUR, "there is more time now");
    world.sandbox.complain_more(&id, "还是没有").expect("more");
    until(&world, &id, |own| own["awaits_reply"] == true).await;
    about(&world, "answerComplaint", &id, json!({ "response_content": "您好，已补发" })).await;
    assert_eq!(count(&world, &id, "MERCHANT_RESPONSE"), 2, "the payer is answered again");
}

#[tokio::test]
async fn an_answer_whose_result_was_lost_is_not_sent_twice() {
    for what in [Misbehaviour::TimeoutAfterCommit(20), Misbehaviour::SystemErrorAfterCommit] {
        let world = told().await;
        let id = complained(&world, "ANSWER_2", "OTHERS").await;
        world.sandbox.misbehave(Fault::once(Op::ComplaintAnswer, what));
        let (status, answer) = about(&world, "answerComplaint", &id, json!({ "response_content": "已补发" })).await;
        assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{what:?}: {answer}");
        for _ in 0..2 {
            let (status, answer) = about(&world, "answerComplaint", &id, json!({ "response_content": "已补发" })).await;
            assert_eq!(status, 200, "{what:?}: {answer}");
        }
        assert_eq!(count(&world, &id, "MERCHANT_RESPONSE"), 1, "{what:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_result_was_lost_is_remembered_though_another_was_refused_since() {
    let world = told().await;
    let id = complained(&world, "ANSWER_4", "OTHERS").await;
    world.sandbox.misbehave(Fault::once(Op::ComplaintAnswer, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(about(&world, "answerComplaint", &id, json!({ "response_content": "已补发" })).await.0, 504);
    world.sandbox.misbehave(Fault::once(Op::ComplaintAnswer, Misbehaviour::Refuse));
    assert_eq!(about(&world, "answerComplaint", &id, json!({ "response_content": "请稍等" })).await.0, 422);
    assert_eq!(about(&world, "answerComplaint", &id, json!({ "response_content": "已补发" })).await.0, 200);
    assert_eq!(count(&world, &id, "MERCHANT_RESPONSE"), 1);
}

#[tokio::test]
async fn an_answer_that_the_payer_has_is_not_sent_again_after_another_one_was_lost() {
    for provider in ["wxpay", "alipay"] {
        let world = looking(Mode::default()).await;
        sold(&world, "ANSWER_5", json!({ "provider": provider })).await;
        let id = world.sandbox.complain("ANSWER_5", &wish("OTHERS")).expect("a complaint");
        let say = async |text: &str| {
            let data = json!({ "provider": provider, "complaint_id": id, "response_content": text });
            call(&world, "answerComplaint", data).await.0
        };
        assert_eq!(say("已补发").await, 200, "{provider}");
        world.sandbox.misbehave(Fault::once(Op::ComplaintAnswer, Misbehaviour::DropConnection));
        assert_eq!(say("请稍等").await, 504, "{provider}");
        assert_eq!((say("已补发").await, count(&world, &id, "MERCHANT_RESPONSE")), (200, 1), "{provider}");
        assert_eq!((say("请稍等").await, count(&world, &id, "MERCHANT_RESPONSE")), (200, 2), "{provider}");
        world.sandbox.complain_more(&id, "还是没有").expect("more");
        assert_eq!((say("已补发").await, count(&world, &id, "MERCHANT_RESPONSE")), (200, 3), "{provider}");
    }
}

#[tokio::test]
async fn what_is_done_with_stays_so_until_the_payer_goes_on() {
    let world = told().await;
    let id = complained(&world, "DONE_1", "OTHERS").await;
    until(&world, &id, |_| true).await;
    for _ in 0..3 {
        let (status, answer) = about(&world, "completeComplaint", &id, json!({})).await;
        assert_eq!((status, &answer["data"]["complaint"]["state"]), (200, &json!("processed")), "{answer}");
    }
    assert_eq!(count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), 1);
    assert_eq!(incidents(&world).await[0]["status"], "resolved");
    let (status, answer) = about(&world, "answerComplaint", &id, json!({ "response_content": "?" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2061)), "{answer}");
    let (status, answer) = about(&world, "refundComplaint", &id, json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2061)), "{answer}");
    world.sandbox.complain_more(&id, "没有解决").expect("more");
    until(&world, &id, |own| own["state"] == "pending" && own["times"] == 2).await;
    let all = incidents(&world).await;
    assert_eq!((all.len(), &all[0]["status"], &all[0]["actual"]["times"]), (1, &json!("open"), &json!(2)), "{all:#?}");
    world.sandbox.misbehave(Fault::once(Op::ComplaintEnd, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(about(&world, "completeComplaint", &id, json!({})).await.0, 504);
    assert_eq!(about(&world, "completeComplaint", &id, json!({})).await.0, 200);
    assert_eq!(count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), 2);
    assert_eq!(incidents(&world).await[0]["status"], "resolved");
}

#[tokio::test]
async fn a_complaint_is_refunded_once_however_often_it_is_asked_for() {
    let world = told().await;
    let id = complained(&world, "REFUND_1", "OTHERS").await;
    let asked = join_all((0..4).map(|_| about(&world, "refundComplaint", &id, json!({})))).await;
    assert!(asked.iter().any(|(status, _)| *status == 200), "{asked:#?}");
    let answer = refunded(&world, &id).await;
    assert_eq!(
        (&answer["data"]["status"], &answer["data"]["out_trade_no"]),
        (&json!("SUCCESS"), &json!("REFUND_1")),
        "{answer}"
    );
    assert_eq!(sent_back(&world), [100]);
    assert_eq!(world.order("REFUND_1").await["refund_fee"], 100);
    assert_eq!(count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), 1);
    assert_eq!(incidents(&world).await[0]["status"], "resolved");
    let (status, again) = about(&world, "refundComplaint", &id, json!({})).await;
    assert_eq!((status, &again["data"]["status"]), (200, &json!("SUCCESS")), "{again}");
    assert_eq!(sent_back(&world), [100], "once");
    let (status, another) = about(&world, "refundComplaint", &id, json!({ "refund_fee": 1 })).await;
    assert_eq!(status, 409, "{another}");
}

#[tokio::test]
async fn a_refund_that_was_interrupted_goes_on_under_its_number() {
    for op in [Op::Refund, Op::ComplaintEnd] {
        for what in [Misbehaviour::SystemErrorAfterCommit, Misbehaviour::DropConnection] {
            let world = told().await;
            let id = complained(&world, "REFUND_2", "OTHERS").await;
            world.sandbox.misbehave(Fault::once(op, what));
            refunded(&world, &id).await;
            assert_eq!(sent_back(&world), [100], "{op:?} {what:?}");
        }
    }
}

/// A shop whose table loses the reservation of a complaint's refund: the refund is decided, and does not begin.
async fn undecided(no: &str) -> (Shop, String) {
    let shop = Shop::open(Mode::default()).await;
    let callback = shop.paid_there(no, json!({})).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    let id = shop.world.sandbox.complain(no, &wish("OTHERS")).expect("a complaint");
    let reserves = |call: &Call| call.is("TransactWriteItems") && call.names("refund_reserved");
    shop.proxy.rule(move |call| if reserves(call) { Act::Drop } else { Act::Pass });
    let (status, answer) = about(&shop.world, "refundComplaint", &id, json!({ "refund_fee": 60 })).await;
    assert!(status >= 500, "{answer}");
    shop.proxy.behave();
    (shop, id)
}

#[tokio::test]
async fn another_amount_replaces_a_refund_that_did_not_begin_and_the_first_cannot_begin_any_more() {
    let (shop, id) = undecided("REFUND_5").await;
    let world = &shop.world;
    let first = until(world, &id, |own| !own["refund"].is_null()).await["refund"]["out_refund_no"].clone();
    let (status, answer) = about(world, "refundComplaint", &id, json!({ "refund_fee": 40 })).await;
    assert_eq!(status, 200, "{answer}");
    assert_ne!(answer["data"]["out_refund_no"], first);
    let number = first.as_str().expect("a number");
    let (status, answer) = world.call("refund", refund_of("REFUND_5", number, 60)).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(about(world, "refundComplaint", &id, json!({ "refund_fee": 60 })).await.0, 409);
    assert_eq!(sent_back(world), [40]);
}

#[tokio::test]
async fn the_same_amount_goes_on_with_a_refund_that_did_not_begin() {
    let (shop, id) = undecided("REFUND_6").await;
    let first = until(&shop.world, &id, |own| !own["refund"].is_null()).await["refund"]["out_refund_no"].clone();
    let (status, answer) = about(&shop.world, "refundComplaint", &id, json!({ "refund_fee": 60 })).await;
    assert_eq!((status, &answer["data"]["out_refund_no"]), (200, &first), "{answer}");
    assert_eq!(sent_back(&shop.world), [60]);
}

#[tokio::test]
async fn a_refund_that_did_not_begin_before_the_payer_went_on_is_decided_anew_and_ends_the_complaint() {
    let (shop, id) = undecided("REFUND_8").await;
    let world = &shop.world;
    assert_eq!(about(world, "completeComplaint", &id, json!({})).await.0, 200);
    world.sandbox.complain_more(&id, "还是没有").expect("more");
    for _ in 0..2 {
        let (status, answer) = about(world, "refundComplaint", &id, json!({ "refund_fee": 60 })).await;
        assert_eq!(status, 200, "{answer}");
        world.until(|order| order["refund_fee"] == 60, "REFUND_8").await;
    }
    assert_eq!((until(world, &id, |_| true).await["state"].clone(), sent_back(world)), (json!("processed"), vec![60]));
}

#[tokio::test]
async fn a_complaint_that_ended_before_its_refund_began_is_not_refunded_any_more() {
    let (shop, id) = undecided("REFUND_7").await;
    assert_eq!(about(&shop.world, "completeComplaint", &id, json!({})).await.0, 200);
    let (status, answer) = about(&shop.world, "refundComplaint", &id, json!({ "refund_fee": 60 })).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2061)), "{answer}");
    assert_eq!(sent_back(&shop.world), [0u64; 0]);
}

#[tokio::test]
async fn the_schedule_completes_a_complaint_whose_refund_has_arrived() {
    let world = looking(Mode::default()).await;
    let id = complained(&world, "REFUND_3", "OTHERS").await;
    let (status, answer) = about(&world, "refundComplaint", &id, json!({ "refund_fee": 40 })).await;
    assert_eq!(status, 200, "{answer}");
    world.until(|order| order["refund_fee"] == 40, "REFUND_3").await;
    world.run(json!({ "job": "complaints" })).await;
    assert_eq!(until(&world, &id, |_| true).await["state"], "processed");
    assert_eq!((sent_back(&world), count(&world, &id, "MERCHANT_CONFIRM_COMPLETE")), (vec![40], 1));
}

#[tokio::test]
async fn what_the_payer_writes_after_a_refund_is_answered_by_no_schedule() {
    let world = looking(Mode::default()).await;
    call(&world, "subscribeComplaints", json!({ "provider": "wxpay" })).await;
    let id = complained(&world, "AGAIN_1", "OTHERS").await;
    about(&world, "refundComplaint", &id, json!({ "refund_fee": 40 })).await;
    world.until(|order| order["refund_fee"] == 40, "AGAIN_1").await;
    world.run(json!({ "job": "complaints" })).await;
    until(&world, &id, |own| own["state"] == "processed").await;
    world.sandbox.complain_more(&id, "还差六十").expect("more");
    until(&world, &id, |own| own["times"] == 2).await;
    for _ in 0..2 {
        world.run(json!({ "job": "complaints" })).await;
    }
    assert_eq!((until(&world, &id, |_| true).await["state"].clone(), sent_back(&world)), (json!("pending"), vec![40]));
    assert_eq!(count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), 1, "once for the refund");
    assert_eq!(incidents(&world).await[0]["status"], "open");
    let (status, answer) = about(&world, "refundComplaint", &id, json!({})).await;
    assert_eq!((status, &answer["field"]), (400, &json!("refund_fee")), "{answer}");
    let again = json!({ "refund_fee": 10 });
    about(&world, "refundComplaint", &id, again.clone()).await;
    world.until(|order| order["refund_fee"] == 50, "AGAIN_1").await;
    for _ in 0..2 {
        let (status, answer) = about(&world, "refundComplaint", &id, again.clone()).await;
        assert_eq!((status, &answer["data"]["complaint"]["state"]), (200, &json!("processed")), "{answer}");
    }
    assert_eq!(sent_back(&world), [40, 10]);
    assert_eq!((count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), incidents(&world).await.len()), (2, 1));
}

#[tokio::test]
async fn a_complaint_that_is_opened_again_at_alipay_stays_open() {
    let world = looking(Mode::default()).await;
    sold(&world, "AGAIN_2", json!({ "provider": "alipay" })).await;
    let id = world.sandbox.complain("AGAIN_2", &wish("OTHERS")).expect("a complaint");
    until(&world, &id, |_| true).await;
    let data = json!({ "provider": "alipay", "complaint_id": id, "refund_fee": 40 });
    call(&world, "refundComplaint", data).await;
    world.until(|order| order["refund_fee"] == 40, "AGAIN_2").await;
    world.run(json!({ "job": "complaints" })).await;
    until(&world, &id, |own| own["state"] == "processed").await;
    world.sandbox.complain_more(&id, "还差六十").expect("more");
    for _ in 0..2 {
        world.run(json!({ "job": "complaints" })).await;
    }
    assert_eq!(until(&world, &id, |_| true).await["state"], "pending");
    assert_eq!((count(&world, &id, "MERCHANT_FEEDBACK"), sent_back(&world)), (1, vec![40]));
    assert_eq!(incidents(&world).await[0]["status"], "open");
}

#[tokio::test]
async fn an_answer_at_alipay_is_sent_once_until_the_payer_writes_again() {
    let world = looking(Mode::default()).await;
    sold(&world, "ANSWER_3", json!({ "provider": "alipay" })).await;
    let id = world.sandbox.complain("ANSWER_3", &wish("OTHERS")).expect("a complaint");
    for round in 1..=2 {
        for _ in 0..2 {
            let data = json!({ "provider": "alipay", "complaint_id": id, "response_content": "已补发" });
            let (status, answer) = call(&world, "answerComplaint", data).await;
            assert_eq!(status, 200, "{answer}");
        }
        assert_eq!(count(&world, &id, "MERCHANT_RESPONSE"), round);
        world.sandbox.complain_more(&id, "还是没有").expect("more");
    }
}

#[tokio::test]
async fn merchants_with_one_account_are_told_of_each_complaint_once() {
    let world = World::with(Mode::default(), |config| {
        for node in config["wxpay"].as_object_mut().expect("nodes").values_mut() {
            node["complaints"] = json!(true);
        }
        config["merchants"] = json!({ "twin": { "wxpay": config["wxpay"].clone() } });
    })
    .await;
    let mine = complained(&world, "SHARED_1", "OTHERS").await;
    sold(&world, "SHARED_2", json!({ "pid": "twin" })).await;
    let twins = world.sandbox.complain("SHARED_2", &wish("OTHERS")).expect("a complaint");
    for hour in 2..5 {
        let run = world.run(json!({ "job": "complaints", "time": at_hour(hour) })).await;
        assert_eq!(run["errors"], 0, "{run}");
    }
    for pid in ["default", "twin"] {
        call(&world, "subscribeComplaints", json!({ "provider": "wxpay", "pid": pid })).await;
        for id in [&mine, &twins] {
            let notice = world.sandbox.callback_of(Some(Provider::Wxpay), id, CallbackKind::Complaint);
            assert_eq!(world.sandbox.send(&notice.expect("a notice")).await.expect("an answer").0 / 100, 2);
        }
    }
    for (pid, id) in [("twin", &mine), ("default", &twins)] {
        let (status, answer) = about(&world, "completeComplaint", id, json!({ "pid": pid })).await;
        assert_eq!((status, &answer["code"]), (404, &json!(2060)), "{pid}: {answer}");
    }
    assert_eq!((incidents(&world).await.len(), world.kind("complaint").await.len()), (2, 2));
    assert_eq!(until(&world, &mine, |_| true).await["merchant"], "default");
    assert_eq!(until(&world, &twins, |_| true).await["merchant"], "twin");
}

/// An hour of today, UTC, as the schedule tells it.
fn at_hour(hour: u8) -> String {
    format!("{}T{hour:02}:00:00Z", Day::of((system_clock())()))
}

#[tokio::test]
async fn what_a_list_lacks_is_left_out_and_rung_for_once_a_day() {
    let world = looking(Mode::default()).await;
    let incomplete = ComplaintWish { incomplete: true, ..wish("OTHERS") };
    sold(&world, "LACK_1", json!({})).await;
    world.sandbox.complain("LACK_1", &incomplete).expect("a complaint");
    let whole = complained(&world, "LACK_2", "OTHERS").await;
    let (log, _open) = Log::open();
    let alarms = || log.events().iter().filter(|line| line.contains("complaints_failed")).count();
    let run = async |hour: u8| {
        let run = world.run(json!({ "job": "complaints", "provider": "wxpay", "time": at_hour(hour) })).await;
        assert_eq!(run["errors"], 1, "{run}");
    };
    for hour in [2, 1, 3] {
        run(hour).await;
    }
    assert_eq!((alarms(), world.kind("complaint").await.len()), (1, 1));
    assert_eq!(until(&world, &whole, |_| true).await["out_trade_no"], "LACK_2");
    for hour in [2, 1, 3] {
        world.sandbox.misbehave(Fault::once(Op::Complaints, Misbehaviour::Garbage));
        run(hour).await;
    }
    assert_eq!(alarms(), 2, "and for a list that is none");
}

#[tokio::test]
async fn a_refund_that_is_asked_for_is_granted_when_the_money_is_back() {
    let world = told().await;
    let id = complained(&world, "GRANT_1", "REFUND").await;
    refunded(&world, &id).await;
    assert_eq!((count(&world, &id, "MERCHANT_APPROVE_REFUND"), sent_back(&world)), (1, vec![100]));
    assert_eq!(count(&world, &id, "MERCHANT_CONFIRM_COMPLETE"), 0, "it ended by itself");
}

#[tokio::test]
async fn a_payment_that_no_order_was_credited_with_is_not_refunded_by_its_complaint() {
    let world = World::with(Mode::default(), |config| config["policy"] = json!({ "latePayment": "wait" })).await;
    world.create("LATE_C", json!({})).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "LATE_C" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    world.sandbox.pay("LATE_C", Pay { force: true, ..Pay::default() }).await.expect("paid");
    world.incident_of("late_payment", "LATE_C").await;
    let id = world.sandbox.complain("LATE_C", &wish("OTHERS")).expect("a complaint");
    let (status, answer) = about(&world, "refundComplaint", &id, json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2061)), "{answer}");
    assert_eq!((sent_back(&world).len(), incidents(&world).await.len()), (0, 1));
    let (status, answer) = about(&world, "completeComplaint", "200000020260101000000000000", json!({})).await;
    assert_eq!((status, &answer["code"]), (404, &json!(2060)), "{answer}");
}

#[tokio::test]
async fn a_complaint_of_a_second_payment_under_the_same_number_does_not_refund_the_first() {
    let world = World::with(Mode::default(), |config| config["policy"] = json!({ "duplicatePayment": "wait" })).await;
    for provider in ["alipay", "wxpay"] {
        world.create("TWICE_C", json!({ "provider": provider })).await;
    }
    for provider in [Provider::Alipay, Provider::Wxpay] {
        let how = Pay { provider: Some(provider), force: true, ..Pay::default() };
        world.sandbox.pay("TWICE_C", how).await.expect("paid");
        world.until(|order| order["trade_state"] == "SUCCESS", "TWICE_C").await;
    }
    world.incident_of("second_payment", "TWICE_C").await;
    assert_eq!(world.order("TWICE_C").await["provider"], "alipay");
    let of_wxpay = world.sandbox.complain("TWICE_C", &wish("OTHERS")).expect("a complaint");
    assert_eq!(there(&world, &of_wxpay).provider, Provider::Wxpay);
    let (status, answer) = about(&world, "refundComplaint", &of_wxpay, json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2061)), "{answer}");
    assert_eq!(sent_back(&world), [0u64; 0]);
}

#[tokio::test]
async fn alipays_two_kinds_are_told_or_looked_for_and_ended_in_its_words() {
    let world = looking(Mode::default()).await;
    sold(&world, "ALIPAY_1", json!({ "provider": "alipay" })).await;
    let told = world.sandbox.complain("ALIPAY_1", &wish("OTHERS")).expect("a complaint");
    until(&world, &told, |own| own["provider"] == "alipay").await;
    let risk = ComplaintWish { risk: true, ..wish("OTHERS") };
    let risk = world.sandbox.complain("ALIPAY_1", &risk).expect("a complaint");
    let run = world.run(json!({ "job": "complaints", "provider": "alipay" })).await;
    assert_eq!(run["errors"], 0, "{run}");
    let found = until(&world, &risk, |_| true).await;
    assert_eq!((&found["out_trade_no"], &found["state"]), (&json!("ALIPAY_1"), &json!("pending")), "{found}");
    assert_eq!(incidents(&world).await.len(), 2);
    for id in [&told, &risk] {
        let mut data = json!({ "provider": "alipay", "complaint_id": id });
        let (status, answer) = call(&world, "completeComplaint", data.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &json!("process_code")), "{answer}");
        data["process_code"] = json!("CONSENSUS_WITH_CLIENT");
        data["response_content"] = json!("已与用户协商");
        for _ in 0..2 {
            let (status, answer) = call(&world, "completeComplaint", data.clone()).await;
            assert_eq!((status, &answer["data"]["complaint"]["state"]), (200, &json!("processed")), "{answer}");
        }
    }
    assert!(incidents(&world).await.iter().all(|incident| incident["status"] == "resolved"));
    let (status, answer) = call(&world, "subscribeComplaints", json!({ "provider": "alipay" })).await;
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test]
async fn a_push_of_virtual_payment_tells_in_both_modes() {
    for way in providers_flow::ways().into_iter().filter(|way| ["coins", "plain"].contains(&way.name)) {
        let world = looking(way.mode).await;
        let no = "VIRTUAL_C_1";
        let created = providers_flow::create(&world, &way, no).await;
        providers_flow::pay(&world, &way, &created, true).await;
        let order = world.until(|order| order["trade_state"] == "SUCCESS", no).await;
        let attempt = &order["attempts"][0];
        let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number");
        let id = world.sandbox.complain(number, &wish("OTHERS")).expect("a complaint");
        let found = until(&world, &id, |_| true).await;
        assert_eq!((&found["provider"], &found["out_trade_no"]), (&json!("wxpay-virtual"), &json!(no)), "{found}");
        let data = json!({ "provider": "wxpay-virtual", "complaint_id": id, "response_content": "您好" });
        for _ in 0..2 {
            let (status, answer) = call(&world, "answerComplaint", data.clone()).await;
            assert_eq!(status, 200, "{}: {answer}", way.name);
        }
        let data = json!({ "provider": "wxpay-virtual", "complaint_id": id });
        let (status, answer) = call(&world, "completeComplaint", data).await;
        assert_eq!((status, &answer["data"]["complaint"]["state"]), (200, &json!("processed")), "{answer}");
        assert_eq!((count(&world, &id, "MERCHANT_RESPONSE"), incidents(&world).await.len()), (1, 1), "{}", way.name);
        let run = world.run(json!({ "job": "complaints", "provider": "wxpay-virtual" })).await;
        assert_eq!(run["errors"], 0, "{run}");
    }
}

#[tokio::test]
async fn what_a_provider_has_no_complaints_for_is_refused_in_clear_words() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |_| {}).await;
    for provider in ["wxpay", "huawei"] {
        let data = json!({ "provider": provider, "complaint_id": "1" });
        let (status, answer) = call(&world, "completeComplaint", data).await;
        assert_eq!((status, &answer["code"]), (422, &json!(2005)), "{provider}: {answer}");
    }
}
