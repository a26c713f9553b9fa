//! What the functions count and measure, as CloudWatch reads it: by the log, in the embedded metric format
//! (docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html).

use crate::binaries_kit::Shop;
use sandbox::{CallbackKind, Forgery, Mode, Pay};
use serde_json::{Map, Value, json};
use shared::telemetry::Metric;
use std::path::Path;

const NAMESPACE: &str = "vk-pay/test";

/// One value of one metric.
#[derive(Debug, PartialEq)]
struct Datum {
    name: String,
    dimensions: Map<String, Value>,
    values: Vec<u64>,
    unit: String,
}

/// What CloudWatch takes out of a line, with what the specification wants of it.
fn data(line: &str) -> Vec<Datum> {
    let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("JSON: {line}"));
    let Some(aws) = line.get("_aws") else { return Vec::new() };
    let at = aws["Timestamp"].as_u64().expect("ms since the epoch");
    assert!((1_700_000_000_000..4_000_000_000_000).contains(&at), "{at}");
    let mut found = Vec::new();
    for directive in aws["CloudWatchMetrics"].as_array().expect("directives") {
        assert_eq!(directive["Namespace"], NAMESPACE);
        for set in directive["Dimensions"].as_array().expect("dimension sets") {
            let keys = set.as_array().expect("a dimension set").iter().map(|key| key.as_str().expect("a key"));
            let value =
                |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{key} at the root: {line}")).to_owned();
            let dimensions: Map<String, Value> = keys.map(|key| (key.to_owned(), json!(value(key)))).collect();
            for metric in directive["Metrics"].as_array().expect("metrics") {
                let name = metric["Name"].as_str().expect("a name").to_owned();
                let values: Vec<u64> = match &line[&name] {
                    Value::Array(values) => values.iter().map(|value| value.as_u64().expect("a number")).collect(),
                    value => vec![value.as_u64().unwrap_or_else(|| panic!("{name} at the root: {line}"))],
                };
                assert!((1..=100).contains(&values.len()), "{name}: {line}");
                let unit = metric["Unit"].as_str().expect("a unit").to_owned();
                found.push(Datum { name, dimensions: dimensions.clone(), values, unit });
            }
        }
    }
    found
}

/// The sum of a metric by a dimension set, over all lines.
fn sum(log: &str, name: &str, dimensions: &Value) -> u64 {
    let of = |datum: &Datum| datum.name == name && json!(datum.dimensions) == *dimensions;
    log.lines().flat_map(data).filter(of).flat_map(|datum| datum.values).sum()
}

/// How many values a metric has by a dimension set.
fn values(log: &str, name: &str, dimensions: &Value) -> usize {
    let of = |datum: &Datum| datum.name == name && json!(datum.dimensions) == *dimensions;
    log.lines().flat_map(data).filter(of).map(|datum| datum.values.len()).sum()
}

async fn measured() -> Shop {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    // Whatever the operator filters, metrics pass.
    shop.environment.retain(|(name, _)| *name != "RUST_LOG");
    shop.environment.push(("RUST_LOG", "error".to_owned()));
    shop.environment.push(("PAY_METRICS", NAMESPACE.to_owned()));
    for function in tests::binaries::FUNCTIONS {
        shop.start(function, 1).await;
    }
    shop
}

#[tokio::test]
async fn a_day_of_a_shop_is_counted_once_and_by_provider() {
    let shop = measured().await;
    let callback = shop.paid_there("METRIC_1", json!({})).await;
    let (status, again) = shop.world.create("METRIC_1", json!({})).await;
    assert_eq!(status, 200, "{again}");
    let forged = shop.world.sandbox.forge(callback.clone(), Forgery::BadSignature);
    assert_eq!(shop.world.sandbox.send(&forged).await.expect("an answer").0, 401);
    assert!(shop.taken(&callback).await && shop.taken(&callback).await, "{}", shop.log());
    let data = json!({ "provider": "alipay", "type": "goods", "custom": { "goods_id": "not_there", "quantity": 1 } });
    let callback = shop.paid_there("METRIC_2", data).await;
    assert!(shop.taken(&callback).await, "{}", shop.log());
    let run = shop.emulators["reconcile"].invoke(json!({})).await.expect("a run");
    assert_eq!(run["errors"], 0, "{run}");
    let log = shop.log();
    let of = |provider: &str| json!({ "provider": provider });
    for (name, dimensions, wanted) in [
        ("created", json!({}), 2),
        ("created", of("wxpay"), 1),
        ("created", of("alipay"), 1),
        ("paid", json!({}), 2),
        ("paid", of("wxpay"), 1),
        ("paid", of("alipay"), 1),
        ("undelivered", json!({}), 1),
        ("incidents", json!({ "incident": "undelivered" }), 1),
        ("signature_failed", json!({}), 1),
        ("sweep_runs", json!({}), 1),
        ("provider_failed", of("wxpay"), 0),
    ] {
        assert_eq!(sum(&log, name, &dimensions), wanted, "{name} {dimensions}\n{log}");
    }
    // A creation at each; nobody else was asked anything.
    assert!(values(&log, "provider_ms", &of("wxpay")) >= 1, "{log}");
    assert_eq!(values(&log, "callback_ms", &json!({})), 4, "{log}");
    assert_eq!(values(&log, "due_backlog", &json!({})), 1, "{log}");
    assert_eq!(values(&log, "oldest_due_s", &json!({})), 1, "{log}");
    assert_eq!(values(&log, "certificate_days", &json!({})), 1, "{log}");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_counted_by_name() {
    let shop = measured().await;
    shop.world.sandbox.misbehave(sandbox::Fault::once(sandbox::Op::Create, sandbox::Misbehaviour::DropConnection));
    let (status, made) = shop.world.create("METRIC_SILENT", json!({})).await;
    assert_eq!(status, 504, "{made}");
    let log = shop.log();
    assert_eq!(sum(&log, "provider_failed", &json!({ "provider": "wxpay" })), 1, "{log}");
    assert_eq!(sum(&log, "created", &json!({})), 0, "{log}");
}

#[tokio::test]
async fn every_line_of_a_call_says_which_call_and_which_order() {
    let mut shop = Shop::closed(Mode::default(), |_| {}).await;
    for function in ["create-payment", "notify"] {
        shop.start(function, 1).await;
    }
    let (status, made) = shop.world.create("SPAN_1", json!({})).await;
    assert_eq!(status, 200, "{made}");
    let pay = Pay { notify: false, amount: Some(1), ..Pay::default() };
    shop.world.sandbox.pay("SPAN_1", pay).await.expect("paid");
    let callback = shop.world.sandbox.build_callback("SPAN_1", CallbackKind::Payment);
    shop.world.sandbox.send(&callback).await.expect("an answer");
    let said = |function: &str| -> Vec<Value> {
        let lines = shop.processes[function][0].log();
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines.filter(|line| line["span"]["function"] == function).collect()
    };
    let created = said("create-payment");
    let answered = created.iter().find(|line| line["target"] == "request").expect("the line at the end");
    let span = &answered["span"];
    assert_eq!((&span["request_id"], &span["status"]), (&made["request_id"], &json!(200)), "{answered}");
    assert_eq!(
        [&span["action"], &span["provider"], &span["merchant"], &span["out_trade_no"]],
        ["createPayment", "wxpay", "default", "SPAN_1"],
        "{answered}"
    );
    assert!(span["xray_trace_id"].is_string() && answered["fields"]["ms"].is_u64(), "{answered}");
    let called = said("notify");
    let alarm = called.iter().find(|line| line["target"] == "alarm").expect("an alarm");
    assert_eq!(
        [&alarm["span"]["provider"], &alarm["span"]["out_trade_no"], &alarm["fields"]["alarm"]],
        ["wxpay", "SPAN_1", "amount_mismatch"],
        "{alarm}"
    );
    assert!(called.iter().all(|line| line["span"]["request_id"] == alarm["span"]["request_id"]), "one call");
}

#[test]
fn alarms_and_dashboard_name_metrics_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let template = std::fs::read_to_string(root.join("template.yaml")).expect("the template");
    let known: Vec<&str> = Metric::ALL.iter().map(|metric| metric.name()).chain(["Alarms"]).collect();
    // Alarms name one each; the dashboard's JSON gives namespace and name side by side.
    let mut named = Vec::new();
    let lines: Vec<&str> = template.lines().map(str::trim).collect();
    for (at, line) in lines.iter().enumerate() {
        if *line == "Namespace: !Sub vk-pay/${AWS::StackName}" {
            let near = &lines[at.saturating_sub(2)..(at + 3).min(lines.len())];
            named.extend(near.iter().filter_map(|line| line.strip_prefix("MetricName: ")));
        }
    }
    for part in template.split("\"vk-pay/${AWS::StackName}\"").skip(1) {
        let name = part.trim_start_matches([',', ' ']).strip_prefix('"').and_then(|rest| rest.split('"').next());
        named.extend(name);
    }
    for part in template.split("MetricName=\\\"").skip(1) {
        named.extend(part.split('\\').next());
    }
    assert!(named.len() > 10, "{named:?}");
    for name in &named {
        assert!(known.contains(name), "{name} is no metric");
    }
    for name in known {
        assert!(named.contains(&name), "{name} is shown nowhere");
    }
}
