//! Callbacks on their way: built, spoilt, sent, repeated.

use crate::authorizations::Authorization;
use crate::desk::Desk;
use crate::desks;
use crate::faults::Misbehaviour;
use crate::forgery::Forgery;
use crate::outbox::{CallbackKind, Job, Notice, Sent, ShippingEvent, ShippingPush, SignedRequest};
use crate::provider::Provider;
use crate::sandbox::{Inner, Sandbox};
use crate::state::State;
use std::sync::{Arc, Weak};
use std::time::Duration;

fn desk_of(callback: &SignedRequest) -> Option<&'static dyn Desk> {
    desks::all().find(|desk| desk.wrote(callback))
}

impl Forgery {
    /// Whether a callback can be spoilt this way.
    pub fn fits(self, callback: &SignedRequest) -> bool {
        desk_of(callback).map_or(self != Self::OldTimestamp, |desk| desk.fits(callback, self))
    }
}

impl Sandbox {
    /// Spoils a callback made by [`Self::build_callback`].
    ///
    /// # Panics
    /// If the request is no callback of a registered merchant, or cannot be spoilt this way: see [`Forgery::fits`]. A
    /// forgery that changes nothing would prove nothing.
    pub fn forge(&self, request: SignedRequest, how: Forgery) -> SignedRequest {
        assert!(how.fits(&request), "{how:?} does not fit this callback");
        let mut forged = request.clone();
        desk_of(&request).expect("a callback of a provider").forge(self, &mut forged, how);
        let parts = |r: &SignedRequest| (r.url.clone(), r.headers.clone(), r.body.clone());
        assert_ne!(parts(&forged), parts(&request), "{how:?} has changed nothing");
        forged
    }

    /// The genuine callback of a paid trade (`number` is its out_trade_no), of an ended transfer, of an authorisation that was given or closed, or of a settled refund (`number` is its
    /// out_refund_no, or the out_trade_no for the latest), freshly signed and not sent.
    ///
    /// # Panics
    /// If there is no such payment or refund; [`Self::try_build_callback`] says so instead.
    pub fn build_callback(&self, number: &str, kind: CallbackKind) -> SignedRequest {
        self.try_build_callback(number, kind).expect("a paid trade or a refund with this number")
    }

    /// [`Self::build_callback`] without the panic.
    ///
    /// # Errors
    /// That there is nothing of this number to tell.
    pub fn try_build_callback(&self, number: &str, kind: CallbackKind) -> Result<SignedRequest, String> {
        self.callback_of(None, number, kind)
    }

    /// The same at one provider, where several know the number.
    ///
    /// # Errors
    /// That there is nothing of this number to tell.
    pub fn callback_of(
        &self,
        provider: Option<Provider>,
        number: &str,
        kind: CallbackKind,
    ) -> Result<SignedRequest, String> {
        let now = self.now();
        let mut state = self.state();
        state.tick(now);
        let (at, refund) = match kind {
            CallbackKind::Transfer => {
                let transfer = state.transfers.iter().rev().find(|t| t.number == number && t.ended.is_some());
                let transfer = transfer.ok_or("no such transfer that has ended")?;
                let notice = Notice {
                    trade: &transfer.as_trade(),
                    refund: None,
                    transfer: Some(transfer),
                    authorization: None,
                    shipping: None,
                    complaint: None,
                    event_id: &(desks::of(transfer.provider).profile().event_id)(now),
                    created: now,
                    url: transfer.notify_url.as_deref().ok_or("no notify_url was given")?,
                };
                return sign(&state, &notice, now);
            }
            CallbackKind::Authorization => {
                let settled = |a: &&Authorization| a.number == number && (a.authorized.is_some() || a.closed.is_some());
                let authorization = state.authorizations.iter().rev().find(settled).ok_or("no such authorisation")?;
                let notice = Notice {
                    trade: &authorization.as_trade(now),
                    refund: None,
                    transfer: None,
                    authorization: Some(authorization),
                    shipping: None,
                    complaint: None,
                    event_id: &(desks::of(authorization.provider).profile().event_id)(now),
                    created: now,
                    url: authorization.notify_url.as_deref().ok_or("no notify_url was given")?,
                };
                return sign(&state, &notice, now);
            }
            CallbackKind::Shipping => {
                let mut all = state.all(number).iter().rev().copied();
                let kept = |at: &usize| state.trades[*at].shipment.is_some() && state.trades[*at].paid.is_some();
                return push_of(&state, all.find(kept).ok_or("no money of such a trade is kept")?, now);
            }
            CallbackKind::Complaint => return complaint_of(&state, number, now),
            CallbackKind::Payment => {
                let mut all = state.all(number).iter().rev().copied();
                let meant = |at: &usize| {
                    let trade = &state.trades[*at];
                    trade.paid.is_some() && provider.is_none_or(|provider| provider == trade.provider)
                };
                (all.find(meant).ok_or("no such paid trade")?, None)
            }
            CallbackKind::Refund => {
                let by_refund = state.all_refunds(number).last().copied();
                let by_trade = || {
                    let all = state.all(number).iter().rev();
                    all.copied().find_map(|t| Some((t, state.trades[t].refunds.len().checked_sub(1)?)))
                };
                let (t, r) = by_refund.or_else(by_trade).ok_or("no such refund")?;
                (t, Some(r))
            }
        };
        told_of(&state, at, refund, now)
    }

    /// The genuine callback of one refund of a trade, by its place among the trade's refunds: where numbers are a
    /// trade's, a refund of the console may have none.
    ///
    /// # Errors
    /// When there is no such refund.
    pub fn callback_of_refund(&self, provider: Provider, number: &str, place: usize) -> Result<SignedRequest, String> {
        let now = self.now();
        let state = self.state();
        let own = |at: &usize| {
            let trade = &state.trades[*at];
            trade.provider == provider && place < trade.refunds.len()
        };
        let at = state.all(number).iter().copied().find(own).ok_or("no such refund")?;
        told_of(&state, at, Some(place), now)
    }

    /// The last callback of a trade that went out, byte for byte; of one of its refunds, where that is named.
    pub fn last_sent(&self, provider: Provider, number: &str, out_refund_no: Option<&str>) -> Option<SignedRequest> {
        self.state().outbox.last(provider, number, out_refund_no).map(|request| (*request).clone())
    }

    /// Sends what is due by `now_ms`, one after the other, and says how many sendings that were.
    pub async fn deliver_due(&self, now_ms: i64) -> usize {
        let mut sent = 0;
        while let Some(job) = self.take_job(now_ms) {
            self.perform(job, now_ms).await;
            sent += 1;
        }
        sent
    }

    /// Takes the next callback due by `now` out of the outbox, after everything else that was due has happened.
    fn take_job(&self, now: i64) -> Option<Job> {
        let hold = i64::try_from(15_000 / self.options().retry_divisor.max(1)).unwrap_or(15_000).max(1);
        let mut state = self.state();
        state.tick(now);
        let State { outbox, rules, .. } = &mut *state;
        outbox.take(now, rules, hold)
    }

    /// Sends one callback, with its fault, and enters the outcome.
    async fn perform(&self, job: Job, now: i64) {
        let Job { at, fault } = job;
        let (delivery, merchant) = {
            let state = self.state();
            let delivery = state.outbox.get(at).clone();
            let merchant = state.merchant(delivery.provider, &delivery.merchant);
            (delivery, merchant)
        };
        let Some(merchant) = merchant else {
            return;
        };
        let (desk, notice) = (desks::of(delivery.provider), delivery.notice());
        let mut signed = desk.notify(&notice, &merchant, self.now());
        match fault {
            Some(Misbehaviour::BadSignature) => signed = self.forge(signed, Forgery::BadSignature),
            Some(Misbehaviour::NoSignature) => signed = self.forge(signed, Forgery::NoSignature),
            Some(Misbehaviour::Duplicate(copies)) => {
                for _ in 0..copies {
                    let _ = self.send(&signed).await;
                }
            }
            _ => {}
        }
        let answer = match fault {
            Some(Misbehaviour::Lose | Misbehaviour::DropConnection | Misbehaviour::TimeoutBefore(_)) => None,
            Some(Misbehaviour::TimeoutAfterCommit(_)) => {
                let _ = self.send(&signed).await;
                None
            }
            _ => self.send(&signed).await.ok(),
        };
        let accepted = answer.as_ref().is_some_and(|(status, body)| desk.accepted(notice.wire(), *status, body));
        let mut state = self.state();
        state.outbox.keep(at, signed);
        state.outbox.record(at, Sent { answer, accepted, at: now }, self.options().retry_divisor);
    }

    /// Starts the background task once there is a runtime; it ends with the last clone of the sandbox.
    pub(crate) fn start_delivery(&self) {
        if !self.options().auto_deliver {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if self.begins_delivering() {
            runtime.spawn(deliver_forever(Arc::downgrade(&self.inner)));
        }
    }
}

/// A push about the shipping of a trade, freshly signed.
fn push_of(state: &State, at: usize, now: i64) -> Result<SignedRequest, String> {
    let trade = &state.trades[at];
    let merchant = state.merchant(trade.provider, &trade.merchant).ok_or("the merchant is gone")?;
    let event = if trade.is_kept_unshipped() { ShippingEvent::Overdue } else { ShippingEvent::Settlement };
    let notice = Notice {
        trade,
        refund: None,
        transfer: None,
        authorization: None,
        shipping: Some(ShippingPush { event, plain: state.plain_pushes.contains(&merchant.id) }),
        complaint: None,
        event_id: &(desks::of(trade.provider).profile().event_id)(now),
        created: now,
        url: &state.console_url(&merchant, trade.provider).ok_or("no URL is typed into the console")?,
    };
    sign(state, &notice, now)
}

/// A notice of a complaint, by its id, freshly signed.
fn complaint_of(state: &State, id: &str, now: i64) -> Result<SignedRequest, String> {
    let at = state.complaints.iter().rposition(|own| own.id == id).ok_or("no such complaint")?;
    let action = if state.complaints[at].lines.len() > 1 { "USER_RESPONSE" } else { "CREATE_COMPLAINT" };
    let (told, url) = state.complaint_told(at, action).ok_or("nobody is told of complaints")?;
    let trade = &state.trades[told.complaint.trade];
    let notice = Notice {
        trade,
        refund: None,
        transfer: None,
        authorization: None,
        shipping: None,
        complaint: Some(&told),
        event_id: &(desks::of(trade.provider).profile().event_id)(now),
        created: now,
        url: &url,
    };
    sign(state, &notice, now)
}

/// A callback of a trade or of its refund, freshly signed.
fn told_of(state: &State, at: usize, refund: Option<usize>, now: i64) -> Result<SignedRequest, String> {
    let trade = &state.trades[at];
    let url = refund.map_or(&trade.notify_url, |r| &trade.refunds[r].notify_url);
    let told = if refund.is_some() { trade.clone() } else { trade.as_paid() };
    let desk = desks::of(trade.provider);
    let notice = Notice {
        trade: &told,
        refund,
        transfer: None,
        authorization: None,
        shipping: None,
        complaint: None,
        event_id: &(desk.profile().event_id)(now),
        created: now,
        url: url.as_deref().ok_or("no notify_url was given")?,
    };
    sign(state, &notice, now)
}

/// Writes and signs a notice as its provider does.
fn sign(state: &State, notice: &Notice<'_>, now: i64) -> Result<SignedRequest, String> {
    let provider = notice.trade.provider;
    let merchant = state.merchant(provider, &notice.trade.merchant).ok_or("the merchant is gone")?;
    Ok(desks::of(provider).notify(notice, &merchant, now))
}

async fn deliver_forever(inner: Weak<Inner>) {
    let lanes = Arc::new(tokio::sync::Semaphore::new(64));
    loop {
        let pause = {
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let sandbox = Sandbox { inner };
            let now = sandbox.now();
            while let Ok(lane) = Arc::clone(&lanes).try_acquire_owned() {
                let Some(job) = sandbox.take_job(now) else {
                    break;
                };
                let sandbox = sandbox.clone();
                tokio::spawn(async move {
                    sandbox.perform(job, now).await;
                    drop(lane);
                });
            }
            let due = sandbox.state().next_due().map_or(i64::MAX, |due| due.saturating_sub(sandbox.now()));
            u64::try_from(due.clamp(1, 20)).unwrap_or(20)
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}
