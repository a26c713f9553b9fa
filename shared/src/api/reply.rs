//! Replies: `code`, `msg`, `request_id`, the result flat and again under `data`.

use super::Response;
use domain::{Code, Failure};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A reply in the making.
pub struct Reply {
    code: Code,
    status: u16,
    fields: Map<String, Value>,
    retry_after: Option<u64>,
}

impl Reply {
    /// A success with its result fields.
    pub const fn ok(fields: Map<String, Value>) -> Self {
        Self { code: Code::OK, status: 200, fields, retry_after: None }
    }

    /// A state that VK-Pay answers with a code of its own, and HTTP 200.
    pub const fn state(code: Code, fields: Map<String, Value>) -> Self {
        Self { code, status: 200, fields, retry_after: None }
    }

    /// The same with `Retry-After`. It counts whole seconds, and must not hold back a client that reads the
    /// milliseconds: rounded down.
    #[must_use]
    pub const fn again_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause.as_secs());
        self
    }

    pub(super) fn into_response(self, request_id: &str, english: bool) -> Response {
        let response = render(self.code, self.status, None, self.fields, request_id, english);
        Response { retry_after: self.retry_after, ..response }
    }
}

pub(super) fn failed(failure: &Failure, request_id: &str, english: bool) -> Response {
    let mut fields = failure.data.as_deref().cloned().unwrap_or_default();
    if let Some(field) = &failure.field {
        fields.insert("field".to_owned(), json!(field));
    }
    render(failure.code, failure.code.status, failure.says.as_deref(), fields, request_id, english)
}

fn render(
    code: Code,
    status: u16,
    says: Option<&str>,
    fields: Map<String, Value>,
    request_id: &str,
    english: bool,
) -> Response {
    let text = if english { code.en } else { code.zh };
    let msg = match says {
        Some(says) if !says.is_empty() => format!("{text}: {says}"),
        _ => text.to_owned(),
    };
    let mut body = Map::new();
    body.insert("code".to_owned(), json!(code.number));
    body.insert("msg".to_owned(), json!(msg));
    body.insert("request_id".to_owned(), json!(request_id));
    for (key, value) in &fields {
        body.entry(key).or_insert_with(|| value.clone());
    }
    body.insert("data".to_owned(), Value::Object(fields));
    let body = Value::Object(body).to_string();
    Response { status, content_type: "application/json; charset=utf-8", retry_after: None, body }
}

/// True when `Accept-Language` prefers English to Chinese. Chinese is the default.
pub(super) fn prefers_english(header: Option<&str>) -> bool {
    let weight = |language: &str| -> Option<u32> {
        header?
            .split(',')
            .filter_map(|part| {
                let mut pieces = part.trim().split(';');
                let tag = pieces.next()?.trim().to_ascii_lowercase();
                let quality = pieces.find_map(|p| p.trim().strip_prefix("q=").map(str::to_owned));
                let thousandths = match quality.as_deref() {
                    None => 1000,
                    Some(text) => {
                        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
                        let rest: String = format!("{rest}000").chars().take(3).collect();
                        whole.parse::<u32>().ok()? * 1000 + rest.parse::<u32>().ok()?
                    }
                };
                (tag == language || tag.starts_with(&format!("{language}-"))).then_some(thousandths)
            })
            .max()
    };
    match (weight("en"), weight("zh")) {
        (Some(0) | None, _) => false,
        (Some(_), None) => true,
        (Some(en), Some(zh)) => en > zh,
    }
}
