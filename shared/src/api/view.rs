//! What of an order a reply shows, in VK-Pay's names.

use domain::{Order, PRIVATE_COLUMNS, Refund, Share, ShareReturn, UnixMs};
use payments::Caller;
use serde_json::{Map, Value, json};

/// What anybody may see of an order: its number, how it stands, amounts and times. Whoever knows or guesses a number
/// learns nothing about the payer from it.
const PUBLIC: [&str; 13] = [
    "out_trade_no",
    "status",
    "trade_state",
    "orderPaid",
    "user_order_success",
    "total_fee",
    "refund_fee",
    "create_date",
    "time_expire",
    "time_end",
    "pay_date",
    "notify_date",
    "cancel_date",
];

/// An order's VK-Pay columns (`docs/protocols/vkpay.md#order-columns`), without what is only the bundle's.
/// Callers that are not the merchant's own do not see the payer's address, account or the provider's words;
/// callers that are nobody see number, state, amounts and times.
pub fn order_columns(order: &Order, caller: &Caller) -> Map<String, Value> {
    let mut columns = order.columns();
    columns.extend(order.shipping.as_ref().map(|shipping| ("shipping".to_owned(), shipping.shown())));
    columns.extend(order.sharing.filter(|_| caller.trusted).map(|sharing| ("sharing".to_owned(), json!(sharing))));
    columns.retain(|key, _| caller.trusted || !PRIVATE_COLUMNS.contains(&key.as_str()));
    shown(columns, caller)
}

/// The fields that this caller may see.
fn shown(mut fields: Map<String, Value>, caller: &Caller) -> Map<String, Value> {
    fields.retain(|key, _| !caller.is_anyone() || PUBLIC.contains(&key.as_str()));
    fields
}

/// The fields of `queryPayment`'s reply.
pub fn payment_result(order: &Order, caller: &Caller) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    put("orderPaid", json!(order.trade_state.is_paid()));
    put("user_order_success", json!(order.user_order_success));
    put("user_order_reason", json!(order.user_order_reason));
    put("out_trade_no", json!(order.out_trade_no));
    put("transaction_id", json!(order.transaction_id));
    put("status", json!(order.status));
    put("trade_state", json!(order.trade_state));
    put("total_fee", json!(order.total_fee));
    put("refund_fee", json!(order.refund_fee));
    put("provider", json!(order.provider));
    put("pay_type", json!(order.pay_type));
    put("type", json!(order.kind));
    put("subject", json!(order.description));
    put("time_expire", json!(order.time_expire));
    put("pay_date", json!(order.pay_date));
    put("time_end", json!(order.pay_date.map(time_end)));
    shown(fields, caller)
}

/// The fields of a refund: the names of VK-Pay's two dialects.
pub fn refund_result(order: &Order, refund: &Refund) -> Map<String, Value> {
    let value = json!({
        "outTradeNo": order.out_trade_no,
        "transactionId": order.transaction_id,
        "outRefundNo": refund.out_refund_no,
        "refundId": refund.refund_id,
        "refundFee": refund.refund_fee,
        "cashRefundFee": refund.cash_refund_fee.unwrap_or(refund.refund_fee),
        "out_trade_no": order.out_trade_no,
        "out_refund_no": refund.out_refund_no,
        "refund_id": refund.refund_id,
        "refund_fee": refund.refund_fee,
        "status": refund.state,
        "reason": refund.reason,
    });
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields of a share.
pub fn share_fields(share: &Share) -> Map<String, Value> {
    let value = json!({
        "out_trade_no": share.out_trade_no,
        "out_order_no": share.out_order_no,
        "order_id": share.order_id,
        "state": share.state,
        "amount": share.amount(),
        "unfreeze_unsplit": share.unfreeze_unsplit,
        "receivers": share.receivers,
        "reason": share.reason,
        "create_date": share.create_date,
        "end_date": share.end_date,
    });
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The fields of a return.
pub fn return_fields(made: &ShareReturn) -> Map<String, Value> {
    let value = json!({
        "out_trade_no": made.out_trade_no,
        "out_order_no": made.out_order_no,
        "out_return_no": made.out_return_no,
        "return_id": made.return_id,
        "return_mchid": made.return_mchid,
        "amount": made.amount,
        "state": made.state,
        "fail_reason": made.fail_reason,
        "out_refund_no": made.out_refund_no,
        "create_date": made.create_date,
        "end_date": made.end_date,
    });
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// `yyyyMMddHHmmss` in Shanghai, as `time_end` of WeChat Pay's v2 and of the `url` dialect.
fn time_end(at: UnixMs) -> String {
    let format = time::macros::format_description!("[year][month][day][hour][minute][second]");
    time::OffsetDateTime::from_unix_timestamp(at.secs())
        .ok()
        .map(|t| t.to_offset(time::macros::offset!(+8)))
        .and_then(|t| t.format(format).ok())
        .unwrap_or_default()
}

/// A QR code as a PNG data URL, four pixels a module with a quiet zone of four modules.
pub fn qrcode_image(text: &str) -> Option<String> {
    const SCALE: usize = 4;
    const QUIET: usize = 4;
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).ok()?;
    let width = code.width();
    let side = (width + 2 * QUIET) * SCALE;
    let modules = code.to_colors();
    let dark = |x: usize, y: usize| {
        let (x, y) = ((x / SCALE).checked_sub(QUIET), (y / SCALE).checked_sub(QUIET));
        matches!((x, y), (Some(x), Some(y)) if x < width && y < width && modules[y * width + x] == qrcode::Color::Dark)
    };
    let stride = side.div_ceil(8);
    let mut bits = vec![0xffu8; stride * side];
    for y in 0..side {
        for x in (0..side).filter(|x| dark(*x, y)) {
            bits[y * stride + x / 8] &= !(0x80 >> (x % 8));
        }
    }
    let mut bytes = Vec::new();
    let size = u32::try_from(side).ok()?;
    let mut encoder = png::Encoder::new(&mut bytes, size, size);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.write_header().ok()?.write_image_data(&bits).ok()?;
    Some(format!("data:image/png;base64,{}", crypto::base64(&bytes)))
}
