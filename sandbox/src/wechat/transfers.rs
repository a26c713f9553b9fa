//! Account transfers (wechat.md 2.9).

use super::v3::{Cx, Refusal, Reply};
use super::{auth, refunds, rules};
use crate::crypto::{ALNUM, random_text};
use crate::faults::Misbehaviour;
use crate::ids;
use crate::provider::{Provider, Wire};
use crate::transfers::{Transfer, TransferOutcome, TransferState};
use serde_json::{Map, Value, json};

/// From this amount on the payee's name must be there; below the other it must not (fen).
const NAME_FROM: u64 = 200_000;
const NO_NAME_BELOW: u64 = 30;

/// The word for a transfer's state.
const fn word(state: TransferState) -> &'static str {
    match state {
        TransferState::Accepted => "ACCEPTED",
        TransferState::WaitUserConfirm => "WAIT_USER_CONFIRM",
        TransferState::Canceling => "CANCELING",
        TransferState::Success => "SUCCESS",
        TransferState::Fail | TransferState::Returned => "FAIL",
        TransferState::Cancelled => "CANCELLED",
    }
}

/// As a callback tells it.
pub(crate) fn told(transfer: &Transfer) -> Value {
    let mut told = json!({
        "out_bill_no": transfer.number,
        "transfer_bill_no": transfer.id,
        "state": word(transfer.state),
        "mch_id": transfer.merchant,
        "transfer_amount": transfer.amount,
        "openid": transfer.payee,
        "create_time": ids::rfc3339(transfer.created),
        "update_time": ids::rfc3339(transfer.updated),
    });
    if let Some(reason) = &transfer.fail_reason {
        told["fail_reason"] = json!(reason);
    }
    told
}

fn missing() -> Refusal {
    Refusal::new(404, "NOT_FOUND", "记录不存在", 268_512_771)
}

/// A transfer in the books.
pub(crate) type Known = Transfer;

/// Who gets a transfer.
pub(crate) enum Payee {
    /// Who confirms it.
    Confirming(String),
    /// Who has authorised it, and has it at once.
    Authorized(String),
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    let body = rules::check(&cx.inbound.body, rules::TRANSFER)?;
    let openid = body.get("openid").and_then(Value::as_str).unwrap_or_default().to_owned();
    let at = enter(cx, body, Payee::Confirming(openid))?;
    let state = cx.sandbox.state();
    let transfer = &state.transfers[at];
    let mut answer = json!({
        "out_bill_no": transfer.number,
        "transfer_bill_no": transfer.id,
        "create_time": ids::rfc3339(transfer.created),
        "state": word(transfer.state),
    });
    if let (TransferState::WaitUserConfirm, Some(package)) = (transfer.state, &transfer.package_info) {
        answer["package_info"] = json!(package);
    }
    Ok(Some(answer))
}

/// The payee's name, opened.
fn opened_name(cx: &Cx<'_>, sealed: &str) -> Result<String, Refusal> {
    let wanted = cx.inbound.header("wechatpay-serial");
    let (key, serial) = auth::signer(cx.merchant, wanted);
    let opened = key.oaep_open(sealed).filter(|_| wanted == Some(serial));
    let opened = opened.and_then(|plain| String::from_utf8(plain).ok());
    opened.ok_or_else(|| Refusal::param("敏感字段解密失败，请检查Wechatpay-Serial").field("user_name", "body"))
}

/// Enters a transfer, or finds the same one again: its place.
pub(crate) fn enter(cx: &Cx<'_>, mut body: Map<String, Value>, payee: Payee) -> Result<usize, Refusal> {
    let sealed = body.get("user_name").and_then(Value::as_str);
    let name = sealed.map(|sealed| opened_name(cx, sealed)).transpose()?;
    body.insert("user_name".to_owned(), json!(name));
    let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let amount = body.get("transfer_amount").and_then(Value::as_u64).unwrap_or_default();
    if name.is_none() && amount >= NAME_FROM {
        return Err(Refusal::param("转账金额大于等于2000元时，收款用户姓名必填").field("user_name", "body"));
    }
    if name.is_some() && amount < NO_NAME_BELOW {
        return Err(Refusal::param("转账金额小于0.3元时，不支持校验收款用户姓名").field("user_name", "body"));
    }
    if !cx.merchant.owns_appid(&text("appid")) {
        return Err(Refusal::new(400, "APPID_MCHID_NOT_MATCH", "商户号和appid没有绑定关系", 268_435_461));
    }
    let by_public_key = cx.inbound.header("wechatpay-serial").is_some_and(|id| id.starts_with("PUB_KEY_ID_"));
    let held = cx.fault == Some(Misbehaviour::HoldTransfer);
    let now = cx.sandbox.now();
    let (payee, waits) = match payee {
        Payee::Confirming(openid) => (openid, true),
        Payee::Authorized(openid) => (openid, false),
    };
    let mut state = cx.sandbox.state();
    let count = state.transfers.len();
    let at = state.transfer(Transfer {
        provider: Provider::Wxpay,
        merchant: cx.mchid().to_owned(),
        appid: text("appid"),
        wire: if by_public_key { Wire::V3 } else { Wire::V3_CERT },
        number: text("out_bill_no"),
        id: format!("1330000{}", ids::transaction_id(now)),
        amount,
        payee,
        name,
        remark: Some(text("transfer_remark")),
        state: if held || !waits { TransferState::Accepted } else { TransferState::WaitUserConfirm },
        fail_reason: None,
        package_info: (!held && waits).then(|| format!("affffddafdfafddffda=={}", random_text(24, ALNUM))),
        notify_url: body.get("notify_url").and_then(Value::as_str).map(str::to_owned),
        created: now,
        updated: now,
        ended: None,
        receipt: None,
        request: Value::Object(body.clone()),
    });
    let repeated = || Refusal::new(400, "ALREADY_EXISTS", "商家转账单号已存在，且参数与原请求不一致", 268_435_461);
    let at = at.ok_or_else(repeated)?;
    if at == count && !waits && !held {
        let _ = state.settle_transfer(at, &TransferOutcome::Success, now);
    }
    Ok(at)
}

/// A transfer by its place, as a query answers it.
pub(crate) fn shown(cx: &Cx<'_>, at: usize) -> Reply {
    Ok(Some(queried(&cx.sandbox.state().transfers[at])))
}

pub(crate) fn query(cx: &Cx<'_>, wanted: impl Fn(&Transfer) -> bool) -> Reply {
    let state = cx.sandbox.state();
    let own = |t: &&Transfer| t.provider == Provider::Wxpay && t.merchant == cx.mchid() && wanted(t);
    state.transfers.iter().find(own).map(|transfer| Some(queried(transfer))).ok_or_else(missing)
}

fn queried(transfer: &Transfer) -> Value {
    let mut answer = json!({
        "mch_id": transfer.merchant,
        "out_bill_no": transfer.number,
        "transfer_bill_no": transfer.id,
        "appid": transfer.appid,
        "state": word(transfer.state),
        "transfer_amount": transfer.amount,
        "transfer_remark": transfer.remark,
        "openid": transfer.payee,
        "create_time": ids::rfc3339(transfer.created),
        "update_time": ids::rfc3339(transfer.updated),
    });
    if let Some(reason) = &transfer.fail_reason {
        answer["fail_reason"] = json!(reason);
    }
    answer
}

pub(crate) fn cancel(cx: &Cx<'_>, number: &str) -> Reply {
    let now = cx.sandbox.now();
    let done = now + cx.sandbox.scaled_ms(refunds::SETTLE_SECONDS);
    let mut state = cx.sandbox.state();
    let own = |t: &Transfer| t.provider == Provider::Wxpay && t.merchant == cx.mchid() && t.number == number;
    let at = state.transfers.iter().position(own).ok_or_else(missing)?;
    match state.transfers[at].state {
        TransferState::Accepted | TransferState::WaitUserConfirm => state.cancel_transfer(at, now, done),
        TransferState::Canceling | TransferState::Cancelled => {}
        TransferState::Success | TransferState::Fail | TransferState::Returned => {
            return Err(Refusal::new(400, "INVALID_REQUEST", "当前单据状态不支持撤销", 268_435_461));
        }
    }
    let transfer = &state.transfers[at];
    Ok(Some(json!({
        "out_bill_no": transfer.number,
        "transfer_bill_no": transfer.id,
        "state": word(transfer.state),
        "update_time": ids::rfc3339(transfer.updated),
    })))
}
