//! The merchant configuration: VK-Pay's document, checked whole before anything uses it.
//!
//! [`Config::parse`] reads every section, also those that this function does not use, and answers either a
//! configuration that is right or all of its faults by path. Key material is parsed here, once.

mod alipay;
mod apple;
mod auth;
mod choosable;
mod douyin;
mod handlers;
mod huawei;
mod material;
mod reader;
mod source;
mod spelling;
mod transfer;
mod virtual_pay;
mod vkspay;
mod weakness;
mod wxpay;

pub use alipay::{AlipayNode, CertificateMode, EncryptKey};
pub use apple::{AppleNode, StoreKey};
pub use auth::{Auth, Jwt, JwtKeys, Mode, RequireQuote};
pub use choosable::ClientMayChoose;
pub use douyin::{DOUYIN_PAY, DouyinNode, DouyinPay, DouyinProduct, Ecpay, Trade};
pub use handlers::{Forward, Target};
pub use huawei::{HuaweiNode, IapKit, PaymentKit};
pub use reader::Fault;
pub use source::{Source, SourceError};
pub use transfer::TransferDefaults;
pub use transfer::report_infos;
pub use virtual_pay::{PushKey, VirtualNode};
pub use vkspay::{Protocol as VkspayProtocol, VkspayNode};
pub use wxpay::{Api, H5Info, Scheme, V2, V3, WECHAT_PAY, WxpayNode};

use domain::Secret;
use reader::{Reader, Shared, base_url, is_blank};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The id of the merchant whose sections stand at the top level.
pub const DEFAULT_MERCHANT: &str = "default";

/// The sections of one merchant.
pub struct Merchant {
    /// `default`, or the key below `merchants`.
    pub id: String,
    /// `wxpay`, by node.
    pub wxpay: BTreeMap<String, Arc<WxpayNode>>,
    /// `alipay`, by node.
    pub alipay: BTreeMap<String, Arc<AlipayNode>>,
    /// `appleiap`, by node.
    pub apple: BTreeMap<String, Arc<AppleNode>>,
    /// `vkspay`, which has no nodes.
    pub vkspay: Option<Arc<VkspayNode>>,
    /// `wxpay-virtual`, by node.
    pub wxpay_virtual: BTreeMap<String, Arc<VirtualNode>>,
    /// `douyin`, by node.
    pub douyin: BTreeMap<String, Arc<DouyinNode>>,
    /// `huawei`, by node.
    pub huawei: BTreeMap<String, Arc<HuaweiNode>>,
    /// Use Alipay's QR product where an app would use its app product.
    pub alipay_app_pay_to_h5_pay: bool,
}

/// What happens to a payment that came too late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatePayment {
    /// It is refunded.
    Refund,
    /// The order is delivered after all.
    Accept,
    /// The operator decides.
    Wait,
}

/// What happens to a second payment of a paid order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicatePayment {
    /// It is refunded.
    Refund,
    /// The operator decides.
    Wait,
}

/// `policy`: what the bundle does where VK-Pay does nothing.
#[derive(Debug, Clone)]
pub struct Policy {
    /// A payment that arrives after the order was closed.
    pub late_payment: LatePayment,
    /// A second payment of a paid order.
    pub duplicate_payment: DuplicatePayment,
    /// Minutes from creation until an unpaid order ends, when the request does not say.
    pub order_expire_minutes: u64,
}

/// A checked configuration.
pub struct Config {
    merchants: BTreeMap<String, Merchant>,
    /// Where providers send their callbacks; the function's own URL when absent.
    pub notify_url: Option<String>,
    /// VK-Pay's key for data that is handed to other systems.
    pub notify_key: Option<Secret>,
    /// Who may call.
    pub auth: Auth,
    /// Handlers that are reached by HTTP or as Lambda functions, by `type`.
    pub handlers: BTreeMap<String, Forward>,
    /// What happens to money that no order expects.
    pub policy: Policy,
    /// Only these users may pay, when set.
    pub user_whitelist: Option<BTreeSet<String>>,
}

impl Config {
    /// Reads and checks a whole document. Relative `*Path` values are read below `base`, and certificates must be
    /// valid at the system's time. Beside the configuration come remarks: what is odd and harms nothing yet.
    ///
    /// # Errors
    /// All faults, in the order of the document's sections.
    pub fn parse(text: &str, base: &Path) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::parse_at(text, base, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
    }

    /// The same with certificates that must be valid at another time, Unix ms.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_at(text: &str, base: &Path, now: i64) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        // Editors on Windows put a byte order mark before a document.
        let text = text.trim_start_matches('\u{feff}');
        let whole = |what: String| vec![Fault { path: "config".to_owned(), what }];
        let document: Value = serde_json::from_str(text)
            .map_err(|e| whole(format!("is not JSON (line {}, column {})", e.line(), e.column())))?;
        let Value::Object(document) = document else { return Err(whole("must be an object".to_owned())) };
        let shared = Shared::below(base, now.div_euclid(1000));
        let config = Self::read(&Reader::root(&shared, &document));
        let faults = shared.faults.into_inner();
        match config {
            Some(config) if faults.is_empty() => Ok((config, shared.remarks.into_inner())),
            _ => Err(faults),
        }
    }

    fn read(root: &Reader<'_>) -> Option<Self> {
        let notify_url = read_notify_url(root);
        let notify_key = read_notify_key(root);
        let mut merchants = BTreeMap::new();
        merchants.insert(DEFAULT_MERCHANT.to_owned(), Merchant::read(DEFAULT_MERCHANT, root));
        if let Some(section) = root.object("merchants") {
            for id in section.keys() {
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if id == DEFAULT_MERCHANT || id.is_empty() || id.len() > 64 || !id.chars().all(plain) {
                    section.fault(id, "must be 1 to 64 letters, digits, - or _, and not default");
                } else if let Some(merchant) = section.object(id) {
                    let read = Merchant::read(id, &merchant);
                    merchant.ignore_unknown(&[]);
                    merchants.insert(id.clone(), read);
                }
            }
        }
        let empty = Map::new();
        let auth = match root.has("auth") {
            true => root.object("auth").and_then(|auth| Auth::read(&auth)),
            false => {
                root.fault("auth.keys", "is missing, and mode key (the default) needs it");
                Auth::read(&Reader::root(&Shared::default(), &empty))
            }
        };
        let policy = match root.object("policy") {
            Some(policy) => read_policy(&policy),
            None => read_policy(&Reader::root(root.shared, &empty)),
        };
        let mut forwards = BTreeMap::new();
        if let Some(section) = root.object("handlers") {
            for name in section.keys() {
                if let Some(forward) = handlers::read(&section, name) {
                    forwards.insert(name.clone(), forward);
                }
            }
            if notify_key.is_none() && root.given("notifyKey").is_none() && handlers::needs_key(&section) {
                root.fault("notifyKey", "is missing, and a handler has encrypt");
            }
        }
        let user_whitelist = root.texts("userWhitelist").map(|ids| ids.into_iter().collect());
        root.ignore_unknown(&["autoDeleteExpiredOrders"]);
        Some(Self { merchants, notify_url, notify_key, auth: auth?, handlers: forwards, policy, user_whitelist })
    }

    /// All merchants, by id.
    pub fn merchants(&self) -> impl Iterator<Item = &Merchant> {
        self.merchants.values()
    }

    /// A merchant by id (`data.pid`, or the last part of a callback URL).
    pub fn merchant(&self, id: &str) -> Option<&Merchant> {
        self.merchants.get(id)
    }
}

impl Merchant {
    fn read(id: &str, sections: &Reader<'_>) -> Self {
        Self {
            id: id.to_owned(),
            wxpay: read_nodes(sections, "wxpay", &wxpay::NODES, &wxpay::ALIASES, wxpay::IGNORED, WxpayNode::read),
            alipay: read_nodes(sections, "alipay", &alipay::NODES, &alipay::ALIASES, alipay::IGNORED, AlipayNode::read),
            apple: read_nodes(sections, "appleiap", &apple::NODES, &apple::ALIASES, apple::IGNORED, AppleNode::read),
            vkspay: read_vkspay(sections),
            wxpay_virtual: read_nodes(
                sections,
                "wxpay-virtual",
                &virtual_pay::NODES,
                &virtual_pay::ALIASES,
                virtual_pay::IGNORED,
                VirtualNode::read,
            ),
            douyin: read_nodes(sections, "douyin", &douyin::NODES, &douyin::ALIASES, douyin::IGNORED, DouyinNode::read),
            huawei: read_nodes(sections, "huawei", &huawei::NODES, &huawei::ALIASES, huawei::IGNORED, HuaweiNode::read),
            alipay_app_pay_to_h5_pay: sections.flag("alipayAppPayToH5Pay").unwrap_or(false),
        }
    }
}

/// The flat section `vkspay`; VK-Pay's sample has it with empty values.
fn read_vkspay(sections: &Reader<'_>) -> Option<Arc<VkspayNode>> {
    let node = sections.object("vkspay")?;
    if is_leftover(&node) {
        return None;
    }
    let read = VkspayNode::read(&node);
    node.ignore_unknown(vkspay::IGNORED);
    read.map(Arc::new)
}

/// Who a node is.
const IDENTITY: [&str; 4] = ["appId", "mchId", "bundleId", "password"];

/// Keys that nobody fills in for a node that is not used.
const SIGNING: [&str; 11] = [
    "key",
    "v3Key",
    "appPrivateKeyContent",
    "privateKey",
    "privateKeyContent",
    "mchPrivateKey",
    "mchPrivateKeyContent",
    "offerId",
    "appKey",
    "sandboxAppKey",
    "salt",
];

/// Whether a node is a leftover of VK-Pay's sample (its documentation says to keep nodes that are not used): one
/// that does not say who it is, in any spelling, and has no key.
fn is_leftover(node: &Reader<'_>) -> bool {
    let filled = |key: &&String| node.has(key);
    !node.keys().filter(filled).any(|key| SIGNING.contains(&key.as_str()) || spelling::meant(key, IDENTITY).is_some())
}

/// Reads the nodes of a provider's section, but for leftovers. A name that is nearly a node's is a fault.
fn read_nodes<T>(
    sections: &Reader<'_>,
    section: &str,
    names: &[&str],
    aliases: &[(&str, &str)],
    ignored: &[&str],
    read: fn(&str, &Reader<'_>) -> Option<T>,
) -> BTreeMap<String, Arc<T>> {
    let mut nodes = BTreeMap::new();
    let Some(provider) = sections.object(section) else { return nodes };
    for key in provider.keys() {
        let name = aliases.iter().find(|(alias, _)| alias == key).map_or(key.as_str(), |(_, name)| *name);
        if !names.contains(&name) {
            let known = names.iter().copied().chain(aliases.iter().map(|(alias, _)| *alias));
            if let Some(right) = spelling::meant(key, known)
                && provider.given(key).is_some_and(Value::is_object)
                && provider.object(key).is_some_and(|node| !is_leftover(&node))
            {
                provider.fault(key, format!("is not known here; did you mean {right}?"));
            }
            continue;
        }
        let Some(node) = provider.object(key) else { continue };
        if is_leftover(&node) {
            continue;
        }
        if nodes.contains_key(name) {
            provider.fault(key, format!("stands for {name}, which is there too"));
            continue;
        }
        let read = read(name, &node);
        // Also where the node is faulty: a misspelt key may be the reason.
        node.ignore_unknown(ignored);
        if let Some(read) = read {
            nodes.insert(name.to_owned(), Arc::new(read));
        }
    }
    provider.ignore_unknown(&["enable"]);
    nodes
}

/// A text, or VK's map of space ids to URLs: `default`, else the only one.
fn read_notify_url(root: &Reader<'_>) -> Option<String> {
    const KEY: &str = "notifyUrl";
    const OLD: &str = "still points at the old system: providers will send their callbacks there and not to this one; \
                       leave it out, or give your own domain";
    let text = match root.raw(KEY)? {
        Value::String(text) => text.as_str(),
        Value::Object(map) => {
            let texts: Vec<(&String, &str)> = map
                .iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(id, value)| (id, value.as_str().unwrap_or("no text")))
                .filter(|(_, text)| !is_blank(text))
                .collect();
            let default = texts.iter().find(|(id, _)| *id == "default");
            match (default, texts.as_slice()) {
                (None, []) => return None,
                (Some((_, text)), _) | (None, [(_, text)]) => *text,
                // None of them can be meant here: as if there were no map.
                (None, several) if several.iter().all(|(_, text)| is_of_old_system(text)) => {
                    root.remark(KEY, format!("{OLD}; none of its URLs is used"));
                    return None;
                }
                (None, _) => {
                    root.fault(KEY, "needs the key default, or a single URL");
                    return None;
                }
            }
        }
        _ => {
            root.fault(KEY, "must be a URL, or a map of URLs");
            return None;
        }
    };
    match base_url(text.trim()) {
        Ok(url) => {
            if is_of_old_system(&url) {
                root.remark(KEY, OLD);
            }
            Some(url)
        }
        Err(what) => {
            root.fault(KEY, what);
            None
        }
    }
}

/// Whether a URL is of uniCloud, where VK-Pay and uni-pay run.
fn is_of_old_system(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url.trim()) else { return false };
    let host = url.host_str().unwrap_or_default();
    let of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let path = url.path().trim_end_matches('/');
    ["bspapp.com", "tcloudbase.com", "tcloudbaseapp.com"].iter().any(|domain| of(domain))
        || path.ends_with("/http/vk-pay")
        || path.ends_with("/uni-pay-co")
}

fn read_notify_key(root: &Reader<'_>) -> Option<Secret> {
    let secret = root.entered_secret("notifyKey")?;
    let length = secret.expose().chars().count();
    if length < 32 {
        root.fault("notifyKey", format!("{length} characters, needs at least 32"));
        return None;
    }
    Some(secret)
}

fn read_policy(policy: &Reader<'_>) -> Policy {
    let late_payment = match policy.choice("latePayment", &["refund", "accept", "wait"]).as_deref() {
        Some("accept") => LatePayment::Accept,
        Some("wait") => LatePayment::Wait,
        _ => LatePayment::Refund,
    };
    let duplicate_payment = match policy.choice("duplicatePayment", &["refund", "wait"]).as_deref() {
        Some("wait") => DuplicatePayment::Wait,
        _ => DuplicatePayment::Refund,
    };
    let order_expire_minutes = policy.integer("orderExpireMinutes", 1..=10_080).unwrap_or(120);
    policy.refuse_unknown();
    Policy { late_payment, duplicate_payment, order_expire_minutes }
}
