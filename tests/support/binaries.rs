//! The functions' own binaries, built by the cargo that runs the tests.
//!
//! They are built alone, not with the workspace, so that the features of the sandbox's and the console's
//! dependencies do not leak into what is tested: it is what a release would link, unoptimised.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The functions; package, binary and folder have the same name.
pub const FUNCTIONS: [&str; 9] =
    ["create-payment", "query-payment", "refund", "transfer", "login", "notify", "dispatch", "reconcile", "worker"];

/// Where the functions' binaries are, by name.
#[derive(Debug)]
pub struct Binaries(BTreeMap<String, PathBuf>);

impl Binaries {
    /// The `bootstrap` files below `target/lambda`.
    pub fn built_by_cargo_lambda(folder: &Path) -> Self {
        Self(FUNCTIONS.iter().map(|name| ((*name).to_owned(), folder.join(name).join("bootstrap"))).collect())
    }

    /// The path of a function's binary.
    ///
    /// # Panics
    /// When there is no such function.
    pub fn path(&self, function: &str) -> &Path {
        self.0.get(function).unwrap_or_else(|| panic!("{function} was not built"))
    }
}

/// The binaries of profile `dev`, built once in this process. Blocks: call it before the runtime is busy.
pub fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| build("dev"))
}

/// Builds the functions with a profile.
///
/// # Panics
/// When cargo fails; what it says is on standard error.
pub fn build(profile: &str) -> Binaries {
    build_packages(profile, &FUNCTIONS)
}

/// Builds some packages whose binaries have their names.
///
/// # Panics
/// When cargo fails; what it says is on standard error.
pub fn build_packages(profile: &str, packages: &[&str]) -> Binaries {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace above this crate");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--message-format=json-render-diagnostics", "--profile", profile]);
    for package in packages {
        command.args(["--package", package, "--bin", package]);
    }
    // Cargo sets these for the crate under test; a build script that asks for them would be run again.
    for (key, _) in std::env::vars_os() {
        if key.to_str().is_some_and(|k| k.starts_with("CARGO_PKG_") || k.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(key);
        }
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("cargo can be run");
    assert!(output.status.success(), "cargo build of {packages:?} failed");
    let paths = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter_map(|artifact| {
            let name = artifact["target"]["name"].as_str()?;
            let path = artifact["executable"].as_str()?;
            packages.contains(&name).then(|| (name.to_owned(), PathBuf::from(path)))
        })
        .collect::<BTreeMap<_, _>>();
    assert_eq!(paths.len(), packages.len(), "cargo built {:?}", paths.keys());
    Binaries(paths)
}
