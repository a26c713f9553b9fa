//! What the command has to say: findings, and how each node was answered.

use super::codes::{Code, Severity};
use serde::Serialize;
use shared::providers::Page;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Text {
    /// Chinese.
    pub(super) zh: String,
    /// English.
    pub(super) en: String,
}

impl From<(&str, &str)> for Text {
    fn from((zh, en): (&str, &str)) -> Self {
        Self { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// A page of a provider's console.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct FoundAt {
    /// Its name.
    #[serde(flatten)]
    pub(super) name: Text,
    /// The address of the console; empty where there is no one address.
    pub(super) url: &'static str,
}

impl From<Page> for FoundAt {
    fn from(page: Page) -> Self {
        Self { name: (page.zh, page.en).into(), url: page.url }
    }
}

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    /// How bad it is.
    pub(super) severity: Severity,
    /// Where: a path of the configuration, or `clock`, `table`, `table.due` …
    pub(super) path: String,
    /// What, by a stable word.
    pub(super) code: &'static str,
    /// What causes it.
    pub(super) cause: Text,
    /// What to do.
    pub(super) remedy: Text,
    /// What was said: the provider's words, or those of the configuration's check.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) words: String,
    /// Where the right value is found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found_at: Option<FoundAt>,
}

impl Finding {
    /// A finding by its code.
    pub(super) fn new(path: impl Into<String>, code: Code, words: impl Into<String>) -> Self {
        let row = code.row();
        Self {
            severity: row.severity,
            path: path.into(),
            code: row.code,
            cause: row.cause.into(),
            remedy: row.remedy.into(),
            words: words.into(),
            found_at: None,
        }
    }

    /// Whether it has this code.
    fn is(&self, code: Code) -> bool {
        self.code == code.row().code
    }

    /// The same, with the page of a console.
    pub(super) fn at(self, page: Page) -> Self {
        Self { found_at: Some(page.into()), ..self }
    }
}

/// How a node was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Node {
    /// The merchant in the configuration.
    pub(super) merchant: String,
    /// The provider.
    pub(super) provider: &'static str,
    /// The path of the node.
    pub(super) path: String,
    /// Whether nothing worse than a note was found there.
    pub(super) healthy: bool,
    /// How long the slowest answer took, ms; nothing where none came.
    pub(super) answered_ms: Option<u64>,
    /// The keys that no question proves.
    pub(super) unproven: Vec<String>,
}

/// Something that is not a node and was looked at: the table, the address of callbacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Checked {
    /// `table` or `notifyUrl`, as the paths of its findings begin.
    pub(super) path: &'static str,
    /// Which: the table's name, the address.
    pub(super) of: String,
    /// Whether nothing worse than a note was found there.
    pub(super) healthy: bool,
}

impl Checked {
    /// What was looked at; whether it is right the findings tell.
    pub(super) fn new(path: &'static str, of: impl Into<String>) -> Self {
        Self { path, of: of.into(), healthy: false }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Report {
    /// The version of this shape.
    pub(super) version: u8,
    /// How long it took, ms.
    pub(super) took_ms: u64,
    /// Findings of severity `error`.
    pub(super) errors: usize,
    /// Of severity `warning`.
    pub(super) warnings: usize,
    /// Of severity `note`.
    pub(super) notes: usize,
    /// The nodes that were asked about.
    pub(super) nodes: Vec<Node>,
    /// What was looked at beside them.
    pub(super) checked: Vec<Checked>,
    /// The findings, the worst first.
    pub(super) findings: Vec<Finding>,
}

impl Report {
    /// Puts nodes and findings together.
    pub(super) fn of(
        mut nodes: Vec<Node>,
        mut checked: Vec<Checked>,
        mut findings: Vec<Finding>,
        took: std::time::Duration,
    ) -> Self {
        // A token that a store refuses has its time in it, so a clock that is wrong explains it.
        if findings.iter().any(|finding| finding.is(Code::ClockSkew)) {
            findings.retain(|finding| !finding.is(Code::StoreKeyRefused));
        }
        findings.sort();
        findings.dedup_by(|b, a| (&a.path, a.code) == (&b.path, b.code));
        for node in &mut nodes {
            let below = |finding: &&Finding| is_below(&finding.path, &node.path) && finding.severity < Severity::Note;
            node.healthy = findings.iter().find(below).is_none() && node.answered_ms.is_some();
        }
        for own in &mut checked {
            let below = |finding: &Finding| is_below(&finding.path, own.path) && finding.severity < Severity::Note;
            own.healthy = !findings.iter().any(below);
        }
        let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
        Self {
            version: 1,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            nodes,
            checked,
            findings,
        }
    }
}

/// Whether a path is a node's, or below it.
pub(super) fn is_below(path: &str, node: &str) -> bool {
    path.strip_prefix(node).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
