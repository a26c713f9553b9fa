//! What a verified callback says, beyond a payment: hints that something changed, events, refunds. Refunds that
//! were made elsewhere are taken into the table.

use super::confirm::{Confirmed, alarm, confirm, confirm_taken_back, find_order, other_party};
use super::query::Asked;
use super::{Context, Source, returned};
use domain::{Attempt, AttemptState, Code, Failure, Fen, Order, Payment, Refund, RefundState, other_number};
use providers::{ABNORMAL, Alert, CallError, Event, Hint, Notice, RefundNotice, RefundProgress};
use serde_json::{Value, json};
use store::{Claimed, HistoryEntry, Incident, IncidentName, StoreError};

/// How often an order may change under our hands before we give up.
const ROUNDS: usize = 12;
/// The description of a refund that was not made through here.
pub(super) const ELSEWHERE: &str = "refunded elsewhere";

/// Takes what a verified callback says. `source` is how it came: by the provider's call, or because we asked for it.
///
/// # Errors
/// When the table or, for a refund whose payment is not known yet, the provider cannot be reached;
/// [`Code::NO_ORDER`] for a transfer that is not known, which is the sender's fault.
pub async fn settle_notice(cx: &Context<'_>, notice: &Notice, source: Source) -> Result<Settled, Failure> {
    match notice {
        Notice::Payment(payment) => Ok(match confirm(cx, payment, source).await? {
            Confirmed::Credited => Settled { credited: true, ..Settled::default() },
            Confirmed::Already | Confirmed::Reversed => Settled::default(),
            Confirmed::Unsettled => Settled { later: true, ..Settled::default() },
            Confirmed::Untold => return Err(untold(cx, payment).await),
            Confirmed::Incident { new, .. } => Settled { incident: new, ..Settled::default() },
        }),
        Notice::Refund(refund) => settle_refund(cx, refund, source).await,
        Notice::Transfer(transfer) => super::transfer::settle_transfer(cx, transfer).await.map(|()| Settled::default()),
        Notice::Hint(hint) => settle_hint(cx, hint).await.map(|()| Settled::default()),
        Notice::Event(event) => settle_event(cx, event, source).await,
        Notice::Echo(_) => Ok(Settled::default()),
        Notice::Other(name) => {
            tracing::info!(name, "a callback that asks for nothing");
            Ok(Settled::default())
        }
    }
}

/// A signed payment whose reversal was asked for, and of which its provider does not tell: it comes again, and from the
/// third time on it is an incident.
async fn untold(cx: &Context<'_>, payment: &Payment) -> Failure {
    let hint = Hint {
        says_paid: true,
        provider: payment.provider,
        merchant: payment.merchant.clone(),
        number: Some(payment.number.clone()),
        out_refund_no: None,
    };
    let order = match find_order(cx, payment.provider, &payment.merchant, &payment.number).await {
        Ok(order) => order,
        Err(error) => return error.into(),
    };
    let no = order.map_or_else(|| payment.number.clone(), |order| order.out_trade_no);
    super::doubt::unconfirmed(cx, &hint, &no, &payment.number, "the provider does not tell of its reversal").await
}

/// What a message changed by itself; what a hint made us ask for is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settled {
    /// An order was paid.
    pub credited: bool,
    /// A refund ended, or one that was made elsewhere was counted.
    pub refunded: bool,
    /// An incident is new.
    pub incident: bool,
    /// Nothing is known yet, because the payment may just be reversed: the message is to come again. That is no fault,
    /// and a payer can bring it about.
    pub later: bool,
}

/// How often and how long an unproven message waits for its turn to ask the provider.
const HINT_ROUNDS: usize = 5;
const HINT_PAUSE: std::time::Duration = std::time::Duration::from_millis(300);

/// Asks the provider because a message said so. What the table does not know is nobody's business.
async fn settle_hint(cx: &Context<'_>, hint: &Hint) -> Result<(), Failure> {
    if let Some(number) = &hint.out_refund_no {
        return settle_refund_hint(cx, hint, number).await;
    }
    let Some(number) = &hint.number else { return Ok(()) };
    let Some(order) = find_order(cx, hint.provider, &hint.merchant, number).await? else {
        return unknown_number(cx, hint, number).await;
    };
    let Some(attempt) = order.attempt_for(hint.provider, &hint.merchant, number) else {
        return unknown_number(cx, hint, number).await;
    };
    for round in 0..HINT_ROUNDS {
        if round > 0 {
            tokio::time::sleep(HINT_PAUSE).await;
        }
        if cx.store.claim_query(&order.out_trade_no, cx.now(), super::query::PAUSE_MS).await? {
            // What was credited by this number before needs no second proof.
            let known = attempt.state == AttemptState::Paid && attempt.numbers.len() < 2;
            let doubt = match super::query::ask(cx, &order, attempt, Source::Callback).await? {
                Asked::Paid | Asked::Misfit { .. } => return Ok(()),
                _ if known => return Ok(()),
                Asked::Untold { refused: true } => "the provider refuses to tell",
                Asked::Untold { refused: false } => "the provider does not tell",
                Asked::Unpaid { .. } | Asked::Closed if !hint.says_paid => return Ok(()),
                Asked::Unpaid { .. } => "the provider says that it is not",
                Asked::Closed => "the provider says that it is closed",
            };
            if !hint.says_paid {
                return Err(Failure::new(Code::OUTCOME_UNKNOWN).private(doubt));
            }
            return Err(super::doubt::unconfirmed(cx, hint, &order.out_trade_no, number, doubt).await);
        }
    }
    // Somebody else asks all the time; what they found may be this.
    match cx.store.order(&order.out_trade_no).await? {
        Some(order) if order.paid_attempt().is_some_and(|a| a.n == attempt.n && a.numbers.len() < 2) => Ok(()),
        // Anybody can send what nobody signs, and the others' questions are as good as one for this.
        _ if !hint.says_paid => Ok(()),
        _ => Err(Failure::new(Code::BUSY).private("too many messages about one order")),
    }
}

/// A message about a number that the table does not know. One that its sender signed and that says "paid" is an
/// incident: there is a payment that nobody here waits for.
async fn unknown_number(cx: &Context<'_>, hint: &Hint, number: &str) -> Result<(), Failure> {
    let shaped = |b: u8| b.is_ascii_alphanumeric() || b"_-|*@.".contains(&b);
    if !hint.says_paid || !(1..=64).contains(&number.len()) || !number.bytes().all(shaped) {
        tracing::info!(provider = %hint.provider, length = number.len(), "a message about a number that is not known");
        return Ok(());
    }
    let incident = Incident {
        out_trade_no: Some(number.to_owned()),
        actual: Some(json!(number)),
        ..Incident::new(IncidentName::UnknownOrder, hint.provider, &hint.merchant)
    };
    alarm(cx, &incident, false).await?;
    Ok(())
}

async fn settle_refund_hint(cx: &Context<'_>, hint: &Hint, out_refund_no: &str) -> Result<(), Failure> {
    let Some(no) = cx.store.order_of_refund_number(hint.provider, &hint.merchant, out_refund_no).await? else {
        return Ok(());
    };
    let (Some(order), Some(refund)) = (cx.store.order(&no).await?, cx.store.refund(&no, out_refund_no).await?) else {
        return Ok(());
    };
    let Some(attempt) = order.attempt(refund.attempt) else { return Ok(()) };
    match cx.gateway(attempt)?.query_refund(cx.outside, &order, attempt, &refund, cx.now()).await {
        Ok(standing) if contradicts(&refund, &standing.progress) => {
            let incident = Incident {
                out_trade_no: Some(no),
                out_refund_no: Some(refund.out_refund_no.clone()),
                expected: Some(json!(refund.state)),
                actual: Some(ended_as(&standing.progress)),
                ..Incident::new(IncidentName::RefundMismatch, hint.provider, &hint.merchant)
            };
            raised(cx, &incident, true).await.map(|_| ())
        }
        Ok(standing) => super::refund::apply(cx, &order, &refund, &standing, Source::Callback).await.map(|_| ()),
        Err(error) => Err(error.unanswered()),
    }
}

async fn order_of_event(cx: &Context<'_>, event: &Event) -> Result<Option<Order>, StoreError> {
    let mut found = None;
    for id in &event.transactions {
        if let Some(no) = cx.store.order_of_transaction(event.provider, &event.merchant, id).await? {
            found = cx.store.order(&no).await?;
            break;
        }
    }
    if found.is_none()
        && let Some(number) = &event.number
    {
        found = find_order(cx, event.provider, &event.merchant, number).await?;
    }
    Ok(found)
}

/// Records an event on its order, once; the order's state stays. What was taken back before an order was credited for
/// it is credited to none.
async fn settle_event(cx: &Context<'_>, event: &Event, source: Source) -> Result<Settled, Failure> {
    let mut found = order_of_event(cx, event).await?;
    if let (Some(Alert::TakenBack), Some(id)) = (event.alert, event.transactions.first())
        && !cx.store.take_back(event.provider, &event.merchant, id, cx.now()).await?
        && found.is_none()
    {
        found = order_of_event(cx, event).await?;
    }
    let Some(order) = found else {
        tracing::info!(name = event.name, provider = %event.provider, "an event of no order that is known");
        return Ok(Settled::default());
    };
    let no = order.out_trade_no;
    let transaction_id = event.transactions.first();
    let entry = HistoryEntry::new("event", source.name(), event.at)
        .with("name", &event.name)
        .with("transaction_id", &transaction_id);
    cx.store.append_event(&no, &event.id, &entry).await?;
    let name = match event.alert {
        None => return Ok(Settled::default()),
        Some(Alert::TakenBack | Alert::Doubtful) => IncidentName::Chargeback,
        Some(Alert::RefundUndone) => IncidentName::RefundMismatch,
    };
    let incident = Incident {
        out_trade_no: Some(no),
        transaction_id: transaction_id.cloned(),
        actual: Some(json!({ "event": event.name, "id": event.id })),
        ..Incident::new(name, event.provider, &event.merchant)
    };
    raised(cx, &incident, true).await
}

pub(super) async fn raised(cx: &Context<'_>, incident: &Incident, known: bool) -> Result<Settled, Failure> {
    Ok(Settled { incident: alarm(cx, incident, known).await?, ..Settled::default() })
}

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
async fn known_refund(
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
            || notice.whole == Some(total)
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

async fn settle_refund(cx: &Context<'_>, notice: &RefundNotice, source: Source) -> Result<Settled, Failure> {
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
    // A payment that was sent back leaves its order as it is.
    let sent_back = ours.as_ref().is_some_and(|refund| refund.incident.is_some());
    // What is refunded was paid: the order may not know yet, or was paid by another attempt meanwhile.
    let credited = order.trade_state.is_paid() && (ours.is_some() || attempt.state == AttemptState::Paid);
    if !credited
        && let Some(id) = taken_back(notice)
        && cx.store.claimed(notice.provider, &notice.merchant, id).await? == Some(Claimed::TakenBack)
    {
        // Told before its number was an order's.
        return Ok(Settled::default());
    }
    if !credited && !sent_back {
        let told = match &notice.payment {
            Some(payment) => {
                let confirmed = match is_whole(notice, order.total_fee) {
                    true => confirm_taken_back(cx, payment, source).await?,
                    false => confirm(cx, payment, source).await?,
                };
                match confirmed {
                    // It is the reversal that this tells of.
                    Confirmed::Reversed => return Ok(Settled::default()),
                    Confirmed::Unsettled => return Ok(Settled { later: true, ..Settled::default() }),
                    Confirmed::Untold => return Err(untold(cx, payment).await),
                    Confirmed::Credited | Confirmed::Already | Confirmed::Incident { .. } => true,
                }
            }
            None => {
                // One that is only sealed is no proof that all has gone back.
                let asked = match notice.signed && is_whole(notice, order.total_fee) {
                    true => super::query::ask_taken_back(cx, &order, &attempt, Source::Query).await?,
                    false => super::query::ask(cx, &order, &attempt, Source::Query).await?,
                };
                !matches!(asked, Asked::Untold { .. })
            }
        };
        order = cx.store.order(&no).await?.ok_or(Code::NO_ORDER)?;
        attempt = order.attempt(attempt.n).cloned().unwrap_or(attempt);
        // Its payment fits no order, or comes second.
        if let Some(recorded) = returned::incident_of(cx, notice, &order, &attempt).await? {
            return returned::settle(cx, &recorded, &order, &attempt, notice, source).await;
        }
        if !told {
            return Err(Code::OUTCOME_UNKNOWN.into());
        }
        if !order.trade_state.is_paid() {
            // The provider has no such payment.
            let (expected, actual) = (json!(order.trade_state), json!(notice.standing.refund));
            return raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await;
        }
    }
    // Somebody bought twice for one order, and this is the other purchase.
    if notice.share.is_some() && order.transaction_id != notice.transaction_id {
        return elsewhere(cx, notice, &no).await;
    }
    let settled = match known_refund(cx, &no, &attempt, &notice.out_refund_no).await? {
        Some(refund) if notice.standing.refund.is_some_and(|amount| amount != refund.refund_fee) => {
            let (expected, actual) = (json!(refund.refund_fee), json!(notice.standing.refund));
            raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await?
        }
        Some(refund) if contradicts(&refund, &notice.standing.progress) => {
            let actual = ended_as(&notice.standing.progress);
            let incident = incident_of(notice, &no, IncidentName::RefundMismatch, json!(refund.state), actual);
            raised(cx, &incident, true).await?
        }
        Some(refund) => {
            let (_, now) = super::refund::apply(cx, &order, &refund, &notice.standing, source).await?;
            let refunded = refund.state == RefundState::Processing && now.state != RefundState::Processing;
            Settled { refunded, ..Settled::default() }
        }
        None if differs(notice, &order, &attempt) => {
            let (expected, actual) = (json!(order.transaction_id), json!(notice.transaction_id));
            raised(cx, &incident_of(notice, &no, IncidentName::RefundMismatch, expected, actual), true).await?
        }
        None => adopt(cx, &order, &attempt, notice, source).await?,
    };
    let settled = complete(cx, &no, &attempt, notice, source, settled).await?;
    if order.user_order_success == Some(false)
        && let Some(now) = cx.store.order(&no).await?
        && now.refund_fee >= now.total_fee
    {
        super::delivery::end_by_refund(cx, &now).await?;
    }
    Ok(settled)
}

/// A refund of a payment that its order was not credited with.
async fn elsewhere(cx: &Context<'_>, notice: &RefundNotice, no: &str) -> Result<Settled, Failure> {
    let actual =
        notice.standing.refund.or(notice.whole).map_or_else(|| json!({ "share": notice.share }), |fen| json!(fen));
    raised(cx, &incident_of(notice, no, IncidentName::RefundElsewhere, Value::Null, actual), true).await
}

/// What of an order has not gone back by any refund that is known, after those that are under way were asked about;
/// with whether one of those still is.
async fn unrefunded(cx: &Context<'_>, no: &str) -> Result<(Order, bool), Failure> {
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    for refund in cx.store.refunds(no).await? {
        if refund.state != RefundState::Processing || refund.incident.is_some() {
            continue;
        }
        let Some(attempt) = order.attempt(refund.attempt) else { continue };
        let asked = cx.gateway(attempt)?.query_refund(cx.outside, &order, attempt, &refund, cx.now()).await;
        if let Ok(standing) = asked {
            super::refund::apply(cx, &order, &refund, &standing, Source::Query).await?;
        }
    }
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let open = order.refund_reserved > Fen::ZERO;
    Ok((order, open))
}

/// Where the provider says that the whole payment has gone back, what no known refund accounts for is counted too:
/// it went back by refunds that nobody told of, and that the refund query may not know.
async fn complete(
    cx: &Context<'_>,
    no: &str,
    attempt: &Attempt,
    notice: &RefundNotice,
    source: Source,
    settled: Settled,
) -> Result<Settled, Failure> {
    if notice.whole.is_none() {
        return Ok(settled);
    }
    let now = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let whole = notice.whole == Some(now.total_fee) && notice.transaction_id == now.transaction_id;
    if !whole || !now.trade_state.is_paid() || now.refund_fee == now.total_fee {
        return Ok(settled);
    }
    let (mut order, mut open) = unrefunded(cx, no).await?;
    for n in 1..=ROUNDS {
        if order.refundable == Fen::ZERO {
            break;
        }
        let refund = Refund {
            refund_desc: ELSEWHERE.to_owned(),
            state: RefundState::Success,
            refund_date: notice.standing.refunded_at.or(Some(cx.now())),
            ..Refund::begun(&order, attempt, format!("{}-REST{n}", attempt.number), order.refundable, cx.now())
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
        // It may yet be refused, and its amount is then to be counted: the provider tells again.
        true => Err(Failure::new(Code::BUSY).private("a refund is under way of what has gone back")),
        false => Ok(settled),
    }
}

fn refunded_entry(refund: &Refund, source: Source, now: i64) -> HistoryEntry {
    HistoryEntry::new("refunded", source.name(), now)
        .with("out_refund_no", &refund.out_refund_no)
        .with("refund_fee", &refund.refund_fee)
        .with("elsewhere", &true)
}

/// Whether the provider tells another end of a refund than the one that it has here.
const fn contradicts(refund: &Refund, told: &RefundProgress) -> bool {
    match (refund.state, told) {
        (RefundState::Refused | RefundState::Closed, RefundProgress::Success) => true,
        (RefundState::Success, RefundProgress::Closed(_)) => true,
        (RefundState::Processing | RefundState::Success | RefundState::Refused | RefundState::Closed, _) => false,
    }
}

/// An end, as an incident has it.
fn ended_as(told: &RefundProgress) -> Value {
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
        match cx.gateway(attempt)?.query_refund(cx.outside, &order, attempt, &refund, cx.now()).await {
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
        // All went back: then this refund is what the others leave, though the query knows nothing of it.
        if refund.refund_fee == Fen::ZERO
            && notice.whole == Some(order.total_fee)
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

/// So many 1/100 000 of an amount, in fen, rounded up.
pub(super) fn share_of(total: Fen, share: u32) -> Fen {
    let fen = (u128::from(total.0) * u128::from(share.min(100_000))).div_ceil(100_000);
    Fen(u64::try_from(fen).unwrap_or(total.0))
}

pub(super) fn incident_of(
    notice: &RefundNotice,
    no: &str,
    name: IncidentName,
    expected: Value,
    actual: Value,
) -> Incident {
    Incident {
        out_trade_no: Some(no.to_owned()),
        transaction_id: notice.transaction_id.clone(),
        out_refund_no: Some(notice.out_refund_no.clone()),
        expected: Some(expected).filter(|v| !v.is_null()),
        actual: Some(actual).filter(|v| !v.is_null()),
        ..Incident::new(name, notice.provider, &notice.merchant)
    }
}
