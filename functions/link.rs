//! The build script of every function: a release is linked to a fixed address.
//!
//! The loader of a position-independent binary writes some 18,000 addresses into it at each start, which takes time and
//! makes its pages the process's own, and the list of them is 400 kB of the file. The stack, the heap and the
//! libraries stay at addresses of chance.

#![allow(clippy::print_stdout, reason = "what a build script prints is what it says to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=../link.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|given| given == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
    }
}
