//! What a function holds for its lifetime: configuration, table, providers, clock.

use crate::api::Origin;
use crate::jwks::Jwks;
use crate::merchants::Directory;
use crate::queues::Sqs;
use config::{Checked, Fault, Source};
use crypto::hash;
use domain::UnixMs;
use payments::{Context, Handlers, Message, Queues};
use providers::{Config, Merchant, ProviderClients, TokenCache};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::sync::Mutex;

/// How long a callback may wait for a new configuration before it goes on with the last good one.
const REFRESH: Duration = Duration::from_secs(2);

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMs + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMs::EPOCH + now
    })
}

struct Loaded {
    config: Arc<Config>,
    /// Digest of the last document that was looked at, right or faulty.
    digest: String,
    /// What is wrong with what was looked at last; logged when it changes, not at each look.
    faults: Vec<String>,
    /// A document that names key files is read again even when its text is the same.
    has_files: bool,
    checked_at: UnixMs,
}

/// One function's lifetime.
pub struct App {
    source: Source,
    ttl: Duration,
    loaded: Mutex<Loaded>,
    /// The table.
    pub store: Store,
    /// What the providers keep.
    pub clients: ProviderClients,
    /// The clock.
    pub clock: Clock,
    merchants: Directory,
    pub(crate) jwks: Jwks,
    pub(crate) origin: Option<Origin>,
    handlers: Box<dyn Handlers>,
    notify_base: Option<String>,
    dead_letters: Option<String>,
    queues: Option<Arc<dyn Queues>>,
    event_bus: Option<String>,
}

/// What a function is started with.
pub struct Settings {
    /// Where the configuration is.
    pub source: Source,
    /// For how long a checked configuration is used before it is looked at again, seconds.
    pub config_ttl: u64,
    /// Where callbacks go when the configuration does not say.
    pub notify_base: Option<String>,
    /// The queue that is told of deliveries that are given up: its URL.
    pub dead_letters: Option<String>,
    /// The queues of work; without them the schedule does it all.
    pub queues: Option<Arc<dyn Queues>>,
}

impl App {
    /// An app on a store.
    ///
    /// # Errors
    /// All faults of the configuration.
    pub async fn new(
        settings: Settings,
        store: Store,
        handlers: Box<dyn Handlers>,
        clock: Clock,
    ) -> Result<Self, Vec<Fault>> {
        let unreadable = |e: config::SourceError| vec![Fault { path: "PAY_CONFIG".to_owned(), what: e.to_string() }];
        let clients =
            ProviderClients { tokens: TokenCache::new(Box::new(store.clone())), ..ProviderClients::default() };
        let text = settings.source.fetch(&clients.http).await.map_err(unreadable)?;
        let (config, remarks) = check(&text, settings.source.base(), &*handlers, clock()).into_result()?;
        for remark in remarks {
            tracing::warn!("{remark}");
        }
        let loaded = Loaded {
            config: Arc::new(config),
            digest: hash::sha256_hex(text.as_bytes()),
            faults: Vec::new(),
            has_files: text.contains("Path\""),
            checked_at: clock(),
        };
        Ok(Self {
            source: settings.source,
            ttl: Duration::from_secs(settings.config_ttl),
            loaded: Mutex::new(loaded),
            store,
            clients,
            merchants: Directory::new(Duration::from_secs(settings.config_ttl), clock.clone()),
            clock,
            jwks: Jwks::default(),
            origin: None,
            handlers,
            notify_base: settings.notify_base.map(|url| url.trim_end_matches('/').to_owned()),
            dead_letters: settings.dead_letters,
            queues: settings.queues,
            event_bus: None,
        })
    }

    /// The same app behind CloudFront: its doors let in only what shows one of these secrets.
    #[must_use]
    pub fn behind(mut self, origin: Option<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// The same app that announces what happens on a bus of EventBridge, by its name or ARN.
    #[must_use]
    pub fn announcing_on(mut self, event_bus: Option<String>) -> Self {
        self.event_bus = event_bus;
        self
    }

    /// The bus that is told of what happens, if there is one.
    pub fn event_bus(&self) -> Option<&str> {
        self.event_bus.as_deref()
    }

    /// The configuration as it is now: looked at again when its time is over, the last good one when the
    /// new one is unreadable or faulty.
    pub async fn config(&self) -> Arc<Config> {
        let mut loaded = self.loaded.lock().await;
        let now = (self.clock)();
        if now < loaded.checked_at + self.ttl {
            return loaded.config.clone();
        }
        loaded.checked_at = now;
        let fetched = match tokio::time::timeout(REFRESH, self.source.fetch(&self.clients.http)).await {
            Ok(fetched) => fetched.map_err(|error| error.to_string()),
            Err(_) => Err("PAY_CONFIG: cannot be read in time".to_owned()),
        };
        let faults = match fetched {
            Err(error) => {
                loaded.digest.clear();
                vec![error]
            }
            Ok(text) => {
                let digest = hash::sha256_hex(text.as_bytes());
                let changed = digest != loaded.digest;
                if !changed && !loaded.has_files {
                    return loaded.config.clone();
                }
                loaded.digest = digest;
                match check(&text, self.source.base(), &*self.handlers, now).into_result() {
                    Ok((config, remarks)) => {
                        loaded.config = Arc::new(config);
                        loaded.has_files = text.contains("Path\"");
                        if changed {
                            for remark in remarks {
                                tracing::warn!("{remark}");
                            }
                            tracing::info!("the configuration was changed and is in use");
                        }
                        Vec::new()
                    }
                    Err(faults) => {
                        if changed {
                            loaded.faults.clear();
                        }
                        faults.iter().map(ToString::to_string).collect()
                    }
                }
            }
        };
        if faults != loaded.faults {
            for fault in &faults {
                tracing::error!("{fault}; the last good configuration stays");
            }
            loaded.faults = faults;
        }
        loaded.config.clone()
    }

    /// Puts messages into their queues; says how many could not be, all of them where there are no queues.
    pub async fn send(&self, messages: Vec<Message>) -> usize {
        match &self.queues {
            Some(queues) => queues.send(messages).await,
            None => messages.len(),
        }
    }

    /// Hides a message that was received, by its queue's ARN and its receipt, for so long from now.
    pub async fn hide(&self, queue: &str, receipt: &str, time: Duration) {
        if let Some(queues) = &self.queues {
            queues.hide(queue, receipt, time).await;
        }
    }

    /// What a use case works with, for a request that begins with this configuration.
    pub fn context(&self, config: Arc<Config>) -> Context<'_> {
        Context {
            config,
            merchants: &self.merchants,
            store: &self.store,
            clients: &self.clients,
            handlers: &*self.handlers,
            clock: &*self.clock,
            notify_base: self.notify_base.as_deref(),
            dead_letters: self.dead_letters.as_deref(),
            queues: self.queues.as_deref(),
            began: tokio::time::Instant::now(),
        }
    }

    /// Starts a function from its environment. A fault is logged, reported to the Lambda runtime, and ends
    /// the process: it never asks for work.
    pub async fn from_env(handlers: Box<dyn Handlers>) -> Self {
        let usual = tracing_subscriber::filter::Targets::new().with_default(tracing::Level::INFO);
        let namespace = std::env::var("PAY_METRICS").ok().filter(|name| !name.is_empty());
        telemetry::start(usual, telemetry::json(std::io::stdout, namespace));
        match Self::started(handlers).await {
            Ok(app) => app,
            Err(faults) => {
                for fault in &faults {
                    tracing::error!("{fault}");
                }
                report(&faults).await;
                std::process::exit(1)
            }
        }
    }

    /// An app by the environment. The connection to the table is opened meanwhile, and is waited for only where no event
    /// waits.
    async fn started(handlers: Box<dyn Handlers>) -> Result<Self, Vec<Fault>> {
        let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let fault = |path: &str, what: String| vec![Fault { path: path.to_owned(), what }];
        let text = variable("PAY_CONFIG").ok_or_else(|| fault("PAY_CONFIG", "is missing".to_owned()))?;
        let source = Source::parse(&text).map_err(|e| fault("PAY_CONFIG", e.to_string()))?;
        let config_ttl = match variable("PAY_CONFIG_TTL") {
            None => 300,
            Some(text) => {
                text.parse().map_err(|_| fault("PAY_CONFIG_TTL", "must be a whole number of seconds".to_owned()))?
            }
        };
        let due_shards = match variable("PAY_DUE_SHARDS").map(|text| text.parse()) {
            None => store::SHARDS,
            Some(Ok(count)) if (1..=store::MOST_DUE_SHARDS).contains(&count) => count,
            Some(_) => return Err(fault("PAY_DUE_SHARDS", "must be a whole number, 1 to 128".to_owned())),
        };
        // Not by `variable`: a blank secret must not mean that there is none.
        let origin = std::env::var("PAY_ORIGIN_SECRET").ok().map(|text| Origin::parse(&text)).transpose();
        let origin = origin.map_err(|what| fault("PAY_ORIGIN_SECRET", what))?;
        let client = store::client::dynamodb_from_env().map_err(|name| fault(name, "is not set".to_owned()))?;
        let store = Store::new(
            client,
            variable("PAY_TABLE").unwrap_or_else(|| "vk-pay-orders".to_owned()),
            variable("PAY_TABLE_PREFIX").unwrap_or_default(),
        )
        .with_due_shards(due_shards);
        let settings = Settings {
            source,
            config_ttl,
            notify_base: variable("PAY_NOTIFY_URL"),
            dead_letters: variable("PAY_DEAD_LETTER_QUEUE"),
            queues: variable("PAY_QUEUES")
                .map(|prefix| Arc::new(Sqs::new(prefix, variable("PAY_TRANSFERS_QUEUE"))) as Arc<dyn Queues>),
        };
        let warm = tokio::spawn({
            let store = store.clone();
            async move { store.warm().await }
        });
        // The connection is on its way while the configuration is read.
        tokio::task::yield_now().await;
        let app = Self::new(settings, store, handlers, system_clock()).await?.behind(origin);
        let app = app.announcing_on(variable("PAY_EVENT_BUS"));
        if let Some(release) = variable("PAY_RELEASE") {
            tracing::info!(release, "started");
        }
        if !event_waits() {
            // It fails only if it was cancelled; then the first request opens the connection.
            let _ = warm.await;
        }
        Ok(app)
    }
}

/// Whether an event waits for this start, so that what is not ready yet is better finished while the event is taken.
/// An environment that is made beforehand is frozen as soon as it asks for work, and has to be ready by then.
fn event_waits() -> bool {
    std::env::var("AWS_LAMBDA_INITIALIZATION_TYPE").is_ok_and(|kind| kind == "on-demand")
}

/// Checks a configuration whole, as of a time. It must not name a type that a Rust handler has already, unless it says
/// that it replaces that.
pub fn check(text: &str, base: &std::path::Path, handlers: &dyn Handlers, now: UnixMs) -> Checked<Merchant> {
    Checked::of(text, base, now, &|kind| handlers.knows(kind))
}

/// Tells the Lambda runtime why the start failed.
async fn report(faults: &[Fault]) {
    let Ok(runtime) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let message = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let body = serde_json::json!({"errorMessage": message, "errorType": "PayConfig"}).to_string();
    let url = format!("http://{runtime}/2018-06-01/runtime/init/error");
    let request = net::provider_http::Request {
        method: http::Method::POST,
        url: &url,
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-function-error-type", "PayConfig".to_owned()),
        ],
        body: body.into_bytes(),
        identity: None,
    };
    if let Err(error) = net::provider_http::Http::default().send(request).await {
        tracing::error!("the runtime cannot be notified: {error}");
    }
}
