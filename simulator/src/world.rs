//! One run's world: an empty database, a sandbox, the functions, virtual time.

use crate::chance::{chance, pauses, seed};
use crate::complaints::{Ending, looks_for_complaints};
use crate::ops::ORDERS;
use crate::sharing::{ALIPAY_RECEIVERS, RECEIVERS};
use crate::stores::Sales;
use crate::wires::{FaultyQueues, ProviderWire, Receiver, Weather, Written, table_client};
use dynoxide::Database;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::get_item::GetItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::actions::update_table::UpdateTableRequest;
use dynoxide::types::{AttributeValue, Item};
use handlers::Registry;
use sandbox::{MerchantKeys, Mode, Options, Provider, Sandbox, SignedRequest, Trade};
use serde_json::{Map, Value, json};
use shared::api::{Request, Response};
use shared::app::{App, Clock, Settings};
use shared::config::Source;
use shared::domain::UnixMs;
use shared::net::egress::Receivers;
use shared::net::provider_http::Http;
use shared::payments::Queues;
use shared::store::Store;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use vk_pay_local::dynamo;
use vk_pay_local::queues::MemoryQueues;
use vk_pay_local::stream::Stream;

/// The key that the merchant calls with.
pub const KEY: &str = "the-shop-calls-with-this";
/// The orders table.
pub const TABLE: &str = "orders";
/// The users whose balances are credited.
pub const USERS: usize = 2;
/// What is sold to orders of type `goods`.
pub const GOODS: &str = "goods_001";
/// What a piece of it costs, fen.
pub const PRICE: i64 = 100;
/// From how many shards it may be sold.
pub const SHARDS: [i64; 4] = [0, 2, 3, 5];
/// 2026-01-01 00:00 UTC, Unix ms: when every run begins.
const BEGIN: i64 = 1_767_225_600_000;
const GATEWAY: &str = "http://127.0.0.1:1";
const RECEIVER: &str = "http://127.0.0.1:2/";
/// The type that moves between two handlers.
pub const MOVING: &str = "recharge";
const SITE: &str = "https://pay.test";

/// The merchants' keys: making them takes longer than a run.
fn merchants() -> &'static [MerchantKeys; 2] {
    static KEYS: OnceLock<[MerchantKeys; 2]> = OnceLock::new();
    KEYS.get_or_init(|| ["shop", "second"].map(MerchantKeys::generate))
}

/// A merchant that nobody of the shop ever names.
fn stranger() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| MerchantKeys::generate("stranger"))
}

/// The second merchant as WeChat Pay serves it after it has changed its own certificate.
fn rotated() -> &'static MerchantKeys {
    static KEYS: OnceLock<MerchantKeys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let next = MerchantKeys::generate("next").wechat;
        let mut keys = merchants()[1].clone();
        keys.wechat.platform_serial = next.platform_serial;
        keys.wechat.platform_cert = next.platform_cert;
        keys.wechat.platform_key = next.platform_key;
        keys
    })
}

/// What the policy does with payments that no order expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyOf {
    /// They go back.
    Refund,
    /// Late ones are credited, second ones wait.
    Accept,
    /// An operator decides.
    Wait,
}

/// See the module.
pub struct World {
    /// The simulated providers.
    pub sandbox: Sandbox,
    /// The functions.
    pub app: App,
    /// The handler by configuration.
    pub receiver: Arc<Receiver>,
    /// The faults.
    pub weather: Arc<Weather>,
    /// What the policy does.
    pub policy: PolicyOf,
    /// Every callback is lost that is not the only way to hear of a payment.
    pub silent: bool,
    database: Database,
    /// The orders as they were read last: they are looked at after every moment, and few have changed by then.
    orders: Mutex<[Option<Arc<Value>>; ORDERS]>,
    written: Arc<Written>,
    stream: Mutex<Stream>,
    /// Records of the stream that were not handed over yet.
    pub records: Mutex<Vec<Value>>,
    /// The goods, while they are not in their table.
    hidden: Mutex<Option<Item>>,
    /// Trades that were paid though they were closed.
    pub forced: Mutex<BTreeSet<(Provider, String)>>,
    /// Refunds that were made in Alipay's console: the trade's number, and the place among its refunds.
    pub elsewhere: Mutex<Vec<(String, usize)>>,
    /// What WeChat Pay has told, or will, of payees' authorisations.
    pub authorized: Mutex<Vec<SignedRequest>>,
    /// The queues of work, where there are any.
    pub queues: Option<Arc<MemoryQueues>>,
    /// Whether the goods are sold from shards.
    pub sharded: bool,
    /// How many pieces of the goods were put in.
    pub put_in: AtomicI64,
    /// Whether orders are paid in a mini program, whose platform keeps the money.
    pub ships: bool,
    /// Whether orders are made to be shared.
    pub shares: bool,
    /// Whether payers complain.
    pub complains: bool,
    /// When complaints may have been ended.
    pub(crate) ending: Mutex<Ending>,
    /// The orders whose shipping the merchant has reported.
    pub reported: Mutex<BTreeSet<String>>,
    /// Whether there is a store.
    pub sells: bool,
    /// What it sold.
    pub sales: Mutex<Sales>,
    /// Whether a type moves between its handler in Rust and one by configuration.
    pub moves: bool,
    /// The shop's configuration, which changes where a type moves.
    document: tempfile::NamedTempFile,
    /// Secrets that must never stand in an item or a reply.
    pub secrets: Vec<String>,
}

/// Registers the merchants with the providers, and who may share what the first is paid.
fn furnish(sandbox: &Sandbox) {
    let [first, second] = merchants();
    sandbox.register(first);
    sandbox.register(second);
    sandbox.register(stranger());
    sandbox.set_console_url("shop", SITE, "default");
    sandbox.share_at_most(100);
    for (kind, account) in RECEIVERS {
        sandbox.let_share(&second.wechat.mchid, kind, account);
    }
    for (kind, account) in ALIPAY_RECEIVERS {
        sandbox.let_share(&first.alipay.app_id, kind, account);
    }
}

impl World {
    /// Whether a trade's provider calls back about it; WeChat Pay does not about pay codes.
    pub fn is_told(&self, provider: Provider, number: &str) -> bool {
        let mut trades = self.sandbox.trades().into_iter();
        trades.any(|t| t.provider == provider && t.number == number && t.notify_url.is_some())
    }

    /// The world of a seed: every fourth has a store, every fourth queues, every fourth goods in shards, every fourth a mini
    /// program, every eighth a type that moves between two handlers, every eighth orders that are shared, and every eighth
    /// payers who complain.
    pub async fn new(number: u64, faults: usize) -> Self {
        let mut world = Self::of(number, faults, number % 4 == 2, number.is_multiple_of(4)).await;
        world.sharded = number % 4 == 1;
        world.complains = number % 8 == 2;
        if world.sharded {
            let (pieces, shards) = chance(|c| (c.below(6) + 4, *c.pick(&SHARDS)));
            world.offer(i64::try_from(pieces).unwrap_or(4), shards, &[]);
        }
        world
    }

    /// The same with a mini program.
    pub async fn shipping(number: u64, faults: usize) -> Self {
        Self::of(number, faults, false, true).await
    }

    /// The same, with queues or without.
    pub async fn with_queues(number: u64, faults: usize, queued: bool) -> Self {
        Self::of(number, faults, queued, false).await
    }

    async fn of(number: u64, faults: usize, queued: bool, ships: bool) -> Self {
        seed(number);
        let start = tokio::time::Instant::now();
        let clock = Arc::new(move || {
            BEGIN + i64::try_from(tokio::time::Instant::now().duration_since(start).as_millis()).unwrap_or(0)
        });
        let sandbox = Sandbox::new(Options { retry_divisor: 1, clock: Some(clock.clone()), auto_deliver: false });
        furnish(&sandbox);
        let policy = chance(|c| *c.pick(&[PolicyOf::Refund, PolicyOf::Refund, PolicyOf::Accept, PolicyOf::Wait]));
        let silent = chance(|c| c.permille(300));
        let config = tempfile::NamedTempFile::new().expect("a file for the configuration");
        std::fs::write(&config, document(policy, ships, false).to_string()).expect("written");
        let weather = Arc::new(Weather::default());
        let database = Database::memory().expect("a database");
        let written = Arc::new(Written::default());
        let client = table_client(&database, &weather, &written);
        dynamo::create_tables(&client, TABLE, "").await.expect("tables");
        let store = Store::new(client, TABLE, "").pausing(pauses);
        let clock: Clock = Arc::new(move || UnixMs::new(clock()));
        let queues = queued.then(|| Arc::new(MemoryQueues::new(clock.clone(), Duration::from_mins(1))));
        let faulty = queues.clone().map(|queues| FaultyQueues { queues, weather: weather.clone() });
        let settings = Settings {
            source: Source::File(config.path().to_owned()),
            config_ttl: 300,
            notify_base: None,
            dead_letters: None,
            queues: faulty.map(|queues| Arc::new(queues) as Arc<dyn Queues>),
        };
        let app = App::new(settings, store, Box::new(Registry), clock).await;
        let mut app = app.unwrap_or_else(|faults| panic!("the configuration is right: {faults:?}"));
        let receiver = Arc::new(Receiver { weather: weather.clone(), ..Receiver::default() });
        let wire = Arc::new(ProviderWire { router: sandbox.router(), weather: weather.clone() });
        app.clients.http = Http::through(wire);
        app.clients.receivers = Receivers::through(receiver.clone());
        let stream = Mutex::new(Stream::open(database.clone(), TABLE).expect("a stream"));
        let secrets = secrets();
        let (orders, records, forced) = (Mutex::default(), Mutex::default(), Mutex::default());
        let world = Self {
            sandbox,
            app,
            receiver,
            weather,
            policy,
            silent,
            database,
            orders,
            written,
            stream,
            records,
            hidden: Mutex::default(),
            forced,
            elsewhere: Mutex::default(),
            authorized: Mutex::default(),
            queues,
            sharded: false,
            put_in: AtomicI64::new(0),
            ships,
            shares: number % 8 == 6,
            complains: false,
            ending: Mutex::default(),
            reported: Mutex::default(),
            sells: number % 4 == 3,
            sales: Mutex::default(),
            moves: number % 8 == 4,
            document: config,
            secrets,
        };
        for user in 0..USERS {
            world.put("uni-id-users", &format!("user_{user}"), &[("balance", 0)]);
        }
        world.offer(2, 0, &[]);
        world.weather.table.store(faults, Ordering::Relaxed);
        world.weather.wire.store(faults, Ordering::Relaxed);
        world
    }

    /// Now, Unix ms.
    pub fn now(&self) -> i64 {
        (self.app.clock)().get()
    }

    fn put(&self, table: &str, id: &str, numbers: &[(&str, i64)]) {
        let mut item = Map::new();
        item.insert("_id".to_owned(), json!({ "S": id }));
        for (name, number) in numbers {
            item.insert((*name).to_owned(), json!({ "N": number.to_string() }));
        }
        let request = json!({ "TableName": table, "Item": item });
        self.database.put_item(serde_json::from_value(request).expect("a request")).expect("written");
    }

    /// Goods for 1 yuan are put on sale, instead of what was: so many pieces on their own item, to be sold from so many
    /// shards, and so many in each of the first of these already.
    pub fn offer(&self, pieces: i64, shards: i64, held: &[i64]) {
        let mut item = vec![("stock", pieces), ("sales", 0), ("price", PRICE)];
        if shards > 0 {
            item.push(("stock_shards", shards));
        }
        if !held.is_empty() {
            item.push(("stock_shards_most", shards));
        }
        self.put("goods", GOODS, &item);
        for (n, stock) in held.iter().enumerate() {
            let id = format!("{GOODS}#{n}");
            self.put("goods", &id, &[("stock", *stock), ("sales", 0)]);
            self.change(&id, "SET shard_of = :v", &json!({ ":v": { "S": GOODS } }));
        }
        self.put_in.store(pieces + held.iter().sum::<i64>(), Ordering::Relaxed);
    }

    /// The merchant sells the goods from so many shards from now on; 0 is none.
    pub fn shards(&self, shards: i64) {
        let number = json!({ "N": shards.to_string() });
        if let Some(item) = &mut *self.hidden.lock().expect("not poisoned") {
            item.remove("stock_shards");
            if shards > 0 {
                item.insert("stock_shards".to_owned(), AttributeValue::N(shards.to_string()));
            }
        } else if shards > 0 {
            self.change(GOODS, "SET stock_shards = :v", &json!({ ":v": number }));
        } else {
            self.change(GOODS, "REMOVE stock_shards", &Value::Null);
        }
    }

    fn change(&self, id: &str, update: &str, values: &Value) {
        let mut request = json!({
            "TableName": "goods", "Key": { "_id": { "S": id } }, "UpdateExpression": update,
        });
        if !values.is_null() {
            request["ExpressionAttributeValues"] = values.clone();
        }
        let request: UpdateItemRequest = serde_json::from_value(request).expect("a request");
        self.database.update_item(request).expect("written");
    }

    /// The goods and their shards, also while they are not in their table.
    pub fn shelves(&self) -> Vec<Value> {
        let hidden = self.hidden.lock().expect("not poisoned").clone().map(plain_item);
        self.items("goods").into_iter().chain(hidden).collect()
    }

    /// The merchant has the receiver take orders of the type that moves, or leaves it to its handler in Rust again. The
    /// functions see it when they look at the configuration next.
    pub fn moved(&self, to_receiver: bool) {
        std::fs::write(&self.document, document(self.policy, self.ships, to_receiver).to_string()).expect("written");
    }

    /// Whether the receiver has taken an order.
    pub fn was_taken(&self, no: &str) -> bool {
        self.receiver.taken.lock().expect("not poisoned").values().any(|(own, _)| own == no)
    }

    /// The goods are taken out of their table, or put back as they were.
    pub fn goods(&self, there: bool) {
        let key = [("_id".to_owned(), AttributeValue::S(GOODS.to_owned()))];
        let mut hidden = self.hidden.lock().expect("not poisoned");
        if there {
            if let Some(item) = hidden.take() {
                let request = PutItemRequest { table_name: "goods".to_owned(), item, ..PutItemRequest::default() };
                self.database.put_item(request).expect("written");
            }
            return;
        }
        let read =
            GetItemRequest { table_name: "goods".to_owned(), key: key.clone().into(), ..GetItemRequest::default() };
        if let Some(item) = self.database.get_item(read).expect("read").item {
            let gone =
                DeleteItemRequest { table_name: "goods".to_owned(), key: key.into(), ..DeleteItemRequest::default() };
            self.database.delete_item(gone).expect("deleted");
            *hidden = Some(item);
        }
    }

    /// The orders, as JSON.
    pub fn orders(&self) -> Vec<Arc<Value>> {
        let mut orders = self.orders.lock().expect("not poisoned");
        for (i, order) in orders.iter_mut().enumerate() {
            if self.written.take(i) {
                *order = self.item(&format!("O#{}", crate::ops::number(i)), "O").map(Arc::new);
            }
        }
        orders.iter().flatten().cloned().collect()
    }

    fn item(&self, pk: &str, sk: &str) -> Option<Value> {
        let key = [("pk", pk), ("sk", sk)].map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
        let request = GetItemRequest { table_name: TABLE.to_owned(), key: key.into(), ..GetItemRequest::default() };
        self.database.get_item(request).expect("read").item.map(plain_item)
    }

    /// Every item of a table, as JSON.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut start = None;
        loop {
            // With a limit, because a page without one has the embedded DynamoDB read all that is left.
            let request = ScanRequest {
                table_name: table.to_owned(),
                exclusive_start_key: start,
                limit: Some(1_000),
                ..ScanRequest::default()
            };
            let page = self.database.scan(request).expect("read");
            items.extend(page.items.into_iter().flatten().map(plain_item));
            start = page.last_evaluated_key;
            if start.is_none() {
                return items;
            }
        }
    }

    fn request(&self, path: &str, body: String, headers: &[(&str, &str)]) -> Request {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse()) {
                map.insert(name, value);
            }
        }
        Request {
            method: http::Method::POST,
            path: path.to_owned(),
            headers: map,
            body: body.into_bytes(),
            source_ip: "203.0.113.7".to_owned(),
            request_id: "sim".to_owned(),
            ..Request::default()
        }
    }

    /// A call of the merchant's own.
    pub fn call(&self, body: &Value) -> Request {
        let bearer = format!("Bearer {KEY}");
        self.request("/", body.to_string(), &[("authorization", &bearer), ("content-type", "application/json")])
    }

    /// A call of anybody's.
    pub fn ask(&self, body: &Value) -> Request {
        self.request("/", body.to_string(), &[("content-type", "application/json")])
    }

    /// Whether a trade pays somebody whom the shop never named.
    pub fn pays_a_stranger(&self, trade: &Trade) -> bool {
        let keys = stranger();
        let ids = [&keys.wechat.mchid, &keys.alipay.app_id, &keys.vkspay.id];
        ids.contains(&&trade.merchant) || trade.sub_merchant.is_some() || !trade.request["seller_id"].is_null()
    }

    /// The sub-merchant that WeChat Pay knows of the shop's own merchants.
    pub fn sub_mchid(&self) -> &'static str {
        &merchants()[0].wechat.sub_mchid
    }

    /// WeChat Pay's number of the shop's second merchant.
    pub fn second_mchid(&self) -> &'static str {
        &merchants()[1].wechat.mchid
    }

    /// The shop's own application at Alipay.
    pub fn own_app_id(&self) -> &'static str {
        &merchants()[0].alipay.app_id
    }

    /// What the store signs with: the leaf's key, and its certificates.
    pub fn store_key(&self) -> (&'static str, &'static [String]) {
        let authority = &merchants()[0].apple.authority;
        (&authority.leaf_key, &authority.x5c)
    }

    /// A provider's callback.
    pub async fn notify(&self, callback: &SignedRequest) -> Response {
        let path = callback.url.strip_prefix(SITE).unwrap_or(&callback.url);
        let headers: Vec<(&str, &str)> = callback.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        notify::handle(&self.app, self.request(path, callback.body.clone(), &headers)).await
    }

    /// Whether only a callback brings a payment to light: it was made though its trade was closed. VksPay closes nothing;
    /// what is paid there after its order has ended is watched for.
    pub fn no_query_finds(&self, provider: Provider, number: &str) -> bool {
        self.forced.lock().expect("not poisoned").contains(&(provider, number.to_owned()))
    }

    /// WeChat Pay changes its platform certificate for one merchant, or changes it back.
    pub fn rotate(&self, forth: bool) {
        self.sandbox.register(if forth { rotated() } else { &merchants()[1] });
    }

    /// Whether a payer can have what pays a trade. VksPay makes the number itself, so a link whose answer was lost
    /// is nobody's.
    pub fn was_handed_out(&self, trade: &Trade) -> bool {
        if trade.provider != Provider::Vkspay {
            return true;
        }
        self.item(&format!("N#vkspay#default#{}", trade.number), "N").is_some()
    }

    /// Ends the table's stream. The embedded DynamoDB looks through all records of a stream for the number of the next,
    /// so that a run of many orders would take time by their square.
    pub fn without_stream(&self) {
        let request = json!({ "TableName": TABLE, "StreamSpecification": { "StreamEnabled": false } });
        let request: UpdateTableRequest = serde_json::from_value(request).expect("a request");
        self.database.update_table(request).expect("the table is there");
    }

    /// Takes what is new on the stream.
    pub fn collect_records(&self) {
        let mut stream = self.stream.lock().expect("not poisoned");
        let mut records = self.records.lock().expect("not poisoned");
        loop {
            let batch = stream.batch().expect("records");
            if batch.is_empty() {
                return;
            }
            // What AWS's filter lets through, so that a run is not spent on skipping.
            records.extend(batch.into_iter().filter(|r| r["dynamodb"]["NewImage"]["kind"]["S"] == "task"));
        }
    }
}

/// The shop's configuration, with what its policy does, and whether the receiver takes orders of the type `recharge` in
/// place of the handler in Rust.
fn document(policy: PolicyOf, ships: bool, moved: bool) -> Value {
    let [first, second] = merchants();
    let mut config = first.config_with(GATEWAY, Mode { wxpay_version: 2, ..Mode::default() });
    config["merchants"] =
        json!({ "second": second.config_with(GATEWAY, Mode { wxpay_public_key: false, ..Mode::default() }) });
    config["merchants"]["second"]["wxpay"]["transfer"]["dailyLimit"] = json!(400);
    config["merchants"]["stranger"] = stranger().config_with(GATEWAY, Mode::default());
    config["notifyUrl"] = json!(SITE);
    config["auth"] = json!({ "default": "key", "keys": { "shop": KEY }, "createPayment": ["key", "none"] });
    config["handlers"] = json!({ "mine": { "http": { "url": RECEIVER } } });
    looks_for_complaints(&mut config);
    if ships {
        config["shipping"] = crate::shipping::modes();
    }
    if moved {
        config["handlers"][MOVING] = json!({ "replaces": true, "http": { "url": RECEIVER } });
    }
    config["policy"] = match policy {
        PolicyOf::Refund => json!({ "latePayment": "refund", "duplicatePayment": "refund" }),
        PolicyOf::Accept => json!({ "latePayment": "accept", "duplicatePayment": "wait" }),
        PolicyOf::Wait => json!({ "latePayment": "wait", "duplicatePayment": "wait" }),
    };
    config
}

fn secrets() -> Vec<String> {
    let mut all = vec![KEY.to_owned()];
    for keys in merchants() {
        all.extend([
            keys.wechat.v3_key.clone(),
            keys.wechat.v2_key.clone(),
            keys.vkspay.key.clone(),
            keys.apple.password.clone(),
        ]);
        for pem in [&keys.wechat.merchant_key, &keys.alipay.app_private_key, &keys.apple.private_key] {
            let middle: String = pem.lines().nth(3).unwrap_or("no such line").to_owned();
            all.push(middle);
        }
    }
    all
}

fn plain_item(item: Item) -> Value {
    fn plain(value: AttributeValue) -> Value {
        match value {
            AttributeValue::S(text) => Value::String(text),
            AttributeValue::N(number) => serde_json::from_str(&number).unwrap_or(Value::Null),
            AttributeValue::BOOL(flag) => Value::Bool(flag),
            AttributeValue::L(list) => list.into_iter().map(plain).collect(),
            AttributeValue::M(map) => plain_item(map),
            _ => Value::Null,
        }
    }
    item.into_iter().map(|(name, value)| (name, plain(value))).collect::<Map<_, _>>().into()
}
