//! Profit sharing of Alipay: the same ledger as WeChat Pay's, another wire. A return is a refund of nothing there.

use crate::world::World;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use futures::future::join_all;
use sandbox::{Fault, Forgery, Misbehaviour, Mode, Op, Trade};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
/// Two accounts that may be given shares.
const SUPPLIER: &str = "2088000000000100";
const BRAND: &str = "2088000000000200";

/// A paid order of 1000 fen in a mini program of Alipay's that may be shared, up to the whole of it.
async fn paid(no: &str) -> World {
    let world = World::start().await;
    open(&world);
    sold(&world, no).await;
    world
}

fn open(world: &World) {
    world.sandbox.share_at_most(100);
    for account in [SUPPLIER, BRAND] {
        world.sandbox.let_share(&world.keys.alipay.app_id, "userId", account);
    }
}

fn order(more: &Value) -> Value {
    let mut order = json!({
        "provider": "alipay", "vk_platform": "mp-alipay", "openid": "o_user_1", "total_fee": 1000,
        "other": { "profit_sharing": true },
    });
    crate::world::merge(&mut order, more.clone());
    order
}

async fn sold(world: &World, no: &str) {
    let (status, made) = world.create(no, order(&json!({}))).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
}

async fn call(world: &World, action: &str, data: Value) -> (u16, Value) {
    world.call("refund", json!({ "action": format!("pay/{action}"), "data": data })).await
}

fn to(account: &str, amount: u64) -> Value {
    json!({ "account": account, "amount": amount, "description": "分给供应商" })
}

async fn share(world: &World, no: &str, number: &str, receivers: Value) -> (u16, Value) {
    call(world, "profitShare", json!({ "out_trade_no": no, "out_order_no": number, "receivers": receivers })).await
}

async fn back(world: &World, no: &str, number: &str, amount: u64) -> (u16, Value) {
    let data = json!({
        "out_trade_no": no, "out_order_no": "A1", "out_return_no": number, "return_mchid": SUPPLIER, "amount": amount,
    });
    call(world, "returnShare", data).await
}

/// A share that has finished.
async fn shared(world: &World, no: &str, number: &str, receivers: Value) {
    let (status, made) = share(world, no, number, receivers).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("PROCESSING")), "{made}");
    settle().await;
    world.reconcile(MINUTE).await;
    assert_eq!(item(world, no, number).await["state"], "FINISHED");
}

/// Has a refund begun 20 seconds ago.
async fn begun_earlier(world: &World, no: &str, number: &str) {
    let begun = (world.app.as_ref().unwrap().clock)().get() - 20_000;
    let key = [("pk", format!("O#{no}")), ("sk", format!("R#{number}"))].map(|(k, v)| (k.to_owned(), Av::S(v)));
    let update = world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key.into()));
    let update = update.update_expression("SET create_date = :at");
    update.expression_attribute_values(":at", Av::N(begun.to_string())).send().await.expect("written");
}

/// The sandbox is done with a share after 30 ms.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
}

async fn item(world: &World, no: &str, number: &str) -> Value {
    let shares = world.kind("share").await.into_iter();
    shares.into_iter().find(|s| s["out_trade_no"] == no && s["out_order_no"] == number).unwrap_or_default()
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
async fn an_order_of_alipay_is_shared_and_each_receiver_ends_by_itself() {
    let world = paid("ALI_1").await;
    world.sandbox.fail_shares_to(BRAND, Some("TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH"));
    let receivers = json!([to(SUPPLIER, 200), to(BRAND, 100)]);
    let (status, made) = share(&world, "ALI_1", "A1", receivers.clone()).await;
    assert_eq!((status, &made["data"]["state"], &made["data"]["amount"]), (200, &json!("PROCESSING"), &json!(300)));
    assert_eq!(sums(&world, "ALI_1").await, [300, 0, 0, 1000]);
    settle().await;
    world.reconcile(MINUTE).await;
    let item = item(&world, "ALI_1", "A1").await;
    let ends = [0, 1].map(|i| item["receivers"][i]["result"].as_str().unwrap().to_owned());
    assert_eq!((&item["state"], ends), (&json!("FINISHED"), ["SUCCESS".to_owned(), "CLOSED".to_owned()]), "{item}");
    assert_eq!(item["receivers"][0]["type"], "userId", "the usual kind, where none is named");
    assert_eq!(item["receivers"][1]["fail_reason"], "TXN_RESULT_ACCOUNT_BALANCE_NOT_ENOUGH");
    assert_eq!(sums(&world, "ALI_1").await, [0, 200, 0, 1000]);
    assert_eq!(share(&world, "ALI_1", "A1", receivers).await.0, 200, "the same request is the same share");
    let (status, told) = call(&world, "queryShare", json!({ "out_trade_no": "ALI_1" })).await;
    assert_eq!((status, &told["data"]["unshared"], &told["data"]["unsplit_amount"]), (200, &json!(800), &json!(800)));
    // The end of sharing is at once.
    let (status, made) = call(&world, "unfreezeShare", json!({ "out_trade_no": "ALI_1", "out_order_no": "A2" })).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("FINISHED")), "{made}");
    assert!(trade(&world, "ALI_1").sharing.unwrap().unfrozen);
    assert_eq!(share(&world, "ALI_1", "A3", json!([to(SUPPLIER, 1)])).await.1["code"], 2052);
}

#[tokio::test]
async fn shares_and_refunds_of_alipay_at_once_never_exceed_what_was_paid() {
    let world = paid("ALIRACE_1").await;
    let (shares, refunds) = futures::join!(
        join_all((0..6).map(|i| {
            let world = &world;
            async move { share(world, "ALIRACE_1", &format!("RS{i}"), json!([to(SUPPLIER, 300)])).await }
        })),
        join_all((0..6).map(|i| {
            let body = json!({ "out_trade_no": "ALIRACE_1", "refund_fee": 300, "out_refund_no": format!("RR{i}") });
            world.call("refund", body)
        })),
    );
    let done = shares.iter().chain(&refunds).filter(|(status, _)| *status == 200).count();
    assert!(done <= 3, "{shares:?} {refunds:?}");
    assert!(shares.iter().chain(&refunds).all(|(status, _)| matches!(status, 200 | 409)), "{shares:?} {refunds:?}");
    let trade = trade(&world, "ALIRACE_1");
    assert!(trade.sharing.as_ref().unwrap().taken() + trade.refunded() <= 1000);
}

#[tokio::test]
async fn a_share_of_alipay_whose_answer_was_lost_is_one_share() {
    for what in [
        Misbehaviour::SystemErrorAfterCommit,
        Misbehaviour::TimeoutAfterCommit(20),
        Misbehaviour::BadSignature,
        Misbehaviour::Http5xx,
        Misbehaviour::DropConnection,
    ] {
        let world = paid("ALILOST_1").await;
        world.sandbox.misbehave(Fault::once(Op::Share, what));
        let (status, answer) = share(&world, "ALILOST_1", "L1", json!([to(SUPPLIER, 600)])).await;
        assert_eq!((status, &answer["code"]), (504, &json!(5040)), "{what:?}: {answer}");
        assert_eq!(sums(&world, "ALILOST_1").await, [600, 0, 0, 1000], "{what:?}");
        world.reconcile(MINUTE).await;
        settle().await;
        world.reconcile(10 * MINUTE).await;
        let sharing = trade(&world, "ALILOST_1").sharing.unwrap();
        assert_eq!((sharing.shares.len(), sharing.taken()), (1, 600), "{what:?}");
        assert_eq!(sums(&world, "ALILOST_1").await, [0, 600, 0, 1000], "{what:?}");
    }
}

#[tokio::test]
async fn a_return_at_alipay_is_a_refund_of_nothing_and_its_number_is_no_refunds() {
    let world = paid("ALIBACK_1").await;
    shared(&world, "ALIBACK_1", "A1", json!([to(SUPPLIER, 300)])).await;
    let (status, made) = back(&world, "ALIBACK_1", "B1", 120).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("SUCCESS")), "{made}");
    assert_eq!((taken(&world, "ALIBACK_1"), trade(&world, "ALIBACK_1").refunded()), (180, 0), "the payer gets nothing");
    assert_eq!(sums(&world, "ALIBACK_1").await, [0, 180, 0, 1000]);
    // Under the number of a return Alipay would answer a refund that it is done.
    let refund = |number: &str| {
        let body = json!({ "out_trade_no": "ALIBACK_1", "refund_fee": 100, "out_refund_no": number });
        world.call("refund", body)
    };
    for number in ["A1", "B1"] {
        let (status, answer) = refund(number).await;
        assert_eq!((status, &answer["code"]), (409, &json!(2015)), "{number}: {answer}");
    }
    assert_eq!(refund("B2").await.0, 200);
    for number in ["A1", "B2"] {
        let (status, answer) = back(&world, "ALIBACK_1", number, 10).await;
        assert_eq!((status, &answer["code"]), (409, &json!(2050)), "{number}: {answer}");
        let other = share(&world, "ALIBACK_1", if number == "A1" { "B1" } else { number }, json!([to(BRAND, 1)])).await;
        assert_eq!((other.0, &other.1["code"]), (409, &json!(2050)), "{number}: {}", other.1);
    }
    assert_eq!(trade(&world, "ALIBACK_1").refunded(), 100);
    // A lost answer is asked about.
    world.sandbox.misbehave(Fault::once(Op::ShareReturn, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(back(&world, "ALIBACK_1", "B3", 30).await.0, 504);
    world.reconcile(MINUTE).await;
    assert_eq!((taken(&world, "ALIBACK_1"), sums(&world, "ALIBACK_1").await), (150, [0, 150, 0, 900]));
    // One that fails leaves the share as it is.
    world.sandbox.fail_returns_by(SUPPLIER, Some("BALANCE_NOT_ENOUGH"));
    let (status, answer) = back(&world, "ALIBACK_1", "B4", 30).await;
    assert_eq!((status, &answer["data"]["state"]), (422, &json!("FAILED")), "{answer}");
    assert_eq!(sums(&world, "ALIBACK_1").await, [0, 150, 0, 900]);
}

#[tokio::test]
async fn a_refund_at_alipay_goes_out_when_what_it_takes_back_is_back() {
    let world = paid("ALIFIRST_1").await;
    shared(&world, "ALIFIRST_1", "F1", json!([to(SUPPLIER, 300)])).await;
    shared(&world, "ALIFIRST_1", "F2", json!([to(SUPPLIER, 100), to(BRAND, 200)])).await;
    // What is not shared is refunded as it is; then the newest share pays.
    assert_eq!(world.call("refund", json!({ "out_trade_no": "ALIFIRST_1", "refund_fee": 400 })).await.0, 200);
    assert_eq!(taken(&world, "ALIFIRST_1"), 600);
    world.sandbox.misbehave(Fault::once(Op::ShareReturn, Misbehaviour::TimeoutAfterCommit(20)));
    let refund = json!({ "out_trade_no": "ALIFIRST_1", "out_refund_no": "FR", "refund_fee": 350 });
    assert_eq!(world.call("refund", refund.clone()).await.0, 504);
    assert_eq!(trade(&world, "ALIFIRST_1").refunded(), 400, "not before the share is back");
    world.reconcile(MINUTE).await;
    assert_eq!(taken(&world, "ALIFIRST_1"), 250, "each is asked for once");
    // Alipay's refund query is not believed for ten seconds.
    begun_earlier(&world, "ALIFIRST_1", "FR").await;
    world.reconcile(10 * MINUTE).await;
    assert_eq!((taken(&world, "ALIFIRST_1"), trade(&world, "ALIFIRST_1").refunded()), (250, 750));
    assert_eq!(sums(&world, "ALIFIRST_1").await, [0, 250, 0, 250]);
    assert_eq!(world.call("refund", refund).await.0, 200, "the same again is the same");
    assert_eq!(trade(&world, "ALIFIRST_1").refunded(), 750);
    // A receiver that cannot pay holds the rest up, and somebody is told.
    world.sandbox.fail_returns_by(SUPPLIER, Some("BALANCE_NOT_ENOUGH"));
    let (status, answer) = world.call("refund", json!({ "out_trade_no": "ALIFIRST_1" })).await;
    assert_eq!((status, &answer["code"]), (422, &json!(3007)), "{answer}");
    assert_eq!(trade(&world, "ALIFIRST_1").refunded(), 750);
    let told: Vec<Value> = world.kind("incident").await;
    assert_eq!((told.len(), &told[0]["incident"]), (1, &json!("share_not_returned")), "{told:?}");
}

#[tokio::test]
async fn what_is_paid_face_to_face_at_alipay_is_not_shared() {
    let world = World::start().await;
    open(&world);
    let face = json!({ "vk_platform": "h5", "needQRcode": true });
    let (status, made) = world.create("ALIFACE_1", order(&face)).await;
    assert_eq!(status, 200, "{made}");
    world.pay("ALIFACE_1").await;
    assert!(trade(&world, "ALIFACE_1").sharing.is_none(), "no money is kept that could not be shared");
    let (status, answer) = share(&world, "ALIFACE_1", "A1", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (422, &json!(2005)), "{answer}");
    // What was not made to be shared is not, either.
    world.create("ALIPLAIN_1", order(&json!({ "other": { "profit_sharing": false } }))).await;
    world.pay("ALIPLAIN_1").await;
    let (status, answer) = share(&world, "ALIPLAIN_1", "A1", json!([to(SUPPLIER, 1)])).await;
    assert_eq!((status, &answer["code"]), (409, &json!(2052)), "{answer}");
}

#[tokio::test]
async fn an_order_of_a_configured_type_is_frozen_at_alipay() {
    let world = World::with(Mode::default(), |config| config["profitSharing"] = json!(["recharge"])).await;
    open(&world);
    let plain = json!({ "provider": "alipay", "vk_platform": "mp-alipay", "openid": "o_user_1", "total_fee": 1000 });
    world.create("ALITYPE_1", plain).await;
    world.pay("ALITYPE_1").await;
    assert_eq!(trade(&world, "ALITYPE_1").request["extend_params"], json!({ "royalty_freeze": "true" }));
    assert!(trade(&world, "ALITYPE_1").request.get("profit_sharing").is_none(), "that is no word of Alipay's");
    shared(&world, "ALITYPE_1", "T1", json!([to(SUPPLIER, 300)])).await;
    assert_eq!(taken(&world, "ALITYPE_1"), 300);
}

#[tokio::test]
async fn what_alipay_does_not_take_for_a_share_names_its_field() {
    let world = paid("ALISHAPE_1").await;
    for (receivers, field) in [
        (json!([{ "type": "MERCHANT_ID", "account": "1900000100", "amount": 1 }]), "receivers[0].type"),
        (json!([to("1900000100", 1)]), "receivers[0].account"),
        (json!([to("someone@example.com", 1)]), "receivers[0].account"),
        (
            json!([to(SUPPLIER, 1), { "type": "loginName", "account": "a@example.com", "amount": 1 }]),
            "receivers[1].type",
        ),
    ] {
        let (status, answer) = share(&world, "ALISHAPE_1", "S1", receivers.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &json!(field)), "{receivers}: {answer}");
    }
    for number in ["has-dash", &"9".repeat(33)] {
        let (status, answer) = share(&world, "ALISHAPE_1", number, json!([to(SUPPLIER, 1)])).await;
        assert_eq!((status, &answer["field"]), (400, &json!("out_order_no")), "{answer}");
    }
    assert!(trade(&world, "ALISHAPE_1").sharing.unwrap().shares.is_empty());
    let receiver = json!({ "provider": "alipay", "type": "userId", "account": "2088000000000300", "name": "示例商户" });
    let (status, answer) = call(&world, "addReceiver", receiver).await;
    assert_eq!((status, &answer["data"]["account"]), (200, &json!("2088000000000300")), "{answer}");
    assert_eq!(world.sandbox.receivers().len(), 3);
    let gone = json!({ "provider": "alipay", "type": "userId", "account": "2088000000000300" });
    assert_eq!(call(&world, "deleteReceiver", gone).await.0, 200);
    assert_eq!(world.sandbox.receivers().len(), 2);
    let partner = json!({ "provider": "alipay", "type": "userId", "account": SUPPLIER, "sub_mchid": "1600000001" });
    assert_eq!(call(&world, "addReceiver", partner).await.1["code"], 3006, "that is WeChat Pay's");
}

#[tokio::test]
async fn a_notice_of_alipay_about_a_share_is_a_reason_to_ask_and_a_forged_one_is_none() {
    let world = paid("ALITOLD_1").await;
    assert_eq!(share(&world, "ALITOLD_1", "A1", json!([to(SUPPLIER, 200)])).await.0, 200);
    settle().await;
    let notice = world.sandbox.notice_of_share("ALITOLD_1", "A1").expect("a notice");
    for how in
        [Forgery::BadSignature, Forgery::OtherKey, Forgery::NoSignature, Forgery::EmptySignature, Forgery::Downgrade]
    {
        let (status, body) = world.sandbox.send(&world.sandbox.forge(notice.clone(), how)).await.unwrap();
        assert!((400..500).contains(&status) && body != "success", "{how:?}: {status} {body}");
    }
    assert_eq!(item(&world, "ALITOLD_1", "A1").await["state"], "PROCESSING", "nobody has said a word");
    // A genuine one moves nothing by itself either: what Alipay says when it is asked does.
    for _ in 0..2 {
        world.sandbox.misbehave(Fault::once(Op::ShareQuery, Misbehaviour::Http5xx));
    }
    let (status, _) = world.sandbox.send(&notice).await.unwrap();
    assert_eq!((status, &item(&world, "ALITOLD_1", "A1").await["state"]), (200, &json!("PROCESSING")));
    let (status, body) = world.sandbox.send(&notice).await.unwrap();
    assert_eq!((status, body.as_str()), (200, "success"));
    assert_eq!(item(&world, "ALITOLD_1", "A1").await["state"], "FINISHED");
    assert_eq!(sums(&world, "ALITOLD_1").await, [0, 200, 0, 1000]);
}

#[tokio::test]
async fn a_notice_of_a_share_of_an_order_that_was_not_made_to_be_shared_is_taken_and_changes_nothing() {
    let world = paid("ALIELSE_1").await;
    assert_eq!(share(&world, "ALIELSE_1", "A1", json!([to(SUPPLIER, 200)])).await.0, 200);
    settle().await;
    let notice = world.sandbox.notice_of_share("ALIELSE_1", "A1").expect("a notice");
    // As an order that others share at Alipay: here it has no sums of shares.
    let key = [("pk", "O#ALIELSE_1"), ("sk", "O")].map(|(k, v)| (k.to_owned(), Av::S(v.to_owned())));
    let update = world.tables.update_item().table_name(crate::world::TABLE).set_key(Some(key.into()));
    update.update_expression("REMOVE sharing").send().await.expect("written");
    let before = world.items(crate::world::TABLE).await;
    for _ in 0..2 {
        let (status, body) = world.sandbox.send(&notice).await.unwrap();
        assert_eq!((status, body.as_str()), (200, "success"), "anything else is sent for a day");
    }
    assert_eq!(world.items(crate::world::TABLE).await, before);
}

#[tokio::test]
async fn a_return_that_is_under_way_when_its_refund_ends_is_followed_by_the_schedule() {
    for fails in [false, true] {
        let world = paid("ALIOVER_1").await;
        shared(&world, "ALIOVER_1", "A1", json!([to(SUPPLIER, 300)])).await;
        world.sandbox.misbehave(Fault::once(Op::ShareReturn, Misbehaviour::DropConnection));
        let refund = json!({ "out_trade_no": "ALIOVER_1", "out_refund_no": "OVER_R", "refund_fee": 900 });
        assert_eq!(world.call("refund", refund).await.0, 504);
        assert_eq!(sums(&world, "ALIOVER_1").await, [0, 100, 200, 100]);
        // Somebody pays it back in Alipay's console meanwhile, under its number.
        let place = world.sandbox.console_refund("ALIOVER_1", Some("OVER_R"), 900).unwrap();
        begun_earlier(&world, "ALIOVER_1", "OVER_R").await;
        let told = world.sandbox.callback_of_refund(sandbox::Provider::Alipay, "ALIOVER_1", place).unwrap();
        assert_eq!(world.sandbox.send(&told).await.unwrap().0, 200);
        let of = |kind: &'static str| async { world.kind(kind).await.remove(0)["state"].clone() };
        assert_eq!((of("refund").await, of("share_return").await), (json!("SUCCESS"), json!("UNKNOWN")));
        if fails {
            world.sandbox.fail_returns_by(SUPPLIER, Some("BALANCE_NOT_ENOUGH"));
        }
        world.reconcile(MINUTE).await;
        let (state, left) = if fails { ("FAILED", 300) } else { ("SUCCESS", 100) };
        let told =
            world.kind("incident").await.into_iter().any(|incident| incident["incident"] == "share_not_returned");
        assert_eq!(told, fails, "the merchant has paid what the receiver keeps");
        assert_eq!((of("refund").await, of("share_return").await), (json!("SUCCESS"), json!(state)));
        assert_eq!((taken(&world, "ALIOVER_1"), sums(&world, "ALIOVER_1").await), (left, [0, left, 0, 100]));
        assert!(
            world.items(crate::world::TABLE).await.iter().all(|i| i["kind"] != "share_return" || i["due"].is_null())
        );
    }
}

#[tokio::test]
async fn a_refund_that_alipay_tells_of_under_the_number_of_a_return_is_no_refund() {
    let world = paid("ALIECHO_1").await;
    shared(&world, "ALIECHO_1", "A1", json!([to(SUPPLIER, 300)])).await;
    world.sandbox.misbehave(Fault::once(Op::ShareReturn, Misbehaviour::SystemErrorAfterCommit));
    assert_eq!(back(&world, "ALIECHO_1", "B1", 120).await.0, 504);
    assert_eq!(sums(&world, "ALIECHO_1").await, [0, 300, 0, 1000]);
    for _ in 0..2 {
        let notice = world.sandbox.notice_of_return("ALIECHO_1", "B1").expect("a notice");
        let (status, body) = world.sandbox.send(&notice).await.unwrap();
        assert_eq!((status, body.as_str()), (200, "success"));
        assert_eq!(sums(&world, "ALIECHO_1").await, [0, 180, 0, 1000], "it was a reason to ask about the return");
    }
    assert_eq!((world.order("ALIECHO_1").await["refund_fee"].as_u64(), world.kind("refund").await.len()), (Some(0), 0));
    assert!(world.kind("incident").await.is_empty());
}
