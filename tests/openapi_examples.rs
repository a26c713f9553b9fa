//! Every example of `docs/openapi.json` is true: its request, sent to functions with the sandbox at their side, is answered
//! with what stands there as its reply. `EXAMPLES=write` writes the replies anew (`contracts/src/replies.json`).

use crate::transfers::{NAME, wxpay};
use crate::world::{World, merge};
use sandbox::{ComplaintWish, Fault, Misbehaviour, Mode, Op, Pay, Provider, RefundOutcome};
use serde_json::{Map, Value, json};
use shared::domain::action::Action;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SUPPLIER: &str = "1900000100";

/// The sandbox has no login of Alipay's: this reply is written by hand.
const UNSERVED: &str = "login_at_alipay";

/// The moment of every example, in both forms.
const MOMENT: u64 = 1_767_225_600_000;
const MOMENT_TEXT: &str = "2026-01-01T08:00:00+08:00";
/// The same in every run, whatever they look like.
const AS_THEY_ARE: [&str; 2] = ["file", "sha256"];

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(path)).expect("a file")).expect("JSON")
}

async fn done(world: &World, function: &str, action: &str, data: Value) -> Value {
    let (status, answer) = world.call(function, json!({ "action": format!("pay/{action}"), "data": data })).await;
    assert_eq!(status, 200, "{action}: {answer}");
    answer
}

/// A world where everything that the examples name is there. And what their made-up names are in it.
async fn stage() -> (World, Vec<(&'static str, String)>) {
    let world = World::with(Mode::default(), |config| {
        config["auth"]["request"] = json!("key");
        config["auth"]["wxpayVirtual"] = json!("key");
        config["request"] = json!({ "wxpay": ["GET /v3/merchant/fund/"] });
        config["shipping"] = json!({ "recharge": "manual" });
        for node in config["wxpay"].as_object_mut().expect("nodes").values_mut() {
            node["complaints"] = json!(true);
        }
    })
    .await;
    world.put("uni-id-users", "demo-user", json!({ "balance": 0 })).await;
    world.sandbox.let_share(&world.keys.wechat.mchid, "MERCHANT_ID", SUPPLIER);
    let of = |user: &str| json!({ "user_id": user, "custom": { "user_id": user }, "total_fee": 10_000 });
    let mut names = Vec::new();
    for (n, more) in [
        (2, json!({})),
        (3, json!({})),
        (4, of("not-yet-1")),
        (5, of("not-yet-2")),
        (6, json!({ "other": { "profit_sharing": true } })),
        (7, json!({ "vk_platform": "mp-weixin", "openid": "o_demo_user" })),
        (8, json!({})),
        (11, json!({})),
    ] {
        let mut order = of("demo-user");
        merge(&mut order, more);
        let no = format!("T202601010{n:02}");
        let (status, made) = world.create(&no, order).await;
        assert_eq!(status, 200, "{made}");
        if n != 2 {
            world.pay(&no).await;
        }
    }
    for (n, provider, platform) in [(9, Provider::Appleiap, "app-plus"), (10, Provider::Huawei, "app-harmony")] {
        let mut order = of("demo-user");
        // What the sandbox's stores sell costs so much.
        merge(&mut order, json!({ "total_fee": 100 }));
        merge(&mut order, json!({ "provider": provider.name(), "vk_platform": platform, "product_id": "coins_1" }));
        let (status, made) = world.create(&format!("T202601010{n:02}"), order).await;
        assert_eq!(status, 200, "{made}");
        let how = Pay { notify: false, merchant: Some("shop".to_owned()), ..Pay::default() };
        let bought = world.sandbox.client_pay(provider, &made["orderInfo"], how).await.expect("bought").result;
        let (name, proof) = match provider {
            Provider::Huawei => ("eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl", &bought["jwsPurchaseOrder"]),
            _ => ("2000000000000001", &bought["transactionIdentifier"]),
        };
        names.push((name, proof.as_str().expect("a text").to_owned()));
    }
    world.sandbox.misbehave(Fault::once(Op::Refund, Misbehaviour::HoldRefund));
    let stuck = json!({ "out_trade_no": "T20260101008", "out_refund_no": "R20260101002", "refund_fee": 60 });
    done(&world, "refund", "refund", stuck).await;
    world.sandbox.settle_refund("R20260101002", RefundOutcome::Abnormal);
    world.incident_of("refund_abnormal", "T20260101008").await;
    for (name, no) in [("200000020260101000000001", "T20260101003"), ("200000020260101000000002", "T20260101011")] {
        names.push((name, world.sandbox.complain(no, &ComplaintWish::default()).expect("a complaint")));
        world.run(json!({ "job": "complaints", "provider": "wxpay" })).await;
        // They are told to the second, and the newest stand first.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let mut transfer = wxpay("B20260101002", 100);
    transfer["user_name"] = json!(NAME);
    done(&world, "transfer", "transfer", transfer).await;
    world.sandbox.confirm_transfer("B20260101002").expect("it waits");
    world.until_state("B20260101002", "SUCCESS").await;
    let receipt = json!({ "out_bill_no": "B20260101002" });
    while done(&world, "transfer", "transferReceipt", receipt.clone()).await["state"] != "FINISHED" {
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let known = done(&world, "login", "code2Session", json!({ "provider": "wxpay-virtual", "code": "c1" })).await;
    names.push(("o_demo_payer", known["openid"].as_str().expect("a text").to_owned()));
    let incident = world.incident_of("undelivered", "T20260101005").await;
    names.push(("d1-0123456789abcdef", incident["incident_id"].as_str().expect("a text").to_owned()));
    tokio::time::sleep(Duration::from_millis(150)).await;
    (world, names)
}

/// A value with other names in it.
fn renamed(value: &Value, names: &[(&str, &str)]) -> Value {
    let mut text = value.to_string();
    for (from, to) in names {
        text = text.replace(from, to);
    }
    serde_json::from_str(&text).expect("JSON")
}

/// A reply without what differs from run to run: in the place of times, of the merchant's names and of what is drawn at
/// random stand others of the same form, that are always the same; of lists there are the first two.
fn settled(value: &Value, name: &str, depth: usize) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(&String, &Value)> = map.iter().collect();
            // What the table keeps has no order.
            if depth > 1 {
                fields.sort_by_key(|(name, _)| *name);
            }
            fields.into_iter().map(|(name, value)| (name.clone(), settled(value, name, depth + 1))).collect()
        }
        Value::Array(list) => list.iter().take(2).map(|value| settled(value, name, depth + 1)).collect(),
        Value::Number(number) if number.as_u64().is_some_and(|n| n > 1_000_000_000_000) => json!(MOMENT),
        Value::String(text) if !AS_THEY_ARE.contains(&name) => json!(settled_text(text)),
        other => other.clone(),
    }
}

fn settled_text(text: &str) -> String {
    if text.len() == MOMENT_TEXT.len() && text.ends_with("+08:00") {
        return MOMENT_TEXT.to_owned();
    }
    if text.len() == 14 && text.starts_with("20") && text.bytes().all(|b| b.is_ascii_digit()) {
        return "20260101080000".to_owned();
    }
    let is_of_a_token = |c: char| c.is_ascii_alphanumeric();
    let mut settled = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| is_of_a_token(c) != is_of_a_token(first)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let has = |class: fn(&u8) -> bool| token.as_bytes().iter().any(class);
        let mixed = has(u8::is_ascii_digit) || has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        let random = token.len() >= 16 && mixed;
        let known = ["2000000", "0123456789abcdef", "wx00"].iter().any(|known| token.starts_with(known));
        let after_mark = settled.ends_with("?pr=");
        // Numbers of a refund that we made begin with the order's.
        let kept = match token.starts_with("T2026") {
            true => 12,
            false if token.bytes().all(|b| b.is_ascii_digit()) => 2,
            false => usize::from(token.len() == 28 && token.starts_with(['o', 'u'])),
        };
        match random && !known || after_mark {
            true => {
                let kept = if after_mark { 0 } else { kept.min(token.len() - 1) };
                settled.push_str(&token[..kept]);
                settled.extend(std::iter::repeat_n('0', token.len() - kept - 1));
                settled.push('1');
            }
            false => settled.push_str(token),
        }
        rest = after;
    }
    settled
}

/// Where two replies differ.
fn differences(kept: &Value, got: &Value, at: &str, found: &mut Vec<String>) {
    match (kept, got) {
        (Value::Object(kept), Value::Object(got)) => {
            for name in kept.keys().chain(got.keys().filter(|name| !kept.contains_key(*name))) {
                let value = |map: &Map<String, Value>| map.get(name).cloned().unwrap_or(json!("(absent)"));
                differences(&value(kept), &value(got), &format!("{at}/{name}"), found);
            }
        }
        (Value::Array(kept), Value::Array(got)) if kept.len() == got.len() => {
            for (n, (kept, got)) in kept.iter().zip(got).enumerate() {
                differences(kept, got, &format!("{at}/{n}"), found);
            }
        }
        _ if kept != got => found.push(format!("{at}: {kept} and {got}")),
        _ => {}
    }
}

#[tokio::test]
async fn every_example_of_the_document_is_answered_as_it_says() {
    let (world, names) = stage().await;
    let there: Vec<(&str, &str)> = names.iter().map(|(name, own)| (*name, own.as_str())).collect();
    let mut here: Vec<(&str, &str)> = names.iter().map(|(name, own)| (own.as_str(), *name)).collect();
    let wechat = &world.keys.wechat;
    here.extend([
        (world.base.as_str(), "https://pay.example"),
        (wechat.mchid.as_str(), "1900000001"),
        (wechat.mp_appid.as_str(), "wx0000000000000001"),
        (wechat.app_appid.as_str(), "wx0000000000000002"),
        (wechat.web_appid.as_str(), "wx0000000000000003"),
    ]);
    let document = read("docs/openapi.json");
    let mut replies = Map::new();
    for action in Action::ALL {
        let at = format!("/paths/~1{}/post/requestBody/content/application~1json/examples", action.function());
        let examples = document.pointer(&at).and_then(Value::as_object).expect("examples");
        for (name, example) in examples.iter().filter(|(_, example)| example["value"]["action"] == action.name()) {
            match name.as_str() {
                "deliver_again" => world.put("uni-id-users", "not-yet-1", json!({ "balance": 0 })).await,
                // The examples before have added the receiver and taken it away.
                "share" => world.sandbox.let_share(&world.keys.wechat.mchid, "MERCHANT_ID", SUPPLIER),
                // A share takes a while at the sandbox.
                "take_a_share_back" => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    world.reconcile(60_000).await;
                }
                // A provider is asked about one thing at most once in a second.
                name if name.starts_with("query_") => tokio::time::sleep(Duration::from_millis(1100)).await,
                _ => {}
            }
            if name == UNSERVED {
                replies.insert(name.clone(), json!({
                    "code": 0, "msg": "ok", "request_id": "0123456789abcdef0123456789abcdef", "openid": "o_demo_user",
                    "data": { "openid": "o_demo_user" },
                }));
                continue;
            }
            let (status, reply) = world.call(action.function(), renamed(&example["value"], &there)).await;
            assert_eq!(status, 200, "{name}: {reply}");
            replies.insert(name.clone(), settled(&renamed(&reply, &here), "", 0));
        }
    }
    let path = "contracts/src/replies.json";
    if std::env::var("EXAMPLES").is_ok_and(|v| v == "write") {
        let text = serde_json::to_string_pretty(&Value::Object(replies)).expect("JSON");
        std::fs::write(file(path), text + "\n").expect("written");
        return;
    }
    let mut found = Vec::new();
    differences(&read(path), &Value::Object(replies), "", &mut found);
    assert!(found.is_empty(), "EXAMPLES=write writes them anew\n{}", found.join("\n"));
}
