//! The OpenAPI document of the functions, made of the tables of actions, fields and codes. What an action answers is
//! in [`replies`](crate::replies).

use crate::examples::{examples, reply};
use crate::meanings::field_meanings;
use crate::replies::result;
use domain::action::{Access, Action};
use domain::{Code, Fen, Field, Provider, Shape, fields};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The names of an action's schemas: `pay/wxpayVirtual/currencyPay` has `WxpayVirtualCurrencyPay`.
pub fn schema_name(action: Action) -> String {
    let parts = action.short_name().split('/');
    parts
        .map(|part| part.chars().take(1).flat_map(char::to_uppercase).chain(part.chars().skip(1)).collect::<String>())
        .collect()
}

/// The document.
pub fn openapi() -> Value {
    let mut functions: BTreeMap<&str, Vec<Action>> = BTreeMap::new();
    for action in Action::ALL.iter().copied() {
        functions.entry(action.function()).or_default().push(action);
    }
    let mut paths: Map<String, Value> =
        functions.iter().map(|(name, actions)| (format!("/{name}"), function(name, actions))).collect();
    paths.extend(callbacks());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "VK-Pay for AWS",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Payments for uni-app and VK-Pay clients as Lambda functions.",
            "description": "Each path is a function with a URL of its own on AWS (there without the path); the local stack serves them below one address. A request is modelled in one shape, with its action as `action` and its fields under `data`; VK-Pay's other shapes of the same request are served too (`$url` or `url` instead of `action`, fields beside it instead of under `data`, no action for a function's first, fields in the query string): docs/api.md#envelope. The names of fields, dialects and states are explained in docs/api.md, the codes in docs/codes.md. Amounts are integers in fen (100 for 1.00 yuan), times Unix milliseconds.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "http://127.0.0.1:8787", "description": "The local stack (`cargo run`)" }],
        "tags": functions.keys().map(|name| json!({ "name": name })).chain([json!({ "name": "notify" })]).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "headers": { "RetryAfter": { "description": "Whole seconds after which to ask again.", "schema": { "type": "integer", "minimum": 0 } }, "Allow": allow() },
            "responses": errors(),
            "schemas": schemas(),
        },
    })
}

/// What a 405 says of the methods.
fn allow() -> Value {
    json!({ "description": "What is served instead.", "required": true, "schema": { "type": "string", "const": "POST" } })
}

fn security_schemes() -> Value {
    json!({
        "key": { "type": "http", "scheme": "bearer", "description": "A key of `auth.keys`: the merchant's own systems." },
        "jwt": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "A token of the merchant's users; a uni-id token may also stand as `uniIdToken` beside `data`." },
        "sigv4": { "type": "apiKey", "in": "header", "name": "Authorization", "description": "AWS Signature Version 4 (`AWS4-HMAC-SHA256 …`, service `lambda`), for Function URLs of type AWS_IAM." },
    })
}

/// A function: one address, whose actions the body tells apart.
fn function(name: &str, actions: &[Action]) -> Value {
    let reference =
        |action: &Action, end: &str| json!({ "$ref": format!("#/components/schemas/{}{end}", schema_name(*action)) });
    let requests: Vec<Value> = actions.iter().map(|action| reference(action, "Request")).collect();
    let replies: Vec<Value> = actions.iter().map(|action| reference(action, "Reply")).collect();
    let mapping: Map<String, Value> = actions
        .iter()
        .map(|action| {
            (action.name().to_owned(), json!(format!("#/components/schemas/{}Request", schema_name(*action))))
        })
        .collect();
    let examples: Map<String, Value> = actions
        .iter()
        .flat_map(|action| examples(*action).into_iter().map(|(name, data)| (name, action.name(), data)))
        .map(|(name, action, data)| (name.to_owned(), json!({ "value": { "action": action, "data": data } })))
        .collect();
    let answered: Map<String, Value> =
        examples.keys().filter_map(|name| Some((name.clone(), json!({ "value": reply(name)? })))).collect();
    let open = actions.iter().any(|action| action.access().may_be_open());
    let mut security = vec![json!({ "key": [] }), json!({ "jwt": [] }), json!({ "sigv4": [] })];
    if open {
        security.push(json!({}));
    }
    let mut responses = Map::from_iter([(
        "200".to_owned(),
        json!({
            "description": "Done, or a state that is no failure.",
            "headers": { "Retry-After": { "$ref": "#/components/headers/RetryAfter" } },
            "content": { "application/json": { "schema": { "anyOf": replies }, "examples": answered } },
        }),
    )]);
    for status in statuses() {
        responses.insert(status.to_string(), json!({ "$ref": format!("#/components/responses/Error{status}") }));
    }
    json!({
        "post": {
            "operationId": name,
            "tags": [name],
            "summary": format!("{}.", actions.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ")),
            "security": security,
            "parameters": [{
                "name": "Accept-Language", "in": "header", "description": "`en` for English texts; Chinese is the default.",
                "schema": { "type": "string", "examples": ["en"] },
            }],
            "requestBody": {
                "required": true,
                "content": { "application/json": {
                    "schema": {
                        "oneOf": requests,
                        "discriminator": { "propertyName": "action", "mapping": mapping },
                    },
                    "examples": examples,
                } },
            },
            "responses": responses,
        },
    })
}

/// The statuses of the codes that are failures.
fn statuses() -> BTreeSet<u16> {
    Code::ALL.iter().map(|code| code.status).filter(|status| *status != 200).collect()
}

/// The replies of each status, with the codes that have it.
fn errors() -> Map<String, Value> {
    let error = |status: u16| {
        let codes: Vec<String> = Code::ALL
            .iter()
            .filter(|code| code.status == status)
            .map(|code| format!("- {}: {} ({})", code.number, code.en, code.zh))
            .collect();
        let mut body = json!({ "description": codes.join("\n"), "content": { "application/json": {
            "schema": { "$ref": format!("#/components/schemas/Error{status}") },
        } } });
        if status == Code::METHOD.status {
            body["headers"] = json!({ "Allow": { "$ref": "#/components/headers/Allow" } });
        }
        (format!("Error{status}"), body)
    };
    statuses().into_iter().map(error).collect()
}

fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert("Fen".to_owned(), amount());
    schemas.insert("Provider".to_owned(), json!({ "type": "string", "enum": Provider::ALL.map(Provider::name) }));
    schemas.insert(
        "Envelope".to_owned(),
        json!({
            "type": "object",
            "description": "What every reply has. The result fields stand beside these, and again under `data`.",
            "properties": {
                "code": { "type": "integer" },
                "msg": { "type": "string" },
                "request_id": { "type": "string" },
                "data": { "type": "object" },
            },
            "required": ["code", "msg", "request_id", "data"],
        }),
    );
    for status in statuses() {
        schemas.insert(format!("Error{status}"), error(status));
    }
    let meanings = field_meanings();
    for action in Action::ALL.iter().copied() {
        let name = schema_name(action);
        schemas.insert(format!("{name}Data"), data(action, &meanings));
        // A body without `data` has its fields beside the action; where none is needed, there may be none.
        let needs = fields::of(action).iter().any(|field| field.needed);
        schemas.insert(
            format!("{name}Request"),
            json!({
                "type": "object",
                "description": format!("Who may call: {}.", access(action.access())),
                "properties": {
                    "action": { "const": action.name() },
                    "data": { "$ref": format!("#/components/schemas/{name}Data") },
                    "uniIdToken": { "type": "string", "description": "A uni-id token, in place of the header." },
                },
                "required": if needs { json!(["action", "data"]) } else { json!(["action"]) },
            }),
        );
        let (result, codes) = result(action);
        schemas.insert(format!("{name}Result"), result);
        let result = json!({ "$ref": format!("#/components/schemas/{name}Result") });
        schemas.insert(
            format!("{name}Reply"),
            json!({
                "allOf": [{ "$ref": "#/components/schemas/Envelope" }, result],
                "properties": { "code": { "enum": codes }, "data": result },
            }),
        );
    }
    schemas
}

const fn access(access: Access) -> &'static str {
    match access {
        Access::Payer => "payers for their own, or anybody where `auth` allows it",
        Access::User => "users for their own",
        Access::Merchant => "the merchant",
        Access::Named => "the merchant, where `auth` names it",
    }
}

/// A failure of a status. Where the code is about a field, the reply names one.
fn error(status: u16) -> Value {
    let codes: Vec<&Code> = Code::ALL.iter().filter(|code| code.status == status).collect();
    let numbers: Vec<i64> = codes.iter().map(|code| code.number).collect();
    let field = json!({ "type": "string", "description": "The field of the request that is at fault." });
    let mut own = json!({
        "allOf": [{ "$ref": "#/components/schemas/Envelope" }],
        "properties": { "code": { "enum": numbers }, "field": field, "data": { "properties": { "field": field } } },
    });
    let about: Vec<i64> = codes
        .iter()
        .filter(|code| status == 400 && (code.field().is_some() || code.number == Code::FIELD.number))
        .map(|code| code.number)
        .collect();
    if !about.is_empty() {
        own["if"] = json!({ "properties": { "code": { "enum": about } } });
        own["then"] = json!({ "required": ["field"], "properties": { "data": { "required": ["field"] } } });
    }
    own
}

fn amount() -> Value {
    json!({
        "description": "An amount in fen, 100 for 1.00 yuan: an integer, or its canonical decimal text.",
        "type": ["integer", "string"], "minimum": 1, "maximum": Fen::MAX, "pattern": "^[1-9][0-9]*$",
        "examples": [100],
    })
}

/// The data of a request.
fn data(action: Action, meanings: &BTreeMap<(String, String), String>) -> Value {
    let declared = fields::of(action);
    let mut schema = object(declared, action.name(), meanings);
    if declared.iter().any(|field| field.name == fields::QUOTE.name) {
        // A quote says them in the request's place.
        let needed = schema.get_mut("required").map(Value::take).unwrap_or_default();
        let object = schema.as_object_mut();
        object.map(|object| object.remove("required"));
        schema["anyOf"] = json!([{ "required": needed }, { "required": [fields::QUOTE.name, fields::SUBJECT.name] }]);
    }
    schema
}

fn object(declared: &[Field], about: &str, meanings: &BTreeMap<(String, String), String>) -> Value {
    let mut properties = Map::new();
    for field in declared.iter().filter(|field| !matches!(field.shape, Shape::Refused(_))) {
        let mut schema = shape(field, about, meanings);
        let own = meanings.get(&(about.to_owned(), field.name.to_owned()));
        if !schema.get("$ref").is_some_and(Value::is_string) || own.is_some() {
            let wants = field.shape.wants();
            schema["description"] = json!(own.map_or(wants, Clone::clone));
        }
        properties.insert(field.name.to_owned(), schema);
    }
    let needed: Vec<&str> = declared.iter().filter(|field| field.needed).map(|field| field.name).collect();
    match needed.is_empty() {
        true => json!({ "type": "object", "properties": properties }),
        false => json!({ "type": "object", "properties": properties, "required": needed }),
    }
}

fn shape(field: &Field, about: &str, meanings: &BTreeMap<(String, String), String>) -> Value {
    match field.shape {
        Shape::Text(most) => {
            json!({ "type": "string", "maxLength": most, "pattern": r"^[^\u0000-\u001F\u007F-\u009F]*$" })
        }
        Shape::Number => json!({ "type": "string", "pattern": r"^[A-Za-z0-9_|*@.\-]{1,64}$" }),
        Shape::Fen => json!({ "$ref": "#/components/schemas/Fen" }),
        Shape::Integer { least, most, .. } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Choice(words) => json!({ "type": "string", "enum": words }),
        Shape::Provider => json!({ "$ref": "#/components/schemas/Provider" }),
        Shape::Object if field.name == fields::PAYEE_INFO.name => object(fields::PAYEE, about, meanings),
        Shape::Object => json!({ "type": "object" }),
        Shape::Checked(_) | Shape::Lenient(_) | Shape::Refused(_) => json!({}),
    }
}

/// What providers call.
fn callbacks() -> Vec<(String, Value)> {
    let kinds = [
        ("pay-notify", "A payment"),
        ("refund-notify", "A refund"),
        ("transfer-notify", "A transfer"),
        ("complaint-notify", "A complaint"),
    ];
    let parameter = |name: &str, schema: Value, what: &str| json!({ "name": name, "in": "path", "required": true, "description": what, "schema": schema });
    let operation = |id: &str, summary: &str| {
        json!({
            "operationId": id,
            "tags": ["notify"],
            "summary": summary,
            "description": "Bodies, signatures and answers are the provider's own: docs/callbacks.md. Nothing but the provider's signature lets a callback in.",
            "security": [],
            "responses": {
                "200": { "description": "Taken, in the provider's words." },
                "204": { "description": "Taken." },
                "4XX": { "description": "Forged, stale, or not to be served; in the provider's words." },
                "5XX": { "description": "A fault of ours: the provider sends it again." },
            },
        })
    };
    let callback = |(kind, what): (&str, &str)| {
        let mut path = json!({
            "parameters": [
                parameter("provider", json!({ "$ref": "#/components/schemas/Provider" }), "Whose callback it is."),
                parameter("merchant", json!({ "type": "string" }), "Whose keys verify it: `default`, or a key of `merchants`."),
            ],
            "post": operation(kind, &format!("{what}, as its provider tells of it.")),
        });
        path["post"]["requestBody"] = json!({ "content": { "*/*": {} } });
        if kind == "pay-notify" {
            let summary =
                "A payment that an epay site tells of in its query, and WeChat's probe of a message push URL.";
            path["get"] = operation("pay-notify-get", summary);
        }
        (format!("/notify/{kind}/{{provider}}/{{merchant}}"), path)
    };
    kinds.into_iter().map(callback).collect()
}
