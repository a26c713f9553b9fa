//! The link that a site's answer hands out: shown as a QR code, or opened on the payer's device.
//!
//! Sites fill one of several fields and leave the others blank, write paths of their own for links, and name
//! whatever scheme they like. Only what can be a payment comes through: a web address, or an app that pays.

use crate::text_of;
use reqwest::Url;
use serde_json::{Map, Value};

/// The fields that may have it, the best first.
const FIELDS: [&str; 4] = ["payurl", "qrcode", "urlscheme", "pay_info"];
/// Apps that pay: WeChat, Alipay, QQ, UnionPay, JD. A payer's other apps are none of a site's business.
const APPS: [&str; 10] =
    ["weixin", "wxp", "alipays", "alipay", "alipayqr", "mqqapi", "mqqwpa", "upwrp", "uppaywallet", "jdpay"];
const LONGEST: usize = 4_096;

/// The first link of an answer that can be paid at; paths are of the site at `base`.
pub(super) fn of(answer: &Map<String, Value>, base: &str) -> Option<String> {
    FIELDS.iter().find_map(|name| payable(text_of(answer, name)?, base))
}

/// A link as it is handed out. A link of an app stays as it is written, character for character.
pub(super) fn payable(text: &str, base: &str) -> Option<String> {
    let text = text.trim();
    // A page's form or an app's JSON is no link either.
    let strange =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\\' | '`' | '{' | '}');
    if text.is_empty() || text.len() > LONGEST || text.chars().any(strange) {
        return None;
    }
    match Url::parse(text) {
        Ok(url) if is_web(&url) || APPS.contains(&url.scheme()) => Some(text.to_owned()),
        Ok(_) => None,
        // A path of the site, which may itself stand below a path.
        Err(_) => {
            let below = if base.ends_with('/') { base.to_owned() } else { format!("{base}/") };
            let whole = Url::parse(&below).ok()?.join(text).ok()?;
            is_web(&whole).then(|| whole.into())
        }
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SITE: &str = "https://pay.example";

    fn found(answer: &Value, base: &str) -> Option<String> {
        of(answer.as_object()?, base)
    }

    #[test]
    fn e1_a_blank_field_is_absent_and_the_next_one_counts() {
        for blank in [json!(""), json!("  "), json!(null), json!(0), json!([])] {
            let answer = json!({ "code": 1, "payurl": blank, "qrcode": "weixin://wxpay/bizpayurl?pr=a%2Bb" });
            assert_eq!(found(&answer, SITE).as_deref(), Some("weixin://wxpay/bizpayurl?pr=a%2Bb"), "{blank}");
        }
        let answer = json!({ "payurl": "", "qrcode": " ", "urlscheme": "alipays://platformapi/startapp?saId=1" });
        assert_eq!(found(&answer, SITE).as_deref(), Some("alipays://platformapi/startapp?saId=1"));
        assert_eq!(found(&json!({ "payurl": "", "qrcode": "" }), SITE), None);
    }

    #[test]
    fn e2_a_path_is_completed_by_the_sites_address() {
        for (base, path, whole) in [
            (SITE, "/api/pay/toapp/ID", "https://pay.example/api/pay/toapp/ID"),
            ("https://pay.example/", "/api/pay/toapp/ID?a=1", "https://pay.example/api/pay/toapp/ID?a=1"),
            ("https://pay.example:8443/shop", "/pay/1", "https://pay.example:8443/pay/1"),
            ("https://pay.example/shop", "pay/1", "https://pay.example/shop/pay/1"),
            ("http://127.0.0.1:9/epay", "/x", "http://127.0.0.1:9/x"),
            (SITE, "//cdn.example/pay/1", "https://cdn.example/pay/1"),
        ] {
            assert_eq!(payable(path, base).as_deref(), Some(whole), "{base} {path}");
        }
        let answer = json!({ "payurl": "", "qrcode": "/api/pay/toapp/ID" });
        assert_eq!(found(&answer, SITE).as_deref(), Some("https://pay.example/api/pay/toapp/ID"));
    }

    #[test]
    fn what_is_no_payment_does_not_come_through() {
        for text in [
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "data:text/html,<script>",
            "file:///etc/passwd",
            "intent://x#Intent;end",
            "itms-services://?action=download",
            "taobao://x",
            "ftp://pay.example/x",
            "https://",
            "https://a b.example/",
            "weixin://wx\npay",
            "<form action=\"https://x\">",
            "<img>",
            "{\"appId\":\"wx1\"}",
            "\\\\evil.example\\x",
        ] {
            assert_eq!(payable(text, SITE), None, "{text}");
        }
        // The next field is looked at.
        let answer = json!({ "payurl": "javascript:alert(1)", "qrcode": "https://pay.example/q" });
        assert_eq!(found(&answer, SITE).as_deref(), Some("https://pay.example/q"));
        let form = json!({ "pay_type": "html", "pay_info": "<form action=\"https://x\"></form>" });
        assert_eq!(found(&form, SITE), None);
        assert_eq!(payable(&format!("https://pay.example/{}", "a".repeat(5_000)), SITE), None);
    }
}
