//! What the tests of WeChat Pay share: keys made here, a merchant, orders, and a small server in WeChat Pay's place.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair as _;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use crypto::{base64, rsa::PrivateKey};
use domain::{Attempt, Order, Provider, Refund, Secret, UnixMs};
use http::HeaderMap;
use providers::Config;
use providers::wxpay::v2::{Params, sign};
use providers::{
    CallbackRequest, CreateRequest, Gateway, ProviderClients, RefundRequest, common::xml,
    wxpay::signing::answer_message,
};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, SerialNumber, date_time_ymd};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

/// 2026-01-01 00:00 UTC, Unix ms.
pub const NOW: i64 = 1_767_225_600_000;
pub const V3_KEY: &str = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb";
pub const V2_KEY: &str = "192006250b4c09247ec02edce69f6a2d";
pub const MCH: &str = "1900007291";
pub const APP: &str = "wx2421b1c4370ec43b";
pub const PUB_KEY_ID: &str = "PUB_KEY_ID_0000000000000024101100397200000006";

/// A key pair with a certificate of it.
pub struct Pair {
    pub private: PrivateKey,
    pub private_pem: String,
    pub public_pem: String,
    pub certificate_pem: String,
    pub serial: String,
}

impl Pair {
    pub fn new(serial: u8, years: (i32, i32)) -> Self {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        let signer = KeyPair::from_pem_and_sign_algo(&private_pem, &PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new(vec!["pay.test".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(vec![serial; 20]));
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        Self {
            private: PrivateKey::parse(&private_pem).unwrap(),
            public_pem: pem("PUBLIC KEY", public.as_ref()),
            certificate_pem: params.self_signed(&signer).unwrap().pem(),
            serial: format!("{serial:02X}").repeat(20),
            private_pem,
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", base64(der))
}

/// The merchant's own key.
pub static MERCHANT: LazyLock<Pair> = LazyLock::new(|| Pair::new(0x11, (2020, 2040)));
/// WeChat Pay's key.
pub static PLATFORM: LazyLock<Pair> = LazyLock::new(|| Pair::new(0x22, (2020, 2040)));
/// Somebody else's key.
pub static STRANGER: LazyLock<Pair> = LazyLock::new(|| Pair::new(0x33, (2020, 2040)));

/// A node of APIv3 with the platform's public key.
pub fn v3_node(base: &str) -> Value {
    json!({
        "appId": APP, "mchId": MCH, "version": 3, "v3Key": V3_KEY,
        "appCertContent": MERCHANT.certificate_pem, "appPrivateKeyContent": MERCHANT.private_pem,
        "wxpayPublicKeyContent": PLATFORM.public_pem, "wxpayPublicKeyId": PUB_KEY_ID,
        "apiBase": base,
    })
}

/// The same with platform certificates instead.
pub fn certificate_node(base: &str) -> Value {
    let mut node = v3_node(base);
    node.as_object_mut().unwrap().retain(|key, _| !key.starts_with("wxpayPublicKey"));
    node
}

/// A node of APIv2.
pub fn v2_node(base: &str, sign_type: &str) -> Value {
    json!({ "appId": APP, "mchId": MCH, "version": 2, "key": V2_KEY, "signType": sign_type, "apiBase": base })
}

/// A configuration with these nodes.
pub fn config(nodes: Value) -> Config {
    let document = json!({ "auth": { "keys": { "shop": "0123456789abcdef0123" } }, "wxpay": nodes });
    match Config::parse(&document.to_string(), Path::new(".")) {
        Ok((config, _)) => config,
        Err(faults) => panic!("{faults:?}"),
    }
}

/// A configuration with one node.
pub fn config_of(name: &str, node: Value) -> Config {
    config(json!({ name: node }))
}

pub fn gateway(config: &Config, node: &str) -> Gateway {
    Gateway::find(config.merchant("default").unwrap(), Provider::Wxpay, node).unwrap()
}

/// An attempt at a node, with these fields set beside the usual ones.
pub fn attempt(node: &str, more: Value) -> Attempt {
    let mut fields = json!({
        "n": 1, "provider": "wxpay", "node": node, "pay_type": format!("wxpay_{node}"), "merchant": "default",
        "number": "T202601010001", "app_id": APP, "mch_id": MCH, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        "state": "open", "create_date": NOW, "client_ip": "203.0.113.7", "fresh_until": 0,
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).unwrap()
}

/// An order of one yuan, with these fields set beside the usual ones.
pub fn order(more: Value) -> Order {
    let mut fields = json!({
        "out_trade_no": "T202601010001", "provider": "wxpay", "pay_type": "wxpay_h5", "platform": "h5",
        "uni_platform": "h5", "type": "recharge", "trade_state": "NOTPAY", "status": 0, "total_fee": 100,
        "currency": "CNY", "refund_fee": 0, "refund_reserved": 0, "refundable": 0, "refund_num": 0,
        "provider_appid": APP, "merchant": "default", "description": "余额充值", "custom": {},
        "notify_url": "https://pay.test/pay-notify/wxpay/default", "notify_path": "/pay-notify/wxpay/default",
        "create_date": NOW, "time_expire": NOW + 7_200_000, "attempts": [], "version": 1,
    });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).unwrap()
}

pub fn create_request<'a>(order: &'a Order, attempt: &'a Attempt) -> CreateRequest<'a> {
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

pub fn refund_request<'a>(order: &'a Order, attempt: &'a Attempt) -> RefundRequest<'a> {
    RefundRequest {
        order,
        attempt,
        transaction_id: "4200000001",
        total: domain::Fen(100),
        out_refund_no: "R202601010001",
        refund: domain::Fen(40),
        reason: "商品缺货",
        notify_url: "https://pay.test/refund-notify/wxpay/default",
        now: UnixMs::new(NOW),
    }
}

pub fn stored_refund() -> Refund {
    serde_json::from_value(json!({
        "out_trade_no": "T202601010001", "out_refund_no": "R202601010001", "refund_fee": 40, "refund_desc": "",
        "state": "PROCESSING", "provider": "wxpay", "merchant": "default", "attempt": 1, "create_date": NOW,
    }))
    .unwrap()
}

/// AEAD_AES_256_GCM as WeChat Pay seals.
pub fn seal(key: &str, nonce: &str, aad: &str, plain: &[u8]) -> String {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).unwrap());
    let mut sealed = plain.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).unwrap();
    key.seal_in_place_append_tag(nonce, Aad::from(aad.as_bytes()), &mut sealed).unwrap();
    base64(&sealed)
}

/// Signature headers over a body, by a key under a serial number.
pub fn signed_by(key: &PrivateKey, serial: &str, now: i64, body: &[u8]) -> HeaderMap {
    let timestamp = (now / 1000).to_string();
    let nonce = "EcZ9Cmy4Xyx1i6RlJQzLcCyEqDa26NBz";
    let signature = key.sign(&answer_message(&timestamp, nonce, body)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("wechatpay-timestamp", timestamp.parse().unwrap());
    headers.insert("wechatpay-nonce", nonce.parse().unwrap());
    headers.insert("wechatpay-signature", signature.parse().unwrap());
    headers.insert("wechatpay-serial", serial.parse().unwrap());
    headers.insert("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048".parse().unwrap());
    headers
}

/// A v3 event around a resource.
pub fn event(name: &str, resource: &Value) -> Value {
    let plain = resource.to_string();
    json!({
        "id": "3119dfba-e649-5eec-ab1e-3412bc4d2e17", "create_time": "2026-01-01T08:00:00+08:00",
        "event_type": name, "resource_type": "encrypt-resource", "summary": "",
        "resource": {
            "original_type": "transaction", "algorithm": "AEAD_AES_256_GCM", "associated_data": "transaction",
            "nonce": "Kj7QIyUiYx1q", "ciphertext": seal(V3_KEY, "Kj7QIyUiYx1q", "transaction", plain.as_bytes()),
        },
    })
}

/// The order object of a payment of one yuan.
pub fn paid_order() -> Value {
    json!({
        "appid": APP, "mchid": MCH, "out_trade_no": "T202601010001", "transaction_id": "4200000001",
        "trade_type": "NATIVE", "trade_state": "SUCCESS", "trade_state_desc": "支付成功", "bank_type": "CMC",
        "success_time": "2026-01-01T08:00:00+08:00", "payer": { "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" },
        "amount": { "total": 100, "payer_total": 90, "currency": "CNY", "payer_currency": "CNY" },
    })
}

pub fn callback<'a>(headers: &'a HeaderMap, body: &'a [u8]) -> CallbackRequest<'a> {
    CallbackRequest { method: &http::Method::POST, headers, query: "", body, now: UnixMs::new(NOW) }
}

/// Parameters from JSON texts.
pub fn params(value: &Value) -> Params {
    value.as_object().unwrap().iter().map(|(k, v)| (k.clone(), v.as_str().unwrap().to_owned())).collect()
}

pub fn to_xml(params: &Params) -> Vec<u8> {
    xml::write("xml", params.iter().map(|(k, v)| (k.as_str(), v.as_str()))).unwrap().into_bytes()
}

/// A v2 message, signed.
pub fn signed_xml(value: &Value, hmac: bool) -> Vec<u8> {
    let mut params = params(value);
    params.insert("sign".to_owned(), sign(&params, &Secret::new(V2_KEY), hmac));
    to_xml(&params)
}

/// A request that the server saw.
#[derive(Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    /// The body as it was sent.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn xml(&self) -> Params {
        xml::read(&self.body).unwrap().fields
    }
}

/// An answer of the server.
pub struct Canned {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Canned {
    /// Signed as WeChat Pay does.
    pub fn signed(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, headers: signed_by(&PLATFORM.private, PUB_KEY_ID, NOW, &body), body }
    }

    pub fn json(body: &Value) -> Self {
        Self::signed(200, body.to_string())
    }

    /// An error: it carries no signature.
    pub fn error(status: u16, code: &str) -> Self {
        Self::plain(status, json!({ "code": code, "message": "" }).to_string())
    }

    pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: HeaderMap::new(), body: body.into() }
    }
}

/// A server in WeChat Pay's place.
pub struct Server {
    pub base: String,
    pub clients: ProviderClients,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub async fn start(answer: impl Fn(&Seen) -> Canned + Send + Sync + 'static) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = seen.clone();
        let answer = Arc::new(answer);
        let handler = move |request: Request| {
            let (log, answer) = (log.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
                let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
                let seen = Seen { method: parts.method.to_string(), target, headers: parts.headers, body };
                let canned = answer(&seen);
                log.lock().unwrap().push(seen);
                let mut response = Response::new(Body::from(canned.body));
                *response.status_mut() = canned.status.try_into().unwrap();
                response.headers_mut().extend(canned.headers);
                response
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, clients: ProviderClients::default(), seen }
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn last(&self) -> Seen {
        self.seen().pop().expect("a request was made")
    }
}

/// A fixture.
pub fn fixture(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/wechat").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub fn fixture_text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/wechat").join(name);
    std::fs::read_to_string(path).unwrap()
}
