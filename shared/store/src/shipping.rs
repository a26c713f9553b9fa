//! The shipping of an order: written only where it is as it was read, with the line of history that says so.

use super::item::{Expression, Key};
use super::{Action, HistoryEntry, Refused, Store, StoreError};
use domain::Shipping;

/// A write of an order's shipping, and what goes with it.
pub struct ShippingChange<'a> {
    /// The order.
    pub out_trade_no: &'a str,
    /// The shipping as it was read; `None` where the order has none yet.
    pub read: Option<&'a Shipping>,
    /// What it becomes. Its count of writes is made here.
    pub becomes: &'a Shipping,
    /// The history.
    pub entry: Option<&'a HistoryEntry>,
    /// The open incident that ends with it, by its id.
    pub ends: Option<&'a str>,
}

/// How such a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShippingWritten {
    /// All of it is written.
    Done,
    /// Somebody else has written meanwhile: the shipping, or the incident.
    Moved,
}

impl Store {
    /// Writes the shipping of an order, where it is as it was read. The order's version stays: nothing else depends on it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn change_shipping(&self, change: &ShippingChange<'_>) -> Result<ShippingWritten, StoreError> {
        let no = change.out_trade_no;
        let mut becomes = change.becomes.clone();
        becomes.n = change.read.map_or(0, |read| read.n) + 1;
        let mut update = Expression::default();
        match change.read {
            Some(read) => update.when("shipping.n", "=", read.n),
            None => {
                let (there, none) = (update.name("pk"), update.name("shipping"));
                update.when_raw(format!("attribute_exists({there}) AND attribute_not_exists({none})"))
            }
        };
        update.set("shipping", &becomes);
        let mut writes = vec![self.updating(&Key::order(no), &update)];
        writes.extend(change.entry.map(|entry| self.history_insertion(no, entry)));
        if let (Some(id), Some(entry)) = (change.ends, change.entry) {
            let mut ended = Self::resolution(Action::Close, entry.at);
            ended.set("resolved_by", &entry.source).set("note", entry.event);
            writes.push(self.updating(&Key::incident(id), &ended));
            let resolved = HistoryEntry::new("incident resolved", &entry.source, entry.at).with("incident_id", &id);
            writes.push(self.history_insertion(no, &resolved));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(ShippingWritten::Done),
            Err(Refused::Conditions(_)) => Ok(ShippingWritten::Moved),
            Err(Refused::Invalid(what)) => Err(StoreError::new("shipping", what)),
        }
    }
}
