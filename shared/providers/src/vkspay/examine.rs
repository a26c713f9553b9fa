//! Whether the key and the number of a store are those that VksPay or an epay site knows
//! (`docs/protocols/vkspay.md#vkspay`): an order is asked for that nobody made. No table of refusals is public, so
//! words decide.

use super::call::call;
use super::words::{self, Said};
use super::{VkspayNode, VkspayProtocol, epay};
use crate::diagnosis::{Examination, Page, Trouble, made_up_number};
use crate::driver::Cx;
use crate::{Meaning, says_no_such_order, text_of};
use domain::Secret;

/// Asks.
pub(super) async fn examine(node: &VkspayNode, cx: Cx<'_>) -> Examination {
    match &node.protocol {
        VkspayProtocol::Vkspay { key } => of_vkspay(node, key, cx).await,
        VkspayProtocol::EpayMd5 { .. } | VkspayProtocol::EpayRsa { .. } => of_epay(node, cx).await,
    }
}

async fn of_vkspay(node: &VkspayNode, key: &Secret, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    match call(cx.clients, node, key, "orderquery", &[("out_trade_no", made_up_number())], cx.now).await {
        Ok(answer) => {
            let message = text_of(&answer, "return_msg").or_else(|| text_of(&answer, "msg")).unwrap_or_default();
            let known = matches!(words::vkspay(&answer, &node.unpaid_messages), Said::Paid | Said::Unpaid { .. });
            if !known {
                add(message, "key", Trouble::SharedKeyWrong, &mut found);
            }
        }
        Err(error) => found.add("", Trouble::NoAnswer, &error.to_string()),
    }
    found
}

async fn of_epay(node: &VkspayNode, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    let (key, trouble) = match node.protocol {
        VkspayProtocol::EpayRsa { .. } => {
            found.unproven.push("platformPublicKey");
            ("mchPrivateKey", Trouble::OwnKeyRefused)
        }
        VkspayProtocol::EpayMd5 { .. } | VkspayProtocol::Vkspay { .. } => ("key", Trouble::SharedKeyWrong),
    };
    match epay::order(cx.clients, node, &made_up_number(), cx.now).await {
        Err(error) if error.means(Meaning::Missing) => {}
        Err(crate::CallError::Refused(refusal)) => add(&refusal.message, key, trouble, &mut found),
        Err(error) => found.add("", Trouble::NoAnswer, &error.to_string()),
        Ok(_) => {}
    }
    found
}

/// What the words of a refusal show; `key` signs, and `signature` is what its refusal means.
fn add(message: &str, key: &'static str, signature: Trouble, found: &mut Examination) {
    if says_no_such_order(message) {
        return;
    }
    let lower = message.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    let (key, trouble) = match () {
        () if says(&["白名单", "whitelist"]) => ("", Trouble::AddressNotAllowed),
        () if says(&["sign", "签名", "验签", "密钥"]) => (key, signature),
        () if says(&["timestamp", "时间"]) => ("", Trouble::ClockSkew),
        () if says(&["merchantno", "pid", "商户"]) => ("mchId", Trouble::MerchantUnknown),
        () if says(&["权限"]) => ("", Trouble::ProductNotEnabled),
        () if says(&["频繁"]) => ("", Trouble::RateLimited),
        () => ("", Trouble::NotUnderstood),
    };
    found.add(key, trouble, message);
}

/// Where the values are found.
pub(super) fn found_at(node: &VkspayNode) -> Page {
    match node.protocol {
        VkspayProtocol::Vkspay { .. } => {
            Page {
                zh: "VksPay 商户后台 → 门店 → 接口密钥", en: "VksPay merchant console, Store → API key", url: ""
            }
        }
        VkspayProtocol::EpayMd5 { .. } | VkspayProtocol::EpayRsa { .. } => Page {
            zh: "易支付站点的商户后台 → API信息",
            en: "merchant console of the epay site, API information",
            url: "",
        },
    }
}
