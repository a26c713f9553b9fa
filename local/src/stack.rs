//! The stack: what is started in which order, and how it stops.

use crate::address::Address;
use crate::calls::InProcess;
use crate::console::{self, Console, Local, Rights};
use crate::demo::{self, Demo};
use crate::dynamo::{self, TABLE};
use crate::functions;
use crate::guard::{self, Guard};
use crate::journal::{self, Journal, Recorder};
use crate::options::Options;
use crate::queues::{self, MemoryQueues};
use crate::receiver::{self, Receiver};
use crate::stream::{self, Stream};
use aws_sdk_dynamodb::Client;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use dynoxide::Database;
use sandbox::Sandbox;
use serde_json::Value;
use shared::app::{App, Settings, system_clock};
use shared::config::Source;
use shared::payments::Queues;
use shared::store::Store;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long open connections may take to end.
const PATIENCE: Duration = Duration::from_secs(3);
/// The sandbox's providers repeat a callback after a tenth of the real pause.
const RETRY_DIVISOR: u64 = 10;

/// Why the stack did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// A folder or file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What.
        error: std::io::Error,
    },
    /// The port.
    #[error("127.0.0.1:{port} cannot be bound: {error} (choose another with --port)")]
    Port {
        /// Which.
        port: u16,
        /// What.
        error: std::io::Error,
    },
    /// Another stack has the data folder.
    #[error("a stack runs with the data folder {path} already{at}; stop it, or choose another with --data-dir")]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Where it answers, where that is known.
        at: String,
    },
    /// The database.
    #[error("the tables: {0}")]
    Tables(String),
    /// The configuration: every fault by its path, one a line.
    #[error("{0}")]
    Config(String),
}

/// The stack while it runs.
pub struct Running {
    /// `http://127.0.0.1:<port>`: the console, the functions, the callbacks.
    pub base_url: String,
    /// What the functions share.
    pub app: Arc<App>,
    /// The simulated providers; not there with a configuration of the merchant's own.
    pub sandbox: Option<Sandbox>,
    /// The demo's configuration, or `null`.
    pub config: Value,
    /// The demo's secret, for `Authorization: Bearer`.
    pub demo_key: Option<String>,
    /// The embedded DynamoDB, for looking into tables.
    pub dynamodb: Client,
    data_dir: PathBuf,
    /// Held while it runs.
    lock: std::fs::File,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts everything and answers when requests are served.
///
/// # Errors
/// When a file, the port, the tables or the configuration stand in the way.
pub async fn start(options: Options) -> Result<Running, StartError> {
    let dir = options.data_dir.clone();
    let file = |path: PathBuf| move |error| StartError::File { path, error };
    make_private(&dir).map_err(file(dir.clone()))?;
    let lock = lock(&dir)?;
    let listener = TcpListener::bind(("127.0.0.1", options.port))
        .await
        .map_err(|error| StartError::Port { port: options.port, error })?;
    let address = listener.local_addr().map_err(file(dir.clone()))?;
    let base_url = format!("http://{address}");
    let (stop, _) = watch::channel(false);
    let mut tasks = Vec::new();

    let database = dir.join("dynamodb.sqlite");
    let (dynamodb, database, tables_url) = open_tables(&database, options.dynamodb_port, &stop, &mut tasks).await?;
    let Configured { source, config, demo_key, sandbox: simulated } =
        configured(&options, &base_url, &stop, &mut tasks).await?;
    let clock = system_clock();
    if simulated.is_some() {
        demo::seed(&dynamodb, "", clock()).await.map_err(|e| StartError::Tables(e.to_string()))?;
    }
    let store = Store::new(dynamodb.clone(), TABLE, "");
    // A configuration of the merchant's own is looked at again before each request: edit, save, try.
    // As much faster than AWS's as the schedule is.
    let queues = options.schedule.map(|period| Arc::new(MemoryQueues::new(clock.clone(), period)));
    let settings = Settings {
        source,
        config_ttl: 0,
        notify_base: Some(format!("{base_url}/notify")),
        dead_letters: None,
        queues: queues.clone().map(|queues| queues as Arc<dyn Queues>),
    };
    let app = App::new(settings, store, Box::new(handlers::Registry), clock)
        .await
        .map_err(|faults| StartError::Config(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let app = Arc::new(app);
    let receiver = demo_key.as_ref().map(|key| Arc::new(Receiver::new(Receiver::secret_of(key), app.clock.clone())));
    let guard = Arc::new(Guard::new(address));
    let journal = Arc::new(Journal::default());
    let config_path = options.config.clone().unwrap_or_else(|| dir.join("config.json"));
    let local = Local {
        app: app.clone(),
        started: (app.clock)(),
        sandbox: simulated.clone(),
        receiver,
        config_path,
        data_dir: dir.clone(),
    };
    let console = console_of(local, dynamodb.clone(), guard.clone(), journal.clone());
    let router = router(&app, console, guard, journal, options.cors_origins);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let ended = stopped(&stop);
    tasks.push(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(ended).await {
            tracing::error!("the console ended: {error}");
        }
    }));
    let stream = Stream::open(database, TABLE).map_err(StartError::Tables)?;
    tasks.push(tokio::spawn(stream::feed(app.clone(), stream, stopped(&stop))));
    if let Some(queues) = queues {
        tasks.push(tokio::spawn(queues::feed(app.clone(), queues, stopped(&stop))));
    }
    tasks.push(tokio::spawn(stream::schedule(app.clone(), options.schedule, stopped(&stop))));
    tasks.reverse();
    let config_now = app.config().await;
    let merchants = config_now.merchant_ids().into_iter().map(str::to_owned).collect();
    let types = console::kinds_of(&config_now);
    let found = Address { url: base_url.clone(), dynamodb: tables_url, key: demo_key.clone(), merchants, types };
    found.write(&dir).map_err(file(dir.clone()))?;
    Ok(Running { base_url, app, sandbox: simulated, config, demo_key, dynamodb, data_dir: dir, lock, stop, tasks })
}

/// Takes the data folder for this process: two of them would write one file of tables. The lock ends with the process.
fn lock(dir: &std::path::Path) -> Result<std::fs::File, StartError> {
    let path = dir.join("lock");
    let wrong = |error| StartError::File { path: path.clone(), error };
    let file = std::fs::File::options().write(true).create(true).truncate(false).open(&path).map_err(wrong)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let address = Address::read(dir).ok().flatten();
            let at = address.map(|address| format!(", at {}", address.url)).unwrap_or_default();
            Err(StartError::Taken { path: dir.to_owned(), at })
        }
        Err(std::fs::TryLockError::Error(error)) => Err(wrong(error)),
    }
}

/// Where the configuration is, and what the demo brings with it.
struct Configured {
    source: Source,
    config: Value,
    demo_key: Option<String>,
    sandbox: Option<Sandbox>,
}

/// The merchant's own configuration, or the demo's, written anew, with its providers started.
async fn configured(
    options: &Options,
    base_url: &str,
    stop: &watch::Sender<bool>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Result<Configured, StartError> {
    let dir = &options.data_dir;
    if let Some(path) = &options.config {
        return Ok(Configured {
            source: Source::File(path.clone()),
            config: Value::Null,
            demo_key: None,
            sandbox: None,
        });
    }
    let file = |path: PathBuf| move |error| StartError::File { path, error };
    let demo = Demo::open(dir).map_err(file(dir.clone()))?;
    let opened = open_sandbox(&demo, base_url, stop, tasks).await;
    let (sandbox, url) = opened.map_err(|error| StartError::Port { port: 0, error })?;
    let config = demo.config(&url, base_url, &options.js_handlers);
    let written = dir.join("config.json");
    demo::write_private(&written, format!("{config:#}\n").as_bytes()).map_err(file(written.clone()))?;
    Ok(Configured { source: Source::File(written), config, demo_key: Some(demo.key), sandbox: Some(sandbox) })
}

/// The console of this stack: it may do everything, and says where real money can move.
fn console_of(local: Local, dynamodb: Client, guard: Arc<Guard>, journal: Arc<Journal>) -> Console {
    let app = local.app.clone();
    let of = local.config_path.display().to_string();
    Console {
        store: app.store.clone(),
        dynamodb,
        table: TABLE.to_owned(),
        clock: app.clock.clone(),
        calls: Arc::new(InProcess(app)),
        accounts: Vec::new(),
        rights: Rights { write: true, real_money: local.sandbox.is_none(), of },
        guard,
        journal,
        local: Some(local),
        wishes: Default::default(),
        totals: Default::default(),
    }
}

fn router(app: &Arc<App>, console: Console, guard: Arc<Guard>, journal: Arc<Journal>, origins: Vec<String>) -> Router {
    let recorder = Recorder { journal, app: app.clone() };
    let receiver = console.receiver().cloned().map_or_else(Router::new, receiver::router);
    let functions = functions::router(app.clone())
        .layer(from_fn_with_state(recorder, journal::record))
        .layer(from_fn_with_state(Arc::<[String]>::from(origins), guard::cors));
    let console = Arc::new(console);
    let control = console::control(console.clone());
    let pages = console::router(console).layer(from_fn_with_state(guard.clone(), guard::pages));
    functions.merge(receiver).merge(control).merge(pages).layer(from_fn_with_state(guard, guard::host))
}

/// Makes the folder, for its owner alone: it holds orders and keys.
fn make_private(dir: &std::path::Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

async fn open_tables(
    file: &std::path::Path,
    port: u16,
    stop: &watch::Sender<bool>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> Result<(Client, Database, String), StartError> {
    let wrong = |what: String| StartError::Tables(what);
    let path = file.to_str().ok_or_else(|| wrong(format!("{}: not a text", file.display())))?;
    let database = Database::new(path).map_err(|e| wrong(format!("{}: {e}", file.display())))?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|e| wrong(e.to_string()))?;
    let url = format!("http://{}", listener.local_addr().map_err(|e| wrong(e.to_string()))?);
    let (ended, served) = (stopped(stop), database.clone());
    tasks.push(tokio::spawn(async move {
        if let Err(error) = dynoxide::server::serve_with_shutdown(listener, served, ended).await {
            tracing::error!("the tables ended: {error}");
        }
    }));
    let client = dynamo::client(&url);
    dynamo::create_tables(&client, TABLE, "").await.map_err(|e| wrong(e.to_string()))?;
    Ok((client, database, url))
}

async fn open_sandbox(
    demo: &Demo,
    base_url: &str,
    stop: &watch::Sender<bool>,
    tasks: &mut Vec<JoinHandle<()>>,
) -> std::io::Result<(Sandbox, String)> {
    let sandbox = Sandbox::new(sandbox::Options { retry_divisor: RETRY_DIVISOR, ..sandbox::Options::default() });
    for merchant in &demo.merchants {
        sandbox.register(merchant);
        sandbox.set_console_url(&merchant.id, &format!("{base_url}/notify"), &merchant.id);
        sandbox.set_plain_push(&merchant.id, demo::mode_of(&merchant.id).virtual_plain);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let guard = Arc::new(Guard::new(address));
    let router = sandbox.router().layer(from_fn_with_state(guard, guard::host)).layer(from_fn(no_browser));
    let ended = stopped(stop);
    tasks.push(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(ended).await {
            tracing::error!("the sandbox ended: {error}");
        }
    }));
    Ok((sandbox, format!("http://{address}")))
}

/// The sandbox's wire is no place for web pages: what carries an `Origin` is refused.
async fn no_browser(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
    use axum::response::IntoResponse;
    if request.headers().contains_key(axum::http::header::ORIGIN) {
        return axum::http::StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

fn stopped(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

impl Running {
    /// What is printed on start: the console first, then a call that works as it stands.
    pub fn greeting(&self) -> String {
        let base = &self.base_url;
        let kind = match &self.demo_key {
            Some(_) => "demo merchants, simulated providers",
            None => "your configuration; providers are real unless apiBase says otherwise",
        };
        let mut text = format!("Console    {base}\nShop       {base}/demo\nRuns with  {kind}\n");
        if let Some(key) = &self.demo_key {
            let number = format!("curl{}", hex::encode(shared::crypto::random::<4>()));
            let user = demo::USER;
            text.push_str(&format!(
                "\nCreate an order:\n\n  curl -s {base}/create-payment -H 'authorization: Bearer {key}' \
                 -H 'content-type: application/json' -d '{{\"provider\":\"wxpay\",\"data\":{{\
                 \"out_trade_no\":\"{number}\",\"total_fee\":100,\"subject\":\"Recharge\",\"type\":\"recharge\",\
                 \"user_id\":\"{user}\",\"needQRcode\":true}}}}'\n\nand pay it at {base}/sandbox/cashier/{number}\n"
            ));
        }
        text.push_str("\nCtrl-C stops.");
        text
    }

    /// Stops taking requests, lets those that run end, and ends.
    pub async fn stop(self) {
        let Self { stop, tasks, app, dynamodb, data_dir, lock, .. } = self;
        Address::remove(&data_dir);
        let _ = stop.send(true);
        drop((app, dynamodb));
        for task in tasks {
            let ended = task.abort_handle();
            if tokio::time::timeout(PATIENCE, task).await.is_err() {
                ended.abort();
            }
        }
        drop(lock);
    }
}
