//! Complaints of payers: consumers' (`alipay.security.risk.complaint.…`) and those about trades of mini programs
//! (`alipay.merchant.tradecomplain.…`) (merchant-operations.md).

use super::{Cx, Refusal, Reply};
use crate::complaints::{Complaint, ComplaintState};
use crate::ids;
use crate::provider::Provider;
use crate::state::State;
use serde_json::{Map, Value, json};

const RISK: &str = "alipay.security.risk.complaint.";
const TRADE: &str = "alipay.merchant.tradecomplain.";

/// Whether a method is of complaints.
pub(super) fn is_method(method: &str) -> bool {
    method.starts_with(RISK) || method.starts_with(TRADE)
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn risk(complaint: &Complaint) -> Value {
    let status = match complaint.state {
        ComplaintState::Pending => "WAIT_PROCESS",
        ComplaintState::Processing => "PROCESSING",
        ComplaintState::Processed => "PROCESSED",
    };
    let amount = ids::yuan(complaint.amount);
    let mut object = json!({
        "id": complaint.id.parse::<i64>().unwrap_or_default(),
        "task_id": format!("CS{}", complaint.id),
        "status": status,
        "complain_amount": amount,
        "complain_content": complaint.detail,
        "contact": complaint.phone,
        "gmt_complain": ids::spaced(complaint.created),
        "gmt_overdue": ids::spaced(complaint.created + 3 * 86_400_000),
        "trade_no": complaint.transaction_id,
        "complaint_trade_info_list": [{
            "trade_no": complaint.transaction_id, "out_no": complaint.number, "amount": amount, "status": status,
        }],
    });
    if let Some(code) = &complaint.process_code {
        object["process_code"] = json!(code);
    }
    object
}

fn trade(complaint: &Complaint) -> Value {
    let status = match complaint.state {
        ComplaintState::Pending | ComplaintState::Processing => "MERCHANT_PROCESSING",
        ComplaintState::Processed => "FINISHED",
    };
    let line = |line: &crate::complaints::ComplaintLine| {
        let role = if line.kind.starts_with("USER") { "USER" } else { "MERCHANT" };
        json!({ "replier_role": role, "gmt_create": ids::spaced(line.at), "content": line.text })
    };
    json!({
        "complain_event_id": complaint.id,
        "status": status,
        "trade_no": complaint.transaction_id,
        "merchant_order_no": complaint.number,
        "gmt_create": ids::spaced(complaint.created),
        "content": complaint.detail,
        "complain_reason": "商品或服务问题",
        "leaf_category_name": complaint.problem_type,
        "phone_no": complaint.phone,
        "trade_amount": ids::yuan(complaint.amount),
        "reply_detail_infos": complaint.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

fn missing() -> Refusal {
    Refusal::new("40004", "COMPLAINT_NOT_EXIST", "投诉单不存在")
}

fn find(state: &State, cx: &Cx<'_>, id: &str) -> Result<usize, Refusal> {
    let own = |c: &Complaint| c.provider == Provider::Alipay && c.merchant == cx.app_id() && c.id == id;
    state.complaints.iter().position(own).ok_or_else(missing)
}

fn page(cx: &Cx<'_>, risk_ones: bool, (page, from, to): (&str, &str, &str)) -> Vec<Complaint> {
    let number = |name: &str, or: usize| {
        cx.biz.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(or)
    };
    let (page, size) = (number(page, 1).max(1), number("page_size", 10));
    let moment = |name: &str| cx.text(name).and_then(ids::from_spaced);
    let (from, to) = (moment(from).unwrap_or(0), moment(to).unwrap_or(i64::MAX));
    let state = cx.sandbox.state();
    let own = |c: &&Complaint| {
        c.provider == Provider::Alipay
            && c.merchant == cx.app_id()
            && c.risk == risk_ones
            && (from..=to).contains(&c.created)
    };
    state.complaints.iter().filter(own).skip((page - 1) * size).take(size).cloned().collect()
}

pub(super) fn serve(cx: &Cx<'_>, method: &str) -> Reply {
    let now = cx.sandbox.now();
    let name = method.strip_prefix(RISK).or_else(|| method.strip_prefix(TRADE)).unwrap_or_default();
    match (method.starts_with(RISK), name) {
        (true, "info.batchquery") => {
            let found = page(cx, true, ("current_page_num", "gmt_complaint_start", "gmt_complaint_end"));
            Ok(map(json!({ "complaint_list": found.iter().map(risk).collect::<Vec<_>>() })))
        }
        (false, "batchquery") => {
            let found = page(cx, false, ("page_num", "begin_time", "end_time"));
            Ok(map(json!({ "trade_complain_infos": found.iter().map(trade).collect::<Vec<_>>() })))
        }
        (true, "info.query") => {
            let state = cx.sandbox.state();
            let at = find(&state, cx, cx.text("complain_id").unwrap_or_default())?;
            Ok(map(risk(&state.complaints[at])))
        }
        (false, "query") => {
            let state = cx.sandbox.state();
            let at = find(&state, cx, cx.text("complain_event_id").unwrap_or_default())?;
            Ok(map(trade(&state.complaints[at])))
        }
        (true, "process.finish") => {
            let id = cx.biz.get("id_list").and_then(|list| list[0].as_i64()).unwrap_or_default();
            let mut state = cx.sandbox.state();
            let at = find(&state, cx, &id.to_string())?;
            let code = cx.text("process_code").ok_or_else(|| Refusal::new("40002", "isv.missing", "process_code"))?;
            finish(&mut state, at, code, now)?;
            Ok(map(json!({ "complaint_process_success": true })))
        }
        (false, "feedback.submit" | "reply.submit") => {
            let mut state = cx.sandbox.state();
            let at = find(&state, cx, cx.text("complain_event_id").unwrap_or_default())?;
            if name == "reply.submit" {
                let text =
                    cx.text("reply_content").ok_or_else(|| Refusal::new("40002", "isv.missing", "reply_content"))?;
                state.complaints[at].answer(text, now);
            } else {
                let code =
                    cx.text("feedback_code").ok_or_else(|| Refusal::new("40002", "isv.missing", "feedback_code"))?;
                finish(&mut state, at, code, now)?;
            }
            state.tell_complaint(at, "CHANGED", now);
            Ok(Map::new())
        }
        _ => Err(Refusal::new("40002", "isv.invalid-method", "不存在的方法名")),
    }
}

fn finish(state: &mut State, at: usize, code: &str, now: i64) -> Result<(), Refusal> {
    if state.complaints[at].state == ComplaintState::Processed {
        return Err(Refusal::new("40004", "COMPLAINT_STATUS_ERROR", "投诉单已处理"));
    }
    state.complaints[at].process_code = Some(code.to_owned());
    state.complaints[at].end("MERCHANT_FEEDBACK", code, now);
    Ok(())
}
