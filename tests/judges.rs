//! Independent implementations agree with ours, in both directions: they verify our requests and send us callbacks,
//! and they are clients of the sandbox that stands in for the providers in all other tests.
//!
//! `judges/install.sh` installs them. Where they are not installed these tests say so and pass; with
//! `JUDGES=required`, or where `PAY_JUDGES_PYTHON` names the interpreter that has them, they fail.

use crate::world::World;
use sandbox::Mode;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

/// Longer than any of them takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A script of a judge.
pub enum Script {
    Python(&'static str),
    Node(&'static str),
}

/// Where the judges are; `None`, with the reason on standard error, when they are not installed.
pub fn installed() -> Option<()> {
    let missing = if !python().is_file() {
        format!("there is no {}", python().display())
    } else if !folder().join("node_modules/alipay-sdk").is_dir() {
        "there is no judges/node_modules".to_owned()
    } else if std::process::Command::new("node").arg("--version").output().is_err() {
        "there is no node".to_owned()
    } else {
        return Some(());
    };
    let required =
        std::env::var("JUDGES").is_ok_and(|v| v == "required") || std::env::var_os("PAY_JUDGES_PYTHON").is_some();
    assert!(!required, "the judges are required, and {missing}");
    eprintln!("not judged: {missing}; tests/judges/install.sh installs the judges");
    None
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("judges")
}

fn python() -> PathBuf {
    std::env::var_os("PAY_JUDGES_PYTHON").map_or_else(|| folder().join(".venv/bin/python"), PathBuf::from)
}

impl Script {
    /// Starts it; it dies with the answer.
    fn start(&self) -> Child {
        let (program, name) = match self {
            Self::Python(name) => (python(), name),
            Self::Node(name) => ("node".into(), name),
        };
        let mut command = Command::new(program);
        command.arg(folder().join(name)).current_dir(folder()).kill_on_drop(true);
        // The SDKs write local time, and the judges listen on loopback.
        command.env("TZ", "Asia/Shanghai").env("NO_PROXY", "127.0.0.1").env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a judge starts")
    }

    /// Hands it a job, and has it judge to its end. Answers what it confirmed.
    pub async fn judge(&self, job: Value) -> Vec<String> {
        let mut child = self.start();
        let mut input = child.stdin.take().expect("its input");
        input.write_all(job.to_string().as_bytes()).await.expect("the job is read");
        drop(input);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("an end").expect("an end");
        let confirmed = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "the judge disagrees, after\n{confirmed}");
        confirmed.lines().map(str::to_owned).collect()
    }
}

/// A judge in the place of the providers.
pub struct Gateway {
    pub base: String,
    http: reqwest::Client,
    /// It ends when its input does.
    _child: Child,
}

impl Gateway {
    pub async fn start(script: Script) -> Self {
        let mut child = script.start();
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let port = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("a port in time");
        let port: u16 = port.expect("a line").expect("a line").parse().expect("a port");
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { base: format!("http://127.0.0.1:{port}"), http, _child: child }
    }

    /// A world whose functions call this judge instead of the sandbox, and what it read from the keys.
    async fn world(&self, mode: Mode) -> (World, Value) {
        self.world_with(mode, |_| {}).await
    }

    /// The same with a configuration that was changed.
    pub async fn world_with(&self, mode: Mode, change: impl FnOnce(&mut Value)) -> (World, Value) {
        let world = World::with(mode, |config| {
            for (section, path) in [("wxpay", ""), ("alipay", "/gateway.do"), ("wxpay-virtual", "")] {
                for node in config[section].as_object_mut().expect("nodes").values_mut() {
                    node["apiBase"] = json!(format!("{}{path}", self.base));
                }
            }
            change(config);
        })
        .await;
        let read = self.tell("keys", json!(world.keys)).await;
        (world, read)
    }

    pub async fn tell(&self, what: &str, wish: Value) -> Value {
        let url = format!("{}/judge/{what}", self.base);
        let answer = self.http.post(url).body(wish.to_string()).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{what} {wish}: {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Sends callbacks, forged ones first: each of those must be refused and change nothing, and the genuine one must
    /// be taken each of the two times that it comes.
    async fn calls_back(&self, world: &World, order: &str, wish: Value, forgeries: &[&str], taken: (u64, &str)) {
        let before = world.order(order).await;
        for forgery in forgeries {
            let mut forged = wish.clone();
            forged["forgery"] = json!(forgery);
            let answer = self.tell("callback", forged).await;
            let status = answer["status"].as_u64().expect("a status");
            assert!((400..500).contains(&status), "{wish} {forgery}: {answer}");
            assert_ne!(answer["body"], "success");
            assert_eq!(world.order(order).await, before, "{wish} {forgery}");
        }
        for _ in 0..2 {
            let mut genuine = wish.clone();
            genuine["forgery"] = Value::Null;
            let answer = self.tell("callback", genuine).await;
            assert_eq!((answer["status"].as_u64(), answer["body"].as_str()), (Some(taken.0), Some(taken.1)), "{wish}");
        }
    }

    /// Sends a notice that is about no order, forged ones first: none of those changes what is looked at.
    pub async fn gives_notice(&self, wish: Value, forgeries: &[&str], looked_at: impl AsyncFn() -> Value) {
        let before = looked_at().await;
        for forgery in forgeries {
            let mut forged = wish.clone();
            forged["forgery"] = json!(forgery);
            let answer = self.tell("callback", forged).await;
            let status = answer["status"].as_u64().expect("a status");
            assert!((400..500).contains(&status), "{wish} {forgery}: {answer}");
            assert_eq!(looked_at().await, before, "{wish} {forgery}");
        }
        for _ in 0..2 {
            let mut genuine = wish.clone();
            genuine["forgery"] = Value::Null;
            let status = self.tell("callback", genuine).await["status"].as_u64().expect("a status");
            assert!((200..300).contains(&status), "{wish}: {status}");
        }
    }

    /// What was asked, how often; all of it must have been right.
    pub async fn found_right(&self, wanted: &[(&str, usize)]) {
        let verdicts = self.tell("verdicts", json!({})).await;
        let verdicts = verdicts.as_array().expect("a list");
        for verdict in verdicts {
            assert!(verdict["fault"].is_null(), "the judge refused a request of ours: {verdict}");
        }
        for (op, least) in wanted {
            let seen = verdicts.iter().filter(|v| v["op"] == *op).count();
            assert!(seen >= *least, "{op}: {seen} of {least} in {verdicts:?}");
        }
    }
}

async fn balance(world: &World) -> i64 {
    world.row("uni-id-users", "user_001").await["balance"].as_i64().expect("a balance")
}

async fn refund(world: &World, no: &str, out_refund_no: &str, amount: u64) {
    let wish = json!({ "out_trade_no": no, "out_refund_no": out_refund_no, "refund_fee": amount });
    let (status, made) = world.call("refund", wish).await;
    assert_eq!(status, 200, "{made}");
}

/// Asks for refunds until so much was refunded.
async fn refunded(world: &World, no: &str, total: u64) {
    for _ in 0..100 {
        let (status, answer) =
            world.call("refund", json!({ "action": "pay/queryRefund", "data": { "out_trade_no": no } })).await;
        assert_eq!(status, 200, "{answer}");
        if world.order(no).await["refund_fee"] == total {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{no} was not refunded: {}", world.order(no).await);
}

/// A payment whose callback never comes is found by asking; an unpaid order is closed.
async fn asks_and_closes(gateway: &Gateway, world: &World, provider: &str) {
    let data = json!({ "provider": provider, "vk_platform": "h5" });
    for no in ["JUDGE_ASKED_1", "JUDGE_CLOSED_1"] {
        let (status, made) = world.create(no, data.clone()).await;
        assert_eq!(status, 200, "{made}");
    }
    gateway.tell("pay", json!({ "number": "JUDGE_ASKED_1" })).await;
    let (status, paid) = world.call("query-payment", json!({ "out_trade_no": "JUDGE_ASKED_1" })).await;
    assert_eq!((status, &paid["trade_state"]), (200, &json!("SUCCESS")), "{paid}");
    let close = json!({ "action": "pay/closePayment", "data": { "out_trade_no": "JUDGE_CLOSED_1" } });
    let (status, closed) = world.call("create-payment", close).await;
    assert_eq!((status, &closed["trade_state"]), (200, &json!("CLOSED")), "{closed}");
}

const V2_TAKEN: &str =
    "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>";

/// The whole life of an order of every product of WeChat Pay, with Python in the provider's place.
async fn judged_wxpay(mode: Mode, forgeries: &[&str], taken: (u64, &str)) {
    let gateway = Gateway::start(Script::Python("wechat_gateway.py")).await;
    let (world, _) = gateway.world(mode).await;
    let openid = json!("o_user_1");
    for node in ["mp-weixin", "h5-weixin", "app-plus", "h5", "mweb"] {
        let no = &format!("JUDGE_{node}");
        // APIv2 signs texts as they stand, and takes none with an ampersand.
        let subject = if mode.wxpay_version == 2 { "测试 a+b \"c\" <d> 100%" } else { "测试 a+b \"c\" <d> & 100%" };
        let data = json!({ "vk_platform": node, "openid": openid, "subject": subject });
        let (status, made) = world.create(no, data).await;
        assert_eq!(status, 200, "{node}: {made}");
        if !["h5", "mweb"].contains(&node) {
            let found = gateway.tell("invocation", json!({ "number": no, "params": made["orderInfo"] })).await;
            assert_eq!(found, json!({ "signed": true, "shaped": true }), "{node}: {made}");
            let mut altered = made["orderInfo"].clone();
            let nonce = if node == "app-plus" { "noncestr" } else { "nonceStr" };
            altered[nonce] = json!("0123456789abcdef");
            let found = gateway.tell("invocation", json!({ "number": no, "params": altered })).await;
            assert_eq!(found["signed"], false, "{node}: what is signed is what is told");
        }
        gateway.tell("pay", json!({ "number": no })).await;
        let before = balance(&world).await;
        let public_key = mode.wxpay_public_key;
        let wish = json!({ "number": no, "refund": false, "public_key": public_key });
        gateway.calls_back(&world, no, wish, forgeries, taken).await;
        assert_eq!(world.order(no).await["trade_state"], "SUCCESS");
        assert_eq!(balance(&world).await, before + 100, "credited once");
        let (first, second) = (format!("{no}_a"), format!("{no}_b"));
        refund(&world, no, &first, 30).await;
        let wish = json!({ "number": first, "refund": true, "public_key": public_key });
        gateway.calls_back(&world, no, wish, forgeries, taken).await;
        assert_eq!(world.order(no).await["refund_fee"], 30, "{node}");
        refund(&world, no, &second, 70).await;
        gateway.tell("settle", json!({ "number": second })).await;
        refunded(&world, no, 100).await;
    }
    asks_and_closes(&gateway, &world, "wxpay").await;
    gateway.found_right(&[("create", 7), ("query", 1), ("close", 1), ("refund", 10), ("refund_query", 5)]).await;
    if mode.wxpay_version == 3 && !mode.wxpay_public_key {
        gateway.found_right(&[("certificates", 1)]).await;
    }
    if mode.wxpay_version == 2 {
        let kind = if mode.v2_hmac { "HMAC-SHA256" } else { "MD5" };
        let verdicts = gateway.tell("verdicts", json!({})).await;
        assert!(verdicts.as_array().expect("a list").iter().all(|v| v["sign_type"] == kind), "{verdicts}");
    }
}

pub const V3_FORGERIES: [&str; 7] =
    ["other key", "unknown serial", "old", "from the future", "altered", "altered and signed", "other text"];

#[tokio::test]
async fn python_verifies_our_wxpay_v3_requests_and_its_callbacks_credit() {
    let Some(()) = installed() else { return };
    judged_wxpay(Mode::default(), &V3_FORGERIES, (204, "")).await;
}

#[tokio::test]
async fn python_does_so_with_platform_certificates_too() {
    let Some(()) = installed() else { return };
    judged_wxpay(Mode { wxpay_public_key: false, ..Mode::default() }, &V3_FORGERIES, (204, "")).await;
}

#[tokio::test]
async fn wechatpy_verifies_our_wxpay_v2_requests_and_its_callbacks_credit() {
    let Some(()) = installed() else { return };
    for v2_hmac in [false, true] {
        let mode = Mode { wxpay_version: 2, v2_hmac, ..Mode::default() };
        judged_wxpay(mode, &["other key", "altered"], (200, V2_TAKEN)).await;
    }
}

#[tokio::test]
async fn wechatpayv3_pays_at_the_sandbox_and_opens_its_callbacks() {
    let Some(()) = installed() else { return };
    let world = World::start().await;
    let base = &world.config["wxpay"]["h5"]["apiBase"];
    for public_key in [true, false] {
        let job = json!({ "keys": world.keys, "base": base, "public_key": public_key });
        let confirmed = Script::Python("wechat_client.py").judge(job).await;
        assert_eq!(confirmed.last().map(String::as_str), Some("a stranger is refused"), "{confirmed:?}");
    }
}

#[tokio::test]
async fn wechatpay_axios_plugin_pays_at_the_sandbox_and_tenpay_opens_its_v2_callbacks() {
    let Some(()) = installed() else { return };
    let world = World::start().await;
    let job = json!({ "keys": world.keys, "base": world.config["wxpay"]["h5"]["apiBase"] });
    let confirmed = Script::Node("wechat_client.mjs").judge(job).await;
    assert_eq!(confirmed.len(), 5, "{confirmed:?}");
}

/// An order of Alipay's that is shared, taken back in part by a refund, and ended.
async fn shares_at_alipay(gateway: &Gateway, world: &World) {
    const RECEIVER: &str = "2088000000000100";
    let no = "JUDGE_share";
    let call =
        |action: &str, data: Value| world.call("refund", json!({ "action": format!("pay/{action}"), "data": data }));
    let receiver = json!({ "provider": "alipay", "type": "userId", "account": RECEIVER, "name": "示例商户", "relation_type": "SUPPLIER" });
    assert_eq!(call("addReceiver", receiver).await.0, 200);
    let data = json!({
        "provider": "alipay", "vk_platform": "mp-alipay", "openid": "o_user_1", "other": { "profit_sharing": true },
    });
    let (status, made) = world.create(no, data).await;
    assert_eq!(status, 200, "{made}");
    gateway.tell("pay", json!({ "number": no })).await;
    gateway.calls_back(world, no, json!({ "number": no }), &[], (200, "success")).await;
    let share =
        json!({ "out_trade_no": no, "out_order_no": "JUDGE_S1", "receivers": [{ "account": RECEIVER, "amount": 40 }] });
    let (status, made) = call("profitShare", share.clone()).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("PROCESSING")), "{made}");
    let (status, made) = call("profitShare", share).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("FINISHED")), "{made}");
    refund(world, no, "JUDGE_SR", 70).await;
    let order = world.order(no).await;
    assert_eq!((&order["refund_fee"], &order["sharing"]["shared"]), (&json!(70), &json!(30)), "{order}");
    let end = json!({ "out_trade_no": no, "out_order_no": "JUDGE_S2" });
    let (status, made) = call("unfreezeShare", end).await;
    assert_eq!((status, &made["data"]["state"]), (200, &json!("FINISHED")), "{made}");
}

/// The whole life of an order of every product of Alipay, with node in the gateway's place.
async fn judged_alipay(mode: Mode) {
    let gateway = Gateway::start(Script::Node("alipay_gateway.mjs")).await;
    let (world, read) = gateway.world(mode).await;
    let sn = |pem: &str| shared::crypto::cert::Certificate::parse(pem).expect("a certificate").alipay_sn();
    let keys = &world.keys;
    let ours = json!({
        "app_cert_sn": sn(&keys.alipay.app_cert),
        "root_sn": shared::crypto::cert::alipay_root_sn(&keys.alipay.alipay_root_cert),
        "alipay_sn": sn(&keys.alipay.alipay_cert),
    });
    assert_eq!(read, ours, "alipay-sdk reads the same serial numbers from the certificates");
    let forgeries = ["other key", "altered", "another order", "added field", "no sign", "sha1"];
    for (name, platform) in [("mp", "mp-alipay"), ("app", "app-plus"), ("qr", "h5"), ("pc", "pc"), ("wap", "wap")] {
        let no = &format!("JUDGE_{name}");
        let data = json!({
            "provider": "alipay", "vk_platform": platform, "openid": "o_user_1",
            "subject": "测试 a+b \"c\" {d} <e> 100%",
        });
        let (status, made) = world.create(no, data).await;
        assert_eq!(status, 200, "{name}: {made}");
        let carried = match name {
            "app" => made["orderInfo"].as_str(),
            "pc" | "wap" => made["orderInfo"]["payUrl"].as_str(),
            _ => None,
        };
        assert_eq!(carried.is_some(), ["app", "pc", "wap"].contains(&name), "{made}");
        if let Some(order) = carried {
            let opened = gateway.tell("open", json!({ "order": order })).await;
            assert_eq!(opened["same"], true, "alipay-sdk would write the same: {order}");
        }
        gateway.tell("pay", json!({ "number": no })).await;
        let before = balance(&world).await;
        gateway.calls_back(&world, no, json!({ "number": no }), &forgeries, (200, "success")).await;
        assert_eq!(world.order(no).await["trade_state"], "SUCCESS");
        assert_eq!(balance(&world).await, before + 100, "credited once");
        let (first, second) = (format!("{no}_a"), format!("{no}_b"));
        refund(&world, no, &first, 30).await;
        assert_eq!(world.order(no).await["refund_fee"], 30, "{name}");
        let wish = json!({ "number": no, "refund": first });
        gateway.calls_back(&world, no, wish, &forgeries, (200, "success")).await;
        assert_eq!(world.order(no).await["refund_fee"], 30, "{name}");
        refund(&world, no, &second, 70).await;
        refunded(&world, no, 100).await;
    }
    shares_at_alipay(&gateway, &world).await;
    asks_and_closes(&gateway, &world, "alipay").await;
    gateway
        .found_right(&[
            ("alipay.trade.create", 2),
            ("alipay.trade.app.pay", 1),
            ("alipay.trade.precreate", 3),
            ("alipay.trade.page.pay", 1),
            ("alipay.trade.wap.pay", 1),
            ("alipay.trade.query", 1),
            ("alipay.trade.close", 1),
            ("alipay.trade.refund", 12),
            ("alipay.trade.fastpay.refund.query", 5),
            ("alipay.trade.royalty.relation.bind", 1),
            ("alipay.trade.order.settle", 2),
            ("alipay.trade.order.settle.query", 2),
        ])
        .await;
    let verdicts = gateway.tell("verdicts", json!({})).await;
    let encrypted = verdicts.as_array().expect("a list").iter().filter(|v| v["encrypted"] == true).count();
    assert_eq!(encrypted > 0, mode.alipay_aes, "{verdicts}");
}

#[tokio::test]
async fn alipay_sdk_verifies_our_requests_and_nodes_callbacks_credit() {
    let Some(()) = installed() else { return };
    judged_alipay(Mode::default()).await;
}

#[tokio::test]
async fn alipay_sdk_does_so_in_certificate_mode_too() {
    let Some(()) = installed() else { return };
    judged_alipay(Mode { alipay_cert: true, ..Mode::default() }).await;
}

#[tokio::test]
async fn alipay_sdk_decrypts_our_encrypted_content() {
    let Some(()) = installed() else { return };
    judged_alipay(Mode { alipay_aes: true, ..Mode::default() }).await;
}

#[tokio::test]
async fn two_alipay_sdks_pay_at_the_sandbox_and_verify_its_callbacks() {
    let Some(()) = installed() else { return };
    let world = World::start().await;
    let gateway = world.config["alipay"]["h5"]["apiBase"].as_str().expect("a gateway");
    let base = gateway.trim_end_matches("/gateway.do");
    for cert in [false, true] {
        let job = json!({ "keys": world.keys, "base": base, "cert": cert });
        let confirmed = Script::Node("alipay_client.mjs").judge(job.clone()).await;
        assert_eq!(confirmed.len(), 4, "{confirmed:?}");
        let confirmed = Script::Python("alipay_client.py").judge(job).await;
        assert_eq!(confirmed.len(), 3, "{confirmed:?}");
    }
}
