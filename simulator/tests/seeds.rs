//! Some seeds, every small scope at coarse deaths, a second of a flash sale, and a small sale day. `simulate` runs thousands of seeds.

use simulator::exhaustive::{self, SCOPES};
use simulator::hot::{self, Hot};
use simulator::load::{self, Load};
use simulator::shipping::{self, Shipped};
use simulator::{Plan, run};

#[test]
fn no_seed_breaks_a_law() {
    for seed in 0..12 {
        run(seed, Plan::default()).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

/// Each broke a law once.
const ONCE_BROKEN: [u64; 9] = [24, 37, 38, 89, 105, 111, 562, 886, 24142];

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

#[test]
fn of_a_thousand_virtual_orders_none_is_left_with_its_money_kept_and_none_is_reported_twice() {
    let shipped = shipping::run(1_000, 7, 40).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(shipped, Shipped { paid: 1_000, kept: 0, twice: 0 });
}

/// At a table with DynamoDB's conflicts: `docs/scaling.md` has the table of a longer one.
const SALE: Hot = Hot { rate: 200, seconds: 1, stock: 200, shards: 0 };

#[test]
fn two_hundred_payments_a_second_of_one_product_are_delivered_at_once_from_shards_and_not_without() {
    let whole = hot::run(SALE).unwrap_or_else(|why| panic!("without shards: {why}"));
    assert_eq!(whole.delivered, 200, "nothing is lost");
    assert!(whole.at_once_permille() < 950 && whole.within(990) > 10_000, "one item takes it all: {whole:?}");
    let sold = hot::run(Hot { shards: 16, ..SALE }).unwrap_or_else(|why| panic!("16 shards: {why}"));
    assert_eq!((sold.delivered, sold.at_once, sold.refused), (200, 200, 0));
    assert!(sold.within(990) < 1_000 && sold.conflicts < whole.conflicts / 5, "{sold:?}");
}

#[test]
fn what_sells_out_is_sold_to_the_last_piece_and_no_further() {
    let sold = hot::run(Hot { stock: 75, rate: 100, shards: 16, ..SALE }).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((sold.delivered, sold.at_once, sold.refused), (75, 75, 25));
}

/// `docs/scaling.md` has the table of a longer one.
#[test]
fn a_sale_day_with_a_provider_that_is_down_credits_each_payment_once_and_leaves_no_order_open() {
    let loaded = load::run(Load { rate: 2, minutes: 3 }).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(loaded.created, 360);
    assert!(loaded.paid > 100, "{loaded:?}");
}
