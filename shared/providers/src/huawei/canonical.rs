//! The canonical text that Huawei signs (`docs/protocols/huawei.md#signing`), made from JSON as it was received:
//! numbers keep their digits, fields that nobody knows are in it, and a name that stands twice is refused.

use crate::common::members::Members;
use serde_json::value::RawValue;

/// The deepest nesting that is read.
const DEEPEST: usize = 16;

/// The canonical text of an object without `sign`: sorted, `null` left out, empty texts kept. `None` for what
/// is no object, or names a field twice.
pub fn canonical(raw: &str) -> Option<String> {
    object(raw, Some("sign"), DEEPEST)
}

/// The same, with another field left out.
pub(super) fn canonical_without(raw: &str, name: &str) -> Option<String> {
    object(raw, Some(name), DEEPEST)
}

fn object(raw: &str, without: Option<&str>, depth: usize) -> Option<String> {
    let Members(mut members) = serde_json::from_str(raw).ok()?;
    members.sort_by(|a, b| a.0.cmp(&b.0));
    if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return None;
    }
    let mut parts = Vec::with_capacity(members.len());
    for (name, value) in members {
        if without != Some(&name) && value != "null" {
            parts.push(format!("{name}={}", text(value, depth)?));
        }
    }
    Some(parts.join("&"))
}

fn text(raw: &str, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match raw.as_bytes().first()? {
        b'{' => object(raw, None, depth),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            let items = items.iter().map(|item| item.get()).filter(|item| *item != "null");
            Some(items.map(|item| text(item, depth)).collect::<Option<Vec<_>>>()?.join(","))
        }
        b'"' => serde_json::from_str(raw).ok(),
        _ => Some(raw.to_owned()),
    }
}
