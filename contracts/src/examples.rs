//! Requests as one would write them, for the OpenAPI document. `tests/contract.sh` sends them: T20260101002 is an order
//! there that is not paid, T20260101003 one that is, and the other numbers are new.

use domain::action::{Action, Logins, Payments, Queries, Refunds, Transfers};
use serde_json::{Value, json};

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
                "out_trade_no": "T20260101003", "logistics_type": 1,
                "shipping_list": [{ "tracking_no": "7500000000001", "express_company": "YTO", "item_desc": "a book" }],
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
        _ => Vec::new(),
    }
}
