//! Incidents: money that does not fit an order, for the operator.

use super::item::{Expression, Item, Key, attribute, item_of, plain, shape_of};
use super::{HistoryEntry, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::TransactWriteItem;
use crypto::hash;
use domain::{Fen, Payment, Provider, Refund, RefundState, Task, TaskName, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The name of an incident, as in the table of `docs/incidents.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentName {
    /// A payment of an order that was closed.
    LatePayment,
    /// A second payment of a paid order.
    SecondPayment,
    /// Another amount than the order's.
    AmountMismatch,
    /// Another currency.
    CurrencyMismatch,
    /// Another merchant.
    MerchantMismatch,
    /// Another application.
    AppMismatch,
    /// A payment of an order that the table does not know.
    UnknownOrder,
    /// A refund that was not asked for here.
    RefundElsewhere,
    /// A refund of another amount than was asked for here, or one that was taken back.
    RefundMismatch,
    /// A refund that the provider took and does not pay back by itself.
    RefundAbnormal,
    /// A provider does not accept the set-up, so that something paid cannot be verified.
    ProviderSetup,
    /// The provider took back what was bought.
    Chargeback,
    /// A right in-app purchase that came too late to be credited.
    UnusedReceipt,
    /// A transfer that is not as it was asked for.
    TransferMismatch,
    /// Signed notices say that an order is paid, and the provider, asked, does not.
    UnconfirmedNotice,
    /// A paid order whose handler has not done its work; it is tried again.
    Undelivered,
    /// The same, given up.
    HandlerParked,
    /// The shipping of a paid order is not reported, and the platform keeps its money.
    Unshipped,
    /// A payer complains at the provider, and waits for the merchant.
    Complaint,
    /// A receiver did not return its share, so that a refund was not made.
    ShareNotReturned,
    /// A bill has a payment that the table has not.
    BillMissingHere,
    /// The table has a payment that the bill has not.
    BillMissingThere,
    /// A bill has another amount.
    BillAmount,
    /// A bill and the table differ in a refund.
    BillRefund,
    /// The fund-flow bill has a payout that the table has not.
    BillPayout,
    /// The fund-flow bill and the trade bill differ in the fees.
    BillFees,
}

impl IncidentName {
    /// As in the table of `docs/incidents.md`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LatePayment => "late_payment",
            Self::SecondPayment => "second_payment",
            Self::AmountMismatch => "amount_mismatch",
            Self::CurrencyMismatch => "currency_mismatch",
            Self::MerchantMismatch => "merchant_mismatch",
            Self::AppMismatch => "app_mismatch",
            Self::UnknownOrder => "unknown_order",
            Self::RefundElsewhere => "refund_elsewhere",
            Self::RefundMismatch => "refund_mismatch",
            Self::RefundAbnormal => "refund_abnormal",
            Self::ProviderSetup => "provider_setup",
            Self::Chargeback => "chargeback",
            Self::UnusedReceipt => "unused_receipt",
            Self::TransferMismatch => "transfer_mismatch",
            Self::Undelivered => "undelivered",
            Self::UnconfirmedNotice => "unconfirmed_notice",
            Self::HandlerParked => "handler_parked",
            Self::Unshipped => "unshipped",
            Self::Complaint => "complaint",
            Self::ShareNotReturned => "share_not_returned",
            Self::BillMissingHere => "bill_missing_here",
            Self::BillMissingThere => "bill_missing_there",
            Self::BillAmount => "bill_amount",
            Self::BillRefund => "bill_refund",
            Self::BillPayout => "bill_payout",
            Self::BillFees => "bill_fees",
        }
    }
}

/// What was decided about an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The payment is credited to its order after all.
    Accept,
    /// The payment goes back.
    Refund,
    /// Nothing is done.
    Close,
}

/// Whether an incident waits for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentStatus {
    /// It does, or its refund is on its way.
    Open,
    /// It is done with.
    Resolved,
}

/// One incident. The same fact again has the same `incident_id` and is recorded once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// What happened.
    pub incident: IncidentName,
    /// Who said so.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The order, also one that the table does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// The transfer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_bill_no: Option<String>,
    /// The provider's number of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The refund number, for refunds; and of the refund that answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_refund_no: Option<String>,
    /// What the order says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// The payment, where it may still be credited or sent back. Not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
}

/// What else was said of the payment of an incident.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// What it would have been by itself.
    pub incident: IncidentName,
    /// The number of the payment in these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The refund number, for refunds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_refund_no: Option<String>,
    /// What the order says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    /// What the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Value>,
    /// When.
    pub at: UnixMs,
}

impl Said {
    pub(super) fn of(incident: &Incident, at: UnixMs) -> Self {
        Self {
            incident: incident.incident,
            transaction_id: incident.transaction_id.clone(),
            out_refund_no: incident.out_refund_no.clone(),
            expected: incident.expected.clone(),
            actual: incident.actual.clone(),
            at,
        }
    }

    /// Whether other words say the same. A refund of ours stands on the incident only.
    pub(super) fn says(&self, other: &Self) -> bool {
        let facts =
            |said: &Self| (said.incident, said.transaction_id.clone(), said.expected.clone(), said.actual.clone());
        facts(self) == facts(other)
    }
}

/// An incident as it stands in the table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub incident_id: String,
    /// Whether it waits for somebody.
    pub status: IncidentStatus,
    /// What was decided.
    pub action: Option<Action>,
    /// What else was said of the same payment, the oldest first.
    #[serde(default)]
    pub said: Vec<Said>,
    /// What of the payment was refunded elsewhere.
    #[serde(default)]
    pub returned_fee: Fen,
    /// What happened.
    #[serde(flatten)]
    pub incident: Incident,
}

/// How recording an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// It is new.
    New,
    /// The same fact is there already.
    Known,
    /// The number of the refund that goes with it is taken.
    NumberTaken,
    /// The payment was credited to an order meanwhile, and cannot go back by its incident.
    Credited,
}

impl Incident {
    /// An incident that names nothing yet.
    pub fn new(incident: IncidentName, provider: Provider, merchant: &str) -> Self {
        Self {
            incident,
            provider,
            merchant: merchant.to_owned(),
            out_trade_no: None,
            out_bill_no: None,
            transaction_id: None,
            out_refund_no: None,
            expected: None,
            actual: None,
            payment: None,
        }
    }

    /// The id: a digest of what the incident is about, not of what was said of it. A payment has one, whatever is
    /// said of it; so has an order that is not delivered, one that is not shipped, and a refund.
    pub fn id(&self) -> String {
        let no = self.out_trade_no.as_deref();
        if let Some(payment) = &self.payment {
            return Self::payment_id(payment.provider, &payment.identity(), no);
        }
        match (self.incident, &self.transaction_id) {
            // A bill may be the first to tell of a payment.
            (IncidentName::BillMissingHere, Some(id)) => return Self::payment_id(self.provider, id, no),
            // Whoever brings a proof meets the same fault: it is told once, and again the next day.
            (IncidentName::ProviderSetup, _) => {
                let fault = self.actual.as_ref().map(|actual| json!([actual["code"], actual["day"]]));
                return digest(&json!([self.incident, self.provider, self.merchant, fault]));
            }
            (IncidentName::Undelivered | IncidentName::HandlerParked, _) => return digest(&json!(["undelivered", no])),
            (IncidentName::Unshipped, _) => return digest(&json!(["unshipped", no])),
            // Whatever becomes of a complaint, and however often the payer goes on with it.
            (IncidentName::Complaint, _) => {
                let id = self.actual.as_ref().map(|actual| &actual["complaint_id"]);
                return digest(&json!([self.incident, self.provider, self.merchant, id]));
            }
            _ => {}
        }
        let by_its_words = match self.incident {
            // An event has nothing else.
            IncidentName::Chargeback | IncidentName::RefundMismatch => self.out_refund_no.is_none(),
            // What got stuck on its way to a card is told anew.
            IncidentName::RefundAbnormal => self.actual.as_ref().is_some_and(Value::is_object),
            // What a bill says otherwise is another difference.
            IncidentName::BillMissingThere | IncidentName::BillAmount | IncidentName::BillRefund => true,
            IncidentName::BillPayout | IncidentName::BillFees => true,
            // The number that the notices are about.
            IncidentName::UnconfirmedNotice => true,
            _ => false,
        };
        digest(&json!([
            self.incident,
            self.provider,
            self.merchant,
            self.out_trade_no,
            self.out_bill_no,
            self.transaction_id,
            self.out_refund_no,
            self.actual.as_ref().filter(|_| by_its_words),
        ]))
    }

    /// The id of the incident about a payment.
    pub(super) fn payment_id(provider: Provider, identity: &str, out_trade_no: Option<&str>) -> String {
        digest(&json!(["payment", provider, identity, out_trade_no]))
    }

    pub(super) fn item(&self, at: UnixMs) -> Item {
        let id = self.id();
        let mut item = item_of(&Key::incident(&id), "incident", self);
        for (name, value) in [
            ("incident_id", json!(id)),
            ("status", json!(IncidentStatus::Open)),
            ("create_date", json!(at)),
            ("list_key", json!("incident")),
            ("list_date", json!(at)),
        ] {
            item.insert(name.to_owned(), attribute(&value));
        }
        item
    }
}

/// 32 hexadecimal digits.
fn digest(facts: &Value) -> String {
    hash::sha256_hex(facts.to_string().as_bytes())[..32].to_owned()
}

impl Store {
    /// Records an incident, and in the order's history when `known`. One that is there already gets what is new of it
    /// added. With `back` the payment goes back: the refund and the task that makes it are written with the incident,
    /// and no order can be credited for the payment any more.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_incident(
        &self,
        incident: &Incident,
        known: bool,
        back: Option<&Refund>,
        at: UnixMs,
    ) -> Result<Recording, StoreError> {
        let id = incident.id();
        let mut item = incident.item(at);
        if let Some(refund) = back {
            item.insert("action".to_owned(), attribute(&json!(Action::Refund)));
            item.insert("out_refund_no".to_owned(), attribute(&json!(refund.out_refund_no)));
        }
        let mut writes = vec![self.insertion(item)];
        writes.extend(self.payment_claim(incident, &id, back.is_some()).map(|claim| self.insertion(claim)));
        let guard = writes.len();
        if let (Some(refund), Some(payment)) = (back, &incident.payment) {
            writes.push(self.never_credited(payment, &id));
            writes.extend(self.sending_back(refund, at));
        }
        if let (true, Some(no)) = (known, &incident.out_trade_no) {
            let entry = HistoryEntry::new("incident", "provider", at)
                .with("incident", &incident.incident)
                .with("incident_id", &id)
                .with("transaction_id", &incident.transaction_id)
                .with("out_refund_no", &back.map(|refund| &refund.out_refund_no));
            writes.push(self.history_insertion(no, &entry));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(Recording::New),
            Err(Refused::Conditions(seen)) if seen.iter().any(|i| *i < guard) => {
                self.told_again(incident, known, back, at).await
            }
            Err(Refused::Conditions(seen)) if seen.contains(&guard) => Ok(Recording::Credited),
            Err(Refused::Conditions(_)) => Ok(Recording::NumberTaken),
            Err(Refused::Invalid(what)) => Err(StoreError::new("incident", what)),
        }
    }

    /// The refund of an incident, its number, and the task that makes it.
    pub(super) fn sending_back(&self, refund: &Refund, at: UnixMs) -> Vec<TransactWriteItem> {
        let task = Task::new(TaskName::Refund, &refund.out_trade_no, Some(&refund.out_refund_no), at);
        let mut writes = self.refund_insertions(refund).to_vec();
        writes.push(self.task_insertion(&task));
        writes
    }

    /// An incident by its id.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn incident(&self, id: &str) -> Result<Option<Recorded>, StoreError> {
        self.get(&Key::incident(id)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// Decides that an open incident's payment goes back. False when it was decided meanwhile, or the number is
    /// taken.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn send_back(
        &self,
        recorded: &Recorded,
        refund: &Refund,
        by: &str,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update.when("status", "=", IncidentStatus::Open);
        match &recorded.action {
            None => {
                let action = update.name("action");
                update.when_raw(format!("attribute_not_exists({action})"));
            }
            Some(action) => {
                update.when("action", "=", action).when("out_refund_no", "=", &recorded.incident.out_refund_no);
            }
        }
        update.set("action", Action::Refund).set("out_refund_no", &refund.out_refund_no).set("resolved_by", by);
        let entry = HistoryEntry::new("incident refund", by, at)
            .with("incident_id", &recorded.incident_id)
            .with("out_refund_no", &refund.out_refund_no)
            .with("refund_fee", &refund.refund_fee);
        let mut writes = vec![self.updating(&Key::incident(&recorded.incident_id), &update)];
        writes.extend(self.sending_back(refund, at));
        writes.push(self.history_insertion(&refund.out_trade_no, &entry));
        if let Some(payment) = &recorded.incident.payment {
            writes.push(self.never_credited(payment, &recorded.incident_id));
            writes.push(self.marking_back(payment, &recorded.incident_id, &refund.out_trade_no));
        }
        self.commit_order(writes).await
    }

    /// Takes the right to credit an open incident's payment. False when it was decided otherwise.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn claim_acceptance(&self, recorded: &Recorded) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        let (action, accept) = (update.name("action"), update.value(attribute(&json!(Action::Accept))));
        update
            .when("status", "=", IncidentStatus::Open)
            .when_raw(format!("(attribute_not_exists({action}) OR {action} = {accept})"))
            .set("action", Action::Accept);
        self.update_if(&Key::incident(&recorded.incident_id), &update).await
    }

    /// Gives that right back: the payment could not be credited.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn drop_acceptance(&self, recorded: &Recorded) -> Result<(), StoreError> {
        let mut update = Expression::default();
        update.when("status", "=", IncidentStatus::Open).when("action", "=", Action::Accept).remove("action");
        self.update_if(&Key::incident(&recorded.incident_id), &update).await.map(|_| ())
    }

    /// Ends an open incident. False when it was ended or decided otherwise meanwhile.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn resolve_incident(
        &self,
        recorded: &Recorded,
        action: Action,
        by: &str,
        note: Option<&str>,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut update = Self::resolution(action, at);
        update.set("resolved_by", by).set_some("note", note);
        if recorded.action.is_none() {
            let name = update.name("action");
            update.when_raw(format!("attribute_not_exists({name})"));
        }
        let mut writes = vec![self.updating(&Key::incident(&recorded.incident_id), &update)];
        // While money may be on its way back, nobody decides otherwise.
        if let (Some(Action::Refund), Some(no), Some(number)) =
            (recorded.action, &recorded.incident.out_trade_no, &recorded.incident.out_refund_no)
        {
            let mut ended = Expression::default();
            let state = ended.name("state");
            let states = [RefundState::Refused, RefundState::Closed]
                .map(|state| ended.value(attribute(&json!(state))))
                .join(", ");
            ended.when_raw(format!("{state} IN ({states})"));
            writes.push(self.checking(&Key::refund(no, number), &ended));
        }
        if let Some(no) = &recorded.incident.out_trade_no {
            let entry = HistoryEntry::new("incident resolved", by, at)
                .with("incident_id", &recorded.incident_id)
                .with("action", &action)
                .with("note", &note);
            writes.push(self.history_insertion(no, &entry));
        }
        self.commit_order(writes).await
    }

    /// What ends an open incident.
    pub(super) fn resolution(action: Action, at: UnixMs) -> Expression {
        let mut update = Expression::default();
        update
            .when("status", "=", IncidentStatus::Open)
            .set("status", IncidentStatus::Resolved)
            .set("action", action)
            .set("resolve_date", at);
        update
    }

    /// Incidents by their ids, as they are listed, without those that are not there.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn incidents_named(&self, ids: &[String]) -> Result<Vec<Map<String, Value>>, StoreError> {
        let keys: Vec<Item> = ids.iter().map(|id| Key::incident(id).attributes()).collect();
        Ok(self.whole(&keys).await?.iter().map(shown).collect())
    }

    /// Incidents, newest first, filtered; `cursor` is what the page before gave.
    ///
    /// # Errors
    /// When the table cannot be read. `Ok(None)` when the cursor is none of ours.
    pub async fn incidents(
        &self,
        page_size: usize,
        cursor: Option<&str>,
        wanted: impl Fn(&Map<String, Value>) -> bool,
    ) -> Result<Option<IncidentPage>, StoreError> {
        self.listed("incident", page_size, cursor, |item| Ok(shown(item)), wanted).await
    }
}

/// An incident as it is shown: without its payment, which names who paid.
fn shown(item: &Item) -> Map<String, Value> {
    let mut incident = plain(item);
    incident.remove("payment");
    incident
}

/// A page of incidents, and where the next one begins.
pub type IncidentPage = (Vec<Map<String, Value>>, Option<String>);
