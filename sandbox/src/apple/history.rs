//! Get Notification History: what the store sent, and what became of it (apple.md 2).

use super::{Keys, acknowledges, answer, kind, payload};
use crate::merchant::Merchant;
use crate::outbox::Delivery;
use crate::provider::Provider;
use crate::state::State;
use crate::wire::{Answer, Inbound};
use serde_json::{Value, json};

/// Records of one answer.
const PAGE: usize = 20;
/// How far back the store remembers, ms.
const MEMORY: i64 = 180 * 86_400_000;

/// What was asked for.
struct Wish {
    from: i64,
    to: i64,
    only_failures: bool,
    kind: Option<String>,
    transaction: Option<String>,
    /// Records that were handed out before.
    skip: usize,
}

impl Wish {
    fn read(inbound: &Inbound, now: i64) -> Result<Self, (u32, &'static str)> {
        let body: Value = serde_json::from_slice(&inbound.body).map_err(|_| (4_000_000, "Bad request."))?;
        let from = body["startDate"].as_i64().ok_or((4_000_015, "Invalid request. The start date is invalid."))?;
        let to = body["endDate"].as_i64().ok_or((4_000_016, "Invalid request. The end date is invalid."))?;
        if from >= to {
            return Err((4_000_013, "Invalid request. The end date precedes the start date."));
        }
        if from < now - MEMORY {
            return Err((4_000_012, "Invalid request. The start date is earlier than the earliest allowed date."));
        }
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let (kind, transaction) = (text("notificationType"), text("transactionId"));
        if kind.is_some() && transaction.is_some() {
            return Err((4_000_019, "Invalid request. Supply either a transaction id or a notification type."));
        }
        let mut pairs = form_urlencoded::parse(inbound.query.as_bytes());
        let skip = match pairs.find(|(name, _)| name == "paginationToken") {
            None => 0,
            Some((_, token)) => {
                let skip = token.strip_prefix("after-").and_then(|rest| rest.parse().ok());
                skip.ok_or((4_000_014, "Invalid request. The pagination token is invalid."))?
            }
        };
        let only_failures = body["onlyFailures"] == true;
        Ok(Self { from, to, only_failures, kind, transaction, skip })
    }

    /// Whether a notification was sent in this time and is wanted.
    fn wants(&self, delivery: &Delivery) -> bool {
        let notice = delivery.notice();
        let first = delivery.sent.first().is_some_and(|(at, _)| (self.from..=self.to).contains(at));
        first
            && !(self.only_failures && delivery.sent.iter().any(arrived))
            && self.kind.as_deref().is_none_or(|own| own == kind(&notice))
            && self.transaction.as_ref().is_none_or(|own| notice.trade.transaction_id.as_ref() == Some(own))
    }
}

fn arrived((_, status): &(i64, Option<u16>)) -> bool {
    status.is_some_and(acknowledges)
}

fn record(keys: &Keys, delivery: &Delivery) -> Value {
    let attempt = |sent: &(i64, Option<u16>)| {
        let result = match sent.1 {
            Some(_) if arrived(sent) => "SUCCESS",
            Some(_) => "UNSUCCESSFUL_HTTP_RESPONSE_CODE",
            None => "NO_RESPONSE",
        };
        json!({ "attemptDate": sent.0, "sendAttemptResult": result })
    };
    let attempts: Vec<Value> = delivery.sent.iter().map(attempt).collect();
    json!({ "sendAttempts": attempts, "signedPayload": payload(&delivery.notice(), keys, delivery.created) })
}

/// A page, newest first.
pub(super) fn page(state: &State, merchant: &Merchant, inbound: &Inbound, now: i64) -> Answer {
    let wish = match Wish::read(inbound, now) {
        Ok(wish) => wish,
        Err((code, message)) => return answer(400, &json!({ "errorCode": code, "errorMessage": message })),
    };
    let keys: &Keys = merchant.keys();
    let all: Vec<&Delivery> =
        state.outbox.of(Provider::Appleiap, &keys.id).rev().filter(|delivery| wish.wants(delivery)).collect();
    let records: Vec<Value> = all.iter().skip(wish.skip).take(PAGE).map(|own| record(keys, own)).collect();
    let end = wish.skip + records.len();
    let more = end < all.len();
    let mut body = json!({ "hasMore": more, "notificationHistory": records });
    if more {
        body["paginationToken"] = json!(format!("after-{end}"));
    }
    answer(200, &body)
}
