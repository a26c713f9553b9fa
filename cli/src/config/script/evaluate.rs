//! Expressions that are constant, computed. Nothing is called but what `calls` knows.

use super::literal::{LARGEST, escape, number, real};
use super::syntax::{Place, place};
use super::value::{Native, Object, Unknown, Value, Why};
use crate::config::files::Files;
use serde_json::Number;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use tree_sitter::Node;

/// How deep expressions may be nested in each other.
const DEEPEST: usize = 100;
/// How much may be computed: steps, and bytes of text.
const STEPS: usize = 200_000;
const BYTES: usize = 16 << 20;

/// How many parts a sum may have; the lines of a key are a hundred at most.
const LONGEST_SUM: usize = 10_000;

/// The names and values of one program.
pub(super) struct Machine<'a> {
    pub(super) text: &'a str,
    pub(super) files: &'a Files,
    pub(super) names: HashMap<String, Value>,
    pub(super) exports: Value,
    pub(super) objects: Vec<Object>,
    pub(super) lists: Vec<Vec<Value>>,
    steps: usize,
    bytes: usize,
    depth: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(text: &'a str, files: &'a Files) -> Self {
        let (names, lists) = (HashMap::new(), Vec::new());
        let objects = vec![Object::default()];
        let exports = Value::Object(0);
        Self { text, files, names, exports, objects, lists, steps: STEPS, bytes: BYTES, depth: 0 }
    }

    pub(super) fn place(&self, node: Node<'_>) -> Place {
        place(self.text, node)
    }

    pub(super) fn source(&self, node: Node<'_>) -> &'a str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    pub(super) fn unknown(&self, why: Why, node: Node<'_>) -> Value {
        Value::unknown(why, self.place(node))
    }

    /// A text that was made; there is an end to how much can be.
    pub(super) fn made(&mut self, text: impl Into<Rc<str>>, node: Node<'_>) -> Value {
        let text = text.into();
        match self.bytes.checked_sub(text.len()) {
            Some(left) => {
                self.bytes = left;
                Value::Text(text)
            }
            None => self.unknown(Why::TooMuch, node),
        }
    }

    /// Takes a number of steps; false when there are no more.
    pub(super) fn take_steps(&mut self, count: usize) -> bool {
        let left = self.steps.checked_sub(count);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }

    /// Whether there was more to compute than may be; then something may not have been.
    pub(super) fn is_spent(&self) -> bool {
        self.steps == 0
    }

    pub(super) fn new_object(&mut self, object: Object) -> Value {
        self.objects.push(object);
        Value::Object(self.objects.len() - 1)
    }

    pub(super) fn new_list(&mut self, list: Vec<Value>) -> Value {
        self.lists.push(list);
        Value::List(self.lists.len() - 1)
    }

    /// The value of an expression.
    pub(super) fn evaluate(&mut self, node: Node<'_>) -> Value {
        if self.depth >= DEEPEST || !self.take_steps(1) {
            return self.unknown(Why::TooMuch, node);
        }
        self.depth += 1;
        let value = self.expression(node);
        self.depth -= 1;
        value
    }

    fn expression(&mut self, node: Node<'_>) -> Value {
        match node.kind() {
            "string" | "template_string" => self.text_of(node),
            "number" => number(self.source(node)).map_or_else(|| self.unknown(Why::Expression, node), Value::Number),
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            "undefined" => Value::Undefined,
            "identifier" | "shorthand_property_identifier" => self.name(node),
            "object" => self.object(node),
            "array" => self.array(node),
            "parenthesized_expression" => match inner(node).as_slice() {
                [only] => self.evaluate(*only),
                _ => self.unknown(Why::Expression, node),
            },
            "binary_expression" => self.binary(node),
            "unary_expression" => self.unary(node),
            "ternary_expression" => self.ternary(node),
            "member_expression" | "subscript_expression" => self.member(node),
            "call_expression" => self.call(node),
            "assignment_expression" => self.assign(node),
            "new_expression" => {
                let name = node.child_by_field_name("constructor").map(|name| self.callee(name));
                self.unknown(Why::Call(format!("new {}", name.unwrap_or_default())), node)
            }
            "arrow_function" | "function_expression" | "generator_function" | "class" => {
                self.unknown(Why::Function, node)
            }
            _ => self.unknown(Why::Expression, node),
        }
    }

    /// A text, also a template with what stands in it.
    fn text_of(&mut self, node: Node<'_>) -> Value {
        let mut units: Vec<u16> = Vec::new();
        for part in inner(node) {
            match part.kind() {
                "string_fragment" => units.extend(self.source(part).replace("\r\n", "\n").encode_utf16()),
                "escape_sequence" => match escape(self.source(part)) {
                    Some(escaped) => units.extend(escaped),
                    None => return self.unknown(Why::Expression, part),
                },
                "template_substitution" => {
                    let value = match inner(part).as_slice() {
                        [only] => self.evaluate(*only),
                        _ => self.unknown(Why::Expression, part),
                    };
                    match (value.to_text(), value) {
                        (_, unknown @ Value::Unknown(_)) => return unknown,
                        (Some(text), _) => units.extend(text.encode_utf16()),
                        (None, _) => return self.unknown(Why::Expression, part),
                    }
                }
                _ => return self.unknown(Why::Expression, part),
            }
        }
        match String::from_utf16(&units) {
            Ok(text) => self.made(text, node),
            Err(_) => self.unknown(Why::Expression, node),
        }
    }

    fn name(&self, node: Node<'_>) -> Value {
        let name = self.source(node);
        if let Some(value) = self.names.get(name) {
            return value.clone();
        }
        match name {
            "__dirname" => Value::text(self.files.folder()),
            "process" => Value::Native(Native::Process),
            "Buffer" => Value::Native(Native::Buffer),
            "Object" => Value::Native(Native::Object),
            "module" => Value::Native(Native::Module),
            "require" => Value::Native(Native::Require),
            "exports" => Value::Object(0),
            _ => self.unknown(Why::Name(name.to_owned()), node),
        }
    }

    fn object(&mut self, node: Node<'_>) -> Value {
        let mut object = Object::default();
        let mut named = HashSet::new();
        for entry in inner(node) {
            match entry.kind() {
                "pair" => {
                    let (key, value) = (entry.child_by_field_name("key"), entry.child_by_field_name("value"));
                    let (Some(key), Some(value)) = (key, value) else { continue };
                    let (name, value) = (self.key(key), self.evaluate(value));
                    if let Some(again) = name.to_text().filter(|name| !named.insert(name.clone())) {
                        object.gaps.push(Unknown { why: Why::Twice(again.to_string()), place: self.place(entry) });
                    }
                    self.put(&mut object, name, value, entry);
                }
                "shorthand_property_identifier" => {
                    let value = self.evaluate(entry);
                    object.set(self.source(entry).into(), value);
                }
                "method_definition" => {
                    let name = entry.child_by_field_name("name").map(|key| self.key(key));
                    let value = self.unknown(Why::Function, entry);
                    if let Some(name) = name {
                        self.put(&mut object, name, value, entry);
                    }
                }
                "spread_element" => {
                    let value = inner(entry).first().map(|spread| self.evaluate(*spread));
                    self.spread(&mut object, value.unwrap_or(Value::Undefined), entry);
                }
                _ => object.gaps.push(Unknown { why: Why::Expression, place: self.place(entry) }),
            }
        }
        self.new_object(object)
    }

    /// The name of an entry, or why it is not known.
    fn key(&mut self, node: Node<'_>) -> Value {
        match node.kind() {
            "property_identifier" => Value::text(self.source(node)),
            "computed_property_name" => match inner(node).as_slice() {
                [only] => self.evaluate(*only),
                _ => self.unknown(Why::Expression, node),
            },
            _ => self.evaluate(node),
        }
    }

    fn put(&mut self, object: &mut Object, name: Value, value: Value, node: Node<'_>) {
        match (name.to_text(), name) {
            (_, Value::Unknown(unknown)) => object.gaps.push((*unknown).clone()),
            (Some(key), _) if &*key == "__proto__" => {
                object.gaps.push(Unknown { why: Why::Prototype, place: self.place(node) });
            }
            (Some(key), _) => object.set(key, value),
            (None, _) => object.gaps.push(Unknown { why: Why::Expression, place: self.place(node) }),
        }
    }

    /// Copies the entries of a value into an object, as `...value` and `Object.assign` do.
    pub(super) fn spread(&mut self, object: &mut Object, value: Value, node: Node<'_>) {
        match value {
            Value::Object(from) => {
                let from = &self.objects[from];
                let (entries, gaps) = (from.entries().to_vec(), from.gaps.clone());
                if !self.take_steps(entries.len() + gaps.len()) {
                    return object.gaps.push(Unknown { why: Why::TooMuch, place: self.place(node) });
                }
                object.gaps.extend(gaps);
                for (key, value) in entries {
                    object.set(key, value);
                }
            }
            Value::Undefined | Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::Unknown(unknown) => object.gaps.push((*unknown).clone()),
            _ => object.gaps.push(Unknown { why: Why::Expression, place: self.place(node) }),
        }
    }

    fn array(&mut self, node: Node<'_>) -> Value {
        let mut list = Vec::new();
        for item in inner(node) {
            if item.kind() != "spread_element" {
                let value = self.evaluate(item);
                list.push(value);
                continue;
            }
            match inner(item).first().map(|spread| self.evaluate(*spread)) {
                Some(Value::List(from)) if self.take_steps(self.lists[from].len()) => {
                    list.extend(self.lists[from].iter().cloned());
                }
                Some(unknown @ Value::Unknown(_)) => list.push(unknown),
                _ => list.push(self.unknown(Why::Expression, item)),
            }
        }
        self.new_list(list)
    }

    fn ternary(&mut self, node: Node<'_>) -> Value {
        let condition = node.child_by_field_name("condition").map(|condition| self.evaluate(condition));
        let branch = match condition.as_ref().map(Value::truth) {
            Some(Some(true)) => "consequence",
            Some(Some(false)) => "alternative",
            _ => return condition.unwrap_or_else(|| self.unknown(Why::Expression, node)),
        };
        match node.child_by_field_name(branch) {
            Some(branch) => self.evaluate(branch),
            None => self.unknown(Why::Expression, node),
        }
    }

    fn unary(&mut self, node: Node<'_>) -> Value {
        let operator = node.child_by_field_name("operator").map(|operator| self.source(operator));
        let Some(argument) = node.child_by_field_name("argument") else { return self.unknown(Why::Expression, node) };
        let value = self.evaluate(argument);
        match (operator, value) {
            (_, unknown @ Value::Unknown(_)) => unknown,
            (Some("!"), value) => {
                value.truth().map_or_else(|| self.unknown(Why::Expression, node), |truth| Value::Bool(!truth))
            }
            (Some("+"), Value::Number(number)) => Value::Number(number),
            (Some("-"), Value::Number(number)) => {
                let negative = format!("-{number}").parse().ok().and_then(real);
                negative.map_or_else(|| self.unknown(Why::Expression, node), Value::Number)
            }
            (Some("void"), _) => Value::Undefined,
            _ => self.unknown(Why::Expression, node),
        }
    }

    /// Operators between two values. A sum of many, as of a key's lines, is taken from its left end, so that its length
    /// is no depth.
    fn binary(&mut self, node: Node<'_>) -> Value {
        let mut chain = Vec::new();
        let mut first = node;
        while first.kind() == "binary_expression"
            && let (Some(operator), Some(left), Some(right)) = (
                first.child_by_field_name("operator"),
                first.child_by_field_name("left"),
                first.child_by_field_name("right"),
            )
        {
            if chain.len() >= LONGEST_SUM {
                return self.unknown(Why::TooMuch, node);
            }
            chain.push((self.source(operator), right, first));
            first = left;
        }
        let mut value = self.evaluate(first);
        for (operator, right, whole) in chain.into_iter().rev() {
            value = match (operator, value.truth()) {
                ("||" | "&&", None) => return value,
                ("||", Some(true)) | ("&&", Some(false)) => value,
                ("||" | "&&", _) => self.evaluate(right),
                ("??", _) if !matches!(value, Value::Undefined | Value::Null) => value,
                ("??", _) => self.evaluate(right),
                _ => {
                    let right = self.evaluate(right);
                    self.compute(operator, value, right, whole)
                }
            };
        }
        value
    }

    fn compute(&mut self, operator: &str, left: Value, right: Value, node: Node<'_>) -> Value {
        let (left, right) = match (left, right) {
            (unknown @ Value::Unknown(_), _) | (_, unknown @ Value::Unknown(_)) => return unknown,
            both => both,
        };
        if let Some(equal) = operator.strip_suffix("==").or(operator.strip_suffix('=')) {
            let same = match (&left, &right) {
                (Value::Text(a), Value::Text(b)) => Some(a == b),
                (Value::Number(a), Value::Number(b)) => Some(a == b),
                (Value::Bool(a), Value::Bool(b)) => Some(a == b),
                (Value::Null, Value::Null) | (Value::Undefined, Value::Undefined) => Some(true),
                // What of unlike kinds is the same has rules of its own.
                _ => None,
            };
            return match (equal, same) {
                ("=", Some(same)) => Value::Bool(same),
                ("!", Some(same)) => Value::Bool(!same),
                _ => self.unknown(Why::Expression, node),
            };
        }
        match (operator, &left, &right) {
            (_, Value::Number(a), Value::Number(b)) => {
                arithmetic(operator, a, b).map_or_else(|| self.unknown(Why::Expression, node), Value::Number)
            }
            ("+", Value::Text(_) | Value::Bytes(_), _) | ("+", _, Value::Text(_) | Value::Bytes(_)) => {
                match (left.to_text(), right.to_text()) {
                    (Some(left), Some(right)) => self.made(format!("{left}{right}"), node),
                    _ => self.unknown(Why::Expression, node),
                }
            }
            _ => self.unknown(Why::Expression, node),
        }
    }

    /// What stands below a name of a value.
    fn member(&mut self, node: Node<'_>) -> Value {
        let Some(object) = node.child_by_field_name("object") else { return self.unknown(Why::Expression, node) };
        let object = self.evaluate(object);
        let Some(name) = self.member_name(node) else { return self.unknown(Why::Expression, node) };
        match object {
            unknown @ Value::Unknown(_) => unknown,
            Value::Native(Native::Environment) => self.unknown(Why::Environment(name.to_string()), node),
            Value::Native(Native::Module) if &*name == "exports" => self.exports.clone(),
            Value::Native(native) => {
                native.member(&name).map_or_else(|| self.unknown(Why::Expression, node), Value::Native)
            }
            Value::Object(at) => {
                let object = &self.objects[at];
                // Whether it is absent is not known where something unknown came in.
                let hides = |gap: &&Unknown| !matches!(gap.why, Why::Twice(_));
                match (object.get(&name), object.gaps.iter().find(hides)) {
                    (Some(value), _) => value.clone(),
                    (None, Some(gap)) => Value::Unknown(Rc::new(gap.clone())),
                    (None, None) => Value::Undefined,
                }
            }
            Value::List(at) => {
                let item = name.parse::<usize>().ok().and_then(|index| self.lists[at].get(index).cloned());
                item.unwrap_or_else(|| self.unknown(Why::Expression, node))
            }
            _ => self.unknown(Why::Expression, node),
        }
    }

    /// The name in `object.name` and `object['name']`.
    pub(super) fn member_name(&mut self, node: Node<'_>) -> Option<Rc<str>> {
        match node.child_by_field_name("property") {
            Some(property) => Some(self.source(property).into()),
            None => {
                let index = node.child_by_field_name("index")?;
                self.evaluate(index).to_text()
            }
        }
    }
}

/// Sums, differences and products of whole numbers, as of `24 * 60 * 60`.
fn arithmetic(operator: &str, a: &Number, b: &Number) -> Option<Number> {
    let (a, b) = (a.as_i64()?, b.as_i64()?);
    let result = match operator {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        "/" if b != 0 && a % b == 0 => Some(a / b),
        _ => None,
    }?;
    (-LARGEST..=LARGEST).contains(&result).then(|| Number::from(result))
}

/// The named nodes below a node, without comments.
pub(super) fn inner(node: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = node.walk();
    let named = node.named_children(&mut cursor);
    named.filter(|child| !matches!(child.kind(), "comment" | "html_comment")).collect()
}
