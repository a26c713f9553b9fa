//! Where the configuration document comes from: `PAY_CONFIG`.

use net::aws::{AwsError, JsonService, call};
use net::provider_http::Http;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::time::{Instant, sleep};

/// How long a service is asked in all, sleeps included. Lambda gives a start ten seconds.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long one answer is waited for.
const ATTEMPT: Duration = Duration::from_millis(2_500);
/// The longest pause after a first failure, ms; it doubles up to [`LONGEST`]. The pause itself is any time up to that,
/// so that many instances that start at once do not ask again at once.
const FIRST: u32 = 100;
const LONGEST: u32 = 1_600;

/// A place that a configuration can be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `file:PATH`.
    File(PathBuf),
    /// `ssm:/name`, a SecureString parameter.
    Ssm(String),
    /// `secretsmanager:ID`.
    SecretsManager(String),
    /// The JSON itself.
    Inline(String),
}

/// Why a document could not be read. The texts name the place, never its content.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("PAY_CONFIG: {0}")]
pub struct SourceError(String);

impl Source {
    /// Reads the value of `PAY_CONFIG`.
    ///
    /// # Errors
    /// When it is empty or of no known kind.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        match text.split_once(':') {
            _ if text.starts_with('{') => Ok(Self::Inline(text.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("ssm", name)) if !name.is_empty() => Ok(Self::Ssm(name.to_owned())),
            Some(("secretsmanager", id)) if !id.is_empty() => Ok(Self::SecretsManager(id.to_owned())),
            _ => Err(SourceError("must be file:PATH, ssm:/name, secretsmanager:ID or the JSON itself".to_owned())),
        }
    }

    /// The folder that relative paths in the document are read from.
    pub fn base(&self) -> &Path {
        match self {
            Self::File(path) => path.parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        }
    }

    /// Fetches the document's text. A service that is busy or does not answer is asked again for up to 8 s.
    ///
    /// # Errors
    /// When the file, parameter or secret cannot be read.
    pub async fn fetch(&self, http: &Http) -> Result<String, SourceError> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|e| SourceError(format!("file {} cannot be read: {}", path.display(), e.kind()))),
            Self::Ssm(name) => {
                let service = JsonService { name: "ssm", variable: "SSM" };
                let body = json!({ "Name": name, "WithDecryption": true });
                let answer = patiently(http, &service, "AmazonSSM.GetParameter", &body).await;
                let answer = answer.map_err(|e| SourceError(format!("ssm:{name} cannot be read: {e}")))?;
                let value = answer["Parameter"]["Value"].as_str();
                value.map(str::to_owned).ok_or_else(|| SourceError(format!("ssm:{name} has no value")))
            }
            Self::SecretsManager(id) => {
                let service = JsonService { name: "secretsmanager", variable: "SECRETS_MANAGER" };
                let body = json!({ "SecretId": id });
                let answer = patiently(http, &service, "secretsmanager.GetSecretValue", &body).await;
                let answer = answer.map_err(|e| SourceError(format!("secretsmanager:{id} cannot be read: {e}")))?;
                let value = answer["SecretString"].as_str();
                value.map(str::to_owned).ok_or_else(|| SourceError(format!("secretsmanager:{id} has no text")))
            }
        }
    }
}

/// Calls a service, and again while what it answers may pass.
async fn patiently(http: &Http, service: &JsonService, operation: &str, body: &Value) -> Result<Value, AwsError> {
    let ends = Instant::now() + PATIENCE;
    let mut longest = FIRST;
    loop {
        let left = ends.saturating_duration_since(Instant::now());
        let answer = call(http, service, operation, body, ATTEMPT.min(left)).await;
        let Err(AwsError::Passing(_)) = answer else { return answer };
        let pause = Duration::from_millis(u64::from(u32::from_be_bytes(crypto::random()) % longest));
        if Instant::now() + pause >= ends {
            return answer;
        }
        sleep(pause).await;
        longest = (longest * 2).min(LONGEST);
    }
}
