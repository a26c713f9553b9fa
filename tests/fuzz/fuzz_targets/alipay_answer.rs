//! Alipay's answers: no text is a success without a signature.
#![no_main]

use shared::crypto::rsa::PublicKey;
use shared::providers::alipay::answer::{Answer, Keys, read};
use std::sync::LazyLock;

static KEY: LazyLock<PublicKey> = LazyLock::new(|| {
    PublicKey::parse(include_str!("../../fixtures/alipay/keys/nodejs_alipay-public-key.pem")).expect("a key")
});

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let keys = Keys { alipay_key: &KEY, alipay_cert_sn: None, encrypt_key: Some(&[7; 16]) };
    if let Ok(answer) = read(body, "alipay.trade.query", keys) {
        assert!(!matches!(answer, Answer::Success(_)), "a success that nobody signed");
    }
});
