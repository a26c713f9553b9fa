//! The OpenAPI document is what the tables of actions, fields and codes say.

use contracts::{openapi, pretty, schema_name};
use domain::action::Action;
use domain::{Code, fields};
use serde_json::{Value, json};

#[test]
fn the_committed_document_is_the_one_that_the_tables_make() {
    let committed = include_str!("../../docs/openapi.json");
    assert!(pretty(&openapi()) == committed, "renew it: cargo run -p contracts -- openapi > docs/openapi.json");
}

/// The references of a document.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = openapi();
    let mut all = Vec::new();
    references(&document, &mut all);
    assert!(all.len() > 100);
    for reference in all {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn every_action_is_in_its_function_and_every_code_in_its_status() {
    let document = openapi();
    for action in Action::ALL {
        let body = &document["paths"][format!("/{}", action.function())]["post"]["requestBody"];
        let schema = &body["content"]["application/json"]["schema"];
        let own = format!("#/components/schemas/{}Request", schema_name(*action));
        assert_eq!(schema["discriminator"]["mapping"][action.name()], json!(own));
        let data = &document["components"]["schemas"][format!("{}Data", schema_name(*action))];
        for field in fields::of(*action).iter().filter(|field| !matches!(field.shape, domain::Shape::Refused(_))) {
            assert!(data["properties"][field.name].is_object(), "{}: {}", action.name(), field.name);
        }
    }
    for code in Code::ALL.iter().filter(|code| code.status != 200) {
        let codes = &document["components"]["schemas"][format!("Error{}", code.status)]["properties"]["code"]["enum"];
        assert!(codes.as_array().is_some_and(|codes| codes.contains(&json!(code.number))), "{}", code.number);
    }
}

#[test]
fn every_example_is_a_request_that_the_document_allows() {
    let document = openapi();
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("paths") {
        let content = &operations["post"]["requestBody"]["content"]["application/json"];
        for (name, example) in content["examples"].as_object().into_iter().flatten() {
            let schema = json!({ "allOf": [content["schema"]], "components": document["components"] });
            let validator = jsonschema::draft202012::new(&schema).expect("a schema");
            let faults: Vec<String> = validator.iter_errors(&example["value"]).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "{path} {name}: {faults:?}");
            count += 1;
        }
    }
    assert!(count > 10);
}

#[test]
fn every_action_has_an_example_of_its_request_and_of_its_reply_that_fit_their_own_schemas() {
    let document = openapi();
    let fits = |name: &str, value: &Value| {
        let schema = json!({ "$ref": format!("#/components/schemas/{name}"), "components": document["components"] });
        let validator = jsonschema::draft202012::new(&schema).expect("a schema");
        let faults: Vec<String> = validator.iter_errors(value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{name}: {faults:?}");
    };
    let mut answered = 0;
    for action in Action::ALL {
        let post = &document["paths"][format!("/{}", action.function())]["post"];
        let requests = post["requestBody"]["content"]["application/json"]["examples"].as_object().expect("examples");
        let replies = &post["responses"]["200"]["content"]["application/json"]["examples"];
        let own: Vec<_> = requests.iter().filter(|(_, example)| example["value"]["action"] == action.name()).collect();
        assert!(!own.is_empty(), "{} has no example: contracts/src/examples.rs", action.name());
        for (name, example) in own {
            fits(&format!("{}Request", schema_name(*action)), &example["value"]);
            let reply = &replies[name]["value"];
            assert!(reply.is_object(), "{name} has no reply: EXAMPLES=write cargo test -p tests --test it -- examples");
            fits(&format!("{}Reply", schema_name(*action)), reply);
            answered += 1;
        }
    }
    let known: Value = serde_json::from_str(include_str!("../src/replies.json")).expect("JSON");
    assert_eq!(known.as_object().map(serde_json::Map::len), Some(answered), "no reply is left over");
}
