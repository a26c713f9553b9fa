//! Modules of one crate import downward only. The compiler keeps that between crates; within one, this does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules of a crate, or of a folder of it, from the bottom to the top; those of one line do not import each other.
struct Tree {
    /// Where the modules are.
    dir: &'static str,
    /// How paths begin that name one of them, from anywhere in the crate.
    prefix: &'static str,
    /// Whether what stands in `lib.rs` itself is below them, and not above.
    based: bool,
    layers: &'static [&'static [&'static str]],
}

const TREES: [Tree; 9] = [
    Tree {
        dir: "shared/crypto/src",
        prefix: "crate::",
        based: true,
        layers: &[&["aes", "hash", "pem"], &["cert", "sm2"], &["jws", "jwt", "rsa"]],
    },
    Tree {
        dir: "shared/net/src",
        prefix: "crate::",
        based: true,
        layers: &[&["loopback", "tls"], &["provider_http"], &["aws", "egress"]],
    },
    Tree {
        dir: "shared/config/src",
        prefix: "crate::",
        based: true,
        layers: &[
            &["asked", "parsed", "source", "spelling", "twice", "weakness"],
            &["reader"],
            &["client_may_choose", "handlers", "material", "merchant_documents", "nodes", "shipping", "transfer"],
            &["auth"],
            &["checked"],
        ],
    },
    Tree {
        dir: "shared/providers/src",
        prefix: "crate::",
        based: true,
        layers: &[
            &[
                "after_sale",
                "bill",
                "diagnosis",
                "login",
                "missing_key",
                "notice",
                "payment",
                "payout",
                "purchase",
                "raw_request",
                "refund",
                "refusal",
                "registry",
                "sharing",
                "stands",
                "text",
                "token_cache",
            ],
            &["common", "driver"],
            &["account", "alipay", "apple", "complaints", "huawei", "virtual_pay", "vkspay", "wxpay"],
            // Its open product is WeChat Pay's APIv3 under another scheme.
            &["douyin"],
            &["gateway"],
        ],
    },
    Tree {
        dir: "shared/store/src",
        prefix: "crate::",
        based: true,
        layers: &[
            &["client", "examine", "item"],
            &["listing"],
            &[
                "authorizations",
                "bills",
                "doubt",
                "due",
                "incident",
                "orders",
                "requests",
                "tasks",
                "tokens",
                "transfers",
                "write",
            ],
            &["complaints", "credit", "days", "refunds", "shipping"],
            &["incident_payment", "shares"],
        ],
    },
    Tree {
        dir: "shared/payments/src",
        prefix: "crate::",
        based: true,
        layers: &[
            &[
                "coins",
                "delivery",
                "handler",
                "holder",
                "login",
                "methods",
                "payee",
                "queue",
                "raw_request",
                "request",
                "return_url",
                "source",
                "watch",
            ],
            &["days", "incident_record", "wanted"],
            &["authorization"],
            &["complain", "share", "ship", "transfer", "unconfirmed"],
            &["share_return"],
            &["refund"],
            &["settled", "tasks"],
            // The one room.
            &["confirm", "rerun", "returned"],
            &["incidents", "purchase", "query"],
            &["sharing"],
            &["abnormal", "bills", "close", "complaints", "settle_refund", "shipping"],
            &["settle_callback", "sweep"],
            &["ask"],
            &["create"],
            &["complaint_poll", "missed"],
        ],
    },
    Tree {
        dir: "local/src",
        prefix: "crate::",
        based: false,
        layers: &[
            &["options", "guard", "dynamo", "functions", "mask", "plain", "queues", "receiver", "stream"],
            &["calls", "demo", "journal"],
            &["address", "client"],
            &["target"],
            &["console"],
            &["stack"],
            &["afar"],
        ],
    },
    Tree {
        dir: "local/src/console",
        prefix: "crate::console::",
        based: false,
        layers: &[
            &["text", "wishes", "assets", "totals"],
            &["view", "ways"],
            &["call", "copies", "layout", "forms", "rows"],
            &["lookup", "filter", "complaints"],
            &[
                "callbacks",
                "incidents",
                "raw_requests",
                "refund",
                "figures",
                "sandbox",
                "shipping",
                "shop",
                "wallet",
                "tables",
                "orders",
            ],
            &["bills", "csv", "developers", "home", "timeline", "transfers", "trigger"],
            &["order"],
        ],
    },
    Tree {
        dir: "sandbox/src",
        prefix: "crate::",
        based: false,
        layers: &[
            &["crypto"],
            &["ids", "provider"],
            &["profile", "faults", "common"],
            &["wire", "merchant"],
            &["ledger"],
            &["authorizations", "complaints", "transfers", "bills"],
            &["outbox", "forgery"],
            &["state"],
            &["sandbox"],
            &["desk"],
            &["alipay", "apple", "douyin", "huawei", "virtual_pay", "vkspay", "wechat"],
            &["desks"],
            &["callbacks", "wallet"],
            &["resplit", "control"],
            &["server"],
        ],
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The sources of a tree by module. `lib.rs` or `mod.rs` puts it together, and `main.rs` starts it: they are on top of
/// everything.
fn sources(dir: &Path) -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut found: BTreeMap<String, Vec<(PathBuf, String)>> = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inner = path.strip_prefix(dir).expect("below the sources").with_extension("");
            let module = inner.iter().next().expect("a name").to_string_lossy().into_owned();
            if path.extension().is_some_and(|kind| kind == "rs") && !["lib", "main", "mod"].contains(&module.as_str()) {
                let text = std::fs::read_to_string(&path).expect("a source");
                found.entry(module).or_default().push((inner, text));
            }
        }
    }
    found
}

/// Code without comments, and without what is only for its tests.
fn code(text: &str) -> String {
    let (before, tests) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    let after = tests.split_once("\n}\n").map_or("", |(_, after)| after);
    before
        .lines()
        .chain(after.lines())
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What follows each `prefix` in code: the first name of a path, or of each path in braces.
fn named(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let word = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    for (at, _) in code.match_indices(prefix) {
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if depth == 0 && begins && (c.is_alphanumeric() || c == '_') => {
                    names.insert(word(&group[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

/// The modules of the tree, or other things at its root, that a file names.
fn imports(prefix: &str, inner: &Path, text: &str) -> BTreeSet<String> {
    let code = code(text);
    let mut names = named(&code, prefix);
    // From a file as deep as this, so many `super::` lead to the root.
    let deep = inner.iter().filter(|part| *part != "mod").count();
    names.extend(named(&code, &"super::".repeat(deep)).into_iter().filter(|name| name != "super"));
    names
}

/// What is against the order.
fn faults(own: &Tree) -> Vec<String> {
    let layer = |name: &str| own.layers.iter().position(|layer| layer.contains(&name));
    let mut faults = Vec::new();
    for (module, files) in sources(&root().join(own.dir)) {
        let Some(mine) = layer(&module) else {
            faults.push(format!("{}: {module} has no layer", own.dir));
            continue;
        };
        for (inner, text) in files {
            for name in imports(own.prefix, &inner, &text).into_iter().filter(|name| *name != module) {
                let file = format!("{}/{}", own.dir, inner.display());
                match layer(&name) {
                    None if own.based => {}
                    None => faults.push(format!("{file} imports {name} from the root, which is above it")),
                    Some(other) if other >= mine => {
                        faults.push(format!("{file} imports {name}, which is not below it"))
                    }
                    Some(_) => {}
                }
            }
        }
    }
    faults
}

/// The floors below `shared`, from the bottom to the top, and what each may depend on beside what is outside.
const FLOORS: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("crypto", &[]),
    ("net", &["crypto", "domain"]),
    ("telemetry", &["crypto"]),
    ("config", &["crypto", "domain", "net"]),
    ("providers", &["config", "crypto", "domain", "net", "telemetry"]),
    ("store", &["crypto", "domain", "net", "telemetry"]),
    ("payments", &["config", "crypto", "domain", "net", "providers", "store", "telemetry"]),
];

/// What a crate's manifest names among its dependencies, those of its tests left out.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let (_, rest) = manifest.split_once("\n[dependencies]\n").expect("dependencies");
    let section = rest.split("\n[").next().unwrap_or_default();
    section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).map(str::to_owned).collect()
}

#[test]
fn floors_depend_downward_only_and_functions_on_shared_alone() {
    let manifest = |dir: String| std::fs::read_to_string(root().join(dir).join("Cargo.toml")).expect("a manifest");
    let floors: BTreeSet<&str> = FLOORS.iter().map(|(name, _)| *name).collect();
    for (name, below) in FLOORS {
        let named = dependencies(&manifest(format!("shared/{name}")));
        let used: Vec<&str> = named.iter().map(String::as_str).filter(|own| floors.contains(own)).collect();
        assert_eq!(used, below, "what {name} depends on");
        let sdk = named.iter().any(|own| own.starts_with("aws-sdk"));
        assert_eq!(sdk, name == "store", "{name}: only the store names DynamoDB's SDK");
    }
    for function in tests::binaries::FUNCTIONS.into_iter().chain(["notify/handlers"]) {
        let named = dependencies(&manifest(format!("functions/{function}")));
        let used: Vec<&String> = named.iter().filter(|own| floors.contains(own.as_str())).collect();
        assert!(used.is_empty() && named.contains("shared"), "{function} names a floor past shared: {used:?}");
    }
}

#[test]
fn modules_import_downward_only() {
    let faults: Vec<String> = TREES.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn an_import_is_seen_in_each_form() {
    let text = "use crate::{a, b::{self, c}};\nuse crate::d::E; // crate::f\nfn g() { crate::h::i() }\nuse super::j;\n";
    let seen = |inner: &str| imports("crate::", Path::new(inner), text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(seen("k/mod"), "a b d h j");
    assert_eq!(seen("k/l"), "a b d h");
}
