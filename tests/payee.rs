//! Who is paid: what a caller who is not trusted may choose, what stays with an order, and payments that name
//! somebody else than their order.

use crate::binaries_auth::user;
use crate::world::{Answer, World, merge};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbox::{CallbackKind, MerchantKeys, Mode, Provider};
use serde_json::{Value, json};
use shared::config::Config;
use std::path::Path;
use std::sync::OnceLock;

const QUOTES: &str = "the-secret-of-the-signed-quotes";

pub fn twin() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("twin"))
}

/// A quote over an order of 100 fen, with more claims.
fn quote(out_trade_no: &str, claims: Value) -> String {
    let mut all = json!({
        "out_trade_no": out_trade_no, "total_fee": 100, "type": "recharge", "custom": { "user_id": "user_001" },
        "exp": (shared::app::system_clock())().get() / 1000 + 600,
    });
    merge(&mut all, claims);
    let [header, claims] = [json!({ "alg": "HS256" }), all].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let text = format!("{header}.{claims}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, QUOTES.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// A shop whose page may create orders by itself, and that has a second merchant, `twin`.
async fn shop(mode: Mode, allowed: Value) -> World {
    let world = World::with(mode, |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway").to_owned();
        config["merchants"] = json!({ "twin": twin().config_with(&gateway, mode) });
        config["auth"]["createPayment"] = json!(["key", "jwt", "none"]);
        config["auth"]["jwt"] = json!({ "hs256": crate::binaries_auth::USERS });
        config["auth"]["quote"] = json!({ "hs256": QUOTES });
        config["auth"]["clientMayChoose"] = allowed;
    });
    let world = world.await;
    world.sandbox.register(twin());
    world
}

/// The page's own request: nobody's, or a user's.
async fn asked(world: &World, token: Option<&str>, out_trade_no: &str, data: Value) -> Answer {
    let mut order = json!({
        "provider": "wxpay", "out_trade_no": out_trade_no, "total_fee": 100, "subject": "测试商品",
        "type": "recharge", "vk_platform": "h5", "custom": { "user_id": "user_001" },
    });
    merge(&mut order, data);
    let body = json!({ "action": "pay/createPayment", "data": order });
    world.post(&world.url("create-payment"), body, token).await
}

fn forbidden(answer: &Answer, what: &str) {
    assert_eq!((answer.0, &answer.1["code"]), (403, &json!(403)), "{what}: {}", answer.1);
}

/// Names that say who is paid, who shares, who bears a cost; with the provider that takes them.
fn selectors() -> Vec<(&'static str, Value)> {
    let other = |value: Value| json!({ "other": value });
    vec![
        ("wxpay", json!({ "pid": "twin" })),
        ("alipay", json!({ "pid": "twin" })),
        ("wxpay", json!({ "sub_mchid": "1900000109" })),
        ("wxpay", json!({ "sub_appid": "wx0123456789abcdef" })),
        ("wxpay", other(json!({ "sub_mchid": "1900000109" }))),
        ("wxpay", other(json!({ "settle_info": { "profit_sharing": true } }))),
        ("wxpay", other(json!({ "profit_sharing": true }))),
        ("wxpay", other(json!({ "goods_tag": "WXG" }))),
        ("wxpay", other(json!({ "detail": { "cost_price": 1, "goods_detail": [] } }))),
        ("alipay", other(json!({ "seller_id": "2088999999999999" }))),
        ("alipay", other(json!({ "settle_info": { "settle_detail_infos": [] } }))),
        ("alipay", other(json!({ "profit_sharing": true }))),
        ("alipay", other(json!({ "extend_params": { "royalty_freeze": "true" } }))),
        ("alipay", other(json!({ "royalty_info": { "royalty_detail_infos": [] } }))),
        ("alipay", other(json!({ "sub_merchant": { "merchant_id": "2088999999999999" } }))),
        ("alipay", other(json!({ "discountable_amount": "0.99" }))),
        ("alipay", other(json!({ "undiscountable_amount": "0.01" }))),
        ("alipay", other(json!({ "extend_params": { "hb_fq_num": "3", "hb_fq_seller_percent": "100" } }))),
        ("alipay", other(json!({ "goods_detail": [{ "goods_id": "1", "price": "0.01" }] }))),
        ("alipay", other(json!({ "promo_params": "{}" }))),
        ("alipay", other(json!({ "attach": "fine", "what_nobody_knows": "1" }))),
    ]
}

#[tokio::test]
async fn f1_a_caller_who_is_not_trusted_chooses_no_payee_with_a_quote_or_without() {
    let world = shop(Mode::default(), json!([])).await;
    let token = user(json!({}));
    for (n, (provider, choice)) in selectors().into_iter().enumerate() {
        let no = format!("CHOSEN_{n}");
        for (who, token, quoted) in
            [("anyone", None, false), ("a user", Some(token.as_str()), false), ("a quote", None, true)]
        {
            let mut data = choice.clone();
            data["provider"] = json!(provider);
            if quoted {
                data["quote"] = json!(quote(&no, json!({})));
            }
            let answer = asked(&world, token, &no, data).await;
            forbidden(&answer, &format!("{who} {provider} {choice}"));
            let named = answer.1["msg"].as_str().expect("a text");
            let name = choice.as_object().expect("an object").keys().next().expect("a name");
            assert!(named.contains(name.as_str()), "{named} says which name: {choice}");
        }
        assert_eq!(world.order(&no).await, Value::Null, "{choice}: nothing is stored");
    }
    assert!(world.sandbox.trades().is_empty(), "no provider was asked");
    // The same is the merchant's own to say.
    for (n, data) in [json!({ "pid": "twin" }), json!({ "other": { "goods_tag": "WXG" } })].into_iter().enumerate() {
        let (status, made) = world.create(&format!("TRUSTED_{n}"), data).await;
        assert_eq!(status, 200, "{made}");
    }
    let admin = user(json!({ "role": "admin" }));
    let data = json!({ "provider": "alipay", "pid": "twin", "user_id": "user_001" });
    assert_eq!(asked(&world, Some(&admin), "ADMIN_0", data).await.0, 200);
}

#[tokio::test]
async fn f1_nor_on_an_order_that_the_merchants_server_made() {
    let world = shop(Mode::default(), json!(["pid", "sub_mchid", "sub_appid"])).await;
    for (n, (provider, choice)) in selectors().into_iter().enumerate() {
        let no = format!("SERVERS_{n}");
        let (status, made) = world.create(&no, json!({ "provider": provider })).await;
        assert_eq!(status, 200, "{made}");
        let before = world.order(&no).await;
        let mut data = choice.clone();
        data["provider"] = json!(provider);
        forbidden(&asked(&world, None, &no, data).await, &format!("{provider} {choice}"));
        assert_eq!(world.order(&no).await, before, "{choice}: nothing is stored");
        let (status, again) = asked(&world, None, &no, json!({ "provider": provider })).await;
        assert_eq!((status, &again["orderInfo"]), (200, &made["orderInfo"]), "and the page can go on with it");
    }
}

#[tokio::test]
async fn f1_an_order_stays_with_the_merchant_it_was_made_for() {
    let world = shop(Mode::default(), json!([])).await;
    let (status, made) = world.create("BOUND_1", json!({ "pid": "twin" })).await;
    assert_eq!(status, 200, "{made}");
    let (status, again) = asked(&world, None, "BOUND_1", json!({})).await;
    assert_eq!((status, &again["orderInfo"]), (200, &made["orderInfo"]), "whoever names nobody goes on with it");
    assert_eq!(asked(&world, None, "BOUND_1", json!({ "pid": "twin" })).await.0, 200, "naming its own is no choice");
    forbidden(&asked(&world, None, "BOUND_1", json!({ "pid": "default" })).await, "another");
    let (status, other) = asked(&world, None, "BOUND_1", json!({ "provider": "alipay" })).await;
    assert_eq!(status, 200, "{other}");
    let order = world.order("BOUND_1").await;
    assert_eq!((&order["merchant"], &order["attempts"][1]["merchant"]), (&json!("twin"), &json!("twin")));
    assert_eq!(
        order["attempts"][1]["app_id"],
        twin().alipay.app_id,
        "another way to pay is one of the same merchant's"
    );
    // Its own server moves it, and so does a quote.
    let (status, moved) = world.create("BOUND_1", json!({ "pid": "default" })).await;
    assert_eq!(status, 200, "{moved}");
    assert_eq!(world.order("BOUND_1").await["merchant"], "default");
    let quoted = quote("BOUND_1", json!({ "pid": "twin" }));
    assert_eq!(asked(&world, None, "BOUND_1", json!({ "quote": quoted })).await.0, 200);
    assert_eq!(world.order("BOUND_1").await["merchant"], "twin");
}

/// Some name the order's own merchant, some name nobody: it is the same order all the same.
#[tokio::test]
async fn requests_at_once_end_as_one_order_whether_they_name_its_merchant_or_nobody() {
    let world = shop(Mode::default(), json!([])).await;
    for n in 0..5 {
        let no = format!("AT_ONCE_{n}");
        let some = |i: usize| if i < 2 { json!({ "pid": "default" }) } else { json!({}) };
        let made = futures::future::join_all((0..4).map(|i| world.create(&no, some(i)))).await;
        for (status, answer) in made {
            assert_eq!((status, &answer["code"]), (200, &json!(0)), "{answer}");
        }
        assert_eq!(world.order(&no).await["attempts"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn f1_the_sub_merchant_of_an_order_stays_too() {
    let world = shop(Mode::default(), json!([])).await;
    let sub = world.keys.wechat.sub_mchid.clone();
    let (status, made) = world.create("SUB_STAYS", json!({ "sub_mchid": sub })).await;
    assert_eq!(status, 200, "{made}");
    for (mine, status) in
        [(json!({}), 200), (json!({ "sub_mchid": sub }), 200), (json!({ "sub_mchid": "1600000001" }), 403)]
    {
        assert_eq!(asked(&world, None, "SUB_STAYS", mine.clone()).await.0, status, "{mine}");
    }
    let order = world.order("SUB_STAYS").await;
    assert_eq!(order["attempts"].as_array().map(Vec::len), Some(1));
    assert_eq!(order["attempts"][0]["sub_mchid"], json!(sub));
}

#[tokio::test]
async fn f1_a_quote_may_sign_who_is_paid_and_what_goes_to_the_provider() {
    let world = shop(Mode::default(), json!([])).await;
    let claims = json!({ "provider": "alipay", "pid": "twin", "other": { "goods_detail": [], "store_id": "S1" } });
    let signed = |no: &str| quote(no, claims.clone());
    let bare = json!({ "provider": null, "quote": signed("SIGNED_1") });
    let (status, made) = asked(&world, None, "SIGNED_1", bare).await;
    assert_eq!(status, 200, "what is left out comes from it: {made}");
    let order = world.order("SIGNED_1").await;
    assert_eq!((&order["merchant"], &order["provider"]), (&json!("twin"), &json!("alipay")));
    assert_eq!(order["other"]["store_id"], "S1");
    for (name, differs) in [
        ("provider", json!({ "provider": "wxpay" })),
        ("pid", json!({ "provider": "alipay", "pid": "default" })),
        ("other", json!({ "provider": "alipay", "other": {} })),
        ("other", json!({ "provider": "alipay", "other": { "store_id": "S2" } })),
    ] {
        let mut data = differs.clone();
        data["quote"] = json!(signed("SIGNED_2"));
        forbidden(&asked(&world, None, "SIGNED_2", data).await, &format!("{name}: {differs}"));
    }
    // What it does not sign stays forbidden.
    let data = json!({ "provider": "alipay", "sub_mchid": "1900000109", "quote": signed("SIGNED_2") });
    forbidden(&asked(&world, None, "SIGNED_2", data).await, "sub_mchid");
    assert_eq!(world.order("SIGNED_2").await, Value::Null);
    let sub = world.keys.wechat.sub_mchid.clone();
    let data = json!({ "quote": quote("SIGNED_3", json!({ "sub_mchid": sub })) });
    assert_eq!(asked(&world, None, "SIGNED_3", data).await.0, 200);
    assert_eq!(world.order("SIGNED_3").await["attempts"][0]["sub_mchid"], json!(sub));
}

#[tokio::test]
async fn f1_the_configuration_may_leave_a_choice_to_the_client() {
    let world = shop(Mode::default(), json!(["pid", "other.goods_tag", "store_id"])).await;
    assert_eq!(asked(&world, None, "LEFT_1", json!({ "pid": "twin", "other": { "goods_tag": "A" } })).await.0, 200);
    assert_eq!(world.order("LEFT_1").await["merchant"], "twin");
    let data = json!({ "provider": "alipay", "other": { "store_id": "S1" } });
    assert_eq!(asked(&world, None, "LEFT_2", data).await.0, 200);
    forbidden(&asked(&world, None, "LEFT_3", json!({ "sub_mchid": "1900000109" })).await, "not left");
    forbidden(&asked(&world, None, "LEFT_1", json!({ "pid": "default" })).await, "an order that is made stays");
    assert_eq!(asked(&world, None, "LEFT_4", json!({ "pid": "nobody" })).await.0, 400);
}

#[tokio::test]
async fn what_chooses_nobody_is_free() {
    let world = shop(Mode::default(), json!([])).await;
    let (status, made) =
        asked(&world, None, "FREE_1", json!({ "other": { "attach": "x", "limit_pay": "no_credit" } })).await;
    assert_eq!(status, 200, "{made}");
    let other =
        json!({ "body": "一杯咖啡", "passback_params": "a", "method": "alipay.trade.page.pay", "seller_id": null });
    let (status, made) = asked(&world, None, "FREE_2", json!({ "provider": "alipay", "other": other })).await;
    assert_eq!(status, 200, "{made}");
}

#[test]
fn names_that_client_may_choose_does_not_know_are_faults() {
    let faults = |list: Value| {
        let config = json!({ "auth": { "keys": { "shop": "a-secret-of-the-shop" }, "clientMayChoose": list } });
        match Config::parse(&config.to_string(), Path::new("/")) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    };
    let all = json!(["pid", "sub_mchid", "sub_appid", "other.seller_id", "royalty_info", "other.attach", "other"]);
    assert_eq!(faults(all), Vec::<String>::new());
    for wrong in
        [json!(["pids"]), json!(["other.sub_mchid"]), json!(["total_fee"]), json!([""]), json!("pid"), json!([1])]
    {
        let found = faults(wrong.clone());
        assert!(found.iter().any(|f| f.starts_with("auth.clientMayChoose")), "{wrong}: {found:?}");
    }
}

/// The one incident that there is.
async fn incident(world: &World, name: &str, no: &str) -> Value {
    let incidents = world.kind("incident").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!((&incidents[0]["incident"], &incidents[0]["out_trade_no"]), (&json!(name), &json!(no)));
    assert_eq!(world.order(no).await["trade_state"], "NOTPAY", "never credited");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    incidents[0].clone()
}

#[tokio::test]
async fn f8_a_genuine_callback_that_names_another_sub_merchant_credits_nothing() {
    for wxpay_version in [3, 2] {
        let mode = Mode { wxpay_version, ..Mode::default() };
        for (made_for_sub, told) in [(true, Some("1699999999")), (true, None), (false, Some("1699999999"))] {
            let world = World::with(mode, |_| {}).await;
            let no = "PARTNER_0001";
            let sub = world.keys.wechat.sub_mchid.clone();
            let data = if made_for_sub { json!({ "sub_mchid": sub }) } else { json!({}) };
            let (status, made) = world.create(no, data).await;
            assert_eq!(status, 200, "{made}");
            world.pay_silently(no).await;
            let genuine = world.sandbox.build_callback(no, CallbackKind::Payment);
            let wish = told.map(str::to_owned);
            world.sandbox.alter(Provider::Wxpay, no, |trade| trade.sub_merchant = wish).expect("a trade");
            let other = world.sandbox.build_callback(no, CallbackKind::Payment);
            let (status, body) = world.sandbox.send(&other).await.expect("an answer");
            assert!(status < 500, "v{wxpay_version}: {status} {body}");
            let incident = incident(&world, "merchant_mismatch", no).await;
            assert_eq!(incident["actual"]["sub_mchid"], told.unwrap_or_default());
            // The one that names its own is taken.
            world.sandbox.send(&genuine).await.expect("an answer");
            assert_eq!(world.order(no).await["trade_state"], "SUCCESS", "v{wxpay_version} {made_for_sub} {told:?}");
        }
    }
}

#[tokio::test]
async fn f8_a_query_that_names_another_sub_merchant_credits_nothing() {
    for wxpay_version in [3, 2] {
        let world = World::with(Mode { wxpay_version, ..Mode::default() }, |_| {}).await;
        let no = "ASKED_0001";
        world.create(no, json!({})).await;
        world.pay_silently(no).await;
        world
            .sandbox
            .alter(Provider::Wxpay, no, |trade| trade.sub_merchant = Some("1699999999".to_owned()))
            .expect("a trade");
        let asked = json!({ "action": "pay/queryPayment", "data": { "out_trade_no": no } });
        world.call("query-payment", asked).await;
        assert_eq!(world.order(no).await["trade_state"], "NOTPAY", "v{wxpay_version}");
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
        // APIv3 finds an order by number and sub-merchant, so that of another is not found at all.
        if wxpay_version == 2 {
            let incident = incident(&world, "merchant_mismatch", no).await;
            assert_eq!(incident["actual"], json!({ "sub_mchid": "1699999999" }));
        }
    }
}

#[tokio::test]
async fn f8_a_refund_that_names_another_sub_merchant_is_an_incident_and_is_not_counted() {
    let world = World::start().await;
    let no = "GIVEN_BACK_0001";
    world.create(no, json!({})).await;
    world.pay(no).await;
    let number = world.sandbox.give_back(None, no, 40).expect("given back");
    let names_another = |trade: &mut sandbox::Trade| trade.sub_merchant = Some("1699999999".to_owned());
    world.sandbox.alter(Provider::Wxpay, no, names_another).expect("a trade");
    let callback = world.sandbox.build_callback(&number, CallbackKind::Refund);
    assert_eq!(world.sandbox.send(&callback).await.expect("an answer").0, 204);
    let incidents = world.kind("incident").await;
    let incident = incidents.iter().find(|incident| incident["incident"] == "merchant_mismatch").expect("an incident");
    assert_eq!(incident["actual"], json!({ "sub_mchid": "1699999999" }));
    assert_eq!(world.order(no).await["refund_fee"], 0);
}

#[tokio::test]
async fn f8_alipays_receiving_account_and_authorised_application_are_compared() {
    let with_seller = |config: &mut Value| config["alipay"]["h5"]["sellerId"] = json!("2088000000000002");
    // The account of the configuration, or the one that the order names.
    for (named, told, fits) in [
        (None, "2088000000000002", true),
        (None, "2088999999999999", false),
        (Some("2088777777777777"), "2088777777777777", true),
        (Some("2088777777777777"), "2088000000000002", false),
    ] {
        let world = World::with(Mode::default(), with_seller).await;
        let no = "SELLER_0001";
        let other = named.map_or(json!({}), |id| json!({ "seller_id": id }));
        let (status, made) = world.create(no, json!({ "provider": "alipay", "other": other })).await;
        assert_eq!(status, 200, "{made}");
        world.pay_silently(no).await;
        world.sandbox.alter(Provider::Alipay, no, |trade| trade.request["seller_id"] = json!(told)).expect("a trade");
        let callback = world.sandbox.build_callback(no, CallbackKind::Payment);
        let (status, _) = world.sandbox.send(&callback).await.expect("an answer");
        assert!(status < 500);
        match fits {
            true => assert_eq!(world.order(no).await["trade_state"], "SUCCESS", "{named:?} {told}"),
            false => drop(incident(&world, "merchant_mismatch", no).await),
        }
    }
    // An account that the order names is compared where the configuration names none.
    let world = World::start().await;
    world.create("SELLER_0002", json!({ "provider": "alipay", "other": { "seller_id": "2088777777777777" } })).await;
    world.pay_silently("SELLER_0002").await;
    world
        .sandbox
        .alter(Provider::Alipay, "SELLER_0002", |trade| trade.request["seller_id"] = json!("2088999999999999"))
        .expect("a trade");
    world.sandbox.send(&world.sandbox.build_callback("SELLER_0002", CallbackKind::Payment)).await.expect("an answer");
    incident(&world, "merchant_mismatch", "SELLER_0002").await;

    let world = World::start().await;
    world.create("AUTHED_0001", json!({ "provider": "alipay" })).await;
    world.pay_silently("AUTHED_0001").await;
    world
        .sandbox
        .alter(Provider::Alipay, "AUTHED_0001", |trade| trade.sub_appid = Some("2021999999999999".to_owned()))
        .expect("a trade");
    world.sandbox.send(&world.sandbox.build_callback("AUTHED_0001", CallbackKind::Payment)).await.expect("an answer");
    incident(&world, "app_mismatch", "AUTHED_0001").await;
}

#[tokio::test]
async fn f7_an_app_order_of_version_2_hands_out_the_sub_merchant_as_partnerid() {
    let world = World::with(Mode { wxpay_version: 2, ..Mode::default() }, |_| {}).await;
    let app = |data: Value| {
        let mut all = json!({ "vk_platform": "app-plus" });
        merge(&mut all, data);
        all
    };
    let sub = world.keys.wechat.sub_mchid.clone();
    let (status, made) = world.create("APP_SUB_1", app(json!({ "sub_mchid": sub }))).await;
    assert_eq!((status, &made["orderInfo"]["partnerid"]), (200, &json!(sub)), "{made}");
    let (_, made) = world.create("APP_OWN_1", app(json!({}))).await;
    assert_eq!(made["orderInfo"]["partnerid"], json!(world.keys.wechat.mchid));
}

#[tokio::test]
async fn f11_a_list_of_addresses_is_refused_and_not_replaced_by_the_servers_own() {
    let world = World::start().await;
    for wrong in [json!("1.2.3.4, 10.0.0.1"), json!("1.2.3.4:80"), json!("payer"), json!(7), json!(["1.2.3.4"])] {
        let (status, made) =
            world.create("ADDRESSED_1", json!({ "vk_platform": "mweb", "client_ip": wrong.clone() })).await;
        assert_eq!((status, &made["code"]), (400, &json!(1030)), "{wrong}: {made}");
        assert!(made["msg"].as_str().is_some_and(|msg| msg.contains("client_ip")), "{made}");
    }
    assert_eq!(world.order("ADDRESSED_1").await, Value::Null);
    let (status, _) = world.create("ADDRESSED_1", json!({ "vk_platform": "mweb", "client_ip": "1.2.3.4" })).await;
    assert_eq!((status, &world.order("ADDRESSED_1").await["client_ip"]), (200, &json!("1.2.3.4")));
    // From the query string and VK-Pay's context it is the same field.
    let context = json!({ "provider": "wxpay", "context": { "CLIENTIP": "1.2.3.4,10.0.0.1" }, "data": {
        "out_trade_no": "ADDRESSED_2", "total_fee": 100, "subject": "s", "type": "recharge", "vk_platform": "mweb",
        "custom": { "user_id": "user_001" },
    } });
    assert_eq!(world.call("create-payment", context).await.0, 400);
}

#[tokio::test]
async fn f13_a_transfer_under_an_authorisation_that_nobody_gave_is_refused_and_not_made_without_it() {
    let world = World::start().await;
    for name in ["authorization_id", "out_authorization_no"] {
        let mut data = crate::transfers::wxpay("AUTHORISED1", 100);
        data[name] = json!("A-1");
        let (status, answer) = world.transfer(data).await;
        assert_eq!((status, &answer["code"]), (404, &json!(2001)), "{answer}");
    }
    assert!(world.kind("transfer").await.is_empty());
    assert!(world.sandbox.transfers().is_empty());
}
