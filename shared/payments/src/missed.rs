//! Notifications that never arrived. Apple keeps them, and hands them out as they were signed; they are read as if
//! they had come.

use super::sweep::{BUDGET, Counts};
use super::{Context, Settled, Source, settle_callback};
use domain::{Code, Failure, Payment, Provider, UnixMs};
use futures::StreamExt;
use providers::Merchant;
use providers::{CallError, Notice, RefundNotice, apple::Mailbox};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How far back a run asks. Apple gives a notification up after three days.
const LOOK_BACK: Duration = Duration::from_hours(7 * 24);
/// Notifications that are taken at once.
const AT_ONCE: usize = 8;

/// Takes the notifications of the week before `clock` that did not arrive, with up to so many calls to
/// providers. `merchant` and `provider` narrow the run. True when something is left.
///
/// # Errors
/// The field's code for an unknown `merchant`. A provider that does not answer, and a notification that cannot be
/// taken, are counted and never stop the run.
pub async fn missed_notices(
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
    if provider.is_some_and(|own| own != Provider::Appleiap) {
        return Ok(false);
    }
    let mut merchants = cx.all_merchants(merchant).await;
    // Runs begin at different merchants, so that a run that ends early starves none of them.
    let minute = usize::try_from(clock.secs().div_euclid(60)).unwrap_or(0);
    let first = minute.checked_rem(merchants.len()).unwrap_or(0);
    merchants.rotate_left(first);
    for merchant in &merchants {
        for mailbox in Mailbox::of(merchant) {
            let run = Run { cx, merchant, mailbox, max_calls, counts };
            if run.empty(clock).await {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The emptying of one mailbox.
struct Run<'a> {
    cx: &'a Context<'a>,
    merchant: &'a Merchant,
    mailbox: Mailbox,
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
    async fn empty(&self, clock: UnixMs) -> bool {
        let from = clock - LOOK_BACK;
        let mut page = None;
        loop {
            if !self.may_ask() {
                return true;
            }
            let missed = match self.mailbox.missed(self.cx.clients, from, clock, page.as_deref(), self.cx.now()).await {
                Ok(missed) => missed,
                Err(CallError::Refused(_)) if self.mailbox.may_be_absent() => return false,
                Err(CallError::Refused(refusal)) => {
                    let merchant = &self.merchant.id;
                    telemetry::alarm!("notices_failed", provider = "appleiap", merchant, why = %refusal);
                    Counts::add(&self.counts.errors, 1);
                    return false;
                }
                Err(CallError::Unknown(why)) => {
                    tracing::error!(merchant = self.merchant.id, why, "missed notifications could not be fetched");
                    Counts::add(&self.counts.errors, 1);
                    return false;
                }
            };
            let taking: Vec<_> = missed.bodies.iter().map(|body| self.take(body)).collect();
            let left: Vec<bool> = futures::stream::iter(taking).buffer_unordered(AT_ONCE).collect().await;
            if left.contains(&true) {
                return true;
            }
            page = missed.next;
            if page.is_none() {
                return false;
            }
        }
    }

    /// Takes one, through the door of the callbacks. True when the budget was spent before.
    async fn take(&self, body: &[u8]) -> bool {
        let settled = match self.mailbox.read(self.merchant, self.cx.clients, body, self.cx.now()).await {
            Ok(Notice::Payment(payment)) => self.pay(&payment).await,
            // Days later, a purchase that went back whole before anybody credited it is no purchase any more.
            Ok(Notice::Refund(back)) if back.share.is_some_and(|share| share >= 100_000) => {
                let back = RefundNotice { number: None, payment: None, ..*back };
                self.settle(&Notice::Refund(Box::new(back))).await.map(Some)
            }
            Ok(notice) => self.settle(&notice).await.map(Some),
            Err(error) => Err(error.to_string()),
        };
        match settled {
            Ok(None) => return true,
            Ok(Some(settled)) => {
                Counts::add(&self.counts.credited, settled.credited.into());
                Counts::add(&self.counts.refunds, settled.refunded.into());
                Counts::add(&self.counts.incidents, settled.incident.into());
            }
            Err(why) => {
                Counts::add(&self.counts.errors, 1);
                tracing::error!(merchant = self.merchant.id, why, "a missed notification could not be processed");
            }
        }
        false
    }

    async fn settle(&self, notice: &Notice) -> Result<Settled, String> {
        let settled = settle_callback(self.cx, notice, Source::Query).await;
        settled.map_err(|failure| failure.private.unwrap_or_else(|| failure.code.en.to_owned()))
    }

    /// Credits a purchase that still counts; the notification may be days old. `None` when the budget does not reach
    /// for asking.
    async fn pay(&self, payment: &Payment) -> Result<Option<Settled>, String> {
        let (store, id) = (self.cx.store, &payment.transaction_id);
        let there = payment.number_there();
        for number in [id, &there] {
            if store
                .order_of_transaction(payment.provider, &payment.merchant, number)
                .await
                .map_err(|e| e.to_string())?
                .is_some()
            {
                return Ok(Some(Settled::default()));
            }
        }
        if !self.may_ask() {
            return Ok(None);
        }
        match self.mailbox.stands(self.cx.clients, &there, self.cx.now()).await {
            Ok(true) => self.settle(&Notice::Payment(Box::new(payment.clone()))).await.map(Some),
            Ok(false) => {
                tracing::info!(transaction_id = id, "a missed notification of a purchase that was taken back");
                Ok(Some(Settled::default()))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}
