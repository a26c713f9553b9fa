//! `appleiap.app-plus`: in-app purchases of Apple (`docs/protocols/vkpay.md#other-nodes`).

use super::reader::Reader;
use crypto::cert::Certificate;
use crypto::jws::{Anchor, EcKey};
use domain::{Fen, Secret};
use std::collections::BTreeMap;

/// The nodes of the section, by VK-Pay's names.
pub const NODES: [&str; 1] = ["app-plus"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &["rootCertContent", "rootCertPath", "privateKeyPath", "privateKeyContent"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 1] = [("app", "app-plus")];

/// Apple Root CA - G3 (SHA-256 63343ABF…9179), which signs what the App Store signs.
const ROOT_G3: &[u8] = include_bytes!("../../providers/src/apple/AppleRootCA-G3.der");
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

/// A key that an app store issued for its server API.
pub struct StoreKey {
    /// `iss`.
    pub issuer_id: String,
    /// `kid`.
    pub key_id: String,
    /// The private key (`.p8`).
    pub private_key: EcKey,
}

impl AppleNode {
    pub(super) fn read(_name: &str, node: &Reader<'_>) -> Option<Self> {
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

/// `receiptExpiresIn`: how old an unused purchase may be, s.
pub(super) fn read_receipt_life(node: &Reader<'_>) -> u64 {
    node.integer("receiptExpiresIn", 1..=315_360_000).unwrap_or(86_400)
}

/// `issuerId`, `keyId` and the private key: all three or none.
pub(super) fn read_store_key(node: &Reader<'_>) -> Option<StoreKey> {
    let key = node.material("privateKey");
    let named = ["issuerId", "keyId"].map(|name| (name, node.text(name)));
    if key.is_none() && !node.material_faulted("privateKey") && named.iter().all(|(_, value)| value.is_none()) {
        return None;
    }
    for (name, value) in &named {
        if value.is_none() {
            node.fault(name, "is missing (issuerId, keyId and privateKeyContent go together)");
        }
    }
    if key.is_none() {
        let what = "is missing (issuerId, keyId and privateKeyContent go together)";
        node.missing("privateKeyContent", "privateKey", what);
    }
    let private_key = node.ec_key(&key?)?;
    let [(_, issuer_id), (_, key_id)] = named;
    Some(StoreKey { issuer_id: issuer_id?, key_id: key_id?, private_key })
}

/// The pinned root: `rootCertContent`, else what the store is known to have.
pub(super) fn read_anchor(
    node: &Reader<'_>,
    built_in: Option<&[u8]>,
    leaf: &'static str,
    intermediate: Option<&'static str>,
) -> Option<Anchor> {
    let root = match (node.material("rootCert"), built_in) {
        (Some(material), _) => {
            let root = node.certificate(&material)?;
            if !root.is_root() {
                node.fault(&material.key, "is not a root certificate; the store's root belongs here");
                return None;
            }
            node.check_dates(&material, &root, false);
            root
        }
        (None, _) if node.material_faulted("rootCert") => return None,
        (None, Some(der)) => Certificate::from_der(der).ok()?,
        (None, None) => {
            node.missing("rootCertContent", "rootCert", "is missing");
            return None;
        }
    };
    Some(Anchor::new(&root, leaf, intermediate))
}

/// `products`: `{"<id>": {"total_fee": <fen>}}`.
pub(super) fn read_products(node: &Reader<'_>) -> Option<BTreeMap<String, Fen>> {
    let products = node.object("products")?;
    let mut read = BTreeMap::new();
    for id in products.keys() {
        let Some(product) = products.object(id) else { continue };
        match product.raw("total_fee").and_then(Fen::from_json) {
            Some(fee) => {
                read.insert(id.clone(), fee);
            }
            None => product.fault("total_fee", "must be a positive integer (fen)"),
        }
        product.ignore_unknown(&[]);
    }
    Some(read)
}
