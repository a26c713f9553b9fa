//! `pay/queryComplaints`, `pay/answerComplaint`, `pay/completeComplaint`, `pay/refundComplaint` and
//! `pay/subscribeComplaints`; and what a provider tells of complaints.
//!
//! Whatever is done asks the provider first how the complaint stands. An answer is noted before it is sent, and one of which
//! nobody knows is looked for in what was said before it is sent again. A refund goes through `refund`, under one number for
//! a complaint and an order; the complaint is completed once the money is back.

use super::complain::{Seen, amend, failed, order_of, owner_for, refresh};
use super::holder::suffixed;
use super::refund::{RefundInput, refund};
use super::settled::Settled;
use super::{Caller, Context, Fields};
use config::DEFAULT_MERCHANT;
use crypto::hash;
use domain::{
    Code, Complaint, ComplaintAnswered, ComplaintLine, ComplaintOrder, ComplaintRecord, ComplaintRefund, Failure, Fen,
    LEASE, Order, Provider, Refund, RefundState, fields as f,
};
use providers::{CallError, ComplaintAnswer, ComplaintDesk, ComplaintEnd, ComplaintNotice};
use serde_json::{Value, json};

/// How often a complaint may move under our hands before we give up.
const ROUNDS: usize = 8;
/// The most pictures of an answer, and the longest id of one.
const IMAGES: (usize, usize) = (4, 256);
/// How Alipay is told that a complaint is ended by a refund.
const REFUNDED: &str = "REFUND";

/// What `pay/queryComplaints` finds.
pub enum Complaints {
    /// A page of the table's, and where the next one begins.
    Page(Vec<ComplaintRecord>, Option<String>),
    /// One as its provider has it now, with what was said.
    One(Box<ComplaintRecord>, Vec<ComplaintLine>),
}

/// Complaints as the table has them, the newest first; or one of them, asked for at its provider.
///
/// # Errors
/// The field's code for bad input; 404; 422 and 504 when the provider of the one does not tell.
pub async fn query_complaints(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Complaints, Failure> {
    let (provider, pid) = (fields.provider()?, fields.text(&f::PID)?);
    let state = fields.choice(&f::COMPLAINT_STATE)?;
    let out_trade_no = fields.number(&f::OUT_TRADE_NO)?;
    let page_size = usize::try_from(fields.integer(&f::PAGE_SIZE)?.unwrap_or(20)).unwrap_or(20);
    let cursor = fields.text(&f::CURSOR)?;
    if let Some(id) = fields.text(&f::COMPLAINT_ID)? {
        let provider = fields.needed_provider()?;
        let one = One { provider, merchant: pid.unwrap_or(DEFAULT_MERCHANT), id };
        let (desk, record) = one.find(cx, &caller.source).await?;
        let lines = desk.history(cx.clients, &record.complaint, cx.now()).await.map_err(failed)?;
        return Ok(Complaints::One(Box::new(record), lines));
    }
    let page = cx.store.complaints(page_size, cursor, |record| {
        provider.is_none_or(|own| own == record.provider)
            && pid.is_none_or(|own| own == record.merchant)
            && state.is_none_or(|own| own == record.complaint.state.name())
            && out_trade_no.is_none_or(|own| record.out_trade_no.as_deref() == Some(own))
    });
    let page = page.await?.ok_or_else(|| f::CURSOR.wrong("is not one that an earlier page has given"))?;
    Ok(Complaints::Page(page.0, page.1))
}

/// A complaint that a request names.
struct One<'a> {
    provider: Provider,
    merchant: &'a str,
    id: &'a str,
}

impl<'a> One<'a> {
    fn read(fields: &Fields<'a>) -> Result<Self, Failure> {
        Ok(Self {
            provider: fields.needed_provider()?,
            merchant: fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT),
            id: fields.needed_text(&f::COMPLAINT_ID)?,
        })
    }

    /// It, as its provider has it now, with where it is asked for.
    async fn find(&self, cx: &Context<'_>, by: &str) -> Result<(ComplaintDesk, ComplaintRecord), Failure> {
        let known = cx.store.complaint(self.provider, self.merchant, self.id).await?;
        let mut desks = desks(cx, self.provider, self.merchant).await?;
        if let Some(known) = &known {
            desks.retain(|desk| desk.account == known.account);
        }
        for desk in desks {
            if known.is_none() {
                // Of merchants that share the account one has the complaint.
                let owner = owner_for(cx, &desk, self.id).await?;
                if owner.is_none_or(|owner| owner.merchant != self.merchant) {
                    continue;
                }
            }
            if let Some(seen) = refresh(cx, &desk, self.id, by).await? {
                return Ok((desk, seen.record));
            }
        }
        Err(Code::NO_COMPLAINT.into())
    }
}

/// Where a merchant's complaints at a provider are asked for.
async fn desks(cx: &Context<'_>, provider: Provider, merchant: &str) -> Result<Vec<ComplaintDesk>, Failure> {
    let unknown = || f::PID.wrong("is no merchant of the configuration");
    let merchant = cx.merchant(merchant).await?.ok_or_else(unknown)?;
    if merchant.nodes(provider).is_empty() {
        return Err(Failure::new(Code::PROVIDER).says(provider.name()));
    }
    let desks = ComplaintDesk::of(&merchant, provider);
    match desks.is_empty() {
        true => Err(Failure::new(Code::UNSUPPORTED).says("complaints")),
        false => Ok(desks),
    }
}

fn ended(record: &ComplaintRecord) -> Failure {
    Failure::new(Code::COMPLAINT_STATE).says(record.complaint.state.name())
}

/// The ids of uploaded pictures.
fn images(fields: &Fields<'_>) -> Result<Vec<String>, Failure> {
    let bad = || fields.fault(&f::RESPONSE_IMAGES);
    match fields.raw(&f::RESPONSE_IMAGES) {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) if (1..=IMAGES.0).contains(&list.len()) => {
            let id = |value: &Value| {
                value.as_str().filter(|id| (1..=IMAGES.1).contains(&id.chars().count())).map(str::to_owned)
            };
            list.iter().map(|value| id(value).ok_or_else(bad)).collect()
        }
        Some(_) => Err(bad()),
    }
}

/// Answers the payer. The same answer again is sent once, unless the payer has written since.
///
/// # Errors
/// The field's code for bad input; 404; 409 when the complaint is done with, or somebody else is answering; 422 when the
/// provider refuses; 504 when nobody knows, and the same again is safe.
pub async fn answer_complaint(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<ComplaintRecord, Failure> {
    let one = One::read(fields)?;
    let content = fields.needed_text(&f::RESPONSE_CONTENT)?;
    let images = images(fields)?;
    let by = caller.source.as_str();
    let (desk, record) = one.find(cx, by).await?;
    if !record.complaint.state.is_open() {
        return Err(ended(&record));
    }
    let digest = hash::sha256_hex(json!([content, images]).to_string().as_bytes())[..32].to_owned();
    match record.answer.as_ref().filter(|answer| answer.knows(&digest)) {
        Some(answer) if answer.digest == digest && answer.taken && !record.complaint.awaits_reply => return Ok(record),
        Some(answer) if answer.lease.is_none_or(|lease| lease <= cx.now()) => {
            let lines = desk.history(cx.clients, &record.complaint, cx.now()).await;
            if was_said(&lines.map_err(CallError::unanswered)?, content, record.complaint.awaits_reply) {
                return answered(cx, &record, &digest, by).await;
            }
        }
        Some(_) | None => {}
    }
    let now = cx.now();
    let sending = ComplaintAnswered::sending(digest.clone(), record.answer.as_ref(), now, now + LEASE);
    let claimed = amend(cx, &record, by, |read| {
        let free = read.answer == record.answer
            && read.answer.as_ref().and_then(|answer| answer.lease).is_none_or(|lease| lease <= now);
        free.then(|| ComplaintRecord { answer: Some(sending.clone()), ..read.clone() })
    });
    if claimed.await?.is_none() {
        return Err(Code::BUSY.into());
    }
    let answer = ComplaintAnswer { complaint: &record.complaint, content, images: &images };
    match desk.answer(cx.clients, &answer, now).await {
        Ok(()) => {
            answered(cx, &record, &digest, by).await?;
            Ok(refresh(cx, &desk, one.id, by).await.ok().flatten().map_or(record, |seen| seen.record))
        }
        Err(error) => {
            // What was refused now was not sent now; one of before, of which nobody knows, may have been.
            let back = match (&error, record.answer.clone()) {
                (CallError::Refused(_), before) => before,
                (CallError::Unknown(_), _) => Some(sending.clone()),
            };
            let back = back.map(|answer| ComplaintAnswered { lease: None, ..answer });
            let is_ours = |read: &ComplaintRecord| read.answer.as_ref() == Some(&sending);
            let undo = |read: &ComplaintRecord| {
                is_ours(read).then(|| ComplaintRecord { answer: back.clone(), ..read.clone() })
            };
            amend(cx, &record, by, undo).await?;
            Err(failed(error))
        }
    }
}

/// Whether an answer stands in what was said since the payer wrote. Times are whole seconds, so that of two lines of one
/// second the provider's word tells which was last: whether the payer waits.
fn was_said(lines: &[ComplaintLine], content: &str, awaits_reply: bool) -> bool {
    let text = Complaint::text(content);
    let written = lines.iter().filter(|line| line.payers).filter_map(|line| line.at).max();
    let since = |line: &ComplaintLine| match (line.at, written) {
        (Some(at), Some(written)) => at > written || at == written && !awaits_reply,
        (_, _) => true,
    };
    lines.iter().any(|line| line.ours && line.text == text && since(line))
}

/// Notes that the provider has an answer.
async fn answered(
    cx: &Context<'_>,
    record: &ComplaintRecord,
    digest: &str,
    by: &str,
) -> Result<ComplaintRecord, Failure> {
    let now = cx.now();
    let amended = amend(cx, record, by, |read| {
        let same = read.answer.clone().filter(|answer| answer.digest == digest)?;
        let taken = ComplaintAnswered { at: now, taken: true, lease: None, ..same };
        Some(ComplaintRecord { answer: Some(taken), ..read.clone() })
    });
    Ok(amended.await?.unwrap_or_else(|| record.clone()))
}

/// Tells the provider that a complaint is done with. One that is already stays so.
///
/// # Errors
/// The field's code for bad input; 404; 422 when the provider refuses; 504 when nobody knows, and the same again is safe.
pub async fn complete_complaint(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<ComplaintRecord, Failure> {
    let one = One::read(fields)?;
    let remark = fields.text(&f::RESPONSE_CONTENT)?;
    let process_code = fields.choice(&f::PROCESS_CODE)?;
    match (one.provider, process_code) {
        (Provider::Alipay, None) => return Err(f::PROCESS_CODE.wrong("is missing, and Alipay wants one")),
        (Provider::Alipay, Some(_)) | (_, None) => {}
        (_, Some(_)) => return Err(f::PROCESS_CODE.wrong("is Alipay's; leave it out")),
    }
    let (desk, record) = one.find(cx, &caller.source).await?;
    end(cx, &desk, record, (false, process_code, remark), &caller.source).await
}

/// Ends a complaint at its provider, unless it has ended. A refusal counts only where it has not ended all the same.
async fn end(
    cx: &Context<'_>,
    desk: &ComplaintDesk,
    record: ComplaintRecord,
    (refunded, process_code, remark): (bool, Option<&str>, Option<&str>),
    by: &str,
) -> Result<ComplaintRecord, Failure> {
    if !record.complaint.state.is_open() {
        return Ok(record);
    }
    let end = ComplaintEnd { complaint: &record.complaint, refunded, process_code, remark };
    let done = desk.complete(cx.clients, &end, cx.now()).await;
    if let Err(error @ CallError::Unknown(_)) = done {
        return Err(failed(error));
    }
    let seen = refresh(cx, desk, &record.complaint.complaint_id, by).await;
    match (done, seen) {
        (Ok(()), seen) => Ok(seen.ok().flatten().map_or(record, |seen| seen.record)),
        (Err(_), Ok(Some(seen))) if !seen.record.complaint.state.is_open() => Ok(seen.record),
        (Err(error), _) => Err(failed(error)),
    }
}

/// What came of a refund by complaint.
pub struct ComplaintRefunded {
    /// The complaint.
    pub record: ComplaintRecord,
    /// The order.
    pub order: Order,
    /// The refund.
    pub refund: Refund,
}

/// Refunds an order that is complained of, once for the complaint, and completes the complaint when the money is back. The
/// same request again goes on where this one stopped. A complaint that the payer has opened again may be refunded again, by
/// a request that says how much.
///
/// # Errors
/// The field's code for bad input; 404; 409 when the complaint is done with, when it is about no order or several of ours,
/// or as `pay/refund`; 422 and 504 as `pay/refund`, and of the completion.
pub async fn refund_complaint(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<ComplaintRefunded, Failure> {
    let one = One::read(fields)?;
    let wish =
        Wish { out_trade_no: fields.number(&f::OUT_TRADE_NO)?, refund_fee: fields.given_amount(&f::REFUND_FEE)? };
    let refund_desc = fields.text(&f::REFUND_DESC)?.unwrap_or("用户投诉退款");
    let by = caller.source.as_str();
    let (desk, record) = one.find(cx, by).await?;
    let (record, decided) = decide(cx, record, &wish, by).await?;
    let input = RefundInput::of(&decided.out_trade_no, &decided.out_refund_no, decided.refund_fee, refund_desc);
    let (order, made) = Box::pin(refund(cx, caller, &input)).await?;
    if made.state != RefundState::Success {
        return Ok(ComplaintRefunded { record, order, refund: made });
    }
    // The money that is back may have ended it.
    let record = refresh(cx, &desk, one.id, by).await?.map_or(record, |seen| seen.record);
    if !record.awaits_refund() {
        return Ok(ComplaintRefunded { record, order, refund: made });
    }
    let record = end(cx, &desk, record, (true, Some(REFUNDED), None), by).await?;
    Ok(ComplaintRefunded { record, order, refund: made })
}

/// What a request wants back.
struct Wish<'a> {
    out_trade_no: Option<&'a str>,
    refund_fee: Option<Fen>,
}

/// Decides which refund answers a complaint, or finds what was decided. It is written before any money moves, so that the
/// same request has the same number and amount.
async fn decide(
    cx: &Context<'_>,
    record: ComplaintRecord,
    wish: &Wish<'_>,
    by: &str,
) -> Result<(ComplaintRecord, ComplaintRefund), Failure> {
    let mut record = record;
    for _ in 0..ROUNDS {
        let mut n = 1;
        if let Some(known) = &record.refund {
            let made = cx.store.refund(&known.out_trade_no, &known.out_refund_no).await?;
            n = known.n;
            match made.map(|refund| refund.state) {
                Some(RefundState::Closed) => n += 1,
                None if !record.complaint.state.is_open() => return Err(ended(&record)),
                // Nothing was reserved for it: another amount, or another order, may be meant now.
                None => match replaced(cx, &record, known, wish).await? {
                    Replaced::Stands => return as_decided(&record, known, wish),
                    Replaced::GivenUp => n += 1,
                    Replaced::Begun => continue,
                },
                // The rest is not sent back by a request that was repeated and knows nothing of the new complaint.
                Some(RefundState::Success) if record.is_reopened() => match wish.refund_fee {
                    Some(_) => n += 1,
                    None => return Err(f::REFUND_FEE.wrong("is missing, and the complaint was refunded before")),
                },
                _ => return as_decided(&record, known, wish),
            }
        }
        if !record.complaint.state.is_open() {
            return Err(ended(&record));
        }
        let order = target(cx, &record, wish.out_trade_no).await?;
        let refund_fee = wish.refund_fee.unwrap_or(order.refundable);
        if refund_fee == Fen::ZERO || refund_fee > order.refundable {
            let left = order.refundable;
            return Err(Failure::new(Code::REFUND_EXCEEDS).says(format!("{left} fen (¥{})", left.to_yuan())));
        }
        let decided = ComplaintRefund {
            out_refund_no: number(cx, &record, &order, n).await?,
            out_trade_no: order.out_trade_no,
            refund_fee,
            n,
            times: record.complaint.times,
            ended: false,
        };
        let amended = amend(cx, &record, by, |read| {
            (read.refund == record.refund).then(|| ComplaintRecord { refund: Some(decided.clone()), ..read.clone() })
        });
        if let Some(amended) = amended.await? {
            return Ok((amended, decided));
        }
        let id = &record.complaint.complaint_id;
        record = cx.store.complaint(record.provider, &record.merchant, id).await?.ok_or(Code::NO_COMPLAINT)?;
    }
    Err(Code::BUSY.into())
}

/// What came of a decision that no refund was begun for, when the next request came.
enum Replaced {
    /// The request means the same.
    Stands,
    /// It means something else, and the refund will not begin any more, whoever was about to.
    GivenUp,
    /// It has begun meanwhile.
    Begun,
}

/// Gives a decision up whose refund was not begun, unless the request means the same.
async fn replaced(
    cx: &Context<'_>,
    record: &ComplaintRecord,
    known: &ComplaintRefund,
    wish: &Wish<'_>,
) -> Result<Replaced, Failure> {
    let order = cx.store.order(&known.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let attempt = order.paid_attempt().unwrap_or(order.current());
    let refund = Refund::begun(&order, attempt, known.out_refund_no.clone(), known.refund_fee, cx.now());
    // What was decided before the payer opened it again is no answer to that, and would not end it.
    let means_it = !record.is_reopened() && as_decided(record, known, wish).is_ok();
    let same = means_it && known.refund_fee <= order.refundable;
    if same && cx.store.order_of_refund(&refund).await?.is_none() {
        return Ok(Replaced::Stands);
    }
    if cx.store.give_up_refund(&refund).await? {
        return Ok(Replaced::GivenUp);
    }
    let begun = cx.store.refund(&known.out_trade_no, &known.out_refund_no).await?.is_some();
    Ok(if begun { Replaced::Begun } else { Replaced::GivenUp })
}

fn as_decided(
    record: &ComplaintRecord,
    known: &ComplaintRefund,
    wish: &Wish<'_>,
) -> Result<(ComplaintRecord, ComplaintRefund), Failure> {
    let another = wish.out_trade_no.is_some_and(|no| no != known.out_trade_no)
        || wish.refund_fee.is_some_and(|fee| fee != known.refund_fee);
    match another {
        true => Err(Failure::new(Code::REFUND_DIFFERS).says(known.out_refund_no.clone())),
        false => Ok((record.clone(), known.clone())),
    }
}

/// The number of a complaint's refund: made of the complaint, so that it is the same whoever asks.
async fn number(cx: &Context<'_>, record: &ComplaintRecord, order: &Order, n: u64) -> Result<String, Failure> {
    let attempt = order.paid_attempt().unwrap_or(order.current());
    let limit = cx.gateway(attempt).await?.refund_number_limit();
    let digest = &hash::sha256_hex(record.incident_id.as_bytes())[..8];
    Ok(suffixed(&order.out_trade_no, &format!("C{digest}{n}"), limit))
}

/// The order that a complaint is about, and that was credited with the payment complained of.
async fn target(cx: &Context<'_>, record: &ComplaintRecord, named: Option<&str>) -> Result<Order, Failure> {
    let mut found: Vec<Order> = Vec::new();
    let mut other = false;
    for complained in &record.complaint.orders {
        let Some(order) = order_of(cx, record.provider, &record.merchant, complained).await? else { continue };
        match is_credited_with(&order, record, complained) {
            true if found.iter().all(|own| own.out_trade_no != order.out_trade_no) => found.push(order),
            true => {}
            false => other = true,
        }
    }
    if let Some(named) = named {
        found.retain(|order| order.out_trade_no == named);
    }
    match (found.len(), other) {
        (1, _) => found.pop().ok_or_else(|| Code::NO_ORDER.into()),
        (0, true) => Err(Failure::new(Code::COMPLAINT_STATE)
            .says("no order was credited with the payment that is complained of: look at its incidents")),
        (0, false) => Err(Code::NO_ORDER.into()),
        (_, _) => Err(f::OUT_TRADE_NO.wrong("is missing, and the complaint is about several orders")),
    }
}

/// Whether an order was credited with a payment that is complained of. Attempts at different providers share a number, so
/// that the number alone says nothing.
fn is_credited_with(order: &Order, record: &ComplaintRecord, complained: &ComplaintOrder) -> bool {
    let Some(paid) = order.paid_attempt() else { return false };
    if paid.provider != record.provider || paid.merchant != record.merchant {
        return false;
    }
    let same = complained.transaction_id.is_some() && complained.transaction_id == order.transaction_id;
    same || complained.number.as_deref().is_some_and(|number| paid.has_number(number))
}

/// Completes a complaint whose refund has brought the money back, where that was left and the payer has not gone on since.
///
/// # Errors
/// As [`complete_complaint`].
pub(super) async fn bring_on(cx: &Context<'_>, desk: &ComplaintDesk, record: ComplaintRecord) -> Result<bool, Failure> {
    let Some(decided) = record.refund.as_ref().filter(|_| record.awaits_refund()) else { return Ok(false) };
    let made = cx.store.refund(&decided.out_trade_no, &decided.out_refund_no).await?;
    if made.is_none_or(|refund| refund.state != RefundState::Success) {
        return Ok(false);
    }
    end(cx, desk, record, (true, Some(REFUNDED), None), "schedule").await.map(|_| true)
}

/// Where notices of complaints go now.
pub struct Subscribed {
    /// The URL.
    pub url: String,
    /// The merchant numbers that it was told.
    pub accounts: Vec<String>,
}

/// Has a provider send notices of complaints here, for every merchant number of a merchant.
///
/// # Errors
/// The field's code for bad input; 422 when the provider refuses, or is told in its console; 504 when nobody knows, and the
/// same again is safe.
pub async fn subscribe_complaints(cx: &Context<'_>, fields: &Fields<'_>) -> Result<Subscribed, Failure> {
    let provider = fields.needed_provider()?;
    let merchant = fields.text(&f::PID)?.unwrap_or(DEFAULT_MERCHANT);
    let desks = desks(cx, provider, merchant).await?;
    let (base, path) = cx.callback("complaint-notify", provider, merchant)?;
    let url = format!("{base}{path}");
    let mut accounts = Vec::new();
    for desk in desks {
        desk.subscribe(cx.clients, &url, cx.now()).await.map_err(failed)?;
        accounts.push(desk.account);
    }
    Ok(Subscribed { url, accounts })
}

/// Takes what a provider tells of a complaint, by asking it.
///
/// # Errors
/// When the table, or the provider, cannot be asked.
pub(super) async fn settle_complaint(cx: &Context<'_>, notice: &ComplaintNotice) -> Result<Settled, Failure> {
    let desks = desks(cx, notice.provider, &notice.merchant).await?;
    let Some(desk) = desks.iter().find(|desk| desk.account == notice.account) else {
        return Err(Failure::new(Code::PROVIDER).private("the configuration no longer has the merchant number"));
    };
    let seen = match owner_for(cx, desk, &notice.complaint_id).await? {
        Some(owner) => refresh(cx, &owner, &notice.complaint_id, "callback").await?,
        None => None,
    };
    match seen {
        Some(Seen { new, .. }) => Ok(Settled { incident: new, ..Settled::default() }),
        None => {
            tracing::warn!(provider = %notice.provider, merchant = notice.merchant, "a notice of a complaint that the provider does not have");
            Ok(Settled::default())
        }
    }
}
