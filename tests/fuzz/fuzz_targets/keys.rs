//! Key and certificate texts: an error, never a panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = shared::crypto::rsa::PrivateKey::parse(text);
    let _ = shared::crypto::rsa::PublicKey::parse(text);
    let _ = shared::crypto::cert::Certificate::parse(text);
    let _ = shared::crypto::cert::alipay_root_sn(text);
});
