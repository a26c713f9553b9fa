//! The log line for a callback that names a kind of key which is not configured.
//!
//! Such a message is refused like a forgery, and it may be one: whoever knows the URL can send it. So the line is a
//! warning, never an alarm, and holds nothing of the message: all its words stand here or in the configuration.

/// Logs which key would be needed. `nodes` are names of nodes of the configuration.
pub(super) fn warn(section: &'static str, merchant: &str, nodes: &str, missing: &'static str) {
    tracing::warn!(section, merchant, nodes, missing, "a callback was signed in a way that is not configured");
}
