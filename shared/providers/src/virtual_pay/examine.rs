//! Whether a mini program's secret and AppKey are those that WeChat knows
//! (`docs/protocols/wxpay-virtual.md#access-tokens-and-sessions`): an access token is fetched, the one that is good
//! already, and an order asked for that nobody made.

use super::session::app;
use super::transport::under;
use crate::common::wechat_api::fetch;
use crate::common::wechat_login::refused_secret;
use crate::diagnosis::{Examination, Page, Trouble, made_up_number};
use crate::driver::Cx;
use crate::virtual_pay::VirtualNode;
use crate::{CallError, Meaning, ProviderClients};
use domain::Secret;
use serde_json::json;

/// Asks.
pub(super) async fn examine(node: &VirtualNode, cx: Cx<'_>) -> Examination {
    let mut found = Examination { unproven: vec!["offerId"], ..Examination::default() };
    found.unproven.extend(node.token.as_ref().map(|_| "token"));
    found.unproven.extend(node.push_key.as_ref().map(|_| "encodingAESKey"));
    match fetch(cx.clients, &app(node), false).await {
        Ok((token, _)) => {
            found.add_call(order(cx.clients, node, &token).await, |code, words| of_order(node, code, words))
        }
        Err(error) => found.add_call(Err::<(), _>(error), refused_secret),
    }
    found
}

/// The AppKey of the environment in use.
const fn app_key(node: &VirtualNode) -> &'static str {
    if node.sandbox { "sandboxAppKey" } else { "appKey" }
}

async fn order(clients: &ProviderClients, node: &VirtualNode, token: &Secret) -> Result<(), CallError> {
    let body = json!({ "openid": "nobody", "order_id": made_up_number(), "env": super::env(node) });
    let answer = under(token, clients, node, "query_order", body.to_string().as_bytes()).await?;
    match answer.code {
        0 => Ok(()),
        _ => Err(CallError::Refused(answer.refusal(Meaning::No))),
    }
}

/// WeChat looks at the signature before it looks for the payer and the order.
fn of_order(node: &VirtualNode, code: &str, _words: &str) -> Result<(), (&'static str, Trouble)> {
    match code {
        "268490001" | "268490002" => Ok(()),
        "268490003" => Err((app_key(node), Trouble::SharedKeyWrong)),
        "40164" => Err(("", Trouble::AddressNotAllowed)),
        "48001" => Err(("", Trouble::ProductNotEnabled)),
        "45009" | "268490015" => Err(("", Trouble::RateLimited)),
        "-1" | "268490011" | "268490012" | "268490014" => Err(("", Trouble::ProviderUnwell)),
        _ => Err(("", Trouble::NotUnderstood)),
    }
}

/// Where the values are found.
pub(super) fn found_at(key: &str) -> Page {
    const APP: &str = "https://mp.weixin.qq.com";
    match key {
        "appId" | "secret" => Page {
            zh: "微信公众平台 → 开发管理 → 开发设置",
            en: "WeChat Official Accounts Platform, Development → Development settings",
            url: APP,
        },
        "token" | "encodingAESKey" => Page {
            zh: "微信公众平台 → 开发管理 → 开发设置 → 消息推送",
            en: "WeChat Official Accounts Platform, Development → Development settings → Message push",
            url: APP,
        },
        _ => Page {
            zh: "微信公众平台 → 虚拟支付 → 基本配置",
            en: "WeChat Official Accounts Platform, Virtual payment → Basic configuration",
            url: APP,
        },
    }
}
