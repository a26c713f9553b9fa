//! Statements, and what is exported in the end.

use super::evaluate::{Machine, inner};
use super::syntax::{Place, SyntaxError, parse};
use super::value::{Native, Unknown, Value, Why};
use crate::config::files::Files;
use serde_json::Map;
use shared::crypto;
use std::rc::Rc;
use tree_sitter::Node;

/// How deep a configuration may be nested, and of how many values it may be.
const DEEPEST: usize = 64;
const MOST: usize = 50_000;

/// What is not known of what is exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The keys that lead there.
    pub(crate) path: Vec<String>,
    /// Why it is not known, and where that stands.
    pub(crate) unknown: Unknown,
}

/// What a program exports.
#[derive(Debug)]
pub(crate) struct Exported {
    /// What is known of it.
    pub(crate) value: serde_json::Value,
    /// What is not.
    pub(crate) holes: Vec<Hole>,
    /// Statements that would have to be run, and are not.
    pub(crate) skipped: Vec<Place>,
}

/// Reads what a program exports. `files` are those that it may read.
///
/// # Errors
/// When it is no JavaScript, or more than a configuration can be.
pub(crate) fn read(text: &str, files: &Files) -> Result<Exported, SyntaxError> {
    let text = text.trim_start_matches('\u{feff}');
    let tree = parse(text)?;
    let mut machine = Machine::new(text, files);
    let mut skipped = Vec::new();
    for statement in inner(tree.root_node()) {
        if !machine.statement(statement) {
            skipped.push(machine.place(statement));
        }
    }
    if machine.is_spent() {
        return Err(SyntaxError::TooMuch);
    }
    let mut export = Export { machine: &machine, left: MOST, path: Vec::new(), holes: Vec::new(), too_much: false };
    let value = export.json(&machine.exports).unwrap_or(serde_json::Value::Null);
    Ok(Exported { value, holes: export.holes, skipped })
}

impl Machine<'_> {
    /// Takes a statement in; false where it would have to be run.
    fn statement(&mut self, node: Node<'_>) -> bool {
        match node.kind() {
            "empty_statement" | "hash_bang_line" => true,
            "lexical_declaration" | "variable_declaration" => {
                for declarator in inner(node) {
                    self.declare(declarator);
                }
                true
            }
            "function_declaration" | "generator_function_declaration" | "class_declaration" => {
                if let Some(name) = node.child_by_field_name("name") {
                    let function = self.unknown(Why::Function, node);
                    self.names.insert(self.source(name).to_owned(), function);
                }
                true
            }
            "import_statement" => {
                self.import(node);
                true
            }
            "export_statement" => self.export(node),
            "expression_statement" => match inner(node).as_slice() {
                [expression] if expression.kind() == "augmented_assignment_expression" => self.forget(*expression),
                [expression] => {
                    let assigns = expression.kind() == "assignment_expression";
                    let value = self.evaluate(*expression);
                    assigns || !matches!(value, Value::Unknown(_))
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn declare(&mut self, node: Node<'_>) {
        let Some(name) = node.child_by_field_name("name") else { return };
        let value = match node.child_by_field_name("value") {
            Some(value) => self.evaluate(value),
            None => Value::Undefined,
        };
        self.bind(name, value);
    }

    /// Gives a value a name, or the parts of a value names.
    fn bind(&mut self, target: Node<'_>, value: Value) {
        if target.kind() != "object_pattern" {
            self.names.insert(self.source(target).to_owned(), value);
            return;
        }
        for part in inner(target) {
            let (key, name) = match part.kind() {
                "shorthand_property_identifier_pattern" => (part, part),
                "pair_pattern" => match (part.child_by_field_name("key"), part.child_by_field_name("value")) {
                    (Some(key), Some(name)) => (key, name),
                    _ => continue,
                },
                _ => continue,
            };
            let inner = self.part(&value, self.source(key), part);
            self.names.insert(self.source(name).to_owned(), inner);
        }
    }

    fn part(&self, value: &Value, key: &str, node: Node<'_>) -> Value {
        match value {
            Value::Native(Native::Environment) => self.unknown(Why::Environment(key.to_owned()), node),
            Value::Native(native) => {
                native.member(key).map_or_else(|| self.unknown(Why::Expression, node), Value::Native)
            }
            Value::Object(at) => self.objects[*at].get(key).cloned().unwrap_or(Value::Undefined),
            Value::Unknown(unknown) => Value::Unknown(unknown.clone()),
            _ => self.unknown(Why::Expression, node),
        }
    }

    fn import(&mut self, node: Node<'_>) {
        let Some(source) = node.child_by_field_name("source") else { return };
        let name = self.source(source).trim_matches(['\'', '"']).to_owned();
        let module = match Native::of_module(&name) {
            Some(module) => Value::Native(module),
            None => self.unknown(Why::Module(name), node),
        };
        for clause in inner(node).into_iter().filter(|child| child.kind() == "import_clause").flat_map(inner) {
            match clause.kind() {
                "identifier" => {
                    self.names.insert(self.source(clause).to_owned(), module.clone());
                }
                "namespace_import" => {
                    for name in inner(clause) {
                        self.names.insert(self.source(name).to_owned(), module.clone());
                    }
                }
                _ => {
                    for specifier in inner(clause) {
                        let Some(key) = specifier.child_by_field_name("name") else { continue };
                        let own = specifier.child_by_field_name("alias").unwrap_or(key);
                        let value = self.part(&module, self.source(key), specifier);
                        self.names.insert(self.source(own).to_owned(), value);
                    }
                }
            }
        }
    }

    /// `export default …` and `export const …`.
    fn export(&mut self, node: Node<'_>) -> bool {
        if let Some(value) = node.child_by_field_name("value") {
            self.exports = self.evaluate(value);
            return true;
        }
        let Some(declaration) = node.child_by_field_name("declaration") else { return false };
        let taken = self.statement(declaration);
        for name in inner(declaration).into_iter().filter_map(|declarator| declarator.child_by_field_name("name")) {
            let name = self.source(name);
            if let (Some(value), Value::Object(at)) = (self.names.get(name).cloned(), &self.exports) {
                self.objects[*at].set(name.into(), value);
            }
        }
        taken
    }

    /// An assignment; its value is what was assigned.
    pub(super) fn assign(&mut self, node: Node<'_>) -> Value {
        let (left, right) = (node.child_by_field_name("left"), node.child_by_field_name("right"));
        let (Some(left), Some(right)) = (left, right) else { return self.unknown(Why::Expression, node) };
        let value = self.evaluate(right);
        self.store(left, value.clone());
        value
    }

    fn store(&mut self, target: Node<'_>, value: Value) {
        if !matches!(target.kind(), "member_expression" | "subscript_expression") {
            return self.bind(target, value);
        }
        let object = target.child_by_field_name("object").map(|object| self.evaluate(object));
        let Some(name) = self.member_name(target) else { return };
        match object {
            Some(Value::Native(Native::Module)) if &*name == "exports" => self.exports = value,
            Some(Value::Object(at)) if &*name == "__proto__" => {
                let place = self.place(target);
                self.objects[at].gaps.push(Unknown { why: Why::Prototype, place });
            }
            Some(Value::Object(at)) => self.objects[at].set(name, value),
            _ => {}
        }
    }

    /// `a += …`: what `a` is, is not known afterwards.
    fn forget(&mut self, node: Node<'_>) -> bool {
        let Some(left) = node.child_by_field_name("left") else { return false };
        let value = self.unknown(Why::Expression, node);
        self.store(left, value);
        true
    }
}

/// Values on their way out.
struct Export<'m, 'a> {
    machine: &'m Machine<'a>,
    left: usize,
    path: Vec<String>,
    holes: Vec<Hole>,
    too_much: bool,
}

impl Export<'_, '_> {
    fn hole(&mut self, unknown: Unknown) {
        self.holes.push(Hole { path: self.path.clone(), unknown });
    }

    /// As JSON; `None` for what is not there or not known.
    fn json(&mut self, value: &Value) -> Option<serde_json::Value> {
        let nowhere = Place { line: 1, column: 1 };
        if self.left == 0 || self.path.len() > DEEPEST {
            // Once is enough; and an object that holds itself has no end.
            if !std::mem::replace(&mut self.too_much, true) {
                self.hole(Unknown { why: Why::TooMuch, place: nowhere });
            }
            return None;
        }
        self.left -= 1;
        Some(match value {
            Value::Undefined => return None,
            Value::Null => serde_json::Value::Null,
            Value::Bool(flag) => (*flag).into(),
            Value::Number(number) => serde_json::Value::Number(number.clone()),
            Value::Text(text) => (**text).into(),
            Value::Bytes(bytes) => text_of_bytes(bytes).into(),
            Value::List(at) => {
                let items = self.machine.lists[*at].iter().enumerate();
                let items = items.map(|(index, item)| self.below(index.to_string(), item));
                items.map(Option::unwrap_or_default).collect()
            }
            Value::Object(at) => {
                let object = &self.machine.objects[*at];
                for gap in &object.gaps {
                    self.hole(gap.clone());
                }
                let mut map = Map::new();
                for (key, value) in object.entries() {
                    if let Some(value) = self.below(key.to_string(), value) {
                        map.insert(key.to_string(), value);
                    }
                }
                serde_json::Value::Object(map)
            }
            Value::Native(_) => {
                self.hole(Unknown { why: Why::Function, place: nowhere });
                return None;
            }
            Value::Unknown(unknown) => {
                let unknown: &Rc<Unknown> = unknown;
                self.hole((**unknown).clone());
                return None;
            }
        })
    }

    fn below(&mut self, key: String, value: &Value) -> Option<serde_json::Value> {
        self.path.push(key);
        let value = self.json(value);
        self.path.pop();
        value
    }
}

/// What was read from a file: its text, or base64 of what is none, such as a PKCS#12 archive.
pub(crate) fn text_of_bytes(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| crypto::base64(bytes), str::to_owned)
}
