//! Everything in one process: the functions behind one address, an embedded DynamoDB, the sandbox, a web console.
//!
//! Modules, from the bottom to the top; each imports only what is further down in the house, which is further up in this table (`tests/layers.rs`):
//!
//! | module | what |
//! |---|---|
//! | [`options`] | how it is started |
//! | [`plain`] | texts that strangers wrote |
//! | [`dynamo`] | the embedded DynamoDB and the tables |
//! | [`functions`], [`calls`] | the functions behind one address; how the console calls them |
//! | [`guard`] | what keeps other web pages out |
//! | [`mask`], [`journal`] | calls and callbacks of this run, without what nobody should read |
//! | [`receiver`] | a receiver of forwarded orders |
//! | [`stream`] | the table's stream and the schedule |
//! | [`demo`] | demo merchants, their configuration, and rows to deliver to |
//! | [`Address`] | where a running stack is found |
//! | [`client`] | the functions as their caller has them, here and on AWS |
//! | [`target`] | where a command works: the stack here, or a deployment on AWS |
//! | [`console`] | the pages |
//! | [`start`] | the stack: ports, tables, demo, servers, and how they stop |
//! | [`serve_console`] | the console by itself, on a table elsewhere |

#![cfg_attr(not(test), warn(clippy::unwrap_used, unreachable_pub))]

mod address;
mod afar;
pub mod calls;
pub mod client;
pub mod console;
pub mod demo;
pub mod dynamo;
pub mod functions;
pub mod guard;
pub mod journal;
pub mod mask;
pub mod options;
pub mod plain;
pub mod queues;
pub mod receiver;
mod stack;
pub mod stream;
pub mod target;

pub use address::Address;
pub use afar::{ConsoleOptions, Served, serve_console};
pub use options::Options;
pub use stack::{Running, StartError, start};
pub use target::Target;
