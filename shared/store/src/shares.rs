//! Shares of orders and their returns in the table: one item each, beside the order whose sums they move.
//!
//! What may be shared depends on what is refunded, and the other way round, and no condition of DynamoDB can add two
//! attributes up. So whatever reserves names the order's version as it was read, and the sums are made of what was read.
//! Each item has a version too; a move names those of all the items that it moves, so it happens once or not at all.

use super::item::{Expression, Item, Key, item_of, shape_of};
use super::refunds::begun_again;
use super::{FIRST_LOOK, HistoryEntry, Refused, Store, StoreError};
use aws_sdk_dynamodb::types::{AttributeValue as Av, TransactWriteItem};
use domain::{Fen, Order, Provider, Refund, RefundState, Share, ShareReturn, UnixMs};
use serde::Serialize;
use serde_json::{Map, Value};

/// What a move adds to an order's sums, or takes from them, in fen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OrderSums {
    /// To `sharing.reserved`.
    pub reserved: i128,
    /// To `sharing.shared`.
    pub shared: i128,
    /// To `sharing.returning`.
    pub returning: i128,
    /// To `sharing.num`.
    pub num: i128,
    /// What `sharing.ended` becomes.
    pub ended: Option<bool>,
}

impl OrderSums {
    /// The difference that a share makes when it moves; the first time there is none before.
    pub fn of_share(before: Option<&Share>, after: &Share) -> Self {
        let signed = |fen: Fen| i128::from(fen.0);
        Self {
            reserved: signed(after.pending()) - before.map_or(0, |before| signed(before.pending())),
            shared: signed(after.held()) - before.map_or(0, |before| signed(before.held())),
            ..Self::default()
        }
    }
}

/// What happens to a refund with a move.
#[derive(Debug, Clone, Copy, Default)]
pub enum RefundMove<'a> {
    /// Nothing.
    #[default]
    None,
    /// It begins: its amount is reserved.
    Begin(&'a Refund),
    /// A refused one begins again.
    BeginAgain(&'a Refund),
    /// It is refused before its provider was called for it: its amount is free again. It carries its end.
    Refuse(&'a Refund),
}

/// A move of shares and returns of one order, in one transaction.
pub struct SharingChange<'a> {
    /// The order as it was read. A move that reserves holds only while it is still so.
    pub order: &'a Order,
    /// Whether it reserves something.
    pub reserves: bool,
    /// What it does to the order's sums.
    pub sums: OrderSums,
    /// Shares, as they were read (none for a new one) and as they become.
    pub shares: Vec<(Option<&'a Share>, &'a Share)>,
    /// Returns, likewise.
    pub returns: Vec<(Option<&'a ShareReturn>, &'a ShareReturn)>,
    /// What happens to a refund.
    pub refund: RefundMove<'a>,
    /// The history.
    pub entry: &'a HistoryEntry,
}

/// How such a move ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharingWritten {
    /// All of it is written.
    Done,
    /// Something is not as it was read: read it again.
    Moved,
    /// A number is taken.
    NumberTaken,
}

impl Store {
    /// A share of an order.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn share(&self, out_trade_no: &str, out_order_no: &str) -> Result<Option<Share>, StoreError> {
        self.get(&Key::share(out_trade_no, out_order_no)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// All shares of an order, oldest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn shares(&self, out_trade_no: &str) -> Result<Vec<Share>, StoreError> {
        let items = self.partition(&Key::order(out_trade_no).pk, "S#").await?;
        let mut shares = items.iter().map(shape_of).collect::<Result<Vec<Share>, _>>()?;
        shares.sort_by_key(|share| share.create_date);
        Ok(shares)
    }

    /// A return of an order's share.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn share_return(
        &self,
        out_trade_no: &str,
        out_return_no: &str,
    ) -> Result<Option<ShareReturn>, StoreError> {
        self.get(&Key::share_return(out_trade_no, out_return_no)).await?.map(|item| shape_of(&item)).transpose()
    }

    /// All returns of an order's shares, oldest first.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn share_returns(&self, out_trade_no: &str) -> Result<Vec<ShareReturn>, StoreError> {
        let items = self.partition(&Key::order(out_trade_no).pk, "SR#").await?;
        let mut returns = items.iter().map(shape_of).collect::<Result<Vec<ShareReturn>, _>>()?;
        returns.sort_by_key(|made| made.create_date);
        Ok(returns)
    }

    /// Has the schedule look at a return that a refund waited for, if it has not ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn follow_return(&self, out_trade_no: &str, out_return_no: &str, at: UnixMs) -> Result<(), StoreError> {
        let mut update = Expression::default();
        update
            .when_raw("attribute_exists(pk)".to_owned())
            .when_raw("attribute_not_exists(end_date)".to_owned())
            .when_raw("attribute_not_exists(due_shard)".to_owned())
            .set("due_shard", self.due_shard(out_trade_no))
            .set("due", at + FIRST_LOOK);
        self.update_if(&Key::share_return(out_trade_no, out_return_no), &update).await.map(|_| ())
    }

    /// Makes a move, if all that it names is as it was read.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn change_sharing(&self, change: &SharingChange<'_>) -> Result<SharingWritten, StoreError> {
        let (no, at) = (&change.order.out_trade_no, change.entry.at);
        let shard = self.due_shard(no);
        let mut writes =
            vec![self.updating(&Key::order(no), &order_update(change)), self.history_insertion(no, change.entry)];
        for (before, after) in &change.shares {
            let key = Key::share(no, &after.out_order_no);
            writes.push(match before {
                None => self.insertion(due_item(item_of(&key, "share", after), &shard, at)),
                Some(before) => {
                    let due = due_after(before.state.is_open(), after.state.is_open());
                    self.updating(&key, &between(*before, *after, before.version, &due, &shard, at))
                }
            });
        }
        for (before, after) in &change.returns {
            let key = Key::share_return(no, &after.out_return_no);
            writes.push(match before {
                // What a refund waits for is brought on with the refund.
                None if after.out_refund_no.is_some() => self.insertion(item_of(&key, "share_return", after)),
                None => self.insertion(due_item(item_of(&key, "share_return", after), &shard, at)),
                Some(before) => {
                    let due = due_after(before.state.is_open(), after.state.is_open());
                    self.updating(&key, &between(*before, *after, before.version, &due, &shard, at))
                }
            });
        }
        match change.refund {
            RefundMove::None | RefundMove::Begin(_) => {}
            RefundMove::BeginAgain(refund) => {
                let mut update = begun_again(shard, at);
                update.set("returns", &refund.returns);
                writes.push(self.updating(&Key::refund(no, &refund.out_refund_no), &update));
            }
            RefundMove::Refuse(refund) => {
                let mut update = Expression::default();
                update
                    .when("state", "=", RefundState::Processing)
                    .set("state", refund.state)
                    .set_some("reason", refund.reason.as_ref())
                    .remove("due_shard")
                    .remove("due");
                writes.push(self.updating(&Key::refund(no, &refund.out_refund_no), &update));
            }
        }
        let numbers = writes.len();
        writes.extend(self.claims(change));
        Ok(match self.commit(writes).await? {
            Ok(()) => SharingWritten::Done,
            Err(Refused::Conditions(at)) if at.iter().any(|i| *i < numbers) => SharingWritten::Moved,
            Err(Refused::Conditions(_)) => SharingWritten::NumberTaken,
            Err(Refused::Invalid(what)) => return Err(StoreError::new("sharing", what)),
        })
    }

    /// What makes the numbers of new shares, returns and refunds unique.
    fn claims(&self, change: &SharingChange<'_>) -> Vec<TransactWriteItem> {
        let no = &change.order.out_trade_no;
        let claim = |key: Key, kind: &str| {
            let mut claim = key.attributes();
            claim.insert("kind".to_owned(), Av::S(kind.to_owned()));
            claim.insert("out_trade_no".to_owned(), Av::S(no.clone()));
            self.insertion(claim)
        };
        let mut claims = Vec::new();
        for (_, share) in change.shares.iter().filter(|(before, _)| before.is_none()) {
            let key = Key::share_number(share.provider.name(), &share.merchant, &share.out_order_no);
            claims.push(claim(key, "share_number"));
            claims.extend(
                refund_like(share.provider, &share.merchant, no, share.attempt, &share.out_order_no)
                    .map(|key| claim(key, "share_number")),
            );
        }
        for (_, made) in change.returns.iter().filter(|(before, _)| before.is_none()) {
            let key = Key::return_number(made.provider.name(), &made.merchant, &made.out_return_no);
            claims.push(claim(key, "return_number"));
            claims.extend(
                refund_like(made.provider, &made.merchant, no, made.attempt, &made.out_return_no)
                    .map(|key| claim(key, "return_number")),
            );
        }
        if let RefundMove::Begin(refund) = change.refund {
            claims.extend(self.refund_insertions(refund));
        }
        claims
    }
}

/// The place of a number among those of the payment's refunds, where shares, returns and refunds have their numbers from
/// one series.
fn refund_like(provider: Provider, merchant: &str, no: &str, attempt: u64, number: &str) -> Option<Key> {
    let one_series = provider.numbers_shares_as_refunds();
    one_series.then(|| Key::refund_number(provider.name(), merchant, &Store::own_number(no, attempt, number)))
}

/// The order's part of a move.
fn order_update(change: &SharingChange<'_>) -> Expression {
    let mut update = Expression::default();
    if change.reserves {
        update.when("version", "=", change.order.version);
    }
    let OrderSums { reserved, shared, returning, num, ended } = change.sums;
    let sums = [("reserved", reserved), ("shared", shared), ("returning", returning), ("num", num)];
    for (name, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
        update.change(&format!("sharing.{name}"), sum);
    }
    update.set_some("sharing.ended", ended);
    match change.refund {
        RefundMove::None => {}
        RefundMove::Begin(refund) | RefundMove::BeginAgain(refund) => {
            let amount = i128::from(refund.refund_fee.0);
            update.change("refundable", -amount).change("refund_reserved", amount);
            if matches!(change.refund, RefundMove::Begin(_)) {
                update.change("refund_num", 1);
            }
        }
        RefundMove::Refuse(refund) => {
            let amount = i128::from(refund.refund_fee.0);
            update.change("refundable", amount).change("refund_reserved", -amount);
        }
    }
    update.change("version", 1);
    update
}

/// What becomes of an item's place in the index of what is due.
enum DueChange {
    Stays,
    Begins,
    Ends,
}

const fn due_after(was_open: bool, is_open: bool) -> DueChange {
    match (was_open, is_open) {
        (false, true) => DueChange::Begins,
        (true, false) => DueChange::Ends,
        (true, true) | (false, false) => DueChange::Stays,
    }
}

fn due_item(mut item: Item, shard: &str, at: UnixMs) -> Item {
    item.insert("due_shard".to_owned(), Av::S(shard.to_owned()));
    item.insert("due".to_owned(), Av::N((at + FIRST_LOOK).to_string()));
    item
}

/// What makes one shape of the other, if the item has that version.
fn between<T: Serialize>(before: &T, after: &T, version: u64, due: &DueChange, shard: &str, at: UnixMs) -> Expression {
    let fields = |shape: &T| match serde_json::to_value(shape) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let (before, after) = (fields(before), fields(after));
    let mut update = Expression::default();
    update.when("version", "=", version);
    for (name, value) in after.iter().filter(|(name, value)| before.get(*name) != Some(value)) {
        update.set(name, value);
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        update.remove(name);
    }
    match due {
        DueChange::Stays => {}
        DueChange::Begins => {
            update.set("due_shard", shard).set("due", at + FIRST_LOOK);
        }
        DueChange::Ends => {
            update.remove("due_shard").remove("due");
        }
    }
    update
}
