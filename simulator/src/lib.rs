//! A deterministic simulator that tries to break the bundle: one seed is one run.
//!
//! The functions' own code runs in this process against the embedded DynamoDB and the sandbox, in virtual time.
//! Things happen at random and at once; the table throttles, conflicts and loses answers; providers break
//! before or after they acted; processes die at any await. Then the weather clears, everything that is under
//! way may end, and the laws are checked against the sandbox's ledgers.

mod authorizations;
pub mod chance;
mod choice;
mod complaints;
pub mod exhaustive;
pub mod hot;
pub mod laws;
pub mod load;
pub mod ops;
pub mod sharing;
pub mod shipping;
pub mod stores;
pub mod wires;
pub mod world;

use chance::chance;
use complaints::Complaining;
use futures::future::join_all;
use laws::Seen;
use ops::{Luck, Step};
use sandbox::{CallbackKind, RefundOutcome, TransferOutcome};
use serde_json::json;
use shared::domain::UnixMs;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;
use world::World;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Operations.
    pub steps: usize,
    /// Faults per thousand exchanges.
    pub faults: usize,
    /// Deaths per thousand operations.
    pub deaths: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { steps: 200, faults: 40, deaths: 60 }
    }
}

/// A future that dies after so many polls.
struct Mortal<F> {
    inner: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future<Output = ()>> Mortal<F> {
    fn new(inner: F, polls: usize) -> Self {
        Self { inner: Some(Box::pin(inner)), polls }
    }
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.polls == 0 {
            self.inner = None;
        }
        self.polls = self.polls.saturating_sub(1);
        match &mut self.inner {
            Some(inner) => inner.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// Unoptimised, a run is deeper than the 2 MiB of an ordinary thread.
const STACK: usize = 16 << 20;

/// Runs a future on a thread and a runtime of its own whose time is virtual.
pub fn virtually<T: Send, F: Future<Output = T>>(future: impl FnOnce() -> F + Send) -> T {
    let whole = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(future())
    };
    std::thread::scope(|threads| {
        let run = std::thread::Builder::new().stack_size(STACK).spawn_scoped(threads, whole).expect("a thread");
        run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// One run of a seed.
///
/// # Errors
/// The law that was broken, and by what.
pub fn run(seed: u64, plan: Plan) -> Result<(), String> {
    virtually(|| async {
        let world = World::new(seed, plan.faults).await;
        let mut seen = Seen::default();
        let mut left = plan.steps;
        while left > 0 {
            let at_once = chance(|c| c.below(6)).min(left - 1) + 1;
            left -= at_once;
            let steps: Vec<Step> = (0..at_once).map(|_| Step::any(&world)).collect();
            if std::env::var_os("SIMULATE_TRACE").is_some() {
                eprintln!("{} {steps:?}", world.now());
            }
            let lives = steps.into_iter().map(|step| {
                let polls = match chance(|c| c.permille(plan.deaths)) {
                    true => chance(|c| c.below(40)),
                    false => usize::MAX,
                };
                Mortal::new(step.run(&world), polls)
            });
            join_all(lives).await;
            laws::always(&world, &mut seen)?;
            if chance(|c| c.permille(125)) {
                laws::credited_once(&world)?;
            }
            tokio::time::advance(pause()).await;
        }
        heal(&world).await;
        let held = laws::always(&world, &mut seen)
            .and_then(|()| laws::credited_once(&world))
            .and_then(|()| laws::quiet(&world));
        if held.is_err() && std::env::var_os("SIMULATE_TRACE").is_some() {
            for item in world.items(world::TABLE) {
                eprintln!("{item}");
            }
            for trade in world.sandbox.trades() {
                eprintln!("{trade:?}");
            }
        }
        held
    })
}

/// Time between two moments: mostly seconds, now and then hours.
fn pause() -> Duration {
    let ms = chance(|c| match c.below(20) {
        0..=9 => c.below(2_000),
        10..=16 => c.below(20_000),
        17 | 18 => c.below(600_000),
        _ => c.below(3 * 3_600_000),
    });
    Duration::from_millis(ms as u64)
}

/// Alipay tells of what its console did. What was not taken.
async fn tell_elsewhere(world: &World, made: Vec<(String, usize)>) -> Vec<(String, usize)> {
    let mut still = Vec::new();
    for (number, place) in made {
        let callback = world.sandbox.callback_of_refund(sandbox::Provider::Alipay, &number, place);
        let callback = callback.expect("a refund of the console");
        if !(200..300).contains(&world.notify(&callback).await.status) {
            still.push((number, place));
        }
    }
    still
}

/// Providers tell of payments. What was not taken.
async fn tell(world: &World, payments: Vec<(sandbox::Provider, String)>) -> Vec<(sandbox::Provider, String)> {
    let mut still = Vec::new();
    for (provider, number) in payments {
        // WeChat Pay tells nobody of pay codes.
        let Ok(callback) = world.sandbox.callback_of(Some(provider), &number, CallbackKind::Payment) else { continue };
        let answer = world.notify(&callback).await;
        if !(200..300).contains(&answer.status) {
            if std::env::var_os("SIMULATE_TRACE").is_some() {
                eprintln!("{} {number} is not taken: {answer:?}", world.now());
            }
            still.push((provider, number));
        }
    }
    still
}

/// The weather clears: faults end, the receiver is up, refunds end, the stream and the schedule run until
/// nothing is left to do.
pub async fn heal(world: &World) {
    world.weather.clear();
    world.sandbox.behave();
    for (_, account) in sharing::RECEIVERS.into_iter().chain(sharing::ALIPAY_RECEIVERS) {
        world.sandbox.fail_shares_to(account, None);
        world.sandbox.fail_returns_by(account, None);
    }
    world.receiver.down.store(false, Ordering::Relaxed);
    world.goods(true);
    // What no query finds is told of until it is taken; whether the rest is told of too differs.
    let all = !world.silent && chance(|c| c.permille(500));
    let paid = world.sandbox.trades().into_iter().filter(|trade| trade.paid.is_some() && !stores::sold(trade));
    let told = paid.filter(|trade| all || world.no_query_finds(trade.provider, &trade.number));
    let mut untold: Vec<(sandbox::Provider, String)> = told.map(|trade| (trade.provider, trade.number)).collect();
    // Nobody asks for what was given back in a console: its provider tells until that is taken.
    let backs = world.sandbox.refunds().into_iter().filter(|refund| refund.out_refund_no.contains("_BACK"));
    let mut backs: Vec<String> = backs.map(|refund| refund.out_refund_no).collect();
    // What a console did is found by no query either; Alipay tells until it is taken.
    let mut elsewhere = world.elsewhere.lock().expect("not poisoned").clone();
    // A store tells until that is taken, or the client brings the proof.
    let mut sold = stores::untold(world);
    for round in 0..600 {
        for card in ops::stuck(world) {
            card.run(world).await;
        }
        for refund in world.sandbox.refunds().into_iter().filter(|refund| refund.settled.is_none()) {
            world.sandbox.settle_refund(&refund.out_refund_no, RefundOutcome::Success);
        }
        for transfer in world.sandbox.transfers().into_iter().filter(|transfer| transfer.ended.is_none()) {
            let _ = world.sandbox.settle_transfer(&transfer.number, &TransferOutcome::Success);
        }
        authorizations::end(world).await;
        elsewhere = tell_elsewhere(world, elsewhere).await;
        untold = tell(world, untold).await;
        let mut still = Vec::new();
        for sale in sold {
            if !stores::tell(world, sale).await {
                still.push(sale);
            }
        }
        sold = still;
        let mut still = Vec::new();
        for number in backs {
            if !ops::told_of_refund(world, &number).await {
                still.push(number);
            }
        }
        backs = still;
        Step::Dispatch(usize::MAX, false).run(world).await;
        let event = json!({ "time": ops::rfc3339(world.now()) });
        reconcile::handle(&world.app, &event).await.expect("a run in fair weather");
        Step::Work(Luck::Good).run(world).await;
        if world.complains {
            Step::Complaint(Complaining::Look).run(world).await;
        }
        world.collect_records();
        let items = world.items(world::TABLE);
        let due = items.iter().filter(|item| !item["due_shard"].is_null() && !laws::is_untold(item));
        let asked = world.queues.as_ref().and_then(|queues| queues.next());
        let next = due.filter_map(|item| item["due"].as_i64()).chain(asked.map(UnixMs::get)).min();
        let records = !world.records.lock().expect("not poisoned").is_empty();
        match next {
            None if !records && untold.is_empty() && backs.is_empty() && elsewhere.is_empty() && sold.is_empty() => {
                return;
            }
            next => {
                // A provider tells for a day; a certificate that came without notice is trusted after half of one.
                let told = untold.is_empty() && backs.is_empty() && sold.is_empty();
                // What is left after a while is watched for days: it is looked at together.
                let least = match (told, round) {
                    (true, 0..12) => 15_000,
                    (false, 0..12) => 1_800_000,
                    (_, _) => 14_400_000,
                };
                let wait = next.unwrap_or_default().saturating_sub(world.now()).max(least);
                tokio::time::advance(Duration::from_millis(wait.unsigned_abs())).await;
            }
        }
    }
}
