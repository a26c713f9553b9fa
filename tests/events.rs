//! The files of `events/` are what a Function URL sends, and the template deploys what the workspace builds.

use lambda_http::{Body, RequestExt};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn events() -> Vec<(String, String)> {
    let mut events: Vec<_> = std::fs::read_dir(root().join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    events.sort();
    events
}

#[test]
fn every_event_is_a_function_url_request_with_its_whole_body() {
    let events = events();
    assert!(events.len() >= 10);
    for (name, text) in events {
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(event["version"], "2.0", "{name}");
        assert_eq!(event["requestContext"]["http"]["path"], event["rawPath"], "{name}");
        let request = lambda_http::request::from_str(&text).unwrap();
        assert_eq!(request.raw_http_path(), event["rawPath"].as_str().unwrap(), "{name}");
        assert_eq!(matches!(request.body(), Body::Binary(_)), event["isBase64Encoded"] == true, "{name}");
        let length: usize = request.headers()["content-length"].to_str().unwrap().parse().unwrap();
        assert_eq!(request.body().len(), length, "{name}");
        if name.starts_with("notify-") {
            assert!(request.raw_http_path().starts_with("/pay-notify/"), "{name}");
        } else {
            assert!(serde_json::from_slice::<Value>(request.body()).unwrap()["data"].is_object(), "{name}");
        }
    }
}

#[test]
fn the_readme_of_the_events_names_each_of_them() {
    let readme = std::fs::read_to_string(root().join("events/README.md")).unwrap();
    for (name, _) in events() {
        assert!(readme.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_template_builds_each_function_alone() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for function in tests::binaries::FUNCTIONS {
        assert!(template.contains(&format!("Binary: {function}\n")), "{function}");
        assert!(template.contains(&format!("CodeUri: functions/{function}\n")), "{function}");
    }
    assert_eq!(template.matches("BuildMethod: rust-cargolambda").count(), tests::binaries::FUNCTIONS.len());
}

#[test]
fn the_template_grants_no_scan_no_delete_and_no_wildcard() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for right in ["Scan", "DeleteItem", "dynamodb:*", "ssm:*", "kms:*", "Resource: \"*\"", "Resource: '*'", "- \"*\""] {
        assert!(!template.contains(right), "{right}");
    }
}
