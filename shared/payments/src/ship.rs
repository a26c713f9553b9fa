//! The shipping of what was paid: what a provider is told so that it pays the money out, by a task or by the merchant.
//!
//! One at a time is at an order's shipping, for as long as a lease. Before anything is reported the provider is asked how
//! it has the order: what was reported already counts as a correction when it is sent again, of which there is one.

use super::Context;
use super::incident_record::alarm;
use crypto::hash;
use domain::{
    Attempt, LEASE, Order, Payment, Shipping, ShippingMode, ShippingReport, ShippingState, Status, Task, UnixMs,
};
use providers::{CallError, Gateway, Meaning, Refusal, ShippingRequest, ShippingStanding};
use serde_json::json;
use store::{HistoryEntry, Incident, IncidentName, IncidentStatus, ShippingChange, ShippingWritten, StoreError};

/// The shipping that begins with a payment, and its task; nothing where the money is paid out anyway, or where nobody
/// has said who reports it.
///
/// # Errors
/// That the merchant's document cannot be read now.
pub(super) async fn begun(
    cx: &Context<'_>,
    order: &Order,
    attempt: &Attempt,
    payment: &Payment,
) -> Result<Option<(Shipping, Task)>, StoreError> {
    let Some(gateway) = cx.find_gateway(attempt).await?.filter(|gateway| gateway.keeps_money(attempt)) else {
        return Ok(None);
    };
    let mode = cx.config.shipping.get(&order.kind).copied().or_else(|| gateway.shipping());
    Ok(mode.map(|mode| {
        let now = cx.now();
        let paid_at = payment.paid_at.unwrap_or(now);
        (Shipping::begun(mode, paid_at, now), Task::shipping(&order.out_trade_no, mode, paid_at, now))
    }))
}

/// A paid order whose money is kept, with the way to who keeps it.
pub(super) struct Kept<'a> {
    /// The order.
    pub order: &'a Order,
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The provider's number of the payment.
    pub transaction_id: &'a str,
    /// Its gateway.
    pub gateway: Gateway,
}

impl<'a> Kept<'a> {
    /// It, if the order is one.
    ///
    /// # Errors
    /// That the merchant's document cannot be read now.
    pub(super) async fn of(cx: &Context<'_>, order: &'a Order) -> Result<Option<Self>, StoreError> {
        let paid = order.paid_attempt().zip(order.transaction_id.as_deref());
        let Some((attempt, transaction_id)) = paid.filter(|_| order.trade_state.is_paid()) else { return Ok(None) };
        let gateway = cx.find_gateway(attempt).await?.filter(|gateway| gateway.keeps_money(attempt));
        Ok(gateway.map(|gateway| Self { order, attempt, transaction_id, gateway }))
    }

    /// How the provider has it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(super) async fn ask(&self, cx: &Context<'_>) -> Result<ShippingStanding, CallError> {
        self.gateway.query_shipping(cx.clients, self.transaction_id, cx.now()).await
    }
}

/// The incident of an order whose shipping is not reported.
pub(super) fn incident_of(order: &Order, why: &str) -> Incident {
    let attempt = order.paid_attempt().unwrap_or(order.current());
    Incident {
        out_trade_no: Some(order.out_trade_no.clone()),
        transaction_id: order.transaction_id.clone(),
        actual: Some(json!(why)),
        ..Incident::new(IncidentName::Unshipped, attempt.provider, &attempt.merchant)
    }
}

/// Whether all of the money went back, so that nothing is shipped.
pub(super) fn went_back(order: &Order) -> bool {
    order.trade_state == Status::Refund && order.refund_fee >= order.total_fee
}

/// The shipping of an order that somebody is at alone.
pub(super) struct Held<'a> {
    kept: &'a Kept<'a>,
    /// As it stands in the table.
    pub shipping: Shipping,
}

/// Takes the shipping of an order for the time of a lease; `None` when somebody else is at it. An order of which nothing
/// was to be reported gets one that the merchant reports.
///
/// # Errors
/// When the table cannot be written.
pub(super) async fn hold<'a>(cx: &Context<'_>, kept: &'a Kept<'a>) -> Result<Option<Held<'a>>, StoreError> {
    let (order, now) = (kept.order, cx.now());
    let read = order.shipping.as_ref();
    if read.is_some_and(|shipping| shipping.is_held(now)) {
        return Ok(None);
    }
    let paid_at = order.pay_date.unwrap_or(now);
    let shipping = read.cloned().unwrap_or_else(|| Shipping::begun(ShippingMode::Manual, paid_at, now));
    let mut held = Held { kept, shipping: Shipping { n: read.map_or(0, |read| read.n), ..shipping } };
    let leased = Shipping { lease: Some(now + LEASE), ..held.shipping.clone() };
    let change = ShippingChange { out_trade_no: &order.out_trade_no, read, becomes: &leased, entry: None, ends: None };
    if cx.store.change_shipping(&change).await? == ShippingWritten::Moved {
        return Ok(None);
    }
    held.shipping = Shipping { n: held.shipping.n + 1, ..leased };
    Ok(Some(held))
}

impl Held<'_> {
    /// Writes it, with the line of history that says so. False when the lease was lost.
    async fn write(
        &mut self,
        cx: &Context<'_>,
        becomes: Shipping,
        entry: Option<&HistoryEntry>,
    ) -> Result<bool, StoreError> {
        let no = &self.kept.order.out_trade_no;
        let over = !becomes.state.is_due() && entry.is_some();
        let id = incident_of(self.kept.order, "").id();
        // Who resolves the incident at this moment is as right as this.
        for _ in 0..2 {
            let open = match over {
                true => cx.store.incident(&id).await?.is_some_and(|known| known.status == IncidentStatus::Open),
                false => false,
            };
            let ends = open.then_some(id.as_str());
            let change =
                ShippingChange { out_trade_no: no, read: Some(&self.shipping), becomes: &becomes, entry, ends };
            if cx.store.change_shipping(&change).await? == ShippingWritten::Done {
                self.shipping = Shipping { n: self.shipping.n + 1, ..becomes };
                return Ok(true);
            }
            if !open {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Lets it go as it is.
    pub(super) async fn release(mut self, cx: &Context<'_>) -> Result<(), StoreError> {
        let becomes = Shipping { lease: None, ..self.shipping.clone() };
        self.write(cx, becomes, None).await.map(|_| ())
    }

    /// Lets it go as the provider has it.
    pub(super) async fn sync(
        mut self,
        cx: &Context<'_>,
        standing: &ShippingStanding,
        by: &str,
    ) -> Result<Shipping, StoreError> {
        let becomes = found(&self.shipping, standing, cx.now());
        let entry = line(by, cx.now(), &becomes, "found");
        let entry = (becomes.state != self.shipping.state).then_some(&entry);
        self.write(cx, becomes, entry).await?;
        Ok(self.shipping)
    }

    /// Has somebody told that nothing is reported, and lets it go.
    pub(super) async fn tell(self, cx: &Context<'_>, why: &str) -> Result<bool, StoreError> {
        let new = alarm(cx, &incident_of(self.kept.order, why), true).await?;
        self.release(cx).await?;
        Ok(new)
    }

    /// Notes that the payer is about to be asked to confirm.
    ///
    /// # Errors
    /// When the table cannot be written, or the lease was lost.
    pub(super) async fn mark_reminding(&mut self, cx: &Context<'_>) -> Result<(), StoreError> {
        let becomes = Shipping { reminding: true, ..self.shipping.clone() };
        match self.write(cx, becomes, None).await? {
            true => Ok(()),
            false => Err(StoreError::new("shipping", "somebody else is at it")),
        }
    }

    /// Has the payer asked to confirm.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(super) async fn remind(&self, cx: &Context<'_>, received: UnixMs) -> Result<(), CallError> {
        self.kept.gateway.confirm_receive(cx.clients, self.kept.transaction_id, received, cx.now()).await
    }

    /// Notes what came of it, and lets it go. What was refused was not asked.
    pub(super) async fn reminded(
        mut self,
        cx: &Context<'_>,
        outcome: &Result<(), CallError>,
        by: &str,
    ) -> Result<(), StoreError> {
        let (reminding, words) = match outcome {
            Ok(()) => (true, "the payer is asked to confirm".to_owned()),
            Err(CallError::Refused(refusal)) => (false, format!("confirm refused: {refusal}")),
            Err(CallError::Unknown(why)) => (true, format!("confirm unknown: {why}")),
        };
        let reminded_at = if outcome.is_ok() { Some(cx.now()) } else { None };
        let becomes = Shipping { lease: None, reminding, reminded_at, ..self.shipping.clone() };
        let entry = line(by, cx.now(), &becomes, &words);
        self.write(cx, becomes, Some(&entry)).await.map(|_| ())
    }

    /// Notes that all of the money went back, and lets it go.
    pub(super) async fn refunded(mut self, cx: &Context<'_>, by: &str) -> Result<(), StoreError> {
        let becomes = Shipping { lease: None, ..self.shipping.moved(ShippingState::Refunded, cx.now()) };
        let entry = line(by, cx.now(), &becomes, "the money went back");
        self.write(cx, becomes, Some(&entry)).await.map(|_| ())
    }
}

/// The line of history of a shipping.
fn line(by: &str, at: UnixMs, becomes: &Shipping, outcome: &str) -> HistoryEntry {
    HistoryEntry::new("shipping", by, at)
        .with("state", &becomes.state)
        .with("logistics_type", &becomes.logistics_type)
        .with("outcome", &outcome)
}

/// What a shipping becomes by what its provider says; nobody is at it any more.
fn found(shipping: &Shipping, standing: &ShippingStanding, now: UnixMs) -> Shipping {
    let moved = shipping.moved(standing.state, now);
    Shipping { lease: None, logistics_type: standing.logistics.or(moved.logistics_type), ..moved }
}

/// What became of a report.
pub(super) enum Outcome {
    /// The provider has it, or has had it before.
    Taken,
    /// The provider does not have the payment yet.
    NotYet,
    /// The provider refuses it.
    Refused(Refusal),
    /// Nobody knows.
    Unknown(String),
    /// It would be a second correction.
    Spent,
    /// It is past that.
    Over(ShippingState),
}

impl Outcome {
    fn of(error: CallError) -> Self {
        match error {
            error if error.means(Meaning::Missing) => Self::NotYet,
            CallError::Refused(refusal) => Self::Refused(refusal),
            CallError::Unknown(why) => Self::Unknown(why),
        }
    }

    /// As the history and the incident say it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Taken => "taken".to_owned(),
            Self::NotYet => "the platform does not have the payment yet".to_owned(),
            Self::Refused(refusal) => format!("refused: {refusal}"),
            Self::Unknown(why) => format!("unknown: {why}"),
            Self::Spent => "it was corrected already".to_owned(),
            Self::Over(state) => format!("it is {}", state.name()),
        }
    }
}

/// Reports what is held, and lets it go. `corrects` says whether what was reported before may be corrected by it: the
/// merchant may, and the task never does.
///
/// # Errors
/// When the table cannot be read or written.
pub(super) async fn report(
    cx: &Context<'_>,
    mut held: Held<'_>,
    report: &ShippingReport,
    corrects: bool,
    by: &str,
) -> Result<(Outcome, Shipping), StoreError> {
    let kept = held.kept;
    let digest = hash::sha256_hex(json!(report).to_string().as_bytes())[..32].to_owned();
    let standing = match kept.ask(cx).await {
        Ok(standing) => standing,
        Err(error) => return failed(cx, held, Outcome::of(error), (corrects, false), by).await,
    };
    // What was sent before and not answered, and has arrived.
    let arrived = [&held.shipping.sending, &held.shipping.reported].contains(&&Some(digest.clone()));
    let verdict = match standing.state {
        ShippingState::Due | ShippingState::Part => None,
        ShippingState::Refunded => Some(Outcome::Over(standing.state)),
        _ if arrived || !corrects => Some(Outcome::Taken),
        ShippingState::Reported => None,
        ShippingState::Corrected => Some(Outcome::Spent),
        ShippingState::Received | ShippingState::Settled => Some(Outcome::Over(standing.state)),
    };
    if let Some(outcome) = verdict {
        let mut becomes = found(&held.shipping, &standing, cx.now());
        if arrived {
            becomes.reported = becomes.sending.take().or(becomes.reported);
        }
        let entry = line(by, cx.now(), &becomes, &outcome.words());
        held.write(cx, becomes, Some(&entry)).await?;
        return Ok((outcome, held.shipping));
    }
    let marked = Shipping { sending: Some(digest.clone()), ..held.shipping.clone() };
    if !held.write(cx, marked, None).await? {
        return Ok((Outcome::Unknown("somebody else is at it".to_owned()), held.shipping));
    }
    let openid = kept.attempt.openid.as_deref().or(kept.order.openid.as_deref()).unwrap_or_default();
    let request = ShippingRequest { transaction_id: kept.transaction_id, openid, report, now: cx.now() };
    if let Err(error) = kept.gateway.ship(cx.clients, &request).await {
        return failed(cx, held, Outcome::of(error), (corrects, true), by).await;
    }
    let state = match report.all {
        false => ShippingState::Part,
        true if standing.finished > 0 => ShippingState::Corrected,
        true => ShippingState::Reported,
    };
    let moved = held.shipping.moved(state, cx.now());
    let logistics_type = Some(report.logistics_type);
    let becomes = Shipping { lease: None, sending: None, reported: Some(digest), logistics_type, ..moved };
    let entry = line(by, cx.now(), &becomes, "taken").with("parcels", &report.parcels.len());
    held.write(cx, becomes, Some(&entry)).await?;
    let no = &kept.order.out_trade_no;
    tracing::info!(out_trade_no = %no, state = state.name(), by, "the shipping of order {no} is reported");
    Ok((Outcome::Taken, held.shipping))
}

/// Lets go what could not be reported: by the merchant, who is told at once, or by itself, so that an operator is; asked
/// for, or sent. What was refused when it was sent was not taken.
async fn failed(
    cx: &Context<'_>,
    mut held: Held<'_>,
    outcome: Outcome,
    (merchant, sent): (bool, bool),
    by: &str,
) -> Result<(Outcome, Shipping), StoreError> {
    let mut becomes = Shipping { lease: None, ..held.shipping.clone() };
    if sent && !matches!(outcome, Outcome::Unknown(_)) {
        becomes.sending = None;
    }
    if let Outcome::Refused(_) = outcome
        && becomes.state.is_due()
        && !merchant
    {
        alarm(cx, &incident_of(held.kept.order, &outcome.words()), true).await?;
    }
    let entry = line(by, cx.now(), &becomes, &outcome.words());
    held.write(cx, becomes, Some(&entry)).await?;
    Ok((outcome, held.shipping))
}
