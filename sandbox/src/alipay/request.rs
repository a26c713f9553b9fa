//! Requests to the gateway: parameters, signature, `biz_content` (alipay.md 1.2, 1.3, 1.5, 1.6).

use super::Account;
use super::{Refusal, Table};
use crate::crypto;
use crate::ids;
use crate::provider::{Provider, Wire};
use crate::sandbox::Sandbox;
use crate::wire::Inbound;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Skew of `timestamp` that is let pass. The real figure is unknown; a time zone's error is caught.
const SKEW_MS: i64 = 15 * 60 * 1000;

/// All parameters, from query and body, in the order of their names.
pub(crate) struct Request {
    fields: BTreeMap<String, String>,
}

fn invalid(sub_code: &str, sub_msg: &str) -> Refusal {
    Refusal::new("40002", sub_code, sub_msg)
}

/// The text that is signed: sorted, non-empty, raw values.
pub(crate) fn signed_text(fields: &BTreeMap<String, String>, without: &[&str]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .filter(|(name, value)| !without.contains(&name.as_str()) && !value.is_empty())
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join("&")
}

impl Request {
    pub(crate) fn read(inbound: &Inbound) -> Result<Self, Refusal> {
        let kind = inbound.header("content-type").unwrap_or_default();
        if inbound.method != "GET" && !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(invalid("isv.invalid-encoding", "Content-Type应为application/x-www-form-urlencoded"));
        }
        let body = std::str::from_utf8(&inbound.body).map_err(|_| invalid("isv.invalid-encoding", "不是UTF-8"))?;
        let request = Self::parse(&inbound.query, body)?;
        let told = inbound.query.contains("charset=") || kind.to_ascii_lowercase().contains("charset=utf-8");
        if !told && request.fields.values().any(|value| !value.is_ascii()) {
            return Err(invalid("isv.invalid-signature", "验签出错，URL中没有charset，中文按GBK解码"));
        }
        Ok(request)
    }

    /// Query and body together; no name may come twice, but for a `charset` that stands in the URL as well.
    pub(crate) fn parse(query: &str, body: &str) -> Result<Self, Refusal> {
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for text in [query, body] {
            for (name, value) in form_urlencoded::parse(text.as_bytes()).into_owned() {
                let known = fields.insert(name.clone(), value.clone());
                if known.is_some_and(|known| name != "charset" || known != value) {
                    return Err(invalid("isv.invalid-parameter", &format!("参数{name}重复")));
                }
            }
        }
        Ok(Self { fields })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn wire(&self) -> Wire {
        if self.get("app_cert_sn").is_some() { Wire::ALIPAY_CERT } else { Wire::ALIPAY_KEY }
    }

    pub(crate) fn encrypted(&self) -> bool {
        self.get("encrypt_type").is_some()
    }

    pub(crate) fn merchant(&self, sandbox: &Sandbox) -> Result<Arc<Account>, Refusal> {
        let missing = || Refusal::new("40001", "isv.missing-app-id", "缺少AppID参数");
        let app_id = self.get("app_id").ok_or_else(missing)?;
        let merchant = sandbox.state().account::<Account>(Provider::Alipay, app_id);
        merchant.ok_or_else(|| invalid("isv.invalid-app-id", "无效的AppID参数"))
    }

    /// System parameters, then the signature.
    pub(crate) fn verify(&self, sandbox: &Sandbox, merchant: &Account) -> Result<(), Refusal> {
        for (name, longest) in [("method", 128), ("charset", 10), ("sign_type", 10), ("timestamp", 19), ("version", 3)]
        {
            let missing = || {
                Refusal::new("40001", &format!("isv.missing-{}", name.replace('_', "-")), &format!("缺少{name}参数"))
            };
            if self.get(name).ok_or_else(missing)?.len() > longest {
                return Err(invalid(&format!("isv.invalid-{}", name.replace('_', "-")), &format!("{name}过长")));
            }
        }
        let is = |name: &str, good: &[&str]| self.get(name).is_none_or(|value| good.contains(&value));
        if !is("charset", &["utf-8", "UTF-8"]) {
            return Err(invalid("isv.invalid-charset", "字符集错误"));
        }
        if !is("sign_type", &["RSA2"]) {
            return Err(invalid("isv.invalid-signature-type", "无效的签名类型"));
        }
        if !is("version", &["1.0"]) || !is("format", &["json", "JSON"]) || !is("encrypt_type", &["AES"]) {
            return Err(invalid("isv.invalid-parameter", "version、format或encrypt_type错误"));
        }
        let time = self.get("timestamp").and_then(ids::from_spaced);
        if time.is_none_or(|time| (sandbox.now() - time).abs() > SKEW_MS) {
            return Err(invalid("isv.invalid-timestamp", "非法的时间戳参数"));
        }
        if ["notify_url", "return_url"].iter().any(|name| !self.get(name).is_none_or(url)) {
            return Err(invalid("isv.invalid-parameter", "notify_url或return_url错误"));
        }
        if self.wire() == Wire::ALIPAY_CERT {
            if self.get("app_cert_sn") != Some(&merchant.keys.app_cert_sn) {
                return Err(invalid("isv.invalid-app-cert-sn", "应用公钥证书序列号错误"));
            }
            if self.get("alipay_root_cert_sn") != Some(&merchant.keys.alipay_root_cert_sn) {
                return Err(invalid("isv.invalid-alipay-root-cert-sn", "支付宝根证书序列号错误"));
            }
        }
        let missing = || Refusal::new("40001", "isv.missing-signature", "缺少签名参数");
        let sign = self.get("sign").ok_or_else(missing)?;
        let text = signed_text(&self.fields, &["sign"]);
        if !crypto::verify(&merchant.app_spki, text.as_bytes(), sign) {
            return Err(invalid(
                "isv.invalid-signature",
                "验签出错，请确认charset参数放在了URL查询字符串中且各参数值使用charset参数指示的字符集编码",
            ));
        }
        Ok(())
    }

    /// `biz_content`, decrypted if it says so.
    pub(crate) fn biz(&self, merchant: &Account) -> Result<Map<String, Value>, Refusal> {
        let text = self.get("biz_content").unwrap_or("{}");
        let plain = if self.encrypted() {
            let opened =
                crypto::cbc_open(&merchant.keys.encrypt_key, text).and_then(|plain| String::from_utf8(plain).ok());
            opened.ok_or_else(|| Refusal::new("40003", "isv.decryption-error-unknown", "解密出错，未知错误"))?
        } else {
            text.to_owned()
        };
        match serde_json::from_str(&plain) {
            Ok(Value::Object(map)) => Ok(map),
            _ => Err(invalid("isv.invalid-parameter", "biz_content不是JSON对象")),
        }
    }
}

/// http or https, at most 256 characters.
fn url(url: &str) -> bool {
    url.len() <= 256 && (url.starts_with("https://") || url.starts_with("http://")) && !url.contains([' ', '#'])
}

/// What a field of `biz_content` may be.
pub(crate) enum Wanted {
    /// A string of at most so many characters.
    Text(usize),
    /// Letters, digits, underscore, at most 64.
    OutTradeNo,
    /// Yuan as a string, 0.01 and up, at most two decimals.
    Yuan,
    /// `yyyy-MM-dd HH:mm:ss`.
    Time,
    /// `1m`…`15d`.
    Timeout,
    /// One of these.
    Word(&'static [&'static str]),
    /// An object or a list, not looked into.
    Nested,
}

/// Holds `biz_content` against a table of (name, required, kind); nothing else may be in it.
pub(crate) fn check(biz: &Map<String, Value>, tables: &[Table]) -> Result<(), Refusal> {
    let bad = |name: &str, issue: &str| Refusal::business("INVALID_PARAMETER", &format!("参数无效：{name}{issue}"));
    let rules = || tables.iter().flat_map(|table| table.iter());
    for name in biz.keys() {
        if !rules().any(|(own, ..)| own == name) {
            return Err(bad(name, "不认识"));
        }
    }
    for (name, required, wanted) in rules() {
        let text = biz.get(*name).and_then(Value::as_str);
        let good = match (biz.get(*name), wanted) {
            (None, _) if *required => return Err(bad(name, "缺失")),
            (None, _) => true,
            (Some(value), Wanted::Nested) => value.is_object() || value.is_array(),
            (Some(_), Wanted::Text(longest)) => text.is_some_and(|s| !s.is_empty() && s.chars().count() <= *longest),
            (Some(_), Wanted::OutTradeNo) => text.is_some_and(|s| {
                !s.is_empty() && s.len() <= 64 && s.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            }),
            (Some(_), Wanted::Yuan) => text.and_then(ids::fen).is_some_and(|fen| (1..=10_000_000_000).contains(&fen)),
            (Some(_), Wanted::Time) => text.is_some_and(|s| ids::from_spaced(s).is_some()),
            (Some(_), Wanted::Timeout) => text.is_some_and(|s| timeout_ms(s).is_some()),
            (Some(_), Wanted::Word(words)) => text.is_some_and(|s| words.contains(&s)),
        };
        if !good {
            return Err(bad(name, "不合规则"));
        }
    }
    Ok(())
}

/// `90m`, `2h`, `15d` in ms; `1c` as one day.
pub(crate) fn timeout_ms(text: &str) -> Option<i64> {
    if text == "1c" {
        return Some(24 * 3_600_000);
    }
    let unit = match text.as_bytes().last()? {
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 24 * 3_600_000,
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].parse().ok()?;
    let ms = count.checked_mul(unit)?;
    (60_000..=15 * 24 * 3_600_000).contains(&ms).then_some(ms)
}
