//! AWS from the variables that Lambda sets, and nothing else: no profiles, no metadata service, no STS.
//!
//! The credential chain of `aws-config`, and a whole SDK for each of the few calls beside DynamoDB's, would put every
//! binary over its limit of 8 MB. DynamoDB keeps its SDK; the others are one signed POST.

use crate::provider_http::{Answer, Http, HttpError, Request};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::Method;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use thiserror::Error;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// The region that the environment names.
///
/// # Errors
/// The variable that is missing.
pub fn region() -> Result<String, &'static str> {
    variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).ok_or("AWS_REGION")
}

/// The credentials of the environment.
///
/// # Errors
/// The variable that is missing.
pub fn credentials() -> Result<Credentials, &'static str> {
    let id = variable("AWS_ACCESS_KEY_ID").ok_or("AWS_ACCESS_KEY_ID")?;
    let secret = variable("AWS_SECRET_ACCESS_KEY").ok_or("AWS_SECRET_ACCESS_KEY")?;
    Ok(Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment"))
}

/// The endpoint that the environment names for a service, by the SDKs' own variables.
pub fn endpoint(service: &str) -> Option<String> {
    variable(&format!("AWS_ENDPOINT_URL_{service}")).or_else(|| variable("AWS_ENDPOINT_URL"))
}

/// The usual host of a service, where the environment names no endpoint.
fn host(service: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://{service}.{region}.{suffix}")
}

/// One request to a service.
struct Call<'a> {
    /// In host names and signatures: `ssm`.
    service: &'a str,
    region: &'a str,
    /// The whole URL.
    url: &'a str,
    content_type: &'static str,
    /// `X-Amz-Target`, in the JSON protocols.
    target: Option<&'a str>,
    body: Vec<u8>,
    timeout: Duration,
}

/// Credentials that somebody else found, a profile's for one, and the region that they are used in.
#[derive(Debug, Clone)]
pub struct Access {
    /// The credentials.
    pub credentials: Credentials,
    /// The region.
    pub region: String,
}

/// A POST to a service that is none of the JSON protocols'.
pub struct Post<'a> {
    /// In host names and signatures: `lambda`.
    pub service: &'a str,
    /// In the variable of its endpoint: `LAMBDA`.
    pub variable: &'a str,
    /// The path, percent-encoded, with its first slash.
    pub path: &'a str,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Why a signed POST has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostError {
    /// Nothing was sent.
    #[error("the request cannot be signed")]
    Unsigned,
    /// No connection, or no whole answer.
    #[error(transparent)]
    Http(#[from] HttpError),
}

/// Signs a POST with credentials that are not the environment's, and sends it.
///
/// # Errors
/// See [`PostError`].
pub async fn post_as(http: &Http, access: &Access, post: Post<'_>) -> Result<Answer, PostError> {
    let host = endpoint(post.variable).unwrap_or_else(|| host(post.service, &access.region));
    let url = format!("{}{}", host.trim_end_matches('/'), post.path);
    let call = Call {
        service: post.service,
        region: &access.region,
        url: &url,
        content_type: post.content_type,
        target: None,
        body: post.body,
        timeout: post.timeout,
    };
    send_as(http, access.credentials.clone(), call).await
}

/// How long a call may take whose caller does not say.
const WHOLE: Duration = Duration::from_secs(10);

/// Why a service gave no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AwsError {
    /// The same is refused again until somebody mends it: the error's code.
    #[error("{0}")]
    Refused(String),
    /// Throttled, a failure of the service, or no answer: the same may succeed a moment later.
    #[error("{0}")]
    Passing(String),
}

/// Signs a request (Signature Version 4) with the environment's credentials and sends it.
///
/// # Errors
/// That there are no credentials, or that there was no answer.
async fn signed_call(http: &Http, call: Call<'_>) -> Result<Answer, String> {
    let credentials = credentials().map_err(|name| format!("{name} is not set"))?;
    send_as(http, credentials, call).await.map_err(|error| error.to_string())
}

async fn send_as(http: &Http, credentials: Credentials, call: Call<'_>) -> Result<Answer, PostError> {
    let mut headers = vec![("content-type", call.content_type.to_owned())];
    headers.extend(call.target.map(|target| ("x-amz-target", target.to_owned())));
    let signature = signature(&call, credentials, &headers).ok_or(PostError::Unsigned)?;
    headers.extend(signature);
    let request = Request { method: Method::POST, url: call.url, headers, body: call.body, identity: None };
    Ok(http.send_within(request, call.timeout).await?)
}

/// A service that speaks AWS's JSON protocol 1.1.
pub struct JsonService {
    /// In host names and signatures: `ssm`.
    pub name: &'static str,
    /// In the variable of its endpoint: `SSM`.
    pub variable: &'static str,
}

/// Calls an operation (`AmazonSSM.GetParameter`) of a service, once.
///
/// # Errors
/// See [`AwsError`].
pub async fn call(
    http: &Http,
    service: &JsonService,
    operation: &str,
    body: &Value,
    timeout: Duration,
) -> Result<Value, AwsError> {
    let unset = |name: &str| AwsError::Refused(format!("{name} is not set"));
    let region = region().map_err(unset)?;
    credentials().map_err(unset)?;
    let url = endpoint(service.variable).unwrap_or_else(|| host(service.name, &region));
    let url = format!("{}/", url.trim_end_matches('/'));
    let call = Call {
        service: service.name,
        region: &region,
        url: &url,
        content_type: "application/x-amz-json-1.1",
        target: Some(operation),
        body: body.to_string().into_bytes(),
        timeout,
    };
    let answer = signed_call(http, call).await.map_err(AwsError::Passing)?;
    let document: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status == 200 {
        return Ok(document);
    }
    let code = document["__type"].as_str().and_then(|kind| kind.rsplit('#').next());
    let text = code.map_or_else(|| format!("HTTP {}", answer.status), str::to_owned);
    Err(match passes(answer.status, &text) {
        true => AwsError::Passing(text),
        false => AwsError::Refused(text),
    })
}

/// Whether an error's status and code say that the same may succeed later.
fn passes(status: u16, code: &str) -> bool {
    status >= 500
        || status == 429
        || ["Throttl", "TooManyRequests", "RequestLimit"].iter().any(|part| code.contains(part))
}

/// Puts a message into a queue, by its URL.
///
/// # Errors
/// That there was no answer, or its status.
pub async fn send_message(http: &Http, queue: &str, message: &Value) -> Result<(), String> {
    let body = json!({ "QueueUrl": queue, "MessageBody": message.to_string() });
    sqs(http, queue, "SendMessage", &body).await.map(|_| ())
}

/// Puts up to ten messages into a queue, by its URL, each with the seconds that nobody sees it; the places of those
/// that it did not take.
///
/// # Errors
/// That there was no answer, or its status.
pub async fn send_messages(http: &Http, queue: &str, messages: &[(Value, u64)]) -> Result<Vec<usize>, String> {
    let entry = |(i, (message, delay)): (usize, &(Value, u64))| json!({ "Id": i.to_string(), "MessageBody": message.to_string(), "DelaySeconds": delay });
    let entries: Vec<Value> = messages.iter().enumerate().map(entry).collect();
    let answer = sqs(http, queue, "SendMessageBatch", &json!({ "QueueUrl": queue, "Entries": entries })).await?;
    let failed = answer["Failed"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(failed.iter().filter_map(|entry| entry["Id"].as_str()?.parse().ok()).collect())
}

/// Hides a message of a queue that was received, by its receipt, for so many seconds from now.
///
/// # Errors
/// That there was no answer, or its status.
pub async fn hide_message(http: &Http, queue: &str, receipt: &str, seconds: u64) -> Result<(), String> {
    let body = json!({ "QueueUrl": queue, "ReceiptHandle": receipt, "VisibilityTimeout": seconds });
    sqs(http, queue, "ChangeMessageVisibility", &body).await.map(|_| ())
}

/// One call to a queue's service.
async fn sqs(http: &Http, queue: &str, operation: &str, body: &Value) -> Result<Value, String> {
    let region = region().map_err(|name| format!("{name} is not set"))?;
    let host = endpoint("SQS").or_else(|| {
        let url = reqwest::Url::parse(queue).ok()?;
        Some(url.origin().ascii_serialization())
    });
    let url = format!("{}/", host.ok_or("the queue's URL is none")?.trim_end_matches('/'));
    let target = format!("AmazonSQS.{operation}");
    let call = Call {
        service: "sqs",
        region: &region,
        url: &url,
        content_type: "application/x-amz-json-1.0",
        target: Some(&target),
        body: body.to_string().into_bytes(),
        timeout: WHOLE,
    };
    let answer = signed_call(http, call).await?;
    match answer.status {
        200 => Ok(serde_json::from_slice(&answer.body).unwrap_or_default()),
        status => Err(format!("HTTP {status}")),
    }
}

const EVENTS: JsonService = JsonService { name: "events", variable: "EVENTBRIDGE" };

/// An event for a bus of EventBridge.
pub struct BusEvent<'a> {
    /// The bus, by its name or its ARN.
    pub bus: &'a str,
    /// Who says so.
    pub source: &'a str,
    /// What it is.
    pub detail_type: &'a str,
    /// What it says.
    pub detail: &'a Value,
}

/// Puts an event on its bus.
///
/// # Errors
/// That there was no answer, or why the bus did not take it.
pub async fn put_event(http: &Http, event: &BusEvent<'_>, timeout: Duration) -> Result<(), String> {
    let entry = json!({
        "EventBusName": event.bus,
        "Source": event.source,
        "DetailType": event.detail_type,
        "Detail": event.detail.to_string(),
    });
    let entries = json!({ "Entries": [entry] });
    let answer = call(http, &EVENTS, "AWSEvents.PutEvents", &entries, timeout).await.map_err(|e| e.to_string())?;
    match (answer["FailedEntryCount"].as_u64(), answer["Entries"][0]["ErrorCode"].as_str()) {
        (Some(0), None) => Ok(()),
        (_, Some(code)) => Err(code.to_owned()),
        (_, None) => Err("an answer that does not say whether it was taken".to_owned()),
    }
}

/// The largest answer of a function that is looked at, bytes.
const MAX_PAYLOAD: usize = 10_000;

/// Calls a Lambda function and waits for its answer.
///
/// # Errors
/// That there was no answer in time, too large a one, or that the function failed.
pub async fn invoke(http: &Http, function: &str, payload: &Value, timeout: Duration) -> Result<Vec<u8>, String> {
    let region = region().map_err(|name| format!("{name} is not set"))?;
    let host = endpoint("LAMBDA").unwrap_or_else(|| host("lambda", &region));
    let name: String = form_urlencoded::byte_serialize(function.as_bytes()).collect();
    let url = format!("{}/2015-03-31/functions/{name}/invocations", host.trim_end_matches('/'));
    let call = Call {
        service: "lambda",
        region: &region,
        url: &url,
        content_type: "application/json",
        target: None,
        body: payload.to_string().into_bytes(),
        timeout,
    };
    let answer = signed_call(http, call).await?;
    match answer.status {
        200 if answer.headers.contains_key("x-amz-function-error") => Err("FunctionError".to_owned()),
        200 if answer.body.len() > MAX_PAYLOAD => Err("too large an answer".to_owned()),
        200 => Ok(answer.body),
        status => Err(format!("HTTP {status}")),
    }
}

/// The headers of a Signature Version 4.
fn signature(
    call: &Call<'_>,
    credentials: Credentials,
    headers: &[(&'static str, String)],
) -> Option<Vec<(&'static str, String)>> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(call.region)
        .name(call.service)
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .ok()?
        .into();
    let signed = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new("POST", call.url, signed, SignableBody::Bytes(&call.body)).ok()?;
    let (instructions, _) = sign(request, &params).ok()?.into_parts();
    const NAMES: [&str; 4] = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"];
    instructions
        .headers()
        .map(|(name, value)| Some((NAMES.into_iter().find(|n| *n == name)?, value.to_owned())))
        .collect()
}
