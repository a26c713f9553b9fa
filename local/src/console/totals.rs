//! Sums of days, kept for a while: adding up a day reads all of its payments.
//!
//! What a page shows is what was added up last; what is too old is added up again behind it, the newest day first. A day
//! that is long over hardly changes, so that a month costs its reads once, and from then on little more than today's.

use futures::stream::{self, StreamExt, TryStreamExt};
use shared::domain::{Day, UnixMs};
use shared::store::{DayTotals, ListedAccount, Store};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For how long the sums of today count at least.
const FRESH: Duration = Duration::from_secs(10);
/// The same for a day that may still get payments that were found late.
const RECENT: Duration = Duration::from_mins(10);
/// The same for a day that bills were compared with.
const PAST: Duration = Duration::from_hours(6);
/// After how many days that is so.
const SETTLED: i64 = 4;
/// Accounts of a day that are added up at once.
const ACCOUNTS_AT_ONCE: usize = 4;
/// What takes long to add up counts for so many times as long.
const REST: u32 = 20;

struct Kept {
    totals: DayTotals,
    at: Instant,
    took: Duration,
}

impl Kept {
    fn is_fresh(&self, age: i64) -> bool {
        let least = match age {
            0 => FRESH,
            days if days < SETTLED => RECENT,
            _ => PAST,
        };
        self.at.elapsed() < least.max(self.took * REST)
    }
}

/// The sums that are known.
#[derive(Default)]
pub struct Totals {
    days: Mutex<HashMap<(ListedAccount, Day), Kept>>,
    /// Why the last sum could not be had.
    failed: Mutex<Option<String>>,
    running: tokio::sync::Mutex<()>,
    incidents: tokio::sync::Mutex<Option<(Instant, OpenIncidents)>>,
}

/// How many incidents wait for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenIncidents {
    /// Of those that were looked at.
    pub count: usize,
    /// Whether those were all.
    pub whole: bool,
}

/// The sums of some days, as far as they are known.
pub struct Known {
    /// By day and provider's account.
    pub days: BTreeMap<Day, Vec<(ListedAccount, DayTotals)>>,
    /// How many days of accounts are not added up yet.
    pub missing: usize,
    /// Why not, where that went wrong.
    pub failed: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many incidents are looked at to count the open ones, in pages.
const INCIDENTS: (usize, usize) = (3, 100);

impl Totals {
    /// The incidents that wait for somebody, counted anew after a time.
    pub async fn open_incidents(&self, store: &Store, fresh: Duration) -> OpenIncidents {
        let mut kept = self.incidents.lock().await;
        if let Some((at, open)) = *kept
            && at.elapsed() < fresh
        {
            return open;
        }
        let (mut open, mut cursor) = (OpenIncidents::default(), None);
        for _ in 0..INCIDENTS.0 {
            let Ok(Some((page, next))) = store.incidents(INCIDENTS.1, cursor.as_deref(), |_| true).await else { break };
            open.count += page.iter().filter(|incident| incident.get("status").is_some_and(|s| s == "open")).count();
            open.whole = next.is_none();
            cursor = next;
            if open.whole {
                break;
            }
        }
        *kept = Some((Instant::now(), open));
        open
    }

    /// What is known of the days up to `today`, so many.
    pub fn known(&self, accounts: &[ListedAccount], today: Day, days: i64) -> Known {
        let kept = lock(&self.days);
        let mut known = Known { days: BTreeMap::new(), missing: 0, failed: lock(&self.failed).clone() };
        for day in (0..days).map(|n| today.before(n)) {
            let of_day = known.days.entry(day).or_default();
            for account in accounts {
                match kept.get(&(account.clone(), day)) {
                    Some(own) => of_day.push((account.clone(), own.totals)),
                    None => known.missing += 1,
                }
            }
        }
        known
    }

    /// Adds up what is not known or too old, unless that is going on already. Whoever waits for it may stop waiting: it goes
    /// on.
    pub fn refresh(
        self: &Arc<Self>,
        store: &Store,
        accounts: Vec<ListedAccount>,
        now: UnixMs,
        days: i64,
    ) -> tokio::task::JoinHandle<()> {
        let (totals, store) = (self.clone(), store.clone());
        tokio::spawn(async move {
            let Ok(_running) = totals.running.try_lock() else { return };
            let added = totals.add_up(&store, &accounts, Day::of(now), days).await;
            *lock(&totals.failed) = added.err().map(|error| error.to_string());
        })
    }

    async fn add_up(
        &self,
        store: &Store,
        accounts: &[ListedAccount],
        today: Day,
        days: i64,
    ) -> Result<(), shared::store::StoreError> {
        // A small table says at once on which days there is anything.
        let few = store.days_if_few().await.unwrap_or_default();
        for age in 0..days {
            let day = today.before(age);
            let added: Vec<_> =
                accounts.iter().map(|account| self.add_day(store, (account.clone(), day), age, few.as_ref())).collect();
            stream::iter(added).buffer_unordered(ACCOUNTS_AT_ONCE).try_collect::<()>().await?;
        }
        Ok(())
    }

    async fn add_day(
        &self,
        store: &Store,
        key: (ListedAccount, Day),
        age: i64,
        few: Option<&HashSet<(ListedAccount, Day)>>,
    ) -> Result<(), shared::store::StoreError> {
        if lock(&self.days).get(&key).is_some_and(|own| own.is_fresh(age)) {
            return Ok(());
        }
        let began = Instant::now();
        let totals = match few {
            Some(few) if !few.contains(&key) => DayTotals::default(),
            _ => store.day_totals(&key.0, key.1).await?,
        };
        // What a small table says by one read is as old as that.
        let kept = Kept { totals, at: began, took: began.elapsed() };
        lock(&self.days).insert(key, kept);
        Ok(())
    }
}
