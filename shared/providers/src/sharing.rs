//! What a provider is asked of shares, returns and receivers, and what it tells of them.

use domain::{Attempt, Provider, Share, ShareReturn, UnixMs};

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
