//! What a verified callback says of a refund: the end of one of ours, or one that was made elsewhere, which is taken into
//! the table.

use super::Confirmed;
use super::confirm::{confirm, confirm_taken_back, other_party};
use super::holder::find_order;
use super::query::Asked;
use super::settled::{ELSEWHERE, Settled, incident_of, raised, share_of, unanswered};
use super::share::Paid;
use super::share_return::pursue_return;
use super::{Context, Source, returned};
use domain::{Attempt, AttemptState, Code, Failure, Fen, Order, Refund, RefundState, UnixMs, other_number};
use providers::{ABNORMAL, CallError, RefundNotice, RefundProgress, RefundStanding};
use serde_json::{Value, json};
use store::{Claimed, HistoryEntry, Incident, IncidentName, StoreError};

/// How often an order may change under our hands before we give up.
const ROUNDS: usize = 12;

/// The order and attempt of a refund: by the number that the provider knows, else by the refund's own number,
/// else by the payment. A purchase in a store goes by the payment first, which is surer than what the buyer's
/// client passed on.
async fn refunded_order(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<(Order, Attempt)>, StoreError> {
    let by_payment = match (&notice.transaction_id, notice.share) {
        (Some(id), Some(_)) => cx.store.order_of_transaction(notice.provider, &notice.merchant, id).await?,
        (Some(_), None) | (None, _) => None,
    };
    if let (Some(number), None) = (&notice.number, &by_payment) {
        let order = find_order(cx, notice.provider, &notice.merchant, number).await?;
        return Ok(order.and_then(|order| {
            let attempt = order.attempt_for(notice.provider, &notice.merchant, number).cloned()?;
            Some((order, attempt))
        }));
    }
    let by_refund = cx.store.order_of_refund_number(notice.provider, &notice.merchant, &notice.out_refund_no).await?;
    let no = match (by_payment.or(by_refund), &notice.transaction_id) {
        (Some(no), _) => Some(no),
        (None, Some(id)) => cx.store.order_of_transaction(notice.provider, &notice.merchant, id).await?,
        (None, None) => None,
    };
    let Some(no) = no else { return Ok(None) };
    let Some(order) = cx.store.order(&no).await? else { return Ok(None) };
    let refund = cx.store.refund(&no, &notice.out_refund_no).await?;
    let attempt = match &refund {
        Some(refund) => order.attempt(refund.attempt),
        None => order.paid_attempt().filter(|_| notice.transaction_id == order.transaction_id),
    };
    let attempt = attempt.filter(|a| a.provider == notice.provider && a.merchant == notice.merchant).cloned();
    Ok(attempt.map(|attempt| (order, attempt)))
}

/// The refund of an order by its number, when it is of this attempt: where numbers are a payment's, another attempt
/// may have one of the same number.
pub(super) async fn known_refund(
    cx: &Context<'_>,
    no: &str,
    attempt: &Attempt,
    number: &str,
) -> Result<Option<Refund>, StoreError> {
    Ok(cx.store.refund(no, number).await?.filter(|refund| refund.attempt == attempt.n))
}

/// The purchase that its store took back whole, by the store's signed word.
fn taken_back(notice: &RefundNotice) -> Option<&str> {
    let whole = notice.share.is_some_and(|share| share >= 100_000);
    let certain = notice.signed && notice.standing.progress == RefundProgress::Success;
    notice.transaction_id.as_deref().filter(|_| whole && certain)
}

/// The order and attempt of a refund, also of a payment that no order was credited for.
async fn order_of(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<(Order, Attempt)>, StoreError> {
    match refunded_order(cx, notice).await? {
        Some(found) => Ok(Some(found)),
        None => returned::order_of(cx, notice).await,
    }
}

/// Whether all of the payment went back.
fn is_whole(notice: &RefundNotice, total: Fen) -> bool {
    notice.standing.progress == RefundProgress::Success
        && (notice.share.is_some_and(|share| share >= 100_000)
            || notice.returned == Some(total)
            || notice.standing.refund == Some(total))
}

/// The same under the other number of its payment, when an order was credited under that.
async fn known_as(cx: &Context<'_>, notice: &RefundNotice) -> Result<Option<RefundNotice>, StoreError> {
    let Some(id) = &notice.transaction_id else { return Ok(None) };
    let Some(other) = other_number(notice.provider, &notice.info, id) else { return Ok(None) };
    let credited = async |id: &str| cx.store.order_of_transaction(notice.provider, &notice.merchant, id).await;
    if credited(id).await?.is_some() || credited(&other).await?.is_none() {
        return Ok(None);
    }
    let mut notice = RefundNotice { transaction_id: Some(other.clone()), ..notice.clone() };
    if let Some(payment) = &mut notice.payment {
        payment.transaction_id = other;
    }
    Ok(Some(notice))
}

/// Whether a refund that a provider tells of is a return of a share, which is then asked about.
async fn is_return(cx: &Context<'_>, order: &Order, number: &str) -> Result<bool, Failure> {
    if order.sharing.is_none() {
        return Ok(false);
    }
    let Some(made) = cx.store.share_return(&order.out_trade_no, number).await? else { return Ok(false) };
    // What a refund waits for is the refund's to bring on.
    if made.state.is_open() && made.out_refund_no.is_none() {
        let paid = Paid::of(cx, order).await?;
        if let Err(failure) = pursue_return(cx, &paid, &made).await
            && failure.code != Code::OUTCOME_UNKNOWN
        {
            return Err(failure);
        }
    }
    Ok(true)
}

pub(super) async fn settle_refund(cx: &Context<'_>, notice: &RefundNotice, source: Source) -> Result<Settled, Failure> {
    let renamed = known_as(cx, notice).await?;
    let notice = renamed.as_ref().unwrap_or(notice);
    let mut found = order_of(cx, notice).await?;
    // Nobody has it yet, and from now on nobody gets it.
    if let (None, Some(id)) = (&found, taken_back(notice))
        && !cx.store.take_back(notice.provider, &notice.merchant, id, cx.now()).await?
    {
        found = order_of(cx, notice).await?;
    }
    let Some((mut order, mut attempt)) = found else {
        if let Some(settled) = returned::of_nobody(cx, notice).await? {
            return Ok(settled);
        }
        let number = notice.number.as_deref().or(notice.transaction_id.as_deref()).unwrap_or(&notice.out_refund_no);
        let incident = incident_of(notice, number, IncidentName::UnknownOrder, Value::Null, Value::Null);
        return raised(cx, &incident, false).await;
    };
    let no = order.out_trade_no.clone();
    if notice.mch_id.is_some() && notice.mch_id != attempt.mch_id {
        let (expected, actual) = (json!(attempt.mch_id), json!(notice.mch_id));
        return raised(cx, &incident_of(notice, &no, IncidentName::MerchantMismatch, expected, actual), true).await;
    }
    if let Some((name, expected, actual)) = other_party(&attempt, &notice.parties) {
        return raised(cx, &incident_of(notice, &no, name, expected, actual), true).await;
    }
    let ours = known_refund(cx, &no, &attempt, &notice.out_refund_no).await?;
    if ours.is_none()
        && let Some(recorded) = returned::incident_of(cx, notice, &order, &attempt).await?
    {
        return returned::settle(cx, &recorded, &order, &attempt, notice, source).await;
    }
    // Alipay takes a share back by a refund of nothing.
    if ours.is_none() && is_return(cx, &order, &notice.out_refund_no).await? {
        return Ok(Settled::default());
    }
    // A payment that was sent back leaves its order as it is.
    let sent_back = ours.as_ref().is_some_and(|refund| refund.incident.is_some());
    let credited = order.trade_state.is_paid() && (ours.is_some() || attempt.state == AttemptState::Paid);
    if !credited
        && let Some(id) = taken_back(notice)
        && cx.store.claimed(notice.provider, &notice.merchant, id).await? == Some(Claimed::TakenBack)
    {
        // Told before its number was an order's.
        return Ok(Settled::default());
    }
    if !credited
        && !sent_back
        && let Some(settled) = learn_of_payment(cx, notice, &mut order, &mut attempt, source).await?
    {
        return Ok(settled);
    }
    // Somebody bought twice for one order, and this is the other purchase.
    if notice.share.is_some() && order.transaction_id != notice.transaction_id {
        return elsewhere(cx, notice, &no).await;
    }
    let settled = settle_own(cx, notice, &order, &attempt, source).await?;
    let settled = complete(cx, &no, &attempt, notice, source, settled).await?;
    if order.user_order_success == Some(false)
        && let Some(now) = cx.store.order(&no).await?
        && now.refund_fee >= now.total_fee
    {
        super::delivery::end_by_refund(cx, &now).await?;
    }
    Ok(settled)
}

/// What is refunded was paid: the order may not know yet, or was paid by another attempt meanwhile. Learns of the payment,
/// and answers what became of the refund where that ends it.
async fn learn_of_payment(
    cx: &Context<'_>,
    notice: &RefundNotice,
    order: &mut Order,
    attempt: &mut Attempt,
    source: Source,
) -> Result<Option<Settled>, Failure> {
    let no = order.out_trade_no.clone();
    let told = match &notice.payment {
        Some(payment) => {
            let confirmed = match is_whole(notice, order.total_fee) {
                true => confirm_taken_back(cx, payment, source).await?,
                false => confirm(cx, payment, source).await?,
            };
            match confirmed {
                // It is the reversal that this tells of.
                Confirmed::Reversed => return Ok(Some(Settled::default())),
                Confirmed::Unsettled => return Ok(Some(Settled { later: true, ..Settled::default() })),
                Confirmed::Unknown => return Err(unanswered(cx, payment).await),
                Confirmed::Credited | Confirmed::Already | Confirmed::Incident { .. } => true,
            }
        }
        None => {
            // One that is only sealed is no proof that all has gone back.
            let asked = match notice.signed && is_whole(notice, order.total_fee) {
                true => super::query::ask_taken_back(cx, order, attempt, Source::Query).await?,
                false => super::query::ask(cx, order, attempt, Source::Query).await?,
            };
            !matches!(asked, Asked::Unknown { .. })
        }
    };
    *order = cx.store.order(&no).await?.ok_or(Code::NO_ORDER)?;
    if let Some(now) = order.attempt(attempt.n) {
        *attempt = now.clone();
    }
    // Its payment fits no order, or comes second.
    if let Some(recorded) = returned::incident_of(cx, notice, order, attempt).await? {
        return returned::settle(cx, &recorded, order, attempt, notice, source).await.map(Some);
    }
    if !told {
        return Err(Code::OUTCOME_UNKNOWN.into());
    }
    if !order.trade_state.is_paid() {
        // The provider has no such payment.
        let (expected, actual) = (json!(order.trade_state), json!(notice.standing.refund));
        let incident = incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual);
        return raised(cx, &incident, true).await.map(Some);
    }
    Ok(None)
}

/// Takes a refund into an order that was credited with its payment: one of ours, or one that was made elsewhere.
async fn settle_own(
    cx: &Context<'_>,
    notice: &RefundNotice,
    order: &Order,
    attempt: &Attempt,
    source: Source,
) -> Result<Settled, Failure> {
    let no = order.out_trade_no.clone();
    match known_refund(cx, &no, attempt, &notice.out_refund_no).await? {
        Some(refund) if notice.standing.refund.is_some_and(|amount| amount != refund.refund_fee) => {
            let (expected, actual) = (json!(refund.refund_fee), json!(notice.standing.refund));
            raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await
        }
        Some(refund) if contradicts(&refund, &notice.standing.progress) => {
            let actual = ended_as(&notice.standing.progress);
            let incident = incident_of(notice, &no, IncidentName::RefundMismatch, json!(refund.state), actual);
            raised(cx, &incident, true).await
        }
        Some(refund) if is_doubtful(notice, order, &refund) => ask_instead(cx, order, attempt, &refund, notice).await,
        Some(refund) => {
            let (_, now) = super::refund::apply(cx, order, &refund, &notice.standing, source).await?;
            let refunded = refund.state == RefundState::Processing && now.state != RefundState::Processing;
            Ok(Settled { refunded, ..Settled::default() })
        }
        None if differs(notice, order, attempt) => {
            let (expected, actual) = (json!(order.transaction_id), json!(notice.transaction_id));
            raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await
        }
        None => adopt(cx, order, attempt, notice, source).await,
    }
}

/// Whether a message may be of another refund than the one whose number it has: of one that was made elsewhere without a
/// number, which goes by the payment's; or where less has gone back of the payment in all than with this refund.
fn is_doubtful(notice: &RefundNotice, order: &Order, refund: &Refund) -> bool {
    let Some(returned) = notice.returned else { return false };
    let with_it = Fen(order.refund_fee.0.saturating_add(refund.refund_fee.0));
    refund.state == RefundState::Processing
        && refund.incident.is_none()
        && (returned < with_it || notice.number.as_ref() == Some(&notice.out_refund_no))
}

/// Has the provider itself say how a refund stands. What it does not have of it, and tells has gone back, is another refund.
async fn ask_instead(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    refund: &Refund,
    notice: &RefundNotice,
) -> Result<Settled, Failure> {
    let asked = cx.gateway(attempt).await?.query_refund(cx.clients, order, attempt, refund, cx.now()).await;
    let standing = asked.map_err(CallError::unanswered)?;
    if standing.progress == RefundProgress::Missing {
        let (expected, actual) = (json!(refund.refund_fee), json!({ "refunded": notice.returned }));
        let incident = incident_of(notice, &order.out_trade_no, IncidentName::RefundMismatch, expected, actual);
        return raised(cx, &incident, true).await;
    }
    let (_, now) = super::refund::apply(cx, order, refund, &standing, Source::Query).await?;
    match now.state {
        RefundState::Processing => Err(Failure::new(Code::BUSY).private("the refund query does not know it yet")),
        RefundState::Success | RefundState::Refused | RefundState::Closed => {
            Ok(Settled { refunded: true, ..Settled::default() })
        }
    }
}

/// A refund of a payment that its order was not credited with.
async fn elsewhere(cx: &Context<'_>, notice: &RefundNotice, no: &str) -> Result<Settled, Failure> {
    let actual =
        notice.standing.refund.or(notice.returned).map_or_else(|| json!({ "share": notice.share }), |fen| json!(fen));
    raised(cx, &incident_of(notice, no, IncidentName::RefundElsewhere, Value::Null, actual), true).await
}

/// What of an order has not gone back by any refund that is known, after those that are under way were asked about;
/// with whether one of those still is.
async fn unrefunded(cx: &Context<'_>, no: &str) -> Result<(Order, bool), Failure> {
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    for refund in cx.store.refunds(no).await? {
        if !is_under_way(&refund) {
            continue;
        }
        let Some(attempt) = order.attempt(refund.attempt) else { continue };
        let asked = cx.gateway(attempt).await?.query_refund(cx.clients, &order, attempt, &refund, cx.now()).await;
        if let Ok(standing) = asked {
            super::refund::apply(cx, &order, &refund, &standing, Source::Query).await?;
        }
    }
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let open = order.refund_reserved > Fen::ZERO;
    Ok((order, open))
}

/// Where the provider says what of the payment has gone back in all, what no known refund accounts for is counted too:
/// it went back by refunds that nobody told of, and that the refund query may not know. While a refund is under way it
/// may be that one: of a part, that is then waited for.
async fn complete(
    cx: &Context<'_>,
    no: &str,
    attempt: &Attempt,
    notice: &RefundNotice,
    source: Source,
    settled: Settled,
) -> Result<Settled, Failure> {
    let Some(returned) = notice.returned else { return Ok(settled) };
    let now = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let credited = now.trade_state.is_paid() && notice.transaction_id == now.transaction_id;
    // Of a part, refunds that nobody told of yet are told of by their own numbers, and would be counted twice.
    if !credited || returned != now.total_fee || now.refund_fee == returned {
        return Ok(settled);
    }
    let (mut order, mut open) = unrefunded(cx, no).await?;
    for n in 1..=ROUNDS {
        let rest = returned.minus(order.refund_fee).unwrap_or_default().min(order.refundable);
        if rest == Fen::ZERO {
            break;
        }
        let refund = Refund {
            refund_desc: ELSEWHERE.to_owned(),
            state: RefundState::Success,
            refund_date: notice.standing.refunded_at.or(Some(cx.now())),
            ..Refund::begun(&order, attempt, format!("{}-REST{n}", attempt.number), rest, cx.now())
        };
        let entry = refunded_entry(&refund, source, cx.now());
        if cx.store.adopt_refund(&order, &refund, &entry).await? {
            let incident = Incident {
                out_refund_no: Some(refund.out_refund_no),
                ..incident_of(notice, no, IncidentName::RefundElsewhere, Value::Null, json!(refund.refund_fee))
            };
            let told = raised(cx, &incident, true).await?;
            return match open {
                false => Ok(Settled { refunded: true, incident: settled.incident || told.incident, ..settled }),
                true => Err(Failure::new(Code::BUSY).private("a refund is under way of what has gone back")),
            };
        }
        (order, open) = unrefunded(cx, no).await?;
    }
    match open {
        true if end_in_sum(cx, no, attempt, source).await? => Ok(Settled { refunded: true, ..settled }),
        // It may yet be refused, and its amount is then to be counted: the provider tells again.
        true => Err(Failure::new(Code::BUSY).private("a refund is under way of what has gone back")),
        false => Ok(settled),
    }
}

/// Ends the refunds under way of a payment that has gone back whole, where they are all that is not accounted for and
/// each was sent again without an end: nothing of the payment is left that could still go back or be refused.
async fn end_in_sum(cx: &Context<'_>, no: &str, attempt: &Attempt, source: Source) -> Result<bool, Failure> {
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let open: Vec<Refund> = cx.store.refunds(no).await?.into_iter().filter(is_under_way).collect();
    let known = order.total_fee.minus(order.refund_fee) == Some(order.refund_reserved);
    if !known || open.iter().any(|refund| !refund.repeated || refund.attempt != attempt.n) {
        return Ok(false);
    }
    for refund in &open {
        let standing = RefundStanding::new(RefundProgress::Success);
        Box::pin(super::refund::apply(cx, &order, refund, &standing, source)).await?;
    }
    Ok(true)
}

/// Whether it is a refund of the order's own payment whose end is not known.
fn is_under_way(refund: &Refund) -> bool {
    refund.state == RefundState::Processing && refund.incident.is_none()
}

fn refunded_entry(refund: &Refund, source: Source, now: UnixMs) -> HistoryEntry {
    HistoryEntry::new("refunded", source.name(), now)
        .with("out_refund_no", &refund.out_refund_no)
        .with("refund_fee", &refund.refund_fee)
        .with("elsewhere", &true)
}

/// Whether the provider tells another end of a refund than the one that it has here.
pub(super) const fn contradicts(refund: &Refund, told: &RefundProgress) -> bool {
    match (refund.state, told) {
        (RefundState::Refused | RefundState::Closed, RefundProgress::Success) => true,
        (RefundState::Success, RefundProgress::Closed(_)) => true,
        (RefundState::Processing | RefundState::Success | RefundState::Refused | RefundState::Closed, _) => false,
    }
}

/// An end, as an incident has it.
pub(super) fn ended_as(told: &RefundProgress) -> Value {
    match told {
        RefundProgress::Success => json!(RefundState::Success),
        RefundProgress::Closed(_) => json!(RefundState::Closed),
        RefundProgress::Processing(_) | RefundProgress::Missing => Value::Null,
    }
}

/// Whether the message names another payment than the one that the order was credited for.
fn differs(notice: &RefundNotice, order: &Order, attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Paid
        && notice.transaction_id.is_some()
        && order.transaction_id.is_some()
        && notice.transaction_id != order.transaction_id
}

/// A refund that was not asked for here: recorded as an incident, and counted when it is of the credited
/// payment and its amount is known.
async fn adopt(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    notice: &RefundNotice,
    source: Source,
) -> Result<Settled, Failure> {
    if notice.standing.progress.is_abnormal() {
        let (expected, actual) = (json!(notice.standing.refund), json!(ABNORMAL));
        let incident = incident_of(notice, &order.out_trade_no, IncidentName::RefundAbnormal, expected, actual);
        return raised(cx, &incident, true).await;
    }
    if notice.standing.progress != RefundProgress::Success {
        return Ok(Settled::default());
    }
    let amount = notice.standing.refund.or_else(|| returned_of(order, notice)).unwrap_or_default();
    let mut refund = Refund {
        refund_id: notice.standing.refund_id.clone(),
        refund_desc: ELSEWHERE.to_owned(),
        state: RefundState::Success,
        refund_date: notice.standing.refunded_at.or(Some(cx.now())),
        ..Refund::begun(order, attempt, notice.out_refund_no.clone(), amount, cx.now())
    };
    let mut order = order.clone();
    if !notice.signed || notice.standing.refund.is_none() && notice.share.is_none() {
        match cx.gateway(attempt).await?.query_refund(cx.clients, &order, attempt, &refund, cx.now()).await {
            Ok(standing) if !notice.signed && standing.progress != RefundProgress::Success => {
                // The provider itself does not say so.
                let (expected, actual) = (ended_as(&standing.progress), json!(refund.refund_fee));
                let no = &order.out_trade_no;
                return raised(cx, &incident_of(notice, no, IncidentName::RefundMismatch, expected, actual), true)
                    .await;
            }
            Ok(standing) => refund.refund_fee = standing.refund.unwrap_or_default(),
            Err(CallError::Refused(_)) if notice.signed => {}
            Err(error) => return Err(error.unanswered()),
        }
        // All went back: then this refund is what the others leave, though the query knows nothing of it. A sum of a part
        // may hold refunds that are told of later, and would be counted twice; the bill tells what this one is.
        if refund.refund_fee == Fen::ZERO
            && notice.returned == Some(order.total_fee)
            && notice.transaction_id == order.transaction_id
        {
            (order, _) = unrefunded(cx, &order.out_trade_no).await?;
            refund.refund_fee = order.refundable;
        }
    }
    let actual = json!(refund.refund_fee);
    let incident = incident_of(notice, &order.out_trade_no, IncidentName::RefundElsewhere, Value::Null, actual);
    let told = raised(cx, &incident, true).await?;
    // The order may change meanwhile; then the sum is taken anew.
    for _ in 0..ROUNDS {
        if attempt.state != AttemptState::Paid || refund.refund_fee.0 == 0 {
            return Ok(told);
        }
        let entry = refunded_entry(&refund, source, cx.now());
        let known = cx.store.refund(&order.out_trade_no, &refund.out_refund_no);
        if cx.store.adopt_refund(&order, &refund, &entry).await? {
            return Ok(Settled { refunded: true, ..told });
        }
        if known.await?.is_some() || returned::number_of_another(cx, &refund).await? {
            return Ok(told);
        }
        let open;
        (order, open) = unrefunded(cx, &order.out_trade_no).await?;
        if notice.share.is_some() {
            refund.refund_fee = returned_of(&order, notice).unwrap_or_default();
        } else if refund.refund_fee > order.refundable {
            return match open {
                // All has gone back, so that nothing is left to refuse: what is open is in it.
                true if notice.returned == Some(order.total_fee) => Ok(told),
                // What is reserved may yet be refused there, because this one came first: the provider tells again.
                true => Err(Failure::new(Code::BUSY).private("refunds under way leave less than has gone back")),
                // More than is left: the incident tells, and the operator decides.
                false => Ok(told),
            };
        }
    }
    Err(Code::BUSY.into())
}

/// The share of an order's payment that went back; never more than is left.
fn returned_of(order: &Order, notice: &RefundNotice) -> Option<Fen> {
    Some(share_of(order.total_fee, notice.share?).min(order.refundable))
}
