//! Callbacks: what arrives, what it says, and how it is answered.

use crate::{AuthorizationStanding, RefundStanding, ShareNotice, TransferStanding};
use domain::{Fen, Parties, Payment, Provider, UnixMs};
use http::{HeaderMap, Method};
use serde_json::Value;

/// A callback as it arrived.
pub struct CallbackRequest<'a> {
    /// The method.
    pub method: &'a Method,
    /// The headers, names in lower case.
    pub headers: &'a HeaderMap,
    /// The raw query string.
    pub query: &'a str,
    /// The raw body, base64 of the Function URL already undone.
    pub body: &'a [u8],
    /// Now.
    pub now: UnixMs,
}

/// What a verified callback says.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// An order was paid.
    Payment(Box<Payment>),
    /// A refund ended, or moved.
    Refund(Box<RefundNotice>),
    /// A transfer ended.
    Transfer(Box<TransferNotice>),
    /// A payee has given an authorisation, or it was closed.
    Authorization(Box<AuthorizationNotice>),
    /// Something may have happened, but the message does not prove it: the provider is asked.
    Hint(Hint),
    /// Something that is recorded on an order and does not pay or refund it.
    Event(Box<Event>),
    /// The shipping of an order has moved, or has not for too long: the provider is asked.
    Shipping(ShippingNotice),
    /// Somebody complains, or something was said about a complaint: the provider is asked.
    Complaint(ComplaintNotice),
    /// A share, or a return of one, has moved: the provider is asked.
    Share(ShareNotice),
    /// A probe of the URL that is answered with this text.
    Echo(String),
    /// Something else that asks for nothing: acknowledged, and logged by this name.
    Other(String),
}

/// What an unproven message speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The sender signed the message, and it says that the number is paid. It then matters when the provider says
    /// otherwise, or nothing.
    pub says_paid: bool,
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The number that the provider knows, for a payment.
    pub number: Option<String>,
    /// The merchant's refund number, for a refund.
    pub out_refund_no: Option<String>,
}

/// A message about the shipping of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShippingNotice {
    /// Who was paid through.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The application that it was sent for.
    pub app_id: String,
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// What it says.
    pub event: ShippingEvent,
}

/// What a [`ShippingNotice`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShippingEvent {
    /// Nothing was reported for too long.
    Overdue,
    /// It was reported, or the money was paid out.
    Moved,
}

/// A message about a complaint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplaintNotice {
    /// Who has it.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The merchant number or application whose keys verified it.
    pub account: String,
    /// The provider's id of it.
    pub complaint_id: String,
    /// What happened, in the provider's word.
    pub event: String,
}

impl ComplaintNotice {
    /// Whether an id has the shape of one.
    pub(crate) fn is_id(text: &str) -> bool {
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }
}

/// Something that happened to what was bought (Apple: a renewal, a refund taken back …).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The provider's own name of what happened.
    pub name: String,
    /// The provider's id of the message, the same when it is sent again.
    pub id: String,
    /// When it was signed.
    pub at: UnixMs,
    /// The number that the provider knows.
    pub number: Option<String>,
    /// The provider's numbers of payments that it is about, the best first.
    pub transactions: Vec<String>,
    /// Whether the operator must look at it.
    pub alert: Option<Alert>,
}

/// Why the operator must look at an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// What was bought was taken back (`REVOKE`).
    TakenBack,
    /// It is said to be taken back, and the provider, asked, does not confirm it.
    Doubtful,
    /// A refund was taken back (`REFUND_REVERSED`).
    RefundUndone,
}

/// A refund, as a callback states it.
#[derive(Debug, Clone, PartialEq)]
pub struct RefundNotice {
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The `out_trade_no` that the provider knows. `None` where the message names only the refund or the
    /// payment.
    pub number: Option<String>,
    /// The provider's number of the payment.
    pub transaction_id: Option<String>,
    /// The part of the payment that went back, in 1/100 000, where the message says no amount (app stores).
    pub share: Option<u32>,
    /// What of the payment has gone back in all, this refund and all before it, where the message says.
    pub returned: Option<Fen>,
    /// The merchant's refund number.
    pub out_refund_no: String,
    /// How it stands; `refund` is this refund's amount, where the message says.
    pub standing: RefundStanding,
    /// The merchant at the provider, where the message says.
    pub mch_id: Option<String>,
    /// Whom else the message names; they must be the attempt's.
    pub parties: Parties,
    /// The payment itself, where the message also states it.
    pub payment: Option<Payment>,
    /// Whether the message is signed. One that is only sealed (APIv2) is asked about before a refund counts that is
    /// not known here.
    pub signed: bool,
    /// The provider's verified words, redacted.
    pub info: Value,
}

/// A transfer, as a callback states it.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferNotice {
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The merchant's number.
    pub out_bill_no: String,
    /// The merchant at the provider.
    pub mch_id: String,
    /// The amount.
    pub amount: Fen,
    /// Who gets it.
    pub payee: String,
    /// How it stands.
    pub standing: TransferStanding,
}

/// An authorisation of a payee, as a callback states it.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationNotice {
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The merchant's number.
    pub out_authorization_no: String,
    /// The merchant at the provider, where it is stated.
    pub mch_id: Option<String>,
    /// How it stands, with the application and the payee.
    pub standing: AuthorizationStanding,
}

/// Why a callback was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// Not signed, or not by the provider for this merchant.
    #[error("the signature is not the provider's: {0}")]
    Forged(&'static str),
    /// Rightly signed, but too long ago.
    #[error("the signed time is outside the window of 300 s")]
    Stale,
    /// The provider's own probe with a deliberately wrong signature (`WECHATPAY/SIGNTEST/`): refused as it
    /// must be, and no alarm.
    #[error("a signature probe of the provider")]
    Probe,
    /// Rightly signed or not, it is not a message of this protocol.
    #[error("the message is malformed: {0}")]
    Malformed(&'static str),
    /// A fault of ours or of the way to the provider's keys; the provider shall send again.
    #[error("the message could not be checked: {0}")]
    Unavailable(String),
}

/// An answer in the provider's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderReply {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, when there is a body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// How a callback is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken, now or before.
    Accepted,
    /// Forged, stale or malformed: 4xx.
    Rejected,
    /// A fault of ours: 5xx, so that the provider sends again.
    Retry,
}
