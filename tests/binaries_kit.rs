//! A shop whose functions are the real binaries: each behind its Function URL, the table behind the proxy, the
//! configuration in a file.

use crate::world::{Answer, TABLE, World};
use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use sandbox::{CallbackKind, MerchantKeys, Mode, SignedRequest};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tests::binaries::{FUNCTIONS, binaries};
use tests::dynamo_proxy::DynamoProxy;
use tests::function_url::FunctionUrl;
use tests::runtime_api::{Emulator, Function};

/// See the module.
pub struct Shop {
    pub world: World,
    pub proxy: DynamoProxy,
    pub emulators: BTreeMap<&'static str, Emulator>,
    /// The processes that run, by function.
    pub processes: BTreeMap<&'static str, Vec<Function>>,
    /// What the processes that are gone have logged.
    pub buried: String,
    /// Variables of every process that is started from now on.
    pub environment: Vec<(&'static str, String)>,
    urls: Vec<FunctionUrl>,
    folder: TempDir,
}

impl Shop {
    /// One process of each function.
    pub async fn open(mode: Mode) -> Self {
        let mut shop = Self::closed(mode, |_| {}).await;
        for function in FUNCTIONS {
            shop.start(function, 1).await;
        }
        shop
    }

    /// No process yet.
    pub async fn closed(mode: Mode, change: impl FnOnce(&mut Value)) -> Self {
        binaries();
        let mut emulators = BTreeMap::new();
        let mut urls = Vec::new();
        let mut bases = BTreeMap::new();
        for function in FUNCTIONS {
            let emulator = Emulator::start().await;
            let url = FunctionUrl::start(&emulator).await;
            bases.insert(function, url.base().to_owned());
            urls.push(url);
            emulators.insert(function, emulator);
        }
        let mut world = World::without_functions(mode, &bases["notify"], change).await;
        world.urls = bases;
        let proxy = DynamoProxy::start(&world.dynamodb).await;
        let environment = vec![
            ("PAY_TABLE", TABLE.to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", proxy.base().to_owned()),
            ("RUST_LOG", "debug".to_owned()),
        ];
        let folder = tempfile::tempdir().expect("a folder");
        let mut shop = Self {
            world,
            proxy,
            emulators,
            processes: BTreeMap::new(),
            buried: String::new(),
            environment,
            urls,
            folder,
        };
        let file = shop.config_file();
        shop.environment.push(("PAY_CONFIG", format!("file:{file}")));
        let config = shop.world.config.clone();
        shop.configure(&config.to_string());
        assert_eq!(shop.urls.len(), FUNCTIONS.len());
        shop
    }

    fn config_file(&self) -> String {
        self.folder.path().join("pay.json").display().to_string()
    }

    /// Writes the configuration file, at once.
    pub fn configure(&self, text: &str) {
        let new = self.folder.path().join("pay.json.new");
        std::fs::write(&new, text).expect("written");
        std::fs::rename(new, self.config_file()).expect("renamed");
    }

    /// Takes the configuration file away.
    pub fn remove_config(&self) {
        std::fs::remove_file(self.config_file()).expect("removed");
    }

    /// Starts processes of a function and waits until they ask for work.
    pub async fn start(&mut self, function: &'static str, how_many: usize) {
        let environment: Vec<(&str, &str)> = self.environment.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let mut started = Vec::new();
        for _ in 0..how_many {
            started.push(self.emulators[function].spawn(binaries().path(function), &environment).await);
        }
        for process in &started {
            process.ready().await.unwrap_or_else(|fault| panic!("{function}: {fault}\n{}", process.log()));
        }
        self.processes.entry(function).or_default().extend(started);
    }

    /// SIGKILL for every process of a function.
    pub async fn kill(&mut self, function: &'static str) {
        for mut process in self.processes.remove(function).unwrap_or_default() {
            process.kill().await;
            self.buried.push_str(&process.log());
        }
    }

    /// What all processes have logged, also those that are gone.
    pub fn log(&self) -> String {
        let running = self.processes.values().flatten().map(Function::log);
        std::iter::once(self.buried.clone()).chain(running).collect()
    }

    /// An order that is paid at the provider and not known here to be, and the callback that tells of it.
    pub async fn paid_there(&self, no: &str, data: Value) -> SignedRequest {
        let (status, made) = self.world.create(no, data).await;
        assert_eq!(status, 200, "{made}\n{}", self.log());
        self.world.pay_silently(no).await;
        self.world.sandbox.build_callback(no, CallbackKind::Payment)
    }

    /// Sends a callback; true when it was taken as the provider wants it.
    pub async fn taken(&self, callback: &SignedRequest) -> bool {
        let answer = self.world.sandbox.send(callback).await;
        matches!(answer.as_ref().map(|(status, body)| (*status, body.as_str())), Ok((204, "") | (200, "success")))
            || matches!(&answer, Ok((200, body)) if body.contains("<return_code><![CDATA[SUCCESS]]>"))
    }

    /// Calls a function with an event of its own making.
    pub async fn invoke(&self, function: &str, event: Value) -> Answer {
        let payload = self.emulators[function].invoke(event).await.expect("an answer");
        let status = payload["statusCode"].as_u64().and_then(|s| u16::try_from(s).ok()).expect("a status");
        (status, serde_json::from_str(payload["body"].as_str().unwrap_or("null")).unwrap_or_default())
    }

    /// The order and what was written with it: nothing at all, or everything once. True when it is paid.
    pub async fn whole(&self, no: &str) -> bool {
        let order = self.world.order(no).await;
        let paid = order["trade_state"] == "SUCCESS" || order["trade_state"] == "REFUND";
        let own = |items: Vec<Value>| items.into_iter().filter(|i| i["out_trade_no"] == no).count();
        let history = self.world.kind("history").await;
        let credits = history.iter().filter(|h| h["out_trade_no"] == no && h["event"] == "paid").count();
        let counts = [
            own(self.world.items("recharge_logs").await),
            own(self.world.kind("transaction").await),
            credits,
            usize::from(order["user_order_success"] == true),
            usize::from(order["transaction_id"].is_string()),
        ];
        assert_eq!(counts, [usize::from(paid); 5], "{no}: logs, claims, history, success, number\n{order}");
        paid
    }

    /// Every balance is the sum of its log.
    pub async fn balanced(&self) {
        let logs = self.world.items("recharge_logs").await;
        let sum: u64 = logs.iter().map(|l| l["recharge_balance"].as_u64().unwrap()).sum();
        assert_eq!(self.world.row("uni-id-users", "user_001").await["balance"], sum);
    }
}

/// A refund's body.
pub fn refund_of(no: &str, number: &str, fee: u64) -> Value {
    json!({ "out_trade_no": no, "out_refund_no": number, "refund_fee": fee })
}

/// Waits until something is true.
pub async fn until(what: &str, mut is: impl AsyncFnMut() -> bool) {
    for _ in 0..400 {
        if is().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what} never came");
}

/// The secrets of a merchant, by name.
pub fn secrets(keys: &MerchantKeys) -> Vec<(&'static str, String)> {
    vec![
        ("v3 key", keys.wechat.v3_key.clone()),
        ("v2 key", keys.wechat.v2_key.clone()),
        ("merchant key", keys.wechat.merchant_key.clone()),
        ("wxpay key", keys.wechat.wxpay_key.clone()),
        ("platform key", keys.wechat.platform_key.clone()),
        ("app key", keys.alipay.app_private_key.clone()),
        ("alipay key", keys.alipay.alipay_private_key.clone()),
        ("encrypt key", keys.alipay.encrypt_key.clone()),
        ("Apple's shared secret", keys.apple.password.clone()),
        ("Apple's API key", keys.apple.private_key.clone()),
        ("VksPay's key", keys.vkspay.key.clone()),
        ("virtual payment's secret", keys.virtual_pay.secret.clone()),
        ("virtual payment's AppKey", keys.virtual_pay.app_key.clone()),
        ("message push token", keys.virtual_pay.token.clone()),
        ("EncodingAESKey", keys.virtual_pay.encoding_aes_key.clone()),
        ("Douyin's secret", keys.douyin.secret.clone()),
        ("Douyin's salt", keys.douyin.salt.clone()),
        ("Douyin's token", keys.douyin.token.clone()),
        ("bearer key", crate::world::KEY.to_owned()),
        ("app secret", "0123456789abcdef0123456789abcdef".to_owned()),
    ]
}

/// A function and a queue that stand where Lambda and SQS would.
pub struct Aws {
    pub base: String,
    calls: Arc<Mutex<Vec<(String, axum::http::HeaderMap, Value)>>>,
    pub answer: Arc<Mutex<(bool, String)>>,
}

impl Aws {
    pub async fn start() -> Self {
        let calls: Arc<Mutex<Vec<(String, axum::http::HeaderMap, Value)>>> = Arc::default();
        let answer = Arc::new(Mutex::new((false, r#"{"code":0}"#.to_owned())));
        let (log, told) = (calls.clone(), answer.clone());
        let app = Router::new().fallback(move |request: Request| {
            let (log, told) = (log.clone(), told.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
                let path = parts.uri.path().to_owned();
                log.lock().unwrap().push((path.clone(), parts.headers, serde_json::from_slice(&body).unwrap()));
                let (failed, answer) = told.lock().unwrap().clone();
                let mut response = Response::builder();
                if failed && path.contains("/functions/") {
                    response = response.header("x-amz-function-error", "Unhandled");
                }
                response.body(axum::body::Body::from(answer)).unwrap()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, calls, answer }
    }

    pub fn calls(&self, path: &str) -> Vec<(axum::http::HeaderMap, Value)> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(p, ..)| p.contains(path)).map(|(_, h, b)| (h.clone(), b.clone())).collect()
    }
}
