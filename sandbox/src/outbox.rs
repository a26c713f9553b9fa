//! The outbox: callbacks queued, taken for sending, put back on the provider's ladder, accepted or given up.

use crate::authorizations::Authorization;
use crate::complaints::ComplaintTold;
use crate::faults::{Misbehaviour, Op, Rules};
use crate::ledger::Trade;
use crate::profile::Profiles;
use crate::provider::{Provider, Wire};
use crate::transfers::Transfer;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a callback tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallbackKind {
    /// The trade was paid.
    Payment,
    /// A refund was settled.
    Refund,
    /// A transfer ended.
    Transfer,
    /// A payee gave an authorisation, or it was closed.
    Authorization,
    /// The shipping of a trade: overdue while nothing is reported, else how it is settled.
    Shipping,
    /// A complaint: it is new, or something was said or done about it.
    Complaint,
}

/// What is pushed about shipping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShippingEvent {
    /// The mini program has yet to report anything.
    Access,
    /// Nothing was reported for 48 hours.
    Overdue,
    /// It was reported, or the money was paid out.
    Settlement,
}

impl ShippingEvent {
    /// Its name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "trade_manage_remind_access_api",
            Self::Overdue => "trade_manage_remind_shipping",
            Self::Settlement => "trade_manage_order_settlement",
        }
    }
}

/// A push about shipping, and how it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShippingPush {
    pub(crate) event: ShippingEvent,
    /// In plain mode; else in safe mode.
    pub(crate) plain: bool,
}

/// Where a callback stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waits for `next_due`.
    Queued,
    /// On its way.
    Sending,
    /// The merchant said yes.
    Accepted,
    /// The ladder has ended.
    GivenUp,
}

/// A callback in the outbox.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Delivery {
    pub id: u64,
    pub provider: Provider,
    pub merchant: String,
    pub number: String,
    pub out_refund_no: Option<String>,
    pub kind: CallbackKind,
    /// The provider's own id of the notice, the same in all its repetitions.
    pub event_id: String,
    pub url: String,
    pub state: DeliveryState,
    /// How often it was sent.
    pub attempts: u32,
    /// HTTP status and body of the last answer; absent if none came.
    pub last_status: Option<u16>,
    pub last_answer: Option<String>,
    /// Unix ms.
    pub next_due: Option<i64>,
    pub created: i64,
    #[serde(skip)]
    snapshot: Arc<Trade>,
    #[serde(skip)]
    refund: Option<usize>,
    #[serde(skip)]
    transfer: Option<Arc<Transfer>>,
    #[serde(skip)]
    authorization: Option<Arc<Authorization>>,
    #[serde(skip)]
    shipping: Option<ShippingPush>,
    #[serde(skip)]
    complaint: Option<Arc<ComplaintTold>>,
    #[serde(skip)]
    put_off: bool,
    /// As it was last sent: most providers sign each sending anew.
    #[serde(skip)]
    request: Option<Arc<SignedRequest>>,
    /// When it was sent, Unix ms, and the status that came back, if one did.
    #[serde(skip)]
    pub(crate) sent: Vec<(i64, Option<u16>)>,
}

impl Delivery {
    /// What it tells.
    pub(crate) fn notice(&self) -> Notice<'_> {
        Notice {
            trade: &self.snapshot,
            refund: self.refund,
            transfer: self.transfer.as_deref(),
            authorization: self.authorization.as_deref(),
            shipping: self.shipping,
            complaint: self.complaint.as_deref(),
            event_id: &self.event_id,
            created: self.created,
            url: &self.url,
        }
    }
}

/// An HTTP request as it stands, signed and ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct SignedRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl SignedRequest {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn drop_header(&mut self, name: &str) {
        self.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }
}

/// The notice of which a callback is written: what, of which trade, under which id, since when.
pub(crate) struct Notice<'a> {
    pub(crate) trade: &'a Trade,
    pub(crate) refund: Option<usize>,
    /// The transfer, if it is of one; `trade` then says as much of it as the outbox keeps.
    pub(crate) transfer: Option<&'a Transfer>,
    /// The same of a payee's authorisation.
    pub(crate) authorization: Option<&'a Authorization>,
    /// What of its shipping, if it is a push about that.
    pub(crate) shipping: Option<ShippingPush>,
    /// The complaint, if it is of one.
    pub(crate) complaint: Option<&'a ComplaintTold>,
    pub(crate) event_id: &'a str,
    pub(crate) created: i64,
    pub(crate) url: &'a str,
}

impl Notice<'_> {
    /// In which protocol it is written.
    pub(crate) fn wire(&self) -> Wire {
        if self.shipping.is_some() {
            return Wire::PUSH;
        }
        if let Some(told) = self.complaint {
            return told.wire;
        }
        self.refund.map_or(self.trade.wire, |r| self.trade.refunds[r].wire)
    }
}

pub(crate) struct Outbox {
    profiles: Profiles,
    list: Vec<Delivery>,
    pending: BTreeSet<(i64, usize)>,
    held: Vec<usize>,
}

/// A callback taken out for sending.
pub(crate) struct Job {
    pub(crate) at: usize,
    pub(crate) fault: Option<Misbehaviour>,
}

/// How a sending went.
pub(crate) struct Sent {
    /// HTTP status and body; `None` is no answer at all.
    pub(crate) answer: Option<(u16, String)>,
    /// Whether that is the provider's idea of an acknowledgement.
    pub(crate) accepted: bool,
    /// Unix ms.
    pub(crate) at: i64,
}

impl Outbox {
    pub(crate) fn new(profiles: Profiles) -> Self {
        Self { profiles, list: Vec::new(), pending: BTreeSet::new(), held: Vec::new() }
    }

    /// A callback by its place.
    pub(crate) fn get(&self, at: usize) -> &Delivery {
        &self.list[at]
    }

    pub(crate) fn list(&self) -> Vec<Delivery> {
        self.list.clone()
    }

    /// A merchant's callbacks, oldest first.
    pub(crate) fn of(&self, provider: Provider, merchant: &str) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.list.iter().filter(move |own| own.provider == provider && own.merchant == merchant)
    }

    /// Keeps a callback as it went out.
    pub(crate) fn keep(&mut self, at: usize, request: SignedRequest) {
        self.list[at].request = Some(Arc::new(request));
    }

    /// The last callback of a number that went out, as it did; of a refund of it, where one is named.
    pub(crate) fn last(
        &self,
        provider: Provider,
        number: &str,
        out_refund_no: Option<&str>,
    ) -> Option<Arc<SignedRequest>> {
        let own = |d: &&Delivery| {
            let same = d.provider == provider && d.number == number && d.request.is_some();
            same && match out_refund_no {
                Some(refund) => d.out_refund_no.as_deref() == Some(refund),
                None => true,
            }
        };
        self.list.iter().rev().find(own)?.request.clone()
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.pending.first().map(|(due, _)| *due)
    }

    /// Queues the callback of a payment.
    pub(crate) fn payment(&mut self, trade: &Trade, now: i64) -> Option<u64> {
        let url = trade.notify_url.clone()?;
        Some(self.queue(CallbackKind::Payment, trade.as_paid(), None, url, now))
    }

    /// Queues the callback of a settled refund.
    pub(crate) fn refund(&mut self, r: usize, trade: &Trade, now: i64) -> Option<u64> {
        let url = trade.refunds[r].notify_url.clone()?;
        Some(self.queue(CallbackKind::Refund, trade.clone(), Some(r), url, now))
    }

    /// Queues the callback of a transfer.
    pub(crate) fn transfer(&mut self, transfer: &Transfer, now: i64) -> Option<u64> {
        let url = transfer.notify_url.clone()?;
        let id = self.queue(CallbackKind::Transfer, transfer.as_trade(), None, url, now);
        self.list.last_mut()?.transfer = Some(Arc::new(transfer.clone()));
        Some(id)
    }

    /// Queues the callback of an authorisation.
    pub(crate) fn authorization(&mut self, authorization: &Authorization, now: i64) {
        let Some(url) = authorization.notify_url.clone() else { return };
        self.queue(CallbackKind::Authorization, authorization.as_trade(now), None, url, now);
        if let Some(last) = self.list.last_mut() {
            last.authorization = Some(Arc::new(authorization.clone()));
        }
    }

    /// Queues a push about a trade's shipping.
    pub(crate) fn shipping(&mut self, trade: &Trade, push: ShippingPush, url: String, now: i64) {
        self.queue(CallbackKind::Shipping, trade.clone(), None, url, now);
        if let Some(last) = self.list.last_mut() {
            last.shipping = Some(push);
        }
    }

    /// Queues a notice of a complaint.
    pub(crate) fn complaint(&mut self, trade: &Trade, told: ComplaintTold, url: String, now: i64) {
        self.queue(CallbackKind::Complaint, trade.clone(), None, url, now);
        if let Some(last) = self.list.last_mut() {
            last.complaint = Some(Arc::new(told));
        }
    }

    fn queue(&mut self, kind: CallbackKind, trade: Trade, refund: Option<usize>, url: String, now: i64) -> u64 {
        let at = self.list.len();
        let id = at as u64 + 1;
        self.list.push(Delivery {
            id,
            provider: trade.provider,
            merchant: trade.merchant.clone(),
            number: trade.number.clone(),
            out_refund_no: refund.map(|r| trade.refunds[r].out_refund_no.clone()),
            kind,
            event_id: ((self.profiles)(trade.provider).event_id)(now),
            url,
            state: DeliveryState::Queued,
            attempts: 0,
            last_status: None,
            last_answer: None,
            next_due: Some(now),
            created: now,
            snapshot: Arc::new(trade),
            refund,
            transfer: None,
            authorization: None,
            shipping: None,
            complaint: None,
            put_off: false,
            request: None,
            sent: Vec::new(),
        });
        self.pending.insert((now, at));
        id
    }

    fn put_back(&mut self, at: usize, due: i64) {
        let delivery = &mut self.list[at];
        delivery.state = DeliveryState::Queued;
        delivery.next_due = Some(due);
        self.pending.insert((due, at));
    }

    /// The next callback due by `now`. Rules that only put it off are obeyed here.
    pub(crate) fn take(&mut self, now: i64, rules: &mut Rules, hold_ms: i64) -> Option<Job> {
        loop {
            let &(due, at) = self.pending.first().filter(|(due, _)| *due <= now)?;
            self.pending.remove(&(due, at));
            let delivery = &mut self.list[at];
            let refund_no = delivery.out_refund_no.as_deref().unwrap_or_default();
            let fault = rules.take(delivery.provider, Op::Notify, &[&delivery.number, refund_no]);
            match fault {
                Some(Misbehaviour::Delay(ms)) if !delivery.put_off => {
                    delivery.put_off = true;
                    self.put_back(at, now.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)));
                }
                Some(Misbehaviour::Reorder) if !delivery.put_off => {
                    delivery.put_off = true;
                    self.held.push(at);
                    self.put_back(at, now.saturating_add(hold_ms));
                }
                fault => {
                    self.held.retain(|held| *held != at);
                    delivery.state = DeliveryState::Sending;
                    delivery.next_due = None;
                    return Some(Job { at, fault });
                }
            }
        }
    }

    /// Enters how a sending went. The provider's pauses are divided by `divisor`.
    pub(crate) fn record(&mut self, at: usize, sent: Sent, divisor: u64) {
        let Sent { answer, accepted, at: now } = sent;
        let delivery = &mut self.list[at];
        let ladder = (self.profiles)(delivery.provider).retry_ladder;
        let rung = delivery.attempts as usize;
        delivery.attempts += 1;
        delivery.sent.push((now, answer.as_ref().map(|(status, _)| *status)));
        (delivery.last_status, delivery.last_answer) = answer.unzip();
        if accepted || delivery.state == DeliveryState::Accepted {
            delivery.state = DeliveryState::Accepted;
        } else if let Some(seconds) = ladder.get(rung) {
            let pause = i64::try_from((seconds * 1000 / divisor.max(1)).max(1)).unwrap_or(i64::MAX);
            self.put_back(at, now.saturating_add(pause));
        } else {
            delivery.state = DeliveryState::GivenUp;
        }
        for at in std::mem::take(&mut self.held) {
            if let Some(due) = self.list[at].next_due {
                self.pending.remove(&(due, at));
                self.put_back(at, now);
            }
        }
    }
}
