//! Whose a number is that goes out to a provider, and how the next one is made.

use super::Context;
use crypto::hash;
use domain::{Order, Provider};
use providers::Gateway;
use store::{Holder, StoreError};

/// The order that a provider's number belongs to: by the claim on the number, and by nothing else. It may have no
/// attempt of this provider and merchant; then the number went out to another.
pub(super) async fn find_order(
    cx: &Context<'_>,
    provider: Provider,
    merchant: &str,
    number: &str,
) -> Result<Option<Order>, StoreError> {
    let ours = match cx.store.holder(number).await? {
        Some(Holder::Order(order)) => Some(*order),
        Some(Holder::Attempt(no)) => cx.store.order(&no).await?,
        None => None,
    };
    if ours.as_ref().is_some_and(|order| order.attempt_for(provider, merchant, number).is_some()) {
        return Ok(ours);
    }
    if let Some(no) = cx.store.order_of_number(provider, merchant, number).await? {
        return cx.store.order(&no).await;
    }
    Ok(ours.filter(|order| order.attempts.iter().any(|attempt| attempt.has_number(number))))
}

/// The number for the next attempt at a provider: the order's own the first time, then with a suffix,
/// because no provider takes a closed number again.
pub(super) fn next_number(order: &Order, gateway: &Gateway, provider: Provider, tail: &str) -> String {
    let before = order.attempts.iter().filter(|a| a.provider == provider).count();
    if before == 0 || gateway.gives_numbers() {
        return order.out_trade_no.clone();
    }
    let suffix = format!("_{}{tail}", before + 1);
    suffixed(&order.out_trade_no, &suffix, gateway.number_limit())
}

/// A number with a suffix; too long a one is shortened with a digest.
pub(super) fn suffixed(no: &str, suffix: &str, limit: usize) -> String {
    let room = limit - suffix.len();
    if no.len() <= room {
        return format!("{no}{suffix}");
    }
    let digest = &hash::sha256_hex(no.as_bytes())[..10];
    format!("{}{digest}{suffix}", &no[..room - digest.len()])
}
