//! Complaints of virtual payment (`docs/protocols/merchant-operations.md#complaints`): WeChat Pay's, over `/xpay/…`. What is
//! asked is always of the production environment.

use super::transport::xpay;
use crate::common::wechat_complaint::{line, stated};
use crate::driver::Cx;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, ComplaintAnswer, ComplaintEnd, ComplaintPage, if_known};
use domain::{Complaint, ComplaintLine, Day};
use serde::Serialize;
use serde_json::{Map, Value};

/// Complaints of one page, and lines of a history.
const PAGE: u64 = 50;

#[derive(Serialize)]
struct Days {
    begin_date: String,
    end_date: String,
    offset: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Named<'a> {
    complaint_id: &'a str,
}

#[derive(Serialize)]
struct Lines<'a> {
    complaint_id: &'a str,
    offset: u64,
    limit: u64,
}

#[derive(Serialize)]
struct Response<'a> {
    complaint_id: &'a str,
    response_content: &'a str,
    response_images: &'a [String],
}

/// A page of the complaints of some days.
pub(super) async fn list(
    cx: Cx<'_>,
    node: &VirtualNode,
    (from, to): (Day, Day),
    page: u64,
) -> Result<ComplaintPage, CallError> {
    let offset = page.saturating_mul(PAGE);
    let body = Days { begin_date: from.to_string(), end_date: to.to_string(), offset, limit: PAGE };
    let answer = xpay(cx.clients, node, "get_complaint_list", &body, None, cx.now).await?;
    let rows = answer.get("complaints").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let next = (rows.len() as u64 >= PAGE).then_some(page + 1);
    Ok(ComplaintPage::of(rows.iter().map(|row| read(row.as_object()?)), next))
}

/// A complaint by its id.
pub(super) async fn find(cx: Cx<'_>, node: &VirtualNode, complaint_id: &str) -> Result<Option<Complaint>, CallError> {
    let answer = xpay(cx.clients, node, "get_complaint_detail", &Named { complaint_id }, None, cx.now).await;
    let Some(answer) = if_known(answer)? else { return Ok(None) };
    match answer.get("complaint") {
        None | Some(Value::Null) => Ok(None),
        Some(complaint) => {
            let found = complaint.as_object().and_then(read);
            found.map(Some).ok_or_else(|| CallError::unknown("the complaint is incomplete"))
        }
    }
}

/// What was said of a complaint.
pub(super) async fn history(
    cx: Cx<'_>,
    node: &VirtualNode,
    complaint: &Complaint,
) -> Result<Vec<ComplaintLine>, CallError> {
    let body = Lines { complaint_id: &complaint.complaint_id, offset: 0, limit: PAGE };
    let answer = xpay(cx.clients, node, "get_negotiation_history", &body, None, cx.now).await?;
    let rows = answer.get("history").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(rows.iter().filter_map(Value::as_object).map(line).collect())
}

/// Answers the payer.
pub(super) async fn answer(cx: Cx<'_>, node: &VirtualNode, answer: &ComplaintAnswer<'_>) -> Result<(), CallError> {
    let body = Response {
        complaint_id: &answer.complaint.complaint_id,
        response_content: answer.content,
        response_images: answer.images,
    };
    xpay(cx.clients, node, "response_complaint", &body, None, cx.now).await.map(|_| ())
}

/// Ends a complaint. There is no call that tells of a refund.
pub(super) async fn complete(cx: Cx<'_>, node: &VirtualNode, end: &ComplaintEnd<'_>) -> Result<(), CallError> {
    let body = Named { complaint_id: &end.complaint.complaint_id };
    xpay(cx.clients, node, "complete_complaint", &body, None, cx.now).await.map(|_| ())
}

fn read(object: &Map<String, Value>) -> Option<Complaint> {
    let mut complaint = stated(object)?;
    let phone = object.get("payer_phone").and_then(Value::as_str).filter(|text| text.len() <= 20);
    complaint.phone = phone.and_then(Complaint::masked);
    Some(complaint)
}
