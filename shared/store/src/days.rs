//! What was paid and refunded on days: lists that go on where they ended, and sums.
//!
//! Payments and ended refunds stand in the index `listing` under their account, day and shard (`bills.rs`). A list of
//! a day merges those keys by time. Where a list ended is the last entry that it gave, by its time and its own key, and not
//! a place in a page: nothing is given twice or left out, whatever is written meanwhile. What has the same time is ordered
//! by its key.

use super::bills::{PaidEntry, RefundedEntry, SHARDS, list_key};
use super::item::{Item, Key, shape_of};
use super::{Store, StoreError};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{Day, Fen, Order, Provider, UnixMs};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering as Counting};

/// Keys that are read at once.
const AT_ONCE: usize = 16;
/// Shards that are added up at once.
const SUMMED_AT_ONCE: usize = 4;
/// Keys of one read while a day is added up.
const SUMMED: i32 = 400;
/// The most keys of an index that counts as small.
const FEW: i32 = 4_000;

/// A merchant at a provider, as the configuration names them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListedAccount {
    /// The provider.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
}

/// What is listed by day.
pub trait ByDay: DeserializeOwned + Send {
    /// How its keys in the index begin.
    const LISTING: &'static str;

    /// The order that it belongs to.
    fn out_trade_no(&self) -> &str;
}

impl ByDay for PaidEntry {
    const LISTING: &'static str = "paid";

    fn out_trade_no(&self) -> &str {
        &self.out_trade_no
    }
}

impl ByDay for RefundedEntry {
    const LISTING: &'static str = "refunded";

    fn out_trade_no(&self) -> &str {
        &self.out_trade_no
    }
}

/// Where a list of days ended: the entry that it gave last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayPosition {
    at: UnixMs,
    list_key: String,
    pk: String,
}

impl DayPosition {
    /// Before everything of a day, which is what it ends with: newer comes first.
    fn end_of(day: Day) -> Self {
        let last = UnixMs::new(day.before(-1).begins().get() - 1);
        Self { at: last, list_key: String::new(), pk: String::new() }
    }

    /// When what it stands for was.
    pub const fn at(&self) -> UnixMs {
        self.at
    }

    /// The newest first; what has the same time by its key.
    fn order(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at).then_with(|| (&self.list_key, &self.pk).cmp(&(&other.list_key, &other.pk)))
    }
}

/// An entry of a list, and where the list goes on after it.
#[derive(Debug, Clone, PartialEq)]
pub struct OnDay<T> {
    /// The entry.
    pub entry: T,
    /// Whose it is.
    pub account: ListedAccount,
    /// Where it stands.
    pub position: DayPosition,
}

/// One key of the index: an account's shard of a day.
struct Shelf {
    account: ListedAccount,
    list_key: String,
    /// In order, and complete up to the time of its last.
    ready: VecDeque<(DayPosition, Item)>,
    /// Of the last time that was read: more of it may follow.
    held: Vec<(DayPosition, Item)>,
    next: Option<Item>,
    ended: bool,
}

impl Shelf {
    fn is_waiting(&self) -> bool {
        self.ready.is_empty() && !self.ended
    }
}

/// A list of days, the newest first, that is read as it is taken. It holds some keys of one day, however long it is.
pub struct DayList<'a> {
    store: &'a Store,
    listing: &'static str,
    accounts: Vec<ListedAccount>,
    from: Day,
    /// The day that is read now; `None` when all are.
    day: Option<Day>,
    after: DayPosition,
    /// Where the shelves were begun.
    bound: DayPosition,
    shelves: Vec<Shelf>,
    chunk: i32,
    /// Queries that were made.
    queries: AtomicUsize,
}

impl<'a> DayList<'a> {
    fn new(
        store: &'a Store,
        listing: &'static str,
        accounts: &[ListedAccount],
        (from, to): (Day, Day),
        after: Option<&DayPosition>,
        chunk: i32,
    ) -> Self {
        let after = after.filter(|after| Day::of(after.at) <= to).cloned();
        let after = after.unwrap_or_else(|| DayPosition::end_of(to));
        let day = Some(Day::of(after.at)).filter(|day| *day >= from);
        let mut accounts = accounts.to_vec();
        accounts.sort();
        accounts.dedup();
        let queries = AtomicUsize::new(0);
        let bound = after.clone();
        Self { store, listing, accounts, from, day, after, bound, shelves: Vec::new(), chunk, queries }
    }

    /// Where the list is: what follows is what comes after it. `None` when nothing follows.
    pub fn position(&self) -> Option<&DayPosition> {
        self.day.is_some().then_some(&self.after)
    }

    /// Queries of the index so far, each of which costs a read unit or half of one.
    pub fn queries(&self) -> usize {
        self.queries.load(Counting::Relaxed)
    }

    /// The next keys, at most so many and none of another day than the first. None at the end of a day, and of the list:
    /// [`Self::position`] tells which.
    async fn take(&mut self, count: usize) -> Result<Vec<(DayPosition, ListedAccount, Item)>, StoreError> {
        let Some(day) = self.day else { return Ok(Vec::new()) };
        if self.shelves.is_empty() {
            let of = |account: &ListedAccount, shard| Shelf {
                list_key: list_key(self.listing, account.provider, &account.merchant, day, shard),
                account: account.clone(),
                ready: VecDeque::new(),
                held: Vec::new(),
                next: None,
                ended: false,
            };
            let of = &of;
            self.shelves = self.accounts.iter().flat_map(|own| (0..SHARDS).map(move |n| of(own, n))).collect();
            self.bound = self.after.clone();
        }
        let mut taken = Vec::new();
        while taken.len() < count {
            self.fill().await?;
            let fronts = self.shelves.iter().enumerate().filter_map(|(at, shelf)| Some((at, &shelf.ready.front()?.0)));
            let first = fronts.min_by(|(_, a), (_, b)| a.order(b)).map(|(at, _)| at);
            let Some(at) = first else {
                self.shelves.clear();
                let before = day.before(1);
                self.day = (before >= self.from).then_some(before);
                if self.day.is_some() {
                    self.after = DayPosition::end_of(before);
                }
                break;
            };
            if let Some((position, item)) = self.shelves[at].ready.pop_front() {
                self.after = position.clone();
                taken.push((position, self.shelves[at].account.clone(), item));
            }
        }
        Ok(taken)
    }

    /// Reads on where nothing is ready.
    async fn fill(&mut self) -> Result<(), StoreError> {
        while self.shelves.iter().any(Shelf::is_waiting) {
            let (store, bound, chunk, queries) = (self.store, &self.bound, self.chunk, &self.queries);
            let waiting: Vec<_> = self
                .shelves
                .iter_mut()
                .filter(|shelf| shelf.is_waiting())
                .map(|shelf| async move {
                    queries.fetch_add(1, Counting::Relaxed);
                    store.fill_shelf(shelf, bound, chunk).await
                })
                .collect();
            stream::iter(waiting).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    /// The next entries, at most so many, read from the table; fewer at the end of a day, and none at its very end.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn next<T: ByDay>(&mut self, count: usize) -> Result<Vec<OnDay<T>>, StoreError> {
        let taken = self.take(count).await?;
        let keys: Vec<Item> = taken.iter().map(|(_, _, item)| item.clone()).collect();
        let items = self.store.whole(&keys).await?;
        let mut by_key: HashMap<String, Item> =
            items.into_iter().filter_map(|item| Some((item.get("pk")?.as_s().ok()?.clone(), item))).collect();
        let mut entries = Vec::new();
        for (position, account, _) in taken {
            if let Some(item) = by_key.remove(&position.pk) {
                entries.push(OnDay { entry: shape_of(&item)?, account, position });
            }
        }
        Ok(entries)
    }
}

/// What was paid and refunded on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DayTotals {
    /// Orders that were paid.
    pub paid: u64,
    /// Their sum.
    pub paid_fee: Fen,
    /// Refunds of these orders that ended well.
    pub refunded: u64,
    /// Their sum.
    pub refunded_fee: Fen,
    /// Payments that no order was credited for and that went back.
    pub returned: u64,
    /// Their sum: it never came in here either, so that it is no part of what is left.
    pub returned_fee: Fen,
}

impl DayTotals {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            paid: self.paid + other.paid,
            paid_fee: Fen(self.paid_fee.0.saturating_add(other.paid_fee.0)),
            refunded: self.refunded + other.refunded,
            refunded_fee: Fen(self.refunded_fee.0.saturating_add(other.refunded_fee.0)),
            returned: self.returned + other.returned,
            returned_fee: Fen(self.returned_fee.0.saturating_add(other.returned_fee.0)),
        }
    }
}

impl Store {
    /// What orders of these accounts were credited for on days, the newest first, after a position. `chunk` keys are
    /// read at once of each shard.
    pub fn paid_on_days(
        &self,
        accounts: &[ListedAccount],
        days: (Day, Day),
        after: Option<&DayPosition>,
        chunk: usize,
    ) -> DayList<'_> {
        DayList::new(self, PaidEntry::LISTING, accounts, days, after, chunk_of(chunk))
    }

    /// Refunds of these accounts that ended well on days, the same way.
    pub fn refunded_on_days(
        &self,
        accounts: &[ListedAccount],
        days: (Day, Day),
        after: Option<&DayPosition>,
        chunk: usize,
    ) -> DayList<'_> {
        DayList::new(self, RefundedEntry::LISTING, accounts, days, after, chunk_of(chunk))
    }

    /// Orders by their numbers, in that order, without those that are not there.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn orders(&self, numbers: &[&str]) -> Result<Vec<Order>, StoreError> {
        let mut seen = HashSet::new();
        let numbers = numbers.iter().filter(|number| seen.insert(**number));
        let keys: Vec<Item> = numbers.map(|number| Key::order(number).attributes()).collect();
        let items = self.whole(&keys).await?;
        let orders =
            items.iter().filter(|item| item.get("kind").is_some_and(|kind| *kind == Av::S("order".to_owned())));
        orders.map(shape_of).collect()
    }

    /// The sums of an account's day: each payment and refund is read once, some at a time.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn day_totals(&self, account: &ListedAccount, day: Day) -> Result<DayTotals, StoreError> {
        let shards = stream::iter(0..SHARDS).map(|shard| async move {
            let ListedAccount { provider, merchant } = account;
            let key = |listing| list_key(listing, *provider, merchant, day, shard);
            let mut sum = DayTotals::default();
            self.add_up(&key(PaidEntry::LISTING), |entry: PaidEntry| {
                sum.paid += 1;
                sum.paid_fee = Fen(sum.paid_fee.0.saturating_add(entry.total_fee.0));
            })
            .await?;
            self.add_up(&key(RefundedEntry::LISTING), |entry: RefundedEntry| {
                let (count, fee) = match entry.incident {
                    None => (&mut sum.refunded, &mut sum.refunded_fee),
                    Some(_) => (&mut sum.returned, &mut sum.returned_fee),
                };
                *count += 1;
                *fee = Fen(fee.0.saturating_add(entry.refund_fee.0));
            })
            .await?;
            Ok(sum)
        });
        let sums: Vec<DayTotals> = shards.buffer_unordered(SUMMED_AT_ONCE).try_collect().await?;
        Ok(sums.into_iter().fold(DayTotals::default(), DayTotals::and))
    }

    /// Which accounts have something on which days, where the index is so small that one read gives it whole.
    ///
    /// # Errors
    /// When the index cannot be scanned, for which few have the right.
    pub async fn days_if_few(&self) -> Result<Option<HashSet<(ListedAccount, Day)>>, StoreError> {
        let scan = self.client.scan().table_name(&self.table).index_name("listing").limit(FEW);
        let page = scan.send().boxed().await.map_err(|e| StoreError::sdk("listing", &e))?;
        if page.last_evaluated_key.is_some_and(|key| !key.is_empty()) {
            return Ok(None);
        }
        let of = |item: &Item| {
            let mut parts = item.get("list_key")?.as_s().ok()?.split('#');
            parts.next().filter(|listing| [PaidEntry::LISTING, RefundedEntry::LISTING].contains(listing))?;
            let (provider, merchant) = (Provider::parse(parts.next()?)?, parts.next()?.to_owned());
            Some((ListedAccount { provider, merchant }, Day::parse(parts.next()?)?))
        };
        Ok(Some(page.items.unwrap_or_default().iter().filter_map(of).collect()))
    }

    async fn add_up<T: ByDay>(&self, list_key: &str, mut add: impl FnMut(T)) -> Result<(), StoreError> {
        let mut start = None;
        loop {
            let (keys, next) = self.day_keys(list_key, None, start, SUMMED).await?;
            for item in self.whole(&keys).await? {
                add(shape_of(&item)?);
            }
            match next {
                Some(key) => start = Some(key),
                None => return Ok(()),
            }
        }
    }

    async fn fill_shelf(&self, shelf: &mut Shelf, after: &DayPosition, chunk: i32) -> Result<(), StoreError> {
        let (keys, next) = self.day_keys(&shelf.list_key, Some(after.at), shelf.next.take(), chunk).await?;
        let text = |item: &Item, name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
        let mut found = std::mem::take(&mut shelf.held);
        found.extend(keys.into_iter().filter_map(|item| {
            let at = item.get("list_date")?.as_n().ok()?.parse().ok()?;
            let position = DayPosition { at, list_key: text(&item, "list_key")?, pk: text(&item, "pk")? };
            (after.order(&position) == Ordering::Less).then_some((position, item))
        }));
        found.sort_by(|(a, _), (b, _)| a.order(b));
        shelf.ended = next.is_none();
        shelf.next = next;
        if !shelf.ended {
            let last = found.last().map(|(position, _)| position.at);
            let complete = found.iter().take_while(|(position, _)| Some(position.at) != last).count();
            shelf.held = found.split_off(complete);
        }
        shelf.ready.extend(found);
        Ok(())
    }

    /// Some keys of the index, the newest first: of one key, not newer than a time.
    async fn day_keys(
        &self,
        list_key: &str,
        until: Option<UnixMs>,
        start: Option<Item>,
        limit: i32,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let bound = if until.is_some() { " AND list_date <= :until" } else { "" };
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("listing")
            .key_condition_expression(format!("list_key = :key{bound}"))
            .expression_attribute_values(":key", Av::S(list_key.to_owned()))
            .scan_index_forward(false)
            .limit(limit)
            .set_exclusive_start_key(start);
        if let Some(until) = until {
            query = query.expression_attribute_values(":until", Av::N(until.to_string()));
        }
        let page = query.send().boxed().await.map_err(|e| StoreError::sdk("listing", &e))?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}

fn chunk_of(count: usize) -> i32 {
    i32::try_from(count.clamp(1, 500)).unwrap_or(500)
}
