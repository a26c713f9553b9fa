//! `simulate [--seeds N] [--from SEED] [--steps N] [--jobs N] [--faults PERMILLE]`,
//! `simulate --exhaustive [--scope NAME] [--every N] [--jobs N]`,
//! `simulate --load RATE [--minutes N]`, `simulate --hot RATE [--seconds N] [--stock N] [--shards N]`,
//! `simulate --shipping ORDERS [--from SEED] [--faults PERMILLE]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is its purpose")]

use simulator::exhaustive::{self, SCOPES, Scope};
use simulator::hot::{self, Hot};
use simulator::load::{self, Load};
use simulator::shipping;
use simulator::{Plan, run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

/// A run is a million small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut plan = Plan::default();
    let (mut seeds, mut from, mut jobs, mut all_scopes) = (100, 0, 2, false);
    let mut every = 1;
    let (mut rate, mut minutes) = (None, 10);
    let (mut hot, mut seconds, mut stock, mut shards) = (None, 10, None, None);
    let mut shipped = None;
    let mut scopes = SCOPES.to_vec();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--scope" {
            let name = arguments.next().unwrap_or_default();
            scopes.retain(|scope| format!("{scope:?}") == name);
            all_scopes = true;
            continue;
        }
        let mut number = || arguments.next().and_then(|n| n.parse::<u64>().ok());
        let read = match argument.as_str() {
            "--seeds" => number().map(|n| seeds = n),
            "--from" => number().map(|n| from = n),
            "--jobs" => number().map(|n| jobs = n),
            "--every" => number().map(|n| every = n.max(1)),
            "--steps" => number().map(|n| plan.steps = usize::try_from(n).unwrap_or(200)),
            "--faults" => number().map(|n| plan.faults = usize::try_from(n).unwrap_or(40)),
            "--load" => number().map(|n| rate = Some(n.max(1))),
            "--minutes" => number().map(|n| minutes = n),
            "--hot" => number().map(|n| hot = Some(n.max(1))),
            "--seconds" => number().map(|n| seconds = n.max(1)),
            "--stock" => number().map(|n| stock = i64::try_from(n).ok()),
            "--shards" => number().map(|n| shards = i64::try_from(n).ok()),
            "--shipping" => number().map(|n| shipped = usize::try_from(n).ok()),
            "--exhaustive" => {
                all_scopes = true;
                Some(())
            }
            _ => None,
        };
        if read.is_none() {
            eprintln!(
                "simulate [--seeds N] [--from SEED] [--steps N] [--jobs N] [--faults PERMILLE]\n\
                 simulate --exhaustive [--scope NAME] [--every N] [--jobs N]\n\
                 simulate --load RATE [--minutes N]\n\
                 simulate --hot RATE [--seconds N] [--stock N] [--shards N]\n\
                 simulate --shipping ORDERS [--from SEED] [--faults PERMILLE]"
            );
            return ExitCode::from(2);
        }
    }
    if let Some(rate) = rate {
        return sale(Load { rate, minutes });
    }
    if let Some(rate) = hot {
        let enough = i64::try_from(rate * seconds).unwrap_or(i64::MAX);
        let hot = Hot { rate, seconds, stock: stock.unwrap_or(enough), shards: 0 };
        return flash_sale(hot, shards.map_or(vec![0, 8, 16, 32, 64], |shards| vec![shards]));
    }
    if let Some(orders) = shipped {
        return virtual_orders(orders, from, plan.faults);
    }
    let begin = Instant::now();
    let broken = match all_scopes {
        true => at_once(jobs, scopes.iter().copied(), |scope| whole(scope, every)),
        false => at_once(jobs, from..from + seeds, |seed| one(seed, plan)),
    };
    for (what, why) in &broken {
        println!("{what}: {why}");
    }
    let what = if all_scopes { "scopes" } else { "seeds" };
    println!(
        "{} of {what} broke a law; {} {what} of {} steps in {:.1} s",
        broken.len(),
        if all_scopes { scopes.len() as u64 } else { seeds },
        plan.steps,
        begin.elapsed().as_secs_f64()
    );
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Virtual orders of a mini program.
fn virtual_orders(orders: usize, seed: u64, faults: usize) -> ExitCode {
    let begin = Instant::now();
    match shipping::run(orders, seed, faults) {
        Ok(shipped) => {
            println!(
                "{} virtual orders paid; the money of {} is kept, {} were reported twice; {:.1} s",
                shipped.paid,
                shipped.kept,
                shipped.twice,
                begin.elapsed().as_secs_f64()
            );
            if shipped.kept + shipped.twice == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// A sale day.
fn sale(load: Load) -> ExitCode {
    let begin = Instant::now();
    let loaded = match load::run(load) {
        Ok(loaded) => loaded,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    println!("minute  messages ready: providers that are up, the one that is down; overdue in the index");
    for (minute, [up, down, overdue]) in loaded.backlog.iter().enumerate() {
        println!("{:6}  {up:>8} {down:>8} {overdue:>8}", minute + 1);
    }
    let found = &loaded.found;
    let at = |share: usize| found.get((found.len() * share / 100).min(found.len().saturating_sub(1)));
    let seconds = |share: usize| at(share).map_or(0, |ms| ms / 1_000);
    println!(
        "{} orders, {} paid and credited; {} lost callbacks of providers that were up were made good after {} s \
         (median), {} s (95 in 100), {} s (the last)",
        loaded.created,
        loaded.paid,
        found.len(),
        seconds(50),
        seconds(95),
        seconds(100)
    );
    println!(
        "{} provider calls while orders came, {} in all; {:.1} s",
        loaded.calls[0],
        loaded.calls[1],
        begin.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

/// A flash sale, with each of these numbers of shards.
fn flash_sale(hot: Hot, shards: Vec<i64>) -> ExitCode {
    println!(
        "| shards | delivered by the first call | calls again | transactions | conflicts | half within | 99 in 100 within | the last | refused |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for shards in shards {
        let sold = match hot::run(Hot { shards, ..hot }) {
            Ok(sold) => sold,
            Err(why) => {
                println!("{shards} shards: {why}");
                return ExitCode::FAILURE;
            }
        };
        let first = sold.at_once_permille();
        println!(
            "| {shards} | {}.{} % | {} | {} | {} | {} ms | {} ms | {} ms | {} |",
            first / 10,
            first % 10,
            sold.called_again,
            sold.transactions,
            sold.conflicts,
            sold.within(500),
            sold.within(990),
            sold.within(1_000),
            sold.refused
        );
    }
    ExitCode::SUCCESS
}

/// What broke a law, and how.
type Broken = (String, String);

/// Runs things on so many threads; once one has broken a law, no other begins, because the others tell the same.
fn at_once<T>(
    jobs: u64,
    things: impl Iterator<Item = T> + Send,
    run: impl Fn(T) -> Result<(), Broken> + Sync,
) -> Vec<Broken> {
    let (things, broken) = (Mutex::new(things), Mutex::new(Vec::new()));
    let next = || {
        let whole = broken.lock().expect("not poisoned").is_empty();
        if whole { things.lock().expect("not poisoned").next() } else { None }
    };
    std::thread::scope(|threads| {
        for _ in 0..jobs.max(1) {
            threads.spawn(|| {
                while let Some(thing) = next() {
                    if let Err(found) = run(thing) {
                        broken.lock().expect("not poisoned").push(found);
                    }
                }
            });
        }
    });
    broken.into_inner().expect("not poisoned")
}

/// One seed.
fn one(seed: u64, plan: Plan) -> Result<(), Broken> {
    caught(|| run(seed, plan)).map_err(|why| (format!("seed {seed}"), why))
}

/// Orders of things in which each scope runs without a death.
const ORDERS: u64 = 150;

/// What a run of a scope answers; a panic breaks a law too.
fn caught<T>(run: impl FnOnce() -> Result<T, String> + std::panic::UnwindSafe) -> Result<T, String> {
    std::panic::catch_unwind(run).unwrap_or_else(|_| Err("panicked".to_owned()))
}

/// Many orders of things in a scope, and every pair of deaths; or of each only every so many.
fn whole(scope: Scope, every: u64) -> Result<(), Broken> {
    let step = usize::try_from(every).unwrap_or(1);
    let (mut runs, mut first) = (0, 0);
    for seed in (0..ORDERS).step_by(step) {
        runs += 1;
        caught(|| exhaustive::run_in_order(scope, seed)).map_err(|why| (format!("{scope:?}, order {seed}"), why))?;
    }
    loop {
        let mut ended = [false, false];
        let mut second = 0;
        while !ended[1] {
            runs += 1;
            ended = caught(|| exhaustive::run(scope, 1, first, second))
                .map_err(|why| (format!("{scope:?}, deaths at {first} and {second}"), why))?;
            second += step;
        }
        if ended[0] {
            break;
        }
        first += step;
    }
    println!("{scope:?}: {runs} runs");
    Ok(())
}
