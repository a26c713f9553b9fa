//! The orders that were paid on days, of all users: for the merchant's own systems.
//!
//! What is listed by day is the payment that an order was credited for, so an order that was not paid is in no such list.
//! A page ends when it is full, at the end of what one request may read, or at the end of the days. Only a page without
//! a cursor is the last.

use super::{Caller, Context, Fields};
use crypto::hash::sha256_hex;
use domain::{Code, Day, Failure, Order, Provider, Status};
use serde_json::{Value, json};
use store::{DayPosition, ListedAccount, Listing, PaidEntry};

/// How many days one list may span.
const MOST_DAYS: i64 = 31;
/// How many accounts one list may span: each is sixteen queries a day.
const MOST_ACCOUNTS: usize = 64;
/// How many orders one request reads, whatever its filter leaves of them.
const MOST_READ: usize = 1_000;
/// After how many queries of the index a request begins with no other day.
const MOST_QUERIES: usize = 1_024;

/// Which orders of a list are wanted.
pub(super) struct Wanted<'a> {
    kind: Option<&'a str>,
    state: Option<Status>,
    vk: Option<i64>,
}

impl<'a> Wanted<'a> {
    /// Reads `type`, `trade_state`, and `status`, which is the same or VK-Pay's integer.
    pub(super) fn read(fields: &Fields<'a>) -> Result<Self, Failure> {
        let bad = |says: &str| Failure::new(Code::FIELD).says(says);
        let mut wanted = Self { kind: fields.text("type", 64)?, state: None, vk: None };
        if let Some(value) = fields.raw("status") {
            wanted.state = value.as_str().and_then(Status::parse);
            wanted.vk = value.as_i64().filter(|n| (-1..=3).contains(n));
            if wanted.state.is_none() && wanted.vk.is_none() {
                return Err(bad("status"));
            }
        }
        if let Some(name) = fields.text("trade_state", 16)? {
            let known = "trade_state: must be NOTPAY, SUCCESS, REFUND or CLOSED";
            let state = Status::parse(name).ok_or_else(|| bad(known))?;
            if wanted.state.is_some_and(|other| other != state) {
                return Err(bad("trade_state: not the same as status"));
            }
            wanted.state = Some(state);
        }
        Ok(wanted)
    }

    /// Whether an order is.
    pub(super) fn is(&self, order: &Order) -> bool {
        self.kind.is_none_or(|kind| order.kind == kind)
            && self.state.is_none_or(|state| order.trade_state == state)
            && self.vk.is_none_or(|vk| i64::from(order.status) == vk)
    }

    /// Whether it is about orders that were never paid.
    fn is_unpaid(&self) -> bool {
        self.state.is_some_and(|state| !state.is_paid()) || self.vk.is_some_and(|vk| vk < 1)
    }
}

/// Whether a request is about days.
pub(super) fn are_named(fields: &Fields<'_>) -> bool {
    ["day", "from", "to"].iter().any(|name| fields.raw(name).is_some_and(|value| value.as_str() != Some("")))
}

/// The days that a request names, both included.
fn days_of(fields: &Fields<'_>) -> Result<(Day, Day), Failure> {
    let bad = |says: String| Failure::new(Code::FIELD).says(says);
    let read = |name: &str| -> Result<Option<Day>, Failure> {
        let wrong = || bad(format!("{name}: must be a day in Asia/Shanghai, YYYY-MM-DD"));
        let text = fields.text(name, 10).map_err(|_| wrong())?;
        text.map(|text| Day::parse(text).ok_or_else(wrong)).transpose()
    };
    let days = match (read("day")?, read("from")?, read("to")?) {
        (Some(day), None, None) => (day, day),
        (None, Some(from), Some(to)) => (from, to),
        (Some(_), ..) => return Err(bad("day: not together with from and to".to_owned())),
        (None, from, _) => {
            let name = if from.is_some() { "to" } else { "from" };
            return Err(bad(format!("{name}: from and to are both needed, YYYY-MM-DD")));
        }
    };
    match days {
        (from, to) if from > to => Err(bad("from: must not be after to".to_owned())),
        (from, to) if to.before(MOST_DAYS - 1) > from => {
            Err(bad(format!("from: at most {MOST_DAYS} days up to to, both included")))
        }
        days => Ok(days),
    }
}

/// The accounts of the configuration whose payments are listed: of a merchant, at a provider, or all. A provider that
/// is named counts also where the merchant has no node there any more.
///
/// # Errors
/// A merchant that the configuration does not have; more accounts than one list may span.
pub async fn listed_accounts(
    cx: &Context<'_>,
    provider: Option<Provider>,
    merchant: Option<&str>,
) -> Result<Vec<ListedAccount>, Failure> {
    let bad = |says: String| Failure::new(Code::FIELD).says(says);
    let ids: Vec<&str> =
        cx.config.merchant_ids().into_iter().filter(|id| merchant.is_none_or(|wanted| wanted == *id)).collect();
    if ids.is_empty() {
        return Err(bad("merchant: not in the configuration".to_owned()));
    }
    if ids.len() > MOST_ACCOUNTS {
        return Err(bad(format!("merchant: needed, there are {} of them", ids.len())));
    }
    let mut accounts = Vec::new();
    for id in ids {
        let providers = match provider {
            Some(provider) => vec![provider],
            None => cx.merchant(id).await?.map(|merchant| merchant.providers()).unwrap_or_default(),
        };
        accounts.extend(providers.into_iter().map(|provider| ListedAccount { provider, merchant: id.to_owned() }));
    }
    if accounts.len() > MOST_ACCOUNTS {
        return Err(bad(format!("merchant or provider: needed, together they are {} accounts", accounts.len())));
    }
    Ok(accounts)
}

/// Where a page of a list ended, as a cursor says it.
fn read_cursor(text: &str, list_of: &str) -> Option<DayPosition> {
    let cursor: Value = serde_json::from_slice(&crypto::from_base64(text).ok()?).ok()?;
    let own = cursor.get("of")?.as_str()? == list_of;
    serde_json::from_value(cursor.get("after")?.clone()).ok().filter(|_| own)
}

fn write_cursor(list_of: &str, after: &DayPosition) -> String {
    crypto::base64(json!({ "of": list_of, "after": after }).to_string().as_bytes())
}

/// Orders that were paid on days.
///
/// # Errors
/// 403 for anybody but the merchant's own systems; the field's code for bad input.
pub(super) async fn orders(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Listing, Failure> {
    let bad = |says: &str| Failure::new(Code::FIELD).says(says);
    if caller.user.is_some() || !caller.trusted {
        return Err(Failure::new(Code::FORBIDDEN).says("day, from, to: for the callers key and iam"));
    }
    if fields.text("user_id", 128)?.is_some() {
        return Err(bad("user_id: not together with day, from, to"));
    }
    let (from, to) = days_of(fields)?;
    let wanted = Wanted::read(fields)?;
    if wanted.is_unpaid() {
        return Err(bad("trade_state: a day lists what was paid on it, SUCCESS and REFUND; an unpaid or closed order is found by its out_trade_no or its user_id"));
    }
    let (provider, merchant) = (fields.provider()?, fields.text("merchant", 64)?);
    let accounts = listed_accounts(cx, provider, merchant).await?;
    let page_size = usize::try_from(fields.integer("pageSize", 1..=100)?.unwrap_or(20)).unwrap_or(20);
    let list_of = json!([from.to_string(), to.to_string(), provider, merchant, wanted.kind, wanted.state, wanted.vk]);
    let list_of = sha256_hex(list_of.to_string().as_bytes())[..16].to_owned();
    let after = match fields.text("cursor", 1024)? {
        Some(text) => Some(read_cursor(text, &list_of).ok_or_else(|| bad("cursor: not of this list"))?),
        None => None,
    };
    let mut list = cx.store.paid_on_days(&accounts, (from, to), after.as_ref(), page_size.min(25));
    let (mut page, mut read) = (Vec::new(), 0);
    loop {
        let entries = list.next::<PaidEntry>(page_size).await?;
        read += entries.len();
        let numbers: Vec<&str> = entries.iter().map(|found| found.entry.out_trade_no.as_str()).collect();
        let orders = cx.store.orders(&numbers).await?;
        let mut orders = orders.into_iter().peekable();
        for found in &entries {
            let Some(order) = orders.next_if(|order| order.out_trade_no == found.entry.out_trade_no) else { continue };
            if wanted.is(&order) {
                page.push(order);
                if page.len() == page_size {
                    return Ok((page, Some(write_cursor(&list_of, &found.position))));
                }
            }
        }
        let Some(position) = list.position() else { return Ok((page, None)) };
        if read >= MOST_READ || list.queries() >= MOST_QUERIES {
            return Ok((page, Some(write_cursor(&list_of, position))));
        }
    }
}
