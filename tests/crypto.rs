//! VK-Pay's two AES modes against the published vectors, and what the crypto module must never do.

use serde_json::Value;
use shared::crypto::aes::{Mode, decrypt, encrypt};
use std::collections::{BTreeMap, BTreeSet};
use tests::binaries::FUNCTIONS;

const V1: &str = "12345678901234561234567890123456";
const V2: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

/// Key, text, aes192 in hex, aes-256-ecb in base64; the last of the first is published by VK-Pay's author, the
/// others are Node's `createCipher` and OpenSSL 3, which agree.
const VECTORS: [(&str, &str, &str, &str); 3] = [
    (V1, r#"{"a":1,"b":"2"}"#, "f0d4d593f647eefb4823d1fed5f8494a", "es2aF7DWr169X4fvMnlKNg=="),
    (
        V2,
        r#"{"out_trade_no":"T001","total_fee":1}"#,
        "ae3a785e59ec292b91c5eb4e238255b6ded5006f46da7927c6852297e75e774cbacdf444c0acf128f83d688abaf7d3f6",
        "dbAav9Rg/5pzk7fRqt5wHzEg46jL7HgkzQ8F2HzWugP+nOGvOFeW4DPqaJRTTcUx",
    ),
    (
        V1,
        r#"{"name":"支付"}"#,
        "16961e97bbc1b722d98eb39b3081c4ecb93d5429102a35ba595c84b4beb28855",
        "nbea4QpEZVS/pom4jGFvX+phS26AGFATA6UUdI3SqVQ=",
    ),
];

#[test]
fn both_aes_modes_are_byte_compatible_with_node_java_and_php() {
    for (key, text, aes192, ecb) in VECTORS {
        for (mode, sealed) in [(Mode::Aes192, aes192), (Mode::Aes256Ecb, ecb)] {
            assert_eq!(encrypt(mode, key, text.as_bytes()).unwrap(), sealed, "{mode:?}");
            assert_eq!(decrypt(mode, key, sealed).unwrap(), text.as_bytes(), "{mode:?}");
        }
    }
}

#[test]
fn a_wrong_key_or_an_altered_text_is_an_error_and_never_a_panic() {
    for mode in [Mode::Aes192, Mode::Aes256Ecb] {
        for text in
            ["", "zz", "f0", "es2aF7DWr169X4fvMnlKNg", "f0d4d593f647eefb4823d1fed5f8494b", "AAAAAAAAAAAAAAAAAAAAAA=="]
        {
            assert!(decrypt(mode, V1, text).is_err(), "{mode:?} {text}");
        }
        assert!(decrypt(mode, "short", "es2aF7DWr169X4fvMnlKNg==").is_err());
    }
    assert!(encrypt(Mode::Aes256Ecb, "short", b"x").is_err());
}

/// What a package of the workspace is linked with, by `cargo metadata`: never what only its tests need.
fn linked(package: &Value) -> BTreeSet<&str> {
    let list = package["dependencies"].as_array().expect("dependencies").iter();
    let linked = list.filter(|dependency| dependency["kind"] != "dev");
    linked.map(|dependency| dependency["name"].as_str().expect("a name")).collect()
}

/// The packages of Cargo.lock with what they depend on; each as `name version`, on every platform and with every
/// feature. Those of the workspace also with what their tests need.
fn locked() -> BTreeMap<String, Vec<String>> {
    let lock = include_str!("../Cargo.lock").replace("\r\n", "\n");
    let blocks: Vec<&str> = lock.split("[[package]]\n").skip(1).collect();
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))?.strip_suffix('"'));
        line.expect("a field").to_owned()
    };
    let ids: Vec<(String, String)> = blocks.iter().map(|b| (field(b, "name"), field(b, "version"))).collect();
    // The version stands there only where the name has several.
    let id = |text: &str| {
        let (name, version) = text.split_once(' ').map_or((text, None), |(name, rest)| (name, rest.split(' ').next()));
        let mut found = ids.iter().filter(|(n, v)| n == name && version.is_none_or(|version| v == version));
        let (Some((name, version)), None) = (found.next(), found.next()) else { panic!("{text} is not one package") };
        format!("{name} {version}")
    };
    let listed = |block: &str| {
        let list = block.split_once("dependencies = [\n").map_or("", |(_, rest)| rest.split(']').next().unwrap_or(""));
        list.lines().map(|line| id(line.trim().trim_matches([',', '"']))).collect()
    };
    let own = ids.iter().map(|(name, version)| format!("{name} {version}"));
    own.zip(&blocks).map(|(id, block)| (id, listed(block))).collect()
}

/// RUSTSEC-2023-0071: the `rsa` crate leaks private keys by timing. It judges aws-lc in tests, with keys that the
/// tests made; nothing that is deployed or run can reach it. `deny.toml` and `.ci/run` say the same.
#[test]
fn nothing_but_the_tests_links_the_rsa_crate() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut command = std::process::Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path", manifest]);
    let output = command.output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata");
    let members = metadata["packages"].as_array().expect("packages").iter();
    let members: BTreeMap<&str, &Value> = members.map(|p| (p["name"].as_str().expect("a name"), p)).collect();
    let locked = locked();
    let name_of = |id: &str| id.split(' ').next().unwrap_or_default().to_owned();

    let lists_rsa = |list: &[String]| list.iter().any(|id| name_of(id) == "rsa");
    let users = locked.iter().filter(|(_, list)| lists_rsa(list)).map(|(id, _)| name_of(id));
    assert_eq!(users.collect::<Vec<_>>(), ["tests"]);
    let listed = members["tests"]["dependencies"].as_array().expect("dependencies").iter();
    let kinds = listed.filter(|d| d["name"] == "rsa").map(|d| d["kind"].as_str()).collect::<Vec<_>>();
    assert_eq!(kinds, [Some("dev")]);

    for function in FUNCTIONS.iter().chain(&["shared", "handlers", "vk-pay-local", "tests"]) {
        assert!(members.contains_key(function), "{function}");
    }
    for member in members.keys() {
        let start = locked.keys().find(|id| name_of(id) == *member).expect("a locked package");
        let (mut reached, mut open) = (BTreeSet::new(), vec![start.as_str()]);
        while let Some(id) = open.pop() {
            if !reached.insert(id) {
                continue;
            }
            let name = name_of(id);
            let linked = members.get(name.as_str()).map(|package| linked(package));
            let list = locked[id].iter().filter(|id| linked.as_ref().is_none_or(|l| l.contains(name_of(id).as_str())));
            open.extend(list.map(String::as_str));
        }
        let reached: BTreeSet<String> = reached.into_iter().map(name_of).collect();
        assert!(!reached.contains("rsa"), "{member} links rsa");
        if FUNCTIONS.contains(member) {
            assert!(reached.contains("shared") && reached.contains("aws-lc-sys"), "{member}: {reached:?}");
        }
    }
}
