//! Complaints of payers (`docs/protocols/merchant-operations.md#complaints`), which Alipay keeps in two places: consumers'
//! complaints (RiskGO), whose id is a number of at most 19 digits, and complaints about trades of mini programs, whose id is
//! longer. Notices are sent of the latter.

use super::answer::word;
use super::call::Call;
use super::clock;
use crate::alipay::AlipayNode;
use crate::driver::Cx;
use crate::{CallError, ComplaintAnswer, ComplaintEnd, ComplaintPage, Meaning};
use domain::{Complaint, ComplaintLine, ComplaintOrder, ComplaintState, Day, Fen, MOST_OF_A_COMPLAINT, UnixMs};
use serde_json::{Map, Value, json};

const RISK_LIST: &str = "alipay.security.risk.complaint.info.batchquery";
const RISK_QUERY: &str = "alipay.security.risk.complaint.info.query";
const RISK_FINISH: &str = "alipay.security.risk.complaint.process.finish";
const TRADE_LIST: &str = "alipay.merchant.tradecomplain.batchquery";
const TRADE_QUERY: &str = "alipay.merchant.tradecomplain.query";
const TRADE_REPLY: &str = "alipay.merchant.tradecomplain.reply.submit";
const TRADE_FINISH: &str = "alipay.merchant.tradecomplain.feedback.submit";

/// Complaints of one page; the most that both lists allow is 20.
const PAGE: u64 = 20;
/// From this page on the list is that of trades.
const TRADES: u64 = 1_000_000;
/// Roles in what was said: the merchant, and who complains.
const MERCHANT: &str = "MERCHANT";
const USER: &str = "USER";
/// A day, less a second.
const DAY_END: std::time::Duration = std::time::Duration::from_secs(86_399);

/// The number of a consumers' complaint; `None` of one about a trade.
fn risk_id(complaint_id: &str) -> Option<i64> {
    complaint_id.parse().ok().filter(|id: &i64| id.to_string() == complaint_id)
}

async fn call(cx: Cx<'_>, node: &AlipayNode, method: &str, biz: Value) -> Result<Map<String, Value>, CallError> {
    let Value::Object(biz) = biz else { return Err(CallError::unknown("no content")) };
    Call::new(method, biz).send(cx.clients, node, cx.now).await
}

/// A list of an answer: as such, or below the name of its rows.
fn rows(fields: &Map<String, Value>, name: &str) -> Vec<Map<String, Value>> {
    let list = match fields.get(name) {
        Some(Value::Array(list)) => Some(list),
        Some(Value::Object(inner)) => inner.values().find_map(Value::as_array),
        _ => None,
    };
    list.into_iter().flatten().filter_map(Value::as_object).cloned().collect()
}

/// A page of the complaints of some days: first those of consumers, then those about trades. A merchant may have either
/// without the other.
pub(super) async fn list(
    cx: Cx<'_>,
    node: &AlipayNode,
    (from, to): (Day, Day),
    page: u64,
) -> Result<ComplaintPage, CallError> {
    let (begin, end) = (clock::text_of(from.begins()), clock::text_of(to.begins() + DAY_END));
    if page < TRADES {
        let biz = json!({
            "current_page_num": page + 1, "page_size": PAGE, "gmt_complaint_start": begin, "gmt_complaint_end": end,
        });
        return match call(cx, node, RISK_LIST, biz).await {
            Ok(fields) => {
                let found = rows(&fields, "complaint_list");
                let next = if found.len() as u64 >= PAGE { page + 1 } else { TRADES };
                Ok(ComplaintPage::of(found.iter().map(risk), Some(next)))
            }
            Err(CallError::Refused(refusal)) if refusal.meaning == Meaning::Unheard => {
                Ok(ComplaintPage::of(std::iter::empty(), Some(TRADES)))
            }
            Err(error) => Err(error),
        };
    }
    let number = page - TRADES + 1;
    let biz = json!({ "page_num": number, "page_size": PAGE, "begin_time": begin, "end_time": end });
    let fields = call(cx, node, TRADE_LIST, biz).await?;
    let found = rows(&fields, "trade_complain_infos");
    let next = (found.len() as u64 >= PAGE).then_some(page + 1);
    Ok(ComplaintPage::of(found.iter().map(trade), next))
}

type Read = fn(&Map<String, Value>) -> Option<Complaint>;

async fn ask(cx: Cx<'_>, node: &AlipayNode, complaint_id: &str) -> Result<Option<Map<String, Value>>, CallError> {
    let answer = match risk_id(complaint_id) {
        Some(_) => call(cx, node, RISK_QUERY, json!({ "complain_id": complaint_id })).await,
        None => call(cx, node, TRADE_QUERY, json!({ "complain_event_id": complaint_id })).await,
    };
    match answer {
        Ok(fields) => Ok(Some(fields)),
        Err(CallError::Refused(refusal)) if is_absent(&refusal.code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The pages that list the codes could not be read, so every spelling of it counts.
fn is_absent(code: &str) -> bool {
    ["NOT_EXIST", "NOT_EXISTS", "NOT_FOUND"].iter().any(|end| code.ends_with(end))
}

/// A complaint by its id.
pub(super) async fn find(cx: Cx<'_>, node: &AlipayNode, complaint_id: &str) -> Result<Option<Complaint>, CallError> {
    let read: Read = if risk_id(complaint_id).is_some() { risk } else { trade };
    let Some(fields) = ask(cx, node, complaint_id).await? else { return Ok(None) };
    read(&fields).map(Some).ok_or_else(|| CallError::unknown("the complaint is incomplete"))
}

/// What was said of a complaint about a trade; of a consumers' complaint, what the merchant did.
pub(super) async fn history(
    cx: Cx<'_>,
    node: &AlipayNode,
    complaint: &Complaint,
) -> Result<Vec<ComplaintLine>, CallError> {
    let Some(fields) = ask(cx, node, &complaint.complaint_id).await? else { return Ok(Vec::new()) };
    let time = |fields: &Map<String, Value>, name: &str| word(fields, name).and_then(clock::read);
    if risk_id(&complaint.complaint_id).is_some() {
        let text = word(&fields, "process_remark").and_then(Complaint::text);
        let kind = word(&fields, "process_code").unwrap_or_default().to_owned();
        let (at, operator) = (time(&fields, "gmt_process"), MERCHANT.to_owned());
        let line = ComplaintLine { at, operator, kind, text, ours: true, payers: false };
        return Ok(if line.kind.is_empty() { Vec::new() } else { vec![line] });
    }
    let line = |row: &Map<String, Value>| {
        let role = word(row, "replier_role").unwrap_or_default();
        ComplaintLine {
            at: time(row, "gmt_create"),
            operator: role.to_owned(),
            kind: "REPLY".to_owned(),
            text: word(row, "content").and_then(Complaint::text),
            ours: role == MERCHANT,
            payers: role == USER,
        }
    };
    Ok(rows(&fields, "reply_detail_infos").iter().map(line).collect())
}

/// Answers the payer of a complaint about a trade. Consumers' complaints take no answer but their end.
pub(super) async fn answer(cx: Cx<'_>, node: &AlipayNode, answer: &ComplaintAnswer<'_>) -> Result<(), CallError> {
    let id = &answer.complaint.complaint_id;
    if risk_id(id).is_some() {
        return crate::driver::unsupported();
    }
    let mut biz = json!({ "complain_event_id": id, "reply_content": answer.content });
    if !answer.images.is_empty() {
        biz["reply_images"] = json!(answer.images.join(","));
    }
    call(cx, node, TRADE_REPLY, biz).await.map(|_| ())
}

/// Ends a complaint.
pub(super) async fn complete(cx: Cx<'_>, node: &AlipayNode, end: &ComplaintEnd<'_>) -> Result<(), CallError> {
    let id = &end.complaint.complaint_id;
    let code = end.process_code.unwrap_or("ORTHER");
    if let Some(number) = risk_id(id) {
        let mut biz = json!({ "id_list": [number], "process_code": code });
        if let Some(remark) = end.remark {
            biz["remark"] = json!(remark);
        }
        let fields = call(cx, node, RISK_FINISH, biz).await?;
        return match fields.get("complaint_process_success").and_then(Value::as_bool) {
            Some(true) => Ok(()),
            Some(false) | None => Err(CallError::unknown("the complaint may not have been ended")),
        };
    }
    // 02 refunded (not out of the deposit), 05 put right, 06 not ours to answer for, 04 other.
    let feedback = match code {
        "REFUND" => "02",
        "CONSENSUS_WITH_CLIENT" | "RECTIFICATION_NO_REFUND" => "05",
        "SUBMIT_PROOF_NOT_CONTACTED" => "06",
        _ => "04",
    };
    let content = end.remark.unwrap_or(if end.refunded { "已退款" } else { "已处理" });
    let biz = json!({ "complain_event_id": id, "feedback_code": feedback, "feedback_content": content });
    call(cx, node, TRADE_FINISH, biz).await.map(|_| ())
}

fn bounded(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).and_then(Complaint::text)
}

/// Texts of a list, as such or below a name.
fn texts(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    let list = match fields.get(name) {
        Some(Value::Array(list)) => Some(list),
        Some(Value::Object(inner)) => inner.values().find_map(Value::as_array),
        _ => None,
    };
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.take(MOST_OF_A_COMPLAINT).filter_map(Complaint::text).collect()
}

/// A text, or a number as one.
fn id_of(fields: &Map<String, Value>, name: &str) -> Option<String> {
    match fields.get(name)? {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if (1..=64).contains(&text.len()) => Some(text.clone()),
        _ => None,
    }
}

fn yuan(fields: &Map<String, Value>, name: &str) -> Option<Fen> {
    word(fields, name).and_then(Fen::from_yuan)
}

/// A consumers' complaint.
fn risk(fields: &Map<String, Value>) -> Option<Complaint> {
    let provider_state = bounded(fields, "status")?;
    let state = match provider_state.as_str() {
        "PROCESSED" | "OVERDUE_PROCESSED" => ComplaintState::Processed,
        word if word.starts_with("DROP_") => ComplaintState::Processed,
        "PROCESSING" => ComplaintState::Processing,
        // Overdue is still to be done, and what is new must be looked at.
        _ => ComplaintState::Pending,
    };
    let order = |row: &Map<String, Value>| ComplaintOrder {
        number: bounded(row, "out_no"),
        transaction_id: bounded(row, "trade_no"),
        amount: yuan(row, "amount"),
    };
    let mut orders: Vec<ComplaintOrder> =
        rows(fields, "complaint_trade_info_list").iter().take(MOST_OF_A_COMPLAINT).map(order).collect();
    if orders.is_empty() {
        let transaction_id = bounded(fields, "trade_no");
        orders.extend(transaction_id.map(|id| ComplaintOrder {
            number: None,
            transaction_id: Some(id),
            amount: yuan(fields, "complain_amount"),
        }));
    }
    let time = |name: &str| word(fields, name).and_then(clock::read);
    let deadline: Option<UnixMs> = time("gmt_overdue").filter(|_| state.is_open());
    Some(Complaint {
        complaint_id: id_of(fields, "id")?,
        mch_id: None,
        state,
        provider_state,
        awaits_reply: false,
        complained_at: time("gmt_complain")?,
        deadline,
        times: 1,
        problem_type: None,
        description: None,
        detail: bounded(fields, "complain_content"),
        phone: word(fields, "contact").and_then(Complaint::masked),
        tags: Vec::new(),
        orders,
        apply_refund_fee: None,
        refunded: false,
        media: texts(fields, "certify_info"),
    })
}

/// Whether the last word of what was said is not the merchant's; of one moment the last of the list counts. A role that is
/// not known counts as the payer's: an answer too many is less than none.
fn awaits_reply(fields: &Map<String, Value>) -> bool {
    let said = rows(fields, "reply_detail_infos");
    let last = said.iter().max_by_key(|row| word(row, "gmt_create").and_then(clock::read));
    last.and_then(|row| word(row, "replier_role")).is_some_and(|role| role != MERCHANT)
}

/// A complaint about a trade of a mini program.
fn trade(fields: &Map<String, Value>) -> Option<Complaint> {
    let provider_state = bounded(fields, "status")?;
    let state = match provider_state.as_str() {
        // The merchant has done his part; the payer may go on.
        "MERCHANT_FEEDBACKED" | "FINISHED" | "CANCELLED" | "PLATFORM_FINISH" | "CLOSED" | "REPORT_SUCCEED" => {
            ComplaintState::Processed
        }
        "PLATFORM_PROCESSING" => ComplaintState::Processing,
        _ => ComplaintState::Pending,
    };
    let (number, transaction_id) = (bounded(fields, "merchant_order_no"), bounded(fields, "trade_no"));
    let order = ComplaintOrder { number, transaction_id, amount: yuan(fields, "trade_amount") };
    Some(Complaint {
        complaint_id: id_of(fields, "complain_event_id")?,
        mch_id: None,
        state,
        provider_state,
        awaits_reply: state.is_open() && awaits_reply(fields),
        complained_at: word(fields, "gmt_create").and_then(clock::read)?,
        deadline: None,
        times: 1,
        problem_type: bounded(fields, "leaf_category_name"),
        description: bounded(fields, "complain_reason"),
        detail: bounded(fields, "content"),
        phone: word(fields, "phone_no").and_then(Complaint::masked),
        tags: Vec::new(),
        orders: vec![order],
        apply_refund_fee: None,
        refunded: false,
        media: texts(fields, "images"),
    })
}
