//! Reading a JSON object key by key, naming every fault by its path.
//!
//! A [`Reader`] is one object of the configuration. Each getter takes the key, checks the value, and on a
//! fault writes `<path>: <what>` to the shared list and goes on with `None`: so one start reports all
//! faults of a document, not the first. No fault text repeats a value: it might be a secret.

use crate::crypto::cert::Certificate;
use crate::crypto::jws::EcKey;
use crate::crypto::rsa::{PrivateKey, PublicKey};
use crate::crypto::sm2::Sm2Key;
use crate::crypto::{CryptoError, hash};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// One fault of a configuration, at a path such as `wxpay.mp-weixin.v3Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub path: String,
    /// What is wrong there; never any part of a value.
    pub what: String,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// What all readers of one document share: the faults, the remarks, and the keys parsed so far.
#[derive(Default)]
pub(super) struct Shared {
    pub faults: RefCell<Vec<Fault>>,
    pub remarks: RefCell<Vec<Fault>>,
    /// Relative `*Path` values are read from here.
    pub base: PathBuf,
    /// The same key usually stands in several nodes; it is parsed once.
    private_keys: RefCell<HashMap<String, PrivateKey>>,
    public_keys: RefCell<HashMap<String, PublicKey>>,
}

impl Shared {
    /// Nothing read yet; relative paths are read below `base`.
    pub fn below(base: &std::path::Path) -> Self {
        Self { base: base.to_owned(), ..Self::default() }
    }
}

/// Key material with the name of the key that held it, for faults about it.
pub(super) struct Material<T> {
    pub value: T,
    pub key: String,
}

/// One object of the document.
pub(super) struct Reader<'a> {
    pub shared: &'a Shared,
    object: &'a Map<String, Value>,
    path: String,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// The root of a document.
    pub fn root(shared: &'a Shared, object: &'a Map<String, Value>) -> Self {
        Self { shared, object, path: String::new(), read: RefCell::default() }
    }

    /// The path of a key of this object.
    pub fn at(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Records a fault of a key.
    pub fn fault(&self, key: &str, what: impl Into<String>) {
        self.shared.faults.borrow_mut().push(Fault { path: self.at(key), what: what.into() });
    }

    /// Records a remark on a key.
    pub fn remark(&self, key: &str, what: impl Into<String>) {
        self.shared.remarks.borrow_mut().push(Fault { path: self.at(key), what: what.into() });
    }

    /// The raw value of a key; JSON `null` counts as absent.
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.object.get(key).filter(|v| !v.is_null())
    }

    /// True when the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.object.get(key).is_some_and(|v| !v.is_null())
    }

    /// All keys of this object, in its order.
    pub fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.object.keys()
    }

    /// An object below a key.
    pub fn object(&self, key: &str) -> Option<Reader<'a>> {
        match self.raw(key)? {
            Value::Object(object) => {
                Some(Reader { shared: self.shared, object, path: self.at(key), read: RefCell::default() })
            }
            _ => {
                self.fault(key, "must be an object");
                None
            }
        }
    }

    /// A text; numbers are taken as their decimal text, because merchants write ids either way.
    pub fn text(&self, key: &str) -> Option<String> {
        let text = match self.raw(key)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => {
                self.fault(key, "must be a text");
                return None;
            }
        };
        (!text.is_empty()).then_some(text)
    }

    /// A text that must be there.
    pub fn required(&self, key: &str) -> Option<String> {
        let text = self.text(key);
        if text.is_none() && !self.faulted(key) {
            self.fault(key, "is missing");
        }
        text
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        match self.raw(key)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.fault(key, "must be true or false");
                None
            }
        }
    }

    /// A whole number in a range.
    pub fn integer(&self, key: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
        match self.raw(key)?.as_u64().filter(|n| range.contains(n)) {
            Some(number) => Some(number),
            None => {
                self.fault(key, format!("must be a whole number from {} to {}", range.start(), range.end()));
                None
            }
        }
    }

    /// One of a few words.
    pub fn choice(&self, key: &str, words: &[&str]) -> Option<String> {
        let word = self.text(key)?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        self.fault(key, format!("must be one of {}", words.join(", ")));
        None
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        let list = self
            .raw(key)?
            .as_array()
            .and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        if list.is_none() {
            self.fault(key, "must be a list of texts");
        }
        list
    }

    /// A secret: there, not blank, not one repeated character.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        let Value::String(text) = self.raw(key)? else {
            self.fault(key, "must be a text");
            return None;
        };
        match weakness(text) {
            Some(what) => {
                self.fault(key, what);
                None
            }
            None => Some(Secret::new(text.as_str())),
        }
    }

    /// A secret that must be there, of a fixed number of bytes when `bytes` says so.
    pub fn required_secret(&self, key: &str, bytes: Option<usize>) -> Option<Secret> {
        if !self.has(key) {
            self.fault(key, "is missing");
            return None;
        }
        let secret = self.secret(key)?;
        match bytes {
            Some(n) if secret.expose().len() != n => {
                self.fault(key, format!("{} bytes, needs {n}", secret.expose().len()));
                None
            }
            _ => Some(secret),
        }
    }

    /// Key material: `<stem>Content` (or its alias), else the file named by `<stem>Path`.
    /// The bytes of a file that is not UTF-8 are given as base64.
    pub fn material(&self, stem: &str) -> Option<Material<Secret>> {
        for key in [format!("{stem}Content"), format!("{stem}PathContent")] {
            if let Some(value) = self.raw(&key) {
                let Value::String(text) = value else {
                    self.fault(&key, "must be a text");
                    return None;
                };
                if text.trim().is_empty() {
                    continue;
                }
                return Some(Material { value: Secret::new(text.as_str()), key });
            }
        }
        let key = format!("{stem}Path");
        let path = self.text(&key)?;
        match std::fs::read(self.shared.base.join(path)) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes).unwrap_or_else(|e| crate::crypto::base64(e.as_bytes()));
                Some(Material { value: Secret::new(text), key })
            }
            Err(error) => {
                self.fault(&key, format!("cannot be read: {}", error.kind()));
                None
            }
        }
    }

    /// A private RSA key from [`Reader::material`] or from a plain text key.
    pub fn private_key(&self, material: &Material<Secret>) -> Option<PrivateKey> {
        let text = material.value.expose();
        let id = hash::sha256_hex(text.as_bytes());
        if let Some(key) = self.shared.private_keys.borrow().get(&id) {
            return Some(key.clone());
        }
        let key = self.checked(&material.key, PrivateKey::parse(text))?;
        self.shared.private_keys.borrow_mut().insert(id, key.clone());
        Some(key)
    }

    /// A public RSA key, also out of a certificate.
    pub fn public_key(&self, material: &Material<Secret>) -> Option<PublicKey> {
        let text = material.value.expose();
        let id = hash::sha256_hex(text.as_bytes());
        if let Some(key) = self.shared.public_keys.borrow().get(&id) {
            return Some(key.clone());
        }
        let key = self.checked(&material.key, PublicKey::parse(text))?;
        self.shared.public_keys.borrow_mut().insert(id, key.clone());
        Some(key)
    }

    /// A public SM2 key.
    pub fn sm2_key(&self, material: &Material<Secret>) -> Option<Sm2Key> {
        self.checked(&material.key, Sm2Key::parse(material.value.expose()))
    }

    /// A private P-256 key.
    pub fn ec_key(&self, material: &Material<Secret>) -> Option<EcKey> {
        self.checked(&material.key, EcKey::parse(material.value.expose()))
    }

    /// A certificate.
    pub fn certificate(&self, material: &Material<Secret>) -> Option<Certificate> {
        self.checked(&material.key, Certificate::parse(material.value.expose()))
    }

    /// A plain text key as key material.
    pub fn inline(&self, key: &str) -> Option<Material<Secret>> {
        Some(Material { value: self.secret(key)?, key: key.to_owned() })
    }

    fn checked<T>(&self, key: &str, result: Result<T, CryptoError>) -> Option<T> {
        result.map_err(|error| self.fault(key, error.to_string())).ok()
    }

    /// A provider's base URL: https, or http to a loopback address; without a trailing slash.
    pub fn api_base(&self) -> Option<String> {
        let text = self.text("apiBase")?;
        match base_url(&text) {
            Ok(url) => Some(url),
            Err(what) => {
                self.fault("apiBase", what);
                None
            }
        }
    }

    /// Remarks on keys that nothing reads. Call when the object has been read.
    pub fn ignore_unknown(&self, also_known: &[&str]) {
        for key in self.unread(also_known) {
            self.remark(key, "is not known and is ignored");
        }
    }

    /// Faults for keys that nothing reads, where a typing error would open a door.
    pub fn refuse_unknown(&self) {
        for key in self.unread(&[]) {
            self.fault(key, "is not known here");
        }
    }

    fn unread(&self, also_known: &[&str]) -> Vec<&'a String> {
        let read = self.read.borrow();
        self.object.keys().filter(|k| !read.contains(*k) && !also_known.contains(&k.as_str())).collect()
    }

    fn faulted(&self, key: &str) -> bool {
        let path = self.at(key);
        self.shared.faults.borrow().iter().any(|f| f.path == path)
    }
}

/// Why a secret is none, if it is none.
pub(super) fn weakness(text: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    let mut chars = trimmed.chars();
    match chars.next() {
        None => Some("is empty"),
        Some(first) if chars.all(|c| c == first) => Some("is one repeated character"),
        Some(_) => None,
    }
}

/// Checks a base URL and gives it without its trailing slash.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| "is not a URL")?;
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err("must not hold a user or a password"),
        _ if url.query().is_some() || url.fragment().is_some() => Err("must not have a query or a fragment"),
        "https" => Ok(text.trim_end_matches('/').to_owned()),
        "http" if loopback => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("must be https, or http to a loopback address"),
    }
}
