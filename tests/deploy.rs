//! `deploy/cargo-lambda.sh`: what it calls, seen by an `aws` and a `cargo` that write it down.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::binaries::FUNCTIONS;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Runs the script; every call of `aws` and `cargo`, a line each, and the environments that functions were given.
fn deployed(environment: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let aws = r#"#!/bin/sh
echo "aws $*" >>"$CALLS"
case "$*" in
    *get-alias*) exit 1 ;;
    *add-permission*url-invoke*) echo "An error occurred (ResourceConflictException)" >&2; exit 1 ;;
    *get-function-url-config*) echo "https://notify0000.lambda-url.us-east-1.on.aws/" ;;
    *"=='Environment'"*) printf 'PAY_CONFIG=ssm:/vk-pay/config\nPAY_TABLE=vk-pay-orders\n' ;;
    *RoleArn*) echo "arn:aws:iam::123456789012:role/one" ;;
esac
"#;
    let cargo = r#"#!/bin/sh
echo "cargo $*" >>"$CALLS"
while [ $# -gt 0 ]; do
    [ "$1" = --env-file ] && sed "s/^/env /" "$2" >>"$CALLS"
    shift
done
"#;
    for (name, text) in [("aws", aws), ("cargo", cargo)] {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap());
    let output = Command::new(root().join("deploy/cargo-lambda.sh"))
        .arg("PayConfig=ssm:/vk-pay/config")
        .env("PATH", path)
        .env("CALLS", &calls)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(calls).unwrap().lines().map(str::to_owned).collect()
}

/// The lines that hold all of these words.
fn with<'a>(calls: &'a [String], words: &[&str]) -> Vec<&'a str> {
    calls.iter().map(String::as_str).filter(|call| words.iter().all(|word| call.contains(word))).collect()
}

#[test]
fn cargo_lambda_alone_opens_each_url_by_both_rights_and_runs_the_others_last() {
    let calls = deployed(&[]);
    for function in FUNCTIONS {
        let name = format!("vk-pay-{function}");
        let words = format!("deploy {name} --binary-name {function}");
        assert_eq!(with(&calls, &[&words, "--alias live", "--role arn:aws:iam::"]).len(), 1, "{function}");
        let rights = with(&calls, &["add-permission", &format!("{name} --qualifier live")]);
        if ["dispatch", "reconcile", "worker"].contains(&function) {
            assert!(rights.is_empty(), "{rights:?}");
            continue;
        }
        assert_eq!(rights.len(), 2, "{rights:?}");
        assert!(rights[0].contains("--action lambda:InvokeFunctionUrl") && rights[0].contains("auth-type NONE"));
        assert!(rights[1].contains("--action lambda:InvokeFunction --principal * --invoked-via-function-url"));
    }
    let stacks: Vec<usize> =
        calls.iter().enumerate().filter(|(_, c)| c.contains("cloudformation deploy")).map(|(i, _)| i).collect();
    assert_eq!((stacks.len(), stacks[0], stacks[1]), (2, 1, calls.len() - 1));
    assert!(calls[stacks[0]].contains("FunctionsAreThere=false PayConfig=ssm:/vk-pay/config"));
    assert!(calls[stacks[1]].contains("FunctionsAreThere=true PayConfig=ssm:/vk-pay/config"));
    let told = with(&calls, &["env PAY_NOTIFY_URL=https://notify0000.lambda-url.us-east-1.on.aws"]);
    assert_eq!(told.len(), FUNCTIONS.len() - 1);
    assert!(told.iter().all(|line| line.ends_with("on.aws")), "no slash at the end");
}

#[test]
fn cargo_lambda_alone_opens_no_clients_url_where_calls_are_signed() {
    let calls =
        deployed(&[("AUTH_TYPE", "AWS_IAM"), ("PUBLIC_BASE_URL", "https://pay.shop.example"), ("STACK", "shop")]);
    let opened = with(&calls, &["add-permission"]);
    assert!(opened.len() == 2 && opened.iter().all(|call| call.contains("shop-notify")), "{opened:?}");
    assert_eq!(with(&calls, &["create-function-url-config", "--auth-type AWS_IAM"]).len(), 5);
    assert_eq!(with(&calls, &["remove-permission"]).len(), 10);
    assert_eq!(with(&calls, &["env PAY_NOTIFY_URL=https://pay.shop.example"]).len(), FUNCTIONS.len() - 1);
}

#[test]
fn cargo_lambda_gives_a_function_the_memory_and_time_of_the_template() {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    assert!(template.contains("  MemorySize:\n    Type: Number\n    Default: 256\n"));
    for function in FUNCTIONS {
        let code = template.find(&format!("CodeUri: functions/{function}\n")).unwrap();
        let block = template[code..].split("\n\n").next().unwrap();
        let own = block.lines().find_map(|line| line.strip_prefix("      Timeout: "));
        let wanted = format!(
            "[package.metadata.lambda.deploy]\nmemory = 256\ntimeout = {}\n",
            own.unwrap_or_else(|| template.split("    Timeout: ").nth(1).unwrap().lines().next().unwrap())
        );
        let manifest = std::fs::read_to_string(root().join(format!("functions/{function}/Cargo.toml"))).unwrap();
        assert!(manifest.contains(&wanted), "{function}: {wanted}");
    }
}
