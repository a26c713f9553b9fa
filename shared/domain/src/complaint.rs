//! Complaints: what a payer says of a payment to the provider, and what the merchant has to answer in time
//! (`docs/protocols/merchant-operations.md#complaints`).

use crate::{Fen, Provider, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest text of a complaint that is kept, characters.
pub const LONGEST_COMPLAINT_TEXT: usize = 1_000;
/// The most orders, pictures and tags of one complaint that are kept.
pub const MOST_OF_A_COMPLAINT: usize = 20;

/// How a complaint stands at its provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComplaintState {
    /// Nobody has answered it.
    Pending,
    /// It was answered, and is not done with.
    Processing,
    /// It is done with; the payer may go on with it.
    Processed,
}

impl ComplaintState {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Processed => "processed",
        }
    }

    /// Whether the merchant has to do something.
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Processed)
    }
}

/// A payment that a complaint is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintOrder {
    /// The number of its attempt that the provider knows (`out_trade_no` there).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The provider's number of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// What it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Fen>,
}

/// A complaint, as its provider says. Texts are bounded, and telephone numbers masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// The provider's id of it.
    pub complaint_id: String,
    /// Whose it is at the provider, as the provider wants to be told it: the merchant number complained of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// How it stands.
    pub state: ComplaintState,
    /// The provider's own word for that.
    pub provider_state: String,
    /// The payer has written something that nobody has answered.
    #[serde(default)]
    pub awaits_reply: bool,
    /// When it was made.
    pub complained_at: UnixMs,
    /// Until when the next step is due, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<UnixMs>,
    /// How often the payer has complained.
    #[serde(default)]
    pub times: u64,
    /// The provider's word for what it is about: `REFUND`, `SERVICE_NOT_WORK` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
    /// What the payer chose from a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What the payer wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The payer's telephone number, masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What the provider says of the payer: `TRUSTED`, `HIGH_RISK`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The payments that it is about.
    #[serde(default)]
    pub orders: Vec<ComplaintOrder>,
    /// What the payer wants back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apply_refund_fee: Option<Fen>,
    /// All of these payments went back whole.
    #[serde(default)]
    pub refunded: bool,
    /// Where the payer's pictures are, at the provider.
    #[serde(default)]
    pub media: Vec<String>,
}

impl Complaint {
    /// What is complained of: the sum of its payments.
    pub fn amount(&self) -> Fen {
        Fen(self.orders.iter().filter_map(|order| order.amount).fold(0, |sum, amount| sum.saturating_add(amount.0)))
    }

    /// A text as it is kept: without control characters, and cut where it is too long. A blank one is absent.
    pub fn text(text: &str) -> Option<String> {
        let kept: String = text.chars().filter(|c| !c.is_control()).take(LONGEST_COMPLAINT_TEXT).collect();
        let kept = kept.trim();
        (!kept.is_empty()).then(|| kept.to_owned())
    }

    /// A telephone number as it is kept: all but the first three and the last four digits hidden, or all of it where it is
    /// too short for that.
    pub fn masked(phone: &str) -> Option<String> {
        let signs: Vec<char> = phone.trim().chars().take(64).collect();
        if signs.is_empty() {
            return None;
        }
        let (first, last) = if signs.len() >= 11 { (3, 4) } else { (0, signs.len().min(2)) };
        let shown = |at: usize, c: char| if at < first || at + last >= signs.len() { c } else { '*' };
        Some(signs.iter().enumerate().map(|(at, c)| shown(at, *c)).collect())
    }
}

/// An answer to a complaint that was sent, or may have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintAnswered {
    /// A digest of what it says.
    pub digest: String,
    /// When it was sent.
    pub at: UnixMs,
    /// Whether the provider has taken it; else nobody knows.
    pub taken: bool,
    /// Somebody is sending it until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<UnixMs>,
    /// Digests of the answers before it, the newest first, at most eight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<String>,
}

/// How many answers are remembered beside the last.
const EARLIER_ANSWERS: usize = 8;

impl ComplaintAnswered {
    /// One that is about to be sent after another.
    #[must_use]
    pub fn sending(digest: String, before: Option<&Self>, at: UnixMs, lease: UnixMs) -> Self {
        let earlier = before.iter().flat_map(|before| std::iter::once(&before.digest).chain(&before.earlier));
        let earlier = earlier.filter(|other| **other != digest).take(EARLIER_ANSWERS).cloned().collect();
        Self { digest, at, taken: false, lease: Some(lease), earlier }
    }

    /// Whether an answer of this digest was sent, or may have been.
    pub fn knows(&self, digest: &str) -> bool {
        self.digest == digest || self.earlier.iter().any(|other| other == digest)
    }
}

/// The refund that answers a complaint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintRefund {
    /// The order.
    pub out_trade_no: String,
    /// The refund's number: one for a complaint, an order and a try.
    pub out_refund_no: String,
    /// How much.
    pub refund_fee: Fen,
    /// The try: another is made when the provider gave the one before it up, and for a complaint that was opened again.
    pub n: u64,
    /// How often the payer had complained when it was decided.
    #[serde(default = "first_time")]
    pub times: u64,
    /// The complaint has ended since it was decided: one that is open was opened again.
    #[serde(default)]
    pub ended: bool,
}

const fn first_time() -> u64 {
    1
}

/// A complaint in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintRecord {
    /// Who has it.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// The merchant number or application in the configuration under which it is asked for.
    pub account: String,
    /// How often it was written: the condition of the next write.
    pub n: u64,
    /// Its incident.
    pub incident_id: String,
    /// The first of its orders that the table has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_trade_no: Option<String>,
    /// When it was recorded.
    pub create_date: UnixMs,
    /// When it was last written.
    pub update_date: UnixMs,
    /// The last answer from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<ComplaintAnswered>,
    /// The refund from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refund: Option<ComplaintRefund>,
    /// What the provider says.
    #[serde(flatten)]
    pub complaint: Complaint,
}

impl ComplaintRecord {
    /// Whether the payer has gone on with it since its refund was decided: the refund is no answer to that.
    pub fn is_reopened(&self) -> bool {
        let since = |refund: &ComplaintRefund| refund.ended || refund.times != self.complaint.times;
        self.complaint.state.is_open() && self.refund.as_ref().is_some_and(since)
    }

    /// Whether it is to be completed once its refund has arrived.
    pub fn awaits_refund(&self) -> bool {
        self.complaint.state.is_open() && self.refund.is_some() && !self.is_reopened()
    }

    /// What a reply shows of it.
    pub fn shown(&self) -> Value {
        let complaint = &self.complaint;
        let orders: Vec<Value> = complaint
            .orders
            .iter()
            .map(|o| json!({ "number": o.number, "transaction_id": o.transaction_id, "amount": o.amount }))
            .collect();
        json!({
            "complaint_id": complaint.complaint_id,
            "provider": self.provider,
            "merchant": self.merchant,
            "state": complaint.state,
            "provider_state": complaint.provider_state,
            "awaits_reply": complaint.awaits_reply,
            "complained_at": complaint.complained_at,
            "deadline": complaint.deadline,
            "times": complaint.times,
            "problem_type": complaint.problem_type,
            "description": complaint.description,
            "detail": complaint.detail,
            "phone": complaint.phone,
            "tags": complaint.tags,
            "amount": complaint.amount(),
            "apply_refund_fee": complaint.apply_refund_fee,
            "refunded": complaint.refunded,
            "media": complaint.media,
            "out_trade_no": self.out_trade_no,
            "orders": orders,
            "incident_id": self.incident_id,
            "out_refund_no": self.refund.as_ref().map(|refund| &refund.out_refund_no),
            "create_date": self.create_date,
            "update_date": self.update_date,
        })
    }
}

/// A line of what payer, merchant and provider have said to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplaintLine {
    /// When.
    pub at: Option<UnixMs>,
    /// Who, in the provider's words.
    pub operator: String,
    /// What was done: `USER_CREATE_COMPLAINT`, `MERCHANT_RESPONSE` …
    pub kind: String,
    /// What was said.
    pub text: Option<String>,
    /// Whether the merchant said it.
    pub ours: bool,
    /// Whether the payer did.
    pub payers: bool,
}

impl ComplaintLine {
    /// What a reply shows of it.
    pub fn shown(&self) -> Value {
        json!({ "at": self.at, "operator": self.operator, "type": self.kind, "text": self.text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_telephone_number_is_masked_whatever_its_length() {
        assert_eq!(Complaint::masked("13812345678").as_deref(), Some("138****5678"));
        assert_eq!(Complaint::masked("12345").as_deref(), Some("***45"));
        assert_eq!(Complaint::masked(" ").as_deref(), None);
    }

    #[test]
    fn a_text_is_bounded_and_has_no_control_characters() {
        assert_eq!(Complaint::text("a\u{0}b\n").as_deref(), Some("ab"));
        assert_eq!(Complaint::text(&"长".repeat(2_000)).map(|t| t.chars().count()), Some(LONGEST_COMPLAINT_TEXT));
        assert_eq!(Complaint::text("  "), None);
    }
}
