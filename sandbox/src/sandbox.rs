//! The sandbox as everybody in it knows it: its clock, its books, its keys.

use crate::authorizations::{Authorization, AuthorizationOutcome};
use crate::bills::BillTamper;
use crate::complaints::{Complaint, ComplaintWish};
use crate::crypto::RsaKey;
use crate::faults::{Fault, Misbehaviour};
use crate::ids;
use crate::ledger::{Refund, RefundOutcome, RefundState, RefundWish, Trade};
use crate::merchant::Merchant;
use crate::outbox::{Delivery, ShippingEvent, SignedRequest};
use crate::profile::Profiles;
use crate::provider::Provider;
use crate::state::State;
use crate::transfers::{Transfer, TransferOutcome, TransferState};
use crate::wire::LoggedRequest;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
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

/// How many requests [`Sandbox::requests`] remembers.
const LOG_LENGTH: usize = 10_000;

pub(crate) struct Inner {
    options: Options,
    state: Mutex<State>,
    client: OnceLock<reqwest::Client>,
    stranger: OnceLock<RsaKey>,
    delivering: AtomicBool,
}

/// The simulated providers. A clone is the same sandbox.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
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
    /// A sandbox without merchants; nothing is delivered by itself yet.
    pub(crate) fn empty(options: Options, profiles: Profiles) -> Self {
        Self {
            inner: Arc::new(Inner {
                options,
                state: Mutex::new(State::new(profiles)),
                client: OnceLock::new(),
                stranger: OnceLock::new(),
                delivering: AtomicBool::new(false),
            }),
        }
    }

    /// Adds a merchant, or replaces the one that is the same at `provider`.
    pub(crate) fn add_merchant(&self, merchant: Merchant, provider: Provider) {
        let mut state = self.state();
        state.merchants.retain(|own| own.id_at(provider) != merchant.id_at(provider));
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
        (0..state.trades.len())
            .map(|at| {
                state.settle_sharing(at, now);
                state.current(at, now).clone()
            })
            .collect()
    }

    /// The newest trade with this out_trade_no.
    pub fn trade(&self, number: &str) -> Option<Trade> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = *state.all(number).last()?;
        state.settle_sharing(at, now);
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

    /// What a merchant has at a provider, fen: what was paid, less what went back and out. Never below nothing.
    pub fn balance_of(&self, provider: Provider, merchant: &str) -> u64 {
        let own = |trade: &Trade| trade.provider == provider && trade.merchant == merchant && trade.paid.is_some();
        let paid: u64 = self.trades().iter().filter(|trade| own(trade)).map(|t| t.amount() - t.returned()).sum();
        let gone = |transfer: &&Transfer| {
            let out =
                !matches!(transfer.state, TransferState::Fail | TransferState::Cancelled | TransferState::Returned);
            transfer.provider == provider && transfer.merchant == merchant && out
        };
        let out: u64 = self.state().transfers.iter().filter(gone).map(|transfer| transfer.amount).sum();
        paid.saturating_sub(out)
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

    /// Sends a request as it stands; answers status and body.
    ///
    /// # Errors
    /// That there was no answer.
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

    /// The rules that are in force, oldest first, each with how often it still applies.
    pub fn rules(&self) -> Vec<Fault> {
        self.state().rules.all().to_vec()
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

    /// When a refund that was just taken settles by itself, if no rule holds it.
    pub(crate) fn settles(&self, fault: Option<Misbehaviour>, now: i64) -> Option<i64> {
        (fault != Some(Misbehaviour::HoldRefund)).then(|| now + self.scaled_ms(1))
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// True for the first who asks: callbacks are delivered by one task.
    pub(crate) fn begins_delivering(&self) -> bool {
        !self.inner.delivering.swap(true, Ordering::Relaxed)
    }

    /// A key pair that belongs to nobody.
    pub(crate) fn stranger(&self) -> &RsaKey {
        self.inner.stranger.get_or_init(RsaKey::generate)
    }
}

impl Sandbox {
    /// Ends all access tokens of mini programs; who asks for one gets another.
    pub fn end_tokens(&self) {
        self.state().token_generation += 1;
    }

    /// A payment is known to who takes reports of shipping so many seconds after it was made: 10, where nothing is said.
    pub fn know_payments_after(&self, seconds: u64) {
        self.state().known_after = seconds;
    }

    /// The most of a payment that others may be given, in per cent: 30, where nothing is said.
    pub fn share_at_most(&self, percent: u64) {
        self.state().share_ratio = percent;
    }

    /// Shares to this account fail from now on, for this reason; or no longer.
    pub fn fail_shares_to(&self, account: &str, why: Option<&str>) {
        let mut state = self.state();
        match why {
            Some(why) => drop(state.failing_shares.insert(account.to_owned(), why.to_owned())),
            None => drop(state.failing_shares.remove(account)),
        }
    }

    /// Returns by this account fail from now on, for this reason; or no longer.
    pub fn fail_returns_by(&self, account: &str, why: Option<&str>) {
        let mut state = self.state();
        match why {
            Some(why) => drop(state.failing_returns.insert(account.to_owned(), why.to_owned())),
            None => drop(state.failing_returns.remove(account)),
        }
    }

    /// Whether shares and returns stay under way until this is said otherwise.
    pub fn hold_sharing(&self, hold: bool) {
        self.state().sharing_held = hold;
    }

    /// Lets an account be given shares by a merchant, as `receivers/add` does.
    pub fn let_share(&self, mchid: &str, kind: &str, account: &str) {
        self.state().receivers.insert((mchid.to_owned(), kind.to_owned(), account.to_owned()));
    }

    /// Who may be given shares: merchant, type, account.
    pub fn receivers(&self) -> Vec<(String, String, String)> {
        self.state().receivers.iter().cloned().collect()
    }

    /// The payer of the newest trade with this number confirms that what was shipped has come.
    ///
    /// # Errors
    /// That nothing is shipped.
    pub fn receive(&self, number: &str) -> Result<(), String> {
        self.shipped(number, State::receive)
    }

    /// Pays out the money of the newest trade with this number, and tells its merchant.
    ///
    /// # Errors
    /// That nothing is shipped.
    pub fn settle_shipping(&self, number: &str) -> Result<(), String> {
        self.shipped(number, State::settle_shipping)
    }

    /// Queues a push about the shipping of the newest trade with this number.
    ///
    /// # Errors
    /// That there is no such trade whose money is kept.
    pub fn push_shipping(&self, number: &str, event: ShippingEvent) -> Result<(), String> {
        self.shipped(number, |state, at, now| {
            state.tell_shipping(at, event, now);
            Ok(())
        })
    }

    fn shipped(
        &self,
        number: &str,
        what: impl FnOnce(&mut State, usize, i64) -> Result<(), String>,
    ) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let kept = |at: &usize| state.trades[*at].shipment.is_some() && state.trades[*at].paid.is_some();
        let at = state.all(number).iter().rev().copied().find(kept);
        what(&mut state, at.ok_or_else(|| format!("no money of {number} is kept"))?, now)
    }

    /// The payer of the newest paid trade with this number complains of it. Answers the complaint's id.
    ///
    /// # Errors
    /// That there is no such payment.
    pub fn complain(&self, number: &str, wish: &ComplaintWish) -> Result<String, String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = state.all(number).iter().rev().copied().find(|at| state.trades[*at].paid.is_some());
        state.complain(at.ok_or_else(|| format!("no payment {number}"))?, wish, now)
    }

    /// The payer says more about a complaint; one that is done with is gone on with.
    ///
    /// # Errors
    /// That there is no such complaint.
    pub fn complain_more(&self, id: &str, text: &str) -> Result<(), String> {
        let now = self.now();
        self.state().complain_more(id, text, now)
    }

    /// All complaints, oldest first.
    pub fn complaints(&self) -> Vec<Complaint> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        state.complaints.clone()
    }

    /// A complaint by its id.
    pub fn complaint(&self, id: &str) -> Option<Complaint> {
        self.complaints().into_iter().find(|own| own.id == id)
    }

    /// All transfers, oldest first.
    pub fn transfers(&self) -> Vec<Transfer> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        state.transfers.clone()
    }

    /// The newest transfer with this number.
    pub fn transfer(&self, number: &str) -> Option<Transfer> {
        self.transfers().into_iter().rev().find(|transfer| transfer.number == number)
    }

    /// All authorisations of payees, oldest first.
    pub fn authorizations(&self) -> Vec<Authorization> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        state.authorizations.clone()
    }

    /// The newest authorisation with this number.
    pub fn authorization(&self, number: &str) -> Option<Authorization> {
        self.authorizations().into_iter().rev().find(|authorization| authorization.number == number)
    }

    /// What the payee does with the newest authorisation of this number.
    ///
    /// # Errors
    /// When there is none, or it is not so that this can be done.
    pub fn settle_authorization(&self, number: &str, outcome: AuthorizationOutcome) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = state.authorizations.iter().rposition(|authorization| authorization.number == number);
        let at = at.ok_or_else(|| format!("no authorisation {number}"))?;
        state.settle_authorization(at, outcome, now)
    }

    /// The payee of WeChat Pay's confirms: the transfer succeeds, and its callback is queued.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    pub fn confirm_transfer(&self, number: &str) -> Result<(), String> {
        self.settle_transfer(number, &TransferOutcome::Success)
    }

    /// Ends the newest transfer with this number.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    pub fn settle_transfer(&self, number: &str, outcome: &TransferOutcome) -> Result<(), String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let at = state.transfers.iter().rposition(|transfer| transfer.number == number);
        let at = at.ok_or_else(|| format!("no transfer {number}"))?;
        state.settle_transfer(at, outcome, now)
    }
}

impl Sandbox {
    /// Spoils a provider's bills from now on; see [`BillTamper`].
    pub fn spoil_bill(&self, provider: Provider, how: BillTamper) {
        self.state().bills.tampers.push((provider, how));
    }

    /// Bills are right again.
    pub fn mend_bills(&self) {
        self.state().bills.tampers.clear();
    }
}

fn system_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX)
}
