//! A payment, as its provider states it; the same from every way in.

use crate::{Fen, PaymentName, Provider, Sale, UnixMs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A payment, as a provider states it and signs for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Payment {
    /// Who says so.
    pub provider: Provider,
    /// The merchant in the configuration whose keys verified it.
    pub merchant: String,
    /// The `out_trade_no` that the provider knows.
    pub number: String,
    /// The provider's number of the payment.
    pub transaction_id: String,
    /// What was to be paid, as the provider has it. `None` where the provider names no amount in our
    /// currency; then the goods or the number bind it.
    pub total: Option<Fen>,
    /// The goods that were bought, where the provider names them; each must be as in [`Attempt::goods`].
    pub goods: Map<String, Value>,
    /// `CNY`.
    pub currency: String,
    /// The application, where the message says. A callback always says.
    pub app_id: Option<String>,
    /// The merchant at the provider, where the message says.
    pub mch_id: Option<String>,
    /// Whom else the message names; they must be the attempt's.
    #[serde(default)]
    pub parties: Parties,
    /// The payer at the provider.
    pub payer: Option<String>,
    /// When it was paid.
    pub paid_at: Option<UnixMs>,
    /// The provider's verified words, redacted: becomes `notify_info`.
    pub info: Value,
}

impl Payment {
    /// A payment of which nothing else is said: no amount, nobody named.
    pub fn new(
        provider: Provider,
        merchant: &str,
        number: impl Into<String>,
        transaction_id: impl Into<String>,
    ) -> Self {
        Self {
            provider,
            merchant: merchant.to_owned(),
            number: number.into(),
            transaction_id: transaction_id.into(),
            total: None,
            goods: Map::new(),
            currency: "CNY".to_owned(),
            app_id: None,
            mch_id: None,
            parties: Parties::default(),
            payer: None,
            paid_at: None,
            info: Value::Null,
        }
    }

    /// Whether an app store sold it, which takes back by itself what it sold.
    pub fn is_of_a_store(&self) -> bool {
        match self.provider.sale() {
            Sale::Store => true,
            Sale::StoreIfProduct => self.goods.contains_key("product_id"),
            Sale::Merchant => false,
        }
    }

    /// The number under which its provider can be asked about it.
    pub fn number_there(&self) -> String {
        other_number(self.provider, &self.info, &self.transaction_id).unwrap_or_else(|| self.transaction_id.clone())
    }

    /// What is the same in everything that is said of one payment, whoever says it.
    pub fn identity(&self) -> String {
        payment_identity(self.provider, &self.merchant, &self.number, &self.transaction_id)
    }
}

/// Names one payment at a provider: see [`PaymentName`].
pub fn payment_identity(provider: Provider, merchant: &str, number: &str, transaction_id: &str) -> String {
    match provider.payment_name() {
        PaymentName::MerchantNumber => format!("{merchant}#{number}"),
        PaymentName::MerchantTransaction => format!("{merchant}#{transaction_id}"),
        PaymentName::Transaction => transaction_id.to_owned(),
    }
}

/// The number that a payment's own words have beside the one that names it: of a purchase that was restored, of a period
/// of a subscription.
pub fn other_number(provider: Provider, info: &Value, transaction_id: &str) -> Option<String> {
    let own = ["transactionId", "transaction_id"].iter().find_map(|name| info.get(*name));
    let own = own.filter(|_| provider.restores())?;
    let own = own.as_str().map_or_else(|| own.to_string(), str::to_owned);
    (own != transaction_id).then_some(own)
}

/// Whom a payment names beside merchant and application, where its provider says it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Parties {
    /// WeChat Pay's partner mode: the sub-merchant. Empty where the message says that the merchant itself was paid.
    pub sub_mch_id: Option<String>,
    /// The sub-merchant's application.
    pub sub_app_id: Option<String>,
    /// Alipay: the account that received the money.
    pub seller_id: Option<String>,
    /// Alipay: for which application the asking one acted, where it acts for itself only.
    pub auth_app_id: Option<String>,
}
