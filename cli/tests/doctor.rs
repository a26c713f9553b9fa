//! `vk-pay doctor` names what is wrong: more than forty mistakes that are made in the field, each put into a right
//! configuration and asked about at the simulated providers.

#![allow(
    clippy::print_stdout,
    clippy::too_many_lines,
    clippy::unwrap_used,
    reason = "a test fails by unwrapping, a table is long, and what was named is printed for a report"
)]

use axum::Router;
use axum::http::StatusCode;
use axum::response::{Html, Redirect};
use axum::routing::get;
use sandbox::{DouyinProduct, Epay, Fault, MerchantKeys, Misbehaviour, Mode, Op, Options, Provider, Sandbox};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// Findings of one run that are worse than notes, and what is needed beside them.
struct Outcome {
    found: BTreeSet<(String, String)>,
    status: i32,
    took: Duration,
    report: Value,
}

/// What all cases use.
struct World {
    own: MerchantKeys,
    other: MerchantKeys,
    sandbox: Sandbox,
    /// The sandbox, and one whose clock is ten minutes ahead.
    base: String,
    ahead: String,
    /// A website that answers many things by its paths.
    site: String,
    /// Presents a certificate that nobody trusts; of a trusted authority, one that has ended, and one for another name.
    untrusted: String,
    ended: String,
    misnamed: String,
    /// A port that nobody listens on.
    closed: String,
    stack: vk_pay_local::Running,
    dynamodb: String,
    dir: tempfile::TempDir,
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// A certificate authority of the tests' own, which `SSL_CERT_FILE` makes trusted.
fn authority() -> (String, rcgen::Issuer<'static, rcgen::KeyPair>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = parameters.self_signed(&key).unwrap().pem();
    (pem, rcgen::Issuer::new(parameters, key))
}

/// A TLS server with a certificate for a name, which ends so many days from now.
async fn tls(issuer: &rcgen::Issuer<'static, rcgen::KeyPair>, name: &str, days: i64) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let now = time::OffsetDateTime::now_utc();
    parameters.not_before = now - time::Duration::days(90);
    parameters.not_after = now + time::Duration::days(days);
    let certificate = parameters.signed_by(&key, issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.map(drop) });
        }
    });
    url
}

fn site() -> Router {
    Router::new()
        .route(
            "/page/{*rest}",
            get(|| async { Html("<html>welcome</html>") }).post(|| async { Html("<html>welcome</html>") }),
        )
        .route("/moved/{*rest}", get(|| async { Redirect::permanent("/page/here") }))
        .route("/broken/{*rest}", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/hangs/{*rest}", get(|| async { tokio::time::sleep(Duration::from_secs(60)).await }))
        .route("/closed/{*rest}", get(|| async { StatusCode::FORBIDDEN }))
}

impl World {
    async fn new() -> Self {
        let [own, other] = ["own", "other"].map(|id| std::thread::spawn(move || MerchantKeys::generate(id)));
        let (own, other) = (own.join().unwrap(), other.join().unwrap());
        let sandbox = Sandbox::new(Options::default());
        let clock: sandbox::Clock = Arc::new(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            i64::try_from(now.as_millis()).unwrap() + 600_000
        });
        let late = Sandbox::new(Options { clock: Some(clock), ..Options::default() });
        for keys in [&own, &other] {
            sandbox.register(keys);
            late.register(keys);
        }
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("stack");
        let options = vk_pay_local::Options { port: 0, data_dir: data_dir.clone(), ..Default::default() };
        let stack = vk_pay_local::start(options).await.unwrap();
        let dynamodb = vk_pay_local::Address::read(&data_dir).unwrap().unwrap().dynamodb;
        let (roots, issuer) = authority();
        std::fs::write(dir.path().join("roots.pem"), roots).unwrap();
        let unused = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Self {
            base: serve(sandbox.router()).await,
            ahead: serve(late.router()).await,
            site: serve(site()).await,
            untrusted: tls(&authority().1, "127.0.0.1", 30).await,
            ended: tls(&issuer, "127.0.0.1", -3).await,
            misnamed: tls(&issuer, "shop.example", 30).await,
            closed: format!("http://{unused}"),
            own,
            other,
            sandbox,
            stack,
            dynamodb,
            dir,
        }
    }

    /// A configuration of some sections, of which a section with nodes has one.
    fn one(&self, provider: &str, node: &str, mode: Mode) -> Value {
        let all = self.own.config_with(&self.base, mode);
        let mut document = json!({ "auth": { "keys": { "shop": "a-secret-made-for-this-test-1" } } });
        document[provider] = match node {
            "" => all[provider].clone(),
            node => json!({ node: all[provider][node].clone() }),
        };
        document
    }

    fn run(&self, config: Option<&Value>, arguments: &[&str]) -> Outcome {
        let file = self.dir.path().join("config.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_vk-pay"));
        command.arg("doctor").arg("--json").args(arguments).env_remove("PAY_CONFIG");
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb)
            .env("SSL_CERT_FILE", self.dir.path().join("roots.pem"));
        if let Some(config) = config {
            std::fs::write(&file, config.to_string()).unwrap();
            command.arg("--config").arg(&file);
        }
        let began = Instant::now();
        let output = tokio::task::block_in_place(|| command.output()).unwrap();
        let took = began.elapsed();
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let found = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "note");
        let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
        let found = found.map(|finding| (text(finding, "path"), text(finding, "code"))).collect();
        Outcome { found, status: output.status.code().unwrap(), took, report }
    }

    /// Creates a table by DynamoDB's protocol.
    async fn table(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let key = |hash: &str, range: &str| json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }]);
        let index = |name: &str, keys: Value| json!({ "IndexName": name, "KeySchema": keys, "Projection": { "ProjectionType": "KEYS_ONLY" } });
        let mut body = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": key("pk", "sk"),
            "GlobalSecondaryIndexes": [index("listing", key("list_key", "list_date")), index("due", key("due_shard", "due"))],
            "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
        });
        change(&mut body);
        // Only attributes that are keys of something may be defined.
        let text = body.to_string();
        let keys = ["pk S", "sk S", "list_key S", "list_date N", "due_shard S", "due N"]
            .map(|key| key.split_once(' ').unwrap());
        let used = keys.into_iter().filter(|(name, _)| text.contains(&format!("\"AttributeName\":\"{name}\"")));
        body["AttributeDefinitions"] =
            used.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind })).collect();
        self.dynamodb("CreateTable", &body).await;
        let ttl =
            json!({ "TableName": name, "TimeToLiveSpecification": { "AttributeName": "expire_at", "Enabled": true } });
        if name != "without-ttl" {
            self.dynamodb("UpdateTimeToLive", &ttl).await;
        }
    }

    async fn dynamodb(&self, operation: &str, body: &Value) {
        let date = "20260101T000000Z";
        let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=00";
        let answer = reqwest::Client::new()
            .post(&self.dynamodb)
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-date", date)
            .header("authorization", credential)
            .body(body.to_string())
            .send()
            .await
            .unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{operation}: {text}");
    }
}

/// A certificate of a key of ours that begins and ends so many days from now.
fn certificate(key: &str, days: (i64, i64)) -> String {
    let key = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(key, &rcgen::PKCS_RSA_SHA256).unwrap();
    let mut parameters = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let now = time::OffsetDateTime::now_utc();
    parameters.not_before = now + time::Duration::days(days.0);
    parameters.not_after = now + time::Duration::days(days.1);
    parameters.self_signed(&key).unwrap().pem()
}

/// One mistake: its name, the configuration with it, and what is to be found.
struct Case {
    name: &'static str,
    config: Value,
    arguments: Vec<String>,
    rule: Option<Fault>,
    expected: Vec<(&'static str, &'static str)>,
}

fn case(name: &'static str, config: Value, expected: &[(&'static str, &'static str)]) -> Case {
    Case { name, config, arguments: Vec::new(), rule: None, expected: expected.to_vec() }
}

impl Case {
    fn with(self, arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(|text| (*text).to_owned()).collect(), ..self }
    }

    fn while_it(self, rule: Fault) -> Self {
        Self { rule: Some(rule), ..self }
    }
}

/// Changes keys of a node: `("v3Key", value)`.
fn set<const N: usize>(mut document: Value, section: &str, node: &str, keys: [(&str, &Value); N]) -> Value {
    let node = if node.is_empty() { &mut document[section] } else { &mut document[section][node] };
    for (key, value) in keys {
        node[key] = value.clone();
    }
    document
}

fn wechat(world: &World) -> Vec<Case> {
    let right = || world.one("wxpay", "mp-weixin", Mode::default());
    let v2 = || world.one("wxpay", "mp-weixin", Mode { wxpay_version: 2, ..Mode::default() });
    let certified = || world.one("wxpay", "mp-weixin", Mode { wxpay_public_key: false, ..Mode::default() });
    let (own, other) = (&world.own.wechat, &world.other.wechat);
    let change = |document: Value, key: &str, value: &str| set(document, "wxpay", "mp-weixin", [(key, &json!(value))]);
    let pair = |cert: &str, key: &str| {
        set(right(), "wxpay", "mp-weixin", [("appCertContent", &json!(cert)), ("appPrivateKeyContent", &json!(key))])
    };
    let ended = certificate(&own.merchant_key, (-400, -5));
    let ending = certificate(&own.merchant_key, (-400, 10));
    let unknown_app = "wx0000111122223333";
    let mut typo = right();
    let key = typo["wxpay"]["mp-weixin"].as_object_mut().unwrap().remove("v3Key").unwrap();
    typo["wxpay"]["mp-weixin"]["v3key"] = key;
    vec![
        case(
            "v3Key of another merchant",
            change(right(), "v3Key", &other.v3_key),
            &[("wxpay.mp-weixin.v3Key", "decryption-key-wrong")],
        ),
        case(
            "the APIv2 key in the place of v3Key",
            change(right(), "v3Key", &own.v2_key),
            &[("wxpay.mp-weixin.v3Key", "decryption-key-wrong")],
        ),
        case(
            "v3Key of another merchant, with platform certificates",
            change(certified(), "v3Key", &other.v3_key),
            &[("wxpay.mp-weixin.v3Key", "decryption-key-wrong")],
        ),
        case(
            "v3Key with a character lost",
            change(right(), "v3Key", &own.v3_key[1..]),
            &[("wxpay.mp-weixin.v3Key", "wrong-length")],
        ),
        case(
            "v3Key misspelt",
            typo,
            &[("wxpay.mp-weixin.v3Key", "value-missing"), ("wxpay.mp-weixin.v3key", "key-misspelt")],
        ),
        case(
            "certificate and key of another merchant",
            pair(&other.merchant_cert, &other.merchant_key),
            &[("wxpay.mp-weixin.appCertContent", "own-certificate-refused")],
        ),
        case(
            "private key of another merchant",
            change(right(), "appPrivateKeyContent", &other.merchant_key),
            &[("wxpay.mp-weixin.appPrivateKeyContent", "own-key-mismatch")],
        ),
        case(
            "a certificate that was replaced",
            pair(&certificate(&own.merchant_key, (-400, 400)), &own.merchant_key),
            &[("wxpay.mp-weixin.appCertContent", "own-certificate-refused")],
        ),
        case(
            "a certificate that has ended",
            pair(&ended, &own.merchant_key),
            &[("wxpay.mp-weixin.appCertContent", "certificate-ended")],
        ),
        case(
            "a certificate that ends in ten days",
            pair(&ending, &own.merchant_key),
            &[
                ("wxpay.mp-weixin.appCertContent", "certificate-ends-soon"),
                ("wxpay.mp-weixin.appCertContent", "own-certificate-refused"),
            ],
        ),
        case(
            "mchId of nobody",
            change(right(), "mchId", "1900000001"),
            &[("wxpay.mp-weixin.mchId", "merchant-unknown")],
        ),
        case(
            "mchId of another merchant",
            change(right(), "mchId", &other.mchid),
            &[("wxpay.mp-weixin.appCertContent", "own-certificate-refused")],
        ),
        case(
            "public key of another merchant under one's own id",
            change(right(), "wxpayPublicKeyContent", &other.wxpay_public_key),
            &[("wxpay.mp-weixin.wxpayPublicKeyContent", "provider-key-wrong")],
        ),
        case(
            "one's own certificate in the place of the public key",
            change(right(), "wxpayPublicKeyContent", &own.merchant_cert),
            &[("wxpay.mp-weixin.wxpayPublicKeyContent", "own-key-in-providers-place")],
        ),
        case(
            "public key id of another merchant",
            change(right(), "wxpayPublicKeyId", &other.wxpay_public_key_id),
            &[("wxpay.mp-weixin.wxpayPublicKeyId", "provider-key-id-wrong")],
        ),
        case(
            "no public key where the merchant has no certificates",
            certified(),
            &[("wxpay.mp-weixin.wxpayPublicKeyContent", "provider-key-missing")],
        )
        .while_it(Fault::new(Op::Certificates, Misbehaviour::Missing)),
        case(
            "appId that is bound to another merchant",
            change(right(), "appId", &other.mp_appid),
            &[("wxpay.mp-weixin.appId", "app-not-bound")],
        ),
        case(
            "appId of nobody",
            change(right(), "appId", unknown_app),
            &[("wxpay.mp-weixin.appId", "app-not-bound"), ("wxpay.mp-weixin.appId", "app-unknown")],
        ),
        case(
            "AppSecret that was reset",
            change(right(), "secret", "fedcba9876543210fedcba9876543210"),
            &[("wxpay.mp-weixin.secret", "app-secret-wrong")],
        ),
        case("JSAPI payment not enabled", right(), &[("wxpay.mp-weixin", "product-refused")])
            .while_it(Fault::new(Op::Create, Misbehaviour::NotEnabled).of(Provider::Wxpay)),
        case(
            "transfers not enabled",
            world.one("wxpay", "transfer", Mode::default()),
            &[("wxpay.transfer", "product-not-enabled")],
        )
        .while_it(Fault::new(Op::TransferQuery, Misbehaviour::NotEnabled)),
        case(
            "transfers: address not on the list",
            world.one("wxpay", "transfer", Mode::default()),
            &[("wxpay.transfer", "address-not-allowed")],
        )
        .while_it(Fault::new(Op::TransferQuery, Misbehaviour::AddressRefused)),
        case(
            "APIv2: key of another merchant",
            change(v2(), "key", &other.v2_key),
            &[("wxpay.mp-weixin.key", "shared-key-wrong")],
        ),
        case(
            "APIv2: appId that is bound to another merchant",
            change(v2(), "appId", &other.mp_appid),
            &[("wxpay.mp-weixin.appId", "app-not-bound")],
        ),
        case(
            "APIv2: mchId of nobody",
            change(v2(), "mchId", "1900000001"),
            &[("wxpay.mp-weixin.mchId", "merchant-unknown")],
        ),
        case("the clock ten minutes behind", change(right(), "apiBase", &world.ahead), &[("clock", "clock-skew")]),
        case("a service that is down", right(), &[("wxpay.mp-weixin", "provider-unwell")])
            .while_it(Fault::new(Op::Certificates, Misbehaviour::SystemError)),
    ]
}

fn alipay(world: &World) -> Vec<Case> {
    let right = || world.one("alipay", "mp-alipay", Mode::default());
    let certified = || world.one("alipay", "mp-alipay", Mode { alipay_cert: true, ..Mode::default() });
    let sealed = world.one("alipay", "mp-alipay", Mode { alipay_aes: true, ..Mode::default() });
    let (own, other) = (&world.own.alipay, &world.other.alipay);
    let change = |document: Value, key: &str, value: &str| set(document, "alipay", "mp-alipay", [(key, &json!(value))]);
    let pair = set(
        certified(),
        "alipay",
        "mp-alipay",
        [("appCertContent", &json!(other.app_cert)), ("privateKey", &json!(other.app_private_key))],
    );
    vec![
        case(
            "Alipay: one's own public key in the provider's place",
            change(right(), "alipayPublicKey", &own.app_public_key),
            &[("alipay.mp-alipay.alipayPublicKey", "own-key-in-providers-place")],
        ),
        case(
            "Alipay: public key of another application",
            change(right(), "alipayPublicKey", &other.alipay_public_key),
            &[("alipay.mp-alipay.alipayPublicKey", "provider-key-wrong")],
        ),
        case(
            "Alipay: private key that is not registered",
            change(right(), "privateKey", &other.app_private_key),
            &[("alipay.mp-alipay.privateKey", "own-key-refused")],
        ),
        case(
            "Alipay: appId of nobody, or of the sandbox",
            change(right(), "appId", "9021000000000001"),
            &[("alipay.mp-alipay.appId", "app-unknown")],
        ),
        case(
            "Alipay: certificate of Alipay's for another application",
            change(certified(), "alipayPublicCertContent", &other.alipay_cert),
            &[("alipay.mp-alipay.alipayPublicCertContent", "provider-certificate-outdated")],
        ),
        case(
            "Alipay: another root certificate",
            change(certified(), "alipayRootCertContent", &other.alipay_root_cert),
            &[("alipay.mp-alipay.alipayRootCertContent", "root-certificate-wrong")],
        ),
        case(
            "Alipay: certificate and key of another application",
            pair,
            &[("alipay.mp-alipay.appCertContent", "own-certificate-refused")],
        ),
        case(
            "Alipay: key of content encryption of another application",
            change(sealed, "encryptKey", &other.encrypt_key),
            &[("alipay.mp-alipay.encryptKey", "content-key-wrong")],
        ),
        case("Alipay: product not enabled", right(), &[("alipay.mp-alipay", "product-not-enabled")])
            .while_it(Fault::new(Op::Query, Misbehaviour::NotEnabled).of(Provider::Alipay)),
        case(
            "Alipay: private key cut off",
            change(right(), "privateKey", &own.app_private_key[..600]),
            &[("alipay.mp-alipay.privateKey", "config-fault")],
        ),
    ]
}

fn others(world: &World) -> Vec<Case> {
    let of = |section: &'static str, node: &'static str, mode: Mode| {
        move |world: &World, key: &str, value: Value| {
            set(world.one(section, node, mode), section, node, [(key, &value)])
        }
    };
    let virtual_pay = of("wxpay-virtual", "mp-weixin", Mode::default());
    let ecpay = of("douyin", "mp-toutiao", Mode::default());
    let trade = of("douyin", "mp-toutiao", Mode { douyin: DouyinProduct::Trade, ..Mode::default() });
    let apple = of("appleiap", "app-plus", Mode::default());
    let huawei = of("huawei", "app-harmony", Mode::default());
    let vkspay = of("vkspay", "", Mode::default());
    let epay = of("vkspay", "", Mode { epay: Epay::Md5, ..Mode::default() });
    let epay_rsa = of("vkspay", "", Mode { epay: Epay::Rsa, ..Mode::default() });
    let (own, other) = (&world.own, &world.other);
    let sandbox = set(
        world.one("wxpay-virtual", "mp-weixin", Mode::default()),
        "wxpay-virtual",
        "mp-weixin",
        [("sandbox", &json!(true)), ("sandboxAppKey", &json!(own.virtual_pay.app_key))],
    );
    let refused = [("appleiap.app-plus.keyId", "store-key-refused")];
    let mut iap = world.one("huawei", "app-harmony", Mode::default());
    iap["huawei"]["app-harmony"]["iap"]["keyId"] = json!("0000000000");
    vec![
        case(
            "virtual payment: AppSecret of another",
            virtual_pay(world, "secret", json!(other.virtual_pay.secret)),
            &[("wxpay-virtual.mp-weixin.secret", "app-secret-wrong")],
        ),
        case(
            "virtual payment: appId of nobody",
            virtual_pay(world, "appId", json!("wx0000111122223333")),
            &[("wxpay-virtual.mp-weixin.appId", "app-unknown")],
        ),
        case(
            "virtual payment: AppKey of another",
            virtual_pay(world, "appKey", json!(other.virtual_pay.app_key)),
            &[("wxpay-virtual.mp-weixin.appKey", "shared-key-wrong")],
        ),
        case(
            "virtual payment: AppKey of production in the sandbox",
            sandbox,
            &[("wxpay-virtual.mp-weixin.sandboxAppKey", "shared-key-wrong")],
        ),
        case(
            "virtual payment: encodingAESKey with a character lost",
            virtual_pay(world, "encodingAESKey", json!(own.virtual_pay.encoding_aes_key[1..])),
            &[("wxpay-virtual.mp-weixin.encodingAESKey", "config-fault")],
        ),
        case(
            "virtual payment: address not on the allow-list",
            world.one("wxpay-virtual", "mp-weixin", Mode::default()),
            &[("wxpay-virtual.mp-weixin", "address-not-allowed")],
        )
        .while_it(Fault::new(Op::Unknown, Misbehaviour::AddressRefused).of(Provider::WxpayVirtual)),
        case(
            "Douyin: salt of another",
            ecpay(world, "salt", json!(other.douyin.salt)),
            &[("douyin.mp-toutiao.salt", "shared-key-wrong")],
        ),
        case(
            "Douyin: AppSecret of another",
            ecpay(world, "secret", json!(other.douyin.secret)),
            &[("douyin.mp-toutiao.secret", "app-secret-wrong")],
        ),
        case(
            "Douyin: appId of nobody",
            ecpay(world, "appId", json!("tt0000111122223333")),
            &[("douyin.mp-toutiao.appId", "app-unknown")],
        ),
        case(
            "Douyin's trade system: AppSecret of another",
            trade(world, "secret", json!(other.douyin.secret)),
            &[("douyin.mp-toutiao.secret", "app-secret-wrong")],
        ),
        case("Apple: issuerId of another", apple(world, "issuerId", json!(other.apple.issuer_id)), &refused),
        case("Apple: keyId of another", apple(world, "keyId", json!(other.apple.key_id)), &refused),
        case("Apple: .p8 of another", apple(world, "privateKeyContent", json!(other.apple.private_key)), &refused),
        case("Apple: bundleId of another", apple(world, "bundleId", json!(other.apple.id)), &refused),
        case(
            "Huawei: mchAuthId of another",
            huawei(world, "mchAuthId", json!(other.huawei.auth_id)),
            &[("huawei.app-harmony.mchAuthId", "own-certificate-refused")],
        ),
        case(
            "Huawei: private key of another",
            huawei(world, "mchPrivateKey", json!(other.huawei.mch_private_key)),
            &[("huawei.app-harmony.mchPrivateKey", "own-key-refused")],
        ),
        case(
            "Huawei: platform key of another",
            huawei(world, "platformPublicKey", json!(other.huawei.platform_public_key)),
            &[("huawei.app-harmony.platformPublicKey", "provider-key-wrong")],
        ),
        case(
            "Huawei: mchId of nobody",
            huawei(world, "mchId", json!("101000000001")),
            &[("huawei.app-harmony.mchId", "merchant-unknown")],
        ),
        case("Huawei: keyId of IAP Kit of another", iap, &[("huawei.app-harmony.iap.keyId", "store-key-refused")]),
        case(
            "VksPay: key of another store",
            vkspay(world, "key", json!(other.vkspay.key)),
            &[("vkspay.key", "shared-key-wrong")],
        ),
        case(
            "VksPay: mchId of nobody",
            vkspay(world, "mchId", json!("1000001")),
            &[("vkspay.mchId", "merchant-unknown")],
        ),
        case(
            "epay v1: key of another",
            epay(world, "key", json!(other.vkspay.key)),
            &[("vkspay.key", "shared-key-wrong")],
        ),
        case(
            "epay v2: private key of another",
            epay_rsa(world, "mchPrivateKey", json!(other.vkspay.mch_private_key)),
            &[("vkspay.mchPrivateKey", "own-key-refused")],
        ),
    ]
}

fn ways(world: &World) -> Vec<Case> {
    let right = || world.one("wxpay", "app-plus", Mode::default());
    let base = |url: &str| set(right(), "wxpay", "app-plus", [("apiBase", &json!(url))]);
    let at = "wxpay.app-plus.apiBase";
    let not_tls = world.base.replace("http://", "https://");
    let site = |path: &str| format!("{}/{path}", world.site);
    let mut old = right();
    old["notifyUrl"] = json!("https://fc-mp-0815.next.bspapp.invalid/http/vk-pay");
    let notify = |name, url: &str, code| case(name, right(), &[("notifyUrl", code)]).with(&["--notify-url", url]);
    vec![
        case("apiBase at a closed port", base(&world.closed), &[(at, "host-unreachable")]),
        case("apiBase with a name that nobody has", base("https://no-such-host.invalid"), &[(at, "host-unknown")]),
        case("apiBase with a self-signed certificate", base(&world.untrusted), &[(at, "tls-untrusted")]),
        case("apiBase whose certificate has ended", base(&world.ended), &[(at, "tls-expired")]),
        case("apiBase whose certificate is for another name", base(&world.misnamed), &[(at, "tls-wrong-host")]),
        case("a provider that hangs", right(), &[(at, "no-answer")])
            .while_it(Fault::new(Op::Certificates, Misbehaviour::TimeoutBefore(60_000))),
        case(
            "a provider and an address of callbacks that hang",
            right(),
            &[(at, "no-answer"), ("notifyUrl", "no-answer")],
        )
        .with(&["--notify-url", &site("hangs")])
        .while_it(Fault::new(Op::Query, Misbehaviour::TimeoutBefore(60_000))),
        case("apiBase that speaks no TLS", base(&not_tls), &[(at, "tls-failed")]),
        case("apiBase at a website", base(&site("page/x")), &[("wxpay.app-plus", "not-understood")]),
        notify("notifyUrl without the function", &site("nothing"), "notify-url-not-found"),
        notify("notifyUrl at a page", &site("page"), "notify-url-not-ours"),
        notify("notifyUrl that redirects", &site("moved"), "notify-url-redirects"),
        notify("notifyUrl whose function fails", &site("broken"), "notify-url-unwell"),
        notify("notifyUrl behind IAM", &site("closed"), "notify-url-forbidden"),
        notify("notifyUrl with a self-signed certificate", &world.untrusted, "tls-untrusted"),
        notify("notifyUrl without https", "http://shop.example.invalid/notify", "notify-url-insecure"),
        notify("notifyUrl with a name that nobody has", "https://shop.example.invalid/notify", "host-unknown"),
        case(
            "notifyUrl of the old system",
            old,
            &[("notifyUrl", "notify-url-old-system"), ("notifyUrl", "host-unknown")],
        ),
        case(
            "notifyUrl of this machine, and a real provider",
            base("https://no-such-host.invalid"),
            &[(at, "host-unknown"), ("notifyUrl", "notify-url-private")],
        )
        .with(&["--notify-url", &format!("{}/notify", world.stack.base_url)]),
    ]
}

async fn tables(world: &World) -> Vec<Case> {
    let right = || world.one("vkspay", "", Mode::default());
    world.table("without-index", |body| drop(body["GlobalSecondaryIndexes"].as_array_mut().unwrap().pop())).await;
    world
        .table("with-another-index", |body| {
            body["GlobalSecondaryIndexes"][1]["KeySchema"][1]["AttributeName"] = json!("list_date");
        })
        .await;
    world.table("without-stream", |body| drop(body.as_object_mut().unwrap().remove("StreamSpecification"))).await;
    world.table("with-new-images", |body| body["StreamSpecification"]["StreamViewType"] = json!("NEW_IMAGE")).await;
    world.table("without-ttl", |_| {}).await;
    let table =
        |name, table, finding| case(name, right(), &[finding]).with(&["--table", table, "--region", "us-east-1"]);
    vec![
        table("a table that is not there", "no-such-table", ("table", "table-missing")),
        table("a table of something else", "goods", ("table", "table-keys-wrong")),
        table("a table without the index due", "without-index", ("table.due", "index-missing")),
        table("an index with other keys", "with-another-index", ("table.due", "index-keys-wrong")),
        table("a table without a stream", "without-stream", ("table", "stream-off")),
        table("a stream with another view", "with-new-images", ("table", "stream-view-wrong")),
        table("a table without time to live", "without-ttl", ("table", "ttl-off")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seeded_mistake_is_named_within_ten_seconds_and_nothing_else_is() {
    let world = World::new().await;
    let mut cases = wechat(&world);
    cases.extend(alipay(&world));
    cases.extend(others(&world));
    cases.extend(ways(&world));
    cases.extend(tables(&world).await);
    assert!(cases.len() >= 40);
    let mut wrong = Vec::new();
    for case in &cases {
        if let Some(rule) = &case.rule {
            world.sandbox.misbehave(rule.clone());
        }
        let arguments: Vec<&str> = case.arguments.iter().map(String::as_str).collect();
        let outcome = world.run(Some(&case.config), &arguments);
        world.sandbox.behave();
        let found: BTreeSet<(&str, &str)> =
            outcome.found.iter().map(|(path, code)| (path.as_str(), code.as_str())).collect();
        let expected: BTreeSet<(&str, &str)> = case.expected.iter().copied().collect();
        let right = expected == found;
        let named: Vec<String> = found.iter().map(|(path, code)| format!("{path} {code}")).collect();
        println!("| {} | {} | {} ms |", case.name, named.join("; "), outcome.took.as_millis());
        if !right || outcome.took > Duration::from_secs(10) {
            wrong.push(format!("{}: {expected:?} was expected, {:#}", case.name, outcome.report["findings"]));
        }
        let errors = outcome.report["errors"].as_u64().unwrap();
        assert_eq!(outcome.status, i32::from(errors > 0), "{}", case.name);
    }
    println!("{} mistakes", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_in_a_right_configuration_of_any_mode() {
    let world = World::new().await;
    let modes = [
        Mode::default(),
        Mode { wxpay_version: 2, epay: Epay::Md5, virtual_plain: true, ..Mode::default() },
        Mode { wxpay_version: 2, v2_hmac: true, alipay_aes: true, ..Mode::default() },
        Mode {
            wxpay_public_key: false,
            alipay_cert: true,
            epay: Epay::Rsa,
            douyin: DouyinProduct::Trade,
            ..Mode::default()
        },
        Mode { partner: true, alipay_cert: true, alipay_aes: true, ..Mode::default() },
    ];
    let notify = format!("{}/notify", world.stack.base_url);
    for mode in modes {
        let mut config = world.own.config_with(&world.base, mode);
        config["auth"] = json!({ "keys": { "shop": "a-secret-made-for-this-test-1" } });
        let outcome = world.run(Some(&config), &["--notify-url", &notify]);
        assert!(outcome.found.is_empty(), "{mode:?}: {:#}", outcome.report["findings"]);
        assert_eq!(outcome.status, 0);
        assert!(outcome.took < Duration::from_secs(10));
        let nodes = outcome.report["nodes"].as_array().unwrap();
        assert!(nodes.len() >= 18 && nodes.iter().all(|node| node["healthy"] == true), "{nodes:?}");
        println!("{} nodes in {} ms", nodes.len(), outcome.took.as_millis());
    }
    // The local stack that runs, with its three merchants, its callbacks and its table.
    let data_dir = world.dir.path().join("stack");
    let outcome = world.run(None, &["--data-dir", data_dir.to_str().unwrap()]);
    assert!(outcome.found.is_empty(), "{:#}", outcome.report["findings"]);
    let checked = outcome.report["checked"].as_array().unwrap();
    let paths: Vec<&str> = checked.iter().filter_map(|own| own["path"].as_str()).collect();
    assert_eq!(paths, ["notifyUrl", "table"], "{checked:?}");
    assert!(checked.iter().all(|own| own["healthy"] == true), "{checked:?}");
    let shown = Command::new(env!("CARGO_BIN_EXE_vk-pay"))
        .args(["doctor", "--data-dir", data_dir.to_str().unwrap()])
        .env_remove("PAY_CONFIG")
        .output();
    let shown = String::from_utf8(tokio::task::block_in_place(|| shown).unwrap().stdout).unwrap();
    let right = format!("✓ the address of callbacks {notify}");
    assert!(shown.contains("✓ the table vk-pay-orders") && shown.contains(&right), "{shown}");
    println!(
        "{} nodes of the stack in {} ms",
        outcome.report["nodes"].as_array().unwrap().len(),
        outcome.took.as_millis()
    );
    // Nothing is left at the providers but what was asked.
    assert!(world.sandbox.trades().is_empty());
    world.stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_the_configuration_is_printed() {
    let world = World::new().await;
    let mut config = world.own.config_with(&world.base, Mode::default());
    config["auth"] = json!({ "keys": { "shop": "a-secret-made-for-this-test-1" } });
    config["wxpay"]["mp-weixin"]["secret"] = json!("fedcba9876543210fedcba9876543210");
    config["alipay"]["h5"]["privateKey"] = json!(world.other.alipay.app_private_key);
    let outcome = world.run(Some(&config), &[]);
    let text = outcome.report.to_string();
    assert!(outcome.found.len() >= 2);
    for secret in [
        "fedcba9876543210fedcba9876543210",
        "a-secret-made-for-this-test-1",
        &world.own.wechat.v3_key,
        &world.own.virtual_pay.app_key,
        &world.other.alipay.app_private_key,
    ] {
        assert!(!text.contains(secret));
    }
    world.stack.stop().await;
}

#[test]
fn what_cannot_be_run_ends_with_status_two() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vk-pay"));
        command.arg("doctor").args(arguments).env_remove("PAY_CONFIG").output().unwrap()
    };
    for (arguments, says) in [
        (&["--config", "nosuch.json"][..], "nosuch.json: there is no such file"),
        (&["--config", "/no/such/file.json", "--lang", "zh"], "没有这个文件"),
        (&["--config", "file:/no/such/file.json"], "/no/such/file.json: there is no such file"),
        (&["--config", "ssm:"], "ssm:/NAME"),
    ] {
        let output = run(arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(says) && !error.contains("PAY_CONFIG"), "{error}");
    }
    let output = run(&["--config", "nosuch.json", "--json"]);
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(error["error"]["exit"], 2, "{error:#}");
    for arguments in
        [&["--config", "file:/no/such/file.json"][..], &["--data-dir", "/no/such/folder"], &["--only", "paypal"]]
    {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
}
