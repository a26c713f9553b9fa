//! Checking the providers' bills: what they were paid and paid back on a day, against what the table credited.
//!
//! A bill is compared whole or not at all. What the bill has and the table has not is looked for before it
//! counts: under another day, under another merchant with the same account, as an incident, and at the provider,
//! whose word credits it. Every difference is one incident, which is the same incident when the day is checked
//! again.

use super::confirm::{find_order, sound};
use super::query::ask;
use super::{Context, Source};
use crate::code::{Code, Failure};
use crate::config::Merchant;
use crate::order::{Attempt, AttemptState, Day, Fen, Order, Provider, Refund, RefundState};
use crate::provider::bill::{Account, Bill, BilledPayment, BilledRefund, Statement};
use crate::provider::{Outcome, RefundProgress, RefundStanding};
use crate::store::{
    BillReport, BillState, HistoryEntry, Incident, IncidentName, PaidEntry, Recording, RefundedEntry, SHARDS,
};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

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
/// How often a refund that was found is counted on a fresh order.
const ROUNDS: usize = 5;
/// The providers that have bills.
const PROVIDERS: [Provider; 2] = [Provider::Wxpay, Provider::Alipay];

/// Checks the bills of a day, `YYYY-MM-DD` in Asia/Shanghai; by default the day before `clock` (Unix ms), and
/// then also those of the week before that are pending or failed. `merchant` and `provider` narrow the run.
/// An error of one bill never stops the others.
///
/// # Errors
/// The field's code for a malformed `bill_date` or an unknown `merchant`; a table that cannot be read at all.
pub async fn check_bills(
    cx: &Context<'_>,
    clock: i64,
    bill_date: Option<&str>,
    merchant: Option<&str>,
    provider: Option<Provider>,
) -> Result<BillsReply, Failure> {
    let bad = |name: &str| Failure::new(Code::FIELD).says(name);
    if merchant.is_some_and(|id| cx.config.merchant(id).is_none()) {
        return Err(bad("merchant"));
    }
    let day = match bill_date {
        Some(text) => Day::parse(text).ok_or_else(|| bad("bill_date"))?,
        None => Day::of(clock).before(1),
    };
    let wanted = |id: &str, p: Provider| merchant.is_none_or(|m| m == id) && provider.is_none_or(|own| own == p);
    let mut jobs = Vec::new();
    for merchant in cx.config.merchants() {
        for provider in PROVIDERS.into_iter().filter(|p| wanted(&merchant.id, *p)) {
            if Account::of(merchant, provider).is_empty() {
                continue;
            }
            let before = cx.store.bill_report(provider, &merchant.id, day).await?.map(|report| report.state);
            jobs.push(Job { day, merchant, provider, before });
        }
    }
    if bill_date.is_none() {
        for report in cx.store.bill_reports_since(day.before(LOOK_BACK)).await? {
            let earlier = Day::parse(&report.bill_date).filter(|own| *own < day);
            let open = matches!(report.state, BillState::Pending | BillState::Failed);
            let merchant = cx.config.merchant(&report.merchant).filter(|m| open && wanted(&m.id, report.provider));
            let merchant = merchant.filter(|m| !Account::of(m, report.provider).is_empty());
            if let (Some(day), Some(merchant)) = (earlier, merchant) {
                jobs.push(Job { day, merchant, provider: report.provider, before: Some(report.state) });
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
            tracing::error!("the bill of {provider} {merchant} {day} was not checked: {why}");
        }
    }
    Ok(reply)
}

/// One bill.
struct Job<'a> {
    day: Day,
    merchant: &'a Merchant,
    provider: Provider,
    /// How it stood before this run.
    before: Option<BillState>,
}

impl Job<'_> {
    fn is_done(&self) -> bool {
        matches!(self.before, Some(BillState::Checked | BillState::Empty))
    }
}

async fn check(cx: &Context<'_>, clock: i64, job: &Job<'_>, reply: &mut BillsReply) -> Result<(), Failure> {
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
        reason: None,
        check_date: clock,
    };
    let mut books = Books::default();
    let (mut failed, mut pending) = (None, false);
    for account in &accounts {
        reply.asked += 1;
        match account.bill(cx.outside, job.day, cx.now()).await {
            Outcome::Done(Statement::Ready(bill)) => {
                let speaks = speaks_for(cx, job, account);
                if let Err(why) = books.take(bill, speaks) {
                    failed = Some(why.to_owned());
                }
            }
            Outcome::Done(Statement::Empty) => {}
            Outcome::Done(Statement::NotYet) => pending = true,
            Outcome::Refused(refusal) => failed = Some(format!("{}: {}", refusal.code, refusal.message)),
            Outcome::Unknown(why) => failed = Some(why),
        }
    }
    if failed.is_some() || pending {
        let state = if failed.is_some() { BillState::Failed } else { BillState::Pending };
        if let Some(why) = &failed {
            reply.errors += 1;
            let (provider, merchant, day) = (job.provider, &job.merchant.id, job.day);
            tracing::error!("alarm=bill_failed provider={provider} merchant={merchant} bill_date={day}: {why}");
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
    let mut comparison = Comparison { cx, job, accounts: &accounts, reply, report, unasked: 0 };
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
    cx.store.keep_bill_report(&report, job.day).await?;
    Ok(())
}

/// Of several merchants with one account the first one speaks for lines that are nobody's.
fn speaks_for(cx: &Context<'_>, job: &Job<'_>, account: &Account) -> bool {
    let shares = |merchant: &&Merchant| Account::of(merchant, job.provider).iter().any(|own| own.id == account.id);
    cx.config.merchants().find(shares).is_some_and(|first| first.id == job.merchant.id)
}

fn plus(a: Fen, b: Fen) -> Fen {
    Fen(a.0.saturating_add(b.0))
}

/// The lines of all accounts, found by the provider's number and the merchant's.
#[derive(Default)]
struct Books {
    payments: HashMap<(Box<str>, Box<str>), Paid>,
    /// By the payment and the refund number.
    refunds: HashMap<(Box<str>, Box<str>), Refunded>,
    /// Refunds without a number.
    loose: Vec<Refunded>,
    reversed: HashSet<Box<str>>,
    lines: u64,
}

struct Paid {
    total: Fen,
    speaks: bool,
}

struct Refunded {
    line: BilledRefund,
    speaks: bool,
}

impl Books {
    fn refunds(&self) -> impl Iterator<Item = &Refunded> {
        self.refunds.values().chain(&self.loose)
    }

    /// Adds a bill. Applications of one seller have the same bill, so a line may come again.
    fn take(&mut self, bill: Bill, speaks: bool) -> Result<(), &'static str> {
        self.lines += bill.lines;
        self.reversed.extend(bill.reversed.into_iter().map(|line| line.transaction_id));
        for BilledPayment { number, transaction_id, total } in bill.payments {
            match self.payments.insert((transaction_id, number), Paid { total, speaks }) {
                Some(known) if known.total != total => return Err("two lines of one payment differ"),
                Some(_) => self.lines -= 1,
                None => {}
            }
        }
        for line in bill.refunds {
            if line.out_refund_no.is_empty() {
                self.loose.push(Refunded { line, speaks });
                continue;
            }
            let key = (line.transaction_id.clone(), line.out_refund_no.clone());
            let now = (line.refund, line.success);
            match self.refunds.insert(key, Refunded { line, speaks }) {
                Some(known) if (known.line.refund, known.line.success) != now => {
                    return Err("two lines of one refund differ");
                }
                Some(_) => self.lines -= 1,
                None => {}
            }
        }
        Ok(())
    }
}

struct Comparison<'a, 'b> {
    cx: &'a Context<'b>,
    job: &'a Job<'a>,
    accounts: &'a [Account],
    reply: &'a mut BillsReply,
    report: BillReport,
    /// Payments and refunds that the budget left out.
    unasked: u64,
}

impl Comparison<'_, '_> {
    async fn run(&mut self, mut books: Books) -> Result<(), Failure> {
        let (store, day) = (self.cx.store, self.job.day);
        let (provider, merchant) = (self.job.provider, &self.job.merchant.id);
        for shard in 0..SHARDS {
            for entry in store.paid_on(provider, merchant, day, shard).await? {
                self.paid_here(&mut books, &entry).await?;
            }
            for entry in store.refunded_on(provider, merchant, day, shard).await? {
                self.refunded_here(&mut books, &entry).await?;
            }
        }
        // Payments first: a refund of one that is credited only now finds its order.
        for ((transaction_id, number), paid) in std::mem::take(&mut books.payments) {
            if !books.reversed.contains(&transaction_id) {
                let line = BilledPayment { number, transaction_id, total: paid.total };
                self.only_billed(&line, paid.speaks).await?;
            }
        }
        for refunded in books.refunds.into_values().chain(books.loose) {
            self.only_billed_refund(&refunded.line, refunded.speaks).await?;
        }
        Ok(())
    }

    fn covers(&self, mch_id: Option<&str>, app_id: Option<&str>) -> bool {
        self.accounts.iter().any(|account| account.took(mch_id, app_id))
    }

    fn is_of_another_day(&self, bill_date: Option<&str>) -> bool {
        bill_date.is_some_and(|day| day != self.report.bill_date)
    }

    fn incident(&self, name: IncidentName, no: &str, transaction_id: Option<&str>) -> Incident {
        Incident {
            out_trade_no: Some(no.to_owned()),
            transaction_id: transaction_id.map(str::to_owned),
            ..Incident::new(name, self.job.provider, &self.job.merchant.id)
        }
    }

    /// Counts a difference and records it, with a line in the order's history where there is an order.
    async fn differ(&mut self, incident: Incident, known: bool) -> Result<(), Failure> {
        self.report.differences += 1;
        if self.cx.store.record_incident(&incident, known, None, self.cx.now()).await? == Recording::New {
            self.reply.incidents += 1;
            sound(&incident);
        }
        Ok(())
    }

    /// A payment of the table.
    async fn paid_here(&mut self, books: &mut Books, entry: &PaidEntry) -> Result<(), Failure> {
        if !self.covers(entry.mch_id.as_deref(), Some(&entry.app_id)) {
            return Ok(());
        }
        let no = entry.out_trade_no.as_str();
        let key = (Box::from(entry.transaction_id.as_str()), Box::from(entry.number.as_str()));
        let reversed = books.reversed.contains(&key.0);
        let (name, actual) = match books.payments.remove(&key) {
            Some(line) if line.total != entry.total_fee => (IncidentName::BillAmount, json!(line.total)),
            // The provider took it back; the order is still delivered.
            _ if reversed => (IncidentName::BillRefund, json!("REVOKED")),
            Some(_) => return Ok(()),
            None if self.is_of_another_day(entry.bill_date.as_deref()) => return Ok(()),
            None => (IncidentName::BillMissingThere, Value::Null),
        };
        let incident = Incident {
            expected: Some(json!(entry.total_fee)),
            actual: Some(actual).filter(|v| !v.is_null()),
            ..self.incident(name, no, Some(&entry.transaction_id))
        };
        self.differ(incident, true).await
    }

    /// A refund of the table.
    async fn refunded_here(&mut self, books: &mut Books, entry: &RefundedEntry) -> Result<(), Failure> {
        if !self.covers(entry.mch_id.as_deref(), entry.app_id.as_deref()) {
            return Ok(());
        }
        let transaction_id = entry.transaction_id.as_deref().unwrap_or_default();
        let actual = match books.refunds.remove(&(Box::from(transaction_id), Box::from(entry.out_refund_no.as_str()))) {
            Some(own) if own.line.success && own.line.refund == entry.refund_fee => return Ok(()),
            Some(own) if own.line.success => Some(json!(own.line.refund)),
            Some(_) => Some(json!("not successful")),
            None if self.is_of_another_day(entry.bill_date.as_deref()) => return Ok(()),
            None => None,
        };
        let incident = Incident {
            out_refund_no: Some(entry.out_refund_no.clone()),
            expected: Some(json!(entry.refund_fee)),
            actual,
            ..self.incident(IncidentName::BillRefund, &entry.out_trade_no, entry.transaction_id.as_deref())
        };
        self.differ(incident, true).await
    }

    async fn credited(&self, transaction_id: &str) -> Result<Option<Order>, Failure> {
        match self.cx.store.order_of_transaction(self.job.provider, transaction_id).await? {
            Some(no) => Ok(self.cx.store.order(&no).await?),
            None => Ok(None),
        }
    }

    /// Takes a line of another merchant with the same account out of the sums.
    fn not_ours(&mut self, total: Fen, refund: Fen) {
        let report = &mut self.report;
        report.lines = report.lines.saturating_sub(1);
        report.total_fee = report.total_fee.minus(total).unwrap_or_default();
        report.refund_fee = report.refund_fee.minus(refund).unwrap_or_default();
    }

    /// Whether only another merchant of ours knows an order by this number.
    fn is_of_another(&self, order: &Order, number: &str) -> bool {
        let mut attempts = order.attempts.iter().filter(|a| a.provider == self.job.provider && a.has_number(number));
        attempts.next().is_some_and(|a| a.merchant != self.job.merchant.id)
    }

    /// A payment of the bill that the table has not listed under the day.
    async fn only_billed(&mut self, line: &BilledPayment, speaks: bool) -> Result<(), Failure> {
        let (cx, job) = (self.cx, self.job);
        let (provider, merchant) = (job.provider, &job.merchant.id);
        if let Some(order) = self.credited(&line.transaction_id).await? {
            let attempt = order.paid_attempt().filter(|a| a.has_number(&line.number));
            if attempt.is_some_and(|a| a.merchant != *merchant) {
                self.not_ours(line.total, Fen::ZERO);
                return Ok(());
            }
            if attempt.is_some() && order.total_fee == line.total {
                return Ok(cx.store.payment_billed(provider, &line.transaction_id, self.job.day).await?);
            }
            if attempt.is_some() {
                let incident = Incident {
                    expected: Some(json!(order.total_fee)),
                    actual: Some(json!(line.total)),
                    ..self.incident(IncidentName::BillAmount, &order.out_trade_no, Some(&line.transaction_id))
                };
                return self.differ(incident, true).await;
            }
        }
        if cx.store.incident_of_payment(provider, &line.transaction_id).await?.is_some() {
            return Ok(());
        }
        let order = find_order(cx, provider, merchant, &line.number).await?;
        let foreign = match &order {
            Some(order) => self.is_of_another(order, &line.number),
            None => !speaks,
        };
        if foreign {
            self.not_ours(line.total, Fen::ZERO);
            return Ok(());
        }
        if let Some(order) = &order {
            self.credit(order, line).await?;
        }
        let incident = Incident {
            expected: order.as_ref().map(|order| json!(order.trade_state)),
            actual: Some(json!(line.total)),
            ..self.incident(
                IncidentName::BillMissingHere,
                order.as_ref().map_or(&line.number, |order| &order.out_trade_no),
                Some(&line.transaction_id),
            )
        };
        self.differ(incident, order.is_some()).await
    }

    /// Asks the provider about a payment, which credits it or makes it an incident.
    async fn credit(&mut self, order: &Order, line: &BilledPayment) -> Result<(), Failure> {
        let cx = self.cx;
        let attempt = order.attempt_for(self.job.provider, &self.job.merchant.id, &line.number);
        let Some(attempt) = attempt else { return Ok(()) };
        if !self.may_ask() {
            return Ok(());
        }
        match ask(cx, order, attempt, Source::Query).await {
            Ok(true) => {}
            Ok(false) => self.reply.errors += 1,
            Err(failure) => self.unanswered(&order.out_trade_no, &failure),
        }
        if self.credited(&line.transaction_id).await?.is_some() {
            self.reply.credited += 1;
            cx.store.payment_billed(self.job.provider, &line.transaction_id, self.job.day).await?;
        }
        Ok(())
    }

    /// Whether there is a call left for a single payment or refund.
    fn may_ask(&mut self) -> bool {
        if self.reply.asked >= CALLS || self.cx.began.elapsed() > PATIENCE {
            self.unasked += 1;
            return false;
        }
        self.reply.asked += 1;
        true
    }

    fn unanswered(&mut self, no: &str, failure: &Failure) {
        self.reply.errors += 1;
        let why = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
        tracing::warn!(out_trade_no = %no, why, "what a bill has could not be looked up at the provider");
    }

    /// A refund of the bill that the table has not listed under the day.
    async fn only_billed_refund(&mut self, line: &BilledRefund, speaks: bool) -> Result<(), Failure> {
        let (cx, job) = (self.cx, self.job);
        let (provider, merchant) = (job.provider, &job.merchant.id);
        let known = match line.out_refund_no.as_ref() {
            "" => None,
            number => match cx.store.order_of_refund_number(provider, merchant, number).await? {
                Some(no) => cx.store.refund(&no, number).await?,
                None => None,
            },
        };
        let counted = if line.success { line.refund } else { Fen::ZERO };
        if let Some(refund) = known {
            return self.known_refund(line, &refund).await;
        }
        let mut order = self.credited(&line.transaction_id).await?;
        if order.is_none() {
            order = find_order(cx, provider, merchant, &line.number).await?;
        }
        let foreign = match &order {
            Some(order) => self.is_of_another(order, &line.number),
            None => !speaks,
        };
        if foreign {
            self.not_ours(Fen::ZERO, counted);
            return Ok(());
        }
        if !line.success {
            return Ok(());
        }
        if let Some(order) = &order {
            self.adopt(order, line).await?;
        }
        let no = order.as_ref().map_or(line.number.as_ref(), |order| &order.out_trade_no);
        let incident = Incident {
            out_refund_no: Some(line.out_refund_no.to_string()).filter(|number| !number.is_empty()),
            actual: Some(json!(line.refund)),
            ..self.incident(IncidentName::BillRefund, no, Some(&line.transaction_id))
        };
        self.differ(incident, order.is_some()).await
    }

    /// A refund of ours that the bill has under another day, or further on than we know.
    async fn known_refund(&mut self, line: &BilledRefund, refund: &Refund) -> Result<(), Failure> {
        let fits = refund.refund_fee == line.refund;
        let same = match refund.state {
            RefundState::Success => fits,
            RefundState::Processing => fits && !line.success,
            RefundState::Closed | RefundState::Refused => !line.success,
        };
        if same {
            return Ok(self.cx.store.refund_billed(refund, self.job.day).await?);
        }
        if fits && refund.state == RefundState::Processing {
            self.settle(refund).await?;
        }
        let expected = match refund.state {
            RefundState::Success => json!(refund.refund_fee),
            RefundState::Processing | RefundState::Closed | RefundState::Refused => json!(refund.state),
        };
        let incident = Incident {
            out_refund_no: Some(refund.out_refund_no.clone()),
            expected: Some(expected),
            actual: Some(if line.success { json!(line.refund) } else { json!("not successful") }),
            ..self.incident(IncidentName::BillRefund, &refund.out_trade_no, Some(&line.transaction_id))
        };
        self.differ(incident, true).await
    }

    /// Asks the provider about a refund of ours.
    async fn settle(&mut self, refund: &Refund) -> Result<(), Failure> {
        let cx = self.cx;
        let Some(order) = cx.store.order(&refund.out_trade_no).await? else { return Ok(()) };
        if !self.may_ask() {
            return Ok(());
        }
        let standing = match order.attempts.iter().find(|a| a.n == refund.attempt) {
            Some(attempt) => self.standing(&order, attempt, refund).await,
            None => None,
        };
        let Some(standing) = standing else { return Ok(()) };
        let (_, settled) = super::refund::apply(cx, &order, refund, &standing, Source::Query).await?;
        if settled.state == RefundState::Success {
            self.reply.refunds += 1;
            cx.store.refund_billed(refund, self.job.day).await?;
        }
        Ok(())
    }

    /// What the provider says of a refund, when it says something.
    async fn standing(&mut self, order: &Order, attempt: &Attempt, refund: &Refund) -> Option<RefundStanding> {
        let cx = self.cx;
        let asked = match cx.gateway(attempt) {
            Ok(gateway) => gateway.query_refund(cx.outside, order, attempt, refund, cx.now()).await,
            Err(failure) => {
                self.unanswered(&order.out_trade_no, &failure);
                return None;
            }
        };
        match asked {
            Outcome::Done(standing) => Some(standing),
            Outcome::Refused(_) => None,
            Outcome::Unknown(why) => {
                self.unanswered(&order.out_trade_no, &Failure::new(Code::OUTCOME_UNKNOWN).private(why));
                None
            }
        }
    }

    /// Records a refund that was made elsewhere, when the provider confirms it: it counts, as one that a
    /// callback tells of.
    async fn adopt(&mut self, order: &Order, line: &BilledRefund) -> Result<(), Failure> {
        let (cx, store) = (self.cx, self.cx.store);
        let paid = order.paid_attempt().filter(|a| a.state == AttemptState::Paid);
        let credited = order.transaction_id.as_deref() == Some(&*line.transaction_id);
        let Some(attempt) = paid.filter(|_| credited && !line.out_refund_no.is_empty()) else { return Ok(()) };
        let mut refund = Refund {
            out_trade_no: order.out_trade_no.clone(),
            out_refund_no: line.out_refund_no.to_string(),
            refund_id: line.refund_id.as_deref().map(str::to_owned),
            refund_fee: line.refund,
            refund_desc: "refunded elsewhere".to_owned(),
            state: RefundState::Success,
            provider: attempt.provider,
            merchant: attempt.merchant.clone(),
            attempt: attempt.n,
            incident: None,
            transaction_id: None,
            total_fee: None,
            reason: None,
            create_date: cx.now(),
            refund_date: None,
        };
        if !self.may_ask() {
            return Ok(());
        }
        let Some(standing) = self.standing(order, attempt, &refund).await else { return Ok(()) };
        let confirmed =
            standing.progress == RefundProgress::Success && standing.refund.is_none_or(|amount| amount == line.refund);
        if !confirmed {
            return Ok(());
        }
        refund.refund_id = refund.refund_id.or(standing.refund_id);
        refund.refund_date = standing.refunded_at.or(Some(self.job.day.begins()));
        let mut order = order.clone();
        for _ in 0..ROUNDS {
            let entry = HistoryEntry::new("refunded", "bill", cx.now())
                .with("out_refund_no", &refund.out_refund_no)
                .with("refund_fee", &refund.refund_fee)
                .with("elsewhere", &true);
            if store.adopt_refund(&order, &refund, &entry).await? {
                self.reply.refunds += 1;
                return Ok(store.refund_billed(&refund, self.job.day).await?);
            }
            let known = store.refund(&order.out_trade_no, &refund.out_refund_no).await?.is_some();
            order = store.order(&order.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
            // More than is left: the incident tells, and the operator decides.
            if known || refund.refund_fee > order.refundable {
                return Ok(());
            }
        }
        Ok(())
    }
}
