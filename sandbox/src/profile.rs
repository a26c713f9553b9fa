//! What the books and the outbox have to know of a provider's ways.

use crate::ids;
use crate::provider::Provider;

/// A provider's ways, where they differ from [`Profile::USUAL`].
pub(crate) struct Profile {
    /// The pauses after which a callback that was not acknowledged is sent again, in seconds.
    pub(crate) retry_ladder: &'static [u64],
    /// A fresh id of a callback, at a time in Unix ms.
    pub(crate) event_id: fn(i64) -> String,
    /// A fresh number of a payment, at a time in Unix ms.
    pub(crate) transaction_id: fn(i64) -> String,
    /// The payer of whom nobody said who it is.
    pub(crate) payer: fn() -> String,
    /// A trade comes to be when its payer scans or opens it, so that one without a number was never seen.
    pub(crate) begins_unseen: bool,
    /// There is a callback of a refund that failed, too.
    pub(crate) tells_failed_refunds: bool,
}

impl Profile {
    /// What most of them do; nothing is sent again.
    pub(crate) const USUAL: Self = Self {
        retry_ladder: &[],
        event_id: |_| ids::uuid(),
        transaction_id: ids::transaction_id,
        payer: ids::openid,
        begins_unseen: false,
        tells_failed_refunds: true,
    };
}

/// Says each provider's ways.
pub(crate) type Profiles = fn(Provider) -> &'static Profile;
