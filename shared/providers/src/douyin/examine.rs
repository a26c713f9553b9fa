//! Whether an application's secret and salt are those that Douyin knows (`docs/protocols/douyin.md#ecpay`,
//! `docs/protocols/douyin.md#trade-system`): a login with a code that nobody has, and an order that nobody made.
//!
//! A client token that is fetched replaces the one before within minutes; instances that use that one fetch anew when
//! it is refused.

use super::{ecpay, login, trade};
use crate::diagnosis::{Examination, Page, Trouble, made_up_code, made_up_number};
use crate::douyin::{DouyinNode, DouyinProduct, Ecpay};
use crate::driver::{Cx, Driver};
use crate::{CallError, Meaning};

/// Asks.
pub(super) async fn examine(node: &DouyinNode, cx: Cx<'_>) -> Examination {
    let product = async {
        match &node.product {
            DouyinProduct::Ecpay(keys) => of_ecpay(node, keys, cx).await,
            DouyinProduct::Trade(_) => of_trade(node, cx).await,
            DouyinProduct::Douyinpay(pay) => pay.jsapi.examine(cx).await,
        }
    };
    let secret = async {
        match node.secret {
            Some(_) => of_login(node, cx).await,
            None => Examination::default(),
        }
    };
    let (mut found, secret) = futures::join!(product, secret);
    found.merge(secret);
    found
}

async fn of_ecpay(node: &DouyinNode, keys: &Ecpay, cx: Cx<'_>) -> Examination {
    let mut found = Examination { unproven: vec!["token"], ..Examination::default() };
    let answer = ecpay::call(cx.clients, node, keys, "query_order", vec![("out_order_no", made_up_number().into())]);
    let judged = match answer.await {
        Ok(answer) if ecpay::done(&answer) => Ok(()),
        Ok(answer) => super::judged("query_order", &answer),
        Err(error) => Err(error),
    };
    add(judged, "salt", &mut found);
    found
}

async fn of_trade(node: &DouyinNode, cx: Cx<'_>) -> Examination {
    let mut found = Examination {
        unproven: vec!["appPrivateKeyContent", "platformPublicKeyContent", "keyVersion"],
        ..Examination::default()
    };
    let Some(secret) = &node.secret else { return found };
    match trade::fetch_token(cx.clients, node, secret).await {
        Ok((token, _)) => add(trade::ask(cx.clients, node, &token, &made_up_number()).await, "", &mut found),
        Err(error) => found.add_call(Err::<(), _>(error), refused_secret),
    }
    found
}

/// What an answer shows about the key that signed the question. No table of the numbers is public, so words decide.
fn add(call: Result<(), CallError>, key: &'static str, found: &mut Examination) {
    if matches!(&call, Err(error) if error.means(Meaning::Missing)) {
        return;
    }
    found.add_call(call, |_, words| {
        let words = words.to_ascii_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
        Err(match () {
            () if says(&["白名单", "whitelist"]) => ("", Trouble::AddressNotAllowed),
            () if says(&["sign", "签名", "验签"]) => (key, Trouble::SharedKeyWrong),
            () if says(&["app_id", "appid", "app id", "小程序不存在"]) => ("appId", Trouble::AppUnknown),
            () if says(&["权限", "permission", "unauthorized"]) => ("", Trouble::ProductNotEnabled),
            () => ("", Trouble::NotUnderstood),
        })
    });
}

async fn of_login(node: &DouyinNode, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    found.add_call(login(cx.clients, node, &made_up_code()).await, refused_secret);
    found
}

/// What a refusal that has to do with the secret shows.
fn refused_secret(code: &str, words: &str) -> Result<(), (&'static str, Trouble)> {
    match code {
        _ if words.contains("白名单") => Err(("", Trouble::AddressNotAllowed)),
        // Not a code, used before.
        "40018" | "40019" | "40014" => Ok(()),
        "40015" | "10003" => Err(("appId", Trouble::AppUnknown)),
        "40017" | "10013" => Err(("secret", Trouble::AppSecretWrong)),
        "10020" => Err(("", Trouble::RateLimited)),
        _ => Err(("", Trouble::NotUnderstood)),
    }
}

/// Where the values are found.
pub(super) fn found_at(node: &DouyinNode, key: &str) -> Page {
    const OPEN: &str = "https://developer.open-douyin.com";
    match (&node.product, key) {
        (_, "appId" | "secret") => Page {
            zh: "抖音开放平台 → 控制台 → 小程序 → 开发 → 开发配置",
            en: "Douyin Open Platform, Console → mini program → Development → Development configuration",
            url: OPEN,
        },
        (DouyinProduct::Douyinpay(_), _) => Page {
            zh: "抖音支付商户平台 → 账户中心 → API安全",
            en: "Douyin Pay merchant platform, Account centre → API security",
            url: "",
        },
        (DouyinProduct::Trade(_), _) => Page {
            zh: "抖音开放平台 → 控制台 → 小程序 → 开发 → 开发配置 → 密钥设置",
            en: "Douyin Open Platform, Console → mini program → Development → Development configuration → Keys",
            url: OPEN,
        },
        (DouyinProduct::Ecpay(_), _) => Page {
            zh: "抖音开放平台 → 控制台 → 小程序 → 能力 → 支付 → 支付设置",
            en: "Douyin Open Platform, Console → mini program → Capabilities → Payment → Payment settings",
            url: OPEN,
        },
    }
}
