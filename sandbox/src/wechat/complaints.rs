//! Complaints of payers: `/v3/merchant-service/…` (merchant-operations.md).

use super::v3::{Cx, Refusal, Reply};
use crate::complaints::{Complaint, ComplaintState, ComplaintUrl};
use crate::crypto;
use crate::ids;
use crate::ledger::Trade;
use crate::outbox::Notice;
use crate::provider::{Provider, Wire};
use serde_json::{Value, json};

/// What is asked of a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The complaint itself.
    It,
    /// What was said.
    History,
    /// The merchant answers.
    Response,
    /// The merchant ends it.
    Complete,
    /// The merchant grants or refuses the refund that is asked for.
    Refund,
}

fn missing() -> Refusal {
    Refusal::new(404, "RESOURCE_NOT_EXISTS", "投诉单不存在", 268_512_771)
}

fn sealed(cx: &Cx<'_>, complaint: &Complaint, trade: &Trade) -> Value {
    let mut object = complaint.in_wechats_words(trade);
    object["payer_phone"] =
        json!(crypto::oaep_seal(&cx.merchant.merchant_spki, complaint.phone.as_bytes()).unwrap_or_default());
    object
}

/// `GET /v3/merchant-service/complaints-v2`.
pub(crate) fn list(cx: &Cx<'_>) -> Reply {
    let number = |name: &str, or: usize| cx.inbound.arg(name).and_then(|n| n.parse().ok()).unwrap_or(or);
    let (limit, offset) = (number("limit", 10), number("offset", 0));
    if !(1..=50).contains(&limit) {
        return Err(Refusal::param("limit超出范围").field("limit", "query"));
    }
    let day = |name: &str| {
        let text = cx.inbound.arg(name).unwrap_or_default();
        let at = ids::from_spaced(&format!("{text} 00:00:00"));
        at.ok_or_else(|| Refusal::param("日期格式错误").field(name, "query"))
    };
    let (from, to) = (day("begin_date")?, day("end_date")?);
    if to < from || to - from > 30 * 86_400_000 {
        return Err(Refusal::param("查询日期跨度不超过30天").field("end_date", "query"));
    }
    let state = cx.sandbox.state();
    let own = |c: &&Complaint| {
        c.provider == Provider::Wxpay && c.merchant == cx.mchid() && (from..to + 86_400_000).contains(&c.created)
    };
    let all: Vec<&Complaint> = state.complaints.iter().filter(own).collect();
    let rows = all.iter().rev().skip(offset).take(limit);
    let rows: Vec<Value> = rows.map(|c| sealed(cx, c, &state.trades[c.trade])).collect();
    Ok(Some(json!({ "data": rows, "limit": limit, "offset": offset, "total_count": all.len() })))
}

/// Everything below `/v3/merchant-service/complaints-v2/{id}`.
pub(crate) fn one(cx: &Cx<'_>, id: &str, about: About) -> Reply {
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = state.complaints.iter().position(|c| c.provider == Provider::Wxpay && c.id == id).ok_or_else(missing)?;
    if state.complaints[at].merchant != cx.mchid() {
        return Err(Refusal::new(403, "NO_AUTH", "无权限操作该投诉单", 268_435_457));
    }
    let body: Value = serde_json::from_slice(&cx.inbound.body).unwrap_or_default();
    let invalid = |message: &str| Refusal::new(400, "INVALID_REQUEST", message, 268_435_461);
    let same_mchid = || match body["complainted_mchid"].as_str() {
        Some(mchid) if mchid == cx.mchid() => Ok(()),
        _ => Err(Refusal::param("被诉商户号错误").field("complainted_mchid", "body")),
    };
    match about {
        About::It => {
            let complaint = &state.complaints[at];
            let mut object = sealed(cx, complaint, &state.trades[complaint.trade]);
            object["complainted_mchid"] = json!(complaint.merchant);
            return Ok(Some(object));
        }
        About::History => {
            let lines = state.complaints[at].lines_in_wechats_words();
            return Ok(Some(json!({ "total_count": lines.len(), "data": lines, "limit": 100, "offset": 0 })));
        }
        About::Response => {
            same_mchid()?;
            let text = body["response_content"].as_str().unwrap_or_default();
            if !(1..=500).contains(&text.chars().count()) {
                return Err(Refusal::param("回复内容长度错误").field("response_content", "body"));
            }
            if body["response_images"].as_array().is_some_and(|images| images.len() > 4) {
                return Err(Refusal::param("最多上传4张图片").field("response_images", "body"));
            }
            if state.complaints[at].state == ComplaintState::Processed {
                return Err(invalid("投诉单已处理完成"));
            }
            state.complaints[at].answer(text, now);
            state.tell_complaint(at, "MERCHANT_RESPONSE", now);
        }
        About::Complete => {
            same_mchid()?;
            if state.complaints[at].state == ComplaintState::Processed {
                return Err(invalid("投诉单已处理完成，请勿重复操作"));
            }
            state.complaints[at].end("MERCHANT_CONFIRM_COMPLETE", "", now);
            state.tell_complaint(at, "MERCHANT_CONFIRM_COMPLETE", now);
        }
        About::Refund => {
            let complaint = &state.complaints[at];
            if complaint.problem_type != "REFUND" || complaint.state == ComplaintState::Processed || complaint.approved
            {
                return Err(invalid("投诉单状态不支持该操作"));
            }
            match body["action"].as_str() {
                Some("APPROVE") if body["launch_refund_day"].is_u64() => state.approve_complaint(at, now),
                Some("REJECT") if body["reject_reason"].is_string() => {
                    state.complaints[at].end("MERCHANT_REFUSE_RERUND", "", now);
                }
                _ => return Err(Refusal::param("审批动作错误").field("action", "body")),
            }
        }
    }
    Ok(None)
}

/// `/v3/merchant-service/complaint-notifications`.
pub(crate) fn notifications(cx: &Cx<'_>) -> Reply {
    let mut state = cx.sandbox.state();
    let key = (Provider::Wxpay, cx.mchid().to_owned());
    let absent = || Refusal::new(404, "RESOURCE_NOT_EXISTS", "通知地址不存在", 268_512_771);
    let answer = |url: &str| Ok(Some(json!({ "mchid": cx.mchid(), "url": url })));
    let current = state.complaint_urls.get(&key).cloned();
    if cx.inbound.method == "GET" {
        return answer(&current.ok_or_else(absent)?.url);
    }
    if cx.inbound.method == "DELETE" {
        return state.complaint_urls.remove(&key).map(|_| None).ok_or_else(absent);
    }
    let body: Value = serde_json::from_slice(&cx.inbound.body).unwrap_or_default();
    let url = body["url"].as_str().filter(|url| (1..=255).contains(&url.len()));
    let url = url.ok_or_else(|| Refusal::param("通知地址错误").field("url", "body"))?;
    match (cx.inbound.method.as_str(), &current) {
        ("POST", Some(_)) => {
            return Err(Refusal::new(400, "INVALID_REQUEST", "通知地址已存在，请更新", 268_435_461));
        }
        ("PUT", None) => return Err(absent()),
        _ => {}
    }
    let by_public_key = cx.inbound.header("wechatpay-serial").is_some_and(|id| id.starts_with("PUB_KEY_ID_"));
    let wire = if by_public_key { Wire::V3 } else { Wire::V3_CERT };
    state.complaint_urls.insert(key, ComplaintUrl { url: url.to_owned(), wire });
    answer(url)
}

/// What a notice has inside: event, summary, and the object.
pub(super) fn told(notice: &Notice<'_>) -> Option<(&'static str, &'static str, Value)> {
    let told = notice.complaint?;
    let (event, summary) = match told.action {
        "CREATE_COMPLAINT" => ("COMPLAINT.CREATE", "产生新投诉"),
        _ => ("COMPLAINT.STATE_CHANGE", "投诉单状态变化"),
    };
    Some((event, summary, json!({ "complaint_id": told.complaint.id, "action_type": told.action })))
}
