//! Hostile notices of complaints: none that its provider has not signed for this merchant is believed, and one that is
//! rightly signed and says nothing of use changes nothing.

use crate::payee::twin;
use crate::providers_flow;
use crate::world::{TABLE, World};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sandbox::{CallbackKind, ComplaintWish, Fault, Forgery, MerchantKeys, Misbehaviour, Mode, Op, SignedRequest};
use serde_json::{Value, json};
use shared::crypto::rsa::PrivateKey;
use std::collections::BTreeMap;
use std::time::Duration;

/// Near the largest body that Lambda passes on, 6 MB.
const LARGE: usize = 5 * 1024 * 1024;

/// A shop with a second merchant, `twin`, at the same gateways.
async fn shop(mode: Mode) -> World {
    let world = World::with(mode, |config| {
        let gateway = config["wxpay"]["h5"]["apiBase"].as_str().expect("a gateway").to_owned();
        config["merchants"] = json!({ "twin": twin().config_with(&gateway, mode) });
    })
    .await;
    world.sandbox.register(twin());
    world
}

/// A complaint about a paid order of which no notice has arrived, and its notice.
async fn untold(world: &World, number: &str) -> (String, SignedRequest) {
    world.sandbox.misbehave(Fault::new(Op::Notify, Misbehaviour::Lose));
    let id = world.sandbox.complain(number, &ComplaintWish::default()).expect("a complaint");
    (id.clone(), world.sandbox.build_callback(&id, CallbackKind::Complaint))
}

/// The same at a provider whose orders need no more than its name.
async fn untold_at(world: &World, provider: &str) -> (String, SignedRequest) {
    let no = "HOSTILE_C_1";
    let (status, made) = world.create(no, json!({ "provider": provider })).await;
    assert_eq!(status, 200, "{made}");
    world.pay(no).await;
    if provider == "wxpay" {
        let body = json!({ "action": "pay/subscribeComplaints", "data": { "provider": provider } });
        assert_eq!(world.call("refund", body).await.0, 200);
    }
    untold(world, no).await
}

async fn table(world: &World) -> Vec<String> {
    let text = |mut item: Value| {
        item.sort_all_objects();
        item.to_string()
    };
    let mut items: Vec<String> = world.items(TABLE).await.into_iter().map(text).collect();
    items.sort();
    items
}

/// The table when nothing more is written to it.
async fn settled(world: &World) -> Vec<String> {
    let mut before = table(world).await;
    for _ in 0..50 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = table(world).await;
        if now == before {
            return now;
        }
        before = now;
    }
    panic!("the table is written to all the time");
}

/// What becomes of a hostile notice.
#[derive(Clone, Copy)]
enum End {
    /// 4xx.
    Refused,
    /// It is answered, and nothing comes of it.
    Ignored,
}

/// Sends every one; none changes the table. The true one, sent last, is believed.
async fn nothing_comes_of(world: &World, notices: Vec<(String, SignedRequest, End)>, genuine: &SignedRequest) {
    let before = settled(world).await;
    for (what, notice, end) in notices {
        let (status, body) = world.sandbox.send(&notice).await.expect("an answer");
        match end {
            End::Refused => assert!((400..500).contains(&status), "{what}: {status} {body}"),
            End::Ignored => assert!(status < 500, "{what}: {status} {body}"),
        }
        assert_eq!(table(world).await, before, "{what}");
    }
    let (status, body) = world.sandbox.send(genuine).await.expect("an answer");
    assert_eq!(status / 100, 2, "the true notice: {body}");
    let told = world.kind("incident").await.into_iter().filter(|own| own["incident"] == "complaint").count();
    assert_eq!((world.kind("complaint").await.len(), told), (1, 1));
}

/// What a stranger makes of a true notice, and the true one at another merchant's address.
fn of_a_stranger(world: &World, genuine: &SignedRequest) -> Vec<(String, SignedRequest, End)> {
    // These have no amount to alter.
    let others = Forgery::ALL.into_iter().filter(|how| *how != Forgery::AlteredAmount && how.fits(genuine));
    let mut all: Vec<_> =
        others.map(|how| (format!("{how:?}"), world.sandbox.forge(genuine.clone(), how), End::Refused)).collect();
    let mut replayed = genuine.clone();
    replayed.url = replayed.url.replacen("/default", "/twin", 1);
    assert_ne!(replayed.url, genuine.url);
    all.push(("at another merchant's address".to_owned(), replayed, End::Refused));
    all
}

/// Another id of the same shape.
fn another(id: &str) -> String {
    let last = if id.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &id[..id.len() - 1])
}

/// A body under a signature of WeChat Pay's for this merchant.
fn signed_by_wechat(genuine: &SignedRequest, keys: &MerchantKeys, body: String) -> SignedRequest {
    let header = |name: &str| {
        let found = genuine.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).expect("a header of the signature")
    };
    let public = header("Wechatpay-Serial").starts_with("PUB_KEY_ID_");
    let key = if public { &keys.wechat.wxpay_key } else { &keys.wechat.platform_key };
    let text = format!("{}\n{}\n{body}\n", header("Wechatpay-Timestamp"), header("Wechatpay-Nonce"));
    let signature = PrivateKey::parse(key).expect("a key").sign(text.as_bytes()).expect("a signature");
    let mut signed = genuine.clone();
    for (name, value) in &mut signed.headers {
        if name.eq_ignore_ascii_case("Wechatpay-Signature") {
            value.clone_from(&signature);
        }
    }
    signed.body = body;
    signed
}

/// An envelope of WeChat Pay's with this event and this text inside.
fn sealed(genuine: &SignedRequest, keys: &MerchantKeys, event: &str, plain: &str) -> String {
    let mut body: Value = serde_json::from_str(&genuine.body).expect("an envelope");
    let text = |name: &str| body["resource"][name].as_str().unwrap_or_default().to_owned();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, keys.wechat.v3_key.as_bytes()).expect("a key"));
    let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).expect("a nonce");
    let mut data = plain.as_bytes().to_vec();
    key.seal_in_place_append_tag(nonce, Aad::from(text("associated_data").as_bytes()), &mut data).expect("sealed");
    body["resource"]["ciphertext"] = json!(STANDARD.encode(data));
    body["event_type"] = json!(event);
    body.to_string()
}

#[tokio::test]
async fn no_hostile_notice_of_wechat_pays_complaints_changes_anything() {
    let world = shop(Mode::default()).await;
    let (id, genuine) = untold_at(&world, "wxpay").await;
    let keys = &world.keys;
    let mut all = of_a_stranger(&world, &genuine);
    let mut add = |what: &str, notice, end| all.push((what.to_owned(), notice, end));
    add("another merchant's key", signed_by_wechat(&genuine, twin(), genuine.body.clone()), End::Refused);
    let mut altered = genuine.clone();
    altered.body.push(' ');
    add("an altered body", altered, End::Refused);
    let inside = json!({ "complaint_id": id, "action_type": "CREATE_COMPLAINT" }).to_string();
    let foreign = sealed(&genuine, twin(), "COMPLAINT.CREATE", &inside);
    add("sealed for another merchant", signed_by_wechat(&genuine, keys, foreign), End::Refused);
    let mut large = genuine.clone();
    large.body += &" ".repeat(LARGE);
    add("a large body", large, End::Refused);
    for body in ["", "{", "[]", "null", r#"{"event_type":"COMPLAINT.CREATE"}"#] {
        add(body, signed_by_wechat(&genuine, keys, body.to_owned()), End::Refused);
    }
    for plain in ["", "{", "[]", "null", "{}", r#"{"complaint_id":7}"#, r#"{"complaint_id":"../../x"}"#] {
        let body = sealed(&genuine, keys, "COMPLAINT.CREATE", plain);
        add(plain, signed_by_wechat(&genuine, keys, body), End::Refused);
    }
    for event in ["COMPLAINT.NONE", "complaint.create", ""] {
        let body = sealed(&genuine, keys, event, &inside);
        add(event, signed_by_wechat(&genuine, keys, body), End::Ignored);
    }
    let nobodys = json!({ "complaint_id": another(&id), "action_type": "CREATE_COMPLAINT" }).to_string();
    let body = sealed(&genuine, keys, "COMPLAINT.CREATE", &nobodys);
    add("an id that WeChat Pay does not have", signed_by_wechat(&genuine, keys, body), End::Ignored);
    let own = sealed(&genuine, keys, "COMPLAINT.CREATE", &inside);
    nothing_comes_of(&world, all, &signed_by_wechat(&genuine, keys, own)).await;
}

/// The same message with these fields, under a signature of Alipay's for this merchant.
fn signed_by_alipay(genuine: &SignedRequest, keys: &MerchantKeys, over: &[(&str, &str)]) -> SignedRequest {
    let mut fields: BTreeMap<String, String> = form_urlencoded::parse(genuine.body.as_bytes()).into_owned().collect();
    fields.extend(over.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let told =
        fields.iter().filter(|(name, value)| !["sign", "sign_type"].contains(&name.as_str()) && !value.is_empty());
    let text = told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let key = PrivateKey::parse(&keys.alipay.alipay_private_key).expect("a key");
    fields.insert("sign".to_owned(), key.sign(text.as_bytes()).expect("a signature"));
    let mut signed = genuine.clone();
    signed.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    signed
}

#[tokio::test]
async fn no_hostile_message_of_alipays_complaints_changes_anything() {
    let world = shop(Mode::default()).await;
    let (id, genuine) = untold_at(&world, "alipay").await;
    let keys = &world.keys;
    let mut all = of_a_stranger(&world, &genuine);
    let mut add = |what: &str, notice, end| all.push((what.to_owned(), notice, end));
    add("another merchant's key", signed_by_alipay(&genuine, twin(), &[]), End::Refused);
    let mut altered = genuine.clone();
    altered.body = altered.body.replacen(&id, &another(&id), 1);
    assert_ne!(altered.body, genuine.body);
    add("an altered body", altered, End::Refused);
    let foreign = [("app_id", twin().alipay.app_id.as_str())];
    add("another merchant's application", signed_by_alipay(&genuine, keys, &foreign), End::Refused);
    let mut large = genuine.clone();
    large.body += &format!("&more={}", "x".repeat(LARGE));
    add("a large body", large, End::Refused);
    for biz in ["", "{", "[]", "null", "{}", r#"{"complain_event_id":7}"#, r#"{"complain_event_id":"../../x"}"#] {
        add(biz, signed_by_alipay(&genuine, keys, &[("biz_content", biz)]), End::Refused);
    }
    let other = "alipay.merchant.tradecomplain.none";
    add(other, signed_by_alipay(&genuine, keys, &[("msg_method", other)]), End::Ignored);
    let nobodys = json!({ "complain_event_id": another(&id) }).to_string();
    let nobodys = signed_by_alipay(&genuine, keys, &[("biz_content", &nobodys)]);
    add("an id that Alipay does not have", nobodys, End::Ignored);
    nothing_comes_of(&world, all, &signed_by_alipay(&genuine, keys, &[])).await;
}

#[tokio::test]
async fn no_hostile_push_of_virtual_payments_complaints_changes_anything() {
    for way in providers_flow::ways().into_iter().filter(|way| ["coins", "plain"].contains(&way.name)) {
        let world = shop(way.mode).await;
        let no = "HOSTILE_V_1";
        let created = providers_flow::create(&world, &way, no).await;
        providers_flow::pay(&world, &way, &created, true).await;
        let order = world.until(|order| order["trade_state"] == "SUCCESS", no).await;
        let attempt = &order["attempts"][0];
        let number = attempt["numbers"][0].as_str().or(attempt["number"].as_str()).expect("a number");
        let (id, genuine) = untold(&world, number).await;
        let mut all = of_a_stranger(&world, &genuine);
        let with = |body: String| SignedRequest { body, ..genuine.clone() };
        let large = json!({ "ToUserName": "gh_0000", "Encrypt": "A".repeat(LARGE) });
        all.push((
            "a large body".to_owned(),
            with(large.to_string()),
            if way.name == "coins" { End::Refused } else { End::Ignored },
        ));
        if way.name == "coins" {
            all.push((
                "an altered body".to_owned(),
                world.sandbox.forge(genuine.clone(), Forgery::AlteredAmount),
                End::Refused,
            ));
        } else {
            // A plain push does not sign its body, so whoever has seen one may write another.
            for body in ["", "{", "[]", "null"] {
                all.push((body.to_owned(), with(body.to_owned()), End::Refused));
            }
            for (name, value, end) in [
                ("ComplaintId", json!("../../x"), End::Refused),
                ("ComplaintId", json!(""), End::Refused),
                ("ComplaintId", json!(another(&id)), End::Ignored),
                ("Event", json!("xpay_complaint_none"), End::Ignored),
            ] {
                let mut body: Value = serde_json::from_str(&genuine.body).expect("a message");
                assert!(body[name].is_string(), "{body}");
                body[name] = value.clone();
                all.push((format!("{name} {value}"), with(body.to_string()), end));
            }
        }
        nothing_comes_of(&world, all, &genuine).await;
    }
}
