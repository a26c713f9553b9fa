//! Pay codes, which are closed by a reversal that gives back what was paid.

use crate::world::{TABLE, World};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use serde_json::{Value, json};

/// A pay code that its payer has paid after a question for the password, which nobody has told of.
async fn paid_by_code(world: &World, provider: &str, no: &str) -> String {
    let code = if provider == "wxpay" { "130000000000000007" } else { "2800000000000000007" };
    let (status, made) = world.create(no, json!({ "provider": provider, "auth_code": code })).await;
    assert_eq!((status, &made["trade_state"]), (200, &json!("NOTPAY")), "{made}");
    world.pay_silently(no).await;
    code.to_owned()
}

/// The reversal was asked for a minute earlier than it was.
async fn a_minute_passes(world: &World, no: &str) {
    amend(world, no, "reversing", (shared::app::system_clock())().get() - 61_000).await;
}

async fn amend(world: &World, no: &str, field: &str, value: i64) {
    let update = world.tables.update_item().table_name(TABLE);
    let update = update.key("pk", Av::S(format!("O#{no}"))).key("sk", Av::S("O".to_owned()));
    let update = update.update_expression(format!("SET attempts[0].{field} = :v"));
    update.expression_attribute_values(":v", Av::N(value.to_string())).send().await.expect("written");
}

/// The parameters of an order's first attempt have ended, if it has any.
async fn outdate(world: &World, no: &str) {
    let update = world.tables.update_item().table_name(TABLE);
    let update = update.key("pk", Av::S(format!("O#{no}"))).key("sk", Av::S("P#1".to_owned()));
    let update = update.update_expression("SET fresh_until = :v").condition_expression("attribute_exists(pk)");
    let _ = update.expression_attribute_values(":v", Av::N("0".to_owned())).send().await;
}

fn has_gone_back(world: &World, no: &str) -> bool {
    let trade = world.sandbox.trade(no).expect("a trade");
    trade.state == sandbox::TradeState::Revoked || trade.refunds.iter().map(|refund| refund.amount).sum::<u64>() == 100
}

#[tokio::test]
async fn a_pay_code_that_is_being_reversed_is_credited_by_nobody() {
    for provider in ["wxpay", "alipay"] {
        let world = std::sync::Arc::new(World::start().await);
        let no = format!("REVERSED_{provider}");
        paid_by_code(&world, provider, &no).await;
        // WeChat Pay calls nobody back about pay codes.
        let callback =
            (provider == "alipay").then(|| world.sandbox.build_callback(&no, sandbox::CallbackKind::Payment));
        // The reversal takes its time to answer.
        let slow = sandbox::Misbehaviour::TimeoutAfterCommit(1_500);
        world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Reverse, slow));
        let closing = tokio::spawn({
            let (world, no) = (world.clone(), no.clone());
            async move {
                world.call("create-payment", json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } })).await
            }
        });
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert_eq!(world.call("query-payment", json!({ "out_trade_no": no })).await.1["trade_state"], "NOTPAY");
        if let Some(callback) = &callback {
            let answered = world.sandbox.send(callback).await.expect("an answer").0;
            assert_eq!(answered, 409, "it comes again, and rings no alarm of failed callbacks");
        }
        let (status, closed) = closing.await.expect("an answer");
        if status != 200 {
            // Its answer was lost; the same again finds it reversed.
            assert_eq!(status, 504, "{provider}: {closed}");
            let again = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
            let (status, closed) = world.call("create-payment", again).await;
            assert_eq!(status, 200, "{provider}: {closed}");
        }
        assert!(has_gone_back(&world, &no), "{provider}");
        // What was signed before the reversal, told when that is long over.
        a_minute_passes(&world, &no).await;
        if let Some(callback) = &callback {
            assert_eq!(world.sandbox.send(callback).await.expect("an answer").0, 200, "{provider}");
        }
        let order = world.order(&no).await;
        assert_eq!(
            (&order["trade_state"], &order["user_order_success"]),
            (&json!("CLOSED"), &Value::Null),
            "{provider}"
        );
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0, "{provider}");
        assert!(world.kind("incident").await.is_empty(), "{provider}: {:?}", world.kind("incident").await);
    }
}

#[tokio::test]
async fn a_signed_payment_of_whose_reversal_its_provider_does_not_tell_is_an_incident_at_the_third_time() {
    let world = World::start().await;
    let no = "REVERSED_OR_NOT";
    paid_by_code(&world, "alipay", no).await;
    let callback = world.sandbox.build_callback(no, sandbox::CallbackKind::Payment);
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Reverse, sandbox::Misbehaviour::DropConnection));
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Query, sandbox::Misbehaviour::Refuse));
    let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
    assert_eq!(world.call("create-payment", close).await.0, 504);
    a_minute_passes(&world, no).await;
    for times in 1..=3 {
        assert!(world.sandbox.send(&callback).await.expect("an answer").0 >= 500, "it comes again");
        assert_eq!(world.kind("incident").await.len(), usize::from(times == 3));
    }
    assert_eq!(world.incident_of("unconfirmed_notice", no).await["provider"], "alipay");
    assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
    world.sandbox.behave();
    assert_eq!(world.sandbox.send(&callback).await.expect("an answer").0, 200);
    assert_eq!(world.order(no).await["trade_state"], "SUCCESS", "the provider has the payment still");
    let incident = world.incident_of("unconfirmed_notice", no).await;
    assert_eq!((&incident["status"], &incident["note"]), (&json!("resolved"), &json!("the payment is credited")));
}

#[tokio::test]
async fn a_doubted_payment_that_turns_out_to_have_gone_back_ends_its_incident() {
    let world = World::start().await;
    let no = "DOUBTED_AND_BACK";
    paid_by_code(&world, "alipay", no).await;
    let callback = world.sandbox.build_callback(no, sandbox::CallbackKind::Payment);
    // The reversal arrives, and its answer and those of the questions are lost.
    let lost = sandbox::Misbehaviour::TimeoutAfterCommit(0);
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Reverse, lost));
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Query, sandbox::Misbehaviour::DropConnection));
    let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
    assert_eq!(world.call("create-payment", close).await.0, 504);
    a_minute_passes(&world, no).await;
    for _ in 0..3 {
        assert!(world.sandbox.send(&callback).await.expect("an answer").0 >= 500, "it comes again");
    }
    assert_eq!(world.incident_of("unconfirmed_notice", no).await["status"], "open");
    world.sandbox.behave();
    assert_eq!(world.sandbox.send(&callback).await.expect("an answer").0, 200);
    let incident = world.incident_of("unconfirmed_notice", no).await;
    assert_eq!((&incident["status"], &incident["note"]), (&json!("resolved"), &json!("the payment has gone back")));
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
}

#[tokio::test]
async fn a_pay_code_that_was_credited_is_not_reversed() {
    let world = World::start().await;
    for provider in ["wxpay", "alipay"] {
        let no = format!("CREDITED_{provider}");
        paid_by_code(&world, provider, &no).await;
        assert_eq!(world.call("query-payment", json!({ "out_trade_no": no })).await.1["trade_state"], "SUCCESS");
        let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
        assert_eq!(world.call("create-payment", close).await.0, 409);
        assert!(!has_gone_back(&world, &no), "{provider}");
    }
}

#[tokio::test]
async fn a_reversal_that_never_reached_the_provider_leaves_the_payment_to_be_credited() {
    let world = World::start().await;
    let no = "NOT_REVERSED";
    paid_by_code(&world, "wxpay", no).await;
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Reverse, sandbox::Misbehaviour::DropConnection));
    let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
    assert_eq!(world.call("create-payment", close).await.0, 504);
    let ask = json!({ "out_trade_no": no });
    assert_eq!(world.call("query-payment", ask.clone()).await.1["trade_state"], "NOTPAY", "it may yet arrive");
    a_minute_passes(&world, no).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(world.call("query-payment", ask).await.1["trade_state"], "SUCCESS");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
}

#[tokio::test]
async fn closing_and_asking_at_once_never_delivers_what_goes_back() {
    let world = World::start().await;
    for n in 0..16_u64 {
        let no = format!("AT_ONCE_{n:02}");
        let provider = if n % 4 == 3 { "alipay" } else { "wxpay" };
        paid_by_code(&world, provider, &no).await;
        let wait = |ms: u64| tokio::time::sleep(std::time::Duration::from_millis(ms));
        let close = async {
            wait(n % 5).await;
            world.call("create-payment", json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } })).await
        };
        let ask = async {
            wait(n % 3).await;
            world.call("query-payment", json!({ "out_trade_no": no })).await
        };
        let (closed, _) = tokio::join!(close, ask);
        let credited = world.order(&no).await["trade_state"] == "SUCCESS";
        assert_eq!(has_gone_back(&world, &no), !credited, "{no}: {closed:?}");
    }
}

#[tokio::test]
async fn a_paid_code_whose_reversal_is_refused_every_time_is_credited_when_its_order_ends() {
    for (provider, refusal) in [
        ("wxpay", sandbox::Misbehaviour::Refuse),
        ("alipay", sandbox::Misbehaviour::Refuse),
        ("wxpay", sandbox::Misbehaviour::SystemError),
        ("alipay", sandbox::Misbehaviour::SystemError),
    ] {
        let world = World::start().await;
        let no = format!("REFUSED_{provider}");
        paid_by_code(&world, provider, &no).await;
        world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Reverse, refusal));
        let over = 3 * 3_600_000;
        world.reconcile(over).await;
        if refusal == sandbox::Misbehaviour::SystemError {
            // Nobody knows whether it reached the provider; from the next look on it is asked about.
            assert_eq!(world.order(&no).await["trade_state"], "NOTPAY", "{provider}");
            a_minute_passes(&world, &no).await;
            world.reconcile(over + 3_700_000).await;
        }
        assert_eq!(world.order(&no).await["trade_state"], "SUCCESS", "{provider} {refusal:?}");
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "{provider}");
    }
}

#[tokio::test]
async fn an_unpaid_code_whose_reversal_is_refused_keeps_its_order_due_and_is_credited_when_it_is_paid() {
    let world = World::start().await;
    let no = "REFUSED_UNPAID";
    let code = json!({ "provider": "wxpay", "auth_code": "130000000000000007" });
    assert_eq!(world.create(no, code).await.0, 200);
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Reverse, sandbox::Misbehaviour::Refuse));
    let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": no } });
    let (status, closed) = world.call("create-payment", close).await;
    assert_eq!(status, 422, "{closed}");
    world.pay_silently(no).await;
    let (_, asked) = world.call("query-payment", json!({ "out_trade_no": no })).await;
    assert_eq!(asked["trade_state"], "SUCCESS", "a refused reversal stops nobody from asking");

    let no = "REFUSED_UNTOLD";
    let code = json!({ "provider": "wxpay", "auth_code": "130000000000000007" });
    assert_eq!(world.create(no, code).await.0, 200);
    world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Query, sandbox::Misbehaviour::Refuse));
    let run = world.reconcile(3 * 3_600_000).await;
    assert_eq!((&run["closed"], &run["errors"]), (&json!(0), &json!(1)), "{run}");
    let order = world.order(no).await;
    assert_eq!((&order["trade_state"], order["due"].is_i64()), (&json!("NOTPAY"), true), "it stays due");
}

#[tokio::test]
async fn a_creation_that_is_told_of_its_payment_while_it_is_reversed_is_asked_about_soon() {
    // What the provider does with the first call: it is never heard, and the next is told of the payment; or it pays,
    // and the next is refused because of that.
    let firsts = [sandbox::Misbehaviour::DropConnection, sandbox::Misbehaviour::TimeoutAfterCommit(0)];
    for (provider, first) in ["wxpay", "alipay"].into_iter().flat_map(|provider| firsts.map(|first| (provider, first)))
    {
        let world = World::start().await;
        let no = format!("TOLD_{provider}");
        let code = if provider == "wxpay" { "130000000000000001" } else { "2800000000000000001" };
        let data = json!({ "provider": provider, "auth_code": code });
        world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Create, first));
        // Until the order is an hour old its provider tells nobody how it stands.
        for op in [sandbox::Op::Query, sandbox::Op::Notify] {
            world.sandbox.misbehave(sandbox::Fault::new(op, sandbox::Misbehaviour::DropConnection));
        }
        world.create(&no, data.clone()).await;
        world.reconcile(70 * 60_000).await;
        world.sandbox.behave();
        world.sandbox.misbehave(sandbox::Fault::new(sandbox::Op::Notify, sandbox::Misbehaviour::Lose));
        // Somebody closes it at this moment, and the reversal is on its way.
        amend(&world, &no, "reversing", (shared::app::system_clock())().get()).await;
        outdate(&world, &no).await;
        let (status, answer) = world.create(&no, data).await;
        let told = if first == firsts[0] { 200 } else { 409 };
        assert_eq!(status, told, "{provider} {first:?}: {answer}");
        assert!(world.sandbox.trade(&no).is_some_and(|trade| trade.paid.is_some()), "{provider}");
        assert_eq!(world.order(&no).await["trade_state"], "NOTPAY", "{provider}");
        // The reversal never arrived.
        a_minute_passes(&world, &no).await;
        world.reconcile(61_000).await;
        assert_eq!(world.order(&no).await["trade_state"], "SUCCESS", "{provider} {first:?}");
    }
}

#[tokio::test]
async fn a_pay_code_that_its_provider_did_not_know_when_it_was_reversed_is_looked_at_after_a_minute() {
    let world = World::start().await;
    let lost = sandbox::Misbehaviour::DropConnection;
    world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Create, lost));
    let data = json!({ "provider": "alipay", "auth_code": "2800000000000000001" });
    world.create("NOT_THERE_YET", data).await;
    let close = json!({ "url": "pay/closePayment", "data": { "out_trade_no": "NOT_THERE_YET" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    let due = world.order("NOT_THERE_YET").await["due"].as_i64().expect("due");
    assert!(due <= (shared::app::system_clock())().get() + 60_000, "the payment may be on its way: {due}");
}
