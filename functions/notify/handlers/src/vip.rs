//! `vip`: makes a user a member, or extends a running membership.

use crate::{integer, names_a_user};
use serde_json::{Value, json};
use shared::domain::UnixMs;
use shared::payments::{Draft, HandlerError, PaidOrder, Tables};
use shared::store::{Condition, Write};
use std::time::Duration;

const DAYS: std::ops::RangeInclusive<i64> = 1..=36_500;
const DAY: Duration = Duration::from_hours(24);

pub(crate) fn check(draft: &Draft<'_>) -> Result<(), String> {
    kind(draft.custom.get("vip_type"))?;
    integer(draft.custom, "vip_days", DAYS)?.ok_or("custom.vip_days")?;
    names_a_user(draft)
}

/// The membership's kind: a short text or a whole number, kept as it is.
fn kind(value: Option<&Value>) -> Result<&Value, String> {
    match value {
        Some(Value::String(text)) if !text.is_empty() && text.len() <= 128 => Ok(value.unwrap_or(&Value::Null)),
        Some(number) if number.is_i64() => Ok(number),
        _ => Err("custom.vip_type".to_owned()),
    }
}

pub(crate) async fn vip(paid: &PaidOrder<'_>, tables: &Tables<'_>) -> Result<Vec<Write>, HandlerError> {
    let order = paid.order;
    let unknown = || HandlerError::refused("用户不存在");
    let user = paid.user_id().ok_or_else(unknown)?;
    let vip_type = kind(order.custom.get("vip_type")).map_err(HandlerError::Refused)?;
    let days = integer(&order.custom, "vip_days", DAYS)
        .map_err(HandlerError::Refused)?
        .ok_or_else(|| HandlerError::refused("custom.vip_days"))?;
    let days = u32::try_from(days).unwrap_or(0);
    let member = tables.get("uni-id-users", user).await?.ok_or_else(unknown)?;
    let seen = member.get("vip_expire_date");
    let running = UnixMs::new(seen.and_then(Value::as_i64).unwrap_or(0));
    // The condition is what was seen: of two orders paid at once, the second reads again and extends further.
    let as_seen = match seen {
        Some(date) => Condition::Equals("vip_expire_date".to_owned(), date.clone()),
        None => Condition::Missing("vip_expire_date".to_owned()),
    };
    let Value::Object(log) = json!({
        "out_trade_no": order.out_trade_no,
        "user_id": user,
        "vip_type": vip_type,
        "vip_days": days,
        "create_date": paid.now,
    }) else {
        return Err(unknown());
    };
    Ok(vec![
        Write::update("uni-id-users", user)
            .set("is_vip", true)
            .set("vip_type", vip_type.clone())
            .set("vip_expire_date", running.max(paid.now) + DAY * days)
            .when(as_seen),
        Write::insert("vip_purchase_logs", &order.out_trade_no, log),
    ])
}
