//! What a day's bill is compared with, and how the comparison ended.
//!
//! The items that make a payment's and a refund's number unique are listed by day:
//! `paid#<provider>#<merchant>#<YYYY-MM-DD>#<shard>` and `refunded#…`, days in Asia/Shanghai, [`SHARDS`] shards
//! by the order's number, so that no day is one partition. They are written in the transaction that makes the
//! order paid or the refund ended, so the listing lacks nothing.

use super::item::{Expression, Item, Key, attribute, item_of, shape_of};
use super::{PaymentCommit, Store, StoreError, shard};
use aws_sdk_dynamodb::types::AttributeValue as Av;
use domain::{Day, Fen, Order, Provider, Refund, UnixMs};
use futures::FutureExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Shards of a day, and of the `due` index.
pub const SHARDS: u8 = 16;

/// The listing of the reports.
const REPORTS: &str = "bill_report";

/// A payment that an order was credited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaidEntry {
    /// The order.
    pub out_trade_no: String,
    /// The number that the provider knows.
    pub number: String,
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// What was paid.
    pub total_fee: Fen,
    /// The application at the provider.
    pub app_id: String,
    /// The merchant at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// The sub-merchant that was to be paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_mchid: Option<String>,
    /// The day whose bill has it, where that is another than it is listed under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill_date: Option<String>,
}

/// A refund that ended well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefundedEntry {
    /// The order.
    pub out_trade_no: String,
    /// The number of the payment that the provider knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The provider's number of the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The merchant's refund number.
    pub out_refund_no: String,
    /// The provider's refund number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<String>,
    /// The amount.
    pub refund_fee: Fen,
    /// The incident of the payment, where that was credited to no order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The application at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The merchant at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// The day whose bill has it, where that is another than it is listed under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill_date: Option<String>,
}

/// How a bill stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BillState {
    /// It was compared.
    Checked,
    /// There is none, and nothing that it should hold.
    Empty,
    /// The provider is still making it.
    Pending,
    /// It could not be had or read; nothing was compared.
    Failed,
}

/// How the fund-flow bill of a day was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FundsReport {
    /// How it stands.
    pub state: BillState,
    /// Its lines.
    pub lines: u64,
    /// What came into the account.
    pub income: Fen,
    /// What left it.
    pub expense: Fen,
    /// The provider's fees, less those that came back.
    pub fees: Fen,
    /// What was withdrawn to the merchant's bank.
    pub withdrawn: Fen,
    /// What was paid out to others, less what came back.
    pub paid_out: Fen,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a merchant's bill of a day was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BillReport {
    /// Whose bill.
    pub provider: Provider,
    /// The merchant in the configuration.
    pub merchant: String,
    /// `YYYY-MM-DD`, Asia/Shanghai.
    pub bill_date: String,
    /// How it stands.
    pub state: BillState,
    /// Lines of the bill.
    pub lines: u64,
    /// The sum of its payments.
    pub total_fee: Fen,
    /// The sum of its successful refunds.
    pub refund_fee: Fen,
    /// Differences that were found by the last check.
    pub differences: u64,
    /// How the fund-flow bill was checked, where the provider has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub funds: Option<FundsReport>,
    /// Why it is pending or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was checked last.
    pub check_date: UnixMs,
}

pub(super) fn list_key(what: &str, provider: Provider, merchant: &str, day: Day, shard: u8) -> String {
    format!("{what}#{provider}#{merchant}#{day}#{shard:02}")
}

/// The item that makes a payment's number unique, listed by the day of the payment.
pub(super) fn paid_item(key: &Key, commit: &PaymentCommit<'_>) -> Item {
    let (order, attempt, payment) = (commit.order, commit.attempt, commit.payment);
    let paid_at = payment.paid_at.unwrap_or(commit.entry.at);
    let entry = PaidEntry {
        out_trade_no: order.out_trade_no.clone(),
        number: attempt.number.clone(),
        transaction_id: payment.transaction_id.clone(),
        total_fee: order.total_fee,
        app_id: attempt.app_id.clone(),
        mch_id: attempt.mch_id.clone(),
        sub_mchid: attempt.sub_mchid.clone(),
        bill_date: None,
    };
    let list =
        list_key("paid", payment.provider, &attempt.merchant, Day::of(paid_at), shard(&order.out_trade_no, SHARDS));
    let mut item = item_of(key, "transaction", &entry);
    item.insert("list_key".to_owned(), Av::S(list));
    item.insert("list_date".to_owned(), Av::N(paid_at.to_string()));
    item
}

/// What lists a refund that ended well by the day of its end; `at` is that time where the refund has none.
pub(super) fn refunded_fields(order: &Order, refund: &Refund, at: UnixMs) -> Map<String, Value> {
    let ended = refund.refund_date.unwrap_or(at);
    let attempt = order.attempt(refund.attempt);
    let entry = RefundedEntry {
        out_trade_no: refund.out_trade_no.clone(),
        number: attempt.map(|a| a.number.clone()),
        transaction_id: refund.transaction_id.clone().or_else(|| order.transaction_id.clone()),
        out_refund_no: refund.out_refund_no.clone(),
        refund_id: refund.refund_id.clone(),
        refund_fee: refund.refund_fee,
        incident: refund.incident.clone(),
        app_id: attempt.map(|a| a.app_id.clone()),
        mch_id: attempt.and_then(|a| a.mch_id.clone()),
        bill_date: None,
    };
    let mut fields = match serde_json::to_value(entry) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let list =
        list_key("refunded", refund.provider, &refund.merchant, Day::of(ended), shard(&refund.out_trade_no, SHARDS));
    fields.insert("list_key".to_owned(), json!(list));
    fields.insert("list_date".to_owned(), json!(ended));
    fields
}

impl Store {
    /// Payments that a merchant's orders were credited for on a day: one shard of [`SHARDS`].
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn paid_on(
        &self,
        provider: Provider,
        merchant: &str,
        day: Day,
        shard: u8,
    ) -> Result<Vec<PaidEntry>, StoreError> {
        self.all_listed(&list_key("paid", provider, merchant, day, shard), UnixMs::EPOCH).await
    }

    /// Refunds of a merchant that ended well on a day: one shard of [`SHARDS`].
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn refunded_on(
        &self,
        provider: Provider,
        merchant: &str,
        day: Day,
        shard: u8,
    ) -> Result<Vec<RefundedEntry>, StoreError> {
        self.all_listed(&list_key("refunded", provider, merchant, day, shard), UnixMs::EPOCH).await
    }

    /// Notes the day whose bill has a payment that is listed under another.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn payment_billed(
        &self,
        provider: Provider,
        merchant: &str,
        transaction_id: &str,
        day: Day,
    ) -> Result<(), StoreError> {
        self.billed(&Key::transaction(provider, merchant, transaction_id), day).await
    }

    /// Notes the day whose bill has a refund that is listed under another, or has not ended.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn refund_billed(&self, refund: &Refund, day: Day) -> Result<(), StoreError> {
        self.billed(&Self::number_key(refund), day).await
    }

    async fn billed(&self, key: &Key, day: Day) -> Result<(), StoreError> {
        let mut update = Expression::default();
        let pk = update.name("pk");
        update.when_raw(format!("attribute_exists({pk})")).set("bill_date", day.to_string());
        self.update_if(key, &update).await.map(|_| ())
    }

    /// How a merchant's bill of a day was checked.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn bill_report(
        &self,
        provider: Provider,
        merchant: &str,
        day: Day,
    ) -> Result<Option<BillReport>, StoreError> {
        self.get(&Key::bill(provider.name(), merchant, &day.to_string())).await?.map(|item| shape_of(&item)).transpose()
    }

    /// Writes a report over the one before, listed by the day of its bill.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn keep_bill_report(&self, report: &BillReport, day: Day) -> Result<(), StoreError> {
        let key = Key::bill(report.provider.name(), &report.merchant, &report.bill_date);
        let mut item = item_of(&key, "bill_report", report);
        item.insert("list_key".to_owned(), Av::S(REPORTS.to_owned()));
        item.insert("list_date".to_owned(), attribute(&json!(day.begins())));
        let sent = self.client.put_item().table_name(&self.table).set_item(Some(item)).send().boxed().await;
        sent.map(|_| ()).map_err(|e| StoreError::sdk("bill report", &e))
    }

    /// The reports of bills of a day and later.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn bill_reports_since(&self, day: Day) -> Result<Vec<BillReport>, StoreError> {
        self.all_listed(REPORTS, day.begins()).await
    }
}
