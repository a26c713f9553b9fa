//! `pay/uploadShipping`, `pay/queryShipping` and `pay/confirmReceive`; and what a platform tells of shipping.

use super::query::PAUSE;
use super::settled::Settled;
use super::ship::{self, Held, Kept, Outcome};
use super::{Caller, Context, Fields};
use domain::{
    Code, Contact, Failure, Logistics, Order, Parcel, Shipping, ShippingReport, ShippingState, UnixMs, fields as f,
};
use providers::{CallError, ShippingEvent, ShippingNotice, ShippingStanding};
use serde_json::{Map, Value};

/// The most parcels of one report.
const PARCELS: usize = 15;
/// The longest tracking number, and carrier's code, bytes.
const NUMBER: usize = 128;
/// The longest telephone number, as the platform takes it, bytes.
const CONTACT: usize = 1_024;
/// The carrier that wants a telephone number.
const WANTS_CONTACT: &str = "SF";
/// WeChat's word for a payer who was asked to confirm already.
const REMINDED: &str = "10060030";

/// Reports the shipping of a paid order, or corrects once what was reported. The same again is done once.
///
/// # Errors
/// The field's code for bad input; 404, 409 when the order is not paid, cannot be shipped any more or was corrected
/// already; 422 when the platform refuses; 504 when the outcome is not known.
pub async fn upload_shipping(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Order, Failure> {
    let no = fields.out_trade_no()?;
    let order = cx.visible_order(caller, no).await?;
    let kept = kept(cx, &order).await?;
    let report = read_report(fields, &order)?;
    if ship::went_back(&order) {
        return Err(Failure::new(Code::SHIPPING_STATE).says("refunded"));
    }
    if order.goes_back() {
        return Err(Failure::new(Code::BUSY).says("a refund of all of it is under way"));
    }
    let held = ship::hold(cx, &kept).await?.ok_or(Code::BUSY)?;
    let (outcome, _) = ship::report(cx, held, &report, true, &caller.source).await?;
    match outcome {
        Outcome::Taken => Ok(cx.visible_order(caller, no).await?),
        Outcome::NotYet => Err(Code::SHIPPING_NOT_YET.into()),
        Outcome::Refused(refusal) => Err(Failure::new(Code::SHIPPING_REFUSED).says(refusal.to_string())),
        Outcome::Unknown(why) => Err(Failure::new(Code::OUTCOME_UNKNOWN).private(why)),
        Outcome::Spent => Err(Code::SHIPPING_CORRECTED.into()),
        Outcome::Over(state) => Err(Failure::new(Code::SHIPPING_STATE).says(state.name())),
    }
}

/// Asks how the shipping of a paid order stands, and keeps what has moved. The platform is asked at most once in a second;
/// nothing of its words is given when it was not.
///
/// # Errors
/// 404; 409 when the order is not paid, or the platform does not have the payment yet; 422; 504.
pub async fn query_shipping(
    cx: &Context<'_>,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<(Order, Option<ShippingStanding>), Failure> {
    let no = fields.out_trade_no()?;
    let order = cx.visible_order(caller, no).await?;
    let kept = kept(cx, &order).await?;
    if !cx.store.claim_query(no, cx.now(), PAUSE).await? {
        return Ok((order.clone(), None));
    }
    let standing = kept.ask(cx).await.map_err(failure)?;
    keep(cx, &kept, &standing, &caller.source).await?;
    Ok((cx.visible_order(caller, no).await?, Some(standing)))
}

/// Has the payer asked to confirm that the goods have come, once.
///
/// # Errors
/// The field's code for bad input; 404; 409 when nothing is reported yet, when it did not go by express, or when the payer
/// was asked already; 422; 504.
pub async fn confirm_receive(cx: &Context<'_>, caller: &Caller, fields: &Fields<'_>) -> Result<Order, Failure> {
    let no = fields.out_trade_no()?;
    let order = cx.visible_order(caller, no).await?;
    let kept = kept(cx, &order).await?;
    let received = received_time(fields, &order, cx.now())?;
    let refuse = |why: &str| Err(Failure::new(Code::SHIPPING_STATE).says(why));
    match &order.shipping {
        Some(shipping) if shipping.reminded_at.is_some() => return Ok(order.clone()),
        Some(Shipping { state: ShippingState::Reported | ShippingState::Corrected, logistics_type, .. }) => {
            if logistics_type.is_some_and(|logistics| logistics != Logistics::Express) {
                return refuse("the platform asks payers only about what goes by express (logistics_type 1)");
            }
        }
        Some(shipping) => return refuse(shipping.state.name()),
        None => return refuse(ShippingState::Due.name()),
    }
    let held = ship::hold(cx, &kept).await?.ok_or(Code::BUSY)?;
    remind(cx, held, received, &caller.source).await?;
    cx.visible_order(caller, no).await
}

async fn remind(cx: &Context<'_>, mut held: Held<'_>, received: UnixMs, by: &str) -> Result<(), Failure> {
    let asked_before = held.shipping.reminding;
    held.mark_reminding(cx).await?;
    let outcome = match held.remind(cx, received).await {
        Err(CallError::Refused(refusal)) if refusal.code == REMINDED && asked_before => Ok(()),
        outcome => outcome,
    };
    held.reminded(cx, &outcome, by).await?;
    outcome.map_err(|error| match error {
        CallError::Refused(refusal) if refusal.code == REMINDED => {
            Failure::new(Code::SHIPPING_STATE).says(refusal.to_string())
        }
        error => failure(error),
    })
}

/// The failure of a question, or of what is not reported.
fn failure(error: CallError) -> Failure {
    match error {
        error if error.means(providers::Meaning::Missing) => Code::SHIPPING_NOT_YET.into(),
        CallError::Refused(refusal) => Failure::new(Code::SHIPPING_REFUSED).says(refusal.to_string()),
        CallError::Unknown(why) => Failure::new(Code::OUTCOME_UNKNOWN).private(why),
    }
}

async fn kept<'a>(cx: &Context<'_>, order: &'a Order) -> Result<Kept<'a>, Failure> {
    if !order.trade_state.is_paid() {
        return Err(Code::NOT_PAID.into());
    }
    let kept = Kept::of(cx, order).await?;
    kept.ok_or_else(|| {
        Failure::new(Code::UNSUPPORTED).says("shipping is reported of what is paid in a mini program (wxpay.mp-weixin)")
    })
}

/// Keeps what the platform says, unless somebody is at it, who asks by himself.
async fn keep(cx: &Context<'_>, kept: &Kept<'_>, standing: &ShippingStanding, by: &str) -> Result<(), Failure> {
    let known = kept.order.shipping.as_ref().map(|shipping| shipping.state);
    if known.map_or(standing.state == ShippingState::Due, |known| standing.state <= known) {
        return Ok(());
    }
    if let Some(held) = ship::hold(cx, kept).await? {
        held.sync(cx, standing, by).await?;
    }
    Ok(())
}

/// Takes what a platform tells of shipping, by asking it. A payment that is not known here is another system's.
///
/// # Errors
/// When the table, or the platform, cannot be asked.
pub(super) async fn settle_shipping(cx: &Context<'_>, notice: &ShippingNotice) -> Result<Settled, Failure> {
    let (merchant, id) = (&notice.merchant, &notice.transaction_id);
    let order = match cx.store.order_of_transaction(notice.provider, merchant, id).await? {
        Some(no) => cx.store.order(&no).await?,
        None => None,
    };
    let Some(order) = order else {
        tracing::info!(provider = %notice.provider, merchant, "a push about the shipping of a payment that is not known");
        return Ok(Settled::default());
    };
    let kept = Kept::of(cx, &order).await?.filter(|kept| {
        let (attempt, own) = (kept.attempt, kept.transaction_id == id);
        own && attempt.provider == notice.provider && attempt.merchant == *merchant && attempt.app_id == notice.app_id
    });
    let Some(kept) = kept else {
        tracing::warn!(out_trade_no = %order.out_trade_no, "a push about shipping is of another application or merchant");
        return Ok(Settled::default());
    };
    if !cx.store.claim_query(&order.out_trade_no, cx.now(), PAUSE).await? {
        return Ok(Settled { later: true, ..Settled::default() });
    }
    let standing = kept.ask(cx).await.map_err(CallError::unanswered)?;
    keep(cx, &kept, &standing, "callback").await?;
    if notice.event != ShippingEvent::Overdue || !standing.state.is_due() || ship::went_back(&order) {
        return Ok(Settled::default());
    }
    let order = cx.store.order(&order.out_trade_no).await?.ok_or(Code::NO_ORDER)?;
    let kept = Kept { order: &order, ..kept };
    match ship::hold(cx, &kept).await? {
        Some(held) => {
            let new = held.tell(cx, "the platform reminds of it").await?;
            Ok(Settled { incident: new, ..Settled::default() })
        }
        None => Ok(Settled { later: true, ..Settled::default() }),
    }
}

/// The fault of something within a field, at its path.
fn bad(path: impl Into<String>, what: &str) -> Failure {
    let path = path.into();
    Failure::new(Code::FIELD).says(format!("{path}: {what}")).at(path)
}

/// `received_time`, Unix ms: after the shipping, and not to come.
fn received_time(fields: &Fields<'_>, order: &Order, now: UnixMs) -> Result<UnixMs, Failure> {
    let given = fields.integer(&f::RECEIVED_TIME)?;
    let received = given.map_or(now, UnixMs::new);
    let shipped = order.shipping.as_ref().and_then(|shipping| shipping.reported_at);
    match shipped {
        _ if received > now => Err(f::RECEIVED_TIME.wrong("must be Unix ms (milliseconds), not later than now")),
        Some(shipped) if given.is_some() && received < shipped => {
            let what = format!("must be Unix ms (milliseconds), not before the shipping ({shipped})");
            Err(f::RECEIVED_TIME.wrong(&what))
        }
        _ => Ok(received),
    }
}

/// What a request reports: of an order that reports itself, all may be left out.
fn read_report(fields: &Fields<'_>, order: &Order) -> Result<ShippingReport, Failure> {
    let mode = order.shipping.as_ref().and_then(|shipping| shipping.mode.logistics());
    let given = fields.integer(&f::LOGISTICS_TYPE)?;
    let given = given.and_then(|n| Logistics::try_from(u8::try_from(n).ok()?).ok());
    let logistics_type = given.or(mode).ok_or_else(|| f::LOGISTICS_TYPE.wrong("is missing; 1, 2, 3 or 4"))?;
    let split = fields.integer(&f::DELIVERY_MODE)? == Some(2);
    if split && logistics_type != Logistics::Express {
        return Err(f::DELIVERY_MODE.wrong("only express (logistics_type 1) goes in several parcels"));
    }
    let all = match fields.raw(&f::IS_ALL_DELIVERED) {
        Some(Value::Bool(all)) => *all,
        None if !split => true,
        None => return Err(f::IS_ALL_DELIVERED.wrong("is missing, and delivery_mode 2 needs it: true or false")),
        Some(_) => return Err(fields.fault(&f::IS_ALL_DELIVERED)),
    };
    if !all && !split {
        return Err(f::IS_ALL_DELIVERED.wrong("false needs delivery_mode 2"));
    }
    let reported = order.shipping.as_ref().is_some_and(|shipping| !shipping.state.is_due());
    if reported && !all {
        return Err(f::IS_ALL_DELIVERED.wrong("a correction is possible once, so it must name all parcels: true"));
    }
    let parcels = match fields.raw(&f::SHIPPING_LIST) {
        None if logistics_type != Logistics::Express => {
            ShippingReport::whole(logistics_type, &order.description).parcels
        }
        None => return Err(f::SHIPPING_LIST.wrong("is missing, and express (logistics_type 1) needs it")),
        Some(Value::Array(list)) if split && (1..=PARCELS).contains(&list.len()) || !split && list.len() == 1 => {
            let read = |(i, parcel): (usize, &Value)| {
                read_parcel(&format!("shipping_list[{i}]"), parcel, logistics_type, order)
            };
            list.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?
        }
        Some(Value::Array(_)) if !split => return Err(f::SHIPPING_LIST.wrong("one parcel; more need delivery_mode 2")),
        Some(_) => return Err(fields.fault(&f::SHIPPING_LIST)),
    };
    Ok(ShippingReport { logistics_type, split, all, parcels })
}

fn read_parcel(path: &str, parcel: &Value, logistics: Logistics, order: &Order) -> Result<Parcel, Failure> {
    let Value::Object(parcel) = parcel else { return Err(bad(path, "must be an object")) };
    let express = logistics == Logistics::Express;
    let number = |name: &str| match text(path, parcel, name)? {
        Some(text) if text.len() > NUMBER => Err(bad(format!("{path}.{name}"), &format!("at most {NUMBER} bytes"))),
        Some(_) if matches!(logistics, Logistics::Virtual | Logistics::PickUp) => {
            Err(bad(format!("{path}.{name}"), "nothing is carried with logistics_type 3 and 4"))
        }
        None if express => Err(bad(format!("{path}.{name}"), "is missing, and express (logistics_type 1) needs it")),
        text => Ok(text),
    };
    let (tracking_no, express_company) = (number("tracking_no")?, number("express_company")?);
    let item_desc = match text(path, parcel, "item_desc")? {
        Some(text) if text.chars().count() > ShippingReport::ITEM_DESC => {
            return Err(bad(format!("{path}.item_desc"), &format!("at most {} characters", ShippingReport::ITEM_DESC)));
        }
        Some(text) => text,
        None => ShippingReport::item_desc(&order.description),
    };
    let contact = match parcel.get("contact").filter(|value| !value.is_null()) {
        None => None,
        Some(Value::Object(contact)) => {
            let path = format!("{path}.contact");
            let phone = |name| masked(&path, contact, name);
            Some(Contact {
                consignor_contact: phone("consignor_contact")?,
                receiver_contact: phone("receiver_contact")?,
            })
        }
        Some(_) => return Err(bad(format!("{path}.contact"), "must be an object")),
    };
    let contact = contact.filter(|contact| *contact != Contact::default());
    if express && express_company.as_deref() == Some(WANTS_CONTACT) && contact.is_none() {
        return Err(bad(
            format!("{path}.contact"),
            &format!("{WANTS_CONTACT} needs consignor_contact or receiver_contact"),
        ));
    }
    Ok(Parcel { tracking_no, express_company, item_desc, contact })
}

/// A text without control characters; a blank one is absent.
fn text(path: &str, object: &Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) if !text.chars().any(char::is_control) => Ok(Some(text.trim().to_owned())),
        Some(_) => Err(bad(format!("{path}.{name}"), "must be a text")),
    }
}

/// A telephone number that is masked but for its last four digits, as `189****1234` or `021-****1234`.
fn masked(path: &str, contact: &Map<String, Value>, name: &str) -> Result<Option<String>, Failure> {
    let Some(number) = text(path, contact, name)? else { return Ok(None) };
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'*' | b'-' | b'+' | b' ');
    let signs: Vec<u8> = number.bytes().filter(|b| b.is_ascii_digit() || *b == b'*').collect();
    let ends = signs.len() > 4 && signs.iter().rev().take(4).all(u8::is_ascii_digit);
    match number.len() <= CONTACT && number.bytes().all(plain) && signs.contains(&b'*') && ends {
        true => Ok(Some(number)),
        false => Err(bad(format!("{path}.{name}"), "must be masked but for its last 4 digits, as 189****1234")),
    }
}
