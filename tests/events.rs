//! The files of `events/` are what the functions get, and the template deploys what the workspace builds.

use crate::world::World;
use lambda_http::{Body, RequestExt};
use serde_json::{Value, json};
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

/// Events of the functions that have no URL.
fn of(function: &str) -> Vec<(String, Value)> {
    let own = |(name, text): (String, String)| {
        name.starts_with(&format!("{function}-")).then(|| (name, serde_json::from_str(&text).unwrap()))
    };
    let events: Vec<_> = events().into_iter().filter_map(own).collect();
    assert!(events.len() >= 2, "{function}");
    events
}

fn has_url(name: &str) -> bool {
    !["dispatch-", "reconcile-", "worker-"].iter().any(|function| name.starts_with(function))
}

#[test]
fn every_other_event_is_an_http_request_with_its_whole_body() {
    let mut events = events();
    events.retain(|(name, _)| has_url(name));
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
        if name.contains("notify-") {
            assert!(request.raw_http_path().contains("/pay-notify/"), "{name}");
        } else {
            assert!(serde_json::from_slice::<Value>(request.body()).unwrap()["data"].is_object(), "{name}");
        }
    }
}

#[tokio::test]
async fn a_batch_of_the_stream_fails_no_record_that_the_table_knows_nothing_of() {
    let world = World::start().await;
    let app = world.app.clone().unwrap();
    for (name, event) in of("dispatch") {
        for record in event["Records"].as_array().unwrap() {
            assert_eq!(record["eventSource"], "aws:dynamodb", "{name}");
            assert!(record["dynamodb"]["SequenceNumber"].is_string(), "{name}");
        }
        assert_eq!(dispatch::handle(&app, &event).await, json!({ "batchItemFailures": [] }), "{name}");
    }
}

#[tokio::test]
async fn a_message_about_an_order_that_nobody_has_is_done_with() {
    let world = World::start().await;
    let app = world.app.clone().unwrap();
    for (name, event) in of("worker") {
        assert_eq!(worker::handle(&app, &event).await, json!({ "batchItemFailures": [] }), "{name}");
    }
}

#[tokio::test]
async fn a_schedules_event_names_the_job_and_the_clock_of_the_run() {
    let world = World::start().await;
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for (name, event) in of("reconcile") {
        let job = event["job"].as_str().unwrap_or("due");
        let input = format!(r#"Input: '{{"job":"{job}","time":"<aws.scheduler.scheduled-time>"}}'"#);
        assert!(template.contains(&input), "{name}: {input}");
        assert!(event["time"].is_string(), "{name}");
        if job == "due" {
            let reply = reconcile::handle(world.app.as_ref().unwrap(), &event).await.unwrap();
            assert_eq!((&reply["job"], &reply["time"], &reply["more"]), (&json!(job), &event["time"], &json!(false)));
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
    // And once more the worker, which asks about transfers from their address.
    assert_eq!(template.matches("BuildMethod: rust-cargolambda").count(), tests::binaries::FUNCTIONS.len() + 1);
}

#[test]
fn the_template_grants_no_scan_no_delete_and_no_wildcard() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    for right in ["Scan", "DeleteItem", "dynamodb:*", "ssm:*", "kms:*", "Resource: \"*\"", "Resource: '*'", "- \"*\""] {
        assert!(!template.contains(right), "{right}");
    }
}

/// What a browser sends with a call that it has signed itself, and must be let through by the preflight.
#[test]
fn w4_pages_may_send_the_headers_of_signed_calls_to_each_function_that_allows_an_origin() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let lists: Vec<&str> = template.lines().filter_map(|line| line.trim().strip_prefix("AllowHeaders: [")).collect();
    assert_eq!(lists.len(), template.matches("AllowOrigins: !Ref CorsOrigins").count());
    // The Function URLs of what clients call, and the HTTP API that may stand in their place.
    assert_eq!(lists.len(), template.matches("AuthType: !Ref AuthType").count() + 1);
    assert_eq!(lists.len(), template.matches("AuthorizationType: !If [IsPublic, NONE, AWS_IAM]").count() + 1);
    for list in lists {
        let names: Vec<&str> = list.trim_end_matches(']').split(',').map(str::trim).collect();
        for name in [
            "accept-language",
            "authorization",
            "content-type",
            "x-amz-date",
            "x-amz-security-token",
            "x-amz-content-sha256",
            "x-amz-user-agent",
            "amz-sdk-invocation-id",
            "amz-sdk-request",
        ] {
            assert!(names.contains(&name), "{name} in {list}");
        }
        assert!(!names.contains(&"*"));
    }
}
