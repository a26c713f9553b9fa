//! All that the sandbox remembers: the books, and what falls due in them.

use crate::authorizations::{Authorization, AuthorizationOutcome, AuthorizationState};
use crate::bills::Bills;
use crate::common::mini_program;
use crate::complaints::{Complaint, ComplaintLine, ComplaintState, ComplaintTold, ComplaintUrl, ComplaintWish};
use crate::crypto::{DIGITS, random_text};
use crate::faults::Rules;
use crate::ids;
use crate::ledger::{Refund, RefundOutcome, RefundState, RefundWish, Trade, TradeState};
use crate::merchant::Merchant;
use crate::outbox::{Outbox, ShippingEvent, ShippingPush};
use crate::profile::Profiles;
use crate::provider::{Provider, Wire};
use crate::transfers::{Transfer, TransferOutcome, TransferState};
use crate::wire::LoggedRequest;
use std::any::Any;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// Something that happens by itself at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A refund settles: trade, refund.
    Refund(usize, usize),
    /// A payer types the password: trade.
    Pay(usize),
    /// A transfer that is being taken back is: transfer.
    Cancel(usize),
    /// An authorisation was not given in time: authorisation.
    Overdue(usize),
    /// What was shipped counts as confirmed, and some time later its money is paid out: trade.
    Confirm(usize),
}

/// All that the sandbox remembers.
pub(crate) struct State {
    profiles: Profiles,
    pub(crate) merchants: Vec<Arc<Merchant>>,
    pub(crate) trades: Vec<Trade>,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) authorizations: Vec<Authorization>,
    pub(crate) complaints: Vec<Complaint>,
    /// Where merchants have notices of complaints sent, where a call says so.
    pub(crate) complaint_urls: HashMap<(Provider, String), ComplaintUrl>,
    by_key: HashMap<(Provider, String, String), usize>,
    by_number: HashMap<String, Vec<usize>>,
    by_transaction: HashMap<String, usize>,
    by_refund: HashMap<String, Vec<(usize, usize)>>,
    due: BTreeSet<(i64, Due)>,
    pub(crate) outbox: Outbox,
    pub(crate) rules: Rules,
    pub(crate) bills: Bills,
    pub(crate) log: VecDeque<LoggedRequest>,
    /// Where merchants have their callbacks, as they typed it into the providers' consoles.
    pub(crate) consoles: HashMap<String, (String, String)>,
    /// Who has logged in: application and openid.
    pub(crate) logins: BTreeSet<(String, String)>,
    /// Merchants, by their id in the sandbox, whose message push is in plain mode.
    pub(crate) plain_pushes: BTreeSet<String>,
    /// A payment is known to who takes reports of shipping so long after it was made, s.
    pub(crate) known_after: u64,
    /// Who may be given a share: merchant, type, account.
    pub(crate) receivers: BTreeSet<(String, String, String)>,
    /// Receivers whose shares, or whose returns, fail, and why.
    pub(crate) failing_shares: HashMap<String, String>,
    pub(crate) failing_returns: HashMap<String, String>,
    /// Shares and returns stay under way.
    pub(crate) sharing_held: bool,
    /// The most of a payment that others may be given, per cent.
    pub(crate) share_ratio: u64,
    /// Grows when all access tokens end.
    pub(crate) token_generation: u64,
}

impl State {
    pub(crate) fn new(profiles: Profiles) -> Self {
        Self {
            profiles,
            merchants: Vec::new(),
            trades: Vec::new(),
            transfers: Vec::new(),
            authorizations: Vec::new(),
            complaints: Vec::new(),
            complaint_urls: HashMap::new(),
            by_key: HashMap::new(),
            by_number: HashMap::new(),
            by_transaction: HashMap::new(),
            by_refund: HashMap::new(),
            due: BTreeSet::new(),
            outbox: Outbox::new(profiles),
            rules: Rules::default(),
            bills: Bills::default(),
            log: VecDeque::new(),
            consoles: HashMap::new(),
            logins: BTreeSet::new(),
            plain_pushes: BTreeSet::new(),
            known_after: 10,
            receivers: BTreeSet::new(),
            failing_shares: HashMap::new(),
            failing_returns: HashMap::new(),
            sharing_held: false,
            share_ratio: 30,
            token_generation: 0,
        }
    }

    /// The URL that a merchant typed into a provider's console.
    pub(crate) fn console_url(&self, merchant: &Merchant, provider: Provider) -> Option<String> {
        let (base, id) = self.consoles.get(&merchant.id)?;
        Some(format!("{base}/pay-notify/{}/{id}", provider.name()))
    }

    /// The merchant that is meant: by its id in the sandbox, else the first one.
    pub(crate) fn merchant_named(&self, id: Option<&str>) -> Option<Arc<Merchant>> {
        self.merchants.iter().find(|m| id.is_none_or(|id| m.id == id)).cloned()
    }

    pub(crate) fn merchant(&self, provider: Provider, id: &str) -> Option<Arc<Merchant>> {
        self.merchants.iter().find(|m| m.id_at(provider) == id).cloned()
    }

    /// The keys of the merchant that a provider knows by this id.
    pub(crate) fn account<K: Any + Send + Sync>(&self, provider: Provider, id: &str) -> Option<Arc<K>> {
        self.merchant(provider, id)?.account()
    }

    /// Puts a trade into the books; its number must be new for its merchant.
    pub(crate) fn add(&mut self, trade: Trade) -> usize {
        let at = self.trades.len();
        self.by_key.insert((trade.provider, trade.merchant.clone(), trade.number.clone()), at);
        self.by_number.entry(trade.number.clone()).or_default().push(at);
        if let Some(id) = &trade.transaction_id {
            self.by_transaction.insert(id.clone(), at);
        }
        self.trades.push(trade);
        at
    }

    pub(crate) fn find(&self, provider: Provider, merchant: &str, number: &str) -> Option<usize> {
        self.by_key.get(&(provider, merchant.to_owned(), number.to_owned())).copied()
    }

    pub(crate) fn find_transaction(&self, merchant: &str, id: &str) -> Option<usize> {
        let at = *self.by_transaction.get(id)?;
        (self.trades[at].merchant == merchant).then_some(at)
    }

    /// All trades with this number, whoever's.
    pub(crate) fn all(&self, number: &str) -> &[usize] {
        self.by_number.get(number).map_or(&[], Vec::as_slice)
    }

    /// All refunds with this number, whoever's.
    pub(crate) fn all_refunds(&self, number: &str) -> &[(usize, usize)] {
        self.by_refund.get(number).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn find_refund(&self, provider: Provider, merchant: &str, number: &str) -> Option<(usize, usize)> {
        self.all_refunds(number).iter().copied().find(|(t, _)| {
            let trade = &self.trades[*t];
            trade.provider == provider && trade.merchant == merchant
        })
    }

    /// Lets everything happen that was due by `now`.
    pub(crate) fn tick(&mut self, now: i64) {
        while let Some(&(at, what)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, what));
            match what {
                Due::Refund(t, r) => self.settle(t, r, RefundOutcome::Success, now),
                Due::Pay(t) if self.trades[t].payable() => {
                    let _ = self.paid(t, None, None, now);
                    self.outbox.payment(&self.trades[t], now);
                }
                Due::Pay(_) => {}
                Due::Confirm(t) => self.confirm_shipping(t, now),
                Due::Overdue(a) if self.authorizations[a].state == AuthorizationState::WaitUserConfirm => {
                    self.close_authorization(a, "USER_OVERDUE_UNCONFIRMED", false, now);
                }
                Due::Overdue(_) => {}
                Due::Cancel(t) => drop(self.settle_transfer(t, &TransferOutcome::Cancelled, now)),
            }
        }
    }

    /// Lets the shares and returns of a trade be done whose time has come.
    pub(crate) fn settle_sharing(&mut self, at: usize, now: i64) {
        let (mchid, held) = (self.trades[at].merchant.clone(), self.sharing_held);
        let Some(sharing) = self.trades[at].sharing.as_mut().filter(|_| !held) else { return };
        for share in &mut sharing.shares {
            if !share.finished && now >= share.settles {
                share.finished = true;
                for receiver in share.receivers.iter_mut().filter(|r| r.result == "PENDING") {
                    let key = (mchid.clone(), receiver.kind.clone(), receiver.account.clone());
                    let why = match self.failing_shares.get(&receiver.account) {
                        Some(why) => Some(why.clone()),
                        None if receiver.own || self.receivers.contains(&key) => None,
                        None => Some("NO_RELATION".to_owned()),
                    };
                    receiver.result = if why.is_some() { "CLOSED" } else { "SUCCESS" }.to_owned();
                    receiver.fail_reason = why;
                }
            }
            for made in share.returns.iter_mut().filter(|made| made.result == "PROCESSING") {
                let why = self.failing_returns.get(&made.return_mchid).cloned();
                made.result = if why.is_some() { "FAILED" } else { "SUCCESS" }.to_owned();
                made.fail_reason = why;
            }
        }
    }

    pub(crate) fn next_due(&self) -> Option<i64> {
        let mine = self.due.first().map(|(at, _)| *at);
        [mine, self.outbox.next_due()].into_iter().flatten().min()
    }

    pub(crate) fn schedule(&mut self, at: i64, what: Due) {
        self.due.insert((at, what));
    }

    /// A trade as of `now`: expired ones are closed.
    pub(crate) fn current(&mut self, at: usize, now: i64) -> &mut Trade {
        let trade = &mut self.trades[at];
        if trade.payable() && now >= trade.expires {
            trade.state = TradeState::Closed;
            trade.closed = Some(trade.expires);
        }
        trade
    }

    /// The payer scans or opens it, and a trade that nobody had seen comes to be.
    pub(crate) fn scan(&mut self, at: usize, now: i64) {
        let profile = (self.profiles)(self.trades[at].provider);
        let trade = self.current(at, now);
        if trade.state == TradeState::Unseen {
            trade.state = TradeState::NotPay;
            trade.created = now;
            let id = (profile.transaction_id)(now);
            trade.transaction_id = Some(id.clone());
            self.by_transaction.insert(id, at);
        }
    }

    /// Takes a close back, if nobody has paid.
    pub(crate) fn reopen(&mut self, at: usize, now: i64) {
        let profile = (self.profiles)(self.trades[at].provider);
        let trade = self.current(at, now);
        if trade.state == TradeState::Closed && trade.paid.is_none() {
            trade.state = if trade.transaction_id.is_none() && profile.begins_unseen {
                TradeState::Unseen
            } else {
                TradeState::NotPay
            };
            trade.closed = None;
            trade.expires = trade.expires.max(now + 1);
        }
    }

    /// The payer pays.
    pub(crate) fn paid(
        &mut self,
        at: usize,
        amount: Option<u64>,
        payer: Option<String>,
        now: i64,
    ) -> Result<(), String> {
        self.scan(at, now);
        let profile = (self.profiles)(self.trades[at].provider);
        let trade = self.current(at, now);
        if !trade.payable() {
            return Err(format!("{}: the trade is {}", trade.number, trade.state.name()));
        }
        trade.state = TradeState::Success;
        trade.paid = Some(now);
        trade.paid_amount = amount.filter(|amount| *amount != trade.total);
        if let Some(payer) = payer {
            trade.payer = Some(payer);
        }
        trade.payer.get_or_insert_with(profile.payer);
        let id = trade.transaction_id.get_or_insert_with(|| (profile.transaction_id)(now)).clone();
        self.by_transaction.insert(id, at);
        Ok(())
    }

    /// Enters a refund of a trade under the trade's own wire.
    pub(crate) fn refund_of(&mut self, at: usize, wish: RefundWish, now: i64) -> usize {
        let trade = &self.trades[at];
        let refund = Refund {
            provider: trade.provider,
            merchant: trade.merchant.clone(),
            number: trade.number.clone(),
            out_refund_no: wish.number,
            refund_id: wish.id,
            amount: wish.amount,
            total: trade.amount(),
            state: RefundState::Processing,
            reason: None,
            notify_url: wish.notify_url,
            created: now,
            settled: None,
            wire: trade.wire,
        };
        self.refund(at, refund, wish.settles)
    }

    /// Enters a refund, in PROCESSING; it settles at `settles`, or by hand if that is `None`.
    pub(crate) fn refund(&mut self, at: usize, refund: Refund, settles: Option<i64>) -> usize {
        let trade = &mut self.trades[at];
        let r = trade.refunds.len();
        trade.state = TradeState::Refund;
        self.by_refund.entry(refund.out_refund_no.clone()).or_default().push((at, r));
        trade.refunds.push(refund);
        if let Some(settles) = settles {
            self.schedule(settles, Due::Refund(at, r));
        }
        r
    }

    /// Ends a refund and queues its callback. A settled one stays as it is.
    pub(crate) fn settle(&mut self, at: usize, r: usize, outcome: RefundOutcome, now: i64) {
        let profile = (self.profiles)(self.trades[at].provider);
        let trade = &mut self.trades[at];
        let refund = &mut trade.refunds[r];
        if refund.state != RefundState::Processing {
            return;
        }
        refund.state = match outcome {
            RefundOutcome::Success => RefundState::Success,
            RefundOutcome::Closed => RefundState::Closed,
            RefundOutcome::Abnormal => RefundState::Abnormal,
        };
        refund.settled = Some(now);
        if trade.refunds.iter().all(|r| r.state == RefundState::Closed) {
            trade.state = TradeState::Success;
        }
        if profile.tells_failed_refunds || outcome == RefundOutcome::Success {
            self.outbox.refund(r, &self.trades[at], now);
        }
        self.returned_of_complaints(at, now);
    }
}

impl State {
    /// Queues a push about the shipping of a trade, where its merchant has typed in a URL.
    pub(crate) fn tell_shipping(&mut self, at: usize, event: ShippingEvent, now: i64) {
        let trade = &self.trades[at];
        let Some(merchant) = self.merchant(trade.provider, &trade.merchant) else { return };
        let Some(url) = self.console_url(&merchant, trade.provider) else { return };
        let push = ShippingPush { event, plain: self.plain_pushes.contains(&merchant.id) };
        self.outbox.shipping(&self.trades[at], push, url, now);
    }

    /// What was shipped counts as confirmed; what was confirmed is paid out. Nothing of what went back whole.
    fn confirm_shipping(&mut self, at: usize, now: i64) {
        const DAY: i64 = 86_400_000;
        let trade = &mut self.trades[at];
        let back = trade.returned() >= trade.amount();
        let Some(shipment) = trade.shipment.as_mut().filter(|_| !back) else { return };
        match (shipment.received, shipment.settled) {
            (None, _) => {
                shipment.received = Some(now);
                shipment.by_itself = true;
                self.schedule(now + DAY, Due::Confirm(at));
            }
            (Some(_), None) => {
                shipment.settled = Some(now);
                self.tell_shipping(at, ShippingEvent::Settlement, now);
            }
            (Some(_), Some(_)) => {}
        }
    }

    /// The payer confirms that what was shipped has come.
    pub(crate) fn receive(&mut self, at: usize, now: i64) -> Result<(), String> {
        let shipment = self.trades[at].shipment.as_mut().filter(|shipment| shipment.finished > 0);
        let shipment = shipment.ok_or("nothing is shipped")?;
        shipment.received.get_or_insert(now);
        Ok(())
    }

    /// Pays out what the payer has confirmed, or is taken to have.
    pub(crate) fn settle_shipping(&mut self, at: usize, now: i64) -> Result<(), String> {
        self.receive(at, now)?;
        if let Some(shipment) = &mut self.trades[at].shipment {
            shipment.settled.get_or_insert(now);
        }
        self.tell_shipping(at, ShippingEvent::Settlement, now);
        Ok(())
    }
}

impl State {
    /// Enters a transfer, or finds the same one again; `None` when the number has another content.
    pub(crate) fn transfer(&mut self, transfer: Transfer) -> Option<usize> {
        let same = |known: &Transfer| {
            (known.provider, &known.merchant, &known.number)
                == (transfer.provider, &transfer.merchant, &transfer.number)
        };
        match self.transfers.iter().position(same) {
            Some(at) => (self.transfers[at].request == transfer.request).then_some(at),
            None => {
                self.transfers.push(transfer);
                Some(self.transfers.len() - 1)
            }
        }
    }

    /// Begins to take one back; it is done after some time.
    pub(crate) fn cancel_transfer(&mut self, at: usize, now: i64, done: i64) {
        let transfer = &mut self.transfers[at];
        transfer.state = TransferState::Canceling;
        transfer.updated = now;
        self.schedule(done, Due::Cancel(at));
    }

    /// Ends a transfer and queues its callback, where its request named a URL.
    pub(crate) fn settle_transfer(&mut self, at: usize, outcome: &TransferOutcome, now: i64) -> Result<(), String> {
        let transfer = &mut self.transfers[at];
        let comes_back = *outcome == TransferOutcome::Returned && transfer.state == TransferState::Success;
        if transfer.ended.is_some() && !comes_back {
            return Err(format!("{}: the transfer is {:?}", transfer.number, transfer.state));
        }
        transfer.state = match outcome {
            TransferOutcome::Success => TransferState::Success,
            TransferOutcome::Fail(_) => TransferState::Fail,
            TransferOutcome::Cancelled => TransferState::Cancelled,
            TransferOutcome::Returned => TransferState::Returned,
        };
        if let TransferOutcome::Fail(reason) = outcome {
            transfer.fail_reason = Some(reason.clone());
        }
        transfer.updated = now;
        transfer.ended = Some(now);
        self.outbox.transfer(transfer, now);
        Ok(())
    }
}

impl State {
    /// Closes an authorisation that is not closed, and tells of it where anybody is told.
    pub(crate) fn close_authorization(&mut self, at: usize, reason: &str, told: bool, now: i64) {
        let authorization = &mut self.authorizations[at];
        authorization.state = AuthorizationState::Closed;
        authorization.closed = Some(now);
        authorization.close_reason = Some(reason.to_owned());
        if told {
            self.outbox.authorization(&self.authorizations[at], now);
        }
    }

    /// What the payee does with an authorisation.
    pub(crate) fn settle_authorization(
        &mut self,
        at: usize,
        outcome: AuthorizationOutcome,
        now: i64,
    ) -> Result<(), String> {
        let authorization = &mut self.authorizations[at];
        match (authorization.state, outcome) {
            (AuthorizationState::WaitUserConfirm, AuthorizationOutcome::Confirmed) => {
                authorization.state = AuthorizationState::TakingEffect;
                authorization.id = Some(format!("AUTH{}", ids::transaction_id(now)));
                authorization.authorized = Some(now);
                self.outbox.authorization(&self.authorizations[at], now);
            }
            (AuthorizationState::WaitUserConfirm, AuthorizationOutcome::Overdue) => {
                self.close_authorization(at, "USER_OVERDUE_UNCONFIRMED", false, now);
            }
            (AuthorizationState::TakingEffect, AuthorizationOutcome::Closed) => {
                self.close_authorization(at, "USER_CLOSE", true, now);
            }
            (state, _) => return Err(format!("{}: the authorisation is {state:?}", authorization.number)),
        }
        Ok(())
    }
}

impl State {
    /// The payer of a trade complains of it. Answers the complaint's id.
    pub(crate) fn complain(&mut self, at: usize, wish: &ComplaintWish, now: i64) -> Result<String, String> {
        let trade = &self.trades[at];
        let transaction_id = trade.transaction_id.clone().filter(|_| trade.paid.is_some());
        let digits = if wish.risk { 9 } else { 20 };
        let id = format!("2000000{}", random_text(digits, DIGITS));
        let first = ComplaintLine { at: now, kind: "USER_CREATE_COMPLAINT", text: wish.detail.clone() };
        self.complaints.push(Complaint {
            provider: trade.provider,
            merchant: trade.merchant.clone(),
            id: id.clone(),
            number: trade.number.clone(),
            trade: at,
            transaction_id: transaction_id.ok_or("only a payment can be complained of")?,
            amount: trade.amount(),
            state: ComplaintState::Pending,
            problem_type: wish.problem_type.clone(),
            detail: wish.detail.clone(),
            phone: wish.phone.clone(),
            created: now,
            times: 1,
            awaits_reply: true,
            approved: false,
            process_code: None,
            risk: wish.risk,
            incomplete: wish.incomplete,
            lines: vec![first],
        });
        self.tell_complaint(self.complaints.len() - 1, "CREATE_COMPLAINT", now);
        Ok(id)
    }

    /// The payer says more, or, when the complaint is done with, goes on with it.
    pub(crate) fn complain_more(&mut self, id: &str, text: &str, now: i64) -> Result<(), String> {
        let at = self.complaints.iter().position(|own| own.id == id).ok_or("no such complaint")?;
        let complaint = &mut self.complaints[at];
        let over = complaint.state == ComplaintState::Processed;
        let (kind, action) = match over {
            true => ("USER_CONTINUE_COMPLAINT", "CONTINUE_COMPLAINT"),
            false => ("USER_RESPONSE", "USER_RESPONSE"),
        };
        complaint.lines.push(ComplaintLine { at: now, kind, text: text.to_owned() });
        complaint.awaits_reply = true;
        if over {
            complaint.state = ComplaintState::Pending;
            complaint.times += 1;
            complaint.approved = false;
        }
        self.tell_complaint(at, action, now);
        Ok(())
    }

    /// The merchant grants the refund that is asked for; the complaint is over once the money is back.
    pub(crate) fn approve_complaint(&mut self, at: usize, now: i64) {
        let complaint = &mut self.complaints[at];
        complaint.approved = true;
        complaint.awaits_reply = false;
        complaint.lines.push(ComplaintLine { at: now, kind: "MERCHANT_APPROVE_REFUND", text: String::new() });
        if complaint.state == ComplaintState::Pending {
            complaint.state = ComplaintState::Processing;
        }
        let trade = complaint.trade;
        self.returned_of_complaints(trade, now);
    }

    /// Ends the complaints about a trade whose refund was granted and has arrived.
    fn returned_of_complaints(&mut self, trade: usize, now: i64) {
        if self.trades[trade].returned() == 0 {
            return;
        }
        for at in 0..self.complaints.len() {
            let complaint = &mut self.complaints[at];
            if complaint.trade == trade && complaint.approved && complaint.state != ComplaintState::Processed {
                complaint.end("COMPLAINT_REFUND_RECEIVED_SYSTEM_MESSAGE", "", now);
                self.tell_complaint(at, "SELLER_REFUND", now);
            }
        }
    }

    /// Queues a notice of a complaint, where its merchant is told of complaints.
    pub(crate) fn tell_complaint(&mut self, at: usize, action: &'static str, now: i64) {
        let Some((told, url)) = self.complaint_told(at, action) else { return };
        let trade = self.trades[told.complaint.trade].clone();
        self.outbox.complaint(&trade, told, url, now);
    }

    /// What a notice of a complaint tells, and where.
    pub(crate) fn complaint_told(&self, at: usize, action: &'static str) -> Option<(ComplaintTold, String)> {
        let complaint = self.complaints[at].clone();
        let provider = complaint.provider;
        let merchant = self.merchant(provider, &complaint.merchant)?;
        let (wire, url): (Wire, String) = match provider {
            Provider::WxpayVirtual if action == "CREATE_COMPLAINT" => {
                (mini_program::PUSHED, self.console_url(&merchant, provider)?)
            }
            // Nobody is told of consumers' complaints.
            Provider::Alipay if !complaint.risk => {
                (self.trades[complaint.trade].wire, self.console_url(&merchant, provider)?)
            }
            Provider::Wxpay => {
                let told = self.complaint_urls.get(&(provider, complaint.merchant.clone()))?;
                (told.wire, told.url.clone())
            }
            _ => return None,
        };
        Some((ComplaintTold { complaint, action, wire }, url))
    }
}
