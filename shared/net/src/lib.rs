//! The ways out: to the providers, to addresses that a merchant wrote down, to AWS.

pub mod aws;
pub mod egress;
mod loopback;
pub mod provider_http;
pub mod tls;

pub use loopback::{is_loopback, literal};
