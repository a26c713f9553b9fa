//! Whether a node's keys are those that Huawei knows (`docs/protocols/huawei.md#errors`): Payment Kit is asked for an
//! order that nobody made, IAP Kit for a purchase.

use super::call::{post, verified};
use super::iap;
use crate::diagnosis::{Examination, Page, Trouble, made_up_number};
use crate::driver::Cx;
use crate::huawei::{HuaweiNode, IapKit, PaymentKit};
use crate::text_of;
use serde_json::{Map, Value};

/// Asks.
pub(super) async fn examine(node: &HuaweiNode, cx: Cx<'_>) -> Examination {
    let pay = async {
        match &node.pay {
            Some(keys) => of_pay(node, keys, cx).await,
            None => Examination::default(),
        }
    };
    let iap = async {
        match &node.iap {
            Some(kit) => of_iap(node, kit, cx).await,
            None => Examination::default(),
        }
    };
    let (mut found, iap) = futures::join!(pay, iap);
    found.merge(iap);
    found
}

async fn of_pay(node: &HuaweiNode, keys: &PaymentKit, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    if node.iap.is_none() {
        found.unproven.push("appId");
    }
    let path = format!("/api/v2/aggr/transactions/merc-orders/{}?mercNo={}", made_up_number(), keys.merc_no);
    let answer = match post(cx.clients, node, keys, &path, None, cx.now).await {
        Ok(answer) => answer,
        Err(error) => {
            found.add("", Trouble::NoAnswer, &error.to_string());
            return found;
        }
    };
    if found.add_status(&answer) {
        return found;
    }
    let signed = verified(keys, &answer.body);
    let read: Option<Map<String, Value>> = serde_json::from_slice(&answer.body).ok();
    let Some(said) = read else {
        found.add("", Trouble::NotUnderstood, &String::from_utf8_lossy(&answer.body));
        return found;
    };
    let stranger = add(&said, &mut found);
    // To a stranger nothing is signed.
    if signed.is_none() && !stranger {
        found.add("platformPublicKey", Trouble::ProviderKeyWrong, "");
    }
    found
}

/// What an answer of Payment Kit says; true where Huawei does not know who asks.
fn add(said: &Map<String, Value>, found: &mut Examination) -> bool {
    let (code, sub) = (text_of(said, "resultCode").unwrap_or_default(), text_of(said, "subCode").unwrap_or_default());
    let (key, trouble) = match (code, sub) {
        ("000000", _) | (_, "MERC_ORDER_NOT_EXIST" | "PAY_ORDER_NOT_EXIST") => return false,
        ("200002", _) | (_, "INVALID_SIGNATURE") => ("mchPrivateKey", Trouble::OwnKeyRefused),
        (_, "INVALID_AUTH_ID") => ("mchAuthId", Trouble::OwnCertificateRefused),
        (_, "INVALID_CALLER_ID" | "INVALID_MERCNO") => ("mchId", Trouble::MerchantUnknown),
        (_, "INVALID_APPID") => ("appId", Trouble::AppUnknown),
        (_, "INVALID_TIME") => ("", Trouble::ClockSkew),
        (_, "NO_MATCH_MATCHING_PRODUCT") => ("", Trouble::ProductNotEnabled),
        ("100000", _) => ("", Trouble::ProductNotEnabled),
        ("300000", _) => ("", Trouble::RateLimited),
        ("500000", _) | (_, "UNKNOW_ERROR") => ("", Trouble::ProviderUnwell),
        // Another business answer to a number that nobody has.
        ("400000", _) => return false,
        _ => ("", Trouble::NotUnderstood),
    };
    let words = text_of(said, "subDesc").or_else(|| text_of(said, "resultDesc")).unwrap_or_default();
    found.add(key, trouble, &format!("{code} {sub} {words}"));
    trouble == Trouble::MerchantUnknown
}

async fn of_iap(node: &HuaweiNode, kit: &IapKit, cx: Cx<'_>) -> Examination {
    let mut found = Examination { unproven: vec!["iap.rootCertContent"], ..Examination::default() };
    if kit.api.is_none() {
        return found;
    }
    let asked = iap::ask(cx.clients, node, kit, &made_up_number(), "nobody", cx.now).await;
    found.add_call(asked, |code, _| match code {
        "1001880008" | "1001880012" => Ok(()),
        "401" | "403" => Err(("iap.keyId", Trouble::StoreKeyRefused)),
        "1001880005" => Err(("iap", Trouble::ProductNotEnabled)),
        _ => Err(("iap", Trouble::NotUnderstood)),
    });
    found
}

/// Where the values are found.
pub(super) fn found_at(key: &str) -> Page {
    const CONNECT: &str = "https://developer.huawei.com/consumer/cn/service/josp/agc/index.html";
    const PAY: &str = "";
    match key {
        "mchId" | "mchAuthId" | "mchPrivateKey" | "platformPublicKey" => Page {
            zh: "华为支付商户平台 → 商户中心 → 证书管理",
            en: "Huawei Pay merchant platform, Merchant centre → Certificates",
            url: PAY,
        },
        _ if key.starts_with("iap") => Page {
            zh: "AppGallery Connect → 用户与访问 → API密钥 → 应用内购买",
            en: "AppGallery Connect, Users and permissions → API key → In-app purchases",
            url: CONNECT,
        },
        "appId" => Page {
            zh: "AppGallery Connect → 我的项目 → 常规 → 应用",
            en: "AppGallery Connect, My projects → General → App",
            url: CONNECT,
        },
        _ => Page {
            zh: "华为支付商户平台 → 产品中心", en: "Huawei Pay merchant platform, Product centre", url: PAY
        },
    }
}
