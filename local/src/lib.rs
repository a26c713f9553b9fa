//! Everything in one process: the functions behind one address, an embedded DynamoDB, the sandbox, a web console.
//!
//! | module | what |
//! |---|---|
//! | [`start`] | the stack: ports, tables, demo, servers, and how they stop |
//! | [`options`] | the command line |
//! | [`functions`] | the functions behind one address |
//! | [`dynamo`] | the embedded DynamoDB and the tables |
//! | [`demo`] | demo merchants, their configuration, and rows to deliver to |
//! | [`guard`] | what keeps other web pages out |
//! | [`journal`] | calls made and callbacks received in this run |
//! | [`receiver`] | a receiver of forwarded orders |
//! | [`stream`] | the table's stream and the schedule |
//! | [`console`] | the pages |

#![cfg_attr(not(test), warn(clippy::unwrap_used, unreachable_pub))]

pub mod console;
pub mod demo;
pub mod dynamo;
pub mod functions;
pub mod guard;
pub mod journal;
pub mod options;
pub mod receiver;
mod stack;
pub mod stream;

pub use options::Options;
pub use stack::{Running, StartError, start};
