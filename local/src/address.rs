//! Where a stack that runs can be reached: in a file of its data folder, so that commands find it.

use crate::demo;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// The file, in the data folder, that is there while a stack runs.
const FILE: &str = "stack.json";

/// Where a stack that runs can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// `http://127.0.0.1:<port>`: the console and the functions.
    pub url: String,
    /// The tables' endpoint.
    pub dynamodb: String,
    /// The demo's secret, for `Authorization: Bearer`; a configuration of the merchant's own has others.
    pub key: Option<String>,
    /// The merchants of its configuration, `default` and those with an id, as they were when it started.
    #[serde(default)]
    pub merchants: Vec<String>,
    /// The types of orders that had a handler then.
    #[serde(default)]
    pub types: Vec<String>,
}

impl Address {
    /// The address of the stack that keeps its tables in this folder; `None` where none runs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(data_dir: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(data_dir.join(FILE)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn write(&self, data_dir: &Path) -> io::Result<()> {
        demo::write_private(&data_dir.join(FILE), &serde_json::to_vec_pretty(self)?)
    }

    /// Says that none runs any more.
    pub(crate) fn remove(data_dir: &Path) {
        let _ = std::fs::remove_file(data_dir.join(FILE));
    }
}
