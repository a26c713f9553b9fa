//! The same work in other languages, built from `bench/peers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tests::binaries;

/// Debian's folder of Go packages (`golang-github-aws-aws-sdk-go-v2-dev`).
const GOPATH: &str = "/usr/share/gocode";

/// A program that is started as a function.
#[derive(Clone)]
pub(crate) struct Peer {
    /// As the table names it.
    pub name: String,
    /// What is started.
    pub program: PathBuf,
    /// With what.
    pub args: Vec<String>,
    /// What is deployed of it, bytes; none where that is not one file.
    pub size: Option<u64>,
}

impl Peer {
    /// A binary of its own.
    pub(crate) fn binary(name: &str, program: PathBuf) -> Self {
        let size = std::fs::metadata(&program).ok().map(|m| m.len());
        Self { name: name.to_owned(), program, args: Vec::new(), size }
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Runs a tool to its end; whether it is there and did what it should.
fn done(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A function in Go, with Debian's AWS SDK; none where Go or the SDK is not there.
pub(crate) fn go(function: &str, folder: &Path) -> Option<Peer> {
    let out = folder.join(format!("go-{function}"));
    let mut command = Command::new("go");
    command.current_dir(sources().join("go")).env("GO111MODULE", "off").env("GOPATH", GOPATH);
    command.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(&out);
    command.args(["common.go", &format!("{function}.go")]);
    done(&mut command).then(|| Peer::binary("Go", out))
}

/// A function in Node, with the AWS SDK that `package-lock.json` names; none where Node is not there.
pub(crate) fn node(function: &str) -> Option<Peer> {
    let folder = sources().join("node");
    let program = std::env::split_paths(&std::env::var_os("PATH")?).map(|p| p.join("node")).find(|p| p.is_file())?;
    let there = folder.join("node_modules").is_dir()
        || done(Command::new("npm").current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]));
    let script = folder.join(format!("{function}.mjs")).display().to_string();
    there.then(|| Peer { name: "Node".to_owned(), program, args: vec![script], size: None })
}

/// The least that a Rust function can be.
///
/// # Panics
/// When cargo fails.
pub(crate) fn hello() -> Peer {
    let built = binaries::build_packages("release", &["hello"]);
    Peer::binary("hello (Rust)", built.path("hello").to_owned())
}
