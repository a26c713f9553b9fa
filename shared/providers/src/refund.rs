//! What a provider is asked of a refund, and what it answers.

use domain::{Attempt, Fen, Order, UnixMs};

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
