//! `recharge`: adds to a user's balance.

use crate::{integer, names_a_user};
use serde_json::{Value, json};
use shared::payments::{Draft, HandlerError, PaidOrder, Tables};
use shared::store::Write;

/// The largest balance that can be added, fen.
const MOST: i64 = 1_000_000_000_000;

pub(crate) fn check(draft: &Draft<'_>) -> Result<(), String> {
    integer(draft.custom, "recharge_balance", 1..=MOST)?;
    names_a_user(draft)
}

/// A credit above the payment.
pub(crate) fn exceeds(draft: &Draft<'_>) -> bool {
    matches!(integer(draft.custom, "recharge_balance", 1..=MOST), Ok(Some(balance)) if balance.unsigned_abs() > draft.total_fee.0)
}

pub(crate) async fn recharge(paid: &PaidOrder<'_>, tables: &Tables<'_>) -> Result<Vec<Write>, HandlerError> {
    let order = paid.order;
    let unknown = || HandlerError::refused("用户不存在");
    let user = paid.user_id().ok_or_else(unknown)?;
    let total = i64::try_from(order.total_fee.0).unwrap_or(MOST);
    let balance = integer(&order.custom, "recharge_balance", 1..=MOST).map_err(HandlerError::Refused)?.unwrap_or(total);
    if tables.contested() && tables.get("uni-id-users", user).await?.is_none() {
        return Err(unknown());
    }
    let Value::Object(log) = json!({
        "out_trade_no": order.out_trade_no,
        "user_id": user,
        "recharge_balance": balance,
        "total_fee": order.total_fee,
        "create_date": paid.now,
    }) else {
        return Err(unknown());
    };
    Ok(vec![
        Write::update("uni-id-users", user).add("balance", balance),
        Write::insert("recharge_logs", &order.out_trade_no, log),
    ])
}
