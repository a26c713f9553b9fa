//! What the integration tests and the bench run functions with: an emulator of the Lambda Runtime API, the
//! Function URL in front of it, and the functions' own binaries. The tests themselves are in `main.rs`.

#[path = "support/binaries.rs"]
pub mod binaries;
#[path = "support/function_url.rs"]
pub mod function_url;
#[path = "support/runtime_api.rs"]
pub mod runtime_api;
