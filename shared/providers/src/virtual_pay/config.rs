//! `wxpay-virtual.mp-weixin`: WeChat's virtual payment (`docs/protocols/vkpay.md#other-nodes`).

use crate::common::wechat_push::{self, PushKey};
use config::Reader;
use domain::Secret;

/// The nodes of the section, by VK-Pay's names.
pub(super) const NODES: [&str; 1] = ["mp-weixin"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &[];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 1] = [("mp", "mp-weixin")];

/// One mini program with virtual payment.
pub struct VirtualNode {
    /// The mini program.
    pub app_id: String,
    /// Its secret: for access tokens and login codes, and for what is kept sealed in the table.
    pub secret: Secret,
    /// The merchant number.
    pub mch_id: Option<String>,
    /// The application's number in virtual payment.
    pub offer_id: String,
    /// The AppKey of the environment in use.
    pub app_key: Secret,
    /// Coins for one yuan.
    pub rate: u64,
    /// The token of message push; without it no push is taken.
    pub token: Option<Secret>,
    /// The key of safe mode; with it only safe mode is taken.
    pub push_key: Option<PushKey>,
    /// Whether the sandbox environment is used (`env` 1).
    pub sandbox: bool,
    /// For how long a session key is kept, s.
    pub session_ttl: u64,
    /// Another host than WeChat's.
    pub api_base: Option<String>,
    /// Whether complaints of the mini program are looked for.
    pub complaints: bool,
}

impl VirtualNode {
    pub(crate) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let secret = node.required_secret("secret", None);
        let offer_id = node.required("offerId");
        let sandbox = node.flag("sandbox").unwrap_or(false);
        let (live, test) = (node.secret("appKey"), node.secret("sandboxAppKey"));
        let name = if sandbox { "sandboxAppKey" } else { "appKey" };
        let app_key = if sandbox { test } else { live };
        if app_key.is_none() && !node.has(name) {
            node.fault(name, "is missing");
        }
        let (token, push_key) = wechat_push::read_keys(node);
        let mch_id = node.text("mchId");
        let rate = node.integer("rate", 1..=1_000_000).unwrap_or(100);
        let session_ttl = node.integer("sessionTtl", 60..=2_592_000).unwrap_or(259_200);
        let api_base = node.api_base();
        let complaints = node.flag("complaints").unwrap_or(false);
        Some(Self {
            app_id: app_id?,
            secret: secret?,
            mch_id,
            offer_id: offer_id?,
            app_key: app_key?,
            rate,
            token,
            push_key,
            sandbox,
            session_ttl,
            api_base,
            complaints,
        })
    }
}
