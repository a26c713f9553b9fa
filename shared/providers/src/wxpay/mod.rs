//! WeChat Pay, APIv3 and APIv2 (`docs/protocols/wechat.md`).
//!
//! | file | what |
//! |---|---|
//! | `signing` | the bytes that APIv3 signs, and its signature headers |
//! | `transport` | one call of APIv3: signed, sent, verified |
//! | `certificates` | the keys that verify WeChat Pay |
//! | `v3`, `v3_refund`, `transaction` | orders, refunds and the order object of APIv3 |
//! | `transfer` | merchant transfers |
//! | `authorization`, `receipt` | payees who confirm none of them; their receipts |
//! | `v2` | the same over XML |
//! | `client` | `orderInfo`, for each product |
//! | `complaint` | what payers complain of, and what they are answered |
//! | `bill` | the bill of a day: asked for, downloaded, read |
//! | `callback` | verify, check the age, decrypt, parse; and the replies |
//! | `push` | message push of a mini program |
//! | `sharing` | receivers, shares, their end, and returns |
//! | `shipping` | what is reported of orders that were paid in one |
//! | `failure` | what a refusal means, and what leaves the outcome open |
//! | `examine` | whether the set-up is right, by harmless questions |
//! | `check`, `text` | shapes that are refused early; small readings |

mod authorization;
pub mod bill;
mod callback;
mod certificates;
mod check;
mod client;
mod complaint;
mod config;
mod driver;
mod examine;
mod failure;
pub mod fund_flow;
mod push;
mod receipt;
mod request;
mod sharing;
mod shipping;
pub mod signing;
mod text;
mod transaction;
mod transfer;
mod transport;
pub mod v2;
mod v3;
mod v3_refund;

pub(crate) use self::config::read_v3;
pub use self::config::{Api, H5Info, Scheme, V2, V3, WECHAT_PAY, WxpayNode};
pub(crate) use callback::read_v3 as read_v3_callback;
pub use certificates::{Certificates, KEEP, PAUSE};
