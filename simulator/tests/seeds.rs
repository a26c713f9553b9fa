//! Some seeds, and every small scope at coarse deaths. `simulate` runs thousands of them.

use simulator::exhaustive::{self, SCOPES};
use simulator::{Plan, run};

#[test]
fn no_seed_breaks_a_law() {
    for seed in 0..12 {
        run(seed, Plan::default()).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

/// Each broke a law once.
const ONCE_BROKEN: [u64; 1] = [24142];

#[test]
fn no_seed_that_broke_a_law_once_breaks_one_again() {
    for seed in ONCE_BROKEN {
        run(seed, Plan::default()).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

#[test]
fn no_death_in_a_small_scope_breaks_a_law() {
    for scope in SCOPES {
        for (first, second) in (0..40).step_by(5).map(|death| (death, 60 - death)) {
            let run = exhaustive::run(scope, 1, first, second);
            run.unwrap_or_else(|why| panic!("{scope:?}, deaths at {first} and {second}: {why}"));
        }
    }
}

#[test]
fn no_order_of_things_in_a_small_scope_breaks_a_law() {
    for scope in SCOPES {
        for seed in 0..5 {
            exhaustive::run_in_order(scope, seed).unwrap_or_else(|why| panic!("{scope:?}, order {seed}: {why}"));
        }
    }
}
