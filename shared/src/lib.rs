//! What a function names: the [`App`](app::App) that it holds, the [`api`] that it serves, and the floors below.
//!
//! Each floor is a crate, so that imports run downward only: `payments` -> `store`, `providers`; `providers` -> `config` ->
//! `net` -> `crypto`, `domain`.

pub mod api;
pub mod app;
mod jwks;
mod merchants;
mod queues;

/// The configuration: how it is read, and what it says of the providers.
pub mod config {
    pub use ::config::*;
    pub use providers::{Config, Merchant, SECTIONS};
}

pub use {crypto, domain, net, payments, providers, store, telemetry};
