//! `vkspay`: personal collection, one flat section (`docs/protocols/vkpay.md#other-nodes`): VksPay, or an epay site.

use config::Reader;
use crypto::rsa::{PrivateKey, PublicKey};
use domain::Secret;

/// VksPay's endpoint.
const VKSPAY: &str = "https://vk-spay-openapi.fsq.pub/api";

/// Keys that are known and ignored, or belong to another kind of node.
pub(super) const IGNORED: &[&str] = &[
    "key",
    "signType",
    "refundSuccess",
    "mchPrivateKey",
    "mchPrivateKeyContent",
    "mchPrivateKeyPath",
    "platformPublicKey",
    "platformPublicKeyContent",
    "platformPublicKeyPath",
];

/// The section.
pub struct VkspayNode {
    /// The store's number (`merchantno`), or the epay site's `pid`.
    pub mch_id: String,
    /// Which protocol is spoken, with its keys.
    pub protocol: VkspayProtocol,
    /// VksPay: the whole endpoint URL. epay: the site's base, without trailing slash.
    pub api_base: String,
    /// How long one call may take, s.
    pub timeout: u64,
    /// Texts by which this site says that an order is not paid, or is not there, beside those that are known.
    pub unpaid_messages: Vec<String>,
}

/// The protocol with its keys.
pub enum VkspayProtocol {
    /// VksPay's own, signed with MD5.
    Vkspay {
        /// The store's key.
        key: Secret,
    },
    /// epay v1, signed with MD5.
    EpayMd5 {
        /// The merchant's key.
        key: Secret,
        /// The `code` by which this site says that a refund was made; both 0 and 1 are seen.
        refund_success: Option<u64>,
    },
    /// epay v2, signed with RSA.
    EpayRsa {
        /// The merchant's private key.
        private_key: PrivateKey,
        /// The site's public key.
        platform_key: PublicKey,
    },
}

impl VkspayNode {
    pub(crate) fn read(node: &Reader<'_>) -> Option<Self> {
        let mch_id = node.required("mchId");
        let timeout = node.integer("timeout", 1..=60).unwrap_or(30);
        let epay = node.choice("protocol", &["vkspay", "epay"]).is_some_and(|protocol| protocol == "epay");
        let api_base = node.api_base();
        let script = api_base.as_deref().is_some_and(|base| site_of(base) != base);
        let (protocol, api_base) = if epay {
            if !node.has("apiBase") {
                node.fault("apiBase", "is missing (the epay site's address)");
            }
            (read_epay(node), api_base.map(|base| site_of(&base).to_owned()))
        } else {
            if script {
                node.remark("apiBase", "is the address of an epay site's script; does protocol: \"epay\" belong here?");
            }
            let key = node.required_secret("key", None);
            (key.map(|key| VkspayProtocol::Vkspay { key }), Some(api_base.unwrap_or_else(|| VKSPAY.to_owned())))
        };
        let unpaid_messages = node.texts("unpaidMessages").unwrap_or_default();
        Some(Self { mch_id: mch_id?, protocol: protocol?, api_base: api_base?, timeout, unpaid_messages })
    }
}

fn read_epay(node: &Reader<'_>) -> Option<VkspayProtocol> {
    if node.choice("signType", &["MD5", "RSA"]).is_none_or(|kind| kind == "MD5") {
        let key = node.required_secret("key", None)?;
        return Some(VkspayProtocol::EpayMd5 { key, refund_success: node.integer("refundSuccess", 0..=1) });
    }
    let (private, public) = (node.needed_key("mchPrivateKey"), node.needed_key("platformPublicKey"));
    let private_key = private.and_then(|m| node.private_key(&m));
    let platform_key =
        public.and_then(|m| node.providers_key(&m, private_key.as_ref(), "the site's public key (平台公钥)"));
    Some(VkspayProtocol::EpayRsa { private_key: private_key?, platform_key: platform_key? })
}

/// The base of an epay site, of an address with one of its scripts at the end: consoles show the whole address of the
/// interface (`https://pay.example/mapi.php`), and merchants copy it.
fn site_of(address: &str) -> &str {
    const ENDS: [&str; 8] = [
        "/mapi.php",
        "/submit.php",
        "/api.php",
        "/api/pay/create",
        "/api/pay/submit",
        "/api/pay/query",
        "/api/pay/refund",
        "/api/pay/refundquery",
    ];
    let site = ENDS.iter().find_map(|end| address.strip_suffix(end));
    site.map_or(address, |site| site.trim_end_matches('/'))
}
