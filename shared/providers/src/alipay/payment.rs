//! A payment out of verified fields: the same for an answer and for a callback.

use super::answer::word;
use super::clock;
use domain::{Fen, Parties, Payment, Provider};
use serde_json::{Map, Value};

/// What is kept of the provider's words (`notify_info`). Names, e-mail addresses and whatever else Alipay
/// may add stay out; `buyer_logon_id` comes masked.
const KEPT: [&str; 34] = [
    "notify_id",
    "notify_type",
    "notify_time",
    "app_id",
    "auth_app_id",
    "seller_id",
    "out_trade_no",
    "trade_no",
    "trade_status",
    "out_biz_no",
    "subject",
    "total_amount",
    "receipt_amount",
    "buyer_pay_amount",
    "invoice_amount",
    "point_amount",
    "discount_amount",
    "mdiscount_amount",
    "trans_currency",
    "pay_currency",
    "settle_currency",
    "refund_fee",
    "send_pay_date",
    "gmt_create",
    "gmt_payment",
    "gmt_refund",
    "gmt_close",
    "buyer_id",
    "buyer_user_id",
    "buyer_open_id",
    "buyer_logon_id",
    "fund_bill_list",
    "voucher_detail_list",
    "store_id",
];

/// The payment that verified fields state, without application and merchant, which only a callback states;
/// or what is wrong with them.
pub(super) fn of(fields: &Map<String, Value>, merchant: &str) -> Result<Payment, &'static str> {
    let number = word(fields, "out_trade_no").ok_or("no out_trade_no")?;
    let transaction_id = word(fields, "trade_no").ok_or("no trade_no")?;
    let total = word(fields, "total_amount").ok_or("no total_amount")?;
    let total = Fen::from_yuan(total).ok_or("total_amount is not an amount in yuan")?;
    let payer = ["buyer_open_id", "buyer_user_id", "buyer_id"].iter().find_map(|name| word(fields, name));
    let paid_at = ["send_pay_date", "gmt_payment"].iter().find_map(|name| word(fields, name)).and_then(clock::read);
    Ok(Payment {
        total: Some(total),
        currency: word(fields, "trans_currency").unwrap_or("CNY").to_owned(),
        parties: Parties {
            seller_id: word(fields, "seller_id").map(str::to_owned),
            auth_app_id: word(fields, "auth_app_id").map(str::to_owned),
            ..Parties::default()
        },
        payer: payer.map(str::to_owned),
        paid_at,
        info: redacted(fields),
        ..Payment::new(Provider::Alipay, merchant, number, transaction_id)
    })
}

/// The fields that may be stored.
pub(super) fn redacted(fields: &Map<String, Value>) -> Value {
    fields.iter().filter(|(name, _)| KEPT.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}
