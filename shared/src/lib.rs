//! What a function names: the [`App`](app::App) that it holds, the [`api`] that it serves, and the floors below.
//!
//! Each floor is a crate, so that imports run downward only: `payments` -> `store`, `providers` -> `config` -> `net` ->
//! `crypto` -> `domain`.

pub mod api;
pub mod app;
mod jwks;

pub use {config, crypto, domain, net, payments, providers, store, telemetry};
