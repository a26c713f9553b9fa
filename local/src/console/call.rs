//! Calls of the functions, made as any client makes them, and written down.

use super::text::parsed;
use super::view::{Console, View};
use crate::journal::Exchange;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use shared::api::Request;
use shared::domain::action::Action;
use std::collections::HashMap;
use std::time::Instant;

/// Items of one page of a table.
pub(super) const SCANNED: i32 = 1_000;

/// Some items of a table, and where the next ones begin.
pub(super) type Scanned = (Vec<Map<String, Value>>, Option<Map<String, Value>>);

impl Console {
    /// Calls an action with the merchant's credential.
    pub(super) async fn call(&self, view: &View, action: impl Into<Action>, data: Map<String, Value>) -> Exchange {
        let action = action.into();
        let path = format!("/{}", action.function());
        let out_trade_no = data.get("out_trade_no").and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = json!({ "url": action.name(), "data": data });
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(view.lang.tag()));
        let request = Request {
            method: Method::POST,
            path: path.clone(),
            headers,
            body: body.to_string().into_bytes(),
            source_ip: "127.0.0.1".to_owned(),
            request_id: hex::encode(shared::crypto::random::<8>()),
            ..Request::default()
        };
        let (at, began) = (self.now(), Instant::now());
        let (status, response) = match self.calls.call(action.function(), request).await {
            Ok(answer) => (answer.status, parsed(&answer.body)),
            Err(why) => (504, json!({ "msg": why })),
        };
        // An incident's action names the order only in its answer.
        let out_trade_no = match response.get("out_trade_no").and_then(Value::as_str) {
            Some(no) if out_trade_no.is_empty() => no.to_owned(),
            _ => out_trade_no,
        };
        let mut exchange = Exchange {
            at,
            out_trade_no,
            title: action.name().to_owned(),
            path,
            request: body,
            status,
            response,
            millis: u64::try_from(began.elapsed().as_millis()).ok(),
            ..Exchange::default()
        };
        exchange.id = self.journal.exchange(exchange.clone());
        exchange
    }

    /// A page of a table's items, of one `kind` where it is named: the console's own look at a table; no function ever
    /// does this. The items are in no order.
    ///
    /// # Errors
    /// What the table says.
    pub(super) async fn scan(
        &self,
        table: &str,
        kind: Option<&str>,
        after: Option<&Map<String, Value>>,
    ) -> Result<Scanned, String> {
        use aws_sdk_dynamodb::types::AttributeValue as Av;
        let start = after.map(|key| {
            key.iter().map(|(name, value)| (name.clone(), Av::S(value.as_str().unwrap_or_default().to_owned()))).collect()
        });
        let mut scan = self.dynamodb.scan().table_name(table).limit(SCANNED).set_exclusive_start_key(start);
        if let Some(kind) = kind {
            scan = scan
                .filter_expression("#kind = :kind")
                .expression_attribute_names("#kind", "kind")
                .expression_attribute_values(":kind", Av::S(kind.to_owned()));
        }
        let page = scan.send().await.map_err(|e| e.into_service_error().to_string())?;
        let plain = |item: &HashMap<String, Av>| item.iter().map(|(k, v)| (k.clone(), json_of(v))).collect();
        let next = page.last_evaluated_key.filter(|key| !key.is_empty());
        Ok((page.items.unwrap_or_default().iter().map(plain).collect(), next.as_ref().map(plain)))
    }
}

/// An attribute as JSON, numbers by their decimal text.
fn json_of(attribute: &aws_sdk_dynamodb::types::AttributeValue) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue as Av;
    match attribute {
        Av::S(text) => json!(text),
        Av::N(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Av::Bool(flag) => json!(flag),
        Av::L(list) => Value::Array(list.iter().map(json_of).collect()),
        Av::M(map) => {
            let mut entries: Vec<_> = map.iter().map(|(k, v)| (k.clone(), json_of(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Av::Ss(set) | Av::Ns(set) => json!(set),
        _ => Value::Null,
    }
}
