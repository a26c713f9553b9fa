//! What the figures in the README come from: `cargo run --release -p bench [RUNS [target/lambda]]`, or only
//! what one payment costs in the table: `cargo run -p bench units`.
//!
//! `compare` prints only the comparison with Go and Node, `table [ORDERS [FOLDER]]` how fast the console is on a large table.
//!
//! It builds the functions' release binaries (or takes those that `cargo lambda build` or `sam build` left in
//! `target/lambda`), runs them as Lambda would, and prints each figure beside its limit.
//! Nothing is asserted: on a busy machine the figures are worse, and the minimum says most.

#![expect(clippy::print_stdout, reason = "the table is the purpose of this program")]

mod callback;
mod cold_start;
mod compare;
mod cost;
mod front;
mod peers;
mod setup;
mod table;
mod units;

use std::path::Path;
use tests::binaries::{self, Binaries, FUNCTIONS};

/// Limits of a stripped binary, of start to first answer, and of peak memory.
const BINARY_KIB: u64 = 8 * 1024;
const FIRST_ANSWER_US: u64 = 30_000;
const PEAK_RSS_KIB: u64 = 25 * 1024;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.peek().is_some_and(|argument| argument == "units") {
        print_units().await;
        return;
    }
    if arguments.next_if(|argument| argument == "table").is_some() {
        let orders = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
        table::run(orders, arguments.next().map(Into::into)).await;
        return;
    }
    let compared = arguments.next_if(|argument| argument == "compare").is_some();
    let runs = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(20).max(1);
    if compared {
        let (ours, before) = (arguments.next(), arguments.next());
        compare::run(runs, ours.as_deref().map(Path::new), before.as_deref().map(Path::new)).await;
        return;
    }
    let folder = arguments.next();
    let binaries = match &folder {
        Some(folder) => Binaries::built_by_cargo_lambda(folder.as_ref()),
        None => binaries::build("release"),
    };
    let table = setup::empty_table().await;
    let config = setup::configuration();

    println!("{runs} cold starts each, after one that is not counted; min / median / max\n");
    println!(
        "{:15} {:>16} {:>24} {:>30} {:>17}",
        "function", "binary", "start to next, ms", "start to first answer, ms", "peak RSS"
    );
    for function in FUNCTIONS {
        let binary = binaries.path(function);
        let size = std::fs::metadata(binary).map_or(0, |m| m.len() / 1024);
        match cold_start::measure(binary, function, &config, &table, runs).await {
            Ok(figures) => println!(
                "{function:15} {:>16} {:>24} {:>30} {:>17}",
                judged(format!("{} MB", thousandths(size * 1000 / 1024)), size, BINARY_KIB),
                figures.next.to_string(),
                judged(figures.answer.to_string(), figures.answer.median, FIRST_ANSWER_US),
                judged(format!("{} MB", thousandths(figures.peak_rss * 1000 / 1024)), figures.peak_rss, PEAK_RSS_KIB),
            ),
            Err(fault) => println!("{function:15} {fault}"),
        }
    }
    let figures = callback::measure(200).await;
    println!("\none payment callback of WeChat Pay, APIv3, 200 times; min / median / max, µs");
    println!("{:45} {}", "verify, decrypt, parse (no table)", figures.without_store);
    println!("{:45} {}", "the whole function (embedded table, loopback)", figures.with_store);
    println!("{:45} {}", "DynamoDB calls", figures.operations.join(", "));
    print_units().await;
    println!();
    compare::run(runs, folder.as_deref().map(Path::new), None).await;
    println!("\nlimits: binary 8 MB, start to first answer 30 ms (median), peak RSS 25 MB");
}

async fn print_units() {
    let units = units::measure().await;
    println!("\none payment of WeChat Pay in the table, by DynamoDB's rules");
    println!("{:22} {:>6} {:>7} {:>9}   operations", "step", "reads", "writes", "µs");
    for step in &units.steps {
        let operations = step.operations.join(", ");
        let reads = format!("{}{}", step.half_reads / 2, if step.half_reads % 2 == 1 { ".5" } else { "" });
        println!("{:22} {reads:>6} {:>7} {:>9}   {operations}", step.name, step.writes, step.micros);
    }
    for (kind, (items, bytes)) in &units.items {
        println!("{kind:22} {items} items, {bytes} bytes");
    }
    let (least, median, most) = units.shards;
    cost::print(&units.steps);
    println!("\n1000 orders of a second over 16 shards of the due index: {least} / {median} / {most}");
}

/// Thousandths as a number with two decimals: 7894 is `7.89`.
fn in_hundredths(value: u64) -> String {
    let hundredths = (value + 5) / 10;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn judged(text: String, value: u64, limit: u64) -> String {
    format!("{text} {}", if value < limit { "ok" } else { "over" })
}

/// Thousandths as a number with one decimal: 7890 is `7.9`.
fn thousandths(value: u64) -> String {
    let tenths = (value + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}
