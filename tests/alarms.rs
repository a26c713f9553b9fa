//! The alarm rings for what this code has found, and for nothing that somebody sends.
//!
//! `template.yaml` turns lines into a metric by filter patterns; [`Pattern`] is what CloudWatch documents of their form
//! for JSON (Filter pattern syntax, "Match terms in JSON log events"): selectors from `$`, `=` and `!=` with a string,
//! in which `*` stands for any text, `&&` before `||`, parentheses. A line that is not JSON matches none.

use crate::binaries_kit::Shop;
use crate::world::{KEY, World};
use http::{HeaderMap, Method};
use sandbox::{CallbackKind, Mode};
use serde_json::{Value, json};
use shared::api::Request;
use shared::telemetry;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use tracing::Instrument;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;

/// A filter pattern for JSON.
enum Pattern {
    /// The members from the root, what it must equal, and whether it must.
    Is(Vec<String>, String, bool),
    And(Box<Pattern>, Box<Pattern>),
    Or(Box<Pattern>, Box<Pattern>),
}

impl Pattern {
    fn parse(text: &str) -> Self {
        let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).expect("braces");
        let mut rest = inner.trim();
        let pattern = Self::either(&mut rest);
        assert_eq!(rest, "", "{text}");
        pattern
    }

    fn either(rest: &mut &str) -> Self {
        let mut pattern = Self::both(rest);
        while take(rest, "||") {
            pattern = Self::Or(Box::new(pattern), Box::new(Self::both(rest)));
        }
        pattern
    }

    fn both(rest: &mut &str) -> Self {
        let mut pattern = Self::one(rest);
        while take(rest, "&&") {
            pattern = Self::And(Box::new(pattern), Box::new(Self::one(rest)));
        }
        pattern
    }

    fn one(rest: &mut &str) -> Self {
        if take(rest, "(") {
            let pattern = Self::either(rest);
            assert!(take(rest, ")"), "a parenthesis before {rest}");
            return pattern;
        }
        assert!(take(rest, "$."), "a selector at {rest}");
        let end = rest.find([' ', '=', '!']).expect("an operator");
        // Members alone: a name in brackets or an index would be another rule.
        assert!(rest[..end].chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.'), "{rest}");
        let path = rest[..end].split('.').map(str::to_owned).collect();
        *rest = rest[end..].trim_start();
        let equal = !take(rest, "!=");
        assert!(!equal || take(rest, "="), "an operator at {rest}");
        assert!(take(rest, "\""), "a string at {rest}");
        let end = rest.find('"').expect("the end of the string");
        let wanted = rest[..end].to_owned();
        *rest = rest[end + 1..].trim_start();
        Self::Is(path, wanted, equal)
    }

    fn matches(&self, line: &str) -> bool {
        serde_json::from_str(line).is_ok_and(|event: Value| event.is_object() && self.holds(&event))
    }

    fn holds(&self, event: &Value) -> bool {
        match self {
            Self::And(one, other) => one.holds(event) && other.holds(event),
            Self::Or(one, other) => one.holds(event) || other.holds(event),
            Self::Is(path, wanted, equal) => {
                let found = path.iter().try_fold(event, |value, name| value.get(name));
                // What is not there is neither equal nor unequal.
                found.and_then(Value::as_str).is_some_and(|text| equals(wanted, text) == *equal)
            }
        }
    }
}

/// Takes a token off the beginning, and the space behind it.
fn take(rest: &mut &str, token: &str) -> bool {
    match rest.strip_prefix(token) {
        Some(behind) => {
            *rest = behind.trim_start();
            true
        }
        None => false,
    }
}

fn equals(wanted: &str, word: &str) -> bool {
    let parts: Vec<&str> = wanted.split('*').collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    match parts.len() {
        1 => word == wanted,
        2 => word.len() >= wanted.len() - 1 && word.starts_with(first) && word.ends_with(last),
        _ => panic!("more than one asterisk"),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// The filters of the template: one for each function, all the same.
fn filters() -> &'static [Pattern] {
    static FILTERS: OnceLock<Vec<Pattern>> = OnceLock::new();
    FILTERS.get_or_init(read_filters)
}

fn read_filters() -> Vec<Pattern> {
    let template = std::fs::read_to_string(root().join("template.yaml")).expect("the template");
    let found: Vec<&str> = template
        .lines()
        .filter_map(|line| line.trim().strip_prefix("FilterPattern:"))
        .map(|rest| rest.trim().trim_matches('\''))
        .collect();
    assert_eq!(found.len(), template.matches("AWS::Logs::MetricFilter").count());
    // And one more for the worker that asks about transfers from their address.
    assert_eq!(found.len(), tests::binaries::FUNCTIONS.len() + 1, "each function has a log of its own");
    found.into_iter().map(Pattern::parse).collect()
}

fn rings(line: &str) -> bool {
    let rung: Vec<bool> = filters().iter().map(|filter| filter.matches(line)).collect();
    assert!(rung.iter().all(|one| *one == rung[0]), "the functions disagree about {line}");
    rung[0]
}

/// What is logged, as the functions log it.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Logs what this thread does until the guard is dropped.
    pub fn open() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        // The table and the sandbox run in this process too, and are no part of it on AWS.
        let ours = Targets::new().with_default(LevelFilter::INFO).with_target("dynoxide", LevelFilter::OFF);
        let subscriber = tracing_subscriber::registry().with(ours).with(telemetry::json(move || writer.clone(), None));
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The log as CloudWatch has it: an event for each end of a line.
    pub fn events(&self) -> Vec<String> {
        let bytes = self.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert!(text.is_empty() || text.ends_with('\n'));
        text.split_terminator(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).map(str::to_owned).collect()
    }
}

/// What a stranger might put into a path, a header, a name or a message so that a line of it rings.
fn hostile() -> Vec<String> {
    let line = "2026-11-29T03:06:43.123456Z ERROR alarm alarm=late_payment out_trade_no=X";
    let mut all: Vec<String> = [
        "ERROR-alarm=late_payment",
        "ERROR alarm alarm=late_payment",
        "alarm=late_payment",
        " ERROR alarm=late_payment ",
        "\" ERROR alarm alarm=late_payment",
        "[x] ERROR alarm alarm=late_payment",
        "\u{1b}[2K\u{1b}[1G2026-11-29T03:06:43Z ERROR alarm alarm=late_payment",
        "\u{202e}tnemyap_etal=mrala",
        "x\u{8}\u{8}\u{8}alarm=late_payment",
    ]
    .map(str::to_owned)
    .to_vec();
    for end in ["\n", "\r\n", "\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "\0\n", "\\n"] {
        all.push(format!("x{end}{line}"));
    }
    for length in [1_000, 16_384, 262_144] {
        all.push(format!("{}\n{line}", "A".repeat(length)));
        all.push(format!("{}{line}", "A ".repeat(length / 2)));
    }
    all
}

/// The source files of the functions and of what they share.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                walk(&entry, found);
            } else if entry.extension().is_some_and(|ext| ext == "rs") {
                let text = std::fs::read_to_string(&entry).expect("a file");
                found.push((entry, text));
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["shared", "functions"] {
        walk(&root().join(folder), &mut found);
    }
    found
}

/// Every kind of alarm that the code knows: those written by name, and the incidents.
fn kinds() -> Vec<&'static str> {
    let mut kinds = Vec::new();
    for (path, text) in sources() {
        for part in text.split("telemetry::alarm!(").skip(1) {
            let argument = part.trim_start();
            if let Some(rest) = argument.strip_prefix('"') {
                kinds.push(rest.split('"').next().expect("a text").to_owned());
            } else {
                assert!(argument.starts_with("name, "), "{}: {argument:.60}", path.display());
            }
        }
        if path.ends_with("store/src/incident.rs") {
            let names = text.split("pub const fn name(self)").nth(1).and_then(|rest| rest.split("\n    }").next());
            let names = names.expect("the names").split("=> \"").skip(1);
            kinds.extend(names.map(|rest| rest.split('"').next().expect("a name").to_owned()));
        }
    }
    kinds.into_iter().map(|kind| &*kind.leak()).collect()
}

#[test]
fn d2_alarms_are_written_in_one_place() {
    for (path, text) in sources() {
        let home = path.ends_with("shared/telemetry/src/lib.rs");
        assert!(home || !text.contains("ALARM"), "{}: use telemetry::alarm", path.display());
        assert!(home || !text.contains("target: \"alarm\""), "{}: use telemetry::alarm", path.display());
    }
    assert!(kinds().len() > 20, "{:?}", kinds());
}

#[test]
fn d2_every_alarm_rings_by_its_kind_whatever_its_fields_are() {
    for (n, kind) in kinds().into_iter().enumerate() {
        let values = hostile().into_iter().filter(|value| n == 0 || value.len() < 20_000);
        for value in values.chain(["ORDER_1".to_owned(), String::new()]) {
            let (log, guard) = Log::open();
            telemetry::alarm!(kind, out_trade_no = value, provider = %"wxpay");
            drop(guard);
            let events = log.events();
            assert_eq!(events.len(), 1, "{kind} {value:.80?}: {events:.200?}");
            assert!(rings(&events[0]), "{kind}: {:.200}", events[0]);
            let said: Value = serde_json::from_str(&events[0]).expect("JSON");
            if value.len() < 10_000 {
                assert_eq!((&said["fields"]["alarm"], &said["fields"]["out_trade_no"]), (&json!(kind), &json!(value)));
            } else {
                // Told of by its beginning.
                let begins = said["fields"]["message"].as_str().expect("a message");
                assert!(begins.contains(&format!("\"alarm\":\"{kind}\"")), "{begins:.200}");
            }
        }
    }
}

#[test]
fn d2_no_value_of_any_line_rings_or_begins_a_line() {
    for value in hostile() {
        let (log, guard) = Log::open();
        let span = tracing::error_span!("Lambda runtime invoke", requestId = %value);
        let within = span.enter();
        tracing::error!("{value}");
        tracing::error!(value, "a message");
        tracing::error!(%value, "a message");
        tracing::error!(?value, "a message");
        tracing::error!(alarm = %value, "alarm={value}");
        tracing::warn!("ERROR alarm {value}");
        tracing::info!(target: "notify", merchant = %value, "a callback");
        drop((within, guard));
        let events = log.events();
        assert_eq!(events.len(), 7, "{value:.80?}");
        for event in events {
            assert!(!rings(&event), "{event:.200}");
            assert!(serde_json::from_str::<Value>(&event).is_ok_and(|said| said["target"] != "alarm"), "{event:.200}");
            assert!(!event.chars().any(char::is_control), "{event:.200?}");
            assert!(event.len() < 64 * 1024, "{} bytes", event.len());
        }
    }
}

#[test]
fn the_patterns_rules_are_those_that_are_documented() {
    let pattern = Pattern::parse(r#"{ ($.eventType = "Update*") && ($.user.id = "1" || $.user.id != "*2") }"#);
    assert!(pattern.matches(r#"{"eventType":"UpdateTrail","user":{"id":"1"}}"#));
    assert!(pattern.matches(r#"{"eventType":"UpdateTrail","user":{"id":"3"}}"#));
    assert!(!pattern.matches(r#"{"eventType":"UpdateTrail","user":{"id":"12"}}"#));
    assert!(!pattern.matches(r#"{"eventType":"UpdateTrail"}"#));
    assert!(!pattern.matches(r#"{"eventType":"StopTrail","user":{"id":"1"}}"#));
    assert!(!pattern.matches(r#"x {"eventType":"UpdateTrail","user":{"id":"1"}}"#), "no JSON");
    assert!(!Pattern::parse(r#"{ $.level = "ERROR" }"#).matches(r#"[{"level":"ERROR"}]"#));
    let (both, either) = (r#"{ $.a = "1" || $.b = "1" && $.c = "1" }"#, r#"{"a":"1","b":"0","c":"0"}"#);
    assert!(Pattern::parse(both).matches(either), "&& binds closer");
}

/// A request of a stranger.
fn request(path: &str, query: &str, body: &[u8], headers: &[(&'static str, &str)]) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        // What HTTP cannot carry cannot arrive.
        if let Ok(value) = http::HeaderValue::from_bytes(value.as_bytes()) {
            map.append(*name, value);
        }
    }
    Request {
        method: Method::POST,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: map,
        body: body.to_vec(),
        source_ip: "203.0.113.9".to_owned(),
        request_id: "11111111-2222-3333-4444-555555555555".to_owned(),
        ..Request::default()
    }
}

#[tokio::test]
async fn d2_no_stranger_rings_by_path_query_header_or_body() {
    let world = World::start().await;
    let app = world.app.clone().expect("in this process");
    let (log, guard) = Log::open();
    for value in hostile().into_iter().filter(|value| value.len() < 20_000) {
        for provider in sandbox::Provider::ALL.map(sandbox::Provider::name) {
            for path in [
                format!("/pay-notify/{provider}/{value}"),
                format!("/{value}/pay-notify/{provider}/default"),
                format!("/vk-pay-notify/{provider}_{value}/{value}"),
            ] {
                let headers = [
                    ("wechatpay-serial", value.as_str()),
                    ("wechatpay-signature", &value),
                    ("wechatpay-timestamp", &value),
                    ("byte-signature", &value),
                    ("content-type", &value),
                    ("user-agent", &value),
                ];
                let form = format!("out_trade_no={value}&app_id={value}&sign={value}");
                let json =
                    json!({ "signedPayload": value, "id": value, "msg": value, "event_type": value }).to_string();
                let xml = format!("<xml><return_code>SUCCESS</return_code><mch_id>{value}</mch_id></xml>");
                for body in [form, json, xml] {
                    let call = telemetry::request("notify", &value, Some(&value));
                    let asked = request(&path, &value, body.as_bytes(), &headers);
                    let reply = notify::handle(&app, asked).instrument(call).await;
                    assert!(reply.status < 500, "{path:.80}: {}", reply.status);
                }
            }
        }
        for (function, data) in [
            ("create", json!({ "action": value, "data": { "out_trade_no": value } })),
            ("create", json!({ "provider": value, "data": { "out_trade_no": "D2", "type": value, "pid": value } })),
            ("query", json!({ "out_trade_no": value, "transaction_id": value })),
            ("refund", json!({ "data": { "out_trade_no": value, "out_refund_no": value } })),
        ] {
            let key = format!("Bearer {KEY}");
            let headers = [("authorization", key.as_str()), ("accept-language", &value), ("user-agent", &value)];
            let asked = request("/", "", data.to_string().as_bytes(), &headers);
            let call = telemetry::request("create-payment", "1", None);
            let reply = match function {
                "create" => create_payment::handle(&app, asked).instrument(call).await,
                "query" => query_payment::handle(&app, asked).instrument(call).await,
                _ => refund::handle(&app, asked).instrument(call).await,
            };
            assert!(reply.status < 500, "{data:.200}: {}", reply.body);
        }
    }
    drop(guard);
    let events = log.events();
    assert!(events.len() > 1_000, "there is a log to look at: {}", events.len());
    for event in &events {
        assert!(!rings(event), "{event:.300}");
        // The platform's ids were made up here too; they stand where only ids stand.
        let mut said: Value = serde_json::from_str(event).expect("JSON");
        for id in ["request_id", "xray_trace_id"] {
            said["span"][id].take();
        }
        assert!(!said.to_string().contains("late_payment"), "nothing made up stands in a line: {event:.300}");
        assert!(!event.chars().any(char::is_control), "{event:.300?}");
    }
}

#[tokio::test]
async fn d2_the_functions_own_lines_ring_for_an_incident_and_not_for_a_path() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    // Whatever the operator filters, alarms pass.
    shop.environment
        .push(("RUST_LOG", "shared=off,payments=off,providers=off,store=off,notify=info,alarm=off".to_owned()));
    for function in ["create-payment", "notify"] {
        shop.start(function, 1).await;
    }
    let mut callback = shop.paid_there("D2_ORDER_1", json!({})).await;
    callback.url = callback.url.replace("/wxpay/default", "/wxpay/ERROR-alarm=late_payment");
    assert_eq!(shop.world.sandbox.send(&callback).await.expect("an answer").0, 401);
    let refused = shop.log();
    assert!(refused.contains("a callback for a merchant that is not configured"), "{refused}");
    assert!(!refused.contains("late_payment") && !refused.lines().any(rings), "{refused}");
    let (status, made) = shop.world.create("D2_ORDER_2", json!({})).await;
    assert_eq!(status, 200, "{made}");
    let pay = sandbox::Pay { notify: false, amount: Some(1), ..Default::default() };
    shop.world.sandbox.pay("D2_ORDER_2", pay).await.expect("paid");
    let short = shop.world.sandbox.build_callback("D2_ORDER_2", CallbackKind::Payment);
    shop.world.sandbox.send(&short).await.expect("an answer");
    let log = shop.log();
    let rung: Vec<&str> = log.lines().filter(|line| rings(line)).collect();
    assert_eq!(rung.len(), 1, "{log}");
    let said: Value = serde_json::from_str(rung[0]).expect("JSON");
    let fields = [&said["fields"]["alarm"], &said["fields"]["out_trade_no"], &said["span"]["function"]];
    assert_eq!(fields, ["amount_mismatch", "D2_ORDER_2", "notify"], "{}", rung[0]);
}
