//! What a start leaves to the first call: the connection to the table, the arithmetic of private keys. A start waits
//! for neither, and a first call neither pays for it twice nor hides what is wrong.

use crate::world::{KEY, TABLE, World};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::Mode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tests::binaries::binaries;
use tests::function_url::FunctionUrl;
use tests::runtime_api::{Emulator, Function};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to the table that counts connections, and carries nothing until it is opened.
struct Gate {
    url: String,
    connections: Arc<AtomicUsize>,
    open: watch::Sender<bool>,
}

impl Gate {
    async fn before(dynamodb: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inside = dynamodb.trim_start_matches("http://").to_owned();
        let connections = Arc::new(AtomicUsize::new(0));
        let (open, opened) = watch::channel(false);
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (inside, mut opened) = (inside.clone(), opened.clone());
                tokio::spawn(async move {
                    opened.wait_for(|open| *open).await.unwrap();
                    let mut table = TcpStream::connect(inside).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut table).await;
                });
            }
        });
        Self { url, connections, open }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn world(change: impl FnOnce(&mut Value)) -> World {
    tokio::task::spawn_blocking(binaries).await.unwrap();
    World::without_functions(Mode::default(), "http://127.0.0.1:9/notify", change).await
}

async fn started(emulator: &Emulator, world: &World, name: &str, table: &str, kind: &str) -> Function {
    let config = world.config.to_string();
    let envs = [
        ("PAY_CONFIG", config.as_str()),
        ("PAY_TABLE", TABLE),
        ("AWS_ENDPOINT_URL_DYNAMODB", table),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", kind),
    ];
    emulator.spawn(binaries().path(name), &envs).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_asked_for_while_the_table_is_still_to_answer_and_its_call_takes_the_same_connection() {
    let world = world(|_| {}).await;
    let gate = Gate::before(&world.dynamodb).await;
    let emulator = Emulator::start().await;
    let function = started(&emulator, &world, "query-payment", &gate.url, "on-demand").await;
    // A call to the table is given up after 1.5 s.
    let ready = tokio::time::timeout(Duration::from_millis(1_400), function.ready()).await;
    ready.expect("it waits for nobody").unwrap();
    let url = FunctionUrl::start(&emulator).await;
    let call = world.post(url.base(), json!({ "out_trade_no": "NOBODY_KNOWS" }), Some(KEY));
    let open = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gate.open.send_replace(true);
    };
    let ((status, answer), ()) = tokio::join!(call, open);
    assert_eq!(status, 404, "{answer}");
    assert_eq!(gate.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_that_is_made_beforehand_has_its_connection_before_it_is_frozen() {
    let world = world(|_| {}).await;
    let gate = Gate::before(&world.dynamodb).await;
    let emulator = Emulator::start().await;
    let function = started(&emulator, &world, "query-payment", &gate.url, "provisioned-concurrency").await;
    let early = tokio::time::timeout(Duration::from_millis(300), function.ready()).await;
    assert!(early.is_err(), "it asked for work before the table had answered");
    gate.open.send_replace(true);
    function.ready().await.unwrap();
    assert_eq!(gate.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_call_does_not_wait_for_ever_for_a_connection_that_is_lost() {
    let world = world(|_| {}).await;
    let lost = Gate::before(&world.dynamodb).await;
    let emulator = Emulator::start().await;
    let function = started(&emulator, &world, "query-payment", &lost.url, "on-demand").await;
    function.ready().await.unwrap();
    let url = FunctionUrl::start(&emulator).await;
    let call = world.post(url.base(), json!({ "out_trade_no": "NOBODY_KNOWS" }), Some(KEY));
    let second = async {
        while lost.connections() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        lost.open.send_replace(true);
    };
    let both = async { tokio::join!(call, second) };
    let ((status, _), ()) =
        tokio::time::timeout(Duration::from_millis(3_000), both).await.expect("a second connection");
    assert_eq!(status, 404);
}

/// The key with the last byte of its last number altered: its form stays right.
fn damaged(pem: &str) -> String {
    let body: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    let mut der = STANDARD.decode(body).unwrap();
    *der.last_mut().unwrap() ^= 0x10;
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_private_key_is_named_by_its_path_when_it_is_first_needed_and_the_process_stays() {
    let world = world(|config| {
        let nodes = config["wxpay"].as_object_mut().unwrap().values_mut();
        for node in nodes.filter(|node| node["appPrivateKeyContent"].is_string()) {
            node["appPrivateKeyContent"] = json!(damaged(node["appPrivateKeyContent"].as_str().unwrap()));
        }
    })
    .await;
    let emulator = Emulator::start().await;
    let function = started(&emulator, &world, "create-payment", &world.dynamodb, "on-demand").await;
    function.ready().await.unwrap();
    let url = FunctionUrl::start(&emulator).await;
    for number in ["DAMAGED_1", "DAMAGED_2"] {
        let order = json!({
            "provider": "wxpay", "out_trade_no": number, "total_fee": 100, "subject": "测试", "type": "custom",
            "vk_platform": "h5", "needQRcode": true,
        });
        let (status, answer) = world.post(url.base(), order, Some(KEY)).await;
        assert!((400..600).contains(&status) && status != 502, "{status} {answer}");
    }
    function.logged("appPrivateKeyContent: is a damaged private key").await;
    assert_eq!(function.log().matches("is a damaged private key").count(), 1, "{}", function.log());
    // Before any payer: the schedule looks, and calls the operator.
    let emulator = Emulator::start().await;
    let schedule = started(&emulator, &world, "reconcile", &world.dynamodb, "on-demand").await;
    schedule.ready().await.unwrap();
    emulator.invoke(json!({ "job": "due" })).await.unwrap();
    schedule.logged(r#""alarm":"damaged_key","path":"wxpay."#).await;
}
