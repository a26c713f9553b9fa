//! DynamoDB's client. It sends through the same kind of client as the providers' calls, because a second HTTP and TLS
//! stack is half a megabyte.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region, SharedCredentialsProvider};
use aws_sdk_dynamodb::config::{HttpClient, RuntimeComponents};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http::Method;
use net::aws::{credentials, endpoint, region};
use net::tls::Clients;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Sooner than DynamoDB closes an idle connection, and a frozen function sees none die.
const IDLE: Duration = Duration::from_secs(20);
/// How long a connection may take to open within AWS.
const CONNECT: Duration = Duration::from_secs(1);
/// The same from anywhere.
const CONNECT_AFAR: Duration = Duration::from_secs(5);
/// How long a request waits for the connection that another is opening.
const OPENING: Duration = Duration::from_millis(500);

/// DynamoDB's client by the environment.
///
/// # Errors
/// The variable that is missing.
pub fn dynamodb_from_env() -> Result<Client, &'static str> {
    Ok(dynamodb(region()?, credentials()?, endpoint("DYNAMODB")))
}

/// DynamoDB's client with time-outs that leave a call room for a second try within a callback's five seconds.
pub fn dynamodb(region: String, credentials: Credentials, endpoint: Option<String>) -> Client {
    let credentials = SharedCredentialsProvider::new(credentials);
    let patience = (Duration::from_millis(1_500), Duration::from_secs(4));
    build(region, credentials, endpoint, patience, Wire::new(CONNECT))
}

/// DynamoDB's client for somebody at a terminal: with credentials that are renewed, and time for a slow line.
pub fn dynamodb_afar(region: String, credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Client {
    let patience = (Duration::from_secs(10), Duration::from_secs(30));
    build(region, credentials, endpoint, patience, Wire::new(CONNECT_AFAR))
}

/// The way out for another client of AWS's, of somebody at a terminal.
pub fn http_client_afar() -> SharedHttpClient {
    SharedHttpClient::new(Wire::new(CONNECT_AFAR))
}

fn build(
    region: String,
    credentials: SharedCredentialsProvider,
    endpoint: Option<String>,
    (attempt, whole): (Duration, Duration),
    wire: Wire,
) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(whole).build();
    let mut config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(wire)
        .timeout_config(timeouts);
    config.set_endpoint_url(endpoint);
    Client::from_conf(config.build())
}

/// The SDK's way out.
#[derive(Debug, Clone)]
struct Wire(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clients: Clients,
    /// Held by the first request, which opens the connection.
    opening: tokio::sync::Mutex<()>,
    /// Whether a first request has ended, however.
    opened: AtomicBool,
}

impl Wire {
    fn new(connect: Duration) -> Self {
        let settings = move || {
            reqwest::Client::builder()
                .connect_timeout(connect)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .pool_idle_timeout(IDLE)
        };
        let clients = Clients::new(settings);
        Self(Arc::new(Inner { clients, opening: tokio::sync::Mutex::new(()), opened: AtomicBool::new(false) }))
    }

    /// Sends a request. While the first is under way the others wait for its connection, which is there sooner than one
    /// of their own; but not for long, because a function that was frozen meanwhile has lost it.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let Inner { clients, opening, opened } = &*self.0;
        let client = clients.of(request.uri()).clone();
        if opened.load(Ordering::Acquire) {
            return exchange(client, request).await;
        }
        let first = tokio::time::timeout(OPENING, opening.lock()).await.ok();
        // Whoever waited goes on together with the others.
        let _first = first.filter(|_| !opened.load(Ordering::Acquire));
        let answer = exchange(client, request).await;
        opened.store(true, Ordering::Release);
        answer
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.clone();
        HttpConnectorFuture::new(async move { wire.send(request).await })
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
