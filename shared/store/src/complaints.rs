//! Complaints in the table: one item each, its incident and the order's history beside it, all of them in one transaction.
//!
//! A write names the count of writes that was read before the provider was asked, so that what is written was said after
//! what was written before it.

use super::item::{Expression, Item, Key, attribute, item_of, shape_of};
use super::{Action, HistoryEntry, Incident, IncidentStatus, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::{ComplaintRecord, Provider, UnixMs};
use serde_json::json;

/// What becomes of a complaint's incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentMove {
    /// It says what is new, and stands as it stood.
    Stay,
    /// It waits for somebody, also where it was done with.
    Open,
    /// It is done with, by whom the source names.
    End,
}

/// A write of a complaint, and what goes with it.
pub struct ComplaintChange<'a> {
    /// The complaint as it was read; `None` where it is new.
    pub read: Option<&'a ComplaintRecord>,
    /// What it becomes. Its count of writes is made here.
    pub becomes: &'a ComplaintRecord,
    /// Its incident.
    pub incident: &'a Incident,
    /// What becomes of that.
    pub moves: IncidentMove,
    /// Who says so.
    pub by: &'a str,
    /// The history of its order, where the table has that.
    pub entry: Option<&'a HistoryEntry>,
    /// Now.
    pub at: UnixMs,
}

/// How such a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComplaintWritten {
    /// All of it is written.
    Done,
    /// Somebody else has written meanwhile.
    Moved,
}

/// A page of complaints, and where the next one begins.
pub type ComplaintList = (Vec<ComplaintRecord>, Option<String>);

fn key_of(record: &ComplaintRecord) -> Key {
    Key::complaint(record.provider.name(), &record.merchant, &record.complaint.complaint_id)
}

impl Store {
    /// A complaint, strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn complaint(
        &self,
        provider: Provider,
        merchant: &str,
        complaint_id: &str,
    ) -> Result<Option<ComplaintRecord>, StoreError> {
        let key = Key::complaint(provider.name(), merchant, complaint_id);
        self.get(&key).await?.map(|item| shape_of(&item)).transpose()
    }

    /// Complaints, the newest first, filtered; `cursor` is what the page before gave.
    ///
    /// # Errors
    /// When the table cannot be read. `Ok(None)` when the cursor is none of ours.
    pub async fn complaints(
        &self,
        page_size: usize,
        cursor: Option<&str>,
        wanted: impl Fn(&ComplaintRecord) -> bool,
    ) -> Result<Option<ComplaintList>, StoreError> {
        self.listed("complaint", page_size, cursor, shape_of::<ComplaintRecord>, wanted).await
    }

    /// Writes a complaint where it is as it was read, with its incident.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn change_complaint(&self, change: &ComplaintChange<'_>) -> Result<ComplaintWritten, StoreError> {
        let mut becomes = change.becomes.clone();
        becomes.n = change.read.map_or(0, |read| read.n) + 1;
        let mut item = item_of(&key_of(&becomes), "complaint", &becomes);
        item.insert("list_key".to_owned(), attribute(&json!("complaint")));
        item.insert("list_date".to_owned(), attribute(&json!(becomes.complaint.complained_at)));
        let mut writes = match change.read {
            None => vec![self.insertion(item), self.insertion(new_incident(change))],
            Some(read) => vec![self.replacing(item, read.n), self.moving(change)],
        };
        if let (Some(no), Some(entry)) = (&becomes.out_trade_no, change.entry) {
            writes.push(self.history_insertion(no, entry));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(ComplaintWritten::Done),
            Err(Refused::Conditions(_)) => Ok(ComplaintWritten::Moved),
            Err(Refused::Invalid(what)) => Err(StoreError::new("complaint", what)),
        }
    }

    /// Writes an item over the one that was written so often.
    fn replacing(&self, item: Item, n: u64) -> TransactWriteItem {
        let mut as_read = Expression::default();
        as_read.when("n", "=", n);
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .set_condition_expression(as_read.condition())
            .set_expression_attribute_names(as_read.names())
            .set_expression_attribute_values(as_read.values())
            .build()
            .expect("table and item are set");
        TransactWriteItem::builder().put(put).build()
    }

    /// What becomes of an incident that is there.
    fn moving(&self, change: &ComplaintChange<'_>) -> TransactWriteItem {
        let incident = change.incident;
        let mut update = Expression::default();
        update.when("incident_id", "=", incident.id());
        update.set_some("actual", incident.actual.as_ref()).set_some("out_trade_no", incident.out_trade_no.as_ref());
        update.set_some("transaction_id", incident.transaction_id.as_ref());
        match change.moves {
            IncidentMove::Stay => {}
            IncidentMove::Open => {
                update.set("status", IncidentStatus::Open).remove("action").remove("resolve_date");
                update.remove("resolved_by").remove("note");
            }
            IncidentMove::End => {
                update
                    .set("status", IncidentStatus::Resolved)
                    .set("action", Action::Close)
                    .set("resolve_date", change.at)
                    .set("resolved_by", change.by)
                    .set("note", ENDED);
            }
        }
        self.updating(&Key::incident(&incident.id()), &update)
    }
}

/// Why an incident of a complaint has ended.
const ENDED: &str = "the complaint is done with";

fn new_incident(change: &ComplaintChange<'_>) -> Item {
    let mut item = change.incident.item(change.at);
    if change.moves == IncidentMove::End {
        for (name, value) in [
            ("status", json!(IncidentStatus::Resolved)),
            ("action", json!(Action::Close)),
            ("resolve_date", json!(change.at)),
            ("resolved_by", json!(change.by)),
            ("note", json!(ENDED)),
        ] {
            item.insert(name.to_owned(), attribute(&value));
        }
    }
    item
}
