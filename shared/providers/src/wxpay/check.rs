//! What WeChat Pay would refuse for its shape, refused before anything is stored
//! (`docs/protocols/wechat.md#creating-an-order`).

use super::client::Product;
use super::text;
use crate::CreateRequest;
use crate::common::raw;
use crate::wxpay::{Api, WxpayNode};
use std::net::IpAddr;
use std::time::Duration;

/// The longest that an order may live: the shortest of the limits that WeChat Pay's pages name.
const LONGEST: Duration = Duration::from_hours(7 * 24);
/// The shortest is one minute; five seconds of it may pass on the way here.
const SHORTEST: Duration = Duration::from_secs(55);

type Fault = (&'static str, String);

pub(crate) fn check(node: &WxpayNode, request: &CreateRequest<'_>) -> Result<(), Fault> {
    let Some(product) = Product::of(node) else {
        return Err(("provider", format!("the node {} takes no payments", node.name)));
    };
    number(&request.attempt.number)?;
    description(node, &request.order.description)?;
    if let Api::V2(_) = node.api {
        super::v2::order::check(request)?;
    }
    notify_url(request.notify_url)?;
    expiry(request)?;
    match product {
        Product::Jsapi => openid(request.attempt.openid.as_deref()),
        Product::Mweb if request.attempt.client_ip.parse::<IpAddr>().is_err() => {
            Err(("client_ip", "must be the payer's address".to_owned()))
        }
        Product::CodePay => auth_code(request.auth_code).and_then(|()| store(node, request)),
        Product::App | Product::Native | Product::Mweb => Ok(()),
    }
}

fn number(number: &str) -> Result<(), Fault> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'|' | b'*');
    if (6..=32).contains(&number.len()) && number.bytes().all(plain) {
        return Ok(());
    }
    Err(("out_trade_no", "must be 6 to 32 letters, digits, _, -, | or *".to_owned()))
}

/// APIv3 counts characters (127), APIv2 bytes (`body`, 128). Neither carries characters of four bytes.
fn description(node: &WxpayNode, text: &str) -> Result<(), Fault> {
    let characters = text.chars().count();
    let too_long = match node.api {
        Api::V3(_) => characters > 127,
        Api::V2(_) => text.len() > 128,
    };
    if characters == 0 || text.trim().is_empty() {
        return Err(("subject", "must not be empty".to_owned()));
    }
    if too_long {
        return Err(("subject", "must be at most 127 characters (128 bytes for version 2)".to_owned()));
    }
    if let Api::V2(_) = node.api {
        raw::check("subject", text)?;
    }
    if text.chars().any(|c| c.len_utf8() > 3 || c.is_control()) {
        return Err(("subject", "must not hold emoji or control characters".to_owned()));
    }
    Ok(())
}

fn notify_url(text: &str) -> Result<(), Fault> {
    let fault = |what: &str| Err(("notify_url", what.to_owned()));
    let Ok(url) = reqwest::Url::parse(text) else { return fault("is not a URL") };
    match url.scheme() {
        _ if text.len() > 255 => fault("must be at most 255 characters"),
        _ if url.query().is_some() || url.fragment().is_some() => fault("must not have a query"),
        "https" => Ok(()),
        "http" if net::is_loopback(&url) => Ok(()),
        _ => fault("must be https"),
    }
}

fn expiry(request: &CreateRequest<'_>) -> Result<(), Fault> {
    let left = request.order.time_expire.since(request.now);
    if left < SHORTEST {
        return Err(("time_expire", "must be Unix ms (milliseconds), at least one minute from now".to_owned()));
    }
    if left > LONGEST {
        return Err(("time_expire", "must be Unix ms (milliseconds), at most seven days from now".to_owned()));
    }
    Ok(())
}

fn openid(openid: Option<&str>) -> Result<(), Fault> {
    match openid {
        Some(id) if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) => Ok(()),
        Some(_) => Err(("openid", "must be 1 to 128 visible characters".to_owned())),
        None => Err(("openid", "is missing".to_owned())),
    }
}

fn auth_code(code: Option<&str>) -> Result<(), Fault> {
    let right = |c: &str| {
        c.len() == 18 && c.bytes().all(|b| b.is_ascii_digit()) && ("10"..="15").contains(&c.get(..2).unwrap_or(""))
    };
    match code {
        Some(code) if right(code) => Ok(()),
        _ => Err(("auth_code", "must be 18 digits that begin with 10 to 15".to_owned())),
    }
}

/// APIv3 wants the shop of a pay-code payment.
fn store(node: &WxpayNode, request: &CreateRequest<'_>) -> Result<(), Fault> {
    let named =
        request.order.other.get("scene_info").and_then(text::object).is_some_and(|s| s.contains_key("store_info"));
    match (&node.api, request.store_id) {
        (Api::V3(_), None) if !named => Err(("store_id", "is missing".to_owned())),
        (Api::V3(_), Some(id)) if !(1..=32).contains(&id.chars().count()) => {
            Err(("store_id", "must be 1 to 32 characters".to_owned()))
        }
        _ => Ok(()),
    }
}
