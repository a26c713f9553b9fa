//! Whether a node's keys and application are those that Alipay knows (`docs/protocols/alipay.md#result-codes`). A trade
//! that nobody made is asked for; the node for transfers asks for a transfer.

use super::answer::{self, Answer, AnswerError, Failure, Keys};
use super::call::Call;
use crate::alipay::AlipayNode;
use crate::diagnosis::{Examination, Page, Trouble, made_up_number};
use crate::driver::Cx;
use crate::{alipay::transfer, common::members::Members};
use serde_json::Value;

const OWN_KEY: &str = "privateKey";
const APP_CERTIFICATE: &str = "appCertContent";
const ALIPAY_KEY: &str = "alipayPublicKey";
const ALIPAY_CERTIFICATE: &str = "alipayPublicCertContent";
const ROOTS: &str = "alipayRootCertContent";

/// Asks.
pub(super) async fn examine(node: &AlipayNode, cx: Cx<'_>) -> Examination {
    let number = made_up_number();
    let call = match node.name.as_str() {
        "transfer" => Call::new(transfer::QUERY, transfer::numbered(&number)),
        _ => Call::new("alipay.trade.query", [("out_trade_no".to_owned(), number.into())].into_iter().collect()),
    };
    let mut found = Examination::default();
    let answer = match call.post(cx.clients, node, cx.now).await {
        Ok(answer) => answer,
        Err(error) => {
            found.add("", Trouble::NoAnswer, &error.to_string());
            return found;
        }
    };
    if found.add_status(&answer) {
        return found;
    }
    match answer::read(&answer.body, call.method, Keys::of(node)) {
        Ok(Answer::Success(_) | Answer::Pending(_)) => {}
        Ok(Answer::Failure(failure)) => {
            add(node, &failure, &mut found);
            if names_another_certificate(node, &answer.body) {
                found.add(ALIPAY_CERTIFICATE, Trouble::ProviderCertificateOutdated, "");
            }
        }
        Err(AnswerError::Forged) => {
            // Who Alipay does not know has no key there that the answer could be signed for.
            let failure = unverified(&answer.body);
            let stranger = failure.as_ref().is_some_and(|failure| failure.sub_code == "isv.invalid-app-id");
            if let Some(failure) = failure {
                add(node, &failure, &mut found);
            }
            match &node.certificates {
                _ if stranger => {}
                Some(_) => found.add(ALIPAY_CERTIFICATE, Trouble::ProviderCertificateOutdated, ""),
                None => found.add(ALIPAY_KEY, Trouble::ProviderKeyWrong, ""),
            }
        }
        Err(AnswerError::Certificate) => found.add(ALIPAY_CERTIFICATE, Trouble::ProviderCertificateOutdated, ""),
        Err(AnswerError::Encrypted) => found.add("encryptKey", Trouble::ContentKeyWrong, ""),
        Err(error) => found.add("", Trouble::NotUnderstood, &error.to_string()),
    }
    found
}

/// A failure of which only the words are of use, because its signature is wrong.
fn unverified(body: &[u8]) -> Option<Failure> {
    let Value::Object(body) = serde_json::from_slice(body).ok()? else { return None };
    let (_, node) = body.iter().find(|(name, _)| name.ends_with("_response"))?;
    let text = |name: &str| node[name].as_str().unwrap_or_default().to_owned();
    Some(Failure { code: text("code"), sub_code: text("sub_code"), message: text("sub_msg") })
}

/// Whether an answer in certificate mode names another certificate of Alipay's than the configured one.
fn names_another_certificate(node: &AlipayNode, body: &[u8]) -> bool {
    let Some(mode) = &node.certificates else { return false };
    let members: Option<Members<'_>> = std::str::from_utf8(body).ok().and_then(|text| serde_json::from_str(text).ok());
    let named = members.iter().flat_map(|members| &members.0).find(|(name, _)| name == "alipay_cert_sn");
    named.is_some_and(|(_, raw)| raw.trim_matches('"') != mode.alipay_cert_sn)
}

/// Adds what a failure shows.
fn add(node: &AlipayNode, failure: &Failure, found: &mut Examination) {
    if let Some((key, trouble)) = shows(failure) {
        let message = super::call::presentable(node, &failure.message);
        found.add(key, trouble, &format!("{} {} {message}", failure.code, failure.sub_code));
    }
}

/// What a failure shows. That the business refuses a number that nobody has shows that all is well.
fn shows(failure: &Failure) -> Option<(&'static str, Trouble)> {
    let says = |parts: &[&str]| parts.iter().any(|part| failure.message.contains(part));
    Some(match failure.sub_code.as_str() {
        _ if says(&["白名单", "IP地址"]) => ("", Trouble::AddressNotAllowed),
        "isv.missing-signature-key" | "isv.missing-signature-config" => (OWN_KEY, Trouble::OwnKeyNotRegistered),
        "isv.invalid-signature" => (OWN_KEY, Trouble::OwnKeyRefused),
        "isv.invalid-app-id" => ("appId", Trouble::AppUnknown),
        "isv.invalid-app-cert-sn" => (APP_CERTIFICATE, Trouble::OwnCertificateRefused),
        "isv.invalid-alipay-root-cert-sn" => (ROOTS, Trouble::RootCertificateWrong),
        "isv.invalid-timestamp" => ("", Trouble::ClockSkew),
        "isv.not-online-app" => ("appId", Trouble::AppOffline),
        _ if says(&["未上线", "已下线", "应用状态"]) => ("appId", Trouble::AppOffline),
        "isv.insufficient-isv-permissions"
        | "isv.insufficient-user-permissions"
        | "ACQ.ACCESS_FORBIDDEN"
        | "aop.no-product-reg-by-partner" => ("", Trouble::ProductNotEnabled),
        sub if sub.starts_with("isv.decryption-error") => ("encryptKey", Trouble::ContentKeyWrong),
        sub if sub.starts_with("aop.") && sub.contains("auth-token") => ("appAuthToken", Trouble::AuthorizationVoid),
        _ if failure.code == "40005" => ("", Trouble::RateLimited),
        sub if failure.code == "20000" || sub.ends_with("SYSTEM_ERROR") => ("", Trouble::ProviderUnwell),
        _ if failure.code == "40004" => return None,
        _ => ("", Trouble::NotUnderstood),
    })
}

/// Where the values are found.
pub(super) fn found_at(node: &AlipayNode, key: &str) -> Page {
    const OPEN: &str = "https://open.alipay.com";
    const SANDBOX: &str = "https://open.alipay.com/develop/sandbox/app";
    if node.sandbox {
        return Page {
            zh: "支付宝开放平台 → 控制台 → 沙箱 → 沙箱应用",
            en: "Alipay Open Platform, Console → Sandbox → Sandbox application",
            url: SANDBOX,
        };
    }
    match key {
        "appId" => Page {
            zh: "支付宝开放平台 → 控制台 → 应用详情",
            en: "Alipay Open Platform, Console → application details",
            url: OPEN,
        },
        OWN_KEY | ALIPAY_KEY => Page {
            zh: "支付宝开放平台 → 控制台 → 应用 → 开发设置 → 接口加签方式（密钥）",
            en: "Alipay Open Platform, Console → application → Development settings → Signing method (key)",
            url: OPEN,
        },
        APP_CERTIFICATE | ALIPAY_CERTIFICATE | ROOTS => Page {
            zh: "支付宝开放平台 → 控制台 → 应用 → 开发设置 → 接口加签方式（证书）",
            en: "Alipay Open Platform, Console → application → Development settings → Signing method (certificate)",
            url: OPEN,
        },
        "encryptKey" => Page {
            zh: "支付宝开放平台 → 控制台 → 应用 → 开发设置 → 接口内容加密方式",
            en: "Alipay Open Platform, Console → application → Development settings → Content encryption",
            url: OPEN,
        },
        "appAuthToken" => Page {
            zh: "支付宝开放平台 → 控制台 → 第三方应用 → 授权管理",
            en: "Alipay Open Platform, Console → third-party application → Authorisations",
            url: OPEN,
        },
        _ => Page {
            zh: "支付宝开放平台 → 控制台 → 应用 → 产品绑定",
            en: "Alipay Open Platform, Console → application → Bound products",
            url: OPEN,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_refusal_shows_at_which_key_the_mistake_is() {
        for (code, sub_code, message, shown) in [
            ("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在", None),
            ("40004", "ORDER_NOT_EXIST", "订单不存在", None),
            ("40002", "isv.invalid-signature", "无效签名", Some(("privateKey", Trouble::OwnKeyRefused))),
            ("40001", "isv.missing-signature-key", "缺少签名配置", Some(("privateKey", Trouble::OwnKeyNotRegistered))),
            ("40002", "isv.invalid-app-id", "无效的AppID参数", Some(("appId", Trouble::AppUnknown))),
            ("40003", "isv.decryption-error-unknown", "解密出错", Some(("encryptKey", Trouble::ContentKeyWrong))),
            ("20001", "aop.app-auth-token-time-out", "已过期", Some(("appAuthToken", Trouble::AuthorizationVoid))),
            ("20001", "aop.invalid-app-auth-token", "无效", Some(("appAuthToken", Trouble::AuthorizationVoid))),
            ("40006", "isv.insufficient-isv-permissions", "ISV权限不足", Some(("", Trouble::ProductNotEnabled))),
            ("40006", "isv.insufficient-isv-permissions", "应用未上线", Some(("appId", Trouble::AppOffline))),
            ("40005", "isv.app-call-limited", "超限", Some(("", Trouble::RateLimited))),
            ("20000", "isp.unknow-error", "系统繁忙", Some(("", Trouble::ProviderUnwell))),
            ("40004", "ACQ.SYSTEM_ERROR", "系统错误", Some(("", Trouble::ProviderUnwell))),
            ("40002", "isv.something-new", "新的", Some(("", Trouble::NotUnderstood))),
        ] {
            let failure = Failure { code: code.to_owned(), sub_code: sub_code.to_owned(), message: message.to_owned() };
            assert_eq!(shows(&failure), shown, "{sub_code} {message}");
        }
    }
}
