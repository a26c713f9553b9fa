//! Reading a JSON object key by key, naming every fault by its path.
//!
//! Presence has one rule: what is `null`, an empty text or white space is not there. The exceptions are the entries
//! whose absence would open a door (a secret of `auth` and `handlers`, `notifyKey`, the modes of `auth`, lists of who
//! may, limits): a blank one is a fault. They are read with [`Reader::given`].
//!
//! A [`Reader`] is one object of the configuration. Each getter takes the key, checks the value, and on a
//! fault writes `<path>: <what>` to the shared list and goes on with `None`: so one start reports all
//! faults of a document, not the first. No fault text repeats a value: it might be a secret.

use super::asked::Kind;
use super::parsed::Parsed;
use super::spelling;
use super::weakness::{is_placeholder, weakness};
use domain::{Secret, UnixMs};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
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

/// The longest `type` of an order, bytes.
pub(super) const LONGEST_TYPE: usize = 64;
/// The same as a pattern.
pub(super) const TYPE_PATTERN: &str = r"^[\s\S]{1,64}$";

/// What all readers of one document share: the faults, the remarks, and the keys parsed so far.
#[derive(Default)]
pub(super) struct Shared {
    pub faults: RefCell<Vec<Fault>>,
    pub remarks: RefCell<Vec<Fault>>,
    /// Relative `*Path` values are read from here.
    pub base: PathBuf,
    /// When certificates must be valid.
    pub now: UnixMs,
    /// When the first of the certificates ends, of those on which money depends.
    pub first_end: Cell<Option<UnixMs>>,
    pub parsed: Parsed,
    /// What was asked for.
    #[cfg(feature = "schema")]
    pub asked: RefCell<Vec<super::asked::Asked>>,
}

impl Shared {
    /// Nothing read yet; relative paths are read below `base`.
    pub(crate) fn below(base: &std::path::Path, now: UnixMs) -> Self {
        Self { base: base.to_owned(), now, ..Self::default() }
    }
}

/// Whether a text says nothing.
pub fn is_blank(text: &str) -> bool {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').is_empty()
}

/// One object of the document.
pub struct Reader<'a> {
    pub(crate) shared: &'a Shared,
    object: &'a Map<String, Value>,
    path: String,
    #[cfg(feature = "schema")]
    within: Vec<String>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Reader<'a> {
    /// The root of a document.
    pub(crate) fn root(shared: &'a Shared, object: &'a Map<String, Value>) -> Self {
        Self {
            shared,
            object,
            path: String::new(),
            #[cfg(feature = "schema")]
            within: Vec::new(),
            read: RefCell::default(),
        }
    }

    /// An object below a key of this one.
    pub(crate) fn below(&self, key: &str, object: &'a Map<String, Value>) -> Reader<'a> {
        Reader {
            shared: self.shared,
            object,
            path: self.at(key),
            #[cfg(feature = "schema")]
            within: self.within.iter().cloned().chain([key.to_owned()]).collect(),
            read: RefCell::default(),
        }
    }

    /// Notes what a key may hold, for the schema. The getters do; it is called where a raw value is looked at.
    #[cfg(feature = "schema")]
    pub fn asks(&self, key: &str, kind: impl FnOnce() -> Kind) {
        self.note(key, kind(), false);
    }

    /// Notes what a key may hold, for the schema: nothing without the feature.
    #[cfg(not(feature = "schema"))]
    pub fn asks(&self, _key: &str, _kind: impl FnOnce() -> Kind) {}

    /// Notes that a key must be there, for the schema.
    #[cfg(feature = "schema")]
    pub fn needs(&self, key: &str) {
        self.note(key, Kind::Looked, true);
    }

    /// Notes that a key must be there, for the schema: nothing without the feature.
    #[cfg(not(feature = "schema"))]
    pub fn needs(&self, _key: &str) {}

    #[cfg(feature = "schema")]
    fn note(&self, key: &str, kind: Kind, needed: bool) {
        let asked = super::asked::Asked { within: self.within.clone(), key: key.to_owned(), kind, needed };
        self.shared.asked.borrow_mut().push(asked);
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

    /// The raw value of a key, also a blank text; only JSON `null` counts as absent. For entries whose absence
    /// would open a door.
    pub fn given(&self, key: &str) -> Option<&'a Value> {
        self.asks(key, || Kind::Looked);
        self.read.borrow_mut().insert(key.to_owned());
        self.object.get(key).filter(|v| !v.is_null())
    }

    /// The raw value of a key that is there.
    pub fn raw(&self, key: &str) -> Option<&'a Value> {
        self.given(key).filter(|value| !value.as_str().is_some_and(is_blank))
    }

    /// True when the key is there.
    pub fn has(&self, key: &str) -> bool {
        self.raw(key).is_some()
    }

    /// The keys of this object where they are names that the merchant chose, of a pattern.
    pub fn names(&self, pattern: &'static str) -> impl Iterator<Item = &'a String> + use<'a> {
        self.asks("", || Kind::Names(pattern));
        self.object.keys()
    }

    /// All keys of this object, in its order.
    pub fn keys(&self) -> impl Iterator<Item = &'a String> {
        self.object.keys()
    }

    /// An object below a key.
    pub fn object(&self, key: &str) -> Option<Reader<'a>> {
        self.asks(key, || Kind::Object);
        match self.raw(key)? {
            Value::Object(object) => Some(self.below(key, object)),
            _ => {
                self.fault(key, "must be an object");
                None
            }
        }
    }

    /// A text; numbers are taken as their decimal text, because merchants write ids either way.
    pub fn text(&self, key: &str) -> Option<String> {
        self.asks(key, || Kind::Text);
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
        self.needs(key);
        let text = self.text(key);
        match &text {
            None if !self.faulted(key) => self.fault(key, "is missing"),
            Some(text) if is_placeholder(text) => {
                self.fault(key, "is a placeholder; put your own value in its place");
                return None;
            }
            _ => {}
        }
        text
    }

    /// True or false.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.asks(key, || Kind::Flag);
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
        self.asks(key, || Kind::Integer { least: *range.start(), most: *range.end() });
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
        self.asks(key, || Kind::Choice(words.iter().map(|word| (*word).to_owned()).collect()));
        let word = self.text(key)?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        self.fault(key, format!("must be one of {}", words.join(", ")));
        None
    }

    /// A list of texts.
    pub fn texts(&self, key: &str) -> Option<Vec<String>> {
        self.asks(key, || Kind::Texts);
        let list = self
            .given(key)?
            .as_array()
            .and_then(|list| list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>());
        if list.is_none() {
            self.fault(key, "must be a list of texts");
        }
        list
    }

    /// A secret that may be left out: not one repeated character, no published sample, no placeholder.
    pub fn secret(&self, key: &str) -> Option<Secret> {
        self.asks(key, || Kind::Secret { least: 1, bytes: None, entered: false });
        self.raw(key)?;
        self.strong(key)
    }

    /// A secret that may be left out, but not be blank.
    pub fn entered_secret(&self, key: &str) -> Option<Secret> {
        self.asks(key, || Kind::Secret { least: 1, bytes: None, entered: true });
        self.strong(key)
    }

    fn strong(&self, key: &str) -> Option<Secret> {
        let Value::String(text) = self.given(key)? else {
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
        self.asks(key, || Kind::Secret { least: 1, bytes, entered: true });
        self.needs(key);
        if self.given(key).is_none() {
            self.fault(key, "is missing");
            return None;
        }
        let secret = self.strong(key)?;
        match bytes {
            Some(n) if secret.expose().len() != n => {
                self.fault(key, format!("{} bytes, needs {n}", secret.expose().len()));
                None
            }
            _ => Some(secret),
        }
    }

    /// A provider's base URL: https, or http to a loopback address; without a trailing slash.
    pub fn api_base(&self) -> Option<String> {
        self.asks("apiBase", || Kind::Url);
        let text = self.text("apiBase")?;
        match base_url(&text) {
            Ok(url) => Some(url),
            Err(what) => {
                self.fault("apiBase", what);
                None
            }
        }
    }

    /// Remarks on keys that nothing reads, and faults for those that are misspellings of one that is not there.
    /// Call when the object has been read.
    pub fn ignore_unknown(&self, also_known: &[&str]) {
        self.asks("", || Kind::Remarked);
        also_known.iter().for_each(|key| self.asks(key, || Kind::Known));
        for key in self.unread(also_known) {
            if self.object.get(key).is_none_or(|value| value.is_null() || value.as_str().is_some_and(is_blank)) {
                continue;
            }
            match self.meant(key) {
                Some(right) if !self.has(&right) => {
                    self.fault(key, format!("is not known here; did you mean {right}?"))
                }
                _ => self.remark(key, "is not known and is ignored"),
            }
        }
    }

    /// Faults for keys that nothing reads, where a typing error would open a door.
    pub fn refuse_unknown(&self) {
        self.asks("", || Kind::Closed);
        for key in self.unread(&[]) {
            match self.meant(key) {
                Some(right) => self.fault(key, format!("is not known here; did you mean {right}?")),
                None => self.fault(key, "is not known here"),
            }
        }
    }

    /// The key that a misspelt one was meant to be, of those that were asked for.
    fn meant(&self, key: &str) -> Option<String> {
        let read = self.read.borrow();
        spelling::meant(key, read.iter().map(String::as_str)).map(str::to_owned)
    }

    fn unread(&self, also_known: &[&str]) -> Vec<&'a String> {
        let read = self.read.borrow();
        self.object.keys().filter(|k| !read.contains(*k) && !also_known.contains(&k.as_str())).collect()
    }

    /// Whether a key has a fault already.
    pub fn faulted(&self, key: &str) -> bool {
        let path = self.at(key);
        self.shared.faults.borrow().iter().any(|f| f.path == path)
    }
}

/// Checks a base URL and gives it without its trailing slash.
pub(super) fn base_url(text: &str) -> Result<String, &'static str> {
    let url = reqwest::Url::parse(text).map_err(|_| "is not a URL")?;
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err("must not hold a user or a password"),
        _ if url.query().is_some() || url.fragment().is_some() => Err("must not have a query or a fragment"),
        "https" => Ok(text.trim_end_matches('/').to_owned()),
        "http" if net::is_loopback(&url) => Ok(text.trim_end_matches('/').to_owned()),
        _ => Err("must be https, or http to a loopback address"),
    }
}
