//! The providers behind one interface.
//!
//! The set is closed, so it is an enum and the compiler lists what the next one must fill in. A provider
//! turns our types into its wire protocol and back. It never sees the store. Every status map defaults to
//! *pending*: only an explicit success or failure moves an order.

#[macro_use]
mod registry;

pub mod alipay;
pub mod apple;
pub mod bill;
pub mod common;
mod diagnosis;
pub mod douyin;
mod driver;
pub mod huawei;
mod login;
mod missing_key;
mod purchase;
mod raw_request;
mod stands;
mod token_cache;
pub mod virtual_pay;
pub mod vkspay;
pub mod wxpay;

use driver::Driver;

providers! { ($)
    Wxpay => wxpay::WxpayNode,
    Alipay => alipay::AlipayNode,
    Appleiap => apple::AppleNode,
    Vkspay => vkspay::VkspayNode,
    WxpayVirtual => virtual_pay::VirtualNode,
    Douyin => douyin::DouyinNode,
    Huawei => huawei::HuaweiNode,
}

// After the list, whose macros it uses.
mod account;
mod complaints;
mod gateway;

pub use account::Account;
pub use complaints::ComplaintDesk;
pub use diagnosis::{Diagnosis, Examination, Page, Trouble};
pub use driver::Client;
pub use gateway::{Gateway, ProviderClients, addressee, exchange, read_callback, reply};
pub use login::Login;
pub use purchase::{Held, Proof, Purchase};
pub use raw_request::{AllowList, RawOutcome, RawRequest, RawTarget};
pub use stands::Stands;
pub use token_cache::TokenCache;

/// The merchant configuration, with the sections of all providers.
pub type Config = config::Document<Merchant>;

use domain::{
    Attempt, Authorization, AuthorizationState, Code, Complaint, Day, Failure, Fen, Field, Logistics, Order, Parties,
    Payment, Provider, Share, ShareReturn, ShippingReport, ShippingState, Transfer, TransferState, UnixMs,
};
use http::{HeaderMap, Method};
use serde_json::{Map, Value};
use std::fmt::Display;

/// Why a call to a provider has no result. A result is an answer that was verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[must_use]
pub enum CallError {
    /// The provider definitely refused: nothing happened there.
    #[error("{0}")]
    Refused(Refusal),
    /// Nobody knows: a time-out, a lost connection, a 5xx, an answer that cannot be verified. Never to be
    /// treated as a failure.
    #[error("{0}")]
    Unknown(String),
}

impl CallError {
    /// Nobody knows, and why.
    pub fn unknown(why: impl Display) -> Self {
        Self::Unknown(why.to_string())
    }

    /// Whether this is a refusal that means so.
    pub fn means(&self, meaning: Meaning) -> bool {
        matches!(self, Self::Refused(refusal) if refusal.meaning == meaning)
    }

    /// The same of a call that asks something first: a refusal of the question is none of the call.
    pub fn as_unknown(self, question: &str) -> Self {
        match self {
            Self::Refused(refusal) => Self::Unknown(format!("{question}: {refusal}")),
            Self::Unknown(why) => Self::Unknown(why),
        }
    }

    /// The failure of who must know how something stands: who refuses to tell has told as little as who is silent.
    pub fn unanswered(self) -> Failure {
        Failure::new(Code::OUTCOME_UNKNOWN).private(self.to_string())
    }

    /// The failure of what a client asked for: the provider's refusal in its words, or that nobody knows.
    pub fn for_client(self) -> Failure {
        match self {
            Self::Refused(refusal) => Failure::new(Code::PROVIDER_REFUSED).says(refusal.to_string()),
            Self::Unknown(why) => Failure::new(Code::OUTCOME_UNKNOWN).private(why),
        }
    }
}

/// What was asked for by its number; `None` where the provider says in its listed words that it has no such number.
/// Every other refusal leaves the question open.
///
/// # Errors
/// Every other refusal, and no answer.
pub fn if_known<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.means(Meaning::Missing) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A provider's refusal, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The provider's code, `OUT_TRADE_NO_USED`, `ACQ.TRADE_HAS_SUCCESS` …
    pub code: String,
    /// Its text.
    pub message: String,
    /// What it means for us, where it means more than no.
    pub meaning: Meaning,
}

/// Refusals that say how the order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Just no.
    No,
    /// The order is paid already (`ORDERPAID`, `ACQ.TRADE_HAS_SUCCESS`): ask, and credit it.
    Paid,
    /// The order is closed (`ORDER_CLOSED`, `ACQ.TRADE_HAS_CLOSE`).
    Closed,
    /// The provider does not know the number.
    Missing,
    /// The number is taken with other parameters (`OUT_TRADE_NO_USED`, `ACQ.CONTEXT_INCONSISTENT`).
    NumberUsed,
    /// Not now: the provider wants a pause (VK code 2004 for refunds).
    TooSoon,
    /// The provider did not look at what was asked: a signature, a permission, a parameter. Of an app store this
    /// is a set-up that it does not accept.
    Unheard,
    /// The provider takes no such request from the address that it came from: nothing was looked at.
    Address,
}

impl Meaning {
    /// Whether the refusal of a call that repeats an earlier one says anything of the earlier one.
    pub const fn speaks_of_the_number(self) -> bool {
        match self {
            Self::TooSoon | Self::Unheard | Self::Address => false,
            Self::No | Self::Paid | Self::Closed | Self::Missing | Self::NumberUsed => true,
        }
    }
}

/// What a provider is asked to create.
pub struct CreateRequest<'a> {
    /// The order; its `description`, `total_fee`, `time_expire` and `other` are sent.
    pub order: &'a Order,
    /// The attempt; its `number`, ids, `openid` and `client_ip` are sent.
    pub attempt: &'a Attempt,
    /// Where the provider sends its callback, the whole URL.
    pub notify_url: &'a str,
    /// Where the payer's browser returns to, for gateways that bring payers back.
    pub return_url: Option<&'a str>,
    /// The client's platform, as the client said (`vk_platform`).
    pub platform: &'a str,
    /// The payer's pay code, for `codepay`.
    pub auth_code: Option<&'a str>,
    /// The shop (`store_id`), for `codepay`.
    pub store_id: Option<&'a str>,
    /// Now.
    pub now: UnixMs,
}

/// What is asked of a provider before there is an order.
pub struct GoodsRequest<'a> {
    /// The request's `data`.
    pub data: &'a Map<String, Value>,
    /// Its `custom`.
    pub custom: &'a Map<String, Value>,
    /// The amount, where the request gives one.
    pub total: Option<Fen>,
    /// The names that a signed quote fixed; none where there was no quote. Its `custom` is then the request's.
    pub quoted: &'a [&'static str],
    /// The merchant's own systems ask: they may name what a quote leaves open.
    pub trusted: bool,
}

impl<'a> GoodsRequest<'a> {
    /// A field of the data, where it is there.
    fn read(&self, field: &Field) -> Option<&'a Value> {
        self.data.get(field.name).filter(|value| !value.is_null())
    }

    /// What a quote says of the goods: its own claim, else its `custom`.
    fn signed(&self, field: &Field) -> Option<&'a Value> {
        let name = field.name;
        let said = match self.quoted.contains(&name) {
            true => self.data.get(name),
            false if self.quoted.is_empty() => None,
            false => self.custom.get(name),
        };
        said.filter(|value| !value.is_null())
    }

    /// What names the goods: what a quote says of them, else the data, else `custom`.
    ///
    /// # Errors
    /// [`Code::FORBIDDEN`] when the data says otherwise than the quote.
    fn named(&self, field: &Field) -> Result<Option<&'a Value>, Failure> {
        let (name, given) = (field.name, self.read(field));
        let Some(signed) = self.signed(field) else {
            return Ok(given.or_else(|| self.custom.get(name).filter(|value| !value.is_null())));
        };
        let number = |value: &Value| Fen::from_json(value);
        match given {
            Some(given) if given != signed && (number(given).is_none() || number(given) != number(signed)) => {
                Err(Failure::new(Code::FORBIDDEN).at(name).says(name))
            }
            Some(_) | None => Ok(Some(signed)),
        }
    }

    /// Whether only a quote can say what is bought: it signs the price, and who asks is not trusted.
    const fn needs_signed_goods(&self) -> bool {
        !self.quoted.is_empty() && !self.trusted
    }
}

/// What a request buys, where the provider sells goods by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Goods {
    /// The amount, where the provider computes it from the goods.
    pub total: Option<Fen>,
    /// Becomes [`Attempt::goods`].
    pub named: Map<String, Value>,
}

/// What a provider created.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    /// `orderInfo`: what the client SDK of this pay type takes.
    pub order_info: Value,
    /// The text of a QR code, where the product has one.
    pub code_url: Option<String>,
    /// Until when these parameters can be used.
    pub fresh_until: UnixMs,
    /// The provider's own number for this attempt, where callbacks and queries speak of that.
    pub number: Option<String>,
    /// `codepay`: the payment, when it was made at once.
    pub payment: Option<Payment>,
}

/// How an order stands at a provider.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// Not paid; `paying` while the payer is at it.
    Unpaid {
        /// The payer is entering a password.
        paying: bool,
    },
    /// Paid: every payment that the provider has for the attempt, the first one first. Refunds, if any, are
    /// told by the refund query.
    Paid(Vec<Payment>),
    /// Closed without a payment.
    Closed,
    /// Unknown to the provider.
    Missing,
}

/// How closing an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nothing can be paid any more.
    Closed,
    /// The provider has no close, and has no payment yet: it may still be paid.
    LeftOpen,
    /// The payer is paying at this moment: it must not be closed.
    Paying,
}

/// What a provider is asked to refund.
pub struct RefundRequest<'a> {
    /// The order that was paid.
    pub order: &'a Order,
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The provider's number of the payment.
    pub transaction_id: &'a str,
    /// What that payment paid.
    pub total: Fen,
    /// The merchant's refund number.
    pub out_refund_no: &'a str,
    /// How much.
    pub refund: Fen,
    /// Why.
    pub reason: &'a str,
    /// Where the provider tells its end, where it takes a URL.
    pub notify_url: &'a str,
    /// Now.
    pub now: UnixMs,
}

/// Where a refund goes that its payer's account did not take.
pub enum RefundCard<'a> {
    /// To a bank card of the payer's.
    Payer {
        /// The bank, by the provider's word: `ICBC_DEBIT` …
        bank_type: &'a str,
        /// The card's number. Encrypted on its way, and kept nowhere.
        bank_account: &'a str,
        /// Who holds it. The same.
        real_name: &'a str,
    },
    /// To the merchant's own bank account, who pays the payer by himself.
    Merchant,
}

impl RefundCard<'_> {
    /// WeChat Pay's word for it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Payer { .. } => "USER_BANK_CARD",
            Self::Merchant => "MERCHANT_BANK_CARD",
        }
    }
}

/// A refund in [`ABNORMAL`] that is to be paid elsewhere.
pub struct AbnormalRefund<'a> {
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The merchant's refund number.
    pub out_refund_no: &'a str,
    /// The provider's.
    pub refund_id: &'a str,
    /// Where to.
    pub to: RefundCard<'a>,
    /// Now.
    pub now: UnixMs,
}

/// How a refund stands at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundStanding {
    /// How it stands.
    pub progress: RefundProgress,
    /// The provider's refund number.
    pub refund_id: Option<String>,
    /// The amount, where the provider says.
    pub refund: Option<Fen>,
    /// The provider's number of the payment that goes back, where it says.
    pub transaction_id: Option<String>,
    /// What of the amount goes back to the payer in money and not as a coupon, where the provider says.
    pub cash: Option<Fen>,
    /// What of the payment has gone back in all, by every refund that the provider has, where it says.
    pub returned: Option<Fen>,
    /// When it succeeded.
    pub refunded_at: Option<UnixMs>,
}

/// The progress of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundProgress {
    /// On its way; also a WeChat refund in state ABNORMAL, which the operator must mend.
    Processing(Option<String>),
    /// The money went back.
    Success,
    /// The provider gave it up; a new number is needed.
    Closed(String),
    /// The provider does not know the number: it may be sent again.
    Missing,
}

/// WeChat Pay's word for a refund that the payer's account did not take; only the operator can bring it on.
pub const ABNORMAL: &str = "ABNORMAL";

impl RefundProgress {
    /// Whether the refund is under way at the provider and will not end by itself.
    pub fn is_abnormal(&self) -> bool {
        matches!(self, Self::Processing(Some(word)) if word == ABNORMAL)
    }
}

impl RefundStanding {
    /// A refund that stands so, of which nothing else is told.
    pub const fn new(progress: RefundProgress) -> Self {
        Self {
            progress,
            refund_id: None,
            refund: None,
            transaction_id: None,
            cash: None,
            returned: None,
            refunded_at: None,
        }
    }

    /// Whether the provider knows the refund: it ended, or the answer names it.
    pub const fn is_known(&self) -> bool {
        match &self.progress {
            RefundProgress::Missing => false,
            RefundProgress::Processing(None) => self.refund_id.is_some() || self.refund.is_some(),
            RefundProgress::Processing(Some(_)) | RefundProgress::Success | RefundProgress::Closed(_) => true,
        }
    }
}

/// What a provider is asked to pay out, or to tell of.
pub struct TransferRequest<'a> {
    /// The transfer; its number, amount, payee, texts and scene are sent.
    pub transfer: &'a Transfer,
    /// The payee's real name, where it is sent.
    pub name: Option<&'a str>,
    /// Now.
    pub now: UnixMs,
}

/// Whose balance is asked for.
pub struct BalanceRequest<'a> {
    /// WeChat Pay's account: `BASIC`, `OPERATION` or `FEES`; the first where none is named.
    pub account: Option<&'a str>,
    /// At the end of this day; now, where none is named.
    pub day: Option<Day>,
}

/// A merchant's balance at a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// What can be paid out.
    pub available: Fen,
    /// What is there and cannot be paid out, where the provider says.
    pub pending: Option<Fen>,
    /// Both, where the provider says.
    pub total: Option<Fen>,
}

/// How a transfer stands at a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferStanding {
    /// How it stands; a word that is not known is [`TransferState::Processing`].
    pub state: TransferState,
    /// The provider's own word.
    pub provider_state: Option<String>,
    /// The provider's number.
    pub transfer_bill_no: Option<String>,
    /// Why it failed.
    pub fail_reason: Option<String>,
    /// What the payee's client confirms it with.
    pub package_info: Option<String>,
    /// The provider's verified words, redacted.
    pub result: Value,
}

/// The receipt (电子回单) of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// It is in the making.
    Generating,
    /// It is there: a PDF, and its SHA-256 in lower-case hex, which the provider has signed.
    Finished {
        /// The file.
        file: Vec<u8>,
        /// Its hash.
        sha256: String,
    },
    /// The provider could not make it.
    Failed,
}

/// What a payee is asked to authorise, or what a provider is asked of it.
pub struct AuthorizationRequest<'a> {
    /// The authorisation; its number, application, payee, texts and scene are sent. Of one that was made elsewhere only
    /// the number is known.
    pub authorization: &'a Authorization,
    /// Now.
    pub now: UnixMs,
}

/// How an authorisation stands at a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationStanding {
    /// How it stands.
    pub state: AuthorizationState,
    /// The provider's own word.
    pub provider_state: Option<String>,
    /// The provider's number.
    pub authorization_id: Option<String>,
    /// When the payee gave it, RFC 3339.
    pub authorize_time: Option<String>,
    /// Why it was closed.
    pub close_reason: Option<String>,
    /// What the payee's client gives it with.
    pub package_info: Option<String>,
    /// The application.
    pub app_id: Option<String>,
    /// Who gives it.
    pub payee: Option<String>,
    /// The scene of the transfers under it.
    pub transfer_scene: Option<String>,
    /// How the payee's account is shown to them.
    pub user_display_name: Option<String>,
    /// What the payee is told that transfers are.
    pub user_recv_perception: Option<String>,
    /// The provider's verified words, redacted.
    pub result: Value,
}

/// What a provider is told of the shipping of a payment.
pub struct ShippingRequest<'a> {
    /// Its number of the payment.
    pub transaction_id: &'a str,
    /// The payer there.
    pub openid: &'a str,
    /// What is on its way.
    pub report: &'a ShippingReport,
    /// Now.
    pub now: UnixMs,
}

/// How a provider has the shipping of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippingStanding {
    /// How it stands.
    pub state: ShippingState,
    /// The provider's own number for that (`order_state`).
    pub number: u64,
    /// How often all of it was reported.
    pub finished: u64,
    /// How it is carried, where that is reported.
    pub logistics: Option<Logistics>,
    /// Whether the payer has complained.
    pub in_complaint: bool,
}

/// A page of complaints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplaintPage {
    /// The complaints.
    pub complaints: Vec<Complaint>,
    /// How many more there are that lack a field and are left out.
    pub incomplete: u64,
    /// The next page, where there may be one.
    pub next: Option<u64>,
}

impl ComplaintPage {
    pub(crate) fn of(rows: impl Iterator<Item = Option<Complaint>>, next: Option<u64>) -> Self {
        let mut page = Self { complaints: Vec::new(), incomplete: 0, next };
        for row in rows {
            match row {
                Some(complaint) => page.complaints.push(complaint),
                None => page.incomplete += 1,
            }
        }
        page
    }
}

/// What a payer who complains is answered.
pub struct ComplaintAnswer<'a> {
    /// The complaint, as its provider has it.
    pub complaint: &'a Complaint,
    /// The text.
    pub content: &'a str,
    /// Pictures, by the provider's ids of them.
    pub images: &'a [String],
}

/// How a complaint is ended.
pub struct ComplaintEnd<'a> {
    /// The complaint, as its provider has it.
    pub complaint: &'a Complaint,
    /// Whether it is ended by a refund.
    pub refunded: bool,
    /// What was done, in Alipay's words, where the merchant says.
    pub process_code: Option<&'a str>,
    /// A remark, where the provider takes one.
    pub remark: Option<&'a str>,
}

/// What a provider is asked to share, or to tell of; the end of sharing, where there are no receivers.
pub struct ShareRequest<'a> {
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The share; its numbers, receivers and texts are sent.
    pub share: &'a Share,
    /// Now.
    pub now: UnixMs,
}

/// What a provider is asked to take back from a receiver, or to tell of.
pub struct ReturnRequest<'a> {
    /// The attempt that was paid.
    pub attempt: &'a Attempt,
    /// The provider's number of the payment.
    pub transaction_id: &'a str,
    /// The return; its numbers, amount and text are sent.
    pub made: &'a ShareReturn,
    /// Now.
    pub now: UnixMs,
}

/// Who may be given a share, or no longer.
pub struct ReceiverRequest<'a> {
    /// One of [`domain::RECEIVER_TYPES`] that the provider takes.
    pub kind: &'a str,
    /// The account.
    pub account: &'a str,
    /// The name; WeChat Pay gets it encrypted.
    pub name: Option<&'a str>,
    /// The application of an openid, where it is not the node's.
    pub app_id: Option<&'a str>,
    /// The sub-merchant that shares, of a service provider.
    pub sub_mchid: Option<&'a str>,
    /// What the receiver is to the merchant.
    pub relation_type: Option<&'a str>,
    /// The same in the merchant's words.
    pub custom_relation: Option<&'a str>,
    /// Now.
    pub now: UnixMs,
}

/// A message about a share: whoever was given it is told. The provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareNotice {
    /// Who was paid through.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The merchant at the provider who shares, where the message names it.
    pub mch_id: Option<String>,
    /// The application that was paid, where the message names it.
    pub app_id: Option<String>,
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// The number of the share, or of the return; empty where the message is about all of the payment.
    pub out_order_no: String,
}

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

/// Whether a provider's text says that there is no such order, where it has no code for that: the order must be named,
/// and nothing else that does not exist (a merchant, an application).
pub fn says_no_such_order(text: &str) -> bool {
    const ABSENT: [&str; 8] = [
        "订单不存在",
        "订单号不存在",
        "该订单不存在",
        "order not exist",
        "order not exists",
        "order not found",
        "order does not exist",
        "no such order",
    ];
    // WeChat appends the request's number. Nothing else may follow: "or is finished" would mean the opposite.
    let text = text.to_ascii_lowercase();
    let text = text.split(" rid:").next().unwrap_or_default();
    ABSENT.contains(&text.trim().trim_end_matches(['!', '！', '.', '。']))
}

/// A text of an object, on the wire or in `other`. A blank one is absent: providers write `""` for what they do
/// not say.
pub fn text_of<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// Whether an object says something under a name: neither null nor a blank text.
pub fn is_said(object: &Map<String, Value>, key: &str) -> bool {
    match object.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.trim().is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => true,
    }
}

/// Whether an object names a moment under a name, which 0 is not.
pub fn is_dated(object: &Map<String, Value>, key: &str) -> bool {
    is_said(object, key) && object.get(key).is_some_and(|at| at.as_i64() != Some(0) && at.as_str() != Some("0"))
}

/// What is kept of a provider's words: the members of those names.
pub(crate) fn kept<V: FromIterator<(String, Value)>>(names: &[&str], object: &Map<String, Value>) -> V {
    names.iter().filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone()))).collect()
}
