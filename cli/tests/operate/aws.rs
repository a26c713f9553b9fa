//! A deployment on AWS, as far as a command sees it: STS, CloudFormation and Lambda's `Invoke`, in front of a stack whose
//! configuration lets IAM identities in.

use super::stack::{Done, Opened, run, stack};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};
use shared::api;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};
use vk_pay_local::{Address, Options, Running, functions, start};

const ARN: &str = "arn:aws:sts::123456789012:assumed-role/operator/night";

struct Aws {
    app: Arc<shared::app::App>,
    /// The functions that were invoked, who was named, and for what.
    invoked: Mutex<Vec<(String, Value, String)>>,
}

pub(crate) struct Deployment {
    aws: Arc<Aws>,
    endpoint: String,
    dynamodb: String,
    key: String,
    running: Running,
}

pub(crate) fn deployment() -> &'static Deployment {
    static DEPLOYMENT: LazyLock<Deployment> = LazyLock::new(|| {
        let first = stack();
        let folder = first.folder.path();
        let read = std::fs::read(folder.join("data/config.json")).expect("the demo's configuration");
        let mut config: Value = serde_json::from_slice(&read).expect("JSON");
        config["auth"] = json!({
            "default": ["iam", "key"], "keys": { "shop": first.key }, "refund": "key",
            "iam": { "allow": ["arn:aws:sts::123456789012:assumed-role/operator/*"] },
        });
        config["shipping"] = json!({ "custom": "manual" });
        let path = folder.join("deployed.json");
        std::fs::write(&path, config.to_string()).expect("written");
        let data_dir = folder.join("deployed");
        let options =
            Options { port: 0, data_dir: data_dir.clone(), config: Some(path), schedule: None, ..Options::default() };
        first.runtime.block_on(async {
            let running = start(options).await.expect("the deployment starts");
            let aws = Arc::new(Aws { app: running.app.clone(), invoked: Mutex::default() });
            let router = Router::new()
                .route("/", post(query))
                .route("/2015-03-31/functions/{name}/invocations", post(invoke))
                .with_state(aws.clone());
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
            tokio::spawn(async move { axum::serve(listener, router).await });
            let dynamodb = Address::read(&data_dir).expect("read").expect("an address").dynamodb;
            Deployment { aws, endpoint, dynamodb, key: first.key.clone(), running }
        })
    });
    &DEPLOYMENT
}

/// STS and CloudFormation, which speak the query protocol.
async fn query(headers: HeaderMap, body: Bytes) -> Response {
    let fields: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let xml = match field("Action") {
        "GetCallerIdentity" if signed.contains("/sts/aws4_request") => format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>{ARN}</Arn><UserId>AROA:night</UserId><Account>123456789012</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        ),
        "DescribeStacks" if field("StackName") == "pay" => {
            "<R><Outputs><member><OutputKey>RefundUrl</OutputKey><OutputValue>https://x/?a=1&amp;b</OutputValue></member>\
             <member><OutputKey>OrdersTableName</OutputKey><OutputValue>vk-pay-orders</OutputValue></member></Outputs></R>"
                .to_owned()
        }
        "DescribeStackResource" if signed.contains("/cloudformation/aws4_request") => format!(
            "<R><PhysicalResourceId>pay-{}-1A2B</PhysicalResourceId></R>",
            field("LogicalResourceId")
        ),
        _ => {
            let fault = "<E><Error><Code>ValidationError</Code><Message>Stack does not exist</Message></Error></E>";
            return (StatusCode::BAD_REQUEST, fault).into_response();
        }
    };
    ([("content-type", "text/xml")], xml).into_response()
}

/// Lambda: the event becomes what the function gets of it.
async fn invoke(State(aws): State<Arc<Aws>>, Path(name): Path<String>, body: Bytes) -> Response {
    if name.contains("CreatePayment") {
        return (StatusCode::FORBIDDEN, axum::Json(json!({ "Message": "not authorized" }))).into_response();
    }
    let event: Value = serde_json::from_slice(&body).expect("an event");
    let who = event["requestContext"]["authorizer"]["iam"]["userArn"].clone();
    let what = event["body"].as_str().expect("a body").to_owned();
    aws.invoked.lock().expect("a list").push((name, who, what));
    let request = lambda_http::request::from_str(&event.to_string()).expect("an event of a Function URL");
    let answer = functions::dispatch(&aws.app, api::Request::from(request)).await;
    let headers = json!({ "content-type": answer.content_type });
    axum::Json(json!({ "statusCode": answer.status, "headers": headers, "body": answer.body })).into_response()
}

impl Deployment {
    fn environment(&self) -> [(&str, &str); 6] {
        let home = stack().folder.path().to_str().expect("a path");
        [
            ("HOME", home),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb),
        ]
    }

    fn run_with(&self, line: &[&str], more: &[(&str, &str)]) -> Done {
        run(&[line, &["--json", "--region", "cn-north-1"]].concat(), &[&self.environment()[..], more].concat())
    }

    /// Opens the console of the deployment.
    pub(crate) fn console(&self, more: &[&str]) -> Opened {
        let line = [&["console", "--port", "0", "--region", "cn-north-1", "--stack", "pay"], more].concat();
        Opened::with(&line, &self.environment())
    }

    pub(crate) fn run(&self, line: &[&str]) -> Done {
        self.run_with(&[line, &["--stack", "pay"]].concat(), &[])
    }

    /// What was invoked about an order, and in whose name.
    fn invoked(&self, no: &str) -> Vec<(String, Value)> {
        let invoked = self.aws.invoked.lock().expect("a list");
        let own = invoked.iter().filter(|(.., what)| what.contains(no));
        own.map(|(name, who, _)| (name.clone(), who.clone())).collect()
    }

    /// An order that the deployment knows, paid at the provider, of which nobody has told it.
    pub(crate) fn order(&self) -> String {
        self.order_with(&json!({ "needQRcode": true }))
    }

    /// The same, of a mini program.
    pub(crate) fn mini_program_order(&self) -> String {
        self.order_with(&json!({ "vk_platform": "mp-weixin", "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" }))
    }

    fn order_with(&self, own: &Value) -> String {
        let no = format!("A{}", hex::encode(shared::crypto::random::<8>()));
        let mut data = json!({
            "provider": "wxpay", "out_trade_no": no, "total_fee": 100, "subject": "Recharge", "type": "custom",
        });
        for (name, value) in own.as_object().expect("fields") {
            data[name] = value.clone();
        }
        let mut request = api::Request { method: axum::http::Method::POST, ..api::Request::default() };
        request.headers.insert("authorization", format!("Bearer {}", self.key).parse().expect("a header"));
        request.body = json!({ "url": "pay/createPayment", "data": data }).to_string().into_bytes();
        let answer = stack().runtime.block_on(functions::dispatch(&self.aws.app, request));
        assert_eq!(answer.status, 200, "{}", answer.body);
        stack()
            .runtime
            .block_on(stack().sandbox.pay(&no, sandbox::Pay { notify: false, ..Default::default() }))
            .expect("paid");
        no
    }
}

#[test]
fn reading_a_deployment_invokes_nothing() {
    let aws = deployment();
    let no = aws.order();
    let found = aws.run(&["order", &no]).json(0);
    let place = json!({ "kind": "aws", "account": "123456789012", "region": "cn-north-1", "table": "vk-pay-orders" });
    assert_eq!((&found["order"]["trade_state"], &found["place"]), (&json!("NOTPAY"), &place));
    // A table needs no stack.
    aws.run_with(&["orders", "--state", "NOTPAY", "--table", "vk-pay-orders"], &[]).is(0);
    aws.run_with(&["totals", "--table", "vk-pay-orders"], &[]).is(0);
    assert!(aws.invoked(&no).is_empty());
}

#[test]
fn what_is_due_in_a_shard_of_a_larger_deployment_is_listed_too() {
    let aws = deployment();
    let no = aws.order();
    let name = |text: &str| AttributeValue::S(text.to_owned());
    let moved = aws.running.dynamodb.update_item().table_name("vk-pay-orders").key("pk", name(&format!("O#{no}")));
    let moved = moved.key("sk", name("O")).update_expression("SET due_shard = :shard");
    stack().runtime.block_on(moved.expression_attribute_values(":shard", name("due#77")).send()).expect("written");
    let listed = aws.run(&["orders", "--state", "NOTPAY", "--limit", "1000"]).json(0);
    assert!(listed["list"].as_array().expect("a list").iter().any(|order| order["out_trade_no"] == *no), "{listed:#}");
}

#[test]
fn the_console_of_a_deployment_shows_its_orders_and_changes_nothing_without_being_told() {
    let aws = deployment();
    let no = aws.order();
    let console = aws.console(&[]);
    let page = console.get(&format!("/orders/{no}"));
    assert!(page.contains(&no) && page.contains("data-testid=\"real-money\""), "{page}");
    assert!(page.contains("AWS 123456789012 cn-north-1 vk-pay-orders"), "{page}");
    assert_eq!(console.post(&format!("/orders/{no}/query"), &page), 403);
    assert!(aws.invoked(&no).is_empty());
}

#[test]
fn a_console_that_may_write_invokes_the_functions_of_the_deployment() {
    let aws = deployment();
    let no = aws.order();
    let console = aws.console(&["--write"]);
    let page = console.get(&format!("/orders/{no}"));
    assert_eq!(console.post(&format!("/orders/{no}/query"), &page), 303);
    assert_eq!(aws.invoked(&no), [("pay-QueryPaymentFunction-1A2B".to_owned(), json!(ARN))]);
    assert_eq!(aws.run(&["order", &no]).json(0)["order"]["trade_state"], "SUCCESS");
}

#[test]
fn a_function_is_invoked_in_the_name_of_whoever_is_signed_in() {
    let aws = deployment();
    let no = aws.order();
    let found = aws.run(&["query", &no]).json(0);
    assert_eq!(found["trade_state"], "SUCCESS");
    assert_eq!(aws.invoked(&no), [("pay-QueryPaymentFunction-1A2B".to_owned(), json!(ARN))]);
}

#[test]
fn a_refund_on_aws_says_where_and_needs_to_be_let_in() {
    let aws = deployment();
    let no = aws.order();
    aws.run(&["query", &no]).is(0);
    let unconfirmed = aws.run(&["refund", &no, "--amount", "0.30"]);
    unconfirmed.is(2);
    assert!(unconfirmed.err.contains("AWS 123456789012 cn-north-1 vk-pay-orders"), "{}", unconfirmed.err);
    // `auth.refund` of this deployment names no iam.
    let refused = aws.run(&["refund", &no, "--amount", "0.30", "--yes"]).json(1);
    assert_eq!(refused["error"]["code"], 401);
    assert!(refused["error"]["msg"].as_str().expect("words").contains("iam"), "{refused:#}");
    let line = ["refund", &no, "--amount", "0.30", "--yes", "--stack", "pay"];
    assert_eq!(aws.run_with(&line, &[("VK_PAY_KEY", &aws.key)]).json(0)["refund_fee"], 30);
}

#[test]
fn what_is_missing_is_named() {
    let aws = deployment();
    let no = aws.order();
    let words = |done: Done| done.json(1)["error"]["msg"].as_str().expect("words").to_owned();
    assert!(words(aws.run_with(&["orders"], &[])).contains("--table"));
    assert!(words(aws.run_with(&["query", &no, "--table", "vk-pay-orders"], &[])).contains("--stack"));
    assert!(words(aws.run(&["close", &no])).contains("lambda:InvokeFunction on pay-CreatePaymentFunction-1A2B"));
    assert!(words(aws.run_with(&["orders", "--stack", "other"], &[])).contains("Stack does not exist"));
    let profile =
        words(run(&["orders", "--json", "--profile", "nobody", "--table", "t", "--region", "eu-west-1"], &[]));
    assert!(profile.contains("credentials"), "{profile}");
    assert!(aws.run(&["trigger", "paid"]).json(2)["error"]["msg"].as_str().expect("words").contains("this machine"));
}
