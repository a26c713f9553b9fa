//! The table of actions: who serves each, who may call it, and that pages, events and the client say the same.

use crate::binaries_auth::{USERS, user};
use crate::world::{KEY, World};
use sandbox::Mode;
use serde_json::{Value, json};
use shared::domain::action::{Access, Action};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).expect(path)
}

const fn words(access: Access) -> &'static str {
    match access {
        Access::Payer => "payers for their own, or anybody where `auth` allows it",
        Access::User => "users for their own",
        Access::Merchant => "the merchant",
        Access::Named => "the merchant, where `auth` names it",
    }
}

#[test]
fn the_table_of_actions_in_the_docs_is_the_one_in_the_code() {
    let page = read("docs/api.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `pay/")).collect();
    let row = |action: &Action| {
        let keys: Vec<String> = action.auth_keys().iter().map(|key| format!("`{key}`")).collect();
        let (name, function) = (action.name(), action.function());
        format!("| `{name}` | {function} | {} | {} |", words(action.access()), keys.join(", "))
    };
    assert_eq!(rows, Action::ALL.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn every_action_has_one_function_that_is_deployed() {
    let mut names = BTreeSet::new();
    for action in Action::ALL {
        assert!(tests::binaries::FUNCTIONS.contains(&action.function()), "{}", action.name());
        assert!(names.insert(action.name()), "{} is there twice", action.name());
        assert_eq!(Action::named(action.short_name()), Some(*action));
    }
    let routes = read("local/src/functions.rs");
    for function in Action::ALL.iter().map(|action| action.function()) {
        assert!(routes.contains(&format!("\"/{function}\"")), "{function} has no local address");
    }
}

#[test]
fn the_client_sends_each_action_to_its_function() {
    let source = read("web/packages/vk-pay-client/src/transport.ts");
    let table = source.split_once("const FUNCTIONS").and_then(|(_, rest)| rest.split_once("};")).expect("a table").0;
    let rows: BTreeMap<&str, &str> = table
        .lines()
        .filter_map(|line| line.trim().trim_end_matches(',').split_once(": '"))
        .map(|(action, function)| (action.trim_matches('\''), function.trim_matches('\'')))
        .collect();
    let wanted: BTreeMap<&str, &str> = Action::ALL.iter().map(|a| (a.short_name(), a.function())).collect();
    assert_eq!(rows, wanted);
}

#[test]
fn every_action_has_an_event_and_no_event_another_action() {
    let mut seen = BTreeSet::new();
    let readme = read("events/README.md");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let event: Value = serde_json::from_str(&text).unwrap_or_default();
        let body: Value = event["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
        let Some(name) = ["action", "$url", "url"].iter().find_map(|key| body[*key].as_str()) else { continue };
        let action = Action::named(name).unwrap_or_else(|| panic!("{}: {name}", path.display()));
        let file = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let row = readme.lines().find(|line| line.contains(&format!("`{file}`"))).expect("a row");
        let function = row.split(" | ").nth(1).expect("a function");
        assert_eq!(function.split(' ').next(), Some(action.function()), "{file}");
        seen.insert(action.name());
    }
    // Meant where a body names none.
    seen.insert("pay/createPayment");
    let missing: Vec<&str> = Action::ALL.iter().map(|a| a.name()).filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "no event of {missing:?}");
}

/// Whether the table lets somebody through to an action.
type Passes = fn(Access) -> bool;

/// Who calls.
const CALLERS: [(&str, Passes); 4] = [
    ("nobody", |access| matches!(access, Access::Payer)),
    ("a user", |access| matches!(access, Access::Payer | Access::User)),
    ("an admin", |access| !matches!(access, Access::Named)),
    ("the merchant", |access| !matches!(access, Access::Named)),
];

#[tokio::test]
async fn each_caller_gets_through_to_the_actions_of_the_table_and_to_no_other() {
    let world = World::with(Mode::default(), |config| {
        let open: Vec<&str> =
            Action::ALL.iter().filter(|a| a.access() == Access::Payer).map(|a| a.auth_keys()[0]).collect();
        config["auth"] = json!({ "default": ["key", "jwt"], "keys": { "shop": KEY }, "jwt": { "hs256": USERS } });
        for key in open {
            config["auth"][key] = json!(["none", "key", "jwt"]);
        }
    })
    .await;
    let user_token = user(json!({}));
    let admin = user(json!({ "role": "admin" }));
    for action in Action::ALL {
        for (who, may) in CALLERS {
            let credential = match who {
                "a user" => Some(user_token.as_str()),
                "an admin" => Some(admin.as_str()),
                "the merchant" => Some(KEY),
                _ => None,
            };
            let body = json!({ "action": action.name(), "data": {} });
            let (status, answer) = world.post(&world.url(action.function()), body, credential).await;
            let through = !matches!(status, 401 | 403);
            assert_eq!(through, may(action.access()), "{who}, {}: {status} {answer}", action.name());
        }
        assert_eq!(world.post(&world.url(action.function()), json!({ "action": "pay/other" }), Some(KEY)).await.0, 404);
    }
}

#[tokio::test]
async fn virtual_coins_are_open_to_the_merchant_only_where_auth_names_them() {
    for key in ["wxpayVirtual", "wxpayVirtual/queryUserBalance"] {
        let world = World::with(Mode::default(), |config| config["auth"][key] = json!("key")).await;
        for action in Action::ALL.iter().filter(|action| action.access() == Access::Named) {
            let body = json!({ "action": action.name(), "data": {} });
            let (status, _) = world.call("transfer", body).await;
            assert_eq!(status != 403, action.auth_keys().contains(&key), "{key}, {}", action.name());
        }
    }
}
