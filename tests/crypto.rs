//! VK-Pay's two AES modes against the published vectors, and what the crypto module must never do.

use shared::crypto::aes::{Mode, decrypt, encrypt};

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

/// RUSTSEC-2023-0071: the `rsa` crate leaks private keys by timing. It is not in the tree at all, so no
/// private-key operation can go through it; `deny.toml` bans it as well.
#[test]
fn the_rsa_crate_is_not_in_the_tree() {
    let lock = include_str!("../Cargo.lock");
    assert!(!lock.contains("name = \"rsa\""));
}
