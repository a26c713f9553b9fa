//! Until when, and when, an order that has ended is asked about: a payment may still come.

use super::Context;
use domain::{Attempt, Order, REVERSAL, UnixMs, watch_again};
use store::StoreError;

/// Until when attempts of an order are asked about.
///
/// # Errors
/// That a merchant's document cannot be read now.
pub(super) async fn watched_until(cx: &Context<'_>, order: &Order, open: &[&Attempt]) -> Result<UnixMs, StoreError> {
    let mut last = None;
    for attempt in open {
        let gateway = cx.find_gateway(attempt).await?;
        last = last.max(Some(gateway.map_or(order.time_expire, |gateway| gateway.watched_until(order, attempt))));
    }
    Ok(last.unwrap_or(order.time_expire))
}

/// When an order that is closed now is first looked at again for the attempts that stay open, by their `n`.
///
/// # Errors
/// That a merchant's document cannot be read now.
pub(super) async fn first_watch(
    cx: &Context<'_>,
    order: &Order,
    left_open: &[u64],
    at: UnixMs,
) -> Result<UnixMs, StoreError> {
    let open: Vec<&Attempt> = order.attempts.iter().filter(|a| left_open.contains(&a.n)).collect();
    // The payment by a pay code may be on its way to a provider that knew of none to reverse.
    for attempt in &open {
        if cx.find_gateway(attempt).await?.is_some_and(|gateway| gateway.reverses()) {
            return Ok(at + REVERSAL);
        }
    }
    Ok(match watched_until(cx, order, &open).await? > order.time_expire {
        true => watch_again(at, at),
        false => order.time_expire.max(at),
    })
}
