//! The order object and the refund objects of APIv3 (wechat.md 2.3, 2.5, 3).

use crate::ids::rfc3339;
use crate::ledger::{Refund, RefundState, Trade, TradeState};
use serde_json::{Value, json};

fn state_text(state: TradeState) -> &'static str {
    match state {
        TradeState::Success => "支付成功",
        TradeState::Refund => "订单发生过退款，退款详情请查询退款单",
        TradeState::Closed => "订单已关闭",
        TradeState::Revoked => "订单已撤销",
        TradeState::UserPaying => "用户支付中，等待输入密码",
        TradeState::PayError => "支付失败(其他原因，如银行返回失败)",
        TradeState::Unseen | TradeState::NotPay => "订单未支付",
    }
}

/// The word for a refund's state.
pub(crate) const fn refund_word(state: RefundState) -> &'static str {
    match state {
        RefundState::Processing => "PROCESSING",
        RefundState::Success => "SUCCESS",
        RefundState::Closed => "CLOSED",
        RefundState::Abnormal => "ABNORMAL",
    }
}

/// The same in APIv2.
pub(crate) const fn refund_word_v2(state: RefundState) -> &'static str {
    match state {
        RefundState::Processing => "PROCESSING",
        RefundState::Success => "SUCCESS",
        RefundState::Closed => "REFUNDCLOSE",
        RefundState::Abnormal => "CHANGE",
    }
}

/// `trade_type`.
pub(crate) fn trade_type(product: &str) -> &'static str {
    match product {
        "native" => "NATIVE",
        "app" => "APP",
        "h5" => "MWEB",
        "codepay" => "MICROPAY",
        _ => "JSAPI",
    }
}

/// As query answers it and as TRANSACTION.SUCCESS carries it.
pub(crate) fn order(trade: &Trade) -> Value {
    let mut order = match &trade.sub_merchant {
        None => json!({"appid": trade.appid, "mchid": trade.merchant}),
        Some(sub) => json!({"sp_appid": trade.appid, "sp_mchid": trade.merchant, "sub_mchid": sub}),
    };
    if let Some(sub_appid) = &trade.sub_appid {
        order["sub_appid"] = json!(sub_appid);
    }
    order["out_trade_no"] = json!(trade.number);
    order["trade_state"] = json!(trade.state.name());
    order["trade_state_desc"] = json!(state_text(trade.state));
    order["attach"] = json!(trade.attach.as_deref().unwrap_or_default());
    let amount = trade.amount();
    order["amount"] = json!({"total": amount, "currency": "CNY"});
    if let (Some(paid), Some(id)) = (trade.paid, &trade.transaction_id) {
        let payer = trade.payer.as_deref().unwrap_or_default();
        order["transaction_id"] = json!(id);
        order["trade_type"] = json!(trade_type(&trade.product));
        order["bank_type"] = json!("OTHERS");
        order["success_time"] = json!(rfc3339(paid));
        order["amount"] = json!({"total": amount, "payer_total": amount, "currency": "CNY", "payer_currency": "CNY"});
        let by_sub = trade.request.pointer("/payer/sub_openid").is_some();
        order["payer"] = match trade.sub_merchant {
            None => json!({"openid": payer}),
            Some(_) if by_sub => json!({"sub_openid": payer}),
            Some(_) => json!({"sp_openid": payer}),
        };
        order["promotion_detail"] = json!([]);
    }
    order
}

/// As the refund API answers it.
pub(crate) fn refund(trade: &Trade, refund: &Refund) -> Value {
    let mut object = json!({
        "refund_id": refund.refund_id,
        "out_refund_no": refund.out_refund_no,
        "transaction_id": trade.transaction_id,
        "out_trade_no": trade.number,
        "channel": "ORIGINAL",
        "user_received_account": "支付用户零钱",
        "create_time": rfc3339(refund.created),
        "status": refund_word(refund.state),
        "funds_account": "UNSETTLED",
        "amount": {
            "total": refund.total,
            "refund": refund.amount,
            "from": [],
            "payer_total": refund.total,
            "payer_refund": refund.amount,
            "settlement_refund": refund.amount,
            "settlement_total": refund.total,
            "discount_refund": 0,
            "currency": "CNY",
        },
        "promotion_detail": [],
    });
    if let (RefundState::Success, Some(settled)) = (refund.state, refund.settled) {
        object["success_time"] = json!(rfc3339(settled));
    }
    object
}

/// As REFUND.* carries it.
pub(crate) fn refund_event(trade: &Trade, refund: &Refund) -> Value {
    let mut object = match &trade.sub_merchant {
        None => json!({"mchid": trade.merchant}),
        Some(sub) => json!({"sp_mchid": trade.merchant, "sub_mchid": sub}),
    };
    object["transaction_id"] = json!(trade.transaction_id);
    object["out_trade_no"] = json!(trade.number);
    object["refund_id"] = json!(refund.refund_id);
    object["out_refund_no"] = json!(refund.out_refund_no);
    object["refund_status"] = json!(refund_word(refund.state));
    if let (RefundState::Success, Some(settled)) = (refund.state, refund.settled) {
        object["success_time"] = json!(rfc3339(settled));
    }
    object["user_received_account"] = json!("支付用户零钱");
    object["amount"] = json!({
        "total": refund.total,
        "refund": refund.amount,
        "payer_total": refund.total,
        "payer_refund": refund.amount,
    });
    object
}
