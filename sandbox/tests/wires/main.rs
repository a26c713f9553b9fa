//! A small client of its own against the sandbox over real HTTP.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    unreachable_pub,
    reason = "a test fails by unwrapping, reads from top to bottom, and is seen by nobody"
)]

mod alipay;
mod client;
mod keys;
mod outbox;
mod v2;
mod v3;
mod v3_transfers;
