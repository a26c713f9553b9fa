//! `goods`: takes stock and writes the goods order.

use crate::{integer, text};
use serde_json::{Map, Value, json};
use shared::payments::{Draft, HandlerError, PaidOrder, Tables};
use shared::store::{Condition, Write};

const QUANTITY: std::ops::RangeInclusive<i64> = 1..=9999;

pub(crate) fn check(draft: &Draft<'_>) -> Result<(), String> {
    text(draft.custom, "goods_id")?;
    integer(draft.custom, "quantity", QUANTITY).map(|_| ())
}

pub(crate) async fn goods(paid: &PaidOrder<'_>, tables: &Tables<'_>) -> Result<Vec<Write>, HandlerError> {
    let order = paid.order;
    let goods_id = text(&order.custom, "goods_id").map_err(HandlerError::Refused)?;
    let quantity = integer(&order.custom, "quantity", QUANTITY).map_err(HandlerError::Refused)?.unwrap_or(1);
    // The dearest price that the payment covers.
    let covered = i64::try_from(order.total_fee.0).unwrap_or(i64::MAX) / quantity;
    let mut update = Write::update("goods", goods_id)
        .add("stock", -quantity)
        .add("sales", quantity)
        .when(Condition::AtLeast("stock".to_owned(), quantity));
    if tables.contested() {
        let item = tables.get("goods", goods_id).await?.ok_or_else(|| HandlerError::refused("商品不存在"))?;
        if item.get("stock").and_then(Value::as_i64).is_none_or(|stock| stock < quantity) {
            return Err(HandlerError::refused("库存不足"));
        }
        match item.get("price") {
            Some(price) if price.as_i64().is_some_and(|price| price > covered) => {
                return Err(HandlerError::refused("支付金额低于商品价格"));
            }
            Some(price) => update = update.when(Condition::Equals("price".to_owned(), price.clone())),
            None => update = update.when(Condition::Missing("price".to_owned())),
        }
    } else {
        update = update.when(Condition::NotAbove("price".to_owned(), covered));
    }
    Ok(vec![update, Write::insert("goods_orders", &order.out_trade_no, goods_order(paid, goods_id, quantity))])
}

fn goods_order(paid: &PaidOrder<'_>, goods_id: &str, quantity: i64) -> Map<String, Value> {
    let fields = [
        ("out_trade_no", json!(paid.order.out_trade_no)),
        ("user_id", json!(paid.user_id())),
        ("goods_id", json!(goods_id)),
        ("quantity", json!(quantity)),
        ("status", json!("paid")),
        ("create_date", json!(paid.now)),
    ];
    fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.to_owned(), v)).collect()
}
