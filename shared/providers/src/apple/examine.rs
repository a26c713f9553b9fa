//! Whether Apple takes the key of the App Store Server API (`docs/protocols/apple.md#app-store-server-api`), and whether
//! `verifyReceipt` can be reached. A transaction that nobody made is asked for, and an empty receipt sent.

use super::api::{Environment, call, environments};
use super::receipt;
use crate::apple::AppleNode;
use crate::common::store::StoreKey;
use crate::diagnosis::{Examination, Page, Trouble};
use crate::driver::Cx;

/// A number that no transaction has.
const NO_TRANSACTION: &str = "1";

/// Asks.
pub(super) async fn examine(node: &AppleNode, cx: Cx<'_>) -> Examination {
    let mut found = Examination { unproven: vec!["rootCertContent"], ..Examination::default() };
    found.unproven.extend(node.app_apple_id.map(|_| "appAppleId"));
    found.unproven.extend(node.password.as_ref().map(|_| "password"));
    let server = async {
        match &node.api {
            Some(key) => of_server(node, key, cx).await,
            None => Examination { unproven: vec!["bundleId"], ..Examination::default() },
        }
    };
    let (server, receipt) = futures::join!(server, receipt::is_served(cx.clients, node));
    found.merge(server);
    found.add_call(receipt, |_, _| Err(("password", Trouble::SharedKeyWrong)));
    found
}

/// How an environment took the key.
enum Took {
    Yes,
    No(String),
}

/// The sandbox is asked also where its purchases do not count: it knows an app that is not in the store yet.
async fn of_server(node: &AppleNode, key: &StoreKey, cx: Cx<'_>) -> Examination {
    let mut found = Examination::default();
    let counts = environments(node);
    let (production, sandbox) =
        futures::join!(takes(node, key, Environment::Production, cx), takes(node, key, Environment::Sandbox, cx));
    match (production, sandbox) {
        (Ok(Took::Yes), Ok(Took::No(words))) if counts.contains(&Environment::Sandbox) => {
            found.add("keyId", Trouble::StoreKeyRefused, &words);
        }
        (Ok(Took::Yes), _) => {}
        // Who tries an app out is not told that it is not in the store.
        (Ok(Took::No(_)), Ok(Took::Yes)) if node.sandbox => {}
        (Ok(Took::No(words)), Ok(Took::Yes)) => found.add("bundleId", Trouble::AppNotInStore, &words),
        (Ok(Took::No(words)), _) => found.add("keyId", Trouble::StoreKeyRefused, &words),
        (Err(trouble), _) => {
            found.merge(trouble);
        }
    }
    found
}

async fn takes(node: &AppleNode, key: &StoreKey, environment: Environment, cx: Cx<'_>) -> Result<Took, Examination> {
    let url = format!("{}/inApps/v1/transactions/{NO_TRANSACTION}", environment.host(node));
    let trouble = |trouble, words: &str| {
        let mut found = Examination::default();
        found.add("", trouble, words);
        found
    };
    let answer = call(cx.clients, node, key, &url, None, cx.now).await;
    let answer = answer.map_err(|error| trouble(Trouble::NoAnswer, &error.to_string()))?;
    match (answer.status, answer.error) {
        (401 | 403, _) => Ok(Took::No(answer.text())),
        (200, _) | (400 | 404, Some(_)) => Ok(Took::Yes),
        (429, _) => Err(trouble(Trouble::RateLimited, &answer.text())),
        (500.., _) => Err(trouble(Trouble::ProviderUnwell, &answer.text())),
        _ => Err(trouble(Trouble::NotUnderstood, &answer.text())),
    }
}

/// Where the values are found.
pub(super) fn found_at(key: &str) -> Page {
    const CONNECT: &str = "https://appstoreconnect.apple.com";
    match key {
        "issuerId" | "keyId" | "privateKeyContent" => Page {
            zh: "App Store Connect → 用户和访问 → 集成 → App 内购买项目",
            en: "App Store Connect, Users and Access → Integrations → In-App Purchase",
            url: CONNECT,
        },
        "password" => Page {
            zh: "App Store Connect → App → App 信息 → App 专用共享密钥",
            en: "App Store Connect, app → App Information → App-Specific Shared Secret",
            url: CONNECT,
        },
        _ => Page {
            zh: "App Store Connect → App → App 信息",
            en: "App Store Connect, app → App Information",
            url: CONNECT,
        },
    }
}
