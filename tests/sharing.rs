//! Profit sharing: reserve, share, end, return; and refunds, which take shares back first.

use crate::world::World;
use futures::future::join_all;
use sandbox::{Fault, Misbehaviour, Mode, Op, Trade};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Two merchants and a person who may be given shares.
const SUPPLIER: &str = "1900000100";
const BRAND: &str = "1900000200";
const PERSON: &str = "oReceiver00000000000000000001";

/// A paid order of 1000 fen that may be shared, up to the whole of it.
async fn paid(no: &str) -> World {
    let world = World::start().await;
    open(&world);
    sold(&world, no).await;
    world
}

fn open(world: &World) {
    let mchid = &world.keys.wechat.mchid;
    world.sandbox.share_at_most(100);
    for (kind, account) in [("MERCHANT_ID", SUPPLIER), ("MERCHANT_ID", BRAND), ("PERSONAL_OPENID", PERSON)] {
        world.sandbox.let_share(mchid, kind, account);
    }
}

async fn sold(world: &World, no: &str) {
    let (status, made) = world.create(no, json!({ "total_fee": 1000, "other": { "profit_sharing": true } })).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
}

async fn call(world: &World, action: &str, data: Value) -> (u16, Value) {
    world.call("refund", json!({ "action": format!("pay/{action}"), "data": data })).await
}

fn to(account: &str, amount: u64) -> Value {
    json!({ "type": "MERCHANT_ID", "account": account, "amount": amount, "description": "分给供应商" })
}

async fn share(world: &World, no: &str, number: &str, receivers: Value) -> (u16, Value) {
    call(world, "profitShare", json!({ "out_trade_no": no, "out_order_no": number, "receivers": receivers })).await
}

/// A share that has finished.
async fn shared(world: &World, no: &str, number: &str, receivers: Value) {
    let (status, made) = share(world, no, number, receivers).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("PROCESSING")), "{made}");
    settle().await;
    world.reconcile(MINUTE).await;
    assert_eq!(item(world, no, number).await["state"], "FINISHED");
}

/// The sandbox is done with a share after 30 ms.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
}

async fn item(world: &World, no: &str, number: &str) -> Value {
    let shares = world.kind("share").await.into_iter();
    shares.into_iter().find(|s| s["out_trade_no"] == no && s["out_order_no"] == number).unwrap_or_default()
}

async fn returns(world: &World, no: &str) -> Vec<Value> {
    world.kind("share_return").await.into_iter().filter(|r| r["out_trade_no"] == no).collect()
}

/// What the order has: reserved, shared, returning, refundable.
async fn sums(world: &World, no: &str) -> [u64; 4] {
    let order = world.order(no).await;
    let sharing = &order["sharing"];
    [&sharing["reserved"], &sharing["shared"], &sharing["returning"], &order["refundable"]]
        .map(|sum| sum.as_u64().unwrap())
}

fn trade(world: &World, no: &str) -> Trade {
    world.sandbox.trade(no).expect("a trade")
}

fn taken(world: &World, no: &str) -> u64 {
    trade(world, no).sharing.expect("a trade that may be shared").taken()
}

#[tokio::test]
async fn an_order_is_shared_among_receivers_and_each_ends_by_itself() {
    let world = paid("SHARE_1").await;
    world.sandbox.fail_shares_to(BRAND, Some("ACCOUNT_ABNORMAL"));
    let receivers = json!([
        to(SUPPLIER, 200),
        to(BRAND, 100),
        { "type": "PERSONAL_OPENID", "account": PERSON, "amount": 50 },
    ]);
    let (status, made) = share(&world, "SHARE_1", "S1", receivers.clone()).await;
    assert_eq!((status, &made["data"]["state"], &made["data"]["amount"]), (200, &json!("PROCESSING"), &json!(350)));
    assert_eq!(sums(&world, "SHARE_1").await, [350, 0, 0, 1000]);
    settle().await;
    world.reconcile(MINUTE).await;
    let item = item(&world, "SHARE_1", "S1").await;
    let results: Vec<&str> =
        item["receivers"].as_array().unwrap().iter().map(|r| r["result"].as_str().unwrap()).collect();
    assert_eq!((&item["state"], results), (&json!("FINISHED"), vec!["SUCCESS", "CLOSED", "SUCCESS"]));
    assert_eq!(item["receivers"][1]["fail_reason"], "ACCOUNT_ABNORMAL");
    assert!(item.get("due_shard").is_none(), "{item}");
    assert_eq!(sums(&world, "SHARE_1").await, [0, 250, 0, 1000]);
    // The same request is the same share; another content is none.
    assert_eq!(share(&world, "SHARE_1", "S1", receivers).await.0, 200);
    let (status, answer) = share(&world, "SHARE_1", "S1", json!([to(SUPPLIER, 201)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2050)), "{answer}");
    let (status, told) = call(&world, "queryShare", json!({ "out_trade_no": "SHARE_1" })).await;
    assert_eq!((status, &told["data"]["unshared"], &told["data"]["unsplit_amount"]), (200, &json!(750), &json!(750)));
    assert_eq!(told["data"]["shares"].as_array().map(Vec::len), Some(1));
    assert_eq!(trade(&world, "SHARE_1").sharing.unwrap().shares.len(), 1);
}

#[tokio::test]
async fn eight_shares_and_eight_refunds_at_once_never_exceed_what_was_paid() {
    let world = paid("RACE_1").await;
    let (shares, refunds) = futures::join!(
        join_all((0..8).map(|i| {
            let world = &world;
            async move { share(world, "RACE_1", &format!("RS{i}"), json!([to(SUPPLIER, 300)])).await }
        })),
        join_all((0..8).map(|i| {
            let body = json!({ "out_trade_no": "RACE_1", "refund_fee": 300, "out_refund_no": format!("RR{i}") });
            world.call("refund", body)
        })),
    );
    let done = shares.iter().chain(&refunds).filter(|(status, _)| *status == 200).count();
    assert!(done <= 3, "{shares:?} {refunds:?}");
    assert!(shares.iter().chain(&refunds).all(|(status, _)| matches!(status, 200 | 409)), "{shares:?} {refunds:?}");
    let trade = trade(&world, "RACE_1");
    assert!(trade.sharing.as_ref().unwrap().taken() + trade.refunded() <= 1000);
    let [reserved, shared, returning, refundable] = sums(&world, "RACE_1").await;
    assert!(reserved + shared <= refundable && returning == 0, "{reserved} {shared} {returning} {refundable}");
}

#[tokio::test]
async fn nothing_is_shared_of_an_order_that_was_not_made_for_it_is_not_paid_or_has_ended() {
    let world = World::start().await;
    open(&world);
    world.create("PLAIN_1", json!({ "total_fee": 1000 })).await;
    let (status, answer) = share(&world, "PLAIN_1", "P1", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2002)), "{answer}");
    world.pay("PLAIN_1").await;
    let (status, answer) = share(&world, "PLAIN_1", "P1", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2052)), "{answer}");
    assert_eq!(share(&world, "NOBODY_KNOWS", "P1", json!([to(SUPPLIER, 1)])).await.0, 404);
    sold(&world, "ENDED_1").await;
    let unfreeze = json!({ "out_trade_no": "ENDED_1", "out_order_no": "U1" });
    let (status, made) = call(&world, "unfreezeShare", unfreeze.clone()).await;
    assert_eq!((status, &made["data"]["state"], &made["data"]["amount"]), (200, &json!("PROCESSING"), &json!(0)));
    let (status, answer) = share(&world, "ENDED_1", "P2", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2052)), "{answer}");
    settle().await;
    let (status, made) = call(&world, "unfreezeShare", unfreeze).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("FINISHED")), "{made}");
    assert!(trade(&world, "ENDED_1").sharing.unwrap().unfrozen);
    assert_eq!(world.call("refund", json!({ "out_trade_no": "ENDED_1" })).await.0, 200, "the rest can be refunded");
}

#[tokio::test]
async fn no_payer_says_that_an_order_is_shared() {
    let world = World::with(Mode::default(), |config| config["auth"]["createPayment"] = json!("none")).await;
    let order = json!({ "action": "pay/createPayment", "data": {
        "provider": "wxpay", "out_trade_no": "PAYER_1", "total_fee": 100, "subject": "a", "type": "recharge",
        "vk_platform": "h5", "custom": { "user_id": "user_001" }, "other": { "profit_sharing": true },
    }});
    let (status, answer) = world.post(&world.url("create-payment"), order, None).await;
    assert_eq!(status, 403, "{answer}");
}

#[tokio::test]
async fn orders_of_a_configured_type_may_be_shared_without_a_word_of_the_caller() {
    let world = World::with(Mode::default(), |config| config["profitSharing"] = json!(["recharge"])).await;
    open(&world);
    world.create("TYPE_1", json!({ "total_fee": 1000 })).await;
    world.pay("TYPE_1").await;
    shared(&world, "TYPE_1", "T1", json!([to(SUPPLIER, 300)])).await;
    assert_eq!(taken(&world, "TYPE_1"), 300);
}

#[tokio::test]
async fn a_share_whose_answer_was_lost_is_one_share_and_stays_reserved_until_then() {
    for what in [
        Misbehaviour::SystemErrorAfterCommit,
        Misbehaviour::TimeoutAfterCommit(20),
        Misbehaviour::Garbage,
        Misbehaviour::BadSignature,
        Misbehaviour::Http5xx,
        Misbehaviour::TooMany,
        Misbehaviour::DropConnection,
    ] {
        let world = paid("LOST_1").await;
        world.sandbox.misbehave(Fault::once(Op::Share, what));
        let (status, answer) = share(&world, "LOST_1", "L1", json!([to(SUPPLIER, 600)])).await;
        assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{what:?}: {answer}");
        assert_eq!(sums(&world, "LOST_1").await, [600, 0, 0, 1000], "{what:?}");
        let (status, _) = share(&world, "LOST_1", "L2", json!([to(SUPPLIER, 600)])).await;
        assert_eq!(status, 409, "{what:?}: it may have gone out");
        world.reconcile(MINUTE).await;
        settle().await;
        world.reconcile(10 * MINUTE).await;
        let sharing = trade(&world, "LOST_1").sharing.unwrap();
        assert_eq!((sharing.shares.len(), sharing.taken()), (1, 600), "{what:?}");
        assert_eq!(sums(&world, "LOST_1").await, [0, 600, 0, 1000], "{what:?}");
    }
}

#[tokio::test]
async fn a_refused_share_is_free_again_and_the_same_number_may_be_tried_again() {
    let world = paid("REFUSED_1").await;
    world.sandbox.share_at_most(30);
    let (status, answer) = share(&world, "REFUSED_1", "N1", json!([to(SUPPLIER, 301)])).await;
    assert_eq!((status, &answer["code"]), (422, &json!(3006)), "{answer}");
    assert_eq!(sums(&world, "REFUSED_1").await, [0, 0, 0, 1000]);
    assert_eq!(item(&world, "REFUSED_1", "N1").await["state"], "REFUSED");
    world.sandbox.share_at_most(100);
    shared(&world, "REFUSED_1", "N1", json!([to(SUPPLIER, 301)])).await;
    assert_eq!((taken(&world, "REFUSED_1"), sums(&world, "REFUSED_1").await), (301, [0, 301, 0, 1000]));
    // One that would end sharing, refused, does not.
    world.sandbox.misbehave(Fault::once(Op::Share, Misbehaviour::NotEnabled));
    let unfreeze = json!({ "out_trade_no": "REFUSED_1", "out_order_no": "N2" });
    assert_eq!(call(&world, "unfreezeShare", unfreeze).await.0, 422);
    shared(&world, "REFUSED_1", "N3", json!([to(SUPPLIER, 10)])).await;
}

#[tokio::test]
async fn a_return_gives_back_what_a_merchant_got_and_never_more() {
    let world = paid("BACK_1").await;
    shared(
        &world,
        "BACK_1",
        "B1",
        json!([to(SUPPLIER, 300), { "type": "PERSONAL_OPENID", "account": PERSON, "amount": 100 }]),
    )
    .await;
    let back = |number: &str, account: &str, amount: u64| {
        let data = json!({
            "out_trade_no": "BACK_1", "out_order_no": "B1", "out_return_no": number, "return_mchid": account, "amount": amount,
        });
        call(&world, "returnShare", data)
    };
    let (status, made) = back("R1", SUPPLIER, 120).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("SUCCESS")), "{made}");
    assert_eq!(back("R1", SUPPLIER, 120).await.0, 200);
    assert_eq!(back("R1", SUPPLIER, 121).await.1["code"], 2050);
    assert_eq!(back("R2", SUPPLIER, 181).await.1["code"], 2055);
    assert_eq!(back("R3", PERSON, 1).await.1["code"], 2055, "a person returns nothing");
    assert_eq!((taken(&world, "BACK_1"), sums(&world, "BACK_1").await), (280, [0, 280, 0, 1000]));
    world.sandbox.fail_returns_by(SUPPLIER, Some("BALANCE_NOT_ENOUGH"));
    let (status, answer) = back("R4", SUPPLIER, 180).await;
    assert_eq!((status, &answer["code"], &answer["data"]["state"]), (422, &json!(3006), &json!("FAILED")), "{answer}");
    assert_eq!(sums(&world, "BACK_1").await, [0, 280, 0, 1000]);
    world.sandbox.fail_returns_by(SUPPLIER, None);
    for what in [Misbehaviour::TimeoutAfterCommit(20), Misbehaviour::DropConnection] {
        world.sandbox.misbehave(Fault::once(Op::ShareReturn, what));
        let number = format!("R5{}", returns(&world, "BACK_1").await.len());
        assert_eq!(back(&number, SUPPLIER, 40).await.0, 504, "{what:?}");
        world.reconcile(MINUTE).await;
        assert!(
            returns(&world, "BACK_1").await.iter().any(|r| r["out_return_no"] == number && r["state"] == "SUCCESS")
        );
    }
    assert_eq!((taken(&world, "BACK_1"), sums(&world, "BACK_1").await), (200, [0, 200, 0, 1000]));
}

#[tokio::test]
async fn a_refund_first_takes_back_what_it_needs_from_the_newest_share() {
    let world = paid("FIRST_1").await;
    shared(&world, "FIRST_1", "F1", json!([to(SUPPLIER, 300)])).await;
    shared(&world, "FIRST_1", "F2", json!([to(BRAND, 200)])).await;
    // What is not shared is refunded as it is.
    assert_eq!(world.call("refund", json!({ "out_trade_no": "FIRST_1", "refund_fee": 400 })).await.0, 200);
    assert!(returns(&world, "FIRST_1").await.is_empty());
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "FIRST_1", "refund_fee": 350 })).await;
    assert_eq!(status, 200, "{answer}");
    let mut made: Vec<(String, u64)> = returns(&world, "FIRST_1")
        .await
        .iter()
        .map(|r| (r["return_mchid"].as_str().unwrap().to_owned(), r["amount"].as_u64().unwrap()))
        .collect();
    made.sort();
    assert_eq!(made, [(SUPPLIER.to_owned(), 50), (BRAND.to_owned(), 200)]);
    assert_eq!((taken(&world, "FIRST_1"), trade(&world, "FIRST_1").refunded()), (250, 750));
    assert_eq!(sums(&world, "FIRST_1").await, [0, 250, 0, 250]);
    settle().await;
    assert_eq!(world.call("refund", json!({ "out_trade_no": "FIRST_1" })).await.0, 200, "all that is left");
    assert_eq!((taken(&world, "FIRST_1"), trade(&world, "FIRST_1").refunded()), (0, 1000));
}

#[tokio::test]
async fn a_refund_whose_share_is_not_returned_is_refused_and_somebody_is_told_which() {
    for why in ["BALANCE_NOT_ENOUGH", "TIME_OUT_CLOSED"] {
        let world = paid("STUCK_1").await;
        shared(&world, "STUCK_1", "K1", json!([to(SUPPLIER, 400)])).await;
        shared(&world, "STUCK_1", "K2", json!([to(BRAND, 300)])).await;
        world.sandbox.fail_returns_by(SUPPLIER, Some(why));
        let refund = json!({ "out_trade_no": "STUCK_1", "out_refund_no": "STUCK_R" });
        let (status, answer) = world.call("refund", refund.clone()).await;
        assert_eq!((status, &answer["code"]), (422, &json!(3007)), "{answer}");
        assert_eq!(trade(&world, "STUCK_1").refunded(), 0, "nothing was refunded");
        // What came back before stays with the merchant.
        assert_eq!((taken(&world, "STUCK_1"), sums(&world, "STUCK_1").await), (400, [0, 400, 0, 1000]));
        let told: Vec<Value> = world.kind("incident").await;
        assert_eq!((told.len(), &told[0]["incident"]), (1, &json!("share_not_returned")), "{told:?}");
        assert_eq!((&told[0]["actual"]["out_order_no"], &told[0]["actual"]["reason"]), (&json!("K1"), &json!(why)));
        // The same request again, when the receiver has the money.
        world.sandbox.fail_returns_by(SUPPLIER, None);
        let (status, answer) = world.call("refund", refund).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!((taken(&world, "STUCK_1"), trade(&world, "STUCK_1").refunded()), (0, 1000));
        assert_eq!(sums(&world, "STUCK_1").await, [0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn a_refund_that_waits_for_a_return_is_resumed_by_the_schedule() {
    for what in [Misbehaviour::TimeoutAfterCommit(20), Misbehaviour::DropConnection, Misbehaviour::Http5xx] {
        let world = paid("WAIT_1").await;
        shared(&world, "WAIT_1", "W1", json!([to(SUPPLIER, 400)])).await;
        world.sandbox.misbehave(Fault::once(Op::ShareReturn, what));
        let refund = json!({ "out_trade_no": "WAIT_1", "out_refund_no": "WAIT_R" });
        assert_eq!(world.call("refund", refund).await.0, 504, "{what:?}");
        assert_eq!((trade(&world, "WAIT_1").refunded(), sums(&world, "WAIT_1").await), (0, [0, 0, 400, 0]), "{what:?}");
        world.reconcile(MINUTE).await;
        assert_eq!((taken(&world, "WAIT_1"), trade(&world, "WAIT_1").refunded()), (0, 1000), "{what:?}");
        assert_eq!(sums(&world, "WAIT_1").await, [0, 0, 0, 0], "{what:?}");
        assert_eq!(returns(&world, "WAIT_1").await.len(), 1, "{what:?}");
    }
    // A return that the provider is at is waited for, too.
    let world = paid("HELD_1").await;
    shared(&world, "HELD_1", "H1", json!([to(SUPPLIER, 400)])).await;
    world.sandbox.hold_sharing(true);
    let refund = json!({ "out_trade_no": "HELD_1", "out_refund_no": "HELD_R" });
    let (status, answer) = world.call("refund", refund).await;
    assert_eq!((status, &answer["data"]["status"]), (200, &json!("PROCESSING")), "{answer}");
    assert_eq!(trade(&world, "HELD_1").refunded(), 0);
    world.sandbox.hold_sharing(false);
    world.reconcile(MINUTE).await;
    assert_eq!((taken(&world, "HELD_1"), trade(&world, "HELD_1").refunded()), (0, 1000));
}

#[tokio::test]
async fn a_refund_that_was_told_to_be_under_way_and_is_refused_later_is_an_incident() {
    let world = paid("LATER_1").await;
    shared(&world, "LATER_1", "L1", json!([to(SUPPLIER, 400)])).await;
    world.sandbox.hold_sharing(true);
    let refund = json!({ "out_trade_no": "LATER_1", "out_refund_no": "LATER_R" });
    let (status, answer) = world.call("refund", refund).await;
    assert_eq!((status, &answer["data"]["status"]), (200, &json!("PROCESSING")), "{answer}");
    world.sandbox.hold_sharing(false);
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::Missing));
    world.reconcile(MINUTE).await;
    let refund = world.kind("refund").await.remove(0);
    assert_eq!((&refund["state"], trade(&world, "LATER_1").refunded()), (&json!("REFUSED"), 0), "{refund}");
    let told: Vec<Value> = world.kind("incident").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["incident"], &told[0]["actual"]), (&json!("refund_abnormal"), &json!("REFUSED")));
}

#[tokio::test]
async fn an_order_that_began_elsewhere_is_not_frozen_by_a_flag_that_nothing_here_could_undo() {
    let world = World::start().await;
    open(&world);
    let begun = json!({ "provider": "vkspay", "total_fee": 1000, "other": { "profit_sharing": true } });
    let alipay = json!({ "provider": "alipay", "vk_platform": "mp-alipay", "openid": "o_user_1" });
    for (no, provider, paid) in [
        ("SWITCH_1", sandbox::Provider::Wxpay, json!({ "provider": "wxpay" })),
        ("SWITCH_2", sandbox::Provider::Alipay, alipay),
    ] {
        assert_eq!(world.create(no, begun.clone()).await.0, 200);
        let mut again = begun.clone();
        crate::world::merge(&mut again, paid);
        let (status, answer) = world.create(no, again).await;
        assert_eq!(status, 200, "{answer}");
        let trades = world.sandbox.trades();
        let made = trades.iter().find(|trade| trade.provider == provider).expect("a trade");
        assert!(made.sharing.is_none(), "frozen: {made:?}");
        assert!(world.order(no).await["sharing"].is_null());
    }
}

#[tokio::test]
async fn what_persons_have_or_is_under_way_is_not_refunded() {
    let world = paid("PERSON_1").await;
    shared(&world, "PERSON_1", "P1", json!([{ "type": "PERSONAL_OPENID", "account": PERSON, "amount": 400 }])).await;
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "PERSON_1" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2056)), "{answer}");
    assert_eq!(world.call("refund", json!({ "out_trade_no": "PERSON_1", "refund_fee": 600 })).await.0, 200);
    sold(&world, "UNDERWAY_1").await;
    world.sandbox.hold_sharing(true);
    assert_eq!(share(&world, "UNDERWAY_1", "P2", json!([to(SUPPLIER, 400)])).await.0, 200);
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "UNDERWAY_1" })).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2013)), "{answer}");
    assert_eq!(trade(&world, "UNDERWAY_1").refunded(), 0);
}

#[tokio::test]
async fn a_receiver_is_added_under_its_sealed_name_and_deleted() {
    let world = World::start().await;
    let receiver = json!({
        "provider": "wxpay", "type": "MERCHANT_ID", "account": SUPPLIER, "name": "示例商户全称", "relation_type": "SUPPLIER",
    });
    let (status, answer) = call(&world, "addReceiver", receiver.clone()).await;
    assert_eq!((status, &answer["data"]["account"]), (200, &json!(SUPPLIER)), "{answer}");
    assert_eq!(call(&world, "addReceiver", receiver).await.0, 200, "twice is once");
    assert_eq!(world.sandbox.receivers().len(), 1);
    let sent: Vec<String> =
        world.sandbox.requests().iter().map(|r| format!("{r:?}")).filter(|r| r.contains("receivers/add")).collect();
    assert!(sent.iter().all(|request| !request.contains("示例商户全称")), "{sent:?}");
    let gone = json!({ "provider": "wxpay", "type": "MERCHANT_ID", "account": SUPPLIER });
    assert_eq!(call(&world, "deleteReceiver", gone).await.0, 200);
    assert!(world.sandbox.receivers().is_empty());
    for (data, field) in [
        (json!({ "provider": "wxpay", "type": "MERCHANT_ID", "account": SUPPLIER }), "name"),
        (json!({ "provider": "wxpay", "type": "SHOP", "account": SUPPLIER }), "type"),
        (
            json!({ "provider": "wxpay", "type": "PERSONAL_OPENID", "account": PERSON, "relation_type": "CUSTOM" }),
            "custom_relation",
        ),
    ] {
        let (status, answer) = call(&world, "addReceiver", data).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{answer}");
    }
    let alipay = json!({ "provider": "alipay", "type": "PERSONAL_OPENID", "account": "a" });
    assert_eq!(call(&world, "addReceiver", alipay).await.1["field"], "type", "of another provider");
    let vkspay = json!({ "provider": "vkspay", "type": "PERSONAL_OPENID", "account": "a" });
    assert_eq!(call(&world, "addReceiver", vkspay).await.1["code"], 2005);
}

#[tokio::test]
async fn a_share_without_apiv3_is_unsupported() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |_| {}).await;
    world.create("VERSION_2", json!({ "total_fee": 1000, "other": { "profit_sharing": true } })).await;
    world.pay("VERSION_2").await;
    let (status, answer) = share(&world, "VERSION_2", "V1", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (422, &json!(2005)), "{answer}");
}

#[tokio::test]
async fn a_share_that_is_not_as_it_must_be_names_its_field() {
    let world = paid("SHAPE_1").await;
    for (receivers, field) in [
        (json!([]), "receivers"),
        (json!({}), "receivers"),
        (json!([to(SUPPLIER, 0)]), "receivers[0].amount"),
        (json!([to(SUPPLIER, 1), to(SUPPLIER, 2)]), "receivers[1].account"),
        (json!([{ "type": "SHOP", "account": SUPPLIER, "amount": 1 }]), "receivers[0].type"),
        (json!([{ "account": SUPPLIER, "amount": 1, "name": "x" }]), "receivers[0].name"),
        (json!([{ "amount": 1 }]), "receivers[0].account"),
        (json!([{ "account": SUPPLIER, "amount": 1.5 }]), "receivers[0].amount"),
    ] {
        let (status, answer) = share(&world, "SHAPE_1", "S1", receivers.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{receivers}: {answer}");
    }
    let (status, answer) = share(&world, "SHAPE_1", "has.dot", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["field"]), (400, &json!("out_order_no")), "{answer}");
    assert!(trade(&world, "SHAPE_1").sharing.unwrap().shares.is_empty());
    // A number is one order's.
    assert_eq!(share(&world, "SHAPE_1", "ONE", json!([to(SUPPLIER, 1)])).await.0, 200);
    sold(&world, "SHAPE_2").await;
    let (status, answer) = share(&world, "SHAPE_2", "ONE", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2050)), "{answer}");
    assert_eq!(sums(&world, "SHAPE_2").await, [0, 0, 0, 1000]);
    world.reconcile(8 * DAY).await;
}
