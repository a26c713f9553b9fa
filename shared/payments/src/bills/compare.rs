//! One comparison: the table's payments and refunds of a day against the lines of the bills.

use super::books::{Books, Paid, Reversed};
use super::{BillsReply, CALLS, Job, PATIENCE};
use crate::holder::find_order;
use crate::incident_record::ring;
use crate::query::{Asked, ask};
use crate::settled::ELSEWHERE;
use crate::{Context, Source, refund as refunds};
use domain::{Attempt, AttemptState, Code, Failure, Fen, Order, Refund, RefundState};
use providers::bill::{BilledPayment, BilledRefund};
use providers::{Account, CallError, RefundProgress, RefundStanding};
use serde_json::{Value, json};
use std::collections::HashSet;
use store::{BillReport, HistoryEntry, Incident, IncidentName, PaidEntry, Recording, RefundedEntry, SHARDS};

/// How often a refund that was found is counted on a fresh order.
const ROUNDS: usize = 5;

/// See the module.
pub(super) struct Comparison<'a, 'b> {
    pub(super) cx: &'a Context<'b>,
    pub(super) job: &'a Job<'a>,
    pub(super) accounts: &'a [Account],
    pub(super) reply: &'a mut BillsReply,
    pub(super) report: BillReport,
    /// Payments and refunds that the budget left out.
    pub(super) unasked: u64,
    /// Payments that nobody was credited for, and that went back by our own reversal.
    pub(super) gone: HashSet<Box<str>>,
}

impl Comparison<'_, '_> {
    /// Finds and records every difference.
    pub(super) async fn run(&mut self, mut books: Books) -> Result<(), Failure> {
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
            if let Some(reversed) = books.reversed.get_mut(&transaction_id) {
                reversed.paid = paid.total;
                continue;
            }
            let line = BilledPayment { number, transaction_id, total: paid.total, sub_mch_id: paid.sub_mch_id };
            self.only_billed(&line, paid.speaks).await?;
        }
        for reversed in books.reversed.into_values() {
            self.only_billed_reversal(&reversed).await?;
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
            ring(&incident);
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
        let reversed = books.reversed.contains_key(&key.0);
        let (name, actual) = match books.payments.remove(&key) {
            Some(Paid { sub_mch_id: Some(named), .. }) if Some(&*named) != entry.sub_mchid.as_deref() => {
                return self.other_payee(no, &entry.transaction_id, entry.sub_mchid.as_deref(), &named).await;
            }
            Some(line) if line.total != entry.total_fee => (IncidentName::BillAmount, json!(line.total)),
            // The provider took it back; the order is still delivered.
            _ if reversed => {
                books.reversed.remove(&key.0);
                (IncidentName::BillRefund, json!("REVOKED"))
            }
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

    /// A payment that another sub-merchant got than the order's.
    async fn other_payee(&mut self, no: &str, id: &str, own: Option<&str>, named: &str) -> Result<(), Failure> {
        let incident = Incident {
            expected: Some(json!({ "sub_mchid": own })),
            actual: Some(json!({ "sub_mchid": named })),
            ..self.incident(IncidentName::MerchantMismatch, no, Some(id))
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
        match self.cx.store.order_of_transaction(self.job.provider, &self.job.merchant.id, transaction_id).await? {
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
            let own = attempt.and_then(|attempt| attempt.sub_mchid.as_deref());
            if let (Some(_), Some(named)) = (attempt, line.sub_mch_id.as_deref().filter(|named| Some(*named) != own)) {
                return self.other_payee(&order.out_trade_no, &line.transaction_id, own, named).await;
            }
            if attempt.is_some() && order.total_fee == line.total {
                return Ok(cx.store.payment_billed(provider, merchant, &line.transaction_id, self.job.day).await?);
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
            match self.own_reversal(order, &line.number).await? {
                Some(attempt) if self.has_gone_back(order, attempt, &line.transaction_id).await? => return Ok(()),
                Some(_) => {}
                None => self.credit(order, line).await?,
            }
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

    /// The attempt of a number, if it is a pay code that we know to be reversed: we asked for it, or its provider has
    /// told.
    async fn own_reversal<'o>(&self, order: &'o Order, number: &str) -> Result<Option<&'o Attempt>, Failure> {
        let Some(attempt) = order.attempt_for(self.job.provider, &self.job.merchant.id, number) else {
            return Ok(None);
        };
        let told = attempt.state == AttemptState::Closed
            && self.cx.find_gateway(attempt).await?.is_some_and(|gateway| gateway.reverses());
        Ok(Some(attempt).filter(|a| a.state != AttemptState::Paid && (a.reversing.is_some() || told)))
    }

    /// Whether a payment through a reversed pay code has gone back, as its provider says now; also when that is left to
    /// the next run, for want of calls. What it has still is credited, or an incident.
    async fn has_gone_back(&mut self, order: &Order, attempt: &Attempt, id: &str) -> Result<bool, Failure> {
        if self.gone.contains(id) {
            return Ok(true);
        }
        if !self.may_ask() {
            return Ok(true);
        }
        match ask(self.cx, order, attempt, Source::Query).await {
            Ok(Asked::Closed) => {
                self.gone.insert(id.into());
                return Ok(true);
            }
            Ok(Asked::Paid | Asked::Unpaid { .. } | Asked::Misfit { .. }) => {}
            Ok(Asked::Unknown { .. }) => self.reply.errors += 1,
            Err(failure) => self.unanswered(&order.out_trade_no, &failure),
        }
        if self.credited(id).await?.is_some() {
            self.reply.credited += 1;
            self.cx.store.payment_billed(self.job.provider, &self.job.merchant.id, id, self.job.day).await?;
        }
        Ok(false)
    }

    /// A reversal of the bill. One that we asked for, of a payment that nobody was credited for, is in order.
    async fn only_billed_reversal(&mut self, reversed: &Reversed) -> Result<(), Failure> {
        let (cx, job, line) = (self.cx, self.job, &reversed.line);
        let (provider, merchant) = (job.provider, &job.merchant.id);
        let credited = self.credited(&line.transaction_id).await?;
        if credited.is_none() && cx.store.incident_of_payment(provider, &line.transaction_id).await?.is_some() {
            return Ok(());
        }
        let order = match credited {
            Some(order) => Some(order),
            None => find_order(cx, provider, merchant, &line.number).await?,
        };
        let foreign = match &order {
            Some(order) => self.is_of_another(order, &line.number),
            None => !reversed.speaks,
        };
        if foreign {
            self.not_ours(Fen::ZERO, Fen::ZERO);
            if reversed.paid > Fen::ZERO {
                self.not_ours(reversed.paid, Fen::ZERO);
            }
            return Ok(());
        }
        if let Some(order) = &order
            && self.own_reversal(order, &line.number).await?.is_some()
        {
            return Ok(());
        }
        let incident = Incident {
            expected: order.as_ref().map(|order| json!(order.trade_state)),
            actual: Some(json!("REVOKED")),
            ..self.incident(
                IncidentName::BillRefund,
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
            Ok(Asked::Paid | Asked::Closed | Asked::Unpaid { .. } | Asked::Misfit { .. }) => {}
            Ok(Asked::Unknown { .. }) => self.reply.errors += 1,
            Err(failure) => self.unanswered(&order.out_trade_no, &failure),
        }
        if self.credited(&line.transaction_id).await?.is_some() {
            self.reply.credited += 1;
            cx.store
                .payment_billed(self.job.provider, &self.job.merchant.id, &line.transaction_id, self.job.day)
                .await?;
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
        let counted = if line.success { line.refund } else { Fen::ZERO };
        if let Some(refund) = self.refund_of(line).await? {
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
        // Where a reversal is a refund on the bill (Alipay).
        let reversed = match &order {
            Some(order) => self.own_reversal(order, &line.number).await?.map(|attempt| (order, attempt)),
            None => None,
        };
        if let Some((order, attempt)) = reversed
            && order.transaction_id.as_deref() != Some(&*line.transaction_id)
            && self.has_gone_back(order, attempt, &line.transaction_id).await?
        {
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

    /// The refund of the table that a line of the bill is about: by its number, and where numbers are a payment's by
    /// that payment too.
    async fn refund_of(&self, line: &BilledRefund) -> Result<Option<Refund>, Failure> {
        let (cx, provider, merchant) = (self.cx, self.job.provider, &self.job.merchant.id);
        let number = line.out_refund_no.as_ref();
        if number.is_empty() {
            return Ok(None);
        }
        if !provider.numbers_refunds_by_payment() {
            return Ok(match cx.store.order_of_refund_number(provider, merchant, number).await? {
                Some(no) => cx.store.refund(&no, number).await?,
                None => None,
            });
        }
        let Some(order) = find_order(cx, provider, merchant, &line.number).await? else { return Ok(None) };
        let attempt = order.attempt_for(provider, merchant, &line.number).map(|attempt| attempt.n);
        let refund = cx.store.refund(&order.out_trade_no, number).await?;
        Ok(refund.filter(|refund| Some(refund.attempt) == attempt))
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
            self.settle(refund, line).await?;
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

    /// Asks the provider about a refund of ours. What its query does not know has ended as the bill says.
    async fn settle(&mut self, refund: &Refund, line: &BilledRefund) -> Result<(), Failure> {
        let cx = self.cx;
        let Some(order) = cx.store.order(&refund.out_trade_no).await? else { return Ok(()) };
        if !self.may_ask() {
            return Ok(());
        }
        let standing = match order.attempt(refund.attempt) {
            Some(attempt) => self.standing(&order, attempt, refund).await,
            None => None,
        };
        let Some(standing) = standing else { return Ok(()) };
        let (standing, source) = match line.success && !standing.is_known() {
            false => (standing, Source::Query),
            true => {
                let by_bill = RefundStanding {
                    refund_id: line.refund_id.as_deref().map(str::to_owned),
                    refund: Some(line.refund),
                    transaction_id: Some(line.transaction_id.to_string()),
                    ..RefundStanding::new(RefundProgress::Success)
                };
                (by_bill, Source::Bill)
            }
        };
        let (_, settled) = refunds::apply(cx, &order, refund, &standing, source).await?;
        if settled.state == RefundState::Success {
            self.reply.refunds += 1;
            cx.store.refund_billed(refund, self.job.day).await?;
        }
        Ok(())
    }

    /// What the provider says of a refund, when it says something.
    async fn standing(&mut self, order: &Order, attempt: &Attempt, refund: &Refund) -> Option<RefundStanding> {
        let cx = self.cx;
        let asked = match cx.gateway(attempt).await {
            Ok(gateway) => gateway.query_refund(cx.clients, order, attempt, refund, cx.now()).await,
            Err(failure) => {
                self.unanswered(&order.out_trade_no, &failure);
                return None;
            }
        };
        match asked {
            Ok(standing) => Some(standing),
            Err(CallError::Refused(_)) => None,
            Err(unknown) => {
                self.unanswered(&order.out_trade_no, &unknown.unanswered());
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
            refund_id: line.refund_id.as_deref().map(str::to_owned),
            refund_desc: ELSEWHERE.to_owned(),
            state: RefundState::Success,
            ..Refund::begun(order, attempt, line.out_refund_no.to_string(), line.refund, cx.now())
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
            let entry = HistoryEntry::new("refunded", Source::Bill.name(), cx.now())
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
