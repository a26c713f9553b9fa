//! Transfers in the table: one item each, the day's limits beside them.
//!
//! A number belongs to one transfer of one merchant, whoever pays it out: that is its key. What a node may
//! pay out in a day is a counter, and so is what one payee may get; a transfer puts its amount on both under
//! the condition that there is room, in the transaction that writes or begins it, and takes it off in the one
//! that ends it without the money being gone. So both happen once, whoever runs at once.

use super::item::{Expression, Key, item_of, shape_of};
use super::{FIRST_LOOK, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, TransactWriteItem};
use crypto::hash;
use domain::{DailyLimits, Transfer, TransferState, UnixMs, shanghai_day};
use serde_json::json;
use std::time::Duration;

/// How long a day's counter is kept.
const COUNTED: Duration = Duration::from_hours(62 * 24);

/// How beginning a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is written, and its amount is on the day's counters.
    Done,
    /// There is no room for it today.
    OverLimit,
    /// The authorisation that it would be made under is not in effect.
    NotInEffect,
    /// The number is taken, or the transfer has moved since it was read.
    Moved,
}

impl Store {
    /// A transfer of a merchant, strongly consistent.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn transfer(&self, merchant: &str, out_bill_no: &str) -> Result<Option<Transfer>, StoreError> {
        self.get(&Key::transfer(merchant, out_bill_no)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// A transfer by the hash key of its item, as the index `due` names it.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn transfer_by_key(&self, pk: &str) -> Result<Option<Transfer>, StoreError> {
        self.get(&Key::transfer_item(pk)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// A transfer of a merchant by the provider's number.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn transfer_of_bill(
        &self,
        merchant: &str,
        transfer_bill_no: &str,
    ) -> Result<Option<Transfer>, StoreError> {
        let Some(item) = self.get(&Key::transfer_bill(merchant, transfer_bill_no)).await? else { return Ok(None) };
        match item.get("out_bill_no") {
            Some(Av::S(number)) => self.transfer(merchant, number).await,
            _ => Ok(None),
        }
    }

    /// Writes a new transfer, and puts its amount on the day's counters, which it then names.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin_transfer(
        &self,
        transfer: &mut Transfer,
        limits: DailyLimits,
        at: UnixMs,
    ) -> Result<Begun, StoreError> {
        let Some(counters) = self.counting(transfer, limits, at) else { return Ok(Begun::OverLimit) };
        let mut item = item_of(&Key::transfer(&transfer.merchant, &transfer.out_bill_no), "transfer", transfer);
        item.insert("due_shard".to_owned(), Av::S(self.due_shard(&transfer.out_bill_no)));
        item.insert("due".to_owned(), Av::N((transfer.create_date + FIRST_LOOK).to_string()));
        item.insert("history".to_owned(), super::item::attribute(&json!([line("begun", transfer, at)])));
        let mut writes = vec![self.insertion(item)];
        writes.extend(counters);
        self.begun(writes, transfer).await
    }

    /// Begins a refused transfer again, which is then as it is written: its amount goes on the counters of the
    /// day that it is now.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn begin_transfer_again(
        &self,
        transfer: &mut Transfer,
        limits: DailyLimits,
        at: UnixMs,
    ) -> Result<Begun, StoreError> {
        let mut next = transfer.clone();
        next.state = TransferState::Unknown;
        next.version += 1;
        next.sent_at = at;
        next.fail_reason = None;
        next.provider_state = None;
        let Some(counters) = self.counting(&mut next, limits, at) else { return Ok(Begun::OverLimit) };
        let mut update = Expression::default();
        update
            .when("version", "=", transfer.version)
            .when("state", "=", TransferState::Refused)
            .set("state", next.state)
            .set("limits", &next.limits)
            .set("sent_at", next.sent_at)
            .set("version", next.version)
            .set("due_shard", self.due_shard(&next.out_bill_no))
            .set("due", at + FIRST_LOOK)
            .remove("fail_reason")
            .remove("provider_state")
            .grow("history", &line("begun again", &next, at));
        let mut writes = vec![self.updating(&Key::transfer(&next.merchant, &next.out_bill_no), &update)];
        writes.extend(counters);
        let begun = self.begun(writes, &next).await?;
        if begun == Begun::Done {
            *transfer = next;
        }
        Ok(begun)
    }

    /// Marks a transfer whose outcome is unknown before its provider is called for it once more, and answers it
    /// as it is then. `None` when it has moved since it was read.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn repeat_transfer(&self, transfer: &Transfer, at: UnixMs) -> Result<Option<Transfer>, StoreError> {
        let next = Transfer { sent_at: at, version: transfer.version + 1, ..transfer.clone() };
        let mut update = Expression::default();
        update
            .when("version", "=", transfer.version)
            .when("state", "=", TransferState::Unknown)
            .set("sent_at", next.sent_at)
            .set("version", next.version);
        let key = Key::transfer(&next.merchant, &next.out_bill_no);
        Ok(self.update_if(&key, &update).await?.then_some(next))
    }

    /// Commits a beginning, under the condition that the authorisation that it is made under is in effect.
    async fn begun(&self, mut writes: Vec<TransactWriteItem>, transfer: &Transfer) -> Result<Begun, StoreError> {
        let own = writes.len();
        if let Some(number) = &transfer.out_authorization_no {
            writes.push(self.in_effect(&transfer.merchant, number));
        }
        Ok(match self.commit(writes).await? {
            Ok(()) => Begun::Done,
            Err(Refused::Conditions(at)) if at.contains(&0) => Begun::Moved,
            Err(Refused::Conditions(at)) if at.contains(&own) => Begun::NotInEffect,
            Err(Refused::Conditions(_)) => Begun::OverLimit,
            Err(Refused::Invalid(what)) => return Err(StoreError::new("transfer", what)),
        })
    }

    /// What puts a transfer's amount on the counters of its day, under the condition that there is room. The
    /// transfer remembers which. `None` when there can be none.
    fn counting(&self, transfer: &mut Transfer, limits: DailyLimits, at: UnixMs) -> Option<Vec<TransactWriteItem>> {
        let day = shanghai_day(at);
        let of_node = format!("{}#{}#{day}", transfer.provider, transfer.merchant);
        // The payee is personal data, so the key has a digest.
        let payee = hash::sha256_hex(transfer.counted_payee().as_bytes());
        let counters = [(limits.total, of_node.clone()), (limits.per_payee, format!("{of_node}#{payee}"))];
        transfer.limits.clear();
        let mut writes = Vec::new();
        for (limit, name) in counters.into_iter().filter_map(|(limit, name)| Some((limit?, name))) {
            let room = limit.minus(transfer.transfer_amount)?;
            let mut update = Expression::default();
            let (reserved, most) = (update.name("reserved"), update.value(Av::N(room.to_string())));
            update.when_raw(format!("(attribute_not_exists({reserved}) OR {reserved} <= {most})"));
            count(&mut update, i64::try_from(transfer.transfer_amount.0).ok()?, at);
            writes.push(self.updating(&Key::counter(&name), &update));
            transfer.limits.push(name);
        }
        Some(writes)
    }

    /// Moves a transfer that is as it was read to what the provider said: its state, what is known of it, and
    /// its amount off the counters when it ends without the money being gone, or back on them when it went
    /// out after all. False when it has moved meanwhile.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn move_transfer(
        &self,
        seen: &Transfer,
        next: &Transfer,
        source: &str,
        at: UnixMs,
    ) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update
            .when("version", "=", seen.version)
            .set("version", seen.version + 1)
            .set("state", next.state)
            .set_some("transfer_bill_no", next.transfer_bill_no.as_ref())
            .set_some("provider_state", next.provider_state.as_ref())
            .set_some("package_info", next.package_info.as_ref())
            .set_some("result", next.result.as_ref())
            .set_some("end_date", next.end_date);
        match &next.fail_reason {
            Some(reason) => update.set("fail_reason", reason),
            None => update.remove("fail_reason"),
        };
        if next.state != seen.state {
            update.grow("history", &line(source, next, at));
            if next.state.is_open() && !seen.state.is_open() {
                update.set("due_shard", self.due_shard(&seen.out_bill_no)).set("due", at + FIRST_LOOK);
            }
            if !next.state.is_open() {
                update.remove("due_shard").remove("due");
            }
        }
        let mut writes = vec![self.updating(&Key::transfer(&seen.merchant, &seen.out_bill_no), &update)];
        if let Some(id) = next.transfer_bill_no.as_ref().filter(|_| next.transfer_bill_no != seen.transfer_bill_no) {
            let mut lookup = Expression::default();
            lookup.set("kind", "transfer_bill").set("out_bill_no", &seen.out_bill_no);
            writes.push(self.updating(&Key::transfer_bill(&seen.merchant, id), &lookup));
        }
        let amount = i64::try_from(seen.transfer_amount.0).unwrap_or(i64::MAX);
        let change = match (seen.state.counts(), next.state.counts()) {
            (true, false) => -amount,
            (false, true) => amount,
            (true, true) | (false, false) => 0,
        };
        for name in seen.limits.iter().filter(|_| change != 0) {
            let mut update = Expression::default();
            count(&mut update, change, at);
            writes.push(self.updating(&Key::counter(name), &update));
        }
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("transfer", what)),
        }
    }
}

fn count(update: &mut Expression, change: i64, at: UnixMs) {
    update.set("kind", "transfer_limit").set("expire_at", (at + COUNTED).secs()).add("reserved", change);
}

/// A line of the item's history.
fn line(source: &str, transfer: &Transfer, at: UnixMs) -> serde_json::Value {
    json!({
        "at": at,
        "source": source,
        "state": transfer.state,
        "provider_state": transfer.provider_state,
        "fail_reason": transfer.fail_reason,
    })
}
