//! What the stream says that happened, for a bus of EventBridge: `payment.paid`, `order.closed`, `refund.succeeded`,
//! `incident.opened`, `transfer.ended` (docs/handlers.md, "Events").
//!
//! An event is read off the two images of one record, so each change is told once, and again when its record comes
//! again. What is told are fields by name: a new one of an item is not told by itself.

use serde_json::{Map, Value, json};
use shared::crypto::hash;
use shared::domain::{Order, PRIVATE_COLUMNS, TransferState};

const REFUND: [&str; 10] = [
    "out_trade_no",
    "out_refund_no",
    "refund_id",
    "refund_fee",
    "refund_desc",
    "state",
    "provider",
    "merchant",
    "create_date",
    "refund_date",
];
const INCIDENT: [&str; 9] = [
    "incident",
    "provider",
    "merchant",
    "out_trade_no",
    "out_bill_no",
    "transaction_id",
    "out_refund_no",
    "expected",
    "actual",
];
// The payee is nobody else's business.
const TRANSFER: [&str; 8] =
    ["out_bill_no", "state", "transfer_amount", "provider", "merchant", "transfer_scene", "create_date", "end_date"];

/// An event to be put on the bus.
pub(crate) struct Announcement {
    /// `DetailType`.
    pub kind: &'static str,
    /// `Detail`: `id`, the same each time this is told, and the thing itself.
    pub detail: Value,
}

impl Announcement {
    /// What a record tells, if it is anything to announce.
    pub(crate) fn of(record: &Value) -> Option<Self> {
        let new = image(&record["dynamodb"]["NewImage"]);
        let old = image(&record["dynamodb"]["OldImage"]);
        let is = |image: &Map<String, Value>, name: &str, value: &str| image.get(name).is_some_and(|v| v == value);
        let became = |name: &str, value: &str| is(&new, name, value) && !is(&old, name, value);
        let (kind, name, said) = match new.get("kind")?.as_str()? {
            "order" if became("trade_state", "SUCCESS") && !is(&old, "trade_state", "REFUND") => {
                ("payment.paid", "order", order(&new)?)
            }
            "order" if became("trade_state", "CLOSED") => ("order.closed", "order", order(&new)?),
            "refund" if became("state", "SUCCESS") => ("refund.succeeded", "refund", named(&new, &REFUND)),
            "incident" if old.is_empty() => ("incident.opened", "incident", incident(&new)),
            // Also when the money of one that had succeeded comes back.
            "transfer" if has_ended(&new) && new.get("state") != old.get("state") => {
                ("transfer.ended", "transfer", named(&new, &TRANSFER))
            }
            _ => return None,
        };
        let key = |name: &str| new.get(name).and_then(Value::as_str).unwrap_or_default();
        let id = hash::sha256_hex(format!("{kind}\n{}\n{}\n{}", key("pk"), key("sk"), key("state")).as_bytes());
        Some(Self { kind, detail: json!({ "id": id, name: said }) })
    }
}

/// An order's columns, without those of the payer.
fn order(image: &Map<String, Value>) -> Option<Value> {
    let order: Order = serde_json::from_value(Value::Object(image.clone())).ok()?;
    let mut columns = order.columns();
    columns.retain(|name, _| !PRIVATE_COLUMNS.contains(&name.as_str()));
    Some(Value::Object(columns))
}

/// An incident; of what it compared about the payer, that it differs and not what it is.
fn incident(image: &Map<String, Value>) -> Value {
    let mut said = named(image, &INCIDENT);
    for compared in ["expected", "actual"] {
        let members = said.get_mut(compared).and_then(Value::as_object_mut);
        for (_, value) in members.into_iter().flatten().filter(|(name, _)| PRIVATE_COLUMNS.contains(&name.as_str())) {
            *value = json!("***");
        }
    }
    said
}

fn named(image: &Map<String, Value>, names: &[&str]) -> Value {
    names.iter().filter_map(|name| Some(((*name).to_owned(), image.get(*name)?.clone()))).collect()
}

fn has_ended(image: &Map<String, Value>) -> bool {
    let state = image.get("state").and_then(|state| serde_json::from_value::<TransferState>(state.clone()).ok());
    state.is_some_and(TransferState::is_final)
}

/// An image of the stream as plain JSON; empty where there is none.
fn image(image: &Value) -> Map<String, Value> {
    let attributes = image.as_object().into_iter().flatten();
    attributes.map(|(name, value)| (name.clone(), plain(value))).collect()
}

/// `{"S": "x"}` as `"x"`
/// (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html#Programming.LowLevelAPI.DataTypeDescriptors).
fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|attribute| attribute.iter().next()) else {
        return Value::Null;
    };
    match (kind.as_str(), value) {
        ("S" | "BOOL", value) => value.clone(),
        ("N", Value::String(number)) => number.parse::<i64>().map_or(Value::Null, |number| json!(number)),
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("M", Value::Object(members)) => members.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: &str, old: Value, new: Value) -> Value {
        let typed = |image: Value| -> Value {
            let Value::Object(image) = image else { return Value::Null };
            let mut typed: Map<String, Value> = image.into_iter().map(|(name, v)| (name, json!({ "S": v }))).collect();
            typed.insert("kind".to_owned(), json!({ "S": kind }));
            Value::Object(typed)
        };
        json!({ "dynamodb": { "OldImage": typed(old), "NewImage": typed(new) } })
    }

    #[test]
    fn an_incident_tells_that_the_payer_differs_and_not_who_it_is() {
        let new = json!({ "NewImage": {
            "kind": { "S": "incident" }, "incident": { "S": "amount_mismatch" },
            "expected": { "M": { "openid": { "S": "oA1" } } }, "actual": { "M": { "openid": { "S": "oB2" } } },
        } });
        let told = Announcement::of(&json!({ "dynamodb": new })).expect("an event");
        let compared = json!({ "openid": "***" });
        assert_eq!((&told.detail["incident"]["expected"], &told.detail["incident"]["actual"]), (&compared, &compared));
    }

    #[test]
    fn a_change_is_told_once_and_what_is_no_change_never() {
        let refund = |state: &str| json!({ "pk": "O#1", "sk": "R#1", "state": state, "out_refund_no": "1" });
        let told = Announcement::of(&record("refund", refund("PROCESSING"), refund("SUCCESS"))).expect("an event");
        assert_eq!((told.kind, &told.detail["refund"]["out_refund_no"]), ("refund.succeeded", &json!("1")));
        assert!(Announcement::of(&record("refund", refund("SUCCESS"), refund("SUCCESS"))).is_none());
        assert!(Announcement::of(&record("refund", refund("SUCCESS"), Value::Null)).is_none(), "deleted");
        assert!(Announcement::of(&json!({})).is_none());
    }

    #[test]
    fn a_payee_and_a_payment_are_not_told_of() {
        let transfer =
            |state: &str| json!({ "pk": "X#1", "sk": "X", "state": state, "payee": "openid", "provider": "wxpay" });
        let told = Announcement::of(&record("transfer", transfer("PROCESSING"), transfer("FAIL"))).expect("an event");
        assert_eq!(told.detail["transfer"], json!({ "state": "FAIL", "provider": "wxpay" }));
        assert!(Announcement::of(&record("transfer", transfer("PROCESSING"), transfer("CANCELING"))).is_none());
        let incident = json!({ "pk": "I#1", "sk": "I", "incident": "late_payment", "payment": "secret" });
        let told = Announcement::of(&record("incident", Value::Null, incident)).expect("an event");
        assert_eq!(told.detail["incident"], json!({ "incident": "late_payment" }));
    }
}
