//! Complaints that nobody was told of: a notice may be lost, and a merchant has a day to answer.

use super::Context;
use super::complain::refresh;
use super::complaints::bring_on;
use super::sweep::{BUDGET, Counts};
use domain::{Code, Complaint, ComplaintRecord, Day, Failure, Provider, UnixMs};
use providers::{CallError, ComplaintDesk};
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// How many days a run looks back, the day of the run not counted. WeChat Pay lists no more than 30 in one call.
const LOOK_BACK: i64 = 29;

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
    let mut merchants = cx.all_merchants(merchant).await;
    // Runs begin at different merchants, so that a run that ends early starves none of them.
    let minute = usize::try_from(clock.secs().div_euclid(60)).unwrap_or(0);
    let first = minute.checked_rem(merchants.len()).unwrap_or(0);
    merchants.rotate_left(first);
    let mut asked: HashSet<(Provider, String)> = HashSet::new();
    for merchant in &merchants {
        for own in Provider::ALL.into_iter().filter(|own| provider.is_none_or(|wanted| wanted == *own)) {
            for desk in ComplaintDesk::of(merchant, own).into_iter().filter(|desk| desk.looked_for) {
                // Two merchants of the configuration may share a merchant number.
                if !asked.insert((own, desk.account.clone())) {
                    continue;
                }
                let run = Run { cx, desk, max_calls, counts };
                if run.look((Day::of(clock).before(LOOK_BACK), Day::of(clock))).await {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// The look at one merchant number.
struct Run<'a> {
    cx: &'a Context<'a>,
    desk: ComplaintDesk,
    max_calls: u64,
    counts: &'a Counts,
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
        let mut page = 0;
        loop {
            if !self.may_ask() {
                return true;
            }
            let listed = match self.desk.list(self.cx.clients, days, page, self.cx.now()).await {
                Ok(listed) => listed,
                Err(error) => {
                    self.not_listed(&error);
                    return false;
                }
            };
            for complaint in &listed.complaints {
                if self.keep(complaint).await {
                    return true;
                }
            }
            match listed.next {
                Some(next) => page = next,
                None => return false,
            }
        }
    }

    fn not_listed(&self, error: &CallError) {
        Counts::add(&self.counts.errors, 1);
        let (provider, merchant) = (self.desk.provider, &self.desk.merchant);
        match error {
            CallError::Refused(refusal) => {
                telemetry::alarm!("complaints_failed", provider = %provider, merchant, why = %refusal);
            }
            CallError::Unknown(why) => {
                tracing::error!(%provider, merchant, why, "complaints could not be listed");
            }
        }
    }

    /// Keeps what is new of a complaint. True when the budget was spent before.
    async fn keep(&self, listed: &Complaint) -> bool {
        let (desk, id) = (&self.desk, listed.complaint_id.as_str());
        let known = match self.cx.store.complaint(desk.provider, &desk.merchant, id).await {
            Ok(known) => known,
            Err(error) => return self.failed(&error.into()),
        };
        let unfinished = |record: &ComplaintRecord| record.refund.is_some() && record.complaint.state.is_open();
        let record = match known {
            Some(record) if is_same(&record.complaint, listed) && !unfinished(&record) => return false,
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
                    Err(failure) => return self.failed(&failure),
                }
            }
        };
        if unfinished(&record) {
            if !self.may_ask() {
                return true;
            }
            if let Err(failure) = bring_on(self.cx, desk, record).await {
                return self.failed(&failure);
            }
        }
        false
    }

    fn failed(&self, failure: &Failure) -> bool {
        Counts::add(&self.counts.errors, 1);
        let why = failure.private.as_deref().or(failure.says.as_deref()).unwrap_or(failure.code.en);
        tracing::error!(provider = %self.desk.provider, merchant = self.desk.merchant, why, "a complaint could not be stored");
        false
    }
}

/// Whether a list says nothing new of a complaint.
fn is_same(known: &Complaint, listed: &Complaint) -> bool {
    let facts = |c: &Complaint| (c.state, c.awaits_reply, c.times, c.refunded, c.provider_state.clone());
    facts(known) == facts(listed)
}
