//! The configuration from Parameter Store and Secrets Manager, as the real binary asks for it.

use crate::world::{KEY, TABLE, World};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use sandbox::Mode;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::binaries::binaries;
use tests::function_url::FunctionUrl;
use tests::runtime_api::{Emulator, Function};

/// A request to a service: its headers and body.
type Seen = Arc<Mutex<Vec<(HeaderMap, Value)>>>;

/// A service that answers every request so.
async fn service(status: u16, answer: Value) -> (String, Seen) {
    service_of(vec![(status, answer)]).await
}

/// A service that gives these answers in turn, and the last of them from then on. Status 0 is no answer at all.
async fn service_of(answers: Vec<(u16, Value)>) -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let log = seen.clone();
    let handler = async move |headers: HeaderMap, body: Bytes| {
        let n = {
            let mut log = log.lock().unwrap();
            log.push((headers, serde_json::from_slice(&body).unwrap_or_default()));
            log.len()
        };
        let (status, answer) = answers[n.min(answers.len()) - 1].clone();
        if status == 0 {
            std::future::pending::<()>().await;
        }
        (StatusCode::from_u16(status).unwrap(), answer.to_string())
    };
    tokio::spawn(axum::serve(listener, Router::new().route("/", post(handler))).into_future());
    (url, seen)
}

async fn started(world: &World, source: &str, variable: &str, url: &str) -> Function {
    started_by(&Emulator::start().await, world, source, variable, url).await
}

async fn started_by(emulator: &Emulator, world: &World, source: &str, variable: &str, url: &str) -> Function {
    let envs =
        [("PAY_CONFIG", source), ("PAY_TABLE", TABLE), ("AWS_ENDPOINT_URL_DYNAMODB", &world.dynamodb), (variable, url)];
    emulator.spawn(binaries().path("query-payment"), &envs).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_comes_from_parameter_store_or_secrets_manager_by_a_signed_request() {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    let world = World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", |_| {}).await;
    let text = world.config.to_string();
    let cases = [
        (
            "ssm:/vk-pay/config",
            "AWS_ENDPOINT_URL_SSM",
            json!({ "Parameter": { "Value": text } }),
            "AmazonSSM.GetParameter",
            "ssm",
            json!({ "Name": "/vk-pay/config", "WithDecryption": true }),
        ),
        (
            "secretsmanager:vk-pay",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            json!({ "SecretString": text }),
            "secretsmanager.GetSecretValue",
            "secretsmanager",
            json!({ "SecretId": "vk-pay" }),
        ),
    ];
    for (source, variable, answer, target, name, body) in cases {
        let (url, seen) = service(200, answer).await;
        let function = started(&world, source, variable, &url).await;
        function.ready().await.unwrap_or_else(|fault| panic!("{source}: {fault:?}\n{}", function.log()));
        let seen = seen.lock().unwrap();
        let (headers, sent) = seen.first().expect("a request");
        assert_eq!(*sent, body);
        assert_eq!(headers["x-amz-target"], target);
        assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential="), "{authorization}");
        assert!(authorization.contains(&format!("/{name}/aws4_request, SignedHeaders=")), "{authorization}");
        assert!(headers.contains_key("x-amz-date") && headers.contains_key("x-amz-security-token"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_busy_is_asked_again_and_the_document_read_once() {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    let world = World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", |_| {}).await;
    let text = world.config.to_string();
    let busy = |right: Value| {
        vec![
            (400, json!({ "__type": "com.amazonaws#ThrottlingException" })),
            (500, json!({})),
            (0, json!({})),
            (429, json!({})),
            (200, right),
        ]
    };
    let cases = [
        ("ssm:/vk-pay/config", "AWS_ENDPOINT_URL_SSM", json!({ "Parameter": { "Value": text } })),
        ("secretsmanager:vk-pay", "AWS_ENDPOINT_URL_SECRETS_MANAGER", json!({ "SecretString": text })),
    ];
    for (source, variable, right) in cases {
        let (url, seen) = service_of(busy(right)).await;
        let emulator = Emulator::start().await;
        let function = started_by(&emulator, &world, source, variable, &url).await;
        let ready = tokio::time::timeout(Duration::from_secs(10), function.ready()).await;
        ready
            .expect("a start has ten seconds")
            .unwrap_or_else(|fault| panic!("{source}: {fault:?}\n{}", function.log()));
        assert_eq!(seen.lock().unwrap().len(), 5, "{source}");
        let url = FunctionUrl::start(&emulator).await;
        for _ in 0..3 {
            let (status, _) = world.post(url.base(), json!({ "out_trade_no": "NOBODY_KNOWS" }), Some(KEY)).await;
            assert_eq!(status, 404);
        }
        assert_eq!(seen.lock().unwrap().len(), 5, "{source}: once for an instance");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_stays_busy_ends_the_start_within_the_time_that_lambda_gives_it() {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    let world = World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", |_| {}).await;
    let (url, seen) = service(400, json!({ "__type": "ThrottlingException" })).await;
    let function = started(&world, "ssm:/vk-pay/config", "AWS_ENDPOINT_URL_SSM", &url).await;
    tokio::time::timeout(Duration::from_secs(10), function.ended()).await.expect("it ends by itself");
    assert!(function.log().contains("ssm:/vk-pay/config cannot be read: ThrottlingException"), "{}", function.log());
    assert!(seen.lock().unwrap().len() > 4, "{}", seen.lock().unwrap().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_refuses_ends_the_start_with_its_reason() {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    let world = World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", |_| {}).await;
    for code in ["ParameterNotFound", "AccessDeniedException"] {
        let (url, seen) = service(400, json!({ "__type": code })).await;
        let function = started(&world, "ssm:/vk-pay/config", "AWS_ENDPOINT_URL_SSM", &url).await;
        function.ended().await;
        let log = function.log();
        assert!(log.contains(&format!("ssm:/vk-pay/config cannot be read: {code}")), "{log}");
        assert_eq!(seen.lock().unwrap().len(), 1, "{code}: nothing changes by asking again");
    }
}
