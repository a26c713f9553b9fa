//! A callback that is rightly signed and speaks to somebody else is nobody's here: another application or merchant that
//! has the same keys, and a field that stands twice.

use crate::providers_flow::{create, pay, ways};
use crate::world::World;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sandbox::{CallbackKind, SignedRequest};
use serde_json::{Value, json};
use shared::config::Config;
use shared::domain::Provider;
use shared::providers::{CallbackError, CallbackRequest, Notice, ProviderClients, read_callback};
use std::path::Path;

/// Reads a callback as a merchant with this configuration does.
pub async fn read(config: &Value, provider: &str, callback: &SignedRequest) -> Result<Notice, CallbackError> {
    let (config, _) = Config::parse(&config.to_string(), Path::new(".")).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut headers = HeaderMap::new();
    for (name, value) in &callback.headers {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let request = CallbackRequest {
        method: &callback.method.parse::<Method>().unwrap(),
        headers: &headers,
        query: callback.url.split_once('?').map_or("", |(_, query)| query),
        body: callback.body.as_bytes(),
        now: (shared::app::system_clock())(),
    };
    let merchant = config.merchant("default").expect("a merchant");
    read_callback(Provider::parse(provider).expect("a provider"), merchant, &ProviderClients::default(), &request).await
}

/// A genuine callback of a paid order, and the configuration that takes it.
async fn genuine(name: &str) -> (World, SignedRequest) {
    let way = ways().into_iter().find(|way| way.name == name).expect("a way to pay");
    let world = World::with(way.mode, |_| {}).await;
    let no = "ADDRESSEE_2026_1";
    let created = create(&world, &way, no).await;
    pay(&world, &way, &created, false).await;
    let attempt = &world.order(no).await["attempts"][0];
    let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number").to_owned();
    let callback = world.sandbox.build_callback(&number, CallbackKind::Payment);
    (world, callback)
}

/// The text with its last character changed to another of its kind.
fn other(text: &Value) -> Value {
    let text = text.as_str().expect("a text");
    let last = if text.ends_with('7') { '8' } else { '7' };
    json!(format!("{}{last}", &text[..text.len() - 1]))
}

#[tokio::test]
async fn a_message_for_another_application_or_merchant_with_the_same_keys_is_refused() {
    for (name, provider, pointers) in [
        ("epay md5", "vkspay", ["/vkspay/mchId"].as_slice()),
        ("epay rsa", "vkspay", &["/vkspay/mchId"]),
        ("coins", "wxpay-virtual", &["/wxpay-virtual/mp-weixin/appId"]),
        ("ecpay", "douyin", &["/douyin/mp-toutiao/appId"]),
        ("trade", "douyin", &["/douyin/mp-toutiao/appId"]),
        ("mp-harmony", "huawei", &["/huawei/mp-harmony/appId", "/huawei/mp-harmony/mchId"]),
        ("apple", "appleiap", &["/appleiap/app-plus/bundleId", "/appleiap/app-plus/appAppleId"]),
    ] {
        let (world, callback) = genuine(name).await;
        let taken = read(&world.config, provider, &callback).await;
        assert!(taken.is_ok(), "{name}: {taken:?}");
        for pointer in pointers {
            let mut config = world.config.clone();
            // The same application under its other node would take it.
            if let Some(section) = config.get_mut("huawei").and_then(Value::as_object_mut) {
                section.retain(|node, _| node == "mp-harmony");
            }
            let id = config.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}: {}", world.config));
            *id = if id.is_number() { json!(id.as_u64().unwrap() + 1) } else { other(id) };
            let refused = read(&config, provider, &callback).await;
            assert!(matches!(refused, Err(CallbackError::Forged(_))), "{name} {pointer}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_parameter_that_stands_twice_is_no_message() {
    for (name, provider) in [("epay md5", "vkspay"), ("epay rsa", "vkspay"), ("coins", "wxpay-virtual")] {
        let (world, callback) = genuine(name).await;
        let (_, query) = callback.url.split_once('?').expect("a query");
        for pair in query.split('&') {
            let mut doubled = callback.clone();
            doubled.url = format!("{}&{pair}", callback.url);
            let refused = read(&world.config, provider, &doubled).await;
            assert!(matches!(refused, Err(CallbackError::Malformed(_))), "{name} {pair}: {refused:?}");
        }
    }
}
