//! AWS from the variables that Lambda sets, and nothing else: no profiles, no metadata service, no STS.
//!
//! The credential chain of `aws-config`, and a whole SDK for each of the two calls that read a secret, would put
//! every binary over its limit of 8 MB. DynamoDB keeps its SDK; the two calls are one signed POST. The SDK sends
//! through the same kind of client as the providers' calls, because a second HTTP and TLS stack is half a megabyte.

use crate::http::{Http, Request};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Method;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// Sooner than DynamoDB closes an idle connection, and a frozen function sees none die.
const IDLE: Duration = Duration::from_secs(20);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

fn region() -> Option<String> {
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"))
}

fn credentials() -> Option<Credentials> {
    let (id, secret) = (variable("AWS_ACCESS_KEY_ID")?, variable("AWS_SECRET_ACCESS_KEY")?);
    Some(Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"))
}

/// The endpoint that the environment names for a service, by the SDKs' own variables.
fn endpoint(service: &str) -> Option<String> {
    variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"))
}

/// DynamoDB's client by the environment.
///
/// # Errors
/// The variable that is missing.
pub fn dynamodb_from_env() -> Result<Client, &'static str> {
    let region = region().ok_or("AWS_REGION")?;
    let credentials = credentials().ok_or("AWS_ACCESS_KEY_ID")?;
    Ok(dynamodb(region, credentials, endpoint("DYNAMODB")))
}

/// DynamoDB's client with time-outs that leave room for a second try within a callback's five seconds.
pub fn dynamodb(region: String, credentials: Credentials, endpoint: Option<String>) -> Client {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_millis(1_500))
        .operation_timeout(Duration::from_secs(4))
        .build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(Wire::new())
        .timeout_config(timeouts);
    config.set_endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// The SDK's way out.
#[derive(Debug, Clone)]
struct Wire(reqwest::Client);

impl Wire {
    fn new() -> Self {
        let client = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(1))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_idle_timeout(IDLE)
            .build();
        Self(client.expect("a client without a certificate of its own can be built"))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(client, request).await })
    }
}

async fn exchange(client: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let bytes = request.body().bytes().ok_or_else(|| ConnectorError::user("a streamed body".into()))?.to_vec();
    let method = Method::from_bytes(request.method().as_bytes()).map_err(|e| ConnectorError::user(e.into()))?;
    let mut builder = client.request(method, request.uri()).body(bytes);
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    let lost = |error: reqwest::Error| match error.is_timeout() {
        true => ConnectorError::timeout(error.into()),
        false if error.is_builder() => ConnectorError::user(error.into()),
        false => ConnectorError::io(error.into()),
    };
    let answer = builder.send().await.map_err(lost)?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.bytes().await.map_err(lost)?;
    let status = status.try_into().map_err(|_| ConnectorError::user("an impossible status".into()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_vec()));
    for (name, value) in &headers {
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}

/// A service that speaks AWS's JSON protocol 1.1.
pub(crate) struct JsonService {
    /// In host names and signatures: `ssm`.
    pub name: &'static str,
    /// In the variable of its endpoint: `SSM`.
    pub variable: &'static str,
}

/// Calls an operation (`AmazonSSM.GetParameter`) of a service, signed with the environment's credentials.
///
/// # Errors
/// The error's code, or that there was no answer.
pub(crate) async fn call(http: &Http, service: &JsonService, operation: &str, body: &Value) -> Result<Value, String> {
    let region = region().ok_or("AWS_REGION is not set")?;
    let credentials = credentials().ok_or("AWS_ACCESS_KEY_ID is not set")?;
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = endpoint(service.variable).unwrap_or_else(|| format!("https://{}.{region}.{suffix}", service.name));
    let url = format!("{}/", url.trim_end_matches('/'));
    let body = body.to_string().into_bytes();
    let mut headers =
        vec![("content-type", "application/x-amz-json-1.1".to_owned()), ("x-amz-target", operation.to_owned())];
    headers.extend(signature(service.name, &region, credentials, &url, &headers, &body).ok_or("cannot be signed")?);
    let request = Request { method: Method::POST, url: &url, headers, body, identity: None };
    let answer = http.send(request).await.map_err(|error| error.to_string())?;
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        return Ok(document);
    }
    let code = document["__type"].as_str().and_then(|kind| kind.rsplit('#').next());
    Err(code.map_or_else(|| format!("HTTP {}", answer.status), str::to_owned))
}

/// Puts a message into a queue, by its URL.
///
/// # Errors
/// The error's code, or that there was no answer.
pub(crate) async fn send_message(http: &Http, queue: &str, message: &Value) -> Result<(), String> {
    let region = region().ok_or("AWS_REGION is not set")?;
    let credentials = credentials().ok_or("AWS_ACCESS_KEY_ID is not set")?;
    let host = endpoint("SQS").or_else(|| {
        let url = reqwest::Url::parse(queue).ok()?;
        Some(url.origin().ascii_serialization())
    });
    let url = format!("{}/", host.ok_or("the queue's URL is none")?.trim_end_matches('/'));
    let body = serde_json::json!({ "QueueUrl": queue, "MessageBody": message.to_string() }).to_string().into_bytes();
    let mut headers = vec![
        ("content-type", "application/x-amz-json-1.0".to_owned()),
        ("x-amz-target", "AmazonSQS.SendMessage".to_owned()),
    ];
    headers.extend(signature("sqs", &region, credentials, &url, &headers, &body).ok_or("cannot be signed")?);
    let request = Request { method: Method::POST, url: &url, headers, body, identity: None };
    let answer = http.send(request).await.map_err(|error| error.to_string())?;
    match answer.status {
        200 => Ok(()),
        status => Err(format!("HTTP {status}")),
    }
}

/// The largest answer of a function that is looked at, bytes.
const MAX_PAYLOAD: usize = 10_000;

/// Calls a Lambda function and waits for its answer.
///
/// # Errors
/// That there was no answer in time, too large a one, or that the function failed.
pub(crate) async fn invoke(http: &Http, function: &str, payload: &Value, timeout: Duration) -> Result<Vec<u8>, String> {
    let region = region().ok_or("AWS_REGION is not set")?;
    let credentials = credentials().ok_or("AWS_ACCESS_KEY_ID is not set")?;
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = endpoint("LAMBDA").unwrap_or_else(|| format!("https://lambda.{region}.{suffix}"));
    let name: String = form_urlencoded::byte_serialize(function.as_bytes()).collect();
    let url = format!("{}/2015-03-31/functions/{name}/invocations", host.trim_end_matches('/'));
    let body = payload.to_string().into_bytes();
    let mut headers = vec![("content-type", "application/json".to_owned())];
    headers.extend(signature("lambda", &region, credentials, &url, &headers, &body).ok_or("cannot be signed")?);
    let request = Request { method: Method::POST, url: &url, headers, body, identity: None };
    let answer = http.send_within(request, timeout).await.map_err(|error| error.to_string())?;
    match answer.status {
        200 if answer.headers.contains_key("x-amz-function-error") => Err("FunctionError".to_owned()),
        200 if answer.body.len() > MAX_PAYLOAD => Err("too large an answer".to_owned()),
        200 => Ok(answer.body),
        status => Err(format!("HTTP {status}")),
    }
}

/// The headers of a Signature Version 4.
fn signature(
    service: &str,
    region: &str,
    credentials: Credentials,
    url: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
) -> Option<Vec<(&'static str, String)>> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new("POST", url, signed, SignableBody::Bytes(body)).ok()?;
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    const NAMES: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    instructions
        .headers()
        .map(|(name, value)| Some((NAMES.into_iter().find(|n| *n == name)?, value.to_owned())))
        .collect()
}
