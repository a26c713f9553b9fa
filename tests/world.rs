//! A whole shop for a test: an empty DynamoDB, the sandbox on a port of its own, the functions behind one
//! address, one merchant. Everything is spoken to as from outside.

use crate::contract_kit;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue as Av;
use axum::Router;
use handlers::Registry;
use sandbox::{MerchantKeys, Mode, Options, Sandbox};
use serde_json::{Map, Value, json};
use shared::app::{App, Settings, system_clock};
use shared::config::Source;
use shared::store::Store;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::net::TcpListener;
use vk_pay_local::stream::Stream;
use vk_pay_local::{dynamo, functions};

/// The key that this world's merchant calls with.
pub const KEY: &str = "the-shop-calls-with-this";
/// The orders table.
pub const TABLE: &str = "orders";

/// The merchant of every world: making its keys takes longer than most tests.
fn shop() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("shop"))
}

/// See the module.
pub struct World {
    pub sandbox: Sandbox,
    pub keys: MerchantKeys,
    pub tables: Client,
    pub dynamodb: String,
    pub config: Value,
    pub base: String,
    /// The functions, when they run in this process.
    pub app: Option<Arc<App>>,
    stream: Mutex<Stream>,
    /// Where each function is, when they are not all behind `base`.
    pub urls: BTreeMap<&'static str, String>,
    http: reqwest::Client,
}

/// An answer: HTTP status and JSON body.
pub type Answer = (u16, Value);

impl World {
    /// A world with the sandbox's usual merchant.
    pub async fn start() -> Self {
        Self::with(Mode::default(), |_| {}).await
    }

    /// A world whose merchant uses these variants, its configuration changed by `change`.
    pub async fn with(mode: Mode, change: impl FnOnce(&mut Value)) -> Self {
        let (listener, base) = bind().await;
        let mut world = Self::without_functions(mode, &format!("{base}/notify"), change).await;
        world.serve_functions(listener, base).await;
        world
    }

    /// Changes the configuration; other processes than those before serve from then on.
    pub async fn reconfigure(&mut self, change: impl FnOnce(&mut Value)) {
        change(&mut self.config);
        let (listener, base) = bind().await;
        self.serve_functions(listener, base).await;
    }

    async fn serve_functions(&mut self, listener: TcpListener, base: String) {
        let settings = Settings {
            source: Source::Inline(self.config.to_string()),
            config_ttl: 300,
            notify_base: None,
            dead_letters: None,
            queues: None,
        };
        let store = Store::new(dynamo::client(&self.dynamodb), TABLE, "");
        let app = App::new(settings, store, Box::new(Registry), system_clock()).await;
        let app = app.unwrap_or_else(|faults| panic!("the configuration is right: {faults:?}"));
        let app = Arc::new(app);
        serve(listener, functions::router(app.clone()));
        self.app = Some(app);
        self.base = base;
    }

    /// Everything but the functions, for tests that run the real binaries.
    pub async fn without_functions(mode: Mode, notify_url: &str, change: impl FnOnce(&mut Value)) -> Self {
        let sandbox = Sandbox::new(Options { retry_divisor: 100, clock: None, auto_deliver: true });
        let keys = shop().clone();
        sandbox.register(&keys);
        sandbox.set_console_url("shop", notify_url, "default");
        sandbox.set_plain_push("shop", mode.virtual_plain);
        let (wire, gateway) = bind().await;
        serve(wire, sandbox.router());
        let mut config = keys.config_with(&gateway, mode);
        config["notifyUrl"] = json!(notify_url);
        config["auth"] = json!({ "default": "key", "keys": { "shop": KEY } });
        change(&mut config);
        let database = dynoxide::Database::memory().expect("a database");
        let dynamodb = dynamo::serve(database.clone()).await.expect("a port");
        let tables = dynamo::client(&dynamodb);
        dynamo::create_tables(&tables, TABLE, "").await.expect("tables");
        let world = Self {
            sandbox,
            keys,
            tables,
            dynamodb,
            config,
            base: String::new(),
            app: None,
            stream: Mutex::new(Stream::open(database, TABLE).expect("a stream")),
            urls: BTreeMap::new(),
            http: reqwest::Client::new(),
        };
        world.put("uni-id-users", "user_001", json!({ "balance": 0 })).await;
        world.put("goods", "goods_001", json!({ "stock": 10, "sales": 0, "price": 100 })).await;
        world
    }

    fn app(&self) -> &App {
        self.app.as_deref().expect("the functions run in this process")
    }

    /// What the stream has that was not read yet.
    pub fn records(&self) -> Vec<Value> {
        let mut stream = self.stream.lock().expect("not poisoned");
        let mut records = Vec::new();
        loop {
            let batch = stream.batch().expect("records");
            if batch.is_empty() {
                return records;
            }
            records.extend(batch);
        }
    }

    /// Hands the stream's records to `dispatch` until there are no more.
    pub async fn dispatch(&self) {
        loop {
            let records = self.records();
            if records.is_empty() {
                return;
            }
            for batch in records.chunks(10) {
                let answer = dispatch::handle(self.app(), &json!({ "Records": batch })).await;
                assert_eq!(answer, json!({ "batchItemFailures": [] }));
            }
        }
    }

    /// A run of `reconcile` so many milliseconds from now.
    pub async fn reconcile(&self, ms_from_now: i64) -> Value {
        self.reconcile_at((self.app().clock)().get() + ms_from_now).await
    }

    /// A run of `reconcile` at a clock, Unix ms.
    pub async fn reconcile_at(&self, ms: i64) -> Value {
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000).expect("a time");
        let time = at.format(&time::format_description::well_known::Rfc3339).expect("a time");
        self.run(json!({ "time": time })).await
    }

    /// A run of `reconcile` by an event.
    pub async fn run(&self, event: Value) -> Value {
        reconcile::handle(self.app(), &event).await.expect("a run")
    }

    /// Calls a function of this world with the merchant's key.
    pub async fn call(&self, function: &str, body: Value) -> Answer {
        self.post(&self.url(function), body, Some(KEY)).await
    }

    /// Where a function is.
    pub fn url(&self, function: &str) -> String {
        self.urls.get(function).cloned().unwrap_or_else(|| format!("{}/{function}", self.base))
    }

    /// Posts JSON anywhere.
    pub async fn post(&self, url: &str, body: Value, key: Option<&str>) -> Answer {
        let text = body.to_string();
        let mut request = self.http.post(url).header("content-type", "application/json").body(text);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        let reply = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(function) = self.function_at(url) {
            contract_kit::check(function, &body, status, &reply);
        }
        (status, reply)
    }

    /// Which function an address is of.
    fn function_at<'a>(&'a self, url: &'a str) -> Option<&'a str> {
        let path = url.split('?').next().unwrap_or(url);
        let own = self.urls.iter().find(|(_, base)| base.trim_end_matches('/') == path.trim_end_matches('/'));
        own.map(|(function, _)| *function).or_else(|| path.strip_prefix(&self.base)?.strip_prefix('/'))
    }

    /// Creates an order; the data over a usual recharge of 100 fen.
    pub async fn create(&self, out_trade_no: &str, data: Value) -> Answer {
        let mut order = json!({
            "provider": "wxpay", "out_trade_no": out_trade_no, "total_fee": 100, "subject": "测试商品",
            "type": "recharge", "vk_platform": "h5", "custom": { "user_id": "user_001" },
        });
        merge(&mut order, data);
        self.call("create-payment", json!({ "action": "pay/createPayment", "data": order })).await
    }

    /// Pays at the sandbox's wallet, without a callback.
    pub async fn pay_silently(&self, number: &str) {
        let how = sandbox::Pay { notify: false, ..Default::default() };
        self.sandbox.pay(number, how).await.expect("paid");
    }

    /// Pays at the sandbox's wallet and waits until the callback was taken.
    pub async fn pay(&self, number: &str) {
        self.sandbox.pay(number, sandbox::Pay::default()).await.expect("paid");
        self.until(|order| order["trade_state"] != "NOTPAY", number).await;
    }

    /// Waits until the order item is as wanted.
    pub async fn until(&self, wanted: impl Fn(&Value) -> bool, out_trade_no: &str) -> Value {
        for _ in 0..200 {
            let order = self.order(out_trade_no).await;
            if wanted(&order) {
                return order;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{out_trade_no} never came: {}", self.order(out_trade_no).await);
    }

    /// The order as `queryOrders` would show it, straight from the table.
    pub async fn order(&self, out_trade_no: &str) -> Value {
        let key = [("pk", format!("O#{out_trade_no}")), ("sk", "O".to_owned())];
        let key = key.map(|(k, v)| (k.to_owned(), Av::S(v))).into();
        let item = self.tables.get_item().table_name(TABLE).set_key(Some(key)).consistent_read(true).send().await;
        item.expect("read").item.map_or(Value::Null, |item| plain(&item))
    }

    /// A row of a business table.
    pub async fn row(&self, table: &str, id: &str) -> Value {
        let item = self.tables.get_item().table_name(table).key("_id", Av::S(id.to_owned())).send().await;
        item.expect("read").item.map_or(Value::Null, |item| plain(&item))
    }

    /// Writes a row of a business table.
    pub async fn put(&self, table: &str, id: &str, row: Value) {
        let mut item: std::collections::HashMap<String, Av> = std::collections::HashMap::new();
        item.insert("_id".to_owned(), Av::S(id.to_owned()));
        for (name, value) in row.as_object().expect("an object") {
            let value = match value {
                Value::Number(number) => Av::N(number.to_string()),
                Value::Bool(flag) => Av::Bool(*flag),
                other => Av::S(other.as_str().expect("a text").to_owned()),
            };
            item.insert(name.clone(), value);
        }
        self.tables.put_item().table_name(table).set_item(Some(item)).send().await.expect("written");
    }

    /// Every item of a table.
    pub async fn items(&self, table: &str) -> Vec<Value> {
        let page = self.tables.scan().table_name(table).send().await.expect("read");
        page.items.unwrap_or_default().iter().map(plain).collect()
    }

    /// The lines of an order's history, wherever they stand.
    pub async fn history(&self, out_trade_no: &str) -> Vec<Map<String, Value>> {
        let store = Store::new(dynamo::client(&self.dynamodb), TABLE, "");
        store.history(out_trade_no).await.expect("read")
    }

    /// The items of the orders table of one kind.
    pub async fn kind(&self, kind: &str) -> Vec<Value> {
        self.items(TABLE).await.into_iter().filter(|i| i["kind"] == kind).collect()
    }
}

fn plain(item: &std::collections::HashMap<String, Av>) -> Value {
    fn json(value: &Av) -> Value {
        match value {
            Av::S(text) => json!(text),
            Av::N(text) => serde_json::from_str(text).expect("a number"),
            Av::Bool(flag) => json!(flag),
            Av::L(list) => list.iter().map(json).collect(),
            Av::M(map) => Value::Object(map.iter().map(|(k, v)| (k.clone(), json(v))).collect::<Map<_, _>>()),
            _ => Value::Null,
        }
    }
    Value::Object(item.iter().map(|(k, v)| (k.clone(), json(v))).collect())
}

/// Lays one object over another.
pub fn merge(into: &mut Value, over: Value) {
    if let (Value::Object(into), Value::Object(over)) = (into, over) {
        into.extend(over);
    }
}

async fn bind() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, base)
}

fn serve(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}

/// Fails when a list leaves out a provider that is meant.
pub fn names_all(list: &[&str], meant: impl Fn(sandbox::Provider) -> bool) {
    let ours: Vec<&str> = shared::domain::Provider::ALL.into_iter().map(shared::domain::Provider::name).collect();
    let theirs: Vec<&str> = sandbox::Provider::ALL.into_iter().map(|provider| provider.name()).collect();
    assert_eq!(ours, theirs, "the bundle and the sandbox have the same providers");
    for provider in sandbox::Provider::ALL.into_iter().filter(|provider| meant(*provider)) {
        assert!(list.contains(&provider.name()), "{} is not in the list", provider.name());
    }
}
