//! A stack that runs for all tests, and the binary.

use http::Method;
use sandbox::{Pay, Sandbox};
use serde_json::{Value, json};
use shared::domain::{Day, UnixMs};
use shared::net::provider_http::{Http, Request};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use vk_pay_local::{Options, Running, start};

/// See the module.
pub(crate) struct Stack {
    pub(crate) sandbox: Sandbox,
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) folder: TempDir,
    pub(crate) runtime: Runtime,
    _running: Running,
}

/// The stack. It runs until the tests have ended; its schedule does not, so that nobody finds a payment by himself.
pub(crate) fn stack() -> &'static Stack {
    static STACK: LazyLock<Stack> = LazyLock::new(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { port: 0, data_dir: folder.path().join("data"), schedule: None, ..Options::default() };
        let runtime = Runtime::new().expect("a runtime");
        let running = runtime.block_on(start(options)).expect("the stack starts");
        Stack {
            sandbox: running.sandbox.clone().expect("simulated providers"),
            url: running.base_url.clone(),
            key: running.demo_key.clone().expect("a key"),
            folder,
            runtime,
            _running: running,
        }
    });
    &STACK
}

/// How a command ended.
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Done {
    /// Its exit status is this.
    pub(crate) fn is(&self, status: i32) {
        assert_eq!(self.status, status, "\n{}\n{}", self.out, self.err);
    }

    /// The same, and its one JSON document.
    pub(crate) fn json(&self, status: i32) -> Value {
        self.is(status);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.out, self.err))
    }
}

/// Runs the binary: no terminal, and of the environment what is given.
pub(crate) fn run(line: &[&str], environment: &[(&str, &str)]) -> Done {
    let done = Command::new(env!("CARGO_BIN_EXE_vk-pay"))
        .args(line)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    Done {
        status: done.status.code().expect("an exit status"),
        out: String::from_utf8(done.stdout).expect("UTF-8"),
        err: String::from_utf8(done.stderr).expect("UTF-8"),
    }
}

/// A console that is served until it is dropped.
pub(crate) struct Opened {
    process: Child,
    url: String,
}

impl Opened {
    /// Runs the binary until it says where its console is.
    pub(crate) fn with(line: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_vk-pay"))
            .args(line)
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut said = BufReader::new(process.stderr.take().expect("its words"));
        let mut first = String::new();
        said.read_line(&mut first).expect("a line");
        let url = first.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{first}");
        Self { process, url }
    }

    /// A page.
    pub(crate) fn get(&self, path: &str) -> String {
        let url = format!("{}{path}", self.url);
        let request = Request { method: Method::GET, url: &url, headers: Vec::new(), body: Vec::new(), identity: None };
        let answer = stack().runtime.block_on(Http::default().send(request)).expect("an answer");
        String::from_utf8_lossy(&answer.body).into_owned()
    }

    /// Sends a form without fields, with the token of a page where that has one; the status.
    pub(crate) fn post(&self, path: &str, page: &str) -> u16 {
        self.post_fields(path, page, "")
    }

    /// Sends a form with these fields, the same way.
    pub(crate) fn post_fields(&self, path: &str, page: &str, fields: &str) -> u16 {
        let token = page.split("name=\"_token\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let url = format!("{}{path}", self.url);
        let request = Request {
            method: Method::POST,
            url: &url,
            headers: vec![("content-type", "application/x-www-form-urlencoded".to_owned())],
            body: format!("_token={}&{fields}", token.unwrap_or_default()).into_bytes(),
            identity: None,
        };
        stack().runtime.block_on(Http::default().send(request)).expect("an answer").status
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Stack {
    fn data_dir(&self) -> String {
        self.folder.path().join("data").to_str().expect("a path").to_owned()
    }

    /// A command on this stack, in JSON.
    pub(crate) fn run(&self, line: &[&str]) -> Done {
        self.text(&[line, &["--json"]].concat())
    }

    /// A command on this stack, as a person reads it.
    pub(crate) fn text(&self, line: &[&str]) -> Done {
        run(&[line, &["--data-dir", &self.data_dir()]].concat(), &[])
    }

    /// A command that names its stack itself.
    pub(crate) fn plain(&self, line: &[&str]) -> Done {
        run(line, &[])
    }

    /// Posts JSON, and answers the status.
    pub(crate) fn post(&self, path: &str, body: &Value, headers: &[(&'static str, String)]) -> u16 {
        self.exchange(path, body, headers).0
    }

    fn exchange(&self, path: &str, body: &Value, headers: &[(&'static str, String)]) -> (u16, String) {
        let url = format!("{}{path}", self.url);
        let mut request = Request::post_json(&url, body.to_string().into_bytes());
        request.headers.extend(headers.iter().cloned());
        let answer = self.runtime.block_on(Http::default().send(request)).expect("an answer");
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    pub(crate) fn call(&self, function: &str, action: &str, data: &Value) {
        let key = ("authorization", format!("Bearer {}", self.key));
        let body = json!({ "url": action, "data": data });
        let (status, said) = self.exchange(&format!("/{function}"), &body, &[key]);
        assert_eq!(status, 200, "{action} {data}: {said}");
    }

    /// Creates an order with some fields of its own; its number.
    pub(crate) fn create(&self, own: &Value) -> String {
        let no = format!("T{}", hex::encode(shared::crypto::random::<8>()));
        let mut data = json!({
            "provider": "wxpay", "out_trade_no": no, "total_fee": 100, "subject": "Recharge", "type": "recharge",
            "user_id": "demo-user", "needQRcode": true,
        });
        for (name, value) in own.as_object().expect("fields") {
            data[name] = value.clone();
        }
        self.call("create-payment", "pay/createPayment", &data);
        no
    }

    /// Has an order paid.
    pub(crate) fn pay(&self, no: &str) {
        self.runtime.block_on(self.sandbox.pay(no, Pay::default())).expect("paid");
    }

    /// Begins a transfer that waits for its payee; its number.
    pub(crate) fn transfer(&self) -> String {
        let no = format!("X{}", hex::encode(shared::crypto::random::<8>()));
        let data = json!({
            "provider": "wxpay", "out_bill_no": no, "transfer_amount": 30, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
            "transfer_scene_id": "1000", "transfer_remark": "test",
            "transfer_scene_report_infos": [
                { "info_type": "活动名称", "info_content": "新会员有礼" }, { "info_type": "奖励说明", "info_content": "注册会员抽奖一等奖" },
            ],
        });
        self.call("transfer", "pay/transfer", &data);
        no
    }

    /// So many days from today, in Shanghai.
    pub(crate) fn day(&self, days: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        Day::of(UnixMs::EPOCH + now).before(-days).to_string()
    }
}
