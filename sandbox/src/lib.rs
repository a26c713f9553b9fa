//! Seven payment providers, simulated at wire level: WeChat Pay (APIv3, APIv2, virtual payment), Alipay (gateway v2),
//! Apple, VksPay and epay, Douyin, Huawei.
//!
//! The sandbox is the providers' side, written from their public pages and independent of the bundle's own client: it
//! verifies signatures, enforces field rules, keeps a ledger, and sends signed callbacks on the providers' ladders.
//!
//! | module | what |
//! |---|---|
//! | [`keys`](MerchantKeys) | made-up key material, and the configuration that goes with it |
//! | `ledger`, `transfers` | trades and refunds; transfers |
//! | `wechat`, `alipay`, `apple`, `vkspay`, `virtual_pay`, `douyin`, `huawei` | the wire formats |
//! | `bills` | bills of a day |
//! | `callbacks` | the outbox |
//! | `faults` | rules by which it misbehaves |
//! | `forgery` | callbacks as an attacker would write them |
//! | `control` | the same as JSON below `/sandbox/api/` |
//!
//! **Not simulated:** the client certificate that APIv2 demands for refund and reverse. Over plain loopback HTTP there is
//! no TLS to see it in, so `/secapi/…` takes the signature alone.

mod alipay;
mod apple;
mod bills;
mod callbacks;
mod control;
mod crypto;
mod douyin;
mod faults;
mod forgery;
mod huawei;
mod ids;
mod keys;
mod ledger;
mod resplit;
mod server;
mod transfers;
mod virtual_pay;
mod vkspay;
mod wallet;
mod wechat;

pub use bills::BillTamper;
pub use callbacks::{CallbackKind, Delivery, DeliveryState, SignedRequest};
pub use faults::{Endpoint, Fault, Misbehaviour, Op};
pub use forgery::Forgery;
pub use keys::{DouyinProduct, Epay, MerchantKeys, Mode};
pub use ledger::{Provider, Refund, RefundOutcome, RefundState, Trade, TradeState, Wire};
pub use transfers::{Transfer, TransferOutcome, TransferState};
pub use wallet::{ClientPaid, Paid, Pay};

use ledger::{RefundWish, State};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A clock: unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How a sandbox runs.
#[derive(Clone)]
pub struct Options {
    /// The provider's pauses are divided by this: 1 is real, 1000 makes seconds milliseconds.
    pub retry_divisor: u64,
    /// The sandbox's clock; the system's if `None`.
    pub clock: Option<Clock>,
    /// Callbacks are sent by a background task; else only by [`Sandbox::deliver_due`].
    pub auto_deliver: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { retry_divisor: 1, clock: None, auto_deliver: true }
    }
}

/// A wire request that the sandbox received.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LoggedRequest {
    pub at: i64,
    pub provider: Provider,
    pub op: Op,
    pub method: String,
    pub path: String,
    pub number: Option<String>,
    /// The HTTP status that was answered.
    pub status: u16,
    /// `SUCCESS`, or the provider's error code and text.
    pub verdict: String,
    /// The rule that was applied.
    pub fault: Option<Misbehaviour>,
}

/// How many requests [`Sandbox::requests`] remembers.
const LOG_LENGTH: usize = 10_000;

struct Inner {
    options: Options,
    state: Mutex<State>,
    client: OnceLock<reqwest::Client>,
    stranger: OnceLock<crypto::RsaKey>,
    delivering: AtomicBool,
}

/// The simulated providers. A clone is the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Sandbox")
            .field("merchants", &state.merchants.len())
            .field("trades", &state.trades.len())
            .finish_non_exhaustive()
    }
}

impl Sandbox {
    /// An empty sandbox.
    pub fn new(options: Options) -> Self {
        let sandbox = Self {
            inner: Arc::new(Inner {
                options,
                state: Mutex::default(),
                client: OnceLock::new(),
                stranger: OnceLock::new(),
                delivering: AtomicBool::new(false),
            }),
        };
        sandbox.start_delivery();
        sandbox
    }

    /// All wire endpoints, and the control endpoints below `/sandbox/`.
    pub fn router(&self) -> axum::Router {
        self.start_delivery();
        server::router(self.clone())
    }

    /// Adds a merchant, or replaces the one with the same mchid.
    ///
    /// # Panics
    /// If a key in `merchant` cannot be read.
    pub fn register(&self, merchant: &MerchantKeys) {
        let merchant = keys::Merchant::new(merchant).expect("readable keys");
        let mut state = self.state();
        state.merchants.retain(|own| own.keys.mchid != merchant.keys.mchid);
        state.merchants.push(Arc::new(merchant));
    }

    /// What a merchant types into the consoles of providers that take no URL with each order: the base of its
    /// callbacks, and its id in them.
    pub fn set_console_url(&self, keys_id: &str, base: &str, merchant: &str) {
        let url = (base.trim_end_matches('/').to_owned(), merchant.to_owned());
        self.state().consoles.insert(keys_id.to_owned(), url);
    }

    /// Sets a merchant's message push to plain mode, or back to safe mode.
    pub fn set_plain_push(&self, keys_id: &str, plain: bool) {
        let mut state = self.state();
        if plain {
            state.plain_pushes.insert(keys_id.to_owned());
        } else {
            state.plain_pushes.remove(keys_id);
        }
    }

    /// All trades, oldest first.
    pub fn trades(&self) -> Vec<Trade> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        (0..state.trades.len()).map(|at| state.current(at, now).clone()).collect()
    }

    /// The newest trade with this out_trade_no.
    pub fn trade(&self, number: &str) -> Option<Trade> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = *state.all(number).last()?;
        Some(state.current(at, now).clone())
    }

    /// The newest trade with this out_trade_no at this provider.
    pub fn trade_at(&self, provider: Provider, number: &str) -> Option<Trade> {
        self.trades_numbered(number).into_iter().rev().find(|trade| trade.provider == provider)
    }

    /// All trades with this out_trade_no, whoever's, oldest first.
    pub fn trades_numbered(&self, number: &str) -> Vec<Trade> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        state.all(number).to_vec().into_iter().map(|at| state.current(at, now).clone()).collect()
    }

    /// All refunds, in the order of their trades.
    pub fn refunds(&self) -> Vec<Refund> {
        self.trades().into_iter().flat_map(|trade| trade.refunds).collect()
    }

    /// Ends refunds that a rule held in PROCESSING.
    pub fn settle_refund(&self, out_refund_no: &str, outcome: RefundOutcome) {
        let now = self.now();
        let mut state = self.state();
        for (t, r) in state.all_refunds(out_refund_no).to_vec() {
            state.settle(t, r, outcome, now);
        }
    }

    /// A refund in the provider's own console of the newest paid trade with this number: done at once, and nobody is
    /// told. Answers its number, or nothing where there is no such trade or less is left of it.
    pub fn give_back(&self, provider: Option<Provider>, number: &str, amount: u64) -> Option<String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let meant = |t: &Trade| t.paid.is_some() && provider.is_none_or(|own| own == t.provider);
        let at = state.all(number).iter().rev().copied().find(|at| meant(&state.trades[*at]))?;
        let trade = &state.trades[at];
        if trade.refunded() + amount > trade.amount() {
            return None;
        }
        let notify_url = trade.notify_url.clone();
        let made = format!("{number}_BACK{}", state.trades.iter().map(|trade| trade.refunds.len()).sum::<usize>() + 1);
        let wish = RefundWish { number: made.clone(), id: ids::refund_id(now), amount, notify_url, settles: None };
        let r = state.refund_of(at, wish, now);
        let refund = &mut state.trades[at].refunds[r];
        refund.state = RefundState::Success;
        refund.settled = Some(now);
        Some(made)
    }

    /// All callbacks, oldest first.
    pub fn outbox(&self) -> Vec<Delivery> {
        self.state().outbox.list()
    }

    /// Sends what is due by `now_ms`, one after the other, and says how many sendings that were.
    pub async fn deliver_due(&self, now_ms: i64) -> usize {
        let mut sent = 0;
        while let Some(job) = self.take_job(now_ms) {
            self.perform(job, now_ms).await;
            sent += 1;
        }
        sent
    }

    /// Sends a request as it stands; answers status and body.
    pub async fn send(&self, request: &SignedRequest) -> Result<(u16, String), String> {
        let client = self.inner.client.get_or_init(|| {
            reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
                .expect("an HTTP client")
        });
        let method = request.method.parse().map_err(|_| "bad method".to_owned())?;
        let mut out = client.request(method, &request.url).body(request.body.clone());
        for (name, value) in &request.headers {
            out = out.header(name, value);
        }
        let answer = out.send().await.map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        Ok((status, answer.text().await.map_err(|e| e.to_string())?))
    }

    /// Adds a rule; see [`Misbehaviour`].
    pub fn misbehave(&self, fault: Fault) {
        self.state().rules.push(fault);
    }

    /// Drops all rules.
    pub fn behave(&self) {
        self.state().rules.clear();
    }

    /// The last 10 000 wire requests, oldest first.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state().log.iter().cloned().collect()
    }

    pub(crate) fn log(&self, request: LoggedRequest) {
        let mut state = self.state();
        if state.log.len() == LOG_LENGTH {
            state.log.pop_front();
        }
        state.log.push_back(request);
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unix ms of the sandbox's clock.
    pub(crate) fn now(&self) -> i64 {
        self.inner.options.clock.as_ref().map_or_else(system_ms, |clock| clock())
    }

    /// So many seconds of the provider's, as ms of ours.
    pub(crate) fn scaled_ms(&self, seconds: u64) -> i64 {
        i64::try_from(seconds * 1000 / self.inner.options.retry_divisor.max(1)).unwrap_or(i64::MAX)
    }

    /// A key pair that belongs to nobody.
    pub(crate) fn stranger(&self) -> &crypto::RsaKey {
        self.inner.stranger.get_or_init(crypto::RsaKey::generate)
    }

    /// Starts the background task once there is a runtime; it ends with the last clone of the sandbox.
    pub(crate) fn start_delivery(&self) {
        if !self.inner.options.auto_deliver {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.inner.delivering.swap(true, Ordering::Relaxed) {
            return;
        }
        runtime.spawn(deliver_forever(Arc::downgrade(&self.inner)));
    }
}

async fn deliver_forever(inner: Weak<Inner>) {
    let lanes = Arc::new(tokio::sync::Semaphore::new(64));
    loop {
        let pause = {
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let sandbox = Sandbox { inner };
            let now = sandbox.now();
            while let Ok(lane) = Arc::clone(&lanes).try_acquire_owned() {
                let Some(job) = sandbox.take_job(now) else {
                    break;
                };
                let sandbox = sandbox.clone();
                tokio::spawn(async move {
                    sandbox.perform(job, now).await;
                    drop(lane);
                });
            }
            let due = sandbox.state().next_due().map_or(i64::MAX, |due| due.saturating_sub(sandbox.now()));
            u64::try_from(due.clamp(1, 20)).unwrap_or(20)
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn system_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
