//! The configuration document: faults, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = shared::config::Config::parse(text, std::path::Path::new("/nonexistent"));
});
