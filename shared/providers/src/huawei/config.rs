//! `huawei.mp-harmony`, `huawei.app-harmony`: Huawei (`docs/protocols/vkpay.md#other-nodes`,
//! `docs/protocols/huawei.md`).

use crate::common::store::{StoreKey, read_anchor, read_products, read_receipt_life, read_store_key};
use config::Reader;
use crypto::jws::Anchor;
use crypto::rsa::PrivateKey;
use crypto::sm2::Sm2Key;
use domain::Fen;
use std::collections::BTreeMap;

/// The nodes of the section, by VK-Pay's names.
pub(super) const NODES: [&str; 2] = ["mp-harmony", "app-harmony"];

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &["clientType", "mchAuthId", "mchPrivateKey", "platformPublicKey"];

/// uni-pay's names for the same nodes.
pub(super) const ALIASES: [(&str, &str); 2] = [("mp", "mp-harmony"), ("app", "app-harmony")];

/// Marker of a certificate that signs for IAP Kit.
const IAP_LEAF: &str = "1.3.6.1.4.1.2011.2.415.1.1";

/// One application of Huawei.
pub struct HuaweiNode {
    /// The node's name, one of [`NODES`].
    pub name: String,
    /// The application.
    pub app_id: String,
    /// The merchant number (`mercNo`).
    pub mch_id: Option<String>,
    /// Keys of Payment Kit.
    pub pay: Option<PaymentKit>,
    /// Keys of IAP Kit.
    pub iap: Option<IapKit>,
    /// Whether Huawei's sandbox is used.
    pub sandbox: bool,
    /// Another host than Huawei's.
    pub api_base: Option<String>,
}

/// Keys of Payment Kit.
pub struct PaymentKit {
    /// `mercNo`, also `callerId`.
    pub merc_no: String,
    /// The id of the merchant's certificate.
    pub auth_id: String,
    /// Signs requests.
    pub private_key: PrivateKey,
    /// Verifies answers and callbacks.
    pub platform_key: Sm2Key,
}

/// Keys of IAP Kit.
pub struct IapKit {
    /// The key of the server API.
    pub api: Option<StoreKey>,
    /// What signed objects must lead to.
    pub anchor: Anchor,
    /// How old an unused purchase may be, s.
    pub receipt_expires_in: u64,
    /// Prices by product.
    pub products: Option<BTreeMap<String, Fen>>,
}

impl HuaweiNode {
    pub(crate) fn read(name: &str, node: &Reader<'_>) -> Option<Self> {
        let app_id = node.required("appId");
        let mch_id = node.text("mchId");
        let iap_there = node.has("iap");
        let iap = node.object("iap").and_then(|iap| {
            let anchor = read_anchor(&iap, None, IAP_LEAF, None);
            let receipt_expires_in = read_receipt_life(&iap);
            let (api, products) = (read_store_key(&iap), read_products(&iap));
            let read = IapKit { api, anchor: anchor?, receipt_expires_in, products };
            iap.ignore_unknown(&["rootCertContent", "rootCertPath", "privateKeyContent", "privateKeyPath"]);
            Some(read)
        });
        let wanted = !iap_there || ["mchId", "mchAuthId", "mchPrivateKey"].iter().any(|key| node.has(key));
        let pay = if wanted { read_payment_kit(node) } else { None };
        let (sandbox, api_base) = (node.flag("sandbox").unwrap_or(false), node.api_base());
        if (wanted && pay.is_none()) || (iap_there && iap.is_none()) {
            return None;
        }
        Some(Self { name: name.to_owned(), app_id: app_id?, mch_id, pay, iap, sandbox, api_base })
    }
}

fn read_payment_kit(node: &Reader<'_>) -> Option<PaymentKit> {
    let merc_no = node.required("mchId");
    let auth_id = node.required("mchAuthId");
    let (private, platform) = (node.needed_key("mchPrivateKey"), node.needed_key("platformPublicKey"));
    let private_key = private.and_then(|m| node.private_key(&m));
    let platform_key =
        platform.and_then(|m| node.sm2_key(&m, private_key.as_ref(), "Huawei's SM2 public key (华为支付服务公钥)"));
    Some(PaymentKit { merc_no: merc_no?, auth_id: auth_id?, private_key: private_key?, platform_key: platform_key? })
}
