//! What the Alipay tests share: keys made here, a merchant, an order, and a gateway on loopback that answers
//! by script, checks every request's signature, and keeps what it was asked.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use crypto::base64;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::{Attempt, Order, Provider, UnixMs};
use providers::{CallbackError, CallbackRequest, CreateRequest, Gateway, Notice, ProviderClients, alipay::signing};
use providers::{Config, Merchant};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

pub const APP_ID: &str = "2021000000000001";
pub const NUMBER: &str = "order_20260102_1";
pub const TRADE_NO: &str = "2026010222001400000000000001";
/// 2026-01-02 11:04:05 in Shanghai.
pub const NOW: i64 = 1_767_323_045_678;
pub const MINUTE: i64 = 60_000;

/// An RSA key of 2048 bits, as a merchant pastes it into a configuration.
pub struct Pair {
    pub private: PrivateKey,
    pub private_text: String,
    pub public: PublicKey,
    pub public_text: String,
}

fn pair() -> Pair {
    let made = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let der: Pkcs8V1Der<'_> = made.as_der().expect("PKCS#8");
    let private_text = base64(der.as_ref());
    let private = PrivateKey::parse(&private_text).expect("a private key");
    let spki = private.public_spki().to_vec();
    Pair { private, private_text, public: PublicKey::from_der(&spki).expect("a key"), public_text: base64(&spki) }
}

pub static OURS: LazyLock<Pair> = LazyLock::new(pair);
pub static ALIPAY: LazyLock<Pair> = LazyLock::new(pair);
pub static STRANGER: LazyLock<Pair> = LazyLock::new(pair);

pub fn fixture(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/alipay").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub fn fixture_json(path: &str) -> Value {
    serde_json::from_str(&fixture(path)).expect("JSON")
}

pub fn pairs(params: &Value) -> Vec<(String, String)> {
    let texts = params.as_object().expect("an object").iter();
    texts.map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned())).collect()
}

/// A node in key mode, with these keys over it.
pub fn node(more: Value) -> Value {
    let mut node = json!({
        "appId": APP_ID, "privateKey": OURS.private_text, "alipayPublicKey": ALIPAY.public_text,
    });
    node.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    node
}

/// A configuration with these sections at its top.
pub fn config(sections: Value) -> Config {
    let mut document = json!({ "auth": { "keys": { "shop": "a-secret-of-the-shop" } } });
    document.as_object_mut().expect("an object").extend(sections.as_object().cloned().unwrap_or_default());
    match Config::parse(&document.to_string(), Path::new("/")) {
        Ok((config, _)) => config,
        Err(faults) => panic!("{faults:?}"),
    }
}

pub fn with_merchant<T>(section: Value, then: impl FnOnce(&Merchant) -> T) -> T {
    then(config(json!({ "alipay": section })).merchant("default").expect("the default merchant"))
}

pub fn gateway(name: &str, node: Value) -> Gateway {
    let section = Value::Object(Map::from_iter([(name.to_owned(), node)]));
    with_merchant(section, |merchant| Gateway::find(merchant, Provider::Alipay, name).expect("the node"))
}

pub fn attempt(more: Value) -> Attempt {
    let mut attempt = json!({
        "n": 1, "provider": "alipay", "node": "h5", "pay_type": "alipay_h5", "merchant": "default",
        "number": NUMBER, "app_id": APP_ID, "state": "open", "create_date": NOW, "client_ip": "203.0.113.7",
        "fresh_until": 0,
    });
    attempt.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_value(attempt).expect("an attempt")
}

pub fn order(more: Value) -> Order {
    let mut order = json!({
        "out_trade_no": NUMBER, "provider": "alipay", "pay_type": "alipay_h5", "platform": "h5",
        "uni_platform": "h5", "type": "goods", "trade_state": "NOTPAY", "status": 0, "total_fee": 1230,
        "currency": "CNY", "refund_fee": 0, "refund_reserved": 0, "refundable": 0, "refund_num": 0,
        "provider_appid": APP_ID, "merchant": "default", "description": "一杯咖啡 100%", "custom": {},
        "notify_url": "https://shop.example/pay-notify/alipay/default", "notify_path": "/pay-notify/alipay/default",
        "create_date": NOW, "time_expire": NOW + 30 * MINUTE, "attempts": [attempt(json!({}))], "version": 1,
    });
    order.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    serde_json::from_value(order).expect("an order")
}

pub fn request(order: &Order) -> CreateRequest<'_> {
    let attempt = order.current();
    CreateRequest {
        order,
        attempt,
        notify_url: &order.notify_url,
        return_url: None,
        platform: "",
        auth_code: None,
        store_id: None,
        now: UnixMs::new(NOW),
    }
}

/// The gateway's answer to a method with a node of this raw text, signed by this key.
pub fn signed_answer(method: &str, raw: &str, key: &PrivateKey) -> String {
    let sign = key.sign(raw.as_bytes()).expect("a signature");
    format!(r#"{{"{}_response":{raw},"sign":"{sign}"}}"#, method.replace('.', "_"))
}

/// Alipay's answer: these fields after code 10000.
pub fn success(method: &str, fields: Value) -> String {
    let mut node = json!({ "code": "10000", "msg": "Success" });
    node.as_object_mut().expect("an object").extend(fields.as_object().cloned().unwrap_or_default());
    signed_answer(method, &node.to_string(), &ALIPAY.private)
}

/// Alipay's answer: a business failure.
pub fn failure(method: &str, code: &str, sub_code: &str) -> String {
    let node = json!({ "code": code, "msg": "Business Failed", "sub_code": sub_code, "sub_msg": "原因" });
    signed_answer(method, &node.to_string(), &ALIPAY.private)
}

/// A gateway on loopback. Each call takes the next answer; one too many is HTTP 599.
pub struct Script {
    pub url: String,
    pub clients: ProviderClients,
    asked: Arc<Mutex<Vec<BTreeMap<String, String>>>>,
}

type Shared = (Arc<Mutex<VecDeque<(u16, String)>>>, Arc<Mutex<Vec<BTreeMap<String, String>>>>);

impl Script {
    pub async fn with(answers: Vec<(u16, String)>) -> Self {
        let asked = Arc::default();
        let state: Shared = (Arc::new(Mutex::new(answers.into())), Arc::clone(&asked));
        let app = Router::new().fallback(answer).with_state(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/gateway.do", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, clients: ProviderClients::default(), asked }
    }

    pub async fn of(answers: Vec<String>) -> Self {
        Self::with(answers.into_iter().map(|body| (200, body)).collect()).await
    }

    /// The requests so far, verified and decoded.
    pub fn asked(&self) -> Vec<BTreeMap<String, String>> {
        self.asked.lock().expect("no panic").clone()
    }

    /// The methods asked so far.
    pub fn methods(&self) -> Vec<String> {
        self.asked().iter().map(|form| form["method"].clone()).collect()
    }

    /// `biz_content` of a request.
    pub fn biz(&self, n: usize) -> Value {
        serde_json::from_str(&self.asked()[n]["biz_content"]).expect("JSON")
    }
}

async fn answer(
    State((answers, asked)): State<Shared>,
    request: axum::extract::Request,
) -> (StatusCode, [(&'static str, &'static str); 1], String) {
    assert_eq!(request.uri().query(), Some("charset=utf-8"));
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
    let form: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let params: Vec<_> = form.iter().collect();
    let signed = OURS.public.verify(signing::request_text(&params).as_bytes(), &form["sign"]);
    asked.lock().expect("no panic").push(form);
    let next = answers.lock().expect("no panic").pop_front().filter(|_| signed);
    let (status, body) = next.unwrap_or((599, String::new()));
    (StatusCode::from_u16(status).expect("a status"), [("content-type", "text/html;charset=utf-8")], body)
}

/// The fields of a payment's callback, unsigned.
pub fn paid_fields() -> BTreeMap<String, String> {
    [
        ("notify_time", "2026-01-02 11:04:07"),
        ("notify_type", "trade_status_sync"),
        ("notify_id", "2026010200222110407012345678901234"),
        ("app_id", APP_ID),
        ("charset", "utf-8"),
        ("version", "1.0"),
        ("trade_no", TRADE_NO),
        ("out_trade_no", NUMBER),
        ("buyer_id", "2088000000000001"),
        ("buyer_logon_id", "158****1234"),
        ("seller_id", "2088000000000002"),
        ("seller_email", "shop@shop.example"),
        ("trade_status", "TRADE_SUCCESS"),
        ("total_amount", "12.30"),
        ("receipt_amount", "12.30"),
        ("subject", "1+1 杯 100%2B"),
        ("gmt_payment", "2026-01-02 11:04:06"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// A callback's body: the fields, signed by a key.
pub fn signed_form(fields: &BTreeMap<String, String>, key: &PrivateKey) -> String {
    let params: Vec<_> = fields.iter().collect();
    let sign = key.sign(signing::notify_text(&params).as_bytes()).expect("a signature");
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields).append_pair("sign_type", "RSA2").append_pair("sign", &sign);
    form.finish()
}

/// Reads a callback with the keys of this merchant.
pub fn read(merchant: &Merchant, body: &[u8]) -> Result<Notice, CallbackError> {
    let headers = http::HeaderMap::new();
    let request =
        CallbackRequest { method: &http::Method::POST, headers: &headers, query: "", body, now: UnixMs::new(NOW) };
    let clients = ProviderClients::default();
    let reading = providers::read_callback(Provider::Alipay, merchant, &clients, &request);
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(reading)
}
