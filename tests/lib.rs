//! What the integration tests and the bench run functions with: an emulator of the Lambda Runtime API, the
//! Function URL in front of it, the functions' own binaries, and a proxy that spoils calls to DynamoDB. The tests
//! themselves are in `main.rs`.

#[path = "support/binaries.rs"]
pub mod binaries;
#[path = "support/dynamo_proxy.rs"]
pub mod dynamo_proxy;
#[path = "support/function_url.rs"]
pub mod function_url;
#[path = "support/runtime_api.rs"]
pub mod runtime_api;
