//! The order object of APIv3, as the query answers it and the callback carries it
//! (`docs/protocols/wechat.md#query-close-reverse`, `docs/protocols/wechat.md#callbacks`).

use super::text;
use crate::Standing;
use domain::{Fen, Parties, Payment, Provider};
use serde_json::{Map, Value, json};

fn text_at<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|t| !t.is_empty())
}

/// `appid`, in partner mode the service provider's.
pub(super) fn app_id(object: &Value) -> Option<&str> {
    text_at(object, "appid").or_else(|| text_at(object, "sp_appid"))
}

/// `mchid`, in partner mode the service provider's.
pub(super) fn mch_id(object: &Value) -> Option<&str> {
    text_at(object, "mchid").or_else(|| text_at(object, "sp_mchid"))
}

/// The payment that an order object states; `None` when a field that must be there is not, or is of
/// another shape. Whether it was paid at all is not asked here.
pub(super) fn payment(object: &Value, merchant: &str) -> Option<Payment> {
    let amount = object.get("amount")?;
    let payer = object.get("payer");
    let payer = payer.and_then(|p| ["openid", "sub_openid", "sp_openid"].iter().find_map(|key| text_at(p, key)));
    Some(Payment {
        total: Some(Fen(amount.get("total")?.as_u64()?)),
        currency: text_at(amount, "currency")?.to_owned(),
        app_id: Some(app_id(object)?.to_owned()),
        mch_id: Some(mch_id(object)?.to_owned()),
        parties: Parties {
            sub_mch_id: Some(text_at(object, "sub_mchid").unwrap_or_default().to_owned()),
            sub_app_id: text_at(object, "sub_appid").map(str::to_owned),
            ..Parties::default()
        },
        payer: payer.map(str::to_owned),
        paid_at: text_at(object, "success_time").and_then(text::from_rfc3339),
        info: redacted(object),
        ..Payment::new(Provider::Wxpay, merchant, text_at(object, "out_trade_no")?, text_at(object, "transaction_id")?)
    })
}

/// How an order stands. `None` when it says that it was paid and does not say what.
pub(super) fn standing(object: &Value, merchant: &str) -> Option<Standing> {
    Some(match text_at(object, "trade_state")? {
        "SUCCESS" | "REFUND" => Standing::Paid(vec![payment(object, merchant)?]),
        "NOTPAY" | "PAYERROR" => Standing::Unpaid { paying: false },
        "CLOSED" | "REVOKED" => Standing::Closed,
        _ => Standing::Unpaid { paying: true },
    })
}

/// What is kept of the provider's words.
fn redacted(object: &Value) -> Value {
    const KEPT: [&str; 17] = [
        "appid",
        "mchid",
        "sp_appid",
        "sp_mchid",
        "sub_appid",
        "sub_mchid",
        "out_trade_no",
        "transaction_id",
        "trade_type",
        "trade_state",
        "bank_type",
        "attach",
        "success_time",
        "payer",
        "amount",
        "store_id",
        "device_id",
    ];
    let mut kept: Map<String, Value> =
        KEPT.iter().filter_map(|key| Some(((*key).to_owned(), object.get(*key)?.clone()))).collect();
    if let Some(promotions) = object.get("promotion_detail").and_then(Value::as_array) {
        let summary = |p: &Value| {
            json!({
                "coupon_id": p["coupon_id"], "name": p["name"], "scope": p["scope"],
                "type": p["type"], "amount": p["amount"],
            })
        };
        kept.insert("promotion_detail".to_owned(), promotions.iter().take(20).map(summary).collect());
    }
    text::without_nulls(&Value::Object(kept))
}
