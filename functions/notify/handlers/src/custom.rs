//! `custom`: an example to copy. It writes nothing and never refuses.
//!
//! `paid.order` has every column of the order, `custom` among them; `tables` reads business tables by `_id`.
//! Return the writes that deliver the order; they commit together with its move to paid, or not at all:
//!
//! ```ignore
//! let service = paid.order.custom.get("service_type").and_then(Value::as_str).unwrap_or("none");
//! Ok(vec![
//!     Write::insert("service_orders", &paid.order.out_trade_no, Map::new())
//!         .set("service_type", service)
//!         .set("create_date", paid.now),
//! ])
//! ```

use shared::payments::{HandlerError, PaidOrder, Tables};
use shared::store::Write;

pub(crate) async fn custom(_paid: &PaidOrder<'_>, _tables: &Tables<'_>) -> Result<Vec<Write>, HandlerError> {
    Ok(Vec::new())
}
