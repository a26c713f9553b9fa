//! What a [`Reader`](crate::Reader) is asked for, key by key: `docs/config.schema.json` is made of it. Only with the
//! feature `schema`, which no function has, is it kept.

use serde_json::Value;

/// What a key of the document may hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// It is looked at; what it holds is said elsewhere or does not matter.
    Looked,
    /// It is known and ignored.
    Known,
    /// A text, or a number that is taken as one.
    Text,
    /// A base URL.
    Url,
    /// A secret: so many characters at least, or so many bytes exactly.
    Secret {
        /// Characters at least.
        least: usize,
        /// Bytes exactly.
        bytes: Option<usize>,
        /// Blank is a fault, and not as absent.
        entered: bool,
    },
    /// Key material itself.
    Material,
    /// True or false.
    Flag,
    /// A whole number.
    Integer {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },
    /// One of a few words.
    Choice(Vec<String>),
    /// A list of texts.
    Texts,
    /// An object.
    Object,
    /// An object whose keys are names that the merchant chose, of this pattern.
    Names(&'static str),
    /// A provider's node: one that has none of these keys is a leftover of a sample.
    Node(Vec<String>),
    /// Another name of a node.
    Alias(String),
    /// What a schema says; some values, each of which leads somewhere else.
    Form(Value, Vec<Value>),
    /// Of these keys of the object one must be there.
    OneOf(Vec<String>),
    /// Of the object itself: unknown keys are faults.
    Closed,
    /// Of the object itself: unknown keys are remarked on.
    Remarked,
}

/// One thing that a reader was asked for.
#[cfg(feature = "schema")]
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The object, from the top.
    pub within: Vec<String>,
    /// The key in it; empty where it is about the object.
    pub key: String,
    /// What it may hold.
    pub kind: Kind,
    /// Whether its absence is a fault.
    pub needed: bool,
}
