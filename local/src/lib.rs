//! Everything in one process: the functions behind one address, an embedded DynamoDB, the sandbox.

pub mod dynamo;
pub mod functions;
