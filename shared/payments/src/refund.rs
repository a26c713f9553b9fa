//! `pay/refund` and `pay/queryRefund`: reserve, call, settle or release.

use super::share_return::TakenBack;
use super::{Caller, Context, Fields, Source};
use domain::{Attempt, Code, Failure, Fen, MAX_REFUNDS, Order, Refund, RefundState, fields as f};
use providers::{ABNORMAL, CallError, Gateway, Meaning, RefundProgress, RefundRequest, RefundStanding};
use serde_json::{Value, json};
use store::{Action, HistoryEntry, Incident, IncidentName, IncidentStatus, Reserved};

/// A `refund` request, read.
pub struct RefundInput<'a> {
    out_trade_no: &'a str,
    out_refund_no: Option<&'a str>,
    refund_fee: Option<Fen>,
    total_fee: Option<Fen>,
    refund_desc: &'a str,
}

impl<'a> RefundInput<'a> {
    /// A refund that was decided here.
    pub(super) const fn of(
        out_trade_no: &'a str,
        out_refund_no: &'a str,
        refund_fee: Fen,
        refund_desc: &'a str,
    ) -> Self {
        let (out_refund_no, refund_fee) = (Some(out_refund_no), Some(refund_fee));
        Self { out_trade_no, out_refund_no, refund_fee, total_fee: None, refund_desc }
    }

    /// Reads the data. A `refund_fee` that is there but no amount is an error: only leaving it out means all.
    ///
    /// # Errors
    /// The field's code.
    pub fn read(fields: &Fields<'a>) -> Result<Self, Failure> {
        if fields.has(&f::REFUND_FEE_CAMEL) {
            return Err(fields.fault(&f::REFUND_FEE_CAMEL));
        }
        Ok(Self {
            out_trade_no: fields.out_trade_no()?,
            out_refund_no: fields.number(&f::OUT_REFUND_NO)?,
            refund_fee: fields.given_amount(&f::REFUND_FEE)?,
            total_fee: fields.given_amount(&f::TOTAL_FEE)?,
            refund_desc: fields.text(&f::REFUND_DESC)?.unwrap_or("用户申请退款"),
        })
    }
}

/// How often an automatic refund number may be taken before we give up.
const ROUNDS: usize = 16;
/// How often a refund that got stuck may be sent to a card.
pub(super) const MOST_CARDS: u64 = 20;

/// Refunds an order in part or whole.
///
/// # Errors
/// 404 no order, 409 not paid, more than what is left, or a number with another content; 422 the provider
/// refused (the reservation is released); 504 its outcome is not known (it stays reserved).
pub async fn refund(cx: &Context<'_>, caller: &Caller, input: &RefundInput<'_>) -> Result<(Order, Refund), Failure> {
    for _ in 0..ROUNDS {
        let order = cx.store.order(input.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
        if input.total_fee.is_some_and(|total| total != order.total_fee) {
            return Err(f::TOTAL_FEE.wrong("is not the order's"));
        }
        let attempt = order.paid_attempt().unwrap_or(order.current());
        let gateway = cx.gateway(attempt).await?;
        // What can never be is said before what is not yet.
        let able = gateway.can_refund(attempt);
        if let Err(failure) = &able
            && failure.code == Code::UNSUPPORTED
        {
            return Err(failure.clone());
        }
        if !order.trade_state.is_paid() {
            return Err(Code::NOT_PAID.into());
        }
        let number = match input.out_refund_no {
            Some(number) => number.to_owned(),
            None => automatic_number(&order, gateway.refund_number_limit()),
        };
        if let Some(known) = cx.store.refund(&order.out_trade_no, &number).await? {
            if input.out_refund_no.is_none() {
                continue;
            }
            return repeat(cx, caller, input, &order, known).await;
        }
        able?;
        if order.refund_num >= MAX_REFUNDS {
            return Err(Code::TOO_MANY_REFUNDS.into());
        }
        let amount = input.refund_fee.unwrap_or(order.refundable);
        if amount == Fen::ZERO || amount > order.refundable {
            return Err(exceeds(&order));
        }
        gateway
            .check_refund(&number, input.refund_desc)
            .map_err(|(field, what)| Failure::new(Code::FIELD).at(field).says(format!("{field}: {what}")))?;
        let mut refund = Refund {
            refund_desc: input.refund_desc.to_owned(),
            ..Refund::begun(&order, attempt, number, amount, cx.now())
        };
        let entry = HistoryEntry::new("refund reserved", &caller.source, cx.now())
            .with("out_refund_no", &refund.out_refund_no)
            .with("refund_fee", &amount);
        match reserve(cx, &order, &mut refund, false, &entry).await? {
            Reserved::Done => return Box::pin(call(cx, &order, attempt, &gateway, refund, Sending::default())).await,
            Reserved::NumberTaken if input.out_refund_no.is_some() => {
                // Ours by another request at this moment; or another order's, or a share's.
                if cx.store.refund(&order.out_trade_no, &refund.out_refund_no).await?.is_none() {
                    return Err(Code::REFUND_DIFFERS.into());
                }
            }
            // Another refund was faster: what is left now is read anew.
            Reserved::NotEnough | Reserved::NumberTaken => {}
        }
    }
    Err(Code::BUSY.into())
}

/// Reserves a refund's amount; of an order that may be shared, with the returns that it then waits for.
async fn reserve(
    cx: &Context<'_>,
    order: &Order,
    refund: &mut Refund,
    again: bool,
    entry: &HistoryEntry,
) -> Result<Reserved, Failure> {
    match order.sharing {
        Some(_) if refund.incident.is_none() => super::share_return::reserve_refund(cx, refund, again, entry).await,
        Some(_) | None => Ok(cx.store.reserve_refund(refund, again, entry).await?),
    }
}

/// Whether a refund may go to its provider: `None` when what it takes back from receivers is back, or when there is nothing.
/// Else how it stands.
///
/// # Errors
/// 422 a share was not returned, and the refund has ended with it; 504 nobody knows.
async fn waits(cx: &Context<'_>, order: &Order, refund: &Refund) -> Result<Option<(Order, Refund)>, Failure> {
    if refund.returns.is_empty() {
        return Ok(None);
    }
    match super::share_return::take_back(cx, order, refund).await? {
        TakenBack::All => Ok(None),
        TakenBack::UnderWay => as_it_stands(cx, refund).await.map(Some),
        TakenBack::Unknown => Err(unknown(refund)),
        TakenBack::Failed => {
            let (_, refund) = as_it_stands(cx, refund).await?;
            Err(not_returned(&refund))
        }
    }
}

fn not_returned(refund: &Refund) -> Failure {
    Failure::new(Code::SHARE_NOT_RETURNED)
        .says(refund.reason.clone().unwrap_or_default())
        .with("out_refund_no", refund.out_refund_no.as_str())
        .with("status", refund.state.name())
}

fn exceeds(order: &Order) -> Failure {
    let left = order.refundable;
    Failure::new(Code::REFUND_EXCEEDS).says(format!("{left} fen (¥{})", left.to_yuan()))
}

/// VK-Pay's automatic number: `<out_trade_no>-<n>`.
fn automatic_number(order: &Order, limit: usize) -> String {
    super::holder::suffixed(&order.out_trade_no, &format!("-{}", order.refund_num + 1), limit)
}

/// The same number again: the same refund. An unfinished one is asked about and, where the provider never
/// got it, sent again with the same fields; a refused one may be tried again.
async fn repeat(
    cx: &Context<'_>,
    caller: &Caller,
    input: &RefundInput<'_>,
    order: &Order,
    known: Refund,
) -> Result<(Order, Refund), Failure> {
    if input.refund_fee.is_some_and(|amount| amount != known.refund_fee) {
        return Err(Code::REFUND_DIFFERS.into());
    }
    match known.state {
        RefundState::Closed => Err(refused(&known)),
        RefundState::Processing => again(cx, order, &known).await,
        RefundState::Success | RefundState::Refused => {
            Box::pin(pursue(cx, order, &known, &caller.source, Answered::ToWhoAsks)).await
        }
    }
}

/// A repetition of a refund that is under way: where the number makes it harmless, it is sent again at once unless
/// the provider says that it has it. Without that word a refusal of the repetition proves nothing.
async fn again(cx: &Context<'_>, order: &Order, refund: &Refund) -> Result<(Order, Refund), Failure> {
    let attempt = order.attempt(refund.attempt).ok_or(Code::NOT_REFUNDED)?;
    let gateway = cx.gateway(attempt).await?;
    if let Some(stands) = waits(cx, order, refund).await? {
        return Ok(stands);
    }
    let told = gateway.query_refund(cx.clients, order, attempt, refund, cx.now()).await;
    let blind = match &told {
        Ok(standing) if standing.is_known() => {
            return Box::pin(apply(cx, order, refund, standing, Source::Query)).await;
        }
        Ok(standing) => standing.progress != RefundProgress::Missing,
        Err(_) => true,
    };
    match told {
        Ok(standing) if blind && !gateway.repeats_refunds() => {
            Box::pin(apply(cx, order, refund, &standing, Source::Query)).await
        }
        _ if blind && !gateway.repeats_refunds() => Err(unknown(refund)),
        _ => send_again(cx, order, attempt, &gateway, refund, Sending { blind, ..Sending::default() }).await,
    }
}

/// Sends an unfinished refund again, with its number and fields.
async fn send_again(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    gateway: &Gateway,
    refund: &Refund,
    sending: Sending,
) -> Result<(Order, Refund), Failure> {
    match cx.store.repeat_refund(refund).await? {
        true => Box::pin(call(cx, order, attempt, gateway, Refund { repeated: true, ..refund.clone() }, sending)).await,
        false => as_others_ended(cx, refund).await,
    }
}

/// Makes the first call for a refund that is written already.
///
/// # Errors
/// 422 the provider refused it, 504 its outcome is not known.
pub(super) async fn begin(cx: &Context<'_>, order: &Order, refund: &Refund) -> Result<(Order, Refund), Failure> {
    if refund.state != RefundState::Processing {
        return Ok((order.clone(), refund.clone()));
    }
    let attempt = order.attempt(refund.attempt).ok_or(Code::NOT_REFUNDED)?;
    Box::pin(call(cx, order, attempt, &cx.gateway(attempt).await?, refund.clone(), Sending::default())).await
}

/// Brings a refund on: asks about an unfinished one and sends it again where the provider never got it, begins
/// a refused one again, leaves an ended one. `source` is who did that, for the history.
///
/// # Errors
/// 422 the provider refused it, 504 its outcome is not known, 409 it can no longer be reserved.
pub(super) async fn pursue(
    cx: &Context<'_>,
    order: &Order,
    refund: &Refund,
    source: &str,
    answered: Answered,
) -> Result<(Order, Refund), Failure> {
    let attempt = order.attempt(refund.attempt).ok_or(Code::NOT_REFUNDED)?;
    let gateway = cx.gateway(attempt).await?;
    let sending = Sending { blind: false, answered };
    if refund.state == RefundState::Processing
        && let Some(stands) = waits(cx, order, refund).await?
    {
        return Ok(stands);
    }
    match refund.state {
        RefundState::Success | RefundState::Closed => Ok((order.clone(), refund.clone())),
        RefundState::Refused => {
            let entry = HistoryEntry::new("refund reserved", source, cx.now())
                .with("out_refund_no", &refund.out_refund_no)
                .with("refund_fee", &refund.refund_fee);
            let mut again = refund.clone();
            match reserve(cx, order, &mut again, true, &entry).await? {
                Reserved::Done => {}
                Reserved::NotEnough => return Err(exceeds(order)),
                Reserved::NumberTaken => return Err(Code::BUSY.into()),
            }
            let begun = Refund { state: RefundState::Processing, repeated: false, ..again };
            Box::pin(call(cx, order, attempt, &gateway, begun, sending)).await
        }
        RefundState::Processing => match gateway.query_refund(cx.clients, order, attempt, refund, cx.now()).await {
            Ok(RefundStanding { progress: RefundProgress::Missing, .. }) => {
                send_again(cx, order, attempt, &gateway, refund, sending).await
            }
            Ok(standing) => Box::pin(apply(cx, order, refund, &standing, Source::Query)).await,
            // A number that was never taken has no word of its own there, and sending it again does no harm.
            Err(CallError::Refused(_)) if gateway.repeats_refunds() => {
                send_again(cx, order, attempt, &gateway, refund, Sending { blind: true, ..sending }).await
            }
            Err(_) => Err(unknown(refund)),
        },
    }
}

/// Who learns what the provider answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Answered {
    /// Who has it sent: a caller, or a task that tries again and rings by itself.
    #[default]
    ToWhoAsks,
    /// Nobody: whoever asked for the refund was told that it is under way, so a refusal is an incident.
    ToNobody,
}

/// How a refund is sent.
#[derive(Clone, Copy, Default)]
struct Sending {
    /// A repetition of one that the provider may have: a refusal does not end it.
    blind: bool,
    answered: Answered,
}

/// Calls the provider for a reserved refund.
async fn call(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    gateway: &Gateway,
    refund: Refund,
    sending: Sending,
) -> Result<(Order, Refund), Failure> {
    if let Some(stands) = waits(cx, order, &refund).await? {
        return Ok(stands);
    }
    let (base, path) = cx.callback("refund-notify", attempt.provider, &attempt.merchant)?;
    let request = RefundRequest {
        order,
        attempt,
        transaction_id: refund.transaction_id.as_ref().or(order.transaction_id.as_ref()).map_or("", String::as_str),
        total: refund.total_fee.unwrap_or(order.total_fee),
        out_refund_no: &refund.out_refund_no,
        refund: refund.refund_fee,
        reason: &refund.refund_desc,
        notify_url: &format!("{base}{path}"),
        now: cx.now(),
    };
    match gateway.refund(cx.clients, &request).await {
        Ok(standing) => Box::pin(apply(cx, order, &refund, &standing, Source::Query)).await,
        Err(CallError::Refused(refusal))
            if sending.blind || refund.repeated && !refusal.meaning.speaks_of_the_number() =>
        {
            tracing::warn!(out_refund_no = %refund.out_refund_no, code = refusal.code, "a refund cannot be sent again now");
            Err(unknown(&refund))
        }
        Err(CallError::Refused(refusal)) => {
            let mut ended = refund;
            ended.state = RefundState::Refused;
            ended.reason = Some(refusal.to_string());
            let entry = HistoryEntry::new("refund refused", attempt.provider.name(), cx.now())
                .with("out_refund_no", &ended.out_refund_no)
                .with("reason", &ended.reason);
            if sending.answered == Answered::ToNobody {
                // First told, then ended: a process that dies in between leaves an end to find again.
                stuck(cx, &ended, ended.state.name()).await?;
            }
            if !cx.store.end_refund(order, &ended, &entry).await? {
                return as_others_ended(cx, &ended).await;
            }
            match refusal.meaning {
                Meaning::TooSoon => Err(Failure::new(Code::TOO_SOON).says(refusal.message)),
                _ => Err(refused(&ended)),
            }
        }
        Err(CallError::Unknown(why)) => {
            let entry = HistoryEntry::new("unknown", attempt.provider.name(), cx.now())
                .with("call", &"refund")
                .with("out_refund_no", &refund.out_refund_no)
                .with("why", &why);
            cx.store.append_history(&order.out_trade_no, &entry).await?;
            Err(unknown(&refund))
        }
    }
}

pub(super) fn refused(refund: &Refund) -> Failure {
    Failure::new(Code::REFUND_REFUSED)
        .says(refund.reason.clone().unwrap_or_default())
        .with("status", refund.state.name())
}

pub(super) fn unknown(refund: &Refund) -> Failure {
    Failure::new(Code::OUTCOME_UNKNOWN)
        .with("out_refund_no", refund.out_refund_no.as_str())
        .with("refund_fee", refund.refund_fee.0)
        .with("status", RefundState::Processing.name())
}

/// Takes what the provider says of a refund, and answers the order and the refund as they stand then.
pub(super) async fn apply(
    cx: &Context<'_>,
    order: &Order,
    refund: &Refund,
    standing: &RefundStanding,
    source: Source,
) -> Result<(Order, Refund), Failure> {
    if let Some(actual) = of_another(order, refund, standing) {
        let incident = mismatch(refund, json!(refund.refund_fee), actual);
        super::incident_record::alarm(cx, &incident, true).await?;
        return as_it_stands(cx, refund).await;
    }
    let by_sum = by_sum(cx, refund, standing).await?;
    let standing = by_sum.as_ref().unwrap_or(standing);
    let mut next = refund.clone();
    next.refund_id = standing.refund_id.clone().or(next.refund_id);
    next.cash_refund_fee = standing.cash.filter(|cash| *cash <= refund.refund_fee).or(next.cash_refund_fee);
    match &standing.progress {
        _ if refund.state != RefundState::Processing => {}
        RefundProgress::Processing(reason) => {
            next.reason.clone_from(reason);
            cx.store.keep_refund(refund, &next).await?;
            if standing.progress.is_abnormal() {
                stuck(cx, &next, ABNORMAL).await?;
            }
        }
        // A number that the provider does not know was never taken: it may be sent again.
        RefundProgress::Missing => {}
        RefundProgress::Success => {
            next.state = RefundState::Success;
            next.reason = None;
            next.refund_date = standing.refunded_at.or(Some(cx.now()));
            let entry = HistoryEntry::new("refunded", source.name(), cx.now())
                .with("out_refund_no", &next.out_refund_no)
                .with("refund_fee", &next.refund_fee)
                .with("refund_id", &next.refund_id);
            // First closed, then ended: a process that dies in between finds the end again, and an incident about money
            // that has arrived would have somebody pay it twice.
            no_longer_stuck(cx, refund).await?;
            // Its provider may have paid it while a return was under way. Nobody would bring that on any more.
            for number in &refund.returns {
                cx.store.follow_return(&refund.out_trade_no, number, cx.now()).await?;
            }
            cx.store.end_refund(order, &next, &entry).await?;
        }
        RefundProgress::Closed(reason) => {
            next.state = RefundState::Closed;
            next.reason = Some(reason.clone());
            let entry = HistoryEntry::new("refund closed", source.name(), cx.now())
                .with("out_refund_no", &next.out_refund_no)
                .with("reason", reason);
            // First told, then ended: a process that dies in between leaves an end to find again.
            stuck(cx, &next, RefundState::Closed.name()).await?;
            cx.store.end_refund(order, &next, &entry).await?;
        }
    }
    as_it_stands(cx, refund).await
}

/// What an answer says of another refund than the one that was asked about: a provider has a number once for all that
/// take payments under one account there, and what is told of another's must not end this one.
fn of_another(order: &Order, refund: &Refund, standing: &RefundStanding) -> Option<Value> {
    if refund.state != RefundState::Processing || !standing.is_known() {
        return None;
    }
    let paid = refund.transaction_id.as_ref().or(order.transaction_id.as_ref());
    let other_payment = standing.transaction_id.is_some() && paid.is_some() && standing.transaction_id.as_ref() != paid;
    let other_amount = standing.refund.is_some_and(|amount| amount != refund.refund_fee);
    (other_payment || other_amount).then(|| {
        json!({
            "refund_fee": standing.refund,
            "transaction_id": standing.transaction_id,
            "refund_id": standing.refund_id,
        })
    })
}

fn mismatch(refund: &Refund, expected: Value, actual: Value) -> Incident {
    Incident {
        out_trade_no: Some(refund.out_trade_no.clone()),
        out_refund_no: Some(refund.out_refund_no.clone()),
        expected: Some(expected),
        actual: Some(actual),
        ..Incident::new(IncidentName::RefundMismatch, refund.provider, &refund.merchant)
    }
}

/// What the sum of all that has gone back of a payment says of a refund that the provider tells nothing else of. Where all
/// has gone back and no other refund is under way, this one is in it. A part may be a refund that was made elsewhere and
/// that is told of later: then it says nothing, and the bill does.
async fn by_sum(
    cx: &Context<'_>,
    refund: &Refund,
    standing: &RefundStanding,
) -> Result<Option<RefundStanding>, Failure> {
    let silent = matches!(&standing.progress, RefundProgress::Processing(_)) && !standing.progress.is_abnormal();
    let Some(sum) = standing.returned.filter(|_| silent && refund.state == RefundState::Processing) else {
        return Ok(None);
    };
    let order = cx.store.order(&refund.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let (total, others, alone) = match refund.incident {
        None => (order.total_fee, order.refund_fee, order.refund_reserved == refund.refund_fee),
        // It stands beside the order's sums, and is all that its payment had left.
        Some(_) => {
            let total = refund.total_fee.unwrap_or(order.total_fee);
            (total, total.minus(refund.refund_fee).unwrap_or_default(), true)
        }
    };
    let Some(rest) = sum.minus(others).filter(|rest| alone && *rest >= refund.refund_fee) else { return Ok(None) };
    if rest > refund.refund_fee {
        let actual = json!({ "refunded": sum, "by_others": others });
        let incident = mismatch(refund, json!(refund.refund_fee), actual);
        super::incident_record::alarm(cx, &incident, true).await?;
    }
    Ok((sum == total).then(|| RefundStanding { progress: RefundProgress::Success, ..standing.clone() }))
}

/// The incident of a refund that got stuck. Each time that it was sent to a card it may get stuck anew.
pub(super) fn stuck_incident(refund: &Refund, status: &str, sent_to_card: u64) -> Incident {
    let actual = match sent_to_card {
        0 => json!(status),
        n => json!({ "status": status, "sent_to_card": n }),
    };
    Incident {
        out_trade_no: Some(refund.out_trade_no.clone()),
        out_refund_no: Some(refund.out_refund_no.clone()),
        expected: Some(json!(refund.refund_fee)),
        actual: Some(actual),
        ..Incident::new(IncidentName::RefundAbnormal, refund.provider, &refund.merchant)
    }
}

/// The provider took a refund and does not pay it back: the operator is told at once.
async fn stuck(cx: &Context<'_>, refund: &Refund, status: &str) -> Result<(), Failure> {
    let incident = stuck_incident(refund, status, refund.sent_to_card);
    super::incident_record::alarm(cx, &incident, true).await?;
    Ok(())
}

/// A refund that was stuck has arrived: its incidents end.
async fn no_longer_stuck(cx: &Context<'_>, refund: &Refund) -> Result<(), Failure> {
    if refund.sent_to_card == 0 && refund.reason.as_deref() != Some(ABNORMAL) {
        return Ok(());
    }
    for n in 0..=refund.sent_to_card.min(MOST_CARDS) {
        let id = stuck_incident(refund, ABNORMAL, n).id();
        let Some(recorded) = cx.store.incident(&id).await? else { continue };
        if recorded.status == IncidentStatus::Open {
            let (by, note) = (refund.provider.name(), Some("the refund has arrived"));
            cx.store.resolve_incident(&recorded, Action::Close, by, note, cx.now()).await?;
        }
    }
    Ok(())
}

/// What somebody else has made of a refund.
async fn as_others_ended(cx: &Context<'_>, refund: &Refund) -> Result<(Order, Refund), Failure> {
    let (order, refund) = as_it_stands(cx, refund).await?;
    match refund.state {
        RefundState::Success | RefundState::Closed => Ok((order, refund)),
        RefundState::Refused => Err(refused(&refund)),
        RefundState::Processing => Err(unknown(&refund)),
    }
}

/// A refund and its order, read anew.
async fn as_it_stands(cx: &Context<'_>, refund: &Refund) -> Result<(Order, Refund), Failure> {
    let order = cx.store.order(&refund.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let refund = cx.store.refund(&order.out_trade_no, &refund.out_refund_no).await?.ok_or(Code::NOT_REFUNDED)?;
    Ok((order, refund))
}

/// Asks the provider about every unfinished refund of an order, settles it, and lists all.
///
/// # Errors
/// 404 when there is no order.
pub async fn query_refund(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<(Order, Vec<Refund>), Failure> {
    let order = cx.visible_order(caller, fields.out_trade_no()?).await?;
    let only = fields.number(&f::OUT_REFUND_NO)?;
    for refund in cx.store.refunds(&order.out_trade_no).await? {
        if refund.state != RefundState::Processing || only.is_some_and(|no| no != refund.out_refund_no) {
            continue;
        }
        let Some(attempt) = order.attempt(refund.attempt) else { continue };
        match cx.gateway(attempt).await?.query_refund(cx.clients, &order, attempt, &refund, cx.now()).await {
            Ok(standing) => {
                Box::pin(apply(cx, &order, &refund, &standing, Source::Query)).await?;
            }
            Err(CallError::Refused(refusal)) => {
                tracing::warn!(out_refund_no = %refund.out_refund_no, code = refusal.code, "the provider refuses to tell of a refund");
            }
            Err(CallError::Unknown(why)) => {
                tracing::warn!(out_refund_no = %refund.out_refund_no, why, "the provider does not tell of a refund");
            }
        }
    }
    let order = cx.store.order(&order.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let mut refunds = cx.store.refunds(&order.out_trade_no).await?;
    if let Some(only) = only {
        refunds.retain(|r| r.out_refund_no == only);
    }
    Ok((order, refunds))
}
