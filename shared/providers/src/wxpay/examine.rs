//! Whether a node's keys, numbers and application are those that WeChat Pay knows
//! (`docs/protocols/wechat.md#errors-and-retries`).
//!
//! Errors carry no signature, so the question whose answer is signed is that for the platform certificates; they also
//! show whether the APIv3 key opens what WeChat Pay encrypts. That an application is bound to the merchant number shows
//! where an order is created, so one is asked for whose payer cannot be: it is refused in any case.

use super::certificates::opens;
use super::failure::is_of_the_address;
use super::signing::Signed;
use super::transport::{Ask, send};
use super::v2;
use crate::Meaning;
use crate::common::url::segment;
use crate::common::wechat_login::App;
use crate::diagnosis::{Examination, Page, Trouble, made_up_code, made_up_number};
use crate::driver::Cx;
use crate::wxpay::{Api, V2, V3, WECHAT_PAY, WxpayNode};
use net::provider_http::Answer;
use serde_json::{Value, json};
use std::time::Duration;

const CERTIFICATE: &str = "appCertContent";
const OWN_KEY: &str = "appPrivateKeyContent";
const PUBLIC_KEY: &str = "wxpayPublicKeyContent";
const PUBLIC_KEY_ID: &str = "wxpayPublicKeyId";
const V3_KEY: &str = "v3Key";

/// No openid has these characters.
const NOBODY: &str = "nobody.vk-pay-doctor";

/// Asks whether the keys are right, and the application's secret where the node has a login.
pub(super) async fn examine(node: &WxpayNode, app: Option<App<'_>>, cx: Cx<'_>) -> Examination {
    let keys = async {
        match &node.api {
            Api::V3(v3) => of_v3(node, v3, cx).await,
            Api::V2(v2) => of_v2(node, v2, cx).await,
        }
    };
    let login = async {
        match app {
            Some(app) => of_login(node, app, cx).await,
            None => Examination::default(),
        }
    };
    let (mut found, login) = futures::join!(keys, login);
    found.merge(login);
    found
}

/// Of APIv3, first whether WeChat Pay takes the signature at all: everything else would be refused for it too.
async fn of_v3(node: &WxpayNode, v3: &V3, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    let Some(answer) = ask(node, v3, Ask::get(v3.scheme.certificates), cx, &mut found).await else { return found };
    if answer.status == 200 {
        read_certificates(v3, &answer, &mut found);
    } else if says_no_certificates(&answer) {
        match v3.public_key {
            Some(_) => signed_bill(node, v3, cx, &mut found).await,
            None => found.add(PUBLIC_KEY, Trouble::ProviderKeyMissing, &words(&answer)),
        }
        found.unproven.push(V3_KEY);
    } else {
        read_refusal(&answer, &mut found);
        return found;
    }
    found.merge(product(node, v3, cx).await);
    found
}

/// What the product of the node says.
async fn product(node: &WxpayNode, v3: &V3, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    let number = made_up_number();
    if node.name == "transfer" {
        let target = format!("/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{}", segment(&number));
        if let Some(answer) = ask(node, v3, Ask::get(&target), cx, &mut found).await {
            read_refusal(&answer, &mut found);
        }
        return found;
    }
    let target =
        format!("{}/out-trade-no/{}?mchid={}", v3.scheme.transactions, segment(&number), segment(&node.mch_id));
    if let Some(answer) = ask(node, v3, Ask::get(&target), cx, &mut found).await {
        read_refusal(&answer, &mut found);
    }
    if v3.scheme.host == WECHAT_PAY.host {
        of_binding(node, v3, &number, cx, &mut found).await;
    }
    found
}

/// Whether the application is bound to the merchant number. Beside that only JSAPI's own nodes are told that their
/// product is refused: WeChat Pay refuses it to service providers too, who place orders for others.
async fn of_binding(node: &WxpayNode, v3: &V3, number: &str, cx: Cx<'_>, found: &mut Examination) {
    let target = format!("{}/jsapi", v3.scheme.transactions);
    let body = json!({
        "appid": node.app_id,
        "mchid": node.mch_id,
        "description": "vk-pay doctor",
        "out_trade_no": number,
        "notify_url": "https://example.com/",
        "amount": { "total": 1, "currency": "CNY" },
        "payer": { "openid": NOBODY },
    });
    let Some(answer) = ask(node, v3, Ask::json(&target, &body), cx, found).await else { return };
    let code = code(&answer);
    match code.as_str() {
        "APPID_MCHID_NOT_MATCH" => found.add("appId", Trouble::AppNotBound, &words(&answer)),
        "NO_AUTH" if matches!(node.name.as_str(), "mp-weixin" | "h5-weixin") => {
            found.add("", Trouble::ProductRefused, &words(&answer));
        }
        _ => {}
    }
}

async fn ask(node: &WxpayNode, v3: &V3, ask: Ask<'_>, cx: Cx<'_>, found: &mut Examination) -> Option<Answer> {
    match send(&cx.clients.http, node, v3, ask, cx.now).await {
        Ok(answer) => Some(answer),
        Err(error) => {
            found.add("", Trouble::NoAnswer, &error.to_string());
            None
        }
    }
}

/// The list of certificates: whether it opens, and whether it is signed with the key that is configured.
fn read_certificates(v3: &V3, answer: &Answer, found: &mut Examination) {
    if !body(answer)["data"].is_array() {
        return found.add("", Trouble::NotUnderstood, &words(answer));
    }
    let certificates = opens(&answer.body, v3);
    if certificates.is_none() {
        found.add(V3_KEY, Trouble::DecryptionKeyWrong, "");
    }
    let Ok(signed) = Signed::read(&answer.headers, v3.scheme) else {
        return found.add("", Trouble::NotUnderstood, "the answer is not signed");
    };
    let Some((id, key)) = &v3.public_key else {
        let key = certificates.and_then(|mut list| list.remove(signed.serial));
        return match key {
            Some(key) if !signed.verified_by(&key, &answer.body) => {
                found.add("", Trouble::NotUnderstood, "the answer's signature is wrong");
            }
            Some(_) | None => {}
        };
    };
    if signed.serial != id {
        found.add(PUBLIC_KEY_ID, Trouble::ProviderKeyIdWrong, signed.serial);
    } else if !signed.verified_by(key, &answer.body) {
        found.add(PUBLIC_KEY, Trouble::ProviderKeyWrong, "");
    }
}

/// A merchant without platform certificates: the bill of the day before yesterday is signed, where there is one.
async fn signed_bill(node: &WxpayNode, v3: &V3, cx: Cx<'_>, found: &mut Examination) {
    const AGO: Duration = Duration::from_hours(48);
    let Some(day) = super::text::rfc3339(cx.now - AGO).and_then(|at| at.get(..10).map(str::to_owned)) else {
        return;
    };
    let target = format!("/v3/bill/tradebill?bill_date={day}");
    let Some(answer) = ask(node, v3, Ask::get(&target), cx, found).await else { return };
    let Some((_, key)) = &v3.public_key else { return };
    match Signed::read(&answer.headers, v3.scheme) {
        Ok(signed) if answer.status == 200 => {
            if !signed.verified_by(key, &answer.body) {
                found.add(PUBLIC_KEY, Trouble::ProviderKeyWrong, "");
            }
        }
        Ok(_) | Err(_) => found.unproven.push(PUBLIC_KEY),
    }
}

fn says_no_certificates(answer: &Answer) -> bool {
    answer.status == 404 || code(answer) == "RESOURCE_NOT_EXISTS"
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn code(answer: &Answer) -> String {
    body(answer)["code"].as_str().unwrap_or_default().to_owned()
}

fn words(answer: &Answer) -> String {
    let body = body(answer);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match text("code").is_empty() {
        true => format!("HTTP {} {}", answer.status, String::from_utf8_lossy(&answer.body)),
        false => format!("{} {}", text("code"), text("message")),
    }
}

/// What a refusal shows. That a made-up number is not known shows that all is well.
fn read_refusal(answer: &Answer, found: &mut Examination) {
    if (200..300).contains(&answer.status) || found.add_status(answer) {
        return;
    }
    let (body, words) = (body(answer), words(answer));
    let message = body["message"].as_str().unwrap_or_default();
    let field = body["detail"]["field"].as_str().unwrap_or_default();
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    let (key, trouble) = match body["code"].as_str().unwrap_or_default() {
        "ORDER_NOT_EXIST" | "ORDERNOTEXIST" | "RESOURCE_NOT_EXISTS" | "NOT_FOUND" => return,
        _ if is_of_the_address(message) || says(&["whitelist"]) => ("", Trouble::AddressNotAllowed),
        "SIGN_ERROR" => of_signature(field, message),
        "MCH_NOT_EXISTS" => ("mchId", Trouble::MerchantUnknown),
        "APPID_MCHID_NOT_MATCH" => ("appId", Trouble::AppNotBound),
        "NO_AUTH" => ("", Trouble::ProductNotEnabled),
        "FREQUENCY_LIMITED" | "RATELIMIT_EXCEEDED" => ("", Trouble::RateLimited),
        _ if field.eq_ignore_ascii_case("wechatpay-serial") || says(&["公钥ID"]) => {
            (PUBLIC_KEY_ID, Trouble::ProviderKeyIdWrong)
        }
        "PARAM_ERROR" if says(&["商户号", "mchid"]) => ("mchId", Trouble::MerchantUnknown),
        _ => ("", Trouble::NotUnderstood),
    };
    found.add(key, trouble, &words);
}

/// `SIGN_ERROR` has many texts, and names the field in newer ones.
fn of_signature(field: &str, message: &str) -> (&'static str, Trouble) {
    let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    match field {
        "timestamp" => ("", Trouble::ClockSkew),
        "serial_no" => (CERTIFICATE, Trouble::OwnCertificateRefused),
        "mchid" => ("mchId", Trouble::MerchantUnknown),
        _ if says(&["timestamp", "时间戳"]) => ("", Trouble::ClockSkew),
        _ if says(&["未设置APIv3密钥"]) => (V3_KEY, Trouble::DecryptionKeyNotSet),
        _ if says(&["证书"]) => (CERTIFICATE, Trouble::OwnCertificateRefused),
        _ if says(&["商户号"]) => ("mchId", Trouble::MerchantUnknown),
        _ => (OWN_KEY, Trouble::OwnKeyRefused),
    }
}

async fn of_v2(node: &WxpayNode, v2: &V2, cx: Cx<'_>) -> Examination {
    let fields = [("appid", node.app_id.clone()), ("out_trade_no", made_up_number())];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
    let call = v2::call(cx.clients, node, v2, "/pay/orderquery", fields, false).await;
    let mut found = Examination::default();
    match call {
        Err(error) if error.means(Meaning::Missing) => {}
        call => found.add_call(call, |code, words| Err(of_v2_refusal(code, words))),
    }
    if v2.identity.is_some() {
        found.unproven.push(CERTIFICATE);
    }
    found
}

/// APIv2 refuses the form of a request with `FAIL` and a text.
fn of_v2_refusal(code: &str, words: &str) -> (&'static str, Trouble) {
    let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    match code {
        "SIGNERROR" | "SIGN_ERROR" => ("key", Trouble::SharedKeyWrong),
        "APPID_NOT_EXIST" => ("appId", Trouble::AppUnknown),
        "MCHID_NOT_EXIST" => ("mchId", Trouble::MerchantUnknown),
        "APPID_MCHID_NOT_MATCH" => ("appId", Trouble::AppNotBound),
        "NOAUTH" | "NO_AUTH" => ("", Trouble::ProductNotEnabled),
        _ if is_of_the_address(words) => ("", Trouble::AddressNotAllowed),
        _ if says(&["签名"]) => ("key", Trouble::SharedKeyWrong),
        _ if says(&["不匹配", "not match"]) => ("appId", Trouble::AppNotBound),
        _ if says(&["mch_id", "商户号"]) => ("mchId", Trouble::MerchantUnknown),
        _ if says(&["appid"]) => ("appId", Trouble::AppUnknown),
        _ => ("", Trouble::NotUnderstood),
    }
}

/// A login code that nobody has shows whether the secret is the application's.
async fn of_login(node: &WxpayNode, app: App<'_>, cx: Cx<'_>) -> Examination {
    let code = made_up_code();
    let login = match node.name.as_str() {
        "h5-weixin" => app.page(cx.clients, &code).await,
        _ => app.session(cx.clients, &code, 60, cx.now).await,
    };
    let mut found = Examination::default();
    found.add_call(login, crate::common::wechat_login::refused_secret);
    found
}

/// Where the values are found.
pub(super) fn found_at(node: &WxpayNode, key: &str) -> Page {
    const MERCHANT: &str = "https://pay.weixin.qq.com";
    const APP: &str = "https://mp.weixin.qq.com";
    match key {
        "mchId" => Page {
            zh: "微信支付商户平台 → 账户中心 → 商户信息",
            en: "WeChat Pay merchant platform, Account centre → Merchant information",
            url: MERCHANT,
        },
        V3_KEY => Page {
            zh: "微信支付商户平台 → 账户中心 → API安全 → APIv3密钥",
            en: "WeChat Pay merchant platform, Account centre → API security → APIv3 key",
            url: MERCHANT,
        },
        "key" => Page {
            zh: "微信支付商户平台 → 账户中心 → API安全 → APIv2密钥",
            en: "WeChat Pay merchant platform, Account centre → API security → APIv2 key",
            url: MERCHANT,
        },
        CERTIFICATE | OWN_KEY => Page {
            zh: "微信支付商户平台 → 账户中心 → API安全 → 商户API证书",
            en: "WeChat Pay merchant platform, Account centre → API security → Merchant API certificate",
            url: MERCHANT,
        },
        PUBLIC_KEY | PUBLIC_KEY_ID => Page {
            zh: "微信支付商户平台 → 账户中心 → API安全 → 微信支付公钥",
            en: "WeChat Pay merchant platform, Account centre → API security → WeChat Pay public key",
            url: MERCHANT,
        },
        "appId" => Page {
            zh: "微信支付商户平台 → 产品中心 → AppID账号管理",
            en: "WeChat Pay merchant platform, Product centre → AppID accounts",
            url: MERCHANT,
        },
        "secret" => match node.name.as_str() {
            "app-plus" => Page {
                zh: "微信开放平台 → 管理中心 → 移动应用",
                en: "WeChat Open Platform, Management centre → Mobile application",
                url: "https://open.weixin.qq.com",
            },
            _ => Page {
                zh: "微信公众平台 → 开发管理 → 开发设置",
                en: "WeChat Official Accounts Platform, Development → Development settings",
                url: APP,
            },
        },
        _ => Page {
            zh: "微信支付商户平台 → 产品中心 → 我的产品",
            en: "WeChat Pay merchant platform, Product centre → My products",
            url: MERCHANT,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_of_a_refused_signature_shows_at_which_key_the_mistake_is() {
        for (field, message, shown) in [
            ("signature", "错误的签名，验签失败", (OWN_KEY, Trouble::OwnKeyRefused)),
            ("", "签名错误，请检查后再试", (OWN_KEY, Trouble::OwnKeyRefused)),
            ("serial_no", "商户证书序列号有误", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "商户证书序列号有误。请使用签名私钥匹配的证书序列号", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "商户证书已过期", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "商户证书已作废", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "商户未申请过证书", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "已更换证书，请使用新证书", (CERTIFICATE, Trouble::OwnCertificateRefused)),
            ("", "商户未设置APIv3密钥", (V3_KEY, Trouble::DecryptionKeyNotSet)),
            ("mchid", "商户号不存在", ("mchId", Trouble::MerchantUnknown)),
            ("timestamp", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟", ("", Trouble::ClockSkew)),
            ("", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟", ("", Trouble::ClockSkew)),
        ] {
            assert_eq!(of_signature(field, message), shown, "{message}");
        }
    }

    #[test]
    fn each_refusal_of_apiv2_shows_at_which_key_the_mistake_is() {
        for (code, words, shown) in [
            ("FAIL", "签名错误", ("key", Trouble::SharedKeyWrong)),
            ("SIGNERROR", "", ("key", Trouble::SharedKeyWrong)),
            ("FAIL", "appid和mch_id不匹配", ("appId", Trouble::AppNotBound)),
            ("APPID_MCHID_NOT_MATCH", "", ("appId", Trouble::AppNotBound)),
            ("FAIL", "商户号mch_id或sub_mch_id不存在", ("mchId", Trouble::MerchantUnknown)),
            ("FAIL", "appid不存在", ("appId", Trouble::AppUnknown)),
            ("NOAUTH", "商户无此接口权限", ("", Trouble::ProductNotEnabled)),
            ("FAIL", "新的错误", ("", Trouble::NotUnderstood)),
        ] {
            assert_eq!(of_v2_refusal(code, words), shown, "{code} {words}");
        }
    }
}
