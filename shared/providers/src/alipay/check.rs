//! What Alipay would refuse for its shape, found before anything is stored
//! (`docs/protocols/alipay.md#creating-an-order`).

use super::create::Product;
use super::signing;
use crate::alipay::AlipayNode;
use crate::common::raw;
use crate::{CreateRequest, text_of};
use domain::Fen;
use std::time::Duration;

const LONGEST_SUBJECT: usize = 256;
const LONGEST_URL: usize = 256;
/// VK-Pay takes an end one second ahead; the gateway none beyond 15 days.
const SOONEST_END: Duration = Duration::from_secs(1);
const LATEST_END: Duration = Duration::from_hours(15 * 24);

/// The gateway's own parameters. An address to return to is signed among them as it stands, and carried by the
/// payer's browser.
const SYSTEM: [&str; 19] = [
    "alipay_root_cert_sn",
    "app_auth_token",
    "app_cert_sn",
    "app_id",
    "auth_token",
    "biz_content",
    "charset",
    "encrypt_type",
    "format",
    "method",
    "notify_url",
    "prod_code",
    "return_url",
    "sign",
    "sign_type",
    "target_app_id",
    "terminal_info",
    "timestamp",
    "version",
];

type Fault = (&'static str, String);

/// Checks a creation; a fault names the field in the words of the API.
pub(super) fn check(node: &AlipayNode, request: &CreateRequest<'_>) -> Result<(), Fault> {
    let (order, attempt) = (request.order, request.attempt);
    let Some(product) = Product::of(node, &order.other) else {
        return Err(match text_of(&order.other, "method") {
            Some(_) => fault("other", "method must be alipay.trade.page.pay or alipay.trade.wap.pay, with node h5"),
            None => fault("platform", "this node takes no payments"),
        });
    };
    check_number(&attempt.number)?;
    check_subject(&order.description)?;
    if !(Fen(1)..=Fen::MAX).contains(&order.total_fee) {
        return Err(fault("total_fee", "must be from 0.01 to 100 million yuan"));
    }
    if !(SOONEST_END..=LATEST_END).contains(&order.time_expire.since(request.now)) {
        return Err(fault("time_expire", "must be Unix ms (milliseconds), from one second to 15 days ahead"));
    }
    check_url("notify_url", request.notify_url)?;
    match product {
        Product::Create if attempt.openid.as_deref().is_none_or(str::is_empty) => {
            if text_of(&order.other, "op_buyer_open_id").is_none_or(str::is_empty) {
                return Err(fault("openid", "is needed for a payment in a mini-program"));
            }
        }
        Product::Pay => check_pay_code(request.auth_code.unwrap_or_default())?,
        Product::Page | Product::Wap => {
            if let Some(url) = request.return_url {
                check_url("return_url", url)?;
                if raw::hides(url, &SYSTEM) {
                    return Err(fault("return_url", "its query must not name a parameter of the gateway's"));
                }
            }
        }
        Product::Create | Product::App | Product::Precreate => {}
    }
    if request.store_id.is_some_and(|store| store.chars().count() > 32) {
        return Err(fault("store_id", "must be at most 32 characters"));
    }
    // Echoed in the callback, where it would be refused for what it looks like.
    if text_of(&order.other, "body").is_some_and(signing::hides_a_field) {
        return Err(fault("other", "body must not hold &name="));
    }
    Ok(())
}

fn check_number(number: &str) -> Result<(), Fault> {
    match signing::is_name(number) && number.len() <= 64 {
        true => Ok(()),
        false => Err(fault("out_trade_no", "must be 1 to 64 letters, digits or _")),
    }
}

fn check_subject(subject: &str) -> Result<(), Fault> {
    let length = subject.chars().count();
    if subject.trim().is_empty() || length > LONGEST_SUBJECT {
        return Err(fault("subject", "must be 1 to 256 characters"));
    }
    match subject.chars().any(|c| matches!(c, '/' | '=' | '&') || c.is_control()) {
        true => Err(fault("subject", "must not hold / = & or control characters")),
        false => Ok(()),
    }
}

/// A code of the wallet (16 to 24 digits beginning 25 to 30), or of a face (`fp…`).
fn check_pay_code(code: &str) -> Result<(), Fault> {
    let digits = (16..=24).contains(&code.len())
        && code.bytes().all(|b| b.is_ascii_digit())
        && ["25", "26", "27", "28", "29", "30"].contains(&&code[..2]);
    let face =
        (3..=64).contains(&code.len()) && code.starts_with("fp") && code.bytes().all(|b| b.is_ascii_alphanumeric());
    match digits || face {
        true => Ok(()),
        false => Err(fault("auth_code", "must be 16 to 24 digits beginning 25 to 30")),
    }
}

fn check_url(field: &'static str, url: &str) -> Result<(), Fault> {
    let whole = reqwest::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"));
    match whole && url.len() <= LONGEST_URL {
        true => Ok(()),
        false => Err(fault(field, "must be an http(s) URL of at most 256 characters")),
    }
}

fn fault(field: &'static str, what: &str) -> Fault {
    (field, what.to_owned())
}
