//! The configuration as it is written: what its check says of it, the paths of its keys as they are spelt there, and
//! the secrets that no output may show.

use super::codes::Code;
use super::finding::Finding;
use serde_json::{Map, Value};
use shared::config::{Config, DEFAULT_MERCHANT, Fault, Merchant, Source, parse_merchant};
use shared::domain::{Provider, UnixMs};
use shared::net::provider_http::Http;
use shared::providers::Gateway;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Texts that are shorter are no secrets that could be told from other words.
const SHORTEST_SECRET: usize = 8;
/// Keys whose values say who or where somebody is, and may be shown.
const OPEN: [&str; 14] = [
    "apiBase",
    "appAppleId",
    "appId",
    "bundleId",
    "issuerId",
    "keyId",
    "mchAuthId",
    "mchId",
    "notifyUrl",
    "offerId",
    "sellerId",
    "type",
    "url",
    "wxpayPublicKeyId",
];

/// The documents as they are written.
pub(super) struct Documents {
    root: Value,
    /// Of merchants with documents of their own.
    own: BTreeMap<String, Value>,
}

/// A node in a document.
pub(super) struct Place<'a> {
    /// Its path.
    pub(super) path: String,
    object: Option<&'a Map<String, Value>>,
}

/// What was read.
pub(super) struct Read {
    /// As it is written.
    pub(super) documents: Documents,
    /// The merchants of it, where it has no fault.
    pub(super) merchants: Vec<Arc<Merchant>>,
    /// Where callbacks are to go.
    pub(super) notify_url: Option<String>,
    /// What the check says.
    pub(super) findings: Vec<Finding>,
}

/// Reads and checks the configuration, and the documents of merchants that have their own.
pub(super) async fn read(text: &str, source: &Source, http: &Http, now: UnixMs) -> Read {
    let root = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    let mut documents = Documents { root, own: BTreeMap::new() };
    let (config, remarks) = match Config::parse_at(text, source.base(), now) {
        Ok(read) => read,
        Err(faults) => {
            let mut findings: Vec<Finding> = faults.iter().map(of_fault).collect();
            findings.push(Finding::new("config", Code::NotAsked, ""));
            return Read { documents, merchants: Vec::new(), notify_url: None, findings };
        }
    };
    let mut findings: Vec<Finding> = remarks.iter().map(of_remark).collect();
    findings.extend(config.damaged_keys().map(|path| Finding::new(path, Code::OwnKeyDamaged, "")));
    let mut merchants: Vec<Arc<Merchant>> =
        config.merchant_ids().into_iter().filter_map(|id| config.merchant(id).cloned()).collect();
    for (id, source) in config.merchant_documents.iter().flat_map(|all| all.ids().map(|id| (id, all.source(id)))) {
        let Some(source) = source else { continue };
        let path = format!("merchants.{id}");
        let text = match source.fetch(http).await {
            Ok(text) => text,
            Err(error) => {
                findings.push(Finding::new(path, Code::MerchantDocumentUnreadable, error.to_string()));
                continue;
            }
        };
        documents.own.insert(id.to_owned(), serde_json::from_str(&text).unwrap_or_default());
        match parse_merchant::<Merchant>(id, &text, source.base(), now) {
            Ok(read) => {
                findings.extend(read.remarks.iter().map(of_remark));
                findings.extend(read.damaged_keys.iter().map(|path| Finding::new(path, Code::OwnKeyDamaged, "")));
                merchants.push(Arc::new(read.merchant));
            }
            Err(faults) => findings.extend(faults.iter().map(of_fault)),
        }
    }
    // The merchant at the top level is read first, as it is written first.
    merchants.sort_by_key(|merchant| merchant.id != DEFAULT_MERCHANT);
    Read { documents, merchants, notify_url: config.notify_url.clone(), findings }
}

impl Documents {
    /// Where a merchant's node stands.
    pub(super) fn node(&self, merchant: &str, provider: Provider, name: &str) -> Place<'_> {
        let (sections, mut path) = match merchant {
            DEFAULT_MERCHANT => (Some(&self.root), String::new()),
            id => {
                let inside = self.root.get("merchants").and_then(|all| all.get(id));
                (inside.or_else(|| self.own.get(id)), format!("merchants.{id}."))
            }
        };
        path.push_str(provider.name());
        let section = sections.and_then(|sections| sections.get(provider.name()));
        if name.is_empty() {
            return Place { path, object: section.and_then(Value::as_object) };
        }
        let keys = Gateway::keys_of(provider, name);
        let there = keys.iter().find_map(|key| Some((*key, section?.get(key)?.as_object()?)));
        match there {
            Some((key, object)) => Place { path: format!("{path}.{key}"), object: Some(object) },
            None => Place { path: format!("{path}.{name}"), object: None },
        }
    }

    /// The values that no output may show.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let mut found = Vec::new();
        for document in std::iter::once(&self.root).chain(self.own.values()) {
            collect(document, &mut found);
        }
        found.sort_by_key(|text| std::cmp::Reverse(text.len()));
        found
    }
}

fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    let Value::Object(object) = value else { return };
    for (key, value) in object {
        match value {
            Value::String(text) if text.len() >= SHORTEST_SECRET && !OPEN.contains(&key.as_str()) => found.push(text),
            value => collect(value, found),
        }
    }
}

impl Place<'_> {
    /// The path of a key of the node as it is spelt there: key material may stand under other names.
    pub(super) fn key(&self, key: &str) -> String {
        if key.is_empty() {
            return self.path.clone();
        }
        let (inside, last) = key.rsplit_once('.').map_or((None, key), |(inside, last)| (Some(inside), last));
        let object = match inside {
            None => self.object,
            Some(inside) => self.object.and_then(|object| object.get(inside)?.as_object()),
        };
        let stem = last.strip_suffix("Content").unwrap_or(last);
        let spellings = [
            last.to_owned(),
            stem.to_owned(),
            format!("{stem}Content"),
            format!("{stem}PathContent"),
            format!("{stem}Path"),
        ];
        let spelt = spellings.into_iter().find(|key| object.is_some_and(|object| object.contains_key(key)));
        let last = spelt.unwrap_or_else(|| last.to_owned());
        match inside {
            None => format!("{}.{last}", self.path),
            Some(inside) => format!("{}.{inside}.{last}", self.path),
        }
    }

    /// Whether its provider is simulated on this machine.
    pub(super) fn is_simulated(&self) -> bool {
        let base = self.object.and_then(|object| object.get("apiBase")?.as_str());
        base.and_then(|base| reqwest::Url::parse(base).ok()).is_some_and(|base| shared::net::is_loopback(&base))
    }

    /// Whether the node has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.object.is_some_and(|object| object.get(key).is_some_and(|value| !value.is_null()))
    }
}

/// A fault of the configuration's check. Its texts are made for reading; of some the kind is told by a few words of them.
fn of_fault(fault: &Fault) -> Finding {
    let says = |part: &str| fault.what.contains(part);
    let code = match () {
        () if says("is your own key") => Code::OwnKeyInProvidersPlace,
        () if says("does not match") => Code::OwnKeyMismatch,
        () if says("is a certificate that ended on") => Code::CertificateEnded,
        () if says(", needs ") => Code::WrongLength,
        () if says("did you mean") => Code::KeyMisspelt,
        () if says("placeholder") || says("sample") => Code::Placeholder,
        () if fault.what.starts_with("is missing") || fault.what.starts_with("is empty") => Code::ValueMissing,
        () => Code::ConfigFault,
    };
    Finding::new(fault.path.as_str(), code, fault.what.as_str())
}

fn of_remark(remark: &Fault) -> Finding {
    let says = |part: &str| remark.what.contains(part);
    let code = match () {
        () if says("is a certificate that ends on") => Code::CertificateEndsSoon,
        () if says("still points at the old system") => Code::NotifyUrlOldSystem,
        () => Code::ConfigRemark,
    };
    Finding::new(remark.path.as_str(), code, remark.what.as_str())
}
