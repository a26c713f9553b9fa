//! A complaint in the ledger: asked about, and written with its incident, which waits for somebody as long as the merchant
//! has to do something.
//!
//! Who writes has read the complaint before the provider was asked, and writes only if nobody has since: what is written
//! last was said last, whatever order notices come in, and two at once make one incident.

use super::Context;
use super::holder::find_order;
use super::incident_record::ring;
use domain::{Code, Complaint, ComplaintOrder, ComplaintRecord, ComplaintRefund, Failure, Order, Provider};
use providers::{CallError, ComplaintDesk};
use serde_json::json;
use store::{ComplaintChange, ComplaintWritten, HistoryEntry, Incident, IncidentMove, IncidentName, StoreError};

/// How often a complaint may move under our hands before we give up.
const ROUNDS: usize = 8;
/// A provider's word for a call that it does not have.
const UNSUPPORTED: &str = "UNSUPPORTED";

/// A complaint as it stands now.
pub(super) struct Seen {
    /// In the table.
    pub record: ComplaintRecord,
    /// Whether its incident began to wait just now.
    pub new: bool,
}

/// The failure of a call about a complaint.
pub(super) fn failed(error: CallError) -> Failure {
    match error {
        CallError::Refused(refusal) if refusal.code == UNSUPPORTED => {
            Failure::new(Code::UNSUPPORTED).says(refusal.message)
        }
        CallError::Refused(refusal) => Failure::new(Code::COMPLAINT_REFUSED).says(refusal.to_string()),
        CallError::Unknown(why) => Failure::new(Code::OUTCOME_UNKNOWN).private(why),
    }
}

/// Asks the provider about a complaint, and keeps what it says. `None` when neither it nor the table has one of that id.
///
/// # Errors
/// 422 when the provider refuses to tell, 504 when it does not tell; a table that cannot be written.
pub(super) async fn refresh(
    cx: &Context<'_>,
    desk: &ComplaintDesk,
    complaint_id: &str,
    by: &str,
) -> Result<Option<Seen>, Failure> {
    for _ in 0..ROUNDS {
        let read = cx.store.complaint(desk.provider, &desk.merchant, complaint_id).await?;
        let said = desk.find(cx.clients, complaint_id, cx.now()).await.map_err(failed)?;
        let Some(said) = said else { return Ok(read.map(|record| Seen { record, new: false })) };
        if let Some(seen) = keep(cx, desk, read.as_ref(), said, by).await? {
            return Ok(Some(seen));
        }
    }
    Err(Code::BUSY.into())
}

/// Keeps what a provider says of a complaint; `None` when somebody else has written since it was read.
async fn keep(
    cx: &Context<'_>,
    desk: &ComplaintDesk,
    read: Option<&ComplaintRecord>,
    said: Complaint,
    by: &str,
) -> Result<Option<Seen>, StoreError> {
    let known = read.and_then(|read| read.out_trade_no.clone());
    let out_trade_no = match known {
        Some(no) => Some(no),
        None => first_order(cx, desk.provider, &desk.merchant, &said).await?,
    };
    let mch_id = said.mch_id.clone().or_else(|| read.and_then(|read| read.complaint.mch_id.clone()));
    let said = Complaint { mch_id, ..said };
    let now = cx.now();
    let becomes = ComplaintRecord {
        provider: desk.provider,
        merchant: desk.merchant.clone(),
        account: desk.account.clone(),
        n: read.map_or(0, |read| read.n),
        incident_id: String::new(),
        out_trade_no,
        create_date: read.map_or(now, |read| read.create_date),
        update_date: now,
        answer: read.and_then(|read| read.answer.clone()),
        refund: read
            .and_then(|read| read.refund.clone())
            .map(|refund| ComplaintRefund { ended: refund.ended || !said.state.is_open(), ..refund }),
        complaint: said,
    };
    let incident = incident_of(&becomes);
    let becomes = ComplaintRecord { incident_id: incident.id(), ..becomes };
    if let Some(read) = read.filter(|read| {
        read.complaint == becomes.complaint
            && read.out_trade_no == becomes.out_trade_no
            && read.refund == becomes.refund
    }) {
        return Ok(Some(Seen { record: read.clone(), new: false }));
    }
    let moves = moves(read.map(|read| &read.complaint), &becomes.complaint);
    let entry = line(&becomes, by, now);
    let change =
        ComplaintChange { read, becomes: &becomes, incident: &incident, moves, by, entry: Some(&entry), at: now };
    if cx.store.change_complaint(&change).await? == ComplaintWritten::Moved {
        return Ok(None);
    }
    let new = moves == IncidentMove::Open;
    if new {
        ring(&incident);
    }
    Ok(Some(Seen { record: ComplaintRecord { n: becomes.n + 1, ..becomes }, new }))
}

/// What becomes of the incident. A payer who goes on with a complaint opens it again, also where somebody had closed it.
fn moves(before: Option<&Complaint>, now: &Complaint) -> IncidentMove {
    match (before.map(|before| before.state.is_open()), now.state.is_open()) {
        (None | Some(false), true) => IncidentMove::Open,
        (Some(true), true) if before.is_some_and(|before| now.times > before.times) => IncidentMove::Open,
        (Some(true), true) | (Some(false), false) => IncidentMove::Stay,
        (None | Some(true), false) => IncidentMove::End,
    }
}

/// The line of the order's history.
fn line(record: &ComplaintRecord, by: &str, at: domain::UnixMs) -> HistoryEntry {
    HistoryEntry::new("complaint", by, at)
        .with("complaint_id", &record.complaint.complaint_id)
        .with("state", &record.complaint.state)
        .with("times", &record.complaint.times)
        .with("incident_id", &record.incident_id)
}

/// The incident of a complaint: what it says, with nothing of the payer but what is masked.
pub(super) fn incident_of(record: &ComplaintRecord) -> Incident {
    let complaint = &record.complaint;
    let first = complaint.orders.first();
    let actual = json!({
        "complaint_id": complaint.complaint_id,
        "state": complaint.state,
        "deadline": complaint.deadline,
        "times": complaint.times,
        "awaits_reply": complaint.awaits_reply,
        "problem_type": complaint.problem_type,
        "description": complaint.description,
        "detail": complaint.detail,
        "phone": complaint.phone,
        "amount": complaint.amount(),
        "apply_refund_fee": complaint.apply_refund_fee,
    });
    Incident {
        out_trade_no: record.out_trade_no.clone().or_else(|| first.and_then(|order| order.number.clone())),
        transaction_id: first.and_then(|order| order.transaction_id.clone()),
        actual: Some(actual),
        ..Incident::new(IncidentName::Complaint, record.provider, &record.merchant)
    }
}

/// Whose a complaint is that was asked for at one merchant's desk. The other merchants' configuration is read only where it
/// may be theirs. `None` where the provider has no complaint of that id.
///
/// # Errors
/// When the table, or the provider, cannot be asked.
pub(super) async fn owner_for(
    cx: &Context<'_>,
    desk: &ComplaintDesk,
    complaint_id: &str,
) -> Result<Option<ComplaintDesk>, Failure> {
    if cx.config.merchant_ids().len() < 2
        || cx.store.complaint(desk.provider, &desk.merchant, complaint_id).await?.is_some()
    {
        return Ok(Some(desk.clone()));
    }
    let Some(said) = desk.find(cx.clients, complaint_id, cx.now()).await.map_err(failed)? else { return Ok(None) };
    // One about several orders may be of several merchants, and the look of the schedule takes the first of them.
    if said.orders.len() < 2 && first_order(cx, desk.provider, &desk.merchant, &said).await?.is_some() {
        return Ok(Some(desk.clone()));
    }
    let shared = sharing(cx, desk.provider, &desk.account).await;
    Ok(owner(cx, &shared, complaint_id, &said).await?.cloned())
}

/// The desks of all merchants that have an account at a provider, in the order of the merchants' ids.
async fn sharing(cx: &Context<'_>, provider: Provider, account: &str) -> Vec<ComplaintDesk> {
    let merchants = cx.all_merchants(None).await;
    let desks = merchants.iter().flat_map(|merchant| ComplaintDesk::of(merchant, provider));
    desks.filter(|desk| desk.account == account).collect()
}

/// Whose a complaint is of the merchants that share an account: who has it in the table, else whose order was paid, else the
/// first. `None` without desks.
///
/// # Errors
/// When the table cannot be read.
pub(super) async fn owner<'a>(
    cx: &Context<'_>,
    desks: &'a [ComplaintDesk],
    complaint_id: &str,
    said: &Complaint,
) -> Result<Option<&'a ComplaintDesk>, Failure> {
    let [first, _, ..] = desks else { return Ok(desks.first()) };
    for desk in desks {
        if cx.store.complaint(desk.provider, &desk.merchant, complaint_id).await?.is_some() {
            return Ok(Some(desk));
        }
    }
    for desk in desks {
        if first_order(cx, desk.provider, &desk.merchant, said).await?.is_some() {
            return Ok(Some(desk));
        }
    }
    Ok(Some(first))
}

async fn first_order(
    cx: &Context<'_>,
    provider: Provider,
    merchant: &str,
    said: &Complaint,
) -> Result<Option<String>, StoreError> {
    for order in &said.orders {
        if let Some(own) = order_of(cx, provider, merchant, order).await? {
            return Ok(Some(own.out_trade_no));
        }
    }
    Ok(None)
}

/// The order of a payment that is complained of: only one whose attempt went through this merchant at this provider.
pub(super) async fn order_of(
    cx: &Context<'_>,
    provider: Provider,
    merchant: &str,
    complained: &ComplaintOrder,
) -> Result<Option<Order>, StoreError> {
    if let Some(number) = &complained.number {
        let found = find_order(cx, provider, merchant, number).await?;
        let own = |order: &Order| order.attempt_for(provider, merchant, number).is_some();
        if let Some(order) = found.filter(own) {
            return Ok(Some(order));
        }
    }
    let Some(id) = &complained.transaction_id else { return Ok(None) };
    match cx.store.order_of_transaction(provider, merchant, id).await? {
        Some(no) => {
            let order = cx.store.order(&no).await?;
            let own = |order: &Order| {
                order.paid_attempt().is_some_and(|paid| paid.provider == provider && paid.merchant == merchant)
            };
            Ok(order.filter(own))
        }
        None => Ok(None),
    }
}

/// Changes what is ours of a complaint, as it stands in the table then. `None` when the change does not fit any more.
///
/// # Errors
/// A table that cannot be written; a complaint that is not there.
pub(super) async fn amend(
    cx: &Context<'_>,
    record: &ComplaintRecord,
    by: &str,
    change: impl Fn(&ComplaintRecord) -> Option<ComplaintRecord>,
) -> Result<Option<ComplaintRecord>, Failure> {
    for _ in 0..ROUNDS {
        let id = &record.complaint.complaint_id;
        let read = cx.store.complaint(record.provider, &record.merchant, id).await?.ok_or(Code::NO_COMPLAINT)?;
        let Some(becomes) = change(&read) else { return Ok(None) };
        if becomes == read {
            return Ok(Some(read));
        }
        let becomes = ComplaintRecord { update_date: cx.now(), ..becomes };
        let incident = incident_of(&becomes);
        let change = ComplaintChange {
            read: Some(&read),
            becomes: &becomes,
            incident: &incident,
            moves: IncidentMove::Stay,
            by,
            entry: None,
            at: cx.now(),
        };
        if cx.store.change_complaint(&change).await? == ComplaintWritten::Done {
            return Ok(Some(ComplaintRecord { n: read.n + 1, ..becomes }));
        }
    }
    Err(Code::BUSY.into())
}
