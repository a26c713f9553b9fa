//! Who may call, through the functions' own door: every mode, and what proves nothing.

use crate::binaries_kit::Shop;
use crate::world::{Answer, KEY, TABLE, World, merge};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use handlers::Registry;
use sandbox::Mode;
use serde_json::{Value, json};
use shared::app::{App, Settings};
use shared::config::Source;
use shared::domain::UnixMs;
use shared::store::Store;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use tests::function_url::Event;
use vk_pay_local::{dynamo, functions};

pub const USERS: &str = "the-secret-of-the-users-tokens";
pub const QUOTES: &str = "the-secret-of-the-signed-quotes";
const ARN: &str = "arn:aws:sts::123456789012:assumed-role/shop/session-1";

pub fn now() -> i64 {
    (shared::app::system_clock())().get() / 1000
}

fn b64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A token with this header and these claims, signed by `sign`.
pub fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let text = format!("{}.{}", b64(header.to_string().as_bytes()), b64(claims.to_string().as_bytes()));
    let signature = sign(text.as_bytes());
    format!("{text}.{}", b64(&signature))
}

pub fn hs256(secret: &str) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    move |text| hmac::sign(&key, text).as_ref().to_vec()
}

/// A token of a user, HS256.
pub fn user(claims: Value) -> String {
    let mut all = json!({ "uid": "user_001", "exp": now() + 600 });
    merge(&mut all, claims);
    token(&json!({ "alg": "HS256", "typ": "JWT" }), &all, hs256(USERS))
}

/// A signed quote.
fn quote(claims: Value) -> String {
    let mut all = json!({
        "out_trade_no": "QUOTED_1", "total_fee": 100, "type": "recharge",
        "custom": { "user_id": "user_001", "recharge_balance": 300 }, "exp": now() + 600,
    });
    merge(&mut all, claims);
    token(&json!({ "alg": "HS256" }), &all, hs256(QUOTES))
}

impl Shop {
    /// Functions that look at their configuration at every request.
    async fn with_auth(auth: Value) -> Self {
        let mut shop = Self::closed(Mode::default(), |config| config["auth"] = auth).await;
        shop.environment.push(("PAY_CONFIG_TTL", "0".to_owned()));
        for function in ["create-payment", "query-payment", "refund"] {
            shop.start(function, 1).await;
        }
        shop
    }

    /// Another `auth` from now on.
    fn set_auth(&self, auth: Value) {
        let mut config = self.world.config.clone();
        config["auth"] = auth;
        self.configure(&config.to_string());
    }

    /// Posts with an `Authorization` header, or none.
    async fn ask(&self, function: &str, authorization: &str, body: Value) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        if !authorization.is_empty() {
            headers.insert("authorization", authorization.parse().unwrap());
        }
        self.invoke(function, event(&headers, "", &body)).await
    }

    async fn query(&self, authorization: &str) -> u16 {
        self.ask("query-payment", authorization, json!({ "out_trade_no": "NOBODY_KNOWS" })).await.0
    }

    async fn create(&self, authorization: &str, data: Value) -> Answer {
        let mut order = json!({
            "provider": "wxpay", "total_fee": 100, "subject": "s", "type": "recharge", "vk_platform": "h5",
            "custom": { "user_id": "user_001" },
        });
        merge(&mut order, data);
        order.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        self.ask("create-payment", authorization, json!({ "action": "pay/createPayment", "data": order })).await
    }
}

fn event(headers: &http::HeaderMap, query: &str, body: &Value) -> Value {
    let body = body.to_string();
    Event { method: "POST", path: "/", query, version: http::Version::HTTP_11, headers, body: body.as_bytes() }
        .to_json()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn a_key_passes_in_the_authorization_header_and_nowhere_else() {
    let shop = Shop::with_auth(json!({ "keys": { "shop": KEY, "other": "another-key-of-the-shop" } })).await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(shop.query(&format!("{scheme} {KEY}")).await, 404, "{scheme}: known, and there is no such order");
    }
    assert_eq!(shop.query("Bearer another-key-of-the-shop").await, 404);
    for wrong in [
        String::new(),
        KEY.to_owned(),
        format!("Basic {KEY}"),
        format!("Bearer{KEY}"),
        "Bearer ".to_owned(),
        bearer("wrong"),
        bearer(&KEY[..KEY.len() - 1]),
        bearer(&format!("{KEY}x")),
        bearer(&KEY.to_uppercase()),
        "AWS4-HMAC-SHA256 Credential=AKIA/20250101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
            .to_owned(),
    ] {
        assert_eq!(shop.query(&wrong).await, 401, "{wrong}");
    }
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", KEY.parse().unwrap());
    headers.insert("cookie", format!("authorization=Bearer {KEY}").parse().unwrap());
    let mut body =
        json!({ "out_trade_no": "NOBODY_KNOWS", "key": KEY, "authorization": bearer(KEY), "uniIdToken": KEY });
    body["data"] = body.clone();
    let query = format!("key={KEY}&authorization=Bearer%20{KEY}&Authorization=Bearer%20{KEY}");
    assert_eq!(shop.invoke("query-payment", event(&headers, &query, &body)).await.0, 401);
}

#[tokio::test]
async fn the_key_that_called_stands_in_the_history_by_its_name() {
    let shop = Shop::with_auth(json!({ "keys": { "till-7": KEY } })).await;
    assert_eq!(shop.create(&bearer(KEY), json!({ "out_trade_no": "NAMED_1" })).await.0, 200);
    let history = shop.world.history("NAMED_1").await;
    assert!(history.iter().any(|h| h["event"] == "created" && h["source"] == "key:till-7"), "{history:?}");
    assert_eq!(shop.create("", json!({ "out_trade_no": "NAMED_2" })).await.0, 401);
    assert!(shop.world.order("NAMED_2").await.is_null(), "nothing is stored for a stranger");
}

#[tokio::test]
async fn an_iam_caller_passes_only_by_what_lambda_says() {
    let shop = Shop::with_auth(json!({ "default": "iam" })).await;
    let signed =
        "AWS4-HMAC-SHA256 Credential=AKIA/20250101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00";
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", signed.parse().unwrap());
    let claim = json!({ "authorizer": { "iam": { "userArn": ARN } } });
    let body = json!({
        "out_trade_no": "NOBODY_KNOWS", "requestContext": claim, "authorizer": claim["authorizer"],
        "context": claim,
    });
    assert_eq!(
        shop.invoke("query-payment", event(&headers, "", &body)).await.0,
        401,
        "a header and a body prove nothing"
    );
    let with = |arn: Value| {
        let mut event = event(&headers, "", &body);
        event["requestContext"]["authorizer"] = json!({ "iam": { "userArn": arn } });
        event
    };
    assert_eq!(shop.invoke("query-payment", with(json!(ARN))).await.0, 404);
    assert_eq!(shop.invoke("query-payment", with(json!(""))).await.0, 401);
    assert_eq!(shop.invoke("query-payment", with(Value::Null)).await.0, 401);
    let mut lambda = event(&headers, "", &body);
    lambda["requestContext"]["authorizer"] = json!({ "lambda": { "userArn": ARN } });
    assert_eq!(shop.invoke("query-payment", lambda).await.0, 401);
    for (allow, status) in [
        (json!(["arn:aws:sts::123456789012:assumed-role/shop/*"]), 404),
        (json!([ARN]), 404),
        (json!(["arn:aws:sts::123456789012:assumed-role/other/*", "*"]), 404),
        (json!(["arn:aws:sts::123456789012:assumed-role/shop"]), 403),
        (json!(["arn:aws:sts::*:assumed-role/shop/session-1"]), 403),
        (json!(["arn:aws:sts::123456789012:assumed-role/shop/session-11"]), 403),
        (json!([]), 403),
    ] {
        shop.set_auth(json!({ "default": "iam", "iam": { "allow": allow } }));
        assert_eq!(shop.invoke("query-payment", with(json!(ARN))).await.0, status, "{allow}");
    }
}

#[tokio::test]
async fn none_opens_only_what_it_names_and_a_list_lets_any_of_its_modes_pass() {
    let keys = json!({ "shop": KEY });
    let shop = Shop::with_auth(json!({ "keys": keys, "queryPayment": "none" })).await;
    assert_eq!(shop.query("").await, 404);
    assert_eq!(shop.query("Bearer whatever").await, 404);
    assert_eq!(shop.create("", json!({ "out_trade_no": "CLOSED_1" })).await.0, 401);
    let orders = json!({ "action": "pay/queryOrders", "data": { "user_id": "user_001" } });
    assert_eq!(shop.ask("query-payment", "", orders).await.0, 401);
    shop.set_auth(json!({ "keys": keys, "jwt": { "hs256": USERS }, "queryPayment": ["iam", "key", "jwt"] }));
    assert_eq!(shop.query(&bearer(KEY)).await, 404);
    assert_eq!(shop.query(&bearer(&user(json!({})))).await, 404);
    assert_eq!(shop.query(&bearer("neither")).await, 401);
    let list = json!({ "action": "pay/refund", "data": { "out_trade_no": "NOBODY_KNOWS" } });
    assert_eq!(shop.ask("refund", &bearer(&user(json!({}))), list).await.0, 401, "refund takes only the default");
}

#[tokio::test]
async fn a_token_passes_only_whole_timely_and_in_the_algorithm_that_is_configured() {
    let shop = Shop::with_auth(json!({
        "keys": { "shop": KEY }, "queryPayment": "jwt",
        "jwt": { "hs256": USERS, "issuer": "uni-id", "audience": "shop", "leewaySeconds": 5 },
    }))
    .await;
    let claims = json!({ "sub": "user_001", "exp": now() + 600, "iss": "uni-id", "aud": "shop" });
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let made = |header: &Value, change: Value| {
        let mut all = claims.clone();
        merge(&mut all, change);
        all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        token(header, &all, hs256(USERS))
    };
    assert_eq!(shop.query(&bearer(&made(&header, json!({})))).await, 404);
    assert_eq!(shop.query(&bearer(&made(&header, json!({ "uid": "user_002" })))).await, 404);
    assert_eq!(shop.query(&bearer(&made(&header, json!({ "aud": ["other", "shop"] })))).await, 404);
    assert_eq!(shop.query(&bearer(&made(&header, json!({ "exp": now() - 2 })))).await, 404, "within the leeway");
    for (change, why) in [
        (json!({ "exp": now() - 60 }), "expired"),
        (json!({ "exp": null }), "no exp"),
        (json!({ "exp": "tomorrow" }), "exp is no number"),
        (json!({ "nbf": now() + 60 }), "not yet"),
        (json!({ "iss": "other" }), "another issuer"),
        (json!({ "iss": null }), "no issuer"),
        (json!({ "aud": "other" }), "another audience"),
        (json!({ "aud": null }), "no audience"),
        (json!({ "sub": null }), "no user"),
        (json!({ "sub": "" }), "an empty user"),
        (json!({ "sub": 7 }), "a user that is no text"),
    ] {
        assert_eq!(shop.query(&bearer(&made(&header, change))).await, 401, "{why}");
    }
    let key = json!({ "kty": "oct", "k": b64(USERS.as_bytes()) });
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS384" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "RS256" }),
        json!({ "typ": "JWT" }),
        json!({ "alg": "HS256", "jwk": key }),
        json!({ "alg": "HS256", "jku": "https://attacker.example/jwks" }),
        json!({ "alg": "HS256", "x5u": "https://attacker.example/x5u" }),
    ] {
        assert_eq!(shop.query(&bearer(&made(&header, json!({})))).await, 401, "{header}");
    }
    let unsigned = token(&json!({ "alg": "none" }), &claims, |_| Vec::new());
    let good = made(&header, json!({}));
    let (body, _) = good.rsplit_once('.').unwrap();
    for wrong in [
        unsigned,
        token(&header, &claims, hs256("another-secret-of-nobody")),
        token(&header, &claims, hs256("")),
        format!("{body}."),
        body.to_owned(),
        format!("{good}x"),
        String::from(".."),
    ] {
        assert_eq!(shop.query(&bearer(&wrong)).await, 401, "{wrong}");
    }
    let uni_id = json!({ "out_trade_no": "NOBODY_KNOWS", "uniIdToken": good });
    assert_eq!(shop.ask("query-payment", "", uni_id.clone()).await.0, 404, "uniIdToken beside the data");
    assert_eq!(shop.ask("query-payment", "", json!({ "data": uni_id })).await.0, 401, "and not within them");
}

/// A JWKS on loopback that counts how often it is fetched. With status 0 it is silent for two seconds, and fails.
async fn jwks(set: Arc<std::sync::Mutex<(u16, Value)>>) -> (String, Arc<AtomicUsize>) {
    let fetched = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fetched);
    let answer = move || {
        let (status, body) = set.lock().unwrap().clone();
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            if status == 0 {
                tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            }
            (http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::BAD_GATEWAY), axum::Json(body))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let routes = Router::new().route("/jwks", get(answer));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, fetched)
}

struct Signers {
    rsa: RsaKeyPair,
    ec: EcdsaKeyPair,
}

impl Signers {
    fn new() -> Self {
        Self {
            rsa: RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap(),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
        }
    }

    fn rs256(&self, text: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).unwrap();
        signature
    }

    fn es256(&self, text: &[u8]) -> Vec<u8> {
        self.ec.sign(&SystemRandom::new(), text).unwrap().as_ref().to_vec()
    }

    fn set(&self) -> Value {
        let public = self.rsa.public_key();
        let point = self.ec.public_key().as_ref();
        let n = b64(public.modulus().big_endian_without_leading_zero());
        let e = b64(public.exponent().big_endian_without_leading_zero());
        json!({ "keys": [
            { "kty": "RSA", "kid": "rsa-1", "use": "sig", "n": n, "e": e },
            { "kty": "EC", "kid": "ec-1", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..]) },
        ]})
    }
}

#[tokio::test]
async fn key_sets_pin_the_algorithm_by_the_keys_type() {
    let signers = Signers::new();
    let auth = |jwt: Value| json!({ "keys": { "shop": KEY }, "queryPayment": "jwt", "jwt": jwt });
    let shop = Shop::with_auth(auth(json!({ "jwks": signers.set() }))).await;
    let claims = json!({ "sub": "user_001", "exp": now() + 600 });
    let rsa = |header: Value| bearer(&token(&header, &claims, |text| signers.rs256(text)));
    let ec = |header: Value| bearer(&token(&header, &claims, |text| signers.es256(text)));
    assert_eq!(shop.query(&rsa(json!({ "alg": "RS256", "kid": "rsa-1" }))).await, 404);
    assert_eq!(shop.query(&ec(json!({ "alg": "ES256", "kid": "ec-1" }))).await, 404);
    for wrong in [
        rsa(json!({ "alg": "RS256" })),
        rsa(json!({ "alg": "RS256", "kid": "ec-1" })),
        rsa(json!({ "alg": "RS256", "kid": "other" })),
        rsa(json!({ "alg": "RS512", "kid": "rsa-1" })),
        rsa(json!({ "alg": "PS256", "kid": "rsa-1" })),
        ec(json!({ "alg": "ES256", "kid": "rsa-1" })),
        rsa(json!({ "alg": "RS256", "kid": "rsa-1", "jku": "https://attacker.example" })),
    ] {
        assert_eq!(shop.query(&wrong).await, 401);
    }
    // The classic: the public key as the secret of HS256.
    let public = signers.rsa.public_key();
    let forged = token(&json!({ "alg": "HS256", "kid": "rsa-1" }), &claims, |text| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public.as_ref()), text).as_ref().to_vec()
    });
    assert_eq!(shop.query(&bearer(&forged)).await, 401);
    let mut sealing = signers.set();
    sealing["keys"][0]["use"] = json!("enc");
    shop.set_auth(auth(json!({ "jwks": sealing })));
    assert_eq!(shop.query(&rsa(json!({ "alg": "RS256", "kid": "rsa-1" }))).await, 401, "a key for encryption");
    let mut one = signers.set();
    one["keys"].as_array_mut().unwrap().truncate(1);
    shop.set_auth(auth(json!({ "jwks": one })));
    assert_eq!(shop.query(&rsa(json!({ "alg": "RS256" }))).await, 404, "the only key needs no kid");
    assert_eq!(shop.query(&rsa(json!({ "alg": "RS256", "kid": "other" }))).await, 401);
}

#[tokio::test]
async fn a_key_set_by_url_is_fetched_once_and_an_unknown_kid_fetches_at_most_once_a_minute() {
    let signers = Signers::new();
    let set = Arc::new(std::sync::Mutex::new((200, signers.set())));
    let (url, fetched) = jwks(Arc::clone(&set)).await;
    let auth = |url: &str| json!({ "keys": { "shop": KEY }, "queryPayment": "jwt", "jwt": { "jwksUrl": url } });
    let shop = Shop::with_auth(auth(&url)).await;
    let claims = json!({ "sub": "user_001", "exp": now() + 600 });
    let made = |kid: &str| bearer(&token(&json!({ "alg": "RS256", "kid": kid }), &claims, |text| signers.rs256(text)));
    assert_eq!(fetched.load(Ordering::SeqCst), 0, "fetched on use");
    for _ in 0..3 {
        assert_eq!(shop.query(&made("rsa-1")).await, 404);
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1, "and kept");
    for i in 0..6 {
        assert_eq!(shop.query(&made(&format!("unknown-{i}"))).await, 401);
    }
    assert!(fetched.load(Ordering::SeqCst) <= 2, "at most one fetch a minute for a kid that nobody knows");
    // Another URL, which does not answer.
    for (i, (status, body)) in
        [(500, json!({})), (200, json!("no set")), (200, json!({ "keys": [] }))].into_iter().enumerate()
    {
        *set.lock().unwrap() = (status, body.clone());
        shop.set_auth(auth(&format!("{url}?{i}")));
        let status = shop.query(&made("rsa-1")).await;
        assert!(matches!(status, 401 | 503), "{body}: {status}");
    }
    shop.set_auth(auth("http://127.0.0.1:9/jwks"));
    for _ in 0..2 {
        let (status, answer) =
            shop.ask("query-payment", &made("rsa-1"), json!({ "out_trade_no": "NOBODY_KNOWS" })).await;
        assert_eq!(status, 503, "unreachable is never a pass: {answer}");
        assert_ne!(answer["code"], 0);
    }
}

/// Functions behind one address whose clock is the test's, and whose users' keys come from a URL.
struct Hours {
    world: World,
    clock: Arc<AtomicI64>,
    keys: Arc<std::sync::Mutex<(u16, Value)>>,
    fetched: Arc<AtomicUsize>,
    signers: Signers,
}

impl Hours {
    async fn start() -> Self {
        let signers = Signers::new();
        let keys = Arc::new(std::sync::Mutex::new((200, signers.set())));
        let (url, fetched) = jwks(Arc::clone(&keys)).await;
        let auth = json!({ "keys": { "shop": KEY }, "queryPayment": "jwt", "jwt": { "jwksUrl": url } });
        let change = |config: &mut Value| config["auth"] = auth;
        let mut world = World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", change).await;
        let settings = Settings {
            source: Source::Inline(world.config.to_string()),
            config_ttl: 300,
            notify_base: None,
            dead_letters: None,
            queues: None,
        };
        let clock = Arc::new(AtomicI64::new(now() * 1000));
        let told = Arc::clone(&clock);
        let store = Store::new(dynamo::client(&world.dynamodb), TABLE, "");
        let app =
            App::new(settings, store, Box::new(Registry), Arc::new(move || UnixMs::new(told.load(Ordering::SeqCst))))
                .await;
        let app = app.unwrap_or_else(|faults| panic!("the configuration is right: {faults:?}"));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        world.base = format!("http://{}", listener.local_addr().unwrap());
        let router = functions::router(Arc::new(app)).into_make_service_with_connect_info::<std::net::SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { world, clock, keys, fetched, signers }
    }

    fn pass(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Asks with a token under a key's id; the status, and how often the set has been fetched.
    async fn ask(&self, kid: &str) -> (u16, usize) {
        let claims = json!({ "sub": "user_001", "exp": now() + 9_000 });
        let token = token(&json!({ "alg": "RS256", "kid": kid }), &claims, |text| self.signers.rs256(text));
        let (url, body) = (self.world.url("query-payment"), json!({ "out_trade_no": "NOBODY_KNOWS" }));
        let status = self.world.post(&url, body, Some(&token)).await.0;
        (status, self.fetched.load(Ordering::SeqCst))
    }
}

#[tokio::test]
async fn a_key_set_whose_server_is_down_is_used_for_an_hour_and_asked_for_once_a_minute() {
    let hours = Hours::start().await;
    assert_eq!(hours.ask("rsa-1").await, (404, 1));
    *hours.keys.lock().unwrap() = (500, json!({}));
    hours.pass(601);
    for _ in 0..5 {
        assert_eq!(hours.ask("rsa-1").await, (404, 2), "the last one stands, and one fetch was tried");
        assert_eq!(hours.ask("junk").await, (401, 2));
    }
    hours.pass(61);
    assert_eq!(hours.ask("rsa-1").await, (404, 3));
    hours.pass(3_000);
    for _ in 0..5 {
        assert_eq!(hours.ask("rsa-1").await, (503, 4), "an hour is over");
        assert_eq!(hours.ask("junk").await, (503, 4));
    }
    *hours.keys.lock().unwrap() = (200, hours.signers.set());
    hours.pass(11);
    assert_eq!(hours.ask("rsa-1").await, (404, 5));
    assert_eq!(hours.ask("junk").await, (401, 5));
}

#[tokio::test]
async fn a_key_set_that_was_never_had_is_asked_for_once_in_ten_seconds() {
    let hours = Hours::start().await;
    *hours.keys.lock().unwrap() = (500, json!({}));
    for _ in 0..5 {
        assert_eq!(hours.ask("rsa-1").await, (503, 1));
    }
    hours.pass(11);
    assert_eq!(hours.ask("rsa-1").await, (503, 2));
}

#[tokio::test]
async fn nobody_whose_key_is_known_waits_for_a_fetch_that_junk_causes() {
    let hours = Hours::start().await;
    assert_eq!(hours.ask("rsa-1").await, (404, 1));
    *hours.keys.lock().unwrap() = (0, json!({}));
    for (pass, why) in [(61, "the set is fresh"), (600, "the set is to be fetched anew")] {
        hours.pass(pass);
        let before = hours.fetched.load(Ordering::SeqCst);
        let junk = async {
            let began = std::time::Instant::now();
            futures::future::join_all((0..4).map(|_| hours.ask("junk"))).await;
            began.elapsed()
        };
        let known = async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let began = std::time::Instant::now();
            assert_eq!(hours.ask("rsa-1").await.0, 404, "{why}");
            began.elapsed()
        };
        let (waited, known) = tokio::join!(junk, known);
        assert!(waited.as_millis() >= 1_900 && known.as_millis() < 1_000, "{why}: {waited:?} {known:?}");
        assert_eq!(hours.fetched.load(Ordering::SeqCst), before + 1, "{why}: one fetch for all");
    }
}

#[tokio::test]
async fn a_user_sees_and_closes_only_own_orders() {
    let open = json!({ "keys": { "shop": KEY }, "default": ["key", "jwt"], "jwt": { "hs256": USERS } });
    let shop = Shop::with_auth(open).await;
    let mine = bearer(&user(json!({})));
    let other = bearer(&user(json!({ "uid": "user_002" })));
    let (status, made) =
        shop.create(&mine, json!({ "out_trade_no": "OWN_1234", "custom": null, "type": "custom" })).await;
    assert_eq!(status, 200, "{made}");
    assert_eq!(shop.world.order("OWN_1234").await["user_id"], "user_001", "the token names the user");
    shop.create(&bearer(KEY), json!({ "out_trade_no": "NOBODYS_1", "type": "custom" })).await;
    let ask = |who: &str, no: &str| {
        let (who, no) = (who.to_owned(), no.to_owned());
        let shop = &shop;
        async move {
            let (status, mut answer) = shop.ask("query-payment", &who, json!({ "out_trade_no": no })).await;
            answer.as_object_mut().unwrap().remove("request_id");
            (status, answer)
        }
    };
    assert_eq!(ask(&mine, "OWN_1234").await.0, 200);
    let missing = ask(&other, "NOBODY_KNOWS").await;
    assert_eq!((missing.0, &missing.1["code"]), (404, &json!(2001)));
    assert_eq!(ask(&other, "OWN_1234").await, missing, "exactly as a number that is not there");
    assert_eq!(ask(&mine, "NOBODYS_1").await, missing);
    let close = |no: &str| json!({ "action": "pay/closePayment", "data": { "out_trade_no": no } });
    let (status, answer) = shop.ask("create-payment", &other, close("OWN_1234")).await;
    assert_eq!((status, &answer["code"]), (404, &json!(2001)));
    assert_eq!(shop.world.order("OWN_1234").await["trade_state"], "NOTPAY");
    assert_eq!(shop.ask("create-payment", &other, close("NOBODY_KNOWS")).await.0, 404);

    let list = |data: Value| json!({ "action": "pay/queryOrders", "data": data });
    let (_, own) = shop.ask("query-payment", &other, list(json!({}))).await;
    assert_eq!(own["list"], json!([]));
    assert_eq!(shop.ask("query-payment", &other, list(json!({ "user_id": "user_001" }))).await.0, 403);
    let (_, own) = shop.ask("query-payment", &mine, list(json!({}))).await;
    assert_eq!(own["list"].as_array().unwrap().len(), 1);
    for secret in ["client_ip", "notify_info", "openid"] {
        assert!(own["list"][0].get(secret).is_none(), "{secret} is the merchant's");
    }

    for data in [json!({ "user_id": "user_002" }), json!({ "custom": { "user_id": "user_002" } })] {
        let mut order = json!({ "out_trade_no": "FOREIGN_1" });
        merge(&mut order, data.clone());
        assert_eq!(shop.create(&mine, order).await.0, 403, "{data}");
    }
    assert!(shop.world.order("FOREIGN_1").await.is_null());
    assert_eq!(shop.ask("create-payment", &mine, close("OWN_1234")).await.0, 200);
}

#[tokio::test]
async fn refunds_by_token_need_the_admin_role() {
    let auth = |jwt: Value| json!({ "default": "jwt", "jwt": jwt });
    let shop = Shop::with_auth(auth(json!({ "hs256": USERS }))).await;
    let bodies = [
        json!({ "out_trade_no": "NOBODY_KNOWS" }),
        json!({ "action": "pay/queryRefund", "data": { "out_trade_no": "NOBODY_KNOWS" } }),
    ];
    for body in bodies {
        for (role, status) in [
            (json!(null), 403),
            (json!("user"), 403),
            (json!("administrator"), 403),
            (json!(["user"]), 403),
            (json!({ "admin": true }), 403),
            (json!(true), 403),
            (json!("admin"), 404),
            (json!(["user", "admin"]), 404),
        ] {
            let token = bearer(&user(json!({ "role": role })));
            assert_eq!(shop.ask("refund", &token, body.clone()).await.0, status, "{role}");
        }
    }
    shop.set_auth(auth(json!({ "hs256": USERS, "adminRole": "boss" })));
    for (role, status) in [("admin", 403), ("boss", 404)] {
        let token = bearer(&user(json!({ "role": role })));
        assert_eq!(shop.ask("refund", &token, json!({ "out_trade_no": "NOBODY_KNOWS" })).await.0, status);
    }
}

#[tokio::test]
async fn a_quote_fixes_price_and_content() {
    let shop = Shop::with_auth(json!({
        "keys": { "shop": KEY }, "createPayment": "jwt", "jwt": { "hs256": USERS },
        "quote": { "hs256": QUOTES }, "requireQuote": true,
    }))
    .await;
    let who = bearer(&user(json!({})));
    let bare =
        |quote: Value| json!({ "out_trade_no": null, "total_fee": null, "type": null, "custom": null, "quote": quote });
    let good = quote(json!({}));
    let wrong_signature = token(&json!({ "alg": "HS256" }), &json!({ "out_trade_no": "QUOTED_1" }), hs256(USERS));
    let mut refused = vec![
        (json!({ "out_trade_no": "QUOTED_1" }), "no quote"),
        (bare(json!("")), "an empty quote"),
        (bare(json!(7)), "a quote that is no text"),
        (bare(json!(wrong_signature)), "signed by another secret"),
        (bare(json!(user(json!({})))), "a user's token"),
        (bare(json!(quote(json!({ "exp": now() - 2 })))), "expired"),
        (bare(json!(token(&json!({ "alg": "none" }), &json!({}), |_| Vec::new()))), "unsigned"),
    ];
    for claim in ["out_trade_no", "total_fee", "type", "custom", "exp"] {
        refused.push((bare(json!(quote(json!({ claim: null })))), claim));
    }
    for (name, value) in [
        ("out_trade_no", json!("QUOTED_2")),
        ("total_fee", json!(1)),
        ("total_fee", json!("1")),
        ("type", json!("custom")),
        ("custom", json!({ "user_id": "user_001", "recharge_balance": 99999 })),
        ("custom", json!({})),
    ] {
        let mut data = bare(json!(good));
        data[name] = value;
        refused.push((data, name));
    }
    for (data, why) in refused {
        let (status, answer) = shop.create(&who, data).await;
        assert_eq!(status, 403, "{why}: {answer}");
        assert_ne!(answer["code"], 0);
    }
    assert!(shop.world.items(crate::world::TABLE).await.is_empty(), "nothing is stored");
    let (status, made) = shop.create(&who, bare(json!(good))).await;
    assert_eq!((status, &made["total_fee"], &made["out_trade_no"]), (200, &json!(100), &json!("QUOTED_1")), "{made}");
    let order = shop.world.order("QUOTED_1").await;
    assert_eq!((&order["type"], &order["custom"]["recharge_balance"]), (&json!("recharge"), &json!(300)));
    assert!(!order.to_string().contains(&good), "the quote is not kept");
    let mut same = bare(json!(good));
    merge(&mut same, json!({ "total_fee": "100", "out_trade_no": "QUOTED_1" }));
    assert_eq!(shop.create(&who, same).await.0, 200, "equal values may be there");
}

#[tokio::test]
async fn only_some_types_need_a_quote_when_the_configuration_says_so() {
    let shop = Shop::with_auth(json!({
        "keys": { "shop": KEY }, "createPayment": "none",
        "quote": { "hs256": QUOTES }, "requireQuote": ["recharge"],
    }))
    .await;
    assert_eq!(shop.create("", json!({ "out_trade_no": "TYPED_1" })).await.0, 403);
    assert_eq!(shop.create("", json!({ "out_trade_no": "TYPED_2", "type": "custom" })).await.0, 200);
    let quoted = quote(json!({ "out_trade_no": "TYPED_3", "custom": { "user_id": "user_001" } }));
    assert_eq!(shop.create("", json!({ "out_trade_no": "TYPED_3", "quote": quoted })).await.0, 200);
}

#[tokio::test]
async fn untrusted_callers_cannot_name_a_credit_above_what_they_pay() {
    let shop = Shop::with_auth(json!({
        "keys": { "shop": KEY }, "createPayment": "none", "jwt": { "hs256": USERS }, "quote": { "hs256": QUOTES },
    }))
    .await;
    let custom = |balance: Value| json!({ "user_id": "user_001", "recharge_balance": balance });
    let admin = bearer(&user(json!({ "role": "admin" })));
    for (mode, who) in [("none", String::new()), ("jwt", bearer(&user(json!({}))))] {
        let auth = json!({
            "keys": { "shop": KEY }, "createPayment": mode, "jwt": { "hs256": USERS }, "quote": { "hs256": QUOTES },
        });
        shop.set_auth(auth);
        for balance in [json!(101), json!("101"), json!(1_000_000)] {
            let data = json!({ "out_trade_no": format!("GREEDY_{mode}"), "custom": custom(balance) });
            assert_eq!(shop.create(&who, data).await.0, 403);
        }
        assert!(shop.world.order(&format!("GREEDY_{mode}")).await.is_null());
        let data = json!({ "out_trade_no": format!("MODEST_{mode}"), "custom": custom(json!(100)) });
        assert_eq!(shop.create(&who, data).await.0, 200);
        let no = format!("GIFT_{mode}");
        let quoted = quote(json!({ "out_trade_no": no }));
        let data = json!({ "out_trade_no": no, "custom": null, "quote": quoted });
        assert_eq!(shop.create(&who, data).await.0, 200, "a quote may");
    }
    assert_eq!(shop.create(&admin, json!({ "out_trade_no": "ADMIN_1", "custom": custom(json!(500)) })).await.0, 200);
    shop.set_auth(json!({ "keys": { "shop": KEY } }));
    let data = json!({ "out_trade_no": "OWNERS_1", "custom": custom(json!(500)) });
    assert_eq!(shop.create(&bearer(KEY), data).await.0, 200, "and so may the merchant");
}

#[tokio::test]
async fn no_reply_has_cors_headers() {
    let shop = Shop::with_auth(json!({ "keys": { "shop": KEY } })).await;
    let mut headers = http::HeaderMap::new();
    headers.insert("origin", "https://shop.example".parse().unwrap());
    let payload = shop.emulators["query-payment"].invoke(event(&headers, "", &json!({}))).await.unwrap();
    assert_eq!(payload["statusCode"], 401);
    assert!(!payload["headers"].to_string().to_ascii_lowercase().contains("access-control"));
}
