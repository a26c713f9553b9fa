//! `appleiap.app-plus`: in-app purchases of Apple (`docs/protocols/vkpay.md#other-nodes`).

use crate::common::store::{StoreKey, read_anchor, read_products, read_receipt_life, read_store_key};
use config::Reader;
use crypto::jws::Anchor;
use domain::{Fen, Secret};
use std::collections::BTreeMap;

/// The nodes of the section, by VK-Pay's names.
pub(super) const NODES: [&str; 1] = ["app-plus"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &["rootCertContent", "rootCertPath", "privateKeyPath", "privateKeyContent"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 1] = [("app", "app-plus")];

/// Apple Root CA - G3 (SHA-256 63343ABF…9179), which signs what the App Store signs.
const ROOT_G3: &[u8] = include_bytes!("AppleRootCA-G3.der");
/// Marker of a certificate that signs for the App Store, and of the authority above it.
const LEAF: &str = "1.2.840.113635.100.6.11.1";
const INTERMEDIATE: &str = "1.2.840.113635.100.6.2.1";

/// One app in the App Store.
pub struct AppleNode {
    /// The app's bundle id.
    pub bundle_id: String,
    /// The app's number in the store; notifications of the production environment must name it.
    pub app_apple_id: Option<u64>,
    /// The shared secret of `verifyReceipt`; only auto-renewing subscriptions need it.
    pub password: Option<Secret>,
    /// How long one call to Apple may take, ms.
    pub timeout: u64,
    /// How old an unused receipt may be, s.
    pub receipt_expires_in: u64,
    /// Whether purchases of the sandbox environment count too.
    pub sandbox: bool,
    /// The key of the App Store Server API.
    pub api: Option<StoreKey>,
    /// What signed objects must lead to.
    pub anchor: Anchor,
    /// Prices by product.
    pub products: Option<BTreeMap<String, Fen>>,
    /// Another place than Apple's hosts.
    pub api_base: Option<String>,
}

impl AppleNode {
    pub(crate) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
        let bundle_id = node.required("bundleId");
        let sandbox = node.flag("sandbox").unwrap_or(false);
        let app_apple_id = node.integer("appAppleId", 1..=u64::MAX);
        if !sandbox && !node.has("appAppleId") {
            node.fault("appAppleId", "is missing (only sandbox: true goes without)");
        } else if !node.has("appAppleId") {
            node.remark(
                "appAppleId",
                "is missing: each notification of the production environment is refused with 400 until it is here",
            );
        }
        let password = node.secret("password");
        let anchor = read_anchor(node, Some(ROOT_G3), LEAF, Some(INTERMEDIATE));
        let products = read_products(node);
        if products.is_none() && !node.has("products") {
            node.remark("products", "is missing: nothing binds a product to its price unless a signed quote does");
        }
        let timeout = node.integer("timeout", 100..=60_000).unwrap_or(10_000);
        let receipt_expires_in = read_receipt_life(node);
        let (api, api_base) = (read_store_key(node), node.api_base());
        Some(Self {
            bundle_id: bundle_id?,
            app_apple_id,
            password,
            timeout,
            receipt_expires_in,
            sandbox,
            api,
            anchor: anchor?,
            products,
            api_base,
        })
    }
}
