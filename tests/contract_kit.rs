//! Every reply that a test gets from a function fits `docs/openapi.json`.

use jsonschema::Validator;
use serde_json::{Value, json};
use shared::domain::action::Action;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../docs/openapi.json")).expect("the OpenAPI document"));
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// What checks one of the document's schemas.
fn validator(name: &str) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let made = validators.entry(name.to_owned()).or_insert_with(|| {
        let reference = format!("#/components/schemas/{name}");
        assert!(DOCUMENT.pointer(&reference[1..]).is_some(), "docs/openapi.json has no {name}");
        let schema = json!({ "$ref": reference, "components": DOCUMENT["components"] });
        Arc::new(jsonschema::draft202012::new(&schema).expect("a schema"))
    });
    made.clone()
}

/// The action that a body asks a function for.
fn action_of(function: &str, body: &Value) -> Option<Action> {
    let named = ["action", "$url", "url"].into_iter().find_map(|key| body.get(key).filter(|name| !name.is_null()));
    let mut own = Action::ALL.iter().copied().filter(|action| action.function() == function);
    match named {
        None => own.next(),
        Some(name) => name.as_str().and_then(|name| own.find(|action| action.is_named(name))),
    }
}

/// The schema that a reply must fit, and what does not fit in it.
fn misfits(function: &str, body: &Value, status: u16, reply: &Value) -> (String, Vec<String>) {
    let name = match action_of(function, body).filter(|_| status == 200) {
        Some(action) => {
            let mapping = "/post/requestBody/content/application~1json/schema/discriminator/mapping";
            let operation = format!("/paths/~1{function}{mapping}");
            let request = DOCUMENT.pointer(&operation).and_then(|mapping| mapping[action.name()].as_str());
            let request = request.unwrap_or_else(|| panic!("docs/openapi.json has no {}", action.name()));
            let name = request.trim_start_matches("#/components/schemas/");
            let name = name.strip_suffix("Request").expect("a request's schema");
            format!("{name}Reply")
        }
        None => format!("Error{status}"),
    };
    let validator = validator(&name);
    let errors = validator.iter_errors(reply).map(|error| format!("{}: {error}", error.instance_path())).collect();
    (name, errors)
}

/// Fails where the reply of a function does not fit the document. What stands before a function, as the emulator of
/// a killed process, answers in its own words.
pub fn check(function: &str, body: &Value, status: u16, reply: &Value) {
    if !Action::ALL.iter().any(|action| action.function() == function) || reply.get("request_id").is_none() {
        return;
    }
    let (name, errors) = misfits(function, body, status, reply);
    assert!(
        errors.is_empty(),
        "a reply does not fit {name} of docs/openapi.json: {errors:?}\n{body}\n{status} {reply}"
    );
}

#[test]
fn a_reply_that_says_something_else_does_not_fit() {
    let body = json!({ "action": "pay/closePayment", "data": {} });
    let result = json!({ "out_trade_no": "T1", "trade_state": "CLOSED", "status": -1 });
    let mut right = json!({ "code": 0, "msg": "m", "request_id": "r", "data": result });
    right.as_object_mut().expect("an object").extend(result.as_object().expect("an object").clone());
    let fits = |reply: &Value| misfits("create-payment", &body, 200, reply).1.is_empty();
    assert!(fits(&right));
    for (pointer, wrong) in [
        ("/code", json!(1001)),
        ("/trade_state", json!("closed")),
        ("/status", json!("-1")),
        ("/out_trade_no", json!(null)),
        ("/data", json!({})),
        ("/data/status", json!(7)),
    ] {
        let mut reply = right.clone();
        *reply.pointer_mut(pointer).expect("a field") = wrong;
        assert!(!fits(&reply), "{pointer}");
    }
    let fault = json!({ "code": 1001, "msg": "m", "request_id": "r", "data": {} });
    assert!(!misfits("create-payment", &body, 400, &fault).1.is_empty(), "a fault of a field names it");
}
