//! What the functions find when they start: a configuration with real keys, and a table without items.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::json;
use tokio::net::TcpListener;

/// The shared secret that the bench calls with.
pub(crate) const KEY: &str = "bench-1f0e9d8c7b6a5948";

/// A merchant of WeChat Pay with two nodes and one of Alipay; four RSA keys of 2048 bits are parsed at start.
///
/// # Panics
/// When keys cannot be made.
pub(crate) fn configuration() -> String {
    let merchant = key();
    let provider = key();
    let certificate = CertificateParams::new(Vec::new()).and_then(|p| p.self_signed(&merchant)).expect("a certificate");
    let wxpay = json!({
        "appId": "wx0000000000000001", "mchId": "1900000001", "v3Key": "0123456789abcdef0123456789abcdef",
        "appCertContent": certificate.pem(), "appPrivateKeyContent": merchant.serialize_pem(),
        "wxpayPublicKeyId": "PUB_KEY_ID_0000000000000000000000000000000000",
        "wxpayPublicKeyContent": provider.public_key_pem(),
    });
    let alipay = json!({
        "appId": "2021000000000000", "privateKey": merchant.serialize_pem(),
        "alipayPublicKey": provider.public_key_pem(),
    });
    json!({
        "notifyUrl": "https://notify.example",
        "auth": { "default": "key", "keys": { "bench": KEY } },
        "wxpay": { "mp-weixin": wxpay, "h5": wxpay },
        "alipay": { "h5": alipay },
    })
    .to_string()
}

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("an RSA key")
}

/// A DynamoDB that has nothing and says so at once, so that its own speed is not measured.
///
/// # Panics
/// When loopback has no port.
pub(crate) async fn empty_table() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
    let address = listener.local_addr().expect("the port");
    let routes = Router::new().route("/", post(async || ([(CONTENT_TYPE, "application/x-amz-json-1.0")], "{}")));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    format!("http://{address}")
}
