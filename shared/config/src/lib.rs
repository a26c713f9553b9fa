//! The merchant configuration: VK-Pay's document, checked whole before anything uses it.
//!
//! [`Document::parse`] reads every section, also those that this function does not use, and answers either a
//! configuration that is right or all of its faults by path. Key material is parsed here, once.

mod asked;
mod auth;
mod checked;
mod client_may_choose;
mod handlers;
mod material;
mod merchant_documents;
mod nodes;
mod parsed;
mod reader;
mod shipping;
mod source;
mod spelling;
mod transfer;
mod twice;
mod weakness;

#[cfg(feature = "schema")]
pub use asked::Asked;
pub use asked::Kind;
pub use auth::{Auth, Jwt, JwtKeys, Mode, RequireQuote};
pub use checked::Checked;
pub use client_may_choose::ClientMayChoose;
pub use handlers::{Forward, Target};
pub use material::Material;
pub use merchant_documents::{MerchantDocument, MerchantDocuments, parse_merchant};
pub use nodes::{Nodes, Section, is_leftover, read_nodes};
pub use reader::{Fault, Reader, is_blank};
pub use shipping::shipping_mode;
pub use source::{Source, SourceError};
pub use transfer::{TransferDefaults, report_infos};
pub use weakness::weakness;

use crypto::rsa::PrivateKey;
use domain::{Secret, ShippingMode, UnixMs};
use merchant_documents::is_id;
use reader::{Shared, TYPE_PATTERN, base_url};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// The id of the merchant whose sections stand at the top level.
pub const DEFAULT_MERCHANT: &str = "default";

/// Where an editor finds the schema of the document (`docs/config.schema.json`).
const SCHEMA: &str = "$schema";

/// What a merchant's sections say of the providers, whom this crate does not know.
pub trait Sections: Sized {
    /// Reads the sections of the merchant of that id from the object that holds them.
    fn read(id: &str, sections: &Reader<'_>) -> Self;
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

/// A checked configuration. `M` are the sections of one merchant.
pub struct Document<M> {
    merchants: BTreeMap<String, Arc<M>>,
    /// The merchants that have documents of their own.
    pub merchant_documents: Option<MerchantDocuments>,
    /// Where providers send their callbacks; the function's own URL when absent.
    pub notify_url: Option<String>,
    /// VK-Pay's key for data that is handed to other systems.
    pub notify_key: Option<Secret>,
    /// Who may call.
    pub auth: Auth,
    /// Handlers that are reached by HTTP or as Lambda functions, by `type`.
    pub handlers: BTreeMap<String, Forward>,
    /// The types of orders whose money the provider keeps so that it can be shared.
    pub profit_sharing: BTreeSet<String>,
    /// Who reports the shipping of orders, by `type`: what it says counts before what a node says.
    pub shipping: BTreeMap<String, ShippingMode>,
    /// What happens to money that no order expects.
    pub policy: Policy,
    /// Only these users may pay, when set.
    pub user_whitelist: Option<BTreeSet<String>>,
    private_keys: Vec<PrivateKey>,
    /// When the first of its certificates ends, of those on which money depends.
    pub first_certificate_end: Option<UnixMs>,
}

impl<M: Sections> Document<M> {
    /// Reads and checks a whole document. Relative `*Path` values are read below `base`, and certificates must be
    /// valid at the system's time. Beside the configuration come remarks: what is odd and harms nothing yet.
    ///
    /// # Errors
    /// All faults, in the order of the document's sections.
    pub fn parse(text: &str, base: &Path) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::parse_at(text, base, UnixMs::EPOCH + now)
    }

    /// The same with certificates that must be valid at another time.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse_at(text: &str, base: &Path, now: UnixMs) -> Result<(Self, Vec<Fault>), Vec<Fault>> {
        Checked::of(text, base, now, &|_| false).into_result()
    }

    /// What the reader of a document asks for, at each of its keys.
    #[cfg(feature = "schema")]
    pub fn asked(document: &Map<String, Value>) -> Vec<Asked> {
        let shared = Shared::default();
        // What is wrong with the document does not matter: it is made up.
        drop(Self::read(&Reader::root(&shared, document), &|_| false));
        shared.asked.into_inner()
    }

    /// Reads a document as far as it can be read; its faults are with the reader. `has_handler` tells the types of orders
    /// that have a handler in Rust.
    fn read(root: &Reader<'_>, has_handler: &dyn Fn(&str) -> bool) -> Option<Self> {
        let notify_url = read_notify_url(root);
        let notify_key = read_notify_key(root);
        let mut merchants = BTreeMap::new();
        merchants.insert(DEFAULT_MERCHANT.to_owned(), Arc::new(M::read(DEFAULT_MERCHANT, root)));
        if let Some(section) = root.object("merchants") {
            for id in section.names(merchant_documents::ID_PATTERN) {
                if !is_id(id) {
                    section.fault(id, merchant_documents::ID);
                } else if let Some(merchant) = section.object(id) {
                    let read = M::read(id, &merchant);
                    merchant.ignore_unknown(&[]);
                    merchants.insert(id.clone(), Arc::new(read));
                }
            }
        }
        let merchant_documents = MerchantDocuments::read(root);
        for id in merchant_documents.iter().flat_map(MerchantDocuments::ids).filter(|id| merchants.contains_key(*id)) {
            root.fault("merchantDocuments.ids", format!("{id} stands under merchants too"));
        }
        let empty = Map::new();
        if !root.has("auth") {
            root.fault("auth.keys", "is missing, and mode key (the default) needs it");
        }
        let auth = root.object("auth").and_then(|auth| Auth::read(&auth));
        // There is a fault then, and the rest is read for its own.
        let auth = auth.or_else(|| Auth::read(&Reader::root(&Shared::default(), &empty)));
        let policy = match root.object("policy") {
            Some(policy) => read_policy(&policy),
            None => read_policy(&root.below("policy", &empty)),
        };
        let mut forwards = BTreeMap::new();
        if let Some(section) = root.object("handlers") {
            for name in section.names(TYPE_PATTERN) {
                if let Some(forward) = handlers::read(&section, name) {
                    if has_handler(name) && !forward.replaces {
                        section.fault(name, "the type has a handler in Rust");
                    }
                    forwards.insert(name.clone(), forward);
                }
            }
            if notify_key.is_none() && root.given("notifyKey").is_none() && handlers::needs_key(&section) {
                root.fault("notifyKey", "is missing, and a handler has encrypt");
            }
        }
        let shipping = shipping::read(root);
        let profit_sharing = root.texts("profitSharing").unwrap_or_default().into_iter().collect();
        let user_whitelist = root.texts("userWhitelist").map(|ids| ids.into_iter().collect());
        root.ignore_unknown(&["autoDeleteExpiredOrders", SCHEMA]);
        Some(Self {
            merchants,
            merchant_documents,
            notify_url,
            notify_key,
            auth: auth?,
            handlers: forwards,
            shipping,
            profit_sharing,
            policy,
            user_whitelist,
            private_keys: Vec::new(),
            first_certificate_end: None,
        })
    }
}

impl<M> Document<M> {
    /// The ids of all merchants, in order, also of those with documents of their own.
    pub fn merchant_ids(&self) -> BTreeSet<&str> {
        let elsewhere = self.merchant_documents.iter().flat_map(MerchantDocuments::ids);
        self.merchants.keys().map(String::as_str).chain(elsewhere).collect()
    }

    /// The paths of private keys whose numbers do not belong together, with which nothing can be signed. That takes a
    /// millisecond for each key the first time, so a start does not ask.
    pub fn damaged_keys(&self) -> impl Iterator<Item = &str> {
        self.private_keys.iter().filter(|key| key.check().is_err()).map(PrivateKey::place)
    }

    /// A merchant of this document by its id (`data.pid`, or the last part of a callback URL).
    pub fn merchant(&self, id: &str) -> Option<&Arc<M>> {
        self.merchants.get(id)
    }
}

/// A text, or VK's map of space ids to URLs: `default`, else the only one.
fn read_notify_url(root: &Reader<'_>) -> Option<String> {
    const KEY: &str = "notifyUrl";
    const OLD: &str = "still points at the old system: providers will send their callbacks there and not to this one; \
                       leave it out, or give your own domain";
    root.asks(KEY, || {
        let form = json!({
            "description": "https, or http to a loopback address; no query. Or VK-Pay's map of space ids to URLs",
            "type": ["string", "object", "null"],
        });
        Kind::Form(form, Vec::new())
    });
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
pub fn is_of_old_system(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url.trim()) else { return false };
    let host = url.host_str().unwrap_or_default();
    let of = |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let path = url.path().trim_end_matches('/');
    ["bspapp.com", "tcloudbase.com", "tcloudbaseapp.com"].iter().any(|domain| of(domain))
        || path.ends_with("/http/vk-pay")
        || path.ends_with("/uni-pay-co")
}

/// Characters that `notifyKey` has at least.
const NOTIFY_KEY: usize = 32;

fn read_notify_key(root: &Reader<'_>) -> Option<Secret> {
    root.asks("notifyKey", || Kind::Secret { least: NOTIFY_KEY, bytes: None, entered: true });
    let secret = root.entered_secret("notifyKey")?;
    let length = secret.expose().chars().count();
    if length < NOTIFY_KEY {
        root.fault("notifyKey", format!("{length} characters, needs at least {NOTIFY_KEY}"));
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
