//! `pay/appleiap/verifyReceipt` and `pay/huaweiiap/verifyPurchase`: a client brings the proof of a purchase.

use super::{Caller, Context, Fields};
use crate::code::{Code, Failure};
use crate::order::{Order, Provider};

/// Verifies a purchase and credits its order.
///
/// # Errors
/// 1014, 1015 for a missing proof, 1016 for one that is not good, 2006 for another order's, 504 when the
/// provider does not answer; then nothing is written.
pub async fn verify_purchase(
    _cx: &Context<'_>,
    _caller: &Caller,
    _fields: &Fields<'_>,
    _provider: Provider,
) -> Result<Order, Failure> {
    Err(Failure::new(Code::PURCHASE))
}
