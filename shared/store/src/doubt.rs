//! How often signed notices of a payment could not be confirmed.

use super::item::{Expression, Key};
use super::{Store, StoreError};
use domain::{Attempt, Order, Provider, UnixMs};
use futures::FutureExt as _;
use std::time::Duration;

/// How long a count is kept: longer than any provider sends its notices again.
const KEPT: Duration = Duration::from_hours(7 * 24);

impl Store {
    /// Notes on an attempt that its payment is doubted, so that whatever becomes of the payment ends the doubt.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn note_doubt(&self, order: &Order, attempt: &Attempt) -> Result<(), StoreError> {
        let path = format!("attempts[{}]", attempt.n - 1);
        let mut update = Expression::default();
        update.when(&format!("{path}.n"), "=", attempt.n).set(&format!("{path}.doubted"), true).change("version", 1);
        self.update_if(&Key::order(&order.out_trade_no), &update).await.map(|_| ())
    }

    /// Counts one more notice that says "paid" and was not confirmed; answers how many there were. One write.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn count_unconfirmed(
        &self,
        provider: Provider,
        merchant: &str,
        number: &str,
        now: UnixMs,
    ) -> Result<u64, StoreError> {
        let mut update = Expression::default();
        update.set("kind", "unconfirmed").set("expire_at", (now + KEPT).secs()).add("times", 1);
        let sent = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(Key::unconfirmed(provider.name(), merchant, number).attributes()))
            .update_expression(update.update())
            .set_expression_attribute_names(update.names())
            .set_expression_attribute_values(update.values())
            .return_values(aws_sdk_dynamodb::types::ReturnValue::UpdatedNew)
            .send()
            .boxed()
            .await
            .map_err(|e| StoreError::sdk("unconfirmed", &e))?;
        let times = sent.attributes.as_ref().and_then(|item| item.get("times")?.as_n().ok()?.parse().ok());
        times.ok_or_else(|| StoreError::new("unconfirmed", "the count did not come back"))
    }
}
