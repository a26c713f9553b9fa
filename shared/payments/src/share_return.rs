//! Returns of shares, by the same rules as [shares](super::share); and what a refund takes back before it goes out.

use super::Context;
use super::holder::suffixed;
use super::incident_record::alarm;
use super::share::{Paid, ROUNDS, is_over, telling};
use domain::{
    Code, Failure, Fen, Order, Refund, RefundState, ReturnStanding, ReturnState, Share, ShareReturn, ShareState, UnixMs,
};
use providers::{CallError, Refusal};
use serde_json::json;
use std::collections::BTreeMap;
use store::{HistoryEntry, Incident, IncidentName, OrderSums, RefundMove, Reserved, SharingChange, SharingWritten};

/// How many returns a refund may wait for: what fits into one transaction, and into the patience of who asks.
const MOST_RETURNS: usize = 20;

/// A failure that tells what is known of a return.
fn telling_return(code: Code, made: &ShareReturn) -> Failure {
    Failure::new(code).with("out_return_no", made.out_return_no.as_str()).with("state", made.state.name())
}

/// Reserves a return and sends it. The same number again is the same return; a refused one begins again.
///
/// # Errors
/// 404 no such share; 409 it has not finished, or more than the receiver can return; 422 it failed or was refused; 504 the
/// outcome is not known.
pub(super) async fn begin_return(cx: &Context<'_>, source: &str, wished: &ShareReturn) -> Result<ShareReturn, Failure> {
    let no = &wished.out_trade_no;
    for _ in 0..ROUNDS {
        let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
        let paid = Paid::of(cx, &order).await?;
        let known = cx.store.share_return(no, &wished.out_return_no).await?;
        let again = match &known {
            Some(known) if !known.is_same(wished) => return Err(Code::SHARE_DIFFERS.into()),
            // What a refund waits for is the refund's to bring on.
            Some(known) if known.out_refund_no.is_some() => return reported(known.clone()),
            Some(known) if known.state.is_open() => return reported(pursue_return(cx, &paid, known).await?),
            Some(known) if known.state != ReturnState::Refused => return reported(known.clone()),
            known => known.as_ref(),
        };
        let share = cx.store.share(no, &wished.out_order_no).await?.ok_or(Code::NO_SHARE)?;
        if share.state != ShareState::Finished {
            return Err(telling(Code::SHARE_STATE, &share).says("the share has not finished"));
        }
        let Some(next_share) = with_returning(&share, &wished.return_mchid, wished.amount) else {
            return Err(Code::RETURN_EXCEEDS.into());
        };
        let begun =
            ShareReturn { version: again.map_or(0, |known| known.version) + 1, sent_at: cx.now(), ..wished.clone() };
        let entry = HistoryEntry::new("return reserved", source, cx.now())
            .with("out_return_no", &begun.out_return_no)
            .with("amount", &begun.amount);
        let change = SharingChange {
            order: &order,
            reserves: true,
            sums: OrderSums::default(),
            shares: vec![(Some(&share), &next_share)],
            returns: vec![(again, &begun)],
            refund: RefundMove::None,
            entry: &entry,
        };
        match cx.store.change_sharing(&change).await? {
            SharingWritten::Done => return reported(send_return(cx, &paid, &begun, None).await?),
            SharingWritten::Moved => {}
            SharingWritten::NumberTaken => {
                if cx.store.share_return(no, &begun.out_return_no).await?.is_none() {
                    return Err(Code::SHARE_DIFFERS.into());
                }
            }
        }
    }
    Err(Code::BUSY.into())
}

/// What `returnShare` answers of a return: one that failed is a failure.
fn reported(made: ShareReturn) -> Result<ShareReturn, Failure> {
    match made.state {
        ReturnState::Failed | ReturnState::Refused => {
            Err(telling_return(Code::SHARE_REFUSED, &made).says(made.fail_reason.clone().unwrap_or_default()))
        }
        ReturnState::Unknown | ReturnState::Processing | ReturnState::Success => Ok(made),
    }
}

/// The share with so much more being returned by a receiver; `None` where it has not so much.
fn with_returning(share: &Share, account: &str, amount: Fen) -> Option<Share> {
    let mut next = Share { version: share.version + 1, ..share.clone() };
    let receiver = next.receivers.iter_mut().find(|r| r.account == account && r.returnable() >= amount)?;
    receiver.returning = Fen(receiver.returning.0 + amount.0);
    Some(next)
}

/// The share after a return of it ended: so much is no longer being returned, and was, or was not.
fn without_returning(share: &Share, made: &ShareReturn, returned: bool) -> Share {
    let mut next = share.clone();
    let own = |r: &&mut domain::ShareReceiver| r.account == made.return_mchid && r.returning >= made.amount;
    if let Some(receiver) = next.receivers.iter_mut().find(own) {
        receiver.returning = Fen(receiver.returning.0 - made.amount.0);
        if returned {
            receiver.returned = Fen(receiver.returned.0 + made.amount.0);
        }
    }
    next
}

/// Brings a return on: asks about one that has not ended, and sends it where the provider does not know it.
///
/// # Errors
/// 504 the outcome is not known. An end is a result.
pub(super) async fn pursue_return(
    cx: &Context<'_>,
    paid: &Paid<'_>,
    made: &ShareReturn,
) -> Result<ShareReturn, Failure> {
    if !made.state.is_open() {
        return Ok(made.clone());
    }
    let was_sent = made.sent_at != UnixMs::EPOCH;
    if was_sent {
        let request = paid.returning(cx, made);
        match paid.gateway.query_return(cx.clients, &request).await {
            Ok(Some(standing)) => return apply_return(cx, made, &standing).await,
            Ok(None) if made.state == ReturnState::Unknown => {}
            Ok(None) => return Err(unknown_return(made, "the provider no longer knows the return")),
            Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
                return Err(unknown_return(made, &why));
            }
        }
    }
    let marked = ShareReturn { sent_at: cx.now(), version: made.version + 1, ..made.clone() };
    let event = if was_sent { "return sent again" } else { "return sent" };
    let entry = HistoryEntry::new(event, "query", cx.now()).with("out_return_no", &made.out_return_no);
    match move_return(cx, made, &marked, &entry).await? {
        true => send_return(cx, paid, &marked, was_sent.then_some(made.sent_at)).await,
        false => Err(unknown_return(made, "it has moved meanwhile")),
    }
}

fn unknown_return(made: &ShareReturn, why: &str) -> Failure {
    telling_return(Code::OUTCOME_UNKNOWN, made).private(why)
}

async fn send_return(
    cx: &Context<'_>,
    paid: &Paid<'_>,
    made: &ShareReturn,
    earlier: Option<UnixMs>,
) -> Result<ShareReturn, Failure> {
    let request = paid.returning(cx, made);
    let refusal = match paid.gateway.return_share(cx.clients, &request).await {
        Ok(standing) => return apply_return(cx, made, &standing).await,
        Err(CallError::Unknown(why)) => return Err(unknown_return(made, &why)),
        Err(CallError::Refused(refusal)) => refusal,
    };
    if let Some(earlier) = earlier {
        match paid.gateway.query_return(cx.clients, &request).await {
            Ok(Some(standing)) => return apply_return(cx, made, &standing).await,
            Ok(None) if is_over(earlier, cx.now()) => {}
            Ok(None) => return Err(unknown_return(made, "an earlier call may be under way")),
            Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
                return Err(unknown_return(made, &why));
            }
        }
    }
    let refused = ShareReturn {
        state: ReturnState::Refused,
        fail_reason: Some(refusal.to_string()),
        end_date: Some(cx.now()),
        version: made.version + 1,
        ..made.clone()
    };
    match end_return(cx, made, refused).await? {
        Some(ended) => Ok(ended),
        None => Err(unknown_return(made, "it has moved meanwhile")),
    }
}

/// Takes what the provider says of a return, and answers it as it stands then.
async fn apply_return(cx: &Context<'_>, made: &ShareReturn, standing: &ReturnStanding) -> Result<ShareReturn, Failure> {
    let mut seen = made.clone();
    for _ in 0..ROUNDS {
        let Some(next) = seen.taken(standing, cx.now()) else { return Ok(seen) };
        if let Some(moved) = end_return(cx, &seen, next).await? {
            return Ok(moved);
        }
        seen = cx.store.share_return(&made.out_trade_no, &made.out_return_no).await?.ok_or(Code::NO_SHARE)?;
    }
    Err(Code::BUSY.into())
}

/// Moves a return, with its share and the order's sums where it ends. A failure of one that a refund still waits for ends
/// the refund with it. `None` when something is not as it was read.
async fn end_return(cx: &Context<'_>, seen: &ShareReturn, next: ShareReturn) -> Result<Option<ShareReturn>, Failure> {
    let entry = HistoryEntry::new("return", seen.provider.name(), cx.now())
        .with("out_return_no", &next.out_return_no)
        .with("state", &next.state)
        .with("amount", &next.amount)
        .with("reason", &next.fail_reason);
    let returned = match next.state {
        ReturnState::Unknown | ReturnState::Processing => {
            return Ok(move_return(cx, seen, &next, &entry).await?.then_some(next));
        }
        ReturnState::Success => true,
        ReturnState::Failed | ReturnState::Refused => false,
    };
    let no = &seen.out_trade_no;
    if let (false, Some(number)) = (returned, &seen.out_refund_no) {
        let refund = cx.store.refund(no, number).await?.ok_or(Code::NOT_REFUNDED)?;
        // One that has ended otherwise stays as it is, and what was not returned is shared as before.
        if refund.state == RefundState::Processing && refund.returns.contains(&seen.out_return_no) {
            return end_refund(cx, refund, seen, next, &entry).await;
        }
        if refund.state == RefundState::Success {
            not_returned(cx, &refund, &next).await?;
        }
    }
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let share = cx.store.share(no, &seen.out_order_no).await?.ok_or(Code::NO_SHARE)?;
    let next_share = Share { version: share.version + 1, ..without_returning(&share, seen, returned) };
    let mut sums = OrderSums::of_share(Some(&share), &next_share);
    if seen.out_refund_no.is_some() {
        // It left what is shared when the refund began.
        sums.shared += i128::from(seen.amount.0);
        sums.returning -= i128::from(seen.amount.0);
    }
    let change = SharingChange {
        order: &order,
        reserves: false,
        sums,
        shares: vec![(Some(&share), &next_share)],
        returns: vec![(Some(seen), &next)],
        refund: RefundMove::None,
        entry: &entry,
    };
    Ok((cx.store.change_sharing(&change).await? == SharingWritten::Done).then_some(next))
}

async fn move_return(
    cx: &Context<'_>,
    before: &ShareReturn,
    after: &ShareReturn,
    entry: &HistoryEntry,
) -> Result<bool, Failure> {
    let order = cx.store.order(&before.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let change = SharingChange {
        order: &order,
        reserves: false,
        sums: OrderSums::default(),
        shares: Vec::new(),
        returns: vec![(Some(before), after)],
        refund: RefundMove::None,
        entry,
    };
    Ok(cx.store.change_sharing(&change).await? == SharingWritten::Done)
}

/// What a refund takes from receivers: of which share, by its place, from whom, how much.
struct Taken {
    share: usize,
    account: String,
    amount: Fen,
}

/// Which shares give back what a refund of so much needs, the newest first.
///
/// # Errors
/// 409 where it is not there: persons return nothing, and what is under way cannot be returned yet.
fn plan(order: &Order, shares: &[Share], refund_fee: Fen) -> Result<Vec<Taken>, Failure> {
    let mut need = refund_fee.0.saturating_sub(order.unshared().0);
    let mut taken = Vec::new();
    for (at, share) in shares.iter().enumerate().rev() {
        for receiver in share.receivers.iter().filter(|_| share.state == ShareState::Finished) {
            let amount = receiver.returnable().0.min(need);
            if amount > 0 {
                need -= amount;
                taken.push(Taken { share: at, account: receiver.account.clone(), amount: Fen(amount) });
            }
        }
    }
    if need > 0 {
        let open = shares.iter().any(|share| share.state.is_open());
        let returning = shares.iter().flat_map(|share| &share.receivers).any(|r| r.returning > Fen::ZERO);
        if open || returning {
            return Err(Failure::new(Code::BUSY).says("a share or a return of this order is under way"));
        }
        let why = format!("{need} fen are with receivers that cannot return them");
        return Err(Failure::new(Code::REFUND_SHARED).says(why));
    }
    if taken.len() > MOST_RETURNS {
        let why = format!("{} returns are needed, and a refund makes at most {MOST_RETURNS}", taken.len());
        return Err(Failure::new(Code::REFUND_SHARED).says(why));
    }
    Ok(taken)
}

/// Reserves a refund of an order that may be shared, and with it the returns that it needs, which it then waits for.
///
/// # Errors
/// 409 where receivers cannot return what it needs.
pub(super) async fn reserve_refund(
    cx: &Context<'_>,
    refund: &mut Refund,
    again: bool,
    entry: &HistoryEntry,
) -> Result<Reserved, Failure> {
    for _ in 0..ROUNDS {
        let order = cx.store.order(&refund.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
        if refund.refund_fee > order.refundable {
            return Ok(Reserved::NotEnough);
        }
        let shares = cx.store.shares(&order.out_trade_no).await?;
        let taken = plan(&order, &shares, refund.refund_fee)?;
        let mut after = shares.clone();
        let mut returns = Vec::new();
        for (k, part) in taken.iter().enumerate() {
            let share = &after[part.share];
            let next = with_returning(share, &part.account, part.amount).ok_or(Code::BUSY)?;
            returns.push(returned_for(cx, refund, share, part, k));
            after[part.share] = next;
        }
        refund.returns = returns.iter().map(|made| made.out_return_no.clone()).collect();
        let moved = shares.iter().zip(&mut after).filter(|(before, after)| before.version != after.version);
        let moved: Vec<(Option<&Share>, &Share)> = moved
            .map(|(before, after)| {
                after.version = before.version + 1;
                (Some(before), &*after)
            })
            .collect();
        let back: i128 = taken.iter().map(|part| i128::from(part.amount.0)).sum();
        let change = SharingChange {
            order: &order,
            reserves: true,
            sums: OrderSums { shared: -back, returning: back, ..OrderSums::default() },
            shares: moved,
            returns: returns.iter().map(|made| (None, made)).collect(),
            refund: if again { RefundMove::BeginAgain(refund) } else { RefundMove::Begin(refund) },
            entry,
        };
        match cx.store.change_sharing(&change).await? {
            SharingWritten::Done => return Ok(Reserved::Done),
            SharingWritten::NumberTaken => return Ok(Reserved::NumberTaken),
            SharingWritten::Moved => {}
        }
    }
    Err(Code::BUSY.into())
}

/// A return that a refund waits for. Its number has a tail that nobody can foresee, because anybody could have taken one.
fn returned_for(cx: &Context<'_>, refund: &Refund, share: &Share, part: &Taken, k: usize) -> ShareReturn {
    let tail = hex::encode(crypto::random::<4>());
    // A refund's number may have a dot, a return's may not.
    let base = refund.out_refund_no.replace('.', "_");
    ShareReturn {
        out_trade_no: refund.out_trade_no.clone(),
        out_return_no: suffixed(&base, &format!("-R{}{tail}", k + 1), 64),
        out_order_no: share.out_order_no.clone(),
        return_mchid: part.account.clone(),
        amount: part.amount,
        description: "退款".to_owned(),
        out_refund_no: Some(refund.out_refund_no.clone()),
        provider: share.provider,
        merchant: share.merchant.clone(),
        attempt: share.attempt,
        state: ReturnState::Unknown,
        return_id: None,
        fail_reason: None,
        sent_at: UnixMs::EPOCH,
        create_date: cx.now(),
        end_date: None,
        version: 1,
    }
}

/// How the returns stand that a refund waits for.
pub(super) enum TakenBack {
    /// All of them have ended well: the refund may go out.
    All,
    /// The provider is at one.
    UnderWay,
    /// Nobody knows how one stands.
    Unknown,
    /// One has failed, and the refund has ended with it.
    Failed,
}

/// Brings the returns on that a refund waits for, one after the other, so that none is asked for after one has failed.
///
/// # Errors
/// When the table cannot be read or written.
pub(super) async fn take_back(cx: &Context<'_>, order: &Order, refund: &Refund) -> Result<TakenBack, Failure> {
    let paid = Paid::of(cx, order).await?;
    for number in &refund.returns {
        let made = cx.store.share_return(&refund.out_trade_no, number).await?.ok_or(Code::NO_SHARE)?;
        let stands = match pursue_return(cx, &paid, &made).await {
            Ok(stands) => stands,
            Err(failure) if failure.code == Code::OUTCOME_UNKNOWN => {
                tracing::warn!(out_return_no = number, why = failure.private, "a return is not known to have ended");
                return Ok(TakenBack::Unknown);
            }
            Err(failure) => return Err(failure),
        };
        match stands.state {
            ReturnState::Success => {}
            ReturnState::Unknown => return Ok(TakenBack::Unknown),
            ReturnState::Processing => return Ok(TakenBack::UnderWay),
            ReturnState::Failed | ReturnState::Refused => return Ok(TakenBack::Failed),
        }
    }
    Ok(TakenBack::All)
}

/// Ends a refund because a return failed that it waits for: its amount is free again, what was not returned is shared as
/// before, and the returns that were never asked for are not. What was returned before stays with the merchant.
async fn end_refund(
    cx: &Context<'_>,
    refund: Refund,
    seen: &ShareReturn,
    next: ShareReturn,
    entry: &HistoryEntry,
) -> Result<Option<ShareReturn>, Failure> {
    let no = &seen.out_trade_no;
    let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
    let mut ended = vec![(seen.clone(), next.clone())];
    for number in refund.returns.iter().filter(|number| **number != seen.out_return_no) {
        let other = cx.store.share_return(no, number).await?.ok_or(Code::NO_SHARE)?;
        if other.state == ReturnState::Unknown {
            let refused = ShareReturn {
                state: ReturnState::Refused,
                fail_reason: Some(format!("not asked for, because {} failed", seen.out_return_no)),
                end_date: Some(cx.now()),
                version: other.version + 1,
                ..other.clone()
            };
            ended.push((other, refused));
        }
    }
    let mut shares: BTreeMap<String, (Share, Share)> = BTreeMap::new();
    for (made, _) in &ended {
        if !shares.contains_key(&made.out_order_no) {
            let share = cx.store.share(no, &made.out_order_no).await?.ok_or(Code::NO_SHARE)?;
            let next = Share { version: share.version + 1, ..share.clone() };
            shares.insert(made.out_order_no.clone(), (share, next));
        }
        if let Some((_, after)) = shares.get_mut(&made.out_order_no) {
            *after = without_returning(after, made, false);
        }
    }
    let still: i128 = ended.iter().map(|(made, _)| i128::from(made.amount.0)).sum();
    let why = next.fail_reason.clone().unwrap_or_default();
    let refused = Refund {
        state: RefundState::Refused,
        reason: Some(format!("{} of share {}: {why}", seen.out_return_no, seen.out_order_no)),
        ..refund
    };
    // First told, then ended: a process that dies in between leaves an end to find again.
    not_returned(cx, &refused, &next).await?;
    let change = SharingChange {
        order: &order,
        reserves: false,
        sums: OrderSums { shared: still, returning: -still, ..OrderSums::default() },
        shares: shares.values().map(|(before, after)| (Some(before), after)).collect(),
        returns: ended.iter().map(|(before, after)| (Some(before), after)).collect(),
        refund: RefundMove::Refuse(&refused),
        entry,
    };
    Ok((cx.store.change_sharing(&change).await? == SharingWritten::Done).then_some(next))
}

/// The operator is told which share holds a refund up, or was left with its receiver though the refund was paid.
async fn not_returned(cx: &Context<'_>, refund: &Refund, made: &ShareReturn) -> Result<(), Failure> {
    let incident = Incident {
        out_trade_no: Some(refund.out_trade_no.clone()),
        out_refund_no: Some(refund.out_refund_no.clone()),
        expected: Some(json!(made.amount)),
        actual: Some(json!({
            "out_order_no": made.out_order_no,
            "out_return_no": made.out_return_no,
            "return_mchid": made.return_mchid,
            "reason": made.fail_reason,
        })),
        ..Incident::new(IncidentName::ShareNotReturned, refund.provider, &refund.merchant)
    };
    alarm(cx, &incident, true).await?;
    Ok(())
}
