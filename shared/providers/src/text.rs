//! Small readings of a provider's words.

use serde_json::{Map, Value};

/// Whether a provider's text says that there is no such order, where it has no code for that: the order must be named,
/// and nothing else that does not exist (a merchant, an application).
pub fn says_no_such_order(text: &str) -> bool {
    const ABSENT: [&str; 8] = [
        "订单不存在",
        "订单号不存在",
        "该订单不存在",
        "order not exist",
        "order not exists",
        "order not found",
        "order does not exist",
        "no such order",
    ];
    // WeChat appends the request's number. Nothing else may follow: "or is finished" would mean the opposite.
    let text = text.to_ascii_lowercase();
    let text = text.split(" rid:").next().unwrap_or_default();
    ABSENT.contains(&text.trim().trim_end_matches(['!', '！', '.', '。']))
}

/// A text of an object, on the wire or in `other`. A blank one is absent: providers write `""` for what they do
/// not say.
pub fn text_of<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Whether an object says something under a name: neither null nor a blank text.
pub fn is_said(object: &Map<String, Value>, key: &str) -> bool {
    match object.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Whether an object names a moment under a name, which 0 is not.
pub fn is_dated(object: &Map<String, Value>, key: &str) -> bool {
    is_said(object, key) && object.get(key).is_some_and(|at| at.as_i64() != Some(0) && at.as_str() != Some("0"))
}

/// What is kept of a provider's words: the members of those names.
pub(crate) fn kept<V: FromIterator<(String, Value)>>(names: &[&str], object: &Map<String, Value>) -> V {
    names.iter().filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone()))).collect()
}
