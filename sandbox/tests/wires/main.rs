//! A small client of its own against the sandbox over real HTTP.

mod alipay;
mod client;
mod keys;
mod outbox;
mod v2;
mod v3;
mod v3_transfers;
