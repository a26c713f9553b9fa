//! Every pay type of the five providers beside WeChat Pay and Alipay, from creation to refund.

use crate::world::World;
use sandbox::{CallbackKind, DouyinProduct, Epay, Forgery, Mode, Pay, Provider};
use serde_json::{Value, json};

/// One way to pay: what the client sends beside the usual, and which variant the merchant uses.
pub struct Way {
    pub name: &'static str,
    provider: Provider,
    pay_type: &'static str,
    pub mode: Mode,
    data: Value,
}

fn way(name: &'static str, provider: Provider, pay_type: &'static str, mode: Mode, data: Value) -> Way {
    Way { name, provider, pay_type, mode, data }
}

pub fn ways() -> Vec<Way> {
    let usual = Mode::default();
    let coins = json!({ "code": "login", "wxpay_virtual": { "mode": "short_series_coin", "buy_quantity": 100 } });
    let goods = json!({ "code": "login", "wxpay_virtual": {
        "mode": "short_series_goods", "buy_quantity": 2, "product_id": "sword", "goods_price": 50,
    } });
    let vks = |platform: &str| json!({ "vk_platform": platform });
    vec![
        way("apple", Provider::Appleiap, "appleiap_app-plus", usual, json!({ "product_id": "coins_1" })),
        way("vks h5", Provider::Vkspay, "vkspay_h5", usual, vks("h5")),
        way("vks mp-weixin", Provider::Vkspay, "vkspay_mp-weixin", usual, vks("mp-weixin")),
        way("vks mp-alipay", Provider::Vkspay, "vkspay_mp-alipay", usual, vks("mp-alipay")),
        way("vks app", Provider::Vkspay, "vkspay_app-plus", usual, vks("app-plus")),
        way("vks mweb", Provider::Vkspay, "vkspay_mweb", usual, vks("mweb")),
        way("vks h5-weixin", Provider::Vkspay, "vkspay_h5-weixin", usual, vks("h5-weixin")),
        way("epay md5", Provider::Vkspay, "vkspay_h5", Mode { epay: Epay::Md5, ..usual }, vks("h5")),
        way("epay rsa", Provider::Vkspay, "vkspay_h5", Mode { epay: Epay::Rsa, ..usual }, vks("h5")),
        way("coins", Provider::WxpayVirtual, "wxpay-virtual_mp-weixin", usual, coins.clone()),
        way("goods", Provider::WxpayVirtual, "wxpay-virtual_mp-weixin", usual, goods),
        way("plain", Provider::WxpayVirtual, "wxpay-virtual_mp-weixin", Mode { virtual_plain: true, ..usual }, coins),
        way("ecpay", Provider::Douyin, "douyin_mp-toutiao", usual, json!({})),
        way("trade", Provider::Douyin, "douyin_mp-toutiao", Mode { douyin: DouyinProduct::Trade, ..usual }, json!({})),
        way("mp-harmony", Provider::Huawei, "huawei_mp-harmony", usual, vks("mp-harmony")),
        way("app-harmony", Provider::Huawei, "huawei_app-harmony", usual, vks("app-harmony")),
        way(
            "iap",
            Provider::Huawei,
            "huawei_app-harmony",
            usual,
            json!({ "vk_platform": "app-harmony", "product_id": "coins_1" }),
        ),
    ]
}

pub async fn create(world: &World, way: &Way, no: &str) -> Value {
    let mut data = json!({ "provider": way.provider.name(), "vk_platform": null });
    crate::world::merge(&mut data, way.data.clone());
    let (status, created) = world.create(no, data).await;
    assert_eq!((status, &created["code"]), (200, &json!(0)), "{}: {created}", way.name);
    assert_eq!(created["pay_type"], way.pay_type, "{}", way.name);
    assert_eq!(created["total_fee"], 100, "{}", way.name);
    created
}

/// Pays as the client does, and answers what its SDK hands back.
pub async fn pay(world: &World, way: &Way, created: &Value, notify: bool) -> Value {
    let how = Pay { merchant: Some("shop".to_owned()), notify, ..Pay::default() };
    let paid = world.sandbox.client_pay(way.provider, &created["orderInfo"], how).await;
    paid.unwrap_or_else(|error| panic!("{}: {error} {created}", way.name)).result
}

#[test]
fn every_provider_has_a_way_but_for_those_that_flow_pays_by_their_number() {
    let named: Vec<&str> = ways().iter().map(|way| way.provider.name()).collect();
    crate::world::names_all(&named, |provider| !["wxpay", "alipay"].contains(&provider.name()));
}

#[tokio::test]
async fn every_pay_type_is_created_paid_credited_once_and_refunded() {
    for way in ways() {
        let world = World::with(way.mode, |_| {}).await;
        let no = "FLOW_2026_0001";
        let created = create(&world, &way, no).await;
        let again = create(&world, &way, no).await;
        assert_eq!(again["out_trade_no"], created["out_trade_no"], "{}: the same order", way.name);
        let result = pay(&world, &way, &created, true).await;
        if way.name == "iap" {
            let proof = json!({ "out_trade_no": no, "signed_transaction": result["jwsPurchaseOrder"] });
            let call = json!({ "action": "pay/huaweiiap/verifyPurchase", "data": proof });
            let (status, verified) = world.call("query-payment", call).await;
            assert_eq!((status, &verified["code"]), (200, &json!(0)), "{verified}");
        }
        let order = world.until(|order| order["user_order_success"] == true, no).await;
        assert_eq!(order["trade_state"], "SUCCESS", "{}", way.name);
        assert_eq!(order["provider"], way.provider.name());
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "{}: credited once", way.name);
        let (_, queried) =
            world.call("query-payment", json!({ "url": "pay/queryPayment", "data": { "out_trade_no": no } })).await;
        assert_eq!(queried["trade_state"], "SUCCESS");
        assert_eq!(queried["transaction_id"], order["transaction_id"]);
        refund(&world, &way, no).await;
    }
}

async fn refund(world: &World, way: &Way, no: &str) {
    let data = json!({ "out_trade_no": no, "out_refund_no": "REFUND-0001", "refund_fee": 40 });
    let (status, refunded) = world.call("refund", json!({ "action": "pay/refund", "data": data })).await;
    if way.provider == Provider::Appleiap || way.name == "iap" {
        assert_eq!((status, &refunded["code"]), (422, &json!(2005)), "{}: {refunded}", way.name);
        return;
    }
    assert_eq!((status, &refunded["code"]), (200, &json!(0)), "{}: {refunded}", way.name);
    let asked = json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } });
    for _ in 0..100 {
        let (_, listed) = world.call("refund", asked.clone()).await;
        let refund = &listed["data"]["refunds"][0];
        if refund["status"] == "SUCCESS" {
            assert_eq!(refund["refund_fee"], 40, "{}", way.name);
            let order = world.order(no).await;
            assert_eq!((&order["refund_fee"], &order["trade_state"]), (&json!(40), &json!("REFUND")), "{}", way.name);
            let over = json!({ "out_trade_no": no, "out_refund_no": "REFUND-0002", "refund_fee": 61 });
            let (status, _) = world.call("refund", json!({ "action": "pay/refund", "data": over })).await;
            assert_eq!(status, 409, "{}: never more than was paid", way.name);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{}: the refund never ended", way.name);
}

#[tokio::test]
async fn a_lost_callback_is_found_by_asking() {
    for way in ways() {
        if way.provider == Provider::Appleiap || way.name == "iap" {
            continue;
        }
        let world = World::with(way.mode, |_| {}).await;
        let no = "LOST_2026_0001";
        let created = create(&world, &way, no).await;
        pay(&world, &way, &created, false).await;
        let asked = json!({ "action": "pay/queryPayment", "data": { "out_trade_no": no } });
        let (status, queried) = world.call("query-payment", asked).await;
        assert_eq!((status, &queried["code"]), (200, &json!(0)), "{}: {queried}", way.name);
        assert_eq!(world.order(no).await["notify_mode"], 0, "{}", way.name);
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "{}", way.name);
        if way.provider == Provider::WxpayVirtual {
            let told = world.sandbox.requests().iter().any(|r| r.path == "/xpay/notify_provide_goods");
            assert!(told, "WeChat is told of the delivery");
        }
    }
}

#[tokio::test]
async fn a_forged_callback_writes_nothing_and_a_genuine_one_twice_credits_once() {
    for way in ways() {
        if way.name == "iap" {
            continue;
        }
        let world = World::with(way.mode, |_| {}).await;
        let no = "FORGED_2026_0001";
        let created = create(&world, &way, no).await;
        pay(&world, &way, &created, false).await;
        let order = world.order(no).await;
        let attempt = &order["attempts"][0];
        let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number").to_owned();
        let genuine = world.sandbox.build_callback(&number, CallbackKind::Payment);
        for how in Forgery::ALL.into_iter().filter(|how| how.fits(&genuine)) {
            let forged = world.sandbox.forge(genuine.clone(), how);
            let (status, body) = world.sandbox.send(&forged).await.expect("an answer");
            // A notice of VksPay proves nothing anyway: it is acknowledged, and nothing comes of it.
            let vkspay = way.pay_type.starts_with("vkspay") && way.mode.epay == Epay::No;
            assert!(vkspay || (400..500).contains(&status), "{} {how:?}: {status} {body}", way.name);
            assert_eq!(world.order(no).await["trade_state"], "NOTPAY", "{} {how:?}", way.name);
        }
        for _ in 0..3 {
            let (status, body) = world.sandbox.send(&genuine).await.expect("an answer");
            assert_eq!(status, 200, "{}: {body}", way.name);
        }
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100, "{}", way.name);
        assert_eq!(world.kind("incident").await.len(), 0, "{}", way.name);
    }
}

#[tokio::test]
async fn an_order_is_closed_here_where_the_provider_has_no_close_and_a_late_payment_is_an_incident() {
    for way in ways() {
        let world = World::with(way.mode, |_| {}).await;
        let no = "CLOSED_2026_0001";
        let created = create(&world, &way, no).await;
        let closing = json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } });
        let (status, closed) = world.call("create-payment", closing).await;
        assert_eq!((status, &closed["trade_state"]), (200, &json!("CLOSED")), "{}: {closed}", way.name);
        let result = pay(&world, &way, &created, true).await;
        if way.name == "iap" {
            let proof = json!({ "out_trade_no": no, "signed_transaction": result["jwsPurchaseOrder"] });
            let call = json!({ "action": "pay/huaweiiap/verifyPurchase", "data": proof });
            assert_eq!(world.call("query-payment", call).await.0, 409);
        }
        for _ in 0..100 {
            if !world.kind("incident").await.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.len(), 1, "{}", way.name);
        assert_eq!(incidents[0]["incident"], "late_payment", "{}", way.name);
        assert_eq!(world.order(no).await["trade_state"], "CLOSED");
    }
}
