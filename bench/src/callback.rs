//! One payment callback of WeChat Pay's APIv3: µs with and without the table, and its DynamoDB calls.

use handlers::Registry;
use sandbox::{CallbackKind, MerchantKeys, Options, Pay, Sandbox, SignedRequest};
use serde_json::json;
use shared::api::Request;
use shared::app::{App, Clock, Settings, system_clock};
use shared::config::Source;
use shared::domain::Provider;
use shared::payments::Queues;
use shared::providers::{CallbackRequest, ProviderClients, read_callback};
use shared::store::Store;
use std::sync::Arc;
use std::time::Instant;
use tests::dynamo_proxy::DynamoProxy;
use vk_pay_local::dynamo;

pub(crate) const TABLE: &str = "orders";
const KEY: &str = "the-bench-calls-with-this";

/// Min, median and max in µs.
pub(crate) struct Spread(Vec<u64>);

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |i: usize| sorted.get(i).copied().unwrap_or_default();
        write!(f, "{} / {} / {}", at(0), at(sorted.len() / 2), at(sorted.len().saturating_sub(1)))
    }
}

/// What was measured.
pub(crate) struct Figures {
    /// Verify, decrypt, parse.
    pub without_store: Spread,
    /// The whole function, with the embedded table on loopback.
    pub with_store: Spread,
    /// DynamoDB operations of one callback, in their order.
    pub operations: Vec<String>,
}

/// A shop to measure in: a sandbox, the configuration for it, an empty table.
pub(crate) struct Shop {
    pub sandbox: Sandbox,
    pub config: serde_json::Value,
    pub dynamodb: String,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_at(system_clock()).await
    }

    /// The same whose provider goes by a clock.
    pub(crate) async fn open_at(clock: Clock) -> Self {
        let clock = Some(Arc::new(move || clock().get()) as Arc<dyn Fn() -> i64 + Send + Sync>);
        let sandbox = Sandbox::new(Options { auto_deliver: false, clock, ..Options::default() });
        let keys = MerchantKeys::generate("bench");
        sandbox.register(&keys);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut config = keys.config(&format!("http://{}", listener.local_addr().expect("an address")));
        tokio::spawn(axum::serve(listener, sandbox.router()).into_future());
        config["notifyUrl"] = json!("http://127.0.0.1:9/notify");
        config["auth"] = json!({ "keys": { "bench": KEY } });
        let dynamodb = dynamo::serve(dynoxide::Database::memory().expect("a database")).await.expect("a port");
        dynamo::create_tables(&dynamo::client(&dynamodb), TABLE, "").await.expect("tables");
        Self { sandbox, config, dynamodb }
    }

    pub(crate) async fn items(&self) -> Vec<serde_json::Value> {
        crate::units::scan(&self.dynamodb).await
    }
}

/// Measures `runs` callbacks.
///
/// # Panics
/// When the shop cannot be set up: there is nothing to measure then.
pub(crate) async fn measure(runs: usize) -> Figures {
    let Shop { sandbox, config, dynamodb } = Shop::open().await;
    let direct = app(&config, &dynamodb).await;

    let mut with_store = Vec::new();
    let mut without_store = Vec::new();
    let clients = ProviderClients::default();
    for i in 0..runs {
        let request = request_of(&paid(&direct, &sandbox, &format!("BENCH_{i}")).await);
        let configuration = direct.config().await;
        let merchant = configuration.merchant("default").expect("a merchant");
        let callback = CallbackRequest {
            method: &request.method,
            headers: &request.headers,
            query: "",
            body: &request.body,
            now: (direct.clock)(),
        };
        let start = Instant::now();
        let notice = read_callback(Provider::Wxpay, merchant, &clients, &callback).await;
        without_store.push(micros(start));
        assert!(notice.is_ok(), "a genuine callback");
        let start = Instant::now();
        let answer = notify::handle(&direct, request).await;
        with_store.push(micros(start));
        assert_eq!(answer.status, 204, "a callback that is taken");
    }

    let proxy = DynamoProxy::start(&dynamodb).await;
    let counted = app(&config, proxy.base()).await;
    let request = request_of(&paid(&direct, &sandbox, "BENCH_COUNTED").await);
    proxy.forget();
    notify::handle(&counted, request).await;
    let operations = proxy.calls().iter().map(|call| call.operation.clone()).collect();
    Figures { without_store: Spread(without_store), with_store: Spread(with_store), operations }
}

fn micros(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

pub(crate) async fn app(config: &serde_json::Value, dynamodb: &str) -> App {
    app_with(config, dynamodb, system_clock(), None).await
}

/// The same with a clock and queues of one's own.
pub(crate) async fn app_with(
    config: &serde_json::Value,
    dynamodb: &str,
    clock: Clock,
    queues: Option<Arc<dyn Queues>>,
) -> App {
    let source = Source::Inline(config.to_string());
    let settings = Settings { source, config_ttl: 300, notify_base: None, dead_letters: None, queues };
    let store = Store::new(dynamo::client(dynamodb), TABLE, "");
    let app = App::new(settings, store, Box::new(Registry), clock).await;
    app.unwrap_or_else(|faults| panic!("the configuration is right: {faults:?}"))
}

/// Creates an order, pays it at the sandbox, and gives its callback without sending it.
async fn paid(app: &App, sandbox: &Sandbox, no: &str) -> SignedRequest {
    let request = creation(no);
    let made = create_payment::handle(app, request).await;
    assert_eq!(made.status, 200, "{}", made.body);
    pay(sandbox, no).await;
    sandbox.build_callback(no, CallbackKind::Payment)
}

/// Pays at the sandbox; nobody is told.
pub(crate) async fn pay(sandbox: &Sandbox, no: &str) {
    sandbox.pay(no, Pay { notify: false, ..Pay::default() }).await.expect("paid");
}

/// A `createPayment` request.
pub(crate) fn creation(no: &str) -> Request {
    call(&json!({
        "provider": "wxpay", "out_trade_no": no, "total_fee": 100, "subject": "bench", "type": "custom",
        "vk_platform": "h5", "user_id": "user_001",
    }))
}

/// A request of the merchant's own.
pub(crate) fn call(data: &serde_json::Value) -> Request {
    let method = "POST".parse().expect("a method");
    let mut request = Request { method, body: data.to_string().into_bytes(), ..Request::default() };
    request.headers.insert("authorization", format!("Bearer {KEY}").parse().expect("a header"));
    request
}

pub(crate) fn request_of(callback: &SignedRequest) -> Request {
    let mut request = Request {
        method: callback.method.parse().expect("a method"),
        path: "/pay-notify/wxpay/default".to_owned(),
        body: callback.body.clone().into_bytes(),
        ..Request::default()
    };
    for (name, value) in &callback.headers {
        let name: http::HeaderName = name.parse().expect("a header's name");
        request.headers.insert(name, value.parse().expect("a header's value"));
    }
    request
}
