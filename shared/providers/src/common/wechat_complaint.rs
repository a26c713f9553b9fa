//! Complaints as WeChat writes them, for WeChat Pay and for virtual payment
//! (`docs/protocols/merchant-operations.md#complaints`).

use domain::{Complaint, ComplaintLine, ComplaintOrder, ComplaintState, Fen, MOST_OF_A_COMPLAINT, UnixMs};
use serde_json::{Map, Value};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The payer must have a first answer after so long, and the complaint be done with after so long
/// (<https://kf.qq.com/faq/230125a6NbmA230125vMNZnE.html>).
const FIRST_ANSWER: Duration = Duration::from_hours(24);
const DONE: Duration = Duration::from_hours(72);
/// The line of the history that is the merchant's answer.
const OURS: &str = "MERCHANT_RESPONSE";
/// How the lines of the payer begin.
const PAYERS: &str = "USER_";

fn moment(text: &str) -> Option<UnixMs> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(UnixMs::new)
}

/// A line of a history.
pub(crate) fn line(row: &Map<String, Value>) -> ComplaintLine {
    let text = |name: &str| row.get(name).and_then(Value::as_str).and_then(Complaint::text);
    let kind = text("operate_type").unwrap_or_default();
    ComplaintLine {
        at: row.get("operate_time").and_then(Value::as_str).and_then(moment),
        operator: text("operator").unwrap_or_default(),
        text: text("operate_details"),
        ours: kind == OURS,
        payers: kind.starts_with(PAYERS),
        kind,
    }
}

/// A complaint, but for its telephone number. `None` where it is incomplete.
pub(crate) fn stated(object: &Map<String, Value>) -> Option<Complaint> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).and_then(Complaint::text);
    let flag = |name: &str| object.get(name).and_then(Value::as_bool).unwrap_or(false);
    let list = |name: &str| object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let provider_state = text("complaint_state")?;
    let state = match provider_state.as_str() {
        "PROCESSED" => ComplaintState::Processed,
        "PROCESSING" => ComplaintState::Processing,
        // What is new counts as not answered: somebody must look.
        _ => ComplaintState::Pending,
    };
    let complained_at = text("complaint_time").and_then(|time| moment(&time))?;
    let order = |row: &Value| {
        let text = |name: &str| row.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
        ComplaintOrder {
            number: text("wxa_out_trade_no").or_else(|| text("out_trade_no")),
            transaction_id: text("transaction_id"),
            amount: row.get("amount").and_then(Value::as_u64).map(Fen),
        }
    };
    let media = list("complaint_media_list").iter().filter_map(|media| media.get("media_url")?.as_array());
    let deadline = match state {
        ComplaintState::Pending => Some(complained_at + FIRST_ANSWER),
        ComplaintState::Processing => Some(complained_at + DONE),
        ComplaintState::Processed => None,
    };
    Some(Complaint {
        complaint_id: text("complaint_id").filter(|id| id.len() <= 64)?,
        mch_id: text("complainted_mchid").filter(|id| id.len() <= 64),
        state,
        provider_state,
        awaits_reply: flag("incoming_user_response"),
        complained_at,
        deadline,
        times: object.get("user_complaint_times").and_then(Value::as_u64).unwrap_or(1),
        problem_type: text("problem_type"),
        description: text("problem_description"),
        detail: text("complaint_detail"),
        phone: None,
        tags: list("user_tag_list")
            .iter()
            .filter_map(Value::as_str)
            .take(MOST_OF_A_COMPLAINT)
            .filter_map(Complaint::text)
            .collect(),
        orders: list("complaint_order_info").iter().take(MOST_OF_A_COMPLAINT).map(order).collect(),
        apply_refund_fee: object.get("apply_refund_amount").and_then(Value::as_u64).filter(|fee| *fee > 0).map(Fen),
        refunded: flag("complaint_full_refunded"),
        media: media
            .flatten()
            .filter_map(Value::as_str)
            .take(MOST_OF_A_COMPLAINT)
            .filter_map(Complaint::text)
            .collect(),
    })
}
