//! The outbox: callbacks queued, sent, repeated on the provider's ladder, accepted or given up.

use crate::crypto::ALNUM;
use crate::faults::{Misbehaviour, Op, Rules};
use crate::keys::Merchant;
use crate::ledger::{Provider, Trade, TradeState, Wire};
use crate::{Sandbox, alipay, apple, crypto, douyin, forgery, huawei, ids, virtual_pay, vkspay, wechat};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// WeChat Pay repeats after these many seconds, 24 h 4 min in all (wechat.md section 3).
const WXPAY_LADDER: [u64; 15] = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];
/// Alipay repeats after these (alipay.md 1.7).
const ALIPAY_LADDER: [u64; 7] = [240, 600, 600, 3600, 7200, 21600, 54000];

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
    put_off: bool,
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
    pub(crate) event_id: &'a str,
    pub(crate) created: i64,
    pub(crate) url: &'a str,
}

impl Notice<'_> {
    /// Writes and signs it as the provider does, as of `now`.
    pub(crate) fn sign(&self, merchant: &Merchant, now: i64) -> SignedRequest {
        let wire = self.refund.map_or(self.trade.wire, |r| self.trade.refunds[r].wire);
        match wire {
            Wire::V3 | Wire::V3Cert => wechat::notify::v3(self, merchant, now),
            Wire::V2Md5 | Wire::V2Hmac => wechat::notify::v2(self, merchant),
            Wire::Key | Wire::Cert => alipay::notify::form(self, merchant, now),
            Wire::Apple => apple::notify(self, merchant, now),
            Wire::Vkspay | Wire::EpayMd5 | Wire::EpayRsa => vkspay::notify(self, merchant, now),
            Wire::VirtualPlain | Wire::VirtualSafe => virtual_pay::notify(self, merchant, now),
            Wire::Ecpay | Wire::TradeSystem | Wire::Douyinpay => douyin::notify(self, merchant, now),
            Wire::Huawei | Wire::HuaweiIap => huawei::notify(self, merchant, now),
        }
    }
}

/// A fresh id of a notice.
pub(crate) fn event_id(provider: Provider, now: i64) -> String {
    match provider {
        Provider::Alipay => {
            format!("{}222{}", &ids::compact(now)[..8], crypto::random_text(23, ALNUM).to_lowercase())
        }
        _ => ids::uuid(),
    }
}

/// The trade as a payment callback tells it: paid, nothing refunded yet.
pub(crate) fn as_paid(trade: &Trade) -> Trade {
    Trade { state: TradeState::Success, refunds: Vec::new(), ..trade.clone() }
}

#[derive(Default)]
pub(crate) struct Outbox {
    list: Vec<Delivery>,
    pending: BTreeSet<(i64, usize)>,
    held: Vec<usize>,
}

/// A callback taken out for sending.
pub(crate) struct Job {
    at: usize,
    fault: Option<Misbehaviour>,
}

impl Outbox {
    pub(crate) fn list(&self) -> Vec<Delivery> {
        self.list.clone()
    }

    /// A merchant's callbacks, oldest first.
    pub(crate) fn of(&self, provider: Provider, merchant: &str) -> impl DoubleEndedIterator<Item = &Delivery> {
        self.list.iter().filter(move |own| own.provider == provider && own.merchant == merchant)
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        self.pending.first().map(|(due, _)| *due)
    }

    /// Queues the callback of a payment.
    pub(crate) fn payment(&mut self, trade: &Trade, now: i64) -> Option<u64> {
        let url = trade.notify_url.clone()?;
        Some(self.queue(CallbackKind::Payment, as_paid(trade), None, url, now))
    }

    /// Queues the callback of a settled refund.
    pub(crate) fn refund(&mut self, r: usize, trade: &Trade, now: i64) -> Option<u64> {
        let url = trade.refunds[r].notify_url.clone()?;
        Some(self.queue(CallbackKind::Refund, trade.clone(), Some(r), url, now))
    }

    /// Queues the callback of a transfer, given as [`crate::Transfer::told`] writes it.
    pub(crate) fn transfer(&mut self, told: Trade, now: i64) -> Option<u64> {
        let url = told.notify_url.clone()?;
        Some(self.queue(CallbackKind::Transfer, told, None, url, now))
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
            event_id: event_id(trade.provider, now),
            url,
            state: DeliveryState::Queued,
            attempts: 0,
            last_status: None,
            last_answer: None,
            next_due: Some(now),
            created: now,
            snapshot: Arc::new(trade),
            refund,
            put_off: false,
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

    /// Enters how a sending went; `None` is no answer at all.
    fn record(&mut self, at: usize, answer: Option<(u16, String)>, now: i64, divisor: u64) {
        let delivery = &mut self.list[at];
        let ladder: &[u64] = match delivery.provider {
            Provider::Wxpay => &WXPAY_LADDER,
            Provider::Alipay => &ALIPAY_LADDER,
            Provider::Appleiap => apple::LADDER,
            Provider::Vkspay => vkspay::LADDER,
            Provider::WxpayVirtual => virtual_pay::LADDER,
            Provider::Douyin => douyin::LADDER,
            Provider::Huawei => huawei::LADDER,
        };
        let rung = delivery.attempts as usize;
        delivery.attempts += 1;
        delivery.sent.push((now, answer.as_ref().map(|(status, _)| *status)));
        let accepted = answer.as_ref().is_some_and(|(status, body)| accepted(delivery, *status, body));
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

/// The provider's own rule of what counts as an acknowledgement.
fn accepted(delivery: &Delivery, status: u16, body: &str) -> bool {
    let wire = delivery.refund.map_or(delivery.snapshot.wire, |r| delivery.snapshot.refunds[r].wire);
    match wire {
        Wire::V3 | Wire::V3Cert => matches!(status, 200 | 204),
        Wire::V2Md5 | Wire::V2Hmac => {
            status == 200
                && wechat::xml::parse(body.as_bytes())
                    .is_ok_and(|map| map.get("return_code").is_some_and(|code| code == "SUCCESS"))
        }
        Wire::Key | Wire::Cert => status == 200 && body == "success",
        Wire::Apple => apple::accepted(status, body),
        Wire::Vkspay | Wire::EpayMd5 | Wire::EpayRsa => vkspay::accepted(status, body),
        Wire::VirtualPlain | Wire::VirtualSafe => virtual_pay::accepted(status, body),
        Wire::Ecpay | Wire::TradeSystem | Wire::Douyinpay => douyin::accepted(status, body),
        Wire::Huawei | Wire::HuaweiIap => huawei::accepted(status, body),
    }
}

impl Sandbox {
    /// Takes the next callback due by `now` out of the outbox, after everything else that was due has happened.
    pub(crate) fn take_job(&self, now: i64) -> Option<Job> {
        let hold = i64::try_from(15_000 / self.inner.options.retry_divisor.max(1)).unwrap_or(15_000).max(1);
        let mut state = self.state();
        state.tick(now);
        let crate::ledger::State { outbox, rules, .. } = &mut *state;
        outbox.take(now, rules, hold)
    }

    /// Sends one callback, with its fault, and enters the outcome.
    pub(crate) async fn perform(&self, job: Job, now: i64) {
        let Job { at, fault } = job;
        let (delivery, merchant) = {
            let state = self.state();
            let delivery = state.outbox.list[at].clone();
            let merchant = state.merchant(delivery.provider, &delivery.merchant);
            (delivery, merchant)
        };
        let Some(merchant) = merchant else {
            return;
        };
        let mut signed = delivery.notice().sign(&merchant, self.now());
        match fault {
            Some(Misbehaviour::BadSignature) => signed = self.forge(signed, forgery::Forgery::BadSignature),
            Some(Misbehaviour::NoSignature) => signed = self.forge(signed, forgery::Forgery::NoSignature),
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
        self.state().outbox.record(at, answer, now, self.inner.options.retry_divisor);
    }
}
