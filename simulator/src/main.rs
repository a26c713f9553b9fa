//! `simulate [--seeds N] [--from SEED] [--steps N] [--jobs N] [--faults PERMILLE] [--exhaustive]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is its purpose")]

use simulator::exhaustive::{self, SCOPES, Scope};
use simulator::{Plan, run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

/// A run is a million small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut plan = Plan::default();
    let (mut seeds, mut from, mut jobs, mut all_scopes) = (100, 0, 2, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse::<u64>().ok());
        let read = match argument.as_str() {
            "--seeds" => number().map(|n| seeds = n),
            "--from" => number().map(|n| from = n),
            "--jobs" => number().map(|n| jobs = n),
            "--steps" => number().map(|n| plan.steps = usize::try_from(n).unwrap_or(200)),
            "--faults" => number().map(|n| plan.faults = usize::try_from(n).unwrap_or(40)),
            "--exhaustive" => {
                all_scopes = true;
                Some(())
            }
            _ => None,
        };
        if read.is_none() {
            eprintln!("simulate [--seeds N] [--from SEED] [--steps N] [--jobs N] [--faults PERMILLE] [--exhaustive]");
            return ExitCode::from(2);
        }
    }
    let begin = Instant::now();
    let broken = if all_scopes { scopes(jobs) } else { all(from, seeds, jobs, plan) };
    for (what, why) in &broken {
        println!("{what}: {why}");
    }
    let what = if all_scopes { "scopes" } else { "seeds" };
    println!(
        "{} of {what} broke a law; {} {what} of {} steps in {:.1} s",
        broken.len(),
        if all_scopes { SCOPES.len() as u64 } else { seeds },
        plan.steps,
        begin.elapsed().as_secs_f64()
    );
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Every seed; stops at the first that breaks a law, because the others tell the same.
fn all(from: u64, seeds: u64, jobs: u64, plan: Plan) -> Vec<(String, String)> {
    let (next, broken) = (AtomicU64::new(from), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds || !broken.lock().expect("not poisoned").is_empty() {
                        return;
                    }
                    let result = std::panic::catch_unwind(|| run(seed, plan));
                    let why = match result {
                        Ok(Ok(())) => continue,
                        Ok(Err(why)) => why,
                        Err(_) => "panicked".to_owned(),
                    };
                    broken.lock().expect("not poisoned").push((format!("seed {seed}"), why));
                }
            });
        }
    });
    broken.into_inner().expect("not poisoned")
}

/// Orders of things in which each scope runs without a death.
const ORDERS: u64 = 150;

/// Every scope, whole; stops at the first that breaks a law.
fn scopes(jobs: u64) -> Vec<(String, String)> {
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..jobs.max(1) {
            threads.spawn(|| {
                while let Some(scope) = SCOPES.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match whole(*scope) {
                        Ok(runs) => println!("{scope:?}: {runs} runs"),
                        Err(found) => {
                            broken.lock().expect("not poisoned").push(found);
                            return;
                        }
                    }
                }
            });
        }
    });
    broken.into_inner().expect("not poisoned")
}

/// Every pair of deaths in a scope, and many orders of things; how many runs that were.
fn whole(scope: Scope) -> Result<u64, (String, String)> {
    let (mut runs, mut first) = (0, 0);
    loop {
        let mut ended = [false, false];
        let mut second = 0;
        while !ended[1] {
            runs += 1;
            ended = exhaustive::run(scope, 1, first, second)
                .map_err(|why| (format!("{scope:?}, deaths at {first} and {second}"), why))?;
            second += 1;
        }
        if ended[0] {
            break;
        }
        first += 1;
    }
    for seed in 0..ORDERS {
        runs += 1;
        exhaustive::run_in_order(scope, seed).map_err(|why| (format!("{scope:?}, order {seed}"), why))?;
    }
    Ok(runs)
}
