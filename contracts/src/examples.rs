//! Requests as one would write them, for the OpenAPI document, and what the functions answered.
//!
//! `tests/openapi_examples.rs` sends each to functions with the sandbox at their side, compares the reply with the one that
//! stands here in `replies.json`, and writes that file anew (`EXAMPLES=write`). `tests/contract.sh` sends them too:
//! T20260101002 is an order there that is not paid, T20260101003 one that is, and the other numbers are new.

use domain::action::{Action, Logins, Payments, Queries, Refunds, Transfers};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// The data of an action's examples, each by its name.
pub(crate) fn examples(action: Action) -> Vec<(&'static str, Value)> {
    match action {
        Action::Payments(Payments::Create) => vec![(
            "create",
            json!({
                "provider": "wxpay", "out_trade_no": "T20260101001", "total_fee": 100, "subject": "Recharge",
                "type": "recharge", "user_id": "demo-user", "needQRcode": true,
            }),
        )],
        Action::Payments(Payments::Close) => vec![("close", json!({ "out_trade_no": "T20260101002" }))],
        Action::Queries(Queries::Payment) => {
            vec![("query", json!({ "out_trade_no": "T20260101003", "await_notify": true, "pay_order_info": true }))]
        }
        Action::Queries(Queries::Orders) => vec![
            ("orders_of_a_user", json!({ "user_id": "demo-user", "status": "SUCCESS", "pageSize": 10 })),
            ("orders_of_a_day", json!({ "day": "2026-01-31", "provider": "wxpay", "pageSize": 100 })),
        ],
        Action::Queries(Queries::Incidents) => vec![("open_incidents", json!({ "status": "open" }))],
        Action::Queries(Queries::Methods) => vec![("methods", json!({ "vk_platform": "h5", "isPC": true }))],
        Action::Refunds(Refunds::Refund) => vec![(
            "refund",
            json!({
                "out_trade_no": "T20260101003", "out_refund_no": "R20260101001", "refund_fee": 30,
                "refund_desc": "changed mind",
            }),
        )],
        Action::Refunds(Refunds::Query) => vec![("query_refunds", json!({ "out_trade_no": "T20260101003" }))],
        Action::Refunds(Refunds::UploadShipping) => vec![(
            "ship",
            json!({
                "out_trade_no": "T20260101007", "logistics_type": 1,
                "shipping_list": [{ "tracking_no": "7500000000001", "express_company": "YTO", "item_desc": "a book", "contact": { "receiver_contact": "138****5678" } }],
            }),
        )],
        Action::Transfers(Transfers::Transfer) => vec![(
            "transfer",
            json!({
                "provider": "wxpay", "out_bill_no": "B20260101001", "transfer_amount": 100, "openid": "o_demo_user",
                "transfer_remark": "bonus",
            }),
        )],
        Action::Transfers(Transfers::Authorize) => vec![(
            "authorize",
            json!({
                "provider": "wxpay", "out_authorization_no": "A20260101001", "openid": "o_demo_user",
                "user_display_name": "demo-user",
            }),
        )],
        Action::Transfers(Transfers::QueryAuthorization) => {
            vec![("query_authorization", json!({ "out_authorization_no": "A20260101001" }))]
        }
        Action::Transfers(Transfers::Query) => vec![("query_transfer", json!({ "out_bill_no": "B20260101001" }))],
        Action::Logins(Logins::Any) => {
            vec![("login", json!({ "provider": "wxpay", "code": "0a1b2c3d4e", "vk_platform": "mp-weixin" }))]
        }
        _ => newer(action),
    }
}

/// The same of what came later: complaints, profit sharing, shipping, stuck refunds, requests by name, coins, proofs.
fn newer(action: Action) -> Vec<(&'static str, Value)> {
    let complaint =
        |more: Value| data(json!({ "provider": "wxpay", "complaint_id": "200000020260101000000001" }), more);
    match action {
        Action::Queries(Queries::Complaints) => {
            vec![("open_complaints", json!({ "state": "pending" })), ("one_complaint", complaint(json!({})))]
        }
        Action::Queries(Queries::RerunHandler) => vec![("deliver_again", json!({ "out_trade_no": "T20260101004" }))],
        Action::Queries(Queries::VerifyReceipt) => vec![(
            "purchase_of_apples",
            json!({ "out_trade_no": "T20260101009", "transaction_identifier": "2000000000000001" }),
        )],
        Action::Queries(Queries::VerifyPurchase) => vec![(
            "purchase_of_huaweis",
            json!({ "out_trade_no": "T20260101010", "signed_transaction": "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl" }),
        )],
        Action::Refunds(Refunds::ResolveIncident) => vec![(
            "close_an_incident",
            json!({ "incident_id": "d1-0123456789abcdef", "action": "close", "note": "delivered by hand" }),
        )],
        Action::Refunds(Refunds::QueryShipping) => vec![("query_shipping", json!({ "out_trade_no": "T20260101007" }))],
        Action::Refunds(Refunds::ConfirmReceive) => vec![("ask_to_confirm", json!({ "out_trade_no": "T20260101007" }))],
        Action::Refunds(Refunds::AnswerComplaint) => {
            vec![("answer_a_complaint", complaint(json!({ "response_content": "It is sent today." })))]
        }
        Action::Refunds(Refunds::CompleteComplaint) => vec![("complete_a_complaint", complaint(json!({})))],
        Action::Refunds(Refunds::RefundComplaint) => {
            vec![("refund_a_complaint", json!({ "provider": "wxpay", "complaint_id": "200000020260101000000002" }))]
        }
        Action::Refunds(Refunds::SubscribeComplaints) => {
            vec![("be_told_of_complaints", json!({ "provider": "wxpay" }))]
        }
        Action::Refunds(Refunds::ApplyAbnormal) => vec![(
            "refund_to_a_card",
            json!({
                "out_trade_no": "T20260101008", "out_refund_no": "R20260101002", "type": "USER_BANK_CARD",
                "bank_type": "ICBC_DEBIT", "bank_account": "6222021234567890123", "real_name": "Ouyang",
            }),
        )],
        Action::Refunds(Refunds::AddReceiver) => vec![(
            "add_a_receiver",
            json!({
                "provider": "wxpay", "type": "MERCHANT_ID", "account": "1900000100", "name": "Supplier Ltd",
                "relation_type": "SUPPLIER",
            }),
        )],
        Action::Refunds(Refunds::DeleteReceiver) => {
            vec![("delete_a_receiver", json!({ "provider": "wxpay", "type": "MERCHANT_ID", "account": "1900000100" }))]
        }
        Action::Refunds(Refunds::ProfitShare) => vec![(
            "share",
            json!({
                "out_trade_no": "T20260101006", "out_order_no": "S20260101001",
                "receivers": [{
                    "type": "MERCHANT_ID", "account": "1900000100", "amount": 20, "description": "the supplier's share",
                }],
            }),
        )],
        Action::Refunds(Refunds::UnfreezeShare) => {
            vec![("end_sharing", json!({ "out_trade_no": "T20260101006", "out_order_no": "S20260101002" }))]
        }
        Action::Refunds(Refunds::ReturnShare) => vec![(
            "take_a_share_back",
            json!({
                "out_trade_no": "T20260101006", "out_order_no": "S20260101001", "out_return_no": "SR20260101001",
                "return_mchid": "1900000100", "amount": 5,
            }),
        )],
        Action::Refunds(Refunds::QueryShare) => vec![("query_shares", json!({ "out_trade_no": "T20260101006" }))],
        Action::Transfers(transfers) => of_transfers(transfers),
        Action::Logins(Logins::Weixin) => vec![("login_of_a_mini_program", json!({ "code": "0a1b2c3d4e" }))],
        Action::Logins(Logins::WeixinH5) => vec![("login_of_a_page", json!({ "code": "0a1b2c3d4e" }))],
        Action::Logins(Logins::Alipay) => vec![("login_at_alipay", json!({ "code": "0a1b2c3d4e" }))],
        Action::Logins(Logins::Douyin) => vec![("login_at_douyin", json!({ "code": "0a1b2c3d4e" }))],
        _ => Vec::new(),
    }
}

fn of_transfers(action: Transfers) -> Vec<(&'static str, Value)> {
    let coins = |more: Value| data(json!({ "openid": "o_demo_payer" }), more);
    match action {
        Transfers::Cancel => vec![("cancel_a_transfer", json!({ "out_bill_no": "B20260101001" }))],
        Transfers::Receipt => vec![("receipt_of_a_transfer", json!({ "out_bill_no": "B20260101002" }))],
        Transfers::CloseAuthorization => {
            vec![("close_an_authorization", json!({ "out_authorization_no": "A20260101001" }))]
        }
        Transfers::Request => vec![(
            "balance_of_a_days_end",
            json!({
                "provider": "wxpay", "method": "GET", "path": "/v3/merchant/fund/dayendbalance/BASIC",
                "data": { "date": "2026-01-01" },
            }),
        )],
        Transfers::QueryBalance => vec![("balance_at_wxpay", json!({ "provider": "wxpay" }))],
        Transfers::QueryAccountBalance => vec![("balance_at_alipay", json!({ "provider": "alipay" }))],
        Transfers::Balance => vec![("coins_of_a_payer", coins(json!({})))],
        Transfers::CurrencyPay => {
            vec![("spend_coins", coins(json!({ "amount": 10, "out_trade_no": "COINS20260101001" })))]
        }
        Transfers::CancelCurrencyPay => vec![(
            "take_spent_coins_back",
            coins(json!({ "amount": 10, "out_trade_no": "COINS20260101001", "out_refund_no": "COINS20260101002" })),
        )],
        Transfers::PresentCurrency => {
            vec![("present_coins", coins(json!({ "amount": 10, "out_trade_no": "COINS20260101003" })))]
        }
        Transfers::Transfer | Transfers::Query | Transfers::Authorize | Transfers::QueryAuthorization => Vec::new(),
    }
}

fn data(mut own: Value, more: Value) -> Value {
    if let (Value::Object(own), Value::Object(more)) = (&mut own, more) {
        own.extend(more);
    }
    own
}

/// What the functions answered to an example, by its name.
pub(crate) fn reply(name: &str) -> Option<&'static Value> {
    static REPLIES: LazyLock<Map<String, Value>> =
        LazyLock::new(|| serde_json::from_str(include_str!("replies.json")).unwrap_or_default());
    REPLIES.get(name)
}
