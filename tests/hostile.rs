//! Callbacks that must not be believed, through the function's own door: nothing is written, the answer is a
//! 4xx in the provider's words, and the process goes on.

use crate::world::World;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use sandbox::{CallbackKind, Forgery, Mode, SignedRequest};
use serde_json::json;

/// A paid trade whose callback has not been sent, at each provider and version.
async fn paid_silently(mode: Mode, provider: &str, no: &str) -> World {
    let world = World::with(mode, |_| {}).await;
    let (status, made) = world.create(no, json!({ "provider": provider })).await;
    assert_eq!(status, 200, "{made}");
    world.pay_silently(no).await;
    world
}

async fn untouched(world: &World, no: &str) {
    assert_eq!(world.order(no).await["trade_state"], "NOTPAY");
    assert_eq!(world.row("uni-id-users", "user_001").await["balance"], 0);
    assert!(world.kind("incident").await.is_empty(), "a forged message is not even an incident");
}

const MODES: [(&str, u8); 3] = [("wxpay", 3), ("wxpay", 2), ("alipay", 3)];

#[tokio::test]
async fn forged_callbacks_are_refused_and_the_genuine_one_is_taken() {
    for (provider, wxpay_version) in MODES {
        let no = format!("FORGED_{provider}_{wxpay_version}");
        let world = paid_silently(Mode { wxpay_version, ..Mode::default() }, provider, &no).await;
        let fitting = world.sandbox.build_callback(&no, CallbackKind::Payment);
        for forgery in Forgery::ALL.into_iter().filter(|how| how.fits(&fitting)) {
            let genuine = world.sandbox.build_callback(&no, CallbackKind::Payment);
            let forged = world.sandbox.forge(genuine.clone(), forgery);
            let (status, body) = world.sandbox.send(&forged).await.expect("an answer");
            assert!((400..500).contains(&status), "{provider} v{wxpay_version} {forgery:?}: {status} {body}");
            assert_ne!(body, "success");
            untouched(&world, &no).await;
        }
        let genuine = world.sandbox.build_callback(&no, CallbackKind::Payment);
        let (status, _) = world.sandbox.send(&genuine).await.expect("an answer");
        assert!(matches!(status, 200 | 204));
        assert_eq!(world.order(&no).await["trade_state"], "SUCCESS");
    }
}

#[tokio::test]
async fn a_genuine_callback_of_ten_minutes_ago_is_refused() {
    let world = paid_silently(Mode::default(), "wxpay", "STALE_1").await;
    let stale =
        world.sandbox.forge(world.sandbox.build_callback("STALE_1", CallbackKind::Payment), Forgery::OldTimestamp);
    let (status, _) = world.sandbox.send(&stale).await.expect("an answer");
    assert!((400..500).contains(&status));
    untouched(&world, "STALE_1").await;
}

/// The same message with another header, host, query or path.
fn dressed(genuine: &SignedRequest, dress: impl FnOnce(&mut SignedRequest)) -> SignedRequest {
    let mut other = genuine.clone();
    dress(&mut other);
    other
}

#[tokio::test]
async fn no_header_host_query_or_path_changes_the_verdict() {
    for (provider, wxpay_version) in MODES {
        let no = format!("DRESSED_{provider}_{wxpay_version}");
        let world = paid_silently(Mode { wxpay_version, ..Mode::default() }, provider, &no).await;
        let forged = world.sandbox.forge(world.sandbox.build_callback(&no, CallbackKind::Payment), Forgery::OtherKey);
        let headers: [(&str, &str); 8] = [
            ("x-forwarded-host", "localhost"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-debug", "1"),
            ("authorization", "Bearer the-shop-calls-with-this"),
            ("content-type", "application/xml"),
            ("content-type", "application/json"),
            ("content-type", "multipart/form-data; boundary=x"),
            ("x-http-method-override", "GET"),
        ];
        for (name, value) in headers {
            let request = dressed(&forged, |r| {
                r.headers.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
                r.headers.push((name.to_owned(), value.to_owned()));
            });
            let (status, _) = world.sandbox.send(&request).await.expect("an answer");
            assert!((400..500).contains(&status), "{name}: {value}: {status}");
        }
        for (from, to) in [("/pay-notify/", "/refund-notify/"), ("/default", "/default?debug=1&verify=false")] {
            let request = dressed(&forged, |r| r.url = r.url.replace(from, to));
            let (status, _) = world.sandbox.send(&request).await.expect("an answer");
            assert!((400..500).contains(&status), "{to}: {status}");
        }
        untouched(&world, &no).await;
        let genuine = world.sandbox.build_callback(&no, CallbackKind::Payment);
        let odd = dressed(&genuine, |r| {
            r.headers.push(("x-debug".to_owned(), "1".to_owned()));
            r.url = format!("{}?stage=prod", r.url);
        });
        let (status, _) = world.sandbox.send(&odd).await.expect("an answer");
        assert!(matches!(status, 200 | 204), "and a genuine one stays genuine: {status}");
    }
}

#[tokio::test]
async fn only_post_is_believed_and_unknown_addressees_are_4xx() {
    let world = paid_silently(Mode::default(), "wxpay", "ADDRESS_1").await;
    let genuine = world.sandbox.build_callback("ADDRESS_1", CallbackKind::Payment);
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let mut request = genuine.clone();
        request.method = method.to_owned();
        let (status, _) = world.sandbox.send(&request).await.expect("an answer");
        assert!((400..500).contains(&status), "{method}: {status}");
    }
    for path in [
        "pay-notify/wxpay/nobody",
        "pay-notify/paypal/default",
        "pay-notify",
        "pay-notify/wxpay/default/more",
        "nothing",
        "pay-notify/alipay/default",
        "pay-notify/wxpay/..%2fdefault",
    ] {
        let request = dressed(&genuine, |r| r.url = format!("{}/notify/{path}", world.base));
        let (status, _) = world.sandbox.send(&request).await.expect("an answer");
        assert!((400..500).contains(&status), "{path}: {status}");
    }
    untouched(&world, "ADDRESS_1").await;
    let vk = dressed(&genuine, |r| r.url = format!("{}/http/vk-pay/vk-pay-notify/wxpay_h5/ADDRESS_1", world.base));
    assert_eq!(world.sandbox.send(&vk).await.expect("an answer").0, 204, "VK-Pay's own path is served");
}

#[tokio::test]
async fn every_field_that_is_deleted_emptied_or_doubled_is_refused() {
    let world = paid_silently(Mode::default(), "alipay", "FIELDS_1").await;
    let genuine = world.sandbox.build_callback("FIELDS_1", CallbackKind::Payment);
    let text = genuine.body.clone();
    let fields: Vec<&str> = text.split('&').collect();
    for (i, field) in fields.iter().enumerate() {
        let name = field.split('=').next().expect("a name");
        if name == "sign_type" {
            continue;
        }
        let with = |replacement: Option<String>| {
            let mut changed: Vec<String> = fields.iter().map(|f| (*f).to_owned()).collect();
            match replacement {
                Some(new) => changed[i] = new,
                None => {
                    changed.remove(i);
                }
            }
            dressed(&genuine, |r| r.body = changed.join("&"))
        };
        for request in [
            with(None),
            with(Some(format!("{name}="))),
            with(Some(format!("{field}&{field}"))),
            with(Some(format!("{name}%5B%5D={}", &field[name.len() + 1..]))),
        ] {
            let (status, body) = world.sandbox.send(&request).await.expect("an answer");
            assert!((400..500).contains(&status), "{name}: {status} {body}");
        }
    }
    untouched(&world, "FIELDS_1").await;
}

#[tokio::test]
async fn hostile_xml_is_refused_without_network_or_memory() {
    let world = paid_silently(Mode { wxpay_version: 2, ..Mode::default() }, "wxpay", "HOSTILE_1").await;
    let genuine = world.sandbox.build_callback("HOSTILE_1", CallbackKind::Payment);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let there = listener.local_addr().expect("an address");
    let lol = (0..9).fold("<!ENTITY a0 \"lol\">".to_owned(), |all, i| {
        format!("{all}<!ENTITY a{} \"{}\">", i + 1, format!("&a{i};").repeat(10))
    });
    let bodies = [
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>"
            .to_owned(),
        format!("<!DOCTYPE x SYSTEM \"http://{there}/x.dtd\"><xml></xml>"),
        format!("<!DOCTYPE x [<!ENTITY % p SYSTEM \"http://{there}/x\"> %p;]><xml></xml>"),
        format!("<!DOCTYPE x [{lol}]><xml><a>&a9;</a></xml>"),
        "<xml>".repeat(100_000),
        format!("<xml><a>{}</a></xml>", "x".repeat(2_000_000)),
        "<xml><return_code>SUCCESS</return_code></xml>".to_owned(),
        String::new(),
        "\u{feff}".to_owned(),
    ];
    for body in bodies {
        let request = dressed(&genuine, |r| r.body = body.clone());
        let (status, _) = world.sandbox.send(&request).await.expect("an answer");
        assert!((400..500).contains(&status), "{:.40}: {status}", body);
    }
    let asked = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
    assert!(asked.is_err(), "nobody was asked for a DTD");
    untouched(&world, "HOSTILE_1").await;
    assert_eq!(world.sandbox.send(&genuine).await.expect("an answer").0, 200);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in a request, it is read or refused; nothing panics.
    #[test]
    fn no_amount_text_is_ever_rounded(text in "\\PC{0,12}") {
        let value = json!(text);
        let read = shared::domain::Fen::from_json(&value);
        prop_assert_eq!(read.map(|fen| fen.to_string()), read.map(|_| text));
    }

    #[test]
    fn yuan_and_fen_agree(fen in 0u64..100_000_000_000) {
        let text = shared::domain::Fen(fen).to_yuan();
        prop_assert_eq!(shared::domain::Fen::from_yuan(&text), Some(shared::domain::Fen(fen)));
    }

    #[test]
    fn no_configuration_text_panics(text in "\\PC{0,200}") {
        let _ = shared::config::Config::parse(&text, std::path::Path::new(""));
    }

    #[test]
    fn no_key_text_panics(text in "(-----BEGIN [A-Z ]{0,12}-----)?[A-Za-z0-9+/=\n -]{0,200}(-----END [A-Z ]{0,12}-----)?") {
        prop_assert!(shared::crypto::rsa::PrivateKey::parse(&text).is_err());
        prop_assert!(shared::crypto::rsa::PublicKey::parse(&text).is_err());
        prop_assert!(shared::crypto::cert::Certificate::parse(&text).is_err());
        let _ = shared::crypto::cert::alipay_root_sn(&text);
    }
}

#[tokio::test]
async fn whatever_the_body_is_the_reply_is_json_and_nothing_is_written() {
    let world = World::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        "\\{\"(action|url|data|out_trade_no)\":.{0,80}\\}".prop_map(String::into_bytes),
    ];
    let client = reqwest::Client::new();
    for function in ["create-payment", "query-payment", "refund", "http/vk-pay"] {
        for _ in 0..60 {
            let body = strategy.new_tree(&mut runner).expect("a body").current();
            let answer = client
                .post(format!("{}/{function}", world.base))
                .header("authorization", format!("Bearer {}", crate::world::KEY))
                .body(body)
                .send()
                .await
                .expect("an answer");
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("a text");
            let reply: serde_json::Value = serde_json::from_str(&text).expect("a JSON reply");
            assert!((400..500).contains(&status), "{status} {text}");
            assert_ne!(reply["code"], 0);
        }
    }
    assert!(world.items(crate::world::TABLE).await.is_empty());
}

/// Bodies that look like each provider's, with everything in them at will.
fn callback_body() -> impl Strategy<Value = Vec<u8>> {
    let names = "(msg|msg_signature|timestamp|nonce|type|signedPayload|jwsNotification|mercNo|sign|callbackId|out_trade_no|id|resource|event_type|Event|Encrypt|MsgType|app_id|trade_status|pay_status|return_code|xml)";
    let object = proptest::collection::btree_map(names, "\\PC{0,40}", 0..6);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        object.clone().prop_map(|fields| json!(fields).to_string().into_bytes()),
        object.clone().prop_map(|fields| {
            let fields: String = fields.iter().map(|(k, v)| format!("<{k}><![CDATA[{v}]]></{k}>")).collect();
            format!("<xml>{fields}</xml>").into_bytes()
        }),
        object.prop_map(|fields| {
            let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
            fields.join("&").into_bytes()
        }),
        "[A-Za-z0-9_=-]{0,60}\\.[A-Za-z0-9_=-]{0,60}\\.[A-Za-z0-9_=-]{0,60}"
            .prop_map(|jws| json!({ "signedPayload": jws, "jwsNotification": jws }).to_string().into_bytes()),
    ]
}

#[tokio::test]
async fn no_provider_believes_a_callback_at_will() {
    let world = World::start().await;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (bodies, queries) = (
        callback_body(),
        "((signature|msg_signature|timestamp|nonce|echostr|encrypt_type|sign|out_trade_no)=[a-zA-Z0-9%]{0,20}&){0,5}",
    );
    let client = reqwest::Client::new();
    let providers = shared::domain::Provider::ALL.map(shared::domain::Provider::name);
    for provider in providers {
        for kind in ["pay-notify", "refund-notify"] {
            for round in 0..40 {
                let body = bodies.new_tree(&mut runner).expect("a body").current();
                let query = queries.new_tree(&mut runner).expect("a query").current();
                let url = format!("{}/notify/{kind}/{provider}/default?{query}", world.base);
                let request = if round % 8 == 0 { client.get(&url) } else { client.post(&url) };
                let answer = request.body(body.clone()).send().await.expect("an answer");
                let status = answer.status().as_u16();
                let body = String::from_utf8_lossy(&body);
                assert!((400..500).contains(&status), "{provider} {kind} {query} {body}: {status}");
            }
        }
    }
    assert!(world.items(crate::world::TABLE).await.is_empty(), "nothing is written");
}
