//! How transfers end: callbacks, cancelling, money that comes back; and the day's limits.

use crate::binaries_kit::Shop;
use crate::transfers::{NAME, OPENID, alipay, wxpay};
use crate::world::{TABLE, World, merge};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use sandbox::{CallbackKind, Fault, Forgery, Misbehaviour, Mode, Op, TransferOutcome};
use serde_json::{Value, json};

/// A transfer that its payee has confirmed while the callback was lost, and that callback.
async fn ended(world: &World, no: &str, outcome: &TransferOutcome) -> sandbox::SignedRequest {
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose).number(no));
    assert_eq!(world.transfer(wxpay(no, 100)).await.0, 200);
    world.sandbox.settle_transfer(no, outcome).unwrap();
    world.sandbox.build_callback(no, CallbackKind::Transfer)
}

#[tokio::test]
async fn a_forged_callback_moves_nothing() {
    let world = World::start().await;
    let genuine = ended(&world, "FORGED1", &TransferOutcome::Success).await;
    for how in Forgery::ALL {
        let (status, _) = world.sandbox.send(&world.sandbox.forge(genuine.clone(), how)).await.unwrap();
        assert!((400..500).contains(&status), "{how:?}: {status}");
        assert_eq!(world.ledger("FORGED1").await["state"], "WAIT_USER_CONFIRM", "{how:?}");
    }
    assert_eq!(world.sandbox.send(&genuine).await.unwrap().0, 204);
    let item = world.ledger("FORGED1").await;
    assert_eq!(item["state"], "SUCCESS");
    for _ in 0..2 {
        assert_eq!(world.sandbox.send(&genuine).await.unwrap().0, 204, "repeats succeed");
    }
    assert_eq!(world.ledger("FORGED1").await["version"], item["version"], "and write nothing");
    assert!(world.kind("incident").await.is_empty());
}

#[tokio::test]
async fn the_keys_of_the_transfer_node_alone_are_enough() {
    let world = World::with(Mode::default(), |config| {
        let transfer = config["wxpay"]["transfer"].clone();
        config["wxpay"] = json!({ "transfer": transfer });
    })
    .await;
    let callback = ended(&world, "ALONE1", &TransferOutcome::Cancelled).await;
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    assert_eq!(world.ledger("ALONE1").await["state"], "CANCELLED");
}

#[tokio::test]
async fn a_callback_about_an_unknown_number_is_refused_and_writes_nothing() {
    let world = World::start().await;
    let callback = ended(&world, "GONE1", &TransferOutcome::Success).await;
    let delete = world.tables.delete_item().table_name(TABLE);
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    delete.key("pk", key("X#default#GONE1")).key("sk", key("X")).send().await.unwrap();
    let before = world.items(TABLE).await.len();
    let (status, _) = world.sandbox.send(&callback).await.unwrap();
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(world.items(TABLE).await.len(), before);
}

#[tokio::test]
async fn a_callback_that_does_not_fit_the_ledger_is_an_incident_and_moves_nothing() {
    for (field, other) in [
        ("transfer_amount", json!(101)),
        ("payee", json!("oSomebodyElse")),
        ("mch_id", json!("1999999999")),
        ("provider", json!("alipay")),
    ] {
        let world = World::start().await;
        let callback = ended(&world, "ODD1", &TransferOutcome::Success).await;
        world.amend("ODD1", field, &other).await;
        for _ in 0..2 {
            assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204, "{field}");
        }
        assert_eq!(world.ledger("ODD1").await["state"], "WAIT_USER_CONFIRM", "{field}");
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), 1, "{field}: once");
        let incident = &incidents[0];
        assert_eq!(
            (&incident["incident"], &incident["out_bill_no"], &incident["status"]),
            (&json!("transfer_mismatch"), &json!("ODD1"), &json!("open")),
            "{field}: {incident}"
        );
        assert_eq!(incident["transaction_id"], world.sandbox.transfer("ODD1").unwrap().id);
    }
}

#[tokio::test]
async fn a_late_callback_does_not_move_an_end_and_another_end_is_an_incident() {
    let world = World::start().await;
    let callback = ended(&world, "LATE1", &TransferOutcome::Success).await;
    assert_eq!(world.query_transfer(json!({ "out_bill_no": "LATE1" })).await.1["state"], "SUCCESS");
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    assert!(world.kind("incident").await.is_empty());
    world.amend("LATE1", "state", &json!("CANCELLED")).await;
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    assert_eq!(world.ledger("LATE1").await["state"], "CANCELLED");
    let incident = world.incident("transfer_mismatch").await;
    assert_eq!(
        (&incident["expected"]["state"], &incident["actual"]["state"]),
        (&json!("CANCELLED"), &json!("SUCCESS"))
    );
}

#[tokio::test]
async fn an_unconfirmed_transfer_is_cancelled_and_an_ended_one_is_not() {
    let world = World::start().await;
    world.transfer(wxpay("CANCEL1", 100)).await;
    let (status, answer) = world.cancel_transfer("CANCEL1").await;
    assert_eq!((status, &answer["code"], &answer["state"]), (200, &json!(0), &json!("CANCELING")), "{answer}");
    assert_eq!((&answer["transfer_amount"], &answer["options"]), (&json!(100), &Value::Null));
    world.until_state("CANCEL1", "CANCELLED").await;
    let (status, answer) = world.cancel_transfer("CANCEL1").await;
    assert_eq!((status, &answer["state"]), (409, &json!("CANCELLED")), "{answer}");
    let callback = ended(&world, "CANCEL2", &TransferOutcome::Success).await;
    let (status, answer) = world.cancel_transfer("CANCEL2").await;
    assert_eq!((status, &answer["state"]), (409, &json!("SUCCESS")), "it had ended unnoticed: {answer}");
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    world.transfer(alipay("CANCEL3", 100)).await;
    assert_eq!(world.cancel_transfer("CANCEL3").await.0, 422, "Alipay has no such call");
    world.transfer(wxpay("CANCEL4", 100)).await;
    world.sandbox.misbehave(Fault::once(Op::TransferCancel, Misbehaviour::TimeoutAfterCommit(20)));
    assert_eq!(world.cancel_transfer("CANCEL4").await.0, 504);
    world.until_state("CANCEL4", "CANCELLED").await;
}

#[tokio::test]
async fn cancelling_what_never_arrived_ends_it_here() {
    let world = World::start().await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::DropConnection));
    assert_eq!(world.transfer(wxpay("NEVER1", 100)).await.0, 504);
    let (status, answer) = world.cancel_transfer("NEVER1").await;
    assert_eq!((status, &answer["state"]), (504, &json!("UNKNOWN")), "the call may be under way: {answer}");
    let long_ago = world.ledger("NEVER1").await["sent_at"].as_i64().unwrap() - 90_000;
    let item = world.tables.update_item().table_name(TABLE);
    let item = item.key("pk", AttributeValue::S("X#default#NEVER1".to_owned()));
    let item = item.key("sk", AttributeValue::S("X".to_owned())).update_expression("SET sent_at = :at");
    let item = item.expression_attribute_values(":at", AttributeValue::N(long_ago.to_string()));
    item.send().await.unwrap();
    let (status, answer) = world.cancel_transfer("NEVER1").await;
    assert_eq!((status, &answer["state"]), (200, &json!("REFUSED")), "{answer}");
    assert_eq!(world.cancel_transfer("NEVER1").await.0, 409);
    assert!(world.sandbox.transfers().is_empty());
}

#[tokio::test]
async fn money_that_comes_back_from_alipay_is_returned_also_after_a_success() {
    let world = World::start().await;
    assert_eq!(world.transfer(alipay("BACK1", 100)).await.1["state"], "SUCCESS");
    world.sandbox.settle_transfer("BACK1", &TransferOutcome::Returned).unwrap();
    let (status, answer) = world.query_transfer(json!({ "out_bill_no": "BACK1" })).await;
    assert_eq!(
        (status, &answer["state"], &answer["provider_state"]),
        (200, &json!("RETURNED"), &json!("REFUND")),
        "{answer}"
    );
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::HoldTransfer));
    world.transfer(alipay("BACK2", 100)).await;
    world.sandbox.settle_transfer("BACK2", &TransferOutcome::Cancelled).unwrap();
    let (_, answer) = world.query_transfer(json!({ "out_bill_no": "BACK2" })).await;
    assert_eq!((&answer["state"], &answer["provider_state"]), (&json!("FAIL"), &json!("CLOSED")), "{answer}");
}

/// A world whose nodes pay out so much in a day, and so much to one payee.
async fn limited(total: u64, per_payee: u64) -> World {
    World::with(Mode::default(), |config| {
        for provider in ["wxpay", "alipay"] {
            merge(&mut config[provider]["transfer"], json!({ "dailyLimit": total, "dailyLimitPerPayee": per_payee }));
        }
    })
    .await
}

fn to(payee: &str, no: &str, amount: u64) -> Value {
    let mut data = wxpay(no, amount);
    data["openid"] = json!(payee);
    data
}

#[tokio::test]
async fn over_a_limit_is_403_and_nothing_is_sent() {
    let world = limited(1_000, 600).await;
    assert_eq!(world.transfer(to("payee1", "L1", 601)).await.0, 403, "more than one may get");
    assert_eq!(world.transfer(to("payee1", "L2", 600)).await.0, 200);
    let (status, answer) = world.transfer(to("payee1", "L3", 10)).await;
    assert_eq!(status, 403, "{answer}");
    assert_ne!(answer["code"], 0);
    assert_eq!(world.transfer(to("payee2", "L4", 401)).await.0, 403, "more than the node may");
    assert_eq!(world.transfer(to("payee2", "L5", 400)).await.0, 200);
    assert_eq!(world.transfer(to("payee3", "L6", 10)).await.0, 403);
    assert_eq!(world.transfer(to("payee1", "L2", 600)).await.0, 200, "the same call again takes no room");
    assert_eq!(world.transfer(alipay("L7", 500)).await.0, 200, "each node has its own limits");
    assert_eq!(world.asked(Op::Transfer).len(), 3);
    assert_eq!(world.kind("transfer").await.len(), 3, "what is over it is not written");
    for counter in world.kind("transfer_limit").await {
        assert!(counter["expire_at"].is_i64() && !counter.to_string().contains("payee1"), "{counter}");
    }
}

#[tokio::test]
async fn transfers_at_once_never_exceed_a_limit() {
    let world = limited(500, 500).await;
    let calls = (0..8).map(|i| world.transfer(to(&format!("payee{i}"), &format!("RACE{i}"), 100)));
    let answers = join_all(calls).await;
    let done = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!(done, 5, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 403)), "{answers:?}");
    assert_eq!(world.sandbox.transfers().iter().map(|t| t.amount).sum::<u64>(), 500);
    assert_eq!(world.counted().await, 500);
}

#[tokio::test]
async fn room_is_given_back_once_and_only_when_the_money_is_not_gone() {
    let world = limited(1_000, 1_000).await;
    // Refused: given back; sent again: taken again.
    let mut refused = wxpay("ROOM1", 400);
    refused["appid"] = json!("wx0000000000000000");
    for _ in 0..3 {
        assert_eq!(world.transfer(refused.clone()).await.0, 422);
        assert_eq!(world.counted().await, 0);
    }
    // Unknown: kept, and not taken twice by the repeat.
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::DropConnection));
    assert_eq!(world.transfer(wxpay("ROOM2", 400)).await.0, 504);
    assert_eq!(world.counted().await, 400);
    assert_eq!(world.transfer(wxpay("ROOM2", 400)).await.0, 200);
    assert_eq!(world.counted().await, 400);
    // Success: stays. Failed, told by query and callback at once: given back once.
    world.sandbox.confirm_transfer("ROOM2").unwrap();
    world.until_state("ROOM2", "SUCCESS").await;
    let callback = ended(&world, "ROOM3", &TransferOutcome::Fail("ACCOUNT_FROZEN".to_owned())).await;
    assert_eq!(world.counted().await, 500);
    let query = || world.query_transfer(json!({ "out_bill_no": "ROOM3" }));
    let (.., a, b) = tokio::join!(query(), query(), world.sandbox.send(&callback), world.sandbox.send(&callback));
    assert_eq!((a.unwrap().0, b.unwrap().0), (204, 204));
    assert_eq!(world.counted().await, 400);
    // Cancelled.
    world.transfer(wxpay("ROOM4", 500)).await;
    assert_eq!(world.counted().await, 900);
    world.cancel_transfer("ROOM4").await;
    assert_eq!(world.counted().await, 900, "while it is being cancelled it may still be taken");
    world.until_state("ROOM4", "CANCELLED").await;
    assert_eq!(world.counted().await, 400);
    // Returned.
    assert_eq!(world.transfer(alipay("ROOM5", 700)).await.0, 200);
    assert_eq!(world.transfer(alipay("ROOM6", 400)).await.0, 403);
    world.sandbox.settle_transfer("ROOM5", &TransferOutcome::Returned).unwrap();
    world.query_transfer(json!({ "out_bill_no": "ROOM5" })).await;
    assert_eq!(world.transfer(alipay("ROOM6", 400)).await.0, 200);
}

#[tokio::test]
async fn a_refused_number_that_is_sent_again_needs_room_too() {
    let world = limited(500, 500).await;
    world.sandbox.misbehave(Fault::once(Op::Transfer, Misbehaviour::TooMany));
    assert_eq!(world.transfer(alipay("AGAIN1", 400)).await.0, 422);
    assert_eq!(world.transfer(alipay("AGAIN2", 200)).await.0, 200);
    assert_eq!(world.transfer(alipay("AGAIN1", 400)).await.0, 403);
    assert_eq!(world.ledger("AGAIN1").await["state"], "REFUSED");
    assert_eq!(world.sandbox.transfers().len(), 1);
}

#[tokio::test]
async fn no_real_name_is_in_a_log_a_reply_or_an_item() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    for function in ["transfer", "notify"] {
        shop.start(function, 1).await;
    }
    let mut said = String::new();
    for (no, what) in [
        ("QUIET1", None),
        ("QUIET2", Some(Misbehaviour::DropConnection)),
        ("QUIET3", Some(Misbehaviour::Garbage)),
        ("QUIET4", Some(Misbehaviour::SystemError)),
    ] {
        for mut data in [wxpay(no, 300_000), alipay(&format!("{no}A"), 300_000)] {
            if data["provider"] == "wxpay" {
                data["user_name"] = json!(NAME);
            }
            if let Some(what) = what {
                shop.world.sandbox.misbehave(Fault::once(Op::Transfer, what));
            }
            for _ in 0..2 {
                said.push_str(&shop.world.transfer(data.clone()).await.1.to_string());
            }
            let number = json!({ "out_bill_no": data["out_bill_no"], "out_trade_no": data["out_trade_no"] });
            said.push_str(&shop.world.query_transfer(number).await.1.to_string());
        }
        shop.world.sandbox.confirm_transfer(no).unwrap();
        shop.world.until_state(no, "SUCCESS").await;
    }
    for function in ["transfer", "notify"] {
        shop.kill(function).await;
    }
    let items = json!(shop.world.items(TABLE).await).to_string();
    for (what, text) in [("log", shop.log()), ("reply", said), ("item", items.clone())] {
        assert!(text.contains("QUIET1"), "there is a {what} to scan");
        assert!(!text.contains(NAME), "a {what} holds the name");
    }
    assert!(items.contains(OPENID), "the payee's account is in the ledger alone");
    assert!(!shop.log().contains(OPENID) && !shop.log().contains("payee@example.com"));
}

impl World {
    /// What the counters of WeChat Pay's node have in all.
    async fn counted(&self) -> u64 {
        let counters = self.kind("transfer_limit").await;
        let of_node = |c: &&Value| {
            let pk = c["pk"].as_str().unwrap();
            pk.starts_with("C#wxpay#") && pk.matches('#').count() == 3
        };
        counters.iter().filter(of_node).map(|c| c["reserved"].as_u64().unwrap()).sum()
    }

    /// Changes the ledger's item behind the functions' back.
    async fn amend(&self, no: &str, field: &str, value: &Value) {
        use aws_sdk_dynamodb::types::AttributeValue::{N, S};
        let value = match value {
            Value::Number(number) => N(number.to_string()),
            other => S(other.as_str().unwrap().to_owned()),
        };
        let update = self.tables.update_item().table_name(TABLE);
        let update = update.key("pk", S(format!("X#default#{no}"))).key("sk", S("X".to_owned()));
        let update = update.update_expression("SET #f = :v").expression_attribute_names("#f", field);
        update.expression_attribute_values(":v", value).send().await.expect("amended");
    }
}

/// A transfer of Alipay's to an account, so that only its spelling differs.
fn to_account(account: &str, no: &str, amount: u64) -> Value {
    let mut data = alipay(no, amount);
    data["payee_info"] = json!({ "identity_type": "ALIPAY_LOGON_ID", "identity": account, "name": NAME });
    data.as_object_mut().unwrap().retain(|name, _| !name.starts_with("payee_") || name == "payee_info");
    data
}

#[tokio::test]
async fn an_account_is_one_payee_however_it_is_written() {
    let world = limited(100_000, 500).await;
    for (n, spellings) in [
        [
            "payee@example.com",
            "PAYEE@Example.COM",
            " payee@example.com ",
            "payee@exam\u{ff50}le.com",
            "payee\u{ff20}example\u{3002}com",
            "pay\u{ad}ee@exam\u{2060}ple.com",
        ]
        .as_slice(),
        [
            "13800138000",
            "138 0013 8000",
            "138-0013-8000",
            "138\u{2013}0013\u{2013}8000",
            "138\u{b7}0013/8000",
            "+86 13800138000",
            "86-13800138000",
            "(86)138 0013 8000",
            "\u{ff0b}\u{ff18}\u{ff16}13800138000",
            "0086-138-0013-8000",
            "\u{202d}13800138000\u{202c}",
        ]
        .as_slice(),
    ]
    .into_iter()
    .enumerate()
    {
        let first = world.transfer(to_account(spellings[0], &format!("SPELT{n}_0"), 500)).await;
        assert_eq!(first.0, 200, "{}", first.1);
        for (m, spelling) in spellings.iter().enumerate() {
            let (status, answer) = world.transfer(to_account(spelling, &format!("SPELT{n}_{m}_AGAIN"), 10)).await;
            assert_eq!(status, 403, "{spelling:?}: {answer}");
        }
    }
    assert_eq!(world.asked(Op::Transfer).len(), 2);
    // An openid is told apart by its letters' case.
    for (n, openid) in ["oPayer-abc", "oPayer-ABC"].into_iter().enumerate() {
        assert_eq!(world.transfer(to(openid, &format!("OPENID{n}"), 500)).await.0, 200, "{openid}");
    }
}

#[tokio::test]
async fn a_receipt_is_made_and_answered_only_when_its_file_is_the_signed_one() {
    let world = World::start().await;
    let receipt = |no: &str| {
        let body = json!({ "action": "pay/transferReceipt", "data": { "out_bill_no": no } });
        let world = &world;
        async move { world.call("transfer", body).await }
    };
    assert_eq!(receipt("NEVER1").await.0, 404);
    let mut named = wxpay("PAPER1", 100);
    named["user_name"] = json!(NAME);
    world.transfer(named).await;
    let (status, answer) = receipt("PAPER1").await;
    assert_eq!((status, &answer["code"]), (409, &json!(2035)), "it has not ended: {answer}");
    world.sandbox.confirm_transfer("PAPER1").unwrap();
    world.until_state("PAPER1", "SUCCESS").await;
    world.sandbox.misbehave(Fault::once(Op::Receipt, Misbehaviour::SystemError));
    assert_eq!(receipt("PAPER1").await.0, 504);
    let (status, answer) = receipt("PAPER1").await;
    assert_eq!((status, &answer["state"], &answer["file"]), (200, &json!("GENERATING"), &Value::Null), "{answer}");
    let mut file = Value::Null;
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        let (status, answer) = receipt("PAPER1").await;
        assert_eq!(status, 200, "{answer}");
        if answer["state"] == "FINISHED" {
            file = answer;
            break;
        }
    }
    assert_eq!(file["content_type"], "application/pdf", "{file}");
    assert!(file["file"].as_str().is_some_and(|base64| base64.starts_with("JVBERi0xLjQ")), "a PDF: {file}");
    assert_eq!(file["sha256"].as_str().map(str::len), Some(64), "{file}");
    world.sandbox.misbehave(Fault::once(Op::Receipt, Misbehaviour::Contradict));
    let (status, answer) = receipt("PAPER1").await;
    assert_eq!((status, &answer["file"]), (504, &Value::Null), "another file is none: {answer}");
    // Without the payee's name WeChat Pay makes none.
    let callback = ended(&world, "PAPER2", &TransferOutcome::Success).await;
    assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 204);
    assert_eq!(receipt("PAPER2").await.1["code"], 2035);
    assert_eq!(world.transfer(alipay("PAPER-3", 100)).await.0, 200);
    assert_eq!(receipt("PAPER-3").await.1["code"], 2005, "Alipay's are not asked for");
}
