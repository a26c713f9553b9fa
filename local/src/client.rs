//! The functions as their caller has them: over HTTP where the stack runs here, by Lambda's `Invoke` on AWS.
//!
//! On AWS no key is needed: the event names who is signed in, as a Function URL with `AWS_IAM` would, and the mode `iam`
//! of `auth` lets them in. Whoever may invoke the functions could write that name himself, so the right to
//! `lambda:InvokeFunction` is what protects them (`docs/operate.md`).

use crate::calls::Calls;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use futures::future::{BoxFuture, FutureExt};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value, json};
use shared::api::{Request, Response};
use shared::domain::Secret;
use shared::domain::action::Action;
use shared::net::aws::{Access, Post, PostError, post_as};
use shared::net::provider_http::{self, Http, HttpError};
use std::time::Duration;
use thiserror::Error;

/// A function ends by itself within half a minute.
const PATIENCE: Duration = Duration::from_secs(60);
/// CloudFormation answers soon.
const LOOKUP: Duration = Duration::from_secs(15);

/// An answer of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body, which is JSON.
    pub body: Value,
}

impl Answer {
    /// The reply's code; 0 is success.
    pub fn code(&self) -> Option<i64> {
        self.body.get("code").and_then(Value::as_i64)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CallError {
    /// Nothing was done.
    #[error("{0}")]
    NotDone(String),
    /// It may have been done.
    #[error("{0}")]
    Unknown(String),
}

/// The functions.
pub struct Functions {
    http: Http,
    key: Option<Secret>,
    way: Way,
}

enum Way {
    /// Behind one address on this machine.
    Url(String),
    /// Lambda functions.
    Lambda(Box<Lambda>),
}

/// A deployment's functions, and who calls them.
pub(crate) struct Lambda {
    /// Whose credentials sign.
    pub(crate) credentials: SharedCredentialsProvider,
    /// The region.
    pub(crate) region: String,
    /// The CloudFormation stack that they belong to.
    pub(crate) stack: Option<String>,
    /// Who is signed in.
    pub(crate) arn: Option<String>,
    /// Their account.
    pub(crate) account: Option<String>,
    /// What CloudFront would show, where the functions stand behind it.
    pub(crate) origin_secret: Option<Secret>,
}

impl Functions {
    /// Behind one address, called with a key.
    pub(crate) fn at(url: &str, key: Option<Secret>) -> Self {
        Self { http: Http::default(), key, way: Way::Url(url.trim_end_matches('/').to_owned()) }
    }

    /// Lambda functions.
    pub(crate) fn on_lambda(lambda: Lambda, key: Option<Secret>) -> Self {
        Self { http: Http::default(), key, way: Way::Lambda(Box::new(lambda)) }
    }

    /// Calls an action. `language` is a tag such as `en`, for the texts of the answer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call(
        &self,
        action: impl Into<Action>,
        data: Map<String, Value>,
        language: &str,
    ) -> Result<Answer, CallError> {
        let action = action.into();
        let body = json!({ "url": action.name(), "data": data }).to_string();
        self.send(action.function(), body, language).await
    }

    /// Sends a body to a function, by the name of its package.
    async fn send(&self, function: &str, body: String, language: &str) -> Result<Answer, CallError> {
        match &self.way {
            Way::Url(url) => self.post(&format!("{url}/{function}"), body, language).await,
            Way::Lambda(lambda) => {
                let (name, payload) = self.invoke(lambda, function, &self.event(lambda, body, language)).await?;
                let status = payload["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
                let status = status.ok_or_else(|| CallError::Unknown(format!("{name}: an answer without a status")))?;
                read(status, payload["body"].as_str().unwrap_or_default().as_bytes())
            }
        }
    }

    /// Posts JSON below the address of a stack on this machine, with the key.
    ///
    /// # Errors
    /// When it runs elsewhere; see [`CallError`].
    pub async fn control(&self, path: &str, body: &Value, language: &str) -> Result<Answer, CallError> {
        match &self.way {
            Way::Url(url) => self.post(&format!("{url}{path}"), body.to_string(), language).await,
            Way::Lambda(_) => Err(CallError::NotDone("only a stack on this machine can be told to do this".to_owned())),
        }
    }

    async fn post(&self, url: &str, body: String, language: &str) -> Result<Answer, CallError> {
        let mut request = provider_http::Request::post_json(url, body.into_bytes());
        request.headers.push(("accept-language", language.to_owned()));
        if let Some(key) = &self.key {
            request.headers.push(("authorization", format!("Bearer {}", key.expose())));
        }
        let answer = self.http.send_within(request, PATIENCE).await.map_err(|error| lost(&error))?;
        read(answer.status, &answer.body)
    }

    /// Invokes a function with an event; its name, and what it gave.
    async fn invoke(&self, lambda: &Lambda, function: &str, event: &Value) -> Result<(String, Value), CallError> {
        let not_done = |what: String| CallError::NotDone(what);
        let access = lambda.access().await.map_err(not_done)?;
        let stack = lambda.stack.as_deref().ok_or_else(|| not_done(NO_STACK.to_owned()))?;
        let name = physical_name(&self.http, &access, stack, &resource_of(function)).await.map_err(not_done)?;
        let path = format!("/2015-03-31/functions/{}/invocations?Qualifier=live", segment(&name));
        let post = Post {
            service: "lambda",
            variable: "LAMBDA",
            path: &path,
            content_type: "application/json",
            body: event.to_string().into_bytes(),
            timeout: PATIENCE,
        };
        let answer = post_as(&self.http, &access, post).await.map_err(|error| match error {
            PostError::Unsigned => not_done(error.to_string()),
            PostError::Http(error) => lost(&error),
        })?;
        let payload: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let says = |value: &Value| value.as_str().unwrap_or("no reason given").to_owned();
        match answer.status {
            200 if answer.headers.contains_key("x-amz-function-error") => {
                Err(CallError::Unknown(format!("{name} failed: {}", says(&payload["errorMessage"]))))
            }
            200 => Ok((name, payload)),
            status @ (400..=499) => {
                let message = [&payload["message"], &payload["Message"]].into_iter().find(|text| text.is_string());
                let why = message.map_or_else(|| format!("HTTP {status}"), says);
                Err(not_done(format!("lambda:InvokeFunction on {name}: {why}")))
            }
            status => Err(CallError::Unknown(format!("lambda:InvokeFunction on {name}: HTTP {status}"))),
        }
    }

    /// The event of a Function URL with `AWS_IAM`.
    fn event(&self, lambda: &Lambda, body: String, language: &str) -> Value {
        let mut headers = json!({ "content-type": "application/json", "accept-language": language });
        if let Some(key) = &self.key {
            headers["authorization"] = json!(format!("Bearer {}", key.expose()));
        }
        if let Some(secret) = &lambda.origin_secret {
            headers["x-pay-origin-secret"] = json!(secret.expose());
        }
        let id = hex::encode(shared::crypto::random::<16>());
        let mut event = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/",
            "rawQueryString": "",
            "headers": headers,
            "requestContext": {
                "accountId": lambda.account,
                "apiId": "vk-pay",
                "domainName": "vk-pay.invalid",
                "domainPrefix": "vk-pay",
                "http": {
                    "method": "POST",
                    "path": "/",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": concat!("vk-pay/", env!("CARGO_PKG_VERSION")),
                },
                "requestId": id,
                "routeKey": "$default",
                "stage": "$default",
                "time": "01/Jan/1970:00:00:00 +0000",
                "timeEpoch": 0,
            },
            "body": body,
            "isBase64Encoded": false,
        });
        if let Some(arn) = &lambda.arn {
            event["requestContext"]["authorizer"] = json!({ "iam": { "accountId": lambda.account, "userArn": arn } });
        }
        event
    }
}

impl Calls for Functions {
    fn call<'a>(&'a self, function: &'static str, request: Request) -> BoxFuture<'a, Result<Response, String>> {
        async move {
            let language = request.header("accept-language").unwrap_or("zh-CN").to_owned();
            let body = String::from_utf8(request.body).map_err(|_| "the body is no text".to_owned())?;
            let answer = self.send(function, body, &language).await.map_err(|error| error.to_string())?;
            let content_type = "application/json; charset=utf-8";
            Ok(Response { status: answer.status, content_type, retry_after: None, body: answer.body.to_string() })
        }
        .boxed()
    }

    fn run<'a>(&'a self, function: &'static str, event: &'a Value) -> BoxFuture<'a, Result<Value, String>> {
        async move {
            match &self.way {
                Way::Url(_) => Err(format!("{function} takes events in the stack's own process only")),
                Way::Lambda(lambda) => {
                    let done = self.invoke(lambda, function, event).await;
                    done.map(|(_, payload)| payload).map_err(|error| error.to_string())
                }
            }
        }
        .boxed()
    }
}

const NO_STACK: &str = "the CloudFormation stack of the functions is not named: --stack NAME";

impl Lambda {
    async fn access(&self) -> Result<Access, String> {
        let credentials = self.credentials.provide_credentials().await.map_err(|error| error.to_string())?;
        Ok(Access { credentials, region: self.region.clone() })
    }
}

fn lost(error: &HttpError) -> CallError {
    match error {
        HttpError::Connect(_) | HttpError::Identity => CallError::NotDone(error.to_string()),
        HttpError::Lost(_) | HttpError::TooLarge(_) => CallError::Unknown(error.to_string()),
    }
}

fn read(status: u16, body: &[u8]) -> Result<Answer, CallError> {
    match serde_json::from_slice(body) {
        Ok(body) => Ok(Answer { status, body }),
        Err(_) if (400..500).contains(&status) => {
            let text: String = String::from_utf8_lossy(body).chars().take(200).collect();
            Err(CallError::NotDone(format!("HTTP {status}: {}", text.trim())))
        }
        Err(_) => Err(CallError::Unknown(format!("HTTP {status}, and no JSON"))),
    }
}

/// A function's name in `template.yaml`: `create-payment` is `CreatePaymentFunction`.
fn resource_of(function: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    function.split('-').map(word).collect::<String>() + "Function"
}

fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What a resource of a CloudFormation stack is called outside of it.
async fn physical_name(http: &Http, access: &Access, stack: &str, resource: &str) -> Result<String, String> {
    let fields = [("Action", "DescribeStackResource"), ("StackName", stack), ("LogicalResourceId", resource)];
    let answer = cloudformation(http, access, &fields).await?;
    let name = texts(&answer, "PhysicalResourceId").into_iter().next().filter(|name| !name.is_empty());
    name.ok_or_else(|| format!("the stack {stack} has no {resource}"))
}

/// An output of a CloudFormation stack.
pub(crate) async fn stack_output(http: &Http, access: &Access, stack: &str, output: &str) -> Result<String, String> {
    let answer = cloudformation(http, access, &[("Action", "DescribeStacks"), ("StackName", stack)]).await?;
    let outputs = texts(&answer, "OutputKey").into_iter().zip(texts(&answer, "OutputValue"));
    let found = outputs.into_iter().find(|(name, _)| name == output).map(|(_, value)| value);
    found.ok_or_else(|| format!("the stack {stack} has no output {output}"))
}

async fn cloudformation(http: &Http, access: &Access, fields: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    let body: String = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .append_pair("Version", "2010-05-15")
        .finish();
    let post = Post {
        service: "cloudformation",
        variable: "CLOUDFORMATION",
        path: "/",
        content_type: "application/x-www-form-urlencoded",
        body: body.into_bytes(),
        timeout: LOOKUP,
    };
    let answer = post_as(http, access, post).await.map_err(|error| format!("CloudFormation: {error}"))?;
    if answer.status == 200 {
        return Ok(answer.body);
    }
    let message = texts(&answer.body, "Message").into_iter().next();
    Err(format!("CloudFormation: {}", message.unwrap_or_else(|| format!("HTTP {}", answer.status))))
}

/// The texts of all elements of a name, in their order.
fn texts(xml: &[u8], name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&text);
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(tag) if tag.local_name().as_ref() == name => open = Some(String::new()),
            Event::Empty(tag) if tag.local_name().as_ref() == name => found.push(String::new()),
            Event::Text(text) => {
                if let Some(open) = &mut open {
                    open.push_str(&text.xml10_content());
                }
            }
            Event::GeneralRef(reference) => {
                if let (Some(open), Ok(Some(letter))) = (&mut open, reference.resolve_char_ref()) {
                    open.push(letter);
                }
            }
            Event::End(tag) if tag.local_name().as_ref() == name => found.extend(open.take()),
            Event::Eof => break,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_named_as_in_the_template() {
        let template = include_str!("../../template.yaml");
        for action in Action::ALL {
            let resource = resource_of(action.function());
            assert!(template.contains(&format!("\n  {resource}:\n")), "{resource}");
        }
    }

    #[test]
    fn an_output_is_found_by_its_name() {
        let xml = b"<R xmlns='u'><Outputs><member><OutputKey>A</OutputKey><OutputValue/></member><member>\
            <OutputKey>OrdersTableName</OutputKey><OutputValue>pay-orders</OutputValue></member></Outputs></R>";
        let pairs: Vec<_> = texts(xml, "OutputKey").into_iter().zip(texts(xml, "OutputValue")).collect();
        assert_eq!(pairs[1], ("OrdersTableName".to_owned(), "pay-orders".to_owned()));
    }
}
