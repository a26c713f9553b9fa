//! `pay/rerunHandler`: an order is delivered again.

use super::{Caller, Context};
use domain::{Code, Failure, Order};

/// Runs the handler of a paid order again, when it has not done its work.
///
/// # Errors
/// 409 when it has, when the order is not paid, or when all of it went back or is on its way back; also while another
/// attempt runs.
pub async fn rerun_handler(cx: &Context<'_>, caller: &Caller, out_trade_no: &str) -> Result<Order, Failure> {
    let order = cx.visible_order(caller, out_trade_no).await?;
    if !order.trade_state.is_paid() {
        return Err(Code::NOT_PAID.into());
    }
    if order.user_order_success == Some(true) {
        return Err(Code::ALREADY_HANDLED.into());
    }
    if order.refund_fee >= order.total_fee {
        return Err(Failure::new(Code::ALREADY_HANDLED).says("refunded"));
    }
    if order.goes_back() {
        return Err(Failure::new(Code::BUSY).says("a refund of all of it is under way"));
    }
    super::tasks::deliver_again(cx, caller, &order).await?;
    cx.visible_order(caller, out_trade_no).await
}
