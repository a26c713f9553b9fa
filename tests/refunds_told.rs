//! Refunds as providers number them and tell of them: numbers that are a payment's, consoles, what gets stuck.

use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{Endpoint, Fault, Misbehaviour, Mode, Op, Provider, RefundOutcome};
use serde_json::{Value, json};
use shared::domain::Provider as Ours;
use shared::payments::check_bills;

async fn paid(world: &World, provider: &str, no: &str) {
    let (status, answer) = world.create(no, json!({ "provider": provider })).await;
    assert_eq!(status, 200, "{answer}");
    world.pay(no).await;
}

fn lose_callbacks(world: &World) {
    world.sandbox.misbehave(Fault { on: Endpoint::op(Op::Notify), times: None, what: Misbehaviour::Lose });
}

async fn incidents(world: &World, name: &str) -> Vec<Value> {
    world.kind("incident").await.into_iter().filter(|i| i["incident"] == name).collect()
}

#[tokio::test]
async fn two_console_refunds_of_one_number_both_count_by_their_callbacks() {
    let world = World::start().await;
    for (no, amount) in [("NUMBERED_1", 30), ("NUMBERED_2", 40)] {
        paid(&world, "alipay", no).await;
        world.sandbox.console_refund(no, Some("1"), amount).unwrap();
    }
    for (no, amount) in [("NUMBERED_1", 30), ("NUMBERED_2", 40)] {
        let order = world.until(|order| order["refund_fee"] == amount, no).await;
        assert_eq!(order["refundable"], 100 - amount);
    }
    assert_eq!(incidents(&world, "refund_elsewhere").await.len(), 2);
    // The merchant's own refund may have that number too, at another payment.
    paid(&world, "alipay", "NUMBERED_3").await;
    let own = json!({ "out_trade_no": "NUMBERED_3", "out_refund_no": "1", "refund_fee": 10 });
    for _ in 0..2 {
        let (status, answer) = world.call("refund", own.clone()).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(world.order("NUMBERED_3").await["refund_fee"], 10);
    let other = json!({ "out_trade_no": "NUMBERED_1", "out_refund_no": "1", "refund_fee": 10 });
    assert_eq!(world.call("refund", other).await.0, 409, "of one payment a number is one refund");
}

#[tokio::test]
async fn two_console_refunds_of_one_number_both_count_by_the_bill() {
    let world = World::start().await;
    for no in ["BILLED_1", "BILLED_2"] {
        paid(&world, "alipay", no).await;
    }
    lose_callbacks(&world);
    world.sandbox.console_refund("BILLED_1", Some("1"), 30).unwrap();
    world.sandbox.console_refund("BILLED_2", Some("1"), 40).unwrap();
    let bills = async || {
        let app = world.app.as_ref().expect("an app");
        let cx = app.context(app.config().await);
        check_bills(&cx, (app.clock)() + std::time::Duration::from_hours(24), None, None, Some(Ours::Alipay))
            .await
            .expect("a run")
    };
    let reply = bills().await;
    assert_eq!((reply.refunds, reply.incidents, reply.errors), (2, 2, 0));
    for (no, amount) in [("BILLED_1", 30), ("BILLED_2", 40)] {
        let order = world.order(no).await;
        assert_eq!((&order["refund_fee"], &order["refundable"]), (&json!(amount), &json!(100 - amount)), "{no}");
    }
    let again = bills().await;
    assert_eq!((again.refunds, again.incidents, again.errors), (0, 0, 0));
    assert_eq!(world.kind("refund").await.len(), 2);
}

#[tokio::test]
async fn u3_a_whole_refund_of_the_console_that_the_query_does_not_know_is_counted() {
    // What is known already is taken off: 100 less 30.
    for known in [0_u64, 30] {
        let world = World::start().await;
        paid(&world, "alipay", "U3_WHOLE").await;
        if known > 0 {
            let own = json!({ "out_trade_no": "U3_WHOLE", "out_refund_no": "OWN", "refund_fee": known });
            assert_eq!(world.call("refund", own).await.0, 200);
            world.until(|order| order["refund_fee"] == known, "U3_WHOLE").await;
        }
        world.sandbox.console_refund("U3_WHOLE", None, 100 - known).unwrap();
        let order = world.until(|order| order["refund_fee"] == 100, "U3_WHOLE").await;
        assert_eq!(
            (&order["trade_state"], &order["status"], &order["refundable"]),
            (&json!("REFUND"), &json!(3), &json!(0))
        );
        let told = incidents(&world, "refund_elsewhere").await;
        assert_eq!((told.len(), &told[0]["actual"]), (1, &json!(100 - known)));
        // Told again, it is the same refund.
        let refunds = world.kind("refund").await.len();
        let again = world.sandbox.callback_of_refund(Provider::Alipay, "U3_WHOLE", usize::from(known > 0)).unwrap();
        assert_eq!(world.sandbox.send(&again).await.unwrap().0, 200);
        assert_eq!(world.order("U3_WHOLE").await["refund_fee"], 100);
        assert_eq!(world.kind("refund").await.len(), refunds);
        assert_eq!(incidents(&world, "refund_elsewhere").await.len(), 1);
        assert_eq!(world.call("refund", json!({ "out_trade_no": "U3_WHOLE", "refund_fee": 1 })).await.0, 409);
    }
}

#[tokio::test]
async fn u3_earlier_refunds_of_the_console_that_nobody_told_of_are_counted_with_the_last() {
    let world = World::start().await;
    paid(&world, "alipay", "U3_REST").await;
    world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Notify, Misbehaviour::Lose) });
    world.sandbox.console_refund("U3_REST", Some("1"), 40).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(world.order("U3_REST").await["refund_fee"], 0, "nobody told");
    world.sandbox.console_refund("U3_REST", Some("2"), 60).unwrap();
    let order = world.until(|order| order["refund_fee"] == 100, "U3_REST").await;
    assert_eq!(order["refundable"], 0);
    let told: u64 = incidents(&world, "refund_elsewhere").await.iter().filter_map(|i| i["actual"].as_u64()).sum();
    assert_eq!(told, 100, "each part is told");
}

#[tokio::test]
async fn a_whole_refund_before_the_payment_delivers_nothing() {
    let world = World::start().await;
    let (status, _) = world.create("WHOLE_EARLY", json!({ "provider": "alipay" })).await;
    assert_eq!(status, 200);
    world.pay_silently("WHOLE_EARLY").await;
    world.sandbox.console_refund("WHOLE_EARLY", None, 100).unwrap();
    let order = world.until(|order| order["refund_fee"] == 100, "WHOLE_EARLY").await;
    assert_eq!((&order["trade_state"], &order["user_order_success"]), (&json!("REFUND"), &json!(false)));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
}

#[tokio::test]
async fn f4_a_refund_that_gets_stuck_is_told_at_once_with_its_reason() {
    for version in [3, 2] {
        let world = World::with(Mode { wxpay_version: version, ..Mode::default() }, |_| {}).await;
        paid(&world, "wxpay", "F4_STUCK").await;
        world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, Misbehaviour::HoldRefund) });
        let own = json!({ "out_trade_no": "F4_STUCK", "out_refund_no": "F4_R", "refund_fee": 60 });
        assert_eq!(world.call("refund", own).await.1["status"], "PROCESSING");
        world.sandbox.settle_refund("F4_R", RefundOutcome::Abnormal);
        for _ in 0..100 {
            if !world.kind("incident").await.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let told = world.kind("incident").await;
        assert_eq!(told.len(), 1, "version {version}: {told:?}");
        assert_eq!(
            (&told[0]["incident"], &told[0]["out_trade_no"], &told[0]["out_refund_no"], &told[0]["actual"]),
            (&json!("refund_abnormal"), &json!("F4_STUCK"), &json!("F4_R"), &json!("ABNORMAL"))
        );
        let ask = json!({ "action": "pay/queryRefund", "data": { "out_trade_no": "F4_STUCK" } });
        let (_, listed) = world.call("refund", ask).await;
        let refund = &listed["data"]["refunds"][0];
        assert_eq!((&refund["status"], &refund["reason"]), (&json!("PROCESSING"), &json!("ABNORMAL")), "{listed}");
        assert_eq!(world.order("F4_STUCK").await["refund_reserved"], 60, "nothing is given back");
        assert_eq!(world.kind("incident").await.len(), 1, "once");
    }
}

#[tokio::test]
async fn f4_a_refund_that_is_closed_is_told_at_once_with_its_reason() {
    let world = World::start().await;
    paid(&world, "wxpay", "F4_CLOSED").await;
    world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, Misbehaviour::HoldRefund) });
    let own = json!({ "out_trade_no": "F4_CLOSED", "out_refund_no": "F4_C", "refund_fee": 60 });
    world.call("refund", own).await;
    world.sandbox.settle_refund("F4_C", RefundOutcome::Closed);
    world.until(|order| order["refundable"] == 100, "F4_CLOSED").await;
    let told = incidents(&world, "refund_abnormal").await;
    assert_eq!((told.len(), &told[0]["actual"]), (1, &json!("CLOSED")));
    let ask = json!({ "action": "pay/queryRefund", "data": { "out_trade_no": "F4_CLOSED" } });
    let (_, listed) = world.call("refund", ask).await;
    let refund = &listed["data"]["refunds"][0];
    assert_eq!((&refund["status"], &refund["reason"]), (&json!("CLOSED"), &json!("CLOSED")), "{listed}");
}

#[tokio::test]
async fn a_repetition_of_a_refund_is_sent_again_at_once_where_its_number_makes_that_harmless() {
    for provider in ["alipay", "wxpay"] {
        for what in [Misbehaviour::DropConnection, Misbehaviour::SystemErrorAfterCommit] {
            // The query is away too: the number alone makes the repetition safe.
            for away in [false, true] {
                let world = World::start().await;
                paid(&world, provider, "REPEAT_1").await;
                world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, what) });
                let own = json!({ "out_trade_no": "REPEAT_1", "out_refund_no": "REPEAT_R", "refund_fee": 60 });
                assert_eq!(world.call("refund", own.clone()).await.0, 504, "{provider} {what:?}");
                if away {
                    world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::Http5xx));
                }
                let (status, answer) = world.call("refund", own).await;
                assert_eq!(status, 200, "{provider} {what:?} {away}: {answer}");
                world.sandbox.behave();
                world.until(|order| order["refund_fee"] == 60, "REPEAT_1").await;
                assert_eq!(world.sandbox.refunds().len(), 1, "{provider} {what:?}: once");
            }
        }
    }
}

#[tokio::test]
async fn a_refund_at_vkspay_is_never_sent_a_second_time() {
    for mode in [Mode::default(), Mode { epay: sandbox::Epay::Md5, ..Mode::default() }] {
        let world = World::with(mode, |_| {}).await;
        let (status, _) = world.create("NEVER_1", json!({ "provider": "vkspay" })).await;
        assert_eq!(status, 200);
        let number = world.sandbox.trades()[0].number.clone();
        world.sandbox.pay(&number, sandbox::Pay::default()).await.unwrap();
        world.until(|order| order["trade_state"] == "SUCCESS", "NEVER_1").await;
        world
            .sandbox
            .misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, Misbehaviour::SystemErrorAfterCommit) });
        let own = json!({ "out_trade_no": "NEVER_1", "out_refund_no": "NEVER_R", "refund_fee": 30 });
        for _ in 0..3 {
            assert_eq!(world.call("refund", own.clone()).await.0, 504);
        }
        let sent = world.sandbox.requests().iter().filter(|r| r.op == Op::Refund).count();
        assert_eq!(sent, 1, "{:?}", world.sandbox.trade_at(Provider::Vkspay, &number));
    }
}

#[tokio::test]
async fn a_refusal_of_a_repetition_that_nobody_confirmed_ends_nothing() {
    let world = World::start().await;
    paid(&world, "wxpay", "BLIND_1").await;
    lose_callbacks(&world);
    world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, Misbehaviour::DropConnection) });
    let own = json!({ "out_trade_no": "BLIND_1", "out_refund_no": "BLIND_R", "refund_fee": 60 });
    assert_eq!(world.call("refund", own.clone()).await.0, 504);
    // The provider refuses the repetition, because less is left there; whether it has the first one nobody tells.
    world.console_refund("BLIND_1", 60).await;
    world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::Http5xx));
    assert_eq!(world.call("refund", own.clone()).await.0, 504);
    assert_eq!(world.order("BLIND_1").await["refund_reserved"], 60, "nothing is given back");
    // Once the query says that it has not, a refusal is one.
    world.sandbox.behave();
    assert_eq!(world.call("refund", own).await.0, 422);
    assert_eq!(world.order("BLIND_1").await["refund_reserved"], 0);
}

#[tokio::test]
async fn a_console_refund_that_comes_before_one_of_ours_is_counted_once_ours_is_refused() {
    let world = World::start().await;
    paid(&world, "alipay", "CONTEST_1").await;
    world.sandbox.misbehave(Fault { times: Some(1), ..Fault::new(Op::Refund, Misbehaviour::DropConnection) });
    let own = json!({ "out_trade_no": "CONTEST_1", "out_refund_no": "OWN", "refund_fee": 60 });
    assert_eq!(world.call("refund", own.clone()).await.0, 504);
    // 60 are reserved here, and have gone back there by another's hand.
    lose_callbacks(&world);
    let place = world.sandbox.console_refund("CONTEST_1", Some("1"), 60).unwrap();
    let told = async || {
        let callback = world.sandbox.callback_of_refund(Provider::Alipay, "CONTEST_1", place).unwrap();
        world.sandbox.send(&callback).await.unwrap().0
    };
    assert_eq!(told().await, 500, "which of the two it is shows only later: it comes again");
    assert_eq!(world.call("refund", own.clone()).await.0, 504, "for 10 s the query may not know what was taken");
    assert_eq!(world.order("CONTEST_1").await["refund_reserved"], 60);
    let begun = (world.app.as_ref().unwrap().clock)().get() - 20_000;
    let key = [("pk", "O#CONTEST_1"), ("sk", "R#OWN")].map(|(k, v)| (k.to_owned(), Av::S(v.to_owned())));
    let update = world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key.into()));
    let update = update.update_expression("SET create_date = :at");
    update.expression_attribute_values(":at", Av::N(begun.to_string())).send().await.expect("written");
    assert_eq!(world.call("refund", own).await.0, 422, "the provider has less left");
    assert_eq!(told().await, 200);
    let order = world.order("CONTEST_1").await;
    assert_eq!(
        (&order["refund_fee"], &order["refund_reserved"], &order["refundable"]),
        (&json!(60), &json!(0), &json!(40))
    );
    assert_eq!(incidents(&world, "refund_elsewhere").await.len(), 1);
}

/// Refunds a part of 100 at Alipay, where the refund query knows nothing of it afterwards; what the repetition answers.
async fn unlisted(world: &World, no: &str, fee: u64, first: Misbehaviour) -> (u16, Value) {
    paid(world, "alipay", no).await;
    lose_callbacks(world);
    world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::KnowsNothing));
    world.sandbox.misbehave(Fault::once(Op::Refund, first));
    let own = json!({ "out_trade_no": no, "out_refund_no": "OWN", "refund_fee": fee });
    assert_eq!(world.call("refund", own.clone()).await.0, 504);
    age(world, no, "OWN").await;
    world.call("refund", own).await
}

/// Has a refund begun twenty seconds earlier, when the refund query may still not have known it.
async fn age(world: &World, no: &str, number: &str) {
    let begun = (world.app.as_ref().unwrap().clock)().get() - 20_000;
    set(world, no, number, "create_date", Av::N(begun.to_string())).await;
}

/// Writes a field of a refund.
async fn set(world: &World, no: &str, number: &str, name: &str, value: Av) {
    let key = [("pk", format!("O#{no}")), ("sk", format!("R#{number}"))].map(|(k, v)| (k.to_owned(), Av::S(v)));
    let update = world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key.into()));
    let update = update.update_expression("SET #name = :value").expression_attribute_names("#name", name);
    update.expression_attribute_values(":value", value).send().await.expect("written");
}

#[tokio::test]
async fn a_refund_that_the_query_does_not_know_is_done_when_the_sum_of_all_says_so() {
    let world = World::start().await;
    let (status, answer) = unlisted(&world, "SUM_1", 100, Misbehaviour::SystemErrorAfterCommit).await;
    assert_eq!((status, &answer["status"]), (200, &json!("SUCCESS")), "{answer}");
    let order = world.order("SUM_1").await;
    assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(100), &json!(0)));
    assert!(incidents(&world, "refund_mismatch").await.is_empty());
}

#[tokio::test]
async fn an_untold_refund_of_the_same_amount_is_not_taken_for_ours() {
    for lands in [true, false] {
        let world = World::start().await;
        paid(&world, "alipay", "TWIN_1").await;
        lose_callbacks(&world);
        world.sandbox.console_refund("TWIN_1", Some("X"), 30).unwrap();
        world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
        let own = json!({ "out_trade_no": "TWIN_1", "out_refund_no": "OWN", "refund_fee": 30 });
        let (status, answer) = world.call("refund", own).await;
        assert_eq!((status, &answer["status"]), (200, &json!("PROCESSING")), "{lands}: {answer}");
        if lands {
            world.sandbox.settle_refund("OWN", RefundOutcome::Success);
        }
        let returned = world.sandbox.trade("TWIN_1").unwrap().returned();
        let app = world.app.as_ref().expect("an app");
        let cx = app.context(app.config().await);
        let tomorrow = (app.clock)() + std::time::Duration::from_hours(24);
        let reply = check_bills(&cx, tomorrow, None, None, Some(Ours::Alipay)).await.expect("a run");
        assert_eq!(reply.errors, 0, "{lands}");
        let order = world.order("TWIN_1").await;
        assert_eq!(order["refund_fee"], returned, "{lands}: each counts once");
        assert_eq!(order["refund_reserved"], 60 - returned, "{lands}");
    }
}

#[tokio::test]
async fn a_part_that_the_query_does_not_know_ends_by_the_bill_and_not_by_a_sum_that_may_be_of_others() {
    let world = World::start().await;
    let (status, answer) = unlisted(&world, "SUM_3", 60, Misbehaviour::SystemErrorAfterCommit).await;
    assert_eq!((status, &answer["status"]), (200, &json!("PROCESSING")), "{answer}");
    assert_eq!(world.order("SUM_3").await["refund_reserved"], 60);
    let app = world.app.as_ref().expect("an app");
    let cx = app.context(app.config().await);
    let tomorrow = (app.clock)() + std::time::Duration::from_hours(24);
    check_bills(&cx, tomorrow, None, None, Some(Ours::Alipay)).await.expect("checked");
    let order = world.order("SUM_3").await;
    assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(60), &json!(0)));
}

#[tokio::test]
async fn an_answer_about_another_refund_of_the_same_number_ends_nothing() {
    let world = World::start().await;
    for no in ["FOREIGN_1", "FOREIGN_2"] {
        paid(&world, "wxpay", no).await;
    }
    lose_callbacks(&world);
    let other = Av::S("4200000000000000000000000001".to_owned());
    for (no, name, value) in
        [("FOREIGN_1", "refund_fee", Av::N("41".to_owned())), ("FOREIGN_2", "transaction_id", other)]
    {
        let number = format!("R_{no}");
        let own = json!({ "out_trade_no": no, "out_refund_no": number, "refund_fee": 40 });
        assert_eq!(world.call("refund", own).await.0, 200);
        // As if this one had never reached the provider, and the number were of another system with the same account.
        set(&world, no, &number, name, value).await;
    }
    world.reconcile(3_600_000).await;
    for no in ["FOREIGN_1", "FOREIGN_2"] {
        let refund = world.kind("refund").await.into_iter().find(|refund| refund["out_trade_no"] == no).unwrap();
        assert_eq!(refund["state"], "PROCESSING", "{refund}");
        let order = world.order(no).await;
        assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(0), &json!(40)));
    }
    let told = incidents(&world, "refund_mismatch").await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|incident| incident["actual"]["refund_fee"] == 40), "{told:?}");
}

#[tokio::test]
async fn a_message_without_a_refund_number_ends_no_refund_that_has_the_number_of_the_payment() {
    let world = World::start().await;
    paid(&world, "alipay", "SAME_1").await;
    lose_callbacks(&world);
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::DropConnection));
    let own = json!({ "out_trade_no": "SAME_1", "out_refund_no": "SAME_1", "refund_fee": 50 });
    assert_eq!(world.call("refund", own).await.0, 504);
    let place = world.sandbox.console_refund("SAME_1", None, 60).unwrap();
    assert_eq!(told(&world, "SAME_1", place).await, 500, "the refund query may not know it yet");
    age(&world, "SAME_1", "SAME_1").await;
    assert_eq!(told(&world, "SAME_1", place).await, 200);
    let order = world.order("SAME_1").await;
    assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(0), &json!(50)), "50 were not refunded");
    let told = incidents(&world, "refund_mismatch").await;
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test]
async fn a_refund_whose_amount_is_in_what_went_back_whole_is_never_called_refused() {
    let world = World::start().await;
    paid(&world, "alipay", "SUM_2").await;
    lose_callbacks(&world);
    world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::KnowsNothing));
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::DropConnection));
    let own = json!({ "out_trade_no": "SUM_2", "out_refund_no": "OWN", "refund_fee": 60 });
    assert_eq!(world.call("refund", own.clone()).await.0, 504);
    // All of it goes back by another's hand, and the trade is closed by that.
    world.sandbox.console_refund("SUM_2", Some("1"), 100).unwrap();
    let (status, answer) = world.call("refund", own).await;
    assert_eq!((status, &answer["status"]), (200, &json!("SUCCESS")), "{answer}");
    assert_eq!(world.order("SUM_2").await["refund_fee"], 60);
    let told = incidents(&world, "refund_mismatch").await;
    assert_eq!((told.len(), &told[0]["actual"]["refunded"]), (1, &json!(100)), "more has gone back than is known");
}

/// Alipay tells of a refund that stands at a place of its payment's list; how that is answered.
async fn told(world: &World, no: &str, place: usize) -> u16 {
    let callback = world.sandbox.callback_of_refund(Provider::Alipay, no, place).unwrap();
    world.sandbox.send(&callback).await.unwrap().0
}

#[tokio::test]
async fn a_sum_of_a_part_counts_no_refund_that_is_told_of_later() {
    let world = World::start().await;
    paid(&world, "alipay", "PART_1").await;
    lose_callbacks(&world);
    let first = world.sandbox.console_refund("PART_1", Some("1"), 20).unwrap();
    let second = world.sandbox.console_refund("PART_1", Some("2"), 30).unwrap();
    // Its callback says that 50 have gone back in all.
    assert_eq!(told(&world, "PART_1", second).await, 200);
    assert_eq!(world.order("PART_1").await["refund_fee"], 30);
    assert_eq!(told(&world, "PART_1", first).await, 200);
    let order = world.order("PART_1").await;
    assert_eq!((&order["refund_fee"], &order["refundable"]), (&json!(50), &json!(50)));
}

#[tokio::test]
async fn a_part_that_nobody_tells_the_amount_of_is_an_incident_and_its_amount_is_in_the_bills() {
    let world = World::start().await;
    paid(&world, "alipay", "PART_2").await;
    lose_callbacks(&world);
    world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::KnowsNothing));
    let first = world.sandbox.console_refund("PART_2", Some("1"), 20).unwrap();
    let second = world.sandbox.console_refund("PART_2", None, 30).unwrap();
    assert_eq!(told(&world, "PART_2", second).await, 200);
    assert_eq!(world.order("PART_2").await["refund_fee"], 0, "which of the 50 it is nobody says");
    assert_eq!(incidents(&world, "refund_elsewhere").await.len(), 1);
    let app = world.app.as_ref().expect("an app");
    let cx = app.context(app.config().await);
    let tomorrow = (app.clock)() + std::time::Duration::from_hours(24);
    world.sandbox.behave();
    lose_callbacks(&world);
    check_bills(&cx, tomorrow, None, None, Some(Ours::Alipay)).await.expect("checked");
    let by_bill = incidents(&world, "bill_refund").await;
    assert!(by_bill.iter().any(|incident| incident["actual"] == 30), "{by_bill:?}");
    assert_eq!(world.order("PART_2").await["refund_fee"], 20, "the bill names the other one");
    assert_eq!(told(&world, "PART_2", first).await, 200);
    assert_eq!(world.order("PART_2").await["refund_fee"], 20, "once");
}

#[tokio::test]
async fn refunds_that_are_refused_for_ever_end_once_all_of_the_payment_has_gone_back() {
    for (no, knows, of) in [("WHOLE_1", false, None), ("WHOLE_2", true, None), ("WHOLE_3", true, Some("1"))] {
        let world = World::start().await;
        paid(&world, "alipay", no).await;
        lose_callbacks(&world);
        if !knows {
            world.sandbox.misbehave(Fault::new(Op::RefundQuery, Misbehaviour::KnowsNothing));
        }
        let own = |number: &str, fee: u64| json!({ "out_trade_no": no, "out_refund_no": number, "refund_fee": fee });
        for (number, fee) in [("R1", 30), ("R2", 41)] {
            world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::DropConnection));
            assert_eq!(world.call("refund", own(number, fee)).await.0, 504);
        }
        let place = world.sandbox.console_refund(no, of, 100).unwrap();
        assert_eq!(told(&world, no, place).await, 500, "two that may yet be refused are under way");
        for (number, fee) in [("R1", 30), ("R2", 41)] {
            let (status, answer) = world.call("refund", own(number, fee)).await;
            assert_eq!((status, &answer["status"]), (200, &json!("PROCESSING")), "nothing is said of it: {answer}");
        }
        assert_eq!(told(&world, no, place).await, 200, "{no}");
        let order = world.order(no).await;
        assert_eq!((&order["refund_fee"], &order["refund_reserved"]), (&json!(100), &json!(0)), "{no}");
        for refund in world.kind("refund").await {
            assert_eq!(refund["state"], "SUCCESS", "{refund}");
        }
    }
}

#[tokio::test]
async fn what_goes_back_in_money_is_told_beside_what_goes_back() {
    let world = World::start().await;
    let (status, _) = world.create("CASH_1", json!({ "provider": "alipay", "total_fee": 1000 })).await;
    assert_eq!(status, 200);
    world.pay("CASH_1").await;
    let own = json!({ "out_trade_no": "CASH_1", "out_refund_no": "CASH_R", "refund_fee": 600 });
    let (_, answer) = world.call("refund", own).await;
    assert_eq!((&answer["refundFee"], &answer["cashRefundFee"]), (&json!(600), &json!(500)), "{answer}");
}
