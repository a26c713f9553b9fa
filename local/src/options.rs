//! How the stack is started.

use std::path::PathBuf;
use std::time::Duration;

/// How the stack is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one.
    pub port: u16,
    /// Where tables and demo keys are kept; made when it is not there.
    pub data_dir: PathBuf,
    /// A merchant's own configuration; the demo's when absent.
    pub config: Option<PathBuf>,
    /// How often the schedule runs: sooner than on AWS, so that a visitor sees it. Never when `None`.
    pub schedule: Option<Duration>,
    /// Port of the tables on 127.0.0.1; 0 picks a free one.
    pub dynamodb_port: u16,
    /// Types of orders that the function js-handlers delivers.
    pub js_handlers: Vec<String>,
    /// Origins whose pages may call the functions.
    pub cors_origins: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 8787,
            data_dir: PathBuf::from(".vk-pay"),
            config: None,
            schedule: Some(Duration::from_secs(15)),
            dynamodb_port: 0,
            js_handlers: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}
