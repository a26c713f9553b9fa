//! Refunds in the table: reserve, then settle or release.
//!
//! The order's `refundable` is what is paid, less what is refunded or reserved. A refund takes its amount
//! from it under the condition that it is there, in the same transaction that makes the refund item; so the
//! sum can never exceed the payment, whoever runs at once.

use super::bills::refunded_fields;
use super::item::{Expression, Item, Key, attribute, item_of, shape_of};
use super::{Action, FIRST_LOOK, HistoryEntry, IncidentStatus, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, TransactWriteItem};
use domain::{Fen, Order, Provider, Refund, RefundState, Status, UnixMs};
use serde_json::json;

/// How a reservation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// The amount is reserved.
    Done,
    /// Not so much is left, or the order is not paid.
    NotEnough,
    /// The refund number is taken.
    NumberTaken,
}

impl Store {
    /// A refund of an order.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn refund(&self, out_trade_no: &str, out_refund_no: &str) -> Result<Option<Refund>, StoreError> {
        self.get(&Key::refund(out_trade_no, out_refund_no)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// All refunds of an order, oldest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn refunds(&self, out_trade_no: &str) -> Result<Vec<Refund>, StoreError> {
        let items = self.partition(&Key::order(out_trade_no).pk, "R#").await?;
        let mut refunds = items.iter().map(shape_of).collect::<Result<Vec<Refund>, _>>()?;
        refunds.sort_by_key(|r| r.create_date);
        Ok(refunds)
    }

    /// The order that a refund's number belongs to.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn order_of_refund(&self, refund: &Refund) -> Result<Option<String>, StoreError> {
        self.named_order(&Self::number_key(refund)).await
    }

    /// The order that a merchant's refund number belongs to. Where numbers are unique for a payment only, none is
    /// found by its number alone.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn order_of_refund_number(
        &self,
        provider: Provider,
        merchant: &str,
        out_refund_no: &str,
    ) -> Result<Option<String>, StoreError> {
        if provider.numbers_refunds_by_payment() {
            return Ok(None);
        }
        self.named_order(&Key::refund_number(provider.name(), merchant, out_refund_no)).await
    }

    /// What makes a refund's number unique, as far as its provider wants it unique.
    pub(super) fn number_key(refund: &Refund) -> Key {
        let Refund { provider, merchant, out_refund_no, .. } = refund;
        if provider.numbers_refunds_by_payment() {
            let own = Self::own_number(&refund.out_trade_no, refund.attempt, out_refund_no);
            return Key::refund_number(provider.name(), merchant, &own);
        }
        Key::refund_number(provider.name(), merchant, out_refund_no)
    }

    /// A number of a payment's own.
    pub(super) fn own_number(out_trade_no: &str, attempt: u64, number: &str) -> String {
        format!("{out_trade_no}#{attempt}#{number}")
    }

    /// Takes the number of a refund that shall never begin: who still means to begin it finds the number taken. False when
    /// it is taken already, because that refund was begun or given up before.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn give_up_refund(&self, refund: &Refund) -> Result<bool, StoreError> {
        self.commit_order(vec![self.insertion(number_claim(refund))]).await
    }

    /// Reserves a refund's amount and writes the refund, or `again` re-reserves for one that was refused.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn reserve_refund(
        &self,
        refund: &Refund,
        again: bool,
        entry: &HistoryEntry,
    ) -> Result<Reserved, StoreError> {
        let no = &refund.out_trade_no;
        let amount = i128::from(refund.refund_fee.0);
        if refund.incident.is_some() {
            return self.send_again(refund, entry).await;
        }
        let mut order = Expression::default();
        order
            .when("refundable", ">=", refund.refund_fee)
            .change("refundable", -amount)
            .change("refund_reserved", amount)
            .change("version", 1);
        if !again {
            order.change("refund_num", 1);
        }
        let key = Key::refund(no, &refund.out_refund_no);
        let mut writes = vec![self.updating(&Key::order(no), &order)];
        if again {
            writes.push(self.updating(&key, &begun_again(self.due_shard(no), entry.at)));
        } else {
            writes.extend(self.refund_insertions(refund));
        }
        writes.push(self.history_insertion(no, entry));
        Ok(match self.commit(writes).await? {
            Ok(()) => Reserved::Done,
            Err(Refused::Conditions(at)) if at.iter().any(|i| *i > 0) => Reserved::NumberTaken,
            Err(Refused::Conditions(_)) => Reserved::NotEnough,
            Err(Refused::Invalid(what)) => return Err(StoreError::new("reserve", what)),
        })
    }

    /// Begins a refused refund of an incident again; it has nothing to reserve.
    async fn send_again(&self, refund: &Refund, entry: &HistoryEntry) -> Result<Reserved, StoreError> {
        let no = &refund.out_trade_no;
        let mut incident = Expression::default();
        incident
            .when("status", "=", IncidentStatus::Open)
            .when("out_refund_no", "=", &refund.out_refund_no)
            .set("action", Action::Refund);
        let writes = vec![
            self.updating(&Key::refund(no, &refund.out_refund_no), &begun_again(self.due_shard(no), entry.at)),
            self.updating(&Key::incident(refund.incident.as_deref().unwrap_or_default()), &incident),
            self.history_insertion(no, entry),
        ];
        Ok(match self.commit_order(writes).await? {
            true => Reserved::Done,
            false => Reserved::NumberTaken,
        })
    }

    /// A refund that begins, and its number.
    pub(super) fn refund_insertions(&self, refund: &Refund) -> [TransactWriteItem; 2] {
        let no = &refund.out_trade_no;
        let mut item = item_of(&Key::refund(no, &refund.out_refund_no), "refund", refund);
        item.insert("due_shard".to_owned(), Av::S(self.due_shard(no)));
        item.insert("due".to_owned(), Av::N((refund.create_date + FIRST_LOOK).to_string()));
        [self.insertion(item), self.insertion(number_claim(refund))]
    }

    /// What lists a refund that ended well under its day, on the item of its number.
    fn listing(&self, order: &Order, refund: &Refund, at: UnixMs) -> Option<TransactWriteItem> {
        let mut update = Expression::default();
        for (name, value) in refunded_fields(order, refund, at) {
            update.set(&name, value);
        }
        (refund.state == RefundState::Success).then(|| self.updating(&Self::number_key(refund), &update))
    }

    /// Counts that a refund which got stuck is sent to a bank card, before its provider is called for that. False when it
    /// has ended, or somebody else has just sent it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn send_to_card(&self, refund: &Refund, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        let seen = (refund.sent_to_card > 0).then_some(refund.sent_to_card);
        update.when("state", "=", RefundState::Processing).when_as_read("sent_to_card", seen).add("sent_to_card", 1);
        let key = Key::refund(&refund.out_trade_no, &refund.out_refund_no);
        let writes = vec![self.updating(&key, &update), self.history_insertion(&refund.out_trade_no, entry)];
        self.commit_order(writes).await
    }

    /// Keeps what the provider said of a refund that has not ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn keep_refund(&self, refund: &Refund, now: &Refund) -> Result<(), StoreError> {
        if now == refund {
            return Ok(());
        }
        let mut update = Expression::default();
        update
            .when("state", "=", RefundState::Processing)
            .set_some("refund_id", now.refund_id.as_ref())
            .set_some("cash_refund_fee", now.cash_refund_fee)
            .set_some("reason", now.reason.as_ref());
        if now.reason.is_none() {
            update.remove("reason");
        }
        self.update_if(&Key::refund(&refund.out_trade_no, &refund.out_refund_no), &update).await.map(|_| ())
    }

    /// Marks an unfinished refund before its provider is called for it once more. False when it has ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn repeat_refund(&self, refund: &Refund) -> Result<bool, StoreError> {
        let mut update = Expression::default();
        update.when("state", "=", RefundState::Processing).set("repeated", true);
        self.update_if(&Key::refund(&refund.out_trade_no, &refund.out_refund_no), &update).await
    }

    /// Ends a refund: a success moves its amount from reserved to refunded, anything else gives it back.
    /// `refund` carries the end (`state`, `refund_id`, `reason`, `refund_date`). False when it had ended
    /// already, or when it was refused once and has been repeated meanwhile.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn end_refund(&self, order: &Order, refund: &Refund, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let no = &refund.out_trade_no;
        let amount = i128::from(refund.refund_fee.0);
        let mut item = Expression::default();
        item.when("state", "=", RefundState::Processing)
            .set("state", refund.state)
            .set_some("refund_id", refund.refund_id.as_ref())
            .set_some("cash_refund_fee", refund.cash_refund_fee)
            .set_some("reason", refund.reason.as_ref())
            .set_some("refund_date", refund.refund_date)
            .remove("due_shard")
            .remove("due");
        if refund.reason.is_none() {
            item.remove("reason");
        }
        if refund.state == RefundState::Refused && !refund.repeated {
            item.when_raw("attribute_not_exists(repeated)".to_owned());
        }
        if let Some(incident) = &refund.incident {
            return self.end_sent_back(incident, order, refund, &item, entry).await;
        }
        let mut seen = order.clone();
        loop {
            let mut update = Expression::default();
            update.change("refund_reserved", -amount).change("version", 1);
            match refund.state {
                RefundState::Success => count_success(&mut update, &seen, refund),
                RefundState::Closed | RefundState::Refused | RefundState::Processing => {
                    update.change("refundable", amount);
                }
            }
            let mut writes = vec![
                self.updating(&Key::refund(no, &refund.out_refund_no), &item),
                self.updating(&Key::order(no), &update),
                self.history_insertion(no, entry),
            ];
            writes.extend(self.listing(&seen, refund, entry.at));
            match self.commit(writes).await? {
                Ok(()) => return Ok(true),
                Err(Refused::Conditions(at)) if at.contains(&0) => return Ok(false),
                Err(Refused::Conditions(_)) => match self.order(no).await? {
                    Some(order) => seen = order,
                    None => return Ok(false),
                },
                Err(Refused::Invalid(what)) => return Err(StoreError::new("refund", what)),
            }
        }
    }

    /// Ends a refund that answers an incident, and with it the incident when the money went back.
    async fn end_sent_back(
        &self,
        incident: &str,
        order: &Order,
        refund: &Refund,
        item: &Expression,
        entry: &HistoryEntry,
    ) -> Result<bool, StoreError> {
        let no = &refund.out_trade_no;
        let end = || self.updating(&Key::refund(no, &refund.out_refund_no), item);
        let mut writes = vec![end(), self.history_insertion(no, entry)];
        if refund.state != RefundState::Success {
            return self.commit_order(writes).await;
        }
        let mut ended = Self::resolution(Action::Refund, entry.at);
        ended.when("out_refund_no", "=", &refund.out_refund_no);
        writes.push(self.updating(&Key::incident(incident), &ended));
        writes.extend(self.listing(order, refund, entry.at));
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            // An operator has closed it; the money went back all the same.
            Err(Refused::Conditions(at)) if at == [2] => {
                let mut writes = vec![end(), self.history_insertion(no, entry)];
                writes.extend(self.listing(order, refund, entry.at));
                self.commit_order(writes).await
            }
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("refund", what)),
        }
    }

    /// Records a refund that was made elsewhere (the provider's console): counted, and never reserved.
    /// False when its number is known already, or more than what is left.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn adopt_refund(&self, order: &Order, refund: &Refund, entry: &HistoryEntry) -> Result<bool, StoreError> {
        let no = &refund.out_trade_no;
        let mut update = Expression::default();
        update
            .when("refundable", ">=", refund.refund_fee)
            .change("refundable", -i128::from(refund.refund_fee.0))
            .change("refund_num", 1)
            .change("version", 1);
        count_success(&mut update, order, refund);
        let mut claim = number_claim(refund);
        claim.extend(refunded_fields(order, refund, entry.at).iter().map(|(k, v)| (k.clone(), attribute(v))));
        let writes = vec![
            self.updating(&Key::order(no), &update),
            self.insertion(item_of(&Key::refund(no, &refund.out_refund_no), "refund", refund)),
            self.insertion(claim),
            self.history_insertion(no, entry),
        ];
        match self.commit(writes).await? {
            Ok(()) => Ok(true),
            Err(Refused::Conditions(_)) => Ok(false),
            Err(Refused::Invalid(what)) => Err(StoreError::new("refund", what)),
        }
    }
}

/// Makes a refund number unique.
pub(super) fn number_claim(refund: &Refund) -> Item {
    let mut claim = Store::number_key(refund).attributes();
    claim.insert("kind".to_owned(), Av::S("refund_number".to_owned()));
    claim.insert("out_trade_no".to_owned(), Av::S(refund.out_trade_no.clone()));
    claim
}

/// A refused refund that begins again.
pub(super) fn begun_again(shard: String, at: UnixMs) -> Expression {
    let mut update = Expression::default();
    update
        .when("state", "=", RefundState::Refused)
        .set("state", RefundState::Processing)
        .remove("repeated")
        .set("due_shard", shard)
        .set("due", at + FIRST_LOOK);
    update
}

/// Adds a successful refund to an order that was read with some `refund_fee`: the state follows from the
/// sum, so the sum must be what was seen.
fn count_success(update: &mut Expression, seen: &Order, refund: &Refund) {
    let sum = Fen(seen.refund_fee.0 + refund.refund_fee.0);
    update
        .when("refund_fee", "=", seen.refund_fee)
        .set("refund_fee", sum)
        .set("trade_state", Status::Refund)
        .set("status", Status::Refund.vk(sum, seen.total_fee))
        .append(
            "refund_list",
            &json!({
                "out_refund_no": refund.out_refund_no,
                "refund_fee": refund.refund_fee,
                "refund_desc": refund.refund_desc,
                "refund_date": refund.refund_date,
            }),
        );
}
