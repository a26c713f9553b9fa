//! The schema of the configuration is what its reader asks for, and refuses nothing that the reader takes.

use contracts::{config_schema, pretty};
use jsonschema::Validator;
use providers::Config;
use sandbox::{DouyinProduct, Epay, MerchantKeys, Mode};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::OnceLock;

fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| jsonschema::draft202012::new(made()).expect("a schema"))
}

/// It takes seconds to make.
fn made() -> &'static Value {
    static MADE: OnceLock<Value> = OnceLock::new();
    MADE.get_or_init(config_schema)
}

#[test]
fn the_committed_schema_is_the_one_that_the_reader_makes() {
    let made = pretty(made());
    let committed = include_str!("../../docs/config.schema.json");
    assert!(made == committed, "renew it: cargo run -p contracts -- config > docs/config.schema.json");
}

#[test]
fn it_is_a_schema_of_draft_2020_12() {
    assert!(jsonschema::meta::is_valid(made()));
}

/// What the reader says of a document: its faults and remarks, by path.
fn said(document: &Value) -> Vec<String> {
    match Config::parse(&document.to_string(), Path::new("/nowhere")) {
        Ok((_, remarks)) => remarks.iter().map(ToString::to_string).collect(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// The variants of the providers, each of them at least once.
fn modes() -> Vec<Mode> {
    let usual = Mode::default();
    vec![
        usual,
        Mode { wxpay_version: 2, v2_hmac: true, epay: Epay::Md5, douyin: DouyinProduct::Trade, ..usual },
        Mode { alipay_cert: true, alipay_aes: true, epay: Epay::Rsa, douyin: DouyinProduct::Douyinpay, ..usual },
        Mode { wxpay_public_key: false, virtual_plain: true, ..usual },
    ]
}

/// Configurations that start: the sandbox's in each of its modes, and one of each section that they lack.
fn samples() -> Vec<Value> {
    let keys = MerchantKeys::generate("shop");
    let auth = json!({
        "default": "key", "keys": { "shop": "0123456789abcdef" }, "createPayment": ["key", "jwt"],
        "jwt": { "hs256": "a-secret-of-the-users", "issuer": "i", "leewaySeconds": 5 },
        "quote": { "hs256": "a-secret-of-the-quotes" }, "requireQuote": ["recharge"], "clientMayChoose": ["pid"],
        "iam": { "allow": ["arn:aws:iam::1:role/x"] },
    });
    let mut samples: Vec<Value> = modes()
        .into_iter()
        .map(|mode| {
            let mut document = keys.config_with("http://127.0.0.1:9", mode);
            document["auth"] = auth.clone();
            document
        })
        .collect();
    let sections = samples[0].as_object().expect("an object").clone();
    let mut full = samples[0].clone();
    full["$schema"] = json!("https://example.com/config.schema.json");
    full["notifyUrl"] = json!("https://pay.example");
    full["notifyKey"] = json!("0123456789abcdefghijklmnopqrstuvwxyz");
    full["policy"] = json!({ "latePayment": "wait", "duplicatePayment": "refund", "orderExpireMinutes": 30 });
    full["userWhitelist"] = json!(["u1"]);
    full["merchants"] = json!({ "branch": { "wxpay": sections["wxpay"] } });
    full["merchantDocuments"] = json!({ "from": "ssm:/merchants/", "ids": ["north"] });
    full["handlers"] = json!({
        "course": { "http": { "url": "https://shop.example/paid", "key": "a-secret-of-the-shop", "timeoutMs": 1000 } },
        "ticket": { "lambda": { "function": "tickets", "encrypt": true } },
        "event": { "eventBridge": { "bus": "default" }, "replaces": false },
    });
    samples.push(full);
    samples
}

#[test]
fn configurations_that_start_fit_the_schema() {
    for sample in samples() {
        let faults = Config::parse(&sample.to_string(), Path::new("/nowhere")).err();
        assert_eq!(faults, None);
        let errors: Vec<String> =
            validator().iter_errors(&sample).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:?}");
    }
}

/// The paths of a document's values.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    if let Value::Object(object) = value {
        for (key, value) in object {
            let own = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
            paths(value, &own, found);
            found.push(own);
        }
    }
}

/// What takes a value's place, and keys that are put beside it.
fn mutations(document: &Value, path: &str) -> Vec<Value> {
    let others = [
        json!(null),
        json!(""),
        json!(" \u{feff}"),
        json!("x"),
        json!(0),
        json!(7),
        json!(-1),
        json!(1.5),
        json!(1e30),
        json!(true),
        json!([]),
        json!([1]),
        json!(["x"]),
        json!({}),
        json!({ "x": 1 }),
        json!("ftp://x"),
        json!("http://127.0.0.1:1"),
        json!("none"),
        json!("2"),
    ];
    let mut made: Vec<Value> = others
        .into_iter()
        .map(|other| {
            let mut changed = document.clone();
            *changed.pointer_mut(path).expect("a value") = other;
            changed
        })
        .collect();
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let key = key.replace("~1", "/").replace("~0", "~");
    let beside = |name: String, value: Value, gone: bool| {
        let mut changed = document.clone();
        let object = changed.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
        let own = if gone { object.remove(&key) } else { None };
        object.insert(name, own.unwrap_or(value));
        changed
    };
    made.push(beside(format!("{key}Xyz"), json!("x"), false));
    made.push(beside(format!("{key}Xyz"), json!("x"), true));
    made.push(beside("anything".to_owned(), json!({}), false));
    made
}

/// What of the samples is changed at once: one node, or one key at the top, so that reading it is quick.
fn slices() -> Vec<Value> {
    let mut slices = Vec::new();
    for sample in samples() {
        let auth = json!({ "keys": { "shop": "0123456789abcdef" } });
        for (key, value) in sample.as_object().expect("an object") {
            let nodes = ["wxpay", "alipay", "appleiap", "wxpay-virtual", "douyin", "huawei"];
            let parts: Vec<Value> = match value.as_object().filter(|_| nodes.contains(&key.as_str())) {
                Some(nodes) => nodes.iter().map(|(name, node)| json!({ key: { name: node } })).collect(),
                None => vec![json!({ key: value })],
            };
            for mut slice in parts {
                if key == "handlers" {
                    slice["notifyKey"] = sample["notifyKey"].clone();
                }
                if key != "auth" {
                    slice["auth"] = auth.clone();
                }
                if !slices.contains(&slice) {
                    slices.push(slice);
                }
            }
        }
    }
    slices
}

#[test]
fn what_the_schema_refuses_the_reader_refuses_or_remarks_on() {
    let mut refused = 0;
    for slice in slices() {
        let before = said(&slice);
        let mut all = Vec::new();
        paths(&slice, "", &mut all);
        for path in all.iter().filter(|path| *path != "/auth" || slice.as_object().is_some_and(|keys| keys.len() == 1))
        {
            for changed in mutations(&slice, path) {
                if validator().is_valid(&changed) {
                    continue;
                }
                refused += 1;
                if said(&changed) == before && !is_leftover(&changed, path) {
                    let errors: Vec<String> =
                        validator().iter_errors(&changed).map(|e| format!("{}: {e}", e.instance_path())).collect();
                    panic!("{path} = {:?} is taken, and the schema says {errors:?}", changed.pointer(path));
                }
            }
        }
    }
    assert!(refused > 2_000, "{refused} were refused");
}

/// Whether the change emptied a node of what it says of itself, so that the reader skips it.
fn is_leftover(document: &Value, path: &str) -> bool {
    let path = path.trim_start_matches("/merchants/branch");
    let document =
        document.pointer("/merchants/branch").filter(|_| document.get("merchants").is_some()).unwrap_or(document);
    let sections = ["/wxpay", "/alipay", "/appleiap", "/vkspay", "/douyin", "/huawei"];
    if !sections.iter().any(|section| path.starts_with(section)) {
        return false;
    }
    let node = path.split('/').skip(1).take(if path.starts_with("/vkspay") { 1 } else { 2 });
    let node = node.fold(String::new(), |path, key| format!("{path}/{key}"));
    let object = document.pointer(&node).and_then(Value::as_object).cloned().unwrap_or_default();
    let filled =
        |key: &str| object.get(key).is_some_and(|v| !v.is_null() && v.as_str().is_none_or(|t| !t.trim().is_empty()));
    !["appId", "mchId", "bundleId", "offerId"].into_iter().any(filled)
}

#[test]
fn a_wrong_key_or_value_is_refused_by_both() {
    let sample = samples().pop().expect("the full one");
    for (path, wrong) in [
        ("/wxpay/h5/v3Key", json!("too short")),
        ("/wxpay/h5/appID", json!("wx1")),
        ("/wxpay/h5/version", json!(4)),
        ("/wxpay/mweb/sceneInfo", json!({ "h5_info": { "type": "Web" } })),
        ("/alipay/h5/apiBase", json!("ftp://example.com")),
        ("/auth/createPayment", json!("keys")),
        ("/auth/refund", json!("none")),
        ("/auth/anything", json!("key")),
        ("/auth/keys/shop", json!("short")),
        ("/policy/orderExpireMinutes", json!(0)),
        ("/policy/latePayment", json!("keep")),
        ("/handlers/course/http/timeoutMs", json!(1)),
        ("/handlers/course/ftp", json!({})),
        ("/merchants/default", json!({})),
        ("/merchants/branch/wxpay/h5/v3Key", json!("too short")),
        ("/merchantDocuments/from", json!("ssm:merchants")),
        ("/unknown", json!(1)),
        ("/notifyKey", json!("short")),
        ("/vkspay/timeout", json!(61)),
        ("/vkspay/protocol", json!("http")),
        ("/huawei/mp-harmony/sandbox", json!("yes")),
        ("/douyin/mp-toutiao/product", json!("pay")),
    ] {
        let mut changed = sample.clone();
        let (parent, key) = path.rsplit_once('/').expect("a path");
        let object = changed.pointer_mut(parent).and_then(Value::as_object_mut);
        object.unwrap_or_else(|| panic!("{parent} is there")).insert(key.to_owned(), wrong);
        assert!(!validator().is_valid(&changed), "the schema takes {path}");
        assert_ne!(said(&changed), said(&sample), "the reader takes {path}");
    }
}

#[test]
fn a_needed_key_that_is_missing_is_named_by_both() {
    let sample = samples().remove(0);
    for path in
        ["/wxpay/h5/appId", "/wxpay/h5/v3Key", "/wxpay/h5/appCertContent", "/alipay/h5/privateKey", "/vkspay/mchId"]
    {
        let mut changed = sample.clone();
        let (parent, key) = path.rsplit_once('/').expect("a path");
        changed.pointer_mut(parent).and_then(Value::as_object_mut).expect("a node").remove(key).expect(path);
        assert!(!validator().is_valid(&changed), "the schema does not miss {path}");
        assert_ne!(said(&changed), said(&sample), "the reader does not miss {path}");
    }
}
