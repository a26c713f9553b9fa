//! Complaints of payers (消费者投诉 2.0, `docs/protocols/merchant-operations.md#complaints`).
//!
//! The payer's telephone number arrives encrypted to the merchant's certificate; only its masked form leaves this file.

use super::config::{V3, WxpayNode};
use super::transport::{Ask, call};
use crate::common::url::segment;
use crate::common::wechat_complaint::{line, stated};
use crate::driver::Cx;
use crate::{CallError, ComplaintAnswer, ComplaintEnd, ComplaintPage, Meaning, if_known};
use domain::{Complaint, ComplaintLine, Day};
use serde::Serialize;
use serde_json::Value;

const COMPLAINTS: &str = "/v3/merchant-service/complaints-v2";
const NOTIFICATIONS: &str = "/v3/merchant-service/complaint-notifications";
/// Complaints of one page; the most that the page allows is 50.
const PAGE: u64 = 50;
/// Lines of a history; the most that the page allows is 300.
const LINES: u64 = 100;
/// What a complaint asks for when the merchant has to decide about a refund.
const WANTS_REFUND: &str = "REFUND";
#[derive(Serialize)]
struct Response<'a> {
    complainted_mchid: &'a str,
    response_content: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    response_images: &'a [String],
}

#[derive(Serialize)]
struct Completion<'a> {
    complainted_mchid: &'a str,
}

#[derive(Serialize)]
struct Approval {
    action: &'static str,
    launch_refund_day: u8,
}

#[derive(Serialize)]
struct Address<'a> {
    url: &'a str,
}

/// A page of the complaints of some days.
pub(super) async fn list(
    cx: Cx<'_>,
    node: &WxpayNode,
    v3: &V3,
    (from, to): (Day, Day),
    page: u64,
) -> Result<ComplaintPage, CallError> {
    let offset = page.saturating_mul(PAGE);
    let target = format!("{COMPLAINTS}?limit={PAGE}&offset={offset}&begin_date={from}&end_date={to}");
    let answer = call(cx.clients, node, v3, Ask::get(&target), cx.now).await?;
    let empty = Vec::new();
    let rows = match answer.get("data") {
        None | Some(Value::Null) => &empty,
        Some(Value::Array(rows)) => rows,
        Some(_) => return Err(CallError::unknown("the list of complaints is none")),
    };
    let next = (rows.len() as u64 >= PAGE).then_some(page + 1);
    Ok(ComplaintPage::of(rows.iter().map(|row| read(v3, row)), next))
}

/// A complaint by its id.
pub(super) async fn find(
    cx: Cx<'_>,
    node: &WxpayNode,
    v3: &V3,
    complaint_id: &str,
) -> Result<Option<Complaint>, CallError> {
    let target = format!("{COMPLAINTS}/{}", segment(complaint_id));
    let Some(answer) = known(call(cx.clients, node, v3, Ask::get(&target), cx.now).await)? else { return Ok(None) };
    read(v3, &answer).map(Some).ok_or_else(|| CallError::unknown("the complaint is incomplete"))
}

/// The page's table of codes has none for an id that is not there, so every spelling of it counts.
fn known(answer: Result<Value, CallError>) -> Result<Option<Value>, CallError> {
    match if_known(answer) {
        Err(CallError::Refused(refusal))
            if ["NOT_FOUND", "NOT_EXIST"].iter().any(|end| refusal.code.ends_with(end)) =>
        {
            Ok(None)
        }
        answer => answer,
    }
}

/// What was said of a complaint.
pub(super) async fn history(
    cx: Cx<'_>,
    node: &WxpayNode,
    v3: &V3,
    complaint: &Complaint,
) -> Result<Vec<ComplaintLine>, CallError> {
    let id = segment(&complaint.complaint_id);
    let target = format!("{COMPLAINTS}/{id}/negotiation-historys?limit={LINES}&offset=0");
    let answer = call(cx.clients, node, v3, Ask::get(&target), cx.now).await?;
    let rows = answer.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().filter_map(Value::as_object).map(line).collect())
}

/// Answers the payer.
pub(super) async fn answer(
    cx: Cx<'_>,
    node: &WxpayNode,
    v3: &V3,
    answer: &ComplaintAnswer<'_>,
) -> Result<(), CallError> {
    let body = Response {
        complainted_mchid: mch_id(node, answer.complaint),
        response_content: answer.content,
        response_images: answer.images,
    };
    let target = format!("{COMPLAINTS}/{}/response", segment(&answer.complaint.complaint_id));
    call(cx.clients, node, v3, Ask::json(&target, &body), cx.now).await.map(|_| ())
}

/// Ends a complaint. One that asks for a refund ends by itself once the money has arrived, and is told that it was granted.
pub(super) async fn complete(cx: Cx<'_>, node: &WxpayNode, v3: &V3, end: &ComplaintEnd<'_>) -> Result<(), CallError> {
    let id = segment(&end.complaint.complaint_id);
    if end.refunded && end.complaint.problem_type.as_deref() == Some(WANTS_REFUND) {
        let body = Approval { action: "APPROVE", launch_refund_day: 0 };
        let target = format!("{COMPLAINTS}/{id}/update-refund-progress");
        match call(cx.clients, node, v3, Ask::json(&target, &body), cx.now).await {
            // It was granted before, or is not asked for any more: then it is ended as any other.
            Err(CallError::Refused(refusal)) if refusal.meaning != Meaning::Unheard => {}
            done => return done.map(|_| ()),
        }
    }
    let body = Completion { complainted_mchid: mch_id(node, end.complaint) };
    let target = format!("{COMPLAINTS}/{id}/complete");
    call(cx.clients, node, v3, Ask::json(&target, &body), cx.now).await.map(|_| ())
}

/// Has notices sent to this URL; a merchant number has one, which is changed where there is another.
pub(super) async fn subscribe(cx: Cx<'_>, node: &WxpayNode, v3: &V3, url: &str) -> Result<(), CallError> {
    let body = Address { url };
    let current = call(cx.clients, node, v3, Ask::get(NOTIFICATIONS), cx.now).await;
    match known(current) {
        Ok(Some(answer)) if answer.get("url").and_then(Value::as_str) == Some(url) => return Ok(()),
        Ok(_) => {}
        Err(error @ CallError::Unknown(_)) => return Err(error),
        // A merchant without one is refused in words that no page lists.
        Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Unheard => {
            return Err(CallError::Refused(refusal));
        }
        Err(CallError::Refused(_)) => {}
    }
    match call(cx.clients, node, v3, Ask::json(NOTIFICATIONS, &body), cx.now).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused(refusal)) if refusal.meaning != Meaning::Unheard => {
            call(cx.clients, node, v3, Ask::put(NOTIFICATIONS, &body), cx.now).await.map(|_| ())
        }
        Err(error) => Err(error),
    }
}

/// The merchant that is complained of: in partner mode the sub-merchant.
fn mch_id<'a>(node: &'a WxpayNode, complaint: &'a Complaint) -> &'a str {
    complaint.mch_id.as_deref().unwrap_or(&node.mch_id)
}

/// A complaint as WeChat Pay writes it.
fn read(v3: &V3, object: &Value) -> Option<Complaint> {
    let mut complaint = stated(object.as_object()?)?;
    let sealed = object.get("payer_phone").and_then(Value::as_str).filter(|text| !text.is_empty());
    let opened = sealed.and_then(|text| v3.private_key.decrypt_oaep(text).ok());
    complaint.phone = opened.and_then(|plain| Complaint::masked(std::str::from_utf8(&plain).ok()?));
    complaint.orders.iter_mut().for_each(|order| order.number = order.number.take().filter(|no| !no.is_empty()));
    Some(complaint)
}
