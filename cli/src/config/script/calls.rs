//! The few calls of Node's library that stand in such files: reading a key file, joining paths, bytes, copies of
//! objects. Any other call is unknown.

use super::evaluate::{Machine, inner};
use super::value::{Native, Value, Why};
use shared::crypto;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use tree_sitter::Node;

impl Machine<'_> {
    pub(super) fn call(&mut self, node: Node<'_>) -> Value {
        let Some(function) = node.child_by_field_name("function") else { return self.unknown(Why::Expression, node) };
        let method = matches!(function.kind(), "member_expression" | "subscript_expression");
        let (object, name) = match function.child_by_field_name("object").filter(|_| method) {
            Some(object) => (self.evaluate(object), self.member_name(function)),
            None => (self.evaluate(function), None),
        };
        let native = match (&object, &name) {
            (Value::Native(native), Some(name)) => native.member(name),
            (Value::Native(native), None) => Some(*native),
            _ => None,
        };
        if let Some(native) = native {
            let arguments = self.arguments(node);
            return self.call_native(native, arguments, node);
        }
        match (object, name) {
            (Value::Unknown(unknown), _) if !matches!(unknown.why, Why::Name(_) | Why::Function) => {
                Value::Unknown(unknown)
            }
            (object, Some(name)) => {
                let arguments = self.arguments(node);
                self.call_method(&object, &name, &arguments, node)
            }
            (_, None) => self.unknown(Why::Call(self.callee(function)), node),
        }
    }

    /// The name of what is called, for people. Nothing else of a call is shown: its arguments may be secrets.
    pub(super) fn callee(&self, node: Node<'_>) -> String {
        let text = self.source(node);
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
        match text.chars().all(plain) && text.len() <= 64 {
            true => text.to_owned(),
            false => "…".to_owned(),
        }
    }

    fn arguments(&mut self, node: Node<'_>) -> Vec<Value> {
        let arguments = node.child_by_field_name("arguments");
        let arguments = arguments.filter(|arguments| arguments.kind() == "arguments").map(inner).unwrap_or_default();
        arguments.into_iter().map(|argument| self.evaluate(argument)).collect()
    }

    fn call_native(&mut self, native: Native, arguments: Vec<Value>, node: Node<'_>) -> Value {
        if native != Native::Assign
            && let Some(unknown) = arguments.iter().find(|argument| matches!(argument, Value::Unknown(_)))
        {
            return unknown.clone();
        }
        let texts: Option<Vec<Rc<str>>> = arguments.iter().map(only_text).collect();
        match (native, texts, arguments.as_slice()) {
            (Native::Require, Some(names), _) if names.len() == 1 => match Native::of_module(&names[0]) {
                Some(module) => Value::Native(module),
                None => self.unknown(Why::Module(names[0].to_string()), node),
            },
            (Native::Join, Some(parts), _) => {
                let joined = parts.iter().filter(|part| !part.is_empty()).map(|part| &**part).collect::<Vec<_>>();
                self.made(normal(Path::new(&joined.join("/"))), node)
            }
            (Native::Resolve, Some(parts), _) => {
                let folder = PathBuf::from(self.files.folder());
                let path = parts.iter().fold(folder, |path, part| path.join(&**part));
                self.made(normal(&path), node)
            }
            (Native::ReadFile, _, [path, rest @ ..]) => self.read_file(path, rest, node),
            (Native::BufferFrom, _, [Value::Bytes(bytes)]) => Value::Bytes(bytes.clone()),
            (Native::BufferFrom, Some(parts), _) => {
                let bytes = match parts.as_slice() {
                    [text] => Some(text.as_bytes().to_vec()),
                    [text, encoding] => from_encoding(text, encoding),
                    _ => None,
                };
                bytes.map_or_else(|| self.unknown(Why::Expression, node), |bytes| Value::Bytes(bytes.into()))
            }
            (Native::Freeze, _, [value]) => value.clone(),
            (Native::Assign, _, [Value::Object(target), sources @ ..]) => self.assign_all(*target, sources, node),
            _ => self.unknown(Why::Call(self.called(node)), node),
        }
    }

    fn called(&self, node: Node<'_>) -> String {
        node.child_by_field_name("function").map(|function| self.callee(function)).unwrap_or_default()
    }

    /// `Object.assign`.
    fn assign_all(&mut self, target: usize, sources: &[Value], node: Node<'_>) -> Value {
        let mut object = std::mem::take(&mut self.objects[target]);
        for source in sources {
            match source {
                Value::Object(own) if *own == target => {}
                other => self.spread(&mut object, other.clone(), node),
            }
        }
        self.objects[target] = object;
        Value::Object(target)
    }

    fn read_file(&mut self, path: &Value, options: &[Value], node: Node<'_>) -> Value {
        let Some(path) = only_text(path) else { return self.unknown(Why::Expression, node) };
        let encoding = match options {
            [] => None,
            [Value::Object(at)] => self.objects[*at].get("encoding").and_then(only_text),
            [option] => only_text(option),
            _ => return self.unknown(Why::Expression, node),
        };
        match self.files.read(&path) {
            Ok(bytes) => match encoding {
                None => Value::Bytes(bytes.into()),
                Some(encoding) => self.decoded(&bytes, &encoding, node),
            },
            Err(trouble) => self.unknown(Why::File(self.files.shown(&path), trouble), node),
        }
    }

    /// Methods of texts, bytes and lists.
    fn call_method(&mut self, object: &Value, name: &str, arguments: &[Value], node: Node<'_>) -> Value {
        if let Some(unknown) = arguments.iter().find(|argument| matches!(argument, Value::Unknown(_))) {
            return unknown.clone();
        }
        match (object, name, arguments) {
            (Value::Text(text), "toString", []) => Value::Text(text.clone()),
            (Value::Text(text), "trim", []) => self.made(text.trim(), node),
            (Value::Number(number), "toString", []) => Value::text(number.to_string()),
            (Value::Bytes(bytes), "toString", []) => self.decoded(bytes, "utf8", node),
            (Value::Bytes(bytes), "toString", [Value::Text(encoding)]) => self.decoded(bytes, encoding, node),
            (Value::List(at), "join", [Value::Text(between)]) => {
                let texts: Option<Vec<Rc<str>>> = self.lists[*at].iter().map(Value::to_text).collect();
                match texts {
                    Some(texts) => self.made(texts.join(&**between), node),
                    None => self.unknown(Why::Call(self.called(node)), node),
                }
            }
            _ => self.unknown(Why::Call(self.called(node)), node),
        }
    }

    fn decoded(&mut self, bytes: &[u8], encoding: &str, node: Node<'_>) -> Value {
        match encoding.to_ascii_lowercase().as_str() {
            "utf8" | "utf-8" | "ascii" => match std::str::from_utf8(bytes) {
                Ok(text) => self.made(text, node),
                Err(_) => self.unknown(Why::Expression, node),
            },
            "base64" => self.made(crypto::base64(bytes), node),
            _ => self.unknown(Why::Expression, node),
        }
    }
}

fn only_text(value: &Value) -> Option<Rc<str>> {
    match value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn from_encoding(text: &str, encoding: &str) -> Option<Vec<u8>> {
    match encoding.to_ascii_lowercase().as_str() {
        "utf8" | "utf-8" => Some(text.as_bytes().to_vec()),
        "base64" => crypto::from_base64(text).ok(),
        _ => None,
    }
}

/// A path without `.` and `..` where they can be resolved.
fn normal(path: &Path) -> String {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if parts.file_name().is_some() => {
                parts.pop();
            }
            Component::ParentDir if parts.has_root() => {}
            other => parts.push(other),
        }
    }
    parts.to_string_lossy().into_owned()
}
