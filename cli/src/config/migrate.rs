//! What VK-Pay's or uni-pay's `config.js` exports, as our configuration: the same keys, with key files as text, without
//! what is blank or belongs to the old system, and with callers.

use super::files::{Files, Trouble};
use super::script::{Exported, Hole, Place, Unknown, Why, text_of_bytes};
use serde_json::{Map, Value, json};
use shared::config::{SECTIONS, Section, is_blank, is_leftover, is_of_old_system, weakness};
use shared::crypto;

/// VK-Pay's names of before it had sections for providers, as docs/protocols/vkpay.md#configuration has those of today.
const FLAT: [(&str, &str, &str); 9] = [
    ("wxConfigMp", "wxpay", "mp-weixin"),
    ("wxConfigApp", "wxpay", "app-plus"),
    ("wxConfigH5", "wxpay", "h5"),
    ("wxConfigH5Weixin", "wxpay", "h5-weixin"),
    ("wxConfigMweb", "wxpay", "mweb"),
    ("aliConfigMp", "alipay", "mp-alipay"),
    ("aliConfigApp", "alipay", "app-plus"),
    ("aliConfigH5", "alipay", "h5"),
    ("aliConfigTransfer", "alipay", "transfer"),
];

/// Keys whose blank entries say something: they are handed on as they are.
const AS_IT_IS: [&str; 5] = ["auth", "handlers", "policy", "userWhitelist", "merchantDocuments"];

/// What was done with an entry, or why it is not in the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// It is not known before the program runs.
    Unknown(Why),
    /// A statement that would have to be run.
    Skipped,
    /// A node or section that nobody filled in.
    Unused,
    /// So many keys that are blank.
    Blank(usize),
    /// A key file that is empty.
    EmptyFile(String),
    /// A key file that cannot be had.
    NoFile(String, Trouble),
    /// A URL of uniCloud.
    OldNotifyUrl,
    /// Days until orders are deleted; here none is.
    NeverDeleted,
    /// The text of a key file is in the document.
    Inlined(String),
    /// It stands under this name now.
    Renamed(String),
    /// uni-pay's switch is off, which here nothing is.
    StillOn,
    /// Nothing but an APIv2 key was given, and no version.
    Version2,
    /// The key was none, for this reason; there is a new one.
    NewNotifyKey(&'static str),
    /// There is a key for the shop's own server.
    NewCaller,
    /// Whom it holds is not known; until it is filled in, nobody may pay.
    ClosedWhitelist,
}

impl What {
    /// Whether a value is not in the result that was meant to be there.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Unknown(why) => !matches!(why, Why::Function | Why::Prototype | Why::Twice(_)),
            Self::NoFile(..) => true,
            _ => false,
        }
    }
}

/// One of these, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) path: String,
    pub(super) place: Option<Place>,
    pub(super) what: What,
}

/// A configuration that was made.
#[derive(Debug)]
pub(super) struct Migrated {
    pub(super) document: Map<String, Value>,
    /// What is not in it.
    pub(super) left_out: Vec<Note>,
    /// What is in it otherwise than before.
    pub(super) changed: Vec<Note>,
}

impl Migrated {
    /// Whether a provider is in it.
    pub(super) fn can_be_paid(&self) -> bool {
        let elsewhere = ["merchants", "merchantDocuments"];
        SECTIONS.iter().map(|section| section.name).chain(elsewhere).any(|key| self.document.contains_key(key))
    }
}

struct Migration<'f> {
    files: &'f Files,
    root: Map<String, Value>,
    holes: Vec<Hole>,
    left_out: Vec<Note>,
    changed: Vec<Note>,
}

/// Makes a configuration of what a `config.js` exports.
///
/// # Errors
/// When it exports no object; the reason where one is known.
pub(super) fn migrate(exported: Exported, files: &Files) -> Result<Migrated, Option<Unknown>> {
    let Exported { value, holes, skipped } = exported;
    let Value::Object(root) = value else {
        return Err(holes.into_iter().next().map(|hole| hole.unknown));
    };
    if root.is_empty() && holes.is_empty() {
        return Err(None);
    }
    let mut migration = Migration { files, root, holes, left_out: Vec::new(), changed: Vec::new() };
    migration.sections_of_old();
    let mut scopes = vec![Vec::new()];
    if let Some(Value::Object(merchants)) = migration.root.get("merchants") {
        scopes.extend(merchants.keys().map(|id| vec!["merchants".to_owned(), id.clone()]));
    }
    for scope in &scopes {
        migration.scope(scope);
    }
    migration.notify_url();
    migration.notify_key();
    migration.whitelist();
    migration.never_deleted();
    migration.blanks();
    migration.callers();
    let of_holes = migration.holes.into_iter().map(|hole| Note {
        path: hole.path.join("."),
        place: Some(hole.unknown.place),
        what: What::Unknown(hole.unknown.why),
    });
    let of_skipped =
        skipped.into_iter().map(|place| Note { path: String::new(), place: Some(place), what: What::Skipped });
    let left_out = of_holes.chain(of_skipped).chain(migration.left_out).collect();
    Ok(Migrated { document: migration.root, left_out, changed: migration.changed })
}

impl Migration<'_> {
    fn note_left_out(&mut self, path: impl Into<String>, what: What) {
        self.left_out.push(Note { path: path.into(), place: None, what });
    }

    fn note_changed(&mut self, path: impl Into<String>, what: What) {
        self.changed.push(Note { path: path.into(), place: None, what });
    }

    /// The keys of holes directly in an object.
    fn holes_in(&self, path: &[String]) -> Vec<String> {
        let inner = self.holes.iter().filter_map(|hole| hole.path.strip_prefix(path));
        inner.filter_map(|rest| rest.first().cloned()).collect()
    }

    fn forget_holes(&mut self, path: &[String]) {
        self.holes.retain(|hole| !hole.path.starts_with(path));
    }

    fn move_holes(&mut self, from: &[String], to: &[String]) {
        for hole in &mut self.holes {
            if let Some(rest) = hole.path.strip_prefix(from) {
                hole.path = to.iter().chain(rest).cloned().collect();
            }
        }
    }

    /// Moves the nodes of VK-Pay's first versions into sections.
    fn sections_of_old(&mut self) {
        for (old, provider, node) in FLAT {
            if !self.root.get(old).is_some_and(Value::is_object) {
                continue;
            }
            let section = self.root.entry(provider).or_insert_with(|| json!({}));
            let Some(section) = section.as_object_mut().filter(|section| !section.contains_key(node)) else { continue };
            section.insert(node.to_owned(), Value::Null);
            let value = self.root.shift_remove(old).unwrap_or_default();
            self.root[provider][node] = value;
            self.move_holes(&[old.to_owned()], &[provider.to_owned(), node.to_owned()]);
            self.note_changed(old, What::Renamed(format!("{provider}.{node}")));
        }
    }

    /// The sections of one merchant.
    fn scope(&mut self, scope: &[String]) {
        for section in SECTIONS {
            let path = below(scope, section.name);
            let Some(Value::Object(provider)) = at(&mut self.root, scope).and_then(|own| own.get_mut(section.name))
            else {
                continue;
            };
            let provider = std::mem::take(provider);
            let kept =
                if section.is_flat() { self.node(&path, provider) } else { self.nodes(section, &path, provider) };
            let Some(own) = at(&mut self.root, scope) else { continue };
            match kept {
                Some(kept) => {
                    own.insert(section.name.to_owned(), Value::Object(kept));
                }
                None => {
                    own.shift_remove(section.name);
                }
            }
        }
    }

    /// The nodes of a provider that are used, under their names here.
    fn nodes(&mut self, section: &Section, path: &[String], nodes: Map<String, Value>) -> Option<Map<String, Value>> {
        let mut kept = Map::new();
        let own_names: Vec<String> = nodes.keys().cloned().collect();
        for (key, value) in nodes {
            let old = below(path, &key);
            let alias = section.aliases.iter().find(|(alias, _)| *alias == key);
            let name = alias.map_or(key.clone(), |(_, name)| (*name).to_owned());
            let Value::Object(node) = value else {
                // uni-pay's switch only says which buttons are shown.
                match (key.as_str(), &value) {
                    ("enable", Value::Bool(false)) => self.note_changed(path.join("."), What::StillOn),
                    ("enable", _) => {}
                    _ => drop(kept.insert(key, value)),
                }
                continue;
            };
            let Some(node) = self.node(&old, node) else { continue };
            if name != key && own_names.contains(&name) {
                kept.insert(key, Value::Object(node));
                continue;
            }
            if name != key {
                self.move_holes(&old, &below(path, &name));
                self.note_changed(old.join("."), What::Renamed(below(path, &name).join(".")));
            }
            kept.insert(name, Value::Object(node));
        }
        (!kept.is_empty()).then_some(kept)
    }

    /// A node that is used, with the text of its key files.
    fn node(&mut self, path: &[String], mut node: Map<String, Value>) -> Option<Map<String, Value>> {
        let unknown = self.holes_in(path);
        let filled = node.iter().filter(|(_, value)| !is_nothing(value)).map(|(key, _)| key.as_str());
        if is_leftover(filled.chain(unknown.iter().map(String::as_str)), SECTIONS) {
            self.forget_holes(path);
            self.note_left_out(path.join("."), What::Unused);
            return None;
        }
        let keys: Vec<String> = node.keys().filter(|key| key.len() > 4 && key.ends_with("Path")).cloned().collect();
        for key in keys {
            self.inline(path, &key, &mut node);
        }
        let has = |key: &str| node.get(key).is_some_and(|value| !is_nothing(value));
        let knows = |key: &str| has(key) || unknown.iter().any(|name| name == key);
        if path.iter().any(|part| part == "wxpay") && has("key") && !knows("v3Key") && !knows("version") {
            node.insert("version".to_owned(), 2.into());
            self.note_changed(below(path, "version").join("."), What::Version2);
        }
        Some(node)
    }

    /// Puts the text of a file in the place of its path.
    fn inline(&mut self, path: &[String], key: &str, node: &mut Map<String, Value>) {
        let Some(Value::String(file)) = node.get(key).cloned() else { return };
        node.shift_remove(key);
        let content = format!("{}Content", key.trim_end_matches("Path"));
        let named = below(path, key).join(".");
        if is_blank(&file) || node.get(&content).is_some_and(|value| !is_nothing(value)) {
            return;
        }
        match self.files.read(&file) {
            Ok(bytes) if is_blank(&text_of_bytes(&bytes)) => {
                self.note_left_out(named, What::EmptyFile(self.files.shown(&file)));
            }
            Ok(bytes) => {
                node.insert(content, text_of_bytes(&bytes).into());
                self.note_changed(named, What::Inlined(self.files.shown(&file)));
            }
            Err(trouble) => self.note_left_out(named, What::NoFile(self.files.shown(&file), trouble)),
        }
    }

    /// Takes out the URLs of uniCloud: providers would send their callbacks there.
    fn notify_url(&mut self) {
        const KEY: &str = "notifyUrl";
        let old = |value: &Value| value.as_str().is_some_and(is_of_old_system);
        let (found, empty) = match self.root.get_mut(KEY) {
            Some(Value::Object(map)) => {
                let before = map.len();
                map.retain(|_, value| !old(value));
                (map.len() < before, map.is_empty())
            }
            Some(value) => (old(value), old(value)),
            None => return,
        };
        if empty {
            self.root.shift_remove(KEY);
        }
        if found {
            self.note_left_out(KEY, What::OldNotifyUrl);
        }
    }

    fn notify_key(&mut self) {
        const KEY: &str = "notifyKey";
        let Some(Value::String(key)) = self.root.get(KEY) else { return };
        if is_blank(key) {
            return;
        }
        if let Some(why) = weakness(key) {
            self.root.insert(KEY.to_owned(), new_secret().into());
            self.note_changed(KEY, What::NewNotifyKey(why));
        }
    }

    /// Who may pay must not become everybody because the list is not known.
    fn whitelist(&mut self) {
        const KEY: &str = "userWhitelist";
        let unknown = !self.holes_in(&[]).iter().all(|key| key != KEY);
        if !unknown {
            return;
        }
        let known: Vec<Value> = match self.root.get(KEY) {
            Some(Value::Array(list)) => list.iter().filter(|value| !value.is_null()).cloned().collect(),
            _ => Vec::new(),
        };
        self.root.insert(KEY.to_owned(), known.into());
        self.note_changed(KEY, What::ClosedWhitelist);
    }

    fn never_deleted(&mut self) {
        const KEY: &str = "autoDeleteExpiredOrders";
        if let Some(value) = self.root.shift_remove(KEY)
            && value.as_u64().is_some_and(|days| days > 0)
        {
            self.note_left_out(KEY, What::NeverDeleted);
        }
    }

    fn blanks(&mut self) {
        let mut count = 0;
        self.root.retain(|key, value| AS_IT_IS.contains(&key.as_str()) || keep(value, &mut count));
        if count > 0 {
            self.note_left_out("", What::Blank(count));
        }
    }

    /// Without callers nothing starts: one key for the shop's own server.
    fn callers(&mut self) {
        const KEY: &str = "auth";
        if self.root.get(KEY).is_some_and(|auth| !is_nothing(auth)) {
            return;
        }
        self.root.insert(KEY.to_owned(), json!({ "default": "key", "keys": { "backend": new_secret() } }));
        self.note_changed("auth.keys.backend", What::NewCaller);
    }
}

/// 32 bytes of chance, as text.
fn new_secret() -> String {
    crypto::base64(&crypto::random::<32>()).replace('+', "-").replace('/', "_").replace('=', "")
}

/// A path and a key below it.
fn below(path: &[String], key: &str) -> Vec<String> {
    path.iter().cloned().chain([key.to_owned()]).collect()
}

fn at<'m>(root: &'m mut Map<String, Value>, path: &[String]) -> Option<&'m mut Map<String, Value>> {
    path.iter().try_fold(root, |map, key| map.get_mut(key)?.as_object_mut())
}

/// Whether a value says nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => is_blank(text),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Takes out what says nothing, and counts it.
fn keep(value: &mut Value, count: &mut usize) -> bool {
    if let Value::Object(map) = value {
        map.retain(|_, value| keep(value, count));
    }
    let nothing = is_nothing(value);
    *count += usize::from(nothing);
    !nothing
}
