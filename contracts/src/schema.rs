//! The schema of the configuration, made of what its reader asks for.
//!
//! What the schema refuses the reader refuses or remarks on; the reader also sees what no schema can say, such as a key
//! that does not fit its certificate. A node that says nothing of itself is a leftover of a sample: the reader skips
//! it, and what is wrong with its other keys an editor marks all the same.

use crate::explore::{NAME, Reading, at, readings};
use crate::meanings::Meanings;
use config::{Asked, Kind};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What counts as absent, as a pattern.
const BLANK: &str = r"^[\s\uFEFF]*$";

/// One reading of one object.
struct Look<'a> {
    object: Map<String, Value>,
    asked: Vec<&'a Asked>,
}

impl Look<'_> {
    fn of(&self, key: &str) -> impl Iterator<Item = &Asked> {
        self.asked.iter().copied().filter(move |one| one.key == key)
    }

    fn needs(&self, key: &str) -> bool {
        self.of(key).any(|one| one.needed)
    }

    fn groups(&self) -> BTreeSet<&[String]> {
        let groups = self.of("").filter_map(|one| match &one.kind {
            Kind::OneOf(keys) => Some(keys.as_slice()),
            _ => None,
        });
        groups.collect()
    }
}

/// Whether the reader checked what the key holds wherever it held something.
fn checks(looks: &[&Look<'_>], key: &str) -> bool {
    let mut held = looks.iter().filter(|look| look.object.contains_key(key)).peekable();
    held.peek().is_some() && held.all(|look| look.of(key).any(|one| rank(&one.kind) > 1))
}

/// Of several kinds that a key was asked for as, the one that says most.
fn rank(kind: &Kind) -> usize {
    match kind {
        Kind::Looked => 0,
        Kind::Known => 1,
        Kind::Text => 2,
        Kind::Secret { least, bytes, entered } => {
            3 + usize::from(*least > 1 || bytes.is_some()) + usize::from(*entered)
        }
        Kind::Form(..) | Kind::Node(_) | Kind::Alias(_) => 6,
        _ => 5,
    }
}

/// The schema of a configuration.
pub fn config_schema() -> Value {
    let readings = readings();
    let mut levels: BTreeMap<Vec<String>, Vec<Look<'_>>> = BTreeMap::new();
    for reading in &readings {
        for (within, asked) in by_object(reading) {
            let object = at(&reading.document, within).and_then(Value::as_object).cloned().unwrap_or_default();
            levels.entry(within.to_vec()).or_default().push(Look { object, asked });
        }
    }
    let blank = json!({ "description": "As if it were absent.", "type": ["string", "null"], "pattern": BLANK });
    let definitions = Map::from_iter([("blank".to_owned(), blank), ("unknown".to_owned(), unknown())]);
    let mut maker = Maker { levels, meanings: Meanings::read(), definitions };
    let root = maker.object(&[]);
    let mut schema = Map::new();
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("VK-Pay for AWS: the merchant's configuration"));
    schema.insert(
        "description".to_owned(),
        json!("Made of the code that reads the configuration; docs/configuration.md explains it."),
    );
    if let Value::Object(mut root) = root {
        root.insert("type".to_owned(), json!("object"));
        root.remove("pattern");
        schema.extend(root);
    }
    schema.insert("$defs".to_owned(), Value::Object(maker.definitions));
    Value::Object(schema)
}

/// What was asked in a document, by the object that it was asked in.
fn by_object(reading: &Reading) -> BTreeMap<&[String], Vec<&Asked>> {
    let mut found: BTreeMap<&[String], Vec<&Asked>> = BTreeMap::new();
    for one in &reading.asked {
        found.entry(&one.within).or_default().push(one);
    }
    found
}

struct Maker<'a> {
    levels: BTreeMap<Vec<String>, Vec<Look<'a>>>,
    meanings: Meanings,
    definitions: Map<String, Value>,
}

impl Maker<'_> {
    /// The schema of the object at a path.
    fn object(&mut self, path: &[String]) -> Value {
        let Some(looks) = self.levels.remove(path) else { return json!({}) };
        let mut schema = Map::from_iter([("type".to_owned(), json!(["object", "string", "null"]))]);
        schema.insert("pattern".to_owned(), json!(BLANK));
        let keys: BTreeSet<String> = looks
            .iter()
            .flat_map(|look| &look.asked)
            .map(|one| one.key.clone())
            .filter(|key| !key.is_empty())
            .collect();
        let names = looks.iter().flat_map(|look| look.of("")).find_map(|one| match &one.kind {
            Kind::Names(pattern) => Some(*pattern),
            _ => None,
        });
        if let Some(pattern) = names {
            let entry = self.entry(path, &looks);
            schema.insert("patternProperties".to_owned(), json!({ pattern: entry }));
            schema.insert("additionalProperties".to_owned(), json!(false));
            return Value::Object(schema);
        }
        let all: Vec<&Look<'_>> = looks.iter().collect();
        let mut whole = BTreeMap::new();
        let mut properties = Map::new();
        for key in &keys {
            let asked = looks.iter().flat_map(|look| look.of(key)).max_by_key(|one| rank(&one.kind));
            let Some(kind) = asked.map(|one| one.kind.clone()) else { continue };
            let value = self.value(path, key, &kind);
            let always = checks(&all, key);
            let mut own = match (&value, always) {
                (Value::Object(value), true) => value.clone(),
                _ => Map::new(),
            };
            if !own.contains_key("description")
                && let Some(meaning) = self.meaning(path, key)
            {
                own.insert("description".to_owned(), json!(meaning));
            }
            properties.insert(key.clone(), Value::Object(own));
            if !always {
                whole.insert(key.clone(), value);
            }
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
        if looks.iter().any(|look| look.of("").any(|one| one.kind == Kind::Closed)) {
            schema.insert("additionalProperties".to_owned(), json!(false));
        } else if looks.iter().any(|look| look.of("").any(|one| one.kind == Kind::Remarked)) {
            schema.insert("additionalProperties".to_owned(), json!({ "$ref": "#/$defs/unknown" }));
        }
        schema.extend(rules(&looks, &keys, &whole));
        Value::Object(schema)
    }

    /// The schema of what a name stands for that the merchant chose.
    fn entry(&mut self, path: &[String], looks: &[Look<'_>]) -> Value {
        let own: Vec<String> = path.iter().cloned().chain([NAME.to_owned()]).collect();
        if path == ["merchants"] {
            return self.merchant(&own);
        }
        let asked = looks.iter().flat_map(|look| look.of(NAME)).max_by_key(|one| rank(&one.kind));
        match asked.map(|one| one.kind.clone()) {
            Some(kind) => self.value(path, NAME, &kind),
            None => json!({}),
        }
    }

    /// A merchant: the sections that stand at the top as well.
    fn merchant(&mut self, path: &[String]) -> Value {
        let looks = self.levels.remove(path).unwrap_or_default();
        let mut properties = Map::new();
        for key in looks.iter().flat_map(|look| &look.asked).map(|one| one.key.as_str()).filter(|key| !key.is_empty()) {
            properties.insert(key.to_owned(), json!({ "$ref": format!("#/properties/{key}") }));
        }
        json!({
            "type": ["object", "string", "null"],
            "pattern": BLANK,
            "properties": properties,
            "additionalProperties": { "$ref": "#/$defs/unknown" },
        })
    }

    fn meaning(&self, path: &[String], key: &str) -> Option<String> {
        let section = path.first().map_or("", String::as_str);
        // Below the section are its nodes, or the types of handlers.
        let skipped = if ["auth", "policy", "merchantDocuments"].contains(&section) { 1 } else { 2 };
        let mut inner: Vec<&str> = path.iter().skip(skipped).map(String::as_str).collect();
        inner.push(key);
        self.meanings.of(section, &inner).map(str::to_owned)
    }

    /// The schema of a key by its kind.
    fn value(&mut self, path: &[String], key: &str, kind: &Kind) -> Value {
        let own: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
        match kind {
            Kind::Object => self.object(&own),
            Kind::Node(identity) => self.node(&own, identity),
            Kind::Alias(name) => {
                let target: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
                let mut node = json!({ "$ref": format!("#/$defs/{}", target.join(".")) });
                node["description"] = json!(format!("uni-pay's name of {name}"));
                node
            }
            kind => scalar(kind),
        }
    }

    /// A provider's node, which is a definition: others may have the same keys, and have other names.
    fn node(&mut self, path: &[String], identity: &[String]) -> Value {
        let name = path.join(".");
        if !self.definitions.contains_key(&name) {
            let node = unless_leftover(self.object(path), identity);
            let same = self.definitions.iter().find(|(_, other)| **other == node).map(|(name, _)| name.clone());
            let node = same.map_or(node, |same| json!({ "$ref": format!("#/$defs/{same}") }));
            self.definitions.insert(name.clone(), node);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }
}

/// The schema of a node, which demands nothing where none of these keys is filled in.
fn unless_leftover(mut node: Value, identity: &[String]) -> Value {
    let Some(object) = node.as_object_mut() else { return node };
    let demands: Map<String, Value> =
        ["required", "allOf"].into_iter().filter_map(|word| Some((word.to_owned(), object.remove(word)?))).collect();
    if !demands.is_empty() {
        let blank = json!({ "$ref": "#/$defs/blank" });
        let filled = |key: &String| json!({ "required": [key], "properties": { key: { "not": blank } } });
        let used: Vec<Value> = identity.iter().map(filled).collect();
        object.insert("if".to_owned(), json!({ "anyOf": used }));
        object.insert("then".to_owned(), Value::Object(demands));
    }
    node
}

/// What a key may hold that nothing reads.
fn unknown() -> Value {
    json!({
        "description": "Nothing reads a key of this name.",
        "type": ["string", "null"],
        "pattern": BLANK,
        "errorMessage": "is not known here and is ignored",
    })
}

/// The schema of a value that is no object.
fn scalar(kind: &Kind) -> Value {
    let or_blank = |pattern: &str| format!(r"^\s*({pattern})?\s*$");
    match kind {
        Kind::Text => json!({ "type": ["string", "number", "null"] }),
        Kind::Url => json!({ "type": ["string", "null"], "pattern": or_blank(r"[hH][tT][tT][pP][sS]?:[\s\S]*") }),
        Kind::Secret { least, bytes, entered } => secret(*least, *bytes, *entered),
        Kind::Material => {
            let byte = json!({ "type": "integer", "minimum": 0, "maximum": 255 });
            json!({
                "type": ["string", "object", "null"],
                "properties": { "type": { "const": "Buffer" }, "data": { "type": "array", "items": byte } },
                "required": ["type", "data"],
            })
        }
        Kind::Flag => json!({ "type": ["boolean", "string", "null"], "pattern": BLANK }),
        Kind::Integer { least, most } => json!({
            "type": ["integer", "string", "null"], "minimum": least, "maximum": most, "pattern": BLANK,
        }),
        Kind::Choice(words) => {
            let pattern = or_blank(&words.join("|"));
            json!({ "anyOf": [{ "enum": words }, { "type": ["string", "null"], "pattern": pattern }] })
        }
        Kind::Texts => json!({ "type": ["array", "null"], "items": { "type": "string" } }),
        Kind::Form(form, _) => form.clone(),
        _ => json!({}),
    }
}

fn secret(least: usize, bytes: Option<usize>, entered: bool) -> Value {
    let mut schema = json!({ "type": ["string", "null"] });
    // A character may be several bytes.
    let long = |least: usize| json!({ "minLength": least });
    match bytes {
        Some(bytes) => {
            schema["maxLength"] = json!(bytes);
            schema["if"] = json!({ "pattern": "^[ -~]*$" });
            schema["then"] = long(bytes);
        }
        None if least > 1 => {
            schema["if"] = json!({ "pattern": "^[ -~]*$" });
            schema["then"] = long(least);
        }
        None => {}
    }
    if entered {
        schema["pattern"] = json!(r"[^\s\uFEFF]");
    }
    schema
}

/// What a reader demands of an object in each of some readings.
#[derive(Clone, Default)]
struct Demands {
    needed: BTreeSet<String>,
    groups: BTreeSet<Vec<String>>,
    checked: BTreeSet<String>,
}

impl Demands {
    fn of(looks: &[&Look<'_>], keys: &BTreeSet<String>) -> Self {
        let needed = keys.iter().filter(|key| looks.iter().all(|look| look.needs(key)));
        let checked = keys.iter().filter(|key| checks(looks, key));
        let groups = looks.first().map(|first| first.groups()).unwrap_or_default();
        let groups = groups.into_iter().filter(|group| looks.iter().all(|look| look.groups().contains(group)));
        Self {
            needed: needed.cloned().collect(),
            groups: groups.map(<[String]>::to_vec).collect(),
            checked: checked.cloned().collect(),
        }
    }

    fn minus(&self, other: &Self) -> Self {
        Self {
            needed: &self.needed - &other.needed,
            groups: &self.groups - &other.groups,
            checked: &self.checked - &other.checked,
        }
    }

    /// The keywords that say so; `values` are the schemas of the keys.
    fn keywords(&self, values: &BTreeMap<String, Value>) -> Map<String, Value> {
        let mut words = Map::new();
        let checked: Map<String, Value> =
            self.checked.iter().filter_map(|key| Some((key.clone(), values.get(key)?.clone()))).collect();
        if !checked.is_empty() {
            words.insert("properties".to_owned(), Value::Object(checked));
        }
        if !self.needed.is_empty() {
            words.insert("required".to_owned(), json!(self.needed));
        }
        if !self.groups.is_empty() {
            let one = |group: &Vec<String>| json!({ "anyOf": group.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>() });
            words.insert("allOf".to_owned(), json!(self.groups.iter().map(one).collect::<Vec<_>>()));
        }
        words
    }
}

/// A key with a value that leads the reader another way; `None` where it is absent.
type Turn = (String, Option<Value>);

/// The values that lead somewhere else, of every key that has such.
fn turns(looks: &[Look<'_>]) -> BTreeMap<String, Vec<Turn>> {
    let mut found = BTreeMap::new();
    for one in looks.iter().flat_map(|look| &look.asked) {
        let values: Vec<Value> = match &one.kind {
            Kind::Choice(words) => words.iter().map(|word| json!(word)).collect(),
            Kind::Flag => vec![json!(true), json!(false)],
            Kind::Form(_, values) if !values.is_empty() => values.clone(),
            _ => continue,
        };
        let values = [None].into_iter().chain(values.into_iter().map(Some));
        found.entry(one.key.clone()).or_insert_with(|| values.map(|value| (one.key.clone(), value)).collect());
    }
    found
}

fn takes(look: &Look<'_>, (key, value): &Turn) -> bool {
    look.object.get(key) == value.as_ref()
}

fn condition(turns: &[&Turn]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (key, value) in turns {
        match value {
            Some(value) => {
                properties.insert(key.clone(), json!({ "const": value }));
                required.push(key);
            }
            None => drop(properties.insert(key.clone(), json!({ "$ref": "#/$defs/blank" }))),
        }
    }
    match required.is_empty() {
        true => json!({ "properties": properties }),
        false => json!({ "properties": properties, "required": required }),
    }
}

/// What must be there, and what must be there or is checked only where another key has a certain value.
fn rules(looks: &[Look<'_>], keys: &BTreeSet<String>, values: &BTreeMap<String, Value>) -> Map<String, Value> {
    let all: Vec<&Look<'_>> = looks.iter().collect();
    let always = Demands::of(&all, keys);
    let mut words = Demands { checked: BTreeSet::new(), ..always.clone() }.keywords(values);
    let mut rules: Vec<Value> = match words.remove("allOf") {
        Some(Value::Array(groups)) => groups,
        _ => Vec::new(),
    };
    let turns: Vec<Vec<Turn>> = turns(looks).into_values().collect();
    let under = |way: &[&Turn]| -> Option<Demands> {
        let taken: Vec<&Look<'_>> =
            all.iter().copied().filter(|look| way.iter().all(|turn| takes(look, turn))).collect();
        (!taken.is_empty()).then(|| Demands::of(&taken, keys).minus(&always))
    };
    let mut tell = |way: &[&Turn], demands: &Demands| {
        let then = demands.keywords(values);
        if !then.is_empty() {
            rules.push(json!({ "if": condition(way), "then": then }));
        }
    };
    // A key leads somewhere only where it is looked at, whatever else is there.
    let leads = |turns: &&Vec<Turn>, within: &[&Look<'_>]| turns.first().is_some_and(|(key, _)| checks(within, key));
    let first: Vec<&Vec<Turn>> = turns.iter().filter(|turns| leads(turns, &all)).collect();
    for one in first.iter().copied().flatten() {
        let Some(own) = under(&[one]) else { continue };
        tell(&[one], &own);
        let taken: Vec<&Look<'_>> = all.iter().copied().filter(|look| takes(look, one)).collect();
        for other in turns.iter().filter(|turns| leads(turns, &taken)).flatten().filter(|other| other.0 != one.0) {
            let others = under(&[other]).filter(|_| first.iter().any(|turns| turns.contains(other)));
            // What one of them says is not said again for both.
            if let Some(both) = under(&[one, other]) {
                tell(&[one, other], &both.minus(&own).minus(&others.unwrap_or_default()));
            }
        }
    }
    if !rules.is_empty() {
        words.insert("allOf".to_owned(), json!(rules));
    }
    words
}
