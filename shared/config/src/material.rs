//! Key material of a node: `<name>Content`, `<name>Path` or a plain text key; parsed once, and checked for being the
//! right one.

use super::asked::Kind;
use super::reader::{Reader, is_blank};
use crypto::cert::Certificate;
use crypto::jws::EcKey;
use crypto::rsa::{PrivateKey, PublicKey};
use crypto::sm2::Sm2Key;
use crypto::{CryptoError, hash};
use domain::{Secret, UnixMs};
use serde_json::Value;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

/// How long before its end a certificate is remarked on.
const NOTICE: Duration = Duration::from_hours(30 * 24);

/// Key material with the name of the key that held it, for faults about it.
pub struct Material<T> {
    /// What was given.
    pub value: T,
    /// Under which key.
    pub key: String,
}

/// The text of a value: a text, or what `JSON.stringify` makes of Node's `fs.readFileSync(…)`, which is
/// `{"type": "Buffer", "data": [bytes]}`. Bytes that are no UTF-8 are given as base64.
fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    if let Value::String(text) = value {
        return Some(Cow::Borrowed(text));
    }
    if value.get("type")?.as_str()? != "Buffer" {
        return None;
    }
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    let bytes: Option<Vec<u8>> = value.get("data")?.as_array()?.iter().map(byte).collect();
    bytes.map(|bytes| Cow::Owned(text_of_bytes(bytes)))
}

fn text_of_bytes(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| crypto::base64(error.as_bytes()))
}

impl<'a> Reader<'a> {
    /// Key material: `<stem>Content` (or its alias), else the file named by `<stem>Path`; an empty file is none.
    /// The bytes of a file that is not UTF-8 are given as base64.
    pub fn material(&self, stem: &str) -> Option<Material<Secret>> {
        let path_key = format!("{stem}Path");
        let keys = [format!("{stem}Content"), format!("{stem}PathContent")];
        self.asks(&keys[0], || Kind::Material);
        // All are asked for, so that all are known keys.
        let path_given = self.has(&path_key);
        let values = keys.each_ref().map(|key| self.raw(key));
        if let Some((value, key)) = values.into_iter().zip(keys).find_map(|(value, key)| Some((value?, key))) {
            return self.texted(value, key);
        }
        let path = if path_given { self.text(&path_key)? } else { return None };
        match std::fs::read(self.shared.base.join(path)) {
            Ok(bytes) => {
                let text = text_of_bytes(bytes);
                (!is_blank(&text)).then(|| Material { value: Secret::new(text), key: path_key })
            }
            Err(error) => {
                self.fault(&path_key, format!("cannot be read: {}", error.kind()));
                None
            }
        }
    }

    /// Key material that must be there.
    pub fn needed(&self, stem: &str) -> Option<Material<Secret>> {
        self.needs_one(stem, false);
        let found = self.material(stem);
        if found.is_none() {
            self.missing(&format!("{stem}Content"), stem, "is missing");
        }
        found
    }

    /// Notes that material must be there, for the schema: under one of its keys, or under the plain one.
    fn needs_one(&self, stem: &str, plain: bool) {
        self.asks("", || {
            let ends: &[&str] =
                if plain { &["", "Content", "PathContent", "Path"] } else { &["Content", "PathContent", "Path"] };
            Kind::OneOf(ends.iter().map(|end| format!("{stem}{end}")).collect())
        });
    }

    /// Key material under a plain key, else as [`Reader::material`].
    pub fn key_material(&self, name: &str) -> Option<Material<Secret>> {
        self.asks(name, || Kind::Material);
        if self.has(name) {
            for end in ["Content", "PathContent", "Path"] {
                self.given(&format!("{name}{end}"));
            }
            return self.inline(name);
        }
        self.material(name)
    }

    /// The same where it must be there.
    pub fn needed_key(&self, name: &str) -> Option<Material<Secret>> {
        self.needs_one(name, true);
        let found = self.key_material(name);
        if found.is_none() {
            let blank = self.given(name).is_some();
            self.missing(name, name, if blank { "is empty" } else { "is missing" });
        }
        found
    }

    /// The fault of material that is not there, unless its own fault has been named already.
    pub fn missing(&self, key: &str, stem: &str, what: &str) {
        let path = format!("{stem}Path");
        if self.material_faulted(stem) || self.faulted(key) {
            return;
        }
        match self.has(&path) {
            true => self.fault(&path, format!("names an empty file, and the key {what}")),
            false => self.fault(key, what),
        }
    }

    /// Whether material is there and has a fault, as a file that cannot be read.
    pub fn material_faulted(&self, stem: &str) -> bool {
        ["Content", "PathContent", "Path"].iter().any(|end| self.faulted(&format!("{stem}{end}")))
    }

    /// A plain text key as key material.
    pub fn inline(&self, key: &str) -> Option<Material<Secret>> {
        let value = self.raw(key)?;
        let material = self.texted(value, key.to_owned())?;
        match super::weakness::weakness(material.value.expose()) {
            Some(what) => {
                self.fault(key, what);
                None
            }
            None => Some(material),
        }
    }

    fn texted(&self, value: &Value, key: String) -> Option<Material<Secret>> {
        match text_of(value) {
            Some(text) if is_blank(&text) => None,
            Some(text) => Some(Material { value: Secret::new(text), key }),
            None => {
                self.fault(&key, "must be a text");
                None
            }
        }
    }

    /// A private RSA key.
    pub fn private_key(&self, material: &Material<Secret>) -> Option<PrivateKey> {
        self.once(material, &self.shared.parsed.private_keys, |text| {
            PrivateKey::parse_from(text, &self.at(&material.key))
        })
    }

    /// A public RSA key, also out of a certificate.
    pub fn public_key(&self, material: &Material<Secret>) -> Option<PublicKey> {
        self.once(material, &self.shared.parsed.public_keys, PublicKey::parse)
    }

    /// A public RSA key of the provider's; one's own in its place is a fault. `belongs` is what belongs there.
    pub fn providers_key(
        &self,
        material: &Material<Secret>,
        own: Option<&PrivateKey>,
        belongs: &str,
    ) -> Option<PublicKey> {
        let key = self.public_key(material)?;
        if own.is_some_and(|own| own.belongs_to(&key)) {
            self.fault(&material.key, format!("is your own key; {belongs} belongs here"));
            return None;
        }
        Some(key)
    }

    /// A public SM2 key of the provider's.
    pub fn sm2_key(&self, material: &Material<Secret>, own: Option<&PrivateKey>, belongs: &str) -> Option<Sm2Key> {
        let text = material.value.expose();
        let key = Sm2Key::parse(text).map_err(|error| match (PublicKey::parse(text), own) {
            (Ok(key), Some(own)) if own.belongs_to(&key) => format!("is your own key; {belongs} belongs here"),
            (Ok(_), _) => format!("is an RSA key; {belongs} belongs here"),
            (Err(_), _) => error.to_string(),
        });
        key.map_err(|what| self.fault(&material.key, what)).ok()
    }

    /// A private P-256 key.
    pub fn ec_key(&self, material: &Material<Secret>) -> Option<EcKey> {
        self.checked(&material.key, EcKey::parse(material.value.expose()))
    }

    /// A certificate; of several the one that issued none of the others.
    pub fn certificate(&self, material: &Material<Secret>) -> Option<Certificate> {
        let chain = self.once(material, &self.shared.parsed.certificates, Certificate::parse_all)?;
        if let [one] = chain.as_slice() {
            return Some(one.clone());
        }
        self.checked(&material.key, Certificate::parse(material.value.expose()))
    }

    /// One's own certificate, with its private key if that could be read; of several the one that fits the key. That
    /// none fits is a fault at the private key.
    pub fn own_certificate(
        &self,
        material: &Material<Secret>,
        private: Option<(&PrivateKey, &Material<Secret>)>,
    ) -> Option<Certificate> {
        let chain = self.once(material, &self.shared.parsed.certificates, Certificate::parse_all)?;
        let leaf = self.certificate(material)?;
        self.checked(&material.key, PublicKey::of_certificate(&leaf))?;
        let Some((key, key_material)) = private else { return Some(leaf) };
        let fits = |certificate: &&Certificate| {
            PublicKey::of_certificate(certificate).is_ok_and(|public| key.belongs_to(&public))
        };
        let own = chain.iter().find(fits);
        if own.is_none() {
            self.fault(&key_material.key, format!("does not match {}", material.key));
        }
        own.cloned()
    }

    /// A fault for a certificate that has ended, a remark for one that soon will. In a sandbox no money waits for it,
    /// so there both are remarks.
    pub fn check_dates(&self, material: &Material<Secret>, certificate: &Certificate, sandbox: bool) {
        let (begins, ends) = certificate.validity();
        let now = self.shared.now.secs();
        let key = &material.key;
        if !sandbox {
            let first = self.shared.first_end.get().map_or(ends, |first| first.secs().min(ends));
            self.shared.first_end.set(UnixMs::from_secs(first));
        }
        if ends < now && sandbox {
            self.remark(key, format!("is a certificate that ended on {}", day(ends)));
        } else if ends < now {
            self.fault(key, format!("is a certificate that ended on {}; put its successor in its place", day(ends)));
        } else if ends < (self.shared.now + NOTICE).secs() {
            self.remark(key, format!("is a certificate that ends on {}; put its successor in its place", day(ends)));
        } else if begins > now {
            self.remark(key, format!("is a certificate that begins on {}", day(begins)));
        }
    }

    fn once<T: Clone>(
        &self,
        material: &Material<Secret>,
        parsed: &RefCell<HashMap<String, T>>,
        parse: impl FnOnce(&str) -> Result<T, CryptoError>,
    ) -> Option<T> {
        let text = material.value.expose();
        let id = hash::sha256_hex(text.as_bytes());
        if let Some(key) = parsed.borrow().get(&id) {
            return Some(key.clone());
        }
        let key = self.checked(&material.key, parse(text))?;
        parsed.borrow_mut().insert(id, key.clone());
        Some(key)
    }

    fn checked<T>(&self, key: &str, result: Result<T, CryptoError>) -> Option<T> {
        result.map_err(|error| self.fault(key, error.to_string())).ok()
    }
}

/// The day of a time in Unix seconds, as `2026-11-29`.
fn day(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .map_or_else(|_| "a day far off".to_owned(), |at| at.date().to_string())
}
