//! `orderInfo`: what the client of each product takes, signed a second time by the merchant
//! (`docs/protocols/wechat.md#client-parameters`, `docs/protocols/vkpay.md#client-parameters`).

use crate::wxpay::{Scheme, WxpayNode};
use crate::{CreateRequest, Created};
use domain::{Attempt, UnixMs};
use serde_json::json;
use std::time::Duration;

/// What a product of WeChat Pay is called with: the node decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// Mini programs and official accounts.
    Jsapi,
    /// Apps.
    App,
    /// A QR code that the payer scans.
    Native,
    /// Browsers of phones.
    Mweb,
    /// A code that the payer shows.
    CodePay,
}

impl Product {
    /// The product of a node; `transfer` is none.
    pub(super) fn of(node: &WxpayNode) -> Option<Self> {
        Some(match node.name.as_str() {
            "mp-weixin" | "h5-weixin" => Self::Jsapi,
            "app-plus" => Self::App,
            "h5" => Self::Native,
            "mweb" => Self::Mweb,
            "codepay" => Self::CodePay,
            _ => return None,
        })
    }
}

/// `prepay_id` and `code_url` live for two hours; five minutes of them are left to the payer.
const PREPAY: Duration = Duration::from_mins(115);
/// `h5_url` lives for five minutes.
const MWEB: Duration = Duration::from_secs(270);

/// Until when what was just created can be used: never past the order's own end.
pub(super) fn fresh_until(product: Product, request: &CreateRequest<'_>) -> UnixMs {
    let end = request.order.time_expire;
    match product {
        Product::Jsapi | Product::App | Product::Native => end.min(request.now + PREPAY),
        Product::Mweb => end.min(request.now + MWEB),
        Product::CodePay => end,
    }
}

/// The app that the client runs in: the sub-merchant's own, where the order names one.
pub(super) fn client_app(attempt: &Attempt) -> &str {
    attempt.sub_appid.as_deref().unwrap_or(&attempt.app_id)
}

/// Parameters for an official account or a mini program, whose names are the same.
pub(super) fn jsapi(
    app_id: &str,
    timestamp: i64,
    nonce: &str,
    package: &str,
    sign_type: &str,
    pay_sign: &str,
) -> serde_json::Value {
    json!({
        "appId": app_id,
        "timeStamp": timestamp.to_string(),
        "nonceStr": nonce,
        "package": package,
        "signType": sign_type,
        "paySign": pay_sign,
    })
}

/// What an app pays by.
pub(super) struct AppPay<'a> {
    pub scheme: &'a Scheme,
    pub app_id: &'a str,
    pub partner_id: &'a str,
    pub prepay_id: &'a str,
    pub nonce: &'a str,
    pub timestamp: i64,
    pub sign: &'a str,
}

impl AppPay<'_> {
    /// Parameters for an app, by uni-app's names.
    pub(super) fn parameters(&self) -> serde_json::Value {
        json!({
            "appid": self.app_id,
            "partnerid": self.partner_id,
            "prepayid": self.prepay_id,
            "package": self.scheme.app_package,
            "noncestr": self.nonce,
            "timestamp": self.timestamp.to_string(),
            "sign": self.sign,
        })
    }
}

/// A QR code.
pub(super) fn native(code_url: &str, request: &CreateRequest<'_>) -> Created {
    Created {
        order_info: json!({ "codeUrl": code_url }),
        code_url: Some(code_url.to_owned()),
        fresh_until: fresh_until(Product::Native, request),
        number: None,
        payment: None,
    }
}

/// A page that a phone's browser opens. Only `redirect_url` may be added to it, and its whole value is one
/// percent-encoded parameter.
pub(super) fn mweb(url: &str, request: &CreateRequest<'_>) -> Created {
    let back = request.return_url.map(|back| {
        let joint = if url.contains('?') { '&' } else { '?' };
        let back: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
        format!("{url}{joint}redirect_url={back}")
    });
    let url = back.as_deref().unwrap_or(url);
    Created {
        order_info: json!({ "mwebUrl": url, "mweb_url": url }),
        code_url: None,
        fresh_until: fresh_until(Product::Mweb, request),
        number: None,
        payment: None,
    }
}
