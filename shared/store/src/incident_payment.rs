//! One payment, one incident: the claim by which everything that is said of a payment finds its incident, and by
//! which the payment is credited or goes back, never both.
//!
//! `P#<provider>#<payment>` names the incident. A payment that goes back takes its transaction number
//! (`T#<provider>#<transaction_id>`; at VksPay `T#<provider>#<merchant>#<transaction_id>`) as a credit does, so that only
//! one of them commits.

use super::bills::refunded_fields;
use super::item::{Expression, Item, Key, attribute, item_of};
use super::refunds::number_claim;
use super::{
    Action, HistoryEntry, Incident, IncidentStatus, PaymentCommit, Recorded, Recording, Refused, Said, Store,
    StoreError,
};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::{Fen, Order, Payment, Provider, Refund, UnixMs};
use serde_json::json;

/// How often something is written anew that others have changed.
const ROUNDS: usize = 5;
/// What else was said of one payment is kept up to so many times.
const SAID: usize = 20;

/// A payment that is credited after all, and the incident that says so.
pub struct Accepted<'a> {
    /// What did not fit.
    pub incident: &'a Incident,
    /// It, as it was read, when it was told before.
    pub recorded: Option<&'a Recorded>,
    /// Who decided it.
    pub by: &'a str,
    /// Why.
    pub note: Option<&'a str>,
}

/// How recording a refund of an incident's payment ended that was made elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// It is recorded.
    Done,
    /// It was before.
    Known,
    /// Its number is another refund's.
    NumberTaken,
    /// The incident or the payment is no longer as it was read.
    Moved,
}

impl Store {
    /// Writes an item, whatever is there.
    pub(super) fn putting(&self, item: Item) -> TransactWriteItem {
        let put = Put::builder().table_name(&self.table).set_item(Some(item)).build().expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// What finds the incident by the payment that it is about; a new one, so that there is no second.
    pub(super) fn payment_claim(&self, incident: &Incident, id: &str, back: bool) -> Option<Item> {
        let payment = incident.payment.as_ref()?;
        let mut item = Key::incident_payment(payment.provider.name(), &payment.identity()).attributes();
        for (name, value) in [
            ("kind", json!("incident_payment")),
            ("incident_id", json!(id)),
            ("out_trade_no", json!(incident.out_trade_no)),
        ] {
            item.insert(name.to_owned(), attribute(&value));
        }
        if back {
            item.insert("sent_back".to_owned(), attribute(&json!(true)));
        }
        Some(item)
    }

    /// Takes the number of a payment that goes back: no order can be credited for it any more. Refused when one was.
    pub(super) fn never_credited(&self, payment: &Payment, incident_id: &str) -> TransactWriteItem {
        let mut free = Expression::default();
        let (pk, own) = (free.name("pk"), free.name("incident_id"));
        let id = free.value(attribute(&json!(incident_id)));
        free.when_raw(format!("(attribute_not_exists({pk}) OR {own} = {id})"));
        let mut item = Key::transaction(payment.provider, &payment.merchant, &payment.transaction_id).attributes();
        item.insert("kind".to_owned(), attribute(&json!("sent_back")));
        item.insert("incident_id".to_owned(), attribute(&json!(incident_id)));
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(free.condition())
            .set_expression_attribute_names(free.names())
            .set_expression_attribute_values(free.values())
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// The id of the incident about a payment that no order was credited for, by what names that payment.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn incident_of_payment(&self, provider: Provider, identity: &str) -> Result<Option<String>, StoreError> {
        let item = self.get(&Key::incident_payment(provider.name(), identity)).await?;
        Ok(item.and_then(|item| item.get("incident_id").and_then(|id| id.as_s().ok().cloned())))
    }

    /// The incident about a payment of an order: also one that only a bill has told of.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn incident_about(&self, payment: &Payment, out_trade_no: &str) -> Result<Option<Recorded>, StoreError> {
        if let Some(id) = self.incident_of_payment(payment.provider, &payment.identity()).await?
            && let Some(recorded) = self.incident(&id).await?
        {
            return Ok(Some(recorded));
        }
        self.incident(&Incident::payment_id(payment.provider, &payment.identity(), Some(out_trade_no))).await
    }

    /// An incident that is there already is told again: what is new of it is added.
    pub(super) async fn told_again(
        &self,
        incident: &Incident,
        known: bool,
        back: Option<&Refund>,
        at: UnixMs,
    ) -> Result<Recording, StoreError> {
        for _ in 0..ROUNDS {
            let found = match (&incident.payment, &incident.out_trade_no) {
                (Some(payment), Some(no)) => self.incident_about(payment, no).await?,
                _ => self.incident(&incident.id()).await?,
            };
            let Some(recorded) = found else { return Ok(Recording::Known) };
            if incident.payment.is_some() && recorded.incident.payment.is_none() {
                if let Some(recording) = self.explain(&recorded, incident, known, back, at).await? {
                    return Ok(recording);
                }
            } else if self.add_words(&recorded, incident, known, at).await? {
                return Ok(Recording::Known);
            }
        }
        Err(StoreError::new("incident", "the incident changes all the time"))
    }

    /// Adds what else is said of a payment to its incident. False when somebody else added something meanwhile.
    async fn add_words(
        &self,
        recorded: &Recorded,
        incident: &Incident,
        known: bool,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let words = Said::of(incident, at);
        let first = Said::of(&recorded.incident, at);
        let old = first.says(&words) || recorded.said.iter().any(|said| said.says(&words));
        if old || recorded.said.len() >= SAID {
            return Ok(true);
        }
        let mut update = Expression::default();
        unsaid_since(&mut update, recorded);
        update.grow("said", &words);
        let mut writes = vec![self.updating(&Key::incident(&recorded.incident_id), &update)];
        if let (true, Some(no)) = (known, &incident.out_trade_no) {
            let entry = HistoryEntry::new("incident", "provider", at)
                .with("incident", &incident.incident)
                .with("incident_id", &recorded.incident_id)
                .with("transaction_id", &incident.transaction_id)
                .with("said", &true);
            writes.push(self.history_insertion(no, &entry));
        }
        self.commit_order(writes).await
    }

    /// A payment that only a bill had told of is told of by the provider: from now on the incident can be decided.
    /// `None` when somebody else was first.
    async fn explain(
        &self,
        recorded: &Recorded,
        incident: &Incident,
        known: bool,
        back: Option<&Refund>,
        at: UnixMs,
    ) -> Result<Option<Recording>, StoreError> {
        let id = recorded.incident_id.as_str();
        let mut update = Expression::default();
        let payment = update.name("payment");
        update.when_raw(format!("attribute_not_exists({payment})"));
        unsaid_since(&mut update, recorded);
        update
            .set("incident", incident.incident)
            .set("status", IncidentStatus::Open)
            .set_some("out_trade_no", incident.out_trade_no.as_ref())
            .set_some("transaction_id", incident.transaction_id.as_ref())
            .set_some("expected", incident.expected.as_ref())
            .set_some("actual", incident.actual.as_ref())
            .set_some("payment", incident.payment.as_ref())
            .grow("said", &Said::of(&recorded.incident, at))
            .remove("resolve_date")
            .remove("resolved_by")
            .remove("note");
        match back {
            Some(refund) => update.set("action", Action::Refund).set("out_refund_no", &refund.out_refund_no),
            None => update.remove("action"),
        };
        let mut writes = vec![self.updating(&Key::incident(id), &update)];
        writes.extend(self.payment_claim(incident, id, back.is_some()).map(|claim| self.putting(claim)));
        let guard = writes.len();
        if let (Some(refund), Some(payment)) = (back, &incident.payment) {
            writes.push(self.never_credited(payment, id));
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
            Ok(()) => Ok(Some(Recording::New)),
            Err(Refused::Conditions(at)) if at.contains(&0) => Ok(None),
            Err(Refused::Conditions(at)) if at.contains(&guard) => Ok(Some(Recording::Credited)),
            Err(Refused::Conditions(_)) => Ok(Some(Recording::NumberTaken)),
            Err(Refused::Invalid(what)) => Err(StoreError::new("incident", what)),
        }
    }

    /// What of incidents is written with a credit: the one that the credit ends; where payments have two numbers,
    /// that the payment was not sent back under the other.
    pub(super) fn incident_of_credit(&self, commit: &PaymentCommit<'_>) -> Vec<TransactWriteItem> {
        let at = commit.entry.at;
        let Some(accepted) = &commit.accepted else {
            let two_names = commit.payment.provider.gives_two_numbers();
            return two_names.then(|| self.not_sent_back(commit.payment)).into_iter().collect();
        };
        let incident = accepted.incident;
        let id = accepted.recorded.map_or_else(|| incident.id(), |recorded| recorded.incident_id.clone());
        let mut writes = Vec::new();
        match accepted.recorded {
            None => {
                let mut item = incident.item(at);
                for (name, value) in [
                    ("status", json!(IncidentStatus::Resolved)),
                    ("action", json!(Action::Accept)),
                    ("resolved_by", json!(accepted.by)),
                    ("resolve_date", json!(at)),
                ] {
                    item.insert(name.to_owned(), attribute(&value));
                }
                if let Some(note) = accepted.note {
                    item.insert("note".to_owned(), attribute(&json!(note)));
                }
                writes.push(self.insertion(item));
                writes.extend(self.payment_claim(incident, &id, false).map(|claim| self.insertion(claim)));
            }
            Some(recorded) => {
                let mut update = Self::resolution(Action::Accept, at);
                let (action, accept) = (update.name("action"), update.value(attribute(&json!(Action::Accept))));
                update
                    .when_raw(format!("(attribute_not_exists({action}) OR {action} = {accept})"))
                    .set("resolved_by", accepted.by)
                    .set_some("note", accepted.note);
                if recorded.incident.payment.is_none() {
                    update.set("incident", incident.incident).set_some("payment", incident.payment.as_ref());
                    writes.extend(self.payment_claim(incident, &id, false).map(|claim| self.putting(claim)));
                }
                writes.push(self.updating(&Key::incident(&id), &update));
            }
        }
        let entry = HistoryEntry::new("incident resolved", accepted.by, at)
            .with("incident", &incident.incident)
            .with("incident_id", &id)
            .with("action", &Action::Accept)
            .with("note", &accepted.note);
        writes.push(self.history_insertion(&commit.order.out_trade_no, &entry));
        writes
    }

    fn not_sent_back(&self, payment: &Payment) -> TransactWriteItem {
        let mut free = Expression::default();
        let sent_back = free.name("sent_back");
        free.when_raw(format!("attribute_not_exists({sent_back})"));
        self.checking(&Key::incident_payment(payment.provider.name(), &payment.identity()), &free)
    }

    /// Marks a payment as one that goes back.
    pub(super) fn marking_back(&self, payment: &Payment, incident_id: &str, out_trade_no: &str) -> TransactWriteItem {
        let mut update = Expression::default();
        update
            .set("kind", "incident_payment")
            .set("incident_id", incident_id)
            .set("out_trade_no", out_trade_no)
            .set("sent_back", true);
        self.updating(&Key::incident_payment(payment.provider.name(), &payment.identity()), &update)
    }

    /// Records a refund that was made elsewhere (the provider's console) of a payment that no order was credited for,
    /// and ends its incident when the `whole` payment has gone back by it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_return(
        &self,
        recorded: &Recorded,
        order: &Order,
        refund: &Refund,
        whole: bool,
        entry: &HistoryEntry,
    ) -> Result<Returned, StoreError> {
        let (no, id) = (&refund.out_trade_no, recorded.incident_id.as_str());
        let mut update = Expression::default();
        match recorded.returned_fee {
            Fen(0) => {
                let returned = update.name("returned_fee");
                let none = update.value(attribute(&json!(0)));
                update.when_raw(format!("(attribute_not_exists({returned}) OR {returned} = {none})"))
            }
            seen => update.when("returned_fee", "=", seen),
        };
        update.when("status", "=", recorded.status);
        update.set("returned_fee", Fen(recorded.returned_fee.0.saturating_add(refund.refund_fee.0)));
        if whole && recorded.status == IncidentStatus::Open {
            update
                .set("status", IncidentStatus::Resolved)
                .set("action", Action::Refund)
                .set("resolve_date", entry.at)
                .set("resolved_by", refund.provider.name())
                .set("note", "refunded at the provider");
        }
        let mut claim = number_claim(refund);
        claim.extend(refunded_fields(order, refund, entry.at).iter().map(|(k, v)| (k.clone(), attribute(v))));
        let mut writes = vec![
            self.insertion(item_of(&Key::refund(no, &refund.out_refund_no), "refund", refund)),
            self.insertion(claim),
            self.updating(&Key::incident(id), &update),
            self.history_insertion(no, entry),
        ];
        if let Some(payment) = &recorded.incident.payment {
            writes.push(self.never_credited(payment, id));
            writes.push(self.marking_back(payment, id, no));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(Returned::Done),
            Err(Refused::Conditions(at)) if at.contains(&0) => Ok(Returned::Known),
            Err(Refused::Conditions(at)) if at.contains(&1) => Ok(Returned::NumberTaken),
            Err(Refused::Conditions(_)) => Ok(Returned::Moved),
            Err(Refused::Invalid(what)) => Err(StoreError::new("refund", what)),
        }
    }
}

/// Only while nothing was added since the incident was read.
fn unsaid_since(update: &mut Expression, recorded: &Recorded) {
    let said = update.name("said");
    match recorded.said.len() {
        0 => update.when_raw(format!("attribute_not_exists({said})")),
        n => {
            let n = update.value(attribute(&json!(n)));
            update.when_raw(format!("size({said}) = {n}"))
        }
    };
}
