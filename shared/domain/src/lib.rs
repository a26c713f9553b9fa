//! Orders, attempts, payments, refunds, transfers, shipping, tasks, actions and reply codes: what they are and how they may move.
//! Pure: no I/O and no clock.

pub mod action;
mod attempt;
mod authorization;
mod code;
mod complaint;
mod day;
mod field;
pub mod fields;
mod money;
mod order;
mod payment;
mod provider;
mod refund;
mod secret;
mod share;
mod shipping;
mod status;
mod task;
mod token_store;
mod transfer;
mod unix_ms;

pub use attempt::{Attempt, AttemptState, Parameters, REVERSAL};
pub use authorization::{Authorization, AuthorizationState};
pub use code::{Code, Failure};
pub use complaint::{
    Complaint, ComplaintAnswered, ComplaintLine, ComplaintOrder, ComplaintRecord, ComplaintRefund, ComplaintState,
    LONGEST_COMPLAINT_TEXT, MOST_OF_A_COMPLAINT,
};
pub use day::Day;
pub use field::{Field, Shape};
pub use money::Fen;
pub use order::{COLUMNS, MAX_ATTEMPTS, MAX_REFUNDS, Order, PRIVATE_COLUMNS};
pub use payment::{Parties, Payment, other_number, payment_identity};
pub use provider::{PaymentName, Provider, Sale};
pub use refund::{Refund, RefundState};
pub use secret::Secret;
pub use share::{
    MAX_RECEIVERS, MAX_SHARES, RECEIVER_MERCHANT, RECEIVER_TYPES, RELATION_TYPES, ReceiverResult, ReceiverStanding,
    ReturnStanding, ReturnState, Share, ShareReceiver, ShareReturn, ShareStanding, ShareState, Sharing,
};
pub use shipping::{Contact, Logistics, Parcel, Shipping, ShippingMode, ShippingReport, ShippingState};
pub use status::Status;
pub use task::{LEASE, Task, TaskName, TaskState, ask_again, watch_again};
pub use token_store::{TokenStore, TokenStoreError};
pub use transfer::{DailyLimits, IDENTITY_TYPES, ReportInfo, Transfer, TransferState, shanghai_day};
pub use unix_ms::UnixMs;
