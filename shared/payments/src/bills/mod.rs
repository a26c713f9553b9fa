//! Checking the providers' bills: what they were paid and paid back on a day, against what the table credited.
//!
//! A bill is compared whole or not at all. What the bill has and the table has not is looked for before it
//! counts: under another day, under another merchant with the same account, as an incident, and at the provider,
//! whose word credits it. Every difference is one incident, which is the same incident when the day is checked
//! again.
//!
//! | file | what |
//! |---|---|
//! | this one | which bills a run checks, and the report of each |
//! | `books` | the lines of a merchant's bills |
//! | `compare` | what of them differs, and what is done about it |
//! | `funds` | the fund-flow bill: fees and payouts |

mod books;
mod compare;
mod funds;

use super::Context;
use books::Books;
use compare::Comparison;
use domain::{Code, Day, Failure, Fen, Provider, UnixMs};
use providers::bill::Statement;
use providers::{Account, Merchant};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use store::{BillReport, BillState};

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BillsReply {
    /// Calls to providers.
    pub asked: u64,
    /// Bills that were compared, or that are rightly empty.
    pub checked: u64,
    /// Bills that the provider is still making; the next run asks again.
    pub pending: u64,
    /// Payments that were credited because a bill had them.
    pub credited: u64,
    /// Refunds that were settled or recorded because a bill had them.
    pub refunds: u64,
    /// Incidents that are new.
    pub incidents: u64,
    /// Bills that could not be had or read, and providers and tables that could not be asked.
    pub errors: u64,
    /// Whether the run stopped at its budget.
    pub more: bool,
}

/// When a run stops beginning with another bill.
const PATIENCE: Duration = Duration::from_secs(45);
/// How many single payments and refunds a run asks providers about.
const CALLS: u64 = 200;
/// For how many days an unfinished bill is asked for again.
const LOOK_BACK: i64 = 7;

/// Checks the bills of a day, `YYYY-MM-DD` in Asia/Shanghai; by default the day before `clock`, and
/// then also those of the week before that are pending or failed. `merchant` and `provider` narrow the run.
/// An error of one bill never stops the others.
///
/// # Errors
/// The field's code for a malformed `bill_date` or an unknown `merchant`; a table that cannot be read at all.
pub async fn check_bills(
    cx: &Context<'_>,
    clock: UnixMs,
    bill_date: Option<&str>,
    merchant: Option<&str>,
    provider: Option<Provider>,
) -> Result<BillsReply, Failure> {
    let bad = |name: &str| Failure::new(Code::FIELD).says(name);
    if merchant.is_some_and(|id| !cx.config.merchant_ids().contains(id)) {
        return Err(bad("merchant"));
    }
    let day = match bill_date {
        Some(text) => Day::parse(text).ok_or_else(|| bad("bill_date"))?,
        None => Day::of(clock).before(1),
    };
    let wanted = |id: &str, p: Provider| merchant.is_none_or(|m| m == id) && provider.is_none_or(|own| own == p);
    let mut jobs = Vec::new();
    let merchants = cx.all_merchants(None).await;
    for merchant in &merchants {
        for provider in Provider::ALL.into_iter().filter(|p| wanted(&merchant.id, *p)) {
            if Account::of(merchant, provider).is_empty() {
                continue;
            }
            let before = cx.store.bill_report(provider, &merchant.id, day).await?;
            jobs.push(Job { day, merchant, merchants: &merchants, provider, before });
        }
    }
    if bill_date.is_none() {
        for report in cx.store.bill_reports_since(day.before(LOOK_BACK)).await? {
            let earlier = Day::parse(&report.bill_date).filter(|own| *own < day);
            let is_open = |state: BillState| matches!(state, BillState::Pending | BillState::Failed);
            let open = is_open(report.state) || report.funds.as_ref().is_some_and(|funds| is_open(funds.state));
            let merchant =
                merchants.iter().find(|m| m.id == report.merchant).filter(|m| open && wanted(&m.id, report.provider));
            let merchant = merchant.filter(|m| !Account::of(m, report.provider).is_empty());
            if let (Some(day), Some(merchant)) = (earlier, merchant) {
                let (provider, before) = (report.provider, Some(report));
                jobs.push(Job { day, merchant, merchants: &merchants, provider, before });
            }
        }
    }
    // What a run before this had no time for comes first.
    jobs.sort_by_key(Job::is_done);
    let mut reply = BillsReply::default();
    for job in &jobs {
        if cx.began.elapsed() > PATIENCE {
            reply.more = true;
            break;
        }
        if let Err(failure) = check(cx, clock, job, &mut reply).await {
            reply.errors += 1;
            let (provider, merchant, day) = (job.provider, &job.merchant.id, job.day);
            let why = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
            tracing::error!(%provider, merchant, %day, why, "a bill was not checked");
        }
    }
    Ok(reply)
}

/// One bill.
struct Job<'a> {
    day: Day,
    merchant: &'a Merchant,
    /// All of them, in order.
    merchants: &'a [Arc<Merchant>],
    provider: Provider,
    /// How it stood before this run.
    before: Option<BillReport>,
}

impl Job<'_> {
    fn is_done(&self) -> bool {
        self.before.as_ref().is_some_and(|report| matches!(report.state, BillState::Checked | BillState::Empty))
    }
}

async fn check(cx: &Context<'_>, clock: UnixMs, job: &Job<'_>, reply: &mut BillsReply) -> Result<(), Failure> {
    let accounts = Account::of(job.merchant, job.provider);
    let report = BillReport {
        provider: job.provider,
        merchant: job.merchant.id.clone(),
        bill_date: job.day.to_string(),
        state: BillState::Empty,
        lines: 0,
        total_fee: Fen::ZERO,
        refund_fee: Fen::ZERO,
        differences: 0,
        funds: None,
        reason: None,
        check_date: clock,
    };
    let mut books = Books::default();
    let (mut failed, mut pending) = (None, false);
    for account in &accounts {
        reply.asked += 1;
        match account.bill(cx.clients, job.day, cx.now()).await {
            Ok(Statement::Ready(bill)) => {
                let speaks = speaks_for(job, account);
                if let Err(why) = books.take(bill, speaks) {
                    failed = Some(why.to_owned());
                }
            }
            Ok(Statement::Empty) => {}
            Ok(Statement::NotYet) => pending = true,
            Err(error) => failed = Some(error.to_string()),
        }
    }
    if failed.is_some() || pending {
        let state = if failed.is_some() { BillState::Failed } else { BillState::Pending };
        if let Some(why) = &failed {
            reply.errors += 1;
            let (provider, merchant, day) = (job.provider, &job.merchant.id, job.day);
            telemetry::alarm!("bill_failed", %provider, merchant, bill_date = %day, why);
        } else {
            reply.pending += 1;
        }
        // What was found out before stays.
        if !job.is_done() {
            let reason = failed.unwrap_or_else(|| "STATEMENT_CREATING".to_owned()).chars().take(200).collect();
            cx.store.keep_bill_report(&BillReport { state, reason: Some(reason), ..report }, job.day).await?;
        }
        return Ok(());
    }
    let report = BillReport {
        lines: books.lines,
        total_fee: books.payments.values().fold(Fen::ZERO, |sum, line| plus(sum, line.total)),
        refund_fee: books.refunds().filter(|r| r.line.success).fold(Fen::ZERO, |sum, r| plus(sum, r.line.refund)),
        ..report
    };
    let fees = books.fees;
    let mut comparison = Comparison { cx, job, accounts: &accounts, reply, report, unasked: 0, gone: HashSet::new() };
    comparison.run(books).await?;
    let (mut report, unasked) = (comparison.report, comparison.unasked);
    if unasked > 0 {
        report.state = BillState::Pending;
        report.reason = Some(format!("{unasked} payments and refunds are still to be asked about"));
        reply.pending += 1;
        reply.more = true;
    } else {
        if report.lines > 0 || report.differences > 0 {
            report.state = BillState::Checked;
        }
        reply.checked += 1;
    }
    if let Some((funds, differences)) = funds::check(cx, job, &accounts, fees, reply).await? {
        // What was found out before stays.
        let before = job.before.as_ref().and_then(|report| report.funds.clone());
        let unread = matches!(funds.state, BillState::Pending | BillState::Failed);
        report.funds = before.filter(|_| unread).or(Some(funds));
        report.differences += differences;
    }
    cx.store.keep_bill_report(&report, job.day).await?;
    Ok(())
}

/// Of several merchants with one account the first one speaks for lines that are nobody's.
fn speaks_for(job: &Job<'_>, account: &Account) -> bool {
    let shares = |own: &&Arc<Merchant>| Account::of(own, job.provider).iter().any(|other| other.id == account.id);
    job.merchants.iter().find(shares).is_some_and(|first| first.id == job.merchant.id)
}

fn plus(a: Fen, b: Fen) -> Fen {
    Fen(a.0.saturating_add(b.0))
}
