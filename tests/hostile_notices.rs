//! Notices beside those of payments, as nobody but the provider may send them: of complaints, authorisations, shares,
//! refunds that got stuck, and shipping. What is spoilt, replayed elsewhere or makes no sense is refused, and the table is
//! the same before and after.

use crate::providers_flow;
use crate::world::{TABLE, World};
use futures::future::join_all;
use sandbox::{
    AuthorizationOutcome, CallbackKind, ComplaintWish, Fault, Forgery, MerchantKeys, Misbehaviour, Mode, Op, Provider,
    RefundOutcome, SignedRequest,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;

const SUPPLIER: &str = "1900000100";
const SELLER: &str = "2088102179000001";
const NO: &str = "NOTICES_1";

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum About {
    Complaint,
    ComplaintAtAlipay,
    ComplaintOfCoins,
    Authorization,
    Share,
    ShareAtAlipay,
    StuckRefund,
    Shipping,
}

/// A second merchant, with keys of its own.
fn branch() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("branch"))
}

async fn shop(mode: Mode) -> World {
    World::with(mode, |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway").to_owned();
        let own = branch().config_with(&gateway, mode);
        let sections = ["wxpay", "alipay", "wxpay-virtual"].map(|name| (name.to_owned(), own[name].clone()));
        config["merchants"] = json!({ "branch": Value::Object(sections.into_iter().collect()) });
        config["shipping"] = json!({ "goods": "manual" });
    })
    .await
}

async fn call(world: &World, function: &str, action: &str, data: Value) -> Value {
    let (status, answer) = world.call(function, json!({ "action": format!("pay/{action}"), "data": data })).await;
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

async fn sold(world: &World, data: Value) {
    let (status, made) = world.create(NO, data).await;
    assert_eq!(status, 200, "{made}");
    world.pay(NO).await;
}

/// From now on what the providers tell does not arrive.
fn silence(world: &World) {
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
}

async fn share(world: &World, account: &str) {
    let receivers = json!([{ "type": "MERCHANT_ID", "account": account, "amount": 20, "description": "分给供应商" }]);
    let data = json!({ "out_trade_no": NO, "out_order_no": "S1", "receivers": receivers });
    call(world, "refund", "profitShare", data).await;
    tokio::time::sleep(std::time::Duration::from_millis(60)).await;
}

async fn coins() -> (World, SignedRequest) {
    let way = providers_flow::ways().into_iter().find(|way| way.name == "coins").expect("a way to pay");
    let world = shop(way.mode).await;
    let created = providers_flow::create(&world, &way, NO).await;
    providers_flow::pay(&world, &way, &created, true).await;
    let order = world.until(|order| order["trade_state"] == "SUCCESS", NO).await;
    let attempt = &order["attempts"][0];
    let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number");
    silence(&world);
    let id = world.sandbox.complain(number, &ComplaintWish::default()).expect("a complaint");
    let notice = world.sandbox.callback_of(Some(Provider::WxpayVirtual), &id, CallbackKind::Complaint);
    (world, notice.expect("a notice"))
}

/// A genuine notice that has not arrived, of something that the table does not know yet.
async fn told(about: About) -> (World, SignedRequest) {
    if about == About::ComplaintOfCoins {
        return coins().await;
    }
    let world = shop(Mode::default()).await;
    let sandbox = &world.sandbox;
    let notice = match about {
        About::Complaint | About::ComplaintAtAlipay => {
            let provider = if about == About::Complaint { Provider::Wxpay } else { Provider::Alipay };
            sold(&world, json!({ "provider": provider.name() })).await;
            silence(&world);
            let id = sandbox.complain(NO, &ComplaintWish::default()).expect("a complaint");
            if about == About::Complaint {
                call(&world, "refund", "subscribeComplaints", json!({ "provider": "wxpay" })).await;
            }
            sandbox.callback_of(Some(provider), &id, CallbackKind::Complaint).expect("a notice")
        }
        About::Authorization => {
            let data = json!({
                "provider": "wxpay", "out_authorization_no": NO, "openid": crate::transfers::OPENID,
                "user_display_name": "会员001",
            });
            call(&world, "transfer", "createUserConfirmAuthorization", data).await;
            silence(&world);
            sandbox.settle_authorization(NO, AuthorizationOutcome::Confirmed).expect("it waits");
            sandbox.build_callback(NO, CallbackKind::Authorization)
        }
        About::Share => {
            sandbox.share_at_most(100);
            sandbox.let_share(&world.keys.wechat.mchid, "MERCHANT_ID", SUPPLIER);
            sold(&world, json!({ "other": { "profit_sharing": true } })).await;
            share(&world, SUPPLIER).await;
            notice_of_share(&world, |_| {})
        }
        About::ShareAtAlipay => {
            sandbox.share_at_most(100);
            sandbox.let_share(&world.keys.alipay.app_id, "userId", SELLER);
            let order = json!({
                "provider": "alipay", "vk_platform": "mp-alipay", "openid": "o_user_1",
                "other": { "profit_sharing": true },
            });
            sold(&world, order).await;
            let receivers = json!([{ "account": SELLER, "amount": 20, "description": "分给供应商" }]);
            let data = json!({ "out_trade_no": NO, "out_order_no": "S1", "receivers": receivers });
            call(&world, "refund", "profitShare", data).await;
            tokio::time::sleep(std::time::Duration::from_millis(60)).await;
            sandbox.notice_of_share(NO, "S1").expect("a notice")
        }
        About::StuckRefund => {
            sold(&world, json!({})).await;
            sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
            let own = json!({ "out_trade_no": NO, "out_refund_no": "R1", "refund_fee": 60 });
            assert_eq!(world.call("refund", own).await.1["status"], "PROCESSING");
            silence(&world);
            sandbox.settle_refund("R1", RefundOutcome::Abnormal);
            sandbox.build_callback("R1", CallbackKind::Refund)
        }
        About::Shipping => {
            let goods = json!({ "type": "goods", "custom": { "user_id": "user_001", "goods_id": "goods_001" } });
            crate::shipping::bought_as(&world, NO, goods).await;
            silence(&world);
            sandbox.build_callback(NO, CallbackKind::Shipping)
        }
        About::ComplaintOfCoins => unreachable!("told above"),
    };
    (world, notice)
}

/// What WeChat Pay tells a receiver of the order's share, under the event of a payment.
fn notice_of_share(world: &World, change: impl FnOnce(&mut Value)) -> SignedRequest {
    let payment = world.sandbox.build_callback(NO, CallbackKind::Payment);
    world.sandbox.reseal(&payment, "TRANSACTION.SUCCESS", |paid| {
        let mut told = json!({
            "mchid": paid["mchid"], "transaction_id": paid["transaction_id"], "order_id": "30000000001",
            "out_order_no": "S1", "success_time": paid["success_time"],
            "receiver": { "type": "MERCHANT_ID", "account": SUPPLIER, "amount": 20, "description": "分给供应商" },
        });
        change(&mut told);
        told.to_string()
    })
}

fn with(genuine: &SignedRequest, change: impl FnOnce(&mut SignedRequest)) -> SignedRequest {
    let mut other = genuine.clone();
    change(&mut other);
    other
}

/// One character in the middle of the body is another.
fn altered(genuine: &SignedRequest) -> SignedRequest {
    let middle = genuine.body.len() / 2;
    let plain = |(at, c): &(usize, char)| *at >= middle && c.is_ascii_alphanumeric();
    let (at, c) = genuine.body.char_indices().find(plain).expect("a letter or digit");
    let other = if c == '7' { "8" } else { "7" };
    with(genuine, |r| r.body.replace_range(at..=at, other))
}

/// What is refused whatever the notice is about.
fn hostile(world: &World, about: About, genuine: &SignedRequest) -> Vec<(String, SignedRequest)> {
    let amounts = !matches!(about, About::Complaint | About::Share);
    let spoilt = Forgery::ALL.into_iter().filter(|how| how.fits(genuine));
    let spoilt = spoilt.filter(|how| amounts || *how != Forgery::AlteredAmount);
    let mut all: Vec<(String, SignedRequest)> =
        spoilt.map(|how| (format!("{how:?}"), world.sandbox.forge(genuine.clone(), how))).collect();
    let lol = (0..9).fold("<!ENTITY a0 \"lol\">".to_owned(), |all, i| {
        format!("{all}<!ENTITY a{} \"{}\">", i + 1, format!("&a{i};").repeat(10))
    });
    let bodies = [
        ("nothing", String::new()),
        ("no object", "[]".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("nested", format!("{}{}", "[".repeat(50_000), "]".repeat(50_000))),
        ("too long", format!("{{\"Encrypt\":\"{0}\",\"resource\":\"{0}\"}}", "x".repeat(300_000))),
        ("entities", format!("<!DOCTYPE x [{lol}]><xml><Encrypt>&a9;</Encrypt></xml>")),
        ("twice", format!("{0}{0}", genuine.body)),
    ];
    all.extend(bodies.map(|(what, body)| (what.to_owned(), with(genuine, |r| r.body = body))));
    all.push(("altered".to_owned(), altered(genuine)));
    if !genuine.url.contains("signature=") {
        all.push(("spaces behind it".to_owned(), with(genuine, |r| r.body.push_str(&" ".repeat(300_000)))));
    }
    // The signature of a push is of what it seals, and spaces behind that are nothing; it is refused for its length.
    let most = 1024 * 1024;
    all.push(("a MiB of spaces behind it".to_owned(), with(genuine, |r| r.body.push_str(&" ".repeat(most)))));
    for other in ["branch", "nobody"] {
        assert!(genuine.url.contains("/default"), "{}", genuine.url);
        let elsewhere = with(genuine, |r| r.url = r.url.replace("/default", &format!("/{other}")));
        all.push((format!("to {other}"), elsewhere));
    }
    for method in ["GET", "PUT", "DELETE"] {
        all.push((method.to_owned(), with(genuine, |r| r.method = method.to_owned())));
    }
    if genuine.header("Wechatpay-Serial").is_some() {
        all.extend(senseless(world, genuine));
    }
    all
}

/// Rightly sealed and signed, and nothing that the event may say.
fn senseless(world: &World, genuine: &SignedRequest) -> Vec<(String, SignedRequest)> {
    let body: Value = serde_json::from_str(&genuine.body).expect("an envelope");
    let event = body["event_type"].as_str().expect("an event");
    let mut all = Vec::new();
    for content in ["", "null", "[]", "\"x\"", "{}", "{\"complaint_id\":7,\"out_order_no\":[],\"state\":{}}", "<xml/>"]
    {
        all.push((format!("{event}: {content}"), world.sandbox.reseal(genuine, event, |_| content.to_owned())));
    }
    let others = ["TRANSACTION.SUCCESS", "REFUND.SUCCESS", "MCHTRANSFER.BILL.FINISHED", "COMPLAINT.CREATE"];
    let kind = |event: &str| event.split('.').next().unwrap_or_default().to_owned();
    for other in others.into_iter().filter(|other| *other == "MCHTRANSFER.BILL.FINISHED" || kind(other) != kind(event))
    {
        all.push((format!("{event} as {other}"), world.sandbox.reseal(genuine, other, |told| told.to_string())));
    }
    all
}

/// The whole table, by its keys.
async fn table(world: &World) -> BTreeMap<String, Value> {
    let items = world.items(TABLE).await.into_iter();
    items.map(|item| (format!("{} {}", item["pk"], item["sk"]), item)).collect()
}

async fn nothing_hostile_is_written(about: About) {
    let (world, genuine) = told(about).await;
    let before = table(&world).await;
    for (what, request) in hostile(&world, about, &genuine) {
        let (status, body) = world.sandbox.send(&request).await.expect("an answer");
        assert!((400..500).contains(&status), "{about:?}, {what}: {status} {body}");
        assert_eq!(table(&world).await, before, "{about:?}, {what}");
    }
    let (status, body) = world.sandbox.send(&genuine).await.expect("an answer");
    assert_eq!(status / 100, 2, "{about:?}: the genuine one is taken: {body}");
    assert_ne!(table(&world).await, before, "{about:?}: and something comes of it");
}

#[tokio::test]
async fn no_hostile_notice_of_a_complaint_writes_anything() {
    for about in [About::Complaint, About::ComplaintAtAlipay, About::ComplaintOfCoins] {
        nothing_hostile_is_written(about).await;
    }
}

#[tokio::test]
async fn no_hostile_notice_of_an_authorisation_writes_anything() {
    nothing_hostile_is_written(About::Authorization).await;
}

#[tokio::test]
async fn no_hostile_notice_of_a_share_writes_anything() {
    for about in [About::Share, About::ShareAtAlipay] {
        nothing_hostile_is_written(about).await;
    }
}

#[tokio::test]
async fn no_hostile_notice_of_a_stuck_refund_writes_anything() {
    nothing_hostile_is_written(About::StuckRefund).await;
}

#[tokio::test]
async fn no_hostile_push_about_shipping_writes_anything() {
    nothing_hostile_is_written(About::Shipping).await;
}

#[tokio::test]
async fn an_event_that_nobody_knows_is_acknowledged_and_writes_nothing() {
    for about in [About::Complaint, About::Authorization, About::Share, About::StuckRefund] {
        let (world, genuine) = told(about).await;
        let before = table(&world).await;
        for event in ["SOMETHING.NEW", "COMPLAINT.SOMETHING", "TRANSACTION.PAYSCORE"] {
            let unknown = world.sandbox.reseal(&genuine, event, |told| told.to_string());
            let (status, body) = world.sandbox.send(&unknown).await.expect("an answer");
            assert_eq!(status / 100, 2, "{about:?} as {event}: {body}");
            assert_eq!(table(&world).await, before, "{about:?} as {event}");
        }
    }
}

#[tokio::test]
async fn a_notice_of_a_share_ends_it_by_what_the_provider_says_and_one_of_anothers_payment_nothing() {
    let (world, genuine) = told(About::Share).await;
    let before = table(&world).await;
    for (field, other) in [("transaction_id", "4200000000000000000000000000"), ("mchid", "1900009999")] {
        let strange = notice_of_share(&world, |told| told[field] = json!(other));
        let (status, body) = world.sandbox.send(&strange).await.expect("an answer");
        assert_eq!(status / 100, 2, "{field}: {body}");
        assert_eq!(table(&world).await, before, "{field}: another's");
    }
    let state = async || world.kind("share").await[0]["state"].clone();
    // While the provider does not tell, a notice moves nothing.
    for _ in 0..2 {
        world.sandbox.misbehave(Fault::once(Op::ShareQuery, Misbehaviour::Http5xx));
    }
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0 / 100, 2);
    assert_eq!(state().await, "PROCESSING");
    let sent = join_all((0..4).map(|_| world.sandbox.send(&genuine))).await;
    assert!(sent.iter().all(|sent| sent.as_ref().is_ok_and(|(status, _)| [2, 4, 5].contains(&(status / 100)))));
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0 / 100, 2);
    assert_eq!(state().await, "FINISHED");
    let sharing = world.order(NO).await["sharing"].clone();
    assert_eq!((&sharing["reserved"], &sharing["shared"]), (&json!(0), &json!(20)), "{sharing}");
    let after = table(&world).await;
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0 / 100, 2);
    assert_eq!(table(&world).await, after, "a repetition is taken and changes nothing");
    assert!(world.kind("incident").await.is_empty());
}
