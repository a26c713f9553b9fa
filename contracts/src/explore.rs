//! Leads the reader of the configuration through its branches, and keeps what it asked for on the way.
//!
//! It begins with an empty document. Each key that was asked for is put in with a value of its kind, in a copy; a copy
//! that the reader asks something new of is gone on with. In the end every key that was asked for anywhere is put into
//! each of those, to see where it is not looked at. Nothing has to be valid: the reader goes on after a fault.

use config::{Asked, Kind};
use providers::Config;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The name that stands for any name where the merchant chooses.
pub(crate) const NAME: &str = "name";
/// How many keys lead somewhere else at once.
const CHANGES: usize = 3;

/// A document, and what the reader asked of it.
pub(crate) struct Reading {
    pub(crate) document: Value,
    pub(crate) asked: Vec<Asked>,
}

struct Lead {
    document: Value,
    /// Only what is below here is changed: what sections do has nothing to do with each other.
    focus: Vec<String>,
    changes: usize,
    /// Whether it is gone on with: what a text holds leads nowhere else.
    ends: bool,
}

/// A key with a value that is put in.
struct Change {
    path: Vec<String>,
    value: Value,
    is_node: bool,
    /// Whether other values of it lead somewhere else.
    turns: bool,
}

/// All that the reader asks for, in as many documents as it takes.
pub(crate) fn readings() -> Vec<Reading> {
    let mut found = Vec::new();
    let mut led = Vec::new();
    let mut seen = BTreeSet::new();
    let mut leads = VecDeque::from([Lead { document: json!({}), focus: Vec::new(), changes: 0, ends: false }]);
    while let Some(lead) = leads.pop_front() {
        let empty = Map::new();
        let asked = Config::asked(lead.document.as_object().unwrap_or(&empty));
        if seen.insert(signature(&asked)) {
            let next = if lead.ends { Vec::new() } else { changes(&lead, &asked) };
            for Change { path, value, is_node, turns } in next {
                let changes = lead.changes + usize::from(turns);
                let ends = !turns && !value.is_object();
                let focus = match lead.focus.len() {
                    0 => vec![path[0].clone()],
                    1 if is_node && path.len() == 2 => path.clone(),
                    _ => lead.focus.clone(),
                };
                if changes <= CHANGES {
                    leads.push_back(Lead { document: with(&lead.document, &path, value), focus, changes, ends });
                }
            }
            led.push((lead.document.clone(), lead.focus));
        } else if !lead.ends && lead.changes == 1 {
            // The same way by its name.
            led.push((lead.document.clone(), lead.focus));
        }
        found.push(Reading { document: lead.document, asked });
    }
    let all = asked_anywhere(&found);
    for (document, focus) in &led {
        for (path, value) in &all {
            let inside = path.starts_with(focus) && !focus.is_empty();
            let (within, _) = path.split_at(path.len() - 1);
            if inside && at(document, path).is_none() && at(document, within).is_some_and(Value::is_object) {
                let document = with(document, path, value.clone());
                let asked = Config::asked(document.as_object().unwrap_or(&Map::new()));
                found.push(Reading { document, asked });
            }
        }
    }
    found
}

/// Every key that was asked for in some document, by its path, with the values that may make a difference.
fn asked_anywhere(readings: &[Reading]) -> Vec<(Vec<String>, Value)> {
    let mut found: BTreeMap<Vec<String>, Vec<&Kind>> = BTreeMap::new();
    for one in readings.iter().flat_map(|reading| &reading.asked).filter(|one| !one.key.is_empty()) {
        let path = one.within.iter().cloned().chain([one.key.clone()]).collect();
        let kinds = found.entry(path).or_default();
        if !kinds.contains(&&one.kind) {
            kinds.push(&one.kind);
        }
    }
    let mut all = Vec::new();
    for (path, kinds) in found {
        let mut own: Vec<Value> = Vec::new();
        for value in values(&kinds) {
            if !own.contains(&value) {
                own.push(value);
            }
        }
        let turns = kinds.iter().copied().any(turns);
        own.truncate(if turns { own.len() } else { 1 });
        all.extend(own.into_iter().map(|value| (path.clone(), value)));
    }
    all
}

/// What tells two readings apart.
fn signature(asked: &[Asked]) -> BTreeSet<String> {
    asked.iter().map(|one| format!("{one:?}")).collect()
}

/// What a document is gone on with.
fn changes(lead: &Lead, asked: &[Asked]) -> Vec<Change> {
    let mut paths: Vec<Vec<String>> = Vec::new();
    for one in asked.iter().filter(|one| one.within.starts_with(&lead.focus)) {
        let key = match &one.kind {
            Kind::Names(_) => NAME,
            _ if one.key.is_empty() => continue,
            _ => &one.key,
        };
        let path: Vec<String> = one.within.iter().cloned().chain([key.to_owned()]).collect();
        // Below a merchant are the sections that are at the top as well.
        let again = path[0] == "merchants" && path.len() > 2;
        if !again && !paths.contains(&path) && at(&lead.document, &path).is_none() {
            paths.push(path);
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let (within, key) = path.split_at(path.len() - 1);
        let kinds: Vec<&Kind> = asked
            .iter()
            .filter(|one| one.within == within && (one.key == key[0] || matches!(one.kind, Kind::Names(_))))
            .map(|one| &one.kind)
            .collect();
        let is_node = kinds.iter().any(|kind| matches!(kind, Kind::Node(_)));
        let turns = kinds.iter().copied().any(turns);
        found.extend(values(&kinds).into_iter().map(|value| Change { path: path.clone(), value, is_node, turns }));
    }
    found
}

/// Whether the values of a kind may lead somewhere else.
fn turns(kind: &Kind) -> bool {
    match kind {
        Kind::Choice(_) | Kind::Flag => true,
        Kind::Form(_, values) => !values.is_empty(),
        _ => false,
    }
}

/// Values of a key that may make a difference.
fn values(kinds: &[&Kind]) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Node(keys) => return vec![json!({ &keys[0]: "x1" })],
            Kind::Object => return vec![json!({})],
            Kind::Names(_) => values.extend([json!({}), json!("x")]),
            Kind::Text | Kind::Material => values.push(json!("x")),
            Kind::Url => values.push(json!("https://x.example")),
            Kind::Secret { .. } => values.push(json!("0123456789abcdefghijklmnopqrstuv")),
            Kind::Flag => values.extend([json!(true), json!(false)]),
            Kind::Integer { least, .. } => values.push(json!(least)),
            Kind::Choice(words) => values.extend(words.iter().map(|word| json!(word))),
            Kind::Texts => values.push(json!(["x"])),
            Kind::Form(_, own) if own.is_empty() => values.push(json!("x")),
            Kind::Form(_, own) => values.extend(own.iter().cloned()),
            Kind::Looked | Kind::Known | Kind::Alias(_) | Kind::OneOf(_) | Kind::Closed | Kind::Remarked => {}
        }
    }
    if kinds.iter().all(|kind| matches!(kind, Kind::Looked)) {
        values.extend([json!({}), json!("x")]);
    }
    values
}

/// The value at a path.
pub(crate) fn at<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, key| value.get(key))
}

/// The document with a value at a path, whose objects are there.
fn with(document: &Value, path: &[String], value: Value) -> Value {
    let mut document = document.clone();
    let mut place = &mut document;
    for key in path {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[key];
    }
    *place = value;
    document
}
