//! The orders that were paid on days, of all users: for the merchant's own systems.
//!
//! What is listed by day is the payment that an order was credited for, so an order that was not paid is in no such list.
//! A page ends when it is full, at the end of what one request may read, or at the end of the days. Only a page without
//! a cursor is the last.

use super::{Caller, Context, Fields};
use crypto::hash::sha256_hex;
use domain::{Code, Day, Failure, Field, Order, Provider, Status, fields as f};
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
        let mut wanted = Self { kind: fields.text(&f::WANTED_TYPE)?, state: None, vk: None };
        if let Some(value) = fields.raw(&f::ORDER_STATUS) {
            wanted.state = value.as_str().and_then(Status::parse);
            wanted.vk = value.as_i64().filter(|n| (-1..=3).contains(n));
            if wanted.state.is_none() && wanted.vk.is_none() {
                return Err(fields.fault(&f::ORDER_STATUS));
            }
        }
        if let Some(name) = fields.choice(&f::TRADE_STATE)? {
            let state = Status::parse(name).ok_or_else(|| fields.fault(&f::TRADE_STATE))?;
            if wanted.state.is_some_and(|other| other != state) {
                return Err(f::TRADE_STATE.wrong("not the same as status"));
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
    [f::DAY, f::FROM, f::TO].iter().any(|field| fields.raw(field).is_some_and(|value| value.as_str() != Some("")))
}

/// The days that a request names, both included.
fn days_of(fields: &Fields<'_>) -> Result<(Day, Day), Failure> {
    let read = |field: &Field| -> Result<Option<Day>, Failure> {
        let text = fields.text(field)?;
        text.map(|text| Day::parse(text).ok_or_else(|| fields.fault(field))).transpose()
    };
    let days = match (read(&f::DAY)?, read(&f::FROM)?, read(&f::TO)?) {
        (Some(day), None, None) => (day, day),
        (None, Some(from), Some(to)) => (from, to),
        (Some(_), ..) => return Err(f::DAY.wrong("not together with from and to")),
        (None, from, _) => {
            let missing = if from.is_some() { f::TO } else { f::FROM };
            return Err(missing.wrong("from and to are both needed, YYYY-MM-DD"));
        }
    };
    match days {
        (from, to) if from > to => Err(f::FROM.wrong("must not be after to")),
        (from, to) if to.before(MOST_DAYS - 1) > from => {
            Err(f::FROM.wrong(&format!("at most {MOST_DAYS} days up to to, both included")))
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
    let ids: Vec<&str> =
        cx.config.merchant_ids().into_iter().filter(|id| merchant.is_none_or(|wanted| wanted == *id)).collect();
    if ids.is_empty() {
        return Err(f::MERCHANT.wrong("not in the configuration"));
    }
    if ids.len() > MOST_ACCOUNTS {
        return Err(f::MERCHANT.wrong(&format!("needed, there are {} of them", ids.len())));
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
        let what = format!("it or provider is needed, together they are {} accounts", accounts.len());
        return Err(f::MERCHANT.wrong(&what));
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
    if caller.user.is_some() || !caller.trusted {
        return Err(Failure::new(Code::FORBIDDEN).says("day, from, to: for the callers key and iam"));
    }
    if fields.text(&f::USER_ID)?.is_some() {
        return Err(f::USER_ID.wrong("not together with day, from, to"));
    }
    let (from, to) = days_of(fields)?;
    let wanted = Wanted::read(fields)?;
    if wanted.is_unpaid() {
        return Err(f::TRADE_STATE.wrong(
            "a day lists what was paid on it, SUCCESS and REFUND; an unpaid or closed order is found by its out_trade_no or its user_id",
        ));
    }
    let (provider, merchant) = (fields.provider()?, fields.text(&f::MERCHANT)?);
    let accounts = listed_accounts(cx, provider, merchant).await?;
    let page_size = usize::try_from(fields.integer(&f::PAGE_SIZE)?.unwrap_or(20)).unwrap_or(20);
    let list_of = json!([from.to_string(), to.to_string(), provider, merchant, wanted.kind, wanted.state, wanted.vk]);
    let list_of = sha256_hex(list_of.to_string().as_bytes())[..16].to_owned();
    let after = match fields.text(&f::CURSOR)? {
        Some(text) => Some(read_cursor(text, &list_of).ok_or_else(|| f::CURSOR.wrong("not of this list"))?),
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
