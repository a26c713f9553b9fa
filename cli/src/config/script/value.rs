//! Values, and what makes one unknown.

use super::syntax::Place;
use crate::config::files::Trouble;
use serde_json::Number;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why a value is not known before the program runs, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// A variable of the environment.
    Environment(String),
    /// A function.
    Function,
    /// What a call would answer.
    Call(String),
    /// What another module exports.
    Module(String),
    /// A name that stands for no constant above.
    Name(String),
    /// An expression that is not computed here.
    Expression,
    /// A file that cannot be had.
    File(String, Trouble),
    /// `__proto__` sets no value.
    Prototype,
    /// The same name twice in one object, of which the last counts.
    Twice(String),
    /// Nested too deep, or larger than any configuration.
    TooMuch,
}

/// A value that is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Why.
    pub(crate) why: Why,
    /// Where it stands.
    pub(crate) place: Place,
}

/// What is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Native {
    Fs,
    Path,
    Process,
    Environment,
    Buffer,
    Object,
    Module,
    Require,
    ReadFile,
    Join,
    Resolve,
    BufferFrom,
    Assign,
    Freeze,
}

impl Native {
    /// What stands below a name of it.
    pub(super) fn member(self, name: &str) -> Option<Self> {
        Some(match (self, name) {
            (Self::Fs, "readFileSync") => Self::ReadFile,
            (Self::Fs, "default") => Self::Fs,
            (Self::Path, "join") => Self::Join,
            (Self::Path, "resolve") => Self::Resolve,
            (Self::Path, "default" | "posix") => Self::Path,
            (Self::Process, "env") => Self::Environment,
            (Self::Buffer, "from") => Self::BufferFrom,
            (Self::Buffer, "Buffer") => Self::Buffer,
            (Self::Object, "assign") => Self::Assign,
            (Self::Object, "freeze") => Self::Freeze,
            _ => return None,
        })
    }

    /// What a module of Node's is here.
    pub(super) fn of_module(name: &str) -> Option<Self> {
        match name.strip_prefix("node:").unwrap_or(name) {
            "fs" => Some(Self::Fs),
            "path" => Some(Self::Path),
            "process" => Some(Self::Process),
            "buffer" => Some(Self::Buffer),
            _ => None,
        }
    }
}

/// A value of JavaScript. Lists and objects are shared, as there.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(Number),
    Text(Rc<str>),
    Bytes(Rc<[u8]>),
    List(usize),
    Object(usize),
    Native(Native),
    Unknown(Rc<Unknown>),
}

impl Value {
    pub(super) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn unknown(why: Why, place: Place) -> Self {
        Self::Unknown(Rc::new(Unknown { why, place }))
    }

    /// Whether a condition takes it for true; `None` where that is not known.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Number(number) => number.as_f64() != Some(0.0),
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(_) | Self::List(_) | Self::Object(_) | Self::Native(_) => true,
            Self::Unknown(_) => return None,
        })
    }

    /// As a part of a text.
    pub(super) fn to_text(&self) -> Option<Rc<str>> {
        Some(match self {
            Self::Undefined => "undefined".into(),
            Self::Null => "null".into(),
            Self::Bool(flag) => flag.to_string().into(),
            Self::Number(number) => number.to_string().into(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            Self::List(_) | Self::Object(_) | Self::Native(_) | Self::Unknown(_) => return None,
        })
    }
}

/// An object: entries in their order, and the places where something would come in that is not known.
#[derive(Debug, Default)]
pub(super) struct Object {
    index: BTreeMap<Rc<str>, usize>,
    entries: Vec<(Rc<str>, Value)>,
    pub(super) gaps: Vec<Unknown>,
}

impl Object {
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.index.get(key).map(|at| &self.entries[*at].1)
    }

    pub(super) fn set(&mut self, key: Rc<str>, value: Value) {
        match self.index.get(&key) {
            Some(at) => self.entries[*at].1 = value,
            None => {
                self.index.insert(key.clone(), self.entries.len());
                self.entries.push((key, value));
            }
        }
    }

    pub(super) fn entries(&self) -> &[(Rc<str>, Value)] {
        &self.entries
    }
}
