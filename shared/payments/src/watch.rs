//! Until when, and when, an order that has ended is asked about: a payment may still come.

use super::Context;
use domain::{Attempt, Order, REVERSAL, UnixMs, watch_again};

/// Until when attempts of an order are asked about.
pub(super) fn watched_until(cx: &Context<'_>, order: &Order, open: &[&Attempt]) -> UnixMs {
    let until = |attempt: &&Attempt| cx.gateway(attempt).map_or(order.time_expire, |g| g.watched_until(order, attempt));
    open.iter().map(until).max().unwrap_or(order.time_expire)
}

/// When an order that is closed now is first looked at again for the attempts that stay open, by their `n`.
pub(super) fn first_watch(cx: &Context<'_>, order: &Order, left_open: &[u64], at: UnixMs) -> UnixMs {
    let open: Vec<&Attempt> = order.attempts.iter().filter(|a| left_open.contains(&a.n)).collect();
    // The payment by a pay code may be on its way to a provider that knew of none to reverse.
    if open.iter().any(|attempt| cx.gateway(attempt).is_ok_and(|gateway| gateway.reverses())) {
        return at + REVERSAL;
    }
    match watched_until(cx, order, &open) > order.time_expire {
        true => watch_again(at, at),
        false => order.time_expire.max(at),
    }
}
