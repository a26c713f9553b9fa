//! An order and its columns.

use crate::{Attempt, AttemptState, Fen, Provider, Sharing, Shipping, Status, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How many attempts an order may have, each link of VksPay's counted: what a caller can make an order's item grow
/// by, and how much has to be asked and closed when it ends.
pub const MAX_ATTEMPTS: usize = 20;
/// How many refunds may be asked of one order. WeChat Pay makes at most 50 of one payment.
pub const MAX_REFUNDS: u64 = 100;

/// One order, with VK-Pay's column names (`docs/protocols/vkpay.md#order-columns`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The merchant's order number; the idempotency key of `createPayment`.
    pub out_trade_no: String,
    /// The provider of the latest attempt; once paid, of the attempt that was paid.
    pub provider: Provider,
    /// `{provider}_{node}` of the same attempt.
    pub pay_type: String,
    /// The client platform, as the client said.
    pub platform: String,
    /// The same, by VK-Pay's newer column name.
    pub uni_platform: String,
    /// Names the handler that runs when the order is paid.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state, as `trade_state`.
    pub trade_state: Status,
    /// VK-Pay's integer for it: -1 closed, 0 unpaid, 1 paid, 2 partly refunded, 3 refunded.
    pub status: i8,
    /// What is to be paid.
    pub total_fee: Fen,
    /// Always `CNY`.
    pub currency: String,
    /// What was refunded of the credited payment.
    pub refund_fee: Fen,
    /// What is reserved for refunds whose end is not known yet.
    pub refund_reserved: Fen,
    /// What may still be refunded: paid, less refunded, less reserved. Zero until paid.
    pub refundable: Fen,
    /// Refunds begun so far.
    pub refund_num: u64,
    /// Refunds that ended well, in their order.
    #[serde(default)]
    pub refund_list: Vec<Value>,
    /// The payer in the merchant's own books.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// Their name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// The payer at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// The uni-app application id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    /// The application at the provider.
    pub provider_appid: String,
    /// The merchant at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mch_id: Option<String>,
    /// The merchant in the configuration: `default` or its id.
    pub merchant: String,
    /// The same, when the request named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// What is paid for, as the payer sees it (`subject`).
    pub description: String,
    /// Data for the handler; not sent to the provider.
    pub custom: Map<String, Value>,
    /// Further parameters for the provider (`other`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub other: Map<String, Value>,
    /// Where callbacks go: the base.
    pub notify_url: String,
    /// And the path of the latest attempt's.
    pub notify_path: String,
    /// When the order was created.
    pub create_date: UnixMs,
    /// When it ends unpaid.
    pub time_expire: UnixMs,
    /// When it was paid, as the provider says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pay_date: Option<UnixMs>,
    /// When the bundle learnt of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_date: Option<UnixMs>,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_date: Option<UnixMs>,
    /// How the bundle learnt of the payment: 0 by asking, 1 by callback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_mode: Option<u8>,
    /// The provider's number of the credited payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<String>,
    /// The provider's verified words on the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify_info: Option<Value>,
    /// Absent until the handler has finished, then whether it did its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_order_success: Option<bool>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_order_reason: Option<String>,
    /// How its shipping is reported, where the platform keeps the money until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<Shipping>,
    /// What of it is shared, where the provider was told that it may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharing: Option<Sharing>,
    /// Every attempt to have it paid.
    pub attempts: Vec<Attempt>,
    /// When a provider was last asked about it.
    #[serde(default)]
    pub queried_at: UnixMs,
    /// Counts the writes of this item.
    pub version: u64,
}

/// The names of VK-Pay's order columns (`docs/protocols/vkpay.md#order-columns`) and of ours, also those that an
/// order may lack.
pub const COLUMNS: [&str; 51] = [
    "_id",
    "app_auth_token",
    "appid",
    "attempts",
    "auth_appid",
    "cancel_date",
    "client_ip",
    "create_date",
    "currency",
    "custom",
    "description",
    "device_id",
    "expand_data",
    "mch_id",
    "merchant",
    "nickname",
    "notify_date",
    "notify_info",
    "notify_mode",
    "notify_path",
    "notify_url",
    "openid",
    "original_data",
    "other",
    "out_trade_no",
    "pay_date",
    "pay_type",
    "pid",
    "platform",
    "provider",
    "provider_appid",
    "provider_pay_method",
    "queried_at",
    "refund_fee",
    "refund_list",
    "refund_num",
    "refund_reserved",
    "refundable",
    "seller_id",
    "stat_data",
    "status",
    "time_expire",
    "total_fee",
    "trade_state",
    "transaction_id",
    "type",
    "uni_platform",
    "user_id",
    "user_order_reason",
    "user_order_success",
    "version",
];

/// Columns that only the merchant's own systems are shown: the payer's address and account, and the provider's words.
pub const PRIVATE_COLUMNS: [&str; 4] = ["client_ip", "openid", "notify_info", "notify_path"];

impl Order {
    /// The order's VK-Pay columns (`docs/protocols/vkpay.md#order-columns`), without what is only the bundle's. Shipping and
    /// sharing are not among them: a handler gets `custom` beside the columns, and merchants may have an address under that name.
    pub fn columns(&self) -> Map<String, Value> {
        const OURS: [&str; 7] = ["attempts", "queried_at", "version", "other", "refundable", "shipping", "sharing"];
        let mut columns = match serde_json::to_value(self) {
            Ok(Value::Object(columns)) => columns,
            _ => Map::new(),
        };
        columns.retain(|key, _| !OURS.contains(&key.as_str()));
        columns
    }

    /// The attempt that the order's own provider columns speak of.
    ///
    /// # Panics
    /// Never: an order has at least one attempt.
    pub fn current(&self) -> &Attempt {
        self.attempts.last().expect("an order has at least one attempt")
    }

    /// The attempt of that number here: 1, 2, 3 …
    pub fn attempt(&self, n: u64) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.n == n)
    }

    /// The attempt that a provider means by a merchant and number.
    pub fn attempt_for(&self, provider: Provider, merchant: &str, number: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.provider == provider && a.merchant == merchant && a.has_number(number))
    }

    /// True when the order has as many attempts as it may.
    pub fn is_exhausted(&self) -> bool {
        self.attempts.iter().map(Attempt::ways).sum::<usize>() >= MAX_ATTEMPTS
    }

    /// Whether all of what was paid went back, or is on its way back: nothing is delivered for it any more.
    pub fn goes_back(&self) -> bool {
        self.refund_fee.0.saturating_add(self.refund_reserved.0) >= self.total_fee.0
    }

    /// Whether its platform keeps the money until shipping is reported, or all of it, and some of the money is still
    /// there.
    pub fn waits_for_shipping(&self) -> bool {
        self.shipping.as_ref().is_some_and(|shipping| shipping.state.is_due()) && self.refund_fee < self.total_fee
    }

    /// The attempt that was credited, once the order is paid.
    pub fn paid_attempt(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.state == AttemptState::Paid)
    }
}
