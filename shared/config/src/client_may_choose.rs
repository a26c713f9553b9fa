//! `auth.clientMayChoose`: what a caller who is not trusted may choose in `createPayment` without a signed quote.
//!
//! Who is paid, what is shared out, what is taken off and who bears a fee is the merchant's to say. So of what the
//! providers take, only the names in [`HARMLESS`] are free; every other one counts only where the quote signs it or
//! the configuration lists it, and a name that nobody knows counts as one of those.

use super::reader::Reader;
use std::collections::BTreeSet;

/// The names beside `other` that select who is paid.
const SELECTORS: [&str; 3] = ["pid", "sub_mchid", "sub_appid"];

/// Keys of `other` that choose how a payment looks, what is echoed with it, and what its payer shall not pay with;
/// none of them names a receiver or an amount.
const HARMLESS: [&str; 15] = [
    "attach",
    "body",
    "device_info",
    "disable_pay_channels",
    "integration_type",
    "limitPayWayList",
    "limit_pay",
    "method",
    "op_buyer_open_id",
    "passback_params",
    "qr_pay_mode",
    "qrcode_width",
    "quit_url",
    "receipt",
    "support_fapiao",
];

/// Keys of `other` that the providers document and that are the merchant's to say.
const OTHER: [&str; 40] = [
    "agreement_params",
    "agreement_sign_params",
    "business_params",
    "cost_price",
    "detail",
    "discountable_amount",
    "enable_pay_channels",
    "ext_user_info",
    "extend_params",
    "goods_detail",
    "goods_tag",
    "goods_type",
    "hb_fq_param",
    "invoice_info",
    "logistics_detail",
    "merchant_order_no",
    "op_app_id",
    "operator_id",
    "prod_code",
    "product_code",
    "product_id",
    "profit_sharing",
    "promo_params",
    "qr_code_timeout_express",
    "query_options",
    "receiver_address_info",
    "request_from_url",
    "royalty_info",
    "scene",
    "scene_info",
    "seller_id",
    "settle_info",
    "skuList",
    "specified_channel",
    "store_id",
    "sub_merchant",
    "subsidy_info",
    "terminal_id",
    "timeout_express",
    "undiscountable_amount",
];

/// `auth.clientMayChoose`, checked.
#[derive(Debug, Default)]
pub struct ClientMayChoose {
    names: BTreeSet<String>,
    all_of_other: bool,
}

impl ClientMayChoose {
    /// Whether the merchant (`pid`) or sub-merchant (`sub_mchid`, `sub_appid`) is the client's to choose.
    pub fn allows(&self, selector: &str) -> bool {
        self.names.contains(selector)
    }

    /// Whether a key of `other` is the client's to choose.
    pub fn allows_other(&self, key: &str) -> bool {
        HARMLESS.contains(&key) || OTHER.contains(&key) && (self.all_of_other || self.names.contains(key))
    }

    /// Reads the list: selectors, `other.<key>` (the bare key means the same), or `other` for every key that a
    /// provider documents.
    pub(super) fn read(auth: &Reader<'_>) -> Self {
        const KEY: &str = "clientMayChoose";
        let mut choice = Self::default();
        for name in auth.texts(KEY).unwrap_or_default() {
            let key = name.strip_prefix("other.").unwrap_or(&name);
            if name == "other" {
                choice.all_of_other = true;
            } else if SELECTORS.contains(&name.as_str()) || OTHER.contains(&key) {
                choice.names.insert(key.to_owned());
            } else if !HARMLESS.contains(&key) {
                auth.fault(KEY, format!("{:?} is not a name that it takes; see docs/configuration.md", shown(&name)));
            }
        }
        choice
    }
}

/// A name from the configuration as a fault repeats it.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}
