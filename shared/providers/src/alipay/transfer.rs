//! Transfers to an account (`docs/protocols/alipay.md#transfers`). Alipay serves them in certificate mode only.

use super::answer::word;
use super::call::Call;
use crate::alipay::AlipayNode;
use crate::{CallError, ProviderClients, Refusal, TransferRequest, TransferStanding};
use domain::{Fen, TransferState};
use serde_json::{Map, Value, json};

const PRODUCT: &str = "TRANS_ACCOUNT_NO_PWD";
const SCENE: &str = "DIRECT_TRANSFER";
/// Asks for a transfer.
pub(super) const QUERY: &str = "alipay.fund.trans.common.query";

pub(super) async fn transfer(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &TransferRequest<'_>,
) -> Result<TransferStanding, CallError> {
    let transfer = request.transfer;
    let mut payee = Map::new();
    payee.insert("identity".to_owned(), transfer.payee.as_str().into());
    payee.insert("identity_type".to_owned(), json!(transfer.payee_type));
    if let Some(name) = request.name {
        payee.insert("name".to_owned(), name.into());
    }
    let mut biz = numbered(&transfer.out_bill_no);
    biz.insert("trans_amount".to_owned(), transfer.transfer_amount.to_yuan().into());
    biz.insert("payee_info".to_owned(), Value::Object(payee));
    let mut put = |name: &str, text: &Option<String>| {
        if let Some(text) = text {
            biz.insert(name.to_owned(), text.as_str().into());
        }
    };
    put("order_title", &transfer.order_title);
    put("remark", &transfer.transfer_remark);
    put("transfer_scene_name", &transfer.transfer_scene);
    if !transfer.transfer_scene_report_infos.is_empty() {
        biz.insert("transfer_scene_report_infos".to_owned(), json!(transfer.transfer_scene_report_infos));
    }
    match Call::new("alipay.fund.trans.uni.transfer", biz).send(clients, node, request.now).await {
        Ok(fields) => judge(request, &fields),
        Err(CallError::Refused(refusal)) if refusal.code.ends_with("TRANS_ORDER_DEALING") => {
            Err(CallError::Unknown(refusal.code))
        }
        Err(error) => Err(error),
    }
}

/// `None` when Alipay does not know the number.
pub(super) async fn query(
    clients: &ProviderClients,
    node: &AlipayNode,
    request: &TransferRequest<'_>,
) -> Result<Option<TransferStanding>, CallError> {
    let biz = numbered(&request.transfer.out_bill_no);
    match Call::new(QUERY, biz).send(clients, node, request.now).await {
        Ok(fields) => judge(request, &fields).map(Some),
        Err(CallError::Refused(Refusal { code, .. })) if code.ends_with("ORDER_NOT_EXIST") => Ok(None),
        Err(error) => Err(error),
    }
}

/// A number with what makes it unique at Alipay.
pub(super) fn numbered(out_biz_no: &str) -> Map<String, Value> {
    [("out_biz_no", out_biz_no), ("product_code", PRODUCT), ("biz_scene", SCENE)]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text.into()))
        .collect()
}

/// How a transfer stands, when it is the one that was asked for.
fn judge(request: &TransferRequest<'_>, fields: &Map<String, Value>) -> Result<TransferStanding, CallError> {
    let transfer = request.transfer;
    let known = |name: &str, ours: Option<&str>| match (word(fields, name), ours) {
        (Some(theirs), Some(ours)) => Some(theirs == ours),
        _ => None,
    };
    let number = known("out_biz_no", Some(&transfer.out_bill_no));
    let named = number.or_else(|| known("order_id", transfer.transfer_bill_no.as_deref()));
    let amount = word(fields, "trans_amount").map(Fen::from_yuan);
    if named != Some(true) || amount.is_some_and(|amount| amount != Some(transfer.transfer_amount)) {
        return Err(CallError::unknown("the answer is about another transfer"));
    }
    let text = |name: &str| word(fields, name).map(str::to_owned);
    let state = match word(fields, "status") {
        Some("SUCCESS") => TransferState::Success,
        Some("FAIL" | "CLOSED") => TransferState::Fail,
        Some("REFUND") => TransferState::Returned,
        // DEALING, WAIT_PAY, and what may be new.
        _ => TransferState::Processing,
    };
    let ended_badly = matches!(state, TransferState::Fail | TransferState::Returned);
    Ok(TransferStanding {
        state,
        provider_state: text("status"),
        transfer_bill_no: text("order_id"),
        fail_reason: text("fail_reason").or_else(|| text("error_code")).filter(|_| ended_badly),
        package_info: None,
        result: redacted(fields),
    })
}

/// What is kept of an answer: not who got it.
fn redacted(fields: &Map<String, Value>) -> Value {
    const KEPT: [&str; 12] = [
        "out_biz_no",
        "order_id",
        "pay_fund_order_id",
        "status",
        "trans_amount",
        "trans_date",
        "pay_date",
        "arrival_time_end",
        "order_fee",
        "error_code",
        "fail_reason",
        "sub_status",
    ];
    KEPT.iter().filter_map(|key| Some(((*key).to_owned(), fields.get(*key)?.clone()))).collect()
}
