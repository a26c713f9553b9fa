//! Where requests come in: a Function URL, an HTTP API, and CloudFront before either.

use crate::binaries_kit::Shop;
use crate::world::KEY;
use sandbox::Mode;
use serde_json::{Value, json};
use shared::api::Request;
use std::path::Path;
use tests::binaries::binaries;
use tests::runtime_api::Emulator;

const SECRET: &str = "origin-0123456789-0123456789-0123456789";
/// The functions with an address.
const DOORS: [&str; 6] = ["create-payment", "query-payment", "refund", "transfer", "login", "notify"];

fn event(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../events/{name}.json"));
    serde_json::from_str(&std::fs::read_to_string(file).expect("the event")).expect("JSON")
}

/// What a function reads of an event.
fn read(event: &Value) -> Request {
    lambda_http::request::from_str(&event.to_string()).expect("a request").into()
}

#[test]
fn a_function_reads_the_same_from_an_http_api_as_from_its_url() {
    let url = read(&event("create-payment-wxpay-h5"));
    let api = read(&event("http-api-create-payment"));
    assert_eq!((&api.method, &api.query, &api.source_ip), (&url.method, &url.query, &url.source_ip));
    assert_eq!((api.body, api.path.as_str(), url.path.as_str()), (url.body, "/create-payment", "/"));
    for name in ["authorization", "content-type", "user-agent", "x-forwarded-for"] {
        assert!(url.headers.get(name).is_some() && api.headers.get(name) == url.headers.get(name), "{name}");
    }
}

#[test]
fn bytes_path_and_query_come_through_an_http_api_as_they_were_sent() {
    let url = read(&event("notify-wxpay-forged-base64"));
    let api = read(&event("http-api-notify-wxpay-forged"));
    assert_eq!(api.body, url.body);
    assert!(api.body.starts_with(b"{\"id\""));
    // Neither decoded nor encoded anew: some providers sign it.
    assert_eq!(api.query, "from=%E4%BD%A0&n=1+2");
    assert_eq!(api.path, "/shop/pay-notify/wxpay/default");
    assert_eq!(api.headers.get("wechatpay-nonce"), url.headers.get("wechatpay-nonce"));
}

#[test]
fn who_signed_is_known_behind_the_iam_authorizer_of_an_http_api() {
    let signed = read(&event("http-api-refund-iam"));
    assert_eq!(signed.iam_arn.as_deref(), Some("arn:aws-cn:sts::123456789012:assumed-role/shop/shop"));
    assert_eq!(read(&event("http-api-create-payment")).iam_arn, None);
}

#[tokio::test]
async fn functions_behind_cloudfront_let_in_nothing_else_and_see_its_clients_address() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.environment.push(("PAY_ORIGIN_SECRET", SECRET.to_owned()));
    for door in DOORS {
        shop.start(door, 1).await;
        let mut sent = event(if door == "notify" { "notify-wxpay-forged" } else { "http-api-create-payment" });
        sent["headers"]["authorization"] = json!(format!("Bearer {KEY}"));
        for shown in [None, Some(""), Some("a-guess"), Some(&SECRET[1..])] {
            if let Some(shown) = shown {
                sent["headers"]["x-pay-origin-secret"] = json!(shown);
            }
            let (status, body) = shop.invoke(door, sent.clone()).await;
            assert_eq!((status, &body["code"]), (403, &json!(403)), "{door}: {shown:?} {body}");
        }
        sent["headers"]["x-pay-origin-secret"] = json!(SECRET);
        let (status, body) = shop.invoke(door, sent).await;
        assert_ne!((status, &body["code"]), (403, &json!(403)), "{door}: {body}");
    }
    assert!(!shop.log().contains(SECRET), "the secret is logged");

    let data = json!({
        "provider": "wxpay", "out_trade_no": "EDGE000001", "total_fee": 100, "subject": "测试商品",
        "type": "recharge", "vk_platform": "mweb", "custom": { "user_id": "user_001" },
    });
    let mut sent = event("http-api-create-payment");
    sent["body"] = json!({ "action": "pay/createPayment", "data": data }).to_string().into();
    sent["headers"]["authorization"] = json!(format!("Bearer {KEY}"));
    sent["headers"]["x-pay-origin-secret"] = json!(SECRET);
    sent["headers"]["x-forwarded-for"] = json!("198.51.100.1, 203.0.113.99, 130.176.0.1");
    sent["requestContext"]["http"]["sourceIp"] = json!("130.176.0.1");
    let (status, body) = shop.invoke("create-payment", sent).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(shop.world.order("EDGE000001").await["client_ip"], "203.0.113.99");
}

#[tokio::test]
async fn without_cloudfront_no_header_changes_the_clients_address() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    shop.start("create-payment", 1).await;
    let data = json!({
        "provider": "wxpay", "out_trade_no": "EDGE000002", "total_fee": 100, "subject": "测试商品",
        "type": "recharge", "vk_platform": "mweb", "custom": { "user_id": "user_001" },
    });
    let mut sent = event("create-payment-wxpay-h5");
    sent["body"] = json!({ "action": "pay/createPayment", "data": data }).to_string().into();
    sent["headers"]["authorization"] = json!(format!("Bearer {KEY}"));
    sent["headers"]["x-forwarded-for"] = json!("198.51.100.1");
    sent["headers"]["cloudfront-viewer-address"] = json!("198.51.100.1:1234");
    let (status, body) = shop.invoke("create-payment", sent).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(shop.world.order("EDGE000002").await["client_ip"], "203.0.113.7");
}

#[tokio::test]
async fn a_blank_origin_secret_starts_no_function() {
    let emulator = Emulator::start().await;
    let environment = [
        ("PAY_CONFIG", r#"{"auth":{"default":"key","keys":{"shop":"0123456789abcdef"}}}"#),
        ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:9"),
        ("PAY_ORIGIN_SECRET", ""),
    ];
    let process = emulator.spawn(binaries().path("login"), &environment).await;
    let fault = process.ready().await.expect_err("it must not start");
    assert!(fault.message.contains("PAY_ORIGIN_SECRET: a secret of it is shorter than 32 bytes"), "{fault}");
}
