//! Complaints that nobody was told of: a notice may be lost, and a merchant has a day to answer.

use super::Context;
use super::complain::{owner, refresh};
use super::complaints::bring_on;
use super::sweep::{BUDGET, Counts};
use domain::{Code, Complaint, Day, Failure, Provider, UnixMs};
use providers::{CallError, ComplaintDesk};
use std::sync::atomic::Ordering;

/// How many days a run looks back, the day of the run not counted. WeChat Pay lists no more than 30 in one call.
const LOOK_BACK: i64 = 29;
/// The hour of the day, UTC, whose run rings for lists that cannot be read: 9 o'clock in Asia/Shanghai.
const DAILY_HOUR: i64 = 1;

/// Looks for the complaints of the last days at every merchant number whose configuration asks for it, with up to so many
/// calls to providers, and completes those whose refund has arrived. `merchant` and `provider` narrow the run. True when
/// something is left.
///
/// # Errors
/// The field's code for an unknown `merchant`. A provider that does not answer, and a complaint that cannot be kept, are
/// counted and never stop the run.
pub async fn look_for_complaints(
    cx: &Context<'_>,
    clock: UnixMs,
    max_calls: u64,
    merchant: Option<&str>,
    provider: Option<Provider>,
    counts: &Counts,
) -> Result<bool, Failure> {
    if merchant.is_some_and(|id| !cx.config.merchant_ids().contains(id)) {
        return Err(Failure::new(Code::FIELD).says("merchant"));
    }
    let mut accounts = accounts(cx, provider).await;
    accounts.retain(|desks| {
        desks.iter().any(|desk| desk.looked_for && merchant.is_none_or(|wanted| wanted == desk.merchant))
    });
    // Runs begin at different accounts, so that a run that ends early starves none of them. Runs are an hour apart.
    let hour = clock.secs().div_euclid(3_600);
    let first = usize::try_from(hour).unwrap_or(0).checked_rem(accounts.len()).unwrap_or(0);
    accounts.rotate_left(first);
    let alarms = hour.rem_euclid(24) == DAILY_HOUR;
    for desks in accounts {
        let run = Run { cx, desks, max_calls, counts, alarms };
        if run.look((Day::of(clock).before(LOOK_BACK), Day::of(clock))).await {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The desks of each merchant number and application, in the order of the merchants' ids: merchants may share one.
async fn accounts(cx: &Context<'_>, provider: Option<Provider>) -> Vec<Vec<ComplaintDesk>> {
    let mut accounts: Vec<Vec<ComplaintDesk>> = Vec::new();
    for merchant in cx.all_merchants(None).await {
        for own in Provider::ALL.into_iter().filter(|own| provider.is_none_or(|wanted| wanted == *own)) {
            for desk in ComplaintDesk::of(&merchant, own) {
                let same = |desks: &&mut Vec<ComplaintDesk>| {
                    desks.iter().any(|other| other.provider == own && other.account == desk.account)
                };
                match accounts.iter_mut().find(same) {
                    Some(desks) => desks.push(desk),
                    None => accounts.push(vec![desk]),
                }
            }
        }
    }
    accounts
}

/// The look at one merchant number.
struct Run<'a> {
    cx: &'a Context<'a>,
    /// Of the merchants that share it.
    desks: Vec<ComplaintDesk>,
    max_calls: u64,
    counts: &'a Counts,
    /// Whether this run rings for lists that cannot be read.
    alarms: bool,
}

impl Run<'_> {
    /// Counts a call, unless the budget has been spent.
    fn may_ask(&self) -> bool {
        if self.counts.asked.load(Ordering::Relaxed) >= self.max_calls || self.cx.began.elapsed() >= BUDGET {
            return false;
        }
        Counts::add(&self.counts.asked, 1);
        true
    }

    /// True when something is left.
    async fn look(&self, days: (Day, Day)) -> bool {
        let Some(desk) = self.desks.iter().find(|desk| desk.looked_for) else { return false };
        let mut page = 0;
        loop {
            if !self.may_ask() {
                return true;
            }
            let listed = match desk.list(self.cx.clients, days, page, self.cx.now()).await {
                Ok(listed) => listed,
                Err(error) => {
                    self.not_listed(desk, &error);
                    return false;
                }
            };
            if listed.incomplete > 0 {
                Counts::add(&self.counts.errors, listed.incomplete);
                self.unreadable(desk, &format!("{} complaints of the list lack a field", listed.incomplete));
            }
            for complaint in &listed.complaints {
                if self.keep(desk, complaint).await {
                    return true;
                }
            }
            match listed.next {
                Some(next) => page = next,
                None => return false,
            }
        }
    }

    fn not_listed(&self, desk: &ComplaintDesk, error: &CallError) {
        Counts::add(&self.counts.errors, 1);
        let (provider, merchant) = (desk.provider, &desk.merchant);
        match error {
            CallError::Refused(refusal) => {
                telemetry::alarm!("complaints_failed", provider = %provider, merchant, why = %refusal);
            }
            CallError::Unknown(why) => self.unreadable(desk, why),
        }
    }

    /// Rings once a day: one answer that did not arrive is asked for again in an hour, and what stays so is rung for.
    fn unreadable(&self, desk: &ComplaintDesk, why: &str) {
        let (provider, merchant) = (desk.provider, &desk.merchant);
        if self.alarms {
            telemetry::alarm!("complaints_failed", provider = %provider, merchant, why);
        } else {
            tracing::error!(%provider, merchant, why, "complaints could not be listed");
        }
    }

    /// Keeps what is new of a complaint. True when the budget was spent before.
    async fn keep(&self, lister: &ComplaintDesk, listed: &Complaint) -> bool {
        let id = listed.complaint_id.as_str();
        let desk = match owner(self.cx, &self.desks, id, listed).await {
            Ok(Some(desk)) => desk,
            Ok(None) => return false,
            Err(failure) => return self.failed(lister, &failure),
        };
        let known = match self.cx.store.complaint(desk.provider, &desk.merchant, id).await {
            Ok(known) => known,
            Err(error) => return self.failed(desk, &error.into()),
        };
        let record = match known {
            Some(record) if is_same(&record.complaint, listed) && !record.awaits_refund() => return false,
            Some(record) if is_same(&record.complaint, listed) => record,
            _ => {
                if !self.may_ask() {
                    return true;
                }
                match refresh(self.cx, desk, id, "schedule").await {
                    Ok(Some(seen)) => {
                        Counts::add(&self.counts.incidents, seen.new.into());
                        seen.record
                    }
                    Ok(None) => return false,
                    Err(failure) => return self.failed(desk, &failure),
                }
            }
        };
        if record.awaits_refund() {
            if !self.may_ask() {
                return true;
            }
            if let Err(failure) = bring_on(self.cx, desk, record).await {
                return self.failed(desk, &failure);
            }
        }
        false
    }

    fn failed(&self, desk: &ComplaintDesk, failure: &Failure) -> bool {
        Counts::add(&self.counts.errors, 1);
        let why = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
        tracing::error!(provider = %desk.provider, merchant = desk.merchant, why, "a complaint could not be stored");
        false
    }
}

/// Whether a list says nothing new of a complaint.
fn is_same(known: &Complaint, listed: &Complaint) -> bool {
    let facts = |c: &Complaint| (c.state, c.awaits_reply, c.times, c.refunded, c.provider_state.clone());
    facts(known) == facts(listed)
}
