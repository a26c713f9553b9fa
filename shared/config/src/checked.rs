//! A document that was checked whole: what it says, and all that is wrong with it.

use super::reader::{Fault, Reader, Shared};
use super::{Document, MerchantDocuments, Sections, twice};
use crypto::rsa::PrivateKey;
use domain::UnixMs;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// What the check of a document found. Nothing can be done with a faulty one but to name its faults.
pub struct Checked<M> {
    document: Option<Document<M>>,
    private_keys: Vec<PrivateKey>,
    /// What keeps the configuration from starting.
    pub faults: Vec<Fault>,
    /// What is odd and harms nothing yet.
    pub remarks: Vec<Fault>,
    /// When the first of its certificates ends, of those on which money depends.
    pub first_certificate_end: Option<UnixMs>,
}

impl<M: Sections> Checked<M> {
    /// Reads and checks a whole document as [`Document::parse_at`] does. A type of `handlers` for which `has_handler` tells
    /// that there is one in Rust is a fault, unless it says that it replaces that.
    pub fn of(text: &str, base: &Path, now: UnixMs, has_handler: &dyn Fn(&str) -> bool) -> Self {
        match object(text) {
            Ok(object) => {
                let again = twice::first(text.trim_start_matches('\u{feff}'));
                let shared = Shared::below(base, now);
                shared.faults.borrow_mut().extend(again.map(|path| Fault { path, what: twice::TWICE.to_owned() }));
                let document = Document::read(&Reader::root(&shared, &object), has_handler);
                Self {
                    document,
                    private_keys: shared.parsed.private_keys.into_inner().into_values().collect(),
                    faults: shared.faults.into_inner(),
                    remarks: shared.remarks.into_inner(),
                    first_certificate_end: shared.first_end.get(),
                }
            }
            Err(what) => Self {
                document: None,
                private_keys: Vec::new(),
                faults: vec![Fault { path: "config".to_owned(), what }],
                remarks: Vec::new(),
                first_certificate_end: None,
            },
        }
    }

    /// The document and the remarks on it.
    ///
    /// # Errors
    /// All faults, in the order of the document's sections.
    pub fn into_result(self) -> Result<(Document<M>, Vec<Fault>), Vec<Fault>> {
        let Self { document, private_keys, faults, remarks, first_certificate_end } = self;
        match document {
            Some(document) if faults.is_empty() => {
                Ok((Document { private_keys, first_certificate_end, ..document }, remarks))
            }
            _ => Err(faults),
        }
    }
}

impl<M> Checked<M> {
    /// The paths of private keys whose numbers do not belong together, in order; a millisecond for each key.
    pub fn damaged_keys(&self) -> Vec<&str> {
        let damaged = self.private_keys.iter().filter(|key| key.check().is_err());
        let mut paths: Vec<&str> = damaged.map(PrivateKey::place).collect();
        paths.sort_unstable();
        paths
    }

    /// The merchants that have documents of their own, as far as that could be read.
    pub fn merchant_documents(&self) -> Option<&MerchantDocuments> {
        self.document.as_ref()?.merchant_documents.as_ref()
    }

    /// The ids of all merchants that are named, in order.
    pub fn merchant_ids(&self) -> BTreeSet<&str> {
        self.document.as_ref().map(Document::merchant_ids).unwrap_or_default()
    }
}

/// The object that a document is.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    // Editors on Windows put a byte order mark before a document.
    match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("must be an object".to_owned()),
        Err(e) => Err(format!("is not JSON (line {}, column {})", e.line(), e.column())),
    }
}
