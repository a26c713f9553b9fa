//! Purchases of Apple: what a client may bring as proof, and every way in which a proof is none.

use crate::world::World;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256,
    PKCS_ECDSA_P384_SHA384,
};
use sandbox::{CallbackKind, Mode, Pay, Provider};
use serde_json::{Value, json};
use shared::crypto::{cert::Certificate, jws::Anchor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const LEAF: &[u64] = &[1, 2, 840, 113635, 100, 6, 11, 1];
const MIDDLE: &[u64] = &[1, 2, 840, 113635, 100, 6, 2, 1];

/// A chain that is right but for what a test spoils.
#[derive(Clone)]
pub struct Chain {
    leaf_mark: bool,
    middle_mark: bool,
    middle_is_ca: bool,
    leaf_years: (i32, i32),
}

impl Default for Chain {
    fn default() -> Self {
        Self { leaf_mark: true, middle_mark: true, middle_is_ca: true, leaf_years: (2020, 2050) }
    }
}

pub struct Signed {
    root: Certificate,
    pub x5c: Vec<String>,
    key: Vec<u8>,
}

fn params(name: &str, years: (i32, i32)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
    params
}

impl Chain {
    pub fn make(&self) -> Signed {
        let mark = |oid: &[u64]| CustomExtension::from_oid_content(oid, vec![5, 0]);
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let (root_key, middle_key) = (key(), key());
        let mut root = params("root", (2020, 2050));
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_cert = root.self_signed(&root_key).unwrap();
        let root_issuer = Issuer::new(root, root_key);
        let mut middle = params("middle", (2020, 2050));
        middle.is_ca = if self.middle_is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
        if self.middle_mark {
            middle.custom_extensions.push(mark(MIDDLE));
        }
        let middle_cert = middle.signed_by(&middle_key, &root_issuer).unwrap();
        let middle_issuer = Issuer::new(middle, middle_key);
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut leaf = params("leaf", self.leaf_years);
        if self.leaf_mark {
            leaf.custom_extensions.push(mark(LEAF));
        }
        let leaf_cert = leaf.signed_by(&leaf_key, &middle_issuer).unwrap();
        Signed {
            root: Certificate::from_der(root_cert.der()).unwrap(),
            x5c: [leaf_cert.der(), middle_cert.der(), root_cert.der()].map(|der| STANDARD.encode(der)).to_vec(),
            key: leaf_key.serialize_der(),
        }
    }
}

impl Signed {
    fn anchor(&self) -> Anchor {
        Anchor::new(&self.root, "1.2.840.113635.100.6.11.1", Some("1.2.840.113635.100.6.2.1"))
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key).unwrap();
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn usual(&self) -> String {
        self.sign(&json!({ "alg": "ES256", "x5c": self.x5c }), &claims())
    }
}

/// Signed in November 2025.
fn claims() -> Value {
    json!({ "signedDate": 1_762_000_000_000_i64, "bundleId": "com.example" })
}

fn signed_date(claims: &serde_json::Map<String, Value>) -> Option<i64> {
    claims.get("signedDate")?.as_i64()
}

#[test]
fn a_chain_is_refused_for_each_thing_that_is_wrong_with_it() {
    let right = Chain::default().make();
    assert!(right.anchor().open(&right.usual(), signed_date).is_ok());
    for (what, spoilt) in [
        ("no marker on the leaf", Chain { leaf_mark: false, ..Chain::default() }),
        ("no marker on the intermediate", Chain { middle_mark: false, ..Chain::default() }),
        ("the intermediate is no authority", Chain { middle_is_ca: false, ..Chain::default() }),
        ("the leaf had ended when it signed", Chain { leaf_years: (2020, 2025), ..Chain::default() }),
        ("the leaf had not begun when it signed", Chain { leaf_years: (2030, 2050), ..Chain::default() }),
    ] {
        let spoilt = spoilt.make();
        assert!(spoilt.anchor().open(&spoilt.usual(), signed_date).is_err(), "{what}");
    }
    let stranger = Chain::default().make();
    assert!(right.anchor().open(&stranger.usual(), signed_date).is_err(), "another root");
    let mixed = json!([stranger.x5c[0], right.x5c[1], right.x5c[2]]);
    let forged = stranger.sign(&json!({ "alg": "ES256", "x5c": mixed }), &claims());
    assert!(right.anchor().open(&forged, signed_date).is_err(), "a forged leaf under the real intermediate");
    for count in [0, 1, 2] {
        let header = json!({ "alg": "ES256", "x5c": right.x5c[..count] });
        assert!(right.anchor().open(&right.sign(&header, &claims()), signed_date).is_err(), "{count} certificates");
    }
    let four = json!([right.x5c[0], right.x5c[1], right.x5c[2], right.x5c[2]]);
    let four = right.sign(&json!({ "alg": "ES256", "x5c": four }), &claims());
    assert!(right.anchor().open(&four, signed_date).is_err(), "4 certificates");
    // The third certificate is not what makes the path.
    let third = json!([right.x5c[0], right.x5c[1], stranger.x5c[2]]);
    let third = right.sign(&json!({ "alg": "ES256", "x5c": third }), &claims());
    assert!(right.anchor().open(&third, signed_date).is_ok(), "the third is ignored");
}

#[test]
fn a_header_chooses_neither_algorithm_nor_key() {
    let right = Chain::default().make();
    let usual = right.usual();
    let parts: Vec<&str> = usual.split('.').collect();
    for alg in ["none", "HS256", "ES384", "RS256", "es256", ""] {
        let header = json!({ "alg": alg, "x5c": right.x5c });
        assert!(right.anchor().open(&right.sign(&header, &claims()), signed_date).is_err(), "{alg}");
        let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), parts[1]);
        assert!(right.anchor().open(&unsigned, signed_date).is_err(), "{alg}, unsigned");
    }
    let loud =
        json!({ "alg": "ES256", "x5c": right.x5c, "jwk": {}, "jku": "https://evil.example", "kid": "x", "x5u": "x" });
    assert!(right.anchor().open(&right.sign(&loud, &claims()), signed_date).is_ok(), "other keys are ignored");
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), Value::Null] {
        let critical = json!({ "alg": "ES256", "x5c": right.x5c, "crit": crit });
        assert!(right.anchor().open(&right.sign(&critical, &claims()), signed_date).is_err(), "crit: {crit}");
    }
    let stranger = Chain::default().make();
    let foreign = stranger.sign(&json!({ "alg": "ES256", "x5c": right.x5c }), &claims());
    assert!(right.anchor().open(&foreign, signed_date).is_err(), "another key's signature");
    for broken in [
        String::new(),
        "..".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}.x", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], &parts[2][..20]),
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("{\"signedDate\":1}"), parts[2]),
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("[]"), parts[2]),
        format!("{usual}{}", "A".repeat(70_000)),
        right.sign(&json!({ "alg": "ES256", "x5c": right.x5c }), &json!({ "bundleId": "com.example" })),
    ] {
        assert!(right.anchor().open(&broken, signed_date).is_err(), "{broken:.60}");
    }
}

/// A world with an order of Apple that was bought on a device, the notification withheld.
async fn bought(no: &str) -> (World, Value) {
    let world = World::with(Mode::default(), |_| {}).await;
    let result = buy(&world, no).await;
    (world, result)
}

async fn buy(world: &World, no: &str) -> Value {
    let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
    let (status, created) = world.create(no, data).await;
    assert_eq!(status, 200, "{created}");
    let info = &created["orderInfo"];
    assert_eq!(info["username"], info["appAccountToken"]);
    assert_eq!((&info["productid"], &info["quantity"]), (&json!("coins_1"), &json!(1)));
    let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
    world.sandbox.client_pay(Provider::Appleiap, info, how).await.unwrap().result
}

pub async fn verify(world: &World, no: &str, proof: Value) -> (u16, Value) {
    let mut data = json!({ "out_trade_no": no });
    crate::world::merge(&mut data, proof);
    world.call("query-payment", json!({ "action": "pay/appleiap/verifyReceipt", "data": data })).await
}

#[tokio::test]
async fn a_receipt_a_signed_transaction_or_a_transactions_number_each_credit_the_order_once() {
    for (n, proof) in ["receipt", "signed", "number"].into_iter().enumerate() {
        let no = format!("APPLE_PROOF_{n}");
        let (world, result) = bought(&no).await;
        let proof = match proof {
            "receipt" => json!({
                "transaction_receipt": result["transactionReceipt"],
                "transaction_identifier": result["transactionIdentifier"],
            }),
            "signed" => json!({ "signedTransaction": result["signedTransaction"] }),
            _ => json!({ "transaction_identifier": result["transactionIdentifier"] }),
        };
        for _ in 0..2 {
            let (status, body) = verify(&world, &no, proof.clone()).await;
            assert_eq!((status, &body["code"]), (200, &json!(0)), "{body}");
            assert_eq!(body["transaction_id"], result["transactionIdentifier"]);
        }
        let token = world.order(&no).await["attempts"][0]["number"].as_str().unwrap().to_owned();
        let callback = world.sandbox.build_callback(&token, CallbackKind::Payment);
        assert_eq!(world.sandbox.send(&callback).await.unwrap().0, 200);
        assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 100);
        assert_eq!(world.kind("incident").await.len(), 0);
    }
}

#[tokio::test]
async fn a_proof_that_is_missing_or_wrong_is_refused_by_its_code_and_writes_nothing() {
    let (world, result) = bought("APPLE_WRONG_1").await;
    let other = buy(&world, "APPLE_WRONG_2").await;
    let receipt = &result["transactionReceipt"];
    let cases = [
        (json!({}), 400, 1014),
        (json!({ "transaction_receipt": receipt }), 400, 1015),
        (json!({ "transaction_receipt": receipt, "transaction_identifier": "999" }), 422, 1016),
        (json!({ "transaction_receipt": "bm8=", "transaction_identifier": "999" }), 422, 1016),
        (json!({ "transaction_identifier": "2000999999999999" }), 422, 1016),
        (json!({ "transaction_identifier": "../../x" }), 422, 1016),
        (json!({ "signed_transaction": "a.b.c" }), 422, 1016),
        (json!({ "signed_transaction": other["signedTransaction"] }), 409, 2006),
        (
            json!({ "transaction_receipt": other["transactionReceipt"], "transaction_identifier": other["transactionIdentifier"] }),
            409,
            2006,
        ),
    ];
    for (proof, status, code) in cases {
        let (got, body) = verify(&world, "APPLE_WRONG_1", proof.clone()).await;
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{proof}: {body}");
    }
    assert_eq!(world.order("APPLE_WRONG_1").await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    assert_eq!(world.kind("incident").await.len(), 0);
    assert_eq!(verify(&world, "NO_SUCH_ORDER", json!({ "signed_transaction": "a.b.c" })).await.0, 404);
}

#[tokio::test]
async fn a_transaction_pays_one_order_and_one_that_was_taken_back_pays_none() {
    let (world, result) = bought("APPLE_BACK_1").await;
    let token = world.order("APPLE_BACK_1").await["attempts"][0]["number"].as_str().unwrap().to_owned();
    world.sandbox.store_refund(&token, None).unwrap();
    let proof = json!({ "transaction_identifier": result["transactionIdentifier"] });
    let (status, body) = verify(&world, "APPLE_BACK_1", proof).await;
    assert_eq!((status, &body["code"]), (422, &json!(1016)), "{body}");
    assert_eq!(world.order("APPLE_BACK_1").await["trade_state"], "NOTPAY");
}

#[tokio::test]
async fn a_refund_of_the_stores_moves_the_order_and_the_same_notification_moves_it_once() {
    for (share, fee) in [(None, 100), (Some(33_333), 34)] {
        let (world, result) = bought("APPLE_REFUND").await;
        let proof = json!({ "signed_transaction": result["signedTransaction"] });
        assert_eq!(verify(&world, "APPLE_REFUND", proof).await.0, 200);
        let token = world.order("APPLE_REFUND").await["attempts"][0]["number"].as_str().unwrap().to_owned();
        world.sandbox.store_refund(&token, share).unwrap();
        let order = world.until(|order| order["trade_state"] == "REFUND", "APPLE_REFUND").await;
        assert_eq!(order["refund_fee"], fee, "rounded up");
        let sent = world.sandbox.outbox().into_iter().find(|d| d.kind == CallbackKind::Refund).expect("a notification");
        assert_eq!(sent.attempts, 1);
        assert_eq!(world.kind("refund").await.len(), 1);
    }
}

#[tokio::test]
async fn a_product_is_bound_to_its_price_where_the_configuration_says() {
    let world = World::with(Mode::default(), |config| {
        config["appleiap"]["app-plus"]["products"] = json!({ "coins_1": { "total_fee": 50 } });
    })
    .await;
    let create = |no: &'static str, product: Value, quantity: Value| {
        let data = json!({ "provider": "appleiap", "vk_platform": null, "product_id": product, "quantity": quantity });
        world.create(no, data)
    };
    for (product, quantity) in [
        (json!("coins_1"), json!(1)),
        (json!("coins_2"), json!(2)),
        (Value::Null, json!(2)),
        (json!(7), json!(2)),
        (json!("coins_1"), json!(0)),
        (json!("coins_1"), json!("x")),
    ] {
        let (status, body) = create("APPLE_PRICE", product.clone(), quantity).await;
        assert_eq!((status, &body["code"]), (400, &json!(1020)), "{product}: {body}");
    }
    let (status, body) = create("APPLE_PRICE", json!("coins_1"), json!(2)).await;
    assert_eq!(status, 200, "{body}");
    let (status, _) = create("APPLE_PRICE", json!("coins_1"), json!(2)).await;
    assert_eq!(status, 200, "the same again");
}

/// A `verifyReceipt` that answers by a script.
async fn scripted(answers: Vec<Value>) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let state = (Arc::new(answers), asked.clone());
    async fn answer(State((answers, asked)): State<(Arc<Vec<Value>>, Arc<AtomicUsize>)>) -> axum::Json<Value> {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        axum::Json(answers.get(n).or(answers.last()).cloned().unwrap_or_default())
    }
    let router = Router::new()
        .route("/buy/verifyReceipt", post(answer))
        .route("/sandbox/verifyReceipt", post(answer))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (base, asked)
}

#[tokio::test]
async fn verify_receipt_follows_apples_statuses() {
    let receipt = |environment: &str, bundle: &str, more: Value| {
        let now = 1000 * i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs()).unwrap();
        let mut item = json!({
            "quantity": "1", "product_id": "coins_1", "transaction_id": "77", "purchase_date_ms": now.to_string(),
        });
        crate::world::merge(&mut item, more);
        json!({ "status": 0, "environment": environment, "receipt": { "bundle_id": bundle, "in_app": [item] } })
    };
    let status = |code: i64| json!({ "status": code });
    let right = |more: Value| receipt("Production", "com.example", more);
    let flat = {
        let mut flat = right(json!({}))["receipt"]["in_app"][0].clone();
        flat["bid"] = json!("com.example");
        json!({ "status": 0, "receipt": flat })
    };
    let cases: Vec<(Vec<Value>, bool, u16, usize)> = vec![
        (vec![right(json!({}))], false, 200, 1),
        (vec![flat], false, 200, 1),
        (vec![json!({ "status": 0, "receipt": { "bundle_id": "com.example", "in_app": [] } })], false, 422, 1),
        (vec![status(21007), receipt("Sandbox", "com.example", json!({}))], true, 200, 2),
        (vec![status(21007), receipt("Sandbox", "com.example", json!({}))], false, 422, 1),
        (vec![receipt("Sandbox", "com.example", json!({}))], false, 422, 1),
        (vec![receipt("Xcode", "com.example", json!({}))], true, 422, 1),
        (vec![status(21007), status(21008), status(21007), status(21008)], true, 504, 3),
        (vec![status(21002), right(json!({}))], false, 200, 2),
        (vec![status(21002)], false, 422, 2),
        (vec![status(21003)], false, 422, 1),
        (vec![status(21010)], false, 422, 1),
        (vec![status(21005)], false, 504, 1),
        (vec![status(21009)], false, 504, 1),
        (vec![status(21000)], false, 502, 1),
        (vec![status(21004)], false, 502, 1),
        (vec![json!({ "status": "21004" })], false, 502, 1),
        (vec![status(21099)], false, 502, 1),
        (vec![status(30000)], true, 502, 1),
        (vec![status(21008)], false, 504, 1),
        (vec![json!({ "status": 21100, "is-retryable": "1" })], false, 504, 1),
        (vec![json!({ "status": 21199, "is-retryable": true })], false, 504, 1),
        (vec![json!({ "status": 21150, "is-retryable": 0 })], false, 422, 1),
        (vec![json!({})], false, 504, 1),
        (vec![receipt("Production", "com.other", json!({}))], false, 422, 1),
        (vec![right(json!({ "cancellation_date_ms": "1" }))], false, 422, 1),
        (vec![right(json!({ "quantity": "2" }))], false, 409, 1),
        (vec![right(json!({ "product_id": "coins_2" }))], false, 409, 1),
        (vec![right(json!({ "app_account_token": "00000000-0000-4000-8000-000000000000" }))], false, 409, 1),
        (vec![right(json!({ "purchase_date_ms": "1600000000000" }))], false, 422, 1),
    ];
    for (n, (answers, sandboxed, wanted, calls)) in cases.into_iter().enumerate() {
        let (base, asked) = scripted(answers.clone()).await;
        let world = World::with(Mode::default(), |config| {
            config["appleiap"]["app-plus"] =
                json!({ "bundleId": "com.example", "appAppleId": 1, "apiBase": base, "sandbox": sandboxed });
        })
        .await;
        let no = format!("APPLE_STATUS_{n}");
        let data = json!({ "provider": "appleiap", "vk_platform": "app-plus", "product_id": "coins_1" });
        assert_eq!(world.create(&no, data).await.0, 200);
        let proof = json!({ "transaction_receipt": "cmVjZWlwdA==", "transaction_identifier": "77" });
        let (got, body) = verify(&world, &no, proof).await;
        assert_eq!(got, wanted, "{answers:?}: {body}");
        assert_eq!(asked.load(Ordering::Relaxed), calls, "{answers:?}");
        let paid = if wanted == 200 { "SUCCESS" } else { "NOTPAY" };
        assert_eq!(world.order(&no).await["trade_state"], paid, "{answers:?}");
        let old = answers[0].to_string().contains("1600000000000");
        let incidents = world.kind("incident").await;
        assert_eq!(incidents.iter().filter(|i| i["incident"] == "unused_receipt").count(), usize::from(old));
        let broken: Vec<_> = incidents.iter().filter(|i| i["incident"] == "provider_setup").collect();
        assert_eq!(broken.len(), usize::from(wanted == 502), "{answers:?}");
        assert!(broken.iter().all(|i| i["out_trade_no"] == *no && i["actual"]["code"].is_string()), "{broken:?}");
        assert_eq!(wanted == 502, body["code"] == 5020, "{body}");
    }
}
