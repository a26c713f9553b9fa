//! The providers' books: what a trade and a refund are. No wire format here.

use crate::provider::{Provider, Wire};
use serde::{Deserialize, Serialize};

/// States of a trade, in WeChat's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TradeState {
    /// Alipay: the number is known, but nobody has scanned it, so no trade exists yet.
    Unseen,
    /// Waiting for the payer.
    NotPay,
    /// Pay code: the payer is asked for the password.
    UserPaying,
    /// Paid.
    Success,
    /// Paid and refunded, in part or in whole.
    Refund,
    /// Closed unpaid.
    Closed,
    /// Pay code: reversed.
    Revoked,
    /// Pay code: failed.
    PayError,
}

impl TradeState {
    /// The state's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unseen | Self::NotPay => "NOTPAY",
            Self::UserPaying => "USERPAYING",
            Self::Success => "SUCCESS",
            Self::Refund => "REFUND",
            Self::Closed => "CLOSED",
            Self::Revoked => "REVOKED",
            Self::PayError => "PAYERROR",
        }
    }
}

/// States of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RefundState {
    /// Accepted, not settled.
    Processing,
    /// The payer has the money.
    Success,
    /// Failed for good; a new number is needed.
    Closed,
    /// The payer's account refused; the money is with the merchant.
    Abnormal,
}

/// How [`crate::Sandbox::settle_refund`] ends a held refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    /// Done.
    Success,
    /// Failed; a new number is needed.
    Closed,
    /// The payer's account refused.
    Abnormal,
}

/// A refund in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Refund {
    pub provider: Provider,
    pub merchant: String,
    /// The trade's out_trade_no.
    pub number: String,
    pub out_refund_no: String,
    pub refund_id: String,
    pub amount: u64,
    pub total: u64,
    pub state: RefundState,
    pub reason: Option<String>,
    pub notify_url: Option<String>,
    pub created: i64,
    pub settled: Option<i64>,
    /// In which protocol it was asked for.
    pub wire: Wire,
}

/// A trade in the books. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the providers' own")]
pub struct Trade {
    pub provider: Provider,
    /// mchid, or Alipay's app id.
    pub merchant: String,
    pub sub_merchant: Option<String>,
    pub sub_appid: Option<String>,
    pub appid: String,
    /// jsapi, native, h5, app, codepay; precreate, create, pay, app, wap, page.
    pub product: String,
    pub wire: Wire,
    /// out_trade_no.
    pub number: String,
    pub total: u64,
    /// What the payer paid, if not `total` (only by a test's wish).
    pub paid_amount: Option<u64>,
    pub state: TradeState,
    pub transaction_id: Option<String>,
    pub prepay_id: Option<String>,
    pub code_url: Option<String>,
    pub notify_url: Option<String>,
    pub subject: String,
    pub attach: Option<String>,
    pub payer: Option<String>,
    pub created: i64,
    pub expires: i64,
    pub paid: Option<i64>,
    pub closed: Option<i64>,
    pub refunds: Vec<Refund>,
    /// What is shared of it, where it was made to be.
    pub sharing: Option<Sharing>,
    /// What is reported of its shipping, where the money is kept until all of it is.
    pub shipment: Option<Shipment>,
    /// The parameters of the request, for comparison with a repetition.
    pub request: serde_json::Value,
}

/// The shipping of a trade whose money is kept. Times are unix ms.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Shipment {
    /// How often something was taken as reported.
    pub uploads: u32,
    /// How often all of it was: once, and once more by a correction.
    pub finished: u32,
    /// 1 express, 2 same city, 3 virtual, 4 pick-up.
    pub logistics_type: Option<u64>,
    /// 1 whole, 2 split.
    pub delivery_mode: Option<u64>,
    /// The parcels, as they were reported last.
    pub parcels: Vec<serde_json::Value>,
    /// What was reported last, whole.
    pub report: Option<serde_json::Value>,
    /// When that was.
    pub uploaded: Option<i64>,
    /// When all of it was first reported.
    pub shipped: Option<i64>,
    /// When the payer has confirmed it, or is taken to have.
    pub received: Option<i64>,
    /// Whether it counts as confirmed because nobody said otherwise.
    pub by_itself: bool,
    /// Whether the payer was asked to confirm.
    pub reminded: bool,
    /// When the merchant got the money.
    pub settled: Option<i64>,
}

/// What is shared of a trade.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sharing {
    /// Nothing more is shared: the rest is the merchant's.
    pub unfrozen: bool,
    /// Shares, and the end, oldest first.
    pub shares: Vec<Share>,
}

/// A share of a trade. Amounts are fen, times unix ms.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Share {
    pub out_order_no: String,
    pub order_id: String,
    pub receivers: Vec<ShareReceiver>,
    pub returns: Vec<ShareReturn>,
    pub finished: bool,
    pub created: i64,
    /// When it is done by itself.
    pub settles: i64,
    /// The parameters of the request, for comparison with a repetition.
    pub request: serde_json::Value,
}

/// A receiver of a share.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct ShareReceiver {
    #[serde(rename = "type")]
    pub kind: String,
    pub account: String,
    pub amount: u64,
    pub description: String,
    /// `PENDING`, `SUCCESS` or `CLOSED`.
    pub result: String,
    pub fail_reason: Option<String>,
    pub detail_id: String,
    /// To the merchant itself: what was unfrozen.
    pub own: bool,
}

/// A return of a share.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct ShareReturn {
    pub out_return_no: String,
    pub return_id: String,
    pub return_mchid: String,
    pub amount: u64,
    pub description: String,
    /// `PROCESSING`, `SUCCESS` or `FAILED`.
    pub result: String,
    pub fail_reason: Option<String>,
    pub created: i64,
}

impl Share {
    /// What receivers have of it or are about to have, less what came back; without what was unfrozen.
    pub fn taken(&self) -> u64 {
        let live = self.receivers.iter().filter(|r| !r.own && r.result != "CLOSED").map(|r| r.amount).sum::<u64>();
        live - self.returned()
    }

    /// What came back of it.
    pub fn returned(&self) -> u64 {
        self.returns.iter().filter(|made| made.result == "SUCCESS").map(|made| made.amount).sum()
    }
}

impl Sharing {
    /// What others were given in all, also what they have returned.
    pub(crate) fn given_away(&self) -> u64 {
        let details = self.shares.iter().flat_map(|share| &share.receivers);
        details.filter(|r| !r.own && r.result != "CLOSED").map(|r| r.amount).sum()
    }

    /// What receivers have or are about to have, less what came back.
    pub fn taken(&self) -> u64 {
        self.shares.iter().map(Share::taken).sum()
    }
}

/// What every trade has from the start.
pub(crate) struct NewTrade<'a> {
    pub(crate) provider: Provider,
    pub(crate) wire: Wire,
    /// Who is paid, as the provider names merchants.
    pub(crate) merchant: &'a str,
    pub(crate) number: &'a str,
    pub(crate) total: u64,
    pub(crate) notify_url: Option<String>,
    /// Unix ms.
    pub(crate) now: i64,
}

impl Trade {
    /// A trade that waits for its payer, with nothing but what every trade has.
    pub(crate) fn begin(new: NewTrade<'_>) -> Self {
        let NewTrade { provider, wire, merchant, number, total, notify_url, now } = new;
        Self {
            provider,
            merchant: merchant.to_owned(),
            sub_merchant: None,
            sub_appid: None,
            appid: merchant.to_owned(),
            product: String::new(),
            wire,
            number: number.to_owned(),
            total,
            paid_amount: None,
            state: TradeState::NotPay,
            transaction_id: None,
            prepay_id: None,
            code_url: None,
            notify_url,
            subject: String::new(),
            attach: None,
            payer: None,
            created: now,
            expires: now.saturating_add(7_200_000),
            paid: None,
            closed: None,
            refunds: Vec::new(),
            sharing: None,
            shipment: None,
            request: serde_json::Value::Null,
        }
    }

    /// The trade as a payment callback tells it: paid, nothing refunded yet.
    pub(crate) fn as_paid(&self) -> Self {
        Self { state: TradeState::Success, refunds: Vec::new(), ..self.clone() }
    }

    /// What was paid, or is to be paid.
    pub fn amount(&self) -> u64 {
        self.paid_amount.unwrap_or(self.total)
    }

    /// Refunded or about to be, in fen.
    pub fn refunded(&self) -> u64 {
        let live = self.refunds.iter().filter(|r| r.state != RefundState::Closed);
        live.map(|r| r.amount).sum()
    }

    /// Refunded and settled, in fen.
    pub fn returned(&self) -> u64 {
        let done = self.refunds.iter().filter(|r| r.state == RefundState::Success);
        done.map(|r| r.amount).sum()
    }

    /// What is kept to be shared: refunds take from it first, and what was returned is the merchant's.
    pub(crate) fn unsplit(&self) -> u64 {
        let Some(sharing) = self.sharing.as_ref().filter(|sharing| !sharing.unfrozen) else { return 0 };
        let shares = sharing.shares.iter().flat_map(|share| &share.receivers).filter(|r| r.result != "CLOSED");
        let gone = shares.map(|r| r.amount).sum::<u64>().saturating_add(self.refunded());
        self.amount().saturating_sub(gone)
    }

    /// Whether its money is kept because not all of it is reported as shipped, and not all of it went back.
    pub fn is_kept_unshipped(&self) -> bool {
        let unshipped = self.shipment.as_ref().is_some_and(|shipment| shipment.finished == 0);
        unshipped && self.paid.is_some() && self.returned() < self.amount()
    }

    /// True while the payer may pay.
    pub fn payable(&self) -> bool {
        matches!(self.state, TradeState::Unseen | TradeState::NotPay | TradeState::UserPaying)
    }
}

/// What is wanted of a refund.
pub(crate) struct RefundWish {
    pub(crate) number: String,
    pub(crate) id: String,
    pub(crate) amount: u64,
    pub(crate) notify_url: Option<String>,
    /// When it settles by itself; `None` is by hand.
    pub(crate) settles: Option<i64>,
}
