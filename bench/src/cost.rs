//! The dollars of a million paid orders, from the measured units and the prices of us-east-1 (on demand, arm64, 2026).

use crate::units::Step;

/// Of orders that are created, in a thousand, those that nobody pays.
const ABANDONED: u64 = 300;
/// Messages that ask about an order that nobody pays.
const ASKED: u64 = 6;
/// Messages of one batch of a queue.
const BATCH: u64 = 10;
/// Bytes of a function's log for one call, with 26 for each line: 730 for a creation, 1100 for a callback that credits
/// (two lines), 410 for a query, 600 where it asks the provider. The platform's lines are left out (`SystemLogLevel`).
const LOG_BYTES: u64 = 700;
/// Memory of a function, in quarters of a GB.
const QUARTERS: u64 = 1;

// Prices, in millionths of a dollar for a million: picodollars for one.
const WRITE_UNIT: u64 = 625_000;
const HALF_READ_UNIT: u64 = 62_500;
const QUEUE_REQUEST: u64 = 400_000;
const FUNCTION_REQUEST: u64 = 200_000;
const QUARTER_GB_MS: u64 = 3_333;
const LOG_BYTE: u64 = 500;

/// How long a function runs, ms: what waits for a provider takes 200 of them.
const CREATE_MS: u64 = 220;
const CALLBACK_MS: u64 = 25;
const QUERY_UNPAID_MS: u64 = 215;
const QUERY_PAID_MS: u64 = 10;
const BATCH_UNPAID_MS: u64 = 230;
const BATCH_PAID_MS: u64 = 20;
const BATCH_END_MS: u64 = 240;

/// One line of the bill, in picodollars for one paid order, by what is paid for.
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    dynamodb: u64,
    sqs: u64,
    lambda: u64,
    logs: u64,
}

impl Line {
    const fn all(self) -> u64 {
        self.dynamodb + self.sqs + self.lambda + self.logs
    }

    fn times(self, thousandths: u64) -> Self {
        let of = |value: u64| value * thousandths / 1_000;
        Self { dynamodb: of(self.dynamodb), sqs: of(self.sqs), lambda: of(self.lambda), logs: of(self.logs) }
    }
}

/// Prints the bill.
pub(crate) fn print(steps: &[Step]) {
    let table = |name: &str| {
        let step = steps.iter().find(|step| step.name == name);
        step.map_or(0, |step| step.writes * WRITE_UNIT + step.half_reads * HALF_READ_UNIT)
    };
    let call = |name: &str, ms: u64| Line {
        dynamodb: table(name),
        lambda: FUNCTION_REQUEST + ms * QUARTERS * QUARTER_GB_MS,
        logs: LOG_BYTES * LOG_BYTE,
        sqs: 0,
    };
    // One of a batch: its share of the call, and of receiving and deleting.
    let message = |name: &str, ms: u64, sends: u64| Line {
        dynamodb: table(name),
        lambda: (FUNCTION_REQUEST + ms * QUARTERS * QUARTER_GB_MS) / BATCH,
        logs: LOG_BYTES * LOG_BYTE / BATCH,
        sqs: 2 * QUEUE_REQUEST / BATCH + sends,
    };
    let one = QUEUE_REQUEST;
    let share = QUEUE_REQUEST / BATCH;
    // For each order that is paid, so many thousandths of one that is not.
    let beside = ABANDONED * 1_000 / (1_000 - ABANDONED);
    let created = Line { sqs: one, ..call("createPayment", CREATE_MS) };
    let lines = [
        ("createPayment of the paid order", false, created),
        ("callback", false, call("callback", CALLBACK_MS)),
        ("queryPayment, once unpaid, once paid", false, {
            let (unpaid, paid) =
                (call("queryPayment, unpaid", QUERY_UNPAID_MS), call("queryPayment, paid", QUERY_PAID_MS));
            Line {
                dynamodb: unpaid.dynamodb + paid.dynamodb,
                lambda: unpaid.lambda + paid.lambda,
                logs: unpaid.logs + paid.logs,
                sqs: 0,
            }
        }),
        ("its message, when it is paid already", true, message("message, paid", BATCH_PAID_MS, 0)),
        ("createPayment of orders that nobody pays", false, created.times(beside)),
        ("their messages", true, message("message, unpaid", BATCH_UNPAID_MS, share).times(beside * ASKED)),
        ("their end", true, {
            let end = message("its end", BATCH_END_MS, share);
            Line { dynamodb: end.dynamodb + HALF_READ_UNIT, ..end }.times(beside)
        }),
    ];
    println!(
        "\na million paid orders, and beside them those that nobody pays, {} in 100 of all; dollars",
        ABANDONED / 10
    );
    println!("{:42} {:>9} {:>7} {:>7} {:>7} {:>8}", "", "DynamoDB", "SQS", "Lambda", "logs", "together");
    let (mut sum, mut sweep) = (0, 0);
    for (name, is_sweep, line) in lines {
        sum += line.all();
        sweep += if is_sweep { line.all() } else { 0 };
        let parts = [line.dynamodb, line.sqs, line.lambda, line.logs, line.all()].map(dollars);
        println!("{name:42} {:>9} {:>7} {:>7} {:>7} {:>8}", parts[0], parts[1], parts[2], parts[3], parts[4]);
    }
    println!("{:42} {:>42}", "together", dollars(sum));
    println!("{:42} {:>42}", "of it the sweep: messages, ends", dollars(sweep));
}

/// Picodollars for one are millionths of a dollar for a million.
fn dollars(value: u64) -> String {
    format!("{}.{:02}", value / 1_000_000, value / 10_000 % 100)
}
