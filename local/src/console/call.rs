//! Calls of the functions, made as any client makes them, and written down.

use super::view::{Console, View};
use crate::functions;
use crate::journal::Exchange;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use serde_json::{Map, Value, json};
use shared::api::Request;
use shared::domain::action::Action;
use std::collections::HashMap;

use super::text::parsed;

impl Console {
    /// Calls an action with the merchant's key.
    pub async fn call(&self, view: &View, action: impl Into<Action>, data: Map<String, Value>) -> Exchange {
        let action = action.into();
        let key = self.app.config().await.auth.keys.first().map(|(_, secret)| secret.expose().to_owned());
        let path = format!("/{}", action.function());
        let out_trade_no = data.get("out_trade_no").and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = json!({ "url": action.name(), "data": data });
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(view.lang.tag()));
        if let Some(Ok(value)) = key.map(|key| HeaderValue::from_str(&format!("Bearer {key}"))) {
            headers.insert(header::AUTHORIZATION, value);
        }
        let request = Request {
            method: Method::POST,
            path: path.clone(),
            headers,
            body: body.to_string().into_bytes(),
            source_ip: "127.0.0.1".to_owned(),
            request_id: hex::encode(shared::crypto::random::<8>()),
            ..Request::default()
        };
        let answer = functions::dispatch(&self.app, request).await;
        let response = parsed(&answer.body);
        // An incident's action names the order only in its answer.
        let out_trade_no = match response.get("out_trade_no").and_then(Value::as_str) {
            Some(no) if out_trade_no.is_empty() => no.to_owned(),
            _ => out_trade_no,
        };
        let mut exchange = Exchange {
            id: 0,
            at: (self.app.clock)(),
            out_trade_no,
            title: action.name().to_owned(),
            path,
            request: body,
            status: answer.status,
            response,
        };
        exchange.id = self.journal.exchange(exchange.clone());
        exchange
    }

    /// Every item of a table whose attributes have these values. The console's own look at the tables; no function
    /// ever does this.
    ///
    /// # Errors
    /// What the table says.
    pub async fn scan(&self, table: &str, wanted: &[(&str, &str)]) -> Result<Vec<Map<String, Value>>, String> {
        use aws_sdk_dynamodb::types::AttributeValue as Av;
        let mut items = Vec::new();
        let mut start: Option<HashMap<String, Av>> = None;
        loop {
            let mut request = self.dynamodb.scan().table_name(table).set_exclusive_start_key(start);
            for (at, (name, value)) in wanted.iter().enumerate() {
                request = request
                    .expression_attribute_names(format!("#n{at}"), *name)
                    .expression_attribute_values(format!(":v{at}"), Av::S((*value).to_owned()));
            }
            let clauses: Vec<String> = (0..wanted.len()).map(|at| format!("#n{at} = :v{at}")).collect();
            request = request.set_filter_expression(Some(clauses.join(" AND ")).filter(|text| !text.is_empty()));
            let page = request.send().await.map_err(|e| e.into_service_error().to_string())?;
            let rows = page.items.unwrap_or_default();
            items.extend(rows.iter().map(|item| item.iter().map(|(k, v)| (k.clone(), json_of(v))).collect()));
            match page.last_evaluated_key {
                Some(key) if !key.is_empty() => start = Some(key),
                _ => return Ok(items),
            }
        }
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
