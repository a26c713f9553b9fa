//! What a provider is asked of a transfer, a payee's authorisation or a balance, and what it answers.

use domain::{Authorization, AuthorizationState, Day, Fen, Transfer, TransferState, UnixMs};
use serde_json::Value;

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
