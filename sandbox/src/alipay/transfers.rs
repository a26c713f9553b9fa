//! Transfers to an account (alipay.md 2.4): done at once, in certificate mode only.

use super::orders::fields;
use super::request::{Wanted, check};
use super::{Cx, Refusal, Reply, Table};
use crate::faults::Misbehaviour;
use crate::ids;
use crate::provider::{Provider, Wire};
use crate::transfers::{Transfer, TransferState};
use Wanted::{Nested, Text, Word, Yuan};
use serde_json::{Value, json};

const UNIQUE: Table = &[
    ("out_biz_no", true, Text(64)),
    ("product_code", true, Word(&["TRANS_ACCOUNT_NO_PWD"])),
    ("biz_scene", true, Word(&["DIRECT_TRANSFER"])),
];
const TRANSFER: Table = &[
    ("trans_amount", true, Yuan),
    ("order_title", true, Text(128)),
    ("payee_info", true, Nested),
    ("remark", false, Text(200)),
    ("business_params", false, Text(2048)),
    ("transfer_scene_name", false, Text(64)),
    ("transfer_scene_report_infos", false, Nested),
    ("passback_params", false, Text(512)),
];

/// The least amount, fen.
const LEAST: u64 = 10;

/// The word for a transfer's state.
const fn word(state: TransferState) -> &'static str {
    match state {
        TransferState::Accepted | TransferState::WaitUserConfirm | TransferState::Canceling => "DEALING",
        TransferState::Success => "SUCCESS",
        TransferState::Fail => "FAIL",
        TransferState::Cancelled => "CLOSED",
        TransferState::Returned => "REFUND",
    }
}

fn no(sub_code: &str, sub_msg: &str) -> Refusal {
    Refusal::new("40004", sub_code, sub_msg)
}

fn certificate_mode(cx: &Cx<'_>) -> Result<(), Refusal> {
    match cx.request.wire() {
        Wire::ALIPAY_CERT => Ok(()),
        _ => Err(Refusal::new("40006", "isv.insufficient-isv-permissions", "该接口需使用证书模式")),
    }
}

pub(crate) fn create(cx: &Cx<'_>) -> Reply {
    certificate_mode(cx)?;
    check(cx.biz, &[UNIQUE, TRANSFER])?;
    let payee = |name: &str| cx.biz["payee_info"].get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (identity, kind, name) = (payee("identity"), payee("identity_type"), payee("name"));
    if !["ALIPAY_USER_ID", "ALIPAY_LOGON_ID", "ALIPAY_OPEN_ID"].contains(&kind.as_str()) || identity.is_empty() {
        return Err(no("INVALID_PARAMETER", "参数无效：payee_info"));
    }
    if kind == "ALIPAY_LOGON_ID" && name.is_empty() {
        return Err(no("INVALID_PARAMETER", "参数无效：payee_info.name缺失"));
    }
    if kind == "ALIPAY_USER_ID" && !(identity.len() == 16 && identity.starts_with("2088")) {
        return Err(no("PAYEE_NOT_EXIST", "收款账号不存在或姓名有误"));
    }
    let amount = cx.text("trans_amount").and_then(ids::fen).unwrap_or_default();
    if amount < LEAST {
        return Err(no("EXCEED_LIMIT_DM_MIN_AMOUNT", "低于单笔最小金额"));
    }
    let held = cx.fault == Some(Misbehaviour::HoldTransfer);
    let now = cx.sandbox.now();
    let mut state = cx.sandbox.state();
    let at = state.transfer(Transfer {
        provider: Provider::Alipay,
        merchant: cx.app_id().to_owned(),
        appid: cx.app_id().to_owned(),
        wire: Wire::ALIPAY_CERT,
        number: cx.text("out_biz_no").unwrap_or_default().to_owned(),
        id: ids::trade_no(now),
        amount,
        payee: identity,
        name: Some(name).filter(|name| !name.is_empty()),
        remark: cx.text("remark").map(str::to_owned),
        state: if held { TransferState::Accepted } else { TransferState::Success },
        fail_reason: None,
        package_info: None,
        notify_url: None,
        created: now,
        updated: now,
        ended: (!held).then_some(now),
        receipt: None,
        request: Value::Object(cx.biz.clone()),
    });
    let transfer =
        &state.transfers[at.ok_or_else(|| no("BIZ_UNIQUE_EXCEPTION", "商户单号重复，且参数与原请求不一致"))?];
    Ok(fields([
        ("out_biz_no", json!(transfer.number)),
        ("order_id", json!(transfer.id)),
        ("pay_fund_order_id", json!(transfer.id)),
        ("status", json!(word(transfer.state))),
        ("trans_date", json!(ids::spaced(transfer.created))),
    ]))
}

pub(crate) fn query(cx: &Cx<'_>) -> Reply {
    certificate_mode(cx)?;
    check(cx.biz, &[UNIQUE])?;
    let state = cx.sandbox.state();
    let own = |t: &&Transfer| {
        t.provider == Provider::Alipay && t.merchant == cx.app_id() && cx.text("out_biz_no") == Some(&t.number)
    };
    let transfer = state.transfers.iter().find(own).ok_or_else(|| no("ORDER_NOT_EXIST", "转账订单不存在"))?;
    let mut node = fields([
        ("out_biz_no", json!(transfer.number)),
        ("order_id", json!(transfer.id)),
        ("pay_fund_order_id", json!(transfer.id)),
        ("status", json!(word(transfer.state))),
        ("trans_amount", json!(ids::yuan(transfer.amount))),
        ("order_fee", json!("0.00")),
    ]);
    if let Some(reason) = &transfer.fail_reason {
        node.extend(fields([("error_code", json!(reason)), ("fail_reason", json!("转账失败"))]));
    } else if let Some(ended) = transfer.ended {
        node.insert("pay_date".to_owned(), json!(ids::spaced(ended)));
    }
    Ok(node)
}
