//! What machines read: `docs/config.schema.json` and `docs/openapi.json`.
//!
//! Both are made of the code that reads: the schema of what the configuration's reader asks for when it is led through
//! all its branches, the OpenAPI document of the tables of actions, fields and codes. Each is committed, and a test
//! compares it with what is made.

mod examples;
mod explore;
mod meanings;
mod openapi;
mod replies;
mod schema;

pub use openapi::{openapi, schema_name};
pub use schema::config_schema;

/// A document as it is committed: indented, with a line end.
pub fn pretty(document: &serde_json::Value) -> String {
    format!("{document:#}\n")
}
