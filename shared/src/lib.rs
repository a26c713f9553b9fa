//! The house behind the functions: configuration, providers, orders and the rules of money.
//!
//! Imports run downward only: functions -> {handlers, api} -> payment -> {provider, store} -> order;
//! `config`, `crypto` and `secret` are leaves.

pub mod action;
pub mod api;
pub mod app;
pub mod aws;
pub mod code;
pub mod config;
pub mod crypto;
pub mod http;
pub mod log;
pub mod members;
pub mod order;
pub mod outgoing;
pub mod payment;
pub mod provider;
pub mod secret;
pub mod store;
pub mod xml;
