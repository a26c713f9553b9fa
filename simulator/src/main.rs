//! `simulate [--seeds N] [--from SEED] [--steps N] [--jobs N] [--faults PERMILLE] [--exhaustive]`

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is its purpose")]

use simulator::exhaustive::{self, SCOPES};
use simulator::{Plan, run};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A run is a million small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut plan = Plan::default();
    let (mut seeds, mut from, mut jobs, mut whole) = (100, 0, 2, false);
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
                whole = true;
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
    let broken = if whole { scopes() } else { all(from, seeds, jobs, plan) };
    for (what, why) in &broken {
        println!("{what}: {why}");
    }
    let what = if whole { "scopes" } else { "seeds" };
    println!(
        "{} of {what} broke a law; {} {what} of {} steps in {:.1} s",
        broken.len(),
        if whole { SCOPES.len() as u64 } else { seeds },
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

/// Every pair of deaths in every scope, and many orders of things.
fn scopes() -> Vec<(String, String)> {
    let mut broken = Vec::new();
    for scope in SCOPES {
        let mut runs = 0;
        let mut first = 0;
        loop {
            let mut ended = [false, false];
            let mut second = 0;
            while !ended[1] {
                runs += 1;
                match exhaustive::run(scope, 1, first, second) {
                    Ok(lived) => ended = lived,
                    Err(why) => {
                        broken.push((format!("{scope:?}, deaths at {first} and {second}"), why));
                        return broken;
                    }
                }
                second += 1;
            }
            if ended[0] {
                break;
            }
            first += 1;
        }
        for seed in 0..ORDERS {
            runs += 1;
            if let Err(why) = exhaustive::run_in_order(scope, seed) {
                broken.push((format!("{scope:?}, order {seed}"), why));
                return broken;
            }
        }
        println!("{scope:?}: {runs} runs");
    }
    broken
}
