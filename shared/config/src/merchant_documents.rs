//! `merchantDocuments`: merchants whose sections stand in documents of their own, so that hundreds fit. Each is read
//! when it is first needed.

use super::asked::Kind;
use super::reader::{Fault, Reader, Shared};
use super::source::Source;
use super::twice;
use super::{DEFAULT_MERCHANT, Sections};
use crypto::rsa::PrivateKey;
use domain::UnixMs;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the documents are, and whose there are. The ids are listed, so that nobody makes up a name that is then asked
/// for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantDocuments {
    from: String,
    ids: BTreeSet<String>,
}

/// One merchant out of such a document.
pub struct MerchantDocument<M> {
    /// The sections.
    pub merchant: M,
    /// What is odd and harms nothing yet.
    pub remarks: Vec<Fault>,
    /// The paths of private keys with which nothing can be signed.
    pub damaged_keys: Vec<String>,
    /// When the first of its certificates ends.
    pub first_certificate_end: Option<UnixMs>,
}

/// Whether a text may be a merchant's id.
pub(super) fn is_id(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    id != DEFAULT_MERCHANT && !id.is_empty() && id.len() <= 64 && id.chars().all(plain)
}

/// The same as a pattern.
pub(super) const ID_PATTERN: &str = "^(?!default$)[A-Za-z0-9_-]{1,64}$";

pub(super) const ID: &str = "must be 1 to 64 letters, digits, - or _, and not default";

impl MerchantDocuments {
    const SECTION: &str = "merchantDocuments";

    pub(super) fn read(root: &Reader<'_>) -> Option<Self> {
        if !root.has(Self::SECTION) {
            return None;
        }
        let section = root.object(Self::SECTION)?;
        let from = section.required("from");
        let folder = |text: &str| match text.split_once(':') {
            Some(("ssm", name)) => name.starts_with('/') && name.ends_with('/'),
            Some(("secretsmanager" | "file", name)) => name.ends_with('/'),
            _ => false,
        };
        if from.as_deref().is_some_and(|text| !folder(text)) {
            section.fault("from", "must be ssm:/folder/, secretsmanager:prefix/ or file:FOLDER/");
        }
        section.asks("from", || {
            let pattern = r"^\s*(ssm:/([\s\S]*/)?|(secretsmanager|file):[\s\S]*/)\s*$";
            Kind::Form(json!({ "type": "string", "pattern": pattern }), vec![json!("ssm:/vk-pay/merchants/")])
        });
        section.needs("ids");
        let ids = section.texts("ids").unwrap_or_default();
        if ids.is_empty() {
            section.fault("ids", "must list the merchants that have a document there");
        }
        for id in ids.iter().filter(|id| !is_id(id)) {
            section.fault("ids", format!("{}: {ID}", id.chars().take(64).collect::<String>()));
        }
        section.refuse_unknown();
        Some(Self { from: from?, ids: ids.into_iter().collect() })
    }

    /// The ids of the merchants that have a document, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// Where the document of a merchant is, if there is one: the folder and the id; files end in `.json`.
    pub fn source(&self, id: &str) -> Option<Source> {
        let id = self.ids.get(id)?;
        let (kind, folder) = self.from.split_once(':')?;
        Some(match kind {
            "ssm" => Source::Ssm(format!("{folder}{id}")),
            "secretsmanager" => Source::SecretsManager(format!("{folder}{id}")),
            _ => Source::File(PathBuf::from(format!("{folder}{id}.json"))),
        })
    }
}

/// Reads the document of one merchant: the sections that would stand under `merchants.<id>`. Private keys are checked
/// here, because nothing else looks at them before a payer does.
///
/// # Errors
/// All faults, by the path that they would have under `merchants`.
pub fn parse_merchant<M: Sections>(
    id: &str,
    text: &str,
    base: &Path,
    now: UnixMs,
) -> Result<MerchantDocument<M>, Vec<Fault>> {
    let whole = |what: String| vec![Fault { path: format!("merchants.{id}"), what }];
    let document: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|e| whole(format!("is not JSON (line {}, column {})", e.line(), e.column())))?;
    if !document.is_object() {
        return Err(whole("must be an object".to_owned()));
    }
    if let Some(path) = twice::first(text.trim_start_matches('\u{feff}')) {
        return Err(vec![Fault { path: format!("merchants.{id}.{path}"), what: twice::TWICE.to_owned() }]);
    }
    let merchants = Map::from_iter([(id.to_owned(), document)]);
    let root = Map::from_iter([("merchants".to_owned(), Value::Object(merchants))]);
    let shared = Shared::below(base, now);
    let merchant = {
        let sections = Reader::root(&shared, &root).object("merchants").and_then(|all| all.object(id));
        sections.map(|sections| {
            let merchant = M::read(id, &sections);
            sections.ignore_unknown(&[]);
            merchant
        })
    };
    let faults = shared.faults.into_inner();
    match merchant {
        Some(merchant) if faults.is_empty() => {
            let keys = shared.parsed.private_keys.into_inner();
            let damaged = keys.values().filter(|key| key.check().is_err()).map(PrivateKey::place);
            let damaged_keys = damaged.map(str::to_owned).collect();
            let first_certificate_end = shared.first_end.get();
            Ok(MerchantDocument { merchant, remarks: shared.remarks.into_inner(), damaged_keys, first_certificate_end })
        }
        _ => Err(faults),
    }
}
