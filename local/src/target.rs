//! Where a command works: on the stack that runs on this machine, or on a deployment on AWS.

use crate::address::Address;
use crate::client::{Functions, Lambda, stack_output};
use crate::dynamo;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::Client;
use serde::Serialize;
use shared::domain::Secret;
use shared::net::aws::{Access, endpoint};
use shared::net::provider_http::Http;
use shared::store::client::{dynamodb_afar, http_client_afar};
use shared::store::{MOST_DUE_SHARDS, Store};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;

/// A port of this machine answers at once.
const KNOCK: Duration = Duration::from_secs(2);

/// What a command reads and calls.
pub struct Target {
    /// The orders table.
    pub store: Store,
    /// The same, for what the store has no word for.
    pub dynamodb: Client,
    /// The functions.
    pub functions: Functions,
    /// Where all that is.
    pub place: Place,
    /// The merchants of the configuration, where they are known.
    pub merchants: Option<Vec<String>>,
    /// The types of orders that have a handler, where they are known.
    pub types: Option<Vec<String>>,
}

/// Where a command works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Place {
    /// On this machine.
    Local {
        /// The stack's address.
        url: String,
        /// Whether it runs with the demo's configuration, and so with simulated providers.
        simulated: bool,
    },
    /// On AWS.
    Aws {
        /// The account, where AWS told it.
        account: Option<String>,
        /// The region.
        region: String,
        /// The orders table.
        table: String,
    },
}

/// Which deployment on AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsOptions {
    /// A profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// The region, instead of the profile's or the environment's.
    pub region: Option<String>,
    /// The orders table, instead of the stack's.
    pub table: Option<String>,
    /// The CloudFormation stack.
    pub stack: Option<String>,
}

/// Secrets that the environment may hold.
#[derive(Clone, Default)]
pub struct Secrets {
    /// One of `auth.keys`.
    pub key: Option<Secret>,
    /// One of `PAY_ORIGIN_SECRET`, where the functions stand behind CloudFront.
    pub origin: Option<Secret>,
}

impl Secrets {
    /// From `VK_PAY_KEY` and `VK_PAY_ORIGIN_SECRET`.
    pub fn from_env() -> Self {
        let read = |name: &str| std::env::var(name).ok().filter(|text| !text.trim().is_empty()).map(Secret::new);
        Self { key: read("VK_PAY_KEY"), origin: read("VK_PAY_ORIGIN_SECRET") }
    }
}

/// Why there is nothing to work on.
#[derive(Debug, Error)]
pub enum TargetError {
    /// No stack runs here.
    #[error("no stack runs with the data folder {}: start one with `vk-pay dev --data-dir {}`", .0.display(), .0.display())]
    NotRunning(PathBuf),
    /// One was killed.
    #[error(
        "the stack of the data folder {} is gone: nothing answers at {url}, though its stack.json is still there. \
         Start it again with `vk-pay dev --data-dir {}`", .data_dir.display(), .data_dir.display()
    )]
    Gone {
        /// Its data folder.
        data_dir: PathBuf,
        /// Its address.
        url: String,
    },
    /// Its file cannot be read.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What.
        error: std::io::Error,
    },
    /// No region is known.
    #[error("no region: --region, AWS_REGION, or `region` in the profile")]
    NoRegion,
    /// There are no credentials, or they are no longer good.
    #[error("no credentials: {0}")]
    Credentials(String),
    /// Neither the table nor the stack is named.
    #[error("which table? --table NAME, or --stack NAME of the CloudFormation stack")]
    NoTable,
    /// What was asked of AWS on the way.
    #[error("{0}")]
    Aws(String),
}

impl Target {
    /// The stack that keeps its tables in this folder.
    ///
    /// # Errors
    /// When none runs.
    pub async fn local(data_dir: &Path, secrets: Secrets) -> Result<Self, TargetError> {
        let address = Address::read(data_dir)
            .map_err(|error| TargetError::File { path: data_dir.join("stack.json"), error })?
            .ok_or_else(|| TargetError::NotRunning(data_dir.to_owned()))?;
        for url in [&address.url, &address.dynamodb] {
            if !answers(url).await {
                return Err(TargetError::Gone { data_dir: data_dir.to_owned(), url: url.clone() });
            }
        }
        let dynamodb = dynamo::client(&address.dynamodb);
        let simulated = address.key.is_some();
        let key = secrets.key.or_else(|| address.key.map(Secret::new));
        Ok(Self {
            store: Store::new(dynamodb.clone(), dynamo::TABLE, ""),
            dynamodb,
            functions: Functions::at(&address.url, key),
            place: Place::Local { url: address.url, simulated },
            merchants: Some(address.merchants),
            types: Some(address.types),
        })
    }

    /// A deployment on AWS, with the credentials of a profile, of SSO or of the environment.
    ///
    /// # Errors
    /// When something is missing.
    pub async fn aws(options: AwsOptions, secrets: Secrets) -> Result<Self, TargetError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client_afar());
        if let Some(profile) = &options.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &options.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let sdk = loader.load().await;
        let region = sdk.region().map(ToString::to_string).ok_or(TargetError::NoRegion)?;
        let provider = sdk.credentials_provider().ok_or_else(|| TargetError::Credentials("none found".to_owned()))?;
        let credentials =
            provider.provide_credentials().await.map_err(|error| TargetError::Credentials(why(&error)))?;
        let table = match (&options.table, &options.stack) {
            (Some(table), _) => table.clone(),
            (None, Some(stack)) => {
                let access = Access { credentials, region: region.clone() };
                let found = stack_output(&Http::default(), &access, stack, "OrdersTableName").await;
                found.map_err(TargetError::Aws)?
            }
            (None, None) => return Err(TargetError::NoTable),
        };
        // Reading needs no name; without it the functions cannot be told who calls, and say so.
        let identity = aws_sdk_sts::Client::new(&sdk).get_caller_identity().send().await.ok();
        let account = identity.as_ref().and_then(|identity| identity.account().map(str::to_owned));
        let arn = identity.as_ref().and_then(|identity| identity.arn().map(str::to_owned));
        let dynamodb = dynamodb_afar(region.clone(), provider.clone(), endpoint("DYNAMODB"));
        let lambda = Lambda {
            credentials: SharedCredentialsProvider::new(provider),
            region: region.clone(),
            stack: options.stack,
            arn,
            account: account.clone(),
            origin_secret: secrets.origin,
        };
        Ok(Self {
            // How many shards the functions use is in their environment only: all that there may be are read.
            store: Store::new(dynamodb.clone(), table.clone(), "").with_due_shards(MOST_DUE_SHARDS),
            dynamodb,
            functions: Functions::on_lambda(lambda, secrets.key),
            place: Place::Aws { account, region, table },
            merchants: None,
            types: None,
        })
    }
}

/// Whether something listens at a URL of this machine.
async fn answers(url: &str) -> bool {
    let Some(address) = url.split_once("://").map(|(_, rest)| rest.trim_end_matches('/')) else { return false };
    let knock = tokio::net::TcpStream::connect(address);
    tokio::time::timeout(KNOCK, knock).await.is_ok_and(|opened| opened.is_ok())
}

/// An error with its causes, which hold what is wanted.
fn why(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}
