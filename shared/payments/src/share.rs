//! Shares of a paid order: reserve, send, ask, settle.
//!
//! The item is written before the provider is called, and what it takes is reserved with it, so that all that was shared and
//! refunded never exceeds what was paid. From then on only what the provider says moves it. A number is sent again only where
//! the provider says that it does not know it, and a refusal of one that was sent before ends it only when no earlier call can
//! be under way (`docs/profit-sharing.md`).

use super::Context;
use domain::{Attempt, Code, Failure, MAX_SHARES, Order, Share, ShareReturn, ShareStanding, ShareState, UnixMs};
use providers::{CallError, Gateway, Refusal, ReturnRequest, ShareRequest};
use std::time::Duration;
use store::{HistoryEntry, OrderSums, RefundMove, SharingChange, SharingWritten};

/// How often an order may change under our hands before we give up.
pub(super) const ROUNDS: usize = 16;
/// A call that was made this long ago is surely over: longer than any function runs.
const CALL: Duration = Duration::from_secs(90);

/// The way to the provider of a paid order that may be shared.
pub(super) struct Paid<'a> {
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The provider's number of the payment.
    pub transaction_id: &'a str,
    /// Its gateway.
    pub gateway: Gateway,
}

impl<'a> Paid<'a> {
    /// It.
    ///
    /// # Errors
    /// 409 the order is not paid, or was not made to be shared; 422 its provider, or this way to pay, cannot share.
    pub(super) async fn of(cx: &Context<'_>, order: &'a Order) -> Result<Self, Failure> {
        let paid = order.paid_attempt().zip(order.transaction_id.as_deref());
        let (attempt, transaction_id) = paid.filter(|_| order.trade_state.is_paid()).ok_or(Code::NOT_PAID)?;
        let gateway = cx.gateway(attempt).await?;
        gateway.can_share_payment(&order.other)?;
        // What was made for one provider's sharing may have been paid at another.
        if order.sharing.is_none() || !gateway.is_shared(&order.other) {
            return Err(Failure::new(Code::SHARE_STATE).says("the order was not made with profit_sharing"));
        }
        Ok(Self { attempt, transaction_id, gateway })
    }

    /// What its provider is asked of a return.
    pub(super) fn returning<'r>(&'r self, cx: &Context<'_>, made: &'r ShareReturn) -> ReturnRequest<'r> {
        ReturnRequest { attempt: self.attempt, transaction_id: self.transaction_id, made, now: cx.now() }
    }
}

/// A failure that tells what is known of a share.
pub(super) fn telling(code: Code, share: &Share) -> Failure {
    Failure::new(code).with("out_order_no", share.out_order_no.as_str()).with("state", share.state.name())
}

/// Whether a call that was made then is over.
pub(super) fn is_over(sent_at: UnixMs, now: UnixMs) -> bool {
    now.since(sent_at) >= CALL
}

/// Reserves a share and sends it. The same number again is the same share: one that has not ended is asked about, a
/// refused one begins again. `wished` becomes the item.
///
/// # Errors
/// 409 what [`Code`] says of shares; 422 the provider refused; 504 the outcome is not known.
pub(super) async fn begin(cx: &Context<'_>, source: &str, wished: &Share) -> Result<Share, Failure> {
    let no = &wished.out_trade_no;
    for _ in 0..ROUNDS {
        let order = cx.store.order(no).await?.ok_or(Code::NO_ORDER)?;
        let paid = Paid::of(cx, &order).await?;
        let known = cx.store.share(no, &wished.out_order_no).await?;
        let again = match &known {
            Some(known) if !known.is_same(wished) => return Err(Code::SHARE_DIFFERS.into()),
            Some(known) if known.state != ShareState::Refused => return pursue(cx, &paid, known).await,
            known => known.as_ref(),
        };
        let sharing = order.sharing.unwrap_or_default();
        if sharing.ended {
            return Err(Failure::new(Code::SHARE_STATE).says("the sharing of this order has ended"));
        }
        if again.is_none() && sharing.num >= MAX_SHARES {
            return Err(Code::TOO_MANY_SHARES.into());
        }
        if wished.amount() > order.unshared() {
            return Err(exceeds(&order));
        }
        let begun = Share { version: again.map_or(0, |known| known.version) + 1, sent_at: cx.now(), ..wished.clone() };
        let ends = begun.receivers.is_empty() || begun.unfreeze_unsplit;
        let mut sums = OrderSums::of_share(again, &begun);
        sums.num = i128::from(again.is_none());
        sums.ended = ends.then_some(true);
        let entry = HistoryEntry::new("share reserved", source, cx.now())
            .with("out_order_no", &begun.out_order_no)
            .with("amount", &begun.amount());
        let change = SharingChange {
            order: &order,
            reserves: true,
            sums,
            shares: vec![(again, &begun)],
            returns: Vec::new(),
            refund: RefundMove::None,
            entry: &entry,
        };
        match cx.store.change_sharing(&change).await? {
            SharingWritten::Done => return send(cx, &paid, &begun, None).await,
            SharingWritten::Moved => {}
            // Ours by another request at this moment, or another order's, or a return's or refund's.
            SharingWritten::NumberTaken => {
                if cx.store.share(no, &begun.out_order_no).await?.is_none() {
                    return Err(Code::SHARE_DIFFERS.into());
                }
            }
        }
    }
    Err(Code::BUSY.into())
}

fn exceeds(order: &Order) -> Failure {
    let left = order.unshared();
    Failure::new(Code::SHARE_EXCEEDS).says(format!("{left} fen (¥{})", left.to_yuan()))
}

/// Brings a share on: asks about one that has not ended, and sends it again where the provider does not know it.
///
/// # Errors
/// 422 the provider refused it, 504 the outcome is not known.
pub(super) async fn pursue(cx: &Context<'_>, paid: &Paid<'_>, share: &Share) -> Result<Share, Failure> {
    if !share.state.is_open() {
        return Ok(share.clone());
    }
    let request = ShareRequest { attempt: paid.attempt, share, now: cx.now() };
    match paid.gateway.query_share(cx.clients, &request).await {
        Ok(Some(standing)) => apply(cx, share, &standing).await,
        Ok(None) if share.state == ShareState::Unknown => {
            let marked = Share { sent_at: cx.now(), version: share.version + 1, ..share.clone() };
            let entry =
                HistoryEntry::new("share sent again", "query", cx.now()).with("out_order_no", &share.out_order_no);
            match move_share(cx, share, &marked, OrderSums::default(), &entry).await? {
                true => send(cx, paid, &marked, Some(share.sent_at)).await,
                false => Err(unknown(share, "it has moved meanwhile")),
            }
        }
        Ok(None) => Err(unknown(share, "the provider no longer knows the share")),
        Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => Err(unknown(share, &why)),
    }
}

fn unknown(share: &Share, why: &str) -> Failure {
    telling(Code::OUTCOME_UNKNOWN, share).private(why)
}

/// Calls the provider for a share that is written. What it refuses is asked about first where an `earlier` call may have
/// got through, and ends nothing while that one may be under way.
async fn send(cx: &Context<'_>, paid: &Paid<'_>, share: &Share, earlier: Option<UnixMs>) -> Result<Share, Failure> {
    let request = ShareRequest { attempt: paid.attempt, share, now: cx.now() };
    let refusal = match paid.gateway.share(cx.clients, &request).await {
        Ok(standing) => return apply(cx, share, &standing).await,
        Err(CallError::Unknown(why)) => return Err(unknown(share, &why)),
        Err(CallError::Refused(refusal)) => refusal,
    };
    if let Some(earlier) = earlier {
        match paid.gateway.query_share(cx.clients, &request).await {
            Ok(Some(standing)) => return apply(cx, share, &standing).await,
            Ok(None) if is_over(earlier, cx.now()) => {}
            Ok(None) => return Err(unknown(share, "an earlier call may be under way")),
            Err(CallError::Refused(Refusal { code: why, .. }) | CallError::Unknown(why)) => {
                return Err(unknown(share, &why));
            }
        }
    }
    let refused = Share {
        state: ShareState::Refused,
        reason: Some(refusal.to_string()),
        end_date: Some(cx.now()),
        version: share.version + 1,
        ..share.clone()
    };
    let entry = HistoryEntry::new("share refused", share.provider.name(), cx.now())
        .with("out_order_no", &share.out_order_no)
        .with("reason", &refused.reason);
    let mut sums = OrderSums::of_share(Some(share), &refused);
    sums.ended = (share.receivers.is_empty() || share.unfreeze_unsplit).then_some(false);
    match move_share(cx, share, &refused, sums, &entry).await? {
        true => Err(telling(Code::SHARE_REFUSED, &refused).says(refusal.to_string())),
        false => Err(unknown(share, "it has moved meanwhile")),
    }
}

/// Moves a share that is as it was read, and the sums of its order.
async fn move_share(
    cx: &Context<'_>,
    before: &Share,
    after: &Share,
    sums: OrderSums,
    entry: &HistoryEntry,
) -> Result<bool, Failure> {
    let order = cx.store.order(&before.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let change = SharingChange {
        order: &order,
        reserves: false,
        sums,
        shares: vec![(Some(before), after)],
        returns: Vec::new(),
        refund: RefundMove::None,
        entry,
    };
    Ok(cx.store.change_sharing(&change).await? == SharingWritten::Done)
}

/// Takes what the provider says of a share, and answers it as it stands then.
async fn apply(cx: &Context<'_>, share: &Share, standing: &ShareStanding) -> Result<Share, Failure> {
    let mut seen = share.clone();
    for _ in 0..ROUNDS {
        let Some(next) = seen.taken(standing, cx.now()) else { return Ok(seen) };
        let entry = HistoryEntry::new("shared", share.provider.name(), cx.now())
            .with("out_order_no", &next.out_order_no)
            .with("state", &next.state)
            .with("amount", &next.held());
        if move_share(cx, &seen, &next, OrderSums::of_share(Some(&seen), &next), &entry).await? {
            return Ok(next);
        }
        seen = cx.store.share(&share.out_trade_no, &share.out_order_no).await?.ok_or(Code::NO_SHARE)?;
    }
    Err(Code::BUSY.into())
}
