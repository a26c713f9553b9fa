//! Callbacks of both providers: the first line of the input is headers, the rest the body. Nothing is believed.
#![no_main]

use sandbox::MerchantKeys;
use shared::config::Config;
use shared::domain::Provider;
use shared::providers::{CallbackRequest, ProviderClients, read_callback};
use std::sync::LazyLock;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));
static CONFIG: LazyLock<Config> = LazyLock::new(|| {
    let mut config = MerchantKeys::generate("fuzz").config("http://127.0.0.1:9");
    config["auth"] = serde_json::json!({ "keys": { "fuzz": "sixteen bytes and more" } });
    Config::parse(&config.to_string(), std::path::Path::new("")).map_err(|_| ()).expect("a configuration").0
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let cut = input.iter().position(|b| *b == b'\n').unwrap_or(0);
    let names = ["wechatpay-signature", "wechatpay-serial", "wechatpay-timestamp", "wechatpay-nonce"];
    let mut headers = http::HeaderMap::new();
    for (name, value) in names.iter().zip(input[..cut].split(|b| *b == b'\t')) {
        if let Ok(value) = http::HeaderValue::from_bytes(value) {
            headers.insert(*name, value);
        }
    }
    let request = CallbackRequest { method: &http::Method::POST, headers: &headers, query: "", body: &input[cut..], now: 1_700_000_000_000 };
    let clients = ProviderClients::default();
    for provider in [Provider::Wxpay, Provider::Alipay] {
        let merchant = CONFIG.merchant("default").expect("a merchant");
        assert!(RUNTIME.block_on(read_callback(provider, merchant, &clients, &request)).is_err());
    }
});
