//! `vk-pay config` from outside: what it prints, writes and answers.

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, date_time_ymd};
use serde_json::Value;
use shared::crypto;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

const VK_PAY: &str = include_str!("fixtures/vk-pay.js");
const VKSPAY: &str = include_str!("fixtures/vkspay.js");
const UNI_PAY: &str = include_str!("fixtures/uni-pay.js");
const BY_HAND: &str = include_str!("fixtures/by-hand.js");
const V3_KEY: &str = "a7cde1ZJB1kG2e7VfTs3jQzaWizur8Gb";
const SAMPLE_KEY: &str = "5fb2cd73c7b53918728417c50762e6d45fb2cd73c7b53918728417c50762e6d4";

/// A key pair made for these tests: private key, public key and certificate in PEM.
struct Keys {
    private: String,
    public: String,
    certificate: String,
}

static MERCHANT: LazyLock<Keys> = LazyLock::new(Keys::new);
static PROVIDER: LazyLock<Keys> = LazyLock::new(Keys::new);

impl Keys {
    fn new() -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key pair");
        let mut params = CertificateParams::new(vec!["pay.test".to_owned()]).expect("parameters");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let certificate = params.self_signed(&pair).expect("a certificate").pem();
        Self { private: pair.serialize_pem(), public: pair.public_key_pem(), certificate }
    }

    /// The body of a PEM text, as consoles show keys.
    fn bare(pem: &str) -> String {
        pem.lines().filter(|line| !line.starts_with("-----")).collect()
    }
}

/// A folder with a `config.js`.
struct Folder(TempDir);

impl Folder {
    fn with(config_js: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("config.js", config_js.as_bytes());
        folder
    }

    /// The same with the key files that WeChat Pay gives a merchant.
    fn with_wxpay_keys(config_js: &str) -> Self {
        let folder = Self::with(config_js);
        folder.write("wxpay/apiclient_cert.pem", MERCHANT.certificate.as_bytes());
        folder.write("wxpay/apiclient_key.pem", MERCHANT.private.as_bytes());
        folder.write("wxpay/apiclient_cert.p12", b"");
        folder.write("wxpay/pub_key.pem", PROVIDER.public.as_bytes());
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.at(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// Imports `config.js` into `out.json`.
    fn import(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["config", "import", "config.js", "--output", "out.json"];
        arguments.extend(more);
        run(self.0.path(), &arguments)
    }

    fn out(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.at("out.json")).expect("a result")).expect("JSON")
    }
}

/// How a command ended.
struct Ran {
    status: Option<i32>,
    out: String,
    told: String,
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vk-pay"));
    command.current_dir(folder).args(arguments).env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", "C.UTF-8");
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = command(folder, arguments).output().expect("vk-pay runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { status: status.code(), out: text(stdout), told: text(stderr) }
}

/// Fills in a key of a node, the first after the node's name.
fn fill(text: &str, node: &str, key: &str, value: &str) -> String {
    let begin = text.find(&format!("\"{node}\": {{")).expect("a node");
    let (before, rest) = text.split_at(begin);
    let blank = format!("\"{key}\": \"\"");
    assert!(rest.contains(&blank), "{node}.{key}");
    format!("{before}{}", rest.replacen(&blank, &format!("\"{key}\": {}", Value::from(value)), 1))
}

fn filled(text: &str, entries: &[(&str, &str, &str)]) -> String {
    entries.iter().fold(text.to_owned(), |text, (node, key, value)| fill(&text, node, key, value))
}

/// VK-Pay's sample with a mini program, a key-mode Alipay app and VksPay filled in.
fn filled_sample() -> String {
    let (private, public) = (Keys::bare(&MERCHANT.private), Keys::bare(&PROVIDER.public));
    filled(
        VK_PAY,
        &[
            ("mp-weixin", "appId", "wx2421b1c4370ec43b"),
            ("mp-weixin", "mchId", "1900007291"),
            ("mp-weixin", "v3Key", V3_KEY),
            ("mp-weixin", "wxpayPublicKeyId", "PUB_KEY_ID_0000000000000024101100397200000006"),
            ("mp-alipay", "appId", "2021000000000001"),
            ("mp-alipay", "privateKey", &private),
            ("mp-alipay", "alipayPublicKey", &public),
            ("vkspay", "mchId", "m1000"),
            ("vkspay", "key", "s3cret-of-the-store-1"),
        ],
    )
}

/// Whether `vk-pay dev` starts with a configuration.
fn starts_with(folder: &Folder) -> String {
    let data = folder.at("data");
    let mut child = command(folder.0.path(), &["dev", "--port", "0", "--schedule", "0", "--config", "out.json"])
        .arg("--data-dir")
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("vk-pay starts");
    let mut greeting = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut greeting).expect("a line");
    child.kill().expect("it ends");
    let told = child.wait_with_output().expect("it has ended").stderr;
    format!("{greeting}{}", String::from_utf8_lossy(&told))
}

#[test]
fn the_sample_of_vk_pays_documentation_imports_checks_and_starts() {
    let folder = Folder::with_wxpay_keys(&filled_sample());
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    let out = folder.out();
    let node = &out["wxpay"]["mp-weixin"];
    assert_eq!(node["appCertContent"], MERCHANT.certificate.as_str());
    assert_eq!(node["appPrivateKeyContent"], MERCHANT.private.as_str());
    assert_eq!(node["wxpayPublicKeyContent"], PROVIDER.public.as_str());
    assert_eq!((&node["version"], &node["v3Key"]), (&Value::from(3), &Value::from(V3_KEY)));
    assert!(node.get("pfx").is_none() && node.get("appCertPath").is_none() && node.get("key").is_none());
    // What nobody filled in is not there.
    let keys = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&out["wxpay"]), ["mp-weixin"]);
    assert_eq!(keys(&out["alipay"]), ["mp-alipay"]);
    for gone in ["notifyUrl", "douyin", "huawei", "appleiap", "wxpay-virtual", "autoDeleteExpiredOrders"] {
        assert!(out.get(gone).is_none(), "{gone}");
    }
    let key = out["notifyKey"].as_str().expect("a key");
    assert!(!key.eq_ignore_ascii_case(SAMPLE_KEY) && key.len() >= 43);
    assert_eq!(out["auth"]["default"], "key");
    let backend = out["auth"]["keys"]["backend"].as_str().expect("a key");
    assert_eq!(backend.len(), 43);
    for line in [
        "notifyUrl: points at uniCloud",
        "notifyKey: is a published sample",
        "not filled in: wxpay.app-plus, wxpay.h5, ",
        "douyin.mp-toutiao, huawei.mp-harmony",
    ] {
        assert!(ran.told.contains(line), "{line}\n{}", ran.told);
    }
    assert!(ran.told.ends_with("Next: vk-pay dev --config out.json, or deploy it (docs/deploy.md)\n"), "{}", ran.told);
    for secret in [backend, key, V3_KEY, "s3cret-of-the-store-1"] {
        assert!(!ran.told.contains(secret) && !ran.out.contains(secret), "a secret was printed");
    }
    let checked = run(folder.0.path(), &["config", "check", "out.json"]);
    assert_eq!(checked.status, Some(0), "{}", checked.out);
    assert!(checked.out.contains("First certificate ends: 2040-01-01"), "{}", checked.out);
    let greeting = starts_with(&folder);
    assert!(greeting.starts_with("Console"), "{greeting}");
}

#[test]
fn the_page_of_vkspay_imports_checks_and_starts() {
    let text = filled(VKSPAY, &[("vkspay", "mchId", "m1000"), ("vkspay", "key", "s3cret-of-the-store-1")]);
    let folder = Folder::with(&text);
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    assert_eq!(folder.out()["vkspay"], serde_json::json!({ "mchId": "m1000", "key": "s3cret-of-the-store-1" }));
    let greeting = starts_with(&folder);
    assert!(greeting.starts_with("Console"), "{greeting}");
}

#[test]
fn samples_that_nobody_filled_in_hold_callers_only_and_start() {
    for text in [VK_PAY, VKSPAY, UNI_PAY] {
        let folder = Folder::with(text);
        let ran = folder.import(&[]);
        assert_eq!(ran.status, Some(0), "{}", ran.told);
        let mut keys: Vec<String> = folder.out().as_object().expect("an object").keys().cloned().collect();
        keys.retain(|key| !["notifyKey", "alipayAppPayToH5Pay"].contains(&key.as_str()));
        assert_eq!(keys, ["auth"]);
        assert!(ran.told.contains("No node of a provider is filled in: nobody can pay by it yet"), "{}", ran.told);
    }
}

#[test]
fn nodes_of_uni_pay_get_the_names_that_vk_pay_has_for_them() {
    let public = PROVIDER.certificate.as_bytes();
    let text = filled(
        UNI_PAY,
        &[("native", "appId", "wx2421b1c4370ec43b"), ("native", "mchId", "1900007291"), ("native", "v3Key", V3_KEY)],
    );
    let folder = Folder::with_wxpay_keys(&text);
    folder.write("alipay/alipayRootCert.crt", public);
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    let out = folder.out();
    assert_eq!(out["wxpay"]["h5"]["appId"], "wx2421b1c4370ec43b");
    assert!(out["wxpay"].get("native").is_none() && out["wxpay"].get("enable").is_none());
    assert!(ran.told.contains("wxpay.native: is wxpay.h5 now"), "{}", ran.told);
}

#[test]
fn what_is_constant_is_computed_and_all_else_is_named_with_its_place() {
    let folder = Folder::with_wxpay_keys(BY_HAND);
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    let out = folder.out();
    assert_eq!(out["notifyUrl"], "https://pay.shop.example/notify");
    assert_eq!(out["notifyKey"], "k9Zs1XQmWc7uR2bLp0dE6hYtGf4nJ8aV");
    assert_eq!(out["vkspay"]["key"], "s3cret-of-my-store");
    for node in ["mp-weixin", "h5"] {
        let node = &out["wxpay"][node];
        assert_eq!((&node["mchId"], &node["version"]), (&Value::from(1_900_000_109), &Value::from(3)));
        assert_eq!(node["v3Key"], V3_KEY);
        assert_eq!(node["appCertContent"], MERCHANT.certificate.as_str());
        assert_eq!(node["appPrivateKeyContent"], MERCHANT.private.as_str());
    }
    // Who may pay is never more than the file says.
    assert_eq!(out["userWhitelist"], serde_json::json!(["u1"]));
    for line in [
        "userWhitelist.1 (line 20, column 25): comes from the environment variable TESTER",
        "wxpay.mp-weixin.secret (line 22, column 68): comes from the environment variable WX_SECRET",
        "wxpay.h5.notify (line 23, column 66): is a function",
        "line 28, column 1: is a statement, and nothing is run",
        "line 29, column 1: is a statement, and nothing is run",
        "userWhitelist: is not known whole; until you fill it in, nobody else may pay",
        "autoDeleteExpiredOrders: is not needed: orders are never deleted",
    ] {
        assert!(ran.told.contains(line), "{line}\n{}", ran.told);
    }
}

#[test]
fn key_files_are_found_below_pem_dir_and_their_absence_is_named() {
    let folder = Folder::with(&filled_sample());
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(1), "{}", ran.told);
    for line in [
        "wxpay.mp-weixin.appCertPath: the file wxpay/apiclient_cert.pem is not there; --pem-dir says where",
        "wxpay.mp-weixin.pfx (line 28, column 11): the file wxpay/apiclient_cert.p12 is not there",
        "wxpay.mp-weixin.appCertContent: is missing",
        "Next: mend these, then vk-pay config check out.json",
    ] {
        assert!(ran.told.contains(line), "{line}\n{}", ran.told);
    }
    // It is written all the same.
    assert_eq!(folder.out()["wxpay"]["mp-weixin"]["v3Key"], V3_KEY);
    folder.write("keys/apiclient_cert.pem", MERCHANT.certificate.as_bytes());
    folder.write("keys/apiclient_key.pem", MERCHANT.private.as_bytes());
    folder.write("keys/pub_key.pem", PROVIDER.public.as_bytes());
    folder.write("keys/apiclient_cert.p12", &[0x30, 0x82, 0xff, 0xfe]);
    let ran = folder.import(&["--pem-dir", "keys", "--force"]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    // What is no text is base64.
    assert_eq!(folder.out()["wxpay"]["mp-weixin"]["pfx"], "MIL//g==");
}

#[test]
fn no_file_outside_of_the_folders_is_read() {
    let folder = Folder::with("module.exports = {}");
    folder.write("secret.pem", b"not to be read");
    folder.write("app/wxpay/ok.pem", b"fine");
    for path in [
        "'../secret.pem'",
        "path.join(__dirname, '../secret.pem')",
        "path.join(__dirname, 'wxpay', '..', '..', 'secret.pem')",
        "'/etc/hostname'",
        "`${__dirname}/../secret.pem`",
    ] {
        let text = format!(
            "const fs = require('fs'), path = require('path');\n\
             module.exports = {{ vkspay: {{ mchId: 'm1', key: fs.readFileSync({path}, 'utf8'), mchPrivateKeyPath: {path} }} }}"
        );
        folder.write("app/config.js", text.as_bytes());
        let ran = run(folder.0.path(), &["config", "import", "app/config.js"]);
        assert_eq!(
            ran.told.matches("is not below the folder of config.js and is not read").count(),
            2,
            "{path}: {}",
            ran.told
        );
        assert!(!ran.out.contains("not to be read"), "{path}");
    }
}

#[test]
fn nothing_is_executed_and_hostile_files_get_a_clear_answer() {
    let folder = Folder::with("module.exports = {}");
    let marker = folder.at("executed");
    let harmless = format!(
        "require('child_process').exec('touch {0}');\nconst x = require('child_process').execSync('touch {0}').toString();\n\
         const y = (() => require('fs').writeFileSync('{0}', ''))();\n\
         module.exports = {{ __proto__: {{ polluted: 1 }}, constructor: {{ prototype: {{ a: 1 }} }}, vkspay: {{ mchId: x, key: y }} }}\n\
         while (true) {{}}\n",
        marker.display()
    );
    folder.write("config.js", harmless.as_bytes());
    let ran = folder.import(&[]);
    assert!(!marker.exists());
    assert!(ran.status == Some(0) && ran.told.contains("2 values could not be taken over"), "{}", ran.told);
    for line in [
        "vkspay.mchId (line 2, column 11): comes from another module, child_process",
        "line 5, column 1: is a statement, and nothing is run",
        "__proto__ is no entry",
    ] {
        assert!(ran.told.contains(line), "{line}\n{}", ran.told);
    }
    assert!(folder.out().get("polluted").is_none());
    let deep = format!("module.exports = {{a: {}1{} }}", "[".repeat(9_000), "]".repeat(9_000));
    for (text, why) in [
        ("module.exports = { a: 1\n  b: 2 }".to_owned(), "line 2, column 3: is not JavaScript"),
        ("module.exports = { a: 'x',\n b: 1，\n}".to_owned(), "line 2, column 6: ， is Chinese punctuation"),
        ("module.exports = { a: {\n".to_owned(), "is never closed"),
        ("/".repeat(10 << 20), "is longer than 256 kB"),
        ("{a:".repeat(80_000), "has more than 20000 brackets"),
        (String::new(), "does not export an object (module.exports = { … })"),
        ("module.exports = (a) => ({})".to_owned(), "does not export an object (line 1, column 18: is a function"),
        ("module.exports = require('./other')".to_owned(), "comes from another module, ./other"),
        ("const a = {}; a.b = a; module.exports = [a]".to_owned(), "does not export an object"),
    ] {
        folder.write("config.js", text.as_bytes());
        let ran = run(folder.0.path(), &["config", "import", "config.js"]);
        assert_eq!(ran.status, Some(2), "{}", ran.told);
        assert!(ran.told.contains(why), "{why}: {}", ran.told);
        assert!(ran.out.is_empty());
    }
    for (text, why) in [
        (deep.as_str(), "is nested too deep"),
        ("const a = { vkspay: {} }; a.vkspay.self = a; a.vkspay.mchId = 'm'; module.exports = a", "is nested too deep"),
    ] {
        folder.write("config.js", text.as_bytes());
        let ran = run(folder.0.path(), &["config", "import", "config.js"]);
        assert!(ran.told.contains(why) && ran.status.is_some(), "{why}: {}", ran.told);
    }
    folder.write("config.js", &[0xc4, 0xe3, 0xba, 0xc3]);
    let ran = folder.import(&["--force"]);
    assert!(ran.status == Some(2) && ran.told.contains("is not UTF-8"), "{}", ran.told);
    let ran = run(folder.0.path(), &["config", "import", "none.js"]);
    assert!(ran.status == Some(2) && ran.told.contains("none.js: cannot be read"), "{}", ran.told);
}

#[test]
fn what_is_printed_from_a_file_cannot_steer_the_terminal() {
    let folder =
        Folder::with("module.exports = { vkspay: { mchId: 'm', ['\\x1b[31m\\x07']: process.env['\\x1b]0;x\\x07'] } }");
    let ran = folder.import(&[]);
    assert!(ran.told.contains("\\u{1b}[31m"), "{}", ran.told);
    assert!(!ran.told.contains('\u{1b}') && !ran.told.contains('\u{7}'));
}

#[test]
fn a_result_that_is_there_is_kept_and_only_its_owner_may_read_it() {
    let folder = Folder::with(VKSPAY);
    assert_eq!(folder.import(&[]).status, Some(0));
    let first = folder.out();
    let ran = folder.import(&[]);
    assert!(ran.status == Some(2) && ran.told.contains("--force overwrites it"), "{}", ran.told);
    assert_eq!(folder.out(), first);
    assert_eq!(folder.import(&["--force"]).status, Some(0));
    assert_ne!(folder.out(), first, "the key of the caller is made anew");
    let ran = run(folder.0.path(), &["config", "import", "config.js", "--output", "config.js", "--force"]);
    assert!(ran.status == Some(2) && ran.told.contains("is the file that is imported"), "{}", ran.told);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.at("out.json")).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn the_import_speaks_chinese_where_the_terminal_does() {
    let folder = Folder::with(&filled_sample());
    let asked = folder.import(&["--lang", "zh"]);
    let output =
        command(folder.0.path(), &["config", "import", "config.js"]).env("LANG", "zh_CN.UTF-8").output().expect("runs");
    for told in [asked.told, String::from_utf8(output.stderr).expect("UTF-8")] {
        for line in [
            "没有导入：",
            "还要补上或改正：",
            "找不到文件 wxpay/apiclient_cert.pem",
            "notifyKey：是文档里公开的示例密钥",
            "下一步：",
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
    }
}

#[test]
fn the_report_of_an_import_is_json_for_machines() {
    let folder = Folder::with_wxpay_keys(BY_HAND);
    let ran = folder.import(&["--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((&report["output"], &report["faults"]), (&Value::from("out.json"), &serde_json::json!([])));
    let left_out = report["left_out"].as_array().expect("a list");
    let secret = left_out.iter().find(|note| note["path"] == "wxpay.mp-weixin.secret").expect("a note");
    assert_eq!((&secret["line"], &secret["column"]), (&Value::from(22), &Value::from(68)));
    assert!(ran.told.is_empty(), "{}", ran.told);
}

#[test]
fn a_configuration_of_vk_pays_first_versions_imports_too() {
    let folder = Folder::with(
        "const fs = require('fs');\nmodule.exports = {\n\
         wxConfigMp: { appId: 'wx2421b1c4370ec43b', mchId: '1900007291', key: '192006250b4c09247ec02edce69f6a2d',\n\
           pfx: fs.readFileSync(__dirname + '/wxpay/wxpay.p12') },\n\
         wxConfigH5: { appId: '', mchId: '', key: '' },\n\
         }",
    );
    let ran = folder.import(&[]);
    assert_eq!(ran.status, Some(0), "{}", ran.told);
    let node = &folder.out()["wxpay"]["mp-weixin"];
    assert_eq!((&node["version"], &node["mchId"]), (&Value::from(2), &Value::from("1900007291")));
    for line in [
        "wxConfigMp: is wxpay.mp-weixin now",
        "wxpay.mp-weixin.version: is 2",
        "wxpay.mp-weixin.pfx (line 4, column 6): the file wxpay/wxpay.p12 is not there",
    ] {
        assert!(ran.told.contains(line), "{line}\n{}", ran.told);
    }
}

#[test]
fn a_check_names_all_faults_and_remarks_also_of_merchants_with_documents_of_their_own() {
    let folder = Folder::with("");
    let document = serde_json::json!({
        "auth": { "default": "none", "keys": { "shop": "short" } },
        "wxpay": { "h5": { "appId": "wx2421b1c4370ec43b", "mchId": "1900007291", "v3Key": "short" } },
        "handlers": { "recharge": { "http": { "url": "https://shop.example/pay" } } },
        "merchantDocuments": { "from": "file:merchants/", "ids": ["a", "b", "c"] },
        "colour": "blue",
    });
    folder.write("config.json", document.to_string().as_bytes());
    folder.write("merchants/a.json", br#"{ "vkspay": { "mchId": "m1" } }"#);
    folder.write("merchants/b.json", br#"{ "vkspay": { "mchId": "m1", "key": "s3cret-of-b" }, "size": 1 }"#);
    let ran = run(folder.0.path(), &["config", "check", "config.json"]);
    assert_eq!(ran.status, Some(1), "{}", ran.out);
    for line in [
        "auth.default: must not be none while it opens",
        "auth.keys.shop: 5 bytes, needs at least 16",
        "wxpay.h5.v3Key: 5 bytes, needs 32",
        "wxpay.h5.appCertContent: is missing",
        "handlers.recharge: the type has a handler in Rust",
        "merchants.a.vkspay.key: is missing",
        "merchants.c: file merchants/c.json cannot be read",
        "colour: is not known and is ignored",
        "merchants.b.size: is not known and is ignored",
    ] {
        assert!(ran.out.lines().any(|own| own.starts_with(line)), "{line}\n{}", ran.out);
    }
    let faults_first = ran.out.find("auth.keys.shop").zip(ran.out.find("colour: is not known"));
    assert!(faults_first.is_some_and(|(fault, remark)| fault < remark), "{}", ran.out);
    assert!(!ran.out.contains("s3cret-of-b"));
    let ran = run(folder.0.path(), &["config", "check", "file:config.json", "--json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(report["merchants"], serde_json::json!(["a", "b", "c", "default"]));
    assert!(
        report["faults"]
            .as_array()
            .is_some_and(|list| list.iter().any(|fault| fault["path"] == "merchants.a.vkspay.key"))
    );
    assert_eq!(report["first_certificate_end"], Value::Null);
}

#[test]
fn a_check_looks_ahead_to_a_day_and_at_the_numbers_of_private_keys() {
    let folder = Folder::with_wxpay_keys(&filled_sample());
    assert_eq!(folder.import(&[]).status, Some(0));
    let ran = run(folder.0.path(), &["config", "check", "out.json", "--at", "2041-01-01", "--json"]);
    assert_eq!(ran.status, Some(1));
    assert!(
        ran.out.contains("wxpay.mp-weixin.appCertContent") && ran.out.contains("ended on 2040-01-01"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("\"first_certificate_end\": \"2040-01-01T00:00:00Z\""), "{}", ran.out);
    let mut key = crypto::from_base64(&Keys::bare(&MERCHANT.private)).expect("a key");
    *key.last_mut().expect("bytes") ^= 1;
    let damaged = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", crypto::base64(&key));
    folder.write("wxpay/apiclient_key.pem", damaged.as_bytes());
    let ran = folder.import(&["--force"]);
    let line = "wxpay.mp-weixin.appPrivateKeyContent: is a damaged private key";
    assert!(ran.status == Some(1) && ran.told.contains(line), "{}", ran.told);
}

#[test]
fn a_check_of_what_cannot_be_read_ends_with_status_2() {
    let folder = Folder::with("");
    let ran = run(folder.0.path(), &["config", "check", "none.json"]);
    assert!(ran.status == Some(2) && ran.told.starts_with("file none.json cannot be read"), "{}", ran.told);
    for line in
        [&["config", "check", "ssm:"][..], &["config", "check", "x.json", "--at", "tomorrow"], &["config", "check"]]
    {
        assert_eq!(run(folder.0.path(), line).status, Some(2), "{line:?}");
    }
    folder.write("broken.json", b"{ \"auth\": ");
    let ran = run(folder.0.path(), &["config", "check", "broken.json"]);
    assert!(ran.status == Some(1) && ran.out.contains("config: is not JSON (line 1, column"), "{}", ran.out);
}

#[test]
fn what_an_object_has_twice_is_named_and_not_dropped() {
    let folder = Folder::with("");
    folder.write(
        "twice.json",
        br#"{ "auth": { "keys": { "shop": "k9Zs1k9Zs1k9Zs1k9" } }, "wxpay": { "h5": {} }, "wxpay": {} }"#,
    );
    let ran = run(folder.0.path(), &["config", "check", "twice.json"]);
    assert!(ran.status == Some(1) && ran.out.contains("wxpay: is there twice"), "{}", ran.out);
    folder.write(
        "config.js",
        b"module.exports = { wxpay: { h5: { appId: 'wx1' }, h5: {} }, alipay: { enable: false } };",
    );
    let ran = run(folder.0.path(), &["config", "import", "config.js", "--output", "out.json", "--lang", "en"]);
    assert!(ran.told.contains("has h5 twice") && ran.told.contains("enable: false"), "{}", ran.told);
}
