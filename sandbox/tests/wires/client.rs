//! What a merchant's side needs: signing, verifying, a shop that takes callbacks.

use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use aws_lc_rs::{aead, rand};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::{MerchantKeys, Options, Sandbox};
use serde_json::Value;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// One merchant for all tests: making keys is slow.
pub(crate) fn keys() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("shop"))
}

pub(crate) fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub(crate) struct Bench {
    pub sandbox: Sandbox,
    pub base: String,
    pub http: reqwest::Client,
    pub shop: Shop,
}

/// A shop: remembers what it was sent, answers what it is told.
#[derive(Clone)]
pub(crate) struct Shop {
    pub url: String,
    pub got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    pub answer: Arc<Mutex<(u16, String)>>,
}

async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    base
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let got: Arc<Mutex<Vec<(HeaderMap, String)>>> = Arc::default();
        let answer = Arc::new(Mutex::new((200, String::new())));
        let (inbox, reply) = (Arc::clone(&got), Arc::clone(&answer));
        let router = Router::new().fallback(move |_: Uri, headers: HeaderMap, body: Bytes| async move {
            inbox.lock().unwrap().push((headers, String::from_utf8(body.to_vec()).unwrap()));
            let (status, body) = reply.lock().unwrap().clone();
            (StatusCode::from_u16(status).unwrap(), body)
        });
        Self { url: format!("{}/notify", serve(router).await), got, answer }
    }

    pub(crate) fn answers(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    pub(crate) fn last(&self) -> (HeaderMap, String) {
        self.got.lock().unwrap().last().unwrap().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }
}

/// A sandbox with the merchant, callbacks only when asked for.
pub(crate) async fn bench() -> Bench {
    bench_with(Options { retry_divisor: 1, clock: None, auto_deliver: false }).await
}

pub(crate) async fn bench_with(options: Options) -> Bench {
    let sandbox = Sandbox::new(options);
    sandbox.register(keys());
    let base = serve(sandbox.router()).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    Bench { sandbox, base, http, shop: Shop::open().await }
}

pub(crate) fn der(text: &str) -> Vec<u8> {
    let inner: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(inner).unwrap()
}

pub(crate) fn sign(key: &str, message: &str) -> String {
    let key = RsaKeyPair::from_pkcs8(&der(key)).unwrap();
    let mut out = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &rand::SystemRandom::new(), message.as_bytes(), &mut out).unwrap();
    let _ = key.public_key();
    STANDARD.encode(out)
}

pub(crate) fn verifies(public: &str, message: &str, signature: &str) -> bool {
    let Ok(signature) = STANDARD.decode(signature) else {
        return false;
    };
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der(public)).verify(message.as_bytes(), &signature).is_ok()
}

pub(crate) fn open(v3_key: &str, resource: &Value) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap();
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::AES_256_GCM, v3_key.as_bytes()).unwrap());
    let mut data = STANDARD.decode(text("ciphertext")).unwrap();
    let nonce = aead::Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).unwrap();
    let plain = key.open_in_place(nonce, aead::Aad::from(text("associated_data").as_bytes()), &mut data).unwrap();
    serde_json::from_slice(plain).unwrap_or_else(|_| Value::String(String::from_utf8(plain.to_vec()).unwrap()))
}

/// The three signed lines of an answer or a callback.
pub(crate) fn signed_by_wxpay(headers: &HeaderMap, body: &str) -> bool {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let message = format!("{}\n{}\n{body}\n", header("wechatpay-timestamp"), header("wechatpay-nonce"));
    let keys = keys();
    assert_eq!(header("wechatpay-signature-type"), "WECHATPAY2-SHA256-RSA2048");
    assert_eq!(header("wechatpay-serial"), keys.wechat.wxpay_public_key_id);
    verifies(&keys.wechat.wxpay_public_key, &message, header("wechatpay-signature"))
}
