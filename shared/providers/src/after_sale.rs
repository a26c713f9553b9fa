//! What a provider is asked after a payment, of its shipping and of complaints, and what it answers.

use domain::{Complaint, Logistics, ShippingReport, ShippingState, UnixMs};

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
