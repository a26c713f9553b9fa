//! Apple: verifyReceipt, the App Store Server API, signed transactions and notifications V2.

use crate::Sandbox;
use crate::callbacks::{Notice, SignedRequest};
use crate::crypto::RsaKey;
use crate::faults::Misbehaviour;
use crate::forgery::Forgery;
use crate::keys::{Merchant, Mode};
use crate::ledger::Trade;
use crate::server::{Answer, Call, Inbound};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Callbacks are repeated after these many seconds.
pub(crate) const LADDER: &[u64] = &[15, 15, 30, 180];

/// What both sides know of a merchant here.
#[derive(Clone, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are the provider's own")]
pub struct Keys {
    /// Identifies the merchant in the books.
    pub id: String,
}

impl Keys {
    /// Makes everything up. `ours` and `theirs` are key pairs of the merchant and of the provider; RSA keys are dear,
    /// so the providers share them.
    pub(crate) fn generate(_ours: &RsaKey, _theirs: &RsaKey) -> Self {
        Self { id: crate::crypto::random_text(12, crate::crypto::DIGITS) }
    }

    /// The section `appleiap` of a configuration. `base` is the sandbox's URL.
    pub(crate) fn config(&self, _base: &str, _mode: Mode) -> Value {
        json!({})
    }
}

/// What a request is about; `None` when it is not for this provider.
pub(crate) fn call(_inbound: &Inbound) -> Option<Call> {
    None
}

/// Serves a request.
pub(crate) fn handle(_sandbox: &Sandbox, _inbound: &Inbound, _fault: Option<Misbehaviour>) -> Answer {
    Answer::new(404, "text/plain", "", "unknown")
}

/// Refuses a request without looking at it.
pub(crate) fn refuse(_sandbox: &Sandbox, _inbound: &Inbound, _what: Misbehaviour) -> Answer {
    Answer::new(500, "text/plain", "", "refused")
}

/// Takes `orderInfo` as the client's SDK does, checks it as the provider does, and answers the number of the trade that
/// can be paid then.
pub(crate) fn open(_sandbox: &Sandbox, _order_info: &Value) -> Result<String, String> {
    Err("not built".to_owned())
}

/// What the client's SDK hands back after a payment.
pub(crate) fn client_result(_sandbox: &Sandbox, _trade: &Trade) -> Value {
    Value::Null
}

/// Writes and signs a callback.
pub(crate) fn notify(notice: &Notice<'_>, _merchant: &Merchant, _now: i64) -> SignedRequest {
    SignedRequest { method: "POST".to_owned(), url: notice.url.to_owned(), headers: Vec::new(), body: String::new() }
}

/// Whether an answer is an acknowledgement.
pub(crate) fn accepted(status: u16, _body: &str) -> bool {
    status == 200
}

/// True for a callback that [`notify`] wrote.
pub(crate) fn wrote(_request: &SignedRequest) -> bool {
    false
}

/// Spoils a callback.
pub(crate) fn forge(_sandbox: &Sandbox, _request: &mut SignedRequest, _how: Forgery) {}
