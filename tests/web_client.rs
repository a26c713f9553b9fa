//! What a web page needs of the functions: where it may call from, where its payer comes back to, when to ask again.

use crate::world::{Answer, KEY, TABLE, World, merge};
use crate::wxpay_kit::{Canned, Server};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use sandbox::{Epay, Mode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vk_pay_local::Options;

const BACK: &str = "https://shop.example/back?a=1&b=%20#/pages/pay";
const ORIGIN: &str = "https://shop.example";

fn parameters(url: &str) -> BTreeMap<String, String> {
    let (_, query) = url.split_once('?').unwrap_or_else(|| panic!("no query: {url}"));
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn ask(world: &World, no: &str) -> reqwest::Response {
    let body = json!({ "out_trade_no": no }).to_string();
    let client = reqwest::Client::new();
    let request = client.post(world.url("query-payment")).header("authorization", format!("Bearer {KEY}"));
    request.body(body).send().await.expect("an answer")
}

/// Makes the attempts of an order as old as that.
async fn age(world: &World, no: &str, ms: i64) {
    let at = world.order(no).await["create_date"].as_i64().expect("a date") - ms;
    let request = world.tables.update_item().table_name(TABLE);
    let request = request.key("pk", Av::S(format!("O#{no}"))).key("sk", Av::S("O".to_owned()));
    let request = request.update_expression("SET attempts[0].create_date = :at");
    request.expression_attribute_values(":at", Av::N(at.to_string())).send().await.expect("written");
}

#[tokio::test]
async fn an_unpaid_order_says_when_to_ask_again_and_slower_as_it_ages() {
    let world = World::start().await;
    world.create("PACE_0001", json!({})).await;
    for (ms, pause, header) in [(0, 1_500, "1"), (31_000, 3_000, "3"), (121_000, 5_000, "5"), (601_000, 10_000, "10")] {
        age(&world, "PACE_0001", ms).await;
        let answer = ask(&world, "PACE_0001").await;
        assert_eq!(answer.headers()["retry-after"], header, "{ms}");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["next_poll_ms"], pause, "{ms}");
        assert_eq!(answer["data"]["next_poll_ms"], pause, "{ms}");
    }
    let (_, other) = world
        .call("query-payment", json!({ "action": "pay/queryPayment", "data": { "out_trade_no": "PACE_0001" } }))
        .await;
    assert_eq!((&other["code"], &other["next_poll_ms"]), (&json!(2002), &json!(10_000)), "in either dialect");
}

#[tokio::test]
async fn an_attempt_that_has_just_begun_is_asked_about_soon_however_old_its_order_is() {
    let world = World::start().await;
    world.create("PACE_0002", json!({})).await;
    age(&world, "PACE_0002", 3_600_000).await;
    world.create("PACE_0002", json!({ "provider": "alipay", "needQRcode": true })).await;
    let (_, answer) = world.call("query-payment", json!({ "out_trade_no": "PACE_0002" })).await;
    assert_eq!(answer["next_poll_ms"], 1_500);
}

#[tokio::test]
async fn there_is_nothing_to_wait_for_when_an_order_is_paid_or_closed() {
    let world = World::start().await;
    world.create("PACE_PAID", json!({})).await;
    world.pay("PACE_PAID").await;
    world.create("PACE_SHUT", json!({})).await;
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "PACE_SHUT" } });
    assert_eq!(world.call("create-payment", close).await.0, 200);
    for no in ["PACE_PAID", "PACE_SHUT"] {
        let answer = ask(&world, no).await;
        assert!(answer.headers().get("retry-after").is_none(), "{no}");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert!(answer.get("next_poll_ms").is_none() && answer["data"].get("next_poll_ms").is_none(), "{answer}");
    }
}

/// Where the order's payer comes back to, as the payer's browser is told.
fn back_of(made: &Answer) -> String {
    let (status, made) = made;
    assert_eq!(*status, 200, "{made}");
    match made["pay_type"].as_str().expect("a text") {
        "wxpay_mweb" => {
            assert_eq!(made["orderInfo"]["mwebUrl"], made["orderInfo"]["mweb_url"]);
            parameters(made["orderInfo"]["mwebUrl"].as_str().expect("a text"))["redirect_url"].clone()
        }
        _ => parameters(made["orderInfo"]["payUrl"].as_str().expect("a text"))["return_url"].clone(),
    }
}

#[tokio::test]
async fn the_payer_comes_back_with_the_number_of_the_order() {
    let v2 = Mode { wxpay_version: 2, ..Mode::default() };
    for (mode, ways) in
        [(Mode::default(), vec![("wxpay", "mweb"), ("alipay", "pc"), ("alipay", "wap")]), (v2, vec![("wxpay", "mweb")])]
    {
        let world = World::with(mode, |_| {}).await;
        for (provider, platform) in ways {
            let no = format!("BACK_{provider}_{platform}");
            let data = json!({ "provider": provider, "vk_platform": platform, "return_url": BACK });
            let made = world.create(&no, data).await;
            let wanted = format!("https://shop.example/back?a=1&b=%20&out_trade_no={no}#/pages/pay");
            assert_eq!(back_of(&made), wanted, "{provider} {platform}");
        }
    }
}

#[tokio::test]
async fn an_epay_site_is_told_where_the_payer_comes_back_to() {
    let site = Server::start(|_| Canned::json(&json!({ "code": 1, "payurl": "https://epay.example/pay/1" }))).await;
    let mode = Mode { epay: Epay::Md5, ..Mode::default() };
    let world = World::with(mode, |config| config["vkspay"]["apiBase"] = json!(site.base)).await;
    let (status, made) = world.create("BACK_EPAY", json!({ "provider": "vkspay", "return_url": BACK })).await;
    assert_eq!(status, 200, "{made}");
    let form = parameters(&format!("?{}", String::from_utf8(site.last().body).unwrap()));
    assert_eq!(form["return_url"], "https://shop.example/back?a=1&b=%20&out_trade_no=BACK_EPAY#/pages/pay");
}

#[tokio::test]
async fn only_redirect_url_is_added_to_the_address_of_wechat_pay() {
    let world = World::start().await;
    let (_, made) = world.create("BACK_0001", json!({ "vk_platform": "mweb", "return_url": BACK })).await;
    let url = made["orderInfo"]["mwebUrl"].as_str().expect("a text");
    let (own, back) = url.split_once("&redirect_url=").expect("one more parameter");
    assert!(own.starts_with("https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx"), "{own}");
    assert_eq!(
        back,
        "https%3A%2F%2Fshop.example%2Fback%3Fa%3D1%26b%3D%2520%26out_trade_no%3DBACK_0001%23%2Fpages%2Fpay"
    );
    let (_, made) = world.create("BACK_0002", json!({ "vk_platform": "mweb" })).await;
    assert!(
        !made["orderInfo"]["mwebUrl"].as_str().expect("a text").contains("redirect_url"),
        "none where none is named"
    );
}

#[tokio::test]
async fn the_same_request_has_the_same_parameters_until_it_names_another_way_back() {
    let world = World::start().await;
    for (provider, platform) in [("wxpay", "mweb"), ("alipay", "wap")] {
        let no = format!("AGAIN_{provider}");
        let there = |url: Option<&str>| {
            let mut data = json!({ "provider": provider, "vk_platform": platform });
            if let Some(url) = url {
                merge(&mut data, json!({ "return_url": url }));
            }
            data
        };
        let first = world.create(&no, there(Some("https://shop.example/one"))).await;
        let again = world.create(&no, there(Some("https://shop.example/one"))).await;
        assert_eq!(again.1["orderInfo"], first.1["orderInfo"], "{provider}");
        assert_eq!(world.create(&no, there(None)).await.1["orderInfo"], first.1["orderInfo"], "{provider}");
        let other = world.create(&no, there(Some("https://shop.example/two"))).await;
        assert_eq!(back_of(&other), format!("https://shop.example/two?out_trade_no={no}"));
        assert_eq!(world.create(&no, there(None)).await.1["orderInfo"], other.1["orderInfo"], "{provider}");
        assert_eq!(world.order(&no).await["attempts"].as_array().map(Vec::len), Some(1), "it is the same attempt");
    }
}

#[tokio::test]
async fn a_way_back_that_is_not_safe_is_refused_before_anything_is_stored() {
    let world = World::start().await;
    for url in [
        json!("http://shop.example/back"),
        json!("javascript:alert(1)"),
        json!("/pages/pay"),
        json!("https://u:p@shop.example/"),
        json!(format!("https://shop.example/{}", "a".repeat(600))),
        json!(1),
    ] {
        for platform in ["mweb", "h5"] {
            let data = json!({ "vk_platform": platform, "return_url": url });
            let (status, answer) = world.create("UNSAFE_001", data).await;
            assert_eq!((status, &answer["code"]), (400, &json!(1022)), "{url}");
        }
    }
    assert!(world.items(TABLE).await.is_empty());
    let (status, _) = world.create("LOOPBACK_1", json!({ "return_url": "http://localhost:5173/" })).await;
    assert_eq!(status, 200, "a page on this machine may be http");
    let (status, _) = world.create("NOWHERE_01", json!({ "return_url": "" })).await;
    assert_eq!(status, 200, "an empty one is none");
}

#[tokio::test]
async fn the_same_request_after_its_order_has_ended_is_told_so_and_a_new_one_that_is_over_is_malformed() {
    let world = World::start().await;
    let now = (shared::app::system_clock())().get();
    let soon = json!({ "provider": "alipay", "time_expire": now + 2_500 });
    assert_eq!(world.create("EXPIRES_1", soon.clone()).await.0, 200);
    tokio::time::sleep(std::time::Duration::from_millis(2_600)).await;
    let (status, again) = world.create("EXPIRES_1", soon).await;
    assert_eq!((status, &again["code"]), (409, &json!(2012)), "{again}");
    // VksPay itself knows no end of an order.
    let over = json!({ "provider": "vkspay", "time_expire": now });
    let (status, new) = world.create("EXPIRES_2", over).await;
    assert_eq!((status, &new["code"]), (400, &json!(1030)), "{new}");
    assert!(world.order("EXPIRES_2").await.is_null());
}

#[tokio::test]
async fn pages_of_the_named_origins_may_call_the_functions_and_no_others() {
    let dir = tempfile::tempdir().expect("a folder");
    let options = Options {
        port: 0,
        data_dir: dir.path().to_owned(),
        schedule: None,
        cors_origins: vec![ORIGIN.to_owned()],
        ..Options::default()
    };
    let running = vk_pay_local::start(options).await.expect("started");
    let client = reqwest::Client::new();
    let preflight = |path: &str, origin: &'static str| {
        let request = client.request(reqwest::Method::OPTIONS, format!("{}{path}", running.base_url));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "authorization,content-type,accept-language").send()
    };
    for path in ["/create-payment", "/query-payment", "/refund", "/login", "/transfer", "/http/vk-pay"] {
        let answer = preflight(path, ORIGIN).await.expect("an answer");
        assert_eq!(answer.status(), 204, "{path}");
        let headers = answer.headers();
        assert_eq!(headers["access-control-allow-origin"], ORIGIN);
        assert_eq!(headers["access-control-allow-methods"], "POST");
        assert_eq!(headers["vary"], "origin");
        assert!(headers.get("access-control-allow-credentials").is_none(), "no cookie is ever asked for");
        let allowed = headers["access-control-allow-headers"].to_str().expect("a text");
        for name in ["authorization", "content-type", "accept-language"] {
            assert!(allowed.split(", ").any(|own| own == name), "{name}");
        }
        for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
            let answer = preflight(path, origin).await.expect("an answer");
            assert!(answer.headers().get("access-control-allow-origin").is_none(), "{origin}");
        }
    }
    let answer = client.post(format!("{}/refund", running.base_url)).header("origin", ORIGIN).body("{}").send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.headers()["access-control-expose-headers"], "retry-after");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["access-control-allow-origin"]),
        (401, &ORIGIN.parse().unwrap()),
        "a page may read why it was refused"
    );
    for path in ["/", "/demo", "/assets/console.js"] {
        let answer = client.get(format!("{}{path}", running.base_url)).header("origin", ORIGIN).send().await.unwrap();
        assert!(answer.headers().get("access-control-allow-origin").is_none(), "{path} is the console's own");
    }
    running.stop().await;
}
